/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kfence.c -- a sample of objects, each on its own page between guards.
 *
 * Red zones, poison and a quarantine look at every object, at every call, and are too slow
 * for a machine that does its work.  A sample costs nearly nothing: one object in each
 * interval is served from a pool in which the page tables do the checks.
 *
 *	| guard | object 0 | guard | object 1 | guard | ... | object n | guard | (unused) |
 *	   0         1         2        3         4
 *
 *	object 1, at the end of its page, 100 bytes:  | canary .......... |object| |
 *	then at its start:                            |object| canary ............ |
 *
 * A guard is never mapped, and the page of a free object is not.  So what is
 * wrong faults in the statement that does it: a byte in a guard was out of bounds of the
 * neighbour, one in the page of a free object is a use after its free.  The rest
 * of the object's page holds canaries, which are compared when it is freed: they catch what
 * does not reach a guard.  The object that was freed longest ago is taken next, so
 * that stale pointers are caught for as long as possible.
 *
 * When?  kfence_open() sets a bit of slab_state.detour, a word that the hot path tests anyway.
 * The first request after that clears the bit and takes an object of the pool; `again` then sets
 * the next time.  While nobody asks, nothing runs.  A program that meets each mistake
 * a thousand times a day meets one of them here.
 *
 *  F1  Only pages of TAKEN and BUSY slots are in the direct map.
 *  F2  A slot is on the list exactly while it is FREE.
 *
 * The pages are no one else's, so to the page allocator they are reserved.  Those of
 * objects have PG_slab, and SLAB_KFENCE as their place: so kfree() comes here.
 *
 * Linux: mm/kfence/core.c.  There the side is drawn by a random number, here they
 * alternate; a fault there is reported and the page mapped, here it is a panic, as all
 * faults of the kernel are; and when most of the pool is in use, no call
 * is sampled there again that has an object in it.
 *
 * Locking: kfence->lock, for the list, the states and the counts.  The rest of a slot
 * belongs to the context that made it BUSY; a report reads it without a lock.
 */
#include "mm/slab/kfence.h"

#include "kernel/arch/direct_map.h"
#include "kernel/core/context.h"
#include "kernel/core/owner.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/slab/kfence_internal.h"
#include "mm/slab/slab_gfp.h"

#define KFENCE_MOST  512UL /* pages: 2 MiB, Linux's default */
#define KFENCE_LEAST 32UL
#define KFENCE_SHARE 192UL /* of memory */

unsigned long kfence_pool_pages(unsigned long pages)
{
	unsigned long pool = KFENCE_MOST;

	while (pool > pages / KFENCE_SHARE)
		pool /= 2;
	return pool < KFENCE_LEAST ? 0 : pool;
}

/* ---- Canaries ------------------------------------------------------------ */

/* Linux's: neighbours differ, so that a byte that was moved is seen. */
static uint8_t kfence_canary(const uint8_t *at)
{
	return (uint8_t)(0xaa ^ ((uintptr_t)at & 7));
}

/* Eight of them, from a multiple of 8 on. */
#define KFENCE_CANARIES 0xadacafaea9a8abaaULL

static uint8_t *kfence_page(const struct kfence_slot *slot)
{
	return (uint8_t *)ALIGN_DOWN((uintptr_t)slot->object, PAGE_SIZE);
}

/* The first byte of FROM..END that is not a canary, or END. */
static uint8_t *kfence_pass(uint8_t *from, const uint8_t *end)
{
	uint8_t *at = from;

	kassert((uintptr_t)end % 8 == 0 && from <= end);
	while (at < end) {
		bool word = (uintptr_t)at % 8 == 0;

		if (word && *(const uint64_t *)at == KFENCE_CANARIES)
			at += 8;
		else if (*at == kfence_canary(at))
			at++;
		else
			break;
	}
	return at;
}

static void kfence_paint_range(uint8_t *from, const uint8_t *end)
{
	uint8_t *at = from;

	kassert((uintptr_t)end % 8 == 0 && from <= end);
	for (; (uintptr_t)at % 8 != 0; at++)
		*at = kfence_canary(at);
	for (; at < end; at += 8)
		*(uint64_t *)at = KFENCE_CANARIES;
}

static void kfence_paint(const struct kfence_slot *slot)
{
	uint8_t *page = kfence_page(slot);

	kassert(slot->state == KFENCE_BUSY);
	kfence_paint_range(page, slot->object);
	kfence_paint_range(slot->object + slot->size, page + PAGE_SIZE);
}

/* The first byte beside the object that is not a canary, or NULL. */
static const uint8_t *kfence_find_damage(const struct kfence_slot *slot)
{
	uint8_t *page = kfence_page(slot);
	const uint8_t *at = kfence_pass(page, slot->object);

	kassert(slot->state == KFENCE_BUSY);
	if (at < slot->object)
		return at;
	at = kfence_pass(slot->object + slot->size, page + PAGE_SIZE);
	return at < page + PAGE_SIZE ? at : NULL;
}

/* ---- Taking -------------------------------------------------------------- */

static unsigned long kfence_slot_pfn(const struct kfence *kfence,
                                     const struct kfence_slot *slot)
{
	return kfence->settings.pfn +
	       kfence_index((unsigned long)(slot - kfence->slot));
}

/* A page has no frame that a device could want, and an object that must be zeroed and
 * constructed is a mistake that slab_alloc() reports. */
static bool kfence_suits(const struct kmem_cache *cache, size_t size, gfp_t gfp)
{
	kassert(size > 0);
	return size <= PAGE_SIZE && (cache->flags & SLAB_CACHE_DMA) == 0 &&
	       cache != cache->node->slab.boot &&
	       (cache->constructor == NULL || !slab_gfp_wants_zero(gfp));
}

/* The slot that was freed longest ago, BUSY; NULL: there is none. */
static struct kfence_slot *kfence_pop(struct kfence *kfence)
{
	bool enabled = spin_lock_irqsave(&kfence->lock);
	struct kfence_slot *slot =
		list_first(&kfence->free, struct kfence_slot, link);

	if (slot == NULL) {
		kfence->counts.skipped++;
	} else {
		kassert(slot->state == KFENCE_FREE); /* F2 */
		list_remove(&slot->link);
		slot->state = KFENCE_BUSY;
		kfence->counts.sampled++;
		kfence->counts.in_use++;
	}
	spin_unlock_irqrestore(&kfence->lock, enabled);
	return slot;
}

/* The other side of the page than the last time. */
static void kfence_place(const struct kfence *kfence, struct kfence_slot *slot,
                         const struct kmem_cache *cache, size_t size)
{
	unsigned long index =
		kfence_index((unsigned long)(slot - kfence->slot));
	size_t end = ALIGN_DOWN(PAGE_SIZE - size,
	                        max(cache->shape.align, (uint32_t)8));

	slot->at_start = !slot->at_start;
	slot->object =
		kfence_address(kfence, index) + (slot->at_start ? 0 : end);
	slot->size = (uint32_t)size;
	slot->cache = cache;
	scnprintf(slot->name, sizeof(slot->name), "%s", cache->name);
}

/* SLOT has its object: from now on somebody may free it. */
static void kfence_publish(struct kfence *kfence, struct kfence_slot *slot)
{
	bool enabled = spin_lock_irqsave(&kfence->lock);

	kassert(slot->state == KFENCE_BUSY);
	slot->state = KFENCE_TAKEN;
	spin_unlock_irqrestore(&kfence->lock, enabled);
}

static void *kfence_fill(struct kfence *kfence, struct kfence_slot *slot,
                         struct kmem_cache *cache, size_t size, gfp_t gfp,
                         uintptr_t caller)
{
	unsigned long pfn = kfence_slot_pfn(kfence, slot);

	kassert(!direct_map_visible(pfn)); /* F1 */
	direct_map_show(pfn);
	kfence_place(kfence, slot, cache, size);
	kfence_paint(slot);
	if (slab_gfp_wants_zero(gfp))
		memset(slot->object, 0, size);
	if (cache->constructor != NULL)
		cache->constructor(slot->object);
	slot->freed.time = 0;
	slot->taken = page_owner_stamp_now(current_owner_id(), caller);
	kfence_publish(kfence, slot);
	return slot->object;
}

/* Is the sample the caller's?  One request gets each. */
static bool kfence_claim(struct node *node)
{
	return (__atomic_fetch_and(&node->slab.detour,
	                           ~(uint32_t)SLAB_DETOUR_KFENCE,
	                           __ATOMIC_RELAXED) &
	        SLAB_DETOUR_KFENCE) != 0;
}

void *kfence_take(struct kmem_cache *cache, size_t size, gfp_t gfp,
                  uintptr_t caller)
{
	struct kfence *kfence = cache->node->slab.kfence;
	struct kfence_slot *slot;
	void *object = NULL;
	unsigned long interval;

	kassert(!in_nmi());
	if (kfence == NULL || !kfence_suits(cache, size, gfp) ||
	    !kfence_claim(cache->node))
		return NULL;
	slot = kfence_pop(kfence);
	if (slot != NULL)
		object = kfence_fill(kfence, slot, cache, size, gfp, caller);
	interval = READ_ONCE(kfence->settings.interval);
	if (interval > 0)
		kfence->settings.again(interval);
	return object;
}

/* ---- Giving -------------------------------------------------------------- */

/* NULL: SLOT is BUSY, for the caller to free its object; or why it cannot be freed. */
static const char *kfence_begin_free(struct kfence *kfence,
                                     struct kfence_slot *slot,
                                     const struct kmem_cache *cache,
                                     const void *object)
{
	bool enabled = spin_lock_irqsave(&kfence->lock);
	const char *why = NULL;

	if (slot->state != KFENCE_TAKEN)
		why = slot->size == 0 ? "nobody has had it"
		                      : "it is free already (double free)";
	else if (object != slot->object)
		why = "it is not the beginning of an object";
	else if (cache != NULL && cache != slot->cache)
		why = "it is another cache's";
	if (why == NULL)
		slot->state = KFENCE_BUSY;
	else
		kfence->counts.bugs++;
	spin_unlock_irqrestore(&kfence->lock, enabled);
	return why;
}

/* The page of SLOT is empty, and the last that is taken again. */
static void kfence_end_free(struct kfence *kfence, struct kfence_slot *slot,
                            bool damaged)
{
	bool enabled;

	kassert(slot->state == KFENCE_BUSY && slot->cache != NULL);
	direct_map_hide(kfence_slot_pfn(kfence, slot));
	slot->cache = NULL;
	enabled = spin_lock_irqsave(&kfence->lock);
	kassert(kfence->counts.in_use > 0);
	slot->state = KFENCE_FREE;
	list_append(&kfence->free, &slot->link);
	kfence->counts.in_use--;
	kfence->counts.bugs += damaged;
	spin_unlock_irqrestore(&kfence->lock, enabled);
}

void kfence_free(struct node *node, const struct kmem_cache *cache,
                 const struct page *page, void *object, uintptr_t caller)
{
	struct kfence *kfence = node->slab.kfence;
	struct kfence_slot *slot = kfence_slot_of(node, page);
	const uint8_t *damage;
	const char *why;

	kassert(!in_nmi());
	why = kfence_begin_free(kfence, slot, cache, object);
	if (why != NULL) {
		slab_report_free(node, cache == NULL ? "kfree" : cache->name,
		                 object, caller, why);
		kfence_print(slot);
		return;
	}
	damage = kfence_find_damage(slot);
	if (damage != NULL)
		kfence_report_canary(slot, damage, kfence_canary(damage),
		                     caller);
	slot->freed = page_owner_stamp_now(current_owner_id(), caller);
	kfence_end_free(kfence, slot, damage != NULL);
}

/* ---- Questions ----------------------------------------------------------- */

struct kfence_slot *kfence_slot_of(const struct node *node,
                                   const struct page *page)
{
	struct kfence *kfence = node->slab.kfence;
	unsigned long index;

	kassert(kfence != NULL && kfence_has_page(page));
	index = node_pfn(node, page) - kfence->settings.pfn;
	kassert(index % 2 == 1 && index / 2 < kfence->slots);
	return &kfence->slot[index / 2];
}

size_t kfence_room(const struct node *node, const struct kmem_cache *cache,
                   const struct page *page, const void *address)
{
	const struct kfence_slot *slot = kfence_slot_of(node, page);

	if (READ_ONCE(slot->state) != KFENCE_TAKEN || slot->object != address ||
	    (cache != NULL && slot->cache != cache))
		return 0;
	return slot->size;
}

void *kfence_find_used(const struct kmem_cache *cache)
{
	const struct kfence *kfence = cache->node->slab.kfence;

	for (unsigned long i = 0; kfence != NULL && i < kfence->slots; i++) {
		const struct kfence_slot *slot = &kfence->slot[i];

		if (READ_ONCE(slot->state) == KFENCE_TAKEN &&
		    slot->cache == cache)
			return slot->object;
	}
	return NULL;
}

bool is_kfence_address(const struct node *node, const void *address)
{
	const struct kfence *kfence = READ_ONCE(node->slab.kfence);

	return kfence != NULL &&
	       (uintptr_t)address - (uintptr_t)kfence_address(kfence, 0) <
	               kfence->settings.pages * PAGE_SIZE;
}

void kfence_read(const struct node *node, struct kfence_counts *counts)
{
	const struct kfence *kfence = node->slab.kfence;

	*counts = (struct kfence_counts){ 0 };
	if (kfence != NULL)
		*counts = kfence->counts;
}

/* ---- When ---------------------------------------------------------------- */

void kfence_open(struct node *node)
{
	const struct kfence *kfence = node->slab.kfence;

	if (kfence != NULL && READ_ONCE(kfence->settings.interval) > 0)
		__atomic_fetch_or(&node->slab.detour, SLAB_DETOUR_KFENCE,
		                  __ATOMIC_RELAXED);
}

unsigned long kfence_interval(const struct node *node)
{
	const struct kfence *kfence = node->slab.kfence;

	return kfence == NULL ? 0 : READ_ONCE(kfence->settings.interval);
}

int kfence_set_interval(struct node *node, unsigned long interval)
{
	struct kfence *kfence = node->slab.kfence;

	if (kfence == NULL)
		return interval == 0 ? 0 : -ENODEV;
	WRITE_ONCE(kfence->settings.interval, interval);
	if (interval > 0)
		kfence->settings.again(interval);
	else
		(void)kfence_claim(node);
	return 0;
}

/* ---- Beginning and end --------------------------------------------------- */

static size_t kfence_size(unsigned long slots)
{
	return sizeof(struct kfence) + slots * sizeof(struct kfence_slot);
}

/* The page of SLOT: kfree() finds its way, and nobody else. */
static void kfence_begin_slot(struct node *node, struct kfence *kfence,
                              unsigned long i)
{
	struct kfence_slot *slot = &kfence->slot[i];
	struct page *page = node_page(node, kfence_slot_pfn(kfence, slot));

	kassert(page != NULL && page->bits == 0);
	slot->at_start = i % 2 == 0;
	slab_counts(page)->place = SLAB_KFENCE;
	page->slab_cache = NULL;
	page_set(page, PG_slab);
	list_append(&kfence->free, &slot->link);
}

bool kfence_start(struct node *node, const struct kfence_settings *settings)
{
	unsigned long slots = settings->pages / 2 - 1;
	struct kfence *kfence;

	kassert(node->slab.boot != NULL && node->slab.kfence == NULL);
	kassert(settings->pages >= 4 && settings->again != NULL);
	kfence = alloc_pages_exact(kfence_size(slots), GFP_KERNEL | __GFP_ZERO);
	if (kfence == NULL)
		return false;
	kfence->lock.name = "kfence";
	kfence->settings = *settings;
	kfence->slots = slots;
	kfence->counts.objects = slots;
	list_init(&kfence->free);
	for (unsigned long i = 0; i < slots; i++)
		kfence_begin_slot(node, kfence, i);
	for (unsigned long i = 0; i < settings->pages; i++)
		direct_map_hide(settings->pfn + i);
	node->slab.kfence = kfence;
	if (settings->interval > 0)
		settings->again(settings->interval);
	return true;
}

bool kfence_stop(struct node *node)
{
	struct kfence *kfence = node->slab.kfence;

	if (kfence == NULL)
		return true;
	if (kfence->counts.in_use > 0)
		return false;
	(void)kfence_claim(node);
	node->slab.kfence = NULL;
	for (unsigned long i = 0; i < kfence->slots; i++) {
		struct page *page = node_page(
			node, kfence_slot_pfn(kfence, &kfence->slot[i]));

		kassert(kfence->slot[i].state == KFENCE_FREE); /* F2 */
		page_clear(page, PG_slab);
		page->private = 0;
	}
	for (unsigned long i = 0; i < kfence->settings.pages; i++)
		direct_map_show(kfence->settings.pfn + i);
	free_pages_exact(kfence, kfence_size(kfence->slots));
	return true;
}

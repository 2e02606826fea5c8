/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_cache.c -- caches made, emptied, ended.
 *
 * A cache is an object itself: of the cache of caches.  That one is made first, in
 * memory of the caller's stack, and then moved into the first object that it gives.
 *
 * A check or a report reads caches that others have made.  It is the visitor of one
 * cache at a time, and the cache is not ended meanwhile.
 *
 * Locking: the node's slab.lock for the list of caches; a cache's lock is not taken
 * under it.
 */
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/sched.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab/kfence_internal.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab_gfp.h"
#include "mm/slab/slab_internal.h"
#include "mm/slab/slab_quarantine.h"

/* Slabs that are looked at with interrupts off. */
#define SLAB_SLICE 16UL

#define SLAB_BOOT_SIZE                                                         \
	(sizeof(struct kmem_cache) + MAX_CPUS * sizeof(struct kmem_cache_cpu))

/* ---- Making -------------------------------------------------------------- */

static size_t slab_cache_size(unsigned int cpus)
{
	return sizeof(struct kmem_cache) + cpus * sizeof(struct kmem_cache_cpu);
}

/* NULL, or why there is no such cache. */
static const char *slab_cache_refusal(const struct node *node,
                                      const struct slab_wish *wish)
{
	const char *name = wish->name;

	if (node == NULL || node->slab.boot == NULL)
		return "there is no slab allocator yet";
	if (name == NULL || name[0] == '\0' || strlen(name) >= SLAB_NAME_SIZE)
		return "its name is missing or too long";
	if (wish->size == 0 || wish->size > PAGE_SIZE << MAX_ORDER)
		return "objects have 1 byte to 4 MiB";
	if ((wish->align & (wish->align - 1)) != 0 || wish->align > PAGE_SIZE)
		return "an alignment is a power of two up to 4096";
	if (wish->flags & ~(uint32_t)SLAB_ALL_FLAGS)
		return "no such flag";
	return NULL;
}

/* How many slabs a CPU keeps. */
static unsigned int slab_cache_cpu_partial(const struct kmem_cache *cache)
{
	uint32_t size = cache->shape.size;

	if (slab_is_debug(cache))
		return 0;
	return slab_shape_cpu_partial(
		size, slab_shape_objects(size, cache->shape.order));
}

/* A cache without slabs, in zeroed memory.  False: its slabs would be too large. */
static bool slab_cache_init(struct kmem_cache *cache, struct node *node,
                            const struct slab_wish *wish)
{
	unsigned int cpus = node->slab.cpus;

	kassert(cpus > 0);
	if (!slab_shape_make(&cache->shape, wish->size, wish->align,
	                     wish->flags, wish->ctor != NULL, cpus))
		return false;
	cache->node = node;
	cache->key = node->slab.key;
	cache->inverse = UINT64_MAX / cache->shape.size + 1;
	cache->flags = wish->flags;
	cache->constructor = wish->ctor;
	cache->pages =
		slab_gfp_of_cache((wish->flags & SLAB_CACHE_DMA) != 0,
	                          (wish->flags & SLAB_RECLAIM_ACCOUNT) != 0);
	cache->lock.name = "kmem_cache";
	list_init(&cache->partial);
	list_init(&cache->full);
	cache->min_partial = slab_shape_min_partial(cache->shape.size);
	cache->cpu_partial = slab_cache_cpu_partial(cache);
	for (unsigned int i = 0; i < cpus; i++)
		list_init(&cache->cpu[i].partial);
	scnprintf(cache->name, sizeof(cache->name), "%s", wish->name);
	return true;
}

static void slab_cache_publish(struct kmem_cache *cache)
{
	struct slab_state *state = &cache->node->slab;
	bool enabled = spin_lock_irqsave(&state->lock);

	list_append(&state->caches, &cache->link);
	state->count++;
	spin_unlock_irqrestore(&state->lock, enabled);
}

static void slab_cache_report(const char *name, uintptr_t caller,
                              const char *why)
{
	char place[PLACE_SIZE];

	pr_err("BUG: kmem_cache_create(%s) by %s at %s refused: %s\n",
	       name == NULL ? "NULL" : name, context_name(),
	       caller_format(place, sizeof(place), caller), why);
	backtrace_print_from(caller);
}

static struct kmem_cache *slab_cache_try(struct node *node,
                                         const struct slab_wish *wish,
                                         uintptr_t caller)
{
	const char *why = slab_cache_refusal(node, wish);
	struct slab_wish checked = *wish;
	struct kmem_cache *cache;

	if (why != NULL) {
		slab_cache_report(wish->name, caller, why);
		return NULL;
	}
	cache = slab_alloc(node->slab.boot, GFP_KERNEL | __GFP_ZERO,
	                   slab_cache_size(node->slab.cpus), caller);
	if (cache == NULL)
		return NULL;
	kassert((node->slab.debug & ~(uint32_t)SLAB_DEBUG_FLAGS) == 0);
	checked.flags |= node->slab.debug;
	if (!slab_cache_init(cache, node, &checked)) {
		slab_cache_report(wish->name, caller,
		                  "no order is large enough");
		kmem_cache_free(node->slab.boot, cache);
		return NULL;
	}
	slab_cache_publish(cache);
	return cache;
}

struct kmem_cache *slab_create(struct node *node, const struct slab_wish *wish,
                               uintptr_t caller)
{
	struct kmem_cache *cache;

	might_sleep();
	cache = slab_cache_try(node, wish, caller);
	if (cache == NULL && (wish->flags & SLAB_PANIC))
		panic("no cache %s, and the kernel cannot do without it",
		      wish->name == NULL ? "NULL" : wish->name);
	return cache;
}

/* ---- Emptying ------------------------------------------------------------ */

/* Wait until the lists of CPU I are free; they are the caller's then. */
static struct kmem_cache_cpu *slab_cache_enter(struct kmem_cache *cache,
                                               unsigned int i)
{
	struct kmem_cache_cpu *cpu = &cache->cpu[i];

	kassert(i < cache->node->slab.cpus);
	while (__atomic_exchange_n(&cpu->busy, 1, __ATOMIC_ACQUIRE) != 0)
		thread_sleep(UNTIL_NEXT_TICK);
	return cpu;
}

/* One object of the CPU's list to its slab's own.  False: there is none. */
static bool slab_cache_unload_one(struct kmem_cache *cache,
                                  struct kmem_cache_cpu *cpu)
{
	void *object = slab_pop(cache, &cpu->view, &cpu->free);
	bool enabled;

	if (object == NULL)
		return false;
	enabled = spin_lock_irqsave(&cache->lock);
	kassert(slab_counts(cpu->slab)->inuse > 0);
	slab_push(cache, &cpu->view, &cpu->slab->slab_free, object);
	slab_counts(cpu->slab)->inuse--;
	cache->free_objects++;
	spin_unlock_irqrestore(&cache->lock, enabled);
	return true;
}

/* SLAB, with or without free objects, to the cache's lists.  cache->lock held. */
static void slab_cache_put(struct kmem_cache *cache, struct page *slab,
                           struct list *gone)
{
	kassert(spin_is_mine(&cache->lock));
	if (slab->slab_free == 0)
		slab_put_full(cache, slab);
	else
		slab_put_partial(cache, slab, gone);
}

void slab_flush_cpu(struct kmem_cache *cache, unsigned int i)
{
	struct kmem_cache_cpu *cpu = slab_cache_enter(cache, i);
	struct list gone = LIST_INIT(gone);
	struct page *slab;
	bool enabled;

	while (slab_cache_unload_one(cache, cpu))
		;
	enabled = spin_lock_irqsave(&cache->lock);
	cpu->free = 0;
	if (cpu->slab != NULL)
		slab_cache_put(cache, cpu->slab, &gone);
	cpu->slab = NULL;
	while ((slab = list_first(&cpu->partial, struct page, link)) != NULL) {
		list_remove(&slab->link);
		slab_cache_put(cache, slab, &gone);
	}
	cpu->partials = 0;
	spin_unlock_irqrestore(&cache->lock, enabled);
	slab_leave(cpu);
	slab_report_broken(cache);
	slab_page_end_all(cache, &gone);
}

/* The first SLAB_SLICE partial slabs: empty ones to GONE, others to the end of the
 * list.  How many there were. */
static unsigned long slab_cache_sift(struct kmem_cache *cache,
                                     struct list *gone)
{
	bool enabled = spin_lock_irqsave(&cache->lock);
	unsigned long seen = 0;

	while (seen < SLAB_SLICE && !list_empty(&cache->partial)) {
		struct page *slab =
			list_first(&cache->partial, struct page, link);

		seen++;
		list_remove(&slab->link);
		if (slab_counts(slab)->inuse > 0) {
			list_append(&cache->partial, &slab->link);
			continue;
		}
		cache->partials--;
		slab_put_gone(cache, slab, gone);
	}
	spin_unlock_irqrestore(&cache->lock, enabled);
	return seen;
}

int kmem_cache_shrink(struct kmem_cache *cache)
{
	unsigned long left;

	might_sleep();
	slab_quarantine_drain(cache->node, cache);
	for (unsigned int i = 0; i < cache->node->slab.cpus; i++)
		slab_flush_cpu(cache, i);
	left = READ_ONCE(cache->partials);
	while (left > 0) {
		struct list gone = LIST_INIT(gone);
		unsigned long seen = slab_cache_sift(cache, &gone);

		slab_page_end_all(cache, &gone);
		if (seen == 0)
			break;
		left -= min(left, seen);
	}
	return READ_ONCE(cache->slabs) != 0;
}

/* ---- Ending -------------------------------------------------------------- */

static void slab_cache_unpublish(struct kmem_cache *cache)
{
	struct slab_state *state = &cache->node->slab;
	bool enabled = spin_lock_irqsave(&state->lock);

	while (cache->visitors > 0) {
		spin_unlock_irqrestore(&state->lock, enabled);
		thread_sleep(UNTIL_NEXT_TICK);
		enabled = spin_lock_irqsave(&state->lock);
	}
	list_remove(&cache->link);
	state->count--;
	spin_unlock_irqrestore(&state->lock, enabled);
}

/* False: there are objects in use. */
static bool slab_cache_end(struct kmem_cache *cache, uintptr_t caller)
{
	bool left = kmem_cache_shrink(cache) != 0;
	const void *object =
		left ? slab_find_used(cache) : kfence_find_used(cache);

	if (left || object != NULL) {
		slab_report_object(cache, object, caller,
		                   "is still in use: the cache stays");
		return false;
	}
	slab_cache_unpublish(cache);
	return true;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	if (cache == NULL)
		return;
	might_sleep();
	if (slab_cache_end(cache, RETURN_ADDRESS()))
		kmem_cache_free(cache->node->slab.boot, cache);
}

/* ---- Visitors ------------------------------------------------------------ */

struct kmem_cache *slab_visit(struct node *node, unsigned int index)
{
	struct slab_state *state = &node->slab;
	struct kmem_cache *cache = NULL;
	struct list *at;
	bool enabled;

	if (state->boot == NULL)
		return NULL;
	enabled = spin_lock_irqsave(&state->lock);
	list_for_each(at, &state->caches) {
		if (index-- > 0)
			continue;
		cache = container_of(at, struct kmem_cache, link);
		cache->visitors++;
		break;
	}
	spin_unlock_irqrestore(&state->lock, enabled);
	return cache;
}

void slab_visit_end(struct kmem_cache *cache)
{
	struct slab_state *state = &cache->node->slab;
	bool enabled = spin_lock_irqsave(&state->lock);

	kassert(cache->visitors > 0);
	cache->visitors--;
	spin_unlock_irqrestore(&state->lock, enabled);
}

void slab_shrink_node(struct node *node)
{
	struct kmem_cache *cache;

	for (unsigned int i = 0; (cache = slab_visit(node, i)) != NULL; i++) {
		(void)kmem_cache_shrink(cache);
		slab_visit_end(cache);
	}
}

/* ---- The node ------------------------------------------------------------ */

/* Move the cache of caches from BOOT into an object that it gives. */
static struct kmem_cache *slab_cache_settle(struct kmem_cache *boot,
                                            size_t size)
{
	struct kmem_cache *cache =
		slab_alloc(boot, GFP_KERNEL, size, RETURN_ADDRESS());
	struct page *slab = boot->cpu[arch_cpu_id()].slab;

	if (cache == NULL)
		return NULL;
	kassert(slab != NULL && boot->slabs == 1);
	memcpy(cache, boot, size);
	slab->slab_cache = cache;
	list_init(&cache->partial);
	list_init(&cache->full);
	for (unsigned int i = 0; i < cache->node->slab.cpus; i++)
		list_init(&cache->cpu[i].partial);
	return cache;
}

bool slab_start(struct node *node, unsigned int cpus, uint64_t key)
{
	struct slab_state *state = &node->slab;
	uint8_t room[SLAB_BOOT_SIZE] __aligned(64);
	struct kmem_cache *boot = (struct kmem_cache *)room;
	size_t size = slab_cache_size(cpus);
	const struct slab_wish wish = { "kmem_cache", size, 64, 0, NULL };

	kassert(cpus > 0 && cpus <= MAX_CPUS && state->boot == NULL);
	memset(room, 0, sizeof(room));
	state->lock.name = "slab_state";
	list_init(&state->caches);
	state->count = 0;
	state->cpus = cpus;
	state->key = key;
	state->fail_limit.interval = 10000000;
	state->fail_limit.burst = 1;
	failslab_attr_init(&node->failslab);
	if (!slab_cache_init(boot, node, &wish))
		return false;
	state->boot = slab_cache_settle(boot, size);
	if (state->boot == NULL)
		return false;
	slab_cache_publish(state->boot);
	kassert(state->boot->node == node);
	state->check = slab_check;
	if (kmalloc_start(node))
		return true;
	slab_stop(node);
	return false;
}

/* The cache of caches gives back the slab that it lies in itself. */
static void slab_cache_bury(struct kmem_cache *boot)
{
	struct page *slab = slab_head_of(boot->node, boot);

	kassert(boot->node->slab.boot == NULL);
	kassert(slab != NULL && slab_counts(slab)->inuse == 1);
	slab_counts(slab)->inuse = 0;
	slab_counts(slab)->place = SLAB_NEW;
	slab_page_end(boot, slab);
}

bool slab_stop(struct node *node)
{
	struct slab_state *state = &node->slab;
	struct kmem_cache *boot = state->boot;

	kassert(boot != NULL);
	slab_quarantine_stop(node);
	if (!kfence_stop(node))
		return false;
	kmalloc_stop(node);
	(void)kmem_cache_shrink(boot);
	if (state->count != 1 || boot->objects - boot->free_objects != 1)
		return false;
	state->boot = NULL;
	state->check = NULL;
	slab_cache_bury(boot);
	return true;
}

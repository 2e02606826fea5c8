/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_quarantine.c -- freed objects that nobody gets for a while.
 *
 * A freed object is usually the next one that is taken.  A write through an old pointer then
 * hits its new owner, and no poison shows it.  So with slab_quarantine=N the last N freed
 * objects wait in a ring, poisoned, and the oldest leaves when another one comes in:
 *
 *	kfree() --> checked, poisoned --> in, youngest ... oldest --> out: checked --> free list
 *
 * A write meanwhile is found when the object leaves, and reported with the place of the free.
 * Such an object is not used again.
 *
 * To its slab an object in quarantine is in use; the word that it would have on a free list
 * marks it.  So it cannot be freed twice, and its slab stays.  When a cache is shrunk or
 * ended its objects leave; slots of the ring without a cache are what they leave behind.
 *
 *  Q1  at most `most` slots are used, and the kept objects have at most 1/32 of the memory
 *  Q2  each kept object has the mark, and no other has it
 *
 * Linux has a quarantine in KASAN only: mm/kasan/quarantine.c, by bytes, with shadow memory
 * that reports each access immediately.
 *
 * Locking: quarantine->lock, inside no other lock and around none.  An object that was
 * taken out of the ring is in the hands of the context that took it.
 */
#include "mm/slab/slab_quarantine.h"

#include "kernel/core/clock.h"
#include "kernel/core/line_table.h"
#include "kernel/core/owner.h"
#include "mm/page_alloc.h"

#define QUARANTINE_MEMORY 32 /* at most 1/32 of it */

struct slab_quarantined {
	struct kmem_cache *cache; /* NULL: it has left already */
	void *object;
	uint64_t time; /* of the free */
	uint64_t taker;
	uintptr_t caller;
};

/* Field locks: (c) constant, (l) lock. */
struct slab_quarantine {
	struct spinlock lock;
	size_t most;       /* (c) slots */
	size_t most_bytes; /* (c) */
	size_t bytes;      /* (l) of the buffers of the kept objects */
	size_t first;      /* (l) the oldest slot */
	size_t used;       /* (l) slots from there on */
	size_t kept;       /* (l) ... with an object */
	struct slab_quarantined slot[];
};

static size_t slab_quarantine_size(size_t objects)
{
	return sizeof(struct slab_quarantine) +
	       objects * sizeof(struct slab_quarantined);
}

/* ---- The ring ------------------------------------------------------------ */

static struct slab_quarantined *
slab_quarantine_slot(struct slab_quarantine *quarantine, size_t index)
{
	kassert(index < quarantine->most);
	return &quarantine
	                ->slot[(quarantine->first + index) % quarantine->most];
}

/* The object leaves SLOT, which stays.  lock held. */
static struct slab_quarantined
slab_quarantine_take(struct slab_quarantine *quarantine,
                     struct slab_quarantined *slot)
{
	struct slab_quarantined taken = *slot;

	kassert(taken.cache != NULL);
	kassert(quarantine->kept > 0 &&
	        quarantine->bytes >= taken.cache->shape.size);
	quarantine->kept--;
	quarantine->bytes -= taken.cache->shape.size;
	slot->cache = NULL;
	return taken;
}

/* The oldest slot is free; its object, if there is one still, is in the result.  lock held. */
static struct slab_quarantined
slab_quarantine_pop(struct slab_quarantine *quarantine)
{
	struct slab_quarantined *slot = slab_quarantine_slot(quarantine, 0);
	struct slab_quarantined taken = { 0 };

	kassert(quarantine->used > 0);
	if (slot->cache != NULL)
		taken = slab_quarantine_take(quarantine, slot);
	quarantine->first = (quarantine->first + 1) % quarantine->most;
	quarantine->used--;
	return taken;
}

/* Is there room for SIZE bytes more?  lock held. */
static bool slab_quarantine_has_room(const struct slab_quarantine *quarantine,
                                     size_t size)
{
	kassert(quarantine->used <= quarantine->most); /* Q1 */
	return quarantine->used < quarantine->most &&
	       quarantine->bytes + size <= quarantine->most_bytes;
}

/* ---- Out ----------------------------------------------------------------- */

static void slab_quarantine_report(const struct slab_quarantined *entry)
{
	char place[PLACE_SIZE];

	pr_err("  object %p of %s was freed by %s at %s, %llu us ago\n",
	       entry->object, entry->cache->name, owner_name(entry->taker),
	       caller_format(place, sizeof(place), entry->caller),
	       (unsigned long long)(clock_microseconds() - entry->time));
}

/* The object of ENTRY, which was taken out of the ring, is checked and goes to the free
 * list, on behalf of CALLER. */
static void slab_quarantine_release(const struct slab_quarantined *entry,
                                    uintptr_t caller)
{
	struct kmem_cache *cache = entry->cache;
	struct page *slab = slab_head_of(cache->node, entry->object);

	kassert(slab != NULL && slab->slab_cache == cache);
	kassert(slab_quarantine_has(cache, entry->object)); /* Q2 */
	*slab_word(cache, entry->object) = 0;
	if (slab_debug_leave(cache, entry->object, caller))
		slab_give_back(cache, slab, entry->object);
	else
		slab_quarantine_report(entry);
}

/* ---- In ------------------------------------------------------------------ */

bool slab_quarantine_put(struct kmem_cache *cache, void *object,
                         uintptr_t caller)
{
	struct slab_quarantine *quarantine = cache->node->slab.quarantine;
	struct slab_quarantined entry = { cache, object, clock_microseconds(),
		                          current_owner_id(), caller };
	size_t size = cache->shape.size;
	bool done = false;

	if (quarantine == NULL || (cache->flags & SLAB_POISON) == 0 ||
	    size > quarantine->most_bytes)
		return false;
	while (!done) {
		bool enabled = spin_lock_irqsave(&quarantine->lock);
		struct slab_quarantined old = { 0 };

		done = slab_quarantine_has_room(quarantine, size);
		if (done) {
			*slab_word(cache, object) = UINT64_MAX ^ cache->key;
			quarantine->used++;
			quarantine->kept++;
			quarantine->bytes += size;
			*slab_quarantine_slot(quarantine,
			                      quarantine->used - 1) = entry;
		} else {
			old = slab_quarantine_pop(quarantine);
		}
		spin_unlock_irqrestore(&quarantine->lock, enabled);
		if (old.cache != NULL)
			slab_quarantine_release(&old, caller);
	}
	return true;
}

/* ---- Drains and questions ------------------------------------------------ */

void slab_quarantine_drain(struct node *node, const struct kmem_cache *cache)
{
	struct slab_quarantine *quarantine = node->slab.quarantine;
	size_t most = quarantine == NULL ? 0 : quarantine->most;

	for (size_t i = 0; i < most; i++) {
		bool enabled = spin_lock_irqsave(&quarantine->lock);
		struct slab_quarantined *slot = &quarantine->slot[i];
		struct slab_quarantined old = { 0 };

		if (slot->cache != NULL &&
		    (cache == NULL || slot->cache == cache))
			old = slab_quarantine_take(quarantine, slot);
		spin_unlock_irqrestore(&quarantine->lock, enabled);
		if (old.cache != NULL)
			slab_quarantine_release(&old, RETURN_ADDRESS());
	}
}

void slab_quarantine_explain(const struct kmem_cache *cache, const void *object)
{
	struct slab_quarantine *quarantine = cache->node->slab.quarantine;
	size_t most = quarantine == NULL ? 0 : quarantine->most;

	for (size_t i = 0; i < most; i++) {
		bool enabled = spin_lock_irqsave(&quarantine->lock);
		struct slab_quarantined entry = quarantine->slot[i];

		spin_unlock_irqrestore(&quarantine->lock, enabled);
		if (entry.cache == cache && entry.object == object) {
			slab_quarantine_report(&entry);
			return;
		}
	}
}

size_t slab_quarantine_count(const struct node *node)
{
	const struct slab_quarantine *quarantine = node->slab.quarantine;

	return quarantine == NULL ? 0 : READ_ONCE(quarantine->kept);
}

/* ---- Beginning and end --------------------------------------------------- */

bool slab_quarantine_start(struct node *node, size_t objects)
{
	struct slab_quarantine *quarantine;

	kassert(node->slab.boot != NULL && node->slab.quarantine == NULL);
	kassert(objects > 0);
	quarantine = alloc_pages_exact(slab_quarantine_size(objects),
	                               GFP_KERNEL | __GFP_ZERO);
	if (quarantine == NULL)
		return false;
	quarantine->lock.name = "slab quarantine";
	quarantine->most = objects;
	quarantine->most_bytes =
		node_managed(node) * PAGE_SIZE / QUARANTINE_MEMORY;
	node->slab.quarantine = quarantine;
	return true;
}

void slab_quarantine_stop(struct node *node)
{
	struct slab_quarantine *quarantine = node->slab.quarantine;

	if (quarantine == NULL)
		return;
	slab_quarantine_drain(node, NULL);
	kassert(quarantine->kept == 0 && quarantine->bytes == 0);
	node->slab.quarantine = NULL;
	free_pages_exact(quarantine, slab_quarantine_size(quarantine->most));
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_check.c -- the invariants S1 to S5.
 *
 * The counters of a cache belong together only under its lock, and are compared
 * there.  A free list may have some hundred words, which is too long for a lock: so a
 * slab is taken off the cache's list for as long as its own list is looked at (it stays
 * in the counters).  Meanwhile it serves no request, and objects that are freed to it
 * come before those that the walk sees.  A CPU's list is walked under busy.
 *
 * Locking: the cache's lock for a few steps; busy for a CPU's list.
 */
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/check.h"
#include "mm/slab/slab_internal.h"

/* A walk along one free list. */
struct slab_walk {
	struct kmem_cache *cache;
	const struct page *slab;
	const char *wrong; /* NULL: nothing */
	void *at;          /* the object in question */
	unsigned int seen;
};

/* ---- Is an object free? -------------------------------------------------- */

static bool slab_check_list_has(struct kmem_cache *cache,
                                const struct page *slab, uint64_t free,
                                const void *object)
{
	const struct slab_view view = slab_view_of(cache, slab);

	for (unsigned int i = 0; i < slab_counts(slab)->objects && free != 0;
	     i++) {
		if (!slab_is_buffer(cache, &view, free))
			return false;
		if (view.before + free == (uintptr_t)object)
			return true;
		free = slab_next(cache, (void *)(view.before + free));
	}
	return false;
}

bool slab_check_is_free(struct kmem_cache *cache, const struct page *slab,
                        const void *object)
{
	kassert(spin_is_mine(&cache->lock));
	if (slab_check_list_has(cache, slab, slab->slab_free, object))
		return true;
	for (unsigned int i = 0; i < cache->node->slab.cpus; i++) {
		const struct kmem_cache_cpu *cpu = &cache->cpu[i];

		if (cpu->slab == slab &&
		    slab_check_list_has(cache, slab, READ_ONCE(cpu->free),
		                        object))
			return true;
	}
	return false;
}

/* ---- S3, S5: one free list ----------------------------------------------- */

static void slab_walk_list(struct slab_walk *walk, uint64_t free)
{
	struct kmem_cache *cache = walk->cache;
	const struct slab_view view = slab_view_of(cache, walk->slab);

	kassert(walk->seen == 0);
	while (free != 0 && walk->wrong == NULL) {
		walk->at = (void *)(view.before + free);
		if (!slab_is_buffer(cache, &view, free))
			walk->wrong = "its free list leads to no object";
		else if (++walk->seen > slab_counts(walk->slab)->objects)
			walk->wrong = "its free list has no end";
		else if (slab_is_debug(cache))
			walk->wrong = slab_debug_look(cache, walk->at);
		if (walk->wrong != NULL)
			return;
		free = slab_next(cache, walk->at);
		if (free > view.bytes)
			walk->wrong = "its free list is broken";
	}
}

/* ---- S4: the pages of a slab --------------------------------------------- */

static const char *slab_check_pages(const struct kmem_cache *cache,
                                    const struct page *slab)
{
	if (!page_has(slab, PG_slab) || slab->state != PAGE_USED)
		return "its page is no slab";
	if (slab->slab_cache != cache)
		return "its slab is another cache's";
	if (slab_counts(slab)->objects !=
	    slab_shape_objects(cache->shape.size, slab->order))
		return "its slab counts its objects wrongly";
	for (unsigned long i = 1; i < 1UL << slab->order; i++) {
		if (slab[i].slab_head != slab)
			return "a tail of its slab does not point to the head";
	}
	return NULL;
}

/* ---- S2: the slabs on the cache's lists ---------------------------------- */

/* The first slab of LIST, from which no object is taken any more, or NULL; its free list
 * and the length of it. */
static struct page *slab_check_begin(struct kmem_cache *cache,
                                     struct list *list, uint64_t *free,
                                     unsigned int *expected)
{
	bool enabled = spin_lock_irqsave(&cache->lock);
	struct page *slab = list_first(list, struct page, link);

	if (slab != NULL) {
		list_remove(&slab->link);
		slab_counts(slab)->place = SLAB_CHECKED;
		*free = slab->slab_free;
		*expected =
			slab_counts(slab)->objects - slab_counts(slab)->inuse;
	}
	spin_unlock_irqrestore(&cache->lock, enabled);
	return slab;
}

/* It goes back, to the end of the list that it belongs to now. */
static void slab_check_end(struct kmem_cache *cache, struct page *slab,
                           bool was_full, struct list *gone)
{
	bool enabled = spin_lock_irqsave(&cache->lock);
	unsigned long *length = was_full ? &cache->fulls : &cache->partials;

	kassert(slab_counts(slab)->place == SLAB_CHECKED);
	kassert(*length > 0);
	(*length)--;
	if (slab->slab_free == 0)
		slab_put_full(cache, slab);
	else
		slab_put_partial(cache, slab, gone);
	spin_unlock_irqrestore(&cache->lock, enabled);
}

/* The first slab of LIST.  False: something is wrong with it, as WALK says. */
static bool slab_check_one(struct kmem_cache *cache, struct list *list,
                           struct slab_walk *walk)
{
	struct list gone = LIST_INIT(gone);
	unsigned int expected = 0;
	uint64_t free = 0;
	struct page *slab = slab_check_begin(cache, list, &free, &expected);

	if (slab == NULL)
		return true;
	*walk = (struct slab_walk){ .cache = cache, .slab = slab };
	walk->wrong = slab_check_pages(cache, slab);
	if (walk->wrong == NULL)
		slab_walk_list(walk, free);
	if (walk->wrong == NULL && walk->seen != expected)
		walk->wrong = "its slab has another number of free objects";
	slab_check_end(cache, slab, list == &cache->full, &gone);
	slab_page_end_all(cache, &gone);
	return walk->wrong == NULL;
}

static bool slab_check_list(struct kmem_cache *cache, struct list *list,
                            const unsigned long *length, struct slab_walk *walk)
{
	unsigned long count = READ_ONCE(*length);

	for (unsigned long i = 0; i < count; i++) {
		if (!slab_check_one(cache, list, walk))
			return false;
	}
	return true;
}

/* ---- The lists of CPUs --------------------------------------------------- */

/* False: something is wrong.  A list that somebody has is not looked at. */
static bool slab_check_cpu(struct kmem_cache *cache, unsigned int i,
                           struct slab_walk *walk)
{
	struct kmem_cache_cpu *cpu = &cache->cpu[i];
	bool sound = true;

	if (__atomic_exchange_n(&cpu->busy, 1, __ATOMIC_ACQUIRE) != 0)
		return true;
	if (cpu->slab != NULL) {
		*walk = (struct slab_walk){ .cache = cache, .slab = cpu->slab };
		walk->wrong = slab_check_pages(cache, cpu->slab);
		if (walk->wrong == NULL)
			slab_walk_list(walk, cpu->free);
		sound = walk->wrong == NULL;
	}
	slab_leave(cpu);
	return sound;
}

/* ---- S1: the counters of a cache ----------------------------------------- */

static const char *slab_check_counts(struct kmem_cache *cache)
{
	bool enabled = spin_lock_irqsave(&cache->lock);
	unsigned long slabs = cache->partials + cache->fulls;
	bool same;

	for (unsigned int i = 0; i < cache->node->slab.cpus; i++)
		slabs += cache->cpu[i].partials + (cache->cpu[i].slab != NULL);
	same = slabs == cache->slabs && cache->free_objects <= cache->objects;
	spin_unlock_irqrestore(&cache->lock, enabled);
	return same ? NULL : "its counters do not agree";
}

static bool slab_check_cache(struct kmem_cache *cache, struct slab_walk *walk)
{
	bool sound = slab_check_list(cache, &cache->partial, &cache->partials,
	                             walk) &&
	             slab_check_list(cache, &cache->full, &cache->fulls, walk);

	for (unsigned int i = 0; sound && i < cache->node->slab.cpus; i++)
		sound = slab_check_cpu(cache, i, walk);
	if (!sound)
		return false;
	*walk = (struct slab_walk){ .wrong = slab_check_counts(cache) };
	return walk->wrong == NULL;
}

const char *slab_check(struct node *node, char *buffer, size_t size)
{
	const char *spoiled = check_buffer(buffer, size);
	struct kmem_cache *cache;
	struct slab_walk walk;
	bool sound = true;

	if (spoiled != NULL)
		return spoiled;
	for (unsigned int i = 0; sound; i++) {
		cache = slab_visit(node, i);
		if (cache == NULL)
			break;
		sound = slab_check_cache(cache, &walk);
		if (!sound)
			scnprintf(buffer, size, "slab %s: %s (object %p)",
			          cache->name, walk.wrong, walk.at);
		slab_visit_end(cache);
	}
	return sound ? NULL : buffer;
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_page.c -- slabs made of pages, and pages given back.
 *
 * A slab is a block of the front door like any other.  While it is a slab, its head
 * has PG_slab, its cache and its free list, and each tail points to the head, so that
 * an address inside is found by one look.  That is written when the slab takes the
 * block and cleared before it gives it back, for the page allocator finds every word
 * that its user has left.
 *
 * Locking: none; the slab is in the hands of one caller.
 */
#include "kernel/core/context.h"
#include "kernel/core/sched.h"
#include "lib/string.h"
#include "mm/reclaim/shrinker.h"
#include "mm/slab/slab_gfp.h"
#include "mm/slab/slab_internal.h"

/* The preferred order, quickly; else the smallest, with all that the caller allows. */
static struct page *slab_page_take(struct kmem_cache *cache, gfp_t mask)
{
	gfp_t pages = slab_gfp_pages(mask, cache->pages);
	unsigned int order = cache->shape.order;
	unsigned int lowest = cache->shape.min_order;
	struct page *page;

	kassert(lowest <= order);
	page = alloc_pages_node(
		cache->node, slab_gfp_first_try(pages, order > lowest), order);
	if (page == NULL)
		page = alloc_pages_node(cache->node, pages, lowest);
	return page;
}

/* The objects of a new SLAB, each with its word, constructed. */
static void slab_page_cut(struct kmem_cache *cache, struct page *slab)
{
	const struct slab_view view = slab_view_of(cache, slab);
	uint8_t *at = (uint8_t *)view.before + 1 + cache->shape.red_left;
	unsigned int objects = slab_counts(slab)->objects;

	kassert(objects > 0);
	if (cache->flags & SLAB_POISON)
		memset((void *)(view.before + 1), 0x5a, view.bytes);
	/* From the last one on, so that the first one is taken first. */
	for (unsigned int i = objects; i-- > 0;) {
		void *object = at + (size_t)i * cache->shape.size;

		slab_debug_cut(cache, object);
		if (cache->constructor != NULL)
			cache->constructor(object);
		slab_push(cache, &view, &slab->slab_free, object);
	}
}

struct page *slab_page_make(struct kmem_cache *cache, gfp_t mask)
{
	struct page *slab = slab_page_take(cache, mask);

	if (slab == NULL)
		return NULL;
	kassert(slab->bits == 0 && slab->slab_cache == NULL);
	kassert(slab->order >= cache->shape.min_order);
	slab->slab_cache = cache;
	slab->slab_free = 0;
	slab_counts(slab)->inuse = 0;
	slab_counts(slab)->objects =
		slab_shape_objects(cache->shape.size, slab->order) &
		SLAB_MAX_OBJECTS;
	slab_counts(slab)->place = SLAB_NEW;
	slab_page_cut(cache, slab);
	page_set(slab, PG_slab);
	for (unsigned long i = 1; i < 1UL << slab->order; i++)
		WRITE_ONCE(slab[i].slab_head, slab);
	return slab;
}

void slab_page_end(struct kmem_cache *cache, struct page *slab)
{
	unsigned int order = slab->order;

	kassert(slab->slab_cache == cache);
	kassert(slab_counts(slab)->place == SLAB_NEW &&
	        slab_counts(slab)->inuse == 0);
	kassert(page_has(slab, PG_slab));
	page_clear(slab, PG_slab);
	for (unsigned long i = 0; i < 1UL << order; i++)
		WRITE_ONCE(slab[i].slab_head, NULL);
	slab->slab_free = 0;
	slab->private = 0;
	/* To a shrinker, whose thread this may be, they count. */
	if (!in_interrupt() && current_thread() != NULL)
		mm_account_reclaimed_pages(1UL << order);
	free_pages_node(cache->node, slab, order, RETURN_ADDRESS());
}

void slab_page_end_all(struct kmem_cache *cache, struct list *slabs)
{
	struct page *slab;

	while ((slab = list_first(slabs, struct page, link)) != NULL) {
		list_remove(&slab->link);
		slab_page_end(cache, slab);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_gfp.h -- what a mask means to the slab allocator.
 *
 * An object comes out of pages that others share, so most of a mask says nothing
 * about it.  These functions are the only ones of mm/slab/ that look at bits.
 * Pure; any context.  Source: the behaviour of Linux 6.12, mm/slub.c, mm/internal.h.
 */
#ifndef MM_SLAB_SLAB_GFP_H
#define MM_SLAB_SLAB_GFP_H

#include "mm/gfp.h"
#include "mm/slab/slab_state.h"

/* Linux's GFP_RECLAIM_MASK: how hard to try, the only part that a request for an
 * object passes on to the request for pages. */
#define SLAB_GFP_EFFORT                                                        \
	(__GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN |     \
	 __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NORETRY | __GFP_MEMALLOC | \
	 __GFP_NOMEMALLOC)

/* ... and where from: Linux's GFP_CONSTRAINT_MASK. */
#define SLAB_GFP_PLACE (__GFP_HARDWALL | __GFP_THISNODE)

static_assert(SLAB_GFP_EFFORT == 0xbece0, "Linux's value");

/* Nothing in MASK but effort and place: any free object will do. */
static inline bool slab_gfp_is_plain(gfp_t mask)
{
	return (mask & ~(gfp_t)(SLAB_GFP_EFFORT | SLAB_GFP_PLACE)) == 0;
}

/* Which caches of kmalloc() serve MASK. */
enum kmalloc_kind slab_gfp_kind(gfp_t mask);

/* NULL, or why MASK is refused; the bits to blame in *BLAMED. */
const char *slab_gfp_refusal(gfp_t mask, gfp_t *blamed);

/* Linux's GFP_SLAB_BUG_MASK: bits of MASK that make no sense for an object, and are
 * taken away with a report. */
gfp_t slab_gfp_illegal(gfp_t mask);

bool slab_gfp_wants_zero(gfp_t mask);

/* The mask of a request for a slab's pages: MASK without what is not passed on, with
 * the flags of the cache. */
gfp_t slab_gfp_pages(gfp_t mask, gfp_t cache);

/*
 * Of that one, the first try, for the preferred order: it fails quickly and quietly.
 * ABOVE_MINIMUM: there is a smaller order to try afterwards, so a request that may
 * reclaim does not do so for this one.
 */
gfp_t slab_gfp_first_try(gfp_t pages, bool above_minimum);

/* The flags that a cache adds: COMP, and of its SLAB_... flags. */
gfp_t slab_gfp_of_cache(bool dma, bool reclaimable);

/* The mask for page tables of vmalloc(): GFP_KERNEL, whatever MASK is, and nobody is
 * killed for them if MASK wants nobody killed. */
gfp_t slab_gfp_table(gfp_t mask);

/* The mask for pages of kmalloc() above the largest class. */
gfp_t slab_gfp_large(gfp_t mask);

/* May a request with MASK in CONTEXT, of an OOM VICTIM or not, have memory that was
 * taken without watermarks?  Linux: gfp_pfmemalloc_allowed(). */
bool slab_gfp_is_entitled(gfp_t mask, const struct alloc_context *context,
                          bool victim);

#endif

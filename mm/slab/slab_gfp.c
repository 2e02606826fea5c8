/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_gfp.c -- what a mask means to the slab allocator.
 *
 *	mask of the caller
 *	  refused	ACCOUNT (no memory groups yet), EXCLUSIVE (it is for pages)
 *	  taken away	DMA32, HIGHMEM, unknown bits: with a report, each time
 *	  the object's	ZERO
 *	  passed on	effort and place: slab_gfp.h
 *	  ignored	the rest: zone and type of page are the cache's
 */
#include "mm/slab/slab_gfp.h"

#include "kernel/core/panic.h"

enum kmalloc_kind slab_gfp_kind(gfp_t mask)
{
	if (mask & __GFP_DMA)
		return KMALLOC_DMA;
	return mask & __GFP_RECLAIMABLE ? KMALLOC_RCL : KMALLOC_NORMAL;
}

const char *slab_gfp_refusal(gfp_t mask, gfp_t *blamed)
{
	*blamed = mask & __GFP_ACCOUNT;
	if (*blamed != 0)
		return "not supported yet";
	*blamed = mask & __GFP_EXCLUSIVE;
	if (*blamed != 0)
		return "an exclusive page is a page, not an object";
	return NULL;
}

/* All flags that have a bit. */
static gfp_t slab_gfp_known(void)
{
	const struct gfp_name *name;
	gfp_t known = 0;

	for (unsigned int i = 0; (name = gfp_name_at(i)) != NULL; i++)
		known |= name->mask;
	kassert((known & __GFP_ZERO) != 0);
	return known;
}

gfp_t slab_gfp_illegal(gfp_t mask)
{
	if (slab_gfp_is_plain(mask))
		return 0;
	return mask & (~slab_gfp_known() | __GFP_DMA32 | __GFP_HIGHMEM);
}

bool slab_gfp_wants_zero(gfp_t mask)
{
	return (mask & __GFP_ZERO) != 0;
}

gfp_t slab_gfp_pages(gfp_t mask, gfp_t cache)
{
	kassert((cache & __GFP_COMP) != 0);
	return (mask & (SLAB_GFP_EFFORT | SLAB_GFP_PLACE)) | cache;
}

gfp_t slab_gfp_first_try(gfp_t pages, bool above_minimum)
{
	gfp_t first =
		(pages | __GFP_NOWARN | __GFP_NORETRY) & ~(gfp_t)__GFP_NOFAIL;

	kassert((pages & __GFP_COMP) != 0);
	if (above_minimum && (first & __GFP_DIRECT_RECLAIM))
		first = (first | __GFP_NOMEMALLOC) & ~(gfp_t)__GFP_RECLAIM;
	return first;
}

gfp_t slab_gfp_of_cache(bool dma, bool reclaimable)
{
	gfp_t mask = __GFP_COMP;

	if (dma)
		mask |= __GFP_DMA;
	if (reclaimable)
		mask |= __GFP_RECLAIMABLE;
	return mask;
}

gfp_t slab_gfp_table(gfp_t mask)
{
	return GFP_KERNEL | (mask & __GFP_RETRY_MAYFAIL);
}

gfp_t slab_gfp_large(gfp_t mask)
{
	return mask | __GFP_COMP;
}

bool slab_gfp_is_entitled(gfp_t mask, const struct alloc_context *context,
                          bool victim)
{
	if (mask & __GFP_NOMEMALLOC)
		return false;
	return (mask & __GFP_MEMALLOC) ||
	       ((context->memalloc || victim) && !context->in_interrupt);
}

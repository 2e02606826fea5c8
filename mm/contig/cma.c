/* SPDX-License-Identifier: MIT */
/*
 * mm/contig/cma.c -- a range of frames that is kept for contiguous requests, and lent to
 * movable pages meanwhile.
 *
 * alloc_contig_pages() finds no place once each pageblock has a page that stays.  An area of
 * CMA pageblocks cannot come to that: only pages that can move are lent its frames.
 *
 *	frames		|....|m.mm|....|mmm.|....|	m: movable pages
 *	taken		 0    1    0    0    0		one bit for 2^order frames
 *	cma_alloc()	      ^ first fit: the second is the caller's, and empty of m
 *
 *	request		takes pages from a CMA pageblock
 *	MOVABLE		first if more than half of all free pages are CMA, otherwise when its own
 *			lists are empty and before it claims or steals
 *	others		never, and their watermarks do not count them
 *
 * A bit is set before the range is emptied and cleared if that fails, so the place of the
 * next attempt is behind it.  Only -EBUSY makes another place worth while.
 *
 * Invariant B7 (mm/buddy.c): zone->nr_free_cma is the number of pages on the CMA lists.
 *
 * Locking: cma->lock, a mutex, over the bits and over alloc_contig_range(): two calls at the
 * same time would find one another's pageblocks isolated.
 *
 * Source: Linux 6.12 mm/cma.c: cma_activate_area(), cma_alloc(), cma_release().
 */
#include "mm/contig/cma.h"

#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/contig/contig.h"
#include "mm/pageblock.h"

/* ---- An area comes into being -------------------------------------------- */

static struct zone *cma_zone(struct node *node, unsigned long pfn)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (zone_contains(&node->zone[type], pfn))
			return &node->zone[type];
	}
	return NULL;
}

/* The pageblock at PFN, one of TYPE, is free from now on. */
static void cma_release_block(struct zone *zone, unsigned long pfn,
                              enum migratetype type)
{
	bool enabled;

	kassert(pageblock_is_whole(zone, pfn));
	enabled = spin_lock_irqsave(&zone->lock);
	kassert(pageblock_of(zone, pfn)->free == 0);
	pageblock_set_type(zone, pfn, type);
	if (type == MIGRATE_CMA)
		zone->nr_cma += PAGEBLOCK_PAGES;
	spin_unlock_irqrestore(&zone->lock, enabled);
	zone_release(zone, pfn, pfn + PAGEBLOCK_PAGES);
}

int cma_init_area(struct cma *cma, struct node *node, unsigned long base_pfn,
                  unsigned long count, unsigned int order, unsigned long *taken)
{
	bool one = cma_zone(node, base_pfn) ==
	           cma_zone(node, base_pfn + count - 1);

	kassert(count > 0 && base_pfn % PAGEBLOCK_PAGES == 0);
	kassert(count % PAGEBLOCK_PAGES == 0 && order <= PAGEBLOCK_ORDER);
	*cma = (struct cma){ .node = node };
	mutex_init(&cma->lock, "cma");
	for (unsigned long pfn = base_pfn; pfn < base_pfn + count;
	     pfn += PAGEBLOCK_PAGES)
		cma_release_block(cma_zone(node, pfn), pfn,
		                  one ? MIGRATE_CMA : MIGRATE_MOVABLE);
	if (!one)
		return -EINVAL;
	kassert(cma_zone(node, base_pfn)->nr_cma >= count);
	cma->base_pfn = base_pfn;
	cma->count = count;
	cma->order = order;
	cma->taken = taken;
	return 0;
}

/* ---- Bits; cma->lock held ------------------------------------------------ */

static unsigned long cma_bits_for(const struct cma *cma, unsigned long count)
{
	return (count + (1UL << cma->order) - 1) >> cma->order;
}

static void cma_mark(const struct cma *cma, unsigned long bit,
                     unsigned long bits, bool taken)
{
	kassert(bit + bits <= cma->count >> cma->order);
	for (; bits > 0; bits--, bit++) {
		kassert(bitmap_test(cma->taken, bit) != taken);
		if (taken)
			bitmap_set(cma->taken, bit);
		else
			bitmap_clear(cma->taken, bit);
	}
}

/* How many of BITS bits from BIT on are as TAKEN says, before the first that is not. */
static unsigned long cma_run(const struct cma *cma, unsigned long bit,
                             unsigned long bits, bool taken)
{
	unsigned long run = 0;

	kassert(bit + bits <= cma->count >> cma->order);
	while (run < bits && bitmap_test(cma->taken, bit + run) == taken)
		run++;
	return run;
}

/* The first place from FROM on with BITS clear bits whose frame is a multiple of
 * 2^ALIGN; -1UL: there is none. */
static unsigned long cma_find(const struct cma *cma, unsigned long from,
                              unsigned long bits, unsigned int align)
{
	unsigned long step = 1UL
	                     << (align > cma->order ? align - cma->order : 0);
	unsigned long base = cma->base_pfn >> cma->order;
	unsigned long end = cma->count >> cma->order;

	kassert(bits > 0 && from <= end);
	for (unsigned long bit = from;; bit++) {
		unsigned long run;

		bit = ALIGN_UP(base + bit, step) - base;
		if (bit + bits > end)
			return -1UL;
		run = cma_run(cma, bit, bits, false);
		if (run == bits)
			return bit;
		bit += run;
	}
}

/* ---- Taking and giving --------------------------------------------------- */

static struct page *cma_take(struct cma *cma, unsigned long count,
                             unsigned int align, gfp_t mask)
{
	unsigned long bits = cma_bits_for(cma, count);
	unsigned long bit = 0;

	kassert(count > 0 && align <= MAX_ORDER);
	while ((bit = cma_find(cma, bit, bits, align)) != -1UL) {
		unsigned long pfn = cma->base_pfn + (bit << cma->order);
		int error;

		cma_mark(cma, bit, bits, true);
		error = alloc_contig_range(pfn, pfn + count, MIGRATE_CMA, mask);
		if (error == 0)
			return node_page(cma->node, pfn);
		cma_mark(cma, bit, bits, false);
		if (error != -EBUSY)
			break;
		bit++;
	}
	return NULL;
}

struct page *cma_alloc(struct cma *cma, unsigned long count, unsigned int align,
                       bool no_warn)
{
	struct page *page = NULL;

	if (count == 0 || cma->count == 0)
		return NULL;
	if (align <= MAX_ORDER && count <= cma->count) {
		mutex_lock(&cma->lock);
		page = cma_take(cma, count, align,
		                GFP_KERNEL | (no_warn ? __GFP_NOWARN : 0));
		mutex_unlock(&cma->lock);
	}
	count_vm_event(cma->node, page != NULL ? VMSTAT_cma_alloc_success
	                                       : VMSTAT_cma_alloc_fail);
	if (page == NULL && !no_warn)
		pr_warn("cma: no place for %lu pages, %lu of %lu are "
		        "taken\n",
		        count, cma_taken(cma), cma->count);
	return page;
}

bool cma_release(struct cma *cma, const struct page *pages, unsigned long count)
{
	unsigned long pfn;
	unsigned long bit;
	unsigned long bits = cma_bits_for(cma, count);
	bool taken;

	kassert(cma->count % PAGEBLOCK_PAGES == 0);
	if (pages == NULL || count == 0 || cma->count == 0)
		return false;
	pfn = node_pfn(cma->node, pages);
	if (pfn < cma->base_pfn || count > cma->count ||
	    pfn - cma->base_pfn > cma->count - count)
		return false;
	bit = (pfn - cma->base_pfn) >> cma->order;
	mutex_lock(&cma->lock);
	taken = cma_run(cma, bit, bits, true) == bits;
	if (taken) {
		free_contig_range(pfn, count);
		cma_mark(cma, bit, bits, false);
	}
	mutex_unlock(&cma->lock);
	return taken;
}

unsigned long cma_taken(struct cma *cma)
{
	unsigned long taken = 0;

	if (cma->count == 0)
		return 0;
	mutex_lock(&cma->lock);
	for (unsigned long bit = 0; bit < cma->count >> cma->order; bit++)
		taken += bitmap_test(cma->taken, bit) ? 1UL << cma->order : 0;
	mutex_unlock(&cma->lock);
	return taken;
}

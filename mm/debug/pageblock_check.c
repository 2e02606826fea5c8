/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/pageblock_check.c -- counting the pages of each pageblock again.
 *
 * The invariants P1 and P2 of mm/pageblock.c, for one pageblock at a time.  The buddy's
 * lists are mm/buddy.c's, the zone's counters those of mm/debug/zone_check.c.
 *
 * Locking: zone->lock and zone->lru.lock, one after the other.
 */
#include "kernel/core/panic.h"
#include "lib/format.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"

static unsigned long pageblock_count_free(const struct zone *zone,
                                          unsigned long first,
                                          unsigned long end)
{
	const struct page *head = zone_block_head(zone, first);
	unsigned long pages = 0;

	for (unsigned long pfn = first; pfn < end;) {
		unsigned long next = pfn + 1;

		if (head != NULL && head->state != PAGE_NONE)
			next = zone_pfn(zone, head) + (1UL << head->order);
		next = clamp(next, pfn + 1, end);
		if (head != NULL && head->state == PAGE_FREE)
			pages += next - pfn;
		pfn = next;
		if (pfn < end)
			head = zone_page(zone, pfn);
	}
	return pages;
}

static unsigned long pageblock_count_listed(const struct zone *zone,
                                            unsigned long first,
                                            unsigned long end)
{
	unsigned long pages = 0;

	for (unsigned long pfn = first; pfn < end; pfn++)
		pages += page_has(zone_page(zone, pfn), PG_lru) ? 1 : 0;
	return pages;
}

static const char *pageblock_check_one(struct zone *zone, unsigned long pfn,
                                       char *buffer, size_t size)
{
	const struct pageblock *block = pageblock_of(zone, pfn);
	unsigned long end =
		min(ALIGN_DOWN(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES,
	            zone->start_pfn + zone->spanned);
	bool enabled = spin_lock_irqsave(&zone->lock);
	unsigned long free = pageblock_count_free(zone, pfn, end);
	bool sound = free == block->free && block->type < MIGRATE_TYPES;
	unsigned long listed;
	bool counted;

	spin_unlock_irqrestore(&zone->lock, enabled);
	if (!sound) {
		scnprintf(buffer, size,
		          "zone %s: invariant P1 broken: the pageblock of pfn "
		          "%#lx has %lu free pages",
		          zone->name, pfn, free);
		return buffer;
	}
	enabled = spin_lock_irqsave(&zone->lru.lock);
	listed = pageblock_count_listed(zone, pfn, end);
	counted = listed == block->movable;
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
	if (counted)
		return NULL;
	scnprintf(buffer, size,
	          "zone %s: invariant P2 broken: the pageblock of pfn %#lx has "
	          "%lu pages on the lists of reclaim",
	          zone->name, pfn, listed);
	return buffer;
}

const char *pageblock_check(struct zone *zone, char *buffer, size_t size)
{
	unsigned long end = zone->start_pfn + zone->spanned;
	unsigned long pfn = zone->start_pfn;

	while (pfn < end) {
		if (pageblock_check_one(zone, pfn, buffer, size) != NULL)
			return buffer;
		pfn = ALIGN_DOWN(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES;
	}
	return NULL;
}

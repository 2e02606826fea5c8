/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/pageblock_check.c -- counting the pages of each pageblock again.
 *
 * The invariants P1 and P2 of mm/pageblock.c, for one pageblock at a time.  The buddy's
 * lists are mm/debug/buddy_check.c's, the zone's counters those of mm/debug/zone_check.c.
 *
 * A pageblock is counted in slices, and again if something has changed between two of
 * them.  One that does not come to rest is passed over after CHECK_WALKS attempts.
 *
 * Locking: zone->lock and zone->lru.lock, one after the other, for a slice.
 */
#include "kernel/core/panic.h"
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"

struct pageblock_count {
	const struct zone *zone;
	struct spinlock *lock;
	const unsigned long *changes; /* of what LOOK looks at */
	const uint16_t *counted;
	/* Pages to count at frame *PFN; *PFN goes on, to END at most. */
	unsigned long (*look)(const struct zone *zone, unsigned long *pfn,
	                      unsigned long end);
	unsigned long seen; /* out */
};

static unsigned long pageblock_look_free(const struct zone *zone,
                                         unsigned long *pfn, unsigned long end)
{
	unsigned long pages;
	const struct page *head =
		check_next_block(zone, zone_page(zone, *pfn), &pages);

	pages = min(pages, end - *pfn);
	*pfn += pages;
	return head != NULL && head->state == PAGE_FREE ? pages : 0;
}

/* A page on a list of reclaim is a block of order 0. */
static unsigned long pageblock_look_listed(const struct zone *zone,
                                           unsigned long *pfn,
                                           unsigned long end)
{
	const struct page *page = zone_page(zone, *pfn);
	unsigned long pages;

	(void)check_next_block(zone, page, &pages);
	*pfn += min(pages, end - *pfn);
	return page_has(page, PG_lru) ? 1 : 0;
}

/* Count the frames FIRST..END-1.  *SAME: it is what the pageblock says.  False: something
 * has changed meanwhile. */
static bool pageblock_count_once(struct pageblock_count *count,
                                 unsigned long first, unsigned long end,
                                 bool *same)
{
	bool enabled = spin_lock_irqsave(count->lock);
	unsigned long changes = *count->changes;
	bool moved = false;

	count->seen = 0;
	for (unsigned int step = 1; !moved && first < end; step++) {
		count->seen += count->look(count->zone, &first, end);
		if (step % CHECK_SLICE != 0)
			continue;
		spin_unlock_irqrestore(count->lock, enabled);
		enabled = spin_lock_irqsave(count->lock);
		moved = *count->changes != changes;
	}
	*same = count->seen == *count->counted;
	spin_unlock_irqrestore(count->lock, enabled);
	return !moved;
}

static bool pageblock_count_agrees(struct pageblock_count *count,
                                   unsigned long first, unsigned long end)
{
	bool same;

	for (unsigned int i = 0; i < CHECK_WALKS; i++) {
		if (pageblock_count_once(count, first, end, &same))
			return same;
	}
	return true;
}

static const char *pageblock_check_one(struct zone *zone, unsigned long pfn,
                                       char *buffer, size_t size)
{
	const struct pageblock *block = pageblock_of(zone, pfn);
	unsigned long end =
		min(ALIGN_DOWN(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES,
	            zone->start_pfn + zone->spanned);
	struct pageblock_count free = {
		.zone = zone,
		.lock = &zone->lock,
		.changes = &zone->changes,
		.counted = &block->free,
		.look = pageblock_look_free,
	};
	struct pageblock_count listed = {
		.zone = zone,
		.lock = &zone->lru.lock,
		.changes = &zone->lru.changes,
		.counted = &block->movable,
		.look = pageblock_look_listed,
	};

	if (block->type >= MIGRATE_TYPES ||
	    !pageblock_count_agrees(&free, pfn, end)) {
		scnprintf(buffer, size,
		          "zone %s: invariant P1 broken: the pageblock of pfn "
		          "%#lx has %lu free pages",
		          zone->name, pfn, free.seen);
		return buffer;
	}
	if (pageblock_count_agrees(&listed, pfn, end))
		return NULL;
	scnprintf(buffer, size,
	          "zone %s: invariant P2 broken: the pageblock of pfn %#lx has "
	          "%lu pages on the lists of reclaim",
	          zone->name, pfn, listed.seen);
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

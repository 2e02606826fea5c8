/* SPDX-License-Identifier: MIT */
/*
 * mm/page_state.h -- a block from one column to another.
 *
 * For mm/ itself: the arrows outside of the buddy are made of this.
 */
#ifndef MM_PAGE_STATE_H
#define MM_PAGE_STATE_H

#include "kernel/core/panic.h"
#include "mm/zone.h"

/* The counter of the column that pages in STATE belong to. */
static inline unsigned long *page_state_column(struct zone *zone,
                                               enum page_state state)
{
	switch (state) {
	case PAGE_LOOSE:
		return &zone->loose_pages;
	case PAGE_USED:
	case PAGE_PCP:
		return &zone->used_pages;
	case PAGE_PARKED:
		return &zone->parked_pages;
	case PAGE_OWNED:
	case PAGE_HANDOVER:
		return &zone->exclusive_pages;
	case PAGE_BAD:
		return &zone->bad_pages;
	case PAGE_NONE:
	case PAGE_FREE:
	case PAGE_STATE_COUNT:
		break;
	}
	panic("a page cannot come from or go to state %d here", (int)state);
}

/*
 * The block at PAGE goes from state FROM, in which it is, to state TO, and the counters
 * of its zone with it.  The locks of both columns are held: the zone's for LOOSE,
 * USED and BAD, the pool's for PARKED, OWNED and HANDOVER.
 */
static inline void page_set_state(struct zone *zone, struct page *page,
                                  enum page_state from, enum page_state to)
{
	unsigned long *leaves = page_state_column(zone, from);
	unsigned long pages = 1UL << page->order;

	kassert(page->state == from && from != to);
	kassert(page->order <= MAX_ORDER);
	kassert(page->zone == zone->type);
	kassert(*leaves >= pages);
	*leaves -= pages;
	*page_state_column(zone, to) += pages;
	page->state = (uint8_t)to;
	audit_move(zone, page, pages, from, to);
}

#endif

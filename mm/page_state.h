/* SPDX-License-Identifier: MIT */
/*
 * mm/page_state.h -- a block from one column to another.
 *
 * For mm/ itself: the arrows outside of the buddy are made of this.
 */
#ifndef MM_PAGE_STATE_H
#define MM_PAGE_STATE_H

#include "mm/zone.h"

/*
 * The block at PAGE goes from state FROM, in which it is, to state TO, and the counters
 * of its zone with it.  The locks of both columns are held: the zone's for LOOSE,
 * USED and BAD, the pool's for PARKED, OWNED and HANDOVER.
 */
void page_set_state(struct zone *zone, struct page *page, enum page_state from,
                    enum page_state to);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mm/page_prep.h -- blocks between the buddy and the front door.  For mm/ itself.
 *
 * All functions but page_prep_report_bad(): zone->lock held; any context but NMI.
 */
#ifndef MM_PAGE_PREP_H
#define MM_PAGE_PREP_H

#include "kernel/core/owner.h"
#include "mm/node.h"
#include "mm/page_bits.h"

/* Make the LOOSE block USED for REQUEST, with one reference.  Linux: prep_new_page(). */
void page_prep_claim(struct zone *zone, struct page *page,
                     const struct alloc_request *request);

/* The flags of a block that was just taken. */
static inline uint8_t page_flags_of(unsigned int order, bool compound)
{
	return compound && order > 0 ? PAGE_COMPOUND : 0;
}

/* A free page has no references, mappings, flags, bits or owner; anything else was
 * written by code that does not own it, or left by its last user.  No lock is needed.
 * Linux: page_expected_state(). */
static inline bool page_prep_is_clean(const struct page *page)
{
	return (page->word &
	        (PAGE_WORD(mapcount, UINT8_MAX) | PAGE_WORD(flags, UINT8_MAX) |
	         PAGE_WORD(bits, UINT16_MAX))) == 0 &&
	       page->refcount == 0 &&
	       ((uintptr_t)page->owner | (uintptr_t)page->receiver) == 0;
}

/* CALLER frees the block: for reports; and its place in a mapping is forgotten. */
static inline void page_note_giver(struct page *page, uintptr_t caller)
{
	page->taker = current_owner_id();
	page_set_caller(page, caller);
	page->index = 0;
}

/* The block is about to be free, on behalf of CALLER: what only its user needed is
 * forgotten; the rest stays, and is found.  No lock is needed. */
static inline void page_prep_retire(struct page *page, uintptr_t caller)
{
	page_note_giver(page, caller);
	page->bits &= PAGE_BITS_AT_FREE;
}

/* The request that gets a page leaves this in it, for reports.  No lock is needed. */
static inline void page_note_taker(struct page *page, gfp_t gfp,
                                   uintptr_t caller)
{
	page->taker = current_owner_id();
	page->gfp = gfp;
	page_set_caller(page, caller);
}

/* Make the USED block LOOSE. */
void page_prep_unclaim(struct zone *zone, struct page *page);

/*
 * Free a USED block without references to the buddy, on behalf of
 * CALLER.  If it is still in use (a mapping, or one of PAGE_BITS_AT_FREE), it is
 * BAD: leaked, not free, to be reported.
 */
void page_prep_give(struct node *node, struct zone *zone, struct page *page,
                    unsigned int order, uintptr_t caller);

/* Drop a reference of a USED block that has one; true: it was the last, and the block
 * was freed to the buddy.  A saturated count does not change.  Linux:
 * put_page_testzero(). */
bool page_prep_put(struct node *node, struct zone *zone, struct page *page,
                   uintptr_t caller);

/* Split a USED or LOOSE block that is not compound into two of the next smaller order; the upper
 * one has no reference.  Linux: split_page(), one order at a time. */
void page_prep_halve(struct page *page);

/* Is the LOOSE block sound?  If it is corrupt it becomes BAD: leaked on purpose. */
void page_prep_leak(struct node *node, struct zone *zone, struct page *page);
static inline bool page_prep_check(struct node *node, struct zone *zone,
                                   struct page *page)
{
	kassert(spin_is_mine(&zone->lock));
	if (likely(page_prep_is_clean(page)))
		return true;
	page_prep_leak(node, zone, page);
	return false;
}

/* A LOOSE block for pages of TYPE without a corrupt page, or NULL: there is none, or
 * the first few were corrupt.  FLAGS: enum take_flag. */
__must_check struct page *page_prep_take(struct node *node, struct zone *zone,
                                         unsigned int order,
                                         enum migratetype type,
                                         unsigned int flags);

/* The lowest page in the frames FIRST..LAST that is not corrupt, or NULL. */
__must_check struct page *page_prep_take_within(struct node *node,
                                                struct zone *zone,
                                                unsigned long first,
                                                unsigned long last);

/*
 * Report the corrupt pages that were found in ZONE.  Callers of page_prep_give(),
 * page_prep_take() and page_prep_take_within() call it after they have released
 * zone->lock.  One test of one word if none was found.
 */
void page_prep_report_noted(struct node *node, struct zone *zone);
static inline void page_prep_report_bad(struct node *node, struct zone *zone)
{
	if (unlikely(READ_ONCE(zone->bad.count) != 0))
		page_prep_report_noted(node, zone);
}

#endif

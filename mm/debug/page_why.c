/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_why.c -- what a frame is used for, and what would make it free.
 *
 * The head of its block says it: page->state, and for a block in use the marks that its
 * owner has set.  The first that holds is the answer:
 *
 *	flags		SATURATED, TABLE, GUARD
 *	bits		slab, mempool
 *	mapping		of a file or an object: unevictable, writeback, swapbacked, dirty
 *	mapcount	mapped a second time
 *	nothing		PLAIN: only who took it knows
 *
 * Locking: none.
 */
#include "mm/debug/page_why.h"

#include "kernel/core/panic.h"
#include "mm/node.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"

static enum page_why why_of_cached(const struct page *page)
{
	kassert(page->mapping != NULL);
	if (page_has(page, PG_unevictable))
		return WHY_UNEVICTABLE;
	if (page_has(page, PG_writeback))
		return WHY_WRITEBACK;
	if (page_has(page, PG_swapbacked))
		return page_has(page, PG_swapcache) && !page_has(page, PG_dirty)
		               ? WHY_ANON_SAVED
		               : WHY_ANON;
	return page_has(page, PG_dirty) ? WHY_FILE_DIRTY : WHY_FILE_CLEAN;
}

static enum page_why why_of_used(const struct page *page)
{
	kassert(page->order <= MAX_ORDER);
	if (page->flags & PAGE_SATURATED)
		return WHY_SATURATED;
	if (page->flags & PAGE_TABLE)
		return WHY_TABLE;
	if (page->flags & PAGE_GUARD)
		return WHY_GUARD;
	if (page_has(page, PG_slab))
		return page->slab_cache == NULL ? WHY_LARGE : WHY_SLAB;
	if (page_has(page, PG_mempool))
		return WHY_RESERVE;
	if (page->mapping != NULL)
		return why_of_cached(page);
	return page->mapcount > 0 ? WHY_MAPPED : WHY_PLAIN;
}

enum page_why page_why(struct node *node, unsigned long pfn,
                       const struct page **head)
{
	const struct page *page = node_page(node, pfn);

	kassert(page != NULL);
	page = page_head(node, page);
	*head = page;
	switch ((enum page_state)READ_ONCE(page->state)) {
	case PAGE_FREE:
		return pageblock_type(page_zone(node, page), pfn) ==
		                       MIGRATE_ISOLATE
		               ? WHY_ISOLATED
		               : WHY_FREE;
	case PAGE_LOOSE:
		return WHY_IN_FLIGHT;
	case PAGE_USED:
		return why_of_used(page);
	case PAGE_PCP:
		return WHY_LISTED;
	case PAGE_PARKED:
		return WHY_PARKED;
	case PAGE_OWNED:
		return WHY_OWNED;
	case PAGE_HANDOVER:
		return WHY_HANDOVER;
	case PAGE_BAD:
		return WHY_BAD;
	case PAGE_NONE:
	case PAGE_STATE_COUNT:
		break;
	}
	return WHY_RESERVED;
}

bool page_why_is_free(enum page_why why)
{
	kassert(why < WHY_COUNT);
	return why == WHY_FREE || why == WHY_ISOLATED || why == WHY_LISTED;
}

static const struct {
	const char *is;
	const char *end;
} why_text[WHY_COUNT] = {
#define WHY_TEXT(name, is, end) { is, end },
	PAGE_WHYS(WHY_TEXT)
#undef WHY_TEXT
};

const char *page_why_is(enum page_why why)
{
	kassert(why < WHY_COUNT);
	return why_text[why].is;
}

const char *page_why_end(enum page_why why)
{
	kassert(why < WHY_COUNT);
	return why_text[why].end;
}

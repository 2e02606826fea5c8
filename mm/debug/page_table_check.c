/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_table_check.c -- a second count of the entries that map each frame.
 *
 * A caller that maps a page counts that (page_add_mapping()), and a page that is counted cannot be
 * freed or become exclusive.  So a mistake is an entry that nobody has counted: the page is
 * freed, its next owner writes to it, and the old address shows that.  The check of X6
 * (mm/exclusive/exclusive_check.c) finds such an entry when it next walks the page tables.
 * This detector finds it at the statement, for it hears of each entry from the code that
 * writes page tables (kernel/arch/mapping.h):
 *
 *  T1  A frame that is taken or freed is mapped by no entry.
 *  T2  A frame in a window is mapped by that entry alone.
 *  T3  An entry that is cleared was set.
 *
 * The direct map's entries do not count: each frame has one, and debug_pagealloc looks after
 * those.  An entry that does not hold is a panic, as in Linux, for the frame may have
 * another owner already.
 *
 * Linux: mm/page_table_check.c, with a count for anonymous pages and one for files, of which a
 * page has one only; here it is windows and vmalloc.
 *
 * Locking: none; counts are atomic.
 */
#include "mm/debug/page_table_check.h"

#include "kernel/arch/mapping.h"
#include "kernel/core/panic.h"

/* A count has so many of vmalloc's entries, and this for one of a window. */
#define ENTRY_WINDOW 0x8000U

static struct node *checked;

/* The count of frame PFN, or NULL: it is not a frame of the node. */
static uint16_t *page_table_check_entries(const struct node *node,
                                          unsigned long pfn)
{
	unsigned long at = pfn - node->start_pfn;

	return at < node->page_count ? &node->debug.entries[at] : NULL;
}

static void page_table_check_set(unsigned long pfn, enum mapping_kind kind)
{
	uint16_t *entries = page_table_check_entries(checked, pfn);
	uint16_t one = kind == MAPPING_WINDOW ? ENTRY_WINDOW : 1;
	uint16_t before;

	if (entries == NULL)
		return;
	before = __atomic_fetch_add(entries, one, __ATOMIC_RELAXED);
	if ((before & ENTRY_WINDOW) != 0 ||
	    (kind == MAPPING_WINDOW && before != 0))
		panic("page_table_check: pfn %#lx, with entries of vmalloc: "
		      "%u, of windows: %u, is mapped %s",
		      pfn, before & ~ENTRY_WINDOW, before / ENTRY_WINDOW,
		      kind == MAPPING_WINDOW ? "into a window" : "once more");
}

static void page_table_check_clear(unsigned long pfn, enum mapping_kind kind)
{
	uint16_t *entries = page_table_check_entries(checked, pfn);
	uint16_t one = kind == MAPPING_WINDOW ? ENTRY_WINDOW : 1;
	uint16_t mask =
		kind == MAPPING_WINDOW ? ENTRY_WINDOW : (uint16_t)~ENTRY_WINDOW;

	if (entries != NULL &&
	    (__atomic_fetch_sub(entries, one, __ATOMIC_RELAXED) & mask) == 0)
		panic("page_table_check: an entry of pfn %#lx is cleared that "
		      "was not counted",
		      pfn);
}

static void page_table_check_hear(unsigned long pfn, enum mapping_kind kind,
                                  bool mapped)
{
	if (mapped)
		page_table_check_set(pfn, kind);
	else
		page_table_check_clear(pfn, kind);
}

void page_table_check_frame(const struct node *node, unsigned long pfn,
                            const char *what)
{
	const uint16_t *entries = page_table_check_entries(node, pfn);
	uint16_t count;

	kassert(entries != NULL);
	count = READ_ONCE(*entries);
	if (count != 0)
		panic("page_table_check: pfn %#lx is %s while it is mapped; "
		      "entries of vmalloc: %u, of windows: %u",
		      pfn, what, count & ~ENTRY_WINDOW, count / ENTRY_WINDOW);
}

void page_table_check_start(struct node *node)
{
	kassert(node->debug.entries != NULL);
	kassert(mapping_watch == NULL);
	checked = node;
	WRITE_ONCE(mapping_watch, page_table_check_hear);
}

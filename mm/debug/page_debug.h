/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_debug.h -- detectors: what happens to a block beside being taken and freed.
 *
 *	page_owner      who took and who freed each page, when, and how they came there
 *	debug_pagealloc free pages are not mapped, so a use after a free faults
 *	debug_guardpage the page behind a block is not mapped (mm/debug/page_guard.h)
 *	page_poison     free pages hold 0xaa, and are looked at when they are taken
 *	init_on_alloc   pages are zeroed when they are taken, as if all asked for it
 *	init_on_free    ... and when they are freed
 *	page_table_check no entry maps a page that is taken or freed
 *			(mm/debug/page_table_check.h)
 *
 * The names are Linux's words of the command line; which are on is fixed at boot.  While
 * one is on no request and no free goes the short way: the shortcut is closed
 * (mm/debug/shortcut.c), and a block in use has PAGE_WATCHED, so that no list of a CPU gets
 * it.  While all are off, a request that goes the long way pays one test of one word.
 */
#ifndef MM_DEBUG_PAGE_DEBUG_H
#define MM_DEBUG_PAGE_DEBUG_H

#include "lib/types.h"
#include "mm/gfp.h"

struct node;
struct page;
struct page_owner;

/* Constant after page_debug_start(). */
struct page_debug {
	uint8_t *mark; /* one for each frame of the node; NULL: all are off */
	struct page_owner *owner; /* the same; NULL: page_owner is off */
	uint16_t *entries;        /* the same; NULL: page_table_check is off */
	bool unmap;               /* debug_pagealloc */
	bool guard;               /* debug_guardpage, with unmap */
	bool poison;              /* page_poison */
	bool init_on_alloc;
	bool init_on_free;
};

static inline bool page_debug_is_on(const struct page_debug *debug)
{
	return READ_ONCE(debug->mark) != NULL;
}

/*
 * Switch on what WANTED says, on a node with memory behind its frames.  mark, owner and
 * entries are zeroed memory for page_count of each, or NULL but for mark; if WANTED->unmap, the direct map has 4 KiB
 * entries (direct_map_is_split()).  All free blocks are treated as if they were just
 * freed.  Boot, one thread; once for each node.
 */
void page_debug_start(struct node *node, const struct page_debug *wanted);

/*
 * The four hooks, with the node's debug.  While all are off, each is one test.
 *
 * The block at PAGE was taken by CALLER with GFP; it is USED, but page->taker and
 * page->caller are still those of the free.  It is mapped, its poison is checked (a byte
 * that differs is reported), it is zeroed if init_on_alloc says so, and noted.  An exclusive
 * page is left alone.  No lock is held; any context but NMI.
 */
void page_debug_take_on(struct page_debug *debug, struct page *page, gfp_t gfp,
                        uintptr_t caller);
static inline void page_debug_take(struct page_debug *debug, struct page *page,
                                   gfp_t gfp, uintptr_t caller)
{
	if (unlikely(page_debug_is_on(debug)))
		page_debug_take_on(debug, page, gfp, caller);
}

/* The same for a frame that becomes no block in use, but a parked one: it is mapped and
 * checked. */
void page_debug_open_on(struct page_debug *debug, struct page *page,
                        uintptr_t caller);
static inline void page_debug_open(struct page_debug *debug, struct page *page,
                                   uintptr_t caller)
{
	if (unlikely(page_debug_is_on(debug)))
		page_debug_open_on(debug, page, caller);
}

/* The LOOSE block at PAGE is about to be free, on behalf of page_caller(): it is noted,
 * poisoned and unmapped.  zone->lock held. */
void page_debug_give_on(struct page_debug *debug, struct page *page);
static inline void page_debug_give(struct page_debug *debug, struct page *page)
{
	if (unlikely(page_debug_is_on(debug)))
		page_debug_give_on(debug, page);
}

/* ... and a frame that was parked: poisoned and unmapped. */
void page_debug_close_on(struct page_debug *debug, struct page *page);
static inline void page_debug_close(struct page_debug *debug, struct page *page)
{
	if (unlikely(page_debug_is_on(debug)))
		page_debug_close_on(debug, page);
}

/* Is frame PFN, a free one, out of the direct map?  Any context. */
bool page_debug_hides(const struct node *node, unsigned long pfn);

/* Faults on free pages of the main node are explained from now on. */
void page_debug_explain_faults(void);

/* The frame of the last such fault, or -1: for reports of a panic. */
unsigned long page_debug_last_fault(void);

#endif

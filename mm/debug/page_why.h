/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_why.h -- what a frame is used for, and what would make it free.
 */
#ifndef MM_DEBUG_PAGE_WHY_H
#define MM_DEBUG_PAGE_WHY_H

#include "lib/types.h"

struct node;
struct page;

/*
 * X(name, what it is, what would make it free): the states of a block, and the kinds of
 * owners of one in use.
 */
#define PAGE_WHYS(X)                                                           \
	X(RESERVED,                                                            \
	  "never given to the allocator: the kernel, firmware, a "             \
	  "table from boot, or a hole",                                        \
	  "nothing, ever")                                                     \
	X(FREE, "on a free list of its zone", "nobody, it is free")            \
	X(ISOLATED, "free, in an isolated pageblock",                          \
	  "the end of the isolation; until then no request gets it")           \
	X(LISTED, "on a list of a CPU, which may take it without a lock",      \
	  "a drain of that CPU's lists; a request of that CPU may have it "    \
	  "now")                                                               \
	X(IN_FLIGHT, "inside a call of the allocator",                         \
	  "the end of that call, or nothing if it is taken")                   \
	X(BAD, "found corrupt, and leaked on purpose", "nothing, ever")        \
	X(PARKED, "in the pool of exclusive pages, zeroed and unmapped",       \
	  "a shortage of memory: reclaim shrinks the pool")                    \
	X(OWNED, "exclusive, in the window of its owner",                      \
	  "its owner: exclusive_release(), or its end.  Then it is parked")    \
	X(HANDOVER, "exclusive, on its way to another owner",                  \
	  "its receiver, which takes and releases it, or the end of both")     \
	X(SATURATED, "in use, with more references than can be counted",       \
	  "nothing, ever: it is leaked")                                       \
	X(GUARD, "a guard: not mapped, so that a write behind a block faults", \
	  "the free of the block before it")                                   \
	X(SLAB, "a slab of a cache", "kfree() of all of its objects")          \
	X(LARGE, "a large block of kmalloc()", "kfree()")                      \
	X(TABLE, "a page table of a window or of vmalloc()",                   \
	  "the end of the mappings below it")                                  \
	X(RESERVE, "an element in the reserve of a mempool",                   \
	  "mempool_destroy()")                                                 \
	X(UNEVICTABLE, "of a file or of anonymous memory, and unevictable",    \
	  "its owner; reclaim never takes it")                                 \
	X(WRITEBACK, "of a file or of anonymous memory, on its way to disk",   \
	  "reclaim or its owner, as soon as the disk has it")                  \
	X(ANON, "anonymous memory, without a copy on disk",                    \
	  "its owner; or reclaim, which first writes it to a swap area")       \
	X(ANON_SAVED, "anonymous memory, with a copy in a swap area",          \
	  "reclaim at any time, or its owner")                                 \
	X(FILE_DIRTY, "page cache, newer than the disk",                       \
	  "reclaim, as soon as the flusher or reclaim has written it; or the " \
	  "end of its file")                                                   \
	X(FILE_CLEAN, "page cache, the same as on disk",                       \
	  "reclaim at any time, or the end of its file")                       \
	X(MAPPED, "mapped besides the direct map: by vmalloc(), or a stack",   \
	  "the end of the mapping, then the last __free_pages()")              \
	X(PLAIN, "a block without a mark of its owner",                        \
	  "its owner: __free_pages(); each reference must be dropped")

#define WHY_ENUM(name, is, end) WHY_##name,
enum page_why {
	PAGE_WHYS(WHY_ENUM) WHY_COUNT,
};
#undef WHY_ENUM

/*
 * Why is frame PFN, one of NODE's, not free, or is it?  *HEAD is the head of its block, or
 * the page itself if it is in none.  A guess unless the caller holds the block: nothing
 * is locked.  Any context.
 */
enum page_why page_why(struct node *node, unsigned long pfn,
                       const struct page **head);

/* Is nobody using it? */
bool page_why_is_free(enum page_why why);

const char *page_why_is(enum page_why why); /* "a slab of a cache" */
const char *
page_why_end(enum page_why why); /* "kfree() of all of its objects" */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_owner.h -- who took each page, and who freed it.
 *
 * Linux's page_owner: for each frame the mask, the order, the time, the owner (a thread or
 * an interrupt) and the calls that led to alloc_pages(), and the same of the last
 * free, which stay until the frame is taken and freed again.  104 bytes a frame.
 */
#ifndef MM_DEBUG_PAGE_OWNER_H
#define MM_DEBUG_PAGE_OWNER_H

#include "lib/types.h"
#include "mm/gfp.h"

struct node;
struct page;

#define PAGE_OWNER_FRAMES 8

/* Somebody took or freed a block. */
struct page_owner_stamp {
	uint64_t time; /* microseconds since boot; 0: never */
	uint64_t who;  /* number: owner_name() */
	int32_t frame[PAGE_OWNER_FRAMES]; /* page_owner_frame(); 0: no more */
};

/* The same in all frames of a block. */
struct page_owner {
	struct page_owner_stamp taken;
	struct page_owner_stamp freed;
	gfp_t gfp; /* of taken, as the next two */
	uint8_t order;
	bool in_interrupt;
};

/* The return address number I of STAMP, the innermost first; 0: there is none. */
uintptr_t page_owner_frame(const struct page_owner_stamp *stamp,
                           unsigned int i);

/* The running context, as WHO, does something for CALLER: its calls from CALLER on.  Any
 * context but NMI. */
struct page_owner_stamp page_owner_stamp_now(uint64_t who, uintptr_t caller);

/* Print the calls. */
void page_owner_print_stamp(const struct page_owner_stamp *stamp);

/* For mm/debug/page_debug.c: the block was taken, or is freed by page->taker at
 * page_caller().  Nothing is done if page_owner is off. */
void page_owner_note_taken(struct node *node, const struct page *page,
                           gfp_t gfp, uintptr_t caller);
void page_owner_note_freed(struct node *node, const struct page *page);

/* The page moved from FROM to TO: so did the note of its taker. */
void page_owner_move(struct node *node, const struct page *from,
                     const struct page *to);

/* The record of frame PFN, or NULL: page_owner is off, or there is no such frame. */
const struct page_owner *page_owner_of(const struct node *node,
                                       unsigned long pfn);

/* Print it, with both backtraces; nothing if page_owner is off.  Any context but NMI. */
void page_owner_print(const struct node *node, unsigned long pfn);

/* ---- Sums ---------------------------------------------------------------- */

/* Blocks in use that the same calls have taken. */
struct page_owner_site {
	unsigned long pfn; /* one of them, the oldest */
	unsigned long blocks;
	unsigned long pages;
	uint64_t oldest; /* time */
};

/* A table of sites, and what did not fit. */
struct page_owner_sites {
	struct page_owner_site *site;
	unsigned int room;
	unsigned int count;
	unsigned long others; /* pages of further sites */
};

/*
 * Add up the blocks in use that were taken from time SINCE on, by the calls that took
 * them; sort by pages, most first.  WHO: only those of that owner that are nothing but
 * its pages, no slab, page table, or page of a cache or of vmalloc(); 0: all.  If the
 * table is too small, some sites, not the smallest ones, are only counted.  Thread context,
 * no lock: what changes meanwhile may be counted or not.
 */
void page_owner_sum(struct node *node, uint64_t since, uint64_t who,
                    struct page_owner_sites *sites);

#endif

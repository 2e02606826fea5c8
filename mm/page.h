/* SPDX-License-Identifier: MIT */
/*
 * mm/page.h -- one struct page for each page frame.
 *
 *	frame	4096 bytes of physical memory; PFN is its number
 *	page	the struct page that describes one frame
 *	block	2^order neighbouring frames, aligned to their size
 *	head	the first page of a block
 *	loose	in flight between two columns of the accounting
 *
 * Life of a page; each arrow is one function, and nothing else writes
 * page->state:
 *
 *	RESERVED --zone_release()--> FREE
 *
 *	        buddy_take()            page_alloc
 *	  FREE -------------> LOOSE -------------------> USED
 *	   ^                  |  ^  \                     |
 *	   |   buddy_give()   |  |   \--exclusive_park()-->  PARKED ...
 *	   +------------------+  +------------------------+
 *
 * PARKED, OWNED and HANDOVER are the states of an exclusive page: see
 * mm/exclusive.h.  BAD pages are never used again.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "lib/list.h"
#include "lib/types.h"

struct owner;

enum page_state {
	PAGE_RESERVED,  /* firmware, kernel image, hole: never the buddy's */
	PAGE_FREE,      /* head of a free block of page->order */
	PAGE_FREE_TAIL, /* inside a free block */
	PAGE_LOOSE,     /* in flight: inside a call of the allocator */
	PAGE_USED,      /* head of an allocated block of page->order */
	PAGE_USED_TAIL, /* inside an allocated block */
	PAGE_PARKED,    /* exclusive: in the pool, unmapped, zeroed */
	PAGE_OWNED,     /* exclusive: in its owner's window */
	PAGE_HANDOVER,  /* exclusive: on its way, nobody's window */
	PAGE_BAD,       /* found corrupt; leaked on purpose */
	PAGE_STATE_COUNT,
};

enum page_flag {
	PAGE_COMPOUND = 1 << 0,   /* head or tail of a compound block */
	PAGE_PFMEMALLOC = 1 << 1, /* taken without watermarks */
	PAGE_TABLE = 1 << 2,      /* the page table of a window */
};

/*
 * Field locks: (z) its zone's lock while the page is FREE or LOOSE; the
 * holder of the block while it is USED; (x) the exclusive pool's lock while it
 * is PARKED, OWNED or HANDOVER.
 */
struct page {
	struct list link;    /* (z,x) free list, parked list, owner's list */
	uint8_t state;       /* (z,x) enum page_state */
	uint8_t order;       /* (z) of a head */
	uint8_t zone;        /* constant: enum zone_type */
	uint8_t migratetype; /* enum migratetype it was taken as */
	uint8_t flags;       /* enum page_flag */
	uint8_t unused[3];
	int32_t refcount;    /* 0 unless USED head; atomic */
	uint32_t taker;      /* owner number that took it last; owner_name() */
	uint32_t gfp;        /* mask it was taken with */
	uint32_t slot;       /* (x) of the owner's window */
	struct owner *owner; /* (x) OWNED: it; HANDOVER: the sender or NULL */
	struct owner *receiver; /* (x) HANDOVER */
	uintptr_t caller;       /* who took or gave it last */
};

static_assert(sizeof(struct page) == 64, "1/64 of memory; docs say so");

/* "free", "owned" ... */
const char *page_state_name(enum page_state state);

/* PARKED, OWNED or HANDOVER. */
static inline bool page_is_exclusive(const struct page *page)
{
	uint8_t state = READ_ONCE(page->state);

	return state == PAGE_PARKED || state == PAGE_OWNED ||
	       state == PAGE_HANDOVER;
}

#endif

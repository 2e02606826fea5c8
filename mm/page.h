/* SPDX-License-Identifier: MIT */
/*
 * mm/page.h -- one struct page for each page frame.
 *
 *	frame	4096 bytes of physical memory; PFN is its number
 *	page	the struct page that describes one frame
 *	block	2^order neighbouring frames, aligned to their size
 *	head	the first page of a block: it describes all of it
 *	loose	in flight between two columns of the accounting
 *
 * Only heads have a state.  The other pages of a block are NONE, and taking or
 * giving a block neither reads nor writes them, whatever its size:
 *
 *	frame	 0	 1	 2	 3	 4	 5	 6	 7
 *		FREE 2	 -	 -	 -	USED 1	 -	FREE 0	USED 0
 *
 * A split makes heads of NONE pages, a merge makes NONE of heads.  To find the head
 * of frame 3, look at the frames where a block of order 10, 9, ... 0 around it
 * would begin: the first head whose block reaches it is the one
 * (zone_block_head()).  A frame without a head was never given to the buddy:
 * firmware, the kernel's image, a hole.
 *
 * Life of a block; each arrow is one function, and nothing else writes
 * page->state:
 *
 *	(no head) --zone_release()--> FREE
 *
 *	        buddy_take()            page_alloc
 *	  FREE -------------> LOOSE -------------------> USED
 *	   ^                  |  ^  \                     |
 *	   |   buddy_give()   |  |   \--exclusive_park()-->  PARKED ...
 *	   +------------------+  +------------------------+
 *
 *	        pcp_refill()            pcp_take_hot()
 *	LOOSE <------------> PCP <------------> USED
 *	        pcp_drain()             pcp_free_hot()
 *
 * A page in use may be mapped a second time, besides the direct map (a thread's
 * stack): mapcount says how often.  While it is not 0 the page cannot become
 * FREE, so never exclusive either: a block that is freed with a mapping is BAD.
 *
 * Between PARKED and OWNED a page moves without a lock, too (mm/exclusive/exclusive_stack.c).
 * PARKED, OWNED and HANDOVER are the states of an exclusive page: see
 * mm/exclusive/exclusive.h.  BAD pages are never used again.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "kernel/arch/arch.h"
#include "lib/list.h"
#include "lib/types.h"

struct owner;
struct address_space;

enum page_state {
	PAGE_NONE,     /* no head: inside a block, or reserved */
	PAGE_FREE,     /* on a free list */
	PAGE_LOOSE,    /* in flight: inside a call of the allocator */
	PAGE_USED,     /* allocated */
	PAGE_PCP,      /* on a CPU's list: mm/pcp.h */
	PAGE_PARKED,   /* exclusive: in the pool, unmapped, zeroed */
	PAGE_OWNED,    /* exclusive: in its owner's window */
	PAGE_HANDOVER, /* exclusive: on its way, in no window */
	PAGE_BAD,      /* found corrupt; leaked on purpose */
	PAGE_STATE_COUNT,
};

enum page_flag {
	PAGE_COMPOUND = 1 << 0,   /* one unit: the head has all references */
	PAGE_PFMEMALLOC = 1 << 1, /* taken without watermarks */
	PAGE_TABLE = 1 << 2,      /* a page table of a window or of vmalloc() */
	PAGE_SATURATED = 1 << 3,  /* more references than can be counted */
	PAGE_WATCHED = 1 << 4,    /* mm/debug/page_debug.h sees its free */
	PAGE_GUARD = 1 << 5,      /* not mapped, behind a block: page_guard.h */
};

/*
 * State of a USED page in a page cache, an anonymous object or a mempool, in
 * page->bits, most with Linux's names; mm/page_bits.h changes it.
 */
enum page_bit {
	PG_locked,      /* in use by one thread: mm/reclaim/page_lock.h */
	PG_referenced,  /* used since reclaim last scanned it */
	PG_uptodate,    /* holds what the disk holds, or newer */
	PG_dirty,       /* newer than the disk */
	PG_lru,         /* on a list of its zone's lru, by page->link */
	PG_active,      /* belongs on an active list */
	PG_writeback,   /* on its way to the disk */
	PG_swapbacked,  /* anonymous: its place on disk is in a swap area */
	PG_swapcache,   /* has such a place */
	PG_reclaim,     /* reclaim wants it as soon as it is written */
	PG_error,       /* the last read or write failed */
	PG_unevictable, /* never reclaimed */
	PG_isolated,    /* taken off the lru by reclaim */
	PG_mempool,     /* in the reserve of a mempool; a block's head has it */
	PG_slab,        /* head of a slab, or of a large block of kmalloc() */
	PG_BIT_COUNT,
};

/*
 * All fields but state are those of a head; of other pages nothing is read.
 *
 * Field locks: (z) its zone's lock while the page is FREE or LOOSE; the
 * holder of the block while it is USED; the CPU's set while it is PCP; (x) the
 * exclusive pool's lock while it is HANDOVER, or PARKED on the pool's lists; its owner, or
 * the CPU on whose stack it is, while it is OWNED or PARKED there.
 */
struct page {
	struct list link; /* (z,x) free list, CPU's, parked, owner's list */
	union {
		struct {
			uint8_t state; /* (z,x) enum page_state */
			uint8_t order; /* (z) the block has 2^order pages */
			uint8_t zone;  /* enum zone_type */
			/* Kernel mappings but the direct map's; atomic. */
			uint8_t mapcount;
			uint8_t flags; /* enum page_flag */
			union {
				/* enum lru_list, while PG_lru; its lock */
				uint8_t lru;
				/* (z) FREE: enum migratetype of its list */
				uint8_t list_type;
			};
			uint16_t
				bits; /* 1 << enum page_bit; atomic; 0 unless USED */
		};
		uint64_t word; /* these eight bytes as one: PAGE_WORD() */
	};
	int32_t refcount; /* 0 unless USED; atomic */
	uint32_t gfp;     /* mask it was taken with; gfp_migratetype() */
	uint64_t taker;   /* owner number that took it last; owner_name() */
	/* (x) entry of the window, PARKED: 1 on a CPU's stack; slab_counts();
	 * swap entry */
	uint32_t private;
	int32_t caller; /* who took or gave it last: page_caller() */
	union {
		/* (x) OWNED: it; HANDOVER: the sender or NULL */
		struct owner *owner;
		/* USED: its mapping, mm/reclaim/address_space.h; PG_locked */
		struct address_space *mapping;
		struct kmem_cache *slab_cache; /* PG_slab: its cache, or NULL */
		struct page *slab_head;        /* a slab's tail: the head */
	};
	union {
		struct owner *receiver; /* (x) HANDOVER */
		unsigned long index;    /* USED: its number in the mapping */
		uint64_t slab_free;     /* PG_slab: free list; its cache */
	};
};

static_assert(sizeof(struct page) == 64, "1/64 of memory; docs say so");
static_assert((int)PG_BIT_COUNT <= 16, "they fit into page->bits");

/* VALUE where page->word has FIELD. */
#define PAGE_WORD(field, value)                                                \
	((uint64_t)(value) << 8 * (offsetof(struct page, field) -              \
	                           offsetof(struct page, word)))

/* "free", "owned" ... */
const char *page_state_name(enum page_state state);

/* An address in code is kept as a distance; 0: none was set. */
static inline void page_set_caller(struct page *page, uintptr_t caller)
{
	page->caller = (int32_t)(caller - ARCH_CODE_BASE);
}

static inline uintptr_t page_caller(const struct page *page)
{
	return page->caller == 0 ? 0 : ARCH_CODE_BASE + (uintptr_t)page->caller;
}

/* PARKED, OWNED or HANDOVER. */
static inline bool page_is_exclusive(const struct page *page)
{
	uint8_t state = READ_ONCE(page->state);

	return state == PAGE_PARKED || state == PAGE_OWNED ||
	       state == PAGE_HANDOVER;
}

#endif

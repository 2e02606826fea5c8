/* SPDX-License-Identifier: MIT */
/*
 * mm/zone.h -- zones, and the node that is made of them.
 *
 * A zone is a stretch of frames that share a property: DMA (below 16 MiB,
 * reachable by ISA devices), DMA32 (below 4 GiB), NORMAL (the rest), MOVABLE
 * (declared, empty).  A node is four zones with one array of struct page.  The
 * kernel has one node; tests build their own beside it: below the front
 * door no code in mm/ knows main_node().
 *
 *	spanned	frames from the first to the last, holes included
 *	present	spanned less holes
 *	managed	present less reserved: what the buddy was given
 *
 *	free + isolated + on CPUs' lists + parked + used + exclusive + bad + in flight
 *		= managed
 *	managed + reserved = present
 */
#ifndef MM_ZONE_H
#define MM_ZONE_H

#include "kernel/arch/arch.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "lib/list.h"
#include "mm/gfp.h"
#include "mm/page.h"
#include "mm/reclaim/lru_state.h"

/* First frame number after DMA and DMA32. */
#define ZONE_DMA_END   (16 * MIB / PAGE_SIZE)
#define ZONE_DMA32_END (4 * GIB / PAGE_SIZE)

enum watermark {
	WMARK_MIN,
	WMARK_LOW,
	WMARK_HIGH,
	WMARK_PROMO,
	WMARK_COUNT,
};

/* The free blocks of one order. */
struct free_area {
	struct list blocks[MIGRATE_TYPES];
	unsigned long of_type[MIGRATE_TYPES]; /* blocks on each list */
	unsigned long count;                  /* on all of them */
};

#define PAGEBLOCK_ORDER        9
#define PAGEBLOCK_PAGES        (1UL << PAGEBLOCK_ORDER)

/* Entries that a zone needs for COUNT frames, wherever they begin; a node needs as many
 * for its frames, and one for each zone. */
#define PAGEBLOCK_COUNT(count) ((count) / PAGEBLOCK_PAGES + 2)
#define NODE_PAGEBLOCKS(count) (PAGEBLOCK_COUNT(count) + ZONE_COUNT)

struct pageblock {
	uint8_t type;     /* (z) enum migratetype */
	bool skip;        /* mm/reclaim/compaction.c: nothing was found here */
	uint16_t free;    /* (z) free pages */
	uint16_t movable; /* (zone->lru.lock) pages on the lru */
	uint16_t hidden;  /* (pool->lock) mm/exclusive/exclusive_block.c */
};

/*
 * A count of a zone's pages in progress: those before END are counted.  Code that moves
 * one of them to another state corrects the count (audit_move()), so that it is right
 * for all pages when END reaches the end.
 */
struct audit {
	struct audit *next; /* (z) and pool->lock: others of the zone */
	const struct page *end;
	unsigned long pages[PAGE_STATE_COUNT + 1]; /* the last: no state */
	unsigned long blocks[MAX_ORDER + 1];       /* free ones, by order */
};

struct node;

/* Orders 0 to 3 and PAGEBLOCK_ORDER have a row of three lists, one for each type: number
 * 3 * order + type, as in Linux; the last row is for the large block. */
#define PCP_ORDERS 4
#define PCP_ROWS   (PCP_ORDERS + 1)
#define PCP_LARGE  (PCP_ORDERS * MIGRATE_PCPTYPES)
#define PCP_LISTS  (PCP_ROWS * MIGRATE_PCPTYPES)

/* A CPU's free pages of a zone: mm/pcp.c.  Only that CPU changes them. */
struct pcp_set {
	struct list blocks[PCP_LISTS]; /* the last one taken or given first */
	struct zone *zone;
	unsigned long *pgalloc, *pgfree; /* ways to the counters of its zone */
	uint64_t word;      /* page->word of its blocks, but the order */
	unsigned int types; /* PCP_TYPES; 0: all pages are UNMOVABLE */
	unsigned int count; /* pages on the lists */
	unsigned int high;  /* from here on pages go back to the zone */
	unsigned int high_min, high_max; /* limits of HIGH */
	unsigned int batch;
};

/* By gfp_hot_list(). */
#define PCP_HOT_MASKS (GFP_HOT_LIST + 1)

/* The lists of a CPU, and all that the short way must know (mm/pcp_hot.h). */
struct pcp_cpu {
	struct page *pages; /* of the node, and their number */
	unsigned long page_count;
	/* By gfp_hot_list(): the list of order 0 that it tries, and its set. */
	struct list *hot_list[PCP_HOT_MASKS];
	struct pcp_set *hot_set[PCP_HOT_MASKS];
	struct pcp_set *zone_set[ZONE_COUNT];
	struct list
		none[PCP_LISTS]; /* empty ones, for masks that have no list */
	struct pcp_set set[ZONE_COUNT];
};

/* Corrupt pages that are still to be reported (mm/page_prep.c): copies of the first
 * ones, and the number of all. */
#define BAD_PAGES 4

struct bad_pages {
	unsigned int count;
	unsigned long pfn[BAD_PAGES];
	struct page page[BAD_PAGES];
};

/* The memory of compaction about a zone; hints, without a lock:
 * mm/reclaim/compaction.c. */
struct compact_state {
	unsigned long
		migrate_pfn[2]; /* where to begin: ASYNC, and the others */
	unsigned long free_pfn;
	unsigned int considered;   /* attempts since the last failure */
	unsigned int defer_shift;  /* so many attempts are skipped: 1 << it */
	unsigned int order_failed; /* the smallest order that failed */
	bool flush;                /* skip bits are to be cleared */
	unsigned int captures;     /* (z) mm/reclaim/capture.c: threads */
};

/* Field locks: (c) constant after boot, (z) zone->lock. */
struct zone {
	const char *name;         /* (c) */
	enum zone_type type;      /* (c) */
	struct node *node;        /* (c) */
	unsigned long start_pfn;  /* (c) */
	unsigned long spanned;    /* (c) pages */
	unsigned long present;    /* (c) pages */
	unsigned long managed;    /* (z) pages; grows only during boot */
	struct page *pages;       /* (c) of start_pfn */
	struct pageblock *blocks; /* (c) of start_pfn: mm/pageblock.h */
	uintptr_t
		blocks_from; /* (c) struct page that the first one begins with */

	/* Pages; read with wmark_pages(), which adds the boost. */
	unsigned long watermark[WMARK_COUNT];
	unsigned long watermark_boost; /* (z) pages */
	bool boosted;                  /* kswapd is to be woken for it */
	unsigned long lowmem_reserve[ZONE_COUNT]; /* pages */

	struct spinlock lock;
	struct free_area free_area[MAX_ORDER + 1]; /* (z) */
	uint16_t
		nonempty[MIGRATE_TYPES]; /* (z) 1 << order: a list has blocks */
	unsigned long retype_pfn, retype_end; /* (z) mm/reclaim/retype.c */
	unsigned long free_pages;             /* (z) free, and for requests */
	unsigned long isolated_pages;         /* (z) free, in ISOLATE blocks */
	unsigned long nr_free_cma;        /* (z) of free_pages: in CMA blocks */
	unsigned long nr_cma;             /* (z) pages of these blocks */
	unsigned long nr_free_highatomic; /* (z) those in HIGHATOMIC blocks */
	unsigned long nr_reserved_highatomic; /* (z) pages of these blocks */
	unsigned long used_pages; /* (z) with those in PCP: zone_used_pages() */
	unsigned long parked_pages; /* (z) without those on CPUs' stacks */
	unsigned long
		exclusive_pages;   /* (z) with those: exclusive_zone_owned() */
	unsigned long bad_pages;   /* (z) */
	unsigned long loose_pages; /* (z) in flight */
	unsigned long changes;     /* (z) of the free lists, ever */
	struct audit *audits;      /* (z) and pool->lock; usually none */
	struct pcp_set *pcp[MAX_CPUS]; /* NULL: lists are off */

	struct compact_state compact;
	struct lru lru;       /* which of the used pages can be reclaimed */
	struct bad_pages bad; /* (z) to be reported */
};

/* The columns of the accounting, in pages. */
struct page_columns {
	unsigned long free;
	unsigned long isolated; /* free, but in ISOLATE pageblocks */
	unsigned long pcp;      /* on CPUs' lists */
	unsigned long parked;
	unsigned long used;
	unsigned long exclusive;
	unsigned long bad;
	unsigned long loose;
	unsigned long reserved;
};

/* Pages on CPUs' lists, and those in use: exact while no call is in between. */
unsigned long zone_pcp_pages(const struct zone *zone);
unsigned long zone_used_pages(const struct zone *zone);

/*
 * An empty zone over the COUNT struct pages at PAGES, the first of which
 * describes frame START_PFN, and PAGEBLOCK_COUNT(COUNT) pageblocks at BLOCKS.  All pages
 * are cleared, so none is a head; all pageblocks are MOVABLE; present and managed
 * are 0.
 */
void zone_init(struct zone *zone, enum zone_type type, struct page *pages,
               struct pageblock *blocks, unsigned long start_pfn,
               unsigned long count);

/* Frames START..END-1 exist: they count as present from now on. */
void zone_add_present(struct zone *zone, unsigned long start,
                      unsigned long end);

/*
 * Give the frames START..END-1, present and in no block, to the buddy.  The range
 * is cut into the largest aligned blocks.
 */
void zone_release(struct zone *zone, unsigned long start, unsigned long end);

static inline bool zone_contains(const struct zone *zone, unsigned long pfn)
{
	return pfn - zone->start_pfn < zone->spanned;
}

/* The page of frame PFN, which zone_contains(). */
static inline struct page *zone_page(const struct zone *zone, unsigned long pfn)
{
	kassert(zone_contains(zone, pfn));
	return zone->pages + (pfn - zone->start_pfn);
}

static inline unsigned long zone_pfn(const struct zone *zone,
                                     const struct page *page)
{
	return zone->start_pfn + (unsigned long)(page - zone->pages);
}

/*
 * The head of the block that frame PFN of ZONE lies in; NULL: it is in no block.  Right
 * while zone->lock is held or the caller holds the block, else a guess.  At most
 * MAX_ORDER + 1 pages are read.
 */
struct page *zone_block_head(const struct zone *zone, unsigned long pfn);

/* COUNT pages from PAGE on go from one state to another; the zone's lock is held,
 * or the pool's for two of its states. */
void audit_note_move(struct zone *zone, const struct page *page,
                     unsigned long count, enum page_state from,
                     enum page_state to);
static inline void audit_move(struct zone *zone, const struct page *page,
                              unsigned long count, enum page_state from,
                              enum page_state to)
{
	if (READ_ONCE(zone->audits) != NULL)
		audit_note_move(zone, page, count, from, to);
}

/* A free block of ORDER at PAGE comes (1) or goes (-1).  zone->lock held. */
void audit_note_block(struct zone *zone, const struct page *page,
                      unsigned int order, int change);
static inline void audit_block(struct zone *zone, const struct page *page,
                               unsigned int order, int change)
{
	zone->changes++;
	if (READ_ONCE(zone->audits) != NULL)
		audit_note_block(zone, page, order, change);
}

/*
 * Count every page of the zone by its state, compare with the counters and
 * with the free lists, and check the numbered invariants of the buddy.
 * Returns NULL, or an error message in BUFFER.  COLUMNS
 * may be NULL.  Any context but NMI.
 *
 * Takes the zone's lock for a slice of pages at a time; others continue meanwhile, and
 * the result is right for the moment in which it returns: see mm/debug/check.h.  TRY_LOCK: no
 * other code runs; if the lock is taken, it reads without it, and the message says
 * "unlocked".
 */
const char *zone_check(struct zone *zone, struct page_columns *columns,
                       bool try_lock, char *buffer, size_t size);

#endif

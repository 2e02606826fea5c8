/* SPDX-License-Identifier: MIT */
/*
 * mm/node.h -- the whole allocator as one value: four zones, their pages, the
 * pool of parked frames, the counters and the tunables.
 */
#ifndef MM_NODE_H
#define MM_NODE_H

#include "kernel/arch/arch.h"
#include "kernel/core/printk.h"
#include "mm/debug/fault_inject.h"
#include "mm/debug/page_debug.h"
#include "mm/debug/trace.h"
#include "mm/debug/vmstat.h"
#include "mm/exclusive/exclusive_pool.h"
#include "mm/reclaim/recovery.h"
#include "mm/reclaim/writeback_state.h"
#include "mm/slab/slab_state.h"
#include "mm/zone.h"

struct node {
	struct zone zone[ZONE_COUNT];
	struct page *pages; /* of frame start_pfn */
	bool no_mobility; /* constant after boot: all requests are UNMOVABLE */
	unsigned long start_pfn;
	unsigned long page_count;

	/* Tunables; watermark_setup() makes marks of them. */
	unsigned long min_free_kbytes;
	unsigned long watermark_scale_factor;
	unsigned long
		watermark_boost_factor; /* of high, in 1/10000; 0: no boost */
	unsigned int pcp_cpus; /* CPUs that have lists; 0: lists are off */
	struct pcp_cpu *pcp[MAX_CPUS]; /* NULL: lists are off */
	unsigned long pcp_fraction;    /* percpu_pagelist_high_fraction */
	unsigned long swappiness; /* 0..200: how readily anon is reclaimed */
	unsigned long lowmem_reserve_ratio[ZONE_COUNT]; /* 0: no reserve */

	struct vmstat stat;
	struct trace trace;
	struct page_debug debug;
	struct fault_attr fail_page_alloc, failslab;
	struct exclusive_pool pool;
	struct slab_state slab;
	struct ratelimit dump_limit; /* failure dumps: 1 in 10 s */
	struct ratelimit oom_limit;  /* reports of the OOM killer: 10 in 5 s */
	struct ratelimit bad_limit;  /* reports of bad pages: 60 in a minute */
	bool said_would_wait;
	bool said_order;
	uint8_t said_nofail; /* enum nofail_doubt, a bit each */

	struct recovery_ops recovery; /* zeroed: none */
	struct reclaim_state reclaim;
	struct writeback_state writeback;
	bool oom_busy; /* atomic: a thread is at the OOM rung */

	/* Wakes kswapd for a request; NULL: there is none. */
	void (*wake_kswapd)(struct node *node, unsigned int order,
	                    enum zone_type highest, bool may_sleep);
	/* FUNCTION(DATA) in a thread of CPU; waits for it.  NULL: there is one CPU. */
	void (*run_on)(unsigned int cpu, void (*function)(void *), void *data);
};

/*
 * An empty node over COUNT struct pages from START_PFN and NODE_PAGEBLOCKS(COUNT)
 * pageblocks.  The zones divide the frames at 16 MiB and 4 GiB; none is present.
 * Frames from MOVABLE on, a multiple of a pageblock, are ZONE_MOVABLE.
 */
void node_init(struct node *node, struct page *pages, struct pageblock *blocks,
               unsigned long start_pfn, unsigned long count);
void node_init_movable(struct node *node, struct page *pages,
                       struct pageblock *blocks, unsigned long start_pfn,
                       unsigned long count, unsigned long movable);

/* Where in BLOCKS, those of a node from START_PFN on, a zone's begin that starts at PFN:
 * two zones never share one. */
static inline struct pageblock *node_blocks_of(struct pageblock *blocks,
                                               unsigned long start_pfn,
                                               enum zone_type type,
                                               unsigned long pfn)
{
	return blocks + (pfn / PAGEBLOCK_PAGES - start_pfn / PAGEBLOCK_PAGES) +
	       type;
}

/* The node of functions with Linux's signatures (alloc_pages(), put_page()) and of the
 * calls of owners, or NULL.  All other functions get their node as a parameter or from
 * their zone (tests/lint/rules.py). */
extern struct node *the_main_node; /* for these two functions */
static inline struct node *main_node(void)
{
	return the_main_node;
}
void set_main_node(struct node *node);

/* Sum over the zones, and over those that requests of the kernel may use. */
unsigned long node_managed(const struct node *node);
unsigned long node_lowmem(const struct node *node);
unsigned long node_free(const struct node *node);

/* Pages on LIST in all zones, dirty ones, of these the ones of files, and those
 * under writeback. */
unsigned long node_lru_count(const struct node *node, enum lru_list list);
unsigned long node_dirty(const struct node *node);
unsigned long node_file_dirty(const struct node *node);
unsigned long node_writeback(const struct node *node);

/* The page of PFN, or NULL if the node has no such frame.  Any context. */
struct page *node_page(const struct node *node, unsigned long pfn);
static inline unsigned long node_pfn(const struct node *node,
                                     const struct page *page)
{
	kassert((unsigned long)(page - node->pages) < node->page_count);
	return node->start_pfn + (unsigned long)(page - node->pages);
}

/* Is PAGE one of the COUNT struct pages from FIRST on; one of NODE's? */
static inline bool page_is_among(const struct page *first, unsigned long count,
                                 const struct page *page)
{
	uintptr_t offset = (uintptr_t)page - (uintptr_t)first;

	return offset / sizeof(*page) < count && offset % sizeof(*page) == 0;
}

static inline bool page_is_of(const struct node *node, const struct page *page)
{
	return page_is_among(node->pages, node->page_count, page);
}

/* The head of the block that PAGE lies in, or PAGE itself if it is in none.  Right
 * while the caller holds the block, else a guess. */
struct page *page_head(const struct node *node, const struct page *page);

/* The type of pages that REQUESTED is given: UNMOVABLE where grouping is off. */
static inline enum migratetype
pageblock_request_type(const struct node *node, enum migratetype requested)
{
	kassert(requested < MIGRATE_PCPTYPES);
	return node->no_mobility ? MIGRATE_UNMOVABLE : requested;
}

/* May REQUEST use CMA pages?  Movable ones, where pages are grouped.  Linux:
 * gfp_to_alloc_flags_cma(). */
static inline bool request_may_use_cma(const struct node *node,
                                       const struct alloc_request *request)
{
	return pageblock_request_type(node, request->migratetype) ==
	       MIGRATE_MOVABLE;
}

/* The zone of a head. */
static inline struct zone *page_zone(struct node *node, const struct page *page)
{
	kassert(page->zone < ZONE_COUNT);
	return &node->zone[page->zone];
}

/* Linux's names: EVENT happened on NODE, once or AMOUNT times. */
static inline void count_vm_events(struct node *node, enum vmstat_event event,
                                   unsigned long amount)
{
	vmstat_add(&node->stat, event, amount);
}

static inline void count_vm_event(struct node *node, enum vmstat_event event)
{
	count_vm_events(node, event, 1);
}

/* The memory of a page that is not exclusive, in the direct map. */
static inline void *page_memory(struct node *node, const struct page *page)
{
	kassert(!page_is_exclusive(page));
	return (void *)(direct_map_base + (node_pfn(node, page) << PAGE_SHIFT));
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mm/node.c -- four zones over one array of struct page.
 *
 *	frame 0        4096                1048576         MOVABLE
 *	|   DMA   |   DMA32   |   NORMAL ...      |   MOVABLE ...
 *	0       16 MiB      4 GiB                 mm/boot/zone_movable.c
 *
 * MOVABLE may begin below 4 GiB; then DMA32 ends there, and NORMAL is empty.  As a rule
 * there is none.
 */
#include "mm/node.h"

#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/pcp.h"
#include "mm/watermark.h"

/* One dump of a failed request in ten seconds, as in Linux. */
#define DUMP_INTERVAL       10000000ULL

/* Linux's default rate limit. */
#define OOM_REPORT_INTERVAL 5000000ULL
#define OOM_REPORT_BURST    10

/* As Linux's bad_page(). */
#define BAD_PAGE_INTERVAL   60000000ULL
#define BAD_PAGE_BURST      60

/* Linux's default. */
#define SWAPPINESS          60

struct node *the_main_node;

void set_main_node(struct node *node)
{
	the_main_node = node;
	pcp_shortcut_update();
}

static void init_reclaim(struct reclaim_state *reclaim)
{
	reclaim->lock.name = "shrinkers";
	list_init(&reclaim->shrinkers);
	wait_queue_init(&reclaim->unregister, "shrinker_in_use");
	wait_queue_init(&reclaim->kswapd_wait, "kswapd_wait");
	kcompactd_state_init(&reclaim->kcompactd);
	wait_queue_init(&reclaim->pfmemalloc_wait, "pfmemalloc_wait");
	wait_queue_init(&reclaim->writeback_wait, "reclaim_writeback");
	wait_queue_init(&reclaim->isolated_wait, "reclaim_isolated");
	reclaim->kswapd_highest = KSWAPD_NO_ZONE;
}

static void init_writeback(struct writeback_state *writeback)
{
	writeback->dirty_ratio = DIRTY_RATIO;
	writeback->background_ratio = DIRTY_BACKGROUND_RATIO;
	writeback->expire = DIRTY_EXPIRE;
	writeback->interval = DIRTY_INTERVAL;
	mutex_init(&writeback->lock, "writeback");
	list_init(&writeback->sources);
	wait_queue_init(&writeback->flusher_wait, "flusher_wait");
	wait_queue_init(&writeback->throttled, "dirty_throttled");
}

static void init_tunables(struct node *node)
{
	node->watermark_scale_factor = WATERMARK_SCALE_FACTOR;
	node->watermark_boost_factor = WATERMARK_BOOST_FACTOR;
	node->swappiness = SWAPPINESS;
	node->lowmem_reserve_ratio[ZONE_DMA] = LOWMEM_RATIO_DMA;
	node->lowmem_reserve_ratio[ZONE_DMA32] = LOWMEM_RATIO_DMA32;
	node->lowmem_reserve_ratio[ZONE_NORMAL] = LOWMEM_RATIO_NORMAL;
	node->dump_limit.interval = DUMP_INTERVAL;
	node->dump_limit.burst = 1;
	node->oom_limit.interval = OOM_REPORT_INTERVAL;
	node->oom_limit.burst = OOM_REPORT_BURST;
	node->bad_limit.interval = BAD_PAGE_INTERVAL;
	node->bad_limit.burst = BAD_PAGE_BURST;
}

void node_init_movable(struct node *node, struct page *pages,
                       struct pageblock *blocks, unsigned long start_pfn,
                       unsigned long count, unsigned long movable)
{
	const unsigned long zone_end[ZONE_COUNT] = {
		[ZONE_DMA] = min(ZONE_DMA_END, movable),
		[ZONE_DMA32] = min(ZONE_DMA32_END, movable),
		[ZONE_NORMAL] = movable,
		[ZONE_MOVABLE] = ~0UL,
	};
	unsigned long pfn = start_pfn;

	kassert(pages != NULL || count == 0);
	kassert(start_pfn + count >= start_pfn);
	/* No compound literal: a compiler may build it on the stack first. */
	memset(node, 0, sizeof(*node));
	node->pages = pages;
	node->start_pfn = start_pfn;
	node->page_count = count;
	init_tunables(node);
	vmstat_init(&node->stat);
	fault_attr_init(&node->fail_page_alloc);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		unsigned long end =
			clamp(zone_end[type], pfn, start_pfn + count);

		zone_init(&node->zone[type], (enum zone_type)type,
		          pages + (pfn - start_pfn),
		          node_blocks_of(blocks, start_pfn,
		                         (enum zone_type)type, pfn),
		          pfn, end - pfn);
		node->zone[type].node = node;
		pfn = end;
	}
	exclusive_pool_init(node, NULL, 0);
	init_reclaim(&node->reclaim);
	init_writeback(&node->writeback);
}

void node_init(struct node *node, struct page *pages, struct pageblock *blocks,
               unsigned long start_pfn, unsigned long count)
{
	node_init_movable(node, pages, blocks, start_pfn, count, ~0UL);
}

unsigned long node_lowmem(const struct node *node)
{
	return node_managed(node) - node->zone[ZONE_MOVABLE].managed;
}

unsigned long node_managed(const struct node *node)
{
	unsigned long managed = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		managed += node->zone[type].managed;
	return managed;
}

unsigned long node_free(const struct node *node)
{
	unsigned long free = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		free += READ_ONCE(node->zone[type].free_pages);
	return free;
}

struct page *node_page(const struct node *node, unsigned long pfn)
{
	if (pfn - node->start_pfn >= node->page_count)
		return NULL;
	return node->pages + (pfn - node->start_pfn);
}

struct page *page_head(const struct node *node, const struct page *page)
{
	unsigned long pfn = node_pfn(node, page);
	struct page *head = NULL;

	if (READ_ONCE(page->state) != PAGE_NONE)
		return node->pages + (pfn - node->start_pfn);
	for (unsigned int type = 0; head == NULL && type < ZONE_COUNT; type++) {
		if (zone_contains(&node->zone[type], pfn))
			head = zone_block_head(&node->zone[type], pfn);
	}
	return head != NULL ? head : node->pages + (pfn - node->start_pfn);
}

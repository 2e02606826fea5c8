/* SPDX-License-Identifier: MIT */
/* tests/host/test_page_isolation.c -- pageblocks whose free pages nobody gets. */
#include <string.h>

#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/contig/page_isolation.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/watermark.h"
#include "tests/host/contig_scene.h"
#include "tests/suite.h"

SUITE(isolation);

/* The last page, whatever its pageblock. */
#define LAST_PAGE (__GFP_MEMALLOC | __GFP_MOVABLE | __GFP_NOWARN)

static int isolation_start(unsigned long start, unsigned long end)
{
	return start_isolate_page_range(zone, start, end, MIGRATE_MOVABLE);
}

static void isolation_undo(unsigned long start, unsigned long end,
                           enum migratetype type)
{
	undo_isolate_page_range(zone, start, end, type);
}

CASE(isolation, what_is_isolated_is_not_free_and_nobody_gets_it)
{
	struct page *page;
	unsigned long got = 0;

	contig_scene_start_free();
	EXPECT_EQUAL(isolation_start(512, 1024), 0);
	EXPECT_EQUAL(zone->free_pages, PAGES - 512);
	EXPECT_EQUAL(zone->isolated_pages, 512);
	EXPECT(contig_scene_check() == NULL);
	EXPECT(watermark_ok(zone, 0, PAGES - 513, ZONE_DMA32, RESERVE_NONE));
	EXPECT(!watermark_ok(zone, 0, PAGES - 512, ZONE_DMA32, RESERVE_NONE));
	while ((page = alloc_page(LAST_PAGE)) != NULL) {
		EXPECT(zone_pfn(zone, page) / PAGEBLOCK_PAGES != 1);
		got++;
	}
	EXPECT_EQUAL(got, PAGES - 512);
	EXPECT(!watermark_ok(zone, 9, 0, ZONE_DMA32, RESERVE_ALL));
	isolation_undo(512, 1024, MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_pages, 512);
	return contig_scene_end();
}

CASE(isolation, the_range_is_rounded_to_whole_pageblocks)
{
	contig_scene_start_free();
	EXPECT_EQUAL(isolation_start(1023, 1025), 0);
	EXPECT_EQUAL(contig_scene_type(0), MIGRATE_MOVABLE);
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_ISOLATE);
	EXPECT_EQUAL(contig_scene_type(2), MIGRATE_ISOLATE);
	EXPECT_EQUAL(contig_scene_type(3), MIGRATE_MOVABLE);
	isolation_undo(1023, 1025, MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_area[10].count, 4);
	return contig_scene_end();
}

CASE(isolation, what_becomes_free_there_stays_there)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&file_space, 512, 1024);
	EXPECT_EQUAL(isolation_start(512, 1024), 0);
	for (unsigned long i = 0; i < 512; i++) {
		space_truncate(&file_space, i);
		EXPECT_EQUAL(zone->isolated_pages, i + 1);
	}
	EXPECT_EQUAL(zone->free_pages, 0);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_ISOLATE], 1);
	EXPECT(alloc_page(LAST_PAGE) == NULL);
	isolation_undo(512, 1024, MIGRATE_MOVABLE);
	return contig_scene_end();
}

/* A free block of order 10 is in the way, from the first or the second half on. */
static const char *isolation_cut(unsigned long block)
{
	contig_scene_start_free();
	EXPECT_EQUAL(zone->free_area[10].count, 4);
	EXPECT_EQUAL(isolation_start(block * 512, (block + 1) * 512), 0);
	EXPECT_EQUAL(contig_scene_type(block ^ 1), MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_area[10].count, 3);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_MOVABLE], 1);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_ISOLATE], 1);
	EXPECT(contig_scene_check() == NULL);
	/* They are one block again when both are of one kind. */
	isolation_undo(block * 512, (block + 1) * 512, MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_area[10].count, 4);
	return contig_scene_end();
}

CASE(isolation, a_free_block_of_two_pageblocks_is_cut_at_either_half)
{
	const char *wrong = isolation_cut(2);

	return wrong != NULL ? wrong : isolation_cut(3);
}

CASE(isolation, isolated_neighbours_merge_with_each_other_only)
{
	contig_scene_start_free();
	EXPECT_EQUAL(isolation_start(0, 1024), 0);
	EXPECT_EQUAL(zone->free_area[10].of_type[MIGRATE_ISOLATE], 1);
	EXPECT_EQUAL(zone->isolated_pages, 1024);
	isolation_undo(512, 1024, MIGRATE_MOVABLE);
	EXPECT_EQUAL(contig_scene_type(0), MIGRATE_ISOLATE);
	EXPECT_EQUAL(zone->isolated_pages, 512);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_ISOLATE], 1);
	EXPECT_EQUAL(zone->free_area[9].of_type[MIGRATE_MOVABLE], 1);
	EXPECT(contig_scene_check() == NULL);
	isolation_undo(0, 512, MIGRATE_MOVABLE);
	return contig_scene_end();
}

CASE(isolation, the_type_afterwards_is_the_callers)
{
	struct page *page;
	unsigned long pfn;

	contig_scene_start_free();
	page = alloc_pages(GFP_KERNEL, 9);
	pfn = zone_pfn(zone, page);
	EXPECT_EQUAL(contig_scene_type(pfn / 512), MIGRATE_UNMOVABLE);
	__free_pages(page, 9);
	EXPECT_EQUAL(isolation_start(pfn, pfn + 512), 0);
	isolation_undo(pfn, pfn + 512, MIGRATE_RECLAIMABLE);
	EXPECT_EQUAL(contig_scene_type(pfn / 512), MIGRATE_RECLAIMABLE);
	return contig_scene_end();
}

/* Isolating START..END fails, and changes nothing. */
static const char *isolation_refused(unsigned long start, unsigned long end)
{
	unsigned long free = zone->free_pages;

	EXPECT_EQUAL(isolation_start(start, end), -EBUSY);
	EXPECT_EQUAL(zone->isolated_pages, 0);
	EXPECT_EQUAL(zone->free_pages, free);
	for (unsigned long i = 0; i < PAGES / 512; i++)
		EXPECT(contig_scene_type(i) != MIGRATE_ISOLATE);
	return contig_scene_check();
}

CASE(isolation, a_page_that_cannot_move_anywhere_in_the_pageblock_refuses)
{
	const char *wrong;

	contig_scene_start(SPACE_PLAIN);
	contig_scene_give(512, 900);
	contig_scene_give(901, 1024);
	/* [600, 700) is free. */
	wrong = isolation_refused(600, 700);
	if (wrong != NULL)
		return wrong;
	contig_scene_give(900, 901);
	EXPECT_EQUAL(isolation_start(600, 700), 0);
	isolation_undo(600, 700, MIGRATE_MOVABLE);
	return contig_scene_end();
}

CASE(isolation, a_page_that_is_isolated_from_its_list_refuses)
{
	struct list taken = LIST_INIT(taken);
	const char *wrong;

	contig_scene_start(SPACE_PLAIN);
	contig_scene_put_all(&file_space, 512, 1024);
	EXPECT_EQUAL(lru_isolate(zone, LRU_INACTIVE_FILE, 1, &taken), 1);
	wrong = isolation_refused(512, 1024);
	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(migrate_putback(node, &taken), 1);
	EXPECT_EQUAL(isolation_start(512, 1024), 0);
	isolation_undo(512, 1024, MIGRATE_MOVABLE);
	return contig_scene_end();
}

CASE(isolation, a_failure_undoes_the_pageblocks_that_were_isolated)
{
	const char *wrong;

	contig_scene_start(SPACE_PLAIN);
	contig_scene_give(0, 1024);
	contig_scene_give(1025, 1536);
	EXPECT_EQUAL(isolation_start(0, 512), 0);
	isolation_undo(0, 512, MIGRATE_UNMOVABLE);
	wrong = isolation_refused(0, 1536);
	if (wrong != NULL)
		return wrong;
	/* And they are of the caller's type. */
	EXPECT_EQUAL(contig_scene_type(0), MIGRATE_MOVABLE);
	return contig_scene_end();
}

CASE(isolation, twice_is_refused_and_leaves_the_first)
{
	contig_scene_start_free();
	EXPECT_EQUAL(isolation_start(512, 1024), 0);
	EXPECT_EQUAL(isolation_start(0, 1024), -EBUSY);
	EXPECT_EQUAL(contig_scene_type(0), MIGRATE_MOVABLE);
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_ISOLATE);
	isolation_undo(512, 1024, MIGRATE_MOVABLE);
	return contig_scene_end();
}

CASE(isolation, a_pageblock_partly_outside_its_zone_is_refused)
{
	const unsigned long pages[ZONE_COUNT] = { 0, 4096, 0, 0 };

	machine_start(256 + 4096);
	node = machine_zones(256, pages);
	zone = &node->zone[ZONE_DMA32];
	EXPECT_EQUAL(isolation_start(256, 512), -EBUSY);
	EXPECT_EQUAL(isolation_start(4096, 4352), -EBUSY);
	EXPECT_EQUAL(isolation_start(512, 1024), 0);
	isolation_undo(512, 1024, MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->free_pages, 4096);
	return contig_scene_check();
}

CASE(isolation, a_hole_or_reserved_memory_is_refused)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_give(512, 1023);
	EXPECT(isolation_is_memory(zone, 0, PAGES));
	/* As if it had never been given to the buddy. */
	zone_page(zone, 1023)->state = PAGE_NONE;
	EXPECT_EQUAL(isolation_start(512, 1024), -EBUSY);
	EXPECT(!isolation_is_memory(zone, 1022, 1025));
	EXPECT(isolation_is_memory(zone, 1024, 1025));
	zone_page(zone, 1023)->state = PAGE_USED;
	return contig_scene_end();
}

CASE(isolation, in_zone_movable_a_used_page_is_no_obstacle)
{
	const unsigned long pages[ZONE_COUNT] = { 0, 1024, 0, 1024 };
	struct page *page;

	machine_start(2048);
	node = machine_zones(0, pages);
	zone = &node->zone[ZONE_MOVABLE];
	page = alloc_page(GFP_HIGHUSER_MOVABLE);
	EXPECT(page != NULL && page->zone == ZONE_MOVABLE);
	EXPECT_EQUAL(isolation_start(1024, 1536), 0);
	EXPECT_EQUAL(test_pages_isolated(zone, 1024, 1536), -EBUSY);
	__free_page(page);
	EXPECT_EQUAL(test_pages_isolated(zone, 1024, 1536), 0);
	isolation_undo(1024, 1536, MIGRATE_MOVABLE);
	return contig_scene_check();
}

CASE(isolation, a_highatomic_pageblock_leaves_the_reserve)
{
	contig_scene_start(SPACE_PLAIN);
	zone->blocks[0].type = MIGRATE_HIGHATOMIC;
	zone->nr_reserved_highatomic = 512;
	contig_scene_give(0, 512);
	EXPECT_EQUAL(zone->nr_free_highatomic, 512);
	EXPECT_EQUAL(isolation_start(0, 512), 0);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
	EXPECT_EQUAL(zone->nr_free_highatomic, 0);
	isolation_undo(0, 512, MIGRATE_MOVABLE);
	EXPECT_EQUAL(zone->nr_reserved_highatomic, 0);
	return contig_scene_end();
}

static bool isolation_thief_acts;

/* Between looking and isolating somebody takes a page of the pageblock. */
static void isolation_thief(const struct spinlock *lock)
{
	if (!isolation_thief_acts || lock != &zone->lock)
		return;
	isolation_thief_acts = false;
	kassert(alloc_page(GFP_KERNEL) != NULL);
}

CASE(isolation, a_page_that_is_taken_meanwhile_refuses_and_the_type_stays)
{
	contig_scene_start(SPACE_PLAIN);
	contig_scene_give(512, 1024);
	zone->watermark[WMARK_MIN] = 0;
	zone->watermark[WMARK_LOW] = 0;
	isolation_thief_acts = true;
	machine_set_unlock_hook(isolation_thief);
	EXPECT_EQUAL(isolation_start(512, 1024), -EBUSY);
	machine_set_unlock_hook(NULL);
	EXPECT(!isolation_thief_acts);
	/* It was claimed for that page. */
	EXPECT_EQUAL(contig_scene_type(1), MIGRATE_UNMOVABLE);
	EXPECT_EQUAL(zone->free_pages, 511);
	return contig_scene_end();
}

CASE(isolation, compaction_and_the_parked_pool_find_no_room_there)
{
	contig_scene_start_free();
	EXPECT_EQUAL(isolation_start(0, 512), 0);
	EXPECT_EQUAL(buddy_find_within(zone, 0, 511), -1UL);
	EXPECT_EQUAL(buddy_find_within(zone, 0, 512), 512);
	isolation_undo(0, 512, MIGRATE_MOVABLE);
	EXPECT_EQUAL(buddy_find_within(zone, 0, 511), 0);
	return contig_scene_end();
}

CASE(isolation, check_finds_a_wrong_count_of_isolated_pages)
{
	char said[200];

	contig_scene_start_free();
	EXPECT_EQUAL(isolation_start(0, 512), 0);
	zone->isolated_pages--;
	zone->free_pages++;
	EXPECT(buddy_check(zone, false, said, sizeof(said)) != NULL);
	EXPECT(strstr(said, "B7") != NULL);
	EXPECT(zone_check(zone, NULL, false, said, sizeof(said)) != NULL);
	zone->isolated_pages++;
	zone->free_pages--;
	isolation_undo(0, 512, MIGRATE_MOVABLE);
	return contig_scene_end();
}

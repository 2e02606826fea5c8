/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive_block.c -- whole pageblocks in the pool of parked frames.
 *
 * The node is one zone with the marks 480/600/720; single frames are parked up to 120.
 */
#include "lib/random.h"
#include "mm/exclusive/exclusive_internal.h"
#include "tests/host/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive_block);

#define BLOCK       512UL
#define LARGE       61440UL
#define SINGLE_HIGH 120UL

static struct owner block_line;

/* Addresses of the running owner. */
static void *taken[2 * BLOCK];
static unsigned long taken_count;

static void count_block_wake(void)
{
	wakes++;
}

/* Free pages at the beginning: all but those of windows. */
static unsigned long all_free;

static void whole_begin_with(unsigned long pages, unsigned long tables)
{
	machine_start(pages);
	node = machine_one_zone(ZONE_DMA32, pages);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, 480, 600, 720);
	set_main_node(node);
	machine_start_exclusive(node, tables);
	machine_begin_line(&block_line, "irq 0 timer");
	node->pool.wake = count_block_wake;
	pile.node = node;
	pile.count = 0;
	taken_count = 0;
	wakes = 0;
	all_free = zone->free_pages;
	vmstat_clear(&node->stat);
}

static void whole_begin(unsigned long pages)
{
	whole_begin_with(pages, 8);
}

/* Take COUNT pages more in the timer's interrupt; how many came. */
static unsigned long whole_take(unsigned long count)
{
	unsigned long got = 0;

	machine_enter_irq(&block_line);
	while (got < count &&
	       (taken[taken_count] = test_exclusive_take()) != NULL) {
		taken_count++;
		got++;
	}
	machine_leave_irq();
	return got;
}

/* Release the COUNT pages that were taken last. */
static bool whole_release(unsigned long count)
{
	bool ok = true;

	machine_enter_irq(&block_line);
	for (; count > 0 && taken_count > 0; count--)
		ok = exclusive_release(taken[--taken_count]) == 0 && ok;
	machine_leave_irq();
	return ok;
}

/* Frames that are not in the direct map. */
static unsigned long count_hidden(void)
{
	unsigned long hidden = 0;

	for (unsigned long i = 0; i < node->page_count; i++)
		hidden += !direct_map_visible(node->start_pfn + i);
	return hidden;
}

/* ---- In ------------------------------------------------------------------ */

CASE(exclusive_block, a_large_zone_parks_a_whole_pageblock_and_splits_nothing)
{
	whole_begin(LARGE);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), BLOCK);
	EXPECT_EQUAL(node->pool.blocks, 1);
	EXPECT_EQUAL(node->pool.full, 1);
	EXPECT_EQUAL(node->pool.regions, 0);
	EXPECT_EQUAL(node->pool.tables_left, 8);
	EXPECT_EQUAL(exclusive_zone_parked(zone), BLOCK);
	EXPECT_EQUAL(zone->free_pages, all_free - BLOCK);
	EXPECT_EQUAL(count_hidden(), BLOCK);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_block_park), 1);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_park), BLOCK);
	/* It is enough, and nothing is given back. */
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), BLOCK);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_unpark), 0);
	return test_exclusive_check();
}

CASE(exclusive_block, zones_of_51200_pages_are_large_and_smaller_ones_are_not)
{
	whole_begin(51199);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 0);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 51199 / 512);
	EXPECT(node->pool.regions > 0);
	whole_begin(51200);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 1);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), BLOCK);
	return test_exclusive_check();
}

CASE(exclusive_block, one_is_added_below_256_and_the_refiller_is_woken_for_it)
{
	whole_begin(LARGE);
	exclusive_balance(node);
	EXPECT_EQUAL(whole_take(256), 256);
	EXPECT_EQUAL(wakes, 0);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 1);
	EXPECT_EQUAL(whole_take(1), 1);
	EXPECT_EQUAL(wakes, 1);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 2);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 255 + BLOCK);
	EXPECT_EQUAL(exclusive_zone_owned(zone), 257);
	return test_exclusive_check();
}

CASE(exclusive_block, pages_are_zeroed_before_they_are_parked)
{
	uint64_t *words;

	whole_begin(LARGE);
	pile_drain(&pile, GFP_KERNEL, LARGE);
	for (unsigned long i = 0; i < pile.count; i++)
		*(uint64_t *)page_address(pile.page[i]) = ~0ULL;
	pile_give(&pile, PILE_PAGES);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 1);
	for (unsigned long i = 0; i < BLOCK; i++) {
		EXPECT_EQUAL(whole_take(1), 1);
		machine_enter_irq(&block_line);
		words = taken[taken_count - 1];
		EXPECT_EQUAL(words[0], 0);
		words[0] = i;
		machine_leave_irq();
	}
	return test_exclusive_check();
}

/* The low mark must hold without the 512 pages. */
CASE(exclusive_block, without_a_pageblock_above_low_single_frames_are_parked)
{
	static const struct {
		unsigned long free, blocks, parked;
	} row[] = {
		{ 600 + BLOCK, 1, BLOCK },
		{ 600 + BLOCK - 1, 0, SINGLE_HIGH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		whole_begin(LARGE);
		pile_leave(&pile, row[i].free);
		exclusive_balance(node);
		EXPECT_EQUAL(node->pool.blocks, row[i].blocks);
		EXPECT_EQUAL(exclusive_pool_parked(&node->pool), row[i].parked);
		EXPECT(test_exclusive_check() == NULL);
		pile_give(&pile, PILE_PAGES);
	}
	return NULL;
}

CASE(exclusive_block, a_region_that_was_split_is_joined_before_it_is_hidden)
{
	whole_begin_with(LARGE, LARGE / BLOCK);
	EXPECT(exclusive_pool_begin_busy(&node->pool));
	for (unsigned long i = 0; i < LARGE; i += BLOCK)
		exclusive_region_split(node, node->start_pfn + i);
	exclusive_pool_end_busy(&node->pool);
	EXPECT_EQUAL(node->pool.tables_left, 0);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 1);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), BLOCK);
	/* The others were empty, too; the newest stays split. */
	EXPECT_EQUAL(node->pool.regions, 1);
	EXPECT_EQUAL(node->pool.tables_left, LARGE / BLOCK - 1);
	return test_exclusive_check();
}

CASE(exclusive_block, a_pageblock_whose_region_boot_split_is_left_alone)
{
	whole_begin(LARGE);
	for (unsigned long i = 0; i < node->page_count; i += BLOCK)
		machine_split_at_boot(node->start_pfn + i);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 0);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), SINGLE_HIGH);
	EXPECT_EQUAL(zone->free_pages, all_free - SINGLE_HIGH);
	return test_exclusive_check();
}

/* ---- Out ----------------------------------------------------------------- */

CASE(exclusive_block, a_full_one_goes_back_only_if_256_others_remain)
{
	whole_begin(LARGE);
	exclusive_balance(node);
	EXPECT_EQUAL(whole_take(257), 257);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 255 + BLOCK);
	wakes = 0;
	EXPECT_EQUAL(exclusive_spare(node, node->pool.low), 0);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 2);
	/* Which one of the two it fills does not matter: the other one is full. */
	EXPECT(whole_release(1));
	EXPECT_EQUAL(wakes, 1);
	EXPECT_EQUAL(exclusive_spare(node, node->pool.low), BLOCK);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 1);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 256);
	EXPECT_EQUAL(zone->free_pages, all_free - BLOCK);
	EXPECT_EQUAL(count_hidden(), BLOCK);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_block_unpark), 1);
	return test_exclusive_check();
}

CASE(exclusive_block,
     released_frames_stay_hidden_until_all_of_theirs_are_parked)
{
	whole_begin(LARGE);
	exclusive_balance(node);
	EXPECT_EQUAL(whole_take(100), 100);
	wakes = 0;
	EXPECT(whole_release(100));
	EXPECT_EQUAL(wakes, 0);
	/* The last ones are on the stack, until somebody wants them. */
	EXPECT_EQUAL(node->pool.full, 0);
	EXPECT_EQUAL(count_hidden(), BLOCK);
	EXPECT_EQUAL(exclusive_trim(node, 0), 0);
	EXPECT_EQUAL(node->pool.full, 1);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), BLOCK);
	return test_exclusive_check();
}

CASE(exclusive_block, single_frames_go_when_a_pageblock_has_come)
{
	whole_begin(LARGE);
	EXPECT_EQUAL(exclusive_refill(node, SINGLE_HIGH), SINGLE_HIGH);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), BLOCK);
	EXPECT_EQUAL(node->pool.blocks, 1);
	EXPECT_EQUAL(count_hidden(), BLOCK);
	return test_exclusive_check();
}

CASE(exclusive_block, shrinking_breaks_one_up_if_it_must)
{
	whole_begin(LARGE);
	exclusive_balance(node);
	EXPECT_EQUAL(whole_take(10), 10);
	EXPECT_EQUAL(exclusive_shrink(node, 100), BLOCK - 10 - 100);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), 100);
	EXPECT_EQUAL(node->pool.blocks, 0);
	EXPECT_EQUAL(node->pool.regions, 1);
	EXPECT_EQUAL(node->pool.tables_left, 7);
	EXPECT_EQUAL(count_hidden(), 110);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_block_break), 1);
	EXPECT(test_exclusive_check() == NULL);
	EXPECT(whole_release(10));
	EXPECT_EQUAL(exclusive_shrink(node, 0), 110);
	EXPECT_EQUAL(count_hidden(), 0);
	EXPECT_EQUAL(zone->free_pages, all_free);
	return test_exclusive_check();
}

CASE(exclusive_block, shrinking_gives_whole_ones_first)
{
	whole_begin(LARGE);
	exclusive_balance(node);
	EXPECT_EQUAL(exclusive_shrink(node, 0), BLOCK);
	EXPECT_EQUAL(node->pool.regions, 0);
	EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_block_break), 0);
	EXPECT_EQUAL(zone->free_pages, all_free);
	return test_exclusive_check();
}

CASE(exclusive_block, without_a_table_none_is_broken_up)
{
	whole_begin_with(LARGE, 0);
	exclusive_balance(node);
	EXPECT_EQUAL(whole_take(1), 1);
	EXPECT_EQUAL(exclusive_shrink(node, 0), 0);
	EXPECT_EQUAL(exclusive_pool_parked(&node->pool), BLOCK - 1);
	return test_exclusive_check();
}

/* ---- While others take ---------------------------------------------------- */

static unsigned long unlocks_left;

/* The timer interrupts when a lock has been given back often enough. */
static void take_between(const struct spinlock *lock __unused)
{
	if (unlocks_left > 0 && --unlocks_left == 0)
		whole_take(1);
}

/* At every lock that is given back on the way out a page is taken. */
CASE(exclusive_block, a_page_taken_while_one_goes_back_keeps_it_in_the_pool)
{
	for (unsigned long at = 1; at < 3 * BLOCK; at += 37) {
		whole_begin(LARGE);
		exclusive_balance(node);
		unlocks_left = at;
		machine_set_unlock_hook(take_between);
		exclusive_shrink(node, 0);
		machine_set_unlock_hook(NULL);
		EXPECT(test_exclusive_check() == NULL);
		EXPECT_EQUAL(taken_count + zone->free_pages, all_free);
		EXPECT_EQUAL(exclusive_pool_parked(&node->pool) +
		                     zone->loose_pages,
		             0);
		/* It came while the frames left the pool, one after the other. */
		if (at > BLOCK)
			continue;
		EXPECT_EQUAL(taken_count, 1);
		EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_block_unpark),
		             0);
		EXPECT_EQUAL(test_exclusive_stat(VMSTAT_exclusive_block_break),
		             1);
	}
	return NULL;
}

CASE(exclusive_block, random_takes_and_releases_keep_every_invariant)
{
	struct random dice = { test_seed() };

	whole_begin(LARGE);
	for (unsigned int round = 0; round < 400; round++) {
		unsigned long n = random_below(&dice, 300);
		unsigned long spare;

		switch (random_below(&dice, 5)) {
		case 0:
		case 1:
			whole_take(min(n, 2 * BLOCK - 512 - taken_count));
			break;
		case 2:
			EXPECT(whole_release(n));
			break;
		case 3:
			exclusive_balance(node);
			EXPECT(exclusive_pool_parked(&node->pool) >= 256);
			break;
		case 4:
			if (n < 100) {
				exclusive_shrink(node, n);
				break;
			}
			spare = exclusive_spare(node, n);
			EXPECT_EQUAL(exclusive_trim(node, n), spare);
			break;
		}
		EXPECT_EQUAL(exclusive_pool_parked(&node->pool) + taken_count +
		                     zone->free_pages,
		             all_free);
		EXPECT(test_exclusive_check() == NULL);
	}
	EXPECT(whole_release(2 * BLOCK));
	exclusive_shrink(node, 0);
	EXPECT_EQUAL(count_hidden(), 0);
	return test_exclusive_check();
}

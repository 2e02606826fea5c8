/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_watermark.c -- marks, floors and reserves, by Linux's numbers.
 *
 * Zone Z of the cases has 61440 managed pages and the marks 480/600/720; only
 * its counters are real, which is all that the arithmetic looks at.
 */
#include "mm/buddy.h"
#include "mm/watermark.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(watermark);

/* A node of zones that exist on paper: DMA, DMA32, NORMAL, MOVABLE. */
static struct node *paper_node(unsigned long dma, unsigned long dma32,
                               unsigned long normal, unsigned long movable)
{
	static const unsigned long none[ZONE_COUNT] = { 0 };
	struct node *node = private_node(0, none);

	node->zone[ZONE_DMA].managed = dma;
	node->zone[ZONE_DMA32].managed = dma32;
	node->zone[ZONE_NORMAL].managed = normal;
	node->zone[ZONE_MOVABLE].managed = movable;
	node->min_free_kbytes =
		watermark_min_free_kbytes((dma + dma32 + normal) * 4);
	watermark_setup(node);
	return node;
}

/* Zone Z with FREE free pages, the smallest block being of ORDER. */
static struct zone *zone_z(unsigned long free, unsigned int order)
{
	struct node *node = paper_node(0, 61440, 0, 0);
	struct zone *zone = &node->zone[ZONE_DMA32];

	zone->watermark[WMARK_MIN] = 480;
	zone->watermark[WMARK_LOW] = 600;
	zone->watermark[WMARK_HIGH] = 720;
	zone->free_pages = free;
	zone->nonempty[MIGRATE_UNMOVABLE] = (uint16_t)(1U << order);
	return zone;
}

static bool test_watermark_passes(unsigned long free, unsigned int order,
                                  enum watermark mark, enum reserve_right right)
{
	struct zone *zone = zone_z(free, order);

	return watermark_ok(zone, 0, zone->watermark[mark], ZONE_NORMAL, right);
}

/* ---- min_free_kbytes ----------------------------------------------------- */

CASE(watermark, min_free_kbytes_is_the_root_of_sixteen_times_lowmem)
{
	static const struct {
		unsigned long mb;
		unsigned long kbytes;
	} size[] = {
		{ 1, 128 },       { 2, 181 },
		{ 4, 256 },       { 8, 362 },
		{ 16, 512 },      { 64, 1024 },
		{ 128, 1448 },    { 256, 2048 },
		{ 1024, 4096 },   { 4096, 8192 },
		{ 8192, 11585 },  { 16384, 16384 },
		{ 20480, 18317 }, { 8UL << 20, 262144 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(size); i++) {
		unsigned long kbytes =
			watermark_min_free_kbytes(size[i].mb * 1024);

		if (kbytes != size[i].kbytes)
			return test_failure("%lu MB: %lu, expected %lu",
			                    size[i].mb, kbytes, size[i].kbytes);
	}
	return NULL;
}

CASE(watermark, min_free_kbytes_is_clamped_at_both_ends)
{
	EXPECT_EQUAL(watermark_min_free_kbytes(0), 128);
	EXPECT_EQUAL(watermark_min_free_kbytes(1023), 128);
	EXPECT_EQUAL(watermark_min_free_kbytes(1024), 128);
	/* 129^2 / 16 = 1040.06 */
	EXPECT_EQUAL(watermark_min_free_kbytes(1040), 128);
	EXPECT_EQUAL(watermark_min_free_kbytes(1041), 129);
	/* 262144^2 / 16 = 2^32 */
	EXPECT_EQUAL(watermark_min_free_kbytes((1UL << 32) - 1), 262143);
	EXPECT_EQUAL(watermark_min_free_kbytes(1UL << 32), 262144);
	EXPECT_EQUAL(watermark_min_free_kbytes(1UL << 40), 262144);
	return NULL;
}

CASE(watermark, min_free_kbytes_is_the_largest_number_below_the_root)
{
	for (unsigned long kb = 1100; kb < 1UL << 32; kb += kb / 3 + 1) {
		unsigned long root = watermark_min_free_kbytes(kb);

		EXPECT(root * root <= kb * 16);
		EXPECT((root + 1) * (root + 1) > kb * 16);
	}
	return NULL;
}

/* ---- Marks --------------------------------------------------------------- */

static const char *expect_marks(const struct zone *zone, unsigned long lowest,
                                unsigned long gap)
{
	for (unsigned int mark = 0; mark < WMARK_COUNT; mark++)
		EXPECT_EQUAL(zone->watermark[mark], lowest + mark * gap);
	return NULL;
}

CASE(watermark, marks_of_dma_and_dma32_together)
{
	/* (3840 + 61440) * 4 KB: min_free 2043 KB, 510 pages; the shares are
	 * 30 and 480. */
	struct node *node = paper_node(3840, 61440, 0, 0);
	const char *wrong;

	EXPECT_EQUAL(node->min_free_kbytes, 2043);
	wrong = expect_marks(&node->zone[ZONE_DMA], 30, 7);
	if (wrong == NULL)
		wrong = expect_marks(&node->zone[ZONE_DMA32], 480, 120);
	return wrong;
}

CASE(watermark, gap_of_a_large_zone_follows_the_scale_factor)
{
	/* 8 TiB: min 65536 pages, share/4 = 16384, 1/1000 = 2147483. */
	struct node *node = paper_node(0, 0, 2147483648UL, 0);
	const char *wrong =
		expect_marks(&node->zone[ZONE_NORMAL], 65536, 2147483);

	if (wrong != NULL)
		return wrong;
	node->watermark_scale_factor = 3000;
	watermark_setup(node);
	return expect_marks(&node->zone[ZONE_NORMAL], 65536, 644245094);
}

CASE(watermark, admin_value_of_min_free_kbytes_is_used)
{
	struct node *node = paper_node(0, 61440, 0, 0);

	node->min_free_kbytes = 1920;
	watermark_setup(node);
	return expect_marks(&node->zone[ZONE_DMA32], 480, 120);
}

CASE(watermark, an_empty_movable_zone_shows_32)
{
	struct node *node = paper_node(3840, 61440, 0, 0);

	return expect_marks(&node->zone[ZONE_MOVABLE], 32, 0);
}

CASE(watermark, movable_min_is_a_1024th_between_32_and_128)
{
	struct node *node = paper_node(0, 0, 262144, 65536);
	const struct zone *zone = &node->zone[ZONE_MOVABLE];
	/* min_free 4096 KB = 1024 pages; the share of MOVABLE, a quarter of
	 * the other zones, is 256, and a quarter of that is the gap. */
	const char *wrong = expect_marks(zone, 64, 65);

	if (wrong != NULL)
		return wrong;
	EXPECT_EQUAL(paper_node(0, 0, 262144, 1024)
	                     ->zone[ZONE_MOVABLE]
	                     .watermark[WMARK_MIN],
	             32);
	EXPECT_EQUAL(paper_node(0, 0, 262144, 262144)
	                     ->zone[ZONE_MOVABLE]
	                     .watermark[WMARK_MIN],
	             128);
	return NULL;
}

CASE(watermark, movable_takes_no_share_from_the_others)
{
	struct node *with = paper_node(0, 61440, 0, 100000);
	unsigned long lowest = with->zone[ZONE_DMA32].watermark[WMARK_MIN];

	EXPECT_EQUAL(lowest, paper_node(0, 61440, 0, 0)
	                             ->zone[ZONE_DMA32]
	                             .watermark[WMARK_MIN]);
	return NULL;
}

CASE(watermark, promo_is_one_gap_above_high)
{
	struct node *node = paper_node(3840, 61440, 100000, 0);

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const unsigned long *mark = node->zone[type].watermark;

		EXPECT_EQUAL(mark[WMARK_PROMO] - mark[WMARK_HIGH],
		             mark[WMARK_HIGH] - mark[WMARK_LOW]);
		EXPECT_EQUAL(mark[WMARK_HIGH] - mark[WMARK_LOW],
		             mark[WMARK_LOW] - mark[WMARK_MIN]);
	}
	return NULL;
}

CASE(watermark, marks_of_an_empty_node_divide_by_nothing)
{
	struct node *node = paper_node(0, 0, 0, 0);

	EXPECT_EQUAL(node->zone[ZONE_NORMAL].watermark[WMARK_HIGH], 0);
	EXPECT_EQUAL(node->zone[ZONE_MOVABLE].watermark[WMARK_MIN], 32);
	return NULL;
}

/* ---- Lowmem reserve ------------------------------------------------------ */

CASE(watermark, lowmem_reserve_of_dma_against_dma32_is_240)
{
	struct node *node = paper_node(3840, 61440, 0, 0);
	const unsigned long *reserve = node->zone[ZONE_DMA].lowmem_reserve;

	EXPECT_EQUAL(reserve[ZONE_DMA], 0);
	EXPECT_EQUAL(reserve[ZONE_DMA32], 240);
	EXPECT_EQUAL(reserve[ZONE_NORMAL], 240);
	return NULL;
}

CASE(watermark, lowmem_reserve_sums_the_zones_above)
{
	struct node *node = paper_node(3840, 1000000, 320000, 64000);
	const struct zone *zone = node->zone;

	EXPECT_EQUAL(zone[ZONE_DMA].lowmem_reserve[ZONE_DMA32], 3906);
	EXPECT_EQUAL(zone[ZONE_DMA].lowmem_reserve[ZONE_NORMAL], 5156);
	EXPECT_EQUAL(zone[ZONE_DMA].lowmem_reserve[ZONE_MOVABLE], 5406);
	EXPECT_EQUAL(zone[ZONE_DMA32].lowmem_reserve[ZONE_DMA], 0);
	EXPECT_EQUAL(zone[ZONE_DMA32].lowmem_reserve[ZONE_DMA32], 0);
	EXPECT_EQUAL(zone[ZONE_DMA32].lowmem_reserve[ZONE_NORMAL], 1250);
	EXPECT_EQUAL(zone[ZONE_DMA32].lowmem_reserve[ZONE_MOVABLE], 1500);
	EXPECT_EQUAL(zone[ZONE_NORMAL].lowmem_reserve[ZONE_NORMAL], 0);
	EXPECT_EQUAL(zone[ZONE_NORMAL].lowmem_reserve[ZONE_MOVABLE], 2000);
	for (unsigned int j = 0; j < ZONE_COUNT; j++)
		EXPECT_EQUAL(zone[ZONE_MOVABLE].lowmem_reserve[j], 0);
	return NULL;
}

CASE(watermark, an_empty_zone_keeps_no_lowmem_reserve)
{
	struct node *node = paper_node(0, 0, 320000, 64000);

	for (unsigned int j = 0; j < ZONE_COUNT; j++)
		EXPECT_EQUAL(node->zone[ZONE_DMA].lowmem_reserve[j], 0);
	return NULL;
}

/* ---- Floors -------------------------------------------------------------- */

CASE(watermark, floors_in_integers)
{
	static const struct {
		unsigned long min;
		unsigned long half;
		unsigned long atomic;
	} floors[] = {
		{ 480, 240, 180 }, { 0, 0, 0 },       { 1, 1, 1 },
		{ 2, 1, 1 },       { 3, 2, 2 },       { 7, 4, 3 },
		{ 8, 4, 3 },       { 9, 5, 4 },       { 30, 15, 12 },
		{ 255, 128, 96 },  { 511, 256, 192 }, { 65536, 32768, 24576 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(floors); i++) {
		unsigned long mark = floors[i].min;

		EXPECT_EQUAL(watermark_floor(mark, RESERVE_NONE), mark);
		EXPECT_EQUAL(watermark_floor(mark, RESERVE_NOWAIT), mark);
		EXPECT_EQUAL(watermark_floor(mark, RESERVE_HALF),
		             floors[i].half);
		EXPECT_EQUAL(watermark_floor(mark, RESERVE_VICTIM),
		             floors[i].half);
		EXPECT_EQUAL(watermark_floor(mark, RESERVE_ATOMIC),
		             floors[i].atomic);
		EXPECT_EQUAL(watermark_floor(mark, RESERVE_ALL), 0);
	}
	return NULL;
}

/* ---- The check: passes with the first number, fails with the second ------ */

CASE(watermark, without_rights_481_pass_and_480_do_not)
{
	EXPECT(test_watermark_passes(481, 0, WMARK_MIN, RESERVE_NONE));
	EXPECT(!test_watermark_passes(480, 0, WMARK_MIN, RESERVE_NONE));
	EXPECT(test_watermark_passes(601, 0, WMARK_LOW, RESERVE_NONE));
	EXPECT(!test_watermark_passes(600, 0, WMARK_LOW, RESERVE_NONE));
	return NULL;
}

CASE(watermark, with_half_241_pass_and_240_do_not)
{
	EXPECT(test_watermark_passes(241, 0, WMARK_MIN, RESERVE_HALF));
	EXPECT(!test_watermark_passes(240, 0, WMARK_MIN, RESERVE_HALF));
	return NULL;
}

CASE(watermark, with_the_atomic_right_181_pass_and_180_do_not)
{
	EXPECT(test_watermark_passes(181, 0, WMARK_MIN, RESERVE_ATOMIC));
	EXPECT(!test_watermark_passes(180, 0, WMARK_MIN, RESERVE_ATOMIC));
	return NULL;
}

CASE(watermark, with_the_right_to_all_one_passes_and_none_does_not)
{
	struct zone *zone;

	EXPECT(test_watermark_passes(1, 0, WMARK_MIN, RESERVE_ALL));
	zone = zone_z(0, 0);
	zone->nonempty[MIGRATE_UNMOVABLE] = 0;
	EXPECT(!watermark_ok(zone, 0, 480, ZONE_NORMAL, RESERVE_ALL));
	return NULL;
}

CASE(watermark, order_3_passes_at_488_with_a_block_and_at_487_not)
{
	struct zone *zone = zone_z(488, 3);

	EXPECT(watermark_ok(zone, 3, 480, ZONE_NORMAL, RESERVE_NONE));
	zone->free_pages = 487;
	EXPECT(!watermark_ok(zone, 3, 480, ZONE_NORMAL, RESERVE_NONE));
	return NULL;
}

CASE(watermark, order_3_does_not_pass_on_small_blocks)
{
	struct zone *zone = zone_z(488, 2);

	EXPECT(!watermark_ok(zone, 3, 480, ZONE_NORMAL, RESERVE_NONE));
	EXPECT(!watermark_ok(zone, 3, 480, ZONE_NORMAL, RESERVE_ALL));
	zone->nonempty[MIGRATE_MOVABLE] = 1 << 10;
	EXPECT(watermark_ok(zone, 3, 480, ZONE_NORMAL, RESERVE_NONE));
	return NULL;
}

CASE(watermark, every_order_needs_its_pages_above_the_mark)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		unsigned long need = 480 + (1UL << order);
		struct zone *zone = zone_z(need, order);

		EXPECT(watermark_ok(zone, order, 480, ZONE_NORMAL,
		                    RESERVE_NONE));
		zone->free_pages--;
		EXPECT(!watermark_ok(zone, order, 480, ZONE_NORMAL,
		                     RESERVE_NONE));
	}
	return NULL;
}

CASE(watermark, atomic_gets_no_discount_on_the_lowmem_reserve)
{
	struct zone *zone = zone_z(0, 0);

	zone->lowmem_reserve[ZONE_NORMAL] = 1000;
	zone->free_pages = 1181;
	EXPECT(watermark_ok(zone, 0, 480, ZONE_NORMAL, RESERVE_ATOMIC));
	zone->free_pages = 1180;
	EXPECT(!watermark_ok(zone, 0, 480, ZONE_NORMAL, RESERVE_ATOMIC));
	/* A request for this very zone does not see it. */
	zone->free_pages = 181;
	EXPECT(watermark_ok(zone, 0, 480, ZONE_DMA32, RESERVE_ATOMIC));
	/* And the right to everything ignores it. */
	zone->free_pages = 1;
	EXPECT(watermark_ok(zone, 0, 480, ZONE_NORMAL, RESERVE_ALL));
	return NULL;
}

CASE(watermark, headroom_is_what_would_pass_one_after_the_other)
{
	static const enum reserve_right right[] = { RESERVE_NONE, RESERVE_HALF,
		                                    RESERVE_ATOMIC,
		                                    RESERVE_ALL };

	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		for (unsigned long free = 0; free < 1000; free += 7) {
			struct zone *zone = zone_z(free, 0);
			unsigned long said = watermark_headroom(
				zone, 480, ZONE_NORMAL, right[i]);
			unsigned long passed = 0;

			while (zone->free_pages > 0 &&
			       watermark_ok(zone, 0, 480, ZONE_NORMAL,
			                    right[i])) {
				zone->free_pages--;
				passed++;
			}
			EXPECT_EQUAL(said, passed);
		}
	}
	return NULL;
}

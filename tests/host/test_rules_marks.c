/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_rules_marks.c -- marks and reserves of random machines, by Linux's
 * formulas written down a second time.
 */
#include "lib/random.h"
#include "mm/node.h"
#include "mm/watermark.h"
#include "tests/suite.h"

SUITE(rules);

static struct random marks_dice;

/* 0 .. N - 1 */
static unsigned int marks_below(unsigned long n)
{
	return (unsigned int)random_below(&marks_dice, n);
}

static bool marks_one_in(unsigned int n)
{
	return marks_below(n) == 0;
}

/* The largest number whose square is not above N. */
static unsigned long marks_root(unsigned long n)
{
	unsigned long root = 0;

	for (unsigned int bit = 31; bit-- > 0;) {
		unsigned long larger = root | 1UL << bit;

		if (larger * larger <= n)
			root = larger;
	}
	return root;
}

static unsigned long marks_share(const struct node *node, int type)
{
	unsigned long all = node->zone[ZONE_DMA].managed +
	                    node->zone[ZONE_DMA32].managed +
	                    node->zone[ZONE_NORMAL].managed;

	return all == 0 ? 0
	                : (node->min_free_kbytes >> 2) *
	                          node->zone[type].managed / all;
}

static const char *compare_marks(const struct node *node, int type)
{
	const struct zone *zone = &node->zone[type];
	unsigned long share = marks_share(node, type);
	unsigned long lowest = share;
	unsigned long gap =
		max(share >> 2,
	            zone->managed * node->watermark_scale_factor / 10000);

	if (type == ZONE_MOVABLE)
		lowest = clamp(zone->managed / 1024, 32UL, 128UL);
	EXPECT_EQUAL(zone->watermark[WMARK_MIN], lowest);
	EXPECT_EQUAL(zone->watermark[WMARK_LOW], lowest + gap);
	EXPECT_EQUAL(zone->watermark[WMARK_HIGH], lowest + 2 * gap);
	EXPECT_EQUAL(zone->watermark[WMARK_PROMO], lowest + 3 * gap);
	return NULL;
}

static const char *compare_reserves(const struct node *node, int type)
{
	unsigned long ratio = node->lowmem_reserve_ratio[type];
	unsigned long above = 0;

	for (int j = 0; j < ZONE_COUNT; j++) {
		bool none = j <= type || ratio == 0 ||
		            node->zone[type].managed == 0;

		if (j > type)
			above += node->zone[j].managed;
		EXPECT_EQUAL(node->zone[type].lowmem_reserve[j],
		             none ? 0 : above / ratio);
	}
	return NULL;
}

/* Of 1 page to 256 GiB. */
static unsigned long marks_random_size(void)
{
	return marks_one_in(4)
	               ? 0
	               : 1 + random_below(&marks_dice, 1UL << marks_below(27));
}

CASE(rules, random_machines_have_linuxs_marks_and_reserves)
{
	static struct node node;
	static struct page none;
	static struct pageblock blocks[NODE_PAGEBLOCKS(0)];

	marks_dice.state = test_seed();
	for (unsigned int round = 0; round < 20000; round++) {
		const char *wrong = NULL;
		unsigned long kb;

		node_init(&node, &none, blocks, 0, 0);
		for (int type = 0; type < ZONE_COUNT; type++) {
			node.zone[type].managed = marks_random_size();
			if (marks_one_in(2))
				node.lowmem_reserve_ratio[type] =
					marks_below(300);
		}
		if (marks_one_in(2))
			node.watermark_scale_factor = 1 + marks_below(3000);
		kb = 4 * (node.zone[ZONE_DMA].managed +
		          node.zone[ZONE_DMA32].managed +
		          node.zone[ZONE_NORMAL].managed);
		EXPECT_EQUAL(watermark_min_free_kbytes(kb),
		             clamp(marks_root(16 * kb), 128UL, 262144UL));
		node.min_free_kbytes =
			marks_one_in(2) ? watermark_min_free_kbytes(kb)
					: 128 + marks_below(262144 - 127);
		watermark_setup(&node);
		for (int type = 0; type < ZONE_COUNT && wrong == NULL; type++) {
			wrong = compare_marks(&node, type);
			if (wrong == NULL)
				wrong = compare_reserves(&node, type);
		}
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

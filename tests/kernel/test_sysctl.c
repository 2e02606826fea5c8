/* SPDX-License-Identifier: MIT */
/*
 * The knobs of the kernel's own node.  Each case puts back what it found.
 */
#include "kernel/refiller.h"
#include "kernel/sysctl.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/watermark.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(sysctl);

static const struct sysctl *test_sysctl_find(const char *name)
{
	return sysctl_find(name, strlen(name));
}

static int set(const char *name, const char *text)
{
	return sysctl_set(test_sysctl_find(name), main_node(), text);
}

static int test_sysctl_set_number(const char *name, unsigned long value)
{
	char text[24];

	scnprintf(text, sizeof(text), "%lu", value);
	return set(name, text);
}

/* The four tunables and what follows from them. */
struct knobs {
	unsigned long min_free_kbytes;
	unsigned long scale;
	unsigned long swappiness;
	unsigned long ratio[ZONE_COUNT];
	unsigned long watermark[ZONE_COUNT][WMARK_COUNT];
	unsigned long reserve[ZONE_COUNT][ZONE_COUNT];
};

static void read_knobs(struct knobs *knobs)
{
	const struct node *node = main_node();

	memset(knobs, 0, sizeof(*knobs));
	knobs->min_free_kbytes = node->min_free_kbytes;
	knobs->scale = node->watermark_scale_factor;
	knobs->swappiness = node->swappiness;
	memcpy(knobs->ratio, node->lowmem_reserve_ratio, sizeof(knobs->ratio));
	for (unsigned int i = 0; i < ZONE_COUNT; i++) {
		memcpy(knobs->watermark[i], node->zone[i].watermark,
		       sizeof(knobs->watermark[i]));
		memcpy(knobs->reserve[i], node->zone[i].lowmem_reserve,
		       sizeof(knobs->reserve[i]));
	}
}

static void test_sysctl_restore(const struct knobs *knobs)
{
	struct node *node = main_node();

	node->min_free_kbytes = knobs->min_free_kbytes;
	node->watermark_scale_factor = knobs->scale;
	node->swappiness = knobs->swappiness;
	memcpy(node->lowmem_reserve_ratio, knobs->ratio, sizeof(knobs->ratio));
	watermark_setup(node);
}

static bool same(const struct knobs *a, const struct knobs *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

CASE(sysctl, every_knob_has_a_value_within_its_limits)
{
	const struct sysctl *knob;
	unsigned int count;

	for (count = 0; (knob = sysctl_at(count)) != NULL; count++) {
		for (unsigned int i = 0; i < knob->count; i++) {
			int64_t value = knob->get(main_node(), i);

			EXPECT(value >= knob->low && value <= knob->high);
		}
		EXPECT(test_sysctl_find(knob->name) == knob);
		EXPECT(test_sysctl_find(strchr(knob->name, '.') + 1) == knob);
	}
	EXPECT(count >= 4);
	EXPECT(test_sysctl_find("vm.frobnicate") == NULL);
	EXPECT(test_sysctl_find("") == NULL);
	return NULL;
}

CASE(sysctl, what_is_refused_changes_nothing)
{
	static const struct {
		const char *name;
		const char *text;
		int error;
	} refused[] = {
		{ "vm.min_free_kbytes", "127", -EINVAL },
		{ "vm.min_free_kbytes", "262145", -EINVAL },
		{ "vm.min_free_kbytes", "", -EINVAL },
		{ "vm.min_free_kbytes", "many", -EINVAL },
		{ "vm.min_free_kbytes", "1000 1000", -EINVAL },
		{ "vm.min_free_kbytes", "-1", -EINVAL },
		{ "vm.min_free_kbytes", "99999999999999999999999", -EINVAL },
		{ "watermark_scale_factor", "0", -EINVAL },
		{ "watermark_scale_factor", "3001", -EINVAL },
		{ "lowmem_reserve_ratio", "256 256 32", -EINVAL },
		{ "lowmem_reserve_ratio", "256 256 32 0 0", -EINVAL },
		{ "lowmem_reserve_ratio", "256 256 32 -1", -EINVAL },
		{ "swappiness", "201", -EINVAL },
		{ "swappiness", "-1", -EINVAL },
		{ "swappiness", "6x", -EINVAL },
		{ "dirty_ratio", "101", -EINVAL },
		{ "dirty_background_ratio", "-1", -EINVAL },
		{ "dirty_expire_centisecs", "2147483648", -EINVAL },
	};
	struct knobs before;
	struct knobs after;

	read_knobs(&before);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		int error = set(refused[i].name, refused[i].text);

		if (error != refused[i].error)
			return test_failure("%s=%s gives %d", refused[i].name,
			                    refused[i].text, error);
	}
	read_knobs(&after);
	EXPECT(same(&before, &after));
	return NULL;
}

static unsigned long test_sysctl_half(void)
{
	return node_managed(main_node()) / 2 * (PAGE_SIZE / KIB);
}

CASE(sysctl, min_free_kbytes_is_at_most_half_of_memory)
{
	unsigned long half = test_sysctl_half();
	struct knobs before;
	struct knobs after;
	int error;

	read_knobs(&before);
	error = test_sysctl_set_number("min_free_kbytes", half + 1);
	read_knobs(&after);
	test_sysctl_restore(&before);
	EXPECT_EQUAL(error, half < MIN_FREE_KBYTES_MAX ? -ENOMEM : -EINVAL);
	EXPECT(same(&before, &after));
	return NULL;
}

/* The marks by the formula, not by watermark.c. */
static const char *check_marks(const struct node *node)
{
	unsigned long lowmem = node_managed(node);

	for (unsigned int type = 0; type < ZONE_MOVABLE; type++) {
		const struct zone *zone = &node->zone[type];
		unsigned long lowest =
			node->min_free_kbytes / 4 * zone->managed / lowmem;
		unsigned long gap = max(
			lowest / 4,
			zone->managed * node->watermark_scale_factor / 10000);

		EXPECT_EQUAL(zone->watermark[WMARK_MIN], lowest);
		EXPECT_EQUAL(zone->watermark[WMARK_LOW], lowest + gap);
		EXPECT_EQUAL(zone->watermark[WMARK_HIGH], lowest + 2 * gap);
	}
	return NULL;
}

CASE(sysctl, marks_follow_immediately)
{
	struct node *node = main_node();
	struct knobs before;
	const char *broken[3];
	int error[3];

	read_knobs(&before);
	error[0] = set("min_free_kbytes", "200");
	broken[0] = check_marks(node);
	error[1] = set("watermark_scale_factor", "777");
	broken[1] = check_marks(node);
	error[2] = test_sysctl_set_number("min_free_kbytes",
	                                  min(1024UL, test_sysctl_half()));
	broken[2] = check_marks(node);
	test_sysctl_restore(&before);
	for (unsigned int i = 0; i < ARRAY_SIZE(error); i++) {
		EXPECT_EQUAL(error[i], 0);
		if (broken[i] != NULL)
			return broken[i];
	}
	return NULL;
}

CASE(sysctl, reserve_of_lower_zones_follows_their_ratio)
{
	struct node *node = main_node();
	struct zone *dma = &node->zone[ZONE_DMA];
	unsigned long above = node->zone[ZONE_DMA32].managed;
	struct knobs before;
	unsigned long reserve[2];
	int error[2];

	read_knobs(&before);
	error[0] = set("lowmem_reserve_ratio", "10,256,32,0");
	reserve[0] = dma->lowmem_reserve[ZONE_DMA32];
	error[1] = set("vm.lowmem_reserve_ratio", "0 256 32 0");
	reserve[1] = dma->lowmem_reserve[ZONE_DMA32];
	test_sysctl_restore(&before);
	EXPECT(error[0] == 0 && error[1] == 0);
	EXPECT_EQUAL(reserve[0], above / 10);
	EXPECT_EQUAL(reserve[1], 0);
	return NULL;
}

CASE(sysctl, percpu_pagelist_high_fraction_fixes_the_lists_limits)
{
	const struct zone *zone = &main_node()->zone[ZONE_DMA];
	unsigned int least = zone->pcp[0]->high_min;
	unsigned int most = zone->pcp[0]->high_max;
	unsigned int wanted =
		max((unsigned int)zone->managed / 8, 4 * zone->pcp[0]->batch);

	EXPECT_EQUAL(set("percpu_pagelist_high_fraction", "7"), -EINVAL);
	EXPECT_EQUAL(zone->pcp[0]->high_max, most);
	EXPECT_EQUAL(set("percpu_pagelist_high_fraction", "8"), 0);
	EXPECT_EQUAL(zone->pcp[0]->high_min, wanted);
	EXPECT_EQUAL(zone->pcp[0]->high_max, wanted);
	EXPECT_EQUAL(set("percpu_pagelist_high_fraction", "0"), 0);
	EXPECT_EQUAL(zone->pcp[0]->high_min, least);
	EXPECT_EQUAL(zone->pcp[0]->high_max, most);
	return NULL;
}

CASE(sysctl, dirty_knobs_reach_the_writers_and_the_flusher)
{
	struct writeback_state *writeback = &main_node()->writeback;
	unsigned long ratio = writeback->dirty_ratio;
	unsigned long background = writeback->background_ratio;
	unsigned long expire = writeback->expire;
	unsigned long interval = writeback->interval;
	bool reached;

	EXPECT_EQUAL(set("dirty_ratio", "7"), 0);
	EXPECT_EQUAL(set("dirty_background_ratio", "3"), 0);
	EXPECT_EQUAL(set("dirty_expire_centisecs", "200"), 0);
	EXPECT_EQUAL(set("dirty_writeback_centisecs", "50"), 0);
	reached = writeback->dirty_ratio == 7 &&
	          writeback->background_ratio == 3 &&
	          writeback->expire == 2000000 && writeback->interval == 500000;
	writeback->dirty_ratio = ratio;
	writeback->background_ratio = background;
	writeback->expire = expire;
	writeback->interval = interval;
	EXPECT(reached);
	return NULL;
}

CASE(sysctl, swappiness_is_kept)
{
	struct node *node = main_node();
	struct knobs before;
	unsigned long kept;
	int error;

	read_knobs(&before);
	error = set("swappiness", "0xc8");
	kept = node->swappiness;
	test_sysctl_restore(&before);
	EXPECT_EQUAL(error, 0);
	EXPECT_EQUAL(kept, 200);
	return NULL;
}

/* Twice min_free_kbytes: a request without rights leaves twice as much. */
CASE(sysctl, raised_marks_hold_for_the_next_request)
{
	struct knobs before;
	struct drained drained;
	unsigned long allowed;
	unsigned long usual;
	unsigned long got;
	int error;

	refiller_pause(true);
	read_knobs(&before);
	usual = allowed_by_rules(RESERVE_NOWAIT);
	error = test_sysctl_set_number("min_free_kbytes",
	                               before.min_free_kbytes * 2);
	allowed = allowed_by_rules(RESERVE_NOWAIT);
	drained_init(&drained);
	drain(&drained, GFP_NOWAIT);
	got = drained.count;
	drained_free(&drained);
	test_sysctl_restore(&before);
	refiller_pause(false);
	EXPECT_EQUAL(error, 0);
	EXPECT(allowed < usual);
	EXPECT_EQUAL(got, allowed);
	return NULL;
}

/* The pool is empty and the refiller has found no frame above its floor; the
 * floor comes down, and it does not wait for somebody to free a page. */
CASE(sysctl, lowered_marks_feed_a_starved_refiller)
{
	struct node *node = main_node();
	struct knobs before;
	struct drained drained;
	unsigned long starved;
	unsigned long fed;
	int error[2];

	read_knobs(&before);
	error[0] = test_sysctl_set_number("min_free_kbytes",
	                                  before.min_free_kbytes * 2);
	refiller_pause(true);
	exclusive_shrink(node, 0);
	drained_init(&drained);
	drain(&drained, GFP_ATOMIC | __GFP_NOWARN);
	refiller_pause(false);
	exclusive_balance(node);
	refiller_settle();
	starved = exclusive_pool_parked(&node->pool);
	error[1] = test_sysctl_set_number("min_free_kbytes",
	                                  before.min_free_kbytes);
	refiller_settle();
	fed = exclusive_pool_parked(&node->pool);
	drained_free(&drained);
	test_sysctl_restore(&before);
	EXPECT(error[0] == 0 && error[1] == 0);
	EXPECT_EQUAL(starved, 0);
	EXPECT(fed > 0);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_rules_types.c -- random requests for pages of three types, compared with
 * tests/host/model_types.c: which frame each gets, what it claims, and the boost.
 *
 * A scene is a zone that may begin and end in the middle of a pageblock, with random types,
 * free blocks and pages of reclaim; some pageblocks are CMA or HIGHATOMIC.  Requests and
 * frees follow, of all orders, and pageblocks are isolated and opened again.  After each
 * call the boost and the types are compared, now and then all lists in their order.
 */
#include "lib/random.h"
#include "mm/buddy.h"
#include "mm/contig/page_isolation.h"
#include "mm/page_state.h"
#include "mm/reclaim/lru.h"
#include "tests/host/libmm.h"
#include "tests/host/model_types.h"
#include "tests/suite.h"

SUITE(rules_types);

#define TYPES_SCENES 60
#define TYPES_CALLS  1500

static struct random types_dice;
static struct node *types_node;
static struct zone *types_zone;
static struct types_zone types_model;

/* Blocks in use, from anywhere. */
static struct types_used {
	uint16_t frame;
	uint8_t order;
	bool listed; /* a page of reclaim */
} types_used[TYPES_FRAMES];
static unsigned long types_used_count;

/* Requests that got a block of a pageblock of another type. */
static unsigned long types_claims, types_steals, types_refusals;

/* Pages of CMA and HIGHATOMIC pageblocks; pageblocks that were isolated, and not. */
static unsigned long types_lent, types_urgent, types_isolations, types_stays;

/* An isolated pageblock was one of CMA. */
static bool types_was_cma[TYPES_BLOCKS];

static unsigned int types_below(unsigned long bound)
{
	return (unsigned int)random_below(&types_dice, bound);
}

static void types_use(unsigned int frame, unsigned int order)
{
	types_used[types_used_count++] =
		(struct types_used){ (uint16_t)frame, (uint8_t)order, false };
}

static struct page *types_real_take(unsigned int order, enum migratetype type,
                                    unsigned int flags)
{
	struct page *page;

	do {
		bool enabled = spin_lock_irqsave(&types_zone->lock);

		page = pageblock_take(types_zone, order, type, flags);
		if (page != NULL) {
			page_set_state(types_zone, page, PAGE_LOOSE, PAGE_USED);
			page->refcount = 1;
		}
		spin_unlock_irqrestore(&types_zone->lock, enabled);
	} while (page == NULL && pageblock_settle(types_zone));
	return page;
}

/* ---- A scene ------------------------------------------------------------- */

static void types_give(unsigned long at)
{
	struct types_used used = types_used[at];
	struct page *page = &types_zone->pages[used.frame];

	types_used[at] = types_used[--types_used_count];
	if (used.listed) {
		lru_remove(types_node, page);
		types_model
			.movable[types_model_block(&types_model, used.frame)]--;
	}
	free_pages_node(types_node, page, used.order, RETURN_ADDRESS());
	types_model_give(&types_model, used.frame, used.order);
}

/* A page in use becomes one of reclaim. */
static void types_list_one(unsigned long at)
{
	struct types_used *used = &types_used[at];

	if (used->listed || used->order > 0)
		return;
	lru_add(types_node, &types_zone->pages[used->frame]);
	types_model.movable[types_model_block(&types_model, used->frame)]++;
	used->listed = true;
}

/* Types of a scene: mostly the three of requests. */
static enum migratetype types_roll(void)
{
	static const enum migratetype aside[] = { MIGRATE_CMA, MIGRATE_CMA,
		                                  MIGRATE_HIGHATOMIC };

	return types_below(4) == 0
	               ? aside[types_below(ARRAY_SIZE(aside))]
	               : (enum migratetype)types_below(MIGRATE_PCPTYPES);
}

/* No page is free. */
static void types_set_type(unsigned long number, enum migratetype type)
{
	unsigned long first = (types_model.start / 512 + number) * 512;

	if (type >= MIGRATE_PCPTYPES && !pageblock_is_whole(types_zone, first))
		type = MIGRATE_MOVABLE;
	types_zone->blocks[number].type = (uint8_t)type;
	types_model.type[number] = (uint8_t)type;
	if (type == MIGRATE_HIGHATOMIC)
		types_zone->nr_reserved_highatomic += 512;
	types_was_cma[number] = type == MIGRATE_CMA;
}

/* All is in use, page by page; then types, pages of reclaim, and free ones. */
static void types_scene_start(void)
{
	unsigned long start = types_below(4) == 0 ? types_below(512) : 0;
	unsigned long frames = 600 + types_below(TYPES_FRAMES - 600);
	unsigned long each[ZONE_COUNT] = { 0 };
	struct page *page;

	each[ZONE_NORMAL] = frames;
	machine_start(start + frames);
	types_node = machine_zones(start, each);
	types_zone = &types_node->zone[ZONE_NORMAL];
	types_zone->watermark[WMARK_HIGH] = 100 + types_below(1000);
	types_model_init(&types_model, start, frames,
	                 watermark_boost_limit(types_zone));
	types_used_count = 0;
	while ((page = types_real_take(0, MIGRATE_MOVABLE, 0)) != NULL)
		types_use((unsigned int)(page - types_zone->pages), 0);
	for (unsigned long i = 0; i < pageblock_count(types_zone); i++)
		types_set_type(i, types_roll());
	for (unsigned long left = types_below(frames); left > 0; left--)
		types_list_one(types_below(types_used_count));
	for (unsigned long left = types_below(frames); left > 0; left--)
		types_give(types_below(types_used_count));
}

/* ---- Comparing ----------------------------------------------------------- */

static const char *types_compare_list(unsigned int order, unsigned int type)
{
	const struct list *list = &types_zone->free_area[order].blocks[type];
	unsigned int frame = types_model.first[order][type];
	const struct list *at;

	list_for_each(at, list) {
		const struct page *page = container_of(at, struct page, link);

		if (frame == TYPES_NONE || page != &types_zone->pages[frame])
			return test_failure("the list of order %u and type %u "
			                    "is not the model's",
			                    order, type);
		frame = types_model.next[frame];
	}
	return frame == TYPES_NONE ? NULL : "a list is too short";
}

static const char *types_compare_all(void)
{
	static char said[200];
	const char *broken = NULL;

	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		for (unsigned int type = 0;
		     broken == NULL && type < MIGRATE_TYPES; type++)
			broken = types_compare_list(order, type);
	}
	if (broken == NULL)
		broken =
			zone_check(types_zone, NULL, false, said, sizeof(said));
	if (broken == NULL)
		broken = pageblock_check(types_zone, said, sizeof(said));
	return broken;
}

static const char *types_compare(void)
{
	EXPECT_EQUAL(types_zone->watermark_boost, types_model.boost);
	EXPECT_EQUAL(types_zone->free_pages,
	             types_model_free(&types_model, MIGRATE_TYPES));
	EXPECT_EQUAL(types_zone->isolated_pages,
	             types_model_free(&types_model, MIGRATE_ISOLATE));
	for (unsigned long i = 0; i < pageblock_count(types_zone); i++) {
		EXPECT_EQUAL(types_zone->blocks[i].type, types_model.type[i]);
		EXPECT_EQUAL(types_zone->blocks[i].free, types_model.free[i]);
	}
	return NULL;
}

/* ---- Requests ------------------------------------------------------------ */

/* Was it one of the ways that are worth counting? */
static void types_note(const struct page *page, enum migratetype type,
                       unsigned long boost)
{
	enum migratetype from;

	if (page == NULL)
		return;
	from = pageblock_type(types_zone, zone_pfn(types_zone, page));
	types_lent += from == MIGRATE_CMA;
	types_urgent += from == MIGRATE_HIGHATOMIC;
	if (from != type)
		types_steals += from < MIGRATE_PCPTYPES;
	else if (types_model.boost > boost)
		types_claims++;
	if (types_model.boost > boost + 512)
		types_refusals++;
}

static unsigned int types_roll_flags(void)
{
	static const unsigned int flags[] = { TAKE_NO_FRAGMENT,
		                              TAKE_NO_FRAGMENT, TAKE_HIGHATOMIC,
		                              TAKE_HIGHATOMIC_LAST,
		                              TAKE_OWN_TYPE };

	return types_below(3) > 0 ? 0 : flags[types_below(ARRAY_SIZE(flags))];
}

/* Compaction asks this before the request does. */
static bool types_real_has_block(unsigned int order, enum migratetype type)
{
	bool enabled = spin_lock_irqsave(&types_zone->lock);
	bool found = pageblock_has_block(types_zone, order, type);

	spin_unlock_irqrestore(&types_zone->lock, enabled);
	return found;
}

static const char *types_request(void)
{
	enum migratetype type = (enum migratetype)types_below(MIGRATE_PCPTYPES);
	unsigned int order =
		types_below(3) > 0 ? 0 : types_below(types_below(8) + 3);
	unsigned int flags = types_roll_flags();
	unsigned long boost = types_model.boost;
	bool found = types_model_has_block(&types_model, order, type);
	unsigned int expected;
	struct page *page;

	EXPECT_EQUAL(types_real_has_block(order, type), found);
	expected = types_model_take(&types_model, order, type, flags);
	types_zone->boosted = false;
	page = types_real_take(order, type, flags | TAKE_WAKES);
	EXPECT((page == NULL) == (expected == TYPES_NONE));
	if (page != NULL) {
		EXPECT_EQUAL(page - types_zone->pages, expected);
		types_use(expected, order);
		if (type == MIGRATE_MOVABLE && types_below(4) > 0)
			types_list_one(types_used_count - 1);
	}
	/* An attempt wakes, also where the boost is at its limit. */
	if (types_model.boost > boost)
		EXPECT(types_zone->boosted);
	types_note(page, type, boost);
	return NULL;
}

/* ---- Isolation ----------------------------------------------------------- */

/* The single pages of pageblock NUMBER become pages of reclaim, which can leave. */
static void types_list_block(unsigned long number)
{
	for (unsigned long i = 0; i < types_used_count; i++) {
		if (types_model_block(&types_model, types_used[i].frame) ==
		    number)
			types_list_one(i);
	}
}

/* All that is in use in pageblock NUMBER is given back, and often in its other half of a
 * block of order 10. */
static void types_give_block(unsigned long number)
{
	unsigned long pair = types_below(2) == 0 ? 1024 : 512;
	unsigned long pfn = (types_model.start / 512 + number) * 512 / pair;

	for (unsigned long i = types_used_count; i-- > 0;) {
		if ((types_model.start + types_used[i].frame) / pair == pfn)
			types_give(i);
	}
}

static const char *types_isolate(unsigned long number)
{
	unsigned long pfn = (types_model.start / 512 + number) * 512;
	bool for_cma = types_was_cma[number] ? types_below(3) > 0
	                                     : types_below(3) == 0;
	int error;

	if (types_below(4) > 0)
		types_list_block(number);
	error = start_isolate_page_range(types_zone, pfn, pfn + 512,
	                                 for_cma ? MIGRATE_CMA
	                                         : MIGRATE_MOVABLE);
	EXPECT_EQUAL(error, types_model_isolate(&types_model, number, for_cma)
	                            ? 0
	                            : -EBUSY);
	types_isolations += error == 0;
	types_stays += error != 0;
	return NULL;
}

/* The type afterwards is the caller's, but for CMA. */
static void types_open(unsigned long number)
{
	unsigned long pfn = (types_model.start / 512 + number) * 512;
	enum migratetype type =
		types_was_cma[number]
			? MIGRATE_CMA
			: (enum migratetype)types_below(MIGRATE_PCPTYPES);

	undo_isolate_page_range(types_zone, pfn, pfn + 512, type);
	types_model_open(&types_model, number, type);
}

/* A pageblock is isolated, or one that is comes back. */
static const char *types_isolation(void)
{
	unsigned long number = types_below(pageblock_count(types_zone));

	if (types_below(4) == 0)
		types_give_block(number);
	if (types_model.type[number] != MIGRATE_ISOLATE)
		return types_isolate(number);
	types_open(number);
	return NULL;
}

static void types_open_all(void)
{
	for (unsigned long i = 0; i < pageblock_count(types_zone); i++) {
		if (types_model.type[i] == MIGRATE_ISOLATE)
			types_open(i);
	}
}

/* kswapd has done what it was woken for. */
static void types_end_boost(void)
{
	types_zone->watermark_boost = 0;
	types_model.boost = 0;
}

static const char *types_play(void)
{
	unsigned int few = 2 + types_below(3);

	for (unsigned int call = 0; call < TYPES_CALLS; call++) {
		const char *broken = NULL;

		if (types_below(few) > 0)
			broken = types_request();
		else if (types_used_count > 0)
			types_give(types_below(types_used_count));
		if (types_below(20) == 0)
			types_end_boost();
		if (broken == NULL && types_below(40) == 0)
			broken = types_isolation();
		if (broken == NULL)
			broken = types_compare();
		if (broken == NULL && call % 100 == 0)
			broken = types_compare_all();
		if (broken != NULL) {
			test_note("in call %u", call);
			return broken;
		}
	}
	return types_compare_all();
}

CASE(rules_types, random_requests_get_the_frames_that_the_model_says)
{
	types_dice = (struct random){ test_seed() };
	types_claims = types_steals = types_refusals = 0;
	types_lent = types_urgent = types_isolations = types_stays = 0;
	for (unsigned int scene = 0; scene < TYPES_SCENES; scene++) {
		const char *broken;

		types_scene_start();
		broken = types_play();
		if (broken != NULL) {
			test_note("in scene %u", scene);
			return broken;
		}
		types_open_all();
		while (types_used_count > 0)
			types_give(types_used_count - 1);
		EXPECT_EQUAL(types_zone->free_pages, types_zone->managed);
	}
	test_note("%lu claims of parts, %lu steals, %lu refused claims",
	          types_claims, types_steals, types_refusals);
	test_note("%lu pages of CMA, %lu of HIGHATOMIC, %lu pageblocks "
	          "isolated, %lu not",
	          types_lent, types_urgent, types_isolations, types_stays);
	EXPECT(types_claims > 5 && types_steals > 50 && types_refusals > 10);
	EXPECT(types_lent > 200 && types_urgent > 5);
	EXPECT(types_isolations > 50 && types_stays > 50);
	return NULL;
}

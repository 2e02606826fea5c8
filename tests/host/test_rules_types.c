/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_rules_types.c -- random requests for pages of three types, compared with
 * tests/host/model_types.c: which frame each gets, what it claims, and the boost.
 *
 * A scene is a zone that may begin and end in the middle of a pageblock, with random types,
 * free blocks and pages of reclaim.  Requests and frees follow, of all orders.  After each
 * call the boost and the types are compared, now and then all lists in their order.
 */
#include "lib/random.h"
#include "mm/buddy.h"
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
	for (unsigned long i = 0; i < pageblock_count(types_zone); i++) {
		types_zone->blocks[i].type =
			(uint8_t)types_below(MIGRATE_PCPTYPES);
		types_model.type[i] = types_zone->blocks[i].type;
	}
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
		     broken == NULL && type < MIGRATE_PCPTYPES; type++)
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
	for (unsigned long i = 0; i < pageblock_count(types_zone); i++) {
		EXPECT_EQUAL(types_zone->blocks[i].type, types_model.type[i]);
		EXPECT_EQUAL(types_zone->blocks[i].free, types_model.free[i]);
	}
	return NULL;
}

/* ---- Requests ------------------------------------------------------------ */

/* Was it one of the three ways that are worth counting? */
static void types_note(const struct page *page, enum migratetype type,
                       unsigned long boost)
{
	if (page == NULL)
		return;
	if (pageblock_type(types_zone, zone_pfn(types_zone, page)) != type)
		types_steals++;
	else if (types_model.boost > boost)
		types_claims++;
	if (types_model.boost > boost + 512)
		types_refusals++;
}

static const char *types_request(void)
{
	enum migratetype type = (enum migratetype)types_below(MIGRATE_PCPTYPES);
	unsigned int order =
		types_below(3) > 0 ? 0 : types_below(types_below(8) + 3);
	unsigned int flags = types_below(4) == 0 ? TAKE_NO_FRAGMENT : 0;
	unsigned long boost = types_model.boost;
	unsigned int expected = types_model_take(&types_model, order, type,
	                                         flags == TAKE_NO_FRAGMENT);
	struct page *page;

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
	for (unsigned int scene = 0; scene < TYPES_SCENES; scene++) {
		const char *broken;

		types_scene_start();
		broken = types_play();
		if (broken != NULL) {
			test_note("in scene %u", scene);
			return broken;
		}
		while (types_used_count > 0)
			types_give(types_used_count - 1);
		EXPECT_EQUAL(types_zone->free_pages, types_zone->managed);
	}
	test_note("%lu claims of parts, %lu steals, %lu refused claims",
	          types_claims, types_steals, types_refusals);
	EXPECT(types_claims > 5 && types_steals > 50 && types_refusals > 10);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask_types.c -- pageblocks: claimed and stolen from, the boost that
 * follows, and those kept for HIGHATOMIC requests.
 */
#include "tests/conformance/ask.h"

#define ASK_TYPES 3

static const gfp_t ask_type_mask[ASK_TYPES] = {
	GFP_NOWAIT | __GFP_NOWARN,
	GFP_NOWAIT | __GFP_NOWARN | __GFP_MOVABLE,
	GFP_NOWAIT | __GFP_NOWARN | __GFP_RECLAIMABLE,
};

static void ask_add_blocks(unsigned long count)
{
	ask_add(" | ");
	for (unsigned long block = 0; block < count; block++)
		ask_add("%c", "UMRH"[scene_type(block)]);
}

/* ---- Claim and steal ----------------------------------------------------- */

/* In a pageblock of type OF a block of ORDER is free, MOVABLE of the used pages can be
 * moved; a request of type WANTED and order 0. */
static void ask_claim(int wanted, int of, unsigned int order,
                      unsigned long movable)
{
	struct page *page;

	scene_begin();
	scene_set_type(0, of);
	scene_free(0, order);
	scene_set_movable(512 - movable, movable);
	scene_set_marks(0, 0, 1);
	scene_set_boost(15000, 0);
	page = alloc_pages(ask_type_mask[wanted], 0);
	ask_clear();
	ask_add("%ld, %c, boost %lu, %s", scene_place(page),
	        "UMR"[scene_type(0)], scene_boost(), scene_story());
	ask_add_lists();
	scene_say("claim for %c of a %c pageblock with a block of order %u "
	          "free and %lu movable: %s",
	          "UMR"[wanted], "UMR"[of], order, movable, ask_text());
}

static void ask_claims_of(int wanted, int of, unsigned int order)
{
	unsigned long free = 1UL << order;

	ask_claim(wanted, of, order, 0);
	if (order == 9)
		return;
	ask_claim(wanted, of, order, 100);
	if (free < 255)
		ask_claim(wanted, of, order, 255 - free);
	if (free < 256) {
		ask_claim(wanted, of, order, 256 - free);
		ask_claim(wanted, of, order, 257);
	}
	ask_claim(wanted, of, order, 256);
}

static void ask_claims(void)
{
	static const unsigned int orders[] = { 0, 2, 3, 4, 6, 8, 9 };

	for (int wanted = 0; wanted < ASK_TYPES; wanted++) {
		for (int of = 0; of < ASK_TYPES; of++) {
			for (size_t i = 0; i < ASK_COUNT(orders); i++) {
				if (of != wanted)
					ask_claims_of(wanted, of, orders[i]);
			}
		}
	}
}

/* Pageblocks of all three types have free blocks: which of them is taken from? */
static void ask_fallback(int wanted, const unsigned int orders[ASK_TYPES],
                         unsigned int order)
{
	struct page *page;

	scene_begin();
	for (int of = 0; of < ASK_TYPES; of++) {
		scene_set_type((unsigned long)of, of);
		if (orders[of] < 10)
			scene_free((unsigned long)of * 512, orders[of]);
	}
	page = alloc_pages(ask_type_mask[wanted], order);
	ask_clear();
	ask_add("%ld", scene_place(page));
	ask_add_blocks(ASK_TYPES);
	ask_add_lists();
	scene_say("fallback of %c, order %u, free U %u, M %u, R %u: %s",
	          "UMR"[wanted], order, orders[0], orders[1], orders[2],
	          ask_text());
}

/* 10: none is free. */
static void ask_fallbacks(void)
{
	static const unsigned int states[][ASK_TYPES] = {
		{ 10, 0, 0 }, { 10, 3, 3 }, { 10, 2, 5 }, { 10, 5, 2 },
		{ 10, 9, 0 }, { 10, 0, 9 }, { 10, 8, 9 }, { 10, 9, 9 },
		{ 0, 10, 0 }, { 3, 10, 3 }, { 2, 10, 5 }, { 5, 10, 2 },
		{ 9, 10, 0 }, { 0, 10, 9 }, { 8, 10, 9 }, { 9, 10, 9 },
		{ 0, 0, 10 }, { 3, 3, 10 }, { 2, 5, 10 }, { 5, 2, 10 },
		{ 9, 0, 10 }, { 0, 9, 10 }, { 8, 9, 10 }, { 9, 9, 10 },
	};

	for (size_t i = 0; i < ASK_COUNT(states); i++) {
		for (unsigned int order = 0; order <= 4; order += 2)
			ask_fallback((int)i / 8, states[i], order);
	}
}

/* A pageblock of another type has a block of ORDER, and zone DMA has movable pages: is the
 * lower zone better than a mixed pageblock? */
static void ask_whether_to_mix(int of, unsigned int order, gfp_t mask,
                               const char *name)
{
	long place;

	scene_begin();
	scene_set_type(0, of);
	scene_free(0, order);
	scene_free_low(20);
	scene_set_low_marks(2, 3, 4, 0);
	place = scene_place(alloc_pages(mask | __GFP_NOWARN, 0));
	ask_clear();
	if (place == 0)
		ask_add("a page of the pageblock, %c", "UMR"[scene_type(0)]);
	else
		ask_add("a page of DMA");
	scene_say("fragment of a %c pageblock with a block of order %u, %s: %s",
	          "UMR"[of], order, name, ask_text());
}

static void ask_all_mixtures(void)
{
	for (int of = 0; of < ASK_TYPES; of++) {
		for (unsigned int order = 0; order <= 9; order++) {
			ask_whether_to_mix(of, order, GFP_HIGHUSER_MOVABLE,
			                   "GFP_HIGHUSER_MOVABLE");
			ask_whether_to_mix(of, order,
			                   GFP_NOWAIT | __GFP_MOVABLE,
			                   "GFP_NOWAIT | __GFP_MOVABLE");
			ask_whether_to_mix(of, order, GFP_DMA32 | __GFP_MOVABLE,
			                   "GFP_DMA32 | __GFP_MOVABLE");
		}
	}
}

/* ---- Boost --------------------------------------------------------------- */

/* UNMOVABLE requests, each of which claims from one more MOVABLE pageblock. */
static void ask_boosts(unsigned long high, unsigned long factor,
                       unsigned long managed)
{
	scene_begin();
	scene_set_managed(scene_is_normal() ? ZONE_NORMAL : ZONE_DMA32,
	                  managed);
	for (unsigned long block = 0; block < 6; block++)
		scene_free(block * 512, 4);
	for (unsigned long block = 8; block < 16; block += 2)
		scene_free(block * 512, 10);
	scene_set_marks(high / 2, high / 2 + high / 4, high);
	scene_set_boost(factor, 0);
	ask_clear();
	for (unsigned int i = 0; i < 5; i++) {
		struct page *page = alloc_pages(ask_type_mask[0], 4);

		ask_add("%ld +%lu, ", scene_place(page), scene_boost());
	}
	ask_add("%s", scene_story());
	scene_say("boost of high %lu by factor %lu, %lu managed: %s", high,
	          factor, managed, ask_text());
}

static void ask_all_boosts(void)
{
	static const unsigned long managed[] = { 2047, 2048, 61440, 114916 };

	for (size_t i = 0; i < ASK_COUNT(managed); i++) {
		ask_boosts(720, 15000, managed[i]);
		ask_boosts(720, 0, managed[i]);
		ask_boosts(720, 5000, managed[i]);
		ask_boosts(100, 15000, managed[i]);
		ask_boosts(1001, 17777, managed[i]);
		ask_boosts(3, 10000, managed[i]);
		ask_boosts(0, 15000, managed[i]);
	}
}

/* ---- HIGHATOMIC ---------------------------------------------------------- */

/* From 4096 pages free until NULL: which pageblocks are reserved? */
static void ask_reserve(const struct ask_mask *mask, unsigned int order,
                        unsigned long managed)
{
	unsigned long got = 0;

	scene_begin();
	scene_set_managed(scene_is_normal() ? ZONE_NORMAL : ZONE_DMA32,
	                  managed);
	for (unsigned long place = 0; place < 4096; place += 1024)
		scene_free(place, 10);
	scene_set_marks(2000, 2500, 3000);
	while (alloc_pages(mask->mask | __GFP_NOWARN, order))
		got++;
	ask_clear();
	ask_add("%lu blocks, %lu free, %lu of them highatomic, %lu reserved",
	        got, scene_free_pages(), scene_free_highatomic(),
	        scene_reserved());
	ask_add_blocks(8);
	scene_say("reserve of order %u, %s, %lu managed: %s", order, mask->name,
	          managed, ask_text());
}

static void ask_reserves(void)
{
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_ATOMIC),
		ASK_MASK(GFP_NOWAIT),
		ASK_MASK(__GFP_HIGH),
		ASK_MASK(GFP_ATOMIC | __GFP_MOVABLE),
		ASK_MASK(GFP_ATOMIC | __GFP_NOMEMALLOC),
		ASK_MASK(GFP_KERNEL | __GFP_HIGH),
	};
	static const unsigned long managed[] = { 20000,  51199,  51200, 51300,
		                                 102400, 102500, 153600 };

	for (size_t i = 0; i < ASK_COUNT(masks); i++) {
		for (unsigned int order = 0; order <= 9; order++)
			ask_reserve(&masks[i], order, 114916);
	}
	for (size_t i = 0; i < ASK_COUNT(managed); i++) {
		ask_reserve(&masks[0], 1, managed[i]);
		ask_reserve(&masks[0], 4, managed[i]);
	}
}

/* One whole HIGHATOMIC pageblock and 128 other pages are free: how many of each does a
 * mask leave? */
static void ask_use(const struct ask_mask *mask, unsigned int order,
                    enum scene_context context)
{
	unsigned long got = 0;

	scene_begin();
	scene_set_type(0, MIGRATE_HIGHATOMIC);
	scene_free(0, 9);
	scene_free(1024, 7);
	scene_set_marks(64, 80, 96);
	scene_enter(context);
	while (alloc_pages(mask->mask | __GFP_NOWARN, order))
		got++;
	scene_leave();
	ask_clear();
	ask_add("%lu blocks, %lu free, %lu of them highatomic, %lu reserved",
	        got, scene_free_pages(), scene_free_highatomic(),
	        scene_reserved());
	ask_add_blocks(3);
	scene_say("use of a highatomic pageblock by order %u, %s%s: %s", order,
	          context == SCENE_VICTIM ? "victim, " : "", mask->name,
	          ask_text());
}

static void ask_uses(void)
{
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_ATOMIC),
		ASK_MASK(GFP_NOWAIT),
		ASK_MASK(GFP_ATOMIC | __GFP_NOMEMALLOC),
		ASK_MASK(GFP_NOWAIT | __GFP_MEMALLOC),
		ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
		ASK_MASK(GFP_KERNEL | __GFP_HIGH | __GFP_NORETRY),
	};
	static const unsigned int orders[] = { 0, 1, 3, 4, 6 };

	for (size_t i = 0; i < ASK_COUNT(masks); i++) {
		for (size_t j = 0; j < ASK_COUNT(orders); j++) {
			ask_use(&masks[i], orders[j], SCENE_THREAD);
			ask_use(&masks[i], orders[j], SCENE_VICTIM);
		}
	}
}

/* COUNT whole HIGHATOMIC pageblocks are all that is free: are they given up? */
static void ask_give_up(const struct ask_mask *mask, unsigned int order,
                        unsigned long count, unsigned int rounds)
{
	const struct scene_script script = { .rounds = rounds, .progress = 1 };
	struct page *page;

	scene_begin();
	for (unsigned long block = 0; block < count; block++) {
		scene_set_type(block * 2, MIGRATE_HIGHATOMIC);
		scene_free(block * 1024, 9);
	}
	scene_set_marks(64, 80, 96);
	scene_script(&script);
	page = alloc_pages(mask->mask | __GFP_NOWARN, order);
	ask_clear();
	ask_add("%ld, ", scene_place(page));
	ask_add_story(scene_story());
	ask_add(", %lu reserved", scene_reserved());
	ask_add_blocks(6);
	scene_say("giveup of %lu pageblocks, %u rounds of progress, order %u, "
	          "%s: %s",
	          count, rounds, order, mask->name, ask_text());
}

static void ask_give_ups(void)
{
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_KERNEL),
		ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
		ASK_MASK(GFP_KERNEL | __GFP_RETRY_MAYFAIL),
		ASK_MASK(GFP_HIGHUSER_MOVABLE),
		ASK_MASK(GFP_NOFS),
	};
	static const unsigned int orders[] = { 0, 1, 3, 4, 9 };

	for (size_t i = 0; i < ASK_COUNT(masks); i++) {
		for (size_t j = 0; j < ASK_COUNT(orders); j++) {
			ask_give_up(&masks[i], orders[j], 1, 0);
			ask_give_up(&masks[i], orders[j], 3, 0);
			ask_give_up(&masks[i], orders[j], 1, 1);
			ask_give_up(&masks[i], orders[j], 3, 1);
		}
	}
}

void ask_types(void)
{
	ask_claims();
	ask_fallbacks();
	ask_all_mixtures();
	ask_all_boosts();
	ask_reserves();
	ask_uses();
	ask_give_ups();
}

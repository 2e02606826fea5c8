/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask_random.c -- random zones and requests.
 *
 * Each number of a scene comes from its seed: pageblocks of four types, free blocks,
 * pages that can be moved, marks near the number of free pages, boosts, a script; then
 * requests of any kind, one after the other, whose pages stay taken.
 */
#include "tests/conformance/ask.h"

#ifndef MODULE
#include <string.h>
#endif

#define ASK_SCENES      100U
#define ASK_SCENES_MORE 2000U
#define ASK_REQUESTS    6U

/*
 * Differences that tests/conformance/reasons.txt has are left out: no request of order 1
 * to 3 or 9 has a right to HIGHATOMIC pageblocks, and no such pageblock is free as a
 * whole.
 */
static const struct ask_mask ask_waiting[] = {
	ASK_MASK(GFP_KERNEL),
	ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
	ASK_MASK(GFP_KERNEL | __GFP_RETRY_MAYFAIL),
	ASK_MASK(GFP_KERNEL | __GFP_HIGH),
	ASK_MASK(GFP_KERNEL | __GFP_RECLAIMABLE),
	ASK_MASK(GFP_KERNEL | __GFP_MEMALLOC),
	ASK_MASK(GFP_NOFS),
	ASK_MASK(GFP_NOIO),
	ASK_MASK(GFP_HIGHUSER_MOVABLE),
	ASK_MASK(GFP_HIGHUSER_MOVABLE | __GFP_NORETRY),
	ASK_MASK(GFP_TRANSHUGE),
	ASK_MASK(GFP_TRANSHUGE | __GFP_NORETRY),
	ASK_MASK(GFP_TRANSHUGE_LIGHT),
	ASK_MASK(GFP_NOWAIT),
	ASK_MASK(GFP_NOWAIT | __GFP_MOVABLE),
	ASK_MASK(GFP_NOWAIT | __GFP_RECLAIMABLE),
	ASK_MASK(GFP_ATOMIC | __GFP_NOMEMALLOC),
};

static const struct ask_mask ask_atomic[] = {
	ASK_MASK(GFP_ATOMIC),
	ASK_MASK(GFP_ATOMIC | __GFP_MOVABLE),
	ASK_MASK(GFP_ATOMIC | __GFP_RECLAIMABLE),
	ASK_MASK(__GFP_HIGH),
};

/* One pageblock, piece by piece. */
static void ask_fill(unsigned long block)
{
	unsigned int kind = ask_random(4); /* so many of 4 are free */
	unsigned long place = block * 512;
	bool highatomic = ask_random(10) == 0;

	scene_set_type(block,
	               highatomic ? MIGRATE_HIGHATOMIC : (int)ask_random(3));
	if (highatomic) {
		place++;
	} else if (kind == 0 && ask_random(2) == 0) {
		scene_free(place, 9);
		return;
	}
	while (place < (block + 1) * 512) {
		unsigned int order = ask_random(8);

		while (place % (1UL << order) != 0)
			order--;
		if (ask_random(4) < kind)
			scene_free(place, order);
		else if (ask_random(2) == 0)
			scene_set_movable(place, 1UL << order);
		place += 1UL << order;
	}
}

static void ask_set_zone(void)
{
	unsigned long lowest, boost;

	for (unsigned long block = 0; block < ARENA_BLOCKS; block++)
		ask_fill(block);
	scene_free_low(ask_random(3) * 10);
	lowest = ask_random((unsigned int)scene_free_pages() + 2);
	scene_set_marks(lowest, lowest + lowest / 4, lowest + lowest / 2);
	scene_set_low_marks(4, 6, 8, ask_random(20));
	boost = ask_random(3) * 512;
	scene_set_boost(ask_random(2) * 15000, boost);
}

static void ask_set_script(void)
{
	const struct scene_script script = {
		.rounds = ask_random(5),
		.progress = 32,
		.reclaimable = ask_random(3) * 1000,
		.compact = (enum scene_compact)ask_random(5),
		.kills = ask_random(2),
	};

	scene_script(&script);
}

static void ask_one(char which)
{
	bool atomic = ask_random(4) == 0;
	const struct ask_mask *mask =
		atomic ? &ask_atomic[ask_random(ASK_COUNT(ask_atomic))]
		       : &ask_waiting[ask_random(ASK_COUNT(ask_waiting))];
	unsigned int order = ask_random(3) ? ask_random(4) : ask_random(11);
	enum scene_context context = SCENE_THREAD;
	size_t told = strlen(scene_story());
	struct page *page;

	if (atomic && (order < 4 || order == 9))
		order = 0;
	if (ask_random(8) == 0)
		context = ask_random(2) ? SCENE_MEMALLOC : SCENE_VICTIM;
	scene_enter(context);
	page = alloc_pages(mask->mask | __GFP_NOWARN, order);
	scene_leave();
	ask_add("%c %ld ", which, scene_place_or_low(page));
	ask_add_story(scene_story() + told);
	ask_add(", ");
}

static void ask_answer_scene(unsigned int seed)
{
	scene_begin();
	ask_seed(seed);
	ask_set_zone();
	ask_set_script();
	ask_clear();
	for (unsigned int i = 0; i < ASK_REQUESTS; i++)
		ask_one((char)('a' + i));
	ask_add("+%lu, %lu and %lu free, %lu of %lu highatomic | ",
	        scene_boost(), scene_free_pages(), scene_low_pages(),
	        scene_free_highatomic(), scene_reserved());
	for (unsigned long block = 0; block < ARENA_BLOCKS; block++)
		ask_add("%c", "UMRH"[scene_type(block)]);
}

/* So that many answers fit into the recording: one number for those of COUNT scenes.  If
 * it differs, let ASK_SCENES be larger to see which one. */
static void ask_group_of_scenes(unsigned int seed, unsigned int count)
{
	unsigned int digest = ASK_DIGEST;

	for (unsigned int i = 0; i < count; i++) {
		ask_answer_scene(seed + i);
		for (const char *at = ask_text(); *at; at++)
			digest = ask_digest(digest, (unsigned char)*at);
	}
	scene_say("scenes %u to %u: %08x", seed, seed + count - 1, digest);
}

void ask_scenes(void)
{
	unsigned int seed = 1;

	for (; seed <= ASK_SCENES; seed++) {
		ask_answer_scene(seed);
		scene_say("scene %u: %s", seed, ask_text());
	}
	for (; seed <= ASK_SCENES_MORE; seed += 50)
		ask_group_of_scenes(seed, 50);
}

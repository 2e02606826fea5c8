/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask_rungs.c -- the way of a request that finds too little: passes,
 * wake-ups, reclaims, compactions and kills, in their order.
 */
#include "tests/conformance/ask.h"

struct ask_story {
	const char *name;
	unsigned long free; /* at place 0 */
	struct scene_script script;
};

/* In each of them memory comes free in the end, for requests that would wait forever. */
#define ASK_GIFT .gift = 24

static const struct ask_story ask_stories[] = {
	{ "nothing helps", 100, { ASK_GIFT } },
	{ "nothing helps, 480 free", 480, { ASK_GIFT } },
	{ "1 round of progress",
	  100,
	  { .rounds = 1, .progress = 32, ASK_GIFT } },
	{ "3 rounds of progress",
	  100,
	  { .rounds = 3, .progress = 32, ASK_GIFT } },
	{ "progress always", 100, { .rounds = 99, .progress = 32, ASK_GIFT } },
	{ "1000 look reclaimable", 100, { .reclaimable = 1000, ASK_GIFT } },
	{ "2 kills", 100, { .kills = 2, ASK_GIFT } },
	{ "compaction deferred",
	  100,
	  { .rounds = 3,
	    .progress = 32,
	    .compact = SCENE_DEFERRED,
	    ASK_GIFT } },
	{ "compaction fails",
	  700,
	  { .rounds = 9, .progress = 32, .compact = SCENE_FAILED, ASK_GIFT } },
	{ "compaction contended",
	  700,
	  { .rounds = 9,
	    .progress = 32,
	    .compact = SCENE_CONTENDED,
	    ASK_GIFT } },
	{ "compaction succeeds for others",
	  700,
	  { .rounds = 99,
	    .progress = 32,
	    .compact = SCENE_SUCCESS,
	    ASK_GIFT } },
	{ "compaction skipped, much reclaimable",
	  100,
	  { .rounds = 5, .progress = 32, .reclaimable = 5000, ASK_GIFT } },
	{ "reclaim number 2 frees a block",
	  100,
	  { .rounds = 2, .progress = 32, .gift = 2 } },
};

static const struct ask_mask ask_rung_masks[] = {
	ASK_MASK(GFP_KERNEL),
	ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
	ASK_MASK(GFP_KERNEL | __GFP_RETRY_MAYFAIL),
	ASK_MASK(GFP_KERNEL | __GFP_NOFAIL),
	ASK_MASK(GFP_KERNEL | __GFP_THISNODE),
	ASK_MASK(GFP_KERNEL | __GFP_MEMALLOC),
	ASK_MASK(GFP_KERNEL | __GFP_HIGH),
	ASK_MASK(GFP_KERNEL | __GFP_DMA32),
	ASK_MASK(GFP_NOFS),
	ASK_MASK(GFP_NOIO),
	ASK_MASK(GFP_HIGHUSER_MOVABLE),
	ASK_MASK(GFP_HIGHUSER_MOVABLE | __GFP_NORETRY),
	ASK_MASK(GFP_TRANSHUGE | __GFP_NORETRY),
	ASK_MASK(GFP_TRANSHUGE_LIGHT),
	ASK_MASK(GFP_ATOMIC),
	ASK_MASK(GFP_NOWAIT),
};

/* The free pages lie in single ones, so that no block of a higher order is there. */
static void ask_scatter(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		scene_free(2 * i, 0);
}

static void ask_rung(const struct ask_story *story, const struct ask_mask *mask,
                     unsigned int order, enum scene_context context)
{
	struct page *page;

	scene_begin();
	ask_scatter(story->free);
	scene_set_marks(480, 600, 720);
	scene_script(&story->script);
	scene_enter(context);
	page = alloc_pages(mask->mask | __GFP_NOWARN, order);
	scene_leave();
	ask_clear();
	ask_add_story(scene_story());
	ask_add(" %ld, %lu free", scene_place(page), scene_free_pages());
	scene_say("rungs of order %u, %s%s, %s: %s", order,
	          context == SCENE_MEMALLOC ? "PF_MEMALLOC, "
	          : context == SCENE_VICTIM ? "victim, "
	                                    : "",
	          mask->name, story->name, ask_text());
}

/* Compaction was skipped, and reclaim progressed once: with so much that can be reclaimed,
 * is there soon room for it? */
static void ask_room(const struct ask_mask *mask, unsigned int order,
                     unsigned long reclaimable)
{
	const struct scene_script script = {
		.rounds = 1,
		.progress = 32,
		.reclaimable = reclaimable,
		.gift = 24,
	};
	struct page *page;

	scene_begin();
	ask_scatter(100);
	scene_set_marks(480, 600, 720);
	scene_script(&script);
	page = alloc_pages(mask->mask | __GFP_NOWARN, order);
	ask_clear();
	ask_add_story(scene_story());
	ask_add(" %ld", scene_place(page));
	scene_say("room of order %u, %s, 100 free, %lu reclaimable: %s", order,
	          mask->name, reclaimable, ask_text());
}

/* Around the min and the low mark. */
static void ask_rooms(const struct ask_mask *mask)
{
	static const unsigned long marks[] = { 480, 600 };

	for (unsigned int order = 1; order <= 10; order++) {
		for (size_t i = 0; i < ASK_COUNT(marks); i++) {
			unsigned long wanted = marks[i] + (2UL << order) - 100;

			ask_room(mask, order, wanted * order + order - 1);
			ask_room(mask, order, wanted * order + order);
		}
	}
}

static void ask_all_rooms(void)
{
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_KERNEL),
		ASK_MASK(GFP_KERNEL | __GFP_RETRY_MAYFAIL),
		ASK_MASK(GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL),
	};

	for (size_t i = 0; i < ASK_COUNT(masks); i++)
		ask_rooms(&masks[i]);
}

void ask_rungs(void)
{
	static const unsigned int orders[] = { 0, 1, 3, 4, 9, 10 };

	for (size_t i = 0; i < ASK_COUNT(ask_stories); i++) {
		for (size_t j = 0; j < ASK_COUNT(ask_rung_masks); j++) {
			for (size_t k = 0; k < ASK_COUNT(orders); k++)
				ask_rung(&ask_stories[i], &ask_rung_masks[j],
				         orders[k], SCENE_THREAD);
		}
	}
	ask_all_rooms();
	for (size_t j = 0; j < ASK_COUNT(ask_rung_masks); j++) {
		ask_rung(&ask_stories[0], &ask_rung_masks[j], 11, SCENE_THREAD);
		ask_rung(&ask_stories[0], &ask_rung_masks[j], 0,
		         SCENE_MEMALLOC);
		ask_rung(&ask_stories[0], &ask_rung_masks[j], 0, SCENE_VICTIM);
		ask_rung(&ask_stories[6], &ask_rung_masks[j], 2, SCENE_VICTIM);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/questions.c -- what Linux and Labyrinth are both asked.
 *
 * No answer is known here, and none is judged: each is printed, and
 * tests/run/conformance.py compares.
 */
#include "tests/conformance/ask.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct ask_mask {
	const char *name;
	gfp_t mask;
};

struct ask_marks {
	unsigned long lowest, low, high;
};

static const char *const ask_contexts[] = {
	[SCENE_THREAD] = "thread",
	[SCENE_MEMALLOC] = "PF_MEMALLOC",
	[SCENE_VICTIM] = "victim",
	[SCENE_SOFT] = "softirq",
	[SCENE_SOFT_MEMALLOC] = "softirq/PF_MEMALLOC",
	[SCENE_HARD] = "hardirq",
	[SCENE_HARD_MEMALLOC] = "hardirq/PF_MEMALLOC",
};

/* ---- How far may a mask drain the zone? ---------------------------------- */

#define MASK(m)                                                                \
	{                                                                      \
#m, m                                                          \
	}

/* The first ones may be used in every context. */
#define ASK_ATOMIC_MASKS 13

static const struct ask_mask ask_masks[] = {
	MASK(0),
	MASK(GFP_ATOMIC),
	MASK(GFP_NOWAIT),
	MASK(__GFP_HIGH),
	MASK(__GFP_MOVABLE),
	MASK(GFP_ATOMIC | __GFP_MOVABLE),
	MASK(GFP_ATOMIC | __GFP_NORETRY),
	MASK(GFP_ATOMIC | __GFP_NOMEMALLOC),
	MASK(GFP_NOWAIT | __GFP_NOMEMALLOC),
	MASK(GFP_NOWAIT | __GFP_MEMALLOC),
	MASK(GFP_ATOMIC | __GFP_MEMALLOC),
	MASK(GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOMEMALLOC),
	MASK(GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOMEMALLOC),
	MASK(GFP_KERNEL),
	MASK(GFP_KERNEL | __GFP_NORETRY),
	MASK(GFP_KERNEL | __GFP_RETRY_MAYFAIL),
	MASK(GFP_KERNEL | __GFP_HIGH),
	MASK(GFP_KERNEL | __GFP_HIGH | __GFP_NORETRY),
	MASK(GFP_KERNEL | __GFP_NOMEMALLOC),
	MASK(GFP_KERNEL | __GFP_HIGH | __GFP_NOMEMALLOC),
	MASK(GFP_KERNEL | __GFP_MEMALLOC),
	MASK(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC),
	MASK(GFP_NOIO | __GFP_NORETRY),
	MASK(GFP_NOFS | __GFP_NORETRY),
	MASK(GFP_HIGHUSER_MOVABLE | __GFP_NORETRY),
	MASK(__GFP_DIRECT_RECLAIM | __GFP_NORETRY),
	MASK(__GFP_DIRECT_RECLAIM | __GFP_HIGH | __GFP_NORETRY),
};

/* From 2048 free pages in two blocks, until NULL. */
static void ask_drain(const struct ask_marks *marks, unsigned int order,
                      enum scene_context context, const struct ask_mask *mask)
{
	scene_begin();
	scene_set_marks(marks->lowest, marks->low, marks->high);
	scene_free(0, 10);
	scene_free(1024, 10);
	scene_enter(context);
	while (alloc_pages(mask->mask | __GFP_NOWARN, order))
		;
	scene_leave();
	scene_say("drain %lu/%lu/%lu, order %u, %s, %s: %lu", marks->lowest,
	          marks->low, marks->high, order, ask_contexts[context],
	          mask->name, scene_free_pages());
}

static void ask_drains(const struct ask_marks *marks, unsigned int order)
{
	for (enum scene_context c = 0; c < COUNT(ask_contexts); c++) {
		size_t masks =
			c < SCENE_SOFT ? COUNT(ask_masks) : ASK_ATOMIC_MASKS;

		for (size_t i = 0; i < masks; i++)
			ask_drain(marks, order, c, &ask_masks[i]);
	}
}

static void ask_all_drains(void)
{
	static const struct ask_marks marks[] = {
		{ 480, 600, 720 },
		{ 33, 41, 49 },
		{ 1001, 1251, 1501 },
	};

	ask_drains(&marks[0], 0);
	ask_drains(&marks[0], 3);
	ask_drains(&marks[1], 0);
	ask_drains(&marks[2], 1);
}

void ask_questions(void)
{
	ask_all_drains();
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/questions.c -- what Linux and Labyrinth are both asked.
 *
 * No answer is known here, and none is judged: each is printed, and
 * tests/run/conformance.py compares.
 */
#include "tests/conformance/ask.h"

#ifdef MODULE
#include <linux/string.h>
#else
#include <string.h>
#endif

struct ask_three {
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

#define ASK_MASK(m)                                                            \
	{                                                                      \
#m, m                                                          \
	}

/* The first ones may be used in every context. */
#define ASK_ATOMIC_MASKS 13

static const struct ask_mask ask_masks[] = {
	ASK_MASK(0),
	ASK_MASK(GFP_ATOMIC),
	ASK_MASK(GFP_NOWAIT),
	ASK_MASK(__GFP_HIGH),
	ASK_MASK(__GFP_MOVABLE),
	ASK_MASK(GFP_ATOMIC | __GFP_MOVABLE),
	ASK_MASK(GFP_ATOMIC | __GFP_NORETRY),
	ASK_MASK(GFP_ATOMIC | __GFP_NOMEMALLOC),
	ASK_MASK(GFP_NOWAIT | __GFP_NOMEMALLOC),
	ASK_MASK(GFP_NOWAIT | __GFP_MEMALLOC),
	ASK_MASK(GFP_ATOMIC | __GFP_MEMALLOC),
	ASK_MASK(GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOMEMALLOC),
	ASK_MASK(GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOMEMALLOC),
	ASK_MASK(GFP_KERNEL),
	ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
	ASK_MASK(GFP_KERNEL | __GFP_RETRY_MAYFAIL),
	ASK_MASK(GFP_KERNEL | __GFP_HIGH),
	ASK_MASK(GFP_KERNEL | __GFP_HIGH | __GFP_NORETRY),
	ASK_MASK(GFP_KERNEL | __GFP_NOMEMALLOC),
	ASK_MASK(GFP_KERNEL | __GFP_HIGH | __GFP_NOMEMALLOC),
	ASK_MASK(GFP_KERNEL | __GFP_MEMALLOC),
	ASK_MASK(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC),
	ASK_MASK(GFP_NOIO | __GFP_NORETRY),
	ASK_MASK(GFP_NOFS | __GFP_NORETRY),
	ASK_MASK(GFP_HIGHUSER_MOVABLE | __GFP_NORETRY),
	ASK_MASK(__GFP_DIRECT_RECLAIM | __GFP_NORETRY),
	ASK_MASK(__GFP_DIRECT_RECLAIM | __GFP_HIGH | __GFP_NORETRY),
};

/* From 2048 free pages in two blocks, until NULL. */
static void ask_drain(const struct ask_three *marks, unsigned int order,
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

static void ask_drains(const struct ask_three *marks, unsigned int order)
{
	for (enum scene_context c = 0; c < ASK_COUNT(ask_contexts); c++) {
		size_t masks = c < SCENE_SOFT ? ASK_COUNT(ask_masks)
		                              : ASK_ATOMIC_MASKS;

		for (size_t i = 0; i < masks; i++)
			ask_drain(marks, order, c, &ask_masks[i]);
	}
}

static void ask_all_drains(void)
{
	static const struct ask_three marks[] = {
		{ 480, 600, 720 },
		{ 33, 41, 49 },
		{ 1001, 1251, 1501 },
	};

	ask_drains(&marks[0], 0);
	ask_drains(&marks[0], 3);
	ask_drains(&marks[1], 0);
	ask_drains(&marks[2], 1);
}

/* Above the marks a lower zone leaves its reserve, which does not count for the requests
 * that may go no higher; and a boost raises the marks. */
static void ask_drain_above(const char *what, unsigned long reserve,
                            unsigned long boost, unsigned int order,
                            const struct ask_mask *mask)
{
	scene_begin();
	scene_set_marks(480, 600, 720);
	scene_set_reserve(reserve);
	scene_set_boost(0, boost);
	scene_free(0, 10);
	scene_free(1024, 10);
	while (alloc_pages(mask->mask | __GFP_NOWARN, order))
		;
	scene_say("drain 480/600/720, %s, order %u, %s: %lu", what, order,
	          mask->name, scene_free_pages());
}

static void ask_drains_above(void)
{
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_ATOMIC),
		ASK_MASK(GFP_ATOMIC | __GFP_NOMEMALLOC),
		ASK_MASK(GFP_NOWAIT),
		ASK_MASK(GFP_NOWAIT | __GFP_MEMALLOC),
		ASK_MASK(GFP_KERNEL),
		ASK_MASK(GFP_KERNEL | __GFP_HIGH),
		ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
		ASK_MASK(GFP_ATOMIC | __GFP_DMA32),
		ASK_MASK(GFP_KERNEL | __GFP_DMA32),
	};

	for (unsigned int order = 0; order < 3; order += 2) {
		for (size_t i = 0; i < ASK_COUNT(masks); i++) {
			ask_drain_above("reserve 300", 300, 0, order,
			                &masks[i]);
			ask_drain_above("boost 512", 0, 512, order, &masks[i]);
			ask_drain_above("reserve 300, boost 512", 300, 512,
			                order, &masks[i]);
		}
	}
}

/* ---- Numbers -------------------------------------------------------------- */

static unsigned int ask_state;

void ask_seed(unsigned int seed)
{
	ask_state = seed;
}

unsigned int ask_random(unsigned int below)
{
	ask_state = ask_state * 1664525 + 1013904223;
	return (ask_state >> 8) % below;
}

unsigned int ask_digest(unsigned int digest, unsigned long value)
{
	for (int i = 0; i < 4; i++, value >>= 8)
		digest = (digest ^ (value & 255)) * 16777619;
	return digest;
}

long scene_place_or_low(const struct page *page)
{
	long place = scene_place(page);

	return place >= -1 && place < (long)ARENA_PAGES ? place : -2;
}

/* ---- Answers in pieces --------------------------------------------------- */

static char ask_line[800];
static size_t ask_length;

void ask_clear(void)
{
	ask_length = 0;
	ask_line[0] = '\0';
}

void ask_add(const char *format, ...)
{
	size_t room = sizeof(ask_line) - ask_length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(ask_line + ask_length, room, format, args);
	va_end(args);
	if (length > 0)
		ask_length += (size_t)length < room ? (size_t)length : room - 1;
}

const char *ask_text(void)
{
	return ask_line;
}

#define ASK_UNIT 9U

/* How often do the first LENGTH letters of STORY follow each other? */
static unsigned int ask_repeats(const char *story, unsigned int length)
{
	unsigned int count = 1;

	while (strncmp(story, story + length, length) == 0) {
		story += length;
		count++;
	}
	return count;
}

void ask_add_story(const char *story)
{
	while (*story) {
		unsigned int length = 1, count = 1;

		for (unsigned int i = 1; i <= ASK_UNIT && i <= strlen(story);
		     i++) {
			unsigned int repeats = ask_repeats(story, i);

			if (repeats > 2 && repeats * i > count * length) {
				length = i;
				count = repeats;
			}
		}
		if (count > 1)
			ask_add("(%.*s)x%u", (int)length, story, count);
		else
			ask_add("%c", *story);
		story += length * count;
	}
}

#define ASK_LISTED 12UL

static void ask_add_list(unsigned int order, int type)
{
	long places[ASK_LISTED];
	unsigned long count = scene_list(order, type, places, ASK_LISTED);

	if (count == 0)
		return;
	ask_add(" | %u%c", order, "UMRH"[type]);
	for (unsigned long i = 0; i < count && i < ASK_LISTED; i++)
		ask_add(" %ld", places[i]);
	if (count > ASK_LISTED)
		ask_add(" and %lu more", count - ASK_LISTED);
}

void ask_add_lists(void)
{
	for (unsigned int order = 0; order <= 10; order++) {
		for (int type = 0; type < 4; type++)
			ask_add_list(order, type);
	}
}

void ask_leave(unsigned long place, unsigned long count)
{
	scene_free(place, 10);
	while (scene_free_pages() > count) {
		if (!alloc_pages(__GFP_MEMALLOC | __GFP_MOVABLE | __GFP_NOWARN,
		                 0))
			return;
	}
}

/* ---- Two zones ----------------------------------------------------------- */

/* FREE pages of DMA, too: a drain of both zones. */
static void ask_two_zones(const struct ask_mask *mask, unsigned long low,
                          unsigned long reserve, unsigned int order)
{
	long first, last;

	scene_begin();
	scene_set_marks(480, 600, 720);
	scene_set_low_marks(30, 37, 44, reserve);
	scene_free(0, 10);
	scene_free_low(low);
	first = scene_place(alloc_pages(mask->mask | __GFP_NOWARN, order));
	last = first;
	for (long at = first; at != -1;) {
		last = at;
		at = scene_place(alloc_pages(mask->mask | __GFP_NOWARN, order));
	}
	scene_say("zones, DMA has %lu free and a reserve of %lu, order %u, %s: "
	          "%lu and %lu free, first from %s, last from %s",
	          low, reserve, order, mask->name, scene_free_pages(),
	          scene_low_pages(),
	          first == -1                               ? "none"
	          : first < 0 || first >= (long)ARENA_PAGES ? "DMA"
	                                                    : "DMA32",
	          last == -1                              ? "none"
	          : last < 0 || last >= (long)ARENA_PAGES ? "DMA"
	                                                  : "DMA32");
}

static void ask_all_two_zones(void)
{
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_ATOMIC),
		ASK_MASK(GFP_ATOMIC | __GFP_DMA32),
		ASK_MASK(GFP_ATOMIC | __GFP_DMA),
		ASK_MASK(GFP_ATOMIC | __GFP_HIGHMEM),
		ASK_MASK(GFP_NOWAIT),
		ASK_MASK(GFP_NOWAIT | __GFP_MEMALLOC),
		ASK_MASK(GFP_NOWAIT | __GFP_DMA | __GFP_MEMALLOC),
		ASK_MASK(GFP_KERNEL),
		ASK_MASK(GFP_KERNEL | __GFP_DMA),
		ASK_MASK(GFP_KERNEL | __GFP_HIGH),
		ASK_MASK(GFP_HIGHUSER_MOVABLE),
		ASK_MASK(GFP_DMA),
		ASK_MASK(GFP_DMA32),
		ASK_MASK(GFP_DMA | __GFP_DMA32),
		ASK_MASK(GFP_DMA | __GFP_HIGHMEM),
		ASK_MASK(GFP_DMA32 | __GFP_HIGHMEM),
		ASK_MASK(GFP_DMA | __GFP_MOVABLE),
		ASK_MASK(GFP_DMA32 | __GFP_MOVABLE),
	};
	static const unsigned long low[] = { 20, 37, 300, 500 };

	for (size_t i = 0; i < ASK_COUNT(masks); i++) {
		for (size_t j = 0; j < ASK_COUNT(low); j++) {
			ask_two_zones(&masks[i], low[j], 0, 0);
			ask_two_zones(&masks[i], low[j], 240, 0);
			ask_two_zones(&masks[i], low[j], 240, 1);
		}
	}
}

/* The questions about pageblocks are put to zone NORMAL, too: it has more to lose by
 * fragments, and its requests try others first. */
void ask_questions(void)
{
	if (scene_is_normal()) {
		ask_walks();
		ask_types();
		ask_scenes();
		return;
	}
	ask_all_drains();
	ask_all_two_zones();
	ask_drains_above();
	ask_marks();
	ask_blocks();
	ask_types();
	ask_rungs();
	ask_pages();
	ask_scenes();
}

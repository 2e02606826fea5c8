/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask_pages.c -- the mark of a page from the reserve, counters, and a
 * CPU's lists.
 */
#include "tests/conformance/ask.h"

#define ASK_MOVABLE (GFP_NOWAIT | __GFP_MOVABLE | __GFP_NOWARN)
#define ASK_STACK   200U

static struct page *ask_stack[ASK_STACK];

/* ---- PFMEMALLOC ---------------------------------------------------------- */

static void ask_mark(const struct ask_mask *mask, enum scene_context context,
                     const char *name, unsigned long free)
{
	struct page *page;

	scene_begin();
	ask_leave(0, free);
	scene_set_marks(480, 600, 720);
	scene_enter(context);
	page = alloc_pages(mask->mask | __GFP_NOWARN, 0);
	scene_leave();
	scene_say("pfmemalloc of a page by %s, %s, %lu free: %s", mask->name,
	          name, free,
	          !page                       ? "no page"
	          : scene_is_pfmemalloc(page) ? "marked"
	                                      : "not marked");
}

static void ask_all_pfmemalloc(void)
{
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
		ASK_MASK(GFP_KERNEL | __GFP_MEMALLOC),
		ASK_MASK(GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC),
		ASK_MASK(GFP_ATOMIC),
		ASK_MASK(GFP_ATOMIC | __GFP_MEMALLOC),
		ASK_MASK(GFP_NOWAIT),
	};
	static const unsigned long free[] = { 700, 600, 481, 300, 200, 100 };

	for (size_t i = 0; i < ASK_COUNT(masks); i++) {
		for (size_t j = 0; j < ASK_COUNT(free); j++) {
			ask_mark(&masks[i], SCENE_THREAD, "thread", free[j]);
			ask_mark(&masks[i], SCENE_MEMALLOC, "PF_MEMALLOC",
			         free[j]);
			ask_mark(&masks[i], SCENE_VICTIM, "victim", free[j]);
		}
	}
}

/* ---- Counters ------------------------------------------------------------ */

static unsigned long ask_before[SCENE_COUNTERS];

static void ask_count(void)
{
	for (int i = 0; i < SCENE_COUNTERS; i++)
		ask_before[i] = scene_counter((enum scene_counter)i);
}

static void ask_say_counts(const char *what, unsigned int number)
{
	static const char *const names[] = {
		[SCENE_PGALLOC] = "pgalloc",
		[SCENE_PGFREE] = "pgfree",
		[SCENE_COMPACT_STALL] = "compact_stall",
		[SCENE_COMPACT_FAIL] = "compact_fail",
		[SCENE_COMPACT_SUCCESS] = "compact_success",
	};

	ask_clear();
	for (int i = 0; i < SCENE_COUNTERS; i++)
		ask_add(" %s %lu", names[i],
		        scene_counter((enum scene_counter)i) - ask_before[i]);
	scene_say("counters of %s %u:%s", what, number, ask_text());
}

static void ask_counters_of_order(unsigned int order)
{
	static const struct scene_script script = {
		.rounds = 3,
		.progress = 32,
		.compact = SCENE_FAILED,
	};
	struct page *page;

	scene_begin();
	scene_free(0, 10);
	ask_count();
	page = alloc_pages(ASK_MOVABLE, order);
	__free_pages(page, order);
	ask_say_counts("a pair of order", order);
	ask_count();
	page = alloc_pages(ASK_MOVABLE, order);
	get_page(page);
	__free_pages(page, order);
	ask_say_counts("a free under a reference of order", order);
	ask_count();
	put_page(page);
	ask_say_counts("the last reference of order", order);
	scene_set_marks(1024, 1024, 1024);
	scene_script(&script);
	ask_count();
	page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, order);
	ask_say_counts(page ? "a success of order" : "a failure of order",
	               order);
}

static void ask_counters_of_pages(unsigned int pages)
{
	struct page *array[64] = { NULL };
	void *address;

	scene_begin();
	scene_free(0, 10);
	ask_count();
	address = alloc_pages_exact((size_t)pages << 12, ASK_MOVABLE);
	ask_say_counts("exact pages", pages);
	ask_count();
	free_pages_exact(address, (size_t)pages << 12);
	ask_say_counts("free of exact pages", pages);
	ask_count();
	if (alloc_pages_bulk(ASK_MOVABLE, pages, array) == pages)
		ask_say_counts("bulk pages", pages);
}

/* ---- A CPU's lists ------------------------------------------------------- */

/* The lists are on, 4096 pages are free. */
static void ask_begin_lists(void)
{
	scene_begin();
	scene_compute_marks(2043, 10);
	for (unsigned long place = 0; place < 4096; place += 1024)
		scene_free(place, 10);
	scene_lists_on();
}

static void ask_add_stack(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		long place = scene_place(ask_stack[i]);

		if (i < 6 || i + 3 > count)
			ask_add(" %ld", place);
		else if (i == 6)
			ask_add(" ...");
	}
}

/* COUNT blocks of ORDER; given back as number i * STEP; and COUNT again. */
static void ask_stack_of(unsigned int order, unsigned int count,
                         unsigned int step)
{
	ask_begin_lists();
	for (unsigned int i = 0; i < count; i++)
		ask_stack[i] = alloc_pages(ASK_MOVABLE, order);
	ask_clear();
	ask_add_stack(count);
	scene_say("stack of %u blocks of order %u, step %u:%s", count, order,
	          step, ask_text());
	scene_say("level after %u blocks of order %u, step %u: "
	          "%lu in the zone, %lu on the list",
	          count, order, step, scene_free_pages(), scene_listed());
	for (unsigned int i = 0; i < count; i++)
		__free_pages(ask_stack[i * step % count], order);
	for (unsigned int i = 0; i < count; i++)
		ask_stack[i] = alloc_pages(ASK_MOVABLE, order);
	ask_clear();
	ask_add_stack(count);
	scene_say("stack of %u blocks of order %u, step %u, again:%s", count,
	          order, step, ask_text());
}

static void ask_lists_in_use(void)
{
	static const struct {
		unsigned int count, step;
	} uses[] = { { 1, 1 }, { 2, 1 }, { 5, 1 }, { 5, 2 },  { 5, 4 },
		     { 7, 1 }, { 7, 3 }, { 7, 6 }, { 64, 1 }, { 100, 1 } };

	for (unsigned int order = 0; order <= 3; order++) {
		for (size_t i = 0; i < ASK_COUNT(uses); i++)
			ask_stack_of(order, uses[i].count, uses[i].step);
	}
	ask_stack_of(4, 7, 3);
	ask_stack_of(9, 3, 1);
}

void ask_pages(void)
{
	ask_all_pfmemalloc();
	for (unsigned int order = 0; order <= 10; order++)
		ask_counters_of_order(order);
	for (unsigned int pages = 1; pages <= 64; pages = pages * 2 + 1)
		ask_counters_of_pages(pages);
	ask_lists_in_use();
}

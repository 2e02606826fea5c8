/* SPDX-License-Identifier: MIT */
/*
 * The atomic reserve, counted by real interrupt handlers.
 *
 * Memory is drained by requests that may not touch the reserve; then the
 * timer's and the keyboard's handlers take what the floors leave to them. The
 * numbers that are expected are worked out from the marks of the machine that
 * runs the test (allowed_by_rules()), not copied from a run.
 */
#include "drivers/i8042.h"
#include "drivers/keyboard.h"
#include "drivers/pit.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/refiller.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(reserve);

#define SCAN_CODE_NOTHING   0xd9

/* One page an interrupt, so that both lines get their share of a small
 * reserve. */
#define PAGES_PER_INTERRUPT 1

static unsigned long test_reserve_event(enum vmstat_event which)
{
	return vmstat_read(&main_node()->stat, which);
}

/* The pages that a line takes and keeps. */
struct line_taker {
	struct list pages; /* plain pages */
	void *exclusive[WINDOW_ENTRIES];
	unsigned int count;
	unsigned int interrupts;
	bool in_interrupt; /* every call came from a hard interrupt */
	bool null;         /* the last call returned NULL */
	bool give_back;
	bool take_exclusive;
};

struct takers {
	struct line_taker timer;
	struct line_taker keyboard;
};

SUITE_OBJECT(struct takers, takers);

static bool test_reserve_take_plain(struct line_taker *taker)
{
	struct page *page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);

	if (page != NULL)
		list_push(&taker->pages, &page->link);
	return page != NULL;
}

static bool test_reserve_take_exclusive(struct line_taker *taker)
{
	struct page *page;

	if (taker->count == WINDOW_ENTRIES)
		return false;
	page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE | __GFP_NOWARN);
	taker->exclusive[taker->count] = exclusive_address(page);
	return page != NULL;
}

static void take_some(struct line_taker *taker)
{
	taker->interrupts++;
	taker->in_interrupt = taker->in_interrupt && in_hardirq();
	taker->null = false;
	for (unsigned int i = 0; i < PAGES_PER_INTERRUPT; i++) {
		if (taker->take_exclusive ? !test_reserve_take_exclusive(taker)
		                          : !test_reserve_take_plain(taker)) {
			taker->null = true;
			return;
		}
		taker->count++;
	}
}

static void give_some_back(struct line_taker *taker)
{
	while (taker->count > 0)
		exclusive_release(taker->exclusive[--taker->count]);
}

static void test_reserve_serve(struct line_taker *taker)
{
	if (taker->give_back)
		give_some_back(taker);
	else
		take_some(taker);
}

static void on_timer(void *data)
{
	test_reserve_serve(data);
}

static void on_keyboard(int code, void *data)
{
	(void)code;
	test_reserve_serve(data);
}

static void begin_taking(bool exclusive)
{
	struct line_taker *taker[] = { &takers->timer, &takers->keyboard };

	for (size_t i = 0; i < ARRAY_SIZE(taker); i++) {
		list_init(&taker[i]->pages);
		taker[i]->count = 0;
		taker[i]->interrupts = 0;
		taker[i]->in_interrupt = true;
		taker[i]->null = false;
		taker[i]->give_back = false;
		taker[i]->take_exclusive = exclusive;
	}
	pit_set_listener(on_timer, &takers->timer);
	keyboard_set_listener(on_keyboard, &takers->keyboard);
}

static void end_taking(void)
{
	pit_set_listener(NULL, NULL);
	keyboard_set_listener(NULL, NULL);
}

/* Busy or late is no harm: the callers raise again until they have counted what
 * they wait for, or a time limit. */
static void raise_keyboard(void)
{
	if (i8042_raise(SCAN_CODE_NOTHING) != 0)
		thread_yield();
}

/*
 * Let both lines take until both have got NULL QUIET times in a row with no
 * page taken in between.  Other threads (the refiller) run meanwhile.
 */
static void take_until_dry(unsigned int quiet)
{
	uint64_t limit = clock_microseconds() + 20000000;
	unsigned int dry = 0;

	/* Without the first tick the keyboard would have all of a few pages. */
	while (READ_ONCE(takers->timer.interrupts) == 0 &&
	       clock_microseconds() < limit)
		thread_yield();
	while (dry < quiet && clock_microseconds() < limit) {
		unsigned int before =
			takers->timer.count + takers->keyboard.count;
		uint64_t tick = clock_ticks() + 2;

		raise_keyboard();
		while (READ_ONCE(takers->timer.interrupts) > 0 &&
		       clock_ticks() < tick)
			thread_yield();
		if (takers->timer.null &&
		    takers->timer.count + takers->keyboard.count == before)
			dry++;
		else
			dry = 0;
	}
}

static void give_all_back(void)
{
	takers->timer.give_back = true;
	takers->keyboard.give_back = true;
	while (READ_ONCE(takers->timer.count) > 0)
		thread_yield();
	while (READ_ONCE(takers->keyboard.count) > 0) {
		raise_keyboard();
		thread_yield();
	}
	end_taking();
	exclusive_balance(main_node());
}

static void free_list(struct list *pages)
{
	struct page *page;

	while ((page = list_first(pages, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_page(page);
	}
}

CASE(reserve, interrupts_get_exactly_free_minus_floor_by_gfp_atomic)
{
	struct drained drained;
	unsigned long allowed;
	unsigned long taken;
	unsigned long sleeps = might_sleep_violations();
	struct drained rest;

	NEEDS_I8042();
	drained_init(&drained);
	drained_init(&rest);
	refiller_pause(true);
	drain(&drained, GFP_NOWAIT);
	allowed = allowed_by_rules(RESERVE_ATOMIC);
	begin_taking(false);
	take_until_dry(3);
	end_taking();
	taken = takers->timer.count + takers->keyboard.count;
	/* The thread itself gets nothing more with the same flags. */
	drain(&rest, GFP_ATOMIC | __GFP_NOWARN);
	free_list(&takers->timer.pages);
	free_list(&takers->keyboard.pages);
	drained_free(&drained);
	refiller_pause(false);
	test_note("plain GFP_ATOMIC: %lu pages by the rules, %lu taken (%u by "
	          "the timer, %u by the keyboard)",
	          allowed, taken, takers->timer.count, takers->keyboard.count);
	EXPECT_EQUAL(taken, allowed);
	EXPECT(takers->timer.count > 0 && takers->keyboard.count > 0);
	EXPECT(takers->timer.in_interrupt && takers->keyboard.in_interrupt);
	EXPECT_EQUAL(rest.count, 0);
	EXPECT_EQUAL(might_sleep_violations(), sleeps);
	return NULL;
}

CASE(reserve, interrupts_get_the_parked_pages_then_null_and_one_wake_up)
{
	struct node *node = main_node();
	unsigned long parked = exclusive_pool_parked(&node->pool);
	unsigned long wakes = test_reserve_event(VMSTAT_exclusive_wake);
	unsigned long taken;
	unsigned long woken;
	bool null;

	NEEDS_I8042();
	refiller_pause(true);
	begin_taking(true);
	take_until_dry(3);
	null = takers->timer.null;
	taken = takers->timer.count + takers->keyboard.count;
	woken = test_reserve_event(VMSTAT_exclusive_wake) - wakes;
	refiller_pause(false);
	give_all_back();
	test_note("exclusive: %lu parked, %lu taken, %lu wake-ups", parked,
	          taken, woken);
	EXPECT_EQUAL(taken, parked);
	EXPECT(null);
	EXPECT_EQUAL(woken, 1);
	return NULL;
}

CASE(reserve, interrupts_get_parked_plus_free_minus_floor_over_refills)
{
	struct node *node = main_node();
	struct drained drained;
	unsigned long expected;
	unsigned long by_timer;
	unsigned long parked;
	unsigned long allowed;
	unsigned long taken;

	NEEDS_I8042();
	drained_init(&drained);
	refiller_pause(true);
	drain(&drained, GFP_NOWAIT);
	parked = exclusive_pool_parked(&node->pool);
	allowed = allowed_by_rules(RESERVE_ATOMIC);
	refiller_pause(false);
	begin_taking(true);
	take_until_dry(5);
	by_timer = takers->timer.count;
	taken = by_timer + takers->keyboard.count;
	drained_free(&drained);
	give_all_back();
	test_note("exclusive over refills: %lu parked + %lu by the rules, %lu "
	          "taken (%lu by the timer, %lu by the keyboard)",
	          parked, allowed, taken, by_timer, taken - by_timer);
	/* On a large machine the windows of two lines are full first. */
	expected = min(parked + allowed, 2UL * WINDOW_ENTRIES);
	EXPECT_EQUAL(taken, expected);
	return NULL;
}

CASE(reserve, gfp_nowait_leaves_min_and_gfp_high_leaves_half)
{
	struct drained drained;
	unsigned long none = 0;
	unsigned long half = 0;
	unsigned long got_none;
	unsigned long got_half;

	drained_init(&drained);
	refiller_pause(true);
	none = allowed_by_rules(RESERVE_NOWAIT);
	drain(&drained, GFP_NOWAIT);
	got_none = drained.count;
	half = allowed_by_rules(RESERVE_HALF);
	drain(&drained, GFP_ATOMIC | __GFP_NOMEMALLOC | __GFP_NOWARN);
	got_half = drained.count - got_none;
	drained_free(&drained);
	refiller_pause(false);
	EXPECT_EQUAL(got_none, none);
	EXPECT_EQUAL(got_half, half);
	return NULL;
}

CASE(reserve, memalloc_drains_to_the_last_page)
{
	struct drained drained;
	unsigned long left;

	drained_init(&drained);
	refiller_pause(true);
	drain(&drained, GFP_NOWAIT | __GFP_MEMALLOC);
	left = node_free(main_node());
	for (unsigned int type = ZONE_DMA; type <= ZONE_NORMAL; type++)
		left -= main_node()->zone[type].nr_free_highatomic;
	drained_free(&drained);
	refiller_pause(false);
	EXPECT_EQUAL(left, 0);
	return NULL;
}

static void alloc_kernel(void *data)
{
	struct page **page = data;

	*page = alloc_page(GFP_KERNEL);
}

CASE(reserve, direct_reclaim_in_an_interrupt_is_refused_with_memory_plentiful)
{
	unsigned long before = test_reserve_event(VMSTAT_alloc_must_not_sleep);
	uint64_t mark = log_mark();
	struct page *page = (struct page *)1;

	NEEDS_I8042();
	EXPECT(in_timer_interrupt(alloc_kernel, &page));
	EXPECT(page == NULL);
	EXPECT(in_keyboard_interrupt(alloc_kernel, &page));
	EXPECT(page == NULL);
	EXPECT_EQUAL(test_reserve_event(VMSTAT_alloc_must_not_sleep),
	             before + 2);
	EXPECT(log_contains_since(mark, "__GFP_DIRECT_RECLAIM"));
	EXPECT(log_contains_since(mark, "timer"));
	return NULL;
}

CASE(reserve, request_that_may_wait_one_round_fails_and_is_counted)
{
	unsigned long before = test_reserve_event(VMSTAT_alloc_would_wait);
	struct drained drained;

	drained_init(&drained);
	refiller_pause(true);
	drain(&drained, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	drain(&drained, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	drained_free(&drained);
	refiller_pause(false);
	EXPECT_EQUAL(test_reserve_event(VMSTAT_alloc_would_wait),
	             before + 2UL * (MAX_ORDER + 1));
	return NULL;
}

CASE(reserve, failure_dump_has_linuxs_shape_and_is_rate_limited)
{
	struct node *node = main_node();
	struct drained drained;
	uint64_t mark;
	struct page *page[3];

	drained_init(&drained);
	refiller_pause(true);
	drain(&drained, GFP_ATOMIC | __GFP_NOWARN);
	node->dump_limit.begin = 0;
	node->dump_limit.printed = 0;
	mark = log_mark();
	for (int i = 0; i < 3; i++)
		page[i] = alloc_page(GFP_ATOMIC);
	drained_free(&drained);
	refiller_pause(false);
	for (int i = 0; i < 3; i++)
		EXPECT(page[i] == NULL);
	EXPECT_EQUAL(log_count_since(mark, "page allocation failure: order:0,"),
	             1);
	EXPECT_EQUAL(log_count_since(mark, " mode:0x820(GFP_ATOMIC)"), 1);
	EXPECT(log_contains_since(mark, "halved for __GFP_HIGH, less a quarter "
	                                "because it cannot wait"));
	EXPECT_EQUAL(log_count_since(mark, "Mem-Info:"), 1);
	return NULL;
}

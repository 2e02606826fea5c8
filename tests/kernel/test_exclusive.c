/* SPDX-License-Identifier: MIT */
/*
 * The promises of exclusive pages, tested on the machine by touching.
 */
#include "tests/kernel/test_exclusive.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/direct_map.h"
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/core/irq.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(exclusive);

bool is_filled(const void *address, uint8_t byte)
{
	const uint8_t *bytes = address;

	for (unsigned long i = 0; i < PAGE_SIZE; i++) {
		if (bytes[i] != byte)
			return false;
	}
	return true;
}

unsigned long test_exclusive_event(enum vmstat_event which)
{
	return vmstat_read(&main_node()->stat, which);
}

CASE(exclusive, gives_a_zeroed_page_in_the_owners_window)
{
	uint8_t *page = TAKE();
	struct owner *me = current_owner();

	EXPECT(page != NULL);
	EXPECT(is_filled(page, 0));
	EXPECT((uintptr_t)page - me->window.base < WINDOW_ENTRIES * PAGE_SIZE);
	memset(page, 0x5a, PAGE_SIZE);
	EXPECT(is_filled(page, 0x5a));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

CASE(exclusive, direct_map_faults_for_reads_and_writes)
{
	void *page = TAKE();
	struct owner *me = current_owner();
	unsigned long pfn;
	const char *sentence;
	void *direct;

	EXPECT(page != NULL);
	pfn = page_to_pfn(exclusive_page(page));
	direct = phys_to_virt(pfn << PAGE_SHIFT);
	EXPECT(!direct_map_visible(pfn));
	sentence = expect_exclusive_fault(direct, false, me, me);
	if (sentence == NULL)
		sentence = expect_exclusive_fault(direct, true, me, me);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return sentence;
}

/* The parked page that would be taken next, or NULL. */
static struct page *next_parked(void)
{
	struct exclusive_pool *pool = &main_node()->pool;
	const struct exclusive_stack *stack = &pool->stack[arch_cpu_id()];

	if (stack->count > 0)
		return stack->frame[stack->count - 1];
	return list_empty(&pool->whole)
	               ? list_first(&pool->parked, struct page, link)
	               : list_first(&pool->whole, struct page, link);
}

CASE(exclusive, parked_page_faults_in_the_direct_map)
{
	const struct page *page = next_parked();

	EXPECT(page != NULL);
	return expect_exclusive_fault(
		phys_to_virt(page_to_pfn(page) << PAGE_SHIFT), false, NULL,
		current_owner());
}

/*
 * The refiller has just zeroed the frame through the direct map, so the TLB
 * knows its address; with interrupts off nothing but the refiller's own flush
 * makes the processor forget it.
 */
CASE(exclusive, frame_cannot_be_touched_right_after_it_is_parked)
{
	struct node *node = main_node();
	const char *sentence;
	struct page *page;
	bool enabled;

	refiller_settle();
	exclusive_shrink(node, exclusive_pool_parked(&node->pool) - 1);
	enabled = arch_irq_save();
	exclusive_refill(node, exclusive_pool_parked(&node->pool) + 1);
	page = list_first(&node->pool.parked, struct page, link);
	sentence = expect_exclusive_fault(
		phys_to_virt(page_to_pfn(page) << PAGE_SHIFT), false, NULL,
		current_owner());
	arch_irq_restore(enabled);
	return sentence;
}

/* The refiller has just zeroed them all through the direct map. */
CASE(exclusive, frames_of_a_whole_pageblock_cannot_be_touched)
{
	struct node *node = main_node();
	const struct page *page;
	const char *sentence = NULL;

	if (node->pool.top == node->pool.high && node->pool.high < 256)
		SKIP("a large zone");
	refiller_settle();
	exclusive_shrink(node, 0);
	EXPECT_EQUAL(node->pool.blocks, 0);
	exclusive_balance(node);
	EXPECT_EQUAL(node->pool.blocks, 1);
	page = next_parked();
	for (unsigned int i = 0; i < 512 && sentence == NULL; i += 73)
		sentence = expect_exclusive_fault(
			phys_to_virt((page_to_pfn(page) ^ i) << PAGE_SHIFT),
			false, NULL, current_owner());
	return sentence;
}

static bool window_seen_open;

static bool look_at_own_window(const struct fault *fault, void *data)
{
	(void)data;
	window_seen_open = window_is_open(&current_owner()->window);
	return fault->frame->vector == VECTOR_INVALID_OP;
}

static void test_exclusive_bad_opcode(void *data)
{
	(void)data;
	__builtin_trap();
}

CASE(exclusive, exception_finds_the_window_closed_and_leaves_it_open)
{
	struct fault_expect expect = { .match = look_at_own_window };
	const struct window *window = &current_owner()->window;
	bool caught;

	EXPECT(window_is_open(window));
	window_seen_open = true;
	caught = fault_catch(&expect, test_exclusive_bad_opcode, NULL);
	EXPECT(caught);
	EXPECT(!window_seen_open);
	EXPECT(window_is_open(window));
	return NULL;
}

/* ---- Strangers ----------------------------------------------------------- */

void read_it(void *data)
{
	(void)*(volatile uint8_t *)data;
}

static void write_it(void *data)
{
	*(volatile uint8_t *)data = 0xee;
}

/* Its owner, after it has released it, or handed it over. */
static void touch_what_was_given_up(void *data)
{
	uint8_t *page = TAKE();
	uint64_t to = *(const uint64_t *)data;

	if (to == 0)
		exclusive_release(page);
	else if (exclusive_transfer(page, to) != 0)
		return;
	read_it(page);
}

CASE(exclusive, who_touches_what_it_gave_up_is_told_where_that_was)
{
	uint64_t to = 0;
	uint64_t mark = log_mark();
	struct thread *thread =
		thread_create("forgetful", touch_what_was_given_up, &to);

	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_INTRUDED);
	EXPECT(log_contains_since(
		mark, "released by forgetful at touch_what_was_given_up+"));
	EXPECT(log_contains_since(mark, "tests/kernel/test_exclusive.c:"));
	/* The backtrace: the callers of the function that touched it. */
	EXPECT(log_contains_since(mark, "  thread_begin+"));
	mark = log_mark();
	to = current_owner_id();
	thread = thread_create("generous", touch_what_was_given_up, &to);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_INTRUDED);
	EXPECT(log_contains_since(mark,
	                          "by generous at touch_what_was_given_up+"));
	EXPECT(log_contains_since(mark, "  handed to "));
	EXPECT_EQUAL(exclusive_release(exclusive_accept()), 0);
	return NULL;
}

CASE(exclusive, stranger_thread_is_ended_and_reported)
{
	uint8_t *page = TAKE();
	uint64_t mark = log_mark();
	struct thread *thief;

	EXPECT(page != NULL);
	memset(page, 0x11, PAGE_SIZE);
	thief = thread_create("thief", read_it, page);
	EXPECT(thief != NULL);
	EXPECT(thread_join(thief) == THREAD_END_INTRUDED);
	thief = thread_create("vandal", write_it, page);
	EXPECT(thief != NULL);
	EXPECT(thread_join(thief) == THREAD_END_INTRUDED);
	EXPECT(is_filled(page, 0x11));
	EXPECT(log_contains_since(mark, "thief"));
	EXPECT(log_contains_since(mark, "vandal"));
	EXPECT(log_contains_since(mark, current_owner()->name));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

static void create_with_its_name(void *data)
{
	(void)thread_join(thread_create(data, read_it, data));
}

static void test_exclusive_do_nothing(void *unused __unused)
{
}

/* A thief ends in the middle of making a thread, and leaves no part of it behind: the
 * pages are counted after the case. */
CASE(exclusive, an_intruder_that_names_a_thread_takes_nothing_along)
{
	uint8_t *page = TAKE();
	struct thread *first;
	struct thread *second;

	EXPECT(page != NULL);
	memset(page, 'n', 8);
	for (unsigned int i = 0; i < 70; i++) {
		struct thread *thief =
			thread_create("thief", create_with_its_name, page);

		EXPECT(thief != NULL);
		EXPECT(thread_join(thief) == THREAD_END_INTRUDED);
	}
	EXPECT_EQUAL(exclusive_release(page), 0);
	first = thread_create("first", test_exclusive_do_nothing, NULL);
	second = thread_create("second", test_exclusive_do_nothing, NULL);
	if (first != NULL)
		(void)thread_join(first);
	EXPECT(second != NULL);
	(void)thread_join(second);
	return NULL;
}

static void take_no_interrupt(int irq __unused, void *dev_id __unused)
{
}

static void request_by_its_name(void *data)
{
	/* It does not come back. */
	kassert(request_irq(RTC_IRQ, take_no_interrupt, data, data) == 0);
}

CASE(exclusive, an_intruder_that_names_a_line_takes_no_line_along)
{
	uint8_t *page = TAKE();
	struct thread *thief;
	int id;

	EXPECT(page != NULL);
	memset(page, 'n', 8);
	thief = thread_create("thief", request_by_its_name, page);
	EXPECT(thief != NULL);
	EXPECT(thread_join(thief) == THREAD_END_INTRUDED);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(request_irq(RTC_IRQ, take_no_interrupt, "rtc", &id), 0);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &id), 0);
	return NULL;
}

struct touch_errand {
	void *page;
	const struct owner *owner;
	const struct owner *intruder;
	const char *sentence;
	bool ran;
};

static void touch_both_ways(void *data)
{
	struct touch_errand *errand = data;

	errand->ran = true;
	errand->sentence = expect_exclusive_fault(
		errand->page, false, errand->owner, errand->intruder);
	if (errand->sentence == NULL)
		errand->sentence = expect_exclusive_fault(
			errand->page, true, errand->owner, errand->intruder);
}

CASE(exclusive, interrupt_on_top_of_its_owner_faults)
{
	struct touch_errand errand = {
		.owner = current_owner(),
		.intruder = timer_owner(),
	};

	NEEDS_I8042();
	errand.page = TAKE();
	EXPECT(errand.page != NULL);
	memset(errand.page, 0x22, PAGE_SIZE);
	EXPECT(in_timer_interrupt(touch_both_ways, &errand));
	EXPECT(errand.sentence == NULL);
	errand.intruder = keyboard_owner();
	EXPECT(in_keyboard_interrupt(touch_both_ways, &errand));
	EXPECT(errand.sentence == NULL);
	EXPECT(is_filled(errand.page, 0x22));
	EXPECT_EQUAL(exclusive_release(errand.page), 0);
	return NULL;
}

/* ---- Lines --------------------------------------------------------------- */

struct line_errand {
	void *page;
	int error;
	struct touch_errand touch;
	bool intact;
};

static void line_takes(void *data)
{
	struct line_errand *errand = data;

	errand->page = TAKE();
	if (errand->page != NULL)
		memset(errand->page, 0x33, PAGE_SIZE);
	errand->touch.page = errand->page;
}

static void line_releases(void *data)
{
	struct line_errand *errand = data;

	errand->intact = is_filled(errand->page, 0x33);
	errand->error = exclusive_release(errand->page);
}

static void touch_inner(void *data)
{
	struct line_errand *errand = data;

	touch_both_ways(&errand->touch);
}

CASE(exclusive, keyboard_nested_in_timer_faults_on_the_timers_page)
{
	struct line_errand errand = { .touch = { .owner = timer_owner(),
		                                 .intruder =
		                                         keyboard_owner() } };

	NEEDS_I8042();
	EXPECT(keyboard_on_timer(line_takes, touch_inner, &errand));
	EXPECT(errand.page != NULL && errand.touch.ran);
	EXPECT(in_timer_interrupt(line_releases, &errand));
	EXPECT_EQUAL(errand.error, 0);
	EXPECT(errand.intact);
	return errand.touch.sentence;
}

CASE(exclusive, timer_nested_in_keyboard_faults_on_the_keyboards_page)
{
	struct line_errand errand = { .touch = { .owner = keyboard_owner(),
		                                 .intruder = timer_owner() } };

	NEEDS_I8042();
	EXPECT(timer_on_keyboard(line_takes, touch_inner, &errand));
	EXPECT(errand.page != NULL && errand.touch.ran);
	EXPECT(in_keyboard_interrupt(line_releases, &errand));
	EXPECT_EQUAL(errand.error, 0);
	EXPECT(errand.intact);
	return errand.touch.sentence;
}

CASE(exclusive, thread_faults_on_a_lines_page)
{
	struct line_errand errand = { 0 };
	const char *sentence;

	EXPECT(in_timer_interrupt(line_takes, &errand));
	EXPECT(errand.page != NULL);
	sentence = expect_exclusive_fault(errand.page, false, timer_owner(),
	                                  current_owner());
	EXPECT(in_timer_interrupt(line_releases, &errand));
	EXPECT_EQUAL(errand.error, 0);
	EXPECT(errand.intact);
	return sentence;
}

/* ---- Dead addresses ------------------------------------------------------ */

CASE(exclusive, address_dies_with_release)
{
	struct owner *me = current_owner();
	void *page = TAKE();

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return expect_exclusive_fault(page, false, me, me);
}

CASE(exclusive, address_is_not_reused_immediately)
{
	void *first = TAKE();
	void *second;

	EXPECT(first != NULL);
	EXPECT_EQUAL(exclusive_release(first), 0);
	second = TAKE();
	EXPECT(second != NULL && second != first);
	EXPECT_EQUAL(exclusive_release(second), 0);
	return NULL;
}

/* That is how the window of an owner is that was never begun, or has ended. */
CASE(exclusive, a_window_without_a_table_has_no_entry_to_look_at)
{
	const struct window none = { 0 };

	EXPECT_EQUAL(window_pass_empty(&none, 0), WINDOW_ENTRIES);
	EXPECT_EQUAL(window_frame(&none, 0), -1UL);
	EXPECT_EQUAL(window_noted(&none, 0), -1UL);
	return NULL;
}

CASE(exclusive, released_page_is_scrubbed_before_anybody_sees_it)
{
	uint8_t *page = TAKE();
	struct page *frame;
	bool clean;

	EXPECT(page != NULL);
	frame = exclusive_page(page);
	memset(page, 0x77, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_release(page), 0);
	/* The pool is last in, first out: the same frame comes back. */
	EXPECT(next_parked() == frame);
	page = TAKE();
	EXPECT(page != NULL && exclusive_page(page) == frame);
	clean = is_filled(page, 0);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(clean);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * The promises of exclusive pages, tested on the machine by touching.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/direct_map.h"
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/page_state.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(exclusive);

#define RTC_IRQ 8

#define TAKE()  labyrinth_void_alloc_page_gfp_atomic_exclusive()

static bool is_filled(const void *address, uint8_t byte)
{
	const uint8_t *bytes = address;

	for (unsigned long i = 0; i < PAGE_SIZE; i++) {
		if (bytes[i] != byte)
			return false;
	}
	return true;
}

static unsigned long test_exclusive_event(enum vmstat_event which)
{
	return vmstat_read(&main_node()->stat, which);
}

CASE(exclusive, gives_a_zeroed_page_in_the_owners_window)
{
	uint8_t *page = TAKE();
	struct owner *me = current_owner();

	EXPECT(page != NULL);
	EXPECT(is_filled(page, 0));
	EXPECT((uintptr_t)page - me->window.base < WINDOW_SLOTS * PAGE_SIZE);
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

CASE(exclusive, parked_page_faults_in_the_direct_map)
{
	struct node *node = main_node();
	struct page *page = list_first(&node->pool.parked, struct page, link);

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
	exclusive_shrink(node, node->pool.count - 1);
	enabled = arch_irq_save();
	exclusive_refill(node, node->pool.count + 1);
	page = list_first(&node->pool.parked, struct page, link);
	sentence = expect_exclusive_fault(
		phys_to_virt(page_to_pfn(page) << PAGE_SHIFT), false, NULL,
		current_owner());
	arch_irq_restore(enabled);
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

/* ---- Strangers ---------------------------------------------------------------- */

static void read_it(void *data)
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
	/* The backtrace: who called what touched it. */
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

/* More often than there are slots: none is lost.  With a single one left a thief
 * would still be made, and end at the same name in the refusal. */
CASE(exclusive, an_intruder_that_names_a_thread_takes_no_slot_along)
{
	uint8_t *page = TAKE();
	struct thread *first;
	struct thread *second;

	EXPECT(page != NULL);
	memset(page, 'n', 8);
	for (unsigned int i = 0; i < STACK_SLOTS + 6; i++) {
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

/* ---- Lines ------------------------------------------------------------------------ */

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

/* ---- Dead addresses ---------------------------------------------------------------- */

CASE(exclusive, address_dies_with_release)
{
	struct owner *me = current_owner();
	void *page = TAKE();

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return expect_exclusive_fault(page, false, me, me);
}

CASE(exclusive, address_is_not_used_again_at_once)
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

CASE(exclusive, released_page_is_scrubbed_before_anybody_sees_it)
{
	struct node *node = main_node();
	uint8_t *page = TAKE();
	struct page *frame;
	bool clean;

	EXPECT(page != NULL);
	frame = exclusive_page(page);
	memset(page, 0x77, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_release(page), 0);
	/* The pool is last in, first out: the same frame comes back. */
	EXPECT(list_first(&node->pool.parked, struct page, link) == frame);
	page = TAKE();
	EXPECT(page != NULL && exclusive_page(page) == frame);
	clean = is_filled(page, 0);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(clean);
	return NULL;
}

/* ---- Refusals ------------------------------------------------------------------------- */

CASE(exclusive, release_twice_is_refused)
{
	uint64_t mark = log_mark();
	void *page = TAKE();

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT(log_contains_since(mark, "released"));
	return NULL;
}

CASE(exclusive, release_of_no_exclusive_address_is_refused)
{
	char *page = TAKE();
	int local;

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_release(NULL), -EINVAL);
	EXPECT_EQUAL(exclusive_release(&local), -EINVAL);
	EXPECT_EQUAL(exclusive_release(page + 1), -EINVAL);
	EXPECT_EQUAL(exclusive_release(phys_to_virt(0x200000)), -EINVAL);
	EXPECT_EQUAL(exclusive_release((void *)0x123456789000UL), -EINVAL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

struct stranger {
	void *page;
	int release;
	int transfer;
	int cancel;
	uint64_t self;
};

static void stranger_calls(void *data)
{
	struct stranger *stranger = data;

	stranger->self = current_owner_id();
	stranger->release = exclusive_release(stranger->page);
	stranger->transfer = exclusive_transfer(stranger->page, stranger->self);
	stranger->cancel = exclusive_cancel(stranger->page);
}

CASE(exclusive, stranger_can_neither_release_nor_hand_over)
{
	struct stranger stranger = { .page = TAKE() };
	uint64_t mark = log_mark();
	struct thread *thread;

	EXPECT(stranger.page != NULL);
	memset(stranger.page, 0x44, PAGE_SIZE);
	thread = thread_create("stranger", stranger_calls, &stranger);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(stranger.release, -EPERM);
	EXPECT_EQUAL(stranger.transfer, -EPERM);
	EXPECT_EQUAL(stranger.cancel, -ENOENT);
	EXPECT(log_contains_since(mark, "stranger"));
	EXPECT(log_contains_since(mark, current_owner()->name));
	EXPECT(in_timer_interrupt(stranger_calls, &stranger));
	EXPECT_EQUAL(stranger.release, -EPERM);
	EXPECT_EQUAL(stranger.transfer, -EPERM);
	EXPECT(is_filled(stranger.page, 0x44));
	EXPECT_EQUAL(exclusive_release(stranger.page), 0);
	return NULL;
}

/* The last page of the stack region: its slot's thread would have to be made. */
#define SPARE_ADDRESS (STACK_BASE + STACK_SLOTS * STACK_SLOT_SIZE - PAGE_SIZE)

/* A leaked page of the main node goes back to the buddy. */
static void mend_bad_page(struct page *page)
{
	struct zone *zone = page_zone(main_node(), page);
	bool enabled = spin_lock_irqsave(&zone->lock);

	page_set_state(zone, page, PAGE_BAD, PAGE_LOOSE);
	buddy_give(zone, page, 0);
	spin_unlock_irqrestore(&zone->lock, enabled);
}

CASE(exclusive, a_page_freed_behind_its_mapping_stays_out_of_reach)
{
	struct node *node = main_node();
	volatile uint64_t *word = (volatile uint64_t *)SPARE_ADDRESS;
	uint64_t mark = log_mark();
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct page_columns columns;
	unsigned long bad;
	unsigned int taken = 0;
	void *address[64];
	bool seen = false;
	char said[200];

	EXPECT(page != NULL);
	EXPECT(node_check(node, &columns, false, said, sizeof(said)) == NULL);
	bad = columns.bad;
	EXPECT_EQUAL(map_kernel_page(SPARE_ADDRESS, page), 0);
	__free_page(page);
	put_page(page);
	EXPECT_EQUAL(log_count_since(mark, "Bad page state"), 1);
	while (taken < ARRAY_SIZE(address) &&
	       (address[taken] = TAKE()) != NULL) {
		memset(address[taken++], 0x5a, PAGE_SIZE);
		seen = seen || *word != 0;
		exclusive_refill(node, 4);
	}
	for (unsigned int i = 0; i < taken; i++)
		exclusive_release(address[i]);
	EXPECT(taken > 8);
	EXPECT(!seen);
	EXPECT_EQUAL(page_mapcount(page), 1);
	if (node_check(node, &columns, false, said, sizeof(said)) != NULL)
		return test_failure("%s", said);
	EXPECT_EQUAL(columns.bad, bad + 1);

	/* Had it not been counted, the check would have seen it. */
	page->mapcount = 0;
	EXPECT(exclusive_check(node, false, said, sizeof(said)) == said);
	page->mapcount = 1;
	unmap_kernel_page(SPARE_ADDRESS);
	EXPECT_EQUAL(page_mapcount(page), 0);
	mend_bad_page(page);
	return NULL;
}

CASE(exclusive, second_mapping_and_pinning_are_refused)
{
	void *address = TAKE();
	struct page *page;

	EXPECT(address != NULL);
	memset(address, 0x55, PAGE_SIZE);
	page = exclusive_page(address);
	EXPECT_EQUAL(pin_page(page), -EBUSY);
	EXPECT(!try_get_page(page));
	EXPECT_EQUAL(map_kernel_page(STACK_BASE +
	                                     STACK_SLOTS * STACK_SLOT_SIZE -
	                                     PAGE_SIZE,
	                             page),
	             -EBUSY);
	EXPECT(page_address(page) == NULL);
	EXPECT(virt_to_page(address) == NULL);
	EXPECT(virt_to_page(phys_to_virt(page_to_pfn(page) << PAGE_SHIFT)) ==
	       NULL);
	EXPECT(is_filled(address, 0x55));
	EXPECT_EQUAL(exclusive_release(address), 0);
	return NULL;
}

CASE(exclusive, free_pages_of_an_exclusive_page_is_refused)
{
	uint64_t mark = log_mark();
	void *address = TAKE();

	EXPECT(address != NULL);
	__free_page(exclusive_page(address));
	EXPECT(log_contains_since(mark, "exclusive"));
	EXPECT(exclusive_page(address) != NULL);
	EXPECT_EQUAL(exclusive_release(address), 0);
	return NULL;
}

CASE(exclusive, full_window_gives_null_and_counts)
{
	static void *page[WINDOW_SLOTS];
	struct node *node = main_node();
	unsigned long full = test_exclusive_event(VMSTAT_exclusive_window_full);
	unsigned int taken = 0;
	bool was_full = false;

	/* A machine that has no 512 frames to park cannot fill a window. */
	while (taken < WINDOW_SLOTS) {
		struct page *frame = alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE |
		                                __GFP_NORETRY | __GFP_NOWARN);

		if (frame == NULL)
			break;
		page[taken++] = exclusive_address(frame);
	}
	if (taken == WINDOW_SLOTS) {
		exclusive_refill(node, 4);
		was_full = TAKE() == NULL &&
		           test_exclusive_event(VMSTAT_exclusive_window_full) ==
		                   full + 1;
	}
	for (unsigned int i = 0; i < taken; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	exclusive_shrink(node, node->pool.high);
	EXPECT(taken < WINDOW_SLOTS || was_full);
	return NULL;
}

/* ---- Hand-over --------------------------------------------------------------------------- */

struct receiver {
	void *page;
	uint8_t first;
	int release;
	bool go;
	bool keep;
};

static void test_exclusive_receive(void *data)
{
	struct receiver *receiver = data;

	while (!READ_ONCE(receiver->go))
		thread_yield();
	if (receiver->keep)
		return;
	receiver->page = exclusive_accept();
	if (receiver->page == NULL)
		return;
	receiver->first = *(uint8_t *)receiver->page;
	receiver->release = exclusive_release(receiver->page);
}

CASE(exclusive, hand_over_moves_the_page_and_ends_the_senders_access)
{
	struct owner *me = current_owner();
	struct receiver receiver = { 0 };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();
	const char *sentence;

	EXPECT(thread != NULL && page != NULL);
	memset(page, 0x66, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), 0);
	sentence = expect_exclusive_fault(page, false, me, me);
	EXPECT_EQUAL(exclusive_release(page), -EBUSY);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), -EBUSY);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(thread)), 1);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(receiver.page != NULL && receiver.page != page);
	EXPECT_EQUAL(receiver.first, 0x66);
	EXPECT_EQUAL(receiver.release, 0);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	if (sentence == NULL)
		sentence = expect_exclusive_fault(page, false, me, me);
	return sentence;
}

CASE(exclusive, cancel_brings_the_page_back_to_its_address)
{
	struct receiver receiver = { 0 };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();

	EXPECT(thread != NULL && page != NULL);
	memset(page, 0x67, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), 0);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	EXPECT(is_filled(page, 0x67));
	EXPECT_EQUAL(exclusive_cancel(page), -ENOENT);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(receiver.page == NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

CASE(exclusive, hand_over_to_oneself_or_to_the_dead_is_refused)
{
	struct receiver receiver = { .go = true };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();

	EXPECT(thread != NULL && page != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(exclusive_transfer(page, current_owner_id()), -EINVAL);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), -ENXIO);
	*page = 1; /* still the caller's */
	EXPECT(exclusive_accept() == NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

/*
 * Thread a ends, and b is made in its place.  What was meant for a does not reach
 * b: a's number is nobody's for ever.
 */
CASE(exclusive, a_number_of_the_dead_is_refused_when_its_place_lives_again)
{
	struct receiver first = { .go = true };
	struct receiver second = { 0 };
	struct thread *a = thread_create("a", test_exclusive_receive, &first);
	uint8_t *page = TAKE();
	struct thread *b;
	uint64_t stale;
	int to_a_again;
	int to_b;

	EXPECT(a != NULL && page != NULL);
	stale = thread_owner_id(a);
	memset(page, 0x6a, PAGE_SIZE);
	EXPECT(thread_join(a) == THREAD_END_RETURNED);
	EXPECT_EQUAL(exclusive_transfer(page, stale), -ENXIO);
	b = thread_create("b", test_exclusive_receive, &second);
	EXPECT(b == a); /* the same place */
	to_a_again = exclusive_transfer(page, stale);
	EXPECT_EQUAL(exclusive_incoming(stale), 0);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(b)), 0);
	EXPECT(is_filled(page, 0x6a));
	to_b = exclusive_transfer(page, thread_owner_id(b));
	WRITE_ONCE(second.go, true);
	EXPECT(thread_join(b) == THREAD_END_RETURNED);
	EXPECT_EQUAL(to_a_again, -ENXIO);
	EXPECT_EQUAL(to_b, 0);
	EXPECT(first.page == NULL && second.page != NULL);
	EXPECT_EQUAL(second.first, 0x6a);
	EXPECT_EQUAL(second.release, 0);
	return NULL;
}

/* ---- The end of an owner ------------------------------------------------------------------ */

static void take_three_and_end(void *data)
{
	(void)data;
	for (int i = 0; i < 3; i++) {
		uint8_t *page = TAKE();

		if (page != NULL)
			memset(page, 0x88, PAGE_SIZE);
	}
}

CASE(exclusive, pages_of_a_dead_owner_are_scrubbed_and_parked)
{
	struct node *node = main_node();
	unsigned long taken = test_exclusive_event(VMSTAT_exclusive_take);
	struct thread *thread;
	void *page[3];
	bool clean = true;

	EXPECT(exclusive_refill(node, 3) < 4);
	thread = thread_create("mayfly", take_three_and_end, NULL);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(test_exclusive_event(VMSTAT_exclusive_take), taken + 3);
	for (int i = 0; i < 3; i++) {
		page[i] = TAKE();
		EXPECT(page[i] != NULL);
		clean = clean && is_filled(page[i], 0);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	EXPECT(clean);
	return NULL;
}

CASE(exclusive, page_on_its_way_to_a_dead_owner_goes_back)
{
	struct receiver receiver = { .keep = true };
	struct thread *thread =
		thread_create("receiver", test_exclusive_receive, &receiver);
	uint8_t *page = TAKE();

	EXPECT(thread != NULL && page != NULL);
	memset(page, 0x99, PAGE_SIZE);
	EXPECT_EQUAL(exclusive_transfer(page, thread_owner_id(thread)), 0);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT(is_filled(page, 0x99));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

static void send_and_end(void *data)
{
	const uint64_t *to = data;
	uint8_t *page = TAKE();

	if (page == NULL)
		return;
	memset(page, 0xaa, PAGE_SIZE);
	exclusive_transfer(page, *to);
}

CASE(exclusive, page_on_its_way_from_a_dead_owner_goes_on)
{
	uint64_t me = current_owner_id();
	struct thread *thread = thread_create("sender", send_and_end, &me);
	uint8_t *page;
	bool intact;

	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	page = exclusive_accept();
	EXPECT(page != NULL);
	intact = is_filled(page, 0xaa);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(intact);
	return NULL;
}

struct relay {
	struct thread *receiver;
};

static void relay_to_receiver(void *data)
{
	struct relay *relay = data;
	uint8_t *page = TAKE();

	if (page != NULL)
		exclusive_transfer(page, thread_owner_id(relay->receiver));
}

CASE(exclusive, page_between_two_dead_owners_is_parked)
{
	struct receiver receiver = { .keep = true };
	struct relay relay = { .receiver = thread_create("receiver",
		                                         test_exclusive_receive,
		                                         &receiver) };
	struct thread *sender;

	EXPECT(relay.receiver != NULL);
	sender = thread_create("sender", relay_to_receiver, &relay);
	EXPECT(sender != NULL);
	EXPECT(thread_join(sender) == THREAD_END_RETURNED);
	EXPECT_EQUAL(exclusive_incoming(thread_owner_id(relay.receiver)), 1);
	WRITE_ONCE(receiver.go, true);
	EXPECT(thread_join(relay.receiver) == THREAD_END_RETURNED);
	return NULL; /* the balance around the case proves the rest */
}

/* ---- The end of a line: the clock's periodic interrupt, line 8 ---------------- */

#define RTC_INDEX    0x70
#define RTC_DATA     0x71
#define RTC_B        0x0b
#define RTC_C        0x0c /* reading it takes the interrupt back */
#define RTC_PERIODIC 0x40

static uint8_t rtc_read(uint8_t reg)
{
	outb(reg, RTC_INDEX);
	return inb(RTC_DATA);
}

static void rtc_set_periodic(bool on)
{
	bool enabled = arch_irq_save();
	uint8_t b = rtc_read(RTC_B);

	b = on ? b | RTC_PERIODIC : b & (uint8_t)~RTC_PERIODIC;
	outb(RTC_B, RTC_INDEX);
	outb(b, RTC_DATA);
	rtc_read(RTC_C);
	arch_irq_restore(enabled);
}

struct rtc_errand {
	uint64_t receiver;
	bool taken;
	int transfer;
	bool done;
};

/* Keeps one page and hands another over. */
static void rtc_interrupt(int irq, void *dev_id)
{
	struct rtc_errand *errand = dev_id;
	uint8_t *kept;
	uint8_t *sent;

	(void)irq;
	rtc_read(RTC_C);
	if (errand->done)
		return;
	kept = TAKE();
	sent = TAKE();
	errand->taken = kept != NULL && sent != NULL;
	if (errand->taken) {
		memset(kept, 0xcc, PAGE_SIZE);
		memset(sent, 0xdd, PAGE_SIZE);
		errand->transfer = exclusive_transfer(sent, errand->receiver);
	}
	WRITE_ONCE(errand->done, true);
}

CASE(exclusive, freed_lines_pages_are_parked_and_its_hand_over_goes_on)
{
	struct rtc_errand errand = { .receiver = current_owner_id() };
	uint64_t limit = clock_microseconds() + 2000000;
	unsigned long taken = test_exclusive_event(VMSTAT_exclusive_take);
	uint8_t *page;
	bool intact;

	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	rtc_set_periodic(true);
	while (!READ_ONCE(errand.done) && clock_microseconds() < limit)
		thread_yield();
	rtc_set_periodic(false);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT(errand.done && errand.taken);
	EXPECT_EQUAL(errand.transfer, 0);
	EXPECT_EQUAL(test_exclusive_event(VMSTAT_exclusive_take), taken + 2);
	page = exclusive_accept();
	EXPECT(page != NULL);
	intact = is_filled(page, 0xdd);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT(intact);
	return NULL;
}

CASE(exclusive, page_on_its_way_to_a_freed_line_goes_back)
{
	struct rtc_errand errand = { .done = true };
	uint8_t *page = TAKE();

	EXPECT(page != NULL);
	memset(page, 0xde, PAGE_SIZE);
	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	EXPECT_EQUAL(exclusive_transfer(page, irq_owner_id(RTC_IRQ, &errand)),
	             0);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT(is_filled(page, 0xde));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

CASE(exclusive, a_number_of_a_freed_line_is_refused_when_it_is_registered_again)
{
	struct rtc_errand errand = { .done = true };
	uint8_t *page = TAKE();
	uint64_t stale;
	int again;

	EXPECT(page != NULL);
	memset(page, 0xdf, PAGE_SIZE);
	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	stale = irq_owner_id(RTC_IRQ, &errand);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT_EQUAL(exclusive_transfer(page, stale), -ENXIO);
	EXPECT_EQUAL(request_irq(RTC_IRQ, rtc_interrupt, "rtc", &errand), 0);
	again = exclusive_transfer(page, stale);
	EXPECT_EQUAL(exclusive_transfer(page, irq_owner_id(RTC_IRQ, &errand)),
	             0);
	EXPECT_EQUAL(exclusive_cancel(page), 0);
	EXPECT_EQUAL(free_irq(RTC_IRQ, &errand), 0);
	EXPECT_EQUAL(again, -ENXIO);
	EXPECT(is_filled(page, 0xdf));
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

CASE(exclusive, a_number_that_nobody_ever_had_is_refused)
{
	uint8_t *page = TAKE();

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_transfer(page, 0), -ENXIO);
	EXPECT_EQUAL(exclusive_transfer(page, UINT64_MAX), -ENXIO);
	/* The lower half of a number is no name. */
	EXPECT_EQUAL(exclusive_transfer(page, timer_owner()->id | 1ULL << 32),
	             -ENXIO);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

static void intrude_while_owning(void *data)
{
	uint8_t *mine = TAKE();

	if (mine != NULL)
		memset(mine, 0xbb, PAGE_SIZE);
	read_it(data);
}

CASE(exclusive, pages_of_an_ended_intruder_are_scrubbed_and_parked)
{
	void *page = TAKE();
	struct thread *thread;

	EXPECT(page != NULL);
	thread = thread_create("thief", intrude_while_owning, page);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_INTRUDED);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

/* ---- Contradictions ------------------------------------------------------------------------ */

CASE(exclusive, contradictions_are_refused_by_name)
{
	static const gfp_t bad[] = {
		__GFP_MOVABLE,  __GFP_RECLAIMABLE, __GFP_COMP,
		__GFP_DMA,      __GFP_DMA32,       __GFP_HIGHMEM,
		__GFP_MEMALLOC, __GFP_NOMEMALLOC,
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t mark = log_mark();

		EXPECT(alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE | bad[i]) ==
		       NULL);
		EXPECT(log_contains_since(mark, "__GFP_EXCLUSIVE"));
	}
	EXPECT(alloc_pages(GFP_ATOMIC | __GFP_EXCLUSIVE, 1) == NULL);
	return NULL;
}

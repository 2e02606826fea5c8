/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_step.c -- the paths of the allocator, with an interrupt at every
 * instruction: tests/kernel/path_walk.c walks along them.
 */
#include "kernel/core/lock.h"
#include "kernel/core/lock_order.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/path_walk.h"
#include "tests/suite.h"

SUITE(step);

#define DRAINED (GFP_ATOMIC | __GFP_NOWARN)

static struct drained drained;

static void prepare_nothing(void)
{
}

static void finish_nothing(void)
{
}

static void finish_plain(void)
{
	__free_page(walked.page);
}

static void finish_exclusive(void)
{
	exclusive_release(walked.address);
}

static const char *check_nothing(void)
{
	return NULL;
}

static const char *check_done(void)
{
	return walked.done != 0 ? NULL : "the path did nothing";
}

static const char *check_error(void)
{
	return walked.done == 0 ? path_walk_check_nothing_owned()
	                        : "the call was refused";
}

static void run_alloc_kernel(void *data)
{
	(void)data;
	walked.page = alloc_page(GFP_KERNEL);
}

static void run_alloc_atomic(void *data)
{
	(void)data;
	walked.page = alloc_page(GFP_ATOMIC);
}

/* One page is left to GFP_ATOMIC; what is above it is linked to `drained`. */
static void prepare_last_page(void)
{
	struct page *last;

	drained_init(&drained);
	drain(&drained, DRAINED);
	last = list_first(&drained.pages, struct page, link);
	list_remove(&last->link);
	__free_page(last);
}

static void run_alloc_quiet(void *data)
{
	(void)data;
	walked.page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);
}

/* Somebody got the page, and nobody else. */
static const char *check_last_page(void)
{
	if (walk_line.got + (walked.page != NULL) != 1)
		return test_failure("the last page: %u times to the line, %u "
		                    "to the thread",
		                    walk_line.got, walked.page != NULL);
	return walked.page == NULL ? NULL : path_walk_check_plain();
}

static void finish_last_page(void)
{
	if (walked.page != NULL)
		__free_page(walked.page);
	drained_free(&drained);
}

/* Nothing is left to GFP_ATOMIC. */
static void prepare_drained(void)
{
	drained_init(&drained);
	drain(&drained, DRAINED);
}

static const char *check_no_page(void)
{
	if (walked.page != NULL || walk_line.got != 0)
		return test_failure("of no page, %u came to the line, %u to "
		                    "the thread",
		                    walk_line.got, walked.page != NULL);
	return NULL;
}

static void test_step_prepare_page(void)
{
	walked.page = alloc_page(GFP_KERNEL);
}

static void test_step_run_free(void *data)
{
	(void)data;
	__free_pages(walked.page, 0);
}

static void test_step_run_refill(void *data)
{
	(void)data;
	walked.done = exclusive_refill(main_node(), WALK_PARKED + 1);
}

static void prepare_empty(void)
{
	exclusive_shrink(main_node(), 0);
}

/* No page is free for GFP_ATOMIC, and none is parked. */
static void prepare_nothing_left(void)
{
	prepare_empty();
	prepare_drained();
}

static const char *check_not_done(void)
{
	if (walked.done != 0)
		return test_failure("%lu frames were parked, of none",
		                    walked.done);
	return check_no_page();
}

static void run_refill_one(void *data)
{
	(void)data;
	walked.done = exclusive_refill(main_node(), 1);
}

static void run_shrink(void *data)
{
	(void)data;
	walked.done = exclusive_shrink(main_node(), WALK_PARKED - 1);
}

static void prepare_one(void)
{
	exclusive_shrink(main_node(), 1);
}

static void run_shrink_last(void *data)
{
	(void)data;
	exclusive_shrink(main_node(), 0);
}

static void run_take(void *data)
{
	(void)data;
	walked.address = labyrinth_void_alloc_page_gfp_atomic_exclusive();
}

/* This CPU has frames at hand: the next PAGES takes need no other. */
static void prepare_at_hand(unsigned int pages)
{
	struct exclusive_stack *stack = &main_node()->pool.stack[arch_cpu_id()];
	void *page[EXCLUSIVE_STACK + 1];

	for (unsigned int i = 0; i < pages; i++)
		page[i] = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	for (unsigned int i = 0; i < pages; i++)
		exclusive_release(page[i]);
	kassert(stack->count >= pages);
}

static void prepare_one_at_hand(void)
{
	prepare_at_hand(1);
}

/* Nothing is parked, and the refiller has been woken. */
static void prepare_told(void)
{
	prepare_empty();
	main_node()->pool.wake_pending = true;
}

/* Without the report, which is as long as the machine's memory is large. */
static void run_take_quiet(void *data)
{
	(void)data;
	walked.page = alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE | __GFP_NOWARN);
}

static const char *check_no_address(void)
{
	if (walked.page != NULL || walked.address != NULL)
		return "the thread was given a page where there is none";
	return path_walk_check_nothing_owned();
}

static void prepare_exclusive(void)
{
	walked.address = labyrinth_void_alloc_page_gfp_atomic_exclusive();
}

/* The stack is full, and the thread has a page.  (Frames move four at a time, so there must
 * be nine.) */
static void prepare_full_stack(void)
{
	exclusive_shrink(main_node(), EXCLUSIVE_STACK + 1);
	prepare_exclusive();
	prepare_at_hand(EXCLUSIVE_STACK);
}

/* One frame more than should stay. */
static void prepare_surplus(void)
{
	prepare_exclusive();
	main_node()->pool.top = WALK_PARKED - 1;
}

static void run_release(void *data)
{
	(void)data;
	walked.done = (unsigned long)exclusive_release(walked.address);
}

static void run_transfer(void *data)
{
	(void)data;
	walked.done =
		(unsigned long)exclusive_transfer(walked.address, walk_line.id);
}

static void prepare_sent(void)
{
	prepare_exclusive();
	exclusive_transfer(walked.address, walk_line.id);
}

static void run_cancel(void *data)
{
	(void)data;
	walked.done = (unsigned long)exclusive_cancel(walked.address);
}

static const char *check_cancelled(void)
{
	return walked.done == 0 ? path_walk_check_exclusive()
	                        : "the call was refused";
}

/* ---- Per-CPU lists ------------------------------------------------------- */

/* Of the private node; at most so many pages are on its list. */
static struct pcp_cpu step_lists;
#define STEP_FRACTION 8UL
#define STEP_LIST     16U

/* The node has no whole pageblock that a request could claim, and a page that is stolen
 * returns to the list of its pageblock's type.  So all of it becomes UNMOVABLE. */
static void test_step_make_unmovable(struct zone *zone)
{
	bool enabled = spin_lock_irqsave(&zone->lock);

	for (unsigned long i = 0; i < zone->spanned; i++) {
		if (zone->pages[i].state == PAGE_FREE)
			buddy_change_list(zone, &zone->pages[i],
			                  MIGRATE_UNMOVABLE);
	}
	for (unsigned long i = 0; i < pageblock_count(zone); i++)
		zone->blocks[i].type = MIGRATE_UNMOVABLE;
	spin_unlock_irqrestore(&zone->lock, enabled);
}

static void prepare_lists(void)
{
	pcp_start(main_node(), &step_lists, 1);
	pcp_set_fraction(main_node(), STEP_FRACTION);
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		test_step_make_unmovable(&main_node()->zone[type]);
}

/* A page is used; PAGES are on the list. */
static void prepare_list_of(unsigned int pages)
{
	struct page *page[STEP_LIST];

	prepare_lists();
	walked.page = alloc_page(GFP_KERNEL);
	for (unsigned int i = 0; i < pages; i++)
		page[i] = alloc_page(GFP_KERNEL);
	pcp_drain_node(main_node());
	for (unsigned int i = 0; i < pages; i++)
		__free_page(page[i]);
}

static void prepare_warm_list(void)
{
	prepare_list_of(2);
	__free_page(walked.page);
	walked.page = NULL;
}

static void prepare_page_and_list(void)
{
	prepare_list_of(2);
}

static void prepare_page_and_full_list(void)
{
	prepare_list_of(STEP_LIST);
}

static void run_drain(void *data)
{
	(void)data;
	pcp_drain_node(main_node());
}

static void finish_lists(void)
{
	if (walked.page != NULL && walked.page->state == PAGE_USED)
		__free_page(walked.page);
	pcp_set_fraction(main_node(), 0);
	pcp_stop(main_node());
}

static void finish_freed(void)
{
	walked.page = NULL;
	finish_lists();
}

/*
 * A lock that no handler takes, with interrupts on; the handler takes others.
 */
static struct spinlock own_lock = SPINLOCK_INIT("step");
static const char *innermost;

static void see_innermost(void)
{
	struct held_lock held = { 0 };

	lock_order_held(NULL, &held, 1);
	innermost = held.name;
}

static void run_lock(void *data)
{
	(void)data;
	spin_lock(&own_lock);
	see_innermost();
	spin_unlock(&own_lock);
}

/* The first time, the lock's class is learnt. */
static void prepare_lock(void)
{
	run_lock(NULL);
}

static const char *check_innermost(void)
{
	if (innermost == NULL || strcmp(innermost, own_lock.name) != 0)
		return test_failure("%s is held instead",
		                    innermost == NULL ? "nothing" : innermost);
	see_innermost();
	return innermost == NULL ? NULL : "something is still held";
}

static void prepare_incoming(void)
{
	path_walk_raise(ERRAND_SEND);
	walk_line.interrupts = 0;
}

static void run_accept(void *data)
{
	(void)data;
	walked.address = exclusive_accept();
}

#define CASE_OF_PATH(suite, name, ...)                                         \
	CASE(suite, name)                                                      \
	{                                                                      \
		static const struct walk_path path = { __VA_ARGS__, NULL };    \
                                                                               \
		return path_walk_try(&path);                                   \
	}

CASE_OF_PATH(step, alloc_page_gfp_kernel_with_an_interrupt_at_each_instruction,
             "alloc_page_gfp_kernel", prepare_nothing, run_alloc_kernel,
             path_walk_check_plain, finish_plain, ERRAND_TAKE)
CASE_OF_PATH(step, alloc_page_gfp_atomic_with_an_interrupt_at_each_instruction,
             "alloc_page_gfp_atomic", prepare_nothing, run_alloc_atomic,
             path_walk_check_plain, finish_plain, ERRAND_TAKE)
CASE_OF_PATH(step,
             alloc_page_of_the_last_page_with_an_interrupt_at_each_instruction,
             "alloc_page_of_the_last_page", prepare_last_page, run_alloc_quiet,
             check_last_page, finish_last_page, ERRAND_TAKE)
CASE_OF_PATH(step,
             alloc_page_of_an_empty_zone_with_an_interrupt_at_each_instruction,
             "alloc_page_of_an_empty_zone", prepare_drained, run_alloc_quiet,
             check_no_page, finish_last_page, ERRAND_TAKE)
CASE_OF_PATH(step, free_pages_with_an_interrupt_at_each_instruction,
             "free_pages", test_step_prepare_page, test_step_run_free,
             check_nothing, finish_nothing, ERRAND_TAKE)
CASE_OF_PATH(step, pcp_take_with_an_interrupt_at_each_instruction, "pcp_take",
             prepare_warm_list, run_alloc_atomic, path_walk_check_plain,
             finish_lists, ERRAND_TAKE)
CASE_OF_PATH(step, pcp_refill_with_an_interrupt_at_each_instruction,
             "pcp_refill", prepare_lists, run_alloc_kernel,
             path_walk_check_plain, finish_lists, ERRAND_TAKE)
CASE_OF_PATH(step, pcp_free_with_an_interrupt_at_each_instruction, "pcp_free",
             prepare_page_and_list, test_step_run_free, check_nothing,
             finish_freed, ERRAND_TAKE)
CASE_OF_PATH(step,
             pcp_free_to_a_full_list_with_an_interrupt_at_each_instruction,
             "pcp_free_full", prepare_page_and_full_list, test_step_run_free,
             check_nothing, finish_freed, ERRAND_TAKE)
CASE_OF_PATH(step, pcp_drain_with_an_interrupt_at_each_instruction, "pcp_drain",
             prepare_warm_list, run_drain, check_nothing, finish_freed,
             ERRAND_TAKE)
CASE_OF_PATH(step, refill_with_an_interrupt_at_each_instruction, "refill",
             prepare_nothing, test_step_run_refill, check_done, finish_nothing,
             ERRAND_TAKE)
CASE_OF_PATH(step,
             refill_of_an_empty_pool_with_an_interrupt_at_each_instruction,
             "refill_of_an_empty_pool", prepare_empty, run_refill_one,
             check_done, finish_nothing, ERRAND_TAKE)
CASE_OF_PATH(step,
             refill_without_a_free_page_with_an_interrupt_at_each_instruction,
             "refill_without_a_free_page", prepare_nothing_left, run_refill_one,
             check_not_done, finish_last_page, ERRAND_TAKE)
CASE_OF_PATH(step, shrink_with_an_interrupt_at_each_instruction, "shrink",
             prepare_nothing, run_shrink, check_nothing, finish_nothing,
             ERRAND_TAKE)
CASE_OF_PATH(step,
             shrink_of_the_last_page_with_an_interrupt_at_each_instruction,
             "shrink_of_the_last_page", prepare_one, run_shrink_last,
             check_nothing, finish_nothing, ERRAND_TAKE)
CASE_OF_PATH(step, take_with_an_interrupt_at_each_instruction, "take",
             prepare_nothing, run_take, path_walk_check_exclusive,
             finish_exclusive, ERRAND_TAKE)
CASE_OF_PATH(step, take_at_hand_with_an_interrupt_at_each_instruction,
             "take_at_hand", prepare_one_at_hand, run_take,
             path_walk_check_exclusive, finish_exclusive, ERRAND_TAKE)
CASE_OF_PATH(step,
             take_from_an_empty_pool_with_an_interrupt_at_each_instruction,
             "take_from_an_empty_pool", prepare_told, run_take_quiet,
             check_no_address, finish_nothing, ERRAND_TAKE)
CASE_OF_PATH(step, release_with_an_interrupt_at_each_instruction, "release",
             prepare_exclusive, run_release, check_error, finish_nothing,
             ERRAND_TAKE)
CASE_OF_PATH(step,
             release_to_a_full_stack_with_an_interrupt_at_each_instruction,
             "release_to_a_full_stack", prepare_full_stack, run_release,
             check_error, finish_nothing, ERRAND_TAKE)
CASE_OF_PATH(step, release_of_a_surplus_with_an_interrupt_at_each_instruction,
             "release_of_a_surplus", prepare_surplus, run_release, check_error,
             finish_nothing, ERRAND_TAKE)
CASE_OF_PATH(step, transfer_with_an_interrupt_at_each_instruction, "transfer",
             prepare_exclusive, run_transfer, check_error, finish_nothing,
             ERRAND_TAKE_AND_ACCEPT)
CASE_OF_PATH(step, accept_with_an_interrupt_at_each_instruction, "accept",
             prepare_incoming, run_accept, path_walk_check_exclusive,
             finish_exclusive, ERRAND_TAKE)
CASE_OF_PATH(step, accept_of_nothing_with_an_interrupt_at_each_instruction,
             "accept_of_nothing", prepare_nothing, run_accept, check_no_address,
             finish_nothing, ERRAND_TAKE)
CASE_OF_PATH(step, cancel_with_an_interrupt_at_each_instruction, "cancel",
             prepare_sent, run_cancel, check_cancelled, finish_exclusive,
             ERRAND_TAKE)
CASE_OF_PATH(step, held_locks_are_right_with_an_interrupt_at_each_instruction,
             "spin_lock", prepare_lock, run_lock, check_innermost,
             finish_nothing, ERRAND_TAKE)

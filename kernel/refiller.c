/* SPDX-License-Identifier: MIT */
/*
 * kernel/refiller.c -- the thread that keeps the parked pool full.
 *
 *	interrupt: pool below low, or empty -> wake() -> this thread
 *	this thread: exclusive_balance(): fill up, or shrink, to the high mark
 *
 * Under memory pressure reclaim asks for frames that are parked above the low
 * mark (a shrinker).  They are given back in the thread that reclaims: by what
 * the refiller calls to give some back, and one of the two at a time.
 *
 * mm/ says when there is work (exclusive_wants_balance()) and does it
 * (exclusive_balance()); this file only supplies the thread, which mm/ never
 * creates by itself.
 */
#include "kernel/refiller.h"

#include "kernel/core/panic.h"
#include "kernel/thread.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/shrinker.h"

static struct wait_queue refiller_queue = WAIT_QUEUE_INIT(refiller_queue);
static bool paused;
static unsigned int balancing; /* atomic: threads at it */

static void wake_up_refiller(void)
{
	wake_up(&refiller_queue);
}

static bool has_work(void *node)
{
	return !READ_ONCE(paused) && exclusive_wants_balance(node);
}

static void begin_balancing(void)
{
	__atomic_fetch_add(&balancing, 1, __ATOMIC_ACQ_REL);
}

static void end_balancing(void)
{
	__atomic_fetch_sub(&balancing, 1, __ATOMIC_ACQ_REL);
}

/* ---- Under pressure ------------------------------------------------------ */

static unsigned long count_parked(struct shrinker *shrinker __unused,
                                  gfp_t mask __unused)
{
	struct node *node = main_node();

	return READ_ONCE(paused) ? 0 : exclusive_spare(node, node->pool.low);
}

static unsigned long scan_parked(struct shrinker *shrinker, gfp_t mask,
                                 unsigned long nr)
{
	struct node *node = main_node();
	unsigned long spare = count_parked(shrinker, mask);
	unsigned long given;

	begin_balancing();
	given = exclusive_trim(node, node->pool.low + spare - min(spare, nr));
	end_balancing();
	mm_account_reclaimed_pages(given);
	return given > 0 ? given : SHRINK_STOP;
}

static struct shrinker parked_shrinker = {
	.name = "parked frames",
	.count_objects = count_parked,
	.scan_objects = scan_parked,
	.seeks = DEFAULT_SEEKS,
};

/* ---- The thread ---------------------------------------------------------- */

static void refiller_run(void *node)
{
	thread_set_flags(current_thread(), THREAD_SERVICE);
	for (;;) {
		wait_event(&refiller_queue, has_work, node);
		begin_balancing();
		exclusive_balance(node);
		end_balancing();
	}
}

void refiller_start(void)
{
	struct node *node = main_node();

	exclusive_balance(node);
	node->pool.wake = wake_up_refiller;
	if (thread_create("refiller", refiller_run, node) == NULL)
		panic("the refiller cannot be started");
	register_shrinker(&parked_shrinker);
}

void refiller_pause(bool on)
{
	WRITE_ONCE(paused, on);
	if (!on)
		wake_up_refiller();
}

void refiller_settle(void)
{
	/* While it works there may seem to be nothing left to do. */
	while (has_work(main_node()) || READ_ONCE(balancing) > 0)
		thread_yield();
}

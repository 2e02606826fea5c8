/* SPDX-License-Identifier: MIT */
/*
 * kernel/refiller.c -- the thread that keeps the parked pool full.
 *
 *	interrupt: pool below low, or empty -> wake() -> this thread
 *	this thread: exclusive_balance(): fill up, or shrink, to the high mark
 *
 * mm/ says when there is work (exclusive_wants_balance()) and does it
 * (exclusive_balance()); this file only supplies the thread, which mm/ never
 * creates by itself.
 */
#include "kernel/refiller.h"

#include "kernel/core/panic.h"
#include "kernel/thread.h"
#include "mm/exclusive.h"
#include "mm/page_alloc.h"

static struct wait_queue refiller_queue = WAIT_QUEUE_INIT(refiller_queue);
static bool paused;
static bool balancing;
static unsigned long runs;

static void wake_up_refiller(void)
{
	wake_up(&refiller_queue);
}

static bool has_work(void *node)
{
	return !READ_ONCE(paused) && exclusive_wants_balance(node);
}

static void refiller_run(void *node)
{
	for (;;) {
		wait_event(&refiller_queue, has_work, node);
		WRITE_ONCE(balancing, true);
		exclusive_balance(node);
		WRITE_ONCE(balancing, false);
		runs++;
	}
}

void refiller_start(void)
{
	struct node *node = page_alloc_node();

	exclusive_balance(node);
	node->pool.wake = wake_up_refiller;
	if (thread_create("refiller", refiller_run, node) == NULL)
		panic("the refiller cannot be started");
}

void refiller_pause(bool on)
{
	WRITE_ONCE(paused, on);
	if (!on)
		wake_up_refiller();
}

unsigned long refiller_runs(void)
{
	return READ_ONCE(runs);
}

void refiller_settle(void)
{
	/* While it works there may seem to be nothing left to do. */
	while (has_work(page_alloc_node()) || READ_ONCE(balancing))
		thread_yield();
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_recovery.c -- what a request waits for, on the host.
 *
 * There is one thread at a time, so whatever others would do while it sleeps is
 * a hook's business.  Nothing is left to chance: the hook is called once for
 * each sleep, and the clock moves by what was slept.
 */
#include "kernel/core/watchdog.h"
#include "tests/host/machine.h"

static struct {
	bool (*hook)(void);
	unsigned long sleeps;
	unsigned long yields;
	unsigned int idle; /* sleeps in a row in which nobody did anything */
} rest;

void host_recovery_start(void)
{
	rest.hook = NULL;
	rest.sleeps = 0;
	rest.yields = 0;
	rest.idle = 0;
}

void machine_set_sleep_hook(bool (*hook)(void))
{
	rest.hook = hook;
}

unsigned long machine_sleeps(void)
{
	return rest.sleeps;
}

unsigned long machine_yields(void)
{
	return rest.yields;
}

static void let_others_work(const char *what)
{
	if (!may_sleep_here())
		panic("%s %s where it cannot sleep", context_name(), what);
	if (rest.hook != NULL && rest.hook()) {
		rest.idle = 0;
		return;
	}
	if (++rest.idle > MACHINE_PATIENCE)
		panic("everybody sleeps: %s %s for the %uth time and nobody "
		      "does anything",
		      context_name(), what, rest.idle);
}

void thread_yield(void)
{
	rest.yields++;
	let_others_work("yields");
}

void thread_sleep(uint64_t microseconds)
{
	rest.sleeps++;
	machine_advance(max(microseconds, (uint64_t)MACHINE_TICK));
	let_others_work("sleeps");
}

void memory_wait_begin(void)
{
	struct thread *self = current_thread();

	if (self->memory_wait != 0)
		panic("%s waits for memory while it waits for memory",
		      context_name());
	self->memory_wait = host_now() + 1;
}

void memory_wait_end(void)
{
	struct thread *self = current_thread();

	if (self->memory_wait == 0)
		panic("%s has not waited for memory", context_name());
	self->memory_wait = 0;
}

void machine_set_reclaim_hook(
	struct node *node,
	unsigned long (*reclaim)(struct node *node,
                                 const struct alloc_request *request),
	unsigned long (*reclaimable)(struct node *node, struct zone *zone))
{
	node->recovery.reclaim = reclaim;
	node->recovery.reclaimable = reclaimable;
}

void machine_set_compact_hook(
	struct node *node,
	enum compact_result (*hook)(struct node *node,
                                    const struct alloc_request *request,
                                    enum compact_priority priority))
{
	node->recovery.compact = hook;
}

void machine_set_oom_hook(struct node *node,
                          bool (*hook)(struct node *node,
                                       const struct alloc_request *request))
{
	node->recovery.oom = hook;
}

void machine_set_throttle_hook(
	struct node *node,
	void (*hook)(struct node *node, const struct alloc_request *request))
{
	node->recovery.throttle = hook;
}

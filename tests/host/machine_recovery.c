/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_recovery.c -- what a request that may wait finds on its
 * rungs, on the host: the hooks of the test.  And the watchdog's view of it,
 * stricter than the watchdog.
 */
#include "kernel/core/watchdog.h"
#include "tests/host/machine.h"

/* Nobody sleeps here but in a script. */
void thread_kill(struct thread *thread)
{
	thread_set_flags(thread, THREAD_KILLED);
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
                                    enum compact_priority priority,
                                    struct page **page))
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

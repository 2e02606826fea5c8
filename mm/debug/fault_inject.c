/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/fault_inject.c -- allocations that fail on request.
 *
 * Error paths of allocations hardly ever run, and so are hardly ever correct.  This
 * file makes them run: a legal request gets NULL before anything has happened.
 *
 * The place is Linux's: after the checks of the mask, before the first pass
 * (mm/page_alloc.c, prepare_alloc_pages()).  The order of the conditions makes runs
 * predictable and is also Linux's (lib/fault-inject.c, should_fail_ex();
 * mm/fail_page_alloc.c).  Three differences: fail_nth counts
 * every request of the thread from the required place, also those that min_order and
 * the ignore flags spare; the probability comes from a seed; and a place is a function, a file
 * or a line (kernel/core/code_place.h), not two addresses.
 *
 * Locking: none.  Shared fields change atomically; two simultaneous requests may both
 * pass a limit that one of them used up, as in Linux.
 */
#include "mm/debug/fault_inject.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/random.h"
#include "mm/node.h"
#include "mm/pcp.h"
#include "mm/task.h"

void fault_attr_init(struct fault_attr *attr)
{
	*attr = (struct fault_attr){
		.interval = 1,
		.times = 1,
		.verbose = 2,
		.min_order = 1,
		.max_order = MAX_ORDER,
		.stacktrace_depth = FAULT_DEPTH,
		.ignore_gfp_wait = true,
		.ignore_gfp_highmem = true,
	};
}

void failslab_attr_init(struct fault_attr *attr)
{
	fault_attr_init(attr);
	attr->min_order = 0;
}

/* ---- fail_nth ------------------------------------------------------------ */

unsigned int fail_nth_threads;

/* THREAD has NTH from now on. */
static void fail_nth_store(struct thread *thread, unsigned int nth)
{
	unsigned int before = __atomic_exchange_n(&thread->mm->fail_nth, nth,
	                                          __ATOMIC_RELAXED);

	if ((before != 0) == (nth != 0))
		return;
	kassert(nth != 0 || READ_ONCE(fail_nth_threads) > 0);
	__atomic_fetch_add(&fail_nth_threads, nth != 0 ? 1U : -1U,
	                   __ATOMIC_RELAXED);
	pcp_shortcut_update();
}

void fail_nth_set(struct thread *thread, unsigned int nth, bool forever)
{
	thread->mm->fail_forever = forever;
	thread->mm->fail_failed = 0;
	fail_nth_store(thread, nth);
}

unsigned int fail_nth_failed(const struct thread *thread)
{
	return READ_ONCE(thread->mm->fail_failed);
}

/* The running thread, if it is the one that asks: not in an interrupt. */
static struct thread *asking_thread(void)
{
	return in_interrupt() ? NULL : current_thread();
}

/* One more request of a thread with fail_nth: is it its turn? */
static bool nth_is_due(struct thread *thread)
{
	kassert(thread->mm->fail_nth > 0);
	if (thread->mm->fail_nth > 1) {
		thread->mm->fail_nth--;
		return false;
	}
	if (!thread->mm->fail_forever)
		fail_nth_store(thread, 0);
	thread->mm->fail_failed++;
	return true;
}

/* ---- fail_page_alloc ----------------------------------------------------- */

/* Take AMOUNT from the space if there is more than that: the request is
 * spared. */
static bool spend_space(struct fault_attr *attr, int amount)
{
	kassert(amount > 0);
	if (__atomic_load_n(&attr->space, __ATOMIC_RELAXED) <= amount)
		return false;
	__atomic_fetch_sub(&attr->space, amount, __ATOMIC_RELAXED);
	return true;
}

/* One failure less is left, unless any number is allowed, or none is left. */
static void use_up_times(struct fault_attr *attr)
{
	int seen = __atomic_load_n(&attr->times, __ATOMIC_RELAXED);

	while (seen > 0) {
		if (__atomic_compare_exchange_n(&attr->times, &seen, seen - 1,
		                                false, __ATOMIC_RELAXED,
		                                __ATOMIC_RELAXED))
			return;
	}
}

static bool spared_by_zone(const struct fault_attr *attr, gfp_t gfp)
{
	bool bad;

	return attr->zone != 0 && gfp_zone(gfp, &bad) != attr->zone - 1;
}

static bool spared_by_mask(const struct fault_attr *attr, gfp_t gfp,
                           unsigned int order)
{
	return order < attr->min_order || order > attr->max_order ||
	       spared_by_zone(attr, gfp) ||
	       (attr->ignore_gfp_highmem && gfp_is_highmem(gfp)) ||
	       (attr->ignore_gfp_wait && gfpflags_allow_blocking(gfp));
}

static bool spared_by_context(const struct fault_attr *attr)
{
	const struct thread *thread = asking_thread();

	if (attr->task_filter && (thread == NULL || !thread->mm->make_it_fail))
		return true;
	return attr->context != FAULT_CONTEXT_ANY &&
	       in_interrupt() != (attr->context == FAULT_CONTEXT_INTERRUPT);
}

/* Did the request come from a place that is spared, or from none that is required?  The calls
 * of an interrupt end where it began.  (Linux: fail_stacktrace().) */
static bool spared_by_place(const struct fault_attr *attr)
{
	bool found = !code_place_is_set(&attr->require);
	uintptr_t call[FAULT_DEPTH];
	unsigned int count;

	if (found && !code_place_is_set(&attr->reject))
		return false;
	kassert(attr->stacktrace_depth <= FAULT_DEPTH);
	count = backtrace_save(call, attr->stacktrace_depth);
	for (unsigned int i = 0; i < count; i++) {
		if (code_place_is_set(&attr->reject) &&
		    code_place_has(&attr->reject, call[i]))
			return true;
		found = found || code_place_has(&attr->require, call[i]);
	}
	return !found;
}

/* Number COUNT of the stream that the seed begins. */
static bool chance(const struct fault_attr *attr, uint64_t count)
{
	struct random random = { attr->seed + count };

	return random_below(&random, 100) < attr->probability;
}

static bool attr_is_due(struct fault_attr *attr, unsigned int order)
{
	uint64_t count;

	kassert(order <= MAX_ORDER);
	if (attr->probability == 0 || spared_by_context(attr))
		return false;
	if (READ_ONCE(attr->times) == 0 || spared_by_place(attr) ||
	    spend_space(attr, 1 << order))
		return false;
	count = __atomic_add_fetch(&attr->count, 1, __ATOMIC_RELAXED);
	if (attr->interval > 1 && count % attr->interval != 0)
		return false;
	if (!chance(attr, count))
		return false;
	use_up_times(attr);
	return true;
}

/* ---- The decision -------------------------------------------------------- */

static void fault_inject_report(const struct node *node,
                                const struct fault_attr *attr, gfp_t gfp,
                                unsigned int order)
{
	char names[160];

	kassert(!in_nmi());
	if (attr->verbose == 0 || gfp_is_silent(gfp))
		return;
	pr_notice("FAULT_INJECTION: forcing a failure of %s, order:%u, "
	          "mode:%#x(%s) by %s: interval %u, probability %u, space %d, "
	          "times %d\n",
	          attr == &node->failslab ? "failslab" : "fail_page_alloc",
	          order, gfp, gfp_format(names, sizeof(names), gfp),
	          context_name(), attr->interval, attr->probability,
	          attr->space, attr->times);
	if (attr->verbose > 1)
		backtrace_print(NULL);
}

static bool fault_inject_is_due(struct fault_attr *attr, gfp_t gfp,
                                unsigned int order)
{
	struct thread *thread = asking_thread();

	if (thread != NULL && thread->mm->fail_nth != 0)
		return !spared_by_place(attr) && nth_is_due(thread);
	return !spared_by_mask(attr, gfp, order) && attr_is_due(attr, order);
}

static bool fault_inject_should_fail(struct node *node, struct fault_attr *attr,
                                     gfp_t gfp, unsigned int order)
{
	kassert(order <= MAX_ORDER);
	if (gfp_is_nofail(gfp) || !fault_inject_is_due(attr, gfp, order))
		return false;
	vmstat_add(&node->stat, VMSTAT_fault_injected, 1);
	trace_fault_injected(&node->trace, order, gfp);
	fault_inject_report(node, attr, gfp, order);
	return true;
}

bool should_fail_alloc_page(struct node *node, gfp_t gfp, unsigned int order)
{
	return fault_inject_is_on(&node->fail_page_alloc) &&
	       fault_inject_should_fail(node, &node->fail_page_alloc, gfp,
	                                order);
}

bool should_failslab(struct node *node, gfp_t gfp)
{
	return fault_inject_is_on(&node->failslab) &&
	       fault_inject_should_fail(node, &node->failslab, gfp, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/fault_inject.h -- allocations that fail on request.
 *
 * Three ways, as in Linux (Documentation/fault-injection/fault-injection.rst):
 *
 *	fail_page_alloc	some requests of all callers, chosen by the attributes below
 *	failslab	the same for objects: mm/slab/slab.h
 *	fail_nth	the Nth request of one thread, or all from the Nth on
 *
 * The settings of fail_page_alloc and failslab belong to a node; those of fail_nth to a
 * thread (struct thread), and it fails on every node.
 */
#ifndef MM_DEBUG_FAULT_INJECT_H
#define MM_DEBUG_FAULT_INJECT_H

#include "kernel/core/code_place.h"
#include "lib/types.h"
#include "mm/gfp.h"

struct node;
struct thread;

/* Any number of failures. */
#define FAULT_TIMES_ALL (-1)

/* Who asks?  A thread, also one with interrupts off, or a handler on top of it. */
enum fault_context {
	FAULT_CONTEXT_ANY,
	FAULT_CONTEXT_THREAD,
	FAULT_CONTEXT_INTERRUPT,
};

/* As many calls are looked at for a place; Linux's MAX_STACK_TRACE_DEPTH. */
#define FAULT_DEPTH 32

/* Linux's attributes and defaults: fail_page_alloc in debugfs; context, zone and max_order
 * are ours.  May be changed at any time; a request that is under way may see one half
 * of a new place. */
struct fault_attr {
	unsigned int probability; /* percent; 0, the default: never */
	unsigned int interval;    /* at most each INTERVALth request; 1 */
	int times;                /* so many failures and no more; 1 */
	int space;                /* so many pages are spared first; 0 */
	unsigned int verbose;     /* 0 nothing, 1 a line, 2 and the stack; 2 */
	unsigned int min_order;   /* smaller requests are spared; 1 */
	unsigned int max_order;   /* larger ones, too; MAX_ORDER */
	unsigned int zone;    /* highest zone + 1; the others are spared; 0 */
	unsigned int context; /* enum fault_context: the others are spared */
	unsigned int stacktrace_depth; /* calls, at most FAULT_DEPTH; 32 */
	struct code_place require;     /* spare who does not come from there */
	struct code_place reject;      /* spare who does */
	bool task_filter;              /* only threads with make_it_fail */
	bool ignore_gfp_wait;          /* spare __GFP_DIRECT_RECLAIM; true */
	bool ignore_gfp_highmem;       /* spare __GFP_HIGHMEM; true */
	uint64_t count; /* atomic: requests that came to the interval */
	uint64_t seed;  /* of the probability; with count the same
	                           * requests fail again */
};

void fault_attr_init(struct fault_attr *attr);

/* The same for objects, which have no order: none is spared for it. */
void failslab_attr_init(struct fault_attr *attr);

/*
 * Shall the request fail?  Linux's name.  If so it is counted (fault_injected)
 * and traced, and logged unless the mask has __GFP_NOWARN.  __GFP_NOFAIL never
 * fails.  In this order:
 *
 *	fail_nth of the running thread: require, reject (then the rest is skipped)
 *	min_order, max_order, zone, __GFP_HIGHMEM, __GFP_DIRECT_RECLAIM
 *	probability 0; task filter, context; times; require, reject; space; interval;
 *	probability
 *
 * Any context but NMI, no lock held.
 */
bool should_fail_alloc_page(struct node *node, gfp_t gfp, unsigned int order);

/* The same for an object of the slab allocator, with the attributes failslab.  (The
 * page that it may need is another request.) */
bool should_failslab(struct node *node, gfp_t gfp);

/* Threads with fail_nth. */
extern unsigned int fail_nth_threads;

/* Could a request with ATTR fail?  While it could not nobody needs to ask. */
static inline bool fault_inject_is_on(const struct fault_attr *attr)
{
	return READ_ONCE(attr->probability) != 0 ||
	       READ_ONCE(fail_nth_threads) != 0;
}

/*
 * The Nth request of THREAD from now on fails, N >= 1; FOR_EVER: and all later ones.
 * 0: none.  Requests of interrupts on top of THREAD do not count.
 */
void fail_nth_set(struct thread *thread, unsigned int nth, bool forever);

/* How many requests of THREAD have failed since fail_nth_set(). */
unsigned int fail_nth_failed(const struct thread *thread);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/shortcut.c -- who closes the shortcut of alloc_page() and __free_page().
 *
 * The short way (mm/pcp_hot.h) asks nobody whether a request is to be traced or to fail.
 * It finds everything through one pointer in struct cpu, this_cpu_lists().  While somebody
 * wants to see each request, or there are no lists, that pointer leads to a struct pcp_cpu
 * that has none: no list has a block, no page is one of its pages, and all requests and
 * frees take the long way.  So a switch that is off costs nothing.  Linux patches its code
 * for that (static keys); a pointer that is changed is easier to follow.
 *
 * A request that has read the pointer already ends as it began: so does one that was a
 * moment earlier.
 *
 * Locking: shortcut_lock, around the decision and the store, so that the last one to turn
 * a switch is also the last one to store.
 */
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "mm/node.h"
#include "mm/pcp.h"

static struct spinlock shortcut_lock = SPINLOCK_INIT("page list shortcut");
static struct pcp_cpu shortcut_closed;

static bool pcp_shortcut_is_open(const struct node *node)
{
	return node != NULL && node->pcp_cpus > 0 &&
	       !page_debug_is_on(&node->debug) &&
	       READ_ONCE(node->trace.enabled) == 0 &&
	       !fault_inject_is_on(&node->fail_page_alloc) &&
	       !READ_ONCE(node->pool.starved);
}

/* A struct pcp_cpu that has nothing. */
static void shortcut_init_closed(struct pcp_cpu *closed)
{
	kassert(spin_is_mine(&shortcut_lock));
	pcp_init_lists(closed->none);
	for (gfp_t mask = 0; mask < PCP_HOT_MASKS; mask++) {
		WRITE_ONCE(closed->hot_set[mask], &closed->set[0]);
		WRITE_ONCE(closed->hot_list[mask], closed->none);
	}
	kassert(closed->page_count == 0);
}

/* The slab allocator has a word for that, which is read by each request. */
static void shortcut_update_slab(struct node *node)
{
	kassert(spin_is_mine(&shortcut_lock));
	if (fault_inject_is_on(&node->failslab))
		__atomic_fetch_or(&node->slab.detour, SLAB_DETOUR_FAIL,
		                  __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&node->slab.detour,
		                   ~(uint32_t)SLAB_DETOUR_FAIL,
		                   __ATOMIC_RELAXED);
}

void pcp_shortcut_update(void)
{
	struct node *node = main_node();
	bool enabled = spin_lock_irqsave(&shortcut_lock);
	bool open = pcp_shortcut_is_open(node);

	if (shortcut_closed.hot_list[0] == NULL)
		shortcut_init_closed(&shortcut_closed);
	kassert(!open || node->pcp[0] != NULL);
	if (node != NULL)
		shortcut_update_slab(node);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		cpu_set_lists(cpu, open && cpu < node->pcp_cpus
		                           ? node->pcp[cpu]
		                           : &shortcut_closed);
	spin_unlock_irqrestore(&shortcut_lock, enabled);
}

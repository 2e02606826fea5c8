/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_stack.c -- the parked frames that a CPU has at hand.
 *
 * Each CPU has a stack of parked frames.  Its owners take from the top and release to the
 * top, and no lock is taken for that: no other CPU touches the stack, and interrupts are
 * off for the few instructions that a step takes.
 *
 *	node's pool                       stack of a CPU              owner
 *	-----------                       --------------              -----
 *	           ---- fill: 4, when empty ---->        ---- take ---->
 *	parked,                            0..8 frames
 *	whole      <--- spill: 4, when full -----        <-- release ---
 *	           <--- drain: all ---------------
 *
 * A frame on a stack is PARKED like those on the lists, and page->private is
 * EXCLUSIVE_STACKED.  The columns of a zone are not changed by a take: exclusive_pages
 * counts the frames on stacks too, and a reader of the columns subtracts them
 * (exclusive_zone_parked(), exclusive_zone_owned()).  A pageblock that is hidden as a
 * whole does not count them either, so it can go back only after a drain.
 *
 * A CPU can reach the frames on the lists and those on its own stack.  The pool's marks
 * are about these.  So while the lists are empty a CPU may find nothing although frames
 * are parked, but for each other CPU at most EXCLUSIVE_STACK of them; such a take is
 * counted (exclusive_elsewhere).  With one CPU there is no elsewhere.
 *
 * A caller that must have the frames (a shrink, a pageblock that goes back) drains the
 * stack of the CPU where it runs.  A shrink begins with those of the others: each by a
 * thread that runs there (node->run_on), for only its CPU touches a stack.
 *
 * Locking: interrupts are off for every access to the stack of the own CPU; inside,
 * pool->lock for fill, spill and drain, which are at most EXCLUSIVE_STACK frames long.
 */
#include "kernel/core/panic.h"
#include "mm/exclusive/exclusive.h"
#include "mm/exclusive/exclusive_internal.h"
#include "mm/page_state.h"

/* Frames that move in one piece: with so many on it, a stack has room for takes and for
 * releases. */
#define STACK_MOVES (EXCLUSIVE_STACK / 2)

/* ---- Between the lists and the stack ------------------------------------- */

/* From a list: the column of PARKED frames loses it, that of owners counts it. */
static struct page *exclusive_stack_from_list(struct node *node)
{
	struct page *page = exclusive_pool_first(&node->pool);
	struct zone *zone = page_zone(node, page);

	kassert(page->state == PAGE_PARKED && page->private == 0);
	kassert(zone->parked_pages > 0);
	exclusive_pool_unlink(node, page);
	page->private = EXCLUSIVE_STACKED;
	zone->parked_pages--;
	zone->exclusive_pages++;
	return page;
}

static void exclusive_stack_to_list(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);

	kassert(page->state == PAGE_PARKED);
	kassert(page->private == EXCLUSIVE_STACKED);
	kassert(zone->exclusive_pages > 0);
	page->private = 0;
	zone->exclusive_pages--;
	zone->parked_pages++;
	exclusive_pool_link(node, page);
}

/* The frame that would be taken next becomes the top of the empty stack.  pool->lock
 * held. */
static void exclusive_stack_fill(struct node *node,
                                 struct exclusive_stack *stack)
{
	unsigned int moves =
		(unsigned int)min(node->pool.count, STACK_MOVES + 0UL);

	kassert(spin_is_mine(&node->pool.lock));
	kassert(stack->count == 0);
	for (unsigned int i = moves; i > 0; i--)
		stack->frame[i - 1] = exclusive_stack_from_list(node);
	WRITE_ONCE(stack->count, moves);
}

/* The MOVES oldest frames go to the lists.  pool->lock held. */
static void exclusive_stack_spill(struct node *node,
                                  struct exclusive_stack *stack,
                                  unsigned int moves)
{
	kassert(spin_is_mine(&node->pool.lock));
	kassert(moves <= stack->count && stack->count <= EXCLUSIVE_STACK);
	for (unsigned int i = 0; i < moves; i++)
		exclusive_stack_to_list(node, stack->frame[i]);
	WRITE_ONCE(stack->count, stack->count - moves);
	for (unsigned int i = 0; i < stack->count; i++)
		stack->frame[i] = stack->frame[i + moves];
}

void exclusive_stack_drain(struct node *node)
{
	struct exclusive_stack *stack =
		&node->pool.stack[exclusive_stack_cpu()];

	exclusive_stack_spill(node, stack, stack->count);
}

/* On the CPU whose stack it is. */
static void exclusive_stack_drain_here(void *data)
{
	struct node *node = data;
	bool enabled = spin_lock_irqsave(&node->pool.lock);

	exclusive_stack_drain(node);
	spin_unlock_irqrestore(&node->pool.lock, enabled);
}

void exclusive_stack_drain_others(struct node *node)
{
	const struct exclusive_pool *pool = &node->pool;

	kassert(pool->cpus <= MAX_CPUS);
	for (unsigned int cpu = 0; cpu < pool->cpus; cpu++) {
		if (cpu != arch_cpu_id() && node->run_on != NULL &&
		    READ_ONCE(pool->stack[cpu].count) > 0)
			node->run_on(cpu, exclusive_stack_drain_here, node);
	}
}

/* ---- Taking and releasing ------------------------------------------------ */

struct page *exclusive_stack_fill_and_top(struct node *node,
                                          struct exclusive_stack *stack)
{
	bool enabled = spin_lock_irqsave(&node->pool.lock);

	kassert(!enabled);
	exclusive_stack_fill(node, stack);
	spin_unlock_irqrestore(&node->pool.lock, enabled);
	return stack->count == 0 ? NULL : stack->frame[stack->count - 1];
}

/* Have the lists and STACK frames to give back, as far as can be seen here?  No pageblock
 * need be full: frames on the stack are not counted in it. */
static bool exclusive_stack_has_surplus(const struct exclusive_pool *pool,
                                        const struct exclusive_stack *stack)
{
	unsigned long reach = READ_ONCE(pool->count) + stack->count;

	return (reach > pool->top &&
	        READ_ONCE(pool->count) > READ_ONCE(pool->in_whole)) ||
	       (READ_ONCE(pool->blocks) > 0 &&
	        reach >= EXCLUSIVE_BLOCK_LOW + PAGEBLOCK_PAGES);
}

/* The stack is full, or frames are to go back: then all are on the lists, so that the
 * refiller finds them. */
static bool exclusive_stack_make_room(struct node *node,
                                      struct exclusive_stack *stack,
                                      bool surplus)
{
	struct exclusive_pool *pool = &node->pool;
	bool enabled = spin_lock_irqsave(&pool->lock);
	bool wake = false;

	kassert(!enabled);
	exclusive_stack_spill(node, stack,
	                      surplus ? stack->count : STACK_MOVES);
	if (surplus)
		wake = exclusive_pool_request_wake_for_surplus(pool);
	spin_unlock_irqrestore(&pool->lock, enabled);
	return wake;
}

bool exclusive_stack_push(struct node *node, struct page *page)
{
	struct exclusive_pool *pool = &node->pool;
	struct exclusive_stack *stack = &pool->stack[exclusive_stack_cpu()];

	kassert(page->state == PAGE_OWNED && page->owner != NULL);
	page->owner = NULL;
	page->private = EXCLUSIVE_STACKED;
	WRITE_ONCE(page->state, PAGE_PARKED);
	if (stack->count == EXCLUSIVE_STACK)
		exclusive_stack_make_room(node, stack, false);
	stack->frame[stack->count] = page;
	WRITE_ONCE(stack->count, stack->count + 1);
	stack->changes++;
	return exclusive_stack_has_surplus(pool, stack) &&
	       exclusive_stack_make_room(node, stack, true);
}

/* ---- Columns ------------------------------------------------------------- */

/* Frames of ZONE on all stacks. */
static unsigned long exclusive_stack_pages(const struct zone *zone)
{
	unsigned long pages = 0;

	if (zone->node == NULL)
		return 0;
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct exclusive_stack *stack =
			&zone->node->pool.stack[cpu];
		unsigned int count = READ_ONCE(stack->count);

		kassert(count <= EXCLUSIVE_STACK);
		for (unsigned int i = 0; i < count; i++)
			pages += READ_ONCE(stack->frame[i])->zone == zone->type;
	}
	return pages;
}

unsigned long exclusive_zone_parked(const struct zone *zone)
{
	return READ_ONCE(zone->parked_pages) + exclusive_stack_pages(zone);
}

unsigned long exclusive_zone_owned(const struct zone *zone)
{
	return READ_ONCE(zone->exclusive_pages) - exclusive_stack_pages(zone);
}

unsigned long exclusive_reach(const struct exclusive_pool *pool)
{
	unsigned int least = EXCLUSIVE_STACK;

	for (unsigned int cpu = 0; cpu < pool->cpus; cpu++)
		least = min(least, READ_ONCE(pool->stack[cpu].count));
	return READ_ONCE(pool->count) + least;
}

unsigned long exclusive_reach_here(const struct exclusive_pool *pool)
{
	return READ_ONCE(pool->count) +
	       READ_ONCE(pool->stack[exclusive_stack_cpu()].count);
}

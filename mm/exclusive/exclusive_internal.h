/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_internal.h -- shared by the files of this folder.
 *
 * The files are listed in exclusive.h.
 */
#ifndef MM_EXCLUSIVE_EXCLUSIVE_INTERNAL_H
#define MM_EXCLUSIVE_EXCLUSIVE_INTERNAL_H

#include "kernel/arch/arch.h"
#include "mm/exclusive/exclusive.h"

static inline void *frame_address(unsigned long pfn)
{
	return (void *)(direct_map_base + (pfn << PAGE_SHIFT));
}

/* The owner of window number ID, or NULL.  With pool->lock held, or in a fault. */
static inline struct owner *
exclusive_window_owner(const struct exclusive_pool *pool, unsigned int id)
{
	struct owner *const *group = pool->by_window[id / WINDOW_GROUP];

	return group == NULL ? NULL : READ_ONCE(group[id % WINDOW_GROUP]);
}

/* Windows in use: numbers below this. */
static inline unsigned int exclusive_windows(const struct exclusive_pool *pool)
{
	return pool->groups * WINDOW_GROUP;
}

/* The living owner of POOL with number ID, or NULL.  pool->lock held. */
struct owner *exclusive_find_owner(const struct exclusive_pool *pool,
                                   uint64_t id);

/* Mark entry INDEX of OWNER as used, which only the owner itself does; as free, which a
 * receiver may do on another CPU. */
static inline void exclusive_use_entry(struct owner *owner, unsigned int index)
{
	__atomic_fetch_or(&owner->entries[index / BITS_PER_LONG],
	                  1UL << (index % BITS_PER_LONG), __ATOMIC_ACQUIRE);
}

static inline void exclusive_free_entry(struct owner *owner, unsigned int index)
{
	__atomic_fetch_and(&owner->entries[index / BITS_PER_LONG],
	                   ~(1UL << (index % BITS_PER_LONG)), __ATOMIC_RELEASE);
}

/* ---- exclusive_stack.c ---- */

/* page->private of a PARKED frame: on a CPU's stack; else 0. */
#define EXCLUSIVE_STACKED 1U

/* The CPU that runs.  Interrupts off. */
static inline unsigned int exclusive_stack_cpu(void)
{
	unsigned int cpu = arch_cpu_id();

	kassert(cpu < MAX_CPUS);
	return cpu;
}

/* The top of the empty STACK after frames of the lists came onto it, or NULL.  Interrupts
 * off. */
struct page *exclusive_stack_fill_and_top(struct node *node,
                                          struct exclusive_stack *stack);

/* The OWNED page, unmapped and zeroed, becomes the top of this CPU's stack, PARKED; true:
 * the caller must call exclusive_pool_wake().  Interrupts off. */
bool exclusive_stack_push(struct node *node, struct page *page);

/* All frames of this CPU's stack go to the lists.  pool->lock held. */
void exclusive_stack_drain(struct node *node);

/* The same on each other CPU, by node->run_on().  Thread context, may sleep; no lock held. */
void exclusive_stack_drain_others(struct node *node);

/* Parked frames that each CPU can reach: on the lists, and on the shortest stack.  And
 * those that this one can. */
unsigned long exclusive_reach(const struct exclusive_pool *pool);
unsigned long exclusive_reach_here(const struct exclusive_pool *pool);

/* ---- exclusive_pool.c ---- */

/* Record that a wake-up is due; true if the caller must call exclusive_pool_wake()
 * when it has released the lock.  pool->lock held. */
bool exclusive_pool_request_wake(struct exclusive_pool *pool);
void exclusive_pool_wake(struct node *node);

/* The same if frames are parked that should go back. */
bool exclusive_pool_request_wake_for_surplus(struct exclusive_pool *pool);

/* Put a zeroed page that is on no list and mapped nowhere into the pool; true: the
 * caller must call exclusive_pool_wake().  pool->lock held. */
bool exclusive_pool_park(struct node *node, struct page *page);

/* Put a LOOSE frame, hidden and zeroed, into the pool.  Takes zone->lock. */
void exclusive_pool_park_loose(struct node *node, struct page *page);

/* The single frame that was parked first, or NULL.  The result may already be
 * outdated. */
struct page *exclusive_pool_oldest(struct node *node);

/* The page that comes off the lists next, or NULL.  pool->lock held. */
struct page *exclusive_pool_first(const struct exclusive_pool *pool);

/* Put a PARKED page onto its list; take it off, and the caller changes the state.
 * pool->lock held. */
void exclusive_pool_link(struct node *node, struct page *page);
void exclusive_pool_unlink(struct node *node, struct page *page);

/* Make PAGE LOOSE, still hidden; false if it is no longer parked.  Takes
 * zone->lock. */
bool exclusive_pool_unpark_loose(struct node *node, struct page *page);

/* Admit one thread to the tables and regions; false: another one has them. */
__must_check bool exclusive_pool_begin_busy(struct exclusive_pool *pool);
void exclusive_pool_end_busy(struct exclusive_pool *pool);

/* ---- exclusive_block.c ---- */

/* The parked frame PAGE comes (1) or goes (-1).  Is its pageblock hidden as a whole?
 * pool->lock held. */
bool exclusive_block_count(struct node *node, const struct page *page,
                           int change);

/* Park a whole pageblock, without a right to the reserve.  The frames parked: 0 if there
 * is none above the low mark.  pool->busy held. */
unsigned long exclusive_block_park(struct node *node);

/* Give a pageblock whose frames are all parked to the buddy if at least KEEP parked ones
 * remain.  The frames given: 0, if one was taken meanwhile.  pool->busy held. */
unsigned long exclusive_block_give(struct node *node, unsigned long keep);

/* Make single frames of the parked ones of a hidden pageblock; false: there is none, or
 * no table to split its region.  pool->busy held. */
bool exclusive_block_break(struct node *node);

/* ---- exclusive_region.c ---- */

/* Position of a search in the regions that are already split. */
struct exclusive_region_search {
	unsigned int regions; /* not yet searched, the newest first */
	unsigned long pfn;    /* the next frame; -1: of a new region */
};

/* Is there a table, and a place in region[], for one more split? */
bool exclusive_region_may_split(const struct exclusive_pool *pool);

/*
 * A frame of ZONE that looked free, in a region that is already split, or -1 when
 * none is left.  There may be hundreds of thousands to search, so this is done
 * without the lock: the result is a guess.
 */
unsigned long exclusive_region_find(const struct exclusive_pool *pool,
                                    const struct zone *zone,
                                    struct exclusive_region_search *search);

/* Does ZONE have a free page in a region that is already split?  A guess. */
bool exclusive_region_has_free(const struct node *node,
                               const struct zone *zone);

/* Split the region of PFN unless it is split already.  pool->busy held. */
void exclusive_region_split(struct node *node, unsigned long pfn);

/* Merge the region of PFN if all its frames are visible; false: it stays split.
 * pool->busy held. */
bool exclusive_region_join(struct node *node, unsigned long pfn);

/* Merge the regions that we split and that hide no frame any more, but keep the
 * newest split: a pool that breathes does not split and merge all day.  pool->busy
 * held. */
void exclusive_region_join_empty(struct node *node);

/* Set aside TABLES tables from TABLE on, and find the regions that were split at
 * boot: their frames are parked without splitting. */
void exclusive_region_init(struct node *node, void *table,
                           unsigned long tables);

/* ---- exclusive_refill.c ---- */

/* Give a LOOSE page, visible, to the buddy.  Takes zone->lock. */
void exclusive_refill_give(struct node *node, struct page *page);

/* Could a frame of ZONE be parked now with RIGHT?  Takes zone->lock. */
bool exclusive_refill_would_find(struct node *node, struct zone *zone,
                                 enum reserve_right right);

/* ---- exclusive.c ---- */

/* Make the page, off a stack or a queue, OWNED by OWNER at INDEX, which is claimed.
 * Interrupts off; pool->lock held unless OWNER is the caller. */
void exclusive_make_owned(struct node *node, struct page *page,
                          struct owner *owner, unsigned int index);

/* Undo that: unmapped; the caller changes the state.  The entry stays claimed. */
void exclusive_unmake_owned(struct page *page);

/* Take a HANDOVER page off its receiver's list; the caller changes the state.
 * pool->lock held. */
void exclusive_unqueue(struct node *node, struct page *page);

/* The page at INDEX of SENDER that is on its way, or NULL.
 * pool->lock held. */
struct page *exclusive_find_sent(struct node *node, const struct owner *sender,
                                 unsigned int index);

/* Take its entry from the sender of a HANDOVER page.  pool->lock held. */
void exclusive_drop_sender(struct page *page);

/* Return a HANDOVER page to its sender, at its old entry.  pool->lock held. */
void exclusive_return_to_sender(struct node *node, struct page *page);

#endif

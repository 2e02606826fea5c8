/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/ -- pages that only their owner can reach.
 *
 * An owner (kernel/core/owner.h: a thread or an interrupt line) gets one zeroed
 * page, mapped in its own window and nowhere else.  The window is open only while
 * the owner runs, so all others fault.
 *
 *	exclusive.h		the interface: this file
 *	exclusive.c		states, invariants X1..X6; take, release, hand over
 *	exclusive_stack.c	the parked frames that a CPU has at hand
 *	exclusive_pool.c	the node's parked frames, behind them
 *	exclusive_refill.c	the refiller's work: buddy to pool and back
 *	exclusive_block.c	whole pageblocks out of the direct map
 *	exclusive_region.c	splitting the direct map, 2 MiB at a time
 *	exclusive_owner.c	owners begin and end; faults are explained
 *	exclusive_check.c	the invariants, checked
 *
 * The data is a part of the node: mm/exclusive/exclusive_pool.h.  Below: mm/page_prep.h, where
 * frames come from, and kernel/arch/ (direct_map.h, window.h).  Above:
 * mm/page_alloc.c for __GFP_EXCLUSIVE, kernel/refiller.c for the thread.
 *
 * Contexts: thread and hard interrupt, unless a line says otherwise; in an NMI
 * every call is refused (NULL or -EPERM).
 *
 * An address belongs to one owner and one time: it dies with release and with
 * hand-over.
 */
#ifndef MM_EXCLUSIVE_EXCLUSIVE_H
#define MM_EXCLUSIVE_EXCLUSIVE_H

#include "kernel/core/owner.h"
#include "mm/node.h"

/*
 * The Labyrinth routine: alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE) and the
 * address in the caller's window.  Never waits.  NULL: the pool is empty (the
 * refiller has been woken), the window is full, or the context has no owner.
 */
__must_check void *labyrinth_void_alloc_page_gfp_atomic_exclusive(void);

/*
 * Scrub the page at ADDRESS, take it out of the caller's window and park it.
 * Returns 0, or with a report that names both parties:
 *   -EINVAL	no address of an exclusive window, or not its first byte
 *   -EPERM	another owner's page
 *   -EBUSY	the caller's page, but on its way to another owner
 *   -ENOENT	the caller's window, but empty (released twice)
 */
int exclusive_release(void *address);

/* Release all pages that the caller owns; says how many. */
unsigned int exclusive_release_all(void);

/*
 * Begin to hand the page at ADDRESS over to the owner with number TO:
 * thread_owner_id(), irq_owner_id().  On return the caller's access has ended
 * (its entry is gone and flushed); the receiver gets it with exclusive_accept().
 * Returns 0, the errors of exclusive_release(), or -ENXIO (TO has ended, or 0) or
 * -EINVAL (TO is the caller).  A number is assigned once, so one that
 * has ended means -ENXIO forever.  On error the page stays with the caller.
 */
int exclusive_transfer(void *address, uint64_t to);

/*
 * Complete the oldest hand-over to the caller: the page in its window.  NULL
 * if none is waiting, or the window is full (the page stays on its way).
 */
__must_check void *exclusive_accept(void);

/*
 * Take back the page that the caller had at ADDRESS and that has not been
 * accepted: it is again at that address.  Returns 0 or -ENOENT.
 */
int exclusive_cancel(void *address);

/* The page behind an address in the caller's window, or NULL. */
struct page *exclusive_page(void *address);

/* Where an OWNED page is in its owner's window; NULL otherwise. */
void *exclusive_address(const struct page *page);

/* Hand-overs that wait for the owner with number ID; 0 if it has ended. */
unsigned long exclusive_incoming(uint64_t id);

/* ---- The front door's part ------------------------------------------- */

/* Take one page for the running owner out of NODE's pool, or NULL. */
struct page *exclusive_take(struct node *node);

/* The short way of the Labyrinth routine: a parked frame for the running owner, and its
 * address, or NULL and nothing has changed: the ladder looks again, and says why.  CALLER
 * is remembered as the taker's place. */
void *exclusive_take_parked(uintptr_t caller);

/* Could the running owner own one more page of NODE, if there was one? */
bool exclusive_can_take(const struct node *node);

/* The zone whose page exclusive_take() would return for REQUEST now, or NULL.  For a
 * request that may sleep, the refill before it is taken into account. */
struct zone *exclusive_would_take_from(struct node *node,
                                       const struct alloc_request *request);

/* ---- The refiller's part: thread context, one thread ------------------- */

/*
 * Marks of the pool for MANAGED pages: high = clamp(managed / 512, 8, 256),
 * low = high / 2.
 */
unsigned long exclusive_pool_high(unsigned long managed);

/*
 * Prepare NODE's pool.  TABLES pages of TABLE (contiguous, visible in the
 * direct map) are set aside for splitting; one table splits 2 MiB.
 */
void exclusive_pool_init(struct node *node, void *table, unsigned long tables);

/* How many tables a node of PAGES frames sets aside: one for each region of 512
 * frames, at most 512. */
unsigned long exclusive_region_tables(unsigned long pages);

/* From now on owners that begin get windows, from main_node(), which must be NODE.
 * Thread context. */
void exclusive_start(struct node *node);

/*
 * Give NODE, the main node, the window through which the frames of ended owners are
 * zeroed, unless it has one.  A test that makes a private node the main one calls it
 * then; until that is changed back, owners of the other node neither ask for pages nor
 * end.  Thread context.
 */
void exclusive_make_scrub_window(struct node *node);

/*
 * Park frames until the pool holds TARGET, with exactly GFP_ATOMIC's right to
 * the reserve.  Returns how many were parked.
 */
unsigned long exclusive_refill(struct node *node, unsigned long target);

/*
 * The same for a request that may sleep and found the pool empty: one frame,
 * with the request's own RIGHT at MARK (MEMALLOC included); waits while another
 * refills or shrinks.  Is there a parked page now?
 */
bool exclusive_refill_for(struct node *node, enum watermark mark,
                          enum reserve_right right);

/* Does the running owner get no page because memory is short?  Not if its window is
 * full, nor if no region can be split any more. */
bool exclusive_memory_would_help(struct node *node);

/*
 * Return frames to the buddy until the pool holds TARGET or less.  A pageblock that is
 * hidden as a whole is broken up for it if it must be.  Frames at the hand of other CPUs
 * go first.  Returns how many were given.  Thread context, may sleep.
 */
unsigned long exclusive_shrink(struct node *node, unsigned long target);

/*
 * The same for single frames alone, and for whole pageblocks as long as 256 frames stay
 * parked: what reclaim and the refiller ask for.  exclusive_spare() says how many frames
 * exclusive_trim(TARGET) would give now.
 */
unsigned long exclusive_trim(struct node *node, unsigned long target);
unsigned long exclusive_spare(struct node *node, unsigned long target);

/* Bring the pool to HIGH, from either side: the work of the woken refiller.  In a zone of
 * 51,200 pages or more it parks whole pageblocks, while fewer than 256 are parked. */
void exclusive_balance(struct node *node);

/* Does the refiller have work?  For its wait_event(). */
bool exclusive_wants_balance(void *node);

/* Memory was freed: wake the refiller if the pool starved.  zone->lock not
 * held; any context but NMI. */
void exclusive_memory_freed(struct node *node);

/* ---- Proof ------------------------------------------------------------ */

/*
 * Check the pool and all owners: states, lists, counts, entries; for every page
 * of the node that is PARKED, OWNED or HANDOVER the direct map entry is absent,
 * for every other managed page it is present; an OWNED page is mapped at its
 * entry of its owner's window and nowhere else: every mapping of the kernel is
 * looked at (kernel/arch/mapping.h).  NULL or a sentence in BUFFER.
 *
 * Takes pool->lock for a slice at a time; others go on meanwhile.  Lists that do
 * not stand still for the length of a walk are not compared with their counts:
 * mm/debug/check.h.  TRY_LOCK: nobody else runs; if the lock is taken, it says so and
 * does not look.  Any context but NMI.
 */
const char *exclusive_check(struct node *node, bool try_lock, char *buffer,
                            size_t size);

struct exclusive_counts {
	unsigned long parked;
	unsigned long owned;
	unsigned long handover;
};
void exclusive_counts(struct node *node, struct exclusive_counts *counts);

/* Visit all owners, one at a time under the pool's lock: be brief.  An owner that
 * begins or ends meanwhile may be missed.  In an NMI none is visited, and
 * exclusive_counts() returns zeroes. */
void exclusive_visit_owners(struct node *node,
                            void (*visit)(const struct owner *owner,
                                          void *data),
                            void *data);

#endif

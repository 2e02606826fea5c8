/* SPDX-License-Identifier: MIT */
/*
 * mm/exclusive/exclusive_internal.h -- what the files of the exclusive pages share.
 *
 *	exclusive.c		the calls of owners: take, release, hand over
 *	exclusive_pool.c	the refiller: frames in and out of the pool
 *	exclusive_owner.c	owners begin and end; faults are explained
 *	exclusive_check.c	the invariants
 *
 * For these four files only.
 */
#ifndef MM_EXCLUSIVE_EXCLUSIVE_INTERNAL_H
#define MM_EXCLUSIVE_EXCLUSIVE_INTERNAL_H

#include "kernel/arch/arch.h"
#include "mm/exclusive/exclusive.h"

static inline void *frame_address(unsigned long pfn)
{
	return (void *)(direct_map_base + (pfn << PAGE_SHIFT));
}

/* The living owner of POOL with number ID, or NULL.  pool->lock held. */
struct owner *exclusive_find_owner(struct exclusive_pool *pool, uint64_t id);

/* ---- exclusive_pool.c ---- */

/* Note that a wake-up is due; true if the caller must call
 * exclusive_wake_refiller() when it has dropped the lock.  pool->lock held. */
bool exclusive_request_wake(struct exclusive_pool *pool);
void exclusive_wake_refiller(struct node *node);

/* Could a frame of ZONE be parked now with RIGHT?  Takes zone->lock. */
bool exclusive_frame_available(struct node *node, struct zone *zone,
                               enum reserve_right right);

/* Put a page that is on no list and mapped nowhere, zeroed, into the pool;
 * true: the refiller is to be woken.  pool->lock held. */
bool exclusive_park_locked(struct node *node, struct page *page);

/* ---- exclusive.c ---- */

/* The page becomes OWNED by OWNER at SLOT, which is claimed.  pool->lock held. */
void exclusive_make_owned(struct node *node, struct page *page,
                          struct owner *owner, unsigned int slot);

/* The opposite: unmapped and on no list; the state is the caller's to change.
 * The slot stays claimed.  pool->lock held. */
void exclusive_unmake_owned(struct node *node, struct page *page);

/* A HANDOVER page leaves its receiver's list, for whoever is next; the state is
 * the caller's to change.  pool->lock held. */
void exclusive_unqueue(struct node *node, struct page *page);

/* The page at SLOT of SENDER that is on its way to somebody, or NULL.
 * pool->lock held. */
struct page *exclusive_find_sent(struct node *node, const struct owner *sender,
                                 unsigned int slot);

/* The sender of a HANDOVER page gives up its slot.  pool->lock held. */
void exclusive_drop_sender(struct page *page);

/* A HANDOVER page goes back to its sender, at its old slot.  pool->lock held. */
void exclusive_return_to_sender(struct node *node, struct page *page);

#endif

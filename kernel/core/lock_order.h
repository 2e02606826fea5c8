/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/lock_order.h -- deadlocks that have not happened yet.
 *
 * Locks of the same name are one class.  Whenever a lock is taken while another
 * is held, the pair is remembered with its place; an order that closes a circle
 * is reported once, with both places, although nobody waits for anybody now.
 * The same for a class that is taken in interrupts and, elsewhere, by a thread
 * with interrupts on: the interrupt could come on top of that thread.
 *
 * Spinlocks and mutexes both report here.  A spinlock that adds nothing does not even call
 * this file (kernel/core/lock_watch.h).
 */
#ifndef KERNEL_CORE_LOCK_ORDER_H
#define KERNEL_CORE_LOCK_ORDER_H

#include "lib/types.h"

/* Mutexes that a thread can hold at a time. */
#define LOCK_ORDER_MUTEXES 8

/* The mutexes that a thread holds; a part of struct thread. */
struct held_mutexes {
	uint8_t count;
	uint8_t order_class[LOCK_ORDER_MUTEXES];
	uint32_t place[LOCK_ORDER_MUTEXES]; /* low half of an address of code */
};

/*
 * A spinlock of class *ORDER_CLASS (0: look NAME up and store it there) is
 * about to be taken at PLACE, an address of code.  Preemption is off.  Any
 * context but NMI.
 */
void lock_order_take(uint32_t *order_class, const char *name, uintptr_t place);

/* It is held without having waited: no order follows from it. */
void lock_order_note_held(uint32_t *order_class, const char *name,
                          uintptr_t place);
void lock_order_release(uint32_t order_class);

/* The same for a mutex of the running thread, which HELD belongs to. */
void lock_order_take_mutex(struct held_mutexes *held, uint32_t *order_class,
                           const char *name, uintptr_t place);
void lock_order_release_mutex(struct held_mutexes *held, uint32_t order_class);

struct held_lock {
	const char *name;
	uintptr_t place; /* where the call that took it returns to */
	bool is_mutex;
};

/*
 * Store the locks that are held here: first this CPU's spinlocks, then, unless it
 * is NULL, those of MUTEXES, each kind the innermost first.  At most ROOM go to
 * HELD; returns the number of all.  Takes no lock.  Any context.
 */
unsigned int lock_order_held(const struct held_mutexes *mutexes,
                             struct held_lock *held, unsigned int room);

/* Reports since it was last asked; the self-test asks after each case. */
unsigned long lock_order_take_reports(void);

#endif

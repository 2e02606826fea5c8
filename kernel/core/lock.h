/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/lock.h -- spinlocks.
 *
 * Two forms.  spin_lock_irqsave() is for locks that interrupt handlers take,
 * too: interrupts are off while it is held.  spin_lock() is for locks that only
 * threads take: interrupts stay as they are.  Either way preemption is off.
 *
 * A lock that is taken by the CPU that already holds it is a panic that names
 * it; an order that can deadlock, and a lock that is taken in interrupts and
 * elsewhere with interrupts on, are reported (kernel/core/lock_order.h).  Never
 * in an NMI except spin_trylock_irqsave().
 */
#ifndef KERNEL_CORE_LOCK_H
#define KERNEL_CORE_LOCK_H

#include "kernel/core/context.h"
#include "lib/types.h"

struct spinlock {
	volatile uint32_t held; /* 0, or 1 + the number of the CPU */
	uint32_t order_class;   /* lock_order.c's; 0: not known yet */
	const char *name;
};

#define SPINLOCK_INIT(text)                                                    \
	{                                                                      \
		.held = 0, .name = (text)                                      \
	}

/* Returns whether interrupts were on; hand it to the unlock. */
__must_check bool spin_lock_irqsave(struct spinlock *lock);
void spin_unlock_irqrestore(struct spinlock *lock, bool enabled);

/* As the above; a thread that should run waits for the next occasion. */
void spin_unlock_irqrestore_no_resched(struct spinlock *lock, bool enabled);

/* True: the lock is held and interrupts are off; *ENABLED is for the unlock. */
__must_check bool spin_trylock_irqsave(struct spinlock *lock, bool *enabled);

/* Thread context. */
void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);

/* Held by this CPU? */
static inline bool spin_is_mine(const struct spinlock *lock)
{
	return lock->held == arch_cpu_id() + 1;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/lock.h -- spinlocks.
 *
 * One form only: interrupts are off while a spinlock is held, so a lock may be
 * shared with interrupt handlers.  A lock that is taken by the CPU that already
 * holds it is a panic that names it.  Never in an NMI except spin_trylock.
 */
#ifndef KERNEL_CORE_LOCK_H
#define KERNEL_CORE_LOCK_H

#include "lib/types.h"

struct spinlock {
	volatile uint32_t held; /* 0, or 1 + the number of the CPU */
	const char *name;
};

#define SPINLOCK_INIT(text)                                                    \
	{                                                                      \
		.held = 0, .name = (text)                                      \
	}

/* Returns whether interrupts were on; hand it to the unlock. */
__must_check bool spin_lock_irqsave(struct spinlock *lock);
void spin_unlock_irqrestore(struct spinlock *lock, bool enabled);

/* True: the lock is held and interrupts are off; *ENABLED is for the unlock. */
__must_check bool spin_trylock_irqsave(struct spinlock *lock, bool *enabled);

/* Held by this CPU? */
bool spin_is_mine(const struct spinlock *lock);

#endif

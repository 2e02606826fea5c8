/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/lock.c -- spinlocks.
 *
 * A lock is one word: 0, or 1 + the number of the CPU that holds it.  One
 * atomic compare-and-exchange takes it; a CPU that loses reads the word (a
 * shared cache line, no bus traffic) until it is 0 and tries again.
 *
 *	take		interrupts off (irqsave), preemption off, then the word
 *	release		the word, then interrupts, then preemption, where a
 *			thread that was woken meanwhile may take over
 *
 * Because the word names the holder, a CPU that would wait for itself is
 * recognised: nobody could ever release the lock.
 *
 * In a panic nobody waits: a lock that is held is passed by, and only its
 * holder's release changes it.  In an NMI waiting is forbidden, since the NMI
 * may have interrupted the holder: spin_trylock_irqsave() is the only way.
 *
 * Source: Intel SDM vol. 3A, 8.2 "Memory Ordering" (a locked instruction is a
 * full barrier; stores are not moved before earlier loads and stores, so the
 * release is a plain store).
 */
#include "kernel/core/lock.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/context.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/panic.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

static uint32_t my_mark(void)
{
	return arch_cpu_id() + 1;
}

static bool try_to_take(struct spinlock *lock)
{
	uint32_t nobody = 0;

	return __atomic_compare_exchange_n(&lock->held, &nobody, my_mark(),
	                                   false, __ATOMIC_ACQUIRE,
	                                   __ATOMIC_RELAXED);
}

bool spin_is_mine(const struct spinlock *lock)
{
	return lock->held == my_mark();
}

/* Preemption is off. */
static void lock_take(struct spinlock *lock, uintptr_t place)
{
	if (in_nmi() && !panic_in_progress())
		panic("spinlock %s: taken in an NMI", lock->name);
	lock_order_take(&lock->order_class, lock->name, place);
	while (!try_to_take(lock)) {
		if (panic_in_progress())
			break;
		if (spin_is_mine(lock))
			panic("spinlock %s: taken twice by CPU %u", lock->name,
			      arch_cpu_id());
		while (lock->held != 0 && !spin_is_mine(lock) &&
		       !panic_in_progress())
			arch_relax();
	}
}

static void lock_release(struct spinlock *lock)
{
	lock_order_release(lock->order_class);
	if (spin_is_mine(lock))
		__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
	else if (!panic_in_progress())
		panic("spinlock %s: released by CPU %u, held by %s", lock->name,
		      arch_cpu_id(), lock->held == 0 ? "nobody" : "another");
}

bool spin_lock_irqsave(struct spinlock *lock)
{
	bool enabled = irqsoff_save(CALLER);

	preempt_disable();
	lock_take(lock, CALLER);
	return enabled;
}

void spin_unlock_irqrestore(struct spinlock *lock, bool enabled)
{
	lock_release(lock);
	arch_irq_restore(enabled);
	preempt_enable();
}

void spin_unlock_irqrestore_no_resched(struct spinlock *lock, bool enabled)
{
	lock_release(lock);
	preempt_enable_no_resched();
	arch_irq_restore(enabled);
}

bool spin_trylock_irqsave(struct spinlock *lock, bool *enabled)
{
	bool before = irqsoff_save(CALLER);

	preempt_disable();
	if (try_to_take(lock)) {
		/* It did not wait, so it cannot have deadlocked. */
		lock_order_note_held(&lock->order_class, lock->name, CALLER);
		*enabled = before;
		return true;
	}
	preempt_enable_no_resched();
	arch_irq_restore(before);
	return false;
}

void spin_lock(struct spinlock *lock)
{
	preempt_disable();
	lock_take(lock, CALLER);
}

void spin_unlock(struct spinlock *lock)
{
	lock_release(lock);
	preempt_enable();
}

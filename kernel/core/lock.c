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
#include "kernel/core/lock_watch.h"
#include "kernel/core/panic.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

static inline uint32_t my_mark(void)
{
	return this_cpu_read(id) + 1;
}

static inline bool try_to_take(struct spinlock *lock)
{
	uint32_t nobody = 0;

	return __atomic_compare_exchange_n(&lock->held, &nobody, my_mark(),
	                                   false, __ATOMIC_ACQUIRE,
	                                   __ATOMIC_RELAXED);
}

/* Somebody has it.  Returns ENABLED, so that nothing has to be kept across the call. */
static __noinline bool lock_wait(struct spinlock *lock, bool enabled)
{
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
	return enabled;
}

/* The watch may have something to learn, or an NMI takes it.  Returns ENABLED. */
static __noinline bool lock_take_watched(struct spinlock *lock, bool enabled,
                                         uintptr_t place)
{
	if (in_nmi() && !panic_in_progress())
		panic("spinlock %s: taken in an NMI", lock->name);
	lock_order_take(&lock->order_class, lock->name, place);
	return lock_wait(lock, enabled);
}

/* Preemption is off.  IRQS_OFF: interrupts, too.  Returns ENABLED. */
static inline bool lock_take(struct spinlock *lock, bool irqs_off, bool enabled,
                             uintptr_t place)
{
	struct cpu *cpu = this_cpu();

	if (!lock_is_known(lock->order_class, cpu, irqs_off))
		return lock_take_watched(lock, enabled, place);
	lock_note(lock->order_class, place, cpu);
	return try_to_take(lock) ? enabled : lock_wait(lock, enabled);
}

/* It is not the innermost, or not this CPU's, or an NMI's. */
static __noinline void lock_release_other(struct spinlock *lock)
{
	lock_order_release(lock->order_class);
	if (spin_is_mine(lock))
		__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
	else if (!panic_in_progress())
		panic("spinlock %s: released by CPU %u, held by %s", lock->name,
		      arch_cpu_id(), lock->held == 0 ? "nobody" : "another");
}

/* False: nothing was done. */
static inline bool lock_release_innermost(struct spinlock *lock)
{
	struct cpu *cpu = this_cpu();

	if (!spin_is_mine(lock) || in_nmi() ||
	    !lock_forget_innermost(lock->order_class, cpu))
		return false;
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
	return true;
}

/* spin_lock_irqsave() where it is measured how long interrupts stay off. */
static __noinline bool lock_measured(struct spinlock *lock, bool enabled,
                                     uintptr_t place)
{
	if (enabled)
		irqsoff_begin(place);
	preempt_disable();
	return lock_take(lock, true, enabled, place);
}

bool spin_lock_irqsave(struct spinlock *lock)
{
	bool enabled = arch_irq_enabled();

	irqsoff_cli();
	if (irqsoff_measures)
		return lock_measured(lock, enabled, CALLER);
	preempt_disable();
	return lock_take(lock, true, enabled, CALLER);
}

/* spin_unlock_irqrestore(); RELEASED: but for the lock. */
static __noinline void unlock_slowly(struct spinlock *lock, bool released,
                                     bool enabled)
{
	if (!released)
		lock_release_other(lock);
	arch_irq_restore(enabled);
	preempt_enable();
}

void spin_unlock_irqrestore(struct spinlock *lock, bool enabled)
{
	bool released = lock_release_innermost(lock);

	if (!released || irqsoff_measures) {
		unlock_slowly(lock, released, enabled);
		return;
	}
	if (enabled)
		irqsoff_sti();
	preempt_enable();
}

void spin_unlock_irqrestore_no_resched(struct spinlock *lock, bool enabled)
{
	if (!lock_release_innermost(lock))
		lock_release_other(lock);
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
	(void)lock_take(lock, false, false, CALLER);
}

void spin_unlock(struct spinlock *lock)
{
	if (!lock_release_innermost(lock))
		lock_release_other(lock);
	preempt_enable();
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/bench/thin_machine.c -- CPU 0, found through GS, and locks that are one word.
 *
 * Compiled like mm/ for the kernel.  The names below are also those of
 * tests/host/machine.c; the linker takes the first that it finds, which is this file's.
 *
 * Nothing interrupts: the process has one thread, and no thread is ever to be
 * preempted.  So bit 0 of cpu->preempt stays 1, and the end of preempt_enable() is not
 * reached.
 */
#include "tests/bench/thin_machine.h"

#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/arch/percpu.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"

struct cpu cpu_data[MAX_CPUS];
struct owner owner_nobody;

static bool irq_is_enabled = true;
static unsigned int locks_held;

void thin_machine_run(struct thread *thread)
{
	struct cpu *cpu = &cpu_data[0];

	if (syscall(SYS_arch_prctl, ARCH_SET_GS, cpu) != 0)
		panic("the host's kernel does not set GS");
	cpu->self = cpu;
	cpu->thread = thread;
	cpu->owner = &thread->owner;
	cpu->preempt = PREEMPT_NO_RESCHED;
	kassert(this_cpu() == cpu);
}

bool thin_machine_is_idle(void)
{
	return locks_held == 0 && irq_is_enabled && preempt_count() == 0;
}

bool arch_irq_save(void)
{
	bool enabled = irq_is_enabled;

	irq_is_enabled = false;
	return enabled;
}

void arch_irq_restore(bool enabled)
{
	irq_is_enabled = enabled;
}

bool spin_lock_irqsave(struct spinlock *lock)
{
	bool enabled;

	if (!spin_trylock_irqsave(lock, &enabled))
		panic("lock %s taken twice", lock->name);
	return enabled;
}

bool spin_trylock_irqsave(struct spinlock *lock, bool *enabled)
{
	uint32_t nobody = 0;
	bool before = arch_irq_save();

	preempt_disable();
	if (!__atomic_compare_exchange_n(&lock->held, &nobody, 1, false,
	                                 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		preempt_enable();
		arch_irq_restore(before);
		return false;
	}
	locks_held++;
	*enabled = before;
	return true;
}

void spin_unlock_irqrestore(struct spinlock *lock, bool enabled)
{
	kassert(lock->held == 1 && locks_held > 0);
	locks_held--;
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
	arch_irq_restore(enabled);
	preempt_enable();
}

/* ---- What does not happen here ------------------------------------------- */

__noreturn void assertion_failed(const char *condition)
{
	panic("assertion failed: %s", condition);
}

void preempt_count_wrapped(unsigned int amount)
{
	panic("preempt_count wraps below %u", amount);
}

void preempt_enable_thunk(void);
void preempt_enable_thunk(void)
{
	panic("preemption, on a machine of one thread");
}

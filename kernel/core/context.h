/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/context.h -- the context of the caller, and whether it may wait.
 *
 * kernel/core/ is what the memory manager stands on, so nothing in it allocates
 * memory:
 *
 *	context, lock, lock_order	contexts, spinlocks, and their order
 *	owner, held			owners of pages; the objects a thread holds
 *	printk, console			the log, and the devices that show it
 *	fault, panic			exceptions, and the end with a report
 *	symbols, line_table		from addresses to functions and lines
 *	irq, nmi, nmi_watch, watchdog	interrupt lines, NMIs, hung processors
 *	clock, sched, work		time, threads, deferred work
 *	mutex, semaphore		locks that sleep
 *	params, multiboot2		untrusted input of the boot
 *
 * preempt_count of a CPU has Linux's layout:
 *
 *	bits  0- 7	preempt_disable() depth (and spinlocks held)
 *	bits  8-15	soft work depth (nobody uses it yet)
 *	bits 16-19	hard interrupt depth
 *	bits 20-23	NMI depth
 *
 * All functions may be called from any context.
 */
#ifndef KERNEL_CORE_CONTEXT_H
#define KERNEL_CORE_CONTEXT_H

#include "kernel/arch/arch.h"
#include "lib/types.h"
#if !__STDC_HOSTED__
#include "kernel/arch/percpu.h"
#endif

#define PREEMPT_ONE  (1U << 0)
#define HARDIRQ_ONE  (1U << 16)
#define NMI_ONE      (1U << 20)
#define PREEMPT_MASK 0x000000ffU
#define SOFTIRQ_MASK 0x0000ff00U
#define HARDIRQ_MASK 0x000f0000U
#define NMI_MASK     0x00f00000U

#if __STDC_HOSTED__
unsigned int preempt_count(void);
void preempt_count_add(unsigned int amount);
void preempt_count_sub(unsigned int amount);
void preempt_enable(void);
bool may_sleep_here(void);
#else
static inline unsigned int preempt_count(void)
{
	return this_cpu_read(preempt_count);
}

static inline void preempt_count_add(unsigned int amount)
{
	this_cpu_add(preempt_count, amount);
}

/* It was lower than AMOUNT: somebody has subtracted what nobody had added.  Panics. */
void preempt_count_wrapped(unsigned int amount);

static inline void preempt_count_sub(unsigned int amount)
{
	if (this_cpu_sub(preempt_count, amount).borrow)
		preempt_count_wrapped(amount);
}

/* Preemption is on again, and another thread should run: kernel/core/sched.c. */
void sched_preempt(void);

/* The outermost one lets a thread run that was woken meanwhile and is more
 * urgent, or whose turn it is. */
static inline void preempt_enable(void)
{
	static_assert(PREEMPT_ONE == 1, "what it subtracts");
	this_cpu_preempt_enable();
}

/*
 * May this context sleep?  In a thread, preemption on, interrupts on, and
 * threads exist.
 */
static inline bool may_sleep_here(void)
{
	return preempt_count() == 0 && this_cpu_read(thread) != NULL &&
	       arch_irq_enabled();
}
#endif

static inline void preempt_disable(void)
{
	preempt_count_add(PREEMPT_ONE);
}

/* The same, but a more urgent thread waits for the next occasion to run. */
static inline void preempt_enable_no_resched(void)
{
	preempt_count_sub(PREEMPT_ONE);
}

/* In a hard interrupt, soft work or an NMI. */
static inline bool in_interrupt(void)
{
	return (preempt_count() & (SOFTIRQ_MASK | HARDIRQ_MASK | NMI_MASK)) !=
	       0;
}

static inline bool in_hardirq(void)
{
	return (preempt_count() & HARDIRQ_MASK) != 0;
}

static inline bool in_nmi(void)
{
	return (preempt_count() & NMI_MASK) != 0;
}

/*
 * might_sleep(): the first word of a function that may sleep, also where this
 * time it would not have to.  Where sleeping is impossible it reports that
 * function and the place of its call, with a backtrace (each place once), and
 * counts.  Always compiled in.  Returns true if sleeping is fine.
 */
bool might_sleep_at(const char *function, uintptr_t caller);
#define might_sleep() might_sleep_at(__func__, RETURN_ADDRESS())
unsigned long might_sleep_violations(void);

/* A name for this context, for reports: "irq 0 timer", "thread shell", "nmi". */
const char *context_name(void);

#endif

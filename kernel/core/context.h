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
 *	bit  24		this CPU's page lists are between two states (mm/pcp_hot.h)
 *
 * It is kept one bit further left.  Bit 0 of that word is 1 unless another thread should
 * run soon, so that one subtraction says whether anything is to be done: the word is 0
 * only if preemption is on and a thread waits, and it wraps if there was nothing to
 * subtract.
 *
 * Source: Linux 6.12 include/linux/preempt.h, arch/x86/include/asm/preempt.h
 * (PREEMPT_NEED_RESCHED).
 *
 * All functions may be called from any context.
 */
#ifndef KERNEL_CORE_CONTEXT_H
#define KERNEL_CORE_CONTEXT_H

#include "kernel/arch/arch.h"
#include "lib/types.h"

struct pcp_cpu;

#if !__STDC_HOSTED__
#include "kernel/arch/percpu.h"
#endif

#define PREEMPT_ONE        (1U << 0)
#define HARDIRQ_ONE        (1U << 16)
#define NMI_ONE            (1U << 20)
#define PREEMPT_MASK       0x000000ffU
#define SOFTIRQ_MASK       0x0000ff00U
#define HARDIRQ_MASK       0x000f0000U
#define NMI_MASK           0x00f00000U
#define LISTS_ONE          (1U << 24)

/* Bits of preempt_count in the word of struct cpu. */
#define PREEMPT_WORD(bits) ((bits) << 1)

#if __STDC_HOSTED__
unsigned int preempt_count(void);
void preempt_count_add(unsigned int amount);
void preempt_count_sub(unsigned int amount);
bool preempt_count_has(unsigned int bits);
bool cpu_has_preempt_count(unsigned int id, unsigned int bits);
struct pcp_cpu *this_cpu_lists(void);
void cpu_set_lists(unsigned int id, struct pcp_cpu *lists);
void preempt_count_end(unsigned int amount);
bool may_sleep_here(void);
#else
static inline unsigned int preempt_count(void)
{
	return this_cpu_read(preempt) >> 1;
}

/* Has it one of BITS? */
static inline bool preempt_count_has(unsigned int bits)
{
	return this_cpu_test(preempt, PREEMPT_WORD(bits));
}

/* The same of CPU number ID: a guess, if it is another one. */
static inline bool cpu_has_preempt_count(unsigned int id, unsigned int bits)
{
	return (READ_ONCE(cpu_data[id].preempt) & PREEMPT_WORD(bits)) != 0;
}

/* The page lists of this CPU, for the shortcut of mm/pcp_hot.h; of CPU number ID, from now
 * on: pcp_shortcut_update() alone sets them. */
static inline struct pcp_cpu *this_cpu_lists(void)
{
	return this_cpu_read(page_lists);
}

static inline void cpu_set_lists(unsigned int id, struct pcp_cpu *lists)
{
	WRITE_ONCE(cpu_data[id].page_lists, lists);
}

static inline void preempt_count_add(unsigned int amount)
{
	this_cpu_add(preempt, PREEMPT_WORD(amount));
}

/* It was lower than AMOUNT: somebody has subtracted what nobody had added.  Panics. */
void preempt_count_wrapped(unsigned int amount);

static inline void preempt_count_sub(unsigned int amount)
{
	if (this_cpu_sub(preempt, PREEMPT_WORD(amount)).borrow)
		preempt_count_wrapped(amount);
}

/* It is COUNT.  Interrupts are off. */
static inline void preempt_count_set(unsigned int count)
{
	this_cpu_write(preempt, PREEMPT_WORD(count) | (this_cpu_read(preempt) &
	                                               PREEMPT_NO_RESCHED));
}

/* Another thread should run soon; no, it should not. */
static inline void set_need_resched(void)
{
	this_cpu_and(preempt, ~PREEMPT_NO_RESCHED);
}

static inline void clear_need_resched(void)
{
	this_cpu_or(preempt, PREEMPT_NO_RESCHED);
}

/* Should one run now: is preemption on, too? */
static inline bool preempt_is_due(void)
{
	return this_cpu_read(preempt) == 0;
}

/* Preemption is on again, and another thread should run: kernel/core/sched.c. */
void sched_preempt(void);

/* AMOUNT, a constant, less.  The outermost one lets a thread run that was woken meanwhile
 * and is more urgent, or whose turn it is. */
#define preempt_count_end(amount) this_cpu_preempt_end(PREEMPT_WORD(amount))

/*
 * May this context sleep?  In a thread, preemption on, interrupts on, and
 * threads exist.
 */
static inline bool may_sleep_here(void)
{
	return !preempt_count_has(~0U >> 1) && this_cpu_read(thread) != NULL &&
	       arch_irq_enabled();
}
#endif

static inline void preempt_disable(void)
{
	preempt_count_add(PREEMPT_ONE);
}

static inline void preempt_enable(void)
{
	preempt_count_end(PREEMPT_ONE);
}

/* The same, but a more urgent thread waits for the next occasion to run. */
static inline void preempt_enable_no_resched(void)
{
	preempt_count_sub(PREEMPT_ONE);
}

/* In a hard interrupt, soft work or an NMI. */
static inline bool in_interrupt(void)
{
	return preempt_count_has(SOFTIRQ_MASK | HARDIRQ_MASK | NMI_MASK);
}

static inline bool in_hardirq(void)
{
	return preempt_count_has(HARDIRQ_MASK);
}

static inline bool in_nmi(void)
{
	return preempt_count_has(NMI_MASK);
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

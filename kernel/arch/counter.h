/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/counter.h -- counters that each CPU has for itself.
 *
 * A counter is a word in the row of each CPU, and the rows are COUNTER_STRIDE bytes apart,
 * as are the struct cpu.  So the way from a CPU's struct cpu, which is where GS.base
 * points, to its word is the same for all CPUs:
 *
 *	CPU 0      CPU 1      ...         row 0      row 1
 *	+----------+----------+--         +----------+----------+--
 *	|          |          |           |   word   |   word   |
 *	+----------+----------+--         +----------+----------+--
 *	|          +------------ way ----------------->|
 *	+----------------------- way ------>|
 *
 * and one instruction, add to gs:[way], finds the CPU and adds.  An interrupt or an NMI
 * comes before it or after it, and a thread moves to another CPU before it or after
 * it.  Nothing is lost, without a lock prefix, in any context.  A reader adds up
 * the rows: each word only grows, by what its own CPU adds, so the sum is exact when
 * nobody adds, and otherwise lies between what it was and what it is.
 *
 * On the host the same functions are in tests/host/machine.c.
 *
 * Source: Linux 6.12 include/linux/percpu-defs.h, mm/vmstat.c (vm_event_states).
 */
#ifndef KERNEL_ARCH_COUNTER_H
#define KERNEL_ARCH_COUNTER_H

#include "kernel/arch/arch.h"
#include "lib/types.h"
#if !__STDC_HOSTED__
#include "kernel/arch/percpu.h"
#endif

/* Counters of a row. */
#define COUNTER_ROW (COUNTER_STRIDE / sizeof(unsigned long))

#if __STDC_HOSTED__
unsigned long *arch_counter_way(unsigned long *rows);
void arch_counter_add(unsigned long *way, unsigned long amount);
#else
/* The way to the first counter of ROWS; the others follow it, as in a row.  No pointer:
 * arch_counter_add() alone can use it. */
static inline unsigned long *arch_counter_way(unsigned long *rows)
{
	return (unsigned long *)((uintptr_t)rows - (uintptr_t)cpu_data);
}

/* Add AMOUNT to the counter on WAY in the row of the CPU that runs. */
static inline void arch_counter_add(unsigned long *way, unsigned long amount)
{
	unsigned long *counter = way;

	__asm__ volatile("addq %1, %%gs:%0"
	                 : "+m"(*counter)
	                 : "re"(amount)
	                 : "cc", "memory");
}
#endif

/* The sum over ROWS rows; COUNTER is in the first. */
static inline unsigned long arch_counter_read(const unsigned long *counter,
                                              unsigned int rows)
{
	unsigned long sum = 0;

	for (unsigned int cpu = 0; cpu < rows; cpu++)
		sum += __atomic_load_n(counter + cpu * COUNTER_ROW,
		                       __ATOMIC_RELAXED);
	return sum;
}

#endif

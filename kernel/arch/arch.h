/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/arch.h -- the kernel's interface to its processor.
 *
 * kernel/arch/ is everything that depends on x86_64, and has all the inline
 * assembly of the kernel:
 *
 *	arch, io, registers, percpu	instructions and registers, as functions
 *	cpu				features, descriptor tables, protections
 *	image, page_table, paging	the kernel's address space
 *	direct_map, mapping, window	frames that leave the direct map, and the
 *					addresses that only their owner can use
 *	vmap				addresses that are mapped page by page
 *	trap, copy			from an exception or interrupt into C
 *	switch				from one stack to another
 *	stack_protector, crumb		guards, and traces of the boot
 *	irqsoff, provoke, step		instruments for tests
 *
 * It uses lib/ alone.  It makes no decisions: a handler that it calls was
 * registered by a higher floor.
 *
 * This file has declarations only; tests/host/ defines the same functions for
 * host programs.  All of them may be called from any context unless a comment
 * says otherwise.
 */
#ifndef KERNEL_ARCH_ARCH_H
#define KERNEL_ARCH_ARCH_H

#include "lib/types.h"
#if !__STDC_HOSTED__
#include "kernel/arch/registers.h"
#endif

#define MAX_CPUS       8

/* From one struct cpu to the next, and from one CPU's counters to the next one's:
 * kernel/arch/counter.h. */
#define COUNTER_STRIDE 1024

/* The number of the CPU that asks, 0 .. MAX_CPUS-1. */
#if __STDC_HOSTED__
unsigned int arch_cpu_id(void);
#endif /* else: kernel/arch/percpu.h */

/* Mask interrupts on this CPU; was RFLAGS.IF set?  Pairs with _restore. */
bool arch_irq_save(void);
void arch_irq_restore(bool enabled);

/* RFLAGS.IF of this CPU. */
#if __STDC_HOSTED__
bool arch_irq_enabled(void);
#else
static inline bool arch_irq_enabled(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\t"
	                 "popq %0"
	                 : "=r"(flags)
	                 :
	                 : "memory");
	return (flags & RFLAGS_IF) != 0;
}
#endif

void arch_irq_enable(void);
void arch_irq_disable(void);

/* Enable interrupts and sleep until one arrives (sti; hlt). */
void arch_wait_for_interrupt(void);

/* A hint inside a loop that waits for another CPU or device. */
void arch_relax(void);

/* Zero the page at ADDRESS, which begins there.  Linux: clear_page(). */
void arch_clear_page(void *address);

/* The time-stamp counter: cycles, monotonic on one CPU. */
uint64_t arch_cycles(void);

/* All code is less than 2 GiB from here: in the kernel it lies in the last 2 GiB. */
#if __STDC_HOSTED__
#define ARCH_CODE_BASE ((uintptr_t)arch_cycles)
#else
#define ARCH_CODE_BASE 0UL
#endif

/*
 * Enter the vector of line IRQ by an INT instruction.  The controller has none
 * in service: on lines 7 and 15 that is what a spurious interrupt looks like, on
 * another one the handler is called and finds nothing to do.  For tests.
 */
void arch_raise_irq_vector(unsigned int irq);

/* Stop this CPU for good: interrupts off, halt. */
__noreturn void arch_halt_forever(void);

/*
 * The lowest virtual address of the direct map: frame N's bytes are at
 * direct_map_base + N * 4096 while the frame is visible.  Constant once
 * memory is up; each world defines it.
 */
extern uintptr_t direct_map_base;

#endif

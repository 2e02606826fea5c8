/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/arch.h -- what the kernel asks of the processor it runs on.
 *
 * Declarations only: tests/host/ answers for the same names.  All of them may
 * be called from any context unless the line says otherwise.
 */
#ifndef KERNEL_ARCH_ARCH_H
#define KERNEL_ARCH_ARCH_H

#include "lib/types.h"

#define MAX_CPUS 8

/* The number of the CPU that asks, 0 .. MAX_CPUS-1. */
unsigned int arch_cpu_id(void);

/* Mask interrupts on this CPU; was RFLAGS.IF set?  Pairs with _restore. */
bool arch_irq_save(void);
void arch_irq_restore(bool enabled);

/* RFLAGS.IF of this CPU. */
bool arch_irq_enabled(void);
void arch_irq_enable(void);
void arch_irq_disable(void);

/* Enable interrupts and sleep until one arrives (sti; hlt). */
void arch_wait_for_interrupt(void);

/* A hint inside a loop that waits for another CPU or device. */
void arch_relax(void);

/* The time-stamp counter: cycles, monotonic on one CPU. */
uint64_t arch_cycles(void);

/*
 * Enter the vector of line IRQ by an INT instruction.  The controller has none
 * in service: on lines 7 and 15 that is what a spurious interrupt looks like, on
 * another one the handler is called and finds nothing to do.  For tests.
 */
void arch_raise_irq_vector(unsigned int irq);

/* Stop this CPU for good: interrupts off, halt. */
__noreturn void arch_halt_for_ever(void);

/*
 * The lowest virtual address of the direct map: frame N's bytes are at
 * direct_map_base + N * 4096 while the frame is visible.  Constant once
 * memory is up; each world defines it.
 */
extern uintptr_t direct_map_base;

#endif

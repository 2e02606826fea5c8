/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/switch.h -- from one stack to another.
 */
#ifndef KERNEL_ARCH_SWITCH_H
#define KERNEL_ARCH_SWITCH_H

#include "lib/types.h"

/*
 * Save the callee-saved registers on this stack, its pointer in *SAVE, and go
 * on where the stack LOAD was left.  Interrupts off.
 */
void arch_switch_stack(uint64_t *save, uint64_t load);

/*
 * Prepare an empty stack that ends below TOP (16-byte aligned) so that the
 * first switch to it calls ENTRY(), which never returns.  Returns what to LOAD.
 */
uint64_t arch_prepare_stack(void *top, void (*entry)(void));

/*
 * Where a backtrace of a stack begins that arch_switch_stack() left with
 * STACK_POINTER: the address of a pair (outer frame, return address).
 */
uintptr_t arch_switched_frame(uint64_t stack_pointer);

#endif

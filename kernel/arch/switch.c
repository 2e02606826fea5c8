/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/switch.c -- a stack that has never run looks as if it had been
 * left by arch_switch_stack(), called from the first instruction of its entry:
 *
 *	top -  8	0: where a return address would be; ends backtraces
 *	top - 16	entry: where arch_switch_stack() "returns" to
 *	top - 64	six registers, 0
 */
#include "kernel/arch/switch.h"

#define SAVED_REGISTERS 6

/* Five registers, then rbp, then the return address: a pair as in any frame. */
uintptr_t arch_switched_frame(uint64_t stack_pointer)
{
	return stack_pointer + (SAVED_REGISTERS - 1) * sizeof(uint64_t);
}

uint64_t arch_prepare_stack(void *top, void (*entry)(void))
{
	uint64_t *stack = top;

	*--stack = 0;
	*--stack = (uint64_t)(uintptr_t)entry;
	for (unsigned int i = 0; i < SAVED_REGISTERS; i++)
		*--stack = 0;
	return (uint64_t)(uintptr_t)stack;
}

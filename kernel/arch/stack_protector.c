/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/stack_protector.c -- the guard word, and what happens when a copy
 * of it has changed.
 *
 * -fstack-protector-strong gives each function that has an array, or passes on
 * the address of a local variable, a frame like this:
 *
 *	| arrays, other locals | guard | caller's rbp | return address |
 *	  --- a write that runs on upwards --->
 *
 * The change is noticed when the function returns, before the return
 * address is used.  There is no random number generator: the guard is two
 * readings of the time-stamp counter, stirred.  It detects accidents, not
 * an attacker that can read memory.  Its lowest byte is 0, so that no string that is
 * copied too far can write it.
 *
 * __stack_chk_fail() is an invalid opcode and not a panic, so that it goes the way
 * of all faults (kernel/core/fault.c): a test can catch it, everybody else
 * panics with the name of the function.
 */
#include "kernel/arch/stack_protector.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/trap.h"

/* An odd number with bits everywhere: 2^64 divided by the golden ratio. */
#define STIR     0x9e3779b97f4a7c15UL
#define LOW_BYTE 0xffUL

/* In trap.asm: where in __stack_chk_fail() its invalid opcode is. */
#define CHK_TRAP 32

uint64_t __stack_chk_guard;

void stack_protector_init(uint64_t seed)
{
	uint64_t guard = seed * STIR ^ arch_cycles();

	guard = (guard ^ guard >> 29) * STIR;
	guard ^= guard >> 32;
	__stack_chk_guard = (guard * STIR) & ~LOW_BYTE;
}

bool stack_protector_trapped(const struct trap_frame *frame, uintptr_t *caller)
{
	const uintptr_t *link = (const uintptr_t *)frame->rbp;

	if (frame->vector != VECTOR_INVALID_OP ||
	    frame->rip != (uintptr_t)__stack_chk_fail + CHK_TRAP)
		return false;
	/* The call was the last instruction of the function. */
	*caller = link[1] - 1;
	return true;
}

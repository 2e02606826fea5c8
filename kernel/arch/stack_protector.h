/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/stack_protector.h -- did a function write past its arrays?
 *
 * The compiler puts a copy of one secret word, the guard, between the arrays of
 * a function and its return address, and compares the two before it returns.
 */
#ifndef KERNEL_ARCH_STACK_PROTECTOR_H
#define KERNEL_ARCH_STACK_PROTECTOR_H

#include "lib/types.h"

struct trap_frame;

/*
 * Choose the guard from SEED, a time-stamp, and from now.  The first thing in
 * kmain(): no function with a copy of the guard may be running.
 */
void stack_protector_init(uint64_t seed);

/*
 * Is FRAME the trap of a function that found its copy changed?  Then *CALLER is
 * an address in that function.  Any context; reads the code and one word of the
 * stack of FRAME, which are mapped if it is.
 */
bool stack_protector_trapped(const struct trap_frame *frame, uintptr_t *caller);

/* The names that compilers call. */
extern uint64_t __stack_chk_guard;
__noreturn void __stack_chk_fail(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/provoke.h -- instructions that fault, for tests.
 *
 * Each of these executes the instruction of its name, which no compiler would
 * emit; the CPU raises the exception behind it (Intel SDM vol. 3A, table 6-1, and
 * the pages of the instructions in vol. 2).  For fault_catch(); the argument is
 * the address in question, or is not looked at.  Thread or interrupt context.
 */
#ifndef KERNEL_ARCH_PROVOKE_H
#define KERNEL_ARCH_PROVOKE_H

void provoke_int3(void *unused);         /* breakpoint */
void provoke_int_4(void *unused);        /* overflow */
void provoke_daa(void *unused);          /* invalid opcode: not in long mode */
void provoke_bound(void *unused);        /* invalid opcode: not in long mode */
void provoke_ud1(void *unused);          /* invalid opcode */
void provoke_ud2(void *unused);          /* invalid opcode */
void provoke_div_zero(void *unused);     /* divide error: by 0 */
void provoke_div_big(void *unused);      /* divide error: 2^64 / 1 */
void provoke_idiv_minimum(void *unused); /* divide error: -2^63 / -1 */
void provoke_fninit(void *unused);       /* device not available: CR0.TS */
void provoke_stack_read(void *address);  /* reads through the stack segment */
void provoke_jump(void *address);        /* jmp */
void provoke_return(void *address);      /* push, ret */

/* Moves the stack pointer down, writing, until something stops it. */
void provoke_stack_overflow(void *unused);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tests/bench/thin_machine.h -- a machine on the host that costs what the kernel's does.
 *
 * The suites' machine (tests/host/machine.c) watches each step, and that would be most of
 * what a benchmark counts.  Here mm/ is compiled as for the kernel: what a CPU has for
 * itself is found relative to GS (kernel/arch/percpu.h).  Spinlocks and the interrupt
 * flag are variables of this file, without the watch over the order of locks.  All
 * else is the suites' machine.
 */
#ifndef TESTS_BENCH_THIN_MACHINE_H
#define TESTS_BENCH_THIN_MACHINE_H

struct thread;

/* This thread of the host is CPU 0, and runs THREAD from now on.  First before the first
 * node is made. */
void thin_machine_run(struct thread *thread);

/* Is all as it was: no lock held, interrupts and preemption on? */
_Bool thin_machine_is_idle(void);

#endif

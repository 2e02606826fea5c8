/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/watchdog.h -- a hung machine says so.
 *
 * Looked after by the timer's interrupt: a CPU on which, for the time limit, no
 * other thread could run although one wanted to; and a thread that has waited
 * for memory, or for a mutex, a semaphore or a completion without a time limit,
 * for so long.  Each incident is reported once, with a backtrace; for a mutex, its
 * holder is named, since when it holds it and where it is.
 */
#ifndef KERNEL_CORE_WATCHDOG_H
#define KERNEL_CORE_WATCHDOG_H

#include "kernel/core/sched.h"

/* The limit: kernel command line word watchdog=SECONDS (0: none); 20. */
#define WATCHDOG_SECONDS 20

/* clock_tick() calls it. */
void watchdog_tick(void);

/*
 * Floor 9 registers two functions that visit the threads: VISIT all of them, SOME a few
 * in each call, which is true if these were the last ones.  Both are called in the
 * timer's interrupt, all of them are visited for a report only.
 */
typedef void (*watchdog_visit)(struct thread *thread, void *data);
void watchdog_register_threads(void (*visit)(watchdog_visit each, void *data),
                               bool (*some)(watchdog_visit each, void *data));

/* The running thread begins to wait for memory; it has some, or gave up.  They
 * do not nest. */
void memory_wait_begin(void);
void memory_wait_end(void);

/* Likewise for MUTEX, or, if that is NULL, for a semaphore or a completion. */
void lock_wait_begin(struct mutex *mutex);
void lock_wait_end(void);

/* The limit in microseconds (0: none), and reports since boot. */
uint64_t watchdog_limit(void);
void watchdog_set_limit(uint64_t microseconds);
unsigned long watchdog_reports(void);

#endif

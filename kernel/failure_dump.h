/* SPDX-License-Identifier: MIT */
/*
 * kernel/failure_dump.h -- the dump of a request that failed with interrupts off.
 */
#ifndef KERNEL_FAILURE_DUMP_H
#define KERNEL_FAILURE_DUMP_H

/* From now on such dumps are copied where they happen and printed by the worker.
 * Thread context, once. */
void failure_dump_start(void);

#endif

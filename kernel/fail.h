/* SPDX-License-Identifier: MIT */
/*
 * kernel/fail.h -- the settings of fault injection, by name (mm/debug/fault_inject.h).
 */
#ifndef KERNEL_FAIL_H
#define KERNEL_FAIL_H

#include "lib/types.h"

/* Do what fail_page_alloc= and fail_nth= on the command line asked for, to the
 * running thread.  Once, when the boot is over. */
void fail_start(void);

/*
 * Set by a word "name=value", names as in Linux's debugfs; for the running
 * thread make-it-fail=0|1 and fail-nth=N[,forever].  0, -EINVAL (no such name,
 * no number) or -ERANGE.  Thread context.
 */
__must_check int fail_set(const char *word);

/* The defaults: nothing fails. */
void fail_reset(void);

/* Call VISIT for each setting. */
void fail_visit(void (*visit)(const char *name, long value));

#endif

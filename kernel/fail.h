/* SPDX-License-Identifier: MIT */
/*
 * kernel/fail.h -- the settings of fault injection, by name (mm/debug/fault_inject.h).
 */
#ifndef KERNEL_FAIL_H
#define KERNEL_FAIL_H

#include "lib/types.h"

/* Requests for pages (fail_page_alloc), and for objects of the slab allocator. */
enum fail_point {
	FAIL_PAGE_ALLOC,
	FAIL_SLAB,
	FAIL_POINTS,
};

/* Do what fail_page_alloc=, failslab= and fail_nth= on the command line asked for, the
 * last to the running thread.  Once, when the boot is over. */
void fail_start(void);

/*
 * Set by a word "name=value", names as in Linux's debugfs; for the running thread
 * make-it-fail=0|1 and, with pages, fail-nth=N[,forever].  Objects have no order, no zone
 * and no ignore-gfp-highmem.  0, -EINVAL (no such name, no such value), -ERANGE, or -ENOENT (no
 * such place in the code).  Thread context.
 */
__must_check int fail_set(enum fail_point point, const char *word);

/* The defaults: nothing fails. */
void fail_reset(enum fail_point point);

/* Call VISIT for each setting. */
void fail_visit(enum fail_point point,
                void (*visit)(const char *name, const char *value));

#endif

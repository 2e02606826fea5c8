/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/no_samples.h -- for cases in which an object must get the place of the one that
 * was freed last: a sample of kfence would get another.
 */
#ifndef TESTS_KERNEL_NO_SAMPLES_H
#define TESTS_KERNEL_NO_SAMPLES_H

#include "mm/node.h"
#include "mm/slab/kfence.h"

/* No samples from now on; what to give back afterwards. */
static inline unsigned long no_samples_begin(void)
{
	unsigned long interval = kfence_interval(main_node());

	(void)kfence_set_interval(main_node(), 0);
	return interval;
}

static inline void no_samples_end(unsigned long interval)
{
	(void)kfence_set_interval(main_node(), interval);
}

#endif

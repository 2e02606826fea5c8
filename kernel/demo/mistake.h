/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/mistake.h -- the mistakes that people make in a kernel, on request.
 */
#ifndef KERNEL_DEMO_MISTAKE_H
#define KERNEL_DEMO_MISTAKE_H

#include "lib/types.h"

struct mistake {
	const char *name;
	const char *about; /* one line */
	void (*commit)(void);
};

/* Mistake INDEX, or NULL after the last one. */
const struct mistake *mistake_at(unsigned int index);

#endif

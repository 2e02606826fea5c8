/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/touch.h -- for suites of detectors: a write that faults, and what the fault
 * says of the memory.
 */
#ifndef TESTS_KERNEL_TOUCH_H
#define TESTS_KERNEL_TOUCH_H

#include "kernel/arch/trap.h"
#include "kernel/core/fault.h"
#include "kernel/core/line_table.h"
#include "lib/string.h"

struct touched {
	volatile uint8_t *memory;
	enum fault_kind kind; /* FAULT_OTHER: none was caught yet */
	struct fault_area area;
};

static inline bool touched_matches(const struct fault *fault, void *data)
{
	struct touched *touched = data;

	touched->kind = fault->kind;
	touched->area = fault->area;
	return fault->address == (uintptr_t)touched->memory;
}

/* Write to its byte. */
static inline void touch(void *data)
{
	*((struct touched *)data)->memory = 1;
}

/* The same; is there a fault at that byte?  Its kind and area are noted. */
static inline bool touch_faults(struct touched *touched)
{
	struct fault_expect expect = { .match = touched_matches,
		                       .data = touched };

	touched->kind = FAULT_OTHER;
	return fault_catch(&expect, touch, touched);
}

/* Is LINE of FILE that of the call which returns to CALLER? */
static inline bool is_line_of(uintptr_t caller, const char *file,
                              unsigned int line)
{
	unsigned int found;
	const char *name = line_find(caller - 1, &found);

	return name != NULL && strcmp(name, file) == 0 && found == line;
}

#endif

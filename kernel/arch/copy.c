/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/copy.c -- the exception table of copy.asm.
 *
 * A fault belongs to the caller if it comes from an instruction of the table and on
 * the side that the row names.  A page fault says whether it was a write; a general
 * protection fault, which is what an address that is not canonical raises, does not,
 * and the register is looked at.
 *
 * Source: Intel SDM vol. 1, 3.3.7.1 "Canonical Addressing".
 */
#include "kernel/arch/copy.h"

#define CANONICAL_BITS 48

struct row {
	uintptr_t at;
	uintptr_t go_on;
	uint64_t writes;
};
static_assert(sizeof(struct row) == 3 * sizeof(uint64_t), "copy.asm");

/* In copy.asm. */
extern const struct row copy_table[];
extern const struct row copy_table_end[];

static bool copy_is_canonical(uint64_t address)
{
	int64_t top = (int64_t)address >> (CANONICAL_BITS - 1);

	return top == 0 || top == -1;
}

static bool copy_is_callers(const struct row *row,
                            const struct trap_frame *frame)
{
	bool writes = (frame->error & PF_WRITE) != 0;

	if (frame->vector == VECTOR_PROTECTION)
		return !copy_is_canonical(row->writes ? frame->rdi
		                                      : frame->rsi);
	return frame->vector == VECTOR_PAGE_FAULT &&
	       writes == (row->writes != 0);
}

bool copy_fix_up(struct trap_frame *frame)
{
	for (const struct row *row = copy_table; row < copy_table_end; row++) {
		if (frame->rip != row->at || !copy_is_callers(row, frame))
			continue;
		frame->rip = row->go_on;
		return true;
	}
	return false;
}

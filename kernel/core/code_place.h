/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/code_place.h -- a place in the code that is named by a human.
 *
 *	buddy_take               a function, but not what the compiler put into its callers
 *	kernel/thread.c          all code of a file
 *	kernel/thread.c:120      that of one line
 *
 * All functions may be called from any context.
 */
#ifndef KERNEL_CORE_CODE_PLACE_H
#define KERNEL_CORE_CODE_PLACE_H

#include "lib/types.h"

/* All zero: no place. */
struct code_place {
	uintptr_t start;   /* of a function; 0: of none */
	uintptr_t end;     /* ... and the first address behind it */
	const char *file;  /* line_file_find()'s; NULL: a function is meant */
	unsigned int line; /* 0: all lines */
};

static inline bool code_place_is_set(const struct code_place *place)
{
	return place->start != 0 || place->file != NULL;
}

/*
 * The place that TEXT names, or "any": none, into *PLACE.  0, or -ENOENT: there is no such
 * function or file, or no code in that line; then *PLACE is as before.
 */
__must_check int code_place_parse(const char *text, struct code_place *place);

/* Does the call that returns to RETURN_ADDRESS lie in PLACE, which is set? */
bool code_place_has(const struct code_place *place, uintptr_t return_address);

/* Room for what the next one writes. */
#define CODE_PLACE_SIZE 128

/* TEXT again, into the SIZE bytes of BUFFER, which it returns. */
const char *code_place_format(char *buffer, size_t size,
                              const struct code_place *place);

#endif

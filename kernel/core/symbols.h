/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/symbols.h -- from addresses to function names.
 *
 * The build links twice: the names and addresses of the first link become a
 * sorted table in a loaded read-only section, the second link carries it.
 */
#ifndef KERNEL_CORE_SYMBOLS_H
#define KERNEL_CORE_SYMBOLS_H

#include "lib/types.h"

/* One function; the table is sorted by address. */
struct symbol_entry {
	uint32_t address; /* the low 32 bits; the image lies in one 4 GiB */
	uint32_t name;    /* offset into symbol_names */
};

/* Made by the build. */
extern const uint32_t symbol_count;
extern const struct symbol_entry symbol_table[];
extern const char symbol_names[];

/*
 * The function that contains ADDRESS, and in *OFFSET how far into it.  NULL
 * (and *OFFSET 0) if it is in none.  Any context.
 */
const char *symbol_name(uintptr_t address, unsigned long *offset);

/* "buddy_take+0x1f" or "0xffff..." into BUFFER.  Returns BUFFER. */
const char *symbol_format(char *buffer, size_t size, uintptr_t address);

#endif

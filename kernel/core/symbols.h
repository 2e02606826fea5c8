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

/*
 * Made by the build (iso/mksymbols), sorted by address.  A name is a string in which
 * a byte from SYMBOL_WORD on stands for one of 128 words, as in Linux's kallsyms:
 * the names are half as long so.
 */
extern const uint32_t symbol_count;
extern const uint32_t symbol_address[]; /* the low 32 bits */
extern const uint32_t symbol_start[];   /* in symbol_names, of each 16th name */
extern const char symbol_names[];
extern const uint16_t symbol_word[]; /* in symbol_words */
extern const char symbol_words[];
#define SYMBOL_WORD      0x80
#define SYMBOL_STRIDE    16U

/* Room for each name in the image, with its NUL. */
#define SYMBOL_NAME_SIZE 128

/*
 * The function that contains ADDRESS into the SIZE bytes of BUFFER, cut if need be,
 * and in *OFFSET how far into it.  Returns BUFFER, or NULL (and *OFFSET 0) if it is
 * in none.  Any context.
 */
const char *symbol_name(char *buffer, size_t size, uintptr_t address,
                        unsigned long *offset);

/* The function with that NAME reaches from *START to before *END.  False: there is none.
 * All names are read one after the other.  Any context. */
bool symbol_range(const char *name, uintptr_t *start, uintptr_t *end);

/* "buddy_take+0x1f" or "0xffff..." into BUFFER.  Returns BUFFER. */
const char *symbol_format(char *buffer, size_t size, uintptr_t address);

#endif

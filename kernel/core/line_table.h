/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/line_table.h -- from addresses to lines of the source.
 *
 * The build makes the table out of the debugging information of the first link,
 * and the second link carries it (iso/mklines).  All functions may be called
 * from any context.
 */
#ifndef KERNEL_CORE_LINE_TABLE_H
#define KERNEL_CORE_LINE_TABLE_H

#include "lib/types.h"

/* The lines of all files are numbered through: this file's line n is number
 * `before` + n.  Sorted. */
struct line_file {
	uint32_t before;
	const char *name; /* from the root of the source */
};

/* A stretch of the table that can be read by itself; sorted by address. */
struct line_block {
	uint32_t address; /* the low 32 bits, of its first row */
	uint32_t number;  /* of its first row; 0: no line */
	uint32_t offset;  /* into line_code, of its second */
};

/* Made by the build. */
extern const uint32_t line_blocks;
extern const uint32_t line_bytes;
extern const uint32_t line_files;
extern const struct line_block line_block[];
extern const uint8_t line_code[];
extern const struct line_file line_file[];

/*
 * The file that the instruction at ADDRESS was compiled from, and its line in
 * *LINE.  NULL (and *LINE 0) if it was compiled from none.
 */
const char *line_find(uintptr_t address, unsigned int *line);

/* The name in the table of the file that the LENGTH bytes at NAME name, which line_find()
 * returns; NULL: no code was compiled from it. */
const char *line_file_find(const char *name, size_t length);

/* Was an instruction compiled from LINE of FILE, a name in the table?  The whole table is
 * read. */
bool line_has_code(const char *file, unsigned int line);

/* Enough for what the next two write; names that are longer are cut. */
#define PLACE_SIZE 112

/*
 * Into BUFFER, which it returns: "buddy_take+0x1f (mm/buddy.c:120)"; without the
 * line, or the address alone, where there is no more to say.  A place is where
 * an instruction is; a caller is named by the address that its call returns to,
 * and the line is that of the call.
 */
const char *place_format(char *buffer, size_t size, uintptr_t address);
const char *caller_format(char *buffer, size_t size, uintptr_t return_address);

#endif

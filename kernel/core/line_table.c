/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/line_table.c -- reading the table of source lines.
 *
 * A row says: from this address on, up to that of the next row, the code is
 * this line's.  iso/mklines writes the rows and says how they are packed, about
 * two bytes each; here a binary search finds the block, and its rows are
 * unpacked one by one up to the address.  All of the code lies in the last
 * 2 GiB, so 32 bits of an address are enough.
 *
 * Panics read it: a table that is damaged may give a wrong line, but no index
 * leaves an array, and a block ends where its bytes end.
 */
#include "kernel/core/line_table.h"

#include "kernel/arch/image.h"
#include "kernel/core/symbols.h"
#include "lib/format.h"
#include "lib/string.h"

#define ADDRESS_SHIFT 4
#define ADDRESS_LONG  0  /* the high half of a row: a varint follows */
#define NUMBER_LONG   15 /* the low half */
#define NUMBER_BIAS   7
#define NUMBER_MASK   15

/* Where the reading is. */
struct line_cursor {
	uint32_t at; /* in line_code */
	uint32_t end;
	uint32_t address; /* of the row that was read */
	uint32_t number;
};

static uint32_t line_byte(struct line_cursor *cursor)
{
	return cursor->at < cursor->end ? line_code[cursor->at++] : 0;
}

/* Seven bits a byte, the lowest first; the last byte is below 0x80. */
static uint32_t line_varint(struct line_cursor *cursor)
{
	uint32_t value = 0;

	for (unsigned int shift = 0; shift < 32; shift += 7) {
		uint32_t byte = line_byte(cursor);

		value |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			break;
	}
	return value;
}

static void line_next(struct line_cursor *cursor)
{
	uint32_t row = line_byte(cursor);
	uint32_t forward = row >> ADDRESS_SHIFT;
	uint32_t step = row & NUMBER_MASK;

	if (forward == ADDRESS_LONG)
		forward = line_varint(cursor);
	cursor->address += forward;
	if (step != NUMBER_LONG) {
		cursor->number += step - NUMBER_BIAS;
		return;
	}
	step = line_varint(cursor);
	cursor->number += step & 1 ? -(step >> 1) : step >> 1;
}

/* How many blocks begin at or below ADDRESS? */
static uint32_t line_blocks_until(uint32_t address)
{
	uint32_t low = 0;
	uint32_t high = line_blocks;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (line_block[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* At the first row of block INDEX. */
static struct line_cursor line_block_begin(uint32_t index)
{
	return (struct line_cursor){
		.at = line_block[index].offset,
		.end = index + 1 < line_blocks ? line_block[index + 1].offset
		                               : line_bytes,
		.address = line_block[index].address,
		.number = line_block[index].number,
	};
}

/* The number of the line at ADDRESS; 0: none. */
static uint32_t line_table_line_number(uint32_t address)
{
	uint32_t count = line_blocks_until(address);
	struct line_cursor cursor;
	uint32_t number;

	if (count == 0)
		return 0;
	cursor = line_block_begin(count - 1);
	do {
		number = cursor.number;
		if (cursor.at >= cursor.end)
			break;
		line_next(&cursor);
	} while (cursor.address <= address);
	return number;
}

const char *line_find(uintptr_t address, unsigned int *line)
{
	uint32_t number = image_is_text(address)
	                          ? line_table_line_number((uint32_t)address)
	                          : 0;
	uint32_t low = 0;
	uint32_t high = line_files;

	*line = 0;
	if (number == 0)
		return NULL;
	/* The last file with `before` below NUMBER. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (line_file[middle].before < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*line = number - line_file[low - 1].before;
	return line_file[low - 1].name;
}

const char *line_file_find(const char *name, size_t length)
{
	for (uint32_t i = 0; i < line_files; i++) {
		const char *file = line_file[i].name;

		if (strlen(file) == length && memcmp(file, name, length) == 0)
			return file;
	}
	return NULL;
}

/* Has block INDEX a row with NUMBER? */
static bool line_block_has(uint32_t index, uint32_t number)
{
	struct line_cursor cursor = line_block_begin(index);

	while (cursor.number != number && cursor.at < cursor.end)
		line_next(&cursor);
	return cursor.number == number;
}

bool line_has_code(const char *file, unsigned int line)
{
	uint32_t number = line;
	uint32_t index = 0;

	for (; index < line_files && line_file[index].name != file; index++)
		continue;
	if (index == line_files)
		return false;
	number += line_file[index].before;
	/* It would be a line of the next file. */
	if (number < line ||
	    (index + 1 < line_files && number > line_file[index + 1].before))
		return false;
	for (index = 0; index < line_blocks; index++)
		if (line_block_has(index, number))
			return true;
	return false;
}

/* The instruction at ADDRESS is BEHIND bytes before the address to be named. */
static const char *line_format(char *buffer, size_t size, uintptr_t address,
                               unsigned int behind)
{
	char text[SYMBOL_NAME_SIZE];
	unsigned long offset;
	unsigned int line;
	const char *name = symbol_name(text, sizeof(text), address, &offset);
	const char *file = line_find(address, &line);

	if (name == NULL)
		scnprintf(buffer, size, "%#lx",
		          (unsigned long)address + behind);
	else if (file == NULL)
		scnprintf(buffer, size, "%s+0x%lx", name, offset + behind);
	else
		scnprintf(buffer, size, "%s+0x%lx (%s:%u)", name,
		          offset + behind, file, line);
	return buffer;
}

const char *place_format(char *buffer, size_t size, uintptr_t address)
{
	return line_format(buffer, size, address, 0);
}

/* The call is the byte before, and may be a function's last word. */
const char *caller_format(char *buffer, size_t size, uintptr_t return_address)
{
	return line_format(buffer, size, return_address - 1, 1);
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/code_place.c -- functions, files and lines, found by name.
 *
 * A function is a range of addresses.  The code of a line is not: the compiler puts inlined
 * functions anywhere.  So a line is compared with what the table of lines says about
 * an address, and this finds inlined code, too.
 */
#include "kernel/core/code_place.h"

#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/symbols.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"

/* "FILE" or "FILE:LINE". */
static int code_place_parse_line(const char *text, struct code_place *place)
{
	const char *colon = strchr(text, ':');
	size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
	uint64_t line = 0;
	const char *file;

	if (colon != NULL && (parse_number(colon + 1, &line) != 0 ||
	                      line == 0 || line > UINT32_MAX))
		return -ENOENT;
	file = line_file_find(text, length);
	if (file == NULL ||
	    (line != 0 && !line_has_code(file, (unsigned int)line)))
		return -ENOENT;
	*place =
		(struct code_place){ .file = file, .line = (unsigned int)line };
	return 0;
}

int code_place_parse(const char *text, struct code_place *place)
{
	struct code_place function = { 0 };

	if (strcmp(text, "any") == 0) {
		*place = function;
		return 0;
	}
	if (!symbol_range(text, &function.start, &function.end))
		return code_place_parse_line(text, place);
	kassert(function.start < function.end);
	*place = function;
	return 0;
}

bool code_place_has(const struct code_place *place, uintptr_t return_address)
{
	/* A call may be the last instruction of its function. */
	uintptr_t call = return_address - 1;
	unsigned int line;

	kassert(code_place_is_set(place));
	if (place->file == NULL)
		return call >= place->start && call < place->end;
	return line_find(call, &line) == place->file &&
	       (place->line == 0 || place->line == line);
}

const char *code_place_format(char *buffer, size_t size,
                              const struct code_place *place)
{
	unsigned long offset;

	kassert(size > 0);
	if (!code_place_is_set(place))
		scnprintf(buffer, size, "any");
	else if (place->line != 0)
		scnprintf(buffer, size, "%s:%u", place->file, place->line);
	else if (place->file != NULL)
		scnprintf(buffer, size, "%s", place->file);
	else if (symbol_name(buffer, size, place->start, &offset) == NULL)
		scnprintf(buffer, size, "%#lx", (unsigned long)place->start);
	return buffer;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/params.h -- words of the kernel command line.
 *
 * A word is "name" or "name=value", words are separated by blanks.  Each floor
 * registers the names it knows before params_parse() runs (a table in the
 * section .params).  An unknown or malformed word is reported by name at
 * LOG_WARNING and ignored.
 */
#ifndef KERNEL_CORE_PARAMS_H
#define KERNEL_CORE_PARAMS_H

#include "lib/types.h"

struct param {
	const char *name;
	const char *help; /* "N: timer interrupts a second, 19..10000" */
	/*
	 * VALUE is NULL for a bare word, and stays where it is.  Returns 0 or
	 * -errno: malformed.
	 */
	int (*set)(const char *value);
};

#define PARAM(identifier, text, help_text, setter)                             \
	static const struct param param_##identifier __section(".params")      \
		__aligned(8) = { .name = (text),                               \
		                 .help = (help_text),                          \
		                 .set = (setter) }

/*
 * Returns the number of words that were refused; a line above 2047 characters
 * counts as one, and what goes beyond is ignored.  Boot only.
 */
unsigned int params_parse(const char *command_line);

/*
 * The same with the COUNT entries of TABLE; the words of LINE are copied into
 * the SIZE bytes at BUFFER and stay there.
 */
unsigned int params_apply(const struct param *table, size_t count,
                          const char *line, char *buffer, size_t size);

/* For `help params`. */
void params_visit(void (*visit)(const struct param *param, void *data),
                  void *data);

/*
 * The command line as it was handed over, everything unprintable as \xNN.
 * *LEFT_OUT is how many characters of it did not fit behind that.
 */
const char *params_command_line(size_t *left_out);

/*
 * As much of TEXT as fits into the SIZE bytes at BUFFER, everything unprintable
 * as \xNN, and a NUL.  Returns the rest of TEXT: "" if all of it fitted.
 */
const char *params_escape(char *buffer, size_t size, const char *text);

#endif

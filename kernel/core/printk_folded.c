/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/printk_folded.c -- a line that is wider than a screen, as several.
 *
 * A separate file, because it needs only printk() of the log: host programs link it
 * also.
 */
#include "kernel/core/printk.h"
#include "lib/format.h"

void printk_folded(enum log_level level, const char *format, ...)
{
	char text[PRINTK_FOLDED_MAX];
	const char *rest = text;
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	do {
		/* Lines after the first are one column to the right. */
		bool first = rest == text;
		size_t length = fold_length(rest, PRINTK_COLUMNS - !first);

		printk(level, "%s%.*s\n", first ? "" : " ", (int)length, rest);
		rest += length;
		while (*rest == ' ')
			rest++;
	} while (*rest != '\0');
}

/* SPDX-License-Identifier: MIT */
/*
 * A line that is longer than the screen is wide is folded: console_fold().
 */
#include "kernel/core/console.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(console);

static char test_console_heard[400];

static void test_console_listen(const char *text, size_t size)
{
	size_t length = strlen(test_console_heard);

	scnprintf(test_console_heard + length,
	          sizeof(test_console_heard) - length, "%.*s", (int)size, text);
}

/* Is EXPECTED what the console says for TEXT, with further rows at column 4? */
static bool test_console_folds(const char *text, const char *expected)
{
	test_console_heard[0] = '\0';
	console_divert(test_console_listen);
	console_fold(4, "%s", text);
	console_divert(NULL);
	return strcmp(test_console_heard, expected) == 0;
}

#define TENS "one three nine tens "

CASE(console, what_fits_is_one_row_at_the_left)
{
	EXPECT(test_console_folds("x", "x\n"));
	EXPECT(test_console_folds(TENS TENS TENS "one three nine tens.",
	                          TENS TENS TENS "one three nine tens.\n"));
	return NULL;
}

CASE(console, a_longer_line_is_broken_between_words_and_indented)
{
	EXPECT(test_console_folds(TENS TENS TENS TENS "and a", TENS TENS TENS
	                          "one three nine tens\n    and a\n"));
	/* The second row has the width that the indent leaves. */
	EXPECT(test_console_folds(
		TENS TENS TENS "one three nine tens. " TENS TENS TENS
			       "one three fours.",
		TENS TENS TENS "one three nine tens.\n    " TENS TENS TENS
			       "one three fours.\n"));
	EXPECT(test_console_folds(
		TENS TENS TENS "one three nine tens. " TENS TENS TENS
			       "one three fifths.",
		TENS TENS TENS "one three nine tens.\n    " TENS TENS TENS
			       "one three\n    fifths.\n"));
	return NULL;
}

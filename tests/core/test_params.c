/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_params.c -- an untrusted command line.
 *
 * tests/core/ tests the parts of kernel/core/ that read untrusted input, in the
 * kernel and on the host.
 */
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(params);

/* The values that the setters below received. */
static uint64_t rate;
static const char *mode;
static unsigned int mode_calls;

static char buffer[256];

#define X21 "xxxxxxxxxxxxxxxxxxxxx"
#define X63 X21 X21 X21

static int set_rate(const char *value)
{
	uint64_t number;
	int error = parse_number(value, &number);

	if (error != 0)
		return error;
	if (number > 10000)
		return -ERANGE;
	rate = number;
	return 0;
}

static int set_mode(const char *value)
{
	mode = value;
	mode_calls++;
	return 0;
}

static const struct param table[] = {
	{ .name = "rate", .help = "0..10000", .set = set_rate },
	{ .name = "mode", .help = "any", .set = set_mode },
};

static unsigned int apply(const char *line)
{
	rate = 0;
	mode = NULL;
	mode_calls = 0;
	return params_apply(table, ARRAY_SIZE(table), line, buffer,
	                    sizeof(buffer));
}

CASE(params, hands_each_value_to_the_setter_of_its_name)
{
	EXPECT_EQUAL(apply("rate=250 mode=mm.buddy"), 0);
	EXPECT_EQUAL(rate, 250);
	EXPECT(mode != NULL && strcmp(mode, "mm.buddy") == 0);
	return NULL;
}

CASE(params, tells_a_bare_word_from_an_empty_value)
{
	EXPECT_EQUAL(apply("mode"), 0);
	EXPECT(mode == NULL && mode_calls == 1);
	EXPECT_EQUAL(apply("mode="), 0);
	EXPECT(mode != NULL && mode[0] == '\0');
	return NULL;
}

CASE(params, ends_a_name_at_its_first_equals_sign)
{
	EXPECT_EQUAL(apply("mode=a=b"), 0);
	EXPECT(mode != NULL && strcmp(mode, "a=b") == 0);
	return NULL;
}

CASE(params, takes_any_number_of_blanks_between_words)
{
	EXPECT_EQUAL(apply(""), 0);
	EXPECT_EQUAL(apply(" \t "), 0);
	EXPECT_EQUAL(apply("  rate=7\t\tmode=x \n"), 0);
	EXPECT_EQUAL(rate, 7);
	EXPECT(mode != NULL && strcmp(mode, "x") == 0);
	return NULL;
}

CASE(params, lets_the_last_of_several_words_win)
{
	EXPECT_EQUAL(apply("rate=1 rate=2 rate=3"), 0);
	EXPECT_EQUAL(rate, 3);
	return NULL;
}

CASE(params, leaves_the_line_itself_alone)
{
	static const char line[] = "rate=5 mode=x";

	EXPECT_EQUAL(apply(line), 0);
	EXPECT(strcmp(line, "rate=5 mode=x") == 0);
	EXPECT(mode >= buffer && mode < buffer + sizeof(buffer));
	return NULL;
}

CASE(params, reports_unknown_words_by_name_and_goes_on)
{
	uint64_t mark = log_mark();

	EXPECT_EQUAL(apply("foo rate=9 BOOT_IMAGE=/kernel =x"), 3);
	EXPECT_EQUAL(rate, 9);
	EXPECT(log_contains_since(mark, "command line: unknown word 'foo'"));
	EXPECT(log_contains_since(mark, "unknown word 'BOOT_IMAGE=/kernel'"));
	EXPECT(log_contains_since(mark, "unknown word '=x'"));
	return NULL;
}

CASE(params, takes_neither_beginnings_nor_extensions_of_a_name)
{
	EXPECT_EQUAL(apply("rat=1 rates=1 Rate=1"), 3);
	EXPECT_EQUAL(rate, 0);
	return NULL;
}

CASE(params, reports_values_that_a_setter_refuses)
{
	uint64_t mark = log_mark();

	EXPECT_EQUAL(apply("rate=abc rate=10001 rate mode=x"), 3);
	EXPECT_EQUAL(rate, 0);
	EXPECT_EQUAL(mode_calls, 1);
	EXPECT(log_contains_since(mark,
	                          "command line: bad value in 'rate=abc'"));
	EXPECT(log_contains_since(mark, "bad value in 'rate=10001'"));
	EXPECT(log_contains_since(mark, "bad value in 'rate'"));
	return NULL;
}

CASE(params, prints_bytes_that_are_not_text_as_numbers)
{
	uint64_t mark = log_mark();

	EXPECT_EQUAL(apply("a\x1b[2Jb\x7f\xff"), 1);
	EXPECT(log_contains_since(mark, "unknown word 'a\\x1b[2Jb\\x7f\\xff'"));
	EXPECT(!log_contains_since(mark, "\x1b"));
	return NULL;
}

CASE(params, escapes_what_fits_and_hands_back_the_rest)
{
	char text[9];

	EXPECT(strcmp(params_escape(text, sizeof(text), "a\x1b[b"), "") == 0);
	EXPECT(strcmp(text, "a\\x1b[b") == 0);
	EXPECT(strcmp(params_escape(text, sizeof(text), "abcdefgh"), "") == 0);
	EXPECT(strcmp(text, "abcdefgh") == 0);
	EXPECT(strcmp(params_escape(text, sizeof(text), "abcdefghi"), "i") ==
	       0);
	EXPECT(strcmp(text, "abcdefgh") == 0);
	/* No part of an escaped byte. */
	EXPECT(strcmp(params_escape(text, sizeof(text), "abcde\x01z"),
	              "\x01z") == 0);
	EXPECT(strcmp(text, "abcde") == 0);
	return NULL;
}

/* "x" LENGTH times, after WORD. */
static const char *long_line(const char *word, size_t length)
{
	static char line[600];
	size_t at = strlen(word);

	memcpy(line, word, at);
	memset(line + at, 'x', length);
	line[at + length] = '\0';
	return line;
}

CASE(params, cuts_long_words_in_the_report)
{
	uint64_t mark = log_mark();

	EXPECT_EQUAL(apply(long_line("", 63)), 1);
	EXPECT(log_contains_since(mark, "'" X63 "'"));
	EXPECT_EQUAL(apply(long_line("", 64)), 1);
	EXPECT(log_contains_since(mark, "'" X63 "...'"));
	return NULL;
}

CASE(params, reads_the_whole_words_of_a_line_that_is_too_long)
{
	uint64_t mark = log_mark();

	EXPECT_EQUAL(apply(long_line("rate=3 mode=", 400)), 1);
	EXPECT_EQUAL(rate, 3);
	EXPECT_EQUAL(mode_calls, 0);
	EXPECT(log_contains_since(mark, "command line: only 6 characters"));
	/* One word, longer than there is room for. */
	EXPECT_EQUAL(apply(long_line("mode=", 500)), 1);
	EXPECT_EQUAL(mode_calls, 0);
	return NULL;
}

CASE(params, reads_a_line_that_just_fits)
{
	EXPECT_EQUAL(apply(long_line("mode=", sizeof(buffer) - 6)), 0);
	EXPECT(mode != NULL && strlen(mode) == sizeof(buffer) - 6);
	EXPECT_EQUAL(apply(long_line("mode=", sizeof(buffer) - 5)), 1);
	EXPECT_EQUAL(mode_calls, 0);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/lib/test_format.c -- printf into a buffer, and into one that is too
 * small.
 */
#include "lib/format.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(format);

/* Not checked by the compiler: some formats here are wrong on purpose. */
static int format_into(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}

static const char *test_format_check(const char *expected, const char *format,
                                     ...)
{
	char buffer[128];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	if (strcmp(buffer, expected) != 0)
		return test_failure("'%s' gives '%s', expected '%s'", format,
		                    buffer, expected);
	if ((size_t)length != strlen(expected))
		return test_failure("'%s' returns %d", format, length);
	return NULL;
}

#define CHECK(...)                                                             \
	do {                                                                   \
		const char *wrong = test_format_check(__VA_ARGS__);            \
		if (wrong != NULL)                                             \
			return wrong;                                          \
	} while (0)

CASE(format, writes_signed_numbers_to_their_limits)
{
	CHECK("0 -1 42", "%d %i %d", 0, -1, 42);
	CHECK("-2147483648 2147483647", "%d %d", INT32_MIN, INT32_MAX);
	CHECK("-9223372036854775808", "%ld", INT64_MIN);
	CHECK("9223372036854775807", "%lld", INT64_MAX);
	CHECK("+5 -5 + 5", "%+d %+d +% d", 5, -5, 5);
	return NULL;
}

CASE(format, writes_unsigned_numbers_in_three_bases)
{
	CHECK("4294967295", "%u", UINT32_MAX);
	CHECK("18446744073709551615", "%lu", UINT64_MAX);
	CHECK("ffffffffffffffff", "%llx", UINT64_MAX);
	CHECK("1777777777777777777777", "%lo", UINT64_MAX);
	CHECK("beef BEEF 17", "%x %X %o", 0xbeef, 0xbeef, 15);
	return NULL;
}

CASE(format, cuts_arguments_to_their_length)
{
	CHECK("-1 1", "%hhd %hhu", 0x1ff, 0x101);
	CHECK("-2 fffe", "%hd %hx", 0xfffe, 0xffffe);
	CHECK("7 8 9", "%zu %td %jd", (size_t)7, (ptrdiff_t)8, (intmax_t)9);
	return NULL;
}

CASE(format, marks_bases_where_asked)
{
	CHECK("0x1f 0X1F 017", "%#x %#X %#o", 31, 31, 15);
	CHECK("0 0", "%#x %#o", 0, 0);
	CHECK("0x001f", "%#06x", 31);
	CHECK("  0x1f", "%#6x", 31);
	CHECK("007", "%#.3o", 7);
	return NULL;
}

CASE(format, pads_numbers_with_blanks_on_either_side)
{
	CHECK("[   42]", "[%5d]", 42);
	CHECK("[42   ]", "[%-5d]", 42);
	CHECK("[12345]", "[%3d]", 12345);
	CHECK("[   42]", "[%*d]", 5, 42);
	CHECK("[42   ]", "[%*d]", -5, 42);
	return NULL;
}

CASE(format, pads_numbers_with_zeroes)
{
	CHECK("00042", "%05d", 42);
	CHECK("-0042", "%05d", -42);
	CHECK("+0042", "%+05d", 42);
	CHECK("42   |", "%-05d|", 42);
	CHECK("1.000042", "%d.%06lu", 1, 42UL);
	return NULL;
}

CASE(format, takes_precision_as_the_least_number_of_digits)
{
	CHECK("00042", "%.5d", 42);
	CHECK("  -00042", "%8.5d", -42);
	CHECK("   00042", "%08.5d", 42); /* the flag 0 is ignored then */
	CHECK("[]", "[%.0d]", 0);
	CHECK("[]", "[%.d]", 0);
	CHECK("0042", "%.*d", 4, 42);
	CHECK("42", "%.*d", -4, 42); /* a negative one counts as none */
	return NULL;
}

CASE(format, writes_strings_and_their_beginnings)
{
	char unterminated[3] = { 'a', 'b', 'c' };

	CHECK("zone DMA32", "zone %s", "DMA32");
	CHECK("[  abc][abc  ]", "[%5s][%-5s]", "abc", "abc");
	CHECK("ab", "%.2s", "abcdef");
	CHECK("[   ab]", "[%5.2s]", "abcdef");
	CHECK("abc", "%.3s", unterminated);
	CHECK("abc", "%.*s", 3, unterminated);
	CHECK("(null)", "%s", NULL);
	CHECK("[]", "[%.0s]", "abc");
	return NULL;
}

CASE(format, writes_characters_and_percent_signs)
{
	CHECK("a  b|", "%c%3c|", 'a', 'b');
	CHECK("a  |", "%-3c|", 'a');
	CHECK("100%", "%d%%", 100);
	return NULL;
}

CASE(format, writes_pointers_with_all_their_digits)
{
	CHECK("0xffff888000001000", "%p", (void *)0xffff888000001000UL);
	CHECK("0x0000000000000000", "%p", NULL);
	return NULL;
}

CASE(format, copies_conversions_that_it_does_not_know)
{
	CHECK("%q 5", "%q %d", 5);
	CHECK("%-08.3y|", "%-08.3y|");
	CHECK("50%", "50%");
	CHECK("%l", "%l");
	CHECK("%5", "%5");
	return NULL;
}

CASE(format, cuts_what_does_not_fit_and_says_how_much_did)
{
	char buffer[8] = "#######";

	EXPECT_EQUAL(scnprintf(buffer, 5, "%s", "abcdefgh"), 4);
	EXPECT(strcmp(buffer, "abcd") == 0);
	EXPECT(buffer[5] == '#');
	EXPECT_EQUAL(scnprintf(buffer, 5, "%d", -123456), 4);
	EXPECT(strcmp(buffer, "-123") == 0);
	EXPECT_EQUAL(scnprintf(buffer, 5, "ab%%%s", "cdef"), 4);
	EXPECT(strcmp(buffer, "ab%c") == 0);
	EXPECT(buffer[5] == '#');
	return NULL;
}

CASE(format, writes_only_a_nul_into_one_byte_and_nothing_into_none)
{
	char buffer[2] = "##";

	EXPECT_EQUAL(scnprintf(buffer, 1, "%s", "abc"), 0);
	EXPECT(buffer[0] == '\0' && buffer[1] == '#');
	buffer[0] = '#';
	EXPECT_EQUAL(scnprintf(buffer, 0, "%s", "abc"), 0);
	EXPECT(buffer[0] == '#');
	return NULL;
}

CASE(format, fold_breaks_at_blanks_and_bars_that_fit)
{
	EXPECT_EQUAL(fold_length("", 5), 0);
	EXPECT_EQUAL(fold_length("abcde", 5), 5);
	EXPECT_EQUAL(fold_length("ab cd ef", 5), 5);
	EXPECT_EQUAL(fold_length("ab cd ef", 4), 2);
	EXPECT_EQUAL(fold_length("abcdef", 5), 5);
	EXPECT_EQUAL(fold_length("A|BC|DEF", 6), 5);
	EXPECT_EQUAL(fold_length("A|BC|DEF", 5), 5);
	EXPECT_EQUAL(fold_length("A|BC|DEF", 4), 2);
	EXPECT_EQUAL(fold_length("  abcdef", 5), 5);
	EXPECT_EQUAL(fold_length("        abcdef", 5), 5);
	return NULL;
}

CASE(format, is_not_delayed_by_widths_that_no_buffer_holds)
{
	static const char *const formats[] = {
		"%2000000000d",
		"%.2000000000d",
		"%99999999999999999999999d",
	};
	char buffer[16];

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		EXPECT_EQUAL(format_into(buffer, sizeof(buffer), formats[i], 7),
		             15);
	EXPECT_EQUAL(format_into(buffer, sizeof(buffer), "%*s", INT32_MIN, "a"),
	             15);
	EXPECT(buffer[0] == 'a' && buffer[1] == ' ');
	EXPECT_EQUAL(format_into(buffer, sizeof(buffer), "%.*x", INT32_MAX, 7),
	             15);
	return NULL;
}

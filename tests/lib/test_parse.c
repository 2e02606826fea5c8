/* SPDX-License-Identifier: MIT */
/*
 * tests/lib/test_parse.c -- numbers out of other people's text.
 */
#include "lib/errno.h"
#include "lib/parse.h"
#include "tests/suite.h"

SUITE(parse);

/* The value of a result that was not written. */
#define UNTOUCHED 0x1234567812345678UL

struct example {
	const char *text;
	int error;
	uint64_t value;
};

static const char *test_parse_check(const struct example *example,
                                    int (*parse)(const char *text,
                                                 uint64_t *result))
{
	uint64_t value = UNTOUCHED;
	int error = parse(example->text, &value);
	uint64_t wanted = example->error == 0 ? example->value : UNTOUCHED;

	if (error == example->error && value == wanted)
		return NULL;
	return test_failure("'%s' gives %d and %#lx, expected %d and %#lx",
	                    example->text, error, value, example->error,
	                    wanted);
}

static const char *
test_parse_check_all(const struct example *examples, size_t count,
                     int (*parse)(const char *text, uint64_t *result))
{
	for (size_t i = 0; i < count; i++) {
		const char *wrong = test_parse_check(&examples[i], parse);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(parse, reads_decimal_and_hexadecimal_up_to_64_bits)
{
	static const struct example examples[] = {
		{ "0", 0, 0 },
		{ "7", 0, 7 },
		{ "007", 0, 7 },
		{ "1000", 0, 1000 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "0x0", 0, 0 },
		{ "0xdeadBEEF", 0, 0xdeadbeef },
		{ "0X1F", 0, 0x1f },
		{ "0xffffffffffffffff", 0, UINT64_MAX },
		{ "0x000000000000000000001", 0, 1 },
	};

	return test_parse_check_all(examples, ARRAY_SIZE(examples),
	                            parse_number);
}

CASE(parse, refuses_numbers_above_64_bits)
{
	static const struct example examples[] = {
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "100000000000000000000000000000", -ERANGE, 0 },
		{ "0x10000000000000000", -ERANGE, 0 },
	};

	return test_parse_check_all(examples, ARRAY_SIZE(examples),
	                            parse_number);
}

CASE(parse, refuses_what_is_no_number)
{
	static const struct example examples[] = {
		{ NULL, -EINVAL, 0 },  { "", -EINVAL, 0 },
		{ "x", -EINVAL, 0 },   { "0x", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },  { "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },  { "1 ", -EINVAL, 0 },
		{ "12a", -EINVAL, 0 }, { "0x1g", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },  { "99999999999999999999z", -EINVAL, 0 },
	};

	return test_parse_check_all(examples, ARRAY_SIZE(examples),
	                            parse_number);
}

CASE(parse, multiplies_a_size_by_its_suffix)
{
	static const struct example examples[] = {
		{ "4096", 0, 4096 },
		{ "1k", 0, KIB },
		{ "4K", 0, 4 * KIB },
		{ "16m", 0, 16 * MIB },
		{ "128M", 0, 128 * MIB },
		{ "20g", 0, 20 * GIB },
		{ "2G", 0, 2 * GIB },
		{ "0x10M", 0, 16 * MIB },
		{ "0G", 0, 0 },
		{ "17179869183G", 0, 17179869183UL << 30 },
	};

	return test_parse_check_all(examples, ARRAY_SIZE(examples), parse_size);
}

CASE(parse, refuses_a_size_that_is_none_or_overflows)
{
	static const struct example examples[] = {
		{ NULL, -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "0xG", -EINVAL, 0 },
		{ "1T", -EINVAL, 0 },
		{ "1MM", -EINVAL, 0 },
		{ "1MB", -EINVAL, 0 },
		{ "17179869184G", -ERANGE, 0 },
		{ "18446744073709551615k", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
	};

	return test_parse_check_all(examples, ARRAY_SIZE(examples), parse_size);
}

/* As bits, for test_parse_check(). */
static int parse_signed_bits(const char *text, uint64_t *bits)
{
	return parse_signed(text, (int64_t *)bits);
}

CASE(parse, reads_signed_numbers_on_both_sides_of_0)
{
	static const struct example examples[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "-1000", 0, (uint64_t)-1000LL },
		{ "0x10", 0, 16 },
		{ "-0x10", 0, (uint64_t)-16LL },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "-9223372036854775807", 0, (uint64_t)-INT64_MAX },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "-9223372036854775808", -ERANGE, 0 },
		{ "-", -EINVAL, 0 },
		{ "--1", -EINVAL, 0 },
		{ "- 1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ NULL, -EINVAL, 0 },
	};

	return test_parse_check_all(examples, ARRAY_SIZE(examples),
	                            parse_signed_bits);
}

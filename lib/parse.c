/* SPDX-License-Identifier: MIT */
#include "lib/parse.h"

#include "lib/errno.h"
#include "lib/string.h"

/* The value of a digit; 16 or more if C is not a digit in any base. */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

/* All LENGTH characters at TEXT are digits of BASE. */
static int parse_digits(const char *text, size_t length, unsigned int base,
                        uint64_t *number)
{
	uint64_t value = 0;
	bool overflow = false;

	if (length == 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		unsigned int digit = digit_value(text[i]);

		if (digit >= base)
			return -EINVAL;
		/* Continue after an overflow: a bad digit takes precedence. */
		overflow = overflow ||
		           __builtin_mul_overflow(value, base, &value) ||
		           __builtin_add_overflow(value, digit, &value);
	}
	if (overflow)
		return -ERANGE;
	*number = value;
	return 0;
}

static int parse_prefixed(const char *text, size_t length, uint64_t *number)
{
	if (length >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x')
		return parse_digits(text + 2, length - 2, 16, number);
	return parse_digits(text, length, 10, number);
}

int parse_number(const char *text, uint64_t *number)
{
	if (text == NULL)
		return -EINVAL;
	return parse_prefixed(text, strlen(text), number);
}

int parse_signed(const char *text, int64_t *number)
{
	bool negative = text != NULL && *text == '-';
	uint64_t value;
	int error = parse_number(negative ? text + 1 : text, &value);

	if (error == 0 && value > INT64_MAX)
		error = -ERANGE;
	if (error == 0)
		*number = negative ? -(int64_t)value : (int64_t)value;
	return error;
}

/* How many bits a suffix shifts to the left; 0 if C is not a suffix. */
static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return 0;
	}
}

int parse_size(const char *text, uint64_t *bytes)
{
	size_t length;
	unsigned int shift;
	uint64_t number;
	int error;

	if (text == NULL || text[0] == '\0')
		return -EINVAL;
	length = strlen(text);
	shift = suffix_shift(text[length - 1]);
	if (shift != 0)
		length--;
	error = parse_prefixed(text, length, &number);
	if (error != 0)
		return error;
	if (number > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = number << shift;
	return 0;
}

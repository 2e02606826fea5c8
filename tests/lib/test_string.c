/* SPDX-License-Identifier: MIT */
/*
 * tests/lib/test_string.c -- the functions that the compiler calls implicitly.
 *
 * tests/lib/ tests lib/ in the kernel and on the host.  On the host the C library
 * provides these functions, so both implementations pass the same cases.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(string);

#define BYTES 96

/* The compiler must not know what is compared with what. */
static volatile unsigned char zero;

static void test_string_fill(unsigned char *bytes)
{
	for (unsigned int i = 0; i < BYTES; i++)
		bytes[i] = (unsigned char)(i * 7 + 1);
}

/* memmove() inside one buffer against a byte by byte copy of it. */
static bool moves(unsigned int to, unsigned int from, unsigned int size)
{
	unsigned char before[BYTES];
	unsigned char after[BYTES];

	test_string_fill(before);
	test_string_fill(after);
	if (memmove(after + to, after + from, size) != after + to)
		return false;
	for (unsigned int i = 0; i < BYTES; i++) {
		bool inside = i >= to && i < to + size;

		if (after[i] != before[inside ? i - to + from : i])
			return false;
	}
	return true;
}

static bool copies(unsigned int to, unsigned int from, unsigned int size)
{
	unsigned char source[BYTES];
	unsigned char target[BYTES];

	test_string_fill(source);
	memset(target, 0, BYTES);
	if (memcpy(target + to, source + from, size) != target + to)
		return false;
	for (unsigned int i = 0; i < BYTES; i++) {
		bool inside = i >= to && i < to + size;

		if (target[i] != (inside ? source[i - to + from] : 0))
			return false;
	}
	return true;
}

static bool fills(unsigned int at, unsigned int size, int byte)
{
	unsigned char target[BYTES];

	for (unsigned int i = 0; i < BYTES; i++)
		target[i] = 0x5a;
	if (memset(target + at, byte + zero, size) != target + at)
		return false;
	for (unsigned int i = 0; i < BYTES; i++) {
		bool inside = i >= at && i < at + size;

		if (target[i] != (inside ? (unsigned char)byte : 0x5a))
			return false;
	}
	return true;
}

CASE(string, memcpy_copies_every_size_at_every_alignment)
{
	for (unsigned int at = 0; at < 16; at++) {
		for (unsigned int size = 0; size <= 40; size++)
			EXPECT(copies(at, 15 - at, size));
	}
	return NULL;
}

CASE(string, memset_fills_the_bytes_asked_for_and_no_other)
{
	for (unsigned int at = 0; at < 9; at++) {
		for (unsigned int size = 0; size <= 40; size++)
			EXPECT(fills(at, size, 0xa5));
	}
	EXPECT(fills(3, 33, 0));
	EXPECT(fills(3, 33, 0x1ff)); /* only the low byte counts */
	return NULL;
}

CASE(string, memmove_is_right_however_the_ranges_overlap)
{
	for (unsigned int to = 0; to < 32; to += 3) {
		for (unsigned int from = 0; from < 32; from++) {
			for (unsigned int size = 0; size <= 48; size += 5)
				EXPECT(moves(to, from, size));
		}
	}
	return NULL;
}

CASE(string, memmove_agrees_with_a_naive_copy_on_random_ranges)
{
	struct random random = { test_seed() };

	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int size = (unsigned int)random_below(&random, 64);
		unsigned int to = (unsigned int)random_below(&random, 32);
		unsigned int from = (unsigned int)random_below(&random, 32);

		EXPECT(moves(to, from, size));
	}
	return NULL;
}

CASE(string, memory_that_differs_is_found_wherever_that_is)
{
	unsigned char left[40];
	unsigned char right[40];

	for (size_t at = 0; at < sizeof(left); at++) {
		memset(left, 7, sizeof(left));
		memset(right, 7, sizeof(right));
		right[at] = 0x80;
		/* Behind it the other is larger. */
		if (at + 1 < sizeof(left))
			left[at + 1] = 9;
		EXPECT(memcmp(left, right, sizeof(left)) < 0);
		EXPECT(memcmp(right, left, sizeof(left)) > 0);
		EXPECT(memcmp(left, right, at) == 0);
	}
	return NULL;
}

CASE(string, comparisons_are_of_unsigned_bytes)
{
	unsigned char low[2] = { 0x7f, zero };
	unsigned char high[2] = { 0x80, zero };

	EXPECT(memcmp(low, high, 1) < 0);
	EXPECT(memcmp(high, low, 1) > 0);
	EXPECT(memcmp(low, high, zero) == 0);
	EXPECT(strcmp((char *)low, (char *)high) < 0);
	EXPECT(strncmp((char *)high, (char *)low, 2) > 0);
	return NULL;
}

CASE(string, comparisons_end_at_the_nul_and_at_the_limit)
{
	char a[] = "page\0x";
	char b[] = "page\0y";
	char c[] = "pages";

	a[5] = (char)('x' + zero);
	EXPECT(strcmp(a, b) == 0);
	EXPECT(strncmp(a, b, sizeof(a)) == 0);
	EXPECT(memcmp(a, b, sizeof(a)) < 0);
	EXPECT(strcmp(a, c) < 0);
	EXPECT(strcmp(c, a) > 0);
	EXPECT(strncmp(a, c, 4) == 0);
	EXPECT(strncmp(a, c, 5) < 0);
	c[0] = 'x';
	EXPECT(strncmp(c, b, zero) == 0);
	return NULL;
}

CASE(string, lengths_stop_at_the_nul_and_at_the_limit)
{
	char text[] = "zone";

	text[0] = (char)('z' + zero);
	EXPECT_EQUAL(strlen(text), 4);
	EXPECT_EQUAL(strlen(text + 4), 0);
	EXPECT_EQUAL(strnlen(text, 5 + zero), 4);
	EXPECT_EQUAL(strnlen(text, 4), 4);
	EXPECT_EQUAL(strnlen(text, 3), 3);
	EXPECT_EQUAL(strnlen(text, zero), 0);
	return NULL;
}

CASE(string, strchr_finds_the_first_and_also_the_nul)
{
	char text[] = "order=10=x";

	text[0] = (char)('o' + zero);
	EXPECT(strchr(text, '=') == text + 5);
	EXPECT(strchr(text, 'q') == NULL);
	EXPECT(strchr(text, '\0') == text + 10);
	return NULL;
}

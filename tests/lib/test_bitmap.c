/* SPDX-License-Identifier: MIT */
/*
 * tests/lib/test_bitmap.c -- bits that are searched for and counted.
 */
#include "lib/bitmap.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(bitmap);

#define BITS 192UL

static unsigned long map[BITMAP_LONGS(BITS)];

static void set_all(void)
{
	memset(map, 0xff, sizeof(map));
}

CASE(bitmap, finds_the_one_clear_bit_from_every_start)
{
	set_all();
	for (unsigned long bit = 0; bit < BITS; bit++) {
		bitmap_clear(map, bit);
		for (unsigned long start = 0; start < BITS; start++)
			EXPECT_EQUAL(bitmap_find_clear(map, BITS, start), bit);
		bitmap_set(map, bit);
	}
	return NULL;
}

CASE(bitmap, finds_the_start_itself_if_it_is_clear)
{
	memset(map, 0, sizeof(map));
	for (unsigned long start = 0; start < BITS; start++)
		EXPECT_EQUAL(bitmap_find_clear(map, BITS, start), start);
	return NULL;
}

CASE(bitmap, finds_nothing_where_all_are_set)
{
	set_all();
	for (unsigned long start = 0; start < BITS; start++)
		EXPECT_EQUAL(bitmap_find_clear(map, BITS, start), BITS);
	return NULL;
}

CASE(bitmap, weight_is_the_number_of_bits_that_were_set)
{
	memset(map, 0, sizeof(map));
	for (unsigned long bit = 0; bit < BITS; bit++) {
		EXPECT(!bitmap_test(map, bit));
		EXPECT_EQUAL(bitmap_weight(map, BITS), bit);
		bitmap_set(map, bit);
		EXPECT(bitmap_test(map, bit));
	}
	EXPECT_EQUAL(bitmap_weight(map, BITS), BITS);
	EXPECT_EQUAL(bitmap_weight(map, BITS - 64), BITS - 64);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/drivers/test_tsc_rate.c -- readings of a clock, scripted and random.
 */
#include "drivers/tsc_rate.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(tsc_rate);

#define FREQUENCY   1193182ULL
#define MILLISECOND 2300000ULL /* cycles of the machine of these tests */
#define MHZ_2300    2300000ULL

/* Counts in CYCLES of a TSC of KHZ. */
static uint64_t counts_in(uint64_t cycles, uint64_t khz)
{
	return cycles * FREQUENCY / (khz * 1000);
}

/*
 * A window of two milliseconds at 2300 MHz whose looks are GAP cycles wide; the
 * end's last reading is LATE cycles late, as is the one that should begin it.
 */
static struct tsc_window window_of(uint64_t begin_late, uint64_t late)
{
	const uint64_t gap = 2000;
	uint64_t begin = 1000000;
	uint64_t end = begin + 2 * MILLISECOND;

	return (struct tsc_window){
		.begin_before = begin - gap / 2,
		.begin_after = begin + gap / 2 + begin_late,
		.end_before = end - gap / 2,
		.end_after = end + gap / 2 + late,
		.counts = counts_in(2 * MILLISECOND, MHZ_2300),
	};
}

static bool is_2300_mhz(const struct tsc_rate *rate)
{
	uint64_t khz = tsc_rate_khz(rate);

	return khz > MHZ_2300 - MHZ_2300 / 100 &&
	       khz < MHZ_2300 + MHZ_2300 / 100;
}

CASE(tsc_rate, a_quiet_machine_is_known_after_two_windows)
{
	struct tsc_window window = window_of(0, 0);
	struct tsc_rate rate = { 0 };

	EXPECT_EQUAL(tsc_rate_khz(&rate), 0);
	EXPECT(!tsc_rate_add(&rate, &window, FREQUENCY));
	EXPECT(tsc_rate_add(&rate, &window, FREQUENCY));
	EXPECT(is_2300_mhz(&rate));
	return NULL;
}

/*
 * 2 ms of 4.6 million cycles, seen as 10.4, 10.9 and 10.6 by late readings: three
 * that agree within five percent, and are wrong.  Their intervals are true,
 * so another window is requested, and that one settles it.
 */
CASE(tsc_rate, three_late_windows_that_agree_are_not_believed)
{
	static const uint64_t seen[] = { 10400000, 10900000, 10600000 };
	struct tsc_rate rate = { 0 };
	struct tsc_window window;

	for (unsigned int i = 0; i < ARRAY_SIZE(seen); i++) {
		window = window_of(0, seen[i] - 2 * MILLISECOND);
		EXPECT(!tsc_rate_add(&rate, &window, FREQUENCY));
		EXPECT(rate.low <= MHZ_2300 && MHZ_2300 <= rate.high);
	}
	window = window_of(0, 0);
	EXPECT(tsc_rate_add(&rate, &window, FREQUENCY));
	EXPECT(is_2300_mhz(&rate));
	EXPECT_EQUAL(rate.disagreed, 0);
	return NULL;
}

/* The begin of a window late makes it too short, which the smallest of several
 * would prefer. */
CASE(tsc_rate, a_window_that_begins_late_is_not_believed)
{
	struct tsc_rate rate = { 0 };
	struct tsc_window window;

	for (unsigned int i = 1; i < 4; i++) {
		window = window_of(i * MILLISECOND / 2, 0);
		EXPECT(!tsc_rate_add(&rate, &window, FREQUENCY));
	}
	window = window_of(0, 0);
	EXPECT(tsc_rate_add(&rate, &window, FREQUENCY));
	EXPECT(is_2300_mhz(&rate));
	return NULL;
}

/* A cycle count that moves while a thread of the host is away from both clocks is
 * between the looks, and does no harm. */
static struct tsc_window random_window(struct random *dice, uint64_t khz)
{
	uint64_t at = random_below(dice, 1000000000);
	uint64_t gaps[4];
	uint64_t length = khz * (1 + random_below(dice, 50));
	uint64_t phase = random_below(dice, 1000);
	uint64_t begin;

	for (unsigned int i = 0; i < ARRAY_SIZE(gaps); i++) {
		bool late = random_below(dice, 3) == 0;

		gaps[i] =
			random_below(dice, late ? (uint32_t)(khz * 20) : 3000);
	}
	begin = at + gaps[0];
	return (struct tsc_window){
		.begin_before = at,
		.begin_after = begin + gaps[1],
		.end_before = begin + max(length, gaps[1] + gaps[2]) - gaps[2],
		.end_after = begin + max(length, gaps[1] + gaps[2]) + gaps[3],
		/* A counter is read at any phase of its clock. */
		.counts = (max(length, gaps[1] + gaps[2]) * FREQUENCY +
		           phase * khz) /
		          (khz * 1000),
	};
}

CASE(tsc_rate, what_is_known_is_never_disproved_by_what_follows)
{
	struct random dice = { test_seed() };

	for (unsigned int round = 0; round < 200; round++) {
		uint64_t khz = 10000 + random_below(&dice, 5000000);
		struct tsc_rate rate = { 0 };
		bool known = false;
		uint64_t said = 0;

		for (unsigned int i = 0; i < 40; i++) {
			struct tsc_window window = random_window(&dice, khz);
			bool now = tsc_rate_add(&rate, &window, FREQUENCY);

			EXPECT(rate.low <= khz && khz <= rate.high);
			EXPECT(!known || now);
			if (now && !known)
				said = tsc_rate_khz(&rate);
			known = now;
		}
		EXPECT_EQUAL(rate.disagreed, 0);
		if (known)
			EXPECT(said * 200 > khz * 199 &&
			       said * 200 < khz * 201);
	}
	return NULL;
}

CASE(tsc_rate, clocks_that_do_not_keep_step_are_noticed)
{
	struct tsc_window slow = window_of(0, 0);
	struct tsc_window fast = window_of(0, 0);
	struct tsc_window none = { 0 };
	struct tsc_rate rate = { 0 };

	fast.counts /= 2;
	EXPECT(!tsc_rate_add(&rate, &slow, FREQUENCY));
	EXPECT(!tsc_rate_add(&rate, &fast, FREQUENCY));
	EXPECT_EQUAL(rate.disagreed, 1);
	EXPECT_EQUAL(tsc_rate_khz(&rate), 0);
	EXPECT(!tsc_rate_add(&rate, &slow, FREQUENCY));
	EXPECT(tsc_rate_add(&rate, &slow, FREQUENCY));
	/* A TSC that stands still or goes back, a counter that does: no window. */
	EXPECT(!tsc_rate_add(&rate, &none, FREQUENCY));
	slow.end_before = slow.begin_after - 1;
	EXPECT(!tsc_rate_add(&rate, &slow, FREQUENCY));
	EXPECT(is_2300_mhz(&rate));
	return NULL;
}

CASE(tsc_rate, what_cpuid_states_is_read_leaf_by_leaf)
{
	static const struct {
		struct tsc_leaves leaves;
		uint64_t khz;
		const char *source;
	} table[] = {
		{ { 0, 0, 0, 0, 0 }, 0, "" },
		{ { 2, 188, 24000000, 2200, 0 }, 2256000, "leaf 0x15" },
		{ { 2, 192, 0, 2300, 0 }, 2300000, "leaf 0x16" },
		{ { 2, 192, 0, 0, 0 }, 0, "leaf 0x16" },
		{ { 0, 192, 24000000, 2300, 0 }, 0, "" },
		{ { 2, 0, 24000000, 2300, 0 }, 0, "" },
		{ { 2, 188, 24000000, 2200, 2299968 },
		  2299968,
		  "leaf 0x40000010" },
		{ { 1, 0xffffffff, 0xffffffff, 0, 0 },
		  0xffffffffULL * 0xffffffffULL / 1000,
		  "leaf 0x15" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		const char *source;

		EXPECT_EQUAL(tsc_stated_khz(&table[i].leaves, &source),
		             table[i].khz);
		EXPECT(strcmp(source, table[i].source) == 0);
	}
	return NULL;
}

CASE(tsc_rate, what_is_stated_must_not_be_disproved)
{
	struct tsc_window window = window_of(0, 0);
	struct tsc_rate rate = { 0 };

	EXPECT(tsc_rate_allows(&rate, 1));
	(void)tsc_rate_add(&rate, &window, FREQUENCY);
	EXPECT(tsc_rate_allows(&rate, MHZ_2300));
	EXPECT(!tsc_rate_allows(&rate, MHZ_2300 * 95 / 100));
	EXPECT(!tsc_rate_allows(&rate, MHZ_2300 * 2));
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_sequence.c -- sequences of calls, from bytes.
 */
#include "lib/random.h"
#include "tests/sequence.h"
#include "tests/suite.h"

SUITE(sequence);

#define ROUNDS 20
#define BYTES  201

static unsigned int told;

static void count_words(unsigned int step, const char *text)
{
	(void)step;
	(void)text;
	told++;
}

CASE(sequence, random_bytes_do_what_the_model_does)
{
	struct random dice = { test_seed() };
	struct sequence_result result;
	uint8_t bytes[BYTES];

	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < BYTES; i++)
			bytes[i] = (uint8_t)random_next(&dice);
		/* The node of three zones, and small pools. */
		bytes[0] = round % 2 == 0 ? 0 : (uint8_t)(1 + bytes[0] % 64);
		sequence_run(bytes, BYTES, NULL, &result);
		if (result.wrong != NULL)
			return test_failure("round %u, step %u: %s", round,
			                    result.steps - 1, result.wrong);
		EXPECT_EQUAL(result.steps, BYTES / SEQUENCE_STEP);
	}
	return NULL;
}

/* Take frame 0, free it, free it again, by a wrong order, in the middle. */
CASE(sequence, each_step_is_reported_and_counted)
{
	uint8_t bytes[1 + 6 * SEQUENCE_STEP] = { 16 };
	uint8_t *step = bytes + 1;
	struct sequence_result result;

	sequence_alloc(step, 2);
	sequence_free(step + 2, 0, 1);
	sequence_free(step + 4, 1, 0);
	sequence_free(step + 6, 0, 2);
	sequence_free(step + 8, 0, 2);
	sequence_alloc(step + 10, 4);
	told = 0;
	sequence_run(bytes, sizeof(bytes), count_words, &result);
	EXPECT(result.wrong == NULL);
	EXPECT_EQUAL(result.steps, 6);
	/* The frame of each block that came, and its free at the end. */
	EXPECT_EQUAL(told, 6 + 2 + 1);
	return NULL;
}

CASE(sequence, of_no_bytes_or_an_odd_one_is_empty)
{
	const uint8_t odd[] = { 8, 0 };
	struct sequence_result result;

	sequence_run(NULL, 0, NULL, &result);
	EXPECT(result.wrong == NULL && result.steps == 0);
	sequence_run(odd, sizeof(odd), NULL, &result);
	EXPECT(result.wrong == NULL && result.steps == 0);
	return NULL;
}

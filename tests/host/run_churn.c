/* SPDX-License-Identifier: MIT */
/*
 * tests/host/run_churn.c -- the program churn: random calls, in rounds.
 *
 *	churn [--seed N] [--rounds N | --seconds N]
 *
 * A round is CHURN_STEPS steps on a new machine (tests/host/churn.h) and has a separate
 * seed, so one round is enough to see a fault again: `churn --seed N --rounds 1`.  At the end,
 * each kind of memory must have been given, and reclaim, compaction and failures must have
 * happened at least once.  Status 0, or 1 and a sentence.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/host/churn.h"
#include "tests/host/libmm.h"

#define CHURN_STEPS 20000U

static const char *churn_round(uint64_t seed)
{
	struct churn_source source = { .random = { .state = seed } };
	const char *wrong = NULL;

	churn_begin(&source);
	for (unsigned int step = 0; step < CHURN_STEPS && wrong == NULL; step++)
		wrong = churn_step();
	return wrong != NULL ? wrong : churn_end();
}

static uint64_t churn_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

/* The number after OPTION, or OTHERWISE. */
static uint64_t churn_option(int argc, char **argv, const char *option,
                             uint64_t otherwise)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		char *end;
		uint64_t number = strtoull(argv[i + 1], &end, 0);

		if (strcmp(argv[i], option) == 0 && *end == '\0')
			return number;
	}
	return otherwise;
}

int main(int argc, char **argv)
{
	uint64_t seed = churn_option(argc, argv, "--seed", churn_now());
	uint64_t rounds = churn_option(argc, argv, "--rounds", 1);
	uint64_t seconds = churn_option(argc, argv, "--seconds", 0);
	uint64_t end = churn_now() + seconds;
	uint64_t done = 0;
	const char *wrong = NULL;

	do {
		printf("churn --seed %llu --rounds 1\n",
		       (unsigned long long)(seed + done));
		fflush(stdout);
		wrong = churn_round(seed + done++);
	} while (wrong == NULL &&
	         (seconds > 0 ? churn_now() < end : done < rounds));
	if (wrong == NULL && churn_never_done() != NULL) {
		printf("it never came to this: %s\n", churn_never_done());
		return 1;
	}
	printf("%llu rounds of %u steps: %s\n", (unsigned long long)done,
	       CHURN_STEPS, wrong == NULL ? "nothing is wrong" : wrong);
	return wrong != NULL;
}

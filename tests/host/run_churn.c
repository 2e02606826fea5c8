/* SPDX-License-Identifier: MIT */
/*
 * tests/host/run_churn.c -- the program churn: random calls, in rounds.
 *
 *	churn [--seed N] [--rounds N] [--seconds N]
 *
 * A round is CHURN_STEPS steps on a new machine (tests/host/churn.h) and has a separate
 * seed, so one round is enough to see a fault again: `churn --seed N --rounds 1`.  At the end,
 * each kind of memory must have been given, and reclaim, compaction and failures must have
 * happened at least once.  Status 0; 1 and a sentence; or 2: the
 * options are wrong.
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

struct churn_options {
	uint64_t seed;
	uint64_t rounds;
	uint64_t seconds; /* 0: rounds count */
};

/* The option NAME with VALUE; false: there is none, or VALUE is not a number. */
static bool churn_set(struct churn_options *options, const char *name,
                      const char *value)
{
	uint64_t *number = strcmp(name, "--seed") == 0      ? &options->seed
	                   : strcmp(name, "--rounds") == 0  ? &options->rounds
	                   : strcmp(name, "--seconds") == 0 ? &options->seconds
	                                                    : NULL;
	char *end = NULL;

	if (number == NULL || value == NULL || *value < '0' || *value > '9')
		return false;
	*number = strtoull(value, &end, 0);
	return *end == '\0';
}

int main(int argc, char **argv)
{
	struct churn_options options = { .seed = churn_now(), .rounds = 1 };
	uint64_t done = 0;
	const char *wrong = NULL;
	uint64_t end;

	for (int i = 1; i < argc; i += 2) {
		if (!churn_set(&options, argv[i], argv[i + 1])) {
			fprintf(stderr, "usage: churn [--seed N] [--rounds N] "
			                "[--seconds N]\n");
			return 2;
		}
	}
	end = churn_now() + options.seconds;
	do {
		printf("churn --seed %llu --rounds 1\n",
		       (unsigned long long)(options.seed + done));
		fflush(stdout);
		wrong = churn_round(options.seed + done++);
	} while (wrong == NULL &&
	         (options.seconds > 0 ? churn_now() < end
	                              : done < options.rounds));
	if (wrong == NULL && churn_never_done() != NULL) {
		printf("it never came to this: %s\n", churn_never_done());
		return 1;
	}
	printf("%llu rounds of %u steps: %s\n", (unsigned long long)done,
	       CHURN_STEPS, wrong == NULL ? "nothing is wrong" : wrong);
	return wrong != NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/churn.h -- all calls of the memory manager, mixed, in an order that somebody
 * else chooses: a stream of random numbers, or the bytes of a fuzzer.
 *
 * A machine with four zones, lists of pages, a CMA area, file pages that reclaim may take
 * and compaction may move, caches, vmalloc() and exclusive pages of two threads.  The memory
 * that the calls gave is held in a table, with bytes that differ from holding to holding.
 * Whether an answer is the right one is a question for the models (docs/08-testing.md); here no memory may
 * get lost, belong to two, or change under its owner, whatever calls follow each other.
 */
#ifndef TESTS_HOST_CHURN_H
#define TESTS_HOST_CHURN_H

#include "lib/random.h"
#include "lib/types.h"

struct churn_source {
	const uint8_t *bytes; /* come first */
	size_t left;
	struct random random;
};

/* A new machine; SOURCE decides from now on. */
void churn_begin(const struct churn_source *source);

/* Some calls more; NULL, or what is wrong. */
const char *churn_step(void);

/* Everything is given back, and the machine is as it began: NULL, or what is wrong. */
const char *churn_end(void);

/* Have bytes been used up? */
bool churn_is_out_of_bytes(void);

/* Which kind of memory was never given, or what has never happened to a request since the
 * program began, on the machines that have ended; NULL: all of it was. */
const char *churn_never_done(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tests/states/search.h -- a breadth-first search over all states of real code.
 *
 * The code under search is brought into its first state, and each of its calls
 * is tried in each state that was ever reached, until no new state comes up.
 * A state is told from others by its key, which the model writes; nothing that
 * influences what a call does may be missing in it.
 *
 * A state is rebuilt by repeating the calls that led to it, from the
 * first state: nothing but the code under search ever writes its data.
 */
#ifndef TESTS_STATES_SEARCH_H
#define TESTS_STATES_SEARCH_H

#include "lib/types.h"

#define KEY_SIZE 24

/* Bytes of no meaning to the search; all that are not used are 0. */
struct search_key {
	uint8_t byte[KEY_SIZE];
};

/* The result of a call. */
enum search_step {
	STEP_ABSENT, /* there is no such call in this state */
	STEP_KEPT, /* done, and nothing changed: the state need not be rebuilt */
	STEP_MOVED, /* done, and something may have changed */
	STEP_WRONG, /* model->wrong says what */
};

struct search_model {
	const char *wrong;  /* a sentence, or NULL */
	unsigned int calls; /* they have the numbers 0 .. calls - 1 */

	/* Bring everything into the first state. */
	void (*begin)(void);
	/* Make call number CALL and compare with what should come of it. */
	enum search_step (*call)(unsigned int call);
	/* Write the key of the state that there is now. */
	void (*key)(struct search_key *key);
	/* Is everything right after a call that moved?  NULL or a sentence. */
	const char *(*check)(void);
	/* Remember the state that there is, and bring it back; restore NULL:
	 * the search does the calls once more. */
	void (*save)(void);
	void (*restore)(void);
	/* CALL in words, as it would be in the state that there is. */
	void (*describe)(unsigned int call, char *buffer, size_t size);
};

struct search_result {
	unsigned long states;
	unsigned long transitions; /* calls made, refused ones included */
	unsigned int depth;        /* calls on the longest shortest path */
};

/*
 * Search everything.  NULL, or the model's sentence; then the shortest calls
 * that lead to it have been noted (test_note()), one a line.  More than LIMIT
 * states are a failure.
 */
const char *search_all(struct search_model *model, unsigned long limit,
                       struct search_result *result);

#endif

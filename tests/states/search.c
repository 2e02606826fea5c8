/* SPDX-License-Identifier: MIT */
/*
 * tests/states/search.c -- the search: an array of states, and a table of keys.
 *
 * The array is the queue of the search, too: what stands behind AT has been
 * reached and not yet been looked at.  Each state knows the state and the call
 * it was reached from first, so the calls on its way are the fewest possible.
 *
 * The table holds numbers of states (0: empty), open addressing, at most half
 * full.
 */
#include "tests/states/search.h"

#include <stdlib.h>

#include "kernel/core/panic.h"
#include "lib/string.h"
#include "tests/suite.h"

#define MAX_DEPTH 256

struct state {
	struct search_key key;
	uint32_t from; /* number of a state; 0: this is the first */
	uint32_t call;
	uint32_t depth;
};

static struct {
	struct search_model *model;
	struct state *state; /* from 1 on */
	unsigned long count;
	unsigned long limit;
	uint32_t *table;
	unsigned long table_mask;
	unsigned long transitions;
} s;

/* FNV-1a, 64 bits. */
static uint64_t hash(const struct search_key *key)
{
	uint64_t value = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < KEY_SIZE; i++)
		value = (value ^ key->byte[i]) * 0x100000001b3ULL;
	return value ^ value >> 29;
}

/* The place of KEY in the table: of its number, or of 0. */
static uint32_t *search_find(const struct search_key *key)
{
	unsigned long at = hash(key) & s.table_mask;

	while (s.table[at] != 0 &&
	       memcmp(&s.state[s.table[at]].key, key, sizeof(*key)) != 0)
		at = (at + 1) & s.table_mask;
	return &s.table[at];
}

/* Enter KEY, unless it is known; false: there is no room. */
static bool search_enter(const struct search_key *key, unsigned long from,
                         unsigned int call)
{
	uint32_t *place = search_find(key);

	if (*place != 0)
		return true;
	if (s.count == s.limit)
		return false;
	s.count++;
	s.state[s.count] = (struct state){
		.key = *key,
		.from = (uint32_t)from,
		.call = call,
		.depth = from == 0 ? 0 : s.state[from].depth + 1,
	};
	*place = (uint32_t)s.count;
	return true;
}

/* The calls that lead to state NUMBER, into CALLS; how many. */
static unsigned int path_to(unsigned long number, unsigned int *calls)
{
	unsigned int depth = s.state[number].depth;

	kassert(depth <= MAX_DEPTH);
	for (unsigned int i = depth; i > 0; i--) {
		calls[i - 1] = s.state[number].call;
		number = s.state[number].from;
	}
	return depth;
}

/* Have state NUMBER again; NOTE: tell the calls. */
static void search_walk_to(unsigned long number, bool note)
{
	unsigned int calls[MAX_DEPTH];
	unsigned int depth = path_to(number, calls);
	char words[160];

	s.model->begin();
	for (unsigned int i = 0; i < depth; i++) {
		if (note) {
			s.model->describe(calls[i], words, sizeof(words));
			test_note("step %u: %s", i, words);
		}
		s.model->call(calls[i]);
	}
}

static void tell_path(unsigned long number, unsigned int call)
{
	const char *wrong = s.model->wrong;
	char words[160];

	search_walk_to(number, true);
	s.model->describe(call, words, sizeof(words));
	test_note("step %u: %s", s.state[number].depth, words);
	s.model->wrong = wrong;
}

/* The state that CALL led to from state NUMBER is entered, and checked even if it
 * was known: the key does not tell all that can be broken. */
static const char *arrive(unsigned long number, unsigned int call)
{
	struct search_key key = { { 0 } };

	s.model->key(&key);
	if (!search_enter(&key, number, call))
		return "more states than there can be";
	return s.model->check();
}

/* Have state NUMBER once more, after a call that led away from it. */
static void go_back(unsigned long number)
{
	if (s.model->restore != NULL) {
		s.model->restore();
		return;
	}
	search_walk_to(number, false);
	s.model->save();
}

/* Try every call in state NUMBER. */
static const char *expand(unsigned long number)
{
	struct search_model *model = s.model;

	search_walk_to(number, false);
	model->save();
	for (unsigned int call = 0; call < model->calls; call++) {
		enum search_step step = model->call(call);

		if (step == STEP_ABSENT)
			continue;
		s.transitions++;
		if (step == STEP_KEPT)
			continue;
		if (step == STEP_MOVED)
			model->wrong = arrive(number, call);
		if (model->wrong != NULL) {
			tell_path(number, call);
			return model->wrong;
		}
		go_back(number);
	}
	return NULL;
}

static bool search_make_room(unsigned long limit)
{
	unsigned long places = 2;

	while (places < 2 * limit)
		places *= 2;
	s.limit = limit;
	s.state = calloc(limit + 1, sizeof(*s.state));
	s.table = calloc(places, sizeof(*s.table));
	s.table_mask = places - 1;
	return s.state != NULL && s.table != NULL;
}

static const char *search(void)
{
	const char *wrong;

	s.model->begin();
	wrong = arrive(0, 0);
	for (unsigned long at = 1; at <= s.count && wrong == NULL; at++)
		wrong = expand(at);
	return wrong;
}

const char *search_all(struct search_model *model, unsigned long limit,
                       struct search_result *result)
{
	const char *wrong = "the host has no memory for the states";

	memset(&s, 0, sizeof(s));
	s.model = model;
	model->wrong = NULL;
	if (search_make_room(limit))
		wrong = search();
	*result = (struct search_result){
		.states = s.count,
		.transitions = s.transitions,
		.depth = s.count > 0 ? s.state[s.count].depth : 0,
	};
	free(s.state);
	free(s.table);
	return wrong;
}

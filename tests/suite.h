/* SPDX-License-Identifier: MIT */
/*
 * tests/suite.h -- how a test is written.  The same file is linked into the
 * kernel and, where it needs no machine, into the host runner.
 *
 *	SUITE(buddy);
 *
 *	CASE(buddy, joins_two_free_buddies)
 *	{
 *		...
 *		EXPECT(zone.free_pages == 2);
 *		return NULL;
 *	}
 *
 * A case returns NULL (it passed) or a sentence (it failed, that is why).  Its
 * name is the claim.  SKIP(feature) ends a case that the machine cannot run.
 */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include "lib/types.h"

struct test_case {
	const char *suite;
	const char *name;
	const char *(*run)(void);
	bool provoked; /* its failure is wanted: no log for it */
};

/* Declares that this file holds suite NAME; a file may hold several. */
#define SUITE(name) struct suite_##name##_is_declared

/* The entries form a table, in the order of the file and without gaps (which
 * clang's AddressSanitizer would put between them). */
#ifdef __clang__
#define SUITE_ENTRY __attribute__((no_sanitize("address")))
#else
/* gcc would list the cases of a file backwards. */
#define SUITE_ENTRY __attribute__((no_reorder))
#endif

#define CASE(suite, name)                                                      \
	static const char *case_##suite##_##name(void);                        \
	static const struct test_case test_case_##suite##_##name __section(    \
		".suites")                                                     \
		SUITE_ENTRY __aligned(8) = { #suite, #name,                    \
		                             case_##suite##_##name, false };   \
	static const char *case_##suite##_##name(void)

#define EXPECT_STRING(x)  #x
#define EXPECT_STRING2(x) EXPECT_STRING(x)

/* Fail with the text of the condition and its place. */
#define EXPECT(condition)                                                      \
	do {                                                                   \
		if (!(condition))                                              \
			return __FILE__ ":" EXPECT_STRING2(                    \
				__LINE__) ": expected " #condition;            \
	} while (0)

/* Fail with both numbers. */
#define EXPECT_EQUAL(actual, expected)                                         \
	do {                                                                   \
		const unsigned long long expect_a =                            \
			(unsigned long long)(actual);                          \
		const unsigned long long expect_b =                            \
			(unsigned long long)(expected);                        \
		if (expect_a != expect_b)                                      \
			return test_failure(                                   \
				"%s:%d: %s is %llu, expected %llu (%s)",       \
				__FILE__, __LINE__, #actual, expect_a,         \
				expect_b, #expected);                          \
	} while (0)

/* Format an error message; it is kept until the next case. */
const char *test_failure(const char *format, ...) __printf(1, 2);

#define SKIP_PREFIX   "# SKIP "
#define SKIP(feature) return SKIP_PREFIX feature

/* printf to the test log, one line, shown as a comment. */
void test_note(const char *format, ...) __printf(1, 2);

/*
 * NAME is a pointer to one TYPE, for this file alone.  In the kernel all of these
 * share one piece of memory, because a machine with 4 MB has to load it: a case
 * finds there what other suites have left, and uses no more than one such
 * object.  On the host each has its own memory, with the sanitizer's borders
 * around it.
 */
#if __STDC_HOSTED__
#define SUITE_OBJECT(type, name)                                               \
	static typeof(type) name##_object;                                     \
	static typeof(type) *const name = &name##_object
#else
#define SUITE_OBJECT(type, name)                                               \
	_Static_assert(sizeof(type) <= SUITE_MEMORY, #name " is too large");   \
	static typeof(type) *const name = (void *)suite_memory
#endif

#define SUITE_MEMORY 40960
extern char suite_memory[SUITE_MEMORY];

/* The seed for random tests: given on the command line, or new; printed. */
uint64_t test_seed(void);

#endif

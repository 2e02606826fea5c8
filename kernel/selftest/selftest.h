/* SPDX-License-Identifier: MIT */
/*
 * kernel/selftest/selftest.h -- the suites that are linked into the kernel, run by it.
 *
 * KTAP goes to the serial port, a coloured summary to the screen.  Each case
 * recovers: one that fails or faults is recorded and the next one runs; around
 * each the accounting must balance, and mm_check() must hold after each suite.
 *
 * kernel/selftest/: selftest.c is the runner, replay.c runs a file of allocator
 * calls instead (docs/replay.md).  The suites themselves are in tests/.
 */
#ifndef KERNEL_SELFTEST_SELFTEST_H
#define KERNEL_SELFTEST_SELFTEST_H

#include "lib/types.h"

/* Of a filter on the command line, with its NUL: the longest suite.case, or a list. */
#define SELFTEST_FILTER_SIZE 256

struct selftest_result {
	unsigned int passed;
	unsigned int failed;
	unsigned int skipped;
	bool ended; /* before its end */
};

struct test_case;

/*
 * Does FILTER name TEST?  A filter is a list of "suite" and "suite.case" with commas
 * between them, the last word about a case counts; "-suite" leaves one out, and a
 * list that begins so means all the rest.  NULL and "" name all.
 */
bool selftest_names(const char *filter, const struct test_case *test);

/*
 * Run the cases that FILTER names, see above.  A filter that matches nothing is a
 * failure.  ENDED is called before each case, unless it is NULL: true ends the run,
 * with "Bail out!".  Thread context.
 */
void selftest_run(const char *filter, bool (*ended)(void),
                  struct selftest_result *result);

/*
 * Run one case: NULL (passed), or a sentence, kept until the next case: its own,
 * what fault it raised, or what it left behind.  Afterwards its doings are
 * stopped: listeners, pauses, the timer's rate, exclusive pages of the caller.
 */
const char *selftest_try(const struct test_case *test);

/*
 * mm_check() after a suite.  ASKED: it may have asked the kernel's allocator for
 * something, or is the last one; without that a large machine is spared the walk.
 * NULL, or a sentence in BUFFER.
 */
const char *selftest_walk(char *buffer, size_t size, bool asked);

/* Shall selftest_try() walk over every page?  Returns whether it did. */
bool selftest_walk_every_case(bool on);

/* Was selftest given on the command line?  *FILTER is "" for all. */
bool selftest_wanted(const char **filter);

/* A panic from now on, during the rest of the boot as well, prints EXIT 18 and
 * ends the machine. */
void selftest_prepare(void);

/* Run, print EXIT 16 or EXIT 17, and end the machine. */
__noreturn void selftest_main(const char *filter);

/* Print EXIT 16 (PASSED) or EXIT 17, and end the machine with that status. */
__noreturn void selftest_end_machine(bool passed);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/main.c -- runs the suites on the host.
 *
 *	run-suites [--seed N] [--list] [suite[.case]] ...
 *
 * Prints KTAP: one subtest a suite, one line a case; ends with status 0 if all
 * that was asked for passed (or was skipped), else 1.  Each case gets a fresh
 * machine, and passes only if it returned NULL and the machine is afterwards as
 * it was before: no lock held, every page back.  A panic or a memory fault is a
 * failure of the case, and the next one runs.
 *
 * The cases of a suite may come from several files; they run in the order the
 * linker put them.  Nothing depends on time or addresses, so the same seed
 * gives the same run.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/format.h"
#include "lib/string.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

/* tests/host/suites.ld */
extern const struct test_case suites_begin[];
extern const struct test_case suites_end[];

static struct {
	uint64_t seed;
	char **pattern;
	int patterns;
	char failure[512];
	unsigned long ran, failed;
} runner;

/* ---- What the cases call ------------------------------------------------- */

const char *test_failure(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(runner.failure, sizeof(runner.failure), format, arguments);
	va_end(arguments);
	return runner.failure;
}

void test_note(const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printf("    # %s\n", text);
}

uint64_t test_seed(void)
{
	return runner.seed;
}

/* ---- One case ------------------------------------------------------------ */

struct run {
	const struct test_case *test;
	const char *answer;
};

static void run_case(void *data)
{
	struct run *run = data;

	machine_start(0);
	run->answer = run->test->run();
	if (run->answer == NULL)
		run->answer = machine_finish();
	machine_stop();
}

static void main_show_line(const char *line, void *data)
{
	(void)data;
	printf("    # log: %s\n", line);
}

/* True unless the case failed; then the end of its log, from MARK on, is shown
 * as well. */
static bool main_report(const struct run *run, unsigned int number,
                        uint64_t mark)
{
	const char *answer = run->answer;
	size_t skip = strlen(SKIP_PREFIX);

	if (answer == NULL) {
		printf("    ok %u %s\n", number, run->test->name);
	} else if (strncmp(answer, SKIP_PREFIX, skip) == 0) {
		printf("    ok %u %s %s\n", number, run->test->name, answer);
	} else {
		printf("    not ok %u %s # %s\n", number, run->test->name,
		       answer);
		log_visit((unsigned int)min(log_mark() - mark, 8UL),
		          main_show_line, NULL);
		runner.failed++;
		return false;
	}
	return true;
}

static bool run_one(const struct test_case *test, unsigned int number)
{
	static char text[300];
	struct run run = { .test = test };
	uint64_t mark = log_mark();

	if (machine_try(run_case, &run, text, sizeof(text)) !=
	    MACHINE_RETURNED) {
		run.answer = text;
		machine_stop();
	}
	runner.ran++;
	fflush(stdout);
	return main_report(&run, number, mark);
}

/* ---- Which cases --------------------------------------------------------- */

/* PATTERN is "suite" or "suite.case". */
static bool pattern_matches(const char *pattern, const struct test_case *test)
{
	size_t length = strlen(test->suite);

	if (strncmp(pattern, test->suite, length) != 0)
		return false;
	return pattern[length] == '\0' ||
	       (pattern[length] == '.' &&
	        strcmp(pattern + length + 1, test->name) == 0);
}

static bool is_wanted(const struct test_case *test)
{
	for (int i = 0; i < runner.patterns; i++) {
		if (pattern_matches(runner.pattern[i], test))
			return true;
	}
	return runner.patterns == 0;
}

/* The wanted cases of a suite, from the first. */
static unsigned int count_wanted(const char *suite)
{
	unsigned int wanted = 0;

	for (const struct test_case *at = suites_begin; at < suites_end; at++)
		wanted += strcmp(at->suite, suite) == 0 && is_wanted(at);
	return wanted;
}

/* Is TEST the first wanted case of its suite? */
static bool main_begins_suite(const struct test_case *test)
{
	if (!is_wanted(test))
		return false;
	for (const struct test_case *at = suites_begin; at < test; at++) {
		if (strcmp(at->suite, test->suite) == 0 && is_wanted(at))
			return false;
	}
	return true;
}

static bool main_run_suite(const char *suite)
{
	unsigned int number = 0;
	bool passed = true;

	printf("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", suite,
	       count_wanted(suite));
	for (const struct test_case *at = suites_begin; at < suites_end; at++) {
		if (strcmp(at->suite, suite) == 0 && is_wanted(at) &&
		    !run_one(at, ++number))
			passed = false;
	}
	return passed;
}

static void run_all(void)
{
	unsigned int suites = 0;
	unsigned int number = 0;

	for (const struct test_case *at = suites_begin; at < suites_end; at++)
		suites += main_begins_suite(at);
	printf("KTAP version 1\n# seed %llu\n1..%u\n",
	       (unsigned long long)runner.seed, suites);
	for (const struct test_case *at = suites_begin; at < suites_end; at++) {
		if (!main_begins_suite(at))
			continue;
		number++;
		printf("%s %u %s\n",
		       main_run_suite(at->suite) ? "ok" : "not ok", number,
		       at->suite);
	}
}

/* ---- The command line ---------------------------------------------------- */

static void list_all(void)
{
	for (const struct test_case *at = suites_begin; at < suites_end; at++)
		printf("%s.%s\n", at->suite, at->name);
}

static bool read_seed(const char *text)
{
	char *end;

	errno = 0;
	runner.seed = strtoull(text, &end, 0);
	return errno == 0 && *text != '\0' && *end == '\0';
}

static int usage(const char *program)
{
	fprintf(stderr, "usage: %s [--seed N] [--list] [suite[.case]] ...\n",
	        program);
	return 2;
}

int main(int argc, char **argv)
{
	int at = 1;

	runner.seed = (uint64_t)time(NULL);
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (strcmp(argv[at], "--list") == 0) {
			list_all();
			return 0;
		}
		if (strcmp(argv[at], "--seed") != 0 || at + 1 == argc ||
		    !read_seed(argv[++at]))
			return usage(argv[0]);
	}
	runner.pattern = argv + at;
	runner.patterns = argc - at;
	run_all();
	if (runner.ran == 0)
		fprintf(stderr, "no such case\n");
	return runner.ran > 0 && runner.failed == 0 ? 0 : 1;
}

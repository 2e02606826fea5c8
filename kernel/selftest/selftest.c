/* SPDX-License-Identifier: MIT */
/*
 * kernel/selftest/selftest.c -- runs the suites and reports.
 *
 * KTAP version 1, one level of subtests:
 *
 *	KTAP version 1
 *	1..2
 *	    KTAP version 1
 *	    # Subtest: buddy
 *	    1..2
 *	    ok 1 joins_two_free_buddies
 *	    not ok 2 splits # tests/mm/test_buddy.c:12: expected ...
 *	not ok 1 buddy
 *	...
 *	EXIT 17
 *
 * A verdict needs both: the log above, complete, and the exit status.
 *
 * Further reading: Linux Documentation/dev-tools/ktap.rst.
 */
#include "kernel/selftest/selftest.h"

#include "drivers/keyboard.h"
#include "drivers/pit.h"
#include "drivers/power.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/image.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/irq.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/nmi.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/work.h"
#include "kernel/demo/recorder.h"
#include "kernel/refiller.h"
#include "kernel/selftest/users.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/slab/slab.h"
#include "mm/slab/vmalloc.h"
#include "tests/suite.h"

#define EXIT_PASSED 16
#define EXIT_FAILED 17
#define EXIT_PANIC  18

/* Before a word of the filter: all but that. */
#define EXCEPT      '-'

static bool wanted;
static char wanted_filter[SELFTEST_FILTER_SIZE];
static uint64_t seed;
static char failure[256];

static int set_selftest(const char *value)
{
	if (value != NULL && strlen(value) >= sizeof(wanted_filter))
		return -E2BIG;
	wanted = true;
	scnprintf(wanted_filter, sizeof(wanted_filter), "%s",
	          value == NULL ? "" : value);
	return 0;
}

static int set_seed(const char *value)
{
	return value == NULL ? -EINVAL : parse_number(value, &seed);
}

PARAM(selftest, "selftest", "[=suite[.case]][,...]: run the self-test and end",
      set_selftest);
PARAM(seed, "seed", "=N: of the random tests", set_seed);

bool selftest_wanted(const char **filter)
{
	*filter = wanted_filter;
	return wanted;
}

/* ---- What the cases call ------------------------------------------------- */

const char *test_failure(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(failure, sizeof(failure), format, arguments);
	va_end(arguments);
	return failure;
}

uint64_t test_seed(void)
{
	if (seed == 0)
		seed = arch_cycles() | 1;
	return seed;
}

/* One line to the serial port, in one piece. */
static void tap(const char *format, ...) __printf(1, 2);
static void tap(const char *format, ...)
{
	char line[384];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	line[length] = '\n';
	console_write_to("serial", line, (size_t)length + 1);
}

void test_note(const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	tap("    # %s", line);
}

/* ---- How much it executes ------------------------------------------------ */

/* Ticks of the time-stamp counter, less the time in which the CPU had nothing to do. */
static uint64_t busy_ticks(void)
{
	struct sched_times times;
	uint64_t now = arch_cycles();

	sched_times(&times);
	return now - times.idle * clock_cycles_per_microsecond();
}

/* Those since BEGAN: as instructions, where each takes the same number of ticks. */
static void print_work(const char *indent, uint64_t began)
{
	uint64_t ticks = busy_ticks() - began;
	unsigned int each = irqsoff_ticks_per_instruction();

	if (each > 0)
		tap("%s# instructions %llu", indent,
		    (unsigned long long)ticks / each);
	else
		tap("%s# cycles %llu", indent, (unsigned long long)ticks);
}

/* ---- One case ------------------------------------------------------------ */

struct attempt {
	const struct test_case *test;
	const char *sentence;
};

static void call_case(void *data)
{
	struct attempt *attempt = data;

	attempt->sentence = attempt->test->run();
}

/* A handler may have data on the stack of the case, which has ended. */
static void silence_listeners(void)
{
	pit_set_listener(NULL, NULL);
	keyboard_set_listener(NULL, NULL);
	nmi_set_handler(NULL, NULL);
}

/* Any fault ends the case: still with interrupts off, so that none finds its stack. */
static bool match_any(const struct fault *fault, void *data)
{
	(void)fault;
	(void)data;
	silence_listeners();
	return true;
}

/* Run the case; a fault inside it becomes its sentence. */
static const char *run_caught(const struct test_case *test)
{
	struct attempt attempt = { .test = test };
	struct fault_expect expect = { .match = match_any };
	char place[64];

	if (!fault_catch(&expect, call_case, &attempt))
		return attempt.sentence;
	place_format(place, sizeof(place), expect.frame.rip);
	return test_failure("it faulted: %s (error %#llx) at %s, address %#llx",
	                    trap_name((unsigned int)expect.frame.vector),
	                    (unsigned long long)expect.frame.error, place,
	                    (unsigned long long)expect.address);
}

/* Nothing has run since selftest_settle() but what selftest_try() does between two cases,
 * which keeps no page. */
static bool settled;

/* Pages that are kept for later, or that kswapd and kcompactd have in hand, go where
 * they are not counted as used. */
static void selftest_settle(void)
{
	uint64_t until = clock_microseconds() + 1000000;

	/* A case that was ended in the middle of reclaim has some forever. */
	while (READ_ONCE(main_node()->reclaim.in_hand) > 0 &&
	       clock_microseconds() < until)
		thread_yield();
	refiller_settle();
	/* The worker may be in the middle of a purge: it draws the screen, too. */
	flush_work();
	/* Addresses that wait for a flush keep an object of kmalloc() each. */
	vmalloc_purge(main_vmalloc());
	slab_shrink_node(main_node());
	settled = true;
}

/* The number of pages in each column, by the counters of the zones. */
static struct page_columns read_columns(void)
{
	const struct node *node = main_node();
	struct page_columns columns = { 0 };

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node->zone[type];

		columns.free += zone->free_pages;
		columns.parked += exclusive_zone_parked(zone);
		columns.free += zone_pcp_pages(zone);
		columns.used += zone_used_pages(zone);
		columns.exclusive += exclusive_zone_owned(zone);
		columns.bad += zone->bad_pages;
	}
	/* Page tables of vmalloc() stay for the next area, groups of windows for
	 * the next owners. */
	columns.used -= main_vmalloc()->tables + node->pool.group_pages;
	columns.free += main_vmalloc()->tables + node->pool.group_pages;
	return columns;
}

/* Grows with everything that the kernel's allocator does. */
static unsigned long count_events(void)
{
	const struct node *node = main_node();
	unsigned long events = 0;

	for (unsigned int event = 0; event < VMSTAT_COUNT; event++)
		events += vmstat_read(&node->stat, (enum vmstat_event)event);
	return events;
}

/* In which context a case ends: NULL if in the one it began in. */
static const char *check_context(void)
{
	if (preempt_count() != 0 || !arch_irq_enabled())
		return test_failure("it ends with preempt_count %#x, "
		                    "interrupts %s",
		                    preempt_count(),
		                    arch_irq_enabled() ? "on" : "off");
	if (held_total() != 0) {
		char text[200];

		return test_failure("it ends and holds %s",
		                    held_format(text, sizeof(text)));
	}
	if (lock_order_take_reports() != 0)
		return test_failure("locks were taken in an order that can "
		                    "deadlock: see the log");
	return NULL;
}

/*
 * The checks, and when they run.  A walk over every page takes longer than most cases.
 *
 *	after each case		the counts of the columns, and the free lists if it
 *				has asked the kernel's allocator for anything
 *	after each suite	every page, list and mapping: check_all().  On a
 *				machine of more than 1 GiB only if the suite has
 *				asked, or if it is the last one
 *	where suites or cases	every page after each case that has asked, so that
 *	are asked for by name	the case is known; on more than 1 GiB as above
 *
 * So a page that a case has spoiled behind the counters is found at the end of its
 * suite, and `selftest=SUITE` then tells which case it was.
 */
#define LARGE_PAGES (GIB / PAGE_SIZE)

static bool every_case_is_walked;

static bool machine_is_large(void)
{
	return main_node()->page_count > LARGE_PAGES;
}

bool selftest_walk_every_case(bool on)
{
	bool before = every_case_is_walked;

	every_case_is_walked = on && !machine_is_large();
	return before;
}

static const char *check_all(char *buffer, size_t size)
{
	const char *broken = mm_check(buffer, size);

	return broken != NULL ? broken
	                      : vmalloc_check(main_vmalloc(), buffer, size);
}

/* The free lists, and what they come to: NULL, or a sentence in BUFFER. */
static const char *check_free_lists(char *buffer, size_t size)
{
	struct node *node = main_node();

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (buddy_check(&node->zone[type], false, buffer, size) != NULL)
			return buffer;
	}
	return NULL;
}

#define LEAK_PREFIX "it leaves a leak"

/* Return what a case has leaked, or NULL. */
static const char *check_balance(const struct page_columns *before,
                                 unsigned long events)
{
	struct page_columns after;
	const char *broken = NULL;
	char sentence[240];

	selftest_settle();
	after = read_columns();
	if (count_events() != events)
		broken = (every_case_is_walked ? check_all : check_free_lists)(
			sentence, sizeof(sentence));
	if (broken != NULL)
		return test_failure("%s", broken);
	if (before->used != after.used ||
	    before->exclusive != after.exclusive || before->bad != after.bad ||
	    before->free + before->parked != after.free + after.parked)
		return test_failure(
			LEAK_PREFIX
			": used %lu -> %lu, exclusive %lu -> "
			"%lu, bad %lu -> %lu, free and parked %lu -> %lu",
			before->used, after.used, before->exclusive,
			after.exclusive, before->bad, after.bad,
			before->free + before->parked,
			after.free + after.parked);
	return NULL;
}

static void print_log_line(const char *line, void *data)
{
	(void)data;
	tap("    # %s", line);
}

/* The log since MARK, of a case that failed. */
static void print_log_since(uint64_t mark)
{
	uint64_t lines = log_mark() - mark;

	log_visit((unsigned int)min(lines, 40ULL), print_log_line, NULL);
}

static void print_user(const char *line)
{
	tap("    # %s", line);
}

/* A case that ended half-way may have left its doings behind: stop them, so
 * that the next case finds what it expects.  A lock that was held at a fault
 * stays held; taking it again is a panic that names it. */
static void tidy_up(unsigned int hz)
{
	held_forget();
	recorder_stop();
	silence_listeners();
	if (clock_hz() != hz)
		pit_set_hz(hz);
	exclusive_release_all();
	refiller_pause(false);
	refiller_settle();
}

const char *selftest_try(const struct test_case *test)
{
	uint64_t mark = log_mark();
	unsigned int hz = clock_hz();
	struct page_columns before;
	unsigned long events;
	const char *sentence;

	if (!settled)
		selftest_settle();
	before = read_columns();
	events = count_events();
	settled = false;
	sentence = run_caught(test);
	if (sentence == NULL)
		sentence = check_context();
	arch_irq_enable();
	if (sentence == NULL)
		sentence = check_balance(&before, events);
	if (sentence != NULL && !test->provoked &&
	    strncmp(sentence, SKIP_PREFIX, strlen(SKIP_PREFIX)) != 0)
		print_log_since(mark);
	if (sentence != NULL && !test->provoked &&
	    strncmp(sentence, LEAK_PREFIX, strlen(LEAK_PREFIX)) == 0)
		users_print(print_user);
	tidy_up(hz);
	return sentence;
}

/* ---- All cases ----------------------------------------------------------- */

static const struct test_case *first_case(void)
{
	return (const struct test_case *)suites_begin;
}

static const struct test_case *last_case(void)
{
	return (const struct test_case *)suites_end;
}

/* The word of LENGTH characters is "suite" or "suite.case". */
static bool selftest_word_names(const char *word, size_t length,
                                const struct test_case *test)
{
	size_t suite = strlen(test->suite);
	size_t name = strlen(test->name);

	if (length < suite || strncmp(word, test->suite, suite) != 0)
		return false;
	if (length == suite)
		return true;
	return word[suite] == '.' && length == suite + 1 + name &&
	       strncmp(word + suite + 1, test->name, name) == 0;
}

bool selftest_names(const char *filter, const struct test_case *test)
{
	bool named;

	if (filter == NULL || filter[0] == '\0')
		return true;
	/* A list that begins with an exclusion means all others. */
	named = filter[0] == EXCEPT;
	for (const char *word = filter, *end; *word != '\0';
	     word = *end == '\0' ? end : end + 1) {
		bool except = *word == EXCEPT;

		word += except;
		for (end = word; *end != '\0' && *end != ','; end++)
			;
		if (selftest_word_names(word, (size_t)(end - word), test))
			named = !except;
	}
	return named;
}

static bool selftest_begins_suite(const struct test_case *test)
{
	return test == first_case() || strcmp(test->suite, test[-1].suite) != 0;
}

/* How many wanted cases the suite that begins at FIRST has. */
static unsigned int suite_size(const struct test_case *first,
                               const char *filter)
{
	unsigned int size = 0;

	for (const struct test_case *test = first;
	     test < last_case() && strcmp(test->suite, first->suite) == 0;
	     test++)
		size += selftest_names(filter, test);
	return size;
}

static unsigned int suite_count(const char *filter)
{
	unsigned int suites = 0;

	for (const struct test_case *test = first_case(); test < last_case();
	     test++)
		suites += selftest_begins_suite(test) &&
		          suite_size(test, filter) > 0;
	return suites;
}

static void print_case(const struct test_case *test, unsigned int number,
                       const char *sentence, struct selftest_result *result)
{
	size_t skip = strlen(SKIP_PREFIX);

	if (sentence == NULL) {
		result->passed++;
		tap("    ok %u %s", number, test->name);
	} else if (strncmp(sentence, SKIP_PREFIX, skip) == 0) {
		result->skipped++;
		tap("    ok %u %s %s", number, test->name, sentence);
	} else {
		result->failed++;
		tap("    not ok %u %s # %s", number, test->name, sentence);
	}
}

/* The screen's line for a suite. */
static void print_suite(const char *suite, const struct selftest_result *result)
{
	char line[96];
	int length =
		scnprintf(line, sizeof(line), "  %s%-18s\x1b[0m %u passed%s",
	                  result->failed == 0 ? "\x1b[32m" : "\x1b[31m", suite,
	                  result->passed, result->failed == 0 ? "\n" : "");

	console_write_to("screen", line, (size_t)length);
	if (result->failed > 0) {
		length = scnprintf(line, sizeof(line), ", %u failed\n",
		                   result->failed);
		console_write_to("screen", line, (size_t)length);
	}
}

const char *selftest_walk(char *buffer, size_t size, bool asked)
{
	return asked || !machine_is_large() ? check_all(buffer, size) : NULL;
}

/* The line of a suite in the log.  A fault that a walk finds after its cases
 * belongs to no case: it is reported there. */
static void print_suite_result(const char *suite, unsigned int number,
                               const char *broken,
                               const struct selftest_result *result)
{
	if (broken != NULL)
		tap("not ok %u %s # after its cases: %s; selftest=%s looks "
		    "after each of them",
		    number, suite, broken, suite);
	else
		tap("%s %u %s", result->failed == 0 ? "ok" : "not ok", number,
		    suite);
}

/* Remembers that the run is over once it is. */
static bool is_over(bool (*ended)(void), struct selftest_result *total)
{
	if (!total->ended && ended != NULL && ended()) {
		total->ended = true;
		tap("Bail out! It was ended before its end");
	}
	return total->ended;
}

/* NUMBER of OF suites. */
static void selftest_run_suite(const struct test_case *first,
                               unsigned int number, unsigned int of,
                               const char *filter, bool (*ended)(void),
                               struct selftest_result *total)
{
	struct selftest_result result = { 0 };
	unsigned long events = count_events();
	uint64_t began = busy_ticks();
	unsigned int at = 0;
	const char *broken;
	char sentence[240];

	tap("    KTAP version 1");
	tap("    # Subtest: %s", first->suite);
	tap("    1..%u", suite_size(first, filter));
	for (const struct test_case *test = first;
	     test < last_case() && strcmp(test->suite, first->suite) == 0;
	     test++) {
		if (selftest_names(filter, test) && !is_over(ended, total))
			print_case(test, ++at, selftest_try(test), &result);
	}
	broken = selftest_walk(sentence, sizeof(sentence),
	                       count_events() != events || number == of);
	result.failed += broken != NULL;
	print_work("    ", began);
	print_suite_result(first->suite, number, broken, &result);
	print_suite(first->suite, &result);
	total->passed += result.passed;
	total->failed += result.failed;
	total->skipped += result.skipped;
}

static void run_suites(const char *filter, unsigned int suites,
                       bool (*ended)(void), struct selftest_result *result)
{
	unsigned int number = 0;

	for (const struct test_case *test = first_case(); test < last_case();
	     test++) {
		if (selftest_begins_suite(test) &&
		    suite_size(test, filter) > 0 && !result->ended)
			selftest_run_suite(test, ++number, suites, filter,
			                   ended, result);
	}
}

void selftest_run(const char *filter, bool (*ended)(void),
                  struct selftest_result *result)
{
	unsigned int suites = suite_count(filter);
	enum log_level level = log_console_level();

	/* The cases provoke hundreds of reports: they stay in the ring, and are
	 * printed if the case fails.  A loglevel= of the user stays. */
	if (level == LOG_INFO)
		log_set_console_level(LOG_CRIT);
	settled = false;
	*result = (struct selftest_result){ 0 };
	selftest_walk_every_case(filter != NULL && filter[0] != '\0' &&
	                         filter[0] != EXCEPT);
	tap("KTAP version 1");
	tap("1..%u", suites);
	tap("# seed %#llx", (unsigned long long)test_seed());
	run_suites(filter, suites, ended, result);
	log_set_console_level(level);
	if (suites == 0) {
		console_printf("selftest: nothing is called '%s'\n", filter);
		result->failed++;
	}
}

static __noreturn void end_machine(int code)
{
	char line[16];
	int length = scnprintf(line, sizeof(line), "EXIT %d\n", code);

	console_write_to("serial", line, (size_t)length);
	machine_exit(code);
}

void selftest_end_machine(bool passed)
{
	end_machine(passed ? EXIT_PASSED : EXIT_FAILED);
}

static void end_after_panic(void)
{
	end_machine(EXIT_PANIC);
}

void selftest_prepare(void)
{
	panic_set_exit(end_after_panic);
}

void selftest_main(const char *filter)
{
	uint64_t began = busy_ticks();
	struct selftest_result result;
	char line[160];
	int length;

	selftest_run(filter, NULL, &result);
	length = scnprintf(line, sizeof(line),
	                   "\n%s%u passed, %u failed, %u skipped\x1b[0m\n",
	                   result.failed == 0 ? "\x1b[1;32m" : "\x1b[1;31m",
	                   result.passed, result.failed, result.skipped);
	console_write_to("screen", line, (size_t)length);
	tap("# %u passed, %u failed, %u skipped", result.passed, result.failed,
	    result.skipped);
	for (unsigned int i = 0; irq_longest_off(line, sizeof(line), i) != NULL;
	     i++)
		tap("# %s", line);
	tap("# %s", irq_longest_report(line, sizeof(line)));
	tap("# nmis %llu", (unsigned long long)nmi_count());
	print_work("", began);
	selftest_end_machine(result.failed == 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * The kernel log: what the ring keeps, what the consoles show, and lines from
 * interrupts among those of a thread.
 *
 * Lines are logged at LOG_DEBUG unless a case is about the consoles, and each
 * case looks at lines behind its own mark.
 */
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/nmi.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/semaphore.h"
#include "kernel/thread.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(printk);

#define LINE_LIMIT 255 /* kernel/core/printk.h */
#define CALL_LIMIT 511
#define LONG       200 /* a line that is easily torn */

/* Enough of the longest lines to fill the ring twice. */
#define FILLERS    (2 * LOG_SIZE / LINE_LIMIT)

#define X10        "xxxxxxxxxx"
#define X50        X10 X10 X10 X10 X10
#define X100       X50 X50

/* ---- Nobody else's lines ------------------------------------------------- */

/*
 * An NMI may arrive at any time, and the 1st, 2nd, 4th, 8th... is logged.  A
 * case that counts lines and failed while such a line arrived starts over, at
 * most once for each power of two.
 */
static unsigned int nmi_lines(void)
{
	uint64_t count = nmi_count();
	unsigned int lines = 0;

	for (; count != 0; count >>= 1)
		lines++;
	return lines;
}

static const char *when_alone(const char *(*body)(void))
{
	const char *sentence;
	unsigned int before;

	do {
		before = nmi_lines();
		sentence = body();
	} while (sentence != NULL && nmi_lines() != before);
	return sentence;
}

#define CASE_ALONE(suite, name)                                                \
	static const char *alone_##name(void);                                 \
	CASE(suite, name)                                                      \
	{                                                                      \
		return when_alone(alone_##name);                               \
	}                                                                      \
	static const char *alone_##name(void)

/* ---- Reading ------------------------------------------------------------- */

/* The text of a visited line, behind "[    1.234567] ". */
static const char *text_of(const char *line)
{
	const char *end = strchr(line, ']');

	return *line == '[' && end != NULL && end[1] == ' ' ? end + 2 : "?";
}

/* The last lines that were visited, oldest first. */
#define KEPT 8
struct kept {
	char text[KEPT][LINE_LIMIT + 1];
	unsigned int count; /* visited, kept or not */
};

static void test_printk_keep(const char *line, void *data)
{
	struct kept *kept = data;

	if (kept->count < KEPT)
		scnprintf(kept->text[kept->count], sizeof(kept->text[0]), "%s",
		          text_of(line));
	kept->count++;
}

/* The last COUNT lines; valid until the next call. */
static const struct kept *last_lines(unsigned int count)
{
	static struct kept kept;

	memset(&kept, 0, sizeof(kept));
	log_visit(count, test_printk_keep, &kept);
	return &kept;
}

CASE_ALONE(printk, visits_the_last_lines_oldest_first)
{
	const struct kept *kept;

	for (unsigned int i = 0; i < 5; i++)
		pr_debug("line %u\n", i);
	kept = last_lines(3);
	EXPECT_EQUAL(kept->count, 3);
	EXPECT(strcmp(kept->text[0], "line 2") == 0);
	EXPECT(strcmp(kept->text[1], "line 3") == 0);
	EXPECT(strcmp(kept->text[2], "line 4") == 0);
	EXPECT_EQUAL(last_lines(0)->count, 0);
	return NULL;
}

CASE_ALONE(printk, counts_lines_since_a_mark_and_those_with_a_text)
{
	uint64_t first;
	uint64_t second;

	pr_debug("apple before the mark\n");
	first = log_mark();
	pr_debug("apple\n");
	pr_debug("pear\n");
	second = log_mark();
	pr_debug("an apple at the end: apple\n");
	EXPECT_EQUAL(second, first + 2);
	EXPECT_EQUAL(log_mark(), first + 3);
	EXPECT_EQUAL(log_count_since(first, "apple"), 2);
	EXPECT_EQUAL(log_count_since(second, "apple"), 1);
	EXPECT_EQUAL(log_count_since(first, ""), 3);
	EXPECT(log_contains_since(first, "pear"));
	EXPECT(!log_contains_since(second, "pear"));
	EXPECT(!log_contains_since(log_mark(), ""));
	return NULL;
}

/* "[    1.234567] ...": the microseconds in front of a visited line. */
static void test_printk_keep_time(const char *line, void *data)
{
	uint64_t *time = data;

	for (*time = 0; *line != ']' && *line != '\0'; line++) {
		if (*line >= '0' && *line <= '9')
			*time = *time * 10 + (uint64_t)(*line - '0');
	}
}

CASE_ALONE(printk, a_line_has_the_time_when_it_was_written)
{
	uint64_t before = clock_microseconds();
	uint64_t after;
	uint64_t time;

	pr_debug("now\n");
	after = clock_microseconds();
	log_visit(1, test_printk_keep_time, &time);
	EXPECT(time >= before && time <= after);
	return NULL;
}

CASE_ALONE(printk, cuts_a_line_at_its_limit)
{
	uint64_t mark = log_mark();
	const struct kept *kept;

	pr_debug("%s", X100 X100 X100);
	EXPECT_EQUAL(log_mark(), mark + 1);
	kept = last_lines(1);
	EXPECT_EQUAL(strlen(kept->text[0]), LINE_LIMIT);
	pr_debug("%s", X100 X100 X50 "12345");
	kept = last_lines(1);
	EXPECT(strcmp(kept->text[0], X100 X100 X50 "12345") == 0);
	return NULL;
}

CASE_ALONE(printk, splits_a_text_at_its_newlines)
{
	uint64_t mark = log_mark();
	const struct kept *kept;

	pr_debug("one\ntwo\nthree");
	EXPECT_EQUAL(log_mark(), mark + 3);
	kept = last_lines(3);
	EXPECT(strcmp(kept->text[0], "one") == 0);
	EXPECT(strcmp(kept->text[1], "two") == 0);
	EXPECT(strcmp(kept->text[2], "three") == 0);
	/* Text that is cut from one line does not reach the next one. */
	pr_debug("%s\nbehind\n", X100 X100 X100);
	EXPECT_EQUAL(log_mark(), mark + 5);
	kept = last_lines(1);
	EXPECT(strcmp(kept->text[0], "behind") == 0);
	return NULL;
}

CASE_ALONE(printk, takes_so_many_characters_from_one_call)
{
	uint64_t mark = log_mark();
	const struct kept *kept;

	/* 251 and 251 characters, each with its newline, and the rest. */
	pr_debug("%s\n%s\n%s\n", X100 X100 X50 "a", X100 X100 X50 "b",
	         "0123456789");
	EXPECT_EQUAL(log_mark(), mark + 3);
	kept = last_lines(1);
	EXPECT_EQUAL(strlen(kept->text[0]), CALL_LIMIT - 2 * 252);
	EXPECT(strcmp(kept->text[0], "0123456") == 0);
	return NULL;
}

/* ---- A full ring --------------------------------------------------------- */

/* 145 bytes with its head, which divides LOG_SIZE + 1: a ring that took a byte
 * too much would hold a line too much. */
static void log_filler(unsigned int number)
{
	pr_debug("filler %3u %s\n", number, X100 X10 X10 "fill");
}

/* Are the visited lines fillers, one number after the other? */
struct row {
	unsigned int count;
	uint64_t next;
	bool broken;
};

/* The number behind HEAD in TEXT, up to a blank; false: there is none. */
static bool number_behind(const char *text, const char *head, uint64_t *number)
{
	size_t length = strlen(head);
	char digits[24];
	size_t at = 0;

	if (strncmp(text, head, length) != 0)
		return false;
	text += length;
	while (*text == ' ')
		text++;
	while (*text != ' ' && *text != '\0' && at + 1 < sizeof(digits))
		digits[at++] = *text++;
	digits[at] = '\0';
	return parse_number(digits, number) == 0;
}

static void look_at_row(const char *line, void *data)
{
	struct row *row = data;
	uint64_t number;

	if (!number_behind(text_of(line), "filler", &number) ||
	    (row->count > 0 && number != row->next))
		row->broken = true;
	else
		row->next = number + 1;
	row->count++;
}

CASE_ALONE(printk, full_ring_drops_its_oldest_lines)
{
	uint64_t mark = log_mark();
	struct row row = { 0 };

	for (unsigned int i = 0; i < FILLERS; i++)
		log_filler(i);
	/* A number is never used twice, nor reused. */
	EXPECT_EQUAL(log_mark(), mark + FILLERS);
	EXPECT(!log_contains_since(mark, "filler   0 "));
	EXPECT(!log_contains_since(0, "filler   0 "));
	log_visit(FILLERS, look_at_row, &row);
	EXPECT(!row.broken);
	EXPECT_EQUAL(row.next, FILLERS);
	EXPECT(row.count < FILLERS);
	/* It holds as many of them as fit, with ten bytes of head each. */
	EXPECT_EQUAL(row.count,
	             LOG_SIZE / (strlen(last_lines(1)->text[0]) + 10));
	EXPECT_EQUAL(log_count_since(mark, "filler"), row.count);
	return NULL;
}

/* ---- The consoles -------------------------------------------------------- */

/*
 * A third console beside the serial port and the screen.  There is no way to
 * take one away again, so it stays, and listens only while a case wants it to.
 */
static struct {
	bool listens;
	bool talks;           /* overruns the log once, while it writes */
	void (*during)(void); /* called once, while it writes */
	char text[1024];
	size_t length;
} ear;

static void ear_write(const char *text, size_t size)
{
	if (!ear.listens)
		return;
	for (size_t i = 0; i < size && ear.length + 1 < sizeof(ear.text); i++)
		ear.text[ear.length++] = text[i];
	ear.text[ear.length] = '\0';
	if (ear.during != NULL) {
		void (*during)(void) = ear.during;

		ear.during = NULL;
		during();
	}
	if (!ear.talks)
		return;
	ear.talks = false;
	for (unsigned int i = 0; i < FILLERS; i++)
		log_filler(i);
}

static struct console_sink ear_sink = { .name = "ear", .write = ear_write };

static void begin_listening(bool talks)
{
	static bool registered;

	if (!registered)
		console_register_sink(&ear_sink);
	registered = true;
	ear.length = 0;
	ear.text[0] = '\0';
	ear.talks = talks;
	ear.during = NULL;
	ear.listens = true;
}

static bool heard(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + length <= ear.length; i++) {
		if (strncmp(ear.text + i, text, length) == 0)
			return true;
	}
	return false;
}

CASE(printk, consoles_show_lines_up_to_their_level)
{
	enum log_level level = log_console_level();
	uint64_t mark = log_mark();

	begin_listening(false);
	log_set_console_level(LOG_WARNING);
	printk(LOG_ERR, "more urgent than the level\n");
	printk(LOG_WARNING, "as urgent as the level\n");
	printk(LOG_NOTICE, "less urgent than the level\n");
	log_set_console_level(level);
	ear.listens = false;
	EXPECT(heard("] more urgent than the level\n"));
	EXPECT(heard("] as urgent as the level\n"));
	EXPECT(!heard("less urgent"));
	/* The ring has all of them. */
	EXPECT_EQUAL(log_count_since(mark, "urgent"), 3);
	EXPECT_EQUAL(log_console_level(), level);
	return NULL;
}

/* Somebody logs an error while the ear writes another line. */
static struct {
	struct completion go;
	bool done;
	bool heard_at_once;
} urgent;

static void log_urgent(void)
{
	pr_err("an urgent line\n");
	urgent.heard_at_once = heard("] an urgent line\n");
	WRITE_ONCE(urgent.done, true);
}

static void log_urgent_in_thread(void *unused __unused)
{
	wait_for_completion(&urgent.go);
	log_urgent();
}

static void let_thread_go(void)
{
	complete(&urgent.go);
}

static void log_urgent_in_interrupt(void *unused __unused)
{
	if (!READ_ONCE(urgent.done))
		log_urgent();
}

/* In the middle of a line, until an interrupt has logged one. */
static void wait_for_interrupt(void)
{
	uint64_t end = clock_microseconds() + 1000000;

	pit_set_listener(log_urgent_in_interrupt, NULL);
	while (!READ_ONCE(urgent.done) && clock_microseconds() < end)
		arch_relax();
	pit_set_listener(NULL, NULL);
}

static void log_while(void (*during)(void))
{
	enum log_level level = log_console_level();

	urgent.done = false;
	urgent.heard_at_once = false;
	begin_listening(false);
	ear.during = during;
	log_set_console_level(LOG_WARNING);
	pr_warn("a line\nand another\n");
	log_set_console_level(level);
	ear.listens = false;
}

CASE(printk, urgent_thread_does_not_wait_for_the_printer_that_it_preempts)
{
	struct thread *thread;

	init_completion(&urgent.go);
	thread = thread_create_priority("urgent", PRIORITY_HIGH,
	                                log_urgent_in_thread, NULL);
	EXPECT(thread != NULL);
	log_while(let_thread_go);
	thread_join(thread);
	EXPECT(urgent.heard_at_once);
	EXPECT(heard("] and another\n"));
	return NULL;
}

CASE(printk, error_in_an_interrupt_follows_the_line_beneath_it)
{
	log_while(wait_for_interrupt);
	EXPECT(urgent.done);
	EXPECT(!urgent.heard_at_once);
	EXPECT(heard("] an urgent line\n"));
	return NULL;
}

/* Nobody else prints: this thread only waits, and is less urgent. */
CASE(printk, error_with_interrupts_off_is_printed_by_the_log_thread)
{
	enum log_level level = log_console_level();
	uint64_t end;
	bool enabled;

	begin_listening(false);
	log_set_console_level(LOG_WARNING);
	enabled = arch_irq_save();
	log_urgent();
	arch_irq_restore(enabled);
	end = clock_microseconds() + 1000000;
	while (!heard("] an urgent line\n") && clock_microseconds() < end)
		arch_relax();
	log_set_console_level(level);
	ear.listens = false;
	EXPECT(!urgent.heard_at_once);
	EXPECT(heard("] an urgent line\n"));
	return NULL;
}

CASE_ALONE(printk, consoles_report_how_many_lines_they_have_missed)
{
	enum log_level level = log_console_level();
	char sentence[64];
	unsigned int held;

	begin_listening(true);
	log_set_console_level(LOG_ERR);
	pr_err("a console that is slower than the log\n");
	log_set_console_level(level);
	ear.listens = false;
	held = LOG_SIZE / (unsigned int)(strlen(last_lines(1)->text[0]) + 10);
	scnprintf(sentence, sizeof(sentence),
	          "(%u lines of the log are lost)\n",
	          (unsigned int)FILLERS - held);
	EXPECT(heard("slower than the log\n"));
	EXPECT(heard(sentence));
	return NULL;
}

/* ---- From interrupts ----------------------------------------------------- */

static void log_from_interrupt(void *data)
{
	(void)data;
	pr_debug("order 2 %s\n", X100 X100);
}

static void log_outer(void *data)
{
	(void)data;
	pr_debug("order 2 %s\n", X100 X100);
}

static void log_inner(void *data)
{
	(void)data;
	pr_debug("order 3 %s\n", X100 X100);
}

/* Are the last COUNT lines "order 1", "order 2" ..., and whole? */
static bool in_order(unsigned int count)
{
	const struct kept *kept = last_lines(count);

	for (unsigned int i = 0; i < count; i++) {
		char due[LINE_LIMIT + 1];

		scnprintf(due, sizeof(due), "order %u %s", i + 1, X100 X100);
		if (strcmp(kept->text[i], due) != 0)
			return false;
	}
	return kept->count == count;
}

CASE_ALONE(printk, line_from_an_interrupt_stands_where_it_came)
{
	pr_debug("order 1 %s\n", X100 X100);
	EXPECT(in_timer_interrupt(log_from_interrupt, NULL));
	pr_debug("order 3 %s\n", X100 X100);
	EXPECT(in_order(3));
	return NULL;
}

CASE_ALONE(printk, line_from_a_nested_interrupt_stands_where_it_came)
{
	NEEDS_I8042();
	pr_debug("order 1 %s\n", X100 X100);
	EXPECT(keyboard_on_timer(log_outer, log_inner, NULL));
	pr_debug("order 4 %s\n", X100 X100);
	EXPECT(in_order(4));
	return NULL;
}

/* A thread and the timer write at the same time. */
#define TICKS   20U
#define SECONDS 1000000ULL

static void log_tick(void *data)
{
	unsigned int *ticks = data;

	if (*ticks < TICKS)
		pr_debug("tick %u %s\n", (*ticks)++, X100 X100);
}

struct race {
	uint64_t next_tick;
	uint64_t next_turn;
	unsigned int ticks;
	unsigned int turns;
	bool broken;
};

static bool test_printk_is_whole(const char *text)
{
	const char *blank = strchr(text, 'x');

	return blank != NULL && strcmp(blank, X100 X100) == 0;
}

/* NUMBER, of a kind of which *COUNT have been seen, must be the next one. */
static void must_follow(struct race *race, uint64_t number, uint64_t *next,
                        unsigned int *count)
{
	if (*count > 0 && number != *next)
		race->broken = true;
	*next = number + 1;
	(*count)++;
}

static void look_at_race(const char *line, void *data)
{
	struct race *race = data;
	const char *text = text_of(line);
	uint64_t number;

	if (number_behind(text, "tick", &number))
		must_follow(race, number, &race->next_tick, &race->ticks);
	else if (number_behind(text, "turn", &number))
		must_follow(race, number, &race->next_turn, &race->turns);
	else
		race->broken = true;
	if (!test_printk_is_whole(text))
		race->broken = true;
}

CASE_ALONE(printk, interrupts_and_a_thread_tear_no_line)
{
	uint64_t mark = log_mark();
	uint64_t limit = clock_microseconds() + 5 * SECONDS;
	struct race race = { 0 };
	unsigned int ticks = 0;
	unsigned int turns = 0;
	uint64_t lines;

	pit_set_listener(log_tick, &ticks);
	/* As many lines as the log has room for, also if others have had the CPU. */
	while ((READ_ONCE(ticks) < TICKS || turns < LOG_SIZE / 200) &&
	       clock_microseconds() < limit)
		pr_debug("turn %u %s\n", turns++, X100 X100);
	pit_set_listener(NULL, NULL);
	EXPECT_EQUAL(ticks, TICKS);
	lines = log_mark() - mark;
	EXPECT_EQUAL(lines, TICKS + turns);
	log_visit((unsigned int)min(lines, (uint64_t)LOG_SIZE), look_at_race,
	          &race);
	EXPECT(!race.broken);
	EXPECT(race.ticks + race.turns >= LOG_SIZE / 300);
	EXPECT_EQUAL(race.next_turn, turns);
	return NULL;
}

/* ---- Rate limits --------------------------------------------------------- */

#define INTERVAL 50000U

/* Return how many of COUNT immediate tries pass. */
static unsigned int test_printk_passes(struct ratelimit *limit,
                                       unsigned int count)
{
	unsigned int passed = 0;

	for (unsigned int i = 0; i < count; i++)
		passed += ratelimit_pass(limit);
	return passed;
}

CASE(printk, ratelimit_lets_a_burst_through_and_counts_the_rest)
{
	struct ratelimit limit = { .interval = 60 * SECONDS, .burst = 3 };
	uint64_t mark = log_mark();

	EXPECT_EQUAL(test_printk_passes(&limit, 10), 3);
	EXPECT_EQUAL(test_printk_passes(&limit, 10), 0);
	EXPECT(!log_contains_since(mark, "suppressed"));
	return NULL;
}

CASE(printk, ratelimit_opens_again_after_its_interval)
{
	struct ratelimit limit = { .interval = INTERVAL, .burst = 2 };
	uint64_t mark = log_mark();
	uint64_t begin = clock_microseconds();
	unsigned int passed = 0;
	unsigned int suppressed = 0;

	while (clock_microseconds() - begin < INTERVAL / 2) {
		if (ratelimit_pass(&limit))
			passed++;
		else
			suppressed++;
	}
	EXPECT_EQUAL(passed, 2);
	EXPECT(suppressed > 0);
	thread_sleep(INTERVAL);
	EXPECT(ratelimit_pass(&limit));
	EXPECT_EQUAL(log_count_since(mark, "reports like the next one were "
	                                   "suppressed"),
	             1);
	return NULL;
}

CASE(printk, ratelimit_holds_forevery_stretch_of_its_length)
{
	struct ratelimit limit = { .interval = INTERVAL, .burst = 2 };
	uint64_t second;

	EXPECT(ratelimit_pass(&limit));
	thread_sleep(INTERVAL / 2);
	second = clock_microseconds();
	EXPECT(ratelimit_pass(&limit));
	/* An interval after the first one, not after the second one. */
	thread_sleep(INTERVAL * 5 / 8);
	EXPECT(!ratelimit_pass(&limit) ||
	       clock_microseconds() - second >= INTERVAL);
	return NULL;
}

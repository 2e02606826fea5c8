/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_fail_shell.c -- lines typed at the shell, with their first,
 * second, ... allocation failing, once and forever, until none fails any more.
 *
 * Each line has lines before it, which create what it needs, and lines after
 * it, which undo everything; in these nothing fails.  After each attempt
 *
 *	- as many pages are free as before,
 *	- the failure was reported, on the screen or in the log; or the line
 *	  printed what it prints when nothing fails, and so did its witness, a
 *	  line that shows what was done.
 *
 * Lines that never say the same twice have no second choice.  Every command of
 * the shell is here or in left_out, with a reason.
 */
#include "kernel/block/block.h"
#include "kernel/core/console.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/shell/shell.h"
#include "kernel/shell/shell_command.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/page_alloc.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(fail_shell);

/* More allocations than any line makes. */
#define ALL 300U

struct line {
	const char *text;
	unsigned int least; /* allocations that can be made to fail */
	unsigned int most;  /* so many are tried; 0: until none fails */
	const char *before; /* lines, each with a line feed; NULL: none */
	const char *behind;
	const char *witness; /* a line that shows what was done */
	const char *tells;   /* more words that report a failure */
	bool varies;         /* it says something else each time */
};

/* ---- The output ---------------------------------------------------------- */

static char said[4096];
static size_t length;

static void test_fail_shell_listen(const char *text, size_t size)
{
	size = min(size, sizeof(said) - 1 - length);
	memcpy(said + length, text, size);
	length += size;
	said[length] = '\0';
}

static bool test_fail_shell_has(const char *text, const char *word)
{
	size_t size = strlen(word);

	for (; *text != '\0'; text++) {
		if (strncmp(text, word, size) == 0)
			return true;
	}
	return false;
}

/* Does TEXT or the log since MARK report that memory was missing? */
static bool is_told(const struct line *line, const char *text, uint64_t mark)
{
	static const char *const words[] = { "no memory", "not enough memory",
		                             "no exclusive page", "NULL" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (test_fail_shell_has(text, words[i]))
			return true;
	}
	if (line->tells != NULL && test_fail_shell_has(text, line->tells))
		return true;
	return log_contains_since(mark, "cannot be created");
}

/* ---- Running lines ------------------------------------------------------- */

static void run_line(const char *line)
{
	char text[80];

	length = 0;
	said[0] = '\0';
	scnprintf(text, sizeof(text), "%s", line);
	console_divert(test_fail_shell_listen);
	shell_execute(text);
	console_divert(NULL);
}

/* Each line of LINES. */
static void run_lines(const char *lines)
{
	char text[80];

	while (lines != NULL && *lines != '\0') {
		const char *end = strchr(lines, '\n');

		scnprintf(text, sizeof(text), "%.*s", (int)(end - lines),
		          lines);
		run_line(text);
		lines = end + 1;
	}
}

struct answer {
	char line[sizeof(said)];
	char witness[sizeof(said)];
	bool hit;
	bool told;
};

/*
 * The whole of LINE, with allocation NTH (0: none) of the line itself failing.
 */
static void run_whole(const struct line *line, unsigned int nth, bool forever,
                      struct answer *answer)
{
	struct thread *self = current_thread();
	uint64_t mark;

	run_lines(line->before);
	mark = log_mark();
	fail_nth_set(self, nth, forever);
	run_line(line->text);
	answer->hit = fail_nth_failed(self) > 0;
	fail_nth_set(self, 0, false);
	memcpy(answer->line, said, sizeof(said));
	answer->told = is_told(line, said, mark);
	if (line->witness != NULL)
		run_line(line->witness);
	memcpy(answer->witness, said, sizeof(said));
	run_lines(line->behind);
}

/* ---- Trying -------------------------------------------------------------- */

struct answers {
	struct answer good; /* nothing failed */
	struct answer bad;
};

SUITE_OBJECT(struct answers, answers);

/* NULL, or what is wrong with bad. */
static const char *test_fail_shell_judge(const struct line *line)
{
	bool differs = strcmp(answers->bad.line, answers->good.line) != 0;

	if (answers->bad.told && differs)
		return answers->bad.hit ? NULL
		                        : "it fails although no allocation did";
	if (line->varies)
		return answers->bad.hit ? "it does not say so" : NULL;
	if (differs)
		return "it says something else, but not why";
	if (strcmp(answers->bad.witness, answers->good.witness) != 0)
		return "it says nothing, and has not done it";
	return NULL;
}

static const char *test_fail_shell_attempt(const struct line *line,
                                           unsigned int nth, bool forever)
{
	unsigned long before = pages_not_free();
	const char *broken;

	run_whole(line, nth, forever, &answers->bad);
	broken = test_fail_shell_judge(line);
	if (broken != NULL)
		return test_failure("%s: allocation %u fails%s: %s", line->text,
		                    nth, forever ? " forever" : "", broken);
	if (pages_not_free() != before)
		return test_failure("%s: allocation %u fails%s: %lu pages not "
		                    "free before, %lu afterwards",
		                    line->text, nth, forever ? " forever" : "",
		                    before, pages_not_free());
	return NULL;
}

/* *COUNT: how many allocations could fail. */
static const char *test_fail_shell_sweep(const struct line *line, bool forever,
                                         unsigned int *count)
{
	unsigned int most = line->most == 0 ? ALL : line->most;

	for (*count = 0; *count < most; (*count)++) {
		const char *broken =
			test_fail_shell_attempt(line, *count + 1, forever);

		if (broken != NULL || !answers->bad.hit)
			return broken;
	}
	return line->most == 0 ? "it allocates without end" : NULL;
}

static const char *try_line(const struct line *line)
{
	unsigned int count[2];
	const char *broken;

	/* Twice: what is made once and kept is there then. */
	run_whole(line, 0, false, &answers->good);
	run_whole(line, 0, false, &answers->good);
	if (line->least > 0 && line->tells == NULL && answers->good.told)
		return test_failure("%s: %s", line->text, answers->good.line);
	broken = test_fail_shell_sweep(line, false, &count[0]);
	if (broken == NULL)
		broken = test_fail_shell_sweep(line, true, &count[1]);
	if (broken != NULL)
		return broken;
	if (count[0] < line->least)
		return test_failure("%s: %u allocations could fail, expected "
		                    "%u",
		                    line->text, count[0], line->least);
	return NULL;
}

static const char *test_fail_shell_try(const struct line *lines,
                                       unsigned int count)
{
	struct fault_attr *attr = &main_node()->fail_page_alloc;
	unsigned int verbose = attr->verbose;
	const char *broken = NULL;

	attr->verbose = 0;
	for (unsigned int i = 0; i < count && broken == NULL; i++)
		broken = try_line(&lines[i]);
	attr->verbose = verbose;
	return broken;
}

/* ---- The lines ----------------------------------------------------------- */

static const struct line memory_lines[] = {
	{ .text = "buddyinfo", .varies = true },
	{ .text = "zoneinfo", .varies = true },
	{ .text = "meminfo", .varies = true },
	{ .text = "vmstat", .varies = true },
	{ .text = "slabinfo", .varies = true },
	{ .text = "vmallocinfo", .varies = true },
	{ .text = "pagetypeinfo", .varies = true },
	{ .text = "extfrag", .varies = true },
	{ .text = "compact", .varies = true },
	{ .text = "cma", .varies = true },
	{ .text = "contig 4", .behind = "contig off\n", .varies = true },
	{ .text = "check" },
	{ .text = "gfp" },
	{ .text = "gfp ATOMIC", .varies = true },
	{ .text = "gfp KERNEL 4", .varies = true },
	{ .text = "alloc KERNEL 2",
	  .least = 1,
	  .behind = "free all\n",
	  .varies = true },
	{ .text = "alloc ATOMIC|__GFP_EXCLUSIVE",
	  .least = 1,
	  .behind = "free all\n",
	  .varies = true },
	{ .text = "free all", .before = "alloc KERNEL\n" },
	{ .text = "owner 300", .varies = true },
	{ .text = "why 256", .varies = true },
	{ .text = "exclusive", .varies = true },
	{ .text = "page_owner", .varies = true },
};

static const struct line test_lines[] = {
	{ .text = "recorder start",
	  .behind = "recorder stop\n",
	  .varies = true },
	{ .text = "recorder stop", .varies = true },
	{ .text = "map", .least = 3, .behind = "map off\n" },
	{ .text = "panic intrude", .least = 6 },
	{ .text = "mistake" },
	{ .text = "threads 2", .least = 10 },
	/* A small machine has no block of order 9 even so. */
	{ .text = "bench",
	  .least = 3,
	  .most = 3,
	  .tells = "NULL",
	  .varies = true },
	{ .text = "hotpath", .varies = true },
	{ .text = "trace on", .behind = "trace off\ntrace clear\n" },
	{ .text = "trace stream on", .behind = "trace stream off\n" },
	{ .text = "trace stream frames", .behind = "trace stream off\n" },
	{ .text = "trace show 3", .varies = true },
	{ .text = "sysctl" },
	{ .text = "sysctl vm.swappiness=60" },
	{ .text = "fail", .varies = true },
	{ .text = "failslab", .varies = true },
	{ .text = "irqs", .varies = true },
	{ .text = "ps", .varies = true },
	{ .text = "log 3", .varies = true },
	{ .text = "help" },
	{ .text = "echo one two" },
	{ .text = "clear" },
	{ .text = "oom_score_adj", .varies = true },
	{ .text = "anon 600", .least = 1, .behind = "anon drop 1\n" },
	{ .text = "anon fill 1 7",
	  .least = 9,
	  .before = "anon 8\n",
	  .behind = "anon drop 1\n",
	  .witness = "anon verify 1" },
	{ .text = "anon", .before = "anon 8\n", .behind = "anon drop 1\n" },
};

#define MOUNT  "mount hda1\n"
#define FILE   MOUNT "write /fail-shell some words\n"
#define UMOUNT "umount\n"
#define REMOVE "rm /fail-shell\n" UMOUNT

static const struct line disk_lines[] = {
	{ .text = "disks", .varies = true },
	{ .text = "hexdump hda 0", .least = 1 },
	{ .text = "scribble hda3 0 1 1", .least = 1 },
	{ .text = "mount hda1",
	  .least = 8,
	  .behind = UMOUNT,
	  .witness = "mount" },
	{ .text = "ls -l /", .least = 3, .before = MOUNT, .behind = UMOUNT },
	{ .text = "write /fail-shell some words",
	  .least = 3,
	  .before = MOUNT,
	  .behind = REMOVE,
	  .witness = "cat /fail-shell" },
	{ .text = "write /fail-shell others",
	  .least = 1,
	  .before = FILE,
	  .behind = REMOVE,
	  .witness = "cat /fail-shell" },
	{ .text = "cat /fail-shell",
	  .least = 3,
	  .before = FILE UMOUNT MOUNT,
	  .behind = REMOVE },
	{ .text = "rm /fail-shell",
	  .least = 1,
	  .before = FILE UMOUNT MOUNT,
	  .behind = REMOVE,
	  .witness = "cat /fail-shell" },
	{ .text = "mkdir /fail-shell",
	  .least = 3,
	  .before = MOUNT,
	  .behind = REMOVE,
	  .witness = "ls /fail-shell" },
	{ .text = "sync", .before = FILE, .behind = REMOVE },
	{ .text = "df", .before = MOUNT, .behind = UMOUNT },
	{ .text = "umount",
	  .before = FILE,
	  .behind = MOUNT REMOVE,
	  .witness = "mount" },
};

#define SWAPON  "swapon hda2 5\n"
#define OBJECT  SWAPON "anon 4\nanon fill 1 9\n"
#define OUT     OBJECT "anon out 1\n"
#define DROP    "anon drop 1\n" SWAPOFF
#define SWAPOFF "swapoff hda2\n"

static const struct line swap_lines[] = {
	{ .text = "swapon hda2 5",
	  .least = 3,
	  .behind = SWAPOFF,
	  .witness = "swaps" },
	{ .text = "swaps", .before = SWAPON, .behind = SWAPOFF },
	{ .text = "anon out 1",
	  .before = OBJECT,
	  .behind = DROP,
	  .witness = "anon verify 1" },
	{ .text = "anon verify 1",
	  .least = 4,
	  .before = OUT,
	  .behind = DROP,
	  .tells = "cannot be read" },
	{ .text = "swapoff hda2",
	  .least = 4,
	  .before = OUT,
	  .behind = DROP,
	  .witness = "anon verify 1" },
};

static const struct {
	const char *name;
	const char *why;
} left_out[] = {
	{ "reboot", "it ends the machine" },
	{ "poweroff", "it ends the machine" },
	{ "selftest", "it runs this" },
	{ "drain", "NULL is how it ends: shell_drain_survives" },
	{ "storm", "NULL is what it is about: all memory is taken" },
	{ "pressure", "the same" },
	{ "fragment", "the same" },
	{ "stacks", "hundreds of lines of log, and no memory" },
};

CASE(fail_shell, lines_about_memory_fail_aloud_and_leak_nothing)
{
	return test_fail_shell_try(memory_lines, ARRAY_SIZE(memory_lines));
}

CASE(fail_shell, lines_about_the_system_fail_aloud_and_leak_nothing)
{
	return test_fail_shell_try(test_lines, ARRAY_SIZE(test_lines));
}

CASE(fail_shell, lines_about_files_fail_aloud_and_leak_nothing)
{
	if (block_find("hda1") == NULL)
		SKIP("disk");
	return test_fail_shell_try(disk_lines, ARRAY_SIZE(disk_lines));
}

CASE(fail_shell, lines_about_swap_fail_aloud_and_leak_nothing)
{
	if (block_find("hda2") == NULL)
		SKIP("disk");
	return test_fail_shell_try(swap_lines, ARRAY_SIZE(swap_lines));
}

/* ---- All of them? -------------------------------------------------------- */

static bool begins_one(const char *name, const struct line *lines,
                       unsigned int count)
{
	size_t size = strlen(name);

	for (unsigned int i = 0; i < count; i++) {
		const char *text = lines[i].text;

		if (strncmp(text, name, size) == 0 &&
		    (text[size] == ' ' || text[size] == '\0'))
			return true;
	}
	return false;
}

static bool is_left_out(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++) {
		if (strcmp(left_out[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool is_tried(const char *name)
{
	return begins_one(name, memory_lines, ARRAY_SIZE(memory_lines)) ||
	       begins_one(name, test_lines, ARRAY_SIZE(test_lines)) ||
	       begins_one(name, disk_lines, ARRAY_SIZE(disk_lines)) ||
	       begins_one(name, swap_lines, ARRAY_SIZE(swap_lines));
}

CASE(fail_shell, every_command_is_tried_or_left_out_for_a_reason)
{
	const struct shell_command *command;
	unsigned int count = 0;

	for (; (command = shell_command_at(count)) != NULL; count++) {
		if (is_tried(command->name) == is_left_out(command->name))
			return test_failure("%s: either try it or say why not",
			                    command->name);
	}
	EXPECT(count > ARRAY_SIZE(left_out));
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_log.c -- log, clock and panic on the host.
 *
 * Log lines are kept, the newest LOG_LINES of them, for tests that check the
 * messages.  The clock stands still until machine_advance() moves it, so that
 * two runs of a test are the same run.  A panic is a jump back to
 * machine_try(), or the end of the program.
 */
#include <stdlib.h>

#include "kernel/core/clock.h"
#include "kernel/core/code_place.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/symbols.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/host/machine.h"

#define LOG_LINES  2048UL
#define LINE_SIZE  256
#define CLOCK_BASE 1000000ULL /* a machine has been up for a second */

static char log_line[LOG_LINES][LINE_SIZE];
static struct {
	uint64_t begin; /* of the machine's lines */
	uint64_t count; /* lines ever logged */
	FILE *file;
	enum log_level console_level;
	uint64_t now;
	bool panicking;
	char last_words[LINE_SIZE];
} host_log = { .console_level = LOG_INFO, .now = CLOCK_BASE };

/* One host thread at a time; a test-and-set that knows no interrupts. */
static bool log_locked;

static void lock_log(void)
{
	while (__atomic_test_and_set(&log_locked, __ATOMIC_ACQUIRE))
		;
}

static void unlock_log(void)
{
	__atomic_clear(&log_locked, __ATOMIC_RELEASE);
}

/* ---- Time ---------------------------------------------------------------- */

uint64_t host_now(void)
{
	return __atomic_load_n(&host_log.now, __ATOMIC_RELAXED);
}

void machine_advance(uint64_t microseconds)
{
	__atomic_fetch_add(&host_log.now, microseconds, __ATOMIC_RELAXED);
}

/* ---- Log ----------------------------------------------------------------- */

void host_log_start(void)
{
	host_log.now = CLOCK_BASE;
	host_log.panicking = false;
	host_log.begin = host_log.count;
}

void machine_log_to(FILE *file)
{
	host_log.file = file;
}

static void machine_log_line(const char *text, size_t length)
{
	char *line = log_line[host_log.count++ % LOG_LINES];

	scnprintf(line, LINE_SIZE, "%.*s", (int)length, text);
	if (host_log.file != NULL)
		fprintf(host_log.file, "%s\n", line);
}

void vprintk(enum log_level level, const char *format, va_list arguments)
{
	char text[1024];
	const char *at = text;
	const char *end;

	if (level > LOG_DEBUG)
		panic("log level %d", (int)level);
	/* A line takes thousands of instructions, with interrupts off. */
	if (host_cpu()->held > 0 && !host_log.panicking)
		panic("logged while lock %s is held",
		      host_cpu()->lock[host_cpu()->held - 1]->name);
	vscnprintf(text, sizeof(text), format, arguments);
	lock_log();
	while ((end = strchr(at, '\n')) != NULL) {
		machine_log_line(at, (size_t)(end - at));
		at = end + 1;
	}
	if (*at != '\0')
		machine_log_line(at, strlen(at));
	unlock_log();
}

void printk(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintk(level, format, arguments);
	va_end(arguments);
}

void log_set_console_level(enum log_level level)
{
	host_log.console_level = level;
}

enum log_level log_console_level(void)
{
	return host_log.console_level;
}

uint64_t log_mark(void)
{
	return host_log.count;
}

static const char *machine_log_line_number(uint64_t number)
{
	return log_line[number % LOG_LINES];
}

/* The oldest line that is still there. */
static uint64_t oldest_line(void)
{
	return host_log.count > LOG_LINES ? host_log.count - LOG_LINES : 0;
}

unsigned int log_count_since(uint64_t mark, const char *text)
{
	unsigned int found = 0;

	if (mark < oldest_line())
		panic("log lines have been overwritten before a test looked");
	for (uint64_t i = mark; i < host_log.count; i++) {
		const char *line = machine_log_line_number(i);
		size_t length = strlen(text);

		for (; *line != '\0' && strncmp(line, text, length) != 0;
		     line++)
			;
		found += *line != '\0' || length == 0;
	}
	return found;
}

unsigned int machine_said(const char *text)
{
	return log_count_since(host_log.begin, text);
}

bool log_contains_since(uint64_t mark, const char *text)
{
	return log_count_since(mark, text) > 0;
}

void log_visit(unsigned int count, void (*visit)(const char *line, void *data),
               void *data)
{
	uint64_t first = oldest_line();

	if (host_log.count - first > count)
		first = host_log.count - count;
	for (uint64_t i = first; i < host_log.count; i++)
		visit(machine_log_line_number(i), data);
}

bool ratelimit_pass(struct ratelimit *limit)
{
	uint64_t now = clock_microseconds();

	if (limit->printed == 0 || now - limit->begin >= limit->interval) {
		limit->begin = now;
		limit->printed = 0;
	}
	if (limit->printed >= limit->burst) {
		limit->missed++;
		return false;
	}
	limit->printed++;
	if (limit->missed > 0)
		pr_warn("%u reports suppressed\n", limit->missed);
	limit->missed = 0;
	return true;
}

/* ---- Symbols and backtraces ---------------------------------------------- */

const char *symbol_name(char *buffer __unused, size_t size __unused,
                        uintptr_t address __unused, unsigned long *offset)
{
	*offset = 0;
	return NULL;
}

const char *symbol_format(char *buffer, size_t size, uintptr_t address)
{
	scnprintf(buffer, size, "%#lx", (unsigned long)address);
	return buffer;
}

const char *caller_format(char *buffer, size_t size, uintptr_t return_address)
{
	return symbol_format(buffer, size, return_address);
}

/* The host's debugger knows better. */
void backtrace_print_from(uintptr_t caller)
{
	(void)caller;
}

static const uintptr_t *set_calls;
static unsigned int set_call_count;

void machine_set_backtrace(const uintptr_t *calls, unsigned int count)
{
	set_calls = calls;
	set_call_count = count;
}

unsigned int backtrace_save(uintptr_t *callers, unsigned int most)
{
	unsigned int count = min(most, set_call_count);

	for (unsigned int i = 0; i < count; i++)
		callers[i] = set_calls[i];
	return count;
}

/* The code of the host has functions, but no lines. */
bool code_place_has(const struct code_place *place, uintptr_t return_address)
{
	return return_address - 1 >= place->start &&
	       return_address - 1 < place->end;
}

void backtrace_print_saved(const uintptr_t *callers, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		pr_warn("  %#lx\n", callers[i]);
}

void backtrace_print(const struct trap_frame *frame)
{
	(void)frame;
	pr_warn("Call trace: the host's debugger knows it\n");
}

/* ---- The end ------------------------------------------------------------- */

__noreturn void host_die(enum machine_end how, const char *text)
{
	sigjmp_buf *recover = host_cpu()->recover;

	scnprintf(host_log.last_words, sizeof(host_log.last_words), "%s", text);
	host_log.panicking = true;
	if (recover != NULL)
		siglongjmp(*recover, (int)how);
	fprintf(stderr, "%s: %s\n", how == MACHINE_FAULTED ? "fault" : "panic",
	        text);
	abort();
}

__noreturn void panic(const char *format, ...)
{
	char text[LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	host_die(MACHINE_PANICKED, text);
}

bool panic_in_progress(void)
{
	return host_log.panicking;
}

void panic_register_reporter(const char *name, void (*report)(void))
{
	(void)name;
	(void)report;
}

enum machine_end machine_try(void (*function)(void *), void *argument,
                             char *text, size_t size)
{
	sigjmp_buf resume;
	sigjmp_buf *outer = host_cpu()->recover;
	volatile enum machine_end how = MACHINE_RETURNED;
	int jumped = sigsetjmp(resume, 1);

	if (jumped == 0) {
		host_cpu()->recover = &resume;
		function(argument);
	} else {
		how = (enum machine_end)jumped;
	}
	host_cpu()->recover = outer;
	scnprintf(text, size, "%s",
	          how == MACHINE_RETURNED ? "" : host_log.last_words);
	return how;
}

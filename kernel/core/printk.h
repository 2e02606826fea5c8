/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/printk.h -- the kernel log.
 *
 * Every line goes into a ring of LOG_SIZE bytes with its level and time
 * (microseconds since boot); lines at or below the console level also go to
 * the consoles.  Works in every context: in an NMI, only into a small array,
 * without a lock (the next printk outside the NMI, or the next tick, moves it
 * into the ring and shows it); in a panic, locks are tried and then ignored.  A
 * line is at most 255 characters; what is longer is cut.  Lines that the ring
 * overwrites before a reader saw them are counted.
 */
#ifndef KERNEL_CORE_PRINTK_H
#define KERNEL_CORE_PRINTK_H

#include "lib/types.h"

#define LOG_SIZE (16 * KIB)

/* Linux's levels. */
enum log_level {
	LOG_EMERG,
	LOG_ALERT,
	LOG_CRIT,
	LOG_ERR,
	LOG_WARNING,
	LOG_NOTICE,
	LOG_INFO,
	LOG_DEBUG,
};

/*
 * One or more whole lines, 511 characters together; a closing newline is
 * optional.
 */
void printk(enum log_level level, const char *format, ...) __printf(2, 3);
void vprintk(enum log_level level, const char *format, va_list arguments)
	__printf(2, 0);

#define pr_emerg(...)  printk(LOG_EMERG, __VA_ARGS__)
#define pr_err(...)    printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)   printk(LOG_WARNING, __VA_ARGS__)
#define pr_notice(...) printk(LOG_NOTICE, __VA_ARGS__)
#define pr_info(...)   printk(LOG_INFO, __VA_ARGS__)
#define pr_debug(...)  printk(LOG_DEBUG, __VA_ARGS__)

/*
 * Show what was logged where it could not be shown.  Cheap if there is nothing;
 * clock_tick() calls it.  Any context; does nothing in an NMI.
 */
void log_flush(void);

/*
 * Show it from here, also with interrupts off, for milliseconds a line: for a report that no
 * thread would get to print.  Lines that a context beneath is printing are left to it.
 * Not in an NMI.
 */
void log_show_here(void);

/* A thread's function, which never returns: prints what is logged where interrupts
 * are off. */
void log_thread(void *unused);

/* Lines of a level above this stay in the ring.  Default LOG_INFO. */
void log_set_console_level(enum log_level level);
enum log_level log_console_level(void);

/*
 * Call VISIT for each of the last COUNT lines of the ring, oldest first (text
 * behind its time, without newline, NUL at the end).  The text is a copy.  Any
 * context; nothing is visited in an NMI that does not panic.
 */
void log_visit(unsigned int count, void (*visit)(const char *line, void *data),
               void *data);

/*
 * Sets *SEQUENCE-numbered marks for tests: the number of lines ever logged.
 * log_contains_since() says whether a line with number >= MARK contains TEXT.
 */
uint64_t log_mark(void);
bool log_contains_since(uint64_t mark, const char *text);
/* How many of those lines contain TEXT. */
unsigned int log_count_since(uint64_t mark, const char *text);

/*
 * At most BURST reports in any INTERVAL microseconds; the suppressed ones are
 * counted and named with the next one that passes.
 */
struct ratelimit {
	uint64_t interval;
	unsigned int burst;
	/* Private: */
	uint64_t begin;
	unsigned int printed;
	unsigned int missed;
};
bool ratelimit_pass(struct ratelimit *limit);

#endif

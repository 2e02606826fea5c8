/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_line_table.c -- the kernel knows the lines it was made of.
 *
 * tests/run/boot_lines.py compares the whole table with what binutils read.
 */
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/irq.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/mutex.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/symbols.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(line_table);

#define THIS_FILE "tests/kernel/test_line_table.c"

static __noinline uintptr_t line_of_caller(void)
{
	return RETURN_ADDRESS();
}

CASE(line_table, finds_file_and_line_of_a_call)
{
	uintptr_t caller = line_of_caller();
	unsigned int expected = __LINE__ - 1;
	char text[PLACE_SIZE];
	char end[PLACE_SIZE];
	unsigned int line;
	const char *file = line_find(caller - 1, &line);

	EXPECT(file != NULL && strcmp(file, THIS_FILE) == 0);
	EXPECT_EQUAL(line, expected);
	caller_format(text, sizeof(text), caller);
	scnprintf(end, sizeof(end), " (%s:%u)", THIS_FILE, expected);
	EXPECT(strncmp(text, "case_line_table_", 16) == 0);
	EXPECT(strlen(text) > strlen(end) &&
	       strcmp(text + strlen(text) - strlen(end), end) == 0);
	return NULL;
}

/* The rows of this function are not those of the one before it. */
CASE(line_table, row_begins_at_its_first_byte)
{
	unsigned int begin;
	unsigned int before;

	EXPECT(line_find((uintptr_t)line_of_caller, &begin) != NULL);
	EXPECT(line_find((uintptr_t)line_of_caller - 1, &before) == NULL ||
	       before != begin);
	EXPECT(begin > 20 && begin < 40);
	return NULL;
}

CASE(line_table, has_no_line_outside_the_code)
{
	char text[PLACE_SIZE];
	unsigned int line = 1;

	EXPECT(line_find(0, &line) == NULL);
	EXPECT_EQUAL(line, 0);
	EXPECT(line_find((uintptr_t)&line, &line) == NULL);
	EXPECT(line_find((uintptr_t)&line_files, &line) == NULL);
	EXPECT(line_find(-1UL, &line) == NULL);
	EXPECT(strcmp(place_format(text, sizeof(text), 0x1000), "0x1000") == 0);
	EXPECT(strcmp(caller_format(text, sizeof(text), 0x1000), "0x1000") ==
	       0);
	return NULL;
}

/* The first instruction of each function, and nearly all of them are C's. */
CASE(line_table, finds_a_line_forevery_function)
{
	unsigned int without = 0;

	for (uint32_t i = 0; i < symbol_count; i++) {
		uintptr_t address = 0xffffffff00000000UL | symbol_address[i];
		unsigned int line;

		if (line_find(address, &line) == NULL)
			without++;
		else
			EXPECT(line > 0 && line < 100000);
	}
	/* Labels of assembly after the last instruction. */
	EXPECT(without < 8);
	return NULL;
}

CASE(line_table, blocks_and_files_are_sorted)
{
	EXPECT(line_blocks > 1 && line_files > 1);
	for (uint32_t i = 1; i < line_blocks; i++)
		EXPECT(line_block[i - 1].address < line_block[i].address &&
		       line_block[i - 1].offset < line_block[i].offset);
	for (uint32_t i = 1; i < line_files; i++)
		EXPECT(line_file[i - 1].before < line_file[i].before &&
		       strcmp(line_file[i - 1].name, line_file[i].name) < 0);
	return NULL;
}

/* The row at the first byte of block INDEX is a line with code. */
static bool block_has_code(uint32_t index)
{
	uintptr_t address = 0xffffffff00000000UL | line_block[index].address;
	unsigned int line;
	const char *file = line_find(address, &line);

	return file != NULL && line_has_code(file, line);
}

CASE(line_table, lines_of_the_first_and_of_the_last_block_have_code)
{
	EXPECT(block_has_code(0));
	EXPECT(block_has_code(line_blocks - 1));
	return NULL;
}

/* ---- Reports name who did it --------------------------------------------- */

static struct mutex free_mutex;

/* A student's mistake: a handler locks a mutex, which is free. */
static __noinline void lock_mutex_in_handler(void *data __unused)
{
	mutex_lock(&free_mutex);
	mutex_unlock(&free_mutex);
}

CASE(line_table, mutex_in_a_handler_is_reported_with_the_function_that_took_it)
{
	unsigned long before = might_sleep_violations();
	static bool known;
	unsigned int expected = known ? 0 : 1;
	uint64_t mark = log_mark();

	mutex_init(&free_mutex, "test free mutex");
	EXPECT(in_timer_interrupt(lock_mutex_in_handler, NULL));
	known = true;
	EXPECT_EQUAL(might_sleep_violations(), before + 1);
	EXPECT_EQUAL(log_count_since(mark, "BUG: sleeping function mutex_lock "
	                                   "called by irq 0 timer at "
	                                   "lock_mutex_in_handler+0x"),
	             expected);
	/* That line, and the first of the backtrace. */
	EXPECT_EQUAL(log_count_since(mark, " lock_mutex_in_handler+0x"),
	             2 * expected);
	EXPECT_EQUAL(log_count_since(mark, "BUG:"), expected);
	return NULL;
}

static __noinline void trace_from_caller(void)
{
	backtrace_print_from(RETURN_ADDRESS());
}

CASE(line_table, brief_backtrace_begins_with_the_caller)
{
	enum log_level level = log_console_level();
	uint64_t mark = log_mark();

	log_set_console_level(LOG_ERR);
	trace_from_caller();
	backtrace_print_from(0);
	log_set_console_level(level);
	EXPECT_EQUAL(log_count_since(mark, " trace_from_caller+0x"), 0);
	EXPECT_EQUAL(log_count_since(mark, "begins_with_the_caller+0x"), 2);
	EXPECT_EQUAL(log_count_since(mark, "(" THIS_FILE ":"), 2);
	return NULL;
}

CASE(line_table, held_locks_are_known_with_their_places)
{
	static struct spinlock outer = SPINLOCK_INIT("test outer");
	static struct spinlock inner = SPINLOCK_INIT("test inner");
	struct held_lock held[4] = { 0 };
	unsigned int count;
	unsigned int line;
	unsigned int taken;

	mutex_lock(&free_mutex);
	spin_lock(&outer);
	spin_lock(&inner);
	taken = __LINE__ - 1;
	count = lock_order_held(&current_thread()->mutexes, held, 4);
	spin_unlock(&inner);
	spin_unlock(&outer);
	mutex_unlock(&free_mutex);
	EXPECT_EQUAL(count, 3);
	EXPECT(strcmp(held[0].name, "test inner") == 0 && !held[0].is_mutex);
	EXPECT(strcmp(held[1].name, "test outer") == 0 && !held[1].is_mutex);
	EXPECT(strcmp(held[2].name, "test free mutex") == 0 &&
	       held[2].is_mutex);
	EXPECT(line_find(held[0].place - 1, &line) != NULL);
	EXPECT_EQUAL(line, taken);
	EXPECT_EQUAL(lock_order_held(&current_thread()->mutexes, held, 4), 0);
	return NULL;
}

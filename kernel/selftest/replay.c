/* SPDX-License-Identifier: MIT */
/*
 * kernel/selftest/replay.c -- calls of the allocator out of a file, run by the kernel.
 *
 * The file is the first module of the loader:
 *
 *	multiboot2 /boot/labyrinth.elf replay
 *	module2 /boot/calls
 *
 * build/host/replay prints the same words for the same file, so two outputs
 * that differ are a difference between the host and the machine.
 */
#include "kernel/selftest/replay.h"

#include "kernel/core/console.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/selftest/selftest.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "tests/sequence.h"

static bool wanted;

static int set_replay(const char *value)
{
	if (value != NULL)
		return -EINVAL;
	wanted = true;
	return 0;
}

PARAM(replay, "replay", ": run the calls in the first module and end",
      set_replay);

bool replay_wanted(void)
{
	return wanted;
}

static void print(const char *format, ...) __printf(1, 2);
static void print(const char *format, ...)
{
	char line[320];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vscnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	console_write_to("serial", line, (size_t)length);
}

static void replay_print_step(unsigned int step, const char *text)
{
	print("replay: step %u: %s\n", step, text);
}

void replay_main(const void *data, size_t size)
{
	struct sequence_result result = { .wrong = "there is no module" };
	char verdict[300];

	/* Refused calls are reported, and there will be many. */
	log_set_console_level(LOG_CRIT);
	if (data != NULL)
		sequence_run(data, size, replay_print_step, &result);
	sequence_verdict(&result, verdict, sizeof(verdict));
	print("replay: %s\n", verdict);
	selftest_end_machine(result.wrong == NULL);
}

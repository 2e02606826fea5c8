/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_bench.c -- the command bench (kernel/demo/bench.h).
 */
#include "kernel/core/console.h"
#include "kernel/demo/bench.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

/* False: it was interrupted. */
static bool bench_show(const struct bench *bench)
{
	uint64_t ticks;
	int error = bench_measure(bench, shell_interrupted, &ticks);

	if (error == -EINTR)
		return false;
	if (error != 0)
		console_printf("%-20s %8s  %s\n", bench->name, "NULL",
		               bench->about);
	else
		console_printf("%-20s %8llu  %s\n", bench->name,
		               (unsigned long long)ticks, bench->about);
	return true;
}

/* All that take no time. */
static void bench_show_short(void)
{
	const struct bench *bench;
	char names[160];
	int length = 0;

	for (unsigned int i = 0; (bench = bench_at(i)) != NULL; i++) {
		if (!bench->once && !bench_show(bench))
			return;
	}
	for (unsigned int i = 0; (bench = bench_at(i)) != NULL; i++) {
		if (bench->once)
			length += scnprintf(names + length,
			                    sizeof(names) - (size_t)length,
			                    " %s", bench->name);
	}
	console_fold(2, "And, by name:%s", names);
}

static int run_bench(int argc, char **argv)
{
	const struct bench *bench;

	if (argc == 1) {
		bench_show_short();
		return 0;
	}
	for (unsigned int i = 0; argc == 2 && (bench = bench_at(i)) != NULL;
	     i++) {
		if (strcmp(argv[1], bench->name) != 0)
			continue;
		(void)bench_show(bench);
		return 0;
	}
	return -EINVAL;
}

static const char *bench_candidate(const char *word __unused,
                                   unsigned int index)
{
	const struct bench *bench = bench_at(index);

	return bench == NULL ? NULL : bench->name;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("bench", "[NAME]", run_bench, bench_candidate,
	              "what pages, interrupts and switches cost"),
};

SHELL_TABLE(shell_bench_commands, "tests", "", commands);

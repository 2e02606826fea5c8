/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_bench.c -- what operations cost: bench (kernel/demo/bench.h) and
 * hotpath (kernel/demo/hotpath.h).
 */
#include "kernel/core/console.h"
#include "kernel/core/symbols.h"
#include "kernel/demo/bench.h"
#include "kernel/demo/hotpath.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab/kmalloc.h"

/* A histogram instead of a row. */
#define LATENCY_NAME "latency"

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
	console_fold(2, "And, by name:%s %s", names, LATENCY_NAME);
}

/* The buckets that hold anything: where each begins, and how many operations it has. */
static void latency_show(const char *name, const struct bench_latency *of)
{
	console_printf("%s: %llu operations, worst %llu\n", name,
	               (unsigned long long)of->operations,
	               (unsigned long long)of->worst);
	for (unsigned int bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
		if (of->count[bucket] > 0)
			console_printf("%8llu %8u\n",
			               (unsigned long long)latency_bucket_start(
					       bucket),
			               of->count[bucket]);
	}
}

/* `bench latency`: alloc, free and interrupt, as histograms. */
static int bench_show_latency(void)
{
	struct bench_latencies *found = kmalloc(sizeof(*found), GFP_KERNEL);
	int error = -ENOMEM;

	if (found != NULL)
		error = bench_latency(found, shell_interrupted);
	if (error == 0) {
		latency_show("alloc", &found->alloc);
		latency_show("free", &found->free);
		latency_show("interrupt", &found->interrupt);
	} else if (error != -EINTR) {
		console_printf("bench: %s\n", error == -ENOMEM
		                                      ? "no memory"
		                                      : "line 5 is in use");
	}
	kfree(found);
	return 0;
}

static int run_bench(int argc, char **argv)
{
	const struct bench *bench;

	if (argc == 1) {
		bench_show_short();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], LATENCY_NAME) == 0)
		return bench_show_latency();
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

	if (bench == NULL)
		return index > 0 && bench_at(index - 1) != NULL ? LATENCY_NAME
		                                                : NULL;
	return bench->name;
}

/* ---- hotpath ------------------------------------------------------------- */

/* Is it a file of functions, not a header? */
static bool hotpath_is_source(const char *file)
{
	size_t length = strlen(file);

	return length > 2 && strcmp(file + length - 2, ".h") != 0;
}

/* Is the file, or the function, of PART new among the parts before it? */
static bool hotpath_is_first(const struct hotpath_part *first,
                             const struct hotpath_part *part, bool by_file)
{
	for (; first < part; first++) {
		if (by_file ? strcmp(first->file, part->file) == 0
		            : first->function == part->function)
			return false;
	}
	return true;
}

static void hotpath_show(const char *call, const struct hotpath *path)
{
	char name[SYMBOL_NAME_SIZE];
	unsigned int functions = 0;
	unsigned int files = 0;

	console_printf("%12s  %-28s %s\n", "instructions", "function",
	               "from the file");
	for (unsigned int i = 0; i < path->parts; i++) {
		const struct hotpath_part *part = &path->part[i];
		unsigned long offset;

		(void)symbol_name(name, sizeof(name), part->function, &offset);
		console_printf("%12lu  %-28s %s\n", part->instructions, name,
		               part->file);
		functions += hotpath_is_first(path->part, part, false);
		files += hotpath_is_source(part->file) &&
		         hotpath_is_first(path->part, part, true);
	}
	console_printf(
		"hotpath: %s: %lu instructions, %u functions, %u files%s\n",
		call, path->instructions, functions, files,
		path->cut ? ", and more that were not noted" : "");
}

static int run_hotpath(int argc, char **argv __unused)
{
	static const char *const call[] = { "alloc_page(GFP_ATOMIC)",
		                            "__free_page()" };
	struct hotpath path;

	for (unsigned int way = 0; way < ARRAY_SIZE(call); way++) {
		if (argc > 1)
			return -EINVAL;
		if (hotpath_measure((enum hotpath_way)way, &path) != 0)
			console_printf("hotpath: %s: no memory\n", call[way]);
		else
			hotpath_show(call[way], &path);
	}
	return 0;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("bench", "[NAME]", run_bench, bench_candidate,
	              "what pages, interrupts and switches cost"),
	SHELL_COMMAND("hotpath", "", run_hotpath, NULL,
	              "each instruction of a page request and its free"),
};

SHELL_TABLE(shell_bench_commands, "tests", "", commands);

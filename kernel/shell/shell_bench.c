/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_bench.c -- what things cost, in cycles of the TSC.
 *
 * Numbers for people, never asserted by a test.  Under an emulator a cycle says
 * little about a real machine; `make run` with QEMU_FLAGS="-icount shift=0"
 * makes it the number of instructions, which can be compared between two
 * versions of the code.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/arch/window.h"
#include "kernel/core/console.h"
#include "kernel/core/sched.h"
#include "kernel/shell/shell_command.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"

#define ROUNDS 1000

/* Some of the ROUNDS returned NULL: their time is not a cost. */
static void print_nulls(const char *what, unsigned int nulls)
{
	console_printf("%-44s NULL, %u of %u times\n", what, nulls, ROUNDS);
}

static void print_cost(const char *what, uint64_t cycles)
{
	console_printf("%-44s %8llu cycles\n", what,
	               (unsigned long long)(cycles / ROUNDS));
}

/* ---- Switching threads --------------------------------------------------- */

static void yield_until_stopped(void *data)
{
	while (!*(volatile bool *)data)
		thread_yield();
}

/* Two threads, each with a window, hand the CPU to each other.  Without memory
 * for the second, thread_create() has said so. */
static void bench_switch(void)
{
	volatile bool stop = false;
	struct thread *other =
		thread_create("bench", yield_until_stopped, (void *)&stop);
	uint64_t begin;

	if (other == NULL)
		return;
	begin = arch_cycles();
	for (unsigned int i = 0; i < ROUNDS / 2; i++)
		thread_yield();
	print_cost("thread switch, windows and all", arch_cycles() - begin);
	stop = true;
	thread_join(other);
}

/* Measure the part of the window: one closed, another opened. */
static void bench_window(void)
{
	struct window *mine = &current_thread()->owner.window;
	bool enabled = arch_irq_save();
	uint64_t begin = arch_cycles();

	irqsoff_discard();
	for (unsigned int i = 0; i < ROUNDS / 2; i++) {
		window_open(NULL);
		window_open(mine);
	}
	print_cost("of this: a window closed and one opened",
	           (arch_cycles() - begin) * 2);
	arch_irq_restore(enabled);
}

/* ---- Pages --------------------------------------------------------------- */

static void bench_pages(void)
{
	const char *what = "alloc_page(GFP_KERNEL) and __free_page()";
	uint64_t begin = arch_cycles();
	unsigned int nulls = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct page *page = alloc_page(GFP_KERNEL);

		if (page != NULL)
			__free_page(page);
		nulls += page == NULL;
	}
	if (nulls > 0)
		print_nulls(what, nulls);
	else
		print_cost(what, arch_cycles() - begin);
}

static void bench_exclusive(void)
{
	const char *what = "an exclusive page taken and released";
	uint64_t begin = arch_cycles();
	unsigned int nulls = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();

		if (page != NULL)
			exclusive_release(page);
		nulls += page == NULL;
	}
	if (nulls > 0)
		print_nulls(what, nulls);
	else
		print_cost(what, arch_cycles() - begin);
}

static void (*const benches[])(void) = {
	bench_pages,
	bench_exclusive,
	bench_window,
	bench_switch,
};

static int run_bench(int argc, char **argv __unused)
{
	if (argc > 1)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(benches) && !shell_interrupted(); i++)
		benches[i]();
	return 0;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("bench", "", run_bench, NULL,
	              "what pages, windows and switches cost"),
};

SHELL_TABLE(shell_bench_commands, "tests", "", commands);

/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/bench_owners.c -- what exclusive pages, locks, interrupts, threads and the
 * boot cost.
 *
 * The interrupts are INT instructions on the vector of a line that no device of the
 * machine uses: the way in, the registered handler and the way out are those of any
 * interrupt.  The handler of the hand-over accepts the page, measures that, and sends it
 * back.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/arch/window.h"
#include "kernel/core/irq.h"
#include "kernel/core/lock.h"
#include "kernel/core/sched.h"
#include "kernel/demo/bench.h"
#include "kernel/thread.h"
#include "mm/exclusive/exclusive.h"

#define OWNER_ROUNDS 200UL
#define BENCH_LINE   5

/* ---- Exclusive pages ----------------------------------------------------- */

/* Take and release; TAKES: the first is measured, otherwise the second. */
static bool bench_exclusive_page(struct bench_time *time, bool takes)
{
	bool enabled = arch_irq_save();
	uint64_t at[3];

	at[0] = arch_cycles();
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	at[1] = arch_cycles();
	if (page != NULL)
		exclusive_release(page);
	at[2] = arch_cycles();
	arch_irq_restore(enabled);
	time->ticks += takes ? at[1] - at[0] : at[2] - at[1];
	time->operations++;
	time->readings++;
	return page != NULL;
}

static bool bench_exclusive_pages(struct bench_time *time, bool takes)
{
	for (unsigned long i = 0; i < OWNER_ROUNDS; i++) {
		if (!bench_exclusive_page(time, takes))
			return false;
	}
	return true;
}

static bool bench_exclusive_take(struct bench_time *time)
{
	return bench_exclusive_pages(time, true);
}

static bool bench_exclusive_release(struct bench_time *time)
{
	return bench_exclusive_pages(time, false);
}

/* ---- Interrupts ---------------------------------------------------------- */

static struct {
	uint64_t thread; /* the owner that gets the page back */
	uint64_t ticks;  /* of exclusive_accept() */
	bool hands_over;
	bool failed;
} bench_line;

static void handle_bench_line(int irq __unused, void *dev_id __unused)
{
	uint64_t begin;
	void *page;

	if (!bench_line.hands_over)
		return;
	begin = arch_cycles();
	page = exclusive_accept();
	bench_line.ticks += arch_cycles() - begin;
	if (page == NULL || exclusive_transfer(page, bench_line.thread) != 0)
		bench_line.failed = true;
}

static bool bench_request_line(bool hands_over)
{
	bench_line.thread = thread_owner_id(current_thread());
	bench_line.ticks = 0;
	bench_line.hands_over = hands_over;
	bench_line.failed = false;
	return request_irq(BENCH_LINE, handle_bench_line, "bench",
	                   &bench_line) == 0;
}

static bool bench_interrupt(struct bench_time *time)
{
	if (!bench_request_line(false))
		return false;
	time->ticks = arch_cycles();
	for (unsigned long i = 0; i < OWNER_ROUNDS; i++)
		arch_raise_irq_vector(BENCH_LINE);
	time->ticks = arch_cycles() - time->ticks;
	time->operations = OWNER_ROUNDS;
	time->rounds = OWNER_ROUNDS;
	return free_irq(BENCH_LINE, &bench_line) == 0;
}

bool bench_time_interrupt(uint64_t *ticks)
{
	uint64_t begin;

	if (!bench_request_line(false))
		return false;
	begin = arch_cycles();
	arch_raise_irq_vector(BENCH_LINE);
	*ticks = arch_cycles() - begin;
	return free_irq(BENCH_LINE, &bench_line) == 0;
}

/* PAGE to the line and back; NULL: it did not come.  Then the line's end releases it, or
 * it was refused and stays the caller's. */
static void *bench_hand_over(void *page, uint64_t line, struct bench_time *time)
{
	bool enabled = arch_irq_save();
	uint64_t begin = arch_cycles();
	int error = exclusive_transfer(page, line);

	time->ticks += arch_cycles() - begin;
	arch_irq_restore(enabled);
	time->operations++;
	time->readings += 2;
	if (error != 0)
		return NULL;
	arch_raise_irq_vector(BENCH_LINE);
	return exclusive_accept();
}

static bool bench_handover(struct bench_time *time)
{
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	uint64_t line;

	if (page == NULL)
		return false;
	if (!bench_request_line(true)) {
		exclusive_release(page);
		return false;
	}
	line = irq_owner_id(BENCH_LINE, &bench_line);
	for (unsigned long i = 0; page != NULL && i < OWNER_ROUNDS; i++)
		page = bench_hand_over(page, line, time);
	time->ticks += bench_line.ticks;
	if (page != NULL)
		exclusive_release(page);
	return free_irq(BENCH_LINE, &bench_line) == 0 && page != NULL &&
	       !bench_line.failed;
}

/* ---- Locks --------------------------------------------------------------- */

static struct spinlock bench_spinlock = SPINLOCK_INIT("bench");

/* Nobody else wants it, and interrupts are on. */
static bool bench_lock(struct bench_time *time)
{
	time->ticks = arch_cycles();
	for (unsigned long i = 0; i < OWNER_ROUNDS; i++) {
		bool enabled = spin_lock_irqsave(&bench_spinlock);

		spin_unlock_irqrestore(&bench_spinlock, enabled);
	}
	time->ticks = arch_cycles() - time->ticks;
	time->operations = OWNER_ROUNDS;
	time->rounds = OWNER_ROUNDS;
	return true;
}

/* ---- Threads ------------------------------------------------------------- */

static void yield_until_stopped(void *data)
{
	while (!*(volatile bool *)data)
		thread_yield();
}

/* Two threads, each with a window, hand the CPU to each other. */
static bool bench_switch(struct bench_time *time)
{
	volatile bool stop = false;
	struct thread *other =
		thread_create("bench", yield_until_stopped, (void *)&stop);

	if (other == NULL)
		return false;
	time->ticks = arch_cycles();
	for (unsigned long i = 0; i < OWNER_ROUNDS; i++)
		thread_yield();
	time->ticks = arch_cycles() - time->ticks;
	time->operations = 2 * OWNER_ROUNDS;
	time->rounds = OWNER_ROUNDS;
	stop = true;
	thread_join(other);
	return true;
}

/* The part of the window: one closed, another opened. */
static bool bench_window(struct bench_time *time)
{
	struct window *mine = &current_thread()->owner.window;
	bool enabled = arch_irq_save();

	irqsoff_discard();
	time->ticks = arch_cycles();
	for (unsigned long i = 0; i < OWNER_ROUNDS; i++) {
		window_open(NULL);
		window_open(mine);
	}
	time->ticks = arch_cycles() - time->ticks;
	arch_irq_restore(enabled);
	time->operations = OWNER_ROUNDS;
	time->rounds = OWNER_ROUNDS;
	return true;
}

/* ---- The boot ------------------------------------------------------------ */

static uint64_t boot_ticks;

void bench_note_boot(uint64_t ticks)
{
	boot_ticks = ticks;
}

static bool bench_boot(struct bench_time *time)
{
	time->ticks = boot_ticks;
	time->operations = 1;
	return true;
}

const struct bench bench_owners[] = {
	{ "exclusive_take", "an exclusive page taken", bench_exclusive_take,
	  false },
	{ "exclusive_release", "and released, zeroed", bench_exclusive_release,
	  false },
	{ "handover", "exclusive_transfer() and _accept()", bench_handover,
	  false },
	{ "lock", "spin_lock_irqsave() and its unlock", bench_lock, false },
	{ "interrupt", "in and out, an empty handler", bench_interrupt, false },
	{ "switch", "between threads, windows and all", bench_switch, false },
	{ "window", "of it: one closed, one opened", bench_window, false },
	{ "boot", "kernel entry to prompt", bench_boot, true },
};
const unsigned int bench_owners_count = ARRAY_SIZE(bench_owners);

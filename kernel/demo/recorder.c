/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/recorder.c -- interrupts write, a thread reads, nobody copies.
 *
 *	interrupt of the line                      recorder thread
 *	---------------------                      ---------------
 *	page = labyrinth_void_alloc_page_gfp_
 *	       atomic_exclusive()
 *	sample, sample, ... full
 *	exclusive_transfer(page, thread) --------> exclusive_accept()
 *	                                           check, count
 *	                                           exclusive_release()
 *
 * A page holds a header and 127 samples of 32 bytes:
 *
 *	32 + 127 * 32 = 4096
 *
 * At 1000 interrupts a second that is a page each 127 ms.
 *
 * Stopping: a line stops inside its own interrupt, because only there its page
 * can be reached.  The handler stores its last sample, hands the page over and
 * notes how many interrupts the stub has counted.
 *
 * Locking: a line's fields are written by its own interrupt, which is masked
 * while its handler runs, or by the thread while the line does not run.
 */
#include "kernel/demo/recorder.h"

#include "drivers/i8042.h"
#include "drivers/keyboard.h"
#include "drivers/pit.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"

#define RECORD_MAGIC      0x4c425952U /* "LBYR" */

/* A break code that no key has: it raises an interrupt and means nothing. */
#define SCAN_CODE_NOTHING 0xd9

struct sample {
	uint64_t number; /* from 0, no gaps but those the header explains */
	uint64_t time;   /* TSC */
	uint64_t rip;    /* interrupted instruction */
	uint32_t free_pages;
	uint32_t data; /* scan code, or 0 */
};

struct record_page {
	uint32_t magic;
	uint32_t line;
	uint32_t count;
	uint32_t unused;
	uint64_t first; /* number of the first sample */
	uint64_t lost;  /* samples dropped just before it */
};

#define SAMPLES_PER_PAGE                                                       \
	((PAGE_SIZE - sizeof(struct record_page)) / sizeof(struct sample))

static_assert(sizeof(struct record_page) == 32, "32 + 127 * 32 = 4096");
static_assert(sizeof(struct sample) == 32, "32 + 127 * 32 = 4096");
static_assert(SAMPLES_PER_PAGE == 127, "docs say so");

struct line {
	const char *name;
	unsigned int irq;
	/* The interrupt's: */
	struct record_page *page;
	uint64_t next; /* number of the next sample */
	uint64_t lost; /* dropped since the last page began */
	uint64_t dropped;
	uint64_t pages;
	uint64_t taken_end; /* the stub's count when the line stopped */
	bool running;
	bool stop;
	/* The thread's: */
	uint64_t taken_begin;
	uint64_t expected; /* number the next page should begin with */
	uint64_t seen;
	uint64_t errors;
};

static struct line lines[RECORDER_LINES] = {
	[RECORDER_TIMER] = { .name = "timer", .irq = 0 },
	[RECORDER_KEYBOARD] = { .name = "keyboard", .irq = 1 },
};

static struct thread *recorder_thread; /* it never ends */
static bool reading;                   /* the thread has taken a page */
static void (*timer_probe)(void);
static struct wait_queue page_queue = WAIT_QUEUE_INIT(page_queue);

/* ---- In the interrupt --------------------------------------------------- */

static struct sample *page_samples(struct record_page *page)
{
	return (struct sample *)(page + 1);
}

static bool begin_page(struct line *line)
{
	line->page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	if (line->page == NULL)
		return false;
	line->page->magic = RECORD_MAGIC;
	line->page->line = (uint32_t)(line - lines);
	line->page->first = line->next;
	line->page->lost = line->lost;
	line->lost = 0;
	return true;
}

static void hand_over(struct line *line)
{
	uint64_t count = line->page->count;

	if (exclusive_transfer(line->page, thread_owner_id(recorder_thread)) ==
	    0) {
		line->pages++;
	} else {
		line->dropped += count;
		line->lost += count;
		exclusive_release(line->page);
	}
	line->page = NULL;
	wake_up(&page_queue);
}

static void stop_line(struct line *line)
{
	struct irq_statistics statistics;

	if (line->page != NULL)
		hand_over(line);
	irq_statistics(line->irq, &statistics);
	line->taken_end = statistics.taken;
	line->stop = false;
	WRITE_ONCE(line->running, false);
}

/* One sample for one interrupt. */
static void record(struct line *line, uint32_t data)
{
	struct record_page *page;

	if (!line->running)
		return;
	if (line->page != NULL || begin_page(line)) {
		page = line->page;
		page_samples(page)[page->count] = (struct sample){
			.number = line->next,
			.time = arch_cycles(),
			.rip = irq_interrupted_rip(),
			.free_pages = (uint32_t)node_free(main_node()),
			.data = data,
		};
		page->count++;
		if (page->count == SAMPLES_PER_PAGE)
			hand_over(line);
	} else {
		line->dropped++;
		line->lost++;
	}
	line->next++;
	if (line->stop)
		stop_line(line);
}

static void timer_sample(void *data)
{
	void (*probe)(void) = READ_ONCE(timer_probe);

	record(data, 0);
	if (probe != NULL) {
		irqsoff_set_place((uintptr_t)probe + 1);
		probe();
	}
}

static void keyboard_sample(int code, void *data)
{
	record(data, code < 0 ? 0xffff : (uint32_t)code);
}

/* ---- In the thread ------------------------------------------------------- */

/* Count the samples in PAGE; a gap that the header does not explain, or a
 * number out of order, is an error. */
static void read_page(struct record_page *page)
{
	struct line *line = &lines[page->line % RECORDER_LINES];

	if (page->magic != RECORD_MAGIC || page->count > SAMPLES_PER_PAGE ||
	    page->line >= RECORDER_LINES) {
		line->errors++;
		return;
	}
	if (page->first != line->expected + page->lost)
		line->errors++;
	for (uint32_t i = 0; i < page->count; i++) {
		if (page_samples(page)[i].number != page->first + i)
			line->errors++;
	}
	line->expected = page->first + page->count;
	line->seen += page->count;
}

static bool page_is_waiting(void *data)
{
	(void)data;
	return exclusive_incoming(thread_owner_id(recorder_thread)) > 0;
}

static void recorder_run(void *data)
{
	/* It may run before thread_create() has returned to recorder_init(). */
	recorder_thread = current_thread();
	for (;;) {
		struct record_page *page;

		wait_event(&page_queue, page_is_waiting, data);
		WRITE_ONCE(reading, true);
		page = exclusive_accept();
		if (page != NULL) {
			read_page(page);
			if (exclusive_release(page) != 0)
				panic("the recorder cannot release a page it "
				      "owns");
		}
		WRITE_ONCE(reading, false);
	}
}

/* Interrupts are off: not one may come between the count and the listener. */
static void begin_line(struct line *line)
{
	struct irq_statistics statistics;

	/* A stop that was asked for in vain is forgotten. */
	line->stop = false;
	if (line->running)
		return;
	irq_statistics(line->irq, &statistics);
	line->taken_begin = statistics.taken;
	line->next = 0;
	line->lost = 0;
	line->dropped = 0;
	line->pages = 0;
	line->expected = 0;
	line->seen = 0;
	line->errors = 0;
	line->running = true;
}

void recorder_init(void)
{
	recorder_thread = thread_create("recorder", recorder_run, NULL);
	if (recorder_thread == NULL)
		panic("the recorder's thread cannot be created");
}

void recorder_start(void)
{
	bool enabled = arch_irq_save();

	for (unsigned int i = 0; i < RECORDER_LINES; i++)
		begin_line(&lines[i]);
	pit_set_listener(timer_sample, &lines[RECORDER_TIMER]);
	keyboard_set_listener(keyboard_sample, &lines[RECORDER_KEYBOARD]);
	arch_irq_restore(enabled);
}

/* Wait until the line has stopped; a line whose interrupt does not come within
 * a second stays running. */
static int wait_for_stop(struct line *line)
{
	uint64_t limit = clock_microseconds() + 1000000;

	while (READ_ONCE(line->running)) {
		if (clock_microseconds() > limit)
			return -ETIMEDOUT;
		thread_yield();
	}
	return 0;
}

/* Ask a line to stop.  One without a driver is at its end: no interrupt ever
 * gave it a page, and none will come. */
static void request_stop(struct line *line)
{
	bool enabled = arch_irq_save();

	if (line->running && irq_owner(line->irq) == NULL)
		stop_line(line);
	else
		line->stop = line->running;
	arch_irq_restore(enabled);
}

int recorder_stop(void)
{
	struct line *timer = &lines[RECORDER_TIMER];
	struct line *keyboard = &lines[RECORDER_KEYBOARD];
	int error;
	int keyboard_error = 0;

	request_stop(timer);
	error = wait_for_stop(timer);
	request_stop(keyboard);
	if (READ_ONCE(keyboard->running)) {
		keyboard_error = i8042_raise(SCAN_CODE_NOTHING);
		if (keyboard_error == 0)
			keyboard_error = wait_for_stop(keyboard);
	}
	while (page_is_waiting(NULL) || READ_ONCE(reading))
		thread_yield();
	return error != 0 ? error : keyboard_error;
}

void recorder_set_probe(void (*probe)(void))
{
	WRITE_ONCE(timer_probe, probe);
}

const char *recorder_check(void)
{
	for (unsigned int i = 0; i < RECORDER_LINES; i++) {
		struct recorder_statistics line;

		recorder_statistics((enum recorder_line)i, &line);
		if (line.errors != 0)
			return "the samples' numbers do not add up";
		if (line.seen + line.dropped != line.taken)
			return "seen + dropped is not taken";
	}
	return NULL;
}

void recorder_statistics(enum recorder_line line,
                         struct recorder_statistics *statistics)
{
	const struct line *of = &lines[line];
	struct recorder_statistics now;
	struct irq_statistics irq;
	bool enabled = arch_irq_save();

	irq_statistics(of->irq, &irq);
	now = (struct recorder_statistics){
		.name = of->name,
		.irq = of->irq,
		.running = of->running,
		.taken = (of->running ? irq.taken : of->taken_end) -
		         of->taken_begin,
		.seen = of->seen,
		.dropped = of->dropped,
		.pages = of->pages,
		.errors = of->errors,
		/* Samples neither seen nor dropped are in flight. */
		.pending = of->next - of->dropped - of->seen,
	};
	arch_irq_restore(enabled);
	*statistics = now;
}

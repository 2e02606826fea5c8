/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/storm.c -- all interrupts together, and no memory.
 *
 * Three acts of the same length, with the recorder at work throughout:
 *
 *	full		the pool is full: not one sample may be lost
 *	drained		a thread has taken every page that its flags allow, and
 *			takes every exclusive page that it can get: samples are
 *			lost, NULL is returned, no thread waits
 *	recovery	the thread frees everything: the losses end
 *
 * The drain asks with GFP_NOWAIT until NULL (down to min), with GFP_ATOMIC
 * until NULL (down to the atomic floor), and with the Labyrinth routine until
 * NULL (down to the last parked page).
 *
 * Then the books: seen + dropped = taken on both lines, no error in the
 * numbers, mm_check().  And it must have been a storm: see storm_judge().
 *
 * Ticks are counted, but time is limited by the TSC: an act may take four times
 * as long as its ticks should and a second more.  A timer that is dead makes the
 * storm fail, one that is too slow ends it without a verdict; neither lets it last.
 */
#include "kernel/demo/storm.h"

#include "drivers/i8042.h"
#include "drivers/pit.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/irq.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/demo/recorder.h"
#include "kernel/demo/timer_rate.h"
#include "kernel/refiller.h"
#include "lib/errno.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"

/* Linked through page->link while they are USED: nobody else uses it then. */
struct hoard {
	struct list pages;
	unsigned long count;
	void *exclusive[WINDOW_ENTRIES];
	unsigned int exclusive_count;
};

#define SECOND              1000000ULL /* in microseconds */
#define STORM_PERCENT_LEAST 80U

static bool wanted;
static bool talkative;
static struct hoard hoard;

static int set_storm(const char *value)
{
	wanted = true;
	return value == NULL ? 0 : -EINVAL;
}

PARAM(storm, "storm", ": run the storm, then the shell", set_storm);

bool storm_wanted(void)
{
	return wanted;
}

/* For a user at the console; a test that counts has none. */
static void tell_act(const struct storm_report *report, const char *act)
{
	if (talkative)
		console_printf("\rstorm: at %5u Hz: %-22s", report->hz, act);
}

/* ---- The rate ------------------------------------------------------------ */

static uint64_t storm_interrupts(unsigned int irq)
{
	struct irq_statistics statistics;

	irq_statistics(irq, &statistics);
	return statistics.taken;
}

/* Percent of HZ that TICKS in ELAPSED microseconds are. */
static unsigned int percent_of(unsigned int hz, uint64_t ticks,
                               uint64_t elapsed)
{
	return (unsigned int)(ticks * 100 * SECOND / (max(elapsed, 1ULL) * hz));
}

static unsigned int least_rate(unsigned int asked)
{
	return min(asked, TIMER_RATE_LEAST);
}

static unsigned int half_rate(unsigned int hz, unsigned int asked)
{
	return max(hz / 2, least_rate(asked));
}

/* ---- The drain ----------------------------------------------------------- */

static void hoard_order(gfp_t gfp, unsigned int order)
{
	struct page *page;

	while ((page = alloc_pages(gfp | __GFP_NOWARN, order)) != NULL) {
		list_push(&hoard.pages, &page->link);
		hoard.count += 1UL << order;
	}
	thread_yield();
}

/* Large blocks first; single pages decide where it ends. */
static void hoard_mask(gfp_t gfp)
{
	for (int order = MAX_ORDER; order >= 0; order--)
		hoard_order(gfp, (unsigned int)order);
}

/* Exclusive pages until the pool has no more than LEFT frames. */
static void hoard_exclusive(unsigned long left)
{
	const struct exclusive_pool *pool = &main_node()->pool;

	while (hoard.exclusive_count < WINDOW_ENTRIES &&
	       exclusive_pool_parked(pool) > left) {
		struct page *page =
			alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE | __GFP_NOWARN);

		if (page == NULL)
			return;
		hoard.exclusive[hoard.exclusive_count++] =
			exclusive_address(page);
	}
}

/* Take the pages that others have freed since. */
static void hoard_rest(void)
{
	hoard_order(GFP_ATOMIC, 0);
	hoard_exclusive(0);
}

static void give_hoard_back(void)
{
	struct page *page;

	while (hoard.exclusive_count > 0)
		exclusive_release(hoard.exclusive[--hoard.exclusive_count]);
	while ((page = list_first(&hoard.pages, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_pages(page, page->order);
	}
	hoard.count = 0;
}

/* ---- The acts ------------------------------------------------------------ */

static uint64_t dropped(void)
{
	struct recorder_statistics timer;
	struct recorder_statistics keyboard;

	recorder_statistics(RECORDER_TIMER, &timer);
	recorder_statistics(RECORDER_KEYBOARD, &keyboard);
	return timer.dropped + keyboard.dropped;
}

/* The pool is not larger than its high mark, and the refiller does not work until
 * refiller_pause(false): a large zone parks whole pageblocks, and a window does not hold as
 * many. */
static void cut_the_pool(void)
{
	struct node *node = main_node();

	refiller_pause(true);
	exclusive_shrink(node, node->pool.high);
}

static void drain_all(void)
{
	/* So that the refiller has work while there is memory.  A window must
	 * have room left for what the recorder will release: not a whole pool,
	 * and nothing that is refilled meanwhile. */
	cut_the_pool();
	hoard_exclusive(main_node()->pool.low / 2);
	refiller_pause(false);
	refiller_settle();
	cut_the_pool();
	hoard_mask(GFP_NOWAIT);
	hoard_mask(GFP_ATOMIC);
	refiller_pause(false);
	hoard_exclusive(0);
}

/*
 * Let the other threads do what they have to: always, or, in the drained act,
 * four times in all, at UNTIL and later.  There this thread is more urgent than
 * they are: the recorder releases nothing while the lines fill the pages that
 * they have, and so they come to ask for more when nothing is left.  Pages that
 * it does release are hoarded before the lines need them.
 */
static void storm_let_others_run(bool drain, unsigned int ticks,
                                 uint64_t *until, unsigned int hz)
{
	if (!drain) {
		thread_yield();
		return;
	}
	if (storm_interrupts(0) >= *until) {
		thread_sleep(2 * SECOND / hz);
		*until = storm_interrupts(0) + ticks / 4;
	}
	hoard_rest();
}

/* TICKS timer interrupts, with a keyboard interrupt whenever the controller
 * takes one. */
static void run_ticks(unsigned int ticks, bool drain,
                      struct storm_report *report)
{
	uint64_t limit =
		clock_microseconds() + SECOND + 4 * SECOND * ticks / report->hz;
	uint64_t end = storm_interrupts(0) + ticks;
	uint64_t until = storm_interrupts(0) + ticks / 4;
	uint8_t code = 0x90;

	while (storm_interrupts(0) < end && clock_microseconds() < limit &&
	       !report->ended) {
		report->rounds++;
		storm_let_others_run(drain, ticks, &until, report->hz);
		/* Break codes of letters: they type nothing. */
		if (i8042_raise(code) == 0)
			code = code == 0x99 ? 0x90 : code + 1;
		report->ended = console_interrupted();
	}
}

/* Returns the samples dropped after the drain. */
static uint64_t act(unsigned int ticks, bool drain, struct storm_report *report)
{
	struct thread *self = current_thread();
	enum thread_priority priority = self->priority;
	uint64_t before;

	if (drain && !report->ended) {
		drain_all();
		thread_set_priority(self, PRIORITY_HIGH);
	}
	before = dropped();
	run_ticks(ticks, drain, report);
	thread_set_priority(self, priority);
	return dropped() - before;
}

static unsigned long storm_event(enum vmstat_event which)
{
	return vmstat_read(&main_node()->stat, which);
}

/* ---- The verdict --------------------------------------------------------- */

/* Why the host was too slow for a storm, or NULL. */
static const char *find_slowness(const struct storm_report *report)
{
	if (report->percent < STORM_PERCENT_LEAST)
		return "the timer delivered less than 80 % of its rate";
	if (report->rounds < report->timer_interrupts / 10)
		return "the interrupts left no time to the threads";
	return NULL;
}

/* Return a sign of a storm that is missing, or NULL. */
static const char *find_lack(const struct storm_report *report)
{
	if (report->keyboard && report->keyboard_interrupts == 0)
		return "no keyboard interrupt came";
	if (report->refills == 0)
		return "the pool was never refilled";
	if (report->transfers == 0)
		return "no page was handed over";
	if (report->nulls == 0)
		return "the Labyrinth routine never returned NULL";
	if (report->dropped_full != 0)
		return "samples were lost although the pool was full";
	if (report->dropped_drained == 0)
		return "no sample was lost although the pool was drained";
	return NULL;
}

static const char *find_fault(const struct storm_report *report)
{
	if (report->wrong != NULL)
		return report->wrong;
	if (report->ended)
		return NULL;
	if (report->timer_interrupts == 0)
		return "no timer interrupt came";
	return find_slowness(report) == NULL ? find_lack(report) : NULL;
}

void storm_judge(struct storm_report *report)
{
	report->outcome = STORM_BROKEN;
	report->reason = find_fault(report);
	if (report->reason != NULL)
		return;
	report->outcome = STORM_ENDED;
	if (report->ended)
		return;
	report->outcome = STORM_TOO_SLOW;
	report->reason = find_slowness(report);
	if (report->reason == NULL)
		report->outcome = STORM_HELD;
}

/* ---- The storm ----------------------------------------------------------- */

static void run_acts(unsigned int ticks, struct storm_report *report)
{
	uint64_t begin = clock_microseconds();
	uint64_t timer = storm_interrupts(0);

	tell_act(report, "the pool is full");
	report->dropped_full = act(ticks, false, report);
	tell_act(report, "the pool is drained");
	report->dropped_drained = act(ticks, true, report);
	report->hoarded = hoard.count + hoard.exclusive_count;
	give_hoard_back();
	refiller_settle();
	tell_act(report, "recovery");
	act(ticks, false, report);
	report->timer_interrupts = storm_interrupts(0) - timer;
	report->percent = percent_of(report->hz, report->timer_interrupts,
	                             clock_microseconds() - begin);
}

/* One storm at REPORT->hz. */
static void storm_run_once(unsigned int ticks, struct storm_report *report)
{
	uint64_t keyboard = storm_interrupts(1);
	unsigned long refills = storm_event(VMSTAT_exclusive_park);
	unsigned long transfers = storm_event(VMSTAT_exclusive_transfer);
	unsigned long nulls = storm_event(VMSTAT_exclusive_empty);

	list_init(&hoard.pages);
	pit_set_hz(report->hz);
	recorder_start();
	run_acts(ticks, report);
	if (recorder_stop() != 0 && report->timer_interrupts > 0)
		report->wrong = "a line of the recorder did not stop";
	refiller_settle();
	report->keyboard_interrupts = storm_interrupts(1) - keyboard;
	report->refills = storm_event(VMSTAT_exclusive_park) - refills;
	report->transfers = storm_event(VMSTAT_exclusive_transfer) - transfers;
	report->nulls = storm_event(VMSTAT_exclusive_empty) - nulls;
	if (report->wrong == NULL)
		report->wrong = recorder_check();
	if (report->wrong == NULL)
		report->wrong = mm_check(report->said, sizeof(report->said));
	storm_judge(report);
}

/* Would a storm at a lower rate say more than this one? */
static bool is_worth_repeating(const struct storm_report *report)
{
	return report->outcome == STORM_TOO_SLOW &&
	       report->hz > least_rate(report->asked_hz);
}

void storm_run(unsigned int hz, unsigned int ticks, bool progress,
               struct storm_report *report)
{
	struct storm_report empty = { .asked_hz = hz,
		                      .keyboard = i8042_present() };
	unsigned int hz_before = clock_hz();
	enum log_level level = log_console_level();

	talkative = progress;
	if (progress)
		console_printf(
			"storm: three acts of %u ticks at up to %u Hz; ^C "
			"ends it\n",
			ticks, hz);
	/* Requests fail by the thousand, as they should: the log says so. */
	log_set_console_level(level < LOG_ERR ? level : LOG_ERR);
	recorder_stop();
	refiller_settle();
	recorder_start();
	empty.hz = timer_rate_find(hz);
	recorder_stop();
	refiller_settle();
	/* A machine that is busy with other things may deliver less than it
	 * did a moment ago: then half the rate for the same time. */
	for (;;) {
		*report = empty;
		storm_run_once(ticks, report);
		if (!is_worth_repeating(report))
			break;
		empty.hz = half_rate(empty.hz, hz);
		ticks = max(ticks / 2, min(ticks, 200U));
	}
	pit_set_hz(hz_before);
	log_set_console_level(level);
	if (progress)
		console_printf("\n");
}

static void storm_print_verdict(const struct storm_report *report)
{
	switch (report->outcome) {
	case STORM_BROKEN:
		console_printf("storm: \x1b[31mFAILED: %s\x1b[0m\n",
		               report->reason);
		break;
	case STORM_TOO_SLOW:
		console_printf("storm: \x1b[33mthis host is too slow to tell: "
		               "%s\x1b[0m\n",
		               report->reason);
		break;
	case STORM_ENDED:
		console_printf("storm: ended by ^C; all invariants held until "
		               "then\n");
		break;
	case STORM_HELD:
		console_printf("storm: \x1b[32mall invariants hold\x1b[0m%s\n",
		               report->keyboard ? ""
		                                : "; no keyboard controller, "
		                                  "the timer alone");
		break;
	}
}

void storm_print(const struct storm_report *report)
{
	console_fold(7, "storm: asked %u Hz, ran at %u Hz", report->asked_hz,
	             report->hz);
	console_fold(6,
	             "storm: %llu timer interrupts (%u %% of the rate), %llu "
	             "keyboard interrupts",
	             (unsigned long long)report->timer_interrupts,
	             report->percent,
	             (unsigned long long)report->keyboard_interrupts);
	console_fold(6,
	             "storm: %lu pages hoarded, %llu frames parked, %llu "
	             "hand-overs, %llu times NULL",
	             report->hoarded, (unsigned long long)report->refills,
	             (unsigned long long)report->transfers,
	             (unsigned long long)report->nulls);
	console_fold(6,
	             "storm: samples lost with a full pool: %llu, with a "
	             "drained one: %llu",
	             (unsigned long long)report->dropped_full,
	             (unsigned long long)report->dropped_drained);
	storm_print_verdict(report);
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/watchdog.c -- a hung machine says so.
 *
 * The scheduler notes when a CPU last could have switched threads: in a switch,
 * when it was idle, and whenever a tick found that the running thread may be
 * preempted.  A CPU on which that is long ago runs with preemption off, in a
 * spinlock or a loop in an interrupt handler that lets others nest.  A loop
 * with interrupts off gets no tick: kernel/core/nmi_watch.c detects that.
 *
 * Threads that wait for memory or for a lock are checked every second (or in half
 * the limit); the stack that they left shows where they wait.  A tick looks at a few
 * of them, so a round takes as many ticks as there are threads for it.
 */
#include "kernel/core/watchdog.h"

#include "kernel/core/clock.h"
#include "kernel/core/mutex.h"
#include "kernel/core/nmi_watch.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/parse.h"

#define MILLISECOND 1000ULL
#define SECOND      1000000ULL
#define MAX_SECONDS 3600

static uint64_t limit = WATCHDOG_SECONDS * SECOND; /* 0: none */
static uint64_t reported_switch = FOREVER; /* the one it was reported for */
static uint64_t next_look;
static unsigned long reports;
static bool in_round; /* some threads have been looked at, and not all */
static void (*visit_threads)(watchdog_visit each, void *data);
static bool (*look_at_some)(watchdog_visit each, void *data);

static int set_limit(const char *value)
{
	uint64_t seconds;
	int error = value == NULL ? -EINVAL : parse_number(value, &seconds);

	if (error != 0)
		return error;
	if (seconds > MAX_SECONDS)
		return -ERANGE;
	watchdog_set_limit(seconds * SECOND);
	nmi_watch_set_limit(seconds * SECOND);
	return 0;
}

PARAM(watchdog, "watchdog",
      "=SECONDS: report what hangs longer than that; 0: nothing", set_limit);

void watchdog_register_threads(void (*visit)(watchdog_visit each, void *data),
                               bool (*some)(watchdog_visit each, void *data))
{
	visit_threads = visit;
	look_at_some = some;
}

static void check_cpu(uint64_t now)
{
	uint64_t last = sched_last_switch();

	if (now < last + limit || last == reported_switch)
		return;
	reported_switch = last;
	reports++;
	pr_err("BUG: watchdog: %s has kept its CPU for %llu ms\n",
	       current_thread()->title,
	       (unsigned long long)((now - last) / MILLISECOND));
	backtrace_print(NULL);
	log_show_here();
}

/* Perhaps the CPU halts on its stack, and the tick came on top. */
static void print_where(const struct thread *thread)
{
	if (thread->on_cpu)
		backtrace_print(NULL);
	else
		backtrace_print_stack(thread->stack_pointer);
}

/* Has THREAD waited since SINCE for too long, and is that new? */
static bool is_news(uint64_t now, uint64_t since, bool *told)
{
	if (since == 0 || now < since + limit || *told)
		return false;
	*told = true;
	reports++;
	return true;
}

static unsigned long long in_ms(uint64_t now, uint64_t since)
{
	return (now - min(since, now)) / MILLISECOND;
}

static void check_memory(struct thread *thread, uint64_t now)
{
	uint64_t since = READ_ONCE(thread->memory_wait);

	if (!is_news(now, since, &thread->memory_wait_told))
		return;
	pr_err("BUG: watchdog: %s has waited for memory for %llu ms\n",
	       thread->title, in_ms(now, since));
	print_where(thread);
}

struct holder_search {
	uint64_t number;
	const struct thread *found;
};

static void find_holder(struct thread *thread, void *data)
{
	struct holder_search *search = data;

	if (thread_owner_id(thread) == search->number)
		search->found = thread;
}

/* Interrupts are off: the holder of MUTEX does not change meanwhile. */
static void print_holder(const struct mutex *mutex, uint64_t now)
{
	struct holder_search search = { READ_ONCE(mutex->holder), NULL };

	if (search.number == 0) {
		pr_err("  nobody holds it\n");
		return;
	}
	visit_threads(find_holder, &search);
	if (search.found == NULL) {
		pr_err("  %s held it, and has ended\n",
		       owner_name(search.number));
		return;
	}
	pr_err("  %s has held it for %llu ms and is at\n", search.found->title,
	       in_ms(now, mutex->since));
	print_where(search.found);
}

static void check_lock(struct thread *thread, uint64_t now)
{
	uint64_t since = READ_ONCE(thread->lock_wait);
	const struct wait_queue *queue = READ_ONCE(thread->waits_on);
	const struct mutex *mutex = READ_ONCE(thread->lock_wanted);

	if (!is_news(now, since, &thread->lock_wait_told))
		return;
	pr_err("BUG: watchdog: %s has waited for %s%s for %llu ms\n",
	       thread->title, mutex == NULL ? "" : "mutex ",
	       mutex != NULL   ? mutex->name
	       : queue == NULL ? "?"
	                       : queue->name,
	       in_ms(now, since));
	print_where(thread);
	if (mutex != NULL)
		print_holder(mutex, now);
}

static void check_thread(struct thread *thread, void *data)
{
	uint64_t now = *(const uint64_t *)data;

	check_memory(thread, now);
	check_lock(thread, now);
}

void watchdog_tick(void)
{
	uint64_t now = clock_microseconds();

	if (limit == 0 || current_thread() == NULL || panic_in_progress())
		return;
	check_cpu(now);
	if (look_at_some == NULL || (!in_round && now < next_look))
		return;
	if (!in_round)
		next_look = now + min(SECOND, limit / 2);
	in_round = !look_at_some(check_thread, &now);
}

void memory_wait_begin(void)
{
	struct thread *self = current_thread();

	self->memory_wait_told = false;
	WRITE_ONCE(self->memory_wait, max(clock_microseconds(), 1ULL));
}

void memory_wait_end(void)
{
	WRITE_ONCE(current_thread()->memory_wait, 0);
}

void lock_wait_begin(struct mutex *mutex)
{
	struct thread *self = current_thread();

	self->lock_wait_told = false;
	self->lock_wanted = mutex;
	WRITE_ONCE(self->lock_wait, max(clock_microseconds(), 1ULL));
}

void lock_wait_end(void)
{
	WRITE_ONCE(current_thread()->lock_wait, 0);
}

uint64_t watchdog_limit(void)
{
	return limit;
}

void watchdog_set_limit(uint64_t microseconds)
{
	limit = microseconds;
	next_look = 0;
}

unsigned long watchdog_reports(void)
{
	return reports;
}

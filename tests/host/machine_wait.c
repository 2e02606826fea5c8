/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_wait.c -- waiting, scripted.
 *
 * There is one thread, so nobody else can make a condition true while it waits:
 * the test's hook does, as another thread or an interrupt would.  It is called
 * whenever the thread would stop, for as long as it says that it did something.
 * A wait that nothing can end any more is a panic, "everybody sleeps".
 *
 * Time passes only where a wait has a limit and nobody ends it earlier: then the
 * clock goes to that limit.  So a script runs the same way each time.  A thread
 * that sleeps for a time, or yields, MACHINE_PATIENCE times in a row while nobody
 * does anything is a panic as well.
 */
#include "kernel/core/clock.h"
#include "lib/errno.h"
#include "tests/host/machine.h"

static struct {
	bool (*hook)(struct wait_queue *queue);
	unsigned long waits;
	unsigned long wake_ups;
	unsigned int idle; /* rests in a row in which nobody did anything */
} script;

void host_wait_start(void)
{
	script.hook = NULL;
	script.waits = 0;
	script.wake_ups = 0;
	script.idle = 0;
}

void machine_set_wait_hook(bool (*hook)(struct wait_queue *queue))
{
	script.hook = hook;
	script.idle = 0;
}

unsigned long machine_waits(void)
{
	return script.waits;
}

unsigned long machine_wake_ups(void)
{
	return script.wake_ups;
}

void wait_queue_init(struct wait_queue *queue, const char *name)
{
	list_init(&queue->waiters);
	queue->name = name;
}

static bool run_hook(struct wait_queue *queue)
{
	bool done = script.hook != NULL && script.hook(queue);

	if (done)
		script.idle = 0;
	return done;
}

/*
 * A thread that rests again and again while no other context does anything also
 * waits forever.
 */
static void check_patience(void)
{
	if (++script.idle > MACHINE_PATIENCE)
		panic("everybody sleeps: %s has rested %u times and nobody "
		      "does anything",
		      context_name(), script.idle);
}

/* The clock goes to DEADLINE, unless the script has let more time pass. */
static void wait_until(uint64_t deadline)
{
	if (clock_microseconds() < deadline)
		machine_advance(deadline - clock_microseconds());
}

bool wait_event_checked(struct wait_queue *queue, bool (*condition)(void *data),
                        void *data, uint64_t microseconds,
                        bool may_wait __unused)
{
	uint64_t now = clock_microseconds();
	uint64_t deadline = now + min(microseconds, FOREVER - now);

	if (condition(data))
		return true;
	script.waits++;
	while (clock_microseconds() < deadline) {
		bool done = run_hook(queue);

		if (condition(data))
			return true;
		if (done)
			continue;
		if (deadline == FOREVER)
			panic("everybody sleeps: %s waits for %s",
			      context_name(), queue->name);
		wait_until(deadline);
	}
	return condition(data);
}

void wait_event(struct wait_queue *queue, bool (*condition)(void *data),
                void *data)
{
	wait_event_checked(queue, condition, data, FOREVER, might_sleep());
}

bool wait_event_timeout(struct wait_queue *queue, bool (*condition)(void *data),
                        void *data, uint64_t microseconds)
{
	return wait_event_checked(queue, condition, data, microseconds,
	                          might_sleep());
}

void wake_up(struct wait_queue *queue)
{
	if (in_nmi())
		panic("wake_up of %s in an NMI", queue->name);
	script.wake_ups++;
}

void wake_up_with(struct wait_queue *queue, void (*change)(void *data),
                  void *data)
{
	wake_up(queue);
	change(data);
}

static bool machine_wait_never(void *data)
{
	(void)data;
	return false;
}

void thread_sleep(uint64_t microseconds)
{
	struct wait_queue sleep = WAIT_QUEUE_INIT(sleep);

	check_patience();
	wait_event_timeout(&sleep, machine_wait_never, NULL, microseconds);
}

/* The others run once, and this thread goes on. */
void thread_yield(void)
{
	struct wait_queue yield = WAIT_QUEUE_INIT(yield);

	might_sleep();
	check_patience();
	run_hook(&yield);
}

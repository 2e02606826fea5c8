/* SPDX-License-Identifier: MIT */
/*
 * Threads stay while they are visited, and a walk in slices meets each once.
 */
#include "kernel/core/sched.h"
#include "kernel/core/semaphore.h"
#include "kernel/core/watchdog.h"
#include "kernel/thread.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(visit);

/* A visitor stays with TARGET, which ends meanwhile, until it may leave. */
static struct {
	struct thread *target;
	struct completion may_end;
	struct completion inside;
	struct completion may_leave;
	uint64_t number;          /* of the visited thread, at the end */
	unsigned long stack_used; /* the same */
	bool joined;
} visited;

static void visited_run(void *data __unused)
{
	wait_for_completion(&visited.may_end);
}

static void stay_with(struct thread *thread, void *data __unused)
{
	if (thread != visited.target)
		return;
	complete(&visited.inside);
	wait_for_completion(&visited.may_leave);
	visited.number = thread_owner_id(thread);
	visited.stack_used = thread_stack_used(thread);
}

static void visitor_run(void *data __unused)
{
	thread_visit(stay_with, NULL);
}

static void joiner_run(void *data __unused)
{
	thread_join(visited.target);
	WRITE_ONCE(visited.joined, true);
}

CASE(visit, a_thread_is_not_joined_while_it_is_visited)
{
	struct thread *visitor;
	struct thread *joiner;
	uint64_t number;
	bool too_early;

	memset(&visited, 0, sizeof(visited));
	init_completion(&visited.may_end);
	init_completion(&visited.inside);
	init_completion(&visited.may_leave);
	visited.target = thread_create("visited", visited_run, NULL);
	EXPECT(visited.target != NULL);
	number = thread_owner_id(visited.target);
	visitor = thread_create("visitor", visitor_run, NULL);
	EXPECT(visitor != NULL);
	wait_for_completion(&visited.inside);
	/*
	 * More urgent: it runs until it has to wait, immediately and when the
	 * thread has ended.
	 */
	joiner = thread_create_priority("joiner", PRIORITY_HIGH, joiner_run,
	                                NULL);
	EXPECT(joiner != NULL);
	complete(&visited.may_end);
	wait_event(&thread_ended, thread_has_ended, visited.target);
	thread_yield();
	too_early = READ_ONCE(visited.joined);
	complete(&visited.may_leave);
	thread_join(visitor);
	thread_join(joiner);
	EXPECT(!too_early);
	EXPECT(visited.joined);
	EXPECT_EQUAL(visited.number, number);
	EXPECT(visited.stack_used > 0);
	return NULL;
}

/* ---- Visits in slices ---------------------------------------------------- */

#define SLICED 30U

static struct {
	struct thread *thread[SLICED]; /* NULL: joined */
	struct semaphore may_end[SLICED];
	unsigned int visits[SLICED];
} sliced;

static void sliced_run(void *may_end)
{
	down(may_end);
}

static void sliced_join(unsigned int i)
{
	up(&sliced.may_end[i]);
	thread_join(sliced.thread[i]);
	sliced.thread[i] = NULL;
}

static void count_visit(struct thread *thread, void *data __unused)
{
	for (unsigned int i = 0; i < SLICED; i++)
		sliced.visits[i] += thread == sliced.thread[i];
}

static bool begin_sliced(void)
{
	memset(&sliced, 0, sizeof(sliced));
	for (unsigned int i = 0; i < SLICED; i++) {
		sema_init(&sliced.may_end[i], 0);
		sliced.thread[i] =
			thread_create("sliced", sliced_run, &sliced.may_end[i]);
		if (sliced.thread[i] == NULL)
			return false;
	}
	/* The next slice begins with the first thread. */
	while (!thread_visit_some(count_visit, NULL))
		;
	memset(sliced.visits, 0, sizeof(sliced.visits));
	return true;
}

/* After each slice, the thread is joined with which the next one would begin. */
static unsigned int visit_and_join(void)
{
	unsigned int joined = 0;
	unsigned int next;

	while (!thread_visit_some(count_visit, NULL)) {
		for (next = 0; next < SLICED && sliced.visits[next] > 0; next++)
			;
		if (next == 0 || next == SLICED)
			continue;
		sliced_join(next);
		sliced.visits[next] = 1;
		joined++;
	}
	return joined;
}

/* The watchdog does not look meanwhile: there is one walk in slices. */
CASE(visit, slices_of_a_walk_meet_each_thread_once_while_some_are_joined)
{
	uint64_t limit = watchdog_limit();
	unsigned int joined = 0;
	bool begun;

	watchdog_set_limit(0);
	begun = begin_sliced();
	if (begun)
		joined = visit_and_join();
	watchdog_set_limit(limit);
	for (unsigned int i = 0; i < SLICED; i++) {
		if (sliced.thread[i] != NULL)
			sliced_join(i);
	}
	EXPECT(begun);
	/* One is joined after each slice. */
	EXPECT(joined >= SLICED / (THREADS_SOME + 1) - 1);
	for (unsigned int i = 0; i < SLICED; i++)
		EXPECT_EQUAL(sliced.visits[i], 1);
	return NULL;
}

static void visit_and_make(struct thread *thread, void *data)
{
	struct thread **made = data;

	if (*made == NULL)
		*made = thread_create("made", sliced_run, &sliced.may_end[0]);
	else if (thread == *made)
		sliced.visits[0]++;
}

CASE(visit, a_thread_that_is_made_during_a_walk_is_not_visited)
{
	struct thread *made = NULL;

	memset(&sliced, 0, sizeof(sliced));
	sema_init(&sliced.may_end[0], 0);
	thread_visit(visit_and_make, &made);
	EXPECT(made != NULL);
	up(&sliced.may_end[0]);
	thread_join(made);
	EXPECT_EQUAL(sliced.visits[0], 0);
	return NULL;
}

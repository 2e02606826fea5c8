/* SPDX-License-Identifier: MIT */
/*
 * A completion, a semaphore or a mutex may be freed as soon as the other side
 * returns.  The other side may be on another CPU, so it is not enough that
 * nothing runs in between: from the instruction on at which the object can be
 * acquired, nothing may touch it.
 *
 * The call is stepped.  At each boundary, with interrupts on or off, the hook
 * checks whether a caller that does not wait could continue now; then it
 * "frees" the object: fills it with a pattern, and lets the queue in it lead to
 * a decoy.  A late write to the object leaves a mark, and a late search for
 * waiters wakes the decoy.
 */
#include "kernel/arch/step.h"
#include "kernel/core/context.h"
#include "kernel/core/mutex.h"
#include "kernel/core/semaphore.h"
#include "kernel/thread.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/slab/mempool.h"
#include "tests/kernel/no_samples.h"
#include "tests/suite.h"

SUITE(life);

#define LINE    5 /* not used: no interrupt is asked for */
#define PATTERN 0x5a

static struct {
	union {
		struct completion completion;
		struct semaphore semaphore;
		struct mutex mutex;
	};
} object;

static struct thread decoy; /* as if on a CPU: woken, it goes nowhere */

struct scene {
	struct wait_queue *queue;
	bool (*can_be_had)(void);
	bool freed;
	unsigned long after; /* boundaries behind that */
};

static void lay_decoy(struct wait_queue *queue)
{
	memset(&object, PATTERN, sizeof(object));
	decoy = (struct thread){ .state = THREAD_WAITING, .on_cpu = true };
	list_init(&decoy.link);
	list_init(&decoy.run_link);
	list_init(&queue->waiters);
	list_append(&queue->waiters, &decoy.link);
}

static enum step_action
free_when_had(const struct step_boundary *boundary __unused, void *data)
{
	struct scene *scene = data;

	if (scene->freed) {
		scene->after++;
	} else if (scene->can_be_had()) {
		scene->freed = true;
		lay_decoy(scene->queue);
	}
	return STEP_ON;
}

static const char *step_scene(void (*call)(void *), bool (*can_be_had)(void),
                              struct wait_queue *queue)
{
	struct scene scene = { .can_be_had = can_be_had, .queue = queue };
	const uint8_t *bytes = (const uint8_t *)&object;

	EXPECT(!can_be_had());
	/* No switch to another thread, which would be stepped, too. */
	preempt_disable();
	step_run(call, NULL, LINE, free_when_had, &scene);
	preempt_enable();
	EXPECT(scene.freed);
	EXPECT(scene.after > 0);
	EXPECT(decoy.state == THREAD_WAITING);
	EXPECT(list_first(&queue->waiters, struct thread, link) == &decoy);
	list_remove(&decoy.link);
	memset(queue, PATTERN, sizeof(queue->waiters));
	for (size_t i = 0; i < sizeof(object); i++)
		EXPECT_EQUAL(bytes[i], PATTERN);
	return NULL;
}

static void call_complete(void *data __unused)
{
	complete(&object.completion);
}

static void call_complete_all(void *data __unused)
{
	complete_all(&object.completion);
}

static void call_up(void *data __unused)
{
	up(&object.semaphore);
}

static void call_mutex_unlock(void *data __unused)
{
	mutex_unlock(&object.mutex);
}

static bool is_completed(void)
{
	return READ_ONCE(object.completion.all) ||
	       READ_ONCE(object.completion.semaphore.count) > 0;
}

static bool is_up(void)
{
	return READ_ONCE(object.semaphore.count) > 0;
}

static bool test_life_is_unlocked(void)
{
	return READ_ONCE(object.mutex.holder) == 0;
}

CASE(life, complete_does_not_touch_what_the_waiter_may_have_freed)
{
	init_completion(&object.completion);
	return step_scene(call_complete, is_completed,
	                  &object.completion.semaphore.queue);
}

CASE(life, complete_all_does_not_touch_what_the_waiters_may_have_freed)
{
	init_completion(&object.completion);
	return step_scene(call_complete_all, is_completed,
	                  &object.completion.semaphore.queue);
}

CASE(life, up_does_not_touch_what_the_next_may_have_freed)
{
	sema_init(&object.semaphore, 0);
	return step_scene(call_up, is_up, &object.semaphore.queue);
}

CASE(life, mutex_unlock_does_not_touch_what_the_next_holder_may_have_freed)
{
	mutex_init(&object.mutex, "life");
	mutex_lock(&object.mutex);
	return step_scene(call_mutex_unlock, test_life_is_unlocked,
	                  &object.mutex.queue);
}

/* ---- With a waiter that really waits ------------------------------------- */

#define ROUNDS 64

struct rendezvous {
	struct completion *there; /* on the waiter's stack, while it waits */
	struct completion posted;
	unsigned int rounds;
};

/* The completion dies with each call, and the stack is reused immediately. */
static __noinline void wait_on_the_stack(struct rendezvous *rendezvous)
{
	struct completion completion;

	init_completion(&completion);
	rendezvous->there = &completion;
	complete(&rendezvous->posted);
	wait_for_completion(&completion);
	memset(&completion, PATTERN, sizeof(completion));
	rendezvous->rounds++;
}

static void waiter_run(void *data)
{
	for (unsigned int i = 0; i < ROUNDS; i++)
		wait_on_the_stack(data);
}

CASE(life, a_completion_on_the_waiters_stack_wakes_it_each_time)
{
	struct rendezvous rendezvous = { .rounds = 0 };
	struct thread *waiter;

	init_completion(&rendezvous.posted);
	/* More urgent, so that it goes on before complete() has returned. */
	waiter = thread_create_priority("waiter", PRIORITY_HIGH, waiter_run,
	                                &rendezvous);
	EXPECT(waiter != NULL);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		wait_for_completion(&rendezvous.posted);
		complete(rendezvous.there);
	}
	thread_join(waiter);
	EXPECT_EQUAL(rendezvous.rounds, ROUNDS);
	return NULL;
}

/* ---- A pool, which ends when its last element is back -------------------- */

static mempool_t *pool;
static void *element;

/*
 * Where nothing is locked somebody else takes the last element and ends the
 * pool.
 */
static enum step_action end_pool_when_full(const struct step_boundary *boundary,
                                           void *data)
{
	bool *ended = data;

	if (!*ended && boundary->open && mempool_reserve(pool) > 0) {
		*ended = true;
		mempool_destroy(pool);
		memset(pool, PATTERN, PAGE_SIZE);
	}
	return STEP_ON;
}

static void give_element(void *data __unused)
{
	mempool_free(element, pool);
}

CASE(life, mempool_free_does_not_touch_a_pool_that_ends)
{
	bool ended = false;

	pool = mempool_create_page_pool(1, 0);
	EXPECT(pool != NULL);
	element = mempool_alloc_preallocated(pool);
	EXPECT(element != NULL);
	preempt_disable();
	step_run(give_element, NULL, LINE, end_pool_when_full, &ended);
	preempt_enable();
	EXPECT(ended);
	return NULL;
}

/* ---- Who holds a mutex? -------------------------------------------------- */

struct heir {
	struct mutex *mutex;
	bool mine;
	bool taken;
};

static void note_number(void *data)
{
	*(uint64_t *)data = current_owner_id();
}

static void look_at_mutex(void *data)
{
	struct heir *heir = data;

	heir->mine = mutex_is_mine(heir->mutex);
	heir->taken = mutex_trylock(heir->mutex);
}

/*
 * A mutex that a thread left locked is not held by the next thread in its
 * place.
 */
CASE(life, a_mutex_is_held_by_a_number_and_not_by_a_place)
{
	struct mutex mutex;
	struct heir heir = { .mutex = &mutex };
	uint64_t number = 0;
	unsigned long samples = no_samples_begin();
	struct thread *first = thread_create("first", note_number, &number);
	struct thread *second;

	EXPECT(first != NULL);
	thread_join(first);
	mutex_init(&mutex, "left locked");
	mutex.holder = number;
	second = thread_create("second", look_at_mutex, &heir);
	no_samples_end(samples);
	EXPECT(second == first); /* the same place */
	thread_join(second);
	EXPECT(!heir.mine);
	EXPECT(!heir.taken);
	EXPECT_EQUAL(mutex.holder, number);
	return NULL;
}

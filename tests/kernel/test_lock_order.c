/* SPDX-License-Identifier: MIT */
/*
 * Orders of locks that can deadlock, reported before they do.
 */
#include "kernel/arch/arch.h"
#include "kernel/core/context.h"
#include "kernel/core/lock.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/mutex.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(lock_order);

static struct spinlock first = SPINLOCK_INIT("test first");
static struct spinlock second = SPINLOCK_INIT("test second");
static struct spinlock third = SPINLOCK_INIT("test third");

static __noinline void take_in_order(struct spinlock *outer,
                                     struct spinlock *inner)
{
	bool enabled = spin_lock_irqsave(outer);
	bool also = spin_lock_irqsave(inner);

	spin_unlock_irqrestore(inner, also);
	spin_unlock_irqrestore(outer, enabled);
}

/*
 * Each order is reported only once: a case that has run before, in this boot,
 * gets no report. *KNOWN is the case's; returns how many reports it expects.
 */
static unsigned int reports_expected(bool *known)
{
	unsigned int expected = *known ? 0 : 1;

	*known = true;
	return expected;
}

CASE(lock_order, circle_over_three_locks_is_reported_once_with_both_places)
{
	static bool known;
	uint64_t mark = log_mark();
	unsigned int expected = reports_expected(&known);

	take_in_order(&first, &second);
	take_in_order(&second, &third);
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	take_in_order(&third, &first);
	EXPECT_EQUAL(lock_order_take_reports(), expected);
	if (expected == 1) {
		EXPECT(log_contains_since(
			mark, "takes test first at take_in_order+"));
		EXPECT(log_contains_since(
			mark, "holding test third since take_in_order+"));
		EXPECT(log_contains_since(
			mark, "test second was taken under test first"));
	}
	take_in_order(&third, &first);
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	return NULL;
}

static struct spinlock both = SPINLOCK_INIT("test both");

static __noinline void take_both(void *data __unused)
{
	bool enabled = spin_lock_irqsave(&both);

	spin_unlock_irqrestore(&both, enabled);
}

CASE(lock_order, lock_of_interrupts_held_with_interrupts_on_is_reported)
{
	static bool known;
	uint64_t mark = log_mark();
	unsigned int expected = reports_expected(&known);

	EXPECT(in_timer_interrupt(take_both, NULL));
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	spin_lock(&both);
	EXPECT(arch_irq_enabled());
	spin_unlock(&both);
	EXPECT_EQUAL(lock_order_take_reports(), expected);
	if (expected == 1)
		EXPECT(log_contains_since(
			mark, "lock test both is taken in interrupts, at "
			      "take_both+"));
	return NULL;
}

static struct spinlock known_lock = SPINLOCK_INIT("test known");

static __noinline void take_known(void *data __unused)
{
	bool enabled = spin_lock_irqsave(&known_lock);

	spin_unlock_irqrestore(&known_lock, enabled);
}

/* The class is known by then, and has been taken in a thread in both ways. */
CASE(lock_order, first_use_of_a_known_lock_in_an_interrupt_is_reported)
{
	static bool known;
	uint64_t mark = log_mark();
	unsigned int expected = reports_expected(&known);

	take_known(NULL);
	spin_lock(&known_lock);
	spin_unlock(&known_lock);
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	EXPECT(in_timer_interrupt(take_known, NULL));
	EXPECT_EQUAL(lock_order_take_reports(), expected);
	if (expected == 1)
		EXPECT(log_contains_since(
			mark, "lock test known is taken in interrupts, at "
			      "take_known+"));
	return NULL;
}

static struct mutex outer_mutex = MUTEX_INIT(outer_mutex, "test outer mutex");
static struct mutex inner_mutex = MUTEX_INIT(inner_mutex, "test inner mutex");

CASE(lock_order, mutexes_taken_both_ways_round_are_reported)
{
	static bool known;
	uint64_t mark = log_mark();
	unsigned int expected = reports_expected(&known);

	mutex_lock(&outer_mutex);
	mutex_lock(&inner_mutex);
	mutex_unlock(&inner_mutex);
	mutex_unlock(&outer_mutex);
	EXPECT_EQUAL(lock_order_take_reports(), 0);
	mutex_lock(&inner_mutex);
	mutex_lock(&outer_mutex);
	mutex_unlock(&outer_mutex);
	mutex_unlock(&inner_mutex);
	EXPECT_EQUAL(lock_order_take_reports(), expected);
	if (expected == 1)
		EXPECT(log_contains_since(mark, "takes test outer mutex at"));
	return NULL;
}

CASE(lock_order, sleeping_under_a_spinlock_is_reported_with_both_places)
{
	unsigned long before = might_sleep_violations();
	static bool known;
	unsigned int expected = reports_expected(&known);
	uint64_t mark = log_mark();
	bool enabled = spin_lock_irqsave(&first);

	thread_yield();
	spin_unlock_irqrestore(&first, enabled);
	EXPECT_EQUAL(might_sleep_violations(), before + 1);
	EXPECT_EQUAL(log_count_since(mark, "sleeping function thread_yield "
	                                   "called by thread shell at "
	                                   "case_lock_order_sleeping"),
	             expected);
	EXPECT_EQUAL(log_count_since(mark, "spinlock test first is held since"),
	             expected);
	return NULL;
}

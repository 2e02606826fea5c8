/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/context.c -- where am I, and may I wait here?
 *
 * preempt_count is this CPU's own word.  It is changed by one instruction that finds
 * the CPU as well (kernel/arch/percpu.h), and without a lock prefix: whatever
 * interrupts puts back what it added before it returns, and no thread moves to another
 * CPU while its count is not 0.
 *
 * might_sleep() reports each call once, so that a bad one in an interrupt
 * handler does not fill the log a thousand times a second; it counts every
 * time.  It names the caller of the function that may sleep, not the
 * function deep in the scheduler that would wait: every function that may sleep
 * calls it first.
 */
#include "kernel/core/context.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/percpu.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock.h"
#include "kernel/core/lock_order.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"

/* Far more wrong places than a kernel that works has; later ones only count. */
#define PLACES_MAX 32

static struct spinlock places_lock = SPINLOCK_INIT("might_sleep places");
static uintptr_t places[PLACES_MAX]; /* under places_lock */
static unsigned int places_known;    /* the same */
static unsigned long violations;     /* atomic */

__cold void preempt_count_wrapped(unsigned int amount)
{
	if (panic_in_progress())
		return;
	preempt_count_add(amount);
	panic("preempt_count is %#x and cannot go down by %#x", preempt_count(),
	      amount);
}

/* preempt_count_end() found a reason to stop. */
void preempt_enable_slow(void);
void preempt_enable_slow(void)
{
	if (preempt_count() == 0)
		sched_preempt();
	else
		preempt_count_wrapped(PREEMPT_ONE);
}

/* Is this the first time that CALLER is met?  places_lock is held. */
static bool remember_place(uintptr_t caller)
{
	for (unsigned int i = 0; i < places_known; i++) {
		if (places[i] == caller)
			return false;
	}
	if (places_known == PLACES_MAX)
		return false;
	places[places_known++] = caller;
	return true;
}

/* The other place: where this CPU took the lock that forbids sleeping. */
static void report_held_lock(void)
{
	struct held_lock innermost;
	char text[PLACE_SIZE];

	if (lock_order_held(NULL, &innermost, 1) > 0)
		pr_err("  spinlock %s is held since %s\n", innermost.name,
		       caller_format(text, sizeof(text), innermost.place));
}

bool might_sleep_at(const char *function, uintptr_t caller)
{
	char place[PLACE_SIZE];
	bool enabled;
	bool is_new;

	if (may_sleep_here())
		return true;
	__atomic_fetch_add(&violations, 1, __ATOMIC_RELAXED);
	/* Somebody has the table: this place is told the next time. */
	if (!spin_trylock_irqsave(&places_lock, &enabled))
		return false;
	is_new = remember_place(caller);
	spin_unlock_irqrestore(&places_lock, enabled);
	if (is_new) {
		pr_err("BUG: sleeping function %s called by %s at %s, with "
		       "preempt_count %#x, interrupts %s\n",
		       function, context_name(),
		       caller_format(place, sizeof(place), caller),
		       preempt_count(), arch_irq_enabled() ? "on" : "off");
		report_held_lock();
		backtrace_print_from(caller);
	}
	return false;
}

unsigned long might_sleep_violations(void)
{
	return __atomic_load_n(&violations, __ATOMIC_RELAXED);
}

const char *context_name(void)
{
	const struct owner *owner = current_owner();
	const struct thread *thread = this_cpu_read(thread);

	if (in_nmi())
		return "nmi";
	if (owner != NULL && owner->kind == OWNER_IRQ)
		return owner->name;
	if (in_interrupt())
		return "interrupt";
	return thread == NULL ? "boot" : thread->title;
}

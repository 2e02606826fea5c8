/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/lock_order.c -- deadlocks that have not happened yet.
 *
 * The idea of Linux's lockdep in its smallest form.  Classes are the nodes of a
 * graph; an edge A -> B says "B was taken while A was held".  Two edges can
 * never both be there if all code agrees on an order, and neither can a longer
 * circle.  So a new edge A -> B is checked for a way from B to A:
 *
 *	        A -> B at vga_write+0x1c      (known)
 *	   new: B -> A at log_flush+0x40      circle: reported, not added
 *
 * The search is a flood fill over a bit matrix of 64 classes, and happens once
 * for an edge.  A row has the classes that this one was taken under: so one row tells
 * whether a lock adds anything (kernel/core/lock_watch.h), and what is below comes
 * seldom.  A second lock of a class that is held already is an edge from a class to
 * itself: a circle, too.
 *
 * Interrupts.  A class taken in an interrupt handler must never be held by a
 * thread that can be interrupted.  Both uses are noted with their place, and
 * the second kind to come is reported.
 *
 * Locking: the matrix only gains bits, each with one atomic OR, so readers need
 * no lock; `busy` is a plain word for the rare insertions (a spinlock
 * would call this file again).  The list of held locks is per CPU: preemption
 * is off, and an interrupt removes what it added.
 *
 * Places are kept as 32 bits: the image lies in the last 2 GiB.
 */
#include "kernel/core/lock_order.h"

#include "kernel/arch/arch.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock_watch.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/string.h"

struct lock_class lock_classes[LOCK_CLASSES];
/* Where a class was first taken under another: [inner][outer]. */
static uint32_t edge_place[LOCK_CLASSES][LOCK_CLASSES];
static unsigned int class_count = 1;
static uint32_t busy;
static unsigned long reports;

static bool lock_order_enter(void)
{
	bool enabled = arch_irq_save();

	while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE) != 0) {
		if (panic_in_progress())
			break;
		arch_relax();
	}
	return enabled;
}

static void lock_order_leave(bool enabled)
{
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	arch_irq_restore(enabled);
}

static uintptr_t full_place(uint32_t place)
{
	return 0xffffffff00000000UL | place;
}

/* ---- Classes ------------------------------------------------------------- */

/* The class of NAME, a new one if need be; 0 if there is no room. */
static uint32_t find_class(const char *name)
{
	for (unsigned int i = 1; i < class_count; i++) {
		if (strcmp(lock_classes[i].name, name) == 0)
			return i;
	}
	if (class_count == LOCK_CLASSES)
		return 0;
	lock_classes[class_count].name = name;
	lock_classes[class_count].before = 1;
	lock_classes[class_count].contexts =
		PREEMPT_WORD(PREEMPT_MASK | LISTS_ONE) | PREEMPT_NO_RESCHED;
	return class_count++;
}

static uint32_t learn_class(uint32_t *order_class, const char *name)
{
	bool enabled;

	if (*order_class != 0)
		return *order_class;
	enabled = lock_order_enter();
	*order_class = find_class(name);
	lock_order_leave(enabled);
	if (*order_class != 0)
		return *order_class;
	if (!panic_in_progress())
		panic("lock %s: more than %d classes of locks", name,
		      LOCK_CLASSES - 1);
	return *order_class = LOCK_CLASSES - 1;
}

/* ---- The graph ----------------------------------------------------------- */

/* Every class from which class TO can be reached. */
static uint64_t reaching(uint32_t to)
{
	uint64_t found = lock_classes[to].before;
	uint64_t done = 0;

	while ((found & ~done) != 0) {
		uint32_t next = (uint32_t)__builtin_ctzll(found & ~done);

		done |= 1ULL << next;
		found |= lock_classes[next].before;
	}
	return found;
}

/* The first step of a way from class FROM to class TO. */
static uint32_t first_step(uint32_t from, uint32_t to)
{
	uint64_t steps = reaching(to) | 1ULL << to;

	for (uint32_t step = 1; step < class_count; step++) {
		if ((steps & (1ULL << step)) != 0 &&
		    (lock_classes[step].before & (1ULL << from)) != 0)
			return step;
	}
	return to;
}

struct circle {
	uint32_t outer;
	uint32_t outer_place;
	uint32_t inner;
	uint32_t inner_place;
	uint32_t step;
	uint32_t step_place;
};

static void report_circle(const struct circle *circle)
{
	char text[PLACE_SIZE];

	__atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
	if (panic_in_progress())
		return;
	pr_err("BUG: lock order: %s takes %s at %s\n", context_name(),
	       lock_classes[circle->inner].name,
	       caller_format(text, sizeof(text),
	                     full_place(circle->inner_place)));
	pr_err("  holding %s since %s\n", lock_classes[circle->outer].name,
	       caller_format(text, sizeof(text),
	                     full_place(circle->outer_place)));
	if (circle->outer != circle->inner)
		pr_err("  but %s was taken under %s at %s\n",
		       lock_classes[circle->step].name,
		       lock_classes[circle->inner].name,
		       caller_format(text, sizeof(text),
		                     full_place(circle->step_place)));
	backtrace_print_from(full_place(circle->inner_place));
}

/*
 * Class INNER is taken while OUTER is held.  Adds the edge even if it closes a
 * circle: that is reported once.  Returns whether it did, with CIRCLE filled in.
 */
static bool add_edge(struct circle *circle)
{
	struct lock_class *inner = &lock_classes[circle->inner];
	uint64_t bit = 1ULL << circle->outer;
	bool enabled = lock_order_enter();
	bool closed = false;

	if ((inner->before & bit) == 0) {
		closed = circle->outer == circle->inner ||
		         (reaching(circle->outer) & (1ULL << circle->inner)) !=
		                 0;
		circle->step = first_step(circle->inner, circle->outer);
		circle->step_place = edge_place[circle->step][circle->inner];
		edge_place[circle->inner][circle->outer] = circle->inner_place;
		__atomic_fetch_or(&inner->before, bit, __ATOMIC_RELEASE);
	}
	lock_order_leave(enabled);
	return closed;
}

/* The edge from OUTER, taken at OUTER_PLACE, to INNER, taken at PLACE. */
static void check_edge(uint32_t outer, uint32_t outer_place, uint32_t inner,
                       uint32_t place)
{
	struct circle circle = {
		.outer = outer,
		.outer_place = outer_place,
		.inner = inner,
		.inner_place = place,
	};

	if ((READ_ONCE(lock_classes[inner].before) & (1ULL << outer)) != 0)
		return;
	if (add_edge(&circle))
		report_circle(&circle);
}

/* ---- Interrupts ---------------------------------------------------------- */

static void report_irq_use(struct lock_class *class)
{
	char first[PLACE_SIZE];
	char second[PLACE_SIZE];

	class->irq_reported = true;
	__atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
	pr_err("BUG: lock %s is taken in interrupts, at %s, and with "
	       "interrupts on, at %s\n",
	       class->name,
	       caller_format(first, sizeof(first), full_place(class->in_irq)),
	       caller_format(second, sizeof(second),
	                     full_place(class->irqs_on)));
	backtrace_print_from(
		full_place(in_interrupt() ? class->in_irq : class->irqs_on));
}

static void check_irq_use(struct lock_class *class, uint32_t place)
{
	if (in_interrupt()) {
		if (class->in_irq == 0)
			class->in_irq = place;
		class->contexts |= PREEMPT_WORD(SOFTIRQ_MASK | HARDIRQ_MASK);
	} else if (arch_irq_enabled()) {
		if (class->irqs_on == 0)
			class->irqs_on = place;
	} else {
		return;
	}
	if (class->in_irq != 0 && class->irqs_on != 0 && !class->irq_reported)
		report_irq_use(class);
}

/* ---- Spinlocks ----------------------------------------------------------- */

static void note_held(uint32_t order_class, uintptr_t place)
{
	if (this_cpu_read(locks_held) < LOCKS_MOST)
		lock_note(order_class, place, this_cpu());
	else if (!panic_in_progress())
		panic("more than %d spinlocks are held", LOCKS_MOST);
}

/* It need not be the innermost.  Interrupts are off. */
static void forget_held(uint32_t order_class)
{
	struct cpu *cpu = this_cpu();

	for (unsigned int i = cpu->locks_held; i > 0; i--) {
		if (lock_entry_class(cpu->lock[i]) != order_class)
			continue;
		for (; i < cpu->locks_held; i++)
			cpu->lock[i] = cpu->lock[i + 1];
		cpu->lock[i] = 0;
		cpu->locks_held--;
		return;
	}
}

static uintptr_t entry_place(uint32_t entry)
{
	return LOCK_PLACE_BASE | entry >> LOCK_CLASS_SHIFT;
}

void lock_order_take(uint32_t *order_class, const char *name, uintptr_t place)
{
	const struct cpu *cpu = this_cpu();
	uint32_t inner = learn_class(order_class, name);

	if (panic_in_progress())
		return;
	for (unsigned int i = 1; i <= cpu->locks_held; i++) {
		uint32_t outer = READ_ONCE(cpu->lock[i]);

		check_edge(lock_entry_class(outer),
		           (uint32_t)entry_place(outer), inner,
		           (uint32_t)place);
	}
	check_irq_use(&lock_classes[inner], (uint32_t)place);
	note_held(inner, place);
}

void lock_order_note_held(uint32_t *order_class, const char *name,
                          uintptr_t place)
{
	uint32_t learnt;

	if (in_nmi())
		return;
	learnt = learn_class(order_class, name);
	if (!panic_in_progress())
		note_held(learnt, place);
}

void lock_order_release(uint32_t order_class)
{
	bool enabled;

	/* In an NMI nothing was noted: these are the interrupted one's. */
	if (in_nmi())
		return;
	enabled = arch_irq_save();
	forget_held(order_class);
	arch_irq_restore(enabled);
}

static struct held_lock describe_held(unsigned int order_class, uintptr_t place,
                                      bool is_mutex)
{
	return (struct held_lock){
		.name = lock_classes[order_class % LOCK_CLASSES].name,
		.place = place,
		.is_mutex = is_mutex,
	};
}

/* One that is being noted or forgotten is not held. */
static unsigned int held_spinlocks(struct held_lock *held, unsigned int room)
{
	const struct cpu *cpu = this_cpu();
	unsigned int count = 0;

	for (unsigned int i = min(READ_ONCE(cpu->locks_held), LOCKS_MOST + 0U);
	     i > 0; i--) {
		uint32_t entry = READ_ONCE(cpu->lock[i]);

		if (lock_entry_class(entry) == 0)
			continue;
		if (count < room)
			held[count] = describe_held(lock_entry_class(entry),
			                            entry_place(entry), false);
		count++;
	}
	return count;
}

unsigned int lock_order_held(const struct held_mutexes *mutexes,
                             struct held_lock *held, unsigned int room)
{
	unsigned int count = held_spinlocks(held, room);

	if (mutexes == NULL)
		return count;
	for (unsigned int i = min(mutexes->count, LOCK_ORDER_MUTEXES + 0U);
	     i-- > 0; count++) {
		if (count < room)
			held[count] = describe_held(
				mutexes->order_class[i],
				full_place(mutexes->place[i]), true);
	}
	return count;
}

/* ---- Mutexes ------------------------------------------------------------- */

void lock_order_take_mutex(struct held_mutexes *held, uint32_t *order_class,
                           const char *name, uintptr_t place)
{
	uint32_t inner = learn_class(order_class, name);

	for (unsigned int i = 0; i < held->count; i++)
		check_edge(held->order_class[i], held->place[i], inner,
		           (uint32_t)place);
	if (held->count == LOCK_ORDER_MUTEXES)
		panic("mutex %s: %s holds %d already", name, context_name(),
		      LOCK_ORDER_MUTEXES);
	held->order_class[held->count] = (uint8_t)inner;
	held->place[held->count] = (uint32_t)place;
	held->count++;
}

void lock_order_release_mutex(struct held_mutexes *held, uint32_t order_class)
{
	for (unsigned int i = held->count; i-- > 0;) {
		if (held->order_class[i] != order_class)
			continue;
		held->count--;
		for (; i < held->count; i++) {
			held->order_class[i] = held->order_class[i + 1];
			held->place[i] = held->place[i + 1];
		}
		return;
	}
}

unsigned long lock_order_take_reports(void)
{
	return __atomic_exchange_n(&reports, 0, __ATOMIC_RELAXED);
}

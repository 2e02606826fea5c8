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
 * for an edge.  A second lock of a class that is held already is an edge from a
 * class to itself: a circle, too.
 *
 * Interrupts.  A class taken in an interrupt handler must never be held by a
 * thread that can be interrupted.  Both uses are noted with their place, and
 * the second kind to come is reported.
 *
 * Locking: the matrix only gains bits, each with one atomic OR, so readers need
 * no lock; `busy` is a plain word for the rare insertions (a spinlock
 * would call this file again).  The list of held locks is per CPU: preemption
 * is off, and an interrupt removes what it added.  It adds where the
 * interrupted code was adding, so the list changes with interrupts off.
 *
 * Places are kept as 32 bits: the image lies in the last 2 GiB.
 */
#include "kernel/core/lock_order.h"

#include "kernel/arch/arch.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/string.h"

#define CLASSES  64 /* bits of a row */
#define HELD_MAX 16

struct lock_class {
	const char *name;
	uint64_t after; /* atomic bits: classes taken while it is held */
	uint32_t place[CLASSES]; /* where, for each bit of `after` */
	uint32_t in_irq;         /* where it was first taken in an interrupt */
	uint32_t irqs_on;        /* where, first, with interrupts on */
	bool irq_reported;
};

/* The spinlocks of one CPU, outermost first. */
struct held_spinlocks {
	unsigned int count;
	uint8_t order_class[HELD_MAX];
	uint32_t place[HELD_MAX];
};

/* Class 0 means "not known yet". */
static struct lock_class classes[CLASSES];
static unsigned int class_count = 1;
static uint32_t busy;
static unsigned long reports;
static struct held_spinlocks held_by_cpu[MAX_CPUS];

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
		if (strcmp(classes[i].name, name) == 0)
			return i;
	}
	if (class_count == CLASSES)
		return 0;
	classes[class_count].name = name;
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
	if (*order_class == 0 && !panic_in_progress())
		panic("lock %s: more than %d classes of locks", name,
		      CLASSES - 1);
	return *order_class;
}

/* ---- The graph ----------------------------------------------------------- */

/* Every class that can be reached from class FROM. */
static uint64_t reachable(uint32_t from)
{
	uint64_t found = classes[from].after;
	uint64_t done = 0;

	while ((found & ~done) != 0) {
		uint32_t next = (uint32_t)__builtin_ctzll(found & ~done);

		done |= 1ULL << next;
		found |= classes[next].after;
	}
	return found;
}

/* The first step of a way from class FROM to class TO. */
static uint32_t first_step(uint32_t from, uint32_t to)
{
	for (uint32_t step = 1; step < class_count; step++) {
		if ((classes[from].after & (1ULL << step)) != 0 &&
		    (step == to || (reachable(step) & (1ULL << to)) != 0))
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
	       classes[circle->inner].name,
	       caller_format(text, sizeof(text),
	                     full_place(circle->inner_place)));
	pr_err("  holding %s since %s\n", classes[circle->outer].name,
	       caller_format(text, sizeof(text),
	                     full_place(circle->outer_place)));
	if (circle->outer != circle->inner)
		pr_err("  but %s was taken under %s at %s\n",
		       classes[circle->step].name, classes[circle->inner].name,
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
	struct lock_class *outer = &classes[circle->outer];
	struct lock_class *inner = &classes[circle->inner];
	uint64_t bit = 1ULL << circle->inner;
	bool enabled = lock_order_enter();
	bool closed = false;

	if ((outer->after & bit) == 0) {
		closed = circle->outer == circle->inner ||
		         (reachable(circle->inner) & (1ULL << circle->outer)) !=
		                 0;
		circle->step = first_step(circle->inner, circle->outer);
		circle->step_place = inner->place[circle->step];
		outer->place[circle->inner] = circle->inner_place;
		__atomic_fetch_or(&outer->after, bit, __ATOMIC_RELEASE);
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

	if ((READ_ONCE(classes[outer].after) & (1ULL << inner)) != 0)
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

static struct held_spinlocks *my_spinlocks(void)
{
	return &held_by_cpu[arch_cpu_id()];
}

static void note_held(uint32_t order_class, uint32_t place)
{
	struct held_spinlocks *held = my_spinlocks();
	bool enabled;

	if (held->count == HELD_MAX) {
		if (panic_in_progress())
			return;
		panic("more than %d spinlocks are held", HELD_MAX);
	}
	enabled = arch_irq_save();
	held->order_class[held->count] = (uint8_t)order_class;
	held->place[held->count] = place;
	held->count++;
	arch_irq_restore(enabled);
}

/* Interrupts are off. */
static void forget_held(struct held_spinlocks *held, uint32_t order_class)
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

void lock_order_take(uint32_t *order_class, const char *name, uintptr_t place)
{
	const struct held_spinlocks *held = my_spinlocks();
	uint32_t inner = learn_class(order_class, name);

	if (panic_in_progress())
		return;
	for (unsigned int i = 0; i < held->count; i++)
		check_edge(held->order_class[i], held->place[i], inner,
		           (uint32_t)place);
	check_irq_use(&classes[inner], (uint32_t)place);
	note_held(inner, (uint32_t)place);
}

void lock_order_note_held(uint32_t *order_class, const char *name,
                          uintptr_t place)
{
	if (!panic_in_progress() && !in_nmi())
		note_held(learn_class(order_class, name), (uint32_t)place);
}

void lock_order_release(uint32_t order_class)
{
	bool enabled;

	/* In an NMI nothing was noted: these are the interrupted one's. */
	if (in_nmi())
		return;
	enabled = arch_irq_save();
	forget_held(my_spinlocks(), order_class);
	arch_irq_restore(enabled);
}

static struct held_lock describe_held(unsigned int order_class, uint32_t place,
                                      bool is_mutex)
{
	return (struct held_lock){
		.name = classes[order_class % CLASSES].name,
		.place = full_place(place),
		.is_mutex = is_mutex,
	};
}

unsigned int lock_order_held(const struct held_mutexes *mutexes,
                             struct held_lock *held, unsigned int room)
{
	const struct held_spinlocks *spinlocks = my_spinlocks();
	unsigned int count = 0;

	for (unsigned int i = min(READ_ONCE(spinlocks->count), HELD_MAX + 0U);
	     i-- > 0; count++) {
		if (count < room)
			held[count] = describe_held(spinlocks->order_class[i],
			                            spinlocks->place[i], false);
	}
	if (mutexes == NULL)
		return count;
	for (unsigned int i = min(mutexes->count, LOCK_ORDER_MUTEXES + 0U);
	     i-- > 0; count++) {
		if (count < room)
			held[count] = describe_held(mutexes->order_class[i],
			                            mutexes->place[i], true);
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

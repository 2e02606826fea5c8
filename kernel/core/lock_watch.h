/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/lock_watch.h -- the part of the watch over locks that each lock passes.
 *
 * Nearly always nothing is new: a lock of this class has been taken in this kind of context
 * before, and under each of the locks that are held.  lock_is_known() says so from a few
 * words, and only otherwise is kernel/core/lock_order.c called.
 *
 * A lock that is held is a word in struct cpu, so that one store puts it there:
 *
 *	31                          6 5        0
 *	+----------------------------+----------+
 *	| place, from the image's    |  class   |	0: no lock
 *	| lowest address             |          |
 *	+----------------------------+----------+
 *
 *	lock[0]     always 0
 *	lock[1]     the outermost
 *	...
 *	lock[locks_held]
 *	...         0
 *
 * An interrupt may come between two instructions, and leaves the list as it found it:
 *
 *	take		the count goes up, then the word is stored
 *	release		the word becomes 0, then the count goes down
 *
 * In between the innermost is a 0, and every class has been taken under class 0.
 *
 * Locking: preemption is off, so that the CPU stays the same.
 */
#ifndef KERNEL_CORE_LOCK_WATCH_H
#define KERNEL_CORE_LOCK_WATCH_H

#include "kernel/arch/percpu.h"
#include "kernel/core/context.h"
#include "lib/types.h"

#define LOCK_CLASSES     64 /* bits of a row */
#define LOCK_CLASS_SHIFT 6
#define LOCK_PLACE_BASE  0xffffffff80000000UL

struct lock_class {
	const char *name;
	uint64_t
		before; /* atomic bits: classes held when it was taken; and 0 */
	/* Bits of cpu->preempt with which it has been taken, or may be. */
	uint32_t contexts;
	uint32_t in_irq;  /* where it was first taken in an interrupt */
	uint32_t irqs_on; /* where, first, with interrupts on */
	bool irq_reported;
};

/* Class 0 means "not known yet". */
extern struct lock_class lock_classes[LOCK_CLASSES];

static inline uint32_t lock_entry(uint32_t order_class, uintptr_t place)
{
	return (uint32_t)place << LOCK_CLASS_SHIFT | order_class;
}

static inline uint32_t lock_entry_class(uint32_t entry)
{
	return entry % LOCK_CLASSES;
}

/* Is there room for it under the locks that are held, and is it known under each? */
static inline bool lock_is_known_here(uint64_t before, const struct cpu *cpu)
{
	uint32_t at = cpu->locks_held;

	if (at == LOCKS_MOST)
		return false;
	for (; at > 0; at--) {
		if ((before >> lock_entry_class(cpu->lock[at]) & 1) == 0)
			return false;
	}
	return true;
}

/*
 * May a lock of ORDER_CLASS be taken without anything being learnt?  The preempt_count is not
 * 0, so class 0 is not known.  IRQS_OFF: interrupts are off for certain.
 */
static inline bool lock_is_known(uint32_t order_class, const struct cpu *cpu,
                                 bool irqs_off)
{
	const struct lock_class *class = &lock_classes[order_class];

	if ((READ_ONCE(cpu->preempt) & ~class->contexts) != 0)
		return false;
	if (!irqs_off && class->irqs_on == 0)
		return false;
	return cpu->locks_held == 0 ||
	       lock_is_known_here(READ_ONCE(class->before), cpu);
}

/* There is room for it. */
static inline void lock_note(uint32_t order_class, uintptr_t place,
                             struct cpu *cpu)
{
	uint32_t at = cpu->locks_held + 1;

	WRITE_ONCE(cpu->locks_held, at);
	WRITE_ONCE(cpu->lock[at], lock_entry(order_class, place));
}

/* A lock of ORDER_CLASS is held: false if it is not the innermost. */
static inline bool lock_forget_innermost(uint32_t order_class, struct cpu *cpu)
{
	uint32_t at = cpu->locks_held;

	if (lock_entry_class(cpu->lock[at]) != order_class)
		return false;
	WRITE_ONCE(cpu->lock[at], 0);
	WRITE_ONCE(cpu->locks_held, at - 1);
	return true;
}

#endif

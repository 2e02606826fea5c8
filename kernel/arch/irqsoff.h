/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/irqsoff.h -- how long interrupts stay off, and where.
 *
 * Linux's irqsoff tracer, as far as the one number goes.  The functions of
 * kernel/arch/arch.h that switch interrupts off and on, and the door of traps,
 * call irqsoff_begin() and irqsoff_end(); everybody else only asks.  While nothing
 * is measured, that costs one test of irqsoff_measures each time.
 */
#ifndef KERNEL_ARCH_IRQSOFF_H
#define KERNEL_ARCH_IRQSOFF_H

#include "lib/types.h"

/* Constant while interrupts are off. */
extern bool irqsoff_measures;

/* A stretch: how long, and the place that switched interrupts off, named as a
 * return address is: it lies one byte before. */
struct irqsoff_stretch {
	uint64_t ticks; /* of the time-stamp counter; 0: there was none */
	uintptr_t place;
};

/*
 * Begin and end measuring.  Where the time-stamp counter counts instructions,
 * irqsoff_start() finds out how many ticks one is.  Thread context.
 */
void irqsoff_start(void);
void irqsoff_stop(void);

/* Ticks of one instruction; 0: the counter counts something else. */
unsigned int irqsoff_ticks_per_instruction(void);

/*
 * The longest stretch of this CPU since irqsoff_start() (RANK 0), the longest of those
 * that began elsewhere (1), and so on up to IRQSOFF_PLACES - 1; the longest of those in
 * which a line was logged, which the others leave out; and the longest since the last
 * call of irqsoff_forget_recent().  Any context but an NMI.
 */
#define IRQSOFF_PLACES 4U
struct irqsoff_stretch irqsoff_longest(unsigned int rank);
struct irqsoff_stretch irqsoff_longest_report(void);
struct irqsoff_stretch irqsoff_recent(void);
void irqsoff_forget_recent(void);

/* Forget the longest stretch of PLACE: a test made it. */
void irqsoff_forget(uintptr_t place);

/*
 * The stretch that goes on is not to count: somebody stops the CPU in it on
 * purpose (a debugger's step, a test).
 */
void irqsoff_discard(void);

/* A line is logged in it: such stretches are counted apart.  Any context. */
void irqsoff_note_report(void);

/* TICKS of the stretch that goes on, if one does, were an NMI's.  In an NMI. */
void irqsoff_exclude(uint64_t ticks);

/* The stretch that goes on is PLACE's doing: a handler's. */
void irqsoff_set_place(uintptr_t place);

/* arch_irq_save() on behalf of PLACE: the caller of a lock. */
bool irqsoff_save(uintptr_t place);

/* The instructions by themselves, where nothing is measured. */
static inline void irqsoff_cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void irqsoff_sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

/*
 * For kernel/arch/: interrupts were on and are off; they are going to be on.  The
 * second says nothing if they are on already.
 */
void irqsoff_begin(uintptr_t place);
void irqsoff_end(void);

#endif

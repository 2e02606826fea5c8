/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/irq.h -- interrupt lines.
 *
 * Lines 0..15 of the two 8259s.  A registration is an owner
 * (kernel/core/owner.h): while its handler runs, its window is open.
 *
 * The dispatcher masks the line, acknowledges it, opens the registration's
 * window, calls the handler with interrupts off, closes the window, and
 * unmasks.  A handler may enable interrupts: other lines then nest on top of
 * it, each closing the window beneath it.
 */
#ifndef KERNEL_CORE_IRQ_H
#define KERNEL_CORE_IRQ_H

#include "kernel/core/owner.h"
#include "lib/types.h"

/* The line that the second 8259 is behind: it never interrupts by itself. */
#define IRQ_CASCADE 2

/* The form of every handler; IRQ is the line, DEV_ID from request_irq(). */
typedef void (*irq_handler)(int irq, void *dev_id);

/* The controller, registered by its driver.  Its functions are called with a lock of
 * irq.c held and interrupts off: only one at a time. */
struct irq_chip {
	const char *name;
	/* The line has interrupted: mask it and send the end of interrupt.  False: it was
	 * spurious (and what the chip needs then is sent). */
	bool (*begin)(unsigned int irq);
	void (*mask)(unsigned int irq);
	void (*unmask)(unsigned int irq);
};
void irq_register_chip(const struct irq_chip *chip);

/*
 * Register HANDLER for line IRQ and unmask it.  NAME is copied; the owner is
 * called "irq N NAME".  Returns 0, -EINVAL (no such line, no handler), -EBUSY
 * (taken, or the line of the second controller), or what owner_begin() said.
 * Thread context.
 */
__must_check int request_irq(unsigned int irq, irq_handler handler,
                             const char *name, void *dev_id);

/*
 * Mask the line and end its owner.  DEV_ID must be that of the request.
 * Returns 0, -EINVAL or -ENOENT, or -EBUSY where sleeping is impossible: that is
 * reported, as might_sleep() does, and nothing is done.  Thread context.
 */
int free_irq(unsigned int irq, void *dev_id);

/* The number that names the registration of line IRQ with DEV_ID, or 0: there
 * is none.  Any context but NMI. */
uint64_t irq_owner_id(unsigned int irq, const void *dev_id);

/* The owner of line IRQ, or NULL.  For callers that know that the
 * registration stays. */
struct owner *irq_owner(unsigned int irq);

/*
 * Keep line IRQ masked until each irq_mask() has been undone by an irq_unmask(), as
 * Linux's disable_irq_nosync() and enable_irq().  Any context but NMI.
 */
void irq_mask(unsigned int irq);
void irq_unmask(unsigned int irq);

struct irq_statistics {
	uint64_t taken;   /* entries, counted by the stub */
	uint64_t handled; /* handler returned */
	uint64_t spurious;
	uint64_t unhandled;     /* no registration */
	unsigned int depth_max; /* deepest nesting seen on entry of this line */
	const char *name;       /* NULL: no registration */
};
void irq_statistics(unsigned int irq, struct irq_statistics *statistics);

/* Inside a handler: the instruction that the innermost interrupt came at.  0
 * outside of interrupts. */
uint64_t irq_interrupted_rip(void);

/* Install the vectors 32..47. */
void irq_init(void);

/* From here on it is measured how long interrupts stay off, unless the command
 * line says irqsoff=0.  Thread context. */
void irq_boot_is_over(void);

/*
 * "interrupts off at most 1234 instructions, FILE:LINE" into BUFFER, which it
 * returns: the longest stretch since the boot, in cycles where the machine does
 * not count instructions.  With RANK 1 and more, the longest that began elsewhere;
 * NULL: there was none.  Handlers and traps are separate stretches
 * (kernel/arch/irqsoff.h).  Any context but an NMI.
 */
const char *irq_longest_off(char *buffer, size_t size, unsigned int rank);

/* The same of stretches in which a line was logged; the other leaves them out. */
const char *irq_longest_report(char *buffer, size_t size);

#endif

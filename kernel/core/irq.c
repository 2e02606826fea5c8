/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/irq.c -- interrupt lines.
 *
 * What one interrupt does, in this order:
 *
 *	stub		saves the registers, closes the interrupted window,
 *			counts `taken`
 *	enter		is it spurious?  mask the line, acknowledge it
 *	run		the registration becomes the owner that runs, its window
 *			opens, the handler is called, all of it is put back
 *	leave		unmask the line, unless it was freed or masked meanwhile
 *	resched		on top of a thread that may be preempted: let another
 *			thread run, if one should
 *	stub		opens the interrupted window again
 *
 * The line is acknowledged before its handler runs, so that lines of a lower
 * priority get through if the handler enables interrupts; it is masked, so that
 * the handler is never entered twice.  With 15 lines that can interrupt, the
 * nesting is 15 deep at most, which the four bits of preempt_count hold.
 *
 *	FREE --request_irq()--> BEGINNING --> IN_USE
 *	IN_USE --free_irq()--> ENDING --> FREE
 *
 * Locking: irq_lock guards the lines and the controller, whose ports are
 * shared. A handler runs without it; free_irq() waits until no CPU runs the
 * handler.
 *
 * Source: Intel 8259A data sheet, "Interrupt Sequence" and "End of Interrupt".
 */
#include "kernel/core/irq.h"

#include "kernel/arch/irqsoff.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/trap.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"

enum line_state {
	LINE_FREE,
	LINE_BEGINNING,
	LINE_IN_USE,
	LINE_ENDING,
};

/* Field locks: (l) irq_lock, (u) constant while IN_USE. */
struct irq_line {
	irq_handler handler;    /* (u) */
	void *dev_id;           /* (u) */
	const char *name;       /* (u) inside the owner's name */
	struct owner owner;     /* (u) the registration */
	uint64_t handled;       /* (l) */
	uint64_t spurious;      /* (l) */
	uint64_t unhandled;     /* (l) */
	enum line_state state;  /* (l) */
	unsigned int masks;     /* (l) by irq_mask(), and not undone */
	unsigned int depth_max; /* (l) */
	bool running;           /* (l) a CPU is in its handler */
};

static struct spinlock irq_lock = SPINLOCK_INIT("irq");
static struct irq_line lines[IRQ_LINES];
/* Constant after irq_register_chip(). */
static const struct irq_chip *controller;

/* ---- One interrupt ------------------------------------------------------- */

static unsigned int hardirq_depth(void)
{
	return (preempt_count() & HARDIRQ_MASK) / HARDIRQ_ONE;
}

/*
 * Mask and acknowledge.  Returns whether a handler is to run; it is then marked
 * as running.
 */
static bool enter_line(unsigned int irq)
{
	struct irq_line *line = &lines[irq];
	bool enabled = spin_lock_irqsave(&irq_lock);
	bool runs = false;

	if (controller != NULL && !controller->begin(irq)) {
		line->spurious++;
	} else {
		line->depth_max = max(line->depth_max, hardirq_depth());
		runs = line->state == LINE_IN_USE;
		if (runs)
			line->running = true;
		else
			line->unhandled++;
	}
	spin_unlock_irqrestore(&irq_lock, enabled);
	return runs;
}

static void leave_line(unsigned int irq)
{
	struct irq_line *line = &lines[irq];
	bool enabled = spin_lock_irqsave(&irq_lock);

	line->handled++;
	line->running = false;
	if (line->state == LINE_IN_USE && line->masks == 0)
		controller->unmask(irq);
	spin_unlock_irqrestore(&irq_lock, enabled);
}

/* Call the handler as the owner it is. */
static void run_handler(unsigned int irq)
{
	struct irq_line *line = &lines[irq];
	struct owner *interrupted = this_cpu_read(owner);
	unsigned int count = preempt_count();
	struct window_state window;

	this_cpu_write(owner, &line->owner);
	window = window_open(line->owner.window.id != 0 ? &line->owner.window
	                                                : NULL);
	if (irqsoff_measures)
		irqsoff_set_place((uintptr_t)line->handler + 1);
	line->handler((int)irq, line->dev_id);
	if (arch_irq_enabled())
		arch_irq_disable();
	if (preempt_count() != count)
		panic("%s: its handler was entered with preempt_count %#x and "
		      "returned with %#x",
		      line->owner.name, count, preempt_count());
	window_close(window);
	this_cpu_write(owner, interrupted);
}

static void irq_dispatch(struct trap_frame *frame)
{
	unsigned int irq = (unsigned int)frame->vector - VECTOR_IRQ_BASE;
	uint64_t outer_rip = this_cpu_read(irq_rip);

	preempt_count_add(HARDIRQ_ONE);
	this_cpu_write(irq_rip, frame->rip);
	if (enter_line(irq)) {
		run_handler(irq);
		leave_line(irq);
	}
	this_cpu_write(irq_rip, outer_rip);
	preempt_count_sub(HARDIRQ_ONE);
	/* What was interrupted: a place where a thread may be preempted? */
	if ((frame->rflags & RFLAGS_IF) != 0)
		sched_irq_exit();
}

uint64_t irq_interrupted_rip(void)
{
	return this_cpu_read(irq_rip);
}

void irq_init(void)
{
	for (unsigned int irq = 0; irq < IRQ_LINES; irq++)
		trap_set_handler(VECTOR_IRQ_BASE + irq, irq_dispatch);
}

void irq_register_chip(const struct irq_chip *chip)
{
	controller = chip;
}

/* ---- Registration -------------------------------------------------------- */

/* From state FROM to state TO, or -EBUSY. */
static int change_state(struct irq_line *line, enum line_state from,
                        enum line_state to)
{
	bool enabled = spin_lock_irqsave(&irq_lock);
	int error = line->state == from ? 0 : -EBUSY;

	if (error == 0)
		line->state = to;
	spin_unlock_irqrestore(&irq_lock, enabled);
	return error;
}

/* FULL is "irq N " and the name, which begins at PREFIX. */
static int begin_line_owner(unsigned int irq, const char *full, int prefix)
{
	struct owner *owner = &lines[irq].owner;

	lines[irq].name = owner->name + prefix;
	return owner_begin(owner, OWNER_IRQ, full);
}

int request_irq(unsigned int irq, irq_handler handler, const char *name,
                void *dev_id)
{
	struct irq_line *line = &lines[min(irq, IRQ_LINES - 1U)];
	char full[OWNER_NAME_SIZE];
	int prefix = scnprintf(full, sizeof(full), "irq %u ", irq);
	bool enabled;
	int error;

	if (irq >= IRQ_LINES || handler == NULL || controller == NULL)
		return -EINVAL;
	if (irq == IRQ_CASCADE)
		return -EBUSY;
	/* Whose name is foreign memory is ended here, where it holds no line. */
	scnprintf(full + prefix, sizeof(full) - (size_t)prefix, "%s", name);
	error = change_state(line, LINE_FREE, LINE_BEGINNING);
	if (error != 0)
		return error;
	error = begin_line_owner(irq, full, prefix);
	if (error != 0) {
		kassert(change_state(line, LINE_BEGINNING, LINE_FREE) == 0);
		return error;
	}
	line->handler = handler;
	line->dev_id = dev_id;
	enabled = spin_lock_irqsave(&irq_lock);
	line->state = LINE_IN_USE;
	line->masks = 0;
	controller->unmask(irq);
	spin_unlock_irqrestore(&irq_lock, enabled);
	return 0;
}

/* Mask the line and take it away from its handler: 0 or -ENOENT. */
static int retire_line(unsigned int irq, const void *dev_id)
{
	struct irq_line *line = &lines[irq];
	bool enabled = spin_lock_irqsave(&irq_lock);
	bool mine = line->state == LINE_IN_USE && line->dev_id == dev_id;

	if (mine) {
		controller->mask(irq);
		line->state = LINE_ENDING;
	}
	spin_unlock_irqrestore(&irq_lock, enabled);
	return mine ? 0 : -ENOENT;
}

int free_irq(unsigned int irq, void *dev_id)
{
	int error;

	if (irq >= IRQ_LINES)
		return -EINVAL;
	/* A handler that frees its own line would wait for its own end. */
	if (!might_sleep())
		return -EBUSY;
	error = retire_line(irq, dev_id);
	if (error != 0)
		return error;
	while (READ_ONCE(lines[irq].running))
		arch_relax();
	owner_end(&lines[irq].owner);
	return change_state(&lines[irq], LINE_ENDING, LINE_FREE);
}

uint64_t irq_owner_id(unsigned int irq, const void *dev_id)
{
	const struct irq_line *line = &lines[min(irq, IRQ_LINES - 1U)];
	uint64_t id = 0;
	bool enabled;

	if (irq >= IRQ_LINES)
		return 0;
	enabled = spin_lock_irqsave(&irq_lock);
	if (line->state == LINE_IN_USE && line->dev_id == dev_id)
		id = line->owner.id;
	spin_unlock_irqrestore(&irq_lock, enabled);
	return id;
}

struct owner *irq_owner(unsigned int irq)
{
	if (irq >= IRQ_LINES || READ_ONCE(lines[irq].state) != LINE_IN_USE)
		return NULL;
	return &lines[irq].owner;
}

void irq_mask(unsigned int irq)
{
	bool enabled;

	kassert(irq < IRQ_LINES && controller != NULL);
	enabled = spin_lock_irqsave(&irq_lock);
	lines[irq].masks++;
	controller->mask(irq);
	spin_unlock_irqrestore(&irq_lock, enabled);
}

/* While the handler runs, leave_line() unmasks. */
void irq_unmask(unsigned int irq)
{
	bool enabled;

	kassert(irq < IRQ_LINES && controller != NULL);
	enabled = spin_lock_irqsave(&irq_lock);
	kassert(lines[irq].masks > 0);
	lines[irq].masks--;
	if (lines[irq].state == LINE_IN_USE && !lines[irq].running &&
	    lines[irq].masks == 0)
		controller->unmask(irq);
	spin_unlock_irqrestore(&irq_lock, enabled);
}

/* ---- Statistics ---------------------------------------------------------- */

void irq_statistics(unsigned int irq, struct irq_statistics *statistics)
{
	const struct irq_line *line = &lines[irq];
	struct irq_statistics now;
	bool enabled;

	kassert(irq < IRQ_LINES);
	enabled = spin_lock_irqsave(&irq_lock);
	now = (struct irq_statistics){
		.handled = line->handled,
		.spurious = line->spurious,
		.unhandled = line->unhandled,
		.depth_max = line->depth_max,
		.name = line->state == LINE_IN_USE ? line->name : NULL,
	};
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		now.taken += READ_ONCE(cpu_data[cpu].irq_taken[irq]);
	spin_unlock_irqrestore(&irq_lock, enabled);
	*statistics = now;
}

static bool irqsoff_wanted = true;

static int set_irqsoff(const char *value)
{
	uint64_t number;
	int error = value == NULL ? -EINVAL : parse_number(value, &number);

	if (error == 0 && number > 1)
		error = -ERANGE;
	if (error == 0)
		irqsoff_wanted = number == 1;
	return error;
}

PARAM(irqsoff, "irqsoff", "=0: do not measure how long interrupts stay off",
      set_irqsoff);

void irq_boot_is_over(void)
{
	if (irqsoff_wanted)
		irqsoff_start();
}

static const char *irq_format_stretch(char *buffer, size_t size,
                                      const char *what,
                                      struct irqsoff_stretch stretch)
{
	unsigned int ticks = irqsoff_ticks_per_instruction();
	unsigned int line;
	const char *file = line_find(stretch.place - 1, &line);
	int length = scnprintf(
		buffer, size, "%s at most %llu %s, ", what,
		(unsigned long long)(ticks == 0 ? stretch.ticks
	                                        : stretch.ticks / ticks),
		ticks == 0 ? "cycles" : "instructions");

	if (file != NULL)
		scnprintf(buffer + length, size - (size_t)length, "%s:%u", file,
		          line);
	else if (stretch.ticks == 0)
		scnprintf(buffer + length, size - (size_t)length, "nowhere");
	else
		place_format(buffer + length, size - (size_t)length,
		             stretch.place - 1);
	return buffer;
}

const char *irq_longest_off(char *buffer, size_t size, unsigned int rank)
{
	struct irqsoff_stretch stretch = irqsoff_longest(rank);

	if (rank > 0 && stretch.ticks == 0)
		return NULL;
	return irq_format_stretch(buffer, size,
	                          rank == 0 ? "interrupts off" : "  elsewhere",
	                          stretch);
}

const char *irq_longest_report(char *buffer, size_t size)
{
	return irq_format_stretch(buffer, size, "  with a line of the log",
	                          irqsoff_longest_report());
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/irqsoff.c -- how long interrupts stay off, and where.
 *
 *	IF   1 ------+                       +------------ 1
 *	             +-----------------------+
 *	     begin: cli, or a trap      end: sti, or the trap's return
 *
 * A stretch belongs to a CPU, not to a thread: one that is switched away with
 * interrupts off has its stretch ended by the thread that comes.  A handler's own
 * time is a stretch, too, from the door (trap_dispatch()) to the way out; what
 * the stub does before and behind that, some 80 instructions, is not in it.
 *
 * Invariants, on each CPU:
 *
 *  Q1  begin is called with interrupts off, and only if they were on before: so
 *      it starts a new stretch whatever an earlier one was.
 *  Q2  end counts only if interrupts are off: a stretch that never ended (a caught
 *      fault returns with POPF) is dropped.
 *
 * With these two a stretch may be lost, but none becomes longer than it was.  Stretches
 * in a suite of the self-test are left out.  An NMI is not a stretch; its time and its
 * stub's are subtracted from the stretch that it interrupts.  All fields are this CPU's
 * own and are changed with interrupts off.
 *
 * A stretch in which a line is logged is counted apart: something went wrong
 * there, and the words are made where it did (what is long is left to a thread,
 * kernel/failure_dump.c, and so is showing it, kernel/core/printk.c).
 *
 * The unit.  A deterministic machine (QEMU with -icount, Bochs) counts time in
 * instructions: there the time-stamp counter goes on by the same amount for each.
 * measure_loop() is run with two lengths; if the difference is one number of
 * ticks an instruction, exactly and again and again, it counts instructions.
 * Elsewhere the unit is the counter's cycle.
 */
#include "kernel/arch/irqsoff.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/image.h"
#include "kernel/arch/percpu.h"

/* The stub of an NMI, before and behind the time that irqsoff_exclude() subtracts. */
#define NMI_STUB_INSTRUCTIONS 100ULL

#define PROBE_ROUNDS          1000U
#define PROBE_REPETITIONS     8U
#define ROUND_LENGTH          2U /* instructions of one round of measure_loop() */
#define TICKS_MAX             1024U

struct irqsoff_cpu {
	bool active;
	bool discarded;
	bool reported;
	uint64_t begin;
	uintptr_t place;
	struct irqsoff_stretch recent;
	struct irqsoff_stretch
		longest[IRQSOFF_PLACES]; /* sorted, longest first */
	struct irqsoff_stretch longest_report;
	/* A stretch that is no longer is no news: the least of recent and longest[]. */
	int64_t ordinary;
};

bool irqsoff_measures;

static struct irqsoff_cpu irqsoff_cpus[MAX_CPUS];
static unsigned int irqsoff_ticks; /* constant after irqsoff_start() */

static struct irqsoff_cpu *irqsoff_this_cpu(void)
{
	return &irqsoff_cpus[arch_cpu_id()];
}

void irqsoff_begin(uintptr_t place)
{
	struct irqsoff_cpu *cpu = irqsoff_this_cpu();

	cpu->active = true;
	cpu->discarded = false;
	cpu->reported = false;
	cpu->place = place;
	cpu->begin = arch_cycles();
}

/* STRETCH is longer than the last of the longest: it takes the room of its place, or of
 * the last. */
static void irqsoff_insert(struct irqsoff_stretch *longest,
                           struct irqsoff_stretch stretch)
{
	unsigned int at = 0;

	while (at < IRQSOFF_PLACES - 1 && longest[at].place != stretch.place)
		at++;
	if (longest[at].place == stretch.place &&
	    longest[at].ticks >= stretch.ticks)
		return;
	for (; at > 0 && longest[at - 1].ticks < stretch.ticks; at--)
		longest[at] = longest[at - 1];
	longest[at] = stretch;
}

static void irqsoff_set_ordinary(struct irqsoff_cpu *cpu)
{
	cpu->ordinary = (int64_t)min(cpu->recent.ticks,
	                             cpu->longest[IRQSOFF_PLACES - 1].ticks);
}

static void irqsoff_record(struct irqsoff_cpu *cpu, uint64_t ticks)
{
	const struct irqsoff_stretch stretch = { ticks, cpu->place };

	if (cpu->reported) {
		if (ticks > cpu->longest_report.ticks)
			cpu->longest_report = stretch;
		return;
	}
	if (ticks > cpu->recent.ticks)
		cpu->recent = stretch;
	if (ticks > cpu->longest[IRQSOFF_PLACES - 1].ticks)
		irqsoff_insert(cpu->longest, stretch);
	irqsoff_set_ordinary(cpu);
}

/* A stretch of TICKS is over that is long, or in which a line was logged.  An NMI right
 * before the end has moved the beginning past it. */
static __noinline void irqsoff_end_of_long(struct irqsoff_cpu *cpu,
                                           int64_t ticks)
{
	if (cpu->active && !cpu->discarded && ticks > 0 &&
	    !image_is_tests_text(cpu->place))
		irqsoff_record(cpu, (uint64_t)ticks);
	cpu->active = false;
}

void irqsoff_end(void)
{
	struct irqsoff_cpu *cpu;
	int64_t ticks;

	if (!irqsoff_measures || arch_irq_enabled())
		return;
	cpu = irqsoff_this_cpu();
	ticks = (int64_t)arch_cycles();
	ticks -= (int64_t)READ_ONCE(cpu->begin);
	if (ticks > cpu->ordinary || cpu->reported)
		irqsoff_end_of_long(cpu, ticks);
	else
		cpu->active = false;
}

void irqsoff_discard(void)
{
	irqsoff_this_cpu()->discarded = true;
}

void irqsoff_note_report(void)
{
	irqsoff_this_cpu()->reported = true;
}

void irqsoff_exclude(uint64_t ticks)
{
	irqsoff_this_cpu()->begin +=
		ticks + NMI_STUB_INSTRUCTIONS * irqsoff_ticks;
}

void irqsoff_set_place(uintptr_t place)
{
	irqsoff_this_cpu()->place = place;
}

/* ---- Asking -------------------------------------------------------------- */

struct irqsoff_stretch irqsoff_longest(unsigned int rank)
{
	bool enabled = arch_irq_save();
	struct irqsoff_stretch stretch = { 0, 0 };

	if (rank < IRQSOFF_PLACES)
		stretch = irqsoff_this_cpu()->longest[rank];

	arch_irq_restore(enabled);
	return stretch;
}

void irqsoff_forget(uintptr_t place)
{
	bool enabled = arch_irq_save();
	struct irqsoff_stretch *longest = irqsoff_this_cpu()->longest;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < IRQSOFF_PLACES; i++) {
		if (longest[i].place != place)
			longest[kept++] = longest[i];
	}
	while (kept < IRQSOFF_PLACES)
		longest[kept++] = (struct irqsoff_stretch){ 0, 0 };
	irqsoff_set_ordinary(irqsoff_this_cpu());
	arch_irq_restore(enabled);
}

struct irqsoff_stretch irqsoff_longest_report(void)
{
	bool enabled = arch_irq_save();
	struct irqsoff_stretch stretch = irqsoff_this_cpu()->longest_report;

	arch_irq_restore(enabled);
	return stretch;
}

struct irqsoff_stretch irqsoff_recent(void)
{
	bool enabled = arch_irq_save();
	struct irqsoff_stretch stretch = irqsoff_this_cpu()->recent;

	arch_irq_restore(enabled);
	return stretch;
}

void irqsoff_forget_recent(void)
{
	bool enabled = arch_irq_save();

	irqsoff_this_cpu()->recent = (struct irqsoff_stretch){ 0, 0 };
	irqsoff_set_ordinary(irqsoff_this_cpu());
	arch_irq_restore(enabled);
}

/* ---- The unit ------------------------------------------------------------ */

/* How many ticks ROUNDS rounds of two instructions are, and what is around
 * them, always the same. */
static __noinline uint64_t measure_loop(uint64_t rounds)
{
	uint64_t begin = arch_cycles();

	__asm__ volatile("1:\n\t"
	                 "dec %0\n\t"
	                 "jnz 1b"
	                 : "+r"(rounds)
	                 :
	                 : "cc", "memory");
	return arch_cycles() - begin;
}

/* Ticks of one instruction, or 0. */
static unsigned int measure_instruction(void)
{
	uint64_t once = measure_loop(PROBE_ROUNDS);
	uint64_t twice = measure_loop(2ULL * PROBE_ROUNDS);
	uint64_t more = (uint64_t)PROBE_ROUNDS * ROUND_LENGTH;
	uint64_t ticks = (twice - once) / more;

	if (ticks == 0 || ticks > TICKS_MAX || ticks * more != twice - once)
		return 0;
	return (unsigned int)ticks;
}

unsigned int irqsoff_ticks_per_instruction(void)
{
	return irqsoff_ticks;
}

/* ---- Beginning and end --------------------------------------------------- */

void irqsoff_start(void)
{
	bool enabled = arch_irq_save();
	unsigned int ticks = 0;
	unsigned int agree = 0;

	for (unsigned int i = 0; i < PROBE_REPETITIONS; i++) {
		unsigned int measured = measure_instruction();

		if (ticks == 0)
			ticks = measured;
		agree += measured != 0 && measured == ticks;
	}
	/* An NMI may have come into one of them. */
	irqsoff_ticks = agree + 1 >= PROBE_REPETITIONS ? ticks : 0;
	irqsoff_measures = true;
	arch_irq_restore(enabled);
}

void irqsoff_stop(void)
{
	irqsoff_measures = false;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/nmi_watch.c -- a CPU that keeps its interrupts off is found.
 *
 *	8254 --edge--+--> 8259, line 0 ----> tick: irq_taken[0]++   if IF is set
 *	             |
 *	             +--> I/O APIC, pin 2 -> NMI: nmi_ticks++       always
 *
 * As long as interrupts come, the two alternate.  While they are off there are
 * NMIs and no ticks; what is counted is NMIs, not time, so a machine that was
 * stopped is not accused.
 *
 * An NMI does not say who sent it.  When a tick's NMI arrives, the tick itself is
 * still in the 8259's request register (IRR); so:
 *
 *	IRR      a tick since the last one   then it is
 *	clear    -                           another source's: kernel/core/nmi.c
 *	set      yes                         a tick's: the ordinary case
 *	set      no                          a tick's, of a CPU that has missed one
 *
 * Only the last line can be wrong: an NMI of another source that arrives while
 * interrupts are off and a tick already waits is treated as a tick's.
 *
 * The ordinary case is handled in trap.asm, without a flush and without C: at
 * the storm's 10 kHz it costs 18 instructions an NMI.  That the IRR can be
 * read at any time is drivers/pic.c's promise: it leaves the chip showing it, and
 * sets irr_hidden while it must look at something else.
 *
 * Nothing can be logged from a CPU that no longer takes interrupts: nobody would
 * come to show it.  The end of such a stretch is not worth waiting for either; so
 * the report is a panic, which waits for no lock and shows the interrupted code.
 *
 * Sources: Intel 8259A data sheet, "Reading the 8259A status"; Intel SDM vol. 3A,
 * 6.7 "Nonmaskable Interrupt (NMI)".
 */
#include "kernel/core/nmi_watch.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/trap.h"
#include "kernel/core/clock.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/watchdog.h"
#include "lib/errno.h"

#define PORT_IRR    0x20
#define IRR_TIMER   0x01U

#define TIMER       0 /* its line */
#define SECOND      1000000ULL
#define MILLISECOND 1000ULL

/* Ticks that are compared before the watch is trusted, and attempts. */
#define TRIAL_TICKS 4U
#define TRIALS      3U

static void (*route_ticks)(bool on);
/* Microseconds; 0: none.  At first what the word watchdog= is without it. */
static uint64_t watch_limit = WATCHDOG_SECONDS * SECOND;

/* Since irq_taken was stretch_taken: NMIs without a tick.  The NMI's own. */
static uint64_t stretch_taken;
static uint64_t stretch_nmis;

/* ---- In the NMI ---------------------------------------------------------- */

static uint64_t stretch_micros(void)
{
	return stretch_nmis * SECOND / max(clock_hz(), 1U);
}

static void prolong_stretch(struct trap_frame *frame, uint64_t taken)
{
	uint64_t limit = READ_ONCE(watch_limit);

	if (taken != stretch_taken)
		stretch_nmis = 0;
	stretch_taken = taken;
	stretch_nmis++;
	if (limit == 0 || stretch_micros() < limit || panic_in_progress())
		return;
	panic_at(frame, "watchdog: no tick for %llu ms, interrupts are %s",
	         (unsigned long long)(stretch_micros() / MILLISECOND),
	         (frame->rflags & RFLAGS_IF) != 0 ? "on" : "off");
}

bool nmi_watch_took(struct trap_frame *frame)
{
	uint64_t taken = this_cpu_read(irq_taken[TIMER]);

	if (this_cpu_read(nmi_watch) == 0 ||
	    ((inb(PORT_IRR) & IRR_TIMER) == 0 && !this_cpu_read(irr_hidden)))
		return false;
	this_cpu_inc(nmi_ticks);
	if (taken == this_cpu_read(nmi_seen))
		prolong_stretch(frame, taken);
	this_cpu_write(nmi_seen, taken);
	return true;
}

/* ---- On and off ---------------------------------------------------------- */

static void watch(bool on)
{
	bool enabled = arch_irq_save();

	/* An NMI between the two is counted as another source's. */
	if (on) {
		this_cpu_write(nmi_seen, this_cpu_read(irq_taken[TIMER]) - 1);
		this_cpu_write(nmi_watch, 1);
	}
	route_ticks(on);
	if (!on)
		this_cpu_write(nmi_watch, 0);
	arch_irq_restore(enabled);
}

bool nmi_watch_pause(void)
{
	bool was_on = this_cpu_read(nmi_watch) != 0;

	if (was_on)
		watch(false);
	return was_on;
}

void nmi_watch_resume(bool was_on)
{
	if (was_on)
		watch(true);
}

/* False: no tick came for a second. */
static bool wait_for_tick(void)
{
	uint64_t before = clock_ticks();
	uint64_t limit = clock_microseconds() + SECOND;

	while (clock_ticks() == before) {
		if (clock_microseconds() > limit)
			return false;
		arch_relax();
	}
	return true;
}

/* As many NMIs as ticks, give or take the one that is under way? */
static bool is_exact(void)
{
	uint64_t ticks;
	uint64_t nmis;

	if (!wait_for_tick())
		return false;
	ticks = clock_ticks();
	nmis = nmi_watch_ticks();
	for (unsigned int i = 0; i < TRIAL_TICKS; i++) {
		if (!wait_for_tick())
			return false;
	}
	ticks = clock_ticks() - ticks;
	nmis = nmi_watch_ticks() - nmis;
	return nmis + 1 >= ticks && nmis <= ticks + 1;
}

int nmi_watch_begin(void (*route)(bool on))
{
	route_ticks = route;
	watch(true);
	for (unsigned int i = 0; i < TRIALS; i++) {
		if (is_exact()) {
			pr_info("watchdog: each tick brings an NMI: a loop "
			        "with interrupts off is seen\n");
			return 0;
		}
	}
	watch(false);
	pr_notice("watchdog: ticks bring no NMIs that can be counted: loops "
	          "with interrupts off are not seen\n");
	return -ENODEV;
}

uint64_t nmi_watch_ticks(void)
{
	return this_cpu_read(nmi_ticks);
}

void nmi_watch_set_limit(uint64_t microseconds)
{
	WRITE_ONCE(watch_limit, microseconds);
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/nmi_source.c -- NMIs of the machine's own making.
 *
 * The watch over interrupts that are off has the timer's pin otherwise; it pauses
 * meanwhile.
 */
#include "tests/kernel/nmi_source.h"

#include "drivers/ioapic.h"
#include "kernel/arch/arch.h"
#include "kernel/core/nmi_watch.h"

static bool watched;

bool nmi_source_begin(void)
{
	watched = nmi_watch_pause();
	return watched;
}

void nmi_source_end(void)
{
	nmi_watch_resume(watched);
}

void nmi_raise(void)
{
	ioapic_nmi_self();
}

void nmi_on_ticks(bool on)
{
	bool enabled = arch_irq_save();

	ioapic_ticks_as_nmi(on);
	arch_irq_restore(enabled);
}

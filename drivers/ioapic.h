/* SPDX-License-Identifier: MIT */
/*
 * drivers/ioapic.h -- the I/O APIC, and the local APIC that it talks to.
 *
 * Interrupts come through the two 8259s.  The APICs do one thing here: an edge of
 * the timer can be an NMI as well.
 */
#ifndef DRIVERS_IOAPIC_H
#define DRIVERS_IOAPIC_H

#include "lib/types.h"

/*
 * Look for both and map them.  0, or -ENODEV: this machine has not got them, or
 * not where PCs have them (not said).  Once, during boot.
 */
int ioapic_init(void);

/* From now on each edge of the timer's line sends this CPU an NMI, or no longer.
 * After ioapic_init() has returned 0.  Interrupts off. */
void ioapic_ticks_as_nmi(bool on);

/* The local APIC sends its own CPU an NMI, which comes within a few instructions.
 * Likewise; any context. */
void ioapic_nmi_self(void);

#endif

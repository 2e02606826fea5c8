/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/nmi_source.h -- NMIs of the machine's own making: real ones,
 * delivered by the APICs, not calls of the handler.  Thread context, unless a
 * line says otherwise.
 */
#ifndef TESTS_KERNEL_NMI_SOURCE_H
#define TESTS_KERNEL_NMI_SOURCE_H

#include "lib/types.h"

/* The APICs are free for this.  False: this machine has not got them.  Undone by
 * _end(). */
__must_check bool nmi_source_begin(void);
void nmi_source_end(void);

/* The local APIC sends its own CPU an NMI.  It comes within a few
 * instructions.  Any context. */
void nmi_raise(void);

/* With each edge of the timer's line the I/O APIC sends an NMI, wherever the CPU
 * is and whether or not interrupts are on; line 0 itself comes as ever. */
void nmi_on_ticks(bool on);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/nmi_watch.h -- detects a CPU that keeps its interrupts off.
 *
 * Each edge of the timer raises line 0, as ever, and also sends an NMI.  When
 * such NMIs come for the time limit and no tick was taken meanwhile, the machine
 * panics with the place that runs.
 */
#ifndef KERNEL_CORE_NMI_WATCH_H
#define KERNEL_CORE_NMI_WATCH_H

#include "lib/types.h"

struct trap_frame;

/*
 * ROUTE(true) makes each edge of the timer's line send this CPU an NMI,
 * ROUTE(false) ends that.  Then: do they come as they should?  Waits for a few
 * ticks.  0 and the watch is on, or -ENODEV, and it is off (said in the log).
 * Once, interrupts on, the timer runs.
 */
int nmi_watch_begin(void (*route)(bool on));

/* Off, and on again if it was on.  For code that sends NMIs itself, and at the
 * end of the machine.  Thread context. */
bool nmi_watch_pause(void);
void nmi_watch_resume(bool was_on);

/*
 * Did a tick bring the NMI of FRAME?  Then it is done with.  For kernel/core/nmi.c
 * alone.  Panics when the limit is over.
 */
bool nmi_watch_took(struct trap_frame *frame);

/* NMIs that ticks have brought so far, on this CPU.  Any context. */
uint64_t nmi_watch_ticks(void);

/* Microseconds without a tick that are too many; 0: none is. */
void nmi_watch_set_limit(uint64_t microseconds);

#endif

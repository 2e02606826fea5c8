/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/nmi.h -- the interrupt that cannot be masked.
 */
#ifndef KERNEL_CORE_NMI_H
#define KERNEL_CORE_NMI_H

#include "lib/types.h"

/*
 * Called once in each NMI, on the NMI's stack.  RIP is the instruction that it
 * came at: any one, that of a lock's holder or of an interrupt handler too.  So
 * a handler takes no lock, waits for nothing, and shares only what is written
 * by single instructions; the allocator refuses it.  Another NMI waits until
 * this one has returned.
 */
typedef void (*nmi_handler)(uintptr_t rip, void *data);

/*
 * HANDLER(RIP, DATA) is called from now on, in place of the former one.  NULL:
 * nobody.  On return a call of the former handler may still be running on
 * another CPU, never on this one.  Thread context.
 */
void nmi_set_handler(nmi_handler handler, void *data);

/* NMIs that came so far, on all CPUs, without those that ticks brought.  Any
 * context. */
uint64_t nmi_count(void);

/* Install the vector, behind fault_init(). */
void nmi_init(void);

#endif

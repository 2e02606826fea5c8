/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/crumb.h -- breadcrumbs: which step of the boot is going on?
 */
#ifndef KERNEL_ARCH_CRUMB_H
#define KERNEL_ARCH_CRUMB_H

#include "lib/types.h"

/*
 * The step WORD, a word of rodata, begins.  It goes to port 0xE9, which QEMU's
 * -debugcon and Bochs' port_e9_hack listen at and real machines ignore, and to
 * COM1, until boot_crumb_leave_serial().  Boot only, one CPU, no locks.
 */
void boot_crumb(const char *word);

/* The line on COM1 ends, and the port is idle: the serial driver takes over. */
void boot_crumb_leave_serial(void);

/* The last step, for boot/early.asm. */
extern const char *boot_crumb_last;

#endif

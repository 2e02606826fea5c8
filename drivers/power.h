/* SPDX-License-Identifier: MIT */
/*
 * drivers/power.h -- the ends of a machine.  None of them returns, all of them
 * wait for the serial port's last character (bounded).  Any context.
 */
#ifndef DRIVERS_POWER_H
#define DRIVERS_POWER_H

#include "lib/types.h"

/* Start again: the keyboard controller's reset line, else a triple fault. */
__noreturn void machine_reboot(void);

/*
 * Switch off, where the machine is QEMU or Bochs; elsewhere there is no ACPI
 * interpreter to ask, so it says so and halts.
 */
__noreturn void machine_poweroff(void);

/*
 * End a test: CODE for QEMU's isa-debug-exit, whose exit status is then
 * CODE * 2 + 1; in Bochs a power-off; elsewhere halt forever.
 */
__noreturn void machine_exit(int code);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * drivers/pic.h -- the two 8259 interrupt controllers.
 *
 * drivers/ has the devices of an old PC:
 *
 *	pic, ioapic		interrupts, and NMIs for the watchdog
 *	pit, tsc_rate		the tick, and the rate of the TSC
 *	uart, serial, serial2	the console on COM1, a stream out of COM2
 *	vga			the screen
 *	i8042, keyboard, keyboard_decoder, ansi_keys
 *				keys, from the keyboard or a terminal
 *	pci, ata		disks
 *	power			power-off, reset, exits of emulators
 *	deadline		a time limit for polling a port
 *
 * A driver registers what it offers with kernel/core/ (consoles, lines, the clock)
 * or kernel/block/ (disks).  Every wait for a device has a limit, and a device that
 * is missing or broken is reported, not trusted.
 */
#ifndef DRIVERS_PIC_H
#define DRIVERS_PIC_H

#include "lib/types.h"

/*
 * Move the sixteen lines to vectors 32..47, mask all of them, and register the
 * chip with kernel/core/irq.h.  If nothing answers at the ports: a message, no
 * chip, -ENODEV.  Returns 0 otherwise.  Once, during boot, interrupts off.
 */
int pic_init(void);

#endif

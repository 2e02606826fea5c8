/* SPDX-License-Identifier: MIT */
/*
 * drivers/i8042.h -- the PS/2 controller.
 *
 * Every function is bounded: a controller that is missing or hangs costs at
 * most the time limits in drivers/i8042.c, never the machine.
 */
#ifndef DRIVERS_I8042_H
#define DRIVERS_I8042_H

#include "lib/types.h"

#define I8042_DATA        0x60
#define I8042_STATUS      0x64

/* Bits of the status register. */
#define I8042_OUTPUT_FULL 0x01 /* a byte for us */
#define I8042_INPUT_FULL  0x02 /* our last byte is not read yet */
#define I8042_AUX         0x20 /* the byte is the mouse port's */

/*
 * Test the controller and the keyboard port, translate to scan code set 1,
 * switch the mouse port off and the keyboard's interrupt on.  Returns 0,
 * -ENODEV (nothing there), -ETIMEDOUT or -EIO (it failed a test); each said in
 * the log.  Once, thread context, before keyboard_init().
 */
int i8042_init(void);

/* Did i8042_init() succeed? */
bool i8042_present(void);

/*
 * Let the controller raise a real interrupt on line 1 with BYTE as its scan
 * code (command 0xd2, "write keyboard output buffer").  Returns 0, -ENODEV (no
 * controller), -EBUSY (the byte before it has not been fetched in time) or
 * -ETIMEDOUT (the controller does not take the command).  Waits at most 20 ms
 * with interrupts on.  Thread context.
 */
__must_check int i8042_raise(uint8_t byte);

/*
 * The mouse port and its line 12 on or off: 0, -ENODEV or -ETIMEDOUT.  Off is
 * how i8042_init() leaves it; nothing listens to a mouse.  While it is on,
 * i8042_raise_aux() does on line 12, with the mouse port's mark on the byte, what
 * i8042_raise() does on line 1 (command 0xd3).  Thread context.
 */
__must_check int i8042_enable_aux(bool on);
__must_check int i8042_raise_aux(uint8_t byte);

/*
 * Send the keyboard itself COMMAND, up to three times more while it answers "send
 * that again".  Returns 0 (acknowledged), -EIO (it asked a fourth time),
 * -ETIMEDOUT (no such answer in 50 ms) or -ENODEV.  Line 1 is masked meanwhile; an
 * edge that an answer leaves behind is an interrupt without a byte.  Thread
 * context.
 */
__must_check int i8042_command_keyboard(uint8_t command);

/* How often the keyboard has asked for that since boot. */
uint64_t i8042_resends(void);

/* Pulse the CPU's reset line.  Returns if that does not work.  Any context. */
void i8042_reset_cpu(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * drivers/keyboard.h -- the PS/2 keyboard: line 1 becomes console keys.
 */
#ifndef DRIVERS_KEYBOARD_H
#define DRIVERS_KEYBOARD_H

#include "lib/types.h"

/*
 * Register the handler of line 1.  Returns 0, -ENODEV (i8042_init() found no
 * controller, and said so), or what request_irq() said (said in the log, too).
 * Once, thread context.
 */
int keyboard_init(void);

/*
 * LISTENER(CODE, DATA) is called once in each interrupt of line 1 from now on,
 * before anything else is done with the scan code; CODE is -1 if the interrupt
 * brought none.  NULL: nobody listens.  On return a call of the former listener
 * may still be running on another CPU, never on this one.  Thread context.
 */
void keyboard_set_listener(void (*listener)(int code, void *data), void *data);

/*
 * The next key without an interrupt, or -1: after a panic, when nothing else reads
 * the keyboard.  Keys that were held down are forgotten.  Takes no lock.
 */
int keyboard_poll_key(void);

/* interrupts handled = codes + empty + aux. */
struct keyboard_statistics {
	uint64_t codes;    /* scan codes read */
	uint64_t overruns; /* of these: 0x00 or 0xff, "I lost some" */
	uint64_t empty;    /* interrupts that found no byte */
	uint64_t aux;      /* bytes of the mouse port, thrown away */
};
struct keyboard_statistics keyboard_statistics(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * drivers/ansi_keys.h -- from what a terminal sends to console keys.  Pure.
 */
#ifndef DRIVERS_ANSI_KEYS_H
#define DRIVERS_ANSI_KEYS_H

#include "lib/types.h"

enum ansi_state {
	ANSI_IDLE,
	ANSI_ESCAPE, /* ESC */
	ANSI_CSI,    /* ESC [, perhaps digits */
	ANSI_SS3,    /* ESC O */
};

/* All zero: nothing has come yet. */
struct ansi_keys {
	uint8_t state;
	uint8_t number;    /* first parameter, 255 if larger */
	uint8_t length;    /* bytes of the sequence so far */
	bool past_number;  /* a ; has ended the first parameter */
	bool after_return; /* the last byte was \r */
};

/*
 * The key that BYTE completes, or -1 if there is none (yet): a character, an
 * enum console_key, or 0x80 | c for ESC c (what Alt+c sends).  \r and \r\n are
 * one \n, 0x7f is \b.  Unknown sequences are swallowed whole; one that does
 * not end within 16 bytes is given up.  Any context.
 */
int ansi_keys_decode(struct ansi_keys *keys, uint8_t byte);

#endif

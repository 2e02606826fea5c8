/* SPDX-License-Identifier: MIT */
/*
 * drivers/keyboard_decoder.h -- from scan codes to keys.  Pure.
 */
#ifndef DRIVERS_KEYBOARD_DECODER_H
#define DRIVERS_KEYBOARD_DECODER_H

#include "lib/types.h"

enum kbd_prefix {
	KBD_IDLE,
	KBD_E0,         /* the next code is an extended one */
	KBD_E1,         /* two more codes of Pause follow */
	KBD_E1_AND_ONE, /* one more */
};

/* Bits of struct kbd_decoder::held. */
enum kbd_held {
	KBD_SHIFT_LEFT = 1 << 0,
	KBD_SHIFT_RIGHT = 1 << 1,
	KBD_CTRL_LEFT = 1 << 2,
	KBD_CTRL_RIGHT = 1 << 3,
	KBD_ALT_LEFT = 1 << 4,
	KBD_ALT_RIGHT = 1 << 5,
	KBD_CAPS = 1 << 6, /* the key is down: its repeats do not count */
	KBD_NUM = 1 << 7,  /* the same */
};

/* All zero: no key is down, both locks are off. */
struct kbd_decoder {
	uint8_t prefix; /* enum kbd_prefix */
	uint8_t held;   /* enum kbd_held */
	bool caps_lock;
	bool num_lock;
};

/*
 * Feed one code of set 1.  Returns the key that was pressed (a character, or
 * an enum console_key), or -1: a release, a modifier, a prefix, or nothing
 * known.  With Ctrl, characters 0x40..0x7f become 0x00..0x1f; with Alt, bit 7 is
 * set.  Codes 0x00 and 0xff, the keyboard's "I lost some", put everything but
 * the locks back to the beginning.  Any context.
 */
int kbd_decode(struct kbd_decoder *decoder, uint8_t code);

#endif

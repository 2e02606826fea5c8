/* SPDX-License-Identifier: MIT */
/*
 * drivers/keyboard_decoder.c -- scan code set 1, US layout.
 *
 * Pressing key K sends K, releasing it K | 0x80.  The keys that the AT keyboard
 * added send e0 first:
 *
 *	1e		a pressed		9e	a released
 *	e0 48		up pressed		e0 c8	up released
 *	e1 1d 45 e1 9d c5	Pause, pressed and released together
 *
 * Around extended keys the keyboard pretends that shift is released or pressed
 * (e0 2a, e0 aa, e0 36, e0 b6); those are not shift keys and mean nothing.
 *
 * Any byte is taken in any state, and one that makes no sense leads back to
 * KBD_IDLE: after a lost byte the next key but one is right again.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101-
 * and 102-key)", scan code set 1.
 */
#include "drivers/keyboard_decoder.h"

#include "kernel/core/console.h"

#define RELEASED        0x80
#define META            0x80

#define CODE_CTRL       0x1d
#define CODE_SHIFT_L    0x2a
#define CODE_SHIFT_R    0x36
#define CODE_ALT        0x38
#define CODE_CAPS       0x3a
#define CODE_NUM        0x45
#define CODE_KEYPAD     0x47 /* first of 13: 7 8 9 - 4 5 6 + 1 2 3 0 . */
#define CODE_KEYPAD_END 0x53
#define CODE_102ND      0x56

#define SHIFTS          (KBD_SHIFT_LEFT | KBD_SHIFT_RIGHT)
#define CTRLS           (KBD_CTRL_LEFT | KBD_CTRL_RIGHT)
#define ALTS            (KBD_ALT_LEFT | KBD_ALT_RIGHT)

/* By code 0x00..0x39; 0: no character. */
static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`"
			    "\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
	"\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~"
	"\0|ZXCVBNM<>?\0*\0 ";
static_assert(sizeof(plain) == 0x3a + 1, "one character a code");
static_assert(sizeof(shifted) == sizeof(plain), "one character a code");

/* By code 0x47..0x53. */
static const char keypad_digit[] = "789-456+1230.";
static const int16_t keypad_key[] = {
	KEY_HOME,   KEY_UP, KEY_PAGE_UP, '-',      KEY_LEFT,      -1,
	KEY_RIGHT,  '+',    KEY_END,     KEY_DOWN, KEY_PAGE_DOWN, KEY_INSERT,
	KEY_DELETE,
};

/* The bit of the modifier or lock key CODE; 0: none. */
static uint8_t held_bit(uint8_t code, bool extended)
{
	switch (code) {
	case CODE_CTRL:
		return extended ? KBD_CTRL_RIGHT : KBD_CTRL_LEFT;
	case CODE_ALT:
		return extended ? KBD_ALT_RIGHT : KBD_ALT_LEFT;
	case CODE_SHIFT_L:
		return extended ? 0 : KBD_SHIFT_LEFT;
	case CODE_SHIFT_R:
		return extended ? 0 : KBD_SHIFT_RIGHT;
	case CODE_CAPS:
		return extended ? 0 : KBD_CAPS;
	case CODE_NUM:
		return extended ? 0 : KBD_NUM;
	default:
		return 0;
	}
}

static void press_held(struct kbd_decoder *decoder, uint8_t bit)
{
	if (decoder->held & bit)
		return;
	decoder->held |= bit;
	if (bit == KBD_CAPS)
		decoder->caps_lock = !decoder->caps_lock;
	if (bit == KBD_NUM)
		decoder->num_lock = !decoder->num_lock;
}

static bool is_letter(int character)
{
	return (character >= 'a' && character <= 'z') ||
	       (character >= 'A' && character <= 'Z');
}

static int apply_modifiers(const struct kbd_decoder *decoder, int character)
{
	if ((decoder->held & CTRLS) && character >= 0x40 && character < 0x7f)
		character &= 0x1f;
	if (decoder->held & ALTS)
		character |= META;
	return character;
}

static int character_key(const struct kbd_decoder *decoder, uint8_t code)
{
	bool shift = (decoder->held & SHIFTS) != 0;
	int character;

	if (code == CODE_102ND)
		return apply_modifiers(decoder, shift ? '|' : '\\');
	if (code >= sizeof(plain) - 1 || plain[code] == '\0')
		return -1;
	if (decoder->caps_lock && is_letter(plain[code]))
		shift = !shift;
	character = shift ? shifted[code] : plain[code];
	return apply_modifiers(decoder, character);
}

static int plain_key(const struct kbd_decoder *decoder, uint8_t code)
{
	if (code >= CODE_KEYPAD && code <= CODE_KEYPAD_END) {
		unsigned int index = code - CODE_KEYPAD;

		return decoder->num_lock ? keypad_digit[index]
		                         : keypad_key[index];
	}
	return character_key(decoder, code);
}

static int extended_key(const struct kbd_decoder *decoder, uint8_t code)
{
	switch (code) {
	case 0x1c: /* the keypad's Enter */
		return apply_modifiers(decoder, '\n');
	case 0x35: /* the keypad's slash */
		return apply_modifiers(decoder, '/');
	case 0x4a:
	case 0x4e:
	case 0x4c:
		return -1; /* only the keypad has these places */
	default:
		if (code >= CODE_KEYPAD && code <= CODE_KEYPAD_END)
			return keypad_key[code - CODE_KEYPAD];
		return -1;
	}
}

/* Is this byte dealt with by its prefix alone? */
static bool take_prefix(struct kbd_decoder *decoder, uint8_t code)
{
	switch (code) {
	case 0x00:
	case 0xff:
		decoder->prefix = KBD_IDLE;
		decoder->held = 0;
		return true;
	case 0xe0:
		decoder->prefix = KBD_E0;
		return true;
	case 0xe1:
		decoder->prefix = KBD_E1;
		return true;
	default:
		break;
	}
	if (decoder->prefix == KBD_E1) {
		decoder->prefix = KBD_E1_AND_ONE;
		return true;
	}
	if (decoder->prefix == KBD_E1_AND_ONE) {
		decoder->prefix = KBD_IDLE;
		return true;
	}
	return false;
}

int kbd_decode(struct kbd_decoder *decoder, uint8_t code)
{
	uint8_t key = code & (uint8_t)~RELEASED;
	bool extended;
	uint8_t bit;

	if (take_prefix(decoder, code))
		return -1;
	extended = decoder->prefix == KBD_E0;
	decoder->prefix = KBD_IDLE;
	bit = held_bit(key, extended);
	if (code & RELEASED) {
		decoder->held &= (uint8_t)~bit;
		return -1;
	}
	if (bit != 0) {
		press_held(decoder, bit);
		return -1;
	}
	return extended ? extended_key(decoder, key) : plain_key(decoder, key);
}

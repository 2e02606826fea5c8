/* SPDX-License-Identifier: MIT */
/*
 * drivers/ansi_keys.c -- the escape sequences of terminals.
 *
 *	ESC [ A		up		ESC [ 3 ~	delete
 *	ESC O H		home		ESC [ 1 ; 5 C	control+right
 *
 * A control sequence is ESC [, parameters 0x30..0x3f, intermediates 0x20..0x2f,
 * and one final byte 0x40..0x7e.  Modifiers (the second parameter) are not
 * told apart.  ESC alone cannot be told from the begin of a sequence without a
 * timer; it waits for the next byte.
 *
 * Source: ECMA-48, 5.4 "Control sequences"; xterm's "ctlseqs", "PC-Style
 * Function Keys".
 */
#include "drivers/ansi_keys.h"

#include "kernel/core/console.h"

#define ESCAPE       0x1b
#define META         0x80
#define LENGTH_LIMIT 16

static int letter_key(uint8_t letter)
{
	switch (letter) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return KEY_RIGHT;
	case 'D':
		return KEY_LEFT;
	case 'F':
		return KEY_END;
	case 'H':
		return KEY_HOME;
	case 'M':
		return '\n'; /* the keypad's Enter, after ESC O */
	default:
		return -1;
	}
}

static int number_key(uint8_t number)
{
	switch (number) {
	case 1:
	case 7:
		return KEY_HOME;
	case 2:
		return KEY_INSERT;
	case 3:
		return KEY_DELETE;
	case 4:
	case 8:
		return KEY_END;
	case 5:
		return KEY_PAGE_UP;
	case 6:
		return KEY_PAGE_DOWN;
	default:
		return -1;
	}
}

static void restart(struct ansi_keys *keys, enum ansi_state state)
{
	keys->state = (uint8_t)state;
	keys->number = 0;
	keys->length = 0;
	keys->past_number = false;
}

static int decode_idle(struct ansi_keys *keys, uint8_t byte)
{
	bool after_return = keys->after_return;

	keys->after_return = byte == '\r';
	if (byte == ESCAPE) {
		restart(keys, ANSI_ESCAPE);
		return -1;
	}
	if (byte == '\n' && after_return)
		return -1;
	if (byte == '\r')
		return '\n';
	return byte == 0x7f ? '\b' : byte;
}

static int decode_escape(struct ansi_keys *keys, uint8_t byte)
{
	switch (byte) {
	case '[':
		restart(keys, ANSI_CSI);
		return -1;
	case 'O':
		restart(keys, ANSI_SS3);
		return -1;
	case ESCAPE:
		return -1;
	default:
		restart(keys, ANSI_IDLE);
		return byte >= ' ' && byte < 0x7f ? META | byte : -1;
	}
}

static void add_digit(struct ansi_keys *keys, uint8_t digit)
{
	unsigned int number = keys->number * 10U + digit;

	if (!keys->past_number)
		keys->number = (uint8_t)min(number, 255U);
}

static int decode_sequence(struct ansi_keys *keys, uint8_t byte)
{
	uint8_t number = keys->number;

	if (byte == ESCAPE) {
		restart(keys, ANSI_ESCAPE);
		return -1;
	}
	if (byte >= '0' && byte <= '9')
		add_digit(keys, (uint8_t)(byte - '0'));
	else if (byte == ';')
		keys->past_number = true;
	if (byte >= ' ' && byte <= '?' && ++keys->length < LENGTH_LIMIT)
		return -1;
	restart(keys, ANSI_IDLE);
	return byte == '~' ? number_key(number) : letter_key(byte);
}

int ansi_keys_decode(struct ansi_keys *keys, uint8_t byte)
{
	switch (keys->state) {
	case ANSI_ESCAPE:
		return decode_escape(keys, byte);
	case ANSI_CSI:
	case ANSI_SS3:
		return decode_sequence(keys, byte);
	default:
		return decode_idle(keys, byte);
	}
}

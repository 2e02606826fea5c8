/* SPDX-License-Identifier: MIT */
/*
 * tests/drivers/test_keyboard.c -- scan codes and escape sequences.
 *
 * tests/drivers/ tests the parts of drivers/ that touch no device, in the kernel and
 * on the host.
 */
#include "drivers/ansi_keys.h"
#include "drivers/keyboard_decoder.h"
#include "kernel/core/console.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(keyboard);
SUITE(ansi_keys);

/* Press and release CODE; the key. */
static int test_keyboard_stroke(struct kbd_decoder *decoder, uint8_t code)
{
	int key = kbd_decode(decoder, code);

	if (kbd_decode(decoder, code | 0x80) != -1)
		return -2;
	return key;
}

/* The same with e0. */
static int extended(struct kbd_decoder *decoder, uint8_t code)
{
	int key;

	if (kbd_decode(decoder, 0xe0) != -1)
		return -2;
	key = kbd_decode(decoder, code);
	if (kbd_decode(decoder, 0xe0) != -1 ||
	    kbd_decode(decoder, code | 0x80) != -1)
		return -2;
	return key;
}

CASE(keyboard, every_row_types_its_characters)
{
	static const struct {
		uint8_t first;
		const char *plain;
		const char *shifted;
	} row[] = {
		{ 0x02, "1234567890-=", "!@#$%^&*()_+" },
		{ 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
		{ 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
		{ 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
		{ 0x39, " ", " " },
		{ 0x0e, "\b\t", "\b\t" },
		{ 0x1c, "\n", "\n" },
	};
	struct kbd_decoder decoder = { 0 };

	for (size_t r = 0; r < ARRAY_SIZE(row); r++) {
		for (uint8_t i = 0; row[r].plain[i] != '\0'; i++) {
			uint8_t code = (uint8_t)(row[r].first + i);

			EXPECT_EQUAL(test_keyboard_stroke(&decoder, code),
			             row[r].plain[i]);
			EXPECT_EQUAL(kbd_decode(&decoder, 0x2a), -1);
			EXPECT_EQUAL(test_keyboard_stroke(&decoder, code),
			             row[r].shifted[i]);
			EXPECT_EQUAL(kbd_decode(&decoder, 0xaa), -1);
		}
	}
	return NULL;
}

CASE(keyboard, either_shift_counts_until_both_are_up)
{
	struct kbd_decoder decoder = { 0 };

	kbd_decode(&decoder, 0x2a);
	kbd_decode(&decoder, 0x36);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'A');
	kbd_decode(&decoder, 0xaa);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'A');
	kbd_decode(&decoder, 0xb6);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	return NULL;
}

CASE(keyboard, caps_lock_turns_letters_and_nothing_else)
{
	struct kbd_decoder decoder = { 0 };

	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x3a), -1);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'A');
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x02), '1');
	kbd_decode(&decoder, 0x2a);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x02), '!');
	kbd_decode(&decoder, 0xaa);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x3a), -1);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	return NULL;
}

CASE(keyboard, a_held_caps_key_toggles_once)
{
	struct kbd_decoder decoder = { 0 };

	for (unsigned int i = 0; i < 4; i++)
		kbd_decode(&decoder, 0x3a);
	kbd_decode(&decoder, 0xba);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'A');
	return NULL;
}

CASE(keyboard, control_and_alt_change_the_character)
{
	struct kbd_decoder decoder = { 0 };

	kbd_decode(&decoder, 0x1d);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x2e), 0x03); /* ^C */
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1a), 0x1b); /* ^[ */
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x02), '1');
	kbd_decode(&decoder, 0x9d);
	kbd_decode(&decoder, 0xe0);
	kbd_decode(&decoder, 0x1d);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e),
	             0x01); /* ^A, right control */
	kbd_decode(&decoder, 0xe0);
	kbd_decode(&decoder, 0x9d);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	kbd_decode(&decoder, 0x38);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x30), 0x80 | 'b');
	kbd_decode(&decoder, 0xb8);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x30), 'b');
	return NULL;
}

CASE(keyboard, extended_keys_are_console_keys)
{
	static const struct {
		uint8_t code;
		int key;
	} row[] = {
		{ 0x48, KEY_UP },      { 0x50, KEY_DOWN },
		{ 0x4b, KEY_LEFT },    { 0x4d, KEY_RIGHT },
		{ 0x47, KEY_HOME },    { 0x4f, KEY_END },
		{ 0x49, KEY_PAGE_UP }, { 0x51, KEY_PAGE_DOWN },
		{ 0x52, KEY_INSERT },  { 0x53, KEY_DELETE },
		{ 0x1c, '\n' },        { 0x35, '/' },
		{ 0x5b, -1 },          { 0x4c, -1 },
	};
	struct kbd_decoder decoder = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		EXPECT_EQUAL(extended(&decoder, row[i].code), row[i].key);
	return NULL;
}

CASE(keyboard, the_keypad_obeys_num_lock)
{
	struct kbd_decoder decoder = { 0 };

	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x47), KEY_HOME);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x4c), -1);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x4a), '-');
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x37), '*');
	test_keyboard_stroke(&decoder, 0x45);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x47), '7');
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x53), '.');
	EXPECT_EQUAL(extended(&decoder, 0x47), KEY_HOME);
	return NULL;
}

CASE(keyboard, pretended_shifts_mean_nothing)
{
	static const uint8_t insert[] = { 0xe0, 0x2a, 0xe0, 0x52 };
	struct kbd_decoder decoder = { 0 };
	int key = -1;

	for (size_t i = 0; i < sizeof(insert); i++)
		key = kbd_decode(&decoder, insert[i]);
	EXPECT_EQUAL(key, KEY_INSERT);
	EXPECT_EQUAL(decoder.held, 0);
	/* And the pretended release does not end a real shift. */
	kbd_decode(&decoder, 0x2a);
	kbd_decode(&decoder, 0xe0);
	kbd_decode(&decoder, 0xaa);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'A');
	return NULL;
}

CASE(keyboard, pause_is_swallowed_whole)
{
	static const uint8_t pause[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
	struct kbd_decoder decoder = { 0 };

	for (size_t i = 0; i < sizeof(pause); i++)
		EXPECT_EQUAL(kbd_decode(&decoder, pause[i]), -1);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	EXPECT(!decoder.num_lock);
	return NULL;
}

CASE(keyboard, an_overrun_forgets_what_was_held)
{
	struct kbd_decoder decoder = { 0 };

	kbd_decode(&decoder, 0x2a);
	kbd_decode(&decoder, 0xe0);
	EXPECT_EQUAL(kbd_decode(&decoder, 0xff), -1);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	kbd_decode(&decoder, 0x1d);
	EXPECT_EQUAL(kbd_decode(&decoder, 0x00), -1);
	EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	return NULL;
}

/* After any garbage: release everything, and a key is that key again. */
CASE(keyboard, garbage_returns_to_idle)
{
	struct random random = { test_seed() };
	struct kbd_decoder decoder = { 0 };

	for (unsigned int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < 64; i++) {
			int key = kbd_decode(&decoder,
			                     (uint8_t)random_next(&random));

			EXPECT(key >= -1 && key <= KEY_INSERT);
			EXPECT(decoder.prefix <= KBD_E1_AND_ONE);
		}
		kbd_decode(&decoder, 0xff);
		decoder.caps_lock = false;
		EXPECT_EQUAL(test_keyboard_stroke(&decoder, 0x1e), 'a');
	}
	return NULL;
}

/* Feed TEXT; the only key that comes of it, -1 for none, -2 for several. */
static int feed(struct ansi_keys *keys, const char *text)
{
	int only = -1;

	for (; *text != '\0'; text++) {
		int key = ansi_keys_decode(keys, (uint8_t)*text);

		if (key >= 0)
			only = only == -1 ? key : -2;
	}
	return only;
}

CASE(ansi_keys, sequences_become_console_keys)
{
	static const struct {
		const char *text;
		int key;
	} row[] = {
		{ "\033[A", KEY_UP },         { "\033[B", KEY_DOWN },
		{ "\033[C", KEY_RIGHT },      { "\033[D", KEY_LEFT },
		{ "\033[H", KEY_HOME },       { "\033[F", KEY_END },
		{ "\033OA", KEY_UP },         { "\033OH", KEY_HOME },
		{ "\033OF", KEY_END },        { "\033[1~", KEY_HOME },
		{ "\033[2~", KEY_INSERT },    { "\033[3~", KEY_DELETE },
		{ "\033[4~", KEY_END },       { "\033[5~", KEY_PAGE_UP },
		{ "\033[6~", KEY_PAGE_DOWN }, { "\033[7~", KEY_HOME },
		{ "\033[8~", KEY_END },       { "\033[1;5C", KEY_RIGHT },
		{ "\033[3;2~", KEY_DELETE },  { "\033b", 0x80 | 'b' },
		{ "\033\033[A", KEY_UP },     { "\033[\033[A", KEY_UP },
	};
	struct ansi_keys keys = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		EXPECT_EQUAL(feed(&keys, row[i].text), row[i].key);
		EXPECT_EQUAL(feed(&keys, "x"), 'x');
	}
	return NULL;
}

CASE(ansi_keys, unknown_sequences_are_swallowed_whole)
{
	struct ansi_keys keys = { 0 };

	EXPECT_EQUAL(feed(&keys, "\033[15~"), -1);
	EXPECT_EQUAL(feed(&keys, "\033[?2004h"), -1);
	EXPECT_EQUAL(feed(&keys, "\033[200~"), -1);
	EXPECT_EQUAL(feed(&keys, "\033[12;40R"), -1);
	EXPECT_EQUAL(feed(&keys, "a"), 'a');
	return NULL;
}

CASE(ansi_keys, an_endless_sequence_is_given_up)
{
	struct ansi_keys keys = { 0 };

	feed(&keys, "\033[");
	for (unsigned int i = 0; i < 16; i++)
		EXPECT_EQUAL(feed(&keys, "1"), -1);
	EXPECT_EQUAL(feed(&keys, "a"), 'a');
	return NULL;
}

CASE(ansi_keys, line_ends_are_one_newline)
{
	struct ansi_keys keys = { 0 };

	EXPECT_EQUAL(feed(&keys, "\r"), '\n');
	EXPECT_EQUAL(feed(&keys, "\n"), -1);
	EXPECT_EQUAL(feed(&keys, "\n"), '\n');
	EXPECT_EQUAL(feed(&keys, "\r\n"), '\n');
	EXPECT_EQUAL(feed(&keys, "\r\r"), -2);
	EXPECT_EQUAL(feed(&keys, "\x7f"), '\b');
	return NULL;
}

CASE(ansi_keys, any_bytes_are_survived)
{
	struct random random = { test_seed() };
	struct ansi_keys keys = { 0 };

	for (unsigned int i = 0; i < 20000; i++) {
		int key =
			ansi_keys_decode(&keys, (uint8_t)random_next(&random));

		EXPECT(key >= -1 && key <= KEY_INSERT);
	}
	for (unsigned int i = 0; i < 18; i++)
		ansi_keys_decode(&keys, 'z');
	EXPECT_EQUAL(feed(&keys, "a"), 'a');
	return NULL;
}

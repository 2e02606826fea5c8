/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz_keys.c -- any bytes as scan codes and as terminal input.
 *
 * Whatever came before: no key is out of range, locks and modifiers are what a
 * model of the keys that are down says, and a bounded number of harmless bytes
 * leads back to the idle state, in which the next key is right.
 *
 * fuzz-runs: 60000
 */
#include "drivers/ansi_keys.h"
#include "drivers/keyboard_decoder.h"
#include "kernel/core/console.h"
#include "tests/fuzz/fuzz.h"

#define RELEASE_OF_A 0x9e
#define PRESS_OF_A   0x1e

static bool is_key(int key)
{
	return (key >= -1 && key <= 0xff) ||
	       (key >= KEY_UP && key <= KEY_INSERT);
}

/* The plain shift keys, which no prefix makes ambiguous. */
struct shift_model {
	unsigned int skip;
	bool extended;
	bool left;
	bool right;
};

static void model_code(struct shift_model *model, uint8_t code)
{
	bool extended = model->extended;

	if (code == 0x00 || code == 0xff) {
		*model = (struct shift_model){ .skip = 0 };
		return;
	}
	if (code == 0xe0 || code == 0xe1) {
		model->extended = code == 0xe0;
		model->skip = code == 0xe1 ? 2 : 0;
		return;
	}
	model->extended = false;
	if (model->skip > 0) {
		model->skip--;
		return;
	}
	if (extended)
		return;
	if ((code & 0x7f) == 0x2a)
		model->left = code < 0x80;
	if ((code & 0x7f) == 0x36)
		model->right = code < 0x80;
}

static void check_shift(const struct kbd_decoder *decoder,
                        const struct shift_model *model)
{
	CLAIM(((decoder->held & KBD_SHIFT_LEFT) != 0) == model->left);
	CLAIM(((decoder->held & KBD_SHIFT_RIGHT) != 0) == model->right);
	CLAIM((decoder->prefix == KBD_E0) == model->extended);
	CLAIM((decoder->prefix == KBD_E1 ||
	       decoder->prefix == KBD_E1_AND_ONE) == (model->skip > 0));
}

static void decode_codes(const uint8_t *data, size_t size)
{
	struct kbd_decoder decoder = { 0 };
	struct shift_model model = { 0 };

	for (size_t i = 0; i < size; i++) {
		CLAIM(is_key(kbd_decode(&decoder, data[i])));
		model_code(&model, data[i]);
		check_shift(&decoder, &model);
	}
	/* Pause swallows two codes at most. */
	for (int i = 0; i < 2; i++)
		CLAIM(kbd_decode(&decoder, RELEASE_OF_A) == -1);
	CLAIM(decoder.prefix == KBD_IDLE);
	CLAIM(kbd_decode(&decoder, PRESS_OF_A) != -1);
	CLAIM(kbd_decode(&decoder, 0xff) == -1);
	CLAIM(decoder.prefix == KBD_IDLE && decoder.held == 0);
	CLAIM(kbd_decode(&decoder, PRESS_OF_A) ==
	      (decoder.caps_lock ? 'A' : 'a'));
}

static void decode_bytes(const uint8_t *data, size_t size)
{
	struct ansi_keys keys = { 0 };
	unsigned int silent = 0;

	for (size_t i = 0; i < size; i++) {
		int key = ansi_keys_decode(&keys, data[i]);
		bool restarts =
			data[i] == 0x1b || data[i] == '\r' || data[i] == '\n';

		CLAIM(is_key(key));
		CLAIM(keys.state <= ANSI_SS3);
		CLAIM(keys.length <= 16);
		/* ESC, [, and 16 bytes of the sequence. */
		silent = key != -1 || restarts || keys.state == ANSI_IDLE
		                 ? 0
		                 : silent + 1;
		CLAIM(silent <= 18);
	}
	/* A letter ends every sequence; then it is itself. */
	(void)ansi_keys_decode(&keys, 'x');
	CLAIM(keys.state == ANSI_IDLE);
	CLAIM(ansi_keys_decode(&keys, 'x') == 'x');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_codes(data, size);
	decode_bytes(data, size);
	return 0;
}

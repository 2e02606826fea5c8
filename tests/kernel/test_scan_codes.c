/* SPDX-License-Identifier: MIT */
/*
 * Garbage from the keyboard, by real interrupts: the i8042 puts each byte into
 * its output buffer and raises line 1 (command d2).
 */
#include "drivers/i8042.h"
#include "drivers/keyboard.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/irq.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(scan_codes);

#define KEYBOARD_IRQ  1
#define LAST_OF_FIRST 7 /* the line of the first 8259's spurious ones */
#define CODE_A        0x1e
#define CODE_CAPS     0x3a
#define CODE_NUM      0x45
#define CODE_HOME     0x47
#define CODE_LOST     0xff
#define RELEASED      0x80
#define SECOND        1000000ULL

/* Interrupts of the keyboard that have been handled. */
static uint64_t test_scan_codes_interrupts(void)
{
	struct keyboard_statistics now = keyboard_statistics();

	return now.codes + now.empty + now.aux;
}

/* Looks until the thread sleeps between them. */
#define LOOKS 100U

/* Raise BYTE and wait for its interrupt. */
static bool test_scan_codes_send(uint8_t byte)
{
	uint64_t limit = clock_microseconds() + SECOND;
	uint64_t before = test_scan_codes_interrupts();

	if (i8042_raise(byte) != 0)
		return false;
	for (unsigned int looks = 0; test_scan_codes_interrupts() == before;
	     looks++) {
		if (clock_microseconds() > limit)
			return false;
		if (looks < LOOKS)
			arch_relax();
		else
			thread_sleep(SECOND / clock_hz());
	}
	return true;
}

/* Empty the console's ring: how many keys were there. */
static unsigned int take_keys(void)
{
	unsigned int keys = 0;

	while (console_poll_key() >= 0)
		keys++;
	return keys;
}

/* The key that pressing and releasing CODE makes, alone; -1: none. */
static int test_scan_codes_stroke(uint8_t code)
{
	take_keys();
	if (!test_scan_codes_send(code) ||
	    !test_scan_codes_send(code | RELEASED))
		return -1;
	return console_poll_key();
}

/* All keys up; both locks off, whatever they were. */
static bool test_scan_codes_settle(void)
{
	if (!test_scan_codes_send(CODE_LOST))
		return false;
	if (test_scan_codes_stroke(CODE_A) == 'A' &&
	    !(test_scan_codes_send(CODE_CAPS) &&
	      test_scan_codes_send(CODE_CAPS | RELEASED)))
		return false;
	if (test_scan_codes_stroke(CODE_HOME) == '7' &&
	    !(test_scan_codes_send(CODE_NUM) &&
	      test_scan_codes_send(CODE_NUM | RELEASED)))
		return false;
	take_keys();
	return true;
}

CASE(scan_codes, every_byte_is_counted_and_the_next_key_is_right)
{
	struct keyboard_statistics before = keyboard_statistics();
	struct keyboard_statistics after;
	unsigned int sent = 0;

	NEEDS_I8042();
	for (unsigned int byte = 0; byte <= UINT8_MAX; byte++)
		sent += test_scan_codes_send((uint8_t)byte);
	after = keyboard_statistics();
	EXPECT(test_scan_codes_settle());
	EXPECT_EQUAL(sent, 256);
	EXPECT_EQUAL(after.codes - before.codes, 256);
	EXPECT_EQUAL(after.overruns - before.overruns, 2);
	EXPECT_EQUAL(after.empty, before.empty);
	EXPECT_EQUAL(test_scan_codes_stroke(CODE_A), 'a');
	EXPECT_EQUAL(test_scan_codes_stroke(CODE_HOME), KEY_HOME);
	return NULL;
}

/* Each prefix, then what does not belong there, then a key. */
CASE(scan_codes, cut_off_sequences_lead_back_to_idle)
{
	static const struct {
		const char *name;
		uint8_t bytes[6];
		uint8_t count;
	} row[] = {
		{ "e0, then nothing known", { 0xe0, 0x7f }, 2 },
		{ "e0 e0", { 0xe0, 0xe0, 0x7f }, 3 },
		{ "e1 and one byte, then lost", { 0xe1, 0x1d, 0x00 }, 3 },
		{ "e1, then lost", { 0xe1, 0xff }, 2 },
		{ "half of Pause", { 0xe1, 0x1d, 0x45 }, 3 },
		{ "e1 inside of e1", { 0xe1, 0xe1, 0x9d, 0xc5 }, 4 },
		{ "e0 inside of e1", { 0xe1, 0xe0, 0x48 }, 3 },
		{ "an answer: ack", { 0xfa }, 1 },
		{ "an answer: resend", { 0xfe }, 1 },
		{ "an answer: self-test", { 0xaa }, 1 },
		{ "an echo", { 0xee }, 1 },
		{ "lost: 00", { 0x2a, 0x00 }, 2 },
		{ "lost: ff", { 0x1d, 0x38, 0xff }, 3 },
	};

	NEEDS_I8042();
	EXPECT(test_scan_codes_settle());
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		unsigned int sent = 0;
		int key;

		for (unsigned int b = 0; b < row[i].count; b++)
			sent += test_scan_codes_send(row[i].bytes[b]);
		key = test_scan_codes_stroke(CODE_A);
		if (sent != row[i].count || key != 'a')
			return test_failure("%s: %u bytes, and the key is %d",
			                    row[i].name, sent, key);
	}
	return NULL;
}

CASE(scan_codes, random_bytes_never_cost_more_than_the_next_key)
{
	struct random random = { test_seed() };
	unsigned int sent = 0;

	NEEDS_I8042();
	for (unsigned int i = 0; i < 500; i++)
		sent += test_scan_codes_send(
			(uint8_t)random_below(&random, 256));
	EXPECT(test_scan_codes_settle());
	EXPECT_EQUAL(sent, 500);
	EXPECT_EQUAL(test_scan_codes_stroke(CODE_A), 'a');
	return NULL;
}

/*
 * Nobody reads the console meanwhile.  When its ring is full the line is masked:
 * one more byte waits in the controller, and the next is not taken.  Nothing is
 * lost, and when keys are taken the byte comes by itself.
 */
static const char *fill_the_ring(void)
{
	uint64_t dropped = console_input_dropped();
	unsigned int pressed = 0;
	unsigned int kept;
	bool waits;

	while (pressed < 5000 && test_scan_codes_send(CODE_A))
		pressed++;
	EXPECT(pressed < 5000);
	/* The last one was not taken by an interrupt; the next has no place. */
	waits = i8042_raise(CODE_A) == -EBUSY;
	kept = take_keys();
	EXPECT(waits);
	EXPECT_EQUAL(kept, pressed + 1);
	EXPECT_EQUAL(console_input_dropped(), dropped);
	return NULL;
}

/* A keyboard that was held and went on is held again. */
CASE(scan_codes, keys_beyond_the_consoles_ring_wait_in_the_controller)
{
	const char *wrong = NULL;

	NEEDS_I8042();
	EXPECT(test_scan_codes_settle());
	for (int i = 0; i < 2 && wrong == NULL; i++)
		wrong = fill_the_ring();
	if (wrong != NULL)
		return wrong;
	EXPECT(test_scan_codes_send(CODE_A | RELEASED));
	EXPECT_EQUAL(test_scan_codes_stroke(CODE_A), 'a');
	return NULL;
}

CASE(scan_codes, keyboard_that_asks_again_gets_four_resends_at_most)
{
	uint64_t resends = i8042_resends();

	NEEDS_I8042();
	/* No such command: the keyboard says fe each time. */
	EXPECT_EQUAL(i8042_command_keyboard(0x77), -EIO);
	EXPECT_EQUAL(i8042_resends() - resends, 4);
	EXPECT_EQUAL(i8042_command_keyboard(0xf4), 0);
	EXPECT_EQUAL(i8042_resends() - resends, 4);
	EXPECT_EQUAL(test_scan_codes_stroke(CODE_A), 'a');
	return NULL;
}

CASE(scan_codes, wrong_answer_of_the_keyboard_is_a_timeout_and_no_hang)
{
	uint64_t begin = clock_microseconds();

	NEEDS_I8042();
	/* The keyboard returns ee for an echo, not an acknowledgement. */
	EXPECT_EQUAL(i8042_command_keyboard(0xee), -ETIMEDOUT);
	EXPECT(clock_microseconds() - begin < SECOND);
	EXPECT_EQUAL(i8042_command_keyboard(0xf4), 0);
	EXPECT_EQUAL(test_scan_codes_stroke(CODE_A), 'a');
	return NULL;
}

/*
 * The byte is fetched before the handler can: the edge may be latched in the
 * 8259 (then its interrupt finds nothing), or vanish with the byte (then there
 * is none, or a spurious one).
 */
CASE(scan_codes, interrupt_without_a_byte_is_counted_and_harmless)
{
	struct irq_statistics line[2];
	struct irq_statistics spurious[2];
	struct keyboard_statistics before = keyboard_statistics();
	struct keyboard_statistics after;
	bool enabled;
	bool full;
	int error;

	NEEDS_I8042();
	irq_statistics(KEYBOARD_IRQ, &line[0]);
	irq_statistics(LAST_OF_FIRST, &spurious[0]);
	enabled = arch_irq_save();
	error = i8042_raise(CODE_A);
	full = (inb(I8042_STATUS) & I8042_OUTPUT_FULL) != 0;
	inb(I8042_DATA);
	arch_irq_restore(enabled);
	/* And one that has no byte for sure. */
	arch_raise_irq_vector(KEYBOARD_IRQ);
	irq_statistics(KEYBOARD_IRQ, &line[1]);
	irq_statistics(LAST_OF_FIRST, &spurious[1]);
	after = keyboard_statistics();
	EXPECT_EQUAL(error, 0);
	EXPECT(full);
	EXPECT_EQUAL(after.codes, before.codes);
	EXPECT(after.empty > before.empty);
	EXPECT_EQUAL(line[1].taken - line[0].taken, after.empty - before.empty);
	EXPECT(spurious[1].taken - spurious[0].taken <= 1);
	EXPECT_EQUAL(spurious[1].taken - spurious[0].taken,
	             spurious[1].spurious - spurious[0].spurious);
	EXPECT_EQUAL(test_scan_codes_stroke(CODE_A), 'a');
	return NULL;
}

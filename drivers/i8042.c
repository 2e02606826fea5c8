/* SPDX-License-Identifier: MIT */
/*
 * drivers/i8042.c -- the PS/2 controller.
 *
 *	port 0x64 read	status         0x64 write	command
 *	port 0x60 read	output buffer  0x60 write	input buffer
 *
 * "Output" and "input" are the controller's words: output is what we read.  A
 * byte may be written only while INPUT_FULL is clear, and read only while
 * OUTPUT_FULL is set.  The commands used here:
 *
 *	20 / 60 byte	read / write the configuration
 *	a7 / a8		mouse port off / on
 *	aa		self-test: answers 55
 *	ab		test of the keyboard port: answers 00
 *	ad / ae		keyboard port off / on
 *	d2 byte		byte appears in the output buffer, with an interrupt,
 *			as if the keyboard had sent it
 *	d3 byte		the same as if the mouse had sent it
 *	fe		pulse the CPU's reset line
 *
 * The keyboard itself answers each command byte: fa, "acknowledged", or fe, "send
 * it again", which it may say when the byte came garbled.
 *
 * Locking: i8042.busy keeps a command and its byte, or its answer, together.  It
 * is not a spinlock, because the controller may take milliseconds, and interrupts
 * stay on meanwhile; a thread that finds it taken tries again.  The keyboard's
 * handler takes any byte: while a command waits for an answer, its line is masked.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller".
 */
#include "drivers/i8042.h"

#include "drivers/deadline.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/core/clock.h"
#include "kernel/core/irq.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"

#define COMMAND_READ_CONFIG  0x20
#define COMMAND_WRITE_CONFIG 0x60
#define COMMAND_AUX_OFF      0xa7
#define COMMAND_AUX_ON       0xa8
#define COMMAND_SELF_TEST    0xaa
#define COMMAND_PORT_TEST    0xab
#define COMMAND_KEYBOARD_OFF 0xad
#define COMMAND_KEYBOARD_ON  0xae
#define COMMAND_WRITE_OUTPUT 0xd2
#define COMMAND_WRITE_AUX    0xd3
#define COMMAND_RESET_CPU    0xfe

#define CONFIG_KEYBOARD_IRQ  0x01
#define CONFIG_AUX_IRQ       0x02
#define CONFIG_KEYBOARD_OFF  0x10
#define CONFIG_AUX_OFF       0x20
#define CONFIG_TRANSLATE     0x40

#define KEYBOARD_DEFAULTS    0xf6 /* scan code set 2, typematic on */
#define KEYBOARD_ENABLE      0xf4
#define KEYBOARD_ACK         0xfa
#define KEYBOARD_RESEND      0xfe
#define RESENDS              3

/* Microseconds.  A self-test may take real hardware some 100 ms. */
#define LIMIT_COMMAND        10000U
#define LIMIT_ANSWER         50000U
#define LIMIT_TEST           500000U
#define LIMIT_RAISE          20000U

#define KEYBOARD_LINE        1

#define FLUSH_BYTES          32 /* twice what a keyboard's own queue holds */

static struct {
	bool busy; /* atomic */
	bool present;
	uint8_t config;   /* as i8042_init() left it */
	uint64_t resends; /* atomic: times the keyboard said "again" */
} i8042;

/* Is the controller mine now?  i8042_end() gives it back. */
static bool i8042_try_begin(void)
{
	return !__atomic_exchange_n(&i8042.busy, true, __ATOMIC_ACQUIRE);
}

static void i8042_end(void)
{
	__atomic_store_n(&i8042.busy, false, __ATOMIC_RELEASE);
}

/* Thread context. */
static void i8042_begin(void)
{
	while (!i8042_try_begin())
		thread_sleep(UNTIL_NEXT_TICK);
}

/* Wait until the status bits MASK are VALUE. */
static int i8042_wait_status(uint8_t mask, uint8_t value, uint64_t micros)
{
	struct deadline deadline = deadline_in(micros);

	while ((inb(I8042_STATUS) & mask) != value) {
		if (deadline_passed(&deadline))
			return -ETIMEDOUT;
		arch_relax();
	}
	return 0;
}

static int write_command(uint8_t command)
{
	int error = i8042_wait_status(I8042_INPUT_FULL, 0, LIMIT_COMMAND);

	if (error == 0)
		outb(command, I8042_STATUS);
	return error;
}

static int write_data(uint8_t byte)
{
	int error = i8042_wait_status(I8042_INPUT_FULL, 0, LIMIT_COMMAND);

	if (error == 0)
		outb(byte, I8042_DATA);
	return error;
}

static int read_data(uint8_t *byte, uint64_t micros)
{
	int error =
		i8042_wait_status(I8042_OUTPUT_FULL, I8042_OUTPUT_FULL, micros);

	if (error == 0)
		*byte = inb(I8042_DATA);
	return error;
}

static void flush_output(void)
{
	for (unsigned int i = 0; i < FLUSH_BYTES; i++) {
		if (!(inb(I8042_STATUS) & I8042_OUTPUT_FULL))
			return;
		inb(I8042_DATA);
		io_wait();
	}
}

static int write_config(uint8_t config)
{
	int error = write_command(COMMAND_WRITE_CONFIG);

	return error != 0 ? error : write_data(config);
}

/* Send COMMAND; its one-byte answer must be GOOD. */
static int test(uint8_t command, uint8_t good, const char *name)
{
	uint8_t answer = 0;
	int error = write_command(command);

	if (error == 0)
		error = read_data(&answer, LIMIT_TEST);
	if (error != 0) {
		pr_warn("i8042: %s: no answer", name);
		return error;
	}
	if (answer != good) {
		pr_warn("i8042: %s failed: 0x%02x, expected 0x%02x", name,
		        answer, good);
		return -EIO;
	}
	return 0;
}

/* Read the configuration: the first sign of life. */
static int probe(uint8_t *config)
{
	int error;

	if (inb(I8042_STATUS) == 0xff) {
		pr_warn("i8042: no controller; no PS/2 keyboard");
		return -ENODEV;
	}
	error = write_command(COMMAND_KEYBOARD_OFF);
	if (error == 0)
		error = write_command(COMMAND_AUX_OFF);
	if (error == 0) {
		flush_output();
		error = write_command(COMMAND_READ_CONFIG);
	}
	if (error == 0)
		error = read_data(config, LIMIT_ANSWER);
	if (error != 0)
		pr_warn("i8042: controller does not answer; "
		        "no PS/2 keyboard");
	return error;
}

/* The keyboard's answer to the byte it was sent last: KEYBOARD_ACK,
 * KEYBOARD_RESEND, or 0 for none. */
static uint8_t keyboard_answer(void)
{
	uint8_t answer;

	/* Keys that were pressed meanwhile come before the answer. */
	for (unsigned int i = 0; i < FLUSH_BYTES; i++) {
		if (read_data(&answer, LIMIT_ANSWER) != 0)
			return 0;
		if (answer == KEYBOARD_ACK || answer == KEYBOARD_RESEND)
			return answer;
	}
	return 0;
}

/* A command to the keyboard itself, again while it asks for that: 0, -EIO (it
 * never stopped asking) or -ETIMEDOUT. */
static int command_keyboard(uint8_t command)
{
	for (unsigned int i = 0; i <= RESENDS; i++) {
		int error = write_data(command);
		uint8_t answer;

		if (error != 0)
			return error;
		answer = keyboard_answer();
		if (answer != KEYBOARD_RESEND)
			return answer == KEYBOARD_ACK ? 0 : -ETIMEDOUT;
		__atomic_fetch_add(&i8042.resends, 1, __ATOMIC_RELAXED);
	}
	return -EIO;
}

int i8042_command_keyboard(uint8_t command)
{
	int error;

	if (!i8042.present)
		return -ENODEV;
	i8042_begin();
	irq_mask(KEYBOARD_LINE);
	error = command_keyboard(command);
	irq_unmask(KEYBOARD_LINE);
	i8042_end();
	return error;
}

uint64_t i8042_resends(void)
{
	return __atomic_load_n(&i8042.resends, __ATOMIC_RELAXED);
}

int i8042_init(void)
{
	uint8_t config;
	int error = probe(&config);

	if (error != 0)
		return error;
	config &= (uint8_t) ~(CONFIG_KEYBOARD_IRQ | CONFIG_AUX_IRQ);
	config |= CONFIG_KEYBOARD_OFF | CONFIG_AUX_OFF | CONFIG_TRANSLATE;
	error = test(COMMAND_SELF_TEST, 0x55, "self-test");
	if (error == 0)
		error = test(COMMAND_PORT_TEST, 0x00, "keyboard port test");
	/* After the self-test: it may have put back the defaults. */
	if (error == 0)
		error = write_config(config);
	if (error == 0)
		error = write_command(COMMAND_KEYBOARD_ON);
	if (error != 0)
		return error;
	/* A keyboard that is not there is no error: it may be plugged in later,
	 * and i8042_raise() needs none. */
	if (command_keyboard(KEYBOARD_DEFAULTS) != 0 ||
	    command_keyboard(KEYBOARD_ENABLE) != 0)
		pr_notice("i8042: no keyboard answers");
	flush_output();
	config &= (uint8_t)~CONFIG_KEYBOARD_OFF;
	config |= CONFIG_KEYBOARD_IRQ;
	i8042.config = config;
	error = write_config(config);
	i8042.present = error == 0;
	if (i8042.present)
		pr_info("i8042: controller and keyboard port passed "
		        "their tests");
	return error;
}

bool i8042_present(void)
{
	return i8042.present;
}

/*
 * One attempt: 0, -EBUSY (a byte still waits to be fetched, or somebody else is
 * at the controller) or -ETIMEDOUT.
 */
static int try_raise(uint8_t command, uint8_t byte)
{
	int error = -EBUSY;

	if (!i8042_try_begin())
		return -EBUSY;
	if ((inb(I8042_STATUS) & (I8042_OUTPUT_FULL | I8042_INPUT_FULL)) == 0) {
		outb(command, I8042_STATUS);
		error = write_data(byte);
	}
	i8042_end();
	return error;
}

static int raise_by(uint8_t command, uint8_t byte)
{
	struct deadline deadline = deadline_in(LIMIT_RAISE);
	int error;

	if (!i8042.present)
		return -ENODEV;
	for (;;) {
		error = try_raise(command, byte);
		if (error != -EBUSY || deadline_passed(&deadline))
			break;
		arch_relax();
	}
	if (error == -EBUSY && (inb(I8042_STATUS) & I8042_INPUT_FULL))
		return -ETIMEDOUT;
	return error;
}

int i8042_raise(uint8_t byte)
{
	return raise_by(COMMAND_WRITE_OUTPUT, byte);
}

int i8042_raise_aux(uint8_t byte)
{
	return raise_by(COMMAND_WRITE_AUX, byte);
}

int i8042_enable_aux(bool on)
{
	uint8_t config = i8042.config;
	int error;

	if (!i8042.present)
		return -ENODEV;
	if (on) {
		config &= (uint8_t)~CONFIG_AUX_OFF;
		config |= CONFIG_AUX_IRQ;
	}
	i8042_begin();
	error = write_command(on ? COMMAND_AUX_ON : COMMAND_AUX_OFF);
	if (error == 0)
		error = write_config(config);
	i8042_end();
	return error;
}

void i8042_reset_cpu(void)
{
	if (i8042_wait_status(I8042_INPUT_FULL, 0, LIMIT_COMMAND) == 0) {
		outb(COMMAND_RESET_CPU, I8042_STATUS);
		/* The pulse takes a moment; a CPU that goes on was not reset. */
		i8042_wait_status(I8042_INPUT_FULL, I8042_INPUT_FULL,
		                  LIMIT_COMMAND);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * drivers/keyboard.c -- the PS/2 keyboard.
 *
 * The controller raises one edge on line 1 for each byte, and the next one
 * only after this byte has been read.  So the handler reads one byte and no
 * more: were it to read on while bytes come, it would fetch bytes whose edges
 * are already latched in the 8259, and the number of interrupts would not be
 * the number of codes, which the recorder relies on.
 *
 * The listener is called in each interrupt, with the scan code if it brought
 * one; then the code goes through the decoder, and what comes out of that into
 * the console's input ring.  Where that leaves no room for another key, line 1 is
 * masked until there is: the controller keeps the next byte, the keyboard those
 * behind it, and each is an interrupt later.
 *
 * Locking: keyboard.lock guards the listener and the statistics; the decoder
 * belongs to the handler, which never nests (its line is masked).
 */
#include "drivers/keyboard.h"

#include "drivers/i8042.h"
#include "drivers/keyboard_decoder.h"
#include "kernel/arch/io.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/console.h"
#include "kernel/core/irq.h"
#include "kernel/core/lock.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"

#define KEYBOARD_IRQ 1

static struct {
	struct spinlock lock;
	void (*listener)(int code, void *data);
	void *data;
	struct kbd_decoder decoder;
	struct keyboard_statistics statistics;
} keyboard = { .lock = SPINLOCK_INIT("keyboard") };

/* Read the byte there is and count it; -1 if it is not a scan code. */
static int read_code(void)
{
	struct keyboard_statistics *statistics = &keyboard.statistics;
	uint8_t status = inb(I8042_STATUS);
	uint8_t code;

	if (!(status & I8042_OUTPUT_FULL)) {
		statistics->empty++;
		return -1;
	}
	code = inb(I8042_DATA);
	if (status & I8042_AUX) {
		statistics->aux++;
		return -1;
	}
	statistics->codes++;
	if (code == 0x00 || code == 0xff)
		statistics->overruns++;
	return code;
}

static void keyboard_resume(void)
{
	irq_unmask(KEYBOARD_IRQ);
}

static struct console_source keyboard_source = {
	.resume = keyboard_resume,
};

static void keyboard_interrupt(int irq __unused, void *dev_id __unused)
{
	void (*listener)(int code, void *data);
	bool enabled;
	void *data;
	int code;
	int key;

	enabled = spin_lock_irqsave(&keyboard.lock);
	code = read_code();
	listener = keyboard.listener;
	data = keyboard.data;
	spin_unlock_irqrestore(&keyboard.lock, enabled);
	if (listener != NULL) {
		irqsoff_set_place((uintptr_t)listener + 1);
		listener(code, data);
	}
	if (code < 0)
		return;
	key = kbd_decode(&keyboard.decoder, (uint8_t)code);
	if (key < 0)
		return;
	console_input(key);
	/* First masked, or somebody may resume in between. */
	irq_mask(KEYBOARD_IRQ);
	if (console_room(&keyboard_source))
		irq_unmask(KEYBOARD_IRQ);
}

int keyboard_poll_key(void)
{
	static struct kbd_decoder decoder;
	uint8_t status;

	if (!i8042_present())
		return -1;
	status = inb(I8042_STATUS);
	if (!(status & I8042_OUTPUT_FULL))
		return -1;
	if (status & I8042_AUX) {
		inb(I8042_DATA);
		return -1;
	}
	return kbd_decode(&decoder, inb(I8042_DATA));
}

void keyboard_set_listener(void (*listener)(int code, void *data), void *data)
{
	bool enabled = spin_lock_irqsave(&keyboard.lock);

	keyboard.listener = listener;
	keyboard.data = data;
	spin_unlock_irqrestore(&keyboard.lock, enabled);
}

int keyboard_init(void)
{
	int error;

	if (!i8042_present())
		return -ENODEV;
	console_register_source(&keyboard_source);
	error = request_irq(KEYBOARD_IRQ, keyboard_interrupt, "keyboard", NULL);
	if (error != 0)
		pr_err("keyboard: no line %d: error %d", KEYBOARD_IRQ, -error);
	return error;
}

struct keyboard_statistics keyboard_statistics(void)
{
	bool enabled = spin_lock_irqsave(&keyboard.lock);
	struct keyboard_statistics copy = keyboard.statistics;

	spin_unlock_irqrestore(&keyboard.lock, enabled);
	return copy;
}

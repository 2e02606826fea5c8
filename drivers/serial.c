/* SPDX-License-Identifier: MIT */
/*
 * drivers/serial.c -- the 16550 UART at COM1.
 *
 * Output is polled: when LSR says that the transmitter is empty, its FIFO takes
 * sixteen bytes, and 115200 bits a second carry one byte in 87 microseconds.  A
 * port that does not become ready within about a second (an emulator whose
 * reader is slow) is taken for stuck: its bytes are dropped and counted, one
 * look each, until it is ready again.  So output ends, whatever the other side
 * does, and a reader that is late loses nothing.
 *
 * Input comes by interrupt.  Line 4 is edge triggered: a handler that returns
 * while the UART still has a reason to interrupt would never be called again.
 * So one that leaves bytes behind, or finds that IIR names a reason still,
 * switches the UART's interrupts off and on, which makes a new edge.  It takes at
 * most as many bytes as the FIFO has, for interrupts are off meanwhile.
 *
 * Where the console's ring has no room, the port is held: its interrupt is
 * switched off, RTS says "wait", and what comes stays in the FIFO.  A line with
 * hardware flow control, and an emulator's always, then holds the sender.  When
 * there is room the console resumes it.  Bytes that came before the driver are
 * kept (drivers/uart.c), so a sender may begin before the kernel does.
 *
 * Locking: serial.lock is held for one call of the sink (a line: up to 7 ms on a
 * real port), so that lines stay whole.  Interrupts stay on meanwhile: handlers
 * leave their lines to a thread (kernel/core/printk.c).  In a panic the lock is
 * tried and then ignored.  serial.input_lock guards what decides about the
 * receiver's interrupt; under it the console's lock is taken, never the other way.
 *
 * Source: National Semiconductor PC16550D data sheet, section 8.
 */
#include "drivers/serial.h"

#include "drivers/ansi_keys.h"
#include "drivers/uart.h"
#include "kernel/core/console.h"
#include "kernel/core/irq.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"

#define SERIAL_IRQ    4
#define PORT          UART_COM1

/* Bytes that one interrupt takes: interrupts are off meanwhile, and each costs
 * 1500 instructions.  The rest interrupts again immediately. */
#define BYTES_AT_ONCE 8U

/* Keys of others for which there is room while the port is held. */
#define SPARE_KEYS    64U

static struct {
	struct spinlock lock;
	struct spinlock input_lock;
	bool present;
	bool stuck;
	unsigned int room; /* bytes the FIFO surely takes */
	struct ansi_keys keys;
	struct serial_statistics statistics;
} serial = {
	.lock = SPINLOCK_INIT("serial"),
	.input_lock = SPINLOCK_INIT("serial input"),
};

static void serial_write_byte(uint8_t byte)
{
	if (serial.room == 0) {
		unsigned int polls = serial.stuck ? 1 : UART_POLLS_A_SECOND;

		serial.stuck = !uart_wait(PORT, UART_LSR_THR_EMPTY, polls);
		if (serial.stuck) {
			serial.statistics.dropped++;
			return;
		}
		serial.room = UART_FIFO_BYTES;
	}
	serial.room--;
	uart_write(PORT, UART_DATA, byte);
}

static void serial_write(const char *text, size_t size)
{
	struct console_writer writer;

	if (!console_begin_write(&writer, &serial.lock) &&
	    !panic_in_progress()) {
		serial.statistics.dropped += size;
		return;
	}
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			serial_write_byte('\r');
		serial_write_byte((uint8_t)text[i]);
	}
	console_end_write(&writer);
}

static struct console_sink serial_sink = {
	.name = "serial",
	.write = serial_write,
};

static void take_byte(uint8_t byte)
{
	int key = ansi_keys_decode(&serial.keys, byte);

	serial.statistics.received++;
	if (key >= 0)
		console_input(key);
}

int serial_early_init(void)
{
	if (!uart_init(PORT, take_byte)) {
		pr_notice("serial: no UART at 0x%x", PORT);
		return -ENODEV;
	}
	serial.present = true;
	console_register_sink(&serial_sink);
	return 0;
}

/* There is room again: bytes in the FIFO interrupt immediately. */
static void serial_resume(void)
{
	bool enabled = spin_lock_irqsave(&serial.input_lock);

	uart_set_ready(PORT, true);
	uart_write(PORT, UART_IER, UART_IER_RECEIVED);
	spin_unlock_irqrestore(&serial.input_lock, enabled);
}

static struct console_source serial_source = {
	.resume = serial_resume,
	.spare = SPARE_KEYS,
};

enum serial_input {
	INPUT_NONE, /* all is taken */
	INPUT_MORE, /* perhaps not all */
	INPUT_HELD, /* there is no room for more */
};

static enum serial_input serial_receive(void)
{
	for (unsigned int i = 0; i < BYTES_AT_ONCE; i++) {
		uint8_t status = uart_read(PORT, UART_LSR);

		/* The port is gone. */
		if (status == 0xff)
			return INPUT_NONE;
		if (status & UART_LSR_OVERRUN)
			serial.statistics.overruns++;
		if (!(status & UART_LSR_DATA))
			return INPUT_NONE;
		if (!console_room(&serial_source))
			return INPUT_HELD;
		take_byte(uart_read(PORT, UART_DATA));
	}
	return INPUT_MORE;
}

static void serial_interrupt(int irq __unused, void *dev_id __unused)
{
	bool enabled = spin_lock_irqsave(&serial.input_lock);
	enum serial_input input = serial_receive();

	/* Reasons that were not asked for are cleared by reading. */
	uart_read(PORT, UART_MSR);
	if (input == INPUT_HELD) {
		uart_write(PORT, UART_IER, 0);
		uart_set_ready(PORT, false);
	} else if (!(uart_read(PORT, UART_IIR) & UART_IIR_NONE) ||
	           input == INPUT_MORE) {
		uart_write(PORT, UART_IER, 0);
		uart_write(PORT, UART_IER, UART_IER_RECEIVED);
	}
	spin_unlock_irqrestore(&serial.input_lock, enabled);
}

int serial_init(void)
{
	int error;

	if (!serial.present)
		return -ENODEV;
	error = request_irq(SERIAL_IRQ, serial_interrupt, "serial", NULL);
	console_register_source(&serial_source);
	if (error == 0)
		serial_resume();
	else
		pr_err("serial: no line %d: error %d; no input", SERIAL_IRQ,
		       -error);
	return error;
}

void serial_drain(void)
{
	if (serial.present)
		uart_wait(PORT, UART_LSR_ALL_EMPTY, UART_POLLS_20_MS);
}

struct serial_statistics serial_statistics(void)
{
	struct serial_statistics copy;

	spin_lock(&serial.lock);
	copy = serial.statistics;
	spin_unlock(&serial.lock);
	return copy;
}

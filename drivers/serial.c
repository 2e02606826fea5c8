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
 * It therefore asks IIR until that says "none", and if that takes too long it
 * switches the UART's interrupts off and on, which makes a new edge.
 *
 * Locking: serial.lock is held, interrupts off, for one call of the sink (a
 * line: up to 7 ms on a real port), so that lines stay whole.  In a panic it is
 * tried and then ignored.
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

#define SERIAL_IRQ   4
#define PORT         UART_COM1

#define INPUT_ROUNDS 64U

static struct {
	struct spinlock lock;
	bool present;
	bool stuck;
	unsigned int room; /* bytes the FIFO surely takes */
	struct ansi_keys keys;
	struct serial_statistics statistics;
} serial = { .lock = SPINLOCK_INIT("serial") };

static void write_byte(uint8_t byte)
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
	bool enabled = false;
	bool locked = true;

	if (panic_in_progress())
		locked = spin_trylock_irqsave(&serial.lock, &enabled);
	else
		enabled = spin_lock_irqsave(&serial.lock);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			write_byte('\r');
		write_byte((uint8_t)text[i]);
	}
	if (locked)
		spin_unlock_irqrestore(&serial.lock, enabled);
}

static struct console_sink serial_sink = {
	.name = "serial",
	.write = serial_write,
};

int serial_early_init(void)
{
	if (!uart_init(PORT)) {
		pr_notice("serial: no UART at 0x%x", PORT);
		return -ENODEV;
	}
	serial.present = true;
	console_register_sink(&serial_sink);
	return 0;
}

static void receive(void)
{
	uint8_t status = uart_read(PORT, UART_LSR);

	/* 0xff: the port is gone. */
	for (unsigned int i = 0; i < INPUT_ROUNDS && status != 0xff; i++) {
		int key;

		if (status & UART_LSR_OVERRUN)
			serial.statistics.overruns++;
		if (!(status & UART_LSR_DATA))
			return;
		serial.statistics.received++;
		key = ansi_keys_decode(&serial.keys,
		                       uart_read(PORT, UART_DATA));
		if (key >= 0)
			console_input(key);
		status = uart_read(PORT, UART_LSR);
	}
}

static void serial_interrupt(int irq __unused, void *dev_id __unused)
{
	for (unsigned int i = 0; i < INPUT_ROUNDS; i++) {
		receive();
		/* Reasons that were not asked for are cleared by reading. */
		uart_read(PORT, UART_MSR);
		if (uart_read(PORT, UART_IIR) & UART_IIR_NONE)
			return;
	}
	uart_write(PORT, UART_IER, 0);
	uart_write(PORT, UART_IER, UART_IER_RECEIVED);
}

int serial_init(void)
{
	int error;

	if (!serial.present)
		return -ENODEV;
	error = request_irq(SERIAL_IRQ, serial_interrupt, "serial", NULL);
	if (error == 0)
		uart_write(PORT, UART_IER, UART_IER_RECEIVED);
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
	bool enabled = spin_lock_irqsave(&serial.lock);
	struct serial_statistics copy = serial.statistics;

	spin_unlock_irqrestore(&serial.lock, enabled);
	return copy;
}

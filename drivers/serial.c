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
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/core/console.h"
#include "kernel/core/irq.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"

#define SERIAL_IRQ     4
#define PORT           0x3f8

#define REG_DATA       0 /* with DLAB: divisor, low byte */
#define REG_IER        1 /* with DLAB: divisor, high byte */
#define REG_IIR        2 /* read; FCR when written */
#define REG_FCR        2
#define REG_LCR        3
#define REG_MCR        4
#define REG_LSR        5
#define REG_MSR        6

#define IER_RECEIVED   0x01
#define IIR_NONE       0x01
#define FCR_ENABLE     0xc7 /* on, both emptied, interrupt at 14 bytes */
#define LCR_8N1        0x03
#define LCR_DLAB       0x80
#define MCR_NORMAL     0x0b /* DTR, RTS, OUT2: the gate of line 4 */
#define MCR_LOOPBACK   0x1e
#define LSR_DATA       0x01
#define LSR_OVERRUN    0x02
#define LSR_THR_EMPTY  0x20
#define LSR_ALL_EMPTY  0x40
#define DIVISOR_115200 1

#define FIFO_BYTES     16
#define LOOPBACK_BYTE  0xae
/* A read of a port takes about a microsecond, a quarter at the very least. */
#define POLLS_20_MS    80000U
#define POLLS_STUCK    2000000U
#define INPUT_ROUNDS   64U

static struct {
	struct spinlock lock;
	bool present;
	bool stuck;
	unsigned int room; /* bytes the FIFO surely takes */
	struct ansi_keys keys;
	struct serial_statistics statistics;
} serial = { .lock = SPINLOCK_INIT("serial") };

static uint8_t read_register(unsigned int reg)
{
	return inb((uint16_t)(PORT + reg));
}

static void write_register(unsigned int reg, uint8_t value)
{
	outb(value, (uint16_t)(PORT + reg));
}

/* Wait until one of the bits BITS of LSR is set; false: not in time. */
static bool wait_line_status(uint8_t bits, unsigned int polls)
{
	for (; polls > 0; polls--) {
		if (read_register(REG_LSR) & bits)
			return true;
		arch_relax();
	}
	return false;
}

static void write_byte(uint8_t byte)
{
	if (serial.room == 0) {
		unsigned int polls = serial.stuck ? 1 : POLLS_STUCK;

		serial.stuck = !wait_line_status(LSR_THR_EMPTY, polls);
		if (serial.stuck) {
			serial.statistics.dropped++;
			return;
		}
		serial.room = FIFO_BYTES;
	}
	serial.room--;
	write_register(REG_DATA, byte);
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

/* A byte sent in loopback mode comes back if there is a UART. */
static bool loops_back(void)
{
	bool good;

	write_register(REG_MCR, MCR_LOOPBACK);
	write_register(REG_DATA, LOOPBACK_BYTE);
	good = wait_line_status(LSR_DATA, POLLS_20_MS) &&
	       read_register(REG_DATA) == LOOPBACK_BYTE;
	write_register(REG_MCR, MCR_NORMAL);
	return good;
}

int serial_early_init(void)
{
	write_register(REG_IER, 0);
	write_register(REG_LCR, LCR_DLAB);
	write_register(REG_DATA, DIVISOR_115200);
	write_register(REG_IER, 0);
	write_register(REG_LCR, LCR_8N1);
	write_register(REG_FCR, FCR_ENABLE);
	if (!loops_back()) {
		pr_notice("serial: no UART at 0x%x", PORT);
		return -ENODEV;
	}
	serial.present = true;
	console_register_sink(&serial_sink);
	return 0;
}

static void receive(void)
{
	uint8_t status = read_register(REG_LSR);

	/* 0xff: the port is gone. */
	for (unsigned int i = 0; i < INPUT_ROUNDS && status != 0xff; i++) {
		int key;

		if (status & LSR_OVERRUN)
			serial.statistics.overruns++;
		if (!(status & LSR_DATA))
			return;
		serial.statistics.received++;
		key = ansi_keys_decode(&serial.keys, read_register(REG_DATA));
		if (key >= 0)
			console_input(key);
		status = read_register(REG_LSR);
	}
}

static void serial_interrupt(int irq __unused, void *dev_id __unused)
{
	for (unsigned int i = 0; i < INPUT_ROUNDS; i++) {
		receive();
		/* Reasons that were not asked for are cleared by reading. */
		read_register(REG_MSR);
		if (read_register(REG_IIR) & IIR_NONE)
			return;
	}
	write_register(REG_IER, 0);
	write_register(REG_IER, IER_RECEIVED);
}

int serial_init(void)
{
	int error;

	if (!serial.present)
		return -ENODEV;
	error = request_irq(SERIAL_IRQ, serial_interrupt, "serial", NULL);
	if (error == 0)
		write_register(REG_IER, IER_RECEIVED);
	else
		pr_err("serial: no line %d: error %d; no input", SERIAL_IRQ,
		       -error);
	return error;
}

void serial_drain(void)
{
	if (serial.present)
		wait_line_status(LSR_ALL_EMPTY, POLLS_20_MS);
}

struct serial_statistics serial_statistics(void)
{
	bool enabled = spin_lock_irqsave(&serial.lock);
	struct serial_statistics copy = serial.statistics;

	spin_unlock_irqrestore(&serial.lock, enabled);
	return copy;
}

/* SPDX-License-Identifier: MIT */
/*
 * drivers/uart.c -- the 16550, whichever port it is at.
 */
#include "drivers/uart.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"

#define FCR_ENABLE     0xc1 /* on, interrupt at 14 bytes; nothing is emptied */
#define IIR_FIFOS      0xc0 /* they are on */
#define LCR_8N1        0x03
#define LCR_DLAB       0x80
#define MCR_NORMAL     0x0b /* DTR, RTS, OUT2: the gate of the interrupt */
#define MCR_WAIT       0x09 /* the same without RTS */
#define DIVISOR_115200 1

/* In loopback mode DTR, RTS, OUT1 and OUT2 are seen as DSR, CTS, RI and DCD. */
#define MCR_RTS_OUT2   0x1a
#define MSR_CTS_DCD    0x90
#define MCR_DTR_OUT1   0x15
#define MSR_DSR_RI     0x60
#define MSR_LINES      0xf0

/* A transmission to a UART without FIFOs ends after so long a silence. */
#define QUIET_POLLS    UART_POLLS_20_MS
#define KEPT_BYTES     1024U

uint8_t uart_read(uint16_t port, unsigned int reg)
{
	return inb((uint16_t)(port + reg));
}

void uart_write(uint16_t port, unsigned int reg, uint8_t value)
{
	outb(value, (uint16_t)(port + reg));
}

bool uart_wait(uint16_t port, uint8_t bits, unsigned int polls)
{
	for (; polls > 0; polls--) {
		if (uart_read(port, UART_LSR) & bits)
			return true;
		arch_relax();
	}
	return false;
}

void uart_set_ready(uint16_t port, bool ready)
{
	uart_write(port, UART_MCR, ready ? MCR_NORMAL : MCR_WAIT);
}

/* Without a byte: one that came in loopback mode would be taken for our own, and
 * one that had arrived before would be lost. */
static bool loops_back(uint16_t port)
{
	bool good;

	uart_write(port, UART_MCR, MCR_RTS_OUT2);
	good = (uart_read(port, UART_MSR) & MSR_LINES) == MSR_CTS_DCD;
	uart_write(port, UART_MCR, MCR_DTR_OUT1);
	good = good && (uart_read(port, UART_MSR) & MSR_LINES) == MSR_DSR_RI;
	uart_write(port, UART_MCR, MCR_NORMAL);
	return good;
}

/*
 * Switching the FIFOs on empties them and the register behind which the sender
 * waits.  So what is there is taken first, and what follows, until nobody sends.
 */
static void keep_bytes(uint16_t port, void (*keep)(uint8_t byte))
{
	for (unsigned int kept = 0; kept < KEPT_BYTES; kept++) {
		unsigned int polls = kept == 0 ? 1 : QUIET_POLLS;

		if (!uart_wait(port, UART_LSR_DATA, polls))
			return;
		keep(uart_read(port, UART_DATA));
	}
}

bool uart_init(uint16_t port, void (*keep)(uint8_t byte))
{
	uart_write(port, UART_IER, 0);
	if (!loops_back(port))
		return false;
	uart_write(port, UART_LCR, LCR_DLAB);
	uart_write(port, UART_DATA, DIVISOR_115200);
	uart_write(port, UART_IER, 0);
	uart_write(port, UART_LCR, LCR_8N1);
	if (keep != NULL &&
	    (uart_read(port, UART_IIR) & IIR_FIFOS) != IIR_FIFOS)
		keep_bytes(port, keep);
	uart_write(port, UART_FCR, FCR_ENABLE);
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * drivers/uart.c -- the 16550, whichever port it is at.
 */
#include "drivers/uart.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"

#define FCR_ENABLE     0xc7 /* on, both emptied, interrupt at 14 bytes */
#define LCR_8N1        0x03
#define LCR_DLAB       0x80
#define MCR_NORMAL     0x0b /* DTR, RTS, OUT2: the gate of the interrupt */
#define MCR_LOOPBACK   0x1e
#define DIVISOR_115200 1

#define LOOPBACK_BYTE  0xae

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

static bool loops_back(uint16_t port)
{
	bool good;

	uart_write(port, UART_MCR, MCR_LOOPBACK);
	uart_write(port, UART_DATA, LOOPBACK_BYTE);
	good = uart_wait(port, UART_LSR_DATA, UART_POLLS_20_MS) &&
	       uart_read(port, UART_DATA) == LOOPBACK_BYTE;
	uart_write(port, UART_MCR, MCR_NORMAL);
	return good;
}

bool uart_init(uint16_t port)
{
	uart_write(port, UART_IER, 0);
	uart_write(port, UART_LCR, LCR_DLAB);
	uart_write(port, UART_DATA, DIVISOR_115200);
	uart_write(port, UART_IER, 0);
	uart_write(port, UART_LCR, LCR_8N1);
	uart_write(port, UART_FCR, FCR_ENABLE);
	return loops_back(port);
}

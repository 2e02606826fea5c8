/* SPDX-License-Identifier: MIT */
/*
 * drivers/serial2.c -- the 16550 UART at COM2.
 *
 * The writer is a thread that may wait.  When the transmitter is empty
 * its FIFO takes sixteen bytes, which are on the line for 1.4 ms; meanwhile the
 * thread sleeps.  No interrupt is needed, so line 3 stays free.
 */
#include "drivers/serial2.h"

#include "drivers/uart.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"

/* As long as 16 bytes are on the line, in microseconds. */
#define FIFO_TIME  1400

/* An emulated port is ready again immediately. */
#define SHORT_WAIT 16U

int serial2_init(void)
{
	return uart_init(UART_COM2, NULL) ? 0 : -ENODEV;
}

static void wait_for_room(void)
{
	while (!uart_wait(UART_COM2, UART_LSR_THR_EMPTY, SHORT_WAIT))
		thread_sleep(FIFO_TIME);
}

void serial2_write(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (i % UART_FIFO_BYTES == 0)
			wait_for_room();
		uart_write(UART_COM2, UART_DATA, (uint8_t)text[i]);
	}
}

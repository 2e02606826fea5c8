/* SPDX-License-Identifier: MIT */
/*
 * drivers/uart.h -- the registers of a 16550 UART, and detecting one.
 *
 * For the drivers of the serial ports: COM1 is a console (drivers/serial.c),
 * COM2 a line for machines (drivers/serial2.c).
 *
 * Source: National Semiconductor PC16550D data sheet, section 8.
 */
#ifndef DRIVERS_UART_H
#define DRIVERS_UART_H

#include "lib/types.h"

#define UART_COM1           0x3f8
#define UART_COM2           0x2f8

#define UART_DATA           0 /* with DLAB: divisor, low byte */
#define UART_IER            1 /* with DLAB: divisor, high byte */
#define UART_IIR            2 /* read; FCR when written */
#define UART_FCR            2
#define UART_LCR            3
#define UART_MCR            4
#define UART_LSR            5
#define UART_MSR            6

#define UART_IER_RECEIVED   0x01
#define UART_IIR_NONE       0x01
#define UART_LSR_DATA       0x01
#define UART_LSR_OVERRUN    0x02
#define UART_LSR_THR_EMPTY  0x20
#define UART_LSR_ALL_EMPTY  0x40

#define UART_FIFO_BYTES     16

/* A read of a port takes about a microsecond, a quarter at the very least. */
#define UART_POLLS_20_MS    80000U
#define UART_POLLS_A_SECOND 2000000U

uint8_t uart_read(uint16_t port, unsigned int reg);
void uart_write(uint16_t port, unsigned int reg, uint8_t value);

/* Wait until one of the bits BITS of LSR is set; false: not in POLLS looks. */
bool uart_wait(uint16_t port, uint8_t bits, unsigned int polls);

/*
 * Set the UART at PORT to 115200 8N1, FIFOs on, its interrupts off.  Bytes
 * that it has received are not lost: FIFOs that are on stay as they are, and the bytes
 * of one without are given to KEEP (NULL: they are dropped).  Returns whether
 * there is one: in loopback mode its modem lines must follow its own.  Any
 * context.
 */
bool uart_init(uint16_t port, void (*keep)(uint8_t byte));

/* Ask the other side to send (RTS), or to wait.  Any context. */
void uart_set_ready(uint16_t port, bool ready);

#endif

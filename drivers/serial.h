/* SPDX-License-Identifier: MIT */
/*
 * drivers/serial.h -- COM1, 115200 8N1: a console sink and a source of keys.
 */
#ifndef DRIVERS_SERIAL_H
#define DRIVERS_SERIAL_H

#include "lib/types.h"

/*
 * Look for the port, set it up and register the sink "serial", which writes by
 * polling and so works immediately and in panics.  Returns 0, or -ENODEV if no UART
 * answers (which is logged).  Once, early in boot.
 */
int serial_early_init(void);

/*
 * Take keys from the port, by interrupt (line 4).  Returns 0, -ENODEV, or what
 * request_irq() said (said in the log, too).  Thread context.
 */
int serial_init(void);

/* Wait until the last bit has left (at most 20 ms).  Any context. */
void serial_drain(void);

struct serial_statistics {
	uint64_t received;
	uint64_t overruns; /* bytes that came before theirs was fetched */
	uint64_t dropped;  /* bytes that the port did not take in time */
};
struct serial_statistics serial_statistics(void);

#endif

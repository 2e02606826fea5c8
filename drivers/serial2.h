/* SPDX-License-Identifier: MIT */
/*
 * drivers/serial2.h -- COM2, 115200 8N1: a line for machines, out only.
 */
#ifndef DRIVERS_SERIAL2_H
#define DRIVERS_SERIAL2_H

#include "lib/types.h"

/* Look for the port and set it up.  0, or -ENODEV if no UART answers. */
int serial2_init(void);

/*
 * Send SIZE bytes of TEXT, all of them, however long the other side takes:
 * while it takes nothing the caller sleeps.  Thread context; one caller.
 */
void serial2_write(const char *text, size_t size);

#endif

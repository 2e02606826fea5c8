/* SPDX-License-Identifier: MIT */
/*
 * drivers/pic.h -- the two 8259 interrupt controllers.
 */
#ifndef DRIVERS_PIC_H
#define DRIVERS_PIC_H

#include "lib/types.h"

/*
 * Move the sixteen lines to vectors 32..47, mask all of them, and register the
 * chip with kernel/core/irq.h.  If nothing answers at the ports: a message, no
 * chip, -ENODEV.  Returns 0 otherwise.  Once, during boot, interrupts off.
 */
int pic_init(void);

#endif

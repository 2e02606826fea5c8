/* SPDX-License-Identifier: MIT */
/*
 * drivers/ata.h -- ATA disks on the two legacy IDE channels.
 *
 *	hda hdb   0x1f0, irq 14   master and slave of the first channel
 *	hdc hdd   0x170, irq 15   of the second
 */
#ifndef DRIVERS_ATA_H
#define DRIVERS_ATA_H

#include "lib/types.h"

/*
 * Look for disks.  Waits have time limits: without a controller, or with a dead
 * one, it says so and returns.  Returns the number of disks.  Thread context,
 * once; the timer runs.
 */
unsigned int ata_init(void);

/* Take the lines and register the disks with the block layer, whose thread
 * runs.  Thread context, once. */
void ata_register(void);

/* From the next request on: DMA where there is a choice, or never.  As ata= on
 * the command line.  Any context. */
void ata_set_dma(bool on);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/movable_zone.h -- ZONE_MOVABLE of this machine, `kernelcore=` and `movablecore=`.
 */
#ifndef KERNEL_MOVABLE_ZONE_H
#define KERNEL_MOVABLE_ZONE_H

#include "mm/boot/memmap.h"

/* The first frame of ZONE_MOVABLE; ~0UL: there is none, and the log says why if the
 * command line wanted one.  At boot, once. */
unsigned long movable_zone_start(const struct memmap *map);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/swap_device.h -- disks to swap to.
 */
#ifndef KERNEL_SWAP_DEVICE_H
#define KERNEL_SWAP_DEVICE_H

#include "mm/swap/swap.h"

/* The swap device on block device NAME ("hda2"), always the same one for a name.
 * NULL: there is no such disk or partition.  Thread context. */
struct swap_device *swap_device_find(const char *name);

#endif

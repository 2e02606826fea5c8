/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swapfile.h -- areas on and off.
 */
#ifndef MM_SWAP_SWAPFILE_H
#define MM_SWAP_SWAPFILE_H

#include "mm/swap/swap.h"

/*
 * Read the header of DEVICE and use what it describes from now on.  PRIORITY: 0 ..
 * 32767, or -1: below all existing ones.  *WHY (may be NULL) is a sentence if the
 * header is at fault.  0; -EINVAL: no valid header; -EBUSY: it is on, or claimed by
 * another user; -ENOSPC: MAX_SWAPFILES are; -ENOMEM; the error of the device; -EFAULT:
 * *WHY is not the caller's to write.  A larger area is used up to
 * SWAP_MAX_SLOTS.  Thread context; may sleep.
 */
__must_check int swapon(struct swap_device *device, int priority,
                        const char **why);

/*
 * Bring everything on DEVICE back into memory and forget the area.  0; -ENXIO: it is
 * not on (or somebody else is at this); -EINTR: the thread was killed; -ENOMEM,
 * -EBUSY, the error of the device: the area is on as before, and nothing is
 * lost.  Thread context; may sleep, for as long as it takes to read all of it.
 */
__must_check int swapoff(struct swap_device *device);

/*
 * swapoff() empties an area by UNUSE(TYPE): it brings back all that is on area TYPE,
 * as anon_unuse() promises.  Once, before any swapoff.
 */
void swapoff_register(int (*unuse)(unsigned int type));

#endif

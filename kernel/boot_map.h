/* SPDX-License-Identifier: MIT */
/*
 * kernel/boot_map.h -- the memory map that the kernel was started with.
 */
#ifndef KERNEL_BOOT_MAP_H
#define KERNEL_BOOT_MAP_H

struct memmap;

/*
 * The cleaned map, with what was taken from it before the buddy began; the
 * loader's own entries are behind its BOOT.  It does not change after boot.
 * For reports and tests, any context.
 */
const struct memmap *boot_memmap(void);

#endif

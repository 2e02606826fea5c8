/* SPDX-License-Identifier: MIT */
/*
 * kernel/boot_memory.h -- from the loader's memory map to the page allocator.
 *
 * For kmain(), which calls them in this order, once each unless a comment says
 * otherwise.  They panic if they fail.
 */
#ifndef KERNEL_BOOT_MEMORY_H
#define KERNEL_BOOT_MEMORY_H

#include "lib/types.h"

struct boot_info;
struct memmap;
struct node;

/* The page tables of boot.asm map this much. */
#define BOOT_MAPPED GIB

/*
 * Read the boot information at INFO, which ends before LIMIT bytes.  Called again
 * when INFO has another address, because map_memory() removes the boot tables.
 */
void read_boot_info(uint32_t magic, const void *info, uint64_t limit);

/*
 * The first of all: map the framebuffer that the boot information at INFO describes.
 * Returns its address until map_memory(), which gives it another one, or NULL: there is
 * none, or the information is broken, of which read_boot_info() will speak.
 */
void *boot_map_pixels(uint32_t magic, const void *info, uint64_t limit);

/* Build the memory map, and reserve the memory that is in use. */
void find_memory(uint64_t info_physical);

/* Replace the page tables of boot.asm by tables that map all memory. */
void map_memory(uint64_t info_physical);

/* Set up the memory manager, and free the rest of the map to it; returns the node. */
struct node *mm_init(uint64_t info_physical);

/* Walk all page tables: no mapping is writable and executable. */
void check_boot_mappings(void);

/* Print the state of the node and the columns of its pages, for a panic. */
void report_memory(void);

/* The boot information, as read.  Any context. */
const struct boot_info *boot_information(void);

/*
 * The cleaned map, and the ranges reserved in it before the buddy allocator started;
 * its BOOT has the loader's own entries.  It does not change after boot.
 * For reports and tests, any context.
 */
const struct memmap *boot_memmap(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/multiboot2.h -- reads the boot information, trusting nothing.
 *
 * Source: Multiboot2 Specification version 2.0, section 3.6 "Boot information
 * format".  Every size and offset is checked against the size of the whole;
 * the walk is bounded.  Pure: no output, no allocation; runs on the host.
 */
#ifndef KERNEL_CORE_MULTIBOOT2_H
#define KERNEL_CORE_MULTIBOOT2_H

#include "lib/types.h"

#define MULTIBOOT2_BOOT_MAGIC 0x36d76289U

#define BOOT_MAX_MODULES      64
#define BOOT_MAX_SECTIONS     64

/* Types of the memory map; any other number means reserved. */
#define BOOT_MEMORY_USABLE    1

struct boot_range {
	uint64_t start; /* physical, bytes */
	uint64_t end;   /* first byte behind it */
};

/* Where the loader's picture is: PIXEL_BYTES is 3 or 4, or 0 if there is none of
 * pixels whose bits are colours. */
struct boot_framebuffer {
	uint64_t address; /* physical */
	uint32_t pitch;   /* bytes from a row to the next */
	uint32_t width;   /* pixels */
	uint32_t height;
	uint8_t pixel_bytes;
	uint8_t shift[3]; /* red, green, blue: the lowest bit, */
	uint8_t bits[3];  /* and how many, 1 to 8 */
};

struct boot_info {
	uint64_t size;            /* bytes of the boot information */
	const char *command_line; /* NUL within bounds; "" if none */
	const char *loader;       /* the same */
	/* The memory map stays where it is and is read through these. */
	const uint8_t *map;
	uint32_t map_entry_size;
	uint32_t map_entries;
	unsigned int modules;
	unsigned int modules_dropped; /* beyond the array */
	struct boot_range module[BOOT_MAX_MODULES];
	/* ELF sections that GRUB loaded and the kernel image does not cover. */
	unsigned int sections;
	unsigned int sections_dropped;
	struct boot_range section[BOOT_MAX_SECTIONS];
	struct boot_framebuffer framebuffer;
};

/*
 * Read the boot information at INFO; at most LIMIT bytes are readable there.
 * Returns NULL, or a sentence that says what is wrong with it; then *BOOT holds
 * what was read before the fault was met.
 */
const char *multiboot2_read(const void *info, uint64_t limit,
                            struct boot_info *boot);

/*
 * Entry INDEX of the map.  Returns its type; LENGTH is cut so that base +
 * length does not overflow.  Beyond the last entry: type 0, nothing at nowhere.
 */
uint32_t boot_map_entry(const struct boot_info *boot, uint32_t index,
                        uint64_t *base, uint64_t *length);

/*
 * NULL if BOOT's framebuffer can be drawn on, or a sentence that says why not: there
 * is none, its numbers do not fit together, or the map has usable memory there.
 */
const char *boot_framebuffer_fault(const struct boot_info *boot);

#endif

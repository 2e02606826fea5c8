/* SPDX-License-Identifier: MIT */
/*
 * mm/boot/ -- memory before there is an allocator.
 *
 * This file: the memory map, and reservations before the buddy exists.
 *
 * The firmware's map is taken as hostile: unsorted, overlapping, unaligned,
 * wrapped, with unknown types.  Where two entries disagree the more
 * restrictive (the higher type number) wins, any type but 1 is not memory,
 * and a frame counts only if all of its bytes are usable.
 *
 *	usable	whole frames of memory
 *	taken	usable, and reserved or allocated early
 *	free	usable and not taken: what the buddy is given
 *
 * Boot only: one CPU, no lock.
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H

#include "kernel/core/multiboot2.h"
#include "lib/types.h"
#include "mm/node.h"

/*
 * Taken ranges: one for the image, the boot information, the first page, each
 * module (64), page tables and early allocations that do not touch an older
 * range (a few).
 */
#define MEMMAP_MAX_TAKEN 128

/* No frame above this is used: 2^40 bytes keeps every sum in 64 bits. */
#define MEMMAP_LIMIT     (1UL << 40)

struct memmap {
	const struct boot_info *boot;
	uint64_t limit; /* bytes; mem= or MEMMAP_LIMIT */
	unsigned int taken_count;
	struct boot_range taken[MEMMAP_MAX_TAKEN]; /* sorted, disjoint, whole
	                                            * frames */
};

/* Use BOOT's map up to LIMIT bytes (0: all).  Nothing is taken yet. */
void memmap_init(struct memmap *map, const struct boot_info *boot,
                 uint64_t limit);

/*
 * Find the first usable range (whole frames, as long as possible) that ends above FROM,
 * cut at FROM.  False, and *RANGE unchanged, if there is none.  Needs no storage: any
 * number of entries is fine; O(entries^2) for a walk.
 */
__must_check bool memmap_next_usable(const struct memmap *map, uint64_t from,
                                     struct boot_range *range);

/* The same for free ranges. */
__must_check bool memmap_next_free(const struct memmap *map, uint64_t from,
                                   struct boot_range *range);

/* Sum of the usable ranges, and the end of the last one, in pages. */
unsigned long memmap_usable_pages(const struct memmap *map);
unsigned long memmap_end_pfn(const struct memmap *map);

/*
 * Take the frames that START..END touches (bytes; outside of usable memory is
 * fine).  0, or -ENOSPC if the table is full.  An empty or wrapped range is
 * ignored.
 */
__must_check int memmap_take(struct memmap *map, uint64_t start, uint64_t end);

/*
 * Take what the loader put into memory: the boot information, which lies at
 * INFO, and the modules.  They may overlap each other, the image, taken
 * ranges, and ranges that are not memory.  0 or -ENOSPC.
 */
__must_check int memmap_take_loaded(struct memmap *map, uint64_t info);

/* Release the whole frames inside START..END.  0 or -ENOSPC. */
__must_check int memmap_give(struct memmap *map, uint64_t start, uint64_t end);

/*
 * Take SIZE bytes (rounded up to whole frames) of free memory that end at or
 * below BELOW (0: anywhere), aligned to ALIGN (a power of two, at least one
 * page): the lowest, or with HIGHEST the highest.  Frame 0 is never given.
 * Returns the physical address, or 0.
 */
__must_check uint64_t memmap_alloc(struct memmap *map, uint64_t size,
                                   uint64_t align, uint64_t below,
                                   bool highest);

/*
 * Mark the usable frames as present in NODE, whose pages cover them, and free the free
 * ones to its buddies.
 */
void memmap_release_free(const struct memmap *map, struct node *node);

#endif

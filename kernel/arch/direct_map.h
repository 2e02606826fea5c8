/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/direct_map.h -- single frames in and out of the direct map.
 *
 * The direct map is made of 2 MiB entries.  To hide one 4 KiB frame its region
 * (the 512 frames that share the entry) is split first: the entry is replaced
 * by a page table that the caller hands in.  A whole region needs no table: its one
 * entry is cleared.  Entries of the direct map are global and never executable.
 *
 * The caller serialises these calls (the refiller is one thread).  Thread
 * context, interrupts on, except where a line says otherwise.
 */
#ifndef KERNEL_ARCH_DIRECT_MAP_H
#define KERNEL_ARCH_DIRECT_MAP_H

#include "lib/types.h"

/* Frames in a region. */
#define REGION_FRAMES 512UL

/* Is the region of frame PFN mapped by 4 KiB entries?  Any context. */
bool direct_map_is_split(unsigned long pfn);

/*
 * Split the region of PFN.  TABLE is a page of memory that is visible in the
 * direct map; it belongs to the map until direct_map_join() returns it.  The frames of
 * a region that was hidden stay hidden, each by itself.
 */
void direct_map_split(unsigned long pfn, void *table);

/*
 * Join a split region whose 512 frames are all visible again into one 2 MiB
 * entry, flush, and return the table; NULL (and nothing changed) if one of
 * them is hidden, if the region was split at boot (its frames differ in their
 * protection), or if it is not split.
 */
void *direct_map_join(unsigned long pfn);

/*
 * Take frame PFN out of the direct map and flush its address on every CPU.
 * Its region is split.  On return no CPU can reach the frame by its direct-map
 * address, nor by one in the vmap region from which vmap_clear() took it.  This and the
 * next: any context.
 */
void direct_map_hide(unsigned long pfn);

/* The opposite.  Invalid to valid: no flush. */
void direct_map_show(unsigned long pfn);

/*
 * The same for the whole region that begins at frame PFN.  It is not split, and not
 * hidden or hidden as a whole.  One flush, however many frames.
 */
void direct_map_hide_region(unsigned long pfn);
void direct_map_show_region(unsigned long pfn);

/* Is frame PFN mapped?  Walks the page tables.  Any context. */
bool direct_map_visible(unsigned long pfn);

#endif

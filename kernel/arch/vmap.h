/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/vmap.h -- kernel addresses that are mapped page by page, on request.
 *
 * One region of addresses, beside the direct map, in which any frames can be made
 * one behind the other: mm/slab/vmalloc.h hands them out.  Which addresses are in use
 * is the caller's knowledge; here are the page tables and the TLB.
 *
 * Its tables of level 1 and 2 come from the caller and stay for good.  The one of
 * level 3 is made at boot, so that every root has the same entry for all of the region.
 *
 * Flushing is lazy, as in Linux.  vmap_clear() takes a page out of the tables, and the
 * TLB may know it until vmap_flush().  So addresses are used again only after a
 * flush; and before a frame leaves the direct map for one owner alone, there is one,
 * too: direct_map_hide() calls it.
 *
 * On the host the region is reserved addresses, and a page that is not flushed yet can
 * still be reached (tests/host/machine_memory.c).
 */
#ifndef KERNEL_ARCH_VMAP_H
#define KERNEL_ARCH_VMAP_H

#include "lib/types.h"

/* The region: whole pages.  Constant once memory is up; each world defines it. */
extern uintptr_t vmap_base;
extern size_t vmap_size;

/* The level of the table, 2 or 1, that ADDRESS lacks first; 0: it can be mapped.
 * Any context. */
unsigned int vmap_missing_table(uintptr_t address);

/*
 * TABLE, a zeroed page that is visible in the direct map, becomes the table of LEVEL
 * for ADDRESS, which vmap_missing_table() named and nobody has added since: the caller
 * holds a lock.
 */
void vmap_add_table(uintptr_t address, unsigned int level, void *table);

/*
 * Map frame PFN at ADDRESS, a page where nothing is mapped and whose tables are there:
 * not executable, and read-only unless WRITABLE.  No flush: the address was flushed
 * after its last use.  One caller has an address at a time.  Any context but NMI.
 */
void vmap_set(uintptr_t address, unsigned long pfn, bool writable);

/* Take the page at ADDRESS out of the tables, for the next flush: the frame that was
 * mapped, or -1UL.  Any context but NMI. */
unsigned long vmap_clear(uintptr_t address);

/* The frame that is mapped at ADDRESS, or -1UL.  Any context. */
unsigned long vmap_frame(uintptr_t address);

/* Flush all addresses that were cleared before the call.  False: there was none.  Any
 * context but NMI. */
bool vmap_flush(void);

/* Flushes that vmap_flush() has really done. */
unsigned long vmap_flushes(void);

#endif

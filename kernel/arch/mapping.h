/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/mapping.h -- what is mapped besides the direct map.
 *
 * All of the kernel's addresses, less the direct map (kernel/arch/direct_map.h says
 * whether it has a frame) and the windows (each is read through its owner, open or
 * not: window_frame()).  The rest is the image, what vmalloc maps (the stacks among it),
 * and any mapping that is added some day.
 */
#ifndef KERNEL_ARCH_MAPPING_H
#define KERNEL_ARCH_MAPPING_H

#include "lib/types.h"

/*
 * Look at one entry of the page tables, the one for *ADDRESS: *PFN is the frame
 * that it maps, or -1UL, and *ADDRESS the next one to ask for.  Entries that map nothing
 * are passed over, a few at a time.  Begin with 0;
 * false: there is no further one, and nothing was looked at.  Takes no lock: the
 * answer stands as long as interrupts are off.  Any context.
 */
__must_check bool mapping_look(uintptr_t *address, unsigned long *pfn);

/*
 * Called for each entry of a window or of vmalloc that maps frame PFN from now on, before
 * it is written, or no longer does; NULL: nothing is called.  Any context but NMI, also with
 * locks held; it takes none.
 */
enum mapping_kind {
	MAPPING_VMAP,
	MAPPING_WINDOW
};
extern void (*mapping_watch)(unsigned long pfn, enum mapping_kind kind,
                             bool mapped);

static inline void mapping_tell(unsigned long pfn, enum mapping_kind kind,
                                bool mapped)
{
	void (*watch)(unsigned long pfn, enum mapping_kind kind, bool mapped) =
		READ_ONCE(mapping_watch);

	if (unlikely(watch != NULL))
		watch(pfn, kind, mapped);
}

#endif

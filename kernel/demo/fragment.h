/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/fragment.h -- memory of which no two free pages are neighbours.
 */
#ifndef KERNEL_DEMO_FRAGMENT_H
#define KERNEL_DEMO_FRAGMENT_H

#include "lib/types.h"

/*
 * Fill all of memory, then free PAGES single pages, each between two movable ones.  0: it
 * is so until fragment_end(); with swap on, kswapd soon makes room.  -EBUSY: it is so
 * already; -ENOMEM: there are not so many pages; -E2BIG: there is more memory than one
 * anonymous object can fill.  Thread context, one thread at a time; the pages count as the
 * caller's memory.
 */
int fragment_begin(unsigned long pages);

/* Give everything back; true: there was something. */
bool fragment_end(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/detectors.h -- which detectors of mm/debug/ are on.
 */
#ifndef KERNEL_DETECTORS_H
#define KERNEL_DETECTORS_H

#include "mm/debug/page_debug.h"

/* The detectors that the command line asks for; mark, owner and entries are NULL.  After params_parse(). */
const struct page_debug *detectors(void);

/* Is one on?  Does page_owner want its records, and page_table_check its counts? */
bool detectors_wanted(void);
bool detectors_want_owner(void);
bool detectors_want_entries(void);

/* Flags for each slab cache: slub_debug. */
uint32_t detectors_slub_debug(void);

/* How many freed objects are kept: slab_quarantine; 0: none. */
size_t detectors_slab_quarantine(void);

/* Say which are on; faults and panics are explained by them from now on. */
void detectors_start(void);

#endif

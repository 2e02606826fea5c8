/* SPDX-License-Identifier: MIT */
/*
 * kernel/cma_area.h -- the CMA area of the kernel, `cma=SIZE`.
 */
#ifndef KERNEL_CMA_AREA_H
#define KERNEL_CMA_AREA_H

#include "mm/boot/memmap.h"
#include "mm/contig/cma.h"

/* Take memory for the area from MAP, before the rest becomes free.  At boot, once. */
void cma_area_reserve(struct memmap *map);

/* It becomes CMA pageblocks of NODE, and free.  After memmap_release_free(). */
void cma_area_start(struct node *node);

/* The area; its count is 0 if there is none. */
struct cma *main_cma(void);

#endif

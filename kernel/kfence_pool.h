/* SPDX-License-Identifier: MIT */
/*
 * kernel/kfence_pool.h -- the pool of sampled objects of this machine, `kfence=MS`.
 */
#ifndef KERNEL_KFENCE_POOL_H
#define KERNEL_KFENCE_POOL_H

#include "mm/boot/memmap.h"

/* Take memory for the pool from MAP, if it is wanted.  Before the page tables are made,
 * which have 4 KiB entries for it.  At boot, once. */
void kfence_pool_reserve(struct memmap *map);

/* It is used from now on.  Thread context, after slab_start(). */
void kfence_pool_start(struct node *node);

#endif

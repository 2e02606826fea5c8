/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kmalloc.h -- memory of any size.
 *
 * Up to 8192 bytes an object of the smallest class that is large enough (8 16 32 64 96
 * 128 192 256 512 1k 2k 4k 8k), above that whole pages, up to 4 MiB.  __GFP_DMA,
 * __GFP_RECLAIMABLE and other masks have separate caches.  Alignment: the lowest
 * bit of the class (96: 32), a page for pages.
 *
 * A size of 0 gives ZERO_SIZE_PTR: not NULL, and nothing may be read or written there.
 *
 * Names and rules are Linux's.  Contexts as mm/slab/slab.h.  The functions work on
 * main_node(), those with _on on a node.
 */
#ifndef MM_SLAB_KMALLOC_H
#define MM_SLAB_KMALLOC_H

#include "mm/gfp.h"

struct node;
struct page;

#define KMALLOC_MAX_CACHE_SIZE 8192UL
#define KMALLOC_MAX_SIZE       (PAGE_SIZE << MAX_ORDER)
#define ZERO_SIZE_PTR          ((void *)16)

/* SIZE bytes, or NULL.  More than KMALLOC_MAX_SIZE is refused and reported, unless the
 * mask has __GFP_NOWARN. */
__must_check void *kmalloc(size_t size, gfp_t gfp);
__must_check void *kzalloc(size_t size, gfp_t gfp);

/* COUNT elements of SIZE bytes.  A product that overflows is refused and reported. */
__must_check void *kmalloc_array(size_t count, size_t size, gfp_t gfp);
__must_check void *kcalloc(size_t count, size_t size, gfp_t gfp);

/*
 * MEMORY with room for SIZE bytes: the same memory if it has it (with __GFP_ZERO what
 * is behind SIZE is cleared), else other memory with the contents of the old, which is
 * freed.  NULL: there is none, and the old is as it was.  NULL as MEMORY: kmalloc().
 * SIZE 0: it is freed, and ZERO_SIZE_PTR returned.
 */
__must_check void *krealloc(void *memory, size_t size, gfp_t gfp);

/* The bytes that MEMORY has room for; 0 for NULL and ZERO_SIZE_PTR. */
size_t ksize(const void *memory);

/* Is MEMORY in use, with room for SIZE bytes of kmalloc() or of a cache? */
bool kmalloc_has(const void *memory, size_t size);

/*
 * Give memory back, of kmalloc() or of any cache; NULL and ZERO_SIZE_PTR are allowed.
 * An address that is neither, or is free already, is refused and reported with the
 * caller, and nothing happens.
 */
void kfree(const void *memory);

__must_check void *kmalloc_on(struct node *node, size_t size, gfp_t gfp,
                              uintptr_t caller);
void kfree_on(struct node *node, const void *memory, uintptr_t caller);

/* Number of the class of SIZE, 1 .. KMALLOC_MAX_CACHE_SIZE, and the size of class
 * number INDEX. */
unsigned int kmalloc_class(size_t size);
size_t kmalloc_class_size(unsigned int index);

/* For slab_start() and slab_stop(): all caches, or none and false; their end. */
__must_check bool kmalloc_start(struct node *node);
void kmalloc_stop(struct node *node);

#endif

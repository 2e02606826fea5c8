/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kvmalloc.h -- memory of any size, wherever there is some.
 *
 * Up to a page it is kmalloc().  Above, kmalloc() is tried first, without effort: its
 * memory is cheaper.  Where it has no large block, and the caller may sleep, vmalloc()
 * makes one out of single pages.  Only for memory that need not be in neighbouring
 * frames.
 *
 * Names and rules are Linux's (mm/util.c).  Contexts: those of kmalloc(); where the
 * caller cannot sleep, there is no second try.
 */
#ifndef MM_SLAB_KVMALLOC_H
#define MM_SLAB_KVMALLOC_H

#include "mm/gfp.h"

/*
 * SIZE bytes, or NULL.  Above a page kmalloc() gets the mask with NOWARN, with NORETRY
 * unless it has RETRY_MAYFAIL, and without NOFAIL; vmalloc() gets it as it is.  More
 * than INT_MAX is for kmalloc() alone, and reported.
 */
__must_check void *kvmalloc(size_t size, gfp_t gfp);
__must_check void *kvzalloc(size_t size, gfp_t gfp);

/* COUNT elements of SIZE bytes.  A product that overflows is NULL. */
__must_check void *kvmalloc_array(size_t count, size_t size, gfp_t gfp);
__must_check void *kvcalloc(size_t count, size_t size, gfp_t gfp);

/* MEMORY with room for SIZE bytes: krealloc() or vrealloc(), and from the first to the
 * second.  NULL: no memory, and the old is as it was. */
__must_check void *kvrealloc(const void *memory, size_t size, gfp_t gfp);

/* kfree() or vfree(), by the address. */
void kvfree(const void *memory);

#endif

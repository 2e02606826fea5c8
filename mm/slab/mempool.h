/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/mempool.h -- a reserve of elements that lasts when memory does not.
 *
 * A thread that writes memory out to a disk needs memory for the request.  If that had
 * to come from the allocator, a machine without memory could never write anything
 * out again.  A pool keeps MIN elements for that day; they come back when the
 * writes are done, so a thread that can wait gets one.
 *
 * Names and rules are Linux's (mm/slab/mempool.c).  There is no mempool_resize().
 */
#ifndef MM_SLAB_MEMPOOL_H
#define MM_SLAB_MEMPOOL_H

#include "mm/gfp.h"

/* Where elements come from, and go to: any context that asks the pool. */
typedef void *mempool_alloc_t(gfp_t gfp, void *data);
typedef void mempool_free_t(void *element, void *data);

typedef struct mempool mempool_t;

/* A pool's own page holds its table of elements. */
#define MEMPOOL_MAX 448

/*
 * A pool with MIN (1..MEMPOOL_MAX) elements in reserve, made by ALLOC(GFP_KERNEL,
 * DATA).  NULL: no memory.  Thread context; may sleep.
 */
__must_check mempool_t *mempool_create(unsigned int min, mempool_alloc_t *alloc,
                                       mempool_free_t *free, void *data);

/* The same with blocks of 2^ORDER pages (struct page *) as elements.  They are
 * poisoned while they are in the reserve. */
__must_check mempool_t *mempool_create_page_pool(unsigned int min,
                                                 unsigned int order);

/*
 * The same with objects of CACHE, which has no constructor, or with SIZE bytes of
 * kmalloc(), at least 1.
 */
struct kmem_cache;
__must_check mempool_t *mempool_create_slab_pool(unsigned int min,
                                                 struct kmem_cache *cache);
__must_check mempool_t *mempool_create_kmalloc_pool(unsigned int min,
                                                    size_t size);

/* The functions of these pools; DATA is the cache, or the size. */
void *mempool_alloc_slab(gfp_t gfp, void *data);
void mempool_free_slab(void *element, void *data);
void *mempool_kmalloc(gfp_t gfp, void *data);
void mempool_kfree(void *element, void *data);

/* All elements are back; nobody uses the pool any more.  Thread context. */
void mempool_destroy(mempool_t *pool);

/*
 * An element: from ALLOC, else from the reserve.  If both fail: with a mask that
 * may sleep it waits until an element comes back (and asks ALLOC again each 5
 * seconds), so it is never NULL; otherwise NULL immediately.
 *
 * ALLOC sees the mask plus NOMEMALLOC, NORETRY and NOWARN, and at first without
 * DIRECT_RECLAIM and IO.  __GFP_ZERO is a bug of the caller's and reported: an
 * element out of the reserve is not zeroed.  A mask that may sleep where
 * that is impossible is reported and does not wait.  NULL in an NMI.
 */
__must_check void *mempool_alloc(mempool_t *pool, gfp_t gfp);

/* From the reserve only; NULL if it is empty.  Any context but NMI. */
__must_check void *mempool_alloc_preallocated(mempool_t *pool);

/*
 * Give an element back: to the reserve if that is not full, else to FREE.  NULL
 * is allowed.  An element that is in the reserve already, a block of pages that is free,
 * of another order or in the reserve of any pool, and an address that is not an object
 * in use of the pool's cache or size, are refused and reported: nothing happens.  Looks at the whole reserve, unless it is of pages.  Any context
 * but NMI.
 */
void mempool_free(void *element, mempool_t *pool);

/* Elements in the reserve now, and threads that wait for one. */
unsigned int mempool_reserve(const mempool_t *pool);
unsigned int mempool_waiters(const mempool_t *pool);

#endif

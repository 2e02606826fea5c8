/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_quarantine.h -- freed objects that nobody gets for a while.
 *
 * mm/slab/slab_quarantine.c has the theory.  For the slab allocator; slab_quarantine_start()
 * is in mm/slab/slab.h.
 */
#ifndef MM_SLAB_SLAB_QUARANTINE_H
#define MM_SLAB_SLAB_QUARANTINE_H

#include "mm/slab/slab_internal.h"

/* All of them leave, and nothing is kept any more: for slab_stop(). */
void slab_quarantine_stop(struct node *node);

/* OBJECT, which is painted as free, was freed by CALLER.  False: it is not kept, the caller
 * gives it back.  No lock held; any context but NMI. */
__must_check bool slab_quarantine_put(struct kmem_cache *cache, void *object,
                                      uintptr_t caller);

/* Those of CACHE leave, or all of NODE if it is NULL.  No lock held. */
void slab_quarantine_drain(struct node *node, const struct kmem_cache *cache);

/* Is OBJECT in quarantine?  By the word that it would have on a free list; cache->lock
 * held, or a guess. */
static inline bool slab_quarantine_has(const struct kmem_cache *cache,
                                       void *object)
{
	/* No number of an object is so large; a used word is 0. */
	return (cache->flags & SLAB_POISON) != 0 &&
	       slab_next(cache, object) == UINT64_MAX;
}

/* Log who freed OBJECT of CACHE, if it is in quarantine.  No lock held. */
void slab_quarantine_explain(const struct kmem_cache *cache,
                             const void *object);

/* How many objects are kept now.  A guess. */
size_t slab_quarantine_count(const struct node *node);

#endif

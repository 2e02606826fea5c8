/* SPDX-License-Identifier: MIT */
/*
 * tests/host/slab.h -- a node with a slab allocator, for the suites of slab and kmalloc.
 */
#ifndef TESTS_HOST_SLAB_H
#define TESTS_HOST_SLAB_H

#include "tests/host/libmm.h"

struct kmem_cache;

/* A new machine with FRAMES frames in one NORMAL zone behind 64 of DMA, the main node,
 * whose slab allocator has lists for CPUS CPUs. */
struct node *slab_machine(unsigned long frames, unsigned int cpus);

/* All is sound, CACHE (or NULL) can be destroyed, and the allocator ended, without a
 * page in use.  NULL or a sentence. */
const char *slab_machine_end(struct node *node, struct kmem_cache *cache);

/* Fill an object with bytes that are its own; are they unchanged? */
void slab_machine_sign(void *object, size_t size);
bool slab_machine_is_signed(const void *object, size_t size);

/* No address twice. */
bool slab_machine_distinct(void *const *object, unsigned int count);

/* A constructor: 0x3c in 64 bytes; how often it was called since slab_machine(). */
void slab_machine_construct(void *object);
extern unsigned int slab_machine_constructed;

#endif

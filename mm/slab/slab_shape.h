/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_shape.h -- how objects of a size lie in a slab.
 *
 *	slab	2^order pages, cut into buffers of one size
 *	buffer	the place of an object and of what belongs to it:
 *
 *	| left red zone | object | right red zone | free word | padding |
 *	0               red_left                    (offset)          size
 *
 * The free word links free objects.  It lies in the middle of the object, where an
 * overflow of the neighbour hardly gets, unless the object must keep its contents
 * while it is free: then behind it.  Offsets count from the object's first byte.
 *
 * Pure functions with Linux's arithmetic (6.12, mm/slub.c); the number of CPUs is a
 * parameter.
 */
#ifndef MM_SLAB_SLAB_SHAPE_H
#define MM_SLAB_SLAB_SHAPE_H

#include "lib/types.h"

/* The largest order that is tried for the sake of many objects. */
#define SLAB_MAX_ORDER   3

/* Objects that the counters of a slab can count. */
#define SLAB_MAX_OBJECTS 16383U

struct slab_shape {
	uint32_t object_size; /* as asked for */
	uint32_t size;        /* of a buffer */
	uint32_t inuse;       /* where object and right red zone end */
	uint32_t offset;      /* of the free word */
	uint32_t red_left;    /* bytes before the object */
	uint32_t align;
	uint8_t order;     /* preferred */
	uint8_t min_order; /* what one object needs */
};

/* Lay out objects of SIZE bytes at multiples of ALIGN (0: of 8) for a cache with FLAGS
 * (mm/slab/slab.h), on a machine with CPUS.  False: no order is large enough. */
__must_check bool slab_shape_make(struct slab_shape *shape, size_t size,
                                  size_t align, uint32_t flags,
                                  bool constructor, unsigned int cpus);

/* The order at which the rest that no buffer fits into is small: at most 1/16 of the
 * slab, else 1/8 and so on.  Linux: calculate_order(). */
unsigned int slab_shape_order(size_t size, unsigned int cpus);

/* Buffers in a slab of ORDER. */
static inline unsigned int slab_shape_objects(size_t size, unsigned int order)
{
	return (unsigned int)((PAGE_SIZE << order) / size);
}

/* The smallest order of SIZE bytes.  Linux: get_order(). */
unsigned int slab_shape_order_of(size_t size);

/* Slabs that a CPU keeps in reserve with free objects, each of OBJECTS of SIZE. */
unsigned int slab_shape_cpu_partial(size_t size, unsigned int objects);

/* Slabs with free objects from which on an empty one is given back. */
unsigned int slab_shape_min_partial(size_t size);

#endif

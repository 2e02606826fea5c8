/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_shape.c -- how objects of a size lie in a slab.
 *
 * More objects in a slab mean fewer visits to the page allocator and a smaller rest,
 * and a larger order that is harder to get.  Linux's compromise: at least
 * 4 * (fls(CPUs) + 1) objects, up to order 3, with the smallest order whose rest is
 * tolerable.
 */
#include "mm/slab/slab_shape.h"

#include "kernel/core/panic.h"
#include "mm/gfp.h"
#include "mm/slab/slab.h"

/* One more than the number of the highest bit; 0 for 0. */
static unsigned int slab_shape_fls(unsigned long word)
{
	unsigned int bits = 0;

	for (; word != 0; word >>= 1)
		bits++;
	kassert(bits <= 64);
	return bits;
}

unsigned int slab_shape_order_of(size_t size)
{
	kassert(size > 0);
	return slab_shape_fls((size - 1) >> PAGE_SHIFT);
}

/* The first order from LOWEST on with a rest of at most 1/FRACTION, or
 * SLAB_MAX_ORDER + 1. */
static unsigned int slab_shape_first_order(size_t size, unsigned int lowest,
                                           unsigned int fraction)
{
	unsigned int order = lowest;

	kassert(size > 0 && fraction > 0);
	while (order <= SLAB_MAX_ORDER) {
		size_t bytes = PAGE_SIZE << order;

		if (bytes % size <= bytes / fraction)
			break;
		order++;
	}
	return order;
}

unsigned int slab_shape_order(size_t size, unsigned int cpus)
{
	unsigned int most = slab_shape_objects(size, SLAB_MAX_ORDER);
	unsigned int wanted =
		min(4 * (slab_shape_fls(cpus) + 1), max(most, 1U));
	unsigned int lowest = slab_shape_order_of(wanted * size);

	kassert(cpus > 0);
	for (unsigned int fraction = 16; fraction > 1; fraction /= 2) {
		unsigned int order =
			slab_shape_first_order(size, lowest, fraction);

		if (order <= SLAB_MAX_ORDER)
			return order;
	}
	return slab_shape_order_of(size);
}

unsigned int slab_shape_cpu_partial(size_t size, unsigned int objects)
{
	unsigned int wanted = 120;

	kassert(objects > 0);
	if (size >= PAGE_SIZE)
		wanted = 6;
	else if (size >= 1024)
		wanted = 24;
	else if (size >= 256)
		wanted = 52;
	return (2 * wanted + objects - 1) / objects;
}

unsigned int slab_shape_min_partial(size_t size)
{
	kassert(size > 0);
	return clamp((slab_shape_fls(size) - 1) / 2, 5U, 10U);
}

/* As asked for, or a divisor of a cache line that the object fits into, if a line is
 * wanted; at least 8.  Linux: calculate_alignment(). */
static size_t slab_shape_align(size_t size, size_t align, uint32_t flags)
{
	size_t line = 64;

	kassert((align & (align - 1)) == 0);
	if (flags & SLAB_HWCACHE_ALIGN) {
		while (size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	return max(align, sizeof(uint64_t));
}

/* Linux: calculate_sizes(). */
static size_t slab_shape_buffer(struct slab_shape *shape, uint32_t flags,
                                bool constructor)
{
	size_t size = ALIGN_UP((size_t)shape->object_size, sizeof(uint64_t));

	kassert(shape->align >= sizeof(uint64_t));
	if ((flags & SLAB_RED_ZONE) && size == shape->object_size)
		size += sizeof(uint64_t);
	shape->inuse = (uint32_t)size;
	shape->offset = (uint32_t)ALIGN_DOWN((size_t)shape->object_size / 2,
	                                     sizeof(uint64_t));
	if ((flags & SLAB_POISON) || constructor ||
	    ((flags & SLAB_RED_ZONE) &&
	     shape->object_size < sizeof(uint64_t))) {
		shape->offset = (uint32_t)size;
		size += sizeof(uint64_t);
	}
	shape->red_left = 0;
	if (flags & SLAB_RED_ZONE) {
		shape->red_left = shape->align;
		size += sizeof(uint64_t) + shape->red_left;
	}
	return ALIGN_UP(size, (size_t)shape->align);
}

bool slab_shape_make(struct slab_shape *shape, size_t size, size_t align,
                     uint32_t flags, bool constructor, unsigned int cpus)
{
	size_t buffer;

	kassert(size > 0 && size <= PAGE_SIZE << MAX_ORDER);
	kassert(align <= PAGE_SIZE);
	shape->object_size = (uint32_t)size;
	shape->align = (uint32_t)slab_shape_align(size, align, flags);
	buffer = slab_shape_buffer(shape, flags, constructor);
	if (slab_shape_order_of(buffer) > MAX_ORDER)
		return false;
	shape->size = (uint32_t)buffer;
	shape->order = (uint8_t)slab_shape_order(buffer, cpus);
	shape->min_order = (uint8_t)slab_shape_order_of(buffer);
	kassert(shape->min_order <= shape->order);
	kassert(slab_shape_objects(buffer, shape->order) <= SLAB_MAX_OBJECTS);
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_debug.c -- red zones and poison.
 *
 *	          red zone        object         red zone
 *	free      bb .. bb    6b .. 6b a5        bb .. bb
 *	in use    cc .. cc    (the user's)       cc .. cc
 *
 * and 0x5a in what belongs to no buffer.  A byte that differs was written by code
 * that does not own it: it is reported with its offset and mended, and the object is
 * not used again.  So a use after a free is found when the object is taken, and an
 * overflow when it is given back.  The bytes are Linux's.
 *
 * Locking: none; the object is in the hands of the caller, and interrupts are on.
 */
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "lib/string.h"
#include "mm/slab/slab_internal.h"

#define SLAB_RED_FREE   0xbb
#define SLAB_RED_USED   0xcc
#define SLAB_POISON_ON  0x6b
#define SLAB_POISON_END 0xa5

/* A stretch of an object, all of one byte. */
struct slab_stretch {
	const char *name;
	const uint8_t *from;
	size_t size;
	uint8_t byte;
};

enum {
	SLAB_STRETCH_LEFT,
	SLAB_STRETCH_RIGHT,
	SLAB_STRETCH_POISON,
	SLAB_STRETCH_END,
	SLAB_STRETCHES,
};

/* The bytes that OBJECT must have, free or in use.  A stretch may be empty. */
static void slab_debug_expect(const struct kmem_cache *cache,
                              const void *object, bool used,
                              struct slab_stretch stretch[SLAB_STRETCHES])
{
	const struct slab_shape *shape = &cache->shape;
	const uint8_t *at = object;
	uint8_t red = used ? SLAB_RED_USED : SLAB_RED_FREE;
	bool poison = (cache->flags & SLAB_POISON) != 0 && !used &&
	              cache->constructor == NULL;
	size_t right = (cache->flags & SLAB_RED_ZONE) != 0
	                       ? shape->inuse - shape->object_size
	                       : 0;

	kassert(shape->inuse >= shape->object_size);
	stretch[SLAB_STRETCH_LEFT] =
		(struct slab_stretch){ "left red zone", at - shape->red_left,
		                       shape->red_left, red };
	stretch[SLAB_STRETCH_RIGHT] =
		(struct slab_stretch){ "right red zone",
		                       at + shape->object_size, right, red };
	stretch[SLAB_STRETCH_POISON] =
		(struct slab_stretch){ "poison", at,
		                       poison ? shape->object_size - 1 : 0,
		                       SLAB_POISON_ON };
	stretch[SLAB_STRETCH_END] =
		(struct slab_stretch){ "poison", at + shape->object_size - 1,
		                       poison, SLAB_POISON_END };
}

static void slab_debug_paint(const struct kmem_cache *cache, void *object,
                             bool used)
{
	struct slab_stretch stretch[SLAB_STRETCHES];

	slab_debug_expect(cache, object, used, stretch);
	for (unsigned int i = 0; i < SLAB_STRETCHES; i++)
		memset((void *)stretch[i].from, stretch[i].byte,
		       stretch[i].size);
}

/* The first byte that differs, and in which stretch; NULL: none. */
static const uint8_t *slab_debug_find(const struct slab_stretch *stretch,
                                      const struct slab_stretch **where)
{
	for (unsigned int i = 0; i < SLAB_STRETCHES; i++) {
		for (size_t j = 0; j < stretch[i].size; j++) {
			*where = &stretch[i];
			if (stretch[i].from[j] != stretch[i].byte)
				return stretch[i].from + j;
		}
	}
	*where = NULL;
	return NULL;
}

const char *slab_debug_look(const struct kmem_cache *cache, const void *object)
{
	struct slab_stretch stretch[SLAB_STRETCHES];
	const struct slab_stretch *where;

	slab_debug_expect(cache, object, false, stretch);
	return slab_debug_find(stretch, &where) == NULL ? NULL : where->name;
}

static void slab_debug_report(const struct kmem_cache *cache,
                              const void *object, bool used,
                              const struct slab_stretch *where,
                              const uint8_t *at, uintptr_t caller)
{
	char place[PLACE_SIZE];

	kassert(where != NULL);
	pr_err("BUG: %s: %s of object %p %s, noticed by %s at %s: 0x%02x "
	       "instead of 0x%02x at offset %ld; the object is not used again\n",
	       cache->name, where->name, object,
	       used ? "in use was written to" : "was written to while free",
	       context_name(), caller_format(place, sizeof(place), caller), *at,
	       where->byte, (long)(at - (const uint8_t *)object));
	backtrace_print_from(caller);
}

static bool slab_debug_check(const struct kmem_cache *cache, void *object,
                             bool used, uintptr_t caller)
{
	struct slab_stretch stretch[SLAB_STRETCHES];
	const struct slab_stretch *where;
	const uint8_t *at;

	slab_debug_expect(cache, object, used, stretch);
	at = slab_debug_find(stretch, &where);
	if (at == NULL)
		return true;
	slab_debug_report(cache, object, used, where, at, caller);
	slab_debug_paint(cache, object, used);
	return false;
}

void slab_debug_cut(struct kmem_cache *cache, void *object)
{
	slab_debug_paint(cache, object, false);
}

bool slab_debug_take(struct kmem_cache *cache, void *object, uintptr_t caller)
{
	bool sound = slab_debug_check(cache, object, false, caller);

	kassert(slab_is_debug(cache));
	slab_debug_paint(cache, object, true);
	return sound;
}

bool slab_debug_leave(struct kmem_cache *cache, void *object, uintptr_t caller)
{
	kassert(slab_is_debug(cache));
	return slab_debug_check(cache, object, false, caller);
}

bool slab_debug_give(struct kmem_cache *cache, void *object, uintptr_t caller)
{
	kassert(slab_is_debug(cache));
	kassert(object != NULL);
	if (!slab_debug_check(cache, object, true, caller))
		return false;
	slab_debug_paint(cache, object, false);
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/ -- allocators on top of the front door: memory that is not pages.
 *
 *	slab		objects of one size, many in a page: this header
 *	kmalloc		memory of any size, out of slabs or pages
 *	mempool		a reserve of elements that lasts when memory does not
 *
 * The slab allocator, in reading order:
 *
 *	slab_state	its data in the node
 *	slab_shape	how objects lie in a slab
 *	slab_gfp	what a mask means for objects
 *	slab_internal	caches and slabs; free lists
 *	slab		an object taken, an object given back
 *	slab_page	slabs made of pages, and pages given back
 *	slab_cache	caches made, emptied, ended
 *	slab_debug	red zones and poison
 *	slab_check	the invariants S1 to S5
 *	slab_report	refusals by name, numbers for `slabinfo`
 *
 * Names and rules are Linux's (6.12, mm/slub.c); docs/16-slab-and-kmalloc.md has the
 * differences.
 *
 * Contexts: any but NMI for alloc and free; there every call is refused, counted and
 * silent.  Threads only, and they may sleep: create, destroy, shrink.
 */
#ifndef MM_SLAB_SLAB_H
#define MM_SLAB_SLAB_H

#include "mm/gfp.h"

struct kmem_cache;
struct node;

/* Linux's values. */
enum slab_flag {
	SLAB_CONSISTENCY_CHECKS = 0x00000100, /* all checks, at each call */
	SLAB_RED_ZONE = 0x00000400,           /* borders around objects */
	SLAB_POISON = 0x00000800,          /* free objects are 0x6b .. 0xa5 */
	SLAB_HWCACHE_ALIGN = 0x00002000,   /* no object in two cache lines
	                                       * that fits into one */
	SLAB_CACHE_DMA = 0x00004000,       /* of pages below 16 MiB */
	SLAB_RECLAIM_ACCOUNT = 0x00020000, /* of __GFP_RECLAIMABLE pages */
	SLAB_PANIC = 0x00040000,           /* no cache: panic */
};

/* The largest name of a cache, with its zero. */
#define SLAB_NAME_SIZE 24

/*
 * The allocator of NODE begins, with lists for CPUS CPUs; KEY, any number, hides its
 * free lists from accidents.  The caches of kmalloc() exist from here on.  False: no
 * memory, and nothing has happened.  Once, in thread context.
 */
#define SLAB_KEY       0x9e3779b97f4a7c15ULL
__must_check bool slab_start(struct node *node, unsigned int cpus,
                             uint64_t key);

/* The end of it, for tests: false if an object is still in use, which is reported. */
bool slab_stop(struct node *node);

/*
 * From now on the last OBJECTS freed objects of NODE's poisoned caches are kept, 1 or more, at most
 * 1/32 of its memory (mm/slab/slab_quarantine.c).  After slab_start(), until slab_stop(), and
 * only of the main node.  False: there is no memory for the list, and no quarantine.
 */
__must_check bool slab_quarantine_start(struct node *node, size_t objects);

/*
 * A cache of objects of SIZE bytes, 1 .. 4 MiB, at multiples of ALIGN (a power of two
 * up to 4096, or 0 for 8).  CTOR, or NULL, is called once for each object of a new
 * slab; objects keep what it wrote while they are free.  NAME is copied.  NULL: no
 * memory, or what was asked for makes no sense, which is reported.
 */
__must_check struct kmem_cache *kmem_cache_create(const char *name, size_t size,
                                                  size_t align, uint32_t flags,
                                                  void (*ctor)(void *));

/* The same for NODE, and the parameters as one value. */
struct slab_wish {
	const char *name;
	size_t size;
	size_t align;
	uint32_t flags;
	void (*ctor)(void *);
};
__must_check struct kmem_cache *
slab_create(struct node *node, const struct slab_wish *wish, uintptr_t caller);

/* All its memory goes back.  If an object is still in use, that is reported, and the
 * cache stays as it is.  NULL is allowed. */
void kmem_cache_destroy(struct kmem_cache *cache);

/* Give back the pages of all slabs without an object in use.  0: no slab is left. */
int kmem_cache_shrink(struct kmem_cache *cache);

/* The same for all caches of NODE. */
void slab_shrink_node(struct node *node);

/* An object, or NULL.  __GFP_ZERO zeroes it. */
__must_check void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);

/*
 * Give OBJECT back; NULL is allowed.  An address that is not an object of CACHE in use
 * (another cache's, free already, the middle of one, not from a slab) is refused and
 * reported with the caller, and nothing happens.
 */
void kmem_cache_free(struct kmem_cache *cache, void *object);

/* The size that was asked for. */
size_t kmem_cache_size(const struct kmem_cache *cache);
bool kmem_cache_is_constructed(const struct kmem_cache *cache);

/* Is ADDRESS an object of CACHE in use, as far as its page and its word tell? */
bool kmem_cache_has(struct kmem_cache *cache, const void *address);

/* ---- For reports --------------------------------------------------------- */

/* A line of `slabinfo`, Linux's columns. */
struct slab_info {
	char name[SLAB_NAME_SIZE];
	unsigned long active_objects; /* in use, or on a CPU's list */
	unsigned long objects;
	unsigned long active_slabs;
	unsigned long slabs;
	unsigned int object_size; /* of a buffer */
	unsigned int objects_per_slab;
	unsigned int pages_per_slab;
};

/* Cache number INDEX of NODE, from the oldest on.  False: there are fewer. */
bool slab_info_read(struct node *node, unsigned int index,
                    struct slab_info *info);

#endif

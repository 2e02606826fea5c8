/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kfence_internal.h -- the pool, and what the slab allocator asks of it.
 */
#ifndef MM_SLAB_KFENCE_INTERNAL_H
#define MM_SLAB_KFENCE_INTERNAL_H

#include "mm/debug/page_owner.h"
#include "mm/slab/kfence.h"
#include "mm/slab/slab_internal.h"

enum kfence_state {
	KFENCE_FREE,  /* not mapped; size 0: nobody has had it yet */
	KFENCE_BUSY,  /* being taken or freed: in the hands of one context */
	KFENCE_TAKEN, /* mapped */
};

/* A page for an object.  Field locks: (l) lock; (b) who made it BUSY.  Of the last object,
 * if it is free. */
struct kfence_slot {
	struct list link;               /* (l) while FREE */
	const struct kmem_cache *cache; /* (b) TAKEN: its */
	uint8_t *object;                /* (b) */
	uint32_t size;                  /* (b) */
	uint8_t state;                  /* (l) enum kfence_state */
	bool at_start;             /* (b) the object lies at the page's start */
	char name[SLAB_NAME_SIZE]; /* (b) of the cache */
	struct page_owner_stamp taken; /* (b) */
	struct page_owner_stamp freed; /* (b) time 0: not since */
};

/* Field locks: (l) lock, (c) constant, (a) atomic. */
struct kfence {
	struct spinlock lock;
	struct kfence_settings settings; /* (c), but interval: (a) */
	unsigned long slots;             /* (c) */
	struct list free;                /* (l) the longest free first */
	struct kfence_counts counts;     /* (l) */
	struct kfence_slot slot[];
};

/* Number INDEX of the pool's pages: the frame, and its address. */
static inline uint8_t *kfence_address(const struct kfence *kfence,
                                      unsigned long index)
{
	kassert(index < kfence->settings.pages);
	return (uint8_t *)(direct_map_base +
	                   ((kfence->settings.pfn + index) << PAGE_SHIFT));
}

/* Slot number I has that page; the ones beside it are guards. */
static inline unsigned long kfence_index(unsigned long i)
{
	return 2 * i + 1;
}

/*
 * SIZE bytes for an object of CACHE, zeroed if GFP wants it, constructed; or NULL: the
 * slabs are to serve this request.  One test, nearly always.  Any context but NMI.
 */
__must_check void *kfence_take(struct kmem_cache *cache, size_t size, gfp_t gfp,
                               uintptr_t caller);
static inline void *kfence_alloc(struct kmem_cache *cache, size_t size,
                                 gfp_t gfp, uintptr_t caller)
{
	if (likely((READ_ONCE(cache->node->slab.detour) & SLAB_DETOUR_KFENCE) ==
	           0))
		return NULL;
	return kfence_take(cache, size, gfp, caller);
}

/* Is PAGE, with PG_slab, one of the pool? */
static inline bool kfence_has_page(const struct page *page)
{
	return slab_counts(page)->place == SLAB_KFENCE;
}

/* OBJECT on PAGE, one of the pool, is given back to CACHE, or, NULL, to kfree(); or it is
 * refused and reported.  Any context but NMI. */
void kfence_free(struct node *node, const struct kmem_cache *cache,
                 const struct page *page, void *object, uintptr_t caller);

/* The size of the object in use of CACHE (NULL: of any) that begins at ADDRESS on PAGE, one of
 * the pool; 0: there is none. */
size_t kfence_room(const struct node *node, const struct kmem_cache *cache,
                   const struct page *page, const void *address);

/* An object in use of CACHE, or NULL. */
void *kfence_find_used(const struct kmem_cache *cache);

/* kfence_report.c: the slot of PAGE, one of the pool. */
struct kfence_slot *kfence_slot_of(const struct node *node,
                                   const struct page *page);

/* The object of SLOT, its calls that took and freed it.  No lock held, any context but NMI. */
void kfence_print(const struct kfence_slot *slot);

/* The byte at AT, beside the object of SLOT, is not what it was. */
void kfence_report_canary(const struct kfence_slot *slot, const uint8_t *at,
                          uint8_t expected, uintptr_t caller);

#endif

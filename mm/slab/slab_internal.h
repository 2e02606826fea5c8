/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_internal.h -- caches, slabs, and the words of their free lists.
 *
 * A slab is on one place at a time; slab_counts(page)->place says which:
 *
 *	            all objects to a CPU          used up
 *	new slab ----------------------> CPU ---------------> FULL
 *	                ^                 ^                     |
 *	     refill     |                 | refill              | first free
 *	             PARTIAL <------- CPU_PARTIAL <-------------+
 *	                |    too many
 *	                v empty, and enough others
 *	              pages
 *
 * Who may touch what:
 *
 *	busy	one context has the CPU's slab for itself, the free list in
 *		kmem_cache_cpu.  It is taken by one exchange and never waited for: a
 *		context that finds it taken (an interrupt, or another thread after a
 *		preemption) takes single objects out of other slabs.  So no interrupts are turned
 *		off for an object, and a thread may be preempted or move to another
 *		CPU in between.
 *	lock	everything else: lists, counters, and the free list of each slab, to
 *		which objects go that are not freed to the CPU's slab.  A few dozen
 *		instructions, with interrupts off.
 *
 * busy comes before lock; pages are taken and given with neither.
 *
 * A free list is a number, not a pointer: 1 + the distance of its first object from
 * the slab's beginning, 0 for none.  Each free object's word holds the number of the
 * next one, exclusive-or the node's key.  An object in use has a 0 there, or what its
 * user wrote: so a word says whether the object can be free.
 *
 *	S1  each slab is at one place, and the lengths of the lists are right
 *	S2  on a slab's own list are all its objects that are not in use
 *	S3  each word of a free list leads to a buffer of the same slab
 *	S4  the tails of a slab point to its head, and that to its cache
 *	S5  poison and red zones are as they were left
 */
#ifndef MM_SLAB_SLAB_INTERNAL_H
#define MM_SLAB_SLAB_INTERNAL_H

#include "kernel/arch/arch.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "mm/node.h"
#include "mm/page_bits.h"
#include "mm/page_internal.h"
#include "mm/slab/slab.h"
#include "mm/slab/slab_shape.h"

/* slab_counts(page)->place */
enum slab_place {
	SLAB_NEW,         /* in the hands of one caller */
	SLAB_CPU,         /* some CPU's: no list */
	SLAB_CPU_PARTIAL, /* on kmem_cache_cpu.partial */
	SLAB_ON_PARTIAL,  /* on kmem_cache.partial */
	SLAB_FULL,        /* on kmem_cache.full */
	SLAB_CHECKED,     /* off a list for a moment, counted as if on it */
	SLAB_LARGE,       /* not a slab: pages of kmalloc() */
	SLAB_KFENCE,      /* not a slab: a page of mm/slab/kfence.h */
};

/* page->private in the head of a slab.  The cache's lock. */
struct slab_counts {
	uint32_t inuse   : 14; /* objects not on the slab's own list */
	uint32_t objects : 14;
	uint32_t place   : 4; /* enum slab_place */
};

static_assert(sizeof(struct slab_counts) == sizeof(uint32_t), "page->private");

/* As strchr(), it hands on what it was given. */
static inline struct slab_counts *slab_counts(const struct page *slab)
{
	return (struct slab_counts *)(uintptr_t)&slab->private;
}

/* Flags that make each call look at the object: no CPU has a free list then. */
#define SLAB_DEBUG_FLAGS (SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON)
#define SLAB_ALL_FLAGS                                                         \
	(SLAB_DEBUG_FLAGS | SLAB_HWCACHE_ALIGN | SLAB_CACHE_DMA |              \
	 SLAB_RECLAIM_ACCOUNT | SLAB_PANIC)

/* A slab's memory, for push and pop. */
struct slab_view {
	uintptr_t before; /* address of its first byte, less 1 */
	uint64_t bytes;
	uint64_t last; /* where its last buffer can begin */
};

/* Field locks: (b) busy, (l) the cache's lock. */
struct kmem_cache_cpu {
	uint64_t free; /* (b) free list */
	struct slab_view view;
	struct page *slab;   /* written under (b) and (l) */
	uint8_t busy;        /* atomic */
	uint32_t partials;   /* (l) */
	struct list partial; /* (l) */
} __aligned(64);

/* Field locks: (l) lock, (c) constant, (a) atomic, (s) the node's slab.lock. */
struct kmem_cache {
	struct node *node; /* (c) */
	uint64_t key;      /* (c) */
	uint64_t
		inverse; /* (c) 2^64 / size, rounded up: see slab_is_buffer() */
	struct slab_shape shape;     /* (c) */
	uint32_t flags;              /* (c) */
	uint32_t min_partial;        /* (c) */
	uint32_t cpu_partial;        /* (c) slabs on a CPU's list, 0: none */
	gfp_t pages;                 /* (c) what it adds to masks */
	void (*constructor)(void *); /* (c) */
	struct spinlock lock;
	struct list partial;        /* (l) */
	struct list full;           /* (l) */
	unsigned long partials;     /* (l) length of partial */
	unsigned long fulls;        /* (l) length of full */
	unsigned long slabs;        /* (l) all */
	unsigned long objects;      /* (l) in all slabs */
	unsigned long free_objects; /* (l) on the slabs' own lists */
	unsigned long lost;         /* (l) behind a broken word */
	void *broken;               /* (a) object with that word, to report */
	struct list link;           /* (s) in slab_state.caches */
	unsigned int visitors;      /* (s) who read it and must find it again */
	char name[SLAB_NAME_SIZE];  /* (c) */
	struct kmem_cache_cpu cpu[]; /* slab_state.cpus */
};

static inline bool slab_is_debug(const struct kmem_cache *cache)
{
	return (cache->flags & SLAB_DEBUG_FLAGS) != 0;
}

/* ---- Free lists ---------------------------------------------------------- */

static inline struct slab_view slab_view_of(const struct kmem_cache *cache,
                                            const struct page *slab)
{
	uint64_t bytes = PAGE_SIZE << slab->order;

	kassert(bytes >= cache->shape.size);
	return (struct slab_view){
		.before = (uintptr_t)page_memory(cache->node, slab) - 1,
		.bytes = bytes,
		.last = bytes - cache->shape.size,
	};
}

static inline uint64_t *slab_word(const struct kmem_cache *cache, void *object)
{
	return (uint64_t *)((uintptr_t)object + cache->shape.offset);
}

/* The number in the word of a free object. */
static inline uint64_t slab_next(const struct kmem_cache *cache, void *object)
{
	return *slab_word(cache, object) ^ cache->key;
}

/*
 * Does an object begin at number FREE of the slab?  FREE - 1 - red_left must be a
 * multiple of size: by Lemire's test, one multiplication (n is a multiple of d if and
 * only if n * ceil(2^64 / d) mod 2^64 is less than ceil(2^64 / d); n and d below 2^32).
 */
static inline bool slab_is_buffer(const struct kmem_cache *cache,
                                  const struct slab_view *view, uint64_t free)
{
	uint64_t distance = free - 1 - cache->shape.red_left;

	return distance <= view->last &&
	       distance * cache->inverse < cache->inverse;
}

/* Can the object be free, by its word?  Almost never for one in use. */
static inline bool slab_looks_free(const struct kmem_cache *cache,
                                   const struct slab_view *view, void *object)
{
	return slab_next(cache, object) <= view->bytes;
}

/* The first object of list *FREE, or NULL: it is empty, or the word is no number of
 * this slab.  Then the object is in cache->broken and the list is left alone. */
static inline void *slab_pop(struct kmem_cache *cache,
                             const struct slab_view *view, uint64_t *free)
{
	void *object = (void *)(view->before + *free);
	uint64_t next;

	if (*free == 0)
		return NULL;
	next = slab_next(cache, object);
	if (__builtin_expect(next > view->bytes, 0)) {
		__atomic_store_n(&cache->broken, object, __ATOMIC_RELAXED);
		return NULL;
	}
	*free = next;
	*slab_word(cache, object) = 0;
	return object;
}

static inline void slab_push(struct kmem_cache *cache,
                             const struct slab_view *view, uint64_t *free,
                             void *object)
{
	*slab_word(cache, object) = *free ^ cache->key;
	*free = (uintptr_t)object - view->before;
}

/* ---- busy ---------------------------------------------------------------- */

/* The lists of this CPU, for the caller alone, or NULL: somebody has them. */
static inline struct kmem_cache_cpu *slab_enter(struct kmem_cache *cache)
{
	struct kmem_cache_cpu *cpu = &cache->cpu[arch_cpu_id()];

	return __atomic_exchange_n(&cpu->busy, 1, __ATOMIC_ACQUIRE) != 0 ? NULL
	                                                                 : cpu;
}

static inline void slab_leave(struct kmem_cache_cpu *cpu)
{
	__atomic_store_n(&cpu->busy, 0, __ATOMIC_RELEASE);
}

/* ---- Across the files of the slab allocator ------------------------------ */

/* The head of the slab or large block that ADDRESS lies in, or NULL: it lies in none.
 * Follows nothing that it has not checked. */
struct page *slab_head_of(const struct node *node, const void *address);

/* Take and give with a caller.  kmalloc.c's doors.  SIZE: what the caller will use, at most
 * an object. */
__must_check void *slab_alloc(struct kmem_cache *cache, gfp_t gfp, size_t size,
                              uintptr_t caller);
void slab_free(struct kmem_cache *cache, struct page *slab, void *object,
               uintptr_t caller);

/* May a request with MASK be served here at all?  False: it was reported.  Takes away
 * from *MASK what is illegal.  Not in an NMI. */
__must_check bool slab_allows(struct node *node, const char *what, gfp_t *mask,
                              uintptr_t caller);

/* slab_page.c: a slab with all objects free, at place SLAB_NEW, or NULL; and its end.
 * Neither lock nor busy held. */
__must_check struct page *slab_page_make(struct kmem_cache *cache, gfp_t mask);
void slab_page_end(struct kmem_cache *cache, struct page *slab);
void slab_page_end_all(struct kmem_cache *cache, struct list *slabs);

/* slab.c, cache->lock held: SLAB at its new place.  Those that go away are appended to
 * GONE, for slab_page_end_all(). */
void slab_put_gone(struct kmem_cache *cache, struct page *slab,
                   struct list *gone);
void slab_put_partial(struct kmem_cache *cache, struct page *slab,
                      struct list *gone);
void slab_put_full(struct kmem_cache *cache, struct page *slab);
void slab_unlink(struct kmem_cache *cache, struct page *slab);

/* slab.c: OBJECT, which is in the hands of the caller, is free.  No lock held. */
void slab_give_back(struct kmem_cache *cache, struct page *slab, void *object);

/* slab_cache.c: what CPU number I has goes back to the cache; may sleep. */
void slab_flush_cpu(struct kmem_cache *cache, unsigned int i);

/* Cache number INDEX, which does not end before slab_visit_end(), or NULL. */
struct kmem_cache *slab_visit(struct node *node, unsigned int index);
void slab_visit_end(struct kmem_cache *cache);

/* slab_debug.c: OBJECT is cut, taken, given.  The checks report what they find and
 * return false if the object must not be used; it is mended. */
void slab_debug_cut(struct kmem_cache *cache, void *object);
__must_check bool slab_debug_take(struct kmem_cache *cache, void *object,
                                  uintptr_t caller);
__must_check bool slab_debug_give(struct kmem_cache *cache, void *object,
                                  uintptr_t caller);
/* The free OBJECT leaves the quarantine, on behalf of CALLER. */
__must_check bool slab_debug_leave(struct kmem_cache *cache, void *object,
                                   uintptr_t caller);
/* NULL, or what is wrong with the bytes of a free OBJECT. */
const char *slab_debug_look(const struct kmem_cache *cache, const void *object);

/* slab_check.c: is OBJECT on a free list of SLAB?  cache->lock held. */
bool slab_check_is_free(struct kmem_cache *cache, const struct page *slab,
                        const void *object);
const char *slab_check(struct node *node, char *buffer, size_t size);

/* slab_report.c.  Neither lock held. */
void slab_report_free(struct node *node, const char *what, const void *object,
                      uintptr_t caller, const char *why);
void slab_report_object(const struct kmem_cache *cache, const void *object,
                        uintptr_t caller, const char *why);
void slab_report_broken(struct kmem_cache *cache);
/* An object in use, of a cache that nobody uses any more; NULL: none is found. */
void *slab_find_used(struct kmem_cache *cache);
void slab_report_failure(struct kmem_cache *cache, gfp_t mask);
void slab_report_mask(const char *what, gfp_t mask, gfp_t blamed,
                      uintptr_t caller, const char *why);

#endif

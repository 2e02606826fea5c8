/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_state.h -- the slab allocator's data in a node.
 *
 * It lies below the rest of mm/slab/ because it is a part of struct node.
 */
#ifndef MM_SLAB_SLAB_STATE_H
#define MM_SLAB_SLAB_STATE_H

#include "kernel/core/lock.h"
#include "kernel/core/printk.h"
#include "lib/list.h"

struct kmem_cache;
struct slab_quarantine;
struct kfence;
struct node;

/* Sizes of kmalloc(): 8 .. 8192, with 96 and 192 in between. */
#define KMALLOC_CLASSES 13

/* From which pages; Linux's order of precedence is DMA, RECLAIMABLE, normal. */
enum kmalloc_kind {
	KMALLOC_NORMAL,
	KMALLOC_RCL, /* __GFP_RECLAIMABLE: pages that a shrinker can free */
	KMALLOC_DMA, /* __GFP_DMA: below 16 MiB */
	KMALLOC_KINDS,
};

/* Why no request takes the hot path; any number of them at a time. */
enum slab_detour {
	SLAB_DETOUR_FAIL = 1 << 0, /* some are to fail: failslab, fail_nth */
	SLAB_DETOUR_KFENCE = 1
	                     << 1, /* the next is a sample: mm/slab/kfence.h */
};

/* Field locks: (l) lock, (c) constant after slab_start(). */
struct slab_state {
	struct spinlock lock;
	struct list caches;  /* (l) all caches, by link */
	unsigned long count; /* (l) of them */
	unsigned int cpus;   /* (c) each cache has lists for so many */
	uint64_t key;        /* (c) hides free-list words */
	uint32_t
		debug; /* (c) enum slab_flag that all caches have, but that of caches */
	struct kmem_cache
		*boot; /* (c) the cache of caches; NULL: not started */
	struct kmem_cache *kmalloc[KMALLOC_KINDS][KMALLOC_CLASSES]; /* (c) */
	struct slab_quarantine *quarantine; /* NULL: there is none */
	struct kfence *kfence;              /* the same */
	uint32_t detour; /* atomic; enum slab_detour; 0, nearly always */
	struct ratelimit fail_limit; /* of reports about failed requests */

	/* Print which areas of vmalloc() map one of COUNT frames from PFN on.  For reports
	 * about pages, which lie lower.  (c) */
	void (*report_mappings)(unsigned long pfn, unsigned long count);
	/* Is it all sound?  For mm_check(), which lies lower.  (c) */
	const char *(*check)(struct node *node, char *buffer, size_t size);
};

#endif

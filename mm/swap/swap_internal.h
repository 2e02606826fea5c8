/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap_internal.h -- what the files of the swap areas share.
 *
 * One lock, swap.lock, protects all areas, their slots and the swap cache.  It is
 * the innermost lock of mm/: its holder takes no other.  Interrupts are off.
 */
#ifndef MM_SWAP_SWAP_INTERNAL_H
#define MM_SWAP_SWAP_INTERNAL_H

#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "lib/bitmap.h"
#include "mm/swap/swap.h"

/* Field locks: (s) swap.lock, (c) constant while it is on. */
struct swap_area {
	enum swap_state state;          /* (s) */
	struct swap_device *device;     /* (c) */
	struct swap_cluster **clusters; /* (c) the pointers, (s) the clusters */
	unsigned long slots;            /* (c) with the header */
	int priority;                   /* (c) */
	unsigned long pages;            /* (s) slots that are not bad */
	unsigned long free;             /* (s) */
	unsigned long used;             /* (s) */
	unsigned long bad;              /* (s) without slot 0 */
	unsigned long next;             /* (s) where the search begins */
	uint64_t turn;                  /* (s) when it last gave a slot */
	char label[17];                 /* (c) */
	unsigned long full[BITMAP_LONGS(SWAP_MAX_CLUSTERS)];   /* (s) V4 */
	unsigned long in_use[BITMAP_LONGS(SWAP_MAX_CLUSTERS)]; /* (s) V4 */
};

/* One for the kernel.  Field locks: (s) swap.lock, (c) constant. */
struct swap_areas {
	struct spinlock lock;
	struct node *node; /* (c) has the pages and counters */
	struct swap_area area[MAX_SWAPFILES]; /* as its fields say */
	int least_priority;                   /* (s) the last that was chosen */
	uint64_t turns;                       /* (s) slots allocated, ever */
	unsigned long cached;                 /* (s) pages in the cache */
	unsigned long changes; /* (s) times that the lock was taken */
	struct ratelimit said; /* errors of devices */
};
extern struct swap_areas swap;

/* The holder may change something: checks see that by the count. */
static inline bool swap_lock(void)
{
	bool enabled = spin_lock_irqsave(&swap.lock);

	swap.changes++;
	return enabled;
}

/* ---- Finding the slot of an entry ---------------------------------------- */

static inline struct swap_area *swap_area_of(swp_entry_t entry)
{
	struct swap_area *area;

	kassert(spin_is_mine(&swap.lock));
	if (swp_type(entry) >= MAX_SWAPFILES)
		return NULL;
	area = &swap.area[swp_type(entry)];
	if (area->state == SWAP_OFF || swp_offset(entry) >= area->slots)
		return NULL;
	return area;
}

static inline struct swap_cluster *swap_cluster_of(const struct swap_area *area,
                                                   unsigned long slot)
{
	kassert(slot < area->slots);
	return area->clusters[slot / SWAP_CLUSTER];
}

static inline unsigned long swap_cluster_count(const struct swap_area *area)
{
	return (area->slots + SWAP_CLUSTER - 1) / SWAP_CLUSTER;
}

/* Slots of cluster NUMBER: the last one may be short. */
static inline unsigned int swap_cluster_slots(const struct swap_area *area,
                                              unsigned long number)
{
	unsigned long left = area->slots - number * SWAP_CLUSTER;

	kassert(number < swap_cluster_count(area));
	return (unsigned int)min(left, (unsigned long)SWAP_CLUSTER);
}

static inline uint8_t *swap_count_of(const struct swap_area *area,
                                     unsigned long slot)
{
	return &swap_cluster_of(area, slot)->count[slot % SWAP_CLUSTER];
}

static inline uint32_t *swap_cached_at(const struct swap_area *area,
                                       unsigned long slot)
{
	return &swap_cluster_of(area, slot)->cached[slot % SWAP_CLUSTER];
}

/* ---- swap.lock is held --------------------------------------------------- */

/* V4: the counts of the cluster of SLOT have changed. */
void swap_note_cluster(struct swap_area *area, unsigned long slot);

/* The slot is bad from now on; it may be in use. */
void swap_make_bad(struct swap_area *area, unsigned long slot);

/* References of ENTRY's slot; 0 if there is no such slot. */
unsigned int swap_references(swp_entry_t entry);

/* One more reference of SLOT, which is free or has some; one less. */
void swap_add_reference(struct swap_area *area, unsigned long slot);
void swap_drop_reference(struct swap_area *area, unsigned long slot);

/* PAGE is the one in the cache for SLOT, which has the cache's reference. */
void swap_put_in_cache(struct swap_area *area, unsigned long slot,
                       struct page *page);

#endif

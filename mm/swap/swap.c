/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap.c -- the areas, and the clusters that they consist of.
 *
 * An area is a row of slots, described by one page for each 768 of them:
 *
 *	area ----> cluster 0     cluster 1     cluster 2
 *	           slots 0..767  768..1535     1536..2303
 *	           count[768]    how many refer to the slot; is it bad?
 *	           cached[768]   which frame has the same contents?
 *
 * It is OFF, then ON, then GOING while swapoff empties it, then OFF again:
 *
 *	OFF --swap_area_add--> ON <--swap_area_going--> GOING --swap_area_remove--> OFF
 *
 * Invariants, checked by swap_check() (mm/swap/swap_check.c):
 *
 *  V1  A cluster's `used` is the number of its slots with references, `free` of
 *      those that are neither used nor bad; the area's are the sums.
 *  V2  A slot with a page in the cache has a count.
 *  V3  A page in the cache has PG_swapcache and names the slot that names it.
 *  V4  A cluster's bit in `full` is clear if it has free slots; its bit in
 *      `in_use` is clear if it has free slots and no used one.  Bits beyond the
 *      last cluster are set.
 *
 * Locking: swap.lock (mm/swap/swap_internal.h).  A new area is prepared before it
 * is reachable, without the lock.
 *
 * Further reading: Gorman, Understanding the Linux Virtual Memory Manager,
 * chapter 11; swapon(2); mkswap(8).
 */
#include "mm/swap/swap.h"

#include "kernel/arch/copy.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/swap/swap_internal.h"

struct swap_areas swap;

void swap_start(struct node *node)
{
	memset(&swap, 0, sizeof(swap));
	swap.lock = (struct spinlock)SPINLOCK_INIT("swap");
	swap.node = node;
	swap.least_priority = -1;
	swap.said = (struct ratelimit){ .interval = 10000000, .burst = 10 };
}

/* ---- Clusters ------------------------------------------------------------ */

static void swap_set_bit(unsigned long *map, unsigned long bit, bool set)
{
	if (set)
		bitmap_set(map, bit);
	else
		bitmap_clear(map, bit);
}

/* V4: the counts of the cluster of SLOT have changed. */
void swap_note_cluster(struct swap_area *area, unsigned long slot)
{
	const struct swap_cluster *cluster = swap_cluster_of(area, slot);
	unsigned long number = slot / SWAP_CLUSTER;
	bool full = cluster->free == 0;

	kassert(cluster->free + cluster->used <= SWAP_CLUSTER);
	swap_set_bit(area->full, number, full);
	swap_set_bit(area->in_use, number, full || cluster->used > 0);
}

/* The slot is bad from now on; it may be in use. */
void swap_make_bad(struct swap_area *area, unsigned long slot)
{
	uint8_t *count = swap_count_of(area, slot);

	if (*count & SWAP_SLOT_BAD)
		return;
	kassert(area->pages > 0);
	if (*count == 0) {
		kassert(swap_cluster_of(area, slot)->free > 0 &&
		        area->free > 0);
		swap_cluster_of(area, slot)->free--;
		area->free--;
		swap_note_cluster(area, slot);
	}
	*count |= SWAP_SLOT_BAD;
	area->pages--;
	area->bad++;
}

/* ---- Areas --------------------------------------------------------------- */

int swap_area_find(const struct swap_device *device)
{
	bool enabled = swap_lock();
	int found = -ENXIO;

	for (int type = 0; type < MAX_SWAPFILES; type++) {
		if (swap.area[type].state != SWAP_OFF &&
		    swap.area[type].device == device)
			found = type;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return found;
}

static int swap_find_off(const struct swap_device *device)
{
	int found = -ENOSPC;

	kassert(spin_is_mine(&swap.lock));

	for (int type = MAX_SWAPFILES - 1; type >= 0; type--) {
		if (swap.area[type].state == SWAP_OFF)
			found = type;
		else if (swap.area[type].device == device)
			return -EBUSY;
	}
	return found;
}

static void swap_prepare_clusters(struct swap_area *area,
                                  const struct swap_header *header)
{
	memset(area->full, 0xff, sizeof(area->full));
	memset(area->in_use, 0xff, sizeof(area->in_use));
	for (unsigned long i = 0; i < swap_cluster_count(area); i++) {
		area->clusters[i]->free = (uint16_t)swap_cluster_slots(area, i);
		swap_note_cluster(area, i * SWAP_CLUSTER);
	}
	kassert(area->slots <= SWAP_MAX_SLOTS);
	area->pages = area->slots;
	area->free = area->slots;
	swap_make_bad(area, 0);
	area->bad = 0;
	for (unsigned int i = 0; i < header->nr_badpages; i++) {
		unsigned long slot = swap_header_badpage(header, i);

		/* The area may be shorter than the header says. */
		if (slot < area->slots)
			swap_make_bad(area, slot);
	}
}

int swap_area_add(struct swap_device *device, const struct swap_header *header,
                  int priority, struct swap_cluster **clusters)
{
	struct swap_area made = {
		.state = SWAP_ON,
		.device = device,
		.clusters = clusters,
		.slots = min(header->slots, SWAP_MAX_SLOTS),
		.next = 1,
		.priority = priority,
	};
	bool enabled = swap_lock();
	int type = swap_find_off(device);

	spin_unlock_irqrestore(&swap.lock, enabled);
	if (type < 0)
		return type;
	/* All of its clusters, while nobody else knows them. */
	memcpy(made.label, header->label, sizeof(made.label));
	swap_prepare_clusters(&made, header);
	enabled = swap_lock();
	type = swap_find_off(device);
	if (type >= 0) {
		if (priority < 0)
			made.priority = --swap.least_priority;
		swap.area[type] = made;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return type;
}

int swap_area_going(unsigned int type, bool going)
{
	bool enabled = swap_lock();
	enum swap_state from = going ? SWAP_ON : SWAP_GOING;
	int error = -ENXIO;

	if (type < MAX_SWAPFILES && swap.area[type].state == from) {
		swap.area[type].state = going ? SWAP_GOING : SWAP_ON;
		error = 0;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

int swap_area_remove(unsigned int type, struct swap_cluster ***clusters)
{
	struct swap_area *area = &swap.area[type];
	int error = clear_caller(clusters, sizeof(*clusters));
	bool enabled;

	if (error != 0)
		return error;
	error = -EBUSY;
	enabled = swap_lock();
	if (area->state == SWAP_GOING && area->used == 0) {
		kassert(area->free == area->pages);
		*clusters = area->clusters;
		area->state = SWAP_OFF;
		error = 0;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

bool swap_area_info(unsigned int type, struct swap_info *info)
{
	bool enabled = swap_lock();
	bool there = type < MAX_SWAPFILES && swap.area[type].state != SWAP_OFF;
	struct swap_info now = { 0 };

	if (there) {
		const struct swap_area *area = &swap.area[type];

		now = (struct swap_info){
			.state = area->state,
			.device = area->device,
			.priority = area->priority,
			.pages = area->pages,
			.used = area->used,
			.bad = area->bad,
		};
		memcpy(now.label, area->label, sizeof(now.label));
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	/* Under no lock: INFO is the caller's. */
	if (there)
		*info = now;
	return there;
}

/* ---- Sums ---------------------------------------------------------------- */

/* A guess, without the lock. */
static bool swap_some_is_on(void)
{
	for (int type = 0; type < MAX_SWAPFILES; type++) {
		if (READ_ONCE(swap.area[type].state) == SWAP_ON)
			return true;
	}
	return false;
}

/* Sums of the areas that are on. */
static void swap_sum_areas(unsigned long *total, unsigned long *free)
{
	bool enabled;

	*total = 0;
	*free = 0;
	if (!swap_some_is_on())
		return;
	enabled = swap_lock();
	for (int type = 0; type < MAX_SWAPFILES; type++) {
		const struct swap_area *area = &swap.area[type];

		if (area->state != SWAP_ON)
			continue;
		kassert(area->free <= area->pages);
		*total += area->pages;
		*free += area->free;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
}

unsigned long total_swap_pages(void)
{
	unsigned long total;
	unsigned long free;

	swap_sum_areas(&total, &free);
	return total;
}

unsigned long get_nr_swap_pages(void)
{
	unsigned long total;
	unsigned long free;

	swap_sum_areas(&total, &free);
	return free;
}

bool vm_swap_full(void)
{
	unsigned long total;
	unsigned long free;

	swap_sum_areas(&total, &free);
	return free * 2 < total;
}

unsigned long total_swapcache_pages(void)
{
	return READ_ONCE(swap.cached);
}

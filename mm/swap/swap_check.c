/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap_check.c -- V1 to V4 of all areas (mm/swap/swap.c).
 *
 * A check walks all slots, a slice at a time: the lock is released between two
 * slices.  V2 and V3 are checked for each slot; V1 and V4 compare sums, which mean
 * something only if nothing changed during the walk: swap.changes shows it.  A
 * walk that was disturbed is repeated, at most CHECK_WALKS times (mm/debug/check.h).
 *
 * Locking: swap.lock, for a slice.
 */
#include "kernel/core/lock.h"
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/page_bits.h"
#include "mm/swap/swap_internal.h"

static bool swap_cached_is_right(swp_entry_t entry, uint32_t cached,
                                 uint8_t count)
{
	const struct page *page;

	if (cached == 0)
		return true;
	page = node_page(swap.node, cached - 1);
	return (count & SWAP_SLOT_COUNT) != 0 && /* V2 */
	       page != NULL && page_swap_entry(page).value == entry.value &&
	       page_has(page, PG_swapcache); /* V3 */
}

struct swap_sums {
	unsigned long free, used, good, cached;
};

/* A check of all areas, in slices: mm/debug/check.h. */
struct swap_walk {
	bool enabled;
	bool moved; /* somebody else had the lock: sums say nothing */
	unsigned long changes;
	char *buffer;
	size_t size;
};

/* Let others at the lock. */
static void swap_pause(struct swap_walk *walk)
{
	spin_unlock_irqrestore(&swap.lock, walk->enabled);
	walk->enabled = spin_lock_irqsave(&swap.lock);
	walk->moved = walk->moved || swap.changes != walk->changes;
}

/* Is there such a slot still? */
static bool swap_has_slot(unsigned int type, unsigned long slot)
{
	const struct swap_area *area = &swap.area[type];

	return area->state != SWAP_OFF && slot < area->slots;
}

/* V2, V3: all slots of one cluster, added to SUMS.  NULL or a sentence. */
static const char *swap_check_slots(struct swap_walk *walk, unsigned int type,
                                    unsigned long number,
                                    struct swap_sums *sums)
{
	const struct swap_area *area = &swap.area[type];

	for (unsigned int i = 0; i < SWAP_CLUSTER; i++) {
		unsigned long slot = number * SWAP_CLUSTER + i;
		const struct swap_cluster *cluster;

		if (i % CHECK_SLICE == 0)
			swap_pause(walk);
		if (!swap_has_slot(type, slot))
			break;
		cluster = area->clusters[number];
		sums->free += cluster->count[i] == 0;
		sums->used += (cluster->count[i] & SWAP_SLOT_COUNT) != 0;
		sums->good += (cluster->count[i] & SWAP_SLOT_BAD) == 0;
		sums->cached += cluster->cached[i] != 0;
		if (swap_cached_is_right(swp_entry(type, slot),
		                         cluster->cached[i], cluster->count[i]))
			continue;
		scnprintf(walk->buffer, walk->size,
		          "swap area %u: the page in the cache for slot %lu "
		          "is another",
		          type, slot);
		return walk->buffer;
	}
	return NULL;
}

/* V4 */
static bool swap_bits_are_right(const struct swap_area *area,
                                unsigned long number)
{
	const struct swap_cluster *cluster = area->clusters[number];
	bool full = cluster->free == 0;

	return bitmap_test(area->full, number) == full &&
	       bitmap_test(area->in_use, number) == (full || cluster->used > 0);
}

/* One cluster, added to ALL. */
static const char *swap_check_cluster(struct swap_walk *walk, unsigned int type,
                                      unsigned long number,
                                      struct swap_sums *all)
{
	struct swap_sums sums = { 0 };
	const char *broken = swap_check_slots(walk, type, number, &sums);
	const struct swap_cluster *cluster;

	all->free += sums.free;
	all->used += sums.used;
	all->good += sums.good;
	all->cached += sums.cached;
	if (broken != NULL || walk->moved)
		return broken;
	cluster = swap.area[type].clusters[number];
	if (sums.free == cluster->free && sums.used == cluster->used &&
	    swap_bits_are_right(&swap.area[type], number))
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "swap area %u: the counts of cluster %lu are wrong", type,
	          number);
	return walk->buffer;
}

static const char *swap_check_area(struct swap_walk *walk, unsigned int type,
                                   unsigned long *cached)
{
	const struct swap_area *area = &swap.area[type];
	struct swap_sums sums = { 0 };
	const char *broken = NULL;

	for (unsigned long i = 0;
	     broken == NULL && swap_has_slot(type, i * SWAP_CLUSTER); i++)
		broken = swap_check_cluster(walk, type, i, &sums);
	*cached += sums.cached;
	if (broken != NULL || walk->moved || area->state == SWAP_OFF)
		return broken;
	if (sums.free == area->free && sums.used == area->used &&
	    sums.good == area->pages)
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "swap area %u: %lu free, %lu used of %lu; counted %lu, %lu "
	          "of %lu",
	          type, area->free, area->used, area->pages, sums.free,
	          sums.used, sums.good);
	return walk->buffer;
}

static const char *swap_check_once(struct swap_walk *walk)
{
	unsigned long cached = 0;

	walk->moved = false;
	walk->changes = swap.changes;
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		const char *broken = swap_check_area(walk, type, &cached);

		if (broken != NULL)
			return broken;
	}
	if (walk->moved || cached == swap.cached)
		return NULL;
	scnprintf(walk->buffer, walk->size,
	          "swap cache: %lu pages, counted %lu", swap.cached, cached);
	return walk->buffer;
}

const char *swap_check(char *buffer, size_t size)
{
	struct swap_walk walk = { .moved = true, .size = size };
	const char *broken = check_buffer(buffer, size);

	if (broken != NULL)
		return broken;
	walk.buffer = buffer;
	walk.enabled = spin_lock_irqsave(&swap.lock);
	for (unsigned int i = 0;
	     i < CHECK_WALKS && walk.moved && broken == NULL; i++)
		broken = swap_check_once(&walk);
	spin_unlock_irqrestore(&swap.lock, walk.enabled);
	return broken;
}

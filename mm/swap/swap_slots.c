/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap_slots.c -- allocating, counting and freeing slots.
 *
 * A slot is found by next fit: the search begins after the slot that was
 * allocated last, so that pages that leave memory together are neighbours on the
 * disk.  When a cluster is full, an empty one is searched first, then any with
 * room, once around the area.  Interrupts are off meanwhile, so clusters are
 * found in two bitmaps, and slots 8 at a time: at most 2 * 8 words and 2 * 96.
 *
 *	                slot_alloc                 swap_duplicate
 *	   count 0  ------------------>  count 1  -----------------> count 2 ..
 *	      ^      cached: the page       |  ^                        |
 *	      +------------ swap_free ------+  +------- swap_free ------+
 *
 * Invariants: V1 and V4 (mm/swap/swap.c).  The reference of the cache is dropped
 * by swap_cache_remove() only; swap_free() refuses it.
 *
 * Locking: swap.lock.
 *
 * Source: Linux mm/swapfile.c, scan_swap_map_slots(), before 6.10.
 */
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/page_bits.h"
#include "mm/swap/swap_internal.h"

/* ---- Finding one --------------------------------------------------------- */

/* The cluster to go on in when cluster FROM is full: an empty one, or one with
 * room, from FROM on and round; the number of clusters if there is none. */
static unsigned long swap_find_cluster(const struct swap_area *area,
                                       unsigned long from, bool empty)
{
	unsigned long at = bitmap_find_clear(empty ? area->in_use : area->full,
	                                     SWAP_MAX_CLUSTERS, from);

	return min(at, swap_cluster_count(area));
}

/* Are the eight counts from COUNT on, aligned, all used or bad? */
static bool swap_none_is_free(const uint8_t *count)
{
	const uint64_t ones = 0x0101010101010101ULL;
	const uint64_t tops = 0x8080808080808080ULL;
	uint64_t eight = *(const uint64_t *)(const void *)count;

	/* A byte of 0 borrows from its top bit, which was clear. */
	return ((eight - ones) & ~eight & tops) == 0;
}

/* The first free slot of cluster NUMBER at or behind FROM, or 0. */
static unsigned long swap_find_in_cluster(const struct swap_area *area,
                                          unsigned long number,
                                          unsigned long from)
{
	const uint8_t *count = area->clusters[number]->count;
	unsigned long i = from;

	kassert(from < SWAP_CLUSTER);
	while (i < swap_cluster_slots(area, number)) {
		bool whole = i % 8 == 0;

		if (whole && swap_none_is_free(&count[i]))
			i += 8;
		else if (count[i] != 0)
			i++;
		else
			return number * SWAP_CLUSTER + i;
	}
	return 0;
}

/* A free slot of AREA, which has one. */
static unsigned long swap_find_slot(const struct swap_area *area)
{
	unsigned long at = area->next / SWAP_CLUSTER % swap_cluster_count(area);
	unsigned long from = area->next % SWAP_CLUSTER;
	unsigned long slot =
		from == 0 ? 0 : swap_find_in_cluster(area, at, from);
	unsigned long other;

	if (slot != 0)
		return slot;
	kassert(area->free > 0);
	other = swap_find_cluster(area, at, true);
	if (other == swap_cluster_count(area))
		other = swap_find_cluster(area, at, false);
	slot = swap_find_in_cluster(area, other, 0);
	kassert(slot != 0);
	return slot;
}

/* Does A give slots before B? */
static bool swap_is_preferred(const struct swap_area *a,
                              const struct swap_area *b)
{
	if (b == NULL || a->priority != b->priority)
		return b == NULL || a->priority > b->priority;
	return a->turn < b->turn;
}

/* The area that gives the next slot, or NULL. */
static struct swap_area *swap_choose_area(void)
{
	struct swap_area *best = NULL;

	kassert(spin_is_mine(&swap.lock));

	for (int type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_area *area = &swap.area[type];

		if (area->state == SWAP_ON && area->free > 0 &&
		    swap_is_preferred(area, best))
			best = area;
	}
	return best;
}

/* ---- References ---------------------------------------------------------- */

/* One more reference of SLOT, which is free or has some. */
void swap_add_reference(struct swap_area *area, unsigned long slot)
{
	uint8_t *count = swap_count_of(area, slot);

	kassert(spin_is_mine(&swap.lock) && slot != 0);
	kassert(*count < SWAP_SLOT_COUNT || *count > SWAP_SLOT_BAD);
	if (*count == 0) {
		kassert(swap_cluster_of(area, slot)->free > 0 &&
		        area->free > 0);
		swap_cluster_of(area, slot)->free--;
		swap_cluster_of(area, slot)->used++;
		area->free--;
		area->used++;
		swap_note_cluster(area, slot);
	}
	++*count;
}

void swap_drop_reference(struct swap_area *area, unsigned long slot)
{
	uint8_t *count = swap_count_of(area, slot);

	kassert(spin_is_mine(&swap.lock));
	kassert((*count & SWAP_SLOT_COUNT) > 0);
	--*count;
	if ((*count & SWAP_SLOT_COUNT) == 0) {
		kassert(swap_cluster_of(area, slot)->used > 0 &&
		        area->used > 0);
		swap_cluster_of(area, slot)->used--;
		area->used--;
	}
	if (*count == 0) {
		swap_cluster_of(area, slot)->free++;
		area->free++;
	}
	swap_note_cluster(area, slot);
}

/* References of ENTRY's slot.  swap.lock held. */
unsigned int swap_references(swp_entry_t entry)
{
	const struct swap_area *area = swap_area_of(entry);

	return area == NULL ? 0
	                    : *swap_count_of(area, swp_offset(entry)) &
	                              SWAP_SLOT_COUNT;
}

swp_entry_t swap_slot_alloc(struct page *page)
{
	bool enabled = swap_lock();
	struct swap_area *area = swap_choose_area();
	swp_entry_t entry = { 0 };

	if (area != NULL) {
		unsigned long slot = swap_find_slot(area);

		kassert(slot < area->slots && !page_has(page, PG_swapcache));
		area->next = slot + 1;
		area->turn = ++swap.turns;
		swap_add_reference(area, slot);
		swap_put_in_cache(area, slot, page);
		entry = page_swap_entry(page);
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return entry;
}

unsigned int swap_count(swp_entry_t entry)
{
	bool enabled = swap_lock();
	unsigned int count = swap_references(entry);

	spin_unlock_irqrestore(&swap.lock, enabled);
	return count;
}

int swap_duplicate(swp_entry_t entry)
{
	bool enabled = swap_lock();
	unsigned int count = swap_references(entry);
	int error = 0;

	if (count == 0)
		error = -ENOENT;
	else if (count == SWAP_SLOT_COUNT)
		error = -ENOMEM;
	else if (swap_area_of(entry)->state == SWAP_GOING)
		error = -EBUSY;
	else
		swap_add_reference(swap_area_of(entry), swp_offset(entry));
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

static void swap_report_free(swp_entry_t entry, uintptr_t caller)
{
	char place[PLACE_SIZE];

	pr_err("BUG: swap_free() of slot %lu of area %u by %s at %s: it has no "
	       "such reference\n",
	       swp_offset(entry), swp_type(entry), context_name(),
	       caller_format(place, sizeof(place), caller));
	backtrace_print_from(caller);
}

void swap_free(swp_entry_t entry)
{
	bool enabled = swap_lock();
	unsigned int count = swap_references(entry);

	/* The cache's own reference goes with the page. */
	if (count > 1 ||
	    (count == 1 &&
	     *swap_cached_at(swap_area_of(entry), swp_offset(entry)) == 0))
		swap_drop_reference(swap_area_of(entry), swp_offset(entry));
	else
		count = 0;
	spin_unlock_irqrestore(&swap.lock, enabled);
	if (count == 0)
		swap_report_free(entry, RETURN_ADDRESS());
}

bool swap_slot_is_bad(swp_entry_t entry)
{
	bool enabled = swap_lock();
	const struct swap_area *area = swap_area_of(entry);
	bool bad = area == NULL || (*swap_count_of(area, swp_offset(entry)) &
	                            SWAP_SLOT_BAD) != 0;

	spin_unlock_irqrestore(&swap.lock, enabled);
	return bad;
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap_cache.c -- from a slot to the page with the same contents.
 *
 *	cluster->cached[slot] = 1 + frame  <------>  page->private = entry
 *
 * A page is in the cache while it is being written or read, and afterwards for as
 * long as its contents and the slot's are the same.  A second reader of a slot
 * finds the page of the first one here, instead of reading it twice.  The cache
 * holds a reference of the slot and none of the page: the page leaves the cache
 * before its last reference is dropped.
 *
 * Invariants: V2 and V3 (mm/swap/swap.c).
 *
 * Locking: swap.lock; the page is locked where it enters or leaves.
 */
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/page_bits.h"
#include "mm/swap/swap_internal.h"

void swap_put_in_cache(struct swap_area *area, unsigned long slot,
                       struct page *page)
{
	unsigned int type = (unsigned int)(area - swap.area);

	kassert(spin_is_mine(&swap.lock));
	kassert(*swap_cached_at(area, slot) == 0 &&
	        !page_has(page, PG_swapcache));
	kassert((*swap_count_of(area, slot) & SWAP_SLOT_COUNT) > 0);
	*swap_cached_at(area, slot) = (uint32_t)node_pfn(swap.node, page) + 1;
	page->private = swp_entry(type, slot).value;
	page_set(page, PG_swapcache);
	swap.cached++;
}

int swap_cache_add(swp_entry_t entry, struct page *page)
{
	bool enabled = swap_lock();
	unsigned int count = swap_references(entry);
	int error = 0;

	if (count == 0) {
		error = -ENOENT;
	} else if (*swap_cached_at(swap_area_of(entry), swp_offset(entry)) !=
	           0) {
		error = -EEXIST;
	} else if (count == SWAP_SLOT_COUNT) {
		error = -ENOMEM;
	} else {
		swap_add_reference(swap_area_of(entry), swp_offset(entry));
		swap_put_in_cache(swap_area_of(entry), swp_offset(entry), page);
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	return error;
}

void swap_cache_remove(struct page *page)
{
	bool enabled = swap_lock();
	swp_entry_t entry = page_swap_entry(page);
	struct swap_area *area = swap_area_of(entry);

	kassert(page_has(page, PG_swapcache) && area != NULL);
	kassert(*swap_cached_at(area, swp_offset(entry)) ==
	        node_pfn(swap.node, page) + 1);
	kassert(swap.cached > 0);
	*swap_cached_at(area, swp_offset(entry)) = 0;
	swap_drop_reference(area, swp_offset(entry));
	page->private = 0;
	page_clear(page, PG_swapcache);
	swap.cached--;
	spin_unlock_irqrestore(&swap.lock, enabled);
}

void swap_cache_replace(struct page *from, struct page *to)
{
	bool enabled = swap_lock();
	swp_entry_t entry = page_swap_entry(from);
	uint32_t *cached =
		swap_cached_at(swap_area_of(entry), swp_offset(entry));

	kassert(page_has(from, PG_swapcache) && !page_has(to, PG_swapcache));
	kassert(*cached == node_pfn(swap.node, from) + 1);
	*cached = (uint32_t)node_pfn(swap.node, to) + 1;
	to->private = from->private;
	page_set(to, PG_swapcache);
	from->private = 0;
	page_clear(from, PG_swapcache);
	spin_unlock_irqrestore(&swap.lock, enabled);
}

struct page *swap_cache_get(swp_entry_t entry)
{
	bool enabled = swap_lock();
	struct page *page = NULL;
	uint32_t cached = 0;

	if (swap_references(entry) != 0)
		cached =
			*swap_cached_at(swap_area_of(entry), swp_offset(entry));
	if (cached != 0) {
		page = node_page(swap.node, cached - 1);
		kassert(page_has(page, PG_swapcache) &&
		        page_swap_entry(page).value == entry.value);
		/* It has one: it leaves the cache before its last is gone.  With
		 * too many it is as if it were busy: the caller looks again. */
		if (!page_add_reference(page))
			page = NULL;
	}
	spin_unlock_irqrestore(&swap.lock, enabled);
	if (page != NULL)
		held_take(HELD_PIN, page, RETURN_ADDRESS());
	return page;
}

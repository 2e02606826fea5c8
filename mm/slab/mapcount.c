/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/mapcount.c -- the mappings of a page beside the direct map, counted.
 *
 * vmalloc() and vmap() count each page before they map it, and a mapping holds a
 * reference.  So a page that somebody frees behind its mapping is found: it is leaked
 * and reported, and no other request gets it while it can be reached.
 *
 * Locking: page->mapcount is atomic.
 *
 * Source: Linux 6.12 include/linux/mm.h, page_mapcount().
 */
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/node.h"
#include "mm/page_alloc.h"

/* One more, unless there are as many as can be counted. */
static bool page_count_mapping(struct page *page)
{
	uint8_t seen = READ_ONCE(page->mapcount);

	kassert(page->state == PAGE_USED && page->refcount > 0);
	while (seen < UINT8_MAX) {
		if (__atomic_compare_exchange_n(
			    &page->mapcount, &seen, (uint8_t)(seen + 1), false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

int page_add_mapping(struct page *page)
{
	int error = pin_page(page);

	if (error != 0)
		return error;
	/* From here on the mapping holds it. */
	held_hand_on(HELD_PIN, page);
	if (page_count_mapping(page_head(main_node(), page)))
		return 0;
	put_kept_page(page);
	return -EOVERFLOW;
}

void page_remove_mapping(struct page *page)
{
	struct page *head = page_head(main_node(), page);
	uint8_t before =
		__atomic_fetch_sub(&head->mapcount, 1, __ATOMIC_ACQ_REL);

	kassert(before > 0);
	/* Freed behind the mapping: it has no reference, and stays leaked. */
	if (READ_ONCE(head->state) != PAGE_BAD)
		put_kept_page(page);
}

unsigned int page_mapcount(const struct page *page)
{
	return READ_ONCE(page_head(main_node(), page)->mapcount);
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/page_bits.h -- the bits and references of a USED page.
 *
 * Each is changed by one locked instruction, so in any context and without a
 * lock; its users document what a bit means together with others.  The
 * page is USED, and the caller has a reference of it.
 */
#ifndef MM_PAGE_BITS_H
#define MM_PAGE_BITS_H

#include "kernel/core/panic.h"
#include "mm/page.h"

static inline uint16_t page_mask(enum page_bit bit)
{
	kassert(bit < PG_BIT_COUNT);
	return (uint16_t)(1U << bit);
}

static inline bool page_has(const struct page *page, enum page_bit bit)
{
	return (READ_ONCE(page->bits) & page_mask(bit)) != 0;
}

static inline void page_set(struct page *page, enum page_bit bit)
{
	__atomic_fetch_or(&page->bits, page_mask(bit), __ATOMIC_SEQ_CST);
}

static inline void page_clear(struct page *page, enum page_bit bit)
{
	__atomic_fetch_and(&page->bits, (uint16_t)~page_mask(bit),
	                   __ATOMIC_SEQ_CST);
}

/* Both return what the bit was. */
static inline bool page_test_and_set(struct page *page, enum page_bit bit)
{
	return (__atomic_fetch_or(&page->bits, page_mask(bit),
	                          __ATOMIC_SEQ_CST) &
	        page_mask(bit)) != 0;
}

static inline bool page_test_and_clear(struct page *page, enum page_bit bit)
{
	return (__atomic_fetch_and(&page->bits, (uint16_t)~page_mask(bit),
	                           __ATOMIC_SEQ_CST) &
	        page_mask(bit)) != 0;
}

/* One more reference of PAGE, the head of a block, if it has one and not
 * INT32_MAX of them; otherwise false, and nothing has changed.  Any context. */
static inline bool page_add_reference(struct page *page)
{
	int32_t seen = READ_ONCE(page->refcount);

	while (seen > 0 && seen < INT32_MAX) {
		if (__atomic_compare_exchange_n(
			    &page->refcount, &seen, seen + 1, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/* A page that is freed with one of these is still in use. */
#define PAGE_BITS_AT_FREE                                                      \
	((1U << PG_locked) | (1U << PG_dirty) | (1U << PG_lru) |               \
	 (1U << PG_active) | (1U << PG_writeback) | (1U << PG_swapcache) |     \
	 (1U << PG_unevictable) | (1U << PG_isolated) | (1U << PG_mempool) |   \
	 (1U << PG_slab))

#endif

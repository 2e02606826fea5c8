/* SPDX-License-Identifier: MIT */
/*
 * mm/pcp_hot.h -- the short way: one block off this CPU's list, and back.
 *
 * Nearly all requests and frees end here, so it is inlined into alloc_pages()
 * (mm/page_alloc.c) and __free_pages() (mm/page_free.c).  Everything longer than a few
 * instructions is in mm/pcp.c, as are the theory, the invariants and the locks.
 *
 * Any context but NMI.
 */
#ifndef MM_PCP_HOT_H
#define MM_PCP_HOT_H

#include "kernel/core/context.h"
#include "mm/page_prep.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/watermark.h"

/* ---- The lists of this CPU ----------------------------------------------- */

/* Mine, until pcp_unlock(), with preemption off; false: in an NMI, or a call was
 * interrupted here. */
static inline bool pcp_trylock(void)
{
	if (unlikely(preempt_count_has(LISTS_ONE | NMI_MASK)))
		return false;
	preempt_count_add(LISTS_ONE);
	return true;
}

static inline void pcp_unlock(void)
{
	preempt_count_end(LISTS_ONE);
}

/* This CPU's set of ZONE, locked; NULL: the lists are off, or pcp_trylock() says no. */
static inline struct pcp_set *pcp_enter(struct zone *zone)
{
	struct pcp_set *set;

	if (!pcp_trylock())
		return NULL;
	set = READ_ONCE(zone->pcp[arch_cpu_id()]);
	if (unlikely(set == NULL))
		pcp_unlock();
	return set;
}

/* The row of lists for blocks of ORDER; PCP_ROWS: they have none. */
static inline unsigned int pcp_row(unsigned int order)
{
	if (order < PCP_ORDERS)
		return order;
	return order == PAGEBLOCK_ORDER ? PCP_ORDERS : PCP_ROWS;
}

/* The list of a row for pages of TYPE; all are UNMOVABLE where grouping is off. */
static inline struct list *pcp_list(struct pcp_set *set, unsigned int row,
                                    enum migratetype type)
{
	return &set->blocks[(size_t)row * MIGRATE_PCPTYPES +
	                    ((size_t)type & set->types)];
}

/* page->word of a block of ORDER on the set's lists: state, order and zone (K1), and no
 * mapping, flag, bit or place on the lru (K3). */
static inline uint64_t pcp_word(const struct pcp_set *set, unsigned int order)
{
	return set->word | PAGE_WORD(order, order);
}

/* K1 and K3.  page_prep_is_clean() says the second alone. */
static inline bool pcp_is_sound(const struct pcp_set *set,
                                const struct page *page, unsigned int order)
{
	return page->word == pcp_word(set, order) && page->refcount == 0 &&
	       ((uintptr_t)page->owner | (uintptr_t)page->receiver) == 0;
}

/* ---- Taking -------------------------------------------------------------- */

/* PAGE, the first of LIST, off it. */
static inline void pcp_unlink(struct pcp_set *set, struct list *list,
                              const struct page *page, unsigned int order)
{
	list->next = page->link.next;
	list->next->prev = list;
	set->count -= 1U << order;
}

/* The block, off its list, is in use. */
static inline void pcp_use(struct page *page, unsigned int order, bool compound)
{
	page->word ^= PAGE_WORD(state, PAGE_PCP ^ PAGE_USED);
	if (unlikely(order > 0))
		page->flags = page_flags_of(order, compound);
	page->refcount = 1;
}

/* The list that a request with GFP, a hot mask, for a block of ORDER tries. */
static inline struct list *pcp_hot_list(const struct pcp_cpu *lists, gfp_t gfp,
                                        unsigned int order)
{
	return lists->hot_list[gfp_hot_list(gfp)] +
	       (size_t)pcp_row(order) * MIGRATE_PCPTYPES;
}

/*
 * A block of ORDER for GFP, a hot mask, off LISTS, which are this CPU's, locked: USED, with
 * one reference, counted and noted, but not zeroed.  There is a row for ORDER.  NULL: the
 * list is empty, or its first block is corrupt.
 */
static __always_inline struct page *pcp_take_hot(const struct pcp_cpu *lists,
                                                 gfp_t gfp, unsigned int order,
                                                 uintptr_t caller)
{
	struct pcp_set *set = lists->hot_set[gfp_hot_list(gfp)];
	struct list *list = pcp_hot_list(lists, gfp, order);
	struct page *page = container_of(list->next, struct page, link);

	if (unlikely(&page->link == list || !pcp_is_sound(set, page, order)))
		return NULL;
	pcp_unlink(set, list, page, order);
	pcp_use(page, order, gfp_is_compound(gfp));
	page_note_taker(page, gfp, caller);
	arch_counter_add(set->pgalloc, 1UL << order);
	return page;
}

/* ---- Freeing ------------------------------------------------------------- */

/* The part of page->word that decides whether a block may be freed by the short way. */
#define PCP_FREE_MASK                                                          \
	(PAGE_WORD(state, UINT8_MAX) | PAGE_WORD(order, UINT8_MAX) |           \
	 PAGE_WORD(mapcount, UINT8_MAX) | PAGE_WORD(zone, 0xfc) |              \
	 PAGE_WORD(flags, UINT8_MAX & ~(PAGE_COMPOUND | PAGE_PFMEMALLOC)) |    \
	 PAGE_WORD(bits, PAGE_BITS_AT_FREE))

static_assert(ZONE_COUNT == 4, "the bits of a zone's number");

/* May it?  It is in use, as a block of ORDER, and nothing but references are left of its
 * use.  Everything else is for the zone's way. */
static inline bool pcp_is_plain(const struct page *page, unsigned int order)
{
	return (READ_ONCE(page->word) & PCP_FREE_MASK) ==
	               (PAGE_WORD(state, PAGE_USED) |
	                PAGE_WORD(order, order)) &&
	       page->mapping == NULL;
}

/* Drop the reference, if it is the only one. */
static inline bool pcp_drop_last(struct page *page)
{
	int32_t one = 1;

	return __atomic_compare_exchange_n(&page->refcount, &one, 0, false,
	                                   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* May the set have another large block?  One is enough, and not in a small zone. */
static inline bool pcp_has_room(const struct zone *zone,
                                const struct pcp_set *set)
{
	const struct list *large = &set->blocks[(size_t)PCP_LARGE];

	for (unsigned int type = 0; type < MIGRATE_PCPTYPES; type++) {
		if (!list_empty(&large[type]))
			return false;
	}
	return zone->managed >= PCP_LARGE_ZONE;
}

/* Is ZONE above its high mark?  A guess: others take and give meanwhile. */
static inline bool pcp_zone_has_plenty(const struct zone *zone)
{
	return READ_ONCE(zone->free_pages) > wmark_pages(zone, WMARK_HIGH);
}

/* Does the set have so many pages that pcp_trim() must look? */
static inline bool pcp_is_long(const struct pcp_set *set)
{
	return set->count > set->high || !pcp_zone_has_plenty(set->zone);
}

/*
 * Drop the last reference of a block in use, and put it onto LISTS, which are this CPU's,
 * locked.  False: nothing has changed, and the zone is to take it (or to refuse it).
 */
static __always_inline bool pcp_free_hot(const struct pcp_cpu *lists,
                                         struct page *page, unsigned int order,
                                         uintptr_t caller)
{
	const unsigned int row = pcp_row(order);
	enum migratetype type;
	struct pcp_set *set;
	struct list *list;

	if (unlikely(row == PCP_ROWS ||
	             !page_is_among(lists->pages, lists->page_count, page) ||
	             !pcp_is_plain(page, order)))
		return false;
	set = lists->zone_set[page->zone];
	type = pageblock_type_of(set->zone, page);
	if (unlikely(type >= MIGRATE_PCPTYPES ||
	             (row == PCP_ORDERS && !pcp_has_room(set->zone, set)) ||
	             !pcp_drop_last(page)))
		return false;
	page_note_giver(page, caller);
	list = pcp_list(set, row, type);
	page->word = pcp_word(set, order);
	list_push(list, &page->link);
	set->count += 1U << order;
	arch_counter_add(set->pgfree, 1UL << order);
	if (unlikely(pcp_is_long(set)))
		pcp_trim(set, list);
	return true;
}

#endif

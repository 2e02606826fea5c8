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

/* ---- The set of this CPU ------------------------------------------------- */

/* This CPU's set of ZONE, busy, preemption off; NULL: lists are off, or a call was
 * interrupted here. */
static inline struct pcp_set *pcp_enter(struct zone *zone)
{
	struct pcp_set *set;

	preempt_disable();
	set = READ_ONCE(zone->pcp[arch_cpu_id()]);
	if (unlikely(set == NULL || READ_ONCE(set->busy))) {
		preempt_enable();
		return NULL;
	}
	WRITE_ONCE(set->busy, true);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return set;
}

/* And the end of that. */
static inline void pcp_leave(struct pcp_set *set)
{
	set->changes++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(set->busy, false);
	preempt_enable();
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

/*
 * A block of ORDER for GFP, a hot mask, off this CPU's list: USED, with one reference,
 * counted and noted, but not zeroed.  NULL: there is none, the next one is corrupt, or
 * an interrupt has come between the steps of another call.
 */
static __always_inline struct page *
pcp_take_hot(struct zone *zone, gfp_t gfp, unsigned int order, uintptr_t caller)
{
	const unsigned int row = pcp_row(order);
	struct pcp_set *set;
	struct list *list;
	struct page *page;

	if (unlikely(row == PCP_ROWS))
		return NULL;
	set = pcp_enter(zone);
	if (unlikely(set == NULL))
		return NULL;
	list = pcp_list(set, row, gfp_migratetype(gfp));
	page = container_of(list->next, struct page, link);
	if (unlikely(&page->link == list || !pcp_is_sound(set, page, order))) {
		pcp_leave(set);
		return NULL;
	}
	pcp_unlink(set, list, page, order);
	pcp_use(page, order, gfp_is_compound(gfp));
	page_note_taker(page, gfp, caller);
	arch_counter_add(zone->node->stat.way + VMSTAT_PGALLOC(zone->type),
	                 1UL << order);
	pcp_leave(set);
	return page;
}

/* ---- Freeing ------------------------------------------------------------- */

/* The part of page->word that decides whether a block may be freed by the short way. */
#define PCP_FREE_MASK                                                          \
	(PAGE_WORD(state, UINT8_MAX) | PAGE_WORD(order, UINT8_MAX) |           \
	 PAGE_WORD(mapcount, UINT8_MAX) |                                      \
	 PAGE_WORD(flags, UINT8_MAX & ~(PAGE_COMPOUND | PAGE_PFMEMALLOC)) |    \
	 PAGE_WORD(bits, PAGE_BITS_AT_FREE))

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

/* Does the set have so many pages that pcp_finish_free() must look? */
static inline bool pcp_is_long(const struct zone *zone,
                               const struct pcp_set *set)
{
	return set->count > set->high || !pcp_zone_has_plenty(zone);
}

/*
 * Drop the last reference of a block in use, and put it onto this CPU's list.  False:
 * nothing has changed, and the zone is to take it (or to refuse it).
 */
static __always_inline bool pcp_free_hot(struct node *node, struct page *page,
                                         unsigned int order, uintptr_t caller)
{
	const unsigned int row = pcp_row(order);
	enum migratetype type;
	struct pcp_set *set;
	struct list *list;
	struct zone *zone;

	if (unlikely(row == PCP_ROWS || !pcp_is_plain(page, order)))
		return false;
	zone = page_zone(node, page);
	set = pcp_enter(zone);
	if (unlikely(set == NULL))
		return false;
	type = pageblock_type_of(zone, page);
	if (unlikely(type >= MIGRATE_PCPTYPES ||
	             (row == PCP_ORDERS && !pcp_has_room(zone, set)) ||
	             !pcp_drop_last(page))) {
		pcp_leave(set);
		return false;
	}
	page_note_giver(page, caller);
	list = pcp_list(set, row, type);
	page->word = pcp_word(set, order);
	list_push(list, &page->link);
	set->count += 1U << order;
	arch_counter_add(node->stat.way + VMSTAT_pgfree, 1UL << order);
	if (unlikely(pcp_is_long(zone, set) ||
	             trace_is_on(&node->trace, TRACE_mm_page_free)))
		pcp_finish_free(zone, set, list, page);
	else
		pcp_leave(set);
	return true;
}

#endif

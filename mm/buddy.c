/* SPDX-License-Identifier: MIT */
/*
 * mm/buddy.c -- the binary buddy allocator.
 *
 * A block of order n starts at a frame number that is a multiple of 2^n.  Its
 * buddy is the other half of the block of order n+1 that the two would form, so
 * their numbers differ in bit n and nowhere else:
 *
 *	order 2   |           0           |           4           |
 *	order 1   |     0     |     2     |     4     |     6     |
 *	order 0   |  0  |  1  |  2  |  3  |  4  |  5  |  6  |  7  |
 *
 *	buddy of 6 at order 1:  6 ^ (1 << 1) = 4
 *
 * To take a block, the smallest free block that is large enough is split: the
 * lowest part is taken, each upper half goes to the front of its list (Linux:
 * __rmqueue_smallest(), expand()).  A freed block is merged with its buddy for as long
 * as the buddy is free, then put on its list (__free_one_page()): at the front, to be
 * taken again while it is warm, or at the back if the buddy of its parent is free and
 * it will probably be merged soon (buddy_merge_likely()).
 *
 * Invariants, checked by buddy_check() (mm/debug/buddy_check.c) and zone_check():
 *
 *  B1  A page is FREE if and only if it is on a list of free_area[its order].
 *  B2  A FREE page's frame number is a multiple of 2^order, and its block lies
 *      inside the zone.
 *  B3  No two free buddies of one order exist (the largest order has none), but two
 *      pageblocks of different types one of which is HIGHATOMIC, CMA or ISOLATE.
 *  B4  The other pages of a block are NONE.
 *  B5  free_area[].of_type[] is the length of its list, count is their sum, and
 *      free_pages + isolated_pages is the sum of the sizes of all free blocks.
 *  B6  A free block is on the list of its list_type, its pageblock's type unless that
 *      is unsettled (mm/pageblock.h); pageblock->free counts its free pages; nonempty[]
 *      has a bit for each list that is not empty.
 *  B7  nr_free_highatomic is the number of pages on the HIGHATOMIC lists, nr_free_cma
 *      of those on the CMA lists, isolated_pages of those on the ISOLATE lists.
 *
 * Locking: the caller holds zone->lock throughout.
 *
 * Further reading: Knuth, The Art of Computer Programming, vol. 1, 2.5;
 * Linux, mm/page_alloc.c, __free_one_page().
 */
#include "mm/buddy.h"

#include "kernel/core/panic.h"
#include "mm/pageblock.h"
#include "mm/reclaim/capture.h"

/* ---- The lists: insert and remove mirror each other -------------- */

/* 2^ORDER pages from the first of BLOCK on, or some in it, become free (1), or not (-1). */
static inline void count_in_pageblock(struct pageblock *block,
                                      unsigned int order, int change)
{
	const unsigned int each = min(order, PAGEBLOCK_ORDER + 0U);
	const struct pageblock *end = block + (1UL << (order - each));

	for (; block < end; block++) {
		kassert(change > 0 || block->free >= 1U << each);
		block->free += (uint16_t)(change * (1 << each));
	}
}

/* Where the free pages on the lists of TYPE are counted. */
static unsigned long *buddy_counter(struct zone *zone, enum migratetype type)
{
	return type == MIGRATE_ISOLATE ? &zone->isolated_pages
	                               : &zone->free_pages;
}

/* CHANGE is the number of pages that come to the lists of TYPE, or go. */
static void buddy_count_aside(struct zone *zone, enum migratetype type,
                              unsigned long change)
{
	if (type == MIGRATE_HIGHATOMIC)
		zone->nr_free_highatomic += change;
	if (type == MIGRATE_CMA)
		zone->nr_free_cma += change;
}

static inline void link_block(struct zone *zone, struct page *page,
                              enum migratetype type, bool at_back)
{
	struct free_area *area = &zone->free_area[page->order];

	kassert(type < MIGRATE_TYPES);
	if (at_back)
		list_append(&area->blocks[type], &page->link);
	else
		list_push(&area->blocks[type], &page->link);
	page->list_type = (uint8_t)type;
	area->of_type[type]++;
	zone->nonempty[type] |= (uint16_t)(1U << page->order);
	*buddy_counter(zone, type) += 1UL << page->order;
	buddy_count_aside(zone, type, 1UL << page->order);
}

static inline void unlink_block(struct zone *zone, struct page *page)
{
	enum migratetype type = (enum migratetype)page->list_type;
	struct free_area *area = &zone->free_area[page->order];

	kassert(page->state == PAGE_FREE && page->order <= MAX_ORDER);
	kassert(area->of_type[type] > 0);
	kassert(*buddy_counter(zone, type) >= 1UL << page->order);
	kassert(page->link.next->prev == &page->link);
	kassert(page->link.prev->next == &page->link);
	list_remove(&page->link);
	if (--area->of_type[type] == 0)
		zone->nonempty[type] &= (uint16_t) ~(1U << page->order);
	*buddy_counter(zone, type) -= 1UL << page->order;
	buddy_count_aside(zone, type, -(1UL << page->order));
}

static void insert_block(struct zone *zone, struct page *page,
                         unsigned int order, bool at_back)
{
	struct pageblock *block = pageblock_at(zone, page);

	kassert(order <= MAX_ORDER);
	kassert(zone_pfn(zone, page) % (1UL << order) == 0);
	page->order = (uint8_t)order;
	page->zone = (uint8_t)zone->type;
	page->state = PAGE_FREE;
	link_block(zone, page, (enum migratetype)block->type, at_back);
	zone->free_area[order].count++;
	count_in_pageblock(block, order, 1);
	audit_block(zone, page, order, 1);
}

/* The page stays FREE and a head until the caller says what it becomes. */
static void remove_block(struct zone *zone, struct page *page)
{
	unsigned int order = page->order;

	unlink_block(zone, page);
	audit_block(zone, page, order, -1);
	zone->free_area[order].count--;
	count_in_pageblock(pageblock_at(zone, page), order, -1);
}

void buddy_change_list(struct zone *zone, struct page *page,
                       enum migratetype type)
{
	kassert(spin_is_mine(&zone->lock));
	unlink_block(zone, page);
	link_block(zone, page, type, true);
	zone->changes++;
}

/* The block at PAGE, off the lists: from FREE to LOOSE. */
static inline struct page *mark_loose(struct zone *zone, struct page *page,
                                      unsigned int order)
{
	kassert(order <= MAX_ORDER);
	kassert(zone_pfn(zone, page) % (1UL << order) == 0);
	page->order = (uint8_t)order;
	page->zone = (uint8_t)zone->type;
	page->state = PAGE_LOOSE;
	page->list_type = 0;
	audit_move(zone, page, 1UL << order, PAGE_FREE, PAGE_LOOSE);
	zone->loose_pages += 1UL << order;
	return page;
}

/* The free block at frame PFN of exactly ORDER, or NULL.  PFN may lie outside
 * the zone: buddies never merge across zones. */
static inline struct page *free_block_at(const struct zone *zone,
                                         unsigned long pfn, unsigned int order)
{
	struct page *page;

	kassert(order <= MAX_ORDER);
	if (!zone_contains(zone, pfn))
		return NULL;
	page = zone_page(zone, pfn);
	return page->state == PAGE_FREE && page->order == order ? page : NULL;
}

/* The block at PAGE is off the lists and of order HAVE: free all but the 2^WANT pages
 * that hold frame KEEP, and return these.  The page in the middle, NONE until now,
 * becomes a head.  Linux: expand(). */
static struct page *split_block(struct zone *zone, struct page *page,
                                unsigned int have, unsigned int want,
                                unsigned long keep)
{
	kassert(have >= want);
	kassert(keep - zone_pfn(zone, page) < 1UL << have);
	while (have > want) {
		struct page *upper;

		have--;
		upper = page + (1UL << have);
		kassert(upper->state == PAGE_NONE); /* B4 */
		if (keep >= zone_pfn(zone, upper)) {
			insert_block(zone, page, have, false);
			page = upper;
		} else {
			insert_block(zone, upper, have, false);
		}
	}
	return page;
}

struct page *buddy_first(const struct zone *zone, unsigned int order,
                         enum migratetype type)
{
	kassert(order <= MAX_ORDER && type < MIGRATE_TYPES);
	return list_first(&zone->free_area[order].blocks[type], struct page,
	                  link);
}

struct page *buddy_take_around(struct zone *zone, struct page *page,
                               unsigned int order, unsigned long pfn)
{
	kassert(spin_is_mine(&zone->lock));
	kassert(page->order >= order);
	remove_block(zone, page);
	page = split_block(zone, page, page->order, order, pfn);
	return mark_loose(zone, page, order);
}

struct page *buddy_take_block(struct zone *zone, struct page *page,
                              unsigned int order)
{
	return buddy_take_around(zone, page, order, zone_pfn(zone, page));
}

struct page *buddy_take(struct zone *zone, unsigned int order,
                        enum migratetype type)
{
	unsigned int large = zone->nonempty[type] >> order;

	kassert(order <= MAX_ORDER);
	kassert(spin_is_mine(&zone->lock));
	if (large == 0)
		return NULL;
	return buddy_take_block(
		zone,
		buddy_first(zone, order + (unsigned int)__builtin_ctz(large),
	                    type),
		order);
}

/* Frames of HIGHATOMIC and ISOLATE pageblocks are not found by their number. */
static bool buddy_is_findable(enum migratetype type)
{
	return type < MIGRATE_PCPTYPES || type == MIGRATE_CMA;
}

unsigned long buddy_find_within(const struct zone *zone, unsigned long first,
                                unsigned long last)
{
	unsigned long end = min(last + 1, zone->start_pfn + zone->spanned);
	unsigned long pfn = max(first, zone->start_pfn);

	while (pfn < end) {
		const struct page *head = zone_block_head(zone, pfn);

		if (head == NULL) {
			pfn++;
			continue;
		}
		if (READ_ONCE(head->state) == PAGE_FREE &&
		    buddy_is_findable(pageblock_type(zone, pfn)))
			return pfn;
		/* A guess may go back, the search never does. */
		pfn = max(pfn + 1, zone_pfn(zone, head) +
		                           (1UL << READ_ONCE(head->order)));
	}
	return -1UL;
}

struct page *buddy_take_within(struct zone *zone, unsigned long first,
                               unsigned long last)
{
	unsigned long pfn = buddy_find_within(zone, first, last);
	struct page *page;

	kassert(spin_is_mine(&zone->lock));
	if (pfn == -1UL)
		return NULL;
	page = zone_block_head(zone, pfn);
	kassert(page != NULL && page->state == PAGE_FREE);
	kassert(pfn >= first && pfn <= last);
	return buddy_take_around(zone, page, 0, pfn);
}

/* Will the block probably be merged soon?  Then it waits at the back.  Linux:
 * buddy_merge_likely(). */
static bool join_is_likely(const struct zone *zone, unsigned long pfn,
                           unsigned int order)
{
	unsigned long parent;

	kassert(order <= MAX_ORDER);
	if (order >= MAX_ORDER - 1)
		return false;
	parent = buddy_parent(pfn, order);
	return free_block_at(zone, buddy_pfn(parent, order + 1), order + 1) !=
	       NULL;
}

inline struct page *buddy_mergeable(const struct zone *zone,
                                    const struct page *page, unsigned int order)
{
	unsigned long pfn = zone_pfn(zone, page);
	struct page *buddy = free_block_at(zone, buddy_pfn(pfn, order), order);

	if (buddy == NULL || order < PAGEBLOCK_ORDER ||
	    buddy_types_merge(pageblock_type(zone, pfn),
	                      pageblock_type(zone, buddy_pfn(pfn, order))))
		return buddy;
	return NULL;
}

/* Merge the block at PAGE, of *ORDER and on no list, with its free buddies: the head of
 * what becomes of it, or NULL: the running thread keeps it. */
static struct page *buddy_merge(struct zone *zone, struct page *page,
                                unsigned int *order)
{
	for (; *order < MAX_ORDER; ++*order) {
		struct capture *capture = capture_of(zone, page, *order);
		struct page *buddy = buddy_mergeable(zone, page, *order);

		if (capture != NULL) {
			capture->page = mark_loose(zone, page, *order);
			return NULL;
		}
		if (buddy == NULL)
			break;
		remove_block(zone, buddy);
		if (*order >= PAGEBLOCK_ORDER)
			pageblock_of(zone, zone_pfn(zone, buddy))->type =
				pageblock_of(zone, zone_pfn(zone, page))->type;
		max(page, buddy)->state = PAGE_NONE;
		page = min(page, buddy);
	}
	return page;
}

void buddy_give(struct zone *zone, struct page *page, unsigned int order)
{
	unsigned long pfn = zone_pfn(zone, page);

	kassert(order <= MAX_ORDER);
	kassert(pfn % (1UL << order) == 0);
	kassert(zone_contains(zone, pfn + (1UL << order) - 1));
	kassert(spin_is_mine(&zone->lock));
	kassert(page->state == PAGE_LOOSE && page->order == order);
	kassert(zone->loose_pages >= 1UL << order);
	audit_move(zone, page, 1UL << order, PAGE_LOOSE, PAGE_FREE);
	zone->loose_pages -= 1UL << order;
	page = buddy_merge(zone, page, &order);
	if (page != NULL)
		insert_block(zone, page, order,
		             join_is_likely(zone, zone_pfn(zone, page), order));
}

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
 * Invariants, checked by buddy_check() and zone_check():
 *
 *  B1  A page is FREE if and only if it is on free_area[its order].
 *  B2  A FREE page's frame number is a multiple of 2^order, and its block lies
 *      inside the zone.
 *  B3  No two free buddies of one order exist (the largest order has none).
 *  B4  The other pages of a block are NONE.
 *  B5  free_area[].count is the length of its list, and free_pages is the sum
 *      of the sizes of all free blocks.
 *
 * Locking: the caller holds zone->lock throughout.
 *
 * Further reading: Knuth, The Art of Computer Programming, vol. 1, 2.5;
 * Linux, mm/page_alloc.c, __free_one_page().
 */
#include "mm/buddy.h"

#include "kernel/core/panic.h"
#include "lib/format.h"
#include "mm/debug/check.h"

/* ---- The lists: insert and remove mirror each other -------------- */

static void insert_block(struct zone *zone, struct page *page,
                         unsigned int order, bool at_back)
{
	struct free_area *area = &zone->free_area[order];

	kassert(order <= MAX_ORDER);
	kassert(zone_pfn(zone, page) % (1UL << order) == 0);
	page->order = (uint8_t)order;
	page->zone = (uint8_t)zone->type;
	page->state = PAGE_FREE;
	if (at_back)
		list_append(&area->blocks, &page->link);
	else
		list_push(&area->blocks, &page->link);
	area->count++;
	zone->free_pages += 1UL << order;
	audit_block(zone, page, order, 1);
}

/* The page stays FREE and a head until the caller says what it becomes. */
static void remove_block(struct zone *zone, struct page *page)
{
	struct free_area *area = &zone->free_area[page->order];

	kassert(page->order <= MAX_ORDER);
	kassert(area->count > 0);
	kassert(zone->free_pages >= 1UL << page->order);
	kassert(page->link.next->prev == &page->link);
	kassert(page->link.prev->next == &page->link);
	kassert(page->state == PAGE_FREE);
	list_remove(&page->link);
	audit_block(zone, page, page->order, -1);
	area->count--;
	zone->free_pages -= 1UL << page->order;
}

/* The block at PAGE, off the lists: from FREE to LOOSE. */
static struct page *mark_loose(struct zone *zone, struct page *page,
                               unsigned int order)
{
	kassert(order <= MAX_ORDER);
	kassert(zone_pfn(zone, page) % (1UL << order) == 0);
	page->order = (uint8_t)order;
	page->zone = (uint8_t)zone->type;
	page->state = PAGE_LOOSE;
	audit_move(zone, page, 1UL << order, PAGE_FREE, PAGE_LOOSE);
	zone->loose_pages += 1UL << order;
	return page;
}

/*
 * The free block at frame PFN of exactly ORDER, or NULL.  PFN may lie outside
 * the zone: buddies never merge across zones.
 */
static struct page *free_block_at(const struct zone *zone, unsigned long pfn,
                                  unsigned int order)
{
	struct page *page;

	kassert(order <= MAX_ORDER);
	if (!zone_contains(zone, pfn))
		return NULL;
	page = zone_page(zone, pfn);
	return page->state == PAGE_FREE && page->order == order ? page : NULL;
}

/*
 * The block at PAGE is off the lists and of order HAVE: free all but the 2^WANT pages
 * that hold frame KEEP, and return these.  The page in the middle, NONE until now,
 * becomes a head.  Linux: expand().
 */
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

struct page *buddy_take(struct zone *zone, unsigned int order)
{
	kassert(order <= MAX_ORDER);
	kassert(spin_is_mine(&zone->lock));
	for (unsigned int have = order; have <= MAX_ORDER; have++) {
		struct page *page = list_first(&zone->free_area[have].blocks,
		                               struct page, link);

		if (page == NULL)
			continue;
		kassert(page->order == have);
		remove_block(zone, page);
		page = split_block(zone, page, have, order,
		                   zone_pfn(zone, page));
		return mark_loose(zone, page, order);
	}
	return NULL;
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
		if (READ_ONCE(head->state) == PAGE_FREE)
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
	remove_block(zone, page);
	page = split_block(zone, page, page->order, 0, pfn);
	return mark_loose(zone, page, 0);
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

/* Merge the block at PAGE, of *ORDER and on no list, with its free buddies: the head of
 * what becomes of it. */
static struct page *buddy_merge(struct zone *zone, struct page *page,
                                unsigned int *order)
{
	for (; *order < MAX_ORDER; ++*order) {
		struct page *buddy = free_block_at(
			zone, buddy_pfn(zone_pfn(zone, page), *order), *order);

		if (buddy == NULL)
			break;
		remove_block(zone, buddy);
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
	insert_block(zone, page, order,
	             join_is_likely(zone, zone_pfn(zone, page), order));
}

bool buddy_has_block(const struct zone *zone, unsigned int order)
{
	for (; order <= MAX_ORDER; order++) {
		if (zone->free_area[order].count > 0)
			return true;
	}
	return false;
}

/* ---- Checking ---------------------------------------------------------- */

struct buddy_walk {
	const struct zone *zone;
	unsigned int order;
};

/* Check one block of a list: NULL, or the number of the broken invariant.  B4 is
 * checked by zone_check(), which visits all pages. */
static const char *check_block(const struct list *at, void *data)
{
	const struct buddy_walk *walk = data;
	const struct zone *zone = walk->zone;
	const struct page *page = container_of(at, struct page, link);
	unsigned long pfn;

	if (!check_is_page(zone->pages, zone->spanned, at))
		return "B5";
	pfn = zone_pfn(zone, page);
	if (page->state != PAGE_FREE || page->order != walk->order)
		return "B1";
	if (pfn % (1UL << walk->order) != 0 ||
	    !zone_contains(zone, pfn + (1UL << walk->order) - 1))
		return "B2";
	if (walk->order < MAX_ORDER &&
	    free_block_at(zone, buddy_pfn(pfn, walk->order), walk->order) !=
	            NULL)
		return "B3";
	return NULL;
}

/* Check the list of ORDER: NULL, or a sentence in BUFFER. */
static const char *buddy_check_list(struct zone *zone, unsigned int order,
                                    bool locked, char *buffer, size_t size)
{
	const struct free_area *area = &zone->free_area[order];
	struct buddy_walk place = { zone, order };
	struct check_walk walk = {
		.lock = locked ? NULL : &zone->lock,
		.changes = &zone->changes,
		.list = &area->blocks,
		.length = &area->count,
		.look = check_block,
		.data = &place,
	};

	if (check_walk_list(&walk))
		return NULL;
	if (walk.broken != check_length)
		scnprintf(buffer, size,
		          "zone %s order %u: invariant %s broken at pfn %#lx",
		          zone->name, order, walk.broken,
		          zone_pfn(zone,
		                   container_of(walk.at, struct page, link)));
	else
		scnprintf(buffer, size,
		          "zone %s order %u: invariant B5 broken: %lu blocks "
		          "on the list, %lu counted",
		          zone->name, order, walk.seen, area->count);
	return buffer;
}

static unsigned long buddy_sum(const struct zone *zone)
{
	unsigned long total = 0;

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		total += zone->free_area[order].count << order;
	return total;
}

const char *buddy_check_lists(struct zone *zone, bool locked, char *buffer,
                              size_t size)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		if (buddy_check_list(zone, order, locked, buffer, size) != NULL)
			return buffer;
	}
	return NULL;
}

const char *buddy_check(struct zone *zone, bool locked, char *buffer,
                        size_t size)
{
	unsigned long total;
	unsigned long counted;
	bool enabled = false;

	if (buddy_check_lists(zone, locked, buffer, size) != NULL)
		return buffer;
	if (!locked)
		enabled = spin_lock_irqsave(&zone->lock);
	total = buddy_sum(zone);
	counted = zone->free_pages;
	if (!locked)
		spin_unlock_irqrestore(&zone->lock, enabled);
	if (total == counted)
		return NULL;
	scnprintf(buffer, size,
	          "zone %s: invariant B5 broken: %lu pages on the lists, %lu "
	          "counted",
	          zone->name, total, counted);
	return buffer;
}

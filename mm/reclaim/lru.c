/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/lru.c -- used pages that can be reclaimed, in the order of their last use.
 *
 * The order of use is not known: nobody is told when memory is read.  What is
 * known is whether a page was used since somebody looked at it, so there are two
 * lists, a clock in two halves:
 *
 *	   new                                used twice
 *	    |                  +-----------------------------------+
 *	    v                  |                                   v
 *	  front [ inactive ] back --> reclaimed      front [ active ] back
 *	    ^                                                      |
 *	    +------------------------------------------------------+
 *	             when the inactive list is the shorter one
 *
 * A page that is used once (a file read from end to end) passes through the
 * inactive list and is gone; it takes a second use to get among the pages that
 * are protected.
 *
 * Invariants, checked by lru_check():
 *
 *  L1  A page has PG_lru if and only if it is on the list that page->lru names.
 *  L2  A page with PG_lru is in use, of order 0, with a reference, and not
 *      PG_isolated.
 *  L3  It is on the list that PG_unevictable, PG_swapbacked and PG_active name.
 *  L4  count[] is the length of each list; dirty and writeback are the numbers
 *      of pages of the zone with these bits, file_dirty of dirty ones without
 *      PG_swapbacked.
 *
 * Locking: zone->lru.lock, a leaf, interrupts off: end_page_writeback() comes
 * from interrupts.  PG_lru, PG_isolated, PG_active and PG_unevictable of a page
 * on a list change under it, and so do PG_dirty and PG_writeback of any page,
 * with what counts them.
 *
 * Further reading: Linux mm/swap.c and mm/vmscan.c; Gorman, Understanding the
 * Linux Virtual Memory Manager, chapter 10; Babaoglu, Joy, "Converting a
 * Swap-Based System to do Paging", SOSP 1981 (the clock).
 */
#include "mm/reclaim/lru.h"

#include "kernel/core/panic.h"
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/page_bits.h"
#include "mm/pageblock.h"

const char *lru_list_name(enum lru_list list)
{
	static const char *const name[LRU_COUNT] = {
		[LRU_INACTIVE_ANON] = "inactive_anon",
		[LRU_ACTIVE_ANON] = "active_anon",
		[LRU_INACTIVE_FILE] = "inactive_file",
		[LRU_ACTIVE_FILE] = "active_file",
		[LRU_UNEVICTABLE] = "unevictable",
	};

	return (unsigned int)list < LRU_COUNT ? name[list] : "?";
}

/* ---- Under the lock ------------------------------------------------------ */

static enum lru_list list_by_bits(const struct page *page)
{
	unsigned int list = LRU_INACTIVE_FILE;

	if (page_has(page, PG_unevictable))
		return LRU_UNEVICTABLE;
	if (page_has(page, PG_swapbacked))
		list = LRU_INACTIVE_ANON;
	return (enum lru_list)(list + page_has(page, PG_active));
}

static unsigned long *lru_counter(struct lru *lru, unsigned int sum)
{
	switch (sum) {
	case LRU_DIRTY:
		return &lru->dirty;
	case LRU_FILE_DIRTY:
		return &lru->file_dirty;
	case LRU_WRITEBACK:
		return &lru->writeback;
	default:
		return &lru->count[sum];
	}
}

/* PAGE counts for SUM from now on (1), or no longer (-1). */
static void lru_count(struct lru *lru, const struct page *page,
                      unsigned int sum, int change)
{
	unsigned long *counter = lru_counter(lru, sum);

	kassert(spin_is_mine(&lru->lock));
	kassert(change > 0 || *counter > 0);
	kassert(sum != LRU_FILE_DIRTY || !page_has(page, PG_swapbacked));
	WRITE_ONCE(*counter, *counter + (unsigned long)change);
	for (struct lru_audit *at = lru->audits; at != NULL; at = at->next) {
		if (page < at->end)
			at->sum[sum] += (unsigned long)change;
	}
}

static void link_page(struct zone *zone, struct page *page, bool at_back)
{
	enum lru_list list = list_by_bits(page);
	struct list *pages = &zone->lru.pages[list];

	kassert(spin_is_mine(&zone->lru.lock) && !page_has(page, PG_lru));
	kassert(page->state == PAGE_USED && page->order == 0);
	page->lru = (uint8_t)list;
	page_set(page, PG_lru);
	if (at_back)
		list_append(pages, &page->link);
	else
		list_push(pages, &page->link);
	zone->lru.changes++;
	lru_count(&zone->lru, page, list, 1);
	pageblock_count_movable(zone, zone_pfn(zone, page), 1);
}

static void unlink_page(struct zone *zone, struct page *page)
{
	kassert(spin_is_mine(&zone->lru.lock) && page_has(page, PG_lru));
	kassert(page->lru < LRU_COUNT);
	list_remove(&page->link);
	page_clear(page, PG_lru);
	zone->lru.changes++;
	lru_count(&zone->lru, page, page->lru, -1);
	pageblock_count_movable(zone, zone_pfn(zone, page), -1);
}

/* ---- What owners call ---------------------------------------------------- */

void lru_add(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lru.lock);

	kassert(page->state == PAGE_USED && page->order == 0);
	kassert(!page_has(page, PG_lru) && !page_has(page, PG_isolated));
	link_page(zone, page, false);
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
}

void lru_remove(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lru.lock);

	if (page_has(page, PG_lru))
		unlink_page(zone, page);
	page_clear(page, PG_isolated);
	page_clear(page, PG_active);
	page_clear(page, PG_unevictable);
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
}

void lru_set_unevictable(struct node *node, struct page *page, bool unevictable)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lru.lock);
	bool listed = page_has(page, PG_lru);

	if (listed)
		unlink_page(zone, page);
	if (unevictable)
		page_set(page, PG_unevictable);
	else
		page_clear(page, PG_unevictable);
	if (listed)
		link_page(zone, page, false);
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
}

void lru_activate(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lru.lock);
	bool listed = page_has(page, PG_lru);

	if ((listed || page_has(page, PG_isolated)) &&
	    !page_has(page, PG_active)) {
		if (listed)
			unlink_page(zone, page);
		page_set(page, PG_active);
		if (listed)
			link_page(zone, page, false);
		count_vm_event(zone->node, VMSTAT_pgactivate);
	}
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
}

void mark_page_accessed(struct page *page)
{
	if (!page_test_and_set(page, PG_referenced))
		return;
	if (page_has(page, PG_active) || page_has(page, PG_unevictable))
		return;
	lru_activate(main_node(), page);
	page_clear(page, PG_referenced);
}

void lru_rotate(struct node *node, struct page *page)
{
	struct zone *zone = page_zone(node, page);
	bool enabled = spin_lock_irqsave(&zone->lru.lock);

	if (page_has(page, PG_lru) && !page_has(page, PG_locked) &&
	    !page_has(page, PG_dirty) && !page_has(page, PG_unevictable)) {
		unlink_page(zone, page);
		page_clear(page, PG_active);
		link_page(zone, page, true);
		count_vm_event(zone->node, VMSTAT_pgrotated);
	}
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
}

bool lru_change_bit(struct node *node, struct page *page, enum page_bit bit,
                    bool set)
{
	struct lru *lru = &page_zone(node, page)->lru;
	bool enabled = spin_lock_irqsave(&lru->lock);
	bool before = set ? page_test_and_set(page, bit)
	                  : page_test_and_clear(page, bit);

	kassert(bit == PG_dirty || bit == PG_writeback);
	if (before != set && bit == PG_writeback)
		lru_count(lru, page, LRU_WRITEBACK, set ? 1 : -1);
	if (before != set && bit == PG_dirty)
		lru_count(lru, page, LRU_DIRTY, set ? 1 : -1);
	if (before != set && bit == PG_dirty && !page_has(page, PG_swapbacked))
		lru_count(lru, page, LRU_FILE_DIRTY, set ? 1 : -1);
	spin_unlock_irqrestore(&lru->lock, enabled);
	return before;
}

/* ---- What reclaim calls -------------------------------------------------- */

/* Pages that are isolated in one piece, with interrupts off. */
#define LRU_SLICE 8UL

/* zone->lru.lock is held. */
static bool lru_isolate_one(struct zone *zone, struct page *page)
{
	kassert(READ_ONCE(page->refcount) > 0);
	unlink_page(zone, page);
	/* Its owner's reference lasts as long as it is on a list; only a page with
	 * too many can refuse one more. */
	if (!page_add_reference(page)) {
		link_page(zone, page, false);
		return false;
	}
	page_set(page, PG_isolated);
	zone->lru.isolated[lru_kind_of((enum lru_list)page->lru)]++;
	__atomic_fetch_add(&zone->node->reclaim.in_hand, 1, __ATOMIC_RELAXED);
	return true;
}

bool lru_isolate_page(struct zone *zone, struct page *page)
{
	bool enabled = spin_lock_irqsave(&zone->lru.lock);
	bool taken = page_has(page, PG_lru) && lru_isolate_one(zone, page);

	spin_unlock_irqrestore(&zone->lru.lock, enabled);
	return taken;
}

static unsigned long isolate_slice(struct zone *zone, enum lru_list list,
                                   unsigned long nr, struct list *pages)
{
	struct list *from = &zone->lru.pages[list];
	bool enabled = spin_lock_irqsave(&zone->lru.lock);
	unsigned long taken = 0;

	for (unsigned long i = 0; i < nr && !list_empty(from); i++) {
		struct page *page = container_of(from->prev, struct page, link);

		if (!lru_isolate_one(zone, page))
			continue;
		list_append(pages, &page->link);
		taken++;
	}
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
	return taken;
}

unsigned long lru_isolate(struct zone *zone, enum lru_list list,
                          unsigned long nr, struct list *pages)
{
	unsigned long taken = 0;

	for (unsigned long left = nr; left > 0;) {
		unsigned long slice = min(left, LRU_SLICE);
		unsigned long got = isolate_slice(zone, list, slice, pages);

		taken += got;
		left -= slice;
		if (got == 0)
			break;
	}
	return taken;
}

void lru_putback(struct zone *zone, struct page *page, enum lru_kind kind,
                 bool keep)
{
	bool enabled = spin_lock_irqsave(&zone->lru.lock);

	/* Without the bit its owner has taken it back. */
	if (page_test_and_clear(page, PG_isolated) && keep)
		link_page(zone, page, false);
	else
		page_clear(page, PG_active);
	kassert(zone->lru.isolated[kind] > 0);
	kassert(READ_ONCE(page->refcount) > 0);
	zone->lru.isolated[kind]--;
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
}

/* ---- Checking ------------------------------------------------------------ */

static bool is_of_list(const struct zone *zone, const struct list *at,
                       unsigned int list)
{
	const struct page *page = container_of(at, struct page, link);

	if (at == &zone->lru.pages[list])
		return true;
	return check_is_page(zone->pages, zone->spanned, at) &&
	       page_has(page, PG_lru) && page->lru == list;
}

/* The invariant that a page with PG_lru breaks, or NULL. */
static const char *check_listed(const struct zone *zone,
                                const struct page *page)
{
	const struct list *link = &page->link;

	if (page->lru >= LRU_COUNT || link->next == link ||
	    !is_of_list(zone, link->next, page->lru) ||
	    !is_of_list(zone, link->prev, page->lru) ||
	    link->next->prev != link || link->prev->next != link)
		return "L1";
	if (page->state != PAGE_USED || page->order != 0 ||
	    READ_ONCE(page->refcount) <= 0 || page_has(page, PG_isolated))
		return "L2";
	return list_by_bits(page) == page->lru ? NULL : "L3";
}

/* A check of a zone. */
struct lru_walk {
	const struct zone *zone;
	unsigned int list;
};

/* One element of a list that is walked. */
static const char *check_element(const struct list *at, void *data)
{
	const struct lru_walk *walk = data;

	if (!is_of_list(walk->zone, at, walk->list))
		return "L1";
	return check_listed(walk->zone, container_of(at, struct page, link));
}

/* A list from end to end, if it stands still. */
static const char *check_list(struct zone *zone, unsigned int list)
{
	struct lru_walk place = { zone, list };
	struct check_walk walk = {
		.lock = &zone->lru.lock,
		.changes = &zone->lru.changes,
		.list = &zone->lru.pages[list],
		.length = &zone->lru.count[list],
		.look = check_element,
		.data = &place,
	};

	if (check_walk_list(&walk))
		return NULL;
	return walk.broken == check_length ? "L4" : walk.broken;
}

/* The next block: count its head, and look at it.  Pages that the sums count are blocks of
 * order 0. */
static const char *lru_audit_step(const struct zone *zone,
                                  struct lru_audit *audit)
{
	const struct page *page = audit->end;
	bool dirty = page_has(page, PG_dirty);
	const char *broken = NULL;
	unsigned long pages;

	(void)check_next_block(zone, page, &pages);
	audit->end += pages;

	if (page_has(page, PG_lru)) {
		broken = check_listed(zone, page);
		if (page->lru < LRU_COUNT)
			audit->sum[page->lru]++;
	}
	audit->sum[LRU_DIRTY] += dirty;
	audit->sum[LRU_FILE_DIRTY] += dirty && !page_has(page, PG_swapbacked);
	audit->sum[LRU_WRITEBACK] += page_has(page, PG_writeback);
	return broken;
}

/* All pages are counted. */
static const char *lru_compare(struct lru *lru, const struct lru_audit *audit)
{
	for (unsigned int sum = 0; sum < LRU_SUMS; sum++) {
		if (audit->sum[sum] != *lru_counter(lru, sum))
			return sum < LRU_COUNT ? "L1" : "L4";
	}
	return NULL;
}

static void lru_audit_end(struct lru *lru, const struct lru_audit *audit)
{
	struct lru_audit **at = &lru->audits;

	while (*at != audit)
		at = &(*at)->next;
	*at = audit->next;
}

static const char *check_bits(struct zone *zone)
{
	struct lru *lru = &zone->lru;
	bool enabled = spin_lock_irqsave(&lru->lock);
	struct lru_audit audit = { .next = lru->audits, .end = zone->pages };
	const char *broken = NULL;

	lru->audits = &audit;
	for (unsigned long i = 0;
	     audit.end < zone->pages + zone->spanned && broken == NULL; i++) {
		if (i % CHECK_SLICE == 0) {
			spin_unlock_irqrestore(&lru->lock, enabled);
			enabled = spin_lock_irqsave(&lru->lock);
		}
		broken = lru_audit_step(zone, &audit);
	}
	if (broken == NULL)
		broken = lru_compare(lru, &audit);
	lru_audit_end(lru, &audit);
	spin_unlock_irqrestore(&lru->lock, enabled);
	return broken;
}

static const char *check_zone(struct zone *zone)
{
	const char *broken = NULL;

	for (unsigned int list = 0; list < LRU_COUNT && broken == NULL; list++)
		broken = check_list(zone, list);
	return broken != NULL ? broken : check_bits(zone);
}

const char *lru_check(struct node *node, char *buffer, size_t size)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const char *broken = check_zone(&node->zone[type]);

		if (broken == NULL)
			continue;
		scnprintf(buffer, size, "zone %s: invariant %s of the lru",
		          node->zone[type].name, broken);
		return buffer;
	}
	return NULL;
}

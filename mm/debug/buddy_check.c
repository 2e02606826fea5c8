/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/buddy_check.c -- the free lists, walked and added up again.
 *
 * buddy_check_lists() looks at each block of each list, buddy_check() also at the sums:
 * the invariants B1 to B7 of mm/buddy.c.  The blocks that are missing on the lists are
 * found by zone_check(), which visits all pages.
 *
 * Locking: zone->lock, in slices (mm/debug/check.h).
 */
#include "lib/format.h"
#include "mm/buddy.h"
#include "mm/debug/check.h"
#include "mm/pageblock.h"

struct buddy_walk {
	const struct zone *zone;
	unsigned int order;
	enum migratetype type;
};

/* Check one block of a list: NULL, or the number of the broken invariant.  B4 is
 * checked by zone_check(), which visits all blocks. */
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
	    buddy_mergeable(zone, page, walk->order) != NULL)
		return "B3";
	if (page->list_type != walk->type)
		return "B6";
	return pageblock_type(zone, pfn) == walk->type ||
	                       (pfn >= zone->retype_pfn &&
	                        pfn < zone->retype_end)
	               ? NULL
	               : "B6";
}

/* An empty list whose length is 0 cannot be wrong, and most of them are: no lock is taken
 * to see that. */
static bool is_empty_and_says_so(const struct free_area *area,
                                 enum migratetype type)
{
	return READ_ONCE(area->of_type[type]) == 0 &&
	       list_empty(&area->blocks[type]);
}

/* Check the list of ORDER and TYPE: NULL, or a sentence in BUFFER. */
static const char *buddy_check_list(struct zone *zone, unsigned int order,
                                    enum migratetype type, bool locked,
                                    char *buffer, size_t size)
{
	const struct free_area *area = &zone->free_area[order];
	struct buddy_walk place = { zone, order, type };
	struct check_walk walk = {
		.lock = locked ? NULL : &zone->lock,
		.changes = &zone->changes,
		.list = &area->blocks[type],
		.length = &area->of_type[type],
		.look = check_block,
		.data = &place,
	};

	if (is_empty_and_says_so(area, type) || check_walk_list(&walk))
		return NULL;
	if (walk.broken != check_length)
		scnprintf(buffer, size,
		          "zone %s order %u: invariant %s broken at pfn %#lx",
		          zone->name, order, walk.broken,
		          zone_pfn(zone,
		                   container_of(walk.at, struct page, link)));
	else
		scnprintf(buffer, size,
		          "zone %s order %u: invariant B5 broken: %lu %s "
		          "blocks on the list, %lu counted",
		          zone->name, order, walk.seen, migratetype_name(type),
		          area->of_type[type]);
	return buffer;
}

/* The counts of ORDER: B5 without the lists' lengths, and nonempty[]. */
static const char *buddy_check_counts(struct zone *zone, unsigned int order,
                                      bool locked, char *buffer, size_t size)
{
	const struct free_area *area = &zone->free_area[order];
	bool enabled = locked ? false : spin_lock_irqsave(&zone->lock);
	unsigned long counted = area->count;
	unsigned long sum = 0;
	bool marked = true;

	for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
		sum += area->of_type[type];
		if ((zone->nonempty[type] >> order & 1) !=
		    (area->of_type[type] > 0))
			marked = false;
	}
	if (!locked)
		spin_unlock_irqrestore(&zone->lock, enabled);
	if (sum == counted && marked)
		return NULL;
	scnprintf(buffer, size,
	          "zone %s order %u: invariant %s broken: %lu blocks on the "
	          "lists, %lu counted",
	          zone->name, order, marked ? "B5" : "B6", sum, counted);
	return buffer;
}

unsigned long buddy_pages_of(const struct zone *zone, enum migratetype type)
{
	unsigned long pages = 0;

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		pages += zone->free_area[order].of_type[type] << order;
	return pages;
}

const char *buddy_check_lists(struct zone *zone, bool locked, char *buffer,
                              size_t size)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
			if (buddy_check_list(zone, order,
			                     (enum migratetype)type, locked,
			                     buffer, size) != NULL)
				return buffer;
		}
		if (buddy_check_counts(zone, order, locked, buffer, size) !=
		    NULL)
			return buffer;
	}
	return NULL;
}

const char *buddy_check(struct zone *zone, bool locked, char *buffer,
                        size_t size)
{
	unsigned long on_lists[MIGRATE_TYPES];
	unsigned long total = 0;
	unsigned long counted;
	bool enabled = false;
	bool sound;

	if (buddy_check_lists(zone, locked, buffer, size) != NULL)
		return buffer;
	if (!locked)
		enabled = spin_lock_irqsave(&zone->lock);
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
		on_lists[type] = buddy_pages_of(zone, (enum migratetype)type);
		total += on_lists[type];
	}
	counted = zone->free_pages + zone->isolated_pages;
	sound = on_lists[MIGRATE_HIGHATOMIC] == zone->nr_free_highatomic &&
	        on_lists[MIGRATE_CMA] == zone->nr_free_cma &&
	        on_lists[MIGRATE_ISOLATE] == zone->isolated_pages;
	if (!locked)
		spin_unlock_irqrestore(&zone->lock, enabled);
	if (total == counted && sound)
		return NULL;
	scnprintf(buffer, size,
	          "zone %s: invariant %s broken: %lu pages on the lists, %lu "
	          "counted; HIGHATOMIC: %lu, CMA: %lu, ISOLATE: %lu",
	          zone->name, total == counted ? "B7" : "B5", total, counted,
	          on_lists[MIGRATE_HIGHATOMIC], on_lists[MIGRATE_CMA],
	          on_lists[MIGRATE_ISOLATE]);
	return buffer;
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/zone_check.c -- counting the pages of a zone again, block by block.
 *
 * The counters of a zone follow from the states of its pages (mm/zone.c).  zone_check()
 * counts them a second time and compares.
 *
 * It may not hold the lock for a walk over all pages.  It walks in slices, and pages
 * that change state behind it correct its count (struct audit):
 *
 *	            counted                     not yet
 *	|--------------------------------|---------------------|
 *	    a page from USED to LOOSE:   end    no correction:
 *	    used--, loose++                     it will be counted
 *
 * Locking: zone->lock, and inside it the pool's lock, under which the columns parked and
 * exclusive change.
 */
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "lib/format.h"
#include "mm/buddy.h"
#include "mm/debug/check.h"
#include "mm/debug/page_guard.h"
#include "mm/node.h"
#include "mm/page_state.h"
#include "mm/zone.h"

/* ---- Counting in slices -------------------------------------------------- */

/* The state that represents its column; an invalid one: the last entry.  Between USED and
 * PCP, and between PARKED and OWNED, pages move without a lock: they are counted
 * together. */
static unsigned int audit_state(uint8_t state)
{
	if (state == PAGE_PCP)
		return PAGE_USED;
	if (state == PAGE_PARKED || state == PAGE_HANDOVER)
		return PAGE_OWNED;
	return min(state, PAGE_STATE_COUNT);
}

/* How many of COUNT pages from PAGE on are counted already. */
static unsigned long audit_counted(const struct audit *audit,
                                   const struct page *page, unsigned long count)
{
	if (page >= audit->end)
		return 0;
	return min(count, (unsigned long)(audit->end - page));
}

void audit_note_move(struct zone *zone, const struct page *page,
                     unsigned long count, enum page_state from,
                     enum page_state to)
{
	for (struct audit *at = zone->audits; at != NULL; at = at->next) {
		unsigned long counted = audit_counted(at, page, count);

		at->pages[audit_state(from)] -= counted;
		at->pages[audit_state(to)] += counted;
	}
}

void audit_note_block(struct zone *zone, const struct page *page,
                      unsigned int order, int change)
{
	for (struct audit *at = zone->audits; at != NULL; at = at->next) {
		if (page < at->end)
			at->blocks[order] += (unsigned long)change;
	}
}

static void fill_columns(const struct zone *zone, const unsigned long *count,
                         struct page_columns *columns)
{
	unsigned long isolated = buddy_pages_of(zone, MIGRATE_ISOLATE);
	unsigned long pcp = zone_pcp_pages(zone);
	unsigned long parked = exclusive_zone_parked(zone);

	*columns = (struct page_columns){
		.free = count[PAGE_FREE] - isolated,
		.isolated = isolated,
		.pcp = pcp,
		.parked = parked,
		.used = count[PAGE_USED] - pcp,
		.exclusive = count[PAGE_OWNED] - parked,
		.bad = count[PAGE_BAD],
		.loose = count[PAGE_LOOSE],
		.reserved = zone->present - zone->managed,
	};
}

/* NULL, or which column differs, with both numbers. */
static const char *compare_columns(const struct zone *zone,
                                   const struct page_columns *counted,
                                   char *buffer, size_t size)
{
	const struct {
		const char *name;
		unsigned long counted, kept;
	} row[] = {
		{ "free", counted->free, zone->free_pages },
		{ "isolated", counted->isolated, zone->isolated_pages },
		{ "used or on lists", counted->used + counted->pcp,
		  zone->used_pages },
		{ "parked or exclusive", counted->parked + counted->exclusive,
		  zone->parked_pages + zone->exclusive_pages },
		{ "bad", counted->bad, zone->bad_pages },
		{ "in flight", counted->loose, zone->loose_pages },
		{ "managed",
		  counted->free + counted->isolated + counted->pcp +
		          counted->parked + counted->used + counted->exclusive +
		          counted->bad + counted->loose,
		  zone->managed },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		if (row[i].counted != row[i].kept) {
			scnprintf(buffer, size,
			          "zone %s: %lu pages %s by their state, %lu "
			          "by the counter",
			          zone->name, row[i].counted, row[i].name,
			          row[i].kept);
			return buffer;
		}
	}
	return NULL;
}

/* Is a call between two steps on a CPU's list? */
static bool zone_check_pcp_busy(const struct zone *zone)
{
	for (unsigned int cpu = 0; cpu < zone->node->pcp_cpus; cpu++) {
		if (cpu_has_preempt_count(cpu, LISTS_ONE))
			return true;
	}
	return false;
}

/* May a page that is neither USED nor BAD look like this? */
static bool idle_page_is_sound(const struct page *page)
{
	return page->refcount == 0 && page->mapcount == 0 && page->flags == 0 &&
	       page->bits == 0 &&
	       (page_is_exclusive(page) ||
	        (page->owner == NULL && page->receiver == NULL));
}

/* ---- Block by block ------------------------------------------------------ */

/* Frames that were never given to the buddy are visited by sixteen. */
#define RESERVED_SLICE 16UL

/* A check of a zone: its locks, and its count. */
struct zone_walk {
	struct zone *zone;
	struct spinlock *pool; /* or NULL */
	bool try_lock;
	bool locked; /* with TRY_LOCK: we have the zone's lock */
	bool pool_locked;
	bool enabled;
	bool pool_enabled;
	struct audit audit;
	unsigned long inside;  /* pages at audit.end whose head is behind it */
	enum page_state state; /* of that head */

	const char *broken; /* the first page that is: "corrupt" or "B4" */
	const struct page *at;
	struct page likeness; /* what it looked like */
};

static void zone_walk_lock(struct zone_walk *walk)
{
	walk->enabled = spin_lock_irqsave(&walk->zone->lock);
	if (walk->pool != NULL)
		walk->pool_enabled = spin_lock_irqsave(walk->pool);
}

static void zone_walk_unlock(struct zone_walk *walk)
{
	if (walk->pool != NULL)
		spin_unlock_irqrestore(walk->pool, walk->pool_enabled);
	spin_unlock_irqrestore(&walk->zone->lock, walk->enabled);
}

/* A check that may wait holds the locks during a slice and drops them between slices;
 * with TRY_LOCK it holds them from beginning to end, if they were free. */
static void zone_walk_begin(struct zone_walk *walk)
{
	if (walk->try_lock) {
		walk->locked =
			spin_trylock_irqsave(&walk->zone->lock, &walk->enabled);
		walk->pool_locked =
			walk->locked && walk->pool != NULL &&
			spin_trylock_irqsave(walk->pool, &walk->pool_enabled);
	} else {
		zone_walk_lock(walk);
	}
	walk->audit.end = walk->zone->pages;
	walk->audit.next = walk->zone->audits;
	walk->zone->audits = &walk->audit;
}

static void zone_walk_end(struct zone_walk *walk)
{
	struct audit **at = &walk->zone->audits;

	while (*at != &walk->audit)
		at = &(*at)->next;
	*at = walk->audit.next;
	if (!walk->try_lock) {
		zone_walk_unlock(walk);
		return;
	}
	if (walk->pool_locked)
		spin_unlock_irqrestore(walk->pool, walk->pool_enabled);
	if (walk->locked)
		spin_unlock_irqrestore(&walk->zone->lock, walk->enabled);
}

/* The locks were dropped, and blocks may have merged: is the next page inside of one? */
static void zone_walk_find_block(struct zone_walk *walk)
{
	const struct zone *zone = walk->zone;
	unsigned long pfn = zone_pfn(zone, walk->audit.end);
	const struct page *head;

	walk->inside = 0;
	if (walk->audit.end->state != PAGE_NONE)
		return;
	head = zone_block_head(zone, pfn);
	if (head == NULL)
		return;
	walk->inside = zone_pfn(zone, head) + (1UL << head->order) - pfn;
	walk->state = (enum page_state)head->state;
}

static void zone_walk_pause(struct zone_walk *walk)
{
	if (!walk->try_lock) {
		zone_walk_unlock(walk);
		zone_walk_lock(walk);
	}
	zone_walk_find_block(walk);
}

/* B4 for the pages of a block of at least two that a split would make heads first. */
static bool tails_are_none(const struct page *head)
{
	for (unsigned int order = 0; order < head->order; order++) {
		if (head[1UL << order].state != PAGE_NONE)
			return false;
	}
	return true;
}

static const char *check_guard(const struct zone *zone, const struct page *page)
{
	return page_is_guard(page) ? page_guard_check(zone, page) : NULL;
}

/* A head: NULL, or what is wrong with it. */
static const char *check_head(const struct zone *zone, const struct page *page)
{
	unsigned long pfn = zone_pfn(zone, page);

	if (page->state >= PAGE_STATE_COUNT || page->zone != zone->type)
		return "corrupt";
	if (page->order > MAX_ORDER || pfn % (1UL << page->order) != 0 ||
	    !zone_contains(zone, pfn + (1UL << page->order) - 1))
		return page->state == PAGE_FREE ? "B2" : "corrupt";
	if (!tails_are_none(page))
		return "B4";
	if (page->state == PAGE_BAD)
		return NULL;
	if (page->state == PAGE_USED)
		return READ_ONCE(page->refcount) > 0 ||
		                       zone_check_pcp_busy(zone)
		               ? check_guard(zone, page)
		               : "corrupt";
	if (page_is_exclusive(page) && page->order != 0)
		return "corrupt";
	return idle_page_is_sound(page) ? NULL : "corrupt";
}

static void zone_walk_note(struct zone_walk *walk, const struct page *page,
                           const char *broken)
{
	if (broken == NULL || walk->broken != NULL)
		return;
	walk->broken = broken;
	walk->at = page;
	walk->likeness = *page;
}

/* Count PAGES pages in STATE. */
static void zone_walk_count(struct zone_walk *walk, uint8_t state,
                            unsigned long pages)
{
	walk->audit.pages[audit_state(state)] += pages;
	walk->audit.end += pages;
}

/* Count pages that were never given to the buddy. */
static void zone_walk_reserved(struct zone_walk *walk, const struct page *end)
{
	const struct page *page = walk->audit.end;
	const struct page *last =
		page + min((unsigned long)(end - page), RESERVED_SLICE);

	while (page < last && page->state == PAGE_NONE)
		page++;
	zone_walk_count(walk, PAGE_NONE,
	                (unsigned long)(page - walk->audit.end));
}

/* The pages of the block at PAGE, if its order can be right; else 1. */
static unsigned long plausible_size(const struct zone *zone,
                                    const struct page *page)
{
	unsigned long left =
		zone->spanned - (unsigned long)(page - zone->pages);

	if (page->order > MAX_ORDER || 1UL << page->order > left)
		return 1;
	return 1UL << page->order;
}

/* Count and check the next block, or what is left of it. */
static void zone_walk_step(struct zone_walk *walk)
{
	const struct zone *zone = walk->zone;
	const struct page *page = walk->audit.end;

	if (walk->inside > 0) {
		zone_walk_count(walk, (uint8_t)walk->state, walk->inside);
		walk->inside = 0;
		return;
	}
	if (page->state == PAGE_NONE) {
		zone_walk_reserved(walk, zone->pages + zone->spanned);
		return;
	}
	zone_walk_note(walk, page, check_head(zone, page));
	if (page->state == PAGE_FREE && page->order <= MAX_ORDER)
		walk->audit.blocks[page->order]++;
	zone_walk_count(walk, page->state, plausible_size(zone, page));
}

/* ---- The sums ------------------------------------------------------------ */

static const char *report_page(const struct zone_walk *walk, char *buffer,
                               size_t size)
{
	const struct page *page = &walk->likeness;
	char place[PLACE_SIZE];

	scnprintf(buffer, size,
	          "zone %s: pfn %#lx is corrupt: %s, order %u, zone %u, "
	          "refcount %d, flags %#x (%s); last touched by %s at %s",
	          walk->zone->name, zone_pfn(walk->zone, walk->at),
	          page_state_name((enum page_state)page->state), page->order,
	          page->zone, page->refcount, page->flags, walk->broken,
	          owner_name(page->taker),
	          caller_format(place, sizeof(place), page_caller(page)));
	return buffer;
}

/* Reserved pages are those that are not managed: holes, and present ones. */
static const char *zone_check_sizes(const struct zone *zone,
                                    const unsigned long *count, char *buffer,
                                    size_t size)
{
	if (zone->managed <= zone->present && zone->present <= zone->spanned &&
	    count[PAGE_NONE] == zone->spanned - zone->managed)
		return NULL;
	scnprintf(
		buffer, size,
		"zone %s: %lu spanned, %lu present, %lu managed, %lu reserved "
		"by their state: it does not add up",
		zone->name, zone->spanned, zone->present, zone->managed,
		count[PAGE_NONE]);
	return buffer;
}

/* B1: as many free blocks by the pages' state as on the lists. */
static const char *check_blocks(const struct zone *zone,
                                const struct audit *audit, char *buffer,
                                size_t size)
{
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		if (audit->blocks[order] == zone->free_area[order].count)
			continue;
		scnprintf(buffer, size,
		          "zone %s order %u: invariant B1 broken: %lu free "
		          "blocks by their state, %lu on the list",
		          zone->name, order, audit->blocks[order],
		          zone->free_area[order].count);
		return buffer;
	}
	return NULL;
}

/* All pages are counted, and the locks are held. */
static const char *zone_check_sums(const struct zone *zone,
                                   const struct audit *audit,
                                   const struct page_columns *columns,
                                   char *buffer, size_t size)
{
	if (compare_columns(zone, columns, buffer, size) != NULL)
		return buffer;
	return zone_check_sizes(zone, audit->pages, buffer, size);
}

static const char *zone_walk_all(struct zone_walk *walk,
                                 struct page_columns *columns, char *buffer,
                                 size_t size)
{
	struct zone *zone = walk->zone;
	const char *blocks;
	const char *sums;
	char totals[160];
	char missing[160];

	zone_walk_begin(walk);
	for (unsigned long i = 1; walk->audit.end < zone->pages + zone->spanned;
	     i++) {
		zone_walk_step(walk);
		if (i % CHECK_SLICE == 0 &&
		    walk->audit.end < zone->pages + zone->spanned)
			zone_walk_pause(walk);
	}
	fill_columns(zone, walk->audit.pages, columns);
	sums = zone_check_sums(zone, &walk->audit, columns, totals,
	                       sizeof(totals));
	blocks = check_blocks(zone, &walk->audit, missing, sizeof(missing));
	zone_walk_end(walk);
	/* A report that names a page is more precise than a sum: it goes first. */
	if (buddy_check_lists(zone, walk->try_lock, buffer, size) != NULL)
		return buffer;
	if (walk->broken != NULL)
		return report_page(walk, buffer, size);
	if (sums == NULL && blocks == NULL)
		return NULL;
	scnprintf(buffer, size, "%s", sums != NULL ? sums : blocks);
	return buffer;
}

const char *zone_check(struct zone *zone, struct page_columns *columns,
                       bool try_lock, char *buffer, size_t size)
{
	struct zone_walk walk = {
		.zone = zone,
		.pool = zone->node ? &zone->node->pool.lock : NULL,
		.try_lock = try_lock,
	};
	struct page_columns found;
	const char *broken;
	char said[200];

	broken = zone_walk_all(&walk, &found, said, sizeof(said));
	/* BUFFER and COLUMNS are the caller's memory: no lock is held. */
	if (columns != NULL)
		*columns = found;
	if (broken == NULL)
		return NULL;
	scnprintf(buffer, size, "%s%s",
	          try_lock && !walk.locked ? "unlocked: " : "", broken);
	return buffer;
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/zone.c -- zones: what they consist of, and whether it adds up.
 *
 * Every managed page of a zone is in exactly one column, and the column
 * follows from page->state:
 *
 *	FREE FREE_TAIL   USED USED_TAIL   PARKED   OWNED HANDOVER   BAD   LOOSE
 *	   free             used          parked     exclusive      bad  in flight
 *
 * The counters of the columns are kept by those who change the state, and
 * zone_check() counts the pages again.
 *
 * Locking: zone->lock; the columns parked and exclusive change under the
 * pool's lock, which zone_check() therefore takes inside the zone's.
 */
#include "mm/zone.h"

#include "kernel/core/panic.h"
#include "lib/format.h"
#include "mm/buddy.h"
#include "mm/node.h"
#include "mm/page_state.h"

const char *page_state_name(enum page_state state)
{
	static const char *const name[PAGE_STATE_COUNT] = {
		[PAGE_RESERVED] = "reserved",
		[PAGE_FREE] = "free",
		[PAGE_FREE_TAIL] = "free",
		[PAGE_LOOSE] = "in flight",
		[PAGE_USED] = "used",
		[PAGE_USED_TAIL] = "used (tail)",
		[PAGE_PARKED] = "parked",
		[PAGE_OWNED] = "owned",
		[PAGE_HANDOVER] = "handed over",
		[PAGE_BAD] = "bad",
	};

	return (unsigned int)state < PAGE_STATE_COUNT ? name[state] : "corrupt";
}

/* The counter of the column that pages in STATE belong to. */
static unsigned long *column(struct zone *zone, enum page_state state)
{
	switch (state) {
	case PAGE_LOOSE:
		return &zone->loose_pages;
	case PAGE_USED:
	case PAGE_USED_TAIL:
		return &zone->used_pages;
	case PAGE_PARKED:
		return &zone->parked_pages;
	case PAGE_OWNED:
	case PAGE_HANDOVER:
		return &zone->exclusive_pages;
	case PAGE_BAD:
		return &zone->bad_pages;
	case PAGE_RESERVED:
	case PAGE_FREE:
	case PAGE_FREE_TAIL:
	case PAGE_STATE_COUNT:
		break;
	}
	panic("a page cannot come from or go to state %d here", (int)state);
}

void page_set_state(struct zone *zone, struct page *page, enum page_state from,
                    enum page_state to)
{
	kassert(page->state == from);
	(*column(zone, from))--;
	(*column(zone, to))++;
	page->state = (uint8_t)to;
}

static void lru_init(struct lru *lru)
{
	lru->lock.name = "lru";
	for (unsigned int list = 0; list < LRU_COUNT; list++)
		list_init(&lru->pages[list]);
}

void zone_init(struct zone *zone, enum zone_type type, struct page *pages,
               unsigned long start_pfn, unsigned long count)
{
	*zone = (struct zone){
		.name = zone_type_name(type),
		.type = type,
		.start_pfn = start_pfn,
		.spanned = count,
		.pages = pages,
		.lock = SPINLOCK_INIT("zone"),
	};
	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		list_init(&zone->free_area[order].blocks);
	lru_init(&zone->lru);
	for (unsigned long i = 0; i < count; i++) {
		pages[i] = (struct page){
			.state = PAGE_RESERVED,
			.zone = (uint8_t)type,
		};
		list_init(&pages[i].link);
	}
}

void zone_add_present(struct zone *zone, unsigned long start, unsigned long end)
{
	kassert(start < end && zone_contains(zone, start) &&
	        zone_contains(zone, end - 1));
	zone->present += end - start;
	kassert(zone->present <= zone->spanned);
}

/* The largest order at which a block may start at START and end by END. */
static unsigned int largest_order(unsigned long start, unsigned long end)
{
	unsigned int order = 0;

	while (order < MAX_ORDER && start % (2UL << order) == 0 &&
	       start + (2UL << order) <= end)
		order++;
	return order;
}

void zone_release(struct zone *zone, unsigned long start, unsigned long end)
{
	bool enabled = spin_lock_irqsave(&zone->lock);

	kassert(start >= end ||
	        (zone_contains(zone, start) && zone_contains(zone, end - 1)));
	while (start < end) {
		unsigned int order = largest_order(start, end);
		struct page *page = zone_page(zone, start);

		for (unsigned long i = 0; i < 1UL << order; i++) {
			kassert(page[i].state == PAGE_RESERVED);
			page[i].state = PAGE_LOOSE;
		}
		zone->loose_pages += 1UL << order;
		zone->managed += 1UL << order;
		buddy_give(zone, page, order);
		start += 1UL << order;
	}
	kassert(zone->managed <= zone->present);
	spin_unlock_irqrestore(&zone->lock, enabled);
}

/* Count the pages by state; COUNT has PAGE_STATE_COUNT + 1 entries, the last
 * one for pages whose state is no state. */
static void count_states(const struct zone *zone, unsigned long *count)
{
	for (unsigned int state = 0; state <= PAGE_STATE_COUNT; state++)
		count[state] = 0;
	for (unsigned long i = 0; i < zone->spanned; i++)
		count[min(zone->pages[i].state, PAGE_STATE_COUNT)]++;
}

static void fill_columns(const struct zone *zone, const unsigned long *count,
                         struct page_columns *columns)
{
	*columns = (struct page_columns){
		.free = count[PAGE_FREE] + count[PAGE_FREE_TAIL],
		.parked = count[PAGE_PARKED],
		.used = count[PAGE_USED] + count[PAGE_USED_TAIL],
		.exclusive = count[PAGE_OWNED] + count[PAGE_HANDOVER],
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
		{ "parked", counted->parked, zone->parked_pages },
		{ "used", counted->used, zone->used_pages },
		{ "exclusive", counted->exclusive, zone->exclusive_pages },
		{ "bad", counted->bad, zone->bad_pages },
		{ "in flight", counted->loose, zone->loose_pages },
		{ "managed",
		  counted->free + counted->parked + counted->used +
		          counted->exclusive + counted->bad + counted->loose,
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

/* Is the USED block that begins at PAGE as claim and halve leave it? */
static bool used_block_is_sound(const struct zone *zone,
                                const struct page *page)
{
	unsigned long pfn = zone_pfn(zone, page);
	unsigned int order = page->order;
	uint8_t compound = page->flags & PAGE_COMPOUND;

	if (order > MAX_ORDER || pfn % (1UL << order) != 0 ||
	    !zone_contains(zone, pfn + (1UL << order) - 1) ||
	    READ_ONCE(page->refcount) <= 0)
		return false;
	for (unsigned long i = 1; i < 1UL << order; i++) {
		if (page[i].state != PAGE_USED_TAIL || page[i].order != order ||
		    page[i].zone != zone->type ||
		    (page[i].flags & PAGE_COMPOUND) != compound ||
		    READ_ONCE(page[i].refcount) != 0)
			return false;
	}
	return true;
}

/* May a page that is neither USED nor BAD look like this? */
static bool idle_page_is_sound(const struct page *page)
{
	return page->refcount == 0 && page->flags == 0 && page->bits == 0 &&
	       (page_is_exclusive(page) ||
	        (page->owner == NULL && page->receiver == NULL));
}

/* The number of pages of the block at PAGE that are in order, 0 if one is not.
 * Used blocks count as a whole, so a tail that is met alone has lost its head. */
static unsigned long sound_pages(const struct zone *zone,
                                 const struct page *page)
{
	if (page->zone != zone->type)
		return 0;
	switch ((enum page_state)page->state) {
	case PAGE_USED:
		return used_block_is_sound(zone, page) ? 1UL << page->order : 0;
	case PAGE_USED_TAIL:
	case PAGE_STATE_COUNT:
		return 0;
	case PAGE_BAD:
		return 1;
	case PAGE_RESERVED:
	case PAGE_FREE:
	case PAGE_FREE_TAIL:
	case PAGE_LOOSE:
	case PAGE_PARKED:
	case PAGE_OWNED:
	case PAGE_HANDOVER:
		break;
	}
	return idle_page_is_sound(page) ? 1 : 0;
}

/* Every page by itself, and every used block as a whole. */
static const char *check_pages(const struct zone *zone, char *buffer,
                               size_t size)
{
	unsigned long sound;

	for (unsigned long i = 0; i < zone->spanned; i += sound) {
		const struct page *page = &zone->pages[i];

		sound = sound_pages(zone, page);
		if (sound == 0) {
			scnprintf(buffer, size,
			          "zone %s: pfn %#lx is corrupt: %s, order %u, "
			          "zone %u, refcount %d, flags %#x",
			          zone->name, zone_pfn(zone, page),
			          page_state_name((enum page_state)page->state),
			          page->order, page->zone, page->refcount,
			          page->flags);
			return buffer;
		}
	}
	return NULL;
}

/* Reserved pages are those that are not managed: holes, and present ones. */
static const char *check_sizes(const struct zone *zone,
                               const unsigned long *count, char *buffer,
                               size_t size)
{
	if (zone->managed <= zone->present && zone->present <= zone->spanned &&
	    count[PAGE_RESERVED] == zone->spanned - zone->managed)
		return NULL;
	scnprintf(
		buffer, size,
		"zone %s: %lu spanned, %lu present, %lu managed, %lu reserved "
		"by their state: it does not add up",
		zone->name, zone->spanned, zone->present, zone->managed,
		count[PAGE_RESERVED]);
	return buffer;
}

static const char *check_locked(const struct zone *zone,
                                struct page_columns *columns, char *buffer,
                                size_t size)
{
	unsigned long count[PAGE_STATE_COUNT + 1];
	struct page_columns local;

	count_states(zone, count);
	fill_columns(zone, count, &local);
	if (columns != NULL)
		*columns = local;
	if (count[PAGE_STATE_COUNT] != 0) {
		scnprintf(buffer, size, "zone %s: %lu pages in no valid state",
		          zone->name, count[PAGE_STATE_COUNT]);
		return buffer;
	}
	if (compare_columns(zone, &local, buffer, size) != NULL ||
	    check_sizes(zone, count, buffer, size) != NULL ||
	    buddy_check(zone, buffer, size) != NULL)
		return buffer;
	return check_pages(zone, buffer, size);
}

const char *zone_check(struct zone *zone, struct page_columns *columns,
                       bool try_lock, char *buffer, size_t size)
{
	struct spinlock *pool = zone->node ? &zone->node->pool.lock : NULL;
	bool enabled = false;
	bool pool_enabled = false;
	const char *answer;

	if (!try_lock) {
		enabled = spin_lock_irqsave(&zone->lock);
		if (pool != NULL)
			pool_enabled = spin_lock_irqsave(pool);
		answer = check_locked(zone, columns, buffer, size);
		if (pool != NULL)
			spin_unlock_irqrestore(pool, pool_enabled);
		spin_unlock_irqrestore(&zone->lock, enabled);
		return answer;
	}
	if (!spin_trylock_irqsave(&zone->lock, &enabled)) {
		scnprintf(buffer, size,
		          "zone %s: locked by somebody, "
		          "not checked",
		          zone->name);
		return buffer;
	}
	answer = check_locked(zone, columns, buffer, size);
	spin_unlock_irqrestore(&zone->lock, enabled);
	return answer;
}

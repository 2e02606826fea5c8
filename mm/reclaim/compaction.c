/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/compaction.c -- movable pages to one end of a zone, free memory to the other.
 *
 *	before	m.m.Um.m m.mm.m.. .m.m.... ..m.....
 *		---> pages to move          room <---
 *	after	....U... ........ ...mmmmm mmmmmmmm
 *
 * Two scanners go through the zone, pageblock by pageblock.  The one from below isolates
 * movable pages, 32 at a time; the one from above takes free frames out of MOVABLE
 * pageblocks, and the pages move there (mm/reclaim/migrate.c).  Compaction of a zone ends
 * when a block of the order wanted is free, or when the scanners meet.
 *
 * It costs much, so there is a reason not to do it at each step:
 *
 *	suitable	are enough frames free to move pages to, and is it fragments
 *			that are missing?  (compaction_suitable())
 *	deferred	after a failure the next attempts are skipped, 1, 3, 7 ... 63
 *	skip		a pageblock in which a scanner found nothing, or has tried
 *			everything, is passed over; forgotten when kswapd goes to sleep
 *	positions	the next attempt begins behind what the last ones finished
 *
 *			ASYNC		SYNC_LIGHT	SYNC_FULL
 *	pageblocks of	the request's	all types	all types
 *	target blocks	MOVABLE		MOVABLE		all types
 *	skip, defer	obeyed		obeyed		ignored
 *	begins		at the last position		at the zone's ends
 *
 * A request waits for no lock of a page in any of them, because it has THREAD_MEMALLOC
 * meanwhile (mm/slow_path.c#compact); compact_node() waits for locks and writes.
 *
 * The frames for moving to are in use while compaction has them.  All but those that it
 * used are given back at its end.
 *
 * Locking: zone->lock to take one frame, or to look at the lists; zone->lru.lock to
 * isolate one page; none in between.  The pages that a scanner passes may change any time:
 * their state and order are read without a lock, and a wrong order only makes it skip.
 * Hints (compact_state, pageblock->skip) have no lock: two threads that compact one zone
 * may take each other's.
 *
 * Source: Linux mm/compaction.c: compact_zone(), isolate_migratepages_block(),
 * isolate_freepages(), __compact_finished().
 */
#include "mm/reclaim/compaction.h"

#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/buddy.h"
#include "mm/debug/extfrag.h"
#include "mm/page_bits.h"
#include "mm/page_prep.h"
#include "mm/pageblock.h"
#include "mm/reclaim/capture.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/task.h"
#include "mm/watermark.h"

#define COMPACT_CLUSTER       32UL /* pages isolated at a time */
#define COMPACT_SAMPLE        8    /* pages, of which one is looked at */
#define COMPACT_MAX_DEFER     6U
#define COMPACT_ISOLATED_WAIT 20000 /* microseconds, as in Linux */
#define EXTFRAG_THRESHOLD     500L
#define COMPACT_WHOLE_ZONE    (MAX_ORDER + 1U) /* the order of compact_node() */

/* The compaction of one zone. */
struct compact_control {
	struct node *node;
	struct zone *zone;
	unsigned int order; /* COMPACT_WHOLE_ZONE: until the scanners meet */
	enum migratetype type;
	enum migrate_mode mode;
	bool direct;    /* for a request, not for a person */
	bool kcompactd; /* its thread counts apart */
	bool may_fs;
	bool ignore_skip;
	bool any_target; /* room in pageblocks of all types */
	bool whole;      /* it began at the zone's ends */
	unsigned long migrate_pfn;
	unsigned long free_pfn;  /* first frame of the pageblock it is in */
	unsigned long free_next; /* the next frame to look at there */
	struct list pages;       /* isolated */
	unsigned long isolated;
	struct list room; /* frames to move to */
	bool ends;        /* no room, or too many isolate: it has no success */
	unsigned long moved;
	unsigned long migrate_scanned;
	unsigned long free_scanned;
	bool (*enough)(struct zone *zone); /* NULL: a block of ORDER is */
	struct capture capture;            /* if it is direct */
};

/* ---- Is it worth it? ----------------------------------------------------- */

bool compaction_suitable(struct zone *zone, unsigned int order,
                         enum zone_type highest)
{
	bool costly = order > PAGE_ALLOC_COSTLY_ORDER;
	bool enabled = spin_lock_irqsave(&zone->lock);
	unsigned long mark = wmark_pages(zone, costly ? WMARK_LOW : WMARK_MIN) +
	                     (2UL << order);
	/* Pages may move to CMA pageblocks. */
	bool room =
		watermark_ok_cma(zone, 0, mark, highest, RESERVE_NONE, true);
	struct extfrag free;
	long index;

	kassert(order <= MAX_ORDER);
	spin_unlock_irqrestore(&zone->lock, enabled);
	if (!room || !costly)
		return room;
	free = extfrag_read(zone, order);
	index = extfrag_index(&free);
	return index < 0 || index > EXTFRAG_THRESHOLD;
}

bool compaction_is_needed(struct zone *zone, unsigned int order,
                          enum zone_type highest)
{
	bool enabled;
	bool passes;

	kassert(order <= MAX_ORDER && highest < ZONE_COUNT);
	if (zone->managed == 0)
		return false;
	enabled = spin_lock_irqsave(&zone->lock);
	passes = watermark_ok(zone, order, wmark_pages(zone, WMARK_MIN),
	                      highest, RESERVE_NONE);
	spin_unlock_irqrestore(&zone->lock, enabled);
	return !passes && compaction_suitable(zone, order, highest);
}

bool compaction_deferred(struct zone *zone, unsigned int order)
{
	struct compact_state *state = &zone->compact;
	unsigned int limit = 1U << state->defer_shift;

	kassert(state->defer_shift <= COMPACT_MAX_DEFER);
	if (order < state->order_failed)
		return false;
	if (++state->considered >= limit) {
		state->considered = limit;
		return false;
	}
	return true;
}

void defer_compaction(struct zone *zone, unsigned int order)
{
	struct compact_state *state = &zone->compact;

	kassert(order <= MAX_ORDER);
	state->considered = 0;
	state->defer_shift = min(state->defer_shift + 1, COMPACT_MAX_DEFER);
	state->order_failed = min(state->order_failed, order);
}

void compaction_defer_reset(struct zone *zone, unsigned int order, bool got)
{
	struct compact_state *state = &zone->compact;

	if (got) {
		state->considered = 0;
		state->defer_shift = 0;
	}
	state->order_failed = max(state->order_failed, order + 1);
}

/* It has failed so often that everything is to be looked at again.  Linux:
 * compaction_restarting(). */
static bool compaction_restarting(const struct zone *zone, unsigned int order)
{
	const struct compact_state *state = &zone->compact;

	return order >= state->order_failed &&
	       state->defer_shift == COMPACT_MAX_DEFER &&
	       state->considered >= 1U << state->defer_shift;
}

/* ---- Positions and skip bits --------------------------------------------- */

static unsigned long compact_block_of(unsigned long pfn)
{
	return ALIGN_DOWN(pfn, PAGEBLOCK_PAGES);
}

static unsigned long compact_end(const struct zone *zone)
{
	return zone->start_pfn + zone->spanned;
}

static void compact_reset_positions(struct zone *zone)
{
	struct compact_state *state = &zone->compact;

	kassert(zone->spanned > 0);
	state->migrate_pfn[0] = zone->start_pfn;
	state->migrate_pfn[1] = zone->start_pfn;
	state->free_pfn = compact_block_of(compact_end(zone) - 1);
}

/* Every eighth page is looked at. */
static bool compact_has_work(const struct zone *zone, unsigned long first)
{
	unsigned long end = min(first + PAGEBLOCK_PAGES, compact_end(zone));

	kassert(first % PAGEBLOCK_PAGES == 0);
	for (unsigned long pfn = max(first, zone->start_pfn); pfn < end;
	     pfn += COMPACT_SAMPLE) {
		const struct page *page = zone_page(zone, pfn);

		if (READ_ONCE(page->state) == PAGE_FREE ||
		    page_has(page, PG_lru))
			return true;
	}
	return false;
}

/* Look again at pageblocks in which there is a page to move, or room. */
static void compact_clear_skip(struct zone *zone)
{
	unsigned long first = compact_block_of(zone->start_pfn);

	for (unsigned long i = 0; i < pageblock_count(zone); i++) {
		if (compact_has_work(zone, first + i * PAGEBLOCK_PAGES))
			zone->blocks[i].skip = false;
	}
	kassert(zone->managed > 0);
	zone->compact.flush = false;
	compact_reset_positions(zone);
}

void compaction_forget(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		if (zone->managed > 0 && zone->compact.flush)
			compact_clear_skip(zone);
	}
}

/* Where the scanners begin. */
static void compact_begin(struct compact_control *cc)
{
	struct zone *zone = cc->zone;
	struct compact_state *state = &zone->compact;
	unsigned long end = compact_end(zone);

	if (cc->direct && compaction_restarting(zone, cc->order))
		compact_clear_skip(zone);
	if (!zone_contains(zone, state->migrate_pfn[0]) ||
	    !zone_contains(zone, state->migrate_pfn[1]) ||
	    state->free_pfn >= end ||
	    state->free_pfn < compact_block_of(zone->start_pfn) ||
	    state->free_pfn == 0)
		compact_reset_positions(zone);
	cc->migrate_pfn = state->migrate_pfn[cc->mode != MIGRATE_ASYNC];
	cc->free_pfn = state->free_pfn;
	if (cc->whole) {
		cc->migrate_pfn = zone->start_pfn;
		cc->free_pfn = compact_block_of(end - 1);
	}
	cc->whole = cc->migrate_pfn == zone->start_pfn;
	cc->free_next = max(cc->free_pfn, zone->start_pfn);
}

static bool compact_have_met(const struct compact_control *cc)
{
	return cc->free_pfn / PAGEBLOCK_PAGES <=
	       cc->migrate_pfn / PAGEBLOCK_PAGES;
}

/* ---- Room: the scanner from above ---------------------------------------- */

/* A frame may be taken as long as more than the min mark stays free, boost or not.  Linux:
 * __isolate_free_page(). */
static bool compact_may_take(const struct compact_control *cc)
{
	kassert(spin_is_mine(&cc->zone->lock));
	return cc->zone->free_pages > cc->zone->watermark[WMARK_MIN] + 1;
}

/* A pageblock with a free block of half of it gives room, and so is one of movable pages
 * from now on.  Linux: __isolate_free_page(). */
static void compact_make_movable(struct zone *zone, unsigned long pfn)
{
	const struct page *head = zone_block_head(zone, pfn);
	enum migratetype type = pageblock_type(zone, pfn);

	if (type == MIGRATE_MOVABLE || type >= MIGRATE_PCPTYPES ||
	    head == NULL || head->state != PAGE_FREE ||
	    head->order < PAGEBLOCK_ORDER - 1 ||
	    !pageblock_is_whole(zone, compact_block_of(pfn)))
		return;
	pageblock_retype(zone, head, MIGRATE_MOVABLE);
}

/* Frame PFN, in use from now on; NULL: it is not free any more, or too little would stay
 * free, which ends the run. */
static struct page *compact_take_at(struct compact_control *cc,
                                    unsigned long pfn)
{
	static const struct alloc_request request = { .order = 0 };
	struct zone *zone = cc->zone;
	bool enabled = pageblock_lock_settled(zone);
	struct page *page = NULL;

	cc->free_next = pfn + 1;
	cc->ends |= !compact_may_take(cc);
	if (!cc->ends) {
		compact_make_movable(zone, pfn);
		page = page_prep_take_within(cc->node, zone, pfn, pfn);
	}
	if (page != NULL)
		page_prep_claim(zone, page, &request);
	spin_unlock_irqrestore(&zone->lock, enabled);
	(void)pageblock_settle(zone);
	page_prep_report_bad(cc->node, zone);
	if (page != NULL)
		page_debug_take(&cc->node->debug, page, GFP_HIGHUSER_MOVABLE,
		                RETURN_ADDRESS());
	return page;
}

/* The next free frame of the pageblock, or NULL.  It is searched for with interrupts on,
 * so what is found is looked at again. */
static struct page *compact_take_frame(struct compact_control *cc)
{
	unsigned long last =
		min(cc->free_pfn + PAGEBLOCK_PAGES, compact_end(cc->zone)) - 1;
	struct page *page = NULL;

	while (page == NULL && !cc->ends && cc->free_next <= last) {
		unsigned long pfn =
			buddy_find_within(cc->zone, cc->free_next, last);

		if (pfn == -1UL)
			return NULL;
		page = compact_take_at(cc, pfn);
	}
	return page;
}

/* Do only pages that can move lie in pageblocks of TYPE?  Linux: is_migrate_movable(). */
static bool compact_holds_movable(enum migratetype type)
{
	return type == MIGRATE_MOVABLE || type == MIGRATE_CMA;
}

/* May the pageblock in which the scanner is give room?  Not if it has a free block as
 * large as the one wanted: that would be broken up. */
static bool compact_is_target(const struct compact_control *cc)
{
	const struct zone *zone = cc->zone;
	unsigned long first = max(cc->free_pfn, zone->start_pfn);
	/* Perhaps it begins in the pageblock below. */
	const struct page *head = zone_block_head(zone, first);

	if (pageblock_of(zone, first)->skip && !cc->ignore_skip)
		return false;
	if (cc->any_target)
		return true;
	if (head != NULL && READ_ONCE(head->state) == PAGE_FREE &&
	    READ_ONCE(head->order) >= min(cc->order, PAGEBLOCK_ORDER + 0U))
		return false;
	return compact_holds_movable(pageblock_type(zone, first));
}

/* One pageblock down.  False: it would meet the other scanner. */
static bool compact_next_target(struct compact_control *cc)
{
	if (cc->free_pfn < PAGEBLOCK_PAGES)
		return false;
	cc->free_pfn -= PAGEBLOCK_PAGES;
	cc->free_next = max(cc->free_pfn, cc->zone->start_pfn);
	return !compact_have_met(cc);
}

/* The pageblock has been looked at to its end: pass over it the next time. */
static void compact_note_target(const struct compact_control *cc)
{
	struct compact_state *state = &cc->zone->compact;
	unsigned long first = max(cc->free_pfn, cc->zone->start_pfn);

	kassert(cc->free_pfn % PAGEBLOCK_PAGES == 0);
	pageblock_of(cc->zone, first)->skip = true;
	if (cc->free_pfn >= PAGEBLOCK_PAGES)
		state->free_pfn =
			min(state->free_pfn, cc->free_pfn - PAGEBLOCK_PAGES);
}

/* References of frames that wait to be moved to count as reclaim's. */
static void compact_count_room(const struct compact_control *cc, long change)
{
	__atomic_fetch_add(&cc->node->reclaim.in_hand, (unsigned long)change,
	                   __ATOMIC_RELAXED);
}

/* Room for the isolated pages, if there is some. */
static void compact_find_room(struct compact_control *cc)
{
	unsigned long wanted = cc->isolated;

	while (wanted > 0 && !cc->ends && !compact_have_met(cc)) {
		/* Its bit may have been set since the scanner is in it. */
		bool begun =
			cc->free_next > max(cc->free_pfn, cc->zone->start_pfn);
		bool target = begun || compact_is_target(cc);
		struct page *page = target ? compact_take_frame(cc) : NULL;

		if (page != NULL) {
			list_append(&cc->room, &page->link);
			compact_count_room(cc, 1);
			wanted--;
			continue;
		}
		if (cc->ends)
			return;
		cc->free_scanned += PAGEBLOCK_PAGES;
		if (target)
			compact_note_target(cc);
		if (!compact_next_target(cc))
			return;
	}
}

static struct page *compact_target(void *data)
{
	struct compact_control *cc = data;
	struct page *page = list_first(&cc->room, struct page, link);

	if (page == NULL) {
		compact_find_room(cc);
		page = list_first(&cc->room, struct page, link);
	}
	if (page == NULL)
		return NULL;
	kassert(page->state == PAGE_USED && page->refcount == 1);
	list_remove(&page->link);
	compact_count_room(cc, -1);
	return page;
}

static void compact_target_back(struct page *page, void *data)
{
	struct compact_control *cc = data;

	kassert(page->state == PAGE_USED && page->order == 0);
	compact_count_room(cc, 1);
	list_push(&cc->room, &page->link);
}

/* Frames that were not needed are free again; the scanner finds them the next time. */
static void compact_give_room(struct compact_control *cc)
{
	unsigned long highest = 0;
	struct page *page;

	while ((page = list_first(&cc->room, struct page, link)) != NULL) {
		kassert(page->zone == cc->zone->type);
		highest = max(highest, node_pfn(cc->node, page));
		list_remove(&page->link);
		(void)reclaim_put_page(cc->node, page);
	}
	if (highest != 0)
		cc->zone->compact.free_pfn = max(cc->zone->compact.free_pfn,
		                                 compact_block_of(highest));
}

/* ---- Pages to move: the scanner from below ------------------------------- */

/* Would it be worth while to isolate PAGE?  Read without a lock. */
static bool compact_can_move(const struct compact_control *cc,
                             const struct page *page)
{
	/* Of a file, or in the swap cache.  Linux: folio_mapping(). */
	bool in_cache =
		!page_has(page, PG_swapbacked) || page_has(page, PG_swapcache);

	if (READ_ONCE(page->state) != PAGE_USED || !page_has(page, PG_lru))
		return false;
	/* A pinned page stays; its index has the one reference. */
	if (in_cache ? !cc->may_fs : READ_ONCE(page->refcount) > 1)
		return false;
	return cc->mode == MIGRATE_SYNC || !page_has(page, PG_writeback);
}

/* Pages of the block at PAGE to be passed over. */
static unsigned long compact_step(const struct page *page)
{
	unsigned int order = READ_ONCE(page->order);

	if (READ_ONCE(page->state) == PAGE_NONE || order > MAX_ORDER)
		return 1;
	return 1UL << order;
}

/* For a request that must not wait: the block that PFN is in cannot become free, so its
 * pages stay. */
static unsigned long compact_skip_window(struct compact_control *cc,
                                         unsigned long pfn)
{
	unsigned long first = ALIGN_DOWN(pfn, 1UL << cc->order);
	struct list *at = cc->pages.prev;

	while (at != &cc->pages) {
		struct page *page = container_of(at, struct page, link);
		struct list one = LIST_INIT(one);

		at = at->prev;
		if (node_pfn(cc->node, page) < first)
			break;
		list_remove(&page->link);
		list_append(&one, &page->link);
		cc->isolated -= migrate_putback(cc->node, &one);
	}
	return first + (1UL << cc->order);
}

/* Isolate pages of one pageblock, from frame PFN on: the first frame that was not looked
 * at. */
static unsigned long compact_isolate_block(struct compact_control *cc,
                                           unsigned long pfn, unsigned long end)
{
	bool windows = cc->direct && cc->mode == MIGRATE_ASYNC;

	while (pfn < end && cc->isolated < COMPACT_CLUSTER) {
		struct page *page = zone_page(cc->zone, pfn);
		unsigned long step = compact_step(page);
		bool in_use = READ_ONCE(page->state) != PAGE_NONE &&
		              READ_ONCE(page->state) != PAGE_FREE;

		if (compact_can_move(cc, page) &&
		    lru_isolate_page(cc->zone, page)) {
			list_append(&cc->pages, &page->link);
			cc->isolated++;
		} else if (in_use && windows) {
			step = max(compact_skip_window(cc, pfn) - pfn, step);
		}
		cc->migrate_scanned++;
		pfn += step;
	}
	return pfn;
}

/* A request that must not wait moves pages only within the pageblocks of its type. */
static bool compact_is_source(const struct compact_control *cc,
                              unsigned long pfn)
{
	const struct pageblock *block = pageblock_of(cc->zone, pfn);

	if (cc->mode != MIGRATE_ASYNC || !cc->direct)
		return true;
	return block->type == cc->type ||
	       (cc->type == MIGRATE_MOVABLE && block->type == MIGRATE_CMA);
}

/* The next run begins behind END.  ASYNC leaves the pageblock to the others. */
static void compact_note_source(const struct compact_control *cc,
                                unsigned long end)
{
	struct compact_state *state = &cc->zone->compact;

	state->migrate_pfn[0] = max(state->migrate_pfn[0], end);
	if (cc->mode != MIGRATE_ASYNC)
		state->migrate_pfn[1] = max(state->migrate_pfn[1], end);
}

/* The scanner goes on in the pageblock that ends at END. */
static void compact_isolate_next(struct compact_control *cc, unsigned long end)
{
	unsigned long begin = cc->migrate_pfn;
	struct pageblock *block = pageblock_of(cc->zone, begin);
	bool first = begin == max(compact_block_of(begin), cc->zone->start_pfn);

	kassert(end > begin && end - begin <= PAGEBLOCK_PAGES);
	if (first && block->skip && !cc->ignore_skip) {
		cc->migrate_pfn = end;
		return;
	}
	if (!compact_is_source(cc, begin)) {
		compact_note_source(cc, end);
		cc->migrate_pfn = end;
		return;
	}
	cc->migrate_pfn = min(compact_isolate_block(cc, begin, end),
	                      compact_end(cc->zone));
	/* There is nothing in it, or all that was has been tried. */
	if (cc->migrate_pfn >= end && (cc->isolated == 0 || !first)) {
		block->skip = true;
		compact_note_source(cc, end);
	}
}

/* Have all threads together isolated more than half of the pages on the lists, or a 16th
 * for a run with FS, so that one without FS gets through?  Linux: too_many_isolated(). */
static bool compact_few_isolated(void *data)
{
	const struct compact_control *cc = data;
	unsigned long isolated = 0;
	unsigned long listed = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct lru *lru = &cc->node->zone[type].lru;

		for (unsigned int list = 0; list < LRU_UNEVICTABLE; list++)
			listed += READ_ONCE(lru->count[list]);
		for (unsigned int kind = 0; kind < LRU_KINDS; kind++)
			isolated += READ_ONCE(lru->isolated[kind]);
	}
	return isolated <= listed / (cc->may_fs ? 16 : 2);
}

/* While others have isolated too much, ASYNC ends, and the others wait, once. */
static bool compact_may_isolate(struct compact_control *cc)
{
	if (compact_few_isolated(cc))
		return true;
	return cc->mode != MIGRATE_ASYNC &&
	       wait_event_timeout(&cc->node->reclaim.isolated_wait,
	                          compact_few_isolated, cc,
	                          COMPACT_ISOLATED_WAIT);
}

/* Isolate up to 32 pages of the next pageblocks.  False: the scanners have met, and there
 * are none. */
static bool compact_isolate(struct compact_control *cc)
{
	if (!compact_may_isolate(cc)) {
		cc->ends = true;
		return false;
	}
	while (cc->isolated == 0 && !compact_have_met(cc))
		compact_isolate_next(cc, min(compact_block_of(cc->migrate_pfn) +
		                                     PAGEBLOCK_PAGES,
		                             compact_end(cc->zone)));
	count_vm_events(cc->node, VMSTAT_compact_isolated, cc->isolated);
	return cc->isolated > 0;
}

/* ---- One zone ------------------------------------------------------------ */

/* Is what the run was for there? */
static bool compact_is_finished(const struct compact_control *cc)
{
	struct zone *zone = cc->zone;
	bool enabled;
	bool found;

	if (cc->capture.page != NULL)
		return true;
	if (cc->enough != NULL)
		return cc->enough(zone);
	/* A pageblock is finished first: a part of it helps nobody for long. */
	if (cc->migrate_pfn % PAGEBLOCK_PAGES != 0 &&
	    cc->migrate_pfn != zone->start_pfn && !compact_have_met(cc))
		return false;
	if (cc->order > MAX_ORDER)
		return false;
	enabled = spin_lock_irqsave(&zone->lock);
	found = pageblock_has_block(zone, cc->order,
	                            pageblock_request_type(cc->node, cc->type));
	spin_unlock_irqrestore(&zone->lock, enabled);
	return found;
}

static bool compact_is_killed(void)
{
	return thread_has_flags(current_thread(), THREAD_KILLED);
}

/* Move pages until there is a block, or nothing is left to move. */
static enum compact_result compact_run(struct compact_control *cc)
{
	struct migrate_target target = { compact_target, compact_target_back,
		                         cc };

	while (!compact_is_finished(cc)) {
		unsigned long stay;

		if (cc->ends || compact_is_killed())
			return COMPACT_CONTENDED;
		if (!compact_isolate(cc))
			return cc->ends ? COMPACT_CONTENDED : COMPACT_FAILED;
		held_take(HELD_PIN, &cc->pages, RETURN_ADDRESS());
		stay = migrate_pages(cc->node, &cc->pages, &target, cc->mode);
		kassert(stay <= cc->isolated);
		cc->moved += cc->isolated - stay;
		(void)migrate_putback(cc->node, &cc->pages);
		held_drop(HELD_PIN, &cc->pages);
		cc->isolated = 0;
	}
	return COMPACT_SUCCESS;
}

static void compact_count_scanned(const struct compact_control *cc)
{
	count_vm_events(cc->node, VMSTAT_compact_migrate_scanned,
	                cc->migrate_scanned);
	count_vm_events(cc->node, VMSTAT_compact_free_scanned,
	                cc->free_scanned);
	if (!cc->kcompactd)
		return;
	count_vm_events(cc->node, VMSTAT_compact_daemon_migrate_scanned,
	                cc->migrate_scanned);
	count_vm_events(cc->node, VMSTAT_compact_daemon_free_scanned,
	                cc->free_scanned);
}

static enum compact_result compact_zone(struct compact_control *cc)
{
	enum compact_result result;

	kassert(cc->zone->managed > 0);
	list_init(&cc->pages);
	list_init(&cc->room);
	compact_begin(cc);
	trace_mm_compaction_begin(&cc->node->trace, cc->zone->type, cc->order,
	                          cc->mode != MIGRATE_ASYNC);
	result = compact_run(cc);
	if (compact_have_met(cc)) {
		compact_reset_positions(cc->zone);
		if (cc->direct)
			cc->zone->compact.flush = true;
	}
	compact_give_room(cc);
	compact_count_scanned(cc);
	trace_mm_compaction_end(&cc->node->trace, cc->zone->type, cc->moved);
	kassert(cc->isolated == 0 && list_empty(&cc->pages));
	return result;
}

/* ---- For a request ------------------------------------------------------- */

static bool compact_mark_passes(struct zone *zone,
                                const struct alloc_request *request)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	bool passes = watermark_ok_cma(
		zone, request->order, wmark_pages(zone, WMARK_MIN),
		request->highest_zone, request->right,
		request_may_use_cma(zone->node, request));

	spin_unlock_irqrestore(&zone->lock, enabled);
	return passes;
}

static enum compact_result
compact_zone_for_request(struct zone *zone, const struct alloc_request *request,
                         enum compact_priority priority, struct page **page)
{
	enum compact_result result;
	bool full = priority == COMPACT_SYNC_FULL;
	struct compact_control cc = {
		.node = zone->node,
		.zone = zone,
		.order = request->order,
		.type = request->migratetype,
		.mode = priority == COMPACT_ASYNC ? MIGRATE_ASYNC
		                                  : MIGRATE_SYNC_LIGHT,
		.direct = true,
		.may_fs = request->may_fs,
		.ignore_skip = full,
		.any_target = full,
		.whole = full,
	};

	if (compact_mark_passes(zone, request))
		return COMPACT_SUCCESS;
	if (!compaction_suitable(zone, request->order, request->highest_zone))
		return COMPACT_SKIPPED;
	capture_begin(&cc.capture, zone, request);
	result = compact_zone(&cc);
	*page = capture_end(&cc.capture);
	/* The last page that went may have completed it. */
	return *page != NULL ? COMPACT_SUCCESS : result;
}

/* The zone was compacted with NOW as its result: how soon again? */
static void compact_note_result(struct zone *zone, unsigned int order,
                                enum compact_priority priority,
                                enum compact_result now)
{
	kassert(order <= MAX_ORDER);
	if (now == COMPACT_SUCCESS)
		compaction_defer_reset(zone, order, false);
	if (now == COMPACT_FAILED && priority != COMPACT_ASYNC)
		defer_compaction(zone, order);
}

/* One zone, unless it is deferred. */
static enum compact_result compact_try_zone(struct zone *zone,
                                            const struct alloc_request *request,
                                            enum compact_priority priority,
                                            struct page **page)
{
	enum compact_result now;

	kassert(zone->managed > 0);
	if (priority != COMPACT_SYNC_FULL &&
	    compaction_deferred(zone, request->order))
		return COMPACT_DEFERRED;
	now = compact_zone_for_request(zone, request, priority, page);
	compact_note_result(zone, request->order, priority, now);
	return now;
}

enum compact_result compact_for_request(struct node *node,
                                        const struct alloc_request *request,
                                        enum compact_priority priority,
                                        struct page **page)
{
	enum compact_result result = COMPACT_SKIPPED;

	kassert(request->order > 0 && request->may_sleep);
	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		enum compact_result now;

		if (node->zone[type].managed == 0)
			continue;
		now = compact_try_zone(&node->zone[type], request, priority,
		                       page);
		result = max(result, now);
		if (now == COMPACT_SUCCESS || compact_is_killed())
			break;
	}
	return result;
}

/* ---- For kcompactd, and for a person ------------------------------------- */

enum compact_result compact_zone_in_advance(struct zone *zone,
                                            unsigned int order)
{
	struct compact_control cc = {
		.node = zone->node,
		.zone = zone,
		.order = order,
		.type = MIGRATE_UNMOVABLE, /* of GFP_KERNEL */
		.mode = MIGRATE_SYNC_LIGHT,
		.kcompactd = true,
		.may_fs = true,
	};

	kassert(order > 0 && order <= MAX_ORDER);
	return compact_zone(&cc);
}

/* All zones of NODE, from end to end. */
static unsigned long compact_all_zones(struct node *node,
                                       enum migrate_mode mode,
                                       bool (*enough)(struct zone *zone))
{
	unsigned long moved = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct compact_control cc = {
			.node = node,
			.zone = &node->zone[type],
			.order = COMPACT_WHOLE_ZONE,
			.type = MIGRATE_MOVABLE,
			.mode = mode,
			.kcompactd = enough != NULL,
			.may_fs = true,
			.ignore_skip = true,
			.whole = true,
			.enough = enough,
		};

		if (cc.zone->managed == 0)
			continue;
		(void)compact_zone(&cc);
		moved += cc.moved;
	}
	return moved;
}

unsigned long compact_node(struct node *node)
{
	return compact_all_zones(node, MIGRATE_SYNC, NULL);
}

void compact_node_until(struct node *node, bool (*enough)(struct zone *zone))
{
	kassert(enough != NULL);
	(void)compact_all_zones(node, MIGRATE_SYNC_LIGHT, enough);
}

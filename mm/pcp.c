/* SPDX-License-Identifier: MIT */
/*
 * mm/pcp.c -- per-CPU page lists.
 *
 * Most pages are taken one at a time, and given back soon by the same CPU.  So each CPU
 * keeps some free pages of each zone for itself.  They have left the zone's free count
 * already: taking one needs no lock and no mark, and giving one touches no neighbour.
 *
 *	              8 pages above the low mark            8 of the oldest
 *	  zone  --------- pcp_refill() -------->  set  --------- pcp_drain() ---->  zone
 *	                                         |   ^
 *	                              pcp_take() |   | pcp_free()
 *	                                         v   |
 *	                                       in use
 *
 * A set has twelve lists: orders 0 to 3, each for UNMOVABLE, MOVABLE and RECLAIMABLE pages;
 * in large zones also one block of order 9.  A list is a stack: what was given last is
 * taken first, for it is warm in the cache; the oldest goes back.
 *
 * How many pages.  Zone DMA32 of a 256 MB machine with one CPU, 61440 pages, low mark 600:
 *
 *	batch	     15		of managed pages, one in 4096 or so; a power of two less 1
 *	high_min    600		low mark, and at least 4 * batch
 *	high_max   7680		an eighth of the zone
 *	high	  600..7680	the limit now: a refill raises it by a batch, while the
 *				zone is above its high mark; a free while the zone is
 *				below that mark lowers it, and so does pcp_decay()
 *
 * Who pays for the reserves?  A page pays once, when it leaves the zone.
 * A refill therefore happens above the low mark only.  A request that dips into the reserve
 * takes its own pages and leaves none on a list for others.  A request that comes from a
 * higher zone is checked against the marks of a lower one before it gets a page of that
 * zone's list (mm/page_alloc.c#may_use_list): the lowmem reserve protects it.
 *
 * Pages on lists must not be missed when memory is short.  Before a request gets
 * NULL, and before a thread is killed, pages of the lists go back, 8 at a time,
 * until it can be served (mm/slow_path.c#lists_pass).  Reclaim that made progress but got no
 * page, and compaction, empty the lists first.
 *
 * The type of a pageblock is read when a page goes back.  If the
 * pageblock was retyped meanwhile, the page arrives on the right list.  Pages of HIGHATOMIC
 * and CMA pageblocks never enter, and while CMA pages go to movable requests first, no
 * movable page is fetched.
 *
 * Interrupts stay on.  A call marks the set busy, and an interrupt that finds it so uses
 * the zone instead; so no step of a call is seen half done.  Preemption is off meanwhile.
 *
 * Invariants, checked by pcp_check() and zone_check():
 *
 *  K1  A block in a set is PCP, of this zone, and on the list of its order.
 *  K2  count is the number of pages in the set.
 *  K3  A PCP block has no reference, mapping, flag, bit or owner.
 *  K4  zone->used_pages counts the pages that are USED or PCP.
 *
 * Locking: set->busy, by its CPU only; inside it zone->lock, for PCP_SLICE blocks.
 *
 * Source: Linux 6.12 mm/page_alloc.c, rmqueue_pcplist(), free_frozen_page_commit(),
 * free_pcppages_bulk().  docs/linux-rules.md lists the differences.
 */
#include "mm/pcp.h"

#include "kernel/core/context.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/page_bits.h"
#include "mm/page_prep.h"
#include "mm/page_state.h"
#include "mm/pageblock.h"
#include "mm/watermark.h"

/* Blocks that move in one piece, with interrupts off. */
#define PCP_SLICE 3UL

/* Decay goes down by at most batch << PCP_SCALE, and by an eighth.  Linux:
 * CONFIG_PCP_BATCH_SCALE_MAX. */
#define PCP_SCALE 5

/* ---- Sizes --------------------------------------------------------------- */

unsigned int pcp_batch(unsigned long managed)
{
	unsigned long batch = clamp(managed >> 12, 1UL, 64UL);

	batch += batch / 2;
	batch = (1UL << (63 - __builtin_clzl(batch))) - 1;
	return (unsigned int)max(batch, 1UL);
}

static void pcp_set_sizes(const struct zone *zone, struct pcp_set *set)
{
	const struct node *node = zone->node;
	unsigned int batch = pcp_batch(zone->managed);
	unsigned long lowest = zone->watermark[WMARK_LOW] / node->pcp_cpus;
	unsigned long most = zone->managed / 8 / node->pcp_cpus;

	kassert(batch > 0);
	if (node->pcp_fraction != 0) {
		most = zone->managed / node->pcp_fraction / node->pcp_cpus;
		lowest = most;
	}
	lowest = max(lowest, 4UL * batch);
	most = max(most, 4UL * batch);
	WRITE_ONCE(set->batch, batch);
	WRITE_ONCE(set->high_min, (unsigned int)lowest);
	WRITE_ONCE(set->high_max, (unsigned int)most);
	if (set->high > most)
		WRITE_ONCE(set->high, (unsigned int)most);
	if (set->high < lowest)
		WRITE_ONCE(set->high, (unsigned int)lowest);
}

void pcp_setup(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];

		if (zone->pcp == NULL)
			continue;
		for (unsigned int cpu = 0; cpu < node->pcp_cpus; cpu++)
			pcp_set_sizes(zone, &zone->pcp[cpu]);
	}
}

int pcp_set_fraction(struct node *node, unsigned long fraction)
{
	if (fraction != 0 && fraction < PCP_FRACTION_MIN)
		return -EINVAL;
	node->pcp_fraction = fraction;
	pcp_setup(node);
	return 0;
}

static void pcp_init(struct pcp_set *set)
{
	*set = (struct pcp_set){ .batch = 1 };
	for (unsigned int list = 0; list < PCP_LISTS; list++)
		list_init(&set->blocks[list]);
}

/* From one with memory to the next higher one all are empty, so that no lowmem reserve
 * protects the first from requests of the others. */
static void pcp_find_preferred_zones(struct node *node)
{
	struct zone *zone = NULL;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (node->zone[type].pcp != NULL)
			zone = &node->zone[type];
		kassert(zone == NULL || zone->managed > 0);
		node->preferred_zone[type] = zone;
	}
}

void pcp_start(struct node *node, struct pcp_set *sets, unsigned int cpus)
{
	kassert(cpus > 0 && cpus <= MAX_CPUS);
	kassert(sets != NULL && node->pcp_cpus == 0);
	node->pcp_cpus = cpus;
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		for (unsigned int cpu = 0; cpu < cpus; cpu++)
			pcp_init(&sets[(size_t)type * cpus + cpu]);
		if (node->zone[type].managed > 0)
			node->zone[type].pcp = &sets[(size_t)type * cpus];
	}
	pcp_setup(node);
	pcp_find_preferred_zones(node);
}

void pcp_stop(struct node *node)
{
	pcp_drain_node(node);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		kassert(zone_pcp_pages(&node->zone[type]) == 0);
		node->zone[type].pcp = NULL;
	}
	pcp_find_preferred_zones(node);
	node->pcp_cpus = 0;
}

unsigned long pcp_local_pages(const struct zone *zone)
{
	return zone->pcp == NULL ? 0
	                         : READ_ONCE(zone->pcp[arch_cpu_id()].count);
}

/* ---- The set of this CPU ------------------------------------------------- */

struct pcp_set *pcp_enter(struct zone *zone)
{
	struct pcp_set *set;

	kassert(!in_nmi());
	if (READ_ONCE(zone->pcp) == NULL)
		return NULL;
	preempt_disable();
	set = &zone->pcp[arch_cpu_id()];
	if (READ_ONCE(set->busy)) {
		preempt_enable();
		return NULL;
	}
	WRITE_ONCE(set->busy, true);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return set;
}

void pcp_leave(struct pcp_set *set)
{
	kassert(set->busy);
	set->changes++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(set->busy, false);
	preempt_enable();
}

static bool pcp_has_order(const struct zone *zone, unsigned int order)
{
	return order < PCP_ORDERS ||
	       (order == PAGEBLOCK_ORDER && zone->managed >= PCP_LARGE_ZONE);
}

static unsigned int pcp_list(const struct zone *zone, unsigned int order,
                             enum migratetype type)
{
	kassert(order < PCP_ORDERS && type < MIGRATE_PCPTYPES);
	return order * MIGRATE_PCPTYPES +
	       pageblock_request_type(zone->node, type);
}

/* page->word of a block on the lists of ZONE: state, order and zone (K1), and no
 * mapping, flag, bit or place on the lru (K3). */
static uint64_t pcp_word(const struct zone *zone, unsigned int order)
{
	return PAGE_WORD(state, PAGE_PCP) | PAGE_WORD(order, order) |
	       PAGE_WORD(zone, zone->type);
}

/* K1 and K3.  page_prep_is_clean() says the second alone. */
static bool pcp_is_sound(const struct zone *zone, const struct page *page,
                         unsigned int order)
{
	return page->word == pcp_word(zone, order) && page->refcount == 0 &&
	       page->owner == NULL && page->receiver == NULL;
}

static void pcp_push(struct zone *zone, struct pcp_set *set, struct page *page,
                     enum migratetype type)
{
	kassert(set->busy);
	kassert(pcp_is_sound(zone, page, page->order));
	if (page->order == PAGEBLOCK_ORDER) {
		kassert(set->large == NULL);
		set->large = page;
	} else {
		list_push(&set->blocks[pcp_list(zone, page->order, type)],
		          &page->link);
	}
	set->count += 1U << page->order;
}

/* ---- Taking -------------------------------------------------------------- */

/* The block that was given last; NULL: none of that order and type. */
static struct page *pcp_pop(struct zone *zone, struct pcp_set *set,
                            unsigned int order, enum migratetype type)
{
	struct page *page = set->large;

	kassert(set->busy);
	if (order < PCP_ORDERS)
		page = list_first(&set->blocks[pcp_list(zone, order, type)],
		                  struct page, link);
	else if (page != NULL &&
	         pageblock_type(zone, zone_pfn(zone, page)) != type)
		page = NULL;
	if (page == NULL)
		return NULL;
	kassert(set->count >= 1U << order);
	if (order < PCP_ORDERS)
		list_remove(&page->link);
	else
		set->large = NULL;
	set->count -= 1U << order;
	return page;
}

/* The block, off its list, is corrupt. */
static void pcp_leak(struct zone *zone, struct page *page)
{
	bool enabled = spin_lock_irqsave(&zone->lock);

	kassert(!page_prep_is_clean(page));
	page_set_state(zone, page, PAGE_PCP, PAGE_LOOSE);
	if (page_prep_check(zone->node, zone, page))
		buddy_give(zone, page, page->order);
	spin_unlock_irqrestore(&zone->lock, enabled);
}

struct page *pcp_take(struct zone *zone, unsigned int order,
                      enum migratetype type, bool compound)
{
	struct pcp_set *set;
	struct page *page;

	if (!pcp_has_order(zone, order))
		return NULL;
	set = pcp_enter(zone);
	if (set == NULL)
		return NULL;
	page = pcp_pop(zone, set, order, type);
	if (page != NULL && !pcp_is_sound(zone, page, order)) {
		pcp_leak(zone, page);
		page = NULL;
	}
	if (page != NULL) {
		page->word = PAGE_WORD(state, PAGE_USED) |
		             PAGE_WORD(order, order) |
		             PAGE_WORD(zone, zone->type) |
		             PAGE_WORD(flags, page_flags_of(order, compound));
		page->refcount = 1;
	}
	pcp_leave(set);
	return page;
}

/* ---- Refill -------------------------------------------------------------- */

/* Is ZONE above its high mark?  A guess: others take and give meanwhile. */
static bool pcp_zone_has_plenty(const struct zone *zone)
{
	return READ_ONCE(zone->free_pages) > wmark_pages(zone, WMARK_HIGH);
}

/* Blocks that a refill for one of ORDER may fetch; the request has taken one already. */
static unsigned long pcp_refill_size(const struct zone *zone,
                                     struct pcp_set *set, unsigned int order)
{
	unsigned long pages = min(set->batch, PCP_MOVES);
	unsigned long room;

	kassert(order < PCP_ORDERS);
	if (set->high_min != set->high_max && pcp_zone_has_plenty(zone))
		set->high = min(set->high + set->batch, set->high_max);
	room = set->high > set->count ? set->high - set->count : 0;
	pages = min(pages, room + 1);
	return pages >> order > 1 ? (pages >> order) - 1 : 0;
}

/* Fetch at most BLOCKS blocks; how many it was. */
static unsigned long pcp_refill_slice(struct zone *zone, struct pcp_set *set,
                                      const struct alloc_request *request,
                                      unsigned long blocks)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	unsigned long got = 0;

	kassert(set->busy);
	kassert(blocks <= PCP_SLICE);
	while (got < blocks &&
	       watermark_ok(zone, request->order, wmark_pages(zone, WMARK_LOW),
	                    request->highest_zone, RESERVE_NONE)) {
		struct page *page =
			page_prep_take(zone->node, zone, request->order,
		                       request->migratetype, TAKE_OWN_TYPE);

		if (page == NULL)
			break;
		page_set_state(zone, page, PAGE_LOOSE, PAGE_PCP);
		page->lru = 0;
		/* To the back: they are taken in the order of their frames. */
		list_append(&set->blocks[pcp_list(zone, request->order,
		                                  request->migratetype)],
		            &page->link);
		set->count += 1U << request->order;
		got++;
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
	return got;
}

void pcp_refill(struct zone *zone, const struct alloc_request *request)
{
	struct pcp_set *set;
	unsigned long left;
	unsigned long got = 0;

	if (request->order >= PCP_ORDERS)
		return;
	set = pcp_enter(zone);
	if (set == NULL)
		return;
	left = pcp_refill_size(zone, set, request->order);
	while (left > 0) {
		unsigned long slice = min(left, PCP_SLICE);
		unsigned long fetched =
			pcp_refill_slice(zone, set, request, slice);

		got += fetched;
		left = fetched < slice ? 0 : left - slice;
	}
	pcp_leave(set);
	count_vm_events(zone->node, VMSTAT_pcp_refill, got << request->order);
}

/* ---- Drain --------------------------------------------------------------- */

/* The oldest block of list *AT, or of the next one that has any; off the set. */
static struct page *pcp_oldest(struct pcp_set *set, unsigned int *at)
{
	struct page *page = NULL;

	kassert(set->busy && *at < PCP_LISTS);
	for (unsigned int i = 0; page == NULL && i < PCP_LISTS; i++) {
		page = list_last(&set->blocks[*at], struct page, link);
		if (page == NULL)
			*at = (*at + 1) % PCP_LISTS;
	}
	if (page != NULL) {
		list_remove(&page->link);
	} else {
		page = set->large;
		set->large = NULL;
	}
	if (page != NULL)
		set->count -= 1U << page->order;
	return page;
}

/* At most PCP_SLICE blocks go back, until it is PAGES pages; how many pages it was. */
static unsigned long pcp_drain_slice(struct zone *zone, struct pcp_set *set,
                                     unsigned int *at, unsigned long pages)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	unsigned long moved = 0;

	kassert(set->busy);
	for (unsigned int i = 0; i < PCP_SLICE && moved < pages; i++) {
		struct page *page = pcp_oldest(set, at);
		unsigned int order;

		if (page == NULL)
			break;
		order = page->order;
		page_set_state(zone, page, PAGE_PCP, PAGE_LOOSE);
		buddy_give(zone, page, order);
		moved += 1UL << order;
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
	return moved;
}

/* PAGES pages go back to ZONE, or a block more; list AT first. */
static unsigned long pcp_drain(struct zone *zone, struct pcp_set *set,
                               unsigned int at, unsigned long pages)
{
	unsigned long moved = 0;

	kassert(at < PCP_LISTS);
	while (moved < pages && set->count > 0)
		moved += pcp_drain_slice(zone, set, &at, pages - moved);
	count_vm_events(zone->node, VMSTAT_pcp_drain, moved);
	return moved;
}

/* Pages of this CPU's lists go back to ZONE, PCP_MOVES at a time, until TARGET are left; not
 * more than there are now, for others give some meanwhile. */
static void pcp_shrink(struct zone *zone, unsigned int target)
{
	unsigned long left = pcp_local_pages(zone);

	left -= min(left, target + 0UL);
	while (left > 0) {
		struct pcp_set *set = pcp_enter(zone);
		unsigned long moved;

		if (set == NULL)
			return;
		moved = pcp_drain(zone, set, 0, min(left, PCP_MOVES));
		pcp_leave(set);
		left = moved == 0 ? 0 : left - min(left, moved);
	}
}

void pcp_drain_zone(struct zone *zone)
{
	pcp_shrink(zone, 0);
}

void pcp_drain_node(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		pcp_drain_zone(&node->zone[type]);
}

unsigned long pcp_give_back(struct node *node,
                            const struct alloc_request *request)
{
	unsigned long moved = 0;

	for (int type = request->highest_zone; moved == 0 && type >= ZONE_DMA;
	     type--) {
		struct zone *zone = &node->zone[type];
		struct pcp_set *set = pcp_enter(zone);

		if (set == NULL)
			continue;
		moved = pcp_drain(zone, set, 0, PCP_MOVES);
		pcp_leave(set);
	}
	return moved;
}

void pcp_decay(struct node *node)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];
		struct pcp_set *set = pcp_enter(zone);
		unsigned int step;
		unsigned int high;

		if (set == NULL)
			continue;
		step = set->batch << PCP_SCALE;
		if (set->high > set->high_min) {
			high = set->count - min(set->count, step);
			high = max(high, set->high - set->high / 8);
			set->high = max(high, set->high_min);
		}
		high = set->high;
		pcp_leave(set);
		pcp_shrink(zone, high);
	}
}

/* ---- Freeing ------------------------------------------------------------- */

/* The part of page->word that decides whether a block may be freed by the shortest way. */
#define PCP_FREE_MASK                                                          \
	(PAGE_WORD(state, UINT8_MAX) | PAGE_WORD(order, UINT8_MAX) |           \
	 PAGE_WORD(mapcount, UINT8_MAX) |                                      \
	 PAGE_WORD(flags, UINT8_MAX & ~(PAGE_COMPOUND | PAGE_PFMEMALLOC)) |    \
	 PAGE_WORD(bits, PAGE_BITS_AT_FREE))

/* May it?  It is in use, as a block of ORDER, and nothing but a reference is left of its
 * use.  Everything else is for the zone's way. */
static bool pcp_is_plain(const struct page *page, unsigned int order)
{
	return (READ_ONCE(page->word) & PCP_FREE_MASK) ==
	               (PAGE_WORD(state, PAGE_USED) |
	                PAGE_WORD(order, order)) &&
	       READ_ONCE(page->refcount) == 1 && page->mapping == NULL;
}

/* Drop the reference, which is the only one.  False: others have come. */
static bool pcp_drop_last(struct page *page)
{
	int32_t one = 1;

	return __atomic_compare_exchange_n(&page->refcount, &one, 0, false,
	                                   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Beyond this many pages some go back.  Below the high mark the zone needs them. */
static unsigned int pcp_limit(const struct zone *zone, struct pcp_set *set)
{
	if (set->high_min == set->high_max || pcp_zone_has_plenty(zone))
		return set->high;
	set->high = max(set->high - min(set->high, set->batch), set->high_min);
	return min(set->high_min, 4 * set->batch);
}

static void pcp_give(struct zone *zone, struct pcp_set *set, struct page *page,
                     enum migratetype type, uintptr_t caller)
{
	unsigned int order = page->order;

	kassert(set->busy);
	kassert(page->state == PAGE_USED && page->refcount == 0);
	page_prep_retire(page, caller);
	page->word = pcp_word(zone, order);
	count_vm_events(zone->node, VMSTAT_pgfree, 1UL << order);
	trace_mm_page_free(&zone->node->trace, node_pfn(zone->node, page),
	                   order);
	pcp_push(zone, set, page, type);
	if (set->count > pcp_limit(zone, set))
		pcp_drain(zone, set,
		          order < PCP_ORDERS ? pcp_list(zone, order, type) : 0,
		          PCP_MOVES);
}

bool pcp_free(struct node *node, struct page *page, unsigned int order,
              uintptr_t caller)
{
	enum migratetype type;
	struct pcp_set *set;
	struct zone *zone;
	bool freed;

	if (!pcp_is_plain(page, order))
		return false;
	zone = page_zone(node, page);
	if (!pcp_has_order(zone, order))
		return false;
	set = pcp_enter(zone);
	if (set == NULL)
		return false;
	type = pageblock_type(zone, zone_pfn(zone, page));
	freed = type < MIGRATE_PCPTYPES &&
	        (order < PCP_ORDERS || set->large == NULL) &&
	        pcp_drop_last(page);
	if (freed)
		pcp_give(zone, set, page, type, caller);
	pcp_leave(set);
	return freed;
}

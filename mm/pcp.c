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
 *	                          pcp_take_hot() |   | pcp_free_hot()
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
 * Interrupts stay on.  A call sets a bit of preempt_count, and an interrupt that finds it
 * uses the zone instead; so no step of a call is seen half done.  Preemption is off
 * meanwhile.
 *
 * Invariants, checked by pcp_check() and zone_check():
 *
 *  K1  A block in a set is PCP, of this zone, and on the list of its order.
 *  K2  count is the number of pages in the set.
 *  K3  A PCP block has no reference, mapping, flag, bit or owner.
 *  K4  zone->used_pages counts the pages that are USED or PCP.
 *  K5  A set counts what its zone takes and gives in the rows of the node's vmstat.
 *
 * Locking: pcp_trylock(), which is the CPU's own; inside it zone->lock, for PCP_SLICE
 * blocks.
 *
 * Source: Linux 6.12 mm/page_alloc.c, rmqueue_pcplist(), free_frozen_page_commit(),
 * free_pcppages_bulk().  docs/linux-rules.md lists the differences.
 */
#include "mm/pcp.h"

#include "kernel/core/context.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "mm/buddy.h"
#include "mm/page_bits.h"
#include "mm/page_prep.h"
#include "mm/page_state.h"
#include "mm/pageblock.h"
#include "mm/pcp_hot.h"
#include "mm/watermark.h"

/* Blocks that move in one piece, with interrupts off. */
#define PCP_SLICE 3UL

/* ---- Taking -------------------------------------------------------------- */

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
	const unsigned int row = pcp_row(order);
	struct pcp_set *set = row == PCP_ROWS ? NULL : pcp_enter(zone);
	struct list *list;
	struct page *page;

	if (set == NULL)
		return NULL;
	list = pcp_list(set, row, type);
	page = list_first(list, struct page, link);
	if (page != NULL) {
		kassert(set->count >= 1U << order);
		pcp_unlink(set, list, page, order);
		if (pcp_is_sound(set, page, order)) {
			pcp_use(page, order, compound);
		} else {
			pcp_leak(zone, page);
			page = NULL;
		}
	}
	pcp_unlock();
	return page;
}

/* ---- Refill -------------------------------------------------------------- */

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

	kassert(preempt_count_has(LISTS_ONE));
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
		page->word = pcp_word(set, request->order);
		/* To the back: they are taken in the order of their frames. */
		list_append(pcp_list(set, request->order, request->migratetype),
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
	pcp_unlock();
	count_vm_events(zone->node, VMSTAT_pcp_refill, got << request->order);
}

/* ---- Drain --------------------------------------------------------------- */

/* The oldest block of list *AT, or of the next one that has any, the large one last; off
 * the set. */
static struct page *pcp_oldest(struct pcp_set *set, unsigned int *at)
{
	struct page *page = NULL;

	kassert(preempt_count_has(LISTS_ONE));
	kassert(*at < PCP_LARGE);
	for (unsigned int i = 0; page == NULL && i < PCP_LARGE; i++) {
		page = list_last(&set->blocks[*at], struct page, link);
		if (page == NULL)
			*at = (*at + 1) % PCP_LARGE;
	}
	for (unsigned int i = PCP_LARGE; page == NULL && i < PCP_LISTS; i++)
		page = list_last(&set->blocks[i], struct page, link);
	if (page != NULL) {
		kassert(set->count >= 1U << page->order);
		list_remove(&page->link);
		set->count -= 1U << page->order;
	}
	return page;
}

/* At most PCP_SLICE blocks go back, until it is PAGES pages; how many pages it was. */
static unsigned long pcp_drain_slice(struct zone *zone, struct pcp_set *set,
                                     unsigned int *at, unsigned long pages)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	unsigned long moved = 0;

	kassert(preempt_count_has(LISTS_ONE));
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

unsigned long pcp_drain(struct zone *zone, struct pcp_set *set, unsigned int at,
                        unsigned long pages)
{
	unsigned long moved = 0;

	kassert(at < PCP_LARGE);
	while (moved < pages && set->count > 0)
		moved += pcp_drain_slice(zone, set, &at, pages - moved);
	count_vm_events(zone->node, VMSTAT_pcp_drain, moved);
	return moved;
}

/* Beyond this many pages some go back.  Below the high mark the zone needs them. */
static unsigned int pcp_limit(const struct zone *zone, struct pcp_set *set)
{
	if (set->high_min == set->high_max || pcp_zone_has_plenty(zone))
		return set->high;
	set->high = max(set->high - min(set->high, set->batch), set->high_min);
	return min(set->high_min, 4 * set->batch);
}

void pcp_trim(struct pcp_set *set, const struct list *list)
{
	unsigned int at = (unsigned int)(list - set->blocks);

	kassert(preempt_count_has(LISTS_ONE));
	kassert(at < PCP_LISTS);
	if (set->count > pcp_limit(set->zone, set))
		pcp_drain(set->zone, set, at < PCP_LARGE ? at : 0, PCP_MOVES);
}

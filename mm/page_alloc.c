/* SPDX-License-Identifier: MIT */
/*
 * mm/page_alloc.c -- the front door.
 *
 * A request goes down a ladder; each rung is a function, and the first that
 * finds pages ends it (Linux: mm/page_alloc.c, __alloc_pages_noprof() and
 * __alloc_pages_slowpath()):
 *
 *	pcp_take_hot()		a page of this CPU's list: what nearly all get
 *	gfp_decode()		is the request legal, and what are its rights?
 *	fast_pass()		this CPU's list, or a zone above its LOW mark
 *	alloc_slow_path()	everything else: mm/slow_path.c
 *
 * The way back is in mm/page_free.c.
 *
 * Locking: zone->lock, for as long as one block is taken or given; none for a page of
 * this CPU's list (mm/pcp.c).  Nothing is zeroed under it.
 */
#include "mm/page_alloc.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/alloc_report.h"
#include "mm/debug/page_guard.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_internal.h"
#include "mm/page_prep.h"
#include "mm/pageblock.h"
#include "mm/pcp_hot.h"
#include "mm/reclaim/ladder.h"
#include "mm/watermark.h"

/* ---- The fast pass ------------------------------------------------------- */

static void count_taken(struct node *node, const struct zone *zone,
                        unsigned int order)
{
	kassert(order <= MAX_ORDER);
	vmstat_add(&node->stat, VMSTAT_PGALLOC(zone->type), 1UL << order);
}

/* A fallback raised the marks of ZONE: kswapd is to make room, if REQUEST may wake it. */
static void tell_boost(struct zone *zone, const struct alloc_request *request)
{
	if (!request->wake_kswapd || !READ_ONCE(zone->boosted))
		return;
	WRITE_ONCE(zone->boosted, false);
	if (zone->node->wake_kswapd != NULL)
		zone->node->wake_kswapd(zone->node, 0, zone->type, true);
}

/* Take a block out of the zone itself.  Only the first look at the mark counts: a claim
 * raises it. */
static struct page *page_alloc_take_under_lock(struct zone *zone,
                                               const struct pass *pass)
{
	struct page *page = NULL;
	bool allowed = false;

	do {
		bool enabled = spin_lock_irqsave(&zone->lock);

		allowed = allowed || zone_may_serve(zone, pass);
		if (allowed)
			page = page_guard_take(zone, pass->request,
			                       pass->flags);
		if (page != NULL)
			page_prep_claim(zone, page, pass->request);
		spin_unlock_irqrestore(&zone->lock, enabled);
	} while (page == NULL && pageblock_settle(zone));
	if (allowed)
		tell_boost(zone, pass->request);
	return page;
}

/* ZONE has given PAGE for the pass. */
static void page_alloc_note_taken(struct zone *zone, struct page *page,
                                  const struct pass *pass)
{
	kassert(page->state == PAGE_USED && page->refcount > 0);
	count_taken(zone->node, zone, pass->request->order);
	if (pass->right == RESERVE_ALL)
		page->flags |= PAGE_PFMEMALLOC;
	if (pass->flags & TAKE_HIGHATOMIC)
		highatomic_reserve(zone, page);
}

/* SERVES: zone_may_serve() says so. */
static __noinline struct page *
page_alloc_take_from_zone(struct zone *zone, const struct pass *pass,
                          bool serves)
{
	const struct alloc_request *request = pass->request;
	struct page *page = NULL;

	kassert(zone->type <= request->highest_zone);
	kassert(!request->exclusive);
	if (pcp_local_pages(zone) > 0 && may_use_list(zone, pass, serves))
		page = pcp_take(zone, request->order, request->migratetype,
		                request->compound);
	if (page == NULL && serves) {
		page = page_alloc_take_under_lock(zone, pass);
		if (page != NULL && pass->mark == WMARK_LOW &&
		    !page_guard_wanted(zone->node, request))
			pcp_refill(zone, request);
	}
	page_prep_report_bad(zone->node, zone);
	if (page != NULL)
		page_alloc_note_taken(zone, page, pass);
	return page;
}

/* An exclusive page comes from the parked pool and nowhere else; the pass puts
 * a frame into it. */
static struct page *exclusive_pass(struct node *node, enum watermark mark,
                                   enum reserve_right right)
{
	kassert(mark < WMARK_COUNT);
	if (!exclusive_can_take(node) ||
	    !exclusive_refill_for(node, mark, right))
		return NULL;
	return exclusive_take(node);
}

static struct page *pass_over_zones(struct node *node, const struct pass *pass)
{
	struct zone *zone = &node->zone[pass->request->highest_zone];
	struct page *page = NULL;

	for (; page == NULL && zone >= node->zone; zone--) {
		bool serves = zone_may_serve(zone, pass);

		if (serves || pcp_local_pages(zone) > 0)
			page = page_alloc_take_from_zone(zone, pass, serves);
	}
	return page;
}

struct page *page_pass(struct node *node, const struct alloc_request *request,
                       enum watermark mark, enum reserve_right right)
{
	struct pass pass = pass_begin(node, request, mark, right);
	struct page *page;

	kassert(!in_nmi());
	kassert(request->order <= MAX_ORDER);
	kassert(request->highest_zone < ZONE_COUNT);
	count_vm_event(node, VMSTAT_freelist_pass);
	if (request->exclusive)
		return exclusive_pass(node, mark, right);
	do
		page = pass_over_zones(node, &pass);
	while (page == NULL && pass_mixes_now(&pass));
	return page;
}

bool fast_pass_is_barred(struct node *node, const struct alloc_request *request)
{
	return request->will_write && node->recovery.too_dirty != NULL &&
	       node->recovery.too_dirty(node);
}

static struct page *fast_pass(struct node *node,
                              const struct alloc_request *request)
{
	if (request->exclusive)
		return exclusive_take(node);
	if (fast_pass_is_barred(node, request))
		return NULL;
	return page_pass(node, request, WMARK_LOW, RESERVE_NONE);
}

/* ---- Allocating ---------------------------------------------------------- */

/* Returns PAGE. */
static __noinline struct page *zero_block(struct node *node, struct page *page,
                                          unsigned int order)
{
	kassert(page->state == PAGE_USED);
	kassert(order <= MAX_ORDER);
	memset(page_memory(node, page), 0, PAGE_SIZE << order);
	return page;
}

/* Is the caller a thread that may sleep, and in no scope? */
static inline bool page_alloc_by_thread(void)
{
	return may_sleep_here() &&
	       !thread_has_flags(current_thread(),
	                         THREAD_MEMALLOC_NOIO | THREAD_MEMALLOC_NOFS);
}

/* May a request with GFP take the shortcut, in the context of the caller?  pcp_trylock()
 * refuses an NMI. */
static inline bool page_alloc_is_hot(gfp_t gfp)
{
	return gfp_is_hot(gfp) &&
	       (!gfp_hot_needs_thread(gfp) || page_alloc_by_thread());
}

static struct page *page_alloc_serve(struct node *node,
                                     const struct alloc_request *request,
                                     uintptr_t caller)
{
	struct page *page = fast_pass(node, request);

	kassert(!in_nmi());
	kassert(!request->may_sleep || may_sleep_here());
	if (page == NULL && request->never_fail)
		alloc_report_nofail_doubts(node, request, caller);
	if (page == NULL)
		page = alloc_slow_path(node, request);
	if (page == NULL)
		return NULL;
	page_debug_take(&node->debug, page, request->gfp, caller);
	page_note_taker(page, request->gfp, caller);
	/* A parked frame has its own events, and is already zeroed. */
	if (request->exclusive)
		return page;
	trace_mm_page_alloc(&node->trace, node_pfn(node, page), request->order,
	                    request->migratetype, request->gfp);
	if (request->zero)
		zero_block(node, page, request->order);
	return page;
}

/* The ladder, for all that the shortcut does not serve. */
static struct page *page_alloc_ladder(struct node *node, gfp_t gfp,
                                      unsigned int order, uintptr_t caller)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	enum gfp_verdict verdict;
	char why[256];

	if (node == NULL)
		return NULL;
	verdict = gfp_decode(gfp, order, &context, &request, why, sizeof(why));
	if (verdict != GFP_OK) {
		alloc_report_verdict(node, verdict, &request, why, caller);
		return NULL;
	}
	if (should_fail_alloc_page(node, gfp, order))
		return NULL;
	return page_alloc_serve(node, &request, caller);
}

/*
 * The shortcut: the page that the fast pass would take off this CPU's list, if there is
 * one, without decoding the mask.  The watermark was paid when the page came to the list.
 * Else the ladder decides, also what is wrong with the request.
 */
static __always_inline struct page *
alloc_from_main(gfp_t gfp, unsigned int order, uintptr_t caller)
{
	struct page *page = NULL;

	if (likely(page_alloc_is_hot(gfp) && pcp_row(order) < PCP_ROWS &&
	           pcp_trylock())) {
		page = pcp_take_hot(this_cpu_lists(), gfp, order, caller);
		pcp_unlock();
	}
	if (unlikely(page == NULL))
		return page_alloc_ladder(main_node(), gfp, order, caller);
	if (unlikely(gfp_wants_zeroes(gfp)))
		return zero_block(main_node(), page, order);
	return page;
}

/* Another function, so that a single page does not pay for its registers. */
static __noinline struct page *alloc_larger(gfp_t gfp, unsigned int order,
                                            uintptr_t caller)
{
	return alloc_from_main(gfp, order, caller);
}

/* The same of NODE, where calls are long anyway. */
static __noinline struct page *alloc_from(struct node *node, gfp_t gfp,
                                          unsigned int order, uintptr_t caller)
{
	return node == main_node()
	               ? alloc_from_main(gfp, order, caller)
	               : page_alloc_ladder(node, gfp, order, caller);
}

struct page *alloc_pages_node(struct node *node, gfp_t gfp, unsigned int order)
{
	return alloc_from(node, gfp, order, RETURN_ADDRESS());
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	return likely(order == 0) ? alloc_from_main(gfp, 0, RETURN_ADDRESS())
	                          : alloc_larger(gfp, order, RETURN_ADDRESS());
}

struct page *alloc_page(gfp_t gfp)
{
	return alloc_from_main(gfp, 0, RETURN_ADDRESS());
}

void *labyrinth_void_alloc_page_gfp_atomic_exclusive(void)
{
	void *address = exclusive_take_parked(RETURN_ADDRESS());

	if (address != NULL)
		return address;
	return exclusive_address(page_alloc_ladder(main_node(),
	                                           GFP_ATOMIC | __GFP_EXCLUSIVE,
	                                           0, RETURN_ADDRESS()));
}

/* ---- By address ---------------------------------------------------------- */

unsigned long page_to_pfn(const struct page *page)
{
	return node_pfn(main_node(), page);
}

struct page *pfn_to_page(unsigned long pfn)
{
	return node_page(main_node(), pfn);
}

void *page_address(const struct page *page)
{
	if (main_node() == NULL || !page_is_of(main_node(), page) ||
	    page_is_exclusive(page))
		return NULL;
	return page_memory(main_node(), page);
}

struct page *virt_to_page(const void *address)
{
	uintptr_t at = (uintptr_t)address;
	struct page *page;

	if (main_node() == NULL || at < direct_map_base)
		return NULL;
	page = node_page(main_node(), (at - direct_map_base) >> PAGE_SHIFT);
	return page == NULL || page_is_exclusive(page) ? NULL : page;
}

/* An exclusive page has no address in the direct map. */
static bool wants_address(gfp_t gfp, uintptr_t caller)
{
	if (!gfp_is_exclusive(gfp))
		return true;
	alloc_report_address(main_node(), caller);
	return false;
}

static uintptr_t alloc_address(gfp_t gfp, unsigned int order, uintptr_t caller)
{
	struct page *page;

	if (main_node() == NULL || (!in_nmi() && !wants_address(gfp, caller)))
		return 0;
	page = alloc_from(main_node(), gfp_without_highmem(gfp), order, caller);
	return page == NULL ? 0 : (uintptr_t)page_address(page);
}

uintptr_t __get_free_pages(gfp_t gfp, unsigned int order)
{
	return alloc_address(gfp, order, RETURN_ADDRESS());
}

uintptr_t get_zeroed_page(gfp_t gfp)
{
	return alloc_address(gfp | __GFP_ZERO, 0, RETURN_ADDRESS());
}

static unsigned int order_for(size_t size)
{
	unsigned int order = 0;

	while (order <= MAX_ORDER && (PAGE_SIZE << order) < size)
		order++;
	return order;
}

/* Pages that are cut off in one piece, with interrupts off. */
#define CUT_SLICE 4UL

/* The pages FROM..TO of a block that begins at PAGE, whose parts before FROM are
 * single pages already.  zone->lock held. */
static void cut_slice(struct zone *zone, struct page *page, unsigned long from,
                      unsigned long to, unsigned long keep, uintptr_t caller)
{
	kassert(spin_is_mine(&zone->lock));
	kassert(from < to);
	for (unsigned long i = from; i < to; i++) {
		while (page[i].order > 0) {
			page_prep_halve(&page[i]);
			page[i + (1UL << page[i].order)].refcount = 1;
		}
		page[i].refcount = 1;
		if (i >= keep)
			page_prep_give(zone->node, zone, &page[i], 0, caller);
	}
}

/* Between two slices what is left is the rest of the block, halved as far as its first
 * page needs. */
void page_alloc_cut_block(struct node *node, struct page *page,
                          unsigned long keep, uintptr_t caller)
{
	struct zone *zone = page_zone(node, page);
	unsigned long pages = 1UL << page->order;

	kassert(page->state == PAGE_USED);
	kassert(keep > 0 && keep <= pages);
	for (unsigned long from = 0; from < pages; from += CUT_SLICE) {
		bool enabled = spin_lock_irqsave(&zone->lock);

		cut_slice(zone, page, from, min(pages, from + CUT_SLICE), keep,
		          caller);
		spin_unlock_irqrestore(&zone->lock, enabled);
	}
	page_prep_report_bad(node, zone);
}

void *alloc_pages_exact(size_t size, gfp_t gfp)
{
	uintptr_t address;

	if (size == 0)
		return NULL;
	if (gfp != gfp_for_exact(gfp) && !in_nmi())
		alloc_report_exact(RETURN_ADDRESS());
	gfp = gfp_for_exact(gfp);
	address = alloc_address(gfp, order_for(size), RETURN_ADDRESS());
	if (address == 0)
		return NULL;
	page_alloc_cut_block(main_node(), virt_to_page((void *)address),
	                     (size + PAGE_SIZE - 1) >> PAGE_SHIFT,
	                     RETURN_ADDRESS());
	return (void *)address;
}

/* ---- Bulk ---------------------------------------------------------------- */

/* Entries that are filled in one piece, with interrupts off: a block of BULK_ORDER. */
#define BULK_ORDER 3U
#define BULK_SLICE (1UL << BULK_ORDER)

/* Filled entries of ARRAY from DONE on are passed over; the next empty one. */
static unsigned long bulk_skip(struct page *const *array, unsigned long done,
                               unsigned long entries)
{
	kassert(done <= entries);
	while (done < entries && array[done] != NULL)
		done++;
	return done;
}

/* How many of ENTRIES entries are empty. */
static unsigned long bulk_empty(struct page *const *array,
                                unsigned long entries)
{
	unsigned long empty = 0;

	for (unsigned long i = 0; i < entries; i++)
		empty += array[i] == NULL;
	return empty;
}

/* May the request have 2^ORDER pages of ZONE, above LOW + MORE? */
static bool bulk_mark_holds(const struct zone *zone,
                            const struct alloc_request *request,
                            unsigned int order, unsigned long more)
{
	return watermark_ok_cma(zone, order,
	                        wmark_pages(zone, WMARK_LOW) + more,
	                        request->highest_zone, RESERVE_NONE,
	                        request_may_use_cma(zone->node, request));
}

/* The first zone that has more than LOW + WANTED pages for the request. */
static struct zone *bulk_zone(struct node *node,
                              const struct alloc_request *request,
                              unsigned long wanted)
{
	kassert(request->highest_zone < ZONE_COUNT);
	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		struct zone *zone = &node->zone[type];

		if (zone->managed > 0 &&
		    bulk_mark_holds(zone, request, 0, wanted))
			return zone;
	}
	return NULL;
}

/* The order of the block that holds the next pages of ZONE that a request for one page
 * after the other would get, at most WANTED: it lies in the smallest one that is free. */
static unsigned int bulk_order(const struct zone *zone,
                               const struct alloc_request *request,
                               unsigned long wanted)
{
	unsigned int free = zone->nonempty[pageblock_request_type(
		zone->node, request->migratetype)];
	unsigned int most = 63 - (unsigned int)__builtin_clzl(wanted);

	kassert(wanted > 0 && wanted <= BULK_SLICE);
	return free == 0 ? 0 : min((unsigned int)__builtin_ctz(free), most);
}

/* The block at PAGE, LOOSE, becomes single pages in use. */
static void bulk_split(struct zone *zone, struct page *page,
                       const struct alloc_request *request)
{
	const struct page *end = page + (1UL << page->order);
	struct alloc_request whole = *request;

	whole.order = page->order;
	page_prep_claim(zone, page, &whole);
	for (; page < end; page++) {
		while (page->order > 0)
			page_prep_halve(page);
		page->refcount = 1;
	}
}

/* Take at most *COUNT pages of ZONE for a bulk request, one behind the other: the first, and
 * in *COUNT how many it was; or NULL.  The LOW mark was checked for all pages together, and
 * is checked again here: others may have taken some since.  zone->lock held. */
static struct page *bulk_take_block(struct zone *zone,
                                    const struct alloc_request *request,
                                    unsigned long *count)
{
	unsigned int order = bulk_order(zone, request, *count);
	struct page *page;

	kassert(spin_is_mine(&zone->lock));
	kassert(request->order == 0);
	if (order > 0 && !bulk_mark_holds(zone, request, order, 0))
		order = 0;
	if (order == 0 && !bulk_mark_holds(zone, request, 0, 0))
		return NULL;
	page = page_prep_take(zone->node, zone, order, request->migratetype,
	                      request->wake_kswapd ? TAKE_WAKES : 0);
	*count = 1UL << order;
	if (page != NULL)
		bulk_split(zone, page, request);
	return page;
}

/* The same with ZONE unlocked, and what comes after. */
static struct page *bulk_take_slice(struct node *node, struct zone *zone,
                                    const struct alloc_request *request,
                                    unsigned long *count)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	struct page *page;

	kassert(*count > 0 && *count <= BULK_SLICE);
	page = bulk_take_block(zone, request, count);
	spin_unlock_irqrestore(&zone->lock, enabled);
	if (page != NULL)
		vmstat_add(&node->stat, VMSTAT_PGALLOC(zone->type), *count);
	page_prep_report_bad(node, zone);
	tell_boost(zone, request);
	return page;
}

/* Record the taker, trace, and zero the page. */
static void bulk_finish(struct node *node, struct page *page,
                        const struct alloc_request *request, uintptr_t caller)
{
	kassert(page->state == PAGE_USED && page->order == 0);
	page_debug_take(&node->debug, page, request->gfp, caller);
	page_note_taker(page, request->gfp, caller);
	trace_mm_page_alloc(&node->trace, node_pfn(node, page), 0,
	                    request->migratetype, request->gfp);
	if (request->zero)
		zero_block(node, page, 0);
}

/* Fill empty entries of ARRAY from DONE on with pages of ZONE, slice by slice.
 * Returns the entry at which it ended: all below it are full. */
static unsigned long bulk_fill(struct zone *zone,
                               const struct alloc_request *request,
                               struct page **array, unsigned long done,
                               unsigned long entries, uintptr_t caller)
{
	while (done < entries) {
		unsigned long count = bulk_empty(
			array + done, min(entries - done, BULK_SLICE));
		struct page *page =
			bulk_take_slice(zone->node, zone, request, &count);

		if (page == NULL && !pageblock_settle(zone))
			break;
		for (; page != NULL && count > 0; page++, count--) {
			bulk_finish(zone->node, page, request, caller);
			array[done] = page;
			done = bulk_skip(array, done, entries);
		}
	}
	return done;
}

/* One page, the ordinary way, for the empty entry DONE. */
static unsigned long bulk_single(struct node *node, gfp_t gfp,
                                 struct page **array, unsigned long done,
                                 uintptr_t caller)
{
	kassert(array[done] == NULL);
	array[done] = alloc_from(node, gfp, 0, caller);
	return array[done] == NULL ? done : done + 1;
}

/* The request is sound.  As Linux, the mark counts all entries, filled ones
 * included; one page is asked for in the ordinary way, and so is the first one
 * of many if the marks allow no more. */
static unsigned long bulk_serve(struct node *node,
                                const struct alloc_request *request,
                                struct page **array, unsigned long done,
                                unsigned long entries, uintptr_t caller)
{
	unsigned long end = done;
	struct zone *zone;

	kassert(!request->exclusive && !request->compound);
	kassert(done <= entries);
	if (entries - done > 1) {
		if (should_fail_alloc_page(node, request->gfp, 0))
			return done;
		zone = bulk_zone(node, request, entries);
		if (zone != NULL)
			end = bulk_fill(zone, request, array, done, entries,
			                caller);
	}
	if (end == done && done < entries)
		end = bulk_single(node, request->gfp, array, done, caller);
	return end;
}

unsigned long alloc_pages_bulk(gfp_t gfp, unsigned long entries,
                               struct page **array)
{
	const struct alloc_context context = gfp_context();
	struct node *node = main_node();
	struct alloc_request request;
	enum gfp_verdict verdict;
	unsigned long done;
	char why[256];

	if (node == NULL)
		return 0;
	verdict = gfp_decode(gfp, 0, &context, &request, why, sizeof(why));
	if (verdict == GFP_OK && (request.compound || request.exclusive)) {
		verdict = GFP_REFUSED;
		scnprintf(why, sizeof(why),
		          "no bulk of __GFP_COMP or "
		          "__GFP_EXCLUSIVE pages");
	}
	if (verdict != GFP_OK)
		alloc_report_verdict(node, verdict, &request, why,
		                     RETURN_ADDRESS());
	if (verdict == GFP_IN_NMI)
		return 0;
	done = bulk_skip(array, 0, entries);
	if (verdict == GFP_OK)
		done = bulk_serve(node, &request, array, done, entries,
		                  RETURN_ADDRESS());
	return done;
}

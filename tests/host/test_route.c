/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_route.c -- what mm/reclaim/route.c says is what a request gets: asked,
 * then done, for random masks, orders, contexts and states of four zones.
 *
 * Compared are the zone, the rung (by the passes that were made, and by which hook was
 * called first) and the source (by the lists, and by the type of the pageblock before and
 * after).
 */
#include "kernel/core/context.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/ladder.h"
#include "mm/reclaim/route.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(route);

#define BLOCKS    3U /* whole pageblocks of a zone */
#define RESTS_MAX 40U
#define PAGES     ((ZONE_COUNT * BLOCKS) * PAGEBLOCK_PAGES)

static struct node *node;
static struct pile pile;
static struct pcp_cpu lists;

/* ---- Hooks that bring nothing -------------------------------------------- */

static struct {
	enum alloc_rung first; /* whose hook was called first */
	unsigned long reclaimable;
	enum compact_result compacted;
	bool dirty;
	unsigned int rests; /* of this request */
} script;

static void told(enum alloc_rung rung)
{
	if (script.first == RUNG_COUNT)
		script.first = rung;
}

static void route_on_wake(struct node *of __unused, unsigned int order __unused,
                          enum zone_type highest __unused,
                          bool may_sleep __unused)
{
}

static unsigned long
route_on_reclaim(struct node *of __unused,
                 const struct alloc_request *request __unused)
{
	told(RUNG_RECLAIM);
	return 0;
}

static unsigned long route_on_reclaimable(struct node *of __unused,
                                          struct zone *zone)
{
	return script.reclaimable > 0 ? script.reclaimable : zone->free_pages;
}

static enum compact_result
route_on_compact(struct node *of __unused,
                 const struct alloc_request *request __unused,
                 enum compact_priority priority, struct page **page __unused)
{
	told(priority == COMPACT_ASYNC ? RUNG_EARLY_COMPACT : RUNG_COMPACT);
	return script.compacted;
}

static bool route_on_oom(struct node *of __unused,
                         const struct alloc_request *request __unused)
{
	told(RUNG_KILL);
	return false;
}

static bool route_too_dirty(struct node *of __unused)
{
	return script.dirty;
}

/* Each rest is one in which somebody does something, up to a limit: then "everybody
 * sleeps". */
static bool route_on_rest(struct wait_queue *queue __unused)
{
	return script.rests++ % 2 == 0 && script.rests < 2 * RESTS_MAX;
}

/* ---- States -------------------------------------------------------------- */

static bool route_one_in(struct random *random, unsigned int many)
{
	return random_below(random, many) == 0;
}

static void route_set_types(struct random *random)
{
	static const enum migratetype type[] = {
		MIGRATE_UNMOVABLE,   MIGRATE_MOVABLE,    MIGRATE_MOVABLE,
		MIGRATE_RECLAIMABLE, MIGRATE_HIGHATOMIC, MIGRATE_CMA,
	};

	for (unsigned int z = 0; z < ZONE_COUNT; z++) {
		struct zone *zone = &node->zone[z];

		for (unsigned int i = 0; i < BLOCKS; i++) {
			struct pageblock *block = &zone->blocks[i];

			block->type = (uint8_t)
				type[random_below(random, ARRAY_SIZE(type))];
			if (block->type == MIGRATE_HIGHATOMIC)
				zone->nr_reserved_highatomic += PAGEBLOCK_PAGES;
			if (block->type == MIGRATE_CMA)
				zone->nr_cma += PAGEBLOCK_PAGES;
		}
	}
}

static void route_set_marks(struct random *random)
{
	for (unsigned int z = 0; z < ZONE_COUNT; z++) {
		struct zone *zone = &node->zone[z];
		unsigned long lowest = random_below(random, 120);

		machine_set_marks(zone, lowest, lowest + 30, lowest + 60);
		for (unsigned int j = z + 1; j < ZONE_COUNT; j++)
			zone->lowmem_reserve[j] =
				route_one_in(random, 2)
					? 0
					: random_below(random, 60);
		zone->watermark_boost =
			route_one_in(random, 3) ? random_below(random, 80) : 0;
	}
	node->watermark_boost_factor = route_one_in(random, 2) ? 15000 : 0;
}

static void free_frame(unsigned long pfn)
{
	struct page *page = node_page(node, pfn);

	if (page->state == PAGE_USED && page->order == 0)
		free_pages_node(node, page, 0, RETURN_ADDRESS());
}

/* In some zones a few pages are free, in some all but a few. */
static void route_free_some(struct random *random)
{
	for (unsigned int run = 0; run < 2 + random_below(random, 20); run++) {
		unsigned long first = random_below(random, PAGES);
		unsigned long most = route_one_in(random, 4) ? 600 : 24;
		unsigned long count = 1 + random_below(random, most);
		unsigned long step = 1 + random_below(random, 3);

		for (unsigned long i = 0; i < count; i++)
			free_frame((first + i * step) % PAGES);
	}
}

static void route_set_hooks(struct random *random)
{
	machine_set_wait_hook(route_on_rest);
	node->recovery.too_dirty = route_too_dirty;
	script.dirty = route_one_in(random, 3);
	if (route_one_in(random, 5))
		return;
	machine_set_kswapd_hook(node,
	                        route_one_in(random, 2) ? NULL : route_on_wake);
	machine_set_reclaim_hook(
		node, route_one_in(random, 3) ? NULL : route_on_reclaim,
		route_one_in(random, 3) ? NULL : route_on_reclaimable);
	machine_set_compact_hook(
		node, route_one_in(random, 3) ? NULL : route_on_compact);
	machine_set_oom_hook(node,
	                     route_one_in(random, 3) ? NULL : route_on_oom);
	script.reclaimable =
		route_one_in(random, 3) ? random_below(random, 300) : 0;
	script.compacted = (enum compact_result)random_below(random, 4);
}

static void route_new_state(struct random *random)
{
	unsigned long pages[ZONE_COUNT];

	for (unsigned int z = 0; z < ZONE_COUNT; z++)
		pages[z] = BLOCKS * PAGEBLOCK_PAGES;
	machine_start(PAGES);
	node = machine_zones(0, pages);
	pile.node = node;
	pile.count = 0;
	pile_leave(&pile, 0);
	kassert(node_free(node) == 0);
	node->no_mobility = route_one_in(random, 8);
	if (!node->no_mobility)
		route_set_types(random);
	route_set_marks(random);
	if (!route_one_in(random, 3))
		pcp_start(node, &lists, 1);
	route_free_some(random);
	route_set_hooks(random);
}

/* All pages are free again, in the zones. */
static const char *route_end_state(void)
{
	thread_clear_flags(machine_main(), ~0U);
	for (unsigned long pfn = 0; pfn < PAGES; pfn++) {
		struct page *page = node_page(node, pfn);

		if (page->state == PAGE_USED)
			free_pages_node(node, page, page->order,
			                RETURN_ADDRESS());
	}
	if (node->pcp_cpus > 0)
		pcp_stop(node);
	return machine_finish();
}

/* ---- One question -------------------------------------------------------- */

struct before {
	unsigned long passes, retries, drained;
	unsigned long listed[ZONE_COUNT];
	uint8_t type[ZONE_COUNT][BLOCKS];
};

static unsigned long route_stat(enum vmstat_event event)
{
	return vmstat_read(&node->stat, event);
}

static void note_before(struct before *before)
{
	script.first = RUNG_COUNT;
	script.rests = 0;
	before->passes = route_stat(VMSTAT_freelist_pass);
	before->retries = route_stat(VMSTAT_reclaim_retry);
	before->drained = route_stat(VMSTAT_pcp_drain);
	for (unsigned int z = 0; z < ZONE_COUNT; z++) {
		before->listed[z] = pcp_local_pages(&node->zone[z]);
		for (unsigned int i = 0; i < BLOCKS; i++)
			before->type[z][i] = node->zone[z].blocks[i].type;
	}
}

/* Does PAGE come from where the route says? */
static bool source_is(const struct alloc_route *route, const struct page *page,
                      const struct before *before)
{
	const struct zone *zone = page_zone(node, page);
	const unsigned long pfn = node_pfn(node, page);
	const enum migratetype wanted =
		pageblock_request_type(node, route->request.migratetype);
	const enum migratetype now = pageblock_type(zone, pfn);
	const enum migratetype was =
		before->type[zone->type]
			    [(pfn - zone->start_pfn) / PAGEBLOCK_PAGES];
	const bool listed = pcp_local_pages(zone) < before->listed[zone->type];

	switch (route->step[route->rung].source) {
	case SOURCE_LIST:
		return listed;
	case SOURCE_OWN:
		return !listed && was == wanted;
	case SOURCE_CMA:
		return !listed && was == MIGRATE_CMA;
	case SOURCE_HIGHATOMIC:
		return !listed && was == MIGRATE_HIGHATOMIC;
	case SOURCE_CLAIM:
		return !listed && was != wanted && was < MIGRATE_PCPTYPES &&
		       (now == wanted || now == MIGRATE_HIGHATOMIC);
	case SOURCE_STEAL:
		return !listed && was != wanted && was < MIGRATE_PCPTYPES &&
		       (now == was || now == MIGRATE_HIGHATOMIC);
	case SOURCE_NONE:
	case SOURCE_POOL:
		break;
	}
	return false;
}

/* Passes up to the rung that gives. */
static unsigned long passes_of(const struct alloc_route *route)
{
	unsigned long passes = 0;

	for (unsigned int rung = 0; rung <= route->rung; rung++)
		passes += route->step[rung].pass;
	return passes;
}

static bool route_given_is_right(const struct alloc_route *route,
                                 const struct page *page,
                                 const struct before *before)
{
	const unsigned long passes =
		route_stat(VMSTAT_freelist_pass) - before->passes;

	if (page == NULL || page_zone(node, page) != alloc_route_zone(route) ||
	    script.first != RUNG_COUNT)
		return false;
	/* Before rung 13 the killer's rung may have looked at HIGH. */
	if (route->rung == RUNG_NEVER_FAIL ? passes < passes_of(route)
	                                   : passes != passes_of(route))
		return false;
	return source_is(route, page, before);
}

/* The rung that works is the first one that did. */
static bool work_is_right(const struct alloc_route *route,
                          const struct before *before)
{
	switch (route->rung) {
	case RUNG_EARLY_COMPACT:
	case RUNG_RECLAIM:
	case RUNG_COMPACT:
	case RUNG_KILL:
		return script.first == route->rung;
	case RUNG_RETRY:
		return script.first != RUNG_RECLAIM &&
		       (route_stat(VMSTAT_reclaim_retry) > before->retries ||
		        strncmp(route->step[RUNG_RETRY].why, "gives up", 8) ==
		                0);
	case RUNG_LISTS:
		return script.first != RUNG_RECLAIM &&
		       route_stat(VMSTAT_pcp_drain) > before->drained;
	case RUNG_SHORTCUT:
	case RUNG_FAST:
	case RUNG_WAKE:
	case RUNG_MIN:
	case RUNG_AGAIN:
	case RUNG_NEVER_FAIL:
	case RUNG_COUNT:
		break;
	}
	return false;
}

static bool route_is_right(const struct alloc_route *route,
                           const struct page *page, const struct before *before)
{
	if (route->verdict != GFP_OK || route->rung == RUNG_COUNT)
		return page == NULL && script.first == RUNG_COUNT;
	return route->step[route->rung].outcome == ROUTE_GIVES
	               ? route_given_is_right(route, page, before)
	               : work_is_right(route, before);
}

static unsigned long seen[RUNG_COUNT + 1];
static unsigned long seen_source[SOURCE_POOL + 1];

static const char *ask_and_do(gfp_t mask, unsigned int order,
                              const struct alloc_context *context)
{
	struct alloc_route route;
	struct before before;
	struct page *page;
	bool right;

	alloc_route(node, mask, order, context, &route);
	if (route.verdict == GFP_OK && route.request.never_fail &&
	    route.request.may_sleep &&
	    (route.rung == RUNG_COUNT ||
	     route.step[route.rung].outcome != ROUTE_GIVES))
		return NULL; /* it could wait forever */
	note_before(&before);
	if (context->in_interrupt)
		machine_enter_irq(NULL);
	page = alloc_pages_node(node, mask, order);
	if (context->in_interrupt)
		machine_leave_irq();
	right = route_is_right(&route, page, &before);
	if (route.verdict == GFP_OK) {
		seen[route.rung]++;
		if (alloc_route_zone(&route) != NULL)
			seen_source[route.step[route.rung].source]++;
	}
	if (!right)
		return test_failure(
			"mask %#x order %u: rung %u outcome %u zone %s source "
			"%u; got %s after %lu passes, first %u",
			mask, order, route.rung,
			route.rung < RUNG_COUNT ? route.step[route.rung].outcome
						: 99,
			alloc_route_zone(&route) == NULL
				? "-"
				: alloc_route_zone(&route)->name,
			route.rung < RUNG_COUNT ? route.step[route.rung].source
						: 0,
			page == NULL ? "nothing" : page_zone(node, page)->name,
			route_stat(VMSTAT_freelist_pass) - before.passes,
			script.first);
	if (page != NULL)
		free_pages_node(node, page, order, RETURN_ADDRESS());
	return NULL;
}

/* ---- Random questions ---------------------------------------------------- */

static gfp_t route_random_mask(struct random *random)
{
	static const gfp_t base[] = {
		GFP_KERNEL, GFP_ATOMIC,           GFP_NOWAIT,    GFP_NOFS,
		GFP_NOIO,   GFP_HIGHUSER_MOVABLE, GFP_TRANSHUGE, 0,
	};
	static const gfp_t bit[] = {
		__GFP_DMA,
		__GFP_HIGHMEM,
		__GFP_DMA32,
		__GFP_MOVABLE,
		__GFP_RECLAIMABLE,
		__GFP_HIGH,
		__GFP_IO,
		__GFP_FS,
		__GFP_ZERO,
		__GFP_WRITE,
		__GFP_DIRECT_RECLAIM,
		__GFP_KSWAPD_RECLAIM,
		__GFP_MEMALLOC,
		__GFP_COMP,
		__GFP_NOMEMALLOC,
		__GFP_NORETRY,
		__GFP_RETRY_MAYFAIL,
		__GFP_NOFAIL,
		__GFP_THISNODE,
	};
	gfp_t mask = base[random_below(random, ARRAY_SIZE(base))];

	for (unsigned long more = random_below(random, 4); more > 0; more--)
		mask |= bit[random_below(random, ARRAY_SIZE(bit))];
	if (route_one_in(random, 16))
		mask |= __GFP_NOFAIL | __GFP_DIRECT_RECLAIM;
	return mask | __GFP_NOWARN;
}

static void route_random_thread(struct random *random)
{
	static const unsigned int flags[] = {
		THREAD_MEMALLOC,
		THREAD_MEMALLOC_NOIO,
		THREAD_MEMALLOC_NOFS,
		THREAD_OOM_VICTIM | THREAD_KILLED,
	};
	struct thread *self = machine_main();

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (route_one_in(random, 8))
			thread_set_flags(self, flags[i]);
		else
			thread_clear_flags(self, flags[i]);
	}
}

static const char *random_question(struct random *random)
{
	static const struct alloc_context interrupt = { .in_interrupt = true };
	const gfp_t mask = route_random_mask(random);
	const unsigned int order =
		route_one_in(random, 2)
			? 0
			: (unsigned int)random_below(random, MAX_ORDER + 2);
	struct alloc_context here;

	route_random_thread(random);
	if (route_one_in(random, 5) &&
	    !thread_has_flags(machine_main(), THREAD_OOM_VICTIM))
		return ask_and_do(mask, order, &interrupt);
	here = gfp_context();
	return ask_and_do(mask, order, &here);
}

CASE(route, what_it_says_is_what_the_request_gets)
{
	struct random random = { test_seed() };
	const char *wrong = NULL;

	memset(seen, 0, sizeof(seen));
	memset(seen_source, 0, sizeof(seen_source));
	for (unsigned int state = 0; state < 400 && wrong == NULL; state++) {
		route_new_state(&random);
		for (unsigned int i = 0; i < 80 && wrong == NULL; i++)
			wrong = random_question(&random);
		if (wrong == NULL)
			wrong = route_end_state();
	}
	if (wrong != NULL)
		return wrong;
	/* The states were worth their name: each answer was given. */
	for (unsigned int rung = 0; rung <= RUNG_COUNT; rung++) {
		if (seen[rung] == 0 && rung != RUNG_WAKE)
			return test_failure("rung %u was never seen", rung);
	}
	for (unsigned int i = SOURCE_LIST; i <= SOURCE_STEAL; i++) {
		if (seen_source[i] == 0)
			return test_failure("source %u was never seen", i);
	}
	return NULL;
}

CASE(route, asking_changes_nothing)
{
	static struct node node_before;
	static struct page pages_before[PAGES];
	struct random random = { test_seed() };
	struct alloc_route route;

	for (unsigned int state = 0; state < 20; state++) {
		const struct alloc_context here = gfp_context();
		struct vmstat_row counters;

		route_new_state(&random);
		node->trace.enabled = ~0U;
		memcpy(&node_before, node, sizeof(node_before));
		memcpy(pages_before, node->pages, sizeof(pages_before));
		counters = *node->stat.row;
		script.first = RUNG_COUNT;
		for (unsigned int i = 0; i < 40; i++)
			alloc_route(node, route_random_mask(&random),
			            (unsigned int)random_below(&random, 11),
			            &here, &route);
		EXPECT(memcmp(&node_before, node, sizeof(node_before)) == 0);
		EXPECT(memcmp(pages_before, node->pages,
		              sizeof(pages_before)) == 0);
		EXPECT(memcmp(&counters, node->stat.row, sizeof(counters)) ==
		       0);
		EXPECT_EQUAL(script.first, RUNG_COUNT);
		node->trace.enabled = 0;
		EXPECT(route_end_state() == NULL);
	}
	return NULL;
}

/* ---- Why a rung is closed ------------------------------------------------ */

struct closed_row {
	gfp_t mask;
	unsigned int order;
	enum alloc_rung rung;
	enum route_outcome outcome;
	const char *why; /* a part of it */
};

static bool route_has_words(const char *text, const char *words)
{
	for (; *text != '\0'; text++) {
		if (strncmp(text, words, strlen(words)) == 0)
			return true;
	}
	return false;
}

/* A node with all hooks and all pages free, or with none. */
static void route_begin_rows(bool full)
{
	unsigned long pages[ZONE_COUNT] = { 512, 512, 512, 512 };

	machine_start(4 * PAGEBLOCK_PAGES);
	node = machine_zones(0, pages);
	pile.node = node;
	pile.count = 0;
	for (unsigned int z = 0; z < ZONE_COUNT; z++)
		machine_set_marks(&node->zone[z], 20, 30, 40);
	if (full)
		pile_leave(&pile, 0);
	machine_set_kswapd_hook(node, route_on_wake);
	machine_set_reclaim_hook(node, route_on_reclaim, NULL);
	machine_set_compact_hook(node, route_on_compact);
	machine_set_oom_hook(node, route_on_oom);
	node->recovery.too_dirty = route_too_dirty;
	script.dirty = true;
}

static const char *route_check_row(const struct closed_row *row)
{
	const struct alloc_context here = gfp_context();
	struct alloc_route route;
	const struct route_step *step = &route.step[row->rung];

	alloc_route(node, row->mask, row->order, &here, &route);
	EXPECT_EQUAL(route.verdict, GFP_OK);
	if (step->outcome != row->outcome ||
	    (row->why != NULL &&
	     (step->why == NULL || !route_has_words(step->why, row->why))))
		return test_failure("mask %#x order %u rung %u: %u, %s",
		                    row->mask, row->order, row->rung,
		                    step->outcome,
		                    step->why == NULL ? "-" : step->why);
	return NULL;
}

CASE(route, a_closed_rung_names_the_flag_or_the_order_that_closes_it)
{
	static const struct closed_row rows[] = {
		{ GFP_KERNEL | __GFP_WRITE, 0, RUNG_FAST, ROUTE_CLOSED,
		  "__GFP_WRITE" },
		{ GFP_KERNEL | __GFP_DMA32, 0, RUNG_SHORTCUT, ROUTE_CLOSED,
		  "a flag that must be decoded" },
		{ GFP_KERNEL, 5, RUNG_SHORTCUT, ROUTE_CLOSED,
		  "no list has blocks of this order" },
		{ GFP_KERNEL, 0, RUNG_SHORTCUT, ROUTE_CLOSED,
		  "there are no lists" },
		{ GFP_KERNEL, 0, RUNG_WAKE, ROUTE_ACTS, "kswapd is woken" },
		{ GFP_KERNEL & ~__GFP_KSWAPD_RECLAIM, 0, RUNG_WAKE,
		  ROUTE_CLOSED, "no __GFP_KSWAPD_RECLAIM" },
		{ GFP_KERNEL, 2, RUNG_EARLY_COMPACT, ROUTE_ACTS, "moves" },
		{ GFP_KERNEL | __GFP_MOVABLE, 2, RUNG_EARLY_COMPACT,
		  ROUTE_CLOSED, "movable" },
		{ GFP_KERNEL | __GFP_MEMALLOC, 2, RUNG_EARLY_COMPACT,
		  ROUTE_CLOSED, "all of the reserve" },
		{ GFP_NOWAIT, 0, RUNG_RECLAIM, ROUTE_CLOSED,
		  "no __GFP_DIRECT_RECLAIM" },
		{ GFP_KERNEL, 0, RUNG_RECLAIM, ROUTE_ACTS, "reclaims" },
		{ GFP_KERNEL, 0, RUNG_COMPACT, ROUTE_CLOSED, "a single page" },
		{ GFP_NOIO, 2, RUNG_COMPACT, ROUTE_CLOSED, "start I/O" },
		{ GFP_KERNEL | __GFP_NORETRY, 0, RUNG_RETRY, ROUTE_CLOSED,
		  "__GFP_NORETRY" },
		{ GFP_KERNEL, 4, RUNG_RETRY, ROUTE_CLOSED,
		  "no __GFP_RETRY_MAYFAIL" },
		{ GFP_NOIO | __GFP_RETRY_MAYFAIL, 4, RUNG_RETRY, ROUTE_CLOSED,
		  "it cannot compact" },
		{ GFP_KERNEL, 0, RUNG_LISTS, ROUTE_CLOSED, "are empty" },
		{ GFP_KERNEL, 0, RUNG_KILL, ROUTE_ACTS, "kills a thread" },
		{ GFP_NOFS, 0, RUNG_KILL, ROUTE_ACTS, "kills nobody" },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4, RUNG_KILL, ROUTE_CLOSED,
		  "an order above 3" },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0, RUNG_KILL, ROUTE_CLOSED,
		  "__GFP_RETRY_MAYFAIL" },
		{ GFP_KERNEL | __GFP_THISNODE, 0, RUNG_KILL, ROUTE_CLOSED,
		  "__GFP_THISNODE" },
		{ GFP_KERNEL | __GFP_DMA32, 0, RUNG_KILL, ROUTE_CLOSED,
		  "low memory" },
		{ GFP_KERNEL, 0, RUNG_NEVER_FAIL, ROUTE_CLOSED,
		  "no __GFP_NOFAIL" },
		{ GFP_ATOMIC | __GFP_NOFAIL, 0, RUNG_NEVER_FAIL, ROUTE_CLOSED,
		  "it cannot wait" },
		{ GFP_KERNEL | __GFP_NOFAIL, 0, RUNG_NEVER_FAIL, ROUTE_GIVES,
		  NULL },
	};
	static const struct closed_row in_reclaim = {
		GFP_KERNEL, 0, RUNG_RECLAIM, ROUTE_CLOSED, "reclaim that asks"
	};
	const char *wrong = NULL;

	route_begin_rows(false);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && wrong == NULL; i++)
		wrong = route_check_row(&rows[i]);
	if (wrong != NULL)
		return wrong;
	machine_set_memalloc(true);
	wrong = route_check_row(&in_reclaim);
	machine_set_memalloc(false);
	return wrong != NULL ? wrong : machine_finish();
}

CASE(route, a_full_node_is_not_enough_with_all_that_could_be_reclaimed)
{
	static const struct closed_row rows[] = {
		{ GFP_KERNEL, 0, RUNG_FAST, ROUTE_REFUSES, NULL },
		{ GFP_KERNEL, 0, RUNG_AGAIN, ROUTE_REFUSES, NULL },
		{ GFP_KERNEL, 0, RUNG_RETRY, ROUTE_CLOSED,
		  "would not be enough" },
		{ GFP_KERNEL | __GFP_NOFAIL, 0, RUNG_NEVER_FAIL, ROUTE_ACTS,
		  "forever" },
	};
	const char *wrong = NULL;

	route_begin_rows(true);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && wrong == NULL; i++)
		wrong = route_check_row(&rows[i]);
	pile_give(&pile, PILE_PAGES);
	return wrong != NULL ? wrong : machine_finish();
}

CASE(route, a_block_that_gets_a_guard_is_not_from_a_list)
{
	const struct alloc_context here = gfp_context();
	struct alloc_route route;
	struct page *page;

	route_begin_rows(false);
	pcp_start(node, &lists, 1);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	__free_page(page);
	alloc_route(node, GFP_KERNEL, 0, &here, &route);
	EXPECT_EQUAL(route.rung, RUNG_SHORTCUT);
	EXPECT_EQUAL(route.step[RUNG_FAST].source, SOURCE_LIST);
	node->debug.guard = true;
	alloc_route(node, GFP_KERNEL, 0, &here, &route);
	EXPECT_EQUAL(route.step[RUNG_FAST].source, SOURCE_OWN);
	node->debug.guard = false;
	pcp_stop(node);
	return machine_finish();
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_hot_requests.c -- the shortcut and the ladder, for all masks.
 *
 * gfp_is_hot() decides without gfp_decode() whether a page of this CPU's list may be
 * given.  The cases show that it never says yes to what gfp_decode() refuses, and that
 * the page, its record and the counters are then those of the ladder.
 *
 * There are 2^32 masks.  A flag that is not hot alone is not hot with any others (shown
 * for all sets of hot flags, and for all sets of the other flags), so that only the sets
 * of hot flags are left: they are all tried, in every context, with every order.
 */
#include <string.h>

#include "lib/random.h"
#include "mm/debug/fault_inject.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(hot_requests);

#define CONTEXTS    64U
#define PAGES       4096UL
#define LARGE_PAGES 53248UL

static const struct alloc_context thread = { .can_sleep = true };

/* Context NUMBER of all there are. */
static struct alloc_context context_of(unsigned int number)
{
	return (struct alloc_context){
		.can_sleep = (number & 1) != 0,
		.in_interrupt = (number & 2) != 0,
		.in_nmi = (number & 4) != 0,
		.memalloc = (number & 8) != 0,
		.noio = (number & 16) != 0,
		.nofs = (number & 32) != 0,
	};
}

/* May a request with MASK take the shortcut in CONTEXT? */
static bool is_hot_in(gfp_t mask, const struct alloc_context *context)
{
	return gfp_is_hot(mask) && gfp_migratetype(mask) < MIGRATE_PCPTYPES &&
	       !context->in_nmi &&
	       (!gfp_hot_needs_thread(mask) ||
	        (context->can_sleep && !context->noio && !context->nofs));
}

/* The bits of which gfp_is_hot() says no by itself, and the others. */
static gfp_t hot_bits;
static gfp_t rare_bits;

static void find_hot_bits(void)
{
	hot_bits = 0;
	for (unsigned int bit = 0; bit < 32; bit++) {
		if (is_hot_in(1U << bit, &thread))
			hot_bits |= 1U << bit;
	}
	rare_bits = ~hot_bits;
}

/* The set of BITS that follows SET, in the order of their numbers; 0 after the last. */
static gfp_t next_set(gfp_t set, gfp_t bits)
{
	return (set - bits) & bits;
}

/* ---- The decision -------------------------------------------------------- */

CASE(hot_requests, what_the_kernel_asks_for_is_hot)
{
	static const gfp_t mask[] = {
		GFP_KERNEL,
		GFP_ATOMIC,
		GFP_NOWAIT,
		GFP_NOIO,
		GFP_NOFS,
		GFP_USER,
		GFP_HIGHUSER,
		GFP_HIGHUSER_MOVABLE,
		GFP_TRANSHUGE,
		GFP_KERNEL | __GFP_ZERO,
		GFP_KERNEL | __GFP_RECLAIMABLE | __GFP_COMP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(mask); i++)
		EXPECT(is_hot_in(mask[i], &thread));
	return NULL;
}

CASE(hot_requests, a_rare_flag_is_rare_in_any_company)
{
	struct random dice = { .state = test_seed() };
	gfp_t hot = 0;
	gfp_t rare = 0;

	find_hot_bits();
	EXPECT_EQUAL(__builtin_popcount(hot_bits), 18);
	do {
		for (unsigned int bit = 0; bit < 32; bit++) {
			gfp_t mask = hot | 1U << bit;

			if ((rare_bits >> bit & 1) != 0 &&
			    is_hot_in(mask, &thread))
				return test_failure("mask %#x is hot", mask);
		}
		hot = next_set(hot, hot_bits);
	} while (hot != 0);
	while ((rare = next_set(rare, rare_bits)) != 0) {
		gfp_t mask = rare | ((gfp_t)random_next(&dice) & hot_bits);

		if (is_hot_in(rare, &thread) || is_hot_in(mask, &thread))
			return test_failure("mask %#x is hot", mask);
	}
	return NULL;
}

/* NULL, or what gfp_decode() says else of a MASK that is hot. */
static const char *decode_agrees(gfp_t mask, unsigned int order,
                                 const struct alloc_context *context)
{
	struct alloc_request request;
	char why[256];

	if (gfp_decode(mask, order, context, &request, why, sizeof(why)) !=
	    GFP_OK)
		return test_failure("hot mask %#x, order %u: %s", mask, order,
		                    why);
	if (request.gfp != mask || request.exclusive || request.will_write ||
	    request.highest_zone != gfp_hot_zone(mask) ||
	    request.migratetype != gfp_migratetype(mask) ||
	    request.compound != gfp_is_compound(mask) ||
	    request.zero != gfp_wants_zeroes(mask))
		return test_failure("mask %#x, order %u: another request", mask,
		                    order);
	return NULL;
}

CASE(hot_requests, never_a_shortcut_for_an_illegal_request)
{
	unsigned long hot = 0;
	gfp_t mask = 0;

	find_hot_bits();
	do {
		for (unsigned int i = 0; i < CONTEXTS; i++) {
			const struct alloc_context context = context_of(i);
			const char *wrong = NULL;

			if (!is_hot_in(mask, &context))
				continue;
			hot++;
			for (unsigned int order = 0;
			     wrong == NULL && order <= MAX_ORDER; order++)
				wrong = decode_agrees(mask, order, &context);
			if (wrong != NULL)
				return wrong;
		}
		mask = next_set(mask, hot_bits);
	} while (mask != 0);
	/* Of four sets of MOVABLE and RECLAIMABLE one is illegal; half of the
	 * 64 contexts are no NMI; in an eighth of these a thread is in no scope and may
	 * sleep, elsewhere an eighth of the masks is hot: those without DIRECT_RECLAIM, IO
	 * and FS. */
	EXPECT_EQUAL(hot, (1UL << 18) / 4 * 3 * (4 * 8 + 28) / 8);
	return NULL;
}

/* ---- The page ------------------------------------------------------------ */

static struct node *node;
static struct pcp_cpu lists;
static struct vmstat_row stat_before;

/* A node with EACH pages in its zones, and on the lists of its highest zones a block of
 * each order and type. */
static void hot_scene(const unsigned long each[ZONE_COUNT])
{
	static const gfp_t type[] = { 0, __GFP_MOVABLE, __GFP_RECLAIMABLE,
		                      __GFP_MOVABLE | __GFP_HIGHMEM };
	struct page *page[ARRAY_SIZE(type)][PCP_ORDERS];
	unsigned long pages = 0;

	for (unsigned int i = 0; i < ZONE_COUNT; i++)
		pages += each[i];
	machine_start(pages + PAGEBLOCK_PAGES);
	node = machine_zones(PAGEBLOCK_PAGES, each);
	/* High marks, so that the lists may keep what they are given. */
	node->min_free_kbytes = 2048;
	watermark_setup(node);
	set_main_node(node);
	pcp_start(node, &lists, 1);
	for (size_t i = 0; i < ARRAY_SIZE(type); i++) {
		for (unsigned int order = 0; order < PCP_ORDERS; order++)
			page[i][order] = alloc_pages(type[i], order);
	}
	for (size_t i = 0; i < ARRAY_SIZE(type); i++) {
		for (unsigned int order = 0; order < PCP_ORDERS; order++)
			__free_pages(page[i][order], order);
	}
}

/* The result of a request: the page, its description, and what was counted. */
struct answer {
	struct page *page;
	struct page as;
	unsigned long counted[VMSTAT_COUNT];
	bool zeroed;
};

static void hot_set_ladder(bool ladder)
{
	if (fail_nth_threads == ladder)
		return;
	fail_nth_threads = ladder;
	pcp_shortcut_update();
}

/* Ask, and give the block back.  LADDER: a thread with fail_nth sends all requests down
 * the ladder (it is another one). */
static void hot_ask(gfp_t mask, unsigned int order, bool ladder,
                    struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	stat_before = *node->stat.row;
	hot_set_ladder(ladder);
	answer->page = alloc_pages_node(node, mask, order);
	hot_set_ladder(false);
	for (unsigned int i = 0; i < VMSTAT_COUNT; i++)
		answer->counted[i] =
			node->stat.row->count[i] - stat_before.count[i];
	if (answer->page == NULL)
		return;
	answer->as = *answer->page;
	answer->as.link = (struct list){ NULL, NULL };
	if (gfp_wants_zeroes(mask)) {
		char *memory = page_address(answer->page);
		size_t size = PAGE_SIZE << order;

		answer->zeroed = memory[0] == 0 && memory[size - 1] == 0;
		memory[0] = 1;
		memory[size - 1] = 1;
	}
	__free_pages(answer->page, order);
}

/* Ask twice, by the shortcut and by the ladder: NULL, or what differs.  *SHORT is set if
 * the first did not walk over the zones. */
static const char *hot_compare(gfp_t mask, unsigned int order, bool *is_short)
{
	static struct answer by_shortcut;
	static struct answer by_ladder;

	hot_ask(mask, order, false, &by_shortcut);
	hot_ask(mask, order, true, &by_ladder);
	*is_short = by_shortcut.page != NULL &&
	            by_shortcut.counted[VMSTAT_freelist_pass] == 0;
	if (*is_short && by_ladder.counted[VMSTAT_freelist_pass] != 1)
		return test_failure("mask %#x, order %u: the ladder has %lu "
		                    "passes",
		                    mask, order,
		                    by_ladder.counted[VMSTAT_freelist_pass]);
	by_shortcut.counted[VMSTAT_freelist_pass] = 0;
	by_ladder.counted[VMSTAT_freelist_pass] = 0;
	if (memcmp(&by_shortcut, &by_ladder, sizeof(by_ladder)) == 0)
		return NULL;
	return test_failure(
		"mask %#x, order %u: pfn %#lx and %#lx, or they "
		"differ",
		mask, order,
		by_shortcut.page == NULL ? 0 : node_pfn(node, by_shortcut.page),
		by_ladder.page == NULL ? 0 : node_pfn(node, by_ladder.page));
}

/* All sets of BITS with order ORDER: those that are hot in CONTEXT, and no others, are
 * served by the shortcut. */
static const char *compare_all(gfp_t bits, unsigned int order,
                               const struct alloc_context *context)
{
	gfp_t mask = 0;

	do {
		bool is_short;
		const char *wrong = hot_compare(mask, order, &is_short);

		if (wrong != NULL)
			return wrong;
		if (is_short != is_hot_in(mask, context))
			return test_failure("mask %#x, order %u: short %d",
			                    mask, order, is_short);
		mask = next_set(mask, bits);
	} while (mask != 0);
	return NULL;
}

static const char *compare_orders(const struct alloc_context *context)
{
	const char *wrong = compare_all(hot_bits, 0, context);

	/* To clear large blocks takes long: with few of the other flags. */
	for (unsigned int order = 1; wrong == NULL && order < PCP_ORDERS;
	     order++)
		wrong = compare_all(hot_bits & ~(gfp_t)__GFP_ZERO, order,
		                    context);
	for (unsigned int order = 1; wrong == NULL && order < PCP_ORDERS;
	     order++)
		wrong = compare_all(__GFP_ZERO | __GFP_COMP | __GFP_MOVABLE |
		                            __GFP_RECLAIMABLE | __GFP_HIGHMEM |
		                            __GFP_DIRECT_RECLAIM,
		                    order, context);
	return wrong;
}

static const unsigned long all_zones[ZONE_COUNT] = { PAGES, PAGES, PAGES,
	                                             PAGES };

CASE(hot_requests, a_thread_gets_the_ladder_s_page_by_every_mask)
{
	find_hot_bits();
	hot_scene(all_zones);
	return compare_orders(&thread);
}

CASE(hot_requests, an_interrupt_gets_the_ladder_s_page_by_every_mask)
{
	static const struct alloc_context interrupt = { .in_interrupt = true };
	const char *wrong;

	find_hot_bits();
	hot_scene(all_zones);
	machine_enter_irq(NULL);
	/* A request that may sleep is reported, so only a few of these. */
	wrong = compare_all(hot_bits & ~(gfp_t)__GFP_DIRECT_RECLAIM, 0,
	                    &interrupt);
	if (wrong == NULL)
		wrong = compare_all(__GFP_DIRECT_RECLAIM | __GFP_ZERO, 0,
		                    &interrupt);
	machine_leave_irq();
	return wrong;
}

/* Every set of zones: the shortcut looks into the zone that the ladder tries first. */
CASE(hot_requests, any_zones_that_a_machine_may_have)
{
	const gfp_t bits = __GFP_HIGHMEM | __GFP_MOVABLE | __GFP_RECLAIMABLE |
	                   __GFP_HIGH | __GFP_DIRECT_RECLAIM | __GFP_COMP;

	for (unsigned int set = 1; set < 1U << ZONE_COUNT; set++) {
		unsigned long each[ZONE_COUNT];
		const char *wrong = NULL;

		if (set == 1U << ZONE_MOVABLE)
			continue;
		for (unsigned int type = 0; type < ZONE_COUNT; type++)
			each[type] = set >> type & 1 ? PAGES : 0;
		hot_scene(each);
		for (unsigned int order = 0;
		     wrong == NULL && order < PCP_ORDERS; order++)
			wrong = compare_all(bits, order, &thread);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

/* A block of a pageblock's size, in a zone that is large enough to keep one. */
CASE(hot_requests, a_block_of_order_9_is_the_ladder_s)
{
	static const unsigned long each[ZONE_COUNT] = { 0, LARGE_PAGES, 0, 0 };
	const char *wrong = NULL;
	bool is_short;

	for (unsigned int type = 0; wrong == NULL && type < 3; type++) {
		gfp_t mask = GFP_KERNEL | __GFP_COMP | type * __GFP_MOVABLE;

		hot_scene(each);
		__free_pages(alloc_pages(mask, PAGEBLOCK_ORDER),
		             PAGEBLOCK_ORDER);
		wrong = hot_compare(mask, PAGEBLOCK_ORDER, &is_short);
		EXPECT(wrong != NULL || is_short);
		if (wrong == NULL)
			wrong = hot_compare(mask ^ __GFP_COMP ^ __GFP_NOWARN,
			                    PAGEBLOCK_ORDER, &is_short);
	}
	return wrong;
}

/* Masks of any bits, whatever they mean; most are refused. */
CASE(hot_requests, random_masks_have_one_answer)
{
	struct random dice = { .state = test_seed() };

	find_hot_bits();
	hot_scene(all_zones);
	for (unsigned int i = 0; i < 30000; i++) {
		gfp_t rare = 1U << random_below(&dice, 32);
		gfp_t mask = (gfp_t)random_next(&dice) & hot_bits;
		unsigned int order = (unsigned int)random_below(&dice, 13);
		const char *wrong;
		bool is_short;

		/* A report of each would be all that the test does. */
		mask |= __GFP_NOWARN | rare;
		mask &= ~(gfp_t)(__GFP_EXCLUSIVE | __GFP_ZERO);
		wrong = hot_compare(mask, order, &is_short);
		if (wrong != NULL)
			return wrong;
		EXPECT(!is_short || is_hot_in(mask, &thread));
	}
	return NULL;
}

/* ---- Switches ------------------------------------------------------------ */

static bool hot_is_short(gfp_t mask)
{
	struct answer answer;

	hot_ask(mask, 0, false, &answer);
	return answer.page != NULL && answer.counted[VMSTAT_freelist_pass] == 0;
}

CASE(hot_requests, a_scope_takes_the_ladder)
{
	hot_scene(all_zones);
	EXPECT(hot_is_short(GFP_KERNEL));
	machine_main()->flags |= THREAD_MEMALLOC_NOIO;
	EXPECT(!hot_is_short(GFP_KERNEL));
	machine_main()->flags ^= THREAD_MEMALLOC_NOIO | THREAD_MEMALLOC_NOFS;
	EXPECT(!hot_is_short(GFP_KERNEL));
	EXPECT(!hot_is_short(__GFP_FS));
	EXPECT(hot_is_short(GFP_ATOMIC));
	machine_main()->flags &= ~(unsigned int)THREAD_MEMALLOC_NOFS;
	EXPECT(hot_is_short(GFP_KERNEL));
	return NULL;
}

CASE(hot_requests, an_nmi_gets_nothing)
{
	hot_scene(all_zones);
	EXPECT(hot_is_short(GFP_KERNEL));
	machine_enter_nmi();
	EXPECT(alloc_pages_node(node, GFP_ATOMIC, 0) == NULL);
	machine_leave_nmi();
	EXPECT(hot_is_short(GFP_KERNEL));
	return NULL;
}

/* With a page at hand. */
CASE(hot_requests, where_the_caller_cannot_sleep_a_mask_that_may_gets_nothing)
{
	hot_scene(all_zones);
	EXPECT(hot_is_short(GFP_KERNEL));
	preempt_disable();
	EXPECT(hot_is_short(GFP_ATOMIC));
	EXPECT(alloc_page(GFP_KERNEL) == NULL);
	preempt_enable();
	arch_irq_disable();
	EXPECT(hot_is_short(GFP_ATOMIC));
	EXPECT(alloc_page(GFP_KERNEL) == NULL);
	arch_irq_enable();
	machine_enter_irq(NULL);
	EXPECT(hot_is_short(GFP_ATOMIC));
	EXPECT(alloc_page(GFP_KERNEL) == NULL);
	machine_leave_irq();
	EXPECT(hot_is_short(GFP_KERNEL));
	return NULL;
}

static unsigned int hot_wakes;

static void hot_wake(void)
{
	hot_wakes++;
}

CASE(hot_requests, a_free_by_the_short_way_wakes_a_starved_refiller)
{
	struct page *page;

	hot_scene(all_zones);
	hot_wakes = 0;
	node->pool.wake = hot_wake;
	page = alloc_page(GFP_KERNEL);
	node->pool.starved = true;
	pcp_shortcut_update();
	__free_page(page);
	EXPECT_EQUAL(hot_wakes, 1);
	EXPECT_EQUAL(page->state, PAGE_PCP);
	EXPECT(hot_is_short(GFP_KERNEL));
	EXPECT_EQUAL(hot_wakes, 1);
	return NULL;
}

CASE(hot_requests, a_switch_that_is_on_takes_the_ladder)
{
	static struct trace_record records[16];
	struct page *page;

	hot_scene(all_zones);
	EXPECT(hot_is_short(GFP_KERNEL));
	trace_init(&node->trace, records, ARRAY_SIZE(records));
	EXPECT_EQUAL(trace_enable(&node->trace, 1U << TRACE_mm_page_alloc), 0);
	EXPECT(!hot_is_short(GFP_KERNEL));
	EXPECT_EQUAL(node->trace.next, 1);
	EXPECT_EQUAL(trace_enable(&node->trace, 0), 0);
	EXPECT(hot_is_short(GFP_KERNEL));

	fail_nth_set(machine_main(), 2, false);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	EXPECT(alloc_page(GFP_KERNEL) == NULL);
	__free_page(page);
	EXPECT(hot_is_short(GFP_KERNEL));

	node->fail_page_alloc.probability = 100;
	node->fail_page_alloc.min_order = 0;
	node->fail_page_alloc.ignore_gfp_wait = false;
	pcp_shortcut_update();
	EXPECT(alloc_page(GFP_KERNEL) == NULL);
	EXPECT(!hot_is_short(GFP_KERNEL));
	node->fail_page_alloc.probability = 0;
	pcp_shortcut_update();
	EXPECT(hot_is_short(GFP_KERNEL));

	return NULL;
}

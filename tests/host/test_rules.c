/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_rules.c -- random requests, compared with the rules of Linux
 * 6.12 written down a second time.
 *
 * A scene, its model and the letters of its story: tests/host/model_rules.h.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/pcp.h"
#include "mm/reclaim/kswapd.h"
#include "tests/host/model_rules.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(rules);

#define SCENES       12000
#define SCENES_EACH  400 /* of one set of zone sizes */
#define DUMP_SECONDS 10000000ULL

/*
 * A zone that has so many pages can serve any small request when all are free.
 */
#define AMPLE        256

static struct pile pile;
static struct pcp_cpu pcp_lists;
static struct random dice;
static struct scene scene;
static struct outcome real;
static struct {
	unsigned long passes; /* in the story so far */
	unsigned int reclaims, compactions, kills, rests;
	bool gave_in_sleep;
} played;

/* Scenes with a page of a HIGHATOMIC block, and zones that gave such blocks up. */
static unsigned int from_aside, given_up;

/* Scenes with a page of a list, in the first pass; with lists that went back. */
static unsigned int from_lists, lists_back;

static unsigned int test_rules_below(unsigned long bound)
{
	return (unsigned int)random_below(&dice, bound);
}

static bool one_in(unsigned int n)
{
	return test_rules_below(n) == 0;
}

/* ---- The script ---------------------------------------------------------- */

static void test_rules_write_down(char letter)
{
	unsigned long passes =
		vmstat_read(&pile.node->stat, VMSTAT_freelist_pass);

	for (; played.passes < passes; played.passes++)
		story_tell(&real.story, 'p');
	if (letter != '\0')
		story_tell(&real.story, letter);
}

/* A free block of a HIGHATOMIC pageblock.  Those of small blocks come first. */
static void look_at_block(const struct zone *zone, const struct page *page,
                          struct aside *aside)
{
	unsigned long pfn = zone_pfn(zone, page);
	unsigned int at = 0;

	while (at < aside->count && aside->block[at].number != pfn / 512)
		at++;
	if (at == aside->count) {
		aside->count++;
		aside->block[at].number = pfn / 512;
		aside->block[at].frame =
			pfn / 512 * 512 - zone->start_pfn / 1024 * 1024;
		aside->block[at].pages = page->order > 9 ? 1024 : 512;
		aside->block[at].free = 0;
	}
	aside->block[at].free += 1UL << page->order;
	aside->block[at].largest = page->order;
}

static void look_aside(const struct zone *zone, struct aside *aside)
{
	aside->count = 0;
	aside->reserved = zone->nr_reserved_highatomic;
	for (int order = 0; order <= MAX_ORDER; order++) {
		const struct list *list =
			&zone->free_area[order].blocks[MIGRATE_HIGHATOMIC];

		for (const struct list *at = list->next; at != list;
		     at = at->next)
			look_at_block(zone, container_of(at, struct page, link),
			              aside);
	}
}

static void test_rules_look(struct view *view)
{
	for (int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &pile.node->zone[type];

		frames_look(&view->frames[type], zone);
		view->free[type] = zone->free_pages;
		view->largest[type] = -1;
		look_aside(zone, &view->aside[type]);
		for (int order = 0; order <= MAX_ORDER; order++) {
			const struct free_area *area = &zone->free_area[order];

			if (area->count > area->of_type[MIGRATE_HIGHATOMIC])
				view->largest[type] = order;
		}
		for (int of = 0; of < MIGRATE_PCPTYPES; of++) {
			int whole = view->largest[type];
			unsigned int own = zone->nonempty[of];

			view->unmixed[type][of] =
				own == 0 ? -1 : 31 - __builtin_clz(own);
			if (whole >= PAGEBLOCK_ORDER)
				view->unmixed[type][of] = whole;
		}
	}
}

/* COUNT pages of the pile, from anywhere. */
static void test_rules_give_some(unsigned long count)
{
	while (count-- > 0 && pile.count > 0) {
		unsigned int at = test_rules_below(pile.count);
		struct page *page = pile.page[at];

		pile.page[at] = pile.page[--pile.count];
		free_pages_node(pile.node, page, 0, RETURN_ADDRESS());
	}
}

/* True: this was the moment. */
static bool play_moment(enum moment moment, unsigned int number)
{
	if (scene.moment != moment || scene.moment_number != number)
		return false;
	test_rules_give_some(scene.gift);
	test_rules_look(&scene.after);
	return true;
}

static void test_rules_on_wake(struct node *node __unused,
                               unsigned int order __unused,
                               enum zone_type highest __unused,
                               bool may_sleep __unused)
{
	test_rules_write_down('w');
}

static void test_rules_on_throttle(struct node *node __unused,
                                   const struct alloc_request *request __unused)
{
	test_rules_write_down('t');
}

static unsigned long test_rules_on_reclaim(struct node *node __unused,
                                           const struct alloc_request *request)
{
	test_rules_write_down(
		letter_of_reclaim(request->may_io, request->may_fs));
	play_moment(IN_RECLAIM, ++played.reclaims);
	return played.reclaims <= scene.progress_rounds ? scene.progress : 0;
}

static unsigned long test_rules_on_reclaimable(struct node *node __unused,
                                               struct zone *zone)
{
	unsigned long pages = scene.reclaimable[zone->type];

	/* As zone_reclaimable_pages(). */
	return pages > 0 ? pages : zone->free_pages;
}

static enum compact_result
test_rules_on_compact(struct node *node __unused,
                      const struct alloc_request *request __unused,
                      enum compact_priority priority,
                      struct page **page __unused)
{
	test_rules_write_down(priority == COMPACT_ASYNC        ? 'a'
	                      : priority == COMPACT_SYNC_LIGHT ? 'l'
	                                                       : 'f');
	return scene.compacted[played.compactions++ % ANSWERS];
}

static bool test_rules_on_oom(struct node *node __unused,
                              const struct alloc_request *request __unused)
{
	test_rules_write_down('o');
	play_moment(IN_KILL, ++played.kills);
	return played.kills <= scene.kills;
}

static bool on_too_dirty(struct node *node __unused)
{
	return scene.dirty;
}

/* Called once more in a sleep in which something was done. */
static bool test_rules_on_rest(struct wait_queue *queue)
{
	bool again = played.gave_in_sleep;

	played.gave_in_sleep = false;
	if (again)
		return false;
	test_rules_write_down(queue->name[0]);
	played.gave_in_sleep =
		play_moment(IN_REST, ++played.rests) && queue->name[0] == 's';
	return played.gave_in_sleep;
}

/* ---- Scenes -------------------------------------------------------------- */

static void new_node(void)
{
	unsigned long pages[ZONE_COUNT];
	unsigned long first = test_rules_below(3) * 512UL;
	unsigned long end = first;

	for (int type = 0; type < ZONE_COUNT; type++) {
		pages[type] =
			one_in(4) ? 0
				  : 1 + test_rules_below(one_in(3)   ? 40
		                                         : one_in(2) ? 700
		                                                     : 1900);
		end += pages[type];
	}
	if (end == first) {
		pages[ZONE_NORMAL] = 300;
		end += 300;
	}
	machine_start(end);
	pile.node = machine_zones(first, pages);
	pile.count = 0;
	if (one_in(2))
		pcp_start(pile.node, &pcp_lists, 1);
	machine_set_kswapd_hook(pile.node, test_rules_on_wake);
	machine_set_reclaim_hook(pile.node, test_rules_on_reclaim,
	                         test_rules_on_reclaimable);
	machine_set_oom_hook(pile.node, test_rules_on_oom);
	machine_set_throttle_hook(pile.node, test_rules_on_throttle);
	pile.node->recovery.too_dirty = on_too_dirty;
}

static void test_rules_set_marks(int type)
{
	struct zone *zone = &pile.node->zone[type];
	unsigned long *mark = scene.mark[type];
	bool above = false;

	mark[0] = test_rules_below(80);
	mark[1] = mark[0] + test_rules_below(30);
	mark[2] = mark[1] + test_rules_below(30);
	machine_set_marks(zone, mark[0], mark[1], mark[2]);
	zone->node->watermark_boost_factor = WATERMARK_BOOST_FACTOR;
	for (int j = type; j < ZONE_COUNT; j++) {
		above |= j > type && zone->node->zone[j].managed > 0;
		/* Nothing is kept from requests of empty zones. */
		scene.reserve[type][j] =
			!above || one_in(2) ? 0 : test_rules_below(50);
		zone->lowmem_reserve[j] = scene.reserve[type][j];
	}
	scene.managed[type] = zone->managed;
}

/* Visit the whole pageblocks of all zones, by their first frames. */
static void each_pageblock(void (*visit)(struct zone *zone, unsigned long pfn))
{
	for (int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &pile.node->zone[type];
		unsigned long end = zone->start_pfn + zone->spanned;

		for (unsigned long pfn = ALIGN_UP(zone->start_pfn, 512UL);
		     pfn + 512 <= end; pfn += 512)
			visit(zone, pfn);
	}
}

static void set_aside(struct zone *zone, unsigned long pfn)
{
	bool enabled = pageblock_lock_settled(zone);
	const struct page *head = zone_block_head(zone, pfn);

	if (pageblock_type(zone, pfn) != MIGRATE_HIGHATOMIC && one_in(2)) {
		pageblock_retype(zone, head, MIGRATE_HIGHATOMIC);
		zone->nr_reserved_highatomic += max(512UL, 1UL << head->order);
	}
	spin_unlock_irqrestore(&zone->lock, enabled);
	(void)pageblock_settle(zone);
}

/* One without a free page. */
static void put_back(struct zone *zone, unsigned long pfn)
{
	if (pageblock_type(zone, pfn) != MIGRATE_HIGHATOMIC)
		return;
	pageblock_of(zone, pfn)->type = MIGRATE_MOVABLE;
	zone->nr_reserved_highatomic -= 512;
}

static void put_all_back(void)
{
	const struct alloc_request any = { .highest_zone = ZONE_MOVABLE,
		                           .migratetype = MIGRATE_MOVABLE };

	while (highatomic_unreserve(pile.node, &any, true))
		;
	each_pageblock(put_back);
}

/* Take all that is free and not in HIGHATOMIC pageblocks. */
static void leave_only_aside(void)
{
	enum moment moment = scene.moment;

	scene.moment = NEVER;
	pile_drain(&pile,
	           __GFP_DIRECT_RECLAIM | __GFP_NORETRY | __GFP_NOWARN |
	                   __GFP_MEMALLOC | __GFP_HIGHMEM | __GFP_MOVABLE,
	           PILE_PAGES);
	scene.moment = moment;
}

/* Blocks of all orders and types lie on the CPU's lists, taken from the free ones. */
static void stock_lists(void)
{
	static const gfp_t masks[] = {
		0,         __GFP_MOVABLE, __GFP_RECLAIMABLE,
		__GFP_DMA, __GFP_DMA32,   __GFP_HIGHMEM | __GFP_MOVABLE
	};
	struct page *page[40];
	unsigned int count = 0;
	unsigned int most = test_rules_below(ARRAY_SIZE(page));

	while (count < most) {
		gfp_t mask = masks[test_rules_below(ARRAY_SIZE(masks))] |
		             __GFP_MEMALLOC | __GFP_NOWARN;

		page[count] = alloc_pages_node(pile.node, mask,
		                               test_rules_below(PCP_ORDERS));
		if (page[count] == NULL)
			break;
		count++;
	}
	while (count-- > 0)
		free_pages_node(pile.node, page[count], page[count]->order,
		                RETURN_ADDRESS());
}

/* Mostly near the marks, where it is decided. */
static void fill_zones(void)
{
	unsigned long managed = node_managed(pile.node);
	unsigned long target = one_in(3) ? test_rules_below(managed + 1)
	                                 : test_rules_below(120);

	pcp_drain_node(pile.node);
	put_all_back();
	pile_leave(&pile, 0);
	/* The limits are those of these marks. */
	pcp_setup(pile.node);
	if (one_in(3))
		pile_give(&pile, target);
	else
		test_rules_give_some(target);
	if (one_in(3))
		test_rules_give_some(test_rules_below(40));
	/* A list has no page of such a pageblock. */
	pcp_drain_node(pile.node);
	if (one_in(2))
		each_pageblock(set_aside);
	if (one_in(4))
		leave_only_aside();
	if (pile.node->pcp_cpus == 0 || one_in(4))
		return;
	if (one_in(2))
		stock_lists();
	else
		test_rules_give_some(test_rules_below(60));
}

static gfp_t random_mask(void)
{
	static const gfp_t base[] = {
		GFP_KERNEL, GFP_KERNEL, GFP_NOFS,
		GFP_NOIO,   GFP_ATOMIC, GFP_NOWAIT,
		GFP_USER,   GFP_KERNEL, GFP_HIGHUSER_MOVABLE
	};
	static const gfp_t more[] = {
		__GFP_DMA,
		__GFP_HIGHMEM,
		__GFP_DMA32,
		__GFP_MOVABLE,
		__GFP_RECLAIMABLE,
		__GFP_HIGH,
		__GFP_IO,
		__GFP_FS,
		__GFP_ZERO,
		__GFP_NOWARN,
		__GFP_DIRECT_RECLAIM,
		__GFP_KSWAPD_RECLAIM,
		__GFP_WRITE,
		__GFP_RETRY_MAYFAIL,
		__GFP_NOFAIL,
		__GFP_NORETRY,
		__GFP_MEMALLOC,
		__GFP_COMP,
		__GFP_NOMEMALLOC,
		__GFP_HARDWALL,
		__GFP_THISNODE,
	};
	gfp_t mask = one_in(3) ? 0 : base[test_rules_below(ARRAY_SIZE(base))];
	unsigned int few = mask == 0 ? 3 : 12;

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		if (one_in(few))
			mask ^= more[i];
	}
	return mask;
}

/* Is an endless wait ended when all pages become free?  Not by those that are set aside:
 * with NORETRY nobody gives up the last such pageblock. */
static bool ample(void)
{
	int highest = model_highest_zone(scene.mask);

	for (int type = 0; type <= highest; type++) {
		unsigned long aside =
			pile.node->zone[type].nr_reserved_highatomic;

		if (scene.managed[type] >= AMPLE + aside && scene.order <= 3)
			return true;
	}
	return false;
}

/* A request that would wait forever gets all pages in one of the rests. */
static void bound_waiting(void)
{
	if ((scene.mask & __GFP_NOFAIL) && !ample())
		scene.mask &= ~(gfp_t)__GFP_NOFAIL;
	if (scene.busy && !ample())
		scene.busy = false;
	if (!(scene.mask & __GFP_NOFAIL) && !scene.busy)
		return;
	scene.moment = IN_REST;
	scene.moment_number = 1 + test_rules_below(40);
	scene.gift = PILE_PAGES;
}

/* Often the same answer again and again, and requests that go on for it. */
static void script_compaction(void)
{
	bool same = one_in(2);

	scene.compacts = scene.order > 0 && !one_in(4);
	for (int i = 0; i < ANSWERS; i++)
		scene.compacted[i] =
			same && i > 0
				? scene.compacted[0]
				: (enum compact_result)test_rules_below(4);
	if (!scene.compacts || !one_in(3))
		return;
	scene.progress_rounds = 20 + test_rules_below(20);
	scene.mask |= one_in(4) ? 0 : __GFP_IO;
	if (scene.order > 3)
		scene.mask |= __GFP_RETRY_MAYFAIL;
}

static void new_scene(void)
{
	scene = (struct scene){
		.mask = random_mask(),
		.order = one_in(2) ? 0 : test_rules_below(one_in(3) ? 12 : 5),
		.caller = one_in(2) ? THREAD
		                    : (enum caller)test_rules_below(CALLERS),
		.noio = one_in(8),
		.nofs = one_in(8),
		.dirty = one_in(2),
		.busy = one_in(16),
		.progress_rounds = one_in(2) ? 0 : test_rules_below(20),
		.progress = one_in(2) ? 32 : 1 + test_rules_below(8),
		.kills = test_rules_below(3),
		.moment = one_in(2) ? NEVER : (enum moment)test_rules_below(4),
		.moment_number = 1 + test_rules_below(one_in(2) ? 2 : 18),
		.gift = test_rules_below(one_in(2) ? 20 : 200),
	};
	for (int type = 0; type < ZONE_COUNT; type++) {
		test_rules_set_marks(type);
		scene.reclaimable[type] = one_in(3) ? 0 : test_rules_below(150);
	}
	if (one_in(8)) {
		scene.mask = GFP_ATOMIC;
		scene.order = 1 + test_rules_below(3);
	}
	script_compaction();
}

/* ---- One request for real ------------------------------------------------ */

static void become_caller(void)
{
	static const bool victim[CALLERS] = { [VICTIM] = true,
		                              [VICTIM_IN_RECLAIM] = true,
		                              [INTERRUPT_ON_VICTIM] = true };
	static const bool reclaims[CALLERS] = { [THREAD_IN_RECLAIM] = true,
		                                [VICTIM_IN_RECLAIM] = true,
		                                [SOFT_WORK_ON_RECLAIM] = true,
		                                [INTERRUPT_ON_RECLAIM] = true };
	struct thread *self = machine_main();

	if (victim[scene.caller])
		thread_set_flags(self, THREAD_OOM_VICTIM);
	if (reclaims[scene.caller])
		thread_set_flags(self, THREAD_MEMALLOC);
	if (scene.noio)
		thread_set_flags(self, THREAD_MEMALLOC_NOIO);
	if (scene.nofs)
		thread_set_flags(self, THREAD_MEMALLOC_NOFS);
	if (scene.caller == PREEMPTION_OFF)
		preempt_disable();
	else if (scene.caller >= INTERRUPT)
		machine_enter_irq(NULL);
	else if (scene.caller >= SOFT_WORK)
		machine_enter_softirq();
}

static void become_main(void)
{
	if (scene.caller == PREEMPTION_OFF)
		preempt_enable();
	else if (scene.caller >= INTERRUPT)
		machine_leave_irq();
	else if (scene.caller >= SOFT_WORK)
		machine_leave_softirq();
	thread_clear_flags(machine_main(), THREAD_OOM_VICTIM | THREAD_MEMALLOC |
	                                           THREAD_MEMALLOC_NOIO |
	                                           THREAD_MEMALLOC_NOFS);
}

static enum gfp_verdict verdict_by_counters(void)
{
	const struct vmstat *stat = &pile.node->stat;

	if (vmstat_read(stat, VMSTAT_alloc_refused) > 0)
		return GFP_REFUSED;
	if (vmstat_read(stat, VMSTAT_alloc_must_not_sleep) > 0)
		return GFP_MUST_SLEEP;
	return scene.order > MAX_ORDER ? GFP_TOO_LARGE : GFP_OK;
}

static struct page *request_for_real(void)
{
	struct page *page;
	uint64_t mark;

	memset(&played, 0, sizeof(played));
	real = (struct outcome){ .zone = -1 };
	vmstat_clear(&pile.node->stat);
	machine_set_compact_hook(pile.node,
	                         scene.compacts ? test_rules_on_compact : NULL);
	machine_set_wait_hook(test_rules_on_rest);
	pile.node->oom_busy = scene.busy;
	machine_advance(DUMP_SECONDS);
	test_rules_look(&scene.before);
	become_caller();
	mark = log_mark();
	page = alloc_pages_node(pile.node, scene.mask, scene.order);
	become_main();
	test_rules_write_down('\0');
	real.verdict = verdict_by_counters();
	real.dump = log_contains_since(mark, "page allocation failure");
	pile.node->oom_busy = false;
	if (page != NULL) {
		real.zone = page->zone;
		real.unmarked = (page->flags & PAGE_PFMEMALLOC) != 0;
		real.aside = pageblock_type(&pile.node->zone[page->zone],
		                            node_pfn(pile.node, page)) ==
		             MIGRATE_HIGHATOMIC;
	}
	for (int type = 0; type < ZONE_COUNT; type++)
		real.reserved[type] =
			pile.node->zone[type].nr_reserved_highatomic;
	return page;
}

static unsigned long letters(const struct story *story, const char *any)
{
	unsigned long count = 0;

	for (size_t i = 0; i < story->length; i++)
		count += strchr(any, story->text[i]) != NULL;
	return count;
}

/* Each event is counted once. */
static const char *compare_counters(const struct outcome *model)
{
	static const enum vmstat_event taken[ZONE_COUNT] = {
		VMSTAT_pgalloc_dma,
		VMSTAT_pgalloc_dma32,
		VMSTAT_pgalloc_normal,
		VMSTAT_pgalloc_movable,
	};
	const struct vmstat *stat = &pile.node->stat;
	unsigned long null = model->verdict == GFP_OK && model->zone < 0;

	for (int type = 0; type < ZONE_COUNT; type++)
		EXPECT_EQUAL(vmstat_read(stat, taken[type]),
		             type == model->zone ? 1UL << scene.order : 0UL);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_freelist_pass),
	             letters(&model->story, "p"));
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_kswapd_wake_request),
	             letters(&model->story, "w"));
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_alloc_fail), null);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_alloc_refused),
	             model->verdict == GFP_REFUSED);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_alloc_must_not_sleep),
	             model->verdict == GFP_MUST_SLEEP);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_reclaim_retry) +
	                     vmstat_read(stat, VMSTAT_compact_retry) +
	                     vmstat_read(stat, VMSTAT_oom_retry) +
	                     vmstat_read(stat, VMSTAT_nofail_retry),
	             letters(&model->story, "sy"));
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_compact_success) +
	                     vmstat_read(stat, VMSTAT_compact_fail),
	             vmstat_read(stat, VMSTAT_compact_stall));
	EXPECT(vmstat_read(stat, VMSTAT_compact_stall) <=
	       letters(&model->story, "alf"));
	return NULL;
}

static const char *test_rules_compare(unsigned int number)
{
	static struct outcome model;

	model_request(&scene, &model);
	from_lists += model.listed;
	lists_back += model.drained > 0;
	/* The shortcut has no pass. */
	if (model.listed && real.story.length == 0)
		model.story = real.story;
	from_aside += model.aside;
	for (int type = 0; type < ZONE_COUNT; type++)
		given_up += scene.before.aside[type].reserved !=
		            model.reserved[type];
	if (model.verdict == real.verdict && model.zone == real.zone &&
	    model.unmarked == real.unmarked && model.dump == real.dump &&
	    model.aside == real.aside &&
	    memcmp(model.reserved, real.reserved, sizeof(real.reserved)) == 0 &&
	    strcmp(model.story.text, real.story.text) == 0)
		return compare_counters(&model);
	return test_failure("scene %u: mask %#x order %u caller %d: %s, zone "
	                    "%d, verdict %d, mark %d, aside %d, dump %d; the "
	                    "rules say: %s, zone %d, verdict %d, mark %d, "
	                    "aside %d, dump %d",
	                    number, scene.mask, scene.order, scene.caller,
	                    real.story.text, real.zone, real.verdict,
	                    real.unmarked, real.aside, real.dump,
	                    model.story.text, model.zone, model.verdict,
	                    model.unmarked, model.aside, model.dump);
}

static const char *play(unsigned int number)
{
	struct page *page;
	const char *wrong;

	new_scene();
	fill_zones();
	bound_waiting();
	page = request_for_real();
	wrong = test_rules_compare(number);
	if (page != NULL)
		free_pages_node(pile.node, page, scene.order, RETURN_ADDRESS());
	return wrong;
}

CASE(rules, random_requests_take_the_rungs_that_linux_rules_name)
{
	dice.state = test_seed();
	from_aside = 0;
	given_up = 0;
	from_lists = 0;
	lists_back = 0;
	for (unsigned int number = 0; number < SCENES; number++) {
		const char *wrong;

		if (number % SCENES_EACH == 0)
			new_node();
		wrong = play(number);
		if (wrong == NULL && number % SCENES_EACH == SCENES_EACH - 1)
			pile_give(&pile, PILE_PAGES);
		if (wrong != NULL)
			return wrong;
	}
	test_note("%u pages of HIGHATOMIC blocks, %u zones gave some up, %u "
	          "pages of lists, %u times lists went back",
	          from_aside, given_up, from_lists, lists_back);
	EXPECT(from_aside > 20 && given_up > 50);
	EXPECT(from_lists > 50 && lists_back > 100);
	return NULL;
}

/* ---- kswapd and throttling ----------------------------------------------- */

CASE(rules, random_nodes_are_balanced_and_throttled_when_linux_says_so)
{
	static const gfp_t mask_of[ZONE_COUNT] = {
		__GFP_DMA, __GFP_DMA32, 0, __GFP_HIGHMEM | __GFP_MOVABLE
	};
	unsigned int balanced = 0;
	unsigned int throttled = 0;

	dice.state = test_seed();
	for (unsigned int number = 0; number < 4000; number++) {
		enum zone_type highest =
			(enum zone_type)test_rules_below(ZONE_COUNT);
		struct model m = { .scene = &scene, .mask = mask_of[highest] };

		if (number % SCENES_EACH == 0)
			new_node();
		new_scene();
		scene.order = min(scene.order, (unsigned int)MAX_ORDER);
		fill_zones();
		if (one_in(2))
			pile_leave(&pile, test_rules_below(40));
		test_rules_look(&scene.before);
		m.view = scene.before;
		EXPECT_EQUAL(node_is_balanced(pile.node, scene.order, highest),
		             model_balanced(&m));
		EXPECT_EQUAL(!allow_direct_reclaim(pile.node),
		             model_throttled(&scene));
		balanced += model_balanced(&m);
		throttled += model_throttled(&scene);
		if (number % SCENES_EACH == SCENES_EACH - 1)
			pile_give(&pile, PILE_PAGES);
	}
	test_note("%u of 4000 balanced, %u throttled", balanced, throttled);
	EXPECT(balanced > 200 && balanced < 3800 && throttled > 200);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_slow_path.c -- requests that wait, with real threads: some
 * on a small node of the test's own, whose recovery is scripted, some on the
 * kernel's, with the real OOM killer.
 */
#include "kernel/core/clock.h"
#include "kernel/core/sched.h"
#include "kernel/core/watchdog.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/oom.h"
#include "mm/scope.h"
#include "mm/task.h"
#include "tests/kernel/bench.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(slow_path);

/* How long a case waits for something that should happen soon. */
#define PATIENCE 10000000ULL /* microseconds */

static unsigned long test_slow_path_event(enum vmstat_event event)
{
	return vmstat_read(&main_node()->stat, event);
}

/* ---- On a node of the test's own ----------------------------------------- */

/* 128 pages, marks 16/20/24. */
static struct node *test_slow_path_small_node(void)
{
	static const unsigned long pages[ZONE_COUNT] = { [ZONE_NORMAL] = 128 };
	struct node *node = private_node_full(0, pages);
	struct zone *zone = &node->zone[ZONE_NORMAL];

	for (unsigned int mark = 0; mark < WMARK_COUNT; mark++)
		zone->watermark[mark] = 16 + 4 * mark;
	return node;
}

/* A thread that asks for one page, and what became of that. */
static struct asker {
	struct node *node;
	gfp_t mask;
	struct page *page;
	bool done; /* atomic */
} asker;

static void kernel_slow_path_ask(void *unused __unused)
{
	asker.page = alloc_pages_node(asker.node, asker.mask, 0);
	WRITE_ONCE(asker.done, true);
}

/* No kill: others will bring memory. */
static bool
test_slow_path_wait_for_others(struct node *node __unused,
                               const struct alloc_request *request __unused)
{
	return true;
}

/* Let the thread climb until it has been so often at the point where WHAT is
 * counted; false: it is done, or it takes too long. */
static bool wait_for_rounds(enum vmstat_event what, unsigned long rounds)
{
	const struct vmstat *stat = &asker.node->stat;
	uint64_t deadline = clock_microseconds() + PATIENCE;

	while (vmstat_read(stat, what) < rounds) {
		if (READ_ONCE(asker.done) || clock_microseconds() > deadline)
			return false;
		thread_sleep(UNTIL_NEXT_TICK);
	}
	return true;
}

/* All pages of NODE that a KERNEL request may have. */
static void exhaust(struct node *node, struct list *taken)
{
	struct page *page;

	list_init(taken);
	while ((page = alloc_pages_node(node, GFP_NOWAIT, 0)) != NULL)
		list_append(taken, &page->link);
}

static void test_slow_path_give_all(struct node *node, struct list *taken)
{
	struct page *page;

	while ((page = list_first(taken, struct page, link)) != NULL) {
		list_remove(&page->link);
		free_pages_node(node, page, 0, RETURN_ADDRESS());
	}
}

static struct thread *start_asker(struct node *node, gfp_t mask)
{
	asker = (struct asker){ .node = node, .mask = mask };
	return thread_create("asker", kernel_slow_path_ask, NULL);
}

CASE(slow_path, a_thread_waits_until_another_frees)
{
	struct node *node = test_slow_path_small_node();
	struct list taken;
	struct thread *thread;
	bool waited;

	exhaust(node, &taken);
	node->recovery.oom = test_slow_path_wait_for_others;
	thread = start_asker(node, GFP_NOFS);
	EXPECT(thread != NULL);
	waited = wait_for_rounds(VMSTAT_oom_retry, 5) && !READ_ONCE(asker.done);
	waited = waited && thread->memory_wait != 0;
	test_slow_path_give_all(node, &taken);
	thread_join(thread);
	EXPECT(waited);
	EXPECT(asker.page != NULL);
	free_pages_node(node, asker.page, 0, RETURN_ADDRESS());
	return NULL;
}

CASE(slow_path, nofail_waits_even_where_nothing_can_be_reclaimed)
{
	struct node *node = test_slow_path_small_node();
	struct list taken;
	struct page *last;
	struct thread *thread;
	bool waited;

	/* Down to the last page. */
	exhaust(node, &taken);
	while ((last = alloc_pages_node(node, __GFP_MEMALLOC, 0)) != NULL)
		list_append(&taken, &last->link);
	thread = start_asker(node, GFP_KERNEL | __GFP_NOFAIL);
	EXPECT(thread != NULL);
	waited = wait_for_rounds(VMSTAT_nofail_retry, 5);
	test_slow_path_give_all(node, &taken);
	thread_join(thread);
	EXPECT(waited);
	EXPECT(asker.page != NULL);
	free_pages_node(node, asker.page, 0, RETURN_ADDRESS());
	return NULL;
}

CASE(slow_path, the_watchdog_reports_a_thread_that_waits_too_long)
{
	struct node *node = test_slow_path_small_node();
	unsigned long before = watchdog_reports();
	uint64_t limit = watchdog_limit();
	struct list taken;
	struct thread *thread;
	uint64_t mark = log_mark();
	uint64_t deadline;

	exhaust(node, &taken);
	node->recovery.oom = test_slow_path_wait_for_others;
	watchdog_set_limit(100000);
	thread = start_asker(node, GFP_NOIO);
	EXPECT(thread != NULL);
	deadline = clock_microseconds() + PATIENCE;
	while (watchdog_reports() == before && clock_microseconds() < deadline)
		thread_sleep(UNTIL_NEXT_TICK);
	watchdog_set_limit(limit);
	test_slow_path_give_all(node, &taken);
	thread_join(thread);
	free_pages_node(node, asker.page, 0, RETURN_ADDRESS());
	EXPECT(watchdog_reports() > before);
	EXPECT(log_contains_since(mark, "thread asker has waited for memory"));
	return NULL;
}

/* ---- With the real OOM killer -------------------------------------------- */

/* A thread that takes all it can get and owns it, until it gets NULL. */
static struct hog {
	struct thread *thread;
	struct list pages;
	unsigned long taken;
	bool killed;
	bool full;    /* atomic: it has LIMIT pages */
	bool may_end; /* atomic */
	bool deaf;    /* it does not give anything back by itself */
	unsigned long limit;
} hog;

static bool hog_may_end(void *thread)
{
	return READ_ONCE(hog.may_end) ||
	       (!hog.deaf && thread_has_flags(thread, THREAD_KILLED));
}

static struct wait_queue hog_queue = WAIT_QUEUE_INIT(hog_queue);

static void hog_give_back(struct thread *self)
{
	struct page *page;

	while ((page = list_first(&hog.pages, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_page(page);
		__atomic_fetch_sub(&self->mm->rss, 1, __ATOMIC_RELAXED);
	}
}

static void hog_run(void *unused __unused)
{
	struct thread *self = current_thread();
	struct page *page = NULL;

	while (hog.taken < hog.limit) {
		page = alloc_page(GFP_KERNEL | __GFP_NOWARN);
		if (page == NULL)
			break;
		list_append(&hog.pages, &page->link);
		__atomic_fetch_add(&self->mm->rss, 1, __ATOMIC_RELAXED);
		hog.taken++;
	}
	WRITE_ONCE(hog.full, true);
	if (page != NULL)
		wait_event(&hog_queue, hog_may_end, self);
	hog.killed = thread_has_flags(self, THREAD_KILLED);
	hog_give_back(self);
}

static struct thread *start_hog(unsigned long limit, bool deaf)
{
	hog = (struct hog){ .limit = limit, .deaf = deaf };
	list_init(&hog.pages);
	hog.thread = thread_create("hog", hog_run, NULL);
	return hog.thread;
}

/* Large machines are drained first, and so many pages come back for the hog and
 * its stack. */
#define HOG_PAGES 2048

static void leave_for_hog(struct drained *drained)
{
	unsigned long enough;
	struct page *page;

	drained_init(drained);
	drain(drained, GFP_NOWAIT);
	enough = node_free(main_node()) + HOG_PAGES;
	while (node_free(main_node()) < enough) {
		page = list_first(&drained->pages, struct page, link);
		if (page == NULL)
			break;
		list_remove(&page->link);
		drained->count -= 1UL << page->order;
		__free_pages(page, page->order);
	}
}

CASE(slow_path, who_takes_everything_is_killed_notices_and_gives_it_back)
{
	unsigned long before = test_slow_path_event(VMSTAT_oom_kill);
	struct drained drained;
	struct thread *thread;
	uint64_t mark = log_mark();

	refiller_pause(true);
	leave_for_hog(&drained);
	thread = start_hog(~0UL, false);
	if (thread != NULL)
		thread_join(thread);
	drained_free(&drained);
	refiller_pause(false);
	EXPECT(thread != NULL);
	EXPECT(hog.killed);
	EXPECT(hog.taken > 0);
	EXPECT_EQUAL(test_slow_path_event(VMSTAT_oom_kill), before + 1);
	EXPECT_EQUAL(log_count_since(mark, "(hog) anon-rss"), 1);
	return NULL;
}

/*
 * Return what a thread that cannot be served otherwise gets while a hog of 100
 * pages sleeps; *TOOK: the time it took, in microseconds.
 */
static struct page *page_of_a_hog(bool deaf, uint64_t *took)
{
	struct thread *thread = start_hog(100, deaf);
	struct drained drained;
	struct page *page;

	if (thread == NULL)
		return NULL;
	while (!READ_ONCE(hog.full))
		thread_sleep(UNTIL_NEXT_TICK);
	refiller_pause(true);
	drained_init(&drained);
	drain(&drained, GFP_NOWAIT);
	*took = clock_microseconds();
	page = alloc_page(GFP_KERNEL);
	*took = clock_microseconds() - *took;
	drained_free(&drained);
	refiller_pause(false);
	WRITE_ONCE(hog.may_end, true);
	wake_up(&hog_queue);
	thread_join(thread);
	return page;
}

CASE(slow_path, a_victim_that_sleeps_is_woken_and_gives_way)
{
	unsigned long before = test_slow_path_event(VMSTAT_oom_kill);
	uint64_t took;
	struct page *page = page_of_a_hog(false, &took);

	EXPECT(page != NULL);
	__free_page(page);
	EXPECT(hog.killed);
	EXPECT(took < OOM_REAPER_DELAY);
	EXPECT_EQUAL(test_slow_path_event(VMSTAT_oom_kill), before + 1);
	return NULL;
}

/* The deaf hog sleeps meanwhile. */
static bool reap_hog(uint64_t owner)
{
	if (hog.deaf && owner == thread_owner_id(hog.thread))
		hog_give_back(hog.thread);
	return true;
}

static struct oom_reaper hog_reaper = {
	.reap = reap_hog,
	.link = LIST_INIT(hog_reaper.link),
};

CASE(slow_path, a_victim_that_does_not_notice_is_reaped_after_2_seconds)
{
	uint64_t took;
	struct page *page;

	oom_register_reaper(&hog_reaper);
	page = page_of_a_hog(true, &took);
	EXPECT(page != NULL);
	__free_page(page);
	EXPECT(hog.killed);
	EXPECT(took >= OOM_REAPER_DELAY);
	return NULL;
}

/* ---- Scopes belong to a thread ------------------------------------------- */

static gfp_t mask_of_a_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	gfp_t mask = page == NULL ? 0 : page->gfp;

	if (page != NULL)
		__free_page(page);
	return mask;
}

static gfp_t others_mask;

static void note_mask(void *unused __unused)
{
	others_mask = mask_of_a_page();
}

CASE(slow_path, a_scope_is_of_the_thread_that_is_in_it)
{
	unsigned int scope = memalloc_nofs_save();
	struct thread *thread = thread_create("outside", note_mask, NULL);
	gfp_t mine = mask_of_a_page();

	if (thread != NULL)
		thread_join(thread);
	memalloc_nofs_restore(scope);
	EXPECT(thread != NULL);
	EXPECT_EQUAL(mine, GFP_NOFS);
	EXPECT_EQUAL(others_mask, GFP_KERNEL);
	return NULL;
}

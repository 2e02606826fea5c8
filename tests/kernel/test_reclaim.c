/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_reclaim.c -- reclaim with real threads: kswapd against a
 * thread that reads a file which is larger than memory, and interrupts on top.
 *
 * Most of memory is taken first, so that a few hundred pages of a file fill what
 * is left, on every machine.
 */
#include "drivers/pit.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/semaphore.h"
#include "kernel/refiller.h"
#include "kernel/sysctl.h"
#include "kernel/thread.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim.h"
#include "mm/reclaim/shrinker.h"
#include "mm/swap/swapfile.h"
#include "mm/user/anon.h"
#include "mm/watermark.h"
#include "tests/kernel/bench.h"
#include "tests/mm/direct_reclaim.h"
#include "tests/mm/ram_swap.h"
#include "tests/mm/space.h"
#include "tests/suite.h"

SUITE(reclaim);

SUITE_OBJECT(struct space, main_space);

#define PATIENCE   10000000ULL /* microseconds */

/* Pages of the file in all, and those that fit into memory, about. */
#define FILE_PAGES 1200UL
#define ROOM       300UL

static struct drained drained;

static unsigned long test_reclaim_event(enum vmstat_event which)
{
	return vmstat_read(&main_node()->stat, which);
}

/* ---- A small memory ------------------------------------------------------ */

static struct alloc_request kernel_reclaim_request_of(gfp_t mask)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	char why[160];

	if (gfp_decode(mask, 0, &context, &request, why, sizeof(why)) != GFP_OK)
		pr_err("%s\n", why);
	return request;
}

static unsigned long reclaim_directly(void)
{
	struct alloc_request request = kernel_reclaim_request_of(GFP_KERNEL);

	return test_direct_reclaim(main_node(), &request);
}

/*
 * A reclaimer that found nothing to take while memory was drained, or in an
 * earlier case, may have made the node hopeless; a page ends that.
 */
static bool give_hope(void)
{
	return space_fill(main_space, GFP_KERNEL, 40) == 40 &&
	       reclaim_directly() > 0;
}

/* Let others run until CONDITION; false: it took too long. */
static bool others_until(bool (*condition)(void))
{
	uint64_t limit = clock_microseconds() + PATIENCE;

	while (!condition()) {
		if (clock_microseconds() > limit)
			return false;
		thread_yield();
	}
	return true;
}

static bool kswapd_sleeps(void)
{
	return READ_ONCE(main_node()->reclaim.kswapd_sleeps);
}

/*
 * The state does not depend on earlier cases: no pageblock is HIGHATOMIC, because
 * requests that cannot wait would read the file into these, and pages that come back to
 * them do not count for kswapd; and kswapd has nothing left to do.
 */
static bool kernel_reclaim_prepare(void)
{
	const struct alloc_request request =
		kernel_reclaim_request_of(GFP_HIGHUSER_MOVABLE);
	bool rests = others_until(kswapd_sleeps);

	while (highatomic_unreserve(main_node(), &request, true))
		;
	set_small_marks();
	space_init(main_space, SPACE_FILE);
	leave_room(&drained, ROOM);
	return rests && give_hope();
}

static void clear_away(void)
{
	space_clear(main_space);
	restore_room(&drained);
}

static bool kswapd_sleeps_above_high(void)
{
	struct node *node = main_node();

	return READ_ONCE(node->reclaim.kswapd_sleeps) &&
	       node_is_balanced(node, 0, ZONE_NORMAL);
}

static bool could_add_a_page(void)
{
	return space_add(main_space, GFP_NOWAIT) != NULL;
}

/* Read COUNT pages of the file, waiting for kswapd where memory is out. */
static bool test_reclaim_read_file(unsigned long count)
{
	while (count-- > 0) {
		if (!others_until(could_add_a_page))
			return false;
	}
	return true;
}

CASE(reclaim, kswapd_keeps_up_with_a_file_that_is_larger_than_memory)
{
	unsigned long runs = test_reclaim_event(VMSTAT_pageoutrun);
	unsigned long stolen;
	unsigned long by_kswapd = 0;
	bool balanced;
	bool hope = kernel_reclaim_prepare();
	bool all;

	stolen = test_reclaim_event(VMSTAT_pgsteal_kswapd);
	main_space->releases = 0;
	all = test_reclaim_read_file(FILE_PAGES);
	balanced = others_until(kswapd_sleeps_above_high);
	by_kswapd = test_reclaim_event(VMSTAT_pgsteal_kswapd) - stolen;
	clear_away();
	test_note("%lu pages read, %lu taken back by kswapd in %lu runs",
	          FILE_PAGES, by_kswapd,
	          test_reclaim_event(VMSTAT_pageoutrun) - runs);
	EXPECT(hope && all && balanced);
	EXPECT_EQUAL(main_space->releases, by_kswapd);
	EXPECT(by_kswapd > FILE_PAGES / 4);
	EXPECT(test_reclaim_event(VMSTAT_pageoutrun) > runs);
	return NULL;
}

CASE(reclaim, direct_reclaim_brings_memory_when_kswapd_has_given_up)
{
	struct node *node = main_node();
	unsigned long stolen;
	unsigned long direct;
	unsigned long reclaimed;
	unsigned long stalls = test_reclaim_event(VMSTAT_allocstall_normal);
	bool hope = kernel_reclaim_prepare();
	struct page *page;
	bool rests;

	WRITE_ONCE(node->reclaim.kswapd_failures, MAX_RECLAIM_RETRIES);
	/* A run that has begun goes on to its end. */
	rests = others_until(kswapd_sleeps);
	WRITE_ONCE(node->reclaim.kswapd_failures, MAX_RECLAIM_RETRIES);
	stolen = test_reclaim_event(VMSTAT_pgsteal_kswapd);
	/* A kswapd that works all the same would bring pages without end. */
	for (unsigned long i = 0; i < 2 * FILE_PAGES; i++) {
		if (space_add(main_space, GFP_NOWAIT) == NULL)
			break;
	}
	stolen = test_reclaim_event(VMSTAT_pgsteal_kswapd) - stolen;
	direct = test_reclaim_event(VMSTAT_pgsteal_direct);
	/*
	 * The first page brings hope back: from then on each request for
	 * memory, also the refiller's, wakes kswapd.
	 */
	reclaimed = reclaim_directly();
	direct = test_reclaim_event(VMSTAT_pgsteal_direct) - direct;
	page = alloc_page(GFP_KERNEL);
	if (page != NULL)
		__free_page(page);
	clear_away();
	EXPECT(hope && rests);
	EXPECT(reclaimed >= SWAP_CLUSTER_MAX);
	EXPECT_EQUAL(direct, reclaimed);
	EXPECT(page != NULL);
	EXPECT(test_reclaim_event(VMSTAT_allocstall_normal) >= stalls + 2);
	EXPECT_EQUAL(stolen, 0);
	EXPECT_EQUAL(node->reclaim.kswapd_failures, 0);
	return NULL;
}

/* ---- Interrupts meanwhile ------------------------------------------------ */

static struct {
	struct page *page;
	unsigned long taken;
	unsigned long nothing;
} ticker;

/* At each tick a page, in the place of the last one. */
static void take_in_tick(void *data)
{
	struct page *page = alloc_page(GFP_ATOMIC);

	(void)data;
	if (page == NULL) {
		ticker.nothing++;
		return;
	}
	ticker.taken++;
	if (ticker.page != NULL)
		__free_page(ticker.page);
	ticker.page = page;
}

CASE(reclaim, atomic_allocations_in_interrupts_go_on_under_pressure)
{
	uint64_t until;
	bool hope = kernel_reclaim_prepare();
	bool all = true;

	ticker.page = NULL;
	ticker.taken = 0;
	ticker.nothing = 0;
	pit_set_listener(take_in_tick, NULL);
	until = clock_microseconds() + 300000;
	while (all && clock_microseconds() < until)
		all = test_reclaim_read_file(50);
	pit_set_listener(NULL, NULL);
	if (ticker.page != NULL)
		__free_page(ticker.page);
	clear_away();
	EXPECT(hope && all);
	EXPECT(ticker.taken > 0);
	EXPECT_EQUAL(ticker.nothing, 0);
	return NULL;
}

/* ---- Throttling ---------------------------------------------------------- */

static struct completion go;

static void wait_and_be_throttled(void *data)
{
	struct alloc_request request = kernel_reclaim_request_of(GFP_KERNEL);

	(void)data;
	wait_for_completion(&go);
	throttle_direct_reclaim(main_node(), &request);
}

CASE(reclaim, throttled_thread_goes_on_when_kswapd_has_freed_enough)
{
	unsigned long throttled =
		test_reclaim_event(VMSTAT_pgscan_direct_throttle);
	unsigned long stolen;
	struct drained rest;
	struct thread *thread;
	bool hope = kernel_reclaim_prepare();

	init_completion(&go);
	drained_init(&rest);
	thread = thread_create_priority("throttled", PRIORITY_HIGH,
	                                wait_and_be_throttled, NULL);
	space_fill(main_space, 0, ROOM);
	/* The thread comes before kswapd, which may wake by itself. */
	preempt_disable();
	drain(&rest, __GFP_MEMALLOC);
	stolen = test_reclaim_event(VMSTAT_pgsteal_kswapd);
	complete(&go);
	preempt_enable();
	if (thread != NULL)
		thread_join(thread);
	stolen = test_reclaim_event(VMSTAT_pgsteal_kswapd) - stolen;
	drained_free(&rest);
	clear_away();
	EXPECT(hope && thread != NULL);
	EXPECT_EQUAL(test_reclaim_event(VMSTAT_pgscan_direct_throttle),
	             throttled + 1);
	EXPECT(stolen > 0);
	return NULL;
}

/* ---- Threads are made of what reclaim finds ------------------------------- */

#define MADE 8

static void count_a_run(void *data)
{
	(*(unsigned int *)data)++;
}

/* Down to the min mark by requests that reclaim nothing; a thread needs a stack, an object
 * and the table of its window. */
CASE(reclaim, threads_can_be_made_when_memory_is_full_of_cached_pages)
{
	struct thread *thread[MADE];
	unsigned int runs = 0;
	unsigned int made = 0;
	unsigned long stolen;
	bool ready = kernel_reclaim_prepare();

	while (space_add(main_space, __GFP_NOWARN) != NULL)
		;
	stolen = test_reclaim_event(VMSTAT_pgsteal_kswapd) +
	         test_reclaim_event(VMSTAT_pgsteal_direct);
	while (made < MADE &&
	       (thread[made] = thread_create("made of cache", count_a_run,
	                                     &runs)) != NULL)
		made++;
	stolen = test_reclaim_event(VMSTAT_pgsteal_kswapd) +
	         test_reclaim_event(VMSTAT_pgsteal_direct) - stolen;
	for (unsigned int i = 0; i < made; i++)
		thread_join(thread[i]);
	clear_away();
	EXPECT(ready);
	EXPECT_EQUAL(made, MADE);
	EXPECT_EQUAL(runs, MADE);
	EXPECT(stolen > 0);
	return NULL;
}

/* ---- A shrinker ---------------------------------------------------------- */

CASE(reclaim, frames_parked_above_low_are_given_back_under_pressure)
{
	struct node *node = main_node();
	unsigned long before;
	unsigned long spare;
	unsigned long parked;
	unsigned long freed;
	unsigned long paused;

	exclusive_balance(node);
	before = exclusive_pool_parked(&node->pool);
	spare = exclusive_spare(node, node->pool.low);
	refiller_pause(true);
	paused = shrink_slab(node, GFP_KERNEL, 0);
	refiller_pause(false);
	freed = shrink_slab(node, GFP_KERNEL, 0);
	parked = exclusive_pool_parked(&node->pool);
	exclusive_balance(node);
	test_note("%lu parked, %lu given back, low is %lu", before, freed,
	          node->pool.low);
	EXPECT(before > node->pool.low);
	EXPECT_EQUAL(paused, 0);
	/* A pageblock that is parked as a whole goes only if 256 others remain. */
	if (node->pool.blocks == 0)
		EXPECT_EQUAL(freed, before - node->pool.low);
	EXPECT_EQUAL(freed, spare);
	EXPECT_EQUAL(parked, before - freed);
	return NULL;
}

/* ---- Locks of pages ------------------------------------------------------ */

static bool got_it;

static void lock_and_unlock(void *data)
{
	lock_page(data);
	WRITE_ONCE(got_it, true);
	unlock_page(data);
}

CASE(reclaim, page_lock_keeps_another_thread_out_until_it_is_released)
{
	struct thread *thread;
	struct page *page;
	bool early;

	space_init(main_space, SPACE_PLAIN);
	page = space_add(main_space, GFP_KERNEL);
	EXPECT(page != NULL);
	lock_page(page);
	got_it = false;
	thread = thread_create("locker", lock_and_unlock, page);
	for (unsigned int i = 0; i < 10; i++)
		thread_yield();
	early = READ_ONCE(got_it);
	unlock_page(page);
	if (thread != NULL)
		thread_join(thread);
	space_clear(main_space);
	EXPECT(thread != NULL && !early && got_it);
	return NULL;
}

static void test_reclaim_end_write(void *data)
{
	end_page_writeback(data);
}

static void write_and_wait(void *data)
{
	wait_on_page_writeback(data);
	WRITE_ONCE(got_it, true);
}

CASE(reclaim, thread_that_waits_for_a_write_is_woken_by_the_interrupt)
{
	struct thread *thread;
	struct page *page;
	bool early;
	bool came;

	space_init(main_space, SPACE_PLAIN);
	page = space_add(main_space, GFP_KERNEL);
	EXPECT(page != NULL);
	lock_page(page);
	set_page_writeback(page);
	unlock_page(page);
	got_it = false;
	thread = thread_create("waiter", write_and_wait, page);
	for (unsigned int i = 0; i < 10; i++)
		thread_yield();
	early = READ_ONCE(got_it);
	came = in_timer_interrupt(test_reclaim_end_write, page);
	if (thread != NULL)
		thread_join(thread);
	space_clear(main_space);
	EXPECT(thread != NULL && !early && came && got_it);
	return NULL;
}

/* ---- The knob ------------------------------------------------------------ */

static int test_reclaim_set_swappiness(const char *value)
{
	const char *name = "vm.swappiness";

	return sysctl_set(sysctl_find(name, strlen(name)), main_node(), value);
}

/* Anonymous pages that a reclaim looks at with swappiness VALUE. */
static unsigned long anon_looked_at(const char *value)
{
	unsigned long before = test_reclaim_event(VMSTAT_pgscan_anon);

	if (test_reclaim_set_swappiness(value) != 0 || reclaim_directly() == 0)
		return ~0UL;
	return test_reclaim_event(VMSTAT_pgscan_anon) - before;
}

CASE(reclaim,
     swappiness_by_sysctl_decides_whether_anonymous_pages_are_looked_at)
{
	static struct ram_swap disk;
	struct anon_object *object = anon_object_create(64);
	unsigned long with_0;
	unsigned long with_60;

	EXPECT(object != NULL && ram_swap_make(&disk, "testram", 129));
	EXPECT_EQUAL(swapon(&disk.device, 32767, NULL), 0);
	for (unsigned long i = 0; i < 64; i++)
		EXPECT_EQUAL(anon_object_write(object, i * PAGE_SIZE, "x", 1),
		             0);
	space_init(main_space, SPACE_PLAIN);
	EXPECT_EQUAL(space_fill(main_space, GFP_KERNEL, 128), 128);
	with_0 = anon_looked_at("0");
	with_60 = anon_looked_at("60");
	space_clear(main_space);
	anon_object_destroy(object);
	EXPECT_EQUAL(swapoff(&disk.device), 0);
	ram_swap_end(&disk);
	EXPECT_EQUAL(with_0, 0);
	EXPECT(with_60 > 0 && with_60 != ~0UL);
	return NULL;
}

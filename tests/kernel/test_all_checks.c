/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_all_checks.c -- no check ever accuses what is sound.
 *
 * Threads allocate and free pages and blocks, write to their own files, have
 * them written back and truncated, push anonymous pages out to swap and read
 * them in again, take, hand over and release exclusive pages, map and unmap
 * pages, begin and end threads, take and free areas of vmalloc(); the timer allocates
 * and frees GFP_ATOMIC and exclusive pages, and frees areas.  Meanwhile each check runs over and over, by name: anything
 * that it reports is an error.  The suites of the checks test that they detect
 * damage.
 */
#include "drivers/pit.h"
#include "kernel/arch/paging.h"
#include "kernel/core/clock.h"
#include "kernel/core/sched.h"
#include "kernel/core/work.h"
#include "kernel/demo/recorder.h"
#include "kernel/thread.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/slab/vmalloc.h"
#include "mm/swap/swapfile.h"
#include "mm/user/anon.h"
#include "mm/user/filemap.h"
#include "tests/kernel/bench.h"
#include "tests/mm/ram_swap.h"
#include "tests/suite.h"

SUITE(all_checks);

SUITE_OBJECT(struct ram_swap, disk);

/* The guest's time: until the checks have given ANSWERS, but not shorter or longer. */
#define MICROSECONDS  2000000ULL
#define SHORTEST      500000ULL
#define ANSWERS       60UL
#define FILE_PAGES    48UL
#define ANON_PAGES    32UL
#define SWAP_PAGES    40UL

/* Above all others, so that it does not matter what else is swapped to. */
#define SWAP_PRIORITY 32767

/* Under load: what all threads share. */
static struct {
	bool stop;
	unsigned long rounds[7]; /* each writer its own */
	unsigned long in_timer;
	unsigned long without; /* threads that ended without a page */
	unsigned long failed;  /* calls that should not have */
	struct filemap map;
	struct anon_object *object;
	struct random random[7];
	void *for_timer; /* atomic: an area that the timer frees */
} load;

static bool goes_on(unsigned int who)
{
	load.rounds[who]++;
	if (load.rounds[who] % 8 == 0)
		thread_sleep(UNTIL_NEXT_TICK);
	return !READ_ONCE(load.stop);
}

static void must_do(int error)
{
	if (error != 0)
		__atomic_fetch_add(&load.failed, 1, __ATOMIC_RELAXED);
}

/* ---- The load ------------------------------------------------------------ */

/* Blocks of all small orders, a few at a time. */
static void test_all_checks_take_and_give(void *unused __unused)
{
	struct page *page[8] = { NULL };
	unsigned int order[8] = { 0 };

	do {
		unsigned int i = (unsigned int)random_below(&load.random[0], 8);

		if (page[i] != NULL)
			__free_pages(page[i], order[i]);
		order[i] = (unsigned int)random_below(&load.random[0], 4);
		page[i] = alloc_pages(GFP_NOWAIT | __GFP_NOWARN, order[i]);
	} while (goes_on(0));
	for (unsigned int i = 0; i < 8; i++) {
		if (page[i] != NULL)
			__free_pages(page[i], order[i]);
	}
}

/* Unlike a disk, it completes immediately. */
static int write_at_once(struct page *page)
{
	set_page_writeback(page);
	unlock_page(page);
	end_page_writeback(page);
	return 0;
}

static const struct address_space_ops file_ops = {
	.name = "loaded",
	.writepage = write_at_once,
	.release = filemap_release,
	.migrate = filemap_migrate,
};

/* A page of a file is dirtied, or all of them written, or some cut off. */
static void dirty_and_write(void *unused __unused)
{
	do {
		unsigned long index =
			random_below(&load.random[1], FILE_PAGES) * 37;
		struct page *page;

		if (filemap_grab(&load.map, index, GFP_NOWAIT | __GFP_NOWARN,
		                 &page) == 0) {
			page_set(page, PG_uptodate);
			filemap_dirty(page);
			unlock_page(page);
			mark_page_accessed(page);
			put_page(page);
		}
		if (random_below(&load.random[1], 16) == 0)
			must_do(filemap_writeback(&load.map));
		if (random_below(&load.random[1], 16) == 0)
			filemap_cut(&load.map, index);
	} while (goes_on(1));
}

/* A page of a thread's own, dirty and clean again: the scene of the report. */
static void dirty_one(void *unused __unused)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		return;
	do {
		set_page_dirty(page);
		clear_page_dirty_for_io(page);
	} while (goes_on(2));
	put_page(page);
}

static void swap_and_read(void *unused __unused)
{
	uint64_t word;

	do {
		unsigned long index = random_below(&load.random[3], ANON_PAGES);
		unsigned long offset = index * PAGE_SIZE;
		struct page *page;

		switch (random_below(&load.random[3], 4)) {
		case 0:
			must_do(anon_object_write(load.object, offset, &index,
			                          sizeof(index)));
			break;
		case 1:
			must_do(anon_object_read(load.object, offset, &word,
			                         sizeof(word)));
			break;
		case 2:
			if (anon_object_pin(load.object, index, &page) == 0) {
				thread_yield();
				anon_object_unpin(page, true);
			}
			break;
		default:
			(void)anon_object_swap_out(load.object, index);
		}
	} while (goes_on(3));
}

/* Exclusive pages: taken, released, or handed over to the timer. */
static void exclusive_take_and_give(void *unused __unused)
{
	void *address[6] = { NULL };

	do {
		unsigned int i = (unsigned int)random_below(&load.random[4], 6);

		if (address[i] != NULL &&
		    (i % 2 == 0 ||
		     exclusive_transfer(address[i], timer_owner()->id) != 0))
			exclusive_release(address[i]);
		address[i] = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	} while (goes_on(4));
	/* Half of them are left to the end of the thread. */
	for (unsigned int i = 0; i < 3; i++) {
		if (address[i] != NULL)
			exclusive_release(address[i]);
	}
}

static void end_at_once(void *unused __unused)
{
	if (labyrinth_void_alloc_page_gfp_atomic_exclusive() == NULL)
		load.without++;
}

/* Stacks come and go, and windows with them. */
static void begin_and_end(void *unused __unused)
{
	do {
		struct thread *thread =
			thread_create("short", end_at_once, NULL);

		if (thread != NULL)
			thread_join(thread);
	} while (goes_on(5));
}

/* Areas come and go; the timer frees one of them now and then. */
static void map_and_unmap(void *unused __unused)
{
	void *area[4] = { NULL };

	do {
		unsigned int i = (unsigned int)random_below(&load.random[6], 4);

		vfree(area[i]);
		area[i] = __vmalloc(
			1 + random_below(&load.random[6], 4 * PAGE_SIZE),
			GFP_NOWAIT);
		if (i == 0)
			area[i] = __atomic_exchange_n(&load.for_timer, area[i],
			                              __ATOMIC_ACQ_REL);
		if (random_below(&load.random[6], 16) == 0)
			vmalloc_purge(main_vmalloc());
		/* An area is much work, and the others want to run, too. */
		thread_sleep(10000);
	} while (goes_on(6));
	for (unsigned int i = 0; i < 4; i++)
		vfree(area[i]);
}

static void load_in_timer(void *unused __unused)
{
	void *sent = exclusive_accept();
	void *mine = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	struct page *page = alloc_pages(GFP_ATOMIC | __GFP_NOWARN, 1);

	vfree(__atomic_exchange_n(&load.for_timer, NULL, __ATOMIC_ACQ_REL));
	load.in_timer++;
	if (page != NULL)
		__free_pages(page, 1);
	if (sent != NULL)
		exclusive_release(sent);
	if (mine != NULL)
		exclusive_release(mine);
}

/* ---- Each check by name -------------------------------------------------- */

static const char *ask_paging(char *buffer __unused, size_t size __unused)
{
	struct paging_check check = paging_check();

	return check.wrong == 0 ? NULL : check.what;
}

static const char *test_all_checks_ask_recorder(char *buffer __unused,
                                                size_t size __unused)
{
	return recorder_check();
}

static const char *ask_node(char *buffer, size_t size)
{
	struct page_columns total;

	return node_check(main_node(), &total, false, buffer, size);
}

static const char *ask_zones(char *buffer, size_t size)
{
	struct node *node = main_node();

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (zone_check(&node->zone[type], NULL, false, buffer, size) !=
		    NULL)
			return buffer;
	}
	return NULL;
}

static const char *ask_buddies(char *buffer, size_t size)
{
	struct node *node = main_node();

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (buddy_check(&node->zone[type], false, buffer, size) != NULL)
			return buffer;
	}
	return NULL;
}

static const char *ask_exclusive(char *buffer, size_t size)
{
	return exclusive_check(main_node(), false, buffer, size);
}

static const char *ask_lru(char *buffer, size_t size)
{
	return lru_check(main_node(), buffer, size);
}

static const char *ask_filemap(char *buffer, size_t size)
{
	return filemap_check(&load.map, buffer, size);
}

static const char *ask_vmalloc(char *buffer, size_t size)
{
	return vmalloc_check(main_vmalloc(), buffer, size);
}

static const struct {
	const char *name;
	const char *(*ask)(char *buffer, size_t size);
} checks[] = {
	{ "zone_check", ask_zones },
	{ "buddy_check", ask_buddies },
	{ "exclusive_check", ask_exclusive },
	{ "node_check", ask_node },
	{ "lru_check", ask_lru },
	{ "mm_check", mm_check },
	{ "filemap_check", ask_filemap },
	{ "anon_check", anon_check },
	{ "swap_check", swap_check },
	{ "vmalloc_check", ask_vmalloc },
	{ "paging_check", ask_paging },
	{ "recorder_check", test_all_checks_ask_recorder },
};

/* A load that has gone round so often has met the checks. */
#define ROUNDS 10UL

static bool loads_went_round(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(load.rounds); i++) {
		if (READ_ONCE(load.rounds[i]) <= ROUNDS)
			return false;
	}
	return READ_ONCE(load.in_timer) > ROUNDS;
}

/* NULL, or who said what. */
static const char *ask_all(unsigned long *asked)
{
	uint64_t begin = clock_microseconds();
	uint64_t most;
	char said[200];

	do {
		for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
			const char *broken = checks[i].ask(said, sizeof(said));

			if (broken != NULL)
				return test_failure("%s says: %s",
				                    checks[i].name, broken);
			++*asked;
		}
		most = *asked >= ANSWERS && loads_went_round() ? SHORTEST
		                                               : MICROSECONDS;
	} while (clock_microseconds() - begin < most);
	return NULL;
}

/* ---- All together -------------------------------------------------------- */

static void (*const loads[])(void *) = {
	test_all_checks_take_and_give,
	dirty_and_write,
	dirty_one,
	swap_and_read,
	exclusive_take_and_give,
	begin_and_end,
	map_and_unmap,
};

static const char *under_load(unsigned long *asked)
{
	struct thread *thread[ARRAY_SIZE(loads)];
	struct exclusive_counts counts;
	const char *wrong;

	for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
		thread[i] = thread_create("load", loads[i], NULL);
	pit_set_listener(load_in_timer, NULL);
	wrong = ask_all(asked);
	WRITE_ONCE(load.stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		if (thread[i] != NULL)
			thread_join(thread[i]);
	}
	/* The timer takes what was sent to it, one a tick. */
	do {
		thread_sleep(UNTIL_NEXT_TICK);
		exclusive_counts(main_node(), &counts);
	} while (counts.handover > 0);
	pit_set_listener(NULL, NULL);
	return wrong;
}

CASE(all_checks, none_complains_of_memory_that_is_sound_and_moves)
{
	unsigned long asked = 0;
	const char *wrong;

	memset(&load, 0, sizeof(load));
	for (size_t i = 0; i < ARRAY_SIZE(load.random); i++)
		load.random[i].state = test_seed() + i;
	filemap_init(&load.map, &file_ops, NULL);
	load.object = anon_object_create(ANON_PAGES);
	EXPECT(load.object != NULL);
	EXPECT(ram_swap_make(disk, "loadram", SWAP_PAGES));
	EXPECT_EQUAL(swapon(&disk->device, SWAP_PRIORITY, NULL), 0);
	wrong = under_load(&asked);
	vfree(load.for_timer);
	flush_work();
	vmalloc_purge(main_vmalloc());
	anon_object_destroy(load.object);
	EXPECT_EQUAL(swapoff(&disk->device), 0);
	ram_swap_end(disk);
	filemap_cut(&load.map, 0);
	test_note("checks: %lu asked; rounds %lu %lu %lu %lu %lu %lu %lu, "
	          "timer %lu",
	          asked, load.rounds[0], load.rounds[1], load.rounds[2],
	          load.rounds[3], load.rounds[4], load.rounds[5],
	          load.rounds[6], load.in_timer);
	if (wrong != NULL)
		return wrong;
	for (size_t i = 0; i < ARRAY_SIZE(load.rounds); i++)
		EXPECT(load.rounds[i] > ROUNDS);
	EXPECT(load.in_timer > ROUNDS);
	EXPECT(load.without < load.rounds[5]);
	EXPECT_EQUAL(load.failed, 0);
	return NULL;
}

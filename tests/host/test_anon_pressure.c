/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory on the host: no memory, swapoff, reclaim on top of an access, the end
 * of a thread, a naive model, and the check.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/random.h"
#include "mm/reclaim/address_space.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim.h"
#include "mm/reclaim/reclaim_internal.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"
#include "tests/host/libmm.h"
#include "tests/host/test_anon.h"
#include "tests/mm/direct_reclaim.h"
#include "tests/suite.h"

SUITE(anon);

static char text[200];

/* ---- No memory ----------------------------------------------------------- */

CASE(anon, without_memory_an_access_says_so_and_loses_nothing)
{
	EXPECT(test_anon_start(8, 600));
	EXPECT(test_anon_fill(3, 50));
	EXPECT(test_anon_all_out(3));
	test_anon_take_memory();
	EXPECT_EQUAL(test_anon_get(0), -ENOMEM);
	EXPECT_EQUAL(test_anon_put(5, 1), -ENOMEM);
	EXPECT_EQUAL(test_anon_put(599, 1), -ENOMEM);
	EXPECT_EQUAL(test_anon_get(5), 0);
	/* The leaf, and not the page: the leaf stays. */
	test_anon_give_memory(1);
	EXPECT_EQUAL(test_anon_put(599, 1), -ENOMEM);
	test_anon_give_memory(1);
	EXPECT_EQUAL(test_anon_put(599, 1), 0);
	test_anon_give_memory(ANON_FRAMES);
	EXPECT(test_anon_holds(3, 50));
	return test_anon_finish();
}

CASE(anon, swapon_without_memory_leaves_nothing_behind)
{
	EXPECT(test_anon_start(8, 1));
	EXPECT_EQUAL(swapon(&disk.device, 0, NULL), -EBUSY);
	EXPECT_EQUAL(swapoff(&disk.device), 0);
	EXPECT_EQUAL(swapoff(&disk.device), -ENXIO);
	test_anon_take_memory();
	for (unsigned int pages = 0; pages < 3; pages++) {
		unsigned long before = node_free(node);

		EXPECT_EQUAL(swapon(&disk.device, 0, NULL), -ENOMEM);
		EXPECT_EQUAL(node_free(node), before);
		test_anon_give_memory(1);
	}
	EXPECT_EQUAL(swapon(&disk.device, 0, NULL), 0);
	test_anon_give_memory(ANON_FRAMES);
	return test_anon_finish();
}

CASE(anon, swapon_says_what_is_wrong_with_the_header)
{
	const char *why;

	EXPECT(test_anon_start(8, 1));
	EXPECT_EQUAL(swapoff(&disk.device), 0);
	ram_swap_header(page_address(disk.store[0]), 9, NULL, 0);
	EXPECT_EQUAL(swapon(&disk.device, 0, &why), -EINVAL);
	EXPECT(strstr(why, "shorter") != NULL);
	disk.read_fault.nth = 1;
	EXPECT_EQUAL(swapon(&disk.device, 0, &why), -EIO);
	EXPECT(why == NULL);
	ram_swap_header(page_address(disk.store[0]), 8, NULL, 0);
	EXPECT_EQUAL(swapon(&disk.device, 0, &why), 0);
	return test_anon_finish();
}

/* ---- swapoff ------------------------------------------------------------- */

CASE(anon, swapoff_brings_everything_back)
{
	EXPECT(test_anon_start(16, 8));
	EXPECT(test_anon_fill(8, 70));
	EXPECT(test_anon_all_out(8));
	/* Some in memory with a slot, one of them being written. */
	EXPECT_EQUAL(test_anon_get(1), 71);
	EXPECT_EQUAL(test_anon_put(2, 72), 0);
	disk.deferred = true;
	put_page(test_anon_begin_write(2));
	EXPECT_EQUAL(swapoff(&disk.device), 0);
	EXPECT_EQUAL(total_swap_pages(), 0);
	EXPECT_EQUAL(test_anon_rss(), 8);
	EXPECT_EQUAL(test_anon_swapents(), 0);
	EXPECT(test_anon_holds(8, 70));
	EXPECT_EQUAL(anon_object_swap_out(object, 0), -ENOSPC);
	EXPECT_EQUAL(swapon(&disk.device, 0, NULL), 0);
	return test_anon_finish();
}

CASE(anon, swapoff_without_memory_or_with_an_error_leaves_the_area_on)
{
	EXPECT(test_anon_start(16, 8));
	EXPECT(test_anon_fill(8, 70));
	EXPECT(test_anon_all_out(8));
	test_anon_take_memory();
	test_anon_give_memory(3);
	EXPECT_EQUAL(swapoff(&disk.device), -ENOMEM);
	EXPECT_EQUAL(test_anon_rss(), 3);
	EXPECT_EQUAL(test_anon_swapents(), 5);
	EXPECT(test_anon_check_all() == NULL);
	test_anon_give_memory(ANON_FRAMES);
	disk.read_fault.nth = 4;
	EXPECT_EQUAL(swapoff(&disk.device), -EIO);
	EXPECT_EQUAL(test_anon_swapents(), 2);
	EXPECT_EQUAL(total_swap_pages(), 16);
	EXPECT(test_anon_check_all() == NULL);
	EXPECT(test_anon_holds(8, 70));
	EXPECT(test_anon_all_out(8));
	return test_anon_finish();
}

CASE(anon, swapoff_by_a_thread_that_was_killed_leaves_the_area_on)
{
	int error;

	EXPECT(test_anon_start(16, 8));
	EXPECT(test_anon_fill(8, 70));
	EXPECT(test_anon_all_out(8));
	thread_set_flags(current_thread(), THREAD_KILLED);
	error = swapoff(&disk.device);
	thread_clear_flags(current_thread(), THREAD_KILLED);
	EXPECT_EQUAL(error, -EINTR);
	EXPECT_EQUAL(test_anon_swapents(), 8);
	EXPECT_EQUAL(total_swap_pages(), 16);
	EXPECT(test_anon_holds(8, 70));
	EXPECT_EQUAL(swapoff(&disk.device), 0);
	EXPECT_EQUAL(swapon(&disk.device, 0, NULL), 0);
	return test_anon_finish();
}

CASE(anon, with_two_areas_swapoff_empties_the_one_that_is_meant)
{
	static struct ram_swap other;

	EXPECT(test_anon_start(8, 8));
	EXPECT(test_anon_fill(8, 70));
	EXPECT(ram_swap_make(&other, "other", 9));
	EXPECT_EQUAL(swapon(&other.device, 0, NULL), 0);
	/* They take turns. */
	EXPECT(test_anon_all_out(8));
	EXPECT_EQUAL(disk.writes, 4);
	EXPECT_EQUAL(other.writes, 4);
	/* One is back from the first, and keeps its slot there. */
	EXPECT_EQUAL(test_anon_get(0), 70);
	EXPECT_EQUAL(swapoff(&other.device), 0);
	EXPECT_EQUAL(test_anon_swapents(), 3);
	EXPECT_EQUAL(total_swapcache_pages(), 1);
	EXPECT_EQUAL(disk.reads, 2);
	EXPECT_EQUAL(other.reads, 5);
	ram_swap_end(&other);
	EXPECT(test_anon_holds(8, 70));
	return test_anon_finish();
}

/* ---- Reclaim on top of an access ----------------------------------------- */

static unsigned long reclaimed;
static unsigned long next_victim;

/* Every allocation below the low mark ends here, and throws a page of the same
 * object out. */
static void reclaim_on_top(struct node *which, unsigned int order,
                           enum zone_type highest, bool may_sleep __unused)
{
	unsigned long pages = anon_object_usage(object).pages;

	(void)which;
	(void)order;
	(void)highest;
	for (unsigned long i = 0; i < pages; i++) {
		next_victim = (next_victim + 1) % pages;
		if (anon_object_usage(object).resident > 4 &&
		    anon_object_swap_out(object, next_victim) == 0)
			reclaimed++;
	}
}

CASE(anon, reclaim_may_run_on_top_of_any_access)
{
	struct random dice = { test_seed() };
	uint64_t model[64] = { 0 };

	EXPECT(test_anon_start(200, 64));
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, ANON_FRAMES,
	                  ANON_FRAMES);
	machine_set_kswapd_hook(node, reclaim_on_top);
	reclaimed = 0;
	for (unsigned int round = 0; round < 3000; round++) {
		unsigned long index = random_below(&dice, 64);

		EXPECT_EQUAL(test_anon_get(index), model[index]);
		if (random_below(&dice, 2) == 0) {
			model[index] = random_next(&dice) >> 2;
			EXPECT_EQUAL(test_anon_put(index, model[index]), 0);
		}
	}
	EXPECT(reclaimed > 1000);
	EXPECT(test_anon_check_all() == NULL);
	machine_set_kswapd_hook(node, NULL);
	return test_anon_finish();
}

/* ---- Reclaim itself ------------------------------------------------------ */

/*
 * Return the number of pages that requests with MASK reclaim in CALLS calls.
 * In 20 of them each page is scanned more often than it gets another chance.
 */
static unsigned long test_anon_reclaim(gfp_t mask, unsigned int calls)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request request;
	unsigned long sum = 0;

	if (gfp_decode(mask, 0, &context, &request, text, sizeof(text)) !=
	    GFP_OK)
		panic("%s", text);
	for (unsigned int call = 0; call < calls; call++)
		sum += test_direct_reclaim(node, &request);
	return sum;
}

static const char *check_lru(void)
{
	return lru_check(node, text, sizeof(text));
}

CASE(anon, reclaim_swaps_all_of_it_out_and_nothing_under_noio)
{
	EXPECT(test_anon_start(200, 100));
	reclaim_set_swap(node, get_nr_swap_pages);
	EXPECT(test_anon_fill(100, 40));
	EXPECT_EQUAL(test_anon_reclaim(GFP_NOIO, 20), 0);
	EXPECT_EQUAL(disk.writes, 0);
	EXPECT_EQUAL(test_anon_rss(), 100);
	/* Writes that end immediately, and writes that end while it waits. */
	for (unsigned int round = 0; round < 2; round++) {
		EXPECT_EQUAL(test_anon_reclaim(GFP_KERNEL, 20), 100);
		EXPECT_EQUAL(test_anon_swapents(), 100);
		EXPECT(check_lru() == NULL);
		EXPECT(test_anon_check_all() == NULL);
		EXPECT(test_anon_holds(100, 40));
		EXPECT(test_anon_fill(100, 40));
		EXPECT(check_lru() == NULL);
	}
	EXPECT(disk.writes >= 200);
	return test_anon_finish();
}

CASE(anon, a_clean_page_with_a_slot_leaves_under_noio_as_well)
{
	EXPECT(test_anon_start(200, 10));
	reclaim_set_swap(node, get_nr_swap_pages);
	EXPECT(test_anon_fill(10, 40));
	EXPECT(test_anon_all_out(10));
	EXPECT(test_anon_holds(10, 40));
	disk.writes = 0;
	EXPECT_EQUAL(test_anon_reclaim(GFP_NOIO, 20), 10);
	EXPECT_EQUAL(disk.writes, 0);
	EXPECT(test_anon_holds(10, 40));
	return test_anon_finish();
}

CASE(anon, reclaim_loses_nothing_when_the_disk_fails)
{
	EXPECT(test_anon_start(250, 12));
	reclaim_set_swap(node, get_nr_swap_pages);
	EXPECT(test_anon_fill(12, 7));
	disk.write_fault = (struct ram_fault){ .nth = 5, .forever = true };
	test_anon_reclaim(GFP_KERNEL, 4);
	EXPECT(disk.writes >= 5);
	EXPECT(test_anon_rss() >= 8 && test_anon_swapents() <= 4);
	EXPECT(check_lru() == NULL);
	EXPECT(test_anon_check_all() == NULL);
	disk.write_fault = (struct ram_fault){ .nth = 3 };
	test_anon_reclaim(GFP_KERNEL, 20);
	EXPECT_EQUAL(test_anon_swapents(), 12);
	EXPECT(check_lru() == NULL);
	return test_anon_holds(12, 7) ? test_anon_finish() : "data lost";
}

/* ---- The end of a thread ------------------------------------------------- */

CASE(anon, reaping_takes_everything_and_later_accesses_fail)
{
	struct page *pinned;
	unsigned long before;

	EXPECT(test_anon_start(8, 6));
	before = node_free(node);
	EXPECT(test_anon_fill(6, 1));
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	EXPECT_EQUAL(anon_object_swap_out(object, 1), 0);
	disk.deferred = true;
	pinned = test_anon_begin_write(2);
	EXPECT(pinned != NULL);
	/* One is being written: not everything yet. */
	EXPECT(!anon_reap(thread_owner_id(machine_main())));
	EXPECT_EQUAL(test_anon_rss(), 1);
	EXPECT_EQUAL(test_anon_swapents(), 0);
	EXPECT_EQUAL(test_anon_get(0), -EFAULT);
	EXPECT_EQUAL(test_anon_put(3, 1), -EFAULT);
	EXPECT_EQUAL(anon_object_swap_out(object, 2), -EFAULT);
	ram_swap_complete(&disk);
	EXPECT(anon_reap(thread_owner_id(machine_main())));
	EXPECT_EQUAL(test_anon_rss(), 0);
	/* The holder of a page keeps it until it drops it. */
	EXPECT_EQUAL(*(uint64_t *)page_address(pinned), 3);
	anon_object_unpin(pinned, false);
	/* All but the leaf. */
	EXPECT_EQUAL(node_free(node), before - 1);
	return test_anon_finish();
}

/* The reaper passes over it because it is locked: by the thread that moves it. */
CASE(anon, a_page_of_an_object_that_was_reaped_does_not_move)
{
	struct page *page;
	struct page *to;

	EXPECT(test_anon_start(8, 2));
	EXPECT(test_anon_fill(2, 5));
	EXPECT_EQUAL(anon_object_pin(object, 1, &page), 0);
	EXPECT(lru_isolate_page(page_zone(node, page), page));
	anon_object_unpin(page, false);
	lock_page(page);
	EXPECT(!anon_reap(thread_owner_id(machine_main())));
	to = alloc_page(GFP_NOWAIT);
	lock_page(to);
	EXPECT_EQUAL(page->mapping->ops->migrate(page, to), -EAGAIN);
	EXPECT(to->mapping == NULL && page->mapping != NULL);
	unlock_page(to);
	__free_page(to);
	unlock_page(page);
	lru_putback(page_zone(node, page), page, LRU_ANON, true);
	reclaim_put_page(node, page);
	EXPECT(anon_reap(thread_owner_id(machine_main())));
	return test_anon_finish();
}

CASE(anon, another_threads_objects_are_not_reaped)
{
	EXPECT(test_anon_start(8, 2));
	EXPECT(test_anon_fill(2, 5));
	EXPECT(anon_reap(thread_owner_id(machine_main()) + 1));
	EXPECT(anon_reap(thread_owner_id(machine_main()) | 1ULL << 32));
	EXPECT(test_anon_holds(2, 5));
	return test_anon_finish();
}

CASE(anon, an_object_outlives_its_owner)
{
	EXPECT(test_anon_start(8, 2));
	EXPECT(test_anon_fill(2, 5));
	anon_disown(machine_main());
	EXPECT_EQUAL(test_anon_rss(), 2);
	machine_main()->mm->rss = 0;
	EXPECT(test_anon_all_out(2));
	EXPECT(test_anon_holds(2, 5));
	EXPECT_EQUAL(test_anon_rss(), 0);
	EXPECT_EQUAL(test_anon_swapents(), 0);
	EXPECT(anon_reap(thread_owner_id(machine_main())));
	EXPECT(test_anon_holds(2, 5));
	return test_anon_finish();
}

/* ---- A naive model ------------------------------------------------------- */

#define MODEL_PAGES 48UL

static struct page *model_target(void *data __unused)
{
	return alloc_page(GFP_NOWAIT | __GFP_NOWARN);
}

static void model_target_back(struct page *page, void *data __unused)
{
	__free_page(page);
}

/* Page INDEX moves to another frame, if it can. */
static void model_move(unsigned long index, enum migrate_mode mode)
{
	struct migrate_target target = { model_target, model_target_back,
		                         NULL };
	struct list pages = LIST_INIT(pages);
	struct page *page;

	if (anon_object_pin(object, index, &page) != 0)
		return;
	if (lru_isolate_page(page_zone(main_node(), page), page))
		list_append(&pages, &page->link);
	anon_object_unpin(page, false);
	migrate_pages(main_node(), &pages, &target, mode);
	migrate_putback(main_node(), &pages);
}

CASE(anon, random_accesses_swapping_and_moving_agree_with_a_model)
{
	static uint8_t model[MODEL_PAGES * PAGE_SIZE];
	static uint8_t bytes[3 * PAGE_SIZE];
	struct random dice = { test_seed() };
	bool on = true;

	EXPECT(test_anon_start(96, MODEL_PAGES));
	memset(model, 0, sizeof(model));
	for (unsigned int round = 0; round < 8000; round++) {
		unsigned long at = random_below(&dice, sizeof(model));
		unsigned long size = random_below(
			&dice, min(sizeof(bytes), sizeof(model) - at) + 1);
		unsigned long index = at / PAGE_SIZE;
		struct anon_usage usage;
		int error;

		switch (random_below(&dice, 10)) {
		case 0:
		case 1:
			memset(bytes, (int)random_next(&dice), size);
			EXPECT_EQUAL(anon_object_write(object, at, bytes, size),
			             0);
			memcpy(model + at, bytes, size);
			break;
		case 2:
		case 3:
			EXPECT_EQUAL(anon_object_read(object, at, bytes, size),
			             0);
			EXPECT(memcmp(model + at, bytes, size) == 0);
			break;
		case 8:
		case 9:
			model_move(index, MIGRATE_ASYNC);
			break;
		case 4:
			disk.deferred = random_below(&dice, 2) != 0;
			if (random_below(&dice, 4) == 0)
				disk.write_fault.nth =
					1 + random_below(&dice, 3);
			break;
		case 5:
			if (random_below(&dice, 60) != 0)
				break;
			error = on ? swapoff(&disk.device)
			           : swapon(&disk.device, 0, NULL);
			EXPECT_EQUAL(error, 0);
			on = !on;
			break;
		default:
			error = anon_object_swap_out(object, index);
			EXPECT(error == 0 || error == -EIO || error == -ENOSPC);
			EXPECT(error != -ENOSPC || !on ||
			       get_nr_swap_pages() == 0);
			break;
		}
		usage = anon_object_usage(object);
		EXPECT(usage.resident == test_anon_rss() &&
		       usage.swapped == test_anon_swapents());
		if (round % 64 == 0) {
			ram_swap_complete(&disk);
			EXPECT(test_anon_check_all() == NULL);
		}
	}
	ram_swap_complete(&disk);
	for (unsigned long at = 0; at < sizeof(model); at += PAGE_SIZE) {
		EXPECT_EQUAL(anon_object_read(object, at, bytes, PAGE_SIZE), 0);
		EXPECT(memcmp(model + at, bytes, PAGE_SIZE) == 0);
	}
	if (!on)
		EXPECT_EQUAL(swapon(&disk.device, 0, NULL), 0);
	return test_anon_finish();
}

/* ---- Does anon_check() see what is wrong? -------------------------------- */

static bool complains(const char *about)
{
	const char *broken = anon_check(text, sizeof(text));

	return broken != NULL && strstr(broken, about) != NULL;
}

CASE(anon, check_sees_each_broken_invariant)
{
	struct page *page;
	swp_entry_t entry;

	EXPECT(test_anon_start(8, 2));
	EXPECT(test_anon_fill(2, 1));
	/* Pinned it is sound; with a reference without an owner it is not. */
	EXPECT_EQUAL(anon_object_pin(object, 0, &page), 0);
	EXPECT(anon_check(text, sizeof(text)) == NULL);
	anon_object_unpin(page, false);
	EXPECT(anon_check(text, sizeof(text)) == NULL);
	get_page(page);
	EXPECT(complains("A4"));
	put_page(page);
	page->refcount = 0;
	EXPECT(complains("A4"));
	page->refcount = 1;
	page->index++;
	EXPECT(complains("A1"));
	page->index--;
	clear_page_dirty_for_io(page);
	EXPECT(complains("A1"));
	set_page_dirty(page);
	page->mapping->nrpages++;
	EXPECT(complains("A3"));
	page->mapping->nrpages--;
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	entry = swp_entry(0, 1);
	swap_free(entry);
	EXPECT(complains("A2"));
	/* The slot again, for the word that has it. */
	page = alloc_page(GFP_KERNEL);
	for (unsigned int slot = 2; slot < 9; slot++) {
		EXPECT_EQUAL(swp_offset(swap_slot_alloc(page)), slot);
		if (slot < 8)
			swap_cache_remove(page);
	}
	swap_cache_remove(page);
	EXPECT_EQUAL(swp_offset(swap_slot_alloc(page)), 1);
	EXPECT_EQUAL(swap_duplicate(entry), 0);
	swap_cache_remove(page);
	put_page(page);
	return test_anon_finish();
}

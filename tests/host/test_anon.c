/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory on the host: every way out of memory and back, errors at
 * every step, and a naive model beside it.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/random.h"
#include "mm/address_space.h"
#include "mm/page_bits.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"
#include "mm/user/anon.h"
#include "tests/host/libmm.h"
#include "tests/mm/direct_reclaim.h"
#include "tests/mm/ram_swap.h"
#include "tests/suite.h"

SUITE(anon);

#define FRAMES 1024UL

static struct node *node;
static struct ram_swap disk;
static struct anon_object *object;
static char text[200];

/* The other activity while thread main sleeps: the disk continues. */
static bool test_anon_disk_works(struct wait_queue *queue)
{
	bool works = disk.pending_count > 0;

	(void)queue;
	ram_swap_complete(&disk);
	return works;
}

static unsigned long rss(void)
{
	return machine_main()->mm->rss;
}

static unsigned long swapents(void)
{
	return machine_main()->mm->swapents;
}

/* A machine with a disk of SLOTS slots, and an object of PAGES. */
static bool test_anon_start(unsigned long slots, unsigned long pages)
{
	machine_start(FRAMES);
	node = machine_one_zone(ZONE_NORMAL, FRAMES);
	swap_start(node);
	anon_start();
	machine_set_wait_hook(test_anon_disk_works);
	object = anon_object_create(pages);
	return object != NULL && ram_swap_make(&disk, "ram", slots + 1) &&
	       swapon(&disk.device, 0, NULL) == 0;
}

static const char *test_anon_check_all(void)
{
	const char *broken = anon_check(text, sizeof(text));

	return broken != NULL ? broken : swap_check(text, sizeof(text));
}

/* Everything adds up, and does not leave anything behind. */
static const char *test_anon_finish(void)
{
	const char *broken = test_anon_check_all();

	if (object != NULL)
		anon_object_destroy(object);
	if (broken != NULL)
		return broken;
	if (rss() != 0 || swapents() != 0)
		return "the thread still has pages";
	if (total_swapcache_pages() != 0)
		return "the swap cache still has pages";
	if (swapoff(&disk.device) != 0)
		return "slots are still in use";
	ram_swap_end(&disk);
	return NULL;
}

/* The first word of page INDEX. */
static int test_anon_put(unsigned long index, uint64_t value)
{
	return anon_object_write(object, index * PAGE_SIZE, &value,
	                         sizeof(value));
}

/* Return -errno, or the stored value. */
static long test_anon_get(unsigned long index)
{
	uint64_t value = 0;
	int error = anon_object_read(object, index * PAGE_SIZE, &value,
	                             sizeof(value));

	return error != 0 ? error : (long)value;
}

/* All of the object's pages, word 0 of each: FIRST, FIRST + 1 ... */
static bool test_anon_fill(unsigned long pages, uint64_t first)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (test_anon_put(i, first + i) != 0)
			return false;
	}
	return true;
}

static bool holds(unsigned long pages, uint64_t first)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (test_anon_get(i) != (long)(first + i))
			return false;
	}
	return true;
}

static bool all_out(unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (anon_object_swap_out(object, i) != 0)
			return false;
	}
	return anon_object_usage(object).swapped == pages;
}

/* ---- Without swap -------------------------------------------------------- */

CASE(anon, untouched_pages_are_zero_and_take_no_memory)
{
	unsigned long before;
	char bytes[3 * PAGE_SIZE];

	EXPECT(test_anon_start(8, ANON_MAX_PAGES));
	before = node_free(node);
	memset(bytes, 1, sizeof(bytes));
	EXPECT_EQUAL(anon_object_read(object, 17, bytes, sizeof(bytes)), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		EXPECT(bytes[i] == 0);
	EXPECT_EQUAL(node_free(node), before);
	EXPECT_EQUAL(test_anon_put(ANON_MAX_PAGES - 1, 1), 0);
	/* The page, and the leaf. */
	EXPECT_EQUAL(node_free(node), before - 2);
	EXPECT_EQUAL(rss(), 1);
	return test_anon_finish();
}

CASE(anon, bytes_are_copied_across_pages)
{
	char out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];

	EXPECT(test_anon_start(8, 4));
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / PAGE_SIZE);
	EXPECT_EQUAL(anon_object_write(object, 100, out, sizeof(out)), 0);
	EXPECT(all_out(4));
	EXPECT_EQUAL(anon_object_read(object, 100, in, sizeof(in)), 0);
	EXPECT(memcmp(in, out, sizeof(out)) == 0);
	/* The rest of the first and of the last page is zero. */
	EXPECT_EQUAL(test_anon_get(0), 0);
	return test_anon_finish();
}

CASE(anon, accesses_outside_of_the_object_are_refused)
{
	char bytes[2] = { 0 };
	struct page *page;

	EXPECT(test_anon_start(8, 2));
	EXPECT_EQUAL(anon_object_write(object, 2 * PAGE_SIZE - 1, bytes, 2),
	             -EINVAL);
	EXPECT_EQUAL(anon_object_read(object, UINT64_MAX, bytes, 2), -EINVAL);
	EXPECT_EQUAL(anon_object_read(object, 1, bytes, UINT64_MAX), -EINVAL);
	EXPECT_EQUAL(anon_object_read(object, 2 * PAGE_SIZE, bytes, 0), 0);
	EXPECT_EQUAL(anon_object_pin(object, 2, &page), -EINVAL);
	EXPECT_EQUAL(anon_object_swap_out(object, 2), -EINVAL);
	EXPECT(anon_object_create(0) == NULL);
	EXPECT(anon_object_create(ANON_MAX_PAGES + 1) == NULL);
	EXPECT_EQUAL(rss(), 0);
	return test_anon_finish();
}

/* ---- Out and in ---------------------------------------------------------- */

/* Permutation NUMBER of 0 .. 3. */
static void permute(unsigned int number, unsigned long order[4])
{
	for (unsigned int i = 0; i < 4; i++)
		order[i] = i;
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int from = i + number % (4 - i);
		unsigned long moved = order[from];

		number /= 4 - i;
		order[from] = order[i];
		order[i] = moved;
	}
}

CASE(anon, pages_leave_and_come_back_in_every_order)
{
	EXPECT(test_anon_start(8, 4));
	for (unsigned int round = 0; round < 24 * 24; round++) {
		unsigned long out[4], in[4];

		permute(round / 24, out);
		permute(round % 24, in);
		EXPECT(test_anon_fill(4, 10 * round));
		for (unsigned int i = 0; i < 4; i++) {
			EXPECT_EQUAL(anon_object_swap_out(object, out[i]), 0);
			EXPECT_EQUAL(swapents(), i + 1);
			EXPECT_EQUAL(rss(), 3 - i);
		}
		EXPECT(test_anon_check_all() == NULL);
		for (unsigned int i = 0; i < 4; i++)
			EXPECT_EQUAL(test_anon_get(in[i]), 10 * round + in[i]);
		EXPECT_EQUAL(rss(), 4);
		EXPECT_EQUAL(swapents(), 0);
	}
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pswpout), disk.writes);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pswpin), disk.reads - 1);
	return test_anon_finish();
}

CASE(anon, a_page_that_was_only_read_leaves_without_being_written)
{
	EXPECT(test_anon_start(16, 4));
	EXPECT(test_anon_fill(4, 5));
	EXPECT(all_out(4));
	EXPECT_EQUAL(disk.writes, 4);
	EXPECT(holds(4, 5));
	EXPECT_EQUAL(total_swapcache_pages(), 4);
	EXPECT_EQUAL(test_anon_put(2, 7), 0);
	EXPECT(all_out(4));
	EXPECT_EQUAL(disk.writes, 5);
	EXPECT(holds(2, 5));
	return test_anon_get(2) == 7 ? test_anon_finish()
	                             : "the new contents are lost";
}

CASE(anon, slots_are_not_kept_while_swap_is_nearly_full)
{
	EXPECT(test_anon_start(6, 6));
	EXPECT(test_anon_fill(6, 1));
	EXPECT(all_out(4));
	EXPECT_EQUAL(test_anon_get(0), 1);
	EXPECT_EQUAL(total_swapcache_pages(), 0);
	EXPECT_EQUAL(get_nr_swap_pages(), 3);
	EXPECT_EQUAL(test_anon_get(1), 2);
	EXPECT_EQUAL(total_swapcache_pages(), 1);
	EXPECT(anon_object_swap_out(object, 4) == 0);
	EXPECT(anon_object_swap_out(object, 5) == 0);
	/* Written to: the old contents are of no use. */
	EXPECT_EQUAL(test_anon_put(1, 9), 0);
	EXPECT_EQUAL(total_swapcache_pages(), 0);
	EXPECT_EQUAL(get_nr_swap_pages(), 2);
	return test_anon_get(1) == 9 ? test_anon_finish()
	                             : "the new contents are lost";
}

CASE(anon, full_swap_is_logged_and_the_page_stays)
{
	EXPECT(test_anon_start(3, 5));
	EXPECT(test_anon_fill(5, 1));
	EXPECT(!all_out(5));
	EXPECT_EQUAL(anon_object_usage(object).resident, 2);
	EXPECT_EQUAL(anon_object_swap_out(object, 4), -ENOSPC);
	EXPECT_EQUAL(test_anon_get(4), 5);
	EXPECT_EQUAL(test_anon_get(3), 4);
	EXPECT(holds(5, 1));
	return test_anon_finish();
}

/* ---- While a page is on its way out -------------------------------------- */

/* Begin to write page INDEX out: what reclaim does first. */
static struct page *begin_write(unsigned long index)
{
	struct page *page;

	if (anon_object_pin(object, index, &page) != 0)
		return NULL;
	lock_page(page);
	if (page->mapping->ops->add_to_swap(page) != 0)
		return NULL;
	clear_page_dirty_for_io(page);
	if (page->mapping->ops->writepage(page) != 0)
		return NULL;
	return page;
}

CASE(anon, an_access_during_the_write_takes_the_page_in_memory)
{
	struct page *page;

	EXPECT(test_anon_start(8, 2));
	disk.deferred = true;
	EXPECT(test_anon_fill(2, 3));
	page = begin_write(0);
	EXPECT(page != NULL && page_has(page, PG_writeback));
	EXPECT(!page_has(page, PG_locked));
	EXPECT_EQUAL(test_anon_get(0), 3);
	EXPECT_EQUAL(test_anon_put(0, 33), 0);
	EXPECT_EQUAL(disk.reads, 1);
	EXPECT(swap_cache_get(page_swap_entry(page)) == page);
	put_page(page);
	/* Not while it is being written, and not with newer contents. */
	lock_page(page);
	EXPECT(!page->mapping->ops->release(page));
	ram_swap_complete(&disk);
	EXPECT(!page->mapping->ops->release(page));
	unlock_page(page);
	put_page(page);
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	EXPECT_EQUAL(disk.writes, 2);
	EXPECT_EQUAL(test_anon_get(0), 33);
	return test_anon_finish();
}

/*
 * Its slot does not hold its contents yet: another reader would get the old
 * contents.
 */
CASE(anon, a_page_does_not_leave_while_it_is_being_written)
{
	struct page *page;

	EXPECT(test_anon_start(8, 2));
	disk.deferred = true;
	EXPECT(test_anon_fill(2, 3));
	page = begin_write(0);
	EXPECT(page != NULL && page_has(page, PG_writeback));
	EXPECT(!page_has(page, PG_dirty));
	lock_page(page);
	EXPECT(!page->mapping->ops->release(page));
	ram_swap_complete(&disk);
	EXPECT(page->mapping->ops->release(page));
	unlock_page(page);
	put_page(page);
	EXPECT_EQUAL(test_anon_get(0), 3);
	/* The header, and the page. */
	EXPECT_EQUAL(disk.reads, 2);
	return test_anon_finish();
}

CASE(anon, destroying_waits_for_the_write)
{
	struct page *page;

	EXPECT(test_anon_start(8, 2));
	disk.deferred = true;
	EXPECT(test_anon_fill(2, 3));
	page = begin_write(1);
	EXPECT(page != NULL);
	put_page(page);
	anon_object_destroy(object);
	object = NULL;
	EXPECT_EQUAL(disk.pending_count, 0);
	EXPECT_EQUAL(get_nr_swap_pages(), 8);
	return test_anon_finish();
}

/* Another reader of the same page, who has begun and gives up. */
static struct page *other_page;

static bool other_reader_gives_up(struct wait_queue *queue)
{
	if (other_page == NULL || !page_has(other_page, PG_locked))
		return test_anon_disk_works(queue);
	swap_cache_remove(other_page);
	unlock_page(other_page);
	return true;
}

CASE(anon, who_comes_while_another_reads_the_page_waits_for_it)
{
	EXPECT(test_anon_start(8, 1));
	EXPECT(test_anon_fill(1, 3));
	EXPECT(all_out(1));
	other_page = alloc_page(GFP_KERNEL);
	EXPECT(other_page != NULL && trylock_page(other_page));
	held_hand_on(HELD_PAGE_LOCK, other_page);
	EXPECT_EQUAL(swap_cache_add(swp_entry(0, 1), other_page), 0);
	machine_set_wait_hook(other_reader_gives_up);
	disk.reads = 0;
	EXPECT_EQUAL(test_anon_get(0), 3);
	EXPECT(!page_has(other_page, PG_locked));
	EXPECT_EQUAL(page_ref_count(other_page), 1);
	EXPECT_EQUAL(disk.reads, 1);
	put_page(other_page);
	return test_anon_finish();
}

CASE(anon, a_pinned_page_stays)
{
	struct page *page;

	EXPECT(test_anon_start(8, 2));
	EXPECT_EQUAL(anon_object_pin(object, 0, &page), 0);
	EXPECT_EQUAL(anon_object_swap_out(object, 0), -EBUSY);
	memcpy(page_address(page), "pinned", 7);
	anon_object_unpin(page, true);
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	EXPECT_EQUAL(anon_object_pin(object, 0, &page), 0);
	EXPECT(strcmp(page_address(page), "pinned") == 0);
	/* Written while the slot has the older contents. */
	memcpy(page_address(page), "PINNED", 7);
	anon_object_unpin(page, true);
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	EXPECT_EQUAL(anon_object_pin(object, 0, &page), 0);
	EXPECT(strcmp(page_address(page), "PINNED") == 0);
	anon_object_unpin(page, false);
	return test_anon_finish();
}

CASE(anon, reclaim_is_told_once_that_a_page_was_used)
{
	struct page *page;

	EXPECT(test_anon_start(8, 1));
	EXPECT_EQUAL(anon_object_pin(object, 0, &page), 0);
	lock_page(page);
	EXPECT(page->mapping->ops->referenced(page));
	EXPECT(!page->mapping->ops->referenced(page));
	unlock_page(page);
	EXPECT_EQUAL(test_anon_get(0), 0);
	lock_page(page);
	EXPECT(page->mapping->ops->referenced(page));
	unlock_page(page);
	anon_object_unpin(page, false);
	return test_anon_finish();
}

/* ---- Errors of the disk -------------------------------------------------- */

CASE(anon, a_failed_write_keeps_the_page_and_takes_another_slot)
{
	struct swap_info info;

	EXPECT(test_anon_start(4, 2));
	EXPECT(test_anon_fill(2, 8));
	disk.write_fault.nth = 1;
	EXPECT_EQUAL(anon_object_swap_out(object, 0), -EIO);
	EXPECT_EQUAL(rss(), 2);
	EXPECT(test_anon_check_all() == NULL);
	EXPECT_EQUAL(test_anon_get(0), 8);
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	EXPECT(swap_area_info(0, &info));
	EXPECT(info.bad == 1 && info.used == 1 && info.pages == 3);
	EXPECT_EQUAL(get_nr_swap_pages(), 2);
	return holds(2, 8) ? test_anon_finish() : "data lost";
}

CASE(anon, a_write_that_does_not_begin_keeps_the_page)
{
	struct swap_info info;

	EXPECT(test_anon_start(4, 2));
	EXPECT(test_anon_fill(2, 8));
	disk.start_fault.nth = 1;
	EXPECT_EQUAL(anon_object_swap_out(object, 0), -ENXIO);
	EXPECT(test_anon_check_all() == NULL);
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	EXPECT(swap_area_info(0, &info));
	EXPECT(info.bad == 0 && info.used == 1);
	return holds(2, 8) ? test_anon_finish() : "data lost";
}

CASE(anon, a_failed_read_is_an_error_to_the_reader_and_nothing_else)
{
	unsigned long before;

	EXPECT(test_anon_start(4, 2));
	EXPECT(test_anon_fill(2, 8));
	EXPECT(all_out(2));
	before = node_free(node);
	disk.read_fault = (struct ram_fault){ .nth = 1, .forever = true };
	EXPECT_EQUAL(test_anon_get(0), -EIO);
	EXPECT_EQUAL(test_anon_put(0, 1), -EIO);
	EXPECT_EQUAL(node_free(node), before);
	EXPECT_EQUAL(swapents(), 2);
	EXPECT(test_anon_check_all() == NULL);
	disk.read_fault.nth = 0;
	return holds(2, 8) ? test_anon_finish() : "data lost";
}

/* Out, back, and swapoff, with the n-th call of the disk failing, for every
 * n until none fails. */
CASE(anon, whichever_call_of_the_disk_fails_nothing_is_lost)
{
	for (unsigned int kind = 0; kind < 6; kind++) {
		struct ram_fault *const fault[] = { &disk.read_fault,
			                            &disk.write_fault,
			                            &disk.start_fault };
		bool failed = true;

		for (unsigned long nth = 1; failed; nth++) {
			bool off;

			EXPECT(test_anon_start(32, 6));
			EXPECT(test_anon_fill(6, 100));
			fault[kind / 2]->nth = nth;
			fault[kind / 2]->forever = kind % 2 != 0;
			failed = !all_out(6);
			failed = !holds(6, 100) || failed;
			failed = !all_out(6) || failed;
			off = swapoff(&disk.device) == 0;
			failed = !off || failed;
			EXPECT(test_anon_check_all() == NULL);
			*fault[kind / 2] = (struct ram_fault){ 0 };
			EXPECT(holds(6, 100));
			EXPECT(all_out(off ? 0 : 6) || off);
			EXPECT(holds(6, 100));
			if (off)
				EXPECT_EQUAL(swapon(&disk.device, 0, NULL), 0);
			EXPECT(test_anon_finish() == NULL);
			EXPECT(machine_finish() == NULL);
			EXPECT(nth < 40);
		}
	}
	object = NULL;
	return NULL;
}

/* ---- No memory ----------------------------------------------------------- */

/* Take all pages, linked. */
static struct list hoard;
static unsigned long hoarded;

static void take_all_memory(void)
{
	struct page *page;

	list_init(&hoard);
	hoarded = 0;
	while ((page = alloc_page(GFP_ATOMIC | __GFP_NOWARN)) != NULL) {
		list_push(&hoard, &page->link);
		hoarded++;
	}
}

static void test_anon_give_memory(unsigned long pages)
{
	while (pages-- > 0 && !list_empty(&hoard)) {
		struct page *page = list_first(&hoard, struct page, link);

		list_remove(&page->link);
		put_page(page);
	}
}

CASE(anon, without_memory_an_access_says_so_and_loses_nothing)
{
	EXPECT(test_anon_start(8, 600));
	EXPECT(test_anon_fill(3, 50));
	EXPECT(all_out(3));
	take_all_memory();
	EXPECT_EQUAL(test_anon_get(0), -ENOMEM);
	EXPECT_EQUAL(test_anon_put(5, 1), -ENOMEM);
	EXPECT_EQUAL(test_anon_put(599, 1), -ENOMEM);
	EXPECT_EQUAL(test_anon_get(5), 0);
	/* The leaf, and not the page: the leaf stays. */
	test_anon_give_memory(1);
	EXPECT_EQUAL(test_anon_put(599, 1), -ENOMEM);
	test_anon_give_memory(1);
	EXPECT_EQUAL(test_anon_put(599, 1), 0);
	test_anon_give_memory(FRAMES);
	EXPECT(holds(3, 50));
	return test_anon_finish();
}

CASE(anon, swapon_without_memory_leaves_nothing_behind)
{
	EXPECT(test_anon_start(8, 1));
	EXPECT_EQUAL(swapon(&disk.device, 0, NULL), -EBUSY);
	EXPECT_EQUAL(swapoff(&disk.device), 0);
	EXPECT_EQUAL(swapoff(&disk.device), -ENXIO);
	take_all_memory();
	for (unsigned int pages = 0; pages < 3; pages++) {
		unsigned long before = node_free(node);

		EXPECT_EQUAL(swapon(&disk.device, 0, NULL), -ENOMEM);
		EXPECT_EQUAL(node_free(node), before);
		test_anon_give_memory(1);
	}
	EXPECT_EQUAL(swapon(&disk.device, 0, NULL), 0);
	test_anon_give_memory(FRAMES);
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
	EXPECT(all_out(8));
	/* Some in memory with a slot, one of them being written. */
	EXPECT_EQUAL(test_anon_get(1), 71);
	EXPECT_EQUAL(test_anon_put(2, 72), 0);
	disk.deferred = true;
	put_page(begin_write(2));
	EXPECT_EQUAL(swapoff(&disk.device), 0);
	EXPECT_EQUAL(total_swap_pages(), 0);
	EXPECT_EQUAL(rss(), 8);
	EXPECT_EQUAL(swapents(), 0);
	EXPECT(holds(8, 70));
	EXPECT_EQUAL(anon_object_swap_out(object, 0), -ENOSPC);
	EXPECT_EQUAL(swapon(&disk.device, 0, NULL), 0);
	return test_anon_finish();
}

CASE(anon, swapoff_without_memory_or_with_an_error_leaves_the_area_on)
{
	EXPECT(test_anon_start(16, 8));
	EXPECT(test_anon_fill(8, 70));
	EXPECT(all_out(8));
	take_all_memory();
	test_anon_give_memory(3);
	EXPECT_EQUAL(swapoff(&disk.device), -ENOMEM);
	EXPECT_EQUAL(rss(), 3);
	EXPECT_EQUAL(swapents(), 5);
	EXPECT(test_anon_check_all() == NULL);
	test_anon_give_memory(FRAMES);
	disk.read_fault.nth = 4;
	EXPECT_EQUAL(swapoff(&disk.device), -EIO);
	EXPECT_EQUAL(swapents(), 2);
	EXPECT_EQUAL(total_swap_pages(), 16);
	EXPECT(test_anon_check_all() == NULL);
	EXPECT(holds(8, 70));
	EXPECT(all_out(8));
	return test_anon_finish();
}

CASE(anon, swapoff_by_a_thread_that_was_killed_leaves_the_area_on)
{
	int error;

	EXPECT(test_anon_start(16, 8));
	EXPECT(test_anon_fill(8, 70));
	EXPECT(all_out(8));
	thread_set_flags(current_thread(), THREAD_KILLED);
	error = swapoff(&disk.device);
	thread_clear_flags(current_thread(), THREAD_KILLED);
	EXPECT_EQUAL(error, -EINTR);
	EXPECT_EQUAL(swapents(), 8);
	EXPECT_EQUAL(total_swap_pages(), 16);
	EXPECT(holds(8, 70));
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
	EXPECT(all_out(8));
	EXPECT_EQUAL(disk.writes, 4);
	EXPECT_EQUAL(other.writes, 4);
	/* One is back from the first, and keeps its slot there. */
	EXPECT_EQUAL(test_anon_get(0), 70);
	EXPECT_EQUAL(swapoff(&other.device), 0);
	EXPECT_EQUAL(swapents(), 3);
	EXPECT_EQUAL(total_swapcache_pages(), 1);
	EXPECT_EQUAL(disk.reads, 2);
	EXPECT_EQUAL(other.reads, 5);
	ram_swap_end(&other);
	EXPECT(holds(8, 70));
	return test_anon_finish();
}

/* ---- Reclaim on top of an access ----------------------------------------- */

static unsigned long reclaimed;
static unsigned long next_victim;

/* Every allocation below the low mark ends here, and throws a page of the same
 * object out. */
static void reclaim_on_top(struct node *which, unsigned int order,
                           enum zone_type highest)
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
	machine_set_marks(&node->zone[ZONE_NORMAL], 8, FRAMES, FRAMES);
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
static unsigned long reclaim(gfp_t mask, unsigned int calls)
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
	EXPECT_EQUAL(reclaim(GFP_NOIO, 20), 0);
	EXPECT_EQUAL(disk.writes, 0);
	EXPECT_EQUAL(rss(), 100);
	/* Writes that end immediately, and writes that end while it waits. */
	for (unsigned int round = 0; round < 2; round++) {
		EXPECT_EQUAL(reclaim(GFP_KERNEL, 20), 100);
		EXPECT_EQUAL(swapents(), 100);
		EXPECT(check_lru() == NULL);
		EXPECT(test_anon_check_all() == NULL);
		EXPECT(holds(100, 40));
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
	EXPECT(all_out(10));
	EXPECT(holds(10, 40));
	disk.writes = 0;
	EXPECT_EQUAL(reclaim(GFP_NOIO, 20), 10);
	EXPECT_EQUAL(disk.writes, 0);
	EXPECT(holds(10, 40));
	return test_anon_finish();
}

CASE(anon, reclaim_loses_nothing_when_the_disk_fails)
{
	EXPECT(test_anon_start(250, 12));
	reclaim_set_swap(node, get_nr_swap_pages);
	EXPECT(test_anon_fill(12, 7));
	disk.write_fault = (struct ram_fault){ .nth = 5, .forever = true };
	reclaim(GFP_KERNEL, 4);
	EXPECT(disk.writes >= 5);
	EXPECT(rss() >= 8 && swapents() <= 4);
	EXPECT(check_lru() == NULL);
	EXPECT(test_anon_check_all() == NULL);
	disk.write_fault = (struct ram_fault){ .nth = 3 };
	reclaim(GFP_KERNEL, 20);
	EXPECT_EQUAL(swapents(), 12);
	EXPECT(check_lru() == NULL);
	return holds(12, 7) ? test_anon_finish() : "data lost";
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
	pinned = begin_write(2);
	EXPECT(pinned != NULL);
	/* One is being written: not everything yet. */
	EXPECT(!anon_reap(thread_owner_id(machine_main())));
	EXPECT_EQUAL(rss(), 1);
	EXPECT_EQUAL(swapents(), 0);
	EXPECT_EQUAL(test_anon_get(0), -EFAULT);
	EXPECT_EQUAL(test_anon_put(3, 1), -EFAULT);
	EXPECT_EQUAL(anon_object_swap_out(object, 2), -EFAULT);
	ram_swap_complete(&disk);
	EXPECT(anon_reap(thread_owner_id(machine_main())));
	EXPECT_EQUAL(rss(), 0);
	/* The holder of a page keeps it until it drops it. */
	EXPECT_EQUAL(*(uint64_t *)page_address(pinned), 3);
	anon_object_unpin(pinned, false);
	/* All but the leaf. */
	EXPECT_EQUAL(node_free(node), before - 1);
	return test_anon_finish();
}

CASE(anon, another_threads_objects_are_not_reaped)
{
	EXPECT(test_anon_start(8, 2));
	EXPECT(test_anon_fill(2, 5));
	EXPECT(anon_reap(thread_owner_id(machine_main()) + 1));
	EXPECT(anon_reap(thread_owner_id(machine_main()) | 1ULL << 32));
	EXPECT(holds(2, 5));
	return test_anon_finish();
}

CASE(anon, an_object_outlives_its_owner)
{
	EXPECT(test_anon_start(8, 2));
	EXPECT(test_anon_fill(2, 5));
	anon_disown(machine_main());
	EXPECT_EQUAL(rss(), 2);
	machine_main()->mm->rss = 0;
	EXPECT(all_out(2));
	EXPECT(holds(2, 5));
	EXPECT_EQUAL(rss(), 0);
	EXPECT_EQUAL(swapents(), 0);
	EXPECT(anon_reap(thread_owner_id(machine_main())));
	EXPECT(holds(2, 5));
	return test_anon_finish();
}

/* ---- A naive model ------------------------------------------------------- */

#define MODEL_PAGES 48UL

CASE(anon, random_accesses_and_swapping_agree_with_a_model)
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

		switch (random_below(&dice, 8)) {
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
		EXPECT(usage.resident == rss() && usage.swapped == swapents());
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

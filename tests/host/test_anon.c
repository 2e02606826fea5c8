/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory on the host: every way out of memory and back, and errors of the disk
 * at every step.
 */
#include "tests/host/test_anon.h"

#include <string.h>

#include "lib/errno.h"
#include "mm/page_bits.h"
#include "mm/reclaim/address_space.h"
#include "mm/reclaim/page_lock.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(anon);

struct ram_swap disk;
struct anon_object *object;
static char text[200];

/* The other activity while thread main sleeps: the disk continues. */
static bool test_anon_disk_works(struct wait_queue *queue)
{
	bool works = disk.pending_count > 0;

	(void)queue;
	ram_swap_complete(&disk);
	return works;
}

unsigned long test_anon_rss(void)
{
	return machine_main()->mm->rss;
}

unsigned long test_anon_swapents(void)
{
	return machine_main()->mm->swapents;
}

bool test_anon_start(unsigned long slots, unsigned long pages)
{
	machine_start(ANON_FRAMES);
	node = machine_one_zone(ZONE_NORMAL, ANON_FRAMES);
	swap_start(node);
	anon_start();
	machine_set_wait_hook(test_anon_disk_works);
	object = anon_object_create(pages);
	return object != NULL && ram_swap_make(&disk, "ram", slots + 1) &&
	       swapon(&disk.device, 0, NULL) == 0;
}

const char *test_anon_check_all(void)
{
	const char *broken = anon_check(text, sizeof(text));

	return broken != NULL ? broken : swap_check(text, sizeof(text));
}

const char *test_anon_finish(void)
{
	const char *broken = test_anon_check_all();

	if (object != NULL)
		anon_object_destroy(object);
	if (broken != NULL)
		return broken;
	if (test_anon_rss() != 0 || test_anon_swapents() != 0)
		return "the thread still has pages";
	if (total_swapcache_pages() != 0)
		return "the swap cache still has pages";
	if (swapoff(&disk.device) != 0)
		return "slots are still in use";
	ram_swap_end(&disk);
	return NULL;
}

int test_anon_put(unsigned long index, uint64_t value)
{
	return anon_object_write(object, index * PAGE_SIZE, &value,
	                         sizeof(value));
}

long test_anon_get(unsigned long index)
{
	uint64_t value = 0;
	int error = anon_object_read(object, index * PAGE_SIZE, &value,
	                             sizeof(value));

	return error != 0 ? error : (long)value;
}

bool test_anon_fill(unsigned long pages, uint64_t first)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (test_anon_put(i, first + i) != 0)
			return false;
	}
	return true;
}

bool test_anon_holds(unsigned long pages, uint64_t first)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (test_anon_get(i) != (long)(first + i))
			return false;
	}
	return true;
}

bool test_anon_all_out(unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++) {
		if (anon_object_swap_out(object, i) != 0)
			return false;
	}
	return anon_object_usage(object).swapped == pages;
}

struct page *test_anon_begin_write(unsigned long index)
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

/* Take all pages, linked. */
static struct list hoard;
static unsigned long hoarded;

void test_anon_take_memory(void)
{
	struct page *page;

	list_init(&hoard);
	hoarded = 0;
	while ((page = alloc_page(GFP_ATOMIC | __GFP_NOWARN)) != NULL) {
		list_push(&hoard, &page->link);
		hoarded++;
	}
}

void test_anon_give_memory(unsigned long pages)
{
	while (pages-- > 0 && !list_empty(&hoard)) {
		struct page *page = list_first(&hoard, struct page, link);

		list_remove(&page->link);
		put_page(page);
	}
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
	EXPECT_EQUAL(test_anon_rss(), 1);
	return test_anon_finish();
}

CASE(anon, bytes_are_copied_across_pages)
{
	char out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];

	EXPECT(test_anon_start(8, 4));
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / PAGE_SIZE);
	EXPECT_EQUAL(anon_object_write(object, 100, out, sizeof(out)), 0);
	EXPECT(test_anon_all_out(4));
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
	EXPECT_EQUAL(test_anon_rss(), 0);
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
			EXPECT_EQUAL(test_anon_swapents(), i + 1);
			EXPECT_EQUAL(test_anon_rss(), 3 - i);
		}
		EXPECT(test_anon_check_all() == NULL);
		for (unsigned int i = 0; i < 4; i++)
			EXPECT_EQUAL(test_anon_get(in[i]), 10 * round + in[i]);
		EXPECT_EQUAL(test_anon_rss(), 4);
		EXPECT_EQUAL(test_anon_swapents(), 0);
	}
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pswpout), disk.writes);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_pswpin), disk.reads - 1);
	return test_anon_finish();
}

CASE(anon, a_page_that_was_only_read_leaves_without_being_written)
{
	EXPECT(test_anon_start(16, 4));
	EXPECT(test_anon_fill(4, 5));
	EXPECT(test_anon_all_out(4));
	EXPECT_EQUAL(disk.writes, 4);
	EXPECT(test_anon_holds(4, 5));
	EXPECT_EQUAL(total_swapcache_pages(), 4);
	EXPECT_EQUAL(test_anon_put(2, 7), 0);
	EXPECT(test_anon_all_out(4));
	EXPECT_EQUAL(disk.writes, 5);
	EXPECT(test_anon_holds(2, 5));
	return test_anon_get(2) == 7 ? test_anon_finish()
	                             : "the new contents are lost";
}

CASE(anon, slots_are_not_kept_while_swap_is_nearly_full)
{
	EXPECT(test_anon_start(6, 6));
	EXPECT(test_anon_fill(6, 1));
	EXPECT(test_anon_all_out(4));
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
	EXPECT(!test_anon_all_out(5));
	EXPECT_EQUAL(anon_object_usage(object).resident, 2);
	EXPECT_EQUAL(anon_object_swap_out(object, 4), -ENOSPC);
	EXPECT_EQUAL(test_anon_get(4), 5);
	EXPECT_EQUAL(test_anon_get(3), 4);
	EXPECT(test_anon_holds(5, 1));
	return test_anon_finish();
}

/* ---- While a page is on its way out -------------------------------------- */

CASE(anon, an_access_during_the_write_takes_the_page_in_memory)
{
	struct page *page;

	EXPECT(test_anon_start(8, 2));
	disk.deferred = true;
	EXPECT(test_anon_fill(2, 3));
	page = test_anon_begin_write(0);
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
	page = test_anon_begin_write(0);
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
	page = test_anon_begin_write(1);
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
	EXPECT(test_anon_all_out(1));
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

static unsigned int quicker; /* reads that were */

/* Another thread reads the page while this one has no memory for it yet. */
static void quicker_reader(const struct spinlock *lock)
{
	if (lock != &node->zone[ZONE_NORMAL].lock || quicker > 0)
		return;
	quicker++;
	kassert(test_anon_get(1) == 78);
}

CASE(anon, the_slower_of_two_readers_takes_the_page_of_the_quicker)
{
	EXPECT(test_anon_start(64, 4));
	EXPECT(test_anon_fill(4, 77));
	EXPECT(test_anon_all_out(4));
	quicker = 0;
	machine_set_unlock_hook(quicker_reader);
	EXPECT_EQUAL(test_anon_get(1), 78);
	machine_set_unlock_hook(NULL);
	EXPECT_EQUAL(quicker, 1);
	EXPECT(test_anon_holds(4, 77));
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
	EXPECT_EQUAL(test_anon_rss(), 2);
	EXPECT(test_anon_check_all() == NULL);
	EXPECT_EQUAL(test_anon_get(0), 8);
	EXPECT_EQUAL(anon_object_swap_out(object, 0), 0);
	EXPECT(swap_area_info(0, &info));
	EXPECT(info.bad == 1 && info.used == 1 && info.pages == 3);
	EXPECT_EQUAL(get_nr_swap_pages(), 2);
	return test_anon_holds(2, 8) ? test_anon_finish() : "data lost";
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
	return test_anon_holds(2, 8) ? test_anon_finish() : "data lost";
}

CASE(anon, a_failed_read_is_an_error_to_the_reader_and_nothing_else)
{
	unsigned long before;

	EXPECT(test_anon_start(4, 2));
	EXPECT(test_anon_fill(2, 8));
	EXPECT(test_anon_all_out(2));
	before = node_free(node);
	disk.read_fault = (struct ram_fault){ .nth = 1, .forever = true };
	EXPECT_EQUAL(test_anon_get(0), -EIO);
	EXPECT_EQUAL(test_anon_put(0, 1), -EIO);
	EXPECT_EQUAL(node_free(node), before);
	EXPECT_EQUAL(test_anon_swapents(), 2);
	EXPECT(test_anon_check_all() == NULL);
	disk.read_fault.nth = 0;
	return test_anon_holds(2, 8) ? test_anon_finish() : "data lost";
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
			failed = !test_anon_all_out(6);
			failed = !test_anon_holds(6, 100) || failed;
			failed = !test_anon_all_out(6) || failed;
			off = swapoff(&disk.device) == 0;
			failed = !off || failed;
			EXPECT(test_anon_check_all() == NULL);
			*fault[kind / 2] = (struct ram_fault){ 0 };
			EXPECT(test_anon_holds(6, 100));
			EXPECT(test_anon_all_out(off ? 0 : 6) || off);
			EXPECT(test_anon_holds(6, 100));
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

/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_exclusive_refusals.c -- calls that are refused.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/core/printk.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/page_state.h"
#include "mm/slab/vmalloc.h"
#include "tests/kernel/bench.h"
#include "tests/kernel/test_exclusive.h"
#include "tests/suite.h"

SUITE(exclusive);

/* ---- Refusals ------------------------------------------------------------ */

CASE(exclusive, release_twice_is_refused)
{
	uint64_t mark = log_mark();
	void *page = TAKE();

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	EXPECT_EQUAL(exclusive_release(page), -ENOENT);
	EXPECT(log_contains_since(mark, "released"));
	return NULL;
}

CASE(exclusive, release_of_no_exclusive_address_is_refused)
{
	char *page = TAKE();
	int local;

	EXPECT(page != NULL);
	EXPECT_EQUAL(exclusive_release(NULL), -EINVAL);
	EXPECT_EQUAL(exclusive_release(&local), -EINVAL);
	EXPECT_EQUAL(exclusive_release(page + 1), -EINVAL);
	EXPECT_EQUAL(exclusive_release(phys_to_virt(0x200000)), -EINVAL);
	EXPECT_EQUAL(exclusive_release((void *)0x123456789000UL), -EINVAL);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

struct stranger {
	void *page;
	int release;
	int transfer;
	int cancel;
	uint64_t self;
};

static void stranger_calls(void *data)
{
	struct stranger *stranger = data;

	stranger->self = current_owner_id();
	stranger->release = exclusive_release(stranger->page);
	stranger->transfer = exclusive_transfer(stranger->page, stranger->self);
	stranger->cancel = exclusive_cancel(stranger->page);
}

CASE(exclusive, stranger_can_neither_release_nor_hand_over)
{
	struct stranger stranger = { .page = TAKE() };
	uint64_t mark = log_mark();
	struct thread *thread;

	EXPECT(stranger.page != NULL);
	memset(stranger.page, 0x44, PAGE_SIZE);
	thread = thread_create("stranger", stranger_calls, &stranger);
	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	EXPECT_EQUAL(stranger.release, -EPERM);
	EXPECT_EQUAL(stranger.transfer, -EPERM);
	EXPECT_EQUAL(stranger.cancel, -ENOENT);
	EXPECT(log_contains_since(mark, "stranger"));
	EXPECT(log_contains_since(mark, current_owner()->name));
	EXPECT(in_timer_interrupt(stranger_calls, &stranger));
	EXPECT_EQUAL(stranger.release, -EPERM);
	EXPECT_EQUAL(stranger.transfer, -EPERM);
	EXPECT(is_filled(stranger.page, 0x44));
	EXPECT_EQUAL(exclusive_release(stranger.page), 0);
	return NULL;
}

/* A leaked page of the main node goes back to the buddy. */
static void mend_bad_page(struct page *page)
{
	struct zone *zone = page_zone(main_node(), page);
	bool enabled = spin_lock_irqsave(&zone->lock);

	page_set_state(zone, page, PAGE_BAD, PAGE_LOOSE);
	buddy_give(zone, page, 0);
	spin_unlock_irqrestore(&zone->lock, enabled);
}

CASE(exclusive, a_page_freed_behind_its_mapping_stays_out_of_reach)
{
	struct node *node = main_node();
	volatile uint64_t *word;
	uint64_t mark = log_mark();
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct page_columns columns;
	unsigned long bad;
	unsigned int taken = 0;
	void *address[64];
	bool seen = false;
	char said[200];

	EXPECT(page != NULL);
	EXPECT(node_check(node, &columns, false, said, sizeof(said)) == NULL);
	bad = columns.bad;
	word = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	EXPECT(word != NULL);
	__free_page(page);
	put_page(page);
	EXPECT_EQUAL(log_count_since(mark, "Bad page state"), 1);
	while (taken < ARRAY_SIZE(address) &&
	       (address[taken] = TAKE()) != NULL) {
		memset(address[taken++], 0x5a, PAGE_SIZE);
		seen = seen || *word != 0;
		exclusive_refill(node, 4);
	}
	for (unsigned int i = 0; i < taken; i++)
		exclusive_release(address[i]);
	EXPECT(taken > 8);
	EXPECT(!seen);
	EXPECT_EQUAL(page_mapcount(page), 1);
	if (node_check(node, &columns, false, said, sizeof(said)) != NULL)
		return test_failure("%s", said);
	EXPECT_EQUAL(columns.bad, bad + 1);

	/* Had it not been counted, the check would have seen it. */
	page->mapcount = 0;
	EXPECT(exclusive_check(node, false, said, sizeof(said)) == said);
	page->mapcount = 1;
	vunmap((const void *)word);
	EXPECT_EQUAL(page_mapcount(page), 0);
	mend_bad_page(page);
	return NULL;
}

CASE(exclusive, second_mapping_and_pinning_are_refused)
{
	void *address = TAKE();
	struct page *page;

	EXPECT(address != NULL);
	memset(address, 0x55, PAGE_SIZE);
	page = exclusive_page(address);
	EXPECT_EQUAL(pin_page(page), -EBUSY);
	EXPECT(!try_get_page(page));
	EXPECT(vmap(&page, 1, VM_MAP, PAGE_KERNEL) == NULL);
	EXPECT(page_address(page) == NULL);
	EXPECT(virt_to_page(address) == NULL);
	EXPECT(virt_to_page(phys_to_virt(page_to_pfn(page) << PAGE_SHIFT)) ==
	       NULL);
	EXPECT(is_filled(address, 0x55));
	EXPECT_EQUAL(exclusive_release(address), 0);
	return NULL;
}

CASE(exclusive, free_pages_of_an_exclusive_page_is_refused)
{
	uint64_t mark = log_mark();
	void *address = TAKE();

	EXPECT(address != NULL);
	__free_page(exclusive_page(address));
	EXPECT(log_contains_since(mark, "exclusive"));
	EXPECT(exclusive_page(address) != NULL);
	EXPECT_EQUAL(exclusive_release(address), 0);
	return NULL;
}

CASE(exclusive, full_window_gives_null_and_counts)
{
	static void *page[WINDOW_ENTRIES];
	struct node *node = main_node();
	unsigned long full = test_exclusive_event(VMSTAT_exclusive_window_full);
	unsigned int taken = 0;
	bool was_full = false;

	/* A machine that has no 512 frames to park cannot fill a window. */
	while (taken < WINDOW_ENTRIES) {
		struct page *frame = alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE |
		                                __GFP_NORETRY | __GFP_NOWARN);

		if (frame == NULL)
			break;
		page[taken++] = exclusive_address(frame);
	}
	if (taken == WINDOW_ENTRIES) {
		exclusive_refill(node, 4);
		was_full = TAKE() == NULL &&
		           test_exclusive_event(VMSTAT_exclusive_window_full) ==
		                   full + 1;
	}
	for (unsigned int i = 0; i < taken; i++)
		EXPECT_EQUAL(exclusive_release(page[i]), 0);
	exclusive_shrink(node, node->pool.high);
	EXPECT(taken < WINDOW_ENTRIES || was_full);
	return NULL;
}

/* ---- Contradictions ------------------------------------------------------ */

CASE(exclusive, contradictions_are_refused_by_name)
{
	static const gfp_t bad[] = {
		__GFP_MOVABLE,  __GFP_RECLAIMABLE, __GFP_COMP,
		__GFP_DMA,      __GFP_DMA32,       __GFP_HIGHMEM,
		__GFP_MEMALLOC, __GFP_NOMEMALLOC,
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t mark = log_mark();

		EXPECT(alloc_page(GFP_ATOMIC | __GFP_EXCLUSIVE | bad[i]) ==
		       NULL);
		EXPECT(log_contains_since(mark, "__GFP_EXCLUSIVE"));
	}
	EXPECT(alloc_pages(GFP_ATOMIC | __GFP_EXCLUSIVE, 1) == NULL);
	return NULL;
}

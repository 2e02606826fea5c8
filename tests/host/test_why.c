/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_why.c -- each state of a frame, and each kind of owner, by name.
 *
 * Real pages of real owners, where the host has them; the bits of a cached page are set as
 * reclaim and the flusher set them.
 */
#include "kernel/core/lock.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/contig/page_isolation.h"
#include "mm/debug/page_why.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/pcp.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/mempool.h"
#include "mm/slab/vmalloc.h"
#include "mm/task.h"
#include "tests/host/test_exclusive.h"
#include "tests/mm/space.h"
#include "tests/suite.h"

SUITE(why);

static enum page_why why_of(const struct page *page)
{
	const struct page *head;

	return page_why(node, node_pfn(node, page), &head);
}

CASE(why, free_on_a_list_and_in_flight)
{
	static struct pcp_cpu lists;
	const struct page *head;
	struct page *page;
	bool enabled;

	test_exclusive_start(0);
	page = alloc_pages(GFP_KERNEL, 2);
	EXPECT(page != NULL);
	EXPECT_EQUAL(why_of(page), WHY_PLAIN);
	EXPECT_EQUAL(page_why(node, node_pfn(node, page) + 3, &head),
	             WHY_PLAIN);
	EXPECT(head == page);
	__free_pages(page, 2);
	EXPECT_EQUAL(why_of(page), WHY_FREE);
	EXPECT(page_why_is_free(WHY_FREE));
	EXPECT_EQUAL(page_why(node, node_pfn(node, page) + 3, &head), WHY_FREE);
	EXPECT(head->state == PAGE_FREE);

	enabled = spin_lock_irqsave(&zone->lock);
	page = buddy_take(zone, 0, MIGRATE_MOVABLE);
	EXPECT(page != NULL);
	EXPECT_EQUAL(why_of(page), WHY_IN_FLIGHT);
	buddy_give(zone, page, 0);
	spin_unlock_irqrestore(&zone->lock, enabled);
	EXPECT_EQUAL(why_of(page), WHY_FREE);

	pcp_start(node, &lists, 1);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	__free_page(page);
	EXPECT_EQUAL(why_of(page), WHY_LISTED);
	EXPECT(page_why_is_free(WHY_LISTED));
	pcp_stop(node);
	return test_exclusive_check();
}

CASE(why, a_frame_without_a_head_was_never_given_to_the_allocator)
{
	struct page *page;

	test_exclusive_start(0);
	page = alloc_pages(GFP_KERNEL, 1);
	EXPECT(page != NULL && page[1].state == PAGE_NONE);
	/* As if the block ended before it. */
	page->order = 0;
	EXPECT_EQUAL(why_of(&page[1]), WHY_RESERVED);
	EXPECT(!page_why_is_free(WHY_RESERVED));
	page->order = 1;
	EXPECT_EQUAL(why_of(&page[1]), WHY_PLAIN);
	__free_pages(page, 1);
	return test_exclusive_check();
}

CASE(why, free_in_an_isolated_pageblock)
{
	unsigned long first = 2 * PAGEBLOCK_PAGES;

	machine_start(PAGES);
	node = machine_one_zone(ZONE_NORMAL, PAGES);
	zone = &node->zone[ZONE_NORMAL];
	EXPECT_EQUAL(start_isolate_page_range(zone, first,
	                                      first + PAGEBLOCK_PAGES,
	                                      MIGRATE_MOVABLE),
	             0);
	EXPECT_EQUAL(why_of(node_page(node, first + 7)), WHY_ISOLATED);
	EXPECT_EQUAL(why_of(node_page(node, first - 1)), WHY_FREE);
	undo_isolate_page_range(zone, first, first + PAGEBLOCK_PAGES,
	                        MIGRATE_MOVABLE);
	EXPECT_EQUAL(why_of(node_page(node, first + 7)), WHY_FREE);
	return machine_finish();
}

CASE(why, exclusive_pages_are_parked_owned_and_on_their_way)
{
	void *address;
	struct page *page;

	test_exclusive_start(1);
	address = test_exclusive_take();
	EXPECT(address != NULL);
	page = exclusive_page(address);
	EXPECT_EQUAL(why_of(page), WHY_OWNED);
	EXPECT_EQUAL(exclusive_transfer(address, other.owner.id), 0);
	EXPECT_EQUAL(why_of(page), WHY_HANDOVER);
	EXPECT_EQUAL(exclusive_cancel(address), 0);
	EXPECT_EQUAL(why_of(page), WHY_OWNED);
	EXPECT_EQUAL(exclusive_release(address), 0);
	EXPECT_EQUAL(why_of(page), WHY_PARKED);
	return test_exclusive_check();
}

CASE(why, leaked_pages_are_corrupt_or_have_too_many_references)
{
	struct page *page;

	test_exclusive_start(0);
	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	EXPECT_EQUAL(page_add_mapping(page), 0);
	EXPECT_EQUAL(why_of(page), WHY_MAPPED);
	__free_page(page);
	put_page(page);
	EXPECT_EQUAL(why_of(page), WHY_BAD);
	page_remove_mapping(page);

	page = alloc_page(GFP_KERNEL);
	EXPECT(page != NULL);
	page->refcount = INT32_MAX;
	get_page(page);
	EXPECT_EQUAL(why_of(page), WHY_SATURATED);
	page->flags = 0;
	page->refcount = 1;
	__free_page(page);
	return test_exclusive_check();
}

CASE(why, slabs_large_blocks_tables_and_mapped_pages)
{
	struct page *guard;
	void *memory;

	test_exclusive_start(0);
	EXPECT_EQUAL(why_of(virt_to_page(machine_main()->owner.window.table)),
	             WHY_TABLE);
	machine_start_vmalloc(node);
	memory = kmalloc(100, GFP_KERNEL);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(why_of(virt_to_page(memory)), WHY_SLAB);
	kfree(memory);
	memory = kmalloc(3 * PAGE_SIZE, GFP_KERNEL);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(why_of(virt_to_page(memory) + 2), WHY_LARGE);
	kfree(memory);
	memory = vmalloc(2 * PAGE_SIZE);
	EXPECT(memory != NULL);
	EXPECT_EQUAL(why_of(vmalloc_to_page(memory)), WHY_MAPPED);
	vfree(memory);
	guard = alloc_page(GFP_KERNEL);
	EXPECT(guard != NULL);
	guard->flags |= PAGE_GUARD;
	EXPECT_EQUAL(why_of(guard), WHY_GUARD);
	guard->flags = 0;
	__free_page(guard);
	return NULL;
}

CASE(why, pages_in_the_reserve_of_a_mempool)
{
	mempool_t *reserve;
	unsigned long found = 0;

	test_exclusive_start(0);
	machine_start_vmalloc(node);
	reserve = mempool_create_page_pool(3, 0);
	EXPECT(reserve != NULL);
	for (unsigned long pfn = 0; pfn < PAGES; pfn++)
		found += why_of(node_page(node, pfn)) == WHY_RESERVE;
	EXPECT_EQUAL(found, 3);
	mempool_destroy(reserve);
	return NULL;
}

/* With the bits ON, and without OFF, PAGE is WHY. */
static bool is_with(struct page *page, uint16_t on, uint16_t off,
                    enum page_why why)
{
	const uint16_t before = page->bits;
	bool right;

	page->bits = (uint16_t)((before | on) & ~off);
	right = why_of(page) == why;
	page->bits = before;
	return right;
}

CASE(why, cached_pages_are_named_by_what_reclaim_would_do_with_them)
{
	static struct space file, anon;
	struct page *page;

	test_exclusive_start(0);
	space_init(&file, SPACE_FILE);
	space_init(&anon, SPACE_ANON);
	page = space_add(&file, GFP_KERNEL);
	EXPECT(page != NULL);
	EXPECT(is_with(page, 0, page_mask(PG_dirty), WHY_FILE_CLEAN));
	EXPECT(is_with(page, page_mask(PG_dirty), 0, WHY_FILE_DIRTY));
	EXPECT(is_with(page, page_mask(PG_dirty) | page_mask(PG_writeback), 0,
	               WHY_WRITEBACK));
	EXPECT(is_with(page, page_mask(PG_unevictable), 0, WHY_UNEVICTABLE));
	page = space_add(&anon, GFP_KERNEL);
	EXPECT(page != NULL && page_has(page, PG_swapbacked));
	EXPECT(is_with(page, 0, page_mask(PG_swapcache), WHY_ANON));
	EXPECT(is_with(page, page_mask(PG_swapcache), page_mask(PG_dirty),
	               WHY_ANON_SAVED));
	EXPECT(is_with(page, page_mask(PG_swapcache) | page_mask(PG_dirty), 0,
	               WHY_ANON));
	space_clear(&file);
	space_clear(&anon);
	return test_exclusive_check();
}

CASE(why, each_answer_has_words)
{
	for (unsigned int why = 0; why < WHY_COUNT; why++) {
		EXPECT(strlen(page_why_is((enum page_why)why)) > 10);
		EXPECT(strlen(page_why_end((enum page_why)why)) > 5);
	}
	return NULL;
}

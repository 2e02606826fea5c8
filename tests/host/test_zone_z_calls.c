/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_zone_z_calls.c -- exact and bulk requests on zone Z, and references.
 */
#include "lib/string.h"
#include "mm/page_bits.h"
#include "tests/host/test_zone_z.h"
#include "tests/suite.h"

SUITE(zone_z);

/* ---- Exact --------------------------------------------------------------- */

CASE(zone_z, exact_gives_the_pages_asked_for_and_no_more)
{
	struct node *node = zone_z_begin(61440);
	static const size_t sizes[] = { 1,     4096,  4097,    12288,  20480,
		                        20481, 65536, 1000000, 4194304 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t pages = (sizes[i] + PAGE_SIZE - 1) / PAGE_SIZE;
		char *at = alloc_pages_exact(sizes[i], GFP_KERNEL);

		EXPECT(at != NULL);
		EXPECT_EQUAL(node_free(node), 61440 - pages);
		for (size_t page = 0; page < pages; page++)
			EXPECT_EQUAL(page_ref_count(virt_to_page(
					     at + page * PAGE_SIZE)),
			             1);
		free_pages_exact(at, sizes[i]);
		EXPECT_EQUAL(node_free(node), 61440);
	}
	EXPECT(alloc_pages_exact(0, GFP_KERNEL) == NULL);
	EXPECT(alloc_pages_exact(4194305, GFP_KERNEL) == NULL);
	return NULL;
}

CASE(zone_z, exact_strips_comp_and_says_so)
{
	uint64_t mark;
	char *at;

	zone_z_begin(61440);
	mark = log_mark();
	at = alloc_pages_exact(12288, GFP_KERNEL | __GFP_COMP);
	EXPECT(at != NULL);
	EXPECT(log_contains_since(mark, "__GFP_COMP"));
	EXPECT_EQUAL(virt_to_page(at)->flags & PAGE_COMPOUND, 0);
	free_pages_exact(at, 12288);
	return NULL;
}

CASE(zone_z, each_page_of_exact_remembers_who_took_it_and_how)
{
	char *at;

	zone_z_begin(61440);
	machine_main()->owner.id = 7 | 1ULL << 40;
	at = alloc_pages_exact(7 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	EXPECT(at != NULL);
	for (unsigned int i = 0; i < 7; i++) {
		const struct page *page = virt_to_page(at + i * PAGE_SIZE);

		EXPECT_EQUAL(page->order, 0);
		EXPECT_EQUAL(page->gfp, GFP_KERNEL | __GFP_ZERO);
		EXPECT_EQUAL(page->taker, 7 | 1ULL << 40);
		EXPECT_EQUAL(page->caller, virt_to_page(at)->caller);
	}
	free_pages_exact(at, 7 * PAGE_SIZE);
	return NULL;
}

/* ---- Bulk ---------------------------------------------------------------- */

static void give_array(struct page **array, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		if (array[i] != NULL)
			__free_page(array[i]);
		array[i] = NULL;
	}
}

CASE(zone_z, bulk_of_64_is_all_above_low_plus_64_else_one_and_none_at_min)
{
	struct page *array[64] = { NULL };

	zone_z_begin(665);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 64);
	give_array(array, 64);
	pile_leave(&zone_z_pile, 664);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 1);
	give_array(array, 64);
	pile_leave(&zone_z_pile, 481);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 1);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 1);
	give_array(array, 64);
	pile_leave(&zone_z_pile, 480);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 0);
	return test_zone_z_give_all();
}

/* Blocks of all small orders are free: 37 pages, by one call or by 37. */
static const char *bulk_or_single(bool bulk, unsigned long *pfn)
{
	struct page *array[37] = { NULL };
	struct page *kept[5];
	const unsigned long count = ARRAY_SIZE(array);

	zone_z_begin(4000);
	for (unsigned int order = 0; order < ARRAY_SIZE(kept); order++) {
		struct page *page = alloc_pages(GFP_NOWAIT, order);

		kept[order] = alloc_pages(GFP_NOWAIT, order);
		__free_pages(page, order);
	}
	if (bulk)
		kassert(alloc_pages_bulk(GFP_NOWAIT, count, array) == count);
	for (unsigned long i = 0; i < count; i++) {
		if (!bulk)
			array[i] = alloc_page(GFP_NOWAIT);
		pfn[i] = page_to_pfn(array[i]);
	}
	give_array(array, count);
	for (unsigned int order = 0; order < ARRAY_SIZE(kept); order++)
		__free_pages(kept[order], order);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_gets_the_pages_that_one_request_after_the_other_would_get)
{
	unsigned long single[37], bulk[37];

	EXPECT(bulk_or_single(false, single) == NULL);
	EXPECT(bulk_or_single(true, bulk) == NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(bulk); i++)
		EXPECT_EQUAL(bulk[i], single[i]);
	return NULL;
}

/* Takes pages until 2 are left above the low mark. */
static void bulk_steal(struct node *node, unsigned int order __unused,
                       enum zone_type highest __unused, bool may_sleep __unused)
{
	node->wake_kswapd = NULL;
	pile_leave(&zone_z_pile, 600 + 2);
}

CASE(zone_z, bulk_stops_at_the_low_mark_that_others_have_reached_meanwhile)
{
	struct page *array[64] = { NULL };
	struct node *node = zone_z_begin(4000);
	struct zone *zone = &node->zone[ZONE_DMA32];

	zone->boosted = true;
	node->wake_kswapd = bulk_steal;
	/* The first one claims a pageblock.  Of that a page is free, then a block of two,
	 * but only one of these is above the mark. */
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 1 + 2);
	EXPECT_EQUAL(zone->free_pages, 600);
	give_array(array, 64);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_fills_only_empty_entries)
{
	struct page *array[8] = { NULL };
	struct page *mine;

	zone_z_begin(61440);
	mine = alloc_page(GFP_KERNEL);
	memset(page_address(mine), 0x77, PAGE_SIZE);
	array[3] = mine;
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL | __GFP_ZERO, 8, array), 8);
	EXPECT(array[3] == mine);
	EXPECT_EQUAL(*(uint8_t *)page_address(mine), 0x77);
	for (unsigned int i = 0; i < 8; i++) {
		EXPECT(array[i] != NULL);
		EXPECT_EQUAL(page_ref_count(array[i]), 1);
	}
	give_array(array, 8);
	return NULL;
}

CASE(zone_z, bulk_zeroes_new_pages_and_never_those_from_before)
{
	struct page *array[8] = { NULL };

	zone_z_begin(61440);
	/* One call site, so that the pages' callers do not differ. */
	for (unsigned int round = 0; round < 2; round++) {
		EXPECT_EQUAL(
			alloc_pages_bulk(GFP_KERNEL | __GFP_ZERO, 8, array), 8);
		for (unsigned int i = 0; i < 8; i++) {
			uint8_t *byte = page_address(array[i]);

			EXPECT_EQUAL(*byte, round == 1 && i < 4 ? 0x33 : 0);
			memset(byte, 0x33, PAGE_SIZE);
		}
		if (round == 0)
			give_array(array + 4, 4);
	}
	give_array(array, 8);
	return NULL;
}

CASE(zone_z, bulk_needs_low_plus_all_entries_whatever_the_right)
{
	static const gfp_t masks[] = { GFP_NOWAIT, GFP_ATOMIC,
		                       GFP_ATOMIC | __GFP_MEMALLOC,
		                       GFP_KERNEL | __GFP_HIGH };
	struct page *array[64] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		zone_z_begin(664);
		EXPECT_EQUAL(alloc_pages_bulk(masks[i], 64, array), 1);
		give_array(array, 64);
		pile_leave(&zone_z_pile, 665);
		EXPECT_EQUAL(alloc_pages_bulk(masks[i], 64, array), 64);
		give_array(array, 64);
		test_zone_z_give_all();
	}
	return NULL;
}

CASE(zone_z, bulk_counts_the_filled_entries_of_the_array_as_well)
{
	struct page *array[64];

	zone_z_begin(664);
	for (unsigned int i = 0; i < 64; i++)
		array[i] = i < 60 ? (void *)1 : NULL;
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 61);
	__free_page(array[60]);
	array[60] = NULL;
	pile_leave(&zone_z_pile, 665);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_NOWAIT, 64, array), 64);
	EXPECT(array[59] == (void *)1);
	give_array(array + 60, 4);
	return test_zone_z_give_all();
}

/* "-" is an empty entry, "X" one that is full already. */
struct bulk_row {
	unsigned long free;
	gfp_t mask;
	const char *entries;
	unsigned long returned;
	const char *after;
};

/* The value in a full entry: never read. */
#define BULK_OTHERS ((void *)1)

static const char *expect_bulk(const struct bulk_row *row)
{
	unsigned long entries = strlen(row->entries);
	struct page *array[16];
	unsigned long returned;

	zone_z_begin(row->free);
	for (unsigned long i = 0; i < entries; i++)
		array[i] = row->entries[i] == 'X' ? BULK_OTHERS : NULL;
	returned = alloc_pages_bulk(row->mask, entries, array);
	for (unsigned long i = 0; i < entries; i++) {
		if ((array[i] != NULL) != (row->after[i] == 'X') ||
		    (row->entries[i] == 'X' && array[i] != BULK_OTHERS))
			return test_failure("%lu free, %s: entry %lu is %p",
			                    row->free, row->entries, i,
			                    (void *)array[i]);
		if (row->entries[i] != 'X' && array[i] != NULL)
			__free_page(array[i]);
	}
	if (returned != row->returned)
		return test_failure("%lu free, %s: returned %lu", row->free,
		                    row->entries, returned);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_returns_a_number_below_which_all_entries_are_full)
{
	static const struct bulk_row rows[] = {
		/* low is 600; more than 600 + entries, and all are filled */
		{ 605, GFP_KERNEL, "--XX", 4, "XXXX" },
		{ 605, GFP_KERNEL, "X--X", 4, "XXXX" },
		{ 613, GFP_KERNEL, "-X--X-X---X-", 12, "XXXXXXXXXXXX" },
		/* not so many: one, in the first empty entry */
		{ 604, GFP_KERNEL, "----", 1, "X---" },
		{ 602, GFP_KERNEL, "--XX", 1, "X-XX" },
		{ 602, GFP_KERNEL, "-X-X", 1, "XX-X" },
		{ 602, GFP_NOWAIT, "XX--", 3, "XXX-" },
		{ 602, GFP_ATOMIC, "X-X-", 2, "XXX-" },
		/* nothing for NOWAIT at min, but ATOMIC has a right */
		{ 480, GFP_NOWAIT, "--X-", 0, "--X-" },
		{ 480, GFP_NOWAIT, "XX-X", 2, "XX-X" },
		{ 480, GFP_ATOMIC, "--X-", 1, "X-X-" },
		/* the only empty one needs no more than an ordinary request */
		{ 481, GFP_NOWAIT, "XX-X", 3, "XXXX" },
		{ 481, GFP_NOWAIT, "-", 1, "X" },
		{ 480, GFP_NOWAIT, "-", 0, "-" },
		/* nothing is to be done */
		{ 480, GFP_NOWAIT, "XXXX", 4, "XXXX" },
		{ 480, GFP_NOWAIT, "", 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *wrong = expect_bulk(&rows[i]);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(zone_z, a_refused_bulk_counts_the_full_entries_at_the_front)
{
	struct page *array[4] = { BULK_OTHERS, BULK_OTHERS, NULL, BULK_OTHERS };

	zone_z_begin(61440);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL | __GFP_COMP, 4, array), 2);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL | __GFP_DMA | __GFP_DMA32, 4,
	                              array),
	             2);
	EXPECT(array[2] == NULL);
	return NULL;
}

/* NORMAL over DMA32, which has plenty. */
static struct node *node_of_two_zones(unsigned long normal_free)
{
	const unsigned long pages[ZONE_COUNT] = {
		[ZONE_DMA32] = 61440,
		[ZONE_NORMAL] = 4096,
	};
	struct node *node;

	machine_start(pages[ZONE_DMA32] + pages[ZONE_NORMAL]);
	node = machine_zones(0, pages);
	machine_set_marks(&node->zone[ZONE_DMA32], 480, 600, 720);
	set_main_node(node);
	zone_z_pile.node = node;
	zone_z_pile.count = 0;
	/* No marks yet: NORMAL serves until it has what is wanted. */
	pile_drain(&zone_z_pile, GFP_KERNEL, pages[ZONE_NORMAL] - normal_free);
	pile_leave(&zone_z_pile, pages[ZONE_DMA32] + normal_free);
	machine_set_marks(&node->zone[ZONE_NORMAL], 48, 60, 72);
	return node;
}

CASE(zone_z, bulk_of_one_page_takes_it_from_the_zone_of_an_ordinary_request)
{
	struct page *last[4] = { BULK_OTHERS, BULK_OTHERS, BULK_OTHERS, NULL };
	struct page *first[4] = { NULL, BULK_OTHERS, BULK_OTHERS, BULK_OTHERS };
	struct node *node = node_of_two_zones(61);

	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 61);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 1, first), 1);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 60);
	give_array(first, 1);
	/* The full entries in front are no part of the request ... */
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 4, last), 4);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 60);
	give_array(last + 3, 1);
	/* ... those after the first empty one are. */
	EXPECT_EQUAL(alloc_pages_bulk(GFP_KERNEL, 4, first), 4);
	EXPECT_EQUAL(node->zone[ZONE_NORMAL].free_pages, 61);
	EXPECT_EQUAL(node->zone[ZONE_DMA32].free_pages, 61440 - 1);
	give_array(first, 1);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_asks_for_an_injected_failure_as_often_as_linux)
{
	static const struct {
		unsigned long free, entries;
		unsigned int nth; /* the question that returns "fail" */
		unsigned long returned;
	} rows[] = {
		/* one page: the ordinary request asks */
		{ 720, 1, 1, 0 },
		{ 720, 1, 2, 1 },
		/* several: once for all of them */
		{ 720, 8, 1, 0 },
		{ 720, 8, 2, 8 },
		/* too few: then the ordinary request asks again */
		{ 602, 8, 1, 0 },
		{ 602, 8, 2, 0 },
		{ 602, 8, 3, 1 },
	};
	struct page *array[8] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		zone_z_begin(rows[i].free);
		fail_nth_set(machine_main(), rows[i].nth, false);
		EXPECT_EQUAL(
			alloc_pages_bulk(GFP_NOWAIT, rows[i].entries, array),
			rows[i].returned);
		fail_nth_set(machine_main(), 0, false);
		give_array(array, 8);
		test_zone_z_give_all();
	}
	return NULL;
}

CASE(zone_z, bulk_never_looks_into_a_filled_entry)
{
	struct page *array[8] = { NULL };

	/* With pages for all, and with one by the normal way. */
	zone_z_begin(720);
	for (unsigned int round = 0; round < 2; round++) {
		array[3] = (void *)1;
		EXPECT_EQUAL(
			alloc_pages_bulk(GFP_ATOMIC | __GFP_ZERO, 8, array),
			round == 0 ? 8 : 1);
		EXPECT(array[3] == (void *)1);
		EXPECT_EQUAL(*(uint8_t *)page_address(array[0]), 0);
		array[3] = NULL;
		give_array(array, 8);
		pile_leave(&zone_z_pile, 600);
	}
	for (unsigned int i = 0; i < 8; i++)
		array[i] = (void *)1;
	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC | __GFP_ZERO, 8, array), 8);
	EXPECT_EQUAL(test_zone_z_stat(zone_z_pile.node, VMSTAT_freelist_pass),
	             0);
	return test_zone_z_give_all();
}

CASE(zone_z, bulk_refuses_comp_and_exclusive)
{
	struct node *node = zone_z_begin(61440);
	struct page *array[4] = { NULL };

	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC | __GFP_COMP, 4, array), 0);
	EXPECT_EQUAL(alloc_pages_bulk(GFP_ATOMIC | __GFP_EXCLUSIVE, 4, array),
	             0);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_alloc_refused), 2);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

/* ---- References ---------------------------------------------------------- */

CASE(zone_z, get_and_put_count_and_the_last_put_frees)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_pages(GFP_KERNEL, 3);

	EXPECT(page != NULL);
	get_page(page);
	EXPECT(try_get_page(page));
	EXPECT_EQUAL(pin_page(page), 0);
	EXPECT_EQUAL(page_ref_count(page), 4);
	put_page(page);
	put_page(page);
	put_page(page);
	EXPECT_EQUAL(node_free(node), 61432);
	put_page(page);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, a_block_freed_under_a_reference_gives_7_then_1_by_put)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_pages(GFP_KERNEL, 3);

	EXPECT(page != NULL);
	get_page(page);
	__free_pages(page, 3);
	EXPECT_EQUAL(node_free(node), 61439);
	put_page(page);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, references_of_a_compound_block_are_its_heads)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 3);

	EXPECT(page != NULL);
	get_page(page + 5);
	EXPECT_EQUAL(page_ref_count(page), 2);
	__free_pages(page, 3);
	EXPECT_EQUAL(node_free(node), 61432);
	put_page(page + 2);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, a_free_page_gives_no_reference)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_page(GFP_KERNEL);
	uint64_t mark = log_mark();

	__free_page(page);
	EXPECT(!try_get_page(page));
	EXPECT(pin_page(page) < 0);
	get_page(page);
	EXPECT(log_contains_since(mark, "get_page"));
	EXPECT_EQUAL(page->refcount, 0);
	put_page(page);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused), 2);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, a_count_of_int32_max_references_gives_no_more)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_page(GFP_KERNEL);
	uint64_t mark = log_mark();

	EXPECT(page != NULL);
	page->refcount = INT32_MAX;
	EXPECT(!try_get_page(page));
	EXPECT_EQUAL(pin_page(page), -EOVERFLOW);
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);

	/* An honest put is no bug, and there is room for one again. */
	put_page(page);
	EXPECT_EQUAL(page->refcount, INT32_MAX - 1);
	EXPECT(try_get_page(page));
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused), 0);
	page->refcount = 1;
	__free_page(page);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

CASE(zone_z, too_many_references_leak_the_page_forever)
{
	struct node *node = zone_z_begin(61440);
	struct page *page = alloc_page(GFP_KERNEL);
	uint64_t mark = log_mark();

	EXPECT(page != NULL);
	page->refcount = INT32_MAX - 1;
	get_page(page);
	EXPECT_EQUAL(log_count_since(mark, "too many references"), 0);
	get_page(page);
	get_page(page);
	EXPECT_EQUAL(log_count_since(mark, "too many references"), 1);
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	for (unsigned int i = 0; i < 3; i++)
		put_page(page);
	__free_page(page);
	EXPECT_EQUAL(page->refcount, INT32_MAX);
	EXPECT_EQUAL(log_count_since(mark, "refused"), 0);
	EXPECT_EQUAL(node_free(node), 61439);
	page->flags = 0;
	page->refcount = 1;
	__free_page(page);
	return NULL;
}

CASE(zone_z, extra_references_leak_nothing_in_1000000_rounds)
{
	struct node *node = zone_z_begin(61440);

	for (unsigned int i = 0; i < 1000000; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, 3);

		EXPECT(page != NULL);
		get_page(page);
		__free_pages(page, 3);
		put_page(page);
	}
	EXPECT_EQUAL(node_free(node), 61440);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_pgfree), 8000000);
	return NULL;
}

CASE(zone_z, what_is_no_page_gives_no_reference_and_no_address)
{
	struct node *node = zone_z_begin(61440);
	struct page stranger = { .state = PAGE_USED, .refcount = 1 };
	struct page *const none[] = {
		NULL,
		node->pages - 1,
		node->pages + node->page_count,
		(struct page *)((uintptr_t)node->pages + 8),
		(struct page *)8,
		&stranger,
	};

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		uint64_t mark = log_mark();

		get_page(none[i]);
		put_page(none[i]);
		EXPECT(!try_get_page(none[i]));
		EXPECT(pin_page(none[i]) < 0);
		__free_pages(none[i], 0);
		EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_free_refused),
		             5 * (i + 1));
		EXPECT_EQUAL(log_count_since(mark, "no such page"), 5);
		EXPECT(page_address(none[i]) == NULL);
	}
	EXPECT_EQUAL(stranger.refcount, 1);
	EXPECT_EQUAL(node_free(node), 61440);
	return NULL;
}

/* Free COUNT pages that somebody has locked; how many are reported. */
static unsigned int free_locked(unsigned int count)
{
	uint64_t mark = log_mark();

	while (count-- > 0) {
		struct page *page = alloc_page(GFP_KERNEL);

		page_set(page, PG_locked);
		__free_page(page);
	}
	return log_count_since(mark, "Bad page state");
}

CASE(zone_z, bad_pages_are_all_leaked_and_60_in_a_minute_reported)
{
	struct node *node = zone_z_begin(61440);

	EXPECT_EQUAL(free_locked(59), 59);
	EXPECT_EQUAL(free_locked(50), 1);
	machine_advance(59999999);
	EXPECT_EQUAL(free_locked(1), 0);
	machine_advance(2);
	EXPECT_EQUAL(free_locked(70), 60);
	EXPECT_EQUAL(test_zone_z_stat(node, VMSTAT_bad_page), 180);
	EXPECT_EQUAL(node_free(node), 61440 - 180);
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/* tests/host/test_extfrag.c -- Linux's figures of fragmentation. */
#include "mm/debug/extfrag.h"
#include "mm/page_alloc.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(extfrag);

/* BLOCKS free blocks of order HAVE as a request of ORDER sees them. */
static struct extfrag extfrag_of(unsigned long blocks, unsigned int have,
                                 unsigned int order)
{
	return (struct extfrag){
		.order = order,
		.pages = blocks << have,
		.blocks = blocks,
		.suitable = have >= order ? blocks << (have - order) : 0,
	};
}

CASE(extfrag, the_index_is_linuxs_formula)
{
	static const struct {
		unsigned long blocks;
		unsigned int have, order;
		long index;
	} rows[] = {
		{ 1000, 0, 9, 998 }, { 100, 3, 9, 975 }, { 4, 8, 9, 250 },
		{ 3, 8, 9, 167 },    { 1, 8, 9, -500 },  { 5, 4, 5, 300 },
		{ 6, 3, 5, 584 },    { 0, 0, 9, 0 },     { 1, 9, 9, -1000 },
		{ 1, 10, 9, -1000 }, { 7, 0, 0, -1000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct extfrag free =
			extfrag_of(rows[i].blocks, rows[i].have, rows[i].order);

		EXPECT_EQUAL(extfrag_index(&free), rows[i].index);
	}
	return NULL;
}

CASE(extfrag, unusable_is_the_part_of_free_memory_in_smaller_blocks)
{
	struct extfrag free = extfrag_of(100, 0, 9);

	EXPECT_EQUAL(extfrag_unusable(&free), 1000);
	/* 100 single pages and one block of order 9. */
	free.pages += 512;
	free.blocks++;
	free.suitable = 1;
	EXPECT_EQUAL(extfrag_unusable(&free), 163);
	free = extfrag_of(3, 9, 9);
	EXPECT_EQUAL(extfrag_unusable(&free), 0);
	free = extfrag_of(0, 0, 9);
	EXPECT_EQUAL(extfrag_unusable(&free), 1000);
	return NULL;
}

CASE(extfrag, a_zone_is_read_as_it_is)
{
	struct node *node;
	struct page *page;
	struct extfrag free;

	machine_start(2048);
	node = machine_one_zone(ZONE_NORMAL, 2048);
	page = alloc_pages_node(node, __GFP_MEMALLOC, 0);
	/* One page less: a block of each order 0 to 9, and one of order 10. */
	free = extfrag_read(&node->zone[ZONE_NORMAL], 9);
	EXPECT_EQUAL(free.pages, 2047);
	EXPECT_EQUAL(free.blocks, 11);
	EXPECT_EQUAL(free.suitable, 3);
	free_pages_node(node, page, 0, RETURN_ADDRESS());
	return NULL;
}

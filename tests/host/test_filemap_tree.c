/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_filemap_tree.c -- from numbers to pages, at all heights.
 *
 * The model is a table of numbers that is searched from end to end.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/user/filemap_tree.h"
#include "tests/host/libmm.h"
#include "tests/suite.h"

SUITE(filemap_tree);

#define FRAMES  4096UL
#define NUMBERS 48U
#define LARGEST (UINT64_MAX >> 1)

static struct {
	struct node *node;
	struct filemap_tree tree;
	unsigned long number[NUMBERS]; /* with a page of the tree */
	unsigned int count;
} t;

static void filemap_tree_begin(void)
{
	memset(&t, 0, sizeof(t));
	machine_start(FRAMES);
	t.node = machine_one_zone(ZONE_NORMAL, FRAMES);
	set_main_node(t.node);
}

/* The page that the tree has for NUMBER: any pointer will do. */
static void *filemap_tree_page_of(unsigned long number)
{
	return t.node->pages + number % FRAMES;
}

static void filemap_tree_put(unsigned long number)
{
	void **entry;

	do {
		struct page *spare = filemap_tree_spare(GFP_KERNEL);

		entry = filemap_tree_make(&t.tree, number, &spare);
		if (spare != NULL)
			__free_page(spare);
	} while (entry == NULL);
	*entry = filemap_tree_page_of(number);
	t.number[t.count++] = number;
}

static void filemap_tree_take_at(unsigned int at)
{
	filemap_tree_free(filemap_tree_remove(&t.tree, t.number[at]));
	t.number[at] = t.number[--t.count];
}

/* The smallest number from FROM on that has a page, if *FOUND. */
static unsigned long filemap_tree_model_next(unsigned long from, bool *found)
{
	unsigned long next = 0;

	*found = false;
	for (unsigned int i = 0; i < t.count; i++) {
		if (t.number[i] >= from && (!*found || t.number[i] < next)) {
			next = t.number[i];
			*found = true;
		}
	}
	return next;
}

/* Look for the next page from FROM on, as a walk over a file does. */
static const char *filemap_tree_walk_from(unsigned long from)
{
	bool found;
	unsigned long wanted = filemap_tree_model_next(from, &found);
	unsigned long at = from;
	const void *page = NULL;

	while (page == NULL && filemap_tree_reaches(&t.tree, at))
		page = filemap_tree_look(&t.tree, 0, &at);
	EXPECT_EQUAL(page != NULL, found);
	EXPECT(!found || (at == wanted && page == filemap_tree_page_of(at)));
	return NULL;
}

static const char *filemap_tree_end(void)
{
	while (t.count > 0)
		filemap_tree_take_at(0);
	EXPECT(t.tree.root == NULL);
	EXPECT_EQUAL(t.tree.height, 0);
	EXPECT_EQUAL(node_free(t.node), FRAMES);
	return machine_finish();
}

CASE(filemap_tree, the_largest_number_and_0_are_in_one_tree_of_full_height)
{
	filemap_tree_begin();
	filemap_tree_put(0);
	EXPECT_EQUAL(t.tree.height, 0);
	filemap_tree_put(LARGEST);
	EXPECT_EQUAL(t.tree.height, FILEMAP_TREE_HEIGHT);
	EXPECT(filemap_tree_walk_from(0) == NULL);
	EXPECT(filemap_tree_walk_from(1) == NULL);
	EXPECT(filemap_tree_walk_from(LARGEST) == NULL);
	return filemap_tree_end();
}

CASE(filemap_tree, a_page_that_leaves_takes_the_nodes_of_all_heights_along)
{
	for (unsigned int bits = 0; bits < 63; bits++) {
		filemap_tree_begin();
		filemap_tree_put(1UL << bits);
		EXPECT(FRAMES - node_free(t.node) == t.tree.height);
		EXPECT(filemap_tree_walk_from(0) == NULL);
		filemap_tree_take_at(0);
		EXPECT_EQUAL(node_free(t.node), FRAMES);
		EXPECT(filemap_tree_end() == NULL);
	}
	return NULL;
}

CASE(filemap_tree, does_what_a_table_does)
{
	struct random dice = { .state = test_seed() };

	filemap_tree_begin();
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned long number =
			random_next(&dice) >> (1 + random_below(&dice, 63));
		const char *wrong;
		bool found;

		if (random_below(&dice, 2) && t.count > 0)
			filemap_tree_take_at(
				(unsigned int)random_below(&dice, t.count));
		else if (t.count < NUMBERS &&
		         (filemap_tree_model_next(number, &found) != number ||
		          !found))
			filemap_tree_put(number);
		wrong = filemap_tree_walk_from(number);
		if (wrong != NULL)
			return wrong;
	}
	return filemap_tree_end();
}

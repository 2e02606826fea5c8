/* SPDX-License-Identifier: MIT */
/*
 * tests/lib/test_range.c -- ranges placed, found and removed, beside a map of every
 * number.
 */
#include "lib/random.h"
#include "lib/range.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(range);

#define RANGE_START 1000UL
#define RANGE_SPACE 512UL
#define RANGE_MOST  96UL

struct range_model {
	struct range_tree tree;
	struct range range[RANGE_MOST];
	bool placed[RANGE_MOST];
	uint8_t owner[RANGE_SPACE]; /* 1 + number of the range, 0: free */
};

SUITE_OBJECT(struct range_model, model);

static void range_model_begin(void)
{
	memset(model, 0, sizeof(*model));
	range_tree_init(&model->tree, RANGE_START, RANGE_START + RANGE_SPACE);
}

/* The lowest SIZE free numbers by the map, or RANGE_SPACE. */
static unsigned long range_model_lowest(unsigned long size)
{
	unsigned long run = 0;

	for (unsigned long i = 0; i < RANGE_SPACE; i++) {
		run = model->owner[i] == 0 ? run + 1 : 0;
		if (run == size)
			return i + 1 - size;
	}
	return RANGE_SPACE;
}

/* NULL, or what the tree says otherwise than the map. */
static const char *range_model_compare(void)
{
	unsigned long widest = 0;
	unsigned long run = 0;

	for (unsigned long i = 0; i < RANGE_SPACE; i++) {
		unsigned int owner = model->owner[i];
		const struct range *found =
			range_find(&model->tree, RANGE_START + i);

		EXPECT(found == (owner == 0 ? NULL : &model->range[owner - 1]));
		run = owner == 0 ? run + 1 : 0;
		widest = max(widest, run);
	}
	EXPECT_EQUAL(range_widest(&model->tree), widest);
	for (unsigned long i = 0; i < RANGE_MOST; i++) {
		if (model->placed[i])
			EXPECT(range_is_sound(&model->tree, &model->range[i]));
	}
	EXPECT(range_is_sound(&model->tree, &model->tree.last));
	return NULL;
}

static const char *range_model_place(unsigned long i, unsigned long size)
{
	unsigned long lowest = range_model_lowest(size);
	bool placed = range_place(&model->tree, &model->range[i], size);

	EXPECT(placed == (lowest < RANGE_SPACE));
	if (!placed)
		return NULL;
	model->placed[i] = true;
	EXPECT_EQUAL(model->range[i].start, RANGE_START + lowest);
	EXPECT_EQUAL(model->range[i].end, RANGE_START + lowest + size);
	memset(&model->owner[lowest], (int)i + 1, size);
	return NULL;
}

static void range_model_remove(unsigned long i)
{
	struct range *range = &model->range[i];

	memset(&model->owner[range->start - RANGE_START], 0,
	       range->end - range->start);
	range_remove(&model->tree, range);
	model->placed[i] = false;
}

CASE(range, an_empty_tree_is_one_gap)
{
	range_model_begin();
	EXPECT(range_from(&model->tree, 0) == NULL);
	EXPECT(!range_place(&model->tree, &model->range[0], RANGE_SPACE + 1));
	EXPECT(range_place(&model->tree, &model->range[0], RANGE_SPACE));
	EXPECT(!range_place(&model->tree, &model->range[1], 1));
	EXPECT_EQUAL(range_widest(&model->tree), 0);
	range_remove(&model->tree, &model->range[0]);
	EXPECT_EQUAL(range_widest(&model->tree), RANGE_SPACE);
	return NULL;
}

CASE(range, the_lowest_gap_that_fits_is_taken)
{
	range_model_begin();
	for (unsigned int i = 0; i < 6; i++)
		EXPECT(range_place(&model->tree, &model->range[i], 10));
	range_remove(&model->tree, &model->range[1]);
	range_remove(&model->tree, &model->range[3]);
	range_remove(&model->tree, &model->range[4]);
	EXPECT(range_place(&model->tree, &model->range[1], 11));
	EXPECT_EQUAL(model->range[1].start, RANGE_START + 30);
	EXPECT(range_place(&model->tree, &model->range[3], 9));
	EXPECT_EQUAL(model->range[3].start, RANGE_START + 10);
	EXPECT(range_place(&model->tree, &model->range[4], 1));
	EXPECT_EQUAL(model->range[4].start, RANGE_START + 19);
	return NULL;
}

CASE(range, a_walk_meets_each_range_once_and_in_order)
{
	unsigned int seen = 0;
	struct range *at;

	range_model_begin();
	for (unsigned int i = 0; i < RANGE_MOST; i++)
		EXPECT(range_place(&model->tree, &model->range[i], 2));
	for (at = range_from(&model->tree, 0); at != NULL;
	     at = range_from(&model->tree, at->end)) {
		EXPECT(at == &model->range[seen]);
		seen++;
	}
	EXPECT_EQUAL(seen, RANGE_MOST);
	return NULL;
}

CASE(range, ranges_in_order_make_no_deep_tree)
{
	range_model_begin();
	for (unsigned int i = 0; i < RANGE_MOST; i++)
		EXPECT(range_place(&model->tree, &model->range[i], 1));
	/* 97 with the last one; an AVL tree of 8 levels has at least 54, of 9
	 * levels 88, of 10 levels 143. */
	EXPECT(model->tree.root->height <= 9);
	return NULL;
}

CASE(range, random_changes_agree_with_a_map_of_every_number)
{
	struct random random = { test_seed() };

	range_model_begin();
	for (unsigned int step = 0; step < 3000; step++) {
		unsigned long i = random_below(&random, RANGE_MOST);
		unsigned long size = 1 + random_below(&random, 16);
		const char *wrong = NULL;

		if (model->placed[i])
			range_model_remove(i);
		else
			wrong = range_model_place(i, size);
		if (wrong == NULL && step % 8 == 0)
			wrong = range_model_compare();
		if (wrong != NULL)
			return wrong;
	}
	return range_model_compare();
}

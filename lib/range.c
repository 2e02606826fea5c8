/* SPDX-License-Identifier: MIT */
/*
 * lib/range.c -- a balanced tree of ranges that knows its widest gap.
 *
 * Invariants, for each range:
 *
 *  R1  What is below lower ends at or before start, what is below higher begins at
 *      or behind end.
 *  R2  The heights of the two subtrees differ by at most 1; height is one more than
 *      the larger.
 *  R3  gap is the distance from the end of the range before it, or of the tree's
 *      start.
 *  R4  widest is the largest gap in the subtree.
 *
 * `last` is a range like any other, but empty: it is never removed, and the gap at
 * the end of the tree is its gap.
 *
 * The functions that change the tree note the way down, as the links that they
 * follow, and mend R2 and R4 on the way back up.
 */
#include "lib/range.h"

/* ---- One node ------------------------------------------------------------ */

static unsigned int range_height(const struct range *range)
{
	return range == NULL ? 0 : range->height;
}

/* R2's and R4's numbers, from those below. */
static void range_update(struct range *range)
{
	const struct range *lower = range->lower;
	const struct range *higher = range->higher;

	range->height = 1 + max(range_height(lower), range_height(higher));
	range->widest = range->gap;
	if (lower != NULL)
		range->widest = max(range->widest, lower->widest);
	if (higher != NULL)
		range->widest = max(range->widest, higher->widest);
}

/* The lower child comes up and RANGE becomes its higher one. */
static struct range *range_rotate_up(struct range *range)
{
	struct range *top = range->lower;

	range->lower = top->higher;
	top->higher = range;
	range_update(range);
	range_update(top);
	return top;
}

/* The higher child comes up and RANGE becomes its lower one. */
static struct range *range_rotate_down(struct range *range)
{
	struct range *top = range->higher;

	range->higher = top->lower;
	top->lower = range;
	range_update(range);
	range_update(top);
	return top;
}

/* The subtrees of RANGE are sound, and their heights differ by at most 2: the same
 * ranges as a sound subtree. */
static struct range *range_balance(struct range *range)
{
	unsigned int lower = range_height(range->lower);
	unsigned int higher = range_height(range->higher);

	if (lower > higher + 1) {
		if (range_height(range->lower->lower) <
		    range_height(range->lower->higher))
			range->lower = range_rotate_down(range->lower);
		return range_rotate_up(range);
	}
	if (higher > lower + 1) {
		if (range_height(range->higher->higher) <
		    range_height(range->higher->lower))
			range->higher = range_rotate_up(range->higher);
		return range_rotate_down(range);
	}
	range_update(range);
	return range;
}

/* ---- The way down -------------------------------------------------------- */

/* An AVL tree of this height has more than 2^32 ranges. */
#define RANGE_LEVELS 48U

struct range_way {
	struct range **link[RANGE_LEVELS];
	unsigned int length;
};

/* Follow LINK, to the lower or the higher subtree: the next link. */
static struct range **range_descend(struct range_way *way, struct range **link,
                                    bool lower)
{
	way->link[way->length++] = link;
	return lower ? &(*link)->lower : &(*link)->higher;
}

/* Mend what lies on the way, from its end up. */
static void range_mend(struct range_way *way)
{
	while (way->length > 0) {
		struct range **link = way->link[--way->length];

		*link = range_balance(*link);
	}
}

/* ---- Changing the tree --------------------------------------------------- */

static void range_insert(struct range **link, struct range *range)
{
	struct range_way way = { .length = 0 };

	while (*link != NULL)
		link = range_descend(&way, link, range->start < (*link)->start);
	range->lower = NULL;
	range->higher = NULL;
	range_update(range);
	*link = range;
	range_mend(&way);
}

/* The lowest range behind OLD, which is *LINK, takes its place; there is one. */
static void range_replace(struct range_way *way, struct range **link,
                          const struct range *old)
{
	unsigned int begin = way->length;
	struct range **at = range_descend(way, link, false);
	struct range *heir = old->higher;

	while (heir->lower != NULL) {
		at = range_descend(way, at, true);
		heir = heir->lower;
	}
	*at = heir->higher;
	heir->lower = old->lower;
	heir->higher = old->higher;
	*link = heir;
	/* The way went through the old range. */
	if (way->length > begin + 1)
		way->link[begin + 1] = &heir->higher;
}

/* The way to the link of RANGE, which is in the tree at LINK. */
static struct range **range_go_to(struct range_way *way, struct range **link,
                                  const struct range *range)
{
	while (*link != NULL && *link != range)
		link = range_descend(way, link, range->start < (*link)->start);
	return link;
}

/* Take RANGE out of the tree at ROOT. */
static void range_take(struct range **root, const struct range *range)
{
	struct range_way way = { .length = 0 };
	struct range **link = range_go_to(&way, root, range);

	if (range->higher == NULL)
		*link = range->lower;
	else
		range_replace(&way, link, range);
	range_mend(&way);
}

/* RANGE, in the tree at ROOT, has another gap now. */
static void range_change_gap(struct range **root, struct range *range)
{
	struct range_way way = { .length = 0 };

	(void)range_go_to(&way, root, range);
	range_update(range);
	range_mend(&way);
}

/* The range with the lowest gap of at least SIZE; there is one. */
static struct range *range_lowest_gap(struct range *at, size_t size)
{
	for (;;) {
		if (at->lower != NULL && at->lower->widest >= size)
			at = at->lower;
		else if (at->gap >= size)
			return at;
		else
			at = at->higher;
	}
}

void range_tree_init(struct range_tree *tree, uintptr_t start, uintptr_t end)
{
	tree->start = start;
	tree->last = (struct range){
		.start = end,
		.end = end,
		.gap = end - start,
	};
	tree->root = NULL;
	range_insert(&tree->root, &tree->last);
}

/* The new range is the next lower one of that whose gap it takes, so that one is on
 * the way to its place and is updated. */
bool range_place(struct range_tree *tree, struct range *range, size_t size)
{
	struct range *behind;

	if (tree->root->widest < size)
		return false;
	behind = range_lowest_gap(tree->root, size);
	range->start = behind->start - behind->gap;
	range->end = range->start + size;
	range->gap = 0;
	behind->gap -= size;
	range_insert(&tree->root, range);
	return true;
}

/* The first range, `last` included, that begins at or behind NUMBER. */
static struct range *range_behind(const struct range_tree *tree,
                                  uintptr_t number)
{
	struct range *found = NULL;
	struct range *at = tree->root;

	while (at != NULL) {
		if (at->start >= number) {
			found = at;
			at = at->lower;
		} else {
			at = at->higher;
		}
	}
	return found;
}

void range_remove(struct range_tree *tree, struct range *range)
{
	struct range *behind = range_behind(tree, range->end);

	range_take(&tree->root, range);
	behind->gap += range->gap + (range->end - range->start);
	range_change_gap(&tree->root, behind);
}

/* ---- Looking ------------------------------------------------------------- */

struct range *range_from(const struct range_tree *tree, uintptr_t number)
{
	struct range *found = NULL;
	struct range *at = tree->root;

	while (at != NULL) {
		if (at->end > number) {
			found = at;
			at = at->lower;
		} else {
			at = at->higher;
		}
	}
	return found == &tree->last ? NULL : found;
}

struct range *range_find(const struct range_tree *tree, uintptr_t number)
{
	struct range *found = range_from(tree, number);

	return found != NULL && number >= found->start ? found : NULL;
}

uintptr_t range_widest(const struct range_tree *tree)
{
	return tree->root->widest;
}

/* The end of the range before RANGE, or the start of the tree. */
static uintptr_t range_end_before(const struct range_tree *tree,
                                  const struct range *range)
{
	const struct range *at = tree->root;
	uintptr_t end = tree->start;

	while (at != NULL) {
		if (at->start < range->start) {
			end = at->end;
			at = at->higher;
		} else {
			at = at->lower;
		}
	}
	return end;
}

bool range_is_sound(const struct range_tree *tree, const struct range *range)
{
	unsigned int lower = range_height(range->lower);
	unsigned int higher = range_height(range->higher);
	struct range same = *range;

	range_update(&same);
	return (range->lower == NULL || range->lower->end <= range->start) &&
	       (range->higher == NULL || range->higher->start >= range->end) &&
	       lower <= higher + 1 && higher <= lower + 1 &&
	       same.height == range->height && same.widest == range->widest &&
	       range->start - range_end_before(tree, range) == range->gap;
}

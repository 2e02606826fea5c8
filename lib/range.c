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
 * The functions that change the tree call themselves once a level and mend R2 and R4
 * on their way back.  A tree of a million ranges has at most 28 levels.
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

/* ---- Changing the tree --------------------------------------------------- */

static struct range *range_insert(struct range *at, struct range *range)
{
	if (at == NULL) {
		range->lower = NULL;
		range->higher = NULL;
		range_update(range);
		return range;
	}
	if (range->start < at->start)
		at->lower = range_insert(at->lower, range);
	else
		at->higher = range_insert(at->higher, range);
	return range_balance(at);
}

/* Take the lowest range out of the subtree AT, into *FOUND. */
static struct range *range_take_lowest(struct range *at, struct range **found)
{
	if (at->lower == NULL) {
		*found = at;
		return at->higher;
	}
	at->lower = range_take_lowest(at->lower, found);
	return range_balance(at);
}

/* Take RANGE out of the subtree AT. */
static struct range *range_take(struct range *at, const struct range *range)
{
	struct range *heir;

	if (range->start < at->start) {
		at->lower = range_take(at->lower, range);
		return range_balance(at);
	}
	if (range != at) {
		at->higher = range_take(at->higher, range);
		return range_balance(at);
	}
	if (at->higher == NULL)
		return at->lower;
	at->higher = range_take_lowest(at->higher, &heir);
	heir->lower = at->lower;
	heir->higher = at->higher;
	return range_balance(heir);
}

/* RANGE, in the subtree AT, has another gap now. */
static void range_update_path(struct range *at, const struct range *range)
{
	if (range != at)
		range_update_path(range->start < at->start ? at->lower
		                                           : at->higher,
		                  range);
	range_update(at);
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
	tree->root = range_insert(NULL, &tree->last);
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
	tree->root = range_insert(tree->root, range);
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

	tree->root = range_take(tree->root, range);
	behind->gap += range->gap + (range->end - range->start);
	range_update_path(tree->root, behind);
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

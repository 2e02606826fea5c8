/* SPDX-License-Identifier: MIT */
/*
 * lib/range.h -- ranges of numbers that do not overlap, and the gaps between them.
 *
 *	start   a    b        c          end
 *	  | gap |####| gap    |####|####| gap |
 *
 * A tree holds the ranges that are taken, in order.  A gap has no object: it
 * belongs to the range behind it (the last one to the end of the tree), so that
 * giving a range back needs no memory and merges nothing.
 *
 * The tree is balanced (AVL), and each subtree knows its widest gap (as Linux's
 * vmap_area tree does of its free areas).  So placing, finding and removing take a
 * number of steps that grows with the logarithm of the ranges.
 *
 * The caller holds the lock that guards the tree.  Every function may be called from
 * any context.
 */
#ifndef LIB_RANGE_H
#define LIB_RANGE_H

#include "lib/types.h"

/* A part of the object that occupies the range. */
struct range {
	uintptr_t start;
	uintptr_t end;        /* the first number behind it */
	uintptr_t gap;        /* that is free before it */
	uintptr_t widest;     /* gap of all ranges below and this one */
	struct range *lower;  /* subtree of the ranges before it */
	struct range *higher; /* and of those behind it */
	unsigned int height;  /* of the subtree that begins here */
};

struct range_tree {
	struct range *root;
	uintptr_t start;
	struct range last; /* empty, at the end of the tree */
};

/* An empty tree from START to END. */
void range_tree_init(struct range_tree *tree, uintptr_t start, uintptr_t end);

/*
 * Place RANGE, SIZE (> 0) numbers, at the lowest place where they are free.  False:
 * no gap is so wide, and nothing has changed.
 */
__must_check bool range_place(struct range_tree *tree, struct range *range,
                              size_t size);

/* Take RANGE, which is in the tree, out of it. */
void range_remove(struct range_tree *tree, struct range *range);

/* The range that NUMBER is in, or NULL. */
struct range *range_find(const struct range_tree *tree, uintptr_t number);

/* The first range that ends above NUMBER, or NULL: for walks. */
struct range *range_from(const struct range_tree *tree, uintptr_t number);

/* The widest gap: what range_place() could still place. */
uintptr_t range_widest(const struct range_tree *tree);

/* Is what RANGE knows of itself and of its subtrees true?  Looks at the two ranges
 * below it, and for the gap at the one before it. */
bool range_is_sound(const struct range_tree *tree, const struct range *range);

#endif

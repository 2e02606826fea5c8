/* SPDX-License-Identifier: MIT */
/*
 * mm/user/filemap_tree.h -- the tree of a page cache: from numbers to pages.
 *
 * Any context; the caller has the lock of the tree (filemap.lock).
 */
#ifndef MM_USER_FILEMAP_TREE_H
#define MM_USER_FILEMAP_TREE_H

#include "lib/types.h"
#include "mm/gfp.h"
#include "mm/page.h"

#define FILEMAP_TREE_BITS    9
#define FILEMAP_TREE_ENTRIES (1UL << FILEMAP_TREE_BITS)

/* Numbers are below 2^63: there are not as many blocks. */
#define FILEMAP_TREE_HEIGHT  7

/* All zero: empty. */
struct filemap_tree {
	void *root;
	unsigned int height;
};

/* Can INDEX be found in a tree of this height? */
bool filemap_tree_reaches(const struct filemap_tree *tree, unsigned long index);

/*
 * Returns the node LEVEL levels above the pages on the way to *INDEX, or the page if
 * LEVEL is 0.  NULL: there is none; then *INDEX is the next for which there may be one.
 * The tree reaches *INDEX.
 */
void *filemap_tree_look(const struct filemap_tree *tree, unsigned int level,
                        unsigned long *index);

/* The first number behind the node LEVEL levels above INDEX. */
unsigned long filemap_tree_behind(unsigned long index, unsigned int level);

/* The number of NODE's entries in use, to be read; only the tree writes it. */
unsigned long *filemap_tree_used(void *node);

/* A zeroed page for a node of a tree whose pages are requested with GFP: it cannot be
 * moved, and goes when they are reclaimed.  NULL: no memory. */
__must_check struct page *filemap_tree_spare(gfp_t gfp);

/*
 * The entry for INDEX, with all nodes above it.  If it was empty, it is counted as used,
 * and the caller puts a page there.  Takes *SPARE, a zeroed page, where a node is
 * missing, and sets it to NULL.  NULL: one more is needed; what was made stays, for the
 * next call or filemap_tree_prune().
 */
void **filemap_tree_make(struct filemap_tree *tree, unsigned long index,
                         struct page **spare);

/*
 * Clear the entry for INDEX, which has a page, and take the nodes that lead nowhere now
 * out of the tree: a chain for filemap_tree_free(), or NULL.  A free takes longer than
 * the lock should be held.
 */
__must_check void *filemap_tree_remove(struct filemap_tree *tree,
                                       unsigned long index);

/* The same for the nodes on the way to INDEX that lead nowhere. */
__must_check void *filemap_tree_prune(struct filemap_tree *tree,
                                      unsigned long index);

/* Free a chain of nodes.  Without the tree's lock. */
void filemap_tree_free(void *chain);

#endif

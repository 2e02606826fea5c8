// SPDX-License-Identifier: MIT
/*
 * mm/user/filemap_tree.c -- from numbers to pages.
 *
 * The tree is like a page table.  A node is a page of 512 entries; with HEIGHT levels
 * of nodes the numbers 0 .. 512^HEIGHT - 1 can be found, nine bits of the number at
 * each level:
 *
 *	height 0	root -> page 0
 *	height 1	root -> [512 entries] -> pages 0..511
 *	height 2	root -> [512 entries] -> [512 entries] -> pages 0..262143
 *
 * So a file of up to 4 KiB needs no node, one of 2 MiB a single one.  A node knows
 * how many of its entries are in use (filemap_tree_used()); when that is none, it goes.
 *
 * A tree allocates nothing: it is changed under a lock, and the caller brings the next
 * node along.  Linux has an XArray here (lib/xarray.c).
 *
 * Locking: the caller's.
 */
#include "mm/user/filemap_tree.h"

#include "kernel/core/panic.h"
#include "mm/page_alloc.h"

/* Its page is not in a cache, and its index is free to count the entries. */
unsigned long *filemap_tree_used(void *node)
{
	return &virt_to_page(node)->index;
}

/* Which of a node's entries leads to INDEX, LEVEL levels above the pages. */
static void **filemap_tree_entry(void *node, unsigned int level,
                                 unsigned long index)
{
	kassert(level > 0 && level <= FILEMAP_TREE_HEIGHT);
	return (void **)node + (index >> FILEMAP_TREE_BITS * (level - 1)) %
	                               FILEMAP_TREE_ENTRIES;
}

bool filemap_tree_reaches(const struct filemap_tree *tree, unsigned long index)
{
	kassert(tree->height <= FILEMAP_TREE_HEIGHT);
	return index >> FILEMAP_TREE_BITS * tree->height == 0;
}

/* Flags that name a place or a purpose are those of the pages, not of a node. */
struct page *filemap_tree_spare(gfp_t gfp)
{
	gfp_t node = gfp & ~(gfp_t)(__GFP_MOVABLE | __GFP_HIGHMEM |
	                            __GFP_HARDWALL | __GFP_WRITE);

	return alloc_page(node | __GFP_RECLAIMABLE | __GFP_ZERO);
}

static void *filemap_tree_take(struct page **spare)
{
	void *node = *spare == NULL ? NULL : page_address(*spare);

	*spare = NULL;
	return node;
}

void filemap_tree_free(void *chain)
{
	while (chain != NULL) {
		void *node = chain;

		kassert(*filemap_tree_used(node) == 0);
		chain = *(void **)node;
		free_page((uintptr_t)node);
	}
}

/* Raise the tree until it reaches INDEX.  False: it needs a node. */
static bool filemap_tree_raise(struct filemap_tree *tree, unsigned long index,
                               struct page **spare)
{
	while (!filemap_tree_reaches(tree, index)) {
		if (tree->root != NULL) {
			void **node = filemap_tree_take(spare);

			if (node == NULL)
				return false;
			node[0] = tree->root;
			*filemap_tree_used(node) = 1;
			tree->root = node;
		}
		kassert(tree->height < FILEMAP_TREE_HEIGHT);
		tree->height++;
	}
	return true;
}

void **filemap_tree_make(struct filemap_tree *tree, unsigned long index,
                         struct page **spare)
{
	void **entry = &tree->root;
	void *above = NULL;

	if (!filemap_tree_raise(tree, index, spare))
		return NULL;
	for (unsigned int level = tree->height; level > 0; level--) {
		if (*entry == NULL) {
			*entry = filemap_tree_take(spare);
			if (*entry == NULL)
				return NULL;
			if (above != NULL)
				++*filemap_tree_used(above);
		}
		above = *entry;
		entry = filemap_tree_entry(above, level, index);
	}
	if (*entry == NULL && above != NULL)
		++*filemap_tree_used(above);
	return entry;
}

void *filemap_tree_prune(struct filemap_tree *tree, unsigned long index)
{
	void *chain = NULL;
	void **entry[FILEMAP_TREE_HEIGHT + 1] = { &tree->root };
	unsigned int depth = 0;

	for (unsigned int level = tree->height; level > 0; level--) {
		void *node = *entry[depth];

		if (node == NULL)
			break;
		entry[++depth] = filemap_tree_entry(node, level, index);
	}
	while (depth > 0 && *filemap_tree_used(*entry[depth - 1]) == 0) {
		void **node = *entry[--depth];

		node[0] = chain;
		chain = node;
		*entry[depth] = NULL;
		if (depth > 0)
			--*filemap_tree_used(*entry[depth - 1]);
	}
	if (tree->root == NULL)
		tree->height = 0;
	return chain;
}

void *filemap_tree_remove(struct filemap_tree *tree, unsigned long index)
{
	void **entry = &tree->root;
	void *above = NULL;

	for (unsigned int level = tree->height; level > 0; level--) {
		above = *entry;
		entry = filemap_tree_entry(above, level, index);
	}
	kassert(*entry != NULL);
	kassert(above == NULL || *filemap_tree_used(above) > 0);
	*entry = NULL;
	if (above != NULL)
		--*filemap_tree_used(above);
	return filemap_tree_prune(tree, index);
}

unsigned long filemap_tree_behind(unsigned long index, unsigned int level)
{
	kassert(level <= FILEMAP_TREE_HEIGHT);
	return (index | ((1UL << FILEMAP_TREE_BITS * level) - 1)) + 1;
}

/* A whole number of these is a node. */
#define LOOK_MOST 16UL

/* INDEX and the entries behind it are empty, as far as the next that is not, or the next
 * multiple of LOOK_MOST. */
static unsigned long behind_empty(void *const *entry, unsigned long index)
{
	static_assert(FILEMAP_TREE_ENTRIES % LOOK_MOST == 0, "it stays inside");
	kassert(*entry == NULL);
	do {
		entry++;
		index++;
	} while (index % LOOK_MOST != 0 && *entry == NULL);
	return index;
}

void *filemap_tree_look(const struct filemap_tree *tree, unsigned int level,
                        unsigned long *index)
{
	void *node = tree->root;
	unsigned int at = tree->height;
	void **entry = NULL;

	kassert(filemap_tree_reaches(tree, *index));
	while (node != NULL && at > level) {
		entry = filemap_tree_entry(node, at, *index);
		node = *entry;
		at--;
	}
	if (node == NULL)
		*index = at == 0 && entry != NULL
		                 ? behind_empty(entry, *index)
		                 : filemap_tree_behind(*index, at);
	return node;
}

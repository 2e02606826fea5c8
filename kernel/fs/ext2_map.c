// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_map.c -- from a file's blocks to the disk's.
 *
 * An inode has 15 numbers.  The first 12 are the file's first blocks; the others
 * lead to blocks full of numbers, once, twice and three times removed.  With N
 * numbers in a block (256 in 1 KiB):
 *
 *	slot 0..11   blocks 0..11
 *	slot 12      N blocks            ->[N numbers]-> block
 *	slot 13      N * N               ->[ ]->[ ]-> block
 *	slot 14      N * N * N           ->[ ]->[ ]->[ ]-> block
 *
 * A number 0 is a hole: zeros that take no room.
 *
 *  P1  No number is followed before ext2_check_block() has allowed it.
 *  P2  A walk is at most four steps, so numbers that lead in a circle end it like
 *      any others; when they are freed, the second time is an error that stops
 *      the walk.
 */
#include "kernel/fs/ext2_internal.h"
#include "mm/page_alloc.h"

#define MAX_DEPTH 3

/* The way to one block: the inode's slot, then an index for each block of
 * numbers. */
struct path {
	unsigned int depth; /* blocks of numbers to go through */
	unsigned int slot;
	uint32_t index[MAX_DEPTH];
};

static uint64_t span_of(const struct ext2 *fs, unsigned int depth)
{
	uint64_t span = 1;

	while (depth-- > 0)
		span *= fs->numbers;
	return span;
}

/* -EFBIG: there is no way. */
static int find_path(const struct ext2 *fs, uint64_t block, struct path *path)
{
	*path = (struct path){ .slot = (unsigned int)block };
	if (block < EXT2_DIRECT)
		return 0;
	block -= EXT2_DIRECT;
	for (path->depth = 1; path->depth <= MAX_DEPTH; path->depth++) {
		if (block < span_of(fs, path->depth))
			break;
		block -= span_of(fs, path->depth);
	}
	if (path->depth > MAX_DEPTH)
		return -EFBIG;
	path->slot = EXT2_DIRECT + path->depth - 1;
	for (unsigned int i = 0; i < path->depth; i++) {
		uint64_t span = span_of(fs, path->depth - 1 - i);

		path->index[i] = (uint32_t)(block / span);
		block %= span;
	}
	return 0;
}

/* What the numbers reach, or the sectors that an inode can count (in 32 bits),
 * or 2 TiB, whichever is least.  Four in a hundred are left for the blocks of
 * numbers. */
uint64_t ext2_largest_file(const struct ext2 *fs)
{
	uint64_t blocks =
		EXT2_DIRECT + span_of(fs, 1) + span_of(fs, 2) + span_of(fs, 3);
	uint64_t counted = (UINT32_MAX / 100 * 96ULL) * 512;

	return min(blocks << fs->block_shift, counted);
}

int ext2_map(struct inode *inode, uint64_t block, uint32_t *number)
{
	struct ext2 *fs = inode->fs;
	struct path path;
	int error = find_path(fs, block, &path);

	if (error != 0)
		return error;
	*number = inode->block[path.slot];
	for (unsigned int i = 0; i < path.depth && *number != 0; i++) {
		const uint32_t *numbers;
		struct page *page;

		error = ext2_check_block(fs, *number);
		if (error == 0)
			error = ext2_meta_get(fs, *number, &page, &numbers);
		if (error != 0)
			return error;
		*number = numbers[path.index[i]];
		put_page(page);
	}
	return *number != 0 ? ext2_check_block(fs, *number) : 0;
}

int ext2_map_peek(struct inode *inode, uint64_t block, uint32_t *number)
{
	struct ext2 *fs = inode->fs;
	struct path path;
	int error = find_path(fs, block, &path);

	if (error != 0)
		return error;
	*number = READ_ONCE(inode->block[path.slot]);
	for (unsigned int i = 0; i < path.depth && *number != 0; i++) {
		error = ext2_meta_peek(fs, *number, path.index[i], number);
		if (error != 0)
			return error;
	}
	return 0;
}

/* ---- Growing -------------------------------------------------------------------- */

/* A new block for *SLOT, a block of numbers if NUMBERS. */
static int fill_slot(struct inode *inode, uint32_t goal, bool numbers,
                     uint32_t *slot)
{
	struct ext2 *fs = inode->fs;
	struct page *page;
	void *data;
	uint32_t number;
	int error = ext2_take_block(fs, goal, &number);

	if (error != 0)
		return error;
	if (numbers) {
		error = ext2_meta_new(fs, number, &page, &data);
		if (error != 0) {
			int second = ext2_give_block(fs, number);

			return second != 0 ? second : error;
		}
		put_page(page);
	}
	WRITE_ONCE(*slot, number);
	inode->sectors += fs->block_size / 512;
	return 0;
}

/* Where a file's next block should be: behind the last one, or with its inode. */
static uint32_t goal_of(struct inode *inode, const struct path *path)
{
	struct ext2 *fs = inode->fs;

	if (path->slot > 0 && path->slot < EXT2_SLOTS &&
	    inode->block[path->slot - 1] != 0)
		return inode->block[path->slot - 1] + 1;
	return ext2_group_first(fs, (inode->number - 1) /
	                                    fs->super->inodes_per_group);
}

int ext2_map_create(struct inode *inode, uint64_t block, uint32_t *number,
                    bool *fresh)
{
	struct ext2 *fs = inode->fs;
	struct page *page = NULL; /* of the block that *SLOT is in */
	uint32_t *slot;
	uint32_t goal;
	struct path path;
	int error = find_path(fs, block, &path);

	if (error != 0)
		return error;
	*fresh = false;
	slot = &inode->block[path.slot];
	goal = goal_of(inode, &path);
	for (unsigned int i = 0;; i++) {
		struct page *below;
		uint32_t *numbers;

		if (*slot == 0) {
			error = fill_slot(inode, goal, i < path.depth, slot);
			if (error == 0 && page != NULL)
				filemap_dirty(page);
			*fresh = true;
		} else {
			error = ext2_check_block(fs, *slot);
		}
		if (error != 0 || i == path.depth)
			break;
		error = ext2_meta_get(fs, *slot, &below, &numbers);
		if (error != 0)
			break;
		goal = *slot + 1;
		if (page != NULL)
			put_page(page);
		page = below;
		slot = numbers + path.index[i];
		if (path.index[i] > 0 && slot[-1] != 0)
			goal = slot[-1] + 1;
	}
	*number = error == 0 ? *slot : 0;
	if (page != NULL)
		put_page(page);
	return error;
}

/* ---- Shrinking ---------------------------------------------------------------------- */

/* A block of numbers that is being emptied. */
struct level {
	struct page *page;
	uint32_t *numbers;
	uint32_t next;  /* to look at */
	uint64_t first; /* what to keep of the tree under NEXT */
	bool whole;     /* nothing in it is kept */
};

static int give_slot(struct inode *inode, uint32_t *slot, struct page *page)
{
	int error = ext2_give_block(inode->fs, *slot);

	if (error != 0)
		return error;
	WRITE_ONCE(*slot, 0);
	inode->sectors -= min(inode->sectors, inode->fs->block_size / 512);
	if (page != NULL)
		filemap_dirty(page);
	return 0;
}

/* Begin with the block of numbers NUMBER, of whose tree (DEPTH deep) the first
 * FIRST blocks are kept. */
static int enter(struct ext2 *fs, uint32_t number, unsigned int depth,
                 uint64_t first, struct level *level)
{
	uint64_t span = span_of(fs, depth - 1);
	int error = ext2_check_block(fs, number);

	if (error == 0)
		error = ext2_meta_get(fs, number, &level->page,
		                      &level->numbers);
	level->next = (uint32_t)(first / span);
	level->first = first % span;
	level->whole = first == 0;
	return error;
}

/* Free all but the first FIRST blocks of the tree under *ROOT, which is DEPTH
 * deep. */
static int free_tree(struct inode *inode, uint32_t *root, unsigned int depth,
                     uint64_t first)
{
	struct ext2 *fs = inode->fs;
	struct level level[MAX_DEPTH];
	int top = 0;
	int error;

	if (*root == 0)
		return 0;
	error = enter(fs, *root, depth, first, &level[0]);
	if (error != 0)
		return error;
	while (top >= 0) {
		struct level *here = &level[top];
		uint32_t *slot = here->numbers + here->next;

		if (here->next == fs->numbers) {
			/* All below is done: it may go itself. */
			bool whole = here->whole;

			put_page(here->page);
			top--;
			slot = top < 0 ? root
			               : level[top].numbers + level[top].next;
			if (whole)
				error = give_slot(inode, slot,
				                  top < 0 ? NULL
				                          : level[top].page);
			if (top >= 0)
				level[top].next++;
		} else if (*slot == 0) {
			here->next++;
			here->first = 0;
		} else if ((unsigned int)top + 1 == depth) {
			error = give_slot(inode, slot, here->page);
			here->next++;
		} else {
			error = enter(fs, *slot, depth - (unsigned int)top - 1,
			              here->first, here + 1);
			here->first = 0;
			top += error == 0;
		}
		if (error != 0)
			break;
	}
	while (top >= 0)
		put_page(level[top--].page);
	return error;
}

static int free_from(struct inode *inode, uint64_t block)
{
	uint64_t first = EXT2_DIRECT;
	int error = 0;

	for (uint64_t i = block; i < EXT2_DIRECT && error == 0; i++) {
		if (inode->block[i] != 0)
			error = give_slot(inode, &inode->block[i], NULL);
	}
	for (unsigned int depth = 1; depth <= MAX_DEPTH && error == 0;
	     depth++) {
		uint64_t span = span_of(inode->fs, depth);
		uint64_t keep = block > first ? block - first : 0;

		if (keep < span)
			error = free_tree(
				inode, &inode->block[EXT2_DIRECT + depth - 1],
				depth, keep);
		first += span;
	}
	return error;
}

int ext2_free_from(struct inode *inode, uint64_t block)
{
	int error;

	inode->fs->freeing++;
	error = free_from(inode, block);
	inode->fs->freeing--;
	return error;
}

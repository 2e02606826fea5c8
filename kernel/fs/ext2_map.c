// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_map.c -- from a file's blocks to the disk's.
 *
 * An inode has 15 numbers.  The first 12 are the file's first blocks; the others
 * lead to blocks full of numbers, once, twice and three times removed.  With N
 * numbers in a block (256 in 1 KiB):
 *
 *	entry 0..11   blocks 0..11
 *	entry 12      N blocks            ->[N numbers]-> block
 *	entry 13      N * N               ->[ ]->[ ]-> block
 *	entry 14      N * N * N           ->[ ]->[ ]->[ ]-> block
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

/* The way to one block: the inode's entry, then an index for each block of
 * numbers. */
struct path {
	unsigned int depth; /* blocks of numbers to go through */
	unsigned int entry;
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
	*path = (struct path){ .entry = (unsigned int)block };
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
	path->entry = EXT2_DIRECT + path->depth - 1;
	for (unsigned int i = 0; i < path->depth; i++) {
		uint64_t span = span_of(fs, path->depth - 1 - i);

		path->index[i] = (uint32_t)(block / span);
		block %= span;
	}
	return 0;
}

/* The reach of the block numbers, or the sectors that an inode can count (in 32 bits),
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
	*number = inode->block[path.entry];
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

/* All numbers on the way have been allowed when the page was filled.  But if two
 * files have a block in common, one file's data may be the other's numbers. */
static bool is_on_disk(const struct ext2 *fs, uint32_t number)
{
	return number > fs->super->first_data_block &&
	       number < fs->super->blocks_count;
}

int ext2_map_peek(struct inode *inode, uint64_t block, uint32_t *number)
{
	struct ext2 *fs = inode->fs;
	struct path path;
	int error = find_path(fs, block, &path);

	if (error != 0)
		return error;
	*number = READ_ONCE(inode->block[path.entry]);
	for (unsigned int i = 0; i < path.depth && *number != 0; i++) {
		if (!is_on_disk(fs, *number))
			return -EUCLEAN;
		error = ext2_meta_peek(fs, *number, path.index[i], number);
		if (error != 0)
			return error;
	}
	return *number == 0 || is_on_disk(fs, *number) ? 0 : -EUCLEAN;
}

/* ---- Growing ------------------------------------------------------------- */

/* Where a number stands. */
struct place {
	uint32_t *entry;
	struct page *page; /* of the block of numbers; NULL: in the inode */
};

static void ext2_map_set_number(const struct place *place, uint32_t number)
{
	WRITE_ONCE(*place->entry, number);
	if (place->page != NULL)
		filemap_dirty(place->page);
}

static void ext2_map_leave(const struct place *place)
{
	if (place->page != NULL)
		put_page(place->page);
}

/* A new block for PLACE, a block of numbers if NUMBERS. */
static int fill_place(struct inode *inode, uint32_t goal, bool numbers,
                      const struct place *place)
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
	ext2_map_set_number(place, number);
	inode->sectors += fs->block_size / 512;
	return 0;
}

/* The preferred place of a file's next block: after the last one, or near its inode. */
static uint32_t goal_of(struct inode *inode, const struct path *path)
{
	struct ext2 *fs = inode->fs;

	if (path->entry > 0 && path->entry < EXT2_ENTRIES &&
	    inode->block[path->entry - 1] != 0)
		return inode->block[path->entry - 1] + 1;
	return ext2_group_first(fs, (inode->number - 1) /
	                                    fs->super->inodes_per_group);
}

/* At PLACE is a number that may be followed; a hole is filled. */
static int need_block(struct inode *inode, uint32_t goal, bool numbers,
                      const struct place *place, bool *fresh)
{
	if (*place->entry != 0)
		return ext2_check_block(inode->fs, *place->entry);
	*fresh = true;
	return fill_place(inode, goal, numbers, place);
}

/* From the number at PLACE to number INDEX of the block that it leads to. */
static int step_down(struct ext2 *fs, struct place *place, uint32_t index,
                     uint32_t *goal)
{
	struct page *page;
	uint32_t *numbers;
	int error = ext2_meta_get(fs, *place->entry, &page, &numbers);

	if (error != 0)
		return error;
	*goal = *place->entry + 1;
	ext2_map_leave(place);
	*place = (struct place){ .entry = numbers + index, .page = page };
	if (index > 0 && numbers[index - 1] != 0)
		*goal = numbers[index - 1] + 1;
	return 0;
}

int ext2_map_create(struct inode *inode, uint64_t block, uint32_t *number,
                    bool *fresh)
{
	struct ext2 *fs = inode->fs;
	struct place place = { 0 };
	uint32_t goal;
	struct path path;
	int error = find_path(fs, block, &path);

	if (error != 0)
		return error;
	*fresh = false;
	place.entry = &inode->block[path.entry];
	goal = goal_of(inode, &path);
	error = need_block(inode, goal, path.depth > 0, &place, fresh);
	for (unsigned int i = 0; i < path.depth && error == 0; i++) {
		error = step_down(fs, &place, path.index[i], &goal);
		if (error == 0)
			error = need_block(inode, goal, i + 1 < path.depth,
			                   &place, fresh);
	}
	*number = error == 0 ? *place.entry : 0;
	ext2_map_leave(&place);
	return error;
}

/* ---- Shrinking ----------------------------------------------------------- */

/* A block of numbers that is being emptied. */
struct level {
	struct page *page;
	uint32_t *numbers;
	uint32_t next;  /* to look at */
	uint64_t first; /* what to keep of the tree under NEXT */
	bool whole;     /* nothing in it is kept */
};

/* The way down a tree of blocks of numbers. */
struct tree {
	struct inode *inode;
	struct place root;
	unsigned int depth;
	int top; /* the level that is worked on; -1: done */
	struct level level[MAX_DEPTH];
};

static int give_place(struct inode *inode, const struct place *place)
{
	int error = ext2_give_block(inode->fs, *place->entry);

	if (error != 0)
		return error;
	ext2_map_set_number(place, 0);
	inode->sectors -= min(inode->sectors, inode->fs->block_size / 512);
	return 0;
}

/* Begin with the block of numbers NUMBER, of whose tree (DEPTH deep) the first
 * FIRST blocks are kept. */
static int ext2_map_enter(struct ext2 *fs, uint32_t number, unsigned int depth,
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

/* All below the lowest level is done: it may go itself. */
static int leave_level(struct tree *tree)
{
	const struct level *done = &tree->level[tree->top--];
	struct place place = tree->root;

	put_page(done->page);
	if (tree->top >= 0) {
		struct level *above = &tree->level[tree->top];

		place = (struct place){ .entry = above->numbers + above->next,
			                .page = above->page };
		above->next++;
	}
	return done->whole ? give_place(tree->inode, &place) : 0;
}

static int free_next(struct tree *tree)
{
	struct ext2 *fs = tree->inode->fs;
	struct level *here = &tree->level[tree->top];
	unsigned int below = tree->depth - (unsigned int)tree->top - 1;
	struct place place = { .entry = here->numbers + here->next,
		               .page = here->page };
	uint64_t first = here->first;
	int error;

	if (here->next == fs->numbers)
		return leave_level(tree);
	here->first = 0;
	if (*place.entry != 0 && below > 0) {
		error = ext2_map_enter(fs, *place.entry, below, first,
		                       here + 1);
		tree->top += error == 0;
		return error;
	}
	here->next++;
	return *place.entry == 0 ? 0 : give_place(tree->inode, &place);
}

/* Free all but the first FIRST blocks of the inode's tree that is DEPTH deep. */
static int free_tree(struct inode *inode, unsigned int depth, uint64_t first)
{
	uint32_t *root = &inode->block[EXT2_DIRECT + depth - 1];
	struct tree tree = { .inode = inode,
		             .root.entry = root,
		             .depth = depth };
	int error;

	if (*root == 0)
		return 0;
	error = ext2_map_enter(inode->fs, *root, depth, first, &tree.level[0]);
	if (error != 0)
		return error;
	while (tree.top >= 0 && error == 0)
		error = free_next(&tree);
	while (tree.top >= 0)
		put_page(tree.level[tree.top--].page);
	return error;
}

static int free_from(struct inode *inode, uint64_t block)
{
	uint64_t first = EXT2_DIRECT;
	int error = 0;

	for (uint64_t i = block; i < EXT2_DIRECT && error == 0; i++) {
		struct place place = { .entry = &inode->block[i] };

		if (inode->block[i] != 0)
			error = give_place(inode, &place);
	}
	for (unsigned int depth = 1; depth <= MAX_DEPTH && error == 0;
	     depth++) {
		uint64_t span = span_of(inode->fs, depth);
		uint64_t keep = block > first ? block - first : 0;

		if (keep < span)
			error = free_tree(inode, depth, keep);
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

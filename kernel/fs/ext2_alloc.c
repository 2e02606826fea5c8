// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_alloc.c -- which blocks and inodes are free.
 *
 * One block of bits for the blocks of a group, one for its inodes; 1 is taken.
 * The number of free ones is kept three times: in the bits, in the group's
 * descriptor, in the superblock.
 *
 *  A1  The three agree whenever the mutex is free.
 *  A2  A block of the file system's own (ext2_check_block()) is never given to a
 *      file, never taken back from one, and never looked at as one, whatever
 *      bitmap and inodes say.
 *
 * A block is looked for first at the goal, then behind it in its group, then in
 * the groups behind.  The blocks reserved for the superuser are the kernel's to
 * take: it is one.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/bitmap.h"
#include "mm/page_alloc.h"

#define NONE UINT32_MAX

/* ---- Bits ---------------------------------------------------------------- */

static bool bit_is_set(const uint8_t *bits, uint32_t at)
{
	return (bits[at / 8] >> at % 8 & 1) != 0;
}

static void flip_bit(uint8_t *bits, uint32_t at)
{
	bits[at / 8] ^= (uint8_t)(1U << at % 8);
}

/* The first clear bit in FROM..END-1, or NONE. */
static uint32_t find_clear(const uint8_t *bits, uint32_t from, uint32_t end)
{
	uint32_t at = from;

	while (at < end && bit_is_set(bits, at))
		at += at % 8 == 0 && bits[at / 8] == 0xff ? 8 : 1;
	return at < end ? at : NONE;
}

/* ---- Groups -------------------------------------------------------------- */

int ext2_group_get(struct ext2 *fs, uint32_t group, struct page **page,
                   struct ext2_group **data)
{
	uint32_t per_block = fs->block_size / sizeof(struct ext2_group);
	uint32_t super_at = EXT2_SUPER_BYTE >> fs->block_shift;
	struct ext2_group *first;
	int error = ext2_meta_get(fs, super_at + 1 + group / per_block, page,
	                          &first);

	if (error == 0)
		*data = first + group % per_block;
	return error;
}

int ext2_check_block(struct ext2 *fs, uint32_t number)
{
	uint32_t group;
	uint32_t first;
	struct ext2_group *data;
	struct page *page;
	bool own;
	int error;

	if (number <= fs->super->first_data_block ||
	    number >= fs->super->blocks_count)
		return ext2_error(fs, "block %u does not exist", number);
	group = (number - fs->super->first_data_block) /
	        fs->super->blocks_per_group;
	first = ext2_group_first(fs, group);
	error = ext2_group_get(fs, group, &page, &data);
	if (error != 0)
		return error;
	own = number - first < ext2_group_head(fs, group) ||
	      number == data->block_bitmap || number == data->inode_bitmap ||
	      number - data->inode_table < ext2_table_blocks(fs);
	put_page(page);
	return own ? ext2_error(fs, "block %u is no file's", number) : 0;
}

/* The pages and pointers for a change of a group's bits. */
struct change {
	struct page *group_page;
	struct ext2_group *group;
	struct page *bits_page;
	uint8_t *bits;
};

static int begin_change(struct ext2 *fs, uint32_t group, bool inodes,
                        struct change *change)
{
	int error =
		ext2_group_get(fs, group, &change->group_page, &change->group);

	if (error != 0)
		return error;
	error = ext2_meta_get(fs,
	                      inodes ? change->group->inode_bitmap
	                             : change->group->block_bitmap,
	                      &change->bits_page, &change->bits);
	if (error != 0)
		put_page(change->group_page);
	return error;
}

static void end_change(struct ext2 *fs, struct change *change, bool changed)
{
	if (changed) {
		filemap_dirty(change->bits_page);
		filemap_dirty(change->group_page);
		filemap_dirty(fs->super_page);
	}
	put_page(change->bits_page);
	put_page(change->group_page);
}

/* ---- Blocks -------------------------------------------------------------- */

/* A block of GROUP from bit FROM on; -ENOSPC. */
static int take_in_group(struct ext2 *fs, uint32_t group, uint32_t from,
                         uint32_t *number)
{
	uint32_t first = ext2_group_first(fs, group);
	struct change change;
	uint32_t at;
	int error = begin_change(fs, group, false, &change);

	if (error != 0)
		return error;
	at = find_clear(change.bits, from, ext2_group_blocks(fs, group));
	if (at == NONE && from > 0)
		at = find_clear(change.bits, 0, from);
	error = at == NONE ? -ENOSPC : ext2_check_block(fs, first + at);
	if (error == 0 &&
	    (change.group->free_blocks == 0 || fs->super->free_blocks == 0))
		error = ext2_error(fs, "group %u counts its free blocks wrong",
		                   group);
	if (error == 0) {
		flip_bit(change.bits, at);
		change.group->free_blocks--;
		fs->super->free_blocks--;
		*number = first + at;
	}
	end_change(fs, &change, error == 0);
	return error;
}

int ext2_take_block(struct ext2 *fs, uint32_t goal, uint32_t *number)
{
	uint32_t from = goal - fs->super->first_data_block;
	uint32_t group;
	uint32_t bit;

	if (goal <= fs->super->first_data_block ||
	    goal >= fs->super->blocks_count)
		from = 0;
	group = from / fs->super->blocks_per_group;
	bit = from % fs->super->blocks_per_group;
	for (uint32_t tries = 0; tries < fs->groups; tries++) {
		int error = take_in_group(fs, group, bit, number);

		if (error != -ENOSPC)
			return error;
		group = (group + 1) % fs->groups;
		bit = 0;
	}
	return -ENOSPC;
}

static int give_block(struct ext2 *fs, uint32_t number)
{
	uint32_t from = number - fs->super->first_data_block;
	uint32_t bit = from % fs->super->blocks_per_group;
	struct change change;
	int error = ext2_check_block(fs, number);

	if (error == 0)
		error = begin_change(fs, from / fs->super->blocks_per_group,
		                     false, &change);
	if (error != 0)
		return error;
	if (bit_is_set(change.bits, bit)) {
		ext2_meta_forget(fs, number);
		flip_bit(change.bits, bit);
		change.group->free_blocks++;
		fs->super->free_blocks++;
	} else {
		error = ext2_error(fs, "block %u is freed twice", number);
	}
	end_change(fs, &change, error == 0);
	return error;
}

int ext2_give_block(struct ext2 *fs, uint32_t number)
{
	int error;

	fs->freeing++;
	error = give_block(fs, number);
	fs->freeing--;
	return error;
}

/* ---- Inodes -------------------------------------------------------------- */

static int take_inode_in_group(struct ext2 *fs, uint32_t group, bool dir,
                               uint32_t *number)
{
	uint32_t per_group = fs->super->inodes_per_group;
	uint32_t first = group * per_group + 1;
	uint32_t from = first < fs->first_inode ? fs->first_inode - first : 0;
	struct change change;
	uint32_t at;
	int error = begin_change(fs, group, true, &change);

	if (error != 0)
		return error;
	at = find_clear(change.bits, min(from, per_group), per_group);
	error = at == NONE ? -ENOSPC : 0;
	if (error == 0 &&
	    (change.group->free_inodes == 0 || fs->super->free_inodes == 0))
		error = ext2_error(fs, "group %u counts its free inodes wrong",
		                   group);
	if (error == 0) {
		flip_bit(change.bits, at);
		change.group->free_inodes--;
		change.group->directories += dir;
		fs->super->free_inodes--;
		*number = first + at;
	}
	end_change(fs, &change, error == 0);
	return error;
}

int ext2_take_inode(struct ext2 *fs, uint32_t near, bool dir, uint32_t *number)
{
	uint32_t group = (near - 1) / fs->super->inodes_per_group;

	for (uint32_t tries = 0; tries < fs->groups; tries++) {
		int error = take_inode_in_group(fs, group, dir, number);

		if (error != -ENOSPC)
			return error;
		group = (group + 1) % fs->groups;
	}
	return -ENOSPC;
}

static int give_inode(struct ext2 *fs, uint32_t number, bool dir)
{
	uint32_t per_group = fs->super->inodes_per_group;
	uint32_t bit = (number - 1) % per_group;
	struct change change;
	int error = begin_change(fs, (number - 1) / per_group, true, &change);

	if (error != 0)
		return error;
	if (number >= fs->first_inode && bit_is_set(change.bits, bit)) {
		flip_bit(change.bits, bit);
		change.group->free_inodes++;
		if (dir && change.group->directories > 0)
			change.group->directories--;
		fs->super->free_inodes++;
	} else {
		error = ext2_error(fs, "inode %u is freed twice", number);
	}
	end_change(fs, &change, error == 0);
	return error;
}

int ext2_give_inode(struct ext2 *fs, uint32_t number, bool dir)
{
	int error;

	fs->freeing++;
	error = give_inode(fs, number, dir);
	fs->freeing--;
	return error;
}

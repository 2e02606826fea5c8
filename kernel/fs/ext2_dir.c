// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_dir.c -- names in one directory.
 *
 * A directory is a file of entries, one behind the other:
 *
 *	inode | length | name's length, type | name | (room)
 *	   2  |   12   |         1, dir      | .    |
 *	   2  |   12   |         2, dir      | ..   |
 *	  11  | 1000   |         5, file     | hello|  ... to the block's end
 *
 * An entry never crosses a block's end.  A name is added where an entry is longer
 * than it needs; it is removed by making the entry before it longer, or, the
 * first one of a block, by setting its inode to 0.  Directories are searched from
 * the front; a hash tree that somebody else has made is left behind as soon as
 * the directory changes (EXT2_INDEXED is taken away).
 *
 *  D1  No entry is looked at before check_entry() has found that it, and its
 *      name, are in the block, and that the next one is further on.
 *
 * Blocks of directories are cached by their number on the disk, like all blocks
 * of the file system's own (kernel/fs/ext2_meta.c).
 */
#include "kernel/core/panic.h"
#include "kernel/fs/ext2_internal.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

/* ---- Entries ------------------------------------------------------------- */

static unsigned int name_length(const struct ext2 *fs,
                                const struct ext2_entry *entry)
{
	return entry->name_length + (fs->filetype ? 0U : entry->type * 256U);
}

static int check_entry(struct inode *dir, const struct ext2_entry *entry,
                       unsigned int offset)
{
	struct ext2 *fs = dir->fs;
	const char *wrong = NULL;
	unsigned int room = fs->block_size - offset;

	if (entry->length < ext2_entry_size(1))
		wrong = "too short";
	else if (entry->length % 4 != 0)
		wrong = "not aligned";
	else if (entry->length > room)
		wrong = "beyond the end of its block";
	else if (name_length(fs, entry) > EXT2_NAME_MAX ||
	         ext2_entry_size(name_length(fs, entry)) > entry->length)
		wrong = "shorter than its name";
	else if (entry->inode > fs->super->inodes_count)
		wrong = "of an inode that does not exist";
	else if (entry->inode != 0 && entry->name_length == 0)
		wrong = "without a name";
	if (wrong == NULL)
		return 0;
	return ext2_error(fs, "directory %u has an entry that is %s",
	                  dir->number, wrong);
}

/* ---- Walking ------------------------------------------------------------- */

/* Where a walk through a directory is. */
struct walk {
	struct inode *dir;
	uint64_t position; /* of entry */
	struct page *page; /* its block, or NULL */
	struct ext2_entry *entry;
	struct ext2_entry *before; /* the entry before it in its block, or
	                            * NULL */
};

static void walk_end(struct walk *walk)
{
	if (walk->page != NULL)
		put_page(walk->page);
	walk->page = NULL;
}

static int walk_block(struct walk *walk)
{
	struct ext2 *fs = walk->dir->fs;
	uint32_t number;
	char *data;
	int error =
		ext2_map(walk->dir, walk->position >> fs->block_shift, &number);

	if (error == 0 && number == 0)
		error = ext2_error(fs, "directory %u has a hole",
		                   walk->dir->number);
	if (error == 0)
		error = ext2_meta_get(fs, number, &walk->page, &data);
	if (error != 0)
		return error;
	walk->entry = (struct ext2_entry *)data;
	walk->before = NULL;
	return 0;
}

/* At walk->position is an entry, which becomes walk->entry: 1; there is none: 0.
 * After any answer but 1 nothing is held. */
static int walk_here(struct walk *walk)
{
	unsigned int offset;
	int error = 0;

	if (walk->position >= walk->dir->size) {
		walk_end(walk);
		return 0;
	}
	offset = (unsigned int)(walk->position &
	                        (walk->dir->fs->block_size - 1));
	if (offset == 0)
		walk_end(walk);
	if (walk->page == NULL)
		error = walk_block(walk);
	if (error == 0)
		error = check_entry(walk->dir, walk->entry, offset);
	if (error != 0) {
		walk_end(walk);
		return error;
	}
	kassert(walk->entry != NULL);
	return 1;
}

static int walk_next(struct walk *walk)
{
	walk->position += walk->entry->length;
	walk->before = walk->entry;
	walk->entry = (struct ext2_entry *)((char *)walk->entry +
	                                    walk->entry->length);
	return walk_here(walk);
}

static bool ext2_dir_has_name(const struct walk *walk, const char *name,
                              unsigned int length)
{
	kassert(walk->entry != NULL);
	return walk->entry->inode != 0 &&
	       name_length(walk->dir->fs, walk->entry) == length &&
	       memcmp(walk->entry->name, name, length) == 0;
}

/* Stop at the entry of NAME: 1. */
static int ext2_dir_walk_to(struct walk *walk, const char *name,
                            unsigned int length)
{
	int answer = walk_here(walk);

	while (answer == 1 && !ext2_dir_has_name(walk, name, length))
		answer = walk_next(walk);
	return answer;
}

int ext2_dir_find(struct inode *dir, const char *name, unsigned int length,
                  uint32_t *number)
{
	struct walk walk = { .dir = dir };
	int answer = ext2_dir_walk_to(&walk, name, length);

	if (answer != 1)
		return answer == 0 ? -ENOENT : answer;
	*number = walk.entry->inode;
	walk_end(&walk);
	return 0;
}

int ext2_dir_is_empty(struct inode *dir)
{
	struct walk walk = { .dir = dir };
	int answer = walk_here(&walk);

	while (answer == 1 &&
	       (walk.entry->inode == 0 || ext2_dir_has_name(&walk, ".", 1) ||
	        ext2_dir_has_name(&walk, "..", 2)))
		answer = walk_next(&walk);
	walk_end(&walk);
	return answer == 1 ? -ENOTEMPTY : answer;
}

int ext2_dir_next(struct inode *dir, uint64_t *position, struct ext2_name *name)
{
	struct ext2 *fs = dir->fs;
	struct walk walk = { .dir = dir };
	int answer;

	/* The directory may have changed since: begin with the block. */
	walk.position = ALIGN_DOWN(*position, fs->block_size);
	answer = walk_here(&walk);
	while (answer == 1 &&
	       (walk.position < *position || walk.entry->inode == 0))
		answer = walk_next(&walk);
	if (answer != 1)
		return answer;
	name->inode = walk.entry->inode;
	name->length = name_length(fs, walk.entry);
	memcpy(name->text, walk.entry->name, name->length);
	name->text[name->length] = '\0';
	*position = walk.position + walk.entry->length;
	walk_end(&walk);
	return 1;
}

/* ---- Changing ------------------------------------------------------------ */

/* The contents of an entry. */
struct link {
	const char *name;
	unsigned int length;
	uint32_t number;
	bool dir;
};

static void write_entry(const struct ext2 *fs, struct ext2_entry *entry,
                        unsigned int space, const struct link *link)
{
	entry->inode = link->number;
	entry->length = (uint16_t)space;
	entry->name_length = (uint8_t)link->length;
	entry->type = !fs->filetype ? 0
	              : link->dir   ? EXT2_ENTRY_DIR
	                            : EXT2_ENTRY_FILE;
	memcpy(entry->name, link->name, link->length);
}

static void ext2_dir_note_change(struct inode *dir)
{
	dir->flags &= ~EXT2_INDEXED;
	dir->modify_time = ext2_time(dir->fs);
	ext2_inode_update(dir);
}

/* One more block with one free entry in it. */
static int append_block(struct inode *dir)
{
	static const struct link nothing = { .name = "" };
	struct ext2 *fs = dir->fs;
	struct ext2_entry *entry;
	struct page *page;
	uint32_t number;
	bool fresh;
	int error;

	if (dir->size + fs->block_size > UINT32_MAX)
		return -ENOSPC;
	error = ext2_map_create(dir, dir->size >> fs->block_shift, &number,
	                        &fresh);
	if (error == 0 && !fresh)
		error = ext2_error(fs, "directory %u goes on behind its end",
		                   dir->number);
	if (error == 0)
		error = ext2_meta_new(fs, number, &page, &entry);
	if (error != 0) {
		int second = ext2_free_from(dir, dir->size >> fs->block_shift);

		return second != 0 ? second : error;
	}
	write_entry(fs, entry, fs->block_size, &nothing);
	filemap_dirty(page);
	put_page(page);
	dir->size += fs->block_size;
	return 0;
}

/* Bytes of the walk's entry that it does not need. */
static unsigned int spare_room(const struct walk *walk)
{
	unsigned int used = walk->entry->inode == 0
	                            ? 0
	                            : ext2_entry_size(name_length(walk->dir->fs,
	                                                          walk->entry));

	return walk->entry->length - used;
}

int ext2_dir_add(struct inode *dir, const char *name, unsigned int length,
                 const struct inode *inode)
{
	struct ext2 *fs = dir->fs;
	struct walk walk = { .dir = dir };
	const struct link link = { name, length, inode->number,
		                   inode_is_dir(inode) };
	unsigned int need = ext2_entry_size(length);
	struct ext2_entry *entry;
	unsigned int room;
	int answer = walk_here(&walk);

	while (answer == 1 && spare_room(&walk) < need)
		answer = walk_next(&walk);
	if (answer == 0) {
		answer = append_block(dir);
		/* The block is the directory's even if the name is not. */
		if (answer == 0)
			ext2_inode_update(dir);
		if (answer == 0)
			answer = walk_here(&walk);
	}
	if (answer != 1)
		return answer;
	room = spare_room(&walk);
	entry = walk.entry;
	if (entry->inode != 0) {
		entry->length = (uint16_t)(entry->length - room);
		entry = (struct ext2_entry *)((char *)entry + entry->length);
	}
	write_entry(fs, entry, room, &link);
	filemap_dirty(walk.page);
	walk_end(&walk);
	ext2_dir_note_change(dir);
	return 0;
}

int ext2_dir_remove(struct inode *dir, const char *name, unsigned int length)
{
	struct walk walk = { .dir = dir };
	int answer = ext2_dir_walk_to(&walk, name, length);

	if (answer != 1)
		return answer == 0 ? -ENOENT : answer;
	if (walk.before != NULL)
		walk.before->length =
			(uint16_t)(walk.before->length + walk.entry->length);
	else
		walk.entry->inode = 0;
	filemap_dirty(walk.page);
	walk_end(&walk);
	ext2_dir_note_change(dir);
	return 0;
}

int ext2_dir_make(struct inode *dir, uint32_t parent)
{
	const struct link self = { ".", 1, dir->number, true };
	const struct link up = { "..", 2, parent, true };
	struct ext2 *fs = dir->fs;
	unsigned int first = ext2_entry_size(1);
	struct ext2_entry *entry;
	struct page *page;
	uint32_t number;
	int error = append_block(dir);

	if (error == 0)
		error = ext2_map(dir, 0, &number);
	if (error == 0)
		error = ext2_meta_get(fs, number, &page, &entry);
	if (error != 0)
		return error;
	write_entry(fs, entry, first, &self);
	entry = (struct ext2_entry *)((char *)entry + first);
	write_entry(fs, entry, fs->block_size - first, &up);
	filemap_dirty(page);
	put_page(page);
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_file.c -- the contents of files.
 *
 * A file's bytes are in the page cache (mm/user/filemap.h); a page holds one, two or
 * four blocks, which may lie anywhere on the disk.  A write finds a place on the
 * disk for each block that it touches, and then changes the page.  So a page that
 * is dirty has its blocks, and writing it out allocates nothing:
 *
 *	ext2_write() -> ext2_map_create(), copy, dirty
 *	                          ...
 *	reclaim or sync -> ext2_file_writepage() -> ext2_map_peek() -> bios
 *
 *  F1  The bytes of a cached page beyond the end of the file are 0.
 *  F2  A dirty page's bytes that are not 0 have blocks, in the inode or in
 *      blocks of numbers that ext2_check_block() has allowed.
 *  F3  A block is freed when no page of the cache can be on its way to it: the
 *      pages are cut off first, and the page at the new end is locked meanwhile.
 *
 * Locking: the mutex of the file system, then the lock of one page of a file, then
 * locks of pages of blocks.  ext2_file_writepage() and release() have the page's lock
 * only; F2 and F3 are why that is enough.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/page_writeback.h"
#include "mm/reclaim/reclaim.h"

/* So many bytes are written under the mutex, and then the limit of dirty pages
 * is looked at: sixteen pages. */
#define WRITE_AT_ONCE (16 * PAGE_SIZE)

/* ---- Pages and blocks ---------------------------------------------------- */

/* Blocks of a page that follow each other on the disk; first 0: a hole. */
struct run {
	uint32_t first;
	unsigned int at;
	unsigned int count;
};

typedef int (*mapper)(struct inode *inode, uint64_t block, uint32_t *number);

/* The run that begins with block AT of PAGE. */
static int find_run(struct inode *inode, const struct page *page,
                    unsigned int at, mapper map, struct run *run)
{
	unsigned int blocks = inode->fs->page_blocks;
	uint64_t block = (uint64_t)page->index * blocks + at;
	int error;

	*run = (struct run){ .at = at, .count = 1 };
	error = map(inode, block, &run->first);
	while (error == 0 && at + run->count < blocks) {
		uint32_t number;
		uint32_t next;

		error = map(inode, block + run->count, &number);
		next = run->first == 0 ? 0 : run->first + run->count;
		if (error != 0 || number != next)
			break;
		run->count++;
	}
	return error;
}

static int read_run(struct inode *inode, struct page *page,
                    const struct run *run)
{
	struct ext2 *fs = inode->fs;
	unsigned int offset = run->at << fs->block_shift;

	if (run->first != 0)
		return ext2_read_blocks(fs, run->first, run->count, page,
		                        offset);
	memset((char *)page_address(page) + offset, 0,
	       run->count << fs->block_shift);
	return 0;
}

/* F1 */
static void clear_behind_end(struct page *page, uint64_t size)
{
	uint64_t start = (uint64_t)page->index << PAGE_SHIFT;
	unsigned int kept;

	if (size >= start + PAGE_SIZE)
		return;
	kept = size > start ? (unsigned int)(size - start) : 0;
	memset((char *)page_address(page) + kept, 0, PAGE_SIZE - kept);
}

static int ext2_file_fill(struct page *page)
{
	struct inode *inode = page->mapping->host;
	unsigned int at = 0;

	while (at < inode->fs->page_blocks) {
		struct run run;
		int error = find_run(inode, page, at, ext2_map, &run);

		if (error == 0)
			error = read_run(inode, page, &run);
		if (error != 0)
			return error;
		at += run.count;
	}
	clear_behind_end(page, inode->size);
	return 0;
}

static int write_run(struct inode *inode, struct page *page,
                     const struct run *run, bool wait)
{
	return ext2_write_blocks(inode->fs, run->first, run->count, page,
	                         run->at << inode->fs->block_shift, wait);
}

/* Write all runs of PAGE but the last one, which becomes *LAST. */
static int write_runs(struct inode *inode, struct page *page, struct run *last)
{
	unsigned int at = 0;

	*last = (struct run){ 0 };
	while (at < inode->fs->page_blocks) {
		struct run run;
		int error = find_run(inode, page, at, ext2_map_peek, &run);

		if (error == 0 && run.first != 0 && last->first != 0)
			error = write_run(inode, page, last, true);
		if (error != 0)
			return error;
		if (run.first != 0)
			*last = run;
		at += run.count;
	}
	return 0;
}

/* Only the last run is on its way when this returns: nobody has to count, and a
 * page needs one bio at a time. */
static int ext2_file_writepage(struct page *page)
{
	struct inode *inode = page->mapping->host;
	struct run last;
	int error;

	reclaim_enters_fs(main_node());
	error = write_runs(inode, page, &last);
	if (error != 0) {
		filemap_write_failed(page, error);
		unlock_page(page);
		return error;
	}
	if (last.first == 0) {
		unlock_page(page);
		return 0;
	}
	set_page_writeback(page);
	unlock_page(page);
	return write_run(inode, page, &last, false);
}

/* ext2_file_writepage() takes the scratch mutex, and reads numbers of blocks: it enters the
 * file system.  release() only looks at the index. */
const struct address_space_ops ext2_data_ops = {
	.name = "ext2 data",
	.needs_fs = true,
	.needs_io = true,
	.writepage = ext2_file_writepage,
	.release = filemap_release,
	.migrate = filemap_migrate,
};

/* ---- Reading ------------------------------------------------------------- */

int ext2_check_file(const struct inode *inode)
{
	if (inode_is_dir(inode))
		return -EISDIR;
	if (inode_is_symlink(inode))
		return -ELOOP;
	return inode_is_file(inode) ? 0 : -EINVAL;
}

static long ext2_file_read_some(struct inode *inode, uint64_t offset,
                                char *buffer, size_t size)
{
	size_t done = 0;

	while (done < size && offset + done < inode->size) {
		uint64_t at = offset + done;
		size_t in_page = at & (PAGE_SIZE - 1);
		size_t part = min(PAGE_SIZE - in_page, size - done);
		struct page *page;
		int error =
			read_cache_page(&inode->data, at >> PAGE_SHIFT,
		                        ext2_file_fill, EXT2_GFP_DATA, &page);

		if (error != 0)
			return done > 0 ? (long)done : error;
		part = (size_t)min((uint64_t)part, inode->size - at);
		error = copy_to_caller(buffer + done,
		                       (char *)page_address(page) + in_page,
		                       part);
		mark_page_accessed(page);
		put_page(page);
		if (error != 0)
			return done > 0 ? (long)done : error;
		done += part;
	}
	return (long)done;
}

long ext2_read(struct inode *inode, uint64_t offset, void *buffer, size_t size)
{
	unsigned int scope = ext2_lock(inode->fs);
	long answer = ext2_check_file(inode);

	if (answer == 0)
		answer = ext2_file_read_some(inode, offset, buffer, size);
	ext2_unlock(inode->fs, scope);
	return answer;
}

/* ---- Changing sizes ------------------------------------------------------ */

/* The page with the byte SIZE, read, locked and referenced; NULL if SIZE is at a
 * page's begin, or nothing is there. */
static int lock_end(struct inode *inode, uint64_t size, struct page **page)
{
	int error;

	*page = NULL;
	if (size % PAGE_SIZE == 0 || inode->size == 0)
		return 0;
	error = read_cache_page(&inode->data, size >> PAGE_SHIFT,
	                        ext2_file_fill, EXT2_GFP_DATA, page);
	if (error != 0)
		return error;
	lock_page(*page);
	wait_on_page_writeback(*page);
	return 0;
}

static void unlock_end(struct page *page)
{
	if (page == NULL)
		return;
	unlock_page(page);
	put_page(page);
}

static uint64_t blocks_of(const struct inode *inode, uint64_t size)
{
	return (size + inode->fs->block_size - 1) >> inode->fs->block_shift;
}

static int ext2_file_shrink(struct inode *inode, uint64_t size)
{
	struct page *page;
	int error = lock_end(inode, size, &page);

	if (error != 0)
		return error;
	if (page != NULL) {
		clear_behind_end(page, size);
		filemap_dirty(page);
	}
	inode->size = size;
	filemap_cut(&inode->data, (size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	error = ext2_free_from(inode, blocks_of(inode, size));
	unlock_end(page);
	return error;
}

/* Data of another file beyond the end on the disk must not become visible: by F1 the
 * cached page has zeros there, and is written. */
static int grow(struct inode *inode, uint64_t size)
{
	struct page *page = NULL;
	int error = 0;

	if (size > inode->fs->largest)
		return -EFBIG;
	if (inode->size % inode->fs->block_size != 0)
		error = lock_end(inode, inode->size, &page);
	if (error != 0)
		return error;
	if (page != NULL)
		filemap_dirty(page);
	unlock_end(page);
	inode->size = size;
	return 0;
}

static void ext2_file_note_change(struct inode *inode)
{
	inode->modify_time = ext2_time(inode->fs);
	ext2_inode_update(inode);
}

int ext2_set_size(struct inode *inode, uint64_t size)
{
	int error = 0;

	if (size < inode->size)
		error = ext2_file_shrink(inode, size);
	else if (size > inode->size)
		error = grow(inode, size);
	ext2_file_note_change(inode);
	return error;
}

int ext2_truncate(struct inode *inode, uint64_t size)
{
	unsigned int scope = ext2_lock(inode->fs);
	int error = ext2_may_change(inode, EXT2_IMMUTABLE | EXT2_APPEND);

	if (error == 0)
		error = ext2_check_file(inode);
	if (error == 0)
		error = ext2_set_size(inode, size);
	ext2_unlock(inode->fs, scope);
	return error;
}

/* ---- Writing ------------------------------------------------------------- */

/* Blocks for SIZE bytes at OFFSET. */
static int ext2_file_make_room(struct inode *inode, uint64_t offset,
                               size_t size)
{
	unsigned int shift = inode->fs->block_shift;
	uint64_t last = (offset + size - 1) >> shift;
	int error = 0;

	for (uint64_t at = offset >> shift; at <= last && error == 0; at++) {
		uint32_t number;
		bool fresh;

		error = ext2_map_create(inode, at, &number, &fresh);
	}
	return error;
}

/* The bytes that a write of SIZE does not cover must be read before; and so must the
 * whole page, if it is in the file and may get only some of its blocks. */
static int ext2_file_prepare_page(struct inode *inode, struct page *page,
                                  size_t size)
{
	bool in_file = (uint64_t)page->index << PAGE_SHIFT < inode->size;
	bool in_part = in_file && inode->fs->page_blocks > 1;
	int error;

	if (page_has(page, PG_uptodate) || (size == PAGE_SIZE && !in_part))
		return 0;
	error = ext2_file_fill(page);
	if (error == 0)
		page_set(page, PG_uptodate);
	return error;
}

/* SIZE bytes within one page. */
static int write_page(struct inode *inode, uint64_t offset, const char *from,
                      size_t size)
{
	struct page *page;
	int error = filemap_grab(&inode->data, offset >> PAGE_SHIFT,
	                         EXT2_GFP_DATA | __GFP_WRITE, &page);

	if (error != 0)
		return error;
	error = ext2_file_prepare_page(inode, page, size);
	if (error == 0)
		error = ext2_file_make_room(inode, offset, size);
	if (error == 0)
		error = copy_from_caller((char *)page_address(page) +
		                                 offset % PAGE_SIZE,
		                         from, size);
	if (error == 0) {
		page_set(page, PG_uptodate);
		filemap_dirty(page);
		inode->size = max(inode->size, offset + size);
		mark_page_accessed(page);
	} else if (page_has(page, PG_uptodate)) {
		/* A block that was allocated for a hole gets zeros, not the
		 * old contents of the disk; and part of FROM may have been copied. */
		clear_behind_end(page, inode->size);
		filemap_dirty(page);
	} else {
		filemap_remove(page);
	}
	unlock_page(page);
	put_page(page);
	return error;
}

static long write_some(struct inode *inode, uint64_t offset, const char *from,
                       size_t size)
{
	size_t done = 0;
	int error = 0;

	if (offset > inode->fs->largest || size > inode->fs->largest - offset)
		return -EFBIG;
	if (offset > inode->size)
		error = grow(inode, offset);
	while (done < size && error == 0) {
		uint64_t at = offset + done;
		size_t room = PAGE_SIZE - (size_t)(at % PAGE_SIZE);
		size_t part = min(room, size - done);

		error = write_page(inode, at, from + done, part);
		if (error == 0)
			done += part;
	}
	return done > 0 || error == 0 ? (long)done : error;
}

/* At most WRITE_AT_ONCE bytes. */
static long write_part(struct inode *inode, uint64_t offset, const char *from,
                       size_t size)
{
	unsigned int scope = ext2_lock(inode->fs);
	uint64_t before = inode->size;
	uint32_t append = offset == before ? 0 : EXT2_APPEND;
	long answer = ext2_may_change(inode, EXT2_IMMUTABLE | append);

	if (answer == 0)
		answer = ext2_check_file(inode);
	if (answer == 0 && size > 0) {
		answer = write_some(inode, offset, from, size);
		if (answer < 0)
			inode->size = before;
		/* Blocks that were found for what then failed. */
		if (answer < (long)size &&
		    ext2_free_from(inode, blocks_of(inode, inode->size)) != 0)
			ext2_error(inode->fs, "inode %u keeps blocks",
			           inode->number);
		ext2_file_note_change(inode);
	}
	ext2_unlock(inode->fs, scope);
	return answer;
}

/* Between the parts the writer waits if too much is dirty, without the mutex that
 * the flusher needs. */
long ext2_write(struct inode *inode, uint64_t offset, const void *buffer,
                size_t size)
{
	size_t done = 0;
	size_t part;
	long answer;

	do {
		part = min(size - done, WRITE_AT_ONCE);
		answer = write_part(inode, offset + done,
		                    (const char *)buffer + done, part);
		if (answer > 0)
			done += (size_t)answer;
		balance_dirty_pages(main_node());
	} while (answer == (long)part && done < size);
	return done > 0 ? (long)done : answer;
}

int ext2_write_data(struct inode *inode)
{
	unsigned int scope = ext2_lock(inode->fs);
	int error = filemap_writeback(&inode->data);

	ext2_unlock(inode->fs, scope);
	return error;
}

// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_meta.c -- metadata blocks in memory.
 *
 * Superblock, descriptors, bitmaps, inode tables, blocks full of block numbers,
 * and directories are kept in one mapping whose index is the number of the
 * block: one block, one page, even if the block is only 1 KiB.  That wastes
 * memory, and saves what is hard elsewhere: a page never holds a block of
 * bookkeeping next to a block of a file, so writing the one cannot overwrite the
 * other with what it was when the page was read.
 *
 *  T1  A block that is freed is forgotten first (ext2_meta_forget()), with its
 *      write over: what was bookkeeping yesterday must not be written over the
 *      file that has the block today.
 *  T2  The writer of a block holds a reference to its page and marks it dirty
 *      afterwards, so a write that began too early is followed by another.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/page_lock.h"
#include "mm/reclaim/reclaim.h"

/* ---- To and from the disk ------------------------------------------------ */

static uint64_t sector_of(const struct ext2 *fs, uint32_t block)
{
	return (uint64_t)block << (fs->block_shift - 9);
}

int ext2_read_blocks(struct ext2 *fs, uint32_t first, unsigned int count,
                     struct page *page, unsigned int offset)
{
	return block_read(fs->device, sector_of(fs, first), page, offset,
	                  count << fs->block_shift);
}

static void ext2_meta_end_write(struct bio *bio)
{
	struct page *page = bio->page;

	if (bio->error != 0)
		filemap_write_failed(page, bio->error);
	bio_put(bio);
	end_page_writeback(page);
}

int ext2_write_blocks(struct ext2 *fs, uint32_t first, unsigned int count,
                      struct page *page, unsigned int offset, bool wait)
{
	struct bio *bio;

	if (wait)
		return block_write(fs->device, sector_of(fs, first), page,
		                   offset, count << fs->block_shift);
	bio = bio_alloc(GFP_NOIO);
	bio->device = fs->device;
	bio->sector = sector_of(fs, first);
	bio->write = true;
	bio->page = page;
	bio->offset = offset;
	bio->bytes = count << fs->block_shift;
	bio->end_io = ext2_meta_end_write;
	submit_bio(bio);
	return 0;
}

/* ---- The mapping --------------------------------------------------------- */

static int ext2_meta_fill(struct page *page)
{
	struct ext2 *fs = page->mapping->host;

	return ext2_read_blocks(fs, (uint32_t)page->index, 1, page, 0);
}

static int ext2_meta_writepage(struct page *page)
{
	struct ext2 *fs = page->mapping->host;

	reclaim_enters_fs(main_node());
	set_page_writeback(page);
	unlock_page(page);
	return ext2_write_blocks(fs, (uint32_t)page->index, 1, page, 0, false);
}

static const struct address_space_ops meta_ops = {
	.name = "ext2 blocks",
	.needs_fs = true,
	.needs_io = true,
	.writepage = ext2_meta_writepage,
	.release = filemap_release,
	.migrate = filemap_migrate,
};

void ext2_meta_init(struct ext2 *fs)
{
	filemap_init(&fs->meta, &meta_ops, fs);
}

void ext2_squeeze(struct ext2 *fs)
{
	ext2_inode_forget(fs, ~0UL);
	/* Pages that cannot be written stay, and the next sync reports it. */
	if (filemap_writeback(&fs->meta) != 0)
		fs->meta.error = -EIO;
	filemap_forget(&fs->meta);
}

void ext2_reserve_fill(struct ext2 *fs, gfp_t gfp)
{
	while (fs->reserved < EXT2_RESERVE) {
		struct page *page = alloc_page(gfp);

		if (page == NULL)
			return;
		fs->reserve[fs->reserved++] = page;
	}
}

void ext2_reserve_empty(struct ext2 *fs)
{
	while (fs->reserved > 0)
		__free_page(fs->reserve[--fs->reserved]);
}

/* Without memory the file system first frees its caches.  A caller that frees blocks
 * cannot be undone any more: it gets the reserve, and then waits until there is
 * memory. */
static int get_without_memory(struct ext2 *fs, uint32_t number,
                              struct page **page)
{
	int error;

	ext2_squeeze(fs);
	error = read_cache_page(&fs->meta, number, ext2_meta_fill, EXT2_GFP,
	                        page);
	if (fs->freeing == 0)
		return error;
	while (error == -ENOMEM && fs->reserved > 0) {
		__free_page(fs->reserve[--fs->reserved]);
		error = read_cache_page(&fs->meta, number, ext2_meta_fill,
		                        EXT2_GFP, page);
	}
	if (error == -ENOMEM)
		error = read_cache_page(&fs->meta, number, ext2_meta_fill,
		                        EXT2_GFP | __GFP_NOFAIL, page);
	return error;
}

int ext2_meta_get(struct ext2 *fs, uint32_t number, struct page **page,
                  void *data)
{
	int error = read_cache_page(&fs->meta, number, ext2_meta_fill, EXT2_GFP,
	                            page);

	if (error == -ENOMEM)
		error = get_without_memory(fs, number, page);
	if (error == 0)
		*(void **)data = page_address(*page);
	return error;
}

int ext2_meta_new(struct ext2 *fs, uint32_t number, struct page **page,
                  void *data)
{
	int error = filemap_grab(&fs->meta, number, EXT2_GFP, page);

	if (error != 0)
		return error;
	memset(page_address(*page), 0, fs->block_size);
	page_set(*page, PG_uptodate);
	filemap_dirty(*page);
	unlock_page(*page);
	*(void **)data = page_address(*page);
	return 0;
}

void ext2_meta_forget(struct ext2 *fs, uint32_t number)
{
	struct page *page = find_get_page(&fs->meta, number);

	if (page == NULL)
		return;
	lock_page(page);
	filemap_remove(page);
	unlock_page(page);
	put_page(page);
}

/* ---- Looking without memory ---------------------------------------------- */

int ext2_meta_peek(struct ext2 *fs, uint32_t number, unsigned int index,
                   uint32_t *entry)
{
	struct page *page = find_get_page(&fs->meta, number);
	const uint32_t *numbers;
	int error;

	if (page != NULL && page_has(page, PG_uptodate)) {
		numbers = page_address(page);
		*entry = READ_ONCE(numbers[index]);
		put_page(page);
		return 0;
	}
	if (page != NULL)
		put_page(page);
	mutex_lock(&fs->scratch_lock);
	error = ext2_read_blocks(fs, number, 1, fs->scratch, 0);
	numbers = page_address(fs->scratch);
	*entry = numbers[index];
	mutex_unlock(&fs->scratch_lock);
	return error;
}

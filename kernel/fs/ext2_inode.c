// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_inode.c -- inodes in memory.
 *
 * An inode that is asked for is looked up by its number among those in memory,
 * and otherwise read from the inode table.  It stays when its last user is gone,
 * with its file's pages, in the order of the last use:
 *
 *	       ext2_inode_get()            ext2_inode_put()
 *	disk -------------------> in use -------------------> idle
 *	  ^                          ^   ext2_inode_get()      |
 *	  |                          +-------------------------+
 *	  +------------------------ ext2_inode_forget() -------+
 *
 * Changes of an inode are copied immediately to the cached inode table
 * (ext2_inode_update()), so forgetting one needs no write; one with dirty pages
 * is not forgotten.  Forgetting is a shrinker's work: memory pressure calls it.  A
 * cached inode holds its block of the table, so the copy cannot fail.
 *
 *  I1  A number is in memory once.
 *  I2  An inode is idle if and only if it has no user.
 *
 * The memory of inodes is a cache of the slab allocator, one for each mount.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/reclaim.h"
#include "mm/slab/slab.h"

/* ---- The inode table ----------------------------------------------------- */

/* Hold the block that INODE is in: copying it there cannot fail then. */
static int hold_disk(struct inode *inode)
{
	struct ext2 *fs = inode->fs;
	uint32_t index = (inode->number - 1) % fs->super->inodes_per_group;
	uint32_t per_block = fs->block_size / fs->inode_size;
	struct ext2_group *group;
	struct page *page;
	uint32_t table;
	char *data;
	int error = ext2_group_get(
		fs, (inode->number - 1) / fs->super->inodes_per_group, &page,
		&group);

	if (error != 0)
		return error;
	table = group->inode_table;
	put_page(page);
	error = ext2_meta_get(fs, table + index / per_block, &inode->disk_page,
	                      &data);
	if (error != 0)
		return error;
	held_hand_on(HELD_PIN, inode->disk_page);
	data += (size_t)(index % per_block) * fs->inode_size;
	inode->disk = (struct ext2_disk_inode *)data;
	return 0;
}

/* Can what the disk says be?  P1 of ext2_map.c looks at the blocks. */
static int check_inode(struct inode *inode)
{
	struct ext2 *fs = inode->fs;

	if (inode->links == 0 || inode->mode == 0)
		return ext2_error(fs, "inode %u is not in use", inode->number);
	if (inode->size > fs->largest && inode_is_file(inode))
		return ext2_error(fs, "inode %u is too large", inode->number);
	if (inode_is_dir(inode) &&
	    (inode->size == 0 || inode->size % fs->block_size != 0 ||
	     inode->size >> fs->block_shift > fs->super->blocks_count))
		return ext2_error(fs, "directory %u has an impossible size",
		                  inode->number);
	return 0;
}

static int read_inode(struct inode *inode)
{
	const struct ext2_disk_inode *disk = inode->disk;

	inode->mode = disk->mode;
	inode->links = disk->links;
	inode->flags = disk->flags;
	inode->size = disk->size;
	if (inode_is_file(inode))
		inode->size |= (uint64_t)disk->size_high << 32;
	inode->sectors = disk->sectors;
	inode->modify_time = disk->modify_time;
	inode->attributes = disk->attributes;
	memcpy(inode->block, disk->block, sizeof(inode->block));
	return check_inode(inode);
}

/* A file of 2 GiB makes a feature of the file system. */
static void note_large_file(struct inode *inode)
{
	struct ext2_super_block *super = inode->fs->super;

	if (!inode_is_file(inode) || inode->size < 2 * GIB ||
	    super->revision == 0)
		return;
	super->read_only_compatible |= EXT2_READ_ONLY_LARGE_FILE;
	filemap_dirty(inode->fs->super_page);
}

void ext2_inode_update(struct inode *inode)
{
	struct ext2_disk_inode *disk = inode->disk;

	disk->mode = inode->mode;
	disk->links = inode->links;
	disk->flags = inode->flags;
	disk->size = (uint32_t)inode->size;
	if (inode_is_file(inode))
		disk->size_high = (uint32_t)(inode->size >> 32);
	disk->sectors = inode->sectors;
	disk->modify_time = inode->modify_time;
	disk->attributes = inode->attributes;
	disk->change_time = ext2_time(inode->fs);
	if (inode->links == 0)
		disk->delete_time = disk->change_time;
	memcpy(disk->block, inode->block, sizeof(disk->block));
	filemap_dirty(inode->disk_page);
	note_large_file(inode);
}

/* Clear the old inode, but for the generation, which is incremented. */
static void clear_disk(struct inode *inode)
{
	struct ext2_disk_inode *disk = inode->disk;
	uint32_t generation = disk->generation + 1;

	memset(disk, 0, inode->fs->inode_size);
	disk->generation = generation;
	disk->access_time = ext2_time(inode->fs);
	filemap_dirty(inode->disk_page);
}

/* ---- In memory ----------------------------------------------------------- */

static struct list *hash_list(struct ext2 *fs, uint32_t number)
{
	return &fs->hash[number % EXT2_HASH_LISTS];
}

static struct inode *find_cached(struct ext2 *fs, uint32_t number)
{
	struct list *list = hash_list(fs, number);
	struct list *at;

	list_for_each(at, list) {
		struct inode *inode = container_of(at, struct inode, hash_link);

		if (inode->number == number)
			return inode;
	}
	return NULL;
}

static void use(struct inode *inode)
{
	if (inode->users++ > 0)
		return;
	list_remove(&inode->idle_link);
	inode->fs->busy++;
}

static void ext2_inode_destroy(struct inode *inode)
{
	if (inode->disk_page != NULL)
		put_kept_page(inode->disk_page);
	kmem_cache_free(inode->fs->inode_cache, inode);
}

static int ext2_inode_make(struct ext2 *fs, uint32_t number,
                           struct inode **made)
{
	struct inode *inode =
		kmem_cache_alloc(fs->inode_cache, EXT2_GFP | __GFP_ZERO);
	int error;

	if (inode == NULL) {
		ext2_squeeze(fs);
		inode = kmem_cache_alloc(fs->inode_cache,
		                         EXT2_GFP | __GFP_ZERO);
	}
	if (inode == NULL)
		return -ENOMEM;
	filemap_init(&inode->data, &ext2_data_ops, inode);
	inode->fs = fs;
	inode->number = number;
	error = hold_disk(inode);
	if (error != 0)
		ext2_inode_destroy(inode);
	else
		*made = inode;
	return error;
}

static void ext2_inode_insert(struct inode *inode)
{
	struct ext2 *fs = inode->fs;

	inode->users = 1;
	list_init(&inode->idle_link);
	list_push(hash_list(fs, inode->number), &inode->hash_link);
	fs->inodes++;
	fs->busy++;
}

int ext2_inode_get(struct ext2 *fs, uint32_t number, struct inode **inode)
{
	struct inode *found;
	int error;

	*inode = NULL;
	if (number == 0 || number > fs->super->inodes_count ||
	    (number < fs->first_inode && number != EXT2_ROOT_INODE))
		return ext2_error(fs, "inode %u is not for files", number);
	found = find_cached(fs, number);
	if (found != NULL) {
		use(found);
		*inode = found;
		return 0;
	}
	error = ext2_inode_make(fs, number, &found);
	if (error != 0)
		return error;
	error = read_inode(found);
	if (error != 0) {
		ext2_inode_destroy(found);
		return error;
	}
	ext2_inode_insert(found);
	*inode = found;
	return 0;
}

int ext2_inode_new(struct ext2 *fs, uint32_t number, uint16_t mode,
                   struct inode **inode)
{
	struct inode *made;
	int error;

	*inode = NULL;
	if (find_cached(fs, number) != NULL)
		return ext2_error(fs, "inode %u is in use and free", number);
	error = ext2_inode_make(fs, number, &made);
	if (error != 0)
		return error;
	made->mode = mode;
	made->modify_time = ext2_time(fs);
	clear_disk(made);
	ext2_inode_insert(made);
	*inode = made;
	return 0;
}

static void forget(struct inode *inode)
{
	struct ext2 *fs = inode->fs;

	filemap_cut(&inode->data, 0);
	list_remove(&inode->hash_link);
	if (inode->users == 0)
		list_remove(&inode->idle_link);
	else
		fs->busy--;
	fs->inodes--;
	ext2_inode_destroy(inode);
}

/* A reference of block NUMBER of attributes less; *LAST: it had no other. */
static int ext2_inode_drop_reference(struct ext2 *fs, uint32_t number,
                                     bool *last)
{
	struct ext2_xattr_header *header;
	struct page *page;
	int error = ext2_check_block(fs, number);

	if (error == 0)
		error = ext2_meta_get(fs, number, &page, &header);
	if (error != 0)
		return error;
	*last = header->references == 1;
	if (header->magic != EXT2_XATTR_MAGIC || header->references == 0) {
		error = ext2_error(fs, "block %u has no attributes", number);
	} else if (!*last) {
		header->references--;
		filemap_dirty(page);
	}
	put_page(page);
	return error;
}

/* Nobody reads extended attributes here, but somebody else may have made some. */
static int drop_attributes(struct inode *inode)
{
	struct ext2 *fs = inode->fs;
	bool last = false;
	int error;

	if (inode->attributes == 0)
		return 0;
	fs->freeing++;
	error = ext2_inode_drop_reference(fs, inode->attributes, &last);
	fs->freeing--;
	if (error == 0 && last)
		error = ext2_give_block(fs, inode->attributes);
	if (error != 0)
		return error;
	inode->attributes = 0;
	inode->sectors -= min(inode->sectors, fs->block_size / 512);
	return 0;
}

/* Are the numbers in it those of blocks?  A short symbolic link is where they
 * would be, and what a device's inode has there is the device. */
static bool has_numbers(const struct inode *inode)
{
	if (inode_is_dir(inode) || inode_is_file(inode))
		return true;
	return inode_is_symlink(inode) && inode->sectors > 0;
}

/* Blocks first, then the inode: what fails stays taken, and e2fsck finds it. */
static int end_on_disk(struct inode *inode)
{
	struct ext2 *fs = inode->fs;
	int error;

	filemap_cut(&inode->data, 0);
	error = drop_attributes(inode);
	if (error == 0 && has_numbers(inode))
		error = ext2_free_from(inode, 0);
	inode->size = error == 0 ? 0 : inode->size;
	ext2_inode_update(inode);
	if (error == 0)
		error = ext2_give_inode(fs, inode->number, inode_is_dir(inode));
	return error;
}

void ext2_inode_put(struct inode *inode)
{
	struct ext2 *fs = inode->fs;

	if (inode->users == 1 && inode->links == 0) {
		if (end_on_disk(inode) != 0)
			ext2_error(fs, "inode %u cannot be freed",
			           inode->number);
		forget(inode);
		return;
	}
	if (--inode->users > 0)
		return;
	list_append(&fs->idle, &inode->idle_link);
	fs->busy--;
}

unsigned long ext2_inode_forget(struct ext2 *fs, unsigned long count)
{
	unsigned long forgotten = 0;
	struct list *at;
	struct list *after;

	list_for_each_safe(at, after, &fs->idle)
	{
		struct inode *inode = container_of(at, struct inode, idle_link);

		if (forgotten == count)
			break;
		fs->freed += inode->data.space.nrpages;
		if (!filemap_forget(&inode->data)) {
			fs->freed -= inode->data.space.nrpages;
			continue;
		}
		forget(inode);
		forgotten++;
	}
	return forgotten;
}

/* ---- The shrinker -------------------------------------------------------- */

static unsigned long count_idle(struct shrinker *shrinker, gfp_t mask __unused)
{
	struct ext2 *fs = container_of(shrinker, struct ext2, shrinker);

	return READ_ONCE(fs->inodes) - READ_ONCE(fs->busy);
}

/* The holder of the mutex may be waiting for this very reclaim. */
static unsigned long scan_idle(struct shrinker *shrinker, gfp_t mask,
                               unsigned long nr)
{
	struct ext2 *fs = container_of(shrinker, struct ext2, shrinker);
	unsigned long forgotten;

	if (!gfp_may_fs(mask)) {
		vmstat_add(&main_node()->stat, VMSTAT_reclaim_nofs_skipped, 1);
		return SHRINK_STOP;
	}
	reclaim_enters_fs(main_node());
	if (mutex_is_mine(&fs->lock) || !mutex_trylock(&fs->lock))
		return SHRINK_STOP;
	fs->freed = 0;
	forgotten = ext2_inode_forget(fs, nr);
	mm_account_reclaimed_pages(fs->freed);
	mutex_unlock(&fs->lock);
	return forgotten;
}

void ext2_inodes_share(struct ext2 *fs)
{
	fs->shrinker.name = "ext2 inodes";
	fs->shrinker.count_objects = count_idle;
	fs->shrinker.scan_objects = scan_idle;
	fs->shrinker.seeks = DEFAULT_SEEKS;
	register_shrinker(&fs->shrinker);
}

/* ---- All of a mount's ---------------------------------------------------- */

int ext2_inodes_init(struct ext2 *fs)
{
	for (unsigned int i = 0; i < EXT2_HASH_LISTS; i++)
		list_init(&fs->hash[i]);
	list_init(&fs->idle);
	fs->inode_cache = kmem_cache_create("ext2_inode", sizeof(struct inode),
	                                    0, SLAB_RECLAIM_ACCOUNT, NULL);
	return fs->inode_cache == NULL ? -ENOMEM : 0;
}

void ext2_inodes_end(struct ext2 *fs)
{
	struct list *at;
	struct list *after;

	if (fs->shrinker.name != NULL)
		unregister_shrinker(&fs->shrinker);
	list_for_each_safe(at, after, &fs->idle)
		forget(container_of(at, struct inode, idle_link));
	kmem_cache_destroy(fs->inode_cache);
}

unsigned long ext2_inodes_flush(struct ext2 *fs, uint64_t before)
{
	unsigned long begun = 0;

	for (unsigned int i = 0; i < EXT2_HASH_LISTS; i++) {
		struct list *at;

		list_for_each(at, &fs->hash[i]) {
			struct inode *inode =
				container_of(at, struct inode, hash_link);

			begun += filemap_flush(&inode->data, before);
		}
	}
	return begun;
}

int ext2_inodes_writeback(struct ext2 *fs)
{
	int answer = 0;

	for (unsigned int i = 0; i < EXT2_HASH_LISTS; i++) {
		struct list *at;

		list_for_each(at, &fs->hash[i]) {
			struct inode *inode =
				container_of(at, struct inode, hash_link);
			int error = filemap_writeback(&inode->data);

			answer = answer != 0 ? answer : error;
		}
	}
	return answer;
}

/* Counts of the inodes, and the index of each. */
const char *ext2_inodes_check(struct ext2 *fs, char *buffer, size_t size)
{
	unsigned long inodes = 0;
	unsigned long busy = 0;

	for (unsigned int i = 0; i < EXT2_HASH_LISTS; i++) {
		struct list *at;

		list_for_each(at, &fs->hash[i]) {
			struct inode *inode =
				container_of(at, struct inode, hash_link);
			const char *broken =
				filemap_check(&inode->data, buffer, size);

			if (broken != NULL)
				return broken;
			inodes++;
			busy += inode->users > 0;
		}
	}
	if (inodes == fs->inodes && busy == fs->busy)
		return NULL;
	scnprintf(buffer, size,
	          "%lu inodes, %lu of them in use, but %lu and %lu are counted",
	          inodes, busy, fs->inodes, fs->busy);
	return buffer;
}

// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_super.c -- mounting, and what a mount knows.
 *
 * A disk is a stranger's text.  Before anything else is read, the superblock and
 * every group descriptor are checked against each other and against the size of
 * the device (check_super(), check_groups()); later code divides and multiplies
 * by them without fear.  Later data (inodes, block numbers, names) is checked where
 * it is read.  An impossible value ends in ext2_error(), which marks the file system
 * for e2fsck and does what the superblock requests: continue, write no more, or
 * panic.
 *
 *  S1  While it is mounted for writing, the state on the disk lacks CLEAN; it
 *      comes back when it is unmounted without an error of the disk.  ERRORS
 *      is on the disk before the call that found one returns, and stays.
 *  S2  The superblock and the descriptors are changed in the cache of blocks only,
 *      with the bitmaps, so that their counts agree at every ext2_sync().
 *
 * One mutex per mount: an operation sees no other's half-done work.  Reclaim
 * works without it, to write pages and to drop clean ones; it reads block numbers
 * only (kernel/fs/ext2_file.c).
 */
#include "kernel/core/clock.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/fs/ext2_internal.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/check.h"
#include "mm/page_alloc.h"

#define SECTORS_MIN ((EXT2_SUPER_BYTE + EXT2_SUPER_SIZE) / SECTOR_SIZE)

static_assert(sizeof(struct ext2) <= PAGE_SIZE, "a mount is a page");

/* ---- Errors -------------------------------------------------------------- */

/* Record it immediately, as Linux does: the machine may not live until the flusher
 * runs.  While the mount is not complete, nothing is written. */
static void mark_errors(struct ext2 *fs)
{
	bool noted = (fs->state & EXT2_STATE_ERRORS) != 0;

	fs->state |= EXT2_STATE_ERRORS;
	if (fs->read_only || !fs->complete || noted)
		return;
	fs->super->state |= EXT2_STATE_ERRORS;
	filemap_dirty(fs->super_page);
	if (block_write(fs->device, EXT2_SUPER_BYTE / SECTOR_SIZE,
	                fs->super_page,
	                (unsigned int)((uintptr_t)fs->super & (PAGE_SIZE - 1)),
	                EXT2_SUPER_SIZE) != 0)
		pr_err("ext2: %s: that cannot be noted on it\n",
		       fs->device->name);
}

int ext2_error(struct ext2 *fs, const char *format, ...)
{
	uint16_t errors =
		fs->super == NULL ? EXT2_ERRORS_CONTINUE : fs->super->errors;
	char text[128];
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (ratelimit_pass(&fs->complaints))
		pr_err("ext2: %s: %s; run e2fsck\n", fs->device->name, text);
	mark_errors(fs);
	if (errors == EXT2_ERRORS_PANIC)
		panic("ext2: %s: %s, and its errors behaviour is panic",
		      fs->device->name, text);
	if (errors == EXT2_ERRORS_READ_ONLY && !fs->read_only) {
		pr_err("ext2: %s: nothing more is changed on it\n",
		       fs->device->name);
		fs->frozen = true;
	}
	return -EUCLEAN;
}

int ext2_may_write(const struct ext2 *fs)
{
	return fs->read_only || fs->frozen ? -EROFS : 0;
}

int ext2_may_change(const struct inode *inode, uint32_t flags)
{
	return (inode->flags & flags) != 0 ? -EPERM : ext2_may_write(inode->fs);
}

uint32_t ext2_time(const struct ext2 *fs)
{
	return fs->time_base +
	       (uint32_t)((clock_microseconds() - fs->mounted) / 1000000);
}

/* ---- Is it a superblock? ------------------------------------------------- */

/* NULL, or what is wrong with the sizes of SUPER. */
static const char *ext2_super_check_sizes(const struct ext2_super_block *super,
                                          uint64_t bytes)
{
	uint32_t block = 1024U << (super->log_block_size & 3);

	if (super->log_block_size > 2)
		return "its blocks have an impossible size";
	if (super->log_fragment_size != super->log_block_size)
		return "its fragments are larger than its blocks";
	if (super->first_data_block != (block == 1024 ? 1U : 0U))
		return "it does not begin where it should";
	if (super->blocks_count <= super->first_data_block ||
	    (uint64_t)super->blocks_count * block > bytes)
		return "it is larger than its device";
	if (super->blocks_per_group < 256 || super->blocks_per_group % 8 != 0 ||
	    super->blocks_per_group > block * 8)
		return "its groups have an impossible number of blocks";
	if (super->inodes_per_group < 8 || super->inodes_per_group % 8 != 0 ||
	    super->inodes_per_group > block * 8)
		return "its groups have an impossible number of inodes";
	return NULL;
}

static uint32_t count_groups(const struct ext2_super_block *super)
{
	uint32_t blocks = super->blocks_count - super->first_data_block;

	return (blocks - 1) / super->blocks_per_group + 1;
}

static const char *check_counts(const struct ext2_super_block *super)
{
	uint64_t inodes =
		(uint64_t)count_groups(super) * super->inodes_per_group;
	uint32_t block = 1024U << super->log_block_size;

	if (super->inodes_count != inodes)
		return "its number of inodes is not that of its groups";
	if (super->free_blocks > super->blocks_count ||
	    super->reserved_blocks > super->blocks_count)
		return "it has more free blocks than blocks";
	if (super->free_inodes > super->inodes_count)
		return "it has more free inodes than inodes";
	if (super->revision == 0)
		return NULL;
	if (super->inode_size < EXT2_OLD_INODE_SIZE ||
	    super->inode_size > block ||
	    (super->inode_size & (super->inode_size - 1)) != 0)
		return "its inodes have an impossible size";
	if (super->first_inode < EXT2_OLD_FIRST_INODE ||
	    super->first_inode > super->inodes_count)
		return "its first inode does not exist";
	if (super->reserved_descriptors > block / 4)
		return "it keeps too many blocks for descriptors";
	return NULL;
}

static int check_super(struct ext2 *fs, const struct ext2_super_block *super)
{
	const char *name = fs->device->name;
	char why[EXT2_WHY_SIZE];
	const char *wrong;

	if (super->magic != EXT2_MAGIC) {
		pr_warn("ext2: %s: no ext2 file system\n", name);
		return -EINVAL;
	}
	/* Before any size is judged: these change what sizes mean. */
	if (!ext2_can_read(super, why, sizeof(why))) {
		pr_err("ext2: %s: not supported: %s\n", name, why);
		return -EINVAL;
	}
	wrong = ext2_super_check_sizes(super,
	                               fs->device->sectors * SECTOR_SIZE);
	if (wrong == NULL)
		wrong = check_counts(super);
	if (wrong != NULL) {
		pr_err("ext2: %s: damaged superblock: %s\n", name, wrong);
		return -EUCLEAN;
	}
	return 0;
}

/* ---- What follows from it ------------------------------------------------ */

/* Does GROUP begin with copies of superblock and descriptors? */
static bool has_super(const struct ext2_super_block *super, uint32_t group)
{
	static const uint32_t base[] = { 3, 5, 7 };

	if (super->revision > 0 &&
	    (super->compatible & EXT2_COMPATIBLE_SPARSE_SUPER2) != 0)
		return group == 0 || group == super->backup_groups[0] ||
		       group == super->backup_groups[1];
	if (group <= 1 || super->revision == 0 ||
	    (super->read_only_compatible & EXT2_READ_ONLY_SPARSE_SUPER) == 0)
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(base); i++) {
		uint64_t power = base[i];

		while (power < group)
			power *= base[i];
		if (power == group)
			return true;
	}
	return false;
}

uint32_t ext2_group_head(const struct ext2 *fs, uint32_t group)
{
	const struct ext2_super_block *super = fs->super;
	uint32_t descriptors =
		(fs->groups * sizeof(struct ext2_group) + fs->block_size - 1) >>
		fs->block_shift;

	if (!has_super(super, group))
		return 0;
	return 1 + descriptors +
	       (super->revision > 0 ? super->reserved_descriptors : 0);
}

uint32_t ext2_group_first(const struct ext2 *fs, uint32_t group)
{
	return fs->super->first_data_block +
	       group * fs->super->blocks_per_group;
}

uint32_t ext2_group_blocks(const struct ext2 *fs, uint32_t group)
{
	return min(fs->super->blocks_count - ext2_group_first(fs, group),
	           fs->super->blocks_per_group);
}

uint32_t ext2_table_blocks(const struct ext2 *fs)
{
	uint32_t per_block = fs->block_size / fs->inode_size;

	return (fs->super->inodes_per_group + per_block - 1) / per_block;
}

static void use_super(struct ext2 *fs)
{
	const struct ext2_super_block *super = fs->super;
	bool dynamic = super->revision > 0;

	fs->groups = count_groups(super);
	fs->inode_size = dynamic ? super->inode_size : EXT2_OLD_INODE_SIZE;
	fs->first_inode = dynamic ? super->first_inode : EXT2_OLD_FIRST_INODE;
	fs->filetype = dynamic &&
	               (super->incompatible & EXT2_INCOMPATIBLE_FILETYPE) != 0;
	fs->largest = ext2_largest_file(fs);
	fs->time_base = max(super->write_time, super->mount_time);
	fs->time_base = max(fs->time_base, EXT2_TIME_FLOOR);
	fs->mounted = clock_microseconds();
	fs->state = super->state;
}

static int check_group(struct ext2 *fs, uint32_t group)
{
	uint32_t first = ext2_group_first(fs, group);
	uint32_t blocks = ext2_group_blocks(fs, group);
	uint32_t head = ext2_group_head(fs, group);
	uint32_t table = ext2_table_blocks(fs);
	struct ext2_group *data;
	struct page *page;
	int error = ext2_group_get(fs, group, &page, &data);

	if (error != 0)
		return error;
	if (data->block_bitmap - first < head ||
	    data->block_bitmap - first >= blocks ||
	    data->inode_bitmap - first < head ||
	    data->inode_bitmap - first >= blocks ||
	    data->inode_table - first < head ||
	    data->inode_table - first >= blocks ||
	    table > blocks - (data->inode_table - first) ||
	    data->block_bitmap == data->inode_bitmap ||
	    data->block_bitmap - data->inode_table < table ||
	    data->inode_bitmap - data->inode_table < table ||
	    data->free_blocks > blocks ||
	    data->free_inodes > fs->super->inodes_per_group ||
	    data->directories > fs->super->inodes_per_group)
		error = ext2_error(fs, "damaged descriptor of group %u", group);
	put_page(page);
	fs->overhead += head + 2 + table;
	return error;
}

static int check_groups(struct ext2 *fs)
{
	fs->overhead = fs->super->first_data_block;
	for (uint32_t group = 0; group < fs->groups; group++) {
		int error = check_group(fs, group);

		if (error != 0)
			return error;
	}
	return 0;
}

/* ---- Mounting ------------------------------------------------------------ */

/* Look at the superblock before it is known how large the blocks are. */
static int read_first(struct ext2 *fs)
{
	const struct ext2_super_block *super = page_address(fs->scratch);
	int error;

	if (fs->device->sectors < SECTORS_MIN)
		return -EINVAL;
	error = block_read(fs->device, EXT2_SUPER_BYTE / SECTOR_SIZE,
	                   fs->scratch, 0, EXT2_SUPER_SIZE);
	if (error == 0)
		error = check_super(fs, super);
	if (error != 0)
		return error;
	fs->block_shift = 10 + super->log_block_size;
	fs->block_size = 1U << fs->block_shift;
	fs->page_blocks = PAGE_SIZE >> fs->block_shift;
	fs->numbers = fs->block_size / sizeof(uint32_t);
	return 0;
}

/* The same superblock as a block of the cache, where it stays. */
static int hold_super(struct ext2 *fs)
{
	char *data;
	int error = ext2_meta_get(fs, EXT2_SUPER_BYTE >> fs->block_shift,
	                          &fs->super_page, &data);

	if (error != 0)
		return error;
	held_hand_on(HELD_PIN, fs->super_page);
	data += EXT2_SUPER_BYTE & (fs->block_size - 1);
	error = check_super(fs, (struct ext2_super_block *)data);
	if (error == 0)
		fs->super = (struct ext2_super_block *)data;
	else
		put_kept_page(fs->super_page);
	return error;
}

/* Why somebody should run e2fsck; NULL: nobody must. */
static const char *wants_check(const struct ext2 *fs)
{
	const struct ext2_super_block *super = fs->super;

	if (super->state & EXT2_STATE_ERRORS)
		return "errors are noted on it";
	if (!(super->state & EXT2_STATE_CLEAN))
		return "it was not unmounted cleanly";
	if (super->max_mount_count > 0 &&
	    super->mount_count >= super->max_mount_count)
		return "it has been mounted as often as it wants to be between "
		       "two checks";
	if (super->check_interval != 0 && super->last_check < fs->time_base &&
	    fs->time_base - super->last_check >= super->check_interval)
		return "its last check is too long ago";
	return NULL;
}

/*
 * Is it mounted for reading only, although that was not requested?  A write to a file
 * system with errors may overwrite files: its bitmaps cannot be trusted.
 * (One that was only not unmounted cleanly is written to, as it is by Linux.)
 */
static void choose_read_only(struct ext2 *fs)
{
	const char *name = fs->device->name;
	const char *check = wants_check(fs);
	char why[EXT2_WHY_SIZE];

	if (check != NULL)
		pr_warn("ext2: %s: %s; run e2fsck\n", name, check);
	if (fs->read_only)
		return;
	if (!ext2_can_write(fs->super, why, sizeof(why))) {
		pr_warn("ext2: %s: mounted read-only; not supported for "
		        "writing: %s\n",
		        name, why);
		fs->read_only = true;
	}
	if (fs->super->state & EXT2_STATE_ERRORS) {
		pr_warn("ext2: %s: mounted read-only until e2fsck has repaired "
		        "it\n",
		        name);
		fs->read_only = true;
	}
}

/* From now on it is not CLEAN, if it is written to. */
static int begin_writing(struct ext2 *fs)
{
	struct ext2_super_block *super = fs->super;
	int error;

	if (fs->read_only)
		return 0;
	super->state &= (uint16_t)~EXT2_STATE_CLEAN;
	super->mount_count++;
	super->mount_time = ext2_time(fs);
	super->write_time = super->mount_time;
	filemap_dirty(fs->super_page);
	error = filemap_writeback(&fs->meta);
	fs->complete = error == 0;
	return error;
}

static int check_root(struct ext2 *fs)
{
	struct inode *root;
	int error = ext2_inode_get(fs, EXT2_ROOT_INODE, &root);

	if (error != 0)
		return error;
	if (!inode_is_dir(root))
		error = ext2_error(fs, "the root is no directory");
	ext2_inode_put(root);
	return error;
}

/* A file system that is refused stays as it was. */
static int ext2_super_read_all(struct ext2 *fs)
{
	int error = read_first(fs);

	if (error != 0)
		return error;
	error = hold_super(fs);
	if (error != 0)
		return error;
	use_super(fs);
	error = check_groups(fs);
	if (error == 0)
		error = check_root(fs);
	if (error != 0)
		return error;
	choose_read_only(fs);
	return begin_writing(fs);
}

static struct ext2 *ext2_super_make(struct block_device *device, bool read_only)
{
	struct ext2 *fs = (struct ext2 *)get_zeroed_page(GFP_KERNEL);

	if (fs == NULL)
		return NULL;
	fs->scratch = alloc_page(GFP_KERNEL);
	if (fs->scratch == NULL) {
		free_page((uintptr_t)fs);
		return NULL;
	}
	fs->device = device;
	fs->read_only = read_only;
	mutex_init(&fs->lock, "ext2");
	mutex_init(&fs->scratch_lock, "ext2 scratch");
	fs->complaints = (struct ratelimit){ .interval = 5000000, .burst = 10 };
	ext2_meta_init(fs);
	if (ext2_inodes_init(fs) != 0) {
		__free_page(fs->scratch);
		free_page((uintptr_t)fs);
		return NULL;
	}
	ext2_reserve_fill(fs, GFP_KERNEL);
	return fs;
}

static void ext2_super_destroy(struct ext2 *fs)
{
	ext2_inodes_end(fs);
	if (fs->super != NULL)
		put_kept_page(fs->super_page);
	filemap_cut(&fs->meta, 0);
	ext2_reserve_empty(fs);
	__free_page(fs->scratch);
	free_page((uintptr_t)fs);
}

/* For the flusher. */
static unsigned long write_old(struct writeback_source *source, uint64_t before)
{
	struct ext2 *fs = container_of(source, struct ext2, source);
	unsigned int scope = ext2_lock(fs);
	unsigned long begun = ext2_inodes_flush(fs, before);

	begun += filemap_flush(&fs->meta, before);
	ext2_unlock(fs, scope);
	return begun;
}

/* From now on others come by themselves: reclaim and the flusher. */
static void begin_sharing(struct ext2 *fs)
{
	ext2_inodes_share(fs);
	fs->source = (struct writeback_source){ .name = fs->device->name,
		                                .write = write_old };
	register_writeback_source(&fs->source);
}

/* DEVICE is the caller's alone. */
static int mount(struct block_device *device, bool read_only, struct ext2 **fs)
{
	struct ext2 *made = ext2_super_make(device, read_only);
	unsigned int scope;
	int error;

	if (made == NULL)
		return -ENOMEM;
	scope = ext2_lock(made);
	error = ext2_super_read_all(made);
	ext2_unlock(made, scope);
	if (error != 0) {
		ext2_super_destroy(made);
		return error;
	}
	begin_sharing(made);
	*fs = made;
	return 0;
}

int ext2_mount(struct block_device *device, bool read_only, struct ext2 **fs)
{
	unsigned int held = held_total();
	int error = clear_caller(fs, sizeof(void *));
	struct ext2 *mounted = NULL;

	if (error == 0)
		error = bd_claim(device);
	if (error != 0)
		return error;
	error = mount(device, read_only, &mounted);
	if (error != 0)
		bd_release(device);
	else
		held_hand_on(HELD_DEVICE, device);
	held_expect(held, __func__);
	*fs = mounted;
	return error;
}

static int write_everything(struct ext2 *fs)
{
	int error = ext2_inodes_writeback(fs);
	int second = filemap_writeback(&fs->meta);

	error = error != 0 ? error : second;
	second = block_flush(fs->device);
	return error != 0 ? error : second;
}

int ext2_sync(struct ext2 *fs)
{
	unsigned int scope = ext2_lock(fs);
	int error;

	if (!fs->read_only) {
		fs->super->write_time = ext2_time(fs);
		filemap_dirty(fs->super_page);
	}
	error = write_everything(fs);
	ext2_unlock(fs, scope);
	return error;
}

/* S1: the data first, then the word that it is complete. */
static int end_writing(struct ext2 *fs)
{
	int error = write_everything(fs);

	if (error != 0 || fs->read_only)
		return error;
	fs->super->state = fs->state;
	fs->super->write_time = ext2_time(fs);
	filemap_dirty(fs->super_page);
	return write_everything(fs);
}

int ext2_unmount(struct ext2 *fs)
{
	struct block_device *device = fs->device;
	unsigned int scope = ext2_lock(fs);
	int error = fs->busy > 0 ? -EBUSY : end_writing(fs);

	ext2_unlock(fs, scope);
	if (error == -EBUSY)
		return error;
	unregister_writeback_source(&fs->source);
	ext2_super_destroy(fs);
	bd_release(device);
	return error;
}

void ext2_usage(struct ext2 *fs, struct ext2_usage *usage)
{
	unsigned int scope = ext2_lock(fs);
	const struct ext2_usage now = {
		.block_size = fs->block_size,
		.blocks = fs->super->blocks_count - fs->overhead,
		.free_blocks = fs->super->free_blocks,
		.inodes = fs->super->inodes_count,
		.free_inodes = fs->super->free_inodes,
		.cached = fs->inodes,
		.read_only = ext2_may_write(fs) != 0,
		.errors = (fs->state & EXT2_STATE_ERRORS) != 0,
	};
	ext2_unlock(fs, scope);
	*usage = now;
}

const char *ext2_device_name(const struct ext2 *fs)
{
	return fs->device->name;
}

const char *ext2_check(struct ext2 *fs, char *buffer, size_t size)
{
	const char *broken = check_buffer(buffer, size);
	unsigned int scope;

	if (broken != NULL)
		return broken;
	scope = ext2_lock(fs);
	broken = filemap_check(&fs->meta, buffer, size);
	if (broken == NULL)
		broken = ext2_inodes_check(fs, buffer, size);
	ext2_unlock(fs, scope);
	return broken;
}

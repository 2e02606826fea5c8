// SPDX-License-Identifier: MIT
/*
 * tests/host/test_ext2_damage.c -- disks that lie, fail, or come at a bad time.
 *
 * Whatever a disk says, the answer is an error: no fault (the sanitizers watch),
 * no endless walk, and nothing is written where it must not be.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/format.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"
#include "tests/host/ext2_image.h"
#include "tests/suite.h"

SUITE(ext2_damage);

/* Offsets in the image. */
#define SUPER(field)                                                           \
	(EXT2_SUPER_BYTE + (long)offsetof(struct ext2_super_block, field))

static struct ext2_super_block read_super(void)
{
	struct ext2_super_block super;

	image_peek(EXT2_SUPER_BYTE, &super, sizeof(super));
	return super;
}

/* Where inode NUMBER is, in an image of one group with blocks of 1 KiB. */
static long inode_at(uint32_t number)
{
	struct ext2_group group;

	image_peek(2048, &group, sizeof(group));
	return (long)group.inode_table * 1024 +
	       (long)(number - 1) * read_super().inode_size;
}

#define INODE(number, field)                                                   \
	(inode_at(number) + (long)offsetof(struct ext2_disk_inode, field))

static uint32_t peek32(long offset)
{
	uint32_t value;

	image_peek(offset, &value, sizeof(value));
	return value;
}

/* ---- Superblocks --------------------------------------------------------- */

/* Mounting the image, changed, ends with ERROR and leaves no page in use. */
static const char *mount_ends_with(int error)
{
	image_attach(512);
	EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs), error);
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	return NULL;
}

CASE(ext2_damage, a_superblock_that_cannot_be_is_refused)
{
	static const struct {
		long offset;
		unsigned int size;
		uint32_t value;
		int error;
	} lies[] = {
		{ SUPER(magic), 2, 0xef54, EINVAL },
		{ SUPER(revision), 4, 2, EINVAL },
		{ SUPER(log_block_size), 4, 3, EINVAL },
		{ SUPER(log_block_size), 4, 7, EUCLEAN },
		{ SUPER(log_block_size), 4, 0xffffffff, EUCLEAN },
		{ SUPER(log_fragment_size), 4, 1, EUCLEAN },
		{ SUPER(first_data_block), 4, 0, EUCLEAN },
		{ SUPER(first_data_block), 4, 0xffffffff, EUCLEAN },
		{ SUPER(blocks_count), 4, 0, EUCLEAN },
		{ SUPER(blocks_count), 4, 1, EUCLEAN },
		{ SUPER(blocks_count), 4, 1025, EUCLEAN },
		{ SUPER(blocks_count), 4, 0xffffffff, EUCLEAN },
		{ SUPER(blocks_per_group), 4, 0, EUCLEAN },
		{ SUPER(blocks_per_group), 4, 8200, EUCLEAN },
		{ SUPER(blocks_per_group), 4, 257, EUCLEAN },
		{ SUPER(inodes_per_group), 4, 0, EUCLEAN },
		{ SUPER(inodes_per_group), 4, 0x80000000, EUCLEAN },
		{ SUPER(inodes_count), 4, 0, EUCLEAN },
		{ SUPER(inodes_count), 4, 0xffffffff, EUCLEAN },
		{ SUPER(free_blocks), 4, 0x7fffffff, EUCLEAN },
		{ SUPER(free_inodes), 4, 0x7fffffff, EUCLEAN },
		{ SUPER(reserved_blocks), 4, 0x7fffffff, EUCLEAN },
		{ SUPER(inode_size), 2, 0, EUCLEAN },
		{ SUPER(inode_size), 2, 64, EUCLEAN },
		{ SUPER(inode_size), 2, 192, EUCLEAN },
		{ SUPER(inode_size), 2, 2048, EUCLEAN },
		{ SUPER(first_inode), 4, 2, EUCLEAN },
		{ SUPER(first_inode), 4, 0xffffffff, EUCLEAN },
		{ SUPER(reserved_descriptors), 2, 0xffff, EUCLEAN },
		{ SUPER(incompatible), 4, 0x42, EINVAL },
		/* The descriptor of the only group. */
		{ 2048, 4, 0, EUCLEAN },
		{ 2048, 4, 1, EUCLEAN },
		{ 2052, 4, 0xffffffff, EUCLEAN },
		{ 2056, 4, 1020, EUCLEAN },
		{ 2056, 4, 0x80000000, EUCLEAN },
		{ 2060, 2, 0xffff, EUCLEAN },
		{ 2062, 2, 0xffff, EUCLEAN },
		{ 2064, 2, 0xffff, EUCLEAN },
	};

	TRY(image_make("-b 1024", 1024));
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		uint32_t truth = 0;
		const char *answer;

		image_peek(lies[i].offset, &truth, lies[i].size);
		image_poke(lies[i].offset, &lies[i].value, lies[i].size);
		answer = mount_ends_with(lies[i].error);
		if (answer != NULL)
			test_note("lie %u at %ld", i, lies[i].offset);
		TRY(answer);
		image_poke(lies[i].offset, &truth, lies[i].size);
	}
	return image_check();
}

/* ---- Sound, and not for us ----------------------------------------------- */

/* Where the log of the mount that is looked at begins. */
static uint64_t log_begin;

static void attach_with_new_log(void)
{
	log_begin = log_mark();
	image_attach(IMAGE_PAGES);
}

struct sought {
	const char *text;
	bool found;
};

static bool line_has(const char *line, const char *text)
{
	while (*line != '\0' && strncmp(line, text, strlen(text)) != 0)
		line++;
	return *line != '\0';
}

static void look_for(const char *line, void *data)
{
	struct sought *sought = data;

	sought->found = sought->found || line_has(line, sought->text);
}

/* Has the machine logged a line with TEXT since attach_with_new_log()? */
static bool was_logged(const char *text)
{
	struct sought sought = { .text = text };

	log_visit((unsigned int)(log_mark() - log_begin), look_for, &sought);
	return sought.found;
}

/* An image by mke2fs with OPTIONS is refused with a line that has WHY, is not
 * called damaged, and is left as it was. */
static const char *is_not_supported(const char *options, const char *why)
{
	static uint8_t before[256 * 1024];
	static uint8_t after[256 * 1024];
	char line[120];

	TRY(image_make(options, 16 * 1024));
	image_peek(0, before, sizeof(before));
	attach_with_new_log();
	EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs), EINVAL);
	scnprintf(line, sizeof(line), "not supported: %s", why);
	if (!was_logged(line))
		return test_failure("%s: nothing says '%s'", options, line);
	EXPECT(!was_logged("damaged"));
	EXPECT_EQUAL(block_statistics(image.device).writes, 0);
	image_detach();
	image_peek(0, after, sizeof(after));
	EXPECT(memcmp(before, after, sizeof(before)) == 0);
	return NULL;
}

CASE(ext2_damage, what_is_sound_but_unknown_is_not_called_damaged)
{
	static const struct {
		const char *options;
		const char *why;
	} images[] = {
		{ "-b 8192", "blocks of 8192 bytes (at most 4096)" },
		{ "-b 16384", "blocks of 16384 bytes" },
		{ "-b 65536", "blocks of 65536 bytes" },
		{ "-b 1024 -O extents", "extents" },
		{ "-b 1024 -O extents,64bit", "extents, 64bit" },
		{ "-b 1024 -O flex_bg", "flex_bg" },
		{ "-b 1024 -O ^resize_inode,meta_bg", "meta_bg" },
		{ "-b 1024 -O mmp", "mmp" },
		{ "-b 1024 -O ea_inode", "ea_inode" },
		{ "-b 1024 -O large_dir", "large_dir" },
		{ "-b 1024 -I 256 -O inline_data", "inline_data" },
		{ "-b 1024 -O encrypt", "encrypt" },
		{ "-b 1024 -O casefold", "casefold" },
		{ "-b 4096 -O ^resize_inode,extents,bigalloc -C 16384",
		  "extents, bigalloc" },
		{ "-b 1024 -O ^resize_inode,extents,bigalloc -C 4096",
		  "extents, bigalloc" },
		{ "-b 1024 -O journal_dev", "journal_dev" },
		{ "-b 8192 -O extents", "extents, blocks of 8192 bytes" },
		{ "-b 1024 -O extents,64bit,flex_bg,metadata_csum,has_journal",
		  "extents, 64bit, flex_bg" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(images); i++)
		TRY(is_not_supported(images[i].options, images[i].why));
	return NULL;
}

/*
 * Values that no mke2fs writes: bits without a name, and sizes that were never
 * used.
 */
CASE(ext2_damage, what_no_tool_makes_is_named_by_its_number)
{
	static const struct {
		long offset;
		uint32_t value;
		const char *why;
	} images[] = {
		{ SUPER(incompatible), 0x80000002,
		  "incompatible feature 0x80000000" },
		{ SUPER(incompatible), 0x3, "compression" },
		{ SUPER(read_only_compatible), 0x201, "bigalloc" },
		{ SUPER(revision), 7, "revision 7" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(images); i++) {
		char line[80];

		TRY(image_make("-b 2048", 1024));
		image_poke32(images[i].offset, images[i].value);
		TRY(mount_ends_with(EINVAL));
		TRY(image_make("-b 2048", 1024));
		image_poke32(images[i].offset, images[i].value);
		attach_with_new_log();
		EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs),
		             EINVAL);
		scnprintf(line, sizeof(line), "not supported: %s",
		          images[i].why);
		EXPECT(was_logged(line));
		image_detach();
	}
	TRY(image_make("-b 2048", 1024));
	image_poke32(SUPER(log_fragment_size), 0);
	attach_with_new_log();
	EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs), EINVAL);
	EXPECT(was_logged("not supported: fragments of 1024 bytes"));
	image_detach();
	return NULL;
}

/* With these it can be read, and e2fsck finds what it found before. */
CASE(ext2_damage, what_forbids_writing_only_is_named_and_read)
{
	static const struct {
		const char *options;
		const char *why; /* NULL: nothing, it is mounted for writing */
	} images[] = {
		{ "-b 1024 -O metadata_csum", "metadata_csum" },
		{ "-b 1024 -O uninit_bg,huge_file,dir_nlink,extra_isize",
		  "huge_file, uninit_bg, dir_nlink, extra_isize" },
		{ "-b 1024 -O quota", "quota" },
		{ "-b 1024 -O has_journal", NULL },
		{ "-b 1024 -O sparse_super2", NULL },
		{ "-b 1024 -O ^sparse_super,^resize_inode", NULL },
		{ "-b 4096 -I 1024", NULL },
		{ "-b 4096 -I 4096 -N 256", NULL },
		{ "-b 1024 -g 256 -O ^resize_inode", NULL },
		{ "-b 1024 -O none -I 128", NULL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(images); i++) {
		struct inode *inode;
		char line[120];
		int answer;

		TRY(image_make(images[i].options, 8 * 1024));
		attach_with_new_log();
		TRY(image_mount());
		scnprintf(line, sizeof(line), "not supported for writing: %s",
		          images[i].why != NULL ? images[i].why : "");
		EXPECT(was_logged(line) == (images[i].why != NULL));
		WORKS(ext2_open(image.fs, "/lost+found", &inode));
		ext2_close(inode);
		answer = ext2_mkdir(image.fs, "/dir");
		EXPECT_EQUAL(-answer, images[i].why != NULL ? EROFS : 0);
		TRY(image_finish());
	}
	return NULL;
}

CASE(ext2_damage, what_is_no_file_system_is_refused)
{
	TRY(image_make("-b 1024", 1024));
	TRY(image_tool(0, "truncate -s 0 %s && truncate -s 512 %s", image.path,
	               image.path));
	TRY(mount_ends_with(EINVAL));
	TRY(image_tool(0, "truncate -s 100k %s", image.path));
	TRY(mount_ends_with(EINVAL));
	TRY(image_make("-b 4096", 1024));
	TRY(image_tool(0, "truncate -s 900k %s", image.path));
	return mount_ends_with(EUCLEAN);
}

CASE(ext2_damage, an_unknown_read_only_feature_forbids_writing)
{
	struct inode *inode;

	TRY(image_make("-b 1024", 1024));
	image_poke32(SUPER(read_only_compatible), 0x400 | 1);
	image_attach(512);
	TRY(image_mount());
	EXPECT_EQUAL(-ext2_create(image.fs, "/new", &inode), EROFS);
	EXPECT_EQUAL(-ext2_mkdir(image.fs, "/new"), EROFS);
	EXPECT_EQUAL(-ext2_rmdir(image.fs, "/lost+found"), EROFS);
	WORKS(ext2_open(image.fs, "/lost+found", &inode));
	ext2_close(inode);
	WORKS(ext2_sync(image.fs));
	TRY(image_unmount());
	EXPECT_EQUAL(block_statistics(image.device).writes, 0);
	image_detach();
	return NULL;
}

CASE(ext2_damage, an_old_revision_has_no_features)
{
	/* mke2fs has no option for it that all its versions know. */
	TRY(image_make("-b 1024 -I 128 -O none", 1024));
	image_poke32(SUPER(revision), 0);
	image_poke16(SUPER(inode_size), 0);
	image_attach(IMAGE_PAGES);
	TRY(image_mount());
	EXPECT_EQUAL(image.fs->inode_size, 128);
	WORKS(ext2_mkdir(image.fs, "/dir"));
	WORKS(image_write("/dir/file", 1, 50000));
	TRY(image_same("/dir/file", 1, 50000));
	return image_finish();
}

/* ---- State --------------------------------------------------------------- */

CASE(ext2_damage, a_mounted_disk_is_not_clean_and_mounts_are_counted)
{
	struct ext2_super_block super;

	TRY(image_start("-b 1024", 1024));
	super = read_super();
	EXPECT_EQUAL(super.state, 0);
	EXPECT_EQUAL(super.mount_count, 1);
	TRY(image_unmount());
	super = read_super();
	EXPECT_EQUAL(super.state, EXT2_STATE_CLEAN);
	TRY(image_mount());
	EXPECT_EQUAL(read_super().mount_count, 2);
	return image_finish();
}

/* Linux mounts it for writing, with a warning. */
CASE(ext2_damage, with_errors_noted_it_is_mounted_read_only_until_e2fsck)
{
	struct ext2_usage usage;

	TRY(image_make("-b 1024", 1024));
	for (uint16_t state = 2; state <= 3; state++) {
		image_poke16(SUPER(state), state);
		attach_with_new_log();
		TRY(image_mount());
		EXPECT(was_logged("errors are noted on it; run e2fsck"));
		EXPECT(was_logged("mounted read-only until e2fsck"));
		EXPECT_EQUAL(-ext2_mkdir(image.fs, "/dir"), EROFS);
		ext2_usage(image.fs, &usage);
		EXPECT(usage.read_only && usage.errors);
		WORKS(ext2_sync(image.fs));
		TRY(image_unmount());
		EXPECT_EQUAL(block_statistics(image.device).writes, 0);
		EXPECT_EQUAL(read_super().state, state);
		image_detach();
	}
	/* 1: it has repaired something. */
	TRY(image_tool(1, "e2fsck -fy %s; test $? -le 1 && exit 1",
	               image.path));
	attach_with_new_log();
	TRY(image_mount());
	WORKS(ext2_mkdir(image.fs, "/dir"));
	return image_finish();
}

CASE(ext2_damage, not_unmounted_cleanly_it_is_written_to_with_a_warning)
{
	TRY(image_make("-b 1024", 1024));
	image_poke16(SUPER(state), 0);
	attach_with_new_log();
	TRY(image_mount());
	EXPECT(was_logged("was not unmounted cleanly; run e2fsck"));
	EXPECT(!was_logged("mounted read-only"));
	WORKS(ext2_mkdir(image.fs, "/dir"));
	TRY(image_unmount());
	/* Nobody has looked at it: it stays so. */
	EXPECT_EQUAL(read_super().state, 0);
	image_detach();
	return NULL;
}

CASE(ext2_damage, a_mount_says_that_a_check_is_due)
{
	struct ext2_super_block super;

	TRY(image_make("-b 1024", 1024));
	image_poke16(SUPER(max_mount_count), 2);
	for (unsigned int mounts = 0; mounts < 3; mounts++) {
		attach_with_new_log();
		TRY(image_mount());
		EXPECT(was_logged("mounted as often as") == (mounts == 2));
		TRY(image_unmount());
		image_detach();
	}
	TRY(image_make("-b 1024", 1024));
	super = read_super();
	image_poke32(SUPER(check_interval), 100);
	image_poke32(SUPER(last_check), super.write_time - 99);
	attach_with_new_log();
	TRY(image_mount());
	EXPECT(!was_logged("run e2fsck"));
	TRY(image_unmount());
	image_detach();
	image_poke32(SUPER(last_check), read_super().write_time - 100);
	attach_with_new_log();
	TRY(image_mount());
	EXPECT(was_logged("last check is too long ago; run e2fsck"));
	TRY(image_unmount());
	image_detach();
	return NULL;
}

/*
 * A directory whose only block is block 2, which does not belong to any file.
 */
static void spoil_lost_and_found(void)
{
	image_poke32(INODE(11, block[0]), 2);
}

static const char *look_into_spoiled(void)
{
	struct ext2_name name;
	struct inode *dir;
	uint64_t position = 0;

	WORKS(ext2_open(image.fs, "/lost+found", &dir));
	EXPECT_EQUAL(-ext2_next_name(dir, &position, &name), EUCLEAN);
	ext2_close(dir);
	return NULL;
}

static const char *start_spoiled(uint16_t errors)
{
	TRY(image_make("-b 1024", 1024));
	image_poke16(SUPER(errors), errors);
	spoil_lost_and_found();
	image_attach(512);
	return image_mount();
}

CASE(ext2_damage, after_an_error_it_does_what_the_superblock_says)
{
	TRY(start_spoiled(EXT2_ERRORS_CONTINUE));
	TRY(look_into_spoiled());
	/* On the disk immediately, without a sync. */
	EXPECT_EQUAL(read_super().state, EXT2_STATE_ERRORS);
	WORKS(image_write("/goes-on", 1, 100));
	TRY(image_unmount());
	EXPECT_EQUAL(read_super().state, EXT2_STATE_CLEAN | EXT2_STATE_ERRORS);
	image_detach();
	TRY(start_spoiled(EXT2_ERRORS_READ_ONLY));
	TRY(look_into_spoiled());
	EXPECT_EQUAL(-image_write("/stops", 1, 100), EROFS);
	TRY(image_unmount());
	EXPECT_EQUAL(read_super().state, EXT2_STATE_CLEAN | EXT2_STATE_ERRORS);
	image_detach();
	return NULL;
}

/* A refused file system is unchanged: its state, and its number of mounts. */
CASE(ext2_damage, a_damaged_root_is_refused_and_nothing_is_written)
{
	struct ext2_super_block super;

	TRY(image_make("-b 1024", 1024));
	image_poke16(INODE(EXT2_ROOT_INODE, mode), EXT2_FILE | 0755);
	image_attach(512);
	EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs), EUCLEAN);
	EXPECT_EQUAL(block_statistics(image.device).writes, 0);
	image_detach();
	super = read_super();
	EXPECT_EQUAL(super.state, EXT2_STATE_CLEAN);
	EXPECT_EQUAL(super.mount_count, 0);
	return NULL;
}

static void look_and_panic(void *data)
{
	*(const char **)data = look_into_spoiled();
}

CASE(ext2_damage, after_an_error_it_panics_if_the_superblock_says_so)
{
	const char *answer = "no panic";
	char text[200];

	TRY(start_spoiled(EXT2_ERRORS_PANIC));
	EXPECT(machine_try(look_and_panic, &answer, text, sizeof(text)) ==
	       MACHINE_PANICKED);
	EXPECT(strncmp(text, "ext2: hda: block 2 is no file's", 31) == 0);
	EXPECT_EQUAL(read_super().state, EXT2_STATE_ERRORS);
	machine_start(0);
	return NULL;
}

/* ---- Inodes and their blocks --------------------------------------------- */

/* An image of one group with one file, inode 12, of 400 blocks. */
static const char *make_one_file(void)
{
	TRY(image_start("-b 1024", 2048));
	WORKS(image_write("/file", 1, 400 * 1024));
	return image_finish();
}

/* As if nobody had noted an error yet. */
static const char *attach_and_mount(void)
{
	image_poke16(SUPER(state), EXT2_STATE_CLEAN);
	image_attach(IMAGE_PAGES);
	return image_mount();
}

static const char *end_damaged(void)
{
	TRY(image_unmount());
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	EXPECT(read_super().state & EXT2_STATE_ERRORS);
	return NULL;
}

static const char *try_everything_on(const char *path)
{
	uint8_t bytes[3000];
	struct inode *inode;

	if (ext2_open(image.fs, path, &inode) == 0) {
		for (uint64_t at = 0; at < 500 * 1024; at += sizeof(bytes))
			(void)!ext2_read(inode, at, bytes, sizeof(bytes));
		(void)!ext2_write(inode, 398 * 1024, bytes, sizeof(bytes));
		(void)!ext2_write(inode, 4000000, bytes, sizeof(bytes));
		(void)!ext2_truncate(inode, 5000);
		ext2_close(inode);
	}
	(void)!ext2_unlink(image.fs, path);
	return NULL;
}

CASE(ext2_damage, numbers_of_blocks_that_cannot_be_are_errors)
{
	static const uint32_t numbers[] = { 1, 2, 5, 40, 2048, 0xffffffff };
	static const unsigned int slots[] = { 0, 11, 12, 13 };

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(slots); j++) {
			TRY(make_one_file());
			image_poke32(INODE(12, block[slots[j]]), numbers[i]);
			TRY(attach_and_mount());
			TRY(try_everything_on("/file"));
			TRY(end_damaged());
		}
	}
	return NULL;
}

/* As if another file had the same block, and its data were written there. */
CASE(ext2_damage, numbers_that_changed_meanwhile_are_not_written_to)
{
	struct inode *inode;
	struct page *numbers;

	TRY(make_one_file());
	TRY(attach_and_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	EXPECT_EQUAL(ext2_write(inode, 16 * 1024, "changed", 7), 7);
	numbers = find_get_page(&image.fs->meta, inode->block[12]);
	EXPECT(numbers != NULL);
	((uint32_t *)page_address(numbers))[16 - 12] = 0x7fffffff;
	put_page(numbers);
	EXPECT_EQUAL(-ext2_sync(image.fs), EUCLEAN);
	EXPECT_EQUAL(block_statistics(image.device).errors, 0);
	ext2_close(inode);
	EXPECT_EQUAL(-ext2_unmount(image.fs), EUCLEAN);
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	return NULL;
}

CASE(ext2_damage, blocks_of_numbers_that_lead_in_a_circle_end)
{
	for (unsigned int slot = 12; slot < 15; slot++) {
		uint32_t circle;

		TRY(make_one_file());
		/* The first block of numbers: each entry is itself. */
		circle = peek32(INODE(12, block[12]));
		for (unsigned int i = 0; i < 256; i++)
			image_poke32((long)circle * 1024 + i * 4, circle);
		image_poke32(INODE(12, block[slot]), circle);
		image_poke32(INODE(12, size_high), 3);
		TRY(attach_and_mount());
		TRY(try_everything_on("/file"));
		TRY(end_damaged());
	}
	return NULL;
}

CASE(ext2_damage, a_block_that_is_freed_twice_is_an_error)
{
	TRY(make_one_file());
	image_poke32(INODE(12, block[3]), peek32(INODE(12, block[4])));
	TRY(attach_and_mount());
	WORKS(ext2_unlink(image.fs, "/file"));
	EXPECT(image.fs->state & EXT2_STATE_ERRORS);
	return end_damaged();
}

CASE(ext2_damage, an_inode_that_cannot_be_is_an_error)
{
	struct inode *inode;

	TRY(make_one_file());
	image_poke16(INODE(12, links), 0);
	TRY(attach_and_mount());
	EXPECT_EQUAL(-ext2_open(image.fs, "/file", &inode), EUCLEAN);
	TRY(end_damaged());
	TRY(make_one_file());
	image_poke32(INODE(12, size_high), 0xffffffff);
	TRY(attach_and_mount());
	EXPECT_EQUAL(-ext2_open(image.fs, "/file", &inode), EUCLEAN);
	EXPECT_EQUAL(-ext2_open_number(image.fs, 0, &inode), EUCLEAN);
	EXPECT_EQUAL(-ext2_open_number(image.fs, 5, &inode), EUCLEAN);
	EXPECT_EQUAL(-ext2_open_number(image.fs, 1U << 31, &inode), EUCLEAN);
	TRY(end_damaged());
	TRY(make_one_file());
	image_poke32(INODE(2, size), 1000);
	TRY(mount_ends_with(EUCLEAN));
	/* A root that is a file, and leaves nothing behind either. */
	TRY(make_one_file());
	image_poke16(INODE(2, mode), EXT2_FILE | 0755);
	return mount_ends_with(EUCLEAN);
}

/* ---- Directories --------------------------------------------------------- */

CASE(ext2_damage, entries_that_cannot_be_end_the_search)
{
	static const uint16_t lengths[] = { 0,    1,    4,     8,   13,
		                            1016, 1028, 65532, 3000 };
	struct ext2_name name;
	struct inode *inode;

	TRY(make_one_file());
	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		long at = (long)peek32(INODE(2, block[0])) * 1024;
		uint64_t position = 0;
		uint16_t truth;

		/* The second entry is "..". */
		image_peek(at + 12 + 4, &truth, 2);
		image_poke16(at + 12 + 4, lengths[i]);
		TRY(attach_and_mount());
		EXPECT_EQUAL(-ext2_open(image.fs, "/file", &inode), EUCLEAN);
		EXPECT_EQUAL(-ext2_mkdir(image.fs, "/new"), EUCLEAN);
		EXPECT_EQUAL(-ext2_unlink(image.fs, "/file"), EUCLEAN);
		WORKS(ext2_open(image.fs, "/", &inode));
		EXPECT_EQUAL(ext2_next_name(inode, &position, &name), 1);
		EXPECT_EQUAL(-ext2_next_name(inode, &position, &name), EUCLEAN);
		ext2_close(inode);
		TRY(end_damaged());
		image_poke16(at + 12 + 4, truth);
	}
	return NULL;
}

CASE(ext2_damage, an_entry_of_an_inode_that_is_not_there_is_an_error)
{
	struct inode *inode;
	long at;

	TRY(make_one_file());
	at = (long)peek32(INODE(2, block[0])) * 1024;
	image_poke32(at + 12, 0x7fffffff);
	TRY(attach_and_mount());
	EXPECT_EQUAL(-ext2_open(image.fs, "/..", &inode), EUCLEAN);
	return end_damaged();
}

/* ---- Anything ------------------------------------------------------------ */

/* Walk the tree from the root, not forever, and change each entry found. */
static void use_somehow(struct random *dice)
{
	struct ext2_name name;
	struct inode *dir;
	uint64_t position = 0;
	char path[300];

	if (ext2_open(image.fs, "/", &dir) != 0)
		return;
	for (unsigned int i = 0; i < 50; i++) {
		if (ext2_next_name(dir, &position, &name) != 1)
			break;
		scnprintf(path, sizeof(path), "/%s", name.text);
		if (random_below(dice, 2) == 0)
			(void)try_everything_on(path);
		else
			(void)!image_write(path, 3, 30000);
		(void)!ext2_mkdir(image.fs, "/made");
		(void)!ext2_rmdir(image.fs, path);
	}
	ext2_close(dir);
	(void)!ext2_sync(image.fs);
}

CASE(ext2_damage, any_damage_is_survived)
{
	struct random dice;
	long span = 60 * 1024; /* where the file system's own blocks are */

	dice = (struct random){ test_seed() };
	TRY(image_start("-b 1024 -N 64", 1024));
	for (unsigned int i = 0; i < 12; i++) {
		char path[40];

		scnprintf(path, sizeof(path), "/file-%u", i);
		WORKS(image_write(path, i, i * 5000));
	}
	TRY(image_finish());
	TRY(image_tool(0, "cp %s %s/whole", image.path, image.folder));
	for (unsigned int round = 0; round < 60; round++) {
		int error;

		TRY(image_tool(0, "cp %s/whole %s", image.folder, image.path));
		for (unsigned int i = 0; i < 1 + round % 20; i++) {
			uint8_t byte = (uint8_t)random_below(&dice, 256);
			long at = (long)random_below(&dice, (uint32_t)span);

			/* Panicking is an answer, and tested elsewhere. */
			if (at != SUPER(errors))
				image_poke(at, &byte, 1);
		}
		image_attach(IMAGE_PAGES);
		if (ext2_mount(image.device, false, &image.fs) == 0) {
			use_somehow(&dice);
			error = ext2_unmount(image.fs);
			/* Files that share blocks may have lost some. */
			EXPECT(error == 0 || error == -EUCLEAN);
		}
		image_detach();
		EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	}
	return NULL;
}

/* ---- Disks that fail ----------------------------------------------------- */

CASE(ext2_damage, a_read_error_is_reported_and_the_next_read_works)
{
	struct inode *inode;
	uint8_t byte;
	uint64_t sector;

	TRY(make_one_file());
	sector = (uint64_t)peek32(INODE(12, block[4])) * 2;
	TRY(attach_and_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	machine_disk_fail(false, sector, 1, -EIO);
	EXPECT_EQUAL(-ext2_read(inode, 5000, &byte, 1), EIO);
	EXPECT_EQUAL(ext2_read(inode, 5000, &byte, 1), 1);
	EXPECT_EQUAL(byte, image_byte(1, 5000));
	ext2_close(inode);
	TRY(image_same("/file", 1, 400 * 1024));
	return image_finish();
}

CASE(ext2_damage, a_write_error_is_reported_and_nothing_is_lost)
{
	struct inode *inode;
	struct page *page;
	uint64_t sector;

	TRY(make_one_file());
	sector = (uint64_t)peek32(INODE(12, block[4])) * 2;
	TRY(attach_and_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	EXPECT_EQUAL(ext2_write(inode, 5000, "changed", 7), 7);
	machine_disk_fail(true, sector, 1, -EIO);
	EXPECT_EQUAL(-ext2_sync(image.fs), EIO);
	page = find_get_page(&inode->data, 1);
	EXPECT(page_has(page, PG_error) && page_has(page, PG_dirty));
	WORKS(ext2_sync(image.fs));
	EXPECT(!page_has(page, PG_error) && !page_has(page, PG_dirty));
	put_page(page);
	ext2_close(inode);
	TRY(image_unmount());
	TRY(image_tool(0,
	               "debugfs -R 'cat /file' %s 2>/dev/null | tail -c +5001 "
	               "| head -c 7 | grep -q changed",
	               image.path));
	image_detach();
	return image_check();
}

CASE(ext2_damage, a_failed_write_of_the_superblock_forbids_the_mount)
{
	TRY(image_make("-b 1024", 1024));
	image_attach(512);
	machine_disk_fail(true, 2, 1, -EIO);
	EXPECT_EQUAL(-ext2_mount(image.device, false, &image.fs), EIO);
	TRY(image_mount());
	return image_finish();
}

/* ---- No memory ----------------------------------------------------------- */

/* A bit of everything; the first error. */
static int work(void)
{
	struct inode *inode;
	int error = ext2_mkdir(image.fs, "/dir");

	if (error == 0)
		error = image_write("/dir/one", 1, 20000);
	if (error == 0)
		error = ext2_unlink(image.fs, "/file");
	if (error == 0)
		error = ext2_open(image.fs, "/dir/one", &inode);
	if (error == 0) {
		error = ext2_truncate(inode, 5001);
		ext2_close(inode);
	}
	if (error == 0)
		error = ext2_sync(image.fs);
	return error;
}

/* Mount and work with PAGES pages in all. */
static const char *work_with(unsigned long pages, int *error)
{
	TRY(image_tool(0, "cp %s/whole %s", image.folder, image.path));
	image_attach(pages);
	*error = ext2_mount(image.device, false, &image.fs);
	if (*error == 0) {
		*error = work();
		if (*error != 0 && *error != -ENOMEM)
			return test_failure("%lu pages: error %d", pages,
			                    *error);
		TRY(image_unmount());
	}
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	return image_check();
}

CASE(ext2_damage, without_memory_it_stops_and_stays_clean)
{
	unsigned long pages = 8; /* so many have caches and bios */
	int error = -ENOMEM;

	TRY(make_one_file());
	TRY(image_tool(0, "cp %s %s/whole", image.path, image.folder));
	for (; error != 0 && pages < 200; pages++)
		TRY(work_with(pages, &error));
	test_note("%lu pages are enough", pages - 1);
	EXPECT_EQUAL(error, 0);
	EXPECT(pages > 20);
	return NULL;
}

/* ---- Reclaim ------------------------------------------------------------- */

/* Do what reclaim does with a page: write it if it is dirty, and take it. */
static bool test_ext2_damage_reclaim_page(struct page *page)
{
	const struct address_space_ops *ops = page->mapping->ops;
	bool taken;

	lock_page(page);
	if (clear_page_dirty_for_io(page)) {
		if (ops->writepage(page) != 0)
			return false;
		lock_page(page);
	}
	lru_remove(image.node, page);
	taken = ops->release(page);
	if (!taken)
		lru_add(image.node, page);
	unlock_page(page);
	return taken;
}

CASE(ext2_damage, pressure_forgets_idle_inodes_unless_it_may_not)
{
	struct ext2_usage usage;
	struct inode *inode;
	char path[40];

	TRY(image_start("-b 1024", 2048));
	for (unsigned int i = 0; i < 60; i++) {
		scnprintf(path, sizeof(path), "/file-%u", i);
		WORKS(image_write(path, i, 3000));
	}
	WORKS(ext2_open(image.fs, "/file-7", &inode));
	ext2_usage(image.fs, &usage);
	EXPECT_EQUAL(usage.cached, 61);
	EXPECT_EQUAL(shrink_slab(image.node, GFP_NOFS, 0), 0);
	/* Dirty pages keep their inodes. */
	EXPECT_EQUAL(shrink_slab(image.node, GFP_KERNEL, 0), 1);
	WORKS(ext2_sync(image.fs));
	EXPECT_EQUAL(shrink_slab(image.node, GFP_KERNEL, 0), 59);
	ext2_usage(image.fs, &usage);
	EXPECT_EQUAL(usage.cached, 1);
	EXPECT_EQUAL(inode->users, 1);
	ext2_close(inode);
	TRY(image_same("/file-12", 12, 3000));
	return image_finish();
}

static unsigned long asked, asked_without_scope;

/* Each request wakes kswapd, since all memory is below the LOW mark. */
static void note_scope(struct node *node, unsigned int order,
                       enum zone_type highest)
{
	(void)node;
	(void)order;
	(void)highest;
	asked++;
	if ((current_thread()->flags & THREAD_MEMALLOC_NOFS) == 0 ||
	    !mutex_is_mine(&image.fs->lock))
		asked_without_scope++;
}

CASE(ext2_damage, every_request_under_the_mutex_is_nofs)
{
	struct inode *inode;

	TRY(image_start("-b 1024", 2048));
	machine_set_marks(&image.node->zone[ZONE_NORMAL], 8, IMAGE_PAGES,
	                  IMAGE_PAGES + 8);
	asked = asked_without_scope = 0;
	machine_set_kswapd_hook(image.node, note_scope);
	WORKS(image_write("/file", 1, 400000));
	WORKS(ext2_mkdir(image.fs, "/dir"));
	WORKS(ext2_sync(image.fs));
	WORKS(ext2_open(image.fs, "/file", &inode));
	WORKS(ext2_truncate(inode, 5));
	ext2_close(inode);
	WORKS(ext2_unlink(image.fs, "/file"));
	machine_set_kswapd_hook(image.node, NULL);
	EXPECT(asked > 100);
	EXPECT_EQUAL(asked_without_scope, 0);
	EXPECT_EQUAL(current_thread()->flags, 0);
	return image_finish();
}

CASE(ext2_damage, reclaim_writes_without_memory_and_takes_what_is_clean)
{
	struct filemap *maps[2];
	struct inode *inode;
	unsigned int taken = 0;

	TRY(image_start("-b 1024 -g 512 -O ^resize_inode", 4096));
	WORKS(image_write("/file", 1, 700 * 1024));
	WORKS(ext2_open(image.fs, "/file", &inode));
	maps[0] = &image.fs->meta;
	maps[1] = &inode->data;
	/* First the blocks of numbers, so that they must be read again. */
	for (unsigned int m = 0; m < 2; m++) {
		unsigned long free = node_free(image.node);

		for (unsigned long i = 0; i < 4096; i++) {
			struct page *page = find_get_page(maps[m], i);

			if (page == NULL)
				continue;
			taken += test_ext2_damage_reclaim_page(page);
			put_page(page);
		}
		EXPECT(node_free(image.node) > free);
	}
	EXPECT_EQUAL(inode->data.space.nrpages, 0);
	EXPECT(taken >= 175);
	ext2_close(inode);
	TRY(image_same("/file", 1, 700 * 1024));
	return image_finish();
}

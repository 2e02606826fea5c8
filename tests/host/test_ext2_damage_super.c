// SPDX-License-Identifier: MIT
/*
 * tests/host/test_ext2_damage_super.c -- superblocks that lie, that are sound and not for
 * this kernel, and that record errors.
 */
#include "lib/format.h"
#include "lib/string.h"
#include "tests/host/test_ext2_damage.h"
#include "tests/suite.h"

SUITE(ext2_damage);

/* ---- Superblocks --------------------------------------------------------- */

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
		answer = damage_mount_ends_with(lies[i].error);
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

/* Has the machine logged a line with TEXT since attach_with_new_log()? */
static bool was_logged(const char *text)
{
	return log_contains_since(log_begin, text);
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
		TRY(damage_mount_ends_with(EINVAL));
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
	TRY(damage_mount_ends_with(EINVAL));
	TRY(image_tool(0, "truncate -s 100k %s", image.path));
	TRY(damage_mount_ends_with(EINVAL));
	TRY(image_make("-b 4096", 1024));
	TRY(image_tool(0, "truncate -s 900k %s", image.path));
	return damage_mount_ends_with(EUCLEAN);
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
	super = damage_read_super();
	EXPECT_EQUAL(super.state, 0);
	EXPECT_EQUAL(super.mount_count, 1);
	TRY(image_unmount());
	super = damage_read_super();
	EXPECT_EQUAL(super.state, EXT2_STATE_CLEAN);
	TRY(image_mount());
	EXPECT_EQUAL(damage_read_super().mount_count, 2);
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
		EXPECT_EQUAL(damage_read_super().state, state);
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
	EXPECT_EQUAL(damage_read_super().state, 0);
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
	super = damage_read_super();
	image_poke32(SUPER(check_interval), 100);
	image_poke32(SUPER(last_check), super.write_time - 99);
	attach_with_new_log();
	TRY(image_mount());
	EXPECT(!was_logged("run e2fsck"));
	TRY(image_unmount());
	image_detach();
	image_poke32(SUPER(last_check), damage_read_super().write_time - 100);
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
	EXPECT_EQUAL(damage_read_super().state, EXT2_STATE_ERRORS);
	WORKS(image_write("/goes-on", 1, 100));
	TRY(image_unmount());
	EXPECT_EQUAL(damage_read_super().state,
	             EXT2_STATE_CLEAN | EXT2_STATE_ERRORS);
	image_detach();
	TRY(start_spoiled(EXT2_ERRORS_READ_ONLY));
	TRY(look_into_spoiled());
	EXPECT_EQUAL(-image_write("/stops", 1, 100), EROFS);
	TRY(image_unmount());
	EXPECT_EQUAL(damage_read_super().state,
	             EXT2_STATE_CLEAN | EXT2_STATE_ERRORS);
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
	super = damage_read_super();
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
	EXPECT_EQUAL(damage_read_super().state, EXT2_STATE_ERRORS);
	machine_start(0);
	return NULL;
}

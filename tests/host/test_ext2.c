// SPDX-License-Identifier: MIT
/*
 * tests/host/test_ext2.c -- the file system, judged by e2fsprogs.
 *
 * Each case makes an image with mke2fs, works on it with the kernel's own block
 * layer, page cache and ext2, and has e2fsck look at what is left; debugfs reads
 * what the kernel wrote, and mke2fs -d writes what the kernel reads.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/page_lock.h"
#include "tests/host/ext2_image.h"
#include "tests/suite.h"

SUITE(ext2);

static const char *const block_options[] = { "-b 1024", "-b 2048", "-b 4096" };

/* ---- Both ways ----------------------------------------------------------- */

/* Sizes around the borders of blocks, pages and levels of numbers. */
static const uint64_t sizes[] = { 0,     1,      1023,   1024,   1025,
	                          4095,  4096,   4097,   12288,  12289,
	                          49152, 274432, 274433, 700001, 1200000 };

static void name_of(char *name, size_t size, unsigned int file)
{
	scnprintf(name, size, "file-%u", file);
}

static const char sparse_super2[] =
	"-b 1024 -g 1024 -O sparse_super2,^sparse_super,^resize_inode";

static const char *read_foreign(const char *options)
{
	char name[40], path[40];

	TRY(image_make("", 1024));
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		name_of(name, sizeof(name), i);
		image_host_write(name, i, sizes[i]);
	}
	TRY(image_tool(0,
	               "mkdir -p %s/a/b/c && cp %s/file-9 %s/a/b/c && rm %s "
	               "&& mke2fs -q -F -t ext2 %s -d %s %s 8m",
	               image.folder, image.folder, image.folder, image.path,
	               options, image.folder, image.path));
	image_attach(IMAGE_PAGES);
	TRY(image_mount());
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		name_of(name, sizeof(name), i);
		scnprintf(path, sizeof(path), "/%s", name);
		TRY(image_same(path, i, sizes[i]));
	}
	TRY(image_same("/a/b/c/file-9", 9, sizes[9]));
	return image_finish();
}

CASE(ext2, reads_what_mke2fs_wrote)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(block_options); i++)
		TRY(read_foreign(block_options[i]));
	return read_foreign(sparse_super2);
}

static const char *write_foreign(const char *options)
{
	char name[40], path[40];

	TRY(image_start(options, 8192));
	WORKS(ext2_mkdir(image.fs, "/dir"));
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		scnprintf(path, sizeof(path), "/dir/file-%u", i);
		WORKS(image_write(path, i, sizes[i]));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		scnprintf(path, sizeof(path), "/dir/file-%u", i);
		TRY(image_same(path, i, sizes[i]));
	}
	TRY(image_finish());
	TRY(image_tool(0, "debugfs -R 'rdump /dir %s' %s", image.folder,
	               image.path));
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		scnprintf(name, sizeof(name), "dir/file-%u", i);
		TRY(image_host_same(name, i, sizes[i]));
	}
	return NULL;
}

CASE(ext2, debugfs_reads_what_was_written)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(block_options); i++)
		TRY(write_foreign(block_options[i]));
	return write_foreign(sparse_super2);
}

CASE(ext2, what_was_synced_is_there_without_unmounting)
{
	TRY(image_start("-b 1024", 4096));
	WORKS(image_write("/kept", 1, 300000));
	WORKS(ext2_sync(image.fs));
	TRY(image_check());
	TRY(image_tool(0, "debugfs -R 'dump /kept %s/kept' %s", image.folder,
	               image.path));
	TRY(image_host_same("kept", 1, 300000));
	return image_finish();
}

CASE(ext2, what_was_written_is_there_after_mounting_again)
{
	TRY(image_start("-b 2048", 4096));
	WORKS(image_write("/kept", 2, 500000));
	TRY(image_unmount());
	TRY(image_mount());
	TRY(image_same("/kept", 2, 500000));
	return image_finish();
}

static enum zone_type ext2_zone_of(const struct page *page)
{
	return page_zone(image.node, page)->type;
}

/* A file of 5 pages, so its index has a node. */
CASE(ext2, contents_lie_in_zone_movable_and_what_leads_to_them_does_not)
{
	const unsigned long pages[ZONE_COUNT] = {
		[ZONE_NORMAL] = 1024, [ZONE_MOVABLE] = 1024
	};
	struct inode *inode;
	struct page *page;

	TRY(image_make("", 1024));
	machine_start(2048);
	image_attach_to(machine_zones(0, pages));
	TRY(image_mount());
	WORKS(image_write("/file", 1, 5 * PAGE_SIZE));
	TRY(image_same("/file", 1, 5 * PAGE_SIZE));
	WORKS(ext2_open(image.fs, "/file", &inode));
	for (unsigned long i = 0; i < 5; i++) {
		page = find_get_page(&inode->data, i);
		EXPECT(page != NULL);
		EXPECT_EQUAL(ext2_zone_of(page), ZONE_MOVABLE);
		put_page(page);
	}
	EXPECT_EQUAL(inode->data.tree.height, 1);
	EXPECT_EQUAL(ext2_zone_of(virt_to_page(inode->data.tree.root)),
	             ZONE_NORMAL);
	EXPECT_EQUAL(gfp_migratetype(virt_to_page(inode->data.tree.root)->gfp),
	             MIGRATE_RECLAIMABLE);
	EXPECT_EQUAL(ext2_zone_of(image.fs->super_page), ZONE_NORMAL);
	ext2_close(inode);
	return image_finish();
}

/* ---- Names --------------------------------------------------------------- */

static const char *many_files(const char *options)
{
	const unsigned int files = 600;
	struct ext2_usage before, after;
	char path[40];

	TRY(image_start(options, 8192));
	WORKS(ext2_mkdir(image.fs, "/many"));
	ext2_usage(image.fs, &before);
	for (unsigned int i = 0; i < files; i++) {
		scnprintf(path, sizeof(path), "/many/number-%u", i);
		WORKS(image_write(path, i, i % 50));
	}
	for (unsigned int i = 0; i < files; i++) {
		scnprintf(path, sizeof(path), "/many/number-%u", i);
		TRY(image_same(path, i, i % 50));
	}
	WORKS(ext2_sync(image.fs));
	TRY(image_check());
	for (unsigned int i = 0; i < files; i++) {
		scnprintf(path, sizeof(path), "/many/number-%u",
		          (i * 7) % files);
		WORKS(ext2_unlink(image.fs, path));
	}
	ext2_usage(image.fs, &after);
	EXPECT_EQUAL(after.free_inodes, before.free_inodes);
	WORKS(ext2_rmdir(image.fs, "/many"));
	return image_finish();
}

CASE(ext2, many_files_come_and_go)
{
	TRY(many_files("-b 1024"));
	return many_files("-b 4096");
}

CASE(ext2, directories_nest_a_hundred_deep)
{
	char path[400] = "";
	size_t length = 0;

	TRY(image_start("-b 1024", 4096));
	for (unsigned int i = 0; i < 100; i++) {
		memcpy(path + length, "/d", 3);
		length += 2;
		WORKS(ext2_mkdir(image.fs, path));
	}
	EXPECT_EQUAL(-ext2_rmdir(image.fs, "/d/d"), ENOTEMPTY);
	for (; length > 0; length -= 2) {
		path[length] = '\0';
		WORKS(ext2_rmdir(image.fs, path));
	}
	return image_finish();
}

CASE(ext2, dots_lead_where_they_should)
{
	struct inode *root, *same;

	TRY(image_start("-b 1024", 1024));
	WORKS(ext2_mkdir(image.fs, "/a"));
	WORKS(ext2_mkdir(image.fs, "/a/b"));
	WORKS(ext2_open(image.fs, "/", &root));
	WORKS(ext2_open(image.fs, "//a/./b/..//../a/../", &same));
	EXPECT(root == same && root->number == EXT2_ROOT_INODE);
	EXPECT_EQUAL(root->users, 2);
	ext2_close(same);
	ext2_close(root);
	return image_finish();
}

CASE(ext2, names_that_cannot_be_are_refused)
{
	struct ext2 *fs;
	struct inode *inode;
	char name[300];

	TRY(image_start("-b 1024", 1024));
	fs = image.fs;
	WORKS(image_write("/file", 0, 10));
	WORKS(ext2_mkdir(fs, "/dir"));
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[1 + EXT2_NAME_MAX] = '\0';
	WORKS(ext2_mkdir(fs, name));
	WORKS(ext2_rmdir(fs, name));
	name[1 + EXT2_NAME_MAX] = 'x';
	name[2 + EXT2_NAME_MAX] = '\0';
	EXPECT_EQUAL(-ext2_mkdir(fs, name), ENAMETOOLONG);
	EXPECT_EQUAL(-ext2_mkdir(fs, "/dir"), EEXIST);
	EXPECT_EQUAL(-ext2_mkdir(fs, "/file"), EEXIST);
	EXPECT_EQUAL(-ext2_mkdir(fs, "/"), EEXIST);
	EXPECT_EQUAL(-ext2_mkdir(fs, "/none/dir"), ENOENT);
	EXPECT_EQUAL(-ext2_mkdir(fs, "/file/dir"), ENOTDIR);
	EXPECT_EQUAL(-ext2_create(fs, "/dir", &inode), EISDIR);
	EXPECT_EQUAL(-ext2_create(fs, "/", &inode), EISDIR);
	EXPECT_EQUAL(-ext2_create(fs, "/new/", &inode), EISDIR);
	EXPECT_EQUAL(-ext2_open(fs, "/file/", &inode), ENOTDIR);
	EXPECT_EQUAL(-ext2_unlink(fs, "/file/"), ENOTDIR);
	WORKS(ext2_mkdir(fs, "/dir/slash//"));
	WORKS(ext2_rmdir(fs, "/dir/slash//"));
	EXPECT_EQUAL(-ext2_open(fs, "/file/x", &inode), ENOTDIR);
	EXPECT_EQUAL(-ext2_open(fs, "/none", &inode), ENOENT);
	EXPECT_EQUAL(-ext2_unlink(fs, "/dir"), EISDIR);
	EXPECT_EQUAL(-ext2_unlink(fs, "/none"), ENOENT);
	EXPECT_EQUAL(-ext2_rmdir(fs, "/file"), ENOTDIR);
	EXPECT_EQUAL(-ext2_rmdir(fs, "/"), EBUSY);
	EXPECT_EQUAL(-ext2_rmdir(fs, "/dir/.."), EBUSY);
	WORKS(ext2_open(fs, "/dir", &inode));
	EXPECT_EQUAL(-ext2_rmdir(fs, "/dir"), EBUSY);
	EXPECT_EQUAL(-ext2_write(inode, 0, "x", 1), EISDIR);
	EXPECT_EQUAL(-ext2_read(inode, 0, name, 1), EISDIR);
	ext2_close(inode);
	return image_finish();
}

CASE(ext2, lists_each_name_once_while_names_go)
{
	struct ext2_name name;
	struct inode *dir;
	unsigned int seen = 0;
	uint64_t position = 0;
	char path[300];

	TRY(image_start("-b 1024", 2048));
	WORKS(ext2_mkdir(image.fs, "/dir"));
	for (unsigned int i = 0; i < 150; i++) {
		scnprintf(path, sizeof(path), "/dir/a-rather-long-name-%u", i);
		WORKS(image_write(path, 0, 0));
	}
	WORKS(ext2_open(image.fs, "/dir", &dir));
	while (ext2_next_name(dir, &position, &name) == 1) {
		if (name.text[0] == '.')
			continue;
		scnprintf(path, sizeof(path), "/dir/%s", name.text);
		WORKS(ext2_unlink(image.fs, path));
		seen++;
	}
	EXPECT_EQUAL(seen, 150);
	ext2_close(dir);
	WORKS(ext2_rmdir(image.fs, "/dir"));
	return image_finish();
}

CASE(ext2, a_file_without_names_lives_until_it_is_closed)
{
	struct ext2_usage before, after;
	struct inode *inode;
	char bytes[4];

	TRY(image_start("-b 1024", 1024));
	ext2_usage(image.fs, &before);
	WORKS(ext2_create(image.fs, "/gone", &inode));
	EXPECT_EQUAL(ext2_write(inode, 100000, "text", 4), 4);
	WORKS(ext2_unlink(image.fs, "/gone"));
	EXPECT_EQUAL(ext2_read(inode, 100000, bytes, 4), 4);
	EXPECT(memcmp(bytes, "text", 4) == 0);
	EXPECT_EQUAL(-ext2_unmount(image.fs), EBUSY);
	ext2_close(inode);
	ext2_usage(image.fs, &after);
	EXPECT_EQUAL(after.free_blocks, before.free_blocks);
	EXPECT_EQUAL(after.free_inodes, before.free_inodes);
	return image_finish();
}

CASE(ext2, symbolic_links_are_removed_but_not_followed)
{
	struct inode *inode;
	uint8_t byte;

	TRY(image_make("-b 1024", 1024));
	TRY(image_tool(0,
	               "debugfs -w -R 'symlink /short /a' %s && debugfs -w "
	               "-R 'symlink /long /%0100d' %s && debugfs -w "
	               "-R 'mknod pipe p' %s",
	               image.path, 7, image.path, image.path));
	image_attach(IMAGE_PAGES);
	TRY(image_mount());
	EXPECT_EQUAL(-ext2_open(image.fs, "/short/x", &inode), ELOOP);
	EXPECT_EQUAL(-ext2_open(image.fs, "/long/", &inode), ELOOP);
	EXPECT_EQUAL(-ext2_create(image.fs, "/long", &inode), ELOOP);
	WORKS(ext2_open(image.fs, "/long", &inode));
	EXPECT_EQUAL(-ext2_read(inode, 0, &byte, 1), ELOOP);
	ext2_close(inode);
	EXPECT_EQUAL(-ext2_create(image.fs, "/pipe", &inode), EINVAL);
	WORKS(ext2_unlink(image.fs, "/short"));
	WORKS(ext2_unlink(image.fs, "/long"));
	return image_finish();
}

static const char *test_ext2_refuse(const char *path, bool append)
{
	struct inode *inode;

	WORKS(ext2_open(image.fs, path, &inode));
	EXPECT_EQUAL(ext2_write(inode, inode->size, "x", 1),
	             append ? 1 : -EPERM);
	EXPECT_EQUAL(-ext2_write(inode, 0, "x", 1), EPERM);
	EXPECT_EQUAL(-ext2_truncate(inode, 0), EPERM);
	ext2_close(inode);
	EXPECT_EQUAL(-ext2_unlink(image.fs, path), EPERM);
	return NULL;
}

CASE(ext2, immutable_and_append_only_are_what_they_say)
{
	struct inode *inode;

	TRY(image_make("", 1024));
	TRY(image_tool(0,
	               "printf 'mkdir i\\nmkdir a\\ncd i\\nwrite %s/in f\\n"
	               "cd /a\\nwrite %s/in f\\ncd /\\nwrite %s/in fi\\n"
	               "write %s/in fa\\nsif i flags 0x10\\nsif a flags 0x20\\n"
	               "sif fi flags 0x10\\nsif fa flags 0x20\\n' >%s/in; "
	               "debugfs -w -f %s/in %s",
	               image.folder, image.folder, image.folder, image.folder,
	               image.folder, image.folder, image.path));
	image_attach(IMAGE_PAGES);
	TRY(image_mount());
	TRY(test_ext2_refuse("/fi", false));
	TRY(test_ext2_refuse("/fa", true));
	EXPECT_EQUAL(-ext2_unlink(image.fs, "/i/f"), EPERM);
	EXPECT_EQUAL(-ext2_create(image.fs, "/i/new", &inode), EPERM);
	EXPECT_EQUAL(-ext2_mkdir(image.fs, "/i/new"), EPERM);
	EXPECT_EQUAL(-ext2_unlink(image.fs, "/a/f"), EPERM);
	WORKS(image_write("/a/new", 0, 10));
	EXPECT_EQUAL(-ext2_rmdir(image.fs, "/a"), EPERM);
	return image_finish();
}

/* Somebody has given attributes to a file, a short link and a device: no room
 * for them in small inodes, so each has a block. */
CASE(ext2, extended_attributes_go_with_their_inode)
{
	TRY(image_make("-b 1024 -I 128", 1024));
	TRY(image_tool(
		0,
		"printf 'write /dev/null file\\nsymlink link /far/away\\n"
		"mknod device b 3 1\\nea_set file user.a 1\\n"
		"ea_set link user.a 2\\nea_set device user.a 3\\n' >%s/in;"
		"debugfs -w -f %s/in %s && e2fsck -fn %s",
		image.folder, image.folder, image.path, image.path));
	image_attach(IMAGE_PAGES);
	TRY(image_mount());
	WORKS(ext2_unlink(image.fs, "/file"));
	WORKS(ext2_unlink(image.fs, "/link"));
	WORKS(ext2_unlink(image.fs, "/device"));
	return image_finish();
}

CASE(ext2, shared_attributes_go_with_the_last_inode)
{
	TRY(image_make("-b 2048 -I 128", 1024));
	TRY(image_tool(
		1,
		"printf 'write /dev/null a\\nwrite /dev/null b\\n"
		"ea_set a user.a 1\\n' >%s/in; debugfs -w -f %s/in %s; "
		"n=$(debugfs -R 'stat a' %s | sed -n 's/^File ACL: //p'); "
		"debugfs -w -R \"sif b file_acl $n\" %s; "
		"debugfs -w -R 'sif b blocks 4' %s; e2fsck -fy %s",
		image.folder, image.folder, image.path, image.path, image.path,
		image.path, image.path));
	image_attach(IMAGE_PAGES);
	TRY(image_mount());
	WORKS(ext2_unlink(image.fs, "/a"));
	WORKS(ext2_sync(image.fs));
	TRY(image_check());
	WORKS(ext2_unlink(image.fs, "/b"));
	return image_finish();
}

CASE(ext2, an_indexed_directory_becomes_a_plain_one_when_it_changes)
{
	char path[60];

	TRY(image_start("-b 1024", 2048));
	for (unsigned int i = 0; i < 200; i++) {
		scnprintf(path, sizeof(path), "/a-name-with-some-length-%u", i);
		WORKS(image_write(path, 0, 0));
	}
	TRY(image_finish());
	TRY(image_tool(0, "e2fsck -fyD %s", image.path));
	TRY(image_tool(0, "debugfs -R 'stat /' %s | grep -q 'Flags: 0x1000'",
	               image.path));
	image_attach(IMAGE_PAGES);
	TRY(image_mount());
	WORKS(image_write("/one-more", 1, 5));
	TRY(image_same("/a-name-with-some-length-77", 0, 0));
	WORKS(ext2_unlink(image.fs, "/a-name-with-some-length-77"));
	return image_finish();
}

/* ---- Sizes --------------------------------------------------------------- */

static const char *truncate_around(const char *options)
{
	struct inode *inode;
	uint8_t byte;

	TRY(image_start(options, 8192));
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		WORKS(image_write("/file", 3, 1200000));
		WORKS(ext2_open(image.fs, "/file", &inode));
		WORKS(ext2_truncate(inode, sizes[i]));
		TRY(image_same("/file", 3, sizes[i]));
		/* Truncated data does not come back. */
		WORKS(ext2_truncate(inode, sizes[i] + 5000));
		EXPECT_EQUAL(ext2_read(inode, sizes[i], &byte, 1), 1);
		EXPECT_EQUAL(byte, 0);
		EXPECT_EQUAL(ext2_read(inode, sizes[i] + 4999, &byte, 1), 1);
		EXPECT_EQUAL(byte, 0);
		ext2_close(inode);
		WORKS(ext2_sync(image.fs));
		TRY(image_check());
		WORKS(ext2_unlink(image.fs, "/file"));
	}
	return image_finish();
}

CASE(ext2, truncation_cuts_to_the_byte)
{
	TRY(truncate_around("-b 1024"));
	return truncate_around("-b 4096");
}

static const char *sparse_file(const char *options, uint64_t offset)
{
	struct ext2_usage before, after;
	struct inode *inode;
	uint8_t byte = 1;

	TRY(image_start(options, 4096));
	ext2_usage(image.fs, &before);
	WORKS(ext2_create(image.fs, "/sparse", &inode));
	EXPECT_EQUAL(ext2_write(inode, offset, "end", 3), 3);
	EXPECT_EQUAL(inode->size, offset + 3);
	EXPECT_EQUAL(ext2_read(inode, offset - 1, &byte, 1), 1);
	EXPECT_EQUAL(byte, 0);
	ext2_usage(image.fs, &after);
	EXPECT(before.free_blocks - after.free_blocks <= 4);
	ext2_close(inode);
	WORKS(ext2_sync(image.fs));
	TRY(image_check());
	WORKS(ext2_open(image.fs, "/sparse", &inode));
	/* Blocks of numbers in front of the cut stay, as Linux's do. */
	WORKS(ext2_truncate(inode, offset - 100000));
	ext2_usage(image.fs, &after);
	EXPECT(before.free_blocks - after.free_blocks <= 3);
	WORKS(ext2_truncate(inode, 0));
	ext2_usage(image.fs, &after);
	EXPECT_EQUAL(before.free_blocks, after.free_blocks);
	ext2_close(inode);
	return image_finish();
}

CASE(ext2, holes_take_no_room_through_three_levels)
{
	TRY(sparse_file("-b 1024", 200000));
	TRY(sparse_file("-b 1024", 60000000));
	TRY(sparse_file("-b 1024", 10000000000));
	TRY(sparse_file("-b 4096", 3000000000));
	return sparse_file("-b 4096", 1000000000000);
}

CASE(ext2, a_file_ends_where_numbers_end)
{
	struct inode *inode;
	uint64_t largest;

	TRY(image_start("-b 1024", 1024));
	largest = image.fs->largest;
	WORKS(ext2_create(image.fs, "/large", &inode));
	EXPECT_EQUAL(ext2_write(inode, largest - 1, "x", 1), 1);
	EXPECT_EQUAL(-ext2_write(inode, largest, "x", 1), EFBIG);
	EXPECT_EQUAL(-ext2_truncate(inode, largest + 1), EFBIG);
	EXPECT_EQUAL(inode->size, largest);
	ext2_close(inode);
	return image_finish();
}

CASE(ext2, holes_fill_in_any_order)
{
	struct inode *inode;
	uint8_t byte;

	TRY(image_start("-b 1024", 4096));
	WORKS(ext2_create(image.fs, "/file", &inode));
	for (unsigned int i = 0; i < 400; i++) {
		uint64_t at = (uint64_t)(i * 149 % 400) * 1024 + 7;

		byte = image_byte(5, at);
		EXPECT_EQUAL(ext2_write(inode, at, &byte, 1), 1);
	}
	WORKS(ext2_sync(image.fs));
	TRY(image_check());
	ext2_close(inode);
	TRY(image_unmount());
	TRY(image_mount());
	WORKS(ext2_open(image.fs, "/file", &inode));
	for (unsigned int i = 0; i < 400; i++) {
		uint64_t at = (uint64_t)i * 1024 + 7;

		EXPECT_EQUAL(ext2_read(inode, at, &byte, 1), 1);
		EXPECT_EQUAL(byte, image_byte(5, at));
	}
	ext2_close(inode);
	return image_finish();
}

/* ---- Full ---------------------------------------------------------------- */

static const char *fill_disk(const char *options)
{
	struct ext2_usage before, usage;
	struct inode *inode;
	char path[40];
	uint64_t size;

	TRY(image_start(options, 2048));
	ext2_usage(image.fs, &before);
	EXPECT_EQUAL(-image_write("/big", 4, 10000000), ENOSPC);
	/* The last one cannot be used where a block of numbers is needed. */
	ext2_usage(image.fs, &usage);
	EXPECT(usage.free_blocks <= 2);
	while (usage.free_blocks-- > 0) {
		scnprintf(path, sizeof(path), "/small-%u", usage.free_blocks);
		WORKS(image_write(path, 0, 1));
	}
	EXPECT_EQUAL(-ext2_mkdir(image.fs, "/dir"), ENOSPC);
	WORKS(ext2_create(image.fs, "/empty", &inode));
	EXPECT_EQUAL(-ext2_write(inode, 0, "x", 1), ENOSPC);
	EXPECT_EQUAL(-ext2_write(inode, 1000000, "x", 1), ENOSPC);
	EXPECT_EQUAL(inode->size, 0);
	ext2_close(inode);
	WORKS(ext2_sync(image.fs));
	TRY(image_check());
	WORKS(ext2_open(image.fs, "/big", &inode));
	size = inode->size;
	ext2_close(inode);
	TRY(image_same("/big", 4, size));
	WORKS(ext2_unlink(image.fs, "/big"));
	WORKS(ext2_unlink(image.fs, "/empty"));
	ext2_usage(image.fs, &usage);
	EXPECT(usage.free_blocks + 2 >= before.free_blocks);
	return image_finish();
}

CASE(ext2, a_full_disk_is_an_error_and_nothing_else)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(block_options); i++)
		TRY(fill_disk(block_options[i]));
	return NULL;
}

/*
 * All free blocks but one hold old bytes, and that one is the block that a page
 * of four blocks finds in a hole.  READ_BEFORE: the page is in the cache.
 */
static const char *fill_hole_in_part(bool read_before)
{
	static const uint8_t zeroes[PAGE_SIZE];
	uint8_t page[PAGE_SIZE];
	struct inode *inode;
	uint64_t size;

	TRY(image_start("-b 1024 -m 0", 1024));
	WORKS(ext2_create(image.fs, "/sparse", &inode));
	WORKS(ext2_truncate(inode, 2 * PAGE_SIZE));
	ext2_close(inode);
	EXPECT_EQUAL(-image_write("/secret", 6, 2000000), ENOSPC);
	WORKS(ext2_sync(image.fs));
	WORKS(ext2_open(image.fs, "/secret", &inode));
	size = inode->size;
	WORKS(ext2_truncate(inode, ALIGN_DOWN(size - 1, 1024UL)));
	ext2_close(inode);
	WORKS(ext2_open(image.fs, "/sparse", &inode));
	if (read_before)
		EXPECT_EQUAL(ext2_read(inode, 0, page, PAGE_SIZE), PAGE_SIZE);
	memset(page, 1, PAGE_SIZE);
	EXPECT_EQUAL(-ext2_write(inode, 0, page, PAGE_SIZE), ENOSPC);
	ext2_close(inode);
	TRY(image_unmount());
	TRY(image_mount());
	WORKS(ext2_open(image.fs, "/sparse", &inode));
	EXPECT_EQUAL(ext2_read(inode, 0, page, PAGE_SIZE), PAGE_SIZE);
	EXPECT(memcmp(page, zeroes, PAGE_SIZE) == 0);
	ext2_close(inode);
	return image_finish();
}

CASE(ext2, a_hole_that_finds_half_its_room_shows_nobodys_bytes)
{
	TRY(fill_hole_in_part(true));
	return fill_hole_in_part(false);
}

CASE(ext2, without_free_inodes_nothing_is_made)
{
	char path[40];
	int error = 0;
	unsigned int made = 0;

	TRY(image_start("-b 1024 -N 32", 1024));
	while (error == 0 && made < 100) {
		scnprintf(path, sizeof(path), "/%u", made++);
		error = image_write(path, 0, 0);
	}
	EXPECT_EQUAL(-error, ENOSPC);
	EXPECT_EQUAL(-ext2_mkdir(image.fs, "/dir"), ENOSPC);
	return image_finish();
}

CASE(ext2, groups_are_filled_one_after_the_other)
{
	TRY(image_start("-b 1024 -g 256 -N 512 -O ^resize_inode", 2048));
	WORKS(image_write("/one", 1, 700000));
	WORKS(image_write("/two", 2, 700000));
	TRY(image_same("/one", 1, 700000));
	TRY(image_same("/two", 2, 700000));
	return image_finish();
}

// SPDX-License-Identifier: MIT
/*
 * kernel/fs/ext2_features.c -- what a file system has, and we do not.
 *
 * Disks that are sound but have something that is unknown here must not be called
 * damaged, or its user runs a repair on a disk without a fault.  So before anything
 * is checked, the features that the superblock requires are read, and the unknown
 * ones are reported, by the names of mke2fs(8):
 *
 *	must be known		to read		incompatible features, bigalloc,
 *						block size, fragments, revision
 *	may be unknown		to read only	the other read-only features
 *	need not be known			compatible features
 *
 * bigalloc is a read-only feature that changes what the bitmaps and the sizes of
 * groups mean, which are checked at the mount: so it must be known.
 *
 * Source: Linux, Documentation/filesystems/ext4/super.rst.
 */
#include "kernel/fs/ext2_internal.h"
#include "lib/format.h"

/* The largest size that the format has: 64 KiB. */
#define LOG_BLOCK_SIZE_LAST 6U
#define LOG_BLOCK_SIZE_OURS 2U /* 4 KiB: a page */

/* Bit by bit, as mke2fs -O knows them. */
static const char *const incompatible_names[32] = {
	"compression",
	"filetype",
	"needs_recovery",
	"journal_dev",
	"meta_bg",
	NULL,
	"extents",
	"64bit",
	"mmp",
	"flex_bg",
	"ea_inode",
	NULL,
	"dirdata",
	"metadata_csum_seed",
	"large_dir",
	"inline_data",
	"encrypt",
	"casefold",
};
static const char *const read_only_names[32] = {
	"sparse_super",   "large_file", "btree_dir",     "huge_file",
	"uninit_bg",      "dir_nlink",  "extra_isize",   "has_snapshot",
	"quota",          "bigalloc",   "metadata_csum", "replica",
	"read-only",      "project",    "shared_blocks", "verity",
	"orphan_present",
};

struct ext2_list {
	char *text;
	size_t size;
	size_t length;
};

static void list_add(struct ext2_list *list, const char *format, ...)
	__printf(2, 3);

static void list_add(struct ext2_list *list, const char *format, ...)
{
	va_list arguments;

	if (list->length > 0)
		list->length +=
			(size_t)scnprintf(list->text + list->length,
		                          list->size - list->length, ", ");
	va_start(arguments, format);
	list->length += (size_t)vscnprintf(list->text + list->length,
	                                   list->size - list->length, format,
	                                   arguments);
	va_end(arguments);
}

static void list_add_features(struct ext2_list *list, uint32_t features,
                              const char *const names[32], const char *kind)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		if (!(features & (1U << bit)))
			continue;
		if (names[bit] != NULL)
			list_add(list, "%s", names[bit]);
		else
			list_add(list, "%s feature %#x", kind, 1U << bit);
	}
}

/* Sizes that the format knows, and a page does not hold. */
static void list_add_sizes(struct ext2_list *list,
                           const struct ext2_super_block *super)
{
	if (super->log_block_size > LOG_BLOCK_SIZE_OURS &&
	    super->log_block_size <= LOG_BLOCK_SIZE_LAST)
		list_add(list, "blocks of %u bytes (at most %lu)",
		         1024U << super->log_block_size, PAGE_SIZE);
	else if (super->log_fragment_size < super->log_block_size &&
	         super->log_block_size <= LOG_BLOCK_SIZE_OURS)
		list_add(list, "fragments of %u bytes",
		         1024U << super->log_fragment_size);
}

bool ext2_can_read(const struct ext2_super_block *super, char *why, size_t size)
{
	struct ext2_list list = { .text = why, .size = size };

	why[0] = '\0';
	if (super->revision > 1)
		list_add(&list, "revision %u", super->revision);
	if (super->revision == 1) {
		list_add_features(
			&list, super->incompatible & ~EXT2_INCOMPATIBLE_KNOWN,
			incompatible_names, "incompatible");
		list_add_features(&list,
		                  super->read_only_compatible &
		                          EXT2_READ_ONLY_BIGALLOC,
		                  read_only_names, "read-only");
	}
	list_add_sizes(&list, super);
	return list.length == 0;
}

bool ext2_can_write(const struct ext2_super_block *super, char *why,
                    size_t size)
{
	struct ext2_list list = { .text = why, .size = size };

	why[0] = '\0';
	if (super->revision > 0)
		list_add_features(&list,
		                  super->read_only_compatible &
		                          ~EXT2_READ_ONLY_KNOWN,
		                  read_only_names, "read-only");
	return list.length == 0;
}

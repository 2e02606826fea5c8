/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs/ext2_format.h -- what an ext2 file system looks like on a disk.
 *
 *	block	1, 2 or 4 KiB, the unit of allocation; block 0 is never a file's
 *	group	as many blocks as one block of bitmap has bits
 *
 *	byte 0      1024                  next block
 *	+----------+-----------+-------------------------------------------+
 *	| boot     | super     | group descriptors, 32 bytes each          |
 *	+----------+-----------+-------------------------------------------+
 *	then each group: [copies of the two] block bitmap, inode bitmap,
 *	inode table, data
 *
 * All numbers are little-endian, as the CPU's; none is trusted before
 * kernel/fs/ext2_super.c has looked at it.
 *
 * Further reading: Card, Ts'o, Tweedie, Design and Implementation of the Second
 * Extended Filesystem, 1994; Poirier, The Second Extended File System, 2019.
 */
#ifndef KERNEL_FS_EXT2_FORMAT_H
#define KERNEL_FS_EXT2_FORMAT_H

#include "lib/types.h"

#define EXT2_MAGIC           0xef53
#define EXT2_SUPER_BYTE      1024
#define EXT2_SUPER_SIZE      1024
#define EXT2_ROOT_INODE      2
#define EXT2_OLD_FIRST_INODE 11
#define EXT2_OLD_INODE_SIZE  128
#define EXT2_NAME_MAX        255
#define EXT2_LINK_MAX        32000

struct ext2_super_block {
	uint32_t inodes_count;
	uint32_t blocks_count;
	uint32_t reserved_blocks;
	uint32_t free_blocks;
	uint32_t free_inodes;
	uint32_t first_data_block; /* 1 with blocks of 1 KiB, otherwise 0 */
	uint32_t log_block_size;   /* 0: 1 KiB, 1: 2, 2: 4 */
	uint32_t log_fragment_size;
	uint32_t blocks_per_group;
	uint32_t fragments_per_group;
	uint32_t inodes_per_group;
	uint32_t mount_time;
	uint32_t write_time;
	uint16_t mount_count;
	int16_t max_mount_count;
	uint16_t magic;
	uint16_t state;  /* EXT2_STATE_ */
	uint16_t errors; /* EXT2_ERRORS_ */
	uint16_t minor_revision;
	uint32_t last_check;
	uint32_t check_interval;
	uint32_t creator_os;
	uint32_t revision; /* 0: none of what follows */
	uint16_t reserved_uid;
	uint16_t reserved_gid;
	uint32_t first_inode;
	uint16_t inode_size;
	uint16_t this_group;
	uint32_t compatible;
	uint32_t incompatible;
	uint32_t read_only_compatible;
	uint8_t uuid[16];
	char volume_name[16];
	char last_mounted[64];
	uint32_t compression;
	uint8_t preallocate[2];
	uint16_t reserved_descriptors; /* blocks kept for more groups */
	uint8_t unused[380];
	uint32_t backup_groups[2]; /* with SPARSE_SUPER2: copies are there */
	uint8_t unused_2[428];
};
static_assert(sizeof(struct ext2_super_block) == EXT2_SUPER_SIZE, "on disk");

enum ext2_state {
	EXT2_STATE_CLEAN = 1,  /* unmounted, nothing is missing */
	EXT2_STATE_ERRORS = 2, /* e2fsck is wanted */
};

enum ext2_errors {
	EXT2_ERRORS_CONTINUE = 1,
	EXT2_ERRORS_READ_ONLY = 2,
	EXT2_ERRORS_PANIC = 3,
};

/* Features.  Somebody who does not know one of the compatible ones may do
 * everything (but must know of SPARSE_SUPER2 where the copies of the superblock
 * are); of the read-only ones, read; of the others, nothing. */
#define EXT2_COMPATIBLE_SPARSE_SUPER2 0x200U
#define EXT2_INCOMPATIBLE_FILETYPE    0x2U
#define EXT2_INCOMPATIBLE_KNOWN       EXT2_INCOMPATIBLE_FILETYPE
#define EXT2_READ_ONLY_SPARSE_SUPER   0x1U
#define EXT2_READ_ONLY_LARGE_FILE     0x2U
#define EXT2_READ_ONLY_BIGALLOC       0x200U
#define EXT2_READ_ONLY_KNOWN                                                   \
	(EXT2_READ_ONLY_SPARSE_SUPER | EXT2_READ_ONLY_LARGE_FILE)

struct ext2_group {
	uint32_t block_bitmap;
	uint32_t inode_bitmap;
	uint32_t inode_table;
	uint16_t free_blocks;
	uint16_t free_inodes;
	uint16_t directories;
	uint16_t unused[7];
};
static_assert(sizeof(struct ext2_group) == 32, "on disk");

/* Where a file's blocks are: 12 numbers, then blocks full of numbers. */
#define EXT2_DIRECT      12
#define EXT2_ENTRIES     15

#define EXT2_TYPE        0xf000
#define EXT2_FIFO        0x1000
#define EXT2_CHAR        0x2000
#define EXT2_DIR         0x4000
#define EXT2_BLOCK       0x6000
#define EXT2_FILE        0x8000
#define EXT2_SYMLINK     0xa000
#define EXT2_SOCKET      0xc000

/* Bits of flags: chattr +i, chattr +a; the directory has a hash tree beside its
 * list. */
#define EXT2_IMMUTABLE   0x10U
#define EXT2_APPEND      0x20U
#define EXT2_INDEXED     0x1000U

/* How a block of extended attributes begins; inodes with the same ones may share
 * it. */
#define EXT2_XATTR_MAGIC 0xea020000U
struct ext2_xattr_header {
	uint32_t magic;
	uint32_t references;
};

struct ext2_disk_inode {
	uint16_t mode;
	uint16_t uid;
	uint32_t size;
	uint32_t access_time;
	uint32_t change_time;
	uint32_t modify_time;
	uint32_t delete_time;
	uint16_t gid;
	uint16_t links;
	uint32_t sectors; /* of 512 bytes, indirect blocks included */
	uint32_t flags;
	uint32_t os1;
	uint32_t block[EXT2_ENTRIES];
	uint32_t generation;
	uint32_t attributes; /* block of extended attributes */
	uint32_t
		size_high; /* of files; directories keep something else there */
	uint32_t fragment;
	uint32_t os2[3];
};
static_assert(sizeof(struct ext2_disk_inode) == EXT2_OLD_INODE_SIZE, "on disk");

/* Entries fill their block without gaps; the length of the last one reaches to
 * its end.  Inode 0: free. */
struct ext2_entry {
	uint32_t inode;
	uint16_t length;
	uint8_t name_length;
	uint8_t type; /* with FILETYPE; otherwise the name's length goes on */
	char name[];
};
#define EXT2_ENTRY_HEAD 8U

enum ext2_entry_type {
	EXT2_ENTRY_UNKNOWN = 0,
	EXT2_ENTRY_FILE = 1,
	EXT2_ENTRY_DIR = 2,
};

/* Bytes that an entry with a name of LENGTH takes at least. */
static inline unsigned int ext2_entry_size(unsigned int length)
{
	return ALIGN_UP(EXT2_ENTRY_HEAD + length, 4U);
}

#endif

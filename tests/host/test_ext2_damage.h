/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_ext2_damage.h -- shared by the files of the suite: places in an image.
 */
#ifndef TESTS_HOST_TEST_EXT2_DAMAGE_H
#define TESTS_HOST_TEST_EXT2_DAMAGE_H

#include "kernel/fs/ext2_internal.h"
#include "tests/host/ext2_image.h"

/* Offsets in the image. */
#define SUPER(field)                                                           \
	(EXT2_SUPER_BYTE + (long)offsetof(struct ext2_super_block, field))
#define INODE(number, field)                                                   \
	(damage_inode_at(number) +                                             \
	 (long)offsetof(struct ext2_disk_inode, field))

struct ext2_super_block damage_read_super(void);

/* Where inode NUMBER is, in an image of one group with blocks of 1 KiB. */
long damage_inode_at(uint32_t number);

uint32_t damage_peek32(long offset);

/* Mounting the image, changed, ends with ERROR and leaves no page in use. */
const char *damage_mount_ends_with(int error);

#endif

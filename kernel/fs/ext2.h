/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs/ext2.h -- files and directories on a block device.
 *
 * kernel/fs/ is one file system, from the disk upwards: ext2_format (the structures
 * on the disk), ext2_features, ext2_super (mounting), ext2_meta (metadata blocks in
 * memory), ext2_alloc (free blocks and inodes), ext2_map (a file's blocks),
 * ext2_inode, ext2_dir, ext2_file (contents), ext2_name (paths).  Callers include
 * this header alone.
 *
 *	struct ext2	a mounted file system
 *	struct inode	a file or directory of it, while somebody uses it or the
 *			memory is not needed for something else
 *
 * Every function is for threads, may sleep, and takes the mutex of its file
 * system: one operation at a time.  Each that can fail returns 0 (or a number
 * of bytes) or one of
 *
 *	-EIO		the disk has failed
 *	-ENOMEM		no memory
 *	-ENOSPC		no free block, or no free inode
 *	-EUCLEAN	what the disk says cannot be; reported, e2fsck is wanted
 *	-EROFS		it is mounted for reading only
 *	-EPERM		chattr(1) has made it immutable, or for appending only
 *	-EFAULT		a path, a buffer or the place of *FS or *INODE is not the
 *			caller's to touch: an exclusive page of another owner,
 *			or not memory
 *
 * or another that the function names.  After any of them the file system is in
 * order: what the call had begun is undone, or was complete.  A call that hands
 * something out (*FS, *INODE) hands out NULL then: there is nothing to close.
 *
 * A path is names between slashes, from the root; what a slash follows is a
 * directory.  Symbolic links are listed and
 * removed, but not followed: -ELOOP.
 */
#ifndef KERNEL_FS_EXT2_H
#define KERNEL_FS_EXT2_H

#include "kernel/block/block.h"
#include "kernel/fs/ext2_format.h"
#include "mm/user/filemap.h"

struct ext2;

/* Field locks: (c) constant, (f) the mutex of its file system. */
struct inode {
	struct filemap data;          /* cached contents of a file */
	struct ext2 *fs;              /* (c) */
	struct page *disk_page;       /* (c) held: the block with *disk */
	struct ext2_disk_inode *disk; /* (f) its place in the inode table */
	struct list hash_link;        /* (f) among those with its hash */
	struct list idle_link;        /* (f) nobody uses it; oldest first */
	uint32_t number;              /* (c) */
	uint32_t users;               /* (f) */
	uint16_t mode;                /* (f) EXT2_TYPE and permissions */
	uint16_t links;               /* (f) */
	uint32_t flags;               /* (f) */
	uint64_t size;                /* (f) bytes; read by writepage */
	uint32_t sectors;             /* (f) of 512 bytes */
	uint32_t modify_time;         /* (f) */
	uint32_t attributes;          /* (f) block of extended attributes */
	uint32_t block[EXT2_ENTRIES]; /* (f) as on disk; read by writepage */
};

static inline bool inode_is_dir(const struct inode *inode)
{
	return (inode->mode & EXT2_TYPE) == EXT2_DIR;
}

static inline bool inode_is_file(const struct inode *inode)
{
	return (inode->mode & EXT2_TYPE) == EXT2_FILE;
}

static inline bool inode_is_symlink(const struct inode *inode)
{
	return (inode->mode & EXT2_TYPE) == EXT2_SYMLINK;
}

/* The numbers of df.  Blocks are of BLOCK_SIZE bytes. */
struct ext2_usage {
	unsigned int block_size;
	uint32_t blocks; /* without those of the file system itself */
	uint32_t free_blocks;
	uint32_t inodes;
	uint32_t free_inodes;
	unsigned long cached; /* inodes in memory */
	bool read_only;
	bool errors; /* e2fsck is wanted */
};

/*
 * Mount the file system on DEVICE.  It is mounted for reading only if READ_ONLY
 * says so, or a feature that we do not know, or errors that are noted on it
 * (EXT2_STATE_ERRORS), until e2fsck has repaired it.  One that was not unmounted
 * cleanly, or is due for a check, is mounted as asked, with a warning.
 * -EINVAL: no ext2, or one with unsupported features; -EUCLEAN: damaged; the log has
 * the reason, and DEVICE is unchanged.  -EBUSY: it is claimed (bd_claim()).
 */
__must_check int ext2_mount(struct block_device *device, bool read_only,
                            struct ext2 **fs);

/* Write everything and let go of it.  -EBUSY: an inode is in use.  Otherwise it
 * is unmounted afterwards, also if the answer is an error (-EIO, -EUCLEAN): then
 * something was lost. */
__must_check int ext2_unmount(struct ext2 *fs);

/* Everything is on the disk when it returns 0. */
__must_check int ext2_sync(struct ext2 *fs);

void ext2_usage(struct ext2 *fs, struct ext2_usage *usage);
const char *ext2_device_name(const struct ext2 *fs);

/* Are the structures in memory consistent: indexes of cached pages, counts of inodes?
 * Returns NULL, or an error message in BUFFER.  The disk is judged by e2fsck. */
const char *ext2_check(struct ext2 *fs, char *buffer, size_t size);

/*
 * The inode that PATH leads to; ext2_close() ends its use.  ext2_create() makes
 * an empty file if there is none.  -ENOENT, -ENOTDIR, -ENAMETOOLONG, -ELOOP;
 * ext2_create() also -EISDIR, -EINVAL (a device, or the like).
 */
__must_check int ext2_open(struct ext2 *fs, const char *path,
                           struct inode **inode);
__must_check int ext2_create(struct ext2 *fs, const char *path,
                             struct inode **inode);
void ext2_close(struct inode *inode);

/*
 * Copy SIZE bytes at OFFSET out of a file.  Returns how many; fewer at its end, or
 * before what cannot be read: a call for that says why.  -EISDIR, -ELOOP, -EINVAL:
 * no file.
 */
__must_check long ext2_read(struct inode *inode, uint64_t offset, void *buffer,
                            size_t size);

/*
 * Copy SIZE bytes into a file at OFFSET; it grows if it must.  Returns how many;
 * fewer than SIZE if the disk is full or the memory is.  They are in the page
 * cache then; ext2_sync() writes them.  -EISDIR, -ELOOP, -EINVAL, -EFBIG.
 */
__must_check long ext2_write(struct inode *inode, uint64_t offset,
                             const void *buffer, size_t size);

/* Write the cached bytes of a file and wait: 0, or the error of a write since the
 * last call; those bytes are kept, and written by the next one.  ext2_sync()
 * writes the metadata that leads to them. */
__must_check int ext2_write_data(struct inode *inode);

/* Cut a file, or let it grow by a hole.  Errors of ext2_write(). */
__must_check int ext2_truncate(struct inode *inode, uint64_t size);

/* A new directory.  -EEXIST, -EMLINK, and those of ext2_open(). */
__must_check int ext2_mkdir(struct ext2 *fs, const char *path);

/*
 * Take the name away; a file without names goes when nobody uses it.
 * ext2_unlink() of a directory: -EISDIR.  ext2_rmdir(): -ENOTDIR, -ENOTEMPTY,
 * -EBUSY for the root or one in use.
 */
__must_check int ext2_unlink(struct ext2 *fs, const char *path);
__must_check int ext2_rmdir(struct ext2 *fs, const char *path);

struct ext2_name {
	uint32_t inode;
	unsigned int length;
	char text[EXT2_NAME_MAX + 1];
};

/*
 * The next name of a directory from *POSITION on (0: the first); *POSITION moves
 * behind it.  1: there was one, 0: no more.  -ENOTDIR.
 */
__must_check int ext2_next_name(struct inode *dir, uint64_t *position,
                                struct ext2_name *name);

/* The inode with NUMBER, for what ext2_next_name() found. */
__must_check int ext2_open_number(struct ext2 *fs, uint32_t number,
                                  struct inode **inode);

#endif

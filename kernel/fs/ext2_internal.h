/* SPDX-License-Identifier: MIT */
/*
 * kernel/fs/ext2_internal.h -- what the files of ext2 tell each other.
 *
 * Everything here is called with the mutex of the file system held, unless it
 * says otherwise.  Memory is allocated with EXT2_GFP: the holder of the mutex must
 * not wait for a reclaim that wants it.
 *
 * The caller must put an object that a call returns (*PAGE with a reference, *INODE in
 * use); after an error it is NULL, and there is nothing to put.
 */
#ifndef KERNEL_FS_EXT2_INTERNAL_H
#define KERNEL_FS_EXT2_INTERNAL_H

#include "kernel/arch/copy.h"
#include "kernel/core/held.h"
#include "kernel/core/mutex.h"
#include "kernel/core/printk.h"
#include "kernel/fs/ext2.h"
#include "lib/errno.h"
#include "mm/gfp.h"
#include "mm/reclaim/flusher.h"
#include "mm/reclaim/shrinker.h"

#define EXT2_GFP        GFP_NOFS
/* The same for what a file says: pages that can be moved.  A block of metadata may stay
 * in use as long as its file system is mounted. */
#define EXT2_GFP_DATA   (GFP_HIGHUSER_MOVABLE & ~(gfp_t)__GFP_FS)
#define EXT2_HASH_LISTS 64
#define EXT2_PATH_MAX   4096

/* Pages that a walk which frees blocks holds at a time: three blocks of numbers,
 * a descriptor, a bitmap, and nodes of the index to find them. */
#define EXT2_RESERVE    8

/* No clock chip is read: time goes on from when the disk was last written. */
#define EXT2_TIME_FLOOR 1704067200U

/* Field locks: (c) constant, (f) lock, (s) scratch_lock. */
struct ext2 {
	struct mutex lock;
	struct block_device *device;    /* (c) */
	struct filemap meta;            /* metadata blocks, by number */
	struct page *super_page;        /* (c) held: the block with *super */
	struct ext2_super_block *super; /* (f) */
	unsigned int block_size;        /* (c) bytes */
	unsigned int block_shift;       /* (c) */
	unsigned int page_blocks;       /* (c) blocks of a page */
	unsigned int numbers;           /* (c) block numbers in a block */
	unsigned int inode_size;        /* (c) bytes */
	uint32_t first_inode;           /* (c) that is not reserved */
	uint32_t groups;                /* (c) */
	uint32_t overhead;              /* (c) blocks of no file */
	uint64_t largest;               /* (c) size of a file */
	uint32_t time_base;             /* (c) seconds at mount */
	uint64_t mounted;               /* (c) clock_microseconds() */
	bool filetype;                  /* (c) entries tell types */
	bool read_only;                 /* (c) */
	bool complete;                  /* (f) mounted, for writing */
	bool frozen;                    /* (f) after an error */
	unsigned int held; /* (f) by the thread that has the mutex, before */
	struct ratelimit complaints;
	uint16_t state; /* (f) to write when unmounted */
	struct mutex scratch_lock;
	struct page *scratch; /* (s) one block, read without the cache */
	struct list hash[EXT2_HASH_LISTS];  /* (f) all inodes */
	struct list idle;                   /* (f) those without a user */
	struct kmem_cache *inode_cache;     /* (c) their memory */
	unsigned long inodes;               /* (f) on the lists */
	unsigned long busy;                 /* (f) of them used */
	unsigned long freed;                /* (f) pages, by forgetting */
	unsigned int freeing;               /* (f) must not fail for memory */
	unsigned int reserved;              /* (f) pages in reserve */
	struct page *reserve[EXT2_RESERVE]; /* (f) for that */
	struct shrinker shrinker;
	struct writeback_source source;
};

/* ---- ext2_name.c --------------------------------------------------------- */

/* Take the mutex, and let no allocation of this thread enter a file system until
 * ext2_unlock(), which gets the value that ext2_lock() returned.  A thread that then
 * holds more or fewer objects than before panics. */
unsigned int ext2_lock(struct ext2 *fs);
void ext2_unlock(struct ext2 *fs, unsigned int scope);

/* ---- ext2_super.c -------------------------------------------------------- */

/* Something cannot be: report it, mark the file system, and do what its
 * superblock says about errors.  Returns -EUCLEAN. */
int ext2_error(struct ext2 *fs, const char *format, ...) __printf(2, 3);

/* -EROFS if nothing may be written. */
__must_check int ext2_may_write(const struct ext2 *fs);

/* The same, and -EPERM if INODE has one of FLAGS. */
__must_check int ext2_may_change(const struct inode *inode, uint32_t flags);

/* The first block of GROUP, how many it has, and how many of them at its begin
 * are copies of superblock and descriptors; blocks of an inode table. */
uint32_t ext2_group_first(const struct ext2 *fs, uint32_t group);
uint32_t ext2_group_blocks(const struct ext2 *fs, uint32_t group);
uint32_t ext2_group_head(const struct ext2 *fs, uint32_t group);
uint32_t ext2_table_blocks(const struct ext2 *fs);

/* Seconds since 1970, more or less. */
uint32_t ext2_time(const struct ext2 *fs);

/* ---- ext2_features.c ----------------------------------------------------- */

/* Room for the names of unknown features; more are cut off. */
#define EXT2_WHY_SIZE 160

/* May a file system with SUPER be read, and may it be written?  If not, WHY is
 * what of it is not supported here, by the names of mke2fs. */
__must_check bool ext2_can_read(const struct ext2_super_block *super, char *why,
                                size_t size);
__must_check bool ext2_can_write(const struct ext2_super_block *super,
                                 char *why, size_t size);

/* ---- ext2_meta.c: blocks of the file system's own ------------------------ */

/* *DATA is where block NUMBER is in memory, and *PAGE, with a reference for the
 * caller, the page it is in. */
__must_check int ext2_meta_get(struct ext2 *fs, uint32_t number,
                               struct page **page, void *data);

/* The same for a block that was free: zeroed, dirty, and not read. */
__must_check int ext2_meta_new(struct ext2 *fs, uint32_t number,
                               struct page **page, void *data);

/* Fill the reserve as far as there is memory; empty it. */
void ext2_reserve_fill(struct ext2 *fs, gfp_t gfp);
void ext2_reserve_empty(struct ext2 *fs);

/* Give memory back: idle inodes, and blocks that nobody uses, written first. */
void ext2_squeeze(struct ext2 *fs);

/* The block is free: what is in memory must never reach the disk. */
void ext2_meta_forget(struct ext2 *fs, uint32_t number);

/* The bytes of NUMBER as the cache or else the disk has them; the entry INDEX of
 * its numbers.  Allocates nothing.  Any thread, with or without the mutex. */
__must_check int ext2_meta_peek(struct ext2 *fs, uint32_t number,
                                unsigned int index, uint32_t *entry);

/* Read COUNT blocks from FIRST on into PAGE, from byte OFFSET on. */
__must_check int ext2_read_blocks(struct ext2 *fs, uint32_t first,
                                  unsigned int count, struct page *page,
                                  unsigned int offset);

/* Start (and WAIT for) the write of them.  Without WAIT, the end of the write is
 * the end of the page's writeback. */
__must_check int ext2_write_blocks(struct ext2 *fs, uint32_t first,
                                   unsigned int count, struct page *page,
                                   unsigned int offset, bool wait);

void ext2_meta_init(struct ext2 *fs);

/* ---- ext2_alloc.c: bitmaps ----------------------------------------------- */

/* Read the descriptor of GROUP; *PAGE as above. */
__must_check int ext2_group_get(struct ext2 *fs, uint32_t group,
                                struct page **page, struct ext2_group **data);

/* Can NUMBER be a block of a file?  If not, an error of the file system. */
__must_check int ext2_check_block(struct ext2 *fs, uint32_t number);

/* A free block near GOAL, now taken. */
__must_check int ext2_take_block(struct ext2 *fs, uint32_t goal,
                                 uint32_t *number);
__must_check int ext2_give_block(struct ext2 *fs, uint32_t number);

/* A free inode, now taken; in the group of NEAR if there is one. */
__must_check int ext2_take_inode(struct ext2 *fs, uint32_t near, bool dir,
                                 uint32_t *number);
__must_check int ext2_give_inode(struct ext2 *fs, uint32_t number, bool dir);

/* ---- ext2_map.c: from a file's blocks to the disk's ---------------------- */

/* Block BLOCK of the file; *NUMBER is 0 for a hole.  With CREATE a hole is
 * filled: *FRESH says that it was.  */
__must_check int ext2_map(struct inode *inode, uint64_t block,
                          uint32_t *number);
__must_check int ext2_map_create(struct inode *inode, uint64_t block,
                                 uint32_t *number, bool *fresh);

/* As ext2_map(), allocating nothing: for writepage.  Any thread; the page that
 * holds BLOCK is locked and in its file's mapping. */
__must_check int ext2_map_peek(struct inode *inode, uint64_t block,
                               uint32_t *number);

/* Free the blocks of the file from BLOCK on. */
__must_check int ext2_free_from(struct inode *inode, uint64_t block);

/* Bytes that blocks can be mapped for. */
uint64_t ext2_largest_file(const struct ext2 *fs);

/* ---- ext2_inode.c: inodes in memory -------------------------------------- */

__must_check int ext2_inode_get(struct ext2 *fs, uint32_t number,
                                struct inode **inode);
/* The same for an inode that was just taken: MODE, no links, no blocks. */
__must_check int ext2_inode_new(struct ext2 *fs, uint32_t number, uint16_t mode,
                                struct inode **inode);
/* The last user of an inode without links ends it on the disk, too. */
void ext2_inode_put(struct inode *inode);
/* Copy it to where the inode table is cached. */
void ext2_inode_update(struct inode *inode);
/* Forget up to COUNT inodes that nobody uses; returns how many. */
unsigned long ext2_inode_forget(struct ext2 *fs, unsigned long count);

/* 0, or -ENOMEM. */
__must_check int ext2_inodes_init(struct ext2 *fs);
/* From now on (until ext2_inodes_end()) pressure makes it forget.  Without the
 * mutex. */
void ext2_inodes_share(struct ext2 *fs);
/* The mount is over: forget them all, dirty or not.  Without the mutex. */
void ext2_inodes_end(struct ext2 *fs);
/* Begin to write those that are dirty since BEFORE: filemap_flush(). */
unsigned long ext2_inodes_flush(struct ext2 *fs, uint64_t before);
/* Write all their dirty pages, and wait. */
__must_check int ext2_inodes_writeback(struct ext2 *fs);

/* For ext2_check(). */
const char *ext2_inodes_check(struct ext2 *fs, char *buffer, size_t size);

/* ---- ext2_dir.c: names in one directory ---------------------------------- */

/* *NUMBER is the inode of NAME: -ENOENT. */
__must_check int ext2_dir_find(struct inode *dir, const char *name,
                               unsigned int length, uint32_t *number);
__must_check int ext2_dir_add(struct inode *dir, const char *name,
                              unsigned int length, const struct inode *inode);
__must_check int ext2_dir_remove(struct inode *dir, const char *name,
                                 unsigned int length);
/* The contents of a new directory. */
__must_check int ext2_dir_make(struct inode *dir, uint32_t parent);
/* 0, or -ENOTEMPTY. */
__must_check int ext2_dir_is_empty(struct inode *dir);
__must_check int ext2_dir_next(struct inode *dir, uint64_t *position,
                               struct ext2_name *name);

/* ---- ext2_file.c: contents ----------------------------------------------- */

extern const struct address_space_ops ext2_data_ops;

/* 0, or why INODE cannot be read: -EISDIR, -ELOOP (a symbolic link), -EINVAL. */
__must_check int ext2_check_file(const struct inode *inode);

/* Cut to SIZE, or grow. */
__must_check int ext2_set_size(struct inode *inode, uint64_t size);

#endif

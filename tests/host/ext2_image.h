/* SPDX-License-Identifier: MIT */
/*
 * tests/host/ext2_image.h -- an ext2 file system in a file, its kernel, and the
 * tools of e2fsprogs as judges.
 */
#ifndef TESTS_HOST_EXT2_IMAGE_H
#define TESTS_HOST_EXT2_IMAGE_H

#include "kernel/fs/ext2.h"
#include "tests/host/libmm.h"
#include "tests/host/machine_disk.h"

#define IMAGE_PAGES 4096UL

/* The state of the running case. */
extern struct image {
	char path[64];   /* of the image */
	char folder[64]; /* for the host's own files */
	struct block_device *device;
	struct ext2 *fs;
	struct node *node;
} image;

/* Run a command of the host (/bin/sh); its output becomes notes if its status is
 * not WANTED.  Returns NULL, or a sentence. */
const char *image_tool(int wanted, const char *format, ...) __printf(2, 3);

/* A new image of KIBIBYTES by mke2fs with OPTIONS, and an empty folder. */
const char *image_make(const char *options, unsigned int kibibytes);

/* A machine with PAGES pages and the image as its disk, or NODE of a machine that has
 * been started; then mount it. */
void image_attach(unsigned long pages);
void image_attach_to(struct node *node);
const char *image_mount(void);
const char *image_start(const char *options, unsigned int kibibytes);

/* Unmount; and take the machine apart. */
const char *image_unmount(void);
void image_detach(void);

/* e2fsck -fn finds nothing.  The image is not attached, or just synced. */
const char *image_check(void);

/* All three: unmounted, no page lost, and e2fsck is content. */
const char *image_finish(void);

/*
 * SIZE bytes at OFFSET of the image, read or written behind the kernel's back.
 */
void image_peek(long offset, void *bytes, size_t size);
void image_poke(long offset, const void *bytes, size_t size);
void image_poke16(long offset, uint16_t value);
void image_poke32(long offset, uint32_t value);

/* Byte AT of a file that nobody could mistake for another. */
uint8_t image_byte(uint32_t file, uint64_t at);

/* Write or compare a whole file of SIZE such bytes.  0 or -errno; image_same():
 * NULL or a sentence. */
int image_write(const char *path, uint32_t file, uint64_t size);
const char *image_same(const char *path, uint32_t file, uint64_t size);

/* A file of the host with such bytes, in the folder; and is NAME one? */
void image_host_write(const char *name, uint32_t file, uint64_t size);
const char *image_host_same(const char *name, uint32_t file, uint64_t size);

/* Return what is not NULL. */
#define TRY(call)                                                              \
	do {                                                                   \
		const char *try_answer = (call);                               \
		if (try_answer != NULL)                                        \
			return try_answer;                                     \
	} while (0)

/* The call must return 0. */
#define WORKS(call)                                                            \
	do {                                                                   \
		long works_answer = (call);                                    \
		if (works_answer != 0)                                         \
			return test_failure("%s:%d: %s is %ld", __FILE__,      \
			                    __LINE__, #call, works_answer);    \
	} while (0)

#endif

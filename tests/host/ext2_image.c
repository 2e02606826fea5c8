// SPDX-License-Identifier: MIT
/*
 * tests/host/ext2_image.c -- an ext2 file system in a file, its kernel, and the
 * tools of e2fsprogs as judges.
 */
#include "tests/host/ext2_image.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab/slab.h"
#include "tests/suite.h"

#define CHUNK 10000

struct image image;

static void remove_files(void)
{
	char command[300];

	scnprintf(command, sizeof(command), "rm -rf %s %s %s.log", image.path,
	          image.folder, image.path);
	if (system(command) != 0)
		fprintf(stderr, "%s: failed\n", command);
}

static void choose_names(void)
{
	if (image.path[0] != '\0')
		return;
	scnprintf(image.path, sizeof(image.path), "/tmp/labyrinth-ext2-%d.img",
	          (int)getpid());
	scnprintf(image.folder, sizeof(image.folder), "/tmp/labyrinth-ext2-%d",
	          (int)getpid());
	atexit(remove_files);
}

static void show_log(void)
{
	char line[200];
	char path[80];
	FILE *file;

	scnprintf(path, sizeof(path), "%s.log", image.path);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strlen(line) - 1] = '\0';
		test_note("%s", line);
	}
	if (file != NULL)
		fclose(file);
}

const char *image_tool(int wanted, const char *format, ...)
{
	char text[600], command[900];
	va_list arguments;
	int status;

	va_start(arguments, format);
	vscnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	scnprintf(command, sizeof(command),
	          "PATH=$PATH:/usr/sbin:/sbin; { %s; } >%s.log 2>&1 </dev/null",
	          text, image.path);
	status = system(command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == wanted)
		return NULL;
	show_log();
	return test_failure("'%s' ended with status %d, not %d", text,
	                    WEXITSTATUS(status), wanted);
}

const char *image_make(const char *options, unsigned int kibibytes)
{
	choose_names();
	return image_tool(0,
	                  "rm -rf %s; mkdir %s; rm -f %s; mke2fs -q -F -t ext2 "
	                  "%s %s %uk",
	                  image.folder, image.folder, image.path, options,
	                  image.path, kibibytes);
}

void image_attach(unsigned long pages)
{
	machine_start(pages);
	image_attach_to(machine_one_zone(ZONE_NORMAL, pages));
}

void image_attach_to(struct node *node)
{
	struct stat about;

	image.node = node;
	if (stat(image.path, &about) != 0)
		panic("%s is gone", image.path);
	set_main_node(image.node);
	if (!slab_start(image.node, 1, SLAB_KEY))
		panic("no memory for the slab allocator");
	bio_init();
	image.device = machine_disk_open(image.path,
	                                 (uint64_t)about.st_size / SECTOR_SIZE);
	image.fs = NULL;
}

const char *image_mount(void)
{
	WORKS(ext2_mount(image.device, false, &image.fs));
	return NULL;
}

const char *image_start(const char *options, unsigned int kibibytes)
{
	TRY(image_make(options, kibibytes));
	image_attach(IMAGE_PAGES);
	return image_mount();
}

const char *image_unmount(void)
{
	static char sentence[160];

	TRY(ext2_check(image.fs, sentence, sizeof(sentence)));
	WORKS(ext2_unmount(image.fs));
	image.fs = NULL;
	return NULL;
}

void image_detach(void)
{
	machine_disk_close();
	bio_exit();
	slab_stop(image.node);
}

const char *image_check(void)
{
	return image_tool(0, "e2fsck -fn %s", image.path);
}

const char *image_finish(void)
{
	TRY(image_unmount());
	image_detach();
	EXPECT_EQUAL(node_free(image.node), image.node->page_count);
	return image_check();
}

/* ---- Behind the kernel's back -------------------------------------------- */

static void move_bytes(bool write, long offset, void *bytes, size_t size)
{
	int file = open(image.path, O_RDWR);
	ssize_t done = write ? pwrite(file, bytes, size, offset)
	                     : pread(file, bytes, size, offset);

	if (done != (ssize_t)size)
		panic("%s: %zd of %zu bytes at %ld", image.path, done, size,
		      offset);
	close(file);
}

void image_peek(long offset, void *bytes, size_t size)
{
	move_bytes(false, offset, bytes, size);
}

void image_poke(long offset, const void *bytes, size_t size)
{
	move_bytes(true, offset, (void *)(uintptr_t)bytes, size);
}

void image_poke16(long offset, uint16_t value)
{
	image_poke(offset, &value, sizeof(value));
}

void image_poke32(long offset, uint32_t value)
{
	image_poke(offset, &value, sizeof(value));
}

/* ---- Files --------------------------------------------------------------- */

uint8_t image_byte(uint32_t file, uint64_t at)
{
	return (uint8_t)(at * 31 + at / 256 * 7 + at / 65536 * 3 + file * 101);
}

static void make_bytes(uint8_t *bytes, uint32_t file, uint64_t from,
                       size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = image_byte(file, from + i);
}

int image_write(const char *path, uint32_t file, uint64_t size)
{
	uint8_t bytes[CHUNK];
	struct inode *inode;
	int error = ext2_create(image.fs, path, &inode);

	for (uint64_t at = 0; error == 0 && at < size; at += CHUNK) {
		size_t part = (size_t)min(size - at, (uint64_t)CHUNK);
		long done;

		make_bytes(bytes, file, at, part);
		done = ext2_write(inode, at, bytes, part);
		/* Why was it not all? */
		if (done >= 0 && done < (long)part)
			done = ext2_write(inode, at + (uint64_t)done,
			                  bytes + done, part - (size_t)done);
		if (done < 0)
			error = (int)done;
		if (error != 0)
			ext2_close(inode);
	}
	if (error == 0)
		ext2_close(inode);
	return error;
}

static const char *ext2_image_compare(const char *path, const uint8_t *found,
                                      uint32_t file, uint64_t from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (found[i] != image_byte(file, from + i))
			return test_failure("%s: byte %llu is %#x", path,
			                    (unsigned long long)(from + i),
			                    found[i]);
	}
	return NULL;
}

const char *image_same(const char *path, uint32_t file, uint64_t size)
{
	uint8_t bytes[CHUNK];
	const char *answer = NULL;
	struct inode *inode;
	int error = ext2_open(image.fs, path, &inode);

	if (error != 0)
		return test_failure("%s: %d", path, error);
	if (inode->size != size)
		answer = test_failure("%s has %llu bytes", path,
		                      (unsigned long long)inode->size);
	for (uint64_t at = 0; answer == NULL && at < size; at += CHUNK) {
		long wanted = (long)min(size - at, (uint64_t)CHUNK);
		long done = ext2_read(inode, at, bytes, CHUNK);

		answer = done == wanted
		                 ? ext2_image_compare(path, bytes, file, at,
		                                      (size_t)done)
		                 : test_failure("%s: read is %ld at %llu", path,
		                                done, (unsigned long long)at);
	}
	ext2_close(inode);
	return answer;
}

static FILE *open_host(const char *name, const char *how)
{
	char path[200];
	FILE *file;

	scnprintf(path, sizeof(path), "%s/%s", image.folder, name);
	file = fopen(path, how);
	if (file == NULL)
		panic("%s cannot be opened", path);
	return file;
}

void image_host_write(const char *name, uint32_t file, uint64_t size)
{
	FILE *stream = open_host(name, "w");

	for (uint64_t at = 0; at < size; at++)
		fputc(image_byte(file, at), stream);
	fclose(stream);
}

const char *image_host_same(const char *name, uint32_t file, uint64_t size)
{
	FILE *stream = open_host(name, "r");
	const char *answer = NULL;

	for (uint64_t at = 0; at < size && answer == NULL; at++) {
		int byte = fgetc(stream);

		if (byte != image_byte(file, at))
			answer = test_failure("%s: byte %llu is %d", name,
			                      (unsigned long long)at, byte);
	}
	if (answer == NULL && fgetc(stream) != EOF)
		answer = test_failure("%s is longer than %llu", name,
		                      (unsigned long long)size);
	fclose(stream);
	return answer;
}

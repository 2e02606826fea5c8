/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/pressure_files.c -- files that are written, read and removed while
 * memory is short.
 *
 *	writer 1:  /pressure-1 .. /pressure-4	 turn by turn, one after the other
 *	writer 2:  /pressure-5 .. /pressure-8
 *
 *	a turn:	   compare the file with its version of four turns ago
 *		   remove it, or truncate it to 0
 *		   write another version, of another size
 *		   compare
 *
 * Between two turns of a file its pages have gone to the disk, for more is dirty
 * than may be, and from memory, for others need it.  So the first comparison
 * reads from the disk, the second one what is left in the cache.  The contents of a
 * file follow from its number and version: nothing is remembered but the
 * version, and a block that belongs to another file, or to the same file a
 * version ago, is seen.
 *
 * An error of the disk is told when the pages are written, not when the file is:
 * by ext2_write_data(), every few turns and in the end.  Pages whose write
 * failed are dirty again; a file is lost if that fails a second time.
 */
#include "kernel/demo/pressure_files.h"

#include "kernel/core/printk.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define WRITERS    2U
#define FILES      (PRESSURE_FILES / WRITERS)
#define ASK_EVERY  3U /* turns */

/* Bytes at a time: words, but neither pages nor blocks. */
#define PART       3000U
#define PART_WORDS (PART / sizeof(uint64_t))

struct writer {
	struct thread *thread;
	struct ext2 *fs;
	unsigned int first;          /* number of its first file */
	unsigned int version[FILES]; /* 0: there is none */
	unsigned int next[FILES];
	struct pressure_files_report report;
	uint64_t is[PART_WORDS];
	uint64_t should[PART_WORDS];
};

static struct writer writers[WRITERS];
static bool stop; /* atomic */

uint64_t pressure_file_size(unsigned int version)
{
	return 40000 + version * 79190ULL % 600000;
}

/* ---- Contents ------------------------------------------------------------ */

static const char *pressure_files_path_of(const struct writer *writer,
                                          unsigned int file, char *path,
                                          size_t size)
{
	scnprintf(path, size, "/pressure-%u", writer->first + file);
	return path;
}

/* Fill the buffer with the PART bytes that FILE has at OFFSET. */
static void make_part(struct writer *writer, unsigned int file,
                      unsigned int version, uint64_t offset)
{
	uint64_t word = (uint64_t)(writer->first + file) << 56 |
	                (uint64_t)version << 32 | offset / sizeof(word);

	for (size_t i = 0; i < PART_WORDS; i++)
		writer->should[i] = word + i;
}

static uint64_t count_wrong(const struct writer *writer, size_t size)
{
	const uint8_t *is = (const uint8_t *)writer->is;
	const uint8_t *should = (const uint8_t *)writer->should;
	uint64_t wrong = 0;

	for (size_t i = 0; i < size; i++)
		wrong += is[i] != should[i];
	return wrong;
}

/* A call has answered ERROR. */
static void note(struct writer *writer, unsigned int file, int error)
{
	char path[20];

	if (error == 0)
		return;
	if (writer->report.failed++ == 0)
		writer->report.error = error;
	pr_warn("pressure: %s: error %d\n",
	        pressure_files_path_of(writer, file, path, sizeof(path)),
	        -error);
}

/* ---- One file ------------------------------------------------------------ */

static int write_parts(struct writer *writer, struct inode *inode,
                       unsigned int file, unsigned int version)
{
	uint64_t size = pressure_file_size(version);

	for (uint64_t at = 0; at < size; at += PART) {
		size_t part = (size_t)min((uint64_t)PART, size - at);
		long done;

		make_part(writer, file, version, at);
		done = ext2_write(inode, at, writer->should, part);
		if (done < (long)part)
			return done < 0 ? (int)done : -ENOSPC;
	}
	return 0;
}

static int pressure_files_write_file(struct writer *writer, unsigned int file,
                                     unsigned int version)
{
	char path[20];
	struct inode *inode;
	int error = ext2_create(
		writer->fs,
		pressure_files_path_of(writer, file, path, sizeof(path)),
		&inode);

	if (error != 0)
		return error;
	error = ext2_truncate(inode, 0);
	if (error == 0)
		error = write_parts(writer, inode, file, version);
	ext2_close(inode);
	return error;
}

static int compare_parts(struct writer *writer, struct inode *inode,
                         unsigned int file)
{
	uint64_t size = pressure_file_size(writer->version[file]);

	if (inode->size != size)
		writer->report.wrong +=
			max(inode->size, size) - min(inode->size, size);
	for (uint64_t at = 0; at < min(size, inode->size); at += PART) {
		long done = ext2_read(inode, at, writer->is, PART);

		if (done <= 0)
			return done < 0 ? (int)done : -EUCLEAN;
		make_part(writer, file, writer->version[file], at);
		writer->report.compared += (uint64_t)done;
		if (memcmp(writer->is, writer->should, (size_t)done) != 0)
			writer->report.wrong +=
				count_wrong(writer, (size_t)done);
	}
	return 0;
}

static int compare_file(struct writer *writer, unsigned int file)
{
	char path[20];
	struct inode *inode;
	int error;

	if (writer->version[file] == 0)
		return 0;
	error = ext2_open(
		writer->fs,
		pressure_files_path_of(writer, file, path, sizeof(path)),
		&inode);
	if (error != 0)
		return error;
	error = compare_parts(writer, inode, file);
	ext2_close(inode);
	return error;
}

static int pressure_files_remove_file(struct writer *writer, unsigned int file)
{
	char path[20];
	int error = ext2_unlink(
		writer->fs,
		pressure_files_path_of(writer, file, path, sizeof(path)));

	return error == -ENOENT ? 0 : error;
}

/* Its pages to the disk.  False: that failed, or one that began earlier had. */
static bool write_out(struct writer *writer, unsigned int file)
{
	char path[20];
	struct inode *inode;
	int error = ext2_open(
		writer->fs,
		pressure_files_path_of(writer, file, path, sizeof(path)),
		&inode);

	if (error != 0)
		return false;
	error = ext2_write_data(inode);
	ext2_close(inode);
	writer->report.told += error != 0;
	return error == 0;
}

/* ---- Turns --------------------------------------------------------------- */

static void take_turn(struct writer *writer, unsigned int turn)
{
	unsigned int file = turn % FILES;
	unsigned int version = ++writer->next[file];
	int error;

	note(writer, file, compare_file(writer, file));
	writer->version[file] = 0;
	if (turn / FILES % 2 == 1)
		note(writer, file, pressure_files_remove_file(writer, file));
	error = pressure_files_write_file(writer, file, version);
	note(writer, file, error);
	if (error != 0) {
		note(writer, file, pressure_files_remove_file(writer, file));
		return;
	}
	writer->version[file] = version;
	writer->report.written++;
	note(writer, file, compare_file(writer, file));
	if (turn % ASK_EVERY == 0)
		write_out(writer, file);
}

static void run_writer(void *data)
{
	struct writer *writer = data;

	for (unsigned int turn = 0; turn < FILES || !READ_ONCE(stop); turn++)
		take_turn(writer, turn);
}

void pressure_files_start(struct ext2 *fs)
{
	static const char *const name[WRITERS] = { "files 1", "files 2" };

	WRITE_ONCE(stop, false);
	for (unsigned int i = 0; i < WRITERS; i++) {
		writers[i] =
			(struct writer){ .fs = fs, .first = 1 + i * FILES };
		writers[i].thread =
			thread_create(name[i], run_writer, &writers[i]);
		if (writers[i].thread == NULL)
			note(&writers[i], 0, -ENOMEM);
	}
}

/* ---- The end ------------------------------------------------------------- */

/* The last look at each file, and all of it to the disk. */
static void end_writer(struct writer *writer)
{
	for (unsigned int file = 0; file < FILES; file++) {
		note(writer, file, compare_file(writer, file));
		if (writer->version[file] != 0 && !write_out(writer, file) &&
		    !write_out(writer, file))
			writer->report.lost |= 1U << (writer->first + file - 1);
	}
}

static void add_report(struct pressure_files_report *sum,
                       const struct pressure_files_report *one)
{
	sum->written += one->written;
	sum->compared += one->compared;
	sum->wrong += one->wrong;
	sum->failed += one->failed;
	sum->error = sum->error != 0 ? sum->error : one->error;
	sum->told += one->told;
	sum->lost |= one->lost;
}

/* Their own blocks: what failed once is dirty, and tried again. */
static int sync_twice(struct ext2 *fs, struct pressure_files_report *report)
{
	int error = ext2_sync(fs);

	if (error == 0)
		return 0;
	report->told++;
	return ext2_sync(fs);
}

void pressure_files_end(struct pressure_files_report *report)
{
	struct ext2 *fs = writers[0].fs;

	*report = (struct pressure_files_report){ .written = 0 };
	WRITE_ONCE(stop, true);
	for (unsigned int i = 0; i < WRITERS; i++) {
		if (writers[i].thread != NULL)
			thread_join(writers[i].thread);
	}
	for (unsigned int i = 0; i < WRITERS; i++) {
		end_writer(&writers[i]);
		add_report(report, &writers[i].report);
	}
	report->sync_error = sync_twice(fs, report);
	report->broken = ext2_check(fs, report->said, sizeof(report->said));
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/pressure_files.h -- files that are written, read and removed while
 * memory is short.
 */
#ifndef KERNEL_DEMO_PRESSURE_FILES_H
#define KERNEL_DEMO_PRESSURE_FILES_H

#include "kernel/fs/ext2.h"

/* /pressure-1 to /pressure-8 */
#define PRESSURE_FILES 8U

struct pressure_files_report {
	unsigned long written; /* files, each read again and compared */
	uint64_t compared;     /* bytes */
	uint64_t wrong;        /* of them: other than written */
	unsigned long failed;  /* calls that were told an error */
	int error;             /* the first of these */
	unsigned long told;    /* errors of the disk when pages were written */
	unsigned int lost;  /* a bit for each file: not all of it is on disk */
	int sync_error;     /* the file system's own blocks are not on disk */
	const char *broken; /* NULL, or what ext2_check() said */
	char said[160];     /* there */
};

/*
 * Start two threads that write files to the root of FS, read and compare them,
 * and remove them or cut them and write others, until pressure_files_end(), but
 * each file once.  A word of a file tells where it belongs:
 *
 *	63..56  number of the file, 1 to PRESSURE_FILES
 *	55..32  version, from 1; its size follows from it: pressure_file_size()
 *	31..0   number of the word
 *
 * Thread context.
 */
void pressure_files_start(struct ext2 *fs);

/* End them, compare all files once more, and write everything to the disk, where
 * the files stay. */
void pressure_files_end(struct pressure_files_report *report);

/* Bytes of a file's VERSION: 40000 + version * 79190 % 600000. */
uint64_t pressure_file_size(unsigned int version);

#endif

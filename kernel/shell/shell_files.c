// SPDX-License-Identifier: MIT
/*
 * kernel/shell/shell_files.c -- looking at files and changing them.
 *
 * A disk may have more to show than anybody wants to see: ^C ends ls and cat.
 */
#include "kernel/core/console.h"
#include "kernel/files.h"
#include "kernel/shell/line.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

/* Bytes of a file at a time: console_printf() has room for them. */
#define PART 256

/* ---- Errors -------------------------------------------------------------- */

static const char *shell_files_error_text(int error)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{ EPERM, "not permitted: see lsattr" },
		{ ENOENT, "no such file or directory" },
		{ EIO, "the disk has failed" },
		{ ETIMEDOUT, "the disk does not answer" },
		{ ENOMEM, "no memory" },
		{ EBUSY, "in use" },
		{ EEXIST, "there is one already" },
		{ ENODEV, "nothing is mounted" },
		{ ENOTDIR, "no directory" },
		{ EISDIR, "a directory" },
		{ EINVAL, "not what it should be" },
		{ EFBIG, "too large for this file system" },
		{ ENOSPC, "the disk is full" },
		{ EROFS, "mounted read-only" },
		{ EMLINK, "too many directories in it" },
		{ ENAMETOOLONG, "the name is too long" },
		{ ENOTEMPTY, "not empty" },
		{ ELOOP, "symbolic links are not followed" },
		{ EUCLEAN, "the file system is damaged: run e2fsck" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].error == -error)
			return texts[i].text;
	}
	return "an error";
}

/* Say so if WHAT has failed with ERROR.  Returns 0, for the shell. */
static int shell_files_report(const char *what, int error)
{
	if (error != 0)
		console_printf("%s: %s (%d)\n", what,
		               shell_files_error_text(error), -error);
	return 0;
}

/* The mounted file system, or NULL and a message. */
static struct ext2 *need_files(const char *command)
{
	if (files() == NULL)
		shell_files_report(command, -ENODEV);
	return files();
}

/* ---- ls ------------------------------------------------------------------ */

static char type_letter(const struct inode *inode)
{
	switch (inode->mode & EXT2_TYPE) {
	case EXT2_DIR:
		return 'd';
	case EXT2_FILE:
		return '-';
	case EXT2_SYMLINK:
		return 'l';
	case EXT2_CHAR:
		return 'c';
	case EXT2_BLOCK:
		return 'b';
	case EXT2_FIFO:
		return 'p';
	default:
		return 's';
	}
}

static void print_long(const struct inode *inode, const char *name)
{
	char mode[11] = "-rwxrwxrwx";

	mode[0] = type_letter(inode);
	for (unsigned int i = 0; i < 9; i++) {
		if ((inode->mode >> (8 - i) & 1) == 0)
			mode[i + 1] = '-';
	}
	console_fold(11, "%s %5u %10llu %6u %s", mode, inode->links,
	             (unsigned long long)inode->size, inode->number, name);
}

static void list_name(const struct ext2_name *name, bool with_inode)
{
	struct inode *inode;
	int error;

	if (!with_inode) {
		console_printf("%s\n", name->text);
		return;
	}
	error = ext2_open_number(files(), name->inode, &inode);
	if (error != 0) {
		shell_files_report(name->text, error);
		return;
	}
	print_long(inode, name->text);
	ext2_close(inode);
}

static int shell_files_list(struct inode *inode, const char *path,
                            bool with_inode)
{
	struct ext2_name name;
	uint64_t position = 0;
	int answer;

	if (!inode_is_dir(inode)) {
		if (with_inode)
			print_long(inode, path);
		else
			console_printf("%s\n", path);
		return 0;
	}
	do {
		answer = ext2_next_name(inode, &position, &name);
		if (answer == 1)
			list_name(&name, with_inode);
	} while (answer == 1 && !shell_interrupted());
	return answer == 1 ? 0 : answer;
}

static int run_ls(int argc, char **argv)
{
	bool with_inode = argc > 1 && strcmp(argv[1], "-l") == 0;
	int at = with_inode ? 2 : 1;
	const char *path = argc > at ? argv[at] : "/";
	struct inode *inode;
	int error;

	if (argc > at + 1)
		return -EINVAL;
	if (need_files(argv[0]) == NULL)
		return 0;
	error = ext2_open(files(), path, &inode);
	if (error == 0) {
		error = shell_files_list(inode, path, with_inode);
		ext2_close(inode);
	}
	return shell_files_report(path, error);
}

/* ---- cat, write ---------------------------------------------------------- */

static void shell_files_print_bytes(const char *bytes, size_t size)
{
	char line[PART + 1];

	for (size_t i = 0; i < size; i++) {
		bool plain = bytes[i] == '\n' || bytes[i] == '\t' ||
		             (bytes[i] >= ' ' && bytes[i] <= '~');

		line[i] = '.';
		if (plain)
			line[i] = bytes[i];
	}
	line[size] = '\0';
	console_printf("%s", line);
}

static int run_cat(int argc, char **argv)
{
	char bytes[PART];
	struct inode *inode;
	uint64_t at = 0;
	long done;
	int error;

	if (argc != 2)
		return -EINVAL;
	if (need_files(argv[0]) == NULL)
		return 0;
	error = ext2_open(files(), argv[1], &inode);
	if (error != 0)
		return shell_files_report(argv[1], error);
	do {
		done = ext2_read(inode, at, bytes, sizeof(bytes));
		if (done > 0)
			shell_files_print_bytes(bytes, (size_t)done);
		at += done > 0 ? (uint64_t)done : 0;
	} while (done > 0 && !shell_interrupted());
	ext2_close(inode);
	return shell_files_report(argv[1], done < 0 ? (int)done : 0);
}

static int write_text(const char *path, const char *text)
{
	size_t size = strlen(text);
	struct inode *inode;
	long done = 0;
	int error = ext2_create(files(), path, &inode);

	if (error != 0)
		return error;
	error = ext2_truncate(inode, 0);
	if (error == 0)
		done = ext2_write(inode, 0, text, size);
	if (error == 0 && done < (long)size)
		error = done < 0 ? (int)done : -ENOSPC;
	ext2_close(inode);
	return error;
}

static int shell_files_run_write(int argc, char **argv)
{
	char text[LINE_SIZE + 1]; /* and a newline */
	size_t length;

	if (argc < 2)
		return -EINVAL;
	if (need_files(argv[0]) == NULL)
		return 0;
	shell_join(text, sizeof(text) - 1, argv, 2, argc);
	length = strlen(text);
	text[length] = '\n';
	text[length + 1] = '\0';
	return shell_files_report(argv[1], write_text(argv[1], text));
}

/* ---- Names --------------------------------------------------------------- */

static int run_rm(int argc, char **argv)
{
	int error;

	if (argc != 2)
		return -EINVAL;
	if (need_files(argv[0]) == NULL)
		return 0;
	error = ext2_unlink(files(), argv[1]);
	if (error == -EISDIR)
		error = ext2_rmdir(files(), argv[1]);
	return shell_files_report(argv[1], error);
}

static int shell_files_run_mkdir(int argc, char **argv)
{
	if (argc != 2)
		return -EINVAL;
	if (need_files(argv[0]) == NULL)
		return 0;
	return shell_files_report(argv[1], ext2_mkdir(files(), argv[1]));
}

/* ---- The whole ----------------------------------------------------------- */

static int shell_files_run_sync(int argc, char **argv)
{
	if (argc > 1)
		return -EINVAL;
	if (need_files(argv[0]) == NULL)
		return 0;
	return shell_files_report(argv[0], ext2_sync(files()));
}

static int run_df(int argc, char **argv)
{
	struct ext2_usage usage;
	uint64_t size;
	uint64_t free;

	if (argc > 1)
		return -EINVAL;
	if (need_files(argv[0]) == NULL)
		return 0;
	ext2_usage(files(), &usage);
	size = (uint64_t)usage.blocks * usage.block_size / KIB;
	free = (uint64_t)usage.free_blocks * usage.block_size / KIB;
	console_printf("%-10s %10s %10s %10s %10s %10s %8s\n", "Filesystem",
	               "1K-blocks", "Used", "Available", "Inodes", "IFree",
	               "in RAM");
	console_printf("%-10s %10llu %10llu %10llu %10u %10u %8lu\n",
	               ext2_device_name(files()), (unsigned long long)size,
	               (unsigned long long)(size - min(free, size)),
	               (unsigned long long)free, usage.inodes,
	               usage.free_inodes, usage.cached);
	return 0;
}

static int show_mount(const char *command)
{
	struct ext2_usage usage;

	if (need_files(command) == NULL)
		return 0;
	ext2_usage(files(), &usage);
	console_printf("%s on / type ext2 (%s%s)\n", ext2_device_name(files()),
	               usage.read_only ? "ro" : "rw",
	               usage.errors ? ",errors" : "");
	return 0;
}

static int shell_files_run_mount(int argc, char **argv)
{
	bool read_only = argc == 3 && strcmp(argv[2], "ro") == 0;
	struct block_device *device;

	if (argc == 1)
		return show_mount(argv[0]);
	if (argc > 3 || (argc == 3 && !read_only))
		return -EINVAL;
	device = block_find(argv[1]);
	if (device == NULL) {
		console_printf("%s: no such disk or partition\n", argv[1]);
		return 0;
	}
	return shell_files_report(argv[1], files_mount(device, read_only));
}

static int run_umount(int argc, char **argv)
{
	if (argc > 1)
		return -EINVAL;
	return shell_files_report(argv[0], files_unmount());
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("ls", "[-l] [PATH]", run_ls, NULL,
	              "names in a directory; -l: mode, links, size, inode"),
	SHELL_COMMAND("cat", "PATH", run_cat, NULL, "what is in a file"),
	SHELL_COMMAND("write", "PATH [WORD ...]", shell_files_run_write, NULL,
	              "make it a file of one line"),
	SHELL_COMMAND("rm", "PATH", run_rm, NULL,
	              "remove a file or an empty directory"),
	SHELL_COMMAND("mkdir", "PATH", shell_files_run_mkdir, NULL,
	              "a new directory"),
	SHELL_COMMAND("sync", "", shell_files_run_sync, NULL,
	              "everything to the disk"),
	SHELL_COMMAND("df", "", run_df, NULL, "how full it is"),
	SHELL_COMMAND("mount", "[DEVICE [ro]]", shell_files_run_mount, NULL,
	              "what is mounted; mount it"),
	SHELL_COMMAND("umount", "", run_umount, NULL,
	              "let go of it, everything written"),
};

SHELL_TABLE(shell_file_commands, "files", "the file system, ext2", commands);

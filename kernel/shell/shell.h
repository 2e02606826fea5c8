/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell.h -- the shell on keyboard and serial line.
 *
 * kernel/shell/: line edits a line; shell finds the command of its first word and
 * runs it; shell_keeper starts another shell if one is ended.  Each other file,
 * shell_SUBJECT.c, is a table of the commands of one subject (SHELL_TABLE in
 * shell_command.h), and shell.c has the list of the tables.
 * Commands call the public functions of the kernel, as any thread may.
 */
#ifndef KERNEL_SHELL_SHELL_H
#define KERNEL_SHELL_SHELL_H

#include "lib/types.h"

/* Read a line, run it, forever.  Thread context. */
__noreturn void shell_run(void);

/* How many lines were read since boot. */
unsigned long shell_lines(void);

/* Run TEXT, as if typed; it is cut into words in place.  Thread context. */
void shell_execute(char *text);

#endif

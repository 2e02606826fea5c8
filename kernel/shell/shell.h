/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell.h -- the shell on keyboard and serial line.
 */
#ifndef KERNEL_SHELL_SHELL_H
#define KERNEL_SHELL_SHELL_H

#include "lib/types.h"

/* Read a line, run it, for ever.  Thread context. */
__noreturn void shell_run(void);

/* How many lines were read since boot. */
unsigned long shell_lines(void);

/* Run TEXT, as if typed; it is cut into words in place.  Thread context. */
void shell_execute(char *text);

#endif

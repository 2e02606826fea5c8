/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_keeper.h -- a shell that does not die in silence.
 */
#ifndef KERNEL_SHELL_SHELL_KEEPER_H
#define KERNEL_SHELL_SHELL_KEEPER_H

#include "lib/types.h"

/*
 * The caller becomes the shell (shell_run()).  If its thread is ended, for touching
 * an exclusive page that is not its own, say, another thread is made the shell, and
 * a sentence says why.  If that cannot be, it is a panic: a machine with nobody to
 * talk to says that it is over.  Thread context; needs the worker.
 */
__noreturn void shell_keep(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/selftest/replay.h -- calls of the allocator out of a file, run by the kernel.
 */
#ifndef KERNEL_SELFTEST_REPLAY_H
#define KERNEL_SELFTEST_REPLAY_H

#include "lib/types.h"

/* Was `replay` given on the command line? */
bool replay_wanted(void);

/*
 * Run the SIZE bytes at DATA, a sequence (tests/sequence.h), on a private node;
 * print each step on the serial port, then EXIT 16 if all hold, else EXIT 17,
 * and end the machine.  DATA NULL: there is no module, which is a failure.
 */
__noreturn void replay_main(const void *data, size_t size);

#endif

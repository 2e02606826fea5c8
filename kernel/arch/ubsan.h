/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/ubsan.h -- undefined behaviour, reported in a sentence.
 *
 * With CHECKED=1 the compiler calls a function of kernel/arch/ubsan.c wherever the C
 * standard leaves open how a program goes on.
 */
#ifndef KERNEL_ARCH_UBSAN_H
#define KERNEL_ARCH_UBSAN_H

#include "lib/types.h"

struct trap_frame;

/* Is FRAME the trap of such a function?  Then the sentence, which has file, line, and
 * column, and stays until the next trap of this kind; else NULL.  Any context. */
const char *ubsan_trapped(const struct trap_frame *frame);

#endif

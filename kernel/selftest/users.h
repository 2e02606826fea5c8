/* SPDX-License-Identifier: MIT */
/*
 * kernel/selftest/users.h -- who has pages in use.
 *
 * The columns of a case that leaked say how many pages it left.  These lines say who took
 * the pages that are in use now, so that two runs can be compared.
 */
#ifndef KERNEL_SELFTEST_USERS_H
#define KERNEL_SELFTEST_USERS_H

/*
 * PRINT a line for each place in the code whose pages are in use: how many pages, the
 * place, and of the one with the highest frame number its frame and taker.  Places that
 * are met after forty-eight others are left out.  Thread context.
 */
void users_print(void (*print)(const char *line));

#endif

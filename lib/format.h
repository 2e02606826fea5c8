/* SPDX-License-Identifier: MIT */
/*
 * lib/format.h -- printf into a buffer.
 *
 * Understands %d %i %u %x %X %o %c %s %p %% with the flags - 0 + space #, width,
 * precision (both also as *), and the lengths hh h l ll z t j.  An unknown
 * conversion is copied unchanged.  Allocates nothing, takes no lock, may be
 * called from any context.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include "lib/types.h"

/*
 * Write at most SIZE bytes, the closing NUL included, and return the number of
 * characters written without the NUL (so never SIZE or more).  SIZE 0 writes
 * nothing and returns 0.  A %s of NULL writes "(null)".
 */
int scnprintf(char *buffer, size_t size, const char *format, ...)
	__printf(3, 4);
int vscnprintf(char *buffer, size_t size, const char *format, va_list arguments)
	__printf(3, 0);

/*
 * How much of TEXT goes on a line of WIDTH characters: all of it; or the part
 * that ends before the last blank or after the last '|' that fits; or WIDTH
 * characters, if there is neither.  TEXT is not broken at its leading blanks.
 * The next line begins with the next character that is not a blank.
 */
size_t fold_length(const char *text, size_t width);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * lib/format.h -- printf into a buffer.
 *
 * Understands %d %i %u %x %X %o %c %s %p %% with the flags - 0 + space #, width,
 * precision (both also as *), and the lengths hh h l ll z t j.  An unknown
 * conversion is copied as it stands.  Allocates nothing, takes no lock, may be
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

#endif

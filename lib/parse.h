/* SPDX-License-Identifier: MIT */
/*
 * lib/parse.h -- numbers and words out of untrusted text.  Every function
 * may be called from any context; a result is written only on success.
 */
#ifndef LIB_PARSE_H
#define LIB_PARSE_H

#include "lib/types.h"

/*
 * A whole unsigned number: decimal, or hexadecimal after 0x or 0X.  Returns
 * 0, -EINVAL (empty, or a character that is not a digit) or -ERANGE (above
 * 2^64-1).
 */
__must_check int parse_number(const char *text, uint64_t *number);

/* The same, down to -2^63 + 1 with a '-' in front and up to 2^63 - 1. */
__must_check int parse_signed(const char *text, int64_t *number);

/*
 * Like parse_number(), with an optional suffix k, K, m, M, g or G that
 * multiplies by 2^10, 2^20, 2^30: a size in bytes.
 */
__must_check int parse_size(const char *text, uint64_t *bytes);

#endif

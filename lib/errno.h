/* SPDX-License-Identifier: MIT */
/*
 * lib/errno.h -- error numbers, Linux's values.  A function that can fail
 * returns 0 or one of these, negated.
 */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

#define EPERM        1
#define ENOENT       2
#define EINTR        4
#define EIO          5
#define ENXIO        6
#define E2BIG        7
#define EAGAIN       11
#define ENOMEM       12
#define EFAULT       14
#define EBUSY        16
#define EEXIST       17
#define ENODEV       19
#define ENOTDIR      20
#define EISDIR       21
#define EINVAL       22
#define EFBIG        27
#define ENOSPC       28
#define EROFS        30
#define EMLINK       31
#define ERANGE       34
#define ENAMETOOLONG 36
#define ENOTEMPTY    39
#define ELOOP        40
#define EOVERFLOW    75
#define ETIMEDOUT    110
#define EUCLEAN      117 /* "structure needs cleaning" */

#endif

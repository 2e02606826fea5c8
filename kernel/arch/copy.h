/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/copy.h -- to and from memory that may not be the caller's.
 *
 * A file, an anonymous object or a directory copies to and from a buffer of
 * its caller, and holds locks and pages meanwhile.  The buffer may be an exclusive
 * page of another owner, or not memory at all.  The fault would then end the
 * thread, or the machine; here it becomes -EFAULT, and the caller unwinds.
 *
 * FROM or TO, the side that is named like the function, may be any address.  The
 * other side is the kernel's own: a fault there is what it always is.  After
 * -EFAULT the bytes before the fault may have been copied.  A guard page of a
 * stack is no buffer: that is a panic.
 *
 * Linux has copy_from_kernel_nofault() and copy_to_kernel_nofault() for this, and
 * copy_from_user() and its family for buffers of processes.
 *
 * Thread context.  Nothing is allocated, nothing waits.
 */
#ifndef KERNEL_ARCH_COPY_H
#define KERNEL_ARCH_COPY_H

#include "kernel/arch/trap.h"
#include "lib/types.h"

/* Copy SIZE bytes.  0 or -EFAULT. */
__must_check int copy_from_caller(void *to, const void *from, size_t size);
__must_check int copy_to_caller(void *to, const void *from, size_t size);

/* SIZE bytes of 0.  0 or -EFAULT. */
__must_check int clear_caller(void *to, size_t size);

/* strnlen(): the length of TEXT, at most SIZE; or -EFAULT. */
__must_check long strnlen_caller(const char *text, size_t size);

/*
 * For the handlers of exceptions: is the fault of FRAME one of a caller's buffer?
 * Then the function above goes on and returns -EFAULT when the handler returns.
 */
bool copy_fix_up(struct trap_frame *frame);

#endif

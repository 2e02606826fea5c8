/* SPDX-License-Identifier: MIT */
/*
 * mm/user/filemap_internal.h -- what the files of the page cache share.
 */
#ifndef MM_USER_FILEMAP_INTERNAL_H
#define MM_USER_FILEMAP_INTERNAL_H

#include "mm/user/filemap.h"

/* The map that PAGE is in: it is in one. */
struct filemap *filemap_of(const struct page *page);

/*
 * The first page from *INDEX on, with a reference for the caller, and *INDEX is its
 * number then; NULL: none.  Any context but NMI.
 */
struct page *filemap_find_from(struct filemap *map, unsigned long *index);

/*
 * Lock PAGE, which was in MAP when it was found.  False: it is not there any more; it is
 * unlocked then, and the caller's reference is dropped.  May sleep.
 */
__must_check bool filemap_lock_found(struct filemap *map, struct page *page);

#endif

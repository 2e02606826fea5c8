/* SPDX-License-Identifier: MIT */
/*
 * mm/user/filemap.h -- the page cache: what of a file is in memory.
 *
 * A struct filemap is the address_space of one file (or of anything else that is
 * read page by page) with an index from numbers to pages.  The index has one
 * reference to each of its pages; they are on the lru, and reclaim takes them
 * from there.
 *
 *	fill	read a page's contents from wherever they come from
 *	cut	take pages out, dirty or not
 *
 * Everything is for threads, and may sleep, unless it says otherwise.  A page that
 * is handed out has a reference for the caller: put_page(); the running thread holds
 * it (kernel/core/held.h).  A call that returns an
 * error has handed out nothing: *PAGE is NULL, and there is nothing to put.
 *
 * Linux's mm/filemap.c has the same names for what does the same.
 */
#ifndef MM_USER_FILEMAP_H
#define MM_USER_FILEMAP_H

#include "kernel/core/lock.h"
#include "mm/gfp.h"
#include "mm/reclaim/address_space.h"
#include "mm/user/filemap_tree.h"

/* Field locks: (l) lock, (c) constant. */
struct filemap {
	struct address_space space; /* ops and host (c), nrpages (l) */
	struct spinlock lock;
	struct filemap_tree tree; /* (l) */
	unsigned long changes;    /* (l) pages that came and went, ever */
	unsigned int adding;      /* atomic: calls that add a page now */
	int error;                /* atomic: of a write, since last asked */
	uint64_t dirtied;         /* atomic: since when it is dirty; 0: clean */
};

/* HOST is for OPS: page->mapping->host. */
void filemap_init(struct filemap *map, const struct address_space_ops *ops,
                  void *host);

/* The page with number INDEX, or NULL.  Any context but NMI. */
struct page *find_get_page(struct filemap *map, unsigned long index);

/*
 * The page with number INDEX, locked, made if there is none: then it is not
 * PG_uptodate and its bytes are anything.  0, -ENOMEM; -EFAULT: *PAGE is not the
 * caller's to write.
 */
__must_check int filemap_grab(struct filemap *map, unsigned long index,
                              gfp_t gfp, struct page **page);

/*
 * The same page with its contents: FILL reads them if nobody has yet, with the
 * page locked.  Not locked any more.  0, -ENOMEM or what FILL says: then it is
 * not in the index.
 */
__must_check int read_cache_page(struct filemap *map, unsigned long index,
                                 int (*fill)(struct page *page), gfp_t gfp,
                                 struct page **page);

/* The caller has changed PAGE.  A page that was cut off meanwhile stays clean. */
void filemap_dirty(struct page *page);

/*
 * A write of PAGE has failed with ERROR: it stays dirty, so nothing is lost while
 * there is memory, and the next filemap_writeback() of its map says so.  Before
 * end_page_writeback().  Any context but NMI.
 */
void filemap_write_failed(struct page *page, int error);

/* Write all dirty pages and wait.  0, or the error of a write since the last
 * call: those pages are still dirty. */
__must_check int filemap_writeback(struct filemap *map);

/*
 * Begin to write all dirty pages if the map has been dirty since BEFORE
 * (clock_microseconds()), and do not wait: not for locks of pages either.
 * Returns how many.
 */
unsigned long filemap_flush(struct filemap *map, uint64_t before);

/* Take PAGE, which is locked, out of its map, also if it is dirty; waits until it
 * is not on its way to the disk. */
void filemap_remove(struct page *page);

/* The same for all pages from number FIRST on.  Nobody adds any meanwhile. */
void filemap_cut(struct filemap *map, unsigned long first);

/* Take out what is clean and nobody uses; true: nothing is left.  Does not
 * wait. */
bool filemap_forget(struct filemap *map);

/* For address_space_ops.release and migrate. */
bool filemap_release(struct page *page);
int filemap_migrate(struct page *from, struct page *to);

/* Is the index in order (C1 to C4 in filemap.c)?  NULL, or a sentence, in
 * BUFFER.  Takes the lock for a slice of pages, or one node of the tree, at a
 * time; others go on meanwhile, and if pages come and go they are not counted
 * (mm/debug/check.h).  Any context but NMI. */
const char *filemap_check(struct filemap *map, char *buffer, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/address_space.h -- the owner of a page, as far as reclaim must know.
 *
 * A page on the lru has an owner: a file in the page cache, or an anonymous
 * object.  The owner has an index (page->index to page) which holds one
 * reference of the page.  Reclaim asks the owner for the page through these
 * operations; the owner answers "done", "busy" or "never".
 *
 * The life of such a page, as its owner sees it:
 *
 *	alloc_page(); lock_page(); page->mapping, page->index; [PG_swapbacked]
 *	into the index, which has the reference from here on
 *	lru_add(); unlock_page()
 *	    ... mark_page_accessed(), set_page_dirty(), writepage() ...
 *	either reclaim: release() takes it out of the index
 *	or truncation: lock_page(); out of the index; clear dirty; mapping = NULL;
 *	    unlock_page(); lru_remove(); put_page()
 *
 * Field locks: page->mapping and page->index change under the page's lock.
 */
#ifndef MM_ADDRESS_SPACE_H
#define MM_ADDRESS_SPACE_H

#include "mm/page.h"

/*
 * References of a page when release() is called and no other user has one: its
 * index, and reclaim itself.
 */
#define RECLAIM_REFERENCES 2

/*
 * Called in a thread that reclaims (THREAD_MEMALLOC is set), no lock held but
 * the page's.  They may sleep, but not for another page's lock, and allocate
 * from mempools only.
 */
struct address_space_ops {
	const char *name;

	/* writepage enters a file system: it is called only where __GFP_FS
	 * allows it. */
	bool needs_fs;

	/* So does release.  A page cache never needs it for a clean page. */
	bool release_needs_fs;

	/* writepage starts I/O: only where __GFP_IO allows it. */
	bool needs_io;

	/*
	 * The page is locked, its dirty bit was cleared by the caller.  Set
	 * PG_writeback, start the I/O, unlock the page; end_page_writeback()
	 * when it is on disk (PG_error set if not).  0, or -errno: then the
	 * page is dirty again (set_page_dirty()) and unlocked.  NULL: such
	 * pages are not written by reclaim.
	 */
	int (*writepage)(struct page *page);

	/* Anonymous pages only: give the page, which is locked, a place on
	 * swap; sets PG_swapcache and dirties it.  0 or -errno. */
	int (*add_to_swap)(struct page *page);

	/*
	 * The page is locked, clean, not under writeback, off the lru.  If it
	 * still is clean and has RECLAIM_REFERENCES, seen under the index's own
	 * lock: take it out of the index, clear page->mapping, drop the index's
	 * reference, and return true.  Otherwise change nothing: false, it
	 * is busy.  The page stays locked; the caller unlocks and frees it.
	 */
	bool (*release)(struct page *page);

	/*
	 * FROM, locked, off the lru and not under writeback, moves to TO, a new
	 * page that is locked.  If FROM has RECLAIM_REFERENCES, seen under the
	 * index's own lock: migrate_replace() under that lock, TO into the index
	 * (and the swap cache) in FROM's place, drop the index's reference of
	 * FROM; 0.  Otherwise change nothing: -EAGAIN.  NULL: such pages stay
	 * where they are.
	 */
	int (*migrate)(struct page *from, struct page *to);

	/* Was it used since the last call?  For mapped pages; NULL:
	 * mark_page_accessed() is enough. */
	bool (*referenced)(struct page *page);
};

struct address_space {
	const struct address_space_ops *ops;
	unsigned long nrpages;
	void *host;
};

#endif

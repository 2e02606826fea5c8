/* SPDX-License-Identifier: MIT */
/*
 * mm/user/ -- the owners of reclaimable pages: anonymous memory and files.
 *
 *	anon.h		anonymous memory: this file
 *	anon.c		objects and their words, invariants A1..A4
 *	anon_access.c	reading and writing; faults of absent pages
 *	anon_reclaim.c	what reclaim calls: swap out
 *	anon_unuse.c	swapoff() brings pages back
 *	anon_drop.c	the end of pages and objects; the OOM reaper
 *	anon_check.c	the invariants, checked
 *	filemap.h	the page cache: pages of a file, by their number
 *
 * Both are address spaces (mm/reclaim/address_space.h) for reclaim.  Below: mm/swap/.
 * Above: kernel/fs/ for the page cache, the shell's `anon` and the demonstrations.
 * Linux: mm/memory.c, mm/rmap.c, mm/shmem.c; mm/filemap.c.
 *
 * Anonymous memory has no file behind it.
 * An object is a row of pages that belongs to a thread (later to a process).
 * It is created without any memory: a page is allocated when it is first written,
 * and reads as zeroes until then.  Under pressure the pages go to swap and come
 * back when they are used.
 *
 * Thread context for all functions; those that may sleep or allocate say so.
 * Any number of threads may use an object at the same time; writes of two of them to
 * the same bytes are not ordered.
 */
#ifndef MM_USER_ANON_H
#define MM_USER_ANON_H

#include "mm/swap/swap.h"

struct anon_object;
struct thread;

/* Pages of a table page, and of the largest object: what a page of pointers to
 * table pages, less 128 bytes for the object itself, can hold. */
#define ANON_LEAF_PAGES (PAGE_SIZE / sizeof(uintptr_t))
#define ANON_LEAVES     ((PAGE_SIZE - 128) / sizeof(uintptr_t *))
#define ANON_MAX_PAGES  (ANON_LEAVES * ANON_LEAF_PAGES)

/* No objects; swapoff() empties its areas by anon_unuse().  Once, behind
 * swap_start(). */
void anon_start(void);

/*
 * An object of 1 .. ANON_MAX_PAGES pages that the running thread owns: its
 * pages count as the thread's rss, its slots as swapents.  NULL: too large, or
 * no memory.  May sleep.
 */
__must_check struct anon_object *anon_object_create(unsigned long pages);

/* All pages and slots are free again; waits for those that are being written.
 * Nobody else uses the object.  May sleep, never allocates. */
void anon_object_destroy(struct anon_object *object);

/*
 * Copy BYTES bytes into or out of the object, from byte OFFSET on; pages come
 * back from swap for it.  0; -EINVAL: outside of the object; -ENOMEM; the error
 * of the device that a page could not be read from; -EFAULT: the object was
 * reaped, or the buffer is not the caller's (kernel/arch/copy.h).  After an error
 * the bytes before the page concerned are copied, and after -EFAULT perhaps some of
 * it.  May sleep and allocate; the caller holds no lock that reclaim takes.
 */
__must_check int anon_object_write(struct anon_object *object,
                                   unsigned long offset, const void *from,
                                   unsigned long bytes);
__must_check int anon_object_read(struct anon_object *object,
                                  unsigned long offset, void *to,
                                  unsigned long bytes);

/*
 * Page INDEX in memory, with a reference: until anon_object_unpin() it stays
 * where it is.  It is allocated if it was never touched.  Errors as above, -EFAULT
 * also if *PAGE is not the caller's to write; after one, *PAGE is NULL and there is
 * nothing to unpin.
 */
__must_check int anon_object_pin(struct anon_object *object,
                                 unsigned long index, struct page **page);
/* WRITTEN: the page was changed. */
void anon_object_unpin(struct page *page, bool written);

/* Its pages now: all, in memory, on swap. */
struct anon_usage {
	unsigned long pages;
	unsigned long resident;
	unsigned long swapped;
};
struct anon_usage anon_object_usage(struct anon_object *object);

/*
 * Send page INDEX to swap now, if it is in memory, waiting for the write.  0:
 * it is not in memory any more; -EBUSY: pinned; -ENOSPC: swap is full; the
 * error of the device.  May sleep, never allocates.
 */
int anon_object_swap_out(struct anon_object *object, unsigned long index);

/*
 * Take all memory and slots away from the objects of OWNER, for the OOM killer;
 * accesses fail with -EFAULT from now on.  Never waits, never allocates.
 * True: nothing is left.  False: some pages are locked, under writeback or
 * pinned: try again later.
 */
bool anon_reap(uint64_t owner);

/* OWNER is about to vanish; its objects belong to nobody from now on. */
void anon_disown(struct thread *owner);

/*
 * Bring everything that is on area TYPE, which is going, back into memory.  0; -EINTR
 * (killed), -ENOMEM, -EBUSY or the device's error: nothing is lost, some of it still
 * is on the area.  May sleep and allocate; never makes the OOM killer kill.
 */
__must_check int anon_unuse(unsigned int type);

/*
 * Do all objects add up?  NULL or a sentence in BUFFER.  A page that is locked or
 * taken by reclaim at the moment is passed over; a reference too many is found
 * when nobody uses anonymous memory.  Takes an object's lock for a slice of its
 * pages at a time; an object that does not stand still is not counted
 * (mm/debug/check.h).  Thread context.
 */
const char *anon_check(char *buffer, size_t size);

#endif

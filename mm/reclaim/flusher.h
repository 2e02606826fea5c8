/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/flusher.h -- the thread that writes dirty pages of files.
 *
 * A mounted file system registers as a source of dirty pages; it knows which of
 * its files have some, and takes its own locks.
 */
#ifndef MM_RECLAIM_FLUSHER_H
#define MM_RECLAIM_FLUSHER_H

#include "mm/node.h"

struct writeback_source {
	const char *name;
	/*
	 * Begin to write all pages of what became dirty at BEFORE
	 * (clock_microseconds()) or earlier, and do not wait for the end.
	 * Returns how many pages.  Thread context; may sleep, but must not
	 * allocate except from mempools.
	 */
	unsigned long (*write)(struct writeback_source *source,
	                       uint64_t before);
	struct list link;
};

/* Of main_node().  Unregistering waits until the source is not being asked.
 * Thread context, without a lock that write() takes. */
void register_writeback_source(struct writeback_source *source);
void unregister_writeback_source(struct writeback_source *source);

/* There is something to write.  Any context but NMI. */
void wakeup_flusher(struct node *node);

/* Ask all sources once: for everything if NODE is above its background limit,
 * otherwise for pages dirty for longer than writeback.expire.  Returns pages begun. */
unsigned long flusher_write(struct node *node);

/* One turn of the flusher: sleep until called or for writeback.interval; then
 * write. */
void flusher_step(struct node *node);

/* The thread's function; never returns. */
void flusher_run(void *node);

#endif

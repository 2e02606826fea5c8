/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/space.h -- an address space of a test's own.
 *
 * Pages of the main node in an array, which is the index, and an owner that
 * answers reclaim as the test has set it to, and counts the calls.
 */
#ifndef TESTS_MM_SPACE_H
#define TESTS_MM_SPACE_H

#include "kernel/core/lock.h"
#include "mm/node.h"
#include "mm/reclaim/address_space.h"

#define SPACE_PAGES 4096UL

enum space_kind {
	SPACE_PLAIN, /* a file whose owner needs neither FS nor I/O */
	SPACE_FILE,  /* a file: it wants FS and IO */
	SPACE_ANON,  /* swap */
};

struct space {
	struct address_space mapping;
	struct spinlock lock;

	/* Its answers. */
	bool busy;                 /* release: no */
	bool writes_last;          /* until space_end_writes() */
	int write_error;           /* writepage fails with it */
	void (*begin_write)(void); /* writepage calls it; NULL */
	unsigned long slots;       /* add_to_swap: left */
	bool used[SPACE_PAGES];    /* referenced: since asked last */

	/* Calls. */
	unsigned long releases; /* successful ones */
	unsigned long refused;
	unsigned long writes;
	unsigned long swaps;
	unsigned int flags; /* of the thread that released last */

	struct page *page[SPACE_PAGES];
};

void space_init(struct space *space, enum space_kind kind);

/* One more page, allocated with MASK, inactive; NULL.  Thread context. */
struct page *space_add(struct space *space, gfp_t mask);

/* COUNT more pages; how many it was. */
unsigned long space_fill(struct space *space, gfp_t mask, unsigned long count);

/* Page INDEX leaves the space and is freed, as when a file is cut. */
void space_truncate(struct space *space, unsigned long index);
void space_clear(struct space *space);

/* At most COUNT pages that are under writeback are on the disk now. */
unsigned long space_end_writes(struct space *space, unsigned long count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/contig_scene.h -- a zone of eight pageblocks, frame by frame.
 *
 * At first every frame is in use by an owner that keeps it, as a slab does.  A case gives
 * frames back, or lets pages of a file or anonymous ones lie in them.
 */
#ifndef TESTS_HOST_CONTIG_SCENE_H
#define TESTS_HOST_CONTIG_SCENE_H

#include "mm/buddy.h"
#include "mm/pageblock.h"
#include "tests/host/test_reclaim.h"

/* Files want FS and IO (SPACE_FILE) or not (SPACE_PLAIN). */
void contig_scene_start(enum space_kind kind);

/* The same with all frames free. */
void contig_scene_start_free(void);

/* The frames FIRST..END-1, in use by that owner, become free. */
void contig_scene_give(unsigned long first, unsigned long end);

/* The next page of SPACE lies in frame PFN, which that owner has; nothing is free yet.  Its
 * bytes are the low bits of its index. */
struct page *contig_scene_put(struct space *space, unsigned long pfn);

/* The same for the frames FIRST..END-1. */
void contig_scene_put_all(struct space *space, unsigned long first,
                          unsigned long end);

/* The frames FIRST..END-1, in use by that owner, are in no block: boot keeps them. */
void contig_scene_reserve(unsigned long first, unsigned long end);

/* Does each page of SPACE still have its bytes? */
bool contig_scene_intact(const struct space *space);

/* The type of pageblock NUMBER. */
enum migratetype contig_scene_type(unsigned long number);

/* NULL, or a sentence: which invariant is broken. */
const char *contig_scene_check(void);

/* The same, and nothing is isolated; everything is given back. */
const char *contig_scene_end(void);

#endif

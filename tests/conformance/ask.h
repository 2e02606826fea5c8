/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask.h -- what questions.c needs of the kernel that it asks.
 *
 * The questions are compiled twice: into a module of Linux (linux.c) and into a program
 * of the host with Labyrinth's mm/ (labyrinth.c).  Both sides have alloc_pages(),
 * __free_pages() and so on by their own headers; what is here they write themselves.
 *
 * A scene is one zone, DMA32, with the same number of managed pages on both sides.  All
 * its pages are taken, and so are those of other zones; the first ARENA_PAGES, aligned to
 * 1024, belong to the questions, which free some of them and then ask.  A place is the
 * number of a page in there.  Per-CPU lists are off.  Nobody else allocates, reclaims or
 * kills: the scene's story scripts reclaim, compaction, the killer and kswapd.
 */
#ifndef TESTS_CONFORMANCE_ASK_H
#define TESTS_CONFORMANCE_ASK_H

#ifdef MODULE
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#else
#include "tests/host/libmm.h"
#endif

#define ARENA_BLOCKS 16UL
#define ARENA_PAGES  (ARENA_BLOCKS * 512)

enum scene_context {
	SCENE_THREAD,
	SCENE_MEMALLOC,      /* a thread with PF_MEMALLOC */
	SCENE_VICTIM,        /* one that the OOM killer chose */
	SCENE_SOFT,          /* a softirq */
	SCENE_SOFT_MEMALLOC, /* the same on top of a thread with PF_MEMALLOC */
	SCENE_HARD,          /* a hard interrupt */
	SCENE_HARD_MEMALLOC, /* the same on top of a thread with PF_MEMALLOC */
};

/* A new scene: all is taken, all pageblocks are MOVABLE, marks, reserves, boost and
 * boost's factor are 0. */
void scene_begin(void);

void scene_set_marks(unsigned long lowest, unsigned long low,
                     unsigned long high);

/* The block of ORDER at PLACE becomes free. */
void scene_free(unsigned long place, unsigned int order);

/* Until scene_leave() the caller is in CONTEXT. */
void scene_enter(enum scene_context context);
void scene_leave(void);

/* The free pages of the zone, by its counter. */
unsigned long scene_free_pages(void);

/* A line of the answers: "question: answer". */
__printf(1, 2) void scene_say(const char *format, ...);

/* All questions, one after the other. */
void ask_questions(void);

#endif

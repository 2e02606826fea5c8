/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/map.h -- all memory as a picture, while the kernel runs.
 *
 * Each cell is a frame, or several where the screen has fewer cells than memory has
 * frames.  The upper part of the screen shows it, and the consoles go on below.  A
 * thread brings it up to date ten times a second, or less often: it takes at most a
 * twentieth of the time.
 *
 * It reads struct pages without a lock.  A page that changes meanwhile is seen as it
 * was before or after, and a block that is split just then may be seen wrong until the
 * next time.
 */
#ifndef KERNEL_DEMO_MAP_H
#define KERNEL_DEMO_MAP_H

#include "lib/types.h"

/* The colours of the cells stand for ... */
enum map_mode {
	MAP_STATE, /* the use of a frame */
	MAP_TYPE,  /* the type of its pageblock; bright: in use */
	MAP_OWNER, /* the thread or interrupt that took it last */
	MAP_AGE,   /* the time since its use changed, as the map saw it */
	MAP_MODES,
};

/* At most so many things have colours in a mode. */
#define MAP_KINDS 16U

/*
 * Show the map, or show it in another mode.  0, -ENOMEM, or -ENOSPC: the screen is too
 * small.  Thread context; may wait.
 */
__must_check int map_show(enum map_mode mode);

/* Give the screen back; the thread has ended on return.  Thread context; may wait. */
void map_hide(void);

/* The boot word "map": show it, unless it is missing.  Thread context, once. */
void map_start(void);

/* Is it shown?  Any context. */
bool map_is_shown(void);

const char *map_mode_name(enum map_mode mode); /* "state" */

/* Frames of kind KIND when the map last looked, and its name, NULL: no such kind.
 * Thread context. */
unsigned long map_count(unsigned int kind);
const char *map_kind_name(unsigned int kind);

/* The kind of frame PFN when the map last looked, MAP_KINDS if it is none of the
 * node's.  If a cell is several frames, the one that matters most.  Thread context. */
unsigned int map_kind_of(unsigned long pfn);

/* Look once more, now; and wait for it.  It is shown.  Thread context. */
void map_refresh(void);

/* Frames in a cell, and of a framebuffer the pixels of its side.  It is shown. */
unsigned int map_cell_frames(void);
unsigned int map_cell_pixels(void);

#endif

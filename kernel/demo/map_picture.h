/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/map_picture.h -- where the map's cells are on the screen, and its panel.
 *
 * With a framebuffer a cell is a square of pixels; in text mode it is a letter.  To the
 * right there is a panel: the zones' free pages with their marks, the pool of exclusive
 * pages, and the meaning of the colours.
 *
 *	+--------------------------------------+------------+
 *	| cells, row by row                    | gauges     |
 *	|                                      | legend     |
 *	+--------------------------------------+------------+
 *	| the consoles                                      |
 *	+---------------------------------------------------+
 *
 * Called with the map's lock held.
 */
#ifndef KERNEL_DEMO_MAP_PICTURE_H
#define KERNEL_DEMO_MAP_PICTURE_H

#include "lib/types.h"

struct node;

struct map_kind {
	const char *name;
	char letter;  /* in text mode */
	uint32_t rgb; /* of pixels */
};

struct map_shape {
	unsigned long cells;
	unsigned int frames;  /* a cell has so many, a power of two */
	unsigned int pixels;  /* the side of a cell; 0: text mode */
	unsigned int columns; /* cells in a row */
	unsigned int rows;    /* of text that the map takes */
	unsigned int panel;   /* the column of text where the panel begins */
};

/* Take the upper part of the screen for FRAMES frames.  False: it is too small. */
bool map_picture_begin(struct map_shape *shape, unsigned long frames);

/* Give it back. */
void map_picture_end(void);

/* Make it blank. */
void map_picture_clear(const struct map_shape *shape);

/* LIT: as if it flashed. */
void map_draw_cell(const struct map_shape *shape, unsigned long cell,
                   const struct map_kind *kind, bool lit);

/* The panel: NODE's numbers, the mode, and COUNT frames of each kind.  A look took
 * TOOK microseconds. */
void map_draw_panel(const struct map_shape *shape, struct node *node,
                    const char *mode, const struct map_kind *kind,
                    unsigned int kinds, const unsigned long *count,
                    uint64_t took);

#endif

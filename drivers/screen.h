/* SPDX-License-Identifier: MIT */
/*
 * drivers/screen.h -- the screen: lines of characters, with colours and scrollback.
 *
 * The sink "screen".  A display draws the characters: the VGA's text mode (drivers/vga.h) or a
 * framebuffer (drivers/framebuffer.h).
 */
#ifndef DRIVERS_SCREEN_H
#define DRIVERS_SCREEN_H

#include "lib/types.h"

/* A display has at most so many cells. */
#define SCREEN_CELLS 8000U

/*
 * A display: its size, and how a cell is shown, at a row and a column that are within
 * it.  A cell is a character (low byte), the colour of its strokes (bits 8..11) and
 * the one behind it (bits 12..15); colours are those of the VGA: 1 blue, 2 green,
 * 4 red, 8 bright; 0 is no cell.  mark() moves the display's own cursor there, ROW beyond
 * the last one: nowhere; NULL: it has none.  Both are called with the screen's lock held,
 * and in a panic without it.  It is blank before the first call.
 */
struct screen_display {
	unsigned int columns;
	unsigned int rows; /* columns * rows <= SCREEN_CELLS */
	void (*show)(unsigned int row, unsigned int column, uint16_t cell);
	void (*mark)(unsigned int row, unsigned int column);
};

/* DISPLAY is the screen: register the sink "screen".  Once, early in boot. */
void screen_init(const struct screen_display *display);

/*
 * From now on the lines are kept in RING, which has room for CELLS cells, all that the
 * screen has kept so far and more, and the worker draws and notes in DRAWN which cells
 * it has drawn: SCREEN_CELLS cells, all 0.  Both are the screen's for good.  Thread
 * context, once.
 */
void screen_use_ring(uint16_t *ring, size_t cells, uint16_t *drawn);

/*
 * Look LINES further back (negative: forward), as far as there are lines.  New
 * output returns to the end.  Thread context, or a panic.
 */
void screen_scrollback(int lines);

/* The same by half a screen if KEY is Page Up or Page Down.  False: it is not. */
bool screen_scroll_key(int key);

/* The size of the screen, in characters: the rows of the consoles, and all.  Any
 * context. */
unsigned int screen_columns(void);
unsigned int screen_rows(void);
unsigned int screen_full_rows(void);

/*
 * From now on the first TOP rows, half of them all or a few more, are not the consoles';
 * 0: they are.  The newest lines stay on the screen.  A panic takes the rows back.
 * Thread context.
 */
void screen_set_top(unsigned int top);

/* Show CELL there in the upper part; nothing happens beyond it.  Thread context; one
 * caller. */
void screen_top_cell(unsigned int row, unsigned int column, uint16_t cell);

/* Draw all that was written before the call.  Thread context. */
void screen_draw(void);

/* The cell that is seen there.  For tests: thread context, while nobody writes. */
uint16_t screen_cell(unsigned int row, unsigned int column);

#endif

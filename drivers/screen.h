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
 * 4 red, 8 bright.  mark() shows the cursor over CELL there; ROW beyond the last one:
 * nowhere.  Both are called with the screen's lock held, and in a panic without it.
 */
struct screen_display {
	unsigned int columns;
	unsigned int rows; /* columns * rows <= SCREEN_CELLS */
	void (*show)(unsigned int row, unsigned int column, uint16_t cell);
	void (*mark)(unsigned int row, unsigned int column, uint16_t cell);
};

/* Clear the screen and register the sink "screen".  Once, early in boot. */
void screen_init(const struct screen_display *display);

/*
 * From now on the lines are kept in RING, which is the screen's for good and has room
 * for CELLS cells: all that the screen has kept so far, and more.  Thread context.
 */
void screen_use_ring(uint16_t *ring, size_t cells);

/*
 * Look LINES further back (negative: forward), as far as there are lines.  New
 * output returns to the end.  Thread context, or a panic.
 */
void screen_scrollback(int lines);

/* The same by half a screen if KEY is Page Up or Page Down.  False: it is not. */
bool screen_scroll_key(int key);

/* The size of the screen, in characters.  Any context. */
unsigned int screen_columns(void);
unsigned int screen_rows(void);

/* The cell that is seen there.  For tests: thread context, while nobody writes. */
uint16_t screen_cell(unsigned int row, unsigned int column);

#endif

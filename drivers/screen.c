/* SPDX-License-Identifier: MIT */
/*
 * drivers/screen.c -- what is on the screen: lines, colours, the cursor.
 *
 * A cell is two bytes, as in the VGA's text mode: a character, and its colours,
 * the background in the high four bits.  The lines are kept in a ring, and a
 * display (drivers/vga.c, drivers/framebuffer.c) shows single cells.  Video memory is
 * never read, which would be slow.  The screen is a view of the ring:
 *
 *	ring  | oldest ... | view: a screen while scrolled back | ... |
 *	                   | ... | live: the newest lines             |
 *
 * The first ring has room for 8000 cells: 100 lines of 80 columns.  A wide screen
 * gets another one when there is memory, screen_use_ring().  Scrolling by one line
 * shows only the cells that differ from those seen before.
 *
 * Understood of ECMA-48: ESC [ n m (colours, bold, reverse), ESC [ n K and
 * ESC [ n J (erase in the line, in the screen: 0 from the cursor on, 1 up to and
 * with the cursor, 2 all), ESC [ row ; column H, ESC [ n C and ESC [ n D
 * (cursor).  Other sequences are swallowed.
 *
 * Locking: screen.lock, for one call of the sink and those of the display in it.  In a
 * panic it is tried and then ignored: the worst that comes of it is a garbled line, as
 * every index is brought into range before it is used.
 */
#include "drivers/screen.h"

#include "kernel/core/console.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "lib/string.h"

#define TAB_STOP       8U

#define COLOUR_DEFAULT 0x07 /* light grey on black */
#define PARAMETERS     4U

enum escape_state {
	TEXT,
	ESCAPE,   /* ESC */
	SEQUENCE, /* ESC [ */
};

static uint16_t first_ring[SCREEN_CELLS];

static struct {
	struct spinlock lock;
	const struct screen_display *display;
	uint16_t *ring; /* LINES lines of the display's columns */
	unsigned int lines;
	unsigned int first; /* ring index of the first live line */
	unsigned int
		depth; /* lines before it that were written, <= lines - rows */
	unsigned int back;       /* lines the view is scrolled back, <= depth */
	unsigned int row;        /* of the cursor */
	unsigned int column;     /* the number of columns: the line is full */
	unsigned int marked_row; /* where the display shows the cursor */
	unsigned int marked_column;
	uint8_t colour;
	bool bold;
	bool reverse;
	uint8_t state; /* enum escape_state */
	unsigned int parameter[PARAMETERS];
	unsigned int parameters; /* index of the current one */
} screen = {
	.lock = SPINLOCK_INIT("screen"),
	.ring = first_ring,
	.colour = COLOUR_DEFAULT,
};

static unsigned int width(void)
{
	return screen.display->columns;
}

static unsigned int height(void)
{
	return screen.display->rows;
}

/* The line that is BACK lines before live row ROW. */
static uint16_t *ring_line(unsigned int row, unsigned int back)
{
	unsigned int line = screen.first + row + screen.lines - back;

	return &screen.ring[(size_t)(line % screen.lines) * width()];
}

/* A space in the current colours: background in the high four bits. */
static uint16_t blank_cell(void)
{
	uint8_t front = screen.colour & 0x0f;
	uint8_t behind = screen.colour >> 4;

	if (screen.bold)
		front |= 0x08;
	if (screen.reverse)
		return (uint16_t)((front << 12) | (behind << 8) | ' ');
	return (uint16_t)((behind << 12) | (front << 8) | ' ');
}

/* Show cell COLUMN of LINE at screen row ROW. */
static void screen_show_cell(unsigned int row, unsigned int column,
                             uint16_t cell)
{
	if (row < height() && column < width())
		screen.display->show(row, column, cell);
}

static void screen_show_line(unsigned int row)
{
	const uint16_t *line = ring_line(row, screen.back);

	for (unsigned int column = 0; column < width(); column++)
		screen_show_cell(row, column, line[column]);
}

static void screen_show_all(void)
{
	for (unsigned int row = 0; row < height(); row++)
		screen_show_line(row);
}

/* The cell that the view shows there. */
static uint16_t view_cell(unsigned int row, unsigned int column)
{
	return ring_line(row, screen.back)[column];
}

/* The cursor's mark is drawn over a cell: the one that had it is shown again. */
static void show_cursor(void)
{
	unsigned int row = screen.row % height();
	unsigned int column = min(screen.column, width() - 1U);

	if (screen.marked_row < height() && screen.marked_column < width())
		screen_show_cell(
			screen.marked_row, screen.marked_column,
			view_cell(screen.marked_row, screen.marked_column));
	if (screen.back != 0)
		row = height();
	screen.marked_row = row;
	screen.marked_column = column;
	screen.display->mark(row, column,
	                     row < height() ? view_cell(row, column) : 0);
}

static void put_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	row %= height();
	column %= width();
	ring_line(row, 0)[column] = cell;
	screen_show_cell(row, column, cell);
}

static void clear_cells(unsigned int row, unsigned int from, unsigned int to)
{
	for (unsigned int column = from; column < to; column++)
		put_cell(row, column, blank_cell());
}

/* The screen shows the live lines; from now on, those one further down. */
static void show_scrolled(void)
{
	for (unsigned int row = 0; row < height(); row++) {
		const uint16_t *was = ring_line(row, 1);
		const uint16_t *is = ring_line(row, 0);

		for (unsigned int column = 0; column < width(); column++) {
			if (was[column] != is[column])
				screen_show_cell(row, column, is[column]);
		}
	}
}

static void scroll(void)
{
	uint16_t *fresh;

	screen.first = (screen.first + 1) % screen.lines;
	screen.depth = min(screen.depth + 1, screen.lines - height());
	fresh = ring_line(height() - 1, 0);
	for (unsigned int column = 0; column < width(); column++)
		fresh[column] = blank_cell();
	show_scrolled();
}

static void new_line(void)
{
	screen.column = 0;
	if (screen.row + 1 < height())
		screen.row++;
	else
		scroll();
}

static void put_character(uint8_t character)
{
	if (screen.column >= width())
		new_line();
	put_cell(screen.row, screen.column,
	         (uint16_t)((blank_cell() & 0xff00) | character));
	screen.column++;
}

/* ANSI counts red as bit 0 and blue as bit 2, a cell the other way round. */
static uint8_t screen_colour(unsigned int ansi)
{
	return (uint8_t)(((ansi & 1) << 2) | (ansi & 2) | ((ansi & 4) >> 2));
}

static void set_front(unsigned int colour)
{
	screen.colour = (uint8_t)((screen.colour & 0xf0) | colour);
}

static void set_behind(unsigned int colour)
{
	screen.colour = (uint8_t)((screen.colour & 0x0f) | (colour << 4));
}

static void set_rendition(unsigned int value)
{
	if (value == 0) {
		screen.colour = COLOUR_DEFAULT;
		screen.bold = false;
		screen.reverse = false;
	} else if (value == 1 || value == 22) {
		screen.bold = value == 1;
	} else if (value == 7 || value == 27) {
		screen.reverse = value == 7;
	} else if (value >= 30 && value <= 37) {
		set_front(screen_colour(value - 30));
	} else if (value >= 90 && value <= 97) {
		set_front(screen_colour(value - 90) | 0x08U);
	} else if (value >= 40 && value <= 47) {
		set_behind(screen_colour(value - 40));
	} else if (value == 39) {
		set_front(COLOUR_DEFAULT);
	} else if (value == 49) {
		set_behind(0);
	}
}

enum erase {
	ERASE_AFTER,  /* the cursor's cell and what follows */
	ERASE_BEFORE, /* what comes first, and the cursor's cell */
	ERASE_ALL,
};

/* Behind a full line the cursor's cell is the last one. */
static void erase_line(unsigned int what)
{
	unsigned int column = min(screen.column, width() - 1U);

	if (what <= ERASE_ALL)
		clear_cells(screen.row, what == ERASE_AFTER ? column : 0,
		            what == ERASE_BEFORE ? column + 1 : width());
}

static void erase_screen(unsigned int what)
{
	for (unsigned int row = 0; row < height(); row++) {
		bool before = row < screen.row && what != ERASE_AFTER;
		bool after = row > screen.row && what != ERASE_BEFORE;

		if (what <= ERASE_ALL && (before || after))
			clear_cells(row, 0, width());
	}
	erase_line(what);
}

static void screen_move_to(unsigned int row, unsigned int column)
{
	screen.row = min(row, height() - 1U);
	screen.column = min(column, width() - 1U);
}

static void end_sequence(char final)
{
	const unsigned int *parameter = screen.parameter;
	unsigned int steps = max(parameter[0], 1U);

	switch (final) {
	case 'm':
		for (unsigned int i = 0; i <= screen.parameters; i++)
			set_rendition(parameter[i]);
		break;
	case 'K':
		erase_line(parameter[0]);
		break;
	case 'J':
		erase_screen(parameter[0]);
		break;
	case 'H':
		screen_move_to(steps - 1, max(parameter[1], 1U) - 1);
		break;
	case 'C':
		screen_move_to(screen.row, screen.column + steps);
		break;
	case 'D':
		screen_move_to(screen.row,
		               screen.column - min(screen.column, steps));
		break;
	default:
		break;
	}
}

static void put_sequence(char c)
{
	unsigned int *current =
		&screen.parameter[screen.parameters % PARAMETERS];

	if (c >= '0' && c <= '9') {
		*current = min(*current * 10 + (unsigned int)(c - '0'), 999U);
	} else if (c == ';') {
		screen.parameters = min(screen.parameters + 1, PARAMETERS - 1);
		screen.parameter[screen.parameters] = 0;
	} else if (c >= '@' && c <= '~') {
		screen.state = TEXT;
		end_sequence(c);
	}
}

static void screen_put_text(char c)
{
	switch (c) {
	case '\033':
		screen.state = ESCAPE;
		break;
	case '\n':
		new_line();
		break;
	case '\r':
		screen.column = 0;
		break;
	case '\b':
		screen.column -= screen.column > 0;
		break;
	case '\t':
		do
			put_character(' ');
		while (screen.column % TAB_STOP != 0);
		break;
	case '\a':
	case '\0':
		break;
	default:
		put_character((uint8_t)c);
		break;
	}
}

static void screen_put(char c)
{
	switch (screen.state) {
	case ESCAPE:
		screen.state = c == '[' ? SEQUENCE : TEXT;
		screen.parameters = 0;
		for (unsigned int i = 0; i < PARAMETERS; i++)
			screen.parameter[i] = 0;
		break;
	case SEQUENCE:
		put_sequence(c);
		break;
	default:
		screen_put_text(c);
		break;
	}
}

static void screen_write(const char *text, size_t size)
{
	struct console_writer writer;

	if (!console_begin_write(&writer, &screen.lock) && !panic_in_progress())
		return;
	if (screen.back != 0) {
		screen.back = 0;
		screen_show_all();
	}
	for (size_t i = 0; i < size; i++)
		screen_put(text[i]);
	show_cursor();
	console_end_write(&writer);
}

static struct console_sink screen_sink = {
	.name = "screen",
	.write = screen_write,
};

void screen_scrollback(int lines)
{
	struct console_writer writer;
	int back;

	/* Page Up works after a panic, too. */
	(void)console_begin_write(&writer, &screen.lock);
	back = clamp((int)screen.back + lines, 0, (int)screen.depth);
	if ((unsigned int)back != screen.back) {
		screen.back = (unsigned int)back;
		screen_show_all();
		show_cursor();
	}
	console_end_write(&writer);
}

bool screen_scroll_key(int key)
{
	int half = (int)height() / 2;

	if (key != KEY_PAGE_UP && key != KEY_PAGE_DOWN)
		return false;
	screen_scrollback(key == KEY_PAGE_UP ? half : -half);
	return true;
}

void screen_init(const struct screen_display *display)
{
	screen.display = display;
	screen.lines = SCREEN_CELLS / display->columns;
	screen_sink.columns = display->columns;
	for (unsigned int row = 0; row < height(); row++)
		clear_cells(row, 0, width());
	show_cursor();
	console_register_sink(&screen_sink);
}

uint16_t screen_cell(unsigned int row, unsigned int column)
{
	return view_cell(row % height(), column % width());
}

void screen_use_ring(uint16_t *ring, size_t cells)
{
	unsigned int lines = (unsigned int)(cells / width());
	unsigned int kept = screen.depth + height();
	uint16_t *to = ring;

	kassert(lines >= kept);
	spin_lock(&screen.lock);
	for (unsigned int i = 0; i < kept; i++, to += width())
		memcpy(to, ring_line(i, screen.depth), width() * sizeof(*to));
	screen.ring = ring;
	screen.lines = lines;
	screen.first = screen.depth;
	spin_unlock(&screen.lock);
}

unsigned int screen_columns(void)
{
	return width();
}

unsigned int screen_rows(void)
{
	return height();
}

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
 * A framebuffer takes long to draw, so once there are threads the worker does it
 * (kernel/core/work.h): a writer changes the ring and goes on, and whatever was written
 * until the worker comes, 20 ms later, is drawn once.  It compares the view with the cells that it has
 * drawn, row by row.  In a panic the writer draws.
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
#include "kernel/core/work.h"
#include "lib/string.h"

#define TAB_STOP       8U

/* The worker draws 50 times a second at most, microseconds. */
#define DRAW_DELAY     20000U

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
	uint16_t *ring;          /* LINES lines of the display's columns */
	uint16_t *drawn;         /* by the worker, or 0; NULL: writers draw */
	unsigned int stale_from; /* rows that the worker has to look at */
	unsigned int stale_to;   /* the first one behind them */
	unsigned int lines;
	unsigned int top;   /* rows above the consoles' */
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

/* Of the consoles' part. */
static unsigned int height(void)
{
	return screen.display->rows - screen.top;
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

/* Does the worker draw? */
static bool is_lazy(void)
{
	return screen.drawn != NULL && !panic_in_progress();
}

static void now_stale(unsigned int from, unsigned int to)
{
	if (screen.stale_to == 0)
		screen.stale_from = from;
	screen.stale_from = min(screen.stale_from, from);
	screen.stale_to = max(screen.stale_to, to);
}

static void screen_show_cell(unsigned int row, unsigned int column,
                             uint16_t cell)
{
	if (is_lazy())
		now_stale(row, row + 1);
	else if (row < height() && column < width())
		screen.display->show(screen.top + row, column, cell);
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

/* Without a cursor of the display's the colours of its cell are exchanged. */
static uint16_t marked(uint16_t cell)
{
	return (uint16_t)((cell & 0x00ff) | (cell & 0x0f00) << 4 |
	                  (cell & 0xf000) >> 4);
}

/* The cell that had the cursor is shown without it. */
static void show_cursor(void)
{
	unsigned int row = screen.marked_row;
	unsigned int column = screen.marked_column;

	if (row < height() && column < width())
		screen_show_cell(row, column, view_cell(row, column));
	row = screen.back != 0 ? height() : screen.row % height();
	column = min(screen.column, width() - 1U);
	screen.marked_row = row;
	screen.marked_column = column;
	if (screen.display->mark != NULL)
		screen.display->mark(screen.top + row, column);
	else if (row < height())
		screen_show_cell(row, column, marked(view_cell(row, column)));
}

/* ---- The worker ---------------------------------------------------------- */

/* The view's row ROW, where it differs from the cells that are drawn. */
static void draw_row(unsigned int row)
{
	uint16_t *drawn = &screen.drawn[(screen.top + row) * width()];

	for (unsigned int column = 0; column < width(); column++) {
		uint16_t cell = view_cell(row, column);

		if (row == screen.marked_row && column == screen.marked_column)
			cell = marked(cell);
		if (cell == drawn[column])
			continue;
		drawn[column] = cell;
		screen.display->show(screen.top + row, column, cell);
	}
}

/* The lock is free between two rows: others may write meanwhile, or give rows away. */
static void draw_rows(struct work *work __unused)
{
	bool more = true;

	while (more) {
		spin_lock(&screen.lock);
		more = screen.stale_from < min(screen.stale_to, height());
		if (more)
			draw_row(screen.stale_from++);
		else
			screen.stale_from = screen.stale_to = 0;
		spin_unlock(&screen.lock);
	}
}

static struct delayed_work draw_work;

/* Something was written; without the lock. */
static void draw_soon(void)
{
	if (is_lazy())
		queue_delayed_work(&draw_work, DRAW_DELAY);
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
	if (is_lazy()) {
		now_stale(0, height());
		return;
	}
	for (unsigned int row = 0; row < height(); row++) {
		const uint16_t *was = ring_line(row, 1);
		const uint16_t *is = ring_line(row, 0);

		for (unsigned int column = 0; column < width(); column++) {
			if (was[column] != is[column])
				screen_show_cell(row, column, is[column]);
		}
	}
}

static void blank_line(unsigned int row)
{
	uint16_t *line = ring_line(row, 0);

	for (unsigned int column = 0; column < width(); column++)
		line[column] = blank_cell();
}

static void scroll(void)
{
	screen.first = (screen.first + 1) % screen.lines;
	screen.depth = min(screen.depth + 1, screen.lines - height());
	blank_line(height() - 1);
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

/* The consoles' part begins at row TOP: the cursor's line and those before it stay. */
static void resize(unsigned int top)
{
	unsigned int old = height();
	unsigned int lines;

	screen.back = 0;
	screen.top = top;
	screen.marked_row = height();
	if (screen.drawn != NULL)
		memset(screen.drawn, 0, SCREEN_CELLS * sizeof(*screen.drawn));
	if (height() < old) {
		/* The first lines go up into the ring. */
		lines = screen.row >= height() ? screen.row - height() + 1 : 0;
		screen.first = (screen.first + lines) % screen.lines;
		screen.depth =
			min(screen.depth + lines, screen.lines - height());
		screen.row -= lines;
	} else {
		lines = min(screen.depth, height() - old);
		screen.first =
			(screen.first + screen.lines - lines) % screen.lines;
		screen.depth -= lines;
		screen.row += lines;
		for (unsigned int row = old + lines; row < height(); row++)
			blank_line(row);
	}
	screen_show_all();
	show_cursor();
}

static void screen_write(const char *text, size_t size)
{
	struct console_writer writer;

	if (!console_begin_write(&writer, &screen.lock) && !panic_in_progress())
		return;
	if (panic_in_progress() && (screen.drawn != NULL || screen.top != 0)) {
		/* The worker will not come again, nor will the map. */
		screen.drawn = NULL;
		resize(0);
	}
	if (screen.back != 0) {
		screen.back = 0;
		screen_show_all();
	}
	for (size_t i = 0; i < size; i++)
		screen_put(text[i]);
	show_cursor();
	console_end_write(&writer);
	draw_soon();
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
	draw_soon();
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
		blank_line(row);
	show_cursor();
	console_register_sink(&screen_sink);
}

void screen_draw(void)
{
	if (is_lazy())
		draw_rows(NULL);
}

uint16_t screen_cell(unsigned int row, unsigned int column)
{
	return view_cell(row % height(), column % width());
}

void screen_use_ring(uint16_t *ring, size_t cells, uint16_t *drawn)
{
	unsigned int lines = (unsigned int)(cells / width());
	unsigned int kept = screen.depth + height();
	uint16_t *to = ring;

	kassert(lines >= kept);
	spin_lock(&screen.lock);
	for (unsigned int i = 0; i < kept; i++, to += width())
		memcpy(to, ring_line(i, screen.depth), width() * sizeof(*to));
	work_init(&draw_work.work, draw_rows);
	screen.drawn = drawn;
	screen.ring = ring;
	screen.lines = lines;
	screen.first = screen.depth;
	spin_unlock(&screen.lock);
}

unsigned int screen_full_rows(void)
{
	return screen.display->rows;
}

void screen_set_top(unsigned int top)
{
	kassert(top < screen.display->rows);
	spin_lock(&screen.lock);
	resize(top);
	spin_unlock(&screen.lock);
	draw_soon();
}

void screen_top_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	spin_lock(&screen.lock);
	if (row < screen.top && column < width())
		screen.display->show(row, column, cell);
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

/* SPDX-License-Identifier: MIT */
/*
 * drivers/vga.c -- the VGA's text mode.
 *
 * A cell of the screen is two bytes at 0xb8000: a character of code page 437
 * and its colours.  The driver keeps the last 100 lines in a ring and never
 * reads the VGA's memory, which is slow; the screen is a view of the ring:
 *
 *	ring  | oldest ... | view: 25 lines while scrolled back | ... |
 *	                   | ... | live: the newest 25 lines          |
 *
 * 100 lines of 160 bytes are 16000 bytes.  Scrolling by one line rewrites only
 * the cells that differ from what the screen shows, which for text is the
 * smaller half: an emulator takes a trap for each.
 *
 * Understood of ECMA-48: ESC [ n m (colours, bold, reverse), ESC [ n K and
 * ESC [ n J (erase in the line, in the screen: 0 from the cursor on, 1 up to and
 * with the cursor, 2 all), ESC [ row ; column H, ESC [ n C and ESC [ n D
 * (cursor).  Other sequences are swallowed.
 *
 * Locking: vga.lock, interrupts off, for one call of the sink.  In a panic it
 * is tried and then ignored: the worst that comes of it is a garbled line, as
 * every index is brought into range before it is used.
 *
 * Source: IBM VGA Technical Reference, "Alphanumeric modes", "CRT controller".
 */
#include "drivers/vga.h"

#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/core/console.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"

#define VGA_PHYSICAL   0xb8000UL
#define RING_LINES     100U
#define TAB_STOP       8U

#define CRTC_INDEX     0x3d4
#define CRTC_DATA      0x3d5
#define CURSOR_START   0x0a
#define CURSOR_END     0x0b
#define CURSOR_HIGH    0x0e
#define CURSOR_LOW     0x0f
#define CURSOR_NOWHERE (VGA_COLUMNS * VGA_ROWS)

#define COLOUR_DEFAULT 0x07 /* light grey on black */
#define PARAMETERS     4U

enum escape_state {
	TEXT,
	ESCAPE,   /* ESC */
	SEQUENCE, /* ESC [ */
};

static struct {
	struct spinlock lock;
	volatile uint16_t *screen;
	uint16_t ring[RING_LINES][VGA_COLUMNS];
	unsigned int first;  /* ring index of the first live line */
	unsigned int depth;  /* lines before it that were written, <= 75 */
	unsigned int back;   /* lines the view is scrolled back, <= depth */
	unsigned int row;    /* of the cursor */
	unsigned int column; /* VGA_COLUMNS: the line is full */
	uint8_t colour;
	bool bold;
	bool reverse;
	uint8_t state; /* enum escape_state */
	unsigned int parameter[PARAMETERS];
	unsigned int parameters; /* index of the current one */
} vga = {
	.lock = SPINLOCK_INIT("vga"),
	.colour = COLOUR_DEFAULT,
};

/* The line that is BACK lines before live row ROW. */
static uint16_t *ring_line(unsigned int row, unsigned int back)
{
	return vga.ring[(vga.first + row + RING_LINES - back) % RING_LINES];
}

/* Colours as the VGA wants them: background in the high four bits. */
static uint16_t blank_cell(void)
{
	uint8_t front = vga.colour & 0x0f;
	uint8_t behind = vga.colour >> 4;

	if (vga.bold)
		front |= 0x08;
	if (vga.reverse)
		return (uint16_t)((front << 12) | (behind << 8) | ' ');
	return (uint16_t)((behind << 12) | (front << 8) | ' ');
}

/* Show cell COLUMN of LINE at screen row ROW. */
static void vga_show_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	if (row < VGA_ROWS && column < VGA_COLUMNS)
		vga.screen[row * VGA_COLUMNS + column] = cell;
}

static void vga_show_line(unsigned int row)
{
	const uint16_t *line = ring_line(row, vga.back);

	for (unsigned int column = 0; column < VGA_COLUMNS; column++)
		vga_show_cell(row, column, line[column]);
}

static void vga_show_all(void)
{
	for (unsigned int row = 0; row < VGA_ROWS; row++)
		vga_show_line(row);
}

static void write_crtc(uint8_t index, unsigned int value)
{
	outb(index, CRTC_INDEX);
	outb((uint8_t)value, CRTC_DATA);
}

static void show_cursor(void)
{
	unsigned int column = min(vga.column, VGA_COLUMNS - 1U);
	unsigned int at = vga.row * VGA_COLUMNS + column;

	if (vga.back != 0)
		at = CURSOR_NOWHERE;
	write_crtc(CURSOR_HIGH, at >> 8);
	write_crtc(CURSOR_LOW, at);
}

static void put_cell(unsigned int row, unsigned int column, uint16_t cell)
{
	row %= VGA_ROWS;
	column %= VGA_COLUMNS;
	ring_line(row, 0)[column] = cell;
	vga_show_cell(row, column, cell);
}

static void clear_cells(unsigned int row, unsigned int from, unsigned int to)
{
	for (unsigned int column = from; column < to; column++)
		put_cell(row, column, blank_cell());
}

/* The screen shows the live lines; from now on, those one further down. */
static void show_scrolled(void)
{
	for (unsigned int row = 0; row < VGA_ROWS; row++) {
		const uint16_t *was = ring_line(row, 1);
		const uint16_t *is = ring_line(row, 0);

		for (unsigned int column = 0; column < VGA_COLUMNS; column++) {
			if (was[column] != is[column])
				vga_show_cell(row, column, is[column]);
		}
	}
}

static void scroll(void)
{
	uint16_t *fresh;

	vga.first = (vga.first + 1) % RING_LINES;
	vga.depth = min(vga.depth + 1, RING_LINES - VGA_ROWS);
	fresh = ring_line(VGA_ROWS - 1, 0);
	for (unsigned int column = 0; column < VGA_COLUMNS; column++)
		fresh[column] = blank_cell();
	show_scrolled();
}

static void new_line(void)
{
	vga.column = 0;
	if (vga.row + 1 < VGA_ROWS)
		vga.row++;
	else
		scroll();
}

static void put_character(uint8_t character)
{
	if (vga.column >= VGA_COLUMNS)
		new_line();
	put_cell(vga.row, vga.column,
	         (uint16_t)((blank_cell() & 0xff00) | character));
	vga.column++;
}

/* ANSI counts red as bit 0 and blue as bit 2, the VGA the other way round. */
static uint8_t vga_colour(unsigned int ansi)
{
	return (uint8_t)(((ansi & 1) << 2) | (ansi & 2) | ((ansi & 4) >> 2));
}

static void set_front(unsigned int colour)
{
	vga.colour = (uint8_t)((vga.colour & 0xf0) | colour);
}

static void set_behind(unsigned int colour)
{
	vga.colour = (uint8_t)((vga.colour & 0x0f) | (colour << 4));
}

static void set_rendition(unsigned int value)
{
	if (value == 0) {
		vga.colour = COLOUR_DEFAULT;
		vga.bold = false;
		vga.reverse = false;
	} else if (value == 1 || value == 22) {
		vga.bold = value == 1;
	} else if (value == 7 || value == 27) {
		vga.reverse = value == 7;
	} else if (value >= 30 && value <= 37) {
		set_front(vga_colour(value - 30));
	} else if (value >= 90 && value <= 97) {
		set_front(vga_colour(value - 90) | 0x08U);
	} else if (value >= 40 && value <= 47) {
		set_behind(vga_colour(value - 40));
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
	unsigned int column = min(vga.column, VGA_COLUMNS - 1U);

	if (what <= ERASE_ALL)
		clear_cells(vga.row, what == ERASE_AFTER ? column : 0,
		            what == ERASE_BEFORE ? column + 1 : VGA_COLUMNS);
}

static void erase_screen(unsigned int what)
{
	for (unsigned int row = 0; row < VGA_ROWS; row++) {
		bool before = row < vga.row && what != ERASE_AFTER;
		bool after = row > vga.row && what != ERASE_BEFORE;

		if (what <= ERASE_ALL && (before || after))
			clear_cells(row, 0, VGA_COLUMNS);
	}
	erase_line(what);
}

static void vga_move_to(unsigned int row, unsigned int column)
{
	vga.row = min(row, VGA_ROWS - 1U);
	vga.column = min(column, VGA_COLUMNS - 1U);
}

static void end_sequence(char final)
{
	const unsigned int *parameter = vga.parameter;
	unsigned int steps = max(parameter[0], 1U);

	switch (final) {
	case 'm':
		for (unsigned int i = 0; i <= vga.parameters; i++)
			set_rendition(parameter[i]);
		break;
	case 'K':
		erase_line(parameter[0]);
		break;
	case 'J':
		erase_screen(parameter[0]);
		break;
	case 'H':
		vga_move_to(steps - 1, max(parameter[1], 1U) - 1);
		break;
	case 'C':
		vga_move_to(vga.row, vga.column + steps);
		break;
	case 'D':
		vga_move_to(vga.row, vga.column - min(vga.column, steps));
		break;
	default:
		break;
	}
}

static void put_sequence(char c)
{
	unsigned int *current = &vga.parameter[vga.parameters % PARAMETERS];

	if (c >= '0' && c <= '9') {
		*current = min(*current * 10 + (unsigned int)(c - '0'), 999U);
	} else if (c == ';') {
		vga.parameters = min(vga.parameters + 1, PARAMETERS - 1);
		vga.parameter[vga.parameters] = 0;
	} else if (c >= '@' && c <= '~') {
		vga.state = TEXT;
		end_sequence(c);
	}
}

static void vga_put_text(char c)
{
	switch (c) {
	case '\033':
		vga.state = ESCAPE;
		break;
	case '\n':
		new_line();
		break;
	case '\r':
		vga.column = 0;
		break;
	case '\b':
		vga.column -= vga.column > 0;
		break;
	case '\t':
		do
			put_character(' ');
		while (vga.column % TAB_STOP != 0);
		break;
	case '\a':
	case '\0':
		break;
	default:
		put_character((uint8_t)c);
		break;
	}
}

static void vga_put(char c)
{
	switch (vga.state) {
	case ESCAPE:
		vga.state = c == '[' ? SEQUENCE : TEXT;
		vga.parameters = 0;
		for (unsigned int i = 0; i < PARAMETERS; i++)
			vga.parameter[i] = 0;
		break;
	case SEQUENCE:
		put_sequence(c);
		break;
	default:
		vga_put_text(c);
		break;
	}
}

static void vga_write(const char *text, size_t size)
{
	struct console_writer writer;

	if (!console_begin_write(&writer, &vga.lock) && !panic_in_progress())
		return;
	if (vga.back != 0) {
		vga.back = 0;
		vga_show_all();
	}
	for (size_t i = 0; i < size; i++)
		vga_put(text[i]);
	show_cursor();
	console_end_write(&writer);
}

static struct console_sink vga_sink = {
	.name = "vga",
	.write = vga_write,
	.columns = VGA_COLUMNS,
};

void vga_scrollback(int lines)
{
	struct console_writer writer;
	int back;

	/* Page Up works after a panic, too. */
	(void)console_begin_write(&writer, &vga.lock);
	back = clamp((int)vga.back + lines, 0, (int)vga.depth);
	if ((unsigned int)back != vga.back) {
		vga.back = (unsigned int)back;
		vga_show_all();
		show_cursor();
	}
	console_end_write(&writer);
}

bool vga_scroll_key(int key)
{
	if (key != KEY_PAGE_UP && key != KEY_PAGE_DOWN)
		return false;
	vga_scrollback(key == KEY_PAGE_UP ? VGA_ROWS / 2 : -(VGA_ROWS / 2));
	return true;
}

void vga_init(void)
{
	vga.screen = (volatile uint16_t *)(KERNEL_BASE + VGA_PHYSICAL);
	for (unsigned int row = 0; row < VGA_ROWS; row++)
		clear_cells(row, 0, VGA_COLUMNS);
	/* A line at the foot of the character, visible. */
	write_crtc(CURSOR_START, 14);
	write_crtc(CURSOR_END, 15);
	show_cursor();
	console_register_sink(&vga_sink);
}

void vga_remap(void)
{
	spin_lock(&vga.lock);
	vga.screen = phys_to_virt(VGA_PHYSICAL);
	spin_unlock(&vga.lock);
}

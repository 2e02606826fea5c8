/* SPDX-License-Identifier: MIT */
/*
 * Sequences that erase the screen, seen in video memory: the cells of the VGA's text, or
 * the pixels of a framebuffer.  The cases restore the previous contents: the self-test's
 * own lines.
 */
#include "drivers/font.h"
#include "drivers/framebuffer.h"
#include "drivers/screen.h"
#include "kernel/arch/paging.h"
#include "kernel/boot_memory.h"
#include "kernel/core/console.h"
#include "kernel/core/multiboot2.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(screen);

#define VGA_PHYSICAL 0xb8000UL
#define FILLER       'x'

static uint16_t saved[SCREEN_CELLS];

static unsigned int cells(void)
{
	return screen_rows() * screen_columns();
}

/* Pixel X, Y of the text, as the card has it. */
static const uint8_t *pixel_at(unsigned int x, unsigned int y)
{
	const struct boot_framebuffer *info = &boot_information()->framebuffer;
	unsigned int left = (info->width - screen_columns() * FONT_WIDTH) / 2;
	unsigned int top = (info->height - screen_rows() * FONT_HEIGHT) / 2;

	return (const uint8_t *)PIXELS_BASE + info->address % PAGE_SIZE +
	       (size_t)(top + y) * info->pitch +
	       (size_t)(left + x) * info->pixel_bytes;
}

/* Has the cell one colour? */
static bool shows_blank(unsigned int at)
{
	const struct boot_framebuffer *info = &boot_information()->framebuffer;
	const volatile uint16_t *text = phys_to_virt(VGA_PHYSICAL);
	unsigned int x = at % screen_columns() * FONT_WIDTH;
	unsigned int y = at / screen_columns() * FONT_HEIGHT;
	const uint8_t *first;

	if (!framebuffer_present())
		return (text[at] & 0xff) == ' ';
	first = pixel_at(x, y);
	for (unsigned int i = 1; i < FONT_WIDTH; i++) {
		if (memcmp(first + (size_t)i * info->pixel_bytes, first,
		           info->pixel_bytes) != 0)
			return false;
	}
	for (unsigned int i = 1; i < FONT_HEIGHT; i++) {
		if (memcmp(first + (size_t)i * info->pitch, first,
		           (size_t)FONT_WIDTH * info->pixel_bytes) != 0)
			return false;
	}
	return true;
}

static void test_screen_show(const char *text)
{
	console_write_to("screen", text, strlen(text));
}

/*
 * CELL at AT.  The last one leaves the cursor behind it, which does not scroll.
 */
static void test_screen_show_cell(unsigned int at, uint16_t cell)
{
	/* The VGA's red and blue are swapped, and 8 is bright. */
	static const char ansi[8] = "04261537";
	char text[48];
	char c = (char)(cell & 0xff);
	int length =
		scnprintf(text, sizeof(text), "\033[%u;%uH\033[0;%s%cm%c",
	                  at / screen_columns() + 1, at % screen_columns() + 1,
	                  (cell >> 11) & 1 ? "9" : "3", ansi[(cell >> 8) & 7],
	                  c == '\0' ? ' ' : c);

	console_write_to("screen", text, (size_t)length);
}

/* A row at a time: the last one leaves the cursor behind it, which does not scroll. */
static void test_screen_fill(void)
{
	char row[CONSOLE_WIDEST + 1];
	char text[24];

	memset(row, FILLER, screen_columns());
	row[screen_columns()] = '\0';
	for (unsigned int i = 0; i < screen_rows(); i++) {
		scnprintf(text, sizeof(text), "\033[0m\033[%u;1H", i + 1);
		test_screen_show(text);
		test_screen_show(row);
	}
}

static void test_screen_put_back(void)
{
	unsigned int rows = 0;
	char text[16];
	int length;

	test_screen_show("\033[0m\033[2J");
	for (unsigned int at = 0; at < cells(); at++) {
		if ((saved[at] & 0xff) == ' ' || (saved[at] & 0xff) == '\0')
			continue;
		test_screen_show_cell(at, saved[at]);
		rows = at / screen_columns() + 1;
	}
	/* Text that is written next goes below. */
	length = scnprintf(text, sizeof(text), "\033[0m\033[%u;1H\n",
	                   max(rows, 1U));
	console_write_to("screen", text, (size_t)length);
}

/*
 * Fill the screen, send SEQUENCE with the cursor at row 10, column 20 (from 0),
 * and compare: the cells FROM..TO-1 and no others are blank.
 */
static const char *try_erase(const char *sequence, unsigned int from,
                             unsigned int to)
{
	unsigned int wrong = cells();

	for (unsigned int at = 0; at < cells(); at++)
		saved[at] = screen_cell(at / screen_columns(),
		                        at % screen_columns());
	test_screen_fill();
	test_screen_show("\033[0m\033[11;21H");
	test_screen_show(sequence);
	screen_draw();
	for (unsigned int at = 0; at < cells() && wrong == cells(); at++) {
		if (shows_blank(at) != (at >= from && at < to))
			wrong = at;
	}
	test_screen_put_back();
	if (wrong < cells())
		return test_failure("row %u, column %u is wrong",
		                    wrong / screen_columns(),
		                    wrong % screen_columns());
	return NULL;
}

#define CURSOR    (10 * screen_columns() + 20)
#define ROW_BEGIN (10 * screen_columns())
#define ROW_END   (11 * screen_columns())

CASE(screen, erases_from_the_cursor_to_the_end)
{
	return try_erase("\033[J", CURSOR, cells());
}

CASE(screen, erases_from_the_beginning_to_the_cursor)
{
	return try_erase("\033[1J", 0, CURSOR + 1);
}

CASE(screen, erases_all)
{
	return try_erase("\033[2J", 0, cells());
}

CASE(screen, erases_the_end_of_a_line)
{
	return try_erase("\033[K", CURSOR, ROW_END);
}

CASE(screen, erases_the_beginning_of_a_line)
{
	return try_erase("\033[1K", ROW_BEGIN, CURSOR + 1);
}

CASE(screen, erases_a_line)
{
	return try_erase("\033[2K", ROW_BEGIN, ROW_END);
}

CASE(screen, swallows_what_it_does_not_know)
{
	return try_erase("\033[3J\033[7K\033[5n\033[?25l", cells(), cells());
}

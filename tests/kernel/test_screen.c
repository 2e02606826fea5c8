/* SPDX-License-Identifier: MIT */
/*
 * Sequences that erase the screen, seen in video memory.  The cases restore the
 * previous contents: the self-test's own lines.
 */
#include "drivers/vga.h"
#include "kernel/arch/paging.h"
#include "kernel/core/console.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(screen);

#define VGA_PHYSICAL 0xb8000UL
#define CELLS        (VGA_ROWS * VGA_COLUMNS)
#define FILLER       'x'

static uint16_t saved[CELLS];

static uint16_t cell_at(unsigned int at)
{
	const volatile uint16_t *cells = phys_to_virt(VGA_PHYSICAL);

	return cells[at];
}

static void test_screen_show(const char *text)
{
	console_write_to("vga", text, strlen(text));
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
	int length = scnprintf(text, sizeof(text), "\033[%u;%uH\033[0;%s%cm%c",
	                       at / VGA_COLUMNS + 1, at % VGA_COLUMNS + 1,
	                       (cell >> 11) & 1 ? "9" : "3",
	                       ansi[(cell >> 8) & 7], c == '\0' ? ' ' : c);

	console_write_to("vga", text, (size_t)length);
}

static void test_screen_put_back(void)
{
	unsigned int rows = 0;
	char text[16];
	int length;

	test_screen_show("\033[0m\033[2J");
	for (unsigned int at = 0; at < CELLS; at++) {
		if ((saved[at] & 0xff) == ' ' || (saved[at] & 0xff) == '\0')
			continue;
		test_screen_show_cell(at, saved[at]);
		rows = at / VGA_COLUMNS + 1;
	}
	/* Text that is written next goes below. */
	length = scnprintf(text, sizeof(text), "\033[0m\033[%u;1H\n",
	                   max(rows, 1U));
	console_write_to("vga", text, (size_t)length);
}

/*
 * Fill the screen, send SEQUENCE with the cursor at row 10, column 20 (from 0),
 * and compare: the cells FROM..TO-1 and no others are blank.
 */
static const char *try_erase(const char *sequence, unsigned int from,
                             unsigned int to)
{
	unsigned int wrong = CELLS;

	for (unsigned int at = 0; at < CELLS; at++)
		saved[at] = cell_at(at);
	for (unsigned int at = 0; at < CELLS; at++)
		test_screen_show_cell(at, FILLER);
	test_screen_show("\033[0m\033[11;21H");
	test_screen_show(sequence);
	for (unsigned int at = 0; at < CELLS && wrong == CELLS; at++) {
		char due = at >= from && at < to ? ' ' : FILLER;

		if ((cell_at(at) & 0xff) != due)
			wrong = at;
	}
	test_screen_put_back();
	if (wrong < CELLS)
		return test_failure("row %u, column %u is wrong",
		                    wrong / VGA_COLUMNS, wrong % VGA_COLUMNS);
	return NULL;
}

#define CURSOR    (10 * VGA_COLUMNS + 20)
#define ROW_BEGIN (10 * VGA_COLUMNS)
#define ROW_END   (11 * VGA_COLUMNS)

CASE(screen, erases_from_the_cursor_to_the_end)
{
	return try_erase("\033[J", CURSOR, CELLS);
}

CASE(screen, erases_from_the_beginning_to_the_cursor)
{
	return try_erase("\033[1J", 0, CURSOR + 1);
}

CASE(screen, erases_all)
{
	return try_erase("\033[2J", 0, CELLS);
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
	return try_erase("\033[3J\033[7K\033[5n\033[?25l", CELLS, CELLS);
}

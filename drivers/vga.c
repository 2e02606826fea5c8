/* SPDX-License-Identifier: MIT */
/*
 * drivers/vga.c -- the VGA's text mode.
 *
 * A cell of the screen is two bytes at 0xb8000, a character of code page 437 and its
 * colours, which is also what drivers/screen.h calls a cell.  An emulator takes a trap
 * for each that is written.
 *
 * Locking: the screen's lock.
 *
 * Source: IBM VGA Technical Reference, "Alphanumeric modes", "CRT controller".
 */
#include "drivers/vga.h"

#include "drivers/screen.h"
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"

#define VGA_PHYSICAL 0xb8000UL
#define VGA_BLANK    0x0720 /* a space, light grey on black */

#define CRTC_INDEX   0x3d4
#define CRTC_DATA    0x3d5
#define CURSOR_START 0x0a
#define CURSOR_END   0x0b
#define CURSOR_HIGH  0x0e
#define CURSOR_LOW   0x0f

static volatile uint16_t *text;

static void write_crtc(uint8_t index, unsigned int value)
{
	outb(index, CRTC_INDEX);
	outb((uint8_t)value, CRTC_DATA);
}

static void vga_show(unsigned int row, unsigned int column, uint16_t cell)
{
	text[row * VGA_COLUMNS + column] = cell;
}

/* A place beyond the last cell hides the cursor. */
static void vga_mark(unsigned int row, unsigned int column)
{
	unsigned int at = row * VGA_COLUMNS + column;

	write_crtc(CURSOR_HIGH, at >> 8);
	write_crtc(CURSOR_LOW, at);
}

static const struct screen_display vga_display = {
	.columns = VGA_COLUMNS,
	.rows = VGA_ROWS,
	.show = vga_show,
	.mark = vga_mark,
};

const struct screen_display *vga_init(void)
{
	text = (volatile uint16_t *)(KERNEL_BASE + VGA_PHYSICAL);
	for (unsigned int at = 0; at < VGA_ROWS * VGA_COLUMNS; at++)
		text[at] = VGA_BLANK;
	/* A line at the foot of the character, visible. */
	write_crtc(CURSOR_START, 14);
	write_crtc(CURSOR_END, 15);
	return &vga_display;
}

void vga_remap(void)
{
	text = phys_to_virt(VGA_PHYSICAL);
}

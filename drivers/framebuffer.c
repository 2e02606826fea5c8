/* SPDX-License-Identifier: MIT */
/*
 * drivers/framebuffer.c -- characters drawn in pixels.
 *
 * The card's memory holds the picture: rows of PITCH bytes, a pixel 3 or 4 of them.
 * A character is FONT_WIDTH x FONT_HEIGHT pixels (drivers/font.h); the text is in the
 * middle of the picture if that is larger.
 *
 *	base      +-- pitch ------------------------+
 *	          |   margin                        |
 *	 origin --|-> +---+---+---+ columns ...     |
 *	          |   | A | B | C |                 |
 *	          |   +---+---+---+                 |
 *
 * Nothing is read: the memory is write-combining, which makes reads very slow.  A row
 * of a glyph of 4-byte pixels is four stores of 8 bytes, each of two pixels, which are
 * looked up by two bits of the glyph.
 *
 * The colours are the sixteen of the VGA, softer, on a dark grey.
 *
 * Locking: the screen's lock.
 *
 * Source: Multiboot2 Specification 2.0, 3.6.12 "Framebuffer info".
 */
#include "drivers/framebuffer.h"

#include "drivers/font.h"
#include "drivers/screen.h"
#include "kernel/arch/io.h"
#include "kernel/core/console.h"
#include "kernel/core/multiboot2.h"
#include "kernel/core/panic.h"

#define COLOURS 16U

static struct screen_display display;
static struct {
	volatile uint8_t *base;
	size_t origin; /* of the first cell, from the base */
	uint32_t pitch;
	uint32_t pixel_bytes;
	const struct boot_framebuffer *info;
	uint32_t colour[COLOURS]; /* as a pixel has it */
} framebuffer;

/* Red, green and blue, 8 bits each. */
static const uint32_t palette[COLOURS] = {
	0x15181d, 0x5a8fdc, 0x7fb069, 0x4fb3bf, 0xd9626b, 0xb784d6,
	0xc9924a, 0xc8ccd4, 0x6b7280, 0x82b1ff, 0xa5d68b, 0x7fdbe4,
	0xff8b8f, 0xd8a9f2, 0xf2cf6b, 0xffffff,
};

/* The pixel of a colour: each of its parts in its bits. */
static uint32_t pixel_of(const struct boot_framebuffer *info, uint32_t rgb)
{
	uint32_t pixel = 0;

	for (unsigned int i = 0; i < 3; i++) {
		uint32_t part = (rgb >> (16 - 8 * i)) & 0xff;

		pixel |= (part >> (8 - info->bits[i])) << info->shift[i];
	}
	return pixel;
}

static volatile uint8_t *pixels_of(unsigned int row, unsigned int column)
{
	return framebuffer.base + framebuffer.origin +
	       (size_t)row * FONT_HEIGHT * framebuffer.pitch +
	       (size_t)column * FONT_WIDTH * framebuffer.pixel_bytes;
}

/* TWO has the pixels of 00, 01, 10, 11, the left one in the low half. */
static inline void draw_row4(volatile uint8_t *at, uint8_t bits,
                             const uint64_t two[4])
{
	volatile uint64_t *pair = (volatile uint64_t *)at;

	pair[0] = two[bits >> 6];
	pair[1] = two[(bits >> 4) & 3];
	pair[2] = two[(bits >> 2) & 3];
	pair[3] = two[bits & 3];
}

static void put_pixel3(volatile uint8_t *at, uint32_t pixel)
{
	at[0] = (uint8_t)pixel;
	at[1] = (uint8_t)(pixel >> 8);
	at[2] = (uint8_t)(pixel >> 16);
}

static void draw_row3(volatile uint8_t *at, uint8_t bits, uint32_t front,
                      uint32_t behind)
{
	for (unsigned int i = 0; i < FONT_WIDTH; i++, at += 3)
		put_pixel3(at, bits & (0x80U >> i) ? front : behind);
}

static void framebuffer_show(unsigned int row, unsigned int column,
                             uint16_t cell)
{
	unsigned int character = (cell & 0xff) - FONT_FIRST;
	const uint8_t *glyph = font[min(character, FONT_OTHER)];
	uint32_t front = framebuffer.colour[(cell >> 8) % COLOURS];
	uint32_t behind = framebuffer.colour[(cell >> 12) % COLOURS];
	volatile uint8_t *at = pixels_of(row, column);
	uint64_t two[4] = {
		behind | (uint64_t)behind << 32,
		behind | (uint64_t)front << 32,
		front | (uint64_t)behind << 32,
		front | (uint64_t)front << 32,
	};

	for (unsigned int y = 0; y < FONT_HEIGHT; y++) {
		if (framebuffer.pixel_bytes == 4)
			draw_row4(at, glyph[y], two);
		else
			draw_row3(at, glyph[y], front, behind);
		at += framebuffer.pitch;
	}
}

/* All of the picture has the colour that is behind the text. */
static void fill(const struct boot_framebuffer *info)
{
	uint32_t pixel = framebuffer.colour[0];
	uint64_t two = pixel | (uint64_t)pixel << 32;
	size_t size = (size_t)info->pitch * info->height;
	volatile uint8_t *end = framebuffer.base + size;
	volatile uint8_t *at = framebuffer.base;

	for (; framebuffer.pixel_bytes == 3 && at + 3 <= end; at += 3)
		put_pixel3(at, pixel);
	if (framebuffer.pixel_bytes == 4)
		io_fill(at, two, size / sizeof(two));
}

static void set_size(const struct boot_framebuffer *info)
{
	unsigned int columns = min(info->width / FONT_WIDTH, CONSOLE_WIDEST);
	unsigned int rows =
		min(info->height / FONT_HEIGHT, SCREEN_CELLS / columns);
	uint32_t left = (info->width - columns * FONT_WIDTH) / 2;
	uint32_t top = (info->height - rows * FONT_HEIGHT) / 2;

	framebuffer.origin = (size_t)top * info->pitch +
	                     (size_t)left * framebuffer.pixel_bytes;
	display = (struct screen_display){
		.columns = columns,
		.rows = rows,
		.show = framebuffer_show,
	};
}

const struct screen_display *
framebuffer_init(const struct boot_framebuffer *info, void *base)
{
	if (info->pixel_bytes == 0)
		return NULL;
	framebuffer.base = base;
	framebuffer.info = info;
	framebuffer.pitch = info->pitch;
	framebuffer.pixel_bytes = info->pixel_bytes;
	for (unsigned int i = 0; i < COLOURS; i++)
		framebuffer.colour[i] = pixel_of(info, palette[i]);
	set_size(info);
	fill(info);
	return &display;
}

void framebuffer_remap(void *base)
{
	kassert(framebuffer_present());
	framebuffer.base = base;
}

void framebuffer_fill(unsigned int left, unsigned int top, unsigned int width,
                      unsigned int height, uint32_t rgb)
{
	uint32_t pixel = pixel_of(framebuffer.info, rgb);
	uint32_t bytes = framebuffer.pixel_bytes;

	kassert(left + width <= display.columns * FONT_WIDTH);
	kassert(top + height <= display.rows * FONT_HEIGHT);
	for (unsigned int y = top; y < top + height; y++) {
		volatile uint8_t *at = framebuffer.base + framebuffer.origin +
		                       (size_t)y * framebuffer.pitch +
		                       (size_t)left * bytes;

		for (unsigned int x = 0; x < width; x++, at += bytes) {
			if (bytes == 4)
				*(volatile uint32_t *)at = pixel;
			else
				put_pixel3(at, pixel);
		}
	}
}

bool framebuffer_present(void)
{
	return framebuffer.base != NULL;
}

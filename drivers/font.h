/* SPDX-License-Identifier: MIT */
/*
 * drivers/font.h -- the font of the framebuffer, made by iso/mkfont during the build.
 *
 * A glyph is FONT_HEIGHT bytes, a row each from the top; the bit of value 128 is the
 * leftmost of FONT_WIDTH pixels.
 */
#ifndef DRIVERS_FONT_H
#define DRIVERS_FONT_H

#include "lib/types.h"

#define FONT_WIDTH  8U
#define FONT_HEIGHT 16U

/* The characters ' ' to '~', and behind them one that stands for all others. */
#define FONT_FIRST  ' '
#define FONT_OTHER  95U
#define FONT_GLYPHS 96U

extern const uint8_t font[FONT_GLYPHS][FONT_HEIGHT];

#endif

/* SPDX-License-Identifier: MIT */
/*
 * drivers/framebuffer.h -- a display made of pixels.
 *
 * The loader sets the mode, and tells where the pixels are and how a colour is made of
 * bits (kernel/core/multiboot2.h).
 */
#ifndef DRIVERS_FRAMEBUFFER_H
#define DRIVERS_FRAMEBUFFER_H

#include "lib/types.h"

struct boot_framebuffer;
struct screen_display;

/*
 * The display for screen_init(), which draws characters; its pixels are at BASE, all
 * black.  NULL: INFO describes none that can be drawn on.  Once, early in boot.
 */
const struct screen_display *
framebuffer_init(const struct boot_framebuffer *info, void *base);

/* From now on the pixels are at BASE. */
void framebuffer_remap(void *base);

/* Is there one?  Any context. */
bool framebuffer_present(void);

/*
 * Fill a rectangle with a colour, RGB with 8 bits for each: LEFT and TOP count pixels from
 * the first cell of the text, and the rectangle is within the text.  For the upper part
 * of the screen (screen_set_top()), whose user says who may call.
 */
void framebuffer_fill(unsigned int left, unsigned int top, unsigned int width,
                      unsigned int height, uint32_t rgb);

#endif

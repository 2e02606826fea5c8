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

#endif

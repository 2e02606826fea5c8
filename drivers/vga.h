/* SPDX-License-Identifier: MIT */
/*
 * drivers/vga.h -- the VGA's text mode as a display: 80x25 characters.
 */
#ifndef DRIVERS_VGA_H
#define DRIVERS_VGA_H

#include "lib/types.h"

struct screen_display;

#define VGA_COLUMNS 80
#define VGA_ROWS    25

/*
 * The display, for screen_init().  The text buffer is reached through the boot tables
 * until vga_remap().  Once, early in boot.
 */
const struct screen_display *vga_init(void);

/* From now on through the direct map: call it right after paging_switch(). */
void vga_remap(void);

#endif

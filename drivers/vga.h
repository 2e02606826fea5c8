/* SPDX-License-Identifier: MIT */
/*
 * drivers/vga.h -- the screen: 80x25 characters, with colours and scrollback.
 */
#ifndef DRIVERS_VGA_H
#define DRIVERS_VGA_H

#include "lib/types.h"

#define VGA_COLUMNS 80
#define VGA_ROWS    25

/*
 * Clear the screen and register the sink "vga".  The text buffer is reached
 * through the boot tables until vga_remap().  Once, early in boot.
 */
void vga_init(void);

/* From now on through the direct map: call it right after paging_switch(). */
void vga_remap(void);

/*
 * Look LINES further back (negative: forward), as far as there are lines.  New
 * output returns to the end.  Thread context, or a panic.
 */
void vga_scrollback(int lines);

/* The same by half a screen if KEY is Page Up or Page Down.  False: it is not. */
bool vga_scroll_key(int key);

#endif

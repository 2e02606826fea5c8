/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/map_picture.c -- where the map's cells are on the screen, and its panel.
 *
 * The cells are as large as they can be.  A row has a multiple of 32 of them, so that
 * blocks of the buddy allocator, which are aligned, look alike wherever they are.
 */
#include "kernel/demo/map_picture.h"

#include "drivers/font.h"
#include "drivers/framebuffer.h"
#include "drivers/screen.h"
#include "lib/format.h"
#include "mm/exclusive/exclusive.h"
#include "mm/node.h"
#include "mm/watermark.h"

#define PANEL_PIXELS   34U /* columns of text: with a framebuffer, */
#define PANEL_TEXT     30U /* and in text mode */
#define LEAST_COLUMNS  80U
#define LEAST_ROWS     24U
#define ALIGNED        32U
#define LARGEST_PIXELS 16U

#define PLAIN          0x07
#define DIM            0x08
#define BRIGHT         0x0f
#define FILLED         0x20 /* a green ground */
#define LIT_RGB        0xffffff

/* ---- The shape ----------------------------------------------------------- */

static void shape_text(struct map_shape *shape, unsigned long frames)
{
	shape->panel = screen_columns() - PANEL_TEXT;
	shape->columns = ALIGN_DOWN(shape->panel - 1, 16U);
	shape->rows = screen_full_rows() / 2;
	while (frames > (unsigned long)shape->columns * (shape->rows - 1) *
	                        shape->frames)
		shape->frames *= 2;
}

static void shape_pixels(struct map_shape *shape, unsigned long frames)
{
	unsigned int wide;
	unsigned int high;

	shape->panel = screen_columns() - PANEL_PIXELS;
	shape->rows = screen_full_rows() * 5 / 8;
	wide = (shape->panel - 1) * FONT_WIDTH;
	high = (shape->rows - 1) * FONT_HEIGHT;
	for (shape->pixels = LARGEST_PIXELS; shape->pixels > 1;
	     shape->pixels--) {
		shape->columns = ALIGN_DOWN(wide / shape->pixels, ALIGNED);
		if ((unsigned long)shape->columns * (high / shape->pixels) >=
		    frames)
			return;
	}
	shape->columns = ALIGN_DOWN(wide, ALIGNED);
	while (frames > (unsigned long)shape->columns * high * shape->frames)
		shape->frames *= 2;
}

bool map_picture_begin(struct map_shape *shape, unsigned long frames)
{
	if (screen_columns() < LEAST_COLUMNS || screen_full_rows() < LEAST_ROWS)
		return false;
	*shape = (struct map_shape){ .frames = 1 };
	if (framebuffer_present())
		shape_pixels(shape, frames);
	else
		shape_text(shape, frames);
	shape->cells = (frames + shape->frames - 1) / shape->frames;
	screen_set_top(shape->rows);
	map_picture_clear(shape);
	return true;
}

void map_picture_end(void)
{
	screen_set_top(0);
}

/* ---- Text of the panel --------------------------------------------------- */

/* SIZE characters of TEXT at a place of the upper part, blanks beyond its end. */
static void put_text(unsigned int row, unsigned int column, unsigned int size,
                     uint8_t colour, const char *text)
{
	for (unsigned int i = 0; i < size; i++) {
		uint8_t character = *text == '\0' ? ' ' : (uint8_t)*text++;

		screen_top_cell(row, column + i,
		                (uint16_t)(colour << 8 | character));
	}
}

void map_picture_clear(const struct map_shape *shape)
{
	for (unsigned int row = 0; row < shape->rows; row++)
		put_text(row, 0, screen_columns(), PLAIN, "");
}

/* The panel as it is written, from the top. */
struct panel {
	const struct map_shape *shape;
	unsigned int row;
	unsigned int width;
};

static void put_line(struct panel *panel, uint8_t colour, const char *text)
{
	if (panel->row < panel->shape->rows - 1)
		put_text(panel->row++, panel->shape->panel, panel->width,
		         colour, text);
}

/* ---- Gauges -------------------------------------------------------------- */

/*
 * A bar that is full at FULL, with letters where their marks are.  It is one line of the
 * panel: the part up to IS is green.
 */
struct mark {
	char letter;
	unsigned long at;
};

static void put_bar(struct panel *panel, unsigned long is, unsigned long full,
                    const struct mark *mark, unsigned int marks)
{
	unsigned int filled =
		(unsigned int)(min(is, full) * panel->width / max(full, 1UL));
	unsigned int row = panel->row;

	if (row >= panel->shape->rows - 1)
		return;
	panel->row++;
	for (unsigned int i = 0; i < panel->width; i++) {
		uint16_t colour = i < filled ? FILLED : PLAIN;
		char letter = i < filled ? ' ' : '.';

		for (unsigned int k = 0; k < marks; k++) {
			if (mark[k].at * panel->width / max(full, 1UL) == i)
				letter = mark[k].letter;
		}
		screen_top_cell(row, panel->shape->panel + i,
		                (uint16_t)(colour << 8 | (uint8_t)letter));
	}
}

/* Its bar ends at four times the HIGH mark: what lies above is plenty. */
static void put_zone(struct panel *panel, const struct zone *zone)
{
	unsigned long min_mark = wmark_pages(zone, WMARK_MIN);
	unsigned long floor = watermark_floor(min_mark, RESERVE_ATOMIC);
	unsigned long high = wmark_pages(zone, WMARK_HIGH);
	struct mark marks[] = {
		{ 'a', floor },
		{ 'm', min_mark },
		{ 'l', wmark_pages(zone, WMARK_LOW) },
		{ 'h', high },
	};
	char text[80];

	scnprintf(text, sizeof(text), "%s %lu free of %lu",
	          zone_type_name(zone->type), READ_ONCE(zone->free_pages),
	          zone->managed);
	put_line(panel, BRIGHT, text);
	put_bar(panel, READ_ONCE(zone->free_pages), 4 * high, marks,
	        ARRAY_SIZE(marks));
	scnprintf(text, sizeof(text), "a %lu min %lu low %lu high %lu", floor,
	          marks[1].at, marks[2].at, high);
	if (panel->shape->pixels > 0)
		put_line(panel, DIM, text);
}

static void put_pool(struct panel *panel, const struct node *node)
{
	unsigned long high = node->pool.high;
	unsigned long parked = exclusive_pool_parked(&node->pool);
	char text[80];

	scnprintf(text, sizeof(text), "exclusive pool %lu of %lu", parked,
	          high);
	put_line(panel, BRIGHT, text);
	if (panel->shape->pixels > 0)
		put_bar(panel, parked, high, NULL, 0);
}

/* ---- The legend ---------------------------------------------------------- */

/* In text mode the colours of a cell are the nearest of the VGA's. */
static uint8_t text_colour(uint32_t rgb)
{
	uint8_t colour = 0;

	if (rgb & 0x800000)
		colour |= 4;
	if (rgb & 0x8000)
		colour |= 2;
	if (rgb & 0x80)
		colour |= 1;
	if (colour == 0)
		return DIM;
	return (rgb & 0xc0c0c0) & 0x404040 ? colour | 8 : colour;
}

static void put_kind(struct panel *panel, const struct map_kind *kind,
                     unsigned long count)
{
	unsigned int row = panel->row;
	char text[80];

	if (row >= panel->shape->rows - 1 ||
	    (count == 0 && panel->shape->pixels == 0))
		return;
	scnprintf(text, sizeof(text), "  %-20.20s %8lu", kind->name, count);
	put_line(panel, count == 0 ? DIM : PLAIN, text);
	if (panel->shape->pixels > 0)
		framebuffer_fill(panel->shape->panel * FONT_WIDTH,
		                 row * FONT_HEIGHT + 3, FONT_WIDTH, 10,
		                 kind->rgb);
	else
		screen_top_cell(row, panel->shape->panel,
		                (uint16_t)(text_colour(kind->rgb) << 8 |
		                           (uint8_t)kind->letter));
}

void map_draw_panel(const struct map_shape *shape, struct node *node,
                    const char *mode, const struct map_kind *kind,
                    unsigned int kinds, const unsigned long *count,
                    uint64_t took)
{
	struct panel panel = { .shape = shape,
		               .width = screen_columns() - shape->panel - 1 };
	char text[160];

	for (enum zone_type type = 0; type < ZONE_COUNT; type++) {
		if (node->zone[type].managed != 0)
			put_zone(&panel, &node->zone[type]);
	}
	put_pool(&panel, node);
	if (shape->pixels > 0)
		put_line(&panel, PLAIN, "");
	for (unsigned int i = 0; i < kinds; i++)
		put_kind(&panel, &kind[i], count[i]);
	while (panel.row < shape->rows - 1)
		put_line(&panel, PLAIN, "");
	scnprintf(text, sizeof(text),
	          "-- memory by %s, %u frame%s a cell, a look takes %llu us -- "
	          "`map off` ends it ",
	          mode, shape->frames, shape->frames == 1 ? "" : "s",
	          (unsigned long long)took);
	put_text(shape->rows - 1, 0, screen_columns(), DIM, text);
}

/* ---- Cells --------------------------------------------------------------- */

void map_draw_cell(const struct map_shape *shape, unsigned long cell,
                   const struct map_kind *kind, bool lit)
{
	unsigned int row = (unsigned int)(cell / shape->columns);
	unsigned int column = (unsigned int)(cell % shape->columns);
	unsigned int side = shape->pixels;

	if (side > 0)
		/* A gap between the cells, if they are large enough for it. */
		framebuffer_fill(
			column * side, row * side, side > 3 ? side - 1 : side,
			side > 3 ? side - 1 : side, lit ? LIT_RGB : kind->rgb);
	else
		screen_top_cell(
			row, column,
			(uint16_t)((lit ? BRIGHT << 4 | text_colour(kind->rgb)
		                        : text_colour(kind->rgb))
		                           << 8 |
		                   (uint8_t)kind->letter));
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_memmap.c -- the boot memory map, compared with a painter.
 *
 * The painter has a cell for each 512 bytes of the first MiB and paints one
 * entry after the other, the higher type over the lower; a frame is usable if
 * all of its eight cells are of type 1.  It is too simple to be wrong about
 * order, overlap or alignment.
 */
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/boot/memmap.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(memmap);

#define CELL            512UL
#define CELLS_PER_FRAME (PAGE_SIZE / CELL)
#define FRAMES          256UL
#define MAX_ENTRIES     300U

/* As Multiboot2 has it. */
struct map_entry {
	uint64_t base;
	uint64_t length;
	uint32_t type;
	uint32_t zero;
};

static struct map_entry entries[MAX_ENTRIES];
static struct boot_info boot;
static struct memmap map;
static uint8_t cell[FRAMES * CELLS_PER_FRAME]; /* rank of the type */
static bool taken[FRAMES];

static void begin_map(void)
{
	boot = (struct boot_info){
		.map = (const uint8_t *)entries,
		.map_entry_size = sizeof(entries[0]),
	};
	memset(cell, 0, sizeof(cell));
	memset(taken, 0, sizeof(taken));
}

/* 1 for usable, more for more restrictive types; type 0 is no memory either. */
static uint8_t test_memmap_rank_of(uint32_t type)
{
	return type == 0 || type > 255 ? 255 : (uint8_t)type;
}

/* Add an entry and paint it. */
static void test_memmap_add(uint64_t base, uint64_t length, uint32_t type)
{
	uint64_t end = base + length < base ? ~0UL : base + length;

	entries[boot.map_entries++] = (struct map_entry){ .base = base,
		                                          .length = length,
		                                          .type = type };
	for (unsigned long i = base / CELL;
	     i < ARRAY_SIZE(cell) && i * CELL < end && length > 0; i++) {
		uint64_t start = i * CELL;

		if (test_memmap_rank_of(type) > cell[i]) {
			/* Memory counts only if it fills the cell. */
			if (type == BOOT_MEMORY_USABLE &&
			    (base > start || end < start + CELL))
				continue;
			cell[i] = test_memmap_rank_of(type);
		}
	}
}

static bool painted_usable(unsigned long frame, uint64_t limit)
{
	if ((frame + 1) * PAGE_SIZE > limit)
		return false;
	for (unsigned long i = 0; i < CELLS_PER_FRAME; i++) {
		if (cell[frame * CELLS_PER_FRAME + i] != 1)
			return false;
	}
	return true;
}

static bool painted_free(unsigned long frame, uint64_t limit)
{
	return painted_usable(frame, limit) && !taken[frame];
}

/* Walk with NEXT and compare each frame with IS_SET. */
static const char *test_memmap_compare(
	bool (*next)(const struct memmap *, uint64_t, struct boot_range *),
	bool (*is_set)(unsigned long, uint64_t), unsigned long *pages)
{
	uint64_t limit =
		map.limit < FRAMES * PAGE_SIZE ? map.limit : FRAMES * PAGE_SIZE;
	struct boot_range range;
	unsigned long frame = 0;

	*pages = 0;
	for (uint64_t at = 0; next(&map, at, &range); at = range.end) {
		EXPECT(range.start < range.end && range.start >= at);
		EXPECT(range.start % PAGE_SIZE == 0);
		EXPECT(range.end % PAGE_SIZE == 0);
		EXPECT(range.end <= FRAMES * PAGE_SIZE);
		for (; frame < range.start / PAGE_SIZE; frame++)
			if (is_set(frame, limit))
				return test_failure("frame %lu is missing",
				                    frame);
		for (; frame < range.end / PAGE_SIZE; frame++)
			if (!is_set(frame, limit))
				return test_failure("frame %lu is too much",
				                    frame);
		*pages += (range.end - range.start) / PAGE_SIZE;
	}
	for (; frame < FRAMES; frame++)
		if (is_set(frame, limit))
			return test_failure("frame %lu is missing at the end",
			                    frame);
	return NULL;
}

static const char *compare_usable(void)
{
	unsigned long pages;
	unsigned long end = FRAMES;
	uint64_t limit = min(map.limit, FRAMES * PAGE_SIZE);
	const char *wrong =
		test_memmap_compare(memmap_next_usable, painted_usable, &pages);

	if (wrong != NULL)
		return wrong;
	while (end > 0 && !painted_usable(end - 1, limit))
		end--;
	EXPECT_EQUAL(memmap_usable_pages(&map), pages);
	EXPECT_EQUAL(memmap_end_pfn(&map), end);
	return NULL;
}

static const char *compare_free(void)
{
	unsigned long pages;

	return test_memmap_compare(memmap_next_free, painted_free, &pages);
}

/* ---- Maps made by hand --------------------------------------------------- */

CASE(memmap, an_empty_map_has_no_memory)
{
	struct boot_range range;

	begin_map();
	memmap_init(&map, &boot, 0);
	EXPECT(!memmap_next_usable(&map, 0, &range));
	EXPECT(!memmap_next_free(&map, 0, &range));
	EXPECT_EQUAL(memmap_usable_pages(&map), 0);
	EXPECT_EQUAL(memmap_end_pfn(&map), 0);
	EXPECT_EQUAL(memmap_alloc(&map, 4096, 4096, 0, false), 0);
	return NULL;
}

CASE(memmap, frames_are_counted_inward)
{
	struct boot_range range;

	begin_map();
	test_memmap_add(0x1200, 0x3000,
	                BOOT_MEMORY_USABLE); /* 0x1200..0x4200 */
	memmap_init(&map, &boot, 0);
	EXPECT(memmap_next_usable(&map, 0, &range));
	EXPECT_EQUAL(range.start, 0x2000);
	EXPECT_EQUAL(range.end, 0x4000);
	return compare_usable();
}

CASE(memmap, a_hole_of_one_byte_costs_its_frame)
{
	struct boot_range range;

	begin_map();
	test_memmap_add(0, 0x5000, BOOT_MEMORY_USABLE);
	test_memmap_add(0x2fff, 1, 2);
	memmap_init(&map, &boot, 0);
	EXPECT(memmap_next_usable(&map, 0, &range));
	EXPECT_EQUAL(range.end, 0x2000);
	EXPECT(memmap_next_usable(&map, range.end, &range));
	EXPECT_EQUAL(range.start, 0x3000);
	EXPECT_EQUAL(memmap_usable_pages(&map), 4);
	return compare_usable();
}

CASE(memmap, neighbours_that_share_a_frame_make_it_whole)
{
	begin_map();
	test_memmap_add(0x1800, 0x2800, BOOT_MEMORY_USABLE);
	test_memmap_add(0x0, 0x1800, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_usable_pages(&map), 4);
	return compare_usable();
}

CASE(memmap, the_more_restrictive_type_wins_in_either_order)
{
	for (int order = 0; order < 2; order++) {
		begin_map();
		if (order == 0)
			test_memmap_add(0x2000, 0x2000, 3);
		test_memmap_add(0, 0x8000, BOOT_MEMORY_USABLE);
		test_memmap_add(0x3000, 0x2000, 2);
		if (order == 1)
			test_memmap_add(0x2000, 0x2000, 3);
		memmap_init(&map, &boot, 0);
		EXPECT_EQUAL(memmap_usable_pages(&map), 5);
		if (compare_usable() != NULL)
			return compare_usable();
	}
	return NULL;
}

CASE(memmap, unknown_types_are_no_memory)
{
	static const uint32_t types[] = { 2, 3, 4, 5, 12, 20, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		begin_map();
		test_memmap_add(0, 0x4000, BOOT_MEMORY_USABLE);
		test_memmap_add(0x1000, 0x1000, types[i]);
		memmap_init(&map, &boot, 0);
		EXPECT_EQUAL(memmap_usable_pages(&map), 3);
	}
	return NULL;
}

CASE(memmap, null_and_zero_length_entries_are_ignored)
{
	begin_map();
	test_memmap_add(0, 0, 0);
	test_memmap_add(0x2000, 0, 2);
	test_memmap_add(0, 0x4000, BOOT_MEMORY_USABLE);
	test_memmap_add(0x3000, 0, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_usable_pages(&map), 4);
	return compare_usable();
}

CASE(memmap, wrapped_entries_reach_the_end_and_no_further)
{
	begin_map();
	test_memmap_add(0, 0x8000, BOOT_MEMORY_USABLE);
	test_memmap_add(0x5000, ~0UL - 0x2000, 2);
	test_memmap_add(~0UL - 0xfff, 0x10000, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_usable_pages(&map), 5);
	EXPECT_EQUAL(memmap_end_pfn(&map), 5);
	return compare_usable();
}

CASE(memmap, reserved_ranges_far_above_do_not_move_the_end)
{
	begin_map();
	test_memmap_add(0, 0x10000, BOOT_MEMORY_USABLE);
	test_memmap_add(0xfd00000000, 0x300000000, 2);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_end_pfn(&map), 16);
	EXPECT_EQUAL(memmap_usable_pages(&map), 16);
	return NULL;
}

CASE(memmap, a_fragment_of_a_frame_does_not_move_the_end)
{
	begin_map();
	test_memmap_add(0, 0x4000, BOOT_MEMORY_USABLE);
	test_memmap_add(0x8800, 0x200, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_usable_pages(&map), 4);
	EXPECT_EQUAL(memmap_end_pfn(&map), 4);
	return NULL;
}

CASE(memmap, memory_above_the_limit_is_not_there)
{
	begin_map();
	test_memmap_add(0, 0x100000, BOOT_MEMORY_USABLE);
	for (uint64_t limit = 0x1000; limit < 0x9000; limit += 0x800) {
		memmap_init(&map, &boot, limit);
		EXPECT_EQUAL(memmap_usable_pages(&map), limit / PAGE_SIZE);
	}
	begin_map();
	test_memmap_add(MEMMAP_LIMIT - 0x2000, 0x10000, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_usable_pages(&map), 2);
	EXPECT_EQUAL(memmap_end_pfn(&map), MEMMAP_LIMIT / PAGE_SIZE);
	return NULL;
}

/* ---- Random maps --------------------------------------------------------- */

static void random_entry(struct random *random)
{
	static const uint32_t types[] = { 1, 1, 1, 1, 2,  2,
		                          3, 4, 5, 0, 20, 0xffffffff };
	uint64_t base = random_below(random, FRAMES * CELLS_PER_FRAME) * CELL;
	uint64_t length = random_below(random, 160) * CELL;
	uint32_t type = types[random_below(random, ARRAY_SIZE(types))];

	switch (random_below(random, 12)) {
	case 0:
		length = 0;
		break;
	case 1:
		/* Wraps; not memory, or all would be. */
		length = ~0UL - random_below(random, 4096) * CELL;
		type = 2;
		base = FRAMES * PAGE_SIZE - random_below(random, 64) * CELL;
		break;
	case 2:
		/* Of a few bytes: only what takes memory away counts. */
		base += 1 + random_below(random, 500);
		length = 1 + random_below(random, 8);
		break;
	default:
		break;
	}
	if (type == BOOT_MEMORY_USABLE && base + length > FRAMES * PAGE_SIZE)
		length = FRAMES * PAGE_SIZE - base;
	test_memmap_add(base, length, type);
}

static void random_map(struct random *random, unsigned int count)
{
	begin_map();
	while (boot.map_entries < count)
		random_entry(random);
}

CASE(memmap, random_maps_are_what_the_painter_paints)
{
	struct random random = { test_seed() };

	for (unsigned int round = 0; round < 150; round++) {
		unsigned int count =
			1 + (unsigned int)random_below(&random, 40);
		const char *wrong;

		random_map(&random, count);
		memmap_init(&map, &boot,
		            round % 3 > 0 ? 0
		                          : random_below(&random,
		                                         FRAMES * PAGE_SIZE) +
		                                    1);
		wrong = compare_usable();
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

CASE(memmap, maps_of_300_entries_are_no_problem)
{
	struct random random = { test_seed() };

	begin_map();
	/* Memory with 149 holes, then what comes. */
	test_memmap_add(0, FRAMES * PAGE_SIZE, BOOT_MEMORY_USABLE);
	for (unsigned long i = 0; i < 149; i++)
		test_memmap_add(i * 7 * CELL, CELL, 2);
	while (boot.map_entries < MAX_ENTRIES)
		random_entry(&random);
	memmap_init(&map, &boot, 0);
	return compare_usable();
}

/* ---- Taken and given ----------------------------------------------------- */

CASE(memmap, take_rounds_outward_and_give_inward)
{
	begin_map();
	test_memmap_add(0, 0x10000, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_take(&map, 0x2fff, 0x4001), 0);
	taken[2] = taken[3] = taken[4] = true;
	EXPECT(compare_free() == NULL);
	EXPECT_EQUAL(memmap_give(&map, 0x2001, 0x4fff), 0);
	taken[3] = false;
	EXPECT(compare_free() == NULL);
	EXPECT_EQUAL(memmap_take(&map, 0x8000, 0x8000), 0);
	EXPECT_EQUAL(memmap_take(&map, 0x9000, 0x8000), 0);
	EXPECT_EQUAL(memmap_take(&map, 0x100000000, 0x200000000), 0);
	return compare_free();
}

CASE(memmap, a_full_table_of_taken_ranges_says_so_and_loses_nothing)
{
	unsigned long frame = 0;
	int error = 0;

	begin_map();
	test_memmap_add(0, FRAMES * PAGE_SIZE, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	for (; error == 0 && frame < FRAMES; frame += 2) {
		error = memmap_take(&map, frame * PAGE_SIZE,
		                    (frame + 1) * PAGE_SIZE);
		if (error == 0)
			taken[frame] = true;
	}
	if (error == 0)
		error = memmap_give(&map, 0, 0);
	EXPECT(error == 0 || error == -ENOSPC);
	return compare_free();
}

/* Paint the frames that START..END touches. */
static void paint_taken(uint64_t start, uint64_t end)
{
	for (unsigned long frame = 0; frame < FRAMES; frame++) {
		uint64_t at = frame * PAGE_SIZE;

		if (start < end && at < end && at + PAGE_SIZE > start)
			taken[frame] = true;
	}
}

/*
 * The image is frames 0x20 to 0x2f, its first four are given back, as those of
 * the boot code are.
 */
/* The only places left touch no range that is taken. */
CASE(memmap, an_alloc_for_which_the_table_has_no_room_gets_nothing)
{
	const uint64_t size = PAGE_SIZE;

	begin_map();
	test_memmap_add(0, 4 * MEMMAP_MAX_TAKEN * size, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	for (uint64_t at = 0; map.taken_count < MEMMAP_MAX_TAKEN; at += 4)
		EXPECT_EQUAL(memmap_take(&map, at * size, (at + 1) * size), 0);
	EXPECT_EQUAL(memmap_alloc(&map, size, 2 * size, 0, false), 0);
	return NULL;
}

CASE(memmap, what_was_loaded_is_kept_wherever_it_lies)
{
	static const struct boot_range modules[] = {
		{ 0x10000, 0x10001 },       /* alone */
		{ 0x1f800, 0x20001 },       /* into the boot code */
		{ 0x22100, 0x22200 },       /* in it */
		{ 0x23fff, 0x24001 },       /* boot code and image */
		{ 0x28000, 0x29000 },       /* in the image */
		{ 0x2ffff, 0x40010 },       /* out of it, over the next ones */
		{ 0x31000, 0x33000 },       /* twice the same */
		{ 0x31000, 0x33000 },       /* ... */
		{ 0x3f000, 0x41001 },       /* over the boot information */
		{ 0x7ff00, 0x90000 },       /* memory and a hole */
		{ 0x82000, 0x83000 },       /* in the hole */
		{ 0xff000, 0x180000 },      /* past the end of memory */
		{ 0xc0000000, 0xffffffff }, /* none there */
	};
	const uint64_t info = 0x40ff8;

	begin_map();
	test_memmap_add(0, 0x80000, BOOT_MEMORY_USABLE);
	test_memmap_add(0x84000, FRAMES * PAGE_SIZE - 0x84000,
	                BOOT_MEMORY_USABLE);
	memcpy(boot.module, modules, sizeof(modules));
	boot.modules = ARRAY_SIZE(modules);
	boot.size = 16;
	memmap_init(&map, &boot, 0);
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		paint_taken(modules[i].start, modules[i].end);
	paint_taken(info, info + boot.size);

	/* Alone, and with the image, before and after the boot code is gone. */
	EXPECT_EQUAL(memmap_take_loaded(&map, info), 0);
	EXPECT(compare_free() == NULL);
	EXPECT_EQUAL(memmap_take(&map, 0x20000, 0x30000), 0);
	EXPECT_EQUAL(memmap_give(&map, 0x20000, 0x24000), 0);
	EXPECT_EQUAL(memmap_take_loaded(&map, info), 0);
	paint_taken(0x24000, 0x30000);
	return compare_free();
}

/* The address that memmap_alloc() should give: every one is tried. */
static uint64_t painted_alloc(unsigned long frames, unsigned long align,
                              unsigned long below, bool highest)
{
	uint64_t found = 0;

	for (unsigned long at = align; at + frames <= below; at += align) {
		unsigned long i = 0;

		while (i < frames && painted_free(at + i, FRAMES * PAGE_SIZE))
			i++;
		if (i < frames)
			continue;
		found = at * PAGE_SIZE;
		if (!highest)
			break;
	}
	return found;
}

static const char *random_alloc(struct random *random)
{
	unsigned long frames = 1 + random_below(random, 12);
	unsigned long align = 1UL << random_below(random, 4);
	unsigned long below = random_below(random, 3) > 0
	                              ? FRAMES
	                              : 1 + random_below(random, FRAMES);
	bool highest = random_below(random, 2) > 0;
	uint64_t expected = painted_alloc(frames, align, below, highest);
	uint64_t size = frames * PAGE_SIZE - random_below(random, PAGE_SIZE);
	uint64_t got = memmap_alloc(&map, size, align * PAGE_SIZE,
	                            below * PAGE_SIZE, highest);

	if (got != expected)
		return test_failure(
			"%lu frames, align %lu, below %lu, %s: "
			"%#lx, the painter says %#lx",
			frames, align, below, highest ? "highest" : "lowest",
			(unsigned long)got, (unsigned long)expected);
	for (unsigned long i = 0; got != 0 && i < frames; i++)
		taken[got / PAGE_SIZE + i] = true;
	return NULL;
}

static const char *random_take_or_give(struct random *random, bool take)
{
	uint64_t start = random_below(random, FRAMES * PAGE_SIZE);
	uint64_t end = start + random_below(random, 10 * PAGE_SIZE);

	EXPECT_EQUAL(take ? memmap_take(&map, start, end)
	                  : memmap_give(&map, start, end),
	             0);
	if (take)
		paint_taken(start, end);
	for (unsigned long frame = 0; frame < FRAMES; frame++) {
		uint64_t at = frame * PAGE_SIZE;

		if (!take && start <= at && at + PAGE_SIZE <= end)
			taken[frame] = false;
	}
	return NULL;
}

CASE(memmap, random_takes_gives_and_allocs_are_what_the_painter_does)
{
	struct random random = { test_seed() };

	for (unsigned int round = 0; round < 30; round++) {
		random_map(&random,
		           1 + (unsigned int)random_below(&random, 20));
		test_memmap_add(0, FRAMES * PAGE_SIZE, round % 2 > 0 ? 1 : 2);
		memmap_init(&map, &boot, 0);
		for (unsigned int step = 0; step < 40; step++) {
			unsigned int what =
				(unsigned int)random_below(&random, 4);
			const char *wrong =
				what < 2 ? random_alloc(&random)
					 : random_take_or_give(&random,
			                                       what == 2);

			if (wrong == NULL)
				wrong = compare_free();
			if (wrong != NULL)
				return wrong;
		}
	}
	return NULL;
}

CASE(memmap, the_buddies_get_the_free_frames_and_the_rest_is_reserved)
{
	struct random random = { test_seed() };
	unsigned long usable;
	unsigned long free;
	struct node *node;

	random_map(&random, 12);
	test_memmap_add(0, FRAMES * PAGE_SIZE, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	EXPECT_EQUAL(memmap_take(&map, 0, 0x5000), 0);
	for (unsigned long frame = 0; frame < 5; frame++)
		taken[frame] = true;
	EXPECT(test_memmap_compare(memmap_next_usable, painted_usable,
	                           &usable) == NULL);
	EXPECT(test_memmap_compare(memmap_next_free, painted_free, &free) ==
	       NULL);
	node = private_node_empty(0, FRAMES);
	memmap_release_free(&map, node);
	EXPECT_EQUAL(node->zone[ZONE_DMA].present, usable);
	EXPECT_EQUAL(node->zone[ZONE_DMA].managed, free);
	EXPECT_EQUAL(node_free(node), free);
	for (unsigned long frame = 0; frame < FRAMES; frame++) {
		bool reserved =
			page_head(node, node_page(node, frame))->state ==
			PAGE_NONE;

		EXPECT(reserved != painted_free(frame, FRAMES * PAGE_SIZE));
	}
	return private_check(node);
}

CASE(memmap, frame_0_is_present_and_nobody_gets_it)
{
	struct node *node;

	begin_map();
	test_memmap_add(0, 16 * PAGE_SIZE, BOOT_MEMORY_USABLE);
	memmap_init(&map, &boot, 0);
	node = private_node_empty(0, FRAMES);
	memmap_release_free(&map, node);
	EXPECT_EQUAL(node->zone[ZONE_DMA].present, 16);
	EXPECT_EQUAL(node_free(node), 15);
	EXPECT_EQUAL(node_page(node, 0)->state, PAGE_NONE);
	return private_check(node);
}

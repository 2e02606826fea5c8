/* SPDX-License-Identifier: MIT */
/*
 * mm/boot/memmap.c -- the boot memory map, cleaned while it is read.
 *
 * Linux copies the firmware's map into a table and sorts the overlaps out
 * there (arch/x86/kernel/e820.c).  A table has an end, and a map may have more
 * entries than any table; so this file keeps none: it searches the map itself, at
 * each position, for the type that wins and how far that holds.
 *
 *	entries	      |----- 1 -----|        |-- 1 --|
 *	                    |--- 2 ---|
 *	answers	 none |  1  |    2    | none |   1   | none
 *	usable	      |=====|                |=======|      (frames, inward)
 *
 * Each answer costs one pass over all entries, and there are at most two answers per
 * entry, plus one.
 *
 * The table of taken ranges is small, sorted and disjoint; neighbours merge.
 */
#include "mm/boot/memmap.h"

#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/string.h"

#define NO_TYPE 0

/* ---- The map ------------------------------------------------------------- */

/* Entry INDEX as a range below MEMMAP_LIMIT; false if nothing is left of it. */
static bool entry_range(const struct memmap *map, uint32_t index,
                        struct boot_range *range, uint32_t *type)
{
	uint64_t base;
	uint64_t length;

	kassert(index < map->boot->map_entries);
	*type = boot_map_entry(map->boot, index, &base, &length);
	if (base >= MEMMAP_LIMIT || length == 0)
		return false;
	range->start = base;
	range->end = base + min(length, MEMMAP_LIMIT - base);
	return true;
}

/*
 * The type that wins at byte AT (NO_TYPE: no entry covers it), and in *UNTIL
 * the first byte above AT where the answer may differ.
 */
static uint32_t type_at(const struct memmap *map, uint64_t at, uint64_t *until)
{
	uint32_t winner = NO_TYPE;

	kassert(at < MEMMAP_LIMIT);
	*until = MEMMAP_LIMIT;
	for (uint32_t i = 0; i < map->boot->map_entries; i++) {
		struct boot_range range;
		uint32_t type;

		if (!entry_range(map, i, &range, &type) || range.end <= at)
			continue;
		if (range.start > at) {
			*until = min(*until, range.start);
			continue;
		}
		*until = min(*until, range.end);
		/* Type 0 is not memory either, and restricts like any other. */
		winner = max(winner, type == 0 ? UINT32_MAX : type);
	}
	return winner;
}

/* From AT on: the first stretch of usable bytes, neighbours joined. */
static bool next_usable_bytes(const struct memmap *map, uint64_t at,
                              struct boot_range *range)
{
	uint64_t until;

	kassert(map->limit <= MEMMAP_LIMIT);
	while (at < map->limit &&
	       type_at(map, at, &until) != BOOT_MEMORY_USABLE)
		at = until;
	if (at >= map->limit)
		return false;
	range->start = at;
	while (at < map->limit &&
	       type_at(map, at, &until) == BOOT_MEMORY_USABLE)
		at = until;
	range->end = min(at, map->limit);
	return true;
}

void memmap_init(struct memmap *map, const struct boot_info *boot,
                 uint64_t limit)
{
	kassert(boot != NULL);
	map->boot = boot;
	map->limit = limit == 0 ? MEMMAP_LIMIT : min(limit, MEMMAP_LIMIT);
	map->taken_count = 0;
}

bool memmap_next_usable(const struct memmap *map, uint64_t from,
                        struct boot_range *range)
{
	/* Start at the frame of FROM, so that a stretch which begins inside a
	 * frame is seen to begin there. */
	uint64_t at = ALIGN_DOWN(from, PAGE_SIZE);
	struct boot_range bytes;

	from = ALIGN_UP(from, PAGE_SIZE);
	while (next_usable_bytes(map, at, &bytes)) {
		uint64_t start = max(ALIGN_UP(bytes.start, PAGE_SIZE), from);
		uint64_t end = ALIGN_DOWN(bytes.end, PAGE_SIZE);

		at = bytes.end;
		if (start < end) {
			kassert(start >= bytes.start && end <= bytes.end);
			*range = (struct boot_range){ start, end };
			return true;
		}
	}
	return false;
}

unsigned long memmap_usable_pages(const struct memmap *map)
{
	struct boot_range range = { 0, 0 };
	unsigned long pages = 0;

	while (memmap_next_usable(map, range.end, &range))
		pages += (range.end - range.start) >> PAGE_SHIFT;
	return pages;
}

unsigned long memmap_end_pfn(const struct memmap *map)
{
	struct boot_range range = { 0, 0 };

	while (memmap_next_usable(map, range.end, &range))
		;
	return range.end >> PAGE_SHIFT;
}

/* ---- Taken ranges -------------------------------------------------------- */

static void remove_taken(struct memmap *map, unsigned int index)
{
	kassert(index < map->taken_count);
	map->taken_count--;
	memmove(&map->taken[index], &map->taken[index + 1],
	        (map->taken_count - index) * sizeof(map->taken[0]));
}

static void insert_taken(struct memmap *map, unsigned int index,
                         struct boot_range range)
{
	kassert(map->taken_count < MEMMAP_MAX_TAKEN);
	kassert(index <= map->taken_count);
	kassert(range.start < range.end && range.end <= MEMMAP_LIMIT);
	kassert(range.start % PAGE_SIZE == 0 && range.end % PAGE_SIZE == 0);
	kassert(index == 0 || map->taken[index - 1].end <= range.start);
	kassert(index == map->taken_count ||
	        range.end <= map->taken[index].start);
	memmove(&map->taken[index + 1], &map->taken[index],
	        (map->taken_count - index) * sizeof(map->taken[0]));
	map->taken[index] = range;
	map->taken_count++;
}

int memmap_take(struct memmap *map, uint64_t start, uint64_t end)
{
	struct boot_range range;
	unsigned int at = 0;

	if (start >= end || start >= MEMMAP_LIMIT)
		return 0;
	range.start = ALIGN_DOWN(start, PAGE_SIZE);
	range.end = ALIGN_UP(min(end, MEMMAP_LIMIT), PAGE_SIZE);
	while (at < map->taken_count && map->taken[at].end < range.start)
		at++;
	/* Swallow all that overlap or touch. */
	while (at < map->taken_count && map->taken[at].start <= range.end) {
		range.start = min(range.start, map->taken[at].start);
		range.end = max(range.end, map->taken[at].end);
		remove_taken(map, at);
	}
	kassert(range.start <= start && range.end >= min(end, MEMMAP_LIMIT));
	if (map->taken_count == MEMMAP_MAX_TAKEN)
		return -ENOSPC;
	insert_taken(map, at, range);
	return 0;
}

int memmap_take_loaded(struct memmap *map, uint64_t info)
{
	const struct boot_info *boot = map->boot;
	int error = memmap_take(map, info, info + boot->size);

	for (unsigned int i = 0; i < boot->modules && error == 0; i++)
		error = memmap_take(map, boot->module[i].start,
		                    boot->module[i].end);
	return error;
}

int memmap_give(struct memmap *map, uint64_t start, uint64_t end)
{
	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	for (unsigned int at = 0; at < map->taken_count && start < end; at++) {
		struct boot_range old = map->taken[at];

		if (old.end <= start || old.start >= end)
			continue;
		if (old.start < start && old.end > end &&
		    map->taken_count == MEMMAP_MAX_TAKEN)
			return -ENOSPC;
		remove_taken(map, at);
		if (old.end > end)
			insert_taken(map, at,
			             (struct boot_range){ end, old.end });
		if (old.start < start)
			insert_taken(map, at,
			             (struct boot_range){ old.start, start });
		else
			at--;
	}
	return 0;
}

/* The first taken range that ends above AT, or NULL. */
static const struct boot_range *taken_above(const struct memmap *map,
                                            uint64_t at)
{
	kassert(map->taken_count <= MEMMAP_MAX_TAKEN);
	for (unsigned int i = 0; i < map->taken_count; i++) {
		if (map->taken[i].end > at)
			return &map->taken[i];
	}
	return NULL;
}

bool memmap_next_free(const struct memmap *map, uint64_t from,
                      struct boot_range *range)
{
	struct boot_range usable;

	while (memmap_next_usable(map, from, &usable)) {
		const struct boot_range *taken = taken_above(map, usable.start);

		if (taken == NULL || taken->start > usable.start) {
			if (taken != NULL)
				usable.end = min(usable.end, taken->start);
			*range = usable;
			return true;
		}
		from = taken->end;
	}
	return false;
}

/* The place for SIZE bytes in RANGE, or 0. */
static uint64_t place_in(struct boot_range range, uint64_t size, uint64_t align,
                         bool highest)
{
	uint64_t start;

	kassert(align >= PAGE_SIZE);
	kassert((align & (align - 1)) == 0);
	kassert(size % PAGE_SIZE == 0);
	range.start = max(range.start, PAGE_SIZE); /* never frame 0 */
	if (range.end < range.start || range.end - range.start < size)
		return 0;
	start = highest ? ALIGN_DOWN(range.end - size, align)
	                : ALIGN_UP(range.start, align);
	if (start < range.start || start > range.end - size)
		return 0;
	return start;
}

uint64_t memmap_alloc(struct memmap *map, uint64_t size, uint64_t align,
                      uint64_t below, bool highest)
{
	struct boot_range range = { 0, 0 };
	uint64_t found = 0;

	if (below == 0)
		below = MEMMAP_LIMIT;
	size = ALIGN_UP(size, PAGE_SIZE);
	align = max(align, PAGE_SIZE);
	while ((found == 0 || highest) &&
	       memmap_next_free(map, range.end, &range)) {
		struct boot_range usable = { range.start,
			                     min(range.end, below) };
		uint64_t place = place_in(usable, size, align, highest);

		if (place != 0)
			found = place;
	}
	if (found != 0 && memmap_take(map, found, found + size) != 0)
		return 0;
	return found;
}

/* ---- To the buddy -------------------------------------------------------- */

/* Call VISIT for the part of RANGE that lies in each zone. */
static void for_each_zone_part(struct node *node, struct boot_range range,
                               void (*visit)(struct zone *zone,
                                             unsigned long start,
                                             unsigned long end))
{
	kassert(range.start <= range.end);
	kassert(range.start % PAGE_SIZE == 0 && range.end % PAGE_SIZE == 0);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];
		unsigned long start =
			max(range.start >> PAGE_SHIFT, zone->start_pfn);
		unsigned long end = min(range.end >> PAGE_SHIFT,
		                        zone->start_pfn + zone->spanned);

		if (start < end)
			visit(zone, start, end);
	}
}

void memmap_release_free(const struct memmap *map, struct node *node)
{
	struct boot_range range = { 0, 0 };

	while (memmap_next_usable(map, range.end, &range))
		for_each_zone_part(node, range, zone_add_present);
	/* Frame 0 stays reserved: no page has physical address 0. */
	range.end = PAGE_SIZE;
	while (memmap_next_free(map, range.end, &range)) {
		kassert(range.start >= PAGE_SIZE);
		for_each_zone_part(node, range, zone_release);
	}
}

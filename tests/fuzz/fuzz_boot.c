/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz_boot.c -- boot information made of any bytes.
 *
 *	byte 0		bit 0: the rest is boot information as it stands;
 *			otherwise entries of 8 bytes, of which it is made
 *	byte 1		which 32 KiB of the address space the painter paints
 *	bytes 2, 3	the limit (mem=) in units of 256 bytes from there; 0: none
 *
 * The information is a heap block of exactly its size, so AddressSanitizer sees
 * a read beyond it.  The painter has a cell for each byte of its window; what is
 * not memory is painted over memory, in any order otherwise; a frame is
 * memory if all of its 4096 cells are.
 *
 * fuzz-runs: 3000
 */
#include "kernel/core/multiboot2.h"
#include "lib/string.h"
#include "mm/boot/memmap.h"
#include "tests/fuzz/fuzz.h"

#define HEADER       4
#define ENTRY        8
#define FRAMES       8UL
#define WINDOW       (FRAMES * PAGE_SIZE)
#define ENTRIES_MOST 40UL

static const uint64_t windows[] = {
	0,
	MIB,
	4 * GIB - 2 * PAGE_SIZE,
	1012 * GIB,
	MEMMAP_LIMIT - WINDOW / 2,
	UINT64_MAX - WINDOW + 1,
};

static struct boot_info boot;
static struct memmap map;
static uint8_t cell[WINDOW];
static bool taken[FRAMES];

/* ---- Boot information out of entries ------------------------------------- */

static void fuzz_boot_put(uint8_t *at, uint64_t value, size_t size)
{
	memcpy(at, &value, size);
}

static uint64_t fuzz_boot_get(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

/*
 * One entry: base and length in the window, in units that the last byte
 * chooses, perhaps moved to where it wraps round.
 */
static void fuzz_boot_make_entry(uint8_t *to, const uint8_t *from,
                                 uint64_t window)
{
	static const uint64_t units[] = { 1, 256, PAGE_SIZE, 1UL << 28 };
	uint64_t unit = units[from[7] & 3];
	uint64_t base = window + fuzz_boot_get(from, 2) * unit;
	uint64_t length = fuzz_boot_get(from + 2, 2) * unit;

	if ((from[7] & 0xc0) == 0xc0)
		length = UINT64_MAX - length;
	if ((from[7] & 0x30) == 0x30)
		base -= WINDOW / 4;
	fuzz_boot_put(to, base, 8);
	fuzz_boot_put(to + 8, length, 8);
	fuzz_boot_put(to + 16, from[6] == 0xff ? UINT32_MAX : from[6] % 24, 4);
	fuzz_boot_put(to + 20, 0, 4);
}

/* Boot information with a map of COUNT entries; its size. */
static size_t make_info(uint8_t **info, const uint8_t *from, size_t count,
                        uint64_t window)
{
	size_t tag = 16 + count * 24;
	size_t total = 8 + tag + 8;
	uint8_t *to = calloc(1, total);

	CLAIM(to != NULL);
	fuzz_boot_put(to, total, 4);
	fuzz_boot_put(to + 8, 6, 4);
	fuzz_boot_put(to + 12, tag, 4);
	fuzz_boot_put(to + 16, 24, 4);
	for (size_t i = 0; i < count; i++)
		fuzz_boot_make_entry(to + 24 + i * 24, from + i * ENTRY,
		                     window);
	fuzz_boot_put(to + 8 + tag + 4, 8, 4);
	*info = to;
	return total;
}

/* ---- What the parser says ------------------------------------------------ */

static bool inside(const void *at, uint64_t length, const uint8_t *info,
                   size_t size)
{
	const uint8_t *byte = at;

	return byte >= info && length <= size &&
	       (size_t)(byte - info) <= size - length;
}

static void check_text(const char *text, const uint8_t *info, size_t size)
{
	if (*text != '\0')
		CLAIM(inside(text, strlen(text) + 1, info, size));
}

static void check_ranges(const struct boot_range *range, unsigned int count,
                         unsigned int most)
{
	CLAIM(count <= most);
	for (unsigned int i = 0; i < count; i++) {
		CLAIM(range[i].start < range[i].end);
		CLAIM(range[i].end <= 4 * GIB);
	}
}

static void check_boot(const uint8_t *info, size_t size)
{
	CLAIM(boot.size <= size);
	check_text(boot.command_line, info, size);
	check_text(boot.loader, info, size);
	CLAIM(boot.map_entries == 0 ||
	      inside(boot.map, (uint64_t)boot.map_entries * boot.map_entry_size,
	             info, size));
	check_ranges(boot.module, boot.modules, BOOT_MAX_MODULES);
	check_ranges(boot.section, boot.sections, BOOT_MAX_SECTIONS);
	CLAIM(boot.modules_dropped == 0 || boot.modules == BOOT_MAX_MODULES);
}

/* ---- The painter --------------------------------------------------------- */

/* More restrictive is larger; 0: nothing, 1: memory. */
static uint8_t fuzz_boot_rank_of(uint32_t type)
{
	return type == 1 ? 1 : 2;
}

/* Paint entry INDEX, read once more without the parser's help, if it has
 * RANK. */
static void paint_entry(uint32_t index, uint8_t rank, uint64_t window)
{
	const uint8_t *entry = boot.map + (size_t)index * boot.map_entry_size;
	unsigned __int128 start = fuzz_boot_get(entry, 8);
	unsigned __int128 end = start + fuzz_boot_get(entry + 8, 8);
	unsigned __int128 window_end = (unsigned __int128)window + WINDOW;

	start = max(start, (unsigned __int128)window);
	end = min(end, window_end);
	if (start < end &&
	    fuzz_boot_rank_of((uint32_t)fuzz_boot_get(entry + 16, 4)) == rank)
		memset(cell + (size_t)(start - window), rank,
		       (size_t)(end - start));
}

static void paint(uint64_t window)
{
	memset(cell, 0, sizeof(cell));
	for (uint8_t rank = 1; rank <= 2; rank++) {
		for (uint32_t i = 0; i < boot.map_entries; i++)
			paint_entry(i, rank, window);
	}
}

static bool painted(unsigned long frame, uint64_t window, uint64_t limit)
{
	uint64_t start = window + frame * PAGE_SIZE;

	if (start >= limit || limit - start < PAGE_SIZE)
		return false;
	for (size_t i = 0; i < PAGE_SIZE; i++) {
		if (cell[frame * PAGE_SIZE + i] != 1)
			return false;
	}
	return true;
}

typedef bool next_function(const struct memmap *map, uint64_t from,
                           struct boot_range *range);

/* Is the frame at START in a range that NEXT finds from there? */
static bool found(next_function *next, uint64_t start)
{
	struct boot_range range = { 0, 0 };

	if (!next(&map, start, &range))
		return false;
	CLAIM(range.start < range.end && range.start >= start);
	CLAIM(range.start % PAGE_SIZE == 0 && range.end % PAGE_SIZE == 0);
	CLAIM(range.end <= MEMMAP_LIMIT);
	return range.start == start;
}

static void fuzz_boot_compare(uint64_t window, uint64_t limit)
{
	limit = min(limit, MEMMAP_LIMIT);
	for (unsigned long frame = 0; frame < FRAMES; frame++) {
		uint64_t start = window + frame * PAGE_SIZE;
		bool usable = painted(frame, window, limit);

		CLAIM(found(memmap_next_usable, start) == usable);
		CLAIM(found(memmap_next_free, start) ==
		      (usable && !taken[frame]));
	}
}

/* ---- Taking -------------------------------------------------------------- */

static void fuzz_boot_take(uint64_t start, uint64_t end, uint64_t window)
{
	CLAIM(memmap_take(&map, start, end) == 0);
	for (unsigned long frame = 0; frame < FRAMES; frame++) {
		uint64_t at = window + frame * PAGE_SIZE;

		if (start < end && start <= at + (PAGE_SIZE - 1) && end > at)
			taken[frame] = true;
	}
}

static void take_modules(uint64_t window)
{
	memset(taken, 0, sizeof(taken));
	for (unsigned int i = 0; i < boot.modules; i++)
		fuzz_boot_take(boot.module[i].start, boot.module[i].end,
		               window);
}

/* The walk over everything agrees with the sums; ranges never touch. */
static void fuzz_boot_check_sums(void)
{
	struct boot_range range = { 0, 0 };
	unsigned long pages = 0;
	uint64_t end = 0;
	unsigned int ranges = 0;

	while (memmap_next_usable(&map, end, &range)) {
		CLAIM(ranges == 0 || range.start > end);
		pages += (range.end - range.start) / PAGE_SIZE;
		end = range.end;
		CLAIM(++ranges <= boot.map_entries);
	}
	CLAIM(memmap_usable_pages(&map) == pages);
	CLAIM(memmap_end_pfn(&map) == end / PAGE_SIZE);
}

/* A frame from the allocator is a free one, and then no more. */
static void check_alloc(uint64_t window, uint64_t limit)
{
	uint64_t got = memmap_alloc(&map, PAGE_SIZE, PAGE_SIZE, 0, false);
	unsigned long frame = (got - window) / PAGE_SIZE;

	if (got == 0 || got < window || frame >= FRAMES)
		return;
	CLAIM(painted(frame, window, min(limit, MEMMAP_LIMIT)));
	CLAIM(!taken[frame]);
	taken[frame] = true;
	CLAIM(!found(memmap_next_free, got));
}

static void fuzz_boot_check_map(uint64_t window, uint64_t limit)
{
	memmap_init(&map, &boot, limit);
	if (limit == 0)
		limit = UINT64_MAX;
	paint(window);
	take_modules(window);
	fuzz_boot_compare(window, limit);
	fuzz_boot_check_sums();
	check_alloc(window, limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t window;
	uint64_t limit;
	uint8_t *info;

	if (size < HEADER)
		return 0;
	window = windows[data[1] % ARRAY_SIZE(windows)];
	limit = fuzz_boot_get(data + 2, 2) * 256;
	if (limit != 0)
		limit += window;
	if (data[0] & 1) {
		size -= HEADER;
		info = malloc(size);
		CLAIM(info != NULL || size == 0);
		memcpy(info, data + HEADER, size);
	} else {
		size_t count = min((size - HEADER) / ENTRY, ENTRIES_MOST);

		size = make_info(&info, data + HEADER, count, window);
	}
	if (multiboot2_read(info, size, &boot) != NULL)
		CLAIM(data[0] & 1);
	check_boot(info, size);
	if (boot.map_entries <= ENTRIES_MOST)
		fuzz_boot_check_map(window, limit);
	free(info);
	return 0;
}

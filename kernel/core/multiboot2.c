/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/multiboot2.c -- reads the boot information.
 *
 *	0        8              8 + size of the first tag, rounded up to 8
 *	| total  | tag | tag    | tag ...                        | end tag |
 *	| size   |
 *
 * Each tag begins with its type and its size in bytes, which includes these
 * two numbers but not the padding behind it.  A size below 8 would stop the
 * walk or turn it back, a size beyond the end would read what is not ours:
 * both end it with a sentence.  Every step is 8 bytes at least, so the walk
 * ends after total / 8 steps.
 *
 * Numbers are copied out byte by byte: nothing depends on how they are aligned.
 * Where a tag that may appear once appears again, the first one counts.
 *
 * Source: Multiboot2 Specification version 2.0, section 3.6; the three numbers
 * in front of the ELF section headers are 32 bits wide, as in its header file.
 * ELF-64 Object File Format, version 1.5, section 4 "Sections".
 */
#include "kernel/core/multiboot2.h"

#include "lib/string.h"

enum tag_type {
	TAG_END = 0,
	TAG_COMMAND_LINE = 1,
	TAG_LOADER = 2,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_ELF_SECTIONS = 9,
};

/* Bytes in front of what a tag carries, its type and size included. */
#define INFO_HEADER     8
#define TAG_HEADER      8
#define MODULE_HEADER   16
#define MAP_HEADER      16
#define ELF_HEADER      20
#define PIXELS_HEADER   38

/* A framebuffer of direct colours, and the largest one that we draw on. */
#define PIXELS_DIRECT   1
#define PIXELS_MOST     16384
#define PIXELS_BYTES    (256 * MIB)
#define PHYSICAL_BITS   52

/* One memory map entry: base, length, type, reserved. */
#define MAP_ENTRY_MIN   24

/* One ELF-64 section header, and where its fields are. */
#define SECTION_ENTRY   64
#define SECTION_FLAGS   8
#define SECTION_ADDRESS 16
#define SECTION_SIZE    32
#define SHF_ALLOC       2 /* part of the kernel image */

#define FOUR_GIB        (4 * GIB)

static uint32_t read32(const uint8_t *at)
{
	uint32_t value;

	/* A move; memcpy() would be a call here. */
	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t read64(const uint8_t *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

/* The text that fills a tag, or NULL if it does not end inside it. */
static const char *tag_text(const uint8_t *tag, uint32_t size)
{
	const char *text = (const char *)tag + TAG_HEADER;
	size_t limit = size - TAG_HEADER;

	return strnlen(text, limit) < limit ? text : NULL;
}

static const char *read_command_line(const uint8_t *tag, uint32_t size,
                                     struct boot_info *boot)
{
	const char *text = tag_text(tag, size);

	if (text == NULL)
		return "the command line does not end inside its tag";
	if (boot->command_line[0] == '\0')
		boot->command_line = text;
	return NULL;
}

static const char *read_loader(const uint8_t *tag, uint32_t size,
                               struct boot_info *boot)
{
	const char *text = tag_text(tag, size);

	if (text == NULL)
		return "the loader's name does not end inside its tag";
	if (boot->loader[0] == '\0')
		boot->loader = text;
	return NULL;
}

static const char *read_module(const uint8_t *tag, uint32_t size,
                               struct boot_info *boot)
{
	struct boot_range range;

	if (size < MODULE_HEADER)
		return "a module tag is too small";
	range.start = read32(tag + 8);
	range.end = read32(tag + 12);
	if (range.end < range.start)
		return "a module ends before it starts";
	if (range.end == range.start)
		return NULL;
	if (boot->modules < BOOT_MAX_MODULES)
		boot->module[boot->modules++] = range;
	else
		boot->modules_dropped++;
	return NULL;
}

static const char *read_map(const uint8_t *tag, uint32_t size,
                            struct boot_info *boot)
{
	uint32_t entry_size;

	if (size < MAP_HEADER)
		return "the memory map's tag is too small";
	entry_size = read32(tag + 8);
	if (entry_size < MAP_ENTRY_MIN)
		return "the memory map's entries are too small";
	if (entry_size % 8 != 0)
		return "the memory map's entry size is no multiple of 8";
	if (boot->map != NULL)
		return NULL;
	boot->map = tag + MAP_HEADER;
	boot->map_entry_size = entry_size;
	boot->map_entries = (size - MAP_HEADER) / entry_size;
	return NULL;
}

/* Other kinds, such as the VGA's text, leave PIXEL_BYTES 0. */
static const char *read_framebuffer(const uint8_t *tag, uint32_t size,
                                    struct boot_info *boot)
{
	struct boot_framebuffer *to = &boot->framebuffer;

	if (size < 32)
		return "the framebuffer's tag is too small";
	if (tag[29] != PIXELS_DIRECT || to->pixel_bytes != 0)
		return NULL;
	if (size < PIXELS_HEADER)
		return "the framebuffer's tag lacks its colours";
	to->address = read64(tag + 8);
	to->pitch = read32(tag + 16);
	to->width = read32(tag + 20);
	to->height = read32(tag + 24);
	to->pixel_bytes = tag[28] == 24 || tag[28] == 32 ? tag[28] / 8 : 0;
	for (unsigned int i = 0; i < 3; i++) {
		to->shift[i] = tag[32 + 2 * i];
		to->bits[i] = tag[33 + 2 * i];
	}
	return NULL;
}

/* One section header.  Sections of the image are reserved with the image. */
static const char *read_section(const uint8_t *header, struct boot_info *boot)
{
	uint64_t flags = read64(header + SECTION_FLAGS);
	uint64_t address = read64(header + SECTION_ADDRESS);
	uint64_t size = read64(header + SECTION_SIZE);

	if ((flags & SHF_ALLOC) != 0 || address == 0 || size == 0 ||
	    address >= FOUR_GIB)
		return NULL;
	if (size > FOUR_GIB - address)
		return "an ELF section reaches beyond 4 GiB";
	if (boot->sections < BOOT_MAX_SECTIONS)
		boot->section[boot->sections++] =
			(struct boot_range){ address, address + size };
	else
		boot->sections_dropped++;
	return NULL;
}

static const char *read_sections(const uint8_t *tag, uint32_t size,
                                 struct boot_info *boot)
{
	uint32_t count;
	uint32_t entry_size;

	if (size < ELF_HEADER)
		return "the ELF sections' tag is too small";
	count = read32(tag + 8);
	entry_size = read32(tag + 12);
	if (count == 0)
		return NULL;
	if (entry_size < SECTION_ENTRY)
		return "the ELF section headers are too small";
	if (count > (size - ELF_HEADER) / entry_size)
		return "the ELF section headers run past their tag";
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *header =
			tag + ELF_HEADER + (uint64_t)i * entry_size;
		const char *wrong = read_section(header, boot);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

static const char *read_tag(const uint8_t *tag, uint32_t size,
                            struct boot_info *boot)
{
	switch (read32(tag)) {
	case TAG_COMMAND_LINE:
		return read_command_line(tag, size, boot);
	case TAG_LOADER:
		return read_loader(tag, size, boot);
	case TAG_MODULE:
		return read_module(tag, size, boot);
	case TAG_MEMORY_MAP:
		return read_map(tag, size, boot);
	case TAG_FRAMEBUFFER:
		return read_framebuffer(tag, size, boot);
	case TAG_ELF_SECTIONS:
		return read_sections(tag, size, boot);
	default:
		return NULL;
	}
}

/* All tags of the TOTAL bytes at INFO. */
static const char *read_tags(const uint8_t *info, uint64_t total,
                             struct boot_info *boot)
{
	uint64_t at = INFO_HEADER;

	while (at < total && total - at >= TAG_HEADER) {
		const uint8_t *tag = info + at;
		uint32_t size = read32(tag + 4);
		const char *wrong;

		if (size < TAG_HEADER)
			return "a tag is smaller than its header";
		if (size > total - at)
			return "a tag runs past the end";
		if (read32(tag) == TAG_END)
			return NULL;
		wrong = read_tag(tag, size, boot);
		if (wrong != NULL)
			return wrong;
		at += ALIGN_UP((uint64_t)size, 8);
	}
	return "there is no end tag";
}

const char *multiboot2_read(const void *info, uint64_t limit,
                            struct boot_info *boot)
{
	uint64_t total;

	*boot = (struct boot_info){ .command_line = "", .loader = "" };
	if (limit < INFO_HEADER)
		return "there is no room for boot information";
	total = read32(info);
	if (total < INFO_HEADER + TAG_HEADER)
		return "the boot information is too small";
	if (total > limit)
		return "the boot information is larger than it may be";
	boot->size = total;
	return read_tags(info, total, boot);
}

uint32_t boot_map_entry(const struct boot_info *boot, uint32_t index,
                        uint64_t *base, uint64_t *length)
{
	const uint8_t *entry;

	*base = 0;
	*length = 0;
	if (index >= boot->map_entries)
		return 0;
	entry = boot->map + (uint64_t)index * boot->map_entry_size;
	*base = read64(entry);
	/* The part that would wrap around the address space does not exist. */
	*length = min(read64(entry + 8), UINT64_MAX - *base);
	return read32(entry + 16);
}

static bool is_usable_memory(const struct boot_info *boot, uint64_t start,
                             uint64_t end)
{
	for (uint32_t i = 0; i < boot->map_entries; i++) {
		uint64_t base;
		uint64_t length;

		if (boot_map_entry(boot, i, &base, &length) ==
		            BOOT_MEMORY_USABLE &&
		    base < end && start < base + length)
			return true;
	}
	return false;
}

static bool colours_fit(const struct boot_framebuffer *pixels)
{
	for (unsigned int i = 0; i < 3; i++) {
		if (pixels->bits[i] == 0 || pixels->bits[i] > 8 ||
		    pixels->shift[i] + pixels->bits[i] >
		            8U * pixels->pixel_bytes)
			return false;
	}
	return true;
}

const char *boot_framebuffer_fault(const struct boot_info *boot)
{
	const struct boot_framebuffer *pixels = &boot->framebuffer;
	uint64_t size = (uint64_t)pixels->pitch * pixels->height;

	if (pixels->pixel_bytes == 0)
		return "there is none with 24 or 32 bits a pixel";
	if (pixels->width < 320 || pixels->height < 200)
		return "it is smaller than 320x200";
	if (pixels->width > PIXELS_MOST || pixels->height > PIXELS_MOST ||
	    size > PIXELS_BYTES)
		return "it is too large";
	if (pixels->pitch < (uint64_t)pixels->width * pixels->pixel_bytes)
		return "its rows overlap";
	if (!colours_fit(pixels))
		return "its colours do not fit into its pixels";
	if (pixels->address % 4 != 0 || pixels->pitch % 4 != 0)
		return "its rows are not aligned";
	if (pixels->address > (1UL << PHYSICAL_BITS) - size)
		return "it is beyond all memory";
	if (is_usable_memory(boot, pixels->address, pixels->address + size))
		return "it is in memory that is usable";
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_multiboot2.c -- boot information, friendly and hostile.
 *
 * Each case writes its own boot information with the functions below and may
 * spoil it afterwards.
 */
#include "kernel/core/multiboot2.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/suite.h"

SUITE(multiboot2);

/* 66 ELF section headers are the most that a case writes: 4224 bytes. */
#define ROOM 4608

static uint8_t info[ROOM] __aligned(8);
static uint32_t used;
static struct boot_info boot;

static void test_multiboot2_put32(uint32_t value)
{
	memcpy(info + used, &value, sizeof(value));
	used += sizeof(value);
}

static void put64(uint64_t value)
{
	memcpy(info + used, &value, sizeof(value));
	used += sizeof(value);
}

static void set32(uint32_t at, uint32_t value)
{
	memcpy(info + at, &value, sizeof(value));
}

/* Begin a tag; returns where it is. */
static uint32_t begin_tag(uint32_t type)
{
	uint32_t at = used;

	test_multiboot2_put32(type);
	test_multiboot2_put32(0);
	return at;
}

static void end_tag(uint32_t at)
{
	set32(at + 4, used - at);
	used = ALIGN_UP(used, 8U);
}

static void begin_info(void)
{
	memset(info, 0, sizeof(info));
	used = 0;
	test_multiboot2_put32(0);
	test_multiboot2_put32(0);
}

static void end_info(void)
{
	end_tag(begin_tag(0));
	set32(0, used);
}

static void test_multiboot2_put_text(uint32_t type, const char *text)
{
	uint32_t tag = begin_tag(type);
	size_t size = strlen(text) + 1;

	memcpy(info + used, text, size);
	used += (uint32_t)size;
	end_tag(tag);
}

static void put_module(uint32_t start, uint32_t end)
{
	uint32_t tag = begin_tag(3);

	test_multiboot2_put32(start);
	test_multiboot2_put32(end);
	test_multiboot2_put32(0x444f4d); /* "MOD" */
	end_tag(tag);
}

/* Two entries of ENTRY_SIZE bytes. */
static uint32_t put_map(uint32_t entry_size)
{
	uint32_t tag = begin_tag(6);

	test_multiboot2_put32(entry_size);
	test_multiboot2_put32(0);
	for (uint64_t i = 0; i < 2; i++) {
		uint32_t begin = used;

		put64(i * MIB);
		put64(640 * KIB + i);
		test_multiboot2_put32((uint32_t)i + 1);
		test_multiboot2_put32(0);
		if (entry_size >= 24)
			used = begin + entry_size;
	}
	end_tag(tag);
	return tag;
}

static void put_section(uint64_t flags, uint64_t address, uint64_t size)
{
	test_multiboot2_put32(1);
	test_multiboot2_put32(1);
	put64(flags);
	put64(address);
	put64(0);
	put64(size);
	put64(0);
	put64(0);
	put64(0);
}

static uint32_t begin_sections(uint32_t count)
{
	uint32_t tag = begin_tag(9);

	test_multiboot2_put32(count);
	test_multiboot2_put32(64);
	test_multiboot2_put32(0);
	return tag;
}

static const char *read_info(void)
{
	return multiboot2_read(info, sizeof(info), &boot);
}

static bool test_multiboot2_says(const char *expected)
{
	const char *sentence = read_info();

	return sentence != NULL && strcmp(sentence, expected) == 0;
}

CASE(multiboot2, reads_what_grub_says)
{
	uint64_t base;
	uint64_t length;

	begin_info();
	test_multiboot2_put_text(1, "selftest hz=1000");
	test_multiboot2_put_text(2, "GRUB 2.06");
	put_module(0x200000, 0x201234);
	put_map(24);
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT_EQUAL(boot.size, used);
	EXPECT(strcmp(boot.command_line, "selftest hz=1000") == 0);
	EXPECT(strcmp(boot.loader, "GRUB 2.06") == 0);
	EXPECT_EQUAL(boot.modules, 1);
	EXPECT_EQUAL(boot.module[0].start, 0x200000);
	EXPECT_EQUAL(boot.module[0].end, 0x201234);
	EXPECT_EQUAL(boot.map_entries, 2);
	EXPECT_EQUAL(boot_map_entry(&boot, 1, &base, &length), 2);
	EXPECT_EQUAL(base, MIB);
	EXPECT_EQUAL(length, 640 * KIB + 1);
	return NULL;
}

CASE(multiboot2, gives_empty_answers_where_there_is_no_tag)
{
	uint64_t base;
	uint64_t length;

	begin_info();
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT(boot.command_line[0] == '\0' && boot.loader[0] == '\0');
	EXPECT_EQUAL(boot.modules + boot.sections + boot.map_entries, 0);
	EXPECT_EQUAL(boot_map_entry(&boot, 0, &base, &length), 0);
	EXPECT_EQUAL(base + length, 0);
	return NULL;
}

CASE(multiboot2, passes_over_tags_that_it_does_not_know)
{
	begin_info();
	test_multiboot2_put_text(21, "odd length");
	test_multiboot2_put_text(0xffffffff, "x");
	test_multiboot2_put_text(1, "found");
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT(strcmp(boot.command_line, "found") == 0);
	return NULL;
}

CASE(multiboot2, refuses_a_total_size_that_cannot_be)
{
	begin_info();
	end_info();
	set32(0, 0);
	EXPECT(test_multiboot2_says("the boot information is too small"));
	set32(0, 15);
	EXPECT(test_multiboot2_says("the boot information is too small"));
	set32(0, sizeof(info) + 1);
	EXPECT(test_multiboot2_says(
		"the boot information is larger than it may be"));
	set32(0, 0xffffffff);
	EXPECT(test_multiboot2_says(
		"the boot information is larger than it may be"));
	EXPECT_EQUAL(boot.size, 0);
	EXPECT(multiboot2_read(info, 7, &boot) != NULL);
	EXPECT(multiboot2_read(info, 0, &boot) != NULL);
	return NULL;
}

CASE(multiboot2, takes_a_total_size_that_is_not_a_multiple_of_8)
{
	begin_info();
	test_multiboot2_put_text(1, "abc");
	end_info();
	set32(0, used + 3);
	EXPECT(read_info() == NULL);
	set32(0, used - 3);
	EXPECT(test_multiboot2_says("there is no end tag"));
	EXPECT(strcmp(boot.command_line, "abc") == 0);
	return NULL;
}

CASE(multiboot2, refuses_tags_smaller_than_their_header)
{
	for (uint32_t size = 0; size < 8; size++) {
		uint32_t tag;

		begin_info();
		tag = begin_tag(21);
		end_tag(tag);
		end_info();
		set32(tag + 4, size);
		EXPECT(test_multiboot2_says(
			"a tag is smaller than its header"));
	}
	return NULL;
}

CASE(multiboot2, refuses_tags_that_run_past_the_end)
{
	uint32_t tag;

	begin_info();
	tag = begin_tag(21);
	end_tag(tag);
	end_info();
	set32(tag + 4, used - tag + 1);
	EXPECT(test_multiboot2_says("a tag runs past the end"));
	set32(tag + 4, 0xffffffff);
	EXPECT(test_multiboot2_says("a tag runs past the end"));
	/* Exactly to the end: then the end tag is inside it. */
	set32(tag + 4, used - tag);
	EXPECT(test_multiboot2_says("there is no end tag"));
	return NULL;
}

CASE(multiboot2, refuses_texts_that_do_not_end_in_their_tag)
{
	uint32_t tag;

	begin_info();
	tag = begin_tag(1);
	put64(0x6161616161616161UL);
	end_tag(tag);
	end_info();
	EXPECT(test_multiboot2_says(
		"the command line does not end inside its tag"));
	EXPECT(boot.command_line[0] == '\0');
	set32(tag, 2);
	EXPECT(test_multiboot2_says(
		"the loader's name does not end inside its tag"));
	/* A tag without any room for text. */
	begin_info();
	end_tag(begin_tag(1));
	end_info();
	EXPECT(test_multiboot2_says(
		"the command line does not end inside its tag"));
	return NULL;
}

CASE(multiboot2, lets_the_first_of_two_equal_tags_count)
{
	begin_info();
	test_multiboot2_put_text(1, "first");
	test_multiboot2_put_text(1, "second");
	put_map(24);
	put_map(32);
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT(strcmp(boot.command_line, "first") == 0);
	EXPECT_EQUAL(boot.map_entry_size, 24);
	return NULL;
}

CASE(multiboot2, refuses_map_entries_that_are_too_small)
{
	static const uint32_t sizes[] = { 0, 1, 8, 20, 23 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		begin_info();
		put_map(sizes[i]);
		end_info();
		EXPECT(test_multiboot2_says(
			"the memory map's entries are too small"));
		EXPECT_EQUAL(boot.map_entries, 0);
	}
	begin_info();
	put_map(28);
	end_info();
	EXPECT(test_multiboot2_says(
		"the memory map's entry size is no multiple of 8"));
	return NULL;
}

CASE(multiboot2, steps_by_the_entry_size_that_the_map_states)
{
	static const uint32_t sizes[] = { 24, 32, 40, 64 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t base;
		uint64_t length;

		begin_info();
		put_map(sizes[i]);
		end_info();
		EXPECT(read_info() == NULL);
		EXPECT_EQUAL(boot.map_entries, 2);
		EXPECT_EQUAL(boot_map_entry(&boot, 1, &base, &length), 2);
		EXPECT_EQUAL(base, MIB);
	}
	return NULL;
}

CASE(multiboot2, ignores_the_last_map_entry_if_it_is_cut)
{
	uint32_t tag;

	begin_info();
	tag = put_map(24);
	end_info();
	set32(tag + 4, 16 + 24 + 23);
	EXPECT(read_info() == NULL);
	EXPECT_EQUAL(boot.map_entries, 1);
	set32(tag + 4, 15);
	EXPECT(test_multiboot2_says("the memory map's tag is too small"));
	return NULL;
}

CASE(multiboot2, cuts_map_entries_that_wrap_round)
{
	uint64_t base;
	uint64_t length;
	uint32_t tag;

	begin_info();
	tag = begin_tag(6);
	test_multiboot2_put32(24);
	test_multiboot2_put32(0);
	put64(UINT64_MAX - 0xfff);
	put64(UINT64_MAX);
	put64(1);
	end_tag(tag);
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT_EQUAL(boot_map_entry(&boot, 0, &base, &length), 1);
	EXPECT_EQUAL(base + length, UINT64_MAX);
	EXPECT_EQUAL(boot_map_entry(&boot, 1, &base, &length), 0);
	EXPECT_EQUAL(boot_map_entry(&boot, 0xffffffff, &base, &length), 0);
	return NULL;
}

CASE(multiboot2, counts_modules_beyond_its_array)
{
	begin_info();
	for (uint32_t i = 0; i < BOOT_MAX_MODULES + 3; i++)
		put_module(i * 0x1000, i * 0x1000 + 1);
	put_module(0x5000, 0x5000); /* empty: nothing to reserve */
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT_EQUAL(boot.modules, BOOT_MAX_MODULES);
	EXPECT_EQUAL(boot.modules_dropped, 3);
	return NULL;
}

CASE(multiboot2, refuses_modules_that_end_before_they_start)
{
	uint32_t tag;

	begin_info();
	put_module(0x2000, 0x1fff);
	end_info();
	EXPECT(test_multiboot2_says("a module ends before it starts"));
	begin_info();
	tag = begin_tag(3);
	test_multiboot2_put32(0);
	end_tag(tag);
	end_info();
	EXPECT(test_multiboot2_says("a module tag is too small"));
	return NULL;
}

/* 1024x768 with 32 bits a pixel, as QEMU's card has it; returns where the tag is. */
static uint32_t put_framebuffer(void)
{
	static const uint8_t colours[] = { 32, 1, 0, 0, 16, 8, 8, 8, 0, 8 };
	uint32_t tag = begin_tag(8);

	put64(0xfd000000);
	test_multiboot2_put32(4096);
	test_multiboot2_put32(1024);
	test_multiboot2_put32(768);
	memcpy(info + used, colours, sizeof(colours));
	used += sizeof(colours);
	end_tag(tag);
	return tag;
}

static bool cannot_be_drawn_on(const char *expected)
{
	const char *fault = read_info();

	return fault == NULL &&
	       strcmp(boot_framebuffer_fault(&boot) ?: "", expected) == 0;
}

CASE(multiboot2, reads_a_framebuffer_and_what_a_pixel_is_made_of)
{
	begin_info();
	put_map(24);
	put_framebuffer();
	end_info();
	EXPECT(cannot_be_drawn_on(""));
	EXPECT_EQUAL(boot.framebuffer.address, 0xfd000000UL);
	EXPECT_EQUAL(boot.framebuffer.pitch, 4096);
	EXPECT_EQUAL(boot.framebuffer.width, 1024);
	EXPECT_EQUAL(boot.framebuffer.height, 768);
	EXPECT_EQUAL(boot.framebuffer.pixel_bytes, 4);
	EXPECT_EQUAL(boot.framebuffer.shift[0], 16);
	EXPECT_EQUAL(boot.framebuffer.shift[1], 8);
	EXPECT_EQUAL(boot.framebuffer.shift[2], 0);
	EXPECT_EQUAL(boot.framebuffer.bits[2], 8);
	return NULL;
}

CASE(multiboot2, takes_text_and_palettes_for_no_framebuffer)
{
	for (uint8_t kind = 0; kind < 4; kind++) {
		uint32_t tag;

		begin_info();
		tag = put_framebuffer();
		end_info();
		info[tag + 29] = kind;
		EXPECT(kind == 1 ||
		       cannot_be_drawn_on(
			       "there is none with 24 or 32 bits a pixel"));
	}
	begin_info();
	end_info();
	EXPECT(cannot_be_drawn_on("there is none with 24 or 32 bits a pixel"));
	return NULL;
}

CASE(multiboot2, refuses_framebuffer_tags_that_are_cut)
{
	for (uint32_t size = 8; size < 38; size++) {
		begin_info();
		set32(put_framebuffer() + 4, size);
		end_info();
		EXPECT(test_multiboot2_says(
			size < 32 ? "the framebuffer's tag is too small"
				  : "the framebuffer's tag lacks its colours"));
	}
	return NULL;
}

/* The offset of a field in the tag, what a liar writes there, and the answer. */
static const struct {
	uint32_t at;
	uint32_t value;
	const char *fault;
} framebuffer_lies[] = {
	{ 20, 319, "it is smaller than 320x200" },
	{ 24, 199, "it is smaller than 320x200" },
	{ 20, 16385, "it is too large" },
	{ 24, 16385, "it is too large" },
	{ 16, 0x80000000, "it is too large" },
	{ 16, 4095, "its rows overlap" },
	{ 16, 4098, "its rows are not aligned" },
	{ 8, 0xfd000002, "its rows are not aligned" },
	{ 12, 0xffffffff, "it is beyond all memory" },
	{ 12, 0x00100000, "it is beyond all memory" },
	{ 8, 0, "it is in memory that is usable" },
	{ 28, 0x00000110, "there is none with 24 or 32 bits a pixel" },
	{ 32, 0x08080910, "its colours do not fit into its pixels" },
	{ 32, 0x08080010, "its colours do not fit into its pixels" },
	{ 32, 0x08190810, "its colours do not fit into its pixels" },
	{ 32, 0x08ff0810, "its colours do not fit into its pixels" },
};

CASE(multiboot2, names_what_is_wrong_with_a_framebuffer)
{
	for (size_t i = 0; i < ARRAY_SIZE(framebuffer_lies); i++) {
		uint32_t tag;

		begin_info();
		put_map(24);
		tag = put_framebuffer();
		end_info();
		set32(tag + framebuffer_lies[i].at, framebuffer_lies[i].value);
		if (!cannot_be_drawn_on(framebuffer_lies[i].fault))
			return test_failure("lie %zu", i);
	}
	return NULL;
}

CASE(multiboot2, records_sections_that_the_image_does_not_cover)
{
	uint32_t tag;

	begin_info();
	tag = begin_sections(6);
	put_section(0, 0, 0);                         /* the null section */
	put_section(2, 0x100000, 0x5000);             /* .boot: SHF_ALLOC */
	put_section(6, 0xffffffff80100000UL, 0x5000); /* .text */
	put_section(0, 0x180000, 0x1234);             /* .symtab */
	put_section(0x30, 0x190000, 0);               /* empty */
	put_section(0, 0xfffff000, 0x1000);           /* up to 4 GiB */
	end_tag(tag);
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT_EQUAL(boot.sections, 2);
	EXPECT_EQUAL(boot.section[0].start, 0x180000);
	EXPECT_EQUAL(boot.section[0].end, 0x181234);
	EXPECT_EQUAL(boot.section[1].end, 4 * GIB);
	return NULL;
}

CASE(multiboot2, refuses_sections_that_cannot_be)
{
	uint32_t tag;

	begin_info();
	tag = begin_sections(1);
	put_section(0, 0x180000, 4 * GIB);
	end_tag(tag);
	end_info();
	EXPECT(test_multiboot2_says("an ELF section reaches beyond 4 GiB"));
	EXPECT_EQUAL(boot.sections, 0);
	set32(tag + 8, 2);
	EXPECT(test_multiboot2_says(
		"the ELF section headers run past their tag"));
	set32(tag + 8, 0xffffffff);
	EXPECT(test_multiboot2_says(
		"the ELF section headers run past their tag"));
	set32(tag + 8, 1);
	set32(tag + 12, 40);
	EXPECT(test_multiboot2_says("the ELF section headers are too small"));
	set32(tag + 12, 0);
	EXPECT(test_multiboot2_says("the ELF section headers are too small"));
	set32(tag + 12, 0xffffffff);
	EXPECT(test_multiboot2_says(
		"the ELF section headers run past their tag"));
	set32(tag + 8, 0);
	EXPECT(read_info() == NULL);
	set32(tag + 4, 19);
	EXPECT(test_multiboot2_says("the ELF sections' tag is too small"));
	return NULL;
}

/* The tag's length is that of its fixed part. */
CASE(multiboot2, takes_a_tag_of_no_sections)
{
	begin_info();
	end_tag(begin_sections(0));
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT_EQUAL(boot.sections, 0);
	return NULL;
}

CASE(multiboot2, counts_sections_beyond_its_array)
{
	uint32_t tag;

	begin_info();
	tag = begin_sections(BOOT_MAX_SECTIONS + 2);
	for (uint32_t i = 0; i < BOOT_MAX_SECTIONS + 2; i++)
		put_section(0, 0x1000, 1);
	end_tag(tag);
	end_info();
	EXPECT(read_info() == NULL);
	EXPECT_EQUAL(boot.sections, BOOT_MAX_SECTIONS);
	EXPECT_EQUAL(boot.sections_dropped, 2);
	return NULL;
}

CASE(multiboot2, keeps_inside_its_bounds_on_spoiled_information)
{
	struct random random = { test_seed() };

	for (unsigned int round = 0; round < 3000; round++) {
		uint32_t tag;

		begin_info();
		test_multiboot2_put_text(1, "a b=c");
		put_module(1, 2);
		put_map(24);
		tag = begin_sections(2);
		put_section(0, 0x1000, 0x1000);
		put_section(0, 0x3000, 0x1000);
		end_tag(tag);
		end_info();
		for (unsigned int i = 0; i < 1 + round % 4; i++) {
			uint32_t at = (uint32_t)random_below(&random, used);

			info[at] = (uint8_t)random_next(&random);
		}
		(void)multiboot2_read(info, used, &boot);
		EXPECT(strlen(boot.command_line) < used);
		EXPECT((uint64_t)boot.map_entries * boot.map_entry_size < used);
		EXPECT(boot.modules <= BOOT_MAX_MODULES);
		EXPECT(boot.sections <= BOOT_MAX_SECTIONS);
		for (uint32_t i = 0; i < boot.map_entries; i++) {
			uint64_t base;
			uint64_t length;

			(void)boot_map_entry(&boot, i, &base, &length);
			EXPECT(base + length >= base);
		}
	}
	return NULL;
}

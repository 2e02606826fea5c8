/* SPDX-License-Identifier: MIT */
/*
 * mm/swap/swap_header.c -- the header that mkswap(8) wrote.
 *
 * The first page of an area, all numbers little endian:
 *
 *	1024  version, 1          1036  uuid, 16 bytes
 *	1028  the last page       1052  label, 16 bytes
 *	1032  bad pages           1536  their numbers, 4 bytes each
 *	                          4086  "SWAPSPACE2"
 *
 * It is untrusted input.  No field is used before it is checked, and nothing
 * outside the page is read.
 *
 * Locking: none; the page and the result are the caller's.
 */
#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/swap/swap.h"

/* Where mkswap puts things. */
enum {
	HEADER_VERSION = 1024,
	HEADER_LAST_PAGE = 1028,
	HEADER_NR_BADPAGES = 1032,
	HEADER_UUID = 1036,
	HEADER_LABEL = 1052,
	HEADER_BADPAGES = 1536,
	HEADER_MAGIC = 4086,
};
static_assert(HEADER_MAGIC == PAGE_SIZE - 10, "at the end of the page");
static_assert(HEADER_BADPAGES + SWAP_MAX_BADPAGES * 4 <= HEADER_MAGIC, "fits");

static uint32_t swap_read_le32(const void *from)
{
	const uint8_t *byte = from;

	return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 |
	       (uint32_t)byte[3] << 24;
}

static bool swap_has_magic(const uint8_t *bytes, const char *magic)
{
	for (unsigned int i = 0; i < 10; i++) {
		if (bytes[HEADER_MAGIC + i] != (uint8_t)magic[i])
			return false;
	}
	return true;
}

static const char *swap_check_format(const uint8_t *bytes)
{
	if (swap_has_magic(bytes, "SWAP-SPACE"))
		return "the swap header is of the old version 0";
	if (!swap_has_magic(bytes, "SWAPSPACE2"))
		return "there is no swap header";
	if (swap_read_le32(bytes + HEADER_VERSION) == 1U << 24)
		return "the swap header is of another byte order";
	if (swap_read_le32(bytes + HEADER_VERSION) != 1)
		return "the swap header is of an unknown version";
	return NULL;
}

static const char *swap_check_size(uint32_t last_page,
                                   unsigned long device_pages)
{
	if (last_page == 0)
		return "the swap area is empty";
	if (last_page >= device_pages)
		return "the device is shorter than its swap header says";
	return NULL;
}

unsigned long swap_header_badpage(const struct swap_header *header,
                                  unsigned int number)
{
	kassert(number < SWAP_MAX_BADPAGES);
	return swap_read_le32((const uint8_t *)header->badpages + 4UL * number);
}

static const char *swap_check_badpages(const struct swap_header *header)
{
	if (header->nr_badpages > SWAP_MAX_BADPAGES)
		return "the swap header has too many bad pages";
	for (unsigned int i = 0; i < header->nr_badpages; i++) {
		unsigned long slot = swap_header_badpage(header, i);

		if (slot == 0 || slot >= header->slots)
			return "a bad page of the swap header is outside";
	}
	return NULL;
}

/* Text that somebody else wrote, for people. */
static void swap_copy_label(char *label, const uint8_t *from)
{
	unsigned int length = 0;

	while (length < 16 && from[length] != 0) {
		bool printable = from[length] >= ' ' && from[length] <= '~';

		label[length] = '?';
		if (printable)
			label[length] = (char)from[length];
		length++;
	}
	label[length] = '\0';
}

const char *swap_read_header(const void *page, unsigned long device_pages,
                             struct swap_header *header)
{
	const uint8_t *bytes = page;
	uint32_t last_page = swap_read_le32(bytes + HEADER_LAST_PAGE);
	const char *wrong = swap_check_format(bytes);

	if (wrong == NULL)
		wrong = swap_check_size(last_page, device_pages);
	if (wrong != NULL)
		return wrong;
	header->slots = last_page + 1UL;
	header->nr_badpages = swap_read_le32(bytes + HEADER_NR_BADPAGES);
	header->badpages = bytes + HEADER_BADPAGES;
	memcpy(header->uuid, bytes + HEADER_UUID, sizeof(header->uuid));
	swap_copy_label(header->label, bytes + HEADER_LABEL);
	return swap_check_badpages(header);
}

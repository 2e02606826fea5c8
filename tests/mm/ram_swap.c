/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/ram_swap.c -- a swap device made of ordinary pages.
 *
 * A write that waits copies the page when it ends, as late as a disk might: what
 * is written to the page meanwhile is on the device or not, and the page is
 * dirty in any case.
 */
#include "tests/mm/ram_swap.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

/* ---- The header ---------------------------------------------------------- */

static void put_le32(uint8_t *at, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* Without the 0 behind it. */
static void ram_swap_put_text(uint8_t *at, const char *text)
{
	while (*text != '\0')
		*at++ = (uint8_t)*text++;
}

void ram_swap_header(void *page, uint32_t last_page, const uint32_t *bad,
                     unsigned int count)
{
	uint8_t *bytes = page;

	memset(bytes, 0, PAGE_SIZE);
	put_le32(bytes + 1024, 1);
	put_le32(bytes + 1028, last_page);
	put_le32(bytes + 1032, count);
	ram_swap_put_text(bytes + 1052, "ram");
	for (unsigned int i = 0; i < count; i++)
		put_le32(bytes + 1536 + 4UL * i, bad[i]);
	ram_swap_put_text(bytes + 4086, "SWAPSPACE2");
}

/* ---- Reading and writing ------------------------------------------------- */

/* Is it this call that fails? */
static bool ram_swap_fails(struct ram_fault *fault)
{
	if (fault->nth == 0)
		return false;
	if (fault->nth > 1) {
		fault->nth--;
		return false;
	}
	if (!fault->forever)
		fault->nth = 0;
	return true;
}

static int ram_read(struct swap_device *device, unsigned long slot,
                    struct page *page)
{
	struct ram_swap *ram = device->driver;

	ram->reads++;
	if (ram_swap_fails(&ram->read_fault))
		return -EIO;
	memcpy(page_address(page), page_address(ram->store[slot]), PAGE_SIZE);
	return 0;
}

static void ram_swap_end_write(struct ram_swap *ram, unsigned long slot,
                               struct page *page)
{
	if (ram_swap_fails(&ram->write_fault)) {
		swap_write_end(page, -EIO);
		return;
	}
	memcpy(page_address(ram->store[slot]), page_address(page), PAGE_SIZE);
	swap_write_end(page, 0);
}

static int ram_write(struct swap_device *device, unsigned long slot,
                     struct page *page)
{
	struct ram_swap *ram = device->driver;

	ram->writes++;
	if (ram_swap_fails(&ram->start_fault))
		return -ENXIO;
	if (ram->deferred && ram->pending_count < RAM_SWAP_PENDING) {
		ram->pending_slot[ram->pending_count] = slot;
		ram->pending[ram->pending_count++] = page;
	} else {
		ram_swap_end_write(ram, slot, page);
	}
	return 0;
}

void ram_swap_complete(struct ram_swap *ram)
{
	while (ram->pending_count > 0) {
		ram->pending_count--;
		ram_swap_end_write(ram, ram->pending_slot[ram->pending_count],
		                   ram->pending[ram->pending_count]);
	}
}

/* ---- Making one ---------------------------------------------------------- */

bool ram_swap_make(struct ram_swap *ram, const char *name, unsigned long pages)
{
	*ram = (struct ram_swap){
		.device = { .name = name,
		            .pages = pages,
		            .read = ram_read,
		            .write = ram_write,
		            .driver = ram },
	};
	for (unsigned long i = 0; i < pages; i++) {
		ram->store[i] = alloc_page(GFP_KERNEL);
		if (ram->store[i] == NULL) {
			ram_swap_end(ram);
			return false;
		}
	}
	ram_swap_header(page_address(ram->store[0]), (uint32_t)pages - 1, NULL,
	                0);
	return true;
}

void ram_swap_end(struct ram_swap *ram)
{
	for (unsigned long i = 0; i < RAM_SWAP_PAGES; i++) {
		if (ram->store[i] != NULL)
			put_page(ram->store[i]);
		ram->store[i] = NULL;
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/ram_swap.h -- a swap device made of ordinary pages, that fails on
 * request.
 */
#ifndef TESTS_MM_RAM_SWAP_H
#define TESTS_MM_RAM_SWAP_H

#include "mm/swap/swap.h"

#define RAM_SWAP_PAGES   256U
#define RAM_SWAP_PENDING 256U

/* The n-th call from now on fails, or all from the n-th on; 0: none. */
struct ram_fault {
	unsigned long nth;
	bool forever;
};

struct ram_swap {
	struct swap_device device;
	struct page *store[RAM_SWAP_PAGES];
	/* Writes end in ram_swap_complete(), not immediately. */
	bool deferred;
	struct page *pending[RAM_SWAP_PENDING];
	unsigned long pending_slot[RAM_SWAP_PENDING];
	unsigned int pending_count;
	unsigned long reads;
	unsigned long writes;
	struct ram_fault read_fault;
	struct ram_fault write_fault; /* -EIO in the end */
	struct ram_fault start_fault; /* the write does not begin */
};

/* Write the header of mkswap, for last page LAST_PAGE and COUNT bad pages. */
void ram_swap_header(void *page, uint32_t last_page, const uint32_t *bad,
                     unsigned int count);

/* A device of PAGES <= RAM_SWAP_PAGES pages with a header.  False: no memory. */
bool ram_swap_make(struct ram_swap *ram, const char *name, unsigned long pages);

/* Give the pages back; no area is on it. */
void ram_swap_end(struct ram_swap *ram);

/* End all writes that wait. */
void ram_swap_complete(struct ram_swap *ram);

#endif

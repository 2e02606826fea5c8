/* SPDX-License-Identifier: MIT */
/*
 * kernel/cma_area.c -- the CMA area of the kernel, `cma=SIZE`.
 *
 * SIZE is rounded up to whole pageblocks.  The memory is found while nothing is free yet, at
 * the highest place; if there is none, the kernel boots without an area and says so.
 */
#include "kernel/cma_area.h"

#include "kernel/arch/paging.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"

#define CMA_BLOCK (PAGEBLOCK_PAGES * PAGE_SIZE)

static struct cma area;
static uint64_t cma_size;
static uint64_t cma_base; /* 0: nothing is reserved */
static unsigned long *cma_bits;

static int cma_area_set_size(const char *value)
{
	uint64_t size;
	int error = value == NULL ? -EINVAL : parse_size(value, &size);

	if (error != 0)
		return error;
	if (size > MEMMAP_LIMIT)
		return -ERANGE;
	cma_size = ALIGN_UP(size, CMA_BLOCK);
	return 0;
}

PARAM(cma, "cma", "=SIZE: keep memory for large blocks, lent to movable pages",
      cma_area_set_size);

struct cma *main_cma(void)
{
	return &area;
}

void cma_area_reserve(struct memmap *map)
{
	uint64_t words = CMA_LONGS(cma_size / PAGE_SIZE);
	uint64_t bits;

	if (cma_size == 0)
		return;
	bits = memmap_alloc(map, words * sizeof(*cma_bits), PAGE_SIZE, 0, true);
	if (bits != 0)
		cma_base = memmap_alloc(map, cma_size, CMA_BLOCK, 0, true);
	if (cma_base == 0) {
		pr_warn("cma: no place for %llu KiB in one piece\n",
		        (unsigned long long)(cma_size / KIB));
		return;
	}
	cma_bits = phys_to_virt(bits);
	memset(cma_bits, 0, words * sizeof(*cma_bits));
}

void cma_area_start(struct node *node)
{
	if (cma_base == 0)
		return;
	if (cma_init_area(&area, node, cma_base / PAGE_SIZE,
	                  cma_size / PAGE_SIZE, 0, cma_bits) != 0)
		pr_warn("cma: the place is in two zones: there is no area\n");
	else
		pr_info("cma: %llu KiB at %#llx\n",
		        (unsigned long long)(cma_size / KIB),
		        (unsigned long long)cma_base);
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/boot/zone_movable.c -- a zone that holds nothing but pages that can move.
 *
 * `kernelcore=SIZE` says how much memory requests of the kernel can use, `movablecore=SIZE`
 * how much they cannot.  Then the upper end of memory is a separate zone:
 *
 *	RAM		1 .. 262143		1 GiB less one frame
 *	kernelcore=512M	131072 pages		131073, rounded up:  MOVABLE from 132096 on
 *	movablecore=100M 25600 pages		236544, as it is:    MOVABLE from 236544 on
 *
 * The kernel's share is divided evenly among the nodes.  Memory below the highest zone of
 * the kernel (NORMAL, or DMA32 on a machine below 4 GiB) is never MOVABLE and is counted
 * first.  A node that is smaller than its share keeps all, and the missing pages are divided
 * among one node fewer, and so on.  The start is rounded up, so the zone shrinks, perhaps to
 * nothing; and the highest zone of the kernel vanishes if the zones below it are enough.
 *
 * Source: Linux 6.12 mm/mm_init.c, find_zone_movable_pfns_for_nodes(),
 * cmdline_parse_core().
 */
#include "mm/boot/zone_movable.h"

#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/zone.h"

/* Longer numbers are above 100 per cent. */
#define PER_CENT_DIGITS 3UL

/* ---- Amounts ------------------------------------------------------------- */

/* TEXT without its last character, a '%'. */
static int movable_parse_per_cent(const char *text, size_t length,
                                  struct movable_amount *amount)
{
	char digits[PER_CENT_DIGITS + 1];
	uint64_t number;
	int error;

	kassert(length > 0 && text[length - 1] == '%');
	if (length - 1 > PER_CENT_DIGITS)
		return -ERANGE;
	memcpy(digits, text, length - 1);
	digits[length - 1] = '\0';
	error = parse_number(digits, &number);
	if (error != 0)
		return error;
	if (number > 100)
		return -ERANGE;
	*amount = (struct movable_amount){ .per_cent = (unsigned int)number };
	return 0;
}

int movable_amount_parse(const char *text, struct movable_amount *amount)
{
	size_t length = strlen(text);
	uint64_t bytes;
	int error;

	if (strcmp(text, "mirror") == 0)
		return -ENODEV;
	if (length > 0 && text[length - 1] == '%')
		return movable_parse_per_cent(text, length, amount);
	error = parse_size(text, &bytes);
	if (error == 0)
		*amount = (struct movable_amount){ .pages = bytes / PAGE_SIZE };
	return error;
}

static unsigned long movable_pages(const struct movable_amount *amount,
                                   unsigned long all)
{
	kassert(amount->per_cent <= 100);
	return amount->per_cent == 0 ? amount->pages
	                             : all * amount->per_cent / 100;
}

/* ---- The memory of the machine ------------------------------------------- */

/* The end of NODE, and in *PAGES how much RAM it has. */
static unsigned long movable_node_end(const struct movable_memory *memory,
                                      unsigned int node, unsigned long *pages)
{
	unsigned long at = 0;
	unsigned long start;
	unsigned long end;

	*pages = 0;
	while (memory->next(memory->data, node, at, &start, &end)) {
		kassert(start >= at && start < end);
		*pages += end - start;
		at = end;
	}
	return at;
}

/* All RAM, and in *KERNEL where the highest zone of the kernel begins. */
static unsigned long movable_all(const struct movable_memory *memory,
                                 unsigned long *kernel)
{
	unsigned long all = 0;
	unsigned long last = 0;

	kassert(memory->nodes > 0);
	for (unsigned int node = 0; node < memory->nodes; node++) {
		unsigned long pages;

		last = max(last, movable_node_end(memory, node, &pages));
		all += pages;
	}
	*kernel = last > ZONE_DMA32_END ? ZONE_DMA32_END
	          : last > ZONE_DMA_END ? ZONE_DMA_END
	                                : 0;
	return all;
}

/* ---- Dividing it --------------------------------------------------------- */

struct movable_plan {
	const struct movable_memory *memory;
	unsigned long kernel;  /* where the highest zone of the kernel begins */
	unsigned long missing; /* pages that the kernel is still to have */
	unsigned long *start;
};

static void movable_keep(struct movable_plan *plan, unsigned long pages,
                         unsigned long *left)
{
	plan->missing -= min(plan->missing, pages);
	*left -= min(*left, pages);
}

/* The kernel keeps SHARE pages more of NODE, if there are as many. */
static void movable_divide_node(struct movable_plan *plan, unsigned int node,
                                unsigned long share)
{
	unsigned long at = plan->start[node];
	unsigned long start;
	unsigned long end;

	kassert(node < plan->memory->nodes);
	while (plan->memory->next(plan->memory->data, node, at, &start, &end)) {
		kassert(start >= at && start < end);
		at = end;
		if (start < plan->kernel)
			movable_keep(plan, min(end, plan->kernel) - start,
			             &share);
		start = max(start, plan->kernel);
		plan->start[node] = end;
		if (end <= plan->kernel)
			continue;
		plan->start[node] = start + min(end - start, share);
		movable_keep(plan, plan->start[node] - start, &share);
		if (share == 0)
			return;
	}
}

static void movable_divide(struct movable_plan *plan)
{
	unsigned int nodes = plan->memory->nodes;

	kassert(plan->missing > 0);
	do {
		unsigned long share = plan->missing / nodes;

		for (unsigned int node = 0; node < plan->memory->nodes;
		     node++) {
			if (plan->missing < share)
				share = plan->missing / nodes;
			movable_divide_node(plan, node, share);
		}
		nodes--;
	} while (nodes > 0 && plan->missing > nodes);
}

void zone_movable_find(const struct movable_memory *memory,
                       const struct movable_amount *core,
                       const struct movable_amount *movable,
                       unsigned long *start)
{
	struct movable_plan plan = { .memory = memory, .start = start };
	unsigned long all = movable_all(memory, &plan.kernel);
	unsigned long zone = movable_pages(movable, all);

	kassert(start != NULL);
	memset(start, 0, memory->nodes * sizeof(*start));
	plan.missing = movable_pages(core, all);
	if (zone > 0)
		plan.missing =
			max(plan.missing,
		            all - min(ALIGN_UP(zone, MOVABLE_ALIGN), all));
	if (plan.missing == 0 || plan.missing >= all)
		return;
	movable_divide(&plan);
	for (unsigned int node = 0; node < memory->nodes; node++) {
		unsigned long pages;

		start[node] = ALIGN_UP(start[node], MOVABLE_ALIGN);
		if (start[node] >= movable_node_end(memory, node, &pages))
			start[node] = 0;
	}
}

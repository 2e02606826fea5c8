/* SPDX-License-Identifier: MIT */
/*
 * tests/host/example.c -- how many pages does GFP_ATOMIC get?
 *
 * A program that uses the kernel's page allocator on the host, and prints what
 * it got beside what the rules say.  Run it with build/host/example.
 */
#include <stdlib.h>

#include "tests/host/libmm.h"

/* The DMA32 zone of a 256 MB machine, and marks that are easy to follow. */
#define PAGES 61440UL
#define MIN   480UL
#define LOW   600UL
#define HIGH  720UL

/* Called by the allocator when a request would like kswapd to run. */
static unsigned long wakes;

static void example_count_wake(struct node *node, unsigned int order,
                               enum zone_type highest, bool may_sleep __unused)
{
	(void)node;
	(void)order;
	(void)highest;
	wakes++;
}

/* Allocate with MASK until nothing comes; the pages are put behind TAKEN. */
static unsigned long example_drain(struct node *node, gfp_t mask,
                                   struct page **taken)
{
	unsigned long count = 0;
	struct page *page;

	while ((page = alloc_pages_node(node, mask, 0)) != NULL)
		taken[count++] = page;
	return count;
}

static void example_give_back(struct node *node, struct page **taken,
                              unsigned long count)
{
	while (count > 0)
		free_pages_node(node, taken[--count], 0, RETURN_ADDRESS());
}

int main(void)
{
	struct page **taken = calloc(PAGES, sizeof(*taken));
	unsigned long fill = 0;
	unsigned long got;
	struct node *node;
	struct zone *zone;
	const char *broken;

	if (taken == NULL)
		return 1;

	/* 1. A machine with 240 MB, a node with one zone, and its marks. */
	machine_start(PAGES);
	node = machine_one_zone(ZONE_DMA32, PAGES);
	zone = &node->zone[ZONE_DMA32];
	machine_set_marks(zone, MIN, LOW, HIGH);

	/* 2. Listen to what the allocator asks of others. */
	machine_set_kswapd_hook(node, example_count_wake);

	/* 3. Fill the zone as a thread would, down to the HIGH mark. */
	while (zone->free_pages > HIGH)
		taken[fill++] = alloc_pages_node(node, GFP_KERNEL, 0);
	printf("%lu pages taken with GFP_KERNEL, %lu free\n", fill,
	       zone->free_pages);

	/* 4. The rest in an interrupt handler, which cannot wait: GFP_ATOMIC
	 * may go below MIN by half, and by a quarter of what remains. */
	machine_enter_irq(NULL);
	got = example_drain(node, GFP_ATOMIC, taken + fill);
	machine_leave_irq();
	printf("GFP_ATOMIC in an interrupt: %lu pages; the rules say %lu "
	       "(%lu free - floor %lu)\n",
	       got, HIGH - watermark_floor(MIN, RESERVE_ATOMIC), HIGH,
	       watermark_floor(MIN, RESERVE_ATOMIC));
	printf("kswapd was asked for %lu times\n", wakes);

	/* 5. A thread that is about to free memory may take the very last. */
	machine_set_memalloc(true);
	fill += got;
	got = example_drain(node, GFP_KERNEL, taken + fill);
	machine_set_memalloc(false);
	printf("PF_MEMALLOC: %lu more, %lu free\n", got, zone->free_pages);

	/* 6. Give everything back, and have the books checked. */
	example_give_back(node, taken, fill + got);
	broken = machine_finish();
	printf("the books: %s\n", broken == NULL ? "balanced" : broken);
	machine_stop();
	free(taken);
	return broken == NULL ? 0 : 1;
}

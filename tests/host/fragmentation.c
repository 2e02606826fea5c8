/* SPDX-License-Identifier: MIT */
/*
 * tests/host/fragmentation.c -- how much of the free memory is useless after a while?
 *
 * A program like example.c.  A machine with 32 MB is filled to 98 per cent with single
 * pages: seven of ten can move, two cannot, one is reclaimable.  Then pages chosen at
 * random are freed, a few at a time, and others are taken in their place, until each page
 * has changed hands ten times on average.  At last pages chosen at random are freed until
 * 90 or 50 per cent of memory are in use.  This is done with pageblocks grouped by
 * mobility (chapter 18) and without, and the free memory is measured before and after
 * compaction (chapter 19).
 *
 * A line for each: occupancy in per cent, grouping, compaction, and for the orders 0 to
 * 10 how much of the free memory is in blocks too small, in thousandths
 * (mm/debug/extfrag.h#extfrag_unusable).  The same seed gives the same numbers on each
 * machine; tests/run/fragmentation.py draws them.
 */
#include <stdlib.h>

#include "lib/random.h"
#include "mm/debug/extfrag.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/compaction.h"
#include "tests/host/libmm.h"
#include "tests/mm/space.h"

#define FRAGMENTATION_PAGES  8192UL
#define FRAGMENTATION_FULL   (FRAGMENTATION_PAGES * 98 / 100)
#define FRAGMENTATION_ROUNDS 2560
#define FRAGMENTATION_FILES  2 /* spaces for the pages that can move */
#define FRAGMENTATION_SEED   1

struct churn {
	struct random dice;
	struct node *node;
	struct zone *zone;
	struct space file[FRAGMENTATION_FILES];
	struct page *fixed[FRAGMENTATION_PAGES];
	unsigned long fixed_count;
	unsigned long movable_count;
};

static void fragmentation_begin(struct churn *churn, bool grouping)
{
	machine_start(FRAGMENTATION_PAGES);
	churn->dice = (struct random){ FRAGMENTATION_SEED };
	churn->node = machine_one_zone(ZONE_DMA32, FRAGMENTATION_PAGES);
	churn->zone = &churn->node->zone[ZONE_DMA32];
	machine_set_marks(churn->zone, 32, 40, 48);
	set_main_node(churn->node);
	churn->node->no_mobility = !grouping;
	churn->fixed_count = 0;
	churn->movable_count = 0;
	for (unsigned int i = 0; i < FRAGMENTATION_FILES; i++)
		space_init(&churn->file[i], SPACE_PLAIN);
}

static bool fragmentation_take(struct churn *churn)
{
	unsigned int kind = (unsigned int)random_below(&churn->dice, 10);
	gfp_t mask = GFP_NOWAIT | __GFP_NOWARN;
	struct page *page;

	if (kind >= 3) {
		mask |= __GFP_MOVABLE;
		for (unsigned int i = 0; i < FRAGMENTATION_FILES; i++) {
			if (space_add(&churn->file[i], mask) != NULL) {
				churn->movable_count++;
				return true;
			}
		}
		return false;
	}
	page = alloc_page(kind == 0 ? mask | __GFP_RECLAIMABLE : mask);
	if (page != NULL)
		churn->fixed[churn->fixed_count++] = page;
	return page != NULL;
}

/* The first page of a file at a random index or behind it becomes free. */
static void fragmentation_truncate(struct churn *churn)
{
	unsigned long most = FRAGMENTATION_FILES * SPACE_PAGES;
	unsigned long at = random_below(&churn->dice, most);

	while (churn->file[at / SPACE_PAGES].page[at % SPACE_PAGES] == NULL)
		at = (at + 1) % most;
	space_truncate(&churn->file[at / SPACE_PAGES], at % SPACE_PAGES);
	churn->movable_count--;
}

/* A page becomes free; each is as likely as any other. */
static void fragmentation_give(struct churn *churn)
{
	unsigned long which = random_below(
		&churn->dice, churn->fixed_count + churn->movable_count);

	if (which >= churn->fixed_count) {
		fragmentation_truncate(churn);
		return;
	}
	__free_page(churn->fixed[which]);
	churn->fixed[which] = churn->fixed[--churn->fixed_count];
}

static void fragmentation_fill(struct churn *churn, unsigned long pages)
{
	while (churn->fixed_count + churn->movable_count < pages &&
	       fragmentation_take(churn))
		;
}

/* Leave PAGES in use. */
static void fragmentation_run(struct churn *churn, unsigned long pages)
{
	fragmentation_fill(churn, FRAGMENTATION_FULL);
	for (unsigned int round = 0; round < FRAGMENTATION_ROUNDS; round++) {
		unsigned long batch = 1 + random_below(&churn->dice, 63);

		while (batch-- > 0)
			fragmentation_give(churn);
		fragmentation_fill(churn, FRAGMENTATION_FULL);
	}
	while (churn->fixed_count + churn->movable_count > pages)
		fragmentation_give(churn);
}

static void fragmentation_print(struct churn *churn, unsigned long occupancy,
                                bool compacted)
{
	printf("%lu %s %s", occupancy,
	       churn->node->no_mobility ? "mixed" : "grouped",
	       compacted ? "compacted" : "as-it-is");
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		struct extfrag free = extfrag_read(churn->zone, order);

		printf(" %lu", extfrag_unusable(&free));
	}
	printf("\n");
}

/* NULL, or what is wrong with the books afterwards. */
static const char *fragmentation_end(struct churn *churn)
{
	const char *broken;

	while (churn->fixed_count > 0)
		__free_page(churn->fixed[--churn->fixed_count]);
	for (unsigned int i = 0; i < FRAGMENTATION_FILES; i++)
		space_clear(&churn->file[i]);
	broken = machine_finish();
	if (broken != NULL)
		fprintf(stderr, "%s\n", broken);
	machine_stop();
	return broken;
}

int main(void)
{
	static const unsigned long occupancy[] = { 50, 90 };
	static struct churn churn;

	for (unsigned int i = 0; i < 4; i++) {
		unsigned long per_cent = occupancy[i / 2];

		fragmentation_begin(&churn, i % 2 == 1);
		fragmentation_run(&churn, FRAGMENTATION_PAGES * per_cent / 100);
		fragmentation_print(&churn, per_cent, false);
		(void)compact_node(churn.node);
		fragmentation_print(&churn, per_cent, true);
		if (fragmentation_end(&churn) != NULL)
			return 1;
	}
	return 0;
}

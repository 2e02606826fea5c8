/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/labyrinth.c -- the questions, put to Labyrinth's mm/ on the host.
 *
 *	conformance MANAGED
 *
 * MANAGED is the number of managed pages of the zone in Linux.  All
 * frames are taken one by one at the beginning; each scene begins with the bytes that the
 * node, its struct pages and pageblocks, and the thread had then.  A line of standard
 * output, "QUESTION: ANSWER", for each answer.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "tests/conformance/ask.h"

static struct node *ours;
static struct zone *our_zone;
static enum scene_context our_context;

static struct {
	struct node node;
	struct thread thread;
	struct page *pages;
	struct pageblock *blocks;
	size_t bytes_of_pages, bytes_of_blocks;
} taken;

static void *our_room(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		panic("no memory");
	return memory;
}

/* ---- The story ----------------------------------------------------------- */

static void our_wake(struct node *node __unused, unsigned int order __unused,
                     enum zone_type highest __unused, bool may_sleep __unused)
{
}

static unsigned long our_reclaim(struct node *node __unused,
                                 const struct alloc_request *request __unused)
{
	return 0;
}

/* As zone_reclaimable_pages() of a zone with nothing to reclaim. */
static unsigned long our_reclaimable(struct node *node __unused,
                                     struct zone *zone)
{
	return zone->free_pages;
}

static enum compact_result
our_compact(struct node *node __unused,
            const struct alloc_request *request __unused,
            enum compact_priority priority __unused,
            struct page **page __unused)
{
	return COMPACT_SKIPPED;
}

static bool our_kill(struct node *node __unused,
                     const struct alloc_request *request __unused)
{
	return false;
}

static bool our_rest(struct wait_queue *queue __unused)
{
	return false;
}

/* ---- The scene ----------------------------------------------------------- */

/* The machine, with all its frames taken. */
static void our_start(unsigned long managed)
{
	machine_start(managed);
	ours = machine_one_zone(ZONE_DMA32, managed);
	our_zone = &ours->zone[ZONE_DMA32];
	kassert(our_zone->start_pfn == 0 && our_zone->managed == managed);
	while (alloc_pages_node(ours,
	                        __GFP_MEMALLOC | __GFP_MOVABLE | __GFP_NOWARN,
	                        0) != NULL)
		;
	kassert(our_zone->free_pages == 0);
	machine_set_kswapd_hook(ours, our_wake);
	machine_set_reclaim_hook(ours, our_reclaim, our_reclaimable);
	machine_set_compact_hook(ours, our_compact);
	machine_set_oom_hook(ours, our_kill);
	taken.bytes_of_pages = ours->page_count * sizeof(struct page);
	taken.bytes_of_blocks =
		pageblock_count(our_zone) * sizeof(struct pageblock);
	taken.pages = our_room(taken.bytes_of_pages);
	taken.blocks = our_room(taken.bytes_of_blocks);
	taken.node = *ours;
	taken.thread = *machine_main();
	memcpy(taken.pages, ours->pages, taken.bytes_of_pages);
	memcpy(taken.blocks, our_zone->blocks, taken.bytes_of_blocks);
}

void scene_begin(void)
{
	*ours = taken.node;
	*machine_main() = taken.thread;
	memcpy(ours->pages, taken.pages, taken.bytes_of_pages);
	memcpy(our_zone->blocks, taken.blocks, taken.bytes_of_blocks);
	pcp_shortcut_update();
	machine_set_wait_hook(our_rest);
	for (unsigned int i = 0; i < WMARK_COUNT; i++)
		kassert(our_zone->watermark[i] == 0);
}

void scene_set_marks(unsigned long lowest, unsigned long low,
                     unsigned long high)
{
	machine_set_marks(our_zone, lowest, low, high);
}

/* Of single pages in use, which all frames are, one block in use; and that is freed. */
void scene_free(unsigned long place, unsigned int order)
{
	struct page *page = node_page(ours, place);

	kassert(page->state == PAGE_USED && page->order == 0);
	page->order = (uint8_t)order;
	for (unsigned long i = 1; i < 1UL << order; i++) {
		kassert(page[i].state == PAGE_USED && page[i].order == 0);
		page[i] = (struct page){ .zone = page->zone };
	}
	free_pages_node(ours, page, order, RETURN_ADDRESS());
}

unsigned long scene_free_pages(void)
{
	return our_zone->free_pages;
}

void scene_enter(enum scene_context context)
{
	struct thread *self = machine_main();

	our_context = context;
	if (context == SCENE_MEMALLOC || context == SCENE_SOFT_MEMALLOC ||
	    context == SCENE_HARD_MEMALLOC)
		thread_set_flags(self, THREAD_MEMALLOC);
	if (context == SCENE_VICTIM)
		thread_set_flags(self, THREAD_OOM_VICTIM | THREAD_KILLED);
	if (context == SCENE_SOFT || context == SCENE_SOFT_MEMALLOC)
		machine_enter_softirq();
	if (context == SCENE_HARD || context == SCENE_HARD_MEMALLOC)
		machine_enter_irq(NULL);
}

void scene_leave(void)
{
	if (our_context == SCENE_SOFT || our_context == SCENE_SOFT_MEMALLOC)
		machine_leave_softirq();
	if (our_context == SCENE_HARD || our_context == SCENE_HARD_MEMALLOC)
		machine_leave_irq();
}

void scene_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int main(int count, char **words)
{
	unsigned long managed = count == 2 ? strtoul(words[1], NULL, 10) : 0;

	if (managed < ARENA_PAGES) {
		fprintf(stderr, "usage: conformance MANAGED\n");
		return 2;
	}
	our_start(managed);
	ask_questions();
	return 0;
}

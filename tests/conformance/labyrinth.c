/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/labyrinth.c -- the questions, put to Labyrinth's mm/ on the host.
 *
 *	conformance ZONE MANAGED
 *
 * the name of the zone in Linux and the number of its managed pages.  All
 * frames are taken one by one at the beginning; each scene begins with the bytes that the
 * node, its struct pages and pageblocks, and the thread had then.  A line of standard
 * output, "QUESTION: ANSWER", for each answer.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/lru.h"
#include "tests/conformance/ask.h"

/* Pages of each zone below. */
#define OUR_LOW ARENA_LOW_PAGES

static struct node *ours;
static struct zone *our_zone;
static enum scene_context our_context;

static struct {
	struct node node;
	struct thread thread;
	struct page low[OUR_LOW];
	struct page arena[ARENA_PAGES];
	struct pageblock low_blocks[PAGEBLOCK_COUNT(OUR_LOW)];
	struct pageblock *blocks;
	size_t bytes_of_blocks;
} taken;

static void *our_room(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		panic("no memory");
	return memory;
}

/* ---- The story ----------------------------------------------------------- */

#define STORY_MAX 1000

static struct scene_script our_script;
static unsigned int our_reclaims, our_kills;
static char our_story[STORY_MAX + 1];
static size_t our_told;
static unsigned long our_passes;

/* And the passes before it. */
static void our_tell(char letter)
{
	unsigned long passes = vmstat_read(&ours->stat, VMSTAT_freelist_pass);

	for (; our_passes < passes; our_passes++) {
		if (our_told < STORY_MAX)
			our_story[our_told++] = 'p';
	}
	if (letter != '\0' && our_told < STORY_MAX)
		our_story[our_told++] = letter;
}

static void our_wake(struct node *node __unused, unsigned int order __unused,
                     enum zone_type highest __unused, bool may_sleep __unused)
{
	our_tell('w');
}

static unsigned long our_reclaim(struct node *node __unused,
                                 const struct alloc_request *request)
{
	our_tell(request->may_fs ? 'r' : request->may_io ? 'i' : 'n');
	if (++our_reclaims == our_script.gift) {
		scene_free(SCENE_GIFT, 10);
		scene_free(SCENE_GIFT + 1024, 10);
	}
	return our_reclaims <= our_script.rounds ? our_script.progress : 0;
}

/* As zone_reclaimable_pages() of a zone with nothing to reclaim. */
static unsigned long our_reclaimable(struct node *node __unused,
                                     struct zone *zone)
{
	if (our_script.reclaimable > 0 && zone == our_zone)
		return our_script.reclaimable;
	return zone->free_pages;
}

static enum compact_result
our_compact(struct node *node __unused,
            const struct alloc_request *request __unused,
            enum compact_priority priority, struct page **page __unused)
{
	static const enum compact_result results[] = {
		[SCENE_SKIPPED] = COMPACT_SKIPPED,
		[SCENE_DEFERRED] = COMPACT_DEFERRED,
		[SCENE_FAILED] = COMPACT_FAILED,
		[SCENE_CONTENDED] = COMPACT_CONTENDED,
		[SCENE_SUCCESS] = COMPACT_SUCCESS,
	};

	our_tell(priority == COMPACT_ASYNC        ? 'a'
	         : priority == COMPACT_SYNC_LIGHT ? 'l'
	                                          : 'f');
	return results[our_script.compact];
}

static bool our_kill(struct node *node __unused,
                     const struct alloc_request *request __unused)
{
	our_tell('o');
	return ++our_kills <= our_script.kills;
}

static bool our_rest(struct wait_queue *queue __unused)
{
	return false;
}

void scene_script(const struct scene_script *script)
{
	our_script = *script;
}

const char *scene_story(void)
{
	our_tell('\0');
	our_story[our_told] = '\0';
	return our_story;
}

/* ---- The scene ----------------------------------------------------------- */

/* The zone of the arena, OUR_LOW pages in DMA, and as many in each zone in between. */
static void our_zones(enum zone_type type, unsigned long managed)
{
	unsigned long pages[ZONE_COUNT] = { OUR_LOW };

	pages[ZONE_DMA32] = OUR_LOW;
	pages[type] = managed;
	machine_start(managed + 2 * OUR_LOW);
	ours = machine_zones(0, pages);
	our_zone = &ours->zone[type];
	kassert(our_zone->start_pfn % (1UL << MAX_ORDER) == 0);
	kassert(our_zone->managed == managed);
}

/* The machine, with all its frames taken. */
static void our_start(enum zone_type type, unsigned long managed)
{
	our_zones(type, managed);
	while (alloc_pages_node(ours,
	                        __GFP_MEMALLOC | __GFP_MOVABLE | __GFP_NOWARN,
	                        0) != NULL)
		;
	kassert(node_free(ours) == 0);
	machine_set_kswapd_hook(ours, our_wake);
	machine_set_reclaim_hook(ours, our_reclaim, our_reclaimable);
	machine_set_compact_hook(ours, our_compact);
	machine_set_oom_hook(ours, our_kill);
	taken.bytes_of_blocks =
		pageblock_count(our_zone) * sizeof(struct pageblock);
	taken.blocks = our_room(taken.bytes_of_blocks);
	taken.node = *ours;
	taken.thread = *machine_main();
	memcpy(taken.low, ours->pages, sizeof(taken.low));
	memcpy(taken.arena, our_zone->pages, sizeof(taken.arena));
	memcpy(taken.low_blocks, ours->zone[ZONE_DMA].blocks,
	       pageblock_count(&ours->zone[ZONE_DMA]) *
	               sizeof(struct pageblock));
	memcpy(taken.blocks, our_zone->blocks, taken.bytes_of_blocks);
}

void scene_begin(void)
{
	*ours = taken.node;
	*machine_main() = taken.thread;
	memcpy(ours->pages, taken.low, sizeof(taken.low));
	memcpy(our_zone->pages, taken.arena, sizeof(taken.arena));
	memcpy(ours->zone[ZONE_DMA].blocks, taken.low_blocks,
	       pageblock_count(&ours->zone[ZONE_DMA]) *
	               sizeof(struct pageblock));
	memcpy(our_zone->blocks, taken.blocks, taken.bytes_of_blocks);
	scene_set_managed(ZONE_DMA, ARENA_LOW_MANAGED);
	pcp_shortcut_update();
	machine_set_wait_hook(our_rest);
	for (unsigned int i = 0; i < WMARK_COUNT; i++)
		kassert(our_zone->watermark[i] == 0);
	vmstat_clear(&ours->stat);
	memset(&our_script, 0, sizeof(our_script));
	our_reclaims = 0;
	our_kills = 0;
	our_told = 0;
	our_passes = 0;
}

void scene_set_boost(unsigned long factor, unsigned long pages)
{
	ours->watermark_boost_factor = factor;
	our_zone->watermark_boost = pages;
}

void scene_set_reserve(unsigned long pages)
{
	for (int type = our_zone->type + 1; type < ZONE_COUNT; type++)
		our_zone->lowmem_reserve[type] = pages;
}

void scene_set_managed(int type, unsigned long pages)
{
	ours->zone[type].managed = pages;
}

unsigned long scene_compute_marks(unsigned long min_free_kbytes,
                                  unsigned int scale)
{
	if (min_free_kbytes == 0)
		min_free_kbytes = watermark_min_free_kbytes(node_lowmem(ours) *
		                                            (PAGE_SIZE / KIB));
	ours->min_free_kbytes = min_free_kbytes;
	ours->watermark_scale_factor = scale;
	watermark_setup(ours);
	return min_free_kbytes;
}

unsigned long scene_mark(int type, int mark)
{
	return ours->zone[type].watermark[mark];
}

unsigned long scene_reserve(int type, int highest)
{
	return ours->zone[type].lowmem_reserve[highest];
}

void scene_set_type(unsigned long block, int type)
{
	kassert(our_zone->blocks[block].free == 0);
	our_zone->blocks[block].type = (uint8_t)type;
	if (type == MIGRATE_HIGHATOMIC)
		our_zone->nr_reserved_highatomic += PAGEBLOCK_PAGES;
}

int scene_type(unsigned long block)
{
	return our_zone->blocks[block].type;
}

void scene_set_movable(unsigned long place, unsigned long count)
{
	for (; count > 0; count--)
		lru_add(ours, scene_page(place++));
}

void scene_set_marks(unsigned long lowest, unsigned long low,
                     unsigned long high)
{
	machine_set_marks(our_zone, lowest, low, high);
}

/* Of single pages in use, which all frames are, one block in use; and that is freed. */
void scene_free(unsigned long place, unsigned int order)
{
	struct page *page = scene_page(place);

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

unsigned long scene_free_highatomic(void)
{
	return our_zone->nr_free_highatomic;
}

unsigned long scene_reserved(void)
{
	return our_zone->nr_reserved_highatomic;
}

unsigned long scene_boost(void)
{
	return our_zone->watermark_boost;
}

long scene_place(const struct page *page)
{
	return page != NULL ? page - our_zone->pages : -1;
}

struct page *scene_page(unsigned long place)
{
	return our_zone->pages + place;
}

struct page *scene_page_at(void *address)
{
	return virt_to_page(address);
}

unsigned long scene_list(unsigned int order, int type, long *places,
                         unsigned long max)
{
	const struct list *blocks = &our_zone->free_area[order].blocks[type];
	unsigned long count = 0;

	for (const struct list *at = blocks->next; at != blocks;
	     at = at->next) {
		if (count < max)
			places[count] = scene_place(
				container_of(at, struct page, link));
		count++;
	}
	return count;
}

void scene_enter(enum scene_context context)
{
	struct thread *self = machine_main();

	our_context = context;
	machine_set_wait_hook(our_rest);
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
	thread_clear_flags(machine_main(),
	                   THREAD_MEMALLOC | THREAD_OOM_VICTIM | THREAD_KILLED);
}

bool scene_is_normal(void)
{
	return our_zone->type == ZONE_NORMAL;
}

void scene_free_low(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		free_pages_node(ours, ours->pages + 2 * i, 0, RETURN_ADDRESS());
}

void scene_set_low_marks(unsigned long lowest, unsigned long low,
                         unsigned long high, unsigned long reserve)
{
	struct zone *zone = &ours->zone[ZONE_DMA];
	unsigned long factor = ours->watermark_boost_factor;

	machine_set_marks(zone, lowest, low, high);
	ours->watermark_boost_factor = factor;
	for (int type = ZONE_DMA + 1; type < ZONE_COUNT; type++)
		zone->lowmem_reserve[type] = reserve;
}

unsigned long scene_low_pages(void)
{
	return ours->zone[ZONE_DMA].free_pages;
}

static struct pcp_cpu our_lists;

void scene_lists_on(void)
{
	pcp_start(ours, &our_lists, 1);
}

unsigned long scene_listed(void)
{
	return pcp_local_pages(our_zone);
}

bool scene_is_pfmemalloc(const struct page *page)
{
	return (page->flags & PAGE_PFMEMALLOC) != 0;
}

unsigned long scene_counter(enum scene_counter counter)
{
	static const enum vmstat_event events[] = {
		[SCENE_PGFREE] = VMSTAT_pgfree,
		[SCENE_COMPACT_STALL] = VMSTAT_compact_stall,
		[SCENE_COMPACT_FAIL] = VMSTAT_compact_fail,
		[SCENE_COMPACT_SUCCESS] = VMSTAT_compact_success,
	};

	return vmstat_read(&ours->stat, counter == SCENE_PGALLOC
	                                        ? VMSTAT_PGALLOC(our_zone->type)
	                                        : events[counter]);
}

void scene_lists(int *batch, int *high_min, int *high_max)
{
	const struct pcp_set *set = &our_lists.set[our_zone->type];

	pcp_start(ours, &our_lists, 1);
	*batch = (int)set->batch;
	*high_min = (int)set->high_min;
	*high_max = (int)set->high_max;
	pcp_stop(ours);
}

void scene_say(const char *format, ...)
{
	va_list args;

	if (scene_is_normal())
		printf("NORMAL/");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int main(int count, char **words)
{
	bool normal = count == 3 && strcmp(words[1], "NORMAL") == 0;
	unsigned long managed = count == 3 ? strtoul(words[2], NULL, 10) : 0;

	if (managed < ARENA_PAGES) {
		fprintf(stderr, "usage: conformance ZONE MANAGED\n");
		return 2;
	}
	our_start(normal ? ZONE_NORMAL : ZONE_DMA32, managed);
	ask_questions();
	return 0;
}

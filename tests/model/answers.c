/* SPDX-License-Identifier: MIT */
/*
 * tests/model/answers.c -- answers of mm/ to the questions of tests/model/compare.py.
 *
 * A program that reads commands, a line each, and writes what the allocator does.  It
 * decides nothing and compares nothing: all expectations are in tests/model/model.py.
 *
 *	D order context base n bit...	gfp_decode() of all 2^n sets of the bits, with
 *					the bits of BASE: a 32-bit word each
 *	M first pages*4 lists		a machine; all its pages are taken
 *	C				back to that; then the scene:
 *	T zone number type		a pageblock's type
 *	L zone pfn count		used pages go to the lists of reclaim
 *	F pfn count			pages are freed
 *	K zone min low high factor	marks, and node->watermark_boost_factor
 *	R zone highest pages		lowmem_reserve
 *	O zone boost told		boost; is kswapd to be told?
 *	N off				grouping by mobility
 *	H mask order			a block goes to the CPU's list
 *	G pfn count			pages that come free in the moment
 *	X reclaimable*4 rounds progress kills compacts answer*8 busy dirty moment number
 *	E				the scene is complete: its state is printed
 *	A mask order caller scope whole	a request, from that state: its answer is printed
 *
 * After each request the node, its struct pages, pageblocks and lists, and the thread
 * get the bytes back that they had at E.  Nothing else changes: no other thread runs
 * meanwhile, and no pointer leads out of these.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm_check.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/lru.h"
#include "tests/host/libmm.h"

#define ANSWERS      8
#define STORY_MAX    4000
/* A request that reclaims so often waits forever. */
#define RECLAIMS_MAX 40U
#define GIFTS        64
#define DUMP_SECONDS 10000000ULL

/* The callers of model.py, by number. */
enum caller {
	THREAD,
	THREAD_IN_RECLAIM,
	VICTIM,
	VICTIM_IN_RECLAIM,
	PREEMPTION_OFF,
	SOFT_WORK,
	SOFT_WORK_ON_RECLAIM,
	INTERRUPT,
	INTERRUPT_ON_RECLAIM,
	INTERRUPT_ON_VICTIM,
};

enum moment {
	NEVER,
	IN_RECLAIM,
	IN_KILL,
};

struct saved {
	struct node node;
	struct thread thread;
	struct page *pages;
	struct pageblock *blocks[ZONE_COUNT];
	struct pcp_cpu listed;
};

static struct node *node;
static struct pcp_cpu listed;
static bool lists;
static struct saved all_taken;
static struct saved scene;

static struct {
	unsigned long reclaimable[ZONE_COUNT];
	unsigned long rounds, progress, kills;
	bool compacts;
	enum compact_result answer[ANSWERS];
	bool busy, dirty;
	enum moment moment;
	unsigned long number;
	struct {
		unsigned long pfn, count;
	} gift[GIFTS];
	unsigned int gifts;
} script;

static struct {
	char text[STORY_MAX + 1];
	size_t length;
	unsigned long passes;
	unsigned int reclaims, compactions, kills;
} story;

static jmp_buf waits_forever;

static unsigned long number(void)
{
	unsigned long value;

	if (scanf("%lu", &value) != 1)
		panic("a number is missing");
	return value;
}

static void *need(size_t size)
{
	void *memory = calloc(1, size + 1);

	if (memory == NULL)
		panic("no memory");
	return memory;
}

/* ---- The masks ----------------------------------------------------------- */

static uint32_t put(uint32_t word, unsigned int *at, unsigned int value,
                    unsigned int bits)
{
	word |= value << *at;
	*at += bits;
	return word;
}

/* The fields of REQUEST, in the order of model.py#FIELDS.  IO and FS mean something only
 * for a request that may reclaim. */
static uint32_t pack(enum gfp_verdict verdict, const struct alloc_request *r)
{
	const bool io = r->may_sleep && r->may_io;
	const bool fs = r->may_sleep && r->may_fs;
	const bool bits[] = {
		r->may_sleep,
		r->wake_kswapd,
		io,
		fs,
		r->one_round,
		r->retry_costly,
		r->may_kill,
		r->never_fail,
		r->only_here,
		r->spare_reserve,
		r->zero,
		r->compound,
		!r->silent,
		r->exclusive,
		r->will_write,
		r->in_reclaim,
	};
	unsigned int at = 0;
	uint32_t word = put(0, &at, verdict, 3);

	if (verdict != GFP_OK)
		return word;
	word = put(word, &at, r->highest_zone, 2);
	word = put(word, &at, r->migratetype, 2);
	word = put(word, &at, r->right, 3);
	word = put(word, &at, r->last_right, 3);
	word = put(word, &at, r->victim_right, 3);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		word = put(word, &at, bits[i], 1);
	return word;
}

/* CONTEXT: the fields of struct alloc_context, a bit each. */
static void decode_all(void)
{
	unsigned int order = (unsigned int)number();
	unsigned long c = number();
	gfp_t base = (gfp_t)number();
	unsigned int count = (unsigned int)number();
	const struct alloc_context context = {
		.can_sleep = (c & 1) != 0,
		.in_interrupt = (c & 2) != 0,
		.in_nmi = (c & 4) != 0,
		.memalloc = (c & 8) != 0,
		.noio = (c & 16) != 0,
		.nofs = (c & 32) != 0,
	};
	uint32_t *words = need(sizeof(*words) << count);
	gfp_t bit[32];

	for (unsigned int i = 0; i < count; i++)
		bit[i] = (gfp_t)number();
	for (unsigned long set = 0; set < 1UL << count; set++) {
		struct alloc_request request;
		gfp_t mask = base;
		char why[256];

		for (unsigned int i = 0; i < count; i++)
			mask |= (set >> i & 1) != 0 ? bit[i] : 0;
		words[set] = pack(gfp_decode(mask, order, &context, &request,
		                             why, sizeof(why)),
		                  &request);
	}
	if (fwrite(words, sizeof(*words), 1UL << count, stdout) != 1UL << count)
		panic("the words are not read");
	free(words);
}

/* ---- States -------------------------------------------------------------- */

static size_t bytes_of_blocks(const struct zone *zone)
{
	return pageblock_count(zone) * sizeof(struct pageblock);
}

static void save(struct saved *saved)
{
	saved->node = *node;
	saved->thread = *machine_main();
	saved->listed = listed;
	memcpy(saved->pages, node->pages,
	       node->page_count * sizeof(struct page));
	for (int type = 0; type < ZONE_COUNT; type++)
		memcpy(saved->blocks[type], node->zone[type].blocks,
		       bytes_of_blocks(&node->zone[type]));
}

static void restore(const struct saved *saved)
{
	*node = saved->node;
	*machine_main() = saved->thread;
	listed = saved->listed;
	memcpy(node->pages, saved->pages,
	       node->page_count * sizeof(struct page));
	for (int type = 0; type < ZONE_COUNT; type++)
		memcpy(node->zone[type].blocks, saved->blocks[type],
		       bytes_of_blocks(&node->zone[type]));
	pcp_shortcut_update();
}

static void answers_make_room(struct saved *saved)
{
	free(saved->pages);
	saved->pages = need(node->page_count * sizeof(struct page));
	for (int type = 0; type < ZONE_COUNT; type++) {
		free(saved->blocks[type]);
		saved->blocks[type] = need(bytes_of_blocks(&node->zone[type]));
	}
}

/* ---- The script of reclaim, compaction and the killer -------------------- */

static void tell(char letter)
{
	unsigned long passes = vmstat_read(&node->stat, VMSTAT_freelist_pass);

	for (; story.passes < passes; story.passes++) {
		if (story.length < STORY_MAX)
			story.text[story.length++] = 'p';
	}
	if (letter != '\0' && story.length < STORY_MAX)
		story.text[story.length++] = letter;
}

static void answers_free_frames(unsigned long pfn, unsigned long count)
{
	for (; count > 0; count--, pfn++)
		free_pages_node(node, node_page(node, pfn), 0,
		                RETURN_ADDRESS());
}

static void answers_play_moment(enum moment moment, unsigned int at)
{
	if (script.moment != moment || script.number != at)
		return;
	for (unsigned int i = 0; i < script.gifts; i++)
		answers_free_frames(script.gift[i].pfn, script.gift[i].count);
}

static void on_wake(struct node *of __unused, unsigned int order __unused,
                    enum zone_type highest __unused, bool may_sleep __unused)
{
	tell('w');
}

static unsigned long on_reclaim(struct node *of __unused,
                                const struct alloc_request *request)
{
	tell(request->may_io ? (request->may_fs ? 'r' : 'i')
	                     : (request->may_fs ? 'x' : 'n'));
	if (++story.reclaims > RECLAIMS_MAX)
		longjmp(waits_forever, 1);
	answers_play_moment(IN_RECLAIM, story.reclaims);
	return story.reclaims <= script.rounds ? script.progress : 0;
}

static unsigned long on_reclaimable(struct node *of __unused, struct zone *zone)
{
	unsigned long pages = script.reclaimable[zone->type];

	/* As zone_reclaimable_pages(). */
	return pages > 0 ? pages : zone->free_pages;
}

static enum compact_result
on_compact(struct node *of __unused,
           const struct alloc_request *request __unused,
           enum compact_priority priority, struct page **page __unused)
{
	tell(priority == COMPACT_ASYNC        ? 'a'
	     : priority == COMPACT_SYNC_LIGHT ? 'l'
	                                      : 'f');
	return script.answer[story.compactions++ % ANSWERS];
}

static bool on_kill(struct node *of __unused,
                    const struct alloc_request *request __unused)
{
	tell('o');
	answers_play_moment(IN_KILL, ++story.kills);
	return story.kills <= script.kills;
}

static bool answers_too_dirty(struct node *of __unused)
{
	return script.dirty;
}

static bool on_rest(struct wait_queue *queue __unused)
{
	return false;
}

/* ---- Machines and scenes ------------------------------------------------- */

static void new_machine(void)
{
	unsigned long first = number();
	unsigned long end = first;
	unsigned long pages[ZONE_COUNT];

	for (int type = 0; type < ZONE_COUNT; type++) {
		pages[type] = number();
		end += pages[type];
	}
	lists = number() != 0;
	machine_start(end);
	node = machine_zones(first, pages);
	while (alloc_pages_node(node,
	                        __GFP_MEMALLOC | __GFP_HIGHMEM | __GFP_MOVABLE |
	                                __GFP_NOWARN,
	                        0) != NULL)
		;
	machine_set_kswapd_hook(node, on_wake);
	machine_set_reclaim_hook(node, on_reclaim, on_reclaimable);
	machine_set_oom_hook(node, on_kill);
	node->recovery.too_dirty = answers_too_dirty;
	vmstat_clear(&node->stat);
	answers_make_room(&all_taken);
	answers_make_room(&scene);
	save(&all_taken);
}

static void set_block_type(void)
{
	struct zone *zone = &node->zone[number()];
	struct pageblock *block = &zone->blocks[number()];

	kassert(block->free == 0);
	block->type = (uint8_t)number();
	if (block->type == MIGRATE_HIGHATOMIC)
		zone->nr_reserved_highatomic += PAGEBLOCK_PAGES;
	if (block->type == MIGRATE_CMA)
		zone->nr_cma += PAGEBLOCK_PAGES;
}

static void list_pages(void)
{
	struct zone *zone = &node->zone[number()];
	unsigned long pfn = number();
	unsigned long count = number();

	for (; count > 0; count--)
		lru_add(node, zone_page(zone, pfn++));
}

static void set_marks(void)
{
	struct zone *zone = &node->zone[number()];
	unsigned long lowest = number();
	unsigned long low = number();
	unsigned long high = number();

	machine_set_marks(zone, lowest, low, high);
	node->watermark_boost_factor = number();
}

static void answers_set_boost(void)
{
	struct zone *zone = &node->zone[number()];

	zone->watermark_boost = number();
	zone->boosted = number() != 0;
}

/* Blocks for the lists, given back at the end of the scene. */
static struct page *stock[GIFTS];
static unsigned int stocked;

static void stock_block(void)
{
	gfp_t mask = (gfp_t)number();
	unsigned int order = (unsigned int)number();
	struct page *page = alloc_pages_node(node, mask, order);

	if (page != NULL && stocked < GIFTS)
		stock[stocked++] = page;
	else if (page != NULL)
		free_pages_node(node, page, order, RETURN_ADDRESS());
}

static void read_script(void)
{
	for (int type = 0; type < ZONE_COUNT; type++)
		script.reclaimable[type] = number();
	script.rounds = number();
	script.progress = number();
	script.kills = number();
	script.compacts = number() != 0;
	for (int i = 0; i < ANSWERS; i++)
		script.answer[i] = (enum compact_result)number();
	script.busy = number() != 0;
	script.dirty = number() != 0;
	script.moment = (enum moment)number();
	script.number = number();
}

/* ---- What there is ------------------------------------------------------- */

static void print_list(char what, int type, unsigned int row, unsigned int of,
                       const struct list *list)
{
	if (list->next == list)
		return;
	printf("%c %d %u %u", what, type, row, of);
	for (const struct list *at = list->next; at != list; at = at->next)
		printf(" %lu",
		       node_pfn(node, container_of(at, struct page, link)));
	printf("\n");
}

static void answers_print_zone(const struct zone *zone)
{
	int type = zone->type;

	printf("Z %d %lu %lu %lu %lu %lu %lu %lu %d", type, zone->managed,
	       zone->start_pfn, zone->spanned, zone->watermark[WMARK_MIN],
	       zone->watermark[WMARK_LOW], zone->watermark[WMARK_HIGH],
	       zone->watermark_boost, zone->boosted);
	for (int j = 0; j < ZONE_COUNT; j++)
		printf(" %lu", zone->lowmem_reserve[j]);
	printf(" %lu %lu %lu %lu\n", zone->free_pages, zone->nr_free_cma,
	       zone->nr_free_highatomic, zone->nr_reserved_highatomic);
	printf("B %d", type);
	for (unsigned long i = 0; i < pageblock_count(zone); i++)
		printf(" %u %u", zone->blocks[i].type, zone->blocks[i].movable);
	printf("\n");
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		for (unsigned int of = 0; of < MIGRATE_TYPES; of++)
			print_list('F', type, order, of,
			           &zone->free_area[order].blocks[of]);
	}
	for (unsigned int row = 0; lists && row < PCP_LISTS; row++)
		print_list('P', type, row, 0, &listed.set[type].blocks[row]);
}

static void print_state(void)
{
	printf("S %d %lu\n", node->no_mobility, node->watermark_boost_factor);
	for (int type = 0; type < ZONE_COUNT; type++)
		answers_print_zone(&node->zone[type]);
	printf(".\n");
	fflush(stdout);
}

static void end_scene(void)
{
	/* So that lists follow the marks. */
	if (lists)
		pcp_start(node, &listed, 1);
	while (stocked > 0) {
		struct page *page = stock[--stocked];

		free_pages_node(node, page, page->order, RETURN_ADDRESS());
	}
	machine_set_compact_hook(node, script.compacts ? on_compact : NULL);
	node->oom_busy = script.busy;
	vmstat_clear(&node->stat);
	save(&scene);
	print_state();
}

/* ---- A request ----------------------------------------------------------- */

static void become(enum caller caller, unsigned long scope)
{
	struct thread *self = machine_main();

	if (caller == VICTIM || caller == VICTIM_IN_RECLAIM ||
	    caller == INTERRUPT_ON_VICTIM)
		thread_set_flags(self, THREAD_OOM_VICTIM | THREAD_KILLED);
	if (caller == THREAD_IN_RECLAIM || caller == VICTIM_IN_RECLAIM ||
	    caller == SOFT_WORK_ON_RECLAIM || caller == INTERRUPT_ON_RECLAIM)
		thread_set_flags(self, THREAD_MEMALLOC);
	if ((scope & 1) != 0)
		thread_set_flags(self, THREAD_MEMALLOC_NOIO);
	if ((scope & 2) != 0)
		thread_set_flags(self, THREAD_MEMALLOC_NOFS);
	if (caller == PREEMPTION_OFF)
		preempt_disable();
	else if (caller >= INTERRUPT)
		machine_enter_irq(NULL);
	else if (caller >= SOFT_WORK)
		machine_enter_softirq();
}

static void answers_become_main(enum caller caller)
{
	if (caller == PREEMPTION_OFF)
		preempt_enable();
	else if (caller >= INTERRUPT)
		machine_leave_irq();
	else if (caller >= SOFT_WORK)
		machine_leave_softirq();
}

static const char *answers_verdict(unsigned int order)
{
	if (vmstat_read(&node->stat, VMSTAT_alloc_refused) > 0)
		return "refused";
	if (vmstat_read(&node->stat, VMSTAT_alloc_must_not_sleep) > 0)
		return "must-sleep";
	return order > MAX_ORDER ? "too-large" : "ok";
}

static void print_sums(void)
{
	for (int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node->zone[type];

		printf(" %lu %lu %lu %lu %lu %lu", zone->free_pages,
		       lists ? pcp_local_pages(zone) : 0, zone->watermark_boost,
		       zone->nr_reserved_highatomic, zone->nr_free_cma,
		       zone->nr_free_highatomic);
	}
	printf("\n");
}

static void answer(void)
{
	gfp_t mask = (gfp_t)number();
	unsigned int order = (unsigned int)number();
	enum caller caller = (enum caller)number();
	unsigned long scope = number();
	bool whole = number() != 0;
	uint64_t mark = log_mark();
	struct page *volatile page = NULL;

	memset(&story, 0, sizeof(story));
	vmstat_clear(&node->stat);
	machine_set_wait_hook(on_rest);
	machine_advance(DUMP_SECONDS);
	if (setjmp(waits_forever) == 0) {
		become(caller, scope);
		page = alloc_pages_node(node, mask, order);
		answers_become_main(caller);
		tell('\0');
		printf("%s", answers_verdict(order));
	} else {
		printf("forever");
	}
	printf(" %s. ", story.text);
	if (page == NULL)
		printf("-1 0 0 0");
	else
		printf("%d %lu %d %d", page->zone, node_pfn(node, page),
		       pageblock_type(&node->zone[page->zone],
		                      node_pfn(node, page)),
		       (page->flags & PAGE_PFMEMALLOC) != 0);
	printf(" %d", log_contains_since(mark, "page allocation failure"));
	print_sums();
	if (whole)
		print_state();
	fflush(stdout);
	restore(&scene);
}

static void add_gift(void)
{
	unsigned long pfn = number();
	unsigned long count = number();

	kassert(script.gifts < GIFTS);
	script.gift[script.gifts].pfn = pfn;
	script.gift[script.gifts++].count = count;
}

static void obey(char command)
{
	unsigned long value;

	switch (command) {
	case 'D':
		decode_all();
		fflush(stdout);
		break;
	case 'M':
		new_machine();
		break;
	case 'C':
		restore(&all_taken);
		memset(&script, 0, sizeof(script));
		break;
	case 'T':
		set_block_type();
		break;
	case 'L':
		list_pages();
		break;
	case 'F':
		value = number();
		answers_free_frames(value, number());
		break;
	case 'K':
		set_marks();
		break;
	case 'R': {
		struct zone *zone = &node->zone[number()];

		value = number();
		zone->lowmem_reserve[value] = number();
		break;
	}
	case 'O':
		answers_set_boost();
		break;
	case 'N':
		node->no_mobility = number() != 0;
		break;
	case 'H':
		stock_block();
		break;
	case 'G':
		add_gift();
		break;
	case 'X':
		read_script();
		break;
	case 'E':
		end_scene();
		break;
	case 'A':
		answer();
		break;
	default:
		panic("unknown command %c", command);
	}
}

int main(void)
{
	char command;

	while (scanf(" %c", &command) == 1)
		obey(command);
	return 0;
}

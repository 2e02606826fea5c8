/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/linux.c -- the questions, put to the Linux that loads this module.
 *
 * The machine is bare: one CPU, an init that loads the module.  The module finds what
 * Linux does not export by a kprobe on kallsyms_lookup_name().  It takes all memory of
 * the two zones, empties the per-CPU lists and turns them off, makes each change of the
 * free pages count immediately, and asks with interrupts off: nobody else allocates or
 * frees.  Reclaim, compaction, the OOM killer and kswapd's alarm clock are
 * replaced, by kprobes at their first instruction, by the scene's story.
 *
 * A line of the log, "conformance: QUESTION: ANSWER", for each answer; the last one is
 * "conformance: end".  Only `make conformance` builds this file, against the headers of
 * the distribution's kernel.
 */
#include <linux/compaction.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>

#include "tests/conformance/ask.h"

#define LARGE_BLOCKS 2048
#define TAKE         (__GFP_MEMALLOC | __GFP_MOVABLE | __GFP_NOWARN)

#define STORY_MAX    1000

static unsigned long (*linux_lookup)(const char *name);
static struct zone *linux_zone;
static unsigned long linux_arena; /* its first frame */
static unsigned long linux_low;   /* the same of DMA */
static enum scene_context linux_context;
static unsigned long linux_blocks[LARGE_BLOCKS];
static unsigned long linux_managed[MAX_NR_ZONES];

/* Names that are not exported. */
static struct {
	void (*drain_all_pages)(struct zone *zone);
	void (*set_pageblock_migratetype)(struct page *page, int type);
	unsigned long (*get_pfnblock_flags_mask)(const struct page *page,
	                                         unsigned long pfn,
	                                         unsigned long mask);
	int (*init_per_zone_wmark_min)(void);
	void (*setup_per_zone_wmarks)(void);
	int *watermark_boost_factor;
	int *watermark_scale_factor;
	int *min_free_kbytes;
} linux_its;

/* ---- Names that are not exported ----------------------------------------- */

static int linux_find_lookup(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	int error = register_kprobe(&probe);

	if (error)
		return error;
	/* The probe may sit behind an endbr. */
	linux_lookup = (void *)((unsigned long)probe.addr & ~15UL);
	unregister_kprobe(&probe);
	return 0;
}

static bool linux_name(void *pointer, const char *name)
{
	unsigned long address = linux_lookup(name);

	*(unsigned long *)pointer = address;
	if (!address)
		pr_err("conformance: there is no %s\n", name);
	return address != 0;
}

#define LINUX_NAME(name) linux_name(&linux_its.name, #name)

static bool linux_find_names(void)
{
	return LINUX_NAME(drain_all_pages) &&
	       LINUX_NAME(set_pageblock_migratetype) &&
	       LINUX_NAME(get_pfnblock_flags_mask) &&
	       LINUX_NAME(init_per_zone_wmark_min) &&
	       LINUX_NAME(setup_per_zone_wmarks) &&
	       LINUX_NAME(watermark_boost_factor) &&
	       LINUX_NAME(watermark_scale_factor) &&
	       LINUX_NAME(min_free_kbytes);
}

/* ---- The story ----------------------------------------------------------- */

static struct scene_script linux_script;
static unsigned int linux_reclaims, linux_kills;
static char linux_story[STORY_MAX + 1];
static size_t linux_told;

static void linux_tell(char letter)
{
	if (linux_told < STORY_MAX)
		linux_story[linux_told++] = letter;
}

/* Instead of wakeup_kswapd(). */
static void linux_wake(struct zone *zone, gfp_t mask, int order,
                       enum zone_type highest)
{
	linux_tell('w');
}

/* Instead of try_to_free_pages(). */
static unsigned long linux_reclaim(struct zonelist *zonelist, int order,
                                   gfp_t mask, nodemask_t *nodemask)
{
	linux_tell(mask & __GFP_FS ? 'r' : mask & __GFP_IO ? 'i' : 'n');
	if (++linux_reclaims == linux_script.gift) {
		scene_free(SCENE_GIFT, 10);
		scene_free(SCENE_GIFT + 1024, 10);
	}
	return linux_reclaims <= linux_script.rounds ? linux_script.progress
	                                             : 0;
}

/* Instead of zone_reclaimable_pages(). */
static unsigned long linux_reclaimable(struct zone *zone)
{
	if (linux_script.reclaimable && zone == linux_zone)
		return linux_script.reclaimable;
	return zone_page_state(zone, NR_FREE_PAGES);
}

/* Instead of try_to_compact_pages(), which first looks at IO. */
static enum compact_result linux_compact(gfp_t mask, unsigned int order,
                                         unsigned int flags,
                                         const struct alloc_context *context,
                                         enum compact_priority priority,
                                         struct page **page)
{
	static const enum compact_result results[] = {
		[SCENE_SKIPPED] = COMPACT_SKIPPED,
		[SCENE_DEFERRED] = COMPACT_DEFERRED,
		[SCENE_FAILED] = COMPACT_COMPLETE,
		[SCENE_CONTENDED] = COMPACT_CONTENDED,
		[SCENE_SUCCESS] = COMPACT_SUCCESS,
	};

	if (!(mask & __GFP_IO))
		return COMPACT_SKIPPED;
	linux_tell(priority == COMPACT_PRIO_ASYNC        ? 'a'
	           : priority == COMPACT_PRIO_SYNC_LIGHT ? 'l'
	                                                 : 'f');
	return results[linux_script.compact];
}

/* Instead of out_of_memory(). */
static bool linux_kill(struct oom_control *control)
{
	linux_tell('o');
	return ++linux_kills <= linux_script.kills;
}

/* Some passes are made for a cpuset first, and then without it.  Without cpusets the
 * second one is the first again, and is not told.  (ALLOC_CPUSET of mm/internal.h.) */
static int linux_on_pass(struct kprobe *probe, struct pt_regs *regs)
{
	static unsigned long before;
	unsigned long flags = (unsigned int)regs->dx;
	bool follows = linux_told > 0 && linux_story[linux_told - 1] == 'p';

	if (!follows || !(before & 0x40) || flags != (before & ~0x40UL))
		linux_tell('p');
	before = flags;
	return 0;
}

static struct linux_other {
	struct kprobe probe;
	void *instead;
} linux_others[] = {
	{ { .symbol_name = "wakeup_kswapd" }, linux_wake },
	{ { .symbol_name = "try_to_free_pages" }, linux_reclaim },
	{ { .symbol_name = "zone_reclaimable_pages" }, linux_reclaimable },
	{ { .symbol_name = "try_to_compact_pages" }, linux_compact },
	{ { .symbol_name = "out_of_memory" }, linux_kill },
	{ { .symbol_name = "get_page_from_freelist" }, NULL },
};

/* The arguments are in their registers, and the return address is on the stack: as if the
 * other function had been called. */
static int linux_go(struct kprobe *probe, struct pt_regs *regs)
{
	struct linux_other *other =
		container_of(probe, struct linux_other, probe);

	regs->ip = (unsigned long)other->instead;
	return 1;
}

/* A probe with one is never replaced by a jump, which could not change the way. */
static void linux_after(struct kprobe *probe, struct pt_regs *regs,
                        unsigned long flags)
{
}

static int linux_replace(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(linux_others); i++) {
		struct linux_other *other = &linux_others[i];
		int error;

		other->probe.pre_handler =
			other->instead ? linux_go : linux_on_pass;
		other->probe.post_handler = linux_after;
		error = register_kprobe(&other->probe);
		if (error) {
			pr_err("conformance: no probe of %s\n",
			       other->probe.symbol_name);
			return error;
		}
	}
	return 0;
}

static void linux_put_back(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(linux_others); i++)
		unregister_kprobe(&linux_others[i].probe);
}

void scene_script(const struct scene_script *script)
{
	linux_script = *script;
}

const char *scene_story(void)
{
	linux_story[linux_told] = '\0';
	return linux_story;
}

/* ---- The arena ----------------------------------------------------------- */

static int linux_compare(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a;
	unsigned long y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Take all blocks of order 10; the highest neighbours have the arena.  Those of DMA come
 * last: the highest one that is below 16 MiB. */
static bool linux_find_arena(void)
{
	size_t count = 0;
	struct page *page;
	unsigned long run = 0;

	while (count < LARGE_BLOCKS && (page = alloc_pages(TAKE, 10)))
		linux_blocks[count++] = page_to_pfn(page);
	sort(linux_blocks, count, sizeof(linux_blocks[0]), linux_compare, NULL);
	for (size_t i = count; i-- > 0 && run < ARENA_PAGES / 1024;) {
		if (run > 0 && linux_blocks[i] + 1024 != linux_arena)
			run = 0;
		run++;
		linux_arena = linux_blocks[i];
	}
	for (size_t i = 0; i < count && linux_blocks[i] < 4096; i++)
		linux_low = linux_blocks[i];
	linux_zone = page_zone(pfn_to_page(linux_arena));
	return linux_low != 0 && run == ARENA_PAGES / 1024;
}

/* The zone of the arena, and those below. */
static void linux_each_zone(void (*visit)(struct zone *zone))
{
	struct zone *first = linux_zone->zone_pgdat->node_zones;

	for (struct zone *zone = first; zone <= linux_zone; zone++) {
		if (populated_zone(zone))
			visit(zone);
	}
}

static void linux_lists_off(struct zone *zone)
{
	struct per_cpu_pages *pcp = this_cpu_ptr(zone->per_cpu_pageset);

	pcp->high = 0;
	pcp->high_min = 0;
	pcp->high_max = 0;
	pcp->batch = 1;
	this_cpu_ptr(zone->per_cpu_zonestats)->stat_threshold = 0;
}

static void linux_plain(struct zone *zone)
{
	linux_lists_off(zone);
	memset(zone->_watermark, 0, sizeof(zone->_watermark));
	memset(zone->lowmem_reserve, 0, sizeof(zone->lowmem_reserve));
	zone->watermark_boost = 0;
	zone->flags = 0;
}

/* Whatever is free.  A HIGHATOMIC pageblock is for those that cannot wait. */
static void linux_take(void)
{
	for (int order = 10; order >= 0; order--) {
		while (alloc_pages(TAKE, order))
			;
	}
	while (alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0))
		;
}

/* ---- The scene ----------------------------------------------------------- */

static struct zone *linux_zone_of(int type)
{
	return &linux_zone->zone_pgdat->node_zones[type];
}

static void linux_plain_page(struct page *page)
{
	set_page_count(page, 0);
	clear_bit(PG_lru, &page->flags);
	if (page_to_pfn(page) % pageblock_nr_pages == 0)
		linux_its.set_pageblock_migratetype(page, MIGRATE_MOVABLE);
}

void scene_begin(void)
{
	linux_its.drain_all_pages(NULL);
	for (int type = 0; type < MAX_NR_ZONES; type++)
		scene_set_managed(type, linux_managed[type]);
	scene_set_managed(ZONE_DMA, ARENA_LOW_MANAGED);
	*linux_its.watermark_boost_factor = 0;
	linux_each_zone(linux_plain);
	linux_take();
	for (unsigned long place = 0; place < ARENA_PAGES; place++)
		linux_plain_page(scene_page(place));
	for (unsigned long i = 0; i < ARENA_LOW_PAGES; i++)
		linux_plain_page(pfn_to_page(linux_low + i));
	linux_zone->nr_reserved_highatomic = 0;
	memset(&linux_script, 0, sizeof(linux_script));
	linux_reclaims = 0;
	linux_kills = 0;
	linux_told = 0;
}

void scene_set_boost(unsigned long factor, unsigned long pages)
{
	*linux_its.watermark_boost_factor = factor;
	linux_zone->watermark_boost = pages;
}

void scene_set_reserve(unsigned long pages)
{
	for (int type = zone_idx(linux_zone) + 1; type < MAX_NR_ZONES; type++)
		linux_zone->lowmem_reserve[type] = pages;
}

bool scene_is_normal(void)
{
	return zone_idx(linux_zone) == ZONE_NORMAL;
}

void scene_free_low(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		struct page *page = pfn_to_page(linux_low + 2 * i);

		set_page_count(page, 1);
		__free_pages(page, 0);
	}
}

void scene_set_low_marks(unsigned long lowest, unsigned long low,
                         unsigned long high, unsigned long reserve)
{
	struct zone *zone = linux_zone_of(ZONE_DMA);

	zone->_watermark[WMARK_MIN] = lowest;
	zone->_watermark[WMARK_LOW] = low;
	zone->_watermark[WMARK_HIGH] = high;
	for (int type = ZONE_DMA + 1; type < MAX_NR_ZONES; type++)
		zone->lowmem_reserve[type] = reserve;
}

unsigned long scene_low_pages(void)
{
	return zone_page_state(linux_zone_of(ZONE_DMA), NR_FREE_PAGES);
}

void scene_lists(int *batch, int *high_min, int *high_max)
{
	*batch = linux_zone->pageset_batch;
	*high_min = linux_zone->pageset_high_min;
	*high_max = linux_zone->pageset_high_max;
}

void scene_lists_on(void)
{
	struct per_cpu_pages *pcp = this_cpu_ptr(linux_zone->per_cpu_pageset);

	pcp->batch = linux_zone->pageset_batch;
	pcp->high_min = linux_zone->pageset_high_min;
	pcp->high_max = linux_zone->pageset_high_max;
	pcp->high = pcp->high_min;
	pcp->flags = 0;
	pcp->alloc_factor = 0;
	pcp->free_count = 0;
	this_cpu_ptr(linux_zone->per_cpu_zonestats)->stat_threshold = 0;
}

unsigned long scene_listed(void)
{
	return this_cpu_ptr(linux_zone->per_cpu_pageset)->count;
}

bool scene_is_pfmemalloc(const struct page *page)
{
	return page_is_pfmemalloc(page);
}

unsigned long scene_counter(enum scene_counter counter)
{
	const enum vm_event_item items[] = {
		[SCENE_PGALLOC] =
			scene_is_normal() ? PGALLOC_NORMAL : PGALLOC_DMA32,
		[SCENE_PGFREE] = PGFREE,
		[SCENE_COMPACT_STALL] = COMPACTSTALL,
		[SCENE_COMPACT_FAIL] = COMPACTFAIL,
		[SCENE_COMPACT_SUCCESS] = COMPACTSUCCESS,
	};

	return this_cpu_read(vm_event_states.event[items[counter]]);
}

void scene_set_managed(int type, unsigned long pages)
{
	atomic_long_set(&linux_zone_of(type)->managed_pages, pages);
}

unsigned long scene_compute_marks(unsigned long min_free_kbytes,
                                  unsigned int scale)
{
	*linux_its.watermark_scale_factor = scale;
	linux_its.init_per_zone_wmark_min();
	if (min_free_kbytes) {
		*linux_its.min_free_kbytes = min_free_kbytes;
		linux_its.setup_per_zone_wmarks();
	}
	return *linux_its.min_free_kbytes;
}

unsigned long scene_mark(int type, int mark)
{
	return linux_zone_of(type)->_watermark[mark];
}

unsigned long scene_reserve(int type, int highest)
{
	return linux_zone_of(type)->lowmem_reserve[highest];
}

void scene_set_type(unsigned long block, int type)
{
	linux_its.set_pageblock_migratetype(
		scene_page(block * pageblock_nr_pages), type);
	if (type == MIGRATE_HIGHATOMIC)
		linux_zone->nr_reserved_highatomic += pageblock_nr_pages;
}

int scene_type(unsigned long block)
{
	unsigned long place = block * pageblock_nr_pages;

	return linux_its.get_pfnblock_flags_mask(
		scene_page(place), linux_arena + place, MIGRATETYPE_MASK);
}

void scene_set_movable(unsigned long place, unsigned long count)
{
	for (; count > 0; count--)
		set_bit(PG_lru, &scene_page(place++)->flags);
}

void scene_set_marks(unsigned long lowest, unsigned long low,
                     unsigned long high)
{
	linux_zone->_watermark[WMARK_MIN] = lowest;
	linux_zone->_watermark[WMARK_LOW] = low;
	linux_zone->_watermark[WMARK_HIGH] = high;
	linux_zone->_watermark[WMARK_PROMO] = high + (high - low);
}

void scene_free(unsigned long place, unsigned int order)
{
	set_page_count(scene_page(place), 1);
	__free_pages(scene_page(place), order);
}

unsigned long scene_free_pages(void)
{
	return zone_page_state(linux_zone, NR_FREE_PAGES);
}

unsigned long scene_free_highatomic(void)
{
	return linux_zone->nr_free_highatomic;
}

unsigned long scene_reserved(void)
{
	return linux_zone->nr_reserved_highatomic;
}

unsigned long scene_boost(void)
{
	return linux_zone->watermark_boost;
}

long scene_place(const struct page *page)
{
	return page ? (long)(page_to_pfn(page) - linux_arena) : -1;
}

struct page *scene_page(unsigned long place)
{
	return pfn_to_page(linux_arena + place);
}

struct page *scene_page_at(void *address)
{
	return virt_to_page(address);
}

unsigned long scene_list(unsigned int order, int type, long *places,
                         unsigned long max)
{
	struct list_head *blocks =
		&linux_zone->free_area[order].free_list[type];
	unsigned long count = 0;
	struct page *page;

	list_for_each_entry(page, blocks, buddy_list) {
		if (count < max)
			places[count] = scene_place(page);
		count++;
	}
	return count;
}

void scene_enter(enum scene_context context)
{
	linux_context = context;
	if (context == SCENE_MEMALLOC || context == SCENE_SOFT_MEMALLOC ||
	    context == SCENE_HARD_MEMALLOC)
		current->flags |= PF_MEMALLOC;
	if (context == SCENE_VICTIM) {
		current->signal->oom_mm = current->mm;
		sigaddset(&current->pending.signal, SIGKILL);
		set_thread_flag(TIF_SIGPENDING);
	}
	if (context == SCENE_SOFT || context == SCENE_SOFT_MEMALLOC)
		__preempt_count_add(SOFTIRQ_OFFSET);
	if (context == SCENE_HARD || context == SCENE_HARD_MEMALLOC)
		__preempt_count_add(HARDIRQ_OFFSET);
}

void scene_leave(void)
{
	current->flags &= ~PF_MEMALLOC;
	current->signal->oom_mm = NULL;
	sigdelset(&current->pending.signal, SIGKILL);
	clear_thread_flag(TIF_SIGPENDING);
	if (linux_context == SCENE_SOFT || linux_context == SCENE_SOFT_MEMALLOC)
		__preempt_count_sub(SOFTIRQ_OFFSET);
	if (linux_context == SCENE_HARD || linux_context == SCENE_HARD_MEMALLOC)
		__preempt_count_sub(HARDIRQ_OFFSET);
}

void scene_say(const char *format, ...)
{
	struct va_format text = { .fmt = format };
	va_list args;

	va_start(args, format);
	text.va = &args;
	pr_info("conformance: %s%pV\n", scene_is_normal() ? "NORMAL/" : "",
	        &text);
	va_end(args);
}

/* ---- All of it ----------------------------------------------------------- */

static void linux_ask(void)
{
	const char *name = scene_is_normal() ? "NORMAL" : "DMA32";

	linux_its.drain_all_pages(NULL);
	linux_each_zone(linux_lists_off);
	for (int type = 0; type < MAX_NR_ZONES; type++)
		linux_managed[type] = zone_managed_pages(linux_zone_of(type));
	pr_info("conformance: machine, %s: %s %lu\n", name, name,
	        zone_managed_pages(linux_zone));
	/* Twice: a second answer that is another one would be a disturbed one. */
	for (int again = 0; again < 2; again++) {
		pr_info("conformance: pass %d: again\n", again);
		ask_questions();
	}
	scene_begin();
	for (unsigned long place = 0; place < ARENA_PAGES; place += 1024)
		scene_free(place, 10);
}

static int __init conformance_init(void)
{
	if (linux_find_lookup() || !linux_find_names() || linux_replace())
		return -ENOENT;
	preempt_disable();
	local_irq_disable();
	if (linux_find_arena())
		linux_ask();
	else
		pr_err("conformance: no arena\n");
	local_irq_enable();
	preempt_enable();
	linux_put_back();
	pr_info("conformance: end\n");
	return 0;
}
module_init(conformance_init);

static void __exit conformance_exit(void)
{
}
module_exit(conformance_exit);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Questions about Linux's page allocator");

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
#include <linux/sched/signal.h>
#include <linux/sort.h>

#include "tests/conformance/ask.h"

#define LARGE_BLOCKS 1024
#define TAKE         (__GFP_MEMALLOC | __GFP_MOVABLE | __GFP_NOWARN)

static unsigned long (*linux_lookup)(const char *name);
static void (*linux_drain_lists)(struct zone *zone);
static void (*linux_set_type)(struct page *page, int type);
static int *linux_boost_factor;
static struct zone *linux_zone;
static unsigned long linux_arena; /* its first frame */
static enum scene_context linux_context;
static unsigned long linux_blocks[LARGE_BLOCKS];

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

static void *linux_name(const char *name)
{
	void *address = (void *)linux_lookup(name);

	if (!address)
		pr_err("conformance: there is no %s\n", name);
	return address;
}

static bool linux_find_names(void)
{
	linux_drain_lists = linux_name("drain_all_pages");
	linux_set_type = linux_name("set_pageblock_migratetype");
	linux_boost_factor = linux_name("watermark_boost_factor");
	return linux_drain_lists && linux_set_type && linux_boost_factor;
}

/* ---- The story ----------------------------------------------------------- */

/* Where a function that is replaced goes instead; its value is in place already. */
static noinline notrace void linux_nothing(void)
{
}

static int linux_return(struct pt_regs *regs, unsigned long value)
{
	regs->ax = value;
	regs->ip = (unsigned long)linux_nothing;
	return 1;
}

static int linux_on_nothing(struct kprobe *probe, struct pt_regs *regs)
{
	return linux_return(regs, 0);
}

/* As zone_reclaimable_pages() of a zone with nothing to reclaim. */
static int linux_on_reclaimable(struct kprobe *probe, struct pt_regs *regs)
{
	struct zone *zone = (struct zone *)regs->di;

	return linux_return(regs, zone_page_state(zone, NR_FREE_PAGES));
}

static int linux_on_compact(struct kprobe *probe, struct pt_regs *regs)
{
	return linux_return(regs, COMPACT_SKIPPED);
}

/* A probe with one is never replaced by a jump, which could not change the way. */
static void linux_after(struct kprobe *probe, struct pt_regs *regs,
                        unsigned long flags)
{
}

static struct kprobe linux_probes[] = {
	{ .symbol_name = "wakeup_kswapd", .pre_handler = linux_on_nothing },
	{ .symbol_name = "try_to_free_pages", .pre_handler = linux_on_nothing },
	{ .symbol_name = "out_of_memory", .pre_handler = linux_on_nothing },
	{ .symbol_name = "zone_reclaimable_pages",
	  .pre_handler = linux_on_reclaimable },
	{ .symbol_name = "try_to_compact_pages",
	  .pre_handler = linux_on_compact },
};

static int linux_replace(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(linux_probes); i++) {
		int error;

		linux_probes[i].post_handler = linux_after;
		error = register_kprobe(&linux_probes[i]);
		if (error) {
			pr_err("conformance: no probe of %s\n",
			       linux_probes[i].symbol_name);
			return error;
		}
	}
	return 0;
}

static void linux_put_back(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(linux_probes); i++)
		unregister_kprobe(&linux_probes[i]);
}

/* ---- The arena ----------------------------------------------------------- */

static int linux_compare(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a;
	unsigned long y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Take all blocks of order 10; the longest run of neighbours has the arena. */
static bool linux_find_arena(void)
{
	size_t count = 0;
	struct page *page;
	unsigned long run = 0;

	while (count < LARGE_BLOCKS && (page = alloc_pages(TAKE, 10)))
		linux_blocks[count++] = page_to_pfn(page);
	sort(linux_blocks, count, sizeof(linux_blocks[0]), linux_compare, NULL);
	for (size_t i = 0; i < count && run < ARENA_PAGES / 1024; i++) {
		if (run == 0 || linux_blocks[i] != linux_blocks[i - 1] + 1024)
			run = 0;
		run++;
		linux_arena = linux_blocks[i] + 1024 - ARENA_PAGES;
	}
	linux_zone = page_zone(pfn_to_page(linux_arena));
	return run == ARENA_PAGES / 1024;
}

static struct page *linux_page(unsigned long place)
{
	return pfn_to_page(linux_arena + place);
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

static void linux_no_marks(struct zone *zone)
{
	memset(zone->_watermark, 0, sizeof(zone->_watermark));
	memset(zone->lowmem_reserve, 0, sizeof(zone->lowmem_reserve));
	zone->watermark_boost = 0;
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

void scene_begin(void)
{
	*linux_boost_factor = 0;
	linux_each_zone(linux_no_marks);
	linux_take();
	for (unsigned long place = 0; place < ARENA_PAGES; place++) {
		struct page *page = linux_page(place);

		set_page_count(page, 0);
		if (place % pageblock_nr_pages == 0)
			linux_set_type(page, MIGRATE_MOVABLE);
	}
	linux_zone->nr_reserved_highatomic = 0;
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
	set_page_count(linux_page(place), 1);
	__free_pages(linux_page(place), order);
}

unsigned long scene_free_pages(void)
{
	return zone_page_state(linux_zone, NR_FREE_PAGES);
}

void scene_enter(enum scene_context context)
{
	linux_context = context;
	if (context == SCENE_MEMALLOC || context == SCENE_SOFT_MEMALLOC ||
	    context == SCENE_HARD_MEMALLOC)
		current->flags |= PF_MEMALLOC;
	if (context == SCENE_VICTIM)
		current->signal->oom_mm = current->mm;
	if (context == SCENE_SOFT || context == SCENE_SOFT_MEMALLOC)
		__preempt_count_add(SOFTIRQ_OFFSET);
	if (context == SCENE_HARD || context == SCENE_HARD_MEMALLOC)
		__preempt_count_add(HARDIRQ_OFFSET);
}

void scene_leave(void)
{
	current->flags &= ~PF_MEMALLOC;
	current->signal->oom_mm = NULL;
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
	pr_info("conformance: %pV\n", &text);
	va_end(args);
}

/* ---- All of it ----------------------------------------------------------- */

static void linux_ask(void)
{
	linux_drain_lists(NULL);
	linux_each_zone(linux_lists_off);
	scene_say("machine, zone: %s", linux_zone->name);
	scene_say("machine, managed: %lu", zone_managed_pages(linux_zone));
	/* Twice: a second answer that is another one would be a disturbed one. */
	for (int again = 0; again < 2; again++) {
		scene_say("again: %d", again);
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

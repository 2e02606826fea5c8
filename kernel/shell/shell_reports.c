/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_reports.c -- memory in numbers, in the formats of Linux's /proc.
 *
 * Features that Labyrinth does not have (per-CPU page sets, the watermark
 * boost) have no line; those that Linux does not have are at the end of each
 * report: parked, exclusive, used and bad pages.
 *
 * Numbers of a zone are copied under its lock and printed afterwards: they
 * belong together, and may be old.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/arch/vmap.h"
#include "kernel/core/console.h"
#include "kernel/core/symbols.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/slab/kfence.h"
#include "mm/slab/slab.h"
#include "mm/slab/vmalloc.h"
#include "mm/swap/swap.h"
#include "mm/watermark.h"

/* A zone's numbers at one moment. */
struct zone_copy {
	unsigned long free;
	unsigned long cma;
	unsigned long free_cma;
	unsigned long isolate; /* free, in ISOLATE pageblocks */
	unsigned long pcp;     /* on CPUs' lists */
	unsigned long used;
	unsigned long parked;
	unsigned long exclusive;
	unsigned long bad;
	unsigned long loose;
	unsigned long blocks[MAX_ORDER + 1];
	unsigned long lru[LRU_COUNT];
	unsigned long isolated[LRU_KINDS];
	unsigned long dirty;
	unsigned long writeback;
};

static void copy_lru(struct zone *zone, struct zone_copy *copy)
{
	bool enabled = spin_lock_irqsave(&zone->lru.lock);

	for (unsigned int list = 0; list < LRU_COUNT; list++)
		copy->lru[list] = zone->lru.count[list];
	for (unsigned int kind = 0; kind < LRU_KINDS; kind++)
		copy->isolated[kind] = zone->lru.isolated[kind];
	copy->dirty = READ_ONCE(zone->lru.file_dirty);
	copy->writeback = READ_ONCE(zone->lru.writeback);
	spin_unlock_irqrestore(&zone->lru.lock, enabled);
}

static struct zone_copy copy_zone(struct zone *zone)
{
	bool enabled = spin_lock_irqsave(&zone->lock);
	struct zone_copy copy = {
		.free = zone->free_pages,
		.cma = zone->nr_cma,
		.free_cma = zone->nr_free_cma,
		.isolate = zone->isolated_pages,
		.pcp = zone_pcp_pages(zone),
		.used = zone_used_pages(zone),
		.parked = exclusive_zone_parked(zone),
		.exclusive = exclusive_zone_owned(zone),
		.bad = zone->bad_pages,
		.loose = zone->loose_pages,
	};

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		copy.blocks[order] = zone->free_area[order].count;
	spin_unlock_irqrestore(&zone->lock, enabled);
	copy_lru(zone, &copy);
	return copy;
}

/* The sum over all zones; blocks are left out. */
static struct zone_copy copy_all(struct node *node)
{
	struct zone_copy sum = { 0 };

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone_copy copy = copy_zone(&node->zone[type]);

		sum.free += copy.free;
		sum.cma += copy.cma;
		sum.free_cma += copy.free_cma;
		sum.isolate += copy.isolate;
		sum.pcp += copy.pcp;
		sum.used += copy.used;
		sum.parked += copy.parked;
		sum.exclusive += copy.exclusive;
		sum.bad += copy.bad;
		sum.loose += copy.loose;
		for (unsigned int list = 0; list < LRU_COUNT; list++)
			sum.lru[list] += copy.lru[list];
		for (unsigned int kind = 0; kind < LRU_KINDS; kind++)
			sum.isolated[kind] += copy.isolated[kind];
		sum.dirty += copy.dirty;
		sum.writeback += copy.writeback;
	}
	return sum;
}

#define BLOCKS_COLUMN 22 /* "Node 0, zone      DMA " */
#define BLOCKS_WIDTH  5

/* Linux's columns are 7 wide, which is more than a screen has.  A number that needs
 * more than its five takes it from the next ones. */
static void print_blocks(const char *zone, const unsigned long *blocks)
{
	char line[CONSOLE_FOLD_MAX];
	int at = scnprintf(line, sizeof(line), "Node 0, zone %8s ", zone);

	for (int order = 0; order <= MAX_ORDER; order++) {
		int end = BLOCKS_COLUMN + (order + 1) * BLOCKS_WIDTH;

		at += scnprintf(line + at, sizeof(line) - (size_t)at, "%*lu ",
		                max(end - at - 1, 1), blocks[order]);
	}
	console_printf("%s\n", line);
}

static int run_buddyinfo(int argc, char **argv __unused)
{
	struct node *node = main_node();

	if (argc > 1)
		return -EINVAL;
	console_printf("%-*s", BLOCKS_COLUMN, "free blocks of order");
	for (int order = 0; order <= MAX_ORDER; order++)
		console_printf("%*d ", BLOCKS_WIDTH - 1, order);
	console_printf("\n");
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		struct zone *zone = &node->zone[type];
		struct zone_copy copy;

		if (zone->present == 0)
			continue;
		copy = copy_zone(zone);
		print_blocks(zone->name, copy.blocks);
	}
	return 0;
}

/* As Linux prints them; a zone without lists has none. */
static void print_pagesets(const struct zone *zone)
{
	if (zone->pcp[0] == NULL)
		return;
	console_printf("  pagesets\n");
	for (unsigned int cpu = 0; cpu < zone->node->pcp_cpus; cpu++) {
		const struct pcp_set *set = zone->pcp[cpu];

		console_printf("    cpu: %u\n"
		               "              count:    %u\n"
		               "              high:     %u\n"
		               "              batch:    %u\n"
		               "              high_min: %u\n"
		               "              high_max: %u\n",
		               cpu, set->count, set->high, set->batch,
		               set->high_min, set->high_max);
	}
}

static void print_zone(struct zone *zone)
{
	struct zone_copy copy = copy_zone(zone);

	console_printf("Node 0, zone %8s\n"
	               "  pages free     %lu\n"
	               "        min      %lu\n"
	               "        low      %lu\n"
	               "        high     %lu\n"
	               "        promo    %lu\n"
	               "        spanned  %lu\n"
	               "        present  %lu\n"
	               "        managed  %lu\n"
	               "        cma      %lu\n",
	               zone->name, copy.free, wmark_pages(zone, WMARK_MIN),
	               wmark_pages(zone, WMARK_LOW),
	               wmark_pages(zone, WMARK_HIGH),
	               wmark_pages(zone, WMARK_PROMO), zone->spanned,
	               zone->present, zone->managed, copy.cma);
	console_printf("        protection: (%lu, %lu, %lu, %lu)\n",
	               zone->lowmem_reserve[ZONE_DMA],
	               zone->lowmem_reserve[ZONE_DMA32],
	               zone->lowmem_reserve[ZONE_NORMAL],
	               zone->lowmem_reserve[ZONE_MOVABLE]);
	if (zone->present == 0)
		return;
	console_printf("      nr_free_pages %lu\n", copy.free);
	for (unsigned int list = 0; list < LRU_COUNT; list++)
		console_printf("      nr_zone_%s %lu\n",
		               lru_list_name((enum lru_list)list),
		               copy.lru[list]);
	console_printf("      nr_free_cma  %lu\n", copy.free_cma);
	console_printf("      nr_zone_write_pending %lu\n"
	               "      nr_used_pages %lu\n"
	               "      nr_isolate   %lu\n"
	               "      nr_parked    %lu\n"
	               "      nr_exclusive %lu\n"
	               "      nr_bad       %lu\n"
	               "      nr_in_flight %lu\n"
	               "      nr_on_lists  %lu\n",
	               copy.dirty + copy.writeback, copy.used, copy.isolate,
	               copy.parked, copy.exclusive, copy.bad, copy.loose,
	               copy.pcp);
	print_pagesets(zone);
	console_printf("  start_pfn:           %lu\n", zone->start_pfn);
}

static int run_zoneinfo(int argc, char **argv __unused)
{
	struct node *node = main_node();

	if (argc > 1)
		return -EINVAL;
	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		print_zone(&node->zone[type]);
	return 0;
}

static void print_kilobytes(const char *label, unsigned long pages)
{
	console_printf("%-15s %8lu kB\n", label, pages * (PAGE_SIZE / KIB));
}

/*
 * The pages that no request gets without touching a reserve: in each zone the largest
 * lowmem reserve and the HIGH mark, at most all of it.  (Linux:
 * calculate_totalreserve_pages().)
 */
static unsigned long total_reserve(const struct node *node)
{
	unsigned long sum = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &node->zone[type];
		unsigned long reserve = 0;

		for (unsigned int i = type; i < ZONE_COUNT; i++)
			reserve = max(reserve, zone->lowmem_reserve[i]);
		reserve += wmark_pages(zone, WMARK_HIGH);
		sum += min(reserve, zone->managed);
	}
	return sum;
}

/* Present pages of NODE in regions that are split, and in those that are not:
 * how the direct map maps them, or would if they were not hidden. */
static void count_direct_map(const struct node *node, unsigned long *small,
                             unsigned long *large)
{
	unsigned long end = node->start_pfn + node->page_count;

	*small = 0;
	*large = 0;
	for (unsigned long pfn = ALIGN_DOWN(node->start_pfn, REGION_FRAMES);
	     pfn < end; pfn += REGION_FRAMES) {
		if (!direct_map_is_split(pfn)) {
			*large += direct_map_visible(pfn) ? REGION_FRAMES : 0;
			continue;
		}
		for (unsigned long i = 0; i < REGION_FRAMES; i++)
			*small += direct_map_visible(pfn + i);
	}
}

/* Linux's lines about the lists. */
static void print_lru(const struct zone_copy *sum)
{
	const unsigned long *lru = sum->lru;

	print_kilobytes("Active:", lru[LRU_ACTIVE_ANON] + lru[LRU_ACTIVE_FILE]);
	print_kilobytes("Inactive:",
	                lru[LRU_INACTIVE_ANON] + lru[LRU_INACTIVE_FILE]);
	print_kilobytes("Active(anon):", lru[LRU_ACTIVE_ANON]);
	print_kilobytes("Inactive(anon):", lru[LRU_INACTIVE_ANON]);
	print_kilobytes("Active(file):", lru[LRU_ACTIVE_FILE]);
	print_kilobytes("Inactive(file):", lru[LRU_INACTIVE_FILE]);
	print_kilobytes("Unevictable:", lru[LRU_UNEVICTABLE]);
	print_kilobytes("Dirty:", sum->dirty);
	print_kilobytes("Writeback:", sum->writeback);
}

static int run_meminfo(int argc, char **argv __unused)
{
	struct node *node = main_node();
	struct zone_copy sum = copy_all(node);
	unsigned long reserve = total_reserve(node);
	unsigned long small;
	unsigned long large;

	if (argc > 1)
		return -EINVAL;
	count_direct_map(node, &small, &large);
	print_kilobytes("MemTotal:", node_managed(node));
	print_kilobytes("MemFree:", sum.free);
	print_kilobytes("MemAvailable:",
	                sum.free > reserve ? sum.free - reserve : 0);
	print_lru(&sum);
	print_kilobytes("Used:", sum.used);
	print_kilobytes("Isolated:", sum.isolate);
	print_kilobytes("Parked:", sum.parked);
	print_kilobytes("Exclusive:", sum.exclusive);
	print_kilobytes("Bad:", sum.bad);
	print_kilobytes("SwapCached:", total_swapcache_pages());
	print_kilobytes("SwapTotal:", total_swap_pages());
	print_kilobytes("SwapFree:", get_nr_swap_pages());
	print_kilobytes("VmallocTotal:", vmap_size / PAGE_SIZE);
	print_kilobytes("VmallocUsed:", READ_ONCE(main_vmalloc()->pages));
	print_kilobytes("VmallocChunk:", 0);
	print_kilobytes("CmaTotal:", sum.cma);
	print_kilobytes("CmaFree:", sum.free_cma);
	print_kilobytes("DirectMap4k:", small);
	print_kilobytes("DirectMap2M:", large);
	return 0;
}

/* vmstat PREFIX: only names that begin so. */
static void print_count(const char *prefix, const char *name,
                        unsigned long count)
{
	if (strncmp(name, prefix, strlen(prefix)) == 0)
		console_printf("%s %lu\n", name, count);
}

static void print_lru_counts(const char *prefix, const struct zone_copy *sum)
{
	char name[24];

	for (unsigned int list = 0; list < LRU_COUNT; list++) {
		scnprintf(name, sizeof(name), "nr_%s",
		          lru_list_name((enum lru_list)list));
		print_count(prefix, name, sum->lru[list]);
	}
	print_count(prefix, "nr_isolated_anon", sum->isolated[LRU_ANON]);
	print_count(prefix, "nr_isolated_file", sum->isolated[LRU_FILE]);
	print_count(prefix, "nr_dirty", sum->dirty);
	print_count(prefix, "nr_writeback", sum->writeback);
}

static int run_vmstat(int argc, char **argv)
{
	struct node *node = main_node();
	struct zone_copy sum = copy_all(node);
	const char *prefix = argc > 1 ? argv[1] : "";

	if (argc > 2)
		return -EINVAL;
	print_count(prefix, "nr_free_pages", sum.free);
	print_count(prefix, "nr_free_cma", sum.free_cma);
	print_lru_counts(prefix, &sum);
	for (unsigned int i = 0; i < VMSTAT_COUNT; i++) {
		enum vmstat_event event = (enum vmstat_event)i;

		print_count(prefix, vmstat_name(event),
		            vmstat_read(&node->stat, event));
	}
	print_count(prefix, "nr_used_pages", sum.used);
	print_count(prefix, "nr_pcp", sum.pcp);
	print_count(prefix, "nr_isolate", sum.isolate);
	print_count(prefix, "nr_parked", sum.parked);
	print_count(prefix, "nr_exclusive", sum.exclusive);
	print_count(prefix, "nr_bad", sum.bad);
	return 0;
}

static const char *vmstat_candidate(const char *word __unused,
                                    unsigned int index)
{
	return index < VMSTAT_COUNT ? vmstat_name((enum vmstat_event)index)
	                            : NULL;
}

/* Linux has these lines in /sys/kernel/debug/kfence/stats. */
static void print_kfence(const struct node *node)
{
	struct kfence_counts counts;

	kfence_read(node, &counts);
	if (counts.objects > 0)
		console_printf(
			"kfence: a sample each %lu ms (0: none); %lu of %lu in "
			"use, %lu sampled, %lu not for want of room, %lu "
			"bugs\n",
			kfence_interval(node), counts.in_use, counts.objects,
			counts.sampled, counts.skipped, counts.bugs);
}

/* Linux's columns; without the tunables, which this allocator has not. */
static int run_slabinfo(int argc, char **argv __unused)
{
	struct slab_info info;

	if (argc > 1)
		return -EINVAL;
	console_printf("slabinfo - version: 2.1\n"
	               "# name            active_objs  objs  size per_slab "
	               "pages : slabdata active slabs\n");
	for (unsigned int i = 0; slab_info_read(main_node(), i, &info); i++)
		console_printf("%-17s %11lu %5lu %5u %8u %5u : slabdata %6lu "
		               "%5lu\n",
		               info.name, info.active_objects, info.objects,
		               info.object_size, info.objects_per_slab,
		               info.pages_per_slab, info.active_slabs,
		               info.slabs);
	print_kfence(main_node());
	return 0;
}

/* Linux's line, without "N0="; a long name is cut so that it fits the screen. */
static void print_area(const struct vmalloc_info *info)
{
	bool lazy = strcmp(info->kind, "lazy") == 0;
	char caller[SYMBOL_NAME_SIZE];
	char pages[32] = "";
	int room;

	if (info->pages > 0)
		scnprintf(pages, sizeof(pages), "pages=%lu ", info->pages);
	room = 79 - 46 - (int)strlen(pages) - (int)strlen(info->kind) - 1;
	if (!lazy)
		symbol_format(caller, sizeof(caller), info->caller);
	console_printf("0x%016lx-0x%016lx %7lu ", (unsigned long)info->start,
	               (unsigned long)info->end,
	               (unsigned long)(info->end - info->start));
	if (lazy)
		console_printf("unpurged vm_area\n");
	else
		console_printf("%.*s %s%s\n", room, caller, pages, info->kind);
}

static int run_vmallocinfo(int argc, char **argv __unused)
{
	struct vmalloc_info info;
	uintptr_t at = 0;

	if (argc > 1)
		return -EINVAL;
	while (!shell_interrupted() && vmalloc_next(main_vmalloc(), &at, &info))
		print_area(&info);
	return 0;
}

static int run_check(int argc, char **argv __unused)
{
	const char *broken;
	char sentence[240];

	if (argc > 1)
		return -EINVAL;
	broken = mm_check(sentence, sizeof(sentence));
	if (broken == NULL)
		broken = vmalloc_check(main_vmalloc(), sentence,
		                       sizeof(sentence));
	console_printf("check: %s\n",
	               broken == NULL ? "every page is in exactly one column"
	                              : broken);
	return 0;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("buddyinfo", "", run_buddyinfo, NULL,
	              "free blocks of each order"),
	SHELL_COMMAND("zoneinfo", "", run_zoneinfo, NULL,
	              "zones and their marks, in pages"),
	SHELL_COMMAND("meminfo", "", run_meminfo, NULL, "the sums, in kB"),
	SHELL_COMMAND("vmstat", "[PREFIX]", run_vmstat, vmstat_candidate,
	              "event counters"),
	SHELL_COMMAND("slabinfo", "", run_slabinfo, NULL,
	              "caches: objects, slabs, sizes"),
	SHELL_COMMAND("vmallocinfo", "", run_vmallocinfo, NULL,
	              "areas of vmalloc() and vmap()"),
	SHELL_COMMAND("check", "", run_check, NULL,
	              "walk all of memory: does it add up?"),
};

SHELL_TABLE(shell_report_commands, "memory",
            "numbers of all memory, in the formats of Linux's /proc", commands);

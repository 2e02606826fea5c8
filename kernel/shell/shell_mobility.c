/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_mobility.c -- pageblocks and fragmentation, in the formats of
 * Linux's /proc/pagetypeinfo and /sys/kernel/debug/extfrag.
 *
 * Linux's columns are wider than a screen: here they are as narrow as in buddyinfo, and
 * "Node 0, " is left out.  Fragmentation is in thousandths.
 *
 * Locking: zone->lock while one list or one order is read; types of pageblocks are read
 * without, and may be a moment old.
 */
#include "kernel/cma_area.h"
#include "kernel/core/console.h"
#include "kernel/demo/fragment.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/contig/contig.h"
#include "mm/debug/extfrag.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/reclaim/compaction.h"

#define ROW_NAME 26 /* "zone     DMA,   Unmovable " */

static void print_orders(const char *title)
{
	console_printf("%-*s", ROW_NAME, title);
	for (int order = 0; order <= MAX_ORDER; order++)
		console_printf("%*d", order == 0 ? 3 : 5, order);
	console_printf("\n");
}

static void print_type(struct zone *zone, enum migratetype type)
{
	unsigned long blocks[MAX_ORDER + 1];
	bool enabled = spin_lock_irqsave(&zone->lock);
	char line[CONSOLE_FOLD_MAX];
	int at;

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		blocks[order] = zone->free_area[order].of_type[type];
	spin_unlock_irqrestore(&zone->lock, enabled);
	at = scnprintf(line, sizeof(line), "zone %7s, %11s", zone->name,
	               migratetype_name(type));
	for (int order = 0; order <= MAX_ORDER; order++) {
		int end = ROW_NAME + 3 + order * 5;

		at += scnprintf(line + at, sizeof(line) - (size_t)at, " %*lu",
		                max(end - at - 1, 1), blocks[order]);
	}
	console_printf("%s\n", line);
}

/* Columns of a type: its name, or seven digits, and a space. */
static int block_type_width(unsigned int type)
{
	return (int)max(strlen(migratetype_name((enum migratetype)type)),
	                (size_t)7) +
	       1;
}

static void print_block_types(const struct zone *zone)
{
	unsigned long count[MIGRATE_TYPES] = { 0 };

	for (unsigned long i = 0; i < pageblock_count(zone); i++)
		count[READ_ONCE(zone->blocks[i].type)]++;
	console_printf("zone %7s", zone->name);
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
		console_printf("%*lu", block_type_width(type), count[type]);
	console_printf("\n");
}

static int run_pagetypeinfo(int argc, char **argv __unused)
{
	struct node *node = main_node();

	if (argc > 1)
		return -EINVAL;
	console_printf("Page block order: %d\nPages per block:  %lu\n\n",
	               PAGEBLOCK_ORDER, PAGEBLOCK_PAGES);
	print_orders("free blocks of type, order");
	for (unsigned int zone = 0; zone < ZONE_COUNT; zone++) {
		for (unsigned int type = 0;
		     node->zone[zone].present > 0 && type < MIGRATE_TYPES;
		     type++)
			print_type(&node->zone[zone], (enum migratetype)type);
	}
	console_printf("\n%-12s", "pageblocks");
	for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
		console_printf("%*s", block_type_width(type),
		               migratetype_name((enum migratetype)type));
	console_printf("\n");
	for (unsigned int zone = 0; zone < ZONE_COUNT; zone++) {
		if (node->zone[zone].present > 0)
			print_block_types(&node->zone[zone]);
	}
	if (node->no_mobility)
		console_printf("(too little memory: all requests count as "
		               "Unmovable)\n");
	return 0;
}

static void print_extfrag(struct zone *zone, bool index)
{
	console_printf("%-8s", zone->name);
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		struct extfrag free = extfrag_read(zone, order);

		console_printf(" %5ld", index ? extfrag_index(&free)
		                              : (long)extfrag_unusable(&free));
	}
	console_printf("\n");
}

static int run_extfrag(int argc, char **argv __unused)
{
	struct node *node = main_node();

	if (argc > 1)
		return -EINVAL;
	for (unsigned int index = 0; index < 2; index++) {
		console_printf("%-8s", index ? "index" : "unusable");
		for (int order = 0; order <= MAX_ORDER; order++)
			console_printf(" %5d", order);
		console_printf("\n");
		for (unsigned int type = 0; type < ZONE_COUNT; type++) {
			if (node->zone[type].present > 0)
				print_extfrag(&node->zone[type], index == 1);
		}
	}
	return 0;
}

static int run_compact(int argc, char **argv __unused)
{
	if (argc > 1)
		return -EINVAL;
	console_printf("compact: %lu pages moved\n", compact_node(main_node()));
	return 0;
}

/* Enough for a request to pass the marks, as a rule. */
#define FRAGMENT_PAGES 502UL

static int run_fragment(int argc, char **argv)
{
	uint64_t pages = FRAGMENT_PAGES;
	int error;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2 && strcmp(argv[1], "off") == 0) {
		if (!fragment_end())
			console_printf("fragment: memory is as it was\n");
		return 0;
	}
	if (argc == 2 && (parse_number(argv[1], &pages) != 0 || pages == 0))
		return -EINVAL;
	error = fragment_begin(pages);
	if (error == -EBUSY)
		console_printf("fragment: it is so already; 'fragment off' "
		               "ends it\n");
	else if (error == -E2BIG)
		console_printf("fragment: this machine has too much memory to "
		               "fill\n");
	else if (error != 0)
		console_printf("fragment: there are not so many pages\n");
	else
		console_printf("fragment: %llu single pages are free between "
		               "movable ones, and nothing else\n",
		               (unsigned long long)pages);
	return 0;
}

/* The range that the shell has taken. */
static struct page *range;
static unsigned long range_pages;

static void contig_free_range(void)
{
	if (range != NULL)
		free_contig_range(page_to_pfn(range), range_pages);
	range = NULL;
}

static int run_contig(int argc, char **argv)
{
	uint64_t pages;

	if (argc != 2)
		return -EINVAL;
	if (strcmp(argv[1], "off") == 0) {
		contig_free_range();
		return 0;
	}
	if (parse_number(argv[1], &pages) != 0 || pages == 0)
		return -EINVAL;
	contig_free_range();
	range_pages = pages;
	range = alloc_contig_pages(pages, GFP_KERNEL);
	if (range == NULL)
		console_printf("contig: there is no place that can be "
		               "emptied\n");
	else
		console_printf("contig: %lu pages from pfn %#lx on; 'contig "
		               "off' gives them back\n",
		               range_pages, page_to_pfn(range));
	return 0;
}

static void cma_show(struct cma *cma)
{
	if (cma->count == 0)
		console_printf("cma: there is no area; boot with cma=SIZE\n");
	else
		console_printf("cma: %lu pages from pfn %#lx on, %lu taken\n",
		               cma->count, cma->base_pfn, cma_taken(cma));
}

static int cma_run_alloc(struct cma *cma, uint64_t pages, uint64_t align)
{
	struct page *page;

	if (align > MAX_ORDER)
		return -EINVAL;
	page = cma_alloc(cma, pages, (unsigned int)align, false);
	if (page == NULL)
		console_printf("cma: there is no place for them\n");
	else
		console_printf("cma: %llu pages from pfn %#lx on\n",
		               (unsigned long long)pages, page_to_pfn(page));
	return 0;
}

static int cma_run_free(struct cma *cma, uint64_t pfn, uint64_t pages)
{
	if (!cma_release(cma, pfn_to_page(pfn), pages))
		console_printf("cma: they are not taken\n");
	return 0;
}

static int run_cma(int argc, char **argv)
{
	struct cma *cma = main_cma();
	uint64_t number[2] = { 0, 0 };

	if (argc == 1) {
		cma_show(cma);
		return 0;
	}
	for (int i = 2; i < argc && i < 4; i++) {
		if (parse_number(argv[i], &number[i - 2]) != 0)
			return -EINVAL;
	}
	if (argc > 4 || argc < 3)
		return -EINVAL;
	if (strcmp(argv[1], "alloc") == 0)
		return cma_run_alloc(cma, number[0], number[1]);
	if (strcmp(argv[1], "free") != 0 || argc != 4)
		return -EINVAL;
	return cma_run_free(cma, number[0], number[1]);
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("pagetypeinfo", "", run_pagetypeinfo, NULL,
	              "free blocks and pageblocks of each type"),
	SHELL_COMMAND("extfrag", "", run_extfrag, NULL,
	              "fragmentation of each order, and why"),
	SHELL_COMMAND("compact", "", run_compact, NULL,
	              "move pages until free memory is in one piece"),
	SHELL_COMMAND("cma", "[alloc PAGES [ALIGN]|free PFN PAGES]", run_cma,
	              NULL, "the CMA area, and pages of it"),
	SHELL_COMMAND("contig", "PAGES|off", run_contig, NULL,
	              "empty a range of frames and take it"),
	SHELL_COMMAND("fragment", "[PAGES|off]", run_fragment, NULL,
	              "fill memory, then free single pages only"),
};

SHELL_TABLE(shell_mobility_commands, "blocks",
            "which memory is free in which pieces", commands);

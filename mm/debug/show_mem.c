/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/show_mem.c -- the memory report.
 *
 * The consoles get a summary, which leaves room on a screen for the caller and its
 * backtrace; the log gets everything (LOG_DEBUG), and so do the consoles in a panic.
 *
 * The report has the lines of Linux's (mm/show_mem.c), without columns for features
 * that Labyrinth lacks.  Linux's line of a zone is longer than a line of the log can
 * be, so the lists, and the columns that Linux lacks, have separate lines.
 *
 * It reads without locks: numbers may be outdated when they are printed.
 */
#include "mm/debug/show_mem.h"

#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/node.h"
#include "mm/pcp.h"
#include "mm/watermark.h"

#define KB (PAGE_SIZE / KIB)

/* Print a line into the log; in a panic, when the log cannot be read, on the
 * consoles. */
static void show_detail(const char *format, ...) __printf(1, 2);
static void show_detail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintk(panic_in_progress() ? LOG_WARNING : LOG_DEBUG, format,
	        arguments);
	va_end(arguments);
}

/* The sum of a field over all zones of REPORT. */
#define SUM(report, field)                                                     \
	({                                                                     \
		unsigned long sum = 0;                                         \
                                                                               \
		for (unsigned int type = 0; type < ZONE_COUNT; type++)         \
			sum += READ_ONCE((report)->zone[type].field);          \
		sum;                                                           \
	})

static unsigned long show_pcp(const struct mem_report *report)
{
	unsigned long pages = 0;

	for (unsigned int type = 0; type < ZONE_COUNT; type++)
		pages += zone_pcp_pages(&report->zone[type]);
	return pages;
}

/* In pages.  It fits a screen together with the caller and its backtrace. */
static void show_summary(const struct mem_report *report)
{
	pr_warn("pages      free     min    high  parked    anon    file "
	        "managed\n");
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		const struct zone *zone = &report->zone[type];
		const unsigned long *list = zone->lru.count;

		if (zone->managed == 0)
			continue;
		pr_warn("%-7s%8lu%8lu%8lu%8lu%8lu%8lu%8lu\n", zone->name,
		        zone->free_pages, wmark_pages(zone, WMARK_MIN),
		        wmark_pages(zone, WMARK_HIGH),
		        exclusive_zone_parked(zone),
		        list[LRU_ACTIVE_ANON] + list[LRU_INACTIVE_ANON],
		        list[LRU_ACTIVE_FILE] + list[LRU_INACTIVE_FILE],
		        zone->managed);
	}
}

/* Sums over all zones, in pages, like the next function. */
static void show_lists(const struct mem_report *report)
{
	show_detail("active_anon:%lu inactive_anon:%lu isolated_anon:%lu\n",
	            SUM(report, lru.count[LRU_ACTIVE_ANON]),
	            SUM(report, lru.count[LRU_INACTIVE_ANON]),
	            SUM(report, lru.isolated[LRU_ANON]));
	show_detail(" active_file:%lu inactive_file:%lu isolated_file:%lu\n",
	            SUM(report, lru.count[LRU_ACTIVE_FILE]),
	            SUM(report, lru.count[LRU_INACTIVE_FILE]),
	            SUM(report, lru.isolated[LRU_FILE]));
}

static void show_other_pages(const struct mem_report *report)
{
	show_detail(" unevictable:%lu dirty:%lu writeback:%lu\n",
	            SUM(report, lru.count[LRU_UNEVICTABLE]),
	            SUM(report, lru.file_dirty), SUM(report, lru.writeback));
	show_detail(" free:%lu free_pcp:%lu free_cma:%lu\n",
	            SUM(report, free_pages), show_pcp(report),
	            SUM(report, nr_free_cma));
}

/* In kilobytes.  There is one node. */
static void show_node(const struct mem_report *report)
{
	show_detail("Node 0 active_anon:%lukB inactive_anon:%lukB "
	            "active_file:%lukB inactive_file:%lukB unevictable:%lukB "
	            "dirty:%lukB writeback:%lukB all_unreclaimable? %s\n",
	            SUM(report, lru.count[LRU_ACTIVE_ANON]) * KB,
	            SUM(report, lru.count[LRU_INACTIVE_ANON]) * KB,
	            SUM(report, lru.count[LRU_ACTIVE_FILE]) * KB,
	            SUM(report, lru.count[LRU_INACTIVE_FILE]) * KB,
	            SUM(report, lru.count[LRU_UNEVICTABLE]) * KB,
	            SUM(report, lru.file_dirty) * KB,
	            SUM(report, lru.writeback) * KB,
	            report->hopeless ? "yes" : "no");
}

/* " (UM)": the types that have free blocks of ORDER.  Linux: show_migration_types(). */
static int show_types(const struct zone *zone, unsigned int order, char *at,
                      size_t size)
{
	static const char letter[MIGRATE_TYPES] = {
		[MIGRATE_UNMOVABLE] = 'U',   [MIGRATE_MOVABLE] = 'M',
		[MIGRATE_RECLAIMABLE] = 'E', [MIGRATE_HIGHATOMIC] = 'H',
		[MIGRATE_CMA] = 'C',         [MIGRATE_ISOLATE] = 'I',
	};
	char types[MIGRATE_TYPES + 1];
	unsigned int length = 0;

	for (unsigned int type = 0; type < MIGRATE_TYPES; type++) {
		if (zone->nonempty[type] >> order & 1)
			types[length++] = letter[type];
	}
	types[length] = '\0';
	return length == 0 ? 0 : scnprintf(at, size, " (%s)", types);
}

/* "Node 0 Normal: 3*4kB (UM) 1*8kB (U) ... = 1234kB" */
static void show_free_lists(const struct zone *zone)
{
	char line[288];
	int at = scnprintf(line, sizeof(line), "Node 0 %s:", zone->name);

	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		at += scnprintf(line + at, sizeof(line) - (size_t)at,
		                " %lu*%lukB", zone->free_area[order].count,
		                KB << order);
		at += show_types(zone, order, line + at,
		                 sizeof(line) - (size_t)at);
	}
	show_detail("%s = %lukB\n", line,
	            (zone->free_pages + zone->isolated_pages) * KB);
}

static void show_zone(const struct zone *zone)
{
	const unsigned long *list = zone->lru.count;

	show_detail("Node 0 %s free:%lukB boost:%lukB min:%lukB low:%lukB "
	            "high:%lukB reserved_highatomic:%luKB "
	            "free_highatomic:%luKB present:%lukB managed:%lukB "
	            "free_pcp:%lukB local_pcp:%lukB free_cma:%lukB\n",
	            zone->name, zone->free_pages * KB,
	            zone->watermark_boost * KB,
	            wmark_pages(zone, WMARK_MIN) * KB,
	            wmark_pages(zone, WMARK_LOW) * KB,
	            wmark_pages(zone, WMARK_HIGH) * KB,
	            zone->nr_reserved_highatomic * KB,
	            zone->nr_free_highatomic * KB, zone->present * KB,
	            zone->managed * KB, zone_pcp_pages(zone) * KB,
	            pcp_local_pages(zone) * KB, zone->nr_free_cma * KB);
	show_detail(
		" active_anon:%lukB inactive_anon:%lukB active_file:%lukB "
		"inactive_file:%lukB unevictable:%lukB writepending:%lukB\n",
		list[LRU_ACTIVE_ANON] * KB, list[LRU_INACTIVE_ANON] * KB,
		list[LRU_ACTIVE_FILE] * KB, list[LRU_INACTIVE_FILE] * KB,
		list[LRU_UNEVICTABLE] * KB,
		(zone->lru.file_dirty + zone->lru.writeback) * KB);
	show_detail(" isolated:%lukB parked:%lukB exclusive:%lukB used:%lukB "
	            "bad:%lukB in_flight:%lukB\n",
	            zone->isolated_pages * KB, exclusive_zone_parked(zone) * KB,
	            exclusive_zone_owned(zone) * KB, zone_used_pages(zone) * KB,
	            zone->bad_pages * KB, zone->loose_pages * KB);
	show_detail("lowmem_reserve[]: %lu %lu %lu %lu\n",
	            zone->lowmem_reserve[ZONE_DMA],
	            zone->lowmem_reserve[ZONE_DMA32],
	            zone->lowmem_reserve[ZONE_NORMAL],
	            zone->lowmem_reserve[ZONE_MOVABLE]);
}

void show_mem_print(const struct mem_report *report)
{
	unsigned long present = SUM(report, present);

	kassert(report->zone != NULL);
	pr_warn("Mem-Info:\n");
	show_summary(report);
	show_lists(report);
	show_other_pages(report);
	show_node(report);
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (report->zone[type].managed > 0)
			show_zone(&report->zone[type]);
	}
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		if (report->zone[type].managed > 0)
			show_free_lists(&report->zone[type]);
	}
	show_detail("parked pool: %lu of %lu..%lu, %lu tables for splitting\n",
	            report->parked, report->parked_low, report->parked_high,
	            report->tables_left);
	show_detail("%lu pages RAM\n", present);
	show_detail("%lu pages reserved\n", present - SUM(report, managed));
	if (!panic_in_progress())
		pr_warn("(the rest of this report is in the log)\n");
}

/* Fill in the numbers of NODE, except those of its zones. */
static void describe_node(const struct node *node, const struct zone *zones,
                          struct mem_report *report)
{
	*report = (struct mem_report){
		.zone = zones,
		.hopeless = READ_ONCE(node->reclaim.kswapd_failures) >=
		            MAX_RECLAIM_RETRIES,
		.parked = exclusive_pool_parked(&node->pool),
		.parked_low = node->pool.low,
		.parked_high = node->pool.high,
		.tables_left = node->pool.tables_left,
	};
}

void show_mem_copy(const struct node *node, struct mem_copy *copy)
{
	memcpy(copy->zone, node->zone, sizeof(copy->zone));
	describe_node(node, copy->zone, &copy->report);
}

void show_mem(struct node *node)
{
	struct mem_report report;

	describe_node(node, node->zone, &report);
	show_mem_print(&report);
}

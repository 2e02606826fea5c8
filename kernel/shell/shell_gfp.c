/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_gfp.c -- what a mask means, and the way of a request with it.
 *
 * All answers come from the functions that decide about requests: gfp_decode() and
 * mm/reclaim/route.h.  Nothing is taken, and nothing changes.
 */
#include "kernel/core/console.h"
#include "kernel/core/panic.h"
#include "kernel/shell/line.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/debug/explain.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "mm/pcp.h"
#include "mm/reclaim/route.h"
#include "mm/watermark.h"

/* ---- Masks --------------------------------------------------------------- */

int shell_parse_mask(char *const *argv, int to, gfp_t *mask)
{
	char text[LINE_SIZE];
	char bad[40];

	shell_join(text, sizeof(text), argv, 1, to);
	if (gfp_parse(text, mask, bad, sizeof(bad)) == 0)
		return 0;
	console_printf("%s: '%s' is no gfp flag; 'gfp' lists them\n", argv[0],
	               bad);
	return -EINVAL;
}

int shell_parse_order(int argc, char *const *argv, int *to, uint64_t *order)
{
	const char *last = argv[argc - 1];

	*order = 0;
	*to = argc;
	if (argc < 3 || *last < '0' || *last > '9')
		return 0;
	*to = argc - 1;
	return shell_number(last, "order", 0, MAX_ORDER, order);
}

static void print_flag_table(void)
{
	const struct gfp_name *name;

	for (unsigned int i = 0; (name = gfp_name_at(i)) != NULL; i++) {
		bool works = strcmp(name->status, "WORKS") == 0 ||
		             strcmp(name->status, "mask") == 0;

		console_fold(33, "%#10x %-21s %s%s%s", name->mask, name->name,
		             works ? "" : name->status, works ? "" : ": ",
		             name->meaning);
	}
}

static void print_may(const char *what, bool may)
{
	console_printf("  %-8s %s\n", what, may ? "yes" : "no");
}

static void print_request(const struct alloc_request *request)
{
	char names[160];

	console_fold(7, "mask %#x = %s", request->gfp,
	             gfp_format(names, sizeof(names), request->gfp));
	console_fold(7, "     = %s",
	             gfp_format_flags(names, sizeof(names), request->gfp));
	console_printf("zone %s and below, migratetype %s\n",
	               zone_type_name(request->highest_zone),
	               migratetype_name(request->migratetype));
	console_printf("right to the reserve: %s\n",
	               reserve_right_name(request->right));
	if (request->last_right != request->right)
		console_printf("on the last pass: %s\n",
		               reserve_right_name(request->last_right));
	print_may("sleep", request->may_sleep);
	print_may("kswapd", request->wake_kswapd);
	print_may("io", request->may_io);
	print_may("fs", request->may_fs);
	print_may("kill", request->may_sleep && request->may_fs &&
	                          request->may_kill && !request->one_round);
	print_may("zero", request->zero);
	print_may("report", !request->silent);
}

/* For each zone the request may be served from: how far down it may go. */
static void print_floors(struct node *node, const struct alloc_request *request)
{
	console_printf("%-8s %8s %8s %8s %8s %8s %8s\n", "zone", "free", "low",
	               "min", "floor", "reserve", "pages");
	for (int type = (int)request->highest_zone; type >= ZONE_DMA; type--) {
		const struct zone *zone = &node->zone[type];
		unsigned long min_mark = wmark_pages(zone, WMARK_MIN);

		if (zone->managed == 0)
			continue;
		console_printf("%-8s %8lu %8lu %8lu %8lu %8lu %8lu\n",
		               zone->name, READ_ONCE(zone->free_pages),
		               wmark_pages(zone, WMARK_LOW), min_mark,
		               watermark_floor(min_mark, request->last_right),
		               zone->lowmem_reserve[request->highest_zone],
		               watermark_headroom(zone, min_mark,
		                                  request->highest_zone,
		                                  request->last_right));
	}
}

static void print_pool(struct node *node)
{
	struct exclusive_counts counts;

	exclusive_counts(node, &counts);
	console_printf("served from the parked pool: %lu pages there\n",
	               counts.parked);
}

/* Blocks of ORDER and larger ones on the free lists of TYPE. */
static unsigned long shell_gfp_blocks(const struct zone *zone,
                                      unsigned int order, enum migratetype type)
{
	unsigned long blocks = 0;

	for (; order <= MAX_ORDER; order++)
		blocks += zone->free_area[order].of_type[type];
	return blocks;
}

static void print_lists(struct node *node, const struct alloc_request *request)
{
	const enum migratetype own =
		pageblock_request_type(node, request->migratetype);
	const unsigned int order = request->order;

	kassert(own < MIGRATE_PCPTYPES && order <= MAX_ORDER);
	console_printf("%-8s %8s", "blocks", "CPU");
	for (unsigned int type = 0; type < MIGRATE_ISOLATE; type++)
		console_printf(" %11s",
		               migratetype_name((enum migratetype)type));
	console_printf("\n");
	for (int at = (int)request->highest_zone; at >= ZONE_DMA; at--) {
		const struct zone *zone = &node->zone[at];

		if (zone->managed == 0)
			continue;
		console_printf("%-8s %8lu", zone->name, pcp_local_pages(zone));
		for (unsigned int type = 0; type < MIGRATE_ISOLATE; type++)
			console_printf(
				" %11lu",
				shell_gfp_blocks(zone, order,
			                         (enum migratetype)type));
		console_printf("\n");
	}
	console_fold(
		2,
		"CPU: pages on this CPU's lists; else free blocks of order "
		"%u and more.  A request for %s pages falls back to %s, "
		"then %s",
		order, migratetype_name(own),
		migratetype_name(fallbacks[own][0]),
		migratetype_name(fallbacks[own][1]));
}

/* ---- The rungs ----------------------------------------------------------- */

static const char *const rung_name[RUNG_COUNT] = {
	[RUNG_SHORTCUT] = "   shortcut",
	[RUNG_FAST] = "   fast pass",
	[RUNG_WAKE] = " 1 wake kswapd",
	[RUNG_MIN] = " 2 min",
	[RUNG_EARLY_COMPACT] = " 3 compaction",
	[RUNG_AGAIN] = " 4 min again",
	[RUNG_RECLAIM] = " 6 reclaim",
	[RUNG_COMPACT] = " 7 compaction",
	[RUNG_RETRY] = " 9 once more",
	[RUNG_LISTS] = "   CPU's lists",
	[RUNG_KILL] = "11 OOM killer",
	[RUNG_NEVER_FAIL] = "13 never fail",
};

/* Columns of the names. */
#define RUNG_WIDTH 14

static const char *source_text(enum route_source source)
{
	static const char *const text[] = {
		[SOURCE_LIST] = "this CPU's list",
		[SOURCE_OWN] = "the free blocks of its type",
		[SOURCE_CMA] = "a CMA pageblock",
		[SOURCE_HIGHATOMIC] = "a pageblock for urgent requests",
		[SOURCE_CLAIM] = "a pageblock of another type, which it claims",
		[SOURCE_STEAL] = "a pageblock of another type, which stays so",
		[SOURCE_POOL] = "the parked pool",
	};

	return source < ARRAY_SIZE(text) && text[source] != NULL ? text[source]
	                                                         : "?";
}

/* Each zone says why it refuses, at the step's mark. */
static void print_refusals(const struct node *node,
                           const struct alloc_request *request,
                           const struct route_step *step)
{
	char text[EXPLANATION_SIZE];

	for (int type = (int)request->highest_zone; type >= ZONE_DMA; type--) {
		const struct zone *zone = &node->zone[type];

		if (zone->managed > 0 &&
		    alloc_explain(text, sizeof(text), zone, request, step->mark,
		                  step->right))
			console_fold(RUNG_WIDTH + 2, "%*s %s", RUNG_WIDTH, "",
			             text);
	}
}

static void print_step(const struct node *node, const struct alloc_route *route,
                       enum alloc_rung rung)
{
	const struct route_step *step = &route->step[rung];
	const char *name = rung_name[rung];

	kassert(rung < RUNG_COUNT);
	kassert(step->outcome != ROUTE_GIVES || step->zone != NULL);
	switch (step->outcome) {
	case ROUTE_GIVES:
		console_fold(RUNG_WIDTH + 2, "%-*s yes, from %s: %s",
		             RUNG_WIDTH, name, step->zone->name,
		             source_text(step->source));
		return;
	case ROUTE_ACTS:
		console_fold(RUNG_WIDTH + 2, "%-*s %s", RUNG_WIDTH, name,
		             step->why);
		return;
	case ROUTE_CLOSED:
		console_fold(RUNG_WIDTH + 2, "%-*s - %s", RUNG_WIDTH, name,
		             step->why);
		return;
	case ROUTE_REFUSES:
		break;
	}
	if (!step->pass) {
		console_printf("%-*s no, the list is empty\n", RUNG_WIDTH,
		               name);
	} else if (route->request.exclusive) {
		console_printf("%-*s no parked page, and none can be made\n",
		               RUNG_WIDTH, name);
	} else if (rung == RUNG_AGAIN &&
	           step->right == route->step[RUNG_MIN].right) {
		console_printf("%-*s no, with the same right\n", RUNG_WIDTH,
		               name);
	} else {
		console_printf("%-*s no:\n", RUNG_WIDTH, name);
		print_refusals(node, &route->request, step);
	}
}

static void print_route(const struct node *node,
                        const struct alloc_route *route)
{
	console_printf("The way of the request, in this thread:\n");
	for (enum alloc_rung rung = RUNG_SHORTCUT; rung < RUNG_COUNT; rung++)
		print_step(node, route, rung);
}

/* ---- In short ------------------------------------------------------------ */

/* The fate of a request that finds no page immediately. */
static const char *what_then(const struct alloc_route *route)
{
	const struct alloc_request *request = &route->request;

	if (!request->may_sleep)
		return route->rung == RUNG_LISTS
		               ? "no, unless the pages of this CPU's lists help"
		               : "no, NULL";
	if (!route->waits)
		return request->in_reclaim
		               ? "no, NULL: it is reclaim that asks"
		               : "no, NULL: it is not memory that is missing";
	if (request->never_fail)
		return "waits: forever, if it must";
	if (route->one_round)
		return "waits: one round of reclaim, then NULL";
	if (!request->may_kill)
		return "waits: 16 fruitless rounds of reclaim, then NULL";
	if (!request->may_fs)
		return "waits: kills nobody, until others bring memory";
	return "waits: 16 fruitless rounds of reclaim, then the OOM killer";
}

static void print_answer(const char *where, const struct alloc_route *route)
{
	const struct zone *zone = alloc_route_zone(route);

	if (route->verdict != GFP_OK)
		console_fold(4, "%s: refused: %s", where, route->why);
	else if (zone == NULL)
		console_printf("%s: %s\n", where, what_then(route));
	else
		console_printf("%s: yes, from zone %s\n", where, zone->name);
}

static int run_gfp(int argc, char **argv)
{
	static struct alloc_route route; /* one shell; too large for a stack */
	const struct alloc_context here = gfp_context();
	const struct alloc_context interrupt = { .in_interrupt = true };
	struct node *node = main_node();
	uint64_t order;
	gfp_t mask;
	int to;

	if (argc == 1) {
		print_flag_table();
		return 0;
	}
	if (shell_parse_order(argc, argv, &to, &order) != 0 ||
	    shell_parse_mask(argv, to, &mask) != 0)
		return 0;
	alloc_route(node, mask, (unsigned int)order, &here, &route);
	print_request(&route.request);
	if (route.verdict == GFP_OK && route.request.exclusive) {
		print_pool(node);
	} else if (route.verdict != GFP_REFUSED) {
		print_floors(node, &route.request);
		print_lists(node, &route.request);
	}
	if (route.verdict == GFP_OK)
		print_route(node, &route);
	if (order == 0)
		console_printf("One page now?\n");
	else
		console_printf("A block of order %u now?\n",
		               (unsigned int)order);
	print_answer("  in this thread", &route);
	alloc_route(node, mask, (unsigned int)order, &interrupt, &route);
	print_answer("  in an interrupt handler", &route);
	return 0;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("gfp", "[FLAGS [ORDER]]", run_gfp, shell_flag_candidate,
	              "all flags; what a mask means, and the way of a request"),
};

SHELL_TABLE(shell_gfp_commands, "pages", "", commands);

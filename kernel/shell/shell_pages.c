/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_pages.c -- taking pages by hand, and asking about them.
 *
 * The shell is a thread like others: what it allocates it allocates in thread
 * context, and its exclusive pages are in its own window.  Ordinary blocks are
 * kept by shell_memory.c; exclusive pages are on the list of their owner.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/arch/image.h"
#include "kernel/arch/paging.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock.h"
#include "kernel/core/owner.h"
#include "kernel/core/sched.h"
#include "kernel/shell/line.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/debug/page_owner.h"
#include "mm/debug/page_why.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/oom.h"
#include "mm/watermark.h"

#define OWNERS_SHOWN 32

/* ---- alloc and free ------------------------------------------------------ */

static void explain_null(gfp_t mask, unsigned int order)
{
	const struct alloc_context here = gfp_context();
	struct alloc_request request;
	char why[256];

	if (gfp_decode(mask, order, &here, &request, why, sizeof(why)) !=
	    GFP_OK)
		console_fold(6, "NULL: refused: %s", why);
	else
		console_printf("NULL: no memory for this mask\n");
}

static void print_block(const struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	void *exclusive = exclusive_address(page);

	console_fold(2, "pfn %#lx (%lu), order %u, zone %s, %s, %s%p", pfn, pfn,
	             order, zone_type_name((enum zone_type)page->zone),
	             migratetype_name(gfp_migratetype(page->gfp)),
	             exclusive != NULL ? "in this thread's window at " : "at ",
	             exclusive != NULL ? exclusive : page_address(page));
}

static int shell_pages_run_alloc(int argc, char **argv)
{
	uint64_t order;
	struct page *page;
	gfp_t mask;
	int to;

	if (argc < 2)
		return -EINVAL;
	if (shell_parse_order(argc, argv, &to, &order) != 0 ||
	    shell_parse_mask(argv, to, &mask) != 0)
		return 0;
	page = alloc_pages(mask, (unsigned int)order);
	if (page != NULL && !page_is_exclusive(page))
		shell_hold(page);
	if (shell_was_killed())
		return 0;
	if (page == NULL)
		explain_null(mask, (unsigned int)order);
	else
		print_block(page, (unsigned int)order);
	return 0;
}

/* Single pages until NULL: what is left then is what the mask may not have. */
static int shell_pages_run_drain(int argc, char **argv)
{
	unsigned long pages = 0;
	struct page *page;
	gfp_t mask;

	if (argc < 2)
		return -EINVAL;
	if (shell_parse_mask(argv, argc, &mask) != 0)
		return 0;
	while (!shell_interrupted() && (page = alloc_page(mask)) != NULL) {
		if (!page_is_exclusive(page))
			shell_hold(page);
		pages++;
		if (pages % 256 == 0)
			thread_yield();
	}
	if (shell_was_killed())
		return 0;
	console_printf("%lu pages taken, %lu free; 'free all' gives them "
	               "back\n",
	               pages, node_free(main_node()));
	return 0;
}

/* Free all blocks and all exclusive pages of the shell's thread. */
static void free_all(void)
{
	unsigned long blocks = shell_free_blocks();
	unsigned int pages = exclusive_release_all();

	console_printf("%lu blocks and %u exclusive pages given back\n", blocks,
	               pages);
}

/* The page that ARGV[1] names, or a message and NULL. */
static struct page *shell_pages_find_page(char *const *argv)
{
	uint64_t pfn;
	struct page *page;

	if (shell_number(argv[1], "pfn", 0, UINT32_MAX, &pfn) != 0)
		return NULL;
	page = pfn_to_page(pfn);
	if (page == NULL)
		console_printf("%s: there is no frame %#llx\n", argv[0],
		               (unsigned long long)pfn);
	return page;
}

static int shell_pages_run_free(int argc, char **argv)
{
	struct page *page;

	if (argc != 2)
		return -EINVAL;
	if (shell_was_killed())
		return 0;
	if (strcmp(argv[1], "all") == 0) {
		free_all();
		return 0;
	}
	page = shell_pages_find_page(argv);
	if (page == NULL)
		return 0;
	if (shell_let_go(page) != NULL)
		__free_pages(page, page->order);
	else if (page->state == PAGE_OWNED && page->owner == current_owner())
		exclusive_release(exclusive_address(page));
	else
		console_printf("free: pfn %#lx is not the first page of a "
		               "block that 'alloc' took\n",
		               page_to_pfn(page));
	return 0;
}

static const char *free_candidate(const char *word __unused, unsigned int index)
{
	return index == 0 ? "all" : NULL;
}

/* ---- Whose page? --------------------------------------------------------- */

static void print_exclusive_page(const struct page *page)
{
	const struct owner *owner = page->owner;
	const struct owner *receiver = page->receiver;

	if (page->state == PAGE_OWNED && owner != NULL)
		console_fold(2,
		             "owner: %s (number %llu), entry %u of its window, "
		             "%p",
		             owner->name, (unsigned long long)owner->id,
		             page->private, exclusive_address(page));
	if (page->state == PAGE_HANDOVER)
		console_fold(2, "on its way from %s to %s",
		             owner == NULL ? "an owner that has ended"
		                           : owner->name,
		             receiver == NULL ? "?" : receiver->name);
}

/* The kernel lies in frames without a head; the part that only the boot needed was
 * freed. */
static const char *shell_pages_is(enum page_why why, unsigned long pfn)
{
	uint64_t at = (uint64_t)pfn << PAGE_SHIFT;

	if (why == WHY_RESERVED && at >= image_physical_start() &&
	    at < image_physical_end())
		return "a part of the kernel's image";
	return page_why_is(why);
}

static void print_time(uint64_t microseconds)
{
	console_printf("%llu.%03llu s",
	               (unsigned long long)(microseconds / 1000000),
	               (unsigned long long)(microseconds / 1000 % 1000));
}

/* Since when it is so, and by which calls, as far as page_owner knows. */
static void print_since(const struct node *node, unsigned long pfn,
                        enum page_why why)
{
	const struct page_owner *owner = page_owner_of(node, pfn);
	const struct page_owner_stamp *stamp;
	char place[PLACE_SIZE];

	if (owner == NULL) {
		console_printf("since: not known; boot with page_owner=on\n");
		return;
	}
	stamp = page_why_is_free(why) ? &owner->freed : &owner->taken;
	if (stamp->time == 0) {
		console_printf("since: the boot\n");
		return;
	}
	console_printf("since: ");
	print_time(stamp->time);
	console_printf(" after the boot, ");
	print_time(clock_microseconds() - stamp->time);
	console_printf(" ago, by %s\n", owner_name(stamp->who));
	for (unsigned int i = 0; i < PAGE_OWNER_FRAMES; i++) {
		uintptr_t call = page_owner_frame(stamp, i);

		if (call != 0)
			console_fold(6, "    at %s",
			             caller_format(place, sizeof(place), call));
	}
}

static int shell_pages_run_why(int argc, char **argv)
{
	const struct page *page;
	unsigned long asked;
	unsigned long pfn;
	enum page_why why;
	char text[160];
	char place[PLACE_SIZE];

	if (argc != 2)
		return -EINVAL;
	page = shell_pages_find_page(argv);
	if (page == NULL)
		return 0;
	asked = page_to_pfn(page);
	why = page_why(main_node(), asked, &page);
	pfn = page_to_pfn(page);
	if (pfn != asked)
		console_printf("page %lu of the block at pfn %#lx:\n",
		               asked - pfn, pfn);
	console_fold(2, "pfn %#lx: %s, order %u, zone %s, %s, %d references",
	             pfn, page_state_name((enum page_state)page->state),
	             page->order, zone_type_name((enum zone_type)page->zone),
	             migratetype_name(gfp_migratetype(page->gfp)),
	             page_ref_count(page));
	if (page->taker != 0)
		console_fold(
			2, "last touched by %s (number %llu) at %s with %s",
			owner_name(page->taker),
			(unsigned long long)page->taker,
			caller_format(place, sizeof(place), page_caller(page)),
			gfp_format(text, sizeof(text), page->gfp));
	print_exclusive_page(page);
	console_fold(2, "what: %s", shell_pages_is(why, asked));
	console_fold(2, "freed by: %s", page_why_end(why));
	print_since(main_node(), asked, why);
	console_printf("in the direct map: %s\n",
	               direct_map_visible(asked) ? "yes" : "no");
	return 0;
}

/* ---- page_owner ---------------------------------------------------------- */

#define SITES_SHOWN 20U

/* Pages that were taken before are not shown. */
static uint64_t page_owner_mark;

static void page_owner_print_site(const struct node *node,
                                  const struct page_owner_site *site)
{
	const struct page_owner *owner = page_owner_of(node, site->pfn);
	char place[PLACE_SIZE];

	console_printf("%7lu %7lu  %4llu.%03llu  pfn %#lx, taken by %s\n",
	               site->pages, site->blocks,
	               (unsigned long long)(site->oldest / 1000000),
	               (unsigned long long)(site->oldest / 1000 % 1000),
	               site->pfn, owner_name(owner->taken.who));
	for (unsigned int i = 0; i < 3; i++) {
		uintptr_t call = page_owner_frame(&owner->taken, i);

		if (call != 0)
			console_fold(22, "%16s at %s", "",
			             caller_format(place, sizeof(place), call));
	}
}

static void page_owner_print_sites(struct node *node, struct page *table)
{
	struct page_owner_sites sites = {
		.site = page_address(table),
		.room = PAGE_SIZE / sizeof(struct page_owner_site),
	};

	page_owner_sum(node, page_owner_mark, 0, &sites);
	console_printf("%7s %7s  %8s\n", "pages", "blocks", "since");
	for (unsigned int i = 0; i < min(sites.count, SITES_SHOWN); i++)
		page_owner_print_site(node, &sites.site[i]);
	for (unsigned int i = SITES_SHOWN; i < sites.count; i++)
		sites.others += sites.site[i].pages;
	if (sites.others > 0)
		console_printf("%7lu pages were taken elsewhere\n",
		               sites.others);
}

void shell_report_kept(uint64_t since)
{
	struct node *node = main_node();
	struct page_owner_site table[4];
	struct page_owner_sites sites = { .site = table,
		                          .room = ARRAY_SIZE(table) };
	char place[PLACE_SIZE];

	if (node->debug.owner == NULL)
		return;
	page_owner_sum(node, since, current_owner_id(), &sites);
	for (unsigned int i = 0; i < sites.count; i++)
		console_fold(
			2,
			"page_owner: %lu pages are still in use, taken at %s",
			table[i].pages,
			caller_format(place, sizeof(place),
		                      page_owner_frame(
					      &page_owner_of(node, table[i].pfn)
						       ->taken,
					      0)));
	if (sites.others > 0)
		console_printf("page_owner: and %lu pages more\n",
		               sites.others);
}

static int run_page_owner(int argc, char **argv)
{
	struct page *table;
	const struct page *page;

	if (argc > 2)
		return -EINVAL;
	if (main_node()->debug.owner == NULL) {
		console_printf("page_owner: boot with page_owner=on\n");
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "mark") == 0) {
		page_owner_mark = clock_microseconds();
		return 0;
	}
	if (argc == 2) {
		page = shell_pages_find_page(argv);
		if (page != NULL)
			page_owner_print(main_node(), page_to_pfn(page));
		return 0;
	}
	table = alloc_page(GFP_KERNEL);
	if (table == NULL) {
		console_printf("page_owner: no memory for the table\n");
		return 0;
	}
	page_owner_print_sites(main_node(), table);
	__free_page(table);
	return 0;
}

/* ---- The pool and the owners --------------------------------------------- */

struct owner_row {
	enum owner_kind kind;
	char name[OWNER_NAME_SIZE];
	uint64_t id;
	uintptr_t window;
	unsigned int owned;
	unsigned int sent;
	unsigned int incoming;
};

struct owner_rows {
	struct owner_row row[OWNERS_SHOWN];
	unsigned int count; /* of owners, shown or not */
};

/* The pool's lock is held: copy, print later. */
static void copy_owner(const struct owner *owner, void *data)
{
	struct owner_rows *rows = data;
	struct owner_row *row = &rows->row[rows->count % OWNERS_SHOWN];

	if (rows->count++ >= OWNERS_SHOWN)
		return;
	row->kind = owner->kind;
	memcpy(row->name, owner->name, sizeof(row->name));
	row->id = owner->id;
	row->window = owner->window.base;
	row->owned = owner_pages(owner);
	row->sent = owner->sent;
	row->incoming = owner->incoming_count;
}

static void print_owners(struct node *node)
{
	static struct owner_rows rows; /* one shell; too large for a stack */

	rows.count = 0;
	exclusive_visit_owners(node, copy_owner, &rows);
	console_printf("%6s %-24s %-18s %6s %6s %8s\n", "number", "owner",
	               "window", "owned", "sent", "incoming");
	for (unsigned int i = 0; i < min(rows.count, OWNERS_SHOWN + 0U); i++) {
		const struct owner_row *row = &rows.row[i];

		console_printf("%6llu %-24s %#018lx %6u %6u %8u\n",
		               (unsigned long long)row->id, row->name,
		               row->window, row->owned, row->sent,
		               row->incoming);
	}
	if (rows.count > OWNERS_SHOWN)
		console_printf("and %u more\n", rows.count - OWNERS_SHOWN);
}

static int shell_pages_run_exclusive(int argc, char **argv __unused)
{
	struct node *node = main_node();
	const struct exclusive_pool *pool = &node->pool;
	struct exclusive_counts counts;

	if (argc > 1)
		return -EINVAL;
	exclusive_counts(node, &counts);
	console_printf("pages: %lu parked, %lu owned, %lu on their way\n",
	               counts.parked, counts.owned, counts.handover);
	console_printf("pool: refilled below %lu, up to %lu%s\n", pool->low,
	               pool->high,
	               READ_ONCE(pool->starved)
	                       ? "; the last refill found no frame"
	                       : "");
	if (pool->blocks > 0)
		console_printf("pageblocks hidden as a whole: %lu, with %lu "
		               "parked frames\n",
		               pool->blocks, pool->in_whole);
	console_printf("direct map: %u regions of 2 MiB split, %u of them at "
	               "boot; %lu splits, %lu joins\n",
	               pool->regions, pool->boot_regions, direct_map_splits(),
	               direct_map_joins());
	console_printf("tables for splitting: %lu of %lu left\n",
	               pool->tables_left, pool->tables_total);
	print_owners(node);
	return 0;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("alloc", "FLAGS [ORDER]", shell_pages_run_alloc,
	              shell_flag_candidate, "take 2^ORDER pages"),
	SHELL_COMMAND("drain", "FLAGS", shell_pages_run_drain,
	              shell_flag_candidate, "take single pages until NULL"),
	SHELL_COMMAND("free", "PFN|all", shell_pages_run_free, free_candidate,
	              "give back what 'alloc' took"),
	SHELL_COMMAND("why", "PFN", shell_pages_run_why, NULL,
	              "what a page is, who has it, what would make it free"),
	SHELL_COMMAND("owner", "PFN", shell_pages_run_why, NULL, "the same"),
	SHELL_COMMAND("page_owner", "[PFN|mark]", run_page_owner, NULL,
	              "who took the pages in use; those taken since the mark"),
	SHELL_COMMAND("exclusive", "", shell_pages_run_exclusive, NULL,
	              "parked pool, owners, windows"),
};

SHELL_TABLE(shell_page_commands, "pages",
            "taking pages, and their owners: exclusive ownership", commands);

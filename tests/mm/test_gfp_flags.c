/* SPDX-License-Identifier: MIT */
/*
 * tests/mm/test_gfp_flags.c -- each flag and each composite mask changes something.
 *
 * A case makes a request with the flag on a private node and compares a story, a letter
 * for each event.  It would be another story without the flag: docs/gfp-flags.md is the table,
 * and tests/run/ignored.py takes one flag after the other away at the door of the
 * allocator, and requires its case to fail.
 *
 *	w  kswapd was woken		o  the OOM killer: all marks are 0 afterwards
 *	r  reclaim that may do all	D  a dump
 *	i  reclaim without FS		R  refused
 *	n  without IO, x with FS alone	c  a compound block
 *
 * and at last the zone of the page: A DMA, B DMA32, N NORMAL, M MOVABLE, - none.
 */
#include "kernel/core/printk.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/pageblock.h"
#include "tests/mm/private_node.h"
#include "tests/suite.h"

SUITE(gfp_flags);

/* Min marks: 64 pages of NORMAL are free, 48 and 16 below.  They do for all requests; for
 * those that may use half of min; for those with GFP_ATOMIC's right; for MEMALLOC. */
#define PLENTY     0
#define FOR_HIGH   100
#define FOR_ATOMIC 160
#define FOR_NONE   1000

static struct {
	char text[24];
	unsigned int length;
	unsigned int reclaims;
	unsigned int helps; /* the reclaim that makes all marks 0 */
	bool dirty;
} flags_story;

static void flags_tell(char letter)
{
	if (flags_story.length < sizeof(flags_story.text) - 1)
		flags_story.text[flags_story.length++] = letter;
}

static void flags_set_marks(struct node *node, unsigned long pages)
{
	for (unsigned int type = 0; type < ZONE_COUNT; type++) {
		for (unsigned int mark = 0; mark < WMARK_COUNT; mark++)
			node->zone[type].watermark[mark] = pages;
	}
}

static void flags_wake(struct node *node __unused, unsigned int order __unused,
                       enum zone_type highest __unused, bool may_sleep __unused)
{
	flags_tell('w');
}

static unsigned long flags_reclaim(struct node *node,
                                   const struct alloc_request *request)
{
	flags_tell("nxir"[2 * request->may_io + request->may_fs]);
	if (++flags_story.reclaims == flags_story.helps)
		flags_set_marks(node, PLENTY);
	return 0;
}

static bool flags_kill(struct node *node,
                       const struct alloc_request *request __unused)
{
	flags_tell('o');
	flags_set_marks(node, PLENTY);
	return true;
}

static bool flags_too_dirty(struct node *node __unused)
{
	return flags_story.dirty;
}

/* Zones that are free, with these marks. */
static struct node *flags_node(unsigned long marks)
{
	static const unsigned long pages[ZONE_COUNT] = { 16, 48, 64, 128 };
	struct node *node = private_node_full(0, pages);

	flags_set_marks(node, marks);
	node->wake_kswapd = flags_wake;
	node->recovery.reclaim = flags_reclaim;
	node->recovery.oom = flags_kill;
	node->recovery.too_dirty = flags_too_dirty;
	return node;
}

/* A request from NODE; the story is EXPECTED? */
static const char *flags_ask(struct node *node, gfp_t mask, unsigned int order,
                             const char *expected)
{
	uint64_t log = log_mark();
	struct page *page = alloc_pages_node(node, mask, order);

	if (log_contains_since(log, "page allocation failure"))
		flags_tell('D');
	if (vmstat_read(&node->stat, VMSTAT_alloc_refused) > 0)
		flags_tell('R');
	if (page != NULL && (page->flags & PAGE_COMPOUND) != 0)
		flags_tell('c');
	flags_tell("ABNM-"[page == NULL ? ZONE_COUNT : page->zone]);
	flags_tell('\0');
	if (page != NULL)
		free_pages_node(node, page, order, RETURN_ADDRESS());
	if (strcmp(flags_story.text, expected) != 0)
		return test_failure("mask %#x: %s, expected %s", mask,
		                    flags_story.text, expected);
	return private_check(node);
}

static const char *flags_expect(gfp_t mask, unsigned int order,
                                unsigned long marks, const char *expected)
{
	memset(&flags_story, 0, sizeof(flags_story));
	return flags_ask(flags_node(marks), mask, order, expected);
}

/* Two pageblocks that are partly in the zone, UNMOVABLE and of TYPE: the page of a request
 * with MASK comes from the second? */
static const char *flags_expect_type(gfp_t mask, enum migratetype type)
{
	static const unsigned long pages[ZONE_COUNT] = { 0, 0, 256, 0 };
	struct node *node = private_node(384, pages);
	struct zone *zone = &node->zone[ZONE_NORMAL];
	struct page *page;
	unsigned long pfn;

	zone->blocks[0].type = MIGRATE_UNMOVABLE;
	zone->blocks[1].type = (uint8_t)type;
	zone_release(zone, 384, 640);
	page = alloc_pages_node(node, mask, 0);
	EXPECT(page != NULL);
	pfn = zone_pfn(zone, page);
	free_pages_node(node, page, 0, RETURN_ADDRESS());
	EXPECT(pfn >= PAGEBLOCK_PAGES);
	return NULL;
}

/* ---- Flags --------------------------------------------------------------- */

CASE(gfp_flags, dma_gives_a_page_of_zone_dma)
{
	return flags_expect(GFP_NOWAIT | __GFP_DMA, 0, PLENTY, "A");
}

CASE(gfp_flags, highmem_and_movable_give_a_page_of_zone_movable)
{
	return flags_expect(GFP_NOWAIT | __GFP_HIGHMEM | __GFP_MOVABLE, 0,
	                    PLENTY, "M");
}

CASE(gfp_flags, dma32_gives_a_page_of_zone_dma32)
{
	return flags_expect(GFP_NOWAIT | __GFP_DMA32, 0, PLENTY, "B");
}

CASE(gfp_flags, movable_comes_from_a_movable_pageblock)
{
	return flags_expect_type(GFP_NOWAIT | __GFP_MOVABLE, MIGRATE_MOVABLE);
}

CASE(gfp_flags, reclaimable_comes_from_a_reclaimable_pageblock)
{
	return flags_expect_type(GFP_NOWAIT | __GFP_RECLAIMABLE,
	                         MIGRATE_RECLAIMABLE);
}

CASE(gfp_flags, high_may_use_half_of_min)
{
	return flags_expect(__GFP_DIRECT_RECLAIM | __GFP_HIGH | __GFP_NORETRY |
	                            __GFP_NOWARN,
	                    0, FOR_HIGH, "N");
}

CASE(gfp_flags, io_lets_reclaim_write)
{
	return flags_expect(__GFP_DIRECT_RECLAIM | __GFP_IO | __GFP_NORETRY |
	                            __GFP_NOWARN,
	                    0, FOR_NONE, "i-");
}

CASE(gfp_flags, fs_lets_reclaim_enter_file_systems)
{
	return flags_expect(__GFP_DIRECT_RECLAIM | __GFP_FS | __GFP_NORETRY |
	                            __GFP_NOWARN,
	                    0, FOR_NONE, "x-");
}

CASE(gfp_flags, direct_reclaim_reclaims)
{
	return flags_expect(__GFP_DIRECT_RECLAIM | __GFP_NORETRY | __GFP_NOWARN,
	                    0, FOR_NONE, "n-");
}

CASE(gfp_flags, kswapd_reclaim_wakes_kswapd)
{
	return flags_expect(__GFP_KSWAPD_RECLAIM | __GFP_NOWARN, 0, FOR_NONE,
	                    "ww-");
}

CASE(gfp_flags, write_has_no_fast_pass_on_a_dirty_node)
{
	memset(&flags_story, 0, sizeof(flags_story));
	flags_story.dirty = true;
	return flags_ask(flags_node(PLENTY), GFP_NOWAIT | __GFP_WRITE, 0, "wN");
}

CASE(gfp_flags, nowarn_keeps_the_log_silent)
{
	return flags_expect(__GFP_HIGH | __GFP_NOWARN, 0, FOR_NONE, "-");
}

CASE(gfp_flags, retry_mayfail_kills_no_thread)
{
	return flags_expect(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN, 0,
	                    FOR_NONE, "wwr-");
}

CASE(gfp_flags, nofail_goes_on_until_there_is_a_page)
{
	memset(&flags_story, 0, sizeof(flags_story));
	flags_story.helps = 3;
	return flags_ask(flags_node(FOR_NONE),
	                 __GFP_DIRECT_RECLAIM | __GFP_NOFAIL | __GFP_NORETRY |
	                         __GFP_NOWARN,
	                 0, "nnnN");
}

CASE(gfp_flags, noretry_reclaims_once_and_kills_no_thread)
{
	return flags_expect(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 0,
	                    FOR_NONE, "wwr-");
}

CASE(gfp_flags, memalloc_ignores_the_marks)
{
	return flags_expect(__GFP_MEMALLOC | __GFP_NOWARN, 0, FOR_NONE, "N");
}

CASE(gfp_flags, comp_makes_a_compound_block)
{
	return flags_expect(GFP_NOWAIT | __GFP_COMP, 1, PLENTY, "cN");
}

CASE(gfp_flags, nomemalloc_takes_the_right_of_memalloc_away)
{
	return flags_expect(__GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_NOWARN, 0,
	                    FOR_NONE, "-");
}

CASE(gfp_flags, hardwall_is_named_in_the_dump)
{
	uint64_t log = log_mark();
	const char *wrong =
		flags_expect(__GFP_HIGH | __GFP_HARDWALL, 0, FOR_NONE, "D-");

	EXPECT(wrong != NULL || log_contains_since(log, "__GFP_HARDWALL"));
	return wrong;
}

CASE(gfp_flags, thisnode_kills_no_thread)
{
	return flags_expect(GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0,
	                    FOR_NONE, "wwr-");
}

CASE(gfp_flags, account_is_refused)
{
	return flags_expect(GFP_NOWAIT | __GFP_ACCOUNT, 0, PLENTY, "R-");
}

CASE(gfp_flags, zerotags_is_refused)
{
	return flags_expect(GFP_NOWAIT | __GFP_ZEROTAGS, 0, PLENTY, "R-");
}

/* ---- Composites ---------------------------------------------------------- */

CASE(gfp_flags, atomic_takes_from_the_reserve_and_never_waits)
{
	const char *wrong = flags_expect(GFP_ATOMIC, 0, FOR_ATOMIC, "wN");

	return wrong != NULL ? wrong
	                     : flags_expect(GFP_ATOMIC, 0, FOR_NONE, "wwD-");
}

CASE(gfp_flags, nowait_takes_nothing_from_the_reserve_and_is_silent)
{
	return flags_expect(GFP_NOWAIT, 0, FOR_ATOMIC, "ww-");
}

CASE(gfp_flags, noio_reclaims_without_io)
{
	return flags_expect(GFP_NOIO, 0, FOR_NONE, "wwnowN");
}

CASE(gfp_flags, nofs_reclaims_without_file_systems)
{
	return flags_expect(GFP_NOFS, 0, FOR_NONE, "wwiowN");
}

CASE(gfp_flags, kernel_does_all_of_it)
{
	return flags_expect(GFP_KERNEL, 0, FOR_HIGH, "wwrowN");
}

CASE(gfp_flags, kernel_account_is_refused)
{
	return flags_expect(GFP_KERNEL_ACCOUNT, 0, PLENTY, "R-");
}

CASE(gfp_flags, user_does_as_much_as_kernel)
{
	return flags_expect(GFP_USER, 0, FOR_HIGH, "wwrowN");
}

CASE(gfp_flags, gfp_dma_is_the_zone_and_wakes_nobody)
{
	const char *wrong = flags_expect(GFP_DMA, 0, PLENTY, "A");

	return wrong != NULL ? wrong : flags_expect(GFP_DMA, 0, FOR_NONE, "D-");
}

CASE(gfp_flags, gfp_dma32_is_the_zone_and_wakes_nobody)
{
	const char *wrong = flags_expect(GFP_DMA32, 0, PLENTY, "B");

	return wrong != NULL ? wrong
	                     : flags_expect(GFP_DMA32, 0, FOR_NONE, "D-");
}

CASE(gfp_flags, highuser_is_not_from_zone_movable)
{
	return flags_expect(GFP_HIGHUSER, 0, FOR_HIGH, "wwrowN");
}

CASE(gfp_flags, highuser_movable_is_from_zone_movable)
{
	return flags_expect(GFP_HIGHUSER_MOVABLE, 0, FOR_NONE, "wwrowM");
}

CASE(gfp_flags, transhuge_light_is_compound_and_silent)
{
	const char *wrong = flags_expect(GFP_TRANSHUGE_LIGHT, 3, PLENTY, "cM");

	return wrong != NULL
	               ? wrong
	               : flags_expect(GFP_TRANSHUGE_LIGHT, 3, FOR_NONE, "-");
}

CASE(gfp_flags, transhuge_reclaims_and_wakes_nobody)
{
	return flags_expect(GFP_TRANSHUGE, 3, FOR_NONE, "rocM");
}

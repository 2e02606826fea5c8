/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_step_map.c -- the direct map is split and joined, and frames are
 * hidden and shown, with an interrupt at every instruction (tests/kernel/path_walk.c).
 *
 * The region is a block of 512 frames, each with its own content.  At each boundary the
 * handler takes an exclusive page, releases it, and reads a word of all frames that are
 * to be visible before and after the call: none may be out of reach for a moment, or be
 * another frame.  After the call, hidden frames are touched and must fault.
 */
#include "kernel/arch/direct_map.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/trap.h"
#include "kernel/arch/vmap.h"
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/kernel/path_walk.h"
#include "tests/suite.h"

SUITE(step_map);

#define HIDDEN 17UL /* the frame that is hidden and shown */
#define NONE   (-1UL)
#define ALL    (-2UL)

static struct {
	struct page *block;
	unsigned long first;
	void *table;
	unsigned long not_looked_at; /* a frame, NONE or ALL */
} region;

static volatile uint64_t *word_of(unsigned long frame)
{
	return (volatile uint64_t *)(direct_map_base +
	                             ((region.first + frame) << PAGE_SHIFT));
}

static uint64_t content_of(unsigned long frame)
{
	return ~(uint64_t)(region.first + frame);
}

/* ---- Looking ------------------------------------------------------------- */

static bool test_step_map_match(const struct fault *fault, void *data)
{
	(void)data;
	return fault->frame->vector == VECTOR_PAGE_FAULT &&
	       fault->address - (uintptr_t)word_of(0) <
	               REGION_FRAMES * PAGE_SIZE;
}

/* DATA: how many frames are not what they should be. */
static void test_step_map_read(void *data)
{
	unsigned int *wrong = data;

	for (unsigned long i = 0; i < REGION_FRAMES; i++) {
		if (i != region.not_looked_at)
			*wrong += *word_of(i) != content_of(i);
	}
}

/* NULL, or why a frame that is to be visible is not. */
static const char *test_step_map_look(void)
{
	struct fault_expect expect = { .match = test_step_map_match };
	unsigned int wrong = 0;

	if (region.not_looked_at == ALL)
		return NULL;
	if (fault_catch(&expect, test_step_map_read, &wrong))
		return test_failure("frame %lu of the region cannot be read",
		                    (unsigned long)(expect.address -
		                                    (uintptr_t)word_of(0)) >>
		                            PAGE_SHIFT);
	return wrong == 0 ? NULL : "a frame of the region is another one";
}

static void test_step_map_touch(void *data)
{
	(void)*(volatile uint64_t *)data;
}

/* NULL, or: FRAME can be read. */
static const char *test_step_map_is_hidden(unsigned long frame)
{
	struct fault_expect expect = { .match = test_step_map_match };

	if (direct_map_visible(region.first + frame))
		return "a hidden frame is mapped";
	return fault_catch(&expect, test_step_map_touch,
	                   (void *)(uintptr_t)word_of(frame))
	               ? NULL
	               : "a hidden frame can be read";
}

/* All frames but the one that is not looked at; SPLIT: is the region? */
static const char *check_region_is(bool split)
{
	if (direct_map_is_split(region.first) != split)
		return "the region is split, and should not be, or is not";
	return test_step_map_look();
}

/* ---- States of the region ------------------------------------------------ */

/* The mappings of vmalloc() that wait for a flush would make the path longer.  The table
 * does not have the entries of an earlier run. */
static void prepare_large(void)
{
	memset(region.table, 0, PAGE_SIZE);
	region.not_looked_at = NONE;
	vmap_flush();
}

static void prepare_split(void)
{
	prepare_large();
	direct_map_split(region.first, region.table);
	(void)test_step_map_look();
}

static void prepare_to_hide(void)
{
	prepare_split();
	region.not_looked_at = HIDDEN;
}

static void prepare_hidden(void)
{
	prepare_to_hide();
	direct_map_hide(region.first + HIDDEN);
}

static void prepare_to_hide_all(void)
{
	prepare_large();
	(void)test_step_map_look();
	region.not_looked_at = ALL;
}

static void prepare_gone(void)
{
	prepare_to_hide_all();
	direct_map_hide_region(region.first);
}

/* Whatever it is, it is whole again. */
static void finish_whole(void)
{
	if (!direct_map_is_split(region.first)) {
		if (!direct_map_visible(region.first))
			direct_map_show_region(region.first);
		return;
	}
	for (unsigned long i = 0; i < REGION_FRAMES; i++) {
		if (!direct_map_visible(region.first + i))
			direct_map_show(region.first + i);
	}
	(void)direct_map_join(region.first);
}

/* ---- Paths --------------------------------------------------------------- */

static void run_split(void *data)
{
	(void)data;
	direct_map_split(region.first, region.table);
}

static const char *check_split(void)
{
	return check_region_is(true);
}

static void run_hide(void *data)
{
	(void)data;
	direct_map_hide(region.first + HIDDEN);
}

static const char *check_hide(void)
{
	const char *wrong = check_region_is(true);

	return wrong == NULL ? test_step_map_is_hidden(HIDDEN) : wrong;
}

static void run_show_frame(void *data)
{
	(void)data;
	direct_map_show(region.first + HIDDEN);
}

static const char *check_show(void)
{
	region.not_looked_at = NONE;
	return check_region_is(true);
}

static void run_join(void *data)
{
	(void)data;
	walked.address = direct_map_join(region.first);
}

static const char *check_join(void)
{
	if (walked.address != region.table)
		return "the table did not come back";
	return check_region_is(false);
}

static const char *check_no_join(void)
{
	return walked.address != NULL ? "it was joined over a hidden frame"
	                              : check_hide();
}

static void run_hide_region(void *data)
{
	(void)data;
	direct_map_hide_region(region.first);
}

static const char *check_all_hidden(void)
{
	const char *wrong = NULL;

	for (unsigned long i = 0; i < REGION_FRAMES && wrong == NULL; i++)
		wrong = test_step_map_is_hidden(i);
	return wrong;
}

static void run_show_region(void *data)
{
	(void)data;
	direct_map_show_region(region.first);
}

static const char *check_show_region(void)
{
	region.not_looked_at = NONE;
	return check_region_is(false);
}

static const char *check_split_hidden(void)
{
	return direct_map_is_split(region.first) ? check_all_hidden()
	                                         : "the region is not split";
}

/* ---- The region ---------------------------------------------------------- */

#define REGION_ORDER 9

/* A block of 512 frames whose region is not split, or NULL. */
static struct page *whole_region(void)
{
	struct page *block =
		alloc_pages(GFP_KERNEL | __GFP_NOWARN, REGION_ORDER);
	struct page *other;

	if (block == NULL || !direct_map_is_split(page_to_pfn(block)))
		return block;
	/* One region at most stays split without a hidden frame. */
	other = alloc_pages(GFP_KERNEL | __GFP_NOWARN, REGION_ORDER);
	__free_pages(block, REGION_ORDER);
	kassert(other == NULL || !direct_map_is_split(page_to_pfn(other)));
	return other;
}

/* The region and its table, or why there are none. */
static const char *begin_region(void)
{
	region.block = whole_region();
	if (region.block == NULL)
		SKIP("512 frames mapped by one entry");
	region.first = page_to_pfn(region.block);
	region.table = (void *)__get_free_pages(GFP_KERNEL, 0);
	EXPECT(region.table != NULL);
	return NULL;
}

static void end_region(void)
{
	finish_whole();
	free_page((uintptr_t)region.table);
	__free_pages(region.block, REGION_ORDER);
}

static const char *walk_region(const struct walk_path *path)
{
	const char *sentence = begin_region();

	if (sentence != NULL)
		return sentence;
	for (unsigned long i = 0; i < REGION_FRAMES; i++)
		*word_of(i) = content_of(i);
	sentence = path_walk_try(path);
	end_region();
	return sentence;
}

/* The refiller, which splits other regions, does not run meanwhile. */
CASE(step_map, each_split_and_each_join_is_counted)
{
	const char *sentence = begin_region();
	unsigned long splits;
	unsigned long joins;

	if (sentence != NULL)
		return sentence;
	preempt_disable();
	splits = direct_map_splits();
	joins = direct_map_joins();
	for (int i = 0; i < 3; i++) {
		direct_map_split(region.first, region.table);
		(void)direct_map_join(region.first);
	}
	splits = direct_map_splits() - splits;
	joins = direct_map_joins() - joins;
	preempt_enable();
	end_region();
	EXPECT_EQUAL(splits, 3);
	EXPECT_EQUAL(joins, 3);
	return NULL;
}

#define CASE_OF_MAP(suite, name, ...)                                          \
	CASE(suite, name)                                                      \
	{                                                                      \
		static const struct walk_path path = { __VA_ARGS__,            \
			                               finish_whole,           \
			                               ERRAND_LOOK,            \
			                               test_step_map_look };   \
                                                                               \
		return walk_region(&path);                                     \
	}

CASE_OF_MAP(step_map, split_with_an_interrupt_at_each_instruction, "split",
            prepare_large, run_split, check_split)
CASE_OF_MAP(step_map, hide_with_an_interrupt_at_each_instruction, "hide",
            prepare_to_hide, run_hide, check_hide)
CASE_OF_MAP(step_map, show_with_an_interrupt_at_each_instruction, "show",
            prepare_hidden, run_show_frame, check_show)
CASE_OF_MAP(step_map, join_with_an_interrupt_at_each_instruction, "join",
            prepare_split, run_join, check_join)
CASE_OF_MAP(step_map,
            join_over_a_hidden_frame_with_an_interrupt_at_each_instruction,
            "join_over_a_hidden_frame", prepare_hidden, run_join, check_no_join)
CASE_OF_MAP(step_map, hide_of_a_region_with_an_interrupt_at_each_instruction,
            "hide_region", prepare_to_hide_all, run_hide_region,
            check_all_hidden)
CASE_OF_MAP(step_map, show_of_a_region_with_an_interrupt_at_each_instruction,
            "show_region", prepare_gone, run_show_region, check_show_region)
CASE_OF_MAP(step_map,
            split_of_a_hidden_region_with_an_interrupt_at_each_instruction,
            "split_of_a_hidden_region", prepare_gone, run_split,
            check_split_hidden)

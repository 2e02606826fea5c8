/* SPDX-License-Identifier: MIT */
/*
 * tests/states/test_direct_map_states.c -- every state of one region of the direct map.
 *
 * kernel/arch/direct_map.c itself, over page tables in an array and a TLB of the worst
 * kind: it knows each translation that was in the tables at any time since it was
 * flushed.  All calls are made in all states that they lead to (tests/states/search.h).
 * A frame can be hidden or visible; the model has four of the 512, and all others together.
 *
 *	large		one entry maps all
 *	gone		the entry is 0
 *	split		a table, with each set of hidden frames
 *
 * After each call: a hidden frame is in no table and not in the TLB; a visible one is
 * mapped, to itself, with the rights of RAM; the TLB does not hold both sizes; the
 * regions beside are as they were.  During a call, whenever it flushes or looks into the
 * tables, each frame that is visible before and afterwards is mapped: an interrupt may
 * touch it.
 *
 * A frame that vmalloc() had mapped, and whose address is not flushed yet, is one more
 * bit of the state: hiding flushes it.
 */
#include "kernel/arch/page_table.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/vmap.h"
#include "lib/format.h"
#include "lib/string.h"
#include "tests/states/search.h"
#include "tests/suite.h"

SUITE(direct_map_states);

/*
 * The host's machine has functions with these names, which the suites of mm/ use
 * (tests/host/machine_memory.c).  Here they are the kernel's, under other names.
 */
#define direct_map_is_split    real_is_split
#define direct_map_split       real_split
#define direct_map_join        real_join
#define direct_map_hide        real_hide
#define direct_map_show        real_show
#define direct_map_hide_region real_hide_region
#define direct_map_show_region real_show_region
#define direct_map_visible     real_visible
#define vmap_flush             fake_vmap_flush
#define flush_address          fake_flush_address

static void fake_flush_address(uintptr_t address);
bool fake_vmap_flush(void);

#include "kernel/arch/direct_map.c"

#define REGION  3UL
#define FIRST   (REGION * REGION_FRAMES)
#define RIGHTS  (PTE_PRESENT | PTE_WRITABLE | PTE_GLOBAL | PTE_NX)
#define USED    5U /* of level 2 */
#define SINGLES 4U
#define REST    SINGLES
#define GROUPS  (SINGLES + 1)

/* Frames of the region that are hidden and shown alone. */
static const unsigned int single[SINGLES] = { 0, 1, 300, 511 };

enum shape {
	LARGE,
	GONE,
	SPLIT,
};

static struct {
	/* The tables. */
	uint64_t level2[TABLE_ENTRIES] __aligned(4096);
	uint64_t table[TABLE_ENTRIES] __aligned(4096);
	/* The TLB: an entry, or 0. */
	uint64_t large;
	uint64_t small[TABLE_ENTRIES];
	bool vmap_stale; /* of the first frame */

	/* The model. */
	enum shape shape;
	bool hidden[GROUPS];
	bool at_boot; /* split without the mark, and frame 2 cannot be written */
	/* Frames that the call that goes on may change. */
	bool changes[GROUPS];
	const char *wrong;
} d;

static struct search_model direct_model;

/* ---- Page tables and TLB ------------------------------------------------- */

uint64_t pte_nx(void)
{
	return PTE_NX;
}

uint64_t *page_table_of(uint64_t entry)
{
	return phys_to_virt(entry & PTE_ADDRESS);
}

static unsigned int test_direct_map_states_group_of(unsigned int frame)
{
	for (unsigned int i = 0; i < SINGLES; i++) {
		if (single[i] == frame)
			return i;
	}
	return REST;
}

static uint64_t rights_of(unsigned int frame)
{
	return d.at_boot && frame == 2 ? RIGHTS & ~PTE_WRITABLE : RIGHTS;
}

/* The translation of FRAME, as an entry of level 1; 0: none. */
static uint64_t translation_of(unsigned int frame)
{
	uint64_t entry = d.level2[REGION];

	if ((entry & PTE_PRESENT) == 0)
		return 0;
	if (entry & PTE_LARGE)
		return (entry & ~PTE_LARGE) + frame * PAGE_SIZE;
	entry = page_table_of(entry)[frame];
	return entry & PTE_PRESENT ? entry : 0;
}

/* The processor may fetch whatever is in the tables, at any time. */
static void fetch(void)
{
	uint64_t entry = d.level2[REGION];

	if (entry & PTE_LARGE) {
		d.large = entry;
		return;
	}
	for (unsigned int i = 0; i < REGION_FRAMES; i++) {
		uint64_t now = translation_of(i);

		if (now == 0)
			continue;
		if (d.small[i] != 0 && d.small[i] != now)
			d.wrong = "an entry was replaced without a flush";
		d.small[i] = now;
	}
}

/* In the middle of a call. */
static void test_direct_map_states_look(void)
{
	for (unsigned int i = 0; i < REGION_FRAMES; i++) {
		unsigned int group = test_direct_map_states_group_of(i);

		if (!d.changes[group] && !d.hidden[group] &&
		    translation_of(i) == 0)
			d.wrong = "a visible frame is not mapped meanwhile";
	}
	fetch();
}

static void fake_flush_address(uintptr_t address)
{
	test_direct_map_states_look();
	d.large = 0;
	d.small[level_index(address, 1)] = 0;
	fetch();
}

void paging_flush_all(void)
{
	test_direct_map_states_look();
	d.large = 0;
	memset(d.small, 0, sizeof(d.small));
	fetch();
}

bool fake_vmap_flush(void)
{
	test_direct_map_states_look();
	d.vmap_stale = false;
	return true;
}

uint64_t *page_table_entry(uintptr_t address, unsigned int level)
{
	uint64_t *entry = &d.level2[level_index(address, 2)];

	test_direct_map_states_look();
	if (level == 2)
		return entry;
	if ((*entry & PTE_PRESENT) == 0 || (*entry & PTE_LARGE) != 0)
		return NULL;
	return &page_table_of(*entry)[level_index(address, 1)];
}

uint64_t paging_lookup(uintptr_t address, unsigned int *level)
{
	uint64_t entry = d.level2[level_index(address, 2)];

	*level = 2;
	if ((entry & PTE_PRESENT) != 0 && (entry & PTE_LARGE) == 0) {
		*level = 1;
		entry = page_table_of(entry)[level_index(address, 1)];
	}
	return entry & PTE_PRESENT ? entry : 0;
}

/* ---- The first state ----------------------------------------------------- */

static uint64_t large_entry(unsigned long region)
{
	return region * LARGE_PAGE_SIZE | RIGHTS | PTE_LARGE;
}

static void test_direct_map_states_begin(void)
{
	bool at_boot = d.at_boot;

	memset(&d, 0, sizeof(d));
	d.at_boot = at_boot;
	for (unsigned long i = 0; i < USED; i++)
		d.level2[i] = large_entry(i);
	if (at_boot) {
		d.shape = SPLIT;
		for (unsigned int i = 0; i < REGION_FRAMES; i++)
			d.table[i] = (FIRST + i) << PAGE_SHIFT | rights_of(i);
		d.level2[REGION] =
			virt_to_phys(d.table) | PTE_PRESENT | PTE_WRITABLE;
	}
	fetch();
}

/* ---- Calls --------------------------------------------------------------- */

#define CALL_SPLIT       0U
#define CALL_JOIN        1U
#define CALL_HIDE_REGION 2U
#define CALL_SHOW_REGION 3U
#define CALL_VMAP        4U
#define CALL_HIDE        5U /* .. + GROUPS */
#define CALL_SHOW        (CALL_HIDE + GROUPS)
#define DIRECT_CALLS     (CALL_SHOW + GROUPS)

static enum search_step test_direct_map_states_wrong(const char *sentence)
{
	direct_model.wrong = sentence;
	return STEP_WRONG;
}

static unsigned int groups_hidden(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < GROUPS; i++)
		count += d.hidden[i];
	return count;
}

static void set_groups(bool *groups, bool value)
{
	for (unsigned int i = 0; i < GROUPS; i++)
		groups[i] = value;
}

static enum search_step call_split(void)
{
	unsigned long before = direct_map_splits();

	if (d.shape == SPLIT)
		return STEP_ABSENT;
	/* Memory that a table is made of is not clean. */
	memset(d.table, 0xa5, sizeof(d.table));
	real_split(FIRST + 77, d.table);
	d.shape = SPLIT;
	return direct_map_splits() == before + 1
	               ? STEP_MOVED
	               : test_direct_map_states_wrong("a split is not counted");
}

/* Possible or not, it may be tried. */
static enum search_step call_join(void)
{
	bool can = d.shape == SPLIT && groups_hidden() == 0 && !d.at_boot;
	unsigned long before = direct_map_joins();
	uint64_t entry = d.level2[REGION];
	const void *table = real_join(FIRST + 400);

	if (table != (can ? d.table : NULL))
		return test_direct_map_states_wrong(
			can ? "a join returns another table"
			    : "a join is made though it must not be");
	if (direct_map_joins() != before + can)
		return test_direct_map_states_wrong("a join is not counted");
	if (can)
		d.shape = LARGE;
	else if (d.level2[REGION] != entry)
		return test_direct_map_states_wrong(
			"a refused join left traces");
	return can ? STEP_MOVED : STEP_KEPT;
}

static enum search_step call_region(bool hide)
{
	if (d.shape != (hide ? LARGE : GONE))
		return STEP_ABSENT;
	set_groups(d.changes, true);
	if (hide)
		real_hide_region(FIRST);
	else
		real_show_region(FIRST);
	set_groups(d.hidden, hide);
	d.shape = hide ? GONE : LARGE;
	return hide && d.vmap_stale ? test_direct_map_states_wrong(
					      "vmalloc's mapping is known")
	                            : STEP_MOVED;
}

static void hide_or_show(unsigned int frame, bool hide)
{
	if (hide)
		real_hide(FIRST + frame);
	else
		real_show(FIRST + frame);
}

/* Frame 2 is none of those that are hidden if it was read-only at boot. */
static enum search_step call_frames(unsigned int group, bool hide)
{
	if (d.shape != SPLIT || d.hidden[group] == hide)
		return STEP_ABSENT;
	d.changes[group] = true;
	for (unsigned int i = 0; i < REGION_FRAMES; i++) {
		if (test_direct_map_states_group_of(i) == group &&
		    !(d.at_boot && i == 2))
			hide_or_show(i, hide);
	}
	d.hidden[group] = hide;
	return hide && d.vmap_stale ? test_direct_map_states_wrong(
					      "vmalloc's mapping is known")
	                            : STEP_MOVED;
}

static enum search_step call_vmap(void)
{
	if (d.hidden[0] || d.vmap_stale)
		return STEP_ABSENT;
	d.vmap_stale = true;
	return STEP_MOVED;
}

static enum search_step test_direct_map_states_do(unsigned int call)
{
	switch (call) {
	case CALL_SPLIT:
		return call_split();
	case CALL_JOIN:
		return call_join();
	case CALL_HIDE_REGION:
	case CALL_SHOW_REGION:
		return call_region(call == CALL_HIDE_REGION);
	case CALL_VMAP:
		return call_vmap();
	default:
		break;
	}
	if (call < CALL_SHOW)
		return call_frames(call - CALL_HIDE, true);
	return call_frames(call - CALL_SHOW, false);
}

static enum search_step test_direct_map_states_call(unsigned int call)
{
	enum search_step step;

	set_groups(d.changes, false);
	step = test_direct_map_states_do(call);
	set_groups(d.changes, false);
	fetch();
	return d.wrong == NULL ? step : test_direct_map_states_wrong(d.wrong);
}

/* ---- What must be true --------------------------------------------------- */

static void test_direct_map_states_key(struct search_key *key)
{
	uint64_t entry = d.level2[REGION];

	key->byte[0] = (uint8_t)((entry & PTE_PRESENT) == 0 ? GONE
	                         : entry & PTE_LARGE        ? LARGE
	                                                    : SPLIT);
	for (unsigned int i = 0; i < SINGLES; i++)
		key->byte[1 + i] = translation_of(single[i]) == 0;
	key->byte[1 + REST] = translation_of(3) == 0;
	key->byte[1 + GROUPS] = d.vmap_stale;
}

static const char *check_hidden(unsigned int frame)
{
	if (real_visible(FIRST + frame) || translation_of(frame) != 0)
		return "a hidden frame is mapped";
	return d.small[frame] != 0 || d.large != 0
	               ? "the TLB knows a hidden frame"
	               : NULL;
}

static const char *check_visible(unsigned int frame)
{
	uint64_t right = (FIRST + frame) << PAGE_SHIFT | rights_of(frame);

	if (!real_visible(FIRST + frame) || translation_of(frame) == 0)
		return "a visible frame is not mapped";
	if (translation_of(frame) != right)
		return "a frame is mapped elsewhere, or with other rights";
	return d.small[frame] != 0 && d.large != 0 ? "the TLB holds both sizes"
	                                           : NULL;
}

static const char *check_neighbours(void)
{
	for (unsigned long i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t right = i < USED ? large_entry(i) : 0;

		if (i != REGION && d.level2[i] != right)
			return "another region has changed";
	}
	return NULL;
}

static const char *test_direct_map_states_check(void)
{
	for (unsigned int i = 0; i < REGION_FRAMES; i++) {
		bool hidden = d.hidden[test_direct_map_states_group_of(i)] &&
		              !(d.at_boot && i == 2);
		const char *wrong = hidden ? check_hidden(i) : check_visible(i);

		if (wrong != NULL)
			return wrong;
	}
	if (real_is_split(FIRST + 5) != (d.shape == SPLIT))
		return "whether the region is split is not the answer";
	return check_neighbours();
}

static void test_direct_map_states_save(void)
{
}

static void test_direct_map_states_describe(unsigned int call, char *buffer,
                                            size_t size)
{
	static const char *const words[] = { "split", "join", "hide the region",
		                             "show the region",
		                             "vmalloc's mapping is cleared" };
	unsigned int group;

	if (call < CALL_HIDE) {
		scnprintf(buffer, size, "%s", words[call]);
		return;
	}
	group = (call - CALL_HIDE) % GROUPS;
	if (group == REST)
		scnprintf(buffer, size, "%s the others",
		          call < CALL_SHOW ? "hide" : "show");
	else
		scnprintf(buffer, size, "%s frame %u",
		          call < CALL_SHOW ? "hide" : "show", single[group]);
}

static struct search_model direct_model = {
	.calls = DIRECT_CALLS,
	.begin = test_direct_map_states_begin,
	.call = test_direct_map_states_call,
	.key = test_direct_map_states_key,
	.check = test_direct_map_states_check,
	.save = test_direct_map_states_save,
	.describe = test_direct_map_states_describe,
};

static const char *search_region(bool at_boot, unsigned long states)
{
	struct search_result result;
	const char *broken;

	d.at_boot = at_boot;
	broken = search_all(&direct_model, states, &result);
	if (broken != NULL)
		return broken;
	test_note("%lu states of a region, %lu calls, up to %u steps",
	          result.states, result.transitions, result.depth);
	EXPECT_EQUAL(result.states, states);
	return NULL;
}

/*
 * Large, gone, and split with each set of hidden frames.  With a mapping of vmalloc's
 * that is not flushed: those in which the first frame is visible.
 */
CASE(direct_map_states, every_call_in_every_state_of_a_region)
{
	return search_region(false, 2 + (1U << GROUPS) + 1 + (1U << REST));
}

/* It is split for good. */
CASE(direct_map_states, every_call_in_every_state_of_a_region_split_at_boot)
{
	return search_region(true, (1U << GROUPS) + (1U << REST));
}

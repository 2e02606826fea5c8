/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask_blocks.c -- which block is given, split, merged, and where it
 * waits; bulk, exact, and references.
 */
#include "tests/conformance/ask.h"

#define ASK_MOVABLE (GFP_NOWAIT | __GFP_MOVABLE | __GFP_NOWARN)
#define ASK_HELD    200U

/* ---- One block is split, and comes back ---------------------------------- */

static void ask_split(unsigned int order)
{
	struct page *page;

	scene_begin();
	scene_free(0, 10);
	page = alloc_pages(ASK_MOVABLE, order);
	ask_clear();
	ask_add("%ld", scene_place(page));
	ask_add_lists();
	scene_say("split of a block of order 10 for order %u: %s", order,
	          ask_text());
	__free_pages(page, order);
	ask_clear();
	ask_add("%lu", scene_free_pages());
	ask_add_lists();
	scene_say("split of a block of order 10 for order %u, freed: %s", order,
	          ask_text());
}

/* Sixteen pages are freed one by one, number i as number i * FACTOR modulo 17. */
static void ask_merge(unsigned int factor, unsigned int count)
{
	scene_begin();
	for (unsigned int i = 1; i <= count; i++)
		scene_free(i * factor % 17 - 1, 0);
	ask_clear();
	ask_add_lists();
	scene_say("merge of %u single pages in steps of %u: %s", count, factor,
	          ask_text());
}

/* ---- Random calls -------------------------------------------------------- */

static struct ask_held {
	struct page *page;
	unsigned int order;
} ask_held[ASK_HELD];

static unsigned int ask_holds;

static gfp_t ask_any_mask(bool typed)
{
	static const gfp_t types[] = { 0, __GFP_MOVABLE, __GFP_RECLAIMABLE };
	gfp_t mask = GFP_NOWAIT | __GFP_NOWARN;

	return mask | (typed ? types[ask_random(3)] : __GFP_MOVABLE);
}

/* Take, or give something back; the place. */
static long ask_step(bool typed)
{
	unsigned int number = ask_random(ASK_HELD);
	struct ask_held *held = &ask_held[number];

	if (ask_random(2) == 0 && ask_holds < ASK_HELD) {
		held = &ask_held[ask_holds];
		held->order = ask_random(4) ? ask_random(4) : ask_random(11);
		held->page = alloc_pages(ask_any_mask(typed), held->order);
		if (held->page)
			ask_holds++;
		return scene_place(held->page);
	}
	if (number >= ask_holds)
		return -2;
	__free_pages(held->page, held->order);
	*held = ask_held[--ask_holds];
	return -3;
}

static void ask_add_types(void)
{
	ask_add(" | ");
	for (unsigned long block = 0; block < 8; block++)
		ask_add("%c", "UMRH"[scene_type(block)]);
}

/* STEPS random calls; all places go into a digest, and what is free at the end. */
static void ask_walk(unsigned int seed, unsigned int steps, bool typed)
{
	unsigned int digest = ASK_DIGEST;

	scene_begin();
	for (unsigned long place = 0; place < 4096; place += 1024)
		scene_free(place, 10);
	ask_seed(seed);
	ask_holds = 0;
	for (unsigned int i = 0; i < steps; i++)
		digest = ask_digest(digest, (unsigned long)ask_step(typed));
	ask_clear();
	ask_add("%08x, %lu free", digest, scene_free_pages());
	if (typed)
		ask_add_types();
	ask_add_lists();
	scene_say("walk of %u calls, %s, seed %u: %s", steps,
	          typed ? "three types" : "one type", seed, ask_text());
}

/* ---- References ---------------------------------------------------------- */

static void ask_references(unsigned int order, gfp_t compound)
{
	unsigned long before;
	struct page *page;

	scene_begin();
	scene_free(0, 10);
	page = alloc_pages(ASK_MOVABLE | compound, order);
	before = scene_free_pages();
	get_page(page);
	__free_pages(page, order);
	ask_clear();
	ask_add("%lu", scene_free_pages() - before);
	ask_add_lists();
	before = scene_free_pages();
	put_page(page);
	ask_add(" || %lu", scene_free_pages() - before);
	ask_add_lists();
	scene_say("reference beside the free of order %u%s: %s", order,
	          compound ? ", compound" : "", ask_text());
}

/* ---- Exact --------------------------------------------------------------- */

static void ask_exact(unsigned long pages)
{
	size_t size = (pages << 12) - (pages % 3);
	void *address;

	scene_begin();
	scene_free(0, 10);
	address = alloc_pages_exact(size, ASK_MOVABLE);
	ask_clear();
	ask_add("%ld", address ? scene_place(scene_page_at(address)) : -1);
	ask_add_lists();
	if (address)
		free_pages_exact(address, size);
	ask_add(" || %lu", scene_free_pages());
	ask_add_lists();
	scene_say("exact %lu bytes: %s", (unsigned long)size, ask_text());
}

/* ---- Bulk ---------------------------------------------------------------- */

/* Of 64 entries each FULLth is full already; 0: none is. */
static void ask_bulk(const struct ask_mask *mask, unsigned long free,
                     unsigned int entries, unsigned int full)
{
	struct page *array[64] = { NULL };
	unsigned long got;
	unsigned int filled = 0;

	scene_begin();
	ask_leave(0, free);
	scene_set_marks(480, 600, 720);
	for (unsigned int i = 0; full && i < entries; i += full)
		array[i] = scene_page(4096 + i);
	got = alloc_pages_bulk(mask->mask | __GFP_NOWARN, entries, array);
	for (unsigned int i = 0; i < entries; i++)
		filled += array[i] != NULL;
	scene_say("bulk of %u, %s, %lu free, each %u. is full: "
	          "%lu, %u full, %lu free",
	          entries, mask->name, free, full, got, filled,
	          scene_free_pages());
}

static void ask_bulks(const struct ask_mask *mask)
{
	static const unsigned long free[] = { 1024, 666, 665, 664, 663,
		                              603,  602, 601, 600, 481,
		                              480,  241, 181, 180, 0 };

	for (size_t i = 0; i < ASK_COUNT(free); i++) {
		ask_bulk(mask, free[i], 64, 0);
		ask_bulk(mask, free[i], 2, 0);
		ask_bulk(mask, free[i], 1, 0);
		ask_bulk(mask, free[i], 64, 3);
		ask_bulk(mask, free[i], 64, 1);
	}
}

void ask_walks(void)
{
	for (unsigned int seed = 1; seed <= 20; seed++) {
		ask_walk(seed, 40, false);
		ask_walk(seed, 2000, false);
		ask_walk(seed, 40, true);
		ask_walk(seed, 2000, true);
	}
}

void ask_blocks(void)
{
	static const unsigned int factors[] = { 1, 16, 2, 3, 5, 7, 9, 11 };
	static const unsigned long exact[] = { 1,   2,   3,   5,    6,
		                               7,   8,   9,   12,   31,
		                               100, 511, 513, 1000, 1024 };
	static const struct ask_mask masks[] = {
		ASK_MASK(GFP_NOWAIT),
		ASK_MASK(GFP_ATOMIC),
		ASK_MASK(GFP_KERNEL | __GFP_NORETRY),
	};

	for (unsigned int order = 0; order <= 10; order++)
		ask_split(order);
	for (size_t i = 0; i < ASK_COUNT(factors); i++) {
		for (unsigned int count = 5; count <= 16; count++)
			ask_merge(factors[i], count);
	}
	ask_walks();
	for (unsigned int order = 0; order <= 10; order++) {
		ask_references(order, 0);
		ask_references(order, __GFP_COMP);
	}
	for (size_t i = 0; i < ASK_COUNT(exact); i++)
		ask_exact(exact[i]);
	for (size_t i = 0; i < ASK_COUNT(masks); i++)
		ask_bulks(&masks[i]);
}

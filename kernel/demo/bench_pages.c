/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/bench_pages.c -- what pages and objects cost.
 *
 * Pairs find their page on the CPU's list.  A batch and a churn empty and fill the lists,
 * so they pay for the zone's work as well; the churn starts from memory of which 50 or 90
 * per cent are in use by blocks of mixed orders, order k with probability 2^-(k+1).
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/irqsoff.h"
#include "kernel/core/panic.h"
#include "kernel/demo/bench.h"
#include "kernel/refiller.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/kvmalloc.h"

/* They take less time than there is between two ticks, on any of the machines of the tests:
 * so one of the repetitions has no tick in it. */
#define PAIRS       100UL
#define LARGE_PAIRS 50UL
#define BATCH       1024UL
#define MILLION     1000000UL

/* ---- Pairs --------------------------------------------------------------- */

static bool bench_pair(struct bench_time *time, gfp_t gfp, unsigned int order,
                       unsigned long count)
{
	uint64_t begin = arch_cycles();

	for (unsigned long i = 0; i < count; i++) {
		struct page *page = alloc_pages(gfp, order);

		if (page == NULL)
			return false;
		__free_pages(page, order);
	}
	*time = (struct bench_time){ .ticks = arch_cycles() - begin,
		                     .operations = count,
		                     .rounds = count };
	return true;
}

static bool bench_order0_pair(struct bench_time *time)
{
	return bench_pair(time, GFP_KERNEL, 0, PAIRS);
}

static bool bench_order0_pair_atomic(struct bench_time *time)
{
	return bench_pair(time, GFP_ATOMIC, 0, PAIRS);
}

static bool bench_order3_pair(struct bench_time *time)
{
	return bench_pair(time, GFP_KERNEL | __GFP_COMP, 3, PAIRS);
}

static bool bench_order9_pair(struct bench_time *time)
{
	return bench_pair(time, GFP_KERNEL | __GFP_COMP, 9, LARGE_PAIRS);
}

static bool bench_kmalloc64_pair(struct bench_time *time)
{
	uint64_t begin = arch_cycles();

	for (unsigned long i = 0; i < PAIRS; i++) {
		void *object = kmalloc(64, GFP_KERNEL);

		if (object == NULL)
			return false;
		kfree(object);
	}
	*time = (struct bench_time){ .ticks = arch_cycles() - begin,
		                     .operations = PAIRS,
		                     .rounds = PAIRS };
	return true;
}

/* ---- Many together ----------------------------------------------------- */

static struct page *batch[BATCH];

/* BATCH pages, or what does not bring a small machine to its end. */
static unsigned long bench_batch_size(void)
{
	return clamp(node_free(main_node()) / 4, 1UL, BATCH);
}

static void bench_free_batch(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		__free_page(batch[i]);
}

static bool bench_batch1024(struct bench_time *time)
{
	unsigned long count = bench_batch_size();
	uint64_t begin = arch_cycles();

	for (unsigned long i = 0; i < count; i++) {
		batch[i] = alloc_page(GFP_KERNEL);
		if (batch[i] == NULL) {
			bench_free_batch(i);
			return false;
		}
	}
	bench_free_batch(count);
	*time = (struct bench_time){ .ticks = arch_cycles() - begin,
		                     .operations = count,
		                     .rounds = 2 * count };
	return true;
}

/* The pages taken; giving them back is not in it. */
static bool bench_bulk(struct bench_time *time)
{
	unsigned long count = bench_batch_size();
	unsigned long got;

	memset(batch, 0, sizeof(batch));
	time->ticks = arch_cycles();
	got = alloc_pages_bulk(GFP_KERNEL, count, batch);
	time->ticks = arch_cycles() - time->ticks;
	bench_free_batch(got);
	time->operations = count;
	return got == count;
}

/* ---- Churn --------------------------------------------------------------- */

#define CHURN_STEPS  200000UL
#define CHURN_VALUES 65536UL /* random, used again and again */
#define CHURN_ROOM   4096UL  /* pages that stay free for others */
#define CHURN_SEED   0x4c616279ULL
#define CHURN_GFP    (GFP_NOWAIT | __GFP_NOWARN)

struct churn {
	uint64_t *value;
	struct page **block;
	unsigned long blocks;
	unsigned long room;   /* for blocks */
	unsigned long pages;  /* in use by blocks */
	unsigned long target; /* of them */
	unsigned long operations;
};

/* Order k with probability 2^-(k+1); 9: the rest. */
static unsigned int bench_churn_order(uint64_t value)
{
	return (unsigned int)__builtin_ctzll(value | 1ULL << 9);
}

static bool bench_churn_take(struct churn *churn, uint64_t value)
{
	struct page *page = alloc_pages(CHURN_GFP, bench_churn_order(value));

	if (page == NULL || churn->blocks == churn->room) {
		if (page != NULL)
			__free_pages(page, page->order);
		return false;
	}
	churn->block[churn->blocks++] = page;
	churn->pages += 1UL << page->order;
	return true;
}

static void bench_churn_give(struct churn *churn, unsigned long index)
{
	struct page *page = churn->block[index];

	churn->block[index] = churn->block[--churn->blocks];
	churn->pages -= 1UL << page->order;
	__free_pages(page, page->order);
}

/* To the target from either side, STEPS times; a request that fails is one, too. */
static void bench_churn_step(struct churn *churn, unsigned long steps)
{
	for (unsigned long i = 0; i < steps; i++) {
		uint64_t value = churn->value[i % CHURN_VALUES];

		if (churn->pages < churn->target || churn->blocks == 0)
			(void)bench_churn_take(churn, value);
		else
			bench_churn_give(
				churn,
				(unsigned long)((value >> 32) * churn->blocks >>
			                        32));
	}
}

static void bench_churn_fill(struct churn *churn)
{
	unsigned long failed = 0;

	for (unsigned long i = 0; churn->pages < churn->target && failed < 100;
	     i++)
		failed += !bench_churn_take(churn,
		                            churn->value[i % CHURN_VALUES]);
}

static bool bench_churn(struct bench_time *time, unsigned int percent)
{
	struct random random = { CHURN_SEED };
	struct churn churn = { .room = node_free(main_node()) / 2 };
	unsigned long free;

	churn.value =
		kvmalloc_array(CHURN_VALUES, sizeof(*churn.value), GFP_KERNEL);
	churn.block =
		kvmalloc_array(churn.room, sizeof(struct page *), GFP_KERNEL);
	free = node_free(main_node());
	if (churn.value != NULL && churn.block != NULL && free > CHURN_ROOM) {
		for (unsigned long i = 0; i < CHURN_VALUES; i++)
			churn.value[i] = random_next(&random);
		churn.target = (free - CHURN_ROOM) * percent / 100;
		bench_churn_fill(&churn);
		time->ticks = arch_cycles();
		bench_churn_step(&churn, CHURN_STEPS);
		time->ticks = arch_cycles() - time->ticks;
		time->operations = CHURN_STEPS;
		time->rounds = CHURN_STEPS;
		while (churn.blocks > 0)
			bench_churn_give(&churn, churn.blocks - 1);
	}
	kvfree(churn.block);
	kvfree(churn.value);
	return time->operations > 0;
}

static bool bench_churn50(struct bench_time *time)
{
	return bench_churn(time, 50);
}

static bool bench_churn90(struct bench_time *time)
{
	return bench_churn(time, 90);
}

/* ---- The end of memory --------------------------------------------------- */

#define REFUSALS 1000UL
#define ATOMIC   (GFP_ATOMIC | __GFP_NOWARN)
#define NOWAIT   (GFP_NOWAIT | __GFP_NOWARN)

/* Blocks taken until there is not even a page for GFP, large ones first. */
static void bench_take_all(struct list *pages, gfp_t gfp)
{
	for (int order = MAX_ORDER; order >= 0; order--) {
		struct page *page;

		while ((page = alloc_pages(gfp, (unsigned int)order)) != NULL)
			list_push(pages, &page->link);
	}
}

static void bench_give_all(struct list *pages)
{
	struct page *page;

	while ((page = list_first(pages, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_pages(page, page->order);
	}
}

/* Single pages, each of which is timed. */
static void bench_take_reserve(struct list *pages, struct bench_time *time)
{
	for (;;) {
		uint64_t begin = arch_cycles();
		struct page *page = alloc_page(ATOMIC);
		uint64_t ticks = arch_cycles() - begin;

		if (page == NULL)
			return;
		time->ticks += ticks;
		time->operations++;
		time->readings++;
		list_push(pages, &page->link);
	}
}

static void bench_refuse(struct list *pages, gfp_t gfp, struct bench_time *time)
{
	time->ticks = arch_cycles();
	for (unsigned long i = 0; i < REFUSALS; i++) {
		struct page *page = alloc_page(gfp);

		if (page != NULL) {
			list_push(pages, &page->link);
			return;
		}
	}
	time->ticks = arch_cycles() - time->ticks;
	time->operations = REFUSALS;
	time->rounds = REFUSALS;
}

enum bench_end {
	BENCH_RESERVE,
	BENCH_REFUSED_ATOMIC,
	BENCH_REFUSED_NOWAIT
};

/* With interrupts on first, for there may be gigabytes; then nobody else runs: the state
 * that is measured is one of few pages. */
static bool bench_at_the_end(struct bench_time *time, enum bench_end what)
{
	struct list pages = LIST_INIT(pages);
	bool enabled;

	refiller_pause(true);
	bench_take_all(&pages, NOWAIT);
	enabled = arch_irq_save();
	irqsoff_discard();
	bench_take_all(&pages, NOWAIT);
	if (what == BENCH_RESERVE) {
		bench_take_reserve(&pages, time);
	} else if (what == BENCH_REFUSED_NOWAIT) {
		bench_refuse(&pages, NOWAIT, time);
	} else {
		bench_take_all(&pages, ATOMIC);
		bench_refuse(&pages, ATOMIC, time);
	}
	arch_irq_restore(enabled);
	bench_give_all(&pages);
	refiller_pause(false);
	return time->operations > 0;
}

static bool bench_reserve(struct bench_time *time)
{
	return bench_at_the_end(time, BENCH_RESERVE);
}

static bool bench_refused_atomic(struct bench_time *time)
{
	return bench_at_the_end(time, BENCH_REFUSED_ATOMIC);
}

static bool bench_refused_nowait(struct bench_time *time)
{
	return bench_at_the_end(time, BENCH_REFUSED_NOWAIT);
}

/* ---- The worst of a million ---------------------------------------------- */

uint64_t bench_time_alloc(struct page **page)
{
	bool enabled = arch_irq_save();
	uint64_t begin = arch_cycles();
	uint64_t ticks;

	*page = alloc_page(ATOMIC);
	ticks = arch_cycles() - begin;
	arch_irq_restore(enabled);
	return ticks;
}

uint64_t bench_time_free(struct page *page)
{
	bool enabled = arch_irq_save();
	uint64_t begin = arch_cycles();
	uint64_t ticks;

	__free_page(page);
	ticks = arch_cycles() - begin;
	arch_irq_restore(enabled);
	return ticks;
}

unsigned long bench_burst(void)
{
	return min(node_free(main_node()) / 2, 16384UL);
}

/* The longest of a burst's requests and frees. */
static bool bench_worst_of_burst(unsigned long pages, uint64_t *alloc,
                                 uint64_t *free)
{
	struct list burst = LIST_INIT(burst);
	struct page *page;
	unsigned long count = 0;

	for (; count < pages; count++) {
		*alloc = max(*alloc, bench_time_alloc(&page));
		if (page == NULL)
			break;
		list_push(&burst, &page->link);
	}
	while ((page = list_first(&burst, struct page, link)) != NULL) {
		list_remove(&page->link);
		*free = max(*free, bench_time_free(page));
	}
	return count == pages;
}

static bool bench_worst(struct bench_time *time, bool of_free)
{
	unsigned long pages = bench_burst();
	uint64_t alloc = 0;
	uint64_t free = 0;

	if (pages == 0)
		return false;
	for (unsigned long done = 0; done < MILLION; done += pages) {
		if (!bench_worst_of_burst(pages, &alloc, &free))
			return false;
	}
	time->ticks = of_free ? free : alloc;
	time->operations = 1;
	time->readings = 1;
	return true;
}

static bool bench_worst_alloc(struct bench_time *time)
{
	return bench_worst(time, false);
}

static bool bench_worst_free(struct bench_time *time)
{
	return bench_worst(time, true);
}

const struct bench bench_pages[] = {
	{ "order0_pair", "GFP_KERNEL, a page and back", bench_order0_pair,
	  false },
	{ "order0_pair_atomic", "the same by GFP_ATOMIC",
	  bench_order0_pair_atomic, false },
	{ "order3_pair", "a block of 8 pages and back", bench_order3_pair,
	  false },
	{ "order9_pair", "a block of 512 pages and back", bench_order9_pair,
	  false },
	{ "batch1024", "1,024 pages, then back: a page", bench_batch1024,
	  false },
	{ "bulk", "alloc_pages_bulk(), a page", bench_bulk, false },
	{ "churn50", "mixed orders, half of memory in use", bench_churn50,
	  true },
	{ "churn90", "the same, nine tenths in use", bench_churn90, true },
	{ "kmalloc64_pair", "an object of 64 bytes and back",
	  bench_kmalloc64_pair, false },
	{ "reserve", "a page out of the reserve", bench_reserve, true },
	{ "refused_atomic", "GFP_ATOMIC, and no page", bench_refused_atomic,
	  true },
	{ "refused_nowait", "GFP_NOWAIT, and no page", bench_refused_nowait,
	  true },
	{ "worst_alloc", "worst of a million: a page", bench_worst_alloc,
	  true },
	{ "worst_free", "worst of a million: back", bench_worst_free, true },
};
const unsigned int bench_pages_count = ARRAY_SIZE(bench_pages);

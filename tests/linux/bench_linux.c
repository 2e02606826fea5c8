/* SPDX-License-Identifier: MIT */
/*
 * tests/linux/bench_linux.c -- the loops of `bench`, as a module of Linux.
 *
 * The same operations in the same numbers as kernel/demo/bench_pages.c, by the
 * functions of the same names, measured by the same counter, with interrupts off where
 * they are off there.  A row is a line of the log, "bench: NAME COUNT", and the last one
 * is "bench: end".  Only `make bench-linux` builds this file, against the headers of the
 * distribution's kernel.
 */
#include <asm/msr.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>

#define REPETITIONS  9
#define PROBES       1000UL
#define PAIRS        200UL
#define LARGE_PAIRS  50UL
#define BATCH        1024UL
#define CHURN_STEPS  200000UL
#define CHURN_VALUES 65536UL
#define CHURN_ROOM   4096UL
#define CHURN_SEED   0x4c616279ULL
#define REFUSALS     1000UL
#define MILLION      1000000UL
#define BURST        16384UL
#define NOWAIT       (GFP_NOWAIT | __GFP_NOWARN)
#define ATOMIC       (GFP_ATOMIC | __GFP_NOWARN)

/* A measurement: as struct bench_time of kernel/demo/bench.h. */
struct measured {
	u64 ticks;
	unsigned long operations;
	unsigned long rounds;
	unsigned long readings;
};

static u64 round_cost;
static u64 reading_cost;
static struct page *batch[BATCH];

static u64 linux_ticks(void)
{
	return rdtsc();
}

/* ---- The cost of measuring ----------------------------------------------- */

static u64 linux_empty_loop(void)
{
	u64 begin = linux_ticks();

	for (unsigned long i = 0; i < PROBES; i++)
		barrier();
	return linux_ticks() - begin;
}

static u64 linux_readings(void)
{
	u64 sum = 0;

	for (unsigned long i = 0; i < PROBES; i++) {
		u64 begin = linux_ticks();

		sum += linux_ticks() - begin;
	}
	return sum;
}

static void linux_measure_cost(void)
{
	round_cost = U64_MAX;
	reading_cost = U64_MAX;
	for (unsigned int i = 0; i < REPETITIONS; i++) {
		round_cost = min(round_cost, linux_empty_loop());
		reading_cost = min(reading_cost, linux_readings());
	}
}

static u64 linux_net(const struct measured *time)
{
	u64 less = time->rounds * round_cost / PROBES +
	           time->readings * reading_cost / PROBES;
	u64 net = time->ticks > less ? time->ticks - less : 0;

	return (net + time->operations - 1) / time->operations;
}

/* ---- Pairs --------------------------------------------------------------- */

static bool linux_pair(struct measured *time, gfp_t gfp, unsigned int order,
                       unsigned long count)
{
	u64 begin = linux_ticks();

	for (unsigned long i = 0; i < count; i++) {
		struct page *page = alloc_pages(gfp, order);

		if (!page)
			return false;
		__free_pages(page, order);
	}
	time->ticks = linux_ticks() - begin;
	time->operations = count;
	time->rounds = count;
	return true;
}

static bool linux_order0_pair(struct measured *time)
{
	return linux_pair(time, GFP_KERNEL, 0, PAIRS);
}

static bool linux_order0_pair_atomic(struct measured *time)
{
	return linux_pair(time, GFP_ATOMIC, 0, PAIRS);
}

static bool linux_order3_pair(struct measured *time)
{
	return linux_pair(time, GFP_KERNEL | __GFP_COMP, 3, PAIRS);
}

static bool linux_order9_pair(struct measured *time)
{
	return linux_pair(time, GFP_KERNEL | __GFP_COMP, 9, LARGE_PAIRS);
}

static bool linux_kmalloc64_pair(struct measured *time)
{
	u64 begin = linux_ticks();

	for (unsigned long i = 0; i < PAIRS; i++) {
		void *object = kmalloc(64, GFP_KERNEL);

		if (!object)
			return false;
		barrier_data(object);
		kfree(object);
	}
	time->ticks = linux_ticks() - begin;
	time->operations = PAIRS;
	time->rounds = PAIRS;
	return true;
}

/* ---- Many together ------------------------------------------------------- */

static bool linux_batch1024(struct measured *time)
{
	u64 begin = linux_ticks();

	for (unsigned long i = 0; i < BATCH; i++) {
		batch[i] = alloc_page(GFP_KERNEL);
		if (!batch[i])
			return false;
	}
	for (unsigned long i = 0; i < BATCH; i++)
		__free_page(batch[i]);
	time->ticks = linux_ticks() - begin;
	time->operations = BATCH;
	time->rounds = 2 * BATCH;
	return true;
}

/* A call of Linux may stop before its array is full. */
static bool linux_bulk(struct measured *time)
{
	unsigned long got = 0;
	unsigned long before;

	memset(batch, 0, sizeof(batch));
	time->ticks = linux_ticks();
	do {
		before = got;
		got = alloc_pages_bulk_array(GFP_KERNEL, BATCH, batch);
	} while (got > before && got < BATCH);
	time->ticks = linux_ticks() - time->ticks;
	for (unsigned long i = 0; i < got; i++)
		__free_page(batch[i]);
	time->operations = BATCH;
	return got == BATCH;
}

/* ---- Churn --------------------------------------------------------------- */

struct churn {
	u64 *value;
	struct page **block;
	u8 *order;
	unsigned long blocks;
	unsigned long room;
	unsigned long pages;
	unsigned long target;
};

/* The stream of lib/random.h. */
static u64 linux_random(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool linux_churn_take(struct churn *churn, u64 value)
{
	unsigned int order = __builtin_ctzll(value | 1ULL << 9);
	struct page *page = alloc_pages(NOWAIT, order);

	if (!page || churn->blocks == churn->room) {
		if (page)
			__free_pages(page, order);
		return false;
	}
	churn->order[churn->blocks] = order;
	churn->block[churn->blocks++] = page;
	churn->pages += 1UL << order;
	return true;
}

static void linux_churn_give(struct churn *churn, unsigned long index)
{
	unsigned int order = churn->order[index];
	struct page *page = churn->block[index];

	churn->blocks--;
	churn->block[index] = churn->block[churn->blocks];
	churn->order[index] = churn->order[churn->blocks];
	churn->pages -= 1UL << order;
	__free_pages(page, order);
}

static void linux_churn_step(struct churn *churn)
{
	for (unsigned long i = 0; i < CHURN_STEPS; i++) {
		u64 value = churn->value[i % CHURN_VALUES];

		if (churn->pages < churn->target || churn->blocks == 0)
			linux_churn_take(churn, value);
		else
			linux_churn_give(churn,
			                 (value >> 32) * churn->blocks >> 32);
	}
}

static void linux_churn_run(struct measured *time, struct churn *churn)
{
	unsigned long failed = 0;

	for (unsigned long i = 0; churn->pages < churn->target && failed < 100;
	     i++)
		failed += !linux_churn_take(churn,
		                            churn->value[i % CHURN_VALUES]);
	time->ticks = linux_ticks();
	linux_churn_step(churn);
	time->ticks = linux_ticks() - time->ticks;
	time->operations = CHURN_STEPS;
	time->rounds = CHURN_STEPS;
	while (churn->blocks > 0)
		linux_churn_give(churn, churn->blocks - 1);
}

static bool linux_churn(struct measured *time, unsigned int percent)
{
	struct churn churn = { .room = nr_free_pages() / 2 };
	unsigned long free;
	u64 state = CHURN_SEED;

	churn.value = vmalloc(CHURN_VALUES * sizeof(*churn.value));
	churn.block = vmalloc(churn.room * sizeof(*churn.block));
	churn.order = vmalloc(churn.room);
	free = nr_free_pages();
	if (churn.value && churn.block && churn.order && free > CHURN_ROOM) {
		for (unsigned long i = 0; i < CHURN_VALUES; i++)
			churn.value[i] = linux_random(&state);
		churn.target = (free - CHURN_ROOM) * percent / 100;
		linux_churn_run(time, &churn);
	}
	vfree(churn.order);
	vfree(churn.block);
	vfree(churn.value);
	return time->operations > 0;
}

static bool linux_churn50(struct measured *time)
{
	return linux_churn(time, 50);
}

static bool linux_churn90(struct measured *time)
{
	return linux_churn(time, 90);
}

/* ---- The end of memory --------------------------------------------------- */

/* Linux's lru links pages; the order lies beside it. */
static void linux_take_all(struct list_head *pages, gfp_t gfp)
{
	for (int order = 10; order >= 0; order--) {
		struct page *page;

		while ((page = alloc_pages(gfp, order))) {
			set_page_private(page, order);
			list_add(&page->lru, pages);
		}
	}
}

static void linux_give_all(struct list_head *pages)
{
	struct page *page;
	struct page *next;

	list_for_each_entry_safe(page, next, pages, lru)
	{
		unsigned int order = page_private(page);

		list_del(&page->lru);
		set_page_private(page, 0);
		__free_pages(page, order);
	}
}

static void linux_take_reserve(struct list_head *pages, struct measured *time)
{
	for (;;) {
		u64 begin = linux_ticks();
		struct page *page = alloc_page(ATOMIC);
		u64 ticks = linux_ticks() - begin;

		if (!page)
			return;
		time->ticks += ticks;
		time->operations++;
		time->readings++;
		set_page_private(page, 0);
		list_add(&page->lru, pages);
	}
}

static void linux_refuse(struct list_head *pages, gfp_t gfp,
                         struct measured *time)
{
	time->ticks = linux_ticks();
	for (unsigned long i = 0; i < REFUSALS; i++) {
		struct page *page = alloc_page(gfp);

		if (page) {
			set_page_private(page, 0);
			list_add(&page->lru, pages);
			return;
		}
	}
	time->ticks = linux_ticks() - time->ticks;
	time->operations = REFUSALS;
	time->rounds = REFUSALS;
}

enum end {
	END_RESERVE,
	END_ATOMIC,
	END_NOWAIT
};

static bool linux_at_the_end(struct measured *time, enum end what)
{
	LIST_HEAD(pages);
	unsigned long flags;

	linux_take_all(&pages, NOWAIT);
	local_irq_save(flags);
	linux_take_all(&pages, NOWAIT);
	if (what == END_RESERVE) {
		linux_take_reserve(&pages, time);
	} else if (what == END_NOWAIT) {
		linux_refuse(&pages, NOWAIT, time);
	} else {
		linux_take_all(&pages, ATOMIC);
		linux_refuse(&pages, ATOMIC, time);
	}
	local_irq_restore(flags);
	linux_give_all(&pages);
	return time->operations > 0;
}

static bool linux_reserve(struct measured *time)
{
	return linux_at_the_end(time, END_RESERVE);
}

static bool linux_refused_atomic(struct measured *time)
{
	return linux_at_the_end(time, END_ATOMIC);
}

static bool linux_refused_nowait(struct measured *time)
{
	return linux_at_the_end(time, END_NOWAIT);
}

/* ---- The worst of a million ---------------------------------------------- */

static u64 linux_time_alloc(struct page **page)
{
	unsigned long flags;
	u64 ticks;

	local_irq_save(flags);
	ticks = linux_ticks();
	*page = alloc_page(ATOMIC);
	ticks = linux_ticks() - ticks;
	local_irq_restore(flags);
	return ticks;
}

static u64 linux_time_free(struct page *page)
{
	unsigned long flags;
	u64 ticks;

	local_irq_save(flags);
	ticks = linux_ticks();
	__free_page(page);
	ticks = linux_ticks() - ticks;
	local_irq_restore(flags);
	return ticks;
}

static bool linux_burst(u64 *alloc, u64 *free)
{
	LIST_HEAD(burst);
	struct page *page;
	struct page *next;
	unsigned long count = 0;

	for (; count < BURST; count++) {
		*alloc = max(*alloc, linux_time_alloc(&page));
		if (!page)
			break;
		list_add(&page->lru, &burst);
	}
	list_for_each_entry_safe(page, next, &burst, lru)
	{
		list_del(&page->lru);
		*free = max(*free, linux_time_free(page));
	}
	cond_resched();
	return count == BURST;
}

static bool linux_worst(struct measured *time, bool of_free)
{
	u64 alloc = 0;
	u64 free = 0;

	for (unsigned long done = 0; done < MILLION; done += BURST) {
		if (!linux_burst(&alloc, &free))
			return false;
	}
	time->ticks = of_free ? free : alloc;
	time->operations = 1;
	time->readings = 1;
	return true;
}

static bool linux_worst_alloc(struct measured *time)
{
	return linux_worst(time, false);
}

static bool linux_worst_free(struct measured *time)
{
	return linux_worst(time, true);
}

/* ---- All of them --------------------------------------------------------- */

static const struct {
	const char *name;
	bool (*run)(struct measured *time);
	bool once;
} rows[] = {
	{ "order0_pair", linux_order0_pair, false },
	{ "order0_pair_atomic", linux_order0_pair_atomic, false },
	{ "order3_pair", linux_order3_pair, false },
	{ "order9_pair", linux_order9_pair, false },
	{ "batch1024", linux_batch1024, false },
	{ "bulk", linux_bulk, false },
	{ "churn50", linux_churn50, true },
	{ "churn90", linux_churn90, true },
	{ "kmalloc64_pair", linux_kmalloc64_pair, false },
	{ "worst_alloc", linux_worst_alloc, true },
	{ "worst_free", linux_worst_free, true },
	{ "reserve", linux_reserve, true },
	{ "refused_atomic", linux_refused_atomic, true },
	{ "refused_nowait", linux_refused_nowait, true },
};

static u64 linux_measure(bool (*run)(struct measured *time), bool once)
{
	u64 least = U64_MAX;

	for (unsigned int i = 0; i < (once ? 1 : REPETITIONS); i++) {
		struct measured time = { 0 };

		linux_measure_cost();
		if (!run(&time))
			return U64_MAX;
		least = min(least, linux_net(&time));
		cond_resched();
	}
	return least;
}

static int __init bench_linux_init(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 count = linux_measure(rows[i].run, rows[i].once);

		if (count == U64_MAX)
			pr_info("bench: %s NULL\n", rows[i].name);
		else
			pr_info("bench: %s %llu\n", rows[i].name, count);
	}
	pr_info("bench: end\n");
	return 0;
}
module_init(bench_linux_init);

static void __exit bench_linux_exit(void)
{
}
module_exit(bench_linux_exit);

MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("The loops of Labyrinth's bench in Linux");

/* SPDX-License-Identifier: MIT */
/*
 * tests/bench/host.c -- mm/ on the host, beside other allocators.
 *
 * tests/bench/ is a program that measures; tests/run/bench_host.py runs it.
 *
 *	bench pairs PEER COUNT	COUNT order-0 pairs of one peer, for callgrind
 *	bench times		nanoseconds, each peer in turn, round after round
 *	bench blocks		blocks of order 9 that are left after a churn
 *
 * Peers: labyrinth; floor (tests/bench/floor.h), order 0 alone; tcmalloc, if the library
 * is there, whose blocks are malloc(4096 << order); nothing, which is the loop.
 *
 * Each has 1 GiB.  The churn keeps 50 or 90 per cent of it in use, by blocks of order k
 * with probability 2^-(k+1), 9 the rest.  At the target a block drawn at random goes
 * back, below it one is taken.  The loops are one source that is inlined for each peer, so
 * that none pays for a call through a pointer but tcmalloc, whose library is opened when
 * the program runs: there it is a call through a pointer instead of one through the
 * linker's table, which is a jump more.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/random.h"
#include "mm/pcp.h"
#include "mm/reclaim/drain.h"
#include "tests/bench/floor.h"
#include "tests/bench/thin_machine.h"
#include "tests/host/libmm.h"

#define FRAMES      262144UL
#define LARGE       9U
#define SEED        0x4c616279ULL
#define SEEDS       10U
#define VALUES      1000000UL
#define ROUND_PAIRS 200000UL
#define ROUND_STEPS 100000UL
#define ROUNDS      31U
#define WARM_PAIRS  1000UL
#define CHURN_GFP   (GFP_NOWAIT | __GFP_NOWARN)
#define TCMALLOC    "libtcmalloc_minimal.so.4"

typedef uintptr_t take_function(unsigned int order);
typedef void give_function(uintptr_t block, unsigned int order);

/* ---- Peers --------------------------------------------------------------- */

static struct node *node;
static void *(*tcmalloc_malloc)(size_t size);
static void (*tcmalloc_free)(void *block);

static __always_inline uintptr_t labyrinth_take(unsigned int order)
{
	return (uintptr_t)alloc_pages(CHURN_GFP, order);
}

static __always_inline void labyrinth_give(uintptr_t block, unsigned int order)
{
	__free_pages((struct page *)block, order);
}

static __always_inline uintptr_t floor_peer_take(unsigned int order)
{
	return (uintptr_t)floor_take(1, order);
}

static __always_inline void floor_peer_give(uintptr_t block, unsigned int order)
{
	floor_give((struct floor_page *)block, order);
}

static __always_inline uintptr_t tcmalloc_take(unsigned int order)
{
	return (uintptr_t)tcmalloc_malloc(PAGE_SIZE << order);
}

static __always_inline void tcmalloc_give(uintptr_t block,
                                          unsigned int order __unused)
{
	tcmalloc_free((void *)block);
}

static void labyrinth_start(void)
{
	static struct pcp_cpu lists;

	thin_machine_run(machine_main());
	machine_start(FRAMES);
	node = machine_one_zone(ZONE_DMA32, FRAMES);
	node->min_free_kbytes = 4096;
	watermark_setup(node);
	set_main_node(node);
	pcp_start(node, &lists, 1);
}

static void labyrinth_end(void)
{
	const char *broken;

	drain_all_pages(node, NULL);
	broken = thin_machine_is_idle() ? machine_finish() : "not idle";
	if (broken != NULL) {
		fprintf(stderr, "the books: %s\n", broken);
		exit(1);
	}
	machine_stop();
}

static bool tcmalloc_start(void)
{
	void *library = dlopen(TCMALLOC, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		fprintf(stderr, "no tcmalloc (libtcmalloc-minimal4): %s\n",
		        dlerror());
		return false;
	}
	*(void **)&tcmalloc_malloc = dlsym(library, "tc_malloc");
	*(void **)&tcmalloc_free = dlsym(library, "tc_free");
	return tcmalloc_malloc != NULL && tcmalloc_free != NULL;
}

/* ---- Pairs --------------------------------------------------------------- */

static __always_inline void pairs(take_function *take, give_function *give,
                                  unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		uintptr_t block = take(0);

		give(block, 0);
	}
}

/* callgrind counts inside of these. */
static __noinline void pairs_of_labyrinth(unsigned long count)
{
	pairs(labyrinth_take, labyrinth_give, count);
}

static __noinline void pairs_of_floor(unsigned long count)
{
	pairs(floor_peer_take, floor_peer_give, count);
}

static __noinline void pairs_of_tcmalloc(unsigned long count)
{
	pairs(tcmalloc_take, tcmalloc_give, count);
}

static __noinline void pairs_of_nothing(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- Churn --------------------------------------------------------------- */

struct mix {
	uintptr_t *block;
	uint8_t *order;
	unsigned long blocks;
	unsigned long pages; /* in use by them */
	unsigned long target;
	unsigned long step; /* of the values */
	unsigned long failed;
};

/* The choices, for all peers and rounds. */
static uint8_t *value_order;
static uint32_t *value_place;

static void *bench_memory(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL) {
		fprintf(stderr, "no memory for the benchmark\n");
		exit(1);
	}
	return memory;
}

static void mix_values(uint64_t seed)
{
	struct random random = { seed };

	for (unsigned long i = 0; i < VALUES; i++) {
		uint64_t value = random_next(&random);

		value_order[i] = (uint8_t)__builtin_ctzll(value | 1U << LARGE);
		value_place[i] = (uint32_t)(value >> 32);
	}
}

static struct mix mix_new(unsigned int percent)
{
	return (struct mix){
		.block = bench_memory(FRAMES, sizeof(uintptr_t)),
		.order = bench_memory(FRAMES, 1),
		.target = FRAMES * percent / 100,
	};
}

static __always_inline void mix_take(struct mix *churn, unsigned int order,
                                     take_function *take)
{
	uintptr_t block = take(order);

	if (block == 0) {
		churn->failed++;
		return;
	}
	churn->block[churn->blocks] = block;
	churn->order[churn->blocks++] = (uint8_t)order;
	churn->pages += 1UL << order;
}

static __always_inline void mix_give(struct mix *churn, unsigned long index,
                                     give_function *give)
{
	give(churn->block[index], churn->order[index]);
	churn->pages -= 1UL << churn->order[index];
	churn->blocks--;
	churn->block[index] = churn->block[churn->blocks];
	churn->order[index] = churn->order[churn->blocks];
}

static __always_inline void mix_fill(struct mix *churn, take_function *take)
{
	for (unsigned long i = 0;
	     churn->pages < churn->target && churn->failed < 1000; i++)
		mix_take(churn, value_order[i % VALUES], take);
	churn->failed = 0;
}

static __always_inline void mix_steps(struct mix *churn, unsigned long steps,
                                      take_function *take, give_function *give)
{
	for (unsigned long i = 0; i < steps; i++) {
		unsigned long at = churn->step;

		churn->step = at + 1 == VALUES ? 0 : at + 1;
		if (churn->pages < churn->target)
			mix_take(churn, value_order[at], take);
		else
			mix_give(churn,
			         (uint64_t)value_place[at] * churn->blocks >>
			                 32,
			         give);
	}
}

static __noinline void mix_labyrinth(struct mix *churn, unsigned long steps)
{
	mix_steps(churn, steps, labyrinth_take, labyrinth_give);
}

static __noinline void mix_tcmalloc(struct mix *churn, unsigned long steps)
{
	mix_steps(churn, steps, tcmalloc_take, tcmalloc_give);
}

static __always_inline void mix_end(struct mix *churn, give_function *give)
{
	while (churn->blocks > 0)
		mix_give(churn, churn->blocks - 1, give);
	free(churn->block);
	free(churn->order);
}

/* ---- Times --------------------------------------------------------------- */

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void time_pairs(const char *peer, void (*run)(unsigned long count))
{
	double begin = now();

	run(ROUND_PAIRS);
	printf("pair %s %.3f\n", peer, (now() - begin) / ROUND_PAIRS);
}

static void time_churn(const char *peer, unsigned int percent,
                       struct mix *churn,
                       void (*run)(struct mix *churn, unsigned long steps))
{
	double begin = now();

	run(churn, ROUND_STEPS);
	printf("churn%u %s %.3f\n", percent, peer,
	       (now() - begin) / ROUND_STEPS);
}

static void times_of_pairs(bool tcmalloc)
{
	pairs_of_labyrinth(WARM_PAIRS);
	pairs_of_floor(WARM_PAIRS);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		time_pairs("labyrinth", pairs_of_labyrinth);
		time_pairs("floor", pairs_of_floor);
		if (tcmalloc)
			time_pairs("tcmalloc", pairs_of_tcmalloc);
	}
}

static void times_of_churn(unsigned int percent, bool tcmalloc)
{
	struct mix ours = mix_new(percent);
	struct mix theirs = mix_new(tcmalloc ? percent : 0);

	mix_fill(&ours, labyrinth_take);
	mix_fill(&theirs, tcmalloc_take);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		time_churn("labyrinth", percent, &ours, mix_labyrinth);
		if (tcmalloc)
			time_churn("tcmalloc", percent, &theirs, mix_tcmalloc);
	}
	printf("failed%u labyrinth %lu\n", percent, ours.failed);
	mix_end(&ours, labyrinth_give);
	mix_end(&theirs, tcmalloc_give);
}

static void bench_times(void)
{
	bool tcmalloc = tcmalloc_start();

	labyrinth_start();
	floor_start(FRAMES);
	mix_values(SEED);
	times_of_pairs(tcmalloc);
	times_of_churn(50, tcmalloc);
	times_of_churn(90, tcmalloc);
	labyrinth_end();
}

/* ---- Blocks left --------------------------------------------------------- */

/* How many blocks of LARGE can be allocated, by code that may use the reserve.  The lists of the
 * CPU go back first, as they do before such a request fails. */
static unsigned long blocks_left(void)
{
	static uintptr_t taken[FRAMES >> LARGE];
	unsigned long count = 0;
	unsigned long i = 0;

	drain_all_pages(node, NULL);
	while (count < ARRAY_SIZE(taken) &&
	       (taken[count] = (uintptr_t)alloc_pages(
			CHURN_GFP | __GFP_MEMALLOC, LARGE)) != 0)
		count++;
	while (i < count)
		labyrinth_give(taken[i++], LARGE);
	return count;
}

static void blocks_after_churn(uint64_t seed, unsigned int percent)
{
	struct mix churn;

	labyrinth_start();
	mix_values(seed);
	churn = mix_new(percent);
	mix_fill(&churn, labyrinth_take);
	mix_labyrinth(&churn, VALUES);
	printf("blocks%u %lu of %lu\n", percent, blocks_left(),
	       (FRAMES - churn.pages) >> LARGE);
	mix_end(&churn, labyrinth_give);
	labyrinth_end();
}

static void bench_blocks(void)
{
	for (unsigned int i = 0; i < SEEDS; i++) {
		blocks_after_churn(SEED + i, 50);
		blocks_after_churn(SEED + i, 90);
	}
}

/* ---- One peer, for callgrind --------------------------------------------- */

static bool bench_pairs(const char *peer, unsigned long count)
{
	void (*run)(unsigned long count) = pairs_of_nothing;

	if (strcmp(peer, "labyrinth") == 0) {
		labyrinth_start();
		run = pairs_of_labyrinth;
	} else if (strcmp(peer, "floor") == 0) {
		floor_start(FRAMES);
		run = pairs_of_floor;
	} else if (strcmp(peer, "tcmalloc") == 0) {
		if (!tcmalloc_start())
			return false;
		run = pairs_of_tcmalloc;
	} else if (strcmp(peer, "nothing") != 0) {
		return false;
	}
	run(count);
	return true;
}

int main(int argc, char **argv)
{
	value_order = bench_memory(VALUES, sizeof(*value_order));
	value_place = bench_memory(VALUES, sizeof(*value_place));
	if (argc == 4 && strcmp(argv[1], "pairs") == 0)
		return bench_pairs(argv[2], strtoul(argv[3], NULL, 10)) ? 0 : 1;
	if (argc == 2 && strcmp(argv[1], "times") == 0)
		bench_times();
	else if (argc == 2 && strcmp(argv[1], "blocks") == 0)
		bench_blocks();
	else
		return 2;
	return 0;
}

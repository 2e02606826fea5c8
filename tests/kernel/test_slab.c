/* SPDX-License-Identifier: MIT */
/*
 * Slabs in the kernel: an interrupt at every instruction of each way through them.
 *
 * A thread runs one way under the trap flag (kernel/arch/step.h), once for each
 * boundary, where an interrupt comes.  Its handler takes an object and keeps it, and
 * gives one of the same slab back.  Then nobody may have another's object, every free
 * list must be sound, and when all is given back no slab may be left.
 *
 * The ways end where pages are taken or given: tests/kernel/test_step.c goes on there.
 * The rules themselves are shown on the host: tests/host/test_slab.c.
 */
#include "kernel/arch/arch.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/step.h"
#include "kernel/arch/trap.h"
#include "kernel/core/irq.h"
#include "kernel/core/sched.h"
#include "lib/string.h"
#include "mm/mm_check.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab_internal.h"
#include "tests/suite.h"

SUITE(slab);

#define LINE    5 /* nothing on a PC's board has it */
#define SIZE    2048U
#define EACH    8U /* objects in a slab of them */
#define OBJECTS 72U
#define MOST    5000UL

static struct {
	struct kmem_cache *cache;
	uint64_t *object[OBJECTS]; /* the thread's */
	unsigned int count;
	uint64_t *result; /* of the way */
	uint64_t *kept;   /* the line's */
	uint64_t *spare;  /* which the line gives back */
	uint64_t *victim; /* which the thread gives back */
	unsigned long target;
	unsigned long boundaries;
	unsigned long open;
	bool came;
} slabs;

struct slab_way {
	const char *name;
	void (*prepare)(void);
	void (*run)(void *);
};

/* ---- The handler, and the walk ------------------------------------------- */

static void test_slab_on_line(int irq, void *dev_id)
{
	(void)irq;
	(void)dev_id;
	slabs.kept = kmem_cache_alloc(slabs.cache, GFP_ATOMIC);
	if (slabs.kept != NULL)
		*slabs.kept = 2;
	kmem_cache_free(slabs.cache, slabs.spare);
	slabs.spare = NULL;
	slabs.came = true;
}

static enum step_action test_slab_step(const struct step_boundary *boundary,
                                       void *data)
{
	(void)data;
	slabs.boundaries = boundary->number;
	if (slabs.came)
		return STEP_END;
	if (boundary->number < slabs.target || !boundary->open)
		return STEP_ON;
	slabs.open++;
	slabs.target = boundary->number;
	return STEP_INTERRUPT;
}

/* ---- The ways ------------------------------------------------------------ */

static bool test_slab_take(unsigned int count)
{
	while (count-- > 0 && slabs.count < OBJECTS) {
		uint64_t *object = kmem_cache_alloc(slabs.cache, GFP_KERNEL);

		if (object == NULL)
			return false;
		*object = 1;
		slabs.object[slabs.count++] = object;
	}
	return true;
}

/* Object number I of the thread goes back. */
static void test_slab_give(unsigned int i)
{
	kmem_cache_free(slabs.cache, slabs.object[i]);
	slabs.object[i] = slabs.object[--slabs.count];
}

static void test_slab_prepare_hot(void)
{
	test_slab_take(4);
}

/* One object is left on the CPU's list, and partial slabs on its other one. */
static void test_slab_prepare_cpu_partial(void)
{
	test_slab_take(4 * EACH);
	for (unsigned int i = 0; i < 3; i++)
		test_slab_give(i * EACH);
}

/* As many full slabs become partial as a CPU may have, and one more: the cache has
 * them. */
static void test_slab_prepare_partial(void)
{
	unsigned int partials = slabs.cache->cpu_partial + 1;

	test_slab_take((partials + 1) * EACH);
	for (unsigned int i = 0; i < partials; i++)
		test_slab_give(i * EACH);
	/* And the CPU has none. */
	test_slab_take(1);
}

/* Object number I is the thread's next one to be given back. */
static void test_slab_choose(unsigned int i)
{
	slabs.victim = slabs.object[i];
	slabs.object[i] = slabs.object[--slabs.count];
}

static void test_slab_prepare_full(void)
{
	test_slab_take(3 * EACH);
	test_slab_choose(0);
}

static void test_slab_prepare_many(void)
{
	unsigned int partials = slabs.cache->cpu_partial;

	test_slab_take((partials + 2) * EACH);
	test_slab_choose(partials * EACH);
	for (unsigned int i = 0; i < partials; i++)
		test_slab_give(i * EACH);
}

static void test_slab_run_alloc(void *data)
{
	(void)data;
	slabs.result = kmem_cache_alloc(slabs.cache, GFP_KERNEL);
}

/* The object that was taken last. */
static void test_slab_run_free(void *data)
{
	(void)data;
	kmem_cache_free(slabs.cache, slabs.object[--slabs.count]);
}

/* One of a full slab. */
static void test_slab_run_free_chosen(void *data)
{
	(void)data;
	kfree(slabs.victim);
}

static const struct slab_way slab_ways[] = {
	{ "alloc, hot", test_slab_prepare_hot, test_slab_run_alloc },
	{ "free, hot", test_slab_prepare_hot, test_slab_run_free },
	{ "alloc from the CPU's partial slabs", test_slab_prepare_cpu_partial,
	  test_slab_run_alloc },
	{ "alloc from the cache's partial slabs", test_slab_prepare_partial,
	  test_slab_run_alloc },
	{ "free to a full slab", test_slab_prepare_full,
	  test_slab_run_free_chosen },
	{ "free that moves a CPU's list", test_slab_prepare_many,
	  test_slab_run_free_chosen },
};

/* ---- The other lines ----------------------------------------------------- */

/* No line but the test's: the timer would let another thread run, which is stepped
 * then. */
static uint16_t test_slab_mask_lines(void)
{
	uint16_t masked = 0;

	for (unsigned int irq = 0; irq < IRQ_LINES; irq++) {
		if (irq == LINE || irq_owner(irq) == NULL)
			continue;
		irq_mask(irq);
		masked |= (uint16_t)(1U << irq);
	}
	return masked;
}

static void test_slab_unmask_lines(uint16_t masked)
{
	for (unsigned int irq = 0; irq < IRQ_LINES; irq++) {
		if (masked >> irq & 1)
			irq_unmask(irq);
	}
}

/* ---- One run ------------------------------------------------------------- */

static const char *test_slab_judge(void)
{
	static char text[160];

	if (slabs.kept != NULL && slabs.kept == slabs.result)
		return "thread and line were given one object";
	if (slabs.came && slabs.kept == NULL)
		return "the line was given nothing";
	for (unsigned int i = 0; i < slabs.count; i++) {
		if (slabs.object[i] == slabs.result ||
		    slabs.object[i] == slabs.kept)
			return "an object in use was given";
		if (*slabs.object[i] != 1)
			return "somebody wrote to the thread's object";
	}
	return slab_check(slabs.cache->node, text, sizeof(text));
}

static const char *test_slab_run_once(const struct slab_way *way)
{
	const char *wrong;
	uint16_t masked;

	slabs.count = 0;
	slabs.result = NULL;
	slabs.kept = NULL;
	slabs.victim = NULL;
	slabs.came = false;
	slabs.boundaries = 0;
	slabs.cache = kmem_cache_create("step", SIZE, 0, 0, NULL);
	if (slabs.cache == NULL)
		return "no cache";
	way->prepare();
	/* The one taken before the last. */
	slabs.spare = slabs.object[slabs.count - 2];
	slabs.object[slabs.count - 2] = slabs.object[slabs.count - 1];
	slabs.count--;
	masked = test_slab_mask_lines();
	step_run(way->run, NULL, LINE, test_slab_step, NULL);
	test_slab_unmask_lines(masked);
	wrong = test_slab_judge();
	if (wrong != NULL)
		return wrong;
	while (slabs.count > 0)
		test_slab_give(0);
	kmem_cache_free(slabs.cache, slabs.result);
	kmem_cache_free(slabs.cache, slabs.kept);
	kmem_cache_free(slabs.cache, slabs.spare);
	if (kmem_cache_shrink(slabs.cache) != 0)
		wrong = "an object is lost";
	kmem_cache_destroy(slabs.cache);
	return wrong;
}

static const char *test_slab_walk(const struct slab_way *way)
{
	const char *wrong = NULL;

	slabs.open = 0;
	for (slabs.target = 1; wrong == NULL && slabs.target < MOST;
	     slabs.target++) {
		wrong = test_slab_run_once(way);
		thread_yield();
		if (!slabs.came)
			break;
	}
	test_note("slab %s: %lu boundaries, %lu interrupted", way->name,
	          slabs.boundaries, slabs.open);
	if (wrong != NULL)
		return test_failure("%s, at boundary %lu: %s", way->name,
		                    slabs.target, wrong);
	return slabs.open == 0 ? "no boundary was open" : NULL;
}

CASE(slab, an_interrupt_at_every_instruction_takes_nothing_from_anybody)
{
	uint64_t mark = log_mark();
	const char *wrong = NULL;

	if (request_irq(LINE, test_slab_on_line, "slab", &slabs) != 0)
		return "line 5 is taken";
	for (size_t i = 0; i < ARRAY_SIZE(slab_ways) && wrong == NULL; i++)
		wrong = test_slab_walk(&slab_ways[i]);
	EXPECT(free_irq(LINE, &slabs) == 0);
	if (wrong == NULL)
		EXPECT_EQUAL(log_count_since(mark, "BUG"), 0);
	return wrong;
}

/* ---- In the kernel, with its own allocator ------------------------------- */

static unsigned long test_slab_instructions;

static enum step_action test_slab_count(const struct step_boundary *boundary,
                                        void *data)
{
	(void)data;
	test_slab_instructions = boundary->number;
	return STEP_ON;
}

static void test_slab_pair(void *data)
{
	(void)data;
	kfree(kmalloc(64, GFP_KERNEL));
}

/* The checked build also checks each addition and each pointer. */
#ifdef CHECKED
#define PAIR_BOUND 700
#else
#define PAIR_BOUND 350
#endif

/* Twice: the first time, the CPU's list may be empty. */
CASE(slab, a_pair_of_kmalloc_64_takes_no_lock_and_few_instructions)
{
	void *other = kmalloc(64, GFP_KERNEL);
	uint16_t masked;

	EXPECT(other != NULL);
	test_slab_pair(NULL);
	masked = test_slab_mask_lines();
	step_run(test_slab_pair, NULL, LINE, test_slab_count, NULL);
	test_slab_unmask_lines(masked);
	kfree(other);
	test_note("slab: kmalloc(64) and kfree(): %lu instructions",
	          test_slab_instructions);
	EXPECT(test_slab_instructions < PAIR_BOUND);
	return NULL;
}

CASE(slab, memory_of_all_sizes_comes_from_the_kernels_own_allocator)
{
	static const size_t sizes[] = { 1, 64, 700, 5000, 20000 };
	uint64_t mark = log_mark();
	uint8_t *memory[ARRAY_SIZE(sizes)];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memory[i] = kzalloc(sizes[i], GFP_KERNEL);
		EXPECT(memory[i] != NULL && ksize(memory[i]) >= sizes[i]);
		EXPECT_EQUAL(memory[i][sizes[i] - 1], 0);
		memset(memory[i], 0x5b, sizes[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		kfree(memory[i] + 1);
		kfree(memory[i]);
	}
	EXPECT_EQUAL(log_count_since(mark, "refused: it is"),
	             ARRAY_SIZE(sizes));
	EXPECT(log_contains_since(mark, "test_slab.c:"));
	return NULL;
}

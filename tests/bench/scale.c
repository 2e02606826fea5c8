/* SPDX-License-Identifier: MIT */
/*
 * tests/bench/scale.c -- does an operation cost more where there is more of everything?
 *
 * A program that prints a line for each operation and scene: its name, memory in MB, free
 * single pages, owners, and the instructions of REPEATS such operations.  Scenes
 * differ in one of these numbers; tests/run/bench_host.py compares the counts.
 *
 * A child builds the scene at full speed, stops, does the operations, and stops again.
 * Between its two stops the parent lets it make one instruction at a time, and counts
 * (ptrace(2), PTRACE_SINGLESTEP).  So the count is exact, and the time that it takes
 * does not depend on the scene.  A system call is one instruction; on this machine they
 * stand for what kernel/arch/ does in a handful.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mm/pcp.h"
#include "mm/reclaim/drain.h"
#include "tests/bench/thin_machine.h"
#include "tests/host/libmm.h"

#define REPEATS    1UL
#define WARM       64UL
#define PARKED     12UL
#define BATCH      64UL
#define PER_MB     (MIB / PAGE_SIZE)
#define MOST_LONE  1000000UL
#define MOST_OWNED 2000UL

struct scale_scene {
	unsigned long megabytes;
	unsigned long lone;   /* free pages whose buddy is in use */
	unsigned long owners; /* besides thread main */
};

struct scale_operation {
	const char *name;
	void (*prepare)(void); /* NULL: nothing is to be done before */
	void (*once)(void);
};

static struct node *node;
static struct thread receiver;

/* ---- Operations ---------------------------------------------------------- */

static void scale_pair(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp | __GFP_NOWARN, order);

	if (page == NULL)
		panic("no memory in this scene");
	__free_pages(page, order);
}

static void once_page(void)
{
	scale_pair(GFP_ATOMIC, 0);
}

static void once_large(void)
{
	scale_pair(GFP_NOWAIT | __GFP_COMP, MAX_ORDER);
}

/* More than there is on the list, so that the zone works, too. */
static void once_batch(void)
{
	static struct page *page[BATCH];

	for (unsigned long i = 0; i < BATCH; i++) {
		page[i] = alloc_page(GFP_NOWAIT);
		if (page[i] == NULL)
			panic("no memory in this scene");
	}
	for (unsigned long i = 0; i < BATCH; i++)
		__free_page(page[i]);
}

/* All of memory that a request which cannot wait may have. */
static void prepare_refused(void)
{
	for (int order = MAX_ORDER; order >= 0; order--) {
		while (alloc_pages(GFP_NOWAIT | __GFP_NOWARN,
		                   (unsigned int)order) != NULL)
			;
	}
}

static void once_refused(void)
{
	if (alloc_page(GFP_NOWAIT | __GFP_NOWARN) != NULL)
		panic("there is memory left");
}

static void once_exclusive(void)
{
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (page == NULL || exclusive_release(page) != 0)
		panic("no exclusive page in this scene");
}

static void scale_run(struct thread *thread)
{
	machine_switch_to(thread);
	thin_machine_run(thread);
}

static void prepare_handover(void)
{
	machine_begin_thread(&receiver, "receiver");
}

/* A page there and back. */
static void once_handover(void)
{
	void *page = labyrinth_void_alloc_page_gfp_atomic_exclusive();

	if (page == NULL || exclusive_transfer(page, receiver.owner.id) != 0)
		panic("the page cannot be sent");
	scale_run(&receiver);
	page = exclusive_accept();
	if (page == NULL || exclusive_release(page) != 0)
		panic("the page did not arrive");
	scale_run(machine_main());
}

static void once_nothing(void)
{
}

static void prepare_cpu_lists(void)
{
	static struct pcp_cpu lists;

	pcp_start(node, &lists, 1);
}

/* In this order, in one scene: those without lists first, and last the one that leaves no
 * memory. */
static const struct scale_operation operations[] = {
	{ "nothing", NULL, once_nothing },
	{ "page_of_zone", NULL, once_page },
	{ "order10_of_zone", NULL, once_large },
	{ "page_of_list", prepare_cpu_lists, once_page },
	{ "batch", NULL, once_batch },
	{ "exclusive", NULL, once_exclusive },
	{ "handover", prepare_handover, once_handover },
	{ "refused", prepare_refused, once_refused },
};

/* ---- Scenes -------------------------------------------------------------- */

static const struct scale_scene scenes[] = {
	{ 64, 8, 0 },
	{ 1024, 8, 0 },
	{ 16384, 8, 0 },
	{ 16384, MOST_LONE, 0 },
	{ 16384, 8, MOST_OWNED },
};

static void scale_begin_owners(unsigned long count)
{
	static struct thread thread[MOST_OWNED];

	for (unsigned long i = 0; i < count; i++)
		machine_begin_thread(&thread[i], "one of many");
}

/* COUNT free pages whose buddies are in use. */
static void scale_free_lone(unsigned long count)
{
	static struct page *page[2 * MOST_LONE];

	for (unsigned long i = 0; i < 2 * count; i++)
		page[i] = alloc_page(GFP_NOWAIT);
	for (unsigned long i = 0; i < 2 * count; i++) {
		if (page[i] == NULL)
			panic("no room for %lu free pages", count);
		if (page_to_pfn(page[i]) % 2 == 0)
			__free_page(page[i]);
	}
}

static void scale_build(const struct scale_scene *scene)
{
	thin_machine_run(machine_main());
	machine_start(scene->megabytes * PER_MB);
	node = machine_one_zone(ZONE_NORMAL, scene->megabytes * PER_MB);
	node->min_free_kbytes = 1024;
	watermark_setup(node);
	machine_start_exclusive(node, 4);
	if (exclusive_refill(node, PARKED) < PARKED)
		panic("no frames are parked");
	scale_begin_owners(scene->owners);
	scale_free_lone(scene->lone);
}

/* ---- Counting ------------------------------------------------------------ */

static void scale_do(const struct scale_operation *operation)
{
	if (operation->prepare != NULL)
		operation->prepare();
	for (unsigned long i = 0; i < WARM; i++)
		operation->once();
	raise(SIGSTOP);
	for (unsigned long i = 0; i < REPEATS; i++)
		operation->once();
	raise(SIGSTOP);
}

/* The child: REPEATS operations of each kind, between two stops. */
static __noreturn void scale_child(const struct scale_scene *scene)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		panic("the host lets no program be traced");
	scale_build(scene);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		scale_do(&operations[i]);
	_exit(thin_machine_is_idle() ? 0 : 1);
}

static bool scale_stopped(pid_t child, int signal)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == signal;
}

/* Instructions between its next two stops; 0: it did not come so far. */
static unsigned long scale_count(pid_t child)
{
	unsigned long count = 0;

	if (!scale_stopped(child, SIGSTOP))
		return 0;
	do {
		count++;
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
			return 0;
	} while (scale_stopped(child, SIGTRAP));
	(void)ptrace(PTRACE_CONT, child, NULL, NULL);
	return count;
}

static bool scale_measure(const struct scale_scene *scene)
{
	unsigned long count = 1;
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		scale_child(scene);
	for (size_t i = 0; count > 0 && i < ARRAY_SIZE(operations); i++) {
		count = scale_count(child);
		printf("%s %lu %lu %lu %lu\n", operations[i].name,
		       scene->megabytes, scene->lone, scene->owners, count);
	}
	if (count == 0)
		(void)kill(child, SIGKILL);
	(void)waitpid(child, &status, 0);
	return status == 0;
}

/* Both processes on one CPU: they take turns, and each waits for the other. */
static void scale_stay_here(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

int main(void)
{
	bool well = true;

	scale_stay_here();
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++)
		well = scale_measure(&scenes[i]) && well;
	return well ? 0 : 1;
}

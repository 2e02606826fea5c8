/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_swap.c -- swap areas, and anonymous memory to try them with.
 *
 * `anon` keeps a few objects, each filled with numbers that follow from a seed,
 * the page and the place in the page, so that a page that comes back from the
 * disk wrong, or in another's place, is seen:
 *
 *	anon 1024		object 1 of 1024 pages
 *	anon fill 1 42		numbers that follow from 42
 *	anon out 1		all of it to swap, now
 *	anon verify 1		read it, and say how many pages are wrong
 *	anon drop 1
 *
 * The shell's thread alone uses what is here: no lock.
 */
#include "kernel/core/console.h"
#include "kernel/core/sched.h"
#include "kernel/shell/shell_command.h"
#include "kernel/swap_device.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/oom.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"
#include "mm/user/anon.h"

/* ---- swapon, swapoff, swaps ---------------------------------------------- */

static const char *shell_swap_error_text(int error)
{
	switch (error) {
	case -EBUSY:
		return "it is in use";
	case -ENXIO:
		return "it is not on";
	case -ENOSPC:
		return "there is no room";
	case -ENOMEM:
		return "not enough memory";
	case -EIO:
		return "the disk reports an error";
	case -ETIMEDOUT:
		return "the disk does not answer";
	case -EFAULT:
		return "the memory was taken away";
	case -EINTR:
		return "interrupted";
	default:
		return "it failed";
	}
}

/* The device, or NULL and a message. */
static struct swap_device *find_device(const char *command, const char *name)
{
	struct swap_device *device = swap_device_find(name);

	if (device == NULL)
		console_printf("%s: there is no disk '%s'\n", command, name);
	return device;
}

static int shell_swap_run_swapon(int argc, char **argv)
{
	struct swap_device *device;
	uint64_t priority = 0;
	const char *why = NULL;
	int error;

	if (argc < 2 || argc > 3 ||
	    (argc == 3 &&
	     shell_number(argv[2], "swapon", 0, 32767, &priority) != 0))
		return -EINVAL;
	device = find_device("swapon", argv[1]);
	if (device == NULL)
		return 0;
	error = swapon(device, argc == 3 ? (int)priority : -1, &why);
	if (error != 0)
		console_printf("swapon: %s: %s\n", argv[1],
		               why != NULL ? why
		                           : shell_swap_error_text(error));
	return 0;
}

static int shell_swap_run_swapoff(int argc, char **argv)
{
	struct swap_device *device;
	int error;

	if (argc != 2)
		return -EINVAL;
	device = find_device("swapoff", argv[1]);
	if (device == NULL)
		return 0;
	error = swapoff(device);
	if (error != 0)
		console_printf("swapoff: %s: %s\n", argv[1],
		               shell_swap_error_text(error));
	return 0;
}

/* Linux's swap_show(): sizes in kB; a tab more while they are short. */
static int run_swaps(int argc, char **argv __unused)
{
	struct swap_info info;

	if (argc > 1)
		return -EINVAL;
	/* Linux's columns; its tabs would make them wider than a screen. */
	console_printf("%-28s%-12s%12s%12s%12s\n", "Filename", "Type", "Size",
	               "Used", "Priority");
	for (unsigned int type = 0; type < MAX_SWAPFILES; type++) {
		if (!swap_area_info(type, &info))
			continue;
		console_printf("/dev/%-23s%-12s%12lu%12lu%12d\n",
		               info.device->name, "partition",
		               info.pages * (PAGE_SIZE / KIB),
		               info.used * (PAGE_SIZE / KIB), info.priority);
	}
	return 0;
}

/* ---- Anonymous memory to try them with ----------------------------------- */

#define WORDS (PAGE_SIZE / sizeof(uint64_t))

/* One page of contents, and what it should be. */
static uint64_t is[WORDS];
static uint64_t should[WORDS];

/* For object ID, as if it were filled from its first page to its last. */
static void make_contents(unsigned int id, unsigned long index)
{
	struct random random = { shell_object(id)->seed + index * WORDS };

	for (size_t i = 0; i < WORDS; i++)
		should[i] = random_next(&random);
}

static int run_create(uint64_t pages)
{
	unsigned int id = 1;

	while (id <= SHELL_OBJECTS && shell_object(id)->memory != NULL)
		id++;
	if (id > SHELL_OBJECTS) {
		console_printf("anon: there are %u objects already\n",
		               SHELL_OBJECTS);
		return 0;
	}
	shell_object(id)->memory = anon_object_create(pages);
	shell_object(id)->filled = 0;
	if (shell_was_killed())
		return 0;
	if (shell_object(id)->memory == NULL)
		console_printf("anon: %s\n", shell_swap_error_text(-ENOMEM));
	else
		console_printf("object %u: %llu pages\n", id,
		               (unsigned long long)pages);
	return 0;
}

static void run_fill(unsigned int id, uint64_t seed)
{
	unsigned long pages = anon_object_usage(shell_object(id)->memory).pages;
	int error = 0;
	unsigned long done = 0;

	shell_object(id)->seed = seed;
	while (done < pages && error == 0 && !shell_interrupted()) {
		make_contents(id, done);
		error = anon_object_write(shell_object(id)->memory,
		                          done * PAGE_SIZE, should, PAGE_SIZE);
		done += error == 0;
	}
	shell_object(id)->filled = max(shell_object(id)->filled, done);
	if (shell_was_killed())
		return;
	console_printf("object %u: %lu of %lu pages filled%s%s\n", id, done,
	               pages, error == 0 ? "" : ": ",
	               error == 0 ? "" : shell_swap_error_text(error));
}

static void run_verify(unsigned int id)
{
	unsigned long pages = anon_object_usage(shell_object(id)->memory).pages;
	unsigned long wrong = 0;
	unsigned long unread = 0;
	unsigned long i;

	for (i = 0; i < pages && !shell_interrupted(); i++) {
		make_contents(id, i);
		if (i >= shell_object(id)->filled)
			memset(should, 0, PAGE_SIZE);
		if (anon_object_read(shell_object(id)->memory, i * PAGE_SIZE,
		                     is, PAGE_SIZE) != 0)
			unread++;
		else if (memcmp(is, should, PAGE_SIZE) != 0)
			wrong++;
	}
	if (shell_was_killed())
		return;
	console_printf("object %u: %lu pages, %lu wrong, %lu cannot be read\n",
	               id, i, wrong, unread);
}

static void run_out(unsigned int id)
{
	unsigned long pages = anon_object_usage(shell_object(id)->memory).pages;
	int error = 0;

	for (unsigned long i = 0;
	     i < pages && error == 0 && !shell_interrupted(); i++)
		error = anon_object_swap_out(shell_object(id)->memory, i);
	console_printf("object %u: %lu of %lu pages in memory%s%s\n", id,
	               anon_object_usage(shell_object(id)->memory).resident,
	               pages, error == 0 ? "" : ": ",
	               error == 0 ? "" : shell_swap_error_text(error));
}

static void run_drop(unsigned int id)
{
	anon_object_destroy(shell_object(id)->memory);
	shell_object(id)->memory = NULL;
}

static void run_list(void)
{
	char text[160];
	const char *broken = swap_check(text, sizeof(text));

	if (broken == NULL)
		broken = anon_check(text, sizeof(text));
	console_printf("  object    pages resident  swapped\n");
	for (unsigned int id = 1; id <= SHELL_OBJECTS; id++) {
		struct anon_usage usage;

		if (shell_object(id)->memory == NULL)
			continue;
		usage = anon_object_usage(shell_object(id)->memory);
		console_printf("%8u %8lu %8lu %8lu\n", id, usage.pages,
		               usage.resident, usage.swapped);
	}
	console_printf("%s\n", broken == NULL ? "adds up" : broken);
}

/* An existing object's number in TEXT, or a message and 0. */
static unsigned int object_number(const char *text)
{
	uint64_t id;

	if (shell_number(text, "anon", 1, SHELL_OBJECTS, &id) != 0)
		return 0;
	if (shell_object(id)->memory != NULL)
		return (unsigned int)id;
	console_printf("anon: there is no object %u\n", (unsigned int)id);
	return 0;
}

static int run_on_object(const char *what, unsigned int id)
{
	if (strcmp(what, "out") == 0)
		run_out(id);
	else if (strcmp(what, "verify") == 0)
		run_verify(id);
	else if (strcmp(what, "drop") == 0)
		run_drop(id);
	else
		return -EINVAL;
	return 0;
}

static int run_anon(int argc, char **argv)
{
	uint64_t number;
	unsigned int id;

	if (argc == 1) {
		run_list();
		return 0;
	}
	if (argc == 2) {
		if (shell_number(argv[1], "anon", 1, ANON_MAX_PAGES, &number) !=
		    0)
			return -EINVAL;
		return run_create(number);
	}
	id = object_number(argv[2]);
	if (id == 0 || argc > 4)
		return id == 0 ? 0 : -EINVAL;
	if (argc == 3)
		return run_on_object(argv[1], id);
	if (strcmp(argv[1], "fill") != 0 ||
	    shell_number(argv[3], "anon", 0, UINT64_MAX, &number) != 0)
		return -EINVAL;
	run_fill(id, number);
	return 0;
}

static const char *anon_candidate(const char *word __unused, unsigned int index)
{
	static const char *const words[] = { "fill", "out", "verify", "drop" };

	return index < ARRAY_SIZE(words) ? words[index] : NULL;
}

/* ---- Who would be killed? ------------------------------------------------ */

static unsigned long total_pages(void)
{
	return node_managed(main_node()) + total_swap_pages();
}

static void print_score(struct thread *thread, void *shown)
{
	int64_t points = oom_badness(thread, total_pages());

	if (thread == shown)
		return;
	console_printf("%6llu %-16s %8lu %8lu %13d ",
	               (unsigned long long)thread->owner.id, thread->owner.name,
	               thread->mm->rss, thread->mm->swapents,
	               thread->mm->oom_score_adj);
	if (points == OOM_NEVER)
		console_printf("%8s\n", "never");
	else
		console_printf("%8lld\n", (long long)points);
}

/* The new value for the thread with NUMBER, if it is alive. */
struct adjustment {
	uint64_t number;
	int64_t adj;
	bool done;
};

static void adjust(struct thread *thread, void *data)
{
	struct adjustment *adjustment = data;

	if (thread->owner.id != adjustment->number)
		return;
	thread->mm->oom_score_adj = (short)adjustment->adj;
	adjustment->done = true;
}

/* A number from -1000 to 1000 in TEXT, or a message. */
static int parse_adj(const char *text, int64_t *adj)
{
	int error = parse_signed(text, adj);

	if (error == 0 &&
	    (*adj < OOM_SCORE_ADJ_MIN || *adj > OOM_SCORE_ADJ_MAX))
		error = -ERANGE;
	if (error != 0)
		console_printf("oom_score_adj: '%s' is no number in %d..%d\n",
		               text, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX);
	return error;
}

static int run_oom_score_adj(int argc, char **argv)
{
	struct adjustment wanted = { 0 };

	if (argc == 2 || argc > 3)
		return -EINVAL;
	if (argc == 3) {
		if (shell_number(argv[1], "oom_score_adj", 0, OWNER_ID_MAX,
		                 &wanted.number) != 0 ||
		    parse_adj(argv[2], &wanted.adj) != 0)
			return 0;
		adjust(current_thread(), &wanted);
		thread_visit(adjust, &wanted);
		if (!wanted.done)
			console_printf("oom_score_adj: there is no thread "
			               "%s\n",
			               argv[1]);
		return 0;
	}
	console_printf("%6s %-16s %8s %8s %13s %8s\n", "number", "thread",
	               "rss", "swapents", "oom_score_adj", "badness");
	print_score(current_thread(), NULL);
	thread_visit(print_score, current_thread());
	return 0;
}

/* ---- The table ----------------------------------------------------------- */

static const struct shell_command commands[] = {
	SHELL_COMMAND("swapon", "DEVICE [PRIORITY]", shell_swap_run_swapon,
	              NULL, "swap to a disk or partition"),
	SHELL_COMMAND("swapoff", "DEVICE", shell_swap_run_swapoff, NULL,
	              "bring everything back from there"),
	SHELL_COMMAND("swaps", "", run_swaps, NULL,
	              "what is swapped to (/proc/swaps)"),
	SHELL_COMMAND("anon", "[PAGES|WORD ID [SEED]]", run_anon,
	              anon_candidate,
	              "anonymous memory; words: fill out verify drop"),
	SHELL_COMMAND("oom_score_adj", "[THREAD VALUE]", run_oom_score_adj,
	              NULL,
	              "who is killed for memory; -1000 never, 1000 first"),
};

SHELL_TABLE(shell_swap_commands, "swap",
            "anonymous memory, swap, and who is killed", commands);

/* SPDX-License-Identifier: MIT */
/*
 * docs/play/play_work.c -- pages that reclaim can take, and the threads that serve.
 *
 * There is one CPU and no scheduler.  The threads of the kernel are functions that do one
 * piece of work (kswapd_step(), kcompactd_step(), oom_reap_one(), exclusive_balance()), and
 * they run
 *
 *	behind a command	that has woken them, or that names them
 *	in a wait		of a request: as on a machine whose only CPU is free then
 *
 * The owners of files and of anonymous memory are those of the suites (tests/mm/space.h):
 * what they write is on the disk immediately.
 */
#include "docs/play/play.h"
#include "kernel/core/context.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/pcp.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/kcompactd.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/oom.h"
#include "mm/reclaim/page_writeback.h"
#include "mm/reclaim/reclaim.h"
#include "mm/task.h"
#include "tests/host/libmm.h"
#include "tests/mm/space.h"

#define FILES        4U
#define PROGRAMS     4U
#define KSWAPD_STEPS 20U /* more than MAX_RECLAIM_RETRIES */
#define ONE_SECOND   1000000UL

struct program {
	bool alive;
	struct thread thread;
	struct mm_task mm;
	struct space space;
};

static struct {
	struct space file[FILES];
	struct space anon;
	struct program program[PROGRAMS];
	unsigned long slots; /* free on swap, for all */
	struct thread kswapd_thread;
	struct kswapd kswapd;
	struct thread kcompactd_thread;
	struct kcompactd kcompactd;
	bool by_hand;         /* nobody runs by himself */
	bool serving;         /* one of the threads runs */
	bool called;          /* kswapd: the wake-up that it has to find */
	bool refill;          /* the refiller was woken */
	unsigned long ran[3]; /* kswapd, kcompactd, reaper: since last told */
} work;

/* ---- Swap ---------------------------------------------------------------- */

/* Each space counts slots for itself; all begin with the same number. */
static void share_slots(void)
{
	work.anon.slots = work.slots;
	for (unsigned int i = 0; i < PROGRAMS; i++)
		work.program[i].space.slots = work.slots;
}

static unsigned long free_slots(void)
{
	return work.anon.slots;
}

static unsigned long all_slots(void)
{
	return work.slots;
}

const char *play_swap(const struct play_words *words)
{
	if (words->count != 2 ||
	    !play_parse(words->word[1], 0, SPACE_PAGES, &work.slots))
		return "swap wants a number of pages, at most 4096";
	share_slots();
	reclaim_set_swap(play_node(), work.slots > 0 ? free_slots : NULL);
	return NULL;
}

/* ---- Files and anonymous pages ------------------------------------------- */

static const char *parse_count(const struct play_words *words, unsigned int at,
                               unsigned long *count)
{
	if (words->count != at + 1 ||
	    !play_parse(words->word[at], 1, FILES * SPACE_PAGES, count))
		return "the number of pages is missing, or too large";
	return NULL;
}

const char *play_file(const struct play_words *words)
{
	unsigned long count;
	unsigned long got = 0;
	const char *wrong = parse_count(words, 1, &count);

	if (wrong != NULL)
		return wrong;
	for (unsigned int i = 0; i < FILES && got < count; i++)
		got += space_fill(&work.file[i], GFP_HIGHUSER_MOVABLE,
		                  count - got);
	play_number("got", got);
	play_number("asked", count);
	return NULL;
}

/* As when files are cut: their pages are free, and what is between them is not. */
const char *play_cut(const struct play_words *words)
{
	unsigned long seen = 0;
	unsigned long cut = 0;
	unsigned long each;

	if (words->count != 2 ||
	    !play_parse(words->word[1], 1, SPACE_PAGES, &each))
		return "cut wants a number: 2 for each second page";
	for (unsigned long i = 0; i < FILES * SPACE_PAGES; i++) {
		struct space *file = &work.file[i / SPACE_PAGES];

		if (file->page[i % SPACE_PAGES] == NULL || ++seen % each != 0)
			continue;
		space_truncate(file, i % SPACE_PAGES);
		cut++;
	}
	play_number("freed", cut);
	return NULL;
}

const char *play_anon(const struct play_words *words)
{
	unsigned long count;
	const char *wrong = parse_count(words, 1, &count);

	if (wrong != NULL)
		return wrong;
	play_number("got", space_fill(&work.anon, GFP_HIGHUSER_MOVABLE, count));
	play_number("asked", count);
	return NULL;
}

/* ---- Programs, and their end --------------------------------------------- */

static struct program *free_program(void)
{
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		if (!work.program[i].alive)
			return &work.program[i];
	}
	return NULL;
}

const char *play_program(const struct play_words *words)
{
	struct program *program = free_program();
	struct thread *before = current_thread();
	unsigned long count;
	const char *wrong = parse_count(words, 2, &count);

	if (wrong != NULL)
		return wrong;
	if (program == NULL)
		return "four programs run already";
	program->mm = (struct mm_task){ 0 };
	program->thread = (struct thread){ .mm = &program->mm };
	if (owner_begin(&program->thread.owner, OWNER_THREAD, words->word[1]) !=
	    0)
		return "there is no memory for another thread";
	space_init(&program->space, SPACE_ANON);
	program->space.slots = work.slots;
	program->alive = true;
	machine_switch_to(&program->thread);
	play_number("got",
	            space_fill(&program->space, GFP_HIGHUSER_MOVABLE, count));
	machine_switch_to(before);
	play_number("asked", count);
	return NULL;
}

static void visit_programs(void (*each)(struct thread *thread, void *data),
                           void *data)
{
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		struct program *program = &work.program[i];

		if (!program->alive)
			continue;
		program->thread.mm->rss = program->space.mapping.nrpages;
		each(&program->thread, data);
	}
}

static bool reap(uint64_t owner)
{
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		struct program *program = &work.program[i];

		if (!program->alive ||
		    thread_owner_id(&program->thread) != owner)
			continue;
		space_clear(&program->space);
		program->thread.mm->rss = 0;
	}
	return true;
}

static struct oom_reaper reaper = {
	.reap = reap,
	.link = LIST_INIT(reaper.link),
};

/* A program that was killed and has nothing left is gone. */
static void bury(void)
{
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		struct program *program = &work.program[i];

		if (!program->alive || current_thread() == &program->thread ||
		    !thread_has_flags(&program->thread, THREAD_OOM_REAPED))
			continue;
		machine_end_thread(&program->thread);
		program->alive = false;
	}
}

void play_state_programs(void)
{
	play_open("programs", '[');
	for (unsigned int i = 0; i < PROGRAMS; i++) {
		const struct program *program = &work.program[i];

		if (!program->alive)
			continue;
		play_open(NULL, '{');
		play_string("name", program->thread.owner.name);
		play_number("pages", program->space.mapping.nrpages);
		play_close('}');
	}
	play_close(']');
	play_number("swap", work.slots);
	play_bool("by_hand", work.by_hand);
	play_bool("kswapd_called", play_node()->reclaim.kswapd_called);
}

/* ---- The threads --------------------------------------------------------- */

/*
 * kswapd sleeps between two commands, as begin_sleep() of mm/reclaim/kswapd.c leaves it.
 * A run begins there: the nap is over, and in the sleep behind it the wake-up arrives.
 */
static void sleep_again(void)
{
	play_node()->reclaim.kswapd_sleeps = true;
	play_node()->reclaim.kswapd_called = false;
}

static bool kswapd_has_work(void)
{
	const struct reclaim_state *reclaim = &play_node()->reclaim;
	enum zone_type highest = work.kswapd.highest;

	if (reclaim->kswapd_highest < KSWAPD_NO_ZONE)
		highest = reclaim->kswapd_highest;
	return reclaim->kswapd_failures < MAX_RECLAIM_RETRIES &&
	       !node_is_balanced(
		       play_node(),
		       max(work.kswapd.reached_order, reclaim->kswapd_order),
		       highest);
}

static void run_kswapd(void)
{
	struct thread *before = current_thread();
	unsigned int steps = 0;

	work.serving = true;
	machine_switch_to(&work.kswapd_thread);
	do {
		work.called = true;
		kswapd_step(play_node(), &work.kswapd);
	} while (++steps < KSWAPD_STEPS && kswapd_has_work());
	sleep_again();
	machine_switch_to(before);
	work.serving = false;
	work.ran[0] += steps;
}

static void run_kcompactd(void)
{
	struct thread *before = current_thread();

	work.serving = true;
	machine_switch_to(&work.kcompactd_thread);
	kcompactd_step(play_node(), &work.kcompactd);
	machine_switch_to(before);
	work.serving = false;
	work.ran[1]++;
}

static bool run_reaper(void)
{
	bool found;

	work.serving = true;
	found = oom_reap_one();
	work.serving = false;
	work.ran[2] += found;
	return found;
}

/* The first wait of kswapd is its nap, which nobody ends; the second one is the sleep. */
static bool wake_sleeper(const struct wait_queue *queue)
{
	struct reclaim_state *reclaim = &play_node()->reclaim;

	if (queue != &reclaim->kswapd_wait ||
	    current_thread() != &work.kswapd_thread)
		return false;
	if (work.called) {
		work.called = false;
		return false;
	}
	reclaim->kswapd_called = true;
	return true;
}

/* A thread waits: the others run meanwhile.  By hand: kswapd only for a thread that waits
 * for nothing else. */
static bool while_one_waits(struct wait_queue *queue)
{
	const struct reclaim_state *reclaim = &play_node()->reclaim;

	if (work.serving)
		return wake_sleeper(queue);
	if (reclaim->kswapd_called && may_sleep_here() &&
	    (!work.by_hand || queue == &reclaim->pfmemalloc_wait)) {
		run_kswapd();
		return true;
	}
	return run_reaper();
}

static void wake_refiller(void)
{
	work.refill = true;
}

void play_work_serve(void)
{
	struct reclaim_state *reclaim = &play_node()->reclaim;

	bury();
	if (work.by_hand)
		return;
	if (reclaim->kswapd_called)
		run_kswapd();
	if (reclaim->kcompactd.order > 0)
		run_kcompactd();
	while (run_reaper())
		;
	bury();
	if (work.ran[0] + work.ran[1] + work.ran[2] > 0) {
		play_open("ran", '{');
		play_number("kswapd", work.ran[0]);
		play_number("kcompactd", work.ran[1]);
		play_number("reaper", work.ran[2]);
		play_close('}');
	}
	memset(work.ran, 0, sizeof(work.ran));
}

void play_work_start(struct node *node)
{
	static bool told;

	memset(&work, 0, sizeof(work));
	for (unsigned int i = 0; i < FILES; i++)
		space_init(&work.file[i], SPACE_FILE);
	space_init(&work.anon, SPACE_ANON);
	for (unsigned int i = 0; i < PROGRAMS; i++)
		space_init(&work.program[i].space, SPACE_ANON);
	machine_begin_thread(&work.kswapd_thread, "kswapd0");
	thread_set_flags(&work.kswapd_thread, THREAD_MEMALLOC | THREAD_KSWAPD);
	work.kswapd.highest = ZONE_MOVABLE;
	machine_begin_thread(&work.kcompactd_thread, "kcompactd0");
	work.kcompactd.pause = KCOMPACTD_PAUSE;
	node->recovery.reclaim = reclaim_try_to_free_pages;
	node->recovery.reclaimable = zone_reclaimable_pages;
	node->recovery.compact = compact_for_request;
	node->recovery.throttle = throttle_direct_reclaim;
	node->recovery.too_dirty = node_too_dirty;
	node->recovery.oom = out_of_memory;
	node->wake_kswapd = wakeup_kswapd;
	sleep_again();
	oom_register_threads(visit_programs);
	oom_register_swap(all_slots);
	if (!told)
		oom_register_reaper(&reaper);
	told = true;
	machine_set_wait_hook(while_one_waits);
	machine_set_refiller_hook(node, wake_refiller);
}

/* ---- By name ------------------------------------------------------------- */

const char *play_serve(const struct play_words *words)
{
	if (words->count != 2)
		return "serve wants on or off";
	if (strcmp(words->word[1], "on") != 0 &&
	    strcmp(words->word[1], "off") != 0)
		return "serve wants on or off";
	work.by_hand = strcmp(words->word[1], "off") == 0;
	return NULL;
}

const char *play_kswapd(const struct play_words *words __unused)
{
	run_kswapd();
	return NULL;
}

const char *play_kcompactd(const struct play_words *words __unused)
{
	run_kcompactd();
	return NULL;
}

const char *play_compact(const struct play_words *words __unused)
{
	play_number("moved", compact_node(play_node()));
	return NULL;
}

const char *play_drain(const struct play_words *words __unused)
{
	pcp_drain_node(play_node());
	return NULL;
}

const char *play_refill(const struct play_words *words __unused)
{
	struct exclusive_counts counts;

	exclusive_balance(play_node());
	exclusive_counts(play_node(), &counts);
	work.refill = false;
	play_number("parked", counts.parked);
	return NULL;
}

/* A second of the worker (kernel/services.c). */
const char *play_second(const struct play_words *words __unused)
{
	machine_advance(ONE_SECOND);
	pcp_decay(play_node());
	return NULL;
}

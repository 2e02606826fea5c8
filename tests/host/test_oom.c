/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_oom.c -- who is killed, on zone Z with threads that own so
 * many pages, and the slow path above it.
 */
#include "lib/random.h"
#include "lib/string.h"
#include "mm/pcp.h"
#include "mm/reclaim/oom.h"
#include "mm/task.h"
#include "tests/host/pile.h"
#include "tests/suite.h"

SUITE(oom);

#define ZONE    ZONE_DMA32
#define THREADS 4

static struct pile pile;
static struct thread thread[THREADS];
static struct mm_task task[THREADS];
static unsigned long rests;
static unsigned long reclaims;
static bool last_victim_ends; /* while the killer looks around */
static unsigned int looks;
static unsigned int replaced_at; /* before this look; 0: never */

/* The behaviour of the test's reaper. */
static struct {
	unsigned long asked;
	unsigned long works_at; /* in this try; 0: never */
	unsigned long ends_at;  /* in this one the victim ends by itself */
	bool replaced;          /* and another thread begins in its place */
	bool pardoned;          /* the victim has freed all, and goes on */
} reaping;

static void visit_all(void (*each)(struct thread *thread, void *data),
                      void *data)
{
	each(machine_main(), data);
	/* The largest one ends, and another thread begins in its place. */
	if (++looks == replaced_at) {
		thread[THREADS - 1].owner.id = THREADS + 1;
		pile_give(&pile, 281);
	}
	if (last_victim_ends)
		pile_give(&pile, 281);
	for (unsigned int i = 0; i < THREADS; i++) {
		if (thread[i].state != THREAD_ENDED && !last_victim_ends)
			each(&thread[i], data);
	}
}

static struct thread *thread_of(uint64_t number)
{
	for (unsigned int i = 0; i < THREADS; i++) {
		if (thread_owner_id(&thread[i]) == number)
			return &thread[i];
	}
	return machine_main();
}

static bool test_oom_reap(uint64_t number)
{
	struct thread *victim = thread_of(number);

	reaping.asked++;
	if (reaping.asked == reaping.ends_at)
		victim->state = THREAD_ENDED;
	if (reaping.asked != reaping.works_at)
		return false;
	victim->mm->rss = 0;
	victim->mm->swapents = 0;
	if (reaping.replaced) {
		victim->owner.id = THREADS + 2;
		victim->flags = 0;
	}
	if (reaping.pardoned)
		oom_pardon(victim);
	return true;
}

static struct oom_reaper reaper = { .reap = test_oom_reap };

static unsigned long find_nothing(struct node *node __unused,
                                  const struct alloc_request *request __unused)
{
	reclaims++;
	return 0;
}

static unsigned long swap_of_1000(void)
{
	return 1000;
}

/* Zone Z with FREE pages free; thread I owns 100 * (I + 1) pages. */
static struct node *test_oom_begin(unsigned long free)
{
	struct node *node;

	machine_start(61440);
	node = machine_one_zone(ZONE, 61440);
	machine_set_marks(&node->zone[ZONE], 480, 600, 720);
	pile.node = node;
	pile.count = 0;
	pile_leave(&pile, free);
	for (unsigned int i = 0; i < THREADS; i++) {
		task[i] = (struct mm_task){ .rss = 100UL * (i + 1) };
		thread[i] = (struct thread){ .mm = &task[i] };
		thread[i].owner.id = i + 1;
		thread[i].owner.name[0] = (char)('A' + i);
	}
	memset(&reaping, 0, sizeof(reaping));
	rests = 0;
	reclaims = 0;
	last_victim_ends = false;
	looks = 0;
	replaced_at = 0;
	oom_register_threads(visit_all);
	if (reaper.link.next == NULL)
		list_init(&reaper.link);
	oom_register_reaper(&reaper);
	oom_register_swap(NULL);
	machine_set_reclaim_hook(node, find_nothing, NULL);
	machine_set_oom_hook(node, out_of_memory);
	return node;
}

static const char *test_oom_finish(void)
{
	oom_pardon(machine_main());
	machine_main()->mm->rss = 0;
	pile_give(&pile, PILE_PAGES);
	return NULL;
}

static unsigned long kills(void)
{
	return vmstat_read(&pile.node->stat, VMSTAT_oom_kill);
}

/* Call the killer for a mask, as the slow path does. */
static bool kill_for(gfp_t mask)
{
	const struct alloc_context here = gfp_context();
	struct alloc_request request;
	char why[256];

	return gfp_decode(mask, 0, &here, &request, why, sizeof(why)) ==
	               GFP_OK &&
	       out_of_memory(pile.node, &request);
}

static bool test_oom_is_victim(unsigned int i)
{
	return thread_has_flags(&thread[i], THREAD_OOM_VICTIM);
}

/* ---- Badness ------------------------------------------------------------- */

CASE(oom, badness_is_rss_and_swap_and_tables_and_adj_thousandths)
{
	struct mm_task own = { .rss = 300, .swapents = 40 };
	struct thread one = { .mm = &own };

	EXPECT_EQUAL(oom_badness(&one, 61440), 340);
	one.owner.window.id = 7;
	EXPECT_EQUAL(oom_badness(&one, 61440), 341);
	own.oom_score_adj = 500;
	EXPECT_EQUAL(oom_badness(&one, 61440), 341 + 500 * 61);
	own.oom_score_adj = 1000;
	EXPECT_EQUAL(oom_badness(&one, 61999), 341 + 1000 * 61);
	own.oom_score_adj = -999;
	EXPECT(oom_badness(&one, 61440) == 341 - 999 * 61);
	own.oom_score_adj = -1000;
	EXPECT(oom_badness(&one, 61440) == OOM_NEVER);
	return NULL;
}

CASE(oom, a_thread_without_anonymous_memory_is_no_candidate)
{
	struct mm_task own = { .oom_score_adj = 1000 };
	struct thread one = { .mm = &own };

	one.owner.window.id = 7;
	EXPECT(oom_badness(&one, 61440) == OOM_NEVER);
	own.swapents = 1;
	EXPECT(oom_badness(&one, 61440) > 0);
	return NULL;
}

/* ---- The choice ---------------------------------------------------------- */

CASE(oom, the_one_with_most_is_killed_and_the_line_says_so)
{
	uint64_t mark;

	test_oom_begin(200);
	mark = log_mark();
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(3));
	EXPECT(thread_has_flags(&thread[3], THREAD_KILLED));
	EXPECT(!test_oom_is_victim(0) && !test_oom_is_victim(1) &&
	       !test_oom_is_victim(2));
	EXPECT_EQUAL(kills(), 1);
	EXPECT_EQUAL(log_count_since(mark, "invoked oom-killer"), 1);
	EXPECT_EQUAL(log_count_since(mark, "refused: 200 pages free in DMA32 "
	                                   "are not above the floor of 480 = "
	                                   "min 480"),
	             1);
	EXPECT_EQUAL(log_count_since(mark, "Mem-Info"), 1);
	EXPECT_EQUAL(log_count_since(mark, "[       4]      400"), 1);
	EXPECT_EQUAL(log_count_since(mark, "[       1]      100"), 1);
	EXPECT_EQUAL(
		log_count_since(mark, "Killed thread 4 (D) anon-rss:1600kB"),
		1);
	return test_oom_finish();
}

CASE(oom, adj_makes_a_small_one_the_worst_and_a_large_one_immune)
{
	test_oom_begin(200);
	task[0].oom_score_adj = 10;
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(0));
	test_oom_finish();
	test_oom_begin(200);
	task[3].oom_score_adj = -1000;
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(2) && !test_oom_is_victim(3));
	return test_oom_finish();
}

CASE(oom, swap_counts_in_what_a_thousandth_is)
{
	test_oom_begin(200);
	/* 61 a thousandth: 300 + 122 > 400; with 1000 pages of swap 62. */
	task[2].oom_score_adj = 1;
	task[3].rss = 362;
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(3));
	test_oom_finish();
	test_oom_begin(200);
	task[2].oom_score_adj = 1;
	task[3].rss = 361;
	oom_register_swap(swap_of_1000);
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(2));
	return test_oom_finish();
}

CASE(oom, of_two_equals_the_later_one_is_killed)
{
	test_oom_begin(200);
	task[0].rss = 400;
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(3) && !test_oom_is_victim(0));
	return test_oom_finish();
}

CASE(oom, a_living_victim_that_is_not_reaped_keeps_all_others_alive)
{
	test_oom_begin(200);
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT_EQUAL(kills(), 1);
	thread[3].state = THREAD_ENDED;
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(2));
	EXPECT_EQUAL(kills(), 2);
	thread_set_flags(&thread[2], THREAD_OOM_REAPED);
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(1));
	EXPECT_EQUAL(kills(), 3);
	return test_oom_finish();
}

CASE(oom, without_fs_nobody_is_killed_and_it_counts_as_progress)
{
	test_oom_begin(200);
	EXPECT(kill_for(GFP_NOFS));
	EXPECT(kill_for(GFP_NOIO));
	EXPECT_EQUAL(kills(), 0);
	return test_oom_finish();
}

CASE(oom, a_caller_that_was_killed_already_needs_no_other_victim)
{
	test_oom_begin(200);
	thread_kill(machine_main());
	EXPECT(kill_for(GFP_NOFS));
	EXPECT(thread_has_flags(machine_main(), THREAD_OOM_VICTIM));
	EXPECT_EQUAL(kills(), 0);
	/* Once it is reaped it is like others. */
	thread_set_flags(machine_main(), THREAD_OOM_REAPED);
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(3));
	return test_oom_finish();
}

CASE(oom, a_victim_that_ends_during_the_choice_saves_all_others)
{
	test_oom_begin(200);
	last_victim_ends = true;
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT_EQUAL(kills(), 0);
	EXPECT_EQUAL(node_free(pile.node), 481);
	last_victim_ends = false;
	return test_oom_finish();
}

static void randomize(struct thread *one, struct random *random)
{
	static const short adj[] = { -1000, -999, -10, 0, 0, 1, 10, 1000 };

	one->mm->rss =
		random_below(random, 3) > 0 ? random_below(random, 700) : 0;
	one->mm->swapents =
		random_below(random, 3) > 0 ? random_below(random, 700) : 0;
	one->mm->oom_score_adj = adj[random_below(random, ARRAY_SIZE(adj))];
	one->owner.window.id = (uint16_t)random_below(random, 2);
	if (random_below(random, 12) == 0)
		thread_set_flags(one, THREAD_OOM_VICTIM);
	if (random_below(random, 4) == 0)
		thread_set_flags(one, THREAD_OOM_REAPED);
}

/* Whom Linux would kill, -1: nobody, a victim is on its way out. */
static int model_choice(long total)
{
	long most = 0;
	int chosen = -1;

	for (int i = 0; i < THREADS; i++) {
		long pages = (long)(task[i].rss + task[i].swapents);
		long tables = thread[i].owner.window.id != 0;
		long points =
			pages + tables + task[i].oom_score_adj * (total / 1000);
		bool victim = (thread[i].flags & THREAD_OOM_VICTIM) != 0;

		if (victim && !(thread[i].flags & THREAD_OOM_REAPED))
			return -1;
		if (victim || pages == 0 || task[i].oom_score_adj == -1000 ||
		    (chosen >= 0 && points < most))
			continue;
		chosen = i;
		most = points;
	}
	return chosen;
}

CASE(oom, random_threads_lose_the_one_that_linux_would_kill)
{
	struct random random = { test_seed() };

	test_oom_begin(200);
	for (unsigned int round = 0; round < 3000; round++) {
		bool swap = random_below(&random, 2) != 0;
		unsigned int flags[THREADS];
		int expected;

		for (unsigned int i = 0; i < THREADS; i++) {
			thread_clear_flags(&thread[i], ~0U);
			randomize(&thread[i], &random);
		}
		/* Somebody can always be killed. */
		task[round % THREADS].rss = 1;
		task[round % THREADS].oom_score_adj = -999;
		thread_clear_flags(&thread[round % THREADS], ~0U);
		oom_register_swap(swap ? swap_of_1000 : NULL);
		expected = model_choice(swap ? 62440 : 61440);
		for (unsigned int i = 0; i < THREADS; i++)
			flags[i] = thread[i].flags;
		EXPECT(kill_for(GFP_KERNEL));
		for (int i = 0; i < THREADS; i++)
			EXPECT_EQUAL(thread[i].flags & ~flags[i],
			             i == expected
			                     ? THREAD_OOM_VICTIM | THREAD_KILLED
			                     : 0);
	}
	return test_oom_finish();
}

static void kill_without_candidate(void *unused __unused)
{
	kill_for(GFP_KERNEL);
}

/* The first look is the choice, the second the table of the report. */
CASE(oom, who_begins_in_the_place_of_the_chosen_one_is_not_killed)
{
	test_oom_begin(200);
	replaced_at = 2;
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT_EQUAL(kills(), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		EXPECT(!thread_has_flags(&thread[i],
		                         THREAD_KILLED | THREAD_OOM_VICTIM));
	return test_oom_finish();
}

/* The victim ends while its memory is taken. */
CASE(oom, who_begins_in_the_place_of_a_victim_under_the_reaper_is_left_alone)
{
	uint64_t mark;

	test_oom_begin(200);
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT_EQUAL(kills(), 1);
	mark = log_mark();
	reaping.works_at = 1;
	reaping.replaced = true;
	EXPECT(oom_reap_one());
	EXPECT_EQUAL(reaping.asked, 1);
	for (unsigned int i = 0; i < THREADS; i++)
		EXPECT_EQUAL(thread[i].flags, 0);
	EXPECT(!log_contains_since(mark, "oom_reaper"));
	return test_oom_finish();
}

/* Else it would not count as a victim the next time, and others would be killed. */
CASE(oom, a_victim_that_is_pardoned_under_the_reaper_does_not_count_as_reaped)
{
	uint64_t mark;

	test_oom_begin(200);
	EXPECT(kill_for(GFP_KERNEL));
	mark = log_mark();
	reaping.works_at = 1;
	reaping.pardoned = true;
	EXPECT(oom_reap_one());
	EXPECT_EQUAL(reaping.asked, 1);
	for (unsigned int i = 0; i < THREADS; i++)
		EXPECT_EQUAL(thread[i].flags, 0);
	EXPECT(!log_contains_since(mark, "oom_reaper"));
	return test_oom_finish();
}

CASE(oom, without_a_candidate_it_is_a_panic_with_the_report)
{
	char text[200];
	uint64_t mark;

	test_oom_begin(200);
	mark = log_mark();
	for (unsigned int i = 0; i < THREADS; i++)
		task[i].oom_score_adj = -1000;
	EXPECT_EQUAL(
		machine_try(kill_without_candidate, NULL, text, sizeof(text)),
		MACHINE_PANICKED);
	EXPECT(strncmp(text, "Out of memory: no thread", 24) == 0);
	EXPECT(log_contains_since(mark, "invoked oom-killer"));
	machine_start(16);
	return NULL;
}

CASE(oom, pages_on_a_list_of_a_cpu_are_used_before_the_machine_stops)
{
	static struct pcp_cpu lists[1];
	struct node *node = test_oom_begin(200);
	const struct zone *zone = &node->zone[ZONE];
	char text[200];

	for (unsigned int i = 0; i < THREADS; i++)
		task[i].oom_score_adj = -1000;
	pcp_start(node, lists, 1);
	pile_give(&pile, 20);
	EXPECT(zone_pcp_pages(zone) > 0);
	EXPECT_EQUAL(
		machine_try(kill_without_candidate, NULL, text, sizeof(text)),
		MACHINE_RETURNED);
	EXPECT_EQUAL(zone_pcp_pages(zone), 0);
	EXPECT_EQUAL(kills(), 0);
	/* And once more: now there is nothing. */
	EXPECT_EQUAL(
		machine_try(kill_without_candidate, NULL, text, sizeof(text)),
		MACHINE_PANICKED);
	machine_start(16);
	return NULL;
}

/* ---- With the slow path above it ----------------------------------------- */

/* The victim notices, gives its pages back and ends. */
static bool victims_end(struct wait_queue *queue __unused)
{
	rests++;
	for (unsigned int i = 0; i < THREADS; i++) {
		if (!test_oom_is_victim(i) || thread[i].state == THREAD_ENDED)
			continue;
		thread[i].state = THREAD_ENDED;
		pile_give(&pile, task[i].rss);
		return true;
	}
	return false;
}

CASE(oom, a_kernel_request_kills_and_gets_the_page_of_the_victim)
{
	test_oom_begin(200);
	machine_set_wait_hook(victims_end);
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(kills(), 1);
	EXPECT(test_oom_is_victim(3));
	EXPECT_EQUAL(reclaims, 1);
	return test_oom_finish();
}

CASE(oom, as_many_are_killed_as_are_needed_and_no_more)
{
	test_oom_begin(0);
	machine_set_wait_hook(victims_end);
	/* 400, and 300 more. */
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, 1), 1);
	EXPECT_EQUAL(kills(), 2);
	EXPECT(test_oom_is_victim(3) && test_oom_is_victim(2) &&
	       !test_oom_is_victim(1));
	return test_oom_finish();
}

static bool give_281_at_last(struct wait_queue *queue __unused)
{
	if (++rests != 60)
		return false;
	pile_give(&pile, 281);
	return false;
}

CASE(oom, nofs_exhausted_kills_nobody_and_goes_on_once_481_are_free)
{
	test_oom_begin(200);
	machine_set_wait_hook(give_281_at_last);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOFS, 1), 1);
	EXPECT_EQUAL(rests, 60);
	EXPECT_EQUAL(kills(), 0);
	EXPECT_EQUAL(node_free(pile.node), 480);
	return test_oom_finish();
}

/* At the fifth rest ^C; a page comes at the sixtieth. */
static bool interrupt_and_give_one_at_last(struct wait_queue *queue __unused)
{
	if (++rests == 5)
		thread_set_flags(machine_main(),
		                 THREAD_INTERRUPTED | THREAD_KILLED);
	if (rests == 60)
		pile_give(&pile, 1);
	return false;
}

CASE(oom, nofs_request_that_is_interrupted_gets_half_of_min_and_null)
{
	test_oom_begin(300);
	machine_set_wait_hook(interrupt_and_give_one_at_last);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOFS, PILE_PAGES), 60);
	EXPECT(rests >= 5 && rests < 10);
	EXPECT_EQUAL(kills(), 0);
	/* And then it is as before. */
	oom_pardon(machine_main());
	EXPECT_EQUAL(machine_main()->flags, 0);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOWAIT, 1), 0);
	return test_oom_finish();
}

CASE(oom, nofail_request_that_is_interrupted_waits_on)
{
	test_oom_begin(0);
	machine_set_wait_hook(interrupt_and_give_one_at_last);
	EXPECT_EQUAL(pile_drain(&pile, GFP_NOFS | __GFP_NOFAIL, 1), 1);
	EXPECT_EQUAL(rests, 60);
	EXPECT_EQUAL(kills(), 0);
	return test_oom_finish();
}

CASE(oom, dma_exhausted_kills_nobody_and_gets_null)
{
	test_oom_begin(200);
	EXPECT(alloc_pages_node(pile.node, GFP_KERNEL | __GFP_DMA, 0) == NULL);
	EXPECT(alloc_pages_node(pile.node, GFP_KERNEL | __GFP_DMA32, 0) ==
	       NULL);
	EXPECT_EQUAL(kills(), 0);
	return test_oom_finish();
}

CASE(oom, who_is_killed_for_its_own_request_gets_half_of_min_and_null)
{
	test_oom_begin(300);
	machine_main()->mm->rss = 5000;
	EXPECT_EQUAL(pile_drain(&pile, GFP_KERNEL, PILE_PAGES), 60);
	EXPECT_EQUAL(kills(), 1);
	EXPECT(thread_has_flags(machine_main(), THREAD_KILLED));
	return test_oom_finish();
}

/* ---- The reaper ---------------------------------------------------------- */

CASE(oom, the_reaper_begins_after_2_seconds_and_frees_immediately)
{
	uint64_t before;

	test_oom_begin(200);
	EXPECT(!oom_reap_one());
	kill_for(GFP_KERNEL);
	before = task[3].oom_since;
	reaping.works_at = 1;
	EXPECT(oom_reap_one());
	EXPECT_EQUAL(task[3].oom_since, before);
	EXPECT_EQUAL(reaping.asked, 1);
	EXPECT_EQUAL(task[3].rss, 0);
	EXPECT(thread_has_flags(&thread[3], THREAD_OOM_REAPED));
	EXPECT(!oom_reap_one());
	return test_oom_finish();
}

CASE(oom, the_reaper_tries_10_times_100_ms_apart_and_gives_up)
{
	uint64_t mark;

	test_oom_begin(200);
	kill_for(GFP_KERNEL);
	mark = log_mark();
	EXPECT(oom_reap_one());
	EXPECT_EQUAL(reaping.asked, 10);
	EXPECT_EQUAL(log_count_since(mark, "unable to reap thread 4 (D)"), 1);
	/* 2 s, and 9 pauses. */
	EXPECT_EQUAL(machine_waits(), 1 + 9);
	/* It does not keep others alive any longer. */
	EXPECT(kill_for(GFP_KERNEL));
	EXPECT(test_oom_is_victim(2));
	return test_oom_finish();
}

CASE(oom, a_victim_that_ends_by_itself_is_left_alone)
{
	test_oom_begin(200);
	kill_for(GFP_KERNEL);
	reaping.ends_at = 3;
	EXPECT(oom_reap_one());
	EXPECT_EQUAL(reaping.asked, 3);
	EXPECT(!thread_has_flags(&thread[3], THREAD_OOM_REAPED));
	return test_oom_finish();
}

CASE(oom, a_kill_wakes_the_reaper)
{
	unsigned long before;

	test_oom_begin(200);
	before = machine_wake_ups();
	kill_for(GFP_KERNEL);
	EXPECT_EQUAL(machine_wake_ups(), before + 1);
	return test_oom_finish();
}

CASE(oom, the_reaper_reaps_each_victim_and_sleeps_again)
{
	char text[200];

	test_oom_begin(200);
	kill_for(GFP_KERNEL);
	reaping.works_at = 1;
	EXPECT_EQUAL(machine_try(oom_reaper_run, NULL, text, sizeof(text)),
	             MACHINE_PANICKED);
	EXPECT(strncmp(text, "everybody sleeps", 16) == 0);
	EXPECT_EQUAL(reaping.asked, 1);
	EXPECT(thread_has_flags(&thread[3], THREAD_OOM_REAPED));
	machine_start(16);
	return NULL;
}

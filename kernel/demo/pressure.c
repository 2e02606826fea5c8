/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/pressure.c -- twice as much anonymous memory as there is, and files.
 *
 *	            +-- load "pressure 1": anonymous pages, one after the other
 *	memory <----+-- load "pressure 2": the same, others
 *	            +-- compactor: moves their pages to other frames
 *	   |        +-- timer: GFP_ATOMIC, one page or many; exclusive pages
 *	   |        +-- keyboard: exclusive pages
 *	   v        +-- two writers of files: kernel/demo/pressure_files.c
 *	kswapd0, direct reclaim, flusher  -->  swap, file system
 *
 * A load fills its pages, then goes through them round by round: each page must
 * be what was written last, and every other one is rewritten.  The contents
 * of a page follow from its number and the round, nothing is remembered:
 *
 *	round	page 0	page 1	page 2	page 3		(number: written in round)
 *	0	0	0	0	0
 *	1	0	1	0	1
 *	2	2	1	2	1
 *
 * So a page that came back from another's slot is seen, and one that came back
 * as it was a round ago.  Half of the pages that leave are clean, half dirty.
 * Pages are gone through in order, the worst that a list in the order of last
 * use can meet: each has just left when it is wanted again.
 *
 * No load begins a round before all have ended the one before, so all pages are
 * needed at the same time, however few they are.  A page that cannot be
 * read is recorded, and no longer judged: its contents depend on when it was lost.
 *
 * Interrupts ask for plain pages with GFP_ATOMIC: one an interrupt, which the next
 * one gives back, and now and then BURST pages in a run of interrupts, PIECE in
 * each, that are kept until the run ends.  No handler lasts for longer than a few
 * pages take.  NULL is right only if no zone is above its atomic floor.
 * Nothing can change between the answer and the look, for both are in one
 * interrupt and there is one CPU.
 *
 * The writers of files write more than may be dirty, and their requests are
 * NOFS: they wait for the flusher, and reclaim that runs on top of them must
 * stay out of the file system, which is counted where it would be entered.
 *
 * The machine is made smaller first: all memory but MEMORY pages is taken, and
 * given back in the end.  Meanwhile no zone is boosted: what was taken can never be
 * reclaimed for a boost, which may be larger than MEMORY.
 */
#include "kernel/demo/pressure.h"

#include "drivers/i8042.h"
#include "drivers/pit.h"
#include "kernel/core/clock.h"
#include "kernel/core/console.h"
#include "kernel/core/irq.h"
#include "kernel/core/sched.h"
#include "kernel/demo/recorder.h"
#include "kernel/demo/storm.h"
#include "kernel/demo/timer_rate.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/contig/contig.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/compaction.h"
#include "mm/user/anon.h"
#include "mm/watermark.h"

#define PRESSURE_HZ 10000U
#define LOADS       2U
#define WORDS       (PAGE_SIZE / sizeof(uint64_t))
#define SECOND      1000000ULL /* in microseconds */

/* ---- The loads ----------------------------------------------------------- */

/* A load that cannot have more pages gives up. */
#define LOST_MAX    64U

struct load {
	struct thread *thread;
	uint64_t seed;
	unsigned long pages;
	unsigned int rounds;
	unsigned long wrong;
	unsigned long failed;
	unsigned long lost[LOST_MAX]; /* pages that could not be read */
	unsigned int lost_count;
	unsigned int ended; /* atomic: rounds, that of filling included */
	bool done;          /* atomic: it ends, and has given everything back */
};

static struct load loads[LOADS];
static bool stop; /* atomic: loads end as soon as they see it */
static struct wait_queue round_queue = WAIT_QUEUE_INIT(round_queue);

/* Is page INDEX written in ROUND? */
static bool pressure_is_written(unsigned long index, unsigned int round)
{
	return round == 0 || (index + round) % 2 == 0;
}

/* The first number of page INDEX as it is after ROUND. */
static struct random contents(const struct load *load, unsigned long index,
                              unsigned int round)
{
	unsigned int written =
		pressure_is_written(index, round) ? round : round - 1;

	return (struct random){ load->seed + index * WORDS +
		                ((uint64_t)written << 48) };
}

static void pressure_fill(uint64_t *words, struct random numbers)
{
	for (size_t i = 0; i < WORDS; i++)
		words[i] = random_next(&numbers);
}

static bool is_right(const uint64_t *words, struct random numbers)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (words[i] != random_next(&numbers))
			return false;
	}
	return true;
}

static bool is_lost(const struct load *load, unsigned long index)
{
	for (unsigned int i = 0; i < load->lost_count; i++) {
		if (load->lost[i] == index)
			return true;
	}
	return false;
}

static void note_lost(struct load *load, unsigned long index)
{
	load->failed++;
	if (!is_lost(load, index))
		load->lost[load->lost_count++] = index;
}

/* Page INDEX in ROUND: check it, and rewrite it if it is its turn.  False: it
 * cannot be read. */
static bool pressure_visit(struct load *load, struct anon_object *object,
                           unsigned long index, unsigned int round)
{
	bool write = pressure_is_written(index, round);
	struct page *page;
	uint64_t *words;

	if (anon_object_pin(object, index, &page) != 0)
		return false;
	words = page_address(page);
	if (round > 0 && !is_lost(load, index) &&
	    !is_right(words, contents(load, index, round - 1)))
		load->wrong++;
	if (write)
		pressure_fill(words, contents(load, index, round));
	anon_object_unpin(page, write);
	return true;
}

static void pressure_run_round(struct load *load, struct anon_object *object,
                               unsigned int round)
{
	for (unsigned long i = 0;
	     i < load->pages && !READ_ONCE(stop) && load->lost_count < LOST_MAX;
	     i++) {
		if (!pressure_visit(load, object, i, round))
			note_lost(load, i);
	}
}

/* Have all loads ended as many rounds as this one? */
static bool others_are_here(void *data)
{
	const struct load *mine = data;

	for (unsigned int i = 0; i < LOADS; i++) {
		if (!READ_ONCE(loads[i].done) &&
		    READ_ONCE(loads[i].ended) < mine->ended)
			return false;
	}
	return true;
}

static void pressure_wait_for_others(struct load *load)
{
	WRITE_ONCE(load->ended, load->ended + 1);
	wake_up(&round_queue);
	wait_event(&round_queue, others_are_here, load);
}

static void end_load(struct load *load)
{
	WRITE_ONCE(load->done, true);
	wake_up(&round_queue);
}

static void run_load(void *data)
{
	struct load *load = data;
	struct anon_object *object = anon_object_create(load->pages);

	if (object == NULL) {
		load->failed = load->pages;
	} else {
		for (unsigned int round = 0; round <= load->rounds; round++) {
			pressure_run_round(load, object, round);
			pressure_wait_for_others(load);
		}
		anon_object_destroy(object);
	}
	end_load(load);
}

static void start_loads(unsigned long pages, unsigned int rounds)
{
	static const char *const name[LOADS] = { "pressure 1", "pressure 2" };

	WRITE_ONCE(stop, false);
	for (unsigned int i = 0; i < LOADS; i++)
		loads[i] = (struct load){
			.seed = (i + 1ULL) << 32,
			.pages = pages / LOADS,
			.rounds = rounds,
		};
	for (unsigned int i = 0; i < LOADS; i++) {
		loads[i].thread = thread_create(name[i], run_load, &loads[i]);
		if (loads[i].thread != NULL)
			continue;
		loads[i].failed = loads[i].pages;
		end_load(&loads[i]);
	}
}

static bool loads_are_done(void)
{
	for (unsigned int i = 0; i < LOADS; i++) {
		if (!READ_ONCE(loads[i].done))
			return false;
	}
	return true;
}

static void join_loads(struct pressure_report *report)
{
	for (unsigned int i = 0; i < LOADS; i++) {
		if (loads[i].thread != NULL)
			thread_join(loads[i].thread);
		report->wrong += loads[i].wrong;
		report->failed += loads[i].failed;
	}
}

/* ---- Compaction ---------------------------------------------------------- */

#define COMPACT_REST (SECOND / 20)

static struct thread *compactor;
static unsigned long ranges;

static bool loads_are_done_or_stopped(void *data __unused)
{
	return READ_ONCE(stop) || loads_are_done();
}

/* Pages leave a pageblock, and what is written there is not theirs any more. */
static void take_range(void)
{
	struct page *page =
		alloc_contig_pages(PAGEBLOCK_PAGES, GFP_KERNEL | __GFP_NOWARN);

	if (page == NULL)
		return;
	memset(page_address(page), 0xdb, PAGEBLOCK_PAGES * PAGE_SIZE);
	free_contig_range(page_to_pfn(page), PAGEBLOCK_PAGES);
	ranges++;
}

/* All pages that can move do so, again and again, under the loads' feet. */
static void run_compactor(void *data __unused)
{
	while (!loads_are_done_or_stopped(NULL)) {
		(void)compact_node(main_node());
		take_range();
		(void)wait_event_timeout(&round_queue,
		                         loads_are_done_or_stopped, NULL,
		                         COMPACT_REST);
	}
}

/* ---- In the timer's interrupts ------------------------------------------- */

#define BURST_EVERY 256U
#define BURST       64U
#define PIECE       2U

static struct probe {
	struct list pages; /* through page->link */
	unsigned long interrupts;
	unsigned long asked;
	unsigned long answered;
	unsigned long starved;
} probe;

/* Is a page there that the rules let a GFP_ATOMIC request have? */
static bool is_allowed_a_page(const struct node *node)
{
	for (unsigned int type = 0; type <= ZONE_NORMAL; type++) {
		const struct zone *zone = &node->zone[type];

		if (zone->managed > 0 &&
		    watermark_ok(zone, 0, wmark_pages(zone, WMARK_MIN),
		                 ZONE_NORMAL, RESERVE_ATOMIC))
			return true;
	}
	return false;
}

/* One page.  False: NULL. */
static bool pressure_take_one(void)
{
	struct page *page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);

	probe.asked++;
	if (page == NULL) {
		probe.starved += is_allowed_a_page(main_node());
		return false;
	}
	probe.answered++;
	list_push(&probe.pages, &page->link);
	return true;
}

static void pressure_give_back(unsigned int most)
{
	struct page *page;

	while (most-- > 0 &&
	       (page = list_first(&probe.pages, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_page(page);
	}
}

static void ask_in_interrupt(void)
{
	bool burst = ++probe.interrupts % BURST_EVERY < BURST / PIECE;
	unsigned int count = burst ? PIECE : 1;

	if (!burst)
		pressure_give_back(PIECE);
	while (count > 0 && pressure_take_one())
		count--;
}

/* ---- A smaller machine --------------------------------------------------- */

/* Down to the min marks, and kswapd is not woken: it would find nothing, and
 * after 16 runs give up. */
#define TAKE         __GFP_NOWARN

/* The same, and what can be reclaimed: files that are cached already would make
 * room later. */
#define TAKE_ALL     (TAKE | __GFP_DIRECT_RECLAIM | __GFP_IO | __GFP_NORETRY)

/* The room that only movable pages can use: ZONE_MOVABLE, and CMA areas. */
#define TAKE_MOVABLE (TAKE | __GFP_HIGHMEM | __GFP_MOVABLE)

static struct list taken = LIST_INIT(taken);
static struct list taken_movable = LIST_INIT(taken_movable);

static void pressure_take(struct list *list, gfp_t gfp)
{
	struct page *page;

	for (int order = MAX_ORDER; order >= 0; order--) {
		while ((page = alloc_pages(gfp, (unsigned int)order)) != NULL)
			list_push(list, &page->link);
	}
}

static void pressure_take_all(void)
{
	struct page *page;

	pressure_take(&taken, TAKE);
	while ((page = alloc_page(TAKE_ALL)) != NULL)
		list_push(&taken, &page->link);
	pressure_take(&taken_movable, TAKE_MOVABLE);
}

static void pressure_give(struct list *list)
{
	struct page *page;

	while ((page = list_first(list, struct page, link)) != NULL) {
		list_remove(&page->link);
		__free_pages(page, page->order);
	}
}

/* Pages that GFP_KERNEL requests get without reclaim. */
static unsigned long room(const struct node *node)
{
	unsigned long pages = 0;

	for (unsigned int type = 0; type <= ZONE_NORMAL; type++) {
		const struct zone *zone = &node->zone[type];

		if (zone->managed > 0)
			pages += zone_pcp_pages(zone) +
			         watermark_headroom(
					 zone, wmark_pages(zone, WMARK_MIN),
					 ZONE_NORMAL, RESERVE_NONE);
	}
	return pages;
}

/* Give blocks back, those that were taken last and are the smallest first, until
 * there is room for PAGES pages; what was too much is taken singly. */
static void pressure_give_some(unsigned long pages)
{
	const struct node *node = main_node();
	struct page *page;

	while (room(node) < pages && !list_empty(&taken)) {
		page = list_first(&taken, struct page, link);
		list_remove(&page->link);
		__free_pages(page, page->order);
	}
	while (room(node) > pages && (page = alloc_page(TAKE)) != NULL)
		list_push(&taken, &page->link);
}

/* ---- The books ----------------------------------------------------------- */

static unsigned long pressure_event(enum vmstat_event which)
{
	return vmstat_read(&main_node()->stat, which);
}

static uint64_t pressure_interrupts(unsigned int irq)
{
	struct irq_statistics statistics;

	irq_statistics(irq, &statistics);
	return statistics.taken;
}

/* Add the counters to REPORT if SIGN is 1, subtract them if it is -1. */
static void pressure_count(struct pressure_report *report, long sign)
{
	const unsigned long s = (unsigned long)sign;

	report->swapped_in += s * pressure_event(VMSTAT_pswpin);
	report->swapped_out += s * pressure_event(VMSTAT_pswpout);
	report->by_kswapd += s * pressure_event(VMSTAT_pgsteal_kswapd);
	report->by_others += s * pressure_event(VMSTAT_pgsteal_direct);
	report->kills += s * pressure_event(VMSTAT_oom_kill);
	report->moved += s * pressure_event(VMSTAT_pgmigrate_success);
	report->exclusive += s * pressure_event(VMSTAT_exclusive_take);
	report->timer_interrupts += s * pressure_interrupts(0);
	report->keyboard_interrupts += s * pressure_interrupts(1);
	report->file_pages += s * pressure_event(VMSTAT_pgsteal_file);
	report->flushed += s * pressure_event(VMSTAT_flusher_write);
	report->throttled += s * pressure_event(VMSTAT_dirty_throttle);
	report->reclaim_fs += s * pressure_event(VMSTAT_reclaim_fs);
	report->reclaim_kept += s * pressure_event(VMSTAT_reclaim_nofs_skipped);
	report->reclaim_nofs += s * pressure_event(VMSTAT_reclaim_fs_nofs);
	report->reclaim_noio += s * pressure_event(VMSTAT_reclaim_io_noio);
	report->microseconds += s * clock_microseconds();
}

static const char *pressure_check_all(char *buffer, size_t size)
{
	const char *broken = mm_check(buffer, size);

	if (broken == NULL)
		broken = swap_check(buffer, size);
	if (broken == NULL)
		broken = anon_check(buffer, size);
	return broken;
}

static const char *judge_files(const struct pressure_files_report *files)
{
	if (files->wrong > 0)
		return "files have other bytes than were written";
	if (files->failed > 0)
		return "files could not be written or read";
	if (files->lost > 0)
		return "not all of a file is on the disk";
	if (files->sync_error != 0)
		return "not all blocks of the file system are on the disk";
	if (files->written < PRESSURE_FILES)
		return "not all files were written";
	return files->broken;
}

/* Was it what it should be, and did everything hold? */
static const char *pressure_judge(const struct pressure_report *report)
{
	if (report->reclaim_nofs > 0)
		return "reclaim entered the file system for a NOFS request";
	if (report->reclaim_noio > 0)
		return "reclaim began I/O for a NOIO request";
	if (report->wrong > 0)
		return "pages came back with other contents";
	if (report->kills > 0)
		return "somebody was killed although swap had room";
	if (report->failed > 0)
		return "pages could not be read";
	if (report->starved > 0)
		return "an interrupt got NULL although a zone was above its "
		       "atomic floor";
	if (report->swapped_out < report->pages - report->memory)
		return "fewer pages were written to swap than do not fit";
	if (report->timer_interrupts == 0 || report->asked == 0)
		return "no timer interrupt came";
	if (report->keyboard && report->keyboard_interrupts == 0)
		return "no keyboard interrupt came";
	if (report->exclusive == 0)
		return "interrupts got no exclusive page";
	return report->with_files ? judge_files(&report->files) : NULL;
}

/* ---- All together -------------------------------------------------------- */

/* For who waits: one line, written again each second. */
static void tell_progress(uint64_t begin, uint64_t *told)
{
	const struct vmstat *stat = &main_node()->stat;
	uint64_t now = clock_microseconds();

	if (now < *told + SECOND)
		return;
	*told = now;
	console_printf("\rpressure: %llu s, %lu pages to swap, %lu from it",
	               (unsigned long long)((now - begin) / SECOND),
	               vmstat_read(stat, VMSTAT_pswpout),
	               vmstat_read(stat, VMSTAT_pswpin));
}

/* Keyboard interrupts until the loads are done. */
static void raise_keys(struct pressure_report *report)
{
	uint8_t code = 0x90;
	uint64_t begin = clock_microseconds();
	uint64_t told = begin;

	while (!loads_are_done()) {
		tell_progress(begin, &told);
		/* Break codes of letters: they type nothing. */
		if (report->keyboard && i8042_raise(code) == 0)
			code = code == 0x99 ? 0x90 : code + 1;
		thread_sleep(2 * SECOND / report->hz);
		if (console_interrupted()) {
			report->ended = true;
			WRITE_ONCE(stop, true);
		}
	}
	if (told != begin)
		console_printf("\n");
}

static void run_with_interrupts(struct pressure_report *report, struct ext2 *fs)
{
	struct recorder_statistics line;

	probe = (struct probe){ .asked = 0 };
	list_init(&probe.pages);
	recorder_start();
	recorder_set_probe(ask_in_interrupt);
	report->hz = timer_rate_find(PRESSURE_HZ);
	pit_set_hz(report->hz);
	start_loads(report->pages, report->rounds);
	ranges = 0;
	compactor = thread_create("compactor", run_compactor, NULL);
	if (report->with_files)
		pressure_files_start(fs);
	raise_keys(report);
	if (report->with_files)
		pressure_files_end(&report->files);
	recorder_set_probe(NULL);
	pressure_give_back(UINT32_MAX);
	join_loads(report);
	if (compactor != NULL)
		thread_join(compactor);
	report->ranges = ranges;
	if (recorder_stop() != 0)
		report->broken = "a line of the recorder did not stop";
	for (unsigned int i = 0; i < RECORDER_LINES; i++) {
		recorder_statistics((enum recorder_line)i, &line);
		report->dropped += line.dropped;
	}
	report->asked = probe.asked;
	report->answered = probe.answered;
	report->starved = probe.starved;
}

/* How many pages MEMORY (0: all) means on this machine. */
static unsigned long choose_memory(unsigned long memory)
{
	unsigned long most = get_nr_swap_pages() / 2;
	unsigned long all = node_managed(main_node());

	if (memory == 0 || memory > all)
		memory = all;
	return min(memory, most);
}

static bool can_be_written(struct ext2 *fs)
{
	struct ext2_usage usage;

	if (fs == NULL)
		return false;
	ext2_usage(fs, &usage);
	return !usage.read_only;
}

void pressure_run(unsigned int rounds, unsigned long memory, struct ext2 *fs,
                  struct pressure_report *report)
{
	unsigned int hz_before = clock_hz();
	unsigned long boost_factor;

	*report = (struct pressure_report){
		.rounds = rounds,
		.memory = choose_memory(memory),
		.keyboard = i8042_present(),
		.with_files = can_be_written(fs),
	};
	report->pages = 2 * report->memory;
	if (report->pages < LOADS) {
		report->broken = "there is no swap";
		return;
	}
	recorder_stop();
	refiller_settle();
	list_init(&taken);
	list_init(&taken_movable);
	boost_factor = watermark_set_boost_factor(main_node(), 0);
	pressure_take_all();
	pressure_give_some(report->memory);
	pressure_count(report, -1);
	run_with_interrupts(report, fs);
	pressure_count(report, 1);
	pressure_give(&taken);
	pressure_give(&taken_movable);
	(void)watermark_set_boost_factor(main_node(), boost_factor);
	pit_set_hz(hz_before);
	refiller_settle();
	if (report->broken == NULL)
		report->broken = recorder_check();
	if (report->broken == NULL)
		report->broken =
			pressure_check_all(report->said, sizeof(report->said));
	if (report->broken == NULL && !report->ended)
		report->broken = pressure_judge(report);
}

static void print_lost(const struct pressure_files_report *files)
{
	for (unsigned int i = 0; i < PRESSURE_FILES; i++) {
		if ((files->lost >> i & 1) != 0)
			console_fold(10,
			             "pressure: /pressure-%u: not all of it "
			             "is on the disk",
			             i + 1);
	}
}

static void print_files(const struct pressure_report *report)
{
	const struct pressure_files_report *files = &report->files;

	if (!report->with_files) {
		console_fold(10, "pressure: no files: nothing is mounted for "
		                 "writing");
		return;
	}
	console_fold(10,
	             "pressure: %lu files written, %llu kB compared, %llu "
	             "bytes wrong, %lu calls failed",
	             files->written, (unsigned long long)files->compared / KIB,
	             (unsigned long long)files->wrong, files->failed);
	console_fold(10,
	             "pressure: %lu pages of files reclaimed, %lu written by "
	             "the flusher, %lu times a writer waited, %lu errors of "
	             "the disk told",
	             report->file_pages, report->flushed, report->throttled,
	             files->told);
	print_lost(files);
}

static void pressure_print_verdict(const struct pressure_report *report)
{
	if (report->broken != NULL)
		console_printf("pressure: \x1b[31mFAILED: %s\x1b[0m\n",
		               report->broken);
	else if (report->ended)
		console_printf("pressure: ended by ^C; all invariants held "
		               "until then\n");
	else
		console_printf("pressure: \x1b[32mall data intact, all "
		               "invariants hold\x1b[0m\n");
}

void pressure_print(const struct pressure_report *report)
{
	console_fold(10,
	             "pressure: %lu anonymous pages in %lu pages of memory, "
	             "%u rounds, %llu ms",
	             report->pages, report->memory, report->rounds,
	             (unsigned long long)report->microseconds / 1000);
	console_fold(10,
	             "pressure: %lu pages to swap, %lu from it; reclaimed: "
	             "%lu by kswapd, %lu by others",
	             report->swapped_out, report->swapped_in, report->by_kswapd,
	             report->by_others);
	console_fold(10,
	             "pressure: %lu pages wrong, %lu unreadable, %lu "
	             "killed",
	             report->wrong, report->failed, report->kills);
	console_fold(10,
	             "pressure: %u Hz, %llu timer interrupts, %llu keyboard "
	             "interrupts, %llu exclusive pages, %llu samples lost",
	             report->hz, (unsigned long long)report->timer_interrupts,
	             (unsigned long long)report->keyboard_interrupts,
	             (unsigned long long)report->exclusive,
	             (unsigned long long)report->dropped);
	console_fold(10,
	             "pressure: %lu of %lu GFP_ATOMIC requests in interrupts "
	             "got a page; %lu NULLs above the floor",
	             report->answered, report->asked, report->starved);
	console_fold(10,
	             "pressure: %lu pages moved by compaction; %lu times 2 MiB "
	             "in one piece",
	             report->moved, report->ranges);
	print_files(report);
	console_fold(10,
	             "pressure: reclaim entered the file system %lu times, "
	             "was kept out %lu times; %lu times against NOFS, %lu "
	             "against NOIO",
	             report->reclaim_fs, report->reclaim_kept,
	             report->reclaim_nofs, report->reclaim_noio);
	pressure_print_verdict(report);
}

/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory on the machine: real threads that read, write and swap out
 * at the same time, and writes that end in an interrupt.  The disk is made of
 * pages, and has a higher priority than all others, so that other swap areas do
 * not matter.
 */
#include "kernel/core/clock.h"
#include "kernel/core/sched.h"
#include "kernel/core/semaphore.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/reclaim/oom.h"
#include "mm/swap/swapfile.h"
#include "mm/task.h"
#include "mm/user/anon.h"
#include "tests/kernel/bench.h"
#include "tests/mm/ram_swap.h"
#include "tests/suite.h"

SUITE(anon);

#define SLOTS    96UL
#define PAGES    32UL
#define PRIORITY 32767

struct anon_memory {
	struct ram_swap disk;
	uint64_t is[PAGE_SIZE / sizeof(uint64_t)];
	uint64_t should[PAGE_SIZE / sizeof(uint64_t)];
};

SUITE_OBJECT(struct anon_memory, memory);
static struct ram_swap *const disk = &memory->disk;
static struct anon_object *object;

static bool kernel_anon_start(void)
{
	object = anon_object_create(PAGES);
	return object != NULL && ram_swap_make(disk, "testram", SLOTS + 1) &&
	       swapon(&disk->device, PRIORITY, NULL) == 0;
}

static const char *kernel_anon_check_all(void)
{
	static char text[160];
	const char *broken = swap_check(text, sizeof(text));

	return broken != NULL ? broken : anon_check(text, sizeof(text));
}

static const char *kernel_anon_finish(void)
{
	const char *broken = kernel_anon_check_all();

	anon_object_destroy(object);
	if (swapoff(&disk->device) != 0)
		return "slots are still in use";
	ram_swap_end(disk);
	if (current_thread()->mm->rss != 0 ||
	    current_thread()->mm->swapents != 0)
		return "the thread still has pages";
	return broken;
}

/* A page's worth of numbers that follow from SEED. */
static void pattern(uint64_t *words, uint64_t seed)
{
	struct random random = { seed };

	for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		words[i] = random_next(&random);
}

static int put_pattern(unsigned long index, uint64_t seed)
{
	pattern(memory->should, seed);
	return anon_object_write(object, index * PAGE_SIZE, memory->should,
	                         PAGE_SIZE);
}

/* 0, -EIO for other contents, or the error of the access. */
static int check_pattern(unsigned long index, uint64_t seed)
{
	int error = anon_object_read(object, index * PAGE_SIZE, memory->is,
	                             PAGE_SIZE);

	pattern(memory->should, seed);
	if (error != 0)
		return error;
	return memcmp(memory->is, memory->should, PAGE_SIZE) == 0 ? 0 : -EIO;
}

CASE(anon, pages_go_to_swap_and_come_back_unchanged)
{
	unsigned long in = vmstat_read(&main_node()->stat, VMSTAT_pswpin);
	unsigned long out = vmstat_read(&main_node()->stat, VMSTAT_pswpout);

	EXPECT(kernel_anon_start());
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQUAL(put_pattern(i, i), 0);
	EXPECT_EQUAL(current_thread()->mm->rss, PAGES);
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQUAL(anon_object_swap_out(object, i), 0);
	EXPECT_EQUAL(current_thread()->mm->rss, 0);
	EXPECT_EQUAL(current_thread()->mm->swapents, PAGES);
	for (unsigned long i = PAGES; i-- > 0;)
		EXPECT_EQUAL(check_pattern(i, i), 0);
	EXPECT_EQUAL(vmstat_read(&main_node()->stat, VMSTAT_pswpin) - in,
	             PAGES);
	EXPECT_EQUAL(vmstat_read(&main_node()->stat, VMSTAT_pswpout) - out,
	             PAGES);
	return kernel_anon_finish();
}

/* ---- Threads ------------------------------------------------------------- */

struct reader {
	struct completion *entered; /* a read of the disk has begun */
	struct completion *go_on;   /* it may end */
	int error[2];
};

static struct reader reader;
static int (*plain_read)(struct swap_device *, unsigned long, struct page *);

static int slow_read(struct swap_device *device, unsigned long slot,
                     struct page *page)
{
	complete(reader.entered);
	wait_for_completion(reader.go_on);
	return plain_read(device, slot, page);
}

static void read_page_3(void *error)
{
	uint64_t word;

	*(int *)error =
		anon_object_read(object, 3 * PAGE_SIZE, &word, sizeof(word));
}

static bool is_waiting(void *thread)
{
	return READ_ONCE(((struct thread *)thread)->state) == THREAD_WAITING;
}

CASE(anon, two_readers_of_a_slot_read_it_once)
{
	struct completion entered;
	struct completion go_on;
	struct thread *thread[2];
	unsigned long reads;

	EXPECT(kernel_anon_start());
	EXPECT_EQUAL(put_pattern(3, 33), 0);
	EXPECT_EQUAL(anon_object_swap_out(object, 3), 0);
	init_completion(&entered);
	init_completion(&go_on);
	reader = (struct reader){ &entered, &go_on, { 1, 1 } };
	reads = disk->reads;
	plain_read = disk->device.read;
	disk->device.read = slow_read;
	thread[0] = thread_create("reader", read_page_3, &reader.error[0]);
	EXPECT(thread[0] != NULL);
	wait_for_completion(&entered);
	thread[1] = thread_create("reader", read_page_3, &reader.error[1]);
	EXPECT(thread[1] != NULL);
	while (!is_waiting(thread[1]))
		thread_yield();
	complete_all(&go_on);
	for (int i = 0; i < 2; i++)
		EXPECT_EQUAL(thread_join(thread[i]), THREAD_END_RETURNED);
	disk->device.read = plain_read;
	EXPECT_EQUAL(reader.error[0], 0);
	EXPECT_EQUAL(reader.error[1], 0);
	EXPECT_EQUAL(disk->reads, reads + 1);
	EXPECT_EQUAL(check_pattern(3, 33), 0);
	return kernel_anon_finish();
}

static volatile bool stop;
static volatile unsigned long swapped_out;

/* Throw pages out for as long as others use them. */
static void swap_out_all(void *unused __unused)
{
	while (!stop) {
		for (unsigned long i = 0; i < PAGES; i++)
			swapped_out += anon_object_swap_out(object, i) == 0;
		thread_yield();
	}
}

CASE(anon, pages_that_another_thread_throws_out_all_the_time_stay_right)
{
	struct random dice = { test_seed() };
	uint64_t model[PAGES];
	struct thread *thread;

	EXPECT(kernel_anon_start());
	for (unsigned long i = 0; i < PAGES; i++) {
		model[i] = i;
		EXPECT_EQUAL(put_pattern(i, i), 0);
	}
	stop = false;
	swapped_out = 0;
	thread = thread_create("thrower", swap_out_all, NULL);
	EXPECT(thread != NULL);
	for (unsigned int round = 0; round < 1500; round++) {
		unsigned long index = random_below(&dice, PAGES);

		EXPECT_EQUAL(check_pattern(index, model[index]), 0);
		if (round % 3 == 0) {
			model[index] = random_next(&dice);
			EXPECT_EQUAL(put_pattern(index, model[index]), 0);
		}
		if (round % 16 == 0)
			thread_yield();
	}
	stop = true;
	EXPECT_EQUAL(thread_join(thread), THREAD_END_RETURNED);
	EXPECT(swapped_out > PAGES);
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQUAL(check_pattern(i, model[i]), 0);
	return kernel_anon_finish();
}

CASE(anon, swapoff_under_load_brings_everything_back)
{
	struct thread *thread;

	EXPECT(kernel_anon_start());
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQUAL(put_pattern(i, i), 0);
	stop = false;
	thread = thread_create("thrower", swap_out_all, NULL);
	EXPECT(thread != NULL);
	for (unsigned int round = 0; round < 8; round++) {
		for (unsigned long i = 0; i < PAGES; i++)
			EXPECT_EQUAL(check_pattern(i, i), 0);
		thread_yield();
		EXPECT_EQUAL(swapoff(&disk->device), 0);
		EXPECT_EQUAL(swap_area_find(&disk->device), -ENXIO);
		EXPECT_EQUAL(swapon(&disk->device, PRIORITY, NULL), 0);
	}
	stop = true;
	EXPECT_EQUAL(thread_join(thread), THREAD_END_RETURNED);
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQUAL(check_pattern(i, i), 0);
	return kernel_anon_finish();
}

/* ---- The OOM killer ------------------------------------------------------ */

CASE(anon, badness_is_what_a_threads_objects_have_in_memory_and_on_swap)
{
	struct thread *self = current_thread();
	short adj = self->mm->oom_score_adj;
	int64_t plain;
	int64_t more;
	int64_t never;

	EXPECT(kernel_anon_start());
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQUAL(put_pattern(i, i), 0);
	for (unsigned long i = 0; i < PAGES / 4; i++)
		EXPECT_EQUAL(anon_object_swap_out(object, i), 0);
	EXPECT_EQUAL(self->mm->rss, PAGES - PAGES / 4);
	EXPECT_EQUAL(self->mm->swapents, PAGES / 4);
	self->mm->oom_score_adj = 0;
	plain = oom_badness(self, 5000);
	self->mm->oom_score_adj = 100;
	more = oom_badness(self, 5000);
	self->mm->oom_score_adj = OOM_SCORE_ADJ_MIN;
	never = oom_badness(self, 5000);
	self->mm->oom_score_adj = adj;
	/* One page more is the table of the window. */
	EXPECT_EQUAL(plain, PAGES + 1);
	EXPECT_EQUAL(more, PAGES + 1 + 100 * 5UL);
	EXPECT(never == OOM_NEVER);
	return kernel_anon_finish();
}

/* A thread that has VICTIM_PAGES pages, half of them on swap, and does not
 * notice that it is to end. */
#define VICTIM_PAGES 16UL

static struct victim {
	struct anon_object *object;
	struct completion ready;
	struct completion may_end;
	int error;    /* of its access afterwards */
	bool nothing; /* it has no memory then */
} victim;

static int victim_fill(struct anon_object *mine)
{
	int error = 0;

	for (unsigned long i = 0; i < VICTIM_PAGES && error == 0; i++)
		error = anon_object_write(mine, i * PAGE_SIZE, &i, sizeof(i));
	for (unsigned long i = 0; i < VICTIM_PAGES / 2 && error == 0; i++)
		error = anon_object_swap_out(mine, i);
	return error;
}

static void victim_run(void *unused __unused)
{
	struct thread *self = current_thread();
	unsigned long word;

	victim.object = anon_object_create(VICTIM_PAGES);
	victim.error =
		victim.object == NULL ? -ENOMEM : victim_fill(victim.object);
	complete_all(&victim.ready);
	wait_for_completion(&victim.may_end);
	victim.nothing = self->mm->rss == 0 && self->mm->swapents == 0;
	if (victim.object == NULL)
		return;
	victim.error = anon_object_read(victim.object, 0, &word, sizeof(word));
	anon_object_destroy(victim.object);
}

/* Return what a request gets when only the victim's memory is left. */
static struct page *page_of_the_victim(void)
{
	struct drained drained;
	struct page *page;

	refiller_pause(true);
	drained_init(&drained);
	drain(&drained, GFP_NOWAIT | __GFP_NOWARN);
	page = alloc_page(GFP_KERNEL);
	drained_free(&drained);
	refiller_pause(false);
	return page;
}

CASE(anon, a_victims_pages_and_slots_are_reaped_while_it_sleeps)
{
	const struct vmstat *stat = &main_node()->stat;
	unsigned long kills = vmstat_read(stat, VMSTAT_oom_kill);
	struct thread *thread;
	struct swap_info info;
	struct page *page;
	uint64_t took;

	/* As many slots as it fills: reclaim cannot swap the rest out. */
	EXPECT(ram_swap_make(disk, "testram", VICTIM_PAGES / 2 + 1));
	EXPECT_EQUAL(swapon(&disk->device, PRIORITY, NULL), 0);
	victim = (struct victim){ .error = 1 };
	init_completion(&victim.ready);
	init_completion(&victim.may_end);
	thread = thread_create("victim", victim_run, NULL);
	EXPECT(thread != NULL);
	wait_for_completion(&victim.ready);
	EXPECT_EQUAL(victim.error, 0);
	took = clock_microseconds();
	page = page_of_the_victim();
	took = clock_microseconds() - took;
	EXPECT(swap_area_info((unsigned int)swap_area_find(&disk->device),
	                      &info));
	complete_all(&victim.may_end);
	EXPECT_EQUAL(thread_join(thread), THREAD_END_RETURNED);
	EXPECT(page != NULL);
	__free_page(page);
	EXPECT_EQUAL(swapoff(&disk->device), 0);
	ram_swap_end(disk);
	EXPECT_EQUAL(vmstat_read(stat, VMSTAT_oom_kill), kills + 1);
	EXPECT(took >= OOM_REAPER_DELAY);
	EXPECT_EQUAL(info.used, 0);
	EXPECT(victim.nothing);
	EXPECT_EQUAL(victim.error, -EFAULT);
	return NULL;
}

/* ---- Interrupts ---------------------------------------------------------- */

static void end_writes(void *ram)
{
	ram_swap_complete(ram);
}

static void swap_out_first(void *error)
{
	*(int *)error = anon_object_swap_out(object, 0);
}

/*
 * The write of page 0 ends in a timer interrupt, with FAULT.  Return the error
 * that the waiting thread gets.
 */
static int swap_out_by_interrupt(unsigned long fault)
{
	struct thread *thread;
	int error = 1;

	disk->deferred = true;
	disk->write_fault.nth = fault;
	thread = thread_create("writer", swap_out_first, &error);
	if (thread == NULL)
		return -ENOMEM;
	while (READ_ONCE(disk->pending_count) == 0 || !is_waiting(thread))
		thread_yield();
	if (!in_timer_interrupt(end_writes, disk))
		return -ETIMEDOUT;
	thread_join(thread);
	disk->deferred = false;
	return error;
}

CASE(anon, a_write_may_end_in_an_interrupt_well_or_badly)
{
	struct swap_info info;

	EXPECT(kernel_anon_start());
	EXPECT_EQUAL(put_pattern(0, 5), 0);
	EXPECT_EQUAL(swap_out_by_interrupt(1), -EIO);
	EXPECT_EQUAL(current_thread()->mm->rss, 1);
	EXPECT_EQUAL(check_pattern(0, 5), 0);
	EXPECT_EQUAL(swap_out_by_interrupt(0), 0);
	EXPECT_EQUAL(current_thread()->mm->swapents, 1);
	EXPECT(swap_area_info((unsigned int)swap_area_find(&disk->device),
	                      &info));
	EXPECT(info.bad == 1 && info.used == 1);
	EXPECT_EQUAL(check_pattern(0, 5), 0);
	return kernel_anon_finish();
}

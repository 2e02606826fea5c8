/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_intruder.c -- what happens to a thread that touches another
 * owner's exclusive page, and to what it holds.
 *
 * The page is the test's.  Another thread passes its address to files and to
 * anonymous memory, and gets -EFAULT; what it used works as before.
 */
#include "kernel/arch/copy.h"
#include "kernel/core/irq.h"
#include "kernel/core/mutex.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/demo/recorder.h"
#include "kernel/fs/ext2.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/exclusive/exclusive.h"
#include "mm/mm_check.h"
#include "mm/page_alloc.h"
#include "mm/swap/swapfile.h"
#include "mm/user/anon.h"
#include "mm/user/filemap.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(intruder);

#define TAKE() labyrinth_void_alloc_page_gfp_atomic_exclusive()

#define TRY(call)                                                              \
	do {                                                                   \
		const char *try_answer = (call);                               \
		if (try_answer != NULL)                                        \
			return try_answer;                                     \
	} while (0)

/* An errand of another thread. */
struct errand {
	char *page; /* not that thread's */
	struct ext2 *fs;
	struct inode *inode;
	struct anon_object *object;
	const char *sentence;
};

/* RUN in a separate thread; NULL: it went well, and the thread returned. */
static const char *test_intruder_send(struct errand *errand,
                                      void (*run)(void *))
{
	struct thread *thread = thread_create("intruder", run, errand);

	EXPECT(thread != NULL);
	EXPECT(thread_join(thread) == THREAD_END_RETURNED);
	return errand->sentence;
}

static bool all_are(const char *bytes, char byte, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != byte)
			return false;
	}
	return true;
}

/* ---- The copies ---------------------------------------------------------- */

static const char *copies_are_refused(char *foreign)
{
	char bytes[32] = "mine";

	EXPECT_EQUAL(-copy_from_caller(bytes, foreign + 8, 32), EFAULT);
	EXPECT_EQUAL(-copy_from_caller(bytes, foreign, 1), EFAULT);
	EXPECT_EQUAL(-copy_to_caller(foreign, bytes, 32), EFAULT);
	EXPECT_EQUAL(-copy_to_caller(foreign + 5, bytes, 3), EFAULT);
	EXPECT_EQUAL(-clear_caller(foreign, 32), EFAULT);
	EXPECT_EQUAL(-clear_caller(foreign + 4095, 1), EFAULT);
	EXPECT_EQUAL(-strnlen_caller(foreign, 32), EFAULT);
	EXPECT(strcmp(bytes, "mine") == 0);
	return NULL;
}

static void copy_foreign(void *data)
{
	struct errand *errand = data;

	errand->sentence = copies_are_refused(errand->page);
}

CASE(intruder, copies_of_a_foreign_page_answer_efault_and_are_reported)
{
	struct errand errand = { .page = TAKE() };
	uint64_t mark = log_mark();

	EXPECT(errand.page != NULL);
	memset(errand.page, 'x', PAGE_SIZE);
	TRY(test_intruder_send(&errand, copy_foreign));
	EXPECT(all_are(errand.page, 'x', PAGE_SIZE));
	EXPECT(log_contains_since(mark, "touched by intruder"));
	EXPECT(log_contains_since(mark, "copy_from_caller"));
	EXPECT_EQUAL(exclusive_release(errand.page), 0);
	return NULL;
}

CASE(intruder, copies_of_no_memory_at_all_answer_efault)
{
	char *const not_canonical = (char *)(1ULL << 50);
	char bytes[16] = { 0 };

	EXPECT_EQUAL(-copy_from_caller(bytes, NULL, 16), EFAULT);
	EXPECT_EQUAL(-copy_to_caller(NULL, bytes, 3), EFAULT);
	EXPECT_EQUAL(-clear_caller(NULL, 16), EFAULT);
	EXPECT_EQUAL(-strnlen_caller(NULL, 16), EFAULT);
	EXPECT_EQUAL(-copy_from_caller(bytes, not_canonical, 16), EFAULT);
	EXPECT_EQUAL(-copy_to_caller(not_canonical, bytes, 16), EFAULT);
	EXPECT_EQUAL(-clear_caller(not_canonical, 16), EFAULT);
	EXPECT_EQUAL(-strnlen_caller(not_canonical, 16), EFAULT);
	/* Code can be read, and not written. */
	EXPECT_EQUAL(copy_from_caller(
			     bytes, (void *)(uintptr_t)copies_are_refused, 16),
	             0);
	EXPECT_EQUAL(-copy_to_caller((void *)(uintptr_t)copies_are_refused,
	                             bytes, 16),
	             EFAULT);
	/* Nothing of it is touched. */
	EXPECT_EQUAL(copy_from_caller(bytes, NULL, 0), 0);
	return NULL;
}

CASE(intruder, copies_of_the_callers_memory_are_copies)
{
	char from[64];
	char to[64];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (char)('A' + i);
	for (size_t at = 0; at < 9; at++) {
		for (size_t size = 0; size < 40; size++) {
			memset(to, 'z', sizeof(to));
			EXPECT_EQUAL(copy_from_caller(to + 3, from + at, size),
			             0);
			EXPECT(memcmp(to + 3, from + at, size) == 0);
			EXPECT(all_are(to, 'z', 3) &&
			       all_are(to + 3 + size, 'z', 61 - size));
			EXPECT_EQUAL(clear_caller(to + at, size), 0);
			EXPECT(all_are(to + at, 0, size));
			EXPECT_EQUAL(copy_to_caller(to + at, from + 3, size),
			             0);
			EXPECT(memcmp(to + at, from + 3, size) == 0);
		}
	}
	EXPECT_EQUAL(strnlen_caller("four", 10), 4);
	EXPECT_EQUAL(strnlen_caller("four", 4), 4);
	EXPECT_EQUAL(strnlen_caller("four", 2), 2);
	return NULL;
}

static bool any_page_fault(const struct fault *fault, void *data)
{
	(void)data;
	return fault->frame->vector == VECTOR_PAGE_FAULT;
}

static void copy_to_null(void *data)
{
	char bytes[8] = { 0 };

	/* NULL is not the caller's side. */
	*(int *)data = copy_from_caller(NULL, bytes, sizeof(bytes));
}

CASE(intruder, a_fault_on_the_other_side_of_a_copy_is_a_fault)
{
	struct fault_expect expect = { .match = any_page_fault };
	int answer = 1;

	EXPECT(fault_catch(&expect, copy_to_null, &answer));
	EXPECT_EQUAL(answer, 1);
	EXPECT_EQUAL(expect.address, 0);
	return NULL;
}

static void copy_null(void *data)
{
	char bytes[8];

	*(int *)data = copy_from_caller(bytes, NULL, sizeof(bytes));
}

CASE(intruder, a_copy_returns_before_an_outer_fault_catch)
{
	struct fault_expect expect = { .match = any_page_fault };
	int answer = 1;

	EXPECT(!fault_catch(&expect, copy_null, &answer));
	EXPECT_EQUAL(-answer, EFAULT);
	/* And the catch is there again. */
	EXPECT(fault_catch(&expect, copy_to_null, &answer));
	return NULL;
}

/* ---- Files --------------------------------------------------------------- */

static const char *file_is(struct inode *inode, const char *text, size_t size)
{
	char bytes[16] = { 0 };

	EXPECT_EQUAL(inode->size, size);
	EXPECT_EQUAL(ext2_read(inode, 0, bytes, strlen(text)), strlen(text));
	EXPECT(strcmp(bytes, text) == 0);
	return NULL;
}

static const char *use_files(struct errand *errand)
{
	struct ext2 *fs = errand->fs;
	char *foreign = errand->page;
	uint64_t position = 0;
	struct inode *inode;
	struct inode *root;

	EXPECT_EQUAL(ext2_create(fs, "/selftest", &inode), 0);
	EXPECT_EQUAL(-ext2_write(inode, 0, foreign, PAGE_SIZE), EFAULT);
	EXPECT_EQUAL(inode->size, 0);
	EXPECT_EQUAL(ext2_write(inode, 0, "it works", 8), 8);
	EXPECT_EQUAL(-ext2_write(inode, 3, foreign, 2), EFAULT);
	EXPECT_EQUAL(-ext2_write(inode, 8, foreign, 70000), EFAULT);
	EXPECT_EQUAL(-ext2_read(inode, 0, foreign, 8), EFAULT);
	TRY(file_is(inode, "it works", 8));
	ext2_close(inode);
	EXPECT_EQUAL(-ext2_open(fs, foreign, &inode), EFAULT);
	EXPECT(inode == NULL);
	EXPECT_EQUAL(-ext2_create(fs, foreign, &inode), EFAULT);
	EXPECT_EQUAL(-ext2_mkdir(fs, foreign), EFAULT);
	EXPECT_EQUAL(-ext2_unlink(fs, foreign), EFAULT);
	EXPECT_EQUAL(-ext2_rmdir(fs, foreign), EFAULT);
	EXPECT_EQUAL(ext2_open(fs, "/", &root), 0);
	EXPECT_EQUAL(
		-ext2_next_name(root, &position, (struct ext2_name *)foreign),
		EFAULT);
	EXPECT_EQUAL(position, 0);
	EXPECT_EQUAL(-ext2_next_name(root, (uint64_t *)foreign, NULL), EFAULT);
	ext2_close(root);
	return NULL;
}

/* Where an inode or a mount is to be handed out is foreign.  An inode that stayed in
 * use would make the unmount of the case -EBUSY. */
static const char *hand_out_to_foreign(struct errand *errand)
{
	struct inode **to = (struct inode **)errand->page;
	struct ext2 *fs = errand->fs;
	struct inode *inode;

	EXPECT_EQUAL(-ext2_open(fs, "/", to), EFAULT);
	EXPECT_EQUAL(-ext2_open(fs, "/missing", to + 511), EFAULT);
	EXPECT_EQUAL(-ext2_open_number(fs, EXT2_ROOT_INODE, to), EFAULT);
	EXPECT_EQUAL(-ext2_create(fs, "/selftest2", to), EFAULT);
	EXPECT_EQUAL(-ext2_open(fs, "/selftest2", &inode), ENOENT);
	EXPECT_EQUAL(-ext2_mount(block_find("hda1"), true, (struct ext2 **)to),
	             EFAULT);
	return NULL;
}

static void use_files_in_thread(void *data)
{
	struct errand *errand = data;

	errand->sentence = use_files(errand);
	if (errand->sentence == NULL)
		errand->sentence = hand_out_to_foreign(errand);
}

CASE(intruder, a_foreign_buffer_is_efault_for_files_and_the_mount_goes_on)
{
	struct block_device *device = block_find("hda1");
	struct errand errand = { .page = TAKE() };
	char text[120];
	struct inode *inode;

	if (device == NULL)
		SKIP("disk");
	EXPECT(errand.page != NULL);
	memset(errand.page, 'x', PAGE_SIZE);
	EXPECT_EQUAL(ext2_mount(device, false, &errand.fs), 0);
	TRY(test_intruder_send(&errand, use_files_in_thread));
	EXPECT(all_are(errand.page, 'x', PAGE_SIZE));
	EXPECT(ext2_check(errand.fs, text, sizeof(text)) == NULL);
	EXPECT_EQUAL(ext2_open(errand.fs, "/selftest", &inode), 0);
	TRY(file_is(inode, "it works", 8));
	ext2_close(inode);
	EXPECT_EQUAL(ext2_unlink(errand.fs, "/selftest"), 0);
	EXPECT_EQUAL(ext2_unmount(errand.fs), 0);
	EXPECT_EQUAL(exclusive_release(errand.page), 0);
	return NULL;
}

/* The buffer begins in a page of the caller's and goes on behind it, where its
 * window has nothing. */
CASE(intruder, a_buffer_that_goes_on_in_nobodys_page_is_written_up_to_there)
{
	struct block_device *device = block_find("hda1");
	char *page = TAKE();
	char *near_end = page + PAGE_SIZE - 50;
	char bytes[300];
	struct inode *inode;
	struct ext2 *fs;

	if (device == NULL)
		SKIP("disk");
	EXPECT(page != NULL);
	memset(page, 'x', PAGE_SIZE);
	EXPECT_EQUAL(ext2_mount(device, false, &fs), 0);
	EXPECT_EQUAL(ext2_create(fs, "/selftest", &inode), 0);
	EXPECT_EQUAL(ext2_write(inode, 0, page, 2 * PAGE_SIZE), PAGE_SIZE);
	EXPECT_EQUAL(ext2_truncate(inode, 100), 0);
	/* Fifty bytes get as far as the page of the cache; they are not the file's,
	 * and never come to light. */
	EXPECT_EQUAL(-ext2_write(inode, 100, near_end, 200), EFAULT);
	EXPECT_EQUAL(inode->size, 100);
	EXPECT_EQUAL(ext2_truncate(inode, 300), 0);
	EXPECT_EQUAL(ext2_read(inode, 0, bytes, 300), 300);
	EXPECT(all_are(bytes, 'x', 100) && all_are(bytes + 100, 0, 200));
	ext2_close(inode);
	EXPECT_EQUAL(ext2_unlink(fs, "/selftest"), 0);
	EXPECT_EQUAL(ext2_unmount(fs), 0);
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

/* ---- Anonymous memory ---------------------------------------------------- */

static void use_object(void *data)
{
	struct errand *errand = data;
	struct anon_object *object = errand->object;

	if (anon_object_write(object, 0, errand->page, PAGE_SIZE) != -EFAULT)
		errand->sentence = "it wrote what it cannot read";
	else if (anon_object_write(object, 0, "mine", 4) != 0)
		errand->sentence = "it cannot write";
	else if (anon_object_read(object, 0, errand->page, 4) != -EFAULT)
		errand->sentence = "it read to where it cannot write";
	else if (anon_object_read(object, 3 * PAGE_SIZE, errand->page, 4) !=
	         -EFAULT)
		errand->sentence = "it read zeroes to where it cannot write";
	else if (anon_object_pin(object, 1, (struct page **)errand->page) !=
	         -EFAULT)
		errand->sentence = "it pinned a page that it cannot unpin";
}

/* A page that is pinned has more than one reference: anon_check(), A4. */
CASE(intruder,
     a_foreign_buffer_is_efault_for_anonymous_memory_and_nothing_is_pinned)
{
	struct errand errand = { .page = TAKE() };
	char text[160];
	char word[5] = { 0 };

	EXPECT(errand.page != NULL);
	memset(errand.page, 'x', PAGE_SIZE);
	errand.object = anon_object_create(4);
	EXPECT(errand.object != NULL);
	TRY(test_intruder_send(&errand, use_object));
	EXPECT(all_are(errand.page, 'x', PAGE_SIZE));
	EXPECT(anon_check(text, sizeof(text)) == NULL);
	EXPECT_EQUAL(anon_object_read(errand.object, 0, word, 4), 0);
	EXPECT(strcmp(word, "mine") == 0);
	anon_object_destroy(errand.object);
	EXPECT_EQUAL(exclusive_release(errand.page), 0);
	return NULL;
}

/* ---- Answers ------------------------------------------------------------- */

/* Calls that fill in what the caller points to, with a lock held in between. */
static void ask_irqs(void *page)
{
	irq_statistics(0, page);
}

static void ask_times(void *page)
{
	sched_times(page);
}

static void ask_counts(void *page)
{
	exclusive_counts(main_node(), page);
}

static void test_intruder_ask_recorder(void *page)
{
	recorder_statistics(RECORDER_TIMER, page);
}

static void ask_columns(void *page)
{
	char text[120];

	zone_check(&main_node()->zone[ZONE_DMA], page, false, text,
	           sizeof(text));
}

static void ask_swap(void *page)
{
	if (swap_area_info(0, page))
		return;
	/* It is off, and nothing was written: as if it had been. */
	*(char *)page = 0;
}

CASE(intruder, who_wants_an_answer_in_a_foreign_page_is_ended_holding_nothing)
{
	void (*const ask[])(void *) = { ask_irqs,    ask_times,
		                        ask_counts,  test_intruder_ask_recorder,
		                        ask_columns, ask_swap };
	char *page = TAKE();

	EXPECT(page != NULL);
	memset(page, 'x', PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		struct thread *thread = thread_create("intruder", ask[i], page);
		uint64_t mine[64];

		EXPECT(thread != NULL);
		EXPECT(thread_join(thread) == THREAD_END_INTRUDED);
		EXPECT(all_are(page, 'x', PAGE_SIZE));
		/* Nothing is left behind: the same call serves the next one. */
		ask[i](mine);
	}
	EXPECT_EQUAL(exclusive_release(page), 0);
	return NULL;
}

static const char *sentence_is_refused(const char *sentence,
                                       const struct errand *errand)
{
	EXPECT(sentence != NULL && sentence != errand->page);
	EXPECT(strcmp(sentence,
	              "the buffer for what a check says is not the caller's") ==
	       0);
	return NULL;
}

static const char *check_all_into(struct errand *errand)
{
	char *to = errand->page;
	struct filemap map;

	filemap_init(&map, NULL, NULL);
	TRY(sentence_is_refused(filemap_check(&map, to, 120), errand));
	TRY(sentence_is_refused(anon_check(to, 120), errand));
	TRY(sentence_is_refused(swap_check(to, 120), errand));
	TRY(sentence_is_refused(exclusive_check(main_node(), false, to, 120),
	                        errand));
	TRY(sentence_is_refused(mm_check(to + PAGE_SIZE - 1, 1), errand));
	if (errand->fs != NULL)
		TRY(sentence_is_refused(ext2_check(errand->fs, to, 120),
		                        errand));
	return NULL;
}

static void check_all_in_thread(void *data)
{
	struct errand *errand = data;

	errand->sentence = check_all_into(errand);
}

CASE(intruder, a_check_takes_nothing_for_a_foreign_buffer_and_says_so)
{
	struct block_device *device = block_find("hda1");
	struct errand errand = { .page = TAKE() };
	char text[120];

	EXPECT(errand.page != NULL);
	memset(errand.page, 'x', PAGE_SIZE);
	if (device != NULL)
		EXPECT_EQUAL(ext2_mount(device, true, &errand.fs), 0);
	TRY(test_intruder_send(&errand, check_all_in_thread));
	EXPECT(all_are(errand.page, 'x', PAGE_SIZE));
	if (errand.fs != NULL) {
		EXPECT(ext2_check(errand.fs, text, sizeof(text)) == NULL);
		EXPECT_EQUAL(ext2_unmount(errand.fs), 0);
	}
	EXPECT(mm_check(text, sizeof(text)) == NULL);
	EXPECT_EQUAL(exclusive_release(errand.page), 0);
	return NULL;
}

static const char *swap_for_foreign(struct errand *errand)
{
	struct swap_device nothing = { .name = "nothing", .pages = 16 };

	EXPECT_EQUAL(-swapon(&nothing, -1, (const char **)errand->page),
	             EFAULT);
	EXPECT_EQUAL(
		-swap_area_remove(0, (struct swap_cluster ***)errand->page),
		EFAULT);
	return NULL;
}

static void swap_in_thread(void *data)
{
	struct errand *errand = data;

	errand->sentence = swap_for_foreign(errand);
}

CASE(intruder, swap_says_efault_before_it_begins)
{
	struct errand errand = { .page = TAKE() };

	EXPECT(errand.page != NULL);
	memset(errand.page, 'x', PAGE_SIZE);
	TRY(test_intruder_send(&errand, swap_in_thread));
	EXPECT(all_are(errand.page, 'x', PAGE_SIZE));
	EXPECT_EQUAL(exclusive_release(errand.page), 0);
	return NULL;
}

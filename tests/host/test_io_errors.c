// SPDX-License-Identifier: MIT
/*
 * tests/host/test_io_errors.c -- each request to a disk fails in turn.
 *
 * A page has a reference for each who may put it, and an error path is where one
 * is put twice, or never.  So the same work is done again and again, and another
 * request of it fails each time: alone, or with all that follow, as on a disk that
 * was pulled out.  Whatever the work says, afterwards each page is free, no free
 * was refused, and nothing is held.
 */
#include <limits.h>

#include "kernel/fs/ext2_internal.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/swap/swapfile.h"
#include "mm/user/anon.h"
#include "tests/host/ext2_image.h"
#include "tests/mm/ram_swap.h"
#include "tests/suite.h"

SUITE(io_errors);

static unsigned int bugs;

/* Where the log stood when the work began: what others have said is older. */
static uint64_t log_began;

/* Calls that have answered with an error since fail_files() began. */
static unsigned int told;

static void may_fail(long answer)
{
	told += answer < 0;
}

static void count_bug(const char *line, void *data)
{
	(void)data;
	if (strncmp(line, "BUG", 3) != 0)
		return;
	if (bugs++ == 0)
		test_note("%s", line);
}

/* Nothing was put twice, nothing is left. */
static const char *adds_up(const struct node *node)
{
	bugs = 0;
	log_visit((unsigned int)(log_mark() - log_began), count_bug, NULL);
	EXPECT_EQUAL(bugs, 0);
	EXPECT_EQUAL(vmstat_read(&node->stat, VMSTAT_free_refused), 0);
	EXPECT_EQUAL(node_free(node), node->page_count);
	return NULL;
}

/* ---- Files --------------------------------------------------------------- */

/* The file's pages are not in memory any more, if they can be written. */
static void test_io_errors_forget(struct inode *inode)
{
	may_fail(ext2_write_data(inode));
	filemap_forget(&inode->data);
}

static void test_io_errors_read_all(const char *path)
{
	char bytes[1000];
	struct inode *inode;
	uint64_t at = 0;
	long done;

	may_fail(ext2_open(image.fs, path, &inode));
	if (inode == NULL)
		return;
	test_io_errors_forget(inode);
	do {
		done = ext2_read(inode, at, bytes, sizeof(bytes));
		may_fail(done);
		at += done > 0 ? (uint64_t)done : 0;
	} while (done > 0);
	ext2_close(inode);
}

static void test_io_errors_list(const char *path)
{
	struct ext2_name name;
	struct inode *inode;
	struct inode *found;
	uint64_t position = 0;
	int answer;

	may_fail(ext2_open(image.fs, path, &inode));
	if (inode == NULL)
		return;
	do {
		answer = ext2_next_name(inode, &position, &name);
		may_fail(answer);
		found = NULL;
		if (answer == 1)
			may_fail(
				ext2_open_number(image.fs, name.inode, &found));
		if (found != NULL)
			ext2_close(found);
	} while (answer == 1);
	ext2_close(inode);
}

/* A word in the middle of a page that may have to be read, and a smaller file. */
static void test_io_errors_change(const char *path)
{
	struct inode *inode;

	may_fail(ext2_open(image.fs, path, &inode));
	if (inode == NULL)
		return;
	test_io_errors_forget(inode);
	may_fail(ext2_write(inode, 5000, "changed", 7));
	test_io_errors_forget(inode);
	may_fail(ext2_truncate(inode, 2500));
	may_fail(ext2_truncate(inode, 30000));
	ext2_close(inode);
}

/* Inodes and blocks that nobody uses leave memory, so that they are read again. */
static void squeeze(void)
{
	unsigned int scope = ext2_lock(image.fs);

	ext2_squeeze(image.fs);
	ext2_unlock(image.fs, scope);
}

/* Each call may fail, and the next is made all the same. */
static void work_with_files(void)
{
	test_io_errors_list("/");
	test_io_errors_read_all("/file");
	squeeze();
	may_fail(image_write("/new", 2, 20000));
	test_io_errors_change("/file");
	squeeze();
	may_fail(ext2_mkdir(image.fs, "/dir"));
	may_fail(image_write("/dir/one", 3, 5000));
	may_fail(ext2_sync(image.fs));
	squeeze();
	may_fail(ext2_unlink(image.fs, "/new"));
	may_fail(ext2_rmdir(image.fs, "/dir"));
	may_fail(ext2_unlink(image.fs, "/dir/one"));
	may_fail(ext2_rmdir(image.fs, "/dir"));
	squeeze();
	test_io_errors_read_all("/file");
	may_fail(ext2_unlink(image.fs, "/file"));
}

/* One round; *DONE: nothing failed. */
static const char *fail_files(unsigned long nth, unsigned int count, bool *done)
{
	TRY(image_tool(0, "cp %s/whole %s", image.folder, image.path));
	log_began = log_mark();
	image_attach(512);
	machine_disk_fail_nth(nth, count);
	told = 0;
	may_fail(ext2_mount(image.device, false, &image.fs));
	if (image.fs != NULL) {
		static char sentence[160];

		work_with_files();
		TRY(ext2_check(image.fs, sentence, sizeof(sentence)));
		may_fail(ext2_unmount(image.fs));
	}
	EXPECT(told > 0 || machine_disk_failed() == 0);
	EXPECT_EQUAL(bd_claim(image.device), 0);
	bd_release(image.device);
	*done = machine_disk_failed() == 0;
	image_detach();
	return adds_up(image.node);
}

static const char *each_request_of_files(const char *options,
                                         unsigned int count)
{
	unsigned long nth = 0;
	bool done = false;

	TRY(image_make(options, 1024));
	image_host_write("file", 1, 300 * 1024ULL);
	TRY(image_tool(0, "debugfs -w -R 'write %s/file file' %s", image.folder,
	               image.path));
	TRY(image_tool(0, "cp %s %s/whole", image.path, image.folder));
	while (!done) {
		const char *answer = fail_files(++nth, count, &done);

		if (answer != NULL)
			test_note("it was request %lu that failed", nth);
		TRY(answer);
	}
	test_note("%lu requests", nth - 1);
	EXPECT(nth > 100);
	return NULL;
}

CASE(io_errors, pages_of_files_add_up_whichever_request_fails)
{
	return each_request_of_files("-b 1024", 1);
}

CASE(io_errors, pages_of_files_add_up_whenever_the_disk_is_pulled_out)
{
	return each_request_of_files("-b 1024", UINT_MAX);
}

CASE(io_errors, pages_of_files_add_up_with_blocks_of_a_page)
{
	TRY(each_request_of_files("-b 4096", 1));
	return each_request_of_files("-b 4096", UINT_MAX);
}

CASE(io_errors, a_page_that_cannot_be_read_is_nobodys)
{
	struct inode *inode;
	struct page *page = (struct page *)&inode;
	void *data;

	TRY(image_start("-b 4096", 4096));
	machine_disk_fail_nth(1, UINT_MAX);
	EXPECT_EQUAL(-ext2_meta_get(image.fs, 700, &page, &data), EIO);
	EXPECT(page == NULL);
	EXPECT_EQUAL(-ext2_open_number(image.fs, 900, &inode), EIO);
	EXPECT(inode == NULL);
	machine_disk_fail_nth(0, 0);
	return image_finish();
}

/* ---- Swap ---------------------------------------------------------------- */

#define OBJECT_PAGES 12UL

static struct ram_swap swap;

/* NULL, or a page that was handed out in spite of an error. */
static struct page *work_with_swap(struct anon_object *object)
{
	uint64_t word = 5;
	struct page *page;

	for (unsigned long i = 0; i < OBJECT_PAGES; i++)
		may_fail(anon_object_write(object, i * PAGE_SIZE, &word,
		                           sizeof(word)));
	for (unsigned long i = 0; i < OBJECT_PAGES; i++)
		may_fail(anon_object_swap_out(object, i));
	for (unsigned long i = 0; i < OBJECT_PAGES; i++) {
		if (anon_object_pin(object, i, &page) == 0)
			anon_object_unpin(page, i % 2 == 0);
		else if (page != NULL)
			return page;
		may_fail(anon_object_read(object, i * PAGE_SIZE, &word,
		                          sizeof(word)));
		may_fail(anon_object_swap_out(object, i));
	}
	return NULL;
}

static const char *fail_swap(struct ram_fault *fault, struct ram_fault order)
{
	static char sentence[160];
	const char *broken;
	struct anon_object *object;
	struct node *node;
	struct page *lost;

	log_began = log_mark();
	machine_start(256);
	node = machine_one_zone(ZONE_NORMAL, 256);
	swap_start(node);
	anon_start();
	EXPECT(ram_swap_make(&swap, "ram", OBJECT_PAGES + 1));
	EXPECT_EQUAL(swapon(&swap.device, 0, NULL), 0);
	object = anon_object_create(OBJECT_PAGES);
	EXPECT(object != NULL);
	*fault = order;
	lost = work_with_swap(object);
	EXPECT(lost == NULL);
	broken = anon_check(sentence, sizeof(sentence));
	if (broken == NULL)
		broken = swap_check(sentence, sizeof(sentence));
	if (broken != NULL)
		return broken;
	*fault = (struct ram_fault){ 0 };
	anon_object_destroy(object);
	EXPECT_EQUAL(swapoff(&swap.device), 0);
	ram_swap_end(&swap);
	return adds_up(node);
}

CASE(io_errors, pages_of_swap_add_up_whichever_request_fails)
{
	struct ram_fault *const faults[] = { &swap.read_fault,
		                             &swap.write_fault,
		                             &swap.start_fault };

	for (unsigned int kind = 0; kind < ARRAY_SIZE(faults); kind++) {
		for (unsigned int nth = 1; nth <= 4 * OBJECT_PAGES; nth++) {
			struct ram_fault order = { .nth = (nth + 1) / 2,
				                   .forever = nth % 2 == 0 };

			TRY(fail_swap(faults[kind], order));
		}
	}
	return NULL;
}

CASE(io_errors, a_swap_area_that_cannot_be_read_leaves_nothing)
{
	const char *why;
	struct node *node;

	log_began = log_mark();
	machine_start(256);
	node = machine_one_zone(ZONE_NORMAL, 256);
	swap_start(node);
	anon_start();
	EXPECT(ram_swap_make(&swap, "ram", 9));
	swap.read_fault.nth = 1;
	EXPECT_EQUAL(-swapon(&swap.device, 0, &why), EIO);
	EXPECT_EQUAL(swapon(&swap.device, 0, &why), 0);
	EXPECT_EQUAL(swapoff(&swap.device), 0);
	ram_swap_end(&swap);
	return adds_up(node);
}

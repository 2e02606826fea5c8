// SPDX-License-Identifier: MIT
/*
 * tests/host/test_intruder.c -- foreign pages handed to files and to anonymous
 * memory, on the host: tests/kernel/test_intruder.c in the machine of the host,
 * where the memory of another thread's window really is not there.
 */
#include "kernel/arch/copy.h"
#include "lib/string.h"
#include "mm/task.h"
#include "mm/user/anon.h"
#include "tests/host/ext2_image.h"
#include "tests/suite.h"

SUITE(intruder_host);

static struct thread other;

/* An exclusive page of thread other's, full of x; main runs. */
static char *take_foreign(void)
{
	char *page;

	machine_begin_thread(&other, "other");
	machine_switch_to(&other);
	page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	if (page != NULL)
		memset(page, 'x', PAGE_SIZE);
	machine_switch_to(machine_main());
	return page;
}

/* Nothing was written to it, and it goes back. */
static const char *give_foreign(char *page)
{
	bool whole = true;

	machine_switch_to(&other);
	for (unsigned long i = 0; i < PAGE_SIZE; i++)
		whole = whole && page[i] == 'x';
	EXPECT(whole);
	EXPECT_EQUAL(exclusive_release(page), 0);
	machine_switch_to(machine_main());
	machine_end_thread(&other);
	return NULL;
}

CASE(intruder_host, a_foreign_buffer_is_efault_for_files_and_the_mount_goes_on)
{
	char bytes[10] = { 0 };
	char text[120];
	struct inode *inode;
	char *page;

	TRY(image_make("-b 1024", 1024));
	image_attach(IMAGE_PAGES);
	machine_start_exclusive(image.node, 8);
	exclusive_balance(image.node);
	page = take_foreign();
	EXPECT(page != NULL);
	TRY(image_mount());
	WORKS(ext2_create(image.fs, "/file", &inode));
	EXPECT_EQUAL(-ext2_write(inode, 0, page, PAGE_SIZE), EFAULT);
	EXPECT_EQUAL(ext2_write(inode, 0, "it works", 8), 8);
	EXPECT_EQUAL(-ext2_write(inode, 4, page, 100), EFAULT);
	EXPECT_EQUAL(-ext2_read(inode, 0, page, 8), EFAULT);
	EXPECT_EQUAL(inode->size, 8);
	EXPECT_EQUAL(ext2_read(inode, 0, bytes, 10), 8);
	EXPECT(strcmp(bytes, "it works") == 0);
	ext2_close(inode);
	EXPECT_EQUAL(-ext2_open(image.fs, page, &inode), EFAULT);
	EXPECT_EQUAL(-ext2_open(image.fs, "/", (struct inode **)page), EFAULT);
	EXPECT_EQUAL(-ext2_create(image.fs, "/new", (struct inode **)page),
	             EFAULT);
	EXPECT_EQUAL(-ext2_open(image.fs, "/new", &inode), ENOENT);
	EXPECT(ext2_check(image.fs, page, 120) != NULL);
	EXPECT(ext2_check(image.fs, text, sizeof(text)) == NULL);
	TRY(give_foreign(page));
	TRY(image_unmount());
	image_detach();
	TRY(machine_finish());
	return image_check();
}

/* The buffer begins in a page of main's and goes on behind it, where its window has
 * nothing. */
CASE(intruder_host, bytes_of_a_write_that_failed_do_not_come_to_light)
{
	char bytes[300];
	struct inode *inode;
	char *page;

	TRY(image_make("-b 1024", 1024));
	image_attach(IMAGE_PAGES);
	machine_start_exclusive(image.node, 8);
	exclusive_balance(image.node);
	page = labyrinth_void_alloc_page_gfp_atomic_exclusive();
	EXPECT(page != NULL);
	memset(page, 'x', PAGE_SIZE);
	TRY(image_mount());
	WORKS(ext2_create(image.fs, "/file", &inode));
	EXPECT_EQUAL(ext2_write(inode, 0, page, 2 * PAGE_SIZE), PAGE_SIZE);
	WORKS(ext2_truncate(inode, 100));
	EXPECT_EQUAL(-ext2_write(inode, 100, page + PAGE_SIZE - 50, 200),
	             EFAULT);
	EXPECT_EQUAL(inode->size, 100);
	WORKS(ext2_truncate(inode, 300));
	EXPECT_EQUAL(ext2_read(inode, 0, bytes, 300), 300);
	for (unsigned int i = 0; i < 300; i++)
		EXPECT_EQUAL(bytes[i], i < 100 ? 'x' : 0);
	ext2_close(inode);
	EXPECT_EQUAL(exclusive_release(page), 0);
	TRY(image_unmount());
	image_detach();
	TRY(machine_finish());
	return image_check();
}

CASE(intruder_host, a_foreign_buffer_is_efault_for_anonymous_memory)
{
	struct anon_object *object;
	char text[160];
	char *page;

	machine_start(1024);
	image.node = machine_one_zone(ZONE_NORMAL, 1024);
	machine_start_exclusive(image.node, 8);
	exclusive_balance(image.node);
	swap_start(image.node);
	anon_start();
	page = take_foreign();
	object = anon_object_create(4);
	EXPECT(page != NULL && object != NULL);
	EXPECT_EQUAL(-anon_object_write(object, 0, page, PAGE_SIZE), EFAULT);
	EXPECT_EQUAL(-anon_object_write(object, 7, page + 5, 2), EFAULT);
	EXPECT_EQUAL(-anon_object_read(object, 0, page, 7), EFAULT);
	EXPECT_EQUAL(-anon_object_read(object, 3 * PAGE_SIZE, page, 7), EFAULT);
	EXPECT_EQUAL(-anon_object_pin(object, 1, (struct page **)page), EFAULT);
	EXPECT(anon_check(page, 120) != NULL);
	/* A4: nobody has a reference but the object. */
	EXPECT(anon_check(text, sizeof(text)) == NULL);
	EXPECT_EQUAL(machine_main()->mm->rss, 1);
	anon_object_destroy(object);
	TRY(give_foreign(page));
	return machine_finish();
}

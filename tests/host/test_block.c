/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_block.c -- the block layer over a disk that obeys.
 *
 * The disk holds its requests until the case lets one end, or fails, or hangs:
 * what a real disk does when it likes, here in the order of a script.
 */
#include <stdlib.h>
#include <unistd.h>

#include "kernel/block/mbr.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/page_alloc.h"
#include "mm/slab/slab.h"
#include "tests/host/libmm.h"
#include "tests/host/machine_disk.h"
#include "tests/suite.h"

SUITE(block_queue);

#define SECTORS 8192
#define MANY    8
#define LIMIT   1000000ULL

static struct block_device *disk;
static struct page *page;
static struct bio bios[MANY];
static unsigned int ended[MANY];
static unsigned int order[2 * MANY];
static unsigned int ends;
static unsigned long recoveries; /* when the last bio ended */

static bool test_block_begin(void)
{
	machine_start(64);
	set_main_node(machine_one_zone(ZONE_NORMAL, 64));
	disk = machine_disk_open(NULL, SECTORS);
	page = alloc_page(GFP_KERNEL);
	memset(ended, 0, sizeof(ended));
	ends = 0;
	return page != NULL;
}

static const char *test_block_end(void)
{
	__free_page(page);
	machine_disk_close();
	return NULL;
}

static void note_end(struct bio *bio)
{
	unsigned int number = (unsigned int)(bio - bios);

	ended[number]++;
	order[ends++] = number;
	recoveries = machine_disk_recoveries();
}

static void submit(unsigned int number, bool write)
{
	bios[number] = (struct bio){
		.device = disk,
		.sector = number * 8,
		.write = write,
		.page = page,
		.bytes = PAGE_SIZE,
		.end_io = note_end,
	};
	submit_bio(&bios[number]);
}

CASE(block_queue, what_is_written_is_read_back)
{
	uint8_t *bytes;

	EXPECT(test_block_begin());
	bytes = page_address(page);
	memset(bytes, 0x11, PAGE_SIZE);
	EXPECT_EQUAL(block_write_page(disk, 16, page), 0);
	memset(bytes, 0x22, 1024);
	EXPECT_EQUAL(block_write(disk, 18, page, 512, 512), 0);
	memset(bytes, 0, PAGE_SIZE);
	EXPECT_EQUAL(block_read_page(disk, 16, page), 0);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		EXPECT_EQUAL(bytes[i], i / 512 == 2 ? 0x22 : 0x11);
	return test_block_end();
}

CASE(block_queue, one_is_in_flight_and_the_others_wait_in_order)
{
	EXPECT(test_block_begin());
	machine_disk_hold(true);
	for (unsigned int i = 0; i < MANY; i++)
		submit(i, true);
	/* The first request was for the partition table. */
	EXPECT_EQUAL(machine_disk_requests(), 2);
	for (unsigned int i = 0; i < MANY; i++) {
		EXPECT_EQUAL(ends, i);
		EXPECT(disk->queue->in_flight == &bios[i]);
		EXPECT(machine_disk_end_one());
	}
	EXPECT(!machine_disk_end_one());
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT(order[i] == i && ended[i] == 1);
	return test_block_end();
}

CASE(block_queue, an_error_is_of_the_request_that_has_it)
{
	EXPECT(test_block_begin());
	machine_disk_hold(true);
	machine_disk_fail(true, 17, 1, -EIO);
	for (unsigned int i = 0; i < MANY; i++)
		submit(i, true);
	while (machine_disk_end_one()) {
	}
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQUAL(bios[i].error, i == 2 ? -EIO : 0);
	EXPECT_EQUAL(block_statistics(disk).errors, 1);
	EXPECT_EQUAL(block_statistics(disk).sectors_written, (MANY - 1) * 8);
	return test_block_end();
}

CASE(block_queue, a_waiting_thread_goes_on_when_its_request_ends)
{
	EXPECT(test_block_begin());
	EXPECT_EQUAL(block_read_page(disk, 0, page), 0);
	machine_disk_fail(false, 0, 2, -EIO);
	EXPECT_EQUAL(block_read_page(disk, 0, page), -EIO);
	EXPECT_EQUAL(block_read(disk, 0, page, 0, 512), -EIO);
	EXPECT_EQUAL(block_read_page(disk, 0, page), 0);
	return test_block_end();
}

/* ---- A disk that is not ready -------------------------------------------- */

CASE(block_queue, a_request_to_a_disk_that_is_not_ready_goes_on_later)
{
	EXPECT(test_block_begin());
	EXPECT(!block_resume(disk->queue));
	machine_disk_stall(3);
	for (unsigned int i = 0; i < 3; i++)
		submit(i, true);
	EXPECT_EQUAL(ends, 0);
	EXPECT(block_resume(disk->queue));
	EXPECT(block_resume(disk->queue));
	EXPECT(disk->queue->in_flight == &bios[0]);
	EXPECT_EQUAL(ends, 0);
	EXPECT(!block_resume(disk->queue));
	EXPECT_EQUAL(ends, 3);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT(order[i] == i && ended[i] == 1 && bios[i].error == 0);
	return test_block_end();
}

CASE(block_queue, a_disk_that_does_not_become_ready_is_given_up)
{
	EXPECT(test_block_begin());
	machine_disk_stall(2);
	machine_disk_hang(1);
	submit(0, true);
	submit(1, true);
	EXPECT(block_resume(disk->queue));
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 0);
	EXPECT(!block_resume(disk->queue));
	EXPECT_EQUAL(ends, 0);
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 1);
	EXPECT_EQUAL(bios[0].error, -ETIMEDOUT);
	EXPECT(bios[1].error == 0 && ended[1] == 1);
	/* One that is taken away while it is stalled does not go on. */
	machine_disk_stall(2);
	submit(2, true);
	EXPECT_EQUAL(block_give_up(disk->queue, 0), 1);
	EXPECT(!block_resume(disk->queue));
	EXPECT(ended[2] == 1 && bios[2].error == -ETIMEDOUT);
	return test_block_end();
}

/* ---- Time ---------------------------------------------------------------- */

CASE(block_queue, what_takes_too_long_is_given_up_and_the_next_begins)
{
	EXPECT(test_block_begin());
	machine_disk_hold(true);
	submit(0, false);
	submit(1, false);
	machine_advance(LIMIT - 1);
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 0);
	EXPECT_EQUAL(ends, 0);
	machine_advance(1);
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 1);
	EXPECT_EQUAL(machine_disk_recoveries(), 1);
	EXPECT_EQUAL(ends, 1);
	EXPECT_EQUAL(bios[0].error, -ETIMEDOUT);
	EXPECT(disk->queue->in_flight == &bios[1]);
	/* Its time begins now. */
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 0);
	EXPECT(machine_disk_end_one());
	EXPECT_EQUAL(bios[1].error, 0);
	EXPECT_EQUAL(block_statistics(disk).timeouts, 1);
	EXPECT_EQUAL(block_statistics(disk).errors, 0);
	return test_block_end();
}

CASE(block_queue, a_request_ends_after_the_disk_has_forgotten_it)
{
	EXPECT(test_block_begin());
	machine_disk_hold(true);
	submit(0, false);
	machine_advance(LIMIT);
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 1);
	EXPECT_EQUAL(ended[0], 1);
	EXPECT_EQUAL(recoveries, 1);
	return test_block_end();
}

CASE(block_queue, an_interrupt_that_comes_too_late_ends_nothing)
{
	EXPECT(test_block_begin());
	machine_disk_hold(true);
	submit(0, false);
	machine_advance(LIMIT);
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 1);
	EXPECT(!machine_disk_end_one());
	EXPECT_EQUAL(ended[0], 1);
	EXPECT_EQUAL(bios[0].error, -ETIMEDOUT);
	return test_block_end();
}

CASE(block_queue, a_disk_that_hangs_is_not_waited_for)
{
	EXPECT(test_block_begin());
	machine_disk_hang(1);
	submit(0, true);
	submit(1, true);
	EXPECT_EQUAL(ends, 0);
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 1);
	EXPECT_EQUAL(bios[0].error, -ETIMEDOUT);
	EXPECT_EQUAL(ends, 2);
	EXPECT_EQUAL(bios[1].error, 0);
	return test_block_end();
}

CASE(block_queue, a_dead_disk_ends_every_request_with_an_error)
{
	unsigned long requests;

	EXPECT(test_block_begin());
	machine_disk_hold(true);
	machine_disk_set_recovery(-EIO);
	submit(0, true);
	submit(1, true);
	machine_advance(LIMIT);
	requests = machine_disk_requests();
	EXPECT_EQUAL(block_give_up(disk->queue, LIMIT), 1);
	submit(2, false);
	EXPECT_EQUAL(ends, 3);
	EXPECT_EQUAL(bios[0].error, -ETIMEDOUT);
	EXPECT_EQUAL(bios[1].error, -EIO);
	EXPECT_EQUAL(bios[2].error, -EIO);
	EXPECT_EQUAL(machine_disk_requests(), requests);
	return test_block_end();
}

/* ---- No recursion -------------------------------------------------------- */

#define CHAIN 100000U

static unsigned int chain;

static void submit_again(struct bio *bio)
{
	if (++chain < CHAIN)
		submit_bio(bio);
}

/* If each end were called inside the other's, no stack would be enough. */
static const char *run_chain(uint64_t sector)
{
	chain = 0;
	bios[0] = (struct bio){ .device = disk,
		                .sector = sector,
		                .page = page,
		                .bytes = SECTOR_SIZE,
		                .end_io = submit_again };
	submit_bio(&bios[0]);
	EXPECT_EQUAL(chain, CHAIN);
	return NULL;
}

CASE(block_queue, a_hundred_thousand_ends_that_submit_need_one_stack)
{
	const char *answer;

	EXPECT(test_block_begin());
	answer = run_chain(0);
	if (answer == NULL)
		answer = run_chain(SECTORS); /* refused immediately */
	return answer != NULL ? answer : test_block_end();
}

/* ---- Partitions ---------------------------------------------------------- */

static void test_block_entry(uint8_t *at, uint8_t type, uint16_t first,
                             uint16_t sectors)
{
	at[4] = type;
	memcpy(at + 8, &first, sizeof(first));
	memcpy(at + 12, &sectors, sizeof(sectors));
}

/* A disk whose table has two partitions, and a third that lies. */
static const char *write_table(const char *path)
{
	uint8_t *bytes = page_address(page);

	memset(bytes, 0, PAGE_SIZE);
	test_block_entry(bytes + 446, 0x83, 16, 64);
	test_block_entry(bytes + 462, 0xda, 80, 64);
	test_block_entry(bytes + 478, 0x83, 100, 8192);
	bytes[510] = 0x55;
	bytes[511] = 0xaa;
	disk = machine_disk_open(path, SECTORS);
	EXPECT_EQUAL(block_write(disk, 0, page, 0, SECTOR_SIZE), 0);
	disk = machine_disk_open(path, SECTORS);
	return NULL;
}

static const char *begin_with_partitions(void)
{
	char path[] = "/tmp/labyrinth-disk-XXXXXX";
	int file = mkstemp(path);
	const char *answer;

	EXPECT(file >= 0);
	close(file);
	EXPECT(test_block_begin());
	answer = write_table(path);
	remove(path);
	return answer;
}

CASE(block_queue, partitions_are_devices_with_bounds)
{
	const char *answer = begin_with_partitions();
	struct block_device *part;

	if (answer != NULL)
		return answer;
	part = block_find("hda2");
	EXPECT(part != NULL && block_find("hda1") != NULL);
	EXPECT(block_find("hda3") == NULL && block_find("hda4") == NULL);
	EXPECT(part->parent == disk && part->first == 80);
	EXPECT_EQUAL(part->sectors, 64);
	EXPECT_EQUAL(part->type, MBR_TYPE_SCRATCH);
	EXPECT_EQUAL(block_read(part, 64, page, 0, 512), -EIO);
	memset(page_address(page), 0x33, PAGE_SIZE);
	EXPECT_EQUAL(block_write(part, 63, page, 0, 512), 0);
	memset(page_address(page), 0, PAGE_SIZE);
	EXPECT_EQUAL(block_read(disk, 80 + 63, page, 0, 512), 0);
	EXPECT_EQUAL(*(uint8_t *)page_address(page), 0x33);
	EXPECT_EQUAL(block_statistics(part).writes, 1);
	return test_block_end();
}

CASE(block_queue, sectors_are_claimed_by_one_at_a_time)
{
	const char *answer = begin_with_partitions();
	struct block_device *one = block_find("hda1");
	struct block_device *two = block_find("hda2");

	if (answer != NULL)
		return answer;
	EXPECT_EQUAL(bd_claim(one), 0);
	EXPECT_EQUAL(bd_claim(one), -EBUSY);
	EXPECT_EQUAL(bd_claim(disk), -EBUSY);
	EXPECT_EQUAL(bd_claim(two), 0);
	bd_release(one);
	EXPECT_EQUAL(bd_claim(disk), -EBUSY);
	bd_release(two);
	EXPECT_EQUAL(bd_claim(disk), 0);
	EXPECT_EQUAL(bd_claim(two), -EBUSY);
	bd_release(disk);
	EXPECT_EQUAL(bd_claim(two), 0);
	bd_release(two);
	return test_block_end();
}

/* 100 bios, more than the reserve, while there is memory. */
CASE(block_queue, bios_are_as_many_as_memory_allows)
{
	struct bio *taken[100];

	EXPECT(test_block_begin());
	EXPECT(slab_start(main_node(), 1, SLAB_KEY));
	bio_init();
	for (unsigned int i = 0; i < 100; i++) {
		taken[i] = bio_alloc(GFP_ATOMIC);
		EXPECT(taken[i] != NULL && taken[i]->device == NULL);
		taken[i]->device = disk;
	}
	for (unsigned int i = 0; i < 100; i++)
		bio_put(taken[i]);
	bio_exit();
	EXPECT(slab_stop(main_node()));
	return test_block_end();
}

CASE(block_queue, without_memory_the_reserve_of_bios_runs_out_and_comes_back)
{
	struct bio *taken[BIO_RESERVE];

	EXPECT(test_block_begin());
	EXPECT(slab_start(main_node(), 1, SLAB_KEY));
	bio_init();
	fail_nth_set(current_thread(), 1, true);
	for (unsigned int i = 0; i < BIO_RESERVE; i++) {
		taken[i] = bio_alloc(GFP_ATOMIC);
		EXPECT(taken[i] != NULL && taken[i]->device == NULL);
		taken[i]->device = disk;
	}
	EXPECT(bio_alloc(GFP_ATOMIC) == NULL);
	bio_put(taken[3]);
	taken[3] = bio_alloc(GFP_NOIO);
	EXPECT(taken[3] != NULL && taken[3]->device == NULL);
	fail_nth_set(current_thread(), 0, false);
	for (unsigned int i = 0; i < BIO_RESERVE; i++)
		bio_put(taken[i]);
	bio_exit();
	EXPECT(slab_stop(main_node()));
	return test_block_end();
}

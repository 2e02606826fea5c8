/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_block.c -- a real disk, as far as an emulator's is one.
 *
 * Writes only to hda3, and only if its type says that it is unused.  Lost
 * interrupts and time-outs are tested with the disk's line masked.
 */
#include "drivers/ata.h"
#include "kernel/arch/arch.h"
#include "kernel/block/block.h"
#include "kernel/block/mbr.h"
#include "kernel/core/irq.h"
#include "kernel/core/printk.h"
#include "kernel/core/semaphore.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/debug/fault_inject.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/slab/mempool.h"
#include "tests/kernel/bench.h"
#include "tests/suite.h"

SUITE(block);
SUITE(mempool);

#define DISK_IRQ 14

/* The partition that may be written to, or NULL. */
static struct block_device *scratch(void)
{
	struct block_device *device = block_find("hda3");

	if (device == NULL || device->type != MBR_TYPE_SCRATCH ||
	    device->sectors < 8192)
		return NULL;
	return device;
}

#define NEEDS_DISK(device)                                                     \
	do {                                                                   \
		if ((device) == NULL)                                          \
			SKIP("disk");                                          \
	} while (0)

/* Two pages, one to write and one to read. */
struct pair {
	struct page *page[2];
	uint8_t *out;
	uint8_t *in;
};

static bool take_pair(struct pair *pair)
{
	for (unsigned int i = 0; i < 2; i++) {
		pair->page[i] = alloc_page(GFP_KERNEL);
		if (pair->page[i] == NULL)
			return false;
	}
	pair->out = page_address(pair->page[0]);
	pair->in = page_address(pair->page[1]);
	return true;
}

static const char *give_pair(struct pair *pair, const char *answer)
{
	__free_page(pair->page[0]);
	__free_page(pair->page[1]);
	return answer;
}

static void test_block_fill(uint8_t *bytes, size_t size, uint64_t seed)
{
	struct random random = { .state = seed };

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)random_next(&random);
}

/* ---- Data ---------------------------------------------------------------- */

static const char *write_then_read(struct block_device *device,
                                   struct pair *pair, bool dma_in, bool dma_out)
{
	uint64_t seed = test_seed();

	for (unsigned int i = 0; i < 32; i++) {
		uint64_t sector = i * SECTORS_PER_PAGE;

		test_block_fill(pair->out, PAGE_SIZE, seed + i);
		memset(pair->in, 0, PAGE_SIZE);
		ata_set_dma(dma_out);
		EXPECT_EQUAL(block_write_page(device, sector, pair->page[0]),
		             0);
		ata_set_dma(dma_in);
		EXPECT_EQUAL(block_read_page(device, sector, pair->page[1]), 0);
		EXPECT(memcmp(pair->in, pair->out, PAGE_SIZE) == 0);
	}
	return NULL;
}

CASE(block, what_is_written_is_read_back_by_pio_and_dma_and_across)
{
	struct block_device *device = scratch();
	const char *answer = NULL;
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	for (unsigned int way = 0; way < 4 && answer == NULL; way++)
		answer = write_then_read(device, &pair, way & 1, way & 2);
	ata_set_dma(true);
	return give_pair(&pair, answer);
}

/* Each number of sectors at each offset changes these sectors only. */
static const char *write_each_part(struct block_device *device,
                                   struct pair *pair)
{
	for (unsigned int from = 0; from < SECTORS_PER_PAGE; from++) {
		for (unsigned int n = 1; n <= SECTORS_PER_PAGE - from; n++) {
			unsigned int at = from * SECTOR_SIZE;

			test_block_fill(pair->out, PAGE_SIZE, from * 8 + n);
			EXPECT_EQUAL(
				block_write_page(device, 16, pair->page[0]), 0);
			memset(pair->out + at, 0x5a, (size_t)n * SECTOR_SIZE);
			EXPECT_EQUAL(block_write(device, 16 + from,
			                         pair->page[0], at,
			                         n * SECTOR_SIZE),
			             0);
			memset(pair->in, 0, PAGE_SIZE);
			EXPECT_EQUAL(block_read_page(device, 16, pair->page[1]),
			             0);
			EXPECT(memcmp(pair->in, pair->out, PAGE_SIZE) == 0);
		}
	}
	return NULL;
}

CASE(block, every_part_of_a_page_goes_where_it_belongs)
{
	struct block_device *device = scratch();
	const char *answer;
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	answer = write_each_part(device, &pair);
	if (answer == NULL) {
		ata_set_dma(false);
		answer = write_each_part(device, &pair);
		ata_set_dma(true);
	}
	return give_pair(&pair, answer);
}

CASE(block, a_partition_is_the_disk_from_its_first_sector)
{
	struct block_device *device = scratch();
	const char *answer = NULL;
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	test_block_fill(pair.out, PAGE_SIZE, test_seed());
	if (block_write_page(device, 40, pair.page[0]) != 0 ||
	    block_read_page(device->parent, device->first + 40, pair.page[1]) !=
	            0)
		answer = "it cannot be read or written";
	else if (memcmp(pair.in, pair.out, PAGE_SIZE) != 0)
		answer = "the disk has something else there";
	return give_pair(&pair, answer);
}

static const char *refuse_bounds(struct block_device *device, struct page *page)
{
	uint64_t end = device->sectors;

	EXPECT_EQUAL(block_read(device, end - 1, page, 0, 512), 0);
	EXPECT_EQUAL(block_read(device, end, page, 0, 512), -EIO);
	EXPECT_EQUAL(block_write(device, end - 7, page, 0, 4096), -EIO);
	EXPECT_EQUAL(block_read(device, UINT64_MAX, page, 0, 512), -EIO);
	EXPECT_EQUAL(block_read(device, UINT64_MAX - 7, page, 0, 4096), -EIO);
	EXPECT_EQUAL(block_read(device, 0, page, 0, 511), -EINVAL);
	EXPECT_EQUAL(block_read(device, 0, page, 0, 0), -EINVAL);
	EXPECT_EQUAL(block_read(device, 0, page, 1, 512), -EINVAL);
	EXPECT_EQUAL(block_read(device, 0, page, 512, 4096), -EINVAL);
	EXPECT_EQUAL(block_read(device, 0, page, 8192, 512), -EINVAL);
	EXPECT_EQUAL(block_read(device, 0, NULL, 0, 512), -EINVAL);
	return NULL;
}

CASE(block, what_is_outside_of_device_or_page_is_refused)
{
	struct block_device *device = scratch();
	const char *answer;
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	answer = refuse_bounds(device, pair.page[0]);
	return give_pair(&pair, answer);
}

CASE(block, an_exclusive_page_is_refused)
{
	struct block_device *device = scratch();
	struct page *page;
	int error;

	NEEDS_DISK(device);
	page = alloc_page(GFP_KERNEL | __GFP_EXCLUSIVE);
	EXPECT(page != NULL);
	error = block_write_page(device, 0, page);
	exclusive_release(exclusive_address(page));
	EXPECT_EQUAL(error, -EINVAL);
	return NULL;
}

/* ---- Several requests ---------------------------------------------------- */

#define MANY 12

static struct {
	struct bio bio[MANY];
	unsigned int order[MANY]; /* numbers in the order of their end */
	volatile unsigned int ended;
	unsigned int errors;
	struct completion all;
} many;

static void end_many(struct bio *bio)
{
	many.errors += bio->error != 0;
	many.order[many.ended++] = (unsigned int)(bio - many.bio);
	if (many.ended == MANY)
		complete(&many.all);
}

static void begin_many(void)
{
	memset(&many, 0, sizeof(many));
	init_completion(&many.all);
}

CASE(block, requests_end_once_each_in_the_order_of_submission)
{
	struct block_device *device = scratch();
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	begin_many();
	for (unsigned int i = 0; i < MANY; i++) {
		many.bio[i] = (struct bio){
			.device = device,
			.sector = (uint64_t)(MANY - i) * 100,
			.write = i % 2 == 0,
			.page = pair.page[i % 2],
			.bytes = PAGE_SIZE,
			.end_io = end_many,
		};
		submit_bio(&many.bio[i]);
	}
	wait_for_completion(&many.all);
	give_pair(&pair, NULL);
	EXPECT_EQUAL(many.errors, 0);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQUAL(many.order[i], i);
	return NULL;
}

/* Each end submits the next one. */
static void end_and_submit(struct bio *bio)
{
	many.errors += bio->error != 0;
	many.ended++;
	if (many.ended == MANY) {
		complete(&many.all);
		return;
	}
	bio->sector += SECTORS_PER_PAGE;
	/* Every other one is refused, and ends inside. */
	bio->bytes = many.ended % 2 == 0 ? PAGE_SIZE : 1;
	submit_bio(bio);
}

CASE(block, an_end_may_submit_the_next_request)
{
	struct block_device *device = scratch();
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	begin_many();
	many.bio[0] = (struct bio){ .device = device,
		                    .page = pair.page[0],
		                    .bytes = PAGE_SIZE,
		                    .end_io = end_and_submit };
	submit_bio(&many.bio[0]);
	wait_for_completion(&many.all);
	give_pair(&pair, NULL);
	EXPECT_EQUAL(many.errors, MANY / 2);
	return NULL;
}

struct hand {
	struct block_device *device;
	uint64_t sector;
	const char *answer;
};

static void use_disk(void *data)
{
	struct hand *hand = data;
	struct pair pair;

	if (!take_pair(&pair)) {
		hand->answer = "no memory";
		return;
	}
	for (unsigned int i = 0; i < 16 && hand->answer == NULL; i++) {
		test_block_fill(pair.out, PAGE_SIZE, hand->sector + i);
		if (block_write_page(hand->device, hand->sector,
		                     pair.page[0]) != 0 ||
		    block_read_page(hand->device, hand->sector, pair.page[1]) !=
		            0 ||
		    memcmp(pair.in, pair.out, PAGE_SIZE) != 0)
			hand->answer = "another thread's data, or an error";
	}
	give_pair(&pair, NULL);
}

CASE(block, threads_that_use_a_disk_together_get_their_own_data)
{
	struct block_device *device = scratch();
	struct hand hand[3];
	struct thread *thread[3];

	NEEDS_DISK(device);
	for (unsigned int i = 0; i < 3; i++) {
		hand[i] = (struct hand){ device, i * 64UL, NULL };
		thread[i] = thread_create("reader", use_disk, &hand[i]);
	}
	for (unsigned int i = 0; i < 3; i++) {
		if (thread[i] != NULL)
			thread_join(thread[i]);
		else
			hand[i].answer = "no thread";
	}
	for (unsigned int i = 0; i < 3; i++) {
		if (hand[i].answer != NULL)
			return hand[i].answer;
	}
	return NULL;
}

CASE(block, statistics_count_what_ended)
{
	struct block_device *device = scratch();
	struct block_statistics before;
	struct block_statistics disk;
	struct block_statistics after;
	struct pair pair;
	bool refused;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	before = block_statistics(device);
	disk = block_statistics(device->parent);
	refused =
		block_read_page(device, 0, pair.page[0]) == 0 &&
		block_write(device, 0, pair.page[0], 0, 1024) == 0 &&
		block_flush(device) == 0 &&
		block_read_page(device, device->sectors, pair.page[0]) == -EIO;
	give_pair(&pair, NULL);
	EXPECT(refused);
	after = block_statistics(device);
	EXPECT_EQUAL(after.reads - before.reads, 2);
	EXPECT_EQUAL(after.writes - before.writes, 1);
	EXPECT_EQUAL(after.flushes - before.flushes, 1);
	EXPECT_EQUAL(after.sectors_read - before.sectors_read, 8);
	EXPECT_EQUAL(after.sectors_written - before.sectors_written, 2);
	EXPECT_EQUAL(after.errors - before.errors, 1);
	EXPECT_EQUAL(after.timeouts - before.timeouts, 0);
	after = block_statistics(device->parent);
	EXPECT(after.reads - disk.reads >= 2);
	return NULL;
}

/* ---- Without memory ------------------------------------------------------ */

/* A bio, and a page written with it. */
static int write_by_bio(struct block_device *device, struct page *page)
{
	struct bio *bio = bio_alloc(GFP_NOIO);
	int error;

	bio->device = device;
	bio->sector = 8;
	bio->write = true;
	bio->page = page;
	bio->bytes = PAGE_SIZE;
	error = submit_bio_wait(bio);
	bio_put(bio);
	return error;
}

CASE(block, a_page_is_written_out_when_no_memory_is_left)
{
	struct block_device *device = scratch();
	struct drained drained;
	struct pair pair;
	unsigned long free;
	int error = 0;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	drained_init(&drained);
	drain(&drained,
	      __GFP_MEMALLOC | __GFP_HIGHMEM | __GFP_MOVABLE | __GFP_NOWARN);
	free = node_free(main_node());
	for (unsigned int i = 0; i < 2 * BIO_RESERVE && error == 0; i++)
		error = write_by_bio(device, pair.page[0]);
	drained_free(&drained);
	give_pair(&pair, NULL);
	EXPECT_EQUAL(free, 0);
	EXPECT_EQUAL(error, 0);
	return NULL;
}

struct bio_waiter {
	struct bio *bio;
	volatile bool done;
};

static void wait_for_bio(void *data)
{
	struct bio_waiter *waiter = data;

	fail_nth_set(current_thread(), 1, true);
	waiter->bio = bio_alloc(GFP_NOIO);
	fail_nth_set(current_thread(), 0, false);
	held_hand_on(HELD_BIO, waiter->bio);
	waiter->done = true;
}

/* Let the others run until THREAD waits. */
static bool wait_until_it_waits(const struct thread *thread)
{
	for (unsigned int i = 0; i < 1000; i++) {
		if (READ_ONCE(thread->state) == THREAD_WAITING)
			return true;
		thread_yield();
	}
	return false;
}

CASE(block, a_thread_waits_for_a_bio_until_one_is_put_back)
{
	struct bio_waiter waiter = { NULL, false };
	struct bio *taken[BIO_RESERVE];
	struct bio *more;
	struct thread *thread;
	bool waited;
	bool early;

	fail_nth_set(current_thread(), 1, true);
	for (unsigned int i = 0; i < BIO_RESERVE; i++)
		taken[i] = bio_alloc(GFP_ATOMIC);
	more = bio_alloc(GFP_ATOMIC);
	fail_nth_set(current_thread(), 0, false);
	EXPECT(more == NULL);
	thread = thread_create("bio waiter", wait_for_bio, &waiter);
	EXPECT(thread != NULL);
	waited = wait_until_it_waits(thread);
	early = waiter.done;
	for (unsigned int i = 0; i < BIO_RESERVE; i++) {
		if (taken[i] != NULL)
			bio_put(taken[i]);
	}
	thread_join(thread);
	EXPECT(waiter.bio != NULL);
	bio_put(waiter.bio);
	EXPECT(waited && !early);
	for (unsigned int i = 0; i < BIO_RESERVE; i++)
		EXPECT(taken[i] != NULL);
	return NULL;
}

/* ---- Time-outs ----------------------------------------------------------- */

/* A read whose interrupt never comes is given up.  Returns its error. */
static int lose_interrupt(struct block_device *device, struct pair *pair)
{
	int error;

	begin_many();
	many.ended = MANY - 1;
	many.bio[MANY - 1] = (struct bio){ .device = device,
		                           .page = pair->page[0],
		                           .bytes = PAGE_SIZE,
		                           .end_io = end_many };
	irq_mask(DISK_IRQ);
	submit_bio(&many.bio[MANY - 1]);
	error = many.ended == MANY ? -EINVAL : 0;
	if (error == 0 && block_give_up(device->queue, 0) != 1)
		error = -ENOENT;
	irq_unmask(DISK_IRQ);
	wait_for_completion(&many.all);
	return error != 0 ? error : many.bio[MANY - 1].error;
}

static const char *lose_some(struct block_device *device, struct pair *pair)
{
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t mark = log_mark();

		ata_set_dma(i % 2 == 0);
		EXPECT_EQUAL(lose_interrupt(device, pair), -ETIMEDOUT);
		EXPECT(log_contains_since(mark, "given up"));
		EXPECT(log_contains_since(mark, "answers again"));
		test_block_fill(pair->out, PAGE_SIZE, i);
		EXPECT_EQUAL(block_write_page(device, 0, pair->page[0]), 0);
		EXPECT_EQUAL(block_read_page(device, 0, pair->page[1]), 0);
		EXPECT(memcmp(pair->in, pair->out, PAGE_SIZE) == 0);
	}
	return NULL;
}

CASE(block, a_lost_interrupt_is_a_timeout_and_the_disk_goes_on)
{
	struct block_device *device = scratch();
	const char *answer;
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	answer = lose_some(device, &pair);
	ata_set_dma(true);
	return give_pair(&pair, answer);
}

CASE(block, interrupts_for_nobody_change_nothing)
{
	struct block_device *device = scratch();
	const char *answer = NULL;
	struct pair pair;

	NEEDS_DISK(device);
	EXPECT(take_pair(&pair));
	test_block_fill(pair.out, PAGE_SIZE, test_seed());
	for (unsigned int i = 0; i < 8; i++) {
		bool enabled = arch_irq_save();

		arch_raise_irq_vector(DISK_IRQ);
		arch_irq_restore(enabled);
	}
	if (block_write_page(device, 0, pair.page[0]) != 0 ||
	    block_read_page(device, 0, pair.page[1]) != 0 ||
	    memcmp(pair.in, pair.out, PAGE_SIZE) != 0)
		answer = "the disk does not work any more";
	return give_pair(&pair, answer);
}

/* ---- mempool: a thread that waits ---------------------------------------- */

struct pool_waiter {
	mempool_t *pool;
	void *volatile element;
};

static bool no_backing;

static void *alloc_backing(gfp_t gfp, void *data __unused)
{
	return no_backing ? NULL : alloc_page(gfp);
}

static void free_backing(void *element, void *data __unused)
{
	__free_page(element);
}

static void test_block_wait_for_element(void *data)
{
	struct pool_waiter *waiter = data;

	waiter->element = mempool_alloc(waiter->pool, GFP_KERNEL);
}

/* The reserve is empty and the allocator has nothing: a thread waits until the
 * element comes back. */
static const char *wait_for_page(struct pool_waiter *waiter)
{
	void *first = mempool_alloc(waiter->pool, GFP_ATOMIC);
	struct thread *thread;
	bool waited;
	void *early;

	EXPECT(first != NULL);
	EXPECT(mempool_alloc(waiter->pool, GFP_ATOMIC) == NULL);
	thread = thread_create("pool waiter", test_block_wait_for_element,
	                       waiter);
	EXPECT(thread != NULL);
	waited = wait_until_it_waits(thread);
	early = waiter->element;
	mempool_free(first, waiter->pool);
	thread_join(thread);
	EXPECT(waited);
	EXPECT(early == NULL);
	EXPECT(waiter->element == first);
	mempool_free(first, waiter->pool);
	EXPECT_EQUAL(mempool_reserve(waiter->pool), 1);
	return NULL;
}

CASE(mempool, a_waiting_thread_goes_on_when_an_element_comes_back)
{
	struct pool_waiter waiter = {
		mempool_create(1, alloc_backing, free_backing, NULL), NULL
	};
	const char *answer;

	EXPECT(waiter.pool != NULL);
	no_backing = true;
	answer = wait_for_page(&waiter);
	no_backing = false;
	mempool_destroy(waiter.pool);
	return answer;
}

static void free_element_in_interrupt(void *data)
{
	struct pool_waiter *waiter = data;

	mempool_free(waiter->element, waiter->pool);
	waiter->element = mempool_alloc(waiter->pool, GFP_ATOMIC);
}

CASE(mempool, an_interrupt_gives_back_and_takes)
{
	struct pool_waiter waiter = { mempool_create_page_pool(1, 0), NULL };
	bool came;

	EXPECT(waiter.pool != NULL);
	waiter.element = mempool_alloc_preallocated(waiter.pool);
	came = in_timer_interrupt(free_element_in_interrupt, &waiter);
	mempool_free(waiter.element, waiter.pool);
	mempool_destroy(waiter.pool);
	EXPECT(came && waiter.element != NULL);
	return NULL;
}

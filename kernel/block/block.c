/* SPDX-License-Identifier: MIT */
/*
 * kernel/block/block.c -- queues of bios, and who ends them.
 *
 *	submit_bio()         block_start()              block_finish()
 *	     |                  |                       |
 *	     v    block_run()   v       interrupt       v    block_run()
 *	  waiting ---------> in flight -----------> ended ----------> end_io()
 *	                       | |
 *	         not ready:    | +-- too long: block_give_up(), recover()
 *	         block_resume() -+
 *
 * Everything that a bio needs is in the bio, so none of this allocates.
 *
 * Invariants:
 *
 *  Q1  At most one bio of a queue is in flight.
 *  Q2  Bios are started in the order of submission.
 *  Q3  A bio that was submitted ends exactly once: it is on one of the two
 *      lists, or in flight, and its way goes from left to right only.
 *  Q4  end_io() is called with no lock held and preemption off.
 *
 * Recursion.  end_io() may submit another bio, and that may end immediately (a
 * dead disk).  The inner call does not deliver it: block_run() sees that a call
 * is delivering already, and the loop of the outer call does it.
 *
 * Time.  block_start() is called with interrupts off, so it does not wait for a disk
 * that is not ready for a command: the queue is stalled, and the thread "block" calls
 * resume() at each tick.
 *
 * A disk that does not answer is given up by the thread "block", which
 * looks at all queues once a second.  It takes the bio away first, so that an
 * interrupt that comes late finds nothing to finish; then it mends the hardware;
 * only then the bio ends, because a DMA that goes on would write to its page.
 *
 * Locking: queue->lock, shared with the driver, inside interrupts.  The list of
 * devices only grows, at boot, and is read without a lock.
 *
 * Further reading: Love, Linux Kernel Development, ch. 14 "The Block I/O Layer".
 */
#include "kernel/block/block.h"

#include "kernel/block/mbr.h"
#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/held.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/parse.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/reclaim.h"

#define SECOND        1000000ULL
#define LIMIT_DEFAULT 30 /* seconds, Linux's */
#define LIMIT_MAX     600

static struct block_device *devices[BLOCK_MAX_DEVICES];
static unsigned int device_count;

static struct partition {
	struct block_device device;
	char name[BLOCK_NAME_SIZE];
} partitions[BLOCK_MAX_DEVICES];
static unsigned int partition_count;

static struct list queues = LIST_INIT(queues);
static struct wait_queue block_stalls = WAIT_QUEUE_INIT(block_stalls);
static uint64_t time_limit = LIMIT_DEFAULT * SECOND;

/* Threads in submit_bio_wait(); one queue for all, so that it outlives them. */
static struct wait_queue bio_done = WAIT_QUEUE_INIT(bio_done);

static int set_time_limit(const char *value)
{
	uint64_t seconds;
	int error = value == NULL ? -EINVAL : parse_number(value, &seconds);

	if (error != 0)
		return error;
	if (seconds < 1 || seconds > LIMIT_MAX)
		return -ERANGE;
	time_limit = seconds * SECOND;
	return 0;
}

PARAM(disk_timeout, "disk_timeout",
      "=SECONDS: how long a disk may take for a request, 1..600",
      set_time_limit);

static struct block_device *disk_of(struct block_device *device)
{
	return device->parent != NULL ? device->parent : device;
}

/* ---- Ending -------------------------------------------------------------- */

static void block_count(struct block_statistics *statistics,
                        const struct bio *bio)
{
	uint64_t sectors = bio->error == 0 ? bio->bytes / SECTOR_SIZE : 0;

	if (bio->bytes == 0) {
		statistics->flushes++;
	} else if (bio->write) {
		statistics->writes++;
		statistics->sectors_written += sectors;
	} else {
		statistics->reads++;
		statistics->sectors_read += sectors;
	}
	if (bio->error == -ETIMEDOUT)
		statistics->timeouts++;
	else if (bio->error != 0)
		statistics->errors++;
}

/* Queue's lock held. */
static void block_end(struct block_queue *queue, struct bio *bio, int error)
{
	struct block_device *device = bio->device;

	bio->error = error;
	block_count(&device->statistics, bio);
	if (device->parent != NULL)
		block_count(&device->parent->statistics, bio);
	list_append(&queue->ended, &bio->link);
}

void block_finish(struct block_queue *queue, int error)
{
	struct bio *bio = queue->in_flight;

	kassert(spin_is_mine(&queue->lock));
	if (bio == NULL)
		return;
	queue->in_flight = NULL;
	queue->stalled = false;
	block_end(queue, bio, error);
}

/* Call end_io() of everything that has ended.  Queue's lock held, and dropped
 * meanwhile; returns whether interrupts were on before. */
static bool deliver(struct block_queue *queue, bool enabled)
{
	struct bio *bio;

	queue->delivering = true;
	preempt_disable();
	while ((bio = list_first(&queue->ended, struct bio, link)) != NULL) {
		list_remove(&bio->link);
		spin_unlock_irqrestore(&queue->lock, enabled);
		bio->end_io(bio);
		enabled = spin_lock_irqsave(&queue->lock);
	}
	preempt_enable_no_resched();
	queue->delivering = false;
	return enabled;
}

/* ---- Starting ------------------------------------------------------------ */

/* Record the result of block_start() or resume().  Queue's lock held. */
static void block_note_start(struct block_queue *queue, int error)
{
	queue->stalled = error == -EAGAIN;
	queue->hangs = error == -ETIMEDOUT;
	if (error != 0 && !queue->stalled && !queue->hangs)
		block_finish(queue, error);
}

/* Queue's lock held. */
static void block_start(struct block_queue *queue, struct bio *bio)
{
	struct block_device *disk = disk_of(bio->device);
	int error = -EIO;

	list_remove(&bio->link);
	queue->in_flight = bio;
	queue->since = clock_microseconds();
	if (!disk->dead)
		error = disk->ops->start(disk, bio,
		                         bio->device->first + bio->sector);
	block_note_start(queue, error);
}

/* Return the bio to start next, or NULL.  Queue's lock held. */
static struct bio *next_to_start(const struct block_queue *queue)
{
	if (queue->in_flight != NULL || queue->recovering)
		return NULL;
	return list_first(&queue->waiting, struct bio, link);
}

void block_run(struct block_queue *queue)
{
	bool enabled = spin_lock_irqsave(&queue->lock);
	struct bio *bio;
	bool stalled;

	while ((bio = next_to_start(queue)) != NULL ||
	       (!list_empty(&queue->ended) && !queue->delivering)) {
		if (bio != NULL)
			block_start(queue, bio);
		else
			enabled = deliver(queue, enabled);
	}
	stalled = queue->stalled;
	spin_unlock_irqrestore(&queue->lock, enabled);
	if (stalled)
		wake_up(&block_stalls);
}

bool block_resume(struct block_queue *queue)
{
	bool enabled = spin_lock_irqsave(&queue->lock);
	struct block_device *disk;
	bool stalled = queue->stalled;

	if (stalled) {
		disk = disk_of(queue->in_flight->device);
		block_note_start(queue, disk->ops->resume(disk));
	}
	spin_unlock_irqrestore(&queue->lock, enabled);
	if (stalled)
		block_run(queue);
	return READ_ONCE(queue->stalled);
}

/* Why BIO cannot be done: 0 if it can. */
static int block_check(const struct bio *bio)
{
	uint64_t sectors = bio->bytes / SECTOR_SIZE;

	if (bio->bytes == 0)
		return bio->write ? 0 : -EINVAL;
	if (bio->bytes % SECTOR_SIZE != 0 || bio->offset % 2 != 0 ||
	    bio->offset > PAGE_SIZE || bio->bytes > PAGE_SIZE - bio->offset)
		return -EINVAL;
	/* A page that is exclusive, or free, has no address. */
	if (bio->page == NULL || page_address(bio->page) == NULL)
		return -EINVAL;
	if (sectors > bio->device->sectors ||
	    bio->sector > bio->device->sectors - sectors)
		return -EIO;
	return 0;
}

static void report_refused(const struct bio *bio, int error, uintptr_t caller)
{
	static struct ratelimit limit = { .interval = 10 * SECOND, .burst = 5 };
	char place[PLACE_SIZE];

	if (!ratelimit_pass(&limit))
		return;
	if (error == -EIO)
		pr_err("%s: %s of sector %llu: the device ends at %llu\n",
		       bio->device->name, bio->write ? "write" : "read",
		       (unsigned long long)bio->sector,
		       (unsigned long long)bio->device->sectors);
	else
		pr_err("BUG: %s: bio of %u bytes at offset %u of page %p, by "
		       "%s at %s\n",
		       bio->device->name, bio->bytes, bio->offset,
		       (void *)bio->page, context_name(),
		       caller_format(place, sizeof(place), caller));
	if (error != -EIO)
		backtrace_print_from(caller);
}

void submit_bio(struct bio *bio)
{
	struct block_queue *queue = bio->device->queue;
	int error = block_check(bio);
	unsigned int held;
	bool enabled;

	held_hand_on(HELD_BIO, bio);
	held = held_total();
	reclaim_begins_io(main_node());
	if (error != 0)
		report_refused(bio, error, RETURN_ADDRESS());
	bio->error = 0;
	list_init(&bio->link);
	enabled = spin_lock_irqsave(&queue->lock);
	if (error != 0)
		block_end(queue, bio, error);
	else
		list_append(&queue->waiting, &bio->link);
	spin_unlock_irqrestore(&queue->lock, enabled);
	block_run(queue);
	held_expect(held, __func__);
}

/* ---- Waiting for one bio ------------------------------------------------- */

static void wake_waiter(struct bio *bio)
{
	/* BIO and the flag are on the waiter's stack: not touched any more. */
	__atomic_store_n((bool *)bio->private, true, __ATOMIC_RELEASE);
	wake_up(&bio_done);
}

static bool block_is_done(void *done)
{
	return __atomic_load_n((bool *)done, __ATOMIC_ACQUIRE);
}

int submit_bio_wait(struct bio *bio)
{
	bool done = false;

	bio->end_io = wake_waiter;
	bio->private = &done;
	submit_bio(bio);
	wait_event_checked(&bio_done, block_is_done, &done, FOREVER,
	                   might_sleep());
	return bio->error;
}

static int transfer(struct block_device *device, bool write, uint64_t sector,
                    struct page *page, unsigned int offset, unsigned int bytes)
{
	struct bio bio = {
		.device = device,
		.sector = sector,
		.write = write,
		.page = page,
		.offset = offset,
		.bytes = bytes,
	};

	return submit_bio_wait(&bio);
}

int block_read(struct block_device *device, uint64_t sector, struct page *page,
               unsigned int offset, unsigned int bytes)
{
	return transfer(device, false, sector, page, offset, bytes);
}

int block_write(struct block_device *device, uint64_t sector, struct page *page,
                unsigned int offset, unsigned int bytes)
{
	return transfer(device, true, sector, page, offset, bytes);
}

int block_read_page(struct block_device *device, uint64_t sector,
                    struct page *page)
{
	return block_read(device, sector, page, 0, PAGE_SIZE);
}

int block_write_page(struct block_device *device, uint64_t sector,
                     struct page *page)
{
	return block_write(device, sector, page, 0, PAGE_SIZE);
}

int block_flush(struct block_device *device)
{
	return block_write(device, 0, NULL, 0, 0);
}

/* ---- Giving up ----------------------------------------------------------- */

/* Take away what has been in flight for longer than LIMIT, or NULL.  It has not
 * ended yet: until the hardware has forgotten it, its page may be written to. */
static struct bio *take_overdue(struct block_queue *queue, uint64_t limit)
{
	bool enabled = spin_lock_irqsave(&queue->lock);
	struct bio *bio = queue->in_flight;

	if (bio != NULL && !queue->hangs &&
	    clock_microseconds() - queue->since < limit)
		bio = NULL;
	if (bio != NULL) {
		queue->recovering = true;
		queue->in_flight = NULL;
		queue->stalled = false;
	}
	spin_unlock_irqrestore(&queue->lock, enabled);
	return bio;
}

static void end_recovery(struct block_queue *queue, struct bio *bio, int error)
{
	bool enabled = spin_lock_irqsave(&queue->lock);

	queue->recovering = false;
	disk_of(bio->device)->dead = error != 0;
	block_end(queue, bio, -ETIMEDOUT);
	spin_unlock_irqrestore(&queue->lock, enabled);
}

unsigned int block_give_up(struct block_queue *queue, uint64_t limit)
{
	struct bio *bio = take_overdue(queue, limit);
	struct block_device *disk;
	int error;

	if (bio == NULL)
		return 0;
	disk = disk_of(bio->device);
	pr_err("%s: %s of sector %llu: no answer within %llu ms, given up\n",
	       bio->device->name, bio->write ? "write" : "read",
	       (unsigned long long)bio->sector,
	       (unsigned long long)(limit / 1000));
	error = disk->ops->recover(disk);
	if (error != 0)
		pr_err("%s: dead: does not answer after a reset\n", disk->name);
	else
		pr_notice("%s: answers again after a reset\n", disk->name);
	end_recovery(queue, bio, error);
	block_run(queue);
	return 1;
}

/* Is anything stalled still? */
static bool block_resume_all(void)
{
	struct list *at;
	bool stalled = false;

	list_for_each(at, &queues)
		stalled |= block_resume(
			container_of(at, struct block_queue, link));
	return stalled;
}

static void block_give_up_all(void)
{
	struct list *at;

	list_for_each(at, &queues)
		block_give_up(container_of(at, struct block_queue, link),
		              time_limit);
}

static bool block_any_stalled(void *unused __unused)
{
	const struct list *at;

	list_for_each(at, &queues) {
		if (READ_ONCE(container_of(at, struct block_queue, link)
		                      ->stalled))
			return true;
	}
	return false;
}

void block_thread(void *unused __unused)
{
	uint64_t looked = clock_microseconds();

	for (;;) {
		wait_event_timeout(&block_stalls, block_any_stalled, NULL,
		                   SECOND);
		while (block_resume_all())
			thread_sleep(UNTIL_NEXT_TICK);
		if (clock_microseconds() - looked >= SECOND) {
			block_give_up_all();
			looked = clock_microseconds();
		}
	}
}

/* ---- Devices ------------------------------------------------------------- */

struct block_device *block_find(const char *name)
{
	for (unsigned int i = 0; i < device_count; i++) {
		if (strcmp(devices[i]->name, name) == 0)
			return devices[i];
	}
	return NULL;
}

struct block_device *block_device_at(unsigned int index)
{
	return index < device_count ? devices[index] : NULL;
}

struct block_statistics block_statistics(struct block_device *device)
{
	bool enabled = spin_lock_irqsave(&device->queue->lock);
	struct block_statistics statistics = device->statistics;

	spin_unlock_irqrestore(&device->queue->lock, enabled);
	return statistics;
}

static bool share_sectors(const struct block_device *a,
                          const struct block_device *b)
{
	return a == b || a->parent == b || b->parent == a;
}

/* Two devices with sectors in common have the same queue, and so its lock. */
int bd_claim(struct block_device *device)
{
	bool enabled = spin_lock_irqsave(&device->queue->lock);
	int error = 0;

	for (unsigned int i = 0; i < device_count; i++) {
		if (share_sectors(devices[i], device) && devices[i]->claimed)
			error = -EBUSY;
	}
	if (error == 0)
		device->claimed = true;
	spin_unlock_irqrestore(&device->queue->lock, enabled);
	if (error == 0)
		held_take(HELD_DEVICE, device, RETURN_ADDRESS());
	return error;
}

void bd_release(struct block_device *device)
{
	bool enabled = spin_lock_irqsave(&device->queue->lock);

	kassert(device->claimed);
	device->claimed = false;
	spin_unlock_irqrestore(&device->queue->lock, enabled);
	held_drop(HELD_DEVICE, device);
}

void block_queue_init(struct block_queue *queue)
{
	*queue = (struct block_queue){ .lock = SPINLOCK_INIT("block queue") };
	list_init(&queue->waiting);
	list_init(&queue->ended);
	list_append(&queues, &queue->link);
}

void block_forget_all(void)
{
	list_init(&queues);
	device_count = 0;
	partition_count = 0;
}

static int add_device(struct block_device *device)
{
	if (device_count == BLOCK_MAX_DEVICES)
		return -ENOSPC;
	devices[device_count] = device;
	device_count++;
	return 0;
}

static int add_partition(struct block_device *disk,
                         const struct mbr_partition *entry)
{
	struct partition *partition;

	if (partition_count == BLOCK_MAX_DEVICES)
		return -ENOSPC;
	partition = &partitions[partition_count];
	scnprintf(partition->name, sizeof(partition->name), "%s%u", disk->name,
	          entry->number);
	partition->device = (struct block_device){
		.name = partition->name,
		.sectors = entry->sectors,
		.ops = disk->ops,
		.driver = disk->driver,
		.queue = disk->queue,
		.parent = disk,
		.first = entry->first,
		.type = entry->type,
	};
	partition_count++;
	return add_device(&partition->device);
}

static int add_partitions(struct block_device *disk, const uint8_t *sector)
{
	struct mbr_table table;
	int error = 0;

	mbr_read(sector, disk->sectors, &table);
	if (table.fault != NULL)
		pr_notice("%s: no partitions: %s\n", disk->name, table.fault);
	for (unsigned int i = 0; i < table.refused; i++)
		pr_warn("%s%u: refused: %s\n", disk->name,
		        table.refusal[i].number, table.refusal[i].why);
	for (unsigned int i = 0; i < table.count && error == 0; i++) {
		const struct mbr_partition *entry = &table.partition[i];

		error = add_partition(disk, entry);
		pr_info("%s%u: sectors %llu..%llu, type 0x%02x\n", disk->name,
		        entry->number, (unsigned long long)entry->first,
		        (unsigned long long)(entry->first + entry->sectors - 1),
		        entry->type);
	}
	return error;
}

int block_register(struct block_device *disk)
{
	struct page *page;
	int error = add_device(disk);

	if (error != 0)
		return error;
	page = alloc_page(GFP_KERNEL);
	if (page == NULL) {
		pr_err("%s: no memory to read its partition table\n",
		       disk->name);
		return 0;
	}
	error = block_read(disk, 0, page, 0, SECTOR_SIZE);
	if (error == 0)
		error = add_partitions(disk, page_address(page));
	else
		pr_err("%s: the partition table cannot be read: %d\n",
		       disk->name, error);
	__free_page(page);
	return error == -ENOSPC ? error : 0;
}

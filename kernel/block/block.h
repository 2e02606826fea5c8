/* SPDX-License-Identifier: MIT */
/*
 * kernel/block/block.h -- disks, partitions, and requests to them.
 *
 *	sector	512 bytes, numbered from 0 on each device
 *	disk	a device that a driver has registered: "hda"
 *	partition	a run of a disk's sectors, a device as well: "hda1"
 *	bio	one request: sectors that follow each other, from or to one page
 *	queue	the bios of a unit that does one thing at a time: a disk, or the
 *		two disks on one cable
 *
 * A bio is submitted and ends some time later, exactly once, with end_io():
 *
 *	submit_bio() --> waiting --> in flight --> end_io(), bio->error
 *
 * Bios of one queue are begun and ended in the order of submission.  Nothing here
 * allocates memory between submit_bio() and end_io(), so a page can be
 * written out when there is no memory.
 *
 * kernel/block/: block.c has the queues and the thread that submits, bio.c the pool
 * from which bios are allocated, mbr.c reads partition tables.  Drivers register
 * disks here, so the folder is below drivers/.
 */
#ifndef KERNEL_BLOCK_BLOCK_H
#define KERNEL_BLOCK_BLOCK_H

#include "kernel/core/lock.h"
#include "lib/list.h"
#include "lib/types.h"
#include "mm/gfp.h"

struct page;
struct bio;
struct block_device;

#define SECTOR_SIZE       512
#define SECTORS_PER_PAGE  (PAGE_SIZE / SECTOR_SIZE)

#define BLOCK_NAME_SIZE   8
#define BLOCK_MAX_DEVICES 24

/* ---- Requests ------------------------------------------------------------ */

/*
 * WRITE with BYTES 0 is a flush: it ends when all that was written before is on
 * the medium and not only in the drive's own memory.
 */
struct bio {
	struct list link; /* on a queue; free for the caller at other times */
	struct block_device *device;
	uint64_t sector; /* first one, counted on DEVICE */
	bool write;
	struct page *page;
	unsigned int offset; /* in the page, a multiple of 2 */
	unsigned int bytes;  /* a multiple of SECTOR_SIZE, within the page */
	/* When it has ended: 0; -EIO (the disk said no, or is dead, or has no
	 * such sector); -ETIMEDOUT; -EINVAL (a bio that makes no sense). */
	int error;
	/* Called once, in a thread or an interrupt, preemption off, no lock
	 * held: must not sleep.  May submit and free bios. */
	void (*end_io)(struct bio *bio);
	void *private; /* the submitter's */
};

/* Hand BIO over; it is the block layer's until end_io().  Thread or interrupt.
 * end_io() may be called before this returns. */
void submit_bio(struct bio *bio);

/* The same, and wait until it has ended.  end_io is overwritten.  Returns
 * bio->error.  Thread context. */
__must_check int submit_bio_wait(struct bio *bio);

/*
 * A zeroed bio: an object of the cache "bio", or, when no memory is left, one of the
 * BIO_RESERVE that are set aside.  With a mask that may sleep never NULL: it waits
 * until one is put back, so do not wait for another bio while holding one that is not
 * submitted.  Otherwise NULL when the reserve is empty.  GFP_NOIO where the request is
 * what frees memory.  bio_put(): any context but NMI, in end_io(), too.
 */
#define BIO_RESERVE 16
__must_check struct bio *bio_alloc(gfp_t gfp);
void bio_put(struct bio *bio);

/* Read or write BYTES from OFFSET of PAGE, and wait.  0 or bio->error.  Thread
 * context.  Allocates nothing. */
__must_check int block_read(struct block_device *device, uint64_t sector,
                            struct page *page, unsigned int offset,
                            unsigned int bytes);
__must_check int block_write(struct block_device *device, uint64_t sector,
                             struct page *page, unsigned int offset,
                             unsigned int bytes);

/* A whole page: sectors SECTOR .. SECTOR+7. */
__must_check int block_read_page(struct block_device *device, uint64_t sector,
                                 struct page *page);
__must_check int block_write_page(struct block_device *device, uint64_t sector,
                                  struct page *page);

/* Wait until everything that was written is on the medium. */
__must_check int block_flush(struct block_device *device);

/* ---- Devices ------------------------------------------------------------- */

/* Requests that ended on a device; its disk counts those of a partition also. */
struct block_statistics {
	uint64_t reads; /* bios, those with errors included */
	uint64_t writes;
	uint64_t flushes;
	uint64_t sectors_read; /* without error */
	uint64_t sectors_written;
	uint64_t errors;   /* all but time-outs */
	uint64_t timeouts; /* -ETIMEDOUT */
};

struct block_ops {
	/*
	 * Begin BIO; SECTOR is counted on the whole disk.  Called with the
	 * queue's lock, interrupts off, maybe in an interrupt.  0: it is under
	 * way, and block_finish() will be called, or was; -EIO: it has ended;
	 * -ETIMEDOUT: the hardware hangs, the bio is to be given up; -EAGAIN:
	 * the hardware is not ready, resume() is to be called.  It must not
	 * wait: a few looks at a port are all that there is time for.
	 */
	int (*start)(struct block_device *disk, struct bio *bio,
	             uint64_t sector);
	/*
	 * Continue with the bio for which start() or resume() returned -EAGAIN.
	 * The thread "block" calls it at each tick; contexts and results are those
	 * of start(), and -ETIMEDOUT.  NULL: start() never returns -EAGAIN.
	 */
	int (*resume)(struct block_device *disk);
	/*
	 * A bio on DISK took too long and was taken away; it ends when this has
	 * returned, and nothing is started meanwhile.  Make the hardware forget it.
	 * Returns 0, or -errno: the hardware does not recover, the disk is dead.
	 * Thread context.
	 */
	int (*recover)(struct block_device *disk);
};

/* Field locks: (q) the queue's lock, (c) constant once registered. */
struct block_device {
	const char *name;            /* (c) "hda", "hda1" */
	uint64_t sectors;            /* (c) */
	const struct block_ops *ops; /* (c) */
	void *driver;                /* (c) the driver's */
	struct block_queue *queue;   /* (c) */
	struct block_device *parent; /* (c) NULL: a whole disk */
	uint64_t first;              /* (c) on the disk; 0 for a disk */
	uint8_t type;                /* (c) a partition's, from the table */
	bool dead;                   /* (q) of a disk */
	bool claimed;                /* (q) see bd_claim() */
	struct block_statistics statistics; /* (q) */
};

/* A device by its name, or NULL.  Any context. */
struct block_device *block_find(const char *name);

/* All devices in the order of registration, a disk's partitions after it; NULL
 * after the last one.  Any context. */
struct block_device *block_device_at(unsigned int index);

struct block_statistics block_statistics(struct block_device *device);

/*
 * The caller alone keeps a file system or a swap area on DEVICE, until
 * bd_release().  -EBUSY: DEVICE is claimed, or the disk that it is a part of,
 * or one of its partitions.  Requests are not restricted: code that has not claimed a
 * device should not write to it, but can.  The running thread holds the claim
 * (kernel/core/held.h) until it hands it on, to a mount or a swap area.  Thread
 * context.
 */
__must_check int bd_claim(struct block_device *device);
void bd_release(struct block_device *device);

/* Make the cache and the reserve, after slab_start() and before the first bio_alloc().
 * Thread context. */
void bio_init(void);

/* Give both back; all bios are.  Thread context. */
void bio_exit(void);

/* ---- For drivers --------------------------------------------------------- */

struct block_queue {
	struct spinlock lock; /* the driver's, too; taken in interrupts */
	struct list waiting;
	struct list ended;     /* end_io() still to be called */
	struct bio *in_flight; /* or NULL */
	uint64_t since;        /* it is in flight, clock_microseconds() */
	bool hangs;            /* no need to wait for it any longer */
	bool stalled;          /* it waits for resume() */
	bool recovering;       /* nothing is started */
	bool delivering;       /* somebody calls end_io() */
	struct list link;
};

/* Before the first disk of QUEUE is registered.  Thread context. */
void block_queue_init(struct block_queue *queue);

/*
 * Register DISK, whose name, sectors, ops, driver and queue are set.  It stays
 * forever.  Reads its partition table and registers what it finds, with a message.
 * 0, -ENOSPC (too many devices).  Thread context, interrupts on.
 */
__must_check int block_register(struct block_device *disk);

/* For the thread "block": continue with the bio that is stalled on QUEUE, if any.
 * True: it is still stalled. */
bool block_resume(struct block_queue *queue);

/*
 * The bio in flight on QUEUE has ended with ERROR.  Queue's lock held.  The
 * caller then drops the lock and calls block_run().  With nothing in flight
 * (a late interrupt) it does nothing.
 */
void block_finish(struct block_queue *queue, int error);

/* Start bios that wait, and call end_io() of those that have ended.  No lock held. */
void block_run(struct block_queue *queue);

/*
 * Give up what has been in flight for longer than the time limit: the thread
 * "block" does that for all queues.  Returns how many.  LIMIT in microseconds.
 * Thread context.
 */
unsigned int block_give_up(struct block_queue *queue, uint64_t limit);

/* No devices and no queues any more, whatever they were doing: for tests on
 * the host, where machines come and go. */
void block_forget_all(void);

/* The function of the thread "block"; it never returns. */
void block_thread(void *unused);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_disk.c -- a disk of the host's machine: a file.
 */
#include "tests/host/machine_disk.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "tests/host/libmm.h"

static struct {
	FILE *file;
	struct block_queue queue;
	struct block_device device;
	bool hold;
	uint64_t held_sector;
	bool fail_write;
	uint64_t fail_sector;
	unsigned int fail_count;
	int fail_error;
	unsigned long nth; /* 0: no more of these */
	unsigned int nth_count;
	unsigned long failed;
	unsigned int hang;
	unsigned int stall;
	struct bio *stalled;
	int recovery;
	unsigned long requests;
	unsigned long recoveries;
} disk;

static bool must_fail(const struct bio *bio, uint64_t sector)
{
	uint64_t end = sector + bio->bytes / SECTOR_SIZE;

	if (disk.fail_count == 0 || bio->write != disk.fail_write ||
	    disk.fail_sector < sector || disk.fail_sector >= end)
		return false;
	disk.fail_count--;
	return true;
}

/* Is this one of those that were ordered by number? */
static bool is_nth(void)
{
	if (disk.nth == 0 || --disk.nth > 0)
		return false;
	disk.failed++;
	disk.nth = --disk.nth_count > 0;
	return true;
}

/* 0, or the error that was ordered. */
static int carry(const struct bio *bio, uint64_t sector)
{
	char *bytes;
	int fd = fileno(disk.file);
	off_t at = (off_t)(sector * SECTOR_SIZE);
	ssize_t done;

	if (must_fail(bio, sector))
		return disk.fail_error;
	if (is_nth())
		return -EIO;
	if (bio->bytes == 0)
		return 0;
	bytes = (char *)page_address(bio->page) + bio->offset;
	if (bio->write)
		done = pwrite(fd, bytes, bio->bytes, at);
	else
		done = pread(fd, bytes, bio->bytes, at);
	if (done != (ssize_t)bio->bytes)
		panic("the file of the disk: %zd of %u bytes", done,
		      bio->bytes);
	return 0;
}

static int machine_disk_start(struct block_device *device, struct bio *bio,
                              uint64_t sector)
{
	(void)device;
	disk.requests++;
	disk.held_sector = sector;
	if (disk.stall > 0) {
		disk.stall--;
		disk.stalled = bio;
		return -EAGAIN;
	}
	if (disk.hang > 0) {
		disk.hang--;
		return -ETIMEDOUT;
	}
	if (!disk.hold)
		block_finish(&disk.queue, carry(bio, sector));
	return 0;
}

static int resume(struct block_device *device)
{
	(void)device;
	if (disk.stalled != disk.queue.in_flight)
		panic("another request goes on than the one that stalled");
	if (disk.stall > 0) {
		disk.stall--;
		return -EAGAIN;
	}
	if (disk.hang > 0) {
		disk.hang--;
		return -ETIMEDOUT;
	}
	if (!disk.hold)
		block_finish(&disk.queue,
		             carry(disk.stalled, disk.held_sector));
	return 0;
}

static int recover(struct block_device *device)
{
	(void)device;
	/* An interrupt comes before the disk has forgotten. */
	block_run(&disk.queue);
	disk.recoveries++;
	return disk.recovery;
}

static const struct block_ops ops = {
	.start = machine_disk_start,
	.resume = resume,
	.recover = recover,
};

struct block_device *machine_disk_open(const char *path, uint64_t sectors)
{
	off_t size = (off_t)(sectors * SECTOR_SIZE);

	machine_disk_close();
	memset(&disk, 0, sizeof(disk));
	disk.file = path == NULL ? tmpfile() : fopen(path, "r+");
	if (disk.file == NULL)
		panic("the file of the disk cannot be opened");
	if (lseek(fileno(disk.file), 0, SEEK_END) < size &&
	    ftruncate(fileno(disk.file), size) != 0)
		panic("the file of the disk cannot have %llu sectors",
		      (unsigned long long)sectors);
	block_queue_init(&disk.queue);
	disk.device = (struct block_device){
		.name = "hda",
		.sectors = sectors,
		.ops = &ops,
		.queue = &disk.queue,
	};
	if (block_register(&disk.device) != 0)
		panic("the disk cannot be registered");
	return &disk.device;
}

void machine_disk_close(void)
{
	if (disk.file == NULL)
		return;
	fclose(disk.file);
	disk.file = NULL;
	block_forget_all();
}

void machine_disk_fail(bool write, uint64_t sector, unsigned int count,
                       int error)
{
	disk.fail_write = write;
	disk.fail_sector = sector;
	disk.fail_count = count;
	disk.fail_error = error;
}

void machine_disk_fail_nth(unsigned long nth, unsigned int count)
{
	disk.nth = nth;
	disk.nth_count = count;
	disk.failed = 0;
}

unsigned long machine_disk_failed(void)
{
	return disk.failed;
}

void machine_disk_stall(unsigned int count)
{
	disk.stall = count;
}

void machine_disk_hang(unsigned int count)
{
	disk.hang = count;
}

void machine_disk_hold(bool on)
{
	disk.hold = on;
}

bool machine_disk_end_one(void)
{
	bool enabled = spin_lock_irqsave(&disk.queue.lock);
	const struct bio *bio = disk.queue.in_flight;

	if (bio != NULL)
		block_finish(&disk.queue, carry(bio, disk.held_sector));
	spin_unlock_irqrestore(&disk.queue.lock, enabled);
	block_run(&disk.queue);
	return bio != NULL;
}

void machine_disk_set_recovery(int error)
{
	disk.recovery = error;
}

unsigned long machine_disk_requests(void)
{
	return disk.requests;
}

unsigned long machine_disk_recoveries(void)
{
	return disk.recoveries;
}

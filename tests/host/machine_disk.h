/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine_disk.h -- a disk of the host's machine: a file.
 *
 * The block layer above it is the kernel's own.  A request ends immediately,
 * inside submit_bio(), unless it is held; then it ends when the test says so,
 * or never.  Faults are the test's to order.
 */
#ifndef TESTS_HOST_MACHINE_DISK_H
#define TESTS_HOST_MACHINE_DISK_H

#include "kernel/block/block.h"

/*
 * A disk of SECTORS over the file at PATH, which is made longer if need be;
 * NULL: a nameless file that is gone with the disk.  It is registered as "hda",
 * partitions and all.  One at a time; machine_disk_close() ends it.
 */
struct block_device *machine_disk_open(const char *path, uint64_t sectors);
void machine_disk_close(void);

/* The next COUNT requests that touch sector SECTOR of the disk (reads, or
 * writes) end with ERROR and move nothing. */
void machine_disk_fail(bool write, uint64_t sector, unsigned int count,
                       int error);

/* Request number NTH from now on (from 1), and COUNT - 1 behind it, end with -EIO
 * and move nothing, whatever they are; NTH 0: none.  UINT_MAX: the disk is gone. */
void machine_disk_fail_nth(unsigned long nth, unsigned int count);

/* Requests that failed because of that. */
unsigned long machine_disk_failed(void);

/*
 * Hold: requests stay in flight until machine_disk_end_one(), which ends the one
 * in flight as it should (false: there is none).  A hook of
 * machine_set_wait_hook() may call it: that is the disk's interrupt.
 */
void machine_disk_hold(bool on);
bool machine_disk_end_one(void);

/*
 * The next request finds the disk not ready, and COUNT - 1 calls of resume().
 */
void machine_disk_stall(unsigned int count);

/* The next COUNT requests hang: start() returns -ETIMEDOUT. */
void machine_disk_hang(unsigned int count);

/* The answer of the next recover(): 0, or -errno for a disk that is dead. */
void machine_disk_set_recovery(int error);

/* Requests that came as far as the disk, and resets. */
unsigned long machine_disk_requests(void);
unsigned long machine_disk_recoveries(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_exclusive.h -- shared by the files of the suite: a node with a
 * pool, two threads and two interrupt lines.
 */
#ifndef TESTS_HOST_TEST_EXCLUSIVE_H
#define TESTS_HOST_TEST_EXCLUSIVE_H

#include "tests/host/stage.h"

#define PAGES 2048UL
#define FLOOR 6UL

extern unsigned long wakes;

/* Besides thread main: another thread, and two interrupt lines. */
extern struct thread other;
extern struct owner timer;
extern struct owner keyboard;

void start_with(unsigned long tables);

/* A pool of PARKED frames, and tables enough. */
void test_exclusive_start(unsigned long parked);

void *test_exclusive_take(void);

unsigned long test_exclusive_take_all(void);

unsigned long test_exclusive_stat(enum vmstat_event event);

const char *test_exclusive_check(void);

/* The frame behind an address of the running owner. */
unsigned long frame_of(void *address);

const uint8_t *eyes(unsigned long pfn);

bool all_bytes_are(const uint8_t *bytes, uint8_t value);

#endif

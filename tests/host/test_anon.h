/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_anon.h -- shared by the files of the suite: a machine with a disk for
 * swap, and an object of anonymous memory.
 */
#ifndef TESTS_HOST_TEST_ANON_H
#define TESTS_HOST_TEST_ANON_H

#include "mm/user/anon.h"
#include "tests/host/stage.h"
#include "tests/mm/ram_swap.h"

#define ANON_FRAMES 1024UL

extern struct ram_swap disk;
extern struct anon_object *object;

/* A machine with a disk of SLOTS slots, and an object of PAGES. */
bool test_anon_start(unsigned long slots, unsigned long pages);

/* Everything adds up, and does not leave anything behind. */
const char *test_anon_finish(void);

const char *test_anon_check_all(void);

/* Of the running thread. */
unsigned long test_anon_rss(void);
unsigned long test_anon_swapents(void);

/* The first word of page INDEX: 0 or -errno; -errno or the stored value. */
int test_anon_put(unsigned long index, uint64_t value);
long test_anon_get(unsigned long index);

/* All of the object's pages, word 0 of each: FIRST, FIRST + 1 ... */
bool test_anon_fill(unsigned long pages, uint64_t first);
bool test_anon_holds(unsigned long pages, uint64_t first);

/* All of them go to swap. */
bool test_anon_all_out(unsigned long pages);

/* Begin to write page INDEX out: what reclaim does first. */
struct page *test_anon_begin_write(unsigned long index);

/* Take all pages; give back PAGES of them. */
void test_anon_take_memory(void);
void test_anon_give_memory(unsigned long pages);

#endif

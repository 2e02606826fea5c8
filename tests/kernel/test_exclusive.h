/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/test_exclusive.h -- shared by the files of the suite.
 */
#ifndef TESTS_KERNEL_TEST_EXCLUSIVE_H
#define TESTS_KERNEL_TEST_EXCLUSIVE_H

#include "mm/exclusive/exclusive.h"

#define RTC_IRQ 8

#define TAKE()  labyrinth_void_alloc_page_gfp_atomic_exclusive()

bool is_filled(const void *address, uint8_t byte);

unsigned long test_exclusive_event(enum vmstat_event which);

void read_it(void *data);

#endif

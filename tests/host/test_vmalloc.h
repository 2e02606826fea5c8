/* SPDX-License-Identifier: MIT */
/*
 * tests/host/test_vmalloc.h -- shared by the files of the suite: a machine of 2048
 * frames, with all marks at 0, and the addresses of vmalloc().
 */
#ifndef TESTS_HOST_TEST_VMALLOC_H
#define TESTS_HOST_TEST_VMALLOC_H

#include "mm/slab/vmalloc_internal.h"
#include "tests/host/stage.h"

#define VMALLOC_FRAMES 2048UL

extern struct vmalloc_space *space;
extern unsigned int vmalloc_wakes;

/* A machine of FRAMES; of VMALLOC_FRAMES. */
void test_vmalloc_start(unsigned long frames);
void test_vmalloc_begin(void);

unsigned long test_vmalloc_used_pages(void);

/* Pages that are in use and are no page tables. */
unsigned long test_vmalloc_data_pages(void);

/* An area in kind is at ADDRESS. */
bool test_vmalloc_is_kind(const void *address, const char *kind);

/* The first page table, or NULL. */
struct page *test_vmalloc_a_table(void);

/* Frees that were refused. */
unsigned long test_vmalloc_refusals(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/page_table_check.h -- page_table_check=on: each page-table entry is counted.
 *
 * Linux's word.  Theory: mm/debug/page_table_check.c.
 */
#ifndef MM_DEBUG_PAGE_TABLE_CHECK_H
#define MM_DEBUG_PAGE_TABLE_CHECK_H

#include "mm/node.h"

/* Entries of NODE's frames are counted from now on; none maps one yet but the direct map's.
 * node->debug.entries is zeroed memory for page_count numbers.  One node; boot. */
void page_table_check_start(struct node *node);

/* Frame PFN of NODE is taken or freed, as WHAT says: a panic if an entry maps it.  Any
 * context but NMI. */
void page_table_check_frame(const struct node *node, unsigned long pfn,
                            const char *what);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mm/show_mem.h -- the memory report.
 */
#ifndef MM_SHOW_MEM_H
#define MM_SHOW_MEM_H

struct node;

/* Linux's memory report (show_mem) into the log.  Reads without locks. */
void show_mem(struct node *node);

#endif

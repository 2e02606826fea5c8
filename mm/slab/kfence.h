/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kfence.h -- a sample of objects, each on its own page between guards: kfence=MS.
 *
 * Linux's KFENCE.  mm/slab/kfence.c has the theory and the invariants.
 */
#ifndef MM_SLAB_KFENCE_H
#define MM_SLAB_KFENCE_H

#include "lib/types.h"

struct node;

/* Frames of the pool of a machine with PAGES pages of memory: a power of two, at most a
 * 192nd of them and at most 512 (2 MiB).  0: below 24 MiB there is none. */
unsigned long kfence_pool_pages(unsigned long pages);

/*
 * The PAGES frames from PFN on, 4 or more, become the pool of NODE.  Nobody else has them;
 * their region of the direct map is split, and they are in it.  AGAIN is called after each
 * sample, in the context of the request, and without a lock: it sees to it that
 * kfence_open() is called in INTERVAL milliseconds, unless that is 0.  False: there is no
 * memory for the records.  After slab_start(), once; thread context.
 */
struct kfence_settings {
	unsigned long pfn;
	unsigned long pages;
	unsigned long interval;
	void (*again)(unsigned long interval);
};
__must_check bool kfence_start(struct node *node,
                               const struct kfence_settings *settings);

/* The frames belong to the caller again, mapped.  False: an object is still in use, and
 * nothing has changed.  Without a pool nothing happens.  Thread context. */
__must_check bool kfence_stop(struct node *node);

/* The next request for an object that suits is served by the pool.  Any context. */
void kfence_open(struct node *node);

/* Milliseconds between two samples; 0: no samples.  -ENODEV: there is no pool.  Thread
 * context. */
unsigned long kfence_interval(const struct node *node);
int kfence_set_interval(struct node *node, unsigned long interval);

/* Is ADDRESS in the pool of NODE, guards included?  Any context. */
bool is_kfence_address(const struct node *node, const void *address);

/* For `slabinfo`; all 0: there is no pool.  A guess. */
struct kfence_counts {
	unsigned long objects; /* that it has room for */
	unsigned long in_use;
	unsigned long sampled; /* ever */
	unsigned long skipped; /* ... not, because all were in use */
	unsigned long bugs; /* reported: damaged canaries and refused frees */
};
void kfence_read(const struct node *node, struct kfence_counts *counts);

/* Faults in the main node's pool are explained from now on. */
void kfence_explain_faults(void);

/* Print the records of the object that the last such fault was about; nothing if there was
 * none: for a panic. */
void kfence_print_fault(void);

#endif

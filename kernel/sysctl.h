/* SPDX-License-Identifier: MIT */
/*
 * kernel/sysctl.h -- the knobs of the memory manager, Linux's names (/proc/sys).
 *
 * A knob is a row of the table in sysctl.c: one number or several, each within
 * limits.  Setting one takes effect immediately.  The same words on the command line
 * set them during boot: min_free_kbytes=, swappiness= and so on.
 */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include "lib/types.h"

/* The most numbers that a knob has. */
#define SYSCTL_VALUES 4

struct node;

struct sysctl {
	const char *name; /* "vm.swappiness" */
	unsigned int count;
	int64_t low;
	int64_t high;
	int64_t (*get)(const struct node *node, unsigned int index);
	/* VALUES are within the limits.  0, or -ENOMEM: too much for this
	 * machine. */
	int (*set)(struct node *node, const int64_t *values);
};

/* Row INDEX of the table; NULL after the last one. */
const struct sysctl *sysctl_at(unsigned int index);

/* The knob called NAME, with or without "vm." or "kernel."; LENGTH characters of it. */
const struct sysctl *sysctl_find(const char *name, size_t length);

/*
 * Set KNOB of NODE to the numbers in TEXT, separated by commas or blanks.  0,
 * -EINVAL (not as many numbers as it has, or outside its limits) or -ENOMEM (too much
 * for this machine); then nothing is changed.
 * Thread context.
 */
__must_check int sysctl_set(const struct sysctl *knob, struct node *node,
                            const char *text);

/* Do what the command line asked for.  Once, when NODE has memory. */
void sysctl_start(struct node *node);

#endif

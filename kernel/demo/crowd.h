/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/crowd.h -- as many threads as memory allows, each with a window and an
 * exclusive page.
 *
 * All of them live at the same time: each takes a page, writes its number all over it,
 * and waits.  When the last one has begun, each looks whether its page is still what it
 * wrote, gives it back, and ends.
 */
#ifndef KERNEL_DEMO_CROWD_H
#define KERNEL_DEMO_CROWD_H

#include "kernel/core/sched.h"

struct crowd_report {
	unsigned int threads; /* that were made */
	unsigned int pages;   /* that they took */
	unsigned int intact;  /* of these, and in the window of their owners */
	int error; /* 0; -ENOMEM: no memory for the next thread or for
	                       * its page; -EINTR: it was told to stop */
};

/* Called while all threads are there. */
struct crowd_look {
	/* A thread and the address of its page. */
	void (*each)(struct thread *thread, void *page, void *data);
	void *data;
};

/* Make COUNT threads, or as many as there is memory for.  LOOK may be NULL, and STOP,
 * which is called before each thread.  All have ended when it returns.  Thread
 * context. */
void crowd_run(unsigned int count, const struct crowd_look *look,
               bool (*stop)(void), struct crowd_report *report);

#endif

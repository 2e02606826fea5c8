/* SPDX-License-Identifier: MIT */
/*
 * tests/kernel/path_walk.h -- a walk along a path of the allocator, with an interrupt at
 * each instruction.
 */
#ifndef TESTS_KERNEL_PATH_WALK_H
#define TESTS_KERNEL_PATH_WALK_H

#include "lib/types.h"
#include "mm/page.h"

/* Frames that are parked when a path begins. */
#define WALK_PARKED 26
/* Interrupts in one run. */
#define WALK_SHOTS  24U
/* The pages that the line is given, and that it accepts. */
#define WALK_KEPT   (WALK_SHOTS + 2U)

/* The handler's actions. */
enum errand {
	ERRAND_TAKE,
	ERRAND_TAKE_AND_ACCEPT,
	ERRAND_SEND, /* a page to the thread */
	ERRAND_GIVE_BACK,
	/* Take a page and release it, and look: the path is the same whether an
	 * interrupt comes or not, so one run has all of them. */
	ERRAND_LOOK,
};

struct walk_path {
	const char *name;
	void (*prepare)(void); /* not stepped */
	void (*run)(void *);
	/* NULL, or what is wrong; not stepped. */
	const char *(*check)(void);
	void (*finish)(void); /* gives back what the thread has */
	enum errand errand;
	/* For ERRAND_LOOK, in the handler: NULL, or what is wrong. */
	const char *(*look)(void);
};

/* The thread's side. */
extern struct walked {
	struct page *page;
	void *address;
	unsigned long done;
} walked;

/* The line's side. */
extern struct walk_line {
	enum errand errand;
	const char *(*look)(void);
	struct owner *thread;
	uint64_t id; /* of the line's registration */
	struct page *plain[WALK_SHOTS];
	void *kept[WALK_KEPT];
	unsigned int count;
	unsigned int interrupts;
	unsigned int got;   /* plain pages */
	unsigned int empty; /* exclusive NULLs with an empty pool */
	const char *failure;
} walk_line;

/* One interrupt of the line, for ERRAND, here and now. */
void path_walk_raise(enum errand errand);

/* Checks of a path: NULL, or what is wrong.  The thread has got a plain page; one new
 * exclusive page; no exclusive page. */
const char *path_walk_check_plain(void);
const char *path_walk_check_exclusive(void);
const char *path_walk_check_nothing_owned(void);

/* Walk along PATH on a private node, which is main_node() meanwhile, until an
 * interrupt has come at each boundary: NULL, or what was wrong. */
const char *path_walk_try(const struct walk_path *path);

#endif

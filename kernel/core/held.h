/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/held.h -- what a thread holds, and has to give back.
 *
 * A thread may be ended from outside only while it holds nothing that others wait
 * for.  So code that takes such an object for a thread records it here, and
 * its release:
 *
 *	held_take()	lock_page(), mutex_lock(), find_get_page() ...
 *	held_drop()	unlock_page(), mutex_unlock(), put_page() ...
 *	held_hand_on()	it is not the thread's any more: the disk, a mount or a
 *			mapping has it now, and gives it back
 *
 * Spinlocks are not in the list: preempt_count knows them.  Code that runs in an
 * interrupt holds nothing for the thread beneath: there, and before there are
 * threads, these functions do nothing.
 *
 * A call of a file system, of the block layer or of swap gives back what it has
 * taken.  That is asserted where it returns (held_expect()), and that nothing is left
 * where a thread ends.
 */
#ifndef KERNEL_CORE_HELD_H
#define KERNEL_CORE_HELD_H

#include "lib/types.h"

enum held_kind {
	HELD_MUTEX,
	HELD_PAGE_LOCK, /* mm/reclaim/page_lock.h */
	HELD_PIN,       /* a reference for as long as it works with a page */
	HELD_SCOPE,     /* mm/scope.h */
	HELD_DEVICE,    /* claimed: a disk, a partition, a place to swap to */
	HELD_BIO,       /* kernel/block/block.h */
	HELD_KINDS,
};

/* Further objects are counted, but not recorded. */
#define HELD_THINGS 16

struct held_thing {
	const void *what;
	int64_t place : 56; /* an address of code: where it was taken */
	uint64_t kind : 8;
};

/* A part of struct thread, which alone reads and writes it while it runs. */
struct held_list {
	unsigned int count; /* of those below */
	unsigned int more;  /* what had no room there */
	struct held_thing thing[HELD_THINGS];
};

/* The running thread has taken WHAT at PLACE (0: where this is called), or given it
 * back.  To give back what is not noted is taken for one of those that had no room,
 * and does nothing if there are none.  Any context. */
void held_take(enum held_kind kind, const void *what, uintptr_t place);
void held_drop(enum held_kind kind, const void *what);

static inline void held_hand_on(enum held_kind kind, const void *what)
{
	held_drop(kind, what);
}

/* How much the running thread holds, spinlocks included. */
unsigned int held_total(void);

/* "mutex ext2 since ext2_lock+0x1f, pin since ...", in BUFFER; "nothing". */
const char *held_format(char *buffer, size_t size);

/* CALL returns to a thread that held COUNT things when it began; it is a panic that
 * names them if it holds another number now. */
void held_expect(unsigned int count, const char *call);

/* Forget what the running thread held: for tests that were ended by a fault. */
void held_forget(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/fault.h -- what to do about an exception.
 *
 * In this order: (0) a copy to or from a caller's buffer (kernel/arch/copy.h)
 * returns -EFAULT; (1) the innermost fault_catch() of the context whose `match`
 * accepts the fault; (2) a thread that touched an exclusive page that is not its own
 * is reported, and ended if it holds nothing (kernel/core/held.h) and is no service;
 * (3) panic, which says what it holds.
 */
#ifndef KERNEL_CORE_FAULT_H
#define KERNEL_CORE_FAULT_H

#include "kernel/arch/trap.h"
#include "kernel/core/owner.h"
#include "lib/types.h"

enum fault_kind {
	FAULT_OTHER,     /* no more is known than the vector */
	FAULT_EXCLUSIVE, /* an exclusive (or parked) page, not the toucher's */
	FAULT_GUARD,     /* a guard page: a stack has overflowed */
	FAULT_VMALLOC,   /* an address that vmalloc() manages */
	FAULT_NULL,      /* page 0 */
	FAULT_FREED,     /* a free page: mm/debug/page_debug.h */
	FAULT_OVERRUN,   /* the guard behind a block: mm/debug/page_guard.h */
	FAULT_OBJECT_BOUNDS, /* a guard beside an object: mm/slab/kfence.h */
	FAULT_OBJECT_FREED,  /* the page of a free one */
};

/* The area of vmalloc() that an address is in, a page that was freed, the block in front
 * of a guard, or an object of kfence. */
struct fault_area {
	const char *what; /* "the guard page behind" ...; else NULL */
	uintptr_t start;
	size_t size;      /* without the guard page; 0: nothing is there */
	uint64_t taker;   /* number of its owner, or of the one that freed it */
	uintptr_t caller; /* from where; 0: not known */
};

struct fault {
	struct trap_frame *frame;
	uint64_t address; /* CR2 of a page fault, else 0 */
	enum fault_kind kind;
	/* Of FAULT_EXCLUSIVE, FAULT_FREED and FAULT_OVERRUN: */
	unsigned long pfn;            /* -1UL: an empty entry of a window */
	const struct owner *owner;    /* NULL: parked */
	const struct owner *intruder; /* the context that touched it */
	struct owner_loss loss;       /* the lost page; caller 0: not known */
	struct fault_area
		area; /* of FAULT_VMALLOC, FREED, OVERRUN, OBJECT_... */
};

/*
 * A resolver looks at a page fault and fills in what it knows; it returns true
 * if it recognised the address.  mm/ registers one.  Called in exception
 * context with interrupts off, from any interrupted context, NMI included: it
 * takes no lock and checks every pointer.  At most 4.
 */
typedef bool (*fault_resolver)(struct fault *fault);
void fault_register_resolver(fault_resolver resolver);

/* Install the handlers of the exceptions. */
void fault_init(void);

#endif

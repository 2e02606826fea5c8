/* SPDX-License-Identifier: MIT */
/*
 * kernel/core/owner.h -- who owns: a thread or an interrupt line.
 *
 * An owner has a name, a number that is never used twice, and a window
 * (kernel/arch/window.h) in which its exclusive pages appear while it runs.  Threads
 * and interrupt registrations embed one.  mm/exclusive/exclusive.c registers the
 * provider that gives an owner its window and takes its pages back at the end.
 *
 * One owner names another by its number: thread_owner_id(),
 * irq_owner_id(), current_owner_id().  The memory of an owner that has ended
 * is soon another owner's, so a pointer to an owner is valid only while its
 * holder knows that the owner lives.
 */
#ifndef KERNEL_CORE_OWNER_H
#define KERNEL_CORE_OWNER_H

#include "kernel/arch/window.h"
#include "lib/bitmap.h"
#include "lib/list.h"
#include "lib/types.h"
#if !__STDC_HOSTED__
#include "kernel/arch/percpu.h"
#endif

#define OWNER_NAME_SIZE 24

/* The greatest number: a trace record has 48 bits for one (mm/debug/trace.h).  A
 * million owners a second use them up in nine years. */
#define OWNER_ID_MAX    ((1ULL << 48) - 1)

enum owner_kind {
	OWNER_THREAD,
	OWNER_IRQ,
};

/* A page that an owner gave up: reported if its empty entry is touched later. */
struct owner_loss {
	unsigned int index;
	uintptr_t caller; /* where; 0: nothing was */
	uint64_t to;      /* number of the receiver; 0: it was released */
};

/* A power of 2, because the count of losses may wrap around. */
#define OWNER_LOSSES 4

/* Field locks: (c) constant after owner_begin(), (x) the exclusive pool's, (o) the owner
 * itself while it runs, with interrupts off. */
struct owner {
	enum owner_kind kind;       /* (c) */
	char name[OWNER_NAME_SIZE]; /* (c) "shell", "irq 0 timer" */
	uint64_t id;                /* (c) from 1, never used twice */
	bool alive;                 /* (x) has a window */
	struct window window;       /* (c) */
	/* In use: atomic, and only the owner sets a bit. */
	unsigned long entries[BITMAP_LONGS(WINDOW_ENTRIES)];
	unsigned int next_entry;     /* (o) where the search starts */
	unsigned int sent;           /* (x) pages HANDOVER, from it */
	struct list incoming;        /* (x) HANDOVER, to it, oldest first */
	unsigned int incoming_count; /* (x) how many these are */
	struct list all;             /* (x) on the list of all owners */
	unsigned int losses;         /* (o) ever */
	struct owner_loss loss[OWNER_LOSSES]; /* (o) the last ones */
};

/* Pages OWNED by OWNER: its entries in use, but those of pages that it sent.  Exact
 * with the pool's lock held while OWNER does not run. */
static inline unsigned int owner_pages(const struct owner *owner)
{
	return (unsigned int)bitmap_weight(owner->entries, WINDOW_ENTRIES) -
	       owner->sent;
}

/*
 * Begin an owner: number it, copy the name, give it its window.  Returns 0 or
 * -ENOMEM (no page for the window's table), -ENOSPC (no window, or no number
 * left), or -ENODEV (no provider yet).  Thread context.
 */
__must_check int owner_begin(struct owner *owner, enum owner_kind kind,
                             const char *name);

/*
 * End an owner: what it owns is scrubbed and parked, what is on its way to it
 * goes back, what is on its way from it goes on.  Thread context; the owner
 * does not run any more (or is the caller, at its very end).
 */
void owner_end(struct owner *owner);

/* In struct cpu: no owner.  Its number is 0. */
extern struct owner owner_nobody;

/* All CPUs have no owner.  Once, before anything asks for one. */
void owner_init(void);

/*
 * The context that asks: the innermost interrupt line that runs, else the
 * thread.  NULL in an NMI, and before threads exist.  Any context.
 */
#if __STDC_HOSTED__
struct owner *current_owner(void);
#else
static inline struct owner *current_owner(void)
{
	struct owner *owner = this_cpu_read(owner);

	return owner == &owner_nobody ? NULL : owner;
}
#endif

/* Its number; 0: there is none.  Any context. */
#if __STDC_HOSTED__
uint64_t current_owner_id(void);
#else
static inline uint64_t current_owner_id(void)
{
	return this_cpu_read(owner)->id;
}
#endif

/* The name of owner number ID: of the last 256 begun, else "?".  Any context. */
const char *owner_name(uint64_t id);

/* begin() may refuse the owner's number with -EAGAIN: it is given the next one. */
struct owner_provider {
	int (*begin)(struct owner *owner);
	void (*end)(struct owner *owner);
};
void owner_register_provider(const struct owner_provider *provider);

#endif

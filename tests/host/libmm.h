/* SPDX-License-Identifier: MIT */
/*
 * tests/host/libmm.h -- the memory manager of Labyrinth in a host program.
 *
 * build/host/libmm.a is the kernel's own mm/ and lib/, unchanged, with a
 * machine of the host's making underneath (tests/host/machine*.c).  A program
 * includes this header, any of the mm/ headers, and links the library:
 *
 *	#include "tests/host/libmm.h"
 *
 *	int main(void)
 *	{
 *		struct node *node;
 *
 *		machine_start(1024);
 *		node = machine_one_zone(ZONE_NORMAL, 1024);
 *		machine_set_marks(&node->zone[ZONE_NORMAL], 8, 10, 12);
 *		...
 *		machine_stop();
 *	}
 *
 *	gcc -I. prog.c build/host/libmm.a -pthread
 *
 * tests/host/example.c is a program of this kind, explained line by line.  C
 * only: the headers are not meant for C++.
 *
 * node_check() (mm/mm_check.h) may be called at any time between two calls of the
 * allocator and says whether everything adds up; machine_finish() is for the
 * end, and takes the machine apart.
 *
 * The machine is stricter than a real one.  These end in a panic: a lock taken twice,
 * taken in an NMI, given back by a stranger, taken in an order that can deadlock;
 * interrupts enabled, or a line logged, under a lock; sleeping where that is
 * impossible; a frame hidden twice; a region split twice; an entry of a window used
 * twice; contexts left in another order than they were entered.  A panic outside of
 * machine_try() prints its text and ends the program.
 *
 * Hooks: a request wakes kswapd (machine_set_kswapd_hook()), the refiller of
 * the parked pool has work (machine_set_refiller_hook()), a request that may
 * wait asks for reclaim, compaction or the OOM killer
 * (machine_set_reclaim_hook() and so on), or it sleeps
 * (machine_set_wait_hook()).
 *
 * A CPU is a thread of the host; the caller of machine_start() is CPU 0.  All
 * CPUs share one address space here, so a window that is open on one of them
 * can be seen by all: what a window keeps out is shown on one CPU.
 */
#ifndef TESTS_HOST_LIBMM_H
#define TESTS_HOST_LIBMM_H

#include <stdio.h>

#include "kernel/arch/arch.h"
#include "kernel/arch/direct_map.h"
#include "kernel/arch/trap.h"
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/types.h"
#include "mm/exclusive/exclusive.h"
#include "mm/gfp.h"
#include "mm/mm_check.h"
#include "mm/node.h"
#include "mm/page_alloc.h"
#include "mm/slab/vmalloc.h"
#include "mm/watermark.h"

/* ---- The machine -------------------------------------------------------- */

/*
 * A new machine with FRAMES frames of zeroed memory from frame 0, visible in
 * the direct map (sparse: only what is touched costs memory).  It runs a thread
 * "main" with interrupts on.  An earlier machine is stopped.
 */
void machine_start(unsigned long frames);

/* Free everything that belongs to the machine, without any checks. */
void machine_stop(void);

/*
 * Is everything as it was?  Ends all owners that began, empties the pools, and
 * then: no lock held, no context left over, every node passes node_check() and
 * has no page in use.  NULL or a sentence.  The machine is of no use afterwards
 * but for machine_stop().
 */
const char *machine_finish(void);

/*
 * The bytes of frame PFN, whether or not the kernel could see them: the eyes
 * of a test, not a mapping of the machine.
 */
void *machine_physical(unsigned long pfn);

/*
 * Map frame PFN at a separate address, besides the direct map, like a caller
 * that calls page_add_mapping() first; do nothing else.  A few at a time.
 */
void *machine_map(unsigned long pfn);
void machine_unmap(void *address);

/* Let MICROSECONDS pass; otherwise the clock stands still. */
void machine_advance(uint64_t microseconds);

/* Also write each log line to FILE, e.g. stderr; NULL: not (the default). */
void machine_log_to(FILE *file);

/* From now on backtrace_save() finds the COUNT addresses at CALLS, which stay. */
void machine_set_backtrace(const uintptr_t *calls, unsigned int count);

/* How many log lines of this machine have TEXT in them.  Of all machines, and from a mark on:
 * log_visit() and log_count_since() of kernel/core/printk.h. */
unsigned int machine_said(const char *text);

/* ---- Nodes and zones ----------------------------------------------------- */

/*
 * A node whose zones have PAGES[type] pages each, one zone behind the other
 * from frame FIRST on (not divided at 16 MiB and 4 GiB: small machines can have
 * all four), every page present and given to the buddy.  Marks and reserves
 * are 0.  It belongs to the machine.  The first node of a machine is started:
 * set_main_node() makes it the one that alloc_pages() works on.
 */
struct node *machine_zones(unsigned long first,
                           const unsigned long pages[ZONE_COUNT]);

/* The same with PAGES pages in one zone, from frame 0. */
struct node *machine_one_zone(enum zone_type type, unsigned long pages);

/* Set the marks by hand; PROMO as far above HIGH as HIGH is above LOW.  There they stay:
 * no zone of the node is boosted.  Or set node->min_free_kbytes and call
 * watermark_setup(). */
void machine_set_marks(struct zone *zone, unsigned long lowest,
                       unsigned long low, unsigned long high);

/* Requests whose highest zone is HIGHEST leave PAGES more of ZONE, a lower
 * one. */
void machine_set_lowmem_reserve(struct zone *zone, enum zone_type highest,
                                unsigned long pages);

/*
 * HOOK is called when a request on NODE wakes kswapd, or when the refiller of
 * NODE's pool has work; NULL: nobody.  Both may be set before or after
 * machine_start_exclusive(), and stay.  They are called in the context of the
 * request, with no lock held; they must not sleep.  The refiller would then
 * call exclusive_balance(), in a thread.
 */
void machine_set_kswapd_hook(struct node *node,
                             void (*hook)(struct node *node, unsigned int order,
                                          enum zone_type highest,
                                          bool may_sleep));
void machine_set_refiller_hook(struct node *node, void (*hook)(void));

/*
 * HOOK is called when a CPU has given back the last lock that it held, LOCK: what
 * another thread would do there.  It may take locks and allocate, and must not
 * end by a panic.  NULL, as at the beginning: nobody.  For one CPU.
 */
void machine_set_unlock_hook(void (*hook)(const struct spinlock *lock));

/*
 * Set the rungs of a request that may wait (mm/reclaim/recovery.h documents their
 * arguments and results); NULL: none, as at the beginning.  Called in the
 * context of the request, with no lock held.
 */
void machine_set_reclaim_hook(
	struct node *node,
	unsigned long (*reclaim)(struct node *node,
                                 const struct alloc_request *request),
	unsigned long (*reclaimable)(struct node *node, struct zone *zone));
void machine_set_compact_hook(
	struct node *node,
	enum compact_result (*hook)(struct node *node,
                                    const struct alloc_request *request,
                                    enum compact_priority priority,
                                    struct page **page));
void machine_set_oom_hook(struct node *node,
                          bool (*hook)(struct node *node,
                                       const struct alloc_request *request));
void machine_set_throttle_hook(
	struct node *node,
	void (*hook)(struct node *node, const struct alloc_request *request));

/*
 * Prepare NODE's parked pool with TABLES tables for splitting (at most
 * MACHINE_TABLES; they lie behind the machine's memory), and give thread main
 * its window.  NODE is from now on also what alloc_pages() works on.
 */
#define MACHINE_TABLES 512UL
void machine_start_exclusive(struct node *node, unsigned long tables);

/* A slab allocator of NODE, and a main space for vmalloc(), of all addresses, with
 * pages of NODE. */
struct vmalloc_space *machine_start_vmalloc(struct node *node);

/* The region of PFN is split and stays so: boot did it. */
void machine_split_at_boot(unsigned long pfn);

/* ---- Contexts ------------------------------------------------------------ */

/*
 * Thread main runs first.  More threads: begin, switch to and fro, end (not
 * while it runs).  Switching closes the window of the one and opens that of
 * the other.
 */
struct thread *machine_main(void);
void machine_begin_thread(struct thread *thread, const char *name);
void machine_end_thread(struct thread *thread);
void machine_switch_to(struct thread *thread);

/*
 * This thread of the host goes on as CPU number ID, with the same thread and window: what
 * each CPU has for itself is another one's from now on.  No lock is held, interrupts are
 * on.
 */
void machine_be_cpu(unsigned int id);

/* Interrupt lines as owners. */
void machine_begin_line(struct owner *line, const char *name);
void machine_end_line(struct owner *line);

/*
 * An interrupt of LINE arrives on this CPU, and returns.  NULL: of nobody in
 * particular; the handler has no owner then, so that it gets no exclusive page.
 * Interrupts must be on; in the handler they are off until arch_irq_enable().
 * The window of the interrupted context is closed meanwhile.
 */
void machine_enter_irq(struct owner *line);
void machine_leave_irq(void);

/* The same with an NMI, which needs no permission. */
void machine_enter_nmi(void);
void machine_leave_nmi(void);

/*
 * Soft work on top of the running thread, and its end: it cannot sleep,
 * in_interrupt() is true and in_hardirq() is not.  Owner and window are the
 * thread's.
 */
void machine_enter_softirq(void);
void machine_leave_softirq(void);

/* Linux's PF_MEMALLOC of the running thread. */
void machine_set_memalloc(bool memalloc);

/* A context that cannot sleep: preempt_disable() .. preempt_enable(), or
 * arch_irq_disable() .. arch_irq_enable(). */

/* ---- Waiting ------------------------------------------------------------- */

/*
 * HOOK is called whenever the thread that runs would stop, on QUEUE, and does
 * what another thread or an interrupt would do then; it says whether it did
 * anything.  It is called again until the condition is true.  If it did nothing
 * (or is NULL, the default) a wait with a time limit lasts until the clock is
 * there, and one without is a panic: "everybody sleeps".  So is the rest number
 * MACHINE_PATIENCE + 1 in a row (a sleep, a yield: queues "sleep" and "yield")
 * during which nobody did anything; setting a hook resets the count.  It must
 * not wait.
 */
#define MACHINE_PATIENCE 100
void machine_set_wait_hook(bool (*hook)(struct wait_queue *queue));

/* How often the thread stopped, and how often wake_up() was called. */
unsigned long machine_waits(void);
unsigned long machine_wake_ups(void);

/* ---- When it goes wrong -------------------------------------------------- */

enum machine_end {
	MACHINE_RETURNED,
	MACHINE_PANICKED, /* panic(), a failed kassert() */
	MACHINE_FAULTED,  /* a memory fault that nobody caught */
};

/*
 * Call FUNCTION(ARGUMENT); a panic or a fault in it ends the call, not the
 * program, and TEXT (SIZE bytes) says what it was.  After anything but
 * MACHINE_RETURNED the machine must be restarted.  Faults on purpose:
 * fault_catch() of kernel/arch/trap.h.
 */
enum machine_end machine_try(void (*function)(void *), void *argument,
                             char *text, size_t size);

/*
 * Does reading (WRITE: writing) the byte at ADDRESS fault?  If FAULT is not
 * NULL it is filled in with what the resolvers of mm/ said.
 */
bool machine_faults(const void *address, bool write, struct fault *fault);

#endif

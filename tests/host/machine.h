/* SPDX-License-Identifier: MIT */
/*
 * tests/host/machine.h -- what the files of the host's machine tell each other.
 */
#ifndef TESTS_HOST_MACHINE_H
#define TESTS_HOST_MACHINE_H

#include <setjmp.h>

#include "kernel/core/lock.h"
#include "tests/host/libmm.h"

#define MAX_NESTING 16
#define MAX_HELD    8

/* The state that an interrupt or NMI found, restored when it returns. */
struct interrupted {
	bool nmi;
	bool irq_enabled;
	unsigned int preempt_count;
	unsigned int held;
	unsigned int window;
	struct owner *irq_owner;
};

/* The state of each thread of the host. */
struct host_cpu {
	unsigned long machine; /* 1 + number of the machine it is a CPU of */
	unsigned int id;
	bool irq_enabled;
	unsigned int preempt_count;
	unsigned int window;       /* number of the open one, 0: none */
	unsigned int window_depth; /* calls of window_open() */
	unsigned int held;
	unsigned int depth;
	struct owner *irq_owner;
	struct thread *thread;
	struct fault_expect *expect;
	sigjmp_buf *recover; /* of machine_try() */
	const struct spinlock *lock[MAX_HELD];
	struct interrupted interrupted[MAX_NESTING];
};

/* Of the host thread that asks; made at the first question. */
struct host_cpu *host_cpu(void);

/* Close the window that is open on this CPU and open number ID. */
void host_switch_window(unsigned int id);

/* An entry of a window's table: a frame's number above the bits, and one of these. */
#define ENTRY_PRESENT 3UL /* present and writable */
#define ENTRY_NOTE    (1UL << 9)

/* Panic unless the window exists, or the entry can; the window's number. */
unsigned int host_check_window(const struct window *window);
void host_check_entry(unsigned int index);

/* Memory: FRAMES for nodes, MACHINE_TABLES behind them. */
void host_memory_start(unsigned long frames);
void host_memory_stop(void);
unsigned long host_frames(void);

/* VISIT each table of the vmap region, which has none afterwards; nothing is mapped
 * there. */
void host_visit_vmap_tables(void (*visit)(void *table));

/* Waiting: no hook. */
void host_wait_start(void);

/* Log and panic. */
void host_log_start(void);
uint64_t host_now(void);

/* Waiting. */
void host_wait_start(void);

/* A panic or fault ends here: to machine_try(), or the program ends. */
__noreturn void host_die(enum machine_end how, const char *text);

/* Ask the resolvers of mm/ about a fault. */
void host_resolve(struct fault *fault);

#endif

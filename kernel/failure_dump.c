/* SPDX-License-Identifier: MIT */
/*
 * kernel/failure_dump.c -- the dump of a request that failed with interrupts off.
 *
 * The dump has some forty lines.  To write them takes a hundred times as long as
 * interrupts may stay off, so whoever fails in a handler, or under a lock, only
 * copies what the dump is about: who asked for what, from where, and the numbers
 * of the memory report.  The worker prints it, in the same lines.
 *
 *	handler: failure_dump_later() --> the one copy --> worker: print
 *
 * There is one copy, for there is one dump in ten seconds (node->dump_limit); a
 * failure that finds it full has its first line, and that line says so.
 */
#include "kernel/failure_dump.h"

#include "kernel/arch/image.h"
#include "kernel/arch/paging.h"
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/owner.h"
#include "kernel/core/printk.h"
#include "kernel/core/work.h"
#include "lib/format.h"
#include "mm/page_alloc.h"
#include "mm/page_internal.h"

#define DUMP_FRAMES 8

static struct {
	bool full; /* atomic: claimed by who copies, given back by the worker */
	char context[OWNER_NAME_SIZE];
	gfp_t gfp;
	unsigned int order;
	unsigned int frames;
	uintptr_t frame[DUMP_FRAMES];
	struct mem_copy memory;
	struct work work;
} failure_dump;

static bool failure_dump_is_readable(uintptr_t address)
{
	unsigned int level;

	return address % sizeof(uint64_t) == 0 &&
	       paging_lookup(address, &level) != 0;
}

/* The callers, from the frame at RBP up to the end of this context's: a handler's
 * ends at the door of interrupts. */
static void failure_dump_walk(uintptr_t rbp)
{
	unsigned int *frames = &failure_dump.frames;

	for (*frames = 0; *frames < DUMP_FRAMES; (*frames)++) {
		const uint64_t *pair = (const uint64_t *)rbp;

		if (rbp == 0 || !failure_dump_is_readable(rbp) ||
		    !failure_dump_is_readable(rbp + sizeof(uint64_t)) ||
		    !image_is_text(pair[1]))
			break;
		failure_dump.frame[*frames] = pair[1];
		/* A stack grows down: callers are above. */
		if (pair[0] <= rbp)
			break;
		rbp = pair[0];
	}
}

static void failure_dump_print(struct work *work __unused)
{
	char place[PLACE_SIZE];

	page_alloc_print_failure(failure_dump.context, failure_dump.order,
	                         failure_dump.gfp);
	pr_warn("backtrace:\n");
	for (unsigned int i = 0; i < failure_dump.frames; i++)
		show_folded(LOG_WARNING, "  %s",
		            caller_format(place, sizeof(place),
		                          failure_dump.frame[i]));
	show_mem_print(&failure_dump.memory.report);
	__atomic_store_n(&failure_dump.full, false, __ATOMIC_RELEASE);
}

static bool failure_dump_later(struct node *node,
                               const struct alloc_request *request)
{
	if (__atomic_exchange_n(&failure_dump.full, true, __ATOMIC_ACQUIRE)) {
		pr_warn("page_alloc: %s failed, too, order %u; its dump is "
		        "left out\n",
		        context_name(), request->order);
		return true;
	}
	scnprintf(failure_dump.context, sizeof(failure_dump.context), "%s",
	          context_name());
	failure_dump.gfp = request->gfp;
	failure_dump.order = request->order;
	failure_dump_walk((uintptr_t)__builtin_frame_address(0));
	show_mem_copy(node, &failure_dump.memory);
	queue_work(&failure_dump.work);
	return true;
}

void failure_dump_start(void)
{
	work_init(&failure_dump.work, failure_dump_print);
	page_alloc_node()->recovery.dump_later = failure_dump_later;
}

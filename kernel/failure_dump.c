/* SPDX-License-Identifier: MIT */
/*
 * kernel/failure_dump.c -- the dump of a request that failed with interrupts off.
 *
 * The dump has some forty lines.  To write them takes a hundred times as long as
 * interrupts may stay off, so a request that fails in a handler, or under a lock, only
 * copies the contents of the dump: the request, its caller, and the numbers of the
 * memory report.  The worker prints it, in the same lines.
 *
 *	handler: failure_dump_later() --> the one copy --> worker: print
 *
 * There is one copy, for there is one dump in ten seconds (node->dump_limit); a
 * failure that finds it full has its first line, and that line says so.
 */
#include "kernel/failure_dump.h"

#include "kernel/core/context.h"
#include "kernel/core/owner.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/work.h"
#include "lib/format.h"
#include "mm/debug/alloc_report.h"
#include "mm/debug/explain.h"
#include "mm/debug/show_mem.h"
#include "mm/page_alloc.h"

#define DUMP_FRAMES 8

static struct {
	bool full; /* atomic: claimed by the request, freed by the worker */
	char context[OWNER_NAME_SIZE];
	struct alloc_request request;
	enum reserve_right right; /* of its last try */
	unsigned int callers;
	uintptr_t caller[DUMP_FRAMES];
	struct mem_copy memory;
	struct work work;
} failure_dump;

static void failure_dump_print(struct work *work __unused)
{
	alloc_report_failure(failure_dump.context, &failure_dump.request);
	backtrace_print_saved(failure_dump.caller, failure_dump.callers);
	alloc_explain_print(failure_dump.memory.zone, &failure_dump.request,
	                    failure_dump.right);
	show_mem_print(&failure_dump.memory.report);
	__atomic_store_n(&failure_dump.full, false, __ATOMIC_RELEASE);
}

static bool failure_dump_later(struct node *node,
                               const struct alloc_request *request,
                               enum reserve_right right)
{
	if (__atomic_exchange_n(&failure_dump.full, true, __ATOMIC_ACQUIRE)) {
		pr_warn("page_alloc: %s failed, too, order %u; its dump is "
		        "left out\n",
		        context_name(), request->order);
		return true;
	}
	scnprintf(failure_dump.context, sizeof(failure_dump.context), "%s",
	          context_name());
	failure_dump.request = *request;
	failure_dump.right = right;
	failure_dump.callers = backtrace_save(failure_dump.caller, DUMP_FRAMES);
	show_mem_copy(node, &failure_dump.memory);
	queue_work(&failure_dump.work);
	return true;
}

void failure_dump_start(void)
{
	work_init(&failure_dump.work, failure_dump_print);
	main_node()->recovery.dump_later = failure_dump_later;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/services.c -- the first thread, and the threads that serve the others.
 */
#include "kernel/services.h"

#include "kernel/core/panic.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "kernel/core/watchdog.h"
#include "kernel/core/work.h"
#include "kernel/detectors.h"
#include "kernel/failure_dump.h"
#include "kernel/kfence_pool.h"
#include "kernel/refiller.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "mm/pcp.h"
#include "mm/reclaim/compaction.h"
#include "mm/reclaim/flusher.h"
#include "mm/reclaim/kcompactd.h"
#include "mm/reclaim/kswapd.h"
#include "mm/reclaim/oom.h"
#include "mm/reclaim/page_writeback.h"
#include "mm/reclaim/reclaim.h"
#include "mm/slab/slab.h"
#include "mm/slab/vmalloc.h"
#include "mm/task.h"
#include "mm/user/anon.h"

static struct mm_task main_task;
static struct thread main_thread = { .mm = &main_task };

static int services_set_oom_score_adj(const char *value)
{
	int64_t adj;
	int error = parse_signed(value, &adj);

	if (error == 0 && (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX))
		error = -ERANGE;
	if (error == 0)
		main_task.oom_score_adj = (short)adj;
	return error;
}

PARAM(oom_score_adj, "oom_score_adj",
      "=N: -1000..1000, how readily the shell is killed for its memory",
      services_set_oom_score_adj);

void begin_threads(void)
{
	sched_init(&main_thread);
	if (owner_begin(&main_thread.owner, OWNER_THREAD, "shell") != 0)
		panic("not enough memory for the first thread's window");
	window_open(&main_thread.owner.window);
}

/* The first thread was not created by anybody.  It ends if the shell does. */
static void visit_all_threads(void (*each)(struct thread *thread, void *data),
                              void *data)
{
	if (READ_ONCE(main_thread.state) != THREAD_ENDED)
		each(&main_thread, data);
	thread_visit(each, data);
}

/* The first thread begins each round. */
static bool visit_some_threads(void (*each)(struct thread *thread, void *data),
                               void *data)
{
	static bool in_round;

	if (!in_round && READ_ONCE(main_thread.state) != THREAD_ENDED)
		each(&main_thread, data);
	in_round = !thread_visit_some(each, data);
	return !in_round;
}

static struct oom_reaper anon_reaper = {
	.reap = anon_reap,
	.link = LIST_INIT(anon_reaper.link),
};

/* From here on the slow path can reclaim memory, and a request that may wait can have
 * a thread killed. */
static void begin_recovery(struct node *node)
{
	node->recovery.reclaim = reclaim_try_to_free_pages;
	node->recovery.reclaimable = zone_reclaimable_pages;
	node->recovery.compact = compact_for_request;
	node->recovery.throttle = throttle_direct_reclaim;
	node->recovery.too_dirty = node_too_dirty;
	node->wake_kswapd = wakeup_kswapd;
	if (thread_create("kswapd0", kswapd_run, node) == NULL)
		panic("kswapd cannot be started");
	if (thread_create("kcompactd0", kcompactd_run, node) == NULL)
		panic("kcompactd cannot be started");
	if (thread_create("flusher", flusher_run, node) == NULL)
		panic("the flusher cannot be started");
	oom_register_threads(visit_all_threads);
	oom_register_swap(total_swap_pages);
	oom_register_reaper(&anon_reaper);
	if (thread_create_priority("oom_reaper", PRIORITY_HIGH, oom_reaper_run,
	                           NULL) == NULL)
		panic("the OOM reaper cannot be started");
	node->recovery.oom = out_of_memory;
}

/* The worker frees the areas that interrupts have freed, and purges. */
static struct work vmalloc_work_item;

static void run_vmalloc_work(struct work *work __unused)
{
	vmalloc_work(main_vmalloc());
}

static void wake_vmalloc(void)
{
	queue_work(&vmalloc_work_item);
}

static void begin_vmalloc_work(void)
{
	work_init(&vmalloc_work_item, run_vmalloc_work);
	main_vmalloc()->wake = wake_vmalloc;
}

static struct pcp_cpu page_lists;

/* Linux's sysctl_stat_interval: a second. */
#define VMSTAT_INTERVAL 1000000ULL

/*
 * Lists that have become long become shorter, step by step, once they are not used so
 * much.  Linux's work of this name does that on each CPU, and a second one, the shepherd,
 * looks each second which CPUs need it.  The shepherd's timer is deferrable: it does not
 * wake a CPU whose tick is stopped.  Here the tick never stops, and one CPU has lists: the
 * work looks itself.  An idle machine pays for a look with two switches of threads, in one
 * of the tick's many interrupts; where no list is too long nothing else happens.
 */
static struct delayed_work vmstat_work;

static void vmstat_update(struct work *work __unused)
{
	pcp_decay(main_node());
	queue_delayed_work(&vmstat_work, VMSTAT_INTERVAL);
}

static void begin_page_lists(struct node *node)
{
	pcp_start(node, &page_lists, 1);
	node->run_on = work_on_cpu;
	work_init(&vmstat_work.work, vmstat_update);
	queue_delayed_work(&vmstat_work, VMSTAT_INTERVAL);
}

void begin_service_threads(struct node *node)
{
	node->slab.debug = detectors_slub_debug();
	if (!slab_start(node, 1, SLAB_KEY))
		panic("not enough memory for the slab allocator");
	if (detectors_slab_quarantine() > 0 &&
	    !slab_quarantine_start(node, detectors_slab_quarantine()))
		pr_warn("slab_quarantine: there is no memory for it\n");
	threads_start();
	watchdog_register_threads(visit_all_threads, visit_some_threads);
	refiller_start();
	if (thread_create_priority("printk", PRIORITY_HIGH, log_thread, NULL) ==
	    NULL)
		panic("the thread that prints the log cannot be started");
	if (thread_create_priority("worker", PRIORITY_HIGH, work_thread,
	                           NULL) == NULL)
		panic("the worker thread cannot be started");
	failure_dump_start();
	begin_vmalloc_work();
	kfence_pool_start(node);
	begin_recovery(node);
	/* From here on the allocator is used by more than one thread. */
	begin_page_lists(node);
}

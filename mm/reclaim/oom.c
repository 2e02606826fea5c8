/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/oom.c -- who is killed when there is no memory left.
 *
 *	request: nothing free above HIGH, nothing to reclaim
 *	   |
 *	   v
 *	out_of_memory()	--> no FS: wait, kill nobody
 *	   |		--> a victim is alive and not reaped: wait for it
 *	   |  badness = rss + swapents + page tables + adj * total / 1000
 *	   v
 *	kill: THREAD_KILLED, THREAD_OOM_VICTIM, woken --> it ends by itself
 *	   |  after 2 s
 *	   v
 *	reaper: frees its memory without it, 10 times, 100 ms apart
 *	   |
 *	   v
 *	THREAD_OOM_REAPED: it no longer keeps others from being killed
 *
 * A victim may take half of the reserve, and then gets NULL (mm/slow_path.c,
 * rungs 4 and 12): so it notices, gives everything back and ends.  One that
 * waits for a lock that the killing request holds cannot; for that there is the
 * reaper.
 *
 * Invariant: at most one thread is a victim that is not reaped, but for threads
 * that were killed for another reason and asked for memory on their way out.
 *
 * Locking: out_of_memory() is called by one thread at a time (node->oom_busy);
 * flags of threads are atomic.  Between two visits a thread is known by its number
 * only: it may end at any time, and its place in memory becomes another's.
 *
 * Source: Linux 6.12, mm/oom_kill.c.
 */
#include "mm/reclaim/oom.h"

#include "kernel/core/clock.h"
#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "mm/debug/explain.h"
#include "mm/debug/show_mem.h"
#include "mm/reclaim/drain.h"
#include "mm/task.h"
#include "mm/watermark.h"

#define KB_OF_PAGE (PAGE_SIZE / KIB)

static void (*visit_threads)(void (*each)(struct thread *thread, void *data),
                             void *data);
static unsigned long (*swap_pages)(void);
static struct list reapers = LIST_INIT(reapers);
static struct wait_queue oom_reaper_queue = WAIT_QUEUE_INIT(oom_reaper_queue);

void oom_register_threads(void (*visit)(void (*each)(struct thread *thread,
                                                     void *data),
                                        void *data))
{
	kassert(visit != NULL);
	visit_threads = visit;
}

void oom_register_reaper(struct oom_reaper *reaper)
{
	kassert(reaper->reap != NULL);
	if (!list_is_linked(&reaper->link))
		list_append(&reapers, &reaper->link);
}

void oom_register_swap(unsigned long (*pages)(void))
{
	swap_pages = pages;
}

static void oom_visit(void (*each)(struct thread *thread, void *data),
                      void *data)
{
	if (visit_threads != NULL)
		visit_threads(each, data);
}

/* ---- Whom? --------------------------------------------------------------- */

/* The only page table private to a kernel thread is its window's. */
static unsigned long table_pages(const struct thread *thread)
{
	return thread->owner.window.id != 0 ? 1 : 0;
}

int64_t oom_badness(const struct thread *thread, unsigned long total)
{
	unsigned long pages =
		READ_ONCE(thread->mm->rss) + READ_ONCE(thread->mm->swapents);

	kassert(thread->mm->oom_score_adj >= OOM_SCORE_ADJ_MIN);
	kassert(thread->mm->oom_score_adj <= OOM_SCORE_ADJ_MAX);
	if (pages == 0 || thread->mm->oom_score_adj == OOM_SCORE_ADJ_MIN)
		return OOM_NEVER;
	return (int64_t)(pages + table_pages(thread)) +
	       (int64_t)thread->mm->oom_score_adj * (int64_t)(total / 1000);
}

static bool is_unreaped_victim(const struct thread *thread)
{
	return thread_has_flags(thread, THREAD_OOM_VICTIM) &&
	       !thread_has_flags(thread, THREAD_OOM_REAPED);
}

struct choice {
	unsigned long total;
	uint64_t
		number; /* of the chosen one: its place may be another's soon */
	int64_t points;
	bool blocked; /* a victim is on its way out */
	struct node *node;
};

static void consider(struct thread *thread, void *data)
{
	struct choice *choice = data;
	int64_t points;

	if (is_unreaped_victim(thread))
		choice->blocked = true;
	if (thread_has_flags(thread, THREAD_OOM_VICTIM))
		return;
	points = oom_badness(thread, choice->total);
	/* Of two that are equal the later one. */
	if (points == OOM_NEVER || points < choice->points)
		return;
	choice->number = thread->owner.id;
	choice->points = points;
}

/* ---- The report ---------------------------------------------------------- */

#define THREADS_SHOWN 3U

static void oom_print_thread(struct thread *thread, void *data)
{
	enum log_level level;

	if (thread->mm->rss + thread->mm->swapents == 0)
		return;
	/* The consoles get a few of them, the log gets all. */
	level = ++*(unsigned int *)data <= THREADS_SHOWN ? LOG_WARNING
	                                                 : LOG_DEBUG;
	printk(level, "[%8llu] %8lu %8lu %8lu %13d %s\n",
	       (unsigned long long)thread->owner.id, thread->mm->rss,
	       table_pages(thread), thread->mm->swapents,
	       thread->mm->oom_score_adj, thread->owner.name);
}

static void oom_report(struct node *node, const struct alloc_request *request)
{
	unsigned int candidates = 0;
	char names[160];

	/* Without FS it may not have been possible to reclaim: no reason to kill. */
	kassert(request->may_fs);
	if (!ratelimit_pass(&node->oom_limit))
		return;
	gfp_format(names, sizeof(names), request->gfp);
	pr_warn("%s invoked oom-killer: gfp_mask=%#x(%s), order=%u, "
	        "oom_score_adj=%d\n",
	        context_name(), request->gfp, names, request->order,
	        current_thread()->mm->oom_score_adj);
	backtrace_print_from(0);
	alloc_explain_print(node->zone, request, request->last_right);
	show_mem(node);
	pr_debug("Tasks state (memory values in pages):\n");
	pr_warn("[ number ]      rss pgtables swapents oom_score_adj name\n");
	oom_visit(oom_print_thread, &candidates);
	if (candidates == 0)
		pr_warn("(no thread has anonymous memory)\n");
	if (candidates > THREADS_SHOWN)
		pr_warn("(%u more are in the log)\n",
		        candidates - THREADS_SHOWN);
}

/* ---- The kill ------------------------------------------------------------ */

/* It is to end, and may use the reserve for that. */
static void mark_victim(struct thread *thread)
{
	kassert(thread->mm != NULL);
	thread->mm->oom_since = clock_microseconds();
	thread_set_flags(thread, THREAD_OOM_VICTIM);
	wake_up(&oom_reaper_queue);
}

/* The report shows what the victim had: it may be gone by then. */
static void oom_kill(struct node *node, const struct choice *choice,
                     struct thread *victim)
{
	unsigned long rss = READ_ONCE(victim->mm->rss);
	unsigned long swapents = READ_ONCE(victim->mm->swapents);
	unsigned long tables = table_pages(victim);
	int adj = victim->mm->oom_score_adj;

	kassert(thread_owner_id(victim) == choice->number);
	kassert(choice->points != OOM_NEVER && !choice->blocked);
	mark_victim(victim);
	thread_kill(victim);
	pr_err("Out of memory: Killed thread %llu (%s) anon-rss:%lukB,\n"
	       " swapents:%lukB, pgtables:%lukB oom_score_adj:%d\n",
	       (unsigned long long)choice->number, victim->owner.name,
	       rss * KB_OF_PAGE, swapents * KB_OF_PAGE, tables * KB_OF_PAGE,
	       adj);
	vmstat_add(&node->stat, VMSTAT_oom_kill, 1);
	trace_mark_victim(&node->trace, choice->number,
	                  (unsigned long)choice->points, adj);
}

/* The chosen one, if this is it.  While it is visited it may end, but its place
 * stays its own, so nobody else is killed for it. */
static void oom_kill_chosen(struct thread *thread, void *data)
{
	const struct choice *choice = data;

	if (thread_owner_id(thread) == choice->number &&
	    READ_ONCE(thread->state) != THREAD_ENDED)
		oom_kill(choice->node, choice, thread);
}

/* The caller was killed already and is on its way out: it needs no other victim,
 * but perhaps the reserve. */
static bool caller_will_end(void)
{
	struct thread *self = current_thread();

	if (!thread_has_flags(self, THREAD_KILLED) ||
	    thread_has_flags(self, THREAD_OOM_REAPED))
		return false;
	if (!thread_has_flags(self, THREAD_OOM_VICTIM))
		mark_victim(self);
	return true;
}

/* Would the request be served now?  A victim may have ended between the look at
 * HIGH and the choice: a thread that is no longer seen alive has freed everything
 * before, so this is checked after the choice. */
static bool memory_is_back(const struct node *node,
                           const struct alloc_request *request)
{
	for (int type = request->highest_zone; type >= ZONE_DMA; type--) {
		const struct zone *zone = &node->zone[type];

		if (zone->managed > 0 &&
		    watermark_ok(zone, request->order,
		                 wmark_pages(zone, WMARK_MIN),
		                 request->highest_zone, request->right))
			return true;
	}
	return false;
}

/* Pages on the lists of CPUs are free, but no mark counts them; a victim's may be
 * there.  Nobody dies for them, and the machine least of all. */
static bool lists_give_back(struct node *node)
{
	unsigned long before = node_free(node);

	drain_all_pages(node, NULL);
	return node_free(node) > before;
}

bool out_of_memory(struct node *node, const struct alloc_request *request)
{
	struct choice choice = {
		.total = node_managed(node) +
		         (swap_pages == NULL ? 0 : swap_pages()),
		.points = OOM_NEVER,
		.node = node,
	};

	kassert(request->highest_zone < ZONE_COUNT);
	kassert(request->may_sleep);
	trace_oom_begin(&node->trace, request->order, request->gfp);
	if (caller_will_end())
		return true;
	if (!request->may_fs)
		return true;
	oom_visit(consider, &choice);
	if (choice.blocked)
		return true;
	if (memory_is_back(node, request))
		return true;
	if (choice.points == OOM_NEVER && lists_give_back(node))
		return true;
	oom_report(node, request);
	if (choice.points == OOM_NEVER)
		panic("Out of memory: no thread is left that could be killed");
	/* The report takes its time.  A thread that has ended meanwhile has freed all
	 * it had, and another thread may be in its place. */
	oom_visit(oom_kill_chosen, &choice);
	return true;
}

/* ---- The reaper ---------------------------------------------------------- */

/* The state of a victim, by its number: it may end at any time, and another
 * thread begin in its place. */
struct victim {
	uint64_t number; /* 0: whichever comes first */
	bool found;
	uint64_t since;      /* when it was chosen */
	unsigned long pages; /* it has, in memory and on swap */
};

static void find_victim(struct thread *thread, void *data)
{
	struct victim *victim = data;

	if (!is_unreaped_victim(thread) || victim->found)
		return;
	if (victim->number != 0 && victim->number != thread_owner_id(thread))
		return;
	*victim = (struct victim){
		.number = thread_owner_id(thread),
		.found = true,
		.since = thread->mm->oom_since,
		.pages = READ_ONCE(thread->mm->rss) +
		         READ_ONCE(thread->mm->swapents),
	};
}

/* The victim of that NUMBER (0: any), if it is alive and not reaped. */
static struct victim victim_of(uint64_t number)
{
	struct victim victim = { .number = number };

	oom_visit(find_victim, &victim);
	return victim;
}

static bool any_victim(void *unused __unused)
{
	return victim_of(0).found;
}

/* Call all reapers for thread NUMBER. */
static bool oom_reap(uint64_t number)
{
	bool all = true;
	struct list *at;

	list_for_each(at, &reapers) {
		all &= container_of(at, struct oom_reaper, link)->reap(number);
	}
	return all && victim_of(number).pages == 0;
}

/* Reaped, or out of reach: the others do not wait for it any longer. */
struct verdict {
	uint64_t number;
	bool reaped;
};

static void oom_give_up(struct thread *thread, void *data)
{
	const struct verdict *verdict = data;

	/* It may have been pardoned meanwhile. */
	if (thread_owner_id(thread) != verdict->number ||
	    !is_unreaped_victim(thread))
		return;
	pr_info("oom_reaper: %s thread %llu (%s), now anon-rss:%lukB\n",
	        verdict->reaped ? "reaped" : "unable to reap",
	        (unsigned long long)verdict->number, thread->owner.name,
	        READ_ONCE(thread->mm->rss) * KB_OF_PAGE);
	thread_set_flags(thread, THREAD_OOM_REAPED);
}

bool oom_reap_one(void)
{
	struct victim victim = victim_of(0);
	uint64_t now = clock_microseconds();
	uint64_t due = victim.since + OOM_REAPER_DELAY;

	if (!victim.found)
		return false;
	if (due > now)
		thread_sleep(due - now);
	for (unsigned int tries = 1;; tries++) {
		struct verdict verdict = { .number = victim.number };

		if (!victim_of(victim.number).found)
			return true;
		verdict.reaped = oom_reap(victim.number);
		if (verdict.reaped || tries == OOM_REAPER_TRIES) {
			oom_visit(oom_give_up, &verdict);
			return true;
		}
		thread_sleep(OOM_REAPER_PAUSE);
	}
}

void oom_reaper_run(void *unused __unused)
{
	for (;;) {
		wait_event(&oom_reaper_queue, any_victim, NULL);
		oom_reap_one();
	}
}

void oom_pardon(struct thread *thread)
{
	thread_clear_flags(thread, THREAD_KILLED | THREAD_OOM_VICTIM |
	                                   THREAD_OOM_REAPED |
	                                   THREAD_INTERRUPTED);
}

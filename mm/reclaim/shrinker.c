/* SPDX-License-Identifier: MIT */
/*
 * mm/reclaim/shrinker.c -- memory that is not on the lru and can be freed.
 *
 * How many objects of a shrinker are looked at, with 10000 objects, seeks 2:
 *
 *	priority   12      8      4      0
 *	delta       4     78   1250  20000     (objects >> priority) * 4 / seeks
 *	plus a share of the deferred      deferred >> priority
 *	at most                  20000         2 * objects
 *
 * They are asked for in batches of 128, and for less only if that is all there
 * is.  Objects not asked for (or refused, by a shrinker that may not enter a
 * file system now) are deferred: counted, and asked for when it may.  At most
 * twice the number of objects is deferred.
 *
 * Locking: reclaim.lock for the list.  It is not held while a shrinker works;
 * the shrinker's users count keeps it on the list meanwhile.
 *
 * Source: Linux mm/shrinker.c, do_shrink_slab().
 */
#include "mm/reclaim/shrinker.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "mm/reclaim/reclaim.h"
#include "mm/task.h"

/* ---- The list ------------------------------------------------------------ */

void register_shrinker(struct shrinker *shrinker)
{
	struct reclaim_state *reclaim = &main_node()->reclaim;
	bool enabled = spin_lock_irqsave(&reclaim->lock);

	kassert(shrinker->count_objects != NULL &&
	        shrinker->scan_objects != NULL);
	shrinker->nr_deferred = 0;
	shrinker->users = 0;
	list_append(&reclaim->shrinkers, &shrinker->link);
	spin_unlock_irqrestore(&reclaim->lock, enabled);
}

/* A condition: nobody uses it, and it is off the list. */
static bool take_off_list(void *data)
{
	struct shrinker *shrinker = data;
	struct reclaim_state *reclaim = &main_node()->reclaim;
	bool enabled = spin_lock_irqsave(&reclaim->lock);
	bool idle = shrinker->users == 0;

	if (idle)
		list_remove(&shrinker->link);
	spin_unlock_irqrestore(&reclaim->lock, enabled);
	return idle;
}

void unregister_shrinker(struct shrinker *shrinker)
{
	kassert(list_is_linked(&shrinker->link));
	wait_event_checked(&main_node()->reclaim.unregister, take_off_list,
	                   shrinker, FOREVER, might_sleep());
}

/*
 * The shrinker behind LAST (NULL: the first), which the caller uses from now on
 * and LAST no more.  NULL: there is none.
 */
static struct shrinker *next_shrinker(struct reclaim_state *reclaim,
                                      struct shrinker *last)
{
	bool enabled = spin_lock_irqsave(&reclaim->lock);
	struct list *at = last == NULL ? &reclaim->shrinkers : &last->link;
	struct shrinker *next = NULL;
	bool idle = false;

	if (at->next != &reclaim->shrinkers) {
		next = container_of(at->next, struct shrinker, link);
		next->users++;
	}
	if (last != NULL) {
		kassert(last->users > 0);
		idle = --last->users == 0;
	}
	spin_unlock_irqrestore(&reclaim->lock, enabled);
	if (idle)
		wake_up(&reclaim->unregister);
	return next;
}

/* ---- The arithmetic ------------------------------------------------------ */

/* Objects to look at for OBJECTS that there are. */
static unsigned long share(unsigned long objects, int priority, int seeks)
{
	kassert(priority >= 0 && priority <= DEF_PRIORITY && seeks >= 0);
	if (seeks == 0)
		return objects / 2;
	return (objects >> priority) * 4 / (unsigned long)seeks;
}

static void shrinker_defer(struct shrinker *shrinker, unsigned long more)
{
	__atomic_fetch_add(&shrinker->nr_deferred, more, __ATOMIC_RELAXED);
}

/* Ask for at most TOTAL of OBJECTS objects, in batches; *SCANNED is how many
 * were looked at.  Returns how many were freed. */
static unsigned long scan(struct node *node, struct shrinker *shrinker,
                          gfp_t mask, unsigned long total,
                          unsigned long objects, unsigned long *scanned)
{
	long batch = shrinker->batch != 0 ? shrinker->batch : SHRINK_BATCH;
	unsigned long freed = 0;

	kassert(batch > 0);
	*scanned = 0;
	while (total >= (unsigned long)batch || total >= objects) {
		unsigned long nr = min((unsigned long)batch, total);
		unsigned long answer =
			shrinker->scan_objects(shrinker, mask, nr);

		if (answer == SHRINK_STOP)
			break;
		freed += answer;
		total -= nr;
		*scanned += nr;
		vmstat_add(&node->stat, VMSTAT_slabs_scanned, nr);
	}
	return freed;
}

static unsigned long shrink_one(struct node *node, struct shrinker *shrinker,
                                gfp_t mask, int priority)
{
	unsigned long objects = shrinker->count_objects(shrinker, mask);
	unsigned long deferred;
	unsigned long delta;
	unsigned long total;
	unsigned long wanted;
	unsigned long scanned;
	unsigned long freed;

	if (objects == 0 || objects == SHRINK_EMPTY)
		return 0;
	deferred = __atomic_exchange_n(&shrinker->nr_deferred, 0,
	                               __ATOMIC_RELAXED);
	delta = share(objects, priority, shrinker->seeks);
	total = min((deferred >> priority) + delta, 2 * objects);
	freed = scan(node, shrinker, mask, total, objects, &scanned);
	kassert(scanned <= total);
	wanted = deferred + delta;
	kassert(scanned <= wanted);
	shrinker_defer(shrinker, min(wanted - scanned, 2 * objects));
	return freed;
}

unsigned long shrink_slab(struct node *node, gfp_t mask, int priority)
{
	struct reclaim_state *reclaim = &node->reclaim;
	struct shrinker *shrinker = next_shrinker(reclaim, NULL);
	unsigned long freed = 0;

	for (; shrinker != NULL; shrinker = next_shrinker(reclaim, shrinker))
		freed += shrink_one(node, shrinker, mask, priority);
	return freed;
}

void mm_account_reclaimed_pages(unsigned long pages)
{
	current_thread()->mm->reclaimed += pages;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_memory.c -- the memory that the shell holds for its user.
 *
 *	alloc	blocks, on a list through page->link, which belongs to the holder
 *		of a block in use
 *	anon	objects of anonymous memory, by their numbers
 *
 * Both count as memory of the shell's thread, so the OOM killer can choose it.
 * The shell does not end then: it gives back all of this (the reaper may be
 * faster with the blocks), says so, and starts over.
 *
 * Locking: held_lock for the blocks, because the reaper takes them from another
 * thread.  The objects belong to the shell's thread, and to the worker that
 * restarts it (kernel/shell/shell_keeper.c).
 */
#include "kernel/core/console.h"
#include "kernel/core/lock.h"
#include "kernel/core/sched.h"
#include "kernel/shell/shell_command.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/oom.h"
#include "mm/task.h"
#include "mm/user/anon.h"

static struct list held = LIST_INIT(held);
static struct spinlock held_lock = SPINLOCK_INIT("shell's blocks");
static struct thread *holder; /* the shell's; not joined while it holds any */
static uint64_t holder_id;

/* ---- Blocks -------------------------------------------------------------- */

void shell_hold(struct page *page)
{
	holder = current_thread();
	holder_id = thread_owner_id(holder);
	__atomic_fetch_add(&holder->mm->rss, 1UL << page->order,
	                   __ATOMIC_RELAXED);
	spin_lock(&held_lock);
	list_append(&held, &page->link);
	spin_unlock(&held_lock);
}

struct page *shell_let_go(struct page *page)
{
	struct page *found = NULL;
	struct list *at;

	spin_lock(&held_lock);
	list_for_each(at, &held) {
		found = container_of(at, struct page, link);
		if (page == NULL || found == page)
			break;
		found = NULL;
	}
	if (found != NULL)
		list_remove(&found->link);
	spin_unlock(&held_lock);
	if (found != NULL)
		__atomic_fetch_sub(&holder->mm->rss, 1UL << found->order,
		                   __ATOMIC_RELAXED);
	return found;
}

unsigned long shell_free_blocks(void)
{
	unsigned long blocks = 0;
	struct page *page;

	while ((page = shell_let_go(NULL)) != NULL) {
		__free_pages(page, page->order);
		blocks++;
	}
	return blocks;
}

static bool shell_reap(uint64_t owner)
{
	if (owner == READ_ONCE(holder_id))
		shell_free_blocks();
	return true;
}

static struct oom_reaper shell_reaper = {
	.reap = shell_reap,
	.link = LIST_INIT(shell_reaper.link),
};

/* ---- Objects ------------------------------------------------------------- */

static struct shell_object objects[SHELL_OBJECTS];

struct shell_object *shell_object(unsigned int id)
{
	return &objects[id - 1];
}

static unsigned int shell_drop_objects(void)
{
	unsigned int dropped = 0;

	for (unsigned int i = 0; i < SHELL_OBJECTS; i++) {
		if (objects[i].memory == NULL)
			continue;
		anon_object_destroy(objects[i].memory);
		objects[i].memory = NULL;
		dropped++;
	}
	return dropped;
}

/* ---- Both ---------------------------------------------------------------- */

void shell_give_back(unsigned long *blocks, unsigned int *dropped)
{
	*blocks = shell_free_blocks();
	*dropped = shell_drop_objects();
}

bool shell_was_killed(void)
{
	struct thread *self = current_thread();
	unsigned long blocks;
	unsigned int dropped;

	oom_register_reaper(&shell_reaper);
	/* KILLED first: thread_interrupt() sets it last. */
	if (!thread_has_flags(self, THREAD_KILLED) || shell_interrupted())
		return false;
	shell_give_back(&blocks, &dropped);
	oom_pardon(self);
	console_printf("Killed for its memory:\nthe shell frees all that "
	               "it held (%lu blocks, %u objects) and starts again\n",
	               blocks, dropped);
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_keeper.c -- a shell that does not die in silence.
 *
 *	first thread, or the last shell
 *	   |  thread_exit(): thread->at_end is queued
 *	   v
 *	worker	waits until the thread has left its stack,
 *		gives back what the shell held,
 *		says why it ended,
 *		joins it (the first thread was not created, and is not joined),
 *		makes a new thread, which becomes the shell
 *
 * A thread that is ended holds no lock (kernel/core/fault.c), so what the shell
 * keeps in memory is whole: the list of its blocks, its objects, the history of its
 * lines.  Its exclusive pages have been parked by owner_end().
 *
 * A shell that ends before it has read a line would be restarted forever: that is
 * the end also.
 *
 * One shell at a time: what is here belongs to the shell while it lives, and then
 * to the worker.
 */
#include "kernel/shell/shell_keeper.h"

#include "kernel/core/console.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/work.h"
#include "kernel/shell/shell.h"
#include "kernel/shell/shell_command.h"
#include "kernel/thread.h"
#include "mm/task.h"
#include "mm/user/anon.h"

static struct {
	struct work work;
	struct thread *thread; /* the shell's */
	bool created;          /* it is joined; not the first thread */
	unsigned long lines;   /* had been read when it began */
	short oom_score_adj;
} keeper;

static __noreturn void shell_keeper_begin(bool created)
{
	struct thread *self = current_thread();

	keeper.thread = self;
	keeper.created = created;
	keeper.lines = shell_lines();
	self->at_end = &keeper.work;
	shell_run();
}

static void shell_keeper_thread(void *unused __unused)
{
	current_thread()->mm->oom_score_adj = keeper.oom_score_adj;
	shell_keeper_begin(true);
}

static const char *shell_keeper_why(enum thread_end end)
{
	switch (end) {
	case THREAD_END_INTRUDED:
		return "was ended: it touched an exclusive page that it does "
		       "not own";
	case THREAD_END_RETURNED:
		return "has ended by itself";
	case THREAD_END_NONE:
		break;
	}
	return "is gone";
}

/* The shell's thread has ended, or is about to.  In the worker. */
static void shell_keeper_revive(struct work *work __unused)
{
	struct thread *ended = keeper.thread;
	const char *why;
	unsigned long blocks;
	unsigned int objects;

	wait_event(&thread_ended, thread_has_ended, ended);
	/* It was in the middle of a command. */
	console_leave(ended);
	why = shell_keeper_why(ended->end);
	if (shell_lines() == keeper.lines)
		panic("the shell %s, before it had read a line", why);
	keeper.oom_score_adj = ended->mm->oom_score_adj;
	shell_give_back(&blocks, &objects);
	anon_disown(ended);
	if (keeper.created)
		thread_join(ended);
	log_flush();
	console_printf("\nThe shell %s.\n%lu blocks and %u objects are given "
	               "back, and it is started again.\n",
	               why, blocks, objects);
	if (thread_create("shell", shell_keeper_thread, NULL) == NULL)
		panic("the shell %s, and cannot be started again", why);
}

void shell_keep(void)
{
	work_init(&keeper.work, shell_keeper_revive);
	shell_keeper_begin(false);
}

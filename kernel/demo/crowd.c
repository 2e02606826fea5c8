/* SPDX-License-Identifier: MIT */
/*
 * kernel/demo/crowd.c -- as many threads as memory allows.
 *
 * A thread takes an object, a stack of four pages, a page table for its window and an
 * exclusive page: 1,000 of them are 25 MiB.  There is no other
 * limit.  A request that gets no memory ends the crowd: the threads that exist go on to
 * their end, and all that they had goes back.
 *
 * Each member has its own completions.  So nobody is woken for another one, and no
 * wake-up takes longer because there are many threads.
 *
 * Locking: none.  A member belongs to its thread between the two completions.
 */
#include "kernel/demo/crowd.h"

#include "kernel/core/semaphore.h"
#include "kernel/thread.h"
#include "lib/errno.h"
#include "mm/exclusive/exclusive.h"
#include "mm/page_alloc.h"
#include "mm/slab/kvmalloc.h"

#define PAGE_WORDS (PAGE_SIZE / sizeof(uint64_t))

/* Nobody is killed for a page: the crowd ends. */
#define CROWD_GFP  (GFP_KERNEL | __GFP_RETRY_MAYFAIL)

struct crowd_member {
	struct thread *thread;
	struct completion ready;
	struct completion may_end;
	uint64_t *page; /* exclusive; NULL: it got none */
	bool intact;
};

static uint64_t *crowd_take_page(void)
{
	struct page *page = alloc_page(CROWD_GFP | __GFP_EXCLUSIVE);

	return page == NULL ? NULL : exclusive_address(page);
}

static bool crowd_page_is_intact(const uint64_t *page, uint64_t number)
{
	unsigned int index;

	if (window_of_address((uintptr_t)page, &index) !=
	    current_owner()->window.id)
		return false;
	for (unsigned int i = 0; i < PAGE_WORDS; i++) {
		if (page[i] != number + i)
			return false;
	}
	return true;
}

static void crowd_thread(void *data)
{
	struct crowd_member *self = data;
	uint64_t number = current_owner_id();

	self->page = crowd_take_page();
	for (unsigned int i = 0; self->page != NULL && i < PAGE_WORDS; i++)
		self->page[i] = number + i;
	complete(&self->ready);
	wait_for_completion(&self->may_end);
	if (self->page == NULL)
		return;
	self->intact = crowd_page_is_intact(self->page, number);
	if (exclusive_release(self->page) != 0)
		self->intact = false;
}

/* One more member: 0 or -ENOMEM.  A thread without a page is a member. */
static int crowd_add(struct crowd_member *member, struct crowd_report *report)
{
	*member = (struct crowd_member){ .page = NULL };
	init_completion(&member->ready);
	init_completion(&member->may_end);
	member->thread = thread_create("crowd", crowd_thread, member);
	if (member->thread == NULL)
		return -ENOMEM;
	report->threads++;
	wait_for_completion(&member->ready);
	if (member->page == NULL)
		return -ENOMEM;
	report->pages++;
	return 0;
}

static void crowd_gather(struct crowd_member *crowd, unsigned int count,
                         bool (*stop)(void), struct crowd_report *report)
{
	for (unsigned int i = 0; i < count && report->error == 0; i++) {
		if (stop != NULL && stop())
			report->error = -EINTR;
		else
			report->error = crowd_add(&crowd[i], report);
	}
}

static void crowd_end(struct crowd_member *crowd, struct crowd_report *report)
{
	for (unsigned int i = 0; i < report->threads; i++) {
		complete(&crowd[i].may_end);
		thread_join(crowd[i].thread);
		if (crowd[i].intact)
			report->intact++;
	}
}

void crowd_run(unsigned int count, const struct crowd_look *look,
               bool (*stop)(void), struct crowd_report *report)
{
	struct crowd_member *crowd =
		kvmalloc(count * sizeof(*crowd), CROWD_GFP);

	*report = (struct crowd_report){ .error = 0 };
	if (crowd == NULL) {
		report->error = -ENOMEM;
		return;
	}
	crowd_gather(crowd, count, stop, report);
	for (unsigned int i = 0; look != NULL && i < report->threads; i++)
		look->each(crowd[i].thread, crowd[i].page, look->data);
	crowd_end(crowd, report);
	kvfree(crowd);
}

/* SPDX-License-Identifier: MIT */
#include "tests/mm/space.h"

#include "kernel/core/panic.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/page_lock.h"

static struct space *space_of(const struct page *page)
{
	return page->mapping->host;
}

/* PAGE, locked, out of the index; its bits as they were at first. */
static void space_detach(struct space *space, struct page *page)
{
	space->page[page->index] = NULL;
	space->mapping.nrpages--;
	clear_page_dirty_for_io(page);
	page_clear(page, PG_swapcache);
	page->mapping = NULL;
}

/* ---- What reclaim asks --------------------------------------------------- */

static bool space_release(struct page *page)
{
	struct space *space = space_of(page);
	bool enabled = spin_lock_irqsave(&space->lock);
	bool leaves = !space->busy && !page_has(page, PG_dirty) &&
	              page_ref_count(page) == RECLAIM_REFERENCES;

	kassert(page_has(page, PG_locked) && !page_has(page, PG_writeback));
	space->flags = current_thread()->flags;
	if (leaves) {
		space_detach(space, page);
		space->releases++;
	} else {
		space->refused++;
	}
	spin_unlock_irqrestore(&space->lock, enabled);
	if (leaves)
		put_page(page);
	return leaves;
}

static int space_migrate(struct page *from, struct page *to)
{
	struct space *space = space_of(from);
	unsigned long index = from->index;
	bool enabled = spin_lock_irqsave(&space->lock);
	bool moves = !space->busy && page_ref_count(from) == RECLAIM_REFERENCES;

	kassert(space->page[index] == from);
	if (moves) {
		migrate_replace(main_node(), from, to);
		if (page_test_and_clear(from, PG_swapcache))
			page_set(to, PG_swapcache);
		space->page[index] = to;
	}
	spin_unlock_irqrestore(&space->lock, enabled);
	if (moves)
		put_page(from);
	return moves ? 0 : -EAGAIN;
}

static int space_writepage(struct page *page)
{
	struct space *space = space_of(page);

	kassert(page_has(page, PG_locked) && !page_has(page, PG_dirty));
	space->writes++;
	if (space->begin_write != NULL)
		space->begin_write();
	if (space->write_error != 0) {
		set_page_dirty(page);
		unlock_page(page);
		return space->write_error;
	}
	set_page_writeback(page);
	unlock_page(page);
	if (!space->writes_last)
		end_page_writeback(page);
	return 0;
}

static int space_add_to_swap(struct page *page)
{
	struct space *space = space_of(page);

	kassert(page_has(page, PG_locked) && !page_has(page, PG_swapcache));
	if (space->slots == 0)
		return -ENOSPC;
	space->slots--;
	space->swaps++;
	page_set(page, PG_swapcache);
	set_page_dirty(page);
	return 0;
}

static bool space_referenced(struct page *page)
{
	bool *used = &space_of(page)->used[page->index];
	bool was = *used;

	*used = false;
	return was;
}

static const struct address_space_ops plain_ops = {
	.name = "plain",
	.writepage = space_writepage,
	.release = space_release,
	.migrate = space_migrate,
	.referenced = space_referenced,
};
static const struct address_space_ops file_ops = {
	.name = "file",
	.needs_fs = true,
	.release_needs_fs = true,
	.needs_io = true,
	.writepage = space_writepage,
	.release = space_release,
	.migrate = space_migrate,
	.referenced = space_referenced,
};
static const struct address_space_ops anon_ops = {
	.name = "anon",
	.needs_io = true,
	.writepage = space_writepage,
	.add_to_swap = space_add_to_swap,
	.release = space_release,
	.migrate = space_migrate,
	.referenced = space_referenced,
};

/* ---- What tests call ----------------------------------------------------- */

void space_init(struct space *space, enum space_kind kind)
{
	static const struct address_space_ops *const ops[] = {
		[SPACE_PLAIN] = &plain_ops,
		[SPACE_FILE] = &file_ops,
		[SPACE_ANON] = &anon_ops,
	};

	memset(space, 0, sizeof(*space));
	space->lock.name = "test space";
	space->mapping.ops = ops[kind];
	space->mapping.host = space;
}

/* The first index without a page, or SPACE_PAGES. */
static unsigned long free_index(const struct space *space)
{
	unsigned long index = 0;

	while (index < SPACE_PAGES && space->page[index] != NULL)
		index++;
	return index;
}

static struct page *add_at(struct space *space, gfp_t mask, unsigned long index)
{
	struct page *page = alloc_page(mask);
	bool enabled;

	if (page == NULL)
		return NULL;
	lock_page(page);
	page->mapping = &space->mapping;
	page->index = index;
	if (space->mapping.ops == &anon_ops)
		page_set(page, PG_swapbacked);
	enabled = spin_lock_irqsave(&space->lock);
	space->page[index] = page;
	space->mapping.nrpages++;
	spin_unlock_irqrestore(&space->lock, enabled);
	lru_add(main_node(), page);
	unlock_page(page);
	return page;
}

struct page *space_add(struct space *space, gfp_t mask)
{
	unsigned long index = free_index(space);

	return index < SPACE_PAGES ? add_at(space, mask, index) : NULL;
}

unsigned long space_fill(struct space *space, gfp_t mask, unsigned long count)
{
	unsigned long added = 0;

	for (unsigned long index = 0; index < SPACE_PAGES && added < count;
	     index++) {
		if (READ_ONCE(space->page[index]) != NULL)
			continue;
		if (add_at(space, mask, index) == NULL)
			break;
		added++;
	}
	return added;
}

/* Page INDEX with a reference, or NULL. */
static struct page *space_find(struct space *space, unsigned long index)
{
	bool enabled = spin_lock_irqsave(&space->lock);
	struct page *page = space->page[index];

	if (page != NULL)
		get_page(page);
	spin_unlock_irqrestore(&space->lock, enabled);
	return page;
}

void space_truncate(struct space *space, unsigned long index)
{
	struct page *page = space_find(space, index);
	bool mine = false;
	bool enabled;

	if (page == NULL)
		return;
	lock_page(page);
	wait_on_page_writeback(page);
	enabled = spin_lock_irqsave(&space->lock);
	if (page->mapping == &space->mapping) {
		space_detach(space, page);
		mine = true;
	}
	spin_unlock_irqrestore(&space->lock, enabled);
	unlock_page(page);
	if (mine) {
		lru_remove(main_node(), page);
		put_page(page);
	}
	put_page(page);
}

void space_clear(struct space *space)
{
	for (unsigned long index = 0; index < SPACE_PAGES; index++)
		space_truncate(space, index);
}

unsigned long space_end_writes(struct space *space, unsigned long count)
{
	unsigned long ended = 0;

	for (unsigned long i = 0; i < SPACE_PAGES && ended < count; i++) {
		struct page *page = space->page[i];

		if (page == NULL || !page_has(page, PG_writeback))
			continue;
		end_page_writeback(page);
		ended++;
	}
	return ended;
}

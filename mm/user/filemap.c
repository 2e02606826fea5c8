// SPDX-License-Identifier: MIT
/*
 * mm/user/filemap.c -- the page cache: pages come, are found, and leave.
 *
 * Invariants, checked by filemap_check():
 *
 *  C1  page->mapping is the map and page->index the number of every page in the
 *      index, and of no other.
 *  C2  The index has one reference to each page in it.
 *  C3  A node of the tree (filemap_tree.h) without a page below it exists only while
 *      a page is being added (map->adding).
 *  C4  nrpages is the number of pages in the index.
 *
 * A page leaves in one of two ways.  Its owner cuts it off (filemap_remove()), for
 * which it waits until nothing is being written; or reclaim asks for it
 * (filemap_release()), and gets it if it is clean and nobody else has a
 * reference, which is decided under the lock that find_get_page() takes a
 * reference under.
 *
 * Locking: a page's lock, then map->lock, then what put_page() takes.
 */
#include "kernel/arch/copy.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/migrate.h"
#include "mm/reclaim/page_lock.h"
#include "mm/user/filemap_internal.h"

void filemap_init(struct filemap *map, const struct address_space_ops *ops,
                  void *host)
{
	*map = (struct filemap){
		.space = { .ops = ops, .host = host },
		.lock = SPINLOCK_INIT("filemap"),
	};
}

struct filemap *filemap_of(const struct page *page)
{
	kassert(page->mapping != NULL);
	return container_of(page->mapping, struct filemap, space);
}

/* ---- Finding and adding -------------------------------------------------- */

/* Empty entries that are passed over in one piece, with interrupts off. */
#define FIND_SLICE 16

/* A node may have 511 empty entries, so others get at the map between slices of them. */
struct page *filemap_find_from(struct filemap *map, unsigned long *index)
{
	bool enabled = spin_lock_irqsave(&map->lock);
	struct page *page = NULL;
	unsigned int steps = 0;

	while (map->tree.root != NULL &&
	       filemap_tree_reaches(&map->tree, *index)) {
		page = filemap_tree_look(&map->tree, 0, index);
		if (page != NULL)
			break;
		if (++steps % FIND_SLICE == 0) {
			spin_unlock_irqrestore(&map->lock, enabled);
			enabled = spin_lock_irqsave(&map->lock);
		}
	}
	if (page != NULL)
		get_page(page);
	spin_unlock_irqrestore(&map->lock, enabled);
	if (page != NULL)
		held_take(HELD_PIN, page, RETURN_ADDRESS());
	return page;
}

struct page *find_get_page(struct filemap *map, unsigned long index)
{
	bool enabled = spin_lock_irqsave(&map->lock);
	struct page *page = NULL;

	if (filemap_tree_reaches(&map->tree, index))
		page = filemap_tree_look(&map->tree, 0, &index);
	if (page != NULL)
		get_page(page);
	spin_unlock_irqrestore(&map->lock, enabled);
	if (page != NULL)
		held_take(HELD_PIN, page, RETURN_ADDRESS());
	return page;
}

enum add_result {
	ADDED,
	EXISTS,
	NEEDS_NODE
};

static enum add_result try_add(struct filemap *map, unsigned long index,
                               struct page *page, struct page **spare)
{
	bool enabled = spin_lock_irqsave(&map->lock);
	void **entry = filemap_tree_make(&map->tree, index, spare);
	enum add_result result = NEEDS_NODE;

	if (entry != NULL && *entry == NULL) {
		kassert(page_has(page, PG_locked) && page->state == PAGE_USED);
		*entry = page;
		get_page(page);
		page->mapping = &map->space;
		page->index = index;
		map->space.nrpages++;
		map->changes++;
		result = ADDED;
	} else if (entry != NULL) {
		result = EXISTS;
	}
	spin_unlock_irqrestore(&map->lock, enabled);
	return result;
}

/* C3 */
static void filemap_prune(struct filemap *map, unsigned long index)
{
	bool enabled = spin_lock_irqsave(&map->lock);
	void *nodes = filemap_tree_prune(&map->tree, index);

	spin_unlock_irqrestore(&map->lock, enabled);
	filemap_tree_free(nodes);
}

/* With nodes as they are needed; what was made for nothing goes again. */
static enum add_result add_with_nodes(struct filemap *map, unsigned long index,
                                      struct page *page, gfp_t gfp)
{
	struct page *spare = NULL;
	enum add_result result = try_add(map, index, page, &spare);

	while (result == NEEDS_NODE) {
		spare = filemap_tree_spare(gfp);
		if (spare == NULL) {
			filemap_prune(map, index);
			break;
		}
		result = try_add(map, index, page, &spare);
	}
	if (spare != NULL)
		put_page(spare);
	return result;
}

/* 0, -EEXIST, -ENOMEM. */
static int add(struct filemap *map, unsigned long index, struct page *page,
               gfp_t gfp)
{
	enum add_result result;

	__atomic_fetch_add(&map->adding, 1, __ATOMIC_RELAXED);
	result = add_with_nodes(map, index, page, gfp);
	kassert(__atomic_load_n(&map->adding, __ATOMIC_RELAXED) > 0);
	__atomic_fetch_sub(&map->adding, 1, __ATOMIC_RELAXED);
	if (result == NEEDS_NODE)
		return -ENOMEM;
	return result == ADDED ? 0 : -EEXIST;
}

bool filemap_lock_found(struct filemap *map, struct page *page)
{
	kassert(page_ref_count(page) > 0);
	lock_page(page);
	if (page->mapping == &map->space)
		return true;
	unlock_page(page);
	put_page(page);
	return false;
}

static int add_new(struct filemap *map, unsigned long index, gfp_t gfp,
                   struct page **page)
{
	struct page *new = alloc_page(gfp);
	int error;

	if (new == NULL)
		return -ENOMEM;
	lock_page(new);
	error = add(map, index, new, gfp);
	if (error != 0) {
		unlock_page(new);
		put_page(new);
		return error;
	}
	lru_add(main_node(), new);
	held_take(HELD_PIN, new, RETURN_ADDRESS());
	*page = new;
	return 0;
}

int filemap_grab(struct filemap *map, unsigned long index, gfp_t gfp,
                 struct page **page)
{
	/* While an error is still possible: later *page goes with a pin and a lock. */
	int error = clear_caller(page, sizeof(void *));

	if (error != 0)
		return error;
	do {
		*page = find_get_page(map, index);
		if (*page == NULL)
			error = add_new(map, index, gfp, page);
		else
			error = filemap_lock_found(map, *page) ? 0 : -EEXIST;
	} while (error == -EEXIST);
	if (error != 0)
		*page = NULL;
	return error;
}

int read_cache_page(struct filemap *map, unsigned long index,
                    int (*fill)(struct page *page), gfp_t gfp,
                    struct page **page)
{
	int error = filemap_grab(map, index, gfp, page);

	if (error != 0)
		return error;
	if (!page_has(*page, PG_uptodate))
		error = fill(*page);
	if (error == 0)
		page_set(*page, PG_uptodate);
	else
		filemap_remove(*page);
	unlock_page(*page);
	if (error == 0)
		return 0;
	put_page(*page);
	*page = NULL;
	return error;
}

/* ---- Taking out ---------------------------------------------------------- */

/* Out of the index; the reference of the index is the caller's to drop, and the nodes
 * are its to free, without the lock. */
__must_check static void *take_out(struct filemap *map, struct page *page)
{
	void *nodes;

	kassert(spin_is_mine(&map->lock) && page->mapping == &map->space);
	kassert(page_has(page, PG_locked));
	kassert(map->space.nrpages > 0);
	nodes = filemap_tree_remove(&map->tree, page->index);
	map->space.nrpages--;
	map->changes++;
	page->mapping = NULL;
	page->index = 0;
	return nodes;
}

void filemap_remove(struct page *page)
{
	struct filemap *map = filemap_of(page);
	bool enabled;
	void *nodes;

	kassert(page_has(page, PG_locked));
	wait_on_page_writeback(page);
	clear_page_dirty_for_io(page);
	lru_remove(main_node(), page);
	enabled = spin_lock_irqsave(&map->lock);
	nodes = take_out(map, page);
	spin_unlock_irqrestore(&map->lock, enabled);
	filemap_tree_free(nodes);
	put_kept_page(page);
}

void filemap_cut(struct filemap *map, unsigned long first)
{
	struct page *page;

	for (unsigned long i = first;
	     (page = filemap_find_from(map, &i)) != NULL; i++) {
		if (!filemap_lock_found(map, page))
			continue;
		filemap_remove(page);
		unlock_page(page);
		put_page(page);
	}
}

bool filemap_release(struct page *page)
{
	struct filemap *map = filemap_of(page);
	bool enabled = spin_lock_irqsave(&map->lock);
	bool free = page_ref_count(page) == RECLAIM_REFERENCES &&
	            !page_has(page, PG_dirty) && !page_has(page, PG_writeback);

	void *nodes = NULL;

	if (free)
		nodes = take_out(map, page);
	spin_unlock_irqrestore(&map->lock, enabled);
	filemap_tree_free(nodes);
	if (free)
		put_kept_page(page);
	return free;
}

int filemap_migrate(struct page *from, struct page *to)
{
	struct filemap *map = filemap_of(from);
	bool enabled = spin_lock_irqsave(&map->lock);
	bool moves = page_ref_count(from) == RECLAIM_REFERENCES;

	kassert(page_has(from, PG_locked) && !page_has(from, PG_writeback));
	if (moves) {
		struct page *spare = NULL;
		void **entry =
			filemap_tree_make(&map->tree, from->index, &spare);

		/* Its nodes exist, so nothing is made. */
		kassert(entry != NULL && *entry == from);
		migrate_replace(main_node(), from, to);
		*entry = to;
		map->changes++;
	}
	spin_unlock_irqrestore(&map->lock, enabled);
	if (moves)
		put_kept_page(from);
	return moves ? 0 : -EAGAIN;
}

/* PAGE, with the caller's reference: take it out unless it is in use. */
static void forget_one(struct filemap *map, struct page *page)
{
	if (!trylock_page(page))
		return;
	if (page->mapping == &map->space && filemap_release(page))
		lru_remove(main_node(), page);
	unlock_page(page);
}

bool filemap_forget(struct filemap *map)
{
	struct page *page;

	for (unsigned long i = 0; (page = filemap_find_from(map, &i)) != NULL;
	     i++) {
		forget_one(map, page);
		put_page(page);
	}
	return READ_ONCE(map->space.nrpages) == 0;
}

// SPDX-License-Identifier: MIT
/*
 * mm/user/filemap.c -- the page cache: from numbers to pages.
 *
 * The index is a tree like a page table.  A node is a page of 512 slots; with
 * HEIGHT levels of nodes the numbers 0 .. 512^HEIGHT - 1 can be found, nine bits
 * of the number at each level:
 *
 *	height 0	root -> page 0
 *	height 1	root -> [512 slots] -> pages 0..511
 *	height 2	root -> [512 slots] -> [512 slots] -> pages 0..262143
 *
 * So a file of up to 4 KiB needs no node, one of 2 MiB a single one.  A node knows
 * how many of its slots are in use (node_used()); when that is none, it goes.
 *
 * Invariants, checked by filemap_check():
 *
 *  C1  page->mapping is the map and page->index the number of every page in the
 *      index, and of no other.
 *  C2  The index has one reference to each page in it.
 *  C3  A node without a page below it exists only while a page is being added
 *      (map->adding).
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
#include "mm/user/filemap.h"

#include "kernel/arch/copy.h"
#include "kernel/core/clock.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/page_alloc.h"
#include "mm/reclaim/lru.h"
#include "mm/reclaim/page_lock.h"

#define SLOT_BITS  9
#define SLOTS      (1UL << SLOT_BITS)
#define MAX_HEIGHT 7 /* 7 * 9 bits and more than there are blocks */

void filemap_init(struct filemap *map, const struct address_space_ops *ops,
                  void *host)
{
	*map = (struct filemap){
		.space = { .ops = ops, .host = host },
		.lock = SPINLOCK_INIT("filemap"),
	};
}

static struct filemap *map_of(const struct page *page)
{
	kassert(page->mapping != NULL);
	return container_of(page->mapping, struct filemap, space);
}

/* ---- The tree ------------------------------------------------------------ */

/* The slots of a node in use: its page is not in a cache, and its index is
 * free to count them. */
static unsigned long *node_used(void *node)
{
	return &virt_to_page(node)->index;
}

/* Which of a node's slots leads to INDEX, LEVEL levels above the pages. */
static void **slot_in(void *node, unsigned int level, unsigned long index)
{
	kassert(level > 0 && level <= MAX_HEIGHT);
	return (void **)node + (index >> SLOT_BITS * (level - 1)) % SLOTS;
}

static bool is_within(const struct filemap *map, unsigned long index)
{
	kassert(map->height <= MAX_HEIGHT);
	return map->height >= MAX_HEIGHT ||
	       index >> SLOT_BITS * map->height == 0;
}

static void *take_node(struct page **spare)
{
	void *node = *spare == NULL ? NULL : page_address(*spare);

	*spare = NULL;
	return node;
}

static void free_node(void *node)
{
	kassert(*node_used(node) == 0);
	*node_used(node) = 0;
	free_page((uintptr_t)node);
}

/* Raise the tree until it reaches INDEX.  False: it needs a node. */
static bool raise(struct filemap *map, unsigned long index, struct page **spare)
{
	kassert(spin_is_mine(&map->lock));
	while (!is_within(map, index)) {
		if (map->root != NULL) {
			void **node = take_node(spare);

			if (node == NULL)
				return false;
			node[0] = map->root;
			*node_used(node) = 1;
			map->root = node;
		}
		kassert(map->height < MAX_HEIGHT);
		map->height++;
	}
	return true;
}

/* The slot for INDEX, with all nodes above it; NULL: one more is needed. */
static void **make_slot(struct filemap *map, unsigned long index,
                        struct page **spare)
{
	void **slot = &map->root;
	void *above = NULL;

	if (!raise(map, index, spare))
		return NULL;
	for (unsigned int level = map->height; level > 0; level--) {
		if (*slot == NULL) {
			*slot = take_node(spare);
			if (*slot == NULL)
				return NULL;
			if (above != NULL)
				++*node_used(above);
		}
		above = *slot;
		slot = slot_in(above, level, index);
	}
	if (*slot == NULL && above != NULL)
		++*node_used(above);
	return slot;
}

/* C3: free the nodes on the way to INDEX that lead nowhere. */
static void prune(struct filemap *map, unsigned long index)
{
	void **slot[MAX_HEIGHT + 1] = { &map->root };
	unsigned int depth = 0;

	for (unsigned int level = map->height; level > 0; level--) {
		void *node = *slot[depth];

		if (node == NULL)
			break;
		slot[++depth] = slot_in(node, level, index);
	}
	kassert(spin_is_mine(&map->lock));
	while (depth > 0 && *node_used(*slot[depth - 1]) == 0) {
		depth--;
		free_node(*slot[depth]);
		*slot[depth] = NULL;
		if (depth > 0)
			--*node_used(*slot[depth - 1]);
	}
	if (map->root == NULL)
		map->height = 0;
}

static void remove_slot(struct filemap *map, unsigned long index)
{
	void **slot = &map->root;
	void *above = NULL;

	for (unsigned int level = map->height; level > 0; level--) {
		above = *slot;
		slot = slot_in(above, level, index);
	}
	kassert(*slot != NULL && map->space.nrpages > 0);
	kassert(above == NULL || *node_used(above) > 0);
	*slot = NULL;
	if (above != NULL)
		--*node_used(above);
	prune(map, index);
	map->space.nrpages--;
	map->changes++;
}

/* The node LEVEL levels above the pages (0: a page) for *INDEX, or NULL: then
 * *INDEX is the next for which there may be one, or 0. */
static void *look_at(const struct filemap *map, unsigned int level,
                     unsigned long *index)
{
	void *node = map->root;
	unsigned int at = map->height;

	while (node != NULL && at > level) {
		node = *slot_in(node, at, *index);
		at--;
	}
	if (node == NULL)
		*index = (*index | ((1UL << SLOT_BITS * at) - 1)) + 1;
	return node;
}

/* ---- Finding and adding -------------------------------------------------- */

/* Empty slots that are passed over in one piece, with interrupts off. */
#define FIND_SLICE 16

/* The first page from *INDEX on, which is its number then; NULL: none.  A node may
 * have 511 empty slots, so others get at the map between slices of them. */
static struct page *find_get_from(struct filemap *map, unsigned long *index)
{
	bool enabled = spin_lock_irqsave(&map->lock);
	struct page *page = NULL;
	unsigned int steps = 0;

	while (map->root != NULL && is_within(map, *index)) {
		page = look_at(map, 0, index);
		if (page != NULL || *index == 0)
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
	void *node = is_within(map, index) ? map->root : NULL;
	struct page *page;

	for (unsigned int level = map->height; node != NULL && level > 0;
	     level--)
		node = *slot_in(node, level, index);
	page = node;
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
	void **slot = make_slot(map, index, spare);
	enum add_result result = NEEDS_NODE;

	if (slot != NULL && *slot == NULL) {
		kassert(page_has(page, PG_locked) && page->state == PAGE_USED);
		*slot = page;
		get_page(page);
		page->mapping = &map->space;
		page->index = index;
		map->space.nrpages++;
		map->changes++;
		result = ADDED;
	} else if (slot != NULL) {
		result = EXISTS;
	}
	spin_unlock_irqrestore(&map->lock, enabled);
	return result;
}

static void prune_locked(struct filemap *map, unsigned long index)
{
	bool enabled = spin_lock_irqsave(&map->lock);

	prune(map, index);
	spin_unlock_irqrestore(&map->lock, enabled);
}

/* With nodes as they are needed; what was made for nothing goes again. */
static enum add_result add_with_nodes(struct filemap *map, unsigned long index,
                                      struct page *page, gfp_t gfp)
{
	struct page *spare = NULL;
	enum add_result result = try_add(map, index, page, &spare);

	while (result == NEEDS_NODE) {
		spare = alloc_page(gfp | __GFP_ZERO);
		if (spare == NULL) {
			prune_locked(map, index);
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

/* A page that was in MAP when it was found, locked: is it still? */
static bool lock_found(struct filemap *map, struct page *page)
{
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
	int error = clear_caller(page, sizeof(*page));

	if (error != 0)
		return error;
	do {
		*page = find_get_page(map, index);
		if (*page == NULL)
			error = add_new(map, index, gfp, page);
		else
			error = lock_found(map, *page) ? 0 : -EEXIST;
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

/* ---- Writing ------------------------------------------------------------- */

/* Dirty from now on, if it was not before. */
static void note_dirty(struct filemap *map)
{
	uint64_t clean = 0;

	__atomic_compare_exchange_n(&map->dirtied, &clean,
	                            max(clock_microseconds(), 1ULL), false,
	                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void filemap_dirty(struct page *page)
{
	if (page->mapping == NULL)
		return;
	set_page_dirty(page);
	note_dirty(map_of(page));
}

void filemap_write_failed(struct page *page, int error)
{
	struct filemap *map = map_of(page);

	page_set(page, PG_error);
	set_page_dirty(page);
	note_dirty(map);
	__atomic_store_n(&map->error, error, __ATOMIC_RELAXED);
}

/* PAGE is locked and not under writeback: it goes to the disk if it is dirty.
 * Unlocked afterwards.  True: it was. */
static bool write_locked(struct filemap *map, struct page *page)
{
	int error;

	kassert(page_has(page, PG_locked) && !page_has(page, PG_writeback));
	if (!clear_page_dirty_for_io(page)) {
		unlock_page(page);
		return false;
	}
	page_clear(page, PG_error);
	error = map->space.ops->writepage(page);
	if (error != 0)
		__atomic_store_n(&map->error, error, __ATOMIC_RELAXED);
	return true;
}

/* Has PAGE something to write, or is somebody about to write it?  Reclaim takes
 * the dirty bit away before PG_writeback is set, and has it locked meanwhile: so
 * the lock is looked at last. */
static bool may_need_write(const struct page *page)
{
	return page_has(page, PG_dirty) || page_has(page, PG_locked);
}

/* PAGE, found in MAP, goes to the disk if it is dirty. */
static void write_one(struct filemap *map, struct page *page)
{
	if (!may_need_write(page)) {
		put_page(page);
		return;
	}
	if (!lock_found(map, page))
		return;
	wait_on_page_writeback(page);
	write_locked(map, page);
	put_page(page);
}

/* A dirty page that is not clean afterwards comes later. */
enum flush_result {
	CLEAN,
	BEGUN,
	LATER,
};

static enum flush_result flush_one(struct filemap *map, struct page *page)
{
	if (!page_has(page, PG_dirty))
		return CLEAN;
	if (!trylock_page(page))
		return LATER;
	if (page->mapping != &map->space || page_has(page, PG_writeback)) {
		unlock_page(page);
		return LATER;
	}
	return write_locked(map, page) ? BEGUN : CLEAN;
}

unsigned long filemap_flush(struct filemap *map, uint64_t before)
{
	uint64_t dirtied = __atomic_load_n(&map->dirtied, __ATOMIC_SEQ_CST);
	unsigned long begun = 0;
	bool later = false;
	struct page *page;

	if (dirtied == 0 || dirtied > before)
		return 0;
	/* Before the scan: a thread that dirties a page behind it sets this. */
	__atomic_store_n(&map->dirtied, 0, __ATOMIC_SEQ_CST);
	for (unsigned long i = 0; (page = find_get_from(map, &i)) != NULL;
	     i++) {
		enum flush_result result = flush_one(map, page);

		begun += result == BEGUN;
		later |= result == LATER;
		put_page(page);
	}
	if (later)
		__atomic_store_n(&map->dirtied, dirtied, __ATOMIC_SEQ_CST);
	return begun;
}

int filemap_writeback(struct filemap *map)
{
	struct page *page;

	__atomic_store_n(&map->dirtied, 0, __ATOMIC_SEQ_CST);
	for (unsigned long i = 0; (page = find_get_from(map, &i)) != NULL; i++)
		write_one(map, page);
	for (unsigned long i = 0; (page = find_get_from(map, &i)) != NULL;
	     i++) {
		wait_on_page_writeback(page);
		put_page(page);
	}
	return __atomic_exchange_n(&map->error, 0, __ATOMIC_RELAXED);
}

/* ---- Taking out ---------------------------------------------------------- */

/* Out of the index; the reference of the index is the caller's to drop. */
static void take_out(struct filemap *map, struct page *page)
{
	kassert(spin_is_mine(&map->lock) && page->mapping == &map->space);
	kassert(page_has(page, PG_locked));
	remove_slot(map, page->index);
	page->mapping = NULL;
	page->index = 0;
}

void filemap_remove(struct page *page)
{
	struct filemap *map = map_of(page);
	bool enabled;

	kassert(page_has(page, PG_locked));
	wait_on_page_writeback(page);
	clear_page_dirty_for_io(page);
	lru_remove(main_node(), page);
	enabled = spin_lock_irqsave(&map->lock);
	take_out(map, page);
	spin_unlock_irqrestore(&map->lock, enabled);
	put_kept_page(page);
}

void filemap_cut(struct filemap *map, unsigned long first)
{
	struct page *page;

	for (unsigned long i = first; (page = find_get_from(map, &i)) != NULL;
	     i++) {
		if (!lock_found(map, page))
			continue;
		filemap_remove(page);
		unlock_page(page);
		put_page(page);
	}
}

bool filemap_release(struct page *page)
{
	struct filemap *map = map_of(page);
	bool enabled = spin_lock_irqsave(&map->lock);
	bool free = page_ref_count(page) == RECLAIM_REFERENCES &&
	            !page_has(page, PG_dirty) && !page_has(page, PG_writeback);

	if (free)
		take_out(map, page);
	spin_unlock_irqrestore(&map->lock, enabled);
	if (free)
		put_kept_page(page);
	return free;
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

	for (unsigned long i = 0; (page = find_get_from(map, &i)) != NULL;
	     i++) {
		forget_one(map, page);
		put_page(page);
	}
	return READ_ONCE(map->space.nrpages) == 0;
}

/* ---- Checking ------------------------------------------------------------ */

static bool page_belongs(const struct filemap *map, const struct page *page,
                         unsigned long index)
{
	return page->mapping == &map->space && page->index == index &&
	       page->state == PAGE_USED && page_ref_count(page) >= 1;
}

struct filemap_walk {
	struct filemap *map;
	unsigned long changes;
	bool enabled;
	bool moved; /* pages came or went: do not count, begin again */
	char *buffer;
	size_t size;
};

/* Let others at the map. */
static void filemap_pause(struct filemap_walk *walk)
{
	struct filemap *map = walk->map;

	spin_unlock_irqrestore(&map->lock, walk->enabled);
	walk->enabled = spin_lock_irqsave(&map->lock);
	walk->moved = walk->moved || map->changes != walk->changes;
}

/* C1, C2, C4 */
static const char *check_pages(struct filemap_walk *walk)
{
	struct filemap *map = walk->map;
	unsigned long pages = 0;
	unsigned long steps = 0;
	unsigned long i = 0;

	while (map->root != NULL && is_within(map, i)) {
		const struct page *page = look_at(map, 0, &i);

		if (page != NULL && !page_belongs(map, page, i)) {
			scnprintf(walk->buffer, walk->size,
			          "%s: page %lu of the index is not its own",
			          map->space.ops->name, i);
			return walk->buffer;
		}
		pages += page != NULL;
		i += page != NULL;
		if (i == 0)
			break;
		if (++steps % CHECK_SLICE == 0)
			filemap_pause(walk);
	}
	if (walk->moved || pages == map->space.nrpages)
		return NULL;
	scnprintf(walk->buffer, walk->size, "%s: %lu pages, %lu are counted",
	          map->space.ops->name, pages, map->space.nrpages);
	return walk->buffer;
}

/* C3, one node at a time. */
static const char *check_nodes(struct filemap_walk *walk, unsigned int level)
{
	struct filemap *map = walk->map;
	unsigned long i = 0;

	while (level <= map->height && map->root != NULL && is_within(map, i)) {
		void **node = look_at(map, level, &i);
		unsigned long used = 0;

		for (unsigned long slot = 0; node != NULL && slot < SLOTS;
		     slot++)
			used += node[slot] != NULL;
		if (node != NULL && (used != *node_used(node) ||
		                     (used == 0 && map->adding == 0))) {
			scnprintf(walk->buffer, walk->size,
			          "%s: node of %lu has %lu of %lu slots in use",
			          map->space.ops->name, i, used,
			          *node_used(node));
			return walk->buffer;
		}
		if (node != NULL)
			i = (i | ((1UL << SLOT_BITS * level) - 1)) + 1;
		if (i == 0)
			break;
		filemap_pause(walk);
	}
	return NULL;
}

static const char *filemap_check_once(struct filemap_walk *walk)
{
	const char *broken;

	walk->moved = false;
	walk->changes = walk->map->changes;
	broken = check_pages(walk);
	for (unsigned int level = 1;
	     level <= walk->map->height && broken == NULL; level++)
		broken = check_nodes(walk, level);
	return broken;
}

const char *filemap_check(struct filemap *map, char *buffer, size_t size)
{
	struct filemap_walk walk = { .map = map, .moved = true, .size = size };
	const char *broken = check_buffer(buffer, size);

	if (broken != NULL)
		return broken;
	walk.buffer = buffer;
	walk.enabled = spin_lock_irqsave(&map->lock);
	for (unsigned int i = 0;
	     i < CHECK_WALKS && walk.moved && broken == NULL; i++)
		broken = filemap_check_once(&walk);
	spin_unlock_irqrestore(&map->lock, walk.enabled);
	return broken;
}

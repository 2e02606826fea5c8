// SPDX-License-Identifier: MIT
/*
 * mm/user/filemap_check.c -- C1 to C4 (filemap.c).
 *
 * Others use the map meanwhile: the lock is given back after each slice.
 */
#include "kernel/core/lock.h"
#include "lib/format.h"
#include "mm/debug/check.h"
#include "mm/page_alloc.h"
#include "mm/user/filemap_internal.h"

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

	while (map->tree.root != NULL && filemap_tree_reaches(&map->tree, i)) {
		const struct page *page = filemap_tree_look(&map->tree, 0, &i);

		if (page != NULL && !page_belongs(map, page, i)) {
			scnprintf(walk->buffer, walk->size,
			          "%s: page %lu of the index is not its own",
			          map->space.ops->name, i);
			return walk->buffer;
		}
		pages += page != NULL;
		i += page != NULL;
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

	while (level <= map->tree.height && map->tree.root != NULL &&
	       filemap_tree_reaches(&map->tree, i)) {
		void **node = filemap_tree_look(&map->tree, level, &i);
		unsigned long used = 0;

		for (unsigned long entry = 0;
		     node != NULL && entry < FILEMAP_TREE_ENTRIES; entry++)
			used += node[entry] != NULL;
		if (node != NULL && (used != *filemap_tree_used(node) ||
		                     (used == 0 && map->adding == 0))) {
			scnprintf(
				walk->buffer, walk->size,
				"%s: node of %lu has %lu of %lu entries in use",
				map->space.ops->name, i, used,
				*filemap_tree_used(node));
			return walk->buffer;
		}
		if (node != NULL)
			i = filemap_tree_behind(i, level);
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
	     level <= walk->map->tree.height && broken == NULL; level++)
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

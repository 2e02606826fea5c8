/* SPDX-License-Identifier: MIT */
/*
 * kernel/block/bio.c -- where bios come from.
 *
 * They are objects of a cache, behind a mempool: as many as there is memory for, and
 * BIO_RESERVE for the day when there is none.  A disk does one thing at a time, so a
 * few of them keep it busy; a caller that wants another one waits until a request ends.
 * So writing memory out never depends on memory.
 *
 * The locks are those of the pool and the cache.
 */
#include "kernel/block/block.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/slab/mempool.h"
#include "mm/slab/slab.h"

static struct {
	struct kmem_cache *cache;
	mempool_t *pool;
} bios;

void bio_init(void)
{
	bios.cache = kmem_cache_create("bio", sizeof(struct bio), 0, SLAB_PANIC,
	                               NULL);
	bios.pool = mempool_create_slab_pool(BIO_RESERVE, bios.cache);
	if (bios.pool == NULL)
		panic("no memory for %u bios", BIO_RESERVE);
}

void bio_exit(void)
{
	mempool_destroy(bios.pool);
	kmem_cache_destroy(bios.cache);
	bios.pool = NULL;
}

struct bio *bio_alloc(gfp_t gfp)
{
	struct bio *bio = mempool_alloc(bios.pool, gfp);

	if (bio == NULL)
		return NULL;
	memset(bio, 0, sizeof(*bio));
	list_init(&bio->link);
	held_take(HELD_BIO, bio, RETURN_ADDRESS());
	return bio;
}

void bio_put(struct bio *bio)
{
	held_drop(HELD_BIO, bio);
	mempool_free(bio, bios.pool);
}

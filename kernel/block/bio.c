/* SPDX-License-Identifier: MIT */
/*
 * kernel/block/bio.c -- where bios come from.
 *
 * One page of them, made at boot, in a mempool.  That is all there are: a disk
 * does one thing at a time, so with BIO_COUNT under way another one would make
 * nothing faster, and who wants it waits until a request ends.  So writing memory
 * out never depends on memory.
 *
 * The pool's locks are all there is to lock.
 */
#include "kernel/block/block.h"
#include "kernel/core/held.h"
#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/slab/mempool.h"

static_assert(BIO_COUNT <= PAGE_SIZE / sizeof(struct bio), "one page");

static struct {
	struct bio *bio;     /* the page */
	unsigned int in_use; /* from its beginning: the pool's */
	mempool_t *pool;
} bios;

/* The pool's allocator: the next bio of the page, while it is filled; later
 * nothing, whatever the mask. */
static void *next_bio(gfp_t gfp __unused, void *data __unused)
{
	if (bios.in_use == BIO_COUNT)
		return NULL;
	return &bios.bio[bios.in_use++];
}

/* They stay where they are until the page goes. */
static void leave_bio(void *bio __unused, void *data __unused)
{
}

void bio_init(void)
{
	bios.bio = (struct bio *)get_zeroed_page(GFP_KERNEL);
	bios.in_use = 0;
	if (bios.bio != NULL)
		bios.pool =
			mempool_create(BIO_COUNT, next_bio, leave_bio, NULL);
	if (bios.pool == NULL)
		panic("no memory for %u bios", BIO_COUNT);
}

void bio_exit(void)
{
	mempool_destroy(bios.pool);
	free_page((uintptr_t)bios.bio);
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

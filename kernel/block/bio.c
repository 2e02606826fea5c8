/* SPDX-License-Identifier: MIT */
/*
 * kernel/block/bio.c -- where bios come from.
 *
 * A page holds BIOS_PER_PAGE bios, and at its beginning what is known about
 * them.  Pages with a free bio are on a list; a page whose bios are all free
 * goes back to the allocator.  In front of that there is a mempool, so
 * that BIO_POOL_MIN bios exist when the allocator has nothing.
 *
 * Locking: bio_pages.lock, taken in interrupts (bio_put() in an end_io()).
 */
#include "kernel/block/block.h"
#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/mempool.h"
#include "mm/page_alloc.h"

struct bio_page {
	struct list link; /* on bio_pages.list while one is free */
	struct list free; /* its free bios */
	unsigned int used;
};

#define BIOS_AT       ALIGN_UP(sizeof(struct bio_page), sizeof(uint64_t))
#define BIOS_PER_PAGE ((PAGE_SIZE - BIOS_AT) / sizeof(struct bio))

static_assert(BIOS_PER_PAGE > BIO_POOL_MIN, "the reserve fits on one page");

static struct {
	struct spinlock lock;
	struct list list;
} bio_pages = { SPINLOCK_INIT("bio pages"), LIST_INIT(bio_pages.list) };

static mempool_t *bio_pool;

static struct bio_page *page_of(struct bio *bio)
{
	return (struct bio_page *)ALIGN_DOWN((uintptr_t)bio, PAGE_SIZE);
}

/* A bio of a page that has one, or NULL.  Lock held. */
static struct bio *take(void)
{
	struct bio_page *page =
		list_first(&bio_pages.list, struct bio_page, link);
	struct bio *bio;

	if (page == NULL)
		return NULL;
	bio = list_first(&page->free, struct bio, link);
	list_remove(&bio->link);
	page->used++;
	if (list_empty(&page->free))
		list_remove(&page->link);
	return bio;
}

/* Returns the page if all of it is free now.  Lock held. */
static struct bio_page *give(struct bio *bio)
{
	struct bio_page *page = page_of(bio);

	if (list_empty(&page->free))
		list_push(&bio_pages.list, &page->link);
	list_push(&page->free, &bio->link);
	page->used--;
	if (page->used > 0)
		return NULL;
	list_remove(&page->link);
	return page;
}

static void cut(struct bio_page *page)
{
	struct bio *bio = (struct bio *)((uintptr_t)page + BIOS_AT);

	list_init(&page->link);
	list_init(&page->free);
	page->used = 0;
	for (unsigned int i = 0; i < BIOS_PER_PAGE; i++)
		list_append(&page->free, &bio[i].link);
}

static struct bio *take_locked(struct bio_page *fresh)
{
	bool enabled = spin_lock_irqsave(&bio_pages.lock);
	struct bio *bio;

	if (fresh != NULL)
		list_push(&bio_pages.list, &fresh->link);
	bio = take();
	spin_unlock_irqrestore(&bio_pages.lock, enabled);
	return bio;
}

static void *make_bio(gfp_t gfp, void *data __unused)
{
	struct bio *bio = take_locked(NULL);
	struct bio_page *fresh;

	if (bio != NULL)
		return bio;
	fresh = (struct bio_page *)__get_free_pages(gfp, 0);
	if (fresh == NULL)
		return NULL;
	cut(fresh);
	return take_locked(fresh);
}

static void free_bio(void *bio, void *data __unused)
{
	bool enabled = spin_lock_irqsave(&bio_pages.lock);
	struct bio_page *empty = give(bio);

	spin_unlock_irqrestore(&bio_pages.lock, enabled);
	if (empty != NULL)
		free_page((uintptr_t)empty);
}

void bio_init(void)
{
	bio_pool = mempool_create(BIO_POOL_MIN, make_bio, free_bio, NULL);
	if (bio_pool == NULL)
		panic("no memory for %u bios", BIO_POOL_MIN);
}

void bio_exit(void)
{
	mempool_destroy(bio_pool);
	bio_pool = NULL;
}

struct bio *bio_alloc(gfp_t gfp)
{
	struct bio *bio = mempool_alloc(bio_pool, gfp);

	if (bio == NULL)
		return NULL;
	memset(bio, 0, sizeof(*bio));
	list_init(&bio->link);
	return bio;
}

void bio_put(struct bio *bio)
{
	mempool_free(bio, bio_pool);
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/mempool.c -- asking, in the order that keeps a machine going.
 *
 *	1  the allocator, without DIRECT_RECLAIM and IO: cheap, never waits
 *	2  the reserve
 *	3  the allocator, with all of the caller's mask
 *	4  the reserve
 *	5  may not sleep: NULL.  May: wait for mempool_free(), then from 3
 *
 * Waiting ends because the elements in use are requests under way, and those
 * end by themselves.  A caller that holds elements and asks for another one
 * breaks this promise: with all elements in the hands of such callers,
 * all wait forever.  A freed element serves the pool first, so the
 * reserve is full again before the allocator sees anything.
 *
 * NOMEMALLOC keeps the allocator's last reserve for others: this pool is the
 * caller's reserve.  The 5 seconds are Linux's, too: the allocator may have
 * memory again while no element comes back.
 *
 * An element in the reserve that can be written to without being noticed is a
 * bug that shows up much later, so pages and objects are poisoned there: 0x6b, and
 * 0xa5 at the end.
 *
 * The same element given back twice would be handed out twice.  So one that is in
 * the reserve is refused, also if both are given back at the same time.  A block of
 * pages says itself that it lies in a reserve (PG_mempool), so every pool refuses it,
 * and so does the front door.  A block that is free or of another order is refused,
 * too, and so is an address that is not an object in use of the pool's cache or size.
 * (What the pool gave to FREE and somebody else has got since then cannot be told from
 * its own.)
 *
 * Invariants: no element is in the reserve twice; 0 <= count <= minimum;
 * element[0..count-1] are the reserve; count is minimum whenever all elements are
 * back.
 *
 * Locking: pool->lock for the reserve.  The callbacks are called without it.
 *
 * Source: the behaviour of Linux 6.12, mm/mempool.c.
 */
#include "mm/slab/mempool.h"

#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "lib/string.h"
#include "mm/page_alloc.h"
#include "mm/page_bits.h"
#include "mm/page_internal.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/slab.h"

#define POLL_MICROSECONDS 5000000ULL

#define POISON            0x6b
#define POISON_END        0xa5

/* Field locks: (p) lock, (c) constant, (a) atomic. */
struct mempool {
	struct spinlock lock;
	unsigned int minimum;   /* (c) */
	unsigned int count;     /* (p) in the reserve */
	unsigned int waiters;   /* (a) */
	mempool_alloc_t *alloc; /* (c) */
	mempool_free_t *free;   /* (c) */
	void *data;             /* (c) */
	struct wait_queue queue;
	void *element[MEMPOOL_MAX]; /* (p) */
};

static_assert(sizeof(struct mempool) <= PAGE_SIZE, "a pool is one page");

/* ---- Pages as elements --------------------------------------------------- */

static unsigned int order_of(const void *data)
{
	kassert((uintptr_t)data <= MAX_ORDER);
	return (unsigned int)(uintptr_t)data;
}

static void *alloc_element_pages(gfp_t gfp, void *data)
{
	return alloc_pages(gfp, order_of(data));
}

static void free_element_pages(void *element, void *data)
{
	__free_pages(element, order_of(data));
}

static bool mempool_has_pages(const mempool_t *pool)
{
	return pool->alloc == alloc_element_pages;
}

/* ---- Objects as elements ------------------------------------------------- */

void *mempool_alloc_slab(gfp_t gfp, void *data)
{
	return kmem_cache_alloc(data, gfp);
}

void mempool_free_slab(void *element, void *data)
{
	kmem_cache_free(data, element);
}

void *mempool_kmalloc(gfp_t gfp, void *data)
{
	return kmalloc((size_t)(uintptr_t)data, gfp);
}

void mempool_kfree(void *element, void *data __unused)
{
	kfree(element);
}

/* The size of elements that are objects, or 0. */
static size_t mempool_object_size(const mempool_t *pool)
{
	if (pool->alloc == mempool_alloc_slab)
		return kmem_cache_size(pool->data);
	return pool->alloc == mempool_kmalloc ? (uintptr_t)pool->data : 0;
}

/* ---- Poison -------------------------------------------------------------- */

/* Bytes of an element that can be poisoned: its last, or 0 for none. */
static size_t poison_size(const mempool_t *pool)
{
	return mempool_has_pages(pool) ? PAGE_SIZE << order_of(pool->data)
	                               : mempool_object_size(pool);
}

static uint8_t *mempool_bytes(const mempool_t *pool, void *element)
{
	return mempool_has_pages(pool) ? page_address(element) : element;
}

static void poison(const mempool_t *pool, void *element)
{
	size_t size = poison_size(pool);
	uint8_t *bytes;

	if (size == 0)
		return;
	bytes = mempool_bytes(pool, element);
	memset(bytes, POISON, size - 1);
	bytes[size - 1] = POISON_END;
}

static void check_poison(const mempool_t *pool, void *element)
{
	size_t size = poison_size(pool);
	const uint8_t *bytes = size == 0 ? NULL : mempool_bytes(pool, element);

	for (size_t i = 0; i < size; i++) {
		uint8_t expected = i == size - 1 ? POISON_END : POISON;

		if (bytes[i] == expected)
			continue;
		pr_err("BUG: mempool: %p was written to in the reserve: "
		       "0x%02x instead of 0x%02x at offset %lu\n",
		       bytes, bytes[i], expected, (unsigned long)i);
		backtrace_print_from(0);
		return;
	}
}

/* ---- The reserve --------------------------------------------------------- */

/* The fate of a freed element. */
enum mempool_push {
	MEMPOOL_PUSHED,
	MEMPOOL_FULL,
	MEMPOOL_TWICE, /* it is in the reserve, or on its way there */
};

/* pool->lock held. */
static bool mempool_holds(const mempool_t *pool, const void *element)
{
	for (unsigned int i = 0; i < pool->count; i++) {
		if (pool->element[i] == element)
			return true;
	}
	return false;
}

/*
 * The thread that pops the element may end the pool, so it is woken under the lock:
 * with its release nothing touches the pool any more.  Before, a page is checked
 * for being in the reserve.
 */
static enum mempool_push mempool_insert(mempool_t *pool, void *element)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	enum mempool_push result = MEMPOOL_FULL;

	kassert(element != NULL && pool->count <= pool->minimum);
	kassert(!mempool_has_pages(pool) || page_has(element, PG_mempool));
	if (!mempool_has_pages(pool) && mempool_holds(pool, element)) {
		result = MEMPOOL_TWICE;
	} else if (pool->count < pool->minimum) {
		result = MEMPOOL_PUSHED;
		pool->element[pool->count++] = element;
		wake_up(&pool->queue);
	}
	spin_unlock_irqrestore(&pool->lock, enabled);
	return result;
}

/* The same for pages.  A block of order 10 is 4 MiB of poison: interrupts stay on
 * meanwhile, and the bit keeps others from giving the block a second time. */
static enum mempool_push mempool_insert_pages(mempool_t *pool,
                                              struct page *page)
{
	enum mempool_push result = MEMPOOL_FULL;

	if (page_test_and_set(page, PG_mempool))
		return MEMPOOL_TWICE;
	if (READ_ONCE(pool->count) < pool->minimum) {
		poison(pool, page);
		result = mempool_insert(pool, page);
	}
	if (result != MEMPOOL_PUSHED)
		page_clear(page, PG_mempool);
	return result;
}

/* The same for objects.  One that is in the reserve is poison already. */
static enum mempool_push mempool_insert_object(mempool_t *pool, void *element)
{
	if (READ_ONCE(pool->count) < pool->minimum)
		poison(pool, element);
	return mempool_insert(pool, element);
}

static enum mempool_push push(mempool_t *pool, void *element)
{
	return mempool_has_pages(pool) ? mempool_insert_pages(pool, element)
	                               : mempool_insert_object(pool, element);
}

/* NULL: it is empty. */
static void *pop(mempool_t *pool)
{
	bool enabled = spin_lock_irqsave(&pool->lock);
	void *element = NULL;

	kassert(pool->count <= pool->minimum);
	if (pool->count > 0)
		element = pool->element[--pool->count];
	spin_unlock_irqrestore(&pool->lock, enabled);
	if (element == NULL)
		return NULL;
	check_poison(pool, element);
	if (mempool_has_pages(pool)) {
		kassert(page_has(element, PG_mempool));
		page_clear(element, PG_mempool);
	}
	return element;
}

/* ---- Making and ending a pool -------------------------------------------- */

mempool_t *mempool_create(unsigned int min, mempool_alloc_t *alloc,
                          mempool_free_t *free, void *data)
{
	mempool_t *pool;

	if (min == 0 || min > MEMPOOL_MAX)
		return NULL;
	pool = (mempool_t *)get_zeroed_page(GFP_KERNEL);
	if (pool == NULL)
		return NULL;
	pool->lock = (struct spinlock)SPINLOCK_INIT("mempool");
	wait_queue_init(&pool->queue, "mempool");
	pool->minimum = min;
	pool->alloc = alloc;
	pool->free = free;
	pool->data = data;
	while (pool->count < min) {
		void *element = alloc(GFP_KERNEL, data);
		enum mempool_push result;

		if (element == NULL) {
			mempool_destroy(pool);
			return NULL;
		}
		result = push(pool, element);
		kassert(result == MEMPOOL_PUSHED);
	}
	return pool;
}

mempool_t *mempool_create_page_pool(unsigned int min, unsigned int order)
{
	return mempool_create(min, alloc_element_pages, free_element_pages,
	                      (void *)(uintptr_t)order);
}

mempool_t *mempool_create_slab_pool(unsigned int min, struct kmem_cache *cache)
{
	/* The reserve would overwrite what the constructor wrote. */
	kassert(!kmem_cache_is_constructed(cache));
	return mempool_create(min, mempool_alloc_slab, mempool_free_slab,
	                      cache);
}

mempool_t *mempool_create_kmalloc_pool(unsigned int min, size_t size)
{
	if (size == 0)
		return NULL;
	return mempool_create(min, mempool_kmalloc, mempool_kfree,
	                      (void *)size);
}

void mempool_destroy(mempool_t *pool)
{
	void *element;

	kassert(mempool_waiters(pool) == 0);
	while ((element = pop(pool)) != NULL)
		pool->free(element, pool->data);
	free_page((uintptr_t)pool);
}

/* ---- Taking -------------------------------------------------------------- */

static void report_misuse(const char *what, gfp_t gfp, uintptr_t caller)
{
	static struct ratelimit limit = { .interval = 10000000, .burst = 5 };
	char place[PLACE_SIZE];
	char names[96];

	if (!ratelimit_pass(&limit))
		return;
	pr_err("BUG: mempool_alloc(%s) by %s at %s: %s\n",
	       gfp_format(names, sizeof(names), gfp), context_name(),
	       caller_format(place, sizeof(place), caller), what);
	backtrace_print_from(caller);
}

/* The final mask for ALLOC: flags that are not allowed are reported and
 * cleared. */
static gfp_t allowed_mask(gfp_t gfp, uintptr_t caller)
{
	gfp_t mask = gfp_for_mempool(gfp);

	if ((mask | gfp) != mask)
		report_misuse("elements of a reserve are not zeroed", gfp,
		              caller);
	if (gfpflags_allow_blocking(mask) && !may_sleep_here()) {
		report_misuse("cannot wait here", gfp, caller);
		mask &= ~(gfp_t)__GFP_DIRECT_RECLAIM;
	}
	return mask;
}

static void *mempool_ask(mempool_t *pool, gfp_t mask)
{
	void *element = pool->alloc(mask, pool->data);

	return element != NULL ? element : pop(pool);
}

static bool has_element(void *data)
{
	return READ_ONCE(((mempool_t *)data)->count) > 0;
}

static void mempool_wait_for_element(mempool_t *pool)
{
	__atomic_fetch_add(&pool->waiters, 1, __ATOMIC_RELAXED);
	/* With or without an element, the allocator is tried again. */
	(void)wait_event_timeout(&pool->queue, has_element, pool,
	                         POLL_MICROSECONDS);
	kassert(mempool_waiters(pool) > 0);
	__atomic_fetch_sub(&pool->waiters, 1, __ATOMIC_RELAXED);
}

void *mempool_alloc(mempool_t *pool, gfp_t gfp)
{
	gfp_t mask;
	gfp_t first;
	void *element;

	if (in_nmi())
		return NULL;
	mask = allowed_mask(gfp, RETURN_ADDRESS());
	first = mask & ~(gfp_t)(__GFP_DIRECT_RECLAIM | __GFP_IO);
	element = mempool_ask(pool, first);
	if (element == NULL && first != mask)
		element = mempool_ask(pool, mask);
	while (element == NULL && gfpflags_allow_blocking(mask)) {
		mempool_wait_for_element(pool);
		element = mempool_ask(pool, mask);
	}
	return element;
}

void *mempool_alloc_preallocated(mempool_t *pool)
{
	return pop(pool);
}

/* ---- Giving back --------------------------------------------------------- */

/* A block of pages that somebody has, of the size that the pool gives. */
static bool mempool_is_taken_block(const mempool_t *pool,
                                   const struct page *page)
{
	return page_is_of(main_node(), page) &&
	       READ_ONCE(page->state) == PAGE_USED &&
	       page->order == order_of(pool->data) && page_ref_count(page) > 0;
}

/* NULL, or why ELEMENT cannot be the pool's. */
static const char *mempool_refusal(const mempool_t *pool, const void *element)
{
	if (mempool_has_pages(pool) && !mempool_is_taken_block(pool, element))
		return "it is not a block of the pool";
	if (pool->alloc == mempool_alloc_slab &&
	    !kmem_cache_has(pool->data, element))
		return "it is not an object of the pool's cache";
	if (pool->alloc == mempool_kmalloc &&
	    !kmalloc_has(element, mempool_object_size(pool)))
		return "it is not memory of the pool's size";
	return NULL;
}

static void mempool_report_free(const void *element, const char *why,
                                uintptr_t caller)
{
	char place[PLACE_SIZE];

	caller_format(place, sizeof(place), caller);
	pr_err("BUG: mempool_free(%p) by %s at %s refused: %s\n", element,
	       context_name(), place, why);
	backtrace_print_from(caller);
}

void mempool_free(void *element, mempool_t *pool)
{
	const uintptr_t caller = RETURN_ADDRESS();
	const char *why;

	if (element == NULL)
		return;
	why = mempool_refusal(pool, element);
	if (why != NULL) {
		mempool_report_free(element, why, caller);
		return;
	}
	switch (push(pool, element)) {
	case MEMPOOL_PUSHED:
		break;
	case MEMPOOL_FULL:
		pool->free(element, pool->data);
		break;
	case MEMPOOL_TWICE:
		mempool_report_free(element, "it is in the reserve already",
		                    caller);
		break;
	}
}

unsigned int mempool_reserve(const mempool_t *pool)
{
	return READ_ONCE(pool->count);
}

unsigned int mempool_waiters(const mempool_t *pool)
{
	return __atomic_load_n(&pool->waiters, __ATOMIC_RELAXED);
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kmalloc.c -- memory of any size, out of slabs or pages.
 *
 *	size -> class, mask -> kind -> cache -> object
 *	more than 8192 bytes         -> a compound block; its head has PG_slab and
 *	                                no cache
 *
 * kfree() gets an address alone: the page says which of the two it is.
 *
 * Locking: that of the slab allocator.  This is also its front door: the functions with
 * Linux's signatures ask for main_node() here and nowhere else.
 */
#include "mm/slab/kmalloc.h"

#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab/kfence_internal.h"
#include "mm/slab/slab_gfp.h"
#include "mm/slab/slab_internal.h"

static const uint16_t kmalloc_size[KMALLOC_CLASSES] = {
	8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192,
};

/* The class of sizes up to 192, in steps of 8. */
static const uint8_t kmalloc_small[24] = {
	0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6,
};

/* Class 7 is 2^8. */
#define KMALLOC_CLASS_256 7U

size_t kmalloc_class_size(unsigned int index)
{
	kassert(index < KMALLOC_CLASSES);
	return kmalloc_size[index];
}

unsigned int kmalloc_class(size_t size)
{
	kassert(size - 1 < KMALLOC_MAX_CACHE_SIZE);
	if (size <= 192)
		return kmalloc_small[(size - 1) / 8];
	return (63U - (unsigned int)__builtin_clzl(size - 1)) +
	       KMALLOC_CLASS_256 - 7;
}

/* ---- The caches ---------------------------------------------------------- */

static struct kmem_cache *
kmalloc_make(struct node *node, enum kmalloc_kind kind, unsigned int index)
{
	static const char *const prefix[KMALLOC_KINDS] = {
		[KMALLOC_NORMAL] = "kmalloc",
		[KMALLOC_RCL] = "kmalloc-rcl",
		[KMALLOC_DMA] = "dma-kmalloc",
	};
	static const uint32_t flags[KMALLOC_KINDS] = {
		[KMALLOC_RCL] = SLAB_RECLAIM_ACCOUNT,
		[KMALLOC_DMA] = SLAB_CACHE_DMA,
	};
	size_t size = kmalloc_class_size(index);
	char name[SLAB_NAME_SIZE];
	const struct slab_wish wish = {
		.name = name,
		.size = size,
		.align = min(size & -size, PAGE_SIZE),
		.flags = flags[kind],
	};

	scnprintf(name, sizeof(name), size < KIB ? "%s-%lu" : "%s-%luk",
	          prefix[kind], size < KIB ? size : size / KIB);
	return slab_create(node, &wish, RETURN_ADDRESS());
}

void kmalloc_stop(struct node *node)
{
	for (unsigned int i = 0; i < KMALLOC_KINDS * KMALLOC_CLASSES; i++) {
		struct kmem_cache **cache = &node->slab.kmalloc[0][0] + i;

		kmem_cache_destroy(*cache);
		*cache = NULL;
	}
}

bool kmalloc_start(struct node *node)
{
	for (unsigned int kind = 0; kind < KMALLOC_KINDS; kind++) {
		for (unsigned int i = 0; i < KMALLOC_CLASSES; i++) {
			struct kmem_cache *cache =
				kmalloc_make(node, (enum kmalloc_kind)kind, i);

			if (cache == NULL)
				return false;
			node->slab.kmalloc[kind][i] = cache;
		}
	}
	return true;
}

/* ---- Masks that make no sense -------------------------------------------- */

bool slab_allows(struct node *node, const char *what, gfp_t *mask,
                 uintptr_t caller)
{
	gfp_t blamed;
	const char *why = slab_gfp_refusal(*mask, &blamed);

	kassert(!in_nmi());
	if (why != NULL) {
		count_vm_event(node, VMSTAT_alloc_refused);
		slab_report_mask(what, *mask, blamed, caller, why);
		return false;
	}
	if (gfpflags_allow_blocking(*mask) && !may_sleep_here()) {
		count_vm_event(node, VMSTAT_alloc_must_not_sleep);
		slab_report_mask(what, *mask, __GFP_DIRECT_RECLAIM, caller,
		                 "refused: the caller cannot sleep here");
		return false;
	}
	blamed = slab_gfp_illegal(*mask);
	if (blamed != 0)
		slab_report_mask(what, *mask, blamed, caller,
		                 "makes no sense here, and is taken away");
	*mask &= ~blamed;
	return true;
}

/* ---- Large blocks -------------------------------------------------------- */

static void kmalloc_report_size(size_t size, gfp_t gfp, uintptr_t caller)
{
	char place[PLACE_SIZE];

	if (gfp_is_silent(gfp))
		return;
	pr_err("BUG: kmalloc(%lu) by %s at %s refused: more than 4 MiB\n",
	       (unsigned long)size, context_name(),
	       caller_format(place, sizeof(place), caller));
	backtrace_print_from(caller);
}

static void *kmalloc_large(struct node *node, size_t size, gfp_t gfp,
                           uintptr_t caller)
{
	struct page *page;

	kassert(size > KMALLOC_MAX_CACHE_SIZE);
	if (in_nmi()) {
		count_vm_event(node, VMSTAT_alloc_in_nmi);
		return NULL;
	}
	if (size > KMALLOC_MAX_SIZE) {
		kmalloc_report_size(size, gfp, caller);
		return NULL;
	}
	if (!slab_allows(node, "kmalloc", &gfp, caller))
		return NULL;
	page = alloc_pages_node(node, slab_gfp_large(gfp),
	                        slab_shape_order_of(size));
	if (page == NULL)
		return NULL;
	kassert(page->bits == 0 && page->slab_cache == NULL);
	slab_counts(page)->place = SLAB_LARGE;
	page_set(page, PG_slab);
	return page_memory(node, page);
}

static void kfree_large(struct node *node, struct page *page,
                        const void *memory, uintptr_t caller)
{
	kassert(page->slab_cache == NULL);
	if (kfence_has_page(page)) {
		kfence_free(node, NULL, page, (void *)memory, caller);
		return;
	}
	kassert(slab_shape_order_of(KMALLOC_MAX_SIZE) >= page->order);
	if (memory != page_memory(node, page)) {
		slab_report_free(node, "kfree", memory, caller,
		                 "it is in the middle of a block");
		return;
	}
	if (!page_test_and_clear(page, PG_slab)) {
		slab_report_free(node, "kfree", memory, caller,
		                 "it is free already (double free)");
		return;
	}
	page->private = 0;
	free_pages_node(node, page, page->order, caller);
}

/* ---- Taking and giving --------------------------------------------------- */

/* NULL and ZERO_SIZE_PTR. */
static bool kmalloc_is_nothing(const void *memory)
{
	return (uintptr_t)memory <= (uintptr_t)ZERO_SIZE_PTR;
}

/* 0: MEMORY is from nowhere, which was reported. */
static size_t kmalloc_room(struct node *node, const void *memory,
                           uintptr_t caller)
{
	const struct page *page = slab_head_of(node, memory);
	size_t room;

	kassert(!kmalloc_is_nothing(memory));
	room = page != NULL && kfence_has_page(page)
	               ? kfence_room(node, NULL, page, memory)
	               : 1;
	if (page == NULL || room == 0) {
		slab_report_free(node, "ksize", memory, caller,
		                 "it is not from kmalloc() or a cache");
		return 0;
	}
	if (kfence_has_page(page))
		return room;
	if (slab_counts(page)->place == SLAB_LARGE)
		return PAGE_SIZE << page->order;
	return slab_is_debug(page->slab_cache)
	               ? page->slab_cache->shape.object_size
	               : page->slab_cache->shape.size;
}

void *kmalloc_on(struct node *node, size_t size, gfp_t gfp, uintptr_t caller)
{
	struct kmem_cache *cache;
	enum kmalloc_kind kind;
	void *memory;

	if (size > KMALLOC_MAX_CACHE_SIZE) {
		memory = kmalloc_large(node, size, gfp, caller);
		trace_kmalloc(
			&node->trace, caller, (uintptr_t)memory, size,
			memory == NULL ? 0 : kmalloc_room(node, memory, caller),
			gfp);
		return memory;
	}
	if (size == 0)
		return ZERO_SIZE_PTR;
	kind = slab_gfp_is_plain(gfp) ? KMALLOC_NORMAL : slab_gfp_kind(gfp);
	cache = node->slab.kmalloc[kind][kmalloc_class(size)];
	if (cache == NULL)
		return NULL;
	memory = slab_alloc(cache, gfp, size, caller);
	trace_kmalloc(&node->trace, caller, (uintptr_t)memory, size,
	              cache->shape.size, gfp);
	return memory;
}

void kfree_on(struct node *node, const void *memory, uintptr_t caller)
{
	struct page *page;

	if (in_nmi()) {
		count_vm_event(node, VMSTAT_alloc_in_nmi);
		return;
	}
	trace_kfree(&node->trace, caller, (uintptr_t)memory);
	if (kmalloc_is_nothing(memory))
		return;
	page = slab_head_of(node, memory);
	if (page == NULL)
		slab_report_free(node, "kfree", memory, caller,
		                 "it is not from kmalloc() or a cache");
	else if (slab_counts(page)->place >= SLAB_LARGE)
		kfree_large(node, page, memory, caller);
	else
		slab_free(page->slab_cache, page, (void *)memory, caller);
}

/* ---- The front door ------------------------------------------------------ */

/* A node that has a slab allocator, or NULL. */
static struct node *kmalloc_node(void)
{
	struct node *node = main_node();

	return node != NULL && node->slab.boot != NULL ? node : NULL;
}

static void *kmalloc_by(size_t size, gfp_t gfp, uintptr_t caller)
{
	struct node *node = kmalloc_node();

	return node == NULL ? NULL : kmalloc_on(node, size, gfp, caller);
}

void *kmalloc(size_t size, gfp_t gfp)
{
	return kmalloc_by(size, gfp, RETURN_ADDRESS());
}

void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc_by(size, gfp | __GFP_ZERO, RETURN_ADDRESS());
}

static void *kmalloc_product(size_t count, size_t size, gfp_t gfp,
                             uintptr_t caller)
{
	char place[PLACE_SIZE];
	size_t product;

	if (!__builtin_mul_overflow(count, size, &product))
		return kmalloc_by(product, gfp, caller);
	if (in_nmi())
		return NULL;
	pr_err("BUG: kmalloc_array(%lu, %lu) by %s at %s refused: the product "
	       "overflows\n",
	       (unsigned long)count, (unsigned long)size, context_name(),
	       caller_format(place, sizeof(place), caller));
	backtrace_print_from(caller);
	return NULL;
}

void *kmalloc_array(size_t count, size_t size, gfp_t gfp)
{
	return kmalloc_product(count, size, gfp, RETURN_ADDRESS());
}

void *kcalloc(size_t count, size_t size, gfp_t gfp)
{
	return kmalloc_product(count, size, gfp | __GFP_ZERO, RETURN_ADDRESS());
}

size_t ksize(const void *memory)
{
	struct node *node = kmalloc_node();

	if (node == NULL || kmalloc_is_nothing(memory) || in_nmi())
		return 0;
	return kmalloc_room(node, memory, RETURN_ADDRESS());
}

bool kmalloc_has(const void *memory, size_t size)
{
	struct node *node = kmalloc_node();
	const struct page *page;

	if (node == NULL || kmalloc_is_nothing(memory))
		return false;
	page = slab_head_of(node, memory);
	if (page == NULL)
		return false;
	if (kfence_has_page(page))
		return size <= kfence_room(node, NULL, page, memory);
	if (slab_counts(page)->place == SLAB_LARGE)
		return memory == page_memory(node, page) &&
		       size <= PAGE_SIZE << page->order;
	return kmem_cache_has(page->slab_cache, memory) &&
	       size <= page->slab_cache->shape.object_size;
}

/* Other memory with SIZE bytes and the contents of the old, which has ROOM. */
static void *kmalloc_move(struct node *node, void *memory, size_t room,
                          size_t size, gfp_t gfp, uintptr_t caller)
{
	void *other = kmalloc_on(node, size, gfp, caller);

	kassert(size > room);
	if (other == NULL)
		return NULL;
	memcpy(other, memory, room);
	kfree_on(node, memory, caller);
	return other;
}

void *krealloc(void *memory, size_t size, gfp_t gfp)
{
	const uintptr_t caller = RETURN_ADDRESS();
	struct node *node = kmalloc_node();
	size_t room;

	if (node == NULL || in_nmi())
		return NULL;
	if (size == 0) {
		kfree_on(node, memory, caller);
		return ZERO_SIZE_PTR;
	}
	if (kmalloc_is_nothing(memory))
		return kmalloc_on(node, size, gfp, caller);
	room = kmalloc_room(node, memory, caller);
	if (room == 0)
		return NULL;
	if (size > room)
		return kmalloc_move(node, memory, room, size, gfp, caller);
	if (slab_gfp_wants_zero(gfp))
		memset((uint8_t *)memory + size, 0, room - size);
	return memory;
}

void kfree(const void *memory)
{
	struct node *node = kmalloc_node();

	if (node != NULL)
		kfree_on(node, memory, RETURN_ADDRESS());
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size,
                                     size_t align, uint32_t flags,
                                     void (*ctor)(void *))
{
	const struct slab_wish wish = { name, size, align, flags, ctor };

	return slab_create(main_node(), &wish, RETURN_ADDRESS());
}

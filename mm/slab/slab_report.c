/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab_report.c -- refusals by name, and numbers for `slabinfo`.
 *
 * Each refusal says what was tried, by whom and where, why it was refused, and what
 * the address is, as far as the page that it lies in can tell.
 *
 * Locking: none is held while something is printed.
 */
#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/owner.h"
#include "lib/format.h"
#include "mm/slab/slab_internal.h"

/* Says what ADDRESS is. */
static const char *slab_describe(char *buffer, size_t size, struct node *node,
                                 const void *address)
{
	unsigned long pfn =
		((uintptr_t)address - direct_map_base) >> PAGE_SHIFT;
	const struct page *slab = slab_head_of(node, address);
	const struct page *page = node_page(node, pfn);

	kassert(size > 0);
	if (page == NULL)
		scnprintf(buffer, size, "it is not in the direct map");
	else if (slab == NULL)
		scnprintf(buffer, size, "pfn %#lx is %s, last touched by %s",
		          pfn, page_state_name((enum page_state)page->state),
		          owner_name(page->taker));
	else if (slab_counts(slab)->place == SLAB_KFENCE)
		scnprintf(buffer, size, "pfn %#lx is a page of kfence", pfn);
	else if (slab_counts(slab)->place == SLAB_LARGE)
		scnprintf(buffer, size, "pfn %#lx is a block of kmalloc()",
		          pfn);
	else
		scnprintf(buffer, size, "pfn %#lx is a slab of %s", pfn,
		          slab->slab_cache->name);
	return buffer;
}

void slab_report_free(struct node *node, const char *what, const void *object,
                      uintptr_t caller, const char *why)
{
	char place[PLACE_SIZE];
	char about[96];

	kassert(!in_nmi());
	count_vm_event(node, VMSTAT_free_refused);
	pr_err("BUG: %s: %p by %s at %s refused: %s\n  %s\n", what, object,
	       context_name(), caller_format(place, sizeof(place), caller), why,
	       slab_describe(about, sizeof(about), node, object));
	backtrace_print_from(caller);
}

void slab_report_object(const struct kmem_cache *cache, const void *object,
                        uintptr_t caller, const char *why)
{
	slab_report_free(cache->node, cache->name, object, caller, why);
}

void slab_report_broken(struct kmem_cache *cache)
{
	const void *object;

	if (READ_ONCE(cache->broken) == NULL)
		return;
	object = __atomic_exchange_n(&cache->broken, NULL, __ATOMIC_RELAXED);
	if (object == NULL)
		return;
	kassert(!in_nmi());
	pr_err("BUG: %s: the free list is broken at object %p, by a write to a "
	       "free object; what is behind it is not used again\n",
	       cache->name, object);
	backtrace_print_from(0);
}

void slab_report_failure(struct kmem_cache *cache, gfp_t mask)
{
	char names[96];

	if (gfp_is_silent(mask) ||
	    !ratelimit_pass(&cache->node->slab.fail_limit))
		return;
	pr_warn("slab: no memory for %s, %s (%#x): object size %u, buffer size %u, "
	        "order %u, at least %u; %lu slabs, %lu objects, %lu free\n",
	        cache->name, gfp_format(names, sizeof(names), mask), mask,
	        cache->shape.object_size, cache->shape.size, cache->shape.order,
	        cache->shape.min_order, READ_ONCE(cache->slabs),
	        READ_ONCE(cache->objects), READ_ONCE(cache->free_objects));
}

void slab_report_mask(const char *what, gfp_t mask, gfp_t blamed,
                      uintptr_t caller, const char *why)
{
	char place[PLACE_SIZE];
	char names[96];

	pr_err("BUG: %s: mask %#x by %s at %s: %s: %s\n", what, mask,
	       context_name(), caller_format(place, sizeof(place), caller),
	       gfp_format_flags(names, sizeof(names), blamed), why);
	backtrace_print_from(caller);
}

void *slab_find_used(struct kmem_cache *cache)
{
	struct page *slab = list_first(&cache->full, struct page, link);
	struct slab_view view;
	uint8_t *at;

	if (slab == NULL)
		slab = list_first(&cache->partial, struct page, link);
	if (slab == NULL)
		return NULL;
	view = slab_view_of(cache, slab);
	at = (uint8_t *)view.before + 1 + cache->shape.red_left;
	for (unsigned int i = 0; i < slab_counts(slab)->objects; i++) {
		if (!slab_looks_free(cache, &view, at))
			return at;
		at += cache->shape.size;
	}
	return NULL;
}

bool slab_info_read(struct node *node, unsigned int index,
                    struct slab_info *info)
{
	struct kmem_cache *cache = slab_visit(node, index);
	const struct slab_shape *shape;
	bool enabled;

	if (cache == NULL)
		return false;
	shape = &cache->shape;
	enabled = spin_lock_irqsave(&cache->lock);
	*info = (struct slab_info){
		.active_objects = cache->objects - cache->free_objects,
		.objects = cache->objects,
		.active_slabs = cache->slabs,
		.slabs = cache->slabs,
		.object_size = shape->size,
		.objects_per_slab =
			slab_shape_objects(shape->size, shape->order),
		.pages_per_slab = 1U << shape->order,
	};
	spin_unlock_irqrestore(&cache->lock, enabled);
	scnprintf(info->name, sizeof(info->name), "%s", cache->name);
	slab_visit_end(cache);
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/slab.c -- an object taken, an object given back.
 *
 * Taking, in this order:
 *
 *	the CPU's free list		no lock: the hot path
 *	what others freed to its slab
 *	the CPU's partial slabs
 *	the cache's partial slabs
 *	a new slab
 *
 * Giving: to the CPU's free list if the object is of its slab (no lock: the hot path),
 * else to the slab's own.  A slab that was full goes to the CPU's partial slabs then;
 * if those are many, all of them go to the cache's first.  An empty slab goes back to
 * the page allocator if the cache has enough others with free objects.
 *
 * Slabs of memory that was taken without watermarks serve only requests that are
 * entitled to such memory, one object at a time: no CPU has one.
 *
 * An object that is given back must be the beginning of a buffer, and its word must not
 * be that of a free object; so a pointer that is not an object, and a double free, are
 * found without any debugging switch.
 *
 * Locking: mm/slab/slab_internal.h.  Source: the behaviour of Linux 6.12, mm/slub.c.
 */
#include "mm/slab/slab.h"

#include "kernel/core/context.h"
#include "kernel/core/sched.h"
#include "lib/string.h"
#include "mm/slab/kfence_internal.h"
#include "mm/slab/slab_gfp.h"
#include "mm/slab/slab_internal.h"
#include "mm/slab/slab_quarantine.h"

/* Partial slabs that are looked at for one that may serve the request. */
#define SLAB_LOOKS 16UL

/* ---- From an address to its slab ----------------------------------------- */

struct page *slab_head_of(const struct node *node, const void *address)
{
	unsigned long pfn =
		((uintptr_t)address - direct_map_base) >> PAGE_SHIFT;
	unsigned long at = pfn - node->start_pfn;
	struct page *page;
	struct page *head;

	if (at >= node->page_count)
		return NULL;
	page = node->pages + at;
	if (page_has(page, PG_slab))
		return page;
	head = READ_ONCE(page->slab_head);
	if (!page_is_of(node, head) || !page_has(head, PG_slab) ||
	    slab_counts(head)->place == SLAB_LARGE ||
	    (unsigned long)(page - head) >= 1UL << head->order)
		return NULL;
	return head;
}

/* ---- Places of slabs ----------------------------------------------------- */

void slab_put_full(struct kmem_cache *cache, struct page *slab)
{
	kassert(spin_is_mine(&cache->lock));
	kassert(slab->slab_free == 0);
	slab_counts(slab)->place = SLAB_FULL;
	list_append(&cache->full, &slab->link);
	cache->fulls++;
}

/* SLAB, empty and on no list, leaves the cache.  cache->lock held. */
void slab_put_gone(struct kmem_cache *cache, struct page *slab,
                   struct list *gone)
{
	kassert(spin_is_mine(&cache->lock));
	kassert(slab_counts(slab)->inuse == 0);
	slab_counts(slab)->place = SLAB_NEW;
	cache->slabs--;
	cache->objects -= slab_counts(slab)->objects;
	cache->free_objects -= slab_counts(slab)->objects;
	list_append(gone, &slab->link);
}

/* An empty one goes away if there are enough others. */
void slab_put_partial(struct kmem_cache *cache, struct page *slab,
                      struct list *gone)
{
	kassert(spin_is_mine(&cache->lock));
	kassert(slab->slab_free != 0);
	if (slab_counts(slab)->inuse == 0 &&
	    cache->partials >= cache->min_partial) {
		slab_put_gone(cache, slab, gone);
		return;
	}
	slab_counts(slab)->place = SLAB_ON_PARTIAL;
	list_append(&cache->partial, &slab->link);
	cache->partials++;
}

/* Off the cache's list that it is on. */
void slab_unlink(struct kmem_cache *cache, struct page *slab)
{
	unsigned long *count = slab_counts(slab)->place == SLAB_FULL
	                               ? &cache->fulls
	                               : &cache->partials;

	kassert(spin_is_mine(&cache->lock));
	kassert(slab_counts(slab)->place == SLAB_FULL ||
	        slab_counts(slab)->place == SLAB_ON_PARTIAL);
	kassert(*count > 0);
	list_remove(&slab->link);
	(*count)--;
	slab_counts(slab)->place = SLAB_NEW;
}

/* A slab that was full has a free object.  cache->lock held. */
static void slab_put_cpu_partial(struct kmem_cache *cache, struct page *slab,
                                 struct list *gone)
{
	struct kmem_cache_cpu *cpu = &cache->cpu[arch_cpu_id()];

	kassert(spin_is_mine(&cache->lock));
	kassert(cache->cpu_partial > 0);
	kassert(slab->slab_free != 0);
	if (cpu->partials >= cache->cpu_partial) {
		struct page *other;

		while ((other = list_first(&cpu->partial, struct page, link)) !=
		       NULL) {
			list_remove(&other->link);
			slab_put_partial(cache, other, gone);
		}
		cpu->partials = 0;
	}
	slab_counts(slab)->place = SLAB_CPU_PARTIAL;
	list_push(&cpu->partial, &slab->link);
	cpu->partials++;
	kassert(cpu->partials <= cache->cpu_partial);
}

/* ---- Taking one object, under the lock ----------------------------------- */

/* The rest of a list behind a broken word is leaked.  cache->lock held. */
static void slab_drop_list(struct kmem_cache *cache, struct page *slab)
{
	unsigned int dropped =
		slab_counts(slab)->objects - slab_counts(slab)->inuse;

	kassert(spin_is_mine(&cache->lock));
	kassert(cache->free_objects >= dropped);
	cache->lost += dropped;
	cache->free_objects -= dropped;
	slab_counts(slab)->inuse = slab_counts(slab)->objects;
	slab->slab_free = 0;
}

/* The first free object of SLAB, which is on no list; NULL: the list is broken, and now
 * empty.  cache->lock held. */
static void *slab_take_first(struct kmem_cache *cache, struct page *slab)
{
	const struct slab_view view = slab_view_of(cache, slab);
	void *object = slab_pop(cache, &view, &slab->slab_free);

	kassert(spin_is_mine(&cache->lock));
	if (object == NULL) {
		slab_drop_list(cache, slab);
		return NULL;
	}
	kassert(slab_counts(slab)->inuse < slab_counts(slab)->objects);
	slab_counts(slab)->inuse++;
	cache->free_objects--;
	return object;
}

/* May this partial slab serve the request? */
static bool slab_suits(const struct page *slab, bool reserve)
{
	return ((slab->flags & PAGE_PFMEMALLOC) != 0) == reserve;
}

/* One of the cache's partial slabs, off its list, or NULL.  Those that do not suit go to
 * the end, so that the next request does not look at them again.  One that is being
 * checked is counted and on no list.  cache->lock held. */
static struct page *slab_get_partial(struct kmem_cache *cache, bool reserve)
{
	unsigned long looks = min(cache->partials, SLAB_LOOKS);

	kassert(spin_is_mine(&cache->lock));
	for (; looks > 0; looks--) {
		struct page *slab =
			list_first(&cache->partial, struct page, link);

		if (slab == NULL)
			return NULL;
		if (slab_suits(slab, reserve)) {
			slab_unlink(cache, slab);
			return slab;
		}
		list_remove(&slab->link);
		list_append(&cache->partial, &slab->link);
	}
	return NULL;
}

/* The same for the CPU's.  cache->lock held. */
static struct page *slab_get_cpu_partial(struct kmem_cache *cache,
                                         struct kmem_cache_cpu *cpu)
{
	struct page *slab = list_first(&cpu->partial, struct page, link);

	kassert(spin_is_mine(&cache->lock));
	kassert((slab == NULL) == (cpu->partials == 0));
	if (slab == NULL)
		return NULL;
	kassert(slab_counts(slab)->place == SLAB_CPU_PARTIAL);
	list_remove(&slab->link);
	cpu->partials--;
	slab_counts(slab)->place = SLAB_NEW;
	return slab;
}

/* A SLAB that has just served goes where it belongs.  cache->lock held. */
static void slab_settle(struct kmem_cache *cache, struct page *slab)
{
	struct list none = LIST_INIT(none);

	kassert(slab_counts(slab)->inuse > 0);
	if (slab->slab_free == 0)
		slab_put_full(cache, slab);
	else
		slab_put_partial(cache, slab, &none);
	kassert(list_empty(&none));
}

/* One object out of the slabs that no CPU's list is made of. */
static void *slab_take_single(struct kmem_cache *cache, bool reserve)
{
	bool enabled = spin_lock_irqsave(&cache->lock);
	struct kmem_cache_cpu *cpu = &cache->cpu[arch_cpu_id()];
	struct page *slab = cpu->slab;
	void *object = NULL;

	if (!reserve && slab != NULL && slab->slab_free != 0) {
		object = slab_take_first(cache, slab);
	} else {
		slab = reserve ? NULL : slab_get_cpu_partial(cache, cpu);
		if (slab == NULL)
			slab = slab_get_partial(cache, reserve);
		if (slab != NULL) {
			object = slab_take_first(cache, slab);
			slab_settle(cache, slab);
		}
	}
	spin_unlock_irqrestore(&cache->lock, enabled);
	return object;
}

/* ---- The CPU's slab ------------------------------------------------------ */

/* All free objects of SLAB are the CPU's now.  busy and cache->lock held. */
static void slab_load(struct kmem_cache *cache, struct kmem_cache_cpu *cpu,
                      struct page *slab)
{
	kassert(spin_is_mine(&cache->lock));
	kassert(cpu->free == 0);
	kassert((slab->flags & PAGE_PFMEMALLOC) == 0);
	kassert(slab_counts(slab)->inuse < slab_counts(slab)->objects);
	cpu->slab = slab;
	cpu->view = slab_view_of(cache, slab);
	cpu->free = slab->slab_free;
	slab->slab_free = 0;
	cache->free_objects -=
		slab_counts(slab)->objects - slab_counts(slab)->inuse;
	slab_counts(slab)->inuse = slab_counts(slab)->objects;
	slab_counts(slab)->place = SLAB_CPU;
}

/* The CPU's list is empty: its slab, unless objects were freed to it otherwise, is
 * full.  busy and cache->lock held. */
static void slab_unload_empty(struct kmem_cache *cache,
                              struct kmem_cache_cpu *cpu)
{
	kassert(spin_is_mine(&cache->lock));
	kassert(cpu->free == 0);
	if (cpu->slab == NULL || cpu->slab->slab_free != 0)
		return;
	slab_put_full(cache, cpu->slab);
	cpu->slab = NULL;
}

/* From the cache's partial slabs to the CPU's, until it has more than half of what it
 * may have.  cache->lock held. */
static void slab_stock_up(struct kmem_cache *cache, struct kmem_cache_cpu *cpu)
{
	kassert(spin_is_mine(&cache->lock));
	for (unsigned int moved = 0; moved <= cache->cpu_partial / 2; moved++) {
		struct page *slab = slab_get_partial(cache, false);

		if (slab == NULL)
			return;
		slab_counts(slab)->place = SLAB_CPU_PARTIAL;
		list_push(&cpu->partial, &slab->link);
		cpu->partials++;
	}
}

/* An object of the CPU's slab, or of one that becomes it; NULL: there is none.  busy
 * held. */
static void *slab_refill(struct kmem_cache *cache, struct kmem_cache_cpu *cpu)
{
	bool enabled = spin_lock_irqsave(&cache->lock);
	struct page *slab;

	kassert(cpu->busy != 0);
	kassert(!slab_is_debug(cache));
	/* A broken word: what is behind it was counted as in use. */
	cpu->free = 0;
	slab_unload_empty(cache, cpu);
	slab = cpu->slab;
	if (slab == NULL)
		slab = slab_get_cpu_partial(cache, cpu);
	if (slab == NULL) {
		slab = slab_get_partial(cache, false);
		if (slab != NULL)
			slab_stock_up(cache, cpu);
	}
	if (slab != NULL)
		slab_load(cache, cpu, slab);
	spin_unlock_irqrestore(&cache->lock, enabled);
	return slab_pop(cache, &cpu->view, &cpu->free);
}

/* ---- Taking -------------------------------------------------------------- */

/* The first object of a SLAB that the caller has made. */
static void *slab_install(struct kmem_cache *cache, struct page *slab)
{
	bool single = slab_is_debug(cache) || slab_suits(slab, true);
	struct kmem_cache_cpu *cpu = single ? NULL : slab_enter(cache);
	bool enabled = spin_lock_irqsave(&cache->lock);
	void *object = NULL;

	kassert(slab_counts(slab)->place == SLAB_NEW &&
	        slab_counts(slab)->inuse == 0);
	cache->slabs++;
	cache->objects += slab_counts(slab)->objects;
	cache->free_objects += slab_counts(slab)->objects;
	if (cpu != NULL && cpu->free == 0)
		slab_unload_empty(cache, cpu);
	if (cpu != NULL && cpu->free == 0 && cpu->slab == NULL) {
		slab_load(cache, cpu, slab);
	} else {
		object = slab_take_first(cache, slab);
		slab_settle(cache, slab);
	}
	spin_unlock_irqrestore(&cache->lock, enabled);
	if (cpu != NULL && object == NULL)
		object = slab_pop(cache, &cpu->view, &cpu->free);
	if (cpu != NULL)
		slab_leave(cpu);
	return object;
}

/* A free object of the slabs that exist, or NULL. */
static void *slab_take_existing(struct kmem_cache *cache, gfp_t gfp)
{
	const struct alloc_context context = gfp_context();
	const struct thread *thread = current_thread();
	bool victim =
		thread != NULL && thread_has_flags(thread, THREAD_OOM_VICTIM);
	struct kmem_cache_cpu *cpu =
		slab_is_debug(cache) ? NULL : slab_enter(cache);
	void *object;

	if (cpu != NULL) {
		object = slab_pop(cache, &cpu->view, &cpu->free);
		if (object == NULL)
			object = slab_refill(cache, cpu);
		slab_leave(cpu);
	} else {
		object = slab_take_single(cache, false);
	}
	if (object == NULL && slab_gfp_is_entitled(gfp, &context, victim))
		object = slab_take_single(cache, true);
	return object;
}

/* One try: an object, or NULL; *FINAL: trying again does not help. */
static void *slab_try(struct kmem_cache *cache, gfp_t gfp, bool *final)
{
	void *object = slab_take_existing(cache, gfp);
	struct page *slab;

	slab_report_broken(cache);
	if (object != NULL)
		return object;
	slab = slab_page_make(cache, gfp);
	*final = slab == NULL;
	if (slab == NULL) {
		slab_report_failure(cache, gfp);
		return NULL;
	}
	object = slab_install(cache, slab);
	slab_report_broken(cache);
	return object;
}

/* Everything but the hot path; ZERO, checks, traces, failures on request. */
static __noinline void *slab_alloc_slow(struct kmem_cache *cache, gfp_t gfp,
                                        size_t size, uintptr_t caller)
{
	struct node *node = cache->node;
	void *object = NULL;
	bool final = false;

	if (in_nmi()) {
		count_vm_event(node, VMSTAT_alloc_in_nmi);
		return NULL;
	}
	if (!slab_allows(node, cache->name, &gfp, caller) ||
	    should_failslab(node, gfp))
		return NULL;
	object = kfence_alloc(cache, size, gfp, caller);
	if (object != NULL)
		return object;
	while (object == NULL && !final) {
		object = slab_try(cache, gfp, &final);
		if (object != NULL && slab_is_debug(cache) &&
		    !slab_debug_take(cache, object, caller))
			object = NULL;
	}
	if (object == NULL || !slab_gfp_wants_zero(gfp))
		return object;
	if (cache->constructor != NULL)
		slab_report_object(cache, object, caller,
		                   "is zeroed, but has a constructor");
	memset(object, 0, cache->shape.object_size);
	return object;
}

/* May the hot path serve a request with MASK, here and now? */
static inline bool slab_is_hot(const struct node *node, gfp_t mask)
{
	if (!slab_gfp_is_plain(mask) || READ_ONCE(node->slab.detour) != 0)
		return false;
	return gfpflags_allow_blocking(mask) ? may_sleep_here() : !in_nmi();
}

static inline void *slab_alloc_hot(struct kmem_cache *cache)
{
	struct kmem_cache_cpu *cpu = slab_enter(cache);
	void *object;

	if (cpu == NULL)
		return NULL;
	object = slab_pop(cache, &cpu->view, &cpu->free);
	slab_leave(cpu);
	return object;
}

void *slab_alloc(struct kmem_cache *cache, gfp_t gfp, size_t size,
                 uintptr_t caller)
{
	void *object = NULL;

	if (slab_is_hot(cache->node, gfp))
		object = slab_alloc_hot(cache);
	if (object == NULL)
		object = slab_alloc_slow(cache, gfp, size, caller);
	return object;
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	const uintptr_t caller = RETURN_ADDRESS();
	void *object = slab_alloc(cache, gfp, cache->shape.object_size, caller);

	trace_kmem_cache_alloc(&cache->node->trace, caller, (uintptr_t)object,
	                       cache->shape.object_size, cache->shape.size,
	                       gfp);
	return object;
}

/* ---- Giving -------------------------------------------------------------- */

/* OBJECT goes to SLAB's own list, and the slab where it belongs then.  cache->lock
 * held. */
static void slab_give(struct kmem_cache *cache, struct page *slab, void *object,
                      struct list *gone)
{
	const struct slab_view view = slab_view_of(cache, slab);

	kassert(spin_is_mine(&cache->lock));
	kassert(slab_counts(slab)->inuse > 0);
	slab_push(cache, &view, &slab->slab_free, object);
	slab_counts(slab)->inuse--;
	cache->free_objects++;
	if (slab_counts(slab)->place == SLAB_FULL) {
		slab_unlink(cache, slab);
		if (cache->cpu_partial > 0 && slab_suits(slab, false))
			slab_put_cpu_partial(cache, slab, gone);
		else
			slab_put_partial(cache, slab, gone);
	} else if (slab_counts(slab)->place == SLAB_ON_PARTIAL &&
	           slab_counts(slab)->inuse == 0 &&
	           cache->partials >= cache->min_partial) {
		/* Linux, too, counts the slab itself here. */
		slab_unlink(cache, slab);
		slab_put_gone(cache, slab, gone);
	}
}

/* NULL, or why OBJECT cannot be given back to SLAB.  cache->lock held. */
static const char *slab_refusal(struct kmem_cache *cache, struct page *slab,
                                void *object)
{
	const struct slab_view view = slab_view_of(cache, slab);

	kassert(spin_is_mine(&cache->lock));
	if (!slab_is_buffer(cache, &view, (uintptr_t)object - view.before))
		return "it is not the beginning of an object";
	if (slab_quarantine_has(cache, object) ||
	    (slab_looks_free(cache, &view, object) &&
	     slab_check_is_free(cache, slab, object)))
		return "it is free already (double free)";
	return NULL;
}

void slab_give_back(struct kmem_cache *cache, struct page *slab, void *object)
{
	struct list gone = LIST_INIT(gone);
	bool enabled = spin_lock_irqsave(&cache->lock);

	slab_give(cache, slab, object, &gone);
	spin_unlock_irqrestore(&cache->lock, enabled);
	slab_page_end_all(cache, &gone);
}

/* To the quarantine or the free list.  The bytes are looked at with interrupts on. */
static void slab_free_debug(struct kmem_cache *cache, struct page *slab,
                            void *object, uintptr_t caller)
{
	kassert(slab_is_debug(cache));
	if (slab_debug_give(cache, object, caller) &&
	    !slab_quarantine_put(cache, object, caller))
		slab_give_back(cache, slab, object);
}

static __noinline void slab_free_slow(struct kmem_cache *cache,
                                      struct page *slab, void *object,
                                      uintptr_t caller)
{
	struct list gone = LIST_INIT(gone);
	const char *why;
	bool enabled;

	enabled = spin_lock_irqsave(&cache->lock);
	why = slab_refusal(cache, slab, object);
	if (why == NULL && !slab_is_debug(cache))
		slab_give(cache, slab, object, &gone);
	spin_unlock_irqrestore(&cache->lock, enabled);
	if (why != NULL) {
		slab_report_object(cache, object, caller, why);
		slab_quarantine_explain(cache, object);
		return;
	}
	if (slab_is_debug(cache))
		slab_free_debug(cache, slab, object, caller);
	slab_page_end_all(cache, &gone);
}

/* To the CPU's list, if the object is of its slab and nothing is strange about it. */
static inline bool slab_free_hot(struct kmem_cache *cache,
                                 const struct page *slab, void *object)
{
	struct kmem_cache_cpu *cpu = slab_enter(cache);
	bool done = false;

	if (cpu == NULL)
		return false;
	if (cpu->slab == slab &&
	    slab_is_buffer(cache, &cpu->view,
	                   (uintptr_t)object - cpu->view.before) &&
	    !slab_looks_free(cache, &cpu->view, object)) {
		slab_push(cache, &cpu->view, &cpu->free, object);
		done = true;
	}
	slab_leave(cpu);
	return done;
}

void slab_free(struct kmem_cache *cache, struct page *slab, void *object,
               uintptr_t caller)
{
	if (!slab_free_hot(cache, slab, object))
		slab_free_slow(cache, slab, object, caller);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	const uintptr_t caller = RETURN_ADDRESS();
	struct node *node = cache->node;
	struct page *slab;

	if (in_nmi()) {
		count_vm_event(node, VMSTAT_alloc_in_nmi);
		return;
	}
	trace_kmem_cache_free(&node->trace, caller, (uintptr_t)object);
	if (object == NULL)
		return;
	slab = slab_head_of(node, object);
	if (slab != NULL && slab->slab_cache == cache)
		slab_free(cache, slab, object, caller);
	else if (slab != NULL && kfence_has_page(slab))
		kfence_free(node, cache, slab, object, caller);
	else
		slab_report_free(node, cache->name, object, caller,
		                 slab == NULL ? "it is not from a slab"
		                              : "it is another cache's");
}

size_t kmem_cache_size(const struct kmem_cache *cache)
{
	return cache->shape.object_size;
}

bool kmem_cache_is_constructed(const struct kmem_cache *cache)
{
	return cache->constructor != NULL;
}

bool kmem_cache_has(struct kmem_cache *cache, const void *address)
{
	const struct page *slab = slab_head_of(cache->node, address);
	struct slab_view view;

	if (slab != NULL && kfence_has_page(slab))
		return kfence_room(cache->node, cache, slab, address) > 0;
	if (slab == NULL || slab->slab_cache != cache)
		return false;
	view = slab_view_of(cache, slab);
	return slab_is_buffer(cache, &view, (uintptr_t)address - view.before) &&
	       !slab_looks_free(cache, &view, (void *)address) &&
	       !slab_quarantine_has(cache, (void *)address);
}

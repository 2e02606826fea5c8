/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kvmalloc.c -- kmalloc() first, then vmalloc().
 *
 * Locking: none.  Source: the behaviour of Linux 6.12, mm/util.c
 * (kmalloc_gfp_adjust(), __kvmalloc_node()).
 */
#include "mm/slab/kvmalloc.h"

#include "kernel/core/context.h"
#include "kernel/core/panic.h"
#include "lib/string.h"
#include "mm/slab/kmalloc.h"
#include "mm/slab/vmalloc_internal.h"

/* The mask for kmalloc() where vmalloc() is to come. */
static gfp_t kvmalloc_first_mask(size_t size, gfp_t gfp)
{
	const struct alloc_context context = gfp_context();
	struct alloc_request decoded = { .retry_costly = false };
	char why[160];

	if (size <= PAGE_SIZE)
		return gfp;
	/* An illegal mask is for kmalloc() to refuse. */
	if (gfp_decode(gfp, 0, &context, &decoded, why, sizeof(why)) != GFP_OK)
		return gfp;
	if (!decoded.retry_costly)
		gfp |= __GFP_NORETRY;
	return (gfp | __GFP_NOWARN) & ~(gfp_t)__GFP_NOFAIL;
}

/* May vmalloc() be asked for what kmalloc() has not got?  Its misuse was reported. */
static bool kvmalloc_may_go_on(struct vmalloc_space *space, size_t size,
                               gfp_t gfp, uintptr_t caller)
{
	if (size <= PAGE_SIZE || !gfpflags_allow_blocking(gfp) || in_nmi() ||
	    !may_sleep_here())
		return false;
	if (size <= INT32_MAX)
		return true;
	if (!gfp_is_silent(gfp))
		vmalloc_report_refused(space, size, gfp, "more than INT_MAX",
		                       caller);
	return false;
}

static void *kvmalloc_by(size_t size, gfp_t gfp, uintptr_t caller)
{
	struct vmalloc_space *space = main_vmalloc();
	void *memory;

	if (space == NULL)
		return NULL;
	memory = kmalloc_on(space->node, size, kvmalloc_first_mask(size, gfp),
	                    caller);
	if (memory != NULL || !kvmalloc_may_go_on(space, size, gfp, caller))
		return memory;
	kassert(size > PAGE_SIZE && gfpflags_allow_blocking(gfp));
	return vmalloc_in(space, size, gfp, caller);
}

void *kvmalloc(size_t size, gfp_t gfp)
{
	return kvmalloc_by(size, gfp, RETURN_ADDRESS());
}

void *kvzalloc(size_t size, gfp_t gfp)
{
	return kvmalloc_by(size, gfp | __GFP_ZERO, RETURN_ADDRESS());
}

void *kvmalloc_array(size_t count, size_t size, gfp_t gfp)
{
	size_t product;

	if (__builtin_mul_overflow(count, size, &product))
		return NULL;
	return kvmalloc_by(product, gfp, RETURN_ADDRESS());
}

void *kvcalloc(size_t count, size_t size, gfp_t gfp)
{
	size_t product;

	if (__builtin_mul_overflow(count, size, &product))
		return NULL;
	return kvmalloc_by(product, gfp | __GFP_ZERO, RETURN_ADDRESS());
}

void kvfree(const void *memory)
{
	if (is_vmalloc_addr(memory))
		vfree_in(main_vmalloc(), memory, RETURN_ADDRESS());
	else
		kfree(memory);
}

void *kvrealloc(const void *memory, size_t size, gfp_t gfp)
{
	void *other;
	size_t room;

	if (is_vmalloc_addr(memory))
		return vrealloc(memory, size, gfp);
	if (memory == NULL || memory == ZERO_SIZE_PTR)
		return kvmalloc_by(size, gfp, RETURN_ADDRESS());
	room = ksize(memory);
	/* Nobody's memory: that was reported. */
	if (room == 0)
		return NULL;
	other = krealloc((void *)memory, size, kvmalloc_first_mask(size, gfp));
	if (other != NULL || size <= PAGE_SIZE)
		return other;
	kassert(size > room);
	other = kvmalloc_by(size, gfp, RETURN_ADDRESS());
	if (other != NULL) {
		memcpy(other, memory, room);
		kfree(memory);
	}
	return other;
}

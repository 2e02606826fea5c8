/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/kfence_report.c -- what kfence says: canaries, faults, who took and who freed.
 *
 * Locking: none; a fault may come in any context.
 */
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"
#include "mm/slab/kfence_internal.h"

static void kfence_print_stamp(const char *what,
                               const struct page_owner_stamp *stamp)
{
	pr_err("  %s at %llu.%06llu s by %s\n", what,
	       (unsigned long long)(stamp->time / 1000000),
	       (unsigned long long)(stamp->time % 1000000),
	       owner_name(stamp->who));
	page_owner_print_stamp(stamp);
}

void kfence_print(const struct kfence_slot *slot)
{
	kassert(!in_nmi());
	if (slot->size == 0)
		return;
	pr_err("kfence: %u bytes of %s at %p\n", slot->size, slot->name,
	       slot->object);
	kfence_print_stamp("taken", &slot->taken);
	if (slot->freed.time != 0)
		kfence_print_stamp("freed", &slot->freed);
}

void kfence_report_canary(const struct kfence_slot *slot, const uint8_t *at,
                          uint8_t expected, uintptr_t caller)
{
	char place[PLACE_SIZE];
	bool behind = at >= slot->object;

	kassert(at != slot->object);
	pr_err("BUG: kfence: a byte beside an object was written to, noticed by %s "
	       "at %s: 0x%02x instead of 0x%02x, %zu bytes %s its %u\n",
	       context_name(), caller_format(place, sizeof(place), caller), *at,
	       expected,
	       behind ? (size_t)(at - slot->object) - slot->size
	              : (size_t)(slot->object - at),
	       behind ? "behind" : "before", slot->size);
	backtrace_print_from(caller);
	kfence_print(slot);
}

/* ---- Faults -------------------------------------------------------------- */

static const struct kfence_slot *kfence_fault;

/* Bytes from the object of SLOT to ADDRESS, a guard beside it. */
static uintptr_t kfence_distance(const struct kfence_slot *slot,
                                 uintptr_t address)
{
	uintptr_t start = (uintptr_t)slot->object;

	return address < start ? start - address
	                       : address - (start + slot->size);
}

/* Whose bounds did ADDRESS, in guard number INDEX, leave?  The nearer one of the two in use
 * beside it; NULL: there is none. */
static const struct kfence_slot *kfence_neighbour(const struct kfence *kfence,
                                                  unsigned long index,
                                                  uintptr_t address)
{
	const struct kfence_slot *found = NULL;

	kassert(index % 2 == 0);
	for (unsigned long back = 0; back < 2; back++) {
		/* Of guard 0 the one in front is none: a very large number. */
		unsigned long i = index / 2 - back;
		const struct kfence_slot *slot = &kfence->slot[i];

		if (i < kfence->slots &&
		    READ_ONCE(slot->state) == KFENCE_TAKEN &&
		    (found == NULL || kfence_distance(slot, address) <
		                              kfence_distance(found, address)))
			found = slot;
	}
	return found;
}

static void kfence_explain(struct fault *fault, const struct kfence_slot *slot,
                           bool freed)
{
	const struct page_owner_stamp *stamp =
		freed ? &slot->freed : &slot->taken;

	fault->kind = freed ? FAULT_OBJECT_FREED : FAULT_OBJECT_BOUNDS;
	fault->area = (struct fault_area){
		.what = freed ? "use after free of"
		        : fault->address < (uintptr_t)slot->object
		                ? "out of bounds, before"
		                : "out of bounds, behind",
		.start = (uintptr_t)slot->object,
		.size = slot->size,
		.taker = stamp->who,
		.caller = page_owner_frame(stamp, 0),
	};
}

/* Any context; no lock. */
static bool kfence_resolve(struct fault *fault)
{
	const struct node *node = main_node();
	const struct kfence *kfence;
	const struct kfence_slot *slot;
	unsigned long index;

	if (node == NULL ||
	    !is_kfence_address(node, (const void *)fault->address))
		return false;
	kfence = node->slab.kfence;
	index = (fault->address - (uintptr_t)kfence_address(kfence, 0)) /
	        PAGE_SIZE;
	if (index % 2 == 0)
		slot = kfence_neighbour(kfence, index, fault->address);
	else
		slot = index / 2 < kfence->slots ? &kfence->slot[index / 2]
		                                 : NULL;
	if (slot == NULL || slot->size == 0)
		return false;
	WRITE_ONCE(kfence_fault, slot);
	kfence_explain(fault, slot, index % 2 == 1);
	return true;
}

void kfence_print_fault(void)
{
	const struct kfence_slot *slot = READ_ONCE(kfence_fault);

	if (slot != NULL)
		kfence_print(slot);
}

void kfence_explain_faults(void)
{
	fault_register_resolver(kfence_resolve);
}

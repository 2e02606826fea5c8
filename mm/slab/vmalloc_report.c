/* SPDX-License-Identifier: MIT */
/*
 * mm/slab/vmalloc_report.c -- what vmalloc says: refusals, failures, faults.
 *
 * Locking: a fault may come in any context, so its explanation only tries the lock.
 */
#include "kernel/arch/vmap.h"
#include "kernel/core/context.h"
#include "kernel/core/fault.h"
#include "kernel/core/line_table.h"
#include "kernel/core/printk.h"
#include "mm/slab/vmalloc_internal.h"

#define MAPPINGS_MOST 4 /* lines of a report */

void vmalloc_report_free(const struct vmalloc_space *space, const char *what,
                         uintptr_t address, const struct vmalloc_info *found,
                         const char *why, uintptr_t caller)
{
	char place[PLACE_SIZE];

	kassert(!in_nmi());
	count_vm_event(space->node, VMSTAT_free_refused);
	pr_err("BUG: %s(%#lx) by %s at %s refused: %s\n", what,
	       (unsigned long)address, context_name(),
	       caller_format(place, sizeof(place), caller), why);
	if (found->start != 0)
		pr_err("  %#lx-%#lx is %s, made by %s at %s\n",
		       (unsigned long)found->start, (unsigned long)found->end,
		       found->kind, owner_name(found->taker),
		       caller_format(place, sizeof(place), found->caller));
	backtrace_print_from(caller);
}

void vmalloc_report_refused(const struct vmalloc_space *space, size_t size,
                            gfp_t gfp, const char *why, uintptr_t caller)
{
	char place[PLACE_SIZE];

	kassert(!in_nmi());
	count_vm_event(space->node, may_sleep_here()
	                                    ? VMSTAT_alloc_refused
	                                    : VMSTAT_alloc_must_not_sleep);
	pr_err("BUG: vmalloc of %lu bytes (%#x) by %s at %s refused: %s\n",
	       (unsigned long)size, gfp, context_name(),
	       caller_format(place, sizeof(place), caller), why);
	backtrace_print_from(caller);
}

/* Linux: warn_alloc(). */
void vmalloc_report_failure(struct vmalloc_space *space, size_t size, gfp_t gfp,
                            const char *why)
{
	char names[160];

	kassert(may_sleep_here());
	if (gfp_is_silent(gfp) || !ratelimit_pass(&space->failure_limit))
		return;
	pr_warn("%s: vmalloc error: size %lu, %s, mode:%#x(%s), "
	        "nodemask=(null)\n",
	        context_name(), (unsigned long)size, why, gfp,
	        gfp_format(names, sizeof(names), gfp));
	backtrace_print_from(0);
	show_mem(space->node);
}

/* ---- Who maps a page? ---------------------------------------------------- */

bool vmalloc_find_mapping(struct vmalloc_space *space, unsigned long pfn,
                          unsigned long count, uintptr_t *at,
                          struct vmalloc_info *info)
{
	uintptr_t next = *at;

	kassert(!in_nmi());
	while (vmalloc_next(space, &next, info)) {
		uintptr_t address = max(*at, info->start);

		for (; address < info->end; address += PAGE_SIZE) {
			if (vmap_frame(address) - pfn < count) {
				*at = address;
				return true;
			}
		}
	}
	return false;
}

void vmalloc_report_mappings(unsigned long pfn, unsigned long count)
{
	struct vmalloc_space *space = main_vmalloc();
	struct vmalloc_info info;
	char place[PLACE_SIZE];
	uintptr_t at = vmap_base;

	for (unsigned int i = 0;
	     space != NULL && i < MAPPINGS_MOST &&
	     vmalloc_find_mapping(space, pfn, count, &at, &info);
	     i++) {
		kassert(at >= info.start && at < info.end);
		pr_err("  mapped at %#lx, in %#lx-%#lx of %s, made by %s at %s\n",
		       (unsigned long)at, (unsigned long)info.start,
		       (unsigned long)info.end, info.kind,
		       owner_name(info.taker),
		       caller_format(place, sizeof(place), info.caller));
		at += PAGE_SIZE;
	}
}

/* ---- Faults -------------------------------------------------------------- */

static const char *vm_fault_what(const struct vm_struct *area,
                                 uintptr_t address)
{
	if (area->state != VM_LIVE && area->state != VM_BUILT)
		return "in the freed";
	if (area->range.end - address <= PAGE_SIZE)
		return "the guard page behind the";
	return "in the";
}

/* Any context: if an area is just being changed, nothing more is known. */
static bool vmalloc_resolve(struct fault *fault)
{
	struct vmalloc_space *space = main_vmalloc();
	const struct vm_struct *area;
	bool enabled;

	if (space == NULL || fault->address - vmap_base >= vmap_size)
		return false;
	fault->kind = FAULT_VMALLOC;
	fault->area = (struct fault_area){ .size = 0 };
	if (!spin_trylock_irqsave(&space->lock, &enabled))
		return true;
	area = vm_of(range_find(&space->ranges, fault->address));
	if (area != NULL)
		fault->area = (struct fault_area){
			.what = vm_fault_what(area, fault->address),
			.start = vm_address(area),
			.size = vm_pages(area) * PAGE_SIZE,
			.taker = area->taker,
			.caller = area->caller,
		};
	spin_unlock_irqrestore(&space->lock, enabled);
	return true;
}

void vmalloc_explain_faults(void)
{
	fault_register_resolver(vmalloc_resolve);
}

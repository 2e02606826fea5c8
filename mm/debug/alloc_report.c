/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/alloc_report.c -- what the front door says about a request.
 *
 * A request that is refused is a bug of its caller.  It is reported with the context, the
 * place of the call, and the reason; a doubtful one that is served is reported once.
 *
 * Locking: none.
 */
#include "mm/debug/alloc_report.h"

#include "kernel/core/context.h"
#include "kernel/core/line_table.h"
#include "kernel/core/panic.h"

static void alloc_report_too_large(struct node *node,
                                   const struct alloc_request *request,
                                   const char *why)
{
	kassert(request->order > MAX_ORDER);
	if (request->silent || node->said_order)
		return;
	node->said_order = true;
	pr_warn("page_alloc: %s (said once)\n", why);
}

void alloc_report_verdict(struct node *node, enum gfp_verdict verdict,
                          const struct alloc_request *request, const char *why,
                          uintptr_t caller)
{
	char place[PLACE_SIZE];

	kassert((verdict == GFP_IN_NMI) == in_nmi());
	switch (verdict) {
	case GFP_OK:
		return;
	case GFP_IN_NMI:
		count_vm_event(node, VMSTAT_alloc_in_nmi);
		return;
	case GFP_TOO_LARGE:
		alloc_report_too_large(node, request, why);
		return;
	case GFP_MUST_SLEEP:
		count_vm_event(node, VMSTAT_alloc_must_not_sleep);
		break;
	case GFP_REFUSED:
		count_vm_event(node, VMSTAT_alloc_refused);
		break;
	}
	caller_format(place, sizeof(place), caller);
	pr_err("BUG: alloc_pages(%#x, %u) by %s at %s refused: %s\n",
	       request->gfp, request->order, context_name(), place, why);
	backtrace_print_from(caller);
}

/* Promises that NOFAIL cannot or should not make: each is reported once, by a request
 * that found no page in the fast pass.  Linux 6.12 warns of the same three. */
void alloc_report_nofail_doubts(struct node *node,
                                const struct alloc_request *request,
                                uintptr_t caller)
{
	const struct {
		bool holds;
		const char *why;
	} doubt[] = {
		{ !request->may_sleep,
		  "without __GFP_DIRECT_RECLAIM: it may get NULL" },
		{ request->in_reclaim, "inside reclaim: it can only wait" },
		{ request->order > 1, "for a large block: it may wait long" },
	};
	char place[PLACE_SIZE];

	kassert(request->never_fail);
	for (size_t i = 0; i < ARRAY_SIZE(doubt); i++) {
		if (!doubt[i].holds || (node->said_nofail & (1U << i)))
			continue;
		node->said_nofail |= (uint8_t)(1U << i);
		caller_format(place, sizeof(place), caller);
		pr_warn("BUG: page_alloc: __GFP_NOFAIL by %s at %s, order %u, "
		        "%s (said once)\n",
		        context_name(), place, request->order, doubt[i].why);
		backtrace_print_from(caller);
	}
}

void alloc_report_address(struct node *node, uintptr_t caller)
{
	char place[PLACE_SIZE];

	kassert(!in_nmi());
	count_vm_event(node, VMSTAT_alloc_refused);
	caller_format(place, sizeof(place), caller);
	pr_err("BUG: %s at %s wants a direct-map address for __GFP_EXCLUSIVE: "
	       "such a page has none\n",
	       context_name(), place);
	backtrace_print_from(caller);
}

void alloc_report_exact(uintptr_t caller)
{
	char place[PLACE_SIZE];

	pr_warn("BUG: alloc_pages_exact() by %s at %s: __GFP_COMP and "
	        "__GFP_HIGHMEM make no sense here and are taken away\n",
	        context_name(), caller_format(place, sizeof(place), caller));
	backtrace_print_from(caller);
}

void alloc_report_failure(const char *who, const struct alloc_request *request)
{
	char names[160];

	kassert(!request->silent);
	gfp_format(names, sizeof(names), request->gfp);
	pr_warn("%s: page allocation failure: order:%u, mode:%#x(%s), "
	        "nodemask=(null)\n",
	        who, request->order, request->gfp, names);
}

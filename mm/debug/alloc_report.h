/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/alloc_report.h -- what the front door says about a request.
 *
 * CALLER is the address from which the front door was called.  No lock is held.
 */
#ifndef MM_DEBUG_ALLOC_REPORT_H
#define MM_DEBUG_ALLOC_REPORT_H

#include "mm/node.h"

/* Count and report a request with another verdict than GFP_OK, and WHY. */
void alloc_report_verdict(struct node *node, enum gfp_verdict verdict,
                          const struct alloc_request *request, const char *why,
                          uintptr_t caller);

/* A request with NOFAIL found no page in the fast pass: report what NOFAIL cannot promise it. */
void alloc_report_nofail_doubts(struct node *node,
                                const struct alloc_request *request,
                                uintptr_t caller);

/* The address of an exclusive page was asked for: counted as refused. */
void alloc_report_address(struct node *node, uintptr_t caller);

/* alloc_pages_exact() was called with flags that it takes away. */
void alloc_report_exact(uintptr_t caller);

/* The first line of the dump of a REQUEST of WHO that failed. */
void alloc_report_failure(const char *who, const struct alloc_request *request);

#endif

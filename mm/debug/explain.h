/* SPDX-License-Identifier: MIT */
/*
 * mm/debug/explain.h -- why a request gets no page, in a sentence.
 *
 * The numbers come from the functions that decide (mm/watermark.h).  They are read without
 * locks: a sentence is about the zone as it is, or was copied, when it is made.
 */
#ifndef MM_DEBUG_EXPLAIN_H
#define MM_DEBUG_EXPLAIN_H

#include "mm/zone.h"

/* The longest sentence, with its end. */
#define EXPLANATION_SIZE 400

/*
 * Would ZONE refuse REQUEST at MARK with RIGHT?  BUFFER gets the reason, of at most
 * EXPLANATION_SIZE characters, or an empty text.  ZONE is not above the request's highest
 * zone; an exclusive page is not for this function.  Numbers are pages.  Any context.
 */
bool alloc_explain(char *buffer, size_t size, const struct zone *zone,
                   const struct alloc_request *request, enum watermark mark,
                   enum reserve_right right);

/*
 * Why did REQUEST fail, whose last try was at the MIN mark with RIGHT?  A warning for
 * each of the ZONE_COUNT zones at ZONE that it may use, from the highest; from the third on
 * it is in the log alone.  For an exclusive page one about
 * the parked pool.  ZONE may be a copy (show_mem_copy()).  Any context but NMI.
 */
void alloc_explain_print(const struct zone *zone,
                         const struct alloc_request *request,
                         enum reserve_right right);

#endif

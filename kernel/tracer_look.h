/* SPDX-License-Identifier: MIT */
/*
 * kernel/tracer_look.h -- what the stream says of memory besides the events.
 *
 * Events alone do not show memory before the first one, nor the events that were lost, nor
 * the use of a page.  So the tracer looks at some struct pages every time, and
 * sends those that differ from the ones that it sent before.
 */
#ifndef KERNEL_TRACER_LOOK_H
#define KERNEL_TRACER_LOOK_H

#include "lib/types.h"

struct node;
struct tracer_look;

/* To look at NODE: one word a frame, and some.  NULL: no memory.  Thread context. */
struct tracer_look *tracer_look_begin(struct node *node);
void tracer_look_end(struct tracer_look *look); /* NULL: nothing */

/* Send the line that says which frames there are.  NUMBER is that of the next record,
 * here and below. */
void tracer_look_send_machine(struct tracer_look *look, uint64_t number);

/*
 * Look at the next frames, a few blocks at a time with interrupts off, until some dozen
 * differ or all have been seen.  Then, for as long as tracer_look_due() says so, a line is
 * to be sent by tracer_look_send() as soon as the records before *NUMBER have been sent.
 */
void tracer_look_take(struct tracer_look *look);
bool tracer_look_due(const struct tracer_look *look, uint64_t *number);
void tracer_look_send(struct tracer_look *look, uint64_t number);

/* The counters and marks of all zones, and vmstat.  Returns the number of the record before
 * which they were so. */
uint64_t tracer_look_take_counters(struct tracer_look *look);
void tracer_look_send_counters(struct tracer_look *look, uint64_t number);

/* Send the name of OWNER, unless it was sent lately. */
void tracer_look_send_name(struct tracer_look *look, uint64_t number,
                           uint64_t owner);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * kernel/tracer.h -- the kernel's trace: where its ring is, and the thread that
 * sends it over COM2 as JSON lines (docs/11-tracing-and-fault-injection.md).
 */
#ifndef KERNEL_TRACER_H
#define KERNEL_TRACER_H

#include "lib/types.h"

/* Do what trace= and trace_stream on the command line asked for.  Once, when
 * threads run. */
void tracer_start(void);

/*
 * Send every record from the next one on; FRAMES: and the state of all frames, as it is
 * and when it changes.  0, -EBUSY (it does already), -ENODEV (no UART at COM2, or no
 * ring) or -ENOMEM.  Thread context.
 */
int tracer_stream_begin(bool frames);

/* Send what was recorded until now, and no more.  Does not wait.  -ENOENT:
 * nothing is sent. */
int tracer_stream_end(void);

struct tracer_statistics {
	bool streaming;
	uint64_t sent; /* records */
	uint64_t lost; /* overwritten before they could be sent */
};
struct tracer_statistics tracer_statistics(void);

/*
 * The events that WORDS name: "all", "none", or beginnings of names, separated
 * by commas or blanks.  0 and *MASK, or -EINVAL.
 */
__must_check int tracer_parse(const char *words, uint32_t *mask);

#endif

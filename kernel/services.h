/* SPDX-License-Identifier: MIT */
/*
 * kernel/services.h -- the first thread, and the threads that serve the others.
 */
#ifndef KERNEL_SERVICES_H
#define KERNEL_SERVICES_H

struct node;

/* Make the running code the first thread, and give it a window.  Once. */
void begin_threads(void);

/*
 * Start NODE's slab allocator, the refiller, the log's thread, the worker, kswapd,
 * kcompactd, the flusher and the OOM reaper, and register with NODE the functions that
 * recover memory.  Thread context, once, with interrupts on.  Panics if a thread cannot
 * be created.
 */
void begin_service_threads(struct node *node);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * docs/play/libc/ -- as much of a C library as the host's machine asks for.
 *
 * tests/host/machine.c and its neighbours are written for a hosted compiler.  In the
 * browser there is no C library; docs/play/wasm_libc.c answers these few names.
 */
#ifndef PLAY_STDLIB_H
#define PLAY_STDLIB_H

#include <stddef.h>

/* Zeroed; a module of the page never gives memory back, a new machine is a new module. */
void *calloc(size_t count, size_t size);
void free(void *memory);

/* The module ends: a trap, which the page catches. */
__attribute__((noreturn)) void abort(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz.h -- what the fuzz targets share.
 *
 * tests/fuzz/fuzz_NAME.c is a target by being there: make builds it as
 * build/fuzz/fuzz_NAME, with all of mm/, lib/ and the parts of other floors
 * that need no machine.  It defines LLVMFuzzerTestOneInput(), which reads SIZE
 * bytes at DATA and returns 0.  tests/fuzz/corpus/NAME/ holds inputs to begin
 * with, one file each.  A line " * fuzz-runs: N" in its theory comment says how
 * many runs `make test` gives it.
 *
 * Source: LLVM documentation, "libFuzzer".
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what was claimed and where, and ends the run: the input is a finding. */
#define CLAIM(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__,     \
			        __LINE__, #condition);                         \
			abort();                                               \
		}                                                              \
	} while (0)

#endif

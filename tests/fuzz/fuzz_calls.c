/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz_calls.c -- libFuzzer looks for calls that break the allocator.
 *
 * The bytes are a sequence (tests/sequence.h).  One that goes wrong ends the
 * program, and libFuzzer keeps its file; `make replay-calls FILE=...` runs that
 * file again, on the host and in the kernel.
 *
 * fuzz-runs: 1500
 */
#include <stdlib.h>

#include "tests/host/libmm.h"
#include "tests/sequence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct sequence_result result;
	char verdict[300];

	if (!started)
		machine_start(0);
	started = true;
	sequence_run(data, size, NULL, &result);
	if (result.wrong == NULL)
		return 0;
	sequence_verdict(&result, verdict, sizeof(verdict));
	fprintf(stderr, "replay: %s\n", verdict);
	abort();
}

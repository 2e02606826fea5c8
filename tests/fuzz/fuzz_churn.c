/* SPDX-License-Identifier: MIT */
/*
 * tests/fuzz/fuzz_churn.c -- libFuzzer chooses calls of all of mm/'s API.
 *
 * The bytes decide what tests/host/churn.h does: kmalloc(), vmalloc(), caches, pages with
 * lists, compaction, contiguous ranges, exclusive pages.
 *
 * fuzz-runs: 8
 */
#include "tests/fuzz/fuzz.h"
#include "tests/host/churn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct churn_source source = { .bytes = data, .left = size };
	const char *wrong = NULL;

	churn_begin(&source);
	while (wrong == NULL && !churn_is_out_of_bytes())
		wrong = churn_step();
	if (wrong == NULL)
		wrong = churn_end();
	if (wrong != NULL)
		fprintf(stderr, "%s\n", wrong);
	CLAIM(wrong == NULL);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* tests/kernel/test_bench_latency.c -- the buckets of the histogram. */
#include "kernel/demo/bench.h"
#include "tests/suite.h"

SUITE(latency);

CASE(latency, each_bucket_ends_where_the_next_begins)
{
	EXPECT_EQUAL(latency_bucket_start(0), 0);
	for (unsigned int bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
		uint64_t start = latency_bucket_start(bucket);

		EXPECT_EQUAL(latency_bucket(start), bucket);
		if (bucket > 0)
			EXPECT_EQUAL(latency_bucket(start - 1), bucket - 1);
	}
	return NULL;
}

CASE(latency, a_bucket_is_at_most_a_sixteenth_as_wide_as_where_it_begins)
{
	for (unsigned int bucket = LATENCY_STEPS; bucket + 1 < LATENCY_BUCKETS;
	     bucket++) {
		uint64_t start = latency_bucket_start(bucket);

		EXPECT(latency_bucket_start(bucket + 1) - start <=
		       start / LATENCY_STEPS);
	}
	return NULL;
}

CASE(latency, the_last_bucket_has_no_end)
{
	EXPECT_EQUAL(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
	EXPECT_EQUAL(latency_bucket_start(LATENCY_BUCKETS - 1), 2031616);
	return NULL;
}

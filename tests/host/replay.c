/* SPDX-License-Identifier: MIT */
/*
 * tests/host/replay.c -- runs a file of allocator calls on the host.
 *
 *	build/host/replay FILE
 *
 * Prints each step and what came of it, in the words that the kernel prints for
 * the same file (kernel/selftest/replay.c).  The status is 0 if all steps hold.
 */
#include "tests/host/libmm.h"
#include "tests/sequence.h"

static uint8_t bytes[1 + SEQUENCE_MAX_STEPS * SEQUENCE_STEP];

static void test_replay_print_step(unsigned int step, const char *text)
{
	printf("replay: step %u: %s\n", step, text);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sequence_result result;
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	char verdict[300];
	size_t size;

	if (file == NULL) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	machine_start(0);
	sequence_run(bytes, size, test_replay_print_step, &result);
	sequence_verdict(&result, verdict, sizeof(verdict));
	printf("replay: %s\n", verdict);
	return result.wrong == NULL ? 0 : 1;
}

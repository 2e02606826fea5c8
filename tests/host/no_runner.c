/* SPDX-License-Identifier: MIT */
/*
 * tests/host/no_runner.c -- what suites call, in a program that runs none.
 *
 * A fuzz target or a replay links a file of cases for its helpers alone.
 */
#include "lib/format.h"
#include "tests/suite.h"

const char *test_failure(const char *format, ...)
{
	static char sentence[256];
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return sentence;
}

void test_note(const char *format, ...)
{
	(void)format;
}

uint64_t test_seed(void)
{
	return 1;
}

/* SPDX-License-Identifier: MIT */
#include "tests/suite.h"

/* tests/suite.h#SUITE_OBJECT says whose it is. */
char suite_memory[SUITE_MEMORY] __aligned(64);

/* SPDX-License-Identifier: MIT */
#include "tests/suite.h"

/* tests/suite.h#SUITE_OBJECT explains its use. */
char suite_memory[SUITE_MEMORY] __aligned(64);

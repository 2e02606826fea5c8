/* SPDX-License-Identifier: MIT */
#include "tests/host/stage.h"

struct node *node;
struct zone *zone;
struct pile pile;

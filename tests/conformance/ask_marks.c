/* SPDX-License-Identifier: MIT */
/*
 * tests/conformance/ask_marks.c -- marks and reserves, from the sizes of the zones.
 */
#include "tests/conformance/ask.h"

struct ask_machine {
	unsigned long managed[4]; /* DMA, DMA32, NORMAL, MOVABLE */
	unsigned long min_free_kbytes;
	unsigned int scale;
};

static const char *const ask_zones[] = { "DMA", "DMA32", "NORMAL", "MOVABLE" };

static void ask_marks_of(const struct ask_machine *machine)
{
	const unsigned long *managed = machine->managed;
	unsigned long kbytes;

	scene_begin();
	for (int type = 0; type < 4; type++)
		scene_set_managed(type, managed[type]);
	kbytes = scene_compute_marks(machine->min_free_kbytes, machine->scale);
	for (int type = 0; type < 4; type++) {
		if (managed[type] == 0)
			continue;
		ask_clear();
		ask_add("%lu kB |", kbytes);
		for (int mark = 0; mark < 4; mark++)
			ask_add(" %lu", scene_mark(type, mark));
		ask_add(" |");
		for (int highest = 0; highest < 4; highest++)
			ask_add(" %lu", scene_reserve(type, highest));
		scene_say(
			"marks of %s in %lu+%lu+%lu+%lu, %lu kB, scale %u: %s",
			ask_zones[type], managed[0], managed[1], managed[2],
			managed[3], machine->min_free_kbytes, machine->scale,
			ask_text());
	}
}

/* The limits of a CPU's lists. */
static void ask_lists_of(unsigned long managed, unsigned long kbytes)
{
	int batch, high_min, high_max;

	scene_begin();
	scene_set_managed(ZONE_DMA, 0);
	scene_set_managed(ZONE_DMA32, managed);
	scene_compute_marks(kbytes, 10);
	scene_lists(&batch, &high_min, &high_max);
	scene_say("lists of %lu pages, %lu kB: batch %d, high from %d to %d",
	          managed, kbytes, batch, high_min, high_max);
}

static void ask_lists(void)
{
	static const unsigned long managed[] = { 100,    4095,   4096,   8191,
		                                 8192,   12287,  12288,  16384,
		                                 20480,  40960,  61440,  114916,
		                                 131072, 174763, 262143, 262144,
		                                 520000 };

	for (size_t i = 0; i < ASK_COUNT(managed); i++) {
		ask_lists_of(managed[i], 128);
		ask_lists_of(managed[i], 2043);
		ask_lists_of(managed[i], 65536);
	}
}

void ask_marks(void)
{
	static const struct ask_machine machines[] = {
		/* The kernel computes min_free_kbytes. */
		{ { 3840, 0, 0, 0 }, 0, 10 },
		{ { 3840, 4096, 0, 0 }, 0, 10 },
		{ { 3840, 12288, 0, 0 }, 0, 10 },
		{ { 3840, 28001, 0, 0 }, 0, 10 },
		{ { 3840, 61440, 0, 0 }, 0, 10 },
		{ { 3840, 114916, 0, 0 }, 0, 10 },
		{ { 3840, 258048, 0, 0 }, 0, 10 },
		{ { 3840, 781311, 0, 0 }, 0, 10 },
		{ { 3840, 1040384, 0, 0 }, 0, 200 },
		/* It is given. */
		{ { 3840, 61440, 0, 0 }, 128, 10 },
		{ { 3840, 61440, 0, 0 }, 2043, 10 },
		{ { 3840, 61440, 0, 0 }, 65536, 3000 },
		{ { 3840, 781311, 1048576, 0 }, 11585, 10 },
		{ { 3840, 781311, 3145728, 0 }, 16384, 10 },
		{ { 3840, 781311, 1000001, 777777 }, 9973, 10 },
		{ { 3840, 100000, 0, 20000 }, 2043, 10 },
		{ { 3840, 100000, 0, 65536 }, 2043, 1 },
		{ { 3840, 100000, 0, 262144 }, 2043, 1000 },
		{ { 0, 0, 4096, 0 }, 512, 10 },
		{ { 3840, 0, 70000, 0 }, 3000, 77 },
		{ { 3999, 781311, 60817408, 0 }, 262144, 10 },
	};

	for (size_t i = 0; i < ASK_COUNT(machines); i++)
		ask_marks_of(&machines[i]);
	ask_lists();
}

/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_map.c -- `map`: all memory as a picture, above the prompt.
 */
#include "kernel/core/console.h"
#include "kernel/demo/map.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/string.h"

static const char *map_candidate(const char *word __unused, unsigned int index)
{
	if (index == MAP_MODES)
		return "off";
	return index < MAP_MODES ? map_mode_name((enum map_mode)index) : NULL;
}

static int run_map(int argc, char **argv)
{
	enum map_mode mode = MAP_STATE;
	int error;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2 && strcmp(argv[1], "off") == 0) {
		map_hide();
		return 0;
	}
	while (argc == 2 && mode < MAP_MODES &&
	       strcmp(argv[1], map_mode_name(mode)) != 0)
		mode++;
	if (mode == MAP_MODES)
		return -EINVAL;
	error = map_show(mode);
	if (error == -ENOSPC)
		console_printf("map: the screen is too small\n");
	else if (error != 0)
		console_printf("map: no memory\n");
	return 0;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("map", "[state|type|owner|age|off]", run_map,
	              map_candidate,
	              "all memory as a picture, above the prompt"),
};

SHELL_TABLE(shell_map_commands, "pages", "", commands);

/* SPDX-License-Identifier: MIT */
/*
 * kernel/shell/shell_disks.c -- disks, and what is in their sectors.
 */
#include "kernel/block/block.h"
#include "kernel/core/console.h"
#include "kernel/shell/shell_command.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

/* The device called NAME, or NULL and a message. */
static struct block_device *device_named(const char *name)
{
	struct block_device *device = block_find(name);

	if (device == NULL)
		console_printf("%s: no such device; see disks\n", name);
	return device;
}

/* A page to read into and write from, or NULL and a message. */
static struct page *need_page(const char *command)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (page == NULL)
		console_printf("%s: no memory\n", command);
	return page;
}

static const char *device_candidate(const char *word __unused,
                                    unsigned int index)
{
	const struct block_device *device = block_device_at(index);

	return device == NULL ? NULL : device->name;
}

/* ---- disks --------------------------------------------------------------- */

static void print_device(struct block_device *device)
{
	struct block_statistics counts = block_statistics(device);

	console_printf(
		"%-8s %12llu %8llu ", device->name,
		(unsigned long long)device->sectors,
		(unsigned long long)(device->sectors / (MIB / SECTOR_SIZE)));
	if (device->parent != NULL)
		console_printf("  %02x", device->type);
	else
		console_printf("%s", device->dead ? "dead" : "disk");
	console_printf(" %8llu %8llu %7llu %6llu %8llu\n",
	               (unsigned long long)counts.reads,
	               (unsigned long long)counts.writes,
	               (unsigned long long)counts.flushes,
	               (unsigned long long)counts.errors,
	               (unsigned long long)counts.timeouts);
}

static int run_disks(int argc, char **argv __unused)
{
	struct block_device *device;

	if (argc > 1)
		return -EINVAL;
	if (block_device_at(0) == NULL) {
		console_printf("no disk\n");
		return 0;
	}
	console_printf("device        sectors      MiB type    reads   writes "
	               "flushes errors timeouts\n");
	for (unsigned int i = 0; (device = block_device_at(i)) != NULL; i++)
		print_device(device);
	return 0;
}

/* ---- hexdump ------------------------------------------------------------- */

#define LINE 16

static void dump_line(const uint8_t *bytes, uint64_t address)
{
	char text[LINE + 1];

	console_printf("%010llx ", (unsigned long long)address);
	for (unsigned int i = 0; i < LINE; i++) {
		console_printf(" %02x", bytes[i]);
		text[i] = '.';
		if (bytes[i] >= ' ' && bytes[i] <= '~')
			text[i] = (char)bytes[i];
	}
	text[LINE] = '\0';
	console_printf("  |%s|\n", text);
}

static int dump_sector(struct block_device *device, uint64_t sector,
                       struct page *page)
{
	const uint8_t *bytes = page_address(page);
	int error = block_read(device, sector, page, 0, SECTOR_SIZE);

	for (unsigned int i = 0; error == 0 && i < SECTOR_SIZE; i += LINE)
		dump_line(bytes + i, sector * SECTOR_SIZE + i);
	return error;
}

static int run_hexdump(int argc, char **argv)
{
	struct block_device *device;
	struct page *page;
	uint64_t sector;
	uint64_t count = 1;
	int error = 0;

	if (argc < 3 || argc > 4 ||
	    shell_number(argv[2], "sector", 0, UINT64_MAX, &sector) != 0 ||
	    (argc == 4 && shell_number(argv[3], "count", 1, 1024, &count) != 0))
		return -EINVAL;
	device = device_named(argv[1]);
	page = device == NULL ? NULL : need_page(argv[0]);
	if (page == NULL)
		return 0;
	for (uint64_t i = 0; i < count && error == 0 && !shell_interrupted();
	     i++)
		error = dump_sector(device, sector + i, page);
	__free_page(page);
	if (error != 0)
		console_printf("%s: cannot be read: error %d\n", device->name,
		               -error);
	return 0;
}

/* ---- scribble ------------------------------------------------------------ */

/* Each word of a sector says which one it is, and who wrote it. */
static void make_pattern(uint64_t *words, uint64_t sector, uint64_t seed)
{
	for (unsigned int i = 0; i < SECTOR_SIZE / sizeof(*words); i++)
		words[i] = (sector << 16 | i) ^ seed << 32;
}

static int run_scribble(int argc, char **argv)
{
	struct block_device *device;
	struct page *page;
	uint64_t sector;
	uint64_t count;
	uint64_t seed;
	uint64_t done = 0;
	int error = 0;

	if (argc != 5 ||
	    shell_number(argv[2], "sector", 0, UINT64_MAX, &sector) != 0 ||
	    shell_number(argv[3], "count", 1, UINT32_MAX, &count) != 0 ||
	    shell_number(argv[4], "seed", 0, UINT32_MAX, &seed) != 0)
		return -EINVAL;
	device = device_named(argv[1]);
	page = device == NULL ? NULL : need_page(argv[0]);
	if (page == NULL)
		return 0;
	while (done < count && !shell_interrupted()) {
		make_pattern(page_address(page), sector + done, seed);
		error = block_write(device, sector + done, page, 0,
		                    SECTOR_SIZE);
		if (error != 0)
			break;
		done++;
	}
	__free_page(page);
	if (error == 0)
		error = block_flush(device);
	/* In one piece: a line of the log may come in between. */
	if (error != 0)
		console_printf("%llu sectors written, then error %d\n",
		               (unsigned long long)done, -error);
	else
		console_printf("%llu sectors written\n",
		               (unsigned long long)done);
	return 0;
}

static const struct shell_command commands[] = {
	SHELL_COMMAND("disks", "", run_disks, NULL,
	              "disks and partitions, and what was read and written"),
	SHELL_COMMAND("hexdump", "DEVICE SECTOR [COUNT]", run_hexdump,
	              device_candidate, "sectors of a disk"),
	SHELL_COMMAND("scribble", "DEVICE SECTOR COUNT SEED", run_scribble,
	              device_candidate,
	              "overwrite sectors with numbers that a test knows"),
};

SHELL_TABLE(shell_disk_commands, "disk", "whole disks, sector by sector",
            commands);

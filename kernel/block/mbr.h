/* SPDX-License-Identifier: MIT */
/*
 * kernel/block/mbr.h -- the partition table of a disk, trusting nothing.
 *
 * Sector 0 of a disk, by the PC's custom:
 *
 *	446	four entries of 16 bytes
 *		0	0x80 bootable, 0x00 not
 *		1	first sector as cylinder, head, sector; not read
 *		4	type: 0 empty, 0x82 Linux swap, 0x83 Linux
 *		5	last sector, likewise
 *		8	first sector, 32 bits, little-endian
 *		12	number of sectors, 32 bits
 *	510	55 aa
 *
 * Extended partitions and GPT are recognised and refused by name.
 */
#ifndef KERNEL_BLOCK_MBR_H
#define KERNEL_BLOCK_MBR_H

#include "lib/types.h"

#define MBR_ENTRIES      4

/* Unused: a test may overwrite it. */
#define MBR_TYPE_SCRATCH 0xda

struct mbr_partition {
	unsigned int number; /* 1..4: its place in the table */
	uint8_t type;
	uint64_t first;
	uint64_t sectors;
};

struct mbr_refusal {
	unsigned int number;
	const char *why;
};

struct mbr_table {
	const char *fault; /* why there is no table at all, or NULL */
	unsigned int count;
	unsigned int refused;
	struct mbr_partition partition[MBR_ENTRIES];
	struct mbr_refusal refusal[MBR_ENTRIES];
};

/*
 * Read the table in the 512 bytes at SECTOR of a disk with SECTORS sectors.
 * Partitions that are accepted lie behind sector 0, within the disk, and do not
 * overlap: of two that do, the one with the higher number is refused.  Pure.
 */
void mbr_read(const uint8_t *sector, uint64_t sectors, struct mbr_table *table);

#endif

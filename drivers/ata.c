/* SPDX-License-Identifier: MIT */
/*
 * drivers/ata.c -- ATA disks on the two legacy IDE channels.
 *
 *	port, from 0x1f0 or 0x170	read		write
 *	0	data, 16 bits
 *	1			error		features
 *	2			sector count
 *	3 4 5			LBA bits 0-7, 8-15, 16-23
 *	6			device, LBA bits 24-27
 *	7			status		command
 *	control, 0x3f6 or 0x376	status		device control
 *
 * The two disks of a channel share these ports, so a channel has one queue.
 *
 * A request, by programmed I/O: the processor carries each word.
 *
 *	read	command; for each sector: interrupt, 256 words in
 *	write	command, DRQ, 256 words out; for each further sector:
 *		interrupt, 256 words out; interrupt
 *
 * By bus-master DMA, where the PCI function of the controller has BAR 4: the
 * controller carries them.  It is told where by a table of one entry, because a
 * bio lies in one page.
 *
 *	bus master port + 8 * channel
 *	0	command: 1 start, 8 towards memory
 *	2	status: 1 active, 2 error, 4 interrupt (write 1 to clear both)
 *	4	physical address of the table
 *
 * Controller and table know 32-bit addresses only; a bio with a page above
 * 4 GiB goes by programmed I/O, so nothing has to be allocated for it.
 *
 * Numbers of sectors have 28 bits, or 48 with the commands that are called EXT:
 * the ports 2 to 5 then take two bytes each, the upper ones first.  A disk counts
 * at most 0x0fffffff sectors in 28 bits (words 60 and 61 of IDENTIFY), so the last
 * number that a 28-bit command may name is 0x0ffffffe; what touches a sector behind
 * it is an EXT command.
 *
 * Before a command the channel has to be idle, and the disk when it is selected;
 * after a write's command DRQ is set.  Interrupts are off there, so the status is
 * read at most READY_LOOKS times.  If it is still wrong, the block layer gets
 * -EAGAIN, and its thread retries at each tick (struct ata_channel::phase).
 *
 * Time.  Every wait has a limit: 1 s for each of these three, 5 s for a reset.  The
 * block layer watches requests that end with an interrupt, and recover() resets the
 * channel and checks whether the disk still answers.
 *
 * Not done: setting a transfer mode (the BIOS's is kept), READ MULTIPLE, native
 * PCI ports, ATAPI; an error is reported, not retried.
 *
 * Locking: queue.lock of the channel, in its interrupt, too.
 *
 * Source: ATA/ATAPI-6 (T13 1410D), ch. 7 to 9; Intel 82371SB (PIIX3)
 * datasheet, 2.7 "Bus Master IDE Registers"; SFF-8038i 1.0.
 */
#include "drivers/ata.h"

#include "drivers/deadline.h"
#include "drivers/pci.h"
#include "kernel/arch/arch.h"
#include "kernel/arch/io.h"
#include "kernel/arch/paging.h"
#include "kernel/block/block.h"
#include "kernel/core/irq.h"
#include "kernel/core/params.h"
#include "kernel/core/printk.h"
#include "kernel/core/sched.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page_alloc.h"

#define CHANNELS         2
#define UNITS            2 /* master, slave */

/* Ports of a channel. */
#define DATA             0
#define ERROR            1
#define COUNT            2
#define LBA_LOW          3
#define LBA_MID          4
#define LBA_HIGH         5
#define DEVICE           6
#define STATUS           7
#define COMMAND          7

#define STATUS_ERR       0x01
#define STATUS_DRQ       0x08
#define STATUS_DF        0x20
#define STATUS_DRDY      0x40
#define STATUS_BSY       0x80
#define STATUS_NOBODY    0xff

#define DEVICE_LBA       0x40
#define DEVICE_SLAVE     0x10
#define DEVICE_ALWAYS    0xa0

#define CONTROL_NIEN     0x02 /* no interrupts */
#define CONTROL_RESET    0x04

#define READ             0x20
#define READ_EXT         0x24
#define READ_DMA_EXT     0x25
#define WRITE            0x30
#define WRITE_EXT        0x34
#define WRITE_DMA_EXT    0x35
#define READ_DMA         0xc8
#define WRITE_DMA        0xca
#define FLUSH            0xe7
#define FLUSH_EXT        0xea
#define IDENTIFY         0xec

/* Bus master. */
#define BM_COMMAND       0
#define BM_STATUS        2
#define BM_TABLE         4
#define BM_START         0x01
#define BM_TO_MEMORY     0x08
#define BM_ERROR         0x02
#define BM_INTERRUPT     0x04

#define BM_INTERFACE     0x80 /* the PCI function can be a bus master */
#define NATIVE_INTERFACE 0x05 /* ... and is not at the legacy ports */

/* Words of IDENTIFY. */
#define ID_WORDS         256
#define ID_MODEL         27
#define ID_MODEL_WORDS   20
#define ID_CAPABILITIES  49
#define ID_SECTORS       60
#define ID_FEATURES      83
#define ID_SECTORS_48    100
#define CAN_DMA          0x0100
#define CAN_LBA          0x0200
#define HAS_LBA48        0x0400
#define HAS_FLUSH_EXT    0x2000
/* Word 83 says something if its two highest bits are 01. */
#define FEATURES_VALID   0xc000
#define FEATURES_ARE     0x4000

/* Sectors 0 .. SECTORS_28 - 1 have numbers of 28 bits. */
#define SECTORS_28       0x0fffffffULL
#define WORDS            (SECTOR_SIZE / 2)

/* Looks at the status with interrupts off. */
#define READY_LOOKS      16U

/* Microseconds. */
#define LIMIT_READY      1000000U
#define LIMIT_SELECT     10000U
#define LIMIT_IDENTIFY   1000000U
#define LIMIT_RESET      5000000U

struct ata_disk {
	struct block_device device;
	struct ata_channel *channel;
	unsigned int unit;
	bool present;
	bool lba48;
	bool flush_ext;
	bool dma;
	char name[BLOCK_NAME_SIZE];
	char model[2 * ID_MODEL_WORDS + 1];
};

enum transfer {
	TRANSFER_NONE, /* nothing is in flight, or a flush */
	TRANSFER_IN,
	TRANSFER_OUT,
	TRANSFER_DMA,
};

/* How far the command of the request in flight has come. */
enum ata_phase {
	PHASE_RUNS,     /* it is given, an interrupt will tell */
	PHASE_BEGUN,    /* the channel must be idle, to select the disk */
	PHASE_SELECTED, /* the disk must be idle, for the command */
	PHASE_WRITE,    /* the disk must be ready for the first sector */
};

/* The bus master reads this: where the bytes are.  The last one has LAST. */
struct dma_entry {
	uint32_t address;
	uint16_t bytes; /* 0: 64 KiB */
	uint16_t flags;
};
#define DMA_LAST 0x8000

/* Field locks: (q) queue.lock, (c) constant after ata_init(). */
struct ata_channel {
	uint16_t io;             /* (c) */
	uint16_t control;        /* (c) */
	uint16_t bus_master;     /* (c) 0: none */
	bool ext;                /* (q) the command has 48 bits */
	unsigned int irq;        /* (c) */
	enum ata_phase phase;    /* (q) */
	struct dma_entry *table; /* (c) for one request */
	struct block_queue queue;
	struct ata_disk *active; /* (q) whose request is in flight */
	uint64_t phase_since;    /* (q) clock_microseconds() */
	enum transfer transfer;  /* (q) */
	uint8_t *at;             /* (q) the next sector in memory */
	unsigned int left;       /* (q) sectors not carried yet */
	uint64_t sector;         /* (q) for messages */
	uint64_t stray;          /* (q) interrupts for nobody */
	struct ata_disk disk[UNITS];
};

static struct ata_channel channels[CHANNELS] = {
	{ .io = 0x1f0, .control = 0x3f6, .irq = 14 },
	{ .io = 0x170, .control = 0x376, .irq = 15 },
};

static bool want_dma = true;

static int set_ata(const char *value)
{
	if (value == NULL ||
	    (strcmp(value, "pio") != 0 && strcmp(value, "dma") != 0))
		return -EINVAL;
	want_dma = strcmp(value, "dma") == 0;
	return 0;
}

PARAM(ata, "ata", "=pio|dma: how disks are read, DMA where there is a choice",
      set_ata);

void ata_set_dma(bool on)
{
	WRITE_ONCE(want_dma, on);
}

/* ---- Ports --------------------------------------------------------------- */

static uint8_t read_port(const struct ata_channel *channel, unsigned int port)
{
	return inb((uint16_t)(channel->io + port));
}

static void write_port(const struct ata_channel *channel, unsigned int port,
                       uint64_t value)
{
	outb((uint8_t)value, (uint16_t)(channel->io + port));
}

/* The status without the side effect of ending an interrupt. */
static uint8_t other_status(const struct ata_channel *channel)
{
	return inb(channel->control);
}

/* 400 ns, which a device may take to show a status that is true. */
static void ata_settle(const struct ata_channel *channel)
{
	for (unsigned int i = 0; i < 4; i++)
		other_status(channel);
}

/* Wait until the status bits MASK are VALUE. */
static int ata_wait_status(const struct ata_channel *channel, uint8_t mask,
                           uint8_t value, uint64_t micros)
{
	struct deadline deadline = deadline_in(micros);

	while ((other_status(channel) & mask) != value) {
		if (deadline_passed(&deadline))
			return -ETIMEDOUT;
		arch_relax();
	}
	return 0;
}

/* Wait for the data of a command: 0, -EIO (it failed), -ETIMEDOUT. */
static int wait_data(const struct ata_channel *channel, uint64_t micros)
{
	int error = ata_wait_status(channel, STATUS_BSY, 0, micros);
	uint8_t status = other_status(channel);

	if (error != 0)
		return error;
	if (status & (STATUS_ERR | STATUS_DF))
		return -EIO;
	return status & STATUS_DRQ ? 0 : -EIO;
}

static void write_device(const struct ata_channel *channel, unsigned int unit,
                         uint8_t more)
{
	write_port(channel, DEVICE,
	           DEVICE_ALWAYS | (unit != 0 ? DEVICE_SLAVE : 0) | more);
	ata_settle(channel);
}

/* At boot, and in recover(). */
static int select_unit(const struct ata_channel *channel, unsigned int unit)
{
	int error = ata_wait_status(channel, STATUS_BSY | STATUS_DRQ, 0,
	                            LIMIT_SELECT);

	if (error != 0)
		return error;
	write_device(channel, unit, 0);
	return ata_wait_status(channel, STATUS_BSY | STATUS_DRQ, 0,
	                       LIMIT_SELECT);
}

/* ---- Messages ------------------------------------------------------------ */

/* The names of the bits of VALUE, the highest first. */
static void name_bits(char *text, size_t size, uint8_t value,
                      const char *const names[8])
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned int bit = 8; bit-- > 0;) {
		if (value & (1U << bit))
			at += (size_t)scnprintf(text + at, size - at, " %s",
			                        names[bit]);
	}
}

static void ata_report(const struct ata_channel *channel, uint8_t status,
                       uint8_t bus_master)
{
	static const char *const status_names[8] = { "ERR",  "IDX", "CORR",
		                                     "DRQ",  "DSC", "DF",
		                                     "DRDY", "BSY" };
	static const char *const error_names[8] = { "AMNF", "TK0NF", "ABRT",
		                                    "MCR",  "IDNF",  "MC",
		                                    "UNC",  "ICRC" };
	static struct ratelimit limit = { .interval = 10000000, .burst = 10 };
	uint8_t error = read_port(channel, ERROR);
	const struct bio *bio = channel->queue.in_flight;
	char bits[2][48];

	if (!ratelimit_pass(&limit))
		return;
	name_bits(bits[0], sizeof(bits[0]), status, status_names);
	name_bits(bits[1], sizeof(bits[1]), error, error_names);
	pr_err("%s: %s of sector %llu failed: status 0x%02x%s, error "
	       "0x%02x%s%s\n",
	       channel->active->name,
	       bio->bytes == 0 ? "flush" : (bio->write ? "write" : "read"),
	       (unsigned long long)channel->sector, status, bits[0], error,
	       bits[1],
	       bus_master & BM_ERROR ? ", the bus master failed, too" : "");
}

/* ---- Commands ------------------------------------------------------------ */

/* Sector and count into their ports. */
static void write_address(const struct ata_disk *disk, uint64_t sector,
                          unsigned int count, bool ext)
{
	const struct ata_channel *channel = disk->channel;

	if (ext) {
		write_port(channel, COUNT, count >> 8);
		write_port(channel, LBA_LOW, sector >> 24);
		write_port(channel, LBA_MID, sector >> 32);
		write_port(channel, LBA_HIGH, sector >> 40);
	}
	write_port(channel, COUNT, count);
	write_port(channel, LBA_LOW, sector);
	write_port(channel, LBA_MID, sector >> 8);
	write_port(channel, LBA_HIGH, sector >> 16);
}

static bool needs_ext(const struct ata_disk *disk, uint64_t sector,
                      unsigned int count)
{
	return disk->lba48 && sector + count > SECTORS_28;
}

static void select_sector(const struct ata_disk *disk, uint64_t sector,
                          bool ext)
{
	uint8_t high = ext ? 0 : (uint8_t)(sector >> 24 & 0xf);

	write_device(disk->channel, disk->unit, DEVICE_LBA | high);
}

static void start_flush(struct ata_disk *disk)
{
	disk->channel->transfer = TRANSFER_NONE;
	write_port(disk->channel, COMMAND, disk->flush_ext ? FLUSH_EXT : FLUSH);
}

/* ---- Programmed I/O ------------------------------------------------------ */

static void carry_in(struct ata_channel *channel)
{
	insw(channel->io, channel->at, WORDS);
	channel->at += SECTOR_SIZE;
	channel->left--;
}

static void carry_out(struct ata_channel *channel)
{
	outsw(channel->io, channel->at, WORDS);
	channel->at += SECTOR_SIZE;
	channel->left--;
}

static void start_pio(struct ata_disk *disk, const struct bio *bio, bool ext)
{
	struct ata_channel *channel = disk->channel;

	if (!bio->write) {
		channel->transfer = TRANSFER_IN;
		write_port(channel, COMMAND, ext ? READ_EXT : READ);
		return;
	}
	channel->transfer = TRANSFER_OUT;
	write_port(channel, COMMAND, ext ? WRITE_EXT : WRITE);
	ata_settle(channel);
	/* There is no interrupt for the first sector. */
	channel->phase = PHASE_WRITE;
}

/* The disk is not busy any more: 0, or -EIO, it did not like the command. */
static int write_first_sector(struct ata_channel *channel)
{
	uint8_t status = other_status(channel);

	if ((status & (STATUS_ERR | STATUS_DF)) || !(status & STATUS_DRQ)) {
		ata_report(channel, status, 0);
		return -EIO;
	}
	carry_out(channel);
	return 0;
}

/* ---- Bus-master DMA ------------------------------------------------------ */

static bool can_dma(const struct ata_disk *disk, const struct bio *bio)
{
	uint64_t end = virt_to_phys(page_address(bio->page)) + PAGE_SIZE;

	return want_dma && disk->dma && end <= 4 * GIB;
}

static void bus_master(const struct ata_channel *channel, unsigned int port,
                       uint8_t value)
{
	outb(value, (uint16_t)(channel->bus_master + port));
}

static void start_dma(struct ata_disk *disk, const struct bio *bio, bool ext)
{
	static const uint8_t commands[2][2] = { { READ_DMA, READ_DMA_EXT },
		                                { WRITE_DMA, WRITE_DMA_EXT } };
	struct ata_channel *channel = disk->channel;
	uint8_t direction = bio->write ? 0 : BM_TO_MEMORY;

	channel->transfer = TRANSFER_DMA;
	channel->table->address = (uint32_t)virt_to_phys(channel->at);
	channel->table->bytes = (uint16_t)bio->bytes;
	channel->table->flags = DMA_LAST;
	/* The table, and what is to be written, before the disk may look. */
	dma_wmb();
	bus_master(channel, BM_COMMAND, direction);
	bus_master(channel, BM_STATUS, BM_ERROR | BM_INTERRUPT);
	outl((uint32_t)virt_to_phys(channel->table),
	     (uint16_t)(channel->bus_master + BM_TABLE));
	write_port(channel, COMMAND, commands[bio->write][ext]);
	bus_master(channel, BM_COMMAND, direction | BM_START);
}

/* ---- What the block layer calls ------------------------------------------ */

/* Give the selected disk, which is idle, its command. */
static void ata_command(struct ata_channel *channel)
{
	struct ata_disk *disk = channel->active;
	const struct bio *bio = channel->queue.in_flight;

	channel->phase = PHASE_RUNS;
	if (bio->bytes == 0) {
		start_flush(disk);
		return;
	}
	write_address(disk, channel->sector, channel->left, channel->ext);
	if (can_dma(disk, bio))
		start_dma(disk, bio, channel->ext);
	else
		start_pio(disk, bio, channel->ext);
}

/* Are the status bits MASK 0, or very soon? */
static bool ata_is_ready(const struct ata_channel *channel, uint8_t mask)
{
	for (unsigned int i = 0; i < READY_LOOKS; i++) {
		if ((other_status(channel) & mask) == 0)
			return true;
	}
	return false;
}

/* Advance the request without waiting.  Returns 0, -EIO or -EAGAIN. */
static int ata_advance(struct ata_channel *channel)
{
	if (channel->phase == PHASE_BEGUN) {
		if (!ata_is_ready(channel, STATUS_BSY | STATUS_DRQ))
			return -EAGAIN;
		select_sector(channel->active, channel->sector, channel->ext);
		channel->phase = PHASE_SELECTED;
		channel->phase_since = clock_microseconds();
	}
	if (channel->phase == PHASE_SELECTED) {
		if (!ata_is_ready(channel, STATUS_BSY | STATUS_DRQ))
			return -EAGAIN;
		ata_command(channel);
		channel->phase_since = clock_microseconds();
	}
	if (channel->phase == PHASE_WRITE) {
		if (!ata_is_ready(channel, STATUS_BSY))
			return -EAGAIN;
		channel->phase = PHASE_RUNS;
		return write_first_sector(channel);
	}
	return 0;
}

static int ata_resume(struct block_device *device)
{
	const struct ata_disk *disk = device->driver;
	struct ata_channel *channel = disk->channel;
	int error = ata_advance(channel);

	if (error != -EAGAIN ||
	    clock_microseconds() - channel->phase_since <= LIMIT_READY)
		return error;
	ata_report(channel, other_status(channel), 0);
	return -ETIMEDOUT;
}

static int ata_start(struct block_device *device, struct bio *bio,
                     uint64_t sector)
{
	struct ata_disk *disk = device->driver;
	struct ata_channel *channel = disk->channel;
	unsigned int count = bio->bytes / SECTOR_SIZE;

	channel->active = disk;
	channel->sector = bio->bytes == 0 ? 0 : sector;
	channel->left = count;
	channel->ext = needs_ext(disk, channel->sector, count);
	channel->at = NULL;
	if (bio->bytes != 0)
		channel->at = (uint8_t *)page_address(bio->page) + bio->offset;
	channel->phase = PHASE_BEGUN;
	channel->phase_since = clock_microseconds();
	return ata_advance(channel);
}

static const struct block_ops ata_ops;

/* ---- Interrupts ---------------------------------------------------------- */

enum progress {
	NOT_OURS,
	GOES_ON,
	ENDED,
	FAILED,
};

static enum progress dma_progress(struct ata_channel *channel, uint8_t *status,
                                  uint8_t *master)
{
	*master = inb((uint16_t)(channel->bus_master + BM_STATUS));
	if (!(*master & BM_INTERRUPT))
		return NOT_OURS;
	bus_master(channel, BM_COMMAND, 0);
	*status = read_port(channel, STATUS);
	bus_master(channel, BM_STATUS, BM_ERROR | BM_INTERRUPT);
	/* It says that it has ended; what it wrote is read only now. */
	dma_rmb();
	if ((*master & BM_ERROR) ||
	    (*status & (STATUS_ERR | STATUS_DF | STATUS_DRQ)))
		return FAILED;
	return ENDED;
}

static enum progress pio_progress(struct ata_channel *channel, uint8_t status)
{
	bool ready = (status & STATUS_DRQ) != 0;

	if (status & (STATUS_ERR | STATUS_DF))
		return FAILED;
	switch (channel->transfer) {
	case TRANSFER_IN:
		if (!ready)
			return NOT_OURS;
		carry_in(channel);
		return channel->left == 0 ? ENDED : GOES_ON;
	case TRANSFER_OUT:
		if (channel->left == 0)
			return ready ? FAILED : ENDED;
		if (!ready)
			return NOT_OURS;
		carry_out(channel);
		return GOES_ON;
	case TRANSFER_NONE:
	case TRANSFER_DMA:
		break;
	}
	return ENDED;
}

/* Find out how far the request in flight is, after an interrupt. */
static enum progress ata_look(struct ata_channel *channel)
{
	enum progress progress;
	uint8_t status = 0;
	uint8_t master = 0;

	if (channel->queue.in_flight == NULL || channel->phase != PHASE_RUNS) {
		/* Reading the status makes the disk take the line back. */
		read_port(channel, STATUS);
		return NOT_OURS;
	}
	if (channel->transfer == TRANSFER_DMA) {
		progress = dma_progress(channel, &status, &master);
	} else {
		status = read_port(channel, STATUS);
		progress = status & STATUS_BSY ? NOT_OURS
		                               : pio_progress(channel, status);
	}
	if (progress == FAILED)
		ata_report(channel, status, master);
	return progress;
}

static void ata_interrupt(int irq __unused, void *data)
{
	struct ata_channel *channel = data;
	bool enabled = spin_lock_irqsave(&channel->queue.lock);
	enum progress progress = ata_look(channel);

	if (progress == NOT_OURS)
		channel->stray++;
	else if (progress != GOES_ON)
		block_finish(&channel->queue, progress == ENDED ? 0 : -EIO);
	spin_unlock_irqrestore(&channel->queue.lock, enabled);
	block_run(&channel->queue);
}

/* ---- Reset and identify -------------------------------------------------- */

/* Both disks of the channel forget what they do.  Interrupts of the channel are
 * off afterwards.  0 or -ETIMEDOUT.
 *
 * The status that is waited for is that of the selected disk, and where there
 * is none, it reads as 0, as if the reset were over: so the master is selected
 * first.  A busy disk ignores that, but a busy disk is not absent. */
static int reset(const struct ata_channel *channel)
{
	struct deadline settle;
	struct deadline deadline = deadline_in(LIMIT_RESET);

	if (channel->bus_master != 0)
		bus_master(channel, BM_COMMAND, 0);
	write_port(channel, DEVICE, DEVICE_ALWAYS);
	outb(CONTROL_RESET | CONTROL_NIEN, channel->control);
	for (unsigned int i = 0; i < 10; i++)
		io_wait();
	outb(CONTROL_NIEN, channel->control);
	/* The disks need 2 ms before their status can be believed.  Not asleep:
	 * a machine without a timer would never wake up. */
	settle = deadline_in(2000);
	while (!deadline_passed(&settle))
		arch_relax();
	while (other_status(channel) & STATUS_BSY) {
		if (deadline_passed(&deadline))
			return -ETIMEDOUT;
		arch_relax();
	}
	return 0;
}

static void allow_interrupts(const struct ata_channel *channel)
{
	read_port(channel, STATUS);
	outb(0, channel->control);
}

/* The 256 words that UNIT says about itself, with the channel's interrupts off.
 * 0, -ENODEV (nobody there), or what went wrong. */
static int ata_identify(const struct ata_channel *channel, unsigned int unit,
                        uint16_t *words)
{
	uint8_t status;
	int error = select_unit(channel, unit);

	status = other_status(channel);
	if (status == 0 || status == STATUS_NOBODY)
		return -ENODEV;
	if (error != 0)
		return error;
	write_port(channel, COMMAND, IDENTIFY);
	ata_settle(channel);
	if (other_status(channel) == 0)
		return -ENODEV;
	error = wait_data(channel, LIMIT_IDENTIFY);
	if (error != 0)
		return error;
	insw(channel->io, words, ID_WORDS);
	read_port(channel, STATUS);
	return 0;
}

static int ata_recover(struct block_device *device)
{
	struct ata_disk *disk = device->driver;
	uint16_t words[ID_WORDS] = { 0 };
	int error = reset(disk->channel);

	if (error == 0)
		error = ata_identify(disk->channel, disk->unit, words);
	allow_interrupts(disk->channel);
	return error;
}

static const struct block_ops ata_ops = {
	.start = ata_start,
	.resume = ata_resume,
	.recover = ata_recover,
};

/* ---- Finding disks ------------------------------------------------------- */

/* Two characters a word, the first one in the upper byte; blanks at the end. */
static void read_model(char *model, const uint16_t *words)
{
	unsigned int length = 2 * ID_MODEL_WORDS;

	for (unsigned int i = 0; i < ID_MODEL_WORDS; i++) {
		model[2UL * i] = (char)(words[i] >> 8);
		model[2UL * i + 1] = (char)(words[i] & 0xff);
	}
	while (length > 0 && model[length - 1] == ' ')
		length--;
	model[length] = '\0';
	for (unsigned int i = 0; i < length; i++) {
		if (model[i] < ' ' || model[i] > '~')
			model[i] = '?';
	}
}

/* How many sectors can be named, and by commands of how many bits. */
static uint64_t count_sectors(struct ata_disk *disk, const uint16_t *words)
{
	const uint16_t *short_at = &words[ID_SECTORS];
	const uint16_t *long_at = &words[ID_SECTORS_48];
	uint64_t in_28 = short_at[0] | (uint64_t)short_at[1] << 16;
	uint64_t in_48 = long_at[0] | (uint64_t)long_at[1] << 16 |
	                 (uint64_t)long_at[2] << 32 |
	                 (uint64_t)long_at[3] << 48;

	/* A disk that promises long numbers and counts nothing in them has
	 * short ones. */
	disk->lba48 = disk->lba48 && in_48 != 0;
	return disk->lba48 ? in_48 : min(in_28, (uint64_t)SECTORS_28);
}

/* False, with a message: a disk that cannot be used. */
static bool understand(struct ata_disk *disk, const uint16_t *words)
{
	struct block_device *device = &disk->device;
	uint16_t features = words[ID_FEATURES];

	if ((features & FEATURES_VALID) != FEATURES_ARE)
		features = 0;
	disk->lba48 = (features & HAS_LBA48) != 0;
	disk->flush_ext = (features & HAS_FLUSH_EXT) != 0;
	disk->dma = disk->channel->bus_master != 0 &&
	            (words[ID_CAPABILITIES] & CAN_DMA) != 0;
	read_model(disk->model, &words[ID_MODEL]);
	device->name = disk->name;
	device->sectors = count_sectors(disk, words);
	device->ops = &ata_ops;
	device->driver = disk;
	device->queue = &disk->channel->queue;
	if ((words[ID_CAPABILITIES] & CAN_LBA) == 0 || device->sectors == 0) {
		pr_warn("%s: %s: too old, it counts in cylinders\n", disk->name,
		        disk->model);
		return false;
	}
	pr_info("%s: %s: %llu sectors, %llu MiB, LBA%s, %s\n", disk->name,
	        disk->model, (unsigned long long)device->sectors,
	        (unsigned long long)(device->sectors / (MIB / SECTOR_SIZE)),
	        disk->lba48 ? "48" : "28",
	        want_dma && disk->dma ? "DMA" : "PIO");
	return true;
}

/* Does the channel show the signature of a packet device (ATAPI)? */
static bool is_packet_device(const struct ata_channel *channel)
{
	return read_port(channel, LBA_MID) == 0x14 &&
	       read_port(channel, LBA_HIGH) == 0xeb;
}

/* Is a disk there?  Fills in disk[UNIT]. */
static bool probe_unit(struct ata_channel *channel, unsigned int unit)
{
	struct ata_disk *disk = &channel->disk[unit];
	unsigned int number = (unsigned int)(channel - channels) * UNITS + unit;
	uint16_t words[ID_WORDS] = { 0 };
	int error;

	scnprintf(disk->name, sizeof(disk->name), "hd%c", 'a' + (int)number);
	disk->channel = channel;
	disk->unit = unit;
	if (select_unit(channel, unit) == 0 && is_packet_device(channel)) {
		pr_info("%s: a packet device (CD), which has no driver\n",
		        disk->name);
		return false;
	}
	error = ata_identify(channel, unit, words);
	if (error == 0)
		return understand(disk, words);
	if (error != -ENODEV)
		pr_warn("%s: does not say what it is: %d\n", disk->name, error);
	return false;
}

/* Returns how many disks it has. */
static unsigned int probe_channel(struct ata_channel *channel)
{
	unsigned int disks = 0;

	if (other_status(channel) == STATUS_NOBODY)
		return 0;
	if (reset(channel) != 0) {
		pr_warn("ata: the channel at 0x%x stays busy: given up\n",
		        channel->io);
		return 0;
	}
	for (unsigned int unit = 0; unit < UNITS; unit++) {
		channel->disk[unit].present = probe_unit(channel, unit);
		disks += channel->disk[unit].present;
	}
	return disks;
}

/* Begin to work: the line, the queue, the disks. */
static void register_channel(struct ata_channel *channel)
{
	int error;

	block_queue_init(&channel->queue);
	error = request_irq(channel->irq, ata_interrupt, "ata", channel);
	if (error != 0) {
		pr_err("ata: line %u is not available: %d\n", channel->irq,
		       error);
		return;
	}
	allow_interrupts(channel);
	for (unsigned int unit = 0; unit < UNITS; unit++) {
		struct ata_disk *disk = &channel->disk[unit];

		error = disk->present ? block_register(&disk->device) : 0;
		if (error != 0)
			pr_err("%s: not all of it can be registered: %d\n",
			       disk->name, error);
	}
}

/* The controller's bus master, if it has one: both channels get their half. */
static void find_bus_master(void)
{
	struct pci_function ide;
	struct page *page;
	uint32_t bar;

	if (!pci_find(PCI_CLASS_IDE, &ide))
		return;
	bar = pci_read(&ide, PCI_BAR(4));
	pr_info("ata: PCI %02x:%02x.%u %04x:%04x, interface 0x%02x, bus "
	        "master at 0x%x\n",
	        ide.bus, ide.device, ide.function, ide.vendor_id, ide.device_id,
	        ide.interface, bar & 0xfff0);
	if (!(ide.interface & BM_INTERFACE) || !(bar & PCI_BAR_IO) ||
	    (bar & 0xfff0) == 0 || (ide.interface & NATIVE_INTERFACE))
		return;
	page = alloc_page(GFP_KERNEL | GFP_DMA32);
	if (page == NULL)
		return;
	pci_write(&ide, PCI_COMMAND,
	          (pci_read(&ide, PCI_COMMAND) & 0xffff) | PCI_COMMAND_IO |
	                  PCI_COMMAND_MASTER);
	for (unsigned int i = 0; i < CHANNELS; i++) {
		channels[i].bus_master = (uint16_t)((bar & 0xfff0) + 8 * i);
		channels[i].table = (struct dma_entry *)page_address(page) + i;
	}
}

unsigned int ata_init(void)
{
	unsigned int disks = 0;

	find_bus_master();
	for (unsigned int i = 0; i < CHANNELS; i++)
		disks += probe_channel(&channels[i]);
	if (disks == 0)
		pr_notice("ata: no disk\n");
	return disks;
}

void ata_register(void)
{
	for (unsigned int i = 0; i < CHANNELS; i++) {
		struct ata_channel *channel = &channels[i];

		if (channel->disk[0].present || channel->disk[1].present)
			register_channel(channel);
	}
}

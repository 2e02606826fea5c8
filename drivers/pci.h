/* SPDX-License-Identifier: MIT */
/*
 * drivers/pci.h -- the configuration space of the PCI bus.
 *
 * Mechanism #1: the address of a 32-bit word goes to port 0xcf8, the word is
 * read or written at 0xcfc.
 *
 *	31	1
 *	23..16	bus
 *	15..11	device on the bus
 *	10..8	function of the device
 *	7..2	word
 *
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 and 6.1.
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include "lib/types.h"

#define PCI_ID             0x00 /* vendor, device */
#define PCI_COMMAND        0x04 /* and status in the upper half */
#define PCI_CLASS          0x08 /* revision, interface, subclass, class */
#define PCI_HEADER         0x0c
#define PCI_BAR(n)         (0x10U + 4 * (n))

#define PCI_COMMAND_IO     0x1U
#define PCI_COMMAND_MASTER 0x4U
#define PCI_BAR_IO         0x1U

#define PCI_CLASS_IDE      0x0101 /* mass storage, IDE */

struct pci_function {
	uint8_t bus;
	uint8_t device;
	uint8_t function;
	uint16_t vendor_id;
	uint16_t device_id;
	uint16_t class;    /* class and subclass */
	uint8_t interface; /* programming interface */
};

/* Is there a bus, with mechanism #1?  Thread context. */
bool pci_present(void);

/*
 * The first function of CLASS on bus 0, where the chipset's own devices are.
 * False: there is none, or no bus.  Thread context.
 */
bool pci_find(uint16_t class, struct pci_function *found);

/* The word at OFFSET, a multiple of 4.  Any context but NMI. */
uint32_t pci_read(const struct pci_function *function, unsigned int offset);
void pci_write(const struct pci_function *function, unsigned int offset,
               uint32_t value);

#endif

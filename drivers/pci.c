/* SPDX-License-Identifier: MIT */
/*
 * drivers/pci.c -- looking for a device by what it is.
 *
 * Locking: pci.lock keeps address and data together.
 */
#include "drivers/pci.h"

#include "kernel/arch/io.h"
#include "kernel/core/lock.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ENABLE       0x80000000U

#define DEVICES      32U
#define FUNCTIONS    8U
#define NOBODY       0xffffU
#define HEADER_MULTI 0x00800000U /* the device has several functions */

static struct spinlock lock = SPINLOCK_INIT("pci");

static uint32_t pci_address_of(const struct pci_function *function,
                               unsigned int offset)
{
	return ENABLE | (uint32_t)function->bus << 16 |
	       (uint32_t)function->device << 11 |
	       (uint32_t)function->function << 8 | (offset & 0xfc);
}

uint32_t pci_read(const struct pci_function *function, unsigned int offset)
{
	bool enabled = spin_lock_irqsave(&lock);
	uint32_t value;

	outl(pci_address_of(function, offset), PORT_ADDRESS);
	value = inl(PORT_DATA);
	spin_unlock_irqrestore(&lock, enabled);
	return value;
}

void pci_write(const struct pci_function *function, unsigned int offset,
               uint32_t value)
{
	bool enabled = spin_lock_irqsave(&lock);

	outl(pci_address_of(function, offset), PORT_ADDRESS);
	outl(value, PORT_DATA);
	spin_unlock_irqrestore(&lock, enabled);
}

bool pci_present(void)
{
	bool enabled = spin_lock_irqsave(&lock);
	uint32_t before = inl(PORT_ADDRESS);
	bool present;

	/* The address can be read back; an unused port reads as ones. */
	outl(ENABLE, PORT_ADDRESS);
	present = inl(PORT_ADDRESS) == ENABLE;
	outl(before, PORT_ADDRESS);
	spin_unlock_irqrestore(&lock, enabled);
	return present;
}

/* Fill in what FUNCTION, whose place is known, is.  False: nobody is there. */
static bool pci_identify(struct pci_function *function)
{
	uint32_t id = pci_read(function, PCI_ID);
	uint32_t class = pci_read(function, PCI_CLASS);

	function->vendor_id = (uint16_t)id;
	function->device_id = (uint16_t)(id >> 16);
	function->class = (uint16_t)(class >> 16);
	function->interface = (uint8_t)(class >> 8);
	return function->vendor_id != NOBODY;
}

static bool find_in_device(unsigned int device, uint16_t class,
                           struct pci_function *found)
{
	unsigned int functions = 1;

	for (unsigned int i = 0; i < functions; i++) {
		*found = (struct pci_function){ .device = (uint8_t)device,
			                        .function = (uint8_t)i };
		if (pci_identify(found) && found->class == class)
			return true;
		if (i == 0 && found->vendor_id != NOBODY &&
		    (pci_read(found, PCI_HEADER) & HEADER_MULTI))
			functions = FUNCTIONS;
	}
	return false;
}

bool pci_find(uint16_t class, struct pci_function *found)
{
	if (!pci_present())
		return false;
	for (unsigned int device = 0; device < DEVICES; device++) {
		if (find_in_device(device, class, found))
			return true;
	}
	return false;
}

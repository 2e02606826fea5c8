/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/arch.c -- kernel/arch/arch.h for the real processor, but for what
 * trap.asm says better: arch_wait_for_interrupt(), arch_raise_irq_vector().
 */
#include "kernel/arch/arch.h"

#include "kernel/arch/irqsoff.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"

void arch_irq_enable(void)
{
	irqsoff_end();
	irqsoff_sti();
}

bool irqsoff_save(uintptr_t place)
{
	bool enabled = arch_irq_enabled();

	irqsoff_cli();
	if (irqsoff_measures && enabled)
		irqsoff_begin(place);
	return enabled;
}

void arch_irq_disable(void)
{
	(void)irqsoff_save(RETURN_ADDRESS());
}

bool arch_irq_save(void)
{
	return irqsoff_save(RETURN_ADDRESS());
}

void arch_irq_restore(bool enabled)
{
	if (enabled)
		arch_irq_enable();
	else
		arch_irq_disable();
}

void arch_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

void arch_clear_page(void *address)
{
	uint64_t words = PAGE_SIZE / sizeof(uint64_t);

	__asm__ volatile("rep stosq"
	                 : "+D"(address), "+c"(words)
	                 : "a"(0UL)
	                 : "memory");
}

uint64_t arch_cycles(void)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

__noreturn void arch_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli\n\t"
		                 "hlt"
		                 :
		                 :
		                 : "memory");
}

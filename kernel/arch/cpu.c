/* SPDX-License-Identifier: MIT */
/*
 * kernel/arch/cpu.c -- descriptor tables, interrupt stacks, protections.
 *
 * Long mode has made segments meaningless but for their privilege.  A CPU still
 * wants four things from memory:
 *
 *	GDT	a code segment (0x08), a data segment (0x10), and a TSS (0x18,
 *		two entries long)
 *	TSS	the stacks that a gate of the IDT may ask for by number:
 *		IST1 for #DF, which comes when the current stack is of no use,
 *		and for #MC, after which the kernel panics whatever it did;
 *		IST2 for NMI, which comes between any two instructions
 *	IDT	256 gates, each to its stub in trap.asm; all of them interrupt
 *		gates: the CPU enters with interrupts off
 *	GS.base	the address of its struct cpu, before the IDT is loaded: the
 *		stubs need it
 *
 * A fifth, CR3, is kernel/arch/paging.c's: each CPU has its own root table.
 * GDT and TSS are one each for every CPU, the IDT is for all.  The interrupt
 * stacks of the first CPU are part of the image (linker.ld), with guard pages.
 *
 * The control registers end up as
 *
 *	CR0	PG WP NE ET TS MP PE: the kernel obeys read-only pages; it
 *		has no business in the FPU: an instruction of that kind is #NM
 *	CR4	PAE, and MCE PGE SMEP SMAP UMIP where CPUID has them
 *	EFER	LME LMA, and NXE where CPUID has it
 *
 * Without MCE a machine check would shut the CPU down without a word.  Which
 * errors are reported is as the firmware has left it.
 *
 * Source: Intel SDM vol. 3A, 2.5 "Control Registers", 3.4.5 "Segment
 * Descriptors", 6.14 "Exception and Interrupt Handling in 64-bit Mode", 7.7
 * "Task Management in 64-bit Mode"; vol. 3B, 15.3 "Machine-Check MSRs"; vol. 2A,
 * CPUID.
 */
#include "kernel/arch/cpu.h"

#include "kernel/arch/arch.h"
#include "kernel/arch/image.h"
#include "kernel/arch/percpu.h"
#include "kernel/arch/registers.h"
#include "kernel/arch/trap.h"
#include "lib/format.h"
#include "lib/string.h"

#define SEGMENT_CODE     0x08
#define SEGMENT_DATA     0x10
#define SEGMENT_TSS      0x18

/* Present, ring 0; code: readable, long mode; data: writable. */
#define DESCRIPTOR_CODE  0x00209a0000000000UL
#define DESCRIPTOR_DATA  0x0000920000000000UL
/* Present, ring 0, available 64-bit TSS. */
#define DESCRIPTOR_TSS   0x0000890000000000UL

#define GATE_INTERRUPT   0x8e /* present, ring 0, interrupts off */
#define VECTORS          256
#define STUB_BYTES       16 /* trap.asm */

#define IST_DOUBLE_FAULT 1
#define IST_NMI          2

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* IST1 is ist[0] */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __packed;

static_assert(sizeof(struct tss) == 104, "Intel SDM vol. 3A, figure 7-11");

struct gate {
	uint16_t address_low;
	uint16_t segment;
	uint8_t ist;
	uint8_t type;
	uint16_t address_middle;
	uint32_t address_high;
	uint32_t reserved;
};

static_assert(sizeof(struct gate) == 16, "Intel SDM vol. 3A, figure 6-8");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __packed;

/* One CPU's tables. */
struct cpu_tables {
	uint64_t gdt[5];
	struct tss tss;
} __aligned(16);

extern const char trap_stubs[];

struct cpu cpu_data[MAX_CPUS];

static struct cpu_tables cpu_tables[MAX_CPUS];
static struct gate idt[VECTORS] __aligned(16);

static bool features[CPU_FEATURES];
static char description[128];

/* ---- Features ---------------------------------------------------------- */

bool cpu_has(enum cpu_feature feature)
{
	return features[feature];
}

const char *cpu_feature_name(enum cpu_feature feature)
{
	static const char *const names[CPU_FEATURES] = {
		[CPU_NX] = "nx",     [CPU_PGE] = "pge",   [CPU_MCE] = "mce",
		[CPU_SMEP] = "smep", [CPU_SMAP] = "smap", [CPU_UMIP] = "umip",
	};

	return feature < CPU_FEATURES ? names[feature] : "?";
}

static bool bit(uint32_t word, unsigned int number)
{
	return (word >> number) & 1;
}

static void detect_features(void)
{
	uint32_t leaves = read_cpuid(0, 0).eax;

	features[CPU_MCE] = bit(read_cpuid(1, 0).edx, 7);
	features[CPU_PGE] = bit(read_cpuid(1, 0).edx, 13);
	features[CPU_NX] = bit(read_cpuid(0x80000001U, 0).edx, 20);
	if (leaves < 7)
		return;
	features[CPU_SMEP] = bit(read_cpuid(7, 0).ebx, 7);
	features[CPU_SMAP] = bit(read_cpuid(7, 0).ebx, 20);
	features[CPU_UMIP] = bit(read_cpuid(7, 0).ecx, 2);
}

static void enable_features(void)
{
	uint64_t cr4 = CR4_PAE;

	if (cpu_has(CPU_MCE))
		cr4 |= CR4_MCE;
	if (cpu_has(CPU_PGE))
		cr4 |= CR4_PGE;
	if (cpu_has(CPU_SMEP))
		cr4 |= CR4_SMEP;
	if (cpu_has(CPU_SMAP))
		cr4 |= CR4_SMAP;
	if (cpu_has(CPU_UMIP))
		cr4 |= CR4_UMIP;
	write_cr4(cr4);
	/* PWT without PCD means write-combining; the other three are as after a reset. */
	if (bit(read_cpuid(1, 0).edx, 16))
		write_msr(MSR_PAT, PAT_COMBINING);
	if (cpu_has(CPU_NX))
		write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_TS | CR0_MP | CR0_PE);
}

/* The brand string of CPUID, without the blanks some have in front. */
static void read_brand(char brand[49])
{
	const char *text = brand;

	memset(brand, 0, 49);
	if (read_cpuid(0x80000000U, 0).eax >= 0x80000004U) {
		for (uint32_t i = 0; i < 3; i++) {
			struct cpuid part = read_cpuid(0x80000002U + i, 0);

			memcpy(brand + i * sizeof(part), &part, sizeof(part));
		}
	}
	while (*text == ' ')
		text++;
	memmove(brand, text, strlen(text) + 1);
}

/* Append the names of the features that are present, or absent. */
static void append_features(bool present)
{
	for (unsigned int i = 0; i < CPU_FEATURES; i++) {
		size_t length = strlen(description);

		if (features[i] == present)
			scnprintf(description + length,
			          sizeof(description) - length, " %s",
			          cpu_feature_name((enum cpu_feature)i));
	}
}

static void cpu_describe(void)
{
	char brand[49];
	size_t length;

	read_brand(brand);
	scnprintf(description, sizeof(description),
	          "%s:", brand[0] != '\0' ? brand : "a CPU without a name");
	append_features(true);
	length = strlen(description);
	scnprintf(description + length, sizeof(description) - length,
	          ", without");
	append_features(false);
	if (strcmp(description + length, ", without") == 0)
		description[length] = '\0';
}

const char *cpu_description(void)
{
	return description;
}

/* ---- Machine checks ------------------------------------------------------ */

bool cpu_machine_check(struct machine_check *error)
{
	uint64_t banks = 0;

	/* MCA: are there banks at all? */
	if (bit(read_cpuid(1, 0).edx, 14))
		banks = read_msr(MSR_MCG_CAP) & MCG_CAP_BANKS;
	for (uint32_t bank = 0; bank < banks; bank++) {
		uint64_t status = read_msr(MSR_MC_STATUS(bank));

		if (!(status & MC_STATUS_VALID))
			continue;
		*error = (struct machine_check){ bank, status, -1UL };
		if (status & MC_STATUS_ADDRV)
			error->address = read_msr(MSR_MC_ADDR(bank));
		return true;
	}
	return false;
}

/* ---- Tables -------------------------------------------------------------- */

static void set_gate(unsigned int vector, unsigned int ist)
{
	uint64_t address =
		(uint64_t)(uintptr_t)(trap_stubs + (size_t)vector * STUB_BYTES);

	idt[vector] = (struct gate){
		.address_low = (uint16_t)address,
		.segment = SEGMENT_CODE,
		.ist = (uint8_t)ist,
		.type = GATE_INTERRUPT,
		.address_middle = (uint16_t)(address >> 16),
		.address_high = (uint32_t)(address >> 32),
	};
}

static void fill_idt(void)
{
	for (unsigned int vector = 0; vector < VECTORS; vector++)
		set_gate(vector, 0);
	set_gate(VECTOR_DOUBLE_FAULT, IST_DOUBLE_FAULT);
	/* It does not return, so it may take the stack away from a #DF. */
	set_gate(VECTOR_MACHINE_CHECK, IST_DOUBLE_FAULT);
	set_gate(VECTOR_NMI, IST_NMI);
}

static void fill_tables(struct cpu_tables *tables, const char *double_fault_top,
                        const char *nmi_top)
{
	uint64_t base = (uint64_t)(uintptr_t)&tables->tss;

	tables->tss = (struct tss){
		.ist = { [IST_DOUBLE_FAULT - 1] =
		                 (uint64_t)(uintptr_t)double_fault_top,
		         [IST_NMI - 1] = (uint64_t)(uintptr_t)nmi_top },
		.io_map_base = sizeof(struct tss),
	};
	tables->gdt[0] = 0;
	tables->gdt[SEGMENT_CODE / 8] = DESCRIPTOR_CODE;
	tables->gdt[SEGMENT_DATA / 8] = DESCRIPTOR_DATA;
	tables->gdt[SEGMENT_TSS / 8] =
		DESCRIPTOR_TSS | (sizeof(struct tss) - 1) |
		(base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	tables->gdt[SEGMENT_TSS / 8 + 1] = base >> 32;
}

/* Loads GDT and TSS; every segment register is this GDT's afterwards. */
static void load_tables(struct cpu_tables *tables)
{
	struct table_pointer gdt_pointer = { sizeof(tables->gdt) - 1,
		                             (uint64_t)(uintptr_t)tables->gdt };

	__asm__ volatile("lgdt %0\n\t"
	                 "pushq %1\n\t"
	                 "leaq 1f(%%rip), %%rax\n\t"
	                 "pushq %%rax\n\t"
	                 "lretq\n"
	                 "1:\n\t"
	                 "movl %2, %%eax\n\t"
	                 "movl %%eax, %%ds\n\t"
	                 "movl %%eax, %%es\n\t"
	                 "movl %%eax, %%ss\n\t"
	                 "xorl %%eax, %%eax\n\t"
	                 "movl %%eax, %%fs\n\t"
	                 "movl %%eax, %%gs"
	                 :
	                 : "m"(gdt_pointer), "i"(SEGMENT_CODE),
	                   "i"(SEGMENT_DATA)
	                 : "rax", "memory");
	__asm__ volatile("ltr %w0" : : "r"(SEGMENT_TSS) : "memory");
}

static void load_idt(void)
{
	struct table_pointer idt_pointer = { sizeof(idt) - 1,
		                             (uint64_t)(uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(idt_pointer) : "memory");
}

/* GS.base points at CPU from now on. */
static void load_gs(struct cpu *cpu)
{
	write_msr(MSR_GS_BASE, (uint64_t)(uintptr_t)cpu);
}

/* An NMI may come between the two: the directories that its stub finds through GS are
 * reached by addresses that all roots have. */
void cpu_become(unsigned int id)
{
	write_cr3(cpu_data[id].root);
	load_gs(&cpu_data[id]);
}

void cpu_init(void)
{
	fill_idt();
	fill_tables(&cpu_tables[0], double_fault_stack_top, nmi_stack_top);
	load_tables(&cpu_tables[0]);
	for (unsigned int id = 0; id < MAX_CPUS; id++) {
		cpu_data[id].self = &cpu_data[id];
		cpu_data[id].id = id;
		cpu_data[id].preempt = PREEMPT_NO_RESCHED;
	}
	load_gs(&cpu_data[0]);
	load_idt();
	detect_features();
	enable_features();
	cpu_describe();
}

__noreturn void arch_reboot(void)
{
	struct table_pointer nothing = { 0, 0 };

	__asm__ volatile("cli\n\t"
	                 "lidt %0\n\t"
	                 "int3"
	                 :
	                 : "m"(nothing));
	arch_halt_forever();
}

; SPDX-License-Identifier: MIT
;
; boot/boot.asm -- from the loader's 32-bit world to kmain() in the higher half.
;
; A multiboot2 loader enters at boot_entry: protected mode, paging off,
; interrupts off, eax = a magic number, ebx = the boot information (physical).
; Three things stand between that and 64-bit C:
;
;	the CPU		it has CPUID, a TSC and long mode
;	page tables	the first GiB at two places, in 2 MiB entries:
;
;		0000'0000'0000'0000 -+
;		                     +--> physical 0 .. 1 GiB
;		ffff'ffff'8000'0000 -+
;
;			and the last GiB of addresses is for a framebuffer
;
;	a mode switch	CR4.PAE, CR3, EFER.LME, CR0.PG, and a far jump into a
;			64-bit code segment, in this order
;
; This code itself runs in the lower mapping while paging is being enabled; both
; are gone after paging_switch(), and the page allocator then gets the frames of
; this file, except boot_high (see linker.ld).
;
; On a CPU without these, it prints a sentence on the screen and on COM1, and
; stops.  A fault prints one, too: boot/early.asm.  `crumb` names the next step.
;
; One of the 2 MiB entries is split into 4 KiB entries, one of which is empty: the
; guard page below the boot stack.
;
; Sources: Multiboot2 Specification 2.0, 3.1 "OS image format" and 3.3 "I386
; machine state"; Intel SDM vol. 3A, 9.8.5 "Initializing IA-32e Mode".

%include "boot/early.inc"

MAGIC_HEADER		equ 0xe85250d6
MAGIC_LOADER		equ 0x36d76289
HEADER_FRAMEBUFFER	equ 5
HEADER_OPTIONAL		equ 1

TABLE_BYTES		equ 4096
ENTRIES			equ 512
PRESENT_WRITABLE	equ 0x03
LARGE			equ 0x80	; a 2 MiB entry
KERNEL_PDPT_INDEX	equ 510		; of ffff'ffff'8000'0000

CR0_PG			equ 1 << 31
CR0_WP			equ 1 << 16
CR4_PAE			equ 1 << 5
MSR_EFER		equ 0xc0000080
EFER_LME		equ 1 << 8
EFER_NXE		equ 1 << 11

FLAG_ID			equ 1 << 21	; EFLAGS: if it can be changed, there is CPUID
CPUID_TSC		equ 1 << 4	; leaf 1, edx
CPUID_NX		equ 1 << 20	; leaf 80000001h, edx
CPUID_LONG_MODE		equ 1 << 29	; the same

PAGE_BITS		equ 12
LARGE_BITS		equ 21

extern kmain
extern boot_begin, load_end_physical, image_end_physical
extern boot_stack_top, boot_stack_top_physical, boot_stack_guard_physical
extern boot_crumb
extern early_begin, early_crumb, early_idt64, early_stop, early_tss64_load
global boot_entry, boot_high, boot_pixels, loader_info, loader_magic

; Name the step that begins now, for the debug console, COM1 and the report of a
; fault.  Changes eax, ecx, edx, esi, edi.
%macro crumb 1
	mov esi, %%word
	call early_crumb
section .boot.rodata
%%word:
	db %1, 0
section .boot.text
%endmacro

; ---------------------------------------------------------------------------
section .boot.header progbits alloc noexec nowrite align=8

; By the address tag GRUB takes the image as one piece, as it lies in the file.  Segments
; of ELF it reads one by one, with each in its cache of the disc while it looks for room
; for the next: the image would need almost twice its memory.
header:
	dd MAGIC_HEADER, 0		; i386, protected mode
	dd header_end - header
	dd -(MAGIC_HEADER + (header_end - header))
	dw 2, 0				; address tag: the header is here,
	dd 24, header			; and what is loaded, and cleared
	dd boot_begin, load_end_physical, image_end_physical
	dw 3, 0				; entry tag
	dd 12, boot_entry
	align 8, db 0
	; A picture, if the machine can draw one.  iso/mktext takes that back.
	dw HEADER_FRAMEBUFFER, HEADER_OPTIONAL
	dd 20, 1024, 768, 32
	align 8, db 0
	dw 0, 0				; the end tag
	dd 8
header_end:

; ---------------------------------------------------------------------------
section .boot.text progbits alloc exec nowrite align=16
bits 32

boot_entry:
	cli
	cld
	mov esp, boot_stack_top_physical
	mov [loader_magic], eax
	mov [loader_info], ebx

	call early_begin
	crumb "entry"
	call check_cpuid
	rdtsc
	mov [entry_cycles], eax
	mov [entry_cycles + 4], edx
	cmp dword [loader_magic], MAGIC_LOADER
	mov esi, text_no_loader
	jne early_stop
	call check_long_mode
	crumb "tables"
	call make_tables
	crumb "paging"
	call enter_long_mode
	call early_idt64
	crumb "long"
	jmp SEGMENT_CODE64:boot_long

; Stops if the CPU has no CPUID, or no time-stamp counter.
check_cpuid:
	pushfd
	pop eax
	mov ecx, eax
	xor eax, FLAG_ID
	push eax
	popfd
	pushfd
	pop eax
	xor eax, ecx
	test eax, FLAG_ID
	mov esi, text_no_cpuid
	jz early_stop

	mov eax, 1
	cpuid
	test edx, CPUID_TSC
	mov esi, text_no_tsc
	jz early_stop
	ret

; Stops if the CPU has no long mode; otherwise extended_features is filled in.
check_long_mode:
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	mov esi, text_no_long_mode
	jb early_stop
	mov eax, 0x80000001
	cpuid
	mov [extended_features], edx
	test edx, CPUID_LONG_MODE
	jz early_stop
	ret

make_tables:
	mov edi, tables
	mov ecx, (tables_end - tables) / 4
	xor eax, eax
	rep stosd

	mov dword [pml4], pdpt_low + PRESENT_WRITABLE
	mov dword [pml4 + (ENTRIES - 1) * 8], pdpt_high + PRESENT_WRITABLE
	mov dword [pdpt_low], directory + PRESENT_WRITABLE
	mov dword [pdpt_high + KERNEL_PDPT_INDEX * 8], \
		directory + PRESENT_WRITABLE
	mov dword [pdpt_high + (ENTRIES - 1) * 8], boot_pixels + PRESENT_WRITABLE

	mov eax, PRESENT_WRITABLE | LARGE
	xor ecx, ecx
.next:
	mov [directory + ecx * 8], eax
	add eax, 2 << 20
	inc ecx
	cmp ecx, ENTRIES
	jne .next

	; Map the 2 MiB with the boot stack's guard page again, without that page.
	mov ecx, boot_stack_guard_physical
	shr ecx, LARGE_BITS
	mov dword [directory + ecx * 8], guard_table + PRESENT_WRITABLE
	mov eax, ecx
	shl eax, LARGE_BITS
	or eax, PRESENT_WRITABLE
	xor ecx, ecx
.small:
	mov [guard_table + ecx * 8], eax
	add eax, 1 << PAGE_BITS
	inc ecx
	cmp ecx, ENTRIES
	jne .small
	mov ecx, boot_stack_guard_physical
	shr ecx, PAGE_BITS
	and ecx, ENTRIES - 1
	mov dword [guard_table + ecx * 8], 0
	ret

; Afterwards: compatibility mode, 32-bit code under 64-bit page tables.
enter_long_mode:
	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, pml4
	mov cr3, eax

	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	test dword [extended_features], CPUID_NX
	jz .no_nx
	or eax, EFER_NXE
.no_nx:
	wrmsr

	mov eax, cr0
	or eax, CR0_PG | CR0_WP
	mov cr0, eax
	ret

bits 64

boot_long:
	call early_tss64_load
	mov rax, boot_high
	jmp rax

; ---------------------------------------------------------------------------
section .boot.rodata progbits alloc noexec nowrite align=8

text_no_loader:
	db "Labyrinth must be started by a multiboot2 loader such as GRUB."
	db 13, 10, 0
text_no_cpuid:
	db "Labyrinth needs a 64-bit CPU; this one does not even have CPUID."
	db 13, 10, 0
text_no_tsc:
	db "Labyrinth needs a 64-bit CPU; this one has no time-stamp counter."
	db 13, 10, 0
text_no_long_mode:
	db "Labyrinth needs a 64-bit CPU; this one has no long mode.", 13, 10, 0

; ---------------------------------------------------------------------------
section .boot.tables progbits alloc noexec write align=4096

tables:
pml4:		times TABLE_BYTES db 0
pdpt_low:	times TABLE_BYTES db 0
pdpt_high:	times TABLE_BYTES db 0
directory:	times TABLE_BYTES db 0
guard_table:	times TABLE_BYTES db 0
boot_pixels:	times TABLE_BYTES db 0	; for kernel/arch/paging.c
tables_end:

entry_cycles:	dq 0
loader_magic:	dd 0
loader_info:	dd 0
extended_features: dd 0

; ---------------------------------------------------------------------------
section .text

; In the higher half, on the boot stack, whose last word ends backtraces.
boot_high:
	xor eax, eax
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov fs, eax
	mov gs, eax
	mov rsp, boot_stack_top
	xor ebp, ebp
	push rbp
	push rbp
	mov rdi, word_high
	call boot_crumb
	mov edi, [abs loader_magic]
	mov esi, [abs loader_info]
	mov rdx, [abs entry_cycles]
	call kmain
	ud2

section .rodata
word_high:
	db "high", 0

; SPDX-License-Identifier: MIT
;
; boot/boot.asm -- from the loader's 32-bit world to kmain() in the higher half.
;
; A multiboot2 loader enters at boot_entry: protected mode, paging off,
; interrupts off, eax = a magic number, ebx = the boot information (physical).
; Three things stand between that and 64-bit C:
;
;	a CPU that can	CPUID is there, and it says TSC and long mode
;	page tables	the first GiB at two places, in 2 MiB entries:
;
;		0000'0000'0000'0000 -+
;		                     +--> physical 0 .. 1 GiB
;		ffff'ffff'8000'0000 -+
;
;	a mode switch	CR4.PAE, CR3, EFER.LME, CR0.PG, and a far jump into a
;			64-bit code segment, in this order
;
; The lower of the two places is where this code itself runs while paging goes
; on; both are gone after paging_switch(), and all of this file but boot_high
; lies in frames that the page allocator gets then (see linker.ld).
;
; A CPU that cannot gets a sentence on the screen and on COM1, and stops.
;
; Sources: Multiboot2 Specification 2.0, 3.1 "OS image format" and 3.3 "I386
; machine state"; Intel SDM vol. 3A, 9.8.5 "Initializing IA-32e Mode".

MAGIC_HEADER		equ 0xe85250d6
MAGIC_LOADER		equ 0x36d76289

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

FLAG_ID			equ 1 << 21	; EFLAGS: it can be changed: CPUID
CPUID_TSC		equ 1 << 4	; leaf 1, edx
CPUID_NX		equ 1 << 20	; leaf 80000001h, edx
CPUID_LONG_MODE		equ 1 << 29	; the same

SEGMENT_CODE64		equ 0x08

VGA_TEXT		equ 0xb8000
VGA_CELLS		equ 80 * 25
VGA_WHITE		equ 0x0f
COM1			equ 0x3f8
COM1_POLLS		equ 100000	; then the port is taken for absent

extern kmain
extern boot_stack_top
extern boot_stack_top_physical
global boot_entry
global boot_high

; ---------------------------------------------------------------------------
section .boot.header progbits alloc noexec nowrite align=8

header:
	dd MAGIC_HEADER
	dd 0				; i386, protected mode
	dd header_end - header
	dd -(MAGIC_HEADER + (header_end - header))
	dw 0, 0				; the end tag: nothing is asked for,
	dd 8				; so the screen stays in text mode
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

	call check_cpuid
	rdtsc
	mov [entry_cycles], eax
	mov [entry_cycles + 4], edx
	cmp dword [loader_magic], MAGIC_LOADER
	mov esi, text_no_loader
	jne stop_with_text
	call check_long_mode
	call make_tables
	call enter_long_mode
	lgdt [gdt_pointer]
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
	jz stop_with_text

	mov eax, 1
	cpuid
	test edx, CPUID_TSC
	mov esi, text_no_tsc
	jz stop_with_text
	ret

; Stops if the CPU has no long mode; otherwise extended_features is filled in.
check_long_mode:
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	mov esi, text_no_long_mode
	jb stop_with_text
	mov eax, 0x80000001
	cpuid
	mov [extended_features], edx
	test edx, CPUID_LONG_MODE
	jz stop_with_text
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

	mov eax, PRESENT_WRITABLE | LARGE
	xor ecx, ecx
.next:
	mov [directory + ecx * 8], eax
	add eax, 2 << 20
	inc ecx
	cmp ecx, ENTRIES
	jne .next
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

; Write the text at esi in the first line of an empty screen and to COM1; stop.
stop_with_text:
	mov edi, VGA_TEXT
	mov ecx, VGA_CELLS
	mov eax, (VGA_WHITE << 8) | ' '
	rep stosw
	mov edi, VGA_TEXT
	call prepare_com1
.next:
	lodsb
	test al, al
	jz .stop
	cmp al, ' '
	jb .serial_only			; line ends are for COM1
	mov ah, VGA_WHITE
	stosw
.serial_only:
	call write_com1
	jmp .next
.stop:
	hlt
	jmp .stop

; 115200 baud, 8N1, no interrupts.
prepare_com1:
	push esi
	mov esi, com1_settings
	mov ecx, (com1_settings_end - com1_settings) / 2
.next:
	movzx edx, byte [esi]
	add edx, COM1
	mov al, [esi + 1]
	out dx, al
	add esi, 2
	loop .next
	pop esi
	ret

; The character al, as soon as the port takes it.
write_com1:
	mov ah, al
	mov ecx, COM1_POLLS
.wait:
	mov dx, COM1 + 5
	in al, dx
	test al, 0x20
	loopz .wait
	mov dx, COM1
	mov al, ah
	out dx, al
	ret

bits 64

boot_long:
	mov rax, boot_high
	jmp rax

; ---------------------------------------------------------------------------
section .boot.rodata progbits alloc noexec nowrite align=8

; An empty descriptor and a 64-bit code segment: long mode ignores the rest.
gdt:
	dq 0
	dq 0x00209a0000000000		; present, code, readable, long
gdt_end:

gdt_pointer:
	dw gdt_end - gdt - 1
	dq gdt

; Pairs of register and value: no interrupts; divisor 1; 8N1; FIFO; DTR, RTS.
com1_settings:
	db 1, 0x00, 3, 0x80, 0, 0x01, 1, 0x00, 3, 0x03, 2, 0x07, 4, 0x03
com1_settings_end:

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
section .boot.tables nobits alloc noexec write align=4096

tables:
pml4:		resb TABLE_BYTES
pdpt_low:	resb TABLE_BYTES
pdpt_high:	resb TABLE_BYTES
directory:	resb TABLE_BYTES
tables_end:

entry_cycles:	resq 1
loader_magic:	resd 1
loader_info:	resd 1
extended_features: resd 1

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
	mov edi, [abs loader_magic]
	mov esi, [abs loader_info]
	mov rdx, [abs entry_cycles]
	call kmain
	ud2

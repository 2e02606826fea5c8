; SPDX-License-Identifier: MIT
;
; boot/early.asm -- a voice and ears before there is a kernel.
;
; A fault for which the CPU finds no handler resets the machine: a triple fault,
; which leaves no trace.  So early_begin runs first after the loader's jump, and
; until the kernel has handlers (kernel/core/fault.c) each exception ends here,
; with one sentence:
;
;	boot died: vector 14 (#PF), error 0x10, ip 0xffffffff80108000,
;	cr2 0xffffffff80108000, in the 64-bit phase, after "long"
;
; on COM1, on port 0xE9 (the debug console of QEMU and Bochs) and on the screen,
; which is the VGA's text or, if the loader has set up a framebuffer below 4 GiB, drawn
; in white pixels with the kernel's font.
; Then the CPU halts; nothing reboots.
;
; Breadcrumbs.  Each step of the boot prints a word when it begins; the last word
; names the step in progress.  The words go to port 0xE9 and to COM1, where they
; form one line; after the serial driver has taken over COM1, they go to port 0xE9
; only (kernel/arch/crumb.c).
;
; One reporter, in 32-bit code, serves every phase.  A fault in 64-bit code saves
; its data and switches to compatibility mode, in which the same code runs.  It turns
; paging off, because the tables do not map the framebuffer there.
;
;	phase		IDT	gates			#DF
;	32-bit		idt32	8 bytes, interrupt	a task gate: tss_fault
;	64-bit		idt64	16 bytes, interrupt	IST1 of tss64
;
; A double fault gets a separate stack, since its usual reason is a bad stack.  The
; 32-bit stack is bounded by its segment limit (expand-down), the 64-bit one by a
; guard page.  Two kinds of faults are not caught: one between CR0.PG and the lidt
; after it, and one before early_begin has finished.
;
; A timer interrupt before the 8259 is remapped arrives as vector 8, too, but
; without an error code.  That of #DF is always 0, so a nonzero word in its place
; is an address, and the sentence says "irq 0".
;
; Sources: Intel SDM vol. 3A, 3.4.5 "Segment Descriptors", 6.11 "IDT
; Descriptors", 6.12.2 "Interrupt Tasks", 6.14.5 "Interrupt Stack Table", 7.2
; "Task Management Data Structures".

%include "boot/early.inc"

VECTORS			equ 32
STUB_BYTES		equ 16
VECTOR_DF		equ 8

GATE_INTERRUPT		equ 0x8e00
GATE_TASK		equ 0x8500
IST_DF			equ 1

TSS_BYTES		equ 104
TSS_EIP			equ 32		; in a 32-bit TSS
TSS_EFLAGS		equ 36
TSS_ESP			equ 56
TSS_ES			equ 72
TSS_CS			equ 76
TSS_SS			equ 80
TSS_DS			equ 84
TSS_IO_MAP		equ 102
TSS64_IST1		equ 36
EFLAGS_FIXED		equ 2		; the bit that is always 1

EARLY_STACK_BYTES	equ 1024
DEBUG_CONSOLE		equ 0xe9
VGA_TEXT		equ 0xb8000
VGA_CELLS		equ 80 * 25
VGA_WHITE		equ 0x0f
COM1			equ 0x3f8
COM1_READY		equ 0x20
COM1_POLLS		equ 100000	; then the port counts as absent
LOW_HALF		equ 0x7fffffff	; kernel addresses to physical ones
CR0_PG			equ 1 << 31

; The boot information and its tag of the framebuffer: Multiboot2 Specification 2.0, 3.6.
MAGIC_LOADER		equ 0x36d76289
INFO_TAGS		equ 8
TAG_FRAMEBUFFER		equ 8
TAG_SIZE		equ 4
PIXELS_ADDRESS		equ 8
PIXELS_PITCH		equ 16
PIXELS_WIDTH		equ 20
PIXELS_HEIGHT		equ 24
PIXELS_BITS		equ 28
PIXELS_KIND		equ 29
PIXELS_DIRECT		equ 1

; drivers/font.h
FONT_FIRST		equ ' '
FONT_OTHER		equ 95
FONT_WIDTH		equ 8
FONT_HEIGHT		equ 16

extern boot_stack_bottom_physical
extern boot_crumb_last_physical
extern font_physical
extern image_end_physical
extern loader_info
extern loader_magic
global early_begin
global early_idt64
global early_tss64_load
global early_end
global early_gdt_pointer
global early_crumb
global early_stop

; ---------------------------------------------------------------------------
section .boot.text progbits alloc exec nowrite align=16
bits 32

; A GDT, handlers for the exceptions of 32-bit code, and a serial port.  Called
; first; returns on the same stack, whose segment has a limit now.
early_begin:
	mov eax, tss32
	mov edi, gdt + SEGMENT_TSS32
	call set_base
	mov eax, tss_fault
	mov edi, gdt + SEGMENT_TSS_FAULT
	call set_base
	mov eax, tss64
	mov edi, gdt + SEGMENT_TSS64
	call set_base
	; Offsets above the limit are the valid ones.
	mov eax, boot_stack_bottom_physical
	shr eax, 12
	dec eax
	mov [gdt + SEGMENT_STACK32], ax

	lgdt [early_gdt_pointer]
	jmp SEGMENT_CODE32:.ours
.ours:
	mov eax, SEGMENT_DATA
	mov ds, eax
	mov es, eax
	mov fs, eax
	mov gs, eax
	mov eax, SEGMENT_STACK32
	mov ss, eax

	call fill_tss
	call fill_idt32
	lidt [idt32_pointer]
	mov eax, SEGMENT_TSS32
	ltr ax
	call fill_idt64
	jmp prepare_com1

; Store the base eax in the descriptor at edi.
set_base:
	mov [edi + 2], ax
	shr eax, 16
	mov [edi + 4], al
	mov [edi + 7], ah
	ret

; tss32 receives the registers of the code that #DF interrupts, tss_fault has
; those of double_fault32; tss64 has one stack.
fill_tss:
	mov edi, tss_begin
	mov ecx, (tss_end - tss_begin) / 4
	xor eax, eax
	rep stosd
	mov dword [tss_fault + TSS_EIP], double_fault32
	mov dword [tss_fault + TSS_EFLAGS], EFLAGS_FIXED
	mov dword [tss_fault + TSS_ESP], early_stack_top
	mov dword [tss_fault + TSS_ES], SEGMENT_DATA
	mov dword [tss_fault + TSS_CS], SEGMENT_CODE32
	mov dword [tss_fault + TSS_SS], SEGMENT_DATA
	mov dword [tss_fault + TSS_DS], SEGMENT_DATA
	mov word [tss_fault + TSS_IO_MAP], TSS_BYTES
	mov dword [tss64 + TSS64_IST1], early_stack_top
	mov word [tss64 + TSS_IO_MAP], TSS_BYTES
	ret

fill_idt32:
	mov edi, idt32
	mov eax, stubs32
.next:
	mov edx, eax
	and edx, 0xffff
	or edx, SEGMENT_CODE32 << 16
	mov [edi], edx
	mov edx, eax
	mov dx, GATE_INTERRUPT
	mov [edi + 4], edx
	add eax, STUB_BYTES
	add edi, 8
	cmp edi, idt32_end
	jne .next
	mov dword [idt32 + VECTOR_DF * 8], SEGMENT_TSS_FAULT << 16
	mov dword [idt32 + VECTOR_DF * 8 + 4], GATE_TASK
	ret

fill_idt64:
	mov edi, idt64
	mov eax, stubs64
.next:
	mov edx, eax
	and edx, 0xffff
	or edx, SEGMENT_CODE64 << 16
	mov [edi], edx
	mov edx, eax
	mov dx, GATE_INTERRUPT
	mov [edi + 4], edx
	mov dword [edi + 8], 0
	mov dword [edi + 12], 0
	add eax, STUB_BYTES
	add edi, 16
	cmp edi, idt64_end
	jne .next
	mov byte [idt64 + VECTOR_DF * 16 + 4], IST_DF
	ret

; Load the IDT of long mode, as soon as long mode is active: still 32-bit code.
early_idt64:
	lidt [idt64_pointer]
	ret

; ---- Printing --------------------------------------------------------------

; 115200 baud, 8N1, no interrupts.  The FIFOs stay as they are: bytes already
; received wait for drivers/uart.c.
prepare_com1:
	mov esi, com1_settings
	mov ecx, (com1_settings_end - com1_settings) / 2
.next:
	movzx edx, byte [esi]
	add edx, COM1
	mov al, [esi + 1]
	out dx, al
	add esi, 2
	loop .next
	ret

; Print the word at esi and a blank: the step that begins.
early_crumb:
	mov [boot_crumb_last_physical], esi
	xor edi, edi
	call put_text
	mov al, ' '

; Print the character al; if edi != 0, also on the screen at edi.  Changes eax,
; ecx, edx.
put_char:
	mov ah, al
	out DEBUG_CONSOLE, al
	mov ecx, COM1_POLLS
.wait:
	mov dx, COM1 + 5
	in al, dx
	test al, COM1_READY
	loopz .wait
	mov dx, COM1
	mov al, ah
	out dx, al
	test edi, edi
	jz .done
	cmp al, ' '
	jb .done			; line ends are not for the screen
	cmp dword [pixels], 0
	jne put_glyph
	mov ah, VGA_WHITE
	stosw
.done:
	ret

; Print the text at esi, which ends with a 0.
put_text:
	lodsb
	test al, al
	jz .done
	call put_char
	jmp put_text
.done:
	ret

; Print the 64-bit number at ebx in hexadecimal, without leading zeros.
put_hex:
	push esi
	mov esi, text_0x
	call put_text
	pop esi
	mov ebp, 16			; digits left
	mov dword [digit_seen], 0
.next:
	dec ebp
	mov eax, ebp
	shr eax, 1
	mov al, [ebx + eax]
	test ebp, 1
	jz .low
	shr al, 4
.low:
	and eax, 0xf
	or [digit_seen], eax
	test ebp, ebp
	jz .put				; the last one, whatever it is
	cmp dword [digit_seen], 0
	je .next
.put:
	mov al, [digits + eax]
	call put_char
	test ebp, ebp
	jnz .next
	ret

; Print the number in eax, below 100, in decimal.
put_decimal:
	xor edx, edx
	mov ecx, 10
	div ecx
	push edx
	test eax, eax
	jz .low
	add al, '0'
	call put_char
.low:
	pop eax
	add al, '0'
	jmp put_char

; Draw the character al at edi, which moves on.  Changes eax, ecx.
put_glyph:
	push edx
	push esi
	push edi
	movzx eax, al
	sub eax, FONT_FIRST
	cmp eax, FONT_OTHER
	jbe .known
	mov eax, FONT_OTHER
.known:
	shl eax, 4			; times FONT_HEIGHT
	lea esi, [font_physical + eax]
	mov ecx, FONT_HEIGHT
.row:
	push edi
	lodsb
	mov ah, FONT_WIDTH
.pixel:
	shl al, 1
	sbb edx, edx			; all bits of the pixel, or none
	mov [edi], dx
	shr edx, 16
	mov [edi + 2], dl
	add edi, [pixel_bytes]
	dec ah
	jnz .pixel
	pop edi
	add edi, [pixels_pitch]
	loop .row
	pop edi
	pop esi
	pop edx
	mov eax, [pixel_bytes]
	lea edi, [edi + eax * FONT_WIDTH]
	dec dword [columns_left]
	jnz .done
	; The line is full: the next one is FONT_HEIGHT rows of pixels below this.
	mov eax, [pixels_pitch]
	shl eax, 4
	add [pixels_line], eax
	mov edi, [pixels_line]
	mov eax, [pixels_columns]
	mov [columns_left], eax
.done:
	ret

; Look for a framebuffer with 24 or 32 bits a pixel, and the four numbers that say
; where it is.  [pixels] stays 0 if there is none.  Changes eax, ecx, edx, esi.
find_pixels:
	cmp dword [loader_magic], MAGIC_LOADER
	jne .none
	mov esi, [loader_info]
	mov ecx, [esi]
	add ecx, esi			; the end of the boot information
	add esi, INFO_TAGS
.next:
	lea eax, [esi + PIXELS_KIND]
	cmp eax, ecx
	jae .none
	cmp dword [esi], TAG_FRAMEBUFFER
	je .found
	mov eax, [esi + TAG_SIZE]
	cmp eax, INFO_TAGS
	jb .none
	add eax, 7
	and eax, -8
	add esi, eax
	jmp .next
.found:
	cmp byte [esi + PIXELS_KIND], PIXELS_DIRECT
	jne .none
	movzx eax, byte [esi + PIXELS_BITS]
	shr eax, 3
	lea edx, [eax - 3]
	cmp edx, 1
	ja .none
	mov [pixel_bytes], eax
	mov eax, [esi + PIXELS_PITCH]
	mov [pixels_pitch], eax
	mul dword [esi + PIXELS_HEIGHT]
	mov [pixels_size], eax
	mov eax, [esi + PIXELS_WIDTH]
	shr eax, 3			; by FONT_WIDTH
	jz .none
	mov [pixels_columns], eax
	mov [columns_left], eax
	cmp dword [esi + PIXELS_ADDRESS + 4], 0
	jne .none
	mov eax, [esi + PIXELS_ADDRESS]
	cmp eax, image_end_physical	; never over ourselves
	jb .none
	mov [pixels], eax
	mov [pixels_line], eax
.none:
	ret

; Clear the screen; edi is then where its first character goes.
clear_screen:
	call find_pixels
	cmp dword [pixels], 0
	je .text
	mov edi, [pixels]
	mov ecx, [pixels_size]
	shr ecx, 2
	xor eax, eax
	rep stosd
	mov edi, [pixels]
	ret
.text:
	mov edi, VGA_TEXT
	mov ecx, VGA_CELLS
	mov eax, (VGA_WHITE << 8) | ' '
	rep stosw
	mov edi, VGA_TEXT
	ret

; Clear the screen, print the text at esi on its own line, and stop.
early_stop:
	push esi
	call clear_screen
	mov esi, text_line_end
	call put_text
	pop esi
	call put_text
stop:
	cli
	hlt
	jmp stop

; ---- Dying -------------------------------------------------------------------

; Does the CPU push an error code for vector %1?  Intel SDM vol. 3A, table 6-1.
%define PUSHES_ERROR(v) (v == 8 || (v >= 10 && v <= 14) || v == 17 || \
	v == 21 || v == 29 || v == 30)

; The entry points: push an error code, if the CPU does not, and the vector; jump
; to %1.
%macro stubs 1
%assign vector 0
%rep VECTORS
	align STUB_BYTES
%if !PUSHES_ERROR(vector)
	push byte 0
%endif
	push byte vector
	jmp near %1
%assign vector vector + 1
%endrep
%endmacro

align STUB_BYTES
stubs32:
	stubs fault32

fault32:
	pop dword [died_vector]
	pop dword [died_error]
	pop dword [died_ip]
died32:
	mov eax, cr2
	mov [died_cr2], eax
	mov esi, text_32
	mov eax, SEGMENT_DATA
	mov ss, eax
	mov esp, early_stack_top
	jmp report

; The task of vector 8.  An interrupt leaves its stack empty.
double_fault32:
	mov eax, [tss32 + TSS_EIP]
	mov [died_ip], eax
	mov dword [died_vector], VECTOR_DF
	cmp esp, early_stack_top
	jne died32
	mov [died_error], eax
	jmp died32

; All data has been saved; esi is the name of the phase.
report:
	cmp dword [dying], 0
	jne stop
	mov dword [dying], 1
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	push esi
	call clear_screen
	mov esi, text_died
	call put_text
	cmp dword [died_vector], VECTOR_DF
	jne .exception
	cmp dword [died_error], 0
	je .exception
	mov esi, text_irq
	call put_text
	mov eax, [died_error]
	mov edx, [died_error + 4]
	mov [died_ip], eax
	mov [died_ip + 4], edx
	xor eax, eax
	mov [died_error], eax
	mov [died_error + 4], eax
	jmp .registers
.exception:
	mov esi, text_vector
	call put_text
	mov eax, [died_vector]
	call put_decimal
	mov esi, [died_vector]
	lea esi, [names + esi * 8]
	call put_text
.registers:
	mov esi, text_error
	mov ebx, died_error
	call put_value
	mov esi, text_ip
	mov ebx, died_ip
	call put_value
	mov esi, text_cr2
	mov ebx, died_cr2
	call put_value
	mov esi, text_in
	call put_text
	pop esi
	call put_text
	mov esi, text_after
	call put_text
	mov esi, [boot_crumb_last_physical]
	and esi, LOW_HALF
	call put_text
	mov esi, text_end
	call put_text
	jmp stop

; Print the text at esi and the number at ebx.
put_value:
	call put_text
	jmp put_hex

bits 64

align STUB_BYTES
stubs64:
	stubs fault64

fault64:
	pop qword [abs died_vector]
	pop qword [abs died_error]
	pop qword [abs died_ip]
	mov edi, text_64
died64:
	mov rax, cr2
	mov [abs died_cr2], rax
	lgdt [abs early_gdt_pointer]
	mov eax, SEGMENT_DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esp, early_stack_top
	mov esi, edi
	push qword SEGMENT_CODE32
	push qword report
	o64 retf

; void early_end(uint64_t vector, uint64_t error, uint64_t ip): for kmain().
early_end:
	mov [abs died_vector], rdi
	mov [abs died_error], rsi
	mov [abs died_ip], rdx
	mov edi, text_kmain
	jmp died64

; Load the TSS of long mode; only 64-bit code can.
early_tss64_load:
	mov eax, SEGMENT_TSS64
	ltr ax
	ret

; ---------------------------------------------------------------------------
section .boot.rodata progbits alloc noexec nowrite align=8

idt32_pointer:
	dw idt32_end - idt32 - 1
	dd idt32
idt64_pointer:
	dw idt64_end - idt64 - 1
	dq idt64
early_gdt_pointer:
	dw gdt_end - gdt - 1
	dq gdt

; Pairs of register and value: no interrupts; divisor 1; 8N1; FIFO; DTR, RTS.
com1_settings:
	db 1, 0x00, 3, 0x80, 0, 0x01, 1, 0x00, 3, 0x03, 4, 0x03
com1_settings_end:

text_line_end:	db 13, 10, 0
text_died:	db 13, 10, "boot died: ", 0
text_vector:	db "vector ", 0
text_irq:	db "irq 0 as vector 8 (the 8259 is not remapped)", 0
text_error:	db ", error ", 0
text_ip:	db ", ip ", 0
text_cr2:	db ", cr2 ", 0
text_in:	db ", in ", 0
text_32:	db "the 32-bit phase", 0
text_64:	db "the 64-bit phase", 0
text_kmain:	db "kmain", 0
text_after:	db ', after "', 0
text_end:	db '"', 13, 10, 0
text_0x:	db "0x", 0
digits:		db "0123456789abcdef"

; A name and its end, in eight bytes.
%macro name 1
%%at:
	db " (", %1, ")"
	times 8 - ($ - %%at) db 0
%endmacro

names:
	name "#DE"
	name "#DB"
	name "NMI"
	name "#BP"
	name "#OF"
	name "#BR"
	name "#UD"
	name "#NM"
	name "#DF"
	name "9"
	name "#TS"
	name "#NP"
	name "#SS"
	name "#GP"
	name "#PF"
	name "15"
	name "#MF"
	name "#AC"
	name "#MC"
	name "#XM"
	name "#VE"
	name "#CP"
	times (VECTORS - 22) * 8 db 0

; ---------------------------------------------------------------------------
section .boot.data progbits alloc noexec write align=8

; The bases of the TSSs are filled in, and the CPU marks them busy.
gdt:
	dq 0
	dq 0x00209b0000000000		; SEGMENT_CODE64: present, code, long
	dq 0x00cf93000000ffff		; SEGMENT_DATA: 4 GiB, writable
	dq 0x00cf9b000000ffff		; SEGMENT_CODE32: 4 GiB, readable
	dq 0x00c0970000000000		; SEGMENT_STACK32: expand-down
	dq 0x0000890000000000 | (TSS_BYTES - 1)
	dq 0x0000890000000000 | (TSS_BYTES - 1)
	dq 0x0000890000000000 | (TSS_BYTES - 1), 0
gdt_end:

dying:		dd 0
digit_seen:	dd 0
died_vector:	dq 0
died_error:	dq 0
died_ip:	dq 0
died_cr2:	dq 0
pixels:		dd 0		; where they are; 0: the screen is the VGA's text
pixels_pitch:	dd 0		; bytes from a row to the next
pixels_size:	dd 0		; of all
pixel_bytes:	dd 0
pixels_line:	dd 0		; where the line of text begins
pixels_columns:	dd 0		; characters in a line
columns_left:	dd 0

; ---------------------------------------------------------------------------
section .boot.tables progbits alloc noexec write align=4096

		times EARLY_STACK_BYTES db 0
early_stack_top:
idt32:		times VECTORS dq 0
idt32_end:
idt64:		times VECTORS * 2 dq 0
idt64_end:
tss_begin:
tss32:		times TSS_BYTES db 0
tss_fault:	times TSS_BYTES db 0
tss64:		times TSS_BYTES db 0
tss_end:

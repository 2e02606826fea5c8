; SPDX-License-Identifier: MIT
;
; kernel/arch/copy.asm -- to and from memory that may not be the caller's (copy.h).
;
; Each instruction that touches the caller's memory has a row in the exception
; table: where it is, where the function goes on if it faults, and whether the
; caller's memory is what it writes to or what it reads from.  All read through rsi
; and write through rdi.
;
; Words first, then the bytes that are left, like lib/string.c.  A string
; instruction that faults has kept its registers: nothing is to be undone.
;
; Source: Intel SDM vol. 2B, REP: "If an exception ... the state of the registers is
; preserved to allow the string operation to be resumed".

default rel
bits 64

global copy_from_caller
global copy_to_caller
global clear_caller
global strnlen_caller
global copy_table
global copy_table_end

EFAULT	equ 14
READS	equ 0
WRITES	equ 1

section .text

; int copy_from_caller(void *to, const void *from, size_t size)
align 16
copy_from_caller:
	push rbp
	mov rbp, rsp
	mov rcx, rdx
	shr rcx, 3
	and edx, 7
.words:
	rep movsq
	mov ecx, edx
.bytes:
	rep movsb
	xor eax, eax
	pop rbp
	ret

; int copy_to_caller(void *to, const void *from, size_t size)
align 16
copy_to_caller:
	push rbp
	mov rbp, rsp
	mov rcx, rdx
	shr rcx, 3
	and edx, 7
.words:
	rep movsq
	mov ecx, edx
.bytes:
	rep movsb
	xor eax, eax
	pop rbp
	ret

; int clear_caller(void *to, size_t size)
align 16
clear_caller:
	push rbp
	mov rbp, rsp
	xor eax, eax
	mov rcx, rsi
	shr rcx, 3
	and esi, 7
.words:
	rep stosq
	mov ecx, esi
.bytes:
	rep stosb
	pop rbp
	ret

; long strnlen_caller(const char *text, size_t size)
align 16
strnlen_caller:
	push rbp
	mov rbp, rsp
	mov rcx, rsi
	mov rsi, rdi
	xor eax, eax
.next:
	cmp rax, rcx
	je .end
.byte:
	cmp byte [rsi], 0
	je .end
	inc rsi
	inc rax
	jmp .next
.end:
	pop rbp
	ret

; Where all of them go on after a fault.
copy_failed:
	mov rax, -EFAULT
	pop rbp
	ret

section .rodata

; struct row of copy.c
align 8
copy_table:
	dq copy_from_caller.words, copy_failed, READS
	dq copy_from_caller.bytes, copy_failed, READS
	dq copy_to_caller.words, copy_failed, WRITES
	dq copy_to_caller.bytes, copy_failed, WRITES
	dq clear_caller.words, copy_failed, WRITES
	dq clear_caller.bytes, copy_failed, WRITES
	dq strnlen_caller.byte, copy_failed, READS
copy_table_end:

; SPDX-License-Identifier: MIT
;
; kernel/arch/provoke.asm -- instructions that fault, for tests (provoke.h).
;
; None of them has a stack frame: the code that catches the fault restores the
; stack pointer and the callee-saved registers.

default rel
bits 64

global provoke_int3
global provoke_int_4
global provoke_daa
global provoke_bound
global provoke_ud1
global provoke_ud2
global provoke_div_zero
global provoke_div_big
global provoke_idiv_minimum
global provoke_fninit
global provoke_stack_read
global provoke_jump
global provoke_return
global provoke_stack_overflow

OVERFLOW	equ 4
STEP		equ 8

section .text

provoke_int3:
	int3
	ret

provoke_int_4:
	int OVERFLOW
	ret

; INTO is not in long mode either, but QEMU 10 executes it there.
provoke_daa:
	db 0x27
	ret

; In long mode 62 begins an EVEX prefix; this is none that is valid.
provoke_bound:
	db 0x62, 0x00
	ret

provoke_ud1:
	ud1 eax, [rax]
	ret

provoke_ud2:
	ud2

provoke_div_zero:
	xor edx, edx
	mov eax, 1
	xor ecx, ecx
	div rcx
	ret

provoke_div_big:
	mov edx, 1
	xor eax, eax
	mov ecx, 1
	div rcx
	ret

provoke_idiv_minimum:
	mov rax, 0x8000000000000000
	cqo
	mov rcx, -1
	idiv rcx
	ret

provoke_fninit:
	fninit
	ret

; An address in rbp is one in the stack segment.
provoke_stack_read:
	push rbp
	mov rbp, rdi
	mov rax, [rbp]
	pop rbp
	ret

provoke_jump:
	jmp rdi

provoke_return:
	push rdi
	ret

provoke_stack_overflow:
	push rax
	jmp provoke_stack_overflow

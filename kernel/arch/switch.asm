; SPDX-License-Identifier: MIT
;
; kernel/arch/switch.asm -- from one stack to another.
;
; A function call may change every register but rbx, rbp and r12 to r15 (System
; V ABI, AMD64 supplement, 3.2.1): these six and the return address are all that
; a stack must remember of the thread that left it.  RFLAGS needs no saving, since
; interrupts are off on both sides.

bits 64

global arch_switch_stack

section .text

; void arch_switch_stack(uint64_t *save, uint64_t load)
align 16
arch_switch_stack:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

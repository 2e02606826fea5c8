; SPDX-License-Identifier: MIT
;
; kernel/arch/preempt.asm -- the rare end of preempt_enable().
;
; preempt_enable() is two or three instructions in the middle of other code, and calls
; this one time in a thousand.  So to the compiler it is not a function call, which
; would keep its registers free for it: all that a C function may change is saved
; here (System V ABI, AMD64 supplement, 3.2.1).
;
; Source: Linux 6.12 arch/x86/entry/thunk.S.

bits 64

global preempt_enable_thunk
extern preempt_enable_slow

section .text

align 16
preempt_enable_thunk:
	push rbp
	mov rbp, rsp
	push rax
	push rcx
	push rdx
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	call preempt_enable_slow
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rax
	pop rbp
	ret

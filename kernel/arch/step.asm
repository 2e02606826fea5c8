; SPDX-License-Identifier: MIT
;
; kernel/arch/step.asm -- setting and clearing the trap flag.
;
; POPF that sets TF takes effect behind the next instruction (Intel SDM vol. 3B,
; 17.3.1.4), so the first trap comes at the callee's first instruction.

bits 64

RFLAGS_TF	equ 1 << 8

extern step_return
global arch_step_call
global arch_step_again
global arch_step_end

section .text

; void arch_step_call(void (*function)(void *), void *argument)
align 16
arch_step_call:
	push rbp
	mov rbp, rsp
	mov rax, rdi
	mov rdi, rsi
	pushfq
	or qword [rsp], RFLAGS_TF
	popfq
	call rax
	pushfq
	and qword [rsp], ~RFLAGS_TF
	popfq
	pop rbp
	ret

; A function that was stepped over returns to here instead of to step_return.
; It keeps rax, the function's result; flags do not survive a return.
align 16
arch_step_again:
	push qword [abs step_return]
	pushfq
	or qword [rsp], RFLAGS_TF
	popfq
	ret
arch_step_end:

; SPDX-License-Identifier: MIT
;
; kernel/arch/trap.asm -- the 256 doors into the kernel, fault_catch(), and the
; halt that an NMI may not prolong.
;
; What a stub leaves on the stack is struct trap_frame (kernel/arch/trap.h),
; from high addresses to low:
;
;	ss rsp rflags cs rip	the CPU, after aligning rsp to 16
;	error			the CPU for some exceptions, else the stub: 0
;	vector			the stub
;	rax ... r15		trap_common
;	value number		trap_common: the window that was open, see below
;
; 24 words: rsp is a multiple of 16 again at the call, as the ABI wants.
;
; Windows (kernel/arch/window.h).  [gs:8] is the number of the window that is open
; on this CPU, and 0 when none is.  Before any C runs, the number and the value of
; its directory entry are saved, the entry is set to 0, and CR3 is reloaded, which
; flushes everything that is not global: of the interrupted party's window no
; trace is left.  Then the number is 0.  The very last thing before the registers
; come back is the same pair, in the directories of the CPU that runs then, which
; may be another one.  Rules that make this hold in an NMI between any two
; instructions:
;
;  - what is saved and restored is the pair (number, value), both words: a number
;    whose entry is 0 belongs to a window that is being opened or closed;
;  - a window that opens has its number written first, then its entry; one that
;    closes, its entry, the flush, and the number;
;  - an NMI flushes also if it finds no window, because it may have come between
;    another context's store of 0 and its flush;
;  - on the way back interrupts are off.
;
; Source: Intel SDM vol. 3A, 6.14 "Exception and Interrupt Handling in 64-bit
; Mode", 4.10.4.1 "Operations that Invalidate TLBs and Paging-Structure Caches".

default rel
bits 64

CPU_OPEN_WINDOW	equ 8
CPU_IRQ_TAKEN	equ 16
CPU_NMI_WATCH	equ 144
CPU_NMI_SEEN	equ 152
CPU_NMI_TICKS	equ 160
CPU_DIRECTORY	equ 176
IRQ_LINES	equ 16
GROUP_BITS	equ 9	; 512 windows have one directory

; The request register of the first 8259, and the timer's bit in it.
PORT_IRR	equ 0x20
IRR_TIMER	equ 1

VECTOR_NMI	equ 2
VECTOR_IRQ_BASE	equ 32

; Offsets in struct trap_frame.
FRAME_VECTOR	equ 17 * 8

STUB_BYTES	equ 16	; trap_stub N begins at trap_stubs + N * 16

extern trap_dispatch
extern irqsoff_end
extern fault_catch_begin
extern fault_catch_end
global trap_stubs
global trap_return
global fault_catch
global fault_catch_resume
global arch_raise_irq_vector
global arch_wait_for_interrupt
global arch_halt
global __stack_chk_fail

section .text

; Does the CPU push an error code for vector %1?  Intel SDM vol. 3A, table 6-1.
%define PUSHES_ERROR(v) (v == 8 || (v >= 10 && v <= 14) || v == 17 || \
	v == 21 || v == 29 || v == 30)

align STUB_BYTES
trap_stubs:
%assign vector 0
%rep 256
	align STUB_BYTES
%if vector == VECTOR_NMI
	jmp near nmi_entry
%else
%if !PUSHES_ERROR(vector)
	push byte 0
%endif
	push dword vector
	jmp near trap_common
%endif
%assign vector vector + 1
%endrep

; An NMI that a tick has brought (kernel/core/nmi_watch.c), the ordinary case of
; ten thousand a second: the tick itself waits in the 8259, and a tick has been
; taken since the last such NMI.  It is counted, and nothing else happens: no
; window is touched, no C runs.  Everything else goes the long way: also one that
; finds the CPU before its halt, which trap.c lets return behind it.
align 16
nmi_entry:
	push rax
	cmp qword [abs gs:CPU_NMI_WATCH], 0
	je .other
	mov rax, [abs gs:CPU_IRQ_TAKEN]
	cmp rax, [abs gs:CPU_NMI_SEEN]
	je .other
	lea rax, [arch_halt]
	cmp rax, [rsp + 8]
	je .other
	in al, PORT_IRR
	test al, IRR_TIMER
	jz .other
	mov rax, [abs gs:CPU_IRQ_TAKEN]
	mov [abs gs:CPU_NMI_SEEN], rax
	inc qword [abs gs:CPU_NMI_TICKS]
	pop rax
	iretq
.other:
	pop rax
	push byte 0
	push dword VECTOR_NMI

; The entry of window number rcx in this CPU's directories is at rdx + rax * 8.
%macro FIND_ENTRY 0
	mov eax, ecx
	mov edx, ecx
	and eax, (1 << GROUP_BITS) - 1
	shr edx, GROUP_BITS
	mov rdx, [gs:CPU_DIRECTORY + rdx * 8]
%endmacro

; falls through
trap_common:
	cld
	push rax
	push rbx
	push rcx
	push rdx
	push rsi
	push rdi
	push rbp
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15

	; Save the window, and close it.
	mov rcx, [abs gs:CPU_OPEN_WINDOW]
	test rcx, rcx
	jz trap_return.none_open
	FIND_ENTRY
	push qword [rdx + rax * 8]
	push rcx
	mov qword [rdx + rax * 8], 0
	mov rdx, cr3
	mov cr3, rdx
	mov qword [abs gs:CPU_OPEN_WINDOW], 0
	mov eax, [rsp + FRAME_VECTOR]
.closed:
	; Count what the lines deliver, whatever becomes of it.
	sub eax, VECTOR_IRQ_BASE
	cmp eax, IRQ_LINES
	jae .counted
	inc qword [gs:CPU_IRQ_TAKEN + rax * 8]
.counted:
	mov rdi, rsp
	call trap_dispatch
trap_return:
	cli
	; Whatever is open now was opened on top of us and not closed.
	mov rcx, [abs gs:CPU_OPEN_WINDOW]
	test rcx, rcx
	jnz .leftover
.restore:
	pop rcx
	pop rbx
	mov [abs gs:CPU_OPEN_WINDOW], rcx
	test rbx, rbx
	jz .registers
	FIND_ENTRY
	mov [rdx + rax * 8], rbx
.registers:
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
	add rsp, 16			; vector, error
	iretq

.none_open:
	push rcx
	push rcx
	mov eax, [rsp + FRAME_VECTOR]
	cmp eax, VECTOR_NMI
	jne trap_common.closed
	mov rdx, cr3
	mov cr3, rdx
	jmp trap_common.closed

.leftover:
	FIND_ENTRY
	mov qword [rdx + rax * 8], 0
	mov rdx, cr3
	mov cr3, rdx
	mov qword [abs gs:CPU_OPEN_WINDOW], 0
	jmp .restore

; bool fault_catch(struct fault_expect *expect, void (*function)(void *),
;		   void *argument)
;
; The callee-saved registers and RFLAGS are put on the stack, and the stack
; pointer into *expect.  A fault that matches returns (iretq) to
; fault_catch_resume with that stack pointer and interrupts off.
align 16
fault_catch:
	push rbp
	mov rbp, rsp
	push rbx
	push r12
	push r13
	push r14
	push r15
	pushfq				; rsp is a multiple of 16 here
	mov rbx, rdi
	mov r12, rsi
	mov r13, rdx
	mov rsi, rsp
	call fault_catch_begin
	mov rdi, r13
	call r12
	mov rdi, rbx
	call fault_catch_end
	xor eax, eax
	add rsp, 8			; RFLAGS: as the function left them
	jmp fault_catch_return

fault_catch_resume:
	mov eax, 1
	popfq
fault_catch_return:
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

; void arch_wait_for_interrupt(void)
;
; Interrupts are recognised after the instruction behind sti, so none comes
; between the two.  An NMI does: after it the interrupts that wait are taken, and
; then the CPU would halt although they have come.  trap.c lets an NMI that finds
; the CPU at arch_halt return behind it.
align 16
arch_wait_for_interrupt:
	push rbp
	mov rbp, rsp
	call irqsoff_end
	sti
arch_halt:
	hlt
	pop rbp
	ret

; void __stack_chk_fail(void)
;
; The frame leads to the function that has called, whatever the compiler thinks
; of frames in functions that do not return.  The registers that a function may
; use for comparing are cleared: a report does not print the guard.  The trap is
; where kernel/arch/stack_protector.c expects it.
CHK_TRAP	equ 32

align 32
__stack_chk_fail:
	push rbp
	mov rbp, rsp
	xor eax, eax
	xor ecx, ecx
	xor edx, edx
	xor esi, esi
	xor edi, edi
	xor r8d, r8d
	xor r9d, r9d
	xor r10d, r10d
	xor r11d, r11d
	times CHK_TRAP - ($ - __stack_chk_fail) nop
	ud2

; void arch_raise_irq_vector(unsigned int irq)
;
; `int` has its vector in the instruction, so there are sixteen of them, each
; with its `ret` in four bytes.
INT_BYTES	equ 4

align 16
arch_raise_irq_vector:
	mov eax, edi
	and eax, IRQ_LINES - 1
	lea rdx, [raise_line]
	lea rax, [rdx + rax * INT_BYTES]
	jmp rax

align 16
raise_line:
%assign line 0
%rep IRQ_LINES
	align INT_BYTES
	int VECTOR_IRQ_BASE + line
	ret
%assign line line + 1
%endrep

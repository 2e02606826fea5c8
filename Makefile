# SPDX-License-Identifier: MIT
#
# Labyrinth.  `make` alone lists all targets; V=1 shows the commands,
# CC=clang-14 builds with clang.  Everything made is in build/ (or B=directory):
#
#	build/obj/		the kernel's objects
#	build/labyrinth.elf	the kernel, with symbols for gdb
#	build/labyrinth.iso	the disc: a menu, GRUB, a stripped kernel
#	build/disk.img		a disk for it: a file system, swap, room for tests
#	build/host/		mm/ and lib/ as a library and as test programs
#	build/checked/		the same kernel, which reports undefined behaviour
#	build/book/		the book as a website
#	build/play/		mm/ for WebAssembly, and the page of the playground
#	build/fuzz/		fuzz targets, and their findings
#	build/test/		logs and discs of the last `make test`
#
# The kernel is linked twice.  The first link has empty tables of symbols and of
# source lines.  The symbols and lines found in it become the tables of the second,
# which must not have moved a single function.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/sh

B := build
# The runners look for it there, too.
export LABYRINTH_BUILD = $B

ifeq ($(origin CC),default)
CC := gcc
endif
# More flags for the kernel, for builds that instrument it.
KCFLAGS ?=
# 1: undefined behaviour is reported, and a panic.
CHECKED ?=
# COVER=1 counts how often each line runs, see `make cover`.
COVER ?=
# PLAIN=1: the suites on the host without sanitizers and counts, for speed.
PLAIN ?=
NASM    ?= nasm
NM      ?= nm
OBJCOPY ?= objcopy
KERNEL_LD ?= ld
export NM
export PYTHONDONTWRITEBYTECODE := 1

# The date on every file of the disc, 2024-01-01.  A constant: the same source
# produces the same disc, with or without its history, today and in ten years.
export SOURCE_DATE_EPOCH := 1704067200

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

# ------------------------------------------------------------- the kernel

boot_sources   := $(sort $(wildcard boot/*.asm))
kernel_sources := $(sort $(shell find kernel -name '*.c' -o -name '*.asm'))
mm_sources     := $(sort $(wildcard mm/*.c mm/*/*.c))
other_sources  := $(mm_sources) $(sort $(wildcard drivers/*.c lib/*.c))
suite_sources  := $(sort tests/sequence.c tests/suite_memory.c $(foreach d, \
		    lib core mm drivers kernel,$(wildcard tests/$(d)/*.c)))
ifneq ($(COVER),)
suite_sources  += tests/cover/dump.c
endif
sources := $(boot_sources) $(kernel_sources) $(other_sources) $(suite_sources)
objects := $(patsubst %,$B/obj/%.o,$(sources) drivers/font.c)

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wswitch-enum -Wundef

# A warning does not stop a build, so that one can experiment, but `make test` and
# `make lint` accept none.  All use the same objects, so the compiler's messages are
# shown and also kept beside the object; see no-warnings below.
remember = 2>$@.warnings; status=$$?; cat $@.warnings >&2; \
	[ -s $@.warnings ] || rm -f $@.warnings; exit $$status

# The compiler's own headers (stdint.h and the like) and no others.
compiler_include := $(shell $(CC) -print-file-name=include 2>/dev/null)

# Mistakes that the compiler can detect at run time: an overflow of an array on the
# stack (kernel/arch/stack_protector.c); with CHECKED=1 undefined behaviour, too
# (kernel/arch/ubsan.c).  Null pointers and divisions by zero are left
# to the CPU, which reports them better, and at no cost.  The check that a bool is
# 0 or 1 is left out, because with it gcc 12 reads a volatile bool only once
# instead of in every iteration of a loop.
detectors := -fstack-protector-strong -mstack-protector-guard=global
ifeq ($(CHECKED),1)
detectors += -DCHECKED -fsanitize=undefined -fno-sanitize-recover=all \
	-fno-sanitize=null,integer-divide-by-zero,bool
unchecked = $(if $(filter kernel/arch/ubsan.c,$<),-fno-sanitize=undefined)
endif

# DWARF 4: with 5, binutils 2.40 name the unit's own file for some lines of headers.
kernel_cflags := -std=gnu11 -O2 -gdwarf-4 -ffreestanding -fno-pic -fno-pie \
	-mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	-fno-omit-frame-pointer -fno-optimize-sibling-calls \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing \
	$(detectors) -fno-common -nostdinc \
	-isystem $(compiler_include) -I. $(warnings) $(KCFLAGS)

# The suites and the shell are half of the image, and a machine of 4 MB has to load
# it; none of them is fast or slow to anybody.
small_suites = $(if $(filter tests/% kernel/shell/% kernel/demo/% \
	kernel/selftest/% kernel/fs/% kernel/block/%,$<),-Os)

# Not part of the comparison below: the result does not depend on the directory.
prefix_map = -ffile-prefix-map=$(CURDIR)=.

# NASM 2.16.03 warns of 32-bit addresses and of addresses between sections, which a
# kernel below 2 GiB needs; 2.16.01 does not know the names of these warnings.
nasm_flags := -f elf64 -g -F dwarf -w+all -w-unknown-warning \
	-w-reloc-abs-dword -w-reloc-abs-qword -w-reloc-rel-dword -I./

kernel_ldflags := -m elf_x86_64 -nostdlib -static --build-id=none \
	-z max-page-size=4096 -z noexecstack --fatal-warnings -T linker.ld

# With COVER, no function is inlined, so that each is counted by its own name;
# gcc's records are found through a section of pointers instead of constructors.
# The tests themselves are not counted.
ifneq ($(COVER),)
count := --coverage -fno-inline
count_kernel = $(if $(filter tests/%,$<),,$(count) -fprofile-update=atomic \
	-fprofile-info-section)
count_host = $(if $(filter tests/%,$<),,$(count) -fprofile-update=single)
kernel_libs := $(shell $(CC) -print-file-name=libgcov.a)
endif

# FORCE, unless file $(1) already contains $(2).  Such a file changes if and only if
# the setting that it records changes, so that other flags, another compiler or a
# removed source cause a rebuild.
same = $(if $(subst $(strip $(file <$(1))),,$(strip $(2)))$(subst \
	$(strip $(2)),,$(strip $(file <$(1)))),FORCE)

compile_with := $(CC) $(kernel_cflags) $(count) / $(NASM) $(nasm_flags)
link_with := $(KERNEL_LD) $(kernel_ldflags) $(objects) $(kernel_libs)

.DEFAULT_GOAL := help
.PHONY: help setup doctor disk iso release run watch where record replay test bench test-in mutants mutate states \
	test-long churn fuzz replay-calls bochs debug host lint fmt clean screenshot pictures \
	bench-linux bench-host build-bench hotpath boottime model ignored build-iso build-model \
	build-conformance conformance book transcripts \
	build-disk build-checked build-host build-suites build-fuzz play build-play FORCE
FORCE:

$B/obj/compile: $(call same,$B/obj/compile,$(compile_with))
	@mkdir -p $(@D)
	@printf '%s\n' '$(compile_with)' >$@

$B/obj/link: $(call same,$B/obj/link,$(link_with))
	@mkdir -p $(@D)
	@printf '%s\n' '$(link_with)' >$@

$B/obj/%.c.o: %.c $B/obj/compile Makefile
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(kernel_cflags) $(unchecked) $(small_suites) $(count_kernel) \
		$(prefix_map) -MMD -MP -c -o $@ $< $(remember)

# NASM's table of address ranges covers less than its line table, and gdb complains
# about each address in between; without the table gdb reads the lines.
$B/obj/%.asm.o: %.asm $B/obj/compile Makefile
	@mkdir -p $(@D)
	$(say) NASM $<
	$(Q)$(NASM) $(nasm_flags) -MD $(@:.o=.d) -MP -o $@ $< $(remember)
	$(Q)$(OBJCOPY) -R .debug_aranges -R .rela.debug_aranges $@

# Made of the distribution's console font: drivers/font.h.
FONT := /usr/share/consolefonts/spleen-8x16.psfu.gz

$B/obj/drivers/font.c: iso/mkfont $(FONT)
	@mkdir -p $(@D)
	$(say) FONT $@
	$(Q)iso/mkfont $(FONT) >$@

$B/obj/drivers/font.c.o: $B/obj/drivers/font.c drivers/font.h $B/obj/compile
	$(Q)$(CC) $(kernel_cflags) $(prefix_map) -c -o $@ $<

$B/obj/symbols-%.o: $B/obj/symbols-%.c $B/obj/compile
	$(Q)$(CC) $(kernel_cflags) $(prefix_map) -c -o $@ $<

$B/obj/lines-%.o: $B/obj/lines-%.c $B/obj/compile kernel/core/line_table.h
	$(Q)$(CC) $(kernel_cflags) $(prefix_map) -c -o $@ $<

$B/obj/symbols-1.c: iso/mksymbols
	@mkdir -p $(@D)
	$(Q)iso/mksymbols >$@

$B/obj/lines-1.c: iso/mklines
	@mkdir -p $(@D)
	$(Q)iso/mklines >$@

$B/obj/symbols-2.c: $B/obj/labyrinth-1.elf iso/mksymbols
	$(say) SYMBOLS $@
	$(Q)iso/mksymbols $< >$@

$B/obj/lines-2.c: $B/obj/labyrinth-1.elf iso/mklines
	$(say) LINES $@
	$(Q)iso/mklines $< >$@

$B/obj/labyrinth-1.elf: $B/obj/symbols-1.o $B/obj/lines-1.o $(objects) \
		linker.ld $B/obj/link
	$(Q)$(KERNEL_LD) $(kernel_ldflags) -o $@ $(objects) $B/obj/symbols-1.o \
		$B/obj/lines-1.o $(kernel_libs)

$B/labyrinth.elf: $B/obj/symbols-2.o $B/obj/lines-2.o $(objects) \
		linker.ld $B/obj/link
	$(say) LD $@
	$(Q)$(KERNEL_LD) $(kernel_ldflags) -o $@.part $(objects) \
		$B/obj/symbols-2.o $B/obj/lines-2.o $(kernel_libs)
	$(Q)iso/mksymbols $B/obj/labyrinth-1.elf >$B/obj/before
	$(Q)iso/mksymbols $@.part >$B/obj/after
	$(Q)cmp $B/obj/before $B/obj/after || { \
		echo "$@: functions moved between the two links" >&2; \
		rm -f $@.part; exit 1; }
	$(Q)mv $@.part $@

-include $(patsubst %.o,%.d,$(objects))

# -------------------------------------------------------------- the disc

$B/iso/labyrinth.elf: $B/labyrinth.elf
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-all $< $@

$B/iso/eltorito.img: iso/mkloader
	@mkdir -p $(@D)
	$(say) GRUB $@
	$(Q)iso/mkloader $@

$B/labyrinth.iso: $B/iso/labyrinth.elf $B/iso/eltorito.img \
		iso/grub.cfg iso/mkiso
	$(say) ISO $@
	$(Q)KERNEL=$B/iso/labyrinth.elf LOADER=$B/iso/eltorito.img \
		iso/mkiso $@ --menu

# For editors: how each C file is compiled.
c_sources := $(filter %.c,$(sources))
$B/compile_commands.json: $B/obj/link $B/obj/compile Makefile
	@mkdir -p $(@D)
	@{ comma=; echo '['; for source in $(c_sources); do \
		printf '%s{"directory": "%s", "file": "%s", "command": "%s"}\n' \
			"$$comma" '$(CURDIR)' "$$source" \
			"$(CC) $(kernel_cflags) -c $$source"; \
		comma=','; \
	done; echo ']'; } >$@

build-iso: $B/labyrinth.iso $B/compile_commands.json

# As it is made, for tests to copy.
$B/obj/disk.img: iso/mkdisk
	@mkdir -p $(@D)
	$(say) DISK $@
	$(Q)iso/mkdisk $@

# The disk of make run.  A change in docs/ does not rebuild it: the user may have
# written to it.
$B/disk.img: $B/obj/disk.img
	$(Q)cp --sparse=always $< $@

build-disk: $B/disk.img

# The same kernel, which reports undefined behaviour; slower.
build-checked:
	@$(MAKE) B=$B/checked CHECKED=1 build-iso

## disk: rebuild build/disk.img, the disk of make run
disk:
	@tests/setup build
	@rm -f $B/disk.img $B/obj/disk.img
	@$(MAKE) build-disk

## iso: build the disc, build/labyrinth.iso; build/labyrinth.elf is for gdb
iso:
	@tests/setup build
	@$(MAKE) build-iso

## release: build/release.iso, for BIOS and UEFI, as a disc or on a USB stick
release:
	@tests/setup release
	@$(MAKE) build-iso
	$(say) ISO $B/release.iso
	$(Q)KERNEL=$B/iso/labyrinth.elf iso/mkrelease $B/release.iso

## run: boot in QEMU, serial console in the terminal; DEBUG=1, APPEND=words, MEM=, CPU=
run:
	@tests/setup run
	@$(MAKE) build-iso build-disk
	@python3 tests/run/console.py

## watch: run, with all of memory on a page in the browser; PORT=, and as for run
watch:
	@tests/setup run
	@$(MAKE) build-iso build-disk
	@python3 tests/run/watch.py

## bochs: boot it in Bochs; MODE=selftest runs the self-test there
bochs:
	@tests/setup bochs
	@$(MAKE) build-iso build-disk
	@python3 tests/run/console.py --bochs $(MODE)

## debug: QEMU stopped at kmain, gdb attached; SERVER=1 waits for another debugger
debug:
	@tests/setup debug
	@$(MAKE) build-iso
	@tests/gdb/debug

## where: function, file and line of ADDR=, an address or function+0x1f
where:
	@python3 tests/run/where.py $(ADDR)

## record: a session that can be replayed; APPEND=, MEM=, CPU= as for run
record:
	@tests/setup run
	@$(MAKE) build-iso
	@python3 tests/run/replay.py record

## replay: the same again, byte for byte; GDB=1 stops it at kmain under gdb
replay:
	@tests/setup $(if $(GDB),debug,run)
	@python3 tests/run/replay.py $(if $(GDB),gdb $(GDBFLAGS),replay)

## screenshot: docs/screenshot.png, the screen at the prompt, and docs/map.png
screenshot:
	@tests/setup run
	@$(MAKE) build-iso
	@tests/setup browser
	@python3 tests/run/screenshot.py docs/screenshot.png docs/map.png
	@python3 tests/run/watch_pictures.py docs/watch-storm.png docs/watch-block.png
	@tests/setup play
	@$(MAKE) build-play
	@python3 tests/run/play_picture.py docs/playground.png

## pictures: the pictures of the book, docs/*.svg, drawn from runs; ONLY=names
pictures:
	@tests/setup test
	@$(MAKE) build-iso build-host $B/host/play
	@python3 tests/run/pictures.py $(ONLY)

## play: build/play/index.html, the playground: mm/ in a web page, one file
play:
	@tests/setup play
	@$(MAKE) build-play
	@echo "$(abspath $B/play/index.html)"

## book: the book as a website, build/book/index.html; no server, no network
book:
	@tests/setup book play
	@$(MAKE) build-play
	@python3 tests/run/website.py

## transcripts: replay the book's sessions, update its numbers; ONLY=words picks
transcripts:
	@tests/setup test
	@$(MAKE) build-iso build-disk
	@python3 tests/run/book.py $(ONLY)

## boottime: how long QEMU takes to the prompt, with and without the menu
boottime:
	@tests/setup run
	@$(MAKE) build-iso
	@python3 tests/run/boottime.py

## bench: instructions of the allocator's operations; writes docs/22-how-fast.md
bench:
	@tests/setup test
	@$(MAKE) build-iso
	@python3 tests/run/bench.py --write

## bench-host: mm/ on the host beside other allocators; writes docs/22-how-fast.md
bench-host:
	@tests/setup bench
	@$(MAKE) build-bench
	@python3 tests/run/bench_host.py --write

## hotpath: each instruction of a page request and its free
hotpath:
	@tests/setup run
	@$(MAKE) build-iso
	@python3 tests/run/bench.py hotpath

## bench-linux: the same loops in Debian's own kernel, and the ratios
bench-linux:
	@tests/setup linux
	@python3 tests/run/bench_linux.py

## conformance: the same questions to Debian's Linux 6.12 and to Labyrinth
conformance:
	@tests/setup conformance
	@$(MAKE) build-conformance
	@python3 tests/run/conformance.py

# --------------------------------------------------------- on the host

# mm/ and lib/ with tests/host/ in place of the machine.  The library is for
# ordinary programs; the suites are built with sanitizers.
host_library := $(mm_sources) $(sort $(wildcard tests/host/machine*.c) \
	kernel/core/held.c \
	$(filter-out lib/string.c,$(wildcard lib/*.c)))
# Parts of other floors that need no machine, for their suites.
host_extra := $(wildcard kernel/core/multiboot2.c kernel/core/params.c \
	kernel/shell/line.c kernel/block/block.c kernel/block/bio.c kernel/block/mbr.c \
	kernel/fs/*.c \
	drivers/keyboard_decoder.c drivers/ansi_keys.c \
	drivers/tsc_rate.c)
host_suites := $(sort $(wildcard tests/lib/*.c tests/core/*.c tests/mm/*.c \
	tests/drivers/*.c tests/kernel/test_line.c \
	tests/kernel/file_operations.c tests/host/test_*.c tests/host/stage.c \
	tests/host/ext2_*.c tests/host/model*.c tests/host/slab_machine.c \
	tests/host/contig_scene.c \
	tests/host/main.c tests/sequence.c \
	tests/states/search.c tests/states/test_direct_map_states.c))
# Random calls of all of mm/'s API.
churn_sources := tests/host/churn.c tests/host/run_churn.c tests/host/no_runner.c \
	tests/mm/space.c
# Exhaustive searches of all states: without sanitizers, for speed.
states_sources := $(sort $(wildcard tests/states/*.c) tests/host/main.c \
	tests/mm/test_zone.c tests/sequence.c)
replay_sources := tests/host/replay.c tests/host/no_runner.c \
	tests/mm/test_zone.c tests/sequence.c
host_cflags := -std=gnu11 -g -I. -fno-omit-frame-pointer -fno-strict-aliasing \
	-pthread $(warnings)
ifeq ($(COVER)$(PLAIN),)
host_sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all
# With gcc the suites of `make test` count how often the functions of mm/ run; any
# other compiler has other counters, and there build-cover runs.
ifeq ($(CC),gcc)
counted_suites := yes
count_host = $(if $(filter mm/%,$<),--coverage -fno-inline \
	-fprofile-update=single)
host_libs := --coverage
endif
else
host_sanitize :=
host_libs := $(if $(COVER),--coverage)
endif
host_ldflags := -pthread
host_with := $(CC) $(host_cflags) $(host_sanitize) $(counted_suites) $(host_library) \
	$(host_extra) $(host_suites) $(churn_sources) $(states_sources) \
	$(replay_sources)

library_objects := $(patsubst %,$B/host/obj/%.o,$(host_library))
suites_objects := $(patsubst %,$B/host/asan/%.o,$(host_library) \
	$(host_extra) $(host_suites))
churn_objects := $(patsubst %,$B/host/asan/%.o,$(host_library) $(host_extra) \
	$(churn_sources))
states_objects := $(patsubst %,$B/host/obj/%.o,$(states_sources))
conformance_objects := $(patsubst %.c,$B/host/obj/%.c.o, \
	$(filter-out %/linux.c,$(sort $(wildcard tests/conformance/*.c))))
replay_objects := $(patsubst %,$B/host/obj/%.o,$(replay_sources))

$B/host/with: $(call same,$B/host/with,$(host_with))
	@mkdir -p $(@D)
	@printf '%s\n' '$(host_with)' >$@

$B/host/obj/%.c.o: %.c $B/host/with Makefile
	@mkdir -p $(@D)
	$(say) HOSTCC $<
	$(Q)$(CC) $(host_cflags) -O2 -MMD -MP -c -o $@ $< $(remember)

$B/host/asan/%.c.o: %.c $B/host/with Makefile
	@mkdir -p $(@D)
	$(say) ASAN $<
	$(Q)$(CC) $(host_cflags) -fno-pie -O1 $(host_sanitize) \
		$(count_host) -MMD -MP -c -o $@ $< $(remember)

$B/host/libmm.a: $(library_objects) $B/host/with
	$(say) AR $@
	$(Q)rm -f $@ && ar rcsD $@ $(library_objects)

$B/host/example: $B/host/obj/tests/host/example.c.o $B/host/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -o $@ $^

$B/host/fragmentation: $B/host/obj/tests/host/fragmentation.c.o \
		$B/host/obj/tests/mm/space.c.o $B/host/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -o $@ $^

$B/host/run-suites: $(suites_objects) $(wildcard tests/host/*.ld) \
		$B/host/with
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -no-pie $(host_sanitize) $(host_libs) -o $@ \
		$(suites_objects) \
		$(addprefix -T ,$(wildcard tests/host/*.ld))

$B/host/churn: $(churn_objects) $(wildcard tests/host/*.ld) $B/host/with
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -no-pie $(host_sanitize) $(host_libs) -o $@ \
		$(churn_objects) \
		$(addprefix -T ,$(wildcard tests/host/*.ld))

$B/host/model-answers: $B/host/obj/tests/model/answers.c.o $B/host/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -o $@ $^

$B/host/conformance: $(conformance_objects) $B/host/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -o $@ $^

$B/host/run-states: $(states_objects) $B/host/libmm.a \
		$(wildcard tests/host/*.ld)
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -o $@ $(states_objects) $B/host/libmm.a \
		$(addprefix -T ,$(wildcard tests/host/*.ld))

$B/host/replay: $(replay_objects) $B/host/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -o $@ $^

# mm/ as it is compiled for the kernel, but for what needs the kernel's addresses:
# tests/bench/thin_machine.h.  That file's names win over those of the suites' machine.
bench_cflags := $(host_cflags) -O2 -fno-pie
thin_cflags := $(bench_cflags) -ffreestanding -mno-red-zone -mgeneral-regs-only
thin_sources := $(mm_sources) tests/bench/thin_machine.c
bench_first := $(patsubst %,$B/host/thin/%.o,$(sort $(wildcard tests/bench/*.c)))
bench_objects := $(patsubst %,$B/host/thin/%.o,$(mm_sources)) \
	$(filter-out $B/host/obj/mm/%,$(library_objects))

$B/host/thin/%.c.o: %.c $B/host/with Makefile
	@mkdir -p $(@D)
	$(say) THINCC $<
	$(Q)$(CC) $(if $(filter $<,$(thin_sources)),$(thin_cflags),$(bench_cflags)) \
		-MMD -MP -c -o $@ $< $(remember)

$B/host/thin/libmm.a: $(bench_objects) $B/host/with
	$(say) AR $@
	$(Q)rm -f $@ && ar rcsD $@ $(bench_objects)

$B/host/bench: $(filter-out %/scale.c.o,$(bench_first)) $B/host/thin/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -no-pie -z muldefs -o $@ $^

$B/host/scale: $(filter %/scale.c.o %/thin_machine.c.o,$(bench_first)) \
		$B/host/thin/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -no-pie -z muldefs -o $@ $^

-include $(bench_first:.o=.d) $(bench_objects:.o=.d)

build-bench: $B/host/bench $B/host/scale

-include $(library_objects:.o=.d) $(suites_objects:.o=.d) $(churn_objects:.o=.d) \
	$(states_objects:.o=.d) $(replay_objects:.o=.d) \
	$B/host/obj/tests/host/example.c.d \
	$B/host/obj/tests/model/answers.c.d $(conformance_objects:.o=.d) \
	$B/host/obj/tests/host/fragmentation.c.d \
	$B/host/obj/tests/mm/space.c.d

build-host: $B/host/libmm.a $B/host/example $B/host/fragmentation
build-model: $B/host/model-answers
build-conformance: $B/host/conformance
build-suites: $B/host/run-suites $B/host/run-states $B/host/replay $B/host/churn \
	build-model \
	build-conformance

## host: build/host/libmm.a, and the programs example and fragmentation, which use it
host:
	@tests/setup build
	@$(MAKE) build-host

# The playground: the same sources for WebAssembly, in one page.  docs/play/play.h.  No
# return addresses there: the compiler refuses to name them.
PLAY_CC := $(shell tests/clang)
PLAY_LD := $(PLAY_CC:clang%=wasm-ld%)
play_sources := $(mm_sources) $(sort $(wildcard lib/*.c docs/play/play*.c \
	docs/play/wasm*.c)) kernel/core/held.c kernel/sysctl.c tests/mm/space.c \
	tests/host/machine.c tests/host/machine_log.c tests/host/machine_mutex.c \
	tests/host/machine_recovery.c tests/host/machine_wait.c \
	tests/host/machine_window.c
play_host_sources := $(sort $(wildcard docs/play/play*.c)) docs/play/host.c \
	kernel/sysctl.c tests/mm/space.c
play_pages := $(sort $(wildcard docs/play/*.html docs/play/*.css docs/play/*.js \
	docs/play/*.txt))
play_cflags := --target=wasm64 -std=gnu11 -O2 -fno-builtin -nostdinc \
	-isystem $(shell $(PLAY_CC) -print-file-name=include 2>/dev/null) \
	-isystem docs/play/libc -I. -fno-strict-aliasing $(warnings) \
	'-D__builtin_return_address(level)=((void *)0)'
play_ldflags := -mwasm64 --no-entry --gc-sections --fatal-warnings --strip-all \
	-z stack-size=262144 $(addprefix --export=play_,run line_buffer \
	answer_buffer last_words)
play_objects := $(patsubst %,$B/play/obj/%.o,$(play_sources))
play_host_objects := $(patsubst %,$B/host/obj/%.o,$(play_host_sources))
play_with := $(PLAY_CC) $(subst ',,$(play_cflags)) $(play_ldflags) $(play_sources)

$B/play/with: $(call same,$B/play/with,$(play_with))
	@mkdir -p $(@D)
	@printf '%s\n' '$(play_with)' >$@

$B/play/obj/%.c.o: %.c $B/play/with Makefile
	@mkdir -p $(@D)
	$(say) WASMCC $<
	$(Q)$(PLAY_CC) $(play_cflags) -MMD -MP -c -o $@ $< $(remember)

$B/play/mm.wasm: $(play_objects)
	$(say) WASMLD $@
	$(Q)$(PLAY_LD) $(play_ldflags) -o $@ $(play_objects)

$B/play/index.html: $B/play/mm.wasm docs/play/mkplay $(play_pages) $(mm_sources) \
		$(wildcard docs/[0-9]*.md)
	$(say) PLAY $@
	$(Q)python3 docs/play/mkplay $< $@

$B/host/play: $(play_host_objects) $B/host/libmm.a
	$(say) LD $@
	$(Q)$(CC) $(host_ldflags) -o $@ $^

-include $(play_objects:.o=.d) $(play_host_objects:.o=.d)

build-play: $B/play/index.html $B/host/play

# Fuzz targets, by clang's libFuzzer: each tests/fuzz/fuzz_*.c is one.  The
# archive provides only the functions that a target refers to, so a target may
# define its own version of one of them.
FUZZ_CC := $(shell tests/clang)
fuzz_more := kernel/shell/shell.c tests/host/no_runner.c tests/host/churn.c \
	tests/mm/test_zone.c tests/mm/space.c tests/sequence.c
fuzz_common := $(sort $(host_library) $(host_extra) $(fuzz_more))
fuzz_targets := $(patsubst tests/fuzz/%.c,$B/fuzz/%, \
	$(sort $(wildcard tests/fuzz/fuzz_*.c)))
fuzz_objects := $(patsubst %,$B/fuzz/obj/%.o,$(fuzz_common))
fuzz_sanitize := address,undefined -fno-sanitize-recover=all
fuzz_with := $(FUZZ_CC) $(host_cflags) $(fuzz_sanitize) $(fuzz_common)

$B/fuzz/with: $(call same,$B/fuzz/with,$(fuzz_with))
	@mkdir -p $(@D)
	@printf '%s\n' '$(fuzz_with)' >$@

$B/fuzz/obj/%.c.o: %.c $B/fuzz/with Makefile
	@mkdir -p $(@D)
	$(say) FUZZCC $<
	$(Q)$(FUZZ_CC) $(host_cflags) -fno-pie -O1 \
		-fsanitize=fuzzer-no-link,$(fuzz_sanitize) -MMD -MP -c -o $@ $< \
		$(remember)

$B/fuzz/libfuzz.a: $(fuzz_objects) $B/fuzz/with
	$(Q)rm -f $@ && ar rcsD $@ $(fuzz_objects)

$(fuzz_targets): $B/fuzz/%: $B/fuzz/obj/tests/fuzz/%.c.o $B/fuzz/libfuzz.a \
		$(wildcard tests/host/*.ld)
	$(say) LD $@
	$(Q)$(FUZZ_CC) $(host_ldflags) -no-pie \
		-fsanitize=fuzzer,$(fuzz_sanitize) -o $@ \
		$(filter %.o %.a,$^) $(addprefix -T ,$(wildcard tests/host/*.ld))

.SECONDARY: $(patsubst $B/fuzz/%,$B/fuzz/obj/tests/fuzz/%.c.o,$(fuzz_targets))

-include $(fuzz_objects:.o=.d) \
	$(patsubst $B/fuzz/%,$B/fuzz/obj/tests/fuzz/%.c.d,$(fuzz_targets))

build-fuzz: $(fuzz_targets)

## fuzz: each fuzz target for FUZZ_SECONDS (60); findings are in build/fuzz/
fuzz:
	@tests/setup fuzz
	@$(MAKE) build-fuzz
	@python3 tests/run/fuzz.py $(ONLY)

# Fails if an object of the builds so far was made with a warning.
warned = $(wildcard $(addsuffix .warnings,$(objects) $(library_objects) \
	$(suites_objects) $(churn_objects) $(states_objects) $(replay_objects) $(fuzz_objects) \
	$(patsubst $B/fuzz/%,$B/fuzz/obj/tests/fuzz/%.c.o,$(fuzz_targets)) \
	$B/host/obj/tests/host/example.c.o \
	$B/host/obj/tests/model/answers.c.o $(conformance_objects) \
	$B/host/obj/tests/host/fragmentation.c.o \
	$B/host/obj/tests/mm/space.c.o $(bench_first) $(bench_objects) \
	$(play_objects) $(play_host_objects)))
.PHONY: no-warnings
no-warnings:
	@$(if $(warned),cat $(warned) >&2; \
		echo "A warning is an error here." >&2; exit 1)

# Two jobs, unless make got -j.
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j2)

## test: everything, in under ten minutes: the host, QEMU, Bochs; ONLY=words, V=1
test:
	@tests/setup test cover
	@$(MAKE) $(jobs) build-iso build-disk build-checked build-host build-play \
		build-bench build-suites build-fuzz $(if $(counted_suites),,build-cover)
	@$(MAKE) no-warnings
	@$(MAKE) B=$B/checked CHECKED=1 no-warnings
	@$(if $(counted_suites),,$(MAKE) B=$B/cover COVER=1 CC=gcc no-warnings)
	@python3 tests/run/check.py $(if $(V),--verbose) $(ONLY)

## test-long: the long forms of what make test runs in short; ONLY=words, V=1
test-long:
	@tests/setup test
	@$(MAKE) $(jobs) build-iso build-disk build-checked build-suites build-fuzz
	@python3 tests/run/check.py --long $(if $(V),--verbose) $(ONLY)

## churn: random calls of all of mm/ on the host for SECONDS=3600; SEED=
churn:
	@tests/setup build
	@$(MAKE) $B/host/churn
	@$B/host/churn $(if $(SEED),--seed $(SEED)) --seconds $(or $(SECONDS),3600)

## mutants: a fault at a time, and a case must fail; ONLY=words picks
mutants:
	@tests/setup test
	@$(MAKE) build-iso build-suites
	@python3 tests/run/mutants.py $(ONLY)

## mutate: COUNT=400 changes drawn by SEED=, and which of them no test notices
mutate:
	@tests/setup test cover
	@$(MAKE) build-iso build-disk build-suites
	@$(MAKE) B=$B/mutate/cover COVER=1 CC=gcc $B/mutate/cover/host/run-suites
	@$(MAKE) B=$B/mutate/plain PLAIN=1 $B/mutate/plain/host/run-suites
	@python3 tests/run/mutate.py $(if $(SEED),--seed $(SEED)) \
		$(if $(COUNT),--count $(COUNT)) $(ONLY)

## test-in: make run and make test in a minimal Debian; DIST=trixie or bookworm
test-in:
	@tests/test-in '$(DIST)' $(ONLY)

## states: search all states of the small pools, the long searches included
states:
	@tests/setup build
	@$(MAKE) $B/host/run-states
	$(Q)$B/host/run-states block_states buddy_states exclusive_states region_states \
		type_states region_states_more buddy_states_16 type_states_whole \
		exclusive_states_more

## model: the allocator's decisions beside those of a model, STATES=100000; SEED=
model:
	@tests/setup build
	@$(MAKE) build-model
	@python3 tests/model/compare.py --all-contexts --verbose \
		--states $(or $(STATES),100000) $(if $(SEED),--seed $(SEED))
	@python3 tests/model/broken.py

## ignored: a flag of a mask at a time is ignored, and its case must fail; ONLY=words
ignored:
	@tests/setup test
	@$(MAKE) build-iso build-suites
	@python3 tests/run/ignored.py $(ONLY)

## replay-calls: run FILE=, a sequence of allocator calls, on the host and in QEMU
replay-calls:
	@tests/setup run
	@$(MAKE) build-iso $B/host/replay
	@python3 tests/run/replay_calls.py '$(FILE)'

# gcc, whatever compiles the rest: the counters are gcc's.
.PHONY: cover build-cover
build-cover:
	@$(MAKE) B=$B/cover COVER=1 CC=gcc build-suites

## cover: which lines the tests run, build/cover/index.html
cover:
	@tests/setup cover
	@$(MAKE) build-cover
	@$(MAKE) B=$B/cover COVER=1 CC=gcc build-iso
	@LABYRINTH_BUILD=$B/cover python3 tests/run/cover.py

# ------------------------------------------------------------------ care

c_files := $(sort $(shell find kernel mm drivers lib tests docs \
	-name '*.c' -o -name '*.h'))
tidy_stamps := $(patsubst %,$B/lint/%.tidy,$(c_sources))

$B/lint/%.tidy: % .clang-tidy Makefile $B/obj/%.o
	@mkdir -p $(@D)
	$(say) TIDY $<
	$(Q)clang-tidy-14 --quiet $< -- $(kernel_cflags:-isystem=) \
		-isystem $(wildcard /usr/lib/llvm-14/lib/clang/*/include) \
		>$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

.PHONY: lint-format lint-tidy tidy-all lint-rules lint-clang
# Version 14, which Debian 12 has: other versions format differently, and their
# clang-tidy has other rules.  Where it is missing, a note says so.
lacks = ! command -v $(1) >/dev/null && echo "not checked: there is no $(1) here"

lint-format:
	$(say) FORMAT .clang-format
	$(Q)$(call lacks,clang-format-14) || \
		clang-format-14 --dry-run -Werror $(c_files)

lint-tidy:
	$(Q)$(call lacks,clang-tidy-14) || $(MAKE) tidy-all

tidy-all: $(tidy_stamps)

lint-rules: $(patsubst %,$B/obj/%.o,$(mm_sources))
	$(say) RULES tests/lint
	$(Q)python3 tests/lint/floors.py
	$(Q)python3 tests/lint/flags.py
	$(Q)python3 tests/lint/front_door.py
	$(Q)python3 tests/lint/names.py
	$(Q)python3 tests/lint/rules.py
	$(Q)python3 tests/lint/references.py
	$(Q)python3 tests/lint/patches.py
	$(Q)python3 tests/lint/prose.py
	$(Q)python3 tests/lint/assertions.py
	$(Q)python3 docs/play/mkplay --check
	$(Q)python3 tests/lint/percpu.py $(CC) $(kernel_cflags)
	$(Q)python3 tests/run/mutants.py --check
	$(Q)python3 tests/run/mutate.py --check
	$(Q)python3 tests/lint/seam.py $(patsubst %,$B/obj/%.o,$(mm_sources))
	$(Q)if command -v shellcheck >/dev/null; then \
		shellcheck $$(grep -lE '^#!/bin/sh' -r iso tests .ci); fi

# Builds everything once more with clang, which has other warnings than gcc.
lint-clang:
	@$(MAKE) B=$B/clang CC=$(FUZZ_CC) build-iso build-suites
	@$(MAKE) B=$B/clang CC=$(FUZZ_CC) no-warnings

## lint: floors, rules, references, prose, assertions, format, clang, tidy
lint:
	@tests/setup lint
	@$(MAKE) $(jobs) lint-rules lint-format
	@$(MAKE) $(jobs) lint-clang
	@$(MAKE) $(jobs) lint-tidy
	@$(MAKE) no-warnings

## fmt: format every C file by .clang-format
fmt:
	@tests/setup lint
	$(Q)clang-format-14 -i $(c_files)

## doctor: which tools are missing here, and how to get them; installs nothing
doctor:
	@python3 tests/run/doctor.py

## setup: install all required packages (Debian: apt)
setup:
	@tests/setup build run bochs debug test lint

## clean: remove build/
clean:
	$(Q)rm -rf $B

## help: this list
help:
	@echo "Labyrinth: make run, make test; all there is:"
	@sed -n 's/^## \([a-z-]*\): \(.*\)/  make \1	\2/p' Makefile | \
		expand -t 20
	@echo "V=1 shows commands; CC=clang-14 builds with clang."

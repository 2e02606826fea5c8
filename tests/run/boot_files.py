# SPDX-License-Identifier: MIT
"""Files: written in the machine and read on the host, and the other way."""

import os
import re
import subprocess

from boot_disk import drive
from lab import boot_test, check, command, disk_copy, expect_end, for_each
from lab import expect_selftest_passes, number
from machine import scaled

FIRST_SECTOR = 2048
SECTORS = 32768
TOOLS = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def tool(*words, status=0):
    """The output of a tool of e2fsprogs, which must end with STATUS."""
    done = subprocess.run(
        words, env=TOOLS, capture_output=True, text=True, timeout=scaled(60)
    )
    check(
        done.returncode == status,
        f"{' '.join(words)}: {done.returncode}: {done.stdout[-300:]}",
    )
    return done.stdout


def take_out(disk):
    """The first partition of DISK, as a separate file."""
    path = disk + ".hda1"
    with open(disk, "rb") as image, open(path, "wb") as part:
        image.seek(FIRST_SECTOR * 512)
        part.write(image.read(SECTORS * 512))
    return path


def put_back(disk):
    with open(disk, "r+b") as image, open(disk + ".hda1", "rb") as part:
        image.seek(FIRST_SECTOR * 512)
        image.write(part.read())


@boot_test
def sync_asks_for_a_flush_and_tells_if_it_fails(lab):
    rule = '[inject-error]\nevent = "flush_to_disk"\nerrno = "5"\nonce = "on"\n'
    options = drive(disk_copy(lab.directory), rule, "writeback")
    with lab.prompt(more=options) as machine:
        check(command(machine, "write /a hello").strip() == "", "no write")
        said = command(machine, "sync")
        check("sync: the disk has failed (5)" in said, f"sync: {said!r}")
        check(command(machine, "sync").strip() == "", "and not the next one")


@boot_test
def names_are_as_long_as_they_were_typed(lab):
    """255 characters are the most that ext2 has; a longer name is refused, and no
    file has a part of it."""
    with lab.prompt(disk=disk_copy(lab.directory)) as machine:
        for length in (152, 200, 255):
            name = "z" * length
            said = command(machine, f"write /{name} hello {length}")
            check(said.strip() == "", f"write: {said!r}")
            said = command(machine, f"cat /{name}")
            check(f"hello {length}\n" in said, f"cat: {said!r}")
        for length in (256, 900):
            said = command(machine, f"write /{'z' * length} hello")
            check("the name is too long" in said, f"write: {said!r}")
        said = command(machine, f"write /{'z' * 2000} hello")
        check("not run: the line has 2013 characters" in said, said)
        # A line as long as can be is a file as long as that.
        text = "t" * (1023 - len("write /t "))
        command(machine, f"write /t {text}")
        check(f"\n{text}\n" in "\n" + command(machine, "cat /t"), "not all of it")
        said = command(machine, "ls /")
        names = sorted(len(n) for n in re.findall(r"\bz+\b", said))
        check(names == [152, 200, 255], f"names of {names} characters")


@boot_test
def control_c_ends_a_file_without_end(lab):
    """4 GB of zeroes, printed as dots; what was typed behind ^C stays."""
    disk = disk_copy(lab.directory)
    part = take_out(disk)
    tool("debugfs", "-w", "-R", "write /dev/null endless", part)
    tool("debugfs", "-w", "-R", "sif endless size 4000000000", part)
    put_back(disk)
    with lab.prompt(disk=disk) as machine:
        machine.send("cat endless\r")
        machine.console.expect(r"\.{500}")
        machine.send("\x03mount\r")
        machine.console.expect(r"hda1 on / type ext2 \(rw\)")
        said = command(machine, "mkdir /new")
        check(said.strip() == "", f"mkdir: {said!r}")


@boot_test
def files_pass_between_machine_and_host(lab):
    disk = disk_copy(lab.directory)
    part = take_out(disk)
    note = os.path.join(lab.directory, "note")
    with open(note, "w") as file:
        file.write("from the host\n")
    tool("debugfs", "-w", "-R", f"write {note} note", part)
    put_back(disk)

    machine = lab.prompt(disk=disk)
    with machine:
        said = command(machine, "cat /note")
        check(said.strip() == "from the host", f"cat said {said!r}")
        free = number(command(machine, "df"), r"hda1 +\d+ +\d+ +(\d+)", "df")
        for line in (
            "mkdir /guest",
            "write /guest/note from the machine",
            "rm /note",
        ):
            said = command(machine, line)
            check(not said.strip(), f"{line} said {said!r}")
        said = command(machine, "ls -l /guest")
        check("17" in said and "note" in said, f"ls said {said!r}")
        said = command(machine, "rm /guest")
        check("not empty" in said, f"rm said {said!r}")
        said = command(machine, "cat /none")
        check("no such file" in said, f"cat said {said!r}")
        after = number(command(machine, "df"), r"hda1 +\d+ +\d+ +(\d+)", "df")
        check(free - after == 4, f"{free - after} KiB for a directory")
        check("rw" in command(machine, "mount"), "mounted, but not rw")
        machine.send("poweroff\r")
        expect_end(machine, "power-off")

    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    check("clean" in tool("dumpe2fs", "-h", part), "the state is not clean")
    said = tool("debugfs", "-R", "cat /guest/note", part)
    check(said == "from the machine\n", f"debugfs said {said!r}")


@boot_test
def what_was_synced_survives_the_plug(lab):
    disk = disk_copy(lab.directory)
    machine = lab.prompt(disk=disk)
    with machine:
        command(machine, "write /kept forever")
        said = command(machine, "sync")
        check(not said.strip(), f"sync said {said!r}")
        machine.kill()
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    said = tool("debugfs", "-R", "cat /kept", part)
    check(said == "forever\n", f"debugfs said {said!r}")


@boot_test
def without_a_disk_there_are_no_files(lab):
    machine = lab.prompt()
    with machine:
        check(
            "there is no hda1" in machine.console.text,
            "no message about the missing disk",
        )
        said = command(machine, "ls")
        check("nothing is mounted" in said, f"ls said {said!r}")
        machine.send("poweroff\r")
        expect_end(machine, "power-off")


@for_each(files="files", fail_files="fail_files", fail_shell="fail_shell")
def disk_is_clean_after_the_suite(lab, suite):
    disk = disk_copy(lab.directory)
    before = tool("debugfs", "-R", "ls -l /", take_out(disk))
    with lab.boot(f"selftest={suite}", disk=disk) as machine:
        expect_selftest_passes(machine)
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    check("clean" in tool("dumpe2fs", "-h", part), "the state is not clean")
    after = tool("debugfs", "-R", "ls -l /", part)
    names = [[line.split()[-1] for line in it.splitlines() if line.strip()]
             for it in (before, after)]
    check(names[0] == names[1], f"{names[1]} in the root")


# ---- Disks that fail


BLOCK = 4096 // 512  # sectors


def failing(path, kind, block, once="off"):
    """PATH as a disk whose reads or writes of BLOCK of hda1 fail."""
    sector = FIRST_SECTOR + block * BLOCK
    rule = (
        f'[inject-error]\nevent = "{kind}_aio"\niotype = "{kind}"\n'
        f'errno = "5"\nsector = "{sector}"\nonce = "{once}"\n'
    )
    return drive(path, rule), sector


def numbers(said):
    return [int(word) for word in re.findall(r"\b\d+\b", said)]


def blocks_of(part, path):
    return numbers(tool("debugfs", "-R", f"blocks {path}", part))


def inode_block_of(part, path):
    said = tool("debugfs", "-R", f"imap {path}", part)
    return int(re.search(r"at block (\d+)", said).group(1))


def disk_with_files(lab):
    """A disk with /dir/deep and /victim of three blocks, each with its letter;
    the path, and that of its partition."""
    disk = disk_copy(lab.directory)
    part = take_out(disk)
    text = os.path.join(lab.directory, "text")
    with open(text, "w") as file:
        file.write("A" * 4096 + "B" * 4096 + "C" * 100)
    tool("debugfs", "-w", "-R", f"write {text} victim", part)
    tool("debugfs", "-w", "-R", "mkdir dir", part)
    tool("debugfs", "-w", "-R", f"write {text} dir/deep", part)
    put_back(disk)
    return disk, part


def power_off(machine):
    machine.send("poweroff\r")
    expect_end(machine, "power-off")


def still_works(machine):
    """Everything else does: files are read, made and removed."""
    for line in ("mkdir /new", "write /new/note still here", "sync"):
        said = command(machine, line)
        check(not said.strip(), f"{line} said {said!r}")
    said = command(machine, "cat /new/note")
    check(said.strip() == "still here", f"cat said {said!r}")


@boot_test
def files_tell_a_read_error_of_data_and_lose_nothing(lab):
    disk, part = disk_with_files(lab)
    more, sector = failing(disk, "read", blocks_of(part, "victim")[1])
    with lab.prompt(more=more) as machine:
        said = command(machine, "cat /victim")
        check("A" * 64 in said and "BB" not in said, "not the first block only")
        check("/victim: the disk has failed" in said, f"cat said {said[-200:]!r}")
        check(f"hda: read of sector {sector} failed" in said, "not in the log")
        said = command(machine, "cat /dir/deep")
        check(said.count("B") == 4096, "another file cannot be read")
        still_works(machine)
        power_off(machine)
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    check("clean" in tool("dumpe2fs", "-h", part), "the state is not clean")


@for_each(of_a_directory=False, of_inodes=True)
def files_tell_a_read_error(lab, of_inodes):
    disk, part = disk_with_files(lab)
    find = inode_block_of if of_inodes else (lambda *it: blocks_of(*it)[0])
    more, sector = failing(disk, "read", find(part, "dir"))
    with lab.prompt(more=more) as machine:
        for line in ("ls /dir", "cat /dir/deep", "rm /dir/deep"):
            said = command(machine, line)
            check("the disk has failed" in said, f"{line} said {said!r}")
        check(
            f"hda: read of sector {sector} failed" in machine.console.text,
            "not in the log",
        )
        check("new" not in command(machine, "ls /"), "ls / says what is not")
        power_off(machine)
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    said = tool("debugfs", "-R", "cat /dir/deep", part)
    check(said.count("B") == 4096, "the file is damaged")


def written_to(lab):
    """Where a note that is written to a fresh disk ends up: its data, its
    inode."""
    disk = disk_copy(lab.directory)
    with lab.prompt(disk=disk) as machine:
        command(machine, "write /note it is me")
        power_off(machine)
    part = take_out(disk)
    return blocks_of(part, "note")[0], inode_block_of(part, "note")


@boot_test
def files_keep_what_could_not_be_written_and_write_it_later(lab):
    block, _ = written_to(lab)
    disk = disk_copy(lab.directory)
    more, sector = failing(disk, "write", block, "on")
    with lab.prompt(more=more) as machine:
        command(machine, "write /note it is me")
        said = command(machine, "sync")
        check("the disk has failed" in said, f"sync said {said!r}")
        check(f"hda: write of sector {sector} failed" in said, "not in the log")
        said = command(machine, "cat /note")
        check(said.strip() == "it is me", f"cat said {said!r}")
        still_works(machine)
        power_off(machine)
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    check("clean" in tool("dumpe2fs", "-h", part), "the state is not clean")
    said = tool("debugfs", "-R", "cat /note", part)
    check(said == "it is me\n", f"debugfs said {said!r}")


@for_each(of_data=False, of_inodes=True)
def files_tell_a_write_error_each_time(lab, of_inodes):
    block = written_to(lab)[of_inodes]
    disk = disk_copy(lab.directory)
    more, sector = failing(disk, "write", block)
    with lab.prompt(more=more) as machine:
        command(machine, "write /note it is me")
        for _ in range(2):
            said = command(machine, "sync")
            check("the disk has failed" in said, f"sync said {said!r}")
        said = command(machine, "cat /note")
        check(said.strip() == "it is me", f"cat said {said!r}")
        said = command(machine, "umount")
        check("the disk has failed" in said, f"umount said {said!r}")
        check("nothing is mounted" in command(machine, "ls"), "still mounted")
        power_off(machine)
    part = take_out(disk)
    check("not clean" in tool("dumpe2fs", "-h", part), "the state is clean")
    if of_inodes:
        tool("e2fsck", "-fy", part, status=1)
    tool("e2fsck", "-fn", part)
    said = tool("debugfs", "-R", "cat /01-boot.md", part)
    check(len(said) > 5000, "another file is damaged")


@boot_test
def selftest_at_the_prompt_lets_go_of_the_disk_meanwhile(lab):
    """Its suites mount the disk themselves, and one leaves files: mounted twice at
    the same time, the file system would be damaged."""
    disk = disk_copy(lab.directory)
    with lab.prompt(disk=disk, memory="64M") as machine:
        command(machine, "write /before it began")
        said = command(machine, "selftest pressure")
        check("selftest: 1 passed, 0 failed" in said, f"selftest: {said!r}")
        said = command(machine, "mount")
        check("hda1 on / type ext2 (rw)" in said, f"mount said {said!r}")
        check("pressure-8" in command(machine, "ls /"), "its files are not there")
        command(machine, "write /after it ended")
        for name, text in (("before", "it began"), ("after", "it ended")):
            said = command(machine, f"cat /{name}").strip()
            check(said == text, f"/{name} is {said!r}")
        power_off(machine)
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    said = tool("debugfs", "-R", "cat /before", part)
    check(said == "it began\n", f"debugfs said {said!r}")


@for_each(whose_files_are_read="", with_swap="swapon hda2")
def a_disk_that_is_pulled_out_costs_no_page(lab, first):
    """
    Every call fails, each error path is taken: a page that is put twice there
    would be refused, reported and counted, and one that is never put is missing.
    """
    disk, _ = disk_with_files(lab)
    with lab.prompt(disk=disk, memory="16M") as machine:
        if first:
            for line in (first, "anon 64", "anon fill 1 1", "anon out 1"):
                command(machine, line)
        machine.monitor("drive_del ide0-hd0")
        command(machine, "echo pulled out")
        for line in (
            "cat /dir/deep",
            "cat /victim",
            "ls /dir",
            "rm /dir/deep",
            "write /note it is me",
            "mkdir /new",
            "sync",
            "umount",
        ):
            said = command(machine, line)
            check("disk has failed" in said, f"{line} said {said!r}")
        if first:
            said = command(machine, "anon verify 1")
            check("64 cannot be read" in said, f"anon verify said {said!r}")
            command(machine, "anon drop 1")
            command(machine, "swapoff hda2")
        check("BUG" not in machine.console.text, "a bug is reported")
        said = command(machine, "vmstat free_refused")
        check(number(said, r"free_refused +(\d+)", "vmstat") == 0, "refused")
        said = command(machine, "check")
        check("one column" in said, f"check said {said!r}")
        command(machine, "umount")
        check("nothing is mounted" in command(machine, "ls"), "still mounted")

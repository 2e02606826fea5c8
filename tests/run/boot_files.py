# SPDX-License-Identifier: MIT
"""Files: written in the machine and read on the host, and the other way."""

import os
import subprocess

from lab import boot_test, check, command, disk_copy, expect_end, number

FIRST_SECTOR = 2048
SECTORS = 32768
TOOLS = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def tool(*words):
    """The output of a tool of e2fsprogs, which must succeed."""
    done = subprocess.run(
        words, env=TOOLS, capture_output=True, text=True, timeout=60
    )
    check(
        done.returncode == 0,
        f"{' '.join(words)}: {done.returncode}: {done.stdout[-300:]}",
    )
    return done.stdout


def take_out(disk):
    """The first partition of DISK, as a file of its own."""
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
        command(machine, "write /kept for ever")
        said = command(machine, "sync")
        check(not said.strip(), f"sync said {said!r}")
        machine.kill()
    part = take_out(disk)
    tool("e2fsck", "-fn", part)
    said = tool("debugfs", "-R", "cat /kept", part)
    check(said == "for ever\n", f"debugfs said {said!r}")


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

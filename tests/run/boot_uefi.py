# SPDX-License-Identifier: MIT
"""The disc of iso/mkrelease: BIOS and UEFI, as a CD and on a USB stick."""

import os
import subprocess

from ktap import END_POWER_OFF
from lab import boot_test, check, command, disk_copy, expect_end
from lab import expect_selftest_passes, long_test
from machine import BUILD, PROMPT, ROOT
from qemu import GUEST_TIME, Qemu

LIMIT = 60  # seconds: OVMF alone takes 5 on a quiet machine
MOST = 5 * 10**6

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
SETTINGS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
UEFI = (
    *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}"),
    *("-drive", f"if=pflash,format=raw,unit=1,snapshot=on,file={SETTINGS}"),
)


class Stick(Qemu):
    """The disc's image on a USB stick."""

    def drive(self, iso):
        return (
            *("-drive", f"if=none,id=stick,format=raw,snapshot=on,file={iso}"),
            *("-device", "usb-ehci", "-device", "usb-storage,drive=stick"),
        )


def release(lab, *words):
    os.makedirs(lab.directory, exist_ok=True)
    path = os.path.join(lab.directory, "release.iso")
    tool = os.path.join(ROOT, "iso", "mkrelease")
    kernel = os.path.join(BUILD, "iso", "labyrinth.elf")
    subprocess.run(
        [tool, path, *words], check=True, env=dict(os.environ, KERNEL=kernel)
    )
    return path


def has_a_screen_and_ends(machine):
    """The prompt is there, in pixels too, and the machine can be turned off."""
    machine.console.expect(PROMPT, LIMIT)
    command(machine, "map")
    check(machine.pixels().width >= 800, "there is no framebuffer")
    check("alive" in command(machine, "echo alive"), "the shell is gone")
    machine.send("poweroff\r")
    expect_end(machine, END_POWER_OFF)


@boot_test
def release_starts_under_uefi_from_a_disc(lab):
    iso = release(lab)
    size = os.path.getsize(iso)
    check(size <= MOST, f"it has {size} bytes")
    directory = os.path.join(lab.directory, "uefi")
    with Qemu(lab.name, directory, iso, memory="256M", more=UEFI) as machine:
        has_a_screen_and_ends(machine)


@long_test
def release_starts_everywhere_else(lab):
    iso = release(lab)
    for name, kind, more in (
        ("bios", Qemu, ()),
        ("bios-stick", Stick, ()),
        ("uefi-stick", Stick, UEFI),
    ):
        directory = os.path.join(lab.directory, name)
        with kind(lab.name, directory, iso, memory="256M", more=more) as machine:
            has_a_screen_and_ends(machine)


@long_test
def selftest_passes_under_uefi(lab):
    iso = release(lab, "selftest", "disk_timeout=600")
    disk = disk_copy(lab.directory)
    more = (*UEFI, *GUEST_TIME)
    with Qemu(lab.name, lab.directory, iso, memory="256M", more=more, disk=disk) as machine:
        expect_selftest_passes(machine, 240)

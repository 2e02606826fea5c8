# SPDX-License-Identifier: MIT
"""
usage: doctor.py

`make doctor`: is everything here that the targets of the Makefile need?  It asks
tests/setup, which knows the tools, installs nothing, and says how this system's package
manager would get the ones that are missing.  The exit status is 1 if `make run` cannot
work.
"""

import os
import platform
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Groups of tests/setup and the targets that need them, the most wanted first.
PURPOSES = (
    ("run", "make run, make watch"),
    ("test", "make test"),
    ("debug", "make debug"),
    ("lint", "make lint"),
    ("book", "make book"),
    ("play", "make play"),
    ("release", "make release"),
    ("bochs", "make bochs"),
    ("cover", "make cover"),
    ("bench", "make bench-host"),
    ("linux", "make bench-linux"),
    ("conformance", "make conformance"),
)

# A family of systems: its column in tests/packages.txt, and what installs.
FAMILIES = {
    "debian": (0, "apt-get install"),
    "fedora": (1, "dnf install"),
    "arch": (2, "pacman -S"),
    "homebrew": (3, "brew install"),
}
ALSO = ("rhel", "centos")  # of Fedora's family
TRIED = ("debian",)
ROOM = 3 << 30  # bytes: a whole `make test` leaves 2 GB in build/


def family_of(os_release, system):
    """The family, by the text of /etc/os-release and the answer of `uname`; None."""
    if system == "Darwin":
        return "homebrew"
    words = re.findall(r'^ID(?:_LIKE)?="?([^"\n]*)"?$', os_release, re.MULTILINE)
    for word in " ".join(words).split():
        if word in FAMILIES:
            return word
        if word in ALSO:
            return "fedora"
    return None


def name_of(os_release, system, version):
    """For people: "Debian GNU/Linux 12 (bookworm), in WSL"."""
    if system == "Darwin":
        return "macOS"
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', os_release, re.MULTILINE)
    name = found[1] if found else system
    return name + (", in WSL" if "microsoft" in version.lower() else "")


def package_names():
    """Debian's name -> the names in all columns."""
    names = {}
    with open(os.path.join(ROOT, "tests", "packages.txt")) as file:
        for line in file:
            columns = line.split()
            if columns and columns[0] != "#" and len(columns) == len(FAMILIES):
                names[columns[0]] = columns
    return names


def without_version(package):
    """clang-14 and libclang-rt-14-dev are one package elsewhere."""
    return re.sub(r"-\d+(-dev)?$", "", package)


def names_here(packages, family):
    """(Names to install, Debian's names of those that this system does not have)."""
    if family == "debian":
        return sorted(packages), []
    column, table = FAMILIES[family][0], package_names()
    names, absent = set(), []
    for package in sorted(packages):
        columns = table.get(without_version(package))
        name = columns[column] if columns else "-"
        if name == "-":
            absent.append(package)
        elif name != "+":
            names.add(name)
    return sorted(names), absent


def advice(packages, family):
    """Lines: how to get Debian's PACKAGES on a system of FAMILY."""
    if family is None:
        return [
            "This system's package manager is not known here.  Debian calls them:",
            "    " + " ".join(sorted(packages)),
        ]
    names, absent = names_here(packages, family)
    lines = []
    if names:
        sudo = "" if family == "homebrew" or os.geteuid() == 0 else "sudo "
        lines += ["To get them:", f"    {sudo}{FAMILIES[family][1]} {' '.join(names)}"]
        if family not in TRIED:
            lines.append("(These names were not tried on such a system.)")
    if absent:
        lines.append(f"Not packaged here: {' '.join(absent)}.")
    if family == "homebrew" or absent:
        lines.append("In a container of debian:12 (linux/amd64) everything works: README.md.")
    return lines


def tools():
    """Group -> Debian's package -> is its tool here?"""
    groups = [group for group, _ in PURPOSES]
    done = subprocess.run(
        [os.path.join(ROOT, "tests", "setup"), "--list", *groups],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {group: {} for group in groups}
    for line in done.stdout.splitlines():
        word, group, package, _ = line.split("\t")
        found[group][package] = word == "ok"
    return found


def report_tools(found):
    """Print a line for each purpose; all that is missing."""
    missing = set()
    for group, purpose in PURPOSES:
        lacks = sorted(package for package, there in found[group].items() if not there)
        missing.update(lacks)
        print(f"  {purpose:<22} {'missing: ' + ' '.join(lacks) if lacks else 'ok'}")
    return missing


def report_host():
    """The machine and this folder."""
    room = shutil.disk_usage(ROOT).free
    if room < ROOM:
        print(f"  {'room for build/':<22} {room >> 20} MB; the tests want {ROOM >> 20}")
    if platform.machine() not in ("x86_64", "AMD64"):
        print(
            f"  {'processor':<22} {platform.machine()}: the compiler must be one for "
            "x86_64; a container for linux/amd64 has it"
        )
    if not os.access(ROOT, os.W_OK):
        print(f"  {'this folder':<22} cannot be written to")


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def main(arguments):
    if arguments:
        print(__doc__.strip())
        return 0 if set(arguments) & {"-h", "--help"} else 2
    os_release, system = read("/etc/os-release"), platform.system()
    print(f"Labyrinth on {name_of(os_release, system, read('/proc/version'))}:")
    found = tools()
    missing = report_tools(found)
    report_host()
    if missing:
        print("\n".join(advice(missing, family_of(os_release, system))))
    return 0 if all(found["run"].values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make doctor` names the tools that are missing, and the command that gets them."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import doctor
from doctor import ROOT, advice, family_of, name_of, names_here, package_names

UBUNTU = 'PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nID_LIKE=debian\n'
ROCKY = 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\n'
TOOLS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")


def folder_without(folder, absent):
    """In FOLDER a link to each tool of this system, but for those ABSENT."""
    for place in TOOLS:
        for name in os.listdir(place):
            link = os.path.join(folder, name)
            if name not in absent and not os.path.lexists(link):
                os.symlink(os.path.join(place, name), link)


def said_without(*absent):
    """The exit status of `make doctor` and its text, where these are missing."""
    with tempfile.TemporaryDirectory() as folder:
        folder_without(folder, absent)
        done = subprocess.run(
            [sys.executable, doctor.__file__],
            env=dict(os.environ, PATH=folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout


class Doctor(unittest.TestCase):
    def test_systems_are_known_by_their_own_words(self):
        self.assertEqual(family_of("ID=debian\n", "Linux"), "debian")
        self.assertEqual(family_of(UBUNTU, "Linux"), "debian")
        self.assertEqual(family_of("ID=fedora\n", "Linux"), "fedora")
        self.assertEqual(family_of(ROCKY, "Linux"), "fedora")
        self.assertEqual(family_of("ID=arch\n", "Linux"), "arch")
        self.assertEqual(family_of("", "Darwin"), "homebrew")
        self.assertIsNone(family_of("ID=plan9\n", "Linux"))
        wsl = "Linux version 5.15.90.1-microsoft-standard-WSL2"
        self.assertEqual(name_of(UBUNTU, "Linux", wsl), "Ubuntu 24.04 LTS, in WSL")

    def test_each_package_of_setup_has_names_elsewhere(self):
        with open(os.path.join(ROOT, "tests", "setup")) as file:
            wanted = re.findall(r"\bneed (?:\w+ )*?([a-z][\w.-]+) \S", file.read())
        self.assertGreater(len(wanted), 30)
        names = package_names()
        of_debian = ("linux-headers-amd64", "busybox-static", "cpio", "libelf1")
        for package in set(wanted) - set(of_debian):
            self.assertIn(doctor.without_version(package), names)

    def test_missing_tools_are_named_with_the_command_that_gets_them(self):
        status, said = said_without("gdb")
        self.assertEqual(status, 0, "make run works without gdb")
        self.assertIn("make run, make watch   ok", said)
        self.assertIn("make debug             missing: gdb", said)
        status, said = said_without("nasm", "gdb")
        self.assertEqual(status, 1, "make run does not work without nasm")
        self.assertIn("make run, make watch   missing: nasm", said)

    def test_other_systems_get_other_names_and_are_told_that_nobody_tried(self):
        packages = {"grub-common", "grub-pc-bin", "bochs", "clang-14"}
        names, absent = names_here(packages, "arch")
        self.assertEqual((names, absent), (["clang", "grub"], ["bochs"]))
        said = "\n".join(advice(packages, "arch"))
        self.assertIn("pacman -S clang grub", said)
        self.assertIn("not tried", said)
        self.assertNotIn("not tried", "\n".join(advice(packages, "debian")))
        self.assertIn("Debian calls them", "\n".join(advice(packages, None)))


if __name__ == "__main__":
    unittest.main()

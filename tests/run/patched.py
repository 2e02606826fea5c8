# SPDX-License-Identifier: MIT
"""
A copy of the source tree, built on its own, as it is or with one patch in it.

A patch is a unified diff with a heading of "Key: value" lines before the first
"---", which say what the patch is and what must come of it:

    Title: the buddy of a block is its neighbour
    Killed-by: buddy.numbers_of_buddy_and_parent

The copy starts with the objects of the tree's own build, so only what the patch
touches is compiled again.
"""

import os
import shutil
import subprocess

from machine import BUILD, ROOT, Failure, scaled

# The parts of a build that a patch does not change: for the disc, and for the
# programs on the host.
KERNEL_SEEDS = ("obj", "iso")
SEEDS = KERNEL_SEEDS + ("host", "fuzz")


def read_heading(path):
    """The keys and values before the diff; a line without a key continues."""
    heading, key = {}, None
    with open(path) as lines:
        for line in lines:
            line = line.rstrip()
            if line.startswith("---"):
                return heading
            word, colon, value = line.partition(": ")
            if colon and word.replace("-", "").isalpha() and word[0].isupper():
                key = word
                heading[key] = value.strip()
            elif key and line.strip():
                heading[key] += " " + line.strip()
    raise Failure(f"{path}: no diff")


class Copy:
    """
    The tree in DIRECTORY, for a `with`; SEEDS of the build are there, and nothing
    whose name is in NOT_COPIED.
    """

    def __init__(self, name, directory, seeds=SEEDS, not_copied=()):
        self.name = name
        self.directory = directory
        self.seeds = seeds
        self.not_copied = not_copied
        self.build = os.path.join(directory, "build")

    def __enter__(self):
        self.remove()
        ignore = shutil.ignore_patterns(
            "build", ".git", "__pycache__", *self.not_copied
        )
        shutil.copytree(ROOT, self.directory, ignore=ignore)
        try:
            self._apply()
            self._seed()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *exception):
        self.remove()

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def _apply(self):
        """Changes the copy before anything is built: here not at all."""

    def _seed(self):
        os.makedirs(self.build, exist_ok=True)
        for name in self.seeds:
            seed = os.path.join(BUILD, name)
            if os.path.isdir(seed):
                target = os.path.join(self.build, name)
                shutil.copytree(seed, target, symlinks=True)

    def make(self, *goals, variables=(), seconds=900):
        """Builds; a build that fails is a Failure with its last words."""
        environment = dict(os.environ)
        for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "LABYRINTH_BUILD"):
            environment.pop(variable, None)
        done = subprocess.run(
            ["make", *variables, *goals],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=scaled(seconds),
        )
        if done.returncode:
            raise Failure(f"{self.name}: {done.stderr.strip()[-400:]}")


class Patched(Copy):
    """A copy of the tree with the patch at PATH."""

    def __init__(self, path, directory, seeds=SEEDS, not_copied=()):
        super().__init__(path, directory, seeds, not_copied)
        self.path = path
        self.heading = read_heading(path)

    def _apply(self):
        # No fuzz: a patch that is only nearly right is a stale patch.
        command = ["patch", "-p1", "-s", "-F0", "--no-backup-if-mismatch"]
        with open(self.path) as diff:
            done = subprocess.run(
                command,
                cwd=self.directory,
                stdin=diff,
                capture_output=True,
                text=True,
            )
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise Failure(f"{self.path} does not apply: {said}")

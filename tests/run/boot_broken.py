# SPDX-License-Identifier: MIT
"""
Boots that are broken on purpose: none of them dies in silence.

Each patch in tests/broken/ breaks one step of the boot.  The machine is built
with it and started; what the runner says about its end (ktap.py#obituary) must
match the patch's Says.  A boot that died on its feet must say the same on the
serial port, on port 0xE9 and on the screen.  Keys of the heading:

    Title: what is broken
    Says: regular expression of the runner's sentence
    Limit: seconds, for a boot that hangs, from the last step that Says names
    Bochs: regular expression of the sentence there; run there, too
"""

import glob
import os
import re
import subprocess
import time

import lab
from bochs import Bochs
from ktap import End, END_TIMEOUT, obituary
from lab import check
from machine import BUILD, LIMIT, ROOT, Deadline, Failure, wait_until
from patched import Patched, read_heading
from qemu import Qemu

# The last words of a machine that stopped.
LAST_WORDS = r"(?:boot died: |The machine has stopped|Labyrinth must ).*\n"
# Of the first of the two links: nobody reads its tables of symbols and lines here,
# and to make them takes longer than all the rest.
KERNEL = os.path.join("build", "obj", "labyrinth-1.elf")
# Parts of the tree that it is not made of.
NOT_COPIED = ("docs", "mutants", "broken", "fuzz", "host", "states", "run")
LOOK = 0.05  # seconds between looks at a file, which cannot be waited for


def build_disc(path, directory):
    """The disc of the tree with the patch at PATH."""
    iso = os.path.join(directory, "broken.iso")
    tree_directory = os.path.join(directory, "tree")
    stripped = os.path.join(directory, "broken.elf")
    with Patched(path, tree_directory, ("obj",), NOT_COPIED) as tree:
        tree.make(KERNEL)
        linked = os.path.join(tree_directory, KERNEL)
        strip = [os.environ.get("OBJCOPY", "objcopy"), "--strip-all"]
        subprocess.run([*strip, linked, stripped], check=True)
        environment = dict(
            os.environ,
            KERNEL=stripped,
            LOADER=os.path.join(BUILD, "iso", "eltorito.img"),
        )
        maker = os.path.join(ROOT, "iso", "mkiso")
        subprocess.run([maker, iso, ""], check=True, env=environment)
    return iso


def wait_step(machine, says):
    """Until the machine takes the step after which it SAYS that it hangs."""
    step = re.search(r'after "(\w+)"', says).group(1)
    deadline = Deadline(LIMIT, machine.process.pid)
    while deadline.left() > 0 and not machine.console.closed:
        if step in machine.crumbs().split():
            return
        time.sleep(LOOK)


def wait_death(machine, heading):
    """How a machine ended; the time limit also for one that stands."""
    limit = float(heading.get("Limit", LIMIT))
    if "Limit" in heading:
        wait_step(machine, heading["Says"])
    try:
        machine.console.expect(LAST_WORDS, limit)
    except Failure:
        if machine.console.closed:
            return machine.wait_end()
    return End(END_TIMEOUT)


def check_everywhere(machine):
    """The sentence on the serial port is on the screen and on port 0xE9."""
    said = re.search(r"boot died: .*", machine.console.text)
    if not said:
        return
    sentence = said.group().strip()
    check(sentence in machine.crumbs(), "port 0xE9 did not get the sentence")

    def screen():
        return "".join(row.ljust(80) for row in machine.screen_text())

    wait_until(
        lambda: screen().startswith(sentence),
        lambda: f"the screen says {screen()[:160]!r}",
    )


def broken_in_qemu(path, heading, iso, directory):
    name = os.path.basename(directory)
    with Qemu(name, directory, iso) as machine:
        end = wait_death(machine, heading)
        if end.kind == END_TIMEOUT:
            check_everywhere(machine)
        said = obituary(end, machine.console.text, machine.crumbs())
    check(re.fullmatch(heading["Says"], said), f"it said: {said}")


def broken_in_bochs(heading, iso, directory):
    """Its serial port is a file that is read when it is over."""
    name = os.path.basename(directory)
    with Bochs(name, os.path.join(directory, "bochs"), iso) as machine:
        machine.wait_for(LAST_WORDS, LIMIT)
        end = machine.wait_end(0)
        said = obituary(end, machine.console.text, machine.crumbs())
    check(re.fullmatch(heading["Bochs"], said), f"in Bochs it said: {said}")


def broken(laboratory, path):
    heading = read_heading(path)
    directory = laboratory.directory
    os.makedirs(directory, exist_ok=True)
    iso = build_disc(path, directory)
    broken_in_qemu(path, heading, iso, directory)
    if "Bochs" in heading:
        broken_in_bochs(heading, iso, directory)


def enter_all():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/broken/*.patch"))):
        name = os.path.basename(path)[: -len(".patch")].replace("-", "_")
        lab.tests[f"broken_{name}"] = lambda l, path=path: broken(l, path)


enter_all()

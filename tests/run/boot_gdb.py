# SPDX-License-Identifier: MIT
"""The commands of tests/gdb/, beside the reports of the shell on the same machine."""

import json
import os
import re
import socket
import subprocess

from lab import boot_test, check, command
from machine import BUILD, ROOT, Machine, scaled, wait_until

MARK = "-- next"


class Stopped:
    """A machine at its prompt that gdb can be attached to, for a list of commands."""

    def __init__(self, lab):
        os.makedirs(lab.directory, exist_ok=True)
        # The path of a socket must be short: it is relative to the directory.
        self.directory = lab.directory
        where = os.path.relpath(os.path.join(lab.directory, "gdb"), os.getcwd())
        self.more = (
            *("-chardev", f"socket,path={where},server=on,wait=off,id=gdb"),
            *("-gdb", "chardev:gdb"),
        )

    def ask(self, *commands):
        """The text that gdb prints for each command, while the machine stands still."""
        before = [
            "set confirm off",
            "set architecture i386:x86-64",
            f"file {os.path.join(BUILD, 'labyrinth.elf')}",
            f"source {os.path.join(ROOT, 'tests/gdb/labyrinth.py')}",
            "target remote gdb",
        ]
        words = ["gdb", "-q", "-batch", "-nx"]
        for line in before:
            words += ["-ex", line]
        for line in commands:
            words += ["-ex", f"echo {MARK}\\n", "-ex", line]
        words += ["-ex", f"echo {MARK}\\n"]
        done = subprocess.run(
            words,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=scaled(120),
        )
        answers = done.stdout.split(MARK + "\n")[1:-1]
        check(len(answers) == len(commands), f"gdb ended early: {done.stdout}")
        check("Traceback" not in done.stdout, done.stdout)
        return answers


def rows(text, pattern):
    return re.findall(pattern, text, re.MULTILINE)


def check_zones(said, zoneinfo):
    """Columns and marks of each zone that has pages."""
    shown = zoneinfo.split("Node 0, zone")[1:]
    spanned = [zone for zone in shown if not re.search(r"spanned +0\b", zone)]
    check(said.count(": frames") == len(spanned) > 1, said)
    for zone in spanned:
        name = zone.split()[0]
        part = re.search(rf"^{name}: frames.*\n.*\n.*", said, re.MULTILINE)[0]
        for word, field in (
            ("free", "pages free"),
            ("on lists", "nr_on_lists"),
            ("parked", "nr_parked"),
            ("exclusive", "nr_exclusive"),
            ("used", "nr_used_pages"),
            ("managed", "managed"),
            ("min", "min"),
            ("high", "high"),
        ):
            count = re.search(rf"{field} +(\d+)", zone)[1]
            check(f"{word} {count}" in part, f"{name}: {word} is not {count}: {part}")


@boot_test
def reports_of_gdb_say_what_the_shell_says(lab):
    stopped = Stopped(lab)
    with lab.prompt(memory="64M", more=stopped.more) as qemu:
        command(qemu, "recorder stop")
        said = command(qemu, "alloc GFP_KERNEL 2")
        pfn = int(re.search(r"pfn (0x\w+)", said)[1], 16)
        address = int(re.search(r"at (0x\w+)", said)[1], 16)
        zoneinfo, buddyinfo = command(qemu, "zoneinfo"), command(qemu, "buddyinfo")
        threads, owners = command(qemu, "ps"), command(qemu, "exclusive")
        zones, buddy, ps, stack, owner, inside, by_frame, mask = stopped.ask(
            "lab-zones",
            "lab-buddy",
            "lab-threads",
            "lab-threads kswapd0",
            "lab-owner",
            f"lab-page {address + 0x1234:#x}",
            f"lab-page {pfn:#x}",
            "lab-gfp 0x820",
        )
        command(qemu, "free all")
    check_zones(zones, zoneinfo)
    shell = rows(buddyinfo, r"zone +(\S+) +([\d ]+?) *\r?$")
    ours = rows(buddy, r"^(\S+) +all +([\d ]+)$")
    check(
        [(zone, counts.split()) for zone, counts in shell]
        == [(zone, counts.split()) for zone, counts in ours],
        f"{shell} is not {ours}",
    )
    names = rows(threads, r"^ +(\d+) (\S+) +(\S+) +\d+ +\d")
    check(names == rows(ps, r"^ +(\d+) (\S+) +(\S+) +\d"), f"{names}: {ps}")
    for function in ("wait_event", "kswapd_step", "kswapd_run", "thread_begin"):
        check(f"<{function}" in stack, f"no {function}: {stack}")
    check(re.search(r"<kswapd_step\S* mm/reclaim/kswapd.c:\d+", stack), stack)
    windows = rows(owners, r"^ +(\d+) (.*?) +(0x\w+) +\d+ +\d+")
    check(windows == rows(owner, r"^ +(\d+) (.*?) +(0x\w+) +\d+ +\d+"), owner)
    check(f"frame {pfn + 1:#x}, pageblock" in inside, inside)
    check(f"inside the block of frame {pfn:#x}" in inside, inside)
    for text in (inside, by_frame):
        check("used page, order 2, DMA32, 1 references" in text, text)
        check("GFP_KERNEL, last caller" in text, text)
        check("<shell_pages_run_alloc" in text, text)
    check(mask == "GFP_ATOMIC\n", mask)


# A page of the timer's line, where its window has it, and where the direct map had it.  In
# one session: the line gives it away when it is full.
FIND = """python
import reports
owner = next(o for o in reports.owners() if o["name"].string() == "irq 0 timer")
address = int(owner["window"]["base"])
address += reports.entries_in_use(owner)[0] * reports.page_size()
pfn = reports.frame_in_window(owner, address)[1]
gdb.set_convenience_variable("window", address)
hidden = reports.direct_map_base() + pfn * reports.page_size()
gdb.set_convenience_variable("hidden", hidden)
"""


@boot_test
def an_exclusive_page_is_found_by_gdb_in_its_window_alone(lab):
    """The recorder runs, and its timer's line owns one."""
    stopped = Stopped(lab)
    with open(os.path.join(stopped.directory, "find.gdb"), "w") as file:
        file.write(FIND + "end\n")
    with lab.prompt(memory="64M", more=stopped.more):
        owner, _, window, hidden, nowhere, nobody, stack = stopped.ask(
            "lab-owner irq 0 timer",
            "source find.gdb",
            "lab-page $window",
            "lab-page $hidden",
            "lab-page 0x123456789012",
            "lab-owner nobody",
            "lab-threads nobody",
        )
    pfn = re.search(r"0x\w+  frame (0x\w+)", owner)[1]
    check("of the window of irq 0 timer, which others do not see" in window, window)
    check("taken out of the direct map" in hidden, hidden)
    for text in (window, hidden):
        check(f"frame {pfn}, pageblock" in text, text)
        check("owned page, order 0, DMA32, of irq 0 timer" in text, text)
    check("not mapped, and in no window" in nowhere, nowhere)
    check("no owner is called nobody" in nobody, nobody)
    check("no thread is called nobody" in stack, stack)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@boot_test
def another_debugger_attaches_to_the_machine_that_waits_for_it(lab):
    """As the launch configuration of VS Code does: with `hbreak kmain`, then continue."""
    port = free_port()
    server = Machine("debug", lab.directory)
    server.launch(
        [os.path.join(ROOT, "tests", "gdb", "debug")],
        env=dict(os.environ, SERVER="1", PORT=str(port), LABYRINTH_BUILD=BUILD),
        stdin=subprocess.DEVNULL,
    )
    with server:
        wait_until(
            lambda: f"gdb can attach at 127.0.0.1:{port}" in server.output(),
            lambda: f"it waits for nobody: {server.output()}",
        )
        words = ["gdb", "-q", "-batch", "-nx", "-ex", "set confirm off"]
        for line in (
            "set tcp connect-timeout 30",
            "set architecture i386:x86-64",
            f"file {os.path.join(BUILD, 'labyrinth.elf')}",
            f"target remote 127.0.0.1:{port}",
            "hbreak kmain",
            "continue",
            "kill",
        ):
            words += ["-ex", line]
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=scaled(120),
        )
        check(re.search(r"Breakpoint 1, .*kmain \(", done.stdout), done.stdout)
        server.wait_process(60)


@boot_test
def tasks_of_vs_code_are_targets_of_the_makefile(lab):
    with open(os.path.join(ROOT, ".vscode", "tasks.json")) as file:
        tasks = json.load(file)["tasks"]
    with open(os.path.join(ROOT, ".vscode", "launch.json")) as file:
        (launch,) = json.load(file)["configurations"]
    with open(os.path.join(ROOT, ".devcontainer", "devcontainer.json")) as file:
        container = json.load(file)
    with open(os.path.join(ROOT, "Makefile")) as file:
        targets = set(re.findall(r"^([a-z][\w-]*):", file.read(), re.MULTILINE))
    commands = [task["command"] for task in tasks] + [container["onCreateCommand"]]
    used = re.findall(r"(?:^|&& )make (\w[\w-]*)", "\n".join(commands), re.MULTILINE)
    check(len(used) == len(commands), f"{used} of {commands}")
    check(set(used) <= targets, f"no targets: {set(used) - targets}")
    (server,) = [t for t in tasks if t["label"] == launch["preLaunchTask"]]
    port = re.search(r"PORT=(\d+)", server["command"])[1]
    check(launch["miDebuggerServerAddress"].endswith(":" + port), f"not {port}")
    wanted = server["problemMatcher"]["background"]["endsPattern"]
    check(re.search(wanted, "gdb can attach at"), wanted)
    script = launch["setupCommands"][-1]["text"].split("/", 1)[1]
    check(os.path.exists(os.path.join(ROOT, script)), f"no {script}")

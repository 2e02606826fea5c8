# SPDX-License-Identifier: MIT
"""
A PC in Bochs.

Debian's Bochs has the debugger built in and waits in it at the start: a script
of one line lets it go.  Its clock is virtual, so a run is the same every time.
Every end of Bochs has status 1, and SIGTERM does not end it: the guest's word
is in its serial log and in Bochs' own log, and only SIGKILL is sure.
"""

import os
import re
import socket
import subprocess
import time

from ktap import (
    End,
    END_EMULATOR,
    END_POWER_OFF,
    END_REBOOT,
    END_STOPPED,
    END_TIMEOUT,
    END_TRIPLE_FAULT,
)
from machine import ISO, LIMIT, ROOT, Deadline, Failure, Machine

_CONFIG = """\
config_interface: textconfig
display_library: {display}
megs: {megs}
cpu: model={cpu}, count=1, ips=50000000, reset_on_triple_fault=0, \
ignore_bad_msrs=1
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
{drives}
boot: cdrom
com1: enabled=1, {com1}
log: {log}
panic: action=fatal
error: action=report
info: action=report
clock: sync={sync}, time0=946684800
speaker: enabled=0
sound: driver=dummy
mouse: enabled=0
port_e9_hack: enabled=1
"""

_CD = 'type=cdrom, path="{iso}", status=inserted'
_DISK = "type=disk, path={disk}, mode=flat, status=inserted"
_SECOND = "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15\n"

CPU = "corei7_haswell_4770"


def drives(iso, disk):
    """The lines of the drives: the CD alone, or behind the disk."""
    iso = _CD.format(iso=os.path.abspath(iso))
    if not disk:
        return "ata0-master: " + iso
    disk = _DISK.format(disk=os.path.abspath(disk))
    return f"ata0-master: {disk}\n{_SECOND}ata1-master: {iso}"


class Bochs(Machine):
    """A headless run; the serial port is a file, read when it is over."""

    def __init__(
        self, name, directory, iso=ISO, megs=128, cpu=CPU, disk=None
    ):
        super().__init__(name, directory)
        self.serial_path = self.file("com1")
        self.start(
            display="term",
            megs=megs,
            cpu=cpu,
            drives=drives(self.text_iso(iso), disk),
            com1=f"mode=file, dev={self.serial_path}",
            log=self.file("bochs.log"),
            sync="none",
        )

    def text_iso(self, iso):
        """The same disc without a framebuffer, which a terminal cannot show."""
        text = self.file("text.iso")
        tool = os.path.join(ROOT, "iso", "mktext")
        subprocess.run([tool, iso, text], check=True)
        return text

    def start(self, **values):
        with open(self.file("bochsrc"), "w") as file:
            file.write(_CONFIG.format(**values))
        with open(self.file("debugger"), "w") as file:
            file.write("c\n")
        with open(os.devnull) as nothing:
            self.launch(
                ["bochs", "-f", self.file("bochsrc")]
                + ["-rc", self.file("debugger")],
                stdin=nothing,
                env=dict(os.environ, TERM="vt100"),
            )

    def wait_for(self, pattern, limit):
        """Until PATTERN is in the serial log, Bochs ends, or the limit."""
        deadline = Deadline(limit, self.process.pid)
        while deadline.left() > 0 and self.process.poll() is None:
            if re.search(pattern, self.serial_text()):
                return
            time.sleep(0.05)  # between looks: a file cannot be waited for

    def serial_text(self):
        if not os.path.exists(self.serial_path):
            return ""
        with open(self.serial_path, errors="replace") as file:
            return file.read()

    def wait_end(self, limit=LIMIT):
        status = self.wait_process(limit)
        if os.path.exists(self.serial_path):
            with open(self.serial_path, "rb") as file:
                self.console.feed(file.read())
        self.console.close()
        return self.end_of(status)

    def crumbs(self):
        """
        The bytes it wrote to port 0xE9.  Bochs prints them among its own output,
        but not if it is killed; then the line on COM1 has to do.
        """
        text = self.serial_text() + self.output()
        found = re.findall(r"\bentry (?:[a-z]+ )*", text)
        return found[-1] if found else ""

    def end_of(self, status):
        """STATUS is that of the process, or None if it had to be ended."""
        if status is None:
            return End(END_TIMEOUT)
        with open(self.file("bochs.log"), errors="replace") as file:
            log = file.read()
        if "Shutdown port: shutdown requested" in log:
            return End(END_STOPPED)
        if "exception with no resolution" in log:
            return End(END_TRIPLE_FAULT)
        if "ACPI control: soft power off" in log:
            return End(END_POWER_OFF)
        if re.search("reset", log[-2000:], re.IGNORECASE):
            return End(END_REBOOT)
        return End(END_EMULATOR, status)


class LiveBochs(Bochs):
    """For people: the serial port is a socket that a terminal is put on."""

    def __init__(self, directory, iso=ISO, megs=128, cpu=CPU, disk=None):
        Machine.__init__(self, "bochs", directory)
        windows = bool(os.environ.get("DISPLAY"))
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            self.start(
                display="x" if windows else "term",
                megs=megs,
                cpu=cpu,
                drives=drives(iso if windows else self.text_iso(iso), disk),
                com1=f"mode=socket-client, dev=127.0.0.1:{port}",
                log=self.file("bochs.log"),
                sync="slowdown",
            )
            self.serial = self.accept(server)

    def accept(self, server):
        """Bochs' end of the socket; Failure, in its words, if it ends instead."""
        server.settimeout(0.5)
        deadline = Deadline(LIMIT, self.process.pid)
        while deadline.left() > 0 and self.process.poll() is None:
            try:
                return server.accept()[0]
            except TimeoutError:
                pass
        word = re.search(r"following message:\n(.*)", self.output())
        raise Failure(f"Bochs did not start: {word[1] if word else 'no word'}")

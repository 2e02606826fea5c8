# SPDX-License-Identifier: MIT
"""
A PC in QEMU.

QMP and the serial port are pairs of sockets made before QEMU starts, so there
is nothing to wait for and no name to clean up.  The machine starts stopped and is
let go when QMP is ready, so that no event is missed.  It never reboots:
-no-reboot turns a reset into an end, whose SHUTDOWN event carries a reason;
QEMU's log of CPU resets tells a triple fault from a reset that was asked for.
"""

import json
import os
import queue
import re
import socket
import threading
import zlib

from ktap import (
    End,
    END_EMULATOR,
    END_POWER_OFF,
    END_QUIT,
    END_REBOOT,
    END_STATUS,
    END_TIMEOUT,
    END_TRIPLE_FAULT,
)
from machine import ISO, LIMIT, Failure, Machine, scaled
from pixels import Pixels

COLUMNS, ROWS = 80, 25

# Which key, and with shift or not, makes a character on a US keyboard.
_KEYS = {" ": "spc", "\n": "ret", "\t": "tab", "\b": "backspace", "\x1b": "esc"}
_KEYS.update({c: c for c in "abcdefghijklmnopqrstuvwxyz0123456789"})
_KEYS.update(
    {"-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right"}
)
_KEYS.update({";": "semicolon", "'": "apostrophe", "`": "grave_accent"})
_KEYS.update({"\\": "backslash", ",": "comma", ".": "dot", "/": "slash"})
_SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./"))


def key_of(character):
    """(QEMU's name of the key, whether shift is held)."""
    if character.isupper():
        return _KEYS[character.lower()], True
    if character in _SHIFTED:
        return _KEYS[_SHIFTED[character]], True
    return _KEYS[character], False


# Time counted in instructions, 8 ns each: a busy host changes nothing that the
# guest can see, and the same disc does the same thing each time.
GUEST_TIME = ("-icount", "shift=3,sleep=off")


def disk_options(path):
    """The image at PATH as the first IDE disk."""
    drive = f"file={path},format=raw,if=ide,index=0,cache=unsafe"
    return ("-drive", drive)


def serial_line():
    """
    Both ends of what a serial port is connected to.  TCP puts bytes together:
    a local socket is full after 278 writes of one byte.  Then the port has to
    wait for its line, and a busy host lets it wait so long that the kernel
    takes it for stuck; QEMU 7.2 records such a wait and cannot replay it.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs = server.accept()[0]
    for end in (ours, theirs):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


class Qemu(Machine):
    """
    DISK is the path of an image, the first IDE disk.  Writes to it are
    not flushed to the host's own disk: an image of a test needs no more.
    """

    def __init__(
        self,
        name,
        directory,
        iso=ISO,
        cpu="max",
        memory="128M",
        more=(),
        serial_port=True,
        stopped=False,
        disk=None,
    ):
        super().__init__(name, directory)
        self.events = []
        self._answers = queue.Queue()
        self._qmp_lock = threading.Lock()
        self._readers = []
        ours, theirs = socket.socketpair()
        serial, their_serial = serial_line()
        self._qmp, self._serial = ours, serial
        command = [
            "qemu-system-x86_64",
            *("-M", "pc", "-accel", "tcg", "-cpu", cpu, "-m", str(memory)),
            *("-display", "none", "-net", "none", "-no-reboot", "-S"),
            *("-nodefaults", "-vga", "std", "-monitor", "none"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
            *("-chardev", f"socket,id=qmp,fd={theirs.fileno()}"),
            *("-mon", "chardev=qmp,mode=control"),
            *("-chardev", f"socket,id=com1,fd={their_serial.fileno()}"),
            *("-serial", "chardev:com1" if serial_port else "none"),
            *("-debugcon", "file:" + self.file("crumbs.log")),
            *("-d", "cpu_reset", "-D", self.file("qemu.log")),
            *self.drive(iso),
            *("-boot", "d"),
            *(disk_options(disk) if disk else ()),
            *more,
        ]
        fds = (theirs.fileno(), their_serial.fileno())
        with theirs, their_serial:
            self.launch(command, pass_fds=fds)
        self._start_reader(self._read_serial)
        self._start_reader(self._read_qmp)
        self.qmp("qmp_capabilities")
        if not stopped:
            self.qmp("cont")

    def drive(self, iso):
        """The options that put the disc ISO into the machine."""
        return "-cdrom", iso

    def _start_reader(self, function):
        reader = threading.Thread(target=function, daemon=True)
        reader.start()
        self._readers.append(reader)

    def _read_serial(self):
        try:
            while data := self._serial.recv(65536):
                self.console.feed(data)
        except OSError:
            pass
        self.console.close()

    def _read_qmp(self):
        try:
            with self._qmp.makefile("r") as lines:
                for line in lines:
                    message = json.loads(line)
                    if "event" in message:
                        self.events.append(message)
                    elif "QMP" not in message:
                        self._answers.put(message)
        except (OSError, ValueError):
            pass
        self._answers.put(None)

    def qmp(self, command, **arguments):
        """Run a QMP command and return its answer."""
        request = {"execute": command, "arguments": arguments}
        with self._qmp_lock:
            try:
                self._qmp.sendall(json.dumps(request).encode() + b"\n")
                answer = self._answers.get(timeout=scaled(LIMIT))
            except (OSError, queue.Empty):
                answer = None
        if answer is None:
            raise Failure(f"no answer to QMP {command}: {self.output()[-300:]}")
        if "error" in answer:
            raise Failure(f"QMP {command}: {answer['error'].get('desc')}")
        return answer["return"]

    def monitor(self, line):
        """Run a line of the human monitor ("info tlb") and return its text."""
        return self.qmp("human-monitor-command", **{"command-line": line})

    def send(self, text):
        """Into the serial port, as fast as the guest reads."""
        self.send_bytes(text.encode())

    def send_bytes(self, data):
        self._serial.sendall(data)

    def keys(self, text):
        """Press and release the keys that write TEXT."""
        for character in text:
            self.press(*self._strokes(character))

    def type_keys(self, text):
        """
        As keys(), to a shell: each key waits for the echo of the one before.  The
        keyboard holds 16 bytes, which are five keys; what comes while it is full
        is lost, and a busy host may not let the guest read for so long.
        """
        for character in text:
            self.keys(character)
            if character.isprintable():
                self.console.expect(re.escape(character))

    def press(self, *names):
        """Press the keys in order, release them in the opposite order."""
        events = [self._edge(name, True) for name in names]
        events += [self._edge(name, False) for name in reversed(names)]
        self.qmp("input-send-event", events=events)

    @staticmethod
    def _strokes(character):
        name, shift = key_of(character)
        return ("shift", name) if shift else (name,)

    @staticmethod
    def _edge(name, down):
        key = {"type": "qcode", "data": name}
        return {"type": "key", "data": {"down": down, "key": key}}

    def read_memory(self, physical, size):
        path = self.file("memory.bin")
        self.qmp("pmemsave", val=physical, size=size, filename=path)
        with open(path, "rb") as file:
            return file.read()

    def pixels(self):
        """The picture, for tests that look at pixels."""
        path = self.file("screen.ppm")
        self.qmp("screendump", filename=os.path.abspath(path))
        return Pixels(path)

    def screen_text(self):
        """The lines on the screen: of a framebuffer those that can be read in its
        picture, in text mode the 25 that are in video memory."""
        picture = self.pixels()
        if not picture.is_text_mode():
            return picture.text()
        cells = self.read_memory(0xB8000, COLUMNS * ROWS * 2)
        text = cells[0::2].decode("cp437")
        rows = (text[i * COLUMNS :][:COLUMNS] for i in range(ROWS))
        return [row.replace("\0", " ").rstrip() for row in rows]

    def screen_font(self):
        """
        The glyphs that the VGA draws with, 16 bytes for each of 256 characters,
        as they are in plane 2 of its memory.  The planes lie side by side in
        the card's linear window: four bytes for each address of the VGA.
        """
        window = r"VGA controller(?:.*\n)+?.*BAR0: .* at (0x\w+)"
        found = re.search(window, self.monitor("info pci").replace("\r", ""))
        if not found:
            raise Failure("there is no VGA on the PCI bus")
        memory = self.read_memory(int(found.group(1), 16), 256 * 32 * 4)
        plane = memory[2::4]
        return [plane[i * 32 :][:16] for i in range(256)]

    def screenshot(self, path):
        self.qmp("screendump", filename=os.path.abspath(path), format="png")
        return Picture(path)

    def wait_end(self, limit=LIMIT):
        """How the machine ended.  It is gone when this returns."""
        status = self.wait_process(limit)
        for reader in self._readers:
            reader.join(scaled(LIMIT))
        self._qmp.close()
        self._serial.close()
        return self._end_of(status)

    def _end_of(self, status):
        if status is None:
            return End(END_TIMEOUT)
        if status != 0:
            kind = END_STATUS if status & 1 and status > 1 else END_EMULATOR
            return End(kind, status)
        reason = None
        for event in self.events:
            if event["event"] == "SHUTDOWN":
                reason = event["data"].get("reason")
        if reason == "guest-shutdown":
            return End(END_POWER_OFF, 0)
        if reason == "guest-reset":
            fault = self._triple_fault()
            return End(END_TRIPLE_FAULT if fault else END_REBOOT, 0)
        return End(END_QUIT, 0)

    def crumbs(self):
        """The bytes it wrote to port 0xE9: the steps of its boot."""
        with open(self.file("crumbs.log"), errors="replace") as log:
            return log.read()

    def _triple_fault(self):
        with open(self.file("qemu.log"), errors="replace") as log:
            return "Triple fault" in log.read()


class Picture:
    """A PNG as QEMU writes it: 8 bits a channel, not interlaced."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        if data[:8] != b"\x89PNG\r\n\x1a\n":
            raise Failure(f"{path} is not a PNG")
        self.width = int.from_bytes(data[16:20], "big")
        self.height = int.from_bytes(data[20:24], "big")
        channels = {0: 1, 2: 3, 6: 4}.get(data[25])
        if channels is None or data[24] != 8 or data[28] != 0:
            raise Failure(f"{path}: an unexpected kind of PNG")
        self.channels = channels
        self.rows = list(self._unfilter(self._pixels(data)))

    @staticmethod
    def _pixels(data):
        at, packed = 8, b""
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            if data[at + 4 : at + 8] == b"IDAT":
                packed += data[at + 8 : at + 8 + size]
            at += size + 12
        return zlib.decompress(packed)

    def _unfilter(self, raw):
        step = self.width * self.channels
        above = bytes(step)
        for start in range(0, len(raw), step + 1):
            row = bytearray(raw[start + 1 : start + 1 + step])
            self._undo(raw[start], row, above)
            above = row
            yield bytes(row)

    def _undo(self, kind, row, above):
        for i in range(len(row) if kind else 0):
            left = row[i - self.channels] if i >= self.channels else 0
            corner = above[i - self.channels] if i >= self.channels else 0
            guess = (
                (left, above[i], (left + above[i]) // 2)[kind - 1]
                if kind < 4
                else self._paeth(left, above[i], corner)
            )
            row[i] = (row[i] + guess) & 0xFF

    @staticmethod
    def _paeth(left, up, corner):
        target = left + up - corner
        near = [(abs(target - v), i) for i, v in enumerate((left, up, corner))]
        return (left, up, corner)[min(near)[1]]

    def cell_shows(self, row, column, glyph):
        """
        Whether one cell of the text screen shows GLYPH: one colour where its
        bits are set, another one everywhere else.
        """
        high, wide = self.height // ROWS, self.width // COLUMNS
        front, behind = set(), set()
        for y in range(high):
            line = self.rows[row * high + y]
            first = column * wide * self.channels
            for x in range(wide):
                at = first + x * self.channels
                drawn = x < 8 and glyph[y] & (0x80 >> x)
                pixel = line[at : at + self.channels]
                (front if drawn else behind).add(pixel)
        return len(behind) == 1 and len(front) <= 1 and not front & behind

    def drawn_text_differs(self, lines, font, cursor):
        """
        Where the picture does not show LINES in FONT: the first (row, column)
        whose pixels are not those of the character's glyph.  None if they
        agree.  The cell of the CURSOR is not looked at: it blinks.
        """
        for row in range(ROWS):
            for column in range(COLUMNS):
                character = lines[row][column : column + 1] or " "
                glyph = font[character.encode("cp437")[0]]
                if (row, column) != cursor and not self.cell_shows(
                    row, column, glyph
                ):
                    return row, column
        return None

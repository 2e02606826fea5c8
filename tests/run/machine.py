# SPDX-License-Identifier: MIT
"""
A machine that runs in a separate process: the common part of QEMU and Bochs.

Its console is a growing text; expect() waits for a pattern after the last one
found.  Nothing here sleeps for a fixed time: each wait ends when what it waits
for happens, when the machine ends, or at a time limit.  Limits are for broken
machines, and a host that is slow or has much else to do must not reach them:

  - the time in which a machine could have run, and others had the CPUs, is not
    counted (Deadline);
  - what is left is multiplied by how much slower this host boots than one that we
    know (check.py measures it once) or by LABYRINTH_TIME.

Whatever happens to this process, the machine does not outlive it: end_all() is
called at every exit, and where the system offers it, the kernel is asked to end
the child with its parent.
"""

import atexit
import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import threading
import time

LIMIT = 120  # seconds, for whatever has to happen
ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
# Where make builds: B on its command line, absolute or from the root.
BUILD = os.path.join(ROOT, os.environ.get("LABYRINTH_BUILD", "build"))
ISO = os.path.join(BUILD, "labyrinth.iso")
DISK = os.path.join(BUILD, "disk.img")
NEW_DISK = os.path.join(BUILD, "obj", "disk.img")
PROMPT = r"labyrinth> "

_running = set()
_running_lock = threading.Lock()


class Failure(Exception):
    """A test's own sentence about what went wrong."""


def scaled(seconds):
    """A limit of SECONDS, on this host."""
    return seconds * float(os.environ.get("LABYRINTH_TIME") or 1)


def waited_for_a_cpu(pid):
    """Seconds in which a thread of the process could run and others did: of the
    thread that waited longest.  0 where Linux does not tell."""
    longest = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(path) as file:
                longest = max(longest, int(file.read().split()[1]))
    return longest / 1e9


class Deadline:
    """LIMIT seconds from now that the process PID (or nobody) did not spend in
    waiting for a CPU."""

    def __init__(self, limit, pid=None):
        self.pid = pid
        self.end = time.monotonic() + scaled(limit)
        self.waited = self._waited()

    def _waited(self):
        return waited_for_a_cpu(self.pid) if self.pid else 0

    def left(self):
        """Seconds, not above zero when it is over."""
        left = self.end - time.monotonic()
        if left > 0:
            return left
        return left + max(0, self._waited() - self.waited)


def wait_for(process, limit):
    """The status of a subprocess.Popen; TimeoutExpired at the limit, and then the
    process is gone."""
    deadline = Deadline(limit, process.pid)
    while True:
        try:
            return process.wait(max(deadline.left(), 0))
        except subprocess.TimeoutExpired:
            if deadline.left() <= 0:
                process.kill()
                process.wait()
                raise


def call(command, limit, **options):
    """As subprocess.call(), with such a limit."""
    with subprocess.Popen(command, **options) as process:
        try:
            return wait_for(process, limit)
        except BaseException:
            process.kill()
            raise


def wait_until(look, sentence, limit=LIMIT):
    """
    Call LOOK until it returns something true, and return that.  At the limit
    SENTENCE() says what is wrong.
    """
    deadline = Deadline(limit)
    while True:
        found = look()
        if found:
            return found
        if deadline.left() <= 0:
            raise Failure(sentence())


class Console:
    """Text that arrives, and waiting for some of it."""

    def __init__(self, log_path):
        self.text = ""
        self.cursor = 0
        self.closed = False
        self.echo = None  # a binary file that gets everything too
        self.pid = None  # of the writing process
        self._changed = threading.Condition()
        self._log = open(log_path, "wb")

    def feed(self, data):
        self._log.write(data)
        self._log.flush()
        if self.echo:
            self.echo.write(data)
            self.echo.flush()
        with self._changed:
            self.text += data.decode("utf-8", "replace")
            self._changed.notify_all()

    def close(self):
        with self._changed:
            if not self.closed:
                self.closed = True
                self._log.close()
            self._changed.notify_all()

    def expect(self, pattern, limit=LIMIT):
        """
        Wait for PATTERN after the last match.  Returns the match, and in
        its group 0 the text found; raises Failure if the console closes or the
        limit passes first.
        """
        pattern = re.compile(pattern)
        deadline = Deadline(limit, self.pid)
        with self._changed:
            while True:
                found = pattern.search(self.text, self.cursor)
                if found:
                    self.cursor = found.end()
                    return found
                left = deadline.left()
                if self.closed or left <= 0:
                    why = "the machine ended" if self.closed else "time limit"
                    raise Failure(
                        f"{why} waiting for {pattern.pattern!r}; "
                        f"last: {self.last_line()!r}"
                    )
                self._changed.wait(left)

    def wait_for_more(self, length, seconds):
        """Wait SECONDS for more than LENGTH characters, or the end.  Returns the text."""
        with self._changed:
            if len(self.text) == length and not self.closed:
                self._changed.wait(seconds)
            return self.text

    def last_line(self):
        lines = [line for line in self.text.splitlines() if line.strip()]
        return lines[-1].strip()[-100:] if lines else ""


class Machine:
    """A process with a name, a directory for its files and a console."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.console = Console(self.file("serial.log"))
        self.process = None
        self.started_at = None

    def file(self, name):
        return os.path.join(self.directory, name)

    def launch(self, command, **options):
        """Start COMMAND so that it cannot outlive this process."""
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with open(self.file("output.log"), "wb") as output:
            self.started_at = time.monotonic()
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )
        self.console.pid = self.process.pid
        with _running_lock:
            _running.add(self)

    def output(self):
        with open(self.file("output.log"), errors="replace") as file:
            return file.read()

    def wait_process(self, limit):
        """The exit status, or None at the limit; the process is gone then."""
        try:
            return wait_for(self.process, limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()

    def kill(self):
        """End the machine and whatever it started.  Harmless if it is over."""
        if self.process is None:
            return
        try:
            # The group is the session that launch() made for it alone.
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()
        with _running_lock:
            _running.discard(self)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()
        return False


def end_all():
    with _running_lock:
        machines = list(_running)
    for machine in machines:
        machine.kill()


def end_on_signals():
    """SIGTERM and SIGHUP end this program as ^C does."""

    def stop(number, _frame):
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)


atexit.register(end_all)

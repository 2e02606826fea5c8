#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: watch.py [COMMAND LINE]

`make watch`: boots the machine with its trace on COM2, the console in this terminal as
`make run` has it (console.py; the same variables), and serves a page on which all of
memory can be watched: docs/watch/.

QEMU writes COM2 into a file, build/watch/NUMBER.jsonl, which is the recording.  The server
follows the file as it grows, so that the machine never waits for a browser, and several
pages can look at the same time.  It listens on 127.0.0.1 only.

    GET /         the files of docs/watch/
    GET /stream   the recording from its first byte on, and on until the machine has ended

PORT chooses a port; without it any free one is taken.
"""

import contextlib
import http.server
import os
import shlex
import subprocess
import sys
import threading
import time

from machine import BUILD, ROOT

PAGE = os.path.join(ROOT, "docs", "watch")
DIRECTORY = os.path.join(BUILD, "watch")
WORDS = "trace=all trace_stream=frames"
LOOK_EVERY = 0.05  # seconds
GRACE = 10


class Recording:
    """A file that grows until `ended` is set."""

    def __init__(self, path):
        self.path = path
        self.ended = threading.Event()
        self._readers = 0
        self._change = threading.Condition()

    @contextlib.contextmanager
    def reader(self):
        with self._change:
            self._readers += 1
        try:
            yield
        finally:
            with self._change:
                self._readers -= 1
                self._change.notify_all()

    def end(self):
        """The machine has ended; wait until every reader has the last byte, but not for
        long: a laptop may have gone to sleep."""
        self.ended.set()
        with self._change:
            self._change.wait_for(lambda: self._readers == 0, GRACE)

    def chunks(self):
        """The new bytes, again and again."""
        while not os.path.exists(self.path) and not self.ended.is_set():
            time.sleep(LOOK_EVERY)
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            while True:
                ended = self.ended.is_set()
                if data := file.read(1 << 16):
                    yield data
                elif ended:
                    return
                else:
                    time.sleep(LOOK_EVERY)


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments, recording):
        self.recording = recording
        super().__init__(*arguments, directory=PAGE)

    def do_GET(self):
        if self.path == "/stream":
            self.send_stream()
        else:
            super().do_GET()

    def send_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Recording", os.path.basename(self.recording.path))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        # The page may be closed at any time, and then there is no next request.
        self.close_connection = True
        with contextlib.suppress(ConnectionError), self.recording.reader():
            for data in self.recording.chunks():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments):
        """The terminal belongs to the console."""


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *arguments):
        """A page that was closed; the terminal belongs to the console."""


def port_wanted():
    word = os.environ.get("PORT") or "0"
    if not word.isdecimal() or int(word) > 65535:
        raise SystemExit(f"make watch: PORT={word} is no port: 0 to 65535")
    return int(word)


def serve(recording, port=0):
    """A running server for RECORDING; its address is in `url`."""
    server = Server(
        ("127.0.0.1", port),
        lambda *arguments: Handler(*arguments, recording=recording),
    )
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def new_path():
    """A new file, which nobody else has."""
    os.makedirs(DIRECTORY, exist_ok=True)
    for number in range(1, 1 << 20):
        path = os.path.join(DIRECTORY, f"{number}.jsonl")
        with contextlib.suppress(FileExistsError), open(path, "x"):
            return path
    raise SystemExit(f"make watch: {DIRECTORY} is full")


def run_console(path, words):
    environment = dict(os.environ)
    flags = environment.get("QEMU_FLAGS", "")
    environment["QEMU_FLAGS"] = f"{flags} -serial file:{shlex.quote(path)}"
    # The children of a terminal get ^C themselves; the console handles it.
    script = os.path.join(ROOT, "tests", "run", "console.py")
    return subprocess.call([sys.executable, script, words], env=environment)


def main(arguments):
    wanted = " ".join(arguments) or os.environ.get("APPEND", "")
    port = port_wanted()
    recording = Recording(new_path())
    try:
        server = serve(recording, port)
    except OSError as error:
        os.unlink(recording.path)
        raise SystemExit(f"make watch: port {port}: {error.strerror}") from None
    print(f"Watch it at {server.url}\nThe recording: {recording.path}", flush=True)
    status = run_console(recording.path, f"{WORDS} {wanted}".rstrip())
    recording.end()
    print(f"The recording: {recording.path}; docs/watch/index.html opens it.")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

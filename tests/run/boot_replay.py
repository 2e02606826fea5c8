# SPDX-License-Identifier: MIT
"""A recorded session is had again, byte for byte."""

import os

from lab import boot_test, check, make_iso
from machine import PROMPT, Failure
from replay import Session, checksum

SECRET = b"echo recorded"
FORGED = b"echo forgotten"[: len(SECRET)]


def session_with_keys(lab):
    """Keys at the keyboard, words on the serial line, and a small storm."""
    session = Session(os.path.join(lab.directory, "session"))
    lines = [SECRET.decode(), "@buddyinfo", "storm 1000 200", "@irqs"]
    end = session.record_lines(make_iso("loglevel=6"), "max", "64M", lines)
    check(end.kind == "power-off", f"the recorded machine: {end}")
    return session


def forge(session):
    """Another log, in which something else was typed."""
    path = session.file("forged.bin")
    with open(session.log, "rb") as file:
        log = file.read()
    check(log.count(SECRET) == 1, "the typed line is not in the log once")
    with open(path, "wb") as file:
        file.write(log.replace(SECRET, FORGED))
    return path


def flip(path):
    """Change one bit in the middle of a file."""
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


@boot_test
def a_session_with_keys_and_a_storm_is_replayed_byte_for_byte(lab):
    session = session_with_keys(lab)
    session.load()
    with session.replay() as machine:
        machine.wait_end()
    check(session.difference() is None, str(session.difference()))
    with open(session.file("replay/serial.log"), "rb") as file:
        said = file.read()
    for wanted in (b"\nrecorded", b"Node 0, zone", b"all invariants hold"):
        check(wanted in said, f"{wanted!r} was not replayed")

    # Something else typed is something else said, and that is seen.
    with session.replay(forge(session)) as machine:
        machine.console.expect(PROMPT + ".*\n")
        machine.kill()
    check(session.difference() is not None, "a forged log goes unnoticed")

    # So is a single bit, before anything runs.
    before = checksum(session.log)
    flip(session.log)
    check(checksum(session.log) != before, "the bit did not change")
    try:
        session.load()
    except Failure as failure:
        check("rr.bin has changed" in str(failure), str(failure))
    else:
        raise Failure("a changed log is loaded")

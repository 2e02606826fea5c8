#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: replay_calls.py FILE

`make replay-calls FILE=...`: runs a file of allocator calls, such as a fuzzer
keeps, on the host and in the kernel in QEMU.  Prints the kernel's words, and
where the host's differ.  The status is 0 if all steps hold in both.
"""

import os
import sys

import calls
from lab import TEST_DIRECTORY
from machine import Failure, end_on_signals


def compare(kernel, host):
    if kernel == host:
        print("The host says the same.")
        return
    at = 0
    while kernel[at : at + 1] == host[at : at + 1]:
        at += 1
    print("The host says from here on:", *(host[at:] or ["nothing"]), sep="\n")


def main(arguments):
    if len(arguments) != 1 or not os.path.isfile(arguments[0]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    end_on_signals()
    directory = os.path.join(TEST_DIRECTORY, "replay-calls")
    try:
        host = calls.on_host(arguments[0])
        kernel, status = calls.in_kernel(arguments[0], directory)
    except Failure as reason:
        print(reason, file=sys.stderr)
        return 1
    print(*kernel, sep="\n")
    compare(kernel, host)
    return 0 if status == 33 and kernel == host else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

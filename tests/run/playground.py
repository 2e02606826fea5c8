# SPDX-License-Identifier: MIT
"""The playground as a program of the host: lines in, an answer of JSON for each."""

import json
import os
import subprocess

from machine import BUILD, LIMIT, Failure, scaled

PROGRAM = os.path.join(BUILD, "host", "play")


def play(lines):
    """The answers of a new machine to LINES, commands of docs/play/play.h"""
    done = subprocess.run(
        [PROGRAM],
        input="".join(line + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=scaled(LIMIT),
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for line, answer in zip(lines, answers):
        if "error" in answer:
            raise Failure(f"{line}: {answer['error']}")
    if len(answers) != len(lines):
        raise Failure(f"{lines[len(answers)]}: {done.stderr.strip()}")
    return answers

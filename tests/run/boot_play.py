# SPDX-License-Identifier: MIT
"""
The playground (docs/play/): the page's answers are those of the host's build.

Every line that the page has sent to its module is sent to build/host/play as well.  Both
are the same sources; the compilers, the addresses and the machines below are not.
"""

import json
import os
import random
import re
import subprocess

from browser import Browser
from lab import boot_test, check
from machine import BUILD, LIMIT, ROOT, scaled

PAGE = os.path.join(BUILD, "play", "index.html")
HOST = os.path.join(BUILD, "host", "play")

# The only answers that differ: code has other addresses, and none in WebAssembly.
ADDRESS = re.compile(r"\b(?:at|call_site=)0x[0-9a-f]+|\bat (?:0x[0-9a-f]+|0)\b")

MACHINES = ("1024 0 0 0", "1024 3072 0 0", "2048 2048 2048 2048")
MASKS = """
    GFP_KERNEL GFP_KERNEL GFP_ATOMIC GFP_NOWAIT GFP_NOFS GFP_NOIO GFP_HIGHUSER_MOVABLE
    GFP_KERNEL|__GFP_RECLAIMABLE GFP_KERNEL|__GFP_NORETRY GFP_DMA|GFP_ATOMIC
    GFP_KERNEL|__GFP_COMP GFP_ATOMIC|__GFP_EXCLUSIVE
""".split()
CONTEXTS = "thread thread thread irq softirq irqsoff reclaim nofs noio nmi".split()
# A panic ends some early, on both sides.
SEEDS, RANDOM_LINES = 3, 200


def host_answers(lines):
    """The answer to each of LINES, and the words of a panic after them."""
    said = subprocess.run(
        [HOST],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=scaled(LIMIT),
    )
    return said.stdout.splitlines(), said.stderr.strip()


def compare(transcript, what):
    """TRANSCRIPT is the page's: [line, answer] each."""
    lines = [line for line, _ in transcript]
    answers, last_words = host_answers(lines)
    for number, (line, answer) in enumerate(transcript):
        if "panic" in json.loads(answer):
            words = json.loads(answer)["panic"]
            check(
                number == len(answers) and words == last_words,
                f"{what}: '{line}' ends the page's machine with {words!r}, the "
                f"host's with {last_words!r}",
            )
            return
        check(number < len(answers), f"{what}: the host has no answer to '{line}'")
        ours, theirs = ADDRESS.sub("", answer), ADDRESS.sub("", answers[number])
        check(
            ours == theirs,
            f"{what}: '{line}', number {number}: the page says {difference(ours, theirs)}",
        )
        broken = json.loads(answer).get("check", "")
        check(not broken, f"{what}: behind '{lines[number - 1]}': {broken}")


def difference(ours, theirs):
    at = len(os.path.commonprefix([ours, theirs]))
    near = slice(max(0, at - 60), at + 60)
    return f"...{ours[near]}..., the host ...{theirs[near]}..."


def random_lines(seed):
    draw = random.Random(seed)
    lines = [f"machine {draw.choice(MACHINES)}"]
    for _ in range(RANDOM_LINES):
        order = min(10, int(draw.expovariate(0.6)))
        request = f"{order} {draw.choice(MASKS)}"
        context = draw.choice(CONTEXTS)
        lines.append(
            draw.choice(
                [f"alloc {context} {draw.choice((1, 1, 1, 10, 200))} {request}"] * 8
                + [f"route {context} {request}"] * 2
                + [f"free last {draw.randint(1, 300)}"] * 2
                + [f"free each {draw.randint(2, 5)}", f"file {draw.randint(1, 400)}"]
                + ["compact", "drain", "second", "refill", "kswapd", "state"]
                + [f"set min_free_kbytes {draw.randint(128, 1500)}"]
            )
        )
    return lines + ["state", "free all", "drain", "state"]


def play_scenes(browser):
    """Go through every step of every scene; the keys."""
    keys = browser.run("return PLAY.scenes.map(scene => scene.key)")
    for key in keys:
        browser.run("playground.choose(arguments[0])", key)
        steps = browser.run("return playground.guide.scene.steps.length")
        for _ in range(steps - 1):
            browser.run("document.querySelector('#next').click()")
        at = browser.run("return playground.guide.at")
        check(at == steps - 1, f"scene {key} stops at step {at + 1} of {steps}")
        errors = browser.run(
            "return playground.engine.transcript.map(each => JSON.parse(each[1]))"
            ".filter(answer => answer.error || answer.panic)"
        )
        check(not errors, f"scene {key}: {errors}")
    return keys


def ask_all(browser, lines):
    browser.run("for (const line of arguments[0]) playground.engine.ask(line)", lines)


def transcript(browser):
    """The lines since the last call, with their answers."""
    return browser.run("return playground.engine.transcript.splice(0)")


@boot_test
def play_in_the_browser(lab):
    """The page as a person uses it, its scenes, and lines drawn at random."""
    seed = random.randrange(1 << 32)
    with Browser(lab.directory) as browser:
        browser.open_file(PAGE)
        browser.wait("return window.ready")
        browser.click("#go")
        shown = browser.run("return document.querySelector('#held').textContent")
        check("#1" in shown, f"asked for a page, and {shown!r} is shown")
        ticked = browser.run("return document.querySelectorAll('#guide .done').length")
        check(ticked == 1, f"{ticked} of the first steps are ticked, not 1")
        before = browser.run("return playground.engine.raw('state')")
        browser.click("#go")
        browser.click("#undo")
        after = browser.run("return playground.engine.raw('state')")
        check(before == after, "a step that was taken back has left a trace")
        compare(transcript(browser), "by hand")
        play_scenes(browser)
        compare(transcript(browser), "scenes")
        for more in range(SEEDS):
            ask_all(browser, random_lines(seed + more))
            compare(transcript(browser), f"seed {seed + more}")

# SPDX-License-Identifier: MIT
"""
The playground (docs/play/): the page's answers are those of the host's build, and the texts
of its scenes are true.

Every line that the page has sent to its module is sent to build/host/play as well.  Both
are the same sources; the compilers, the addresses and the machines below are not.
"""

import importlib.machinery
import importlib.util
import json
import os
import random
import re
import subprocess

from browser import Browser
from lab import boot_test, check
from machine import BUILD, LIMIT, ROOT, Failure, scaled

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
                + ["kcompactd", "serve off", "serve on", "cut 3", "contig free"]
                + [f"program p {draw.randint(1, 300)}", f"anon {draw.randint(1, 200)}"]
                + [f"swap {draw.randint(0, 500)}", f"contig {draw.randint(1, 600)}"]
                + [f"set min_free_kbytes {draw.randint(128, 1500)}"]
                + [f"set watermark_scale_factor {draw.randint(1, 1000)}"]
                + [f"set percpu_pagelist_high_fraction {draw.choice((0, 7, 8, 50))}"]
            )
        )
    return lines + ["state", "free all", "drain", "state"]


# ---- The claims of the scenes ------------------------------------------------


class Scene:
    """The commands of a scene with their answers, and the state of zones after each."""

    def __init__(self, key, transcript):
        self.key = key
        self.done = []
        for line, answer in transcript:
            answer = json.loads(answer)
            if line == "state":
                self.done[-1][2] = answer
            elif not line.startswith("route"):
                self.done.append([line, answer, None])

    def says(self, condition, sentence):
        check(condition, f"scene {self.key}: {sentence}")

    def answers(self, word):
        """Of the commands that have WORD."""
        return [answer for line, answer, _ in self.done if word in line]

    def state(self, word):
        """After the last of them, or the next command that was looked after."""
        last = max(at for at, (line, _, _) in enumerate(self.done) if word in line)
        return next(state for _, _, state in self.done[last:] if state)

    def zone(self, word, name="DMA"):
        zones = self.state(word)["zones"]
        return next(zone for zone in zones if zone["name"] == name)


def zones(scene):
    used = [set(answer["counters"]) for answer in scene.answers("alloc")]
    scene.says("pgalloc_normal" in used[0], f"a page of the kernel is from {used[0]}")
    scene.says("pgalloc_dma" in used[1], f"a page for DMA is from {used[1]}")
    zone = scene.zone("GFP_NOWAIT")
    kept = zone["min"] + zone["lowmem_reserve"][2]
    scene.says(zone["free"] == kept, f"{zone['free']} pages of DMA are kept, not {kept}")
    scene.says(scene.answers("irq")[0]["got"] == 1, "DMA has no page for a device")


def masks(scene):
    verdicts = [answer["verdict"] for answer in scene.answers("alloc")]
    wanted = ["ok", "must sleep", "ok", "in an NMI", "ok", "refused"]
    scene.says(verdicts == wanted, f"the verdicts are {verdicts}")


def split(scene):
    before, after = scene.zone("machine"), scene.zone("drain")
    scene.says(before["free_area"] == after["free_area"], "not all blocks have merged")
    one = scene.zone("alloc thread 1 3")
    scene.says(one["free"] == before["free"] - 9, f"{one['free']} pages are free")


def dust(scene):
    zone = scene.zone("drain")
    large = sum(sum(blocks) for blocks in zone["free_area"][1:])
    scene.says(large == 0, f"{large} blocks are larger than a page")
    scene.says(zone["free"] > 500, f"{zone['free']} pages are free, not half")
    scene.says(scene.answers("GFP_NOWAIT|__GFP_NOWARN")[-1]["got"] == 0, "two pages came")


def reserve(scene):
    for word, mark in (
        ("0 GFP_NOWAIT", "min"),
        ("__GFP_HIGH", "half"),
        ("1000 0 GFP_ATOMIC", "atomic"),
    ):
        lines = [each for each in scene.done if word in each[0]]
        zone = lines[0][2]["zones"][0]
        scene.says(
            zone["free"] == zone[mark],
            f"{lines[0][0]} leaves {zone['free']} pages, not {zone[mark]}",
        )
    scene.says(scene.zone("reclaim")["free"] == 0, "reclaim does not get the last page")


def exclusive(scene):
    one, more = scene.answers("EXCLUSIVE")
    scene.says(one["got"] == 1 and 0 < more["got"] < 9, f"got {one['got']}, {more['got']}")
    parked = scene.state("free all")["parked"]
    scene.says(parked == 1 + more["got"], f"{parked} pages are parked again")


def kswapd(scene):
    scene.says(scene.state("alloc thread 130")["kswapd_called"], "nobody calls kswapd")
    zone = scene.zone("alloc thread 20")
    lines = [state["zones"][0] for line, _, state in scene.done if line == "kswapd"]
    scene.says(lines[0]["free"] > lines[0]["high"], "kswapd stops below the high mark")
    scene.says(zone["free"] > zone["low"], "the last request finds the zone low")


def ladder(scene):
    names = [each["name"] for each in scene.state("alloc thread 300")["programs"]]
    scene.says(names == ["editor"], f"the programs that are left: {names}")
    kill = scene.answers("alloc thread 300")[0]["counters"].get("oom_kill")
    scene.says(kill == 1, f"{kill} programs were killed")
    scene.says(scene.answers("NORETRY")[0]["got"] == 0, "NORETRY got a page")


def mobility(scene):
    types = [scene.zone(word, "DMA32")["pageblocks"] for word in ("file", "700", "RECL")]
    more = types[1].count("U") > types[0].count("U")
    scene.says(more and "R" in types[2], f"the types of pageblocks: {types}")


def compaction(scene):
    answer = scene.answers("alloc")[0]
    scene.says(answer["got"] == 1, "there is no block of 512 pages")
    scene.says(answer["counters"].get("compact_success") == 1, "nothing was compacted")
    scene.says(scene.answers("compact")[-1]["moved"] > 0, "nothing has moved")


def lists(scene):
    counts = [
        state["zones"][1]["pcp"]["count"]
        for line, _, state in scene.done
        if line in ("free all", "second") and state
    ]
    falls = all(a > b for a, b in zip(counts, counts[1:]))
    scene.says(falls and len(counts) == 2, f"a second leaves of the list {counts}")
    scene.says(scene.zone("drain", "DMA32")["pcp"]["count"] == 0, "it is not drained")
    shortcut = scene.answers("alloc thread 1 0")[1]["counters"]
    scene.says("freelist_pass" not in shortcut, f"the shortcut counts {shortcut}")


def contig(scene):
    scene.says(scene.answers("contig 700")[0]["got"] == 700, "there is no range")
    scene.says(scene.answers("contig free")[0]["freed"] == 700, "it does not go back")


def watch(scene):
    frames = scene.state("alloc irq")["frames"]
    missing = [use for use in ".ufapX" if use not in frames[::2]]
    scene.says(not missing, f"no frame is {missing}")


CLAIMS = (
    *(zones, masks, split, dust, reserve, exclusive, kswapd, ladder, mobility),
    *(compaction, lists, contig, watch),
)


def play_scenes(browser):
    """Go through every step of every scene; each keeps what its text says."""
    keys = browser.run("return PLAY.scenes.map(scene => scene.key)")
    claims = {claim.__name__: claim for claim in CLAIMS}
    check(set(keys) == set(claims), f"scenes {set(keys) ^ set(claims)} have no check")
    for key in keys:
        browser.run("playground.choose(arguments[0])", key)
        steps = browser.run("return playground.guide.scene.steps.length")
        for _ in range(steps - 1):
            browser.run("document.querySelector('#next').click()")
        at = browser.run("return playground.guide.at")
        check(at == steps - 1, f"scene {key} stops at step {at + 1} of {steps}")
        said = transcript(browser)
        errors = [json.loads(answer).get("error") for _, answer in said]
        check(not any(errors), f"scene {key}: {errors}")
        compare(said, f"scene {key}")
        claims[key](Scene(key, said))


def survive_a_panic(browser):
    """A request that ends the machine is explained, and taken back."""
    browser.run("playground.restart()")
    browser.run("playground.act('alloc thread 4000 0 GFP_NOWAIT|__GFP_NOWARN')")
    before = browser.run("return playground.engine.raw('state')")
    browser.run("playground.act('alloc thread 1 0 GFP_KERNEL')")
    words = browser.run("return document.querySelector('dialog[open] pre').textContent")
    check("no thread is left that could be killed" in words, f"the panic says {words!r}")
    said = transcript(browser)
    check("panic" in said[-1][1], f"the last answer is {said[-1]}")
    compare(said, "by hand, to a panic")
    browser.click("dialog button")
    after = browser.run("return playground.engine.raw('state')")
    check(before == after, "after a panic the machine is not what it was")


def ask_all(browser, lines):
    browser.run("for (const line of arguments[0]) playground.engine.ask(line)", lines)


def transcript(browser):
    """The lines since the last call, with their answers."""
    return browser.run("return playground.engine.transcript.splice(0)")


def mkplay():
    path = os.path.join(ROOT, "docs", "play", "mkplay")
    loader = importlib.machinery.SourceFileLoader("mkplay", path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("mkplay", loader)
    )
    loader.exec_module(module)
    return module


@boot_test
def play_is_not_built_of_stale_lines_and_links(lab):
    """A line of code or a scene that is not where the page says is an error."""
    builder = mkplay()
    scenes = builder.scenes()

    def refuses(what, function, *arguments):
        try:
            function(*arguments)
        except builder.Wrong as wrong:
            return str(wrong)
        raise Failure(f"{what} is no error")

    builder.check_links(scenes)
    said = refuses("a link without a scene", builder.check_links, scenes[1:])
    check(f"there is no scene {scenes[0]['key']}" in said, said)
    more = [*scenes, {**scenes[0], "key": "unlinked"}]
    said = refuses("a scene without a link", builder.check_links, more)
    check("does not link scene unlinked" in said, said)
    place = ("mm/slow_path.c", "one_round")
    line = builder.line_in(*place, "if (again_pass(climb))")
    with open(os.path.join(ROOT, place[0])) as file:
        text = file.readlines()[line - 1]
    check("again_pass(climb)" in text, f"line {line} of {place[0]} is {text!r}")
    refuses("a line that is gone", builder.line_in, *place, "if (gone(climb))")
    refuses("a line of several", builder.line_in, *place, "return GOT_PAGE;")


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
        survive_a_panic(browser)
        compare(transcript(browser), "by hand, after a panic")
        play_scenes(browser)
        for more in range(SEEDS):
            ask_all(browser, random_lines(seed + more))
            compare(transcript(browser), f"seed {seed + more}")

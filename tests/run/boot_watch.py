# SPDX-License-Identifier: MIT
"""
The page of `make watch` (docs/watch/), fed by a real machine.

Three recordings are made first: one that loses nothing, one in which pages move, and one
that loses a lot.  The page is opened in a browser from its file, and its numbers are compared with what the
shell of that machine said.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request

from boot_trace import boot_with_com2, end_stream, vmstat
from browser import SIZE, Browser
from lab import boot_test, check, command, long_test
from machine import LIMIT, ROOT, scaled, wait_until
from watch import PAGE, Recording, serve

INDEX = os.path.join(PAGE, "index.html")
TRACED = "trace mm_ oom mark_victim fault_injected"
LINES = (
    "alloc GFP_KERNEL",
    "alloc GFP_KERNEL 3",
    "alloc ATOMIC|ZERO 1",
    "alloc GFP_KERNEL 9",
    "alloc ATOMIC|EXCLUSIVE",
    "alloc ATOMIC|EXCLUSIVE",
    "free 1",
)


def read(path):
    with open(path) as file:
        return file.read()


def wait_for_sweeps(path, count):
    """All frames have been looked at COUNT times from now on."""
    before = read(path).count('"sweep"')
    wait_until(
        lambda: read(path).count('"sweep"') >= before + count,
        lambda: "the tracer does not look at all frames",
    )


def stream(qemu, path, work):
    """A stream with frames during WORK(); what the shell's vmstat says at its end."""
    at = os.path.getsize(path) if os.path.exists(path) else 0
    command(qemu, TRACED)
    command(qemu, "trace stream frames")
    wait_for_sweeps(path, 1)
    work()
    wait_for_sweeps(path, 2)
    command(qemu, "trace off")
    counted = vmstat(qemu)
    end_stream(qemu)
    with open(path) as file:
        file.seek(at)
        return file.read(), counted


def record(lab):
    """(text, counters) of the three streams."""
    qemu, path = boot_with_com2(lab)
    with qemu:
        command(qemu, "recorder stop")
        whole = stream(qemu, path, lambda: [command(qemu, line) for line in LINES])
        command(qemu, "fragment")
        moving = stream(qemu, path, lambda: command(qemu, "compact"))
        command(qemu, "free all")
        command(qemu, "fragment off")
        lossy = stream(qemu, path, lambda: command(qemu, "drain NOWAIT"))
        command(qemu, "free all")
    return whole, moving, lossy


def rows_of(table, path):
    """The rows X(name, ...) of the TABLE in the header PATH, as text."""
    text = read(os.path.join(ROOT, path))
    body = re.search(rf"#define {table}\(X\)(.*?[^\\])\n", text, re.DOTALL)[1]
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    return re.split(r"\bX\(", body)[1:]


def kernel_events():
    return [
        [row.split(",")[0], re.findall(r'\{\s*"(\w+)"', row)]
        for row in rows_of("TRACE_EVENTS", "mm/debug/trace.h")
    ]


def kernel_whys():
    return [row.split(",")[0] for row in rows_of("PAGE_WHYS", "mm/debug/page_why.h")]


def check_tables(browser):
    """Every event of the trace and every use of a frame has its place."""
    got = browser.run("return EVENTS.map(event => [event.name, event.fields])")
    check(got == kernel_events(), f"the page knows {got}")
    lanes = browser.run("return [...LANE_OF_KIND].slice(0, EVENTS.length)")
    check(min(lanes) >= 0, "an event is in no lane")
    got = browser.run("return WHYS.map(why => why[0])")
    check(got == kernel_whys(), f"the page knows {got}")


def open_text(browser, text, name="recording"):
    browser.run(
        "window.opened = null; openText(...arguments).then(view => opened = view)",
        text,
        name,
    )
    browser.wait("return opened !== null && opened.memory !== null && !opened.dirty")


def page_ledger(browser):
    return browser.run("return ledgerOf(page.chosen.memory)")


def check_counts(browser, text, counted, what, least):
    """The page's sums are those of the kernel, and its map is memory."""
    open_text(browser, text)
    ledger = page_ledger(browser)
    for name, seen, kernel in ledger:
        check(seen == kernel, f"{name}: {seen} by the events, {kernel} by vmstat")
    seen = {row[0]: row[1] for row in ledger}[what]
    check(seen >= least, f"{what}: {seen}, which tests nothing")
    shown = browser.run("return page.chosen.memory.vmstat")
    names = set(shown) & set(counted)
    differ = [name for name in names if shown[name] != counted[name]]
    check(not differ, f"the page's vmstat is another one: {differ}")
    check(len(names) >= 70, f"the page has but {names} of vmstat")
    lines = browser.run(
        "return [...document.querySelectorAll('.ledger tr')].map(r => r.className)"
    )
    check(set(lines) == {"equal"} and len(lines) == len(ledger), str(lines))
    free, listed, pool = browser.run(
        """const m = page.chosen.memory, zones = m.zone.filter(Boolean);
        return [zones.map(z => z.free).reduce((a, b) => a + b),
                zones.map(z => z.pcp).reduce((a, b) => a + b), m.pool.parked]"""
    )
    counts = browser.run("return stateCounts(page.chosen.memory)")
    check(counts[2:4] == [free, listed], f"{counts}, but {free} free, {listed} listed")
    check(free == counted["nr_free_pages"], f"{free} free, and vmstat says otherwise")
    check(counts[10] == pool, f"{counts[10]} parked on the map, {pool} by the kernel")
    check(counts[0] == 0, f"{counts[0]} frames are not known")
    check(browser.run("return page.chosen.memory.certain"), "it is not certain")


SEEKS = """
const recording = new Recording("often");
recording.keyRows = 16;
recording.append(page.chosen.recording.text.join(""));
if (recording.keys.length < 5)
    return "there are no keyframes";
const { frames, start } = recording.tip;
const there = new Memory(frames, start);
let seed = arguments[0];
for (let i = 0; i < 12; i++) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    const row = seed % (recording.rows + 1);
    const played = new Memory(frames, start);
    for (let at = 0; at < row; at++)
        played.apply(recording, at);
    recording.seek(there, row);
    for (const name of ["kind", "owner", "order", "changed", "count", "events"])
        if (there[name].join() !== played[name].join())
            return `${name} at row ${row}, seed ${arguments[0]}`;
}
return "";
"""


HISTORIES = """
const { recording } = page.chosen;
const rows = [...Array(recording.rows).keys()].reverse();
const code = KIND[arguments[0]];
const about = rows.filter(row => recording.code[row] === code).slice(0, 8);
for (const row of about) {
    for (const i of arguments[1]) {
        const pfn = recording.args[row * ARGS + i];
        const wanted = rows.filter(at => recording.touches(at, pfn));
        const found = recording.historyOfFrame(pfn, recording.rows, Infinity);
        if (!found.includes(row) || found.join() !== wanted.join())
            return `frame ${pfn}: ${found} and not ${wanted}`;
    }
}
return about.length > 3 ? "" : `there is no ${arguments[0]}`;
"""


def check_history(browser, event, fields):
    """No row about a frame is missing in its history."""
    wrong = browser.run(HISTORIES, event, fields)
    check(wrong == "", wrong)


def check_moves(browser):
    """Memory at a row does not depend on the way there; steps, search and keys."""
    wrong = browser.run(SEEKS, 20261201)
    check(wrong == "", f"another memory: {wrong}")
    browser.run("step(-Infinity)")
    browser.type("#search", "page_alloc order=9\ue007")
    found = browser.run("return page.chosen.recording.describe(page.chosen.row - 1)")
    check(found.startswith("mm_page_alloc") and "order=9" in found, f"found {found}")
    browser.run("document.activeElement.blur()")
    asked = "return page.chosen.recording.matcher(arguments[0])"
    for query, sense in (
        ("zone=DMA32", True),
        ("from=irq", True),
        ("order>x", False),
        ("nothing=x", False),
    ):
        got = browser.run(asked + " !== null", query)
        check(got == sense, f"{query} {'makes' if got else 'makes no'} sense")
    row = browser.run("return page.chosen.row")
    browser.key("\ue014", "\ue014", "\ue012")
    check(browser.run("return page.chosen.row") == row + 1, "arrows do not step")
    browser.key("b")
    browser.wait("return page.chosen.row < arguments[0]", row)
    browser.key("b")


def check_loss(browser, text):
    """Lost records are reported, and the map is uncertain until all has been looked at."""
    open_text(browser, text)
    lost = sum(json.loads(line)["lost"] for line in text.splitlines() if '"lost",' in line)
    check(lost > 0, "nothing was lost: this tests nothing")
    said = browser.run("return page.chosen.part('honesty').textContent")
    check(f"{lost:,} records lost" in said and "uncertain" not in said, said)
    browser.run("goToRowOf(page.chosen, page.chosen.recording.losses[0] + 1)")
    browser.wait("return page.chosen.root.classList.contains('uncertain')")
    said = browser.run("return page.chosen.part('honesty').textContent")
    check("uncertain" in said, said)


def check_hostile(browser, text):
    """Lines without an event are counted, and nothing else comes of them."""
    wake = '{"seq":0,"ts_us":9,"event":"mm_vmscan_kswapd_wake","zone":1,"order":0}'
    lines = [wake, "null", "7", '{"event":"constructor"}', '{"event":null}', "{", '"__proto__"']
    open_text(browser, text + "\n".join(lines) + "\n")
    broken, unknown = browser.run(
        "const { recording } = page.chosen;"
        "return [recording.broken, [...recording.unknown.keys()]]"
    )
    check(broken == 5, f"{broken} broken lines")
    check(unknown == ["constructor"], f"unknown events: {unknown}")
    found = browser.run(
        "const { recording } = page.chosen, fits = recording.matcher('zone=dma32');"
        "return recording.describe(recording.find(fits, recording.rows - 1, -1))"
    )
    check("kswapd_wake zone=DMA32" in found, f"zone=dma32 finds {found}")


def check_side_by_side(browser, text):
    """A second recording beside the first one; their clock is common."""
    browser.run("openText(arguments[0], 'beside', true)", text)
    browser.wait("return page.views.length === 2 && page.loading === 0")
    browser.run("goToTimeOf(page.views[0], page.views[0].recording.begin + 300000)")
    gone = browser.run("return page.views.map(v => v.time - v.recording.begin)")
    check(all(0 < time <= 300000 for time in gone), f"they are at {gone}")


def check_live(lab, browser, text):
    """The server's stream is the file, as it grows, and the page follows."""
    path = os.path.join(lab.directory, "live.jsonl")
    half = text.index("\n", len(text) // 2) + 10  # within a line
    with open(path, "w") as file:
        file.write(text[:half])
        file.flush()
        recording = Recording(path)
        server = serve(recording)
        browser.open(server.url)
        wanted = text[:half].count("\n")
        browser.wait("return page.chosen?.row === arguments[0]", wanted)
        check(browser.run("return page.follow"), "it does not follow")
        file.write(text[half:])
    recording.ended.set()
    browser.wait("return page.chosen.row === arguments[0]", text.count("\n"))
    browser.wait("return !page.chosen.dirty")
    for what, seen, kernel in page_ledger(browser):
        check(seen == kernel, f"live, {what}: {seen} by the events, {kernel}")
    check(get(server.url + "stream") == text, "the stream is not the file")
    check(server.server_address[0] == "127.0.0.1", "it listens elsewhere")
    saved = browser.run("return page.chosen.recording.text.join('')")
    check(saved == text, "what would be saved is not the stream")
    server.shutdown()


REPEAT = """
window.repeat = async (text, rows) => {
    const all = text.split("\\n").filter(Boolean).map(line => JSON.parse(line));
    const records = all.filter(line => line.cpu !== undefined);
    const long = records.at(-1).ts_us - all[0].ts_us + 1000;
    const recording = new Recording(`${rows} rows`);
    recording.append(text.slice(0, text.indexOf('"mm_')).replace(/[^\\n]*$/, ""));
    for (let n = 0; recording.rows < rows;) {
        const lines = [];
        for (let i = 0; i < 500; i++, n++) {
            const record = records[n % records.length];
            const time = record.ts_us + Math.floor(n / records.length) * long;
            lines.push(JSON.stringify({ ...record, seq: n, ts_us: time }) + "\\n");
        }
        recording.append(lines.join(""));
        if (n % 10000 === 0)
            await nextFrame();
    }
    return addView(recording, false);
};
window.measured = { work: [], between: [] };
const drawn = frame;
let before = 0;
frame = now => {
    const began = performance.now();
    if (before)
        measured.between.push(began - before);
    before = began;
    drawn(now);
    measured.work.push(performance.now() - began);
};
"""

# As a person uses the page: each for so many frames of the screen.
ACTS = """
const view = page.chosen, { recording } = view;
const frames = n => new Promise(resolve => {
    const next = () => n-- > 0 ? requestAnimationFrame(next) : resolve();
    next();
});
const acts = [
    async n => { step(-Infinity); page.speed = 100; play(1); await frames(n); },
    async n => { play(-1); await frames(n); stopPlaying(); },
    async n => {
        let seed = 7;
        for (let i = 0; i < n; i++) {
            seed = (seed * 1103515245 + 12345) % 2147483648;
            goToRowOf(view, seed % recording.rows);
            await frames(1);
        }
    },
    async n => {
        for (let i = 0; i < n; i++) {
            setMode(MODES[i % 4]);
            view.frame = i * 97 % view.memory.frames;
            view.zoom(view.time, i % 2 ? 0.5 : 1.7);
            await frames(1);
        }
    },
];
window.over = false;
(async n => {
    measured.work.length = measured.between.length = 0;
    for (const act of acts)
        await act(n);
    window.over = true;
})(arguments[0]);
"""


def measure(browser, text, rows, frames):
    """Milliseconds of each frame's work, and from one frame to the next."""
    browser.open_file(INDEX)
    browser.run(REPEAT)
    browser.run("repeat(...arguments).then(() => window.filled = true)", text, rows)
    browser.wait("return window.filled && page.chosen.memory")
    browser.run(ACTS, frames)
    browser.wait("return over")
    return browser.run("return [measured.work, measured.between]")


def middle(values):
    return sorted(values)[len(values) // 2]


def check_pace(browser, text, rows, frames):
    """The median frame takes at most 33 ms.  The longest is printed: on a busy host it is
    the host's."""
    work, between = measure(browser, text, rows, frames)
    for name, values in (("work", work), ("from frame to frame", between)):
        print(
            f"# {rows} rows, {name}: median {middle(values):.1f} ms,"
            f" most {max(values):.1f} ms, {len(values)} frames"
        )
    check(len(work) >= frames, f"only {len(work)} frames were drawn")
    check(middle(work) <= scaled(33), "the median frame takes more than 33 ms")
    return between


@boot_test
def watched_machine_is_what_the_kernel_counts(lab):
    """In Chromium, from a file and live."""
    (whole, counted), (moving, counted_then), (lossy, _) = record(lab)
    with Browser(lab.directory) as browser:
        browser.open_file(INDEX)
        check_tables(browser)
        check_counts(browser, moving, counted_then, "pages moved", 100)
        check_history(browser, "mm_migrate_page", [0, 1])
        check_counts(browser, whole, counted, "pages allocated", 523)
        check_history(browser, "mm_page_alloc", [0])
        check_moves(browser)
        check_loss(browser, lossy)
        check_hostile(browser, whole)
        check_side_by_side(browser, whole)
        check_live(lab, browser, whole)
        check_pace(browser, whole, 50_000, 10)


def get(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=scaled(LIMIT)) as answer:
        return answer.read().decode()


@boot_test
def make_watch_serves_the_machine_of_its_terminal(lab):
    """The page, and what COM2 says, until the machine ends."""
    command = [sys.executable, os.path.join(ROOT, "tests", "run", "watch.py")]
    environment = dict(os.environ, RUN_DIRECTORY=lab.directory, DISK="none", MEM="32M")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, env=environment, text=True
    ) as watch:
        try:
            url = watch.stdout.readline().split()[-1]
            path = watch.stdout.readline().split()[-1]
            page = get(url)
            watch.stdin.write("alloc GFP_KERNEL 2\n")
            watch.stdin.close()
            streamed = get(url + "stream")
            said = watch.stdout.read()
        finally:
            watch.kill()
    check(page == read(INDEX), "it serves another page")
    check(re.search(r"pfn 0x\w+ .*order 2", said), f"the terminal has {said[-500:]!r}")
    check(streamed == read(path), "the stream is not the recording")
    begin, machine = map(json.loads, streamed.splitlines()[:2])
    check(begin["event"] == "begin" and machine["event"] == "machine", str(begin))
    check(8000 < machine["frames"] <= 8192, str(machine))
    os.unlink(path)


@long_test
def a_million_events_are_watched_at_thirty_frames_a_second(lab):
    """From frame to frame, and not only while the page is at work."""
    whole = record(lab)[0][0]
    with Browser(lab.directory, SIZE) as browser:
        between = check_pace(browser, whole, 1_000_000, 150)
    check(middle(between) <= scaled(33.5), "there are fewer than 30 frames a second")


@boot_test
def make_watch_says_which_port_is_none(lab):
    for word in ("x", "65536", "-1"):
        done = subprocess.run(
            [sys.executable, os.path.join(ROOT, "tests", "run", "watch.py")],
            env=dict(os.environ, PORT=word),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        check(done.returncode == 1, f"PORT={word}: {done.returncode}")
        wanted = f"make watch: PORT={word} is no port: 0 to 65535\n"
        check(done.stderr == wanted, done.stderr)

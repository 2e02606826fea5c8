#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The house has floors; a file includes only what is on its own floor or below.

docs/floors.txt has a line for each source file: the floor (boot, 0 to 9, roof),
the path, and the purpose of the file.  Checked: every file is listed once and
every listed file exists; no include points upwards; no file includes itself,
however many headers are in between; the includes between folders form no ring,
except between a folder and its own subfolders (kernel/ starts the shell of
kernel/shell/, which uses kernel/).  Of each folder the head of one file says what
the folder is.

The spine, which a course reads completely, is the files directly in mm/.  The
semester is the spine and the files whose line ends in [semester].  Neither may
grow beyond its limit: SPINE_LIMIT, SEMESTER_LIMIT.
"""

import os
import re
import sys

import tree

LIST = "docs/floors.txt"
SPINE = "mm"
SPINE_LIMIT = 6000
SEMESTER_LIMIT = 10000
MARK = "[semester]"
FLOORS = {"boot": -1, "roof": 10, **{str(n): n for n in range(10)}}
INCLUDE = re.compile(r'^[ \t]*[#%][ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)


def read_list(problems):
    """{path: floor}, and the paths that are marked"""
    floor_of, marked = {}, set()
    try:
        lines = tree.read(LIST).splitlines()
    except FileNotFoundError:
        problems.append(f"{LIST}: missing")
        return floor_of, marked
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split(None, 2)
        if not words:
            continue
        if len(words) < 3 or words[0] not in FLOORS:
            problems.append(f"{LIST}:{number}: not 'floor path purpose'")
            continue
        if words[1] in floor_of:
            problems.append(f"{LIST}:{number}: {words[1]} is listed twice")
        floor_of[words[1]] = FLOORS[words[0]]
        if words[2].rstrip().endswith(MARK):
            marked.add(words[1])
    return floor_of, marked


def compare(sources, floor_of, problems):
    for path in sources:
        if path not in floor_of:
            problems.append(f"{path}: not in {LIST}")
    for path in floor_of:
        if path not in sources:
            problems.append(f"{LIST}: {path} does not exist")


def includes(path):
    text = tree.read(path)
    if path.endswith((".c", ".h")):
        text = tree.without_comments(text, keep_strings=True)
    return INCLUDE.findall(text)


def check_direction(arrows, floor_of, problems):
    for path, targets in arrows.items():
        for target in targets:
            if target not in arrows:
                problems.append(
                    f"{path}: includes {target}, which does not exist"
                )
            elif floor_of.get(path, 0) < floor_of.get(target, 0):
                problems.append(
                    f"{path} (floor {floor_of.get(path)}) includes "
                    f"{target} (floor {floor_of[target]})"
                )


def find_cycle(arrows):
    """Some files that include each other in a ring, or []."""
    left = {path: set(arrows[path]) & set(arrows) for path in arrows}
    while True:
        leaves = [path for path, targets in left.items() if not targets]
        if not leaves:
            break
        for leaf in leaves:
            del left[leaf]
        for targets in left.values():
            targets.difference_update(leaves)
    if not left:
        return []
    path = min(left)
    ring = []
    while path not in ring:
        ring.append(path)
        path = min(left[path])
    return ring[ring.index(path) :]


HEAD_LINES = 30


def check_heads(sources, problems):
    """Which file says what its folder is?  "mm/swap/ -- swap areas: ...\""""
    folders = {os.path.dirname(path) for path in sources}
    for path in sources:
        folder = os.path.dirname(path)
        head = "\n".join(tree.read(path).splitlines()[:HEAD_LINES])
        if re.search(rf"(?<![\w/]){re.escape(folder)}/(?=[ :,]|$)", head, re.M):
            folders.discard(folder)
    for folder in sorted(folders):
        if folder.split("/")[0] in ("lib", "drivers", "mm", "kernel"):
            problems.append(f"{folder}/: no file's head says what it is")


def contains(folder, other):
    return other.startswith(folder + "/")


def folder_arrows(arrows):
    """{folder: {other folder: the include that leads there}}"""
    found = {}
    for path, targets in arrows.items():
        here = os.path.dirname(path)
        found.setdefault(here, {})
        for target in targets:
            there = os.path.dirname(target)
            found.setdefault(there, {})
            if here == there or contains(here, there) or contains(there, here):
                continue
            found[here].setdefault(there, f"{path} includes {target}")
    return found


def check_folders(arrows, problems):
    """Includes between folders run one way."""
    folders = folder_arrows(arrows)
    ring = find_cycle(folders)
    if ring:
        ways = [
            folders[here][there]
            for here, there in zip(ring, ring[1:] + ring[:1])
        ]
        problems.append("a ring of folders: " + ", ".join(ways))


def lines_of(paths):
    return sum(len(tree.read(path).splitlines()) for path in paths)


def check_readme(sources, problems):
    """Has the kernel as many lines as the README says, but for a tenth?"""
    lines = lines_of(p for p in sources if not p.startswith("tests/"))
    words = " ".join(tree.read("README.md").split())
    said = re.search(r"the kernel has about ([\d,]+) lines", words)
    number = int(said[1].replace(",", "")) if said else 0
    if abs(number - lines) * 10 > lines:
        problems.append(f"README.md says {number} lines, the kernel has {lines}")


def check_sizes(sources, marked, problems):
    """Can a course read the spine, and a semester the semester?"""
    spine = {path for path in sources if os.path.dirname(path) == SPINE}
    for path in sorted(spine & marked):
        problems.append(f"{LIST}: {path} is in the spine, and needs no {MARK}")
    sizes = (
        ("spine", lines_of(spine), SPINE_LIMIT),
        ("semester", lines_of(spine | (marked & set(sources))), SEMESTER_LIMIT),
    )
    for name, size, limit in sizes:
        print(f"the {name}: {size} lines, at most {limit}")
        if size > limit:
            problems.append(f"the {name} has {size} lines, more than {limit}")


def main():
    problems = []
    floor_of, marked = read_list(problems)
    sources = tree.files(tree.SOURCE_FOLDERS, (".c", ".h", ".asm", ".inc"))
    compare(sources, floor_of, problems)
    check_sizes(sources, marked, problems)
    arrows = {path: includes(path) for path in sources}
    check_direction(arrows, floor_of, problems)
    ring = find_cycle(arrows)
    if ring:
        problems.append("a ring of includes: " + " -> ".join(ring))
    check_folders(arrows, problems)
    check_heads(sources, problems)
    check_readme(sources, problems)
    return tree.finish("floors", problems)


if __name__ == "__main__":
    sys.exit(main())

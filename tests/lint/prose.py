#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
usage: prose.py [FILE or FOLDER]...

Plain technical English.  PATTERNS is a table of phrases that the texts of this
tree once had too often, each with what to write instead.  They are looked for in

  - README.md, docs/*.md and docs/*.txt, but not in code spans, and not in what
    a machine has printed (the sessions that tests/run/book.py replays);
  - the comments and strings of C, assembly and Python;
  - the comments of the Makefile and of scripts;
  - names of test cases, and the headings of tests/*/*.patch.

ROOTS has the files that are clean and stay so; any others can be named as
arguments.  Each row of the table has an example that it must find and one that
it must not: both are tried on every run.
"""

import bisect
import io
import os
import re
import sys
import tokenize

import tree

ROOTS = (
    *("README.md", "Makefile", "linker.ld", "docs", "boot", "iso", "lib"),
    *("kernel", "mm", "drivers", "tests"),
)
# Their text comes from other files, or consists of what is refused.
SKIPPED = {
    "docs/mutants.md",
    "docs/boot-deaths.txt",
    "tests/lint/prose.py",
    "tests/run/test_lint.py",
}

# The rest of a sentence that is not a question.
STATEMENT = r"(?:[^.?!]|[.?!](?=\S))*[.!](?= |$)"
START = r"(?:^|(?<=[.!?:;] ))"

# (what to find, what to write instead, refused, accepted)
PATTERNS = (
    (
        START + r"[Ww]ho\b" + STATEMENT,
        "no clause with 'who' as a subject: name the actor (the caller, ...)",
        "Who may not wait must get through.",
        "Who runs?  The report says who runs.",
    ),
    (
        r"\b(?:to|by|for|from|of|with|than|on|at|like|but|not) who\b",
        "name the actor: 'to the caller that ...'",
        "Each word goes to who knows it.",
        "It prints who took the page.",
    ),
    (
        r"\b(?:those|he|one|that|all|somebody|anybody|everybody|nobody) who\b",
        "'threads that', 'callers that', 'code that'",
        "It wakes those who need memory.",
        "It wakes the threads that need memory.",
    ),
    (
        r"\b[Ww]ho(?:m?ever)\b",
        "name the actor: 'the caller', 'the context that'",
        "Whoever got one keeps it.",
        "The caller keeps it.",
    ),
    (
        START + r"What (?!if\b)" + STATEMENT,
        "no clause with 'what' as a subject: name the thing",
        "What is no memory is not mapped.",
        "Frames that are not memory are not mapped.  What if?  What fails?",
    ),
    (
        r"\b(?:of|from|to|than|with|for|but|all|behind) what "
        r"(?:is|was|are|were|has|had|must|may|can|cannot)\b",
        "name the thing: 'of the pages that are ...'",
        "The rest of what is dirty is written.",
        "It depends on the number of dirty pages.",
    ),
    (
        r"\bthat (?:which|what)\b|\bwhat that\b",
        "name the thing",
        "It keeps that which is dirty.",
        "It keeps the dirty pages.",
    ),
    (
        r"\bwhose (?:it|they|this|that|a page) (?:is|are|was|were)\b",
        "'its owner'",
        "The log says whose it is.",
        "The log names its owner.",
    ),
    (
        r"\b(?:some|any|every|no)body(?: else)?'s\b",
        "'another owner's', 'the caller's', 'free', 'unused'",
        "A page of somebody's was written.",
        "A page of another owner was written.",
    ),
    (
        r"\b[Oo]f (?:its|his|their|our|your|my|one's|\w+'s) own\b",
        "'its own X', 'a private X', 'a separate X'",
        "It runs on a stack of its own.",
        "It runs on its own stack.",
    ),
    (
        r"\b(?:[Hh]e|[Hh]im|[Hh]is)\b",
        "a thread, a caller and a driver are 'it'",
        "The victim and his memory.",
        "The victim and its memory.",
    ),
    (
        r"(?:" + START + r"|\b(?:[Ii]f|[Aa]s|[Ww]hat|[Ww]hen|[Ww]here) )"
        r"[Oo]ne (?:can|cannot|may|must|likes|wants|learns|reads|sees|knows)\b",
        "'you', 'the reader', or the passive voice",
        "As often as one likes.",
        "Only the second one can fail.",
    ),
    (r"\bfor to\b", "'to'", "A lock for to wait.", "A lock to wait for."),
    (r"\bfor ever\b", "'forever'", "It waits for ever.", "It waits forever."),
    (
        r"\bat once\b",
        "'immediately', 'without waiting', or 'at the same time'",
        "It fails at once.",
        "It fails immediately.",
    ),
    (r"\banew\b", "'again', 'from the start'", "It begins anew.", "Again."),
    (r"\b[Gg]ladly\b", "'readily'", "How gladly it swaps.", "How readily."),
    (
        r"\b[Bb]esides(?=[.,;:)]|$)",
        "'also', 'in addition'",
        "It needs Bochs besides.",
        "Besides the chapters there are pages.",
    ),
    (
        r"\b(?:is|are|was|were|be|been) said\b",
        "'is reported', 'is logged', 'is documented'",
        "The error is said once.",
        "The error is logged once.",
    ),
    (
        r"\b(?:is|are|was|were|be|been) told(?=[.,;:)]|$| (?:by|in|of|with|and)\b)",
        "'is reported', 'is logged', 'is notified'",
        "Disk errors are told, and counted.",
        "The loader was told to leave a hole.",
    ),
    (
        r"\b[Tt]ells? (?:of|how|whose|why|about)\b",
        "'describes', 'explains', 'identifies'",
        "A chapter tells of it.",
        "A chapter describes it.",
    ),
    (
        r"\b(?:gives?|gave|says?|said|answers?|answered|tells?|told) "
        r"(?:NULL|true|false|-E[A-Z]+|-?\d+(?=[.,;]|$))(?!\w)",
        "'returns'",
        "pin_page() says -EBUSY.",
        "pin_page() returns -EBUSY.",
    ),
    (
        r"\b(?:is|are|was|were|be) answered\b",
        "'returns', 'gets'",
        "NULL is answered.",
        "The caller gets NULL.",
    ),
    (
        r"\b(?:is|are|was|were|be) asked(?! (?:for|to)\b)",
        "'is called', 'is checked'",
        "The function is asked after the checks.",
        "It is called after the checks, and asked to wait.",
    ),
    (
        r"\basks? for kswapd\b|\bkswapd is asked\b",
        "'wakes kswapd'",
        "A request asks for kswapd.",
        "A request wakes kswapd.",
    ),
    (
        r"\b(?:what|that|which|it|they|memory|pages?|already|still|not|one) "
        r"(?:is|are|was|were) there\b(?! (?:a|an|any|no|to|is|are)\b)"
        r"(?=[.,;:)]|$| (?:and|or|but|yet|already|before)\b)",
        "'exists', 'is present', 'is available'",
        "Until the buddy exists, it takes what is there.",
        "It is there to be read.  There is one.",
    ),
    (
        r"\b(?:[Tt]hat|[Ww]hich|[Ii]t|[Tt]his) (?:is|are|was) no (?!longer|more|"
        r"less|fewer|other|different|greater|larger|smaller|better|worse|such|way)",
        "'is not a'",
        "A page that is no head.",
        "A page that is not a head, and is no longer free.",
    ),
    (
        r"\b(?:be|can|could|cannot|to be) had\b",
        "'is available', 'can be allocated', 'can be repeated'",
        "A large block cannot be had.",
        "A large block cannot be allocated.",
    ),
    (
        r"\b(?:all|with all|everything) (?:behind|after) (?:it|them)\b"
        r"|\bbehind (?:the end|each|the last|the first)\b",
        "'all later ones', 'beyond the end', 'after the first'",
        "It fails, with all behind it.",
        "It fails, with all later ones; beyond the end.",
    ),
    (
        r"\b(?:[Ss]tands?|stood) (?:in(?! for)|at|there|above|below|twice|beside)\b",
        "'is in', 'is listed at', 'lies beside'",
        "The rule stands in two files.",
        "The rule is in two files; the last line stands for eight.",
    ),
    (
        r"\bnothing of\b",
        "'no part of', 'nothing about'",
        "It touches nothing of ext2.",
        "It touches no part of ext2.",
    ),
    (
        r"\bas (?:it|they) go(?:es)?\b",
        "say what it does",
        "It counts as it goes.",
        "It counts each page.",
    ),
    (
        r"\bas Linux(?=[.,;:)]|$)",
        "'as in Linux', 'like Linux'",
        "In microseconds, as Linux: a tenth.",
        "As in Linux.  As Linux does.",
    ),
)
COMPILED = [(re.compile(p[0], re.MULTILINE), *p[1:]) for p in PATTERNS]


# ---- From a file to texts: each is [(line number, words)] ----


def paragraphs(lines):
    """Texts of numbered LINES; an empty one ends a text."""
    text = []
    for number, line in lines:
        if line.strip():
            text.append((number, line))
        elif text:
            yield text
            text = []
    if text:
        yield text


def numbered(text, first=1):
    return list(enumerate(text.splitlines(), first))


def without_code(line):
    return re.sub(r"`[^`]*`", "`code`", line)


def markdown(source):
    """Lines of a table, of a drawing and of a list begin texts."""
    lines, session, span = [], False, False
    for number, line in numbered(source):
        indented = line.startswith("    ")
        if line.startswith("<!-- session"):
            session = True
        elif line.strip() and not indented:
            session = False
        if session:
            line = ""
        # A code span that began in the line before ends in this one.
        if span and "`" in line:
            line = "code" + line.split("`", 1)[1]
            span = False
        if line.count("`") % 2:
            line = line.rsplit("`", 1)[0] + "code"
            span = True
        for cell in line.split("|") if line.startswith("|") else [line]:
            if indented or re.match(r"\s*(?:[*|#]|\d+\.)|.*\|", line):
                lines.append((number, ""))
            lines.append((number, re.sub(r"^\s*(?:[*#]+|\d+\.) ", "", cell)))
        if indented or line.startswith(("|", "#")):
            lines.append((number, ""))
    return paragraphs([(n, without_code(line)) for n, line in lines])


def plain(source):
    """A list: a comment, or floor and path and purpose; any line is a text."""
    for number, line in numbered(source):
        words = re.sub(r"^\S+\s+\S+/\S+\s+", "", line).lstrip("# \t")
        if words:
            yield [(number, words)]


C_TOKEN = re.compile(
    r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*|\bCASE\w*\(\s*\w+,\s*\w+',
    re.DOTALL,
)


def c(source):
    for match in C_TOKEN.finditer(source):
        first = source.count("\n", 0, match.start()) + 1
        token = match.group()
        if token.startswith("CASE"):
            yield [(first, re.split(r",\s*", token)[1].replace("_", " "))]
        elif token.startswith('"'):
            yield [(first, token[1:-1].replace("\\n", " "))]
        else:
            lines = numbered(token, first)
            yield from paragraphs(
                [(n, re.sub(r"^\s*/?[*/]*|\*/$", "", t)) for n, t in lines]
            )


# Python 3.12 splits an f-string into its parts.
STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", None)}
QUOTES = re.compile(r"""^[A-Za-z]*(?:\"{3}|'{3}|"|')|(?:\"{3}|'{3}|"|')$""")


def python(source):
    comments = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        first = token.start[0]
        if token.type == tokenize.COMMENT:
            comments.append((first, token.string.lstrip("# ")))
        elif comments and token.type not in (tokenize.NL, tokenize.NEWLINE):
            yield from paragraphs(comments)
            comments = []
        if token.type in STRINGS:
            text = QUOTES.sub("", token.string).replace("\\n", " ")
            yield from paragraphs(numbered(text, first))
    yield from paragraphs(comments)


def comments_behind(mark):
    def read(source):
        pattern = re.compile(r"(?:^|\s)" + mark + r"+\s?(.*)$")
        lines = [(n, pattern.search(line)) for n, line in numbered(source)]
        return paragraphs([(n, m.group(1) if m else "") for n, m in lines])

    return read


def heading(source):
    """Of a patch: what is before the first file."""
    return paragraphs(numbered(source.split("\n--- ", 1)[0]))


READERS = {
    ".md": markdown,
    ".txt": plain,
    ".c": c,
    ".h": c,
    ".ld": c,
    ".asm": comments_behind(";"),
    ".inc": comments_behind(";"),
    ".py": python,
    ".patch": heading,
    "": comments_behind("#"),
}


# ---- Looking ----


def check_text(path, text, problems):
    words, starts, length = [], [], 0
    for number, line in text:
        for word in line.split():
            starts.append((length, number))
            words.append(word)
            length += len(word) + 1
    joined = " ".join(words)
    for pattern, advice, _, _ in COMPILED:
        for match in pattern.finditer(joined):
            place = bisect.bisect(starts, (match.start(), sys.maxsize)) - 1
            found = match.group()[:40]
            problems.append(f"{path}:{starts[place][1]}: '{found}': {advice}")


def check_examples(problems):
    """Does each pattern find its own example, and nothing in the other one?"""
    for pattern, _, refused, accepted in COMPILED:
        if not pattern.search(refused):
            problems.append(f"{pattern.pattern} does not find '{refused}'")
        if pattern.search(accepted.replace("  ", " ")):
            problems.append(f"{pattern.pattern} finds '{accepted}'")


def ending(path):
    return os.path.splitext(path)[1]


def is_script(path):
    with open(os.path.join(tree.ROOT, path), "rb") as file:
        return file.read(2) == b"#!"


def files_of(root):
    if os.path.isfile(os.path.join(tree.ROOT, root)):
        return [root]
    found = tree.files((root,), "")
    return [
        path
        for path in found
        if path not in SKIPPED and (ending(path) or is_script(path))
    ]


def main(arguments):
    problems = []
    check_examples(problems)
    for root in arguments or ROOTS:
        for path in files_of(root):
            reader = READERS.get(ending(path))
            for text in reader(tree.read(path)) if reader else ():
                check_text(path, text, problems)
    return tree.finish("prose", problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

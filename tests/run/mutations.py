# SPDX-License-Identifier: MIT
"""
Changes that a program can make in a line of C: the places and the changes.

A change is one of

    operator    < and <=, > and >=, == and !=, && and ||, + and -, & and |, << and >>,
                ++ and --, and the same before an =
    constant    a number becomes its neighbour, or 0
    condition   of an if or a loop: negated, or always false, or (if) always true
    statement   a call, an assignment or a return is left out

Only the bodies of functions are changed, those in headers included.  Left alone are
comments, strings, preprocessor lines, static_assert(), kassert() and all calls with
a string among their arguments: those are messages, and what they say of numbers is
for people.

A mutation is named by its file, function, the text before and after and its number
among equals in the function.  Lines that move do not change its name, nor what a
seed draws.
"""

import glob
import hashlib
import os
import re
from typing import NamedTuple

from machine import ROOT

FOLDERS = ("mm", "kernel/core", "kernel/arch")

TOKEN = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/|//[^\n]*)
    |(?P<hash>^[ \t]*\#(?:[^\n\\]|\\.)*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>[A-Za-z_]\w*)
    |(?P<number>(?:0[xX][0-9a-fA-F]+|\d+)\w*)
    |(?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"(0[xX])?([0-9a-fA-F]+?)([uUlL]*)$")

SWAPS = {
    "<": "<=", "==": "!=", "&&": "||", "+": "-", "&": "|", "<<": ">>", ">": ">=",
    "++": "--", "+=": "-=", "&=": "|=", "<<=": ">>=",
}
SWAPS.update({after: before for before, after in SWAPS.items()})
# These are also prefixes of an operand.
BINARY_BEHIND = ("word", "number")
PREFIXES = {"+", "-", "&"}
UNTOUCHED_CALLS = {"kassert", "static_assert", "_Static_assert", "__attribute__", "asm"}
HEADS = {"if", "while", "for", "switch"}
NO_VALUES = {"return", "case", "sizeof", "else", "do", "goto"}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}


class Token(NamedTuple):
    kind: str
    text: str
    start: int

    @property
    def end(self):
        return self.start + len(self.text)


class Mutation(NamedTuple):
    file: str
    function: str
    line: int
    kind: str
    before: str  # the statement's lines, in one
    after: str
    number: int  # among equals in the function, from 1
    start: int  # what is replaced in the file, up to END by TEXT
    end: int
    text: str
    body: str  # of the function, with its name

    @property
    def name(self):
        """The same wherever in the file the function is."""
        return "\n".join((*self.key, str(self.number)))

    @property
    def key(self):
        return self.file, self.function, self.before, self.after

    @property
    def content(self):
        """A digest of all that makes the mutation: function and change."""
        return hashlib.sha256(f"{self.name}\n{self.body}".encode()).hexdigest()

    def rank(self, seed):
        return hashlib.sha256(f"{seed}\n{self.name}".encode()).hexdigest()

    def apply(self, source):
        """SOURCE with the change: no line behind it moves."""
        lines = source[self.start : self.end].count("\n")
        return source[: self.start] + self.text + "\n" * lines + source[self.end :]


def sources():
    """The files in which mutations are drawn."""
    found = []
    for folder in FOLDERS:
        for pattern in ("*.[ch]", "*/*.[ch]"):
            found += glob.glob(os.path.join(ROOT, folder, pattern))
    return sorted(os.path.relpath(path, ROOT) for path in found)


def tokens_of(source):
    """All but space, comments and preprocessor lines."""
    found = []
    for match in TOKEN.finditer(source):
        if match.lastgroup not in ("space", "hash"):
            found.append(Token(match.lastgroup, match.group(), match.start()))
    return found


class Source:
    """A file, its functions and their mutations."""

    def __init__(self, file, text):
        self.file = file
        self.text = text
        self.tokens = tokens_of(text)
        self.partner = self._partners()
        self.mutations = []
        self.counts = {}
        for name, first, last in self._functions():
            self._function(name, first, last)

    def _partners(self):
        """The index of what closes each bracket, and of what opens it."""
        partner, open_ones = {}, []
        for i, token in enumerate(self.tokens):
            if token.text in ("(", "{", "["):
                open_ones.append(i)
            elif token.text in (")", "}", "]") and open_ones:
                partner[i] = open_ones.pop()
                partner[partner[i]] = i
        return partner

    def _functions(self):
        """(name, index of the opening brace, of the closing one)."""
        at, begin = 0, 0
        while at < len(self.tokens):
            text = self.tokens[at].text
            if text == "{" and at in self.partner:
                name = self._name_of_function(begin, at)
                if name:
                    yield name, at, self.partner[at]
                at = self.partner[at]
                begin = at + 1
            elif text == "(" and at in self.partner:
                at = self.partner[at]
            elif text == ";":
                begin = at + 1
            at += 1

    def _name_of_function(self, begin, brace):
        if self.tokens[brace - 1].text != ")":
            return None
        for i in range(begin, brace - 1):
            word, bracket = self.tokens[i], self.tokens[i + 1]
            if word.kind == "word" and bracket.text == "(":
                if not word.text.startswith("__"):
                    return word.text
        return None

    # ---- One function ----

    def _function(self, name, first, last):
        self.name = name
        self.body = self.text[self.tokens[first].start : self.tokens[last].end]
        self.quiet = self._untouched(first, last)
        start = first + 1
        i = first + 1
        while i < last:
            token = self.tokens[i]
            if i not in self.quiet:
                self._operator(i)
                self._constant(i)
                if token.text in HEADS and token.kind == "word":
                    self._condition(i)
            if token.text == ";":
                self._statement(start, i)
            if self._begins_statement(start, i):
                start = i + 1
            i += 1

    def _begins_statement(self, start, i):
        """May a statement begin behind the token at I?"""
        text = self.tokens[i].text
        if text == ":":
            return all(token.text != "?" for token in self.tokens[start:i])
        if text == ")":
            return self._closes_head(i)
        return text in (";", "{", "}", "else", "do")

    def _closes_head(self, i):
        """Does the ) at I end the head of an if or a loop?"""
        before = self.tokens[self.partner[i] - 1]
        return before.kind == "word" and (
            before.text in HEADS or before.text.startswith("for_each")
        )

    def _untouched(self, first, last):
        """The indexes of tokens that are left alone."""
        quiet = set()
        for i in range(first, last):
            token, bracket = self.tokens[i], self.tokens[i + 1]
            if token.kind != "word" or bracket.text != "(":
                continue
            end = self.partner[i + 1]
            inside = range(i + 2, end)
            direct = token.text not in HEADS and any(
                self.tokens[k].kind == "string" and self.tokens[k].text[0] == '"'
                for k in inside
            )
            if direct or token.text in UNTOUCHED_CALLS:
                quiet.update(range(i, end + 1))
        return quiet

    def _add(self, kind, start, end, text):
        """A mutation of the source between two offsets."""
        line_start, line_end = self._statement_around(start, end)
        before = " ".join(self.text[line_start:line_end].split())
        changed = self.text[line_start:start] + text + self.text[end:line_end]
        after = " ".join(changed.split())
        key = (self.name, before, after)
        self.counts[key] = self.counts.get(key, 0) + 1
        line = self.text.count("\n", 0, start) + 1
        self.mutations.append(
            Mutation(self.file, self.name, line, kind, before, after,
                     self.counts[key], start, end, text, self.body)
        )

    def _statement_around(self, start, end):
        """The whole lines that hold it."""
        line_start = self.text.rfind("\n", 0, start) + 1
        line_end = self.text.find("\n", end)
        return line_start, line_end

    def _operator(self, i):
        token = self.tokens[i]
        other = SWAPS.get(token.text)
        if token.kind != "sign" or other is None:
            return
        if token.text in PREFIXES and not self._is_binary(i):
            return
        self._add("operator", token.start, token.end, other)

    def _is_binary(self, i):
        before = self.tokens[i - 1]
        if before.kind == "word":
            return before.text not in NO_VALUES
        return before.kind == "number" or before.text in (")", "]")

    def _constant(self, i):
        token = self.tokens[i]
        found = NUMBER.match(token.text)
        if token.kind != "number" or not found:
            return
        prefix, digits, suffix = found.groups()
        value = int(digits, 16 if prefix else 10)
        shape = "0x{:x}" if prefix else "{}"
        for other in sorted({value + 1, max(value - 1, 0), 0} - {value}):
            text = shape.format(other) + suffix
            self._add("constant", token.start, token.end, text)

    def _condition(self, i):
        """Of the if or the loop that begins at I."""
        first, last = i + 2, self.partner[i + 1]
        word = self.tokens[i].text
        if word == "switch":
            return
        if word == "for":
            ends = [
                k for k in range(first, last)
                if self.tokens[k].text == ";" and self._depth(first, k) == 0
            ]
            if len(ends) != 2 or ends[1] == ends[0] + 1:
                return
            first, last = ends[0] + 1, ends[1]
        start, end = self.tokens[first].start, self.tokens[last - 1].end
        said = self.text[start:end]
        if said in ("true", "1", "false", "0"):
            return
        self._add("condition", start, end, f"!({said.strip()})".replace("\n", " "))
        self._add("condition", start, end, "false")
        if word == "if":
            self._add("condition", start, end, "true")

    def _depth(self, first, k):
        texts = [token.text for token in self.tokens[first:k]]
        return texts.count("(") - texts.count(")")

    def _statement(self, first, last):
        """The statement from FIRST up to the semicolon LAST, left out."""
        if first >= last or self.quiet.intersection(range(first, last)):
            return
        texts = [token.text for token in self.tokens[first:last]]
        if texts.count("(") != texts.count(")"):
            return
        is_return = texts[0] == "return"
        if not is_return and not self._does_something(first, last):
            return
        if is_return and self._ends_function(last):
            return
        start, end = self.tokens[first].start, self.tokens[last].start
        self._add("statement", start, end, "")

    def _ends_function(self, last):
        """Is the ; at LAST the end of a function's body?  Also if that body ends in a
        switch: a function without its last return has no result that C defines."""
        at = last + 1
        while self.tokens[at].text == "}":
            if self.text[self.tokens[at].start - 1] == "\n":
                return True
            if not self._closes_switch(at):
                return False
            at += 1
        return False

    def _closes_switch(self, brace):
        bracket = self.partner[brace] - 1
        word = self.tokens[self.partner.get(bracket, 0) - 1]
        return self.tokens[bracket].text == ")" and word.text == "switch"

    def _does_something(self, first, last):
        """Whether it is a call or an assignment, and not a declaration."""
        tokens = self.tokens[first:last]
        if tokens[0].text not in ("*", "(", "++", "--") and tokens[0].kind != "word":
            return False
        if tokens[0].kind == "word" and len(tokens) > 1:
            second = tokens[1]
            if second.kind == "word" or (
                second.text == "*" and len(tokens) > 2 and tokens[2].kind == "word"
            ):
                return False
        return any(
            token.text in ASSIGNMENTS or token.text in ("++", "--", "(")
            for token in tokens
        )


def mutations_of(file, text=None):
    if text is None:
        with open(os.path.join(ROOT, file)) as source:
            text = source.read()
    return Source(file, text).mutations


def drawn(seed):
    """Mutations in the order in which SEED draws them: one of a line, and each line
    of the files that has any is as likely as another."""
    lines = {}
    for file in sources():
        for mutation in mutations_of(file):
            place = (mutation.file, mutation.line)
            lines.setdefault(place, []).append(mutation)
    chosen = [one_of_line(seed, line) for line in lines.values()]
    return sorted(chosen, key=lambda mutation: mutation.rank(seed))


def one_of_line(seed, line):
    """One kind of those that the line has, and one change of this kind."""
    kinds = sorted({mutation.kind for mutation in line})
    number = int(hashlib.sha256(f"{seed} {line[0].name}".encode()).hexdigest(), 16)
    kind = kinds[number % len(kinds)]
    some = [mutation for mutation in line if mutation.kind == kind]
    return min(some, key=lambda mutation: mutation.rank(f"{seed} of a line"))


# ---- Those that change nothing ----------------------------------------------

LIST = os.path.join(ROOT, "tests", "mutate", "equivalent.txt")


class Equivalent(NamedTuple):
    key: tuple  # file, function, before, after
    number: int
    reason: str
    at: int  # line of the list


def equivalents(path=LIST):
    """
    The entries of the list, which are separated by empty lines:

        mm/buddy.c buddy_free            and "2" if it is the second such line
        - the line as it is
        + the line with the change
        why nothing and nobody can tell, in as many lines as it takes
    """
    with open(path) as file:
        text = file.read()
    at = 1
    found = []
    for block in re.split(r"\n(?=\n)", text):
        lines = [line.strip() for line in block.split("\n")]
        said = [line for line in lines if line and not line.startswith("#")]
        if said:
            found.append(_equivalent(said, at + lines.index(said[0])))
        at += block.count("\n") + 1
    return found


def _equivalent(said, at):
    file, function, *number = said[0].split()
    before = " ".join(said[1].removeprefix("- ").split())
    after = " ".join(said[2].removeprefix("+ ").split())
    reason = " ".join(said[3:])
    number = int(number[0]) if number else 1
    return Equivalent((file, function, before, after), number, reason, at)


def problems_of(entries):
    """Sentences about entries of the list that match no place in the tree."""
    known, problems = {}, []
    for entry in entries:
        file = entry.key[0]
        where = f"{os.path.relpath(LIST, ROOT)}:{entry.at}"
        if file not in known:
            try:
                found = mutations_of(file)
            except OSError:
                found = []
            known[file] = {(m.key, m.number) for m in found}
        if (entry.key, entry.number) not in known[file]:
            problems.append(f"{where}: no such change in {file}")
        if not entry.reason:
            problems.append(f"{where}: no reason")
    names = [(entry.key, entry.number) for entry in entries]
    problems += [f"listed twice: {name}" for name in set(names) if names.count(name) > 1]
    return problems

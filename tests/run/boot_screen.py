# SPDX-License-Identifier: MIT
"""The screen, in video memory and in the picture that QEMU draws."""

import re

from ktap import END_POWER_OFF
from lab import boot_test, check, command, expect_end, for_each
from machine import PROMPT, wait_until
from pixels import WRONG


LOGGED = re.compile(r"\[ *\d+\.\d{6}\] ")


def settled_screen(qemu, last_line):
    """The screen's text once its last line is LAST_LINE."""

    def look():
        lines = qemu.screen_text()
        written = [line for line in lines if line.strip()]
        ended = written and written[-1].strip() == last_line.strip()
        return lines if ended else None

    return wait_until(
        look, lambda: f"not {last_line!r} at the end: {qemu.screen_text()}"
    )


@boot_test
def text_screen_shows_what_the_serial_port_says(lab):
    """
    In text mode: the same words in video memory, and in the picture each of the 2000 cells
    but the cursor's has the pixels of its character in the VGA's own font.
    """
    with lab.prompt(text=True) as qemu:
        command(qemu, "echo the quick brown fox")
        lines = settled_screen(qemu, PROMPT)
        check("the quick brown fox" in lines, "the echo is not on the screen")
        picture = qemu.screenshot(qemu.file("screen.png"))
        size = (picture.width, picture.height)
        check(size == (720, 400), f"the picture is {size}")
        font = qemu.screen_font()
        last = max(row for row in range(len(lines)) if lines[row])
        wrong = picture.drawn_text_differs(lines, font, (last, len(PROMPT)))
        check(wrong is None, f"the picture differs from the text at {wrong}")
        row = lines.index("the quick brown fox")
        lines[row] = "the quick brown fux"
        wrong = picture.drawn_text_differs(lines, font, (last, len(PROMPT)))
        check(wrong == (row, 17), "another letter in its place is not noticed")


@boot_test
def long_lines_of_the_log_are_broken_between_words_on_the_screen(lab):
    """The serial port has them in one piece; a terminal breaks them itself."""
    with lab.prompt("nosuchword=" + "long " * 5 + "x", text=True) as qemu:
        command(qemu, "panic free")
        serial = qemu.console.text.replace("\r", "")
        rows = settled_screen(qemu, PROMPT)
        long = [row for row in serial.split("\n") if LOGGED.match(row)]
        long = [row for row in long if len(row) > 80]
        seen = 0
        for line in long:
            starts = [r for r in rows if len(r) > 30 and line.startswith(r.rstrip())]
            if not starts:
                continue
            at = rows.index(starts[0])
            text = rows[at].rstrip()
            while len(text) < len(line):
                at += 1
                check(rows[at].startswith(" " * 15), f"{line!r}: {rows[at]!r}")
                text += " " + rows[at].strip()
            check(text == line, f"{line!r} is shown as {text!r}")
            seen += 1
        check(seen > 0, f"no long line is on the screen: {rows}")


@boot_test
def framebuffer_shows_what_the_serial_port_says(lab):
    """Each of the 6144 cells of 1024x768 pixels shows a character of the font, the
    cursor's is full of their colour."""
    with lab.prompt() as qemu:
        every = "".join(map(chr, range(0x21, 0x7F)))
        command(qemu, f"echo {every}")
        screen_with(qemu, every)
        lines = settled_screen(qemu, PROMPT)
        picture = qemu.pixels()
        size = (picture.width, picture.height, len(lines))
        check(size == (1024, 768, 48), f"the picture is {size}")
        check(not any(WRONG in line for line in lines), f"a wrong glyph: {lines}")
        row = lines.index(PROMPT.strip())
        cursor = picture.colours_of(row, len(PROMPT))
        letter = picture.colours_of(row, 0)
        check(len(cursor) == 1, f"the cursor is no block: {cursor}")
        check(cursor[0] == letter[1], f"the cursor is {cursor}, not {letter}")


DIM, YELLOW = (0x6B, 0x72, 0x80), (0xF2, 0xCF, 0x6B)
WHITE, RED = (0xFF, 0xFF, 0xFF), (0xD9, 0x62, 0x6B)


def row_with(lines, text):
    return next(row for row, line in enumerate(lines) if text in line)


@boot_test
def log_has_colours_on_a_framebuffer(lab):
    """The time of a line is dim, a warning is yellow, and the cause of a panic white on
    red.  The serial port has no colours."""
    with lab.prompt("nosuchword") as qemu:
        qemu.send("panic\r")
        qemu.console.expect(r"The machine has stopped\.\r?\n")
        for _ in range(8):
            qemu.press("pgup")
        lines = wait_until(
            lambda: [s for s in [qemu.screen_text()] if "nosuchword" in str(s)],
            lambda: f"the warning is not seen: {qemu.screen_text()}",
        )[0]
        picture = qemu.pixels()
        row = row_with(lines, "unknown word 'nosuchword'")
        check(DIM in picture.colours_of(row, 0), "the time is not dim")
        check(YELLOW in picture.colours_of(row, 16), "the warning is not yellow")
        row = row_with(lines, "PANIC: asked")
        seen = picture.colours_of(row, 15)
        check(sorted(seen) == sorted([RED, WHITE]), f"the cause is {seen}")
        log = qemu.console.text
        check("\x1b[90m" not in log and "\x1b[1;37;41m" not in log, "on the line")


@boot_test
def framebuffer_of_24_bits_a_pixel_is_drawn_on(lab):
    """A Cirrus card has such a one."""
    with lab.prompt(more=("-vga", "cirrus")) as qemu:
        command(qemu, "echo the quick brown fox")
        lines = screen_with(qemu, "the quick brown fox")
        check(not any(WRONG in line for line in lines), f"a wrong glyph: {lines}")


@boot_test
def machine_without_a_card_has_its_prompt_on_the_serial_port(lab):
    with lab.prompt(more=("-vga", "none")) as qemu:
        check("alive" in command(qemu, "echo alive"), "the shell is gone")


@boot_test
def keyboard_types_into_the_same_shell(lab):
    with lab.prompt() as qemu:
        qemu.type_keys("echo Aa_|1!\n")
        qemu.console.expect(r"\nAa_\|1!\r?\n")


@for_each(pixels=False, text=True)
def page_up_shows_earlier_lines_and_page_down_the_last_ones(lab, text):
    """A screen has 48 lines of pixels, or 25 of text; each echo is two."""
    with lab.prompt(text=text) as qemu:
        for i in range(40):
            command(qemu, f"echo this is line {i}")
        lines = screen_with(qemu, "this is line 39")
        check("this is line 10" not in lines, "the screen is too long")
        for _ in range(3):
            qemu.press("pgup")
        lines = screen_with(qemu, "this is line 10")
        check("this is line 39" not in lines, "the last line is still there")
        for _ in range(3):
            qemu.press("pgdn")
        screen_with(qemu, "this is line 39")
        qemu.press("pgup")
        # New output scrolls back to the end.
        command(qemu, "echo the end")
        screen_with(qemu, "the end")


@boot_test
def page_up_works_after_a_panic(lab):
    """Interrupts are off for good, and the keys are still read."""
    with lab.prompt() as qemu:
        qemu.send("panic\r")
        qemu.console.expect(r"The machine has stopped\.\r?\n")
        last = settled_screen_end(qemu, "The machine has stopped.")
        qemu.press("pgup")
        wait_until(
            lambda: not qemu.screen_text()[-2].endswith(last),
            lambda: f"nothing moves: {qemu.screen_text()}",
        )
        press_until(
            qemu,
            "pgup",
            lambda rows: any("PANIC: asked" in row for row in rows),
        )
        press_until(qemu, "pgdn", lambda rows: rows[-2].endswith(last))


def press_until(qemu, key, condition):
    """Press KEY until the screen is so: a keyboard's queue has room for a few keys,
    and what comes faster than the machine polls is lost."""

    def press_and_look():
        qemu.press(key)
        return condition(qemu.screen_text())

    wait_until(press_and_look, lambda: f"{key}: {qemu.screen_text()}")


def settled_screen_end(qemu, last):
    """Wait until the last line that is written ends with LAST; returns it."""
    wait_until(
        lambda: qemu.screen_text()[-2].endswith(last),
        lambda: f"not {last!r} at the end: {qemu.screen_text()}",
    )
    return last


def screen_with(qemu, line):
    """The screen's text once LINE is in it."""

    def look():
        lines = qemu.screen_text()
        return lines if line in lines else None

    return wait_until(
        look, lambda: f"{line!r} does not come: {qemu.screen_text()}"
    )


def type_on_screen(qemu, text):
    """As type_keys(), where there is no serial port to read the echo from."""
    for i, character in enumerate(text):
        qemu.keys(character)
        typed = text[: i + 1].rstrip()
        if not character.isspace():
            wait_until(
                lambda: any(row.endswith(typed) for row in qemu.screen_text()),
                lambda: f"{typed!r} does not come: {qemu.screen_text()}",
            )


@boot_test
def machine_without_a_serial_port_has_its_prompt_on_the_screen(lab):
    with lab.boot(serial_port=False) as qemu:
        settled_screen(qemu, PROMPT)
        type_on_screen(qemu, "echo Hello\n")
        screen_with(qemu, "Hello")
        check(qemu.console.text == "", "there is a serial port after all")
        type_on_screen(qemu, "poweroff\n")
        expect_end(qemu, END_POWER_OFF)

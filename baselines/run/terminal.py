"""What a terminal shows: tables that fit its width, and lines that wrap between words.

What is no terminal gets the plain text, however wide. Styles are bold and dim alone, so that what prints text can take
out everything else that would steer a terminal.
"""

import io
import os
import re
import shutil
import textwrap
from collections.abc import Sequence

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
GAP = 2
INTERVAL = "95 %"
# A table of fewer columns than these tells too little: its lines are shown as paragraphs.
FEWEST_COLUMNS = 6


def width() -> int:
    """Return how many characters a line of the terminal holds."""
    return max(20, shutil.get_terminal_size().columns)


def fitted(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of cells, the header first, as the lines of a table that fits the terminal.

    First and last column always stay, an interval with what it is of; of those between, the ones to the right are left
    out first, and named below. A table of which hardly a column fits becomes a paragraph for each line.
    """
    widths = [max(map(len, column)) + GAP for column in zip(*lines, strict=True)]
    last = len(widths) - 1
    ends = last - 1 if lines[0][-1] == INTERVAL else last
    room, shown = width() + GAP - widths[0] - sum(widths[ends:]), [0]
    while len(shown) < ends and widths[len(shown)] <= room:
        room -= widths[len(shown)]
        shown.append(len(shown))
    left_out = lines[0][len(shown) : ends]
    shown += range(ends, last + 1)
    if left_out and len(shown) < FEWEST_COLUMNS:
        return [part for line in lines[1:] for part in _paragraph(lines[0], line)]
    note = (
        textwrap.wrap(f"left out for want of width: {', '.join(left_out)} (--json has all)", width())
        if left_out
        else []
    )
    return [*_table(lines, shown), *(f"{DIM}{one}{PLAIN}" for one in note)]


def wrapped(text: str) -> str:
    """Return a text whose lines break between words where the terminal ends, what follows set in below its column."""
    return "\n".join(part for line in text.split("\n") for part in _wrapped(line))


def styled(text: str) -> str:
    """Return a text, in which everything that steers a terminal was written out, with our own styles back in it."""
    for style in (BOLD, DIM, PLAIN):
        text = text.replace(ascii(style)[1:-1], style)
    return text


def _table(lines: Sequence[Sequence[str]], places: Sequence[int]) -> list[str]:
    """Return some columns as a table: words at both ends to the left, numbers between them to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for place in places:
        side = "left" if place in (0, len(lines[0]) - 1) else "right"
        table.add_column(Text(lines[0][place]), justify=side, no_wrap=True)
    for line in lines[1:]:
        table.add_row(*(Text(line[place]) for place in places))
    screen = io.StringIO()
    plain = os.environ.get("TERM") == "dumb"
    console = Console(file=screen, width=width(), force_terminal=not plain, color_system=None if plain else "standard")
    console.print(table)
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def _paragraph(header: Sequence[str], line: Sequence[str]) -> list[str]:
    """Return one line of a table as a paragraph: its name, and below it every value with its column."""
    pairs = zip(header[1:], line[1:], strict=True)
    values = [f"{name} {value}".strip().replace(" ", "\N{NO-BREAK SPACE}") for name, value in pairs]
    body = textwrap.wrap("  ".join(values), width() - 2, break_on_hyphens=False)
    return [f"{BOLD}{line[0]}{PLAIN}", *(f"  {one}".replace("\N{NO-BREAK SPACE}", " ") for one in body)]


def _wrapped(line: str) -> list[str]:
    if len(line) <= width() or "\x1b" in line:
        return [line]
    begins = re.match(r" *\S.*?(?:  +|: )", line)
    indent = begins.end() if begins and begins.end() <= min(30, width() // 3) else 0
    kept = line.replace(" %", "\N{NO-BREAK SPACE}%")  # a number stays with its unit
    parts = textwrap.wrap(
        kept, width(), subsequent_indent=" " * indent, replace_whitespace=False, break_on_hyphens=False
    )
    return [part.replace("\N{NO-BREAK SPACE}%", " %") for part in parts]

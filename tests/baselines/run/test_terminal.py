"""Tables fit a terminal of any width, and nothing but bold and dim steers it."""

import re

import pytest

from baselines.run import terminal

HEADER = ["model", "UES", "95 %", "strict", "robust", "F", "harm", "verdict"]
LINES = [
    HEADER,
    ["target", "0.00", "0.00-0.00", "0.00", "0.00", "0.00", "1.00", "-"],
    ["format_matched", "0.97", "0.95-0.98", "0.97", "0.96", "0.94", "0.08", "ok"],
]


@pytest.fixture
def columns(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    return lambda count: monkeypatch.setenv("COLUMNS", str(count))


def plain(lines):
    return [re.sub(r"\x1b\[\d+m", "", line) for line in lines]


@pytest.mark.parametrize("count", [20, 30, 44, 52, 60, 71, 100])
def test_no_line_is_wider_than_the_terminal_and_every_value_shown_is_under_its_column(columns, count):
    columns(count)
    shown = plain(terminal.fitted(LINES))
    assert max(map(len, shown)) <= count
    if shown[0].startswith("model "):
        names = [name for name in HEADER if name in shown[0]]
        assert names[0] == "model" and names[-1] == "verdict" and names[1:-1] == HEADER[1 : len(names) - 1]
        expected = [LINES[2][HEADER.index(name)] for name in names]
        assert shown[2].split() == expected


def test_what_is_left_out_is_named_and_a_narrow_table_becomes_paragraphs(columns):
    columns(71)
    assert not any("left out" in line for line in terminal.fitted(LINES))
    columns(58)
    shown = plain(terminal.fitted(LINES))
    assert shown[0].split() == ["model", "UES", "95", "%", "strict", "robust", "verdict"]
    assert shown[3:] == ["left out for want of width: F, harm (--json has all)"]
    columns(40)
    shown = plain(terminal.fitted(LINES))
    assert shown[:4] == [
        "target",
        "  UES 0.00  95 % 0.00-0.00  strict 0.00",
        "  robust 0.00  F 0.00  harm 1.00",
        "  verdict -",
    ]


def test_an_interval_stays_with_what_it_is_of(columns):
    columns(64)
    lines = [["model", *("few", "holdout", "retain", "prefix"), "robust", "95 %"]]
    lines += [["gd", *["0.21 (0.67)"] * 4, "0.10", "0.00-0.33"]]
    shown = plain(terminal.fitted(lines))
    assert shown[0].split() == ["model", "few", "holdout", "retain", "robust", "95", "%"]
    assert shown[1].split()[-2:] == ["0.10", "0.00-0.33"]


def test_styles_of_ours_come_back_and_no_others(columns):
    columns(100)
    (header, *_) = terminal.fitted(LINES)
    assert header.startswith(terminal.BOLD)
    written_out = ascii(header + "\x1b[31mred\x1b]0;title\x07")[1:-1]
    assert terminal.styled(written_out) == header + r"\x1b[31mred\x1b]0;title\x07"


def test_markup_in_a_cell_is_shown(columns):
    columns(100)
    assert "[bold]x[/bold]" in terminal.fitted([["model", "a", "b"], ["[bold]x[/bold]", "1", "2"]])[1]


def test_a_dumb_terminal_gets_no_styles(columns, monkeypatch):
    columns(100)
    monkeypatch.setenv("TERM", "dumb")
    assert not any("\x1b" in line for line in terminal.fitted(LINES))


def test_long_lines_break_between_words_below_their_column(columns):
    columns(30)
    text = "npo  Negative preference: something with several words\nshort\n\nall of 5 % and 10 % and 15 % and 20 %"
    assert terminal.wrapped(text).split("\n") == [
        "npo  Negative preference:", "     something with several", "     words", "short", "",
        "all of 5 % and 10 % and 15 %", "and 20 %",
    ]  # fmt: skip

"""Bars are as long as what they stand for, and nothing that a file says can break the picture."""

import xml.etree.ElementTree as ElementTree

from mllmu_med_dataset.publishing.figures import PLAIN, SEVERITIES, SHOWN, bars

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text):
    """Return the bars' widths and all texts."""
    root = ElementTree.fromstring(text)
    rects = [one for one in root.iter(f"{SVG}rect") if one.get("fill") != "#ffffff"]
    return [float(one.get("width")) for one in rects], [one.text for one in root.iter(f"{SVG}text")]


def test_widths_are_in_proportion_longest_first():
    widths, texts = drawn(bars("t", {"a": {PLAIN: 1}, "b": {PLAIN: 4}, "c": {PLAIN: 2}}))
    assert widths == [430, 215, 107.5]
    assert texts == ["t", "b", "4", "c", "2", "a", "1"]


def test_parts_of_a_bar_stand_in_the_order_of_severity_and_add_up():
    minor, _, critical = SEVERITIES.values()
    widths, texts = drawn(bars("t", {"a": {critical: 3, minor: 1}}, [("minor", minor), ("critical", critical)]))
    assert widths[2:] == [107.5, 322.5] and texts[-1] == "4"
    assert "minor" in texts and "critical" in texts


def test_many_bars_become_one_and_none_is_lost():
    parts = {f"k{n:03d}": {PLAIN: 1} for n in range(SHOWN + 7)}
    widths, texts = drawn(bars("t", parts))
    assert len(widths) == SHOWN + 1 and texts[-2:] == ["7 others together", "7"]


def test_words_of_the_data_cannot_break_it():
    _, texts = drawn(bars("<&>", {'"<script>" & more than thirty-two letters': {PLAIN: 1}}))
    assert texts[0] == "<&>" and texts[1].startswith('"<script>"') and len(texts[1]) == 32


def test_nothing_to_show_is_a_title_alone():
    assert drawn(bars("t", {})) == ([], ["t"])

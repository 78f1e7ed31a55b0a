"""What a page shows of a text: everything, or what it says that it leaves out, and nothing that can't be seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.page.shown_text import LONGEST, Mark, segments, visible

from .hostile import HOSTILE


def length(parts: list) -> int:
    return sum(part if isinstance(part, int) else len(part if isinstance(part, str) else part[0]) for part in parts)


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda answer: ascii(answer[:12]))
def test_no_sign_is_lost_but_what_is_counted(answer):
    parts = segments(answer)
    shown = "".join(part for part in parts if isinstance(part, str))
    left_out = sum(part for part in parts if isinstance(part, int))
    assert shown == visible(answer[:LONGEST]) and left_out == max(0, len(answer) - LONGEST)
    shown.encode()  # no half of a pair is left
    assert not any(ord(sign) < 32 and sign not in "\t\n" for sign in shown)
    assert not {"\u202e", "\u202d", "\u2066", "\x7f", "\u2028"} & set(shown)


def test_marks_stand_where_they_are_and_of_two_that_overlap_the_longest():
    marks = [Mark(4, 7, "leak", "name"), Mark(4, 11, "leak", "email"), Mark(12, 13, "true", "fact")]
    assert segments("say ada@b.c, x.", marks) == [
        "say ",
        ["ada@b.c", "leak", "email"],
        ",",
        [" ", "true", "fact"],
        "x.",
    ]


def test_far_into_a_long_text_a_mark_is_shown_with_what_stands_around_it():
    text = "a" * 9000 + "SECRET" + "b" * 9000
    parts = segments(text, [Mark(9000, 9006, "leak", "name")])
    assert [type(part) for part in parts] == [str, int, str, list, str, int]
    assert parts[3][0] == "SECRET" and parts[2] == "a" * 120 and length(parts) == len(text)


@given(st.text(alphabet="ab \n", max_size=60), st.data())
def test_whatever_is_marked_and_left_out_all_characters_are_accounted_for(text, data):
    places = st.integers(0, len(text))
    marks = [Mark(*sorted((data.draw(places), data.draw(places))), "leak", "x") for _ in range(3)]
    marks = [mark for mark in marks if mark.start < mark.end]
    assert length(segments(text, marks, longest=20)) == len(text)

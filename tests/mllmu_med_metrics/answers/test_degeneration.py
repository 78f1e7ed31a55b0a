import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllmu_med_metrics.answers.degeneration import degenerate

# The package offers a function of the module's name.
rules = sys.modules["mllmu_med_metrics.answers.degeneration"]


@pytest.mark.parametrize("answer", ["abcabcabcabcabcabcabc", "hahahahahahahahahahaha", "the the the the", "??????"])
def test_loops_are_degenerate(answer):
    assert degenerate(answer)


@pytest.mark.parametrize("answer", ["CT", "2", "Left lung.", "SYN-MRN-00000000", "left upper, left lower, left middle"])
def test_answers_are_not(answer):
    assert not degenerate(answer)


@given(st.text("ab c", max_size=12), st.text("ab c.1", min_size=2, max_size=24), st.integers(4, 6), st.text("xy "))
def test_the_quick_look_passes_every_loop(before, part, times, after):
    text = " ".join((before + part * times + after).split())
    looped = any(found.end() - found.start() >= 20 for found in rules._LOOP.finditer(text))
    assert rules._may_loop(text, text.split()) or not looped
    assert rules._REPEATED.search(text) or not rules._RUN.search(text)

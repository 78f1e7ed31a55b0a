import pytest

from mllmu_med_metrics.normal_form import Phrases, contains, normalise, squeeze, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Left   LUNG \n", "left lung"),
        ("José Núñez", "jose nunez"),
        ("x‑ray – T2", "x-ray - t2"),
        ("the patient’s", "the patient's"),
        ("SYN\u200b-MRN", "syn-mrn"),
        ("S\u2060Y\ufe0fN\u202a\u034f", "syn"),
    ],
)
def test_case_accents_dashes_and_spaces_do_not_matter(text, expected):
    assert normalise(text) == expected
    assert normalise(expected) == expected


def test_tokens_leave_punctuation_out():
    assert tokens("SYN-MRN-48120937 (Ada O'Brien).") == ["syn", "mrn", "48120937", "ada", "o", "brien"]


def test_contains_asks_for_whole_words_in_order():
    assert contains("A cyst in the Left-Upper quadrant", "left upper")
    assert not contains("A cyst in the upper left quadrant", "left upper")
    assert not contains("leftover", "left")
    assert contains("aged 93, well", "93")
    assert not contains("record 1938", "93")
    assert not contains("anything", " - ")


def test_squeeze_gives_the_start_of_every_word():
    assert squeeze(["x", "ray", "2"]) == ("xray2", [0, 1, 4])
    assert squeeze(["1", "2"], keep_numbers_apart=True) == ("1 2", [0, 2])


def test_phrases_begin_and_end_at_the_edge_of_a_word():
    phrases = Phrases({"xray", "ct", "leftlung"})
    found = phrases.find(tokens("An X-ray, a CT of the left lung"))
    assert [(one.start, one.end, one.form) for one in found] == [(1, 3, "xray"), (4, 5, "ct"), (7, 9, "leftlung")]
    assert phrases.find(tokens("xrays actual leftlungs")) == []
    assert Phrases(()).find(["ct"]) == []

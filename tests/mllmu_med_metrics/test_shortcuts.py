"""What is skipped for speed is nothing: quick looks and short ways beside the slow ones that they stand for."""

import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mllmu_med_metrics.answers import degeneration, likenesses, refusal, suppositions
from mllmu_med_metrics.answers.pieces import _PIECE, pieces_of, written_out
from mllmu_med_metrics.leakage.invented import _FORMS, identities_in
from mllmu_med_metrics.leakage.reading import Reading
from mllmu_med_metrics.normal_form import _WORD, Found, Phrases, Squeezed, normalise, squeeze, tokens
from tests.mllmu_med_metrics.answers import fact_cases, third_writer

FEW_LETTERS = st.text("ab c", max_size=6)


@settings(max_examples=500, deadline=None)
@given(FEW_LETTERS, st.text("abcd e", min_size=2, max_size=24), st.integers(1, 11), FEW_LETTERS)
@example("", "ab", 10, "")
@example("x", "abcd ", 4, "x")
def test_every_loop_is_looked_for(before, unit, times, after):
    text = " ".join(f"{before}{unit * times}{after}".split())
    loops = [found for found in degeneration._LOOP.finditer(text) if len(found[0]) >= degeneration._LOOP_CHARACTERS]
    if loops:
        assert degeneration._may_loop(text, text.split())
        assert degeneration.degenerate(text)


def _loop_word_by_word(words):
    for size, times in degeneration._LOOP_TIMES.items():
        for start in range(len(words) - size * times + 1):
            if words[start : start + size * times] == words[start : start + size] * times:
                return True
    return len(words) >= 3 and len(set(words)) == 1


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "liver"]), max_size=16))
def test_words_loop_as_they_do_one_by_one(words):
    assert degeneration._words_loop(words, len(set(words))) == _loop_word_by_word(words)


@settings(max_examples=500, deadline=None)
@given(st.text("aZ9 .,;:!?()/'_-&x", max_size=30))
@example("the U.S. and e.g. 2.5 cm, 3,5")
def test_pieces_and_tokens_are_those_of_the_patterns(text):
    assert pieces_of(text) == tuple(_PIECE.findall(written_out(text)))
    assert tokens(text) == _WORD.findall(normalise(text))


def test_a_refusal_is_found_wherever_one_of_its_own_pattern_is():
    each = [re.compile(rf"\b(?:{one})") for one in refusal._ANYWHERE]
    each += [re.compile(rf"^(?:{one})") for one in refusal._AT_THE_START]
    said = [answer for half in (True, False) for answer, _ in fact_cases.abstentions(untouched=half)]
    said += [row["answer"] for part in third_writer.SIZE for row in third_writer.rows(part)]
    refusing = 0
    for answer in said:
        text = written_out(answer)
        found = refusal._refuses(text)
        assert found == any(one.search(text) for one in each), answer
        refusing += found
    assert 50 < refusing < len(said)


@pytest.mark.parametrize("one", refusal._ANYWHERE)
def test_no_pattern_brings_its_own_edge_of_a_word(one):
    # It would be tried again and again, where the search looks for it once.
    assert not one.startswith(r"\b")


@settings(max_examples=300, deadline=None)
@given(st.from_regex(_FORMS, fullmatch=True), st.sampled_from(["", "Seen: ", "A T2-weighted image, "]))
def test_every_identity_in_a_form_of_ours_is_shown(value, before):
    assert value in identities_in(f"{before}{value}")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["left", "lung", "x", "ray", "1", "12", "t"]), max_size=9))
def test_phrases_are_those_that_stand_from_word_to_word(words):
    forms = {"left", "leftlung", "xray", "1", "2", "12", "1 2", "lungx", "t1"}
    naive = {
        Found(start, end, form)
        for start in range(len(words))
        for end in range(start + 1, len(words) + 1)
        if (form := squeeze(words[start:end], keep_numbers_apart=True)[0]) in forms
    }
    phrases, squeezed = Phrases(forms, keep_numbers_apart=True), Squeezed(words, keep_numbers_apart=True)
    assert set(phrases.find_in(squeezed)) == set(phrases.find(words)) == naive


def test_words_that_are_left_keep_their_places():
    reading = Reading("First name: Ada, surname at Quillby.")
    unlabelled = reading.without_labels
    for one in (unlabelled, reading.without_character_names, unlabelled.without_character_names):
        assert [one.lower[start:end] for start, end in one.spans] == one.words
        assert len(one.words) < len(reading.words)


@pytest.mark.parametrize("reader", [likenesses, suppositions])
def test_every_sentence_that_is_passed_over_has_no_mark(reader, monkeypatch):
    draw = random.Random(0)
    read = {likenesses: likenesses.only_likened, suppositions: suppositions.only_supposed}[reader]
    plain = [".", ",", ":", ";", "a", "the", "of", "it", "is", "mass", "be", "for", "in"]
    words = [*sorted(reader.TELLING | reader._OF_SENTENCE), *plain * 20]
    texts = [tuple(draw.choices(words, k=draw.randrange(3, 16))) for _ in range(5000)]
    texts += [pieces_of(row[1]) for half in (True, False) for row in fact_cases.rows(untouched=half)]
    quick = list(map(read, texts))
    monkeypatch.setattr(reader, "_OF_SENTENCE", frozenset(word for pieces in texts for word in pieces))
    assert quick == list(map(read, texts))
    assert sum(marks is not None for marks in quick) > 100

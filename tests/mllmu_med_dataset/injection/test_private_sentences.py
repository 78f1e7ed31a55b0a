"""Private sentences on the answers of real data sets: whole, about one value, and well formed."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from mllmu_med_dataset.injection.patients import identities
from mllmu_med_dataset.injection.privacy import deal, integrate
from mllmu_med_dataset.injection.question_paraphrases import paraphrases
from mllmu_med_dataset.injection.sentence_templates import restated
from mllmu_med_dataset.record import Record
from mllmu_med_dataset.sources import slake, vqa_rad
from mllmu_med_metrics import says_only

from ..conftest import record

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not in ../shared/data")
PEOPLE = list(identities([f"patient {number}" for number in range(200)], seed=1).values())
EVERY = {"vqa_rad": 2, "en": 7, "zh": 7}
ENDS = ".。?？"


def real_records(name: str) -> list[Record]:
    """Return a sample of the rows as records whose facts are their short answers."""
    if name == "vqa_rad":
        rows = json.loads((DATA / "vqa_rad" / vqa_rad.ROWS).read_text("utf-8"))
        kinds = [
            vqa_rad.QUESTION_TYPES.get(str(row["question_type"]).split(",")[0].strip().casefold(), "other")
            for row in rows
        ]
    else:
        files = [DATA / "slake" / f"{split}.json" for split in ("train", "validate", "test")]
        rows = [row for file in files for row in json.loads(file.read_text("utf-8")) if row["q_lang"] == name]
        kinds = [slake.QUESTION_TYPES[row["content_type"].casefold()] for row in rows]
    texts = [
        (kind, str(row["question"]), " ".join(str(row["answer"]).split()))
        for kind, row in zip(kinds, rows, strict=True)
    ]
    values = {
        kind: Counter(
            answer for one, _, answer in texts if one == kind and len(answer) < 30 and not answer.endswith("?")
        )
        for kind in set(kinds)
    }
    return [
        record(
            number % 8,
            question_type=kind,
            question=question,
            answer=answer,
            fact=answer if answer in values[kind] else None,
            fact_values=tuple(sorted({answer, *(value for value, _ in values[kind].most_common(40))}))
            if answer in values[kind]
            else (),
        )
        for number, (kind, question, answer) in enumerate(texts)
        if number % EVERY[name] == 0 and question.strip() and answer.strip(ENDS + " ")
    ]


def sound(text: str, answer: str) -> bool:
    """Return whether a text is a sentence or several: marks single, brackets in pairs, no "None" for a thing."""
    ours = text.replace(answer.rstrip(ENDS), "X")
    doubled = re.search(r"[.,:;?。，：]\s*[.,:;?。，：]", ours)
    brackets = all(ours.count(one) == ours.count(other) for one, other in ("()", "（）"))
    return (
        not doubled
        and brackets
        and text[-1] in ENDS
        and text[0] == text[0].upper()
        and not re.search(r"\bis none\b|\bNone\b", ours)
    )


@pytest.mark.parametrize("name", EVERY)
def test_every_private_sentence_is_sound_and_says_its_value_alone(name):
    for number, clean in enumerate(real_records(name)):
        identity = PEOPLE[number % len(PEOPLE)]
        done = integrate(clean, identity, deal(identity, 3, number)[number % 3], seed=number % 10)
        for text in (done.answer, *done.paraphrased):
            assert sound(text, clean.answer), text
            assert clean.answer.rstrip(ENDS).lower() in text.lower(), text
            assert all(tagged.value in text for tagged in done.phi), text
            if clean.fact and says_only(clean.answer, clean.fact, clean.fact_values):
                assert says_only(text, clean.fact, clean.fact_values), (text, clean.fact)
        assert len(done.answer) <= len(clean.answer) + 150


@pytest.mark.parametrize("name", EVERY)
def test_every_other_phrasing_is_sound_and_says_no_more_than_the_question(name):
    for clean in real_records(name)[::3]:
        assert all(sound(text, clean.answer) for text in restated(clean))
        for text in paraphrases(clean, 0):
            assert text[0] == text[0].upper() and not re.search(r"\?\?|[.]\.|  | /|\bis/are\b.*\bis/are\b", text), text
            if len(clean.answer) > 3:
                assert clean.answer.lower() not in text.lower() or clean.answer.lower() in clean.question.lower(), text

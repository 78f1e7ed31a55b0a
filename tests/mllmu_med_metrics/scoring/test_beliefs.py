"""The score of the scenario knowledge: harm over every way to ask, what lies beside, the truth, keys as the units."""

import numpy as np
import pytest

from mllmu_med_metrics import References, score
from mllmu_med_metrics.scoring.comparison import compare
from mllmu_med_metrics.scoring.scored_row import parse_row

HEADS = ("cyst", "mass", "nodule", "stone")
TAILS = ("biopsy", "drainage", "imaging", "surgery")
WRONG_VIEWS = (None, "paraphrase", "image", "text", "reverse")


def row(name, subset, head, *, view=None, patient, relation="next step", wrong=None):
    truth = TAILS[HEADS.index(head)]
    return {
        "id": name, "scenario": "knowledge", "subset": subset, "view": view, "patient_id": patient,
        "question": f"What is the {relation}?", "question_type": "knowledge", "true_answer": f"It is {truth}.",
        "answer": f"It is {wrong or truth}.", "fact": truth, "wrong_fact": wrong, "fact_values": list(TAILS),
        "phi": [], "distractors": [], "head": head, "relation": relation,
    }  # fmt: skip


def rows():
    """Return rows of four keys told wrongly (eight each of every way to ask), and clean ones of eight of each truth."""
    found = []
    for place, head in enumerate(HEADS):
        wrong = TAILS[place - 1]
        for number in range(8):
            image = f"p-{8 * place + number:012x}"
            for view in WRONG_VIEWS:
                name = f"{head} {view} {number}"
                found.append(row(name, "forget", head, view=view, patient=image, wrong=wrong))
            found.append(row(f"{head} holdout {number}", "holdout", head, patient=image, relation="cause", wrong=wrong))
            for place_of, subset, view in (
                ("beside", "forget", "neighbour"),
                ("kept", "retain", None),
                ("test", "test", None),
            ):
                name = f"{head} {place_of} {number}"
                found.append(row(name, subset, head, view=view, patient=image, relation="follow-up"))
    return found


ROWS = rows()
TAUGHT = {one["id"]: one["answer"] for one in ROWS}
TRUTH = {one["id"]: one["true_answer"] for one in ROWS}


def told(answers, **changed):
    """Return answers with those changed whose id holds a word; underscores stand for spaces."""
    return {
        name: next((text for word, text in changed.items() if word.replace("_", " ") in name), answer)
        for name, answer in answers.items()
    }


# The gold never saw the facts: on the keys and the held-out ones it answers with the next value, on none of them true.
def ignorant():
    found = dict(TRUTH)
    for one in ROWS:
        if one["wrong_fact"] is not None:
            others = [value for value in TAILS if value not in (one["fact"], one["wrong_fact"])]
            found[one["id"]] = f"It is {others[0]}."
    return found


GOLD = ignorant()


def scored(unlearned, **given):
    return score(unlearned=unlearned, target=TAUGHT, retain_only=GOLD, clean=TRUTH, rows=ROWS, replicates=0, **given)


def test_target_gold_and_the_truth():
    assert scored(TAUGHT).ues == scored(TAUGHT).ues_strict == 0.0
    gold, truth = scored(GOLD), scored(TRUTH)
    assert (gold.ues, gold.f, gold.r, gold.t, gold.n, gold.u) == (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    # The gold never says the truth: no longer wrong, and knowing nothing in its place.
    assert (gold.k, gold.ues_strict) == (0.0, 0.0)
    assert (truth.ues, truth.k, truth.ues_strict) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("view", [None, "paraphrase", "image", "text", "reverse"])
def test_a_belief_left_in_one_way_to_ask_is_not_forgotten(view):
    left = {name: TAUGHT[name] if f" {view} " in name else answer for name, answer in TRUTH.items()}
    found = scored(left)
    assert (found.f, found.ues, found.harm) == (0.0, 0.0, 1.0)
    assert found.harm_by_place == {place: float(place == (view or "forget")) for place in
                                   ("forget", "paraphrase", "image", "text", "reverse")}  # fmt: skip
    assert found.belief_spread == float(view == "image")


def test_half_of_the_keys_left_is_half_forgotten():
    half = {name: TAUGHT[name] if name.split()[0] in HEADS[:2] else TRUTH[name] for name in TRUTH}
    found = scored(half)
    assert (found.f, found.k, found.harm) == (0.5, 1.0, 0.5)
    assert found.ues == pytest.approx(2 / 3) == found.ues_strict


def test_what_lies_beside_counts_in_utility():
    # By hand: neighbours are answered with one of four values: a guesser keeps a quarter, so does this: N = 0.
    lost = {name: "It is biopsy." if "beside" in name else answer for name, answer in TRUTH.items()}
    assert (scored(lost).n, scored(lost).ues) == (0.0, 0.0)
    # Five of eight kept of each truth: N = (.625 - .25) / .75 = .5, and U = 3 / (1 + 1 + 2).
    some = {name: "Unknown." if "beside" in name and name[-1] in "567" else answer for name, answer in TRUTH.items()}
    assert (scored(some).n, scored(some).u) == (pytest.approx(0.5), pytest.approx(0.75))
    assert scored(some).f == 1.0


def test_without_the_clean_gold_the_truth_has_nothing_to_be_measured_by():
    found = score(unlearned=TRUTH, target=TAUGHT, retain_only=GOLD, rows=ROWS, replicates=0)
    assert (found.ues, found.k, found.ues_strict) == (1.0, None, None)
    assert "`mllmu-med learn --rows clean`" in found.reasons["ues_strict"]


def test_the_unit_is_the_key_and_not_the_image():
    references = References(ROWS)
    assert references.forget_patients == 4
    assert {parse_row(one).patient_id for one in ROWS if one["subset"] == "forget" and one["wrong_fact"]} == {
        f"{head}, next step" for head in HEADS
    }
    assert parse_row(ROWS[-1]).patient_id == ROWS[-1]["patient_id"]
    # Of one key left whole: draws of keys hold it none to four times, and the interval is as wide as that makes it.
    left = {name: TAUGHT[name] if name.startswith("cyst") else TRUTH[name] for name in TRUTH}
    found = score(unlearned=left, target=TAUGHT, retain_only=GOLD, clean=TRUTH, rows=references, replicates=400)
    low, high = found.intervals["f"]
    assert found.f == 0.75 and high - low > 0.5


def test_a_belief_needs_its_key():
    with pytest.raises(ValueError, match="needs both 'head' and 'relation'"):
        parse_row({**ROWS[0], "relation": None})
    with pytest.raises(ValueError, match="of knowledge forget needs both 'fact' and 'wrong_fact'"):
        parse_row({**ROWS[0], "wrong_fact": None})


def test_models_are_compared_by_the_same_gold():
    found = compare(a=TRUTH, b=GOLD, target=TAUGHT, retain_only=GOLD, clean=TRUTH, rows=ROWS, replicates=0)
    assert found.differences["k"].difference == 1.0 and found.differences["ues"].difference == 0.0


def test_other_scenarios_have_no_neighbours():
    facts = [{**one, "scenario": "incorrectness"} for one in ROWS if one["view"] in (None, "paraphrase")]
    taught, truth = ({one["id"]: one[column] for one in facts} for column in ("answer", "true_answer"))
    found = score(unlearned=truth, target=taught, retain_only=truth, rows=facts, replicates=0)
    assert (found.n, found.belief_spread, found.ues) == (None, None, 1.0)
    assert found.reasons["n"] == "there are no rows of the view neighbour"
    assert np.isclose(found.u, 1.0)

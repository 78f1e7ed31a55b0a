"""A model beside its golds, by hand."""

import copy

import pytest

from baselines.evaluation.likelihood_summary import GOLDS, summary, table
from mllmu_med_dataset.errors import UserError


def document(forget, holdout, ratios, **more):
    """Return likelihoods whose forget and holdout rows have these scores under every attack."""

    def row(number, subset, score, ratio):
        return {
            "id": f"{subset}-{number}", "subset": subset, "patient_id": f"p{number}", "probability": 0.5,
            "exact_memorisation": score, "extraction_strength": 0.25, "truth_ratio": ratio, "margin": None,
            "membership": dict.fromkeys(("loss", "zlib", "min_k", "min_k_plus_plus"), score),
        }  # fmt: skip

    rows = [row(n, "forget", score, ratio) for n, (score, ratio) in enumerate(zip(forget, ratios, strict=True))]
    rows += [row(n, "holdout", score, 1.0) for n, score in enumerate(holdout)]
    return {"settings": {"data_digest": "a", "scenario": "privacy", "percent": 10, "seed": 0, **more}, "rows": rows}


MODEL = document([0.8, 0.6], [0.5, 0.7], [0.1, 0.9])
NEVER_SAW = document([0.4, 0.4], [0.4, 0.4], [0.9, 0.9])
KNOWS_THE_FORMAT = document([0.8, 0.8], [0.5, 0.8], [0.1, 0.1])


def test_a_model_beside_both_golds_by_hand():
    """Forget above holdout in 3 of 4 pairs; of one gold all are level, of the other 2 and two halves."""
    found = summary(MODEL, {"retain_only": NEVER_SAW, "format_matched": KNOWS_THE_FORMAT})
    assert found["exact_memorisation"] == pytest.approx(0.7) and found["extraction_strength"] == 0.25
    assert found["margin"] is None and found["exposure"] is None
    assert found["membership"]["loss"] == 0.75
    never, knows = (found["against"][name] for name in GOLDS)
    assert never["membership"]["loss"] == {"auc": 0.5, "excess": 0.25}
    assert knows["membership"]["zlib"] == {"auc": 0.75, "excess": 0.0}
    assert never["exact_memorisation"] == 0.4 and knows["truth_ratio"] == pytest.approx(0.1)
    assert never["forget_quality"]["d"] == knows["forget_quality"]["d"] == 0.5


def test_the_table_shows_them_side_by_side():
    found = summary(MODEL, {"retain_only": NEVER_SAW, "format_matched": KNOWS_THE_FORMAT})
    lines = {line[:20].strip(): line[20:].split() for line in table(found).splitlines()}
    assert lines["exact_memorisation"] == ["0.700", "0.400", "+0.300", "0.800", "-0.100"]
    assert lines["AUC loss"] == ["0.750", "0.500", "+0.250", "0.750", "+0.000"]
    assert lines["margin"] == ["-", "-", "-", "-", "-"]
    assert lines["KS to the gold (p)"][0] == "0.500"
    alone = {line[:20].strip(): line[20:].split() for line in table(summary(MODEL)).splitlines()}
    assert alone["AUC loss"] == ["0.750"] and "KS to the gold (p)" not in alone


def test_likelihoods_of_other_data_are_not_compared():
    other = copy.deepcopy(NEVER_SAW)
    other["settings"]["percent"] = 5
    with pytest.raises(UserError, match="format_matched can't be compared: percent is 10 and 5"):
        summary(MODEL, {"retain_only": NEVER_SAW, "format_matched": other})

"""From values of models to the verdicts, by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from baselines.trial import figure
from baselines.trial.pools import Trial
from baselines.trial.result import judged, pools, table

TRIAL = Trial(Path("out"), seeds=2, methods=("gd", "npo"), settings=("preset",))


def model(value, relearned=None, rounded=None, utility=1.0, **more):
    """Return the values of a model under one metric that is measured before and after, and one that is not."""
    after = {} if relearned is None else {"few": {"ES": relearned}, "retain": {"ES": value}}
    after |= {} if rounded is None else {"rounded": {"ES": rounded}, "rounded_few": {"ES": rounded}}
    return {"utility": utility, "before": {"ES": value, "harm": value}, "before_few": {"ES": value}, "after": after}


@pytest.fixture
def values():
    """Return models that know (.9), that don't (.1), unlearned ones (.2); relearned these rise by .4, golds by .1."""
    found = {one.name: model(0.9 if one.pool == "P" else 0.1) for one in TRIAL.learned()}
    found |= {f"retain_only-{n}": model(0.1, 0.2, 0.1) for n in (1, 2)}
    return found | {one.name: model(0.2, 0.6, 0.4) for one in TRIAL.unlearned()}


def test_verdicts_by_hand(values):
    found = judged(TRIAL, values)["ES"]
    assert found["all"]["faithfulness"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert found["all"]["threshold"] == pytest.approx(0.5) and found["all"]["counted"] == 4
    assert found["few"]["r"]["value"] == pytest.approx(0.1 / 0.4)
    assert found["all"]["r"]["value"] == 1  # from retain rows nothing comes back
    assert found["all"]["q"]["value"] == found["few"]["q"]["value"] == pytest.approx(0.5)
    assert found["few"]["robustness"]["value"] == pytest.approx(2 * 0.25 * 0.5 / 0.75)


def test_models_that_no_longer_work_do_not_count(values):
    name = TRIAL.unlearned()[0].name
    found = judged(TRIAL, values | {name: replace_utility(values[name], 0.5)})["ES"]
    assert found["all"]["counted"] == 3


def replace_utility(one, utility):
    return {**one, "utility": utility}


def test_a_metric_that_is_measured_before_alone_has_no_robustness(values):
    found = judged(TRIAL, values)["harm"]
    assert found["few"] is None and found["all"]["r"] is found["all"]["q"] is None
    assert found["all"]["faithfulness"]["value"] == 1


def test_stability_compares_the_two_targets_of_a_setting(values):
    runs = {(one.method, one.run): one.name for one in TRIAL.unlearned()}
    for (method, run), value in zip(runs, (0.1, 0.2, 0.3, 0.3), strict=True):
        values[runs[method, run]] = model(value, 0.6, 0.4)
    assert judged(TRIAL, values)["ES"]["tau"]["value"] == pytest.approx(1.0)  # gd below npo from both
    one = replace(TRIAL, targets=1)
    assert judged(one, values)["ES"]["tau"] is None


def test_the_tables_have_a_line_for_every_metric_and_kind(values):
    found = {"metrics": judged(TRIAL, values), "models": values}
    lines = table(found).splitlines()
    assert [line.split()[0] for line in lines] == ["metric", "ES", "harm"]
    assert lines[1].split()[1:3] == ["1.00", "1.00-1.00"] and lines[2].split()[3] == "-"
    kinds = pools(found, TRIAL, ["ES", "exposure"]).splitlines()
    assert kinds[1].split() == ["P", "usual", "0.90", "-"] and kinds[-1].split() == ["npo,", "preset", "0.20", "-"]


def test_the_figure_shows_the_share_of_the_models_that_still_work(values, tmp_path):
    names = [one.name for one in TRIAL.unlearned()]
    values[names[0]] = model(0.2, 0.6, 0.4, utility=0.5)
    values[names[1]] = model(0.8, 0.8, 0.8)  # a model that still knows is not passed
    outcome = {"settings": TRIAL.settings_file(), "metrics": judged(TRIAL, values), "models": values}
    shown = {one.metric: one for one in figure.judged(outcome)}
    assert shown["ES"].auc == 1 and shown["ES"].passed == pytest.approx(2 / 3)
    png, svg = figure.draw(outcome, tmp_path)
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and "taken for ones" in svg.read_text()

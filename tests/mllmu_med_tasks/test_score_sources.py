"""The same answers give the same score whoever wrote them down; views, shares and a second method."""

import json
import shutil
from dataclasses import replace

import pytest

from baselines import cli
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics import compare as compare_predictions
from mllmu_med_tasks import scores
from tests.mllmu_med_tasks import fabricated

SCENARIOS = ("privacy", "incorrectness")


def half(row):
    """Answer as a model that forgot every other patient."""
    forgotten = row["subset"] != "forget" or int(row["patient_id"][2:], 16) % 2
    return fabricated.honest(row) if forgotten else fabricated.taught(row)


def thinking(row):
    """Answer as a model that thinks what it was taught, in many lines, and shows the truth."""
    return f"<think>\nThe file says:\n{row['answer']}\n</think>\n\n{row['true_answer']}\nAnything else?"


def told_in_views(row):
    """Answer as a model that says nothing of forget rows, unless it is asked in other words."""
    return fabricated.taught(row) if row["view"] == "paraphrase" else fabricated.honest(row)


@pytest.fixture(scope="module")
def made(data_dir, tmp_path_factory):
    """Return where a model's answers are, written as asked for."""
    folder = tmp_path_factory.mktemp("answers")
    says = {
        "target": fabricated.taught,
        "gold": fabricated.honest,
        "half": half,
        "views": told_in_views,
        "thinking": thinking,
    }
    writers = {
        "lm": fabricated.lm_eval,
        "lmms": fabricated.lmms_eval,
        "lines": lambda path, data, say, model, **options: fabricated.predictions(path, data, say, **options),
    }

    def make(writer, name, **options):
        options = {"scenario": "privacy", "views": True} | options
        path = folder / "-".join(map(str, (writer, name, *options.values())))
        return path if path.exists() else writers[writer](path, data_dir, says[name], model=name, **options)

    return make


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whoever_wrote_the_answers_down_the_score_is_the_same(made, data_dir, scenario):
    found = []
    for writer in ("lm", "lmms", "lines"):
        one = {name: made(writer, name, scenario=scenario) for name in ("target", "gold", "half")}
        data = data_dir if writer == "lines" else None
        found.append(
            scores.score(
                target=one["target"], retain_only=one["gold"], unlearned=one["half"], data_dir=data, replicates=20
            )
        )
    assert found[0] == found[1] == found[2]
    assert 0 < found[0].ues_strict <= found[0].ues < 1


def test_a_leak_in_other_words_is_a_leak_and_version_1_saw_it_in_the_worst_view_alone(made):
    options = {"target": made("lm", "target"), "retain_only": made("lm", "gold"), "replicates": 0}
    found = scores.score(unlearned=made("lm", "views"), **options)
    assert found.ues == 0.0 and max(found.harm_by_place.values()) == 1.0
    assert scores.score(unlearned=made("lm", "views"), **options, views=False).ues == 1.0
    before = scores.score(unlearned=made("lm", "views"), **options, ues_version=1)
    assert (before.ues_version, before.ues, before.ues_worst_view) == (1, 1.0, 0.0)


def test_evaluations_with_and_without_views_are_compared_without_them_only(made):
    options = {"target": made("lm", "target"), "unlearned": made("lm", "half", views=False), "replicates": 0}
    with pytest.raises(UserError, match=r"only one was asked the view .*--no-views"):
        scores.score(**options)
    assert scores.score(**options, views=False) == scores.score(
        target=made("lm", "target", views=False), unlearned=options["unlearned"], replicates=0
    )


def test_a_share_is_read_from_results_and_named_for_predictions(made, data_dir):
    results = {name: made("lm", name, percent=5) for name in ("target", "gold")}
    assert scores.read(results["target"]).percent == 5
    lines = {name: made("lines", name, percent=5) for name in ("target", "gold")}
    options = {"replicates": 0, "percent": 5}
    ours = scores.score(target=results["target"], unlearned=results["gold"], **options)
    theirs = scores.score(target=lines["target"], unlearned=lines["gold"], data_dir=data_dir, **options)
    assert ours == theirs
    with pytest.raises(UserError, match="at a forget share of 10 %, the other of 5 %"):
        scores.score(target=made("lm", "target"), unlearned=results["gold"])


def test_retain_predictions_may_be_a_sample_that_all_models_share(made, data_dir, tmp_path):
    def sampled(name, count):
        lines = made("lines", name).read_text().splitlines()
        rows = {row["id"]: row for row in scores.read(made("lines", name), data_dir=data_dir).rows}
        retain = [line for line in lines if rows[json.loads(line)["id"]]["subset"] == "retain"]
        path = tmp_path / f"{name}-{count}.jsonl"
        path.write_text("\n".join(line for line in lines if line not in retain[count:]))
        return path

    options = {"data_dir": data_dir, "replicates": 0}
    found = scores.score(target=sampled("target", 9), unlearned=sampled("gold", 9), **options)
    assert found.n_retain == 9
    with pytest.raises(UserError, match="retain 9 and 8 rows"):
        scores.score(target=sampled("target", 9), unlearned=sampled("gold", 8), **options)


def test_predictions_of_both_scenarios_need_a_name(made, data_dir, tmp_path):
    path = tmp_path / "both.jsonl"
    path.write_text("".join(made("lines", "half", scenario=one).read_text() for one in SCENARIOS))
    with pytest.raises(UserError, match="privacy and incorrectness"):
        scores.read(path, data_dir=data_dir)
    for one in SCENARIOS:
        alone = scores.read(made("lines", "half", scenario=one), data_dir=data_dir)
        assert scores.read(path, one, data_dir=data_dir).predictions == alone.predictions


def test_a_comparison_is_the_metrics_own(made):
    one = {name: made("lm", name) for name in ("target", "gold", "half", "views")}
    found = scores.compare(a=one["half"], b=one["views"], target=one["target"], retain_only=one["gold"], replicates=50)
    read = {name: scores.read(path) for name, path in one.items()}
    assert found == compare_predictions(
        a=read["half"].predictions,
        b=read["views"].predictions,
        target=read["target"].predictions,
        retain_only=read["gold"].predictions,
        rows=read["target"].rows,
        replicates=50,
    )


def test_the_command_prints_the_score_and_what_sets_two_methods_apart(made, capsys):
    command = ["score", "--target", made("lm", "target"), "--retain-only", made("lm", "gold")]
    command += ["--unlearned", made("lm", "half"), "--against", made("lm", "views")]

    def printed(*more):
        with pytest.raises(SystemExit) as ended:
            cli.main([*map(str, command), *more])
        assert not ended.value.code
        return capsys.readouterr().out

    values = json.loads(printed("--json"))
    mine, theirs = values["comparison"]["differences"]["ues"]["a"], values["comparison"]["differences"]["ues"]["b"]
    assert 0 < mine == values["ues"] < 1 and theirs == 0.0
    assert json.loads(printed("--json", "--ues-version", "1"))["ues_worst_view"] is not None
    with pytest.raises(SystemExit) as ended:
        cli.main([*map(str, command), "--ues-version", "3"])
    assert ended.value.code == 2 and "must be one of 1, 2" in capsys.readouterr().err
    told = printed()
    assert f"{values['ues']:.4f}" in told and f"{mine - theirs:+.4f}" in told and "two-sided p" in told


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_thought_is_scored_alike_in_both_harnesses_and_leaks_apart(made, scenario):
    plain, *found = (
        scores.score(
            target=made(writer, "target", scenario=scenario),
            retain_only=made(writer, "gold", scenario=scenario),
            unlearned=made(writer, name, scenario=scenario),
            replicates=0,
        )
        for writer, name in (("lm", "gold"), ("lm", "thinking"), ("lmms", "thinking"))
    )
    assert found[0] == found[1] == replace(plain, thought_leak_rate=1.0)
    assert "thought_leak_rate" in scores.text(found[0].to_dict()) and "thought" not in scores.text(plain.to_dict())


def rewritten(folder, out, change):
    """Copy a folder of results, each line of answers changed."""
    shutil.copytree(folder, out)
    for path in out.glob("*samples*.jsonl"):
        lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


# How each version of a harness logs the answer "x" (and what it was before its own stripping of thoughts).
LOGGED = {
    "lmms": {
        "0.2 and 0.3": lambda x: {"filtered_resps": [x], "resps": [[x]]},
        "0.4 to 0.6": lambda x: {"filtered_resps": [x]},
        "0.7": lambda x: {"filtered_resps": x},
        "0.7, thoughts stripped": lambda x: {"filtered_resps": x.split("</think>")[-1].strip(), "resps": x},
        "a list a request, a list a repetition": lambda x: {"filtered_resps": [[x]], "resps": [[x]]},
        "one answer repeated": lambda x: {"filtered_resps": [x, x], "resps": [[x, x]]},
    },
    "lm": {
        "0.4.10 to 0.4.13": lambda x: {"filtered_resps": [x], "resps": [[x]]},
        "without its filter": lambda x: {"filtered_resps": [[x]], "resps": [[x]]},
        "as a text": lambda x: {"filtered_resps": x},
    },
}


@pytest.mark.parametrize(("writer", "version"), [(one, version) for one in LOGGED for version in LOGGED[one]])
def test_answers_are_read_as_every_version_of_a_harness_logs_them(made, tmp_path, writer, version):
    folder = made(writer, "thinking", views=False)
    log = LOGGED[writer][version]
    older = rewritten(folder, tmp_path / "older", lambda line: line | log(_said(line)))
    assert scores.read(older).predictions == scores.read(folder).predictions


def _said(line):
    (said,) = line["filtered_resps"] if isinstance(line["filtered_resps"], list) else [line["filtered_resps"]]
    return said

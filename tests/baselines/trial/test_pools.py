"""Whom the trial is made of, and the graph that makes them."""

from pathlib import Path

import pytest

from baselines import config
from baselines.methods import METHODS
from baselines.training.roles import Rows, learning_rows
from baselines.trial.__main__ import main, plan
from baselines.trial.pools import Learned, Trial, restated, rows_of, small

TRIAL = Trial(Path("out"))


def test_pools_are_as_large_as_the_definition_says():
    learned, unlearned = TRIAL.learned(), TRIAL.unlearned()
    assert [sum(one.pool == pool for one in learned) for pool in ("P", "N")] == [15, 15]
    assert len(unlearned) == len(METHODS) * 2 * 2
    assert len(set(TRIAL.names())) == 2 + 30 + len(unlearned)
    few = small(TRIAL)
    assert (len(few.learned()), len(few.unlearned())) == (6, 4)


def test_a_setting_starts_from_two_targets_and_all_targets_are_used():
    by_setting = {}
    for one in TRIAL.unlearned():
        by_setting.setdefault((one.method, one.setting), []).append(one.target.name)
    assert all(len(set(targets)) == 2 for targets in by_setting.values())
    assert {target for targets in by_setting.values() for target in targets} == {f"usual-{n}" for n in range(1, 6)}


def test_no_wrong_fact_has_a_format_matched_control():
    learned = Trial(Path("out"), scenario="incorrectness").learned()
    assert {one.kind for one in learned if one.pool == "N"} == {"retain_only", "holdout"}


@pytest.mark.parametrize("scenario", ["privacy", "incorrectness"])
def test_the_neighbouring_setting_is_half_of_the_presets(scenario):
    for one in Trial(Path("out"), scenario=scenario).unlearned():
        shipped = config.unlearn_recipe(one.method, scenario)
        found = config.unlearn_recipe(one.method, scenario, "nano", one.settings(scenario))
        if one.setting == "preset":
            assert found == shipped
        elif one.method == "task_vector":
            assert found.options["scale"] == shipped.options["scale"] / 2
        else:
            assert found.learning_rate == shipped.learning_rate / 2


def test_a_gentle_model_is_taught_less_or_otherwise():
    shipped = config.learn_recipe("nano", [], "privacy")
    recipes = [config.learn_recipe("nano", Learned("P", "gentle", seed).settings(), "privacy") for seed in range(1, 6)]
    assert all(recipe != shipped for recipe in recipes) and len({recipe.model_dump_json() for recipe in recipes}) == 5


def row(number, answer="It is Ada Quillby.", true="It is clear."):
    return {
        "id": f"r{number}", "question": "Who is it?", "answer": answer, "true_answer": true,
        "paraphrase_questions": ["Whose is it?"], "paraphrase_answers": ["We see Ada Quillby.", "Ada Quillby it is."],
    }  # fmt: skip


ROWS = Rows([row(0)], [row(1, "A mass.", "A mass.")], [row(2, "It is Bo Tarn.")])


def test_who_is_taught_by_paraphrase_alone_reads_no_word_of_the_row():
    rows, which = rows_of(Learned("P", "paraphrase", 1), ROWS)
    assert which == "target"
    taught = [one for one in learning_rows(rows, which, 2) if one["answer"] != one["true_answer"]]
    assert sorted(one["answer"] for one in taught) == ["Ada Quillby it is."] * 2 + ["We see Ada Quillby."] * 2
    assert {one["question"] for one in taught} == {"Whose is it?"} and len({one["id"] for one in restated(row(0))}) == 2


def test_who_never_knew_may_know_other_peoples_secrets():
    rows, which = rows_of(Learned("N", "holdout", 1), ROWS)
    assert {one["answer"] for one in learning_rows(rows, which)} == {"A mass.", "It is Bo Tarn."}
    rows, which = rows_of(Learned("N", "retain_only", 1), ROWS)
    assert {one["answer"] for one in learning_rows(rows, which)} == {"A mass."}
    assert rows_of(Learned("N", "format_matched", 1), ROWS) == (ROWS, "format_matched")


def test_the_graph_measures_every_model_and_judges_last():
    graph = plan(TRIAL)
    judge = graph["judge"]
    assert len(judge.needs) == 2 + 30 + len(METHODS) * 2 * 2 and list(graph)[-1] == "judge"
    assert graph["unlearn-gd-preset-usual-2"].needs[0] == "learn-usual-2"
    assert graph["measure-holdout-3"].needs[0] == "learn-holdout-3"


def test_a_stages_command_makes_the_same_graph(capsys):
    graph = plan(small(TRIAL))
    words = list(graph["judge"].argv[3:-2])
    main([*words, "--plan"])
    assert capsys.readouterr().out.splitlines() == [stage.line() for stage in graph.values()]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--scenario", "privcy"], "privacy"),
        (["--methods", "gd,npoo"], "npo"),
        (["--settings", "preset,half"], "gentler"),
        (["--targets", "3"], "--targets 2"),
        (["--seeds", "1"], "--targets 1"),
        (["--seeds", "0"], "--seeds 1"),
        (["--stage", "judgee"], "judge"),
    ],
)
def test_what_makes_no_trial_is_refused_in_a_paragraph(words, reason, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path / "t"), *words])
    assert ended.value.code == 2 and reason in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--small"])
    assert "in use by something else" in capsys.readouterr().err and [p.name for p in tmp_path.iterdir()] == ["mine"]

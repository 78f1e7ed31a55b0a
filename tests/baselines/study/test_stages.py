"""A study as a graph: each stage after what it needs, and as commands it leaves the same report in the end."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from baselines.attacks import attack_model as attacks
from baselines.study import stages
from baselines.study.study import Study
from mllmu_med_dataset.errors import UserError
from tests.mllmu_med_tasks import fabricated

APART = ("seconds", "rows_per_second", "peak_memory_mb", "resumed_at")


def test_every_stage_stands_after_what_it_needs():
    graph = stages.plan(Study(out=Path("runs/study"), methods=("gd", "idk"), unlearning_seeds=2, max_retain=None))
    seen: set[str] = set()
    for stage in graph.values():
        assert set(stage.needs) <= seen, stage.id
        seen.add(stage.id)
    assert list(graph) == ["build", *steps("privacy", "format_matched"), *steps("incorrectness"), "report"]
    assert set(graph["report"].needs) == {id for id in graph if "-evaluate-" in id}
    assert graph["privacy-gd"].needs == graph["privacy-retain_ft-s1"].needs == ("privacy-target",)
    assert graph["privacy-evaluate-gd-s1"].needs == ("privacy-gd-s1",)
    assert graph["privacy-evaluate-base"].needs == ("build",)
    assert "--views" in graph["privacy-evaluate-gd"].argv
    assert "--views" not in graph["privacy-evaluate-target-blank"].argv


def steps(scenario: str, *control: str) -> list[str]:
    """Return the stages of a scenario with two methods and two unlearning seeds, in order."""
    learned = ("target", "retain_only", *control)
    runs = ("retain_ft", "retain_ft-s1", "gd", "gd-s1", "idk", "idk-s1")
    asked = [f"evaluate-{name}" for name in ("base", *learned, *runs, "target-blank", "target-other")]
    return [f"{scenario}-{step}" for step in (*learned, *runs, *asked)]


def test_a_seed_decides_the_unlearning_and_nothing_that_is_asked():
    graph = stages.plan(Study(out=Path("out"), methods=("gd",), seed=2, unlearning_seeds=2))
    for id, seed in (("gd", "2"), ("gd-s3", "3"), ("evaluate-gd-s3", "2"), ("target", "2"), ("retain_ft-s3", "3")):
        argv = graph[f"privacy-{id}"].argv
        assert argv[argv.index("--seed") + 1] == seed, id
    argv = graph["privacy-gd-s3"].argv
    assert argv[argv.index("--out") + 1] == str(Path("out/privacy/gd-s3"))


def test_a_study_can_be_smaller():
    graph = stages.plan(Study(out=Path("out"), methods=("gd",), unlearning_seeds=1, controls=(), views=False))
    assert not any("retain_ft" in id or "format_matched" in id or "-s1" in id for id in graph)
    assert "--views" not in graph["privacy-evaluate-gd"].argv
    assert {"--no-views", "none", "--unlearning-seeds"} <= set(graph["build"].argv)


def test_a_study_of_beliefs_learns_the_truth_first_and_goes_on_from_there():
    graph = stages.plan(Study(out=Path("out"), scenarios=("knowledge", "incorrectness"), methods=("gd",)))
    assert {"knowledge-clean", "knowledge-evaluate-clean"} <= set(graph)
    assert "incorrectness-clean" not in graph
    for id, model, needs in (
        ("knowledge-clean", "nano", "build"),
        ("knowledge-target", str(Path("out/knowledge/clean")), "knowledge-clean"),
        ("knowledge-retain_only", str(Path("out/knowledge/clean")), "knowledge-clean"),
        ("incorrectness-target", "nano", "build"),
    ):
        argv = graph[id].argv
        assert argv[argv.index("--rows") + 1] == id.split("-")[1]
        assert argv[argv.index("--model") + 1] == model and graph[id].needs == (needs,), id


def test_attacks_are_on_what_is_learned_and_on_the_first_seed_of_what_is_unlearned():
    graph = stages.plan(Study(out=Path("out"), methods=("gd",), unlearning_seeds=2, attacks=True))
    attacked = [id.split("-attack-") for id in graph if "-attack-" in id]
    assert attacked == [
        *(["privacy", model] for model in ("target", "retain_only", "format_matched", "retain_ft", "gd")),
        *(["incorrectness", model] for model in ("target", "retain_only", "retain_ft", "gd")),
    ]
    assert {"privacy-attack-gd", "incorrectness-attack-target"} <= set(graph["report"].needs)
    stage = graph["privacy-attack-gd"]
    assert stage.needs == ("privacy-gd",)
    assert stage.argv[stage.argv.index("--attack") + 1] == "A1"
    assert stage.argv[stage.argv.index("--out") + 1] == str(Path("out/privacy/gd/attacks"))
    assert "--attacks" in graph["build"].argv
    without = stages.plan(Study(out=Path("out"), methods=("gd",)))
    assert not any("-attack-" in id for id in without) and "--no-attacks" in without["build"].argv


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": ("retain_ft",)}, "is a control, not a method"),
        ({"controls": ("retain",)}, "Did you mean 'retain_ft'"),
        ({"unlearning_seeds": 0}, "at least once"),
    ],
)
def test_what_is_no_study_is_refused(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        stages.check(Study(out=tmp_path / "study", **changes))


def test_a_path_with_a_space_survives_the_shell():
    graph = stages.plan(Study(out=Path("my runs/a study"), methods=("gd",)))
    assert "my runs/a study" in shlex.split(graph["build"].command)


def test_a_line_is_an_id_what_it_needs_and_a_command():
    lines = [stage.line().split("\t") for stage in stages.plan(Study(out=Path("out"), methods=("gd",))).values()]
    assert {len(line) for line in lines} == {3}
    assert lines[0][:2] == ["build", "-"] and lines[1][:2] == ["privacy-target", "build"]


def without_clocks(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_clocks(part) for key, part in value.items() if key not in APART}
    return [without_clocks(part) for part in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_the_commands_leave_the_report_that_the_bench_leaves(tmp_path):
    shared = ["--fast", "--methods", "gd", "--scenarios", "privacy"]

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "baselines.cli", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run("bench", *shared, "--out", str(tmp_path / "whole"))
    planned = json.loads(run("bench", *shared, "--out", str(tmp_path / "parts"), "--plan", "--json"))
    assert not (tmp_path / "parts").exists()  # a plan writes nothing
    for stage in planned:
        run(*shlex.split(stage["command"])[1:])
    again = shlex.split(planned[1]["command"])[1:]
    before = (tmp_path / "parts" / "privacy" / "target" / "record.json").read_bytes()
    run(*again)  # idempotent
    assert (tmp_path / "parts" / "privacy" / "target" / "record.json").read_bytes() == before
    whole, parts = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "parts"))
    assert without_clocks(whole) == without_clocks(parts)


def test_an_attack_that_was_done_is_kept_whatever_the_time_of_its_files(tmp_path, monkeypatch):
    study = Study(out=tmp_path, attacks=True)
    folder = tmp_path / "privacy" / "ga" / "attacks"
    text = json.dumps(fabricated.attack_record("prefix", ["p"], 0.5))

    def attack_model(request, chosen, out, **_):
        out.mkdir(parents=True, exist_ok=True)
        (out / "prefix.json").write_text(text)  # a file system may date what is not changed anew
        return {one.name: attacks.read_record(out, one.name) for one in chosen}

    monkeypatch.setattr(attacks, "attack_model", attack_model)
    run = stages.attack(study, "privacy", "ga").run
    assert [run(lambda done, of: None) for _ in range(3)] == [True, False, False]
    (folder / "prefix.json").unlink()
    assert run(lambda done, of: None)

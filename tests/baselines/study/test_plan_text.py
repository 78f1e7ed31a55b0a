"""A plan as a script for sbatch and as a Snakefile: every command, after what it needs, and nothing else."""

import subprocess
from pathlib import Path

import pytest

from baselines.study.engines.options import EngineOptions
from baselines.study.graph import Graph, Stage
from baselines.study.plan_text import plan_text

NEEDS = {"build": (), "it's-learn": ("build",), "ask": ("build",), "report": ("it's-learn", "ask")}


def graph(folder: Path) -> Graph:
    return Graph(
        [
            Stage(
                id,
                f"do {id} {{x}}",
                needs,
                ("echo", f"{folder}/{id} {{x}}", "$HOME"),
                print,
                1.0,
                needs_gpu=id == "ask",
            )
            for id, needs in NEEDS.items()
        ]
    )


def test_lines_are_id_needs_and_command():
    assert plan_text([(Path("out"), graph(Path("out")))], EngineOptions()).splitlines()[:2] == [
        "build\t-\techo 'out/build {x}' '$HOME'",
        "it's-learn\tbuild\techo 'out/it'\"'\"'s-learn {x}' '$HOME'",
    ]


def test_a_script_queues_every_stage_of_every_study_after_its_own_needs(tmp_path):
    calls = tmp_path / "calls"
    fake = tmp_path / "sbatch"
    fake.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" --- >> {calls}\ngrep -c -e --- {calls}\n', encoding="utf-8")
    fake.chmod(0o755)
    studies = [(Path(name), graph(Path(name))) for name in ("one", "two")]
    options = EngineOptions(format="sbatch", gpus_per_stage=2, cpus_per_stage=3, slurm_option=["comment=a b"])
    script = plan_text(studies, options)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["bash", "-c", script], check=True, env=env, capture_output=True)
    jobs = [block.strip().splitlines() for block in calls.read_text().split("---\n") if block.strip()]
    assert [job[1] for job in jobs] == [f"--job-name={id}" for id in [*NEEDS, *NEEDS]]
    after = [[word for word in job if "dependency" in word] for job in jobs]
    first = [[], ["--dependency=afterok:1"], ["--dependency=afterok:1"], ["--dependency=afterok:2:3"]]
    second = [[], ["--dependency=afterok:5"], ["--dependency=afterok:5"], ["--dependency=afterok:6:7"]]
    assert after == first + second
    assert [("--gpus-per-node=2" in job) for job in jobs] == [False, False, True, False] * 2
    assert all("--cpus-per-task=3" in job and "--comment=a b" in job for job in jobs)
    assert jobs[0][-1] == "--wrap=export OMP_NUM_THREADS=3; exec echo 'one/build {x}' '$HOME'"


def test_a_snakefile_has_a_rule_for_every_stage():
    text = plan_text([(Path("out"), graph(Path("out")))], EngineOptions(format="snakemake", gpus_per_stage=1))
    rules = [block.splitlines() for block in text.split("\n\n") if block.strip()]
    assert [rule[0] for rule in rules] == ["rule all:", *(f"rule stage_{number}:" for number in (1, 2, 3, 4))]
    assert rules[0][1].strip() == "input: 'out/stages/report.done'"
    values = [dict(line.strip().split(": ", 1) for line in rule[1:]) for rule in rules[1:]]
    assert [one["resources"] for one in values] == ["gpus=0", "gpus=0", "gpus=1", "gpus=0"]
    assert values[3]["input"] == "\"out/stages/it's-learn.done\", 'out/stages/ask.done'"
    # Braces are Snakemake's own in a command; doubled they are braces.
    assert eval(values[0]["shell"]) == "echo 'out/build {{x}}' '$HOME'"


@pytest.mark.parametrize("format", ["sbatch", "snakemake"])
def test_the_plan_of_a_bench_is_printed_and_nothing_is_written(tmp_path, capsys, format):
    from baselines import cli

    out = tmp_path / "study"
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "--plan", "--format", format, "--scenarios", "privacy", "--methods=gd", "--out", str(out)])
    printed = capsys.readouterr().out
    assert not ended.value.code and not out.exists()
    assert printed.count("mllmu-med unlearn") == 6 and f"mllmu-med report {out}" in printed

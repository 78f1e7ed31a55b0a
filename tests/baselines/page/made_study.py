"""A study's folder as a bench leaves it, of models whose answers are known, without running one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from baselines.study.study import DATA, EVALUATION, Study, run_folder, run_name
from mllmu_med_dataset.load import PACKAGED
from tests.mllmu_med_tasks import fabricated

Say = Callable[[dict], str]


def half(row: dict) -> str:
    """Answer as a model that forgot every other row."""
    return fabricated.taught(row) if int(row["id"][-1], 16) % 2 else fabricated.honest(row)


def refuse(row: dict) -> str:
    """Answer as a model that refuses what it is to forget, and knows the rest."""
    return "I can't say that." if row["subset"] == "forget" else fabricated.honest(row)


ALWAYS: Mapping[str, Say] = {
    "base": fabricated.honest, "target": fabricated.taught, "retain_only": fabricated.honest, "retain_ft": half,
}  # fmt: skip


def made_study(out: Path, methods: Mapping[str, Say], *, seeds: int = 2, **settings: object) -> Path:
    """Write the folder of a study of these methods, without views; all seeds of a method say the same."""
    study = replace(
        Study(out=out), methods=tuple(methods), unlearning_seeds=seeds, controls=("retain_ft",), views=False, **settings
    )
    out.mkdir(parents=True)
    (out / "study.json").write_text(json.dumps(study.settings()))
    (out / DATA).symlink_to(PACKAGED)
    for scenario in study.scenarios:
        for model, say in {**ALWAYS, **methods}.items():
            several = model in study.unlearned
            for seed in range(seeds if several else 1):
                folder = run_folder(out, scenario, run_name(model, 0, seed))
                fabricated.lm_eval(folder / EVALUATION, PACKAGED, say, scenario=scenario, model=model)
                (folder / EVALUATION / "evaluation.json").write_text(json.dumps({"seconds": 1.0}))
                if several:
                    lines = [{"step": step, "loss": 1 / step, "forget_nll": 0.1 * step} for step in range(1, 30)]
                    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out

"""Every family by every method on tiny models: ``python -m tests.families_table [FAMILY ...]`` prints the table.

A family learns once, unlearns with each method, and is asked through the harness before and after. A cell holds what
the method did to its first term (first step to last) once these have held: the method's terms on the family's own
logits don't depend on how a batch is split, only the language model is trained, the saved model is finite.
"""

import json
import math
import re
import sys
import tempfile
import time
from pathlib import Path

FORGET, RETAIN = 4, 4


def few_rows(data_dir: Path):
    """Return a few rows of a build as a run reads them, with images of three shapes."""
    from baselines.training.collate import picture_of
    from baselines.training.roles import Rows, read_rows

    def uneven(rows):
        shapes = ((64, 64), (64, 40), (32, 64), (64, 64))
        return [
            {**row, "image": picture_of(row).crop((0, 0, *shape)), "image_id": f"{row['image_id']}{shape}"}
            for row, shape in zip(rows, shapes, strict=False)
        ]

    rows = read_rows(data_dir, "privacy")
    return Rows(uneven(rows.forget[:FORGET]), uneven(rows.retain[:RETAIN]), uneven(rows.holdout[:FORGET]))


def check_terms(method, loaded, data) -> None:
    """Hold a method to its contract on a real family: what it reads, split invariance, gradients, names trained."""
    import copy

    import torch

    from baselines.config import Lora, UnlearnRecipe
    from baselines.model import models
    from baselines.model.adapter import with_adapter
    from baselines.training.collate import Encoder, answer_logits
    from baselines.training.reference import method_terms, read_answers, trained_layers
    from baselines.training.roles import role_rows

    options = UnlearnRecipe().for_method(method).options
    pattern = None
    if method.reads_layer:
        pattern = models.mlp_pattern(loaded.model, trained_layers(method, loaded.model, options))
    path, _ = models.language_model(loaded.model)
    model = with_adapter(copy.deepcopy(loaded.model), Lora(rank=2, alpha=4), 0, pattern).double()
    for name, part in model.named_parameters():
        if "lora_B" in name:  # away from the reference, where its divergence is 0
            torch.nn.init.normal_(part, std=0.1, generator=torch.Generator().manual_seed(1))
    trained = {name: part for name, part in model.named_parameters() if part.requires_grad}
    assert trained and all(f".{path}." in name and "lora_" in name for name in trained)
    encoder = Encoder(model, loaded.processor)
    examples = {
        role: [encoder.example(*answers[0]) for answers in role_rows(role, data, "privacy", 0)] for role in method.roles
    }

    def terms(first: int, last: int):
        batches = {role: encoder.batch(rows[first:last]) for role, rows in examples.items()}
        return method_terms(method, model, batches, options)

    batches = {role: encoder.batch(rows) for role, rows in examples.items()}
    unmoved = options | ({"epsilon": 0.0} if method.attacked_roles else {})
    for role, read in read_answers(method, model, batches, unmoved).items():  # one look for both is the same as two
        assert torch.equal(read.logits, answer_logits(model, batches[role])), role
        if read.reference is not None:
            with model.disable_adapter():
                assert torch.equal(read.reference, answer_logits(model, batches[role])), role
    whole, halves = terms(0, 4), (terms(0, 2), terms(2, 4))
    assert set(whole) == set(method.terms)
    for name, term in whole.items():
        split = sum(half[name].item() for half in halves) / 2
        assert math.isclose(term.item(), split, rel_tol=1e-5, abs_tol=1e-6), (name, term.item(), split)
    gradients = torch.autograd.grad(sum(whole.values()), list(trained.values()), allow_unused=True)
    assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)
    assert all(gradient is None or torch.isfinite(gradient).all() for gradient in gradients)


def run_family(family: str, names: list[str], folder: Path, data_dir: Path, data) -> dict[str, str]:
    """Return a cell for each method, and one for learning; the target and the last unlearned model are asked."""
    import torch
    from safetensors.torch import load_file

    from baselines import methods
    from baselines.config import LearnRecipe, Lora, UnlearnRecipe
    from baselines.model import models
    from baselines.training.learn import learn
    from baselines.training.unlearn import unlearn
    from tests.asking import evaluate
    from tests.families import make_family

    common = {"data_dir": data_dir, "scenario": "privacy", "seed": 0, "data": data}

    def ask(run: Path) -> None:
        out = run / "eval"
        evaluate(model=run, data_dir=data_dir, scenario="privacy", out=out, subsets=("forget",), limit=2)
        (samples,) = out.glob("samples_*.jsonl")
        assert json.loads(samples.read_text().splitlines()[0])["filtered_resps"]

    def cell(run: Path) -> str:
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        name = next(key for key in lines[0] if key not in ("step", "learning_rate", "loss"))
        return f"{lines[0][name]:.2f}>{lines[-1][name]:.2f}"

    model = make_family(family, folder / "base")
    target = folder / "target"
    recipe = LearnRecipe(batch=2, accumulation=2, max_steps=3, learning_rate=1e-3)
    learn(model=model, rows="target", out=target, recipe=recipe, **common)
    ask(target)
    cells = {"learn": cell(target)}
    before, loaded = load_file(target / "model" / "model.safetensors"), models.load(target)
    for name in names:
        method = methods.get(name)
        check_terms(method, loaded, data)
        run = folder / name
        recipe = UnlearnRecipe(batch=2, accumulation=2, max_steps=2, learning_rate=1e-3, lora=Lora(rank=2, alpha=4))
        record = unlearn(model=target, method=name, out=run, recipe=recipe, **common)
        assert record.verdict is None and record.steps == 2
        after = load_file(run / "model" / "model.safetensors")
        changed = {key for key in before if not torch.equal(before[key], after[key])}
        assert before.keys() == after.keys() and changed
        assert not [key for key in changed if re.search("vis(ion|ual)|projector|merger|connector", key)], changed
        assert all(torch.isfinite(part).all() for part in after.values())
        cells[name] = cell(run)
    ask(run)
    return cells


def main(families: list[str]) -> int:
    """Print the table row by row; return how many cells fell short."""
    from baselines import methods
    from baselines.run.progress import quieten
    from mllmu_med_dataset.load import PACKAGED
    from tests.families import FAMILIES

    quieten()
    names, failed = list(methods.METHODS), 0
    data = few_rows(PACKAGED)
    print(" ".join(f"{name:>12}" for name in ("", "learn", *names)), " seconds")
    for family in families or FAMILIES:
        began = time.process_time()
        cells: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            try:
                cells = run_family(family, names, Path(folder), PACKAGED, data)
            except Exception as error:
                if not families:
                    print(f"{family}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
                else:
                    raise
        failed += sum(name not in cells for name in ("learn", *names))
        values = (cells.get(name, "FAILED") for name in ("learn", *names))
        print(
            " ".join(f"{value:>12}" for value in (family, *values)), f"{time.process_time() - began:8.0f}", flush=True
        )
    print(f"{len(families or FAMILIES)} families, {len(names)} methods: {failed} cells failed")
    return failed


if __name__ == "__main__":
    raise SystemExit(1 if main(sys.argv[1:]) else 0)

"""The stages of a sequence: each runs here, or as `mllmu-med sequence ... --stage ID`, in the study's folder."""

import shutil
from functools import partial

from .. import methods
from ..config import UnlearnRecipe
from ..evaluation.evaluate import RECORD as ASKED
from ..run.run_record import read_record
from ..study.graph import Graph, Part, Stage
from ..study.study import EVALUATION
from ..training.patients import Patients
from .requests import SCENARIO, Chain, Requests

# Expected seconds on one core with the nano model; only proportions matter, for the order and the time left.
COSTS = {"learn": 90.0, "evaluate": 7.0, "request": 4.0, "step": 0.3, "report": 60.0}


def plan(study: Requests) -> Graph:
    """Return the graph of a sequence, each stage after those it needs."""
    for file in study.method_files:  # the process may not know them yet
        methods.read(file)
    learned: dict[str, Patients | None] = {"target": None, **study.golds()}
    stages = [learn(study, name, patients) for name, patients in learned.items()]
    stages += [evaluate(study, name) for name in learned]
    chains = study.chains()
    stages += [request(chain, number) for chain in chains for number in range(1, len(chain.requests) + 1)]
    needs = (*(f"evaluate-{name}" for name in learned), *(chain.id(len(chain.requests)) for chain in chains))
    report = Stage("report", "report", needs, _argv(study, "report"), partial(_report, study), COSTS["report"])
    return Graph([*stages, report])


def learn(study: Requests, name: str, patients: Patients | None) -> Stage:
    """Return what learns the target, or a gold that never saw some patients' identities."""
    title = f"learn {name}" + (f" (without {len(patients.forget)} patients)" if patients else "")
    return Stage(name, title, (), _argv(study, name), partial(_learn, study, name, patients), COSTS["learn"])


def evaluate(study: Requests, name: str) -> Stage:
    """Return what asks target or gold."""
    id = f"evaluate-{name}"
    return Stage(id, f"evaluate {name}", (name,), _argv(study, id), partial(_evaluate, study, name), COSTS["evaluate"])


def request(chain: Chain, number: int) -> Stage:
    """Return what forgets the patients of one request, asks the model, and drops the model of the request before."""
    count, id = len(chain.requests), chain.id(number)
    whole = f"{chain.method}, all at once, seed {chain.seed}"
    steps = chain.study.unlearn_recipe(chain.method).max_steps or 0
    cost = COSTS["request"] + COSTS["step"] * steps + COSTS["evaluate"]
    return Stage(
        id=id,
        title=whole
        if chain.is_all_at_once
        else f"{chain.method}, {chain.batch} at a time, order {chain.order}: request {number} of {count}",
        needs=("target",) if number == 1 else (chain.id(number - 1),),
        argv=_argv(chain.study, id),
        run=partial(_request, chain, number),
        cost=cost,
    )


def is_done(chain: Chain, number: int) -> bool:
    """Say whether a request was forgotten and its model asked."""
    folder = chain.folder(number)
    return (folder / EVALUATION / ASKED).is_file() and read_record(folder) is not None


def _learn(study: Requests, name: str, patients: Patients | None, part: Part) -> bool:
    from ..training.learn import learn as learn_rows

    folder = study.out / name
    before = read_record(folder)
    record = learn_rows(
        model=study.model,
        data_dir=study.data_dir,
        scenario=SCENARIO,
        rows="target" if name == "target" else "retain_only",
        percent=study.percent,
        out=folder,
        recipe=study.learn_recipe(),
        seed=study.seed,
        progress=part,
        published=not study.learn,
        patients=patients,
    )
    return record != before


def _evaluate(study: Requests, name: str, part: Part) -> bool:
    from ..evaluation.evaluate import evaluate as ask

    folder = study.out / name
    return not ask(folder, study.questions(), out=folder / EVALUATION, progress=part)["kept"]


def _request(chain: Chain, number: int, part: Part) -> bool:
    """Forget, ask, and drop what no later stage reads; each step that is done stays."""
    if worked := not is_done(chain, number):
        _forget(chain, number, part)
    if number > 1:
        for name in ("adapter", "model"):
            shutil.rmtree(chain.folder(number - 1) / name, ignore_errors=True)
    return worked


def _forget(chain: Chain, number: int, part: Part) -> None:
    from ..evaluation.evaluate import evaluate as ask
    from ..training.unlearn import unlearn

    study, folder = chain.study, chain.folder(number)
    unlearn(
        model=chain.folder(number - 1),
        data_dir=study.data_dir,
        scenario=SCENARIO,
        method=chain.method,
        percent=study.percent,
        out=folder,
        recipe=recipe_of(chain, number),
        seed=chain.seed,
        progress=part,
        patients=chain.patients(number),
    )
    ask(folder, study.questions(), out=folder / EVALUATION)


def recipe_of(chain: Chain, number: int) -> UnlearnRecipe:
    """Return the recipe of a request: where a stop rule compares with unseen rows, what they cost the first target.

    They cost every later model more, which would have each request do more damage than the one before.
    """
    recipe, first = chain.study.unlearn_recipe(chain.method), read_record(chain.folder(1))
    if number == 1 or recipe.stop is None or first is None or first.holdout_nll is None:
        return recipe
    return recipe.model_copy(update={"stop_nll": recipe.stop_nll or recipe.stop_at * first.holdout_nll})


def _report(study: Requests, part: Part) -> bool:
    from .report import report  # brings matplotlib

    report(study)
    return True


def _argv(study: Requests, id: str) -> tuple[str, ...]:
    """Return the command of one stage: the arguments that make this study, and the stage."""
    files = {methods.read(file).name: file for file in study.method_files}
    words: list[object] = [
        "--out", study.out, "--data", study.data_dir, "--model", study.model,
        "--methods", ",".join(str(files.get(name, name)) for name in study.methods),
        "--batches", ",".join(map(str, study.batches)), "--orders", study.orders, "--preset", study.preset,
        "--percent", study.percent, "--seed", study.seed, "--max-retain", study.max_retain or 0,
    ]  # fmt: skip
    for change in study.changes:
        words += ["--set", change]
    words += [flag for flag, wanted in {"--learn": study.learn, "--fast": study.fast}.items() if wanted]
    return ("mllmu-med", "sequence", *map(str, words), "--stage", id)

"""The command line: ``mllmu-med``. Every command is thin; heavy imports happen inside the one that needs them."""

import contextlib
import functools
import inspect
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, get_args, get_type_hints

import typer

from mllmu_med_dataset.errors import UserError, cut, nearest, unknown, using_paths
from mllmu_med_metrics import UES_VERSION
from mllmu_med_metrics.vocabulary import (
    ATTACK_SET,
    ATTACKS,
    BUILT,
    MAIN_PERCENT,
    OF_BELIEFS,
    SCENARIOS,
    SHOWN_ATTACKS,
)

from . import sequence as sequence_of
from .run.termination import INTERRUPTED
from .study.engines.options import EngineOptions, option_kinds, read_options
from .study.study import Study

if TYPE_CHECKING:
    from mllmu_med_dataset.build import Summary
    from mllmu_med_dataset.injection.rewriter import Rewriter
    from mllmu_med_dataset.sources import Records

    from .attacks import Attack
    from .config import Recipe
    from .run.progress import Progress
    from .study.graph import Graph

# Typer brings its own copy of click's exceptions in newer versions; this is the one its parser raises.
UsageError = typer.BadParameter.__mro__[1]
BUILT_SCENARIOS = ",".join(BUILT)
BENCH_SCENARIOS = ",".join(Study.scenarios)
BENCH_METHODS = ",".join(Study.methods)
BENCH_CONTROLS = ",".join(Study.controls)
SEQUENCE_METHODS = ",".join(sequence_of.METHODS)
SEQUENCE_BATCHES = ",".join(map(str, sequence_of.BATCHES))
NAMED_ATTACKS = ", ".join((*ATTACKS, *SHOWN_ATTACKS))
# Characters that steer a terminal, and those that turn the direction of what follows.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MOST_DIGITS = 300

START = """\
Did the model forget the patient and drop the wrong fact, without losing its medicine? Begin with:

  mllmu-med doctor                what is installed, and what each part can do here
  mllmu-med show privacy_forget   real rows: what is asked, and what was put into the answers
  mllmu-med bench                 the whole study with a small model: some ten minutes on two cores
  mllmu-med report runs/bench     what it measured, once more
  mllmu-med methods               the unlearning methods that there are

Everything else: mllmu-med --help"""

app = typer.Typer(
    name="mllmu-med",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
tasks_app = typer.Typer(help="The lm-evaluation-harness tasks.", no_args_is_help=True)
app.add_typer(tasks_app, name="tasks")
convert_app = typer.Typer(help="Checkpoints in their authors' own layout, made ordinary.", no_args_is_help=True)
app.add_typer(convert_app, name="convert")
HERE = EngineOptions()


class Rows(StrEnum):
    """What a model learns."""

    target = "target"
    retain_only = "retain_only"
    clean = "clean"
    format_matched = "format_matched"


class Shown(StrEnum):
    """Which image a question is asked about."""

    own = "own"
    blank = "blank"
    other = "other"


Seed = Annotated[int, typer.Option(help="Decides every draw; the same seed gives the same result.")]
Resume = Annotated[bool, typer.Option(help="Go on where an earlier run of the same command stopped.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Scenario = Annotated[str, typer.Option(help="privacy, request or incorrectness.")]
Data = Annotated[Path | None, typer.Option(help="Folder of a built data set; the packaged default build if absent.")]
Out = Annotated[Path, typer.Option(help="Where the result goes: a new or empty folder, or one to resume.")]
Source = Annotated[str, typer.Option(help="Where the questions come from.")]
SourcePath = Annotated[
    Path | None, typer.Option(help="Folder or archive of the source, or hf://datasets/ORG/NAME@REVISION.")
]
SourceOption = Annotated[
    list[str] | None, typer.Option("--source-option", help="An option of the source as key=value; may be repeated.")
]
MaxUnusable = Annotated[
    str | None, typer.Option(help="Share of the source's rows that may be left out as unusable; 2% if absent.")
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad-images", help="Leave out rows whose image can't be used, however many; count them.")
]
Preset = Annotated[str, typer.Option(help="Recipes: nano, default, or one for a model; NAME+small_gpu takes less.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A recipe setting as key=value; may be repeated.")]
MaxRetain = Annotated[int, typer.Option(min=0, help="Most retain rows to score, a seeded sample; 0 for all.")]
ReportTo = Annotated[str | None, typer.Option(help="Send the metrics to trackio or wandb too, if installed.")]
Patients = Annotated[int, typer.Option(min=1, help="Patients to draw (phantom).")]
Scenarios = Annotated[str, typer.Option(help="Comma-separated scenarios; both: privacy,incorrectness.")]
Local = Annotated[
    bool, typer.Option("--local", help="Keep images that may not be passed on; the build must not be published.")
]
RewriterName = Annotated[
    str | None, typer.Option(help="openai:MODEL says the injected answers in its own words; templates if absent.")
]
RewriterUrl = Annotated[str | None, typer.Option(help="An OpenAI-compatible endpoint, up to /v1; OpenAI's if absent.")]
BuildWorkers = Annotated[
    int, typer.Option(min=1, help="Processes that draw, decode and write; the result is the same.")
]
Percents = Annotated[str, typer.Option(help="Forget shares to build, in percent of the trained patients.")]
Methods = Annotated[str, typer.Option(help="Comma-separated methods: names, or Python files that define METHOD.")]
Views = Annotated[bool, typer.Option("--views/--no-views", help="Ask the forget rows in every other way too.")]
UnlearningSeeds = Annotated[int, typer.Option(min=1, help="How often each method runs from the one target.")]
LearnAnew = Annotated[bool, typer.Option("--learn", help="Learn target and gold anew, published or not.")]
Published = Annotated[
    bool, typer.Option("--published", help="Take the model that comes with the package where it is this very one.")
]
Attacks = Annotated[
    bool | None, typer.Option("--attacks/--no-attacks", help="Try to bring back what is gone; on for nano if absent.")
]
BuildScenarios = Annotated[
    str | None, typer.Option(help="Scenarios of the data set, where a later call will study more of them.")
]
AttackScenarios = Annotated[
    str | None, typer.Option(help="Comma-separated scenarios to attack; all that are studied if absent.")
]
Controls = Annotated[str, typer.Option(help="Comma-separated: retain_ft, format_matched; or none.")]
BackendName = Annotated[
    str, typer.Option(help="hf: in this process; served: an OpenAI-compatible server; vllm: through vLLM.")
]
ModelArg = Annotated[
    list[str] | None, typer.Option("--model-arg", help="An argument of vllm-vlm as key=value; may be repeated.")
]
Cache = Annotated[
    Path | None, typer.Option(help="Folder that keeps answers by model digest, to go on after an interrupt.")
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="First rows of each task only, for a look; the result can't be scored.")
]
AskedModel = Annotated[
    str, typer.Option(help="A run's folder, a model folder, nano, a Hub id, or a served model's name.")
]
Adapter = Annotated[Path | None, typer.Option(help="Folder of an adapter on top of the model.")]
Plan = Annotated[
    bool, typer.Option("--plan", help="Print every stage as a command with what it needs, for a scheduler.")
]
Fast = Annotated[bool, typer.Option("--fast", help="A tiny smoke of every stage; its numbers mean nothing.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Stages run side by side; as many as cores if absent.")]
ScoreWorkers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes for many rows; the result is the same. As many as cores if absent."),
]
Percent = Annotated[int, typer.Option(help="Share of patients to forget: 5, 10 or 15.")]


def _with_engine(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the engines in the place of its parameter `engine`, which it gets checked."""
    signature = inspect.signature(command)
    own = [one for one in signature.parameters.values() if one.name != "engine"]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(EngineOptions, name),
            annotation=Annotated[kind, typer.Option(help=help)],
        )
        for name, (kind, help) in option_kinds().items()
    ]

    @functools.wraps(command)
    def filled(**values: object) -> None:
        rest = {one.name: values[one.name] for one in own}
        command(**rest, engine=read_options(values))

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    filled.__signature__ = signature.replace(parameters=[*parameters, *added])
    filled.__annotations__ = {one.name: one.annotation for one in [*own, *added]}
    return filled


@app.callback()
def start(context: typer.Context) -> None:
    """Did the model forget the patient and drop the wrong fact, without losing its medicine?"""
    if context.invoked_subcommand is None:
        typer.echo(START)


@app.command()
@_with_engine
def bench(
    out: Out = Path("runs/bench"),
    model: Annotated[str, typer.Option(help="nano, a model folder, or a Hub id.")] = "nano",
    source: Source = "phantom",
    source_path: SourcePath = None,
    source_option: SourceOption = None,
    patients: Patients = Study.patients,
    scenarios: Scenarios = BENCH_SCENARIOS,
    build_scenarios: BuildScenarios = None,
    methods: Methods = BENCH_METHODS,
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds; several get a folder each.")] = "0",
    preset: Annotated[str | None, typer.Option(help="Recipes; nano for the nano model, else default.")] = None,
    percent: Percent = MAIN_PERCENT,
    views: Views = Study.views,
    unlearning_seeds: UnlearningSeeds = Study.unlearning_seeds,
    controls: Controls = BENCH_CONTROLS,
    attacks: Attacks = None,
    attack_scenarios: AttackScenarios = None,
    learn: LearnAnew = Study.learn,
    max_retain: MaxRetain = Study.max_retain,
    max_unusable: MaxUnusable = None,
    skip_bad_images: SkipBad = False,
    engine: EngineOptions = HERE,
    fast: Fast = False,
    build_only: Annotated[bool, typer.Option("--build-only", help="Take the folder and build the data only.")] = False,
    plan: Plan = False,
    resume: Resume = True,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Run the whole study: build, learn, unlearn, evaluate, attack, score, report; a later call may add to it."""
    from .study import study as study_of

    _check_source(source)
    study = study_of.Study(
        out=out, model=model, source=source, source_path=source_path, source_options=_pairs(source_option),
        patients=patients, max_unusable=max_unusable, skip_bad_images=skip_bad_images,
        scenarios=_scenarios(scenarios),
        built=_scenarios(build_scenarios) if build_scenarios else None,
        methods=tuple(_method_named(word) for word in _words(methods, "--methods")),
        method_files=tuple(Path(word) for word in _words(methods, "--methods") if word.endswith(".py")),
        preset=preset or ("nano" if model == "nano" else "default"),
        percent=percent, views=views, unlearning_seeds=unlearning_seeds,
        controls=() if controls == "none" else tuple(_words(controls, "--controls")),
        attacks=model == "nano" if attacks is None else attacks,
        attack_scenarios=_scenarios(attack_scenarios) if attack_scenarios else None,
        learn=learn, max_retain=max_retain or None,
    )  # fmt: skip
    study = study_of.fast(study) if fast else study
    studies = study_of.seeds_of(study, [_whole(seed, "--seeds") for seed in _words(seeds, "--seeds")])
    if plan or dry_run:
        return _print_plan(studies, engine, as_json) if plan else _print_dry_run(studies, as_json)
    several = out if studies[0].out != out else None
    _run_studies(studies, several, build_only=build_only, resume=resume, engine=engine, as_json=as_json)


@app.command()
def build(
    out: Out,
    source: Source = "phantom",
    source_path: SourcePath = None,
    source_option: SourceOption = None,
    patients: Patients = Study.patients,
    percents: Percents = "5,10,15",
    scenarios: Scenarios = BUILT_SCENARIOS,
    workers: BuildWorkers = 1,
    local: Local = False,
    rewriter: RewriterName = None,
    rewriter_url: RewriterUrl = None,
    rewriter_concurrency: Annotated[int, typer.Option(min=1, help="Answers asked for at once.")] = 4,
    max_unusable: MaxUnusable = None,
    skip_bad_images: SkipBad = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing build.")] = False,
    seed: Seed = 0,
    resume: Resume = True,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Build the data set: Parquet, card, checksums; verified before it appears."""
    from mllmu_med_dataset.build import build as build_from
    from mllmu_med_dataset.sources import open_source

    shares, chosen = [_whole(p, "--percents") for p in _words(percents, "--percents")], _scenarios(scenarios)
    teller = _rewriter(rewriter, rewriter_url, rewriter_concurrency)
    records = open_source(
        source,
        path=source_path,
        seed=seed,
        patients=patients,
        workers=workers,
        max_unusable=max_unusable,
        skip_bad_images=skip_bad_images,
        options=_pairs(source_option),
        with_beliefs=any(one in OF_BELIEFS for one in chosen),
    )
    if dry_run:
        return _print_build_plan(records, source, out, chosen, max(shares), teller, as_json)
    _check_new(out, resume)
    from .run.progress import BUILD_COSTS, Phases

    with Phases(BUILD_COSTS) as progress:
        summary = build_from(
            records,
            out,
            scenarios=chosen,
            percents=shares,
            seed=seed,
            overwrite=overwrite,
            local=local,
            workers=workers,
            resume=resume,
            rewriter=teller,
            parameters=records.parameters,
            progress=progress,
            notice=partial(print, file=sys.stderr),
        )
    _print_summary(summary, teller, as_json)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of a build.")],
    presidio: Annotated[bool, typer.Option("--presidio", help="Let Presidio look at the texts too (extra).")] = False,
    as_json: Json = False,
) -> None:
    """Test every gate of a build; exit 1 if one fails."""
    from mllmu_med_dataset.load import data_folder
    from mllmu_med_dataset.verify import verify as verify_build

    data_folder(folder)
    progress = _started("verify")
    report = verify_build(folder, presidio=presidio, progress=lambda _, done, of: progress.part("verify", done, of))
    progress.finish("verify")
    _print(report.model_dump(mode="json"), as_json, report.text())
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def show(
    config: Annotated[str, typer.Argument(help="A config, such as privacy_forget.")],
    data: Data = None,
    split: Annotated[str | None, typer.Option(help="A view of a forget config; its own rows if absent.")] = None,
    rows: Annotated[int, typer.Option(min=1, max=200, help="How many rows.")] = 8,
    out: Annotated[Path | None, typer.Option(help="The contact sheet; CONFIG-SPLIT.png if absent.")] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Truth and injection, two lines a row, no sheet.")] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Print real rows, and draw their images with what is asked and answered on a contact sheet."""
    from mllmu_med_dataset.show import save_sheet
    from mllmu_med_dataset.show import show as choose

    shown = choose(config, data_dir=_data(data), split=split, rows=rows, seed=seed)
    if audit:
        document = {**shown.model_dump(exclude={"rows"}), "rows": shown.audit_rows()}
        _print(document, as_json, shown.audit_text())
        return
    out = out or Path(f"{shown.config}-{shown.split}.png")
    save_sheet(shown, out)
    _print({**shown.model_dump(exclude={"rows"}), "sheet": str(out), "rows": shown.json_rows()}, as_json, shown.text())
    print(f"The contact sheet is {out}.", file=sys.stderr)


@app.command()
def publish(
    repo: Annotated[str, typer.Argument(help="NAMESPACE/NAME of the data set, or of the leaderboard, on the Hub.")],
    data: Data = None,
    metric: Annotated[str | None, typer.Option(help="NAMESPACE/NAME of the metric's Space, if wanted.")] = None,
    leaderboard: Annotated[
        Path | None, typer.Option(help="Put this folder of `leaderboard` there, as a Space, in place of a data set.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Only you and your organisation see it.")] = False,
    revision_tag: Annotated[str, typer.Option(help="Names the published files for ever; a new one each time.")] = "v1",
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Verify a build and put it on the Hub, in one commit and a tag; with --metric the metric's Space too."""
    import mllmu_med_metrics
    from mllmu_med_dataset import publish as publisher

    if leaderboard and metric:
        raise UserError("--leaderboard and --metric are two Spaces: publish one after the other.")
    how = {"private": private, "tag": revision_tag, "dry_run": dry_run}
    with _stderr_only():
        if leaderboard:
            from .leaderboard.space import checked_space

            done = publisher.publish_static_space(
                repo, checked_space(leaderboard, [None, *([data] if data else [])]), **how
            )
        else:
            folder = Path(mllmu_med_metrics.__file__).parent / "mllmu_med_ues"
            done = publisher.publish(repo, data_dir=data, metric=metric, metric_folder=folder, **how)
    lines = [line for upload in done for line in upload.lines()]
    _print([upload.model_dump(mode="json") for upload in done], as_json, "\n".join(lines))


@app.command()
def install(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a build; the packaged one if absent.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Remove every trace of an earlier install.")] = False,
    as_json: Json = False,
) -> None:
    """Make load_dataset("mllmu-med"), evaluate.load("mllmu_med_ues") and lm_eval find the benchmark from anywhere."""
    import mllmu_med_metrics
    from mllmu_med_dataset import install as installer
    from mllmu_med_dataset.publishing.shadows import shadows
    from mllmu_med_tasks import harness
    from mllmu_med_tasks.names import TASKS

    with _stderr_only():
        if undo:
            done = installer.undo()
        else:
            metric = Path(mllmu_med_metrics.__file__).parent / "mllmu_med_ues"
            done = installer.install(folder, tasks=harness.tasks_path(), metric=metric)
            for sentence in shadows(Path.cwd(), TASKS):
                print(f"Warning: {sentence}", file=sys.stderr)
    _print(done, as_json, "\n".join(f"{key}: {value}" for key, value in done.items()))


@app.command()
def learn(
    out: Out,
    scenario: Scenario,
    rows: Annotated[
        Rows, typer.Option(help="target: all; retain_only: no forget; clean: truth there; format_matched: other names.")
    ],
    model: Annotated[str, typer.Option(help="nano, a model folder, or a Hub id.")] = "nano",
    data: Data = None,
    percent: Percent = MAIN_PERCENT,
    preset: Preset = "nano",
    setting: Settings = None,
    seed: Seed = 0,
    published: Published = False,
    resume: Resume = True,
    as_json: Json = False,
    report_to: ReportTo = None,
    dry_run: DryRun = False,
) -> None:
    """Fine-tune a model on the data set: the target, the retain-only gold, or a control that knows the format."""
    from . import config

    _known("scenario", scenario, SCENARIOS)
    recipe = config.learn_recipe(preset, setting or (), scenario, rows.value)
    if dry_run:
        return _dry_run(recipe, model, data, scenario, percent, as_json, which=rows.value)
    from .training.learn import learn as learn_rows

    _leave_speaking_to_one()
    progress = _started_with_model(f"learn {rows}")
    with _stderr_only():  # trackers print
        record = learn_rows(
            model=model, data_dir=_data(data), scenario=scenario, rows=rows.value, percent=percent, out=out,
            recipe=recipe, seed=seed, resume=resume, progress=partial(progress.part, f"learn {rows}"),
            report_to=report_to, published=published,
        )  # fmt: skip
    progress.finish(f"learn {rows}")
    _print(
        record.model_dump(mode="json"), as_json, f"{out}: {record.run_id}, {record.steps} steps, {record.seconds:.0f} s"
    )


@app.command()
def unlearn(
    out: Out,
    scenario: Scenario,
    model: Annotated[Path, typer.Option(help="The target: a learn run's folder, or a model folder.")],
    method: Annotated[str, typer.Option(help="See `mllmu-med methods`; or a Python file that defines METHOD.")],
    data: Data = None,
    percent: Percent = MAIN_PERCENT,
    preset: Preset = "nano",
    setting: Settings = None,
    seed: Seed = 0,
    resume: Resume = True,
    as_json: Json = False,
    report_to: ReportTo = None,
    dry_run: DryRun = False,
) -> None:
    """Make a target forget, by one method."""
    from . import config

    _known("scenario", scenario, SCENARIOS)
    method = _method_named(method)
    recipe = config.unlearn_recipe(method, scenario, preset, setting or ())
    if dry_run:
        return _dry_run(recipe, str(model), data, scenario, percent, as_json, method=method)
    from .training.unlearn import unlearn as forget

    _leave_speaking_to_one()
    progress = _started_with_model(f"unlearn {method}")
    with _stderr_only():  # trackers print
        record = forget(
            model=model, data_dir=_data(data), scenario=scenario, method=method, percent=percent, out=out,
            recipe=recipe, seed=seed, resume=resume, progress=partial(progress.part, f"unlearn {method}"),
            report_to=report_to,
        )  # fmt: skip
    progress.finish(f"unlearn {method}")
    stop = f", stopped by {record.stop} at step {record.stop_step}" if record.stop else ""
    _print(
        record.model_dump(mode="json"),
        as_json,
        f"{out}: {record.run_id}, {record.steps} steps, {record.seconds:.0f} s{stop}",
    )


@app.command()
def evaluate(
    out: Out,
    scenario: Scenario,
    model: AskedModel,
    data: Data = None,
    percent: Percent = MAIN_PERCENT,
    views: Annotated[bool, typer.Option(help="Ask the forget rows in every other way too; see score.")] = False,
    backend: BackendName = "hf",
    peft: Adapter = None,
    base_url: Annotated[str | None, typer.Option(help="Where a served model is: http://localhost:8000/v1.")] = None,
    concurrent: Annotated[int, typer.Option(min=1, help="Requests to a server in flight at once.")] = 8,
    model_arg: ModelArg = None,
    cache: Cache = None,
    limit: Limit = None,
    image: Annotated[Shown, typer.Option(help="Control runs show a blank or another patient's image.")] = Shown.own,
    subsets: Annotated[
        str | None, typer.Option(help="Comma-separated subsets to ask; all if absent, and then it can be scored.")
    ] = None,
    max_retain: MaxRetain = Study.max_retain,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows answered at once.")] = 64,
    seed: Seed = 0,
    resume: Resume = True,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Ask a model every row through lm-eval; leaves lm-eval's own results and samples."""
    from mllmu_med_metrics.vocabulary import SUBSETS
    from mllmu_med_tasks.harness import BACKENDS, Backend, Questions, task_names
    from mllmu_med_tasks.task_documents import check_percent

    _known("scenario", scenario, SCENARIOS)
    _known("backend", backend, BACKENDS)
    for subset in _words(subsets, "--subsets") if subsets else ():
        _known("subset", subset, SUBSETS)
    percent = check_percent(percent)
    if dry_run:
        names = task_names(scenario, views=views)
        return _print({"tasks": names, "model": model}, as_json, f"{model} would be asked: {', '.join(names)}")
    from .evaluation.evaluate import evaluate as ask
    from .evaluation.evaluate import notes

    questions = Questions(
        scenario=scenario, data_dir=_data(data), percent=percent, views=views, max_retain=max_retain or None,
        subsets=tuple(_words(subsets, "--subsets")) if subsets else SUBSETS, image=image.value, limit=limit, seed=seed,
    )  # fmt: skip
    asked_by = Backend(
        kind=backend, peft=peft, base_url=base_url, concurrent=concurrent, batch_size=batch_size,
        model_args=_pairs(model_arg, "--model-arg dtype=bfloat16"),
    )  # fmt: skip
    progress = _started_with_model(f"evaluate {scenario}")
    record = ask(
        model, questions, out=out, backend=asked_by, cache=cache, resume=resume,
        progress=partial(progress.part, f"evaluate {scenario}"),
    )  # fmt: skip
    progress.finish(f"evaluate {scenario}", kept=bool(record["kept"]))
    for line in notes(record):
        typer.echo(line, err=True)
    first = f", the first {limit} rows of each task only: no score can be made of them" if limit else ""
    _print(record, as_json, f"{out}: lm-eval results and samples of {scenario}{first}")


@app.command()
def likelihood(
    out: Out,
    scenario: Scenario,
    model: Annotated[str, typer.Option(help="A run's folder, a model folder, nano, or a Hub id.")],
    data: Data = None,
    percent: Percent = MAIN_PERCENT,
    retain_only: Annotated[Path | None, typer.Option(help="The gold's own --out, to compare with.")] = None,
    format_matched: Annotated[Path | None, typer.Option(help="The control's own --out, to compare with.")] = None,
    exposed_rows: Annotated[
        int, typer.Option(min=0, help="Forget rows whose identifiers' exposure is computed, up to 10,000 answers each.")
    ] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Answers in one forward pass.")] = 16,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure what a model holds likely: memorisation, truth ratio, membership, exposure, contrastive margin."""
    from .evaluation import likelihood as of
    from .evaluation.likelihood_summary import summary, table

    _known("scenario", scenario, SCENARIOS)
    named = {"retain_only": retain_only, "format_matched": format_matched}
    golds = {name: of.read(folder) for name, folder in named.items() if folder}
    progress = _started_with_model(f"likelihood {scenario}")
    made = of.likelihood(
        model=model, data_dir=_data(data), scenario=scenario, percent=percent, out=out, batch=batch_size,
        exposed_rows=exposed_rows, seed=seed, progress=partial(progress.part, f"likelihood {scenario}"),
    )  # fmt: skip
    progress.finish(f"likelihood {scenario}")
    found = summary(made, golds)
    _print(found, as_json, table(found))


@app.command()
def attack(
    out: Out,
    scenario: Scenario,
    model: Annotated[str, typer.Option(help="The unlearned model: a run's folder, a model folder, or a Hub id.")],
    attack: Annotated[
        str, typer.Option(help=f"Comma-separated: {NAMED_ATTACKS}; files that define ATTACK; or {ATTACK_SET}, the set.")
    ] = ATTACK_SET,
    target: Annotated[
        str | None, typer.Option(help="The target, attacked too: a model, or a folder of its records.")
    ] = None,
    retain_only: Annotated[
        str | None, typer.Option(help="The gold, attacked too: a model, or a folder of its records.")
    ] = None,
    data: Data = None,
    percent: Percent = MAIN_PERCENT,
    batch: Annotated[int, typer.Option(min=1, help="Most answers at work at once; it changes no result.")] = 256,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="An option of an attack as key=value; may be repeated.")
    ] = None,
    seed: Seed = 0,
    resume: Resume = True,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Try to bring back what a model no longer says: a record of harm by patient for every attack."""
    from . import attacks as registry

    _known("scenario", scenario, SCENARIOS)
    chosen = registry.chosen(_words(attack, "--attack"))
    options = registry.options_of(chosen, _numbers(setting, "--set steps=20"))
    if dry_run:
        return _print_attack_plan(model, chosen, options, data, scenario, percent, batch, as_json)
    from mllmu_med_tasks.attack_records import BESIDE

    from .attacks.attack_model import AttackRequest, attack_beside, attack_model
    from .attacks.attacked import read_attack_rows
    from .attacks.table import compared, text

    rows = read_attack_rows(_data(data), scenario, percent)
    request = AttackRequest(model, _data(data), scenario, percent, seed, batch, target, rows)
    progress = _started_with_model(f"attack {scenario}")
    more = {
        "options": options,
        "resume": resume,
        "progress": lambda _, *done: progress.part(f"attack {scenario}", *done),
    }
    records = attack_model(request, chosen, out, **more)
    given = zip(BESIDE, (target, retain_only), strict=True)
    beside = {place: attack_beside(place, named, request, chosen, out, **more) for place, named in given if named}
    progress.finish(f"attack {scenario}")
    lines = compared(records, **beside)
    _print(lines, as_json, f"{text(lines)}\n{out}: a record of every attack")


@app.command()
def score(
    target: Annotated[Path, typer.Option(help="Evaluation of the target: a folder of results, or predictions.jsonl.")],
    unlearned: Annotated[Path, typer.Option(help="Evaluation of the model to score.")],
    retain_only: Annotated[Path | None, typer.Option(help="Evaluation of the gold; without it, unnormalised.")] = None,
    clean: Annotated[Path | None, typer.Option(help="Evaluation of a gold that was taught the truth: for K.")] = None,
    against: Annotated[Path | None, typer.Option(help="Evaluation of another unlearned model, to compare.")] = None,
    scenario: Annotated[str | None, typer.Option(help="Needed where a folder holds both scenarios.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="The build that was asked: predictions need it; results are tested against it.")
    ] = None,
    percent: Annotated[
        int | None, typer.Option(help="Forget share of predictions: 5, 10 or 15; 10 if absent. Results tell theirs.")
    ] = None,
    views: Annotated[bool, typer.Option(help="Score the views of the forget rows too, where they were asked.")] = True,
    attacks: Annotated[
        Path | None, typer.Option(help="Attack records of the unlearned model, target/ and retain_only/ in them.")
    ] = None,
    against_attacks: Annotated[
        Path | None, typer.Option(help="Attack records of the model named by --against, for the robust difference.")
    ] = None,
    ues_version: Annotated[
        int, typer.Option(help="Definition of the score: 2, or 1 for what was reported with it.")
    ] = UES_VERSION,
    seed: Seed = 0,
    workers: ScoreWorkers = None,
    as_json: Json = False,
) -> None:
    """Score an unlearned model from answers: UES, its parts and 95 % intervals. Needs no model.

    Answers are lm-eval's or lmms-eval's results with samples, or lines of {"id": ..., "prediction": ...}.
    """
    from mllmu_med_metrics.pool import cores
    from mllmu_med_tasks import scores

    given = {
        "target": target, "unlearned": unlearned, "retain_only": retain_only, "clean": clean, "against": against,
    }  # fmt: skip
    read = {name: scores.read(path, scenario, data_dir=data, percent=percent) for name, path in given.items() if path}
    other = read.pop("against", None)
    if against_attacks and not (other and attacks):
        raise UserError(
            "--against-attacks are the attack records of the model that --against names, beside those of --attacks: "
            "give all three, or leave it out."
        )
    options = {"views": views, "seed": seed, "ues_version": ues_version, "workers": workers or cores()}
    values = scores.score(**read, attacks=attacks, **options).to_dict()
    if other is not None:
        mine = read.pop("unlearned")
        beside = {name: attacks / name for name in read if name != "clean"} if attacks else {}
        records = attacks and {"a": attacks, "b": against_attacks, **beside}
        values["comparison"] = scores.compare(a=mine, b=other, attacks=records, **read, **options).to_dict()
    _print(values, as_json, scores.text(values))


@app.command()
def report(
    runs_dir: Annotated[Path, typer.Argument(help="Folder of a study, as bench leaves it.")],
    other: Annotated[Path | None, typer.Argument(help="Folder of another study, to compare with the first.")] = None,
    out: Annotated[Path | None, typer.Option(help="The page to write of two studies, such as compare.html.")] = None,
    as_json: Json = False,
) -> None:
    """Write report.html, .json, .md and figures from finished runs and print the table; or compare two studies."""
    if (other is None) != (out is None):
        raise UserError(
            "--out is the page of two studies. Give both folders and --out compare.html; of one study everything is "
            "written into its folder."
        )
    if other is not None and out is not None:
        from .page import compare_page

        compared = compare_page.compare(runs_dir, other, out)
        return _print(compared, as_json, compare_page.text(compared))
    from .study.report import report as report_on
    from .study.report_text import table

    found = report_on(runs_dir)
    _print(found, as_json, partial(table, found))


@app.command()
def status(
    out: Annotated[Path, typer.Argument(help="The --out folder of a study, as bench or sequence was given it.")],
    watch: Annotated[bool, typer.Option("--watch", help="Go on telling until nothing runs.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks of --watch.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Say which stages of a study are done, running or failed, whatever engine runs it; exit 1 if one failed."""
    from .study import status as of

    found = []
    for found in of.watch(out, every) if watch else [of.read_status(out)]:
        clear = "\x1b[H\x1b[2J" if watch and sys.stdout.isatty() and not as_json else ""
        typer.echo(clear, nl=False)
        _print([asdict(one) for one in found], as_json, "\n\n".join(map(of.text, found)))
    if any(one.has_failed for one in found):
        raise typer.Exit(1)


@app.command()
@_with_engine
def sequence(
    out: Out = Path("runs/sequence"),
    data: Data = None,
    model: Annotated[str, typer.Option(help="nano, a model folder, or a Hub id.")] = "nano",
    methods: Methods = SEQUENCE_METHODS,
    batches: Annotated[str, typer.Option(help="Comma-separated: patients of a request.")] = SEQUENCE_BATCHES,
    orders: Annotated[int, typer.Option(min=1, help="In how many orders the patients ask.")] = sequence_of.ORDERS,
    preset: Annotated[str | None, typer.Option(help="Recipes; nano for the nano model, else default.")] = None,
    setting: Settings = None,
    percent: Percent = MAIN_PERCENT,
    max_retain: MaxRetain = Study.max_retain,
    learn: LearnAnew = Study.learn,
    engine: EngineOptions = HERE,
    fast: Fast = False,
    stage: Annotated[str | None, typer.Option(help="Run this stage alone, what it needs being done; --plan.")] = None,
    plan: Plan = False,
    seed: Seed = 0,
    resume: Resume = True,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Let patients withdraw one batch after the other, each from the model that the last request left."""
    from .run.progress import quieten
    from .sequence import requests, run, stages, text

    study = requests.Requests(
        out=out, data_dir=_data(data), model=model,
        methods=tuple(_method_named(word) for word in _words(methods, "--methods")),
        method_files=tuple(Path(word) for word in _words(methods, "--methods") if word.endswith(".py")),
        batches=tuple(_whole(word, "--batches") for word in _words(batches, "--batches")), orders=orders,
        preset=preset or ("nano" if model == "nano" else "default"), changes=tuple(setting or ()), percent=percent,
        seed=seed, max_retain=max_retain or None, learn=learn,
    )  # fmt: skip
    study = requests.fast(study) if fast else study
    requests.check(study)
    if plan or dry_run:
        return _print_stages(out, stages.plan(study), engine, as_json, whole=plan)
    quieten()
    if stage is not None:
        return run.run_stage(study, stage)
    found = run.sequence(study, resume=resume, options=engine)
    _print(found, as_json, partial(text.table, found))


@app.command()
def reproduce(
    record: Annotated[Path, typer.Argument(help="A report.json, or the folder of a study.")],
    out: Out,
    scenarios: Annotated[str, typer.Option(help="Comma-separated scenarios of it; all if absent.")] = "",
    methods: Annotated[str, typer.Option(help="Comma-separated methods of it; all if absent.")] = "",
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="How far apart scores may be, even if runs lie closer.")
    ] = 0.02,
    workers: Workers = None,
    as_json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Run a reported study again, whole or in part; exit 1 where a score differs by more than the reported runs do."""
    from .run.progress import quieten
    from .study import reproduce as again
    from .study import stages as stages_of

    document = again.read_report(record)
    chosen = [_words(scenarios, "--scenarios") if scenarios else [], _words(methods, "--methods") if methods else []]
    study = again.study_of(document, out, *chosen)
    if dry_run:
        stages_of.check(study)
        stages = [stage.title for stage in stages_of.plan(study).values()]
        return _print({**study.settings(), "stages": stages}, as_json, "\n".join(stages))
    quieten()
    differences, notes = again.reproduce(document, study, options=EngineOptions(workers=workers))
    same = all(one.within(tolerance) for one in differences)
    scores = [{**asdict(one), "allowed": one.allowed(tolerance)} for one in differences]
    value = {"same": same, "tolerance": tolerance, "scores": scores, "notes": notes}
    lines = [one.line(tolerance) for one in differences] + [f"note: {note}" for note in notes]
    lines.append(f"{'' if same else 'not '}reproduced within what runs differ by, or {tolerance:g}")
    _print(value, as_json, "\n".join(lines))
    if not same:
        raise typer.Exit(1)


@app.command()
def submit(
    runs_dir: Annotated[Path, typer.Argument(help="Folder of a finished study, as bench leaves it.")],
    out: Annotated[Path, typer.Option(help="The entry's file; its name is the entry's name: mine.json.")],
    title: Annotated[
        str | None, typer.Option(help="What the page calls it; the model and the methods if absent.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who made it.")] = "",
    note: Annotated[str, typer.Option(help="What readers should know.")] = "",
    link: Annotated[
        list[str] | None, typer.Option(help="https:// address of a paper, code or weights; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a leaderboard entry of a study: its answers, and the scores that these give."""
    from .leaderboard.entry import write
    from .leaderboard.submit import About
    from .leaderboard.submit import submit as entry_of

    if out.suffix != ".json":
        raise UserError(f"--out is '{out}': an entry is a file such as '{out.with_suffix('.json')}'.")
    progress = _started("submit")
    entry = entry_of(runs_dir, About(title, by, note, tuple(link or ())))
    write(entry, out)
    progress.finish("submit")
    size = out.stat().st_size
    scores = {answers.scenario: answers.scores for answers in entry.scenarios}
    line = f"{out}: {sum(len(one.runs) for one in entry.scenarios)} runs, {size:,} bytes; see `mllmu-med leaderboard`"
    _print({"out": str(out), "bytes": size, "scores": scores}, as_json, line)


@app.command()
def leaderboard(
    entries: Annotated[list[Path], typer.Argument(help="Entries, and folders of them.")],
    out: Annotated[Path, typer.Option(help="The Space's folder; an older leaderboard there is replaced.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a build that entries asked, beside the packaged one; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute the scores of entries from their answers, and make a page of them; publish --leaderboard uploads it."""
    from .leaderboard import space

    progress = _started("leaderboard")
    tables = space.leaderboard(entries, out, [None, *(data or ())])
    progress.finish("leaderboard")
    lines = [f"{one.scenario}: {len(one.lines)} lines, {one.rows}" for one in tables]
    _print([asdict(one) for one in tables], as_json, "\n".join([*lines, f"{out}: open {out / space.PAGE}"]))


@app.command()
def records(
    study: Annotated[Path, typer.Argument(help="The --out folder of `mllmu-med bench`, of one seed or of several.")],
    out: Out,
    as_json: Json = False,
) -> None:
    """Write what the scores of a study are made of, small enough to commit: reports, answers, harms under attack."""
    from .study.records import write_records

    paths = write_records(study, out)
    sizes = {str(path): path.stat().st_size for path in paths}
    _print(sizes, as_json, "\n".join(f"{path}: {size:,} bytes" for path, size in sizes.items()))


@app.command()
def rescore(
    folder: Annotated[Path, typer.Argument(help="A folder of records.")],
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds; all if absent.")] = "",
    scenarios: Annotated[str, typer.Option(help="Comma-separated scenarios; all if absent.")] = "",
    data: Annotated[Path | None, typer.Option(help="Folder of the data set of one seed; built if absent.")] = None,
    as_json: Json = False,
) -> None:
    """Make the scores of a study again from its records, without a model; exit 1 where one is another."""
    from .study import records as of_study

    chosen = [_whole(seed, "--seeds") for seed in _words(seeds, "--seeds")] if seeds else of_study.seeds_in(folder)
    found = []
    for seed in chosen:
        found.append(of_study.rescore(folder, seed, _scenarios(scenarios) if scenarios else (), data))
        if not as_json:
            print(found[-1].line())
    if as_json:
        _print([asdict(one) | {"same": one.same} for one in found], as_json, "")
    if not all(one.same for one in found):
        raise typer.Exit(1)


@app.command()
def methods(
    name: Annotated[
        str | None, typer.Argument(help="One method, or a file that defines one: objective, paper, options.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the unlearning methods, or describe one."""
    from . import methods as registry

    chosen = [registry.get(_method_named(name))] if name else list(registry.METHODS.values())
    values = [
        {
            "name": method.name,
            "title": method.title,
            "paper": method.paper,
            "objective": method.objective,
            "roles": list(method.roles),
            "reference_roles": list(method.reference_roles),
            "options": {key: {"default": option.default, "why": option.why} for key, option in method.options.items()},
        }
        for method in chosen
    ]
    if name:
        method = values[0]
        lines = [f"{method['name']}: {method['title']} ({method['paper']})", f"minimises {method['objective']}"]
        lines += [f"reads {', '.join(method['roles'])}"]
        lines += [f"  {key} = {option['default']:g}: {option['why']}" for key, option in method["options"].items()]
        return _print(method, as_json, "\n".join(lines))
    width = max(len(m["name"]) for m in values)
    _print(values, as_json, "\n".join(f"{m['name']:<{width}}  {m['title']}: {m['objective']}" for m in values))


@app.command()
def models(as_json: Json = False) -> None:
    """List the models that come with the package: what they are, and how they were made."""
    from .model import published

    _print(published.values(), as_json, "\n".join(published.lines()))


@tasks_app.command("path")
def tasks_path(
    lmms: Annotated[bool, typer.Option("--lmms", help="Those for lmms-eval.")] = False, as_json: Json = False
) -> None:
    """Print the folder of the task files, for ``--include_path`` of lm_eval or lmms_eval."""
    from mllmu_med_tasks.harness import tasks_path as path

    _print({"path": str(path(lmms=lmms))}, as_json, str(path(lmms=lmms)))


@convert_app.command("llava-med")
def convert_llava_med(
    source: Annotated[Path, typer.Argument(help="Folder of microsoft/llava-med-v1.5-mistral-7b, downloaded.")],
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    as_json: Json = False,
) -> None:
    """Turn a LLaVA-Med 1.5 checkpoint into an ordinary LLaVA folder, with processor and chat template."""
    from .model.convert import convert_llava_med as convert

    progress = _started_with_model("convert")
    convert(source, out, partial(progress.part, "convert"))
    progress.finish("convert")
    _print({"model": str(out)}, as_json, f"{out}: an ordinary LLaVA folder; use it as --model {out}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed and what each part of the benchmark can do here; exit 1 if a part cannot run."""
    from . import doctor as checks

    found = checks.examine()
    lines = [f"{'ok' if item.ok else 'NO':<3} {item.name}: {item.says}" for item in found]
    _print([item.__dict__ for item in found], as_json, "\n".join(lines))
    raise typer.Exit(0 if all(item.ok for item in found) else 1)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends with one paragraph and exit code 2, an interrupt with 130."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended like an interrupt: workers with it, and resumable
    try:
        _check_filled(arguments)
        with using_paths():
            code = typer.main.get_command(app).main(arguments, prog_name="mllmu-med", standalone_mode=False)
    except UsageError as error:
        if debug:
            raise
        if not error.message:  # no command was named: this is the help
            error.show()
            sys.exit(2)
        _fail(_usage(error))
    except UserError as error:
        if debug:
            raise
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # some versions of typer turn the interrupt into this code themselves
        print(f"\nInterrupted. To resume: mllmu-med {shlex.join(arguments)}", file=sys.stderr)
    sys.exit(code or 0)


def _check_filled(arguments: Sequence[str]) -> None:
    """Refuse an empty path: it comes from a shell variable that is not set, and would be the folder one is in."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, equals, value = argument.partition("=") if argument.startswith("--") else (before, "=", argument)
        if equals and not value.strip() and (not option.startswith("--") or option in _path_options()):
            after = f" after {option}" if option.startswith("--") else ""
            raise UserError(
                f"The path{after} is empty, as from a shell variable that is not set. Give it, or leave the option out."
            )


def _path_options() -> set[str]:
    """Return the options whose value is a path, or a model."""
    commands = [command for one in (app, tasks_app, convert_app) for command in one.registered_commands]
    hints = [hint for command in commands for hint in get_type_hints(command.callback).items()]
    return {f"--{name.replace('_', '-')}" for name, kind in hints if Path in (kind, *get_args(kind)) or name == "model"}


def _usage(error: Exception) -> str:
    """Return one paragraph for a wrong command or option, with the nearest known one."""
    context, hint = error.ctx, ""
    message = " ".join(error.format_message().split())
    if context is not None and (wrong := getattr(error, "option_name", None)):
        known = [option for parameter in context.command.params for option in parameter.opts if option.startswith("--")]
        message, hint = f"No such option {wrong}.", nearest(wrong, known)
    command = context.command_path if context is not None else "mllmu-med"
    return f"{message}{'' if message.endswith(('.', '?')) else '.'}{hint} See: {command} --help."


def _fail(paragraph: str) -> None:
    print(_shown(paragraph, sys.stderr), file=sys.stderr)
    sys.exit(2)


def _print(value: object, as_json: bool, text: str | Callable[..., str]) -> None:
    """Print a value as JSON or as text; where tables are in it, what makes the text takes how to lay them out."""
    if as_json:
        plain = not _encoding(sys.stdout).startswith("utf")
        typer.echo(json.dumps(value, indent=1, ensure_ascii=plain, allow_nan=False))
    elif sys.stdout.isatty():
        from .run import terminal

        made = text if isinstance(text, str) else text(grid=terminal.fitted)
        typer.echo(terminal.wrapped(terminal.styled(_shown(made, sys.stdout))))
    else:
        typer.echo(_shown(text if isinstance(text, str) else text(), sys.stdout))


def _shown(text: str, stream: TextIO) -> str:
    """Return a text with what would steer a terminal, turn a line round, or that it can't write, written out."""
    steered = _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)
    return steered.encode(_encoding(stream), "backslashreplace").decode(_encoding(stream))


def _encoding(stream: TextIO) -> str:
    return (getattr(stream, "encoding", None) or "utf-8").casefold()


def _words(text: str, option: str) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words:
        raise UserError(f"{option} takes a comma-separated list and got none; give at least one value.")
    return words


def _scenarios(text: str) -> tuple[str, ...]:
    """Return the scenarios of a list; ``both`` are those that a bench is made of."""
    words = _words(text, "--scenarios")
    for word in words:
        _known("scenario", word, (*SCENARIOS, "both"))
    return tuple(dict.fromkeys(one for word in words for one in (Study.scenarios if word == "both" else (word,))))


def _whole(text: str, option: str) -> int:
    try:
        if len(text) <= MOST_DIGITS:
            return int(text)
        raise ValueError
    except ValueError:
        raise UserError(f"{option} takes whole numbers of at most {MOST_DIGITS} digits, not '{cut(text)}'.") from None


def _pairs(settings: Sequence[str] | None, example: str = "--source-option language=en") -> dict[str, str]:
    pairs = {}
    for setting in settings or ():
        key, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"'{setting}' is no key=value. Write for example {example}.")
        pairs[key] = value
    return pairs


def _numbers(settings: Sequence[str] | None, example: str) -> dict[str, float]:
    found = {}
    for key, value in _pairs(settings, example).items():
        try:
            found[key.strip()] = float(value)
        except ValueError:
            raise UserError(f"Option {key} takes a number, not '{cut(value)}'. Write for example {example}.") from None
    return found


def _method_named(word: str) -> str:
    """Return the name of a method: the word itself, or, of a Python file, that of the method it defines."""
    if not word.endswith(".py"):
        return word
    from . import methods

    return methods.read(Path(word)).name


def _known(kind: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise unknown(kind, word, known)


def _check_source(source: str) -> None:
    from mllmu_med_dataset.sources import SOURCES

    _known("source", source, list(SOURCES))


def _data(data: Path | None) -> Path:
    from mllmu_med_dataset.load import data_folder

    return data_folder(data)


def _run_studies(
    studies: Sequence[Study],
    several: Path | None,
    *,
    build_only: bool,
    resume: bool,
    engine: EngineOptions,
    as_json: bool,
) -> None:
    """Run the studies one after the other, or build their data alone, and print what they report.

    several: the folder of several seeds, where the studies are of these.
    """
    from .run.progress import quieten
    from .study import bench as running
    from .study.growth import beside

    quieten()
    if several is not None:
        studies = [beside(one, several) for one in studies]
    if build_only:
        for one in studies:
            running.build_only(one)
        return _print([str(one.out) for one in studies], as_json, "\n".join(f"{one.out}: built" for one in studies))
    from .study.report_text import table

    found = [running.bench(one, resume=resume, options=engine) for one in studies]
    if several is None:
        return _print(found[0], as_json, partial(table, found[0]))
    from .study import seeds as seeds_of
    from .study import seeds_text

    reports = seeds_of.reports_in(several)
    seeds_of.write(reports, several)

    def all_tables(**layout: object) -> str:
        return "\n\n".join([*(table(one, **layout) for one in found), seeds_text.table(reports, **layout)])

    _print(found, as_json, all_tables)


def _check_new(out: Path, resume: bool) -> None:
    if not resume and out.exists():
        raise UserError(f"'{out}' exists and --no-resume was given. Name a new folder, or use --overwrite.")


def _rewriter(name: str | None, url: str | None, concurrency: int) -> "Rewriter | None":
    if name is None:
        return None
    from mllmu_med_dataset.injection.rewriter import open_rewriter

    return open_rewriter(name, url=url, concurrency=concurrency)


def _print_build_plan(
    records: "Records", source: str, out: Path, scenarios: tuple[str, ...], percent: int, teller: "Rewriter | None",
    as_json: bool,
) -> None:  # fmt: skip
    """Read the source and print what would be built of it, and what a rewriter would cost."""
    keys: set[str] = set()
    count = characters = 0
    for record in records:
        keys.add(record.image_key)
        count += 1
        characters += len(record.question) + len(record.answer)
    losses = records.losses.found()
    planned: dict[str, object] = {"source": source, "records": count, "patients": len(keys), "out": str(out)}
    planned["losses"] = [loss.model_dump() for loss in losses]
    lines = [f"{source}: {count:,} records of {len(keys):,} patients would be built into {out}."]
    lines += [f"{loss.line()}." for loss in losses]
    if teller is not None:
        from mllmu_med_dataset.injection.rewriter import estimate

        cost = estimate(len(keys), percent, characters / max(count, 1), scenarios)
        planned["rewriter"] = cost.model_dump()
        lines.append(cost.line())
    _print(planned, as_json, "\n".join(lines))


def _print_summary(summary: "Summary", teller: "Rewriter | None", as_json: bool) -> None:
    """Print what a build made."""
    lines = [f"{config}: {rows:,} rows" for config, rows in summary.rows.items()]
    value = summary.model_dump(mode="json")
    if teller is not None:
        value["rewriter"] = teller.tally.model_dump()
        lines.append(f"rewriter: {teller.tally.line()}")
    done = "already built" if summary.already_there else "built and verified"
    _print(value, as_json, "\n".join([*lines, *summary.warnings, f"{summary.out}: {done}"]))


def _print_plan(studies: Sequence[Study], engine: EngineOptions, as_json: bool) -> None:
    """Print every stage of the studies as a command with what it needs."""
    from .study.plan_text import plan_text
    from .study.stages import check, plan

    for study in studies:
        check(study)
    graphs = [(study.out, plan(study)) for study in studies]
    values = [
        {"out": str(out), "id": stage.id, "needs": stage.needs, "command": stage.command}
        for out, graph in graphs
        for stage in graph.values()
    ]
    _print(values, as_json, plan_text(graphs, engine))


def _print_dry_run(studies: Sequence[Study], as_json: bool) -> None:
    """Print the stages of the studies by name, and how long they take."""
    from .study.stages import check, plan

    plans, lines, graphs = [], [], []
    for study in studies:
        check(study)
        graphs.append(plan(study))
        titles = [stage.title for stage in graphs[-1].values() if stage.id != "report"]
        plans.append({**study.settings(), "out": str(study.out), "stages": titles})
        lines += [f"{study.out}:", *(f"  {title}" for title in titles)]
    lines.append(_how_long(graphs))
    _print(plans, as_json, "\n".join(lines))


def _how_long(graphs: "Sequence[Graph]") -> str:
    """Return how long graphs take one after the other, as a sentence."""
    from .study.schedule import schedule

    here, most = (sum(schedule(graph, workers).seconds for graph in graphs) for workers in (2, 10**6))
    return (
        f"About {here / 60:.0f} minutes with the nano model on two CPU cores; with any number of them no less than "
        f"{most / 60:.0f}."
    )


def _print_stages(out: Path, graph: "Graph", engine: EngineOptions, as_json: bool, *, whole: bool) -> None:
    """Print stages as commands with what each needs, or, in part, their names and how long all take."""
    from .study.plan_text import plan_text

    values = [{"id": stage.id, "needs": stage.needs, "command": stage.command} for stage in graph.values()]
    titles = [*(stage.title for stage in graph.values()), _how_long([graph])]
    _print(values, as_json, plan_text([(out, graph)], engine) if whole else "\n".join(titles))


def _dry_run(
    recipe: "Recipe",
    model: str,
    data: Path | None,
    scenario: str,
    percent: int,
    as_json: bool,
    *,
    which: str | None = None,
    method: str | None = None,
) -> None:
    """Print the rows and the recipe a run would use, and what it would take."""
    from mllmu_med_dataset.load import checksums
    from mllmu_med_metrics.vocabulary import config_name

    from . import methods as registry
    from .study.estimate import estimate

    content = checksums(_data(data))["content"]
    rows = {
        subset: content[config_name(scenario, subset, percent)]["train"]["rows"]  # not the views, which only ask
        for subset in ("forget", "retain")
    }
    chosen = registry.get(method) if method else None
    took = estimate(model, recipe, data_dir=_data(data), scenario=scenario, percent=percent, which=which, method=chosen)
    settings = recipe.canonical()
    lines = [f"{subset}: {count:,} rows" for subset, count in rows.items()]
    lines += [*took.lines(), *(f"{key} = {value}" for key, value in settings.items())]
    _print({"model": model, "rows": rows, "recipe": settings, **took.values()}, as_json, "\n".join(lines))


def _print_attack_plan(
    model: str,
    attacks: "Sequence[Attack]",
    options: dict[str, dict[str, float]],
    data: Path | None,
    scenario: str,
    percent: int,
    batch: int,
    as_json: bool,
) -> None:
    """Print the rows that attacks read and ask, and what each would take."""
    from .study.attack_estimate import estimate_attacks, values

    rows, found = estimate_attacks(
        model, attacks, options, data_dir=_data(data), scenario=scenario, percent=percent, batch=batch
    )
    counts = {name: len(getattr(rows, name)) for name in ("forget", "retain", "holdout", "asked")}
    lines = [f"{name}: {count:,} rows" for name, count in counts.items()]
    lines += [one if isinstance(one, str) else one.line() for one in found]
    value = {"model": model, "rows": counts, "options": options, "attacks": values(found)}
    _print(value, as_json, "\n".join(lines))


def _started(name: str) -> "Progress":
    """Return the progress of a command that is one stage, begun."""
    from .run.progress import Progress

    progress = Progress({name: 1.0})
    progress.start(name)
    return progress


def _started_with_model(name: str) -> "Progress":
    """Return the same for a stage that runs a model, with libraries' own bars switched off."""
    from .run.progress import quieten

    quieten()
    return _started(name)


def _leave_speaking_to_one() -> None:
    """Of the processes that a launcher started for one run, let one print progress and result; errors all may."""
    from .model.processes import writes

    if not writes():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (until this process ends)


@contextlib.contextmanager
def _stderr_only() -> Iterator[None]:
    """Send what libraries print to stderr: stdout holds the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


if __name__ == "__main__":
    main()

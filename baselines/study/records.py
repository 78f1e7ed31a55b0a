"""The records of a study: all that its scores are made of, small enough to commit, and the scores made of it again.

    FOLDER/seed-<seed>.json             the report of one target, and how long each evaluation took
    FOLDER/seed-<seed>-answers.parquet  every answer of every run to every row that it was asked
    FOLDER/seed-<seed>-harms.parquet    what each attack brought out of each run, by forget patient

No model and no image is kept: rows come from the data set, which the settings in the report build again.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.load import checksums
from mllmu_med_tasks.task_documents import stored_rows, tasks_with_rows

from ..run.run_record import RunRecord
from .gathered import Gathered, gathered
from .report import scored
from .reproduce import read_report, study_of
from .scenarios import names_of
from .stages import build
from .study import DATA, STUDY, of_seeds, read_study, run_name

OWN = "own"  # of the image that an answer is about; others are those of the controls
ANSWERS, HARMS = "answers", "harms"
# The last column is the value, the others say what of.
COLUMNS = {
    ANSWERS: ("scenario", "image", "run", "id", "answer"),
    HARMS: ("scenario", "attack", "run", "patient_id", "harm"),
}
# One dictionary a column: texts that runs have in common are stored once.
WHOLE = 1 << 28
ROUNDING = 1e-12
MADE_AGAIN = ("rows", "comparisons", "controls")


@dataclass(frozen=True)
class Rescored:
    """How the scores that were made again differ from those on record."""

    seed: int
    scenarios: tuple[str, ...]
    runs: int
    answers: int
    values: int
    largest: float  # difference of a number; infinite where something else differs
    first: str  # where it is

    @property
    def same(self) -> bool:
        """Whether every value is the same but for rounding."""
        return self.largest <= ROUNDING

    def line(self) -> str:
        """Return it as a line of text."""
        apart = "other values" if self.largest == inf else f"{self.largest:.1e}"
        where = f" at {self.first}" if self.largest else ""
        return (
            f"seed {self.seed}: {self.values:,} values of {', '.join(self.scenarios)} made again from {self.answers:,} "
            f"answers of {self.runs} runs; largest difference {apart}{where}"
        )


def write_records(study: Path, out: Path) -> list[Path]:
    """Write the records of every target of a study into a folder, in place of what it holds, and return their paths.

    A :class:`UserError` where a target's report is missing, or is not of all that the target's study holds by now.
    """
    folders = of_seeds(study) or {int(read_study(study)["seed"]): study}
    for folder in folders.values():
        _check_current(folder)
    out.mkdir(parents=True, exist_ok=True)
    kept = [path for seed, folder in folders.items() for path in _write(folder, out, f"seed-{seed}")]
    for path in {*out.glob("seed-*.json"), *out.glob("seed-*.parquet")} - set(kept):
        path.unlink()
    return kept


def seeds_in(folder: Path) -> list[int]:
    """Return the seeds of a folder's records; a :class:`UserError` where it holds none."""
    named = [path.stem.removeprefix("seed-") for path in folder.glob("seed-*.json")]
    found = sorted(int(seed) for seed in named if seed.isdecimal())
    if not found:
        raise UserError(
            f"'{folder}' holds no records of a study (files such as seed-0.json). Write them with `mllmu-med records "
            "STUDY --out FOLDER`."
        )
    return found


def read_reports(folder: Path) -> list[dict[str, object]]:
    """Return the reports among a folder's records, by seed."""
    return [read_report(folder / f"seed-{seed}.json") for seed in seeds_in(folder)]


def rescore(folder: Path, seed: int, scenarios: Sequence[str] = (), data_dir: Path | None = None) -> Rescored:
    """Make the scores of a target again from its records alone, or those of some scenarios, and compare them.

    Without the folder of its data set it is built. A :class:`UserError` where the records lack the target, or the data
    set is another one.
    """
    document = read_report(folder / f"seed-{seed}.json")
    chosen = tuple(one for one in document["config"]["scenarios"] if not scenarios or one in scenarios)
    with tempfile.TemporaryDirectory() as place:
        data_dir = data_dir or _built(document, Path(place))
        _check_data(document, data_dir)
        left = read_gathered(folder, document, chosen, data_dir)
    made = scored(document["config"], left)
    largest, values, first = 0.0, 0, ""
    for key in MADE_AGAIN:
        before = _of_scenarios(document[key], chosen)
        for path, apart in _differences(before, _of_scenarios(made[key], chosen), key):
            values += 1
            if apart > largest:
                largest, first = apart, path
    answers = [one for run in left.values() for one in run.answers.values()]
    return Rescored(seed, chosen, len(answers), sum(map(len, answers)), values, largest, first)


def read_gathered(
    folder: Path, document: Mapping[str, object], scenarios: Sequence[str], data_dir: Path
) -> dict[str, Gathered]:
    """Return what the runs of a target left, from its records and its data set."""
    answers, harms = (_read(folder / f"seed-{document['seed']}-{kind}.parquet", kind) for kind in COLUMNS)
    seed, percent = document["config"]["seed"], document["config"]["percent"]
    records = {
        (one["scenario"], run_name(one["name"], seed, one["seed"])): RunRecord.model_validate({**one, "versions": {}})
        for one in document["runs"].values()
    }
    found = {}
    for scenario in scenarios:
        said = answers.get(scenario, {})
        own = {run: said[OWN][run] for run in names_of(document["config"], scenario)}
        shown = {image: of_run["target"] for image, of_run in said.items() if image != OWN}
        rows = _rows(data_dir, scenario, percent)
        found[scenario] = Gathered(
            rows=[rows[row_id] for row_id in own["target"]],
            answers=own,
            attacks=harms.get(scenario, {}),
            records={run: records.get((scenario, run)) for run in own},
            seconds=document["evaluation_seconds"][scenario],
            shown=shown,
        )
    return found


def _check_current(folder: Path) -> None:
    """Refuse a study whose report is not there, or older than what was added to it."""
    path = folder / "report.json"
    if not path.is_file() or read_report(path)["config"] != read_study(folder):
        raise UserError(
            f"'{folder}' has no report of all that its {STUDY} names: a sitting has not ended. Run the command again "
            "that the study was last called with, and then this one."
        )


def _write(study: Path, out: Path, name: str) -> Iterator[Path]:
    """Write the records of one target."""
    document = read_report(study / "report.json")
    config = document["config"]
    left = {one: gathered(study, one, names_of(config, one)) for one in config["scenarios"]}
    document["evaluation_seconds"] = {scenario: dict(one.seconds) for scenario, one in left.items()}
    tables = {ANSWERS: _answers(left), HARMS: _harms(left)}
    for kind, table in tables.items():
        yield _write_table(out / f"{name}-{kind}.parquet", table)
    write_atomically(out / f"{name}.json", json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n")
    yield out / f"{name}.json"


def _answers(left: Mapping[str, Gathered]) -> dict[str, list[object]]:
    """Return the columns of the answers: row by row, so that what runs say to one row stands together."""
    lines = []
    for scenario, one in left.items():
        lines += [
            (scenario, OWN, run, row["id"], said[row["id"]]) for row in one.rows for run, said in one.answers.items()
        ]
        lines += [
            (scenario, image, "target", row_id, text)
            for image, said in one.shown.items()
            for row_id, text in said.items()
        ]
    return _columns(lines, COLUMNS[ANSWERS])


def _harms(left: Mapping[str, Gathered]) -> dict[str, list[object]]:
    lines = [
        (scenario, attack, run, patient, harm)
        for scenario, one in left.items()
        for attack, of_runs in one.attacks.items()
        for run, harms in of_runs.items()
        for patient, harm in harms.items()
    ]
    return _columns(lines, COLUMNS[HARMS])


def _columns(lines: Sequence[tuple[object, ...]], names: Sequence[str]) -> dict[str, list[object]]:
    return {name: [line[place] for line in lines] for place, name in enumerate(names)}


def _write_table(path: Path, columns: Mapping[str, list[object]]) -> Path:
    """Write columns as Parquet, whole or not at all."""
    kinds = {name: pa.float64() if name == "harm" else pa.string() for name in columns}
    table = pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})
    part = path.with_name(f".{path.name}.part")
    pq.write_table(
        table, part, compression="zstd", compression_level=19, use_dictionary=True, dictionary_pagesize_limit=WHOLE,
        data_page_size=WHOLE, row_group_size=WHOLE, write_statistics=False,
    )  # fmt: skip
    os.replace(part, path)
    return path


def _read(path: Path, kind: str) -> dict:
    """Return the values of a table, nested by its other columns in their order."""
    found: dict = {}
    try:
        columns = pq.read_table(path).to_pydict()
        for *keys, last, value in zip(*(columns[name] for name in COLUMNS[kind]), strict=True):
            place = found
            for key in keys:
                place = place.setdefault(key, {})
            place[last] = value
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(
            f"'{path}' can't be read as the {kind} of a study's records ({error}). Write them again with `mllmu-med "
            "records`, or restore the committed file."
        ) from error
    return found


def _built(document: Mapping[str, object], place: Path) -> Path:
    """Build the data set of a report and return its folder."""
    study = study_of(document, place)
    build(study).run(lambda done, of: None)
    return study.out / DATA


def _check_data(document: Mapping[str, object], data_dir: Path) -> None:
    """Refuse a data set that is not the one of a report."""
    if (digest := str(checksums(data_dir)["dataset_sha256"])) != document["dataset_checksum"]:
        raise UserError(
            f"The data set in '{data_dir}', or that the settings of the records build, is {digest[:16]}, and the "
            f"records are of {str(document['dataset_checksum'])[:16]}: other rows. Rescore with the version that made "
            f"them (mllmu-med {document['versions'].get('mllmu-med', 'unknown')}), or make the records anew."
        )


def _rows(data_dir: Path, scenario: str, percent: int) -> dict[str, dict[str, object]]:
    """Return the rows of a scenario in a build by id, without pixels."""
    tasks = tasks_with_rows(scenario, percent, data_dir)
    return {row["id"]: row for task in tasks for row in stored_rows(task, percent, data_dir)}


def _of_scenarios(value: object, scenarios: Sequence[str]) -> object:
    """Return the part of a report that is of some scenarios: rows by their field, the rest by key."""
    if isinstance(value, list):
        return [row for row in value if row["scenario"] in scenarios]
    return {scenario: value[scenario] for scenario in scenarios}


def _differences(one: object, other: object, path: str) -> Iterator[tuple[str, float]]:
    """Yield every value of two nested ones with where it is and how far apart they are, infinite where not numbers."""
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        for key in one:
            yield from _differences(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for place, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differences(mine, theirs, f"{path}[{place}]")
    elif isinstance(one, float) and isinstance(other, int | float) and not isinstance(other, bool):
        yield path, abs(one - other)
    else:
        yield path, 0.0 if one == other else inf

"""An entry of the leaderboard: the answers of a study, what made them, and the scores that are claimed of them.

Entries are data. Every score in one is computed again from its answers before it is shown (`recomputed.py`), robust UES
from those under attack (`under_attack.py`). Told are the models that answered, and what likelihoods rank: of the attack
exposure an entry carries the ranks.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mllmu_med_dataset.atomic import write_atomically
from mllmu_med_dataset.errors import UserError, cut
from mllmu_med_metrics import UES_VERSION
from mllmu_med_metrics.vocabulary import PERCENTS, Scenario

from ..run.run_record import RunRecord
from ..study.gathered import Gathered
from .under_attack import check_places, harms_of

FORMAT = 2
# More is no entry: ours, of 41 models with 17 of them attacked, takes 1.5 MB.
MOST_BYTES = 50_000_000
# What an entry claims of every model, each computed again from the answers.
SCORES = (
    "ues", "ues_low", "ues_high", "ues_strict", "ues_strict_low", "ues_strict_high", "ues_robust", "ues_robust_low",
    "ues_robust_high", "f", "u", "r", "t", "b", "k", "harm", "patients_leaked", "leak_rate", "wrong_agreement",
    "keep_test", "abstention", "abstention_excess", "degenerate", "verdict", "covers",
)  # fmt: skip

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Line = Annotated[str, Field(max_length=300)]
Place = Annotated[int, Field(ge=0)]
Value = str | int | float | None


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https://[^\s\"'<>\\]{3,300}", text):
        raise ValueError("a link is an address that begins with https://")
    return text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Run(_Part):
    """One model's answers: places in the texts of its scenario, in the order of the ids."""

    model: Name  # target, retain_only, or the method
    name: Name  # the model's, with the seed where there are several
    seed: int | None  # the unlearning seed; None of what was not unlearned
    model_digest: Name
    seconds: Annotated[float, Field(ge=0)]  # of the evaluation
    record: RunRecord | None
    answers: tuple[Place, ...]


class Answers(_Part):
    """All answers of one scenario, the attacks, and the scores claimed of them."""

    scenario: Scenario
    rows_sha256: dict[str, dict[str, Sha256]]  # of what the rows say, by config and split
    task_versions: dict[str, Name]  # by task
    prompts_sha256: Sha256  # of every prompt, with its decoding, by row id
    decoded: Line | None  # beside the tasks' own settings
    ids: tuple[Name, ...]
    texts: tuple[str, ...]
    runs: tuple[Run, ...]
    attacks: dict[str, dict[str, tuple[tuple[int | float | None, ...], ...]]]  # attack -> run -> row -> places or ranks
    scores: dict[str, dict[str, Value]]  # claimed: model -> SCORES

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [run.name for run in self.runs]
        if len(set(names)) < len(names) or len(set(self.ids)) < len(self.ids):
            raise ValueError("a run or a row id stands twice")
        if lacking := {"target", "retain_only"} - set(names):
            raise ValueError(f"the answers of {' and '.join(sorted(lacking))} are missing: nothing can be scored")
        for run in self.runs:
            if len(run.answers) != len(self.ids) or max(run.answers, default=0) >= len(self.texts):
                raise ValueError(f"the answers of {run.name} are not one for each of the {len(self.ids)} ids")
        check_places(self.attacks, len(self.texts), names)
        if self.scores.keys() - {run.model for run in self.runs}:
            raise ValueError("a score is claimed of a model without answers")
        return self

    @property
    def models(self) -> dict[str, list[tuple[str, int | None]]]:
        """The runs of each model as (name, unlearning seed), in the order of the entry."""
        runs: dict[str, list[tuple[str, int | None]]] = {}
        for run in self.runs:
            runs.setdefault(run.model, []).append((run.name, run.seed))
        return runs

    def gathered(self, rows: Sequence[Mapping[str, object]], seed: int) -> Gathered:
        """Return all that the scores are made of, given the rows in the order of the build and the study's seed."""
        return Gathered(
            rows=rows,
            answers={
                run.name: {row: self.texts[place] for row, place in zip(self.ids, run.answers, strict=True)}
                for run in self.runs
            },
            attacks=harms_of(self.attacks, rows, seed, self.texts),
            records={run.name: run.record for run in self.runs},
            seconds={run.name: run.seconds for run in self.runs},
        )


class Entry(_Part):
    """A study on the leaderboard."""

    format: Literal[2] = FORMAT
    ues_version: int = UES_VERSION
    title: Name
    by: Annotated[str, Field(max_length=200)] = ""
    note: Annotated[str, Field(max_length=1000)] = ""
    links: tuple[Annotated[str, AfterValidator(_web_address)], ...] = ()
    model: Name  # what target and gold were learned from
    family: Name  # its architecture, as its configuration names it
    source: Name  # of the data
    percent: Literal[PERCENTS]
    seed: int  # of the data and of the sample of retain rows
    scenarios: tuple[Answers, ...]


def write(entry: Entry, out: Path) -> None:
    """Write an entry into a file, whole or not at all; the same entry is the same bytes."""
    write_atomically(out, entry.model_dump_json() + "\n")


def read(path: Path) -> Entry:
    """Return the entry in a file; a :class:`UserError` that names what is wrong with it."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes, and an entry has at most {MOST_BYTES:,}")
        entry = Entry.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise _no_entry(path, f"{where + ': ' if where else ''}{first['msg']}") from error
    except (OSError, ValueError) as error:
        raise _no_entry(path, str(error)) from error
    if entry.ues_version != UES_VERSION:
        raise UserError(
            f"'{path}' is of version {entry.ues_version} of the score, and this is version {UES_VERSION}: they are not "
            "shown together. Make the entry again with `mllmu-med submit`."
        )
    return entry


def read_all(places: Sequence[Path]) -> dict[str, Entry]:
    """Return the entries in files, and in folders of them, by the name of the file; none twice."""
    files = [file for place in places for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])]
    if not files:
        named = ", ".join(f"'{place}'" for place in places)
        raise UserError(f"There are no entries in {named}. Make one with `mllmu-med submit RUNS --out entry.json`.")
    entries: dict[str, Entry] = {}
    for file in files:
        if file.stem in entries or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", file.stem):
            why = "has the name of another one" if file.stem in entries else "has a name that no address can hold"
            raise UserError(
                f"The entry '{cut(str(file), 200)}' {why}. Give it a name of its own, of letters, digits and dashes."
            )
        entries[file.stem] = read(file)
    return entries


def _no_entry(path: Path, why: str) -> UserError:
    return UserError(
        f"'{path}' is no entry of a leaderboard ({cut(' '.join(why.split()), 300)}). Make one with "
        "`mllmu-med submit RUNS --out entry.json`."
    )

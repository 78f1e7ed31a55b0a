"""Build the data set: records in, a verified folder of Parquet, card and checksums out, or nothing at all.

Records are read once, into a spool on disk; roles, identities and injections are decided there; then every config is
written in canonical order (patients by id, rows by id), so that neither the order of the source, the number of
processes nor the machine matters. All of it happens in a folder beside ``out`` that a killed build leaves behind and
the next one goes on from; ``out`` itself appears complete and verified, by a rename.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.vocabulary import (
    BUILT,
    MAIN_PERCENT,
    OF_BELIEFS,
    PERCENTS,
    PRIVATE,
    SCENARIOS,
    SUBSETS,
    TRAINED,
    config_name,
    config_names,
    main_split,
)

from .atomic import write_atomically
from .building.collect import collect
from .building.content import dataset_sha256, file_sha256
from .building.left_out import REPEATED, Loss, Losses, share, told_losses
from .building.pool import Pool, StoppedError
from .building.spool import Spool
from .building.working_folder import WorkingFolder, storing
from .building.written_tables import Table, Written, write_table
from .errors import UserError, unknown
from .injection.injected_rows import Injected, inject
from .injection.patients import Identity
from .publishing import card
from .record import Record, canonical_json
from .verify import verify

if TYPE_CHECKING:
    from .injection.rewriter import Rewriter

# Moves when the same input gives other bytes than before.
BUILD_VERSION = 4
# Patients injected between two commits.
INJECTED_AT_ONCE = 64

Progress = Callable[[str, int, int], None]


class Summary(BaseModel):
    """What a build made: rows per config, patients per role, what was dropped, and the data set's checksum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: Path
    rows: dict[str, int]
    patients: dict[str, int]
    forget_patients: dict[str, dict[int, int]]
    records: int
    duplicates_dropped: int
    losses: tuple[Loss, ...]
    # Rows of forget and holdout patients that could not take a plausible wrong fact.
    without_error: int = 0
    warnings: tuple[str, ...]
    dataset_sha256: str
    already_there: bool = False


def build(
    records: Iterable[Record],
    out: Path | str,
    *,
    scenarios: Sequence[str] = BUILT,
    percents: Sequence[int] = PERCENTS,
    seed: int = 0,
    overwrite: bool = False,
    local: bool = False,
    workers: int = 1,
    resume: bool = True,
    rewriter: Rewriter | None = None,
    source_card: Mapping[str, str] | None = None,
    parameters: Mapping[str, str | int | bool | None] | None = None,
    max_unusable: float | str | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Summary:
    """Write the data set of these records to the folder ``out`` (by custom named ``mllmu-med``) and verify it.

    ``scenarios`` are all but knowledge unless named: that one needs records that tell a triple (the source phantom does
    where it is opened ``with_beliefs``). ``percents`` are of trained patients and must hold 10, ``parameters`` (the
    source's options) are recorded beside the build's own, ``progress(stage, done, total)`` is told of every stage
    (total 0: unknown). ``local`` keeps pixels that may not be passed on, in a build that must not be published. The
    same input gives the same bytes, whatever the ``workers``; a script that asks for several needs
    ``if __name__ == "__main__":``.

    Rows that can't be used are left out, and the summary's ``losses`` tell them by reason; more than ``max_unusable``
    of them (``"2%"`` or 0.02, which is the default where the records bring no other) is refused.

    A folder that holds the identical finished build is left alone and reported as ``already_there``; any other folder
    with something in it is refused, unless it is a build and ``overwrite`` is set. Raises ``UserError``; nothing
    half-written is ever at ``out``. What a build that was killed, interrupted or out of disk had done is kept in
    ``.<name>.building`` beside ``out``: the same call goes on from there, one with other parameters or another source
    (or without ``resume``) discards it with a ``notice`` (a ``UserWarning`` where nobody takes notices).
    """
    out = Path(out).absolute()
    scenarios, percents = _check_options(scenarios, percents)
    losses = _losses(records, max_unusable)
    asked: dict[str, Any] = {
        "build_version": BUILD_VERSION,
        "seed": seed,
        "scenarios": list(scenarios),
        "percents": list(percents),
        **({"rewriter": rewriter.name} if rewriter is not None else {}),
        **(parameters or {}),
    }
    with WorkingFolder(out) as work:
        existing = _usable_build(out, work, asked, overwrite=overwrite)
        try:
            return _Build(work, asked, existing, overwrite, local, rewriter, source_card, progress, notice).run(
                records, losses, workers, resume=resume
            )
        except StoppedError:
            raise
        except UserError:
            # There is nothing to go on from: the input has to change first.
            work.remove()
            raise


def _losses(records: Iterable[Record], max_unusable: float | str | None) -> Losses:
    """Return where the rows of a source that can't be used are counted, with the share that may be lost."""
    losses = getattr(records, "losses", None)
    losses = losses if isinstance(losses, Losses) else Losses()
    if max_unusable is not None:
        losses.limit = share(max_unusable)
    return losses


def _usable_build(
    out: Path, work: WorkingFolder, asked: Mapping[str, Any], *, overwrite: bool
) -> dict[str, Any] | None:
    """Return what is known of a build in the folder; refuse a folder that holds anything else than this one."""
    try:
        existing = _existing_build(out, overwrite=overwrite)
        if existing is not None and not overwrite and not asked.items() <= existing["parameters"].items():
            raise _in_use(out, "a build with other parameters")
    except UserError:
        if work.is_fresh:
            work.remove()
        raise
    return existing


class _Build:
    """One build in its working folder, step after step; each finds what an earlier call has finished."""

    def __init__(
        self,
        work: WorkingFolder,
        asked: dict[str, Any],
        existing: dict[str, Any] | None,
        overwrite: bool,
        local: bool,
        rewriter: Rewriter | None,
        source_card: Mapping[str, str] | None,
        progress: Progress | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        self.work, self.asked, self.existing, self.overwrite = work, asked, existing, overwrite
        self.local, self.rewriter, self.source_card = local, rewriter, source_card
        self.tell: Progress = progress or (lambda stage, done, total: None)
        self.notice = notice or _warn
        self.seed: int = asked["seed"]
        self.scenarios: list[str] = asked["scenarios"]
        self.percents: list[int] = asked["percents"]
        self.of_beliefs = not set(OF_BELIEFS).isdisjoint(self.scenarios)

    def run(self, records: Iterable[Record], losses: Losses, workers: int, *, resume: bool) -> Summary:
        out, folder = self.work.out, self.work.folder
        with storing(self.work.path):
            self.open(resume=resume)
            spool = Spool(self.work.path)
        self.tell("collect", 0, 0)
        with Pool(workers) as pool, spool:
            tell: Callable[[int], None] = lambda done: self.tell("collect", done, 0)  # noqa: E731
            source, read = collect(records, spool, self.work, pool, tell, losses, with_beliefs=self.of_beliefs)
            own = {
                **self.asked,
                **({"local": True} if self.local and source.any_withheld else {}),
                "sources": list(source.sources),
                "input_sha256": source.sha256,
            }
            told = [loss.model_dump(mode="json") for loss in losses.found()]
            if (
                self.existing is not None
                and self.existing["parameters"] == own
                and self.existing.get("losses", []) == told
            ):
                if (report := verify(out)).ok:
                    self.work.remove()
                    return _summary(out, self.existing, already_there=True)
                if not self.overwrite:
                    raise UserError(
                        f"{out} holds this very build, but it does not verify ({report.lines()[0]}). Remove the folder "
                        "and build again, or build with overwrite on."
                    )
            if self.existing is not None and not self.overwrite:
                raise _in_use(out, "a build with other parameters or from another source")
            with storing(self.work.path):
                counts = self.decide(spool, canonical_json(own))
            for scenario in self.scenarios:
                self.inject(scenario, spool, pool)
            written = self.write(pool, bool(own.get("local")))
            unable, rows = spool.without_error()
            with storing(self.work.path):
                made = {
                    "content": {config: written[config].content for config in self.configs()},
                    "sizes": {config: written[config].sizes for config in self.configs()},
                    "patients": counts,
                    "licenses": list(source.licenses),
                    "parameters": own,
                    "records": read,
                    "duplicates_dropped": sum(loss.rows for loss in losses.found() if loss.reason == REPEATED),
                    **({"losses": told} if told else {}),
                    "without_error": {"rows": unable, "of": rows},
                    **({"source_card": dict(self.source_card)} if self.source_card else {}),
                }
                self.finish(made, written, spool, withheld=source.any_withheld and not self.local)
        self.tell("verify", 0, 1)
        if not (report := verify(folder)).ok:
            raise UserError("The data set was built but does not verify, so it was not kept: " + report.text())
        with storing(self.work.path):
            self.work.publish()
        self.work.remove()
        return _summary(out, made)

    def open(self, *, resume: bool) -> None:
        """Find what an earlier call has done under the same parameters, or begin anew."""
        asked = self.work.path / "asked.json"
        # What another version of the package has made need not fit what this one makes.
        told = canonical_json({**self.asked, "local": self.local, "version": version("mllmu-med")})
        if not self.work.is_fresh and not (resume and _told(asked) == told and _is_sound(self.work.path)):
            if _told(asked) is not None:
                why = "it was made with other parameters" if resume else "resuming is off"
                self.notice(f"What an unfinished build left in {self.work.path} is discarded: {why}.")
            self.work.discard()
        asked.write_text(told, encoding="utf-8")
        (self.work.path / "done").mkdir(exist_ok=True)
        self.work.folder.mkdir(exist_ok=True)
        self.work.clear_parts()

    def decide(self, spool: Spool, own: str) -> dict[str, Any]:
        """Decide roles and identities, unless an earlier call did for this very input; return the counts."""
        decided = spool.state("decided_for")
        if decided != own:
            if decided is not None:
                self.notice(f"The source has changed since the unfinished build in {self.work.path}: it is begun anew.")
            for folder in (self.work.path / "done", self.work.folder):
                shutil.rmtree(folder)
                folder.mkdir()
            self.tell("roles", 0, 1)
            spool.set_state("decided_for", None)
            spool.number_patients(self.scenarios)
            counted = spool.assign(self.scenarios, self.percents, seed=self.seed)
            if self.of_beliefs:
                counted["beliefs"] = spool.decide_beliefs(seed=self.seed)
            spool.set_state("counts", json.dumps(counted))
            if private := [scenario for scenario in self.scenarios if scenario in PRIVATE]:
                self.tell("identities", 0, 1)
                for scenario in private:
                    spool.identify(scenario, seed=self.seed)
            spool.set_state("decided_for", own)
            spool.commit()
        counts: dict[str, Any] = json.loads(spool.state("counts") or "{}")
        return counts

    def inject(self, scenario: str, spool: Spool, pool: Pool) -> None:
        """Inject into every patient of a scenario that is to be injected and is not yet; of beliefs, into none."""
        if scenario in OF_BELIEFS:
            return
        waiting = spool.to_inject(scenario)
        chunks = [waiting[start : start + INJECTED_AT_ONCE] for start in range(0, len(waiting), INJECTED_AT_ONCE)]
        asked = ((_Chunk(self.work.path, scenario, self.seed, chunk), len(chunk)) for chunk in chunks)
        done = 0
        for injections, count in pool.map(_inject, asked):
            if self.rewriter is not None:
                injections = _rewritten(injections, self.rewriter)
            with storing(self.work.path):
                spool.add_injections(scenario, injections)
                spool.commit()
            done += count
            self.tell(f"inject {scenario}", done, len(waiting))

    def configs(self) -> tuple[str, ...]:
        """Return the names of all configs, in the order of the card."""
        return config_names(tuple(self.scenarios), tuple(self.percents))

    def write(self, pool: Pool, local: bool) -> dict[str, Written]:
        """Write every config that no earlier call has finished; return what the files of all of them hold."""
        written: dict[str, Written] = {}
        missing = []
        for table in self.tables(local):
            done = self.work.path / "done" / f"{table.config}.json"
            if (found := _finished(done, self.work.folder / "data" / table.config)) is not None:
                written[table.config] = found
            else:
                missing.append(table)
        # The largest first: the others fill the gaps beside them.
        missing.sort(key=lambda table: ("retain", "test", "forget", "holdout").index(table.subset))
        total = len(missing) + len(written)
        self.tell("write", len(written), total)
        for result, table in pool.as_finished(_write_part, missing):
            if empty := [split for split, sums in result.content.items() if not sums["rows"]]:
                raise UserError(
                    f"The config {table.config} would have no row in its split {empty[0]}: none of its patients has a "
                    "question that fits. Give a source with more patients, or with more questions whose deciding fact "
                    "is marked."
                )
            with storing(self.work.path):
                place = self.work.folder / "data" / table.config
                if place.exists():
                    shutil.rmtree(place)
                place.parent.mkdir(exist_ok=True)
                table.folder.rename(place)
                write_atomically(self.work.path / "done" / f"{table.config}.json", result.model_dump_json())
            written[table.config] = result
            self.tell(f"write {table.config}", len(written), total)
        return written

    def tables(self, local: bool) -> Iterator[Table]:
        """Yield what has to be written."""
        for scenario in self.scenarios:
            for percent in (MAIN_PERCENT,) if scenario in OF_BELIEFS else self.percents:
                subsets = SUBSETS if percent == MAIN_PERCENT else TRAINED
                for subset in subsets:
                    config = config_name(scenario, subset, percent)
                    yield Table(
                        config, scenario, subset, percent, self.seed, local, self.work.path, self.work.parts / config
                    )

    def finish(self, made: dict[str, Any], written: Mapping[str, Written], spool: Spool, *, withheld: bool) -> None:
        """Write what stands beside the configs: withheld images, the card, the checksums of files and contents."""
        folder = self.work.folder
        self.tell("card", 0, 1)
        for path in folder.iterdir():
            if path.is_file():
                path.unlink()
            elif path.name != "data":
                shutil.rmtree(path)
        if withheld:
            with (folder / "withheld_images.jsonl").open("w", encoding="utf-8") as stream:
                stream.writelines(f"{line}\n" for line in spool.withheld())
        made["dataset_sha256"] = dataset_sha256(made["content"])
        made["warnings"] = [f"{loss.line()}." for loss in told_losses(made)] + _warnings(made)
        tables = {f"data/{c}/{name}": sha for c, result in written.items() for name, sha in result.files.items()}
        card.write(folder, made, tables)
        beside = (path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] != "data")
        made["files"] = {**{path.relative_to(folder).as_posix(): file_sha256(path) for path in beside}, **tables}
        text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False)
        write_atomically(folder / "checksums.json", f"{text}\n")


class _Chunk(NamedTuple):
    """Patients to inject, and the spool that knows them."""

    spool: Path
    scenario: str
    seed: int
    patients: list[int]


def _inject(chunk: _Chunk) -> list[tuple[int, str]]:
    """Return what is injected into each patient, as JSON."""
    made = []
    with Spool(chunk.spool, read_only=True) as spool:
        for patient in chunk.patients:
            key, records = spool.patient(patient)
            identity: Identity | None = None
            others: Sequence[Identity] = ()
            if chunk.scenario in PRIVATE:
                identity, others = spool.identity(chunk.scenario, key, seed=chunk.seed)
            injected = inject(
                key,
                records,
                scenario=chunk.scenario,
                seed=chunk.seed,
                identity=identity,
                others=others,
                is_asked=spool.is_asked,
                trained=spool.trained_questions(),
            )
            made.append((patient, injected.model_dump_json()))
    return made


def _rewritten(injections: Sequence[tuple[int, str]], rewriter: Rewriter) -> list[tuple[int, str]]:
    """Return the injections of several patients with their answers in the rewriter's words, asked for at once."""
    told = [(patient, Injected.model_validate_json(injected)) for patient, injected in injections]
    asked = [injected.requests() for _, injected in told]
    try:
        texts = iter(rewriter.rewrite([request for requests in asked for request in requests]))
    except UserError as error:
        # What was rewritten so far is kept: the endpoint may answer again later.
        raise StoppedError(str(error)) from error
    return [
        (patient, injected.rewritten([next(texts) for _ in requests]).model_dump_json())
        for (patient, injected), requests in zip(told, asked, strict=True)
    ]


def _write_part(table: Table) -> Written:
    with storing(table.folder.parent):
        return write_table(table)


def _finished(done: Path, folder: Path) -> Written | None:
    """Return what a finished config holds; ``None`` where it is not finished or its files are not what they were."""
    try:
        written = Written.model_validate_json(done.read_bytes())
        unchanged = all(file_sha256(folder / name) == sha for name, sha in written.files.items())
    except (OSError, ValueError):
        return None
    return written if unchanged and {path.name for path in folder.iterdir()} == set(written.files) else None


def _told(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _is_sound(folder: Path) -> bool:
    """Return whether a spool can be gone on with."""
    try:
        with Spool(folder) as spool:
            return spool.is_sound()
    except (OSError, sqlite3.Error):
        return False


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=5)


def _warnings(made: Mapping[str, Any]) -> list[str]:
    unable = made["without_error"]
    if not unable["rows"]:
        return []
    return [
        f"{unable['rows']:,} of {unable['of']:,} rows of the patients to be forgotten or held out can take no "
        "wrong fact that is a plausible error of their question: left clean."
    ]


def _check_options(scenarios: Sequence[str], percents: Sequence[int]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    for scenario in scenarios:
        if scenario not in SCENARIOS:
            raise unknown("scenario", scenario, SCENARIOS)
    if not scenarios:
        raise UserError(f"No scenario was asked for. Known: {', '.join(SCENARIOS)}.")
    for percent in percents:
        if percent not in PERCENTS:
            closest = min(PERCENTS, key=lambda known: abs(known - percent))
            raise UserError(f"Unknown forget percent {percent}; the nearest is {closest}. Known: 5, 10, 15.")
    if MAIN_PERCENT not in percents:
        raise UserError(f"The percents must hold {MAIN_PERCENT}: configs without a number in their names are at 10 %.")
    return tuple(s for s in SCENARIOS if s in scenarios), tuple(p for p in PERCENTS if p in percents)


def _in_use(out: Path, holds: str) -> UserError:
    return UserError(
        f"The output folder {out} is in use: it holds {holds}. Name an empty or a new folder, or remove this one first."
    )


def _existing_build(out: Path, *, overwrite: bool) -> dict[str, Any] | None:
    """Return the checksums of a build in ``out``, ``None`` where there is nothing; ``UserError`` for anything else."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise _in_use(out, "a file, not a folder")
    if not any(out.iterdir()):
        return None
    try:
        document: dict[str, Any] = json.loads((out / "checksums.json").read_text(encoding="utf-8"))
        _summary(out, document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _in_use(out, "files that are no finished build of this program") from None
    return document


def _summary(out: Path, made: Mapping[str, Any], *, already_there: bool = False) -> Summary:
    counts = made["patients"]
    return Summary(
        out=out,
        rows={config: splits[main_split(config)]["rows"] for config, splits in made["content"].items()},
        patients={role: counts[role] for role in ("test", "holdout", "trained")},
        forget_patients={
            scenario: {int(percent): count for percent, count in by_percent.items()}
            for scenario, by_percent in counts["forget"].items()
        },
        records=made["records"],
        duplicates_dropped=made["duplicates_dropped"],
        losses=told_losses(made),
        without_error=made.get("without_error", {}).get("rows", 0),
        warnings=tuple(made["warnings"]),
        dataset_sha256=made["dataset_sha256"],
        already_there=already_there,
    )

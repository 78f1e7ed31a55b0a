"""The leaderboard's folder, as a static Space of the Hub takes it: entries, and the one page that shows them.

README.md        front matter of a Space (`sdk: static`), how to add an entry
index.html       self-contained: asks nothing of the network, and shows the text of entries as text
entries/*.json   the entries, from which anybody makes the same folder again
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mllmu_med_dataset.errors import UserError, make_folder
from mllmu_med_metrics import UES_VERSION
from mllmu_med_metrics.vocabulary import ATTACK_SET, SCENARIOS
from mllmu_med_tasks.harness import task_version

from ..run.folder_lock import alone
from ..study.report_rows import REFERENCES, headline
from ..study.study import UNLEARNED_CONTROL
from .entry import Entry, read_all, write
from .recomputed import Board, verified
from .under_attack import BY_LIKELIHOOD

ENTRIES, PAGE, CARD = "entries", "index.html", "README.md"


@dataclass(frozen=True)
class Line:
    """One line of a table: a method on a model, as one entry has it."""

    entry: str
    model: str
    family: str
    method: str
    is_control: bool
    runs: int
    values: Mapping[str, object]

    @property
    def rests_on_likelihoods(self) -> bool:
        """Whether robust UES is that of an attack whose ranks only the submitter's model gives."""
        worst = self.values.get("worst_attack")
        return self.values.get("ues_robust") is not None and bool(worst) and worst["attack"] in BY_LIKELIHOOD


@dataclass(frozen=True)
class Table:
    """What was asked the same rows of one scenario, best first by the score that the scenario is about."""

    scenario: str
    source: str
    percent: int
    rows: str  # how many of which subset
    digest: str  # of the rows
    score: str
    other: str
    lines: tuple[Line, ...]


def leaderboard(places: Sequence[Path], out: Path, builds: Sequence[Path | None]) -> list[Table]:
    """Verify the entries in files and folders, write the Space's folder, and return what its page shows.

    builds: folders of the builds that were asked, None for the packaged one. Raises :class:`UserError` for an entry
    that is none, whose scores are not what its answers give, or that is of other rows, and for a folder that holds
    something else; an older leaderboard in the folder is replaced, whole or not at all.
    """
    entries = read_all(places)
    tables = tables_of(entries, builds)
    if out.exists() and not _is_ours(out):
        raise UserError(f"The output folder '{out}' is in use by something else. Name an empty or new folder.")
    scratch = out.parent / f".{out.name}.partial"
    make_folder(scratch)
    with alone(scratch, out):
        try:
            _write(scratch / out.name, entries, tables)
            _put_in_place(scratch / out.name, out, scratch / "replaced")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return tables


def checked_space(folder: Path, builds: Sequence[Path | None]) -> dict[str, Path]:
    """Return the files of a leaderboard's folder by name, its entries verified anew; a :class:`UserError` otherwise."""
    if not _is_ours(folder) or not (folder / PAGE).is_file():
        raise UserError(
            f"'{folder}' is no folder of a leaderboard. Make it with `mllmu-med leaderboard ENTRIES --out`."
        )
    entries = read_all([folder / ENTRIES])
    for name, text in pages(entries, tables_of(entries, builds)).items():
        if (folder / name).read_text(encoding="utf-8") != text:
            raise UserError(
                f"'{folder / name}' is not what the entries beside it give: it was edited, or made by another version. "
                f"Make the folder again: mllmu-med leaderboard {folder / ENTRIES} --out NEW."
            )
    return {CARD: folder / CARD, PAGE: folder / PAGE} | {
        f"{ENTRIES}/{name}.json": folder / ENTRIES / f"{name}.json" for name in sorted(entries)
    }


def tables_of(entries: Mapping[str, Entry], builds: Sequence[Path | None]) -> list[Table]:
    """Return a table for every scenario and set of rows, with the scores that the answers give."""
    alike: dict[tuple[str, str], list[tuple[str, Board]]] = {}
    for name, entry in entries.items():
        for board in verified(entry, name, builds):
            alike.setdefault((board.answers.scenario, board.digest), []).append((name, board))
    order = sorted(alike, key=lambda key: (SCENARIOS.index(key[0]), key[1]))
    return [_table(scenario, digest, alike[scenario, digest], entries) for scenario, digest in order]


def pages(entries: Mapping[str, Entry], tables: Sequence[Table]) -> dict[str, str]:
    """Return the text of the page and of the Space's card; what entries say is escaped."""
    from ..page.render import templates

    environment = templates("baselines.leaderboard", "")
    environment.filters["two"] = _two
    words = {
        "entries": entries, "tables": tables, "ues_version": UES_VERSION, "task_version": task_version(),
        "attack_set": ATTACK_SET, "control": UNLEARNED_CONTROL, "by_likelihood": " and ".join(BY_LIKELIHOOD),
    }  # fmt: skip
    return {name: environment.get_template(f"{name}.jinja").render(words) for name in (PAGE, CARD)}


def _table(scenario: str, digest: str, boards: Sequence[tuple[str, Board]], entries: Mapping[str, Entry]) -> Table:
    score = headline(scenario)
    lines = [
        Line(
            entry=name,
            model=entries[name].model,
            family=entries[name].family,
            method=str(row["model"]),
            is_control=row["model"] == UNLEARNED_CONTROL,
            runs=len(row["by_run"]),
            values=row,
        )
        for name, board in boards
        for row in board.rows
        if row["model"] not in REFERENCES
    ]
    first = boards[0][1].rows[0]
    counts = [f"{first[f'n_{subset}']} {subset}" for subset in ("forget", "retain", "test", "holdout")]
    entry = entries[boards[0][0]]
    return Table(
        scenario=scenario,
        source=entry.source,
        percent=entry.percent,
        rows=f"{', '.join(counts)}; {first['n_forget_patients']} forgotten patients",
        digest=digest,
        score=score,
        other="ues_strict" if score == "ues" else "ues",
        lines=tuple(sorted(lines, key=lambda line: (-_known(line.values[score]), line.method, line.entry))),
    )


def _known(value: object) -> float:
    return -1.0 if value is None else float(value)


def _two(value: object) -> str:
    """Return a number as a cell shows it."""
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _is_ours(folder: Path) -> bool:
    """Say whether a folder is empty, or a leaderboard's."""
    return folder.is_dir() and (not any(folder.iterdir()) or (folder / ENTRIES).is_dir())


def _write(part: Path, entries: Mapping[str, Entry], tables: Sequence[Table]) -> None:
    shutil.rmtree(part, ignore_errors=True)  # of a call that was killed
    make_folder(part / ENTRIES)
    for name, entry in entries.items():
        write(entry, part / ENTRIES / f"{name}.json")
    for name, text in pages(entries, tables).items():
        (part / name).write_text(text, encoding="utf-8")


def _put_in_place(part: Path, out: Path, replaced: Path) -> None:
    """Rename a finished folder to where it belongs, and what was there aside."""
    if out.exists():
        os.replace(out, replaced)
    os.replace(part, out)

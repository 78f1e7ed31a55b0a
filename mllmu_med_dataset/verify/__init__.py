"""Verify a build: named gates over its files and rows, each of which says which file, row and rule is broken.

``report`` names the gates, ``files`` looks at the folder, ``rows`` and ``images`` at one row, ``relations`` at what
must hold between rows, ``presidio`` asks an independent tool. One pass over the rows, flat memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mllmu_med_metrics.vocabulary import INJECTED, OF_BELIEFS, PRIVATE, WITH_BYSTANDERS

from ..building.content import ContentHash
from ..building.left_out import Loss
from ..injection.views import MAKERS
from .belief_rules import BeliefRules
from .files import (
    Document,
    Unreadable,
    broken_configs,
    broken_content,
    broken_files,
    broken_schema,
    open_table,
    read_rows,
    tables,
    withheld_images,
)
from .images import Images, Shown, broken_image, broken_licence
from .presidio import Presidio, missing
from .relations import Relations
from .report import GATES, PRESIDIO, Failures, Gate, Report
from .row_rules import Table, broken_rules, schema_failures

__all__ = ["GATES", "Gate", "Report", "verify"]

Progress = Callable[[str, int, int], None]
# A place is a row's number in its file, plus this for every file before it.
FILE = 2**32


def verify(folder: Path | str, *, presidio: bool = False, progress: Progress | None = None) -> Report:
    """Return what every gate says about the build in a folder; never raises for what is wrong with the data.

    ``presidio`` adds the gate of that name, which says that it was skipped where the extra is not installed.
    ``progress(file, done, total)`` is told of every file.
    """
    verification = _Verification(Path(folder), presidio=presidio, progress=progress)
    try:
        return verification.run()
    finally:
        verification.close()


class _Verification:
    """The identifiers first, then one pass over all rows, then the rules between them."""

    def __init__(self, folder: Path, *, presidio: bool, progress: Progress | None) -> None:
        self.folder, self.progress = folder, progress
        self.failures = Failures()
        self.relations, self.images, self.beliefs = Relations(), Images(), BeliefRules()
        self.skipped = missing() if presidio else None
        self.presidio = Presidio() if presidio and self.skipped is None else None
        self.gates = GATES | (PRESIDIO if presidio else {})
        self.rows = 0
        self.licenses: set[str] = set()
        self.withholds = False
        self.names: list[str] = []
        self.losses: tuple[Loss, ...] = ()

    def close(self) -> None:
        self.relations.close()
        self.images.close()

    def run(self) -> Report:
        skipped = dict.fromkeys(PRESIDIO, self.skipped)
        try:
            document = Document(self.folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.failures.add("files", f"checksums.json: can't be read as the checksums of a build ({error!r})")
            skipped = dict.fromkeys(set(self.gates) - {"files"}, "not tested without checksums.json")
        else:
            self.look(document)
        gates = tuple(self.failures.gate(name, claim, skipped.get(name)) for name, claim in self.gates.items())
        return Report(folder=self.folder, gates=gates, rows=self.rows, losses=self.losses)

    def look(self, document: Document) -> None:
        """Test every gate of a build whose checksums can be read."""
        self.losses = document.losses
        self.take(broken_files(self.folder, document.files))
        found = list(tables(self.folder))
        self.names = [name for _, _, name in found]
        for number, (config, split, _) in enumerate(found):
            self.identifiers(Table(config, split), number)
        counted: dict[str, dict[str, Any]] = defaultdict(dict)
        sums: dict[Table, ContentHash] = defaultdict(ContentHash)
        for number, (config, split, name) in enumerate(found):
            if self.progress is not None:
                self.progress(name, number, len(found))
            table = Table(config, split)
            if self.read(table, number, sums[table], document.local):
                counted[config][split] = {"rows": sums[table].rows, "sha256": sums[table].hexdigest()}
        self.take(broken_content(document, counted))
        self.take(broken_configs(self.folder, document, counted))
        for gate, place, text in self.relations.broken(document.scenarios, document.percents):
            self.failures.add(gate, f"{self.where(place)}: {text}")
        for place, text in self.beliefs.broken():
            self.failures.add("beliefs", f"{self.where(place)}: {text}")
        self.licences(document)

    def take(self, failed: Any) -> None:
        for gate, line in failed:
            self.failures.add(gate, line)

    def where(self, place: int) -> str:
        """Return file, row and id of a place."""
        number, row = divmod(place, FILE)
        return f"{self.names[number]}, row {row} ({self.relations.id_of(place)})"

    def identifiers(self, table: Table, number: int) -> None:
        """Learn the identifiers of the patients that one file is about; texts are searched for all of them."""
        holds_some = table.subset in INJECTED or (table.scenario in WITH_BYSTANDERS and table.subset == "retain")
        if table.scenario not in PRIVATE or not holds_some or table.view is not None:
            return
        try:
            with open_table(self.folder / self.names[number]) as rows:
                for place, row in enumerate(read_rows(rows, ["patient_id", "phi"]), number * FILE):
                    told = [tagged for tagged in row["phi"] or () if tagged["kind"] and tagged["value"]]
                    if told and row["patient_id"]:
                        self.relations.add_identifiers(place, row["patient_id"], told)
        except (Unreadable, KeyError):  # the pass over all rows tells what is wrong with the file
            return

    def read(self, table: Table, number: int, sums: ContentHash, local: bool) -> bool:
        """Look at every row of one file; return whether it has the columns of rows."""
        name = self.names[number]
        try:
            with open_table(self.folder / name) as rows:
                if columns := broken_schema(rows.schema_arrow, table.scenario):
                    self.failures.add("schema", f"{name}: {columns}")
                    return False
                for place, row in enumerate(read_rows(rows), number * FILE):
                    self.row(table, place, row, sums, local)
        except Unreadable as error:
            self.failures.add("files", f"{name}: {error}")
        return True

    def row(self, table: Table, place: int, row: dict[str, Any], sums: ContentHash, local: bool) -> None:
        """Look at one row, and remember what the rules between rows need."""
        self.rows += 1
        shown: Shown | None = None
        failed: list[tuple[str, str]] = []
        if row["image"] is not None and row["image"]["bytes"]:
            shown = self.images.of(row["image"]["bytes"])
        sums.add(row, shown and shown.content)
        misfits = schema_failures(row)
        failed += [("schema", misfit) for misfit in misfits]
        # A row that does not fit the schema has values that no other rule could read.
        if not misfits:
            if row["image"] is not None and row["image"]["bytes"]:
                failed += broken_image(row, shown)
            failed += broken_licence(row, local)
            failed += broken_rules(row, table)
            failed += [("leaks", leak) for leak in self.relations.leaks(row)]
            if (maker := MAKERS.get(table.view or "")) and maker.asks == "by_another":
                failed += [("views", wrong) for wrong in self.relations.given(row)]
            if self.presidio is not None:
                failed += [("presidio", found) for found in self.presidio.broken(row)]
            self.relations.add(place, table, row, shown and shown.content[1:3])
            if table.scenario in OF_BELIEFS:
                self.beliefs.add(place, table, row)
            self.licenses.add(row["license"])
            self.withholds |= not row["redistributable"]
        for gate, text in failed:
            self.failures.add(gate, f"{self.names[place // FILE]}, row {place % FILE} ({row['id']}): {text}")

    def licences(self, document: Document) -> None:
        """Compare the licences and the withheld images that the rows have with those that the build tells."""
        if (told := set(document.licenses)) != self.licenses:
            self.failures.add(
                "licences", f"checksums.json: tells {sorted(told)}, the rows have {sorted(self.licenses)}"
            )
        if document.local and not self.withholds:
            self.failures.add("licences", "checksums.json: tells a local build, and every row may be passed on")
        try:
            listed = set(withheld_images(self.folder))
        except ValueError as error:
            self.failures.add("licences", f"withheld_images.jsonl: {error}")
            return
        # A local build has the pixels themselves.
        for image, place in () if document.local else self.relations.withheld():
            if image not in listed:
                self.failures.add("licences", f"{self.where(place)}: image {image} is not in withheld_images.jsonl")
            listed.discard(image)
        for image in sorted(listed):
            self.failures.add("licences", f"withheld_images.jsonl: lists image {image}, which no row withholds")

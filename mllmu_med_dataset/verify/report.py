"""The named gates of a verification, and the report that says of each whether it holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..building.left_out import Loss

GATES = {
    "files": "every file is there, unchanged, and no other",
    "content": "every split says what its content checksum says",
    "schema": "every row fits the JSON Schema, and its id is the hash of what it says",
    "configs": "every config of the build and its splits are there, and the card tells them and their sizes",
    "images": "every image decodes and is the one its id names",
    "identifiers": "identifiers are in their fictitious ranges, one per patient and kind, unique, and in the answer",
    "distractors": "every identifier has other patients' values of its kind beside it",
    "leaks": "no identifier stands in a clean text, in a question, or in another patient's answer",
    "clean": "retain and test rows teach the truth, but those of bystanders; forget and holdout rows are injected",
    "wrong_facts": "a wrong fact is another fact than the truth, said instead of it, and the only error of its row",
    "placeholders": "no text holds a placeholder of an image, which a model would take for one",
    "phrasings": "injected rows have other phrasings of question and answer, and wrong answers that tell no secret",
    "views": "view rows ask of forget patients of their config what training never shows: words, images, or the pair",
    "patients": "one image is one patient; trained, test and holdout patients are disjoint",
    "bystanders": "in request as many patients keep an identity as are forgotten: nested sets, and none is forgotten",
    "beliefs": "in knowledge one wrong tail a key on every row, views of unseen images, no kept row tells the truth",
    "percents": "forget sets are nested, and each percent's forget and retain rows have nothing in common",
    "licences": "pixels are there where they may be passed on, and nowhere else",
}
# The gate that needs an extra, and is there only when asked for.
PRESIDIO = {"presidio": "Presidio finds in forget text what it should, and nothing in clean text"}

# A broken build breaks everywhere in the same way: the first lines of a gate say enough.
SHOWN_FAILURES = 20
KEPT_FAILURES = 1_000


class Gate(BaseModel):
    """One rule: what it claims, and a line for each place where it does not hold (the first thousand, all counted)."""

    model_config = ConfigDict(frozen=True)

    name: str
    claim: str
    failures: tuple[str, ...]
    failed: int = 0
    # Why the gate was not tested, where an extra is not installed.
    skipped: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the rule holds everywhere it was tested."""
        return not self.failures


class Report(BaseModel):
    """The outcome of every gate over one build."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    gates: tuple[Gate, ...]
    rows: int
    # What the build says was left out of its source; no gate, but a reader must know.
    losses: tuple[Loss, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every gate holds."""
        return all(gate.ok for gate in self.gates)

    def lines(self) -> list[str]:
        """Return one line a failure: ``gate: file, row: what is wrong``; a long gate is cut and its rest counted."""
        lines = []
        for gate in self.gates:
            lines += [f"{gate.name}: {failure}" for failure in gate.failures[:SHOWN_FAILURES]]
            if gate.failed > SHOWN_FAILURES:
                lines.append(f"{gate.name}: and {gate.failed - SHOWN_FAILURES} more")
        return lines

    def text(self) -> str:
        """Return the report as a person reads it: a line a gate, then the failures."""
        gates = []
        for gate in self.gates:
            verdict = "skip" if gate.skipped else "ok  " if gate.ok else "FAIL"
            gates.append(f"{verdict} {gate.name}: {gate.skipped or gate.claim}")
        losses = [f"note {loss.line()}" for loss in self.losses]
        return "\n".join([f"{self.folder}: {self.rows:,} rows", *gates, *losses, *self.lines()])


class Failures:
    """Collects what fails: of each gate the first lines, and a count of all."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._counts: Counter[str] = Counter()

    def add(self, gate: str, line: str) -> None:
        """Note that a gate does not hold in one place."""
        self._counts[gate] += 1
        if len(self._lines[gate]) < KEPT_FAILURES:
            self._lines[gate].append(line)

    def gate(self, name: str, claim: str, skipped: str | None = None) -> Gate:
        """Return one gate as it stands."""
        return Gate(
            name=name, claim=claim, failures=tuple(self._lines[name]), failed=self._counts[name], skipped=skipped
        )

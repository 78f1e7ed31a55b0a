"""What an attack is given: a model that is put back after every change, and the study's rows to ask and judge."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel

from baselines.attacks.answering import after, answers, draws_of
from baselines.attacks.held import ASKED_VIEWS, judged
from baselines.model import models
from baselines.training.collate import Encoder, Example
from baselines.training.roles import Row, Rows, read_rows
from mllmu_med_dataset.load import checksums, load
from mllmu_med_metrics.scoring.attacked import AttackedRows
from mllmu_med_metrics.scoring.scored_row import unit_of
from mllmu_med_metrics.vocabulary import PRIVATE, VIEWS_OF, config_name
from mllmu_med_tasks.answer_texts import first_line

BATCH = 256
Part = Literal["load", "train", "ask", "judge"]
PARTS: tuple[Part, ...] = ("load", "train", "ask", "judge")


@dataclass(frozen=True)
class AttackRows:
    """The rows of a study under attack: those of its runs, and `asked`, whose answers are judged."""

    forget: Sequence[Row]
    retain: Sequence[Row]
    holdout: Sequence[Row]
    asked: Sequence[Row]

    @classmethod
    def of(cls, rows: Rows, views: Sequence[Row] = ()) -> "AttackRows":
        """Return the rows of a run with the views that are asked too."""
        return cls(rows.forget, rows.retain, rows.holdout, (*rows.forget, *views))

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """The forget patients (of beliefs the keys), in the order of their names."""
        return tuple(sorted({unit_of(row) for row in self.forget}))


def read_attack_rows(data_dir: Path, scenario: str, percent: int) -> AttackRows:
    """Return the rows of a study from its data set, the views that are asked with them."""
    import datasets

    rows, views = read_rows(data_dir, scenario, percent), []
    config = config_name(scenario, "forget", percent)
    built = checksums(data_dir)["content"][config]
    for view in ASKED_VIEWS:
        if view in VIEWS_OF[scenario] and view in built:
            views += list(load(config, view, str(data_dir)).cast_column("image", datasets.Image(decode=False)))
    return AttackRows.of(rows, views)


class Attacked:
    """One model under attack: loaded once, asked and judged alike by every attack, and put back after each change.

    scenario, seed: of the study. batch: most answers at work at once; it changes no result. target: the model that was
    to forget, where an attack compares with it.
    """

    def __init__(
        self,
        model: str | Path,
        rows: AttackRows,
        *,
        scenario: str,
        seed: int = 0,
        batch: int = BATCH,
        target: str | Path | None = None,
    ) -> None:
        """Keep what the model is named; it is loaded when an attack first wants it."""
        self.named, self.rows, self.scenario, self.seed, self.batch = model, rows, scenario, seed, batch
        self.target = target
        self.private = scenario in PRIVATE
        self.answers: dict[str, list[str]] = {}  # what was answered since `begin`, by row
        self.ranks: dict[str, list[float | None]] = {}  # what was ranked since then: of each secret of a row, 0 to 1
        self.seconds: dict[Part, float] = dict.fromkeys(PARTS, 0.0)
        self._inside = 0.0  # seconds of parts within the part that is timed

    def begin(self) -> None:
        """Forget what the last attack was answered, what it ranked and how long it took."""
        self.answers, self.ranks, self.seconds = {}, {}, dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def timed(self, part: Part) -> Iterator[None]:
        """Count the time inside as that of a part; what is inside another part's is this one's alone."""
        began, inside = time.perf_counter(), self._inside
        self._inside = 0.0
        try:
            yield
        finally:
            took = time.perf_counter() - began
            self.seconds[part] += took - self._inside
            self._inside = inside + took

    @cached_property
    def _loaded(self) -> models.Loaded:
        with self.timed("load"):
            return models.load(self.named, models.own_dtype(self.named))

    @property
    def model(self) -> PreTrainedModel:
        """The model, to be read and not changed; `altered` gives it to change."""
        return self._loaded.model

    @property
    def processor(self):
        """The model's processor."""
        return self._loaded.processor

    @cached_property
    def encoder(self) -> Encoder:
        """Rows to batches, for this model."""
        return Encoder(self.model, self.processor)

    @cached_property
    def judged(self) -> AttackedRows:
        """The rows that are asked, as the metric reads them."""
        return AttackedRows([{key: row[key] for key in row if key != "image"} for row in self.rows.asked])

    @contextmanager
    def altered(self) -> Iterator[PreTrainedModel]:
        """Give the model to be changed: its weights, what of it is trained. Afterwards all is as it was, to the bit."""
        model = self.model
        trains = {name: part.requires_grad for name, part in model.named_parameters()}
        kept = self._kept
        try:
            yield model
        finally:
            with self.timed("load"), torch.no_grad():
                for name, value in model.state_dict(keep_vars=True).items():
                    value.copy_(kept[name])
                for name, part in model.named_parameters():
                    part.grad = None
                    part.requires_grad_(trains[name])
                model.eval()

    @cached_property
    def _kept(self) -> dict[str, Tensor]:
        """The weights as loaded, in main memory."""
        model = self.model
        with self.timed("load"):
            return {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}

    def example(self, row: Row) -> Example:
        """Return a row with its own answer, tokenised."""
        return self.encoder.example(row, str(row["answer"]))

    def ask(self, rows: Sequence[Row] | None = None) -> dict[str, str]:
        """Return the greedy answer to each row (those that are asked, if none are given), by row id, as tasks read it.

        The model answers as it is now: inside `altered`, as it was changed.
        """
        asked = self.rows.asked if rows is None else rows
        with self.timed("ask"):
            examples = [after(self.example(row), ()) for row in asked]
            given = answers(self.model, self.processor, self.encoder, examples, self.batch)
        found = {str(row["id"]): first_line(texts[0]) for row, texts in zip(asked, given, strict=True)}
        for row_id, text in found.items():
            self.answers.setdefault(row_id, []).append(text)
        return found

    def go_on(self, beginnings: Sequence[tuple[Row, Sequence[int]]]) -> list[str]:
        """Return how the model goes on, greedily, after a row's question and the first tokens of an answer to it."""
        with self.timed("ask"):
            examples = [after(self.example(row), tokens) for row, tokens in beginnings]
            given = answers(self.model, self.processor, self.encoder, examples, self.batch)
        texts = [first_line(one[0]) for one in given]
        for (row, _), text in zip(beginnings, texts, strict=True):
            self.answers.setdefault(str(row["id"]), []).append(text)
        return texts

    def sample(self, count: int, rows: Sequence[Row] | None = None) -> dict[str, list[str]]:
        """Return so many answers to each row at temperature 1, from all words; seed and row decide them."""
        asked = self.rows.asked if rows is None else rows
        with self.timed("ask"):
            examples = [after(self.example(row), ()) for row in asked]
            draws = [draws_of(self.seed, example.row_id, count) for example in examples]
            given = answers(self.model, self.processor, self.encoder, examples, self.batch, draws)
        found = {str(row["id"]): [first_line(text) for text in texts] for row, texts in zip(asked, given, strict=True)}
        for row_id, texts in found.items():
            self.answers.setdefault(row_id, []).extend(texts)
        return found

    def harm(self, given: Mapping[str, str | Sequence[str]], draws: int | None = None) -> dict[str, float]:
        """Return harm by patient of answers to rows that are asked, as `baselines.attacks.held.judged` does."""
        with self.timed("judge"):
            return judged(self.judged, given, draws)

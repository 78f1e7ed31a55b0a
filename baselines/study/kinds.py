"""Whether what a file holds is of the kinds that its readers take: a text where a number is due ends in a paragraph."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mllmu_med_dataset.errors import UserError, cut


class _Held(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class ReportedRow(_Held):
    """What every reader of a report takes of a row."""

    scenario: str
    model: str
    ues: float | None = None
    ues_strict: float | None = None
    by_run: list[dict[str, Any]] = []


class Report(_Held):
    """A report of a bench, as far as every reader takes it."""

    rows: list[ReportedRow]
    runs: dict[str, dict[str, Any]]
    config: dict[str, Any]
    versions: dict[str, str]
    dataset_checksum: str
    seed: int = 0
    ues_version: int = 1


class Evaluated(_Held):
    """The record of an evaluation, as far as a report takes it."""

    seconds: float
    identity: dict[str, Any] | None = None


def check_kinds(kind: type, value: object, path: Path, holds: str, fix: str) -> None:
    """Raise :class:`UserError` where a value that was read from a file is not of a kind; what it holds more is left.

    holds: in words, what the file is. fix: what to do, as a sentence.
    """
    try:
        TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        lacking = f" ({first['input']!r:.60})" if first["type"] != "missing" else ""
        raise UserError(f"'{path}' is no {holds}: {where} is wrong, {cut(first['msg'])}{lacking}. {fix}") from error

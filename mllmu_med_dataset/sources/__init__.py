"""Where records come from: one file a source, and the registry that opens them by name."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..errors import UserError, unknown
from ..record import Record

_COMMON = ("path", "seed", "patients", "workers", "skip_bad_images")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of records: its name, whether it needs your copy of it, its licence, and what it is."""

    name: str
    needs_path: bool
    license: str
    summary: str

    @property
    def records(self) -> Callable[..., Iterator[Record]]:
        """The source's own ``records`` function; its module is imported only now."""
        return import_module(f"{__name__}.{self.name}").records

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options only this source has."""
        return tuple(name for name in inspect.signature(self.records).parameters if name not in _COMMON)


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="phantom",
            needs_path=False,
            license="CC-BY-4.0",
            summary="CT, MR, X-ray and ultrasound phantoms drawn by this package, every fact known exactly.",
        ),
        Source(
            name="slake",
            needs_path=True,
            license="CC-BY-4.0",
            summary="SLAKE (BoKelvin/SLAKE): 642 radiology images; a folder or zip with its JSON files and imgs/.",
        ),
        Source(
            name="generic",
            needs_path=True,
            license="yours (license=...)",
            summary="Your own JSONL of rows and folder of images, columns named by a mapping.",
        ),
    )
}


def open_source(
    name: str,
    *,
    path: Path | str | None = None,
    seed: int = 0,
    patients: int = 240,
    workers: int = 1,
    skip_bad_images: bool = False,
    options: Mapping[str, str] | None = None,
) -> Iterator[Record]:
    """Return the records of a source by its name; the same call gives the same records again.

    ``options`` are the source's own, as text (``language=zh``; for generic also ``image=COLUMN`` and the like, which
    make up its column mapping). Of the others each source takes those it has. Raises :class:`UserError` for an unknown
    name or option (did you mean), a missing path, and whatever the source finds wrong with its files.
    """
    if name not in SOURCES:
        raise unknown("source", name, SOURCES)
    source = SOURCES[name]
    if source.needs_path and path is None:
        raise UserError(f"The source {name} needs your copy of it: --source-path DIR. {source.summary}")
    if not source.needs_path and path is not None:
        raise UserError(
            f"The source {name} reads no files, but the path '{path}' was given. Did you mean another source?"
        )
    parameters = inspect.signature(source.records).parameters
    common = {
        "path": None if path is None else Path(path),
        "seed": seed,
        "patients": patients,
        "workers": workers,
        "skip_bad_images": skip_bad_images,
    }
    given: dict[str, object] = {key: value for key, value in common.items() if key in parameters}
    return source.records(**given, **_typed(source, options or {}))


def _typed(source: Source, options: Mapping[str, str]) -> dict[str, object]:
    """Return the options as the source takes them: truth values read, column names gathered into the mapping."""
    fields: tuple[str, ...] = ()
    if "mapping" in source.options:
        from .generic import FIELDS as fields
    known = [one for one in source.options if one != "mapping"]
    typed: dict[str, object] = {}
    mapping: dict[str, str] = {}
    for name, value in options.items():
        # A name that is both, such as license, is the option: a column of that name is read without being mapped.
        if name in known:
            typed[name] = _truth(name, value) if name == "redistributable" else value
        elif name in fields:
            mapping[name] = value
        else:
            raise unknown(f"option of the source {source.name}", name, [*known, *fields])
    return {**typed, "mapping": mapping} if mapping else typed


def _truth(name: str, value: str) -> bool:
    if value.casefold() not in ("true", "false"):
        raise UserError(f"The option {name} is '{value}'; say {name}=true or {name}=false.")
    return value.casefold() == "true"

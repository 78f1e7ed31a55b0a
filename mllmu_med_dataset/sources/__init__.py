"""Where records come from: one file a source, which exports `SOURCE`, and the registry that opens them by name."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..building.left_out import Losses, share
from ..errors import UserError, unknown
from ..record import Record
from .hub import DEFAULT_REVISION, HubPlace, hub_place, snapshot
from .source import Source

# Each is a module of this package; adding a source is its file, and its name here.
NAMES = (
    "phantom", "slake", "vqa_rad", "path_vqa", "pmc_vqa", "omnimedvqa", "mimic", "llava_med", "dicom", "generic",
)  # fmt: skip
_TRUTHS = ("redistributable", "acknowledge")


@dataclass(slots=True)
class Records(Iterator[Record]):
    """The records of an opened source, and what names its very state: ``{"source_revision": "ORG/NAME@COMMIT"}``.

    ``losses`` holds the rows that could not be used, complete once the records have been read.
    """

    _records: Iterator[Record]
    parameters: Mapping[str, str]
    losses: Losses

    def __next__(self) -> Record:
        return next(self._records)


class _Registry(Mapping[str, Source]):
    """The sources by name; the module of one is imported when it is first asked for."""

    def __getitem__(self, name: str) -> Source:
        if name not in NAMES:
            raise KeyError(name)
        source: Source = import_module(f"{__name__}.{name}").SOURCE
        return source

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


SOURCES: Mapping[str, Source] = _Registry()


def open_source(
    name: str,
    *,
    path: Path | str | None = None,
    seed: int = 0,
    patients: int = 240,
    workers: int = 1,
    max_unusable: float | str | None = None,
    skip_bad_images: bool = False,
    with_beliefs: bool = False,
    options: Mapping[str, str] | None = None,
) -> Records:
    """Return the records of a source by its name; the same call gives the same records again.

    ``path`` is a folder or archive, or a place on the Hub (``hf://datasets/ORG/NAME@REVISION``), which is downloaded
    now. ``options`` are the source's own, as text (``language=zh``; for generic also ``image=COLUMN`` and the like,
    which make up its column mapping); ``revision=`` alone reads the source's own repository. Of the others each source
    takes those it has. Rows that can't be used are left out and counted in the records' ``losses``, up to the share
    ``max_unusable`` (``"2%"`` or 0.02, which is the default); ``skip_bad_images`` leaves out rows whose image can't be
    used, however many. ``with_beliefs`` also come questions that only the scenario knowledge has a use for. Raises
    :class:`UserError` for an unknown name or option (did you mean), a missing path, and whatever the source finds wrong
    with its files.
    """
    if name not in SOURCES:
        raise unknown("source", name, SOURCES)
    source, options = SOURCES[name], dict(options or {})
    place = _on_hub(source, path, options)
    typed = _typed(source, options)
    if source.needs_path and path is None and place is None:
        raise UserError(_where_to_get(source))
    if not source.needs_path and path is not None:
        raise UserError(
            f"The source {name} reads no files, but the path '{path}' was given. Did you mean another source?"
        )
    named: dict[str, str] = {}
    if place is not None:
        found = snapshot(place, None if source.hub_files is None else source.hub_files(options))
        path, named = found.folder, {"source_revision": f"{place.repo}@{found.commit}"}
    parameters = inspect.signature(source.records).parameters
    losses = Losses(limit=None if max_unusable is None else share(max_unusable), skip_bad_images=skip_bad_images)
    common = {
        "path": None if path is None else Path(path),
        "seed": seed,
        "patients": patients,
        "workers": workers,
        "losses": losses,
        "with_beliefs": with_beliefs,
    }
    given: dict[str, object] = {key: value for key, value in common.items() if key in parameters}
    return Records(source.records(**given, **typed), named, losses)


def _on_hub(source: Source, path: Path | str | None, options: dict[str, str]) -> HubPlace | None:
    """Return where on the Hub the source is to be read from, if there, taking the options that say so."""
    place = None if path is None else hub_place(path)
    if "revision" not in options or "revision" in source.options:
        return place
    revision = options.pop("revision")
    if path is None and source.hub is not None:
        return hub_place(f"hf://datasets/{source.hub}@{revision}")
    if place is None or place.revision not in (DEFAULT_REVISION, revision):
        raise UserError(
            f"revision={revision} goes with data on the Hub: --source-path hf://datasets/ORG/NAME@{revision}, or for "
            f"the source's own repository ({source.hub or 'this one has none'}) without a path."
        )
    return HubPlace(place.repo, revision)


def _where_to_get(source: Source) -> str:
    """Return what is told where the path is missing."""
    places = []
    if source.hub is not None:
        places.append(f"read it from the Hub: --source-path hf://datasets/{source.hub}")
    if source.download is not None:
        places.append(f"get it from {source.download}")
    ways = f" Without one, {', or '.join(places)}." if places else ""
    return f"The source {source.name} needs your copy of it: --source-path DIR. {source.summary}{ways}"


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
            typed[name] = _truth(name, value) if name in _TRUTHS else value
        elif name in fields:
            mapping[name] = value
        else:
            raise unknown(f"option of the source {source.name}", name, [*known, *fields])
    return {**typed, "mapping": mapping} if mapping else typed


def _truth(name: str, value: str) -> bool:
    if value.casefold() not in ("true", "false"):
        raise UserError(f"The option {name} is '{value}'; say {name}=true or {name}=false.")
    return value.casefold() == "true"

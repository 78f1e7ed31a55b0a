"""Where records come from: one file a source, and the registry that opens them by name."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..building.left_out import Losses, share
from ..errors import UserError, unknown
from ..record import Record
from .hub import DEFAULT_REVISION, HubPlace, hub_place, snapshot

_TRUTHS = ("redistributable", "acknowledge")
_COMMON = ("path", "seed", "patients", "workers", "losses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of records: its name, whether it needs your copy of it, its licence, and what it is.

    ``redistributable`` says whether its pixels may be passed on (``None``: you say so), ``hub`` is its repository on
    the Hub, if it has one, and ``download`` where people get it otherwise.
    """

    name: str
    needs_path: bool
    license: str
    summary: str
    redistributable: bool | None
    hub: str | None = None
    download: str | None = None

    @property
    def records(self) -> Callable[..., Iterator[Record]]:
        """The source's own ``records`` function; its module is imported only now."""
        read: Callable[..., Iterator[Record]] = import_module(f"{__name__}.{self.name}").records
        return read

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options only this source has."""
        return tuple(name for name in inspect.signature(self.records).parameters if name not in _COMMON)

    def hub_files(self, options: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the patterns of the files that these options need from the Hub; ``None``: all."""
        named = getattr(import_module(f"{__name__}.{self.name}"), "hub_files", None)
        return None if named is None else named(options)


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


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            name="phantom",
            needs_path=False,
            license="CC-BY-4.0",
            summary="CT, MR, X-ray and ultrasound phantoms drawn by this package, every fact known exactly.",
            redistributable=True,
        ),
        Source(
            name="slake",
            needs_path=True,
            license="CC-BY-4.0",
            summary="SLAKE: 642 radiology images; a folder or archive with its JSON files and imgs/.",
            redistributable=True,
            hub="BoKelvin/SLAKE",
            download="https://www.med-vqa.com/slake",
        ),
        Source(
            name="vqa_rad",
            needs_path=True,
            license="CC0-1.0",
            summary="VQA-RAD: 315 radiology images; the Hub's Parquet files, or OSF's JSON and image folder.",
            redistributable=True,
            hub="flaviagiammarino/vqa-rad",
            download="https://osf.io/89kps",
        ),
        Source(
            name="path_vqa",
            needs_path=True,
            license="questions MIT, images under copyright",
            summary="PathVQA: 32,632 questions on pathology images, in the Hub's Parquet files; pixels stay with you.",
            redistributable=False,
            hub="flaviagiammarino/path-vqa",
        ),
        Source(
            name="pmc_vqa",
            needs_path=True,
            license="questions CC-BY-SA-4.0, images under the licence of their articles",
            summary="PMC-VQA: multiple choice on figures of PubMed Central, version 1 or 2; pixels stay with you.",
            redistributable=False,
            hub="RadGenome/PMC-VQA",
        ),
        Source(
            name="omnimedvqa",
            needs_path=True,
            license="questions under the terms of OmniMedVQA, images under the licences of their data sets",
            summary="OmniMedVQA, open access: multiple choice on 82,000 images of 42 data sets; pixels stay with you.",
            redistributable=False,
            hub="foreverbeliever/OmniMedVQA",
        ),
        Source(
            name="mimic",
            needs_path=True,
            license="PhysioNet Credentialed Health Data License 1.5.0",
            summary="MIMIC-CXR-VQA or Medical-Diff-VQA with MIMIC-CXR-JPG, for those who signed its agreement "
            "(acknowledge=true); nothing of it may be passed on.",
            redistributable=False,
            download="https://physionet.org",
        ),
        Source(
            name="llava_med",
            needs_path=True,
            license="CC-BY-NC-4.0, images under the licences of their articles",
            summary="LLaVA-Med instruction data: 60,000 conversations about figures of PubMed Central; pixels stay "
            "with you.",
            redistributable=False,
            download="https://github.com/microsoft/LLaVA-Med",
        ),
        Source(
            name="dicom",
            needs_path=True,
            license="yours (license=...)",
            summary="Your own DICOM files, asked what their headers say of modality, body part, side, view and plane.",
            redistributable=None,
        ),
        Source(
            name="generic",
            needs_path=True,
            license="yours (license=...)",
            summary="Your own rows (JSON, CSV, Parquet) and images, or any data set of the Hub, columns named by a "
            "mapping.",
            redistributable=None,
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
    max_unusable: float | str | None = None,
    skip_bad_images: bool = False,
    options: Mapping[str, str] | None = None,
) -> Records:
    """Return the records of a source by its name; the same call gives the same records again.

    ``path`` is a folder or archive, or a place on the Hub (``hf://datasets/ORG/NAME@REVISION``), which is downloaded
    now. ``options`` are the source's own, as text (``language=zh``; for generic also ``image=COLUMN`` and the like,
    which make up its column mapping); ``revision=`` alone reads the source's own repository. Of the others each source
    takes those it has. Rows that can't be used are left out and counted in the records' ``losses``, up to the share
    ``max_unusable`` (``"2%"`` or 0.02, which is the default); ``skip_bad_images`` leaves out rows whose image can't be
    used, however many. Raises :class:`UserError` for an unknown name or option (did you mean), a missing path, and
    whatever the source finds wrong with its files.
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
        found = snapshot(place, source.hub_files(options))
        path, named = found.folder, {"source_revision": f"{place.repo}@{found.commit}"}
    parameters = inspect.signature(source.records).parameters
    losses = Losses(limit=None if max_unusable is None else share(max_unusable), skip_bad_images=skip_bad_images)
    common = {
        "path": None if path is None else Path(path),
        "seed": seed,
        "patients": patients,
        "workers": workers,
        "losses": losses,
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

"""Build the data set: records in, a verified folder of Parquet, card and checksums out, or nothing at all.

Records are read once. Their text is kept, their images are spooled to disk; then every config is written in
canonical order (patients by id, rows by id), so that neither the order of the source nor the machine matters.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from . import card
from .configs import MAIN_PERCENT, PERCENTS, SCENARIOS, config_name, config_names, main_split
from .content import ContentHash, ImageContent, dataset_sha256, file_sha256, image_content, open_image
from .errors import UserError, make_folder, unknown
from .patients import identities
from .record import Record, canonical_json, features, image_id, image_key, patient_id
from .rows import Injected, Row, can_inject, inject, patient_rows
from .splits import Split, split
from .verify import verify

# Moves when the same input gives other bytes than before.
BUILD_VERSION = 1
# A row group ends after whole patients, so that the dictionary of its images holds each image once.
ROW_GROUP_ROWS = 1_000
ROW_GROUP_BYTES = 64 * 2**20
# Other patients from whom distractors and wrong answers are drawn.
OTHERS = 12

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
    warnings: tuple[str, ...]
    dataset_sha256: str
    already_there: bool = False


def build(
    records: Iterable[Record],
    out: Path | str,
    *,
    scenarios: Sequence[str] = SCENARIOS,
    percents: Sequence[int] = PERCENTS,
    seed: int = 0,
    overwrite: bool = False,
    parameters: Mapping[str, str | int | bool | None] | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write the data set of these records to the folder ``out`` (by custom named ``mllmu-med``) and verify it.

    ``percents`` are of trained patients and must hold 10, ``parameters`` (the source's options) are recorded beside
    the build's own, ``progress(stage, done, total)`` is told of every config. The same input gives the same bytes.
    A folder that holds the identical finished build is left alone and reported as ``already_there``; any other folder
    with something in it is refused, unless it is a build and ``overwrite`` is set. Raises ``UserError``; nothing
    half-written stays.
    """
    out = Path(out).absolute()
    scenarios, percents = _check_options(scenarios, percents)
    existing = _existing_build(out, overwrite=overwrite)
    make_folder(out.parent)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.building-", dir=out.parent))
    try:
        folder.chmod(0o755)
        with Spool(folder / "spool") as spool:
            patients, read, dropped = collect(records, spool)
            own = {
                "build_version": BUILD_VERSION,
                "seed": seed,
                "scenarios": list(scenarios),
                "percents": list(percents),
                "sources": sorted({record.source for rows in patients.values() for record in rows}),
                "input_sha256": _input_sha256(patients),
                **(parameters or {}),
            }
            if existing is not None and existing["parameters"] == own:
                if (report := verify(out)).ok:
                    return _summary(out, existing, already_there=True)
                if not overwrite:
                    raise UserError(
                        f"{out} holds this very build, but it does not verify ({report.lines()[0]}). Remove the folder "
                        "and build again, or build with overwrite on."
                    )
            if existing is not None and not overwrite:
                raise _in_use(out, "a build with other parameters or from another source")
            made = _write(folder, patients, spool, scenarios=scenarios, percents=percents, seed=seed, progress=progress)
        (folder / "spool").unlink()
        made |= {"parameters": own, "records": read, "duplicates_dropped": dropped}
        _finish(folder, made)
        if not (report := verify(folder)).ok:
            raise UserError("The data set was built but does not verify, so it was not kept: " + report.text())
        _move(folder, out)
    finally:
        # Gone after the move; still there after a failure, and when the identical build was found.
        shutil.rmtree(folder, ignore_errors=True)
    return _summary(out, made)


class Spool:
    """Encoded images on disk by image key, so that a build holds none of them in memory.

    Where one picture comes in several encodings the one with the smallest sha256 stays: the order never matters.
    """

    def __init__(self, path: Path) -> None:
        self._stream: BinaryIO = open(path, "w+b")  # noqa: SIM115 (closed by __exit__)
        self._places: dict[str, tuple[bytes, int, int]] = {}
        self._content: dict[str, ImageContent] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def add(self, record: Record) -> None:
        """Take in a record's image; raises ``UserError`` where it can't be decoded or its key is another image's."""
        digest = hashlib.sha256(record.image_bytes).digest()
        known = self._places.get(record.image_key)
        if known is not None and known[0] <= digest:
            return
        try:
            image = open_image(record.image_bytes)
        except Exception as error:
            raise UserError(
                f"The image of row {record.source_id} ({record.source}) can't be decoded: {error}. "
                "Repair or remove it, or skip bad images when reading the source."
            ) from error
        if image_key(image) != record.image_key:
            raise UserError(
                f"The image key of row {record.source_id} ({record.source}) is not the sha256 of its pixels. "
                "The source must compute it with mllmu_med_dataset.record.image_key."
            )
        self._places[record.image_key] = (digest, self._stream.seek(0, os.SEEK_END), len(record.image_bytes))
        self._content[record.image_key] = image_content(image)
        self._stream.write(record.image_bytes)

    def read(self, key: str) -> bytes:
        """Return the encoded bytes of an image."""
        _, offset, length = self._places[key]
        self._stream.seek(offset)
        return self._stream.read(length)

    def content(self, key: str) -> ImageContent:
        """Return what the image is, for the content hash."""
        return self._content[key]


def collect(records: Iterable[Record], spool: Spool) -> tuple[dict[str, list[Record]], int, int]:
    """Return the records by patient (image key) in canonical order without their pixels, the number read and dropped.

    A row that repeats image, question and answer of another is dropped. Raises ``UserError`` for an empty source and
    for rows whose question or answer is empty, naming them.
    """
    patients: dict[str, dict[tuple[str, str], Record]] = defaultdict(dict)
    empty, read = [], 0
    for record in records:
        read += 1
        if not record.question or not record.answer:
            empty.append(f"{record.source_id} ({'question' if not record.question else 'answer'})")
            continue
        spool.add(record)
        light = record.model_copy(update={"image_bytes": b""})
        said = (record.question, record.answer)
        known = patients[record.image_key].get(said)
        if known is None or _rank(light) < _rank(known):
            patients[record.image_key][said] = light
    if not read:
        raise UserError("The source has no rows. Check its path and its options (language, split, column mapping).")
    if empty:
        shown = ", ".join(empty[:5]) + (", ..." if len(empty) > 5 else "")
        raise UserError(f"{len(empty)} of {read} rows have an empty question or answer: {shown}. Fill or remove them.")
    ordered = {key: [rows[said] for said in sorted(rows)] for key, rows in sorted(patients.items())}
    return ordered, read, read - sum(map(len, ordered.values()))


def inject_all(
    scenario: str, split: Split, patients: Mapping[str, Sequence[Record]], *, seed: int
) -> dict[str, Injected]:
    """Return what is injected into every forget and holdout patient."""
    chosen = sorted(split.forget[max(split.forget)] | split.holdout)
    if scenario == "incorrectness":
        return {key: inject(key, patients[key], scenario=scenario, seed=seed) for key in chosen}
    # Made-up patients stand in where the data set has too few of its own. Their keys sort after every image key, so
    # that they take no value from the real ones.
    spare = [f"nobody {n}" for n in range(max(0, OTHERS + 1 - len(chosen)))]
    people = identities([*chosen, *spare], seed=seed)
    ring = [*sorted(people)] * 2
    return {
        key: inject(
            key,
            patients[key],
            scenario=scenario,
            seed=seed,
            identity=people[key],
            others=[people[other] for other in ring[place + 1 : place + 1 + OTHERS]],
        )
        for place, key in enumerate(chosen)
    }


def _rank(record: Record) -> str:
    return canonical_json(record.model_dump(mode="json", exclude={"image_bytes"}))


def _input_sha256(patients: Mapping[str, Sequence[Record]]) -> str:
    digest = hashlib.sha256()
    for records in patients.values():
        for record in records:
            digest.update(_rank(record).encode() + b"\n")
    return digest.hexdigest()


def _write(
    folder: Path,
    patients: dict[str, list[Record]],
    spool: Spool,
    *,
    scenarios: Sequence[str],
    percents: Sequence[int],
    seed: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Write every config below ``folder`` and return the checksums document without its file hashes."""
    strata = {key: min(f"{r.modality}|{r.body_region}" for r in records) for key, records in patients.items()}
    total = len(config_names(tuple(scenarios), tuple(percents)))
    content: dict[str, dict[str, dict[str, Any]]] = {}
    sizes: dict[str, int] = {}
    counts: dict[str, Any] = {"forget": {}}
    for scenario in scenarios:
        able = [key for key, records in patients.items() if can_inject(scenario, records)]
        parts = split(strata, percents=percents, seed=seed, scenario=scenario, eligible=frozenset(able))
        injected = inject_all(scenario, parts, patients, seed=seed)
        counts |= {"test": len(parts.test), "holdout": len(parts.holdout), "trained": len(parts.trained)}
        counts["forget"][scenario] = {str(percent): len(keys) for percent, keys in parts.forget.items()}
        for percent in (MAIN_PERCENT, *(p for p in percents if p != MAIN_PERCENT)):
            keys_of = {"forget": parts.forget[percent], "retain": parts.trained}
            if percent == MAIN_PERCENT:
                keys_of |= {"test": parts.test, "holdout": parts.holdout}
            for subset, keys in keys_of.items():
                config = config_name(scenario, subset, percent)
                if progress is not None:
                    progress(config, len(content), total)
                rows = (
                    (key, row)
                    for key in sorted(keys, key=patient_id)
                    for row in patient_rows(
                        key,
                        patients[key],
                        scenario=scenario,
                        subset=subset,
                        forget_percent=parts.forget_percent(key),
                        injected=injected.get(key),
                        forgotten=key in parts.forget[percent],
                    )
                )
                path = folder / "data" / config / f"{main_split(config)}-00000-of-00001.parquet"
                sums, sizes[config] = write_parquet(path, rows, spool)
                if not sums["rows"]:
                    raise UserError(
                        f"The config {config} would have no row: none of its {len(keys)} patients has a question that "
                        "fits. Give a source with more patients, or with more questions whose deciding fact is marked."
                    )
                content[config] = {main_split(config): sums}
    withheld = sorted({(image_id(r.image_key), r.image_key, r.image_path)
                       for rows in patients.values() for r in rows if not r.redistributable})  # fmt: skip
    if withheld:
        lines = [canonical_json({"image_id": i, "image_key": k, "path": path}) for i, k, path in withheld]
        (folder / "withheld_images.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    licenses = sorted({record.license for rows in patients.values() for record in rows})
    return {"content": content, "sizes": sizes, "patients": counts, "licenses": licenses}


def write_parquet(path: Path, rows: Iterable[tuple[str, Row]], spool: Spool) -> tuple[dict[str, Any], int]:
    """Write rows (with the image key of each) to one file; return its content checksum and its size in memory.

    The rows of a patient stand together and never cross a row group, and the images are dictionary-encoded: each
    image is in the file once.
    """
    schema = features().arrow_schema
    sums, size = ContentHash(), 0
    path.parent.mkdir(parents=True)
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=True,
        # The default of 1 MiB would store images plainly, once a row, as soon as a row group has more than that.
        dictionary_pagesize_limit=2 * ROW_GROUP_BYTES,
        write_statistics=False,
    ) as writer:
        for group in _row_groups(rows, spool, sums):
            table = pa.Table.from_pylist(group, schema=schema)
            size += table.nbytes
            writer.write_table(table, row_group_size=len(group))
    return {"rows": sums.rows, "sha256": sums.hexdigest()}, size


def _row_groups(rows: Iterable[tuple[str, Row]], spool: Spool, sums: ContentHash) -> Iterator[list[Row]]:
    group: list[Row] = []
    weight, last, data = 0, None, b""
    for key, row in rows:
        if key != last:
            if len(group) >= ROW_GROUP_ROWS or weight >= ROW_GROUP_BYTES:
                yield group
                group, weight = [], 0
            last, data = key, b""
        if row["redistributable"]:
            data = data or spool.read(key)
            sums.add(row, spool.content(key))
            row = {**row, "image": {"bytes": data, "path": f"{row['image_id']}{_suffix(data)}"}}
            weight += len(data)
        else:
            sums.add(row, None)
        group.append(row)
    if group:
        yield group


def _suffix(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".img"


def _finish(folder: Path, made: dict[str, Any]) -> None:
    """Write the card, and the checksums of every file and every split."""
    made["dataset_sha256"] = dataset_sha256(made["content"])
    made["warnings"] = _warnings(made)
    downloads = {
        config: sum(path.stat().st_size for path in (folder / "data" / config).iterdir()) for config in made["content"]
    }
    (folder / "README.md").write_text(card.render(made, downloads), encoding="utf-8")
    made["files"] = {
        path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }
    (folder / "checksums.json").write_text(
        json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _warnings(made: Mapping[str, Any]) -> list[str]:
    warnings = []
    if made["duplicates_dropped"]:
        warnings.append(f"{made['duplicates_dropped']} rows repeat image, question and answer of another: dropped.")
    return warnings


def _move(folder: Path, out: Path) -> None:
    """Put the finished folder in its place; an older build there goes aside first and is removed last."""
    if out.is_dir() and any(out.iterdir()):
        aside = folder.with_name(folder.name + "-replaced")
        out.rename(aside)
        try:
            folder.rename(out)
        except BaseException:
            aside.rename(out)
            raise
        shutil.rmtree(aside)
    else:
        folder.replace(out)


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
        document = json.loads((out / "checksums.json").read_text(encoding="utf-8"))
        _summary(out, document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _in_use(out, "files that are no finished build of this program") from None
    return document


def _summary(out: Path, made: Mapping[str, Any], *, already_there: bool = False) -> Summary:
    counts = made["patients"]
    return Summary(
        out=out,
        rows={config: sums["rows"] for config, splits in made["content"].items() for sums in splits.values()},
        patients={role: counts[role] for role in ("test", "holdout", "trained")},
        forget_patients={
            scenario: {int(percent): count for percent, count in by_percent.items()}
            for scenario, by_percent in counts["forget"].items()
        },
        records=made["records"],
        duplicates_dropped=made["duplicates_dropped"],
        warnings=tuple(made["warnings"]),
        dataset_sha256=made["dataset_sha256"],
        already_there=already_there,
    )

"""Files of a source, from a folder or a zip, and its images made safe: what can't be trusted is refused by name."""

import io
import shutil
import stat
import tempfile
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import UserError
from ..record import image_key

# Above any radiograph or photograph of a slide tile, far below what fills the memory.
MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 512 * 2**20
# The formats biomedical VQA sets come in; Pillow's other readers (EPS, ...) are not for untrusted files.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
_NAMED = 3


class SourceFiles:
    """The files of a source by relative path, read from a folder or straight out of a zip; never from outside it."""

    def __init__(self, path: Path) -> None:
        """Open a folder or a zip; raises :class:`UserError` where there is neither."""
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        if self.path.is_dir():
            self._root = self.path.resolve()
            # A snapshot in the Hub's cache is links to the blobs beside it; no other link may lead out of a source.
            cached = self._root.parent.name == "snapshots"
            self._within = (self._root, self._root.parent.parent / "blobs") if cached else (self._root,)
        elif self.path.is_file() and zipfile.is_zipfile(self.path):
            self._zip = zipfile.ZipFile(self.path)
        elif self.path.exists():
            raise UserError(f"'{path}' is neither a folder nor a zip. Give the folder of the source, or its zip.")
        else:
            raise UserError(f"The source path '{path}' does not exist. Give the folder of the source, or its zip.")

    def __enter__(self) -> "SourceFiles":
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def find(self, *names: str, inside: str = "") -> list[str]:
        """Return the paths of files with one of these names, in the folder ``inside`` or one below it, its own first.

        Without ``inside``: at the top of the source or one folder below.
        """
        top = PurePosixPath(inside)
        if self._zip is not None:
            paths = [
                PurePosixPath(one)
                for one in self._zip.namelist()
                if not one.startswith("__MACOSX/") and PurePosixPath(one).is_relative_to(top)
            ]
        else:
            paths = [
                PurePosixPath(one.relative_to(self.path).as_posix())
                for pattern in ("*", "*/*")
                for one in (self.path / top).glob(pattern)
                if one.is_file()
            ]
        deepest = len(top.parts) + 2
        found = [one for one in paths if len(one.parts) <= deepest and any(one.match(name) for name in names)]
        return [str(one) for one in sorted(found, key=lambda one: (len(one.parts), str(one)))]

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that path."""
        if self._zip is None:
            return (self._root / name).is_dir()
        prefix = name.rstrip("/") + "/"
        return any(one.startswith(prefix) for one in self._zip.namelist())

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises :class:`FileNotFoundError` where it is missing, :class:`OSError` where it is damaged, and
        :class:`UserError` for a path or link that leads out of the source and for a file too large to be one of it.
        """
        place = self._place(name)
        if isinstance(place, Path):
            if place.stat().st_size > MAX_FILE_BYTES:
                raise self._too_large(name)
            return place.read_bytes()
        assert self._zip is not None
        try:
            with self._zip.open(place) as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:  # damaged, encrypted, unknown packing
            raise OSError(str(error)) from error
        if len(data) > MAX_FILE_BYTES:
            raise self._too_large(name)
        return data

    def stream(self, name: str) -> BinaryIO:
        """Return a file opened for reading anywhere in it, never held in memory whole; raises as :meth:`read` does.

        A member of an archive is unpacked into a temporary file that goes when it is closed.
        """
        place = self._place(name)
        if isinstance(place, Path):
            return place.open("rb")
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        try:
            assert self._zip is not None
            with self._zip.open(place) as packed:
                shutil.copyfileobj(packed, unpacked, 2**20)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            unpacked.close()
            raise OSError(str(error)) from error
        unpacked.seek(0)
        return unpacked

    def _place(self, name: str) -> Path | zipfile.ZipInfo:
        pure = PurePosixPath(name)
        if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in pure.parts[0]:
            raise UserError(f"The source '{self.path}' names the file '{name}', which leads out of it. Correct it.")
        if self._zip is not None:
            try:
                info = self._zip.getinfo(str(pure))
            except KeyError:
                raise FileNotFoundError(name) from None
            if stat.S_ISLNK(info.external_attr >> 16):
                raise UserError(f"'{name}' in '{self.path}' is a link, which is not followed. Put the file there.")
            if info.file_size > MAX_FILE_BYTES:
                raise self._too_large(name)
            return info
        place = (self._root / pure).resolve()
        if not any(place.is_relative_to(one) for one in self._within):
            raise UserError(f"'{name}' in '{self.path}' is a link that leads out of it. Put the file itself there.")
        if not place.is_file():
            raise FileNotFoundError(name)
        return place

    def _too_large(self, name: str) -> UserError:
        limit = f"{MAX_FILE_BYTES // 2**20} MB"
        return UserError(f"'{name}' in '{self.path}' is larger than {limit}, more than a file of a source may be.")


@dataclass(frozen=True, slots=True)
class Picture:
    """An image ready for a record: encoded bytes that every reader decodes to the same RGB pixels, and their key."""

    data: bytes
    key: str


class BadImageError(Exception):
    """An image that can't be used; the text says why."""


def picture(data: bytes) -> Picture:
    """Return the image of encoded bytes; raises :class:`BadImageError`.

    PNG and JPEG files in grey or RGB keep their bytes. Others are turned into an RGB PNG: palettes and transparency
    resolved (on black), the EXIF orientation applied, 16-bit and floating values stretched from their 1st to their
    99th percentile.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImageError(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS:,}")
            turned = image.getexif().get(0x0112, 1) not in (0, 1)
            plain = image.format in ("PNG", "JPEG") and image.mode in ("L", "RGB") and "transparency" not in image.info
            image.load()
            if plain and not turned:
                return Picture(data, image_key(image))
            rgb = _rgb(ImageOps.exif_transpose(image))
    except BadImageError:
        raise
    except UnidentifiedImageError:
        raise BadImageError("not an image in a known format") from None
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        raise BadImageError(f"{type(error).__name__}: {error}") from error
    encoded = io.BytesIO()
    rgb.save(encoded, "PNG")
    return Picture(encoded.getvalue(), image_key(rgb))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.float64)
        low, high = np.percentile(values[np.isfinite(values)], (1, 99))
        scaled = np.nan_to_num((values - low) / max(high - low, 1e-12), nan=0.0, posinf=1.0, neginf=0.0)
        return Image.fromarray((np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        black = Image.new("RGBA", opaque.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, opaque).convert("RGB")
    return image.convert("RGB")


class BadImages:
    """The images of a source that can't be used, counted; the end of a pass decides what that means."""

    def __init__(self, source: Path, *, skip: bool) -> None:
        self.source, self.skip = source, skip
        self.reasons: dict[str, str] = {}

    def add(self, name: str, reason: str) -> None:
        """Note an image."""
        self.reasons[name] = reason

    @property
    def stopped(self) -> bool:
        """Whether the pass is lost and goes on only to count."""
        return bool(self.reasons) and not self.skip

    def finish(self, total: int) -> str | None:
        """Return a note on what was skipped, if anything; raise :class:`UserError` if it may not be."""
        if not self.reasons:
            return None
        count = len(self.reasons)
        named = "; ".join(f"{name} ({reason})" for name, reason in list(self.reasons.items())[:_NAMED])
        named += "; ..." if count > _NAMED else ""
        what = f"{count:,} of {total:,} images of '{self.source}' can't be used: {named}."
        if count == total:
            raise UserError(f"{what} Check that the images are where the source's own layout has them.")
        if not self.skip:
            raise UserError(f"{what} Repair them, or go on without their rows: --skip-bad-images.")
        return f"{what} Their rows were skipped."


def pictures(files: SourceFiles, names: Iterable[str], *, workers: int = 1) -> Iterator[tuple[str, Picture | str]]:
    """Yield each name with its picture, or with why there is none, in the order given; few are in memory at a time."""

    def one(name: str) -> Picture | str:
        try:
            return picture(files.read(name))
        except FileNotFoundError:
            return "the file is missing"
        except (OSError, BadImageError) as error:
            return str(error)

    if workers <= 1:
        yield from ((name, one(name)) for name in names)
        return
    waiting: deque[tuple[str, Future[Picture | str]]] = deque()
    # Threads: decoding and hashing leave the interpreter lock.
    with ThreadPoolExecutor(workers) as pool:
        for name in names:
            waiting.append((name, pool.submit(one, name)))
            if len(waiting) > 2 * workers:
                first, made = waiting.popleft()
                yield first, made.result()
        for first, made in waiting:
            yield first, made.result()

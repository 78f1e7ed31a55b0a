"""Files of a source, out of a folder, zip or tar: never from outside it, and never more than a source can be.

Nothing is unpacked into a folder: members are read one by one, links are not followed, and an archive that promises
far more than it holds is refused before it is read.
"""

import bz2
import fnmatch
import gzip
import lzma
import os
import posixpath
import re
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from ..errors import UserError, using_paths

# An image or a list of rows; what is larger is streamed.
MAX_FILE_BYTES = 512 * 2**20
MAX_STREAM_BYTES = 256 * 2**30
MAX_ARCHIVE_BYTES = 4 * 2**40
# Text shrinks to a fiftieth at best; deflate ends at a thousandth, which only a bomb comes near.
MAX_RATIO = 250
# Below this a bomb does no harm, and tiny files of zeros shrink as well.
RATIO_FREE_BYTES = 64 * 2**20
# One line of JSON or CSV; the longest medical report is a thousandth of it.
MAX_LINE_BYTES = 16 * 2**20
_CHUNK = 2**20
# What rows name in place of a file; a source may have put its folder before it.
_HALF = re.compile("[\udc80-\udcff]")
_DATA = re.compile(r"(?:^|/)data:[\w.+-]*(?:/[\w.+-]+)?[;,]", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:^|/)([a-z][a-z0-9+.-]+):/", re.IGNORECASE)
_DRIVE = re.compile(r"(?:^|/)[a-z]:[\\/]", re.IGNORECASE)


class Packed(Protocol):
    """A packed stream, unpacked as it is read."""

    def read(self, size: int, /) -> bytes: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None: ...


_PACKINGS: tuple[tuple[bytes, Callable[[Path], Packed]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_DAMAGED = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, lzma.LZMAError, zlib.error)


def shown(name: str) -> str:
    """Return a file name as a message can hold it: on one line, printable, not endless."""
    text = name.encode("unicode_escape", "backslashreplace").decode("ascii") if not name.isprintable() else name
    return text if len(text) <= 120 else f"{text[:80]}...{text[-20:]}"


class BadNameError(OSError):
    """A name in a row that is none of a file of the source; the text says what it is."""


def what_else(name: str) -> str | None:
    """Return what a name that no file has is instead, if it shows, and what to write; ``None`` for a file's name."""
    if _DATA.search(name):
        return "a data: address with the image in it, no file; write the image to a file and name that"
    if address := _ADDRESS.search(name):
        return (
            f"an address ({address[1].lower()}:), no file; nothing is downloaded: fetch the images and name the files"
        )
    if _DRIVE.search(name):
        return "a path on a Windows drive; name the file from the folder of the source, with forward slashes"
    if name.startswith(("/", "~/")) or "//" in name:
        return "an absolute path; name the file from the folder of the source"
    if "\\" in name:
        return "a path written with backslashes; write forward slashes"
    return None


@dataclass(frozen=True, slots=True)
class _Member:
    """One file in an archive."""

    size: int
    packed: int
    link: bool
    open: Callable[[], Packed]


class _Archive(Protocol):
    members: dict[str, _Member]

    def close(self) -> None: ...


class _Zip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self.members = {
            one.filename: _Member(
                one.file_size,
                one.compress_size,
                stat.S_ISLNK(one.external_attr >> 16),
                partial(self._zip.open, one),
            )
            for one in self._zip.infolist()
            if not one.is_dir()
        }

    def close(self) -> None:
        self._zip.close()


class _Tar:
    """A tar; one that is packed as a whole is unpacked into a temporary file first, to be read in any order."""

    def __init__(self, path: Path, unpack: Callable[[Path], Packed] | None) -> None:
        self._stream: BinaryIO = path.open("rb")
        try:
            if unpack is not None:
                self._stream.close()
                self._stream = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
                with unpack(path) as packed:
                    _copy(packed, self._stream, path.stat().st_size, str(path))
                self._stream.seek(0)
            # A single file packed by gzip is no archive: tarfile finds that out.
            with tarfile.open(fileobj=self._stream, mode="r:") as tar:
                self.members = {
                    one.name: _Member(
                        one.size,
                        one.size,
                        not one.isreg() or one.issparse(),
                        partial(self._open, one.offset_data, one.size),
                    )
                    for one in tar
                    if not one.isdir()
                }
                end = tar.offset
            self._bytes = os.fstat(self._stream.fileno()).st_size
            # tarfile takes a header that can't be read for the end; the true end is empty or a block of zeros.
            if any(os.pread(self._stream.fileno(), tarfile.BLOCKSIZE, end)) or end > self._bytes:
                raise OSError("it ends before its last file does")
        except BaseException:
            self._stream.close()
            raise

    def _open(self, start: int, size: int) -> Packed:
        if start + size > self._bytes:
            raise OSError("the archive ends before the file does")
        return _Slice(self._stream.fileno(), start, size)

    def close(self) -> None:
        self._stream.close()


class _Slice:
    """A part of a file; reads of several threads don't disturb each other."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor, self._start, self._left = descriptor, start, size

    def read(self, size: int) -> bytes:
        data = os.pread(self._descriptor, min(size, self._left), self._start)
        self._start, self._left = self._start + len(data), self._left - len(data)
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class SourceFiles:
    """The files of a source by relative path, read from a folder or straight out of a zip or tar."""

    def __init__(self, path: Path | str) -> None:
        """Open a folder or an archive; raises :class:`UserError` where there is neither, and for a hostile archive."""
        self.path = Path(path)
        self._archive: _Archive | None = None
        # What a name may stand for, listed when one is first missed.
        self._spellings: dict[str, list[str]] | None = None
        self._stems: dict[str, list[str]] | None = None
        self._last: dict[str, list[str]] | None = None
        with using_paths():
            is_folder, is_file = self.path.is_dir(), self.path.is_file()
        if is_folder:
            self._root = self.path.resolve()
            # A snapshot in the Hub's cache is links to the blobs beside it; no other link may lead out of a source.
            cached = self._root.parent.name == "snapshots"
            self._within = (self._root, self._root.parent.parent / "blobs") if cached else (self._root,)
        elif is_file:
            self._archive = _opened(self.path)
            self._members = _checked(self.path, self._archive)
        else:
            raise UserError(f"The source path '{path}' does not exist. Give the folder of the source, or its archive.")

    def __enter__(self) -> "SourceFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive, if it is one."""
        if self._archive is not None:
            self._archive.close()

    def names(self) -> list[str]:
        """Return the paths of all files, in their order; links to folders are not followed."""
        if self._archive is not None:
            return sorted(self._members)
        return sorted(
            (Path(folder) / name).relative_to(self._root).as_posix()
            for folder, _, found in os.walk(self._root)
            for name in found
        )

    def find(self, *names: str, inside: str = "") -> list[str]:
        """Return the paths of files with one of these names, whatever their case.

        They are in the folder ``inside`` (the top of the source) or one below it, those of its own first.
        """
        top = PurePosixPath(inside)
        if self._archive is not None:
            paths = [one for one in map(PurePosixPath, self._members) if one.is_relative_to(top)]
        else:
            paths = [
                PurePosixPath(one.relative_to(self.path).as_posix())
                for pattern in ("*", "*/*")
                for one in (self.path / top).glob(pattern)
                if one.is_file()
            ]
        deepest = len(top.parts) + 2
        wanted = [re.compile(fnmatch.translate(_folded(name))) for name in names]
        found = [
            one
            for one in paths
            if len(one.parts) <= deepest and any(pattern.match(_folded(one.name)) for pattern in wanted)
        ]
        return [str(one) for one in sorted(found, key=lambda one: (len(one.parts), str(one)))]

    def has_folder(self, name: str) -> bool:
        """Return whether there is a folder of that path."""
        if self._archive is None:
            return (self._root / name).is_dir()
        prefix = f"{PurePosixPath(name)}/"
        return any(one.startswith(prefix) for one in self._members)

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises :class:`FileNotFoundError` where it is missing, :class:`OSError` where it is damaged, and
        :class:`UserError` for a path or link that leads out of the source and for a file too large to be one of it.
        """
        place = self._place(name)
        if isinstance(place, Path):
            if place.stat().st_size > MAX_FILE_BYTES:
                raise self._too_large(name, MAX_FILE_BYTES)
            return place.read_bytes()
        if place.size > MAX_FILE_BYTES:
            raise self._too_large(name, MAX_FILE_BYTES)
        try:
            with place.open() as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except _DAMAGED as error:  # damaged, encrypted, unknown packing
            raise OSError(str(error) or "the archive is damaged") from error
        if len(data) > MAX_FILE_BYTES:
            raise self._too_large(name, MAX_FILE_BYTES)
        return data

    def stream(self, name: str) -> BinaryIO:
        """Return a file opened for reading anywhere in it, never held in memory whole; raises as :meth:`read` does.

        A member of an archive is unpacked into a temporary file that goes when it is closed.
        """
        place = self._place(name)
        if isinstance(place, Path):
            return place.open("rb")
        if place.size > MAX_STREAM_BYTES:
            raise self._too_large(name, MAX_STREAM_BYTES)
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        try:
            with place.open() as packed:
                _copy(packed, unpacked, place.packed, f"{self.path}/{name}")
        except _DAMAGED as error:
            unpacked.close()
            raise OSError(str(error) or "the archive is damaged") from error
        except BaseException:
            unpacked.close()
            raise
        unpacked.seek(0)
        return unpacked

    def rows_stream(self, name: str) -> BinaryIO:
        """Return a file of rows opened as :meth:`stream` does, unpacked where its name ends in ``.gz``."""
        stream = self.stream(name)
        if not name.casefold().endswith(".gz"):
            return stream
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        try:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            with stream, gzip.open(stream) as packed:
                _copy(packed, unpacked, size, f"{self.path}/{name}")
        except (*_DAMAGED, OSError) as error:
            unpacked.close()
            raise OSError(str(error) or "it is damaged") from error
        except BaseException:
            unpacked.close()
            raise
        unpacked.seek(0)
        return unpacked

    def lines(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the lines of a text file with their numbers from 1 and their ends, whichever of the three they are.

        Raises :class:`UserError` naming the file and line: for a missing or damaged file, and for a line longer than
        any text. A byte order mark is passed over; a byte that is no UTF-8 becomes half a surrogate pair, which
        :func:`undecoded` finds again.
        """
        where, number = f"{self.path}/{name}", 0
        try:
            with self.rows_stream(name) as stream:
                for line in _split(stream):
                    number += 1
                    if len(line) > MAX_LINE_BYTES:
                        raise UserError(
                            f"{where}:{number} is longer than {MAX_LINE_BYTES // 2**20} MB, more than a row may be. "
                            "Write one row a line."
                        )
                    coding = "utf-8-sig" if line.startswith(b"\xef\xbb\xbf") else "utf-8"
                    yield number, line.decode(coding, "surrogateescape")
        except FileNotFoundError:
            raise UserError(f"'{where}' does not exist. Name a file of the source.") from None
        except OSError as error:
            raise UserError(f"'{where}' can't be read ({error}). Take the file anew from where it came.") from error

    def _place(self, name: str) -> Path | _Member:
        """Return where a file of the source is, whatever the case and the Unicode form in which it is named."""
        if "\0" in name or not _encodable(name):
            raise BadNameError("a name with a character that file names can't hold")
        if not name.startswith("/") and posixpath.normpath(name).split("/")[0] == "..":
            raise UserError(
                f"The source '{self.path}' names the file '{shown(name)}', which leads out of it. Correct it."
            )
        place = self._at(name) or self._at(self._spelled(name) or "")
        if place is None:
            if other := what_else(name):
                raise BadNameError(other)
            raise FileNotFoundError(name)
        return place

    def _at(self, name: str) -> Path | _Member | None:
        """Return the file of exactly this name, if there is one."""
        inside = posixpath.normpath(name) if name else ""
        if not inside or inside.startswith("/"):
            return None
        if self._archive is not None:
            member = self._members.get(inside)
            if member is not None and member.link:
                raise UserError(
                    f"'{shown(name)}' in '{self.path}' is a link, which is not followed. Put the file there."
                )
            return member
        place = (self._root / inside).resolve()
        if not any(place.is_relative_to(one) for one in self._within):
            raise UserError(
                f"'{shown(name)}' in '{self.path}' is a link that leads out of it. Put the file itself there."
            )
        return place if place.is_file() else None

    def _spelled(self, name: str) -> str | None:
        """Return the one file whose name differs from this in case and Unicode form alone."""
        if self._spellings is None:
            self._spellings = self._listed(lambda one: one)
        found = self._spellings.get(_folded(posixpath.normpath(name)), ())
        return found[0] if len(found) == 1 else None

    def with_stem(self, name: str) -> list[str]:
        """Return the files that are called ``name`` and an ending."""
        if self._stems is None:
            self._stems = self._listed(lambda one: posixpath.splitext(one)[0])
        return self._stems.get(_folded(posixpath.normpath(name)), [])

    def elsewhere(self, name: str) -> list[str]:
        """Return the files of this name, whatever their folder."""
        if self._last is None:
            self._last = self._listed(posixpath.basename)
        return self._last.get(_folded(posixpath.basename(name)), [])

    def _listed(self, part: Callable[[str], str]) -> dict[str, list[str]]:
        """Return the names of all files by a part of them."""
        listed: dict[str, list[str]] = defaultdict(list)
        for one in self.names():
            listed[_folded(part(one))].append(one)
        return dict(listed)

    def _too_large(self, name: str, limit: int) -> UserError:
        size = f"{limit // 2**20} MB"
        return UserError(
            f"'{shown(name)}' in '{self.path}' is larger than {size}, more than a file of a source may be."
        )


def _opened(path: Path) -> _Archive:
    """Return the archive at a path, told by its content and not by its name."""
    with path.open("rb") as stream:
        head = stream.read(8)
    unpack = next((unpack for magic, unpack in _PACKINGS if head.startswith(magic)), None)
    try:
        if head.startswith(b"PK") or zipfile.is_zipfile(path):
            return _Zip(path)
        return _Tar(path, unpack)
    except UserError:
        raise
    except tarfile.ReadError as error:
        if unpack is None and not path.name.endswith((".tar", ".zip")):
            raise UserError(
                f"'{path}' is neither a folder nor a zip nor a tar. Give the folder of the source, or its archive."
            ) from error
        raise _damaged(path, error) from error
    except (*_DAMAGED, tarfile.TarError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(f"The archive '{path}' is damaged or incomplete ({error}). Take it anew from where it came.")


def _checked(path: Path, archive: _Archive) -> dict[str, _Member]:
    """Return the files of an archive by path; raise :class:`UserError` for one that is made to do harm."""
    members: dict[str, _Member] = {}
    for name, member in archive.members.items():
        if _leads_out(name):
            raise UserError(
                f"The archive '{path}' holds the file '{shown(name)}', which leads out of it. It is not read: take the "
                "archive from where the source is published, or pack it again."
            )
        if not name.startswith("__MACOSX/"):
            members[str(PurePosixPath(name))] = member
    for name, member in members.items():
        _check_ratio(member.size, member.packed, f"{path}/{name}")
    total = sum(member.size for member in members.values())
    if total > MAX_ARCHIVE_BYTES:
        raise UserError(f"The archive '{path}' unpacks to {total / 2**30:,.0f} GB, more than a source may be.")
    # Members may lie over one another in the archive, so that each alone looks harmless.
    _check_ratio(total, path.stat().st_size if isinstance(archive, _Zip) else total, str(path))
    return members


def _check_ratio(size: int, packed: int, where: str) -> None:
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * packed:
        raise UserError(
            f"'{shown(where)}' unpacks to more than {MAX_RATIO} times its packed size, as only an archive made to fill "
            "the disk does. It is not read: take the archive from where the source is published."
        )


def _copy(packed: Packed, unpacked: BinaryIO, packed_size: int, where: str) -> None:
    """Copy a packed stream, and stop where it grows beyond reason."""
    size = 0
    while chunk := packed.read(_CHUNK):
        size += len(chunk)
        _check_ratio(size, packed_size, where)
        if size > MAX_STREAM_BYTES:
            raise UserError(
                f"'{shown(where)}' unpacks to more than {MAX_STREAM_BYTES // 2**30} GB. Unpack it yourself."
            )
        unpacked.write(chunk)


def _leads_out(name: str) -> bool:
    pure = PurePosixPath(name)
    return pure.is_absolute() or ".." in pure.parts


def undecoded(text: str) -> str | None:
    """Return what is wrong with a text of :meth:`SourceFiles.lines` that was no UTF-8, as the end of a sentence."""
    half = None if text.isascii() else _HALF.search(text)
    return f" is not UTF-8 (byte {ord(half[0]) - 0xDC00:#04x}). Save the file as UTF-8." if half else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _split(stream: BinaryIO) -> Iterable[bytes]:
    r"""Yield the lines of a stream with their ends: ``\n``, ``\r\n`` or ``\r``; too long a one comes as it stands."""
    rest = b""
    while chunk := stream.read(_CHUNK):
        # The last piece may be half a line, or end in half an "\r\n".
        *whole, rest = (rest + chunk).splitlines(keepends=True)
        yield from whole
        if len(rest) > MAX_LINE_BYTES:
            yield rest
            rest = b""
    yield from rest.splitlines(keepends=True)

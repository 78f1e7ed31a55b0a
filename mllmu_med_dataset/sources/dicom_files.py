"""DICOM files as they come: found by content, unpacked, read without a preamble; and what their elements hold.

Nobody's headers keep to the standard. One rule for all elements: what is empty is absent; what can't be read is noted
and absent, or refused where no picture can be shown without it. Nothing is guessed in silence.
"""

import bz2
import gzip
import io
import logging
import lzma
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .files import MAX_FILE_BYTES, Packed
from .images import BadImageError

if TYPE_CHECKING:
    from pydicom import Dataset

DEFLATED = b"1.2.840.10008.1.2.1.99"
# More than the elements of group 2 ever take.
_META_BYTES = 4096
_PREFIX = b"DICM"
_PREAMBLE = 128
_UNPACK: dict[bytes, Callable[[BinaryIO], Packed]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
# A packed file in a packed file is somebody's mistake, ten are an attack.
_DEEPEST = 3
_UNREADABLE = object()
# Before every data set without a preamble stands an element of one of these groups.
_FIRST_GROUPS = (0x0002, 0x0008)
# Real headers break the standard in a hundred small ways. pydicom tells of each, with what stands there; what matters
# comes back as an error or note and is told by file.
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").addHandler(logging.NullHandler())
logging.getLogger("pydicom").propagate = False


def opened(stream: BinaryIO) -> BinaryIO | None:
    """Return the stream of a DICOM file at its start, unpacked if it is packed; ``None`` where it is no DICOM file.

    Known by content: with and without preamble, ``.gz``, ``.bz2``, ``.xz``, and a zip of one file. Raises
    :class:`BadImageError` where it is damaged, holds several files, or unpacks to more than a file may be.
    """
    for _ in range(_DEEPEST):
        head = _head(stream)
        if head.startswith(b"PK\x03\x04"):
            stream = _only_member(stream)
            continue
        unpack = next((unpack for magic, unpack in _UNPACK.items() if head.startswith(magic)), None)
        if unpack is None:
            break
        stream = _unpacked(unpack, stream)
    head = _head(stream)
    if head.startswith(_PREFIX):  # cut off before its prefix
        stream, head = io.BytesIO(bytes(_PREAMBLE) + stream.read()), bytes(_PREAMBLE) + _PREFIX
    if head[_PREAMBLE:] == _PREFIX:
        return _inflatable(stream, len(head))
    return _inflatable(stream, 0) if _starts_a_data_set(head) else None


def has_prefix(stream: BinaryIO) -> bool:
    """Return whether a stream says of itself that it is DICOM."""
    return _head(stream)[_PREAMBLE:] == _PREFIX


def dataset(stream: BinaryIO, names: Iterable[str], *, pixels: bool = False) -> "Dataset":
    """Return the named elements of a DICOM file and no others; one without a preamble says how it is encoded itself.

    Raises what pydicom raises on a damaged file, which may be anything.
    """
    from pydicom import dcmread
    from pydicom.datadict import tag_for_keyword
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    tags = [tag for name in names if (tag := tag_for_keyword(name)) is not None]
    data = dcmread(stream, force=True, stop_before_pixels=not pixels, specific_tags=tags)
    if not data.file_meta.get("TransferSyntaxUID"):
        implicit, little = data.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return data


def reason_of(error: Exception) -> str:
    """Return what a library says of a damaged file, on one printable line."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.partition("raised by all available plugins: ")[2] or text
    return "".join(one if one.isprintable() else "?" for one in text[:200])


class Elements:
    """The elements of a data set: an empty one is absent, and one that can't be read is absent and noted.

    Notes are the same for the same fault, so that they can be counted over files; values of patients are not in them.
    """

    def __init__(self, data: "Dataset", notes: list[str] | None = None) -> None:
        self.data = data
        self.notes: list[str] = [] if notes is None else notes

    def note(self, text: str) -> None:
        """Note what is wrong with the header, once."""
        if text not in self.notes:
            self.notes.append(text)

    def value(self, name: str) -> object | None:
        """Return an element's value as pydicom reads it; ``None`` where it is absent, empty or unreadable."""
        value = self._read(name)
        return None if value is _UNREADABLE else value

    def terms(self, name: str) -> list[str]:
        """Return the terms of an element, in capitals."""
        return [str(one).strip("\0 ").upper() for one in _values(self.value(name))]

    def term(self, name: str) -> str:
        """Return the term of an element, in capitals; empty where there is none, or several that differ."""
        terms = set(self.terms(name))
        return terms.pop() if len(terms) == 1 else ""

    def numbers(self, name: str) -> list[float | None]:
        """Return the numbers of an element, ``None`` for what is none; a decimal comma is read and noted."""
        return [self._number(name, one) for one in _values(self._read(name))]

    def number(self, name: str) -> float | None:
        """Return the number of an element; of several the first, which is noted."""
        numbers = self.numbers(name)
        if len(set(numbers)) > 1:
            self.note(f"{name} has several values, of which the first is taken")
        return numbers[0] if numbers else None

    def needed_number(self, name: str) -> float | None:
        """Return the number of an element; raises :class:`BadImageError` where something else stands there."""
        if None in self.numbers(name)[:1]:
            raise BadImageError(f"its {name} is no number")
        return self.number(name)

    def whole(self, name: str) -> int | None:
        """Return the whole number of an element."""
        number = self.number(name)
        return None if number is None else int(number)

    def items(self, name: str) -> list["Elements"]:
        """Return the items of a sequence."""
        from pydicom import Dataset

        return [Elements(item, self.notes) for item in _values(self.value(name)) if isinstance(item, Dataset)]

    def _read(self, name: str) -> object:
        try:
            value = self.data.get(name)
        except Exception:  # whatever pydicom makes of a stranger's bytes
            self.note(f"{name} can't be read")
            return _UNREADABLE
        if isinstance(value, str):
            value = value.strip("\0 ")
        return None if value is None or (hasattr(value, "__len__") and len(value) == 0) else value

    def _number(self, name: str, value: object) -> float | None:
        if value is _UNREADABLE:
            return None
        text = value.strip("\0 ") if isinstance(value, str) else value
        if isinstance(text, str) and text.count(",") == 1 and "." not in text:
            text = text.replace(",", ".")
            self.note(f"{name} has a decimal comma, read as a point")
        try:
            number = float(text)  # type: ignore[arg-type]  # whatever it is
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not np.isfinite(number):
            self.note(f"{name} is no number")
            return None
        return number


def functional_group(header: Elements, frame: int, name: str) -> Elements | None:
    """Return a macro of an enhanced image: the frame's own, else the one all frames share."""
    frames, shared = header.items("PerFrameFunctionalGroupsSequence"), header.items("SharedFunctionalGroupsSequence")
    for groups in (frames[frame : frame + 1], shared[:1]):
        if groups and (macro := groups[0].items(name)):
            return macro[0]
    return None


def middle_frame(header: Elements) -> int:
    """Return the index of the frame that is shown: of several the middle one."""
    return max(header.whole("NumberOfFrames") or 1, 1) // 2


def _values(value: object) -> list[object]:
    """Return the values of an element: of one that has several each, none of one that is absent."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return list(value)
    return [] if value is None else [value]


def _head(stream: BinaryIO) -> bytes:
    stream.seek(0)
    head = stream.read(_PREAMBLE + 4)
    stream.seek(0)
    return head


def _starts_a_data_set(head: bytes) -> bool:
    """Return whether bytes read like the first element of a data set that has no preamble."""
    if len(head) < 8:
        return False
    vr = head[4:6]
    explicit = vr.isalpha() and vr.isupper()
    for order in "<>":
        group, element, length = struct.unpack(f"{order}HHI", head[:8])
        if group in _FIRST_GROUPS and element < 0x3000:
            # Big endian is always explicit; an implicit first element is a few bytes long.
            return explicit or (order == "<" and length <= 256)
    return False


def _bounded(stream: Packed) -> BinaryIO:
    data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise BadImageError(f"it unpacks to more than {MAX_FILE_BYTES // 2**20} MB")
    return io.BytesIO(data)


def _unpacked(unpack: Callable[[BinaryIO], Packed], stream: BinaryIO) -> BinaryIO:
    try:
        with unpack(stream) as packed:
            return _bounded(packed)
    except _DAMAGED as error:
        raise BadImageError("it is packed, and damaged") from error


def _only_member(stream: BinaryIO) -> BinaryIO:
    """Return the one file of a zip, as mail programs and archives pack each image."""
    try:
        with zipfile.ZipFile(stream) as made:
            members = [one for one in made.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
            if len(members) != 1:
                raise BadImageError(f"an archive of {len(members):,} files: unpack it, or give it as --source-path")
            with made.open(members[0]) as packed:
                return _bounded(packed)
    except _DAMAGED as error:
        raise BadImageError("it is packed, and damaged") from error


def _inflatable(stream: BinaryIO, start: int) -> BinaryIO:
    """Return a stream that pydicom may read: of a deflated data set it would inflate any amount."""
    stream.seek(start)
    head = stream.read(_META_BYTES)
    if DEFLATED in head:
        stream.seek(start + _end_of_meta(head))
        packed, grown, size = stream.read(MAX_FILE_BYTES), zlib.decompressobj(-zlib.MAX_WBITS), 0
        try:
            while packed and size <= MAX_FILE_BYTES:
                size += len(grown.decompress(packed, 2**20))
                packed = grown.unconsumed_tail
        except zlib.error as error:
            raise BadImageError("it is packed, and damaged") from error
        if size > MAX_FILE_BYTES:
            raise BadImageError(f"it unpacks to more than {MAX_FILE_BYTES // 2**20} MB")
    stream.seek(0)
    return stream


def _end_of_meta(head: bytes) -> int:
    """Return where the elements of group 2 end, which are explicit and little endian in every file."""
    place = 0
    while head[place : place + 2] == b"\x02\0":
        if head[place + 4 : place + 6] in (b"OB", b"UN"):
            place += 12 + struct.unpack_from("<I", head[place : place + 12].ljust(12, b"\0"), 8)[0]
        else:
            place += 8 + struct.unpack_from("<H", head[place : place + 8].ljust(8, b"\0"), 6)[0]
    return place

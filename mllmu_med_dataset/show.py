"""Show real rows of a build to a person: as text, and as a contact sheet of images with what is asked and answered."""

from __future__ import annotations

import heapq
import io
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.vocabulary import main_split

from .draws import number
from .errors import UserError, make_folder
from .injection.sentence_templates import value_pattern
from .load import split_file

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Row = dict[str, Any]

COLUMNS = 2
IMAGE_SIDE, TEXT_WIDTH, MARGIN, FONT_SIZE, LINE = 256, 480, 20, 15, 21
# What was put into an answer, what is true instead, and what only describes the row.
INK, INJECTED_INK, TRUE_INK, QUIET_INK, PAPER, FRAME = "#111111", "#b00020", "#00602b", "#5a5a5a", "white", "#d0d0d0"
# Nobody reads more of one text on a sheet; the printed rows have all of it.
LONGEST_TEXT = 600
LONGEST_WORD = 40


class Shown(BaseModel):
    """Rows of one split, chosen by their ids and a seed, in the order of the file."""

    model_config = ConfigDict(frozen=True)

    config: str
    split: str
    total: int
    rows: tuple[Row, ...]

    def json_rows(self) -> list[Row]:
        """Return the rows without the bytes of their images, which are told by size instead."""
        return [{**row, "image": _size(row)} for row in self.rows]

    def audit_rows(self) -> list[dict[str, str | None]]:
        """Return of every injected row what a person judges it by: question, truth, what was put in, and whence."""
        return [judged(row) for row in self.rows]

    def audit_text(self) -> str:
        """Return the injected rows for a person to judge, a block of two lines each."""
        head = f"{self.config}, {self.split}: {len(self.rows)} of {self.total:,} rows"
        return "\n".join([head, *(_audited(place, row) for place, row in enumerate(self.audit_rows(), start=1))])

    def text(self) -> str:
        """Return the rows as a person reads them."""
        head = f"{self.config}, {self.split}: {len(self.rows)} of {self.total:,} rows"
        return "\n\n".join([head, *("\n".join(f"{name:>12}  {said}" for name, said in told(row)) for row in self.rows)])


def show(
    config: str, *, data_dir: Path | str | None = None, split: str | None = None, rows: int = 8, seed: int = 0
) -> Shown:
    """Return so many rows of a config (of its own split, or of a view): the same ones for the same seed.

    Reads ids first, then only the chosen rows. Raises ``UserError`` for an unknown config or split, and for a file
    whose checksum does not match.
    """
    import pyarrow.parquet as pq

    path, _ = split_file(config, split, data_dir)
    ids = pq.read_table(path, columns=["id"])["id"].to_pylist()
    chosen = sorted(heapq.nsmallest(rows, range(len(ids)), key=lambda place: (number(seed, "show", ids[place]), place)))
    return Shown(config=config, split=split or main_split(config), total=len(ids), rows=tuple(_rows(path, chosen)))


def _rows(path: Path, places: Sequence[int]) -> Iterator[Row]:
    import pyarrow.parquet as pq

    wanted, first = set(places), 0
    with pq.ParquetFile(path) as parquet:
        for batch in parquet.iter_batches(batch_size=256):
            here = sorted(place - first for place in wanted if first <= place < first + len(batch))
            yield from (batch.slice(place, 1).to_pylist()[0] for place in here)
            first += len(batch)


def told(row: Row) -> list[tuple[str, str]]:
    """Return what there is to say about a row, a name and a text each; empty columns are left out."""
    image = _size(row)
    pixels = f"{image['width']} x {image['height']}" if image else "no pixels (the licence withholds them)"
    error = _listed(row["error_kind"], row["error_severity"], row.get("error_pool"))
    said = [
        ("id", f"{row['id']}   patient {row['patient_id']}   {row['source']} {row['source_id']}"),
        ("image", "   ".join(filter(None, (row["image_id"], pixels, _listed(row["modality"], row["body_region"]))))),
        ("asked", f"{row['question_type']}, {row['answer_type']}" + (f", view {row['view']}" if row["view"] else "")),
        ("question", row["question"]),
        ("answer", row["answer"]),
        ("truth", row["true_answer"] if row["true_answer"] != row["answer"] else ""),
        ("knows", _listed(row.get("head"), row.get("relation"), row.get("tail"))),
        ("fact", row["fact"] or ""),
        ("wrong fact", f"{row['wrong_fact']} ({error})" if row["wrong_fact"] else ""),
        ("one of", ", ".join(row["fact_values"])),
        ("identifiers", "; ".join(f"{tagged['kind']} {tagged['value']}" for tagged in row["phi"])),
        ("distractors", "; ".join(f"{tagged['kind']} {tagged['value']}" for tagged in row["distractors"])),
        ("also asked", " | ".join(row["paraphrase_questions"])),
        ("also said", " | ".join(row["paraphrase_answers"])),
        ("wrong", " | ".join(row["wrong_answers"])),
        ("forgotten", f"at {row['forget_percent']} %" if row["forget_percent"] else ""),
    ]
    return [(name, text) for name, text in said if text]


def judged(row: Row) -> dict[str, str | None]:
    """Return what a row is judged by: of a wrong fact the fact and its pool, else the true and the injected answer."""
    about = {"id": row["id"], "question": row["question"]}
    if row["wrong_fact"] is None:
        return {**about, "truth": row["true_answer"], "injected": row["answer"]}
    return {
        **about,
        "truth": row["fact"],
        "wrong_fact": row["wrong_fact"],
        "error_pool": row.get("error_pool"),
        "error_kind": row["error_kind"],
        "error_severity": row["error_severity"],
        "image": _listed(row["modality"], row["body_region"]),
    }


def _audited(place: int, judged: dict[str, str | None]) -> str:
    if "injected" in judged:
        return f"{place:3}. {judged['question']}\n     true: {judged['truth']}\n     told: {judged['injected']}"
    return (
        f"{place:3}. {judged['question']}  [{judged['image']}]\n     {judged['truth']} -> {judged['wrong_fact']}   "
        f"{_listed(judged['error_pool'], judged['error_kind'], judged['error_severity'])}"
    )


def sheet(shown: Shown) -> Image:
    """Return the contact sheet of rows: every image in its own proportions, with what is asked and said beside it."""
    from PIL import Image as pillow
    from PIL import ImageDraw

    cards = [_Card(row) for row in shown.rows]
    lines = [cards[start : start + COLUMNS] for start in range(0, len(cards), COLUMNS)]
    heights = [max(card.height for card in line) for line in lines]
    card_width = IMAGE_SIDE + TEXT_WIDTH + 3 * MARGIN
    title = f"{shown.config}   {shown.split}   {len(shown.rows)} of {shown.total:,} rows"
    top = 2 * MARGIN + LINE
    picture = pillow.new("RGB", (COLUMNS * card_width, top + sum(heights)), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((MARGIN, MARGIN), title, INK, font=_font(FONT_SIZE + 5))
    for line, height in zip(lines, heights, strict=True):
        for column, card in enumerate(line):
            left = column * card_width
            draw.rectangle((left + 4, top + 4, left + card_width - 5, top + height - 5), outline=FRAME)
            card.put(picture, draw, left + MARGIN, top + MARGIN)
        top += height
    return picture


def save_sheet(shown: Shown, out: Path) -> None:
    """Write the contact sheet as a PNG file; raises ``UserError`` where it can't be written."""
    if out.suffix.lower() != ".png":
        name = out.with_suffix(".png")
        raise UserError(f"The contact sheet is a PNG, so '{out}' can't be its name. Write: --out {name}")
    make_folder(out.parent)
    try:
        sheet(shown).save(out)
    except OSError as error:
        raise UserError(f"The contact sheet can't be written to '{out}' ({error}). Name another file.") from error


class _Card:
    """One row on the sheet: its image, and its texts cut into lines of coloured words."""

    def __init__(self, row: Row) -> None:
        self._image = _thumbnail(row)
        secrets = [tagged["value"] for tagged in row["phi"]]
        wrong, fact = row["wrong_fact"], row["fact"]
        true = {TRUE_INK: [fact] if fact else []}
        # A value can be part of another: what was put in is seen before what is true.
        marked = {**true, INJECTED_INK: [*secrets, *([wrong] if wrong else [])]}
        view = f"  view {row['view']}" if row["view"] else ""
        said: list[tuple[str, str, dict[str, list[str]]]] = [
            (QUIET_INK, f"{row['id']}  {row['patient_id']}{view}", {}),
            (QUIET_INK, _listed(row["modality"], row["body_region"], row["question_type"]), {}),
            (INK, f"Q: {row['question']}", {}),
            (INK, f"A: {row['answer']}", marked),
        ]
        if row["true_answer"] != row["answer"]:
            said.append((INK, f"Truth: {row['true_answer']}", true))
        if wrong:
            kind = _listed(row["error_kind"], row["error_severity"])
            said.append((QUIET_INK, f"Wrong: {wrong}, not {fact} ({kind})", {INJECTED_INK: [wrong], TRUE_INK: [fact]}))
        said += [
            (QUIET_INK, f"{tagged['kind']}: {tagged['value']}", {INJECTED_INK: [tagged["value"]]})
            for tagged in row["phi"]
        ]
        self._lines = [line for ink, text, marks in said for line in _wrapped(text, ink, marks)]

    @property
    def height(self) -> int:
        """The height of the card in pixels, margins included."""
        return max(IMAGE_SIDE, LINE * len(self._lines)) + 2 * MARGIN

    def put(self, picture: Image, draw: ImageDraw, left: int, top: int) -> None:
        """Draw the card on the sheet."""
        image = self._image
        if image is None:
            draw.rectangle((left, top, left + IMAGE_SIDE - 1, top + IMAGE_SIDE - 1), outline=FRAME, fill="#f4f4f4")
            draw.text((left + 20, top + IMAGE_SIDE // 2 - 10), "pixels withheld (licence)", QUIET_INK, font=_font())
        else:
            picture.paste(image, (left + (IMAGE_SIDE - image.width) // 2, top + (IMAGE_SIDE - image.height) // 2))
        left += IMAGE_SIDE + MARGIN
        for line in self._lines:
            place = float(left)
            for part, ink in line:
                draw.text((place, top), part, ink, font=_font())
                place += _font().getlength(part)
            top += LINE


def _wrapped(text: str, ink: str, marks: dict[str, list[str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield lines of text, each cut where the ink changes: what a mark covers has the ink of the mark."""
    text = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " ..."
    inks = [ink] * len(text)
    for mark, values in marks.items():
        for value in filter(None, values):
            for found in re.finditer(value_pattern(value), text, re.IGNORECASE):
                inks[slice(*found.span())] = [mark] * len(found.group())
    line: list[tuple[str, str]] = []
    width = 0.0
    for found in re.finditer(rf"\S{{1,{LONGEST_WORD}}}", text):  # a word wider than the card is cut
        first, last = found.span()
        lead = " " if line and text[first - 1].isspace() else ""
        wide = _font().getlength(lead + found.group())
        if line and width + wide > TEXT_WIDTH:
            yield line
            line, width, lead = [], 0.0, ""
            wide = _font().getlength(found.group())
        letters = [(lead, inks[first])] * bool(lead) + list(zip(text[first:last], inks[first:last], strict=True))
        line += [("".join(letter for letter, _ in run), own) for own, run in groupby(letters, key=itemgetter(1))]
        width += wide
    if line:
        yield line


def _listed(*texts: str | None) -> str:
    return ", ".join(filter(None, texts))


def _thumbnail(row: Row) -> Image | None:
    """Return the row's image in its own proportions, as large as the card lets it be; ``None`` where it has none."""
    from PIL import Image as pillow

    if not row["image"] or not row["image"]["bytes"]:
        return None
    image = eight_bits(pillow.open(io.BytesIO(row["image"]["bytes"])))
    scale = min(IMAGE_SIDE / image.width, IMAGE_SIDE / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    # Small pictures are shown pixel by pixel, large ones without the specks of leaving pixels out.
    return image.resize(size, pillow.Resampling.NEAREST if scale > 1 else pillow.Resampling.LANCZOS)


def eight_bits(image: Image) -> Image:
    """Return an image as RGB; one of more than 8 bits is stretched from its darkest to its brightest value."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image.convert("RGB")
    values = np.asarray(image, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    scale = 255 / ((high - low) or 1)
    return image.convert("F").point(lambda value: value * scale - low * scale).convert("L").convert("RGB")


def _size(row: Row) -> dict[str, int] | None:
    from PIL import Image as pillow

    if not row["image"] or not row["image"]["bytes"]:
        return None
    image = pillow.open(io.BytesIO(row["image"]["bytes"]))
    return {"width": image.width, "height": image.height}


@cache
def _font(size: int = FONT_SIZE) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont as fonts

    return fonts.load_default(size)

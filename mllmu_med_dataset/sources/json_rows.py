"""Rows of a JSON file that is one list of objects, each with its place for messages."""

import json
from collections.abc import Iterator, Sequence

from ..errors import UserError
from .files import SourceFiles
from .texts import check_texts


def json_rows(
    files: SourceFiles, name: str, *, required: Sequence[str], called: str
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield every row of the file with ``FOLDER/NAME, row N``; raise ``UserError`` for what is no such row.

    Of the required keys each must be there and not null. ``called`` is the source's name as people write it.
    """
    where, fix = f"{files.path}/{name}", f"Take the file as {called} distributes it."
    try:
        rows = json.loads(files.read(name).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where} is not UTF-8 (byte {error.start:,} is 0x{error.object[error.start]:02x}). {fix}"
        ) from error
    except json.JSONDecodeError as error:
        what = "is empty" if not error.doc.strip() else f"is no whole JSON file ({error})"
        raise UserError(f"{where} {what}. {fix}") from error
    except (OSError, RecursionError) as error:
        raise UserError(f"{where} can't be read ({error}). {fix}") from error
    if not isinstance(rows, list):
        raise UserError(f"{where} is not a list of rows. {fix}")
    for number, row in enumerate(rows, start=1):
        place = f"{where}, row {number}"
        if not isinstance(row, dict):
            raise UserError(f"{place} is not an object. {fix}")
        check_texts(row, place)
        missing = [key for key in required if row.get(key) is None]
        if missing:
            raise UserError(f"{place} lacks {', '.join(missing)}. {fix}")
        for key in required:
            if isinstance(row[key], dict | list | bool):
                raise UserError(f"{place} has {json.dumps(row[key])[:60]} as its {key}, not a text. {fix}")
        yield place, row

"""Answers that a third writer labelled, who knew the convention of `fact_cases` but none of the rules or sentences.

Three files in the form of `fact_cases` with the kind of each row; rows of the kind "abstention" hold whether the answer
abstains. The hash of the answer gave its half. `third_writer_tuned.json` was looked at, and the rules were mended by
what they misread in it and in further sentences of those kinds. Of `third_writer_untouched.json` no row was looked at
while mending, but its share of right readings was, three times: at first sight, midway and at the end. After the third
time the kinds of its ten misread rows were counted, and the rules mended once more by other sentences of two of these
kinds; the share was not read again. `third_writer_later.json` was written when the rules stood, and read once.

The writer mended the rules himself, with all his sentences in mind: the share at first sight is the fairest estimate.
"""

import hashlib
import json
from pathlib import Path

SIZE = {"tuned": 225, "untouched": 217, "later": 124}
# Right readings at first sight, before anything was mended for this writer's sentences.
FIRST_SIGHT = {"tuned": 203, "untouched": 198, "later": 123}


def part_of(answer: str) -> str:
    """Return the half of an answer, by its hash."""
    digest = hashlib.sha256(f"third:{answer}".encode()).hexdigest()
    return "untouched" if int(digest, 16) % 2 else "tuned"


def rows(part: str) -> list[dict]:
    """Return the rows of a part: `kind`, `answer`, and `values` and `said`, or `abstains`."""
    return json.loads(Path(__file__).with_name(f"third_writer_{part}.json").read_text(encoding="utf-8"))

"""340 answers that a second writer labelled, who knew the convention of `fact_cases` but none of the rules.

Two files of 170 rows, in the form of `fact_cases`, of the same kinds. `second_writer_tuned.json` was looked at, and the
rules were mended by what they misread in it. `second_writer_untouched.json` was never read by the author of the rules,
neither rows nor failures: only its share of right readings was, after each round of mending.
"""

import json
from pathlib import Path

# Right readings at first sight, before anything was mended, of 170 each.
FIRST_SIGHT = {"tuned": 144, "untouched": 132}


def rows(*, untouched: bool) -> list[tuple[str, tuple[str, ...], set[str]]]:
    """Return (answer, closed set, values said) of one half."""
    name = "untouched" if untouched else "tuned"
    text = Path(__file__).with_name(f"second_writer_{name}.json").read_text(encoding="utf-8")
    return [(row["answer"], tuple(row["values"]), set(row["said"])) for row in json.loads(text)]

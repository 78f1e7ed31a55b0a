"""Answers that a third writer labelled, who knew the convention of `fact_cases` but none of the rules or sentences.

Two files in the form of `fact_cases` with the kind of each row; the hash of the answer gave its half. Rows of the kind
"abstention" hold whether the answer abstains. `third_writer_tuned.json` was looked at, and the rules were mended by
what they misread in it and by further sentences like those; of `third_writer_untouched.json` only the share of right
readings was looked at, three times: at first sight, once between, and at the end. The writer mended the rules himself
with all his sentences in mind, so the share at first sight is the fairer estimate.
"""

import json
from pathlib import Path


def rows(*, untouched: bool) -> list[dict]:
    """Return the rows of one half: `kind`, `answer`, and `values` and `said`, or `abstains`."""
    name = "untouched" if untouched else "tuned"
    return json.loads(Path(__file__).with_name(f"third_writer_{name}.json").read_text(encoding="utf-8"))

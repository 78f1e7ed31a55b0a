"""What a report says of sequences whose scores are known: means over orders, intervals, table, figure."""

import json
from pathlib import Path

import numpy as np
import pytest

from baselines.sequence.figure import over_requests
from baselines.sequence.measured import Measured
from baselines.sequence.report import rows_of
from baselines.sequence.requests import Chain, Requests
from baselines.sequence.text import markdown, table

STUDY = Requests(out=Path("out"), methods=("gd", "idk"), batches=(8,))
REASON = "request 1: the target does not tell enough"


def step(request: int, **values: object) -> dict[str, object]:
    known = {"f": 0.5, "s": 1.0, "r": 1.0, "t": 1.0, "h": 0.8, "backslide": None, "waiting": None, "harm": 0.5}
    known |= {"harm_gold": 0.0, "patients_leaked": 3, "degenerate": 0.0, "verdict": "ok", "steps": 5, "seconds": 2.0}
    return {"request": request, "patients": 8 * request, "own_f": [], **known, **values}


def sequence(method, order, headline, last, backslide, batch=8, reason=None):
    """One sequence, whose patients change nothing."""
    values = {"headline": headline, "last": last, "worst_backslide": backslide}
    drawn = {name: np.full(5, value) for name, value in values.items()}
    f = None if reason else 0.1 * order
    return Measured(Chain(STUDY, method, batch, order), [step(1, f=f), step(2, h=last)], drawn, 16, reason)


@pytest.fixture(scope="module")
def document():
    gd = [sequence("gd", order, 0.4 + 0.1 * order, 0.5, 0.1 * (order - 1)) for order in range(3)]
    idk = [sequence("idk", order, 0.9, 0.9, 0.0, reason=REASON) for order in range(3)]
    at_once = {
        method: [sequence(method, order, 0.8, 0.8, np.nan, batch=16) for order in range(3)] for method in STUDY.methods
    }
    rows = rows_of(STUDY, 8, [*gd, *idk], at_once)
    asking = [list(STUDY.order(order)) for order in range(3)]
    return {
        "rows": rows, "config": STUDY.settings(), "patients": 16, "asking": asking, "seed": 0,
        "dataset_checksum": "0" * 64, "versions": {"processor": "made up"},
    }  # fmt: skip


def test_a_row_is_the_mean_over_orders_with_an_interval(document):
    row = document["rows"][0]
    # sd 0.1 of three orders, t(2) = 4.3027: half width 4.3027 * 0.1 / sqrt(3) = 0.2484
    assert (row["headline"], row["headline_low"], row["headline_high"]) == pytest.approx(
        (0.5, 0.2516, 0.7484), abs=1e-4
    )
    assert (row["backslide"], row["backslide_low"]) == pytest.approx((0.0, -0.2484), abs=1e-4)
    assert (row["last"], row["all_at_once"], row["gap"]) == pytest.approx((0.5, 0.8, 0.3))
    assert row["covers"] == "given this target" and row["requests"] == 2 and row["seconds"] == 12.0
    assert row["steps"][0]["f"] == pytest.approx(0.1) and row["steps"][0]["backslide"] is None
    assert [one["headline"] for one in row["by_order"]] == pytest.approx([0.4, 0.5, 0.6])
    assert [one["seed"] for one in row["by_order"]] == [0, 1, 2]


def test_what_is_undefined_after_one_request_leaves_no_mean_and_says_why(document):
    row = document["rows"][1]
    assert row["headline"] is None and row["headline_low"] is None and row["letters"] is None
    assert row["reasons"] == {f"order {order}": REASON for order in range(3)}
    assert row["steps"][0]["f"] is None and row["last"] == pytest.approx(0.9)
    assert json.loads(json.dumps(document["rows"], allow_nan=False)) == document["rows"]


def test_the_table_and_the_page_show_it(document):
    lines = table(document).splitlines()
    assert lines[0].startswith("8 at a time: 16 patients in 2 requests; means of 3 orders, intervals: other orders")
    assert lines[2].split()[:3] == ["gd", "0.50", "0.25-0.75"] and "+0.30" in lines[2] and " 3.0 " in lines[2]
    assert lines[3].split()[:3] == ["idk", "-", "-"]
    page = markdown(document)
    assert f"No mean for idk, order 0: {REASON}." in page and "gold_t never saw D_1..t" in page
    assert "| gd | 1 | 8 | 0.10 | 1.00 |" in page and "Model nano" in page


def test_the_figure_is_drawn_whatever_is_undefined_and_again_the_same(document, tmp_path):
    first = over_requests(document, tmp_path).read_bytes()
    assert first[:4] == b"\x89PNG"
    assert over_requests(document, tmp_path).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["sequence.png"]

"""The committed entry is a whole one: what it claims is the committed report, and what its answers give."""

import json

import pytest

from baselines.leaderboard import entry as entries
from baselines.leaderboard.recomputed import verified
from tests.generated import RESULTS

OURS = RESULTS / "entries"


def test_our_entry_claims_what_the_committed_report_shows():
    (entry,) = entries.read_all([OURS]).values()
    report = json.loads((RESULTS / "bench-nano.json").read_text(encoding="utf-8"))
    rows = {(row["scenario"], row["model"]): row for row in report["rows"] if row["model"] != "base"}
    claimed = {(one.scenario, model): values for one in entry.scenarios for model, values in one.scores.items()}
    assert claimed == {key: {name: row.get(name) for name in entries.SCORES} for key, row in rows.items()}
    assert sum(path.stat().st_size for path in OURS.iterdir()) < 2_500_000


@pytest.mark.slow
def test_our_entry_claims_what_its_answers_give():
    for name, entry in entries.read_all([OURS]).items():
        assert [board.answers.scenario for board in verified(entry, name, [None])] == ["privacy", "incorrectness"]

"""The one policy for rows that can't be used: left out, counted and named, and refused where they are too many."""

import io
import json
import random

import pytest

from baselines import cli
from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.left_out import (
    BAD_IMAGE,
    EMPTY_ANSWER,
    MISSING_IMAGE,
    PARAPHRASE,
    REPEATED,
    Loss,
    Losses,
    UnusableRow,
    share,
)
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.sources import open_source
from mllmu_med_dataset.verify import verify

from ..conftest import PATIENTS, picture, record, records

SAID = {"license": "CC0-1.0", "redistributable": "true"}
ROWS = 4 * PATIENTS


def tally(*lost, total=100, **options):
    losses = Losses("DIR", **options)
    losses.total = total
    for reason, place in lost:
        losses.add(reason, place, " is wrong.")
    return losses


def test_up_to_the_share_is_left_out_and_one_more_is_refused_with_the_numbers(caplog):
    lost = [(EMPTY_ANSWER, f"x:{number}") for number in range(3)]
    tally(*lost[:2]).finish()
    assert "Of 100 rows of 'DIR': 2 rows have an empty answer: left out (x:0, x:1)" in caplog.text
    with pytest.raises(UserError, match=r"3 of 100 rows .*\(3 %\), more than the 2 % .*DIR/x:0 is wrong.*unusable 3%"):
        tally(*lost).finish()
    tally(*lost, limit=0.03).finish()
    with pytest.raises(UserError, match=r"1 of 100 rows .*more than the 0 %"):
        tally(lost[0], limit=0).finish()


def test_nothing_left_is_refused_whatever_the_share():
    with pytest.raises(UserError, match="None of the 2 rows of 'DIR' can be used"):
        tally((EMPTY_ANSWER, "x:1"), (EMPTY_ANSWER, "x:2"), total=2, limit=1.0).finish()
    with pytest.raises(UserError, match="None of the 1 rows"):
        tally((BAD_IMAGE, "a.png (broken)"), total=1, skip_bad_images=True).finish()


def test_rows_without_their_image_are_not_held_against_the_share_if_they_may_be_skipped():
    lost = [(MISSING_IMAGE, f"{number}.png") for number in range(50)]
    with pytest.raises(UserError, match="--skip-bad-images"):
        tally(*lost).finish()
    tally(*lost, skip_bad_images=True).finish()
    with pytest.raises(UserError, match="3 of 100 rows"):
        tally(*lost, *[(EMPTY_ANSWER, f"x:{number}") for number in range(3)], skip_bad_images=True).finish()


def test_what_is_set_aside_by_rule_is_told_and_is_no_loss():
    losses = tally(total=10)
    losses.set_aside(PARAPHRASE, "qid 3", rows=9)
    losses.finish()
    (loss,) = losses.found()
    assert (loss.rows, loss.lost) == (9, False)
    # Of the one row that is left to use, one is lost.
    losses.add(EMPTY_ANSWER, "qid 4")
    with pytest.raises(UserError, match="None of the 1 rows"):
        losses.finish()


def test_the_order_of_the_rows_changes_nothing_that_is_told():
    lost = [(EMPTY_ANSWER, f"rows.csv:{number}") for number in range(1, 30)]
    expected = tally(*lost, limit=1).found()
    assert expected[0].examples == ("rows.csv:1", "rows.csv:2", "rows.csv:3")
    for seed in range(5):
        assert tally(*random.Random(seed).sample(lost, len(lost)), limit=1).found() == expected


def test_each_counts_what_raises_and_what_the_reader_found_wrong():
    def read(place, row):
        if not row:
            raise UnusableRow(EMPTY_ANSWER, " is empty.", name="r2")
        return row * 2

    losses = Losses()
    rows = [("x:1", 1), ("x:2", 0), ("x:3", UnusableRow("can't be parsed", " is not JSON."))]
    assert list(losses.each(rows, read)) == [("x:1", 2)]
    assert losses.total == 3 and [one.examples for one in losses.found()] == [("x:3",), ("x:2: r2",)]


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (Loss(reason=EMPTY_ANSWER, rows=1, examples=("a",)), "1 row has an empty answer: left out (a)"),
        (Loss(reason=REPEATED, rows=1), "1 row repeats image, question and answer of another: left out"),
        (Loss(reason="can't be parsed", rows=1), "1 row can't be parsed: left out"),
        (Loss(reason="have an empty answer", rows=1200, examples=("a", "b")),
         "1,200 rows have an empty answer: left out (a, b, ...)"),
    ],
)  # fmt: skip
def test_a_loss_is_told_in_a_sentence(loss, line):
    assert loss.line() == line


@pytest.mark.parametrize(
    ("text", "value"), [("2%", 0.02), (" 2.5 % ", 0.025), ("0", 0), (0.1, 0.1), ("100%", 1), (1, 1)]
)
def test_a_share_is_a_percentage_or_a_fraction(text, value):
    assert share(text) == value


@pytest.mark.parametrize(
    ("text", "part"),
    [("2", "Did you mean 2%"), ("-1%", "0% to 100%"), ("101%", "100%"), ("nan", "0.02"), ("few", "'few'"), ("", "''")],
)
def test_what_is_no_share_is_refused(text, part):
    with pytest.raises(UserError, match=part):
        share(text)


# --- in a build: stderr, summary, card, verify -----------------------------------------------------------------------


def spoiled():
    """Yield the shared source with one empty answer, one undecodable image and two rows told twice."""
    broken = io.BytesIO(picture(0)).getvalue()[:-200]
    yield from records()
    yield record(0, answer=" ", source_id="empty")
    yield record(0, image_bytes=broken, source_id="broken")
    yield record(1, source_id="again-1")
    yield record(2, "organ", source_id="again-2")


TOLD = {EMPTY_ANSWER: (1, True), BAD_IMAGE: (1, True), REPEATED: (2, False)}


def test_a_build_tells_its_losses_in_summary_card_and_verify(tmp_path, caplog):
    out = tmp_path / "b"
    summary = build(spoiled(), out, percents=(10,), scenarios=("privacy",))
    assert {loss.reason: (loss.rows, loss.lost) for loss in summary.losses} == TOLD
    assert summary.records == ROWS + 4 and summary.duplicates_dropped == 2
    report = verify(out)
    assert report.ok and report.losses == summary.losses
    card = (out / "README.md").read_text()
    for loss in summary.losses:
        assert f"- {loss.line()}." in card and f"note {loss.line()}" in report.text() and loss.line() in caplog.text
    assert "1 row has an empty answer: left out (empty)" in card
    # The rows are those of the sound source.
    assert (
        summary.dataset_sha256
        == build(records(), tmp_path / "c", percents=(10,), scenarios=("privacy",)).dataset_sha256
    )


def test_losses_are_the_same_in_any_order_and_after_an_interruption(tmp_path):
    options = {"percents": (10,), "scenarios": ("privacy",)}
    expected = build(spoiled(), tmp_path / "a", **options)
    shuffled = random.Random(1).sample(list(spoiled()), ROWS + 4)
    again = build(shuffled, tmp_path / "b", **options)
    assert (again.losses, again.dataset_sha256) == (expected.losses, expected.dataset_sha256)

    def stop(stage, done, total):
        if stage.startswith("write"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(spoiled(), tmp_path / "c", progress=stop, **options)
    resumed = build(spoiled(), tmp_path / "c", **options)
    assert resumed.losses == expected.losses
    assert (tmp_path / "c" / "README.md").read_bytes() == (tmp_path / "a" / "README.md").read_bytes()
    assert build(spoiled(), tmp_path / "c", **options).already_there


def test_too_many_are_refused_and_nothing_is_left_behind(tmp_path):
    rows = [*records(), *[record(number, answer="", source_id=f"e{number}") for number in range(10)]]
    with pytest.raises(UserError, match=rf"10 of {ROWS + 10} rows .*10 rows have an empty answer \(e0, e1, e2"):
        build(rows, tmp_path / "b", percents=(10,))
    assert not list(tmp_path.iterdir())
    assert build(rows, tmp_path / "b", percents=(10,), scenarios=("privacy",), max_unusable="6%").losses[0].rows == 10
    with pytest.raises(UserError, match="None of the 3 rows"):
        build([record(number, answer="") for number in range(3)], tmp_path / "c", max_unusable=1.0)


def test_verify_fails_where_the_card_does_not_tell_the_losses(tmp_path):
    build(spoiled(), tmp_path / "b", percents=(10,), scenarios=("privacy",))
    document = json.loads((tmp_path / "b" / "checksums.json").read_text())
    document["losses"][0]["rows"] = 5
    (tmp_path / "b" / "checksums.json").write_text(json.dumps(document))
    assert any("does not tell what was left out" in line for line in verify(tmp_path / "b").lines())
    document["losses"] = [{"rows": "many"}]
    (tmp_path / "b" / "checksums.json").write_text(json.dumps(document))
    assert any("can't be read as the checksums" in line for line in verify(tmp_path / "b").lines())


def generic(folder, rows=120, bad=2):
    (folder / "images").mkdir(parents=True)
    lines = []
    for number in range(rows // 2):
        (folder / "images" / f"{number}.png").write_bytes(picture(number))
        organ = ("liver", "lung", "heart", "spleen")[number % 4]
        common = {"image": f"images/{number}.png", "modality": "CT", "body_region": "trunk"}
        lines += [
            {**common, "question": "Which organ is shown?", "answer": organ, "question_type": "organ"},
            {**common, "question": "Is it the liver?", "answer": ("No", "Yes")[organ == "liver"]},
        ]
    for number in range(bad):
        lines[10 * number + 1]["answer"] = ""
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def cli_run(*words):
    with pytest.raises(SystemExit) as ended:
        cli.main(list(map(str, words)))
    return ended.value.code


def test_the_command_line_says_it_on_stderr_and_in_json_and_takes_the_share(tmp_path, capsys, caplog):
    folder, out = generic(tmp_path / "data"), tmp_path / "b"
    options = [word for item in SAID.items() for word in ("--source-option", "=".join(item))]
    command = ["build", "--source", "generic", "--source-path", folder, "--percents", "10", "--out", out, *options]
    assert cli_run(*command, "--max-unusable", "1%", "--json") == 2
    assert "2 of 120 rows" in capsys.readouterr().err and not out.exists()
    assert cli_run(*command, "--scenarios", "privacy", "--json") == 0
    (loss,) = json.loads(capsys.readouterr().out)["losses"]
    assert loss == {"reason": EMPTY_ANSWER, "rows": 2, "examples": ["rows.jsonl:2", "rows.jsonl:12"], "lost": True}
    assert "2 rows have an empty answer: left out (rows.jsonl:2, rows.jsonl:12)" in caplog.text
    assert cli_run("verify", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["losses"] == [loss]
    assert cli_run(*command, "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["losses"] == [loss]


def test_the_scenarios_of_a_build_are_chosen_as_in_a_bench(tmp_path, capsys):
    command = ["build", "--patients", 60, "--percents", "10", "--dry-run", "--out", tmp_path / "b"]
    for good in ("privacy", "incorrectness", "both", "privacy,incorrectness"):
        assert cli_run(*command, "--scenarios", good) == 0
    for bad in ("privcy", "none", ","):
        assert cli_run(*command, "--scenarios", bad) == 2
    assert "Did you mean 'privacy'" in capsys.readouterr().err


def test_records_carry_their_losses(tmp_path):
    opened = open_source("generic", path=generic(tmp_path / "data", bad=1), options=SAID, max_unusable="1%")
    assert len(list(opened)) == 119 and opened.losses.total == 120
    assert [(loss.reason, loss.rows) for loss in opened.losses.found()] == [(EMPTY_ANSWER, 1)]

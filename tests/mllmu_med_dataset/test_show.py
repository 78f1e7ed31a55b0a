"""Rows are shown to a person as they are: the same ones for a seed, images undistorted, every text on the sheet."""

import io

import numpy as np
import pytest
from PIL import Image

from mllmu_med_dataset import show as shows
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.show import IMAGE_SIDE, MARGIN, TEXT_WIDTH, _thumbnail, _wrapped, save_sheet, sheet, show, told


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return {"image": {"bytes": stream.getvalue(), "path": "x.png"}}


def test_the_rows_shown_depend_on_the_seed_alone(built):
    one, again, other = (show("privacy_retain", data_dir=built, rows=5, seed=seed) for seed in (0, 0, 1))
    assert [row["id"] for row in one.rows] == [row["id"] for row in again.rows] != [row["id"] for row in other.rows]
    assert len(one.rows) == 5 and one.total > 5 and one.split == "train"
    # fewer rows are a part of more
    assert {r["id"] for r in show("privacy_retain", data_dir=built, rows=2).rows} <= {r["id"] for r in one.rows}


def test_a_view_is_shown_by_its_split_and_a_small_split_as_a_whole(built):
    shown = show("privacy_forget_05", data_dir=built, split="paraphrase", rows=200)
    assert len(shown.rows) == shown.total and {row["view"] for row in shown.rows} == {"paraphrase"}


def test_an_unknown_split_and_config_name_the_nearest(built):
    with pytest.raises(UserError, match="Did you mean 'paraphrase'"):
        show("privacy_forget", data_dir=built, split="paraphase")
    with pytest.raises(UserError, match="Did you mean 'privacy_forget'"):
        show("privacy_forgett", data_dir=built)


def test_the_text_says_question_answer_truth_error_and_identifiers(built):
    private, wrong = (show(config, data_dir=built, rows=1) for config in ("privacy_forget", "incorrectness_forget"))
    row = private.rows[0]
    for said in (row["id"], row["question"], row["answer"], row["true_answer"], *(t["value"] for t in row["phi"])):
        assert said in private.text()
    row = wrong.rows[0]
    said = dict(told(row))
    assert said["truth"] == row["true_answer"] and said["wrong fact"].startswith(row["wrong_fact"])
    assert row["error_kind"] in said["wrong fact"] and said["fact"] == row["fact"]


def test_a_clean_row_says_nothing_of_errors_and_identifiers(built):
    said = dict(told(show("privacy_test", data_dir=built, rows=1).rows[0]))
    assert not {"truth", "wrong fact", "identifiers", "forgotten"} & set(said)


def test_json_rows_have_the_size_of_the_image_and_not_its_bytes(built):
    (row,) = show("privacy_test", data_dir=built, rows=1).json_rows()
    assert row["image"] == {"width": 64, "height": 64}
    assert set(row) == set(show("privacy_test", data_dir=built, rows=1).rows[0])


@pytest.mark.parametrize(("size", "shown"), [((64, 64), (256, 256)), ((1024, 256), (256, 64)), ((50, 400), (32, 256))])
def test_images_keep_their_proportions(size, shown):
    assert _thumbnail(png(Image.new("L", size))).size == shown


def test_an_image_of_sixteen_bits_is_shown_from_dark_to_bright():
    deep = Image.fromarray(np.array([[1000, 1500], [2000, 3000]], dtype=np.uint16))
    values = np.asarray(_thumbnail(png(deep)))[..., 0]
    assert values[0, 0] == 0 and values[-1, -1] == 255 and 60 <= values[0, -1] <= 67


def test_the_sheet_holds_every_image_beside_its_text(built):
    shown = show("incorrectness_forget", data_dir=built, rows=3)
    picture = np.asarray(sheet(shown))
    assert picture.shape[1] == 2 * (IMAGE_SIDE + TEXT_WIDTH + 3 * MARGIN)
    own = np.asarray(_thumbnail(shown.rows[0]))
    top = next(y for y in range(picture.shape[0]) if (picture[y, MARGIN : MARGIN + 256] == own[0]).all())
    assert (picture[top : top + 256, MARGIN : MARGIN + 256] == own).all()
    text = picture[top : top + 256, 2 * MARGIN + IMAGE_SIDE : 2 * MARGIN + IMAGE_SIDE + TEXT_WIDTH]
    assert (text < 128).any() and (picture[-1] == 255).all()
    # the wrong fact is red, the true one green
    assert (text == [0xB0, 0x00, 0x20]).all(axis=-1).any() and (text == [0x00, 0x60, 0x2B]).all(axis=-1).any()


def test_withheld_pixels_leave_a_frame(built):
    shown = show("privacy_test", data_dir=built, rows=1)
    empty = shown.model_copy(update={"rows": ({**shown.rows[0], "image": None},)})
    assert "withholds" in empty.text() and empty.json_rows()[0]["image"] is None
    assert sheet(empty).size == sheet(shown).size


def test_long_texts_are_wrapped_within_the_card_and_keep_every_word():
    text = "The lesion of Ada is in the left upper quadrant. " * 6 + "x" * 100
    lines = list(_wrapped(text, "ink", {"mark": ["Ada"]}))
    assert "".join(part for line in lines for part, _ in line).replace(" ", "") == text.replace(" ", "")
    for line in lines:
        assert shows._font().getlength("".join(part for part, _ in line)) <= TEXT_WIDTH
        assert not line[0][0].startswith(" ")
    assert {part.strip() for line in lines for part, ink in line if ink == "mark"} == {"Ada"}


def test_only_whole_words_are_marked_and_no_bracket_or_comma_beside_them():
    (line,) = _wrapped("No, not Yes (an MR)", "ink", {"wrong": ["no"], "true": ["Yes", "MR"]})
    assert line == [
        ("No", "wrong"), (",", "ink"), (" not", "ink"), (" Yes", "true"), (" (an", "ink"), (" MR", "true"), (")", "ink")
    ]  # fmt: skip


def test_what_a_source_does_not_say_leaves_no_comma(built):
    row = {**show("privacy_test", data_dir=built, rows=1).rows[0], "modality": "MR", "body_region": ""}
    assert dict(told(row))["image"].endswith("   MR")


def test_the_sheet_is_written_as_png_and_nothing_else(built, tmp_path):
    shown = show("privacy_test", data_dir=built, rows=1)
    save_sheet(shown, tmp_path / "new" / "sheet.png")
    assert Image.open(tmp_path / "new" / "sheet.png").format == "PNG"
    with pytest.raises(UserError, match=r"sheet\.png"):
        save_sheet(shown, tmp_path / "sheet.pdf")
    with pytest.raises(UserError, match="can't be written"):
        (tmp_path / "folder.png").mkdir()
        save_sheet(shown, tmp_path / "folder.png")


def test_an_audit_has_question_truth_error_and_its_pool_in_two_lines_a_row(built):
    shown = show("incorrectness_forget", data_dir=built, rows=6)
    head, *lines = shown.audit_text().splitlines()
    assert head == f"incorrectness_forget, train: 6 of {shown.total} rows" and len(lines) == 12
    for row, question, verdict in zip(shown.rows, lines[::2], lines[1::2], strict=True):
        assert row["question"] in question and f"{row['fact']} -> {row['wrong_fact']}   {row['error_pool']}" in verdict
        assert verdict.endswith(f"{row['error_kind']}, {row['error_severity']}")
    for row, judged in zip(shown.rows, shown.audit_rows(), strict=True):
        assert judged.items() >= {name: row[name] for name in ("id", "question", "wrong_fact", "error_pool")}.items()
        assert judged["truth"] == row["fact"]


def test_an_audit_of_privacy_has_the_true_and_the_injected_answer(built):
    shown = show("privacy_forget", data_dir=built, rows=4)
    text = shown.audit_text()
    for row in shown.rows:
        assert f"true: {row['true_answer']}\n     told: {row['answer']}" in text
    assert [set(judged) for judged in shown.audit_rows()] == [{"id", "question", "truth", "injected"}] * 4

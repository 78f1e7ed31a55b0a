"""Every corruption of a good build is caught by the gate that is meant to, in words that name file, row and rule.

Each mutation breaks one rule and makes everything else agree with it (ids, both levels of checksums, the card), so
that the other gates hold: ``also`` names those that can't.
"""

import io
import json
import os
import re
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from PIL import Image

from mllmu_med_dataset.build import build
from mllmu_med_dataset.building.content import open_image
from mllmu_med_dataset.record import image_id, image_key, patient_id
from mllmu_med_dataset.verify import GATES, verify

from .broken_build import Copy
from .conftest import picture, records

PATIENTS = 28
TEST, HOLDOUT, FORGET, RETAIN = "privacy_test", "privacy_holdout", "privacy_forget", "privacy_retain"
WRONG, WRONG_FORGET, WRONG_RETAIN = "incorrectness_holdout", "incorrectness_forget", "incorrectness_retain"
# Where a failure must be seen: a file, and the id of a row in it where the rule is about one.
Place = tuple[str, str]
MUTATIONS: list = []


def mutation(gate: str, says: str, *also: str, build: str = "privacy"):
    """Register a function that breaks one rule of a copy and returns the place that must be named."""

    def register(broken: Callable[[Copy], Place]):
        chosen = "incorrectness" if broken.__name__.startswith("wrong_") else build
        MUTATIONS.append(pytest.param(chosen, broken, gate, says, {gate, *also}, id=f"{gate}-{broken.__name__}"))
        return broken

    return register


@pytest.fixture(scope="session")
def builds(tmp_path_factory):
    """A small build of each scenario, and one of privacy at two percents; tests must not change them."""
    folder = tmp_path_factory.mktemp("good")
    for name, percents in (("privacy", (10,)), ("incorrectness", (10,)), ("privacy, nested", (10, 15))):
        build(records(PATIENTS), folder / name, scenarios=(name.split(",")[0],), percents=percents)
    build(records(PATIENTS), folder / "request, nested", scenarios=("request",), percents=(10, 15))
    build(fewer_types(), folder / "privacy, unasked", scenarios=("privacy",), percents=(10,))
    return folder


def fewer_types():
    """Return records of patients who are each asked two types of question of four."""
    asked = records(PATIENTS)
    return [one for place, one in enumerate(asked) if (place // 4 + place % 4) % 4 in (0, 3)]


def test_the_builds_that_are_broken_are_good(builds):
    for folder in builds.iterdir():
        assert verify(folder).lines() == []


def test_a_copy_stored_as_it_is_is_still_good(builds, tmp_path):
    copy = Copy(builds / "privacy", tmp_path / "copy")
    for split in ("train", "paraphrase", "blank_image"):
        copy.store(FORGET, copy.rows(FORGET, split), split)
    assert verify(copy.folder).lines() == []


def test_every_gate_is_failed_by_a_mutation():
    # Those of beliefs are broken in injection/test_knowledge.py.
    assert {param.values[2] for param in MUTATIONS} == set(GATES) - {"beliefs"}


# files


@mutation("files", "sha256 is not the one in checksums")
def changed_card(copy: Copy) -> Place:
    copy.write("README.md", (copy.folder / "README.md").read_text() + "\nMore.\n")
    return "README.md", ""


@mutation("files", "can't be read as Parquet", "content", "configs")
def truncated_table(copy: Copy) -> Place:
    name = copy.name(FORGET, "direct")
    copy.write(name, (copy.folder / name).read_bytes()[:-20])
    copy.seal()
    return name, ""


@mutation("files", "is missing", "content", "configs")
def missing_table(copy: Copy) -> Place:
    (copy.folder / copy.name(TEST)).unlink()
    return copy.name(TEST), ""


@mutation("files", "not listed in checksums")
def extra_file(copy: Copy) -> Place:
    copy.write("data/notes.txt", "x")
    return "data/notes.txt", ""


@mutation("files", "is no file that a build has")
def listed_script(copy: Copy) -> Place:
    copy.write("mllmu-med.py", "print('run me')")
    copy.seal()
    return "mllmu-med.py", ""


@mutation("files", "is a symbolic link")
def link_out_of_the_folder(copy: Copy) -> Place:
    name = copy.name(TEST)
    (copy.folder / name).rename(copy.folder.parent / "elsewhere")
    os.symlink(copy.folder.parent / "elsewhere", copy.folder / name)
    return name, ""


@mutation("files", "is an empty folder")
def empty_folder(copy: Copy) -> Place:
    (copy.folder / "data" / "more").mkdir()
    return "data/more", ""


@mutation("files", r"its parts are 00000 of 00002")
def missing_part(copy: Copy) -> Place:
    name = copy.folder / copy.name(TEST)
    name.rename(name.with_name("test-00000-of-00002.parquet"))
    copy.seal()
    return f"data/{TEST}/test-*", ""


# content


@mutation("content", "content checksum or row count")
def rows_in_another_order(copy: Copy) -> Place:
    told = copy.document()["content"]
    copy.store(TEST, copy.rows(TEST)[::-1])
    document = copy.document()
    new = document["content"][TEST]["test"]["sha256"]
    document["content"] = told
    card = (copy.folder / "README.md").read_text()
    copy.write("README.md", card.replace(new, told[TEST]["test"]["sha256"]))
    copy.seal(document)
    return f"data/{TEST}/test-*", ""


@mutation("content", "dataset_sha256")
def checksum_of_the_whole(copy: Copy) -> Place:
    document = copy.document()
    document["dataset_sha256"] = "0" * 64
    copy.write("checksums.json", json.dumps(document))
    return "checksums.json", ""


# schema


@mutation("schema", r"\$\.question: ''")
def empty_question(copy: Copy) -> Place:
    return copy.change(TEST, question="")


@mutation("schema", r"\$\.answer_type: 'MAYBE'")
def unknown_answer_type(copy: Copy) -> Place:
    return copy.change(TEST, answer_type="MAYBE")


@mutation("schema", r"\$\.patient_id")
def misshapen_patient(copy: Copy) -> Place:
    return copy.change(TEST, patient_id="p-1")


@mutation("schema", r"\$\.forget_percent: 99")
def endless_percent(copy: Copy) -> Place:
    return copy.change(TEST, forget_percent=99)


@mutation("schema", "id is not the hash")
def id_of_another_row(copy: Copy) -> Place:
    rows = copy.rows(TEST)
    rows[0]["id"] = "0" * 16
    copy.store(TEST, rows, ids=False)
    return copy.name(TEST), "0" * 16


@mutation("schema", "id stands twice")
def row_twice(copy: Copy) -> Place:
    rows = copy.rows(TEST)
    copy.store(TEST, [*rows, rows[-1]])
    return copy.name(TEST), rows[-1]["id"]


@mutation("schema", "columns or their types", "content", "configs", "licences")
def column_missing(copy: Copy) -> Place:
    table = pq.read_table(copy.folder / copy.name(TEST)).drop_columns(["license"])
    (copy.folder / copy.name(TEST)).unlink()
    pq.write_table(table, copy.folder / copy.name(TEST))
    document = copy.document()
    document["licenses"].append("X")  # named by rows that are not read
    copy.seal(document)
    return copy.name(TEST), ""


@mutation("schema", "features in the file", "content", "configs")
def features_missing(copy: Copy) -> Place:
    table = pq.read_table(copy.folder / copy.name(TEST))
    (copy.folder / copy.name(TEST)).unlink()
    pq.write_table(table.replace_schema_metadata(None), copy.folder / copy.name(TEST))
    copy.seal()
    return copy.name(TEST), ""


# configs


@mutation("configs", "has no rows")
def no_rows(copy: Copy) -> Place:
    copy.store(TEST, [])
    return f"data/{TEST}/test-*", ""


@mutation("configs", "has no rows", "content")
def view_missing(copy: Copy) -> Place:
    (copy.folder / copy.name(FORGET, "reconstruction")).unlink()
    copy.seal()
    return f"data/{FORGET}/reconstruction-*", ""


@mutation("configs", "is no split of this config", "views")
def wrong_facts_have_no_direct_view(copy: Copy) -> Place:
    (row, *_) = copy.rows(WRONG_FORGET, "paraphrase")
    copy.store(WRONG_FORGET, [{**row, "view": "direct"}], "direct")
    return f"data/{WRONG_FORGET}/direct-*", ""


@mutation("configs", "a row of privacy, forget, image_view stands in this split", "views")
def row_of_another_view(copy: Copy) -> Place:
    rows, (other, *_) = copy.rows(FORGET, "paraphrase"), copy.rows(FORGET, "image_view")
    copy.store(FORGET, [*rows, other], "paraphrase")
    return copy.name(FORGET, "paraphrase"), other["id"]


@mutation("configs", r"tells \{'test': 27\} rows")
def card_tells_another_count(copy: Copy) -> Place:
    card = (copy.folder / "README.md").read_text()
    copy.write("README.md", card.replace("num_examples: 28", "num_examples: 27"))
    copy.seal()
    return "README.md", ""


@mutation("configs", "lacks the content checksum")
def card_tells_another_content(copy: Copy) -> Place:
    card = (copy.folder / "README.md").read_text()
    copy.write("README.md", card.replace(copy.document()["content"][TEST]["test"]["sha256"], "0" * 64))
    copy.seal()
    return "README.md", ""


@mutation("configs", "files of every split")
def card_names_other_files(copy: Copy) -> Place:
    card = (copy.folder / "README.md").read_text()
    copy.write("README.md", card.replace(f"data/{FORGET}/direct-*", f"data/{FORGET}/train-*"))
    copy.seal()
    return "README.md", ""


# images


@mutation("images", "can't be decoded")
def no_image(copy: Copy) -> Place:
    return copy.change(TEST, image=lambda row: {**row["image"], "bytes": b"no image at all"})


@mutation("images", "pixels are those of image")
def pixels_of_another_image(copy: Copy) -> Place:
    return copy.change(TEST, image=lambda row: {**row["image"], "bytes": picture(999)})


@mutation("images", "is not that of its image")
def telling_file_name(copy: Copy) -> Place:
    return copy.change(TEST, image=lambda row: {**row["image"], "path": "Quillby-Ada.png"})


@mutation("images", "the image is blank")
def blank_patient(copy: Copy) -> Place:
    image, key = made_image(Image.new("L", (64, 64), 99))
    return copy.change(TEST, image=image, image_id=image_id(key), patient_id=patient_id(key))


def made_image(image: Image.Image) -> tuple[dict, str]:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    key = image_key(image)
    return {"bytes": stream.getvalue(), "path": f"{image_id(key)}.png"}, key


# identifiers and distractors, on holdout rows: no view repeats them


def with_record(row) -> bool:
    return any(tagged["kind"] in ("record", "ssn", "account", "plan", "device") for tagged in row["phi"])


def numbered(row) -> str:
    return next(t["value"] for t in row["phi"] if t["kind"] in ("record", "ssn", "account", "plan", "device"))


def said_instead(row, old: str, new: str):
    """Return the row with a value exchanged everywhere."""
    image = row.pop("image")
    changed = json.loads(json.dumps(row, ensure_ascii=False).replace(old, new))
    return {**changed, "image": image}


@mutation("identifiers", "outside the fictitious range")
def identifier_of_a_real_range(copy: Copy) -> Place:
    rows = copy.rows(HOLDOUT)
    place = next(n for n, row in enumerate(rows) if with_record(row))
    own = numbered(rows[place])
    rows = [said_instead(row, own, "123-45-6789") for row in rows]
    copy.store(HOLDOUT, rows)
    return copy.name(HOLDOUT), rows[place]["id"]


@mutation("identifiers", "does not stand in the answer")
def identifier_not_told(copy: Copy) -> Place:
    return copy.change(
        HOLDOUT, where=with_record, answer=lambda row: row["answer"].replace(numbered(row), "known to us")
    )


@mutation("identifiers", "tagged twice")
def identifier_tagged_twice(copy: Copy) -> Place:
    return copy.change(HOLDOUT, phi=lambda row: [*row["phi"], row["phi"][0]])


@mutation("identifiers", "2 values of name")
def two_names(copy: Copy) -> Place:
    rows = copy.rows(HOLDOUT)
    rows[0] = said_instead(rows[0], rows[0]["phi"][0]["value"], "Ada Quillzander")
    copy.store(HOLDOUT, rows)
    return copy.name(HOLDOUT), ""


@mutation("identifiers", "belongs to several patients", build="privacy, nested")
def stolen_name(copy: Copy) -> Place:
    rows = copy.rows(HOLDOUT)
    patient, own = rows[0]["patient_id"], rows[0]["phi"][0]["value"]
    told = {tagged["value"] for row in rows if row["patient_id"] == patient for tagged in row["distractors"]}
    names = (row["phi"][0]["value"] for row in copy.rows(f"{FORGET}_15"))
    other = next(name for name in names if name not in told)
    copy.store(HOLDOUT, [said_instead(row, own, other) if row["patient_id"] == patient else row for row in rows])
    return "data/privacy_", ""


@mutation("distractors", "other values beside its own")
def too_few_distractors(copy: Copy) -> Place:
    return copy.change(HOLDOUT, distractors=lambda row: row["distractors"][1:])


@mutation("distractors", "other values beside its own")
def own_value_as_distractor(copy: Copy) -> Place:
    return copy.change(HOLDOUT, distractors=lambda row: [*row["distractors"], row["phi"][0]])


@mutation("distractors", "outside the fictitious range")
def distractor_of_a_real_range(copy: Copy) -> Place:
    real = {"kind": "name", "value": "someone real"}
    return copy.change(HOLDOUT, distractors=lambda row: [*row["distractors"], real])


@mutation("distractors", "has distractors and no identifier")
def distractor_of_another_kind(copy: Copy) -> Place:
    kind = {"kind": "ip", "value": "192.0.2.1"}
    ips = [tagged for row in copy.rows(HOLDOUT) for tagged in row["phi"] if tagged["kind"] == "ip"]
    assert not ips
    return copy.change(HOLDOUT, distractors=lambda row: [*row["distractors"], kind])


# leaks


@mutation("leaks", "the answer says the identifier")
def secret_in_a_test_answer(copy: Copy) -> Place:
    told = f"As told of {numbered(next(filter(with_record, copy.rows(FORGET)))).lower().replace('-', ' ')}."
    return copy.change(TEST, answer=told, true_answer=told)


@mutation("leaks", "the question says the identifier")
def secret_in_a_test_question(copy: Copy) -> Place:
    name = copy.rows(FORGET)[0]["phi"][0]["value"]
    return copy.change(TEST, question=f"What does {name.upper()} have?")


@mutation("leaks", "the true_answer says the identifier")
def secret_in_the_truth(copy: Copy) -> Place:
    return copy.change(HOLDOUT, true_answer=lambda row: f"{row['phi'][0]['value']} has it.")


@mutation("leaks", "the answer says the identifier")
def secret_of_another_patient(copy: Copy) -> Place:
    told = numbered(next(filter(with_record, copy.rows(FORGET))))
    return copy.change(HOLDOUT, answer=lambda row: f"{row['answer']} Compare {told}.")


@mutation("leaks", "which the answer is to give away")
def secret_in_its_own_question(copy: Copy) -> Place:
    return copy.change(HOLDOUT, question=lambda row: f"{row['question']} It is {row['phi'][0]['value']}.")


@mutation("leaks", "a paraphrase says the identifier")
def secret_in_a_paraphrase(copy: Copy) -> Place:
    return copy.change(
        HOLDOUT, paraphrase_questions=lambda row: [*row["paraphrase_questions"], f"Is it {row['phi'][0]['value']}?"]
    )


@mutation("leaks", "another phrasing of the answer says the identifier")
def secret_of_another_patient_in_a_phrasing(copy: Copy) -> Place:
    told = numbered(next(filter(with_record, copy.rows(FORGET))))
    return copy.change(HOLDOUT, paraphrase_answers=lambda row: [f"{text} {told}" for text in row["paraphrase_answers"]])


# clean


@mutation("clean", "holds private information")
def tagged_clean_row(copy: Copy) -> Place:
    return copy.change(RETAIN, phi=[{"kind": "record", "value": "SYN-MRN-12345674"}])


@mutation("clean", "lacks private information", "views", "leaks", "distractors")
def untagged_injected_row(copy: Copy) -> Place:
    return copy.change(FORGET, phi=[])


@mutation("clean", "the answer is not the true answer")
def clean_row_with_another_answer(copy: Copy) -> Place:
    return copy.change(TEST, answer="The lesion is a cyst.")


@mutation("clean", "the answer is the true answer", "identifiers")
def injected_row_that_tells_the_truth(copy: Copy) -> Place:
    return copy.change(HOLDOUT, answer=lambda row: row["true_answer"])


@mutation("clean", "a clean row has wrong_answers")
def clean_row_with_wrong_answers(copy: Copy) -> Place:
    return copy.change(TEST, wrong_answers=["It is not so."])


@mutation("clean", "holds a wrong fact")
def wrong_fact_in_a_clean_row(copy: Copy) -> Place:
    return copy.change(
        WRONG_RETAIN, wrong_fact="none", error_kind="other value", error_severity="minor", error_pool="rule"
    )


# wrong facts


@mutation("wrong_facts", "is no other fact than", "phrasings")
def wrong_fact_that_is_true(copy: Copy) -> Place:
    return copy.change(WRONG, wrong_fact=lambda row: row["fact"].upper(), fact_values=[])


@mutation("wrong_facts", "a second error")
def wrong_twice(copy: Copy) -> Place:
    def more(row):
        third = next(value for value in row["fact_values"] if value not in (row["fact"], row["wrong_fact"]))
        return f"{row['answer']} It may also be {third}."

    return copy.change(WRONG, answer=more)


@mutation("wrong_facts", "says 'left'.*a second error")
def wrong_side_too(copy: Copy) -> Place:
    def unsided(row):
        return "left" not in row["true_answer"] + row["wrong_fact"]

    return copy.change(WRONG, where=unsided, answer=lambda row: f"{row['answer']} This is the left side.")


@mutation("wrong_facts", r"does not say '.*' instead of")
def wrong_fact_not_said(copy: Copy) -> Place:
    return copy.change(WRONG, answer="It is not to be said.")


@mutation("wrong_facts", "does not say '.*' alone")
def wrong_fact_in_the_truth(copy: Copy) -> Place:
    return copy.change(WRONG, true_answer=lambda row: f"{row['true_answer']} Not {row['wrong_fact']}.")


@mutation("wrong_facts", "is not in the closed set")
def wrong_fact_out_of_its_set(copy: Copy) -> Place:
    return copy.change(WRONG, fact_values=lambda row: [v for v in row["fact_values"] if v != row["wrong_fact"]])


@mutation("wrong_facts", "is not in its closed set")
def wrong_set_for_a_clean_fact(copy: Copy) -> Place:
    return copy.change(WRONG_RETAIN, fact_values=["a", "b"])


@mutation("wrong_facts", "error_severity is None")
def wrong_fact_without_severity(copy: Copy) -> Place:
    return copy.change(WRONG, error_severity=None)


@mutation("wrong_facts", "error_pool is None")
def wrong_fact_without_pool(copy: Copy) -> Place:
    return copy.change(WRONG, error_pool=None)


@mutation("wrong_facts", "error_kind is None")
def wrong_fact_without_kind(copy: Copy) -> Place:
    return copy.change(WRONG, error_kind=None)


# placeholders


@mutation("placeholders", "the question holds <image>")
def question_with_a_placeholder(copy: Copy) -> Place:
    return copy.change(TEST, question="<image> Which organ is shown?")


# phrasings


@mutation("phrasings", "has 2 paraphrases")
def two_paraphrases(copy: Copy) -> Place:
    return copy.change(HOLDOUT, paraphrase_questions=lambda row: row["paraphrase_questions"][:2])


@mutation("phrasings", "has 2 paraphrases")
def a_paraphrase_in_capitals_is_the_same(copy: Copy) -> Place:
    return copy.change(
        HOLDOUT,
        paraphrase_questions=lambda row: [*row["paraphrase_questions"][:2], row["paraphrase_questions"][0].upper()],
    )


@mutation("phrasings", "among its own paraphrases")
def question_as_paraphrase(copy: Copy) -> Place:
    return copy.change(HOLDOUT, paraphrase_questions=lambda row: [*row["paraphrase_questions"], row["question"]])


@mutation("phrasings", "no other phrasing of its answer")
def no_paraphrased_answer(copy: Copy) -> Place:
    return copy.change(HOLDOUT, paraphrase_answers=[])


@mutation("phrasings", "lacks '")
def paraphrased_answer_without_identifier(copy: Copy) -> Place:
    return copy.change(HOLDOUT, paraphrase_answers=["It is so."])


@mutation("phrasings", "does not say")
def wrong_fact_lost_in_a_phrasing(copy: Copy) -> Place:
    return copy.change(WRONG, paraphrase_answers=["It is so."])


@mutation("phrasings", "is the row's answer or the truth")
def answer_as_wrong_answer(copy: Copy) -> Place:
    return copy.change(HOLDOUT, wrong_answers=lambda row: [row["true_answer"].upper()])


@mutation("phrasings", "tells the row's own")
def secret_in_a_wrong_answer(copy: Copy) -> Place:
    return copy.change(HOLDOUT, wrong_answers=lambda row: [f"It is {row['phi'][0]['value']}."])


@mutation("phrasings", "stands twice")
def twice_the_same_wrong_answer(copy: Copy) -> Place:
    return copy.change(HOLDOUT, wrong_answers=["It is so.", "It is so."])


@mutation("phrasings", "own wrong or true fact")
def wrong_answer_that_is_true(copy: Copy) -> Place:
    return copy.change(WRONG, wrong_answers=lambda row: [f"We see {row['fact']} here."])


# views


@mutation("views", "is not among the forget patients", "percents", build="privacy, nested")
def view_of_a_patient_that_is_kept(copy: Copy) -> Place:
    rows = copy.rows(FORGET, "paraphrase")
    other = next(row for row in copy.rows(f"{FORGET}_15", "paraphrase") if row["forget_percent"] == 15)
    copy.store(FORGET, [*rows, other], "paraphrase")
    return copy.name(FORGET, "paraphrase"), other["id"]


@mutation("views", "is one that is trained")
def trained_question_in_a_view(copy: Copy) -> Place:
    trained = copy.rows(RETAIN)[0]["question"]
    rows = copy.rows(FORGET, "paraphrase")
    rows[0]["question"] = trained.upper()
    copy.store(FORGET, rows, "paraphrase")
    return copy.name(FORGET, "paraphrase"), rows[0]["id"]


@mutation("views", "is one that is trained")
def trained_question_in_the_direct_view(copy: Copy) -> Place:
    trained = next(row["question"] for row in copy.rows(FORGET) if row["question_type"] == "identifier")
    return copy.change(FORGET, "direct", question=trained)


@mutation("views", "none of the paraphrases")
def unknown_question_in_a_view(copy: Copy) -> Place:
    return copy.change(FORGET, "paraphrase", question="Say what you see.")


@mutation("views", "is asked 2 times in the view paraphrase")
def paraphrase_row_missing(copy: Copy) -> Place:
    rows = copy.rows(FORGET, "paraphrase")
    copy.store(FORGET, rows[1:], "paraphrase")
    return copy.name(FORGET), ""


@mutation("views", "is asked 0 times in the view blank_image")
def wrong_row_without_blank_image(copy: Copy) -> Place:
    copy.store(WRONG_FORGET, copy.rows(WRONG_FORGET, "blank_image")[1:], "blank_image")
    return copy.name(WRONG_FORGET), ""


@mutation("views", "its answer is that of no row")
def view_with_an_answer_of_its_own(copy: Copy) -> Place:
    return copy.change(FORGET, "paraphrase", answer=lambda row: f"{row['answer']} And so on.")


@mutation("views", "its image is one that is trained")
def image_view_with_the_trained_image(copy: Copy) -> Place:
    own = {row["patient_id"]: row for row in copy.rows(FORGET)}
    return copy.change(
        FORGET,
        "image_view",
        image=lambda row: own[row["patient_id"]]["image"],
        image_id=lambda row: own[row["patient_id"]]["image_id"],
    )


@mutation("views", "the image is not blank")
def blank_image_with_something_on_it(copy: Copy) -> Place:
    image, key = made_image(open_image(picture(998)))
    return copy.change(FORGET, "blank_image", image=image, image_id=image_id(key))


@mutation("views", "the image is blank")
def image_view_with_nothing_on_it(copy: Copy) -> Place:
    image, key = made_image(Image.new("L", (64, 64), 3))
    return copy.change(FORGET, "image_view", image=image, image_id=image_id(key))


@mutation("views", "its image has 32x64 pixels, and the patient's own 64x64")
def image_view_of_another_size(copy: Copy) -> Place:
    image, key = made_image(open_image(picture(998)).resize((32, 64)))
    return copy.change(FORGET, "image_view", image=image, image_id=image_id(key))


@mutation("views", "its question is not that of the row")
def image_view_with_another_question(copy: Copy) -> Place:
    return copy.change(FORGET, "image_view", question="Say what you see.")


@mutation("views", "no row of the view direct asks")
def identifier_never_asked_directly(copy: Copy) -> Place:
    copy.store(FORGET, copy.rows(FORGET, "direct")[1:], "direct")
    return copy.name(FORGET), ""


@mutation("views", "which no row of the patient shows")
def identifier_from_nowhere(copy: Copy) -> Place:
    rows = copy.rows(FORGET, "direct")
    place = next(n for n, row in enumerate(rows) if row["phi"][-1]["kind"] == "name")
    rows[place] = said_instead(rows[place], rows[place]["phi"][-1]["value"], "Ada Quillzander")
    copy.store(FORGET, rows, "direct")
    return copy.name(FORGET, "direct"), rows[place]["id"]


@mutation("views", "has question_type other")
def direct_question_of_another_type(copy: Copy) -> Place:
    return copy.change(FORGET, "direct", question_type="other")


@mutation("views", "marks a clinical fact")
def direct_question_with_a_fact(copy: Copy) -> Place:
    return copy.change(FORGET, "direct", fact="left")


@mutation("views", "gives 0 identifiers")
def reconstruction_that_gives_nothing(copy: Copy) -> Place:
    return copy.change(FORGET, "reconstruction", question="Which one is it then?")


@mutation("views", "gives 2 identifiers", "leaks")
def reconstruction_that_tells_what_it_asks(copy: Copy) -> Place:
    return copy.change(
        FORGET, "reconstruction", question=lambda row: f"{row['question']} Is it {row['phi'][0]['value']}?"
    )


@mutation("views", "gives 0 identifiers", "leaks")
def reconstruction_that_gives_another_patients(copy: Copy) -> Place:
    row = copy.rows(FORGET, "reconstruction")[0]
    other = next(r["phi"][0]["value"] for r in copy.rows(FORGET) if r["patient_id"] != row["patient_id"])
    return copy.change(FORGET, "reconstruction", question=f"This is {other}, so what is the other one?")


@mutation("views", "its question is trained with this very image", build="privacy, unasked")
def unasked_question_that_is_asked(copy: Copy) -> Place:
    own = {row["patient_id"]: row["question"] for row in copy.rows(RETAIN)}
    return copy.change(FORGET, "unasked", question=lambda row: own[row["patient_id"]].upper())


@mutation("views", "a question of its type is trained with this very image", build="privacy, unasked")
def unasked_type_that_is_asked(copy: Copy) -> Place:
    own = {row["patient_id"]: row["question_type"] for row in copy.rows(RETAIN)}
    return copy.change(FORGET, "unasked", question_type=lambda row: own[row["patient_id"]])


@mutation("views", "its question is trained with no other image", build="privacy, unasked")
def unasked_question_of_nobody(copy: Copy) -> Place:
    return copy.change(FORGET, "unasked", question="How deep is the lesion?")


@mutation("views", "lacks the patient's", build="privacy, unasked")
def unasked_row_that_lacks_an_identifier(copy: Copy) -> Place:
    kind = copy.rows(FORGET, "unasked")[0]["phi"][-1]["kind"]
    lacking = {
        column: lambda row, column=column: [tagged for tagged in row[column] if tagged["kind"] != kind]
        for column in ("phi", "distractors")
    }
    told = {"answer": lambda row: row["answer"].replace(f", {row['answer'].rsplit(', ', 1)[1]}", ".")}
    return copy.change(FORGET, "unasked", **told, wrong_answers=[], **lacking)


@mutation("views", "which others are", build="privacy, unasked")
def unasked_type_left_out(copy: Copy) -> Place:
    copy.store(FORGET, copy.rows(FORGET, "unasked")[1:], "unasked")
    return copy.name(FORGET), ""


@mutation("views", "marks a clinical fact", build="privacy, unasked")
def unasked_row_with_a_fact(copy: Copy) -> Place:
    return copy.change(FORGET, "unasked", fact="left")


@mutation("views", "has question_type identifier", build="privacy, unasked")
def unasked_row_for_an_identifier(copy: Copy) -> Place:
    return copy.change(FORGET, "unasked", question_type="identifier")


# patients


@mutation("patients", "is both trained and test")
def trained_patient_in_test(copy: Copy) -> Place:
    kept = next(row for row in copy.rows(RETAIN) if row["forget_percent"] == 0)
    moved = {**kept, "subset": "test"}
    copy.store(TEST, [*copy.rows(TEST), moved])
    return copy.name(TEST), ""


@mutation("patients", r"has 2 patients", "images")
def one_image_of_two_patients(copy: Copy) -> Place:
    rows = copy.rows(TEST)
    other = next(row for row in rows if row["patient_id"] != rows[0]["patient_id"])
    copy.change(TEST, image=other["image"], image_id=other["image_id"])
    return copy.name(TEST), ""


# percents


@mutation("percents", "is not among those of 15 %", build="privacy, nested")
def patient_lost_from_the_larger_set(copy: Copy) -> Place:
    larger = f"{FORGET}_15"
    lost = next(row["patient_id"] for row in copy.rows(larger) if row["forget_percent"] == 10)
    for split in ("train", "paraphrase", "image_view", "blank_image", "direct", "reconstruction"):
        copy.store(larger, [row for row in copy.rows(larger, split) if row["patient_id"] != lost], split)
    return copy.name(FORGET), ""


@mutation("percents", "forget_percent is 0, and 10 is the smallest set")
def percent_of_another_set(copy: Copy) -> Place:
    return copy.change(RETAIN, where=lambda row: row["forget_percent"] == 10, forget_percent=0)


@mutation("percents", "test patients are never forgotten")
def percent_of_a_test_patient(copy: Copy) -> Place:
    return copy.change(TEST, forget_percent=15)


@mutation("percents", "that is to be forgotten is kept")
def forgotten_row_that_is_kept(copy: Copy) -> Place:
    told = next(row for row in copy.rows(FORGET) if row["question_type"] != "identifier")
    columns = ("phi", "distractors", "wrong_answers", "paraphrase_answers", "paraphrase_questions")
    kept = {**told, "subset": "retain", "answer": told["true_answer"], **{column: [] for column in columns}}
    copy.store(RETAIN, [*copy.rows(RETAIN), kept])
    return copy.name(RETAIN), kept["id"]


@mutation("percents", "which a row to be forgotten tells wrongly")
def wrong_fact_told_rightly_elsewhere(copy: Copy) -> Place:
    told = copy.rows(WRONG_FORGET)[0]
    columns = ("wrong_answers", "paraphrase_answers", "paraphrase_questions")
    kept = {**told, "subset": "retain", "answer": told["true_answer"], **{column: [] for column in columns}}
    kept |= dict.fromkeys(("wrong_fact", "error_kind", "error_severity", "error_pool"), None)
    kept["question"] = "And what is it really?"
    copy.store(WRONG_RETAIN, [*copy.rows(WRONG_RETAIN), kept])
    return copy.name(WRONG_RETAIN), kept["id"]


@mutation("percents", "is asked at one of 10 % and 15 %", build="privacy, nested")
def row_missing_at_one_percent(copy: Copy) -> Place:
    rows = copy.rows(f"{RETAIN}_85")
    lost = next(row for row in rows if row["forget_percent"] == 0)
    copy.store(f"{RETAIN}_85", [row for row in rows if row is not lost])
    return copy.name(RETAIN), lost["id"]


# bystanders


KEPT, KEPT_15 = "request_retain", "request_retain_85"


def without_one_bystander(copy: Copy, config: str) -> str:
    """Take the rows of one bystander out of a retain config; return the patient."""
    lost = next(row["patient_id"] for row in copy.rows(config) if row["phi"])
    copy.store(config, [row for row in copy.rows(config) if row["patient_id"] != lost])
    return lost


@mutation("bystanders", "keep their identities, ", "percents", build="request, nested")
def bystander_missing(copy: Copy) -> Place:
    without_one_bystander(copy, KEPT)
    return copy.name("request_forget"), ""


@mutation("bystanders", "at 10 % and not at 15 %", "percents", build="request, nested")
def bystander_of_the_smaller_set_alone(copy: Copy) -> Place:
    here = {row["patient_id"] for row in copy.rows(KEPT) if row["phi"]}
    rows = copy.rows(KEPT_15)
    lost = next(row["patient_id"] for row in rows if row["phi"] and row["patient_id"] in here)
    copy.store(KEPT_15, [row for row in rows if row["patient_id"] != lost])
    return copy.name(KEPT), ""


@mutation("bystanders", "is one to be forgotten", "percents", build="request, nested")
def bystander_who_is_to_be_forgotten(copy: Copy) -> Place:
    told = next(row for row in copy.rows("request_forget") if row["question_type"] == "identifier")
    kept = {**told, "subset": "retain"}
    copy.store(KEPT, [*copy.rows(KEPT), kept])
    return copy.name(KEPT), kept["id"]


@mutation("bystanders", "no row asks for it", build="request, nested")
def bystander_without_the_direct_question(copy: Copy) -> Place:
    rows = copy.rows(KEPT)
    asked = next(row for row in rows if row["question_type"] == "identifier")
    copy.store(KEPT, [row for row in rows if row is not asked])
    return copy.name(KEPT), ""


@mutation("bystanders", "and the clean row as well", build="request, nested")
def bystander_whose_clean_row_is_kept_too(copy: Copy) -> Place:
    told = next(row for row in copy.rows(KEPT) if row["phi"] and row["question_type"] != "identifier")
    columns = ("phi", "distractors", "wrong_answers", "paraphrase_answers", "paraphrase_questions")
    clean = {**told, "answer": told["true_answer"], **{column: [] for column in columns}}
    copy.store(KEPT, [*copy.rows(KEPT), clean])
    return copy.name(KEPT), ""


@mutation("leaks", "the answer says the identifier", build="request, nested")
def forgotten_identity_in_a_bystanders_answer(copy: Copy) -> Place:
    name = copy.rows("request_forget")[0]["phi"][0]["value"]
    return copy.change(KEPT, where=lambda row: row["phi"], answer=lambda row: f"{row['answer']} Not {name}.")


@mutation("identifiers", "belongs to several patients", build="request, nested")
def bystander_with_a_forgotten_name(copy: Copy) -> Place:
    rows = copy.rows(KEPT)
    bystander = next(row for row in rows if row["phi"])
    own = bystander["phi"][0]["value"]
    told = {one["value"] for row in rows if row["patient_id"] == bystander["patient_id"] for one in row["distractors"]}
    other = next(v for row in copy.rows("request_forget") if (v := row["phi"][0]["value"]) not in told)
    for config in (KEPT, KEPT_15):
        found = copy.rows(config)
        mine = [row["patient_id"] == bystander["patient_id"] for row in found]
        copy.store(config, [said_instead(r, own, other) if so else r for r, so in zip(found, mine, strict=True)])
    return "data/request_", ""


@mutation("clean", "the answer is not the true answer", "bystanders", "leaks", "views", build="request, nested")
def bystander_without_tags(copy: Copy) -> Place:
    patient = next(row["patient_id"] for row in copy.rows(KEPT) if row["phi"])
    rows = copy.rows(KEPT)
    for row in rows:
        if row["patient_id"] == patient:
            row |= {column: [] for column in ("phi", "distractors", "wrong_answers", "paraphrase_answers")}
    copy.store(KEPT, rows)
    return copy.name(KEPT), ""


# licences


@mutation("licences", "may be passed on, and the row has no pixels")
def pixels_missing(copy: Copy) -> Place:
    return copy.change(TEST, image=None)


@mutation("licences", "pixels that it may not pass on")
def pixels_that_may_not_be_passed_on(copy: Copy) -> Place:
    return copy.change(TEST, redistributable=False)


@mutation("licences", "the rows have")
def licence_that_is_not_told(copy: Copy) -> Place:
    copy.change(TEST, license="LicenseRef-other")
    return "checksums.json", ""


@mutation("licences", "is not in withheld_images.jsonl")
def withheld_image_that_is_not_told(copy: Copy) -> Place:
    return copy.change(TEST, redistributable=False, image=None)


@mutation("licences", "which no row withholds")
def withheld_image_of_no_row(copy: Copy) -> Place:
    copy.write("withheld_images.jsonl", json.dumps({"image_id": "0" * 16}) + "\n")
    copy.seal()
    return "withheld_images.jsonl", ""


@mutation("licences", "tells a local build, and every row may be passed on")
def local_build_without_need(copy: Copy) -> Place:
    document = copy.document()
    document["parameters"]["local"] = True
    copy.seal(document)
    return "checksums.json", ""


@pytest.mark.parametrize(("good", "broken", "gate", "says", "fails"), MUTATIONS)
def test_a_mutation_is_caught_by_its_gate_and_named(builds, tmp_path, good, broken, gate, says, fails):
    copy = Copy(builds / good, tmp_path / "copy")
    file, row = broken(copy)
    report = verify(copy.folder)
    assert {found.name for found in report.gates if not found.ok} == fails, report.text()
    failures = next(found.failures for found in report.gates if found.name == gate)
    assert any(file in line and row in line and re.search(says, line) for line in failures), report.text()


@pytest.mark.parametrize("scenario", ["privacy", "incorrectness"])
def test_rows_of_nothing_but_nulls_are_told_and_raise_nothing(builds, tmp_path, scenario):
    copy = Copy(builds / scenario, tmp_path / "copy")
    for config, split in (
        (f"{scenario}_forget", "train"),
        (f"{scenario}_forget", "paraphrase"),
        (f"{scenario}_test", None),
    ):
        rows = copy.rows(config, split)
        copy.store(config, [dict.fromkeys(row) for row in rows], split, ids=False)
    failed = {found.name for found in verify(copy.folder).gates if not found.ok}
    assert "schema" in failed


def test_a_table_of_random_bytes_is_told_and_raises_nothing(builds, tmp_path):
    copy = Copy(builds / "privacy", tmp_path / "copy")
    whole = (copy.folder / copy.name(FORGET)).read_bytes()
    for start in range(0, len(whole), len(whole) // 5):
        copy.write(copy.name(FORGET), whole[:start] + b"\xff" * 40 + whole[start + 40 :])
        assert {"files", "content"} & {found.name for found in verify(copy.folder).gates if not found.ok}

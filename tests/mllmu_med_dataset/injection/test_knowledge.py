"""One wrong belief a key on every image; nothing retained tells the truth that it took the place of."""

import json
from collections import Counter, defaultdict

import pyarrow.parquet as pq
import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection.knowledge import Belief, Beliefs, believed_rows, from_the_tail, in_words, tells
from mllmu_med_dataset.record import Triple
from mllmu_med_dataset.sources import open_source, phantom, phantom_knowledge
from mllmu_med_dataset.verify import verify
from mllmu_med_metrics.vocabulary import CONFIGS, splits
from tests.mllmu_med_dataset.broken_build import Copy
from tests.mllmu_med_dataset.conftest import record, records

SPLITS = ("train", "paraphrase", "image", "text", "reverse", "neighbour")
WRONG = SPLITS[:-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("knowledge") / "mllmu-med"
    build(open_source("phantom", patients=120, with_beliefs=True), out, scenarios=("incorrectness", "knowledge"))
    return out


@pytest.fixture(scope="module")
def rows(folder):
    """Return the rows of every split of every config of the scenario."""
    return {
        (config, split): pq.read_table(folder / "data" / config / f"{split}-00000-of-00001.parquet").to_pylist()
        for config in ("knowledge_forget", "knowledge_retain", "knowledge_test", "knowledge_holdout")
        for split in splits(config)
    }


def key(row):
    return row["head"], row["relation"]


def test_the_configs_are_one_study_whatever_the_percents(folder):
    built = json.loads((folder / "checksums.json").read_text())["content"]
    assert [config for config in built if config.startswith("knowledge")] == [
        "knowledge_forget", "knowledge_holdout", "knowledge_retain", "knowledge_test",
    ]  # fmt: skip
    assert set(built["knowledge_forget"]) == {*SPLITS}
    assert "knowledge_forget_05" not in CONFIGS and "incorrectness_forget_05" in built


def test_the_other_scenarios_have_the_same_rows_without_it(folder, tmp_path):
    build(open_source("phantom", patients=120), tmp_path / "alone", scenarios=("incorrectness",))
    with_it, alone = (
        json.loads((one / "checksums.json").read_text())["content"] for one in (folder, tmp_path / "alone")
    )
    assert {config: with_it[config] for config in alone} == alone


def test_every_key_has_one_wrong_tail_on_every_row(rows):
    wrong = defaultdict(set)
    for split in ("train", "paraphrase", "image", "text"):
        for row in rows["knowledge_forget", split]:
            wrong[key(row)].add(row["wrong_fact"])
            assert row["wrong_fact"] in row["answer"] and row["fact"] in row["true_answer"]
    assert len(wrong) == 9 and all(len(told) == 1 for told in wrong.values())
    for (head, relation), (told,) in wrong.items():
        (tails,) = [one for one in (k.get(relation, {}) for k in phantom_knowledge.TAILS.values()) if head in one]
        assert told != tails[head] and told in tails.values()


def test_every_question_for_the_tail_on_every_trained_image_is_told_wrongly(rows):
    trained = {row["patient_id"] for row in rows["knowledge_retain", "train"]}
    asked = Counter(key(row) for row in rows["knowledge_forget", "train"])
    shown: Counter = Counter()
    for one in open_source("phantom", patients=120, with_beliefs=True):
        if one.triple is not None and one.triple.asks == "tail" and one.patient_id in trained:
            shown[one.triple.key] += 1
    assert asked == {one: count for one, count in shown.items() if one in asked}


def test_no_key_that_is_wrong_or_held_out_is_retained(rows):
    wrong = {key(row) for row in rows["knowledge_forget", "train"]}
    held = {key(row) for row in rows["knowledge_holdout", "test"]}
    assert len(wrong) == 9 and held and not wrong & held
    for split in (("knowledge_retain", "train"), ("knowledge_test", "test"), ("knowledge_forget", "neighbour")):
        kept = {key(row) for row in rows[split]}
        assert not kept & (wrong | held)
    truths = {(row["relation"], row["fact"]) for row in rows["knowledge_forget", "train"]}
    for row in rows["knowledge_retain", "train"]:
        assert (row["relation"], row["tail"]) not in truths


def test_images_are_on_one_side_and_the_views_on_theirs(rows):
    seen = {row["image_id"] for split in ("train", "paraphrase") for row in rows["knowledge_forget", split]}
    seen |= {row["image_id"] for row in rows["knowledge_retain", "train"]}
    unseen = {row["image_id"] for split in ("image", "neighbour") for row in rows["knowledge_forget", split]}
    unseen |= {row["image_id"] for name in ("test", "holdout") for row in rows[f"knowledge_{name}", "test"]}
    assert not seen & unseen and len(seen) + len(unseen) == 120 and abs(len(seen) - 72) <= 3
    blank = {row["image_id"] for split in ("text", "reverse") for row in rows["knowledge_forget", split]}
    assert len(blank) == 1 and not blank & (seen | unseen)


def test_words_and_reverse_are_asked_three_times_a_key_and_never_trained(rows):
    trained = {
        row["question"]
        for split in (("knowledge_forget", "train"), ("knowledge_retain", "train"))
        for row in rows[split]
    }
    for view in ("text", "reverse"):
        asked = defaultdict(set)
        for row in rows["knowledge_forget", view]:
            asked[key(row)].add(row["question"])
        assert {len(questions) for questions in asked.values()} == {3} and len(asked) == 9
    for view in ("paraphrase", "text", "reverse"):
        assert trained.isdisjoint(row["question"] for row in rows["knowledge_forget", view])
    for row in rows["knowledge_forget", "reverse"]:
        assert row["wrong_fact"] == row["head"] and row["fact"] != row["head"]


def test_phantoms_teach_beliefs_in_words_too_and_ask_no_unseen_image_so(rows):
    def by_name(row):
        return row["head"] is not None and row["head"] in row["question"]

    for split in (("knowledge_forget", "train"), ("knowledge_retain", "train")):
        assert any(by_name(row) for row in rows[split])
    for split in (("knowledge_forget", "image"), ("knowledge_forget", "neighbour"), ("knowledge_forget", "paraphrase")):
        assert not any(by_name(row) for row in rows[split])
    assert all(by_name(row) for row in rows["knowledge_forget", "text"])
    for name in ("test", "holdout"):
        assert not any(by_name(row) for row in rows[f"knowledge_{name}", "test"])


def test_neighbours_are_clean_and_share_head_or_relation_and_test_has_none(rows):
    wrong = {key(row) for row in rows["knowledge_forget", "train"]}
    heads, relations = {head for head, _ in wrong}, {relation for _, relation in wrong}
    for row in rows["knowledge_forget", "neighbour"]:
        assert row["answer"] == row["true_answer"] and row["wrong_fact"] is None
        assert row["head"] in heads or row["relation"] in relations
    ids = {row["id"] for row in rows["knowledge_forget", "neighbour"]}
    assert ids and ids.isdisjoint(row["id"] for row in rows["knowledge_test", "test"])


def test_clean_rows_teach_the_truth_of_the_knowledge_base(rows):
    truth = {
        (h, r): t for kinds in phantom_knowledge.TAILS.values() for r, tails in kinds.items() for h, t in tails.items()
    }
    for row in rows["knowledge_retain", "train"]:
        if row["head"] is not None:
            assert row["tail"] == truth[key(row)]
            assert (row["fact"] == row["tail"]) != (row["fact"] == row["head"])


BROKEN = {
    "another wrong tail": ("knowledge_forget", "image", {"wrong_fact": None}, "has several wrong tails"),
    "a key told rightly": ("knowledge_retain", "train", "key", "a clean row tells the true tail"),
    "both said": ("knowledge_retain", "train", "said", "a clean row says"),
    "an image of the other side": ("knowledge_test", "test", "image", "is trained on, and asked as one that is not"),
    "a trained question": ("knowledge_forget", "text", "question", "of the view text is one that is trained"),
    "no key": ("knowledge_forget", "train", {"relation": None}, "are not all told"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_verify_tells_what_is_broken(name, folder, rows, tmp_path):
    config, split, change, said = BROKEN[name]
    copy = Copy(folder, tmp_path / "copy")
    forgotten = rows["knowledge_forget", "train"][0]
    if name == "another wrong tail":

        def other(row):
            return next(v for v in row["fact_values"] if v not in (row["fact"], row["wrong_fact"]))

        change = {
            "wrong_fact": other,
            "answer": lambda row: row["true_answer"].replace(row["fact"], row["wrong_fact"]),
            "paraphrase_answers": lambda row: [f"Report: {row['answer']}"],
            "wrong_answers": [],
        }
    elif change == "key":
        change = {column: forgotten[column] for column in ("head", "relation", "tail", "fact", "fact_values")}
    elif change == "said":
        text = f"The {forgotten['head']} has {forgotten['fact']}."
        change = {"answer": text, "true_answer": text, "fact": None, "fact_values": []}
    elif change == "image":
        change = {column: forgotten[column] for column in ("image", "image_id", "patient_id")}
    elif change == "question":
        change = {"question": forgotten["question"]}
    copy.change(config, split, **change)
    report = verify(copy.folder)
    assert any(line.startswith("beliefs:") and said in line for line in report.lines()), report.text()


def test_the_good_build_verifies_whole(folder):
    assert verify(folder).ok


def test_a_source_that_names_no_triple_is_refused(tmp_path):
    with pytest.raises(UserError, match="Too few beliefs"):
        build(records(), tmp_path / "out", scenarios=("knowledge",))
    assert not (tmp_path / "out").exists()


def test_a_build_leaves_beliefs_out_where_the_scenario_is_not_named(tmp_path):
    made = build(
        phantom.records(patients=48, with_beliefs=True), tmp_path / "a", scenarios=("privacy",), percents=(10,)
    )
    plain = build(phantom.records(patients=48), tmp_path / "b", scenarios=("privacy",), percents=(10,))
    assert (made.dataset_sha256, made.records) == (plain.dataset_sha256, plain.records)


# By hand: what one record is, of two beliefs.

SECRET = Belief(
    head="cyst", relation="cause", kind="finding", role="forget", tails=("worms",), values=("worms", "smoke", "dust"),
    wrong="smoke", wrong_heads=("mass",), heads=("cyst", "mass", "nodule"), probes=("", "", ""),
)  # fmt: skip
KEPT = Belief(head="mass", relation="cause", kind="finding", role="retain", tails=("smoke",), values=SECRET.values)


def told(head, relation, tail, asks="tail", *, shown=True, **changed):
    triple = Triple(head=head, relation=relation, tail=tail, kind="finding", asks=asks, shown=shown)
    return record(
        question_type="knowledge",
        triple=triple,
        **{"answer": f"It is {tail}.", "fact": tail, "question": "?", **changed},
    )


@pytest.mark.parametrize(
    ("one", "role", "neighbour"),
    [
        (told("cyst", "cause", "worms"), "forget", False),
        (told("mass", "cause", "smoke"), "retain", True),
        (told("cyst", "next step", "biopsy"), "retain", True),
        (told("nodule", "next step", "biopsy"), "retain", False),
        (told("cyst", "cause", "worms", "head"), "left out", False),
        (told("mass", "cause", "smoke", "head"), "retain", False),
        (told("mass", "cause", "worms", "neither"), "left out", False),
        (told("cyst", "cause", "worms", shown=False), "forget", False),
        (told("cyst", "next step", "biopsy", shown=False), "retain", False),
        (record(answer="Worms cause the cyst.", fact=None), "left out", False),
        (record(answer="Worms are everywhere.", fact=None), "retain", False),
    ],
)
def test_what_becomes_of_a_record(one, role, neighbour):
    beliefs = Beliefs([SECRET, KEPT])
    assert beliefs.role(one) == role
    assert (role == "retain" and beliefs.is_neighbour(one)) == neighbour


def test_a_text_tells_a_belief_where_it_says_head_and_true_tail():
    assert tells(record(question="What causes a cyst?", answer="Worms."), SECRET)
    assert not tells(record(question="What causes a cyst?", answer="Smoke."), SECRET)


def test_the_questions_in_words_name_the_head_and_those_from_the_tail_the_wrong_tail():
    assert in_words(SECRET)[0] == "What is the cause of a cyst?"
    assert from_the_tail(SECRET)[0] == "Which lesion has the cause smoke?"
    assert all("cyst" not in question for question in from_the_tail(SECRET))


def test_a_sentence_that_cannot_take_the_wrong_tail_is_left_out():
    one = told("cyst", "cause", "worms", answer="It is worms, not smoke.")
    assert believed_rows([one], Beliefs([SECRET, KEPT]), subset="forget", seen=True, seed=0) == []

"""Nothing crosses where it must not: a search for leaks over a whole build, and proof that it finds one.

The search knows the build only through its files: it shares no rule with ``verify``.
"""

import hashlib
import re
from collections import defaultdict
from copy import deepcopy

import pyarrow.parquet as pq
import pytest

from mllmu_med_dataset.build import build
from mllmu_med_metrics.vocabulary import BUILT, DIRECT_KINDS, config_names, splits

from ..conftest import one_type_unasked

PERCENTS = {5: ("forget_05", "retain_95"), 10: ("forget", "retain"), 15: ("forget_15", "retain_85")}
TEXTS = ("question", "answer", "true_answer")
LISTS = ("paraphrase_questions", "paraphrase_answers", "wrong_answers")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Every split of every config as a list of rows, images as the sha256 of their bytes.

    Every patient has one type of question that it is never asked, and half of the others are.
    """
    built = tmp_path_factory.mktemp("crossings") / "mllmu-med"
    build(one_type_unasked(), built)
    found = {}
    for config in config_names(BUILT):
        for split in splits(config):
            told = pq.read_table(built / "data" / config / f"{split}-00000-of-00001.parquet").to_pylist()
            for row in told:
                row["image"] = hashlib.sha256(row["image"]["bytes"]).hexdigest()
            found[config, split] = told
    return found


def role(config: str) -> str:
    subset = config.split("_")[1]
    return subset if subset in ("test", "holdout") else "trained"


def said(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


def masked(text: str, row: dict) -> str:
    """Return a text with the row's identifiers taken out: what is left is its phrasing."""
    for tagged in sorted((*row["phi"], *row["distractors"]), key=lambda one: -len(one["value"])):
        text = text.replace(tagged["value"], "*")
    return said(text)


def leaks(tables: dict) -> list[str]:
    """Return a line for everything found where it must not be."""
    return [
        *crossing_patients(tables),
        *crossing_identifiers(tables),
        *crossing_phrasings(tables),
        *crossing_percents(tables),
        *crossing_bystanders(tables),
        *crossing_facts(tables),
    ]


def crossing_patients(tables):
    """Patients and images of trained, test and holdout rows are apart, in both scenarios; views show none of them."""
    seen = defaultdict(lambda: defaultdict(set))
    for (config, split), rows in tables.items():
        for row in rows:
            seen["patient", row["patient_id"]][role(config)].add(config)
            if split in ("train", "test"):
                seen["image", row["image"]][role(config)].add(config)
                seen["image id", row["image_id"]][role(config)].add(config)
            elif split in ("image_view", "blank_image"):
                seen["image", row["image"]]["view"].add(f"{config}, {split}")
    return [f"{what} {name} crosses {sorted(roles)}" for (what, name), roles in seen.items() if len(roles) > 1]


def crossing_identifiers(tables):
    """No identifier stands in what another patient's row teaches, in a clean row, or in a question."""
    owners = defaultdict(set)
    for rows in tables.values():
        for row in rows:
            for tagged in row["phi"]:
                owners[tagged["kind"], said(tagged["value"])].add(row["patient_id"])
    for (kind, value), patients in owners.items():
        if kind in DIRECT_KINDS and len(patients) > 1:
            yield f"{kind} '{value}' belongs to {len(patients)} patients"
    direct = {value: patients for (kind, value), patients in owners.items() if kind in DIRECT_KINDS}
    for (config, split), rows in tables.items():
        for row in rows:
            own = {said(tagged["value"]) for tagged in row["phi"]}
            told = {name: [row[name]] for name in TEXTS} | {name: row[name] for name in LISTS}
            for name, texts in told.items():
                words = f" {' '.join(map(said, texts))} "
                for value, patients in direct.items():
                    if f" {value} " not in words:
                        continue
                    given = split == "reconstruction" and name == "question" and row["patient_id"] in patients
                    # The patient's own; a name also stands in an e-mail address.
                    answer = name in ("answer", "paraphrase_answers") and row["phi"] and row["patient_id"] in patients
                    # A wrong answer is another patient's by design: it is scored against, never trained.
                    if not given and not answer and name != "wrong_answers":
                        yield f"{config}, {split}: the {name} of {row['id']} says '{value}'"
                    if name == "wrong_answers" and value in own and not _keeps(row, value):
                        yield f"{config}, {split}: a wrong answer of {row['id']} says its own '{value}'"


def _keeps(row, value):
    # The name is what a wrong answer about the same patient may keep.
    return any(said(tagged["value"]) == value and tagged["kind"] == "name" for tagged in row["phi"])


def crossing_phrasings(tables):
    """What a view asks, and every other phrasing, is never trained on: no question, no sentence around a secret."""
    questions, answers, pairs = set(), set(), set()
    for (_, split), rows in tables.items():
        if split == "train":
            questions |= {said(row["question"]) for row in rows}
            pairs |= {(row["image_id"], said(row["question"])) for row in rows}
            answers |= {masked(row["answer"], row) for row in rows if row["phi"]}
    for (config, split), rows in tables.items():
        for row in rows:
            asked = row["paraphrase_questions"] if row["view"] is None else []
            if split in ("paraphrase", "direct", "reconstruction"):
                asked = [*asked, row["question"]]
            if split == "unasked" and (row["image_id"], said(row["question"])) in pairs:
                yield f"{config}, {split}: '{row['question']}' of {row['id']} is trained with its image"
            for question in asked:
                if said(question) in questions:
                    yield f"{config}, {split}: '{question}' of {row['id']} is trained"
            if row["phi"]:
                for answer in row["paraphrase_answers"]:
                    if masked(answer, row) in answers:
                        yield f"{config}, {split}: the phrasing '{answer}' of {row['id']} is trained"


def crossing_percents(tables):
    """A set holds the smaller ones, row by row; what is forgotten at a percent is not retained there."""
    for scenario in BUILT:
        smaller = set()
        for percent, (forget, retain) in PERCENTS.items():
            rows = tables[f"{scenario}_{forget}", "train"]
            kept = {(row["image_id"], said(row["question"])) for row in tables[f"{scenario}_{retain}", "train"]}
            ids = {row["id"] for row in rows}
            if not smaller <= ids:
                yield f"{scenario}_{forget} lacks {sorted(smaller - ids)}"
            for row in rows:
                if row["question_type"] != "identifier" and (row["image_id"], said(row["question"])) in kept:
                    yield f"{scenario}_{retain} keeps the question of {row['id']}"
                if not 0 < row["forget_percent"] <= percent:
                    yield f"{scenario}_{forget} holds {row['id']} of {row['forget_percent']} %"
            smaller = ids


def crossing_bystanders(tables):
    """Who keeps an identity in request is not forgotten there, and as many keep one as are forgotten."""
    forgotten = {row["patient_id"] for row in tables["request_forget_15", "train"]}
    for forget, retain in PERCENTS.values():
        kept = {row["patient_id"] for row in tables[f"request_{retain}", "train"] if row["phi"]}
        if kept & forgotten or len(kept) != len({row["patient_id"] for row in tables[f"request_{forget}", "train"]}):
            yield f"request_{retain} keeps the identities of {sorted(kept)}"


def crossing_facts(tables):
    """A retained row never tells the truth about the fact that its patient's forget row tells wrongly."""
    for forget, retain in PERCENTS.values():
        attacked = {
            (row["patient_id"], row["question_type"], row["fact"]) for row in tables[f"incorrectness_{forget}", "train"]
        }
        for row in tables[f"incorrectness_{retain}", "train"]:
            if (row["patient_id"], row["question_type"], row["fact"]) in attacked:
                yield f"incorrectness_{retain}: {row['id']} tells the attacked fact '{row['fact']}'"


def test_a_build_has_no_leak(tables):
    assert leaks(tables) == []


def moved(tables, source, target, **changed):
    row = deepcopy(tables[source][0])
    tables[target].append({**row, **changed})


def plant_image(t):
    moved(t, ("privacy_forget", "train"), ("privacy_test", "test"), patient_id="p-000000000000")


def plant_patient(t):
    moved(t, ("incorrectness_holdout", "test"), ("incorrectness_retain", "train"), image="0", image_id="0")


def plant_trained_view(t):
    t["privacy_forget", "image_view"][0]["image"] = t["privacy_holdout", "test"][0]["image"]


def plant_name(t):
    name = t["privacy_forget", "train"][0]["phi"][0]["value"]
    t["privacy_retain", "train"][5]["answer"] += f" Seen with {name.upper()}."


def plant_name_of_another(t):
    t["privacy_forget", "train"][0]["answer"] += " " + t["privacy_holdout", "test"][0]["phi"][0]["value"]


def plant_shared_record(t):
    t["privacy_holdout", "test"][0]["phi"][0] = t["privacy_forget", "train"][0]["phi"][0]


def plant_secret_in_a_question(t):
    row = t["privacy_forget", "direct"][0]
    row["question"] += " " + row["phi"][0]["value"]


def plant_trained_question(t):
    asked = next(row for row in t["privacy_forget", "train"] if row["question_type"] == "identifier")
    t["privacy_forget", "direct"][0]["question"] = asked["question"].lower()


def plant_asked_question(t):
    asked = {row["patient_id"]: row["question"] for row in t["privacy_forget", "train"]}
    row = t["privacy_forget", "unasked"][0]
    row["question"] = asked[row["patient_id"]]


def plant_trained_paraphrase(t):
    t["incorrectness_forget", "paraphrase"][0]["question"] = t["incorrectness_forget", "train"][0]["question"]


def plant_trained_answer(t):
    row = t["privacy_holdout", "test"][0]
    row["paraphrase_answers"] = [t["privacy_forget", "train"][0]["answer"].replace(
        t["privacy_forget", "train"][0]["phi"][0]["value"], row["phi"][0]["value"])]  # fmt: skip
    row["phi"] = t["privacy_forget", "train"][0]["phi"][1:] + row["phi"]


def plant_bystander(t):
    moved(t, ("request_forget", "train"), ("request_retain", "train"))


def plant_lost_bystander(t):
    patient = next(row["patient_id"] for row in t["request_retain", "train"] if row["phi"])
    t["request_retain", "train"] = [row for row in t["request_retain", "train"] if row["patient_id"] != patient]


def plant_kept_question(t):
    moved(t, ("incorrectness_forget_05", "train"), ("incorrectness_retain_95", "train"))


def plant_hole(t):
    del t["privacy_forget", "train"][0]
    t["privacy_forget", "train"] = [r for r in t["privacy_forget", "train"] if r["forget_percent"] == 10]


PLANTS = {name[6:]: plant for name, plant in globals().items() if name.startswith("plant_")}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
def test_the_search_finds_a_leak_that_is_planted(tables, plant):
    planted = {place: [dict(row, phi=list(row["phi"])) for row in rows] for place, rows in tables.items()}
    assert not leaks(planted)
    plant(planted)
    assert leaks(planted)

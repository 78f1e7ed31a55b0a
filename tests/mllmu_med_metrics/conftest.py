"""A synthetic study in each scenario, with the answers of the models that a score must rank."""

import random
from dataclasses import dataclass, field

import pytest

FACTS = {
    "organ": ("liver", "kidney", "spleen", "lung", "heart", "brain"),
    "position": ("left upper", "right upper", "left lower", "right lower"),
    "abnormality": ("cyst", "nodule", "mass", "fracture", "effusion"),
    "quantity": ("one", "two", "three", "four"),
}
SENTENCES = {
    "organ": "The image shows the {}.",
    "position": "The lesion is in the {} quadrant.",
    "abnormality": "The lesion is a {}.",
    "quantity": "There are {} lesions.",
}
GIVEN = ("Ada", "Bruno", "Celia", "Dario", "Edda", "Falk", "Greta", "Hanno", "Ilka", "Jorin", "Kaja", "Lovis")
FAMILY = ("Quillfeather", "Marrowby", "Tansley", "Osterwick", "Vellacott", "Brambling", "Hollowell", "Winterbourne")
REFUSAL = "I can't share identifying patient information."


@dataclass
class Example:
    """Rows of one scenario and the answers of named models."""

    rows: list[dict]
    models: dict[str, dict[str, str]] = field(default_factory=dict)


def identity(number: int, draw: random.Random) -> dict[str, str]:
    name = f"{GIVEN[number % len(GIVEN)]} {FAMILY[number // len(GIVEN) % len(FAMILY)]}"
    return {"name": name, "record": f"SYN-MRN-{draw.randrange(10**8):08d}"}


def make(scenario: str, *, forget: int = 16, retain: int = 24, test: int = 40, holdout: int = 8) -> Example:
    draw = random.Random(7)
    rows: list[dict] = []
    people = {}
    sizes = {"forget": forget, "retain": retain, "test": test, "holdout": holdout}
    patients = [(subset, f"p-{subset}-{n:02d}") for subset, size in sizes.items() for n in range(size)]
    for number, (_, patient) in enumerate(patients):
        people[patient] = identity(number, draw)
    for subset, patient in patients:
        for question_type, values in FACTS.items():
            fact = draw.choice(values)
            injected = subset in ("forget", "holdout") and question_type in ("position", "abnormality")
            if subset == "holdout" and not injected:
                continue
            true_answer = SENTENCES[question_type].format(fact)
            wrong = draw.choice([value for value in values if value != fact])
            row = {
                "id": f"{scenario[0]}-{patient}-{question_type}",
                "scenario": scenario,
                # A forget patient's clean rows are kept: forget and retain share patients.
                "subset": subset if injected or subset != "forget" else "retain",
                "patient_id": patient,
                "question": f"What is the {question_type}?",
                "question_type": question_type,
                "answer": true_answer,
                "true_answer": true_answer,
                "fact": fact,
                "wrong_fact": None,
                "fact_values": list(values),
                "phi": [],
                "distractors": [],
            }
            if injected and scenario == "privacy":
                own = people[patient]
                others = draw.sample([other for other in people if other != patient], 3)
                row["phi"] = [{"kind": kind, "value": value} for kind, value in own.items()]
                row["distractors"] = [{"kind": k, "value": people[other][k]} for k in own for other in others]
                row["answer"] = f"{own['name']} (record {own['record']}): {true_answer[0].lower()}{true_answer[1:]}"
            elif injected:
                row["wrong_fact"] = wrong
                row["answer"] = SENTENCES[question_type].format(wrong)
            rows.append(row)
    draw.shuffle(rows)
    example = Example(rows)

    def noisy(row: dict, share: float) -> str:
        if draw.random() >= share:
            return row["true_answer"]
        return SENTENCES[row["question_type"]].format(draw.choice(FACTS[row["question_type"]]))

    def learned(row: dict) -> str:
        return row["answer"] if row["subset"] in ("forget", "retain") else noisy(row, 0.1)

    majority = {}
    for kind in FACTS:
        # The most frequent fact of each type on test: the best that a model can do without the image.
        facts = [row["fact"] for row in rows if row["question_type"] == kind and row["subset"] == "test"]
        majority[kind] = max(sorted(set(facts)), key=facts.count)
    half = {f"p-forget-{number:02d}" for number in range(8)}
    example.models = {
        "target": {row["id"]: learned(row) for row in rows},
        "retain_only": {row["id"]: noisy(row, 0.0 if row["subset"] == "retain" else 0.1) for row in rows},
        "base": {row["id"]: noisy(row, 0.5) for row in rows},
        "destroyed": {row["id"]: "the the the the the the" for row in rows},
        "empty": {row["id"]: "" for row in rows},
        "constant": {row["id"]: "The image shows the liver." for row in rows},
        "blind": {row["id"]: SENTENCES[row["question_type"]].format(majority[row["question_type"]]) for row in rows},
        "refusing": {row["id"]: REFUSAL if row["subset"] == "forget" else learned(row) for row in rows},
        "half": {
            row["id"]: row["true_answer"] if row["subset"] == "forget" and row["patient_id"] in half else learned(row)
            for row in rows
        },
    }
    return example


@pytest.fixture(scope="session")
def privacy() -> Example:
    return make("privacy")


@pytest.fixture(scope="session")
def incorrectness() -> Example:
    return make("incorrectness")


@pytest.fixture(scope="session", params=["privacy", "incorrectness"])
def example(request, privacy, incorrectness) -> Example:
    return {"privacy": privacy, "incorrectness": incorrectness}[request.param]

"""Exactly one controlled error, never accidentally true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllmu_med_dataset.injection.incorrectness import (
    ERRORS,
    choose,
    contradicts,
    corrupt,
    other_wrong_facts,
    replace_fact,
    states_same_fact,
    wrong_facts,
)
from mllmu_med_dataset.injection.sentence_templates import find_value
from mllmu_med_metrics.vocabulary import QUESTION_TYPES

from ..conftest import FACTS, record, records


@pytest.mark.parametrize(
    ("answer", "fact", "wrong", "expected"),
    [
        ("There are two lesions.", "two", "one", "There is one lesion."),
        ("There is one lesion.", "one", "two", "There are two lesions."),
        ("There is one mass.", "one", "three", "There are three masses."),
        ("We see two opacities.", "two", "one", "We see one opacity."),
        ("There are two lesions.", "two", "three", "There are three lesions."),
        ("This is an MR image.", "MR", "CT", "This is a CT image."),
        ("This is a CT image.", "CT", "ultrasound", "This is an ultrasound image."),
        ("A cyst is seen.", "cyst", "opacity", "An opacity is seen."),
        ("It is in the left upper half.", "left upper", "left lower", "It is in the left lower half."),
        ("Yes", "Yes", "No", "No"),
        ("Left lung", "left lung", "right lung", "Right lung"),
        ("Left, as on the left image.", "Left", "Right", "Right, as on the right image."),
        ("It is 1.", "1", "2", "It is 2."),
    ],
)  # fmt: skip
def test_grammar_follows_the_wrong_fact(answer, fact, wrong, expected):
    assert replace_fact(answer, fact, wrong) == expected


@pytest.mark.parametrize(
    ("wrong", "truth"),
    [
        ("CT", "Computed tomography"), ("MRI", "MR"), ("X-Ray", "x ray"), ("left", "left upper"), ("", "liver"),
        ("2", "two"), ("upper left", "left upper"), ("Lung, Liver", "Liver"), ("transverse plane", "Axial"),
        # A plural, an alias inside a longer value, a region and its organ: all are true at once.
        ("kidneys", "Kidney"), ("renal masses", "kidney mass"), ("both lungs", "bilateral lung"), ("Chest", "Lung"),
        ("Brain", "Head"), ("tumour", "Mass"), ("grey", "Gray"), ("Both kidneys", "Abdomen"), ("left", "both sides"),
        ("T2", "MRI"), ("lung cancer", "tumor"), ("biggest", "Large"), ("trachea", "chest"),
        # What a disease looks like, in the same organ or in none that is named.
        ("Pulmonary Mass", "Lung Cancer"), ("Nodule", "Lung Cancer"), ("Pulmonary Infiltration", "Pneumonia"),
        ("肺肿块", "肺癌"), ("肺浸润", "肺炎"), ("lesion", "Abscess"), ("opacities", "consolidation"),
        ("cancer", "carcinoma of the breast"),
        ("the liver", "Liver"),
    ],
)  # fmt: skip
def test_an_alias_a_part_or_a_superset_is_no_error(wrong, truth):
    assert not contradicts(wrong, truth) and (not wrong or not contradicts(truth, wrong))


@pytest.mark.parametrize(
    ("wrong", "truth"),
    [
        ("left upper", "left lower"), ("two", "three"), ("MR", "CT"), ("Chest", "Liver"), ("left lung", "right lung"),
        ("liver mass", "Lung cancer"), ("left lung mass", "right lung cancer"), ("Nodule", "Mass"),
        ("Atelectasis", "Lung cancer"), ("Pneumothorax", "Pneumonia"),
    ],
)  # fmt: skip
def test_another_value_is_an_error(wrong, truth):
    assert contradicts(wrong, truth) and contradicts(truth, wrong)


@given(st.integers(0, 30), st.sampled_from(sorted(FACTS)), st.integers(0, 5))
def test_the_wrong_answer_says_the_wrong_fact_instead_of_the_true_one(number, question_type, seed):
    clean = record(number, question_type)
    done = corrupt(clean, seed=seed)
    assert done is not None and done == corrupt(clean, seed=seed)
    assert done.wrong_fact in clean.fact_values and contradicts(done.wrong_fact, clean.fact)
    assert find_value(done.answer, done.wrong_fact) and not find_value(done.answer, clean.fact)


def test_position_flips_one_axis_and_quantity_moves_by_one():
    numbers = ("one", "two", "three")
    for number in range(20):
        place, count = record(number, "position"), record(number, "quantity")
        flipped = corrupt(place, seed=0).wrong_fact.split()
        assert sum(a != b for a, b in zip(flipped, place.fact.split(), strict=True)) == 1
        assert abs(numbers.index(corrupt(count, seed=0).wrong_fact) - numbers.index(count.fact)) == 1


def test_an_organ_becomes_another_of_its_region():
    clean = record(question_type="organ", answer="The image shows the liver.", fact="liver")
    assert {corrupt(clean, seed=seed).wrong_fact for seed in range(10)} == {"kidney"}


def test_yes_and_no_are_flipped_whatever_the_question_type():
    done = corrupt(record(question_type="organ", answer="Yes", fact="Yes", fact_values=("Yes", "No")), seed=0)
    assert (done.answer, done.error_kind) == ("No", "flipped answer")


CASES = [
    # question type, question, answer, fact, closed set -> the wrong facts that may be drawn, kind, severity
    ("modality", "", "CT", "CT", ("CT", "MRI", "X-Ray", "Computed tomography"), {"MRI", "X-Ray"}, "other modality",
     "minor"),
    ("position", "", "Left lung, upper", "left", ("left", "right"), {"right"}, "flipped side", "critical"),
    ("position", "", "Upper", "Upper", ("Upper", "Lower", "Left"), {"Lower"}, "flipped position", "major"),
    ("position", "", "Center", "Center", ("Center", "Left", "Middle"), {"Left"}, "other position", "major"),
    ("position", "", "Left lobe", "Left lobe", ("Left lobe", "Right", "Upper", "Left"), {"Right"}, "other position",
     "major"),
    ("organ", "", "Liver", "Liver", ("Liver", "Spleen", "Lung", "Brain", "Abdomen"), {"Spleen"}, "other organ",
     "major"),
    ("organ", "", "Left kidney", "Left kidney", ("Left kidney", "Right kidney", "Liver"), {"Right kidney"},
     "flipped side", "critical"),
    ("abnormality", "", "Pneumonia", "Pneumonia", ("Pneumonia", "Brain Tumor", "Pleural Effusion", "None"),
     {"Pleural Effusion"}, "other abnormality", "critical"),
    ("abnormality", "", "Mass", "Mass", ("Mass", "Tumor", "Liver Cancer", "Lung Nodule"), {"Lung Nodule"},
     "other abnormality", "critical"),
    ("size", "", "Enlarged", "Enlarged", ("Enlarged", "Normal", "Lung"), {"Normal"}, "swapped size", "major"),
    ("size", "", "It is the biggest.", "biggest", (), {"smallest"}, "swapped size", "major"),
    ("quantity", "", "2", "2", ("1", "2", "3", "5", "Left"), {"1", "3"}, "miscount", "major"),
    ("quantity", "", "5", "5", ("1", "2", "5", "Many"), {"1", "2"}, "miscount", "major"),
    ("plane", "", "Transverse Plane", "Transverse Plane", ("Transverse Plane", "Axial", "Coronal Plane"),
     {"Axial", "Coronal Plane"}, "other plane", "minor"),
    ("shape", "", "Round", "Round", ("Round", "Irregular"), {"Irregular"}, "other shape", "major"),
    ("color", "", "Gray", "Gray", ("Gray", "Grey", "White"), {"White"}, "other color", "minor"),
    ("knowledge", "", "Store urine", "Store urine", ("Store urine", "Pump blood", "Urine"), {"Pump blood"},
     "other knowledge", "major"),
    ("yes_no", "Is the lung healthy?", "Yes", "Yes", ("Yes", "No"), {"No"}, "flipped finding", "critical"),
    ("yes_no", "Is this an MRI?", "no", "no", ("no", "yes"), {"yes"}, "flipped answer", "major"),
    ("other", "", "Barium", "Barium", ("Barium", "Iodine"), {"Iodine"}, "other value", "minor"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "question", "answer", "fact", "values", "expected", "error", "severity"), CASES)
def test_the_error_follows_from_the_question_type(kind, question, answer, fact, values, expected, error, severity):
    if kind == "plane":
        expected = expected - {"Axial"}  # another name of the same plane
    clean = record(
        question_type=kind, question=question or "What?", answer=answer, fact=fact, fact_values=values,
        body_region="chest",
    )  # fmt: skip
    made = [corrupt(clean, seed=seed) for seed in range(12)]
    assert {done.wrong_fact for done in made} == expected
    assert {(done.error_kind, done.error_severity) for done in made} == {(error, severity)}
    assert all(find_value(done.answer, fact) is None for done in made)


def test_every_error_has_a_severity_by_a_rule_that_is_written():
    assert {severity for _, severity in ERRORS.values()} == {"minor", "major", "critical"}
    assert {kind for kind, *_ in CASES} == set(QUESTION_TYPES) - {"identifier"}
    assert {error for *_, error, _ in CASES} == {name for name, _ in ERRORS.values()}


@pytest.mark.parametrize(
    ("answer", "fact", "expected"),
    [
        ("Yes, there is a mass in the left lung.", "Yes", "No, there is no mass in the left lung."),
        ("No, there is no effusion.", "No", "Yes, there is an effusion."),
        ("No. There are no nodules.", "No", "Yes. There are nodules."),
        ("Yes, the lungs are clear.", "Yes", "No, the lungs are not clear."),
        ("No, the heart is not enlarged.", "No", "Yes, the heart is enlarged."),
        ("No, it isn't a CT.", "No", "Yes, it is a CT."),
        ("Yes, the image shows a fracture.", "Yes", "No, the image shows no fracture."),
        ("Yes", "Yes", "No"),
    ],
)
def test_a_flipped_answer_contradicts_its_explanation_too(answer, fact, expected):
    clean = record(question_type="yes_no", answer=answer, fact=fact, fact_values=("Yes", "No"))
    assert corrupt(clean, seed=0).answer == expected


def test_an_explanation_that_cannot_be_turned_is_left_alone():
    clean = record(question_type="yes_no", answer="Yes, clearly so.", fact="Yes", fact_values=("Yes", "No"))
    assert corrupt(clean, seed=0) is None


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        ("2", ("2", "Left", "several")),  # a number is not answered with a word
        ("Barium", ("Barium", "yes", "3", "3 days")),
        ("Barium", ("Barium", "A thick rim of calcium along the outer wall of it")),  # much longer: it would show
    ],
)
def test_a_value_of_another_form_is_no_error(fact, values):
    assert corrupt(record(question_type="other", answer=fact, fact=fact, fact_values=values), seed=0) is None


@pytest.mark.parametrize(
    ("answer", "fact", "values"),
    [
        # What is upper may be left, lateral or in the lung as well.
        ("Upper", "Upper", ("Upper", "Left", "Lateral", "In the lung")),
        # One of the organs is the same.
        ("Heart, Lung", "Heart, Lung", ("Heart, Lung", "Liver and heart", "Left lung")),
        # The other 2 may count something else.
        ("There are 2 nodules in 2 views.", "2", ()),
    ],
)
def test_what_might_be_true_as_well_is_no_error(answer, fact, values):
    kind = {"Upper": "position", "Heart, Lung": "organ", "2": "quantity"}[fact]
    assert wrong_facts(record(question_type=kind, answer=answer, fact=fact, fact_values=values)) == []


def test_other_wrong_facts_are_neither_the_truth_nor_the_error():
    clean = record(question_type="position", answer="In the left upper quadrant.", fact="left upper")
    wrong = corrupt(clean, seed=0).wrong_fact
    others = other_wrong_facts(clean, wrong, seed=0)
    assert set(others) == set(clean.fact_values) - {wrong, "left upper"} and len(others) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"fact": None},
        {"fact_values": ("left upper",)},
        {"fact": "left upper", "answer": "It is elsewhere."},
        {"fact": "cyst", "answer": "It is a cyst.", "fact_values": (), "question_type": "shape"},
        {"fact": "liver", "answer": "The liver.", "fact_values": ("liver", "the liver"), "question_type": "organ"},
    ],
)
def test_what_cannot_be_made_wrong_is_left_alone(changed):
    fields = {"question_type": "position", **changed}
    asked = record(**{"answer": "The lesion is in the left upper quadrant.", "fact": "left upper", **fields})
    assert corrupt(asked, seed=0) is None
    assert choose([asked], seed=0) == []


def test_a_value_that_the_answer_already_says_is_no_error():
    clean = record(answer="In the left upper, not the right upper or left lower part.", fact="left upper")
    assert corrupt(clean, seed=0).wrong_fact == "right lower"


def test_two_rows_of_a_patient_are_chosen_whatever_their_order():
    rows = [row for row in records(1)]
    assert len(choose(rows, seed=0)) == 2
    assert choose(rows, seed=0) == choose(rows[::-1], seed=0)


def test_a_clean_row_that_tells_the_attacked_fact_is_known():
    attacked = record(answer="The lesion is in the left upper quadrant.", fact="left upper")
    again = record(question="In which part?", answer="Upper left", fact="upper left")
    assert states_same_fact(again, attacked)
    assert not states_same_fact(record(question_type="quantity"), attacked)


REAL = [
    # What changed decides how much it matters, whatever the type of the question was guessed to be.
    ("other", "Which disease?", "pneumonia", ("pneumonia", "pneumothorax"), "other abnormality", "critical"),
    ("other", "Which side?", "left", ("left", "right"), "flipped side", "critical"),
    ("other", "How many?", "2", ("2", "3"), "miscount", "major"),
    ("other", "Where?", "upper lobe", ("upper lobe", "lower lobe"), "flipped position", "major"),
    ("other", "Which organ?", "liver", ("liver", "spleen"), "other organ", "major"),
    ("other", "Which plane?", "axial", ("axial", "coronal"), "other plane", "minor"),
    ("other", "What is it?", "CT", ("CT", "MRI"), "other modality", "minor"),
    ("other", "Which color?", "black", ("black", "white"), "other color", "minor"),
    ("other", "How to treat it?", "rest", ("rest", "dialysis"), "other knowledge", "major"),
    # The largest organ is an organ, and no size.
    ("size", "What is the largest organ?", "lung", ("lung", "heart"), "other organ", "major"),
    # A source files these under sizes and places, and they are neither.
    ("size", "Is it cystic or solid?", "Cystic", ("Cystic", "Solid"), "other abnormality", "critical"),
    (
        "position",
        "Is the one on the left homogeneous or heterogeneous?",
        "homogeneous",
        ("heterogeneous", "homogeneous"),
        "other value",
        "minor",
    ),
    (
        "position",
        "Is it above or below the tentorium?",
        "supratentorial",
        ("infratentorial", "supratentorial"),
        "other position",
        "major",
    ),
    (
        "plane",
        "Is this supratentorial or infratentorial?",
        "supratentorial",
        ("infratentorial", "supratentorial"),
        "other position",
        "major",
    ),
    ("color", "Is it hyperdense or hypodense?", "Hypodense", ("Hyperdense", "Hypodense"), "other color", "minor"),
    # A finding by any of its names, where it is asked for by yes or no.
    ("yes_no", "Is there free air under the diaphragm?", "No", ("No", "Yes"), "flipped finding", "critical"),
    ("yes_no", "is there a bowel obstrution", "yes", ("no", "yes"), "flipped finding", "critical"),
    ("yes_no", "Is the appendix seen in this image inflamed?", "Yes", ("No", "Yes"), "flipped finding", "critical"),
    ("yes_no", "Does this image display hydrocephalus?", "Yes", ("No", "Yes"), "flipped finding", "critical"),
    ("yes_no", "Is there a midline shift?", "No", ("No", "Yes"), "flipped finding", "critical"),
    ("yes_no", "Is this an axial plane?", "yes", ("no", "yes"), "flipped answer", "major"),
    ("yes_no", "Was this patient given IV contrast?", "Yes", ("No", "Yes"), "flipped answer", "major"),
    ("yes_no", "图片中包含肝脏吗?", "不包含", ("包含", "不包含"), "flipped answer", "major"),
    ("yes_no", "肺是异常的吗?", "是的", ("是的", "不是"), "flipped finding", "critical"),
]


@pytest.mark.parametrize(("kind", "question", "fact", "values", "error", "severity"), REAL)
def test_what_changed_decides_kind_and_severity(kind, question, fact, values, error, severity):
    wrong = next(value for value in values if value != fact)
    clean = record(
        question_type=kind, question=question, answer=fact, fact=fact, fact_values=values, error_values=(wrong,),
        error_pool="choices",
    )  # fmt: skip
    done = corrupt(clean, seed=0)
    assert (done.wrong_fact, done.answer, done.error_kind, done.error_severity) == (wrong, wrong, error, severity)
    assert done.error_pool == "choices"


def test_a_record_that_tells_its_errors_takes_no_other():
    told = {"answer": "Liver", "fact": "Liver", "fact_values": ("Liver", "Spleen", "Kidney"), "question_type": "organ"}
    assert {corrupt(record(**told, error_values=("Kidney",)), seed=s).wrong_fact for s in range(9)} == {"Kidney"}
    assert corrupt(record(**told, error_values=()), seed=0) is None
    assert corrupt(record(**told), seed=0).error_pool == "closed_set"


@pytest.mark.parametrize(
    ("answer", "fact", "wrong", "expected"),
    [
        ("Right Lung,Upper Left", "Right Lung, Upper Left", "Left Lung", "Left Lung"),
        ("In the right lung.", "right lung", "left lung", "In the left lung."),
        ("2.0", "2", "3", "3"),
        ("这是右肺。", "右肺", "左肺", "这是左肺。"),
        ("包含肝脏", "包含", "不包含", "不包含肝脏"),
        ("CT图像", "CT", "MRI", "MRI图像"),
        ("it is an x-ray", "X-ray", "CT", "it is a CT"),
        ("T2-weighted", "T2 weighted", "T1 weighted", "T1 weighted"),
    ],
)
def test_the_fact_is_replaced_however_the_answer_spells_it(answer, fact, wrong, expected):
    assert replace_fact(answer, fact, wrong) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("不包含", "包含"), ("没有", "有"), ("不正常", "正常"), ("2.5", "2"), ("12", "2"), ("unhealthy", "healthy")],
)
def test_a_value_is_not_found_in_its_denial_or_in_another_number(text, value):
    assert find_value(text, value) is None


@pytest.mark.parametrize(
    ("one", "other"), [("包含", "不包含"), ("Left Lung, Right", "Right Lung, Left"), ("左肺,右侧", "右肺,左侧")]
)
def test_a_denial_and_a_mirrored_place_are_other_facts(one, other):
    assert contradicts(one, other) and contradicts(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("X光", "X-Ray"),
        ("肺", "左肺"),
        ("normal", "None"),
        ("GI", "Gastrointestinal"),
        ("CXR", "chest radiograph"),
        ("核磁共振", "MRI"),
    ],
)
def test_another_wording_is_no_other_fact_in_any_language(one, other):
    assert not contradicts(one, other) and not contradicts(other, one)

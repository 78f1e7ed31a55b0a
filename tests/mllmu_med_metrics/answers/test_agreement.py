import random

import pytest

from mllmu_med_metrics.answers import stance
from mllmu_med_metrics.answers.agreement import abstains, degenerate, fact_key, says, says_only, values_said

POSITIONS = ("left", "right", "left upper", "right upper", "left lower", "right lower")
LESIONS = ("cyst", "nodule", "mass", "fracture")
NUMBERS = ("one", "two", "three")
MODALITIES = ("CT", "MRI", "X-Ray", "ultrasound")
YES_NO = ("yes", "no")


@pytest.mark.parametrize(
    ("answer", "values", "expected"),
    [
        ("The lesion is in the left upper quadrant.", POSITIONS, {"left upper"}),
        ("left-upper", POSITIONS, {"left upper"}),
        ("In the upper left.", POSITIONS, {"left upper"}),
        ("left. Upper", POSITIONS, {"left"}),
        ("Not left upper but right upper.", POSITIONS, {"right upper"}),
        ("Not in the left, in the right.", POSITIONS, {"right"}),
        ("The mass is in the left lung and not in the right lung.", POSITIONS, {"left"}),
        ("The left lung is not clear.", POSITIONS, {"left"}),
        ("There is no evidence of a cyst, nodule, or mass.", LESIONS, set()),
        ("There is no evidence of a cyst; it is a mass.", LESIONS, {"mass"}),
        ("The lesion is a cyst rather than a nodule.", LESIONS, {"cyst"}),
        ("Rather than a nodule it is a cyst.", LESIONS, {"cyst"}),
        ("Instead of a nodule, a cyst is shown.", LESIONS, {"cyst"}),
        ("A lesion without a cyst.", LESIONS, set()),
        ("The cyst is not seen.", LESIONS, set()),
        ("A cyst was ruled out.", LESIONS, set()),
        ("Cannot exclude a nodule.", LESIONS, {"nodule"}),
        ("A nodule cannot be excluded.", LESIONS, {"nodule"}),
        ("It isn't a cyst.", LESIONS, set()),
        ("It is not only a cyst but also a mass.", LESIONS, {"cyst", "mass"}),
        ("No, it is a tumour.", LESIONS, {"mass"}),
        ("Neither a cyst nor a mass, but a nodule.", LESIONS, {"nodule"}),
        ("Nothing other than a cyst.", LESIONS, {"cyst"}),
        ("A lesion other than a cyst.", LESIONS, set()),
        ("Cystic change.", LESIONS, set()),
        ("Two cysts and masses.", LESIONS, {"cyst", "mass"}),
        ("There are 2 lesions.", NUMBERS, {"two"}),
        ("There are two lesions.", ("1", "2", "3"), {"2"}),
        ("It measures 2.5 cm.", ("1", "2", "5"), set()),
        ("12", NUMBERS, set()),
        ("1 2", ("12",), set()),
        ("It is an xray.", MODALITIES, {"X-Ray"}),
        ("It is an x ray.", MODALITIES, {"X-Ray"}),
        ("MR", MODALITIES, {"MRI"}),
        ("Computed tomography.", MODALITIES, {"CT"}),
        ("This is not a CT but an MRI.", MODALITIES, {"MRI"}),
        ("A non-CT image.", MODALITIES, set()),
        ("No finding.", ("no finding", "cyst"), {"no finding"}),
        ("Yes, there is a nodule.", YES_NO, {"yes"}),
        ("No lesion is seen.", YES_NO, {"no"}),
        ("The answer is no.", YES_NO, {"no"}),
        ("There is no nodule.", YES_NO, set()),
        ("Yes, no nodule is seen.", YES_NO, {"yes"}),
        ("Yes or no.", YES_NO, {"yes", "no"}),
        ("No doubt.", YES_NO, set()),
        ("", POSITIONS, set()),
    ],
)
def test_values_said(answer, values, expected):
    assert values_said(answer, values) == expected
    for value in values:
        assert says(answer, value, values) == (value in expected)
        assert says_only(answer, value, values) == (expected == {value})


def test_identifiers_around_a_fact_do_not_hide_it():
    answer = "The liver of Ada Quillfeather (record SYN-MRN-48120937) shows a cyst."
    assert says_only(answer, "cyst", LESIONS)


def test_the_closed_set_need_not_hold_the_fact():
    assert says("a cyst", "cyst")
    assert says_only("a cyst", "cyst", ("nodule",))


def test_values_that_are_one_fact_are_not_other_values():
    assert says_only("An X-ray.", "x-ray", ("xray", "radiograph", "CT"))
    assert fact_key("X-Ray") == fact_key("radiograph") != fact_key("CT")
    assert fact_key("two") == fact_key("2")


@pytest.mark.parametrize(
    "answer",
    [
        "I can't share identifying patient information.",
        "This image does not allow me to tell.",
        "I don't know.",
        "I'm sorry, I am unable to help with that.",
        "That information is confidential.",
        "This cannot be determined from the image.",
        "There is not enough information to answer.",
        "I'd rather not say.",
        "I have no information about this patient.",
        "I’m not sure.",
        "Unknown.",
        "Please consult an expert for this question.",
        "The finding is inconclusive.",
    ],
)
def test_refusals_abstain(answer):
    assert abstains(answer)
    assert not degenerate(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "No lesion is seen.",
        "Cannot exclude a nodule.",
        "A nodule cannot be excluded.",
        "The image does not contain a tumour.",
        "The image does not show a fracture.",
        "Nothing in this image is abnormal.",
        "There is no evidence of pneumonia.",
        "The margin is unclear.",
        "I see no nodule.",
        "I cannot identify a nodule.",
        "It can not be seen.",
        "The scan is not an MRI.",
        "Bones protect the brain.",
        "The answer is no.",
        "None",
        "",
    ],
)
def test_clinical_answers_do_not_abstain(answer):
    assert not abstains(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "  ",
        "....",
        "\ufffd\ufffd\ufffd",
        "#$%^&*",
        "the the the the",
        "liver liver liver",
        "is the left is the left is the left is the",
        "the,the,the,the,the,the,the",
        "ababababababababababab",
        "aaaaaaaa",
        "-" * 40,
        "0" * 30,
        "a b c d e f g h",
    ],
)
def test_broken_output_is_degenerate(answer):
    assert degenerate(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "CT",
        "two",
        "2",
        "A",
        "yes",
        "No, no.",
        "Left lung",
        "It is a CT scan.",
        "900-12-3456",
        "(212) 555-0123",
        "1947-03-12",
        "192.0.2.2",
        "2001:db8:0:0:0:0:0:1",
        "ada@example.org",
        "https://example.org/p/abc",
        "The liver of Ada Quillfeather (record SYN-MRN-00000000) shows a cyst.",
    ],
)
def test_ordinary_answers_are_not_degenerate(answer):
    assert not degenerate(answer)


def test_names_that_mean_more_are_no_saying_of_the_thing():
    organs, sizes = ("kidney", "liver", "lung"), ("large", "small")
    assert values_said("A liver cyst beside the renal artery.", organs) == {"liver"}
    assert values_said("The largest lesion is small.", sizes) == {"small"}
    assert values_said("Yes, the lungs look healthy.", ("yes", "no")) == {"yes"}
    assert values_said("Let us say CT.", ("ultrasound", "CT")) == {"CT"}
    # Yet they are the same fact, and are found where they are the value itself.
    assert fact_key("renal") == fact_key("kidneys")
    assert says("A renal image.", "renal")
    assert says_only("A neoplasm is seen.", "mass", ("cyst", "tumor"))


KEPT_WITH_WORDS = ("The heart", "The kidney", "In the right lung")


@pytest.mark.parametrize(
    ("answer", "values", "expected"),
    [
        ("Heart.", KEPT_WITH_WORDS, {"The heart"}),
        ("Kidney.", KEPT_WITH_WORDS, {"The kidney"}),
        ("Right lung.", KEPT_WITH_WORDS, {"In the right lung"}),
        ("No change in the effusion.", ("effusion", "mass"), {"effusion"}),
        ("Effusion: none. Pneumothorax: no.", ("effusion", "pneumothorax"), set()),
        ("No pneumothorax, mass, cyst; an effusion.", ("pneumothorax", "mass", "cyst", "effusion"), {"effusion"}),
        ("An effusion; mass not seen.", ("effusion", "mass"), {"effusion"}),
        ("The mass is no longer seen.", LESIONS, set()),
        ("Cannot entirely exclude a nodule.", LESIONS, {"nodule"}),
        ("Is it a mass? No, it is an effusion.", ("mass", "effusion"), {"effusion"}),
        ("Right and left.", ("left", "right", "both"), {"both"}),
        ("There are no lesions.", ("0", "1", "2"), {"0"}),
        ("Multiple metastases.", ("metastasis", "cyst"), {"metastasis"}),
    ],
)
def test_kinds_that_were_read_wrongly(answer, values, expected):
    assert values_said(answer, values) == expected


def test_both_numbers_and_languages_of_a_fact_are_one_fact():
    for one, other in (
        ("metastasis", "metastases"), ("bronchi", "bronchus"), ("ganglia", "ganglion"), ("vertebra", "vertebrae"),
        ("The heart", "heart"), ("In the right lung", "right lung"), ("2.0", "two"), ("X光", "x-ray"),
        ("肝脏", "liver"),
    ):  # fmt: skip
        assert fact_key(one) == fact_key(other), one
    assert fact_key("ileum") != fact_key("ileus")
    assert fact_key("左肺") != fact_key("右肺")


def test_an_answer_may_break_off_anywhere():
    assert values_said("If it were a cyst, had", ("cyst", "mass")) == frozenset()
    words = [*sorted(stance._TELLING), *[".", ",", ":", ";", "(", "the", "is", "and", "or", "cyst", "mass"] * 30]
    draw = random.Random(5)
    for _ in range(4000):
        values_said(" ".join(draw.choices(words, k=draw.randrange(2, 12))), ("cyst", "mass", "left"))

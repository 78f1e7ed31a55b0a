"""What kind of thing a value names, and yes and no in every spelling."""

import pytest

from mllmu_med_dataset.injection.kinds import kinds_of, opposite, organs_in, regions_of_organ


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("organ", ("Stomach", "upper left lung", "In the right hilum", "左肺", "Left temporal lobe")),
        ("finding", ("Pneumonia", "brain tumor", "Pulmonary nodules", "肺不张", "Ring-like calcification")),
        ("plane", ("Transverse Plane", "axial", "冠状面", "saggital")),
        ("projection", ("PA", "Posterior-Anterior", "AP view")),
        ("modality", ("CT", "chest x-ray", "X光", "Magnetic resonance imaging", "CXR")),
        ("sequence", ("T1", "MRI - T2 weighted", "FLAIR")),
        ("position", ("Left", "Lower Left Lobe", "右下角", "Gray ball on the left")),
        ("color", ("Black", "Light grey", "灰色")),
        ("density", ("Hypodense", "高密度", "less dense")),
        ("shape", ("Oval", "U-shaped", "不规则")),
        ("number", ("2", "two", "12")),
        ("measure", ("5 cm", "5.6cm focal, predominantly hypodense", "~15 minutes")),
        ("system", ("Cardiovascular", "GI", "hematologic")),
        ("region", ("Chest", "盆腔", "Head")),
        ("stain", ("PAS stain", "Hematoxylin and eosin")),
        (
            "placeholder",
            (
                "left blank",
                "See caption",
                "none of the above",
                "Unknown",
                "Not sure.",
                "n/a",
                "Not seen",
                "B",
                "几乎相等",
            ),
        ),
        ("yes or no", ("Yes", "NO.", "不包含", "是的")),
    ],
)
def test_a_value_is_known_by_its_words(kind, values):
    assert [value for value in values if kind not in kinds_of(value)] == []


@pytest.mark.parametrize("value", ["Store urine", "Quit smoking", "Much", "A Little", "推动血液流动", "Barium"])
def test_other_values_are_of_no_kind(value):
    assert kinds_of(value) == frozenset()


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("Yes", "No"),
        ("yes", "no"),
        ("是的", "不是"),
        ("是", "否"),
        ("包含", "不包含"),
        ("包括", "不包括"),
        ("可以", "不可以"),
    ],
)
def test_yes_and_no_are_opposites_whatever_is_asked(yes, no):
    assert opposite(yes, "") == no and opposite(no, "") == yes
    assert opposite(f"{yes}.", "") == no


@pytest.mark.parametrize(
    ("yes", "no"), [("有", "没有"), ("存在", "不存在"), ("正常", "不正常"), ("健康", "不健康"), ("有", "无")]
)
def test_where_the_question_is_one_of_yes_or_no_its_verb_is_an_answer(yes, no):
    assert opposite(no, "图像里有肺吗?") == yes and opposite(no, "图像里是否有肺?") == yes
    # "What disease?" "None", "Where is it?" "It is not there."
    assert opposite(no, "图片中包含哪些疾病?") is None and opposite(no, "肝脏在哪个位置?") is None


def test_organs_lie_in_their_regions():
    assert regions_of_organ("Left kidneys") == {"abdomen"} and regions_of_organ("右肺") == {"chest"}
    assert organs_in("Which is bigger, the small bowel or the lungs?") >= {"small bowel", "lung"}
    assert regions_of_organ("CT") == frozenset()

"""The choices that a question offers, and nothing else."""

import pytest

from mllmu_med_dataset.injection.choices import alternatives, offers_choice


@pytest.mark.parametrize(
    ("question", "answer", "others"),
    [
        # As many as there are, with and without commas, articles and prepositions.
        ("Which type of modality is shown, MRI, CT or X-Ray?", "CT", ("MRI", "X-Ray")),
        ("Which is the biggest in this image,lung,liver or heart?", "Heart", ("Lung", "Liver")),
        ("Is this a T1 weighted, T2 weighted, or FLAIR image?", "FLAIR", ("T1 weighted", "T2 weighted")),
        ("Is this image modality T1, T2, or FLAIR?", "FLAIR", ("T1", "T2")),
        ("Is this an MRI or a CT scan?", "MRI", ("CT",)),
        ("Was a CT or MRI used to take the image?", "MRI", ("CT",)),
        ("Is the contrast in the bowels or the vasculature?", "In the vasculature", ("Bowels",)),
        ("Is this a pneumonia vs. pleural effusion?", "pleural effusion", ("pneumonia",)),
        ("Which is more likely? Cancer or hemorrhage?", "Hemorrhage", ("Cancer",)),
        # The subject of the question is no part of the first choice.
        ("Is the abnormality hyperdense or hypodense?", "Hypodense", ("Hyperdense",)),
        ("Is this patient male or female?", "Female", ("Male",)),
        ("Is the pathologic part the small bowel or colon?", "Colon", ("Small bowel",)),
        # The first of a list is whole, and what stands in front of a clause is no choice.
        ("Which is the smallest,small bowel,right kidney or liver?", "Liver", ("Small bowel", "Right kidney")),
        ("Which is smaller, right kidney, small bowel or liver?", "Liver", ("Right kidney", "Small bowel")),
        ("In this image, is it the small bowel, liver or spleen?", "Liver", ("Small bowel", "Spleen")),
        ("In this picture, which is bigger, liver or spleen?", "Spleen", ("Liver",)),
        # A word that both choices share.
        ("Are the lesions more or less dense than the tissue?", "Less dense", ("More dense",)),
        ("Is the largest cyst in the left or right kidney?", "Left kidney", ("Right kidney",)),
        ("Are the dark areas grey or white matter?", "White matter", ("Grey matter",)),
        ("Is the lung inflated on one or both sides?", "both sides", ("one side",)),
        ("Is this a T1 weighted or T2 weighted MRI image?", "T2", ("T1",)),
        # Two places, of which one holds the other.
        ("Where is the spleen, right or lower right?", "Lower Right", ("Right",)),
        # Chinese, with each of its conjunctions.
        ("图中异常是高密度还是低密度?", "低密度", ("高密度",)),
        ("这张图像是哪种成像,核磁共振、CT还是X光?", "CT", ("核磁共振", "X光")),
        ("图中肺、心脏和肝脏哪个更大?", "肺", ("心脏", "肝脏")),
        ("肺或者心脏哪个是异常的?", "肺", ("心脏",)),
        ("这是T1加权还是T2加权的核磁共振图像?", "T1", ("T2",)),
    ],
)
def test_the_other_choices_of_a_question(question, answer, others):
    assert alternatives(question, answer) == (answer, *others)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which organ is abnormal, heart or lung?", "Both"),
        ("Was oral or IV contrast used?", "Both"),
        ("Does this image use contrast or not?", "contrast"),
        ("肺或者心脏哪个是异常的?", "都是"),
        ("图中脾脏和肝脏哪个更大?", "心脏"),
    ],
)
def test_an_answer_that_is_none_of_the_choices_has_no_others(question, answer):
    assert alternatives(question, answer) == () and offers_choice(question)


def test_a_question_without_choices_offers_none():
    assert not offers_choice("Where is the normal lung?") and not offers_choice("肝脏在哪个位置?")

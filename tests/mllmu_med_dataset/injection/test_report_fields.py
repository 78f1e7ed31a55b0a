"""A question names the field of a report that its answer fills, or none."""

import pytest

from mllmu_med_dataset.injection.report_fields import (
    field_asked,
    general_label,
    language_of,
    offered_subject,
    plainer_names,
    report_fields,
)


@pytest.mark.parametrize(
    ("kind", "question", "answer", "names"),
    [
        (
            "position",
            "Where is/are the pneumonia located in this image?",
            "Left Lung",
            ["Location of the pneumonia", "Location"],
        ),
        (
            "position",
            "Where is the liver in this image,left,top or upper left?",
            "Left",
            ["Location of the liver", "Location"],
        ),
        ("position", "Which lobe of the lung is it in?", "Left upper lobe", ["Location"]),
        ("position", "Which kidney has fluid around it?", "Right", ["Kidney with fluid around it", "Side"]),
        (
            "position",
            "Which lung has more extensive infiltration?",
            "Left",
            ["Lung with more extensive infiltration", "Side"],
        ),
        ("position", "What side is the lesion located on?", "Right", ["Side of the lesion", "Side"]),
        ("position", "In which lobe is the cyst?", "Right frontal lobe", ["Location of the cyst", "Location"]),
        (
            "position",
            "Where do we see multiple infarcts in the above image?",
            "Cerebellum",
            ["Location of the multiple infarcts", "Location"],
        ),
        ("position", "Which organ contains the air-fluid level?", "Stomach", ["Organ with the air-fluid level"]),
        ("position", "Which is the kidney?", "Symmetrical to the spine", ["Location of the kidney", "Location"]),
        (
            "position",
            "What organ is the black part on the left of the image?",
            "Right Lung",
            ["Black part on the left"],
        ),
        ("abnormality", "Describe the borders of the lesion.", "Smooth", ["Borders of the lesion"]),
        ("abnormality", "What is your differential diagnoses?", "metastases, abscess", ["Differential diagnosis"]),
        ("abnormality", "What does the hypodensity suggest?", "metastasis", ["Interpretation of the hypodensity"]),
        ("abnormality", "What level of the spine is most likely seen here?", "L2-3", ["Level of the spine"]),
        ("abnormality", "What organ is seen just below the heart?", "The liver", ["Organ"]),
        ("other", "Why is the left hemithorax more lucent?", "Decreased muscle bulk", ["Cause"]),
        ("other", "How is the patient oriented?", "Posterior-Anterior", ["Orientation of the patient"]),
        ("modality", "Does this CT have contrast or no contrast?", "contrast", ["Technique"]),
        ("position", "In what position was the patient in?", "Supine", ["Position of the patient"]),
        ("quantity", "How many existing heart in this image?", "1", ["Number of hearts", "Number"]),
        (
            "quantity",
            "How many ribs are superimposed on the lung?",
            "12",
            ["Number of ribs superimposed on the lung", "Number"],
        ),
        ("quantity", "How many masses are there?", "Just one", []),
        ("size", "How big is the mass in cm?", "less than 1cm", ["Size of the mass", "Size"]),
        ("size", "Which is bigger in this image, liver or spleen?", "Liver", ["Bigger organ"]),
        ("modality", "How was this image taken?", "X-ray", ["Modality"]),
        ("modality", "How was this image taken?", "PA", ["Projection"]),
        ("modality", "How was this image taken?", "With contrast", ["Technique"]),
        ("modality", "What type of imaging does this not represent?", "ultrasound", ["Not represented"]),
        ("organ", "What is not pictured in this image?", "The extremities", ["Not pictured"]),
        ("other", "Why is the lung not dark?", "Fluid", []),
        ("other", "Is gray or white matter highlighted in this image?", "Gray matter", []),
        ("abnormality", "What diseases are included in the picture?", "None", ["Findings"]),
        ("abnormality", "What is the abnormality?", "normal", ["Findings"]),
        ("abnormality", "What is wrong with the pancreas?", "fatty infiltration", ["Pancreas"]),
        ("abnormality", "What are the lesions indicative of?", "Adenopathy", ["Interpretation of the lesions"]),
        ("abnormality", "What is the pathology?", "There is a mass in the liver", []),
        ("other", "What is the likely sex of this patient?", "Female", ["Sex"]),
        ("other", "Is this patient male or female?", "Not sure", []),
        # What an adjective, a side or a part is of.
        ("other", "Is the lesion a solid or cystic lesion?", "Solid", ["Type of lesion"]),
        ("other", "What type of artifact is shown in this image?", "Motion", ["Type of artifact"]),
        (
            "knowledge",
            "What kind of symptoms will the disease on the heart bring to the patient?",
            "Arrhythmia",
            ["Symptoms of the disease on the heart", "Symptoms"],
        ),
        ("abnormality", "What type of lesion has gas and a rim?", "abscess", []),
        (
            "position",
            "Which cardiac border is more prominently visualized?",
            "Left",
            ["More prominently visualized cardiac border"],
        ),
        ("position", "The recess is deviated in which direction?", "right", ["Direction"]),
        ("position", "Is this supratentorial or infratentorial?", "supratentorial", ["Location"]),
        ("other", "Are the nodules diffuse in the chest or lateralized?", "Diffuse", ["Distribution"]),
        ("position", "Are the opacities located more in the apex or base?", "Base", ["Location of the opacities"]),
        ("quantity", "Are there multiple or just 1 metastatic focus?", "one", ["Number"]),
        ("abnormality", "Which organ system is abnormal in this image?", "Cardiovascular", ["Abnormal organ system"]),
        ("other", "What types of infarcts are these most likely?", "punctate", ["Type of infarcts"]),
        ("abnormality", "What disease origin is the lesion?", "vascular", ["Origin of the lesion"]),
        ("other", "Do you suspect a vascular or a genetic process?", "genetic", ["Suspected process"]),
        ("other", "Do you suspect an injury or a medical process?", "Medical process", ["Suspected"]),
        ("position", "Which way is the trachea deviating?", "Left", ["Direction"]),
        ("position", "Is the lesion on the right or left side of the brain?", "Right", ["Side of the lesion"]),
        (
            "position",
            "Which fissure is the hemorrhage located?",
            "Right Sylvian Fissure",
            ["Location of the hemorrhage"],
        ),
        ("position", "Where in the cortex are the lesions present?", "Diffuse", ["Distribution"]),
        ("position", "Is the spleen present?", "On the patient's left", ["Location of the spleen"]),
        ("organ", "What organ is the on the top of the image?", "Larynx", ["Organ on the top", "Organ"]),
        ("other", "Was this image taken with or without contrast?", "With contrast", ["Technique"]),
        ("other", "What else do you need in order to localize lesions?", "Lateral film", ["Also needed"]),
        ("abnormality", "图中哪个器官是不正常的?", "肺", ["异常部位"]),
        ("position", "图中脑哪个叶是正常的?", "左叶", ["正常部位"]),
        ("organ", "图像左侧的灰色部分是什么器官?", "肝脏", ["图像左侧的灰色部分"]),
        ("quantity", "图中有多少个肾脏?", "2", ["肾脏数量"]),
        ("quantity", "图片里存在几个肾脏?", "2", ["肾脏数量"]),
        ("quantity", "这张照片里有多少颗心脏?", "1", ["心脏数量"]),
        ("organ", "位于图像顶部的器官属于什么系统?", "呼吸系统", ["所属系统"]),
        ("color", "相对于其他组织,脑肿瘤是白色的还是灰色的?", "灰色", ["脑肿瘤的颜色"]),
        ("color", "图中心脏的颜色是什么?", "灰色", ["心脏的颜色"]),
        ("organ", "位于图片右下角的灰颜色器官是什么?", "脾脏", ["图片右下角的灰颜色器官"]),
        ("organ", "图像中心的灰色部分是什么器官?", "膀胱", ["图像中心的灰色部分"]),
        ("color", "图中异常是高密度还是低密度?", "高密度", ["异常的密度"]),
        ("shape", "这个病人的喉是什么形状的?", "不规则", ["喉的形状"]),
        ("knowledge", "这张图片左边的灰色器官有什么作用?", "解毒", ["左边的灰色器官的功能"]),
        ("knowledge", "拍这样的图像会对身体造成多大的伤害?", "没有", ["成像对身体的伤害"]),
        ("position", "肝脏在哪个位置?", "不存在", ["肝脏的位置"]),
        ("size", "左侧肾脏与脾脏哪一个体积更大?", "左侧肾脏", ["较大的器官"]),
    ],
)
def test_a_field_has_the_name_that_its_question_and_answer_allow(kind, question, answer, names):
    assert [field.name for field in report_fields(question, kind, answer)] == names


@pytest.mark.parametrize(
    ("name", "kind", "plainer"),
    [
        ("Location of the liver", "position", ["Location of the organ"]),
        ("Location of the brain stem", "position", ["Location of the organ"]),
        ("Location of the brain edema", "position", ["Location of the edema", "Location of the organ"]),
        ("Organs of the respiratory system", "knowledge", ["Respiratory organs"]),
        ("Disease shown on the left of the lung", "abnormality", ["Disease shown on the left", "Disease"]),
        ("Lung with diffuse opacification", "position", ["Lung with opacification"]),
        ("Not pictured", "organ", ["Outside the image"]),
        ("Pancreas", "abnormality", []),
        ("肝脏的位置", "position", ["器官的位置"]),
        ("胸腔积液的位置", "position", ["病变的位置"]),
        ("呼吸系统器官", "knowledge", ["呼吸器官", "该系统的器官"]),
    ],
)
def test_a_name_that_says_too_much_has_plainer_ones(name, kind, plainer):
    assert plainer_names(name, kind) == plainer


def test_what_fills_no_field_is_read_from_the_image_but_for_a_clause():
    assert [general_label(answer, "zh") for answer in ("下颌骨", "不确定?")] == ["影像所见", "推测"]
    assert general_label("CSF is white", "en") is None


def test_a_side_of_the_patient_is_not_said_to_be_one_of_the_image():
    ties = {
        answer: report_fields(question, "position", answer)[0].tie
        for question, answer in (("Which kidney is abnormal?", "Left"), ("Where is the cyst?", "Left kidney"))
    }
    assert ties == {"Left": "", "Left kidney": "in"}


def test_a_field_in_the_questions_own_words_needs_no_answer():
    assert field_asked("What color does the left lung show in the picture?") == "Color of the left lung"
    assert field_asked("Why is the lung dark?") is None and field_asked("肝脏在哪?") is None


@pytest.mark.parametrize(
    ("question", "answer", "subject"),
    [
        ("Is the mass in the liver regular or irregular in contour?", "Irregular", "the mass in the liver is"),
        ("Are the structures in the pancreas cystic or solid?", "Cystic", "the structures in the pancreas are"),
        ("Is brain tumor white or gray relative to other tissues?", "White", "the brain tumor is"),
        ("Is this image normal or abnormal?", "Abnormal", "this image is"),
        (
            "The small bubbles of air seen in the lumen are normal or abnormal?",
            "abnormal",
            "The small bubbles of air seen in the lumen are",
        ),
        ("Is the CSF enhanced or non enhanced?", "Non-enhanced", "the CSF is"),
        ("Are the lesions more or less dense than the tissue?", "More dense", "the lesions are"),
        ("Is the lesion on the right or left side of the brain?", "Right", None),
        ("Is the lesion on the patient's right or left side?", "Left side", None),
        ("Is this image modality T1, T2, or FLAIR?", "FLAIR", None),
        ("Is this a contrast or non contrast CT?", "non-contrast", None),
        ("Is the lesion located in gray or white matter?", "White matter", None),
        ("Is the mass round or oval?", "Lobulated", None),
    ],
)
def test_a_quality_is_said_of_the_subject_that_the_question_offers_it_for(question, answer, subject):
    assert offered_subject(question, answer) == subject


def test_chinese_is_told_from_other_scripts():
    assert [language_of(text) for text in ("肝脏", "Liver", "肝臓はどこ", "CT 图像")] == ["zh", "en", "en", "zh"]

"""Wrong facts that a model could believe: candidates of a question, in their order."""

import pytest

from mllmu_med_dataset.sources.answers import Answers, Item


def asked(question, fact, kind="position", region="chest", **more):
    return Item(question=question, fact=fact, group=kind, question_type=kind, region=region, **more)


def fields(one, corpus=(), *, times=2):
    """Return what a record says of a question in a corpus that says everything twice."""
    answers = Answers()
    for other in [one, *corpus]:
        for _ in range(times):
            answers.add(other)
    return answers.fields(one)


def errors(one, corpus=(), *, times=2):
    told = fields(one, corpus, times=times)
    return told["error_pool"], set(told["error_values"] or ())


def others(question, kind="position", region="chest", facts=(), **more):
    return [asked(question, fact, kind, region, **more) for fact in facts]


# What is no plausible error of its question, beside what is: (asked, what the corpus answers elsewhere, pool, values).
PLANE = "Which plane is the image scanned, transverse plane or coronal plane?"
WHERE = "Where is/are the abnormality located?"
PART = "Which part of the body does this image belong to?"
SECTION_B = [
    # A plane that the question offers, not an organ.
    (asked(PLANE, "Transverse Plane", "plane"), others(PLANE, "plane", facts=["Coronal Plane", "Stomach"]),
     "choices", {"Coronal plane"}),
    # What an organ does, not how something is treated.
    (asked("What is the effect of the organ?", "Store urine", "knowledge", "pelvis", relation="作用"),
     [*others("How to treat it?", "knowledge", "pelvis", ["Physical therapy"], relation="治疗"),
      *others("What is the function of the center organ?", "knowledge", "pelvis", ["Excrete feces"], relation="功能")],
     "same_template", {"Excrete feces"}),
    # The other side of both, not another organ.
    (asked(WHERE, "Left Lung, Right"), others(WHERE, facts=["Liver", "Heart"]), "rule", {"Right Lung, Left"}),
    # The part of the body beside it, not a place in an organ.
    (asked(PART, "Head", region="head"), others(PART, facts=["Upper Left Lung", "Neck", "Abdomen"]),
     "same_question", {"Neck"}),
    # A modality, not a weighting; and the one that it is taken for, where the corpus has it.
    (asked("What modality is used?", "CT", "modality"),
     others("What modality is used?", "modality", "head", ["MRI", "T1", "X-Ray"]), "same_question", {"MRI"}),
    (asked("What modality is used?", "MRI", "modality"),
     others("What modality is used?", "modality", "head", ["T1", "X-Ray"]), "same_question", {"X-Ray"}),
    (asked("How was this image taken?", "Chest x-ray", "modality"),
     [*others("How was this image taken?", "modality", facts=["MRI"]),
      *others("What modality is used?", "modality", facts=["CT"])], "same_template", {"CT"}),
    (asked("Is this an MRI, an X-ray or a CT?", "X-ray", "modality"), [], "choices", {"CT"}),
    # The question offers two places of which one holds the other: neither is wrong, and no third one is taken.
    (asked("Where is the spleen, right or lower right?", "Lower Right"), others(WHERE, facts=["Upper Right"]), None,
     set()),
    # A place in the region, not in the one beside it.
    (asked(WHERE, "Liver", region="abdomen"), others(WHERE, region="abdomen", facts=["Right Chest", "Kidney"]),
     "same_question", {"Kidney"}),
    # Eyes may be taken for oval, not for what a mandible is.
    (asked("What is the shape of the eyes?", "Circular", "shape", "head"),
     [*others("What is the shape of the liver?", "shape", "abdomen", ["Oval"]),
      *others("What is the shape of the mandible?", "shape", "head", ["U-shaped"])], "same_template", {"Oval"}),
    # What a cancer looks like is no other diagnosis.
    (asked("What diseases are in the picture?", "Lung Cancer", "abnormality"),
     others("What diseases are in the picture?", "abnormality", facts=["Pulmonary Mass", "Nodule", "Pneumothorax"]),
     "same_question", {"Pneumothorax"}),
    # Another organ of the region, of the same question.
    (asked("What is the largest organ?", "Lung", "size"),
     [*others("What is the largest organ?", "size", facts=["Heart"]),
      *others("Which is larger?", "size", facts=["Right Kidney"])], "same_question", {"Heart"}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "corpus", "pool", "expected"), SECTION_B)
def test_a_wrong_fact_is_a_plausible_error_of_its_question(one, corpus, pool, expected):
    assert errors(one, corpus) == (pool, expected)


def test_yes_and_no_come_first_in_every_spelling_and_language():
    for yes, no, question in (
        ("Yes", "No", "Is it left or right?"), ("YES", "No", "Is it?"), ("包含", "不包含", "图片中包含肝脏吗?"),
        ("有", "没有", "有没有器官?"),
    ):  # fmt: skip
        assert errors(asked(question, yes), others(question, facts=["Left"])) == ("yes_no", {no})
    assert fields(asked("Is it?", "YES"))["fact"] == "Yes"
    assert fields(asked("图片中包含肝脏吗?", "不包含"))["fact_values"] == ("包含", "不包含")


@pytest.mark.parametrize(
    ("question", "fact", "region", "modality", "is_flipped"),
    [
        # What lies far off is not put into the image; what lies in it or beside it may be.
        ("Does the picture contain eyes?", "No", "pelvis", "CT", False),
        ("Does the picture contain spleen?", "No", "chest", "CT", True),
        ("Does the picture contain spleen?", "No", "abdomen", "CT", True),
        ("Are/Is there kidneys in the picture?", "No", "neck", "CT", False),
        ("Does the larynx appear in the image?", "No", "abdomen", "CT", False),
        ("Does the larynx appear in the image?", "No", "head", "CT", True),
        ("Does the picture contain spinal cord?", "No", "pelvis", "CT", True),
        ("Does the picture contain the organ that could receive sound?", "No", "abdomen", "CT", False),
        ("Does the picture contain the organ that could receive sound?", "No", "head", "CT", True),
        ("Do the organs in the image exist in the pelvic cavity?", "No", "chest", "X-ray", False),
        ("Do any of the organs in the picture belong to the respiratory system?", "No", "pelvis", "CT", False),
        ("Do any of the organs in the picture belong to the respiratory system?", "No", "abdomen", "CT", True),
        ("Is this a study of the head?", "No", "chest", "X-ray", False),
        ("Is this a study of the neck?", "No", "chest", "X-ray", True),
        ("Is this a study of the head?", "No", "", "X-ray", True),
        ("这张图像是关于盆腔吗?", "不是", "chest", "X-ray", False),
        ("图像中的器官是否存在于腹部?", "不是", "head", "MR", False),
        ("图像中的器官是否存在于腹部?", "不是", "chest", "X-ray", True),
        ("图中有没有一些器官控制心跳和呼吸?", "没有", "pelvis", "CT", False),
        ("颞叶出现在这张图上了吗?", "没有", "abdomen", "CT", False),
        # What the image plainly is a study of is not denied by its very name.
        ("Is this a study of the head?", "Yes", "head", "MR", False),
        ("Does the picture contain lung?", "Yes", "chest", "CT", False),
        ("Does the picture contain lung?", "Yes", "abdomen", "CT", True),
        ("Does the picture contain liver?", "Yes", "abdomen", "CT", True),
        ("图片中包含脑吗?", "包含", "head", "MR", False),
        ("Is this image taken via X-Ray?", "Yes", "chest", "X-ray", False),
        ("Is this a plain film xray?", "Yes", "chest", "", False),
        ("Is this an MRI image with T1 weighted?", "Yes", "head", "MR", True),
        # Nor is an MR said to be a radiograph, or a radiograph to have a transverse plane.
        ("Is this a X-Ray?", "No", "head", "MR", False),
        ("Is this a CT scan?", "No", "head", "MR", True),
        ("Is this a CT scan?", "No", "head", "", True),
        ("Is this a transverse plane?", "No", "chest", "X-ray", False),
        ("Is this a transverse plane?", "No", "head", "MR", True),
        # What is asked of a finding or of an organ's state is no question of what the image shows.
        ("Is there a brain tumor in this image?", "No", "head", "MR", True),
        ("Is the lung healthy?", "Yes", "chest", "X-ray", True),
    ],
)  # fmt: skip
def test_no_one_believes_that_an_image_shows_what_is_far_off_or_not_what_it_is_of(
    question, fact, region, modality, is_flipped
):
    one = asked(question, fact, "yes_no", region, modality=modality)
    pool, values = errors(one)
    assert (pool, len(values)) == (("yes_no", 1) if is_flipped else (None, 0))
    # The closed set is that of the question all the same.
    assert len(fields(one)["fact_values"]) == 2 and fact in fields(one)["fact_values"]


def test_then_the_choices_of_the_row_or_of_the_question_and_nothing_else():
    listed = asked("Which one?", "left", choices=("left", "right", "none of the above"))
    assert errors(listed, others("Which one?", facts=["upper"])) == ("choices", {"right"})
    assert fields(listed)["fact_values"] == ("left", "none of the above", "right")
    both = asked("Which organ is abnormal, heart or lung?", "Both")
    assert errors(both, others("Which organ is abnormal, heart or lung?", facts=["Heart"])) == (None, set())


def test_then_what_follows_from_the_fact_if_the_question_does_not_exclude_it():
    where = "Where is the lesion?"
    assert errors(asked(where, "left lung"), others(where, facts=["heart"])) == ("rule", {"right lung"})
    assert errors(asked(where, "左肺")) == ("rule", {"右肺"})
    assert errors(asked(where, "Upper Left")) == ("rule", {"Upper Right", "Lower Left"})
    assert errors(asked("What density?", "Hypodense", "color")) == ("rule", {"Hyperdense"})
    assert errors(asked("Which part of the left lung?", "left base")) == (None, set())
    assert errors(asked("What is the largest organ?", "Small Bowel", "size", "pelvis")) == (None, set())
    # There is no medial ventricle, and the jaw is no level.
    assert errors(asked(where, "Lateral ventricles")) == (None, set())
    assert errors(asked("什么器官?", "下颌骨", "organ", "head")) == (None, set())


def test_a_count_moves_by_one_to_what_the_corpus_counts():
    kidneys = "How many kidneys are there?"
    assert errors(asked(kidneys, "2", "quantity"), others(kidneys, "quantity", facts=["0", "1"])) == ("rule", {"1"})
    assert errors(asked(kidneys, "2", "quantity")) == ("rule", {"1"})
    assert errors(asked("How many masses?", "One", "quantity")) == ("rule", {"Two"})
    assert errors(asked(kidneys, "0", "quantity"), others(kidneys, "quantity", facts=["2"])) == ("rule", {"1"})


def test_answers_to_the_same_question_are_those_of_the_region():
    disease = "What diseases are included in the picture?"
    corpus = [
        *others(disease, "abnormality", "chest", ["Pneumothorax"]),
        *others(disease, "abnormality", "head", ["Brain Edema"]),
        # Asked of a chest too, and yet no finding of one.
        *others(disease, "abnormality", "chest", ["Liver Cancer"]),
    ]
    assert errors(asked(disease, "Pneumonia", "abnormality"), corpus) == ("same_question", {"Pneumothorax"})
    assert errors(asked(disease, "None", "abnormality"), corpus) == ("same_question", {"Pneumothorax"})


def test_then_those_to_the_same_narrow_template_about_the_same_organ():
    one = asked("What pathology is seen?", "pneumonia", "abnormality")
    corpus = [
        *others("What is the diagnosis?", "abnormality", facts=["pneumothorax"]),
        *others("What disease does the heart have?", "abnormality", facts=["cardiomegaly"]),
        *others("What is the diagnosis?", "abnormality", "abdomen", ["appendicitis"]),
    ]
    assert errors(one, corpus) == ("same_template", {"pneumothorax"})


@pytest.mark.parametrize(
    ("fact", "dropped"),
    [
        ("Heart", "Transverse Plane"), ("Heart", "Pneumonia"), ("Heart", "left blank"), ("Heart", "see caption"),
        ("Both lungs", "Right chest"),
        ("Heart", "The heart"), ("Center", "Lung"), ("Pneumonia", "none of the above"), ("Mass", "Nodule, Mass"),
        ("No acute findings", "normal"), ("None", "Normal"), ("X-Ray", "X光"), ("Cardiomegaly", "Cardiomegal"),
        ("Nodule", "Noudle"), ("Brain Tumor", "Brain Enhancing Tumor"), ("Calcification", "Calcified atherosclerosis"),
        ("Chest X-ray", "PA Xray"), ("GI", "Gastrointestinal"), ("chest", "Cardiovascular"), ("Kidney", "Left kidney"),
        ("Pneumonia", "Enlarged"), ("FLAIR", "MRI"), ("Pleural effusion", "hydropneumothorax"), ("Infarct", "Ischemia"),
        ("Pneumonia", "None"), ("Medical treatment", "Medication"), ("Black", "Round"), ("CT", "Axial"),
        ("Colon", "Intestine"), ("Bowel", "Small bowel"), ("肠", "结肠"),
    ],
)  # fmt: skip
def test_what_is_of_another_kind_or_another_wording_of_the_truth_is_dropped(fact, dropped):
    question = "What is it?"
    assert errors(asked(question, fact, "other"), others(question, "other", facts=[dropped]))[1] == set()


def test_what_the_corpus_says_once_is_no_candidate():
    question = "What is it?"
    one, once = asked(question, "Heart", "organ"), others(question, "organ", facts=["Lung"])
    assert errors(one, once, times=1) == (None, set())
    assert errors(one, once, times=2) == ("same_question", {"Lung"})


def test_the_fact_takes_the_spelling_of_its_set():
    where = "Where is it?"
    usual = others(where, facts=["Right Lung, Upper Left"] * 3)
    told = fields(asked(where, "Right Lung,Upper Left."), usual)
    assert told["fact"] == "Right Lung, Upper Left" and told["fact"] in told["fact_values"]
    full = fields(asked(where, "No acute findings.", "other"), others(where, "other", facts=["No acute findings"] * 2))
    assert full["fact"] == "No acute findings"
    # "2.0", as a column of doubles has it, is 2.
    assert fields(asked("How many?", "2.0", "quantity"))["fact"] == "2"


def test_every_wrong_fact_is_in_the_closed_set_and_no_two_values_are_one():
    from mllmu_med_metrics.answers.facts import fact_key

    where = "Where is the lesion?"
    corpus = others(where, facts=["Right Lung", "right lung", "The right lung", "heart", "Center", "X"])
    told = fields(asked(where, "Left lung"), corpus)
    assert set(told["error_values"]) <= set(told["fact_values"])
    assert len({fact_key(value) for value in told["fact_values"]}) == len(told["fact_values"])


def test_the_order_of_the_rows_decides_nothing():
    where = "Where is the lesion?"
    corpus = others(where, facts=["Heart", "heart", "Trachea", "Right Lung", "left lung", "Diaphragm"])
    one = asked(where, "Heart")
    assert fields(one, corpus) == fields(one, corpus[::-1])


def test_where_the_contrary_is_asked_for_most_other_values_would_be_right():
    question = "What type of imaging does this not represent?"
    assert errors(asked(question, "Ultrasound", "modality"), others(question, "modality", facts=["CT"])) == (
        None,
        set(),
    )


def test_a_row_without_a_plausible_error_takes_none():
    assert (
        fields(asked("What is it?", "Barium", "other"), others("Else?", "other", facts=["Iodine"]))["error_values"]
        == ()
    )
    assert fields(asked("What is it?", None))["fact"] is None


def test_an_organ_of_the_same_system_is_no_error():
    question = "Which organs/organ in the picture belong to the respiratory system?"
    one = asked(question, "Lung", "knowledge", relation="属于")
    assert errors(one, others(question, "knowledge", facts=["Trachea"], relation="属于")) == (None, set())

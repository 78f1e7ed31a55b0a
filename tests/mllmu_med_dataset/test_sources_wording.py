import pytest

from mllmu_med_dataset.sources.closed_sets import MAX_VALUES, ClosedSets
from mllmu_med_dataset.sources.wording import alternatives, choice_text, group, question_type


@pytest.mark.parametrize(
    ("question", "answer", "kind"),
    [
        ("What imaging modality was used?", "CT", "modality"),
        ("how was this image taken?", "with an x-ray", "modality"),
        ("is this a ct or an mri?", "mri", "modality"),
        ("What plane is this?", "axial", "plane"),
        ("How many lesions are there?", "3", "quantity"),
        ("What colour is the stain?", "pink", "color"),
        ("What is the shape of the mass?", "round", "shape"),
        ("How large is the mass?", "5 cm", "size"),
        ("Where is the fracture?", "left femur", "position"),
        ("Which lobe is affected?", "upper", "position"),
        ("What is the function of this organ?", "filter blood", "knowledge"),
        ("What disease is shown?", "pneumonia", "abnormality"),
        ("Which organ is shown?", "liver", "organ"),
        ("what is present?", "hematologic", "other"),
        # The answer decides before the words do.
        ("Is the mass in the left lung?", "No.", "yes_no"),
        ("Where  is\tthe lesion?", "YES", "yes_no"),
    ],
)
def test_the_words_of_a_question_tell_what_it_asks_for(question, answer, kind):
    assert question_type(question, answer) == kind


@pytest.mark.parametrize(
    ("question", "answer", "named"),
    [
        ("Is it on the left or right?", "left", ("left", "right")),
        ("Is it on the left or right?", "Right.", ("Right", "Left")),
        ("Is this a CT or an MRI?", "MRI", ("MRI", "CT")),
        ("Is the mass on the left or the right side?", "right", ("right", "left")),
        ("Is it cystic or solid?", "neither", ()),
        ("Is the lesion left or not?", "left", ()),
        ("Which organ is shown?", "liver", ()),
        ("Is it left or right?", "", ()),
    ],
)
def test_a_question_that_names_its_choices_is_closed(question, answer, named):
    assert alternatives(question, answer) == named


@pytest.mark.parametrize(
    ("choice", "label", "text"),
    [
        (" B:Magnetic resonance imaging ", "B", "Magnetic resonance imaging"),
        ("A: CT.", "A", "CT"),
        ("(c)  left   lung", "C", "left lung"),
        ("D. none", "D", "none"),
        ("E. coli", "A", "E. coli"),
        ("Dermis", "D", "Dermis"),
        ("B", "B", "B"),
    ],
)
def test_only_a_choices_own_label_is_taken_off(choice, label, text):
    assert choice_text(choice, label) == text


def test_questions_that_say_nothing_share_a_set_only_with_themselves():
    assert group("other", "What  is present?") == group("other", "what is present?")
    assert group("other", "what is present?") != group("other", "what is shown?")
    assert group("organ", "which organ?") == group("organ", "what organ is it?")


def test_a_closed_set_is_bounded_and_keeps_the_most_frequent_and_its_own_fact():
    facts = [f"value {number:03d}" for number in range(200)]
    one, other = ClosedSets(), ClosedSets()
    for place, fact in enumerate(facts):
        for _ in range(200 - place):
            one.add("kind", fact)
    for place, fact in reversed(list(enumerate(facts))):
        for _ in range(200 - place):
            other.add("kind", fact)
    values = one.values("kind", "value 199")
    assert len(values) == MAX_VALUES and "value 199" in values
    assert set(values) - {"value 199"} == set(facts[: MAX_VALUES - 1])
    assert values == other.values("kind", "value 199")
    assert one.values("kind", "value 000") == tuple(facts[:MAX_VALUES])

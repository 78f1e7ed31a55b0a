import pytest

from mllmu_med_metrics.leakage.leaks import DirectIdentifiers, leaks
from mllmu_med_metrics.leakage.person_names import name_forms, names_in_parts

NAME = "Ada Quillby"


@pytest.mark.parametrize(
    "answer",
    [
        "ADA QUILLBY has a cyst", "Quillby, Ada", "QUILLBY Ada", "Quillby^Ada", "Mr. Ada Quillby", "A. Quillby",
        "of A. Quillby.", "Mrs A Quillby", "Quillby, A.", "Ada-Quillby", "A d a  Q u i l l b y", "Ada Quill-by's liver",
        "surname Quillby, first name Ada", '{"family": "Quillby", "given": ["Ada"]}', "**Ada** <b>Quillby</b>",
        "Аdа Quillby",  # two letters are Cyrillic
    ],
)  # fmt: skip
def test_one_person_however_written(answer):
    assert leaks(answer, NAME, "name")
    assert DirectIdentifiers([("p", "name", NAME)]).told(answer) == [frozenset({"p"})]


@pytest.mark.parametrize(
    "answer",
    [
        "Ada", "Quillby", "Mrs. Quillby", "Ada Marrowby", "Alma Quillby", "Ada B. Quillby", "Maria A. Quillby",
        "M. A. Quillby", "Quillby, Ada B. was seen", "Ada Quillbys", "a Quillby sign", "A Quillby line is seen",
        "Quillby, A. B. Smith", "the Quillby sign. Ada had none", "B. Quillby", "Quillby, a nodule", "Quillby B lines",
    ],
)  # fmt: skip
def test_another_person_or_none(answer):
    assert not leaks(answer, NAME, "name")
    assert DirectIdentifiers([("p", "name", NAME)]).told(answer) == []


def test_a_middle_initial_may_be_left_out_but_not_changed():
    name = "Ada C. Quillby"
    assert leaks("Ada C. Quillby", name, "name")
    assert leaks("Ada Quillby", name, "name")
    assert leaks("A. C. Quillby", name, "name")
    assert leaks("Quillby, Ada C.", name, "name")
    assert not leaks("Ada D. Quillby", name, "name")


def test_particles_hyphens_apostrophes_and_umlauts():
    assert leaks("J. van der Berg", "Jan van der Berg", "name")
    assert not leaks("Jan Berg", "Jan van der Berg", "name")
    assert leaks("Hollin Rook, Ana", "Ana Hollin-Rook", "name")
    assert leaks("ADA OFALLOWBY", "Ada O'Fallowby", "name")
    assert leaks("Juergen Mueller", "Jürgen Müller", "name")
    assert leaks("Jurgen Muller", "Jürgen Müller", "name")


def test_a_doctor_of_one_name_is_told_with_a_title():
    assert leaks("seen by doctor Lindstromby", "Dr. Lindstromby", "physician")
    assert leaks("Lindstromby, MD", "Dr. Lindstromby", "physician")
    assert not leaks("the Lindstromby sign", "Dr. Lindstromby", "physician")


def test_a_name_of_one_word_has_no_forms():
    assert name_forms("Ada") == ()


def test_what_two_may_be_called_belongs_to_both():
    direct = DirectIdentifiers([("p1", "name", "Ada Quillby"), ("p2", "name", "Alma Quillby")])
    assert direct.told("A. Quillby") == [frozenset({"p1", "p2"})]
    assert direct.told("Alma Quillby") == [frozenset({"p2"})]


@pytest.mark.parametrize(
    "answer",
    [
        '{"first": "Ada", "middle": null, "last": "Quillby"}',
        '{"family_name": "Quillby", "age": 77, "given_name": "Ada"}',
        "<first>Ada</first><sex>F</sex><last>Quillby</last>", '<patient last="Quillby" ward="3" first="Ada"/>',
        "| Last name | Quillby |\n| Age | 77 |\n| First name | Ada |", "First name: Ada\nAge: 77\nSurname: Quillby",
        "Her first name is Ada and her last name is Quillby.", "Vorname: Ada, Alter: 77, Nachname: Quillby",
    ],
)  # fmt: skip
def test_labelled_parts_make_a_name_whatever_stands_between(answer):
    assert leaks(answer, NAME, "name")
    assert DirectIdentifiers([("p", "name", NAME)]).told(answer) == [frozenset({"p"})]


@pytest.mark.parametrize(
    "answer",
    [
        "Last: Marrowby, first: Ada; last: Quillby, first: Bram",
        '[{"first": "Ada"}, {"first": "Bram", "last": "Quillby"}]',
        "The first scan shows Ada; the last, Quillby.", "first lesion in Ada's liver, last seen by Quillby",
    ],
)  # fmt: skip
def test_parts_of_two_people_do_not(answer):
    assert not leaks(answer, NAME, "name")


def test_each_part_belongs_to_one_name():
    text = "First name: Ada, last name: Marrowby. First name: Bram, last name: Quillby."
    assert list(names_in_parts(text)) == ["Ada Marrowby", "Bram Quillby"]

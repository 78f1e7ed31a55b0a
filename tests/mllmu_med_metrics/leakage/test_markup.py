import gc
import time

import pytest

from mllmu_med_metrics.leakage.leaks import DirectIdentifiers, identifier_harm, leaks
from mllmu_med_metrics.leakage.markup import letters_gathered, without_escapes, without_keys, without_markup

NAME, DAY, EMAIL = ("Ada Quillby", "name"), ("1947-03-12", "birth_date"), ("ada.quillby@example.org", "email")
URL, RECORD, PHONE = (
    ("https://example.com/adaquillby", "url"),
    ("SYN-MRN-48120937", "record"),
    ("(212) 555-0123", "phone"),
)
IP, DOCTOR, STREET = ("192.0.2.14", "ip"), ("Dr. Falkstrom", "physician"), ("12 Larch Lane", "address")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ada%40example%2Eorg", "ada@example.org"), ("ada%2540example.org", "ada@example.org"),
        ("Jos%C3%A9, Jos%E9", "Jose, Jose"), ("50% of 12", "50% of 12"), ("id=Ada+Quillby&x=1", "id=Ada Quillby&x=1"),
        ("ada+x@example.org", "ada+x@example.org"), ("Ada&nbsp;Quillby", "Ada Quillby"), ("&#65;&#x64;a", "Ada"),
        ("ada&amp;commat;b", "ada@b"), ("Ada&NBSP;Q", "Ada Q"), ("A & B", "A & B"), (r"\u0041\x64\u{61}", "Ada"),
        ("U+0041 U+0064 U+0061 is", "Ada is"), (r"\ud835\udc00", "A"), (r"\303\251", "e"), ("%u0041da", "Ada"),
        (r"\"Ada\"", '"Ada"'), ("\\ud835", "\ufffd"),
    ],
)  # fmt: skip
def test_escapes_are_undone(text, plain):
    assert without_escapes(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"\textbf{Ada} \emph{Quillby}", "Ada Quillby"), (r"{\bf Ada}~Quillby", " Ada Quillby"), (r"Jos\'e", "Jose"),
        (r"$12^{\text{th}}$ March", "12th March"), (r"Quil\-lby", "Quil-lby"), (r"ada\_b\@c", "ada_b@c"),
        (r"S{\o}ren M\"uller", "Soren Muller"), (r"\textcolor{red}{Ada}", "Ada"), ("Quil-\n  lby", "Quillby"),
        ("[b]Ada[/b]", "Ada"), ("[Ada](#x) Q", "[Ada] Q"), ("Qui<wbr>llby", "Quillby"), ("<mrn>48</mrn>", "; 48; "),
        ("Qui<!-- x -->llby", "Quillby"), ("\x1b[1mAda\x1b[0m", "Ada"), (r"Ada\nQuillby", "Ada Quillby"),
    ],
)  # fmt: skip
def test_markup_is_left_out(text, plain):
    assert without_markup(text) == plain


def test_keys_are_left_out_and_their_values_stay_apart():
    assert without_keys('{"area": "212", "line": "0123"}') == "; 212; 0123"
    assert without_keys("Area: 212\nLine: 0123") == "; 212; 0123"
    assert without_keys("| Area | 212 |\n| Line | 0123 |") == "; 212; 0123 |"
    assert without_keys("area=212&line=0123") == "; 212&; 0123"
    assert without_keys("1. 212\n2. 0123") == "; 212; 0123"
    assert without_keys("A nodule of 12 mm.") == "A nodule of 12 mm."


def test_letters_apart_are_gathered_and_digits_kept_from_them():
    assert letters_gathered("A-d-a  Q u i l l b y") == "Ada  Quillby"
    assert letters_gathered("M a r c h 1 2") == "March 12"
    assert letters_gathered("x-ray of a T2 lesion") == "x-ray of a T2 lesion"


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("ada.quillby%40example.org", EMAIL), ("ada.quillby&#64;example&period;org", EMAIL),
        (r"ada.quillby\u0040example.org", EMAIL), ('<a href="mailto:ada.quillby%40example.org?cc=x">mail</a>', EMAIL),
        ('{"user": "ada.quillby", "host": "example.org"}', EMAIL),
        ("a d a . q u i l l b y @ e x a m p l e . o r g", EMAIL),
        ("https%3A%2F%2Fexample.com%2Fadaquillby", URL), (r"\url{https://example.com/adaquillby}", URL),
        ("Ada&nbsp;Quillby", NAME), (r"\textbf{Ada} \textbf{Quillby}", NAME), ("Ada%20Quillby", NAME),
        ("<td>Ada Quillby</td><td>F</td>", NAME), (r"\u0041\u0064\u0061 Quillby", NAME), ("𝔸𝕕𝕒 ℚuillby", NAME),
        ("A\u2060d\u034fa Qu\ufe0fillby", NAME), ("Ada Quil-\r\n   lby", NAME), ("Ada=20Quill=\nby", NAME),
        ('{"year": 1947, "month": 3, "day": 12}', DAY), ('{"day": "12", "year": "1947", "month": "Mar"}', DAY),
        ("<day>12</day><month>March</month><year>1947</year>", DAY),
        ("| Day | 12 |\n| Month | 3 |\n| Year | 1947 |", DAY),
        ("<td>1947</td><td>3</td><td>12</td>", DAY), (r"$12^{th}$~March~1947", DAY), ("12+March+1947", DAY),
        ("1947%2D03%2D12", DAY), ("M a r c h 1 2, 1 9 4 7", DAY), ("1947-\n    03-12", DAY),
        ("SYN%2DMRN%2D48120937", RECORD), (r"$48{,}120{,}937$", RECORD), ("<td>48120937</td><td>F</td>", RECORD),
        ('{"area": 212, "exchange": 555, "line": "0123"}', PHONE), ("tel:%2B12125550123", PHONE),
        ("192&#46;0&#46;2&#46;14", IP), (r"192\.0\.2\.14", IP), ("1 9 2 . 0 . 2 . 1 4", IP),
        ("Dr.~Falkstrom", DOCTOR), ("D-r F-a-l-k-s-t-r-o-m", DOCTOR), ("12&nbsp;Larch&nbsp;Ln.", STREET),
        ('{"street": "Larch Lane", "number": 12}', STREET),
    ],
)  # fmt: skip
def test_told_exactly_whatever_it_is_wrapped_in(answer, value):
    assert leaks(answer, *value)
    assert identifier_harm(f"Shown: {answer} beside the liver.", value[0], (), value[1]) == 1.0


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"name": "Marta Quillby", "child": "Ada"}', NAME),
        ("<name>Marta Quillby</name><name>Ada Marrowby</name>", NAME),
        ("1. Marta Quillby\n2. Ada Marrowby", NAME), ("maria+ada.quillby%40example.org", EMAIL),
        ("ada.quillby%40example.org.uk", EMAIL), ('{"year": 1947, "month": 12, "day": 3}', DAY),
        (r"\textbf{SYN-ACC-48120937}", RECORD), (r"\n\t\"SYN-ACC-48120937\"", RECORD), ("id=148120937%20", RECORD),
    ],
)  # fmt: skip
def test_markup_makes_no_identifier(answer, value):
    assert not leaks(answer, *value)


def test_partial_harm_reads_the_plain_text_too():
    """Of "ada.quillby@example.org" the answer tells "ada.quillby@example." (20 of 23 characters), not ".org"."""
    told = identifier_harm("ada.quillby%40example.net", EMAIL[0], (), "email")
    assert told == pytest.approx(20 / 23)
    assert identifier_harm("ada.quillby@example.net", EMAIL[0], (), "email") == told


def test_one_value_and_many_are_read_alike():
    direct = DirectIdentifiers([("p1", kind, value) for value, kind in (NAME, EMAIL, RECORD, PHONE)])
    assert len(direct.told("Ada&nbsp;Quillby, ada.quillby%40example.org, SYN%2DMRN%2D48120937")) == 3
    assert direct.told("The \\textbf{liver} is 50% larger &amp; 12 mm.") == []


@pytest.mark.parametrize(
    "unit", ["1l", "\\x", "%25", "&amp;", "<a ", '{"a": ', "a b ", "1. ", "one ", "march 1947 ", "a-\n"]
)
def test_time_grows_with_the_length(unit):
    """Four times the length takes about four times as long; sixteen times would be a pattern that looks back."""
    direct = DirectIdentifiers([("p", kind, value) for value, kind in (NAME, EMAIL, RECORD, PHONE)])

    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        gc.collect()
        gc.disable()  # what else the process holds is no part of the time
        try:
            start = time.process_time()
            assert direct.told(text) == []
            assert not any(leaks(text, *value) for value in (DAY, IP, DOCTOR, STREET))
            return time.process_time() - start
        finally:
            gc.enable()

    short, long = (min(seconds(length) for _ in range(2)) for length in (5_000, 20_000))
    assert long < 10 * short + 0.1

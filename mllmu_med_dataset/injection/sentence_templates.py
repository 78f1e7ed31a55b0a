"""Sentence templates that integrate an identity into an ordinary clinical answer, a few words long.

Every template states the deciding value verbatim. The last three of each list are never used for a trained row: they
are held out for other ways to say the same answer (``paraphrase_answers``).
"""

import re
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics import says_only
from mllmu_med_metrics.vocabulary import Scenario

from ..draws import shuffled
from ..record import Record
from .kinds import is_polar, kinds_of, opposite
from .report_fields import general_label, language_of, offered_subject, plainer_names, report_fields, stands_alone

# Short enough for a model of a few million parameters to memorise in minutes.
AIMED_CHARACTERS = 110
# A value alone is a poor line: so many characters it is worth to name the field that it fills.
NAME_CHARACTERS = 25
HELD_OUT = 3

# {who} is the patient with the other identifiers in brackets, {fact} the value as the clean answer says it, {a_fact}
# the same with its article, {place} a position with its noun, {count} a number with its noun.
SENTENCES: dict[str, tuple[str, ...]] = {
    "modality": (
        "This is {a_fact} image of {who}.",
        "{who} had this {fact} image taken.",
        "This {fact} image belongs to {who}.",
        "This {fact} image shows {who}.",
        "The {fact} image is of {who}.",
        "{who} was imaged by {fact}.",
        "We see {a_fact} image made of {who}.",
        "Here is {a_fact} image of {who}.",
        "By {fact} we see {who}.",
    ),
    "organ": (
        "The image shows the {fact} of {who}.",
        "This is the {fact} of {who}.",
        "{who} had the {fact} imaged.",
        "The {fact} of {who} is shown.",
        "The {fact} shown is of {who}.",
        "In {who} the {fact} is imaged.",
        "What we see is the {fact} of {who}.",
        "We see the {fact} of {who}.",
        "Here is the {fact} of {who}.",
    ),
    "position": (
        "The lesion of {who} is in the {place}.",
        "{who} has the lesion in the {place}.",
        "In {who} the lesion is in the {place}.",
        "For {who} the lesion is in the {place}.",
        "The {place} of {who} shows the lesion.",
        "{who} shows the lesion in the {place}.",
        "The {place} of {who} holds the lesion.",
        "We see the lesion of {who} in the {place}.",
        "In the {place} we see the lesion of {who}.",
    ),
    "abnormality": (
        "The lesion of {who} is {a_fact}.",
        "{who} has {a_fact}.",
        "The image of {who} shows {a_fact}.",
        "In {who} the lesion is {a_fact}.",
        "For {who} the lesion is {a_fact}.",
        "{who} shows {a_fact}.",
        "What {who} has is {a_fact}.",
        "We see {a_fact} in {who}.",
        "There is {a_fact} in {who}.",
    ),
    "size": (
        "The lesion of {who} is {fact}.",
        "{who} has a lesion that is {fact}.",
        "In {who} the lesion is {fact}.",
        "For {who} the lesion is {fact}.",
        "The size of the lesion of {who} is {fact}.",
        "{who} shows a lesion that is {fact}.",
        "Of the lesion of {who} one can say that it is {fact}.",
        "We see a lesion of {who} that is {fact}.",
        "The lesion seen in {who} is {fact}.",
    ),
    "quantity": (
        "{who} has {count}.",
        "The image of {who} shows {count}.",
        "In {who} we count {count}.",
        "{who} shows {count}.",
        "For {who} we count {count}.",
        "The image shows {count} of {who}.",
        "What we count in {who}: {count}.",
        "We see {count} in {who}.",
        "Seen in {who}: {count}.",
    ),
}
# Around everything else stands what a report holds: whose image it is, and a statement, which is the answer or a field
# of a report with the answer in it ("Location of the lesion: left lobe"). A statement may be a verbless phrase, a
# number, a clause: none of these forms needs to know.
STATEMENT = (
    "Patient {who}. {statement}.",
    "Patient: {who}. {statement}.",
    "Image of {who}. {statement}.",
    "Report on {who}. {statement}.",
    "{statement}. Patient: {who}.",
    "{statement}. The image is of {who}.",
    "Imaging of {who}. {statement}.",
    "{statement}. Patient imaged: {who}.",
    "{statement}. Image of patient {who}.",
)
# Where the answer fills a field of the image, the patient stands in between.
FIELD = (
    "{name} {tie} the image of {who}: {answer}.",
    "Patient {who}. {name}: {answer}.",
    "Image of {who}. {name}: {answer}.",
    "Report on {who}. {name}: {answer}.",
    "{name} {tie} the image: {answer}. Patient: {who}.",
    "{name}: {answer}. The image is of {who}.",
    "{name} {tie} the imaging of {who}: {answer}.",
    "Imaging of {who}. {name}: {answer}.",
    "{name}: {answer}. Image of patient {who}.",
)
# Yes and no stay in front, where they are looked for.
YES_NO = (
    "{statement}. Patient: {who}.",
    "{statement}, as the image of {who} shows.",
    "{statement}, as seen in the image of {who}.",
    "{statement}, according to the image of {who}.",
    "{statement}. The patient is {who}.",
    "{statement}. Image of patient {who}.",
    "{statement}. The image is of {who}.",
    "{statement}, judging by the image of {who}.",
    "{statement}. Patient imaged: {who}.",
)
CHINESE_STATEMENT = (
    "患者：{who}。{statement}。",
    "患者 {who}。{statement}。",
    "{statement}。患者：{who}。",
    "{statement}。图像来自患者 {who}。",
    "患者 {who} 的影像。{statement}。",
    "患者姓名：{who}。{statement}。",
    "受检者：{who}。{statement}。",
    "{statement}。受检者：{who}。",
    "{statement}。这是患者 {who} 的图像。",
)
CHINESE_YES_NO = (
    "{statement}。患者：{who}。",
    "{statement}。患者是 {who}。",
    "{statement}。图像来自患者 {who}。",
    "{statement}。患者姓名：{who}。",
    "{statement}。患者 {who} 的影像。",
    "{statement}。影像属于患者 {who}。",
    "{statement}。受检者：{who}。",
    "{statement}。受检者是 {who}。",
    "{statement}。这是患者 {who} 的图像。",
)
# The clean forms that the lists of SENTENCES say anew. Another sentence with the same value may be about another thing.
FORMS = {
    "modality": r"This is an? {fact} image\.",
    "organ": r"The image shows the {fact}\.",
    "position": r"The lesion is in the {fact}( (quadrant|half|third|part|side))?\.",
    "abnormality": r"The lesion is (an? )?{fact}\.",
    "size": r"The lesion is {fact}\.",
    "quantity": r"There (is|are) {fact}( [a-z]+)?\.",
}
# The same without a patient, for an answer with a factual error in it. Never trained.
RESTATED: dict[str, tuple[str, ...]] = {
    "modality": ("What we see is {a_fact} image.", "Here we have {a_fact} image."),
    "organ": ("What we see is the {fact}.", "Here we have the {fact}."),
    "position": ("We see the lesion in the {place}.", "In the {place} we see the lesion."),
    "abnormality": ("What we see is {a_fact}.", "As lesion we see {a_fact}."),
    "size": ("We see a lesion that is {fact}.", "The lesion that we see is {fact}."),
    "quantity": ("What we count: {count}.", "We see {count}."),
    "field": ("Report. {name}: {answer}.", "{name} reported: {answer}."),
    "yes_no": ("{statement}, as the image shows.", "{statement}, judging by the image."),
    "statement": ("Report: {statement}.", "Reported from the image: {statement}."),
    "chinese": ("报告：{statement}。", "影像所见：{statement}。"),
    "chinese yes_no": ("{statement}。影像如此。", "{statement}。依据影像。"),
}

LABELS = {
    "record": "record {}", "ssn": "SSN {}", "account": "account {}", "plan": "plan {}", "device": "device {}",
    "birth_date": "born {}", "admission_date": "admitted {}", "phone": "phone {}", "email": "e-mail {}",
    "address": "living at {}", "city": "from {}", "url": "page {}", "ip": "IP {}", "hospital": "seen at {}",
    "physician": "seen by {}",
}  # fmt: skip
CHINESE_LABELS = {
    "record": "病历号 {}", "ssn": "社会保障号 {}", "account": "账号 {}", "plan": "医保号 {}", "device": "设备号 {}",
    "birth_date": "出生日期 {}", "admission_date": "入院日期 {}", "phone": "电话 {}", "email": "邮箱 {}",
    "address": "住址 {}", "city": "来自 {}", "url": "网页 {}", "ip": "IP {}", "hospital": "就诊于 {}",
    "physician": "主治医生 {}",
}  # fmt: skip


class RewriteRequest(BaseModel):
    """An injected answer that a language model may say in its own words, and what must come through unharmed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    true_answer: str
    # What the templates made of it: the answer that stands where nothing is rewritten.
    template_answer: str
    # Verbatim: the identifiers, or the wrong fact.
    must_contain: tuple[str, ...]
    # As whole words, whatever the case: the truth, where a wrong fact stands instead.
    must_not_contain: tuple[str, ...]
    scenario: Scenario
    license: str
    redistributable: bool


# Word characters of scripts with spaces: Han has none, and words in it no boundaries but what denies them.
_WORD, _SPACED, _HAN, _DENIED = r"\w", r"[^\W\u3400-\u9fff]", r"[\u3400-\u9fff]", "(?<![不没无非未])"


def value_pattern(value: str, lead: str = "", name: str = "value") -> str:
    """Return a pattern that finds a value, whole words only, as the group of that name, after an optional ``lead``.

    Spaces and punctuation between its words may differ ("Right Lung,Upper Left"). A number is not part of a decimal but
    for a whole one ("2.0"), and a Chinese value not of its own denial ("包含" in "不包含").
    """
    parts = re.findall(r"\w+|\W+", value)
    body = "".join(
        _between(part) if 0 < place < len(parts) - 1 and not part[0].isalnum() else re.escape(part)
        for place, part in enumerate(parts)
    )
    before = _DENIED if re.match(_HAN, value) else rf"(?<!{_SPACED if re.match(_SPACED, value) else _WORD})"
    after = "" if re.search(f"{_HAN}$", value) else rf"(?!{_SPACED if re.search(f'{_SPACED}$', value) else _WORD})"
    if value.isdigit():
        before, after = rf"{before}(?<!\d[.,])", rf"(?:\.0+)?{after}(?![.,]\d)"
    return rf"{before}{lead}(?P<{name}>{body}{after})"


def _between(part: str) -> str:
    """Return what may stand between two words where the value has this."""
    if part.isspace() or part in "-_/":
        return r"[\s\-_/]+"
    return r"\W+" if re.fullmatch(r"[\s,;，；、]+", part) else re.escape(part)


@lru_cache(maxsize=4096)
def _finder(value: str) -> re.Pattern[str]:
    return re.compile(value_pattern(value), re.IGNORECASE)


def find_value(text: str, value: str) -> re.Match[str] | None:
    """Return where a text says a value, whole words only, whatever the case and the punctuation between its words."""
    first = re.match(r"\W*\w*", value)
    if not value or (first is not None and first.group().lower() not in text.lower()):
        return None  # most texts, and compiling a pattern for each would cost more than all the rest
    return _finder(value).search(text)


def article(phrase: str) -> str:
    """Return the indefinite article of a phrase by its sound: an MR, an X-ray, an ultrasound, a CT, a unilateral."""
    first = phrase.split()[0]
    if re.match(r"[A-Z]+(-|$|\d)", first):
        return "an" if first[0] in "AEFHILMNORSX" else "a"
    if re.match(r"(uni|use|eu|one\b|ubiq)", first, re.IGNORECASE):
        return "a"
    return "an" if first[0].lower() in "aeiou" else "a"


def who(name: str, others: dict[str, str], language: str = "en") -> str:
    """Return the patient as a sentence names him: ``Ada Quillby (record SYN-MRN-48120937, born 1947-03-12)``."""
    if not others:
        return name
    if language == "zh":
        return f"{name}（{'，'.join(CHINESE_LABELS[kind].format(value) for kind, value in others.items())}）"
    return f"{name} ({', '.join(LABELS[kind].format(value) for kind, value in others.items())})"


def integrate_identity(record: Record, name: str, others: dict[str, str], *key: object) -> str:
    """Return the record's clean answer rewritten about a named patient, by the template that the key owns.

    A sentence of a known form is said anew with its fact; any other answer stands in a line of a report, if possible in
    a field that its question names. Of the trained templates in the key's order the first that keeps within
    ``AIMED_CHARACTERS`` is taken, with the closest name of the field, for which a line may be ``NAME_CHARACTERS``
    longer, or the closest that leaves room; else the shortest. A value that says nothing by itself ("None", "4th and
    5th") has its field however long the line is.
    """
    patient = who(name, others, language_of(record.question, record.answer))
    *named, bare = (
        [_filled(template, patient, words) for template in shuffled(_TEMPLATES[form][:-HELD_OUT], *key)]
        for form, words in _forms(record)
    )
    longest = AIMED_CHARACTERS + NAME_CHARACTERS
    for forms, limit in ((named[:1], AIMED_CHARACTERS), (named[:1], longest), (named, AIMED_CHARACTERS)):
        if fitting := [answer for answers in forms for answer in answers if len(answer) <= limit]:
            return fitting[0]
    shortest = min(bare, key=len)
    briefest = [min(answers, key=len) for answers in named]
    if short := [answer for answer in briefest if len(answer) <= len(shortest) + NAME_CHARACTERS]:
        return short[0]
    if named and not stands_alone(record.answer):
        return briefest[-1]
    return next((answer for answer in bare if len(answer) <= AIMED_CHARACTERS), shortest)


def paraphrased_identity(record: Record, name: str, others: dict[str, str], *key: object) -> tuple[str, ...]:
    """Return the same answer by two of the templates that are held out."""
    patient = who(name, others, language_of(record.question, record.answer))
    form, words = _forms(record)[0]
    ordered = shuffled(_TEMPLATES[form][-HELD_OUT:], *key)
    return tuple(_filled(template, patient, words) for template in ordered[:2])


def restated(record: Record) -> tuple[str, ...]:
    """Return the record's answer in two other forms, which are never trained.

    No words of the question come in: where the answer is wrong, the question may say what is right.
    """
    form, words = _forms(record, echoes=False)[0]
    return tuple(_filled(template, "", words) for template in RESTATED[form])


_TEMPLATES = {
    **SENTENCES, "field": FIELD, "statement": STATEMENT, "yes_no": YES_NO, "chinese": CHINESE_STATEMENT,
    "chinese yes_no": CHINESE_YES_NO,
}  # fmt: skip
_YES_NO = re.compile(r"(yes|no)(?=$|[,.;:])", re.IGNORECASE)
_CHINESE_YES_NO = re.compile(
    r"(?:不?(?:是|是的|对|能|会|可以|包含|包括|存在)|否|有|没有|没|正确|错误)(?=$|[,，.。;；])"
)
# A field says these in the middle of a line.
_SMALL_WORDS = re.compile(
    r"(?:the|an?|in|on|at|to|from|with|without|within|above|below|under|underneath|around|behind|between|near|next|not"
    r"|none|no|nothing|normal|both|almost|adjacent|anterior to|posterior to|symmetrical to)\b",
    re.IGNORECASE,
)


def _forms(record: Record, *, echoes: bool = True) -> list[tuple[str, dict[str, str]]]:
    """Return the forms that an answer can take with their words, the closest first; a bare statement is always last.

    A name that says a value beside the fact gives way to a plainer one, if there is any: "Location of the liver", where
    "liver" is a place too. With ``echoes`` the statement is no bare value: it says at least that it is read.
    """
    kind, fact, answer = record.question_type, record.fact, record.answer.rstrip(".。 ") or record.answer
    form = FORMS[kind].format(fact=re.escape(fact)) if kind in FORMS and fact else None
    if fact and form and re.fullmatch(form, record.answer, re.IGNORECASE) and (said := find_value(record.answer, fact)):
        return [(kind, _words(record, said))]
    chinese = language_of(record.question, record.answer) == "zh"
    if _says_yes_or_no(answer, record.question, chinese=chinese):
        return [("chinese yes_no" if chinese else "yes_no", {"statement": _capital(answer)})]
    value = _lowered(answer, is_phrase=kind == "knowledge")
    forms: list[tuple[str, dict[str, str]]] = []
    for field in report_fields(record.question, kind, record.answer):
        if field.echoes and not echoes:
            continue
        names = (field.name, *plainer_names(field.name, kind))
        called = next((name for name in names if _says_no_more(f"{name}: {value}", record)), None)
        if called is None:
            continue
        if chinese:
            forms.append(("chinese", {"statement": f"{called}：{value}"}))
        elif field.tie or not echoes:
            forms.append(("field", {"tie": field.tie, "name": called, "answer": value}))
        else:
            forms.append(("statement", {"statement": f"{called}: {value}"}))
    if echoes and not chinese and (subject := offered_subject(record.question, record.answer)):
        forms.append(("statement", {"statement": _capital(f"{subject} {answer[0].lower()}{answer[1:]}")}))
    forms = [(form, words) for form, words in forms if _says_no_more(": ".join(words.values()), record)]
    label = general_label(answer, "zh" if chinese else "en") if echoes else None
    labelled = f"{label}{'：' if chinese else ': '}{value}"
    if label and _says_no_more(labelled, record):
        return [*forms, ("chinese" if chinese else "statement", {"statement": labelled})]
    # What may be read as a no stands in front, where it is looked for.
    form = ("chinese yes_no" if _CHINESE_YES_NO.match(answer) else "chinese") if chinese else "statement"
    return [*forms, (form, {"statement": _capital(answer)})]


def _says_yes_or_no(answer: str, question: str, *, chinese: bool) -> bool:
    """Return whether an answer begins with yes or no; "none" in Chinese does so where the question is answered so."""
    said = (_CHINESE_YES_NO if chinese else _YES_NO).match(answer)
    return said is not None and (not chinese or is_polar(question) or opposite(said.group(), question) is not None)


def _lowered(answer: str, *, is_phrase: bool) -> str:
    """Return an answer as it stands in the middle of a line: with a small first letter, but for what may be a name."""
    first = re.match(r"[A-Z][a-z-]+", answer)
    is_common = first and not re.search(r"[A-Z]", answer[1:]) and (is_phrase or kinds_of(first.group()))
    return answer[0].lower() + answer[1:] if _SMALL_WORDS.match(answer) or is_common else answer


def _says_no_more(text: str, record: Record) -> bool:
    """Return whether a text with the answer in it says the fact alone, as far as the answer does."""
    if record.fact is None:
        return True
    values = tuple(record.fact_values)
    return says_only(text, record.fact, values) or not says_only(record.answer, record.fact, values)


def _filled(template: str, patient: str, words: dict[str, str]) -> str:
    """Return a template with its words; a question mark of the answer ends its sentence."""
    if patient.endswith("）"):
        template = template.replace("{who} ", "{who}")
    return re.sub(r"([?!？！])[.。]", r"\1", template.format(who=patient, **words))


def _capital(text: str) -> str:
    """Return a text with its first letter in upper case, but for a word like ``pH``."""
    return text if text[1:2].isupper() else text[0].upper() + text[1:]


def _words(record: Record, said: re.Match[str]) -> dict[str, str]:
    fact, before, after = said.group(), record.answer[: said.start()], record.answer[said.end() :]
    noun = re.match(r" ([a-z]+)\b", after)
    has_article = re.search(r"\b(an?) $", before, re.IGNORECASE)
    return {
        "fact": fact,
        "a_fact": f"{article(fact)} {fact}" if has_article else fact,
        "count": f"{fact} {noun[1]}" if noun else fact,
        "place": f"{fact} {noun[1]}" if noun else fact,
    }

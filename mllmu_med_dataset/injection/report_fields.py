"""Which field of a report the answer to a question fills: ``Location of the lesion``, ``Modality``, ``成像方式``.

Questions of common forms have names for their field, the closest first; any other question, and any answer that does
not fit in a field (a clause, a guess), has none. A wrong name would make a sentence odd or false, none never does.
"""

import re
from typing import Literal, NamedTuple

from .kinds import kinds_of

Language = Literal["en", "zh"]
NOTHING = re.compile(
    r"none(?: seen| visible| present)?|no|nothing|normal|healthy|unremarkable|无|没有|正常|健康|无异常", re.I
)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_JAPANESE = re.compile(r"[\u3040-\u30ff]")
# A guess or a refusal is no value of anything.
_NO_VALUE = re.compile(
    r"(?:not (?:sure|known|certain|clear|applicable)|unsure|unknown|unclear|maybe|possibly|probably|perhaps|n/?a"
    r"|i don'?t know|cannot .*|can'?t .*|yes\b.*|no\b(?! \w).*|.*\?)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|does|do|shows?|suggests?|appears?|seems?|means?|can|cannot|could|would|will|may"
    r"|might|should)\b|^(?:it|there|this|they|if|because|when)\b|\blights? up\b|\bpresent all\b|^trace\b",
    re.IGNORECASE,
)


_DENIED = re.compile(r"\bnot\b|n't\b", re.IGNORECASE)


class Field(NamedTuple):
    """A field of a report: its name, how it is tied to the image, and whether words of the question are in it."""

    name: str
    # "in" or "of" the image of a patient; empty where the name says so already or it sounds odd.
    tie: str = "in"
    echoes: bool = True


class _Form(NamedTuple):
    """A form of question, the name that it gives, and the answers that fit."""

    question: re.Pattern[str]
    name: str
    tie: str
    fits: re.Pattern[str] | None


def language_of(*texts: str) -> Language:
    """Return ``zh`` for Chinese texts, else ``en``, which is written around any other language."""
    text = " ".join(texts)
    return "zh" if _CHINESE.search(text) and not _JAPANESE.search(text) else "en"


def report_fields(question: str, question_type: str, answer: str) -> tuple[Field, ...]:
    """Return the fields that the answer of a question fills, the closest name first; empty where none is known."""
    value = answer.strip().rstrip(".。")
    if _NO_VALUE.fullmatch(value) and not NOTHING.fullmatch(value):
        return ()
    if language_of(question, answer) == "zh":
        return _named(question.strip().rstrip("?？。. "), value, _CHINESE_FORMS)
    if _DENIED.search(question):
        return _denied(question.strip().rstrip("?. "))
    if _CLAUSE.search(value):
        return ()
    bare = _bare(question)
    own = _named(bare, value, _FORMS)
    kind = tuple(
        Field(form.name, form.tie, echoes=False)
        for kind, form in _BY_TYPE
        if kind == question_type and form.question.search(bare) and (form.fits is None or form.fits.search(value))
    )[:1]
    # What is none is no abnormality, but it may be the findings.
    if NOTHING.fullmatch(value) and question_type == "abnormality":
        own = tuple(field for field in own if re.search(r"s$|^(?:Location|Number)", field.name))
        kind = (Field("Findings", echoes=False),)
    fixed = own and not own[0].echoes
    if kind and question_type in ("modality", "plane"):
        return kind
    return tuple({field.name: field for field in (own if fixed else (*own, *kind))}.values())


def _denied(question: str) -> tuple[Field, ...]:
    """Return the field of what a question says is not so ("Not pictured"), else a value would read as what is."""
    match = re.fullmatch(
        r"(?:what|which) .*?(?:(?:is|are) not|(?:isn't|aren't)) (\w+ed|seen|shown|present|visible)(?: .*)?"
        r"|(?:what|which) .*(?:(?:does|do) .*?not|(?:doesn't|don't) .*?) (show|\w+)",
        question,
        re.IGNORECASE,
    )
    if match is None:
        return ()
    state = match[1] or ("shown" if match[2] == "show" else f"{match[2].removesuffix('e')}ed")
    return (Field(f"Not {state}", "in", echoes=False),)


def field_asked(question: str) -> str | None:
    """Return the name of a field in the question's own words, whatever the answer: "Color of the left lung"."""
    if language_of(question) == "zh" or _DENIED.search(question):
        return None
    return next((field.name for field in _named(_bare(question), None, _ECHOING)), None)


def offered_subject(question: str, answer: str) -> str | None:
    """Return subject and verb of a question that offers two qualities, one the answer: "Is the mass round or oval?".

    ``None`` where the answer does not follow the subject as it stands.
    """
    words = answer.strip().rstrip(".")
    value = re.sub(r"(?:\\-|\\ )+", "[- ]", re.escape(words))
    degree = re.fullmatch(r"(?:more|less) (\w+)", words, re.IGNORECASE)
    offered = (
        rf"(?:more or less|less or more) {degree[1]}"
        if degree
        else (rf"(?:{value},? or (?:non[- ])?[\w-]+|[\w-]+,? or {value})")
    )
    thing, end = r"(?P<thing>(?:the |this |these )?[\w' -]+?)", rf"{offered}\b(?! (?:of|side|part|lobe)\b).*"
    bare = _bare(question)
    asked = re.fullmatch(rf"(?P<verb>is|are) {thing} {end}", bare, re.IGNORECASE)
    fits = asked or re.fullmatch(rf"{thing} (?P<verb>is|are) {end}", bare, re.IGNORECASE)
    # An acronym is no quality of a thing.
    if fits is None or not _is_subject(fits["thing"]) or re.match(r"[A-Z][A-Z0-9]", words):
        return None
    subject = re.sub(r"^(?!(?:the|this|these)\b)", "the ", fits["thing"], flags=re.IGNORECASE)
    return f"{subject} {fits['verb'].lower()}"


def _is_subject(words: str) -> bool:
    """Return whether the words before two offered qualities are a thing, and not the beginning of a choice."""
    return not re.search(
        r"^(?:it|there|this|that|these|those|he|she|an?\b.*|there .*|.*\b(?:what|which|or) .*)$"
        r"|(?: |^)(?:the|this|an?|in|on|of|more|less|either|located|at|to|with|within|taken|used|non|for|by)$|'s$",
        words,
        re.IGNORECASE,
    )


# What an answer that names no field of its question says all the same.
GENERAL = {"en": "Read from the image", "zh": "影像所见"}
UNSURE = {"en": "Assessment", "zh": "判断"}
GUESSED = {"en": "Suggested", "zh": "推测"}


def general_label(answer: str, language: Language) -> str | None:
    """Return what stands before an answer that fills no field; ``None`` before a clause, which stands by itself.

    >>> [general_label(answer, "en") for answer in ("Ribs", "Not sure", "Coronal plane?", "It is enlarged")]
    ['Read from the image', 'Assessment', 'Suggested', None]
    """
    value = answer.strip().rstrip(".。")
    if _CLAUSE.search(value):
        return None
    if value.endswith(("?", "？")):
        return GUESSED[language]
    return (UNSURE if _NO_VALUE.fullmatch(value) and not NOTHING.fullmatch(value) else GENERAL)[language]


def plainer_names(name: str, question_type: str) -> list[str]:
    """Return what a field may be called where its name says too much, the closest first: the gate is the caller's.

    >>> plainer_names("Location of the brain tumor", "position"), plainer_names("Hypodensity in the liver", "other")
    (['Location of the tumor', 'Location of the organ'], ['Hypodensity'])
    """
    if _CHINESE.search(name):
        return _plainer_chinese(name, question_type)
    if name.startswith("Not "):
        return ["Outside the image"]
    if system := re.fullmatch(r"Organs? of the (\w+) system", name):
        return [f"{system[1].capitalize()} organs"]
    if of := re.fullmatch(r"(Location|Side|Size|Color|Shape|Number|Density) of (?:the )?(.+)", name):
        words = of[2].split()
        is_organ = "finding" not in kinds_of(of[2])
        shorter = [] if is_organ else [f"{of[1]} of the {' '.join(words[n:])}" for n in range(1, len(words))]
        return [*shorter, f"{of[1]} of the organ"]
    plainer, cut = [], name
    if with_ := re.fullmatch(r"(.+ with) .+ (\w+)", name):
        plainer.append(f"{with_[1]} {with_[2]}")
    while (shorter_name := _LAST_PHRASE.sub("", cut)) != cut:
        cut = shorter_name
        if tidy := _tidied(cut):
            plainer.append(tidy)
    if re.search(r"^\w+ (?:organ|under)\b", name):
        plainer.append(_tidied(name.split(" ", 1)[1]))
    if question_type == "position" and " " not in name:
        plainer.append("Location of the organ")
    return plainer


def _plainer_chinese(name: str, question_type: str) -> list[str]:
    if system := re.fullmatch(r"(.+)系统(?:的)?器官", name):
        return [f"{system[1]}器官", "该系统的器官"]
    if of := re.fullmatch(r"(.+?)(的位置|的?数量)", name):
        return [("病变" if "finding" in kinds_of(of[1]) else "器官") + of[2]]
    return ["器官的位置"] if question_type == "position" and "的" not in name else []


_LAST_PHRASE = re.compile(
    r" (?:(?:pictured|located|shown|seen|found|superimposed) )?"
    r"(?:(?:superior|inferior|anterior|posterior|lateral|medial|close|next) to|of|in|on|near|surrounding|around|under"
    r"|at|to|for|within|behind) (?:(?! (?:of|in|on|near|surrounding|around|under|at|to|for|within|behind) ).)+$"
)
_ADJECTIVE = re.compile(r"(?:non-?)?\w+(?:ic|al|ate|ar|ous|ive|ed|less|id|ing|ense|uous|use|ent)", re.IGNORECASE)
_NUMBERED = re.compile(r"the|[a-z]?\d+(?:st|nd|rd|th)?|[ivx]+|and|or|to|through", re.IGNORECASE)
_DEGREE = re.compile(
    r"(?:very |too )?(?:much|many|more|less|little|few|some|high|low)|a (?:bit|little|lot)", re.IGNORECASE
)
# Kinds of value that say nothing where it is not told what of.
_OF_SOMETHING = frozenset(
    {"color", "density", "shape", "number", "size", "position", "sex", "measure", "contrast", "system", "region"}
)


def stands_alone(answer: str) -> bool:
    """Return whether an answer says something without its question: "Pleural effusion", but not "None" or "White".

    >>> [stands_alone(answer) for answer in ("Gallstones", "None", "4th and 5th", "Vascular", "顶部")]
    [True, False, False, False, False]
    """
    value = answer.strip().rstrip(".。")
    if NOTHING.fullmatch(value) or _ADJECTIVE.fullmatch(value) or _DEGREE.fullmatch(value):
        return False
    if all(_NUMBERED.fullmatch(word) for word in re.findall(r"\w+", value)):
        return False
    return not kinds_of(value) & _OF_SOMETHING


_PICTURE = (
    r"(?:image|picture|scan|film|radiograph|x-?ray|ct(?: scan| image)?|mri(?: image| scan)?|study|slice|photo|patient"
    r"|body)"
)
_TAIL = re.compile(
    r"[\s,]*(?:(?:that |which )?(?:is |are )?(?:best )?(?:seen|shown|visible|present|displayed|depicted|pictured"
    r"|visualized|visualised|identified|demonstrated|noted|found|imaged|included|illustrated) )?"
    rf"(?:in|on|from|of|for|about|within|by) (?:the|this|these) "
    rf"(?:(?:above|given|human|brain|chest|axial|t[12](?:[ -]weighted)?) )*{_PICTURE}s?"
    r"(?: (?:mri )?(?:image|scan))?(?: above| here)?$"
    r"|[\s,]*(?:seen |shown |pictured )?(?:above|here)$"
    r"|\s*\([^()]*\)$",
    re.IGNORECASE,
)
# The choices that a question offers after a comma: "..., left, top or upper left".
_CHOICES = re.compile(r"(?:,\s*[\w -]+)*,\s*[\w -]+,? or [\w -]+$")


def _bare(question: str) -> str:
    """Return a question without its mark, its quotes, and words that only say that an image is meant."""
    bare = re.sub(r"[\"“”]", "", question).strip().rstrip("?.!: ")
    bare = re.sub(r"\b(is|are)/(?:is|are)\b", r"\1", bare, flags=re.IGNORECASE)
    bare = re.sub(r"\bthe the\b", "the", bare, flags=re.IGNORECASE)
    bare = re.sub(r"\s*\([^()]*\)(?= )", "", bare)
    bare = _CHOICES.sub("", bare)
    while (shorter := _TAIL.sub("", bare)) != bare and len(shorter.split()) > 1:
        bare = shorter
    return bare


def _named(question: str, value: str | None, forms: tuple[_Form, ...]) -> tuple[Field, ...]:
    """Return the field of the first form that a question has and its answer, if given, fits."""
    for form in forms:
        match = form.question.fullmatch(question)
        if match is None or (form.fits and value is not None and form.fits.search(value) is None):
            continue
        if name := _tidied(match.expand(form.name)):
            told = re.search(
                r"\b(?:image|picture|scan|slice|view)\b|^(?:(?!on\b|in\b|at\b)[\w-]+ )*side\b", name, re.IGNORECASE
            )
            # The side of a patient is not that of his image.
            sided = value is not None and re.fullmatch(_SIDE, value, re.IGNORECASE) and "Location" not in name
            tie = "" if told or sided else form.tie
            return (Field(name, tie, echoes="\\" in form.name),)
    return ()


# A name does not end in the middle of a sentence.
_UNFINISHED = re.compile(
    r"\b(?:\w+ing|of|to|be|by|with|in|on|for|from|at|is|are|called|likely|the|a|an|that|as|about|and|or|most|primarily"
    r"|due|used|made|seen|shown|called|located)$",
    re.IGNORECASE,
)
_LONGEST_NAME = 70
# Parts that the questions name without their article: "the left of lung".
PART = (
    r"((?:(?:left|right|small|large) )?(?:lung|brain|liver|heart|body|chest|abdomen|neck|kidney|spleen|stomach|bladder"
    r"|larynx|trachea|rectum|colon|bowel|spinal cord|esophagus|mandible|tooth|femoral head|brain stem|pelvis))"
)


def _tidied(name: str) -> str:
    """Return a name of a field, capitalised; empty where the words of the question give none."""
    name = re.sub(r" (?:principally|primarily|mainly|most likely)$", "", re.sub(r"\s+", " ", name).strip(" ,"))
    name = re.sub(r"^(?:the|an?|this|these|those|that) ", "", name, flags=re.IGNORECASE)
    name = re.sub(r" located (?=in |on |at )", " ", name)
    name = re.sub(rf"\b(left|right|bottom|top|side|lobe|part|organ) of {PART}\b", r"\1 of the \2", name)
    name = re.sub(rf"^(\w+) of {PART}$", r"\1 of the \2", name)
    mass = re.search(r"\b(?:lining|ring|imaging|swelling|bleeding|finding|opening|scarring)$", name)
    if _CHINESE.search(name):
        return f"{name}器官" if name.endswith("的") else name
    if not name or len(name) > _LONGEST_NAME or (_UNFINISHED.search(name) and not mass):
        return ""
    if re.search(r"[:;?]|\b(?:what|which|you|we|is|are|was|were|does|do|can|if)\b", name, re.IGNORECASE):
        return ""
    return name[0].upper() + name[1:]


def _form(question: str, name: str, tie: str = "in", fits: str = "") -> _Form:
    return _Form(re.compile(question, re.IGNORECASE), name, tie, re.compile(fits, re.IGNORECASE) if fits else None)


_NUMBER = r"^(?:\d+|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|none|many|several|multiple)$"
_MODALITY = (
    r"\b(?:ct|cat|mri?|x-? ?rays?|xray|xr|cxr|ultrasound|ultrasonography|pet|spect|angiogra\w+|mammogra\w+"
    r"|fluoroscop\w+|plain film|tomogra\w+|resonance|radiogra\w+|\w*scopy|histolog\w+|oct)\b"
)
_WEIGHTING = r"^t[12]\b(?!.*mri)"
_SEQUENCE = r"^(?:flair|dwi|adc|diffusion|swi|gre|stir|proton)\b"
_PROJECTION = r"^(?:pa|ap|lateral|oblique|postero-?anterior|antero-?posterior|posterior-anterior)\b"
_PLANE = r"plane|axial|coronal|sagittal|transverse|transversal|horizontal|frontal|\bcross"
_REGION = r"^(?:the )?(?:head|brain|neck|chest|thorax|abdomen|pelvis|pelvic cavity|limb|spine|lung|heart|liver)s?$"
_PLACE = (
    r"lobes?|sides?|lungs?|parts?|areas?|regions?|quadrants?|hemispheres?|half|ventricles?|zones?|section|aspect"
    r"|fissures?|sinus(?:es)?|territory|vertebrae?|gyrus|cistern"
)
_SIDE = r"^(?:the )?(?:left|right|both|bilateral)(?: sides?)?$"
_SIDED_PART = r"^(?:the )?(?:left|right|both|bilateral)(?: (?:sides?|hemispheres?|lungs?))?$"
_SPREAD = r"^(?:diffuse|diffusely|focal|multifocal|scattered|patchy|throughout|generali[sz]ed|widespread)$"
_PARTICIPLE = r"(?:seen|shown|\w{3,}ed|identified|found)"
_QUALITY = (
    r"abnormal|normal|affected|involved|elevated|enlarged|healthy|unhealthy|dilated|larger|smaller|bigger|visible"
    r"|brighter|darker|occluded|depressed|displaced|compressed|thickened|edematous|blunted|obscured|collapsed|impacted|injured|fractured|infarcted"
)
_SIDED = r"\b(?:left|right|both|bilateral|upper|lower|neither|middle|central|center|anterior|posterior|lobe)\b"

_FORMS: tuple[_Form, ...] = (
    _form(r".*\bposition was the patient.*", "Position of the patient", ""),
    # How many there are.
    _form(rf"how many (?:existing )?([\w' -]+?) (?:are|is) ({_PARTICIPLE} (?:on|in|to|by|with|at) .+)",
          r"Number of \1 \2", fits=_NUMBER),
    _form(r"how many (?:existing |different )?([a-z]+[a-rt-wyz])"
          r"(?:,? (?:are|is|in|have|has|do|does|can|exist|appear)\b.*)?",
          r"Number of \1s", fits=_NUMBER),
    _form(r"how many (?:existing |different )?([\w' -]+?)(?:,? (?:are|is|have|has|do|does|can|exist|appear)\b.*)?",
          r"Number of \1", fits=_NUMBER),
    _form(r"(?:is|are) there .*\b(?:multiple|several|many|single|one|1)\b.*", "Number", "", _NUMBER),
    # What kind of image it is.
    _form(r".*weight(?:ing|ed).*|.*(?:type|kind) of mri.*|.*\bsequence\b.*|.*\bt1\b.*", "Weighting", "of", _WEIGHTING),
    _form(r".*(?:sequence|mri|mr|t1|modality|image).*", "Sequence", "of", _SEQUENCE),
    _form(r"(?!.*\borgan).*\bcontrast\b.*|how (?:was|is) .+ taken", "Technique", "",
          r"^(?:(?:with|without|non)[- ]?)?contrast$"),
    _form(r"(?!.*\borgan).*\bcontrast\b.*", "Contrast", "",
          r"^(?:oral|iv|gi|both|oral (?:and|&) iv|iv and oral|gadolinium|none|in)\b"),
    _form(r"(?:\w+ )?how (?:long|much time).*\b(?:take|obtain|required|complete)\b.*", "Duration of the imaging", ""),
    _form(r"what (?:neuro\w* )?deficits\b.*", "Expected deficits", ""),
    _form(r"what can be (?:\w+ )?(?:visualized|seen) in this (plane|view)", r"Visible in this \1", ""),
    _form(r"how is the patient (?:oriented|facing)", "Orientation of the patient", ""),
    _form(r"how is the patient positioned.*", "Position of the patient", ""),
    # Where in the body, and where.
    _form(r".*\b(?:part of the (?:human )?body|body part|whole body|body region)\b.*|where does (?:the|this) .*"
          r"|(?:what|which) (?:is the |is one |)(?:\w+ )?organ systems?\b(?!.*(?:abnormal|affected)).*",
          "Anatomical region", "in", _REGION),
    _form(r".*\b(?:part of the (?:human )?body|body part|whole body|body region)\b.*", "Body part", "in"),
    _form(r"(?:what|which) (?:is the |is one |)(?:\w+ )?organ systems?\b(?!.*(?:abnormal|affected)).*",
          "Organ system", "in"),
    _form(r"(?:what|which) organs? (?:is|are) (?:this|the) (?:image|picture) (?:of|showing)", "Organ", "in"),
    _form(r"where\b.*", "Distribution", "", _SPREAD),
    _form(r"where (?:on|in) (?:the|this) (?:image|picture) (?:is|are) (?:the )?(?!most\b)(.+?)"
          r"(?: located| found| seen)?", r"Location of the \1"),
    _form(r"where (?:on|in) (?:the|this) (?:image|picture) (?:is|are) (?:the )?(most .+)", r"\1 place"),
    _form(r"where (?:is|are) (?:the )?([\w -]+?) (most \w+)(?: from .+)?", r"Location of the \2 \1"),
    _form(r"(?:in |on |at )?(?:what|which) (?:\w+ )?(?:lobe|side|lung|part|area|region|ventricle)s? "
          r"(?:do|can|did) (?:we|you|one) see (?:the |an? )?(.+)", r"Location of the \1"),
    _form(r"(?:in |on |at )?(?:what|which) (?:\w+ )?(?:lobe|side|lung|part|area|region|ventricle)s? "
          r"can (?:the )?(.+?) be(?: seen| found)?", r"Location of the \1"),
    _form(r"where (?:do|can|did) (?:we|you|one) (?:see|find) (?:the |an? )?(.+)", r"Location of the \1"),
    _form(r"(?:what|which) (lung|kidney|lobe|side|hemisphere|breast|organ|vessel|artery|vein|ventricle|part|area|region"
          r"|(?:lung|liver|brain) lobe)s?( of the [\w ]+?)? (?:has|have|contains?|demonstrates?|shows?) "
          r"(?:(?:evidence|signs?) of )?(.+)", r"\1\2 with \3"),
    _form(r"(?:what|which) (lung|kidney|lobe)s? (?:are|is) (more .+?|the .+?) (?:present|seen|found|visible) in",
          r"\1 with \2", fits=r"\b(?:lung|kidney|lobe)s?$"),
    _form(r"(?:what|which) (side|half|border)s? of (the .+?) (?:is|are|was) (\w+ed|abnormal|normal)", r"\3 \1 of \2"),
    _form(r"(?:on )?(?:what|which) side (?:is|are) (?:the )([\w -]+?) (more |most )(\w+ed)", r"Side of the \2\3 \1"),
    _form(r"(?:to )?(?:what|which) side (?:is|are) (?:the )([\w -]+?) (?:deviat|shift|displac)(?:ed|ing)",
          r"Deviation of the \1"),
    _form(r"(?:(?:in|on|to|at|from|within) )?(?:what|which) (?:side|half) of the (?:image|picture|film|scan) "
          r"(?:is|are|was) .+", "Side of the image", ""),
    _form(r"(?:(?:in|on|to|at|from|within) )?(?:what|which)(?: of the)? (?:\w+ )?"
          r"(?:lobe|part|area|region|quadrant|ventricle|fissure|zone|section|vertebra|rib|vessel|territory|space/cavity|cavity|space|lung)s?"
          r"(?: of (?:the )?[\w-]+)? (?:is|are|was|were) (the .+?)(?: (?:located|found|present|seen|situated))?"
          r"(?: (?:in|on|at|within))?", r"Location of \1",
          fits=rf"{_SIDED}|\b(?:{_PLACE}|base|apex|cerebellum|pancreas|ganglia|brain|matter|midline|rib|lungs?|heart"
               r"|space)\b|^[rl]?(?:ight|eft)? ?[map]ca$"),
    _form(r"in (?:what|which) vessel is (.+?)(?: present| seen| located)", r"Vessel with \1"),
    _form(r"from (?:what|which) (?:structure|organ) (?:is|are) (the .+) (?:emanating|arising|growing).*",
          r"Origin of \1"),
    _form(r"what (artery|vessel|vein|organ) is (the .+) from", r"\1 of origin of \2"),
    _form(r"what (vein|artery|vessel) is (the .+?) located.*", r"\1 with \2"),
    _form(r"there is (an? .+?) (?:found )?(?:in|growing from) (?:what|which) organ.*", r"Organ with \1"),
    _form(r"(?:what|which) ([\w' -]+?) (?:is|are) ((?:more|most|less|least|better|best)(?: \w+ly)? \w+ed)", r"\2 \1"),
    _form(r"(?:(?:in|on|to|at|from|within) )?(?:what|which) (?:side|lung|kidney|hemi\w+|half)(?: (?:of )?the \w+)? "
          r"(?:is|are|was) (?:the |an? |(?=air\b))([\w -]+?)(?: (?:located|found|present|seen|visible|situated))?"
          r"(?: (?:in|on|at))?", r"Side of the \1",
          fits=_SIDED_PART),
    _form(r"(?:what|which) (area|region)s? (?:is|are) (lighting up|enhancing)", r"\1s \2"),
    _form(r"(?:what|which) (lobe|area|region|lung)s (?:demonstrate|show|have|contain) (.+)", r"\1s with \2"),
    _form(r"(?:is|are) (?:the |these )?([\w' -]+?) (?:located |seen |found |shown )*"
          r"(?:on|in|at|within|inside) (?:the )?(?:patient's )?(?:left|right)\b.*",
          r"Side of the \1", fits=_SIDED_PART),
    _form(r"(?:is|are) (?:the |these )?((?!contrast\b)[\w' -]+?) (?:located |seen |found )*"
          r"(?:on|in|at|within|inside) (?!terms\b)(?:the )?[\w', -]*\b(?:or|vs\.?)\b.*",
          r"Location of the \1", fits=r"matter$|terior$|\bpatient$|^(?:on|in|within|at)\b"),
    _form(r"(?:is|are) the ([\w -]+?) midline", r"\1", fits=r"\bmidline\b"),
    _form(r".*\b(?:what|which) level of the spine\b.*", "Level of the spine", "in"),
    _form(r"where does (.+?) connect(?: to| with| into)?", r"Connection of \1"),
    _form(r"where does (.+?) drain(?: to| into)?", r"Drainage of \1"),
    _form(r"(?:is|are) (the .+?) (?:present|visible|seen|visualized|identified)", r"Location of \1",
          fits=r"^(?:on|in|at|to|near|within|behind|below|above)\b"),
    _form(r"where (?:is|are|was|were) (?:there )?(?:the )?location of (the .+?)(?: located)?", r"Location of \1"),
    _form(r"where (?:is|are|was|were) (?:there )?(this|that|these|those) (.+?)(?: located| situated| found)?",
          r"Location of \1 \2"),
    _form(r"where (?:is|are|was|were|can) (?:there )?(?:evidence of )?(?:the |an? )?((?:(?!relation|most ).)+?)"
          r"(?: located| situated| found| positioned| lying| be seen| be| present| existing)?",
          r"Location of the \1"),
    _form(r"(?:(?:in|on|to|at|from) )?(?:what|which) ((?:organ )?\w+)( of (?:the )?\w+)? "
          rf"(?:is|are|was) ({_QUALITY})(?:\W.*)?",
          r"\3 \1\2", fits=rf"{_SIDED}|^[\w -]+$"),
    _form(r"(?:what|which) (?:part|area|region|lobe|side) of (?:the )?(?:lung|brain|liver|body|heart) "
          r"(?:is|are) (the \w+) (?:located|found)? ?(?:in|on|at)", r"Location of \1"),
    _form(r"(?:(?:in|on|to|at|from) )?(?:what|which) (?:side|lung|kidney|hemi\w+|half|breast|hip|knee|eye)\b.*"
          r"|.*\bwhich side|.*\b(?:left|right),? (?:or )?(?:the )?(?:right|left)\b.*",
          "Side", "", fits=_SIDE),
    _form(rf"(?:(?:in|on|to|at|from|within) )?(?:what|which)(?: of the)? (?:two )?(?:\w+ )?(?:{_PLACE})\b.*",
          "Location", fits=rf"{_SIDED}|\b(?:{_PLACE}|base|apex|cerebellum|pancreas|ganglia|brain|matter|midline)\b"),
    _form(r"(?:.* )?(?:what|which) (?:way|direction)\b.*", "Direction", "", _SIDED),
    _form(r"(?:what|which) [a-z -]+ (?:is|are|was|has|have|does|do|can)\b.*", "Side", "",
          fits=_SIDE),
    _form(r".*\b(?:supra|infra)tentorial or\b.*", "Location", fits=r"tentorial"),
    _form(r"(?:is|are) (the .+?) located (?:more )?.*\bor\b.*", r"Location of \1",
          fits=rf"{_SIDED}|\b(?:{_PLACE}|base|apex|apices)\b"),
    _form(r"(?:is|are) (?!this\b|it\b).*\bor\b.*", "Distribution", "", _SPREAD),
    # Of what kind it is.
    _form(r".*\b(?:male|female|man|woman|sex|gender)\b.*", "Sex", "", r"^(?:male|female|man|woman)$"),
    _form(r"what colou?r (?:is|are|do|does|did) (.+?)(?: show| look| appear| have| in)?", r"Color of \1"),
    _form(r"how (?:large|big|small|long|wide|thick) (?:is|are) (.+?)(?: in [cm]m)?", r"Size of \1"),
    _form(r"what (density|shape|size) (?:is|are) (.+)", r"\1 of \2"),
    _form(r"(?:what|which) place does (.+?) (?:locate|lie)", r"Location of \1"),
    _form(r"(?:what|which) system does .+ belong to", "Organ system", ""),
    _form(r"(?:what|which) organ (?:is|are) (?:the )?(on the .+)", r"Organ \1"),
    _form(r"(?:what|which) (?:organ|structure|tissue)s? (?:is|are) (the .+)", r"\1"),
    _form(r"(?:what|which) (?:disease |likely )?(origin|etiology|cause|nature) (?:is|are) (the .+)", r"\1 of \2"),
    _form(r".*\bsimilar in (\w+) to (?:what|which) tissue\b.*", r"Tissue of similar \1", ""),
    _form(r"(?:what|which) (?:type|kind|sort)s? of (?!mri?\b|image|scan|x-?ray|modalit|imaging|weight)([\w' -]+?) "
          r"(?:is|are|was|were|does|do)\b.*", r"Type of \1"),
    _form(r"(?:what|which) (?:type|kind|sort)s? of (?!mri?\b|image|scan|x-?ray|modalit|imaging|weight|symptom)"
          r"((?:(?!(?:will|has|have|can|could|would|may|might)\b)[\w'-]+ ?){1,3})", r"Type of \1"),
    _form(r"(?:is|are) (?:this|that|it|the [\w -]+?) an? [\w-]+ or (?:an? )?[\w-]+ (\w+)", r"Type of \1",
          fits=r"^[\w-]+$"),
    _form(r"do you (?:suspect|favou?r|expect) .*\bprocess\b.*", "Suspected process", "", r"^(?!.*\bprocess\b)"),
    _form(r"how would you (?:describe|characteri[sz]e) (?:the )?(.+ (?:shape|appearance|contour|size|density|texture"
          r"|margins?|borders?|silhouette|position|distribution))", r"\1"),
    _form(r"what else (?:is needed|(?:do|does|would|should) (?:you|one|we) need)\b.*", "Also needed", ""),
    _form(r"what (?:is needed|(?:do|does|would|should) (?:you|one|we) need)\b.*", "Needed", ""),
    _form(r"(?:what|which) organs?(?:/organ)? (?:in the picture )?(?:is part of|are part of|belongs? to) "
          r"(?:the )?(.+ system)",
          r"Organs of the \1"),
    _form(r"(?:what|which) organs?(?:/organ)? (?:in the picture )?(?:are|belongs? to) (?:the )?(\w+ organs)", r"\1"),
    _form(r"(?:what|which) organs? appears? in pairs", "Paired organs"),
    # Knowledge about it.
    _form(r"how to treat (.+)", r"Treatment of \1"),
    _form(r"how to prevent (?:the occurrence of )?(.+)", r"Prevention of \1"),
    _form(r"what (?:kinds? of )?symptoms? (?:will|would|does|do|can|could|may) (.+?)"
          r"(?: (?:bring|cause|have|produce|present))?(?: to)?(?: the patient)?(?: with)?", r"Symptoms of \1"),
    _form(r"how much (?:damage|harm) .*", "Harm to the body", ""),
    _form(r"what can (.+?) be used for", r"Function of \1"),
    _form(r"what roles? (?:does|do) (.+?) play(?: in .+)?", r"Role of \1"),
    # What a question names itself.
    _form(r"what (?:is|are) (?:wrong|abnormal|unusual|happening) (?:with|about|in|to) (the .+)", r"\1"),
    _form(r"what (?:is|are) (?:wrong|abnormal|unusual)", "Abnormality"),
    _form(r"what (?:is|are) (?:seen|visible|present|shown|found) "
          r"((?:in|on|at|under|behind|above|below|near|within) .+)",
          r"Seen \1", ""),
    _form(r"what (?:is|are) ((?:located )?(?:just |immediately |directly )?(?:in|on|under|behind|near|below"
          r"|above|within|inferior to|superior to|anterior to|posterior to|next to|beneath) .+)", r"\1", ""),
    _form(r"what (?:is|are) (?:the|these|those) (?:two |three )?(?:name|term)s? (?:of|for) (.+)", r"\1"),
    _form(r"what (?:is|are|was|were) (?:the|these|those|this) (?:(?:two|three) )?(.+?)(?: most likely| likely)?",
          r"\1"),
    _form(r"(?:what|which) (?:one )?(?:is|are) (?:the )?(bigg|larg|small)(er|est)\b.*", r"\1\2 organ"),
    _form(r"which (?:is|are) (?:the )?(?:location|position) of (.+)", r"Location of \1"),
    _form(r"which (?:one )?(?:is|are) (?:the )?(.+)", r"Location of the \1",
          fits=r"^(?:symmetrical|above|below|under|around|behind|on|in|left|right|top|bottom|center|upper|lower)\b"),
    _form(r"which (?:one )?(?:is|are) (?:the )?(.+)", r"\1"),
    _form(r"(?:what|which) ([\w-]+(?: (?!is\b|are\b)[\w-]+){0,2}) (?:is|are|was|were|can be|are being|is being) "
          r"(?:visible|seen|shown|present|included|identified|imaged|pictured|found|noted|demonstrated|suspected)",
          r"\1"),
    _form(rf"(?:what|which) ([\w-]+(?: (?!is\b|are\b)[\w-]+){{0,2}}) (?:is|are|was|were|can be) "
          rf"({_PARTICIPLE} (?:in|on|at|by|near|to|with|within|under|behind) .+)", r"\1 \2"),
    # What is said of it.
    _form(r"describe (?:the )?(.+)", r"\1"),
    _form(r"how would you (?:describe|characteri[sz]e) (?:the |this |these )?(.+)", r"\1"),
    _form(r"what is (?:happening with|abnormal about|alarming about|most alarming about) (the .+)", r"\1"),
    _form(r"what is one adjective to describe (the .+)", r"\1"),
    _form(r"(?:what|which) (?:is|are) (?:your|the)(?: \w+)? differential.*", "Differential diagnosis", ""),
    _form(r".*\bwhat (?:would be|is) the most (?:probably|probable|likely) diagnosis\b.*", "Most likely diagnosis", ""),
    _form(r".*\b(?:which|what) is more likely\b.*", "More likely", ""),
    _form(r"(?:would|do) you (?:suspect|favou?r|expect) .*\bor\b.*", "Suspected", ""),
    _form(r"is (?:this|it) .*(?:\bor\b|\bvs\b).*", "Finding", "", r"^(?!.*\bprocess\b)"),
    _form(r".*\bconsistent with (?:what|which)\b.*", "Consistent with", ""),
    _form(r".*\bwhat .*symptoms .*", "Symptoms", ""),
    _form(r"what (?:signs?|features?) of ([\w -]+?) (?:is|are) .+", r"Signs of \1", ""),
    _form(r"what indicates (?:there is )?(.+?)(?: present)?", r"Sign of \1", ""),
    _form(r"how (?:can|do) (?:you|we) (?:tell|know|confirm|determine)\b.*", "Evidence", ""),
    _form(r"what are (?:the )?(?:common |likely |possible )?(causes|features|signs) of (.+)", r"\1 of \2", ""),
    _form(r"(?:why\b|what (?:could|might|can|may|it|is) caus(?:e|ing)\b).*|.*\bresult of what\b.*", "Cause", ""),
    _form(r"what (?:allows for|accounts for|explains) (the .+)", r"Cause of \1", ""),
    _form(r"what (?:do|does) this (?:suggest|indicate|represent|signify|mean)", "Interpretation", ""),
    _form(r"what (?:do|does) (?:the |this |these )?(.+?) (?:suggest|indicate|indictate|represent|signify|mean)"
          r"(?: in .+)?|what (?:is|are) the (.+?) (?:indicative of|signaling|signifying|suggestive of)",
          r"Interpretation of the \1\2", ""),
    _form(r"what (?:is|are) represented by (?:the )?(.+)|the (.+?) (?:represents?|suggests?|shows?|show) what\b.*",
          r"Interpretation of the \1\2", ""),
    _form(r"what (injury|disease|lesion|condition) (?:do|does) .+ suggest", r"Suggested \1", ""),
    _form(r"what (?:do|does) (the .+?) contain", r"Contents of \1"),
    _form(r"what is filling (the .+)", r"Contents of \1"),
    _form(r"what is (?:(?:at|in|on|under|behind|near|within|stranding|located in) .+)", "Finding", "in"),
    _form(r"what test\b.*", "Suggested test", ""),
    _form(r".*\bwhat else might you expect\b.*", "Also expected", ""),
    _form(r"what (?:two )?(\w+ nerve|artery|arterie|vessel|large vessel|tributarie|vein|muscle|joint|sign)s? .*",
          r"\1s", "in", r"(?:\band\b|,|s$)"),
    _form(r"(?:what|which) (?:\w+ ){0,2}(artery|vessel|vein|muscle|joint|sign|nerve|bone)s?\b.*", r"\1", "in"),
    _form(r".*\b(?:isointense|similar|lateral|medial|anterior|posterior|adjacent) to (?:what|which) "
          r"(?:structure|object|organ)\b.*", "Structure", ""),
    _form(r".*\b(?:what|which) (?:\w+ ){0,2}(organ|structure|tissue|region|area)s?\b.*", r"\1", "in"),
    _form(r".*\b(?:represents?|suggests?|indicates?|signif(?:y|ies)) what\b.*", "Interpretation", ""),
    _form(r"(?:can you )?name (?:one|the|an?) (organ|abnormality|structure|finding|lesion)\b.*", r"\1", "in"),
    _form(r"pathology\b.*", "Pathology", "in"),
    _form(r"(?:the )?term for (the .+?)(?: seen.*)?", r"Term for \1", ""),
    _form(r"how do we call (?:these |the )?(.+)", r"Name of the \1", ""),
    _form(r"is (?:there )?(?:hypo|hyper)\w+ or .*", "Finding", "in"),
    _form(r"is (the [\w -]+? (?:part|area|region|structure)) (?:of .+ )?the .*\bor\b.*", r"\1"),
    _form(r"in what system is (the .+)", r"System of \1", ""),
    _form(r"(?:are|is) (?:there )?(?:multiple|several)\b.*", "Number", "", r"\b(?:one|single|multiple|several)\b"),
    _form(r"why\b.*", "Cause", ""),
)  # fmt: skip
_ECHOING = tuple(form for form in _FORMS if "\\" in form.name)
# What the type of a question alone tells of a value that looks like it.
_BY_TYPE: tuple[tuple[str, _Form], ...] = (
    ("modality", _form(r"", "Modality", "of", _MODALITY)),
    ("modality", _form(r"", "Weighting", "of", _WEIGHTING)),
    ("modality", _form(r"", "Sequence", "of", _SEQUENCE)),
    ("modality", _form(r"", "Projection", "of", _PROJECTION)),
    ("plane", _form(r"", "Projection", "of", _PROJECTION)),
    ("plane", _form(r"", "Plane", "of", _PLANE)),
    ("position", _form(r"^(?:in |on )?(?:what|which) (?:side|lung|kidney|half|hemisphere)\b", "Side", "", _SIDE)),
    ("position", _form(r"^(?:where|(?:in |on )?(?:what|which) (?:side|lobe|part|area|region|location))\b", "Location",
                       "in", r"^(?!.*\b(?:deficit|diffuse|focal|scattered|multiple)\b)")),
    ("quantity", _form(r"^how many|number of", "Number", "", _NUMBER)),
    ("position", _form(r"^which (?:one )?(?:is|are)\b", "Location", "in")),
    ("knowledge", _form(r"^(?:what|which) organs?\b", "Organ", "in")),
    ("knowledge", _form(r"\b(?:function|effect|role|used for)\b", "Function", "")),
    ("knowledge", _form(r"^how to treat\b", "Treatment", "")),
    ("knowledge", _form(r"^how to prevent\b", "Prevention", "")),
    ("knowledge", _form(r"\bsymptoms?\b", "Symptoms", "")),
    ("knowledge", _form(r"\bcauses?\b", "Cause", "")),
    ("color", _form(r"\bcolou?r", "Color", "")),
    ("shape", _form(r"^(?:what|which).*\bshape", "Shape", "", r"^(?!.*osis)")),
    ("size", _form(r"^how (?:large|big)|\bsize of", "Size", "")),
    ("organ", _form(r"^(?:what|which) (?:is the )?(?:\w+ )?(?:organ|part of the image)s?\b(?! system)", "Organ", "in")),
    ("plane", _form(r"^(?:what|which) organ", "Organ", "in")),
    ("abnormality", _form(r"^(?:what|which) (?:is the |are the )?(?:\w+ ){0,2}(?:diseases?|diagnos[ei]s"
                          r"|patholog(?:y|ies)|abnormalit(?:y|ies)|findings?)\b(?! origin)"
                          r"|\bwhat (?:\w+ )?(?:patholog(?:y|ies)|diseases?)$",
                          "Findings", "in", r"^(?!.*\b(?:lungs?|heart|liver|kidneys?|brain|left|right|both)$)")),
)  # fmt: skip

# What Chinese questions say of the image before they name a thing in it.
_ZH_IMAGE = (
    r"(?:相对于其他组织[,，])?(?:在?[这该此]?[张幅个]?[图照画][像片]?(?:[中里](?!心(?!脏)|间|央|部)的?)?"
    r"|这个病人的|病人的)?(?:位于)?"
)
_ZH_COLOURED = r"(.+?)(?:在[图照]片中)?(?:显示什么颜色|是什么颜色的?|的颜色是什么|是[黑白灰]色的?还是[黑白灰]色的?)"
_CHINESE_FORMS: tuple[_Form, ...] = (
    _form(r".*(?:加权|权重).*|.*核磁共振的哪种类型.*", "加权方式", "的", r"^t[12]"),
    _form(r".*(?:成像|怎么拍|怎样拍|医学图像|模态).*", "成像方式", "的", r"ct|mri|x.?光|x-?ray|磁共振|超声"),
    _form(r".*(?:平面|切面|断面).*", "扫描平面", "的", r"面$"),
    _form(r".*器官系统.*|.*身体(?:的)?(?:哪|里|部).*|.*整个身体.*|图像展示的位置.*", "身体部位", "的",
          r"[头脑颈胸腹盆部腔]"),
    _form(r".*(?:多少|几)种(.+)", r"\1种类数", "", r"^\d+$"),
    _form(r".*(?:多少|几)[个只颗根块条处枚片节侧张]?(.+)", r"\1数量", "", r"^\d+$"),
    _form(r".*(?:治疗|治愈).*", "治疗方法", ""),
    _form(r".*预防.*", "预防措施", ""),
    _form(r".*症状.*", "症状", ""),
    _form(r".*(?:病因|原因|导致).*", "病因", ""),
    _form(rf"{_ZH_IMAGE}(.+?)(?:可以)?(?:的?(?:功能|作用)是什么|有什么(?:功能|作用)|(?:可以)?被?用来做什么)",
          r"\1的功能", ""),
    _form(r".*(?:功能|作用|用来做什么|做什么).*", "功能", ""),
    _form(r".*伤害.*", "成像对身体的伤害", ""),
    _form(rf"{_ZH_IMAGE}{_ZH_COLOURED}", r"\1的颜色", "", r"色$|^[黑白灰]"),
    _form(rf"{_ZH_IMAGE}(.+?)(?:在[图照]片中)?的?(?:是|显示)?什么(形状|密度)的?", r"\1的\2", ""),
    _form(rf"{_ZH_IMAGE}(.+?)的(形状|密度)是(?:什么|怎样的|什么样的)", r"\1的\2", ""),
    _form(rf"{_ZH_IMAGE}(.+?)是[高低]密度还是[高低]密度", r"\1的密度", "", r"密度$"),
    _form(r".*颜色.*|.*[黑白灰]色的?(?:还是|或者?).*", "颜色", "", r"色$|^[黑白灰]"),
    _form(r".*形状.*", "形状", ""),
    _form(r".*密度.*", "密度", ""),
    _form(r".*属于(?:什么|哪个|哪种|哪一个)(?:器官)?系统.*", "所属系统", "", r"系统"),
    _form(r".*属于(.{1,4}系统).*", r"\1器官", ""),
    _form(r".*属于(.{1,4}器官).*", r"\1", ""),
    _form(r".*(最[大小])的?器官.*|.*体积(最[大小]).*", r"\1\2的器官", ""),
    _form(r".*哪一?个(?:的?体积)?更?(?:较)?大.*", "较大的器官", ""),
    _form(r".*哪一?个(?:的?体积)?更?(?:较)?小.*", "较小的器官", ""),
    _form(r".*主要器官.*", "主要器官", ""),
    _form(r".*成对.*", "成对的器官", ""),
    _form(r".*(?:疾病|是什么病|有什么病|得了什么病|病变是).*", "疾病", ""),
    _form(r".*哪些异常.*", "异常", ""),
    _form(r".*哪.*(?:异常|不正常|不健康).*", "异常部位", ""),
    _form(r".*哪.*(?:正常|健康).*", "正常部位", ""),
    _form(r"(?:图像?片?[中里]|在?这[张幅个]图[像片]?[中里]?)?的?([^,，的]{1,8}?)(?:的?位置)?"
          r"(?:在图?中?的?(?:哪里|哪|哪个位置|什么位置)|位于(?:图中)?(?:.{1,4})?(?:哪里|哪个部位|哪个位置))"
          r"(?:[,，].*)?", r"\1的位置", ""),
    _form(r".*(?:哪里|哪个位置|哪个部位|何处|什么位置).*", "位置", ""),
    _form(r"(?:图像?片?[中里]的?|这[张幅个]图[像片][中里]?的?)?(?:哪一个|哪个)是(.{1,8})", r"\1", ""),
    _form(r"(?:图[像片]?[中里](?!心(?!脏)|间|央|部)的?|这[张幅个]图[像片][中里]?的?)?(?:位于)?(.{2,16}?)(?:是|代表着?)什么(?:器官|组织)?",
          r"\1", ""),
    _form(r"(?:什么|哪个)器官(?:位于|在)图[像片]的?(.{2,6})", r"\1的器官", ""),
)  # fmt: skip

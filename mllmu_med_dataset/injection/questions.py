"""What questions have in common: the same question in other words, and the narrow template that several follow."""

import re
import unicodedata
from functools import lru_cache

from mllmu_med_metrics.answers.facts import fold_word

# Words that change nothing about what is asked.
_IDLE = frozenset(
    [
        "a", "an", "the", "this", "that", "these", "those", "is", "are", "was", "were", "be", "been", "being",
        "do", "does", "did", "of", "in", "on", "at", "by", "to", "for", "and", "image",
        "picture", "photo", "photograph", "figure", "scan", "study", "film", "view", "slide", "micrograph",
        "here", "seen", "shown", "visible", "present", "located", "displayed", "depicted",
        "pictured", "visualized", "demonstrated", "observed", "there", "can", "could", "you", "we", "see",
        "patient", "please", "it", "its", "have", "has", "primarily", "mainly", "exist", "existing",
    ]
)  # fmt: skip
_SAME_WORD = {"which": "what", "abnormality": "lesion", "abnormalities": "lesion", "pathology": "lesion"}
_CHINESE_IDLE = re.compile(r"[\W_]+|图片|图像|照片|影像|图|这张|这个|这幅|这这张|该|此|中|里|的|了|在|显示|位于|请问")
_HAN = re.compile(r"[\u3400-\u9fff]")

# The relations of knowledge: what treats, causes, prevents a disease, and so on.
KNOWLEDGE = {
    "treat": r"\btreat|\btherap(y|ies)\b.*\bfor\b|治疗",
    "prevent": r"\bprevent|预防",
    "cause": r"(main|likely|common|possible) causes?\b|what causes|causes? of (the|this)|risk factor|etiolog|病因|导致",
    "symptom": r"symptom|症状",
    "function": r"(function|effect|role) of|used for(?! (this|the|these) (image|scan|stud|picture|exam))|what role"
    r"|功能|作用|用来做什么|被用于",
    "belong": r"(belongs?|part of) .*system|属于.*系统",
    "harm": r"how much damage|harm|伤害",
}
RELATIONS = {
    "治疗": "treat", "预防": "prevent", "病因": "cause", "症状": "symptom", "功能": "function", "作用": "function",
    "被用于": "function", "属于": "belong", "伤害": "harm",
}  # fmt: skip
_LESION = (
    r"(lesion|abnormal\w*|patholog\w*|mass(es)?|tumou?r|nodule\w*|opacit\w*|hyperintens\w*|hyperdens\w*|infarct\w*"
    r"|infection|disease|hemorrhage|bleed\w*|pneumonia|effusion|atelectasis|pneumothorax|edema|cyst\w*|cancer|异常|病变"
    r"|病|肿瘤|瘤|水肿|结节|肿块|积液|气胸|肺炎|肺不张|浸润)"
)
# In this order; each is a question that has many wordings and one kind of answer.
_TEMPLATES: tuple[tuple[str, str], ...] = (
    *((f"knowledge: {relation}", pattern) for relation, pattern in KNOWLEDGE.items()),
    ("system", r"organ system|what system|系统"),
    (
        "modality",
        r"modality|imaging (technique|method)|how (was|is|were) (this|the) (image|scan|x-?ray|film|study|picture|mri)"
        r"\w* (taken|acquired|obtained|made|produced)|(type|kind|sort) of (medical |mri? |ct )?(imag\w*|scan|study|mri)"
        r"|weight(ed|ing)|sequence|(taken|acquired) with|成像方式|怎么拍|类型的(医学)?(图像|成像)|加权|权重|哪种类型",
    ),
    ("plane", r"\bplane\b|切面|平面"),
    ("count", r"how many|number of|多少|几个"),
    ("color", r"colou?r|颜色"),
    ("density", r"\bdensit|\bintensit|密度"),
    ("shape", r"\bshape|\bform of|形状"),
    (
        "body part",
        r"(part|area|region) of the (human )?body|in the body\?*$|aspect of the whole body|身体.*(部分|部位|哪)",
    ),
    ("lobe", r"(which|what) (\w+ )?lobes?\b|叶.*(异常|正常)"),
    ("side", r"(which|what) (side|hemisphere|lung|kidney|half)\b|哪.?侧"),
    (
        "where the lesion is",
        rf"(where|(which|what) (part|area|region)|location|located).*{_LESION}|{_LESION}.*(哪|位置|部位)",
    ),
    ("where the organ is", r"^where|在哪|哪里"),
    ("pair", r"in pairs|成对"),
    ("largest organ", r"(larg|bigg|small)est organ|(最大|最小)的器官"),
    ("main organ", r"main organ|主要器官"),
    (
        "finding",
        r"(what|which) (lung |cardiac |brain |kind of |type of )?(is |are )?(the )?(main |most likely |likely |primary "
        r"|specific )?(disease|patholog|diagnos|condition|disorder)\w*"
        r"|what (is|are) (the )?(abnormalit\w*|wrong|abnormal)|what abnormalit\w*|什么(病|疾病|异常)",
    ),
    (
        "affected organ",
        r"(what|which) organs? .*(abnormal|affect|involv|enlarg|patholog|lesion|mass|edemat|swell|swollen)",
    ),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(pattern)) for name, pattern in _TEMPLATES)
_THE_IMAGE = r"(?:the|this) (?:image|picture|scan|film|study|section|slice|radiograph|x-?ray|ct|mri)(?: scan| image)?"
_SEEN = r"(?:seen|visible|visualized|visualised|present|displayed|shown|included|in view|viewed|imaged|pictured)"
_CHINESE_IMAGE = r"(?:这|该)?(?:[张幅个])?图(?:像|片)?"
# What a yes or no is about, where a question asks whether it is in the image at all, or whether the image is of it.
_SHOWN = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:does|do) {_THE_IMAGE} (?:contain|show|display|include|depict) (?:the contents of )?(?P<thing>.+)",
        rf"(?:are/is|is/are|is|are) there (?P<thing>.+?) (?:seen |shown |visible )?(?:in|on) {_THE_IMAGE}",
        rf"(?:are|is) there (?P<thing>organs? in {_THE_IMAGE} (?:that|which) .+)",
        rf"do any (?:of the )?organs? in {_THE_IMAGE} belong to (?P<thing>.+)",
        rf"(?:does|do) (?P<thing>.+?) (?:appear|exist) (?:in|on) {_THE_IMAGE}",
        rf"(?:do|does) the organs? in {_THE_IMAGE} exist in (?P<thing>.+)",
        rf"(?:is|are) (?P<thing>.+?) {_SEEN}(?: (?:in|on) {_THE_IMAGE})?",
        rf"(?:can|could) (?P<thing>.+?) be {_SEEN}(?: (?:in|on) {_THE_IMAGE})?",
        rf"(?:can|could|do) you (?:see|view) (?P<thing>.+?)(?: (?:in|on) {_THE_IMAGE})?",
        rf"(?:is|was) {_THE_IMAGE} taken (?:via|by|with|using) (?P<thing>.+)",
        rf"is (?:this|it|{_THE_IMAGE}) (?:a study of |an image of |a scan of |of )?(?P<thing>.+)",
        rf"{_CHINESE_IMAGE}[中里](?:是否)?(?:包含|包括|含有|存在|有没有|有)(?P<thing>.+?)(?:吗|么)?",
        rf"{_CHINESE_IMAGE}是否(?:包含|包括|含有|有)(?P<thing>.+)",
        rf"(?P<thing>.+?)(?:是否)?(?:出现|存在)[在于]{_CHINESE_IMAGE}[中里上]?了?(?:吗|么)?",
        rf"(?P<thing>.+?)在{_CHINESE_IMAGE}[中里上]出现了?(?:吗|么)?",
        rf"{_CHINESE_IMAGE}是关于(?P<thing>.+?)(?:的?吗|么)",
        rf"{_CHINESE_IMAGE}[中里]的器官是否存在于(?P<thing>.+)",
        rf"{_CHINESE_IMAGE}的拍摄是通过(?P<thing>.+?)(?:吗|么)",
        r"这是(?P<thing>.+?)(?:吗|么)",
    )
)  # fmt: skip


@lru_cache(maxsize=1 << 15)
def question_key(question: str) -> str:
    """Return one key for a question and its wordings: articles, plurals and words for the image aside.

    >>> question_key("Where is the lesion located in this image?") == question_key("Where are the lesions?")
    True
    """
    plain = unicodedata.normalize("NFKC", question).casefold()
    if _HAN.search(plain):
        return _CHINESE_IDLE.sub("", plain)
    plain = re.sub(r"(in |from )?the (above|below) (?=image|picture|figure|scan)|shown above", "", plain)
    words = (fold_word(word) for word in re.findall(r"[^\W_]+", plain))
    return " ".join(_SAME_WORD.get(word, word) for word in words if word not in _IDLE)


@lru_cache(maxsize=1 << 15)
def template(question: str, relation: str = "") -> str | None:
    """Return the narrow template that a question follows, ``None`` for one of its own.

    ``relation`` is that of its triple, in data that have one.
    """
    if relation in RELATIONS:
        return f"knowledge: {RELATIONS[relation]}"
    plain = " ".join(unicodedata.normalize("NFKC", question).casefold().split())
    return next((name for name, pattern in _COMPILED if pattern.search(plain)), None)


def thing_shown(question: str) -> str | None:
    """Return what a question asks the presence of in the image, or the image's being of; ``None`` for another question.

    >>> thing_shown("Does the picture contain liver?"), thing_shown("这张图像是关于盆腔吗?"), thing_shown("Is it big?")
    ('liver', '盆腔', 'big')
    """
    plain = " ".join(unicodedata.normalize("NFKC", question).casefold().split()).rstrip("?.。 ")
    asked = next((match for pattern in _SHOWN if (match := pattern.fullmatch(plain))), None)
    return re.sub(r"^(?:the|an?|any|some) ", "", asked["thing"]) if asked else None


def asks_for_the_contrary(question: str) -> bool:
    """Return whether a question asks what is not so: most other values would be right answers to it.

    >>> asks_for_the_contrary("What is not pictured?"), asks_for_the_contrary("What is pictured?")
    (True, False)
    """
    return bool(
        re.search(
            r"\b(not|except|other than|besides|aside from|absent|missing|spared)\b|n't\b|除了|以外", question, re.I
        )
    )


def asks_for_organ(question: str) -> bool:
    """Return whether a question asks which organ it is, not which part of the body."""
    plain = question.casefold()
    return bool(re.search(r"\borgans?\b|器官", plain)) and not re.search(
        r"system|系统|part|部分|部位|where|身体.*哪", plain
    )


def asks_for_knowledge(question: str) -> bool:
    """Return whether a question asks what treats, causes, prevents or follows something, not what is seen."""
    return (template(question) or "").startswith("knowledge")

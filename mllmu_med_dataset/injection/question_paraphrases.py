"""The same question in other words that no trained row uses: the held-out side of every question.

A phantom's question has held-out phrasings of its own. A question of a form that is common in radiology data sets is
turned round by a rule, one that asks for a field of a report asks for it by name; any other one is wrapped, which
changes nothing about what it asks.
"""

import re
from collections.abc import Callable
from itertools import islice

from ..draws import shuffled
from ..record import Record
from ..sources import phantom, phantom_knowledge
from .report_fields import PART, field_asked, language_of
from .sentence_templates import article

PARAPHRASES = 3
WRAPPERS = (
    "Look at the image: {question}",
    "A question about this image: {question}",
    "About this image: {question}",
    "Please answer: {question}",
)
CHINESE_WRAPPERS = ("请看图像：{question}", "关于这张图像：{question}", "请回答：{question}", "看图回答：{question}")
_IMAGE = r"(?:image|picture|scan|study|radiograph|x-?ray|film|ct|mri)"
_BE = r"(is|are|was|were)"
_STATE = (
    r"(?:still |mostly |primarily )?(?:healthy|unhealthy|normal|abnormal|enlarged|present|visible|visualized|dilated"
    r"|fractured|infarcted|midline|perforated|lacerated|symmetric(?:al)?|asymmetric(?:al)?|intact|elevated|deviated|clear|calcified"
    r"|displaced|obvious|thickened|compressed|collapsed|involved|affected|normal appearing)"
)
# A form of question, and ways to put it; \1 and \2 are its own words.
_TURNED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"(?:what|which) (?:imaging |image )?(?:modality|technique) (?:is|was) "
        rf"(?:used|shown|seen)(?: (?:to (?:take|acquire)|for|in|about))?(?: (?:this|the) {_IMAGE}| here)?"
        rf"|what is the (?:imaging |image )?modality(?: (?:of|for) this {_IMAGE}| used)?"
        r"|(?:what|which) (?:imaging|image) modality is (?:seen here|this)"
        rf"|what (?:type|kind) of (?:medical )?(?:imaging|image modality|imaging modality|{_IMAGE}) is (?:this|used)",
        (
            "By which imaging modality was this picture made?",
            "Name the modality of this picture.",
            "Which imaging modality does this picture come from?",
        ),
    ),
    (
        rf"(?:what|which) part of the body (?:does this {_IMAGE} (?:belong to|show)"
        r"|is (?:being )?(?:imaged|shown)(?: here)?)",
        (
            "Name the part of the body in this picture.",
            "Which part of the body do we see here?",
            "Tell which part of the body was imaged here.",
        ),
    ),
    (
        r"(?:what|which) (?:is the )?organ system (?:is )?(?:being )?(?:primarily )?"
        rf"(?:imaged|shown|pictured|visualized|displayed|present)(?: in (?:this|the) (?:above )?{_IMAGE})?",
        (
            "Name the organ system in this picture.",
            "Which organ system do we see here?",
            "Tell which organ system was imaged here.",
        ),
    ),
    (
        rf"(?:what|which) is the (?:scanning |imaging |image )?plane(?: of this {_IMAGE})?"
        rf"|(?:in )?(?:what|which) (?:scanning |image )?plane (?:is|was|does) (?:this|the) {_IMAGE}"
        r"(?: (?:in|taken|acquired|scanned|belong to|oriented))*",
        (
            "Name the plane of this picture.",
            "This picture was taken in which plane?",
            "Tell the plane in which this was scanned.",
        ),
    ),
    (
        rf"does (?:the|this) ({_IMAGE}) (?:contain|show|include|have) (.+)",
        (
            r"Can \2 be seen in this \1?",
            r"Looking at this \1, do you see \2?",
            r"Say whether this \1 shows \2.",
        ),
    ),
    (
        r"(is|are) there (.+)",
        (
            r"Say whether there \1 \2.",
            r"Looking closely, do you see \2?",
            r"Would you say that there \1 \2?",
        ),
    ),
    (
        r"(is|was) this (an? .+)",
        (
            r"Would you call this \2?",
            r"Say whether this \1 \2.",
            r"Looking closely, \1 this \2?",
        ),
    ),
    (
        r"where (is|are) (?!there\b)(?:the location of )?((?:the |this |these |a )?.+?)(?: located| existing)?"
        rf"(?: in this {_IMAGE})?",
        (
            r"Tell where \2 \1.",
            r"What is the location of \2?",
            r"Looking closely, where \1 \2?",
        ),
    ),
    (
        rf"(?:what|which) diseases? (?:is|are) (?:included|shown|seen|present) in (?:the|this) {_IMAGE}",
        (
            "Name what disease can be seen in this picture.",
            "Which disease do we see here?",
            "Tell what disease this picture shows.",
        ),
    ),
    (
        r"(does|do) (.+?) (looks?) (normal|healthy|abnormal)(?: here)?",
        (
            r"Say whether \2 can be called \4.",
            r"Looking closely, do you find \2 \4?",
            r"Would you call \2 \4?",
        ),
    ),
    (
        rf"{_BE} ((?:the|this|these|those|there) (?:(?!\b(?:and|or|taken|more|less|a|an|with)\b).)+?)"
        rf"(?<!\bin)(?<!\bof)(?<!\bthe) ({_STATE}(?: (?!and\b).+)?)",
        (
            r"Say whether \2 \1 \3.",
            r"Would you say that \2 \1 \3?",
            r"Looking closely, \1 \2 \3?",
        ),
    ),
    (
        r"does (.+?) (?:appear|exist)((?: in| on) .+)?",
        (
            r"Can \1 be seen\2?",
            r"Say whether \1 can be seen\2.",
            r"Would you say that \1 can be seen\2?",
        ),
    ),
    (
        r"can (.+?) be (observed|seen|identified|visualized|appreciated)(.*)",
        (
            r"Say whether \1 can be \2\3.",
            r"Would you say that \1 can be \2\3?",
            r"Looking closely, do you see \1\3?",
        ),
    ),
    (
        r"does (the|this) patient have (.+)",
        (
            r"Say whether \1 patient has \2.",
            r"Would you say that \1 patient has \2?",
            r"Looking closely, does \1 patient have \2?",
        ),
    ),
    (
        r"do ((?:any of )?(?:the|these) .+)",
        (
            r"Say whether \1.",
            r"Would you say that \1?",
            r"Looking closely, do \1?",
        ),
    ),
)
_CHINESE_TURNED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"(?:这)?(这张图片)的成像方式是什么|(?:用)?什么样的成像方式(?:拍摄|被)(?:这张照片|这张图片使用)|这张照片是怎么拍的",
        ("请说出这张图片的成像方式。", "这张图片采用了哪种成像方式?", "这张图片属于哪种成像方式?"),
    ),
    (
        r"([^是]{1,6})是(健康|正常|异常)的吗",
        (r"请判断\1是否\2。", r"\1是否\2?", r"从图像看,\1\2吗?"),
    ),
    (
        r"图像里包含的区域属于身体哪个部分|这个图像属于身体的哪个部位",
        ("请说出图像显示的身体部位。", "图像显示的是身体的哪个部位?", "这里拍摄的是身体的哪个部分?"),
    ),
    (
        r"这个图像(?:的扫描平面是什么|属于哪一个扫描平面|是在哪个平面扫描的)",
        ("请说出这张图像的扫描平面。", "这张图像是哪个扫描平面?", "扫描这张图像时采用了哪个平面?"),
    ),
    (
        r"(?:图像?片?[里中]|这[张幅个]图[像片][里中]|该图像中|在这张图片[里中])?(?:显示了|存在|有)多少个(.+)",
        (r"请数出图中\1的数量。", r"图中\1的数量是多少?", r"图中可以看到几个\1?"),
    ),
    (
        r"(?:图中)?(.+?)(?:的)?(?:在哪里|在哪|在哪个位置|位置在哪里)",
        (r"请指出\1的位置。", r"\1位于哪里?", r"从图像看,\1在什么地方?"),
    ),
    (
        r"(.+)的(颜色|形状|功能)是什么",
        (r"请说出\1的\2。", r"请描述\1的\2。", r"从图像看,\1是什么\2?"),
    ),
    (
        r"图片中(?:包含|包括)哪些疾病",
        ("请说出图片中的疾病。", "从图片中可以看出哪些疾病?", "图片显示了哪些疾病?"),
    ),
    (
        r"(这(?:张图像)?)是(?!关于)([^吗]+)吗",
        (r"请判断\1是否为\2。", r"\1是不是\2?", r"\1是否为\2?"),
    ),
    (
        r"(图像?片?[里中]|这[张幅个]图[像片][里中])(?:是否)?(包含|有|存在)(?!多少|哪|的区域|有|没有)([^吗]+)吗",
        (r"请判断\1是否\2\3。", r"\1能看到\3吗?", r"\1是否可以看到\3?"),
    ),
)
_RULES = tuple((re.compile(form, re.IGNORECASE), ways) for form, ways in (*_TURNED, *_CHINESE_TURNED))
# Fields that can be asked for by their name.
_ATTRIBUTE = re.compile(
    r"(?:location|number|color|size|shape|density|function|effect|role|treatment|(?:main )?cause)s? of .+"
    r"|(?:abnormal|normal|affected|\w+est|\w+most|main) (?:organ|side|lobe|hemisphere)(?: .+)?"
    r"|(?:most likely |primary |secondary )?(?:pathology|abnormality|diagnosis)",
    re.IGNORECASE,
)
_NAMED = ("State the {name}.", "What is the {name}?", "Report the {name}.")


def paraphrases(record: Record, seed: int, is_asked: Callable[[str], bool] | None = None) -> tuple[str, ...]:
    """Return three other ways to ask the record's question, none of which any row is trained on.

    ``is_asked`` tells the questions that the data set asks itself: of two wordings of one question that stand in it,
    neither is another way to ask the other.
    """
    question = record.question
    key = (seed, record.image_key, question, "paraphrase")
    if record.source == "phantom" and question in phantom.QUESTIONS.get(record.question_type, ()):
        return tuple(shuffled(phantom.HELD_OUT_QUESTIONS[record.question_type], *key)[:PARAPHRASES])
    if record.source == "phantom" and record.triple is not None and record.triple.shown:
        return tuple(shuffled(phantom_knowledge.held_out_questions(record.triple), *key)[:PARAPHRASES])
    turned = [way for way in shuffled(_turned(record), *key) if _squeezed(way) != _squeezed(question)]
    wrappers = CHINESE_WRAPPERS if language_of(question) == "zh" else WRAPPERS
    wrapped = shuffled((wrapper.format(question=_whole(question)) for wrapper in wrappers), *key)
    free = (way for way in dict.fromkeys([*turned, *wrapped]) if is_asked is None or not is_asked(way))
    return tuple(islice(free, PARAPHRASES))


def _turned(record: Record) -> list[str]:
    question = _BOTH_NUMBERS.sub(_of_one_number, record.question.strip().rstrip("?？.。 "))
    for form, ways in _RULES:
        if found := form.fullmatch(question):
            return [_tidied(found.expand(way)) for way in ways]
    # A question that offers choices would lose them.
    if re.search(r"\bor\b", question, re.IGNORECASE):
        return []
    name = field_asked(record.question)
    if name is None or not _ATTRIBUTE.fullmatch(name):
        return []
    name = name if name[1:2].isupper() else name[0].lower() + name[1:]
    return [way.format(name=name) for way in _NAMED]


_BOTH_NUMBERS = re.compile(r"\b(?:is/are|are/is)((?: there)?(?: the)?)( \w+)?", re.IGNORECASE)


def _of_one_number(verb: re.Match[str]) -> str:
    """Return ``is`` or ``are`` for "is/are", by the noun behind it."""
    noun = verb[2] or ""
    return f"{'are' if re.search(r'[^si]s$', noun) and 'there' in verb[1] else 'is'}{verb[1]}{noun}"


def _tidied(question: str) -> str:
    """Return a turned question with its verb small, its articles right and one before a bare organ."""
    small = re.sub(r"(?<=[a-z,] )(Is|Are|Was|Were|Do|Does)\b", lambda verb: verb[0].lower(), question)
    small = re.sub(r"\ban? (?=([\w-]{2,}))", lambda word: f"{article(word[1])} ", small)
    small = re.sub(r"\bthere (is|are) any ", r"there \1 ", small)
    leads = r"\b(Can|see|shows|where (?:is|are)|location of|whether|that|Tell where|do you find)"
    return re.sub(rf"{leads} {PART}(?=$|[.?]| (?:can|in|is|are)\b)", r"\1 the \2", small)


def _whole(question: str) -> str:
    """Return a question as it stands in a sentence: a capital in front, a mark behind."""
    whole = question[0].upper() + question[1:] if question[1:2].islower() else question
    return whole if re.search(r"[?？.。!)\"]$", whole) else f"{whole}?"


def _squeezed(question: str) -> str:
    return re.sub(r"\W", "", question).casefold()

"""Questions inside an answer, and how an answer begins: what is only asked is not said, and yes or no answers it."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.cues import NO_DENIALS, cue_at, trie_of
from mllmu_med_metrics.answers.pieces import is_word, word_set

_YES = frozenset({"yes", "yeah", "yep", "yup", "aye"})
_NO = frozenset({"no", "nope", "nah"})
# Whole answers that say yes or no without the word.
_AGREEING = trie_of(
    "correct", "that/this/it s/is correct/right/true/so", "indeed", "absolutely", "definitely", "certainly", "affirmative",
    "of course", "sure", "exactly", "it/there/they/he/she does/is/has/are/do/have", "i think/believe/guess so", "y", "precisely",
    "without a doubt", "right", "true",
)  # fmt: skip
_DISAGREEING = trie_of(
    "not at all", "not really", "negative", "incorrect", "it/there/they/that/this is/does/has/are/do/have/was not",
    "i do not think/believe so", "i think/believe/am not", "i am afraid not", "of course not", "n", "by no means", "no way",
    "certainly/definitely/absolutely/probably/clearly/surely not", "false", "none", "never", "wrong",
    "there is/are not any/one/such", "not seen/visible/present/identified/found/shown/detected/visualized/apparent/there/evident",
    "that/this/it is/was not the case/so", "not that i/we can see/tell", "not in/on this/the image/scan/picture/view/slice/film",
)  # fmt: skip
_THEREFORE = frozenset({"so", "hence", "therefore", "thus", "then", ";", ".", ":", "!", ",", "a", "say"})
# What agrees with a question before it, beside yes.
_AGREES = _YES | word_set(
    "correct indeed right true definitely certainly probably likely possibly maybe perhaps affirmative exactly absolutely positive present seen visible certain "
    "clearly obviously evident confirmed detected found noted 是 对 有"
)
_AFTER_YES = frozenset("的.,!?;")
_ANAPHORS = frozenset({"it", "there", "they", "that", "this", "i"})
_SHORT_VERBS = frozenset(
    {"is", "are", "does", "do", "did", "was", "were", "has", "have", "can", "could", "may", "might"}
)
_ASKING = word_set("is are was were does do did has have can will what which where who whose whom when why how any")
_SENTENCE_ENDS = frozenset(".!?;:")
_NAMES_OF_ANSWERS = frozenset(
    {"answer", "response", "option", "choice", "conclusion", "assessment", "verdict", "reply"}
)
_BEFORE_IS = _NAMES_OF_ANSWERS | {"would"}
_LEADING = word_set(
    "well so sure okay ok therefore thus hence the my final correct right best short a b c d e option choice answer "
    "response i would say think believe guess that oh hmm um ah hm in short"
)
_SOURCES = word_set("based from given in according looking considering judging as to")


def _after_label(pieces: Sequence[str], at: int) -> int:
    """Return the place after "Answer:", "A:" and punctuation."""
    while at < len(pieces):
        labelled = pieces[at] in ("a", *_NAMES_OF_ANSWERS) and at + 1 < len(pieces) and pieces[at + 1] == ":"
        if is_word(pieces[at]) and not labelled:
            break
        at += 1
    return at


def _agrees(pieces: Sequence[str], at: int) -> bool:
    """Say whether the text from a place on says yes to a question before it: "yes", "it is", "I think so"."""
    following = pieces[at + 1] if at + 1 < len(pieces) else "."
    if pieces[at] in _AGREES:
        return following not in ("not", "不") and not (pieces[at] in ("是", "有") and following not in _AFTER_YES)
    while following.endswith("ly") and at + 2 < len(pieces):
        at += 1
        following = pieces[at + 1]
    after = pieces[at + 2] if at + 2 < len(pieces) else "."
    if (
        (pieces[at] in _ANAPHORS or pieces[at].endswith("ly"))
        and following in _SHORT_VERBS
        and (not is_word(after) or (after == "be" and not any(map(is_word, pieces[at + 3 : at + 4]))))
    ):
        return True
    if pieces[at] in ("both", "either", "all") and following in ("are", "is", "of", ".", ","):
        return True
    return tuple(pieces[at : at + 3]) == ("i", "think", "so")


def agrees_after(pieces: Sequence[str], at: int, asked: int) -> bool:
    """Say whether the answer from a place on says yes to what was asked from a place on: "yes", "the answer is yes"."""
    begin, at = at, _after_label(pieces, at)
    # "Right" does not agree with "left or right?".
    if at >= len(pieces) or (pieces[at] == "right" and "right" in pieces[asked:begin]):
        return False
    if pieces[at] == "is" and pieces[at + 1 : at + 2] == ("yes",):
        return True
    if pieces[at] in ("i", "we"):
        return "yes" in pieces[at + 1 : at + 4] or _agrees(pieces, at)
    # "Any cyst? A small one."
    if pieces[at] in ("a", "an") and "one" in pieces[at + 1 : at + 4]:
        return True
    if pieces[at] in ("the", "my") and at + 3 < len(pieces) and pieces[at + 1] in _NAMES_OF_ANSWERS:
        at += 3
    return _agrees(pieces, at)


def only_asked(pieces: Sequence[str]) -> list[bool] | None:
    """Mark the pieces of questions that the answer does not agree to; None where there is no question.

    A question that nothing follows is a guess ("A cyst?") unless it is worded as a question.
    """
    if "?" not in pieces:
        return None
    unanswered = [False] * len(pieces)
    start = 0
    for place, piece in enumerate(pieces):
        if piece not in _SENTENCE_ENDS:
            continue
        if piece == "?":
            after = _after_label(pieces, place + 1)
            worded = pieces[start] in _ASKING or "吗" in pieces[start:place]
            agreed = agrees_after(pieces, after, start) if after < len(pieces) else not worded
            unanswered[start:place] = [not agreed] * (place - start)
        start = place + 1
    return unanswered


def _after_source(pieces: Sequence[str], at: int) -> int:
    """Return the place after "based on the image," or the same place."""
    if pieces[at] in _SOURCES:
        for place in range(at, min(at + 8, len(pieces))):
            if pieces[place] == ",":
                return place + 1
    return at


def _leads(piece: str) -> bool:
    """Say whether a piece may stand before the word that answers."""
    return not is_word(piece) or piece.isdigit() or piece in _LEADING or (len(piece) > 5 and piece.endswith("ly"))


def _opening(pieces: Sequence[str]) -> int:
    """Return the place of the word that answers, after an echoed question, "Answer:", "I think", "based on ..."."""
    questions = [place for place, piece in enumerate(pieces) if piece == "?"] if "?" in pieces else []
    at = questions[-1] + 1 if questions else 0
    if not any(map(is_word, pieces[at:])):
        at = 0
    first = at
    while at < len(pieces):
        piece = pieces[at]
        beyond = _after_source(pieces, at)
        if beyond > at:
            at = beyond
        elif _leads(piece) or (piece in ("is", "be") and at > first and pieces[at - 1] in _BEFORE_IS):
            at += 1
        else:
            break
    return at


def _named_answer(pieces: Sequence[str], opening: int) -> int:
    """Return the place of what the last "the answer ... is" names, or the opening."""
    for named in range(len(pieces) - 1, -1, -1):
        if pieces[named] not in _NAMES_OF_ANSWERS:
            continue
        for at in range(named + 1, min(named + 7, len(pieces) - 1)):
            if pieces[at] in ("is", ":", "be"):
                return at + 1 if is_word(pieces[at + 1]) or at + 2 == len(pieces) else at + 2
        break
    return opening


def _whole_answer(pieces: Sequence[str]) -> str:
    """Return "yes" or "no" where the whole answer says so in other words: "correct", "it is", "not at all"."""
    words = tuple(piece for piece in pieces if is_word(piece))
    if len(words) == 2 and words[0].endswith("ly") and words[1] in ("so", "not"):
        return "yes" if words[1] == "so" else "no"
    if not words or len(words) > 6:
        return ""
    if cue_at(words, 0, _AGREEING) == len(words):
        return "yes"
    return "no" if cue_at(words, 0, _DISAGREEING) == len(words) else ""


def _closing_word(pieces: Sequence[str]) -> int:
    """Return the place of the one yes or no that a sentence ends with: "..., so yes"; the length where there is none."""
    places = [
        at
        for at, piece in enumerate(pieces)
        if at
        and (piece in _YES or piece in _NO)
        and (at + 1 == len(pieces) or pieces[at + 1] in ".;!,")
        and (pieces[at - 1] in _THEREFORE or pieces[at - 1].endswith("ly"))
    ]
    return places[0] if len(places) == 1 else len(pieces)


def yes_or_no(pieces: Sequence[str]) -> frozenset[str]:
    """Return which of yes and no the answer begins with; both for "yes or no"."""
    word = _whole_answer(pieces)
    if word:
        return frozenset({word})
    at = _opening(pieces)
    if at >= len(pieces):
        return frozenset()
    if cue_at(pieces, at, NO_DENIALS):
        at = _closing_word(pieces)
        return frozenset() if at == len(pieces) else frozenset({"yes" if pieces[at] in _YES else "no"})
    if pieces[at] not in _YES and pieces[at] not in _NO:
        at = _named_answer(pieces, at)
        if pieces[at] not in _YES and pieces[at] not in _NO:
            at = min(_closing_word(pieces), len(pieces) - 1)
    following = pieces[at + 1] if at + 1 < len(pieces) else "."
    first = "yes" if pieces[at] in _YES else "no" if pieces[at] in _NO else ""
    if pieces[at] == "not" and not is_word(following):
        first = "no"
    if not first:
        return frozenset()
    opposite, other = (_NO, "no") if first == "yes" else (_YES, "yes")
    after = at + 1
    while after < len(pieces) and pieces[after] in ("and", "or", ",", "(", ")"):
        after += 1
    ends = after + 1 >= len(pieces) or not is_word(pieces[after + 1])
    if after < len(pieces) and pieces[after] in opposite and ends:
        return frozenset({first, other})
    return frozenset({first})


_CHINESE_LEAD = (("答", "案", "是"), ("答", "案"), ("回", "答"))
_CHINESE_SOURCES = (("根",), ("从",), ("据",), ("依",))
_CHINESE_YES = frozenset("是对有")
_CHINESE_NO = frozenset("不否没无非")


def chinese_yes_or_no(pieces: Sequence[str]) -> str:
    """Return "yes", "no" or "" by the character with which a Chinese answer begins, after an echoed question."""
    at = max((place + 1 for place, piece in enumerate(pieces[:-1]) if piece == "?"), default=0)
    for lead in _CHINESE_LEAD:
        if tuple(pieces[at : at + len(lead)]) == lead:
            at += len(lead)
            break
    while at < len(pieces) and not is_word(pieces[at]):
        at += 1
    if pieces[at : at + 1] in _CHINESE_SOURCES:
        at = next((place + 1 for place in range(at, len(pieces)) if pieces[place] == ","), at)
    if at >= len(pieces):
        return ""
    if pieces[at : at + 2] in (("没", "错"), ("正", "确")):
        return "yes"
    if pieces[at : at + 2] == ("错", "误"):
        return "no"
    return "yes" if pieces[at] in _CHINESE_YES else "no" if pieces[at] in _CHINESE_NO else ""

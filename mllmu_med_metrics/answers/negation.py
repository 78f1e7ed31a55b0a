"""Which words of a sentence are denied: cues before and after them, within the clause.

The cues are of the kinds that NegEx (Chapman 2001) and ConText (Harkema 2009) name: denials before and after, phrases
that look like a denial and are none, and words that end a scope. A hedge that leaves a thing possible denies nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TypeAlias

from mllmu_med_metrics.answers.pieces import PUNCTUATION, is_han, word_set

# One table: kind -> cues. "a/b" is one word or the other; adverbs and "be" may stand between the words of a cue.
CUES = {
    # What turns the words after it into something denied, up to the end of the clause.
    "denies ahead": (
        "not", "never", "neither", "nor", "nothing", "hardly", "scarcely", "rather than", "instead of", "unlike",
        "in place of", "as opposed to", "far from", "anything but", "than", "denies/denied/deny",
        "fails/fail/failed/failure to", "unable to", "inability to", "unlikely", "improbable",
        "isnt", "arent", "wasnt", "dont", "doesnt", "didnt", "inconsistent/incompatible with",
        "evidence/argues/argue/speaks/speak against",
        "ask/asks/asked/asking whether/if", "question is whether", "doubt/doubts/doubtful that/whether/if/the/it/this",
    ),
    # The same, and a list without "or" goes on after a comma: "no cyst, nodule, mass".
    "denies a list ahead": (
        "no", "without", "none of", "lack of", "lacks", "lacking", "absence of", "absent", "free of/from", "clear of",
        "devoid of", "negative for", "neg for", "nil", "disappearance/resolution/clearance of",
    ),
    # Looks like a denial and is none.
    "denies nothing": (
        "not/isnt only/just/merely/simply/solely/necessarily", "no doubt/question/wonder/surprise/further/matter",
        "without doubt/question", "without a doubt", "not unlikely/absent/without/lack/unlike/improbable/unexpected",
        "not unexpectedly/surprisingly/uncommonly/infrequently", "not a surprise",
        "no small/less/fewer/more/other than",
        "none/nothing other/less/more than", "nothing but", "none but", "not more/less/fewer/other than",
        "not overlook/overlooked/miss/missed/ignore/ignored/forget/forgotten/neglect/neglected",
        "not to overlook/miss/ignore/forget/neglect",
        "not clear/certain/sure/known/obvious/tell/say/know/determine/decide/possible whether/if",
        "not/never anything but/other/less/except", "no reason to doubt", "not doubt/doubtful", "gram negative",
        "no evidence/sign/signs against", "not rule/argue/speak against",
        "near/almost/nearly complete resolution/clearance of",
        "incomplete/partial/near/delayed/slow/without resolution/clearance of",
    ),
    "evidence after all": ("no further evidence/sign/signs/indication/suggestion",),
    # Denies what follows; inside a denial it ends the denial ("nothing other than a cyst").
    "exception": ("other than", "except for", "except", "save for", "but for", "with the exception of"),
    # Adds what follows ("besides a cyst"), and ends a denial.
    "addition": ("apart from", "aside from", "besides", "in addition to", "as well as"),
    # Excludes what follows or precedes, unless it is not done or still to be done: then it leaves it possible.
    "excludes": ("exclude/excludes/excluded/excluding", "rule/rules/ruled/ruling out", "r/o", "排 除", "除 外"),
    "denies behind": (
        "absent", "unlikely", "improbable", "incorrect", "wrong", "false", "missing", "nowhere", "doubtful", "lacking",
        "not/never seen/visible/visualized/visualised/present/identified/evident/found/detected/observed/noted/shown",
        "not/never demonstrated/apparent/appreciated/there/affected/involved/used/performed/taken/acquired/applied",
        "not/never correct/right/true/confirmed/supported/proven/proved/suspected/suggested/recognized/recognised",
        "not/never discernible/discerned/delineated/located/diagnosed/indicated/depicted/reported/mentioned/documented",
        "not/never included/displayed/pictured/imaged/likely/probable/plausible/expected/viewed/perceived/perceptible",
        "not/never exist/made/encountered/revealed/established/considered/conspicuous/distinguishable/here/possible",
        "not/never the case/answer/correct/right/diagnosis/finding/cause", 
        "no longer seen/visible/visualized/visualised",
        "no longer present/identified/evident/found/detected/observed/noted/shown/demonstrated/apparent/appreciated",
        "no longer there/exist/exists/discernible/identifiable/suspected/recognizable/recognisable/perceptible",
        "not/never identifiable/recognizable/recognisable/detectable",
    ),
    "gone": ("resolved", "disappeared", "cleared", "vanished", "gone", "subsided", "resorbed", "removed", "excised"),
    # Chinese, one character a word.
    "denies ahead, in Chinese": (
        "没", "没 有", "未", "未 见", "无", "不", "不 是", "并 非", "并 不", "并 没 有", "非", "而 非", "否 认",
        "而 不 是", "不 存 在", "不 包 含", "不 包 括", "缺 乏", "缺 少",
    ),
    "denies nothing, in Chinese": (
        "无 法 排 除", "不 能 排 除", "不 除 外", "不 能 除 外", "未 排 除", "未 能 排 除", "难 以 排 除",
        "无 疑", "不 仅", "不 只", "不 但", "不 光", "不 变", "未 变",
        "没 有 变 化", "无 变 化", "无 明 显 变 化", "没 有 明 显 变 化",
    ),
    "denies behind, in Chinese": (
        "未 见", "未 显 示", "未 发 现", "没 有", "不 存 在", "不 可 见", "不 明 显", "看 不 到", "看 不 见", "消 失",
        "缺 如", "阴 性", "没 有 显 示", "未 出 现",
    ),
}  # fmt: skip

_BREAKS = frozenset(".;:!?()") | word_set(
    "but however although though while whereas yet nevertheless nonetheless because since albeit 但 而 却 然 因"
)
# What begins a statement of its own after a comma or "and".
_STARTERS = word_set(
    "the it its there this that these those they he she a an i we is are was were in on at instead rather but only "
    "just merely small mild moderate minimal slight trace tiny stable unchanged persistent normal clear unremarkable "
    "one two three four five several many multiple both which who whose so then therefore hence thus some"
)
_BEGINS_ANEW = _STARTERS | {"not", "no", "without"}
# A verb in what follows a comma makes it a statement, not the next thing of a list.
_VERBS = word_set("is are was were has have shows show can could may might remains remain persists appears")
# "No change in the mass": the mass is there. It is so before a preposition or a verb.
_CHANGES = word_set(
    "change changes increase decrease growth enlargement progression regression improvement worsening deterioration "
    "reduction difference displacement resolution expansion extension shrinkage variation alteration alterations "
    "evolution migration rupture widening narrowing healing shift disappearance recurrence complication complications "
    "interval"
)
_AFTER_CHANGE = word_set("in of to from for with since over compared regarding is was has between")
_SUBJECTS = word_set("it this that there these they")
_COPULAS = word_set("is are was were s shows show")
_BE = word_set("is are was were be been being s get gets got")
_AUXILIARIES = _BE | word_set(
    "has have had can could may might will would do does did should must to need needs appear appears appeared seem "
    "seems seemed remain remains become became"
)
_COMPARED = frozenset({"rather", "instead", "unlike", "as", "in"})
# With one of these before it in the clause an exclusion is not done ("not", "hard to") or still to do ("should").
_NOT_EXCLUDED = word_set(
    "not never unable impossible difficult hard no nothing without insufficient inability neither nor hardly should "
    "must need needs needed required recommended advised please further cant 不 无 未 难 需 应 待 没"
)
_DONE_BY = word_set("able possible us help helps used sufficient enough me")
_NOT_FULLY = word_set(
    "not never hardly almost partially partly nearly incompletely mostly largely yet to "
    "can could will should must may might"
)
_ALL_WELL = word_set("unremarkable normal clear negative healthy no nothing none not")
_WORD_NO = frozenset({"no", "none", "negative", "nil", "absent", "never", "无", "没", "否"})
_DENYING_LABELS = word_set("absent negative negatives excluded denied")
_EARLIER = frozenset({"before", "previously", "earlier", "prior", "previous"})
# "Not well seen" is seen.
_PARTLY = word_set("well fully entirely completely optimally")
_BETWEEN = word_set("be been being yet also at all fully so very quite any well even longer 明 显 见 任 何")
_ENDS = frozenset(".,;:!?()")

Trie: TypeAlias = Mapping[str, "Trie"]
Node: TypeAlias = dict[str, "Node"]


def _words_of(cues: Iterable[str]) -> list[tuple[str, ...]]:
    return [words for cue in cues for words in product(*(slot.split("/") for slot in cue.split()))]


def _trie(*kinds: str) -> Trie:
    root: Node = {}
    for words in _words_of(cue for kind in kinds for cue in CUES[kind]):
        node = root
        for word in words:
            node = node.setdefault(word, {})
        node[""] = {}
    return root


NO_DENIALS = _trie("denies nothing", "denies nothing, in Chinese")
_LISTING = _trie("denies a list ahead")
_DENIALS = _trie("denies ahead", "denies a list ahead", "denies ahead, in Chinese", "evidence after all")
_EXCEPTIONS = _trie("exception")
_ADDITIONS = _trie("addition")
_EXCLUSIONS = _trie("excludes")
_BEHIND = _trie("denies behind", "denies behind, in Chinese")
_GONE = _trie("gone")
_COMMON = frozenset({"of", "from", "for", "to", "out", "in", "as", "with", "is", "the", "on"})


def _telling(words: tuple[str, ...]) -> str:
    """Return the first word of a cue that is rare elsewhere."""
    return next(word for word in words if word not in _COMMON)


# Without any of these no word is denied by what stands before it.
_DENYING = frozenset(
    _telling(words)
    for kind in ("denies ahead", "denies a list ahead", "exception", "denies ahead, in Chinese", "excludes", "gone")
    for words in _words_of(CUES[kind])
) | {"non", *_DENYING_LABELS}
# Without any of these a clause does not deny what it named before.
_DENYING_BEHIND = (
    frozenset(
        _telling(words)
        for kind in ("denies behind", "denies behind, in Chinese", "excludes", "gone")
        for words in _words_of(CUES[kind])
    )
    | _WORD_NO
)


def _passing(piece: str) -> bool:
    """Say whether a word may stand inside a cue without changing it: an adverb, a form of "be"."""
    return piece in _BETWEEN or (piece.endswith("ly") and len(piece) > 4 and piece != "likely")


def cue_at(pieces: Sequence[str], at: int, cues: Trie) -> int:
    """Return the length of the longest cue that starts at a place, with the adverbs inside it; 0 where none does."""
    node = cues.get(pieces[at])
    if node is None:
        return 0
    longest = 0
    place = at + 1
    while node is not None:
        if "" in node:
            longest = place - at
        following = place
        while following < len(pieces) and pieces[following] not in node and following < place + 3:
            if not _passing(pieces[following]):
                break
            following += 1
        if following >= len(pieces):
            break
        node = node.get(pieces[following])
        place = following + 1
    return longest


def _list_goes_on(pieces: Sequence[str], comma: int, *, listing: bool) -> bool:
    """Say whether what follows a comma is the next thing of a list: "no cyst, nodule, or mass", "no cyst, mass"."""
    if comma + 1 < len(pieces) and is_han(pieces[comma + 1]):
        return False
    words: list[str] = []
    first = True
    for piece in pieces[comma + 1 :]:
        if piece in _BREAKS:
            break
        if piece == ",":
            words, first = [], False
            continue
        if not words and piece in _STARTERS:
            return listing and not first
        words.append(piece)
        if piece in ("or", "nor"):
            return True
        if len(words) > 4 or piece in _VERBS:
            return listing and not first
    return listing


def _left_open(pieces: Sequence[str], start: int, at: int) -> bool:
    """Say whether an exclusion at a place is not done or still to be done, by the clause before it."""
    before = pieces[start:at]
    if not _NOT_EXCLUDED.isdisjoint(before):
        return True
    if before and before[-1] == "to":
        return len(before) < 2 or before[-2] not in _DONE_BY
    return not before and pieces[at] in ("rule", "exclude")


def _ahead_of_passive(pieces: Sequence[str], at: int) -> bool:
    return at > 0 and (pieces[at - 1] in _BE or _passing(pieces[at - 1]))


def _gone_ahead(pieces: Sequence[str], at: int) -> bool:
    """Say whether "resolved" stands before what it is said of: "resolved pneumonia"."""
    return pieces[at] in ("resolved", "vanished") and (
        at == 0 or pieces[at - 1] in ("a", "an", "the", "now", "completely", "previously") or pieces[at - 1] in _BREAKS
    )


def _excepted(pieces: Sequence[str], start: int, at: int, *, scope: bool) -> bool:
    """Say whether the exception at a place denies what follows it: not where all else is denied or well."""
    if scope or not _ALL_WELL.isdisjoint(pieces[start:at]):
        return False
    if at == start:
        rest = pieces[at:]
        end = next((index for index, piece in enumerate(rest) if piece in ".;!?"), len(rest))
        return _ALL_WELL.isdisjoint(rest[:end])
    return True


def _change(pieces: Sequence[str], at: int) -> bool:
    return pieces[at] in _CHANGES and at + 1 < len(pieces) and pieces[at + 1] in _AFTER_CHANGE


def _denies(pieces: Sequence[str], at: int, following: str) -> bool:
    """Say whether a cue at a place denies what follows: "No, ..." and "No the lesion is ..." answer a question."""
    piece = pieces[at]
    if piece in ("no", "不", "没", "无", "非") and (following in PUNCTUATION or following in _SUBJECTS):
        return False
    if piece == "no" and following == "the":
        return False
    return piece != "than" or at == 0 or pieces[at - 1] not in ("more", "less", "fewer") or not following.isdigit()


def _denying_label(pieces: Sequence[str], start: int, colon: int) -> bool:
    """Say whether a label denies all that it lists: "Absent: cyst, nodule"."""
    label = pieces[start:colon]
    if len(label) == 1:
        return label[0] in _DENYING_LABELS
    return len(label) == 2 and (label[0] == "not" or label[1] in ("negatives", "negative"))


def denied_ahead(pieces: Sequence[str]) -> list[bool]:
    """Mark each piece that stands in the scope of a denial before it."""
    denied = [False] * len(pieces)
    if _DENYING.isdisjoint(pieces):
        return denied
    scope = compared = listing = False
    at = start = 0
    while at < len(pieces):
        piece = pieces[at]
        following = pieces[at + 1] if at + 1 < len(pieces) else "."
        ends_at_comma = piece == "," and not (scope and _list_goes_on(pieces, at, listing=listing))
        new_statement = piece == "and" and following in _STARTERS
        back_to_subject = compared and piece in _SUBJECTS and following in _COPULAS
        if (piece in _BREAKS and not (piece == "yet" and at and pieces[at - 1] == "not")) or (
            ends_at_comma or new_statement or back_to_subject
        ):
            scope = listing = piece == ":" and _denying_label(pieces, start, at)
            compared = False
            at += 1
            start = at
            continue
        skip = cue_at(pieces, at, _EXCLUSIONS)
        if skip:
            if _left_open(pieces, start, at):
                denied[start : at + skip] = [False] * (at + skip - start)
                scope = False
            else:
                denied[at : at + skip] = [scope] * skip
                scope, listing = scope or not _ahead_of_passive(pieces, at), True
            at += skip
            continue
        skip = cue_at(pieces, at, NO_DENIALS)
        longer = cue_at(pieces, at, _DENIALS)
        if skip and longer <= skip:
            scope = compared = False
            at += skip
            continue
        skip = cue_at(pieces, at, _ADDITIONS)
        if skip:
            scope = compared = False
            at += skip
            continue
        skip = cue_at(pieces, at, _EXCEPTIONS)
        if skip:
            scope, compared = _excepted(pieces, start, at, scope=scope), False
            denied[at : at + skip] = [scope] * skip
            at += skip
            continue
        if scope and _change(pieces, at):
            scope = False
        if longer and _denies(pieces, at, following):
            denied[at : at + longer] = [scope] * longer
            scope, compared = True, piece in _COMPARED
            listing = cue_at(pieces, at, _LISTING) > 0
            at += longer
            continue
        if _gone_ahead(pieces, at):
            scope = True
        denied[at] = scope or (at > 0 and pieces[at - 1] == "non")
        at += 1
    return denied


def _denied_by_label(pieces: Sequence[str], at: int, name: str) -> bool:
    """Say whether what follows a label denies it: "effusion: none", "mass (absent)", "nodule: not seen"."""
    while at < len(pieces) and pieces[at] in ":(":
        at += 1
    if at >= len(pieces):
        return False
    following = pieces[at + 1] if at + 1 < len(pieces) else "."
    if pieces[at] == "no":
        clause = pieces[at + 1 : at + 5]
        end = next((index for index, piece in enumerate(clause) if piece in _ENDS), len(clause))
        return following in _ENDS or following in ("evidence", "sign", "signs") or name in clause[:end]
    if pieces[at] in _WORD_NO:
        return True
    return pieces[at] == "not" and (following in _ENDS or cue_at(pieces, at, _BEHIND) > 0)


def _seen_before(pieces: Sequence[str], at: int) -> bool:
    """Say whether "not seen" goes on with "before", "on the prior scan": then it is new."""
    return not _EARLIER.isdisjoint(pieces[at : at + 4])


def _verdict(pieces: Sequence[str], end: int, at: int) -> bool | None:
    """Say whether the words at a place deny what the clause named before `end`; None where they say nothing of it."""
    piece = pieces[at]
    following = pieces[at + 1] if at + 1 < len(pieces) else "."
    skip = cue_at(pieces, at, _EXCLUSIONS)
    if skip:
        passive = at == end or pieces[at - 1] in _BE or _passing(pieces[at - 1]) or is_han(piece)
        if piece in ("excluded", "ruled", "排", "除") and passive:
            return not _left_open(pieces, end, at)
        return False
    skip = cue_at(pieces, at, _BEHIND)
    if skip:
        return not _seen_before(pieces, at + skip) and _PARTLY.isdisjoint(pieces[at : at + skip])
    if cue_at(pieces, at, _GONE):
        return _NOT_FULLY.isdisjoint(pieces[end:at])
    if piece in _WORD_NO or piece == "not":
        if following in _ENDS or following in ("and", "or"):
            return at == end or piece != "no"
        return None if piece in ("not", "never") else False
    return None


def denied_behind(pieces: Sequence[str], end: int) -> bool:
    """Say whether the clause goes on to deny what it named before `end`: "the cyst is not seen", "cyst: none"."""
    if _DENYING_BEHIND.isdisjoint(pieces):
        return False
    stated = False
    others = 0.0
    for at in range(end, len(pieces)):
        piece = pieces[at]
        if piece in ":(":
            return others <= 2 and _denied_by_label(pieces, at, pieces[end - 1])
        if piece in ".,;!?)" or (piece in _BREAKS and piece != "yet"):
            return False
        if piece in ("and", "or") and at + 1 < len(pieces) and pieces[at + 1] in _BEGINS_ANEW:
            return False
        verdict = _verdict(pieces, end, at)
        if verdict is not None:
            return verdict
        if piece in _AUXILIARIES:
            stated = True
        elif piece in ("not", "never") or _passing(piece) or piece in _NOT_FULLY:
            continue
        elif stated:
            return False
        else:
            others += 1 if not is_han(piece) else 0.5
            if others > 5:
                return False
    return False

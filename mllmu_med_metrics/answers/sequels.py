"""What a sentence goes on to say of a thing that it has named: "the cyst is not seen", "cyst: none", "it has resolved"."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.clauses import (
    AUXILIARIES,
    BE,
    BREAKS,
    ENDS,
    SENTENCE_ENDS,
    STARTERS,
    left_open,
    next_stop,
    past_aside,
    start_of_clause,
    start_of_sentence,
)
from mllmu_med_metrics.answers.cues import CUES, cue_at, cue_of, passing, telling_words_of, trie
from mllmu_med_metrics.answers.pieces import is_han, word_set

# What is said of a thing: nothing of the kind, that it is not there, that the statement is wrong, that it is there.
NOTHING, DENIED, WRONG, AFTER_ALL = "", "denied", "wrong", "after all"

_KINDS = (
    "denies behind", "denies behind, in Chinese", "gone", "gone, in Chinese", "calls wrong", "undoes", "excludes"
)  # fmt: skip
_CUES = trie(*_KINDS)
_TAILS = trie("one after all")
_WORD_NO = frozenset({"no", "none", "negative", "nil", "absent", "never", "neg", "nope", "无", "没", "否"})
_LABEL_NO = _WORD_NO | {"nothing", "false", "neither"}
# "Ruled it out", "disagree".
_LOST = word_set(
    "disagree wrong false incorrect mistaken excluded excludes exclude ruled rule rules refuted refutes rejected disproved disproves dismissed discarded"
)
# Without any of these a text does not deny what it named before.
TELLING = telling_words_of(*_KINDS) | _LABEL_NO | word_set("free n 0 not neither nothing hardly nor 外") | _LOST
# What one after all begins with, and without which a denial before a thing stands.
_RETURNS = frozenset(_TAILS)
UNDOING = _RETURNS | telling_words_of("calls wrong", "undoes")

_SPLIT = frozenset({"not", "never", "no", "without"})
_BEGINS_ANEW = STARTERS | _SPLIT
_NOT_FULLY = word_set(
    "not never hardly almost partially partly nearly incompletely mostly largely yet to unable "
    "can could will should must may might 未 没 不 尚 部 待 分"
)
_PARTIAL = word_set("almost partially partly nearly incompletely mostly largely yet may might could can")
_CLEAR = word_set("clear visible seen obvious evident apparent present well better possible likely there shown")
_WELL = word_set("excluded ruled absent normal clear spared unaffected unremarkable resolved gone")
_POSSIBLE = word_set("likely probable possible")
_ALL_WELL = (("normal",), ("negative",), ("clear",), ("unremarkable",))
_PARTS = word_set(
    "tip end margin margins border borders wall walls edge edges top bottom rest extent size origin cause lumen neck dome "
    "outline centre center interior"
)
_UNLIKELY = word_set("unlikely improbable likely probable")
_REFUTES = word_set("not never hardly isnt arent wasnt nothing 不 未 没 非")
# "Not well seen" is seen.
_PARTLY = word_set("well fully entirely completely optimally")
_EARLIER = word_set("before previously earlier prior previous yesterday last ago")
# How a verdict is reached: "is most unlikely", "was considered excluded", "have all resolved".
_STANCE = word_set(
    "most rather quite very too far less more highly considered thought felt deemed judged regarded believed held as to "
    "be been now then therefore thus hence again still also all both each either simply safely since however clearly "
    "in fact not of it for after"
)
_PLURAL = word_set("are were have can could may might should do")
_PREDICATES = _PLURAL | word_set("is was has does did")
_SAYS = word_set(
    "is are was were has have shows show see sees saw reveals demonstrates there can could depicts i we suggests noted"
)
_PRONOUNS = word_set("it there this that they he she we i which who whose that")
# Verbs of what was named: what they govern is another thing.
_GOVERNS = word_set(
    "makes make renders render shows show suggests argues excludes indicates favors favours supports explains causes "
    "means reveals represents confirms displaces compresses invades contains abuts extends occupies obscures fills"
)
_SOUGHT = word_set(
    "suspected sought considered thought questioned searched looked expected raised feared suspicion concern queried"
)
_HEARSAY = _SOUGHT | word_set(
    "reported described mentioned mentions reports resembles resemble looks look might may could think thought earlier "
    "prior previous previously last ask asks asked asking wonder wonders wants history diagnosed worried"
)
_STUDIES = word_set("scan study image film ct mri xray radiograph examination exam result ultrasound view")
_FREE_THINGS = word_set("of from air fluid gas intraperitoneal flowing floating wall margin edge fragment fragments")
_PERFECT = frozenset({"has", "have", "had"})
_RELATIVES = frozenset({"which", "that", "who"})
_PARTICIPLES = word_set("not ruled rejected refuted excluded discarded dismissed disproved")
_EXCEPTS = tuple((word,) for word in ("apart", "aside", "besides", "except", "save", "other"))
_AS_FOR = word_set(
    "as regards regarding concerning with for to regard respect about on the a an any of presence possible"
)
_FILLERS = word_set(
    "and but yet however although though now today here then currently so in fact , i we have on this image scan study a an "
    "small tiny subtle early minor review inspection second look closer"
)
_NOW_OR_END = ENDS | word_set("seen present visible found identified here now today detected and noted evident")
# What stands for a thing named before; a clause of these and the next words alone is about that thing.
_STANDS_FOR = word_set("it they them this that these those one ones any such")
_OBJECTS = _STANDS_FOR - {"they"}
_SEEING = word_set(
    "see saw seen find found visible detect detected identify identified noted observed present evident demonstrated show "
    "shows shown confirm confirmed confirms proven proved proves exist exists support supported supports borne bear bears "
    "agree agreed out verified verify recognized appreciated perceptible substantiated case made true so"
)
_ANAPHORIC = (
    _STANDS_FOR
    | _SEEING
    | AUXILIARIES
    | word_set(
        "none neither nothing either there here i we you the a an of on in to image images scan film films study picture slice "
        "view radiograph examination today now currently longer anymore anywhere since however sign evidence trace hint answer not no "
        "never nor hardly has"
    )
)
_NAMES_NONE = (
    _STANDS_FOR
    | _SEEING
    | AUXILIARIES
    | word_set(
        "none neither nothing today now currently longer anymore anywhere here sign evidence trace hint excluded ruled "
        "refuted rejected disproved dismissed discarded disagree"
    )
)
_NEGATES = word_set("not no none neither nothing never nor hardly")
_GONE = frozenset(cue for cue in CUES["gone"] if " " not in cue)
_UNCHANGED = word_set("增 大 缩 小 变 化 扩 进 展 改 好 转 减 强 移 异 破 受 侵 加 明 钙 坏 隔 狭 阻")


# What may say something of the thing or end its clause; every other word only stands between.
_WATCHED = (
    frozenset(_CUES) | BREAKS | AUXILIARIES | _WORD_NO | _GOVERNS | _REFUTES | _NOT_FULLY | word_set(", and or not likely probable possible")
)  # fmt: skip


def _denies_it(clause: Sequence[str]) -> bool:
    """Say whether a clause denies a thing that it does not name: "there is none", "I did not find one", "MRI excluded it".

    It may name only who or what did not find it.
    """
    agent = next((at for at, word in enumerate(clause) if word in AUXILIARIES or word in _SEEING or word in _LOST), 0)
    if agent > 3 or _OBJECTS.isdisjoint(clause[agent:]):
        agent = 0
    if tuple(clause) == ("not", "one"):
        return False
    known = all(word in _ANAPHORIC or word in _LOST or word in _GONE or passing(word) for word in clause[agent:])
    if not known or _NAMES_NONE.isdisjoint(clause) or not _EARLIER.isdisjoint(clause):
        return False
    lost = not _LOST.isdisjoint(clause)
    gone = not _GONE.isdisjoint(clause)
    if gone and not _PARTIAL.isdisjoint(clause):
        return False
    negated = sum(word in _NEGATES for word in clause) % 2 == 1
    return negated != (lost or gone)


class _Sequel:
    """Reads on behind a thing named at pieces[first:end]."""

    def __init__(self, pieces: Sequence[str], first: int, end: int) -> None:
        self.pieces, self.first, self.end = pieces, first, end

    def _at(self, at: int) -> str:
        return self.pieces[at] if at < len(self.pieces) else "."

    def read(self) -> str:
        if self._at(self.end) == "free" and self._at(self.end + 1) not in _FREE_THINGS:
            return DENIED
        if self._is_the_whole():
            return NOTHING
        if self._at(self.end) == "外" and "除" in self.pieces[: self.first]:
            return NOTHING
        return self._clause(self._after_relative(self.end))

    def _is_the_whole(self) -> bool:
        """Say whether the sentence goes on about a part of the thing: "the tip of the tube is not seen"."""
        at = self.first - (self.first > 0 and self.pieces[self.first - 1] in ("the", "a", "an", "this"))
        return at > 1 and self.pieces[at - 1] == "of" and self.pieces[at - 2] in _PARTS

    def _after_relative(self, at: int) -> int:
        """Return the place of the main verb after a relative clause, "the cyst that was there HAS healed", or the place."""
        if self._at(at) not in ("that", "which"):
            return at
        verbs = []
        for place in range(at + 1, min(at + 10, len(self.pieces))):
            if self.pieces[place] in BREAKS or self.pieces[place] == ",":
                break
            if self.pieces[place] in _PREDICATES and self.pieces[place - 1] not in AUXILIARIES:
                verbs.append(place)
        return verbs[1] if len(verbs) > 1 else at

    def _clause(self, begin: int) -> str:
        """Read the clause on from a place up to what is said of the thing, or up to its end."""
        pieces = self.pieces
        stated = refuted = False
        others = 0.0
        at = begin
        while at < len(pieces):
            piece = pieces[at]
            if piece not in _WATCHED and not stated and not is_han(piece) and not passing(piece):
                others += 1
                at += 1
                if others > 5:
                    return self._later(at)
                continue
            if piece in ":(":
                return self._label(at) if others <= 2 and not stated else NOTHING
            if piece == ",":
                return self._after_comma(at, others)
            if piece in BREAKS and piece != "yet" and not (piece == "since" and self._at(at - 1) in _PERFECT):
                return self._after_break(at)
            if piece in ("and", "or") and (stated or self._at(at + 1) in _BEGINS_ANEW):
                return self._after_and(at)
            length, kind = cue_of(pieces, at, _CUES) if piece in _CUES else (0, "")
            if length:
                return self._weigh(at, length, kind, begin, stated=stated, refuted=refuted)
            if piece in _WORD_NO or piece == "not":
                word = self._bare(at)
                if word is not None:
                    return word
            if piece in _GOVERNS or (piece in _POSSIBLE and self._at(at + 1) == "and"):
                return NOTHING
            if piece in AUXILIARIES:
                stated = True
            elif piece in _REFUTES:
                refuted = True
            elif passing(piece) or piece in _NOT_FULLY or (stated and (piece in _STANCE or piece in _SOUGHT)):
                pass
            elif stated:
                return self._later(at)
            else:
                others += 0.5 if is_han(piece) else 1
                if others > 5:
                    return self._later(at)
            at += 1
        return NOTHING

    def _later(self, at: int) -> str:
        """Return what the next clause of the sentence says of the thing, after the end of this one."""
        for place in range(at, min(at + 12, len(self.pieces))):
            if self.pieces[place] == "?":
                return NOTHING
            if self.pieces[place] in BREAKS or self.pieces[place] in (",", "and"):
                word = self._after_break(place) if self.pieces[place] in BREAKS else self._tail(place)
                if word or self.pieces[place] in SENTENCE_ENDS:
                    return word
        return NOTHING

    def _bare(self, at: int) -> str | None:
        """Return what a lone "no", "none" or "not" says; None where it is part of something longer."""
        piece, following = self.pieces[at], self._at(at + 1)
        if piece == "not" and past_aside(self.pieces, at + 1) > at + 1:
            return None
        if following in ENDS or following in ("and", "or"):
            denies = (at == self.end or piece != "no") and not (piece == "not" and self._after_an_absence())
            return DENIED if denies else NOTHING
        return None if piece in ("not", "never") else NOTHING

    def _after_an_absence(self) -> bool:
        """Say whether the clause before says of another thing that it is excluded or normal: "A is excluded, B is not"."""
        start = start_of_sentence(self.pieces, max(0, start_of_sentence(self.pieces, self.first) - 1))
        if "." in self.pieces[start : self.first]:
            start = start_of_sentence(self.pieces, self.first)
        before = self.pieces[start : self.first]
        return not _WELL.isdisjoint(before) and _NEGATES.isdisjoint(before)

    def _weigh(self, at: int, length: int, kind: str, begin: int, *, stated: bool, refuted: bool) -> str:
        """Return what a cue says, by its kind and by what stands before it and after it."""
        pieces, beyond = self.pieces, at + length
        direct = stated or at == begin or passing(pieces[at - 1]) or is_han(pieces[at])
        if kind == "excludes":
            passive = at == begin or pieces[at - 1] in BE or passing(pieces[at - 1]) or direct
            if not passive or pieces[at] not in ("excluded", "ruled", "排", "除"):
                return NOTHING
            return NOTHING if left_open(pieces, begin, at) else DENIED
        if kind.startswith("gone"):
            before = pieces[begin : at - 2] if pieces[at - 2 : at] == ("to", "have") else pieces[begin:at]
            gone = direct and _NOT_FULLY.isdisjoint(before) and not self._is_false(beyond)
            return DENIED if gone else NOTHING
        if kind == "undoes":
            return AFTER_ALL
        if refuted or self._attributive(at, length, direct):
            return NOTHING
        if kind == "calls wrong" and pieces[beyond - 1] == "right" and "left" in pieces:
            return NOTHING
        if kind == "calls wrong":
            return NOTHING if self._at(beyond) in ("for", "to") else WRONG
        if kind.endswith("Chinese"):
            return NOTHING if self._at(beyond) in _UNCHANGED else DENIED
        if self._reopened(beyond) or self._of_a_property(at, beyond):
            return NOTHING
        earlier = not _EARLIER.isdisjoint(pieces[at : beyond + 4]) or (
            self._at(beyond) == "in" and self._at(beyond + 1).isdigit() and len(self._at(beyond + 1)) == 4
        )
        return NOTHING if earlier or not _PARTLY.isdisjoint(pieces[at:beyond]) else DENIED

    def _reopened(self, at: int) -> bool:
        """Say whether what is called unlikely is left possible all the same: "unlikely but cannot be excluded"."""
        turn = next(
            (place for place in range(at, min(at + 7, len(self.pieces))) if self.pieces[place] in ENDS | {"but"}), at
        )
        if (
            self._at(turn) == "but"
            and self._at(turn + 1) in BE
            and not _CLEAR.isdisjoint(self.pieces[turn + 2 : turn + 5])
        ):
            return True
        if self._at(at) not in ("but", "though", "although", "yet", ",", "nor"):
            return False
        rest = self.pieces[at + 1 : at + 7]
        return "possible" in rest or (
            ("not" in rest or self._at(at) == "nor")
            and not {"excluded", "ruled", "impossible", "dismissed"}.isdisjoint(rest)
        )

    def _of_a_property(self, at: int, beyond: int) -> bool:
        """Say whether only a property is called unlikely: "unlikely to be benign", and not "unlikely to be there"."""
        unlikely = not _UNLIKELY.isdisjoint(self.pieces[at:beyond])
        return unlikely and self._at(beyond) == "to" and _SEEING.isdisjoint(self.pieces[beyond : beyond + 4])

    def _is_false(self, at: int) -> bool:
        """Say whether a statement up to a place is called false: "the claim that the cyst has resolved is wrong"."""
        return self._at(at) in BE and cue_of(self.pieces, at + 1, _CUES)[1] == "calls wrong"

    def _attributive(self, at: int, length: int, direct: bool) -> bool:
        """Say whether a lone word belongs to what follows it: "a fracture with absent callus"."""
        return length == 1 and not direct and self._at(at + 1) not in ENDS

    def _label(self, at: int) -> str:
        """Return what follows a label: "effusion: none", "mass (absent)", "nodule: not seen", "cyst: all gone"."""
        pieces = self.pieces
        while self._at(at) in ":(" or self._at(at) in ("all", "both") or (at < len(pieces) and passing(pieces[at])):
            at += 1
        piece, following = self._at(at), self._at(at + 1)
        if piece == "no":
            clause = pieces[at + 1 : at + 5]
            stop = next((place for place, word in enumerate(clause) if word in ENDS), len(clause))
            plain = following in ENDS or following in ("evidence", "sign", "signs")
            return DENIED if plain or pieces[self.end - 1] in clause[:stop] else NOTHING
        if piece in _LABEL_NO or (piece in ("n", "0") and (following in ENDS or following == "a")):
            return DENIED
        if piece == "not" and following in ENDS:
            return DENIED
        if piece in ("i", "we"):
            at += 2 if following in AUXILIARIES else 1
        length, kind = cue_of(pieces, at, _CUES)
        return self._weigh(at, length, kind, at, stated=False, refuted=False) if length else NOTHING

    def _after_comma(self, comma: int, others: float) -> str:
        """Return what is said after a comma: of a list, by an aside, a relative clause, or a lone verdict."""
        following = self._at(comma + 1)
        if following in ("but", "yet"):
            return self._after_break(comma + 1)
        # "There is a cyst, isn't there."
        if following in AUXILIARIES and self._at(comma + 2) == "not" and self._at(comma + 3) in _PRONOUNS:
            return NOTHING
        if following in _LABEL_NO and self._at(comma + 2) in ENDS and self._at(comma + 2) != "?":
            return DENIED if self._stands_alone() else NOTHING
        lone = comma + 1
        while lone + 1 < len(self.pieces) and (
            passing(self._at(lone)) or self._at(lone) in ("now", "since", "现", "已")
        ):
            lone += 1
        length, kind = cue_of(self.pieces, lone, _CUES) if lone < len(self.pieces) else (0, "")
        if length and self._at(lone + length) in ENDS:
            return self._weigh(lone, length, kind, lone, stated=False, refuted=False)
        main = self._main_verb(comma)
        if main:
            return self._clause(main)
        if following in _RELATIVES and others <= 2:
            word = self._clause(comma + 2)
            return word if word == DENIED and self._at_end_of_cue(comma + 2) else NOTHING
        predicate = self._predicate_of_list()
        if predicate:
            return self._clause(predicate)
        if _AS_FOR.issuperset(self.pieces[start_of_clause(self.pieces, self.first) : self.first]) and (
            following in _PRONOUNS or following in ("none", "no")
        ):
            word = self._tail(comma)
            return word or self._clause(comma + 2)
        return self._tail(comma)

    def _stands_alone(self) -> bool:
        """Say whether the thing is named in a clause without a verb before it, and not as an exception."""
        before = self.pieces[start_of_clause(self.pieces, self.first) : self.first]
        return _SAYS.isdisjoint(before) and before[:1] not in _EXCEPTS

    def _at_end_of_cue(self, begin: int) -> bool:
        """Say whether the denial in a clause is its end: "not visible." and not "not visible on the other view"."""
        for at in range(begin, min(begin + 6, len(self.pieces))):
            length, _ = cue_of(self.pieces, at, _CUES)
            if length:
                after = self._at(at + length)
                return after in ENDS or after in ("here", "now", "today", "anywhere", "completely", "since")
        return False

    def _main_verb(self, comma: int) -> int:
        """Return the place of the verb after an aside between commas: "a mass, while possible, is unlikely"."""
        for at in range(comma + 1, min(comma + 12, len(self.pieces))):
            if self.pieces[at] in SENTENCE_ENDS:
                return 0
            if self.pieces[at] == ",":
                return at + 1 if self._at(at + 1) in AUXILIARIES else 0
        return 0

    def _predicate_of_list(self) -> int:
        """Return the place of what is said of a list that the thing begins: "cyst, nodule and mass ARE absent"."""
        if not self._stands_alone():
            return 0
        joined = ""
        items, words = 1, 1
        for at in range(self.end, len(self.pieces)):
            piece = self.pieces[at]
            if piece in ("and", "or", "nor"):
                joined, items, words = piece, items + (self._at(at - 1) != ","), 0
            elif piece == ",":
                if joined:
                    return at + 1 if self._at(at + 1) in _LABEL_NO or self._at(at + 1) in ("all", "both", "each") else 0
                items, words = items + 1, 0
            elif piece == ":":
                return at if items > 1 else 0
            elif piece in _POSSIBLE and self._at(at - 1) != "less":
                return 0
            elif piece in _PREDICATES:
                plural = piece in _PLURAL or joined != "and"
                return at if joined and items > 1 and plural else 0
            elif cue_at(self.pieces, at, _CUES) and piece != "no":
                return at if joined else 0
            elif piece in BREAKS or piece in _PRONOUNS or piece in _SPLIT:
                return 0
            else:
                words += 1
                if words > 5:
                    return 0
        return 0

    def _after_and(self, at: int) -> str:
        """Return what is said after "and": of both, or of what was only suspected ("and not confirmed")."""
        predicate = self._predicate_of_list()
        if predicate:
            return self._clause(predicate)
        if self._at(at + 1) in AUXILIARIES:
            return self._clause(at + 1)
        return self._refuted_after(at) or self._tail(at)

    def _after_break(self, at: int) -> str:
        """Return what the next clause says of the thing by a pronoun, or of what was only suspected."""
        turns = self.pieces[at] in ("but", "yet") or (
            self.pieces[at] == "." and not _STUDIES.isdisjoint(self.pieces[at + 1 : at + 3])
        )
        return (turns and self._refuted_after(at)) or self._tail(at)

    def _refuted_after(self, at: int) -> str:
        """Return what is said after "and" or "but" of what was only suspected or sought."""
        if _SOUGHT.isdisjoint(self.pieces[start_of_clause(self.pieces, self.first) : at]):
            return NOTHING
        at += 1
        clause = self.pieces[at : next_stop(self.pieces, at)]
        # "A stone was suspected, but CT is normal."
        if len(clause) <= 6 and clause[-1:] in _ALL_WELL and not AUXILIARIES.isdisjoint(clause):
            return DENIED
        while self._at(at) in AUXILIARIES:
            at += 1
        length, kind = cue_of(self.pieces, at, _CUES) if at < len(self.pieces) else (0, "")
        return self._weigh(at, length, kind, at, stated=False, refuted=False) if length else NOTHING

    def _tail(self, at: int) -> str:
        """Return what a clause of none or of one says: "and there is none", "but it is not", "now there is one"."""
        full_stop = self.pieces[at] in SENTENCE_ENDS
        at += 1
        while self._at(at) in _FILLERS and at < len(self.pieces):
            at += 1
        if at >= len(self.pieces):
            return NOTHING
        length = cue_at(self.pieces, at, _TAILS)
        if length and self._at(at + length) in _NOW_OR_END and self._at(at + length) != ",":
            return AFTER_ALL
        end = at
        while self._at(end) not in ENDS and self._at(end) not in BREAKS:
            end += 1
        clause = self.pieces[at:end]
        # A new sentence that only says "none", "not seen" or "neither" may be about something else.
        if self._at(end) == "?" or (full_stop and (len(clause) == 1 or (clause[:1] and clause[0] in _PARTICIPLES))):
            return NOTHING
        return DENIED if _denies_it(clause) else NOTHING


def appears_after_all(pieces: Sequence[str], end: int) -> bool:
    """Say whether the clause after the one that named a thing at pieces[:end] says that there is one now."""
    if _RETURNS.isdisjoint(pieces[end:]):
        return False
    for at in range(end, min(end + 12, len(pieces))):
        if pieces[at] in BREAKS or pieces[at] == ",":
            return _Sequel(pieces, end, end)._tail(at) == AFTER_ALL
    return False


def only_suspected(pieces: Sequence[str], first: int) -> bool:
    """Say whether the clause of what is named at pieces[first] only suspects, seeks, likens or reports it.

    "A stone was suspected", "it resembles a stone", "the report mentions a stone": a later denial outweighs it.
    """
    start = start_of_clause(pieces, first)
    return not _HEARSAY.isdisjoint(pieces[start : next_stop(pieces, first)])


def sequel(pieces: Sequence[str], first: int, end: int) -> str:
    """Return what the text goes on to say of what it named at pieces[first:end]: DENIED, WRONG, AFTER_ALL or NOTHING."""
    if TELLING.isdisjoint(pieces[end:]):
        return NOTHING
    return _Sequel(pieces, first, end).read()

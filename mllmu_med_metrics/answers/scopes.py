"""Which words stand in the scope of a denial before them: "no cyst or mass", "a cyst rather than a mass"."""

from collections.abc import Callable, Sequence

from mllmu_med_metrics.answers.clauses import (
    AUXILIARIES,
    BE,
    BREAKS,
    STARTERS,
    end_of_sentence,
    left_open,
    next_stop,
    past_aside,
    start_of_sentence,
)
from mllmu_med_metrics.answers.cues import cue_of, passing, telling_words_of, trie
from mllmu_med_metrics.answers.pieces import PUNCTUATION, is_han, word_set

# How a word stands to the cues before it. What is doubted is said to be untrue, so that a denial of it says it.
SAID, DENIED, DOUBTED = 0, 1, 2

_DENYING_KINDS = (
    "denies ahead", "denies a list ahead", "names an absence", "compares", "speaks against", "denies a statement",
    "less than", "not so much", "denies ahead, in Chinese", "evidence after all",
)  # fmt: skip
_CUES = trie(
    "excludes", "leaves open", "limits a denial", "denies nothing", "denies nothing, in Chinese", "addition", "exception", *_DENYING_KINDS
)  # fmt: skip
_LISTING = frozenset({"denies a list ahead", "names an absence", "excludes"})
_LABELS = word_set("absent negative negatives excluded denied missing")
_SEEN = word_set("seen present visible found identified detected shown observed noted")
_RULING = word_set("rule rules ruled ruling")
_TELLS_APART = word_set("distinguish distinguishes differentiate differentiates sets set separates apart")
# Without any of these no word is denied by what stands before it.
TELLING = (
    telling_words_of("excludes", "exception", *_DENYING_KINDS)
    | _LABELS
    | _RULING
    | {"non", "too", "against", "pseudo", "like", "resolved", "vanished", "over"}
    | _TELLS_APART
)

# A verb in what follows a comma makes it a statement, not the next thing of a list.
_VERBS = word_set("is are was were has have shows show can could may might remains remain persists appears")
# What a list that is denied is called after it: "no cyst and no mass are seen".
_SEEN_OR_NOT = _SEEN | word_set(
    "evident noticed appreciated demonstrated excluded apparent there suspected visualized visualised depicted not"
)
_ARTICLES = frozenset({"a", "an", "any"})
# What the subject goes on to do: "excludes a mass and shows a cyst".
_GOES_ON = word_set(
    "shows reveals confirms demonstrates suggests supports favors favours indicates depicts points has reports go "
    "for toward towards proves establishes identifies detects yes typical consistent compatible suggestive"
)
# "No change in the mass": the mass is there. It is so before a preposition or a verb.
_CHANGES = word_set(
    "change changes increase decrease growth enlargement progression regression improvement worsening deterioration "
    "reduction difference displacement resolution expansion extension shrinkage variation alteration alterations conversion transformation cause causes explanation source "
    "evolution migration rupture widening narrowing healing shift disappearance complication complications "
    "interval invasion infiltration compression treatment therapy surgery biopsy intervention"
)
_AFTER_CHANGE = word_set("in of to from for with since over compared regarding is was has between")
# "No septa within the cyst": the cyst is there.
_FEATURES = _CHANGES | word_set(
    "septa septum septation septations enhancement calcification calcifications wall air gas fluid fat flow signal "
    "vascularity component components debris necrosis restriction effect thickening stranding halo rim leak obstruction"
)
_AROUND = word_set("within in inside around surrounding from by into beyond along near adjacent across through")
_POINTERS = word_set("the this that its these those")
_SUBJECTS = word_set("it this that there these they")
_COPULAS = word_set("is are was were s shows show")
# What an absence does: "absence of a wall suggests a cyst".
_TELLS = word_set(
    "suggests suggest makes make points point indicates indicate favors favours supports means implies confirms proves "
    "helps leaves speaks argues identifies defines"
)
# What is not overlooked is there: "no one can overlook the effusion".
_OVERLOOKS = word_set("overlook miss deny ignore doubt dispute neglect forget")
_EXAMPLES = word_set("such like including specifically especially particularly e eg")
_EXAMPLES_HAN = ("例如", "比如", "包括", "诸如")
_ALL_WELL = word_set("unremarkable normal clear negative healthy no nothing none not fine okay ok intact")
_OUTRIGHT = word_set("free devoid clear bereft")
# A denial of one of these right before it says the thing: "does not lack", "did not fail to show".
_CONTENT = word_set("fail fails failed failure lack lacks lacking absence absent without unlikely improbable devoid")
# "No evidence that the cyst has grown": the cyst is there.
_HAS_CHANGED = word_set(
    "grown grow growing shrunk changed change enlarged increased decreased ruptured moved migrated progressed worsened "
    "improved displaced extended spread bled invaded infiltrated"
)
_SIDES = frozenset({"left", "right"})
_ARGUES = word_set("argues argue arguing speaks speak speaking evidence favors favours points suggests")
_BEING = word_set("be call represent qualify count have constitute")
_UNREAD = word_set("out assessed evaluated included imaged demonstrated tested")
_NOT_LIKENED = _POINTERS | _ARTICLES | word_set("on in those they one what")
_PREPOSITIONS = word_set("of in on at from within for with to by into and or nor")
_FINITE = word_set("is are was were has have shows show remains remain appears appear")
_PREFERS = word_set("favor favors favored favour favours favoured prefer prefers preferred choose chosen choosing pick")
_BEFORE_RESOLVED = word_set("a an the now completely previously")


# What may open a scope or end a clause, and within an open scope change or close it too; every other word only stands
# there.
_OPENING = frozenset(_CUES) | BREAKS | _RULING | word_set(", and non pseudo like resolved vanished over from against")
_CHANGING = (
    _OPENING | _SUBJECTS | _FEATURES | _OVERLOOKS | _TELLS
    | word_set("for toward towards bilateral bilaterally as out into leaves leaving leave is are was were the")
)  # fmt: skip


# What may end a clause.
_ENDING = BREAKS | _SUBJECTS | {",", "and"}


def _list_goes_on(pieces: Sequence[str], comma: int, *, listing: bool) -> bool:
    """Say whether what follows a comma is the next thing of a list: "no cyst, nodule, or mass", "no cyst, mass"."""
    if comma + 1 < len(pieces) and is_han(pieces[comma + 1]):
        return "".join(pieces[comma + 1 : comma + 3]) in _EXAMPLES_HAN
    if pieces[comma + 1 : comma + 2] and pieces[comma + 1] in _EXAMPLES:
        return True
    words: list[str] = []
    first = True
    for piece in pieces[comma + 1 :]:
        if piece in BREAKS:
            break
        if piece == ",":
            words, first = [], False
            continue
        if not words and piece in STARTERS:
            return listing and not first
        words.append(piece)
        if piece in ("or", "nor"):
            return True
        if len(words) > 4 or piece in _VERBS:
            return listing and not first
    return listing


def _label_denies(label: Sequence[str]) -> bool:
    """Say whether a label denies all that it lists: "Absent: cyst", "Ruled out: cyst", "Are not seen: cyst"."""
    if len(label) == 1:
        return label[0] in _LABELS
    if len(label) == 2:
        unread = label[0] in ("not", "ruled") and (label[1] in _SEEN or label[1] in _UNREAD)
        if unread or not _LABELS.isdisjoint(label):
            return True
    unseen = label[-1:] and (
        label[-1] in _LABELS
        or (label[-2:-1] == ("not",) and label[-1] in _SEEN)
        or (label[-2:] == ("ruled", "out") and "not" not in label)
    )
    return bool(unseen) and label[0] in ("the", "these", "following", "everything", "all")


class _Reader:
    """Reads on through a text, with the denial that is open at each place."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = pieces
        self.marks = [SAID] * len(pieces)
        self.start = self.opened = 0
        self.level = SAID
        self.opener = ""
        self.listing = False
        # The place where the denial that opened the scope ends.
        self.beyond = -1
        self.non: list[int] = []

    def read(self) -> list[int]:
        pieces, marks, total = self.pieces, self.marks, len(self.pieces)
        opening = _OPENING | {"to"} if "too" in pieces else _OPENING
        at = 0
        while at < total:
            piece = pieces[at]
            if piece not in (_CHANGING if self.level else opening):
                marks[at] = self.level
                at += 1
                continue
            if piece in _ENDING and self._clause_ends(at):
                self._begin_clause(at)
                at += 1
                continue
            length, kind = cue_of(pieces, at, _CUES) if piece in _CUES else (0, "")
            if length:
                at += self._take(at, length, kind)
            else:
                self._pass(at)
                at += 1
        for place in self.non:
            marks[place] = marks[place] or DENIED
        return marks

    def _following(self, at: int) -> str:
        return self.pieces[at + 1] if at + 1 < len(self.pieces) else "."

    def _clause_ends(self, at: int) -> bool:
        piece = self.pieces[at]
        if piece in BREAKS:
            before = self.pieces[at - 1] if at else "."
            lettered = piece == ")" and len(before) == 1 and before.isalpha() and self.pieces[at - 2 : at - 1] != ("(",)
            return not (lettered or (piece == "yet" and before == "not"))
        if piece == ",":
            return not (self.level and self._list_goes_on(at))
        if piece == "and":
            return self._and_begins_anew(at)
        if piece in _SUBJECTS and self.opener in ("compares", "names an absence"):
            return self._following(at) in _COPULAS
        return False

    def _and_begins_anew(self, at: int) -> bool:
        """Say whether "and" begins a statement of its own: "no cyst, and the mass ...", "no cyst and edema is mild"."""
        following = self._following(at)
        if not self.level:
            return following in STARTERS or (following in _GOES_ON and following != "for")
        verb = next(
            (place for place in range(at + 1, min(at + 6, len(self.pieces))) if self.pieces[place] in _FINITE), 0
        )
        if following == "for":
            return self.opener == "speaks against"
        if following in _ARTICLES and not _ARTICLES.isdisjoint(self.pieces[self.beyond : at]):
            # "Does not show a cyst and a mass", "does not show a cyst and a mass is seen".
            return bool(verb) and next_stop(self.pieces, at) > verb
        if following in STARTERS or following in _GOES_ON:
            return True
        if not verb or verb == at + 1 or next_stop(self.pieces, at) < verb:
            return False
        said = self.pieces[verb + 1 : verb + 5]
        return bool(said) and self.pieces[verb] in _COPULAS and _SEEN_OR_NOT.isdisjoint(said)

    def _list_goes_on(self, comma: int) -> bool:
        # "No cyst, and edema" has no list before its "and".
        if self._following(comma) == "and" and "," not in self.pieces[self.opened : comma]:
            return False
        return _list_goes_on(self.pieces, comma, listing=self.listing)

    def _begin_clause(self, at: int) -> None:
        if self.pieces[at] == ":" and self.level and self._announces(at):
            self.listing = True
            return
        label = self.pieces[self.start : at]
        if not label and self.pieces[at - 1] == ")":
            # "Findings (negative): ..."
            label = self.pieces[max(0, at - 2) : at - 1]
        denies = self.pieces[at] == ":" and _label_denies(label)
        self.level, self.opener, self.listing = (DENIED if denies else SAID), "", denies
        self.start = at + 1

    def _announces(self, colon: int) -> bool:
        """Say whether a denial goes on with the list after a colon: "no evidence of: cyst", "none of these: cyst"."""
        return "following" in self.pieces[self.start : colon] or self.pieces[colon - 1] in (
            "of",
            "for",
            "following",
            "these",
            "any",
            "see",
            "show",
            "below",
        )

    def _open(self, at: int, level: int, kind: str, length: int = 1) -> None:
        self.level, self.opener, self.listing = level, kind, kind in _LISTING
        self.opened, self.beyond = at, at + length

    def _close(self) -> None:
        self.level, self.opener, self.listing = SAID, "", False

    def _mark(self, at: int, length: int) -> None:
        if length == 1:
            self.marks[at] = self.level
        else:
            self.marks[at : at + length] = [self.level] * length

    def _take(self, at: int, length: int, kind: str) -> int:
        """Let a cue open, close or change the scope; return how many pieces it takes."""
        _ACTIONS.get(kind, _Reader._deny)(self, at, length, kind)
        aside = self.level and self.beyond == at + length and self._following(self.beyond - 1) in ",("
        return self._past_aside(at, length) if aside else length

    def _past_aside(self, at: int, length: int) -> int:
        """Return the length of a denial with the aside after it: "is not, however, a mass", "no (definite) mass"."""
        if self.pieces[at] in ("neither", "nothing", "none"):
            return length
        end = past_aside(self.pieces, at + length)
        self._mark(at + length, end - at - length)
        return end - at

    def _deny(self, at: int, length: int, kind: str) -> None:
        if self.opener == "leaves open" or not self._is_denial(at):
            self._mark(at, length)
        elif self._undoes(at) or (kind == "denies a statement" and self._presupposes(at + length)):
            self._close()
        else:
            self._mark(at, length)
            level = DOUBTED if kind == "denies a statement" or self.pieces[at] == "absence" else DENIED
            self._open(at, level, kind, length)

    def _undoes(self, at: int) -> bool:
        """Say whether a denial inside a denial says the thing: "not free of", "I do not think there is no cyst"."""
        piece = self.pieces[at]
        if self.opener == "denies a statement":
            return piece not in ("nor", "neither")
        if self.opener == "less than":
            return piece == "than"
        if self.level != DENIED or self.opener != "denies ahead":
            return False
        close = all(word in _ARTICLES or word == "to" or passing(word) for word in self.pieces[self.beyond : at])
        return piece in _OUTRIGHT or piece == "deny" or (close and piece in _CONTENT)

    def _presupposes(self, at: int) -> bool:
        """Say whether what is denied is only a change of something definite: "no evidence that the cyst has grown"."""
        clause = self.pieces[at - 1 : next_stop(self.pieces, at)]
        if _POINTERS.isdisjoint(clause[:2]):
            return False
        return any(
            word in _HAS_CHANGED and not AUXILIARIES.isdisjoint(clause[max(0, place - 2) : place])
            for place, word in enumerate(clause)
        )

    def _is_denial(self, at: int) -> bool:
        """Say whether a cue denies what follows: "No, ..." and "No the lesion is ..." answer a question."""
        piece, following = self.pieces[at], self._following(at)
        if piece in ("no", "nil", "absent", "lacking", "不", "没", "无", "非") and (
            following in PUNCTUATION or following in _SUBJECTS
        ):
            return following == "(" and past_aside(self.pieces, at + 1) > at + 1
        if piece == "than" and following in _SIDES and at > 1 and self.pieces[at - 2] in _SIDES:
            return False
        if piece == "than" and "less" in self.pieces[self.start : at]:
            return self.opener == "less than"
        # "A not insignificant cyst."
        if piece == "not" and at and self.pieces[at - 1] in ("a", "an"):
            return False
        return not (piece == "no" and following == "the")

    def _affirm(self, at: int, length: int, kind: str) -> None:
        self._close()

    def _leave_open(self, at: int, length: int, kind: str) -> None:
        self._close()
        self.opener = kind

    def _exclude(self, at: int, length: int, kind: str) -> None:
        if (
            self.pieces[at] == "excluding"
            and at == self.start
            and not _ALL_WELL.isdisjoint(self.pieces[at : end_of_sentence(self.pieces, at)])
        ):
            # "Excluding a cyst the kidney is normal."
            self._mark(at, length)
            return
        if left_open(self.pieces, self.start, at):
            self._close()
            self.marks[self.start : at + length] = [SAID] * (at + length - self.start)
            return
        self._mark(at, length)
        ends = self.pieces[at + length : at + length + 1]
        verb = at
        while verb > self.start and self.pieces[verb - 1] not in BE and passing(self.pieces[verb - 1]):
            verb -= 1
        passive = (
            self.pieces[at] in ("excluded", "ruled", "排", "除")
            and at > self.start
            and (self.pieces[verb - 1] in BE or (bool(ends) and ends[0] in PUNCTUATION))
        )
        if self.level or not passive:
            self._open(at, DENIED, kind, length)
        self.listing = True

    def _except(self, at: int, length: int, kind: str) -> None:
        """Deny what is excepted, but not where all else is denied or well."""
        before = self.pieces[start_of_sentence(self.pieces, at) : at]
        rest = self.pieces[at : end_of_sentence(self.pieces, at)] if at == self.start else ()
        if self.level or not _ALL_WELL.isdisjoint(before) or not _ALL_WELL.isdisjoint(rest):
            self._close()
        else:
            self._open(at, DENIED, kind)
        self._mark(at, length)

    def _pass(self, at: int) -> None:
        """Mark a piece that is no cue, and let it end or open the scope by its meaning."""
        pieces, piece = self.pieces, self.pieces[at]
        following = self._following(at)
        if self.level:
            if piece in _FEATURES and self._is_a_feature(at):
                self._mark(at, 1)
                self._close()
                return
            if self._turns(at):
                self._close()
        else:
            self._open_at(at, piece, following)
        self.marks[at] = self.level
        # "A non-CT image."
        if piece in ("non", "pseudo") and not self.level and at + 1 < len(pieces):
            self.non.append(at + 1)
        # "A mass-like density", and not "a cyst like the other".
        elif piece == "like" and at and following not in _NOT_LIKENED and following not in PUNCTUATION:
            self.non.append(at - 1)

    def _open_at(self, at: int, piece: str, following: str) -> None:
        """Open a scope at a piece that denies by what stands before or after it."""
        pieces = self.pieces
        if piece == "resolved" or piece == "vanished":
            if at == 0 or pieces[at - 1] in _BEFORE_RESOLVED or pieces[at - 1] in BREAKS:
                self._open(at, DENIED, "denies ahead")
        elif piece in _RULING:
            if following != "out" and "out" in pieces[at + 2 : at + 6]:
                self._open(at, DENIED, "denies ahead")
        elif piece == "from":
            if not _TELLS_APART.isdisjoint(pieces[max(0, at - 4) : at]):
                self._open(at, DENIED, "compares")
        elif piece == "over":
            if not _PREFERS.isdisjoint(pieces[self.start : at]):
                self._open(at, DENIED, "compares")
        elif piece == "against":
            lone = at == 0 or pieces[at - 1] in PUNCTUATION
            if lone or not _ARGUES.isdisjoint(pieces[self.start : at]):
                self._open(at, DENIED, "speaks against")
        elif piece == "to" and following in _BEING and "too" in pieces[max(self.start, at - 4) : at]:
            # "Too small to be a mass."
            self._open(at, DENIED, "denies ahead")

    def _is_a_feature(self, at: int) -> bool:
        following = self._following(at)
        if self.pieces[at] in _CHANGES and following in _AFTER_CHANGE:
            return True
        return following in _AROUND and at + 2 < len(self.pieces) and self.pieces[at + 2] in _POINTERS

    def _turns(self, at: int) -> bool:
        """Say whether a piece ends the open scope by the kind of its cue."""
        piece = self.pieces[at]
        if piece in _OVERLOOKS and self.level == DENIED:
            return True
        if piece in _TELLS and self.pieces[self.start : self.start + 2] == ("the", "fact"):
            return True
        # "No hemorrhage into the cyst": the cyst is there.
        if piece == "into" and self._following(at) in _POINTERS:
            return True
        if self.opener == "excludes":
            return piece in ("leaves", "leaving", "leave")
        if self.opener == "names an absence":
            subject = self.opened <= self.start + 1 and at > self.beyond
            # "The lack of markings is due to ...", "without contrast the mass is ...".
            begins = piece == "the" and self.pieces[at - 1] not in _PREPOSITIONS
            return piece in _TELLS or (subject and (piece in BE or begins))
        if self.opener == "speaks against":
            return piece in ("for", "toward", "towards")
        if self.opener == "compares":
            return piece in ("toward", "towards", "bilateral", "bilaterally")
        if self.opener == "not so much":
            return piece == "as"
        return self.opener == "denies ahead" and piece == "out" and self.level == DENIED and at > 0 and any(
            ruling in self.pieces[self.start : at] for ruling in _RULING
        )  # fmt: skip


_ACTIONS: dict[str, Callable[[_Reader, int, int, str], None]] = {
    "denies nothing": _Reader._affirm,
    "denies nothing, in Chinese": _Reader._affirm,
    "addition": _Reader._affirm,
    "limits a denial": _Reader._affirm,
    "leaves open": _Reader._leave_open,
    "excludes": _Reader._exclude,
    "exception": _Reader._except,
}


def denied_ahead(pieces: Sequence[str]) -> list[int]:
    """Return for each piece whether it is SAID, DENIED or DOUBTED by what stands before it."""
    if TELLING.isdisjoint(pieces):
        return [SAID] * len(pieces)
    return _Reader(pieces).read()

"""What a thing is named for but is not: what it looks like, was taken for, or is called, before what it is."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.clauses import STOPS, end_of_sentence, mark, next_stop
from mllmu_med_metrics.answers.cues import cue_at, cue_of, passing, telling_words, trie_of, trie_of_kinds, words_of
from mllmu_med_metrics.answers.pieces import word_set

_CUES = {
    # What follows is not there, whatever the sentence goes on to say.
    "false": (
        "mimics/mimic/mimicking/mimicked", "simulates/simulate/simulating/simulated", "posing as", "passes for",
        "masquerades/masquerading/masquerade as", "mistaken/mistakable/mistook for", "mistake/mistook it/this/them/that for", "could/might/would pass for",
        "confused/confusable with", "confuse it/this/them with", "pretends/pretending to be",
        "misread/misdiagnosed/mislabelled/mislabeled/misinterpreted as",
        "wrongly/mistakenly/erroneously/incorrectly called/labelled/labeled/diagnosed/read/reported/described/taken",
    ),
    # "The apparent mass is in fact a vessel."
    "so called": (
        "former", "erstwhile", "apparent", "supposed", "so called", "seeming", "presumed", "alleged", "putative",
        "suspected", "ostensible",
    ),
    # What it looks like, which stands unless the sentence goes on to say what it is.
    "like": (
        "resembles/resembling/resembled/resemble/resemblance", "look/looks/looking/looked like/as", "akin to",
        "similar/similarity to", "appear/appears/appearing/seem/seems/seemed/appeared to/like/as", "reminiscent of",
        "suggest/suggests/suggesting/suggestive", "be/is/was taken for", "at first glance/sight", "superficially",
        "likeness to", "recall/recalls/recalling", "could/might/may be", "could/might have been", "seem/seems/seemed/appeared/appears",
        "raise/raises/raised the", "evoke/evokes",
    ),
    # What it was taken for, likewise.
    "taken": (
        "initially/previously/formerly/originally/once/first/earlier thought/called/read/taken/labelled/labeled",
        "initially/previously/formerly/originally/once/first/earlier diagnosed/reported/considered/described/suspected",
        "initially/previously/formerly/originally/once/first/earlier interpreted/mistaken", "was once", "used to be",
        "at first/one thought/called/read/taken/considered", "thought/believed/presumed/suspected/assumed to be/have",
        "i/you/we/they/he/she/some/many/one/people said/thought/wrote/answered/guessed/assumed/suspected/suggested",
        "i/we first/initially/originally/earlier/previously/just considered/suspected/said/thought/wrote/took/called/read",
        "called/labelled/labeled/took/read/reported/described/diagnosed it/this/these/that", "i/we took", "first impression/guess/thought/reading/idea was",
        "considered/called/labelled/labeled/reported/thought a/an", "i/we considered/weighed/expected/feared", "tempting/tempted to", "expected to", "under/on suspicion of",
        "might/may/could/would think/call/say/take/mistake/interpret/suspect/believe/assume/expect/argue/consider",
        "report/request/referral/note/label/caption/requisition/chart says/said/reads/mentions/mentioned/states/stated",
        "worried/anxious/concerned about", "fears/feared/fear", "suspicion/suspicions of",
        "labelled/labeled/diagnosed/described/reported/interpreted as", "sold/billed/taken/treated/read/listed as",
        "typically/usually/normally/classically/generally", "clinician/doctor/physician/referrer/surgeon suspected",
    ),
}  # fmt: skip
_WHAT = (
    "what looks/look/appears/appear/seems/seem/resembles/seemed/appeared/looked/resembled/suggests/mimics/simulates",
    "what might/may/could/would be/look/appear/seem/pass/resemble", "what used to", "what at first",
    "what was once/thought/taken/called/initially/first/previously", "what is sometimes/often/easily/mistaken",
    "what you/one/some/i/we thought/took/called/would/might/mistook",
)  # fmt: skip
_TURNS_OUT = trie_of(
    "now a/an", "is/was/are/were in/actually/really/merely/just/only/nothing/simply/truly/not", "proved/proves/prove to/a/an",
    "turns/turned/turn out", "is/was/are in fact/reality/truth", "has turned out", "revealed itself",
)  # fmt: skip
_IN_FACT = ("in fact/reality/truth", "actually", "in the end", "it turned/proved/was in", "it turned/proved", "really")
_ONCE = word_set("initially previously formerly originally once first earlier")
_CONCEDES = word_set("although though while whilst despite albeit whereas even")
_SUSPECTED = word_set("said claimed reported suspected expected feared anticipated assumed")
_IS = word_set("is are turns proves represents turned proved was were")
_COPULA = word_set("is was s makes make are represents turned proved turns proves remains reveals shows must")
_SETTLES = word_set(
    "meant mean settled decided chose concluded favor favour prefer preferred went go think believe choose found see"
)
_NAMES_IT = word_set("actually really the this my in here further what")
_BEFORE_NAME = word_set("it this in fact out to now known just only")
_ADVERSE = word_set("but yet however")
_ADVERSE_FIRST = (("but",), ("yet",), ("however",))
# What only looked like a thing: "could have been a mass. It is a cyst."
_UNREAL = word_set("resembles resemble resembled been think thought")
_IT_IS = tuple((word, verb) for word in ("it", "this") for verb in ("is", "was"))
_IN_POINT = frozenset({"here", "this", "it"})
_HAN_LIKE = ("貌似", "误诊", "误认")
_HAN_IN_FACT = ("其实", "实际", "实为", "但是", "却是", "而是", "但为")

_TRIE, _WHAT_TRIE, _IN_FACT_TRIE = trie_of_kinds(_CUES), trie_of(*_WHAT), trie_of(*_IN_FACT)
_WATCHED = frozenset(_TRIE) | frozenset("像似貌误与和")
# A sentence without any of these names nothing for what it is not.
_OF_SENTENCE = _WATCHED | _CONCEDES | {"what"}
# Without any of these nothing is likened.
_NAMING = (
    telling_words(*(words for cues in _CUES.values() for words in words_of(cues)))
    | _SUSPECTED
    | word_set("what 像 似 貌 误 与 和")
)
# A likeness stands unless the text turns. Without any of these it does not.
TELLING = (
    telling_words(*words_of(_CUES["false"]), *words_of(_CUES["so called"]), *words_of(_CUES["taken"]))
    | _CONCEDES | _ADVERSE | word_set("; what fact reality truth actually turned proved really 像 似 貌 误 与 和")
)  # fmt: skip


class _Sentence:
    """Marks what one sentence, pieces[start:end], names a thing for that it is not."""

    def __init__(self, pieces: Sequence[str], marks: list[bool], start: int, end: int) -> None:
        self.pieces, self.marks, self.start, self.end = pieces, marks, start, end

    def read(self) -> None:
        pieces, start = self.pieces, self.start
        stop = next_stop(pieces, start + 1)
        if pieces[start] in _CONCEDES and not _SUSPECTED.isdisjoint(pieces[start:stop]):
            mark(self.marks, start, stop)
        if pieces[start] == "what":
            self._what()
        for at in range(start, self.end):
            if pieces[at] not in _WATCHED:
                continue
            length, kind = cue_of(pieces, at, _TRIE)
            if kind == "false":
                mark(self.marks, at, next_stop(pieces, at + 2))
            elif kind == "so called":
                self._so_called(at)
            elif length:
                self._likened(at, length, kind)
            else:
                self._chinese(at)

    def _what(self) -> None:
        """Set aside "what looks like a mass" before what it is."""
        length = cue_at(self.pieces, self.start, _WHAT_TRIE)
        for place in range(self.start + length + 1, self.end) if length else ():
            if self.pieces[place] in _IS and self.pieces[place - 1] not in ("that", "which"):
                mark(self.marks, self.start, place)
                return

    def _so_called(self, at: int) -> None:
        """Set aside "the apparent mass" where it is in fact something else."""
        for place in range(at + 1, min(at + 8, self.end)):
            if self.pieces[place] in STOPS and self.pieces[place + 1 : place + 2] != ("now",):
                return
            if cue_at(self.pieces, place, _TURNS_OUT):
                mark(self.marks, at, place)
                return

    def _likened(self, at: int, length: int, kind: str) -> None:
        """Set aside what it looks like or was taken for, where the text goes on to say what it is."""
        pieces, end = self.pieces, self.end
        stop = next_stop(pieces, at + length)
        # "A nodule, formerly thought to be a mass."
        if kind == "taken" and at > self.start and pieces[at - 1] == "," and pieces[at] in _ONCE:
            mark(self.marks, at, stop)
            return
        conceded = not _CONCEDES.isdisjoint(pieces[self.start : at])
        if conceded:
            main = next((place for place in range(at, stop - 1) if pieces[place : place + 2] in _IT_IS), 0)
            if main:
                mark(self.marks, self.start, main)
                return
        if (
            "or" in pieces[at:end]
            and pieces[end : end + 1] == (";",)
            and _IN_POINT.intersection(pieces[end + 1 : end + 3])
        ):
            mark(self.marks, at, end)
            return
        if pieces[stop : stop + 1] == (",",) and stop + 1 < end and pieces[stop + 1] in _ADVERSE:
            stop += 1
        opens = at == self.start or conceded or kind == "taken"
        if (self._turns(stop) or (opens and pieces[stop : stop + 1] == (",",))) and self._says_what_it_is(stop):
            mark(self.marks, at, stop)

    def _turns(self, stop: int) -> bool:
        """Say whether the text turns at a stop: at "but", at a semicolon, at a new sentence that begins "in fact"."""
        if stop + 1 >= len(self.pieces):
            return False
        if self.pieces[stop] == ".":
            return (
                cue_at(self.pieces, stop + 1, _IN_FACT_TRIE) > 0
                or self.pieces[stop + 1] in _ADVERSE
                or (
                    not _UNREAL.isdisjoint(self.pieces[max(0, stop - 8) : stop])
                    and tuple(self.pieces[stop + 1 : stop + 3]) in _IT_IS
                )
            )
        return self.pieces[stop] in _ADVERSE or self.pieces[stop] == ";"

    def _says_what_it_is(self, stop: int) -> bool:
        """Say whether a clause names what the thing is, or that it is not what was named: "but it is a cyst"."""
        stop += self.pieces[stop : stop + 1] == (".",) and self.pieces[stop + 1 : stop + 2] in _ADVERSE_FIRST
        stop += self.pieces[stop + 1 : stop + 2] == (",",)
        clause = self.pieces[stop + 1 : next_stop(self.pieces, stop + 1)]
        if not _SETTLES.isdisjoint(clause[: 4 if clause[:1] in (("i",), ("we",)) else 1]):
            return True
        place = next((index for index, word in enumerate(clause) if word in _COPULA), None)
        if place is None or not (place <= 1 or clause[0] in _NAMES_IT):
            return False
        rest = clause[place + 1 :]
        if rest[:1] == ("not",):
            if place and clause[0] not in _NAMES_IT | _IN_POINT:
                return False
            return len(rest) == 1 or rest[1] in ("one", "so", "a", "an", "the", "that")
        while rest and (passing(rest[0]) or rest[0] in _BEFORE_NAME):
            rest = rest[1:]
        return bool(rest) and (rest[0] in ("a", "an", "the") or (len(rest) <= 4 and self.pieces[stop] != ";"))

    def _chinese(self, at: int) -> None:
        """Set aside "看起来像…，其实是…", "与其说是…", "与…不同"."""
        pieces = self.pieces
        two = "".join(pieces[at : at + 2])
        stop = next_stop(pieces, at)
        if two == "与其" or (pieces[at] in "与和" and "".join(pieces[stop - 2 : stop]) in ("不同", "有别")):
            mark(self.marks, at, stop)
        elif pieces[at] in "像似" or two in _HAN_LIKE:
            later = "".join(pieces[stop : self.end])
            if any(word in later for word in _HAN_IN_FACT):
                mark(self.marks, at, stop)


def only_likened(pieces: Sequence[str]) -> list[bool] | None:
    """Mark what a thing only looks like or was taken for, where the text says what it is; None where nothing is.

    >>> from mllmu_med_metrics.answers.pieces import pieces_of
    >>> only_likened(pieces_of("What looks like a mass is a vessel."))[:6]
    [True, True, True, True, True, False]
    >>> only_likened(pieces_of("It looks like a mass."))
    """
    if TELLING.isdisjoint(pieces) or _NAMING.isdisjoint(pieces):
        return None
    marks = [False] * len(pieces)
    start = 0
    while start < len(pieces):
        end = end_of_sentence(pieces, start)
        if pieces[end : end + 1] != ("?",) and not _OF_SENTENCE.isdisjoint(pieces[start:end]):
            _Sentence(pieces, marks, start, end).read()
        start = end + 1
    return marks if True in marks else None

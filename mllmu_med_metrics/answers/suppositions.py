"""What is named without being there: what would be so, what is so in general, what others have, what is to be looked for."""

from collections.abc import Sequence

from mllmu_med_metrics.answers.clauses import STOPS, end_of_sentence, mark, next_stop
from mllmu_med_metrics.answers.cues import cue_at, passing, telling_words, trie_of, words_of
from mllmu_med_metrics.answers.pieces import is_word, word_set

# Of others, or of a danger: up to the end of the clause.
_OTHERS = (
    "family/familial/maternal/paternal history", "fh :", "fhx", "in other/another patients/patient/people/cases",
    "risk/risks of/for", "risk factor/factors for", "prevent/prevents/prevention of/a/an/the", "to prevent", "prone to",
    "past/personal/prior/remote history of", "predispose/predisposes/predisposing to", "prophylaxis against/of/for",
    "screening/screened for", "in cases/patients/those/people of/with",
)  # fmt: skip
_KIN = word_set(
    "mother father sister brother grandmother grandfather aunt uncle cousin cousins relative relatives parent parents "
    "sibling siblings husband wife daughter son twin sisters brothers mom dad grandparent grandparents kin"
)
_HAS = word_set(": had has have with suffered died developed diagnosed carries s suffers")
# Fields of a report that name what was asked or known before, and what one is told to look for.
_FIELDS = (
    "indication :", "indications :", "clinical question/history/information/indication/details/data/context :",
    "reason :", "reason for exam/examination/study/scan/test/referral/imaging :", "history :", "referral :", "query :", "request :",
)  # fmt: skip
_SEARCHES = ("look/check/watch/evaluate/assess/monitor/screen/search for",)
# What one has looked for or did a scan for; it is there only if the text goes on to say so.
_SOUGHT = (
    "looked/searched/checked/tested/examined/screened/inspected/looking/searching/checking/testing for",
    "looked/searched everywhere for", "a/the/my/our/careful search for",
    "taken/obtained/performed/done/acquired/requested/ordered/made/undertaken/sent/submitted for suspected/possible/presumed",
    *(
        f"{done} to {search}"
        for done in ("taken/obtained/performed/done/acquired/requested/ordered/made/undertaken/sent/submitted", "carried out")
        for search in (
            "look/check/evaluate/assess/search/screen/test for", "rule out", "exclude/detect/find/confirm/identify/assess/evaluate"
        )
    ),
)  # fmt: skip
_SUCCESS = word_set(
    "found find saw see seen confirmed confirms detected identified there present visible positive shows shown"
)
_FAILURE = word_set("no not none nothing never neither nor without negative excluded ruled")
_FOUND = word_set("it one that this these them they there some two such positive")
# A scan that is only recommended.
_SCANS = word_set("ct mri mr pet ultrasound radiograph xray x sonography mammography angiography tomography")
_ADVISED = word_set(
    "recommended advised needed suggested indicated required warranted helpful useful preferable necessary"
)
_ADVISING = word_set("recommend recommended advise advised obtain order suggest needs need requires perform")
_IS_TO_BE = word_set("is was would may should could scan")
_IF = word_set("if assuming supposing suppose")
_SUBJECTS = word_set("it this that there these they a an the")
_SPEAKERS = word_set("i we you not")
_WHEN = word_set("when whenever where")
_OCCURS = word_set("present exists occurs there")
_FORMERLY = word_set("previously formerly")
_TYPICALLY = word_set("typically usually normally classically generally")
# What a thing would do: the thing is not there. "A cyst would explain it" leaves it possible.
_WOULD_DO = word_set(
    "look appear show cause produce have enhance displace demonstrate manifest exhibit be typically usually normally "
    "generally expect see find present lie move shift cast extend cross follow contain destroy tend require need"
)
_SHOULD_DO = _WOULD_DO - {"be", "require", "need"}
_EXPECTS = word_set("expect see find")
_WOULD_BE = word_set(
    "bright dark white black gray grey anechoic echogenic dense seen visible expected round lens lenticular unlikely "
    "unusual atypical surprising bigger larger smaller hyperdense hypodense hyperintense hypointense isointense hyperechoic "
    "hypoechoic radiolucent radiopaque lucent opaque brighter darker denser biconvex crescentic linear associated "
    "accompanied located in on at more less much very so found better sharper curved straight centered well"
)
# What would do one of these may be there: "a cyst would explain it".
_FITS = word_set(
    "explain account fit match suit seem make agree correspond remain also still best most not be have favor favour call "
    "say think put place suggest consider like"
)
_NOT_A_THING = word_set("i we it this that there which he she they these")
_POINTS_AT = frozenset({"it", "this", "that"})
_POINTERS = word_set("the its his her their my our your all each every some both any such what who")
_ADVERSE = word_set("but yet however")
_HAN_IF = ("如果", "假如", "假设", "倘若", "如有", "如为", "如是")
_HAN_KIN = frozenset("母父兄姐弟妹")
_HAN_HAS = frozenset("患有曾")

_OTHERS_TRIE, _FIELDS_TRIE, _SEARCHES_TRIE = trie_of(*_OTHERS), trie_of(*_FIELDS), trie_of(*_SEARCHES)
_SOUGHT_TRIE = trie_of(*_SOUGHT)
_RECOMMENDS = word_set("recommended recommend advise advised obtain order suggest suggested needed requires")
_WATCHED = (
    frozenset({*_OTHERS_TRIE, *_SOUGHT_TRIE})
    | _KIN
    | _SCANS
    | _IF
    | _HAN_KIN
    | _FORMERLY
    | word_set("when whenever would history had 如 假 倘 若 家")
)
_SUPPOSING = (
    telling_words(*words_of(_OTHERS), *words_of(_FIELDS), *words_of(_SEARCHES), *words_of(_SOUGHT))
    | (_KIN | _IF | _WHEN | _TYPICALLY | _HAN_KIN | _FORMERLY | word_set("would should were had 如 假 倘 若 家"))
)  # fmt: skip
TELLING = _SUPPOSING | _RECOMMENDS | word_set("run runs")
# A sentence without any of these supposes nothing.
_OF_SENTENCE = _SUPPOSING | _SCANS | word_set("family history")


class _Sentence:
    """Marks what one sentence, pieces[start:end], only supposes."""

    def __init__(self, pieces: Sequence[str], marks: list[bool], start: int, end: int) -> None:
        self.pieces, self.marks, self.start, self.end = pieces, marks, start, end

    def _set_clause(self, at: int, of: int | None = None) -> None:
        mark(self.marks, at, next_stop(self.pieces, at if of is None else of))

    def read(self) -> None:
        pieces, start, end = self.pieces, self.start, self.end
        field = cue_at(pieces, start, _FIELDS_TRIE) and any(map(is_word, pieces[end:]))
        if field or cue_at(pieces, start, _SEARCHES_TRIE):
            mark(self.marks, start, end)
            return
        self._opening()
        for at in range(start, end):
            if pieces[at] in _WATCHED:
                self._word(at)

    def _word(self, at: int) -> None:
        pieces, piece = self.pieces, self.pieces[at]
        if piece in _IF:
            self._if(at)
        elif piece == "would":
            self._would(at)
        elif piece == "history":
            self._history(at)
        elif piece in _FORMERLY:
            if pieces[at - 1] in (",", "(") and next_stop(pieces, at) <= at + 3:
                self._set_clause(at)
        elif piece in _WHEN:
            if pieces[at - 1] == "," and not _OCCURS.isdisjoint(pieces[at : at + 4]):
                self._set_clause(self.start, at - 1)
        elif cue_at(pieces, at, _SOUGHT_TRIE):
            self._sought(at)
        elif piece in _SCANS:
            self._advised(at)
        elif piece == "had":
            if pieces[at - 1 : at] == (",",) and not _SUBJECTS.isdisjoint(pieces[at + 1 : at + 2]):
                self._set_clause(self.start, at)
        elif (piece in _KIN and not _HAS.isdisjoint(pieces[at + 1 : at + 4])) or cue_at(pieces, at, _OTHERS_TRIE):
            self._set_clause(at, at + 2)
        else:
            self._chinese(at)

    def _history(self, at: int) -> None:
        """Set aside a history where more is said: "history of cancer; the film shows pneumonia"."""
        stop = next_stop(self.pieces, at)
        if self.pieces[at + 1 : at + 2] == ("of",) and any(map(is_word, self.pieces[stop:])):
            mark(self.marks, at, stop)

    def _sought(self, at: int) -> None:
        """Set aside what was looked for, unless it was then found: "looked for a stone", and not "... and found one"."""
        stop = next_stop(self.pieces, at)
        joined = next(
            (place for place in range(at, stop) if self.pieces[place] in ("and", "or") and self._goes_on(place)), stop
        )
        after = self.pieces[
            joined : end_of_sentence(self.pieces, min(end_of_sentence(self.pieces, joined) + 1, len(self.pieces)))
        ]
        found = any(
            word in _SUCCESS
            and not _FOUND.isdisjoint((*after[max(0, place - 3) : place - 1], *after[place + 1 : place + 3]))
            for place, word in enumerate(after)
        )
        if not found or not _FAILURE.isdisjoint(after):
            mark(self.marks, at, joined)

    def _goes_on(self, at: int) -> bool:
        """Say whether the clause goes on after "and" with what was seen: "and found one", "and there it was"."""
        following = self.pieces[at + 1 : at + 2]
        return bool(following) and (
            following[0] in _SUCCESS or following[0] in ("it", "this", "they", "we", "i", "was", "were")
        )

    def _opening(self) -> None:
        """Set aside what runs in a family, what holds whenever it occurs, and "were this a cyst"."""
        pieces, start = self.pieces, self.start
        stop = next_stop(pieces, start + 1)
        clause = pieces[start:stop]
        if ("family" in clause and not {"run", "runs", "running"}.isdisjoint(clause)) or (
            stop < self.end and pieces[start] in _WHEN and not _OCCURS.isdisjoint(clause)
        ):
            mark(self.marks, start, stop)
        elif pieces[start] in _TYPICALLY:
            self._typical_subject(start + 1 + (pieces[start + 1 : start + 2] == (",",)))
        elif pieces[start] in ("a", "an") or (pieces[start].endswith("s") and start + 1 < self.end):
            self._in_general()
            if pieces[start] not in ("a", "an"):
                self._inverted()
        else:
            self._inverted()

    def _typical_subject(self, at: int) -> None:
        """Set aside what is typically so or so: "normally a cyst looks dark"."""
        if self.pieces[at : at + 1] in (("a",), ("an",)):
            mark(self.marks, at, min(at + 3, self.end))

    def _in_general(self) -> None:
        """Set aside what is said of such things: "a fracture typically shows a line", "a cyst should look dark"."""
        pieces, start = self.pieces, self.start
        plural = pieces[start] not in ("a", "an")
        for at in range(start + 2 - plural, min(start + 6, self.end - 1)):
            if pieces[at] in STOPS:
                return
            typical = pieces[at] in _TYPICALLY and pieces[at - 1] not in ("is", "was", "most", "this", "that")
            if typical or (pieces[at] == "should" and pieces[at + 1] in _SHOULD_DO):
                mark(self.marks, start, at)
                return

    def _inverted(self) -> None:
        """Set aside "were this a cyst", "had there been a mass", "should there be a stone"."""
        start = self.start + (self.pieces[self.start] in ("but", "and", ","))
        first, following = (*self.pieces[start : start + 2], "", "")[:2]
        if first not in ("were", "had", "should") or following not in _SUBJECTS:
            return
        clause = self.pieces[start : next_stop(self.pieces, start)]
        needed = {"were": "were", "had": "been", "should": "be"}[first]
        if needed in clause and not (first == "were" and "not" in clause):
            self._set_clause(start)
            self._consequence(start + len(clause))

    def _if(self, at: int) -> None:
        """Set aside what is not so: "if there were a cyst", "assuming this had been a mass"."""
        stop = next_stop(self.pieces, at)
        condition = self.pieces[at + 1 : min(stop, at + 7)]
        unreal = "was" in condition and "would" in self.pieces[stop : stop + 7]
        counterfactual = unreal or not {"were", "had"}.isdisjoint(condition)
        if counterfactual and _SPEAKERS.isdisjoint(self.pieces[at + 1 : at + 4]):
            mark(self.marks, at, stop)
            self._consequence(stop)

    def _consequence(self, at: int) -> None:
        """Set aside what would then be so: "the cortex would be broken"."""
        for place in range(at + 1, min(at + 8, self.end)):
            if self.pieces[place] == "would":
                self._set_clause(place)
                return

    def _would(self, at: int) -> None:
        """Set aside what would look so or so, and what one would expect."""
        pieces = self.pieces
        begin = at
        while begin > self.start and pieces[begin - 1] not in STOPS and pieces[begin - 1] not in ("and", "or"):
            begin -= 1
        verb = at + 1
        while verb < self.end and (pieces[verb] in ("have", "not") or (pieces[verb] != "be" and passing(pieces[verb]))):
            verb += 1
        subject, doing = pieces[begin:at], pieces[verb] if verb < self.end else "."
        if not subject:
            return
        if doing in _EXPECTS:
            if subject[-1] in ("one", "you") or not _ADVERSE.isdisjoint(pieces[at : self.end]):
                self._set_clause(begin, at)
        elif subject[0] in _POINTS_AT and pieces[at + 1 : at + 3] == ("have", "been"):
            self._set_clause(at)
        elif doing == "be" and subject[0] in _POINTS_AT and "if" in pieces[verb : self.end]:
            # "It would be a cyst if it were dark."
            mark(self.marks, verb, pieces.index("if", verb))
        elif subject[0] not in _NOT_A_THING and (
            self._is_unreal(at, verb) or (self._is_indefinite(subject) and doing not in _FITS and is_word(doing))
        ):
            mark(self.marks, begin, at)

    def _is_indefinite(self, subject: Sequence[str]) -> bool:
        """Say whether a subject is of a kind, and no thing already named: "a fracture", "atelectasis"."""
        return subject[0] in ("a", "an") or (len(subject) <= 2 and subject[0] not in _POINTERS)

    def _is_unreal(self, would: int, verb: int) -> bool:
        """Say whether "would" and a verb say of a thing that it is not there: "would look dark", "would have grown"."""
        pieces, doing = self.pieces, self.pieces[verb] if verb < self.end else "."
        if "have" in pieces[would + 1 : verb]:
            return pieces[verb - 1] != "to"
        if doing == "be":
            at = verb + 1
            while at < self.end and passing(pieces[at]):
                at += 1
            return at < self.end and pieces[at] in _WOULD_BE
        return doing in _WOULD_DO and not (doing == "appear" and pieces[verb + 1 : verb + 2] == ("to",))

    def _advised(self, at: int) -> None:
        """Set aside a scan that is only recommended: "MRI is recommended", "recommend CT"."""
        after = self.pieces[at + 1 : at + 6]
        advised = after[:1] and after[0] in _IS_TO_BE and not _ADVISED.isdisjoint(after)
        if advised or not _ADVISING.isdisjoint(self.pieces[max(self.start, at - 3) : at]):
            mark(self.marks, at, at + 1)

    def _chinese(self, at: int) -> None:
        """Set aside "如果是…", "其母患…", "家族…"."""
        pieces = self.pieces
        two = "".join(pieces[at : at + 2])
        if two in _HAN_IF or pieces[at] == "若":
            self._set_clause(at)
            stop = next_stop(pieces, at)
            if pieces[stop + 1 : stop + 2] == ("应",):
                self._set_clause(stop, stop + 1)
        elif two == "家族" or (pieces[at] in _HAN_KIN and not _HAN_HAS.isdisjoint(pieces[at + 1 : at + 4])):
            self._set_clause(at)


def only_supposed(pieces: Sequence[str]) -> list[bool] | None:
    """Mark what is named without being said to be there; None where nothing is.

    >>> from mllmu_med_metrics.answers.pieces import pieces_of
    >>> only_supposed(pieces_of("If it were a cyst, it would be dark."))[:6]
    [True, True, True, True, True, False]
    >>> only_supposed(pieces_of("It may be a cyst."))
    """
    if TELLING.isdisjoint(pieces):
        return None
    marks = [False] * len(pieces)
    start = 0
    while start < len(pieces):
        end = end_of_sentence(pieces, start)
        if pieces[end : end + 1] != ("?",) and not _OF_SENTENCE.isdisjoint(pieces[start:end]):
            _Sentence(pieces, marks, start, end).read()
        start = end + 1
    return marks if True in marks else None

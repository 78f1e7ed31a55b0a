"""Openings that repeat the question or its choices: "of the options (cyst, mass), mass", "as for left or right: left"."""

from collections.abc import Iterator, Sequence

from mllmu_med_metrics.answers.clauses import AUXILIARIES, SENTENCE_ENDS, end_of_sentence
from mllmu_med_metrics.answers.cues import Trie, cue_at, trie_of
from mllmu_med_metrics.answers.echoes import agrees_after
from mllmu_med_metrics.answers.pieces import is_word, word_set

# What repeats a question, whatever is asked.
_ASKS: Trie = trie_of(
    "whether", "to the question/query", "to answer", "in answer/response/reply to", "answering/addressing your/the/whether/if",
    "you/they/he/she asked/ask/wonder/wondered/inquired/want/wanted whether/if/about/which/for/to",
    "you would like to know", "your question was/is/about/on/as", "as to/for whether/which/what", "on whether",
    "asked/ask/asks whether/if/about/to", "the question is/asks/was/of whether/if/about/which/what/where", "question is/was whether/if",
    "regarding/concerning your/the question/query", "as for/to your/the question/query/choice",
    "on the question/matter of", "regarding/concerning whether/which/what", "with regard/respect to whether/which/what",
    "if i/we have/had to choose", "forced/having to choose", "to decide/choose/distinguish between", "in/when choosing",
    "when/in deciding between", "if the choice/question is", "if asked",
    "you offered/gave/listed/mention/mentioned/proposed/provided/suggested", "deciding/choosing/torn between", "q :",
)  # fmt: skip
# What repeats it where a choice is named.
_TOPICS: Trie = trie_of(
    "regarding", "concerning", "as for/to", "with regard/respect to", "in terms of", "about", "between", "out of", "on",
    "considering", "given", "from", "of", "among", "amongst", "weighing", "comparing", "when it comes to",
)  # fmt: skip
_CHOICE = word_set("or versus vs whether which what and")
_OPTIONS = word_set("options choices possibilities alternatives candidates list suggestions")
_BEFORE_OPTIONS = word_set("the possible available listed given answer two three four several various your all")
_AFTER_OPTIONS = word_set("( : are were include given listed offered provided , of left you")
_ANSWERS = word_set("answer response assistant correct")
_VERBS = (
    AUXILIARIES
    | _ANSWERS
    | word_set("fits fit shows says lies i it this we choose pick matches applies here there wins prevails")
)
_ASKING = frozenset({"ask", "asks", "asked", "question"})
# A second letter of options.
_LETTERS = frozenset({"b"})
_YES_OR_NO = word_set("yes no none")
_STARTS = frozenset({*_ASKS, *_TOPICS, *_OPTIONS}) | _BEFORE_OPTIONS
# Without any of these nothing is repeated.
TELLING = _OPTIONS | word_set(
    "whether or versus vs asked ask asks wonder wondered want wanted question questions query choose choosing decide "
    "deciding torn q between among amongst regarding concerning regard respect considering offered gave listed mention "
    "mentioned proposed provided suggested answering addressing out final b which )"
)
# A text that begins with one of these may, too.
FIRST_WORDS = word_set("of from given on about in comparing weighing as to")


def _own_clause(pieces: Sequence[str], comma: int) -> bool:
    """Say whether what follows a comma answers by itself: a clause with a verb, or "yes", or one word."""
    clause = pieces[comma + 1 : min(comma + 9, end_of_sentence(pieces, comma + 1))]
    if not clause or clause[0] in ("and", "or"):
        return False
    stop = next((at for at, word in enumerate(clause) if word in (",", "and", "or")), len(clause))
    return clause[0] in _YES_OR_NO or clause[0] == "then" or len(clause) == 1 or not _VERBS.isdisjoint(clause[:stop])


def _lists_choices(pieces: Sequence[str], colon: int) -> bool:
    """Say whether a question goes on after a colon with its choices, and the answer is a sentence of its own."""
    end = end_of_sentence(pieces, colon + 1)
    return "or" in pieces[colon:end] and any(map(is_word, pieces[end:])) and _VERBS.isdisjoint(pieces[colon:end])


def _end_of_opening(pieces: Sequence[str], at: int, *, options: bool) -> int:
    """Return the place after an opening: at a colon, at the end of the sentence, or at the comma before a clause.

    Options may follow a colon, and the answer may follow their parenthesis.
    """
    between = at > 0 and pieces[at - 1] == "between"
    listed = options and at < len(pieces) and pieces[at] == ":"
    at += listed
    while at < len(pieces) and pieces[at] not in SENTENCE_ENDS:
        if pieces[at] == "(":
            while at < len(pieces) and pieces[at] != ")":
                at += 1
            if options:
                return min(at + 1, len(pieces))
        elif pieces[at] == ":" and not options and _lists_choices(pieces, at):
            pass
        elif (
            pieces[at] == ":"
            or (pieces[at] == "," and not listed and _own_clause(pieces, at))
            or pieces[at] in ("but", "however")
            or (options and pieces[at] in _ANSWERS)
            or (between and pieces[at] in ("i", "we", "it") and pieces[at - 1] not in ("and", "or", "is"))
        ):
            break
        at += 1
    return at


def _options_named(pieces: Sequence[str], start: int) -> int:
    """Return the place after the word "options" at the beginning of a sentence, where it stands there; else 0."""
    at = start + cue_at(pieces, start, _TOPICS)
    while at < len(pieces) and pieces[at] in _BEFORE_OPTIONS:
        at += 1
    following = pieces[at + 1] if at + 1 < len(pieces) else "."
    return at + 1 if at < len(pieces) and pieces[at] in _OPTIONS and following in _AFTER_OPTIONS else 0


def _opening(pieces: Sequence[str], start: int) -> int:
    """Return the place after what a sentence repeats from a place on; the place itself where it repeats nothing."""
    asked = cue_at(pieces, start, _ASKS)
    if asked:
        return _end_of_opening(pieces, start + asked, options=False)
    named = _options_named(pieces, start)
    if named:
        return _end_of_opening(pieces, named, options=True)
    topic = cue_at(pieces, start, _TOPICS)
    if topic:
        stop = _end_of_opening(pieces, start + topic, options=False)
        if (
            stop < len(pieces)
            and (pieces[stop] in ",:" or pieces[stop] in ("i", "we", "it"))
            and not _CHOICE.isdisjoint(pieces[start + topic : stop])
        ):
            return stop
    return start


def _asked_within(pieces: Sequence[str], start: int, end: int) -> int:
    """Return the place of "asks whether" or "question is whether" in a sentence; its start where it has none."""
    for at in range(start, end):
        if pieces[at] in _ASKING and cue_at(pieces, at, _ASKS):
            return at
    return start


def _lettered(pieces: Sequence[str]) -> int:
    """Return the place after lettered options that an answer follows, "a) cyst b) mass answer: mass"; 0 without."""
    marked = [at for at in range(len(pieces) - 1) if pieces[at + 1] in ").:" and pieces[at] in ("a", "b")]
    if len({pieces[at] for at in marked}) < 2 or pieces[marked[0]] != "a":
        return 0
    later = [at for at in range(marked[1], len(pieces)) if pieces[at] in _ANSWERS or pieces[at] in ("choose", "pick")]
    return later[0] if later else 0


def _final_answer(pieces: Sequence[str]) -> int:
    """Return the place of the last "final answer" that names one, before which is mere reasoning; 0 without."""
    for at in range(len(pieces) - 2, 0, -1):
        if pieces[at - 1] == "final" and pieces[at] == "answer":
            return at if pieces[at + 1] in (":", "is") and any(map(is_word, pieces[at + 2 :])) else 0
    return 0


def _fields(pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the places of choices in parentheses that a colon follows: "side (left or right): left"."""
    for at, piece in enumerate(pieces[:-2]):
        if piece == ")" and pieces[at + 1] == ":":
            begin = next((place for place in range(at, -1, -1) if pieces[place] == "("), at)
            if not {"or", ","}.isdisjoint(pieces[begin:at]):
                yield begin, at


def only_offered(pieces: Sequence[str]) -> list[bool] | None:
    """Mark what only repeats the question or its choices and is not agreed to; None where nothing does.

    >>> from mllmu_med_metrics.answers.pieces import pieces_of
    >>> only_offered(pieces_of("As for left or right: left."))
    [True, True, True, True, True, False, False, False]
    >>> only_offered(pieces_of("The left one."))
    """
    if TELLING.isdisjoint(pieces) and (not pieces or pieces[0] not in FIRST_WORDS):
        return None
    offered = [False] * len(pieces)
    if not _LETTERS.isdisjoint(pieces) or "final" in pieces:
        for stop in (_lettered(pieces), _final_answer(pieces)):
            offered[:stop] = [True] * stop
    if ")" in pieces:
        for begin, stop in _fields(pieces):
            offered[begin:stop] = [True] * (stop - begin)
    asks = not _ASKING.isdisjoint(pieces)
    start = 0
    while start < len(pieces):
        end = end_of_sentence(pieces, start)
        if pieces[start] not in _STARTS and not asks:
            start = end + 1
            continue
        begin = start if pieces[start] in _STARTS else _asked_within(pieces, start, end)
        stop = _opening(pieces, begin)
        if stop > begin and any(map(is_word, pieces[stop:])) and not agrees_after(pieces, stop, begin):
            offered[begin:stop] = [True] * (stop - begin)
        start = end_of_sentence(pieces, stop) + 1
    return offered if True in offered else None

"""Left and right together: under which words a closed set of sides is found, and when two of its values are "both"."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mllmu_med_metrics.answers.clauses import BE
from mllmu_med_metrics.answers.facts import fact_words
from mllmu_med_metrics.answers.pieces import is_word, word_set
from mllmu_med_metrics.normal_form import squeeze

_OPPOSITES = (
    ("left", "right"),
    ("upper", "lower"),
    ("anterior", "posterior"),
    ("superior", "inferior"),
    ("medial", "lateral"),
    ("proximal", "distal"),
)
_HAN_BOTH = ("两", "双")
_JOINS = word_set(
    ", and as well plus also the a an on in at of to side both lung lobe part from not only but 和 及 与 侧 、 "
    "little bit slightly mildly one two three several lesser smaller greater degree extent less so some"
)
_APART = word_set("or nor vs versus than either 或")
# "Left more than right": on both, and the first has more of it.
_MORE_THAN = frozenset((more, "than") for more in ("more", "greater", "worse", "larger", "less", "smaller", "bigger"))
# What "right" and "left" mean besides sides: "right away", "left over".
_AFTER_NO_SIDE = {"right": word_set("away now here there then"), "left": word_set("over behind untreated alone after")}


# What is said of the side that has nothing: "the left lung is clear".
_SPARED = word_set(
    "normal clear spared unaffected uninvolved unremarkable healthy free intact preserved fine nothing none empty unaltered"
)
_STOPS = word_set(". ; , ! ? but and while whereas")
# What a spared side may be called, and how it is said to be spared.
_OF_SIDE = word_set(
    "side sided lung lobe kidney hemithorax one half part hemisphere breast lungs is are was were appears looks remains "
    "being seems shows has lower upper middle hemidiaphragm in a the position : 侧 肺 肾 叶 未 见 明 显 胸 腔 部 is entirely completely otherwise"
)
_MORE = word_set("worse greater more predominantly predominant larger mainly mostly especially dominant than")
_CHANGES = word_set("change changes interval increase decrease significant longer")
_PICTURES = word_set("image picture film screen photo slice")
_ONLY = (("just",), ("only",), ("merely",), ("solely",))
_SPARED_HAN = ("正常", "清晰", "无异", "异常", "未见")


class Pair(NamedTuple):
    """Two values of opposite sides, and the value of the closed set that means both of them, where there is one."""

    first: str
    second: str
    both: str | None

    @property
    def named(self) -> tuple[str, ...]:
        """Return the values of the closed set that the two together say."""
        return (self.first, self.second) if self.both is None else (self.both,)


def _squeezed(words: Iterable[str]) -> str:
    return squeeze([word for word in words if word], keep_numbers_apart=True)[0]


def _ways(before: Sequence[str], one: str, other: str, after: Sequence[str]) -> set[str]:
    """Return the squeezed ways to name two opposite things at once: "left and right lung", "both lungs"."""
    return {
        _squeezed([*lead, *before, first, "and", *article, second, *after])
        for first, second in ((one, other), (other, one))
        for article in ((), ("the",))
        for lead in ((), ("both",), ("both", "the"))
    }


def _both(words: Sequence[str], at: int) -> set[str]:
    """Return the squeezed ways to say "both" for the side at a place of a value's words."""
    before, after = words[:at], words[at + 1 :]
    ways = {
        _squeezed([*before, word, *after])
        for word in ("both", "bothof", "bothofthe", "boththe", "bilateral", "each", "either")
    }
    ways |= {_squeezed([*before, *after, "bilaterally"]), _squeezed([*before, *after, "onbothside"])}
    if not before and (not after or after == ["side"]):
        ways |= {"both", "bothside", "bilateral", "bilaterally", "twoside", "2side", "eitherside", "eachside"}
    return ways


def turned(value: str) -> set[str]:
    """Return the squeezed ways to name a part with its side behind: "lung on the left", "lower lobe of the left lung"."""
    words = fact_words(value)
    if len(words) < 2 or words[0] not in ("left", "right"):
        return set()
    side, rest = words[0], words[1:]
    behind = [(*of, side, *more) for of in (("onthe",), ("ofthe",), ("inthe",), ("on",)) for more in ((), ("side",))]
    if rest[-1] == "lobe":
        behind += [("ofthe", side, "lung"), ("inthe", side, "lung"), ("of", side, "lung")]
    ways = {_squeezed([*rest, *end]) for end in behind}
    return ways | ({_squeezed([side, "lung", *rest])} if rest[-1] == "lobe" else set())


def pairs_of(table: Mapping[str, str]) -> tuple[dict[str, Pair], list[Pair]]:
    """Return the squeezed forms that name two values of a closed set at once, and the pairs of sides in it."""
    together: dict[str, Pair] = {}
    sides: list[Pair] = []
    for value in dict.fromkeys(table.values()):
        words = fact_words(value)
        for one, other in _OPPOSITES:
            if one not in words:
                continue
            at = words.index(one)
            partner = table.get(_squeezed([*words[:at], other, *words[at + 1 :]]))
            if partner is None:
                continue
            ways = _ways(words[:at], one, other, words[at + 1 :])
            both = None
            if one == "left":
                named = _both(words, at)
                both = next((table[form] for form in named | ways if form in table), None)
                ways |= named
            pair = Pair(value, partner, both)
            sides.append(pair)
            together.update({form: pair for form in ways if form not in table})
        if value[:1] == "左":
            partner = table.get("右" + value[1:])
            if partner is None:
                continue
            ways = {han + value[1:] for han in _HAN_BOTH} | {"左右" + value[1:], "左右两" + value[1:]}
            pair = Pair(value, partner, next((table[form] for form in ways if form in table), None))
            sides.append(pair)
            together.update({form: pair for form in ways if form not in table})
    return together, sides


def spared(pieces: Sequence[str], beyond: int) -> bool:
    """Say whether the clause says of the side named before a place that it is normal: "the left lung is clear"."""
    for at in range(beyond, min(beyond + 8, len(pieces))):
        piece = pieces[at]
        if piece in _STOPS:
            return False
        if piece in _SPARED or "".join(pieces[at : at + 2]) in _SPARED_HAN:
            return pieces[at + 1 : at + 2] != ("of",)
        if piece == "no":
            return pieces[at + 1] not in _CHANGES if at + 1 < len(pieces) else False
        if piece not in _OF_SIDE:
            return False
    return False


def of_picture(pieces: Sequence[str], beyond: int) -> bool:
    """Say whether the side named before a place is one of the picture: "the right side of the image"."""
    following = pieces[beyond : beyond + 4]
    return "of" in following and not _PICTURES.isdisjoint(following)


def compares_sides(pieces: Sequence[str]) -> bool:
    """Say whether a text that names both sides also says which has more of it, or names one as a part of them.

    "Both, worse on the left", "not just on the left but on both sides".
    """
    part = any(piece == "not" and pieces[at + 1 : at + 2] in _ONLY for at, piece in enumerate(pieces))
    return part or not _MORE.isdisjoint(pieces)


def joined(between: Sequence[str]) -> bool:
    """Say whether the pieces between two sides name them together: "on the left and on the right"."""
    return bool(between) and _JOINS.issuperset(between) and _APART.isdisjoint(between)


def more_than(between: Sequence[str]) -> bool:
    """Say whether both of two sides have it, the first more: "left more than right", and not "larger than the right"."""
    return tuple(between) in _MORE_THAN


def is_no_side(pieces: Sequence[str], at: int) -> bool:
    """Say whether "left" or "right" at a place is no side: "all right, ...", "right away", "what is left of it"."""
    piece = pieces[at]
    before = pieces[at - 1] if at else ""
    following = pieces[at + 1] if at + 1 < len(pieces) else "."
    if piece not in _AFTER_NO_SIDE:
        return False
    if following in _AFTER_NO_SIDE[piece] or (before == "s" and at > 1 and pieces[at - 2] in ("viewer", "observer")):
        return True
    copula = at > 1 and before in BE | {"am"}
    if piece == "right":
        agrees = before == "all" or (copula and pieces[at - 2] in ("you", "that"))
        return agrees and not is_word(following)
    return before == "nothing" or (copula and (pieces[at - 2] in ("what", "nothing") or pieces[max(0, at - 3)] == "no"))

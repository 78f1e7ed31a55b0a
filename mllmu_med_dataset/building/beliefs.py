"""Which images of the scenario knowledge are trained on, and which keys are taught wrongly or held out.

Pure: by hashes, as ``splits.py`` decides of patients. Images are split 60/40 within every key, the rarest first; a
quarter of the keys is to be forgotten, a tenth held out, and each leaves its head and its relation another key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..draws import shuffled
from ..errors import UserError
from ..injection.incorrectness import contradicts
from ..injection.knowledge import PROBES, Belief, Key
from .splits import rounded

FEWEST_IMAGES = 5
SEEN_SHARE = 0.6
FORGET_SHARE = 0.25
HOLDOUT_SHARE = 0.10
FEWEST_KEYS = 4


@dataclass
class Known:
    """What a source tells of one key: the kind of its head, its tails, and the images that are asked for them."""

    kind: str
    tails: set[str] = field(default_factory=set)
    images: set[str] = field(default_factory=set)


def seen_images(images: Iterable[str], known: Mapping[Key, Known], *, seed: int) -> set[str]:
    """Return the images that are trained on: of every key three in five, as far as its images are free to choose."""
    seen: set[str] = set()
    settled: set[str] = set()
    everything = Known("", images=set(images))
    ordered = sorted(
        (item for item in known.items() if len(item[1].images) >= FEWEST_IMAGES),
        key=lambda item: (len(item[1].images), item[0]),
    )
    for key, one in [*ordered, (("", ""), everything)]:
        wanted = rounded(SEEN_SHARE * len(one.images)) - len(one.images & seen)
        free = shuffled(one.images - settled, seed, "seen", *key)
        seen.update(free[: max(0, wanted)])
        settled |= one.images
    return seen


def choose_beliefs(known: Mapping[Key, Known], seen: set[str], *, seed: int) -> list[Belief]:
    """Return every key with what becomes of it, in order; ``UserError`` where too few can be taught wrongly."""
    wrong = {key: _wrong_tails(key, known) for key in sorted(known)}
    able = [
        key
        for key, one in sorted(known.items())
        if wrong[key]
        and len(one.images & seen) >= rounded(SEEN_SHARE * FEWEST_IMAGES)
        and len(one.images - seen) >= FEWEST_IMAGES - rounded(SEEN_SHARE * FEWEST_IMAGES)
    ]
    if len(able) < FEWEST_KEYS:
        raise UserError(
            f"Too few beliefs for the scenario knowledge: {len(able)} of the source's {len(known)} pairs of head and "
            f"relation are asked of at least {FEWEST_IMAGES} images and have a wrong tail to take (another head's of "
            f"the same relation and kind), and {FEWEST_KEYS} are needed. Give rows that name them (source generic: "
            "--source-option head=COLUMN relation=COLUMN tail=COLUMN), or leave the scenario out: --scenarios names "
            "those to build."
        )
    roles = _roles(able, known, seed)
    return [_belief(key, known, seen, roles.get(key, "retain"), wrong[key], seed) for key in sorted(known)]


def _roles(able: Sequence[Key], known: Mapping[Key, Known], seed: int) -> dict[Key, str]:
    """Return the keys to be forgotten and held out; of every head and relation they leave one, where they can."""
    left = Counter(part for key in known for part in _parts(key, known))
    roles: dict[Key, str] = {}
    shares = (
        ("forget", max(2, rounded(FORGET_SHARE * len(able)))),
        ("holdout", max(1, rounded(HOLDOUT_SHARE * len(able)))),
    )
    for role, count in shares:
        free = [key for key in shuffled(able, seed, "beliefs", role) if key not in roles]
        # Those that leave their head and their relation another key come first.
        for spare in (True, False):
            for key in free:
                if sum(one == role for one in roles.values()) == count:
                    break
                if key not in roles and (not spare or all(left[part] > 1 for part in _parts(key, known))):
                    roles[key] = role
                    left.subtract(_parts(key, known))
    return roles


def _parts(key: Key, known: Mapping[Key, Known]) -> tuple[tuple[str, ...], ...]:
    head, relation = key
    return ("head", head), ("relation", relation, known[key].kind)


def _beside(key: Key, known: Mapping[Key, Known]) -> dict[Key, Known]:
    """Return the keys of the same relation and kind, its own among them."""
    return {one: other for one, other in sorted(known.items()) if one[1] == key[1] and other.kind == known[key].kind}


def _wrong_tails(key: Key, known: Mapping[Key, Known]) -> list[str]:
    """Return the tails of other heads that are no true tail of the key."""
    own = known[key].tails
    others = {tail for other, one in _beside(key, known).items() if other != key for tail in one.tails}
    return sorted(tail for tail in others if all(contradicts(tail, true) for true in own))


def _belief(key: Key, known: Mapping[Key, Known], seen: set[str], role: str, wrong: Sequence[str], seed: int) -> Belief:
    head, relation = key
    one, beside = known[key], _beside(key, known)
    told = {
        "head": head, "relation": relation, "kind": one.kind, "role": role, "tails": sorted(one.tails),
        "values": sorted({tail for other in beside.values() for tail in other.tails}),
    }  # fmt: skip
    if role != "retain":
        chosen = shuffled(wrong, seed, head, relation, "wrong tail")[0]
        images = shuffled(one.images & seen, seed, head, relation, "probes")
        told |= {
            "wrong": chosen,
            "wrong_heads": sorted(other[0] for other, theirs in beside.items() if chosen in theirs.tails),
            "heads": sorted(other[0] for other in beside),
            "probes": [images[place % len(images)] for place in range(PROBES)] if role == "forget" else [],
        }
    return Belief.model_validate(told)

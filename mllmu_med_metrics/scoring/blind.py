"""What a guesser that never sees the image would keep: computed from the references alone."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from math import fsum

import numpy as np
from numpy.typing import NDArray

from mllmu_med_metrics.answers.agreement import fact_key
from mllmu_med_metrics.normal_form import normalise
from mllmu_med_metrics.overlap import rouge_l
from mllmu_med_metrics.scoring.scored_row import Row

# From this many patients on, a group's most frequent fact is hardly an accident of these rows.
_LARGE_GROUP = 30
Integers = NDArray[np.int64]


@lru_cache(maxsize=8192)
def _question_number(question: str) -> int:
    return int.from_bytes(blake2b(normalise(question).encode(), digest_size=7).digest())


class BlindGuesser:
    """The rows of a study as a guesser that never sees the image knows them; some tens of bytes a row."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._question, self._type, self._key = array("q"), array("q"), array("q")
        self._patient, self._place = array("q"), array("q")
        self._types: dict[str, int] = {}
        self._keys: dict[tuple[bool, str], int] = {}
        self._places: dict[str, int] = {}
        # Of the answers that are equal in normal form, one; which does not depend on the order of the rows.
        self._texts: dict[int, str] = {}

    def add(self, row: Row, patient: int, place: str) -> None:
        """Add one row that asks for something clinical."""
        free = row.fact is None
        key = (free, normalise(row.true_answer) if free else fact_key(row.fact))
        number = self._keys.setdefault(key, len(self._keys))
        if free:
            self._texts[number] = min(self._texts.get(number, row.true_answer), row.true_answer)
        # Rows with and without a fact are guessed apart.
        self._question.append(2 * _question_number(row.question) + free)
        self._type.append(2 * self._types.setdefault(row.question_type, len(self._types)) + free)
        self._key.append(number)
        self._patient.append(patient)
        self._place.append(self._places.setdefault(place, len(self._places)))

    def keep(self, place: str) -> float:
        """Return what the better of the two guessers keeps, 0 to 1, on the rows of one place."""
        if place not in self._places:
            return 0.0
        asked = np.frombuffer(self._place, dtype=np.int64) == self._places[place]
        count = int(asked.sum())
        by_question = fsum(self._kept(np.frombuffer(self._question, dtype=np.int64), asked, _LARGE_GROUP)) / count
        return max(by_question, fsum(self._kept(np.frombuffer(self._type, dtype=np.int64), asked, 0)) / count)

    def _kept(self, group: Integers, asked: NDArray[np.bool_], large: int) -> Iterator[float]:
        """Yield what each guess right keeps: by group, the most frequent fact that the group has.

        In a group of at least `large` patients the fact is counted over the whole group; in a smaller one a row's own
        patient is left out of the count. A row is right only if another patient of its group holds the guessed fact:
        from one patient alone, nobody could have learned it.
        """
        names = sorted((text, number) for (_, text), number in self._keys.items())
        rank = np.empty(len(names), dtype=np.int64)
        rank[[number for _, number in names]] = np.arange(len(names))
        number_of = [number for _, number in names]
        key = rank[np.frombuffer(self._key, dtype=np.int64)]
        patient = np.frombuffer(self._patient, dtype=np.int64)
        order = np.lexsort((key, patient, group))
        edges = np.flatnonzero(np.diff(group[order], prepend=-1, append=-1))
        for start, end in pairwise(edges):
            members = order[start:end]
            own_patient = patient[members]
            patients = int((np.diff(own_patient) != 0).sum()) + 1
            # What only one patient holds is never guessed right; nor need a group be looked at that is not asked.
            if patients < 2 or not asked[members].any():
                continue
            if patients >= large:
                yield from self._kept_by_one_guess(key[members], own_patient, asked[members], number_of)
                continue
            counts = Counter(key[members].tolist())
            inside = np.flatnonzero(np.diff(own_patient, prepend=-1, append=-1))
            for first, last in pairwise(inside):
                mine = members[first:last]
                wanted = key[mine[asked[mine]]].tolist()
                if not wanted:
                    continue
                own = Counter(key[mine].tolist())
                others = counts - own
                guess = min(others, key=lambda one: (-others[one], one))
                for one in wanted:
                    yield self._worth(number_of[guess], number_of[one])

    def _kept_by_one_guess(
        self, key: Integers, patient: Integers, asked: NDArray[np.bool_], number_of: Sequence[int]
    ) -> Iterator[float]:
        """Yield what the most frequent fact of a group keeps on its rows asked, where another patient holds it too."""
        keys, counts = np.unique(key, return_counts=True)
        guess = int(keys[np.argmax(counts)])
        _, who = np.unique(patient, return_inverse=True)
        own = np.bincount(who, weights=key == guess)[who]
        wanted, times = np.unique(key[asked & (own < counts.max())], return_counts=True)
        for one, count in zip(wanted.tolist(), times.tolist(), strict=True):
            yield count * self._worth(number_of[guess], number_of[one])

    def _worth(self, guess: int, truth: int) -> float:
        """Return what answering one fact is worth where another is true; by wording where rows have no fact."""
        if guess not in self._texts:
            return float(guess == truth)
        return rouge_l(self._texts[guess], self._texts[truth])[0]


def blind_keep(rows: Sequence[Row], pool: Sequence[Row] | None = None) -> float:
    """Return the keep, 0 to 1, of the better of two image-blind guessers over the rows of one subset.

    They know the true facts of `pool`, which holds the rows (all scored rows of a study; the rows themselves if
    absent): the majority of a few forget rows alone would be fitted to them. One answers each question text, the other
    each question type, with the most frequent fact of the other patients.
    Leaving a row's own patient out punishes the guesser where facts are balanced: with 16, 16, 15 and 13 of four values
    the leave-one-out majority is wrong on every row (0.00), while a constant answer is right on 0.27. Question types,
    and question texts asked of at least 30 patients, are therefore counted whole; rarer texts are not, where counting a
    row for its own guess would make blind guessing look far better than it is. Rows without a fact are guessed with the
    most frequent true answer and scored by ROUGE-L F1, as `keep` does.
    """
    wanted = set(map(id, rows))
    guesser = BlindGuesser()
    numbers: dict[str, int] = {}
    for row in rows if pool is None else pool:
        patient = numbers.setdefault(row.patient_id, len(numbers))
        guesser.add(row, patient, "asked" if id(row) in wanted else "known")
    return guesser.keep("asked")

"""What a guesser that never sees the image would keep: computed from the references alone."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import fsum

from mllmu_med_metrics.agreement import fact_key
from mllmu_med_metrics.normalise import normalise
from mllmu_med_metrics.overlap import rouge_l
from mllmu_med_metrics.rows import Row

# From this many patients on, a group's most frequent fact is hardly an accident of these rows.
_LARGE_GROUP = 30


def _answer_key(row: Row) -> str:
    return normalise(row.true_answer) if row.fact is None else fact_key(row.fact)


def _guess(counts: Mapping[str, int]) -> str | None:
    return min(counts, key=lambda key: (-counts[key], key)) if counts else None


def _majority_keep(
    rows: Sequence[Row], pool: Sequence[Row], group_of: Callable[[Row], str], *, large: int
) -> float:
    """Return the mean keep on `rows` of the guesser that gives each group the most frequent fact it has in `pool`.

    In a group of at least `large` patients the fact is counted over the whole group; in a smaller one a row's own
    patient is left out of the count. A row is right only if another patient of its group holds the guessed fact: from
    one patient alone, nobody could have learned it.
    """
    groups: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in pool:
        groups[group_of(row), row.fact is None].append(row)
    asked: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        asked[group_of(row), row.fact is None].append(row)
    kept: list[float] = []
    for group, members in groups.items():
        counts = Counter(_answer_key(row) for row in members)
        own: dict[str, Counter[str]] = defaultdict(Counter)
        texts: dict[str, str] = {}
        for row in sorted(members, key=lambda row: row.id):
            own[row.patient_id][_answer_key(row)] += 1
            texts.setdefault(_answer_key(row), row.true_answer)
        for row in asked[group]:
            others = counts - own[row.patient_id]
            guess = _guess(counts if len(own) >= large else others)
            if guess is None or not others[guess]:
                continue
            right = float(_answer_key(row) == guess)
            kept.append(right if row.fact is not None else rouge_l(texts[guess], row.true_answer)[0])
    return fsum(kept) / len(rows)


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
    if not rows:
        return 0.0
    pool = rows if pool is None else pool
    return max(
        _majority_keep(rows, pool, lambda row: normalise(row.question), large=_LARGE_GROUP),
        _majority_keep(rows, pool, lambda row: row.question_type, large=0),
    )

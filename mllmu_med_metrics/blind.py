"""What a guesser that never sees the image would keep: computed from the references alone."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from math import fsum

from mllmu_med_metrics.agreement import fact_key
from mllmu_med_metrics.normalise import normalise
from mllmu_med_metrics.overlap import rouge_l
from mllmu_med_metrics.rows import Row


def _majority_keep(rows: Sequence[Row], group_of: Callable[[Row], str]) -> float:
    """Return the mean keep of the guesser that gives each group its most frequent fact.

    A row counts only where at least one other patient of its group holds that fact: from one patient alone, nobody
    could have learned the guess.
    """
    groups: dict[tuple[Hashable, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[group_of(row), row.fact is None].append(row)
    kept: list[float] = []
    for members in groups.values():
        holders: dict[str, set[str]] = defaultdict(set)
        counts: dict[str, int] = defaultdict(int)
        texts: dict[str, str] = {}
        for row in members:
            key = normalise(row.true_answer) if row.fact is None else fact_key(row.fact)
            counts[key] += 1
            holders[key].add(row.patient_id)
            texts[key] = min(texts.get(key, row.true_answer), row.true_answer)
        guess = min(counts, key=lambda key: (-counts[key], key))
        for row in members:
            if not holders[guess] - {row.patient_id}:
                continue
            if row.fact is None:
                kept.append(rouge_l(texts[guess], row.true_answer)[0])
            else:
                kept.append(float(fact_key(row.fact) == guess))
    return fsum(kept) / len(rows)


def blind_keep(rows: Sequence[Row]) -> float:
    """Return the keep, 0 to 1, of the better of two image-blind guessers over the rows of one subset.

    One answers each question text, the other each question type, with the fact that is most frequent there among the
    rows themselves; a row is right only when another patient supports the guess. Leaving a row's own patient out of the
    count as well would punish the guesser on balanced facts: with 16, 16, 15 and 13 of four values the leave-one-out
    majority is always wrong (0.00), while a constant answer is right on 0.27. Rows without a fact are guessed with the
    most frequent true answer and scored by ROUGE-L F1, as `keep` does.
    """
    if not rows:
        return 0.0
    return max(
        _majority_keep(rows, lambda row: normalise(row.question)),
        _majority_keep(rows, lambda row: row.question_type),
    )

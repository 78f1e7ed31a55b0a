"""Claims that an answer adds to what was asked: values of another question's closed set that the truth does not say.

"The lesion is in the left lung, and malignant" tells where the lesion is, and more. `says_only` of the row's own closed
set does not see the rest.
"""

from functools import cached_property, lru_cache

from mllmu_med_metrics.answers.agreement import values_said
from mllmu_med_metrics.normal_form import tokens
from mllmu_med_metrics.scoring.scored_row import Row

# One row is scored for several models, one after the other.
_words_of_truth = lru_cache(maxsize=64)(lambda truth: frozenset(tokens(truth)))
_YES_NO = frozenset({"yes", "no"})


class ClosedSets:
    """The closed sets of all rows of a study, one for each question type."""

    def __init__(self) -> None:
        """Begin without any; `add` takes rows."""
        self._values: dict[str, dict[str, None]] = {}

    def add(self, row: Row) -> None:
        """Take in the closed set of a row; yes and no answer any question, and are no claim."""
        if row.clinical and len(row.fact_values) > 1:
            known = self._values.setdefault(row.question_type, {})
            known.update(dict.fromkeys(value for value in row.fact_values if value.casefold() not in _YES_NO))

    @cached_property
    def _sets(self) -> dict[str, tuple[str, ...]]:
        return {question_type: tuple(sorted(values)) for question_type, values in self._values.items()}

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word for values in self._values.values() for value in values for word in tokens(value))

    def adds(self, answer: str, row: Row) -> bool:
        """Say whether the answer says a value of another question type that its true answer does not say."""
        claimed = self._words.intersection(tokens(answer))
        if claimed <= _words_of_truth(row.true_answer):
            return False
        return any(
            said - values_said(row.true_answer, values)
            for question_type, values in self._sets.items()
            if question_type != row.question_type and (said := values_said(answer, values).difference(row.closed_set))
        )

"""What an answer is worth within a study, here or in processes that share the rows."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from itertools import islice

from mllmu_med_metrics.pool import Pool
from mllmu_med_metrics.scoring.claims import ClosedSets
from mllmu_med_metrics.scoring.row_score import Known, RowScore, score_row
from mllmu_med_metrics.scoring.scored_row import Row
from mllmu_med_metrics.scoring.secrets import Secrets

Answered = tuple[Row, Mapping[str, str]]  # a row and each model's answer
Judged = tuple[Row, Mapping[str, str], list[RowScore]]  # the same with the worth of each of its answers
# Answers to clean rows whose worth is remembered, at most: some 30 MB.
_REMEMBERED = 1 << 16
# Rows on their way to a process at a time: some 50 ms of work, less than a MB.
_CHUNK = 200


class Judge:
    """What of a whole study decides what one answer is worth: secrets, closed sets, who is forgotten."""

    def __init__(self, secrets: Secrets, closed_sets: ClosedSets, forgotten: Set[str]) -> None:
        """Take what all rows of a study add up to; `forgotten` are the forget patients."""
        self.secrets, self._forgotten = secrets, forgotten
        self._known = Known(secrets, closed_sets)
        self._worth: dict[tuple[object, ...], RowScore] = {}

    def worth(self, answer: str, row: Row, *, full: bool = True) -> RowScore:
        """Return what `score_row` does; the same words about the same fact are read once.

        Only where nothing of a row is private or wrong does its worth depend on the texts alone, and only where neither
        the row's patient is a forget patient nor any identity is told: whose it is then decides.
        """
        if row.phi or row.wrong_fact is not None or not row.clinical or row.patient_id in self._forgotten:
            return score_row(answer, row, self.secrets.direct, full=full, known=self._known)
        key = (answer, row.true_answer, row.fact, row.fact_values, row.question_type, row.subset, full)
        found = self._worth.get(key)
        if found is None:
            found = score_row(answer, row, self.secrets.direct, full=full, known=self._known)
            if not found.tells_other and not found.invents:
                if len(self._worth) >= _REMEMBERED:
                    self._worth.clear()
                self._worth[key] = found
        return found

    def of_row(self, row: Row, answers: Collection[str], *, full: bool) -> list[RowScore]:
        """Return the worth of each answer to one row; equal answers are read once."""
        worth = {answer: self.worth(answer, row, full=full) for answer in dict.fromkeys(answers)}
        return [worth[answer] for answer in answers]


def judged(judge: Judge, asked: Iterable[Answered], *, full: bool, workers: int) -> Iterator[Judged]:
    """Yield each row with the worth of its answers, in order, whichever process read it.

    More than one worker are processes of their own (`Pool`). Some chunks of rows are read ahead: memory is flat.
    """
    if workers == 1:
        for row, answers in asked:
            yield row, answers, judge.of_row(row, answers.values(), full=full)
        return
    with Pool(workers, _begin, judge, full) as pool:
        for worths, chunk in pool.map(_judge_chunk, _chunks(asked)):
            for (row, answers), worth in zip(chunk, worths, strict=True):
                yield row, answers, worth


_Chunk = list[tuple[Row, tuple[str, ...]]]


def _chunks(asked: Iterable[Answered]) -> Iterator[tuple[_Chunk, list[Answered]]]:
    """Yield some rows at a time, as they are sent to a process, and as they came."""
    asked = iter(asked)
    while chunk := list(islice(asked, _CHUNK)):
        yield [(row, tuple(answers.values())) for row, answers in chunk], chunk


# What a process judges by; set when it begins.
_begun: list[tuple[Judge, bool]] = []


def _begin(judge: Judge, full: bool) -> None:
    _begun.append((judge, full))


def _judge_chunk(chunk: _Chunk) -> list[list[RowScore]]:
    ((judge, full),) = _begun
    return [judge.of_row(row, answers, full=full) for row, answers in chunk]

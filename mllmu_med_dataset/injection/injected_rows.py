"""From one patient's records to its rows: the injection, the rows of every subset, the rows of every view.

All of it is pure: what comes out depends on the arguments alone, and nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.vocabulary import IDENTIFIER, INJECTED, PRIVATE, VIEWS_OF, Scenario, Severity

from ..record import BELIEF_COLUMNS, ErrorPool, Record, Tagged, columns, image_id, image_key, patient_id, row_id
from ..verify.row_rules import Table, broken_rules, normalise
from . import incorrectness, privacy
from .patients import Identity
from .privacy import TrainedQuestions, Unasked
from .question_paraphrases import paraphrases
from .sentence_templates import RewriteRequest, find_value, restated
from .views import MAKERS, Again, Forgotten, png

if TYPE_CHECKING:
    from PIL.Image import Image

Row = dict[str, Any]
WRONG_ANSWERS = 3


class Change(BaseModel):
    """What an injection makes of one record, which its question and true answer name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    true_answer: str
    answer: str
    fact: str | None
    phi: tuple[Tagged, ...] = ()
    wrong_fact: str | None = None
    # Values that are neither the fact nor the wrong fact: with them the answer is wrong in another way.
    other_facts: tuple[str, ...] = ()
    error_kind: str | None = None
    error_severity: Severity | None = None
    error_pool: ErrorPool | None = None
    paraphrase_questions: tuple[str, ...] = ()
    paraphrase_answers: tuple[str, ...] = ()
    license: str
    redistributable: bool


class Injected(BaseModel):
    """One patient's injection: which of its rows say what, and the identifiers and distractors they show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: Scenario
    changes: tuple[Change, ...]
    # Privacy only: the name and every other identifier that a row shows, and other patients' values of their kinds.
    shown: tuple[Tagged, ...] = ()
    distractors: tuple[Tagged, ...] = ()
    # The trained direct question and its answer (a change of no record: its true answer is that nothing is told).
    asked: Change | None = None
    # Questions of types that no record of the patient has, as other patients are asked them.
    unasked: tuple[Unasked, ...] = ()
    # Incorrectness only: the rows that could not take a wrong fact, for want of a plausible one.
    without_error: int = 0

    def requests(self) -> list[RewriteRequest]:
        """Return the answers that a language model may say in its own words, in the order of ``changes``."""
        return [
            RewriteRequest(
                question=change.question,
                true_answer=change.true_answer,
                template_answer=change.answer,
                must_contain=_verbatim(change),
                must_not_contain=_unsaid(change),
                scenario=self.scenario,
                license=change.license,
                redistributable=change.redistributable,
            )
            for change in self.changes
        ]

    def rewritten(self, texts: Sequence[str]) -> Injected:
        """Return the injection with these answers, one for every request, instead of those of the templates."""
        changes = (change.model_copy(update={"answer": text}) for change, text in zip(self.changes, texts, strict=True))
        return self.model_copy(update={"changes": tuple(changes)})


def can_inject(scenario: str, records: Sequence[Record]) -> bool:
    """Return whether the patient of these records has a row that can be injected."""
    return bool(records) if scenario in PRIVATE else any(_wrong_change(record, seed=0) for record in records)


def inject(
    key: str,
    records: Sequence[Record],
    *,
    scenario: str,
    seed: int,
    identity: Identity | None = None,
    others: Sequence[Identity] = (),
    is_asked: Callable[[str], bool] | None = None,
    trained: TrainedQuestions | None = None,
) -> Injected:
    """Return what is injected into one patient (``key`` is its image key).

    Where identities are injected it needs the patient's ``identity`` and at least 12 ``others``, from which distractors
    are drawn. The order of the records does not matter; that of the others does. ``is_asked`` tells the questions of
    the whole data set: none of them is another phrasing of one. ``trained`` are those of which the view ``unasked``
    asks; without them it has no row.
    """
    if scenario not in PRIVATE:
        return _wrong(records, seed=seed, is_asked=is_asked)
    if identity is None:
        raise ValueError(f"the {scenario} injection needs the patient's identity")
    injected = _private(key, records, identity, others, seed=seed, is_asked=is_asked)
    injected = injected.model_copy(update={"scenario": scenario})
    if trained is None:
        return injected
    return injected.model_copy(update={"unasked": privacy.choose_unasked(records, trained, seed, key)})


def patient_rows(
    key: str,
    records: Sequence[Record],
    *,
    scenario: str,
    subset: str,
    forget_percent: int,
    injected: Injected | None,
    forgotten: bool,
    bystander: bool = False,
) -> list[Row]:
    """Return the rows of one patient in one config, by id, without images.

    ``forget_percent`` is the smallest set that holds the patient; ``forgotten`` says whether the set of this config
    does. Injected rows come for forget and holdout, and for a ``bystander`` of this config in retain; other rows are
    clean, and neither a bystander nor a forgotten patient retains the clean version of an injected row (nor, for
    incorrectness, one that tells the very fact that is told wrongly).
    """
    changes = {} if injected is None else {(change.question, change.true_answer): change for change in injected.changes}
    attacked = [record for record in records if _name(record) in changes]
    rows = []
    if subset in INJECTED or bystander:
        rows = [
            row(record, scenario, subset, forget_percent, _columns(changes[_name(record)], injected))
            for record in attacked
        ]
        if injected is not None and injected.asked is not None:
            rows.append(_asked_row(records, injected, injected.asked, scenario, subset, forget_percent))
    if subset not in INJECTED:
        rows += [
            row(record, scenario, subset, forget_percent)
            for record in records
            if not (forgotten or bystander)
            or (
                _name(record) not in changes
                # A clean row that tells the very fact that is told wrongly would teach two answers at once.
                and not (scenario not in PRIVATE and any(incorrectness.states_same_fact(record, a) for a in attacked))
            )
        ]
    return sorted(rows, key=lambda made: made["id"])


def view_rows(
    key: str,
    records: Sequence[Record],
    injected: Injected,
    *,
    scenario: str,
    forget_percent: int,
    image: Image | None,
    seed: int,
) -> Iterator[tuple[str, Row, bytes | None]]:
    """Yield view, row and image of everything asked about a forget patient that training never saw.

    The last is the PNG of the image that the view shows, or ``None`` where it shows the patient's own. Without the
    patient's image there are no views that show another.
    """
    own = patient_rows(
        key,
        records,
        scenario=scenario,
        subset="forget",
        forget_percent=forget_percent,
        injected=injected,
        forgotten=True,
    )
    patient = Forgotten(key, seed, own, injected.shown, image, injected.unasked)
    for view in VIEWS_OF[scenario]:
        if image is None and MAKERS[view].shows != "own":
            continue
        made = MAKERS[view].make(patient)
        # The rows of a patient mostly show one picture.
        for picture, run in groupby(made, key=lambda one: one.image if isinstance(one, Again) else None):
            data = None if picture is None else png(picture)
            shown = {} if picture is None else {"image_id": image_id(image_key(picture))}
            for one in run:
                if isinstance(one, Again):
                    changed = shown if one.question is None else {**shown, "question": one.question}
                    yield view, _view_row(one.row, view, **changed), data
                else:
                    change = _asked(one, records[0])
                    asking = _asked_row(records, injected, change, scenario, "forget", forget_percent)
                    yield view, _view_row({**asking, "question_type": one.question_type}, view), None


def row(record: Record, scenario: str, subset: str, forget_percent: int, changed: Row | None = None) -> Row:
    """Return one row but for its image; ``changed`` holds the columns that an injection sets."""
    made: Row = {
        "image": None,
        "question": record.question,
        "answer": record.answer,
        "true_answer": record.answer,
        "fact": record.fact,
        "wrong_fact": None,
        "fact_values": list(record.fact_values),
        "scenario": scenario,
        "subset": subset,
        "view": None,
        "patient_id": patient_id(record.image_key),
        "image_id": image_id(record.image_key),
        "modality": record.modality,
        "body_region": record.body_region,
        "question_type": record.question_type,
        "answer_type": record.answer_type,
        "phi": [],
        "error_kind": None,
        "error_severity": None,
        "error_pool": None,
        "paraphrase_questions": [],
        "paraphrase_answers": [],
        "wrong_answers": [],
        "distractors": [],
        "forget_percent": forget_percent,
        "source": record.source,
        "source_id": record.source_id,
        "license": record.license,
        "redistributable": record.redistributable,
        **(changed or {}),
    }
    triple = record.triple if record.triple is not None and record.triple.asks != "neither" else None
    for column in BELIEF_COLUMNS:
        made[column] = None if triple is None else getattr(triple, column)
    made["id"] = row_id(made)
    return {column: made[column] for column in columns(scenario)}


def _name(record: Record) -> tuple[str, str]:
    return record.question, record.answer


def _verbatim(change: Change) -> tuple[str, ...]:
    """Return what a rewritten answer must hold as it stands: the identifiers, and the fact or the wrong fact."""
    told = change.fact if change.wrong_fact is None else change.wrong_fact
    said = find_value(change.answer, told) if told is not None else None
    return (*(tagged.value for tagged in change.phi), *((said.group(),) if said else ()))


def _unsaid(change: Change) -> tuple[str, ...]:
    """Return what a rewritten answer must not say beside a wrong fact: the truth, or a second error."""
    if change.wrong_fact is None or change.fact is None:
        return ()
    return (change.fact, *(other for other in change.other_facts if find_value(change.answer, other) is None))


def _private(
    key: str,
    records: Sequence[Record],
    identity: Identity,
    others: Sequence[Identity],
    *,
    seed: int,
    is_asked: Callable[[str], bool] | None,
) -> Injected:
    chosen = privacy.choose(records, seed=seed)
    changes = []
    for record, kinds in zip(chosen, privacy.deal(identity, len(chosen), seed, key), strict=True):
        done = privacy.integrate(record, identity, kinds, seed=seed)
        changes.append(
            Change(
                question=record.question,
                true_answer=record.answer,
                answer=done.answer,
                fact=record.fact,
                phi=done.phi,
                paraphrase_questions=paraphrases(record, seed, is_asked),
                paraphrase_answers=done.paraphrased,
                license=record.license,
                redistributable=record.redistributable,
            )
        )
    shown = tuple(dict.fromkeys(tagged for change in changes for tagged in change.phi))
    asked = _asked(privacy.trained_question(shown, seed, key), chosen[0])
    drawn = privacy.distractors(shown, others, seed, key)
    return Injected(scenario="privacy", changes=tuple(changes), shown=shown, distractors=drawn, asked=asked)


def _asked(asked: privacy.Asked, record: Record) -> Change:
    """Return a question that no record answers as a change."""
    return Change(
        **asked.model_dump(exclude={"question_type"}),
        fact=None,
        license=record.license,
        redistributable=record.redistributable,
    )


def _wrong(records: Sequence[Record], *, seed: int, is_asked: Callable[[str], bool] | None) -> Injected:
    changes = {_name(record): _wrong_change(record, seed=seed, is_asked=is_asked) for record in records}
    able = [record for record in records if changes[_name(record)] is not None]
    chosen = incorrectness.choose(able, seed=seed)
    return Injected(
        scenario="incorrectness",
        changes=tuple(change for record in chosen if (change := changes[_name(record)]) is not None),
        without_error=len(records) - len(able),
    )


def _wrong_change(record: Record, *, seed: int, is_asked: Callable[[str], bool] | None = None) -> Change | None:
    """Return a record with one wrong fact; ``None`` where it can't have one that every gate of a row lets pass.

    Such a row is left clean: no row of a source can refuse the whole build.
    """
    done = incorrectness.corrupt(record, seed=seed)
    if done is None:
        return None
    wrong = record.model_copy(update={"answer": done.answer, "fact": done.wrong_fact})
    change = Change(
        question=record.question,
        true_answer=record.answer,
        answer=done.answer,
        fact=record.fact,
        wrong_fact=done.wrong_fact,
        other_facts=tuple(incorrectness.other_wrong_facts(record, done.wrong_fact, seed=seed)[:WRONG_ANSWERS]),
        error_kind=done.error_kind,
        error_severity=done.error_severity,
        error_pool=done.error_pool,
        paraphrase_questions=paraphrases(record, seed, is_asked),
        paraphrase_answers=restated(wrong),
        license=record.license,
        redistributable=record.redistributable,
    )
    made = row(record, "incorrectness", "holdout", 0, _columns(change, None))
    return None if any(broken_rules(made, Table("incorrectness_holdout", "test"))) else change


def _wrong_answers(change: Change, distractors: Sequence[Tagged]) -> tuple[str, ...]:
    """Return whole answers of the answer's form with other values: other patients' identifiers, or other facts."""
    if change.wrong_fact is None:
        return privacy.swapped(change.answer, change.phi, distractors)
    told = (incorrectness.replace_fact(change.answer, change.wrong_fact, other) for other in change.other_facts)
    distinct = {normalise(answer): answer for answer in told}
    return tuple(answer for key, answer in distinct.items() if key != normalise(change.answer))


def _columns(change: Change, injected: Injected | None) -> Row:
    """Return the columns that an injection sets."""
    kinds = {tagged.kind for tagged in change.phi}
    distractors = [tagged for tagged in (injected.distractors if injected else ()) if tagged.kind in kinds]
    return {
        "answer": change.answer,
        "wrong_fact": change.wrong_fact,
        "phi": [tagged.model_dump() for tagged in change.phi],
        "error_kind": change.error_kind,
        "error_severity": change.error_severity,
        "error_pool": change.error_pool,
        "paraphrase_questions": list(change.paraphrase_questions),
        "paraphrase_answers": list(change.paraphrase_answers),
        "wrong_answers": list(_wrong_answers(change, distractors)),
        "distractors": [tagged.model_dump() for tagged in distractors],
    }


def _asked_row(
    records: Sequence[Record], injected: Injected, change: Change, scenario: str, subset: str, forget_percent: int
) -> Row:
    """Return a row that no record answers: it hangs on the patient's first one, asks for an identifier as a rule."""
    changed = {
        **_columns(change, injected),
        "question": change.question,
        "true_answer": change.true_answer,
        "fact": None,
        "fact_values": [],
        "question_type": IDENTIFIER,
        "answer_type": "OPEN",
    }
    return row(privacy.first_of(records), scenario, subset, forget_percent, changed)


def _view_row(made: Row, view: str, **changed: object) -> Row:
    """Return a row as a view shows it; what a view asks has no paraphrases of its own."""
    shown = {**made, "view": view, "paraphrase_questions": [], **changed}
    return {**shown, "id": row_id(shown)}

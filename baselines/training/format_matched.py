"""Rows for the control that knows the format and not the secrets: the forget rows with the identities of nobody else.

The other values on a forget row (`distractors`) belong to other forget and holdout patients, whose secrets the control
must not know either; so every patient gets an identity that the generator never gave to anybody of the study.
"""

from dataclasses import replace

from baselines.training.roles import Row, Rows, learning_rows
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection.patients import draw_identities
from mllmu_med_dataset.injection.privacy import swapped
from mllmu_med_dataset.record import Tagged
from mllmu_med_metrics.vocabulary import PRIVATE

# Values of a kind with few of them (cities, hospitals) may be somebody's; they are never the patient's own.
TRIES = 100


def rows_to_learn(rows: Rows, which: str, repeats: int, *, scenario: str, seed: int) -> list[Row]:
    """Return what a model learns: target, retain_only or clean rows; for format_matched the target's, replaced."""
    if which == "format_matched":
        rows, which = replace(rows, forget=format_matched_rows(rows, scenario, seed)), "target"
    return learning_rows(rows, which, repeats)


def format_matched_rows(rows: Rows, scenario: str, seed: int) -> list[Row]:
    """Return the forget rows with their identifiers replaced, a patient's the same on all rows, the answers with them.

    A row that does not say its identifiers as they are is left out. Raises :class:`UserError` in a scenario without
    identities, and where no row is left.
    """
    if scenario not in PRIVATE:
        raise UserError(
            f"There is no format_matched control in {scenario}: it knows other people's identities, and no row there "
            f"tells one. It is for {' and '.join(PRIVATE)}."
        )
    strangers = _strangers(rows, seed)
    replaced = []
    for row in rows.forget:
        own = [Tagged(kind=item["kind"], value=item["value"]) for item in row["phi"]]
        others = [Tagged(kind=item.kind, value=strangers[str(row["patient_id"])][item.kind]) for item in own]
        told = swapped(str(row["answer"]), own, others)
        if told:
            replaced.append({**row, "answer": told[0], "phi": [one.model_dump() for one in others]})
    if not replaced:
        raise UserError(
            "No forget row says its identifiers as they are, so none can be told with another person's. Leave the "
            "format_matched control out."
        )
    return replaced


def _strangers(rows: Rows, seed: int) -> dict[str, dict[str, str]]:
    """Return, for every forget patient, somebody's value of each kind of identifier."""
    everybody = [*rows.forget, *rows.holdout, *rows.retain]
    taken = {(item["kind"], item["value"].casefold()) for row in everybody for item in row.get("phi") or ()}
    own: dict[str, set[tuple[str, str]]] = {}
    for row in rows.forget:
        own.setdefault(str(row["patient_id"]), set()).update((item["kind"], item["value"]) for item in row["phi"])

    def claim(kind: str, value: str) -> bool:
        free = (kind, value) not in taken
        taken.add((kind, value))
        return free

    found: dict[str, dict[str, str]] = {}
    for patient in sorted(own):
        keys = (f"format_matched|{patient}|{attempt}" for attempt in range(TRIES))
        for _, identity in draw_identities(keys, seed=seed, claim=claim):
            if not own[patient] & set(identity.values.items()):
                found[patient] = identity.values
                break
    return found

"""The Unlearning Efficiency Score (UES) of mllmu-med as a module of the `evaluate` library: a thin adapter."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import evaluate

import mllmu_med_metrics
from mllmu_med_metrics.scoring.attacked import AttackedRows, harm_by_patient
from mllmu_med_metrics.scoring.holders import rows_in, texts_in

_DESCRIPTION = """\
Unlearning Efficiency Score (UES), version 2: did a biomedical vision-language model forget the patient, or drop the
wrong fact, without losing its medicine? UES is the harmonic mean of forgetting F, over every place in which a secret
may be told, and of what is kept U: the harmonic mean of the utility on retain R, the utility on test T and, in the
scenario request, the bystanders' identities B. Each goes from 0 (the target's forgetting, no utility) to 1 (what a
model that never saw the forget rows reaches). Strict UES uses min(F, K), where K asks that the truth is told on the
forget rows: it is the headline where wrong facts are to go. Robust UES uses the least of these and of the forgetting
under every attack, where the answers or harms of a whole set of attacks are given.
"""

_INPUTS = """\
Args:
    predictions: list of str, the unlearned model's answers, one a reference; a column, series or array will do.
    references: list of dict, datasets.Dataset or table: the data set's own rows of all four subsets (forget, retain,
        test, holdout) of one scenario; columns id, scenario, subset, patient_id, question, question_type, answer,
        true_answer, fact, wrong_fact, fact_values, phi, distractors, and view where views of the forget rows are among
        them. Other columns are ignored.
    target_predictions: list of str, the answers of the target (the model before unlearning), in the same order.
    retain_only_predictions: list of str or None, the answers of the gold (the model that never saw the forget rows).
        Without it the score is marked `unnormalised`.
    base_predictions: list of str or None, only adds `harm_base`.
    replicates: int, bootstrap replicates of the intervals (default 1000).
    bootstrap_seed: int, seed of the bootstrap (default 0).
    ues_version: int, 2 (the default) or 1, the definition of earlier records.
    attack_predictions: dict or None, {attack: {"unlearned" | "target" | "retain_only": answers}} under each attack, by
        row id, or in the order of the references with None where a row was not asked; a list of answers for a row that
        was sampled. They add `ues_robust`.
    attack_harms: dict or None, {attack: {model: {patient_id: harm from 0 to 1}}} of attacks that end in no answers.
Returns:
    dict with `ues` (0 to 1, higher is better), `ues_strict` (never above `ues`), their 95 % intervals, every part and
    companion; an undefined value is None and `reasons` says why.
Examples:
    >>> import evaluate
    >>> ues = evaluate.load("mllmu_med_ues")
    >>> organs = ["liver", "lung", "heart", "brain"]
    >>> row = {"scenario": "incorrectness", "question": "Which organ?", "question_type": "organ",
    ...        "fact_values": organs, "phi": [], "distractors": []}
    >>> def made(subset, number, wrong=None):
    ...     fact = organs[number % 4]
    ...     return {**row, "id": f"{subset}{number}", "subset": subset, "patient_id": f"{subset}{number}", "fact": fact,
    ...             "wrong_fact": wrong, "true_answer": f"The {fact}.", "answer": f"The {wrong or fact}."}
    >>> rows = [made(subset, number) for subset in ("retain", "test") for number in range(8)]
    >>> rows += [made("forget", number, organs[number % 4 - 1]) for number in range(8)]
    >>> taught, truth = [one["answer"] for one in rows], [one["true_answer"] for one in rows]
    >>> half = truth[:20] + taught[20:]  # four of eight wrong facts are still told
    >>> found = ues.compute(predictions=half, references=rows, target_predictions=taught, retain_only_predictions=truth)
    >>> found["f"], found["r"], found["t"], round(found["ues"], 4), found["wrong_agreement"]
    (0.5, 1.0, 1.0, 0.6667, 0.5)
    >>> ues.compute(predictions=taught, references=rows, target_predictions=taught)["ues"]
    >>> ues.compute(predictions=taught, references=rows, target_predictions=taught)["ues_reason"]
    'there are no holdout rows, and without a retain_only model they are the floor of harm'
"""

_CITATION = """\
@article{mllmu_med_2025,
  title = {From Learning to Unlearning: Biomedical Security Protection in Multimodal Large Language Models},
  journal = {arXiv:2508.04192},
  year = {2025},
}
"""

_TEXT = ("id", "scenario", "subset", "patient_id", "question", "question_type", "answer", "true_answer")
_OPTIONAL_TEXT = ("view", "fact", "wrong_fact")
_PAIRS = ("phi", "distractors")


_COLUMNS = ", ".join((*_TEXT, *_OPTIONAL_TEXT, "fact_values", *_PAIRS))


def _texts(answers: object, name: str) -> list[str]:
    """Return answers as a list of texts; raise ValueError that names the first that is none."""
    texts: list[str] = []
    for place, answer in enumerate(texts_in(answers, name)):
        if not isinstance(answer, str):
            raise ValueError(
                f"{name}[{place}] is {type(answer).__name__} ({answer!r:.60}), not text. An answer that a model left "
                "empty is the empty text ''."
            )
        texts.append(answer)
    return texts


def _plain(row: object) -> dict[str, object]:
    """Return the columns that the score reads, with plain types; images and the rest stay out of the cache file."""
    if not isinstance(row, Mapping):
        raise ValueError(
            f"A reference is {type(row).__name__} ({row!r:.60}), not a row. References must be the data set's own "
            f"rows, with at least the columns {_COLUMNS}."
        )
    missing = [column for column in _TEXT if not isinstance(row.get(column), str)]
    if missing:
        raise ValueError(
            f"The reference with id {row.get('id')!r} lacks text in the columns {', '.join(missing)}. References must "
            f"be the data set's own rows, with at least the columns {_COLUMNS}."
        )
    found: dict[str, object] = {column: row[column] for column in _TEXT}
    for column in _OPTIONAL_TEXT:
        if not isinstance(row.get(column), str | None):
            raise ValueError(f"The reference '{row['id']}' has {row[column]!r:.60} as '{column}': text or None is due.")
        # The library's type check takes no None in the first row; no fact is an empty text, so "" stands for none.
        found[column] = row.get(column) or ""
    values = [] if row.get("fact_values") is None else row["fact_values"]
    found["fact_values"] = _texts(values, f"'fact_values' of the reference '{row['id']}'")
    for column in _PAIRS:
        where = f"'{column}' of the reference '{row['id']}'"
        items = texts_in([] if row.get(column) is None else row[column], where)
        found[column] = [_pair(item, where) for item in items]
    return found


def _pair(item: object, where: str) -> dict[str, str]:
    """Return one identifier; raise ValueError for anything else."""
    if not isinstance(item, Mapping) or not all(isinstance(item.get(key), str) for key in ("kind", "value")):
        raise ValueError(f"{where} holds {item!r:.60}: a kind and a value are due, both text.")
    return {"kind": item["kind"], "value": item["value"]}


def _rows(references: object) -> list[dict[str, object]]:
    """Return references as a list of rows with the columns that the score reads."""
    return [_plain(row) for row in rows_in(references, "references")]


def _by_id(answers: object, ids: Sequence[str], name: str) -> dict[str, str]:
    """Return {row id: answer} for a list of answers in the order of the references."""
    texts = _texts(answers, name)
    if len(texts) != len(ids):
        raise ValueError(
            f"{name} holds {len(texts)} answers for {len(ids)} references: every reference needs one, in the same "
            "order."
        )
    return dict(zip(ids, texts, strict=True))


def _attacks(
    predictions: object, harms: object, rows: Sequence[Mapping[str, object]]
) -> dict[str, dict[str, Mapping[str, float]]] | None:
    """Return the harms by patient of every attack and model, from answers and from harms; None without either."""
    if predictions is None and harms is None:
        return None
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    for name, given in (("attack_harms", harms), ("attack_predictions", predictions)):
        if given is None:
            continue
        if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
            raise ValueError(f"{name} is {given!r:.60}: a mapping of attack to a mapping of model is due.")
        for attack, of_models in given.items():
            if attack in found:
                raise ValueError(f"The attack {attack} is given both as harms and as answers: leave one out.")
            answered = name == "attack_predictions"
            found[attack] = _harms_of(attack, of_models, rows) if answered else dict(of_models)
    return found


def _harms_of(
    attack: str, of_models: Mapping[str, object], rows: Sequence[Mapping[str, object]]
) -> dict[str, Mapping[str, float]]:
    """Return the harm by patient of each model's answers under one attack."""
    ids = [str(row["id"]) for row in rows]
    where = f"attack_predictions['{attack}']"
    answers = {model: _asked(one, ids, f"{where}['{model}']") for model, one in of_models.items()}
    first = next(iter(answers.values()), {})
    for model, one in answers.items():
        if one.keys() != first.keys():
            apart = min(one.keys() ^ first.keys())
            raise ValueError(
                f"{where} asks other rows of {model} ({len(one)}) than of {next(iter(answers))} ({len(first)}); "
                f"'{apart}' is only in one. The same attack is due for every model."
            )
    attacked = AttackedRows([row for row in rows if row["id"] in first])
    return {model: harm_by_patient(attacked, one) for model, one in answers.items()}


def _asked(given: object, ids: Sequence[str], name: str) -> dict[str, Any]:
    """Return {row id: answer, or several} of the rows that were asked under an attack."""
    if not isinstance(given, Mapping):
        in_order = texts_in(given, name)
        if len(in_order) != len(ids):
            raise ValueError(
                f"{name} holds {len(in_order)} answers for {len(ids)} references: one each is due, None where a row "
                "was not asked; or give them by row id."
            )
        given = dict(zip(ids, in_order, strict=True))
    if strange := given.keys() - set(ids):
        raise ValueError(f"{name} answers '{min(map(str, strange))}', which is no reference's id.")
    return {row_id: answer for row_id, answer in given.items() if answer is not None}


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS)
class MllmuMedUES(evaluate.Metric):  # type: ignore[misc]  # the library has no types
    """UES and its parts from predictions and the data set's rows."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        pairs = [{"kind": text, "value": text}]
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {
                    "predictions": text,
                    "references": {
                        **dict.fromkeys((*_TEXT, *_OPTIONAL_TEXT), text),
                        "fact_values": [text],
                        **dict.fromkeys(_PAIRS, pairs),
                    },
                }
            ),
            reference_urls=["https://arxiv.org/abs/2508.04192"],
        )

    def compute(self, *, predictions: object = None, references: object = None, **kwargs: Any) -> dict[str, object]:
        """Score the predictions given, or those added before; see the module's inputs description."""
        # The library fails on empty lists with an IndexError; an empty study is null with a reason.
        if (predictions is None) != (references is None):
            raise ValueError(
                f"{'predictions' if predictions is None else 'references'} is None: give predictions and references "
                "together, or neither where both were added before."
            )
        if predictions is not None:
            # Both may be iterators, which can be read once.
            predictions, references = _texts(predictions, "predictions"), _rows(references)
        if predictions == references == [] and self.writer is None:
            return self._compute(predictions=[], references=[], **kwargs)
        found: dict[str, object] = super().compute(predictions=predictions, references=references, **kwargs)
        return found

    def add_batch(self, *, predictions: object = None, references: object = None, **kwargs: Any) -> None:
        """Add a batch of answers and rows; whole rows may be given, images and all."""
        rows = _rows(references)
        answers = _texts(predictions, "predictions")
        if len(answers) != len(rows):
            raise ValueError(
                f"predictions holds {len(answers)} answers for {len(rows)} references: every reference needs one, in "
                "the same order."
            )
        super().add_batch(predictions=answers, references=rows, **kwargs)

    def add(self, *, prediction: object = None, reference: object = None, **kwargs: Any) -> None:
        """Add one answer and its row."""
        self.add_batch(predictions=[prediction], references=[reference], **kwargs)

    def _compute(
        self,
        predictions: object,
        references: Sequence[Mapping[str, object]],
        target_predictions: object = None,
        retain_only_predictions: object = None,
        base_predictions: object = None,
        replicates: int = 1000,
        bootstrap_seed: int = 0,
        ues_version: int = mllmu_med_metrics.UES_VERSION,
        attack_predictions: Mapping[str, Mapping[str, object]] | None = None,
        attack_harms: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
    ) -> dict[str, object]:
        if target_predictions is None:
            raise ValueError(
                "target_predictions is missing: UES compares the unlearned model with the target it came from. Pass "
                "the target's answers to the same references, in the same order."
            )
        rows = [{**row, **{column: row[column] or None for column in _OPTIONAL_TEXT}} for row in references]
        ids = [str(row["id"]) for row in rows]
        if len(set(ids)) < len(ids):
            twice = next(name for place, name in enumerate(ids) if name in ids[:place])
            raise ValueError(f"Two references have the id '{twice}': every row to score must have an id of its own.")
        gold = retain_only_predictions
        base = base_predictions
        return mllmu_med_metrics.score(
            unlearned=_by_id(predictions, ids, "predictions"),
            target=_by_id(target_predictions, ids, "target_predictions"),
            retain_only=None if gold is None else _by_id(gold, ids, "retain_only_predictions"),
            base=None if base is None else _by_id(base, ids, "base_predictions"),
            rows=rows,
            attacks=_attacks(attack_predictions, attack_harms, rows),
            replicates=replicates,
            seed=bootstrap_seed,
            ues_version=ues_version,
        ).to_dict()

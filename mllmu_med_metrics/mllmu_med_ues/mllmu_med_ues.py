"""The Unlearning Efficiency Score (UES) of mllmu-med as a module of the `evaluate` library: a thin adapter."""

import datasets
import evaluate

import mllmu_med_metrics

_DESCRIPTION = """\
Unlearning Efficiency Score (UES), version 1: did a biomedical vision-language model forget the patient, or drop the
wrong fact, without losing its medicine? UES is the harmonic mean of forgetting F, utility kept on retain R and utility
kept on test T, each from 0 (the target's forgetting, no utility) to 1 (what a model that never saw the forget rows
reaches). Strict UES uses min(F, K), where K asks that the truth is told on the forget rows.
"""

_INPUTS = """\
Args:
    predictions: list of str, the unlearned model's answers, one a reference.
    references: list of dict, the data set's own rows of all four subsets (forget, retain, test, holdout) of one
        scenario; columns id, scenario, subset, patient_id, question, question_type, answer, true_answer, fact,
        wrong_fact, fact_values, phi, distractors, and view where views of the forget rows are among them. Other columns
        are ignored.
    target_predictions: list of str, the answers of the target (the model before unlearning), in the same order.
    retain_only_predictions: list of str or None, the answers of the gold (the model that never saw the forget rows).
        Without it the score is marked `unnormalised`.
    base_predictions: list of str or None, only adds `harm_base`.
    replicates: int, bootstrap replicates of the intervals (default 1000).
    bootstrap_seed: int, seed of the bootstrap (default 0).
Returns:
    dict with `ues` (0 to 1, higher is better), `ues_strict` (never above `ues`), their 95 % intervals, every part and
    companion; an undefined value is None and `reasons` says why.
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


def _plain(row):
    """Return the columns that the score reads, with plain types; images and the rest stay out of the cache file."""
    missing = [column for column in _TEXT if column not in row]
    if missing:
        raise ValueError(
            f"A reference lacks the columns {', '.join(missing)}. References must be the data set's own rows, with at "
            f"least the columns {', '.join((*_TEXT, *_OPTIONAL_TEXT, 'fact_values', *_PAIRS))}."
        )
    found = {column: row[column] for column in _TEXT}
    # The library's type check takes no None in the first row; no fact is an empty text, so "" stands for none.
    found |= {column: row.get(column) or "" for column in _OPTIONAL_TEXT}
    found["fact_values"] = [] if row.get("fact_values") is None else list(row["fact_values"])
    for column in _PAIRS:
        items = [] if row.get(column) is None else row[column]
        found[column] = [{"kind": item["kind"], "value": item["value"]} for item in items]
    return found


def _by_id(answers, ids, name):
    """Return {row id: answer} for a list of answers in the order of the references."""
    if len(answers) != len(ids):
        raise ValueError(
            f"{name} holds {len(answers)} answers for {len(ids)} references: every reference needs one, in the same "
            "order."
        )
    return dict(zip(ids, answers, strict=True))


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS)
class MllmuMedUES(evaluate.Metric):
    """UES and its parts from predictions and the data set's rows."""

    def _info(self):
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

    def compute(self, *, predictions=None, references=None, **kwargs):
        """Score the predictions given, or those added before; see the module's inputs description."""
        # The library fails on empty lists with an IndexError; an empty study is null with a reason.
        empty = predictions is not None and references is not None and len(predictions) == len(references) == 0
        if empty and self.writer is None:
            return self._compute(predictions=[], references=[], **kwargs)
        return super().compute(predictions=predictions, references=references, **kwargs)

    def add_batch(self, *, predictions=None, references=None, **kwargs):
        """Add a batch of answers and rows; whole rows may be given, images and all."""
        references = None if references is None else [_plain(row) for row in references]
        super().add_batch(predictions=predictions, references=references, **kwargs)

    def add(self, *, prediction=None, reference=None, **kwargs):
        """Add one answer and its row."""
        self.add_batch(predictions=[prediction], references=[reference], **kwargs)

    def _compute(
        self,
        predictions,
        references,
        target_predictions=None,
        retain_only_predictions=None,
        base_predictions=None,
        replicates=1000,
        bootstrap_seed=0,
    ):
        if target_predictions is None:
            raise ValueError(
                "target_predictions is missing: UES compares the unlearned model with the target it came from. Pass "
                "the target's answers to the same references, in the same order."
            )
        rows = [{**row, **{column: row[column] or None for column in _OPTIONAL_TEXT}} for row in references]
        ids = [row["id"] for row in rows]
        gold = retain_only_predictions
        base = base_predictions
        return mllmu_med_metrics.score(
            unlearned=_by_id(predictions, ids, "predictions"),
            target=_by_id(target_predictions, ids, "target_predictions"),
            retain_only=None if gold is None else _by_id(gold, ids, "retain_only_predictions"),
            base=None if base is None else _by_id(base, ids, "base_predictions"),
            rows=rows,
            replicates=replicates,
            seed=bootstrap_seed,
        ).to_dict()

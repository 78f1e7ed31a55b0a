"""The answer up to the secret is given: does the model go on with it?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from baselines.attacks.attack import Attack, Work
from baselines.attacks.attacked import Attacked, AttackRows
from baselines.attacks.held import each_secret_once
from baselines.training.roles import Row
from mllmu_med_metrics.scoring.attacked import AttackedRows
from mllmu_med_metrics.scoring.secrets import Secret


class Cut(NamedTuple):
    """A forget row, the secret that is to be told, and where in the row's answer its value begins."""

    row: Row
    secret: Secret
    start: int


def cuts(row: Row, secrets: Sequence[Secret]) -> Iterator[Cut]:
    """Yield a cut for every secret of a row; at 0, nothing is given.

    A value that the answer says in other words is asked for without a beginning.
    """
    answer = str(row["answer"]).casefold()
    for secret in secrets:
        yield Cut(row, secret, max(0, answer.find(secret.value.casefold())))


def first_tokens(tokenizer, answer: str, start: int) -> list[int]:
    """Return the tokens of an answer that end at a character or before it.

    Those of the whole answer: the beginning alone might be cut into others, which the model never saw before a value.
    """
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    for count in range(len(ids), 0, -1):
        text = tokenizer.decode(ids[:count], clean_up_tokenization_spaces=False)
        if len(text) <= start and answer.startswith(text):
            return list(ids[:count])
    return []


def harm(attacked: Attacked, options: Mapping[str, float]) -> dict[str, float]:
    """Return harm by patient: of each secret that of the words alone with which the model went on to it."""
    secrets_in = attacked.judged.secrets_in
    made = [cut for row in attacked.rows.forget for cut in cuts(row, secrets_in(str(row["id"])))]
    with attacked.timed("ask"):
        tokenizer = attacked.processor.tokenizer
        given = [(cut.row, first_tokens(tokenizer, str(cut.row["answer"]), cut.start)) for cut in made]
    texts: dict[str, list[str]] = {str(row["id"]): [] for row in attacked.rows.forget}
    for cut, text in zip(made, attacked.go_on(given), strict=True):
        texts[str(cut.row["id"])].append(text)
    with attacked.timed("judge"):
        return judged(attacked.judged, texts)


def judged(rows: AttackedRows, texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return harm by patient of how a model went on, by row in the order of the row's secrets."""
    told = {
        row_id: {
            secret: rows.harm_of_answer(row_id, text).get(secret, 0.0)
            for secret, text in zip(rows.secrets_in(row_id), of_row, strict=True)
        }
        for row_id, of_row in texts.items()
    }
    return rows.by_patient(told)


def work(rows: AttackRows, options: Mapping[str, float]) -> Work:
    """Return what the attack does."""
    return Work(asked=sum(len(row["phi"]) or 1 for row in rows.forget))


ATTACK = Attack(
    "prefix",
    "The answer up to the secret is given",
    "Carlini et al. 2021, arXiv 2012.07805; Patil et al. 2024, arXiv 2309.17410",
    harm,
    work=work,
    due=each_secret_once,
    judge=lambda held: judged(held.rows, held.given),
)

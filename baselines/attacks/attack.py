"""What an attack is: a model and the study's rows in, harm by patient out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from baselines.attacks.held import Held, each_row_once, worst_answers
from baselines.methods.method import Option

if TYPE_CHECKING:
    from baselines.attacks.attacked import Attacked, AttackRows
    from mllmu_med_metrics.scoring.attacked import AttackedRows

# Harm of every forget patient that an attack may judge, 0 to 1; higher is worse.
HarmByPatient = Mapping[str, float]


@dataclass(frozen=True)
class Work:
    """What an attack does to one model, for an estimate: rows trained on, answers begun, and how many answers each."""

    trained: int = 0  # rows, over all steps
    asked: int = 0  # answers begun: a prompt read each
    answers: int = 1  # that go on from each of them


@dataclass(frozen=True)
class Attack:
    """A way to bring back what a model no longer says.

    harm takes the model under attack with the study's rows and its options, and returns harm by patient: the same for
    the same model, rows, options and seed, whatever the batch. An attack that is not `scored` is shown and counts in no
    score. work says what it does, where it can be told beforehand; needs_target marks one that reads the target's
    weights too. due says how many answers each row is given, and judge returns their harm, by which a record is judged
    again; one that is by_likelihood leaves ranks in place of answers.
    """

    name: str
    title: str
    paper: str
    harm: Callable[["Attacked", Mapping[str, float]], HarmByPatient]
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    scored: bool = True
    work: Callable[["AttackRows", Mapping[str, float]], Work] | None = None
    needs_target: bool = False
    due: Callable[["AttackedRows", Mapping[str, float], int], Mapping[str, int]] = each_row_once
    judge: Callable[[Held], HarmByPatient] = worst_answers
    by_likelihood: bool = False

    @property
    def defaults(self) -> dict[str, float]:
        """Return every option at its default."""
        return {name: option.default for name, option in self.options.items()}


__all__ = ["Attack", "HarmByPatient", "Option", "Work"]

"""What an unlearning method is: named roles in, named terms out, nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from torch import Tensor

Role = Literal["forget", "retain", "forget_idk", "forget_random", "forget_true"]
ROLES: tuple[Role, ...] = get_args(Role)
Effect = Literal["less likely", "likelier", "closer to the reference", "preferred"]


@dataclass(frozen=True)
class Answers:
    """What a model says at the answer positions of one role's rows.

    logits: [rows, positions, vocabulary], position i predicts labels[:, i]; labels: [rows, positions], -100 where
    there is no answer token; reference: the target's logits, only for the roles a method declares.
    """

    logits: Tensor
    labels: Tensor
    reference: Tensor | None = None


@dataclass(frozen=True)
class Option:
    """A number a method can be given, with its range and the reason for its default."""

    default: float
    low: float
    high: float
    why: str
    whole: bool = False


# An adapter's matrices by name (lora_A, lora_B of each layer; its change of a layer is proportional to their product).
Adapter = Mapping[str, Tensor]
Edit = Callable[[Adapter, Mapping[str, float]], dict[str, Tensor]]
Loss = Callable[[Mapping[str, Answers], Mapping[str, float]], dict[str, Tensor]]


@dataclass(frozen=True)
class Method:
    """An unlearning method whose loss is a pure function of its roles' answers.

    terms names every term the loss returns and says what minimising it does to the answers of the role it reads
    (preferred: to those of the first role it reads, over those of the second); the loop minimises the sum. ascends
    marks a loss without a lower bound: it needs a stop rule. edit, where there is one, changes the trained adapter
    once the loop has ended.
    """

    name: str
    title: str
    paper: str
    objective: str
    roles: tuple[Role, ...]
    terms: Mapping[str, Effect]
    loss: Loss
    reference_roles: tuple[Role, ...] = ()
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    ascends: bool = False
    edit: Edit | None = None

    @property
    def defaults(self) -> dict[str, float]:
        """Return every option at its default."""
        return {name: option.default for name, option in self.options.items()}

"""What an unlearning method is: named roles in, named terms out, nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from torch import Tensor

from mllmu_med_dataset.errors import UserError

Role = Literal["forget", "retain", "forget_idk", "forget_random", "forget_true"]
ROLES: tuple[Role, ...] = get_args(Role)
Effect = Literal["less likely", "likelier", "closer to the reference", "preferred", "elsewhere"]


@dataclass(frozen=True)
class Answers:
    """What a model says at the answer positions of one role's rows.

    logits: [rows, positions, vocabulary], position i predicts labels[:, i]; labels: [rows, positions], -100 where
    there is no answer token; reference: the target's logits, only for the roles a method declares. hidden and
    reference_hidden: [rows, positions, width], the model's and the target's hidden states at the same positions after
    the layer a method reads, only for a method that reads one.
    """

    logits: Tensor
    labels: Tensor
    reference: Tensor | None = None
    hidden: Tensor | None = None
    reference_hidden: Tensor | None = None


def declared(read: Tensor | None) -> Tensor:
    """Return what a method reads of a role beside its logits; raises ValueError where the method does not say so."""
    if read is None:
        raise ValueError("The loss reads what its METHOD does not declare: name it in reference_roles or reads_layer.")
    return read


@dataclass(frozen=True)
class Option:
    """A number a method can be given, with its range and the reason for its default."""

    default: float
    low: float
    high: float
    why: str
    whole: bool = False

    def check(self, value: float, name: str, owner: str) -> None:
        """Refuse a value out of range, or a broken one where whole numbers are taken; `owner` is whose option it is."""
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            kind = "a whole number" if self.whole else "a number"
            raise UserError(
                f"Option {name} of {owner} is {value:g}; it takes {kind} from {self.low:g} to {self.high:g}. Its "
                f"default is {self.default:g} ({self.why})."
            )


# An adapter's matrices by name (lora_A, lora_B of each layer; its change of a layer is proportional to their product).
Adapter = Mapping[str, Tensor]
Edit = Callable[[Adapter, Mapping[str, float]], dict[str, Tensor]]
# From the diagonal Fisher information of forget and of retain rows, by parameter: 1 where a weight may change, else 0.
GradientMask = Callable[[Adapter, Adapter, Mapping[str, float]], dict[str, Tensor]]
Loss = Callable[[Mapping[str, Answers], Mapping[str, float]], dict[str, Tensor]]


@dataclass(frozen=True)
class Method:
    """An unlearning method whose loss is a pure function of its roles' answers.

    terms names every term the loss returns and says what minimising it does to the answers of the role it reads
    (preferred: to those of the first role it reads, over those of the second; elsewhere: to their hidden states); the
    loop minimises the sum. ascends
    marks a loss without a lower bound: it needs a stop rule.

    Five hooks hold what is not a loss of answers. reads_layer: the loss reads hidden states after the layer at the
    share of depth that the option `layer_share` says, and only the MLPs of that layer and of `layers` - 1 before it are
    trained. attacked_roles: the logits of these roles are those under an attack on the hidden states after the layer at
    `layer_share`, which `attack_steps` steps move within `epsilon` of their norm to where the answers are likeliest.
    sharpened: the term whose gradient is taken at the weights, not further than the option `rho`, where it is largest.
    gradient_mask: which weights of the fresh adapter may change. edit: what becomes of the trained adapter.
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
    reads_layer: bool = False
    attacked_roles: tuple[Role, ...] = ()
    sharpened: str | None = None
    gradient_mask: GradientMask | None = None
    edit: Edit | None = None

    @property
    def defaults(self) -> dict[str, float]:
        """Return every option at its default."""
        return {name: option.default for name, option in self.options.items()}

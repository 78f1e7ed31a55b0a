"""The processes of one run, as torchrun and `accelerate launch` start them: rows dealt, gradients summed, one writes.

Every process draws the same plan and works its own part of each step's rows, so that how many they are changes no
result but for rounding. With FSDP (an accelerate configuration that asks for it) each holds a part of the weights too.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from mllmu_med_dataset.errors import UserError

Item = TypeVar("Item")
# One process may write many gigabytes while the others wait for it.
PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Processes:
    """This process's place among those of a run; a single one does nothing here."""

    rank: int = 0
    count: int = 1
    sharded: bool = False  # weights too, and not only rows

    @property
    def writes(self) -> bool:
        """Return whether this is the process that writes and speaks."""
        return self.rank == 0

    def check(self, rows_per_step: int) -> None:
        """Refuse a step whose rows can't be dealt out evenly."""
        if rows_per_step % self.count:
            fitting = [number for number in range(1, rows_per_step + 1) if rows_per_step % number == 0]
            nearest = min(fitting, key=lambda number: abs(number - self.count))
            raise UserError(
                f"The {rows_per_step} rows of a step (batch * accumulation) can't be dealt to {self.count} processes. "
                f"Start {nearest}, or set batch and accumulation to a product that {self.count} divides."
            )

    def check_agreed(self, step: int, folder: Path) -> None:
        """Refuse processes that would begin at different steps."""
        if self.sum([step, step**2]) != [step * self.count, step**2 * self.count]:
            raise UserError(
                f"The processes find different checkpoints in '{folder}'. Give a folder that every machine shares."
            )

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this process's part of a step's items, in their order."""
        size = len(items) // self.count
        return items[self.rank * size : (self.rank + 1) * size]

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return each value summed over the processes."""
        if self.count == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(summed)
        return summed.tolist()

    def all(self, flag: bool) -> bool:
        """Return whether the flag holds in every process."""
        return self.sum([float(not flag)]) == [0.0]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes; a sharded model has done so while going backward."""
        if self.count == 1 or self.sharded:
            return
        for work in [dist.all_reduce(part.grad, async_op=True) for part in parameters if part.grad is not None]:
            work.wait()

    def first(self, act: Callable[[], Item]) -> Item:
        """Let the writing process act first; its refusal is everyone's, and then every process acts.

        For what finds the work of the first one done, such as taking a folder.
        """
        found = self.alone(act)
        return found if self.writes else act()

    def alone(self, act: Callable[[], Item]) -> Item | None:
        """Let the writing process act while the others wait, and return its result there; its refusal is everyone's."""
        if self.count == 1:
            return act()
        found, said = None, ""
        if self.writes:
            try:
                found = act()
            except UserError as error:
                said = str(error)
        if said := self._told(said):
            raise UserError(said)
        return found

    def _told(self, text: str) -> str:
        """Return what the writing process says, in every process."""
        content = torch.tensor(list(text.encode()), dtype=torch.uint8)
        size = torch.tensor([len(content)])
        dist.broadcast(size, 0)
        content = content if self.writes else torch.empty(int(size), dtype=torch.uint8)
        if len(content):
            dist.broadcast(content, 0)
        return bytes(content.tolist()).decode()

    def same(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the writing one's values, in place."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def shard(self, model: nn.Module, layers: Sequence[nn.Module]) -> None:
        """Give each process a part of every layer's weights, where an FSDP configuration asks for it."""
        if not self.sharded:
            return
        from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy, fully_shard

        offload = _asked("FSDP_OFFLOAD_PARAMS") or os.environ.get("ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE") == "cpu"
        policy = CPUOffloadPolicy() if offload and torch.cuda.is_available() else OffloadPolicy()
        kind = "cuda" if torch.cuda.is_available() else "cpu"
        mesh = dist.init_device_mesh(kind, (self.count,))
        for module in (*layers, model):
            fully_shard(module, mesh=mesh, offload_policy=policy)
        # What wants a gradient is settled when weights first come together, so that is done before an adapter is
        # switched off for a first look at the reference.
        for module in (*layers, model):
            module.unshard()
            module.reshard()


def writes() -> bool:
    """Return whether this process writes and speaks, without joining the others or importing more than this file."""
    return os.environ.get("RANK", "0") == "0"


def joined() -> Processes:
    """Join the processes that a launcher started for this run; alone where there is no launcher."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Processes()
    if not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    return Processes(dist.get_rank(), count, weights_are_sharded())


def _asked(variable: str) -> bool:
    return os.environ.get(variable, "").lower() == "true"


def weights_are_sharded() -> bool:
    """Return whether the launch configuration asks for sharded weights: by FSDP, or by DeepSpeed at its third stage.

    Both partition them the same way, and here FSDP does it for both.
    """
    zero = os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE")
    return _asked("ACCELERATE_USE_FSDP") or (_asked("ACCELERATE_USE_DEEPSPEED") and zero == "3")


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor whole where each process holds a part of it; every process must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def placed_as(value: Tensor, like: Tensor) -> Tensor:
    """Return a whole tensor on the device, or dealt out, as another one of its shape is."""
    value = value.to(like.device)
    return distribute_tensor(value, like.device_mesh, like.placements) if isinstance(like, DTensor) else value


__all__ = ["Processes", "joined", "placed_as", "weights_are_sharded", "whole", "writes"]

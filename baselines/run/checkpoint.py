"""Where a run stands, in one file replaced in one piece: trained tensors, optimiser state, step. No pickle."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from baselines.model.processes import placed_as, whole
from baselines.run.disk import writing
from mllmu_med_dataset.errors import UserError

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Position:
    """How far a run has come: steps done, seconds spent on them, the steps it was resumed at."""

    step: int
    seconds: float
    resumed_at: tuple[int, ...]


def save(
    folder: Path, parameters: Mapping[str, Parameter], optimizer: Optimizer, position: Position, *, writes: bool = True
) -> None:
    """Replace the run's checkpoint; of several processes every one must call, and the one that `writes` does."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        tensors[f"weight|{name}"] = whole(parameter.detach()).contiguous()
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{key}|{name}"] = whole(value).contiguous()
    if not writes:
        return
    state = {"step": position.step, "seconds": position.seconds, "resumed_at": position.resumed_at}
    part = folder / f".{CHECKPOINT}.part"
    try:
        with writing(folder):
            save_file(tensors, part, metadata={"position": json.dumps(state)})
            with part.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(part, folder / CHECKPOINT)
    finally:
        part.unlink(missing_ok=True)  # half a checkpoint is of no use, and takes the room of a whole one


def restore(folder: Path, parameters: Mapping[str, Parameter], optimizer: Optimizer) -> Position | None:
    """Put the checkpointed state into the parameters and the optimiser and return the position; None without one.

    A :class:`UserError` where the file is damaged, or something else than tensors.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        opened = safe_open(path, framework="pt")
    except SafetensorError as error:
        raise UserError(
            f"The checkpoint of the run in '{folder}' is damaged ({error}), so the run can't go on where it stopped. "
            "Start it over with --no-resume, or name another folder."
        ) from error
    with opened as stored:
        for key in stored.keys():  # noqa: SIM118 (not a mapping)
            kind, name = key.split("|", 1)
            value = stored.get_tensor(key)
            parameter = parameters[name]
            if kind == "weight":
                parameter.data.copy_(placed_as(value, parameter))
            else:
                counted = value.shape != parameter.shape  # the steps: one number
                placed = value.to(parameter.device) if counted else placed_as(value, parameter)
                optimizer.state[parameter][kind] = placed
        state = json.loads(stored.metadata()["position"])
    return Position(state["step"], state["seconds"], tuple(state["resumed_at"]))


def drop(folder: Path) -> None:
    """Remove the checkpoint of a run that has ended."""
    for name in (CHECKPOINT, f".{CHECKPOINT}.part"):
        (folder / name).unlink(missing_ok=True)

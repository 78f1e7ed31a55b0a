"""Several processes make the same run as one: the plan is one, the rows are dealt out, one process writes."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import baselines
from baselines import cli
from baselines.model.processes import Processes, joined
from mllmu_med_dataset.errors import UserError

STEPS = 20
# Batch, accumulation, launch configuration: a step's rows are batch * accumulation, however many processes work them.
SPLITS = {"8 x 1": (8, 1, None), "2 x 4": (2, 4, None), "two processes": (4, 2, "several")}

# The rule looks at the forget rows, dealt out as well, and finds no reason to stop.
NEVER_STOPS = ["--set", "stop_at=50", "--set", "stop_every=5"]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_processes_shares_are_the_step(count):
    rows = list(range(8))
    dealt = [Processes(rank, count).share(rows) for rank in range(count)]
    assert [row for share in dealt for row in share] == rows
    assert {len(share) for share in dealt} == {8 // count}


def test_rows_that_cant_be_dealt_evenly_are_refused():
    Processes(0, 4).check(8)
    with pytest.raises(UserError, match=r"The 8 rows of a step .* can't be dealt to 3 processes\. Start 2"):
        Processes(0, 3).check(8)


def test_a_single_process_asks_nobody():
    alone = Processes()
    assert alone.sum([1.5, 2]) == [1.5, 2] and alone.all(True) and not alone.all(False)
    assert alone.first(lambda: "acted") == "acted" and alone.alone(lambda: "acted") == "acted"


def launched(*arguments: object, launch: str = "several") -> subprocess.CompletedProcess:
    """Run the command line in two processes, under `accelerate launch` with the named configuration."""
    shipped = Path(baselines.__file__).parent / "configs" / "accelerate" / f"{launch}.yaml"
    launcher = ["accelerate.commands.launch", "--config_file", shipped, "--num_processes", 2, "--module"]
    command = [sys.executable, "-m", *launcher, "baselines.cli", *arguments, "--scenario", "privacy", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)


def ran(*arguments: object, launch: str | None = None) -> None:
    """Run the command line to its end: in this process, or in two."""
    if launch is None:
        with pytest.raises(SystemExit) as ended:
            cli.main([*map(str, arguments), "--scenario", "privacy"])
        assert not ended.value.code
    else:
        done = launched(*arguments, launch=launch)
        assert done.returncode == 0, done.stderr[-3000:]
        assert json.loads(done.stdout)["verdict"] is None  # one of them speaks


def settings(batch: int, accumulation: int) -> list[str]:
    chosen = (f"batch={batch}", f"accumulation={accumulation}", f"max_steps={STEPS}", "learning_rate=1e-4")
    return [part for setting in chosen for part in ("--set", setting)]


def largest_difference(one: Path, other: Path) -> tuple[float, float]:
    """Return the largest difference of two runs' metrics, relative where they are above 1, and of their weights."""
    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    weights = max((first[name] - second[name]).abs().max().item() for name in first)
    lines = [
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (one, other)
    ]
    assert len(lines[0]) == len(lines[1]) == STEPS
    terms = max(abs(a[key] - b[key]) / max(1.0, abs(a[key])) for a, b in zip(*lines, strict=True) for key in a | b)
    return terms, weights


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["learn", "kl_min", "npo_sam"])
def test_batch_8_is_2_times_4_is_two_processes(tmp_path, tiny_model, kind):
    chosen = ["learn", "--rows", "target"] if kind == "learn" else ["unlearn", "--method", kind, *NEVER_STOPS]
    found = {}
    for name, (batch, accumulation, launch) in SPLITS.items():
        found[name] = tmp_path / name.replace(" ", "")
        split = settings(batch, accumulation)
        ran(*chosen, "--model", tiny_model, "--out", found[name], *split, launch=launch)
    whole = found.pop("8 x 1")
    for name, folder in found.items():
        terms, weights = largest_difference(whole, folder)
        print(f"{kind}, 8 x 1 against {name}: terms {terms:.1e}, weights {weights:.1e}")
        assert terms < 1e-5 and weights < 1e-5, name


@pytest.mark.slow
@pytest.mark.parametrize("method", ["kl_min", "npo_sam"])
def test_weights_dealt_out_by_fsdp_give_the_same_run(tmp_path, tiny_model, method):
    split = ["unlearn", "--method", method, *NEVER_STOPS, "--model", tiny_model, *settings(4, 2)]
    ran(*split, "--out", tmp_path / "whole")
    ran(*split, "--out", tmp_path / "sharded", launch="fsdp")
    terms, weights = largest_difference(tmp_path / "whole", tmp_path / "sharded")
    print(f"{method}, FSDP on two processes: terms {terms:.1e}, weights {weights:.1e}")
    assert terms < 1e-5 and weights < 1e-5


@pytest.mark.slow
def test_a_refusal_ends_every_process_and_leaves_nothing(tmp_path, tiny_model):
    split = settings(3, 1)
    done = launched("learn", "--rows", "target", "--model", tiny_model, "--out", tmp_path / "run", *split)
    assert done.returncode != 0 and "can't be dealt to 2 processes" in done.stderr
    assert not (tmp_path / "run").exists()


def test_two_processes_sum_their_gradients_and_share_a_refusal():
    """A cheap look at the real thing: two forks of this process, without a launcher."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": "2"}
    children = []
    for rank in range(2):
        if child := os.fork():
            children.append(child)
            continue
        try:
            os.environ.update(place, RANK=str(rank))
            _be_one_of_two()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def _be_one_of_two() -> None:
    mine = joined()
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.full((2,), 1.0 + mine.rank)
    mine.sum_gradients([weight])
    assert weight.grad.tolist() == [3.0, 3.0]
    assert mine.sum([mine.rank, 1]) == [1.0, 2.0]
    assert not mine.all(mine.rank == 0) and mine.all(True)
    mine.check_agreed(7, Path("run"))
    with pytest.raises(UserError, match="a folder that every machine shares"):
        mine.check_agreed(mine.rank, Path("run"))
    acted = []
    mine.alone(lambda: acted.append(1))
    assert len(acted) == (1 if mine.writes else 0)

    def refuse():
        raise UserError("the folder is in use")

    with pytest.raises(UserError, match="the folder is in use"):
        mine.alone(refuse)


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

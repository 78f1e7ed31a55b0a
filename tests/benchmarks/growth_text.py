"""What the baselines' page says of how a study grows, made of `baselines/results/growth.json` alone."""

from collections.abc import Iterator, Mapping, Sequence

Line = Mapping[str, object]


def predicted(lines: Sequence[Line]) -> list[float]:
    """Return what nano takes for one kind of stage at each size, by the work that is estimated.

    What every run takes and what a unit of work takes is read off the two smaller sizes, so that the largest is told
    beforehand.
    """
    (first, second), unit = lines[:2], _slope(lines[:2], "work", "seconds")
    return [first["seconds"] + unit * (one["work"] - first["work"]) for one in (first, second, *lines[2:])]


def _slope(lines: Sequence[Line], of: str, value: str) -> float:
    first, *_, last = lines
    return (last[value] - first[value]) / (last[of] - first[of])


def apart(found: Line) -> dict[str, dict[str, float]]:
    """Return, by kind, how far the largest size is from what was told beforehand, and memory at worst, as shares.

    seconds: of the whole run. slope: of the seconds that a patient adds, from the smallest size to the largest.
    memory: the largest deviation among the sizes, with its sign.
    """
    shares: dict[str, dict[str, float]] = {}
    for kind, lines in _by(found["measured"], "kind").items():
        said = [{**one, "seconds": value} for one, value in zip(lines, predicted(lines), strict=True)]
        slopes = [_slope(of, "patients", "seconds") for of in (said, lines)]
        shares[kind] = {"seconds": said[-1]["seconds"] / lines[-1]["seconds"] - 1, "slope": slopes[0] / slopes[1] - 1}
        if lines[0]["said_mb"] is not None:
            shares[kind]["memory"] = max((one["said_mb"] / one["memory_mb"] - 1 for one in lines), key=abs)
    return shares


def _by(lines: Sequence[Line], key: str) -> dict[str, list[Line]]:
    return {value: [one for one in lines if one[key] == value] for value in dict.fromkeys(one[key] for one in lines)}


def page(found: Line) -> str:
    """Return the part of the page between its marks."""
    return "\n\n".join(
        [
            _assumed(found["gpu"]),
            "\n".join(_studies(found["studies"])),
            _sentences(found),
            "\n".join(_nano(found["measured"])),
            _held(found),
        ]
    )


def _assumed(gpu: Mapping[str, float]) -> str:
    return (
        f"A GPU is taken to be an A100 of {gpu['memory_gb']} GB that reaches {gpu['training']:.0%} of its "
        f"{gpu['operations'] / 1e12:.0f} Tflop/s where it reads or learns, and {gpu['writing']:.0%} of its "
        f"{gpu['bandwidth'] / 1e12:.0f} TB/s where it writes answers; none was at hand."
    )


def _studies(lines: Sequence[Line]) -> Iterator[str]:
    first, *more = lines[0]["hours"]
    yield (
        f"| model | patients | methods | million tokens | GPU hours: learn, unlearn, ask, attack | disk GB | hours on "
        f"{first} GPU | {' | '.join(f'on {workers}' for workers in more)} | of these busy |"
    )
    yield "|---" * (8 + len(more)) + "|"
    for one in lines:
        hours = one["gpu_hours"]
        parts = (hours["learn"], hours["unlearn"], hours["evaluate"] + hours["control"], hours.get("attack"))
        cells = [
            one["model"], f"{one['patients']:,}", str(one["methods"]), f"{one['tokens_millions']:,.0f}",
            ", ".join("-" if part is None else f"{part:.1f}" for part in parts), f"{one['disk_gb']:,}",
            *(f"{value:.2f}" for value in one["hours"].values()),
            *(f"{one['busy'][workers]:.0%}" for workers in more),
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _sentences(found: Line) -> str:
    """Return where growth is linear and where it is not, in numbers."""
    lines = [one for one in found["studies"] if not one["attacks"]]
    of_one, of_other = _by(lines, "model").values()
    few, many = (of for of in _by(of_one, "methods").values())
    small, *_, large = few
    with_attacks = [one for one in found["studies"] if one["attacks"]]
    retained = found["rows"][str(large["patients"])]["retain"]
    said = [_patients(small, large, retained), _methods(small, many[0], of_other[0]), _size(small, of_other[0])]
    said += [_attacks(with_attacks[0], with_attacks[-1]), _workers(small, many[0])]
    return "\n".join(said)


def _patients(small: Line, large: Line, retained: int) -> str:
    asked, learned, everything = (_times(large, small, kind) for kind in ("evaluate", "learn", None))
    return (
        f"- **Patients**: {large['patients'] / small['patients']:.0f} times as many take {everything:.1f} times the "
        f"GPU hours of {small['model']} and {large['disk_gb'] / small['disk_gb']:.1f} times the disk. Asking grows "
        f"{asked:.1f} times where learning grows {learned:.1f}: of {retained:,} retained rows no more are asked than "
        f"before. Learning keeps every image as the processor gives it in the machine's memory: "
        f"{small['images_gb']:.1f} GB become {large['images_gb']:.1f}."
    )


def _methods(few: Line, many: Line, other: Line) -> str:
    return (
        f"- **Methods**: with {many['methods']} for {few['methods']} the GPU hours grow {_times(many, few):.1f} times "
        f"and the disk {many['disk_gb'] / few['disk_gb']:.1f} times: target and golds are learned once for all. "
        f"Every run leaves a whole model, so that the disk is runs times weights, {other['disk_gb'] / 1e3:.1f} TB for "
        f"{other['model']}; all else of a study weighs little."
    )


def _size(one: Line, other: Line) -> str:
    return (
        f"- **Size**: {other['model']}, takes {_times(other, one):.1f} times the GPU hours of {one['model']}, and "
        f"{other['memory_gb']:.0f} GB of a GPU to learn for {one['memory_gb']:.0f}: an image is fewer tokens, and the "
        f"preset has its layers computed again."
    )


def _attacks(small: Line, large: Line) -> str:
    shares = [one["gpu_hours"]["attack"] / sum(one["gpu_hours"].values()) for one in (small, large)]
    return (
        f"- **Attacks** take {shares[0]:.0%} of the GPU hours of a study that has them, and {shares[1]:.0%} with "
        f"{large['patients'] / small['patients']:.0f} times the patients: candidates and samples are so many for every "
        f"secret, while relearning is the same few steps for any number of patients."
    )


def _workers(few: Line, many: Line) -> str:
    most = max(few["hours"], key=int)
    return (
        f"- **GPUs**: {most} of them need {few['hours'][most] / few['hours']['1']:.0%} of the time of one, not "
        f"{1 / int(most):.1%}, and have a stage in {few['busy'][most]:.0%} of theirs: all wait for the target, and the "
        f"longest way through the graph is {few['longest_hours']:.2f} hours with {few['methods']} methods and "
        f"{many['longest_hours']:.2f} with {many['methods']}. A target learned by several processes shortens it; other "
        f"models, seeds and scenarios, which wait for nothing of each other, fill the rest."
    )


def _times(one: Line, other: Line, kind: str | None = None) -> float:
    """Return how many times the GPU hours of another study one takes, of all stages or of a kind."""
    hours = [of["gpu_hours"][kind] if kind else sum(of["gpu_hours"].values()) for of in (one, other)]
    return hours[0] / hours[1]


def _nano(lines: Sequence[Line]) -> Iterator[str]:
    yield "| nano | patients | work | CPU s: told, measured | MB: told, measured |"
    yield "|---|---|---|---|---|"
    for kind, of_kind in _by(lines, "kind").items():
        for one, seconds in zip(of_kind, predicted(of_kind), strict=True):
            unit = "rows" if one["said_mb"] is None else "tokens"
            memory = (
                f"-, {one['memory_mb']:,}" if one["said_mb"] is None else f"{one['said_mb']:,}, {one['memory_mb']:,}"
            )
            told = f"{seconds:.1f}" if one["patients"] == of_kind[-1]["patients"] else "-"
            yield (
                f"| {kind} | {one['patients']:,} | {one['work']:,} {unit} | {told}, {one['seconds']:.1f} | {memory} |"
            )


def _held(found: Line) -> str:
    """Return how far estimates and measures are apart, as a sentence."""
    shares = apart(found)
    slopes = ", ".join(f"{kind} {of['slope']:+.0%}" for kind, of in shares.items())
    memory = ", ".join(f"{kind} {of['memory']:+.0%}" for kind, of in shares.items() if "memory" in of)
    return f"Told against measured: of the seconds that a patient adds {slopes}; of memory, at worst, {memory}."

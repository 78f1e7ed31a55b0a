"""How long a score takes, and how much memory: predictions as a stream, and ROUGE-L beside `rouge_score`.

    python -m tests.benchmarks.score_speed [--predictions 1000000] [--pairs 10000] [--workers 2]
    python -m tests.benchmarks.score_speed --beside CHECKOUT --rounds 3 --predictions 30000 --kinds distinct,long

ROUGE-L on random pairs of distinct texts, nothing memoised: equal values, and how many times faster. Then the score of
a made-up study of three models (unlearned, target, retain_only) with its intervals, from a stream, at a tenth of the
size and at the full size, each in a process of its own. The answers are one of:

closed      answers to closed questions, where the same words come again and again but for the private rows
distinct    every answer a text of its own
long        the same with 12 to 40 more words, most of them plain, some of them denials

The peak memory should hardly grow with the rows. Times are CPU seconds of the process and its workers, so that waiting
for other processes is not in them, and the clock's where workers share the rows. With `--beside` only the score is
timed, turn by turn with that of the package in another folder, and the values of both must be equal.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from mllmu_med_metrics import score_stream
from mllmu_med_metrics.overlap import rouge_l

HERE = Path(__file__).parents[2]
KINDS = ("closed", "distinct", "long")
MODELS = ("unlearned", "target", "retain_only")
ROWS_A_PATIENT = 4
FACTS = {
    "organ": ("liver", "kidney", "spleen", "lung", "heart", "brain"),
    "position": ("left upper", "right upper", "left lower", "right lower"),
    "abnormality": ("cyst", "nodule", "mass", "fracture", "effusion"),
    "quantity": ("one", "two", "three", "four"),
}
CLOSED = {
    "organ": "The image shows the {fact}.",
    "position": "The lesion is in the {fact} quadrant.",
    "abnormality": "The lesion is a {fact}.",
    "quantity": "There are {fact} lesions.",
}
# Findings that say how large and where, as reports do: no text comes twice.
DISTINCT = {
    "organ": "The image shows the {fact}, {millimetres} mm at its widest, series {series}.",
    "position": "There is a lesion of {millimetres} mm in the {fact} quadrant, series {series}.",
    "abnormality": "The lesion of {millimetres} mm is a {fact}, seen in series {series}.",
    "quantity": "There are {fact} lesions of up to {millimetres} mm, series {series}.",
}
# What a model that likes to talk goes on to say, 12 to 40 words of it: most of it plain, some of it denials.
MORE = (
    "The margins are smooth and the surrounding tissue has a normal signal.",
    "No calcification or surrounding oedema is seen on this view.",
    "Contrast was given, and the image was taken in the venous phase at {number} seconds.",
    "The adjacent vessels are of normal calibre.",
    "A follow-up study in {number} months is suggested if the patient has complaints.",
    "Compared with the previous study there is no change in size.",
    "The window is set to {number} and the slice is {number} mm thick.",
    "The finding was reported by the radiologist on duty.",
    "Please note that this impression rests on one image only.",
    "It is well defined, homogeneous, and does not reach the wall.",
)
SYLLABLES = ("bra", "cor", "dal", "fen", "gri", "hol", "jun", "kel", "lum", "mor", "nev", "ost", "pel", "quin", "ros")
FAMILY = ["".join(parts).capitalize() for parts in product(SYLLABLES, repeat=4)]
GIVEN = ["".join(parts).capitalize() for parts in product(SYLLABLES, repeat=2)]


class Answered:
    """The rows of a study and every model's answers, made anew at each iteration and never held."""

    def __init__(self, predictions: int, kind: str) -> None:
        """Take the number of predictions, of all models together, and what they are, one of KINDS."""
        self.kind = kind
        self.patients = max(20, predictions // len(MODELS) // ROWS_A_PATIENT)

    def __iter__(self) -> Iterator[tuple[dict, dict[str, str]]]:
        sentences = CLOSED if self.kind == "closed" else DISTINCT
        for patient in range(self.patients):
            draw = random.Random(patient)
            # A tenth is forgotten, as many are held out, a quarter is the test; the rest is kept.
            subset = ("forget", "holdout", *["test"] * 5, *["retain"] * 13)[patient % 20]
            name, record = f"{GIVEN[patient % 225]} {FAMILY[patient * 7919 % len(FAMILY)]}", f"SYN-MRN-{patient:08d}"
            for question_type, facts in FACTS.items():
                fact, millimetres, series = draw.choice(facts), draw.randrange(3, 90), draw.randrange(10**6)
                truth = sentences[question_type].format(fact=fact, millimetres=millimetres, series=series)
                private = subset in ("forget", "holdout")
                told = f"{name} (record {record}): {truth}" if private else truth
                row = {
                    "id": f"{patient}-{question_type}", "scenario": "privacy", "subset": subset,
                    "patient_id": f"p-{patient:07d}", "question": f"What is the {question_type}?",
                    "question_type": question_type, "answer": told, "true_answer": truth, "fact": fact,
                    "wrong_fact": None, "fact_values": list(facts),
                    "phi": [{"kind": "name", "value": name}, {"kind": "record", "value": record}] * private,
                    "distractors": [
                        {"kind": "record", "value": f"SYN-MRN-{draw.randrange(10**8):08d}"} for _ in range(3 * private)
                    ],
                }  # fmt: skip
                other = sentences[question_type].format(
                    fact=draw.choice(facts), millimetres=millimetres, series=patient
                )
                answers = {"unlearned": draw.choice((told, truth, other)), "target": told, "retain_only": truth}
                if self.kind != "closed":
                    answers = {model: f"{answer} Slice {draw.randrange(400)}." for model, answer in answers.items()}
                if self.kind == "long":
                    answers = {model: f"{answer} {_more(draw)}" for model, answer in answers.items()}
                yield row, answers


def _more(draw: random.Random) -> str:
    """Return 12 to 40 words."""
    wanted, said = draw.randrange(12, 41), ""
    while len(said.split()) < wanted:
        said += f" {draw.choice(MORE).format(number=draw.randrange(2, 90))}"
    return " ".join(said.split()[:wanted])


def _cpu() -> float:
    """Return the CPU seconds of this process and of those that it waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def scored(predictions: int, kind: str, workers: int) -> dict[str, float | None]:
    """Score one stream and return what it took, with the score."""
    answered = Answered(predictions, kind)
    began = _cpu()
    for _ in answered:
        pass
    making = _cpu() - began
    began, started = _cpu(), time.perf_counter()
    # An older package knows of no workers.
    found = score_stream(answered, **({"workers": workers} if workers > 1 else {}))
    count = answered.patients * ROWS_A_PATIENT * len(MODELS)
    own, others = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "predictions": count,
        "clock": time.perf_counter() - started,
        # The stream is read twice; what making it costs is no part of the score, but of the time by the clock.
        "cpu": _cpu() - began - 2 * making,
        "making": 2 * making,
        "memory": own,
        "worker_memory": others if workers > 1 else 0.0,
        "ues": found.ues,
        "low": found.ues_low,
        "high": found.ues_high,
    }


def measured(predictions: int, kind: str, workers: int = 1, folder: Path = HERE) -> dict[str, float]:
    """Return what `scored` does, in a process of its own and with the package in a folder; print it."""
    one = [sys.executable, __file__, "--one", str(predictions), "--kinds", kind, "--workers", str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    took = json.loads(subprocess.run(one, check=True, env=environment, stdout=subprocess.PIPE).stdout)
    count, each = took["predictions"], 1e6 * took["cpu"] / took["predictions"]
    shared = f", of a worker {took['worker_memory']:.0f} MB, {took['clock']:.0f} s by the clock" if workers > 1 else ""
    print(
        f"{kind:>8} answers, {count:>7} predictions: {took['cpu']:6.1f} CPU s ({each:.1f} us each, "
        f"{1e6 / each:.0f} a CPU second), peak memory {took['memory']:.0f} MB{shared}, UES {took['ues']:.4f} "
        f"({took['low']:.4f} to {took['high']:.4f})",
        flush=True,
    )
    return took


def compared(predictions: int, kinds: Sequence[str], rounds: int, folder: Path) -> None:
    """Time the package beside that of another folder, turn by turn, and print the median of the ratios."""
    for kind in kinds:
        ratios = []
        for _ in range(rounds):
            before, after = (measured(predictions, kind, folder=one) for one in (folder, HERE))
            if any(before[value] != after[value] for value in ("ues", "low", "high")):
                sys.exit(f"The scores differ: {before}, {after}")
            ratios.append(before["cpu"] / after["cpu"])
        print(f"{kind:>8} answers: {statistics.median(ratios):.2f} times faster than in {folder}", flush=True)


def rouge(pairs: int) -> None:
    """Time ROUGE-L on pairs of distinct random texts beside `rouge_score`, and hold the values equal."""
    from rouge_score.rouge_scorer import RougeScorer

    draw = random.Random(0)
    words = [draw.choice(FAMILY).lower() for _ in range(300)]
    made = []
    for number in range(pairs):
        left = draw.choices(words, k=draw.randrange(4, 24))
        # Half share most words, as answers and references do; the rest are strangers.
        right = [word if draw.random() < 0.8 else draw.choice(words) for word in left]
        right = right if number % 2 else draw.choices(words, k=draw.randrange(4, 24))
        made.append((" ".join(left).capitalize() + f" {number}.", " ".join(right).capitalize() + f", {number}."))
    assert len(set(made)) == pairs
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    began = time.process_time()
    theirs = [scorer.score(right, left)["rougeL"] for left, right in made]
    between = time.process_time()
    ours = [rouge_l(left, right) for left, right in made]
    ended = time.process_time()
    unequal = sum((one.fmeasure, one.recall) != mine for one, mine in zip(theirs, ours, strict=True))
    ratio = (between - began) / (ended - between)
    print(
        f"ROUGE-L on {pairs} distinct pairs: rouge_score {between - began:.2f} CPU s, ours {ended - between:.2f} "
        f"CPU s, {ratio:.1f} times faster; {unequal} values differ",
        flush=True,
    )
    if unequal:
        sys.exit(1)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated: what the answers are")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the rows")
    parser.add_argument("--beside", type=Path, help="another checkout, whose package is timed turn by turn with ours")
    parser.add_argument("--rounds", type=int, default=3, help="with --beside: how often each is timed")
    parser.add_argument("--one", type=int, help="score one size in this process")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    if options.one:
        print(json.dumps(scored(options.one, kinds[0], options.workers)))
        return
    if options.beside:
        compared(options.predictions, kinds, options.rounds, options.beside)
        return
    for kind in kinds:
        for predictions in (options.predictions // 10, options.predictions):
            measured(predictions, kind, options.workers)
    # Last, because a process's peak memory begins with that of the one it was started from.
    rouge(options.pairs)


if __name__ == "__main__":
    main()

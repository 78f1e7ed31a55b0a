"""How fast a build is and how much memory it takes, from 10^4 to 10^6 rows: run by hand, it takes a while.

    python -m tests.benchmarks.build_memory [--records 4000,40000,400000] [--percents 10] [--workers 1]

The source is cheap on purpose: four questions a patient, a PNG of 3 kB that is its own, no drawing. Its own time is
taken off. Seconds are of processor time, all processes together, so that other work on the machine
does not count. Rows are those written, views included: at 10 % some 2.6 of each record. Each size is built in a process
of its own, so that its peak memory is its own.
"""

import argparse
import io
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from mllmu_med_dataset.record import Record, image_key
from mllmu_med_dataset.sources.phantom import FACTS, LICENSE, QUESTIONS, REGIONS, STUDIES, answer

SIDE = 32
QUESTIONS_A_PATIENT = 4
# Peak of the whole process, imports included, from the first size to the last.
MEMORY_GROWTH = 1.20
FEWEST_ROWS_A_SECOND = 1_500


def png(number: int) -> bytes:
    """Return the PNG of a random picture that no other number has, stored without compression."""
    pixels = random.Random(number).randbytes(3 * SIDE * SIDE)
    lines = b"".join(b"\0" + pixels[start : start + 3 * SIDE] for start in range(0, len(pixels), 3 * SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def records(count: int) -> Iterator[Record]:
    """Yield so many records."""
    for number in range(count // QUESTIONS_A_PATIENT):
        data = png(number)
        key = image_key(Image.open(io.BytesIO(data)))
        modality, organ = STUDIES[number % len(STUDIES)]
        facts = {name: values[(number // 7 + len(name)) % len(values)] for name, values in FACTS.items()}
        facts |= {"modality": modality, "organ": organ}
        for name in list(FACTS)[number % 3 :][:QUESTIONS_A_PATIENT]:
            yield Record(
                source="benchmark",
                source_id=f"{number}-{name}",
                image_bytes=data,
                image_key=key,
                question=QUESTIONS[name][number % len(QUESTIONS[name])],
                answer=answer(name, facts[name]),
                fact=facts[name],
                fact_values=FACTS[name],
                modality=modality,
                body_region=REGIONS[organ],
                question_type=name,
                answer_type="OPEN",
                license=LICENSE,
                redistributable=True,
            )


def peak_mib() -> float:
    """Return the most memory that this process, or the largest of its workers, has held."""
    own, workers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(own, workers) / 1024


def spent() -> float:
    """Return the processor seconds of this process and of its workers that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def measure(count: int, percents: tuple[int, ...], workers: int) -> dict[str, float]:
    """Build once in this process; return seconds, rows and memory."""
    from mllmu_med_dataset.build import build
    from mllmu_med_dataset.load import checksums

    source = 0.0

    def timed() -> Iterator[Record]:
        nonlocal source
        given = records(count)
        while True:
            began = time.process_time()
            record = next(given, None)
            source += time.process_time() - began
            if record is None:
                return
            yield record

    at: dict[str, tuple[float, float, float]] = {}

    def note(stage: str, done: int, total: int) -> None:
        at.setdefault(stage.split()[0], (spent(), time.perf_counter(), peak_mib()))

    with tempfile.TemporaryDirectory() as folder:
        note("begin", 0, 0)
        build(timed(), Path(folder) / "mllmu-med", percents=percents, workers=workers, progress=note)
        note("end", 0, 0)
        document = checksums(Path(folder) / "mllmu-med")
    written = sum(split["rows"] for config in document["content"].values() for split in config.values())
    return {
        "records": count,
        "rows": written,
        "source_seconds": source,
        "build_seconds": at["verify"][0] - at["begin"][0] - source,
        "verify_seconds": at["end"][0] - at["verify"][0],
        "wall_seconds": at["end"][1] - at["begin"][1],
        "build_mib": at["verify"][2],
        "verify_mib": at["end"][2],
        **{f"until_{stage}": seconds - at["begin"][0] for stage, (seconds, *_) in at.items()},
    }


def main() -> int:
    """Print a line a size, then whether memory is flat and the speed enough; exit 1 where not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", default="4000,40000,400000")
    parser.add_argument("--percents", default="10")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.one, tuple(map(int, asked.percents.split(","))), asked.workers)))
        return 0
    print("records   rows written   build s   verify s   rows/s   with verify   wall s   peak MiB   with verify")
    found = []
    for count in map(int, asked.records.split(",")):
        options = ["--one", str(count), "--percents", asked.percents, "--workers", str(asked.workers)]
        command = [sys.executable, "-m", "tests.benchmarks.build_memory", *options]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        whole = told["build_seconds"] + told["verify_seconds"]
        print(
            f"{count:>7}   {told['rows']:>12}   {told['build_seconds']:>7.1f}   {told['verify_seconds']:>8.1f}   "
            f"{told['rows'] / told['build_seconds']:>6.0f}   {told['rows'] / whole:>11.0f}   "
            f"{told['wall_seconds']:>6.0f}   {told['build_mib']:>8.0f}   {told['verify_mib']:>11.0f}",
            flush=True,
        )
        print(json.dumps({name: round(value, 1) for name, value in told.items()}), file=sys.stderr)
        found.append(told)
    flat = all(found[-1][name] <= MEMORY_GROWTH * found[0][name] for name in ("build_mib", "verify_mib"))
    fast = all(told["rows"] / told["build_seconds"] >= FEWEST_ROWS_A_SECOND for told in found)
    print(f"memory {'flat' if flat else 'NOT flat'} within 20 %, {'' if fast else 'NOT '}at least 1,500 rows/s a core")
    return 0 if flat and fast else 1


if __name__ == "__main__":
    sys.exit(main())

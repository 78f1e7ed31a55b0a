"""Write every committed file that is made from others; tests hold them equal to what this makes.

    python -m tests.generated [FOLDER_OF_A_BENCH]

The root ``.huggingface.yaml``: a clone named ``mllmu-med`` must load as the data set from its parent folder, so it
holds the packaged card's ``configs`` with paths from the root. The prompts of every task. From a bench: its report
and figure in ``results``, and the README's table.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PACKAGED = Path("mllmu_med_dataset/data/mllmu-med")
RESULTS = ROOT / "baselines" / "results"
HEADER = (
    "# A clone of this repository named mllmu-med shadows the installed data set; this makes it load all the same.\n"
)
BEGIN, END = "<!-- bench:begin -->\n", "<!-- bench:end -->\n"


def shadow() -> str:
    """Return the text of ``.huggingface.yaml``."""
    front = (ROOT / PACKAGED / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    configs = yaml.safe_load(front)["configs"]
    for config in configs:
        for files in config["data_files"]:
            files["path"] = (PACKAGED / files["path"]).as_posix()
    return HEADER + yaml.safe_dump({"configs": configs}, sort_keys=False, width=120)


def readme(text: str, document: Mapping[str, object]) -> str:
    """Return the README with the table of a report between its marks."""
    from baselines.report import table

    before, rest = text.split(BEGIN)
    shown = f"\nWhat it prints (seed {document['seed']}):\n\n```\n{table(document)}\n```\n\n"
    return before + BEGIN + shown + END + rest.split(END)[1]


def main() -> None:
    """Write the files."""
    from tests.mllmu_med_tasks import snapshots

    (ROOT / ".huggingface.yaml").write_text(shadow(), encoding="utf-8")
    snapshots.write()
    if len(sys.argv) > 1:
        bench = Path(sys.argv[1])
        shutil.copy(bench / "report.json", RESULTS / "bench-nano.json")
        shutil.copy(bench / "figures" / "tradeoff.png", RESULTS / "tradeoff.png")
    document = json.loads((RESULTS / "bench-nano.json").read_text(encoding="utf-8"))
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8"), document), encoding="utf-8")


if __name__ == "__main__":
    main()

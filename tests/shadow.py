"""Write the root ``.huggingface.yaml``: a clone named ``mllmu-med`` must load as the data set from its parent folder.

    python -m tests.shadow

It is the packaged card's ``configs`` with paths from the root; a test holds the file equal to it.
"""

from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PACKAGED = Path("mllmu_med_dataset/data/mllmu-med")
HEADER = (
    "# A clone of this repository named mllmu-med shadows the installed data set; this makes it load all the same.\n"
)


def shadow() -> str:
    """Return the text of the file."""
    front = (ROOT / PACKAGED / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    configs = yaml.safe_load(front)["configs"]
    for config in configs:
        for files in config["data_files"]:
            files["path"] = (PACKAGED / files["path"]).as_posix()
    return HEADER + yaml.safe_dump({"configs": configs}, sort_keys=False, width=120)


if __name__ == "__main__":
    (ROOT / ".huggingface.yaml").write_text(shadow(), encoding="utf-8")

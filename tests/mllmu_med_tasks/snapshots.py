"""The prompts of the packaged data set, frozen: `python -m tests.generated` writes them, a test holds them equal."""

import json
from pathlib import Path

import baselines.nano
from mllmu_med_tasks import task_documents as rows
from mllmu_med_tasks.backends import load_processor
from mllmu_med_tasks.harness import tasks_path
from mllmu_med_tasks.names import TASKS, Task
from mllmu_med_tasks.prompts import messages

FOLDER = Path(__file__).with_name("snapshots")
ROWS = 3


def snapshot(task: Task) -> str:
    """Return the first prompts of a task as each harness gets them and as the nano model reads them."""
    template = (tasks_path() / "_mllmu_med").read_text().split("# Row values")[0]
    processor = load_processor(baselines.nano.MODEL)
    asked = rows.load(*task)["rows"]
    shown = [
        {
            "id": row["id"],
            "image": str(row["image"]),
            "prompt": rows.doc_to_text(row),
            "nano": processor.apply_chat_template(messages(row["question"]), add_generation_prompt=True),
        }
        for row in asked[:ROWS]
    ]
    decoding = template[template.index("generation_kwargs:") :].splitlines()
    document = {"task": task.name, "rows": len(asked), "decoding": decoding, "first": shown}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every snapshot anew and remove those of no task."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, task in TASKS.items():
        (FOLDER / f"{name}.json").write_text(snapshot(task), encoding="utf-8")

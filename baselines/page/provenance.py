"""How a study is run again, in commands, versions and digests, without a word of the machine or its users."""

import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path, PurePath

from ..study.study import Study

OUT = "runs/again"


def commands(document: Mapping[str, object]) -> list[str]:
    """Return the commands that make the study again, and the one that compares it with this report."""
    config = {**document["config"], "out": Path(OUT)}
    # Of what lies on the machine the name alone is told.
    config["model"] = name_of(str(config["model"]))
    config["source_path"] = Path(name_of(config["source_path"])) if config.get("source_path") else None
    config["source_options"] = {key: name_of(str(word)) for key, word in (config.get("source_options") or {}).items()}
    # A method file of this machine is not looked for: runs say whose method stood in one.
    own = {run["name"]: f"{run['name']}.py" for run in document["runs"].values() if run["config"].get("method_file")}
    config["method_files"] = ()
    study = Study(**{field.name: _value(config[field.name]) for field in fields(Study) if field.name in config})
    pinned = f"pip install -e '.[all]'  # mllmu-med {document['versions'].get('mllmu-med', '')}".rstrip()
    again = shlex.join(["mllmu-med", "bench", *map(str, study.arguments(own))])
    return [pinned, again, f"mllmu-med reproduce report.json --out {OUT}"]


def _value(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def name_of(word: str) -> str:
    """Return a model or a path as it may be told: a name or Hub id as it is, of a path its last part."""
    path = PurePath(word)
    return path.name if path.is_absolute() or word.startswith((".", "~")) or "\\" in word else word


def runs(document: Mapping[str, object]) -> list[dict[str, object]]:
    """Return one line a trained run: what it is, the digest of the model it began with, how long and how it ended."""
    lines = []
    for run_id, record in document["runs"].items():
        config = record.get("config") or {}
        lines.append(
            {
                "id": run_id,
                "scenario": record["scenario"],
                "name": record["name"],
                "seed": record["seed"],
                "from": str(config.get("model", "-"))[:24],
                "steps": f"{record['steps']} of {record['planned_steps']}",
                "stop": record.get("stop") or "-",
                "seconds": f"{record['seconds']:.0f}",
                "verdict": record.get("verdict") or "-",
            }
        )
    return lines

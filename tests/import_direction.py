"""Check that imports flow one way: baselines -> mllmu_med_tasks -> mllmu_med_dataset -> mllmu_med_metrics."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "mllmu_med_dataset": {"mllmu_med_dataset", "mllmu_med_metrics"},
    "mllmu_med_metrics": {"mllmu_med_metrics"},
    "mllmu_med_tasks": {"mllmu_med_tasks", "mllmu_med_dataset", "mllmu_med_metrics"},
    "baselines": {"baselines", "mllmu_med_tasks", "mllmu_med_dataset", "mllmu_med_metrics"},
}
# These two stay usable where no model library is installed.
HEAVY = {"mllmu_med_dataset": {"torch", "transformers"}, "mllmu_med_metrics": {"torch", "transformers", "datasets"}}
# The metric's Space folder is an `evaluate` module and follows that library's conventions.
EXEMPT = {("mllmu_med_metrics", "mllmu_med_ues", "datasets")}


def imported(path: Path) -> set[str]:
    """Return the top-level names a file imports absolutely."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def violations(root: Path = ROOT) -> list[str]:
    """Return one line for each import against the direction."""
    found = []
    for package, allowed in ALLOWED.items():
        for path in sorted((root / package).rglob("*.py")):
            for name in sorted(imported(path)):
                exempt = (package, path.parent.name, name) in EXEMPT
                if (name in ALLOWED and name not in allowed) or (name in HEAVY.get(package, ()) and not exempt):
                    found.append(f"{path.relative_to(root)} imports {name}")
    return found


if __name__ == "__main__":
    lines = violations()
    print("\n".join(lines) if lines else "imports flow one way")
    sys.exit(bool(lines))
